"""Time limits: the worked cases of the procedures, and an independent computation over decades."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.agreement import Calendar, Clock
from schemas.rules.clocks import LATEST, OpenDays, add_months, day_of, due, shift
from schemas.rules.words import parse_clock
from tests.rules.support import FRAME, LONDON, agreement, local, ms

NATIONS = {"ENG": "Europe/London", "SCT": "Europe/London", "NIR": "Europe/London"}


@lru_cache
def calendars(after_hours: str = "same day") -> dict[str, Calendar]:
    frame = FRAME.replace("[calendars.school]", f'after_hours = "{after_hours}"\n[calendars.school]')
    for nation in ("SCT", "NIR"):
        frame += f'[calendars.{nation.lower()}]\ncountry = "GB"\nsubdivision = "{nation}"\n'
        frame += 'zone = "Europe/London"\nyears = [2018, 2045]\n'
    return dict(agreement(frame=frame).calendars)


@lru_cache
def ready(name: str = "office", after_hours: str = "same day") -> OpenDays:
    return OpenDays(calendars(after_hours)[name])


def ends(start: str, words: str, after_hours: str = "same day") -> str:
    clock = parse_clock(words, working="office")
    calendar = ready(clock.calendar, after_hours) if clock.calendar else None
    return local(due(clock, calendar, ms(start)).at)


@pytest.mark.parametrize(
    ("start", "words", "end"),
    [
        ("2018-05-23 10:00", "15 working days", "2018-06-14 17:00"),
        ("2018-12-20 10:00", "15 working days", "2019-01-15 17:00"),
        ("2018-05-25 10:00", "1 working day", "2018-05-29 17:00"),
        ("2026-12-23 10:00", "15 working days", "2027-01-18 17:00"),
        ("2026-10-24 12:00", "72 hours", "2026-10-27 11:00"),
        ("2027-03-27 12:00", "72 hours", "2027-03-30 13:00"),
    ],
)
def test_the_worked_cases_of_the_procedures_hold(start: str, words: str, end: str) -> None:
    """Each row of the domain's worked tests gives its due moment."""
    assert ends(start, words) == end


@pytest.mark.parametrize(
    ("start", "words", "end"),
    [
        ("2026-07-06 10:00", "5 minutes", "2026-07-06 10:05"),
        ("2026-07-03 23:59", "1 working day", "2026-07-06 17:00"),
        ("2026-07-04 12:00", "1 working day", "2026-07-06 17:00"),
        ("2026-07-06 10:00", "same working day", "2026-07-06 17:00"),
        ("2026-07-06 17:00", "same working day", "2026-07-07 17:00"),
        ("2026-07-04 10:00", "same working day", "2026-07-06 17:00"),
        ("2026-07-06 07:00", "before next school day", "2026-07-06 08:30"),
        ("2026-07-06 08:30", "before next school day", "2026-07-07 08:30"),
        ("2026-07-21 09:00", "before next school day", "2026-09-02 08:30"),
        ("2026-07-20 09:00", "2 school days", "2026-09-02 17:00"),
        ("2026-11-30 10:00", "3 months", "2027-02-28 17:00"),
        ("2027-11-30 10:00", "3 months", "2028-02-29 17:00"),
        ("2026-01-31 10:00", "12 months", "2027-01-31 17:00"),
        ("2026-10-20 10:00", "8 weeks", "2026-12-15 17:00"),
        ("2026-07-06 10:00", "35 days", "2026-08-10 17:00"),
        # The evening of the last day before the clocks go back is still that day.
        ("2026-10-24 23:30", "1 day", "2026-10-25 17:00"),
        ("2026-06-30 23:30", "1 working day", "2026-07-01 17:00"),
    ],
)
def test_each_kind_of_clock_counts_as_its_words_say(start: str, words: str, end: str) -> None:
    """Elapsed time, working and school days, and calendar dates end where people expect."""
    assert ends(start, words) == end


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-07-03 17:00", "2026-07-06 17:00"),
        ("2026-07-03 17:01", "2026-07-07 17:00"),
        ("2026-07-04 09:00", "2026-07-07 17:00"),
    ],
)
def test_after_hours_may_count_as_the_next_day(start: str, end: str) -> None:
    """Where the agreement says so, what arrives after hours or on a weekend arrived on the next working day."""
    assert ends(start, "1 working day", "next day") == end


@pytest.mark.parametrize(("start", "known"), [("2017-12-29", False), ("2018-01-03", True), ("2045-12-29", False)])
def test_a_limit_outside_the_calendar_counts_weekends_only_and_says_so(start: str, known: bool) -> None:
    """Beyond the calendar's dates the due moment is still given, and marked."""
    found = due(parse_clock("5 working days", working="office"), ready(), ms(f"{start} 10:00"))
    assert found.beyond_calendar is not known
    if start.startswith("2045"):
        assert local(found.at) == "2046-01-05 17:00"


def test_a_moment_in_the_far_future_has_a_due_moment_too() -> None:
    """No moment that a header may hold makes the arithmetic fail, or leaves the range of a moment."""
    for words in ("5 working days", "3 months", "8 weeks", "before next school day", "72 hours"):
        clock = parse_clock(words, working="office")
        calendar = ready(clock.calendar) if clock.calendar else None
        assert due(clock, calendar, LATEST).at == LATEST
        assert due(clock, calendar, 0).at > 0
        assert shift(Clock(kind="working_days", amount=5), ready(), 0, way=-1) == 0
        assert shift(Clock(kind="elapsed", amount=5), None, 0, way=-1) == 0


@lru_cache
def _bank_holidays(nation: str) -> frozenset[date]:
    return frozenset(holidays.country_holidays("GB", subdiv=nation, years=range(2017, 2048)))


def _reference(start: int, count: int, nation: str, zone: ZoneInfo) -> int:
    """Count working days with zoneinfo and holidays, day by day."""
    day = datetime.fromtimestamp(start / 1000, zone).date()
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5 and day not in _bank_holidays(nation)
    return int(datetime.combine(day, time(17), tzinfo=zone).timestamp() * 1000)


@settings(max_examples=400, deadline=None)
@given(
    nation=st.sampled_from(["ENG", "SCT", "NIR"]),
    start=st.integers(ms("2018-01-02 00:00"), ms("2045-10-01 00:00")),
    count=st.integers(1, 45),
)
@example(nation="ENG", start=ms("2026-12-23 10:00"), count=15)
def test_working_days_agree_with_an_independent_computation(nation: str, start: int, count: int) -> None:
    """The written-out calendar gives the same due moment as zoneinfo and holidays do, 2018 to 2045, three nations."""
    name = "office" if nation == "ENG" else nation.lower()
    found = due(Clock(kind="working_days", amount=count, calendar=name), ready(name), start)
    assert found == (_reference(start, count, nation, ZoneInfo(NATIONS[nation])), False)


@settings(max_examples=400, deadline=None)
@given(at=st.integers(ms("2018-01-01 00:00"), ms("2045-12-31 23:00")), minute=st.integers(0, 24 * 60 - 1))
@example(at=ms("2026-03-29 12:00"), minute=90)
@example(at=ms("2026-10-25 12:00"), minute=90)
@example(at=ms("2026-10-25 12:00"), minute=119)
def test_local_time_agrees_with_zoneinfo(at: int, minute: int) -> None:
    """Local day and time of day, and back to UTC, are zoneinfo's, in hours that the clocks skip or repeat too."""
    moment = datetime.fromtimestamp(at // 1000, LONDON)
    day, wall = ready().local(at // 1000 * 1000)
    assert day == day_of(moment.date().isoformat())
    assert wall == ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1000
    there = datetime.combine(moment.date(), time(minute // 60, minute % 60), tzinfo=LONDON)
    assert ready().moment(day, minute * 60_000) == int(there.timestamp() * 1000)


@settings(max_examples=200)
@given(start=st.dates(date(1970, 1, 1), date(9000, 1, 1)), months=st.integers(0, 120))
def test_months_keep_the_day_or_end_with_the_month(start: date, months: int) -> None:
    """The date some months on has the same day of the month, or is the last day of a shorter month."""
    day = start.toordinal() - date(1970, 1, 1).toordinal()
    found = date.fromordinal(add_months(day, months) + date(1970, 1, 1).toordinal())
    assert (found.year * 12 + found.month) == (start.year * 12 + start.month + months)
    assert found.day == start.day or (found.day < start.day and (found + timedelta(days=1)).day == 1)


@settings(max_examples=100)
@given(start=st.integers(ms("2019-01-01 00:00"), ms("2044-01-01 00:00")), count=st.integers(1, 20))
def test_a_step_forward_and_back_by_working_days_keeps_the_time_of_day(start: int, count: int) -> None:
    """Ladders and warnings by working days move to the same time of an open day."""
    span = Clock(kind="working_days", amount=count, calendar="office")
    for way in (1, -1):
        moved = shift(span, ready(), start, way=way)
        assert ready().is_open(ready().local(moved)[0])
        assert (moved - start) * way > 0
        assert (
            datetime.fromtimestamp(moved / 1000, UTC).astimezone(LONDON).second
            == datetime.fromtimestamp(start / 1000, UTC).second
        )
