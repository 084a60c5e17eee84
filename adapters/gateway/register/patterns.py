"""Whether a pattern of the sharing agreement holds for one child: pure, from the child's entries.

What adds up (three low grades in three months) is looked for at the moment of each entry, so that one that comes late
is not missed; what is absent (no flag, not seen) is judged now, or when the message came about that asks for it.

Source: design 2 (9); protocol 2; domain 2.1 (5, 8, 10, 17).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from adapters.gateway.register.entries import Entry
from schemas.agreement import Pattern, Seen
from schemas.directory import DirectoryIndex
from schemas.envelope import Header, Struct
from schemas.identifiers import MailboxId, Moment, family_of
from schemas.rules import clocks
from schemas.rules.conditions import NEW, applies
from schemas.rules.timing import Timetable


class Source(Struct, frozen=True, kw_only=True):
    """A message that another is made from, with the handling that goes along."""

    message: Mapping[str, Any]
    purpose: str
    basis: tuple[str, ...]
    consent: str
    classification: Literal["OFFICIAL", "OFFICIAL-SENSITIVE"]
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """The message because of which is looked, the mailbox that sent or had it, and the key of the entry that it is about."""

    header: Header
    mailbox: MailboxId
    about: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """A pattern that holds: ``counted`` entries in order, and what tells it from every other occurrence."""

    pattern: Pattern
    counted: tuple[Entry, ...]
    token: tuple[str, ...]


def watched(
    patterns: Iterable[Pattern], boxes: Iterable[MailboxId], index: DirectoryIndex
) -> Iterator[tuple[Pattern, tuple[MailboxId, ...]]]:
    """Yield the patterns that an agency with *boxes* watches for, each with the boxes that have a role of its ``at``."""
    boxes = tuple(boxes)
    for pattern in patterns:
        mine = tuple(box for box in boxes if not index.roles_of(box).isdisjoint(pattern.at))
        if mine:
            yield pattern, mine


def find_occurrences(
    pattern: Pattern,
    entries: Sequence[Entry],
    *,
    times: Timetable,
    index: DirectoryIndex,
    now: Moment,
    trigger: Trigger | None = None,
    since: Moment | None = None,
) -> list[Occurrence]:
    """Return the occurrences of *pattern* among the *entries* of one child, each once.

    *trigger*: the message that was just entered; *since*: the earliest moment of what it changed.
    """
    # A sender's clock may be a little ahead.
    latest = now if trigger is None else max(now, trigger.header.at)
    moments = [latest]
    if pattern.on or pattern.when:
        if trigger is None or not _fits(pattern, trigger, index):
            return []
        moments = [trigger.header.at] if pattern.on else moments
    elif since is not None and not pattern.unless:
        moments += [entry.at for entry in entries if since <= entry.at < latest]
    found: dict[tuple[str, ...], Occurrence] = {}
    for moment in moments:
        counted = count(pattern, entries, times=times, moment=moment, now=now)
        if counted:
            about = (trigger.about,) if pattern.on and trigger else ()
            token = (pattern.name, *_name(pattern, counted[-1]), *about)
            found.setdefault(token, Occurrence(pattern=pattern, counted=counted, token=token))
    return list(found.values())


def count(
    pattern: Pattern, entries: Sequence[Entry], *, times: Timetable, moment: Moment, now: Moment
) -> tuple[Entry, ...]:
    """Return the entries by which *pattern* holds at *moment*, in order; none where it doesn't."""
    counted: dict[str, Entry] = {}
    for seen in pattern.seen:
        matching = [one for one in entries if one.at <= moment and _matches(seen, one, times, moment, now)]
        if len(matching) < seen.least:
            return ()
        counted |= {one.key: one for one in matching}
    for seen in pattern.unless:
        if sum(_matches(seen, one, times, moment, now) for one in entries) >= seen.least:
            return ()
    return tuple(sorted(counted.values(), key=lambda one: (one.at, one.key)))


def next_looks(patterns: Iterable[Pattern], entry: Entry, times: Timetable) -> Iterator[Moment]:
    """Yield when, though nothing comes, *entry* may make a pattern hold: once it is due, and once it is long ago."""
    if entry.due is not None and not entry.ended:
        yield entry.due + 1
    for pattern in patterns:
        for seen in pattern.unless:
            if seen.kind == entry.kind and seen.within is not None:
                yield clocks.due(seen.within, times.find(seen.within), entry.at).at + 1


def _fits(pattern: Pattern, trigger: Trigger, index: DirectoryIndex) -> bool:
    is_on = not pattern.on or family_of(trigger.header.type) in pattern.on
    return is_on and applies(pattern.when, trigger.header, index, NEW)


def _matches(seen: Seen, entry: Entry, times: Timetable, moment: Moment, now: Moment) -> bool:
    return (
        entry.kind == seen.kind
        and (not seen.states or entry.state in seen.states)
        and all(entry.facts.get(fact) in codes for fact, codes in seen.facts.items())
        and (not seen.overdue or entry.is_overdue(now))
        and (seen.within is None or clocks.due(seen.within, times.find(seen.within), entry.at).at >= moment)
    )


def _name(pattern: Pattern, entry: Entry) -> tuple[str, ...]:
    """Return what tells *entry* as it stands now from itself at another time: it may become open, or overdue, again."""
    is_dated = any(seen.overdue for seen in pattern.seen)
    return (entry.key, str(entry.at), str(entry.due) if is_dated else "")
