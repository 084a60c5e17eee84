"""What is owed by the calendar alone: when periods begin and end, by which version, and what meets them."""

from __future__ import annotations

import calendar as months_of
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identifiers import ID_PATTERN
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty
from schemas.rules.planning import Opened
from schemas.rules.recurring import next_recurrence, open_recurring, periods, thread_of
from tests.rules.story import Story
from tests.rules.support import (
    CHAIR,
    ENDED,
    EXPLOITATION,
    GP,
    HEALTH,
    LONDON,
    NURSES,
    PARTNERSHIP,
    POLICE,
    agreement,
    directory,
    header,
    local,
    ms,
)

INDEX = directory()
RULE = """
[[recurring]]
name = "{name}"
every = "{every}"
starting = {starting}
{extra}
send = {{ type = "b", {send} }}
"""
SEND = 'by = "role:exploitation_team", to = "role:mash"'


def rules(
    every: str = "1 month",
    starting: str = "2026-01-01",
    send: str = SEND,
    *,
    name: str = "monthly",
    extra: str = "",
    issued: int = 0,
) -> Rules:
    """Return an agreement with one recurring rule, issued at *issued*."""
    text = RULE.format(name=name, every=every, starting=starting, send=send, extra=extra)
    return _issued(text, issued)


@lru_cache
def _issued(text: str, issued: int) -> Rules:
    return Rules(msgspec.structs.replace(agreement(text), issued=issued))


def begins(one: Rules, after: str, until: str) -> list[str]:
    """Return local beginnings of the periods of the one rule of *one* between two local moments."""
    (rule,) = one.agreement.recurring
    return [local(period.starts) for period in periods(rule, one.timetable[rule.calendar], ms(after), ms(until))]


@pytest.mark.parametrize(
    ("every", "starting", "found"),
    [
        ("1 month", "2026-01-31", ["01-31", "02-28", "03-31", "04-30", "05-31"]),
        ("1 month", "2026-01-01", ["01-01", "02-01", "03-01", "04-01", "05-01"]),
        ("3 months", "2025-11-30", ["02-28", "05-30"]),
        ("2 weeks", "2026-03-02", ["03-02", "03-16", "03-30", "04-13", "04-27", "05-11", "05-25"]),
        ("60 days", "2025-12-31", ["03-01", "04-30"]),
    ],
)
def test_periods_begin_at_local_midnight_whatever_the_clocks_do(every: str, starting: str, found: list[str]) -> None:
    """Months end where they end, counted from the first day each time; summer time moves no beginning."""
    assert begins(rules(every, starting), "2026-01-01 00:00", "2026-05-31 23:59") == [
        f"2026-{day} 00:00" for day in found if day != "01-01"
    ]


def test_a_period_ends_as_the_next_begins() -> None:
    """Across both clock changes a week is 167 or 169 hours long, and no moment lies between two of them."""
    one = rules("1 week", "2026-01-05")
    (rule,) = one.agreement.recurring
    found = list(periods(rule, one.timetable["office"], ms("2026-01-04 00:00"), ms("2026-12-31 00:00")))
    assert {(period.ends - period.starts) // 3_600_000 for period in found} == {167, 168, 169}
    assert [period.ends for period in found[:-1]] == [period.starts for period in found[1:]]
    assert found[0].name == "2026-01-05"


@settings(max_examples=200, deadline=None)
@given(
    every=st.sampled_from(["1 day", "9 days", "1 week", "8 weeks", "1 month", "3 months", "12 months"]),
    starting=st.dates(date(2018, 1, 1), date(2027, 12, 31)),
    after=st.integers(ms("2017-06-01 00:00"), ms("2030-01-01 00:00")),
    days=st.integers(0, 500),
)
def test_from_any_moment_the_same_periods_are_found(every: str, starting: date, after: int, days: int) -> None:
    """Counting on from a guess gives what counting from the first day gives."""
    until = after + days * 86_400_000
    one = rules(every, starting.isoformat())
    (rule,) = one.agreement.recurring
    found = [(period.name, period.starts) for period in periods(rule, one.timetable["office"], after, until)]
    known = [(day.isoformat(), _midnight(day)) for day in _dates(every, starting, date(2033, 1, 1))]
    assert found == [(name, at) for name, at in known if after < at <= until]


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), tzinfo=LONDON).timestamp() * 1000)


def _dates(every: str, starting: date, end: date) -> Iterator[date]:
    count, unit = every.removesuffix("s").split()
    amount = int(count)
    for number in range(10_000):
        if unit == "month":
            year, month = divmod(starting.month - 1 + amount * number, 12)
            year += starting.year
            last = months_of.monthrange(year, month + 1)[1]
            day = date(year, month + 1, min(starting.day, last))
        else:
            day = starting + timedelta(days=number * amount * (7 if unit == "week" else 1))
        if day > end:
            return
        yield day


def _opened(versions: Sequence[Rules], after: str, until: str) -> tuple[Duty, ...]:
    return open_recurring(versions, INDEX, ms(after), ms(until))


def test_each_period_is_owed_by_the_one_role_to_the_other() -> None:
    """A duty each way for each pair of mailboxes, named by the day on which its period begins."""
    send = 'by = "role:health", to = ["role:mash", "role:partnership", "mailbox:northmere/safeguarding"], within = "5 working days"'
    ladder = 'warn = ["1 working day before"]\nladder = [{ after = "1 hour", to = "debtor" }]'
    one = rules(send=send, extra=ladder)
    duties = _opened((one,), "2026-06-30 12:00", "2026-07-01 12:00")
    pairs = {(duty.debtor, duty.creditor) for duty in duties}
    assert pairs == {
        *((debtor, creditor) for debtor in (HEALTH, NURSES, GP) for creditor in (CHAIR, PARTNERSHIP)),
        (NURSES, HEALTH),
        (GP, HEALTH),
    }
    assert len({duty.parts for duty in duties}) == len(duties) == len(pairs)
    duty = duties[0]
    assert (duty.kind, duty.rule, duty.item, duty.envelope) == ("send", "monthly", "2026-07-01", None)
    assert (local(duty.moment), local(duty.due), local(duty.period_end or 0)) == (
        "2026-07-01 00:00",
        "2026-07-08 17:00",
        "2026-08-01 00:00",
    )
    assert (duty.calendar, duty.beyond_calendar, duty.agreement, duty.tell) == (
        "office@7",
        False,
        7,
        ("debtor", "creditor"),
    )
    assert [(local(step.at), step.notice) for step in duty.steps] == [
        ("2026-07-07 17:00", "due-soon"),
        ("2026-07-08 18:00", "overdue"),
    ]


def test_without_a_limit_it_is_due_as_the_period_ends() -> None:
    """At the last moment of the period, which no calendar counted; never in silence."""
    (duty,) = _opened((rules(),), "2026-06-30 12:00", "2026-07-01 12:00")
    assert (duty.debtor, duty.creditor, duty.due) == (EXPLOITATION, CHAIR, ms("2026-08-01 00:00") - 1)
    assert (duty.calendar, [step.at for step in duty.steps]) == ("", [duty.due + 1])


def test_a_limit_beyond_the_calendar_is_marked() -> None:
    """With a limit of its own or without."""
    for one, beyond in ((rules(), True), (rules(send=f'{SEND}, within = "5 working days"'), False)):
        (duty,) = _opened((one,), "2045-11-30 12:00", "2045-12-01 12:00")
        assert not duty.beyond_calendar
        (duty,) = _opened((one,), "2045-12-31 12:00", "2046-01-01 12:00")
        assert duty.beyond_calendar
        (duty,) = _opened((one,), "2045-12-31 12:00", "2046-01-01 12:00")
        assert bool(duty.calendar) is not beyond


def test_a_role_means_who_has_it_as_the_period_begins() -> None:
    """An agency that had ended by then owes nothing, however late the clock looks."""
    index = msgspec.structs.replace(INDEX.directory)
    agencies = tuple(
        msgspec.structs.replace(agency, valid_to=ms("2026-07-15 00:00")) if agency.id == "millfield" else agency
        for agency in index.agencies
    )
    late = type(INDEX)(msgspec.structs.replace(index, agencies=agencies))
    one = rules(send='by = "role:gp", to = "role:mash"')
    found = open_recurring((one,), late, ms("2026-06-01 12:00"), ms("2026-12-31 00:00"))
    assert [duty.item for duty in found] == ["2026-07-01"]
    assert ENDED not in {duty.debtor for duty in _opened((one,), "2026-01-01 12:00", "2026-12-31 00:00")}


def test_nothing_is_owed_for_a_period_that_began_before_the_agreement() -> None:
    """Neither before it is in force nor before it was issued; what begins at that very moment counts."""
    for issued, first in (
        (0, "2026-01-01"),
        (ms("2026-03-01 00:00"), "2026-03-01"),
        (ms("2026-03-01 00:00") + 1, "2026-04-01"),
    ):
        found = open_recurring((rules(issued=issued),), INDEX, 0, ms("2026-12-31 00:00"))
        assert found[0].item == first
        assert next_recurrence((rules(issued=issued),), 0) == found[0].moment


def test_the_next_period_is_known_ahead() -> None:
    """The clock need not look before it; an agreement without such rules has none."""
    one = rules()
    assert next_recurrence((one,), ms("2026-07-01 00:00") - 1) == ms("2026-07-01 00:00")
    assert next_recurrence((one,), ms("2026-07-01 00:00")) == ms("2026-08-01 00:00")
    assert next_recurrence((Rules(agreement()),), 0) is None
    assert next_recurrence((), 0) is None
    assert open_recurring((), INDEX, 0, 2**53 - 1) == ()


def test_a_period_is_governed_by_the_version_in_force_as_it_begins() -> None:
    """Two weeks into July another version takes over: July stays monthly, and then it is weekly."""
    old = rules(send=f'{SEND}, within = "5 working days"')
    new = _in_force(rules("1 week", "2026-07-06"), "2026-07-15 00:00")
    found = [(duty.item, duty.period_end) for duty in _opened((old, new), "2026-06-15 00:00", "2026-07-28 00:00")]
    assert found == [
        ("2026-07-01", ms("2026-08-01 00:00")),
        ("2026-07-20", ms("2026-07-27 00:00")),
        ("2026-07-27", ms("2026-08-03 00:00")),
    ]


def test_a_version_that_is_overtaken_before_its_day_never_governs() -> None:
    """A correction may be in force before the version that it corrects would have been."""
    first, second = rules(), _in_force(rules("1 week", "2026-07-06"), "2026-09-01 00:00")
    third = _in_force(Rules(agreement()), "2026-08-15 00:00")
    found = [duty.item for duty in _opened((first, second, third), "2026-06-15 00:00", "2026-12-31 00:00")]
    assert found == ["2026-07-01", "2026-08-01"]


def _in_force(one: Rules, at: str, issued: int = 0) -> Rules:
    return Rules(msgspec.structs.replace(one.agreement, in_force_from=ms(at), issued=issued))


START = ms("2026-05-01 00:00")
HOUR = 3_600_000
FORMS = [
    ("1 month", "2026-01-31"),
    ("1 week", "2026-01-05"),
    ("2 weeks", "2026-06-01"),
    ("3 months", "2026-02-28"),
    ("5 days", "2026-07-04"),
    None,
]
version = st.tuples(st.sampled_from(FORMS), st.integers(0, 90 * 24), st.integers(-30 * 24, 60 * 24))


@settings(max_examples=200, deadline=None)
@given(st.lists(version, min_size=1, max_size=4), st.lists(st.integers(0, 200 * 24), min_size=1, max_size=12))
def test_whenever_the_clock_looks_the_same_duties_open_once(
    versions: list[tuple[tuple[str, str] | None, int, int]], sweeps: list[int]
) -> None:
    """For any sequence of versions, each known once it was issued, and of moments at which the clock looks."""
    made = []
    for form, issued, ahead in sorted(versions, key=lambda one: one[1]):
        at = START + issued * HOUR
        plain = rules(*form).agreement if form else agreement()
        made.append(Rules(msgspec.structs.replace(plain, issued=at, in_force_from=at + ahead * HOUR)))
    opened: list[Duty] = []
    after, end = 0, START + 200 * 24 * HOUR
    for now in [*sorted(START + sweep * HOUR for sweep in sweeps), end]:
        known = tuple(one for one in made if one.agreement.issued <= now)
        upcoming = next_recurrence(known, after)
        found = open_recurring(known, INDEX, after, now)
        assert bool(found) is (upcoming is not None and upcoming <= now)
        assert [duty.moment for duty in found] == sorted(duty.moment for duty in found)
        opened += found
        after = now
    parts = [duty.parts for duty in opened]
    assert len(parts) == len(set(parts))
    assert {(duty.item, duty.period_end) for duty in opened} == set(_governed(made, end))


def _governed(versions: Sequence[Rules], end: int) -> Iterator[tuple[str, int]]:
    """Yield each period's name and end as the newest version in force and issued as it begins has it, day by day."""
    for number in range(-10, 220):
        day = date(2026, 5, 1) + timedelta(days=number)
        at = _midnight(day)
        reigning = [one for one in versions if one.agreement.in_force_from <= at and one.agreement.issued <= at <= end]
        for rule in reigning[-1].agreement.recurring if reigning else ():
            unit = {"days": "days", "weeks": "weeks", "months": "months"}[rule.period.kind]
            every, first = f"{rule.period.amount} {unit}", date.fromisoformat(rule.starting)
            dates = list(_dates(every, first, date(2027, 6, 1)))
            if day in dates:
                yield day.isoformat(), _midnight(dates[dates.index(day) + 1])


@pytest.mark.parametrize(
    ("at", "met"),
    [
        (ms("2026-07-01 00:00") - 1, False),
        (ms("2026-07-01 00:00"), True),
        (ms("2026-07-31 23:59"), True),
        (ms("2026-08-01 00:00") - 1, True),
        (ms("2026-08-01 00:00"), False),
    ],
)
def test_it_is_met_by_what_happened_in_its_period_only(at: int, met: bool) -> None:
    """In whatever thread, and when it happened, not when it was sent."""
    one = rules()
    (duty,) = _opened((one,), "2026-06-30 12:00", "2026-07-01 12:00")
    told = Story(one, now=ms("2026-08-02 12:00"))
    told.open(Opened(duty, "open", None, None))
    told.take(header(type="b/1", from_=EXPLOITATION, to=(CHAIR,), at=at, facts={}))
    assert told.state("monthly") == ("met_late" if met else "open")


@pytest.mark.parametrize(
    ("sender", "to", "kind", "met"),
    [
        (EXPLOITATION, CHAIR, "b", True),
        (POLICE, CHAIR, "b", True),
        (EXPLOITATION, HEALTH, "b", False),
        (HEALTH, CHAIR, "b", False),
        (EXPLOITATION, CHAIR, "a", False),
    ],
)
def test_it_is_met_by_its_own_answer_only(sender: str, to: str, kind: str, met: bool) -> None:
    """From the debtor's agency to the creditor, of the awaited type."""
    one = rules()
    (duty,) = _opened((one,), "2026-06-30 12:00", "2026-07-01 12:00")
    told = Story(one, now=ms("2026-07-02 12:00"))
    told.open(Opened(duty, "open", None, None))
    told.send(kind, sender, to)
    assert told.state("monthly") == ("met" if met else "open")


def test_rules_know_which_types_may_meet_what_recurs() -> None:
    """By any of their answers, so that only those threads are looked at."""
    two = RULE.format(name="two", every="1 week", starting="2026-01-01", extra="", send=f"facts = {{}}, {SEND}")
    either = two.replace('"two"', '"three"').replace('type = "b",', 'any = [{ type = ["a", "b"] }, { type = "b" }],')
    one = Rules(agreement(two + either))
    assert one.recurring_threads("a/1") == (thread_of("three"),)
    assert one.recurring_threads("b") == (thread_of("two"), thread_of("three"))
    assert one.recurring_threads("c") == ()
    assert one.find_rule("two") is not None
    assert one.find_rule("four") is None


@given(st.text(max_size=64), st.text(max_size=64))
def test_each_name_has_a_thread_of_its_own(one: str, two: str) -> None:
    """In the exact spelling of an id, and long ago, so that no envelope's thread is ever taken for it."""
    assert re.match(ID_PATTERN, thread_of(one))
    assert thread_of(one).startswith("AAAAAAAA")
    assert (thread_of(one) == thread_of(two)) is (one == two)
