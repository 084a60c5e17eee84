"""What nobody is asked: identifiers, moments of writing, and what the message that is answered says already.

Source: issue of the inbox (nothing asked twice); domain 9.8 (no re-entry).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from adapters.gateway.inbox.forms.checking import find_complaints
from adapters.gateway.inbox.forms.data import DATA
from adapters.gateway.inbox.forms.fields import Field, Form
from adapters.gateway.inbox.forms.moments import write_instant
from adapters.gateway.inbox.forms.parse import settle
from adapters.gateway.inbox.forms.rules import find_demands
from schemas.identifiers import MessageType, Moment, family_of


def carry(form: Form, earlier_type: MessageType, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a new message of *form* takes from the message *earlier* that it answers or, of the same type, replaces.

    A new version has all that the earlier one had, its number one higher, and the moments of writing still open.  An answer
    has what its type shares with the other (``carried`` in ``filling.json``), as far as it fits there.
    """
    if family_of(earlier_type) == family_of(form.type):
        return _next_version(form, earlier)
    family = family_of(form.type)
    renamed = DATA.fillings.renamed.get(family, {})
    found: dict[str, Any] = {}
    for member in form.root.members:
        name = renamed.get(member.path, "").removeprefix("/")
        if name not in earlier:
            name = member.name if member.name in DATA.fillings.carried else ""
        if name not in earlier or (member.filling is not None and member.filling.source in {"now", "value"}):
            continue
        value = _cut(member, earlier[name])
        if value is not None and not any(
            True for _ in find_complaints(_alone(form.root, member), {member.name: value})
        ):
            found[member.name] = value
    return found


def _next_version(form: Form, earlier: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        member.name: earlier[member.name]
        for member in form.root.members
        if member.name in earlier and not (member.filling is not None and member.filling.source == "now")
    }
    if "Version" in form_kinds(form, "version") and "version" in found:
        found["version"] += 1
    return found


def form_kinds(form: Form, name: str) -> tuple[str, ...]:
    """Return which shared definitions the field *name* of *form* follows; none if it has no such field."""
    return next((one.kinds for one in form.root.members if one.name == name), ())


def _alone(root: Field, member: Field) -> Field:
    return Field(name="", path="", title="", hint="", kind="group", schema=root.schema, kinds=(), members=(member,))


def _cut(one: Field, value: Any) -> Any:
    """Return *value* as far as the field *one* knows its parts, or ``None`` if it is of another kind."""
    if one.kind == "group":
        if not isinstance(value, Mapping):
            return None
        return {member.name: value[member.name] for member in one.members if member.name in value}
    if one.kind in {"list", "lines", "several_of"}:
        if not isinstance(value, list):
            return None
        cut = [_cut(cast("Field", one.entry), given) for given in value]
        return None if None in cut else cut
    return None if isinstance(value, Mapping | list) else value


def fill_in(
    form: Form, message: Mapping[str, Any], *, new_id: Callable[[], str], now: Moment | None = None
) -> dict[str, Any]:
    """Return *message* with what the machine fills, where it is required and isn't there.

    Args:
        new_id: makes a random identifier.
        now: the moment of sending, UTC milliseconds; ``None`` while the message is still being written.
    """
    filled = _fill_group(form.root, message, message, new_id, now)
    return settle(form.root, filled)


def _fill_group(
    group: Field, values: Mapping[str, Any], whole: Mapping[str, Any], new_id: Callable[[], str], now: Moment | None
) -> dict[str, Any]:
    required = find_demands(group.rules, values).required
    found = dict(values)
    for member in group.members:
        if (filling := member.filling) is not None and member.name not in found:
            made: Any = None
            if member.name in required and filling.source == "new":
                made = new_id()
            elif member.name in required and filling.source == "value":
                made = filling.value
            elif member.name in required and filling.source == "copy":
                made = (found if group.path == "" else whole).get(filling.value.removeprefix("/"))
            elif filling.source == "now" and now is not None and (member.name in required or _is_always(member, group)):
                made = write_instant(now)
            if made is not None:
                found[member.name] = made
                whole = found if group.path == "" else whole
        elif member.name in found:
            found[member.name] = _fill_inside(member, found[member.name], whole, new_id, now)
    return found


def _is_always(member: Field, group: Field) -> bool:
    """Answer whether the schema requires *member* always, though a person is asked for it only sometimes."""
    return member.name in group.schema.get("required", ())


def _fill_inside(
    one: Field, value: Any, whole: Mapping[str, Any], new_id: Callable[[], str], now: Moment | None
) -> Any:
    if one.kind == "group" and isinstance(value, Mapping):
        return _fill_group(one, value, whole, new_id, now)
    entry = one.entry
    if one.kind == "list" and entry is not None and entry.kind == "group":
        return [_fill_group(entry, given, whole, new_id, now) for given in value]
    return value


def leave_out(form: Form, message: Mapping[str, Any]) -> dict[str, Any]:
    """Return *message* without what the answers to other questions forbid: it is kept in the draft, and not sent."""
    return _leave_out(form.root, message)


def _leave_out(group: Field, values: Mapping[str, Any]) -> dict[str, Any]:
    demands = find_demands(group.rules, values)
    return {name: value for name, value in values.items() if demands.allows(name)}


def find_applying(form: Form, message: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields of the message that may be there, given its other answers."""
    demands = find_demands(form.root.rules, message)
    return frozenset(member.name for member in form.root.members if demands.allows(member.name))
