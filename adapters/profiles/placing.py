"""From a message to a record of the agency's system, by the mapping's `file` rules, and back: what stands there of it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import UnsetType

from adapters.base import Held, Incoming, NeedsPerson, Notice
from adapters.pair import describe_notice
from adapters.profiles.mapping import Field, File, field_of
from adapters.profiles.mapping import Mapping as Table
from adapters.profiles.records import DOCUMENT, HUB, NOTICE, Placed, Standing
from adapters.profiles.values import Turning, ValueProblemError, build, holds, look_in, path_look, pointer_look, spell
from keys.digests import sha256, sha256_b64u

# A record says so of a message of which only that it came may be kept.
REFERENCE_ONLY: Final = "reference_only"
_ABOUT: Final = (
    "envelope", "mailbox", "thread", "re", "supersedes", "type", "sender", "recipients", "seq", "at", "accepted_at", "urgent",
    "author", "author_role", "purpose", "basis", "consent", "classification", "marks", "retention",
)  # fmt: skip


def place(message: Incoming, mapping: Table, zone: ZoneInfo) -> Placed | NeedsPerson:
    """Return the record that *message* becomes; a type that is left to people and a code that no table has are for a person."""
    if message.type in mapping.people:
        return NeedsPerson(code="record-people")
    rule = find_rule(mapping, message.type, message.message)
    mode = "full" if rule is None else rule.mode
    if REFERENCE_ONLY in message.marks:
        rule, mode = None, "reference_only"
    about: dict[str, Any] = {name: _plain(getattr(message, name)) for name in _ABOUT}
    about = {name: value for name, value in about.items() if value is not None}
    fields: dict[str, Any] = {HUB: about}
    if mode == "full":
        about["message"] = _plain(message.message)
    if rule is not None and mode != "reference_only":
        turning = Turning(look=pointer_look(message.message), zone=zone, local=True)
        try:
            fields = build(rule.fields, turning, to_message=False) | fields
        except ValueProblemError as error:
            return NeedsPerson(code=error.code)
    kind = DOCUMENT if rule is None else rule.kind
    return Placed(
        kind=kind,
        identity=sha256_b64u(f"{message.envelope}|{message.mailbox}|{kind}".encode()),
        envelope=message.envelope,
        fields=fields,
        documents=message.documents if mode == "full" else (),
        mode=mode,
    )


def place_notice(notice: Notice) -> Placed:
    """Return the record that shows *notice*."""
    identity = sha256_b64u(f"{notice.id}|{NOTICE}".encode())
    return Placed(kind=NOTICE, identity=identity, fields=describe_notice(notice))


def find_rule(mapping: Table, kind: str, message: Mapping[str, Any]) -> File | None:
    """Return the first rule that files such a message."""
    look = pointer_look(message)
    return next((one for one in mapping.file if one.type == kind and holds(one.where, look)), None)


def is_kept(placed: Placed, standing: Standing) -> bool:
    """Answer whether all of *placed* stands there as it was put; what the system has beside it doesn't count."""
    digests = [sha256(one.content).hex() for one in placed.documents]
    return not standing.ended and stands(placed.fields, standing.fields) and digests == list(standing.documents)


def stands(put: Any, held: Any) -> bool:
    """Answer whether *held* has all of *put*, however numbers are written and whatever is beside it."""
    if isinstance(put, Mapping):
        return isinstance(held, Mapping) and all(
            name in held and stands(value, held[name]) for name, value in put.items()
        )
    if isinstance(put, list | tuple):
        return isinstance(held, list) and len(put) == len(held) and all(map(stands, put, held))
    if isinstance(put, bool) or isinstance(held, bool):
        return put is held
    return bool(put == held)


def hold(record: str, standing: Standing, mapping: Table) -> Held:
    """Return what *standing* says of the message that was filed as *record*: the members that it keeps, as they are there now."""
    about = standing.fields.get(HUB)
    about = about if isinstance(about, Mapping) else {}
    message = about.get("message")
    members: dict[str, Any] = {}
    if isinstance(message, Mapping):
        members = {f"/{name}": value for name, value in message.items() if not set(name) & set("/*~")}
    look = path_look(standing.fields)
    rule = _rule_of(mapping, record.partition("/")[0], about)
    for name, given in rule.fields.items() if rule is not None else ():
        source = field_of(given)
        pointer = source.sources[0] if len(source.sources) == 1 else ""
        value = look(name)
        if not _turns_back(source) or (rule and rule.keeps is not None and pointer not in rule.keeps):
            continue
        if isinstance(value, UnsetType) or value is None:
            # Where the message said something, that isn't there any more.
            if isinstance(message, Mapping) and not isinstance(look_in(message, pointer.split("/")[1:]), UnsetType):
                members[pointer] = None
            continue
        members[pointer] = _turn_back(source, value)
    return Held(record=record, members=members, ended=standing.ended)


def _rule_of(mapping: Table, kind: str, about: Mapping[str, Any]) -> File | None:
    message = about.get("message")
    look = pointer_look(message) if isinstance(message, Mapping) else None
    return next(
        (
            one
            for one in mapping.file
            if one.type == about.get("type") and one.kind == kind and (look is None or holds(one.where, look))
        ),
        None,
    )


def _turns_back(source: Field) -> bool:
    """Answer whether what *source* made says which member it was made of: plain, or by codes each of which is another's."""
    if len(source.sources) != 1 or source.as_ or source.each or not isinstance(source.default, UnsetType):
        return False
    made = [spell(one) for one in (source.codes or {}).values() if not isinstance(one, list)]
    return isinstance(source.otherwise, UnsetType) and len(set(made)) == len(source.codes or {})


def _turn_back(source: Field, value: Any) -> Any:
    if source.codes is None:
        return value
    back = {spell(made): code for code, made in source.codes.items()}
    words: dict[Any, Any] = {"true": True, "false": False} if source.codes.keys() <= {"true", "false"} else {}
    turned = [back.get(spell(one), one) for one in (value if isinstance(value, list) else [value])]
    plain = [words.get(one, one) for one in turned]
    return plain if isinstance(value, list) else plain[0]


def _plain(value: Any) -> Any:
    """Return *value* as JSON has it."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
