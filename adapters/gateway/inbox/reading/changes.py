"""What changed between two versions of a message: what was added, removed or changed, in words, before and after.

Pure.  Nothing is said to have changed if and only if the two say the same.  Entries of a list are held together by what
identifies them (an action by its identifier); where nothing does, by their place.

Source: issue of the inbox (versions and what changed between them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from adapters.base import Incoming
from adapters.gateway.exports.marking import RESTRICTED, clean, groups, marks_of
from adapters.gateway.exports.policy import load_policy
from adapters.gateway.exports.shapes import Schema, Shape, definitions, shape_of
from adapters.gateway.inbox.reading.saying import Manner, Value
from adapters.gateway.inbox.reading.sheet import Field, Mark, as_marks, entry_title, plain_fields
from adapters.gateway.inbox.reading.table import load_table

How = Literal["added", "removed", "changed", "moved"]
_ABSENT: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference: where it stands, in words, and what was there before and is there now.

    ``marks`` hold for it in either version.  ``moved``: the entries of a list are the same in another order.
    """

    how: How
    where: str
    before: tuple[Field, ...] = ()
    after: tuple[Field, ...] = ()
    marks: tuple[Mark, ...] = ()


def compare(before: Incoming, after: Incoming, schema: Schema, manner: Manner | None = None) -> tuple[Change, ...]:
    """Return what *after* says differently from *before*, both of *schema*, in its order; documents and handling last."""
    told = manner or Manner()
    root = shape_of(schema)
    return (
        *_group(root, before.message, after.message, "", frozenset(), told),
        *_handling(before, after, told),
        *_documents(before, after),
    )


def is_same(one: Any, other: Any) -> bool:
    """Answer whether two JSON values are the same; ``true`` is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(is_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _group(
    shape: Shape, before: Mapping[str, Any], after: Mapping[str, Any], where: str, above: frozenset[str], manner: Manner
) -> Iterator[Change]:
    marks = above | _own_marks(before) | _own_marks(after)
    fields = dict(shape.fields())
    # What the schema doesn't know can't be there; if it is, its change is told all the same.
    for name in (*fields, *sorted({*before, *after} - fields.keys())):
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if not is_same(old, new):
            member = fields.get(name) or shape_of({"title": name})
            yield from _member(member, old, new, f"{where}{member.title}", marks, manner)


def _member(shape: Shape, old: Any, new: Any, where: str, marks: frozenset[str], manner: Manner) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _group(shape, old, new, f"{where}: ", marks, manner)
    elif _is_groups(old) and _is_groups(new):
        yield from _entries(shape, old, new, where, marks, manner)
    else:
        how: How = "added" if old is _ABSENT else "removed" if new is _ABSENT else "changed"
        found = marks | _marks_of(old) | _marks_of(new)
        yield Change(
            how=how, where=where, before=_say(shape, old, manner), after=_say(shape, new, manner), marks=as_marks(found)
        )


def _entries(
    shape: Shape, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], where: str, marks: frozenset[str],
    manner: Manner,
) -> Iterator[Change]:  # fmt: skip
    element = shape.element
    key = _find_key(old, new)
    # Where they stand before, by what identifies them.
    places = {_key_of(one, key, at): at for at, one in enumerate(old)}
    kept: list[int] = []
    found = False
    for at, one in enumerate(new):
        place = places.pop(_key_of(one, key, at), None)
        title = f"{where}, {entry_title(element, one, at + 1, manner)}"
        if place is None:
            found = True
            said = plain_fields(one, element, manner)
            yield Change(how="added", where=title, after=said, marks=as_marks(marks | _marks_of(one)))
            continue
        kept.append(place)
        for change in _group(element, old[place], one, f"{title}: ", marks, manner):
            found = True
            yield change
    for at in places.values():
        found = True
        title = f"{where}, {entry_title(element, old[at], at + 1, manner)}"
        said = plain_fields(old[at], element, manner)
        yield Change(how="removed", where=title, before=said, marks=as_marks(marks | _marks_of(old[at])))
    if kept != sorted(kept) or not found:
        yield Change(how="moved", where=where, marks=as_marks(marks))


def _key_of(one: Mapping[str, Any], key: str | None, at: int) -> Any:
    return at if key is None else one[key]


def _find_key(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the first field that every entry has as a text, no two of one version the same."""
    for key in load_table().identified_by:
        sides = [[one.get(key) for one in side] for side in (old, new)]
        if all(all(isinstance(one, str) for one in side) and len(set(side)) == len(side) for side in sides):
            return key
    return None


def _is_groups(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping)


def _marks_of(value: Any) -> frozenset[str]:
    """Return every mark that stands in *value*, at any depth: a change may show all of it."""
    policy = load_policy()
    return frozenset(
        mark
        for one in groups(value)
        for mark in (*marks_of(one, policy), *((RESTRICTED,) if one.get(RESTRICTED) is True else ()))
    )


def _own_marks(value: Mapping[str, Any]) -> frozenset[str]:
    return marks_of(value, load_policy()) | ({RESTRICTED} if value.get(RESTRICTED) is True else frozenset())


def _say(shape: Shape, value: Any, manner: Manner) -> tuple[Field, ...]:
    if value is _ABSENT:
        return ()
    if isinstance(value, Mapping):
        return plain_fields(value, shape, manner)
    if _is_groups(value):
        return tuple(
            Field(title=f"{entry_title(shape.element, one, number, manner)}: {each.title}", values=each.values)
            for number, one in enumerate(value, 1)
            for each in plain_fields(one, shape.element, manner)
        )
    if isinstance(value, (list, tuple)):
        return (Field(title=shape.title, values=tuple(manner.say(shape.element, one) for one in value)),)
    return (Field(title=shape.title, values=(manner.say(shape, value),)),)


def _handling(before: Incoming, after: Incoming, manner: Manner) -> Iterator[Change]:
    """Yield what changed of the envelope that its reader goes by."""
    shared = definitions()
    marks = as_marks({*before.marks, *after.marks})
    for title, kind, old, new in (
        ("Classification", "Line", (before.classification,), (after.classification,)),
        (shared["HandlingMark"]["title"], "HandlingMark", before.marks, after.marks),
        (shared["PurposeCode"]["title"], "PurposeCode", (before.purpose,), (after.purpose,)),
        (shared["BasisCode"]["title"], "BasisCode", before.basis, after.basis),
        (shared["Consent"]["title"], "Consent", (before.consent,), (after.consent,)),
        ("To", "Mailbox", before.recipients, after.recipients),
    ):
        if old != new:
            shape = shape_of({"$ref": f"#/$defs/{kind}"})
            said = [(Field(title=title, values=tuple(manner.say(shape, one) for one in side)),) for side in (old, new)]
            yield Change(how="changed", where=title, before=said[0], after=said[1], marks=marks)


def _documents(before: Incoming, after: Incoming) -> Iterator[Change]:
    old, new = ({one.name: one for one in side.documents} for side in (before, after))
    for name in (*new, *(name for name in old if name not in new)):
        if name not in old or name not in new:
            how: How = "added" if name not in old else "removed"
        elif (old[name].content, old[name].type) != (new[name].content, new[name].type):
            how = "changed"
        else:
            continue
        field = (Field(title="Document", values=(Value(text=clean(name)),)),)
        yield Change(
            how=how,
            where=f"Document: {clean(name)}",
            before=field if name in old else (),
            after=field if name in new else (),
        )
