"""Who is on the hub, and what it does to the figures that others are not; who is never invited, who never answers.

A figure of a partnership of which a part has not joined is true and tells little: what is owed to an agency that has no
keys can't be sent to it.  So each figure is told with and without those.

Source: domain 1 (absence is visible), 2 (systems 4, 20) and 8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from hub.core.authenticity import KeyFact
from hub.overview import group
from hub.registry import Snapshot
from hub.store.figures import Named, Sum
from hub.store.transaction import Transaction
from schemas.envelope import DAY
from schemas.identifiers import AgencyId, Moment
from schemas.rules.figures import Row, row_of
from schemas.rules.recurring import periods

SILENT_AFTER: Final = DAY
PERIODS: Final = 6
_MEETINGS: Final = "meeting"
_ANSWER: Final = ".response"
Standing = Literal["not-enrolled", "never-seen", "silent", "on"]


class Member(NamedTuple):
    """One agency of the directory: whether it is on the hub, and when its gateway last called."""

    agency: AgencyId
    standing: Standing
    seen: Moment | None

    @property
    def is_on(self) -> bool:
        """Answer whether something can be sent to it and taken by it."""
        return self.standing in ("silent", "on")


class Effect(NamedTuple):
    """What was owed of one type: in all, and between agencies that are on the hub."""

    family: str
    whole: Row
    within: Row


class Invited(NamedTuple):
    """How often one agency was named as a party to a meeting, and was sent anything at all."""

    agency: AgencyId
    meetings: int
    named: int
    sent: int


class Period(NamedTuple):
    """One period of what recurs: how many duties there were, and how many were met in time, late, or not at all."""

    name: str
    starts: Moment
    owed: int
    met: int
    late: int
    missed: int


class Rhythm(NamedTuple):
    """One recurring rule with its last periods, the newest first."""

    rule: str
    because: str
    families: tuple[str, ...]
    periods: tuple[Period, ...]


def members(snapshot: Snapshot, seen: Mapping[AgencyId, Moment], now: Moment) -> list[Member]:
    """Return every agency that has not ended, with where it stands."""
    signing = {fact.agency for fact in snapshot.keys.values() if _can_sign(fact, now)}
    return [
        Member(one.id, _stand(one.id in signing, seen.get(one.id), now), seen.get(one.id))
        for one in snapshot.directory.directory.agencies
        if one.valid_from <= now and not snapshot.directory.has_agency_ended(one.id, now)
    ]


def _can_sign(fact: KeyFact, now: Moment) -> bool:
    return fact.use == "sign" and fact.state == "active" and fact.not_before <= now < fact.expires


def _stand(can_sign: bool, seen: Moment | None, now: Moment) -> Standing:
    if not can_sign:
        return "not-enrolled"
    if seen is None:
        return "never-seen"
    return "silent" if now - seen > SILENT_AFTER else "on"


def effects(rows: Collection[Sum], on: Collection[AgencyId]) -> list[Effect]:
    """Return for each type, and for all as the type "", what the agencies that are not *on* the hub do to its figure."""
    inside = [one for one in rows if one.creditor in on and one.debtor in on]
    whole, within = group(rows, lambda one: one.family), group(inside, lambda one: one.family)
    every, among = group(rows, lambda _: ""), group(inside, lambda _: "")
    nothing = row_of({})
    return [
        Effect("", every.get("", nothing), among.get("", nothing)),
        *(Effect(family, row, within.get(family, nothing)) for family, row in whole.items()),
    ]


def invited(rows: Iterable[Named], agencies: Iterable[AgencyId]) -> list[Invited]:
    """Return how often each of *agencies* was named and sent something, the seldom ones first."""
    meetings, named, sent = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        named[row.agency] += row.named
        sent[row.agency] += row.sent
        if row.family.startswith(f"{_MEETINGS}."):
            meetings[row.agency] += row.named
    found = [Invited(one, meetings[one], named[one], sent[one]) for one in agencies]
    return sorted(found, key=lambda one: (one.meetings, one.named, one.agency))


def answered(rows: Iterable[Sum]) -> dict[tuple[str, AgencyId], Row]:
    """Return for each kind of consultation and each agency that was asked how its answers went."""
    return group((one for one in rows if one.family.endswith(_ANSWER)), lambda one: (one.family, one.debtor))


def rhythms(tx: Transaction, snapshot: Snapshot, now: Moment) -> Iterator[Rhythm]:
    """Yield what recurs by the agreement in force, each with its last periods that are over."""
    rules = snapshot.rules_at(now)
    for rule in rules.agreement.recurring:
        calendar = rules.timetable[rule.calendar]
        longest = {"days": 1, "weeks": 7, "months": 31}[rule.period.kind] * rule.period.amount * DAY
        begun = [one for one in periods(rule, calendar, max(0, now - (PERIODS + 1) * longest), now) if one.ends <= now]
        families = tuple(dict.fromkeys(family for answer in rule.answers for family in answer.types))
        found = tuple(_period(tx, rule.thread, one.name, one.starts) for one in reversed(begun[-PERIODS:]))
        yield Rhythm(rule.name, rule.because, families, found)


def _period(tx: Transaction, thread: str, name: str, starts: Moment) -> Period:
    states = Counter(row.state for row in tx.period_obligations(thread, starts) if row.duty.item == name)
    met, late = states["met"] + states["met_elsewhere"], states["met_late"]
    given_up = states["waived"] + states["superseded"]
    owed = states.total() - given_up
    return Period(name, starts, owed, met, late, owed - met - late)
