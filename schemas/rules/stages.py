"""How one rule's duties went: how many in time, late or stuck, how long they took, and what the messages were worth.

Any rule of any type: a return home interview within 72 hours, a referral decided within a day, a piece of intelligence
shared, analysed, acted on.  A figure of speed alone rewards haste, so beside it stands how many of the messages were
declined, disputed or had to be corrected.

Source: domain 2 (column "observable"), 11 (risk 23).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import ceil
from typing import Final, NamedTuple

from schemas.identifiers import EnvelopeId, MailboxId, Moment, agency_of
from schemas.rules.figures import Answer, Missing, rate
from schemas.rules.units import SENT, DutyRow

HOUR: Final = 3_600_000
_GIVEN_UP: Final = frozenset({"waived", "superseded"})


class Duties(Answer, frozen=True, kw_only=True):
    """Counts of duties; what each means is in :data:`COLUMNS`."""

    owed: int
    met: int
    met_late: int
    elsewhere: int
    lapsed: int
    stuck: int
    waiting: int
    waived: int
    superseded: int
    in_time_rate: float | None
    median_hours: float | None
    p90_hours: float | None
    followed: int
    followed_rate: float | None
    threads: int
    threads_followed: int
    messages: int
    declined: int
    disputed: int
    corrected: int
    faulty_rate: float | None


COLUMNS: Final[Mapping[str, str]] = {
    "owed": "duties that fell due in the period, without those waived or superseded",
    "met": "met through the hub by the due moment",
    "met_late": "met through the hub after it",
    "elsewhere": "met by other means, as both sides signed",
    "lapsed": "a window in which to object ended; recorded as lapse, not as agreement",
    "stuck": "past due and still open",
    "waiting": "open, and not due yet",
    "waived": "given up by a signed waiver; not part of owed",
    "superseded": "ended because something took its place, such as a newer version; not part of owed",
    "in_time_rate": "met ÷ owed, without what still waits",
    "median_hours": "hours from the moment that the clock counts from until it was met: half took no longer",
    "p90_hours": "the same: nine in ten took no longer",
    "followed": "met, and what the message that met it made its recipient owe the sender in turn was met as well",
    "followed_rate": "followed ÷ owed, without what still waits",
    "threads": "meetings, episodes or requests in which it was owed",
    "threads_followed": "of these, in how many every such duty was followed",
    "messages": "messages that met it, or whose receipt was owed",
    "declined": "of these, declined by a person or rejected by a check at the recipient",
    "disputed": "of these, those about which another message made an answer owed: a dispute, an objection",
    "corrected": "of these, replaced by a newer version",
    "faulty_rate": "declined, disputed or corrected ÷ messages: the quality beside the speed",
}


class Stage(Answer, frozen=True, kw_only=True):
    """One rule: its procedure, all its duties, the same by the debtor's agency, and what is stuck, the oldest first."""

    rule: str
    because: str
    total: Duties
    by_agency: Mapping[str, Duties]
    stuck: tuple[Missing, ...]


class Thread(NamedTuple):
    """What else is known of a duty's thread.

    ``duties``: every one of it; ``newer``: which envelope replaced which; ``refused``: who declined or rejected which.
    """

    duties: Sequence[DutyRow]
    newer: Mapping[EnvelopeId, EnvelopeId]
    refused: Collection[tuple[EnvelopeId, MailboxId]]


class Judged(NamedTuple):
    """One duty, and what became of its message: ``about`` is none where there is no message yet."""

    row: DutyRow
    about: EnvelopeId | None
    followed: bool
    declined: bool
    disputed: bool
    corrected: bool


def judge(row: DutyRow, thread: Thread) -> Judged:
    """Return *row* with what the rest of its thread says of the message that met it, or whose receipt it is."""
    is_met = row.state in SENT
    about = row.envelope if row.kind == "receipt" else row.settled_by if is_met else None
    recipient = row.debtor if row.kind == "receipt" else row.creditor
    newest = about
    while newest is not None and newest in thread.newer:
        newest = thread.newer[newest]
    in_turn = [
        one
        for one in thread.duties
        if row.kind == "send"
        and newest is not None
        and (one.envelope, one.debtor, one.creditor) == (newest, row.creditor, row.debtor)
        and one.state not in _GIVEN_UP
    ]
    return Judged(
        row=row,
        about=about,
        followed=is_met and all(one.state in SENT or one.state == "met_elsewhere" for one in in_turn),
        declined=(about, recipient) in thread.refused,
        disputed=about is not None
        and any(one.kind == "send" and one.item == about and one.envelope != about for one in thread.duties),
        corrected=about in thread.newer,
    )


def tally_duties(judged: Iterable[Judged], rules: Mapping[str, str], now: Moment) -> tuple[Stage, ...]:
    """Return the figures at *now* of each of *rules* (name: the procedure that it comes from), in their order."""
    found: dict[str, list[Judged]] = {name: [] for name in rules}
    for one in judged:
        found[one.row.rule].append(one)
    return tuple(_stage(name, rules[name], ones, now) for name, ones in found.items())


def _stage(name: str, because: str, judged: Sequence[Judged], now: Moment) -> Stage:
    agencies: dict[str, list[Judged]] = defaultdict(list)
    for one in judged:
        agencies[agency_of(one.row.debtor)].append(one)
    stuck = sorted((one.row for one in judged if _is_stuck(one.row, now)), key=lambda row: (row.due, row.id))
    return Stage(
        rule=name,
        because=because,
        total=_count(judged, now),
        by_agency={agency: _count(agencies[agency], now) for agency in sorted(agencies)},
        stuck=tuple(map(Missing.of, stuck)),
    )


def _is_stuck(row: DutyRow, now: Moment) -> bool:
    return row.state == "open" and row.due < now


def _count(judged: Sequence[Judged], now: Moment) -> Duties:
    owed = [one for one in judged if one.row.state not in _GIVEN_UP]
    waiting = sum(one.row.state == "open" and not _is_stuck(one.row, now) for one in owed)
    met, followed = _in_state(owed, "met"), sum(one.followed for one in owed)
    hours = sorted(
        max(0, one.row.settled_at - one.row.began) / HOUR
        for one in owed
        if one.row.state in SENT and one.row.settled_at is not None and one.row.began is not None
    )
    threads: dict[str, bool] = {}
    for one in owed:
        threads[one.row.thread] = threads.get(one.row.thread, True) and one.followed
    messages = [one for one in owed if one.about is not None]
    return Duties(
        owed=len(owed),
        met=met,
        met_late=_in_state(owed, "met_late"),
        elsewhere=_in_state(owed, "met_elsewhere"),
        lapsed=_in_state(owed, "lapsed"),
        stuck=sum(_is_stuck(one.row, now) for one in owed),
        waiting=waiting,
        waived=_in_state(judged, "waived"),
        superseded=_in_state(judged, "superseded"),
        in_time_rate=rate(met, len(owed) - waiting),
        median_hours=_within(hours, 0.5),
        p90_hours=_within(hours, 0.9),
        followed=followed,
        followed_rate=rate(followed, len(owed) - waiting),
        threads=len(threads),
        threads_followed=sum(threads.values()),
        messages=len(messages),
        declined=sum(one.declined for one in messages),
        disputed=sum(one.disputed for one in messages),
        corrected=sum(one.corrected for one in messages),
        faulty_rate=rate(sum(one.declined or one.disputed or one.corrected for one in messages), len(messages)),
    )


def _in_state(judged: Iterable[Judged], state: str) -> int:
    return sum(one.row.state == state for one in judged)


def _within(hours: Sequence[float], share: float) -> float | None:
    """Return within how many hours at least *share* of them lie."""
    return round(hours[ceil(share * len(hours)) - 1], 1) if hours else None
