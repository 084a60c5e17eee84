"""What changed between two versions of a message, field by field, in words.  Pure.

Entries of a list are held together by what identifies them (``action_id``, ``inbox``); where nothing does, by their place.

Source: issue of the inbox (versions and what changed between them); domain 8 (receipts for version 1 never clear version 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.gateway.exports.marking import clean
from adapters.gateway.exports.shapes import Schema, Shape, shape_of

# What tells entries apart, the first that both versions have.
KEYS: Final = ("action_id", "ref", "local_id", "inbox", "objection_id", "attachment_id", "item_id", "org", "name")
# What only says which version it is.
NUMBERS: Final = frozenset({"version", "replaces_version", "recorded_at"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that differs: where it stands in words; ``None``: it was not there before, or is there no more."""

    where: str
    before: str | None
    after: str | None


def compare(schema: Schema, before: Mapping[str, Any], after: Mapping[str, Any], zone: ZoneInfo) -> list[Change]:
    """Return what differs between two messages of *schema*, in the schema's order; nothing if they say the same."""
    return list(_groups(shape_of(schema), before, after, "", zone))


def _groups(
    shape: Shape, before: Mapping[str, Any], after: Mapping[str, Any], above: str, zone: ZoneInfo
) -> Iterator[Change]:
    for name, member in shape.fields():
        if not above and name in NUMBERS:
            continue
        where = f"{above}{member.title}"
        yield from _values(member, before.get(name), after.get(name), where, zone)


def _values(shape: Shape, before: Any, after: Any, where: str, zone: ZoneInfo) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        yield from _groups(shape, before or {}, after or {}, f"{where}: ", zone)
    elif _is_list_of_groups(before) or _is_list_of_groups(after):
        yield from _lists(shape, before or [], after or [], where, zone)
    else:
        yield Change(where=where, before=_say(shape, before, zone), after=_say(shape, after, zone))


def _is_list_of_groups(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _lists(
    shape: Shape, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], where: str, zone: ZoneInfo
) -> Iterator[Change]:
    key = _find_key([*before, *after], before, after)
    element = shape.element
    if key is None:
        pairs = [
            (before[at] if at < len(before) else None, after[at] if at < len(after) else None)
            for at in range(max(len(before), len(after)))
        ]
    else:
        old = {one[key]: one for one in before}
        pairs = [(old.pop(one[key], None), one) for one in after]
        pairs += [(one, None) for one in old.values()]
    for number, (was, now) in enumerate(pairs, 1):
        title = f"{where}, {element.title.lower()} {number}"
        if was is not None and now is not None:
            yield from _groups(element, was, now, f"{title}: ", zone)
        else:
            yield Change(
                where=title, before=_say_group(element, was, zone) if was is not None else None,
                after=_say_group(element, now, zone) if now is not None else None,
            )  # fmt: skip


def _find_key(
    every: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> str | None:
    for key in KEYS:
        if all(key in one for one in every) and all(
            len({str(one[key]) for one in side}) == len(side) for side in (before, after)
        ):
            return key
    return None


def _say(shape: Shape, value: Any, zone: ZoneInfo) -> str | None:
    if value is None:
        return None
    if isinstance(value, list):
        return "; ".join(clean(shape.element.say(one, zone)) for one in value) or "none"
    return clean(shape.say(value, zone))


def _say_group(shape: Shape, value: Mapping[str, Any], zone: ZoneInfo) -> str:
    said = [
        f"{member.title}: {_say(member, value[name], zone)}"
        for name, member in shape.fields()
        if name in value and not isinstance(value[name], Mapping) and not _is_list_of_groups(value[name])
    ]
    return "; ".join(said)
