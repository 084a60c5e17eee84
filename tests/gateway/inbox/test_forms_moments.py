"""Local times as they are typed, on ordinary days and on the two nights when clocks change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.gateway.inbox.forms.moments import (
    Typed,
    UnreadableError,
    comes_twice,
    read_day,
    read_moment,
    say_moment,
    type_moment,
    write_instant,
)
from tests.gateway.inbox.forms_support import FORMS, page_of


def _at(time: str, day: str = "14 4 2026", fold: str = "") -> Typed:
    number, month, year = day.split()
    return Typed(day=number, month=month, year=year, time=time, fold=fold)


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        ("10:30", "2026-04-14T09:30:00Z"),
        ("10.30", "2026-04-14T09:30:00Z"),
        ("1030", "2026-04-14T09:30:00Z"),
        ("930", "2026-04-14T08:30:00Z"),
        ("10:30am", "2026-04-14T09:30:00Z"),
        ("2:30 pm", "2026-04-14T13:30:00Z"),
        ("5pm", "2026-04-14T16:00:00Z"),
        ("5 p.m.", "2026-04-14T16:00:00Z"),
        ("12am", "2026-04-13T23:00:00Z"),
        ("12pm", "2026-04-14T11:00:00Z"),
        ("00:00", "2026-04-13T23:00:00Z"),
        ("17:00:00.500", "2026-04-14T16:00:00.500Z"),
    ],
)
def test_times_are_read_as_people_write_them(time: str, instant: str) -> None:
    """Dots, colons, neither, morning and afternoon: local time in, UTC out."""
    assert read_moment(_at(time)) == instant


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        (_at("25:00"), "time"),
        (_at("10"), "time"),
        (_at("13pm"), "time"),
        (_at("noonish"), "time"),
        (_at(""), "time"),
        (_at("10:30", "31 4 2026"), "day"),
        (_at("10:30", "x 4 2026"), "day"),
        (_at("10:30", "1 13 2026"), "day"),
        (_at("10:30", "1 ! 2026"), "month"),
        (_at("10:30", "1 4 26"), "year"),
        (_at("10:30", "1 4 1969"), "year"),
        (Typed(day="1", time="10:30"), "month"),
        (_at("10:30", "٣ 4 2026"), "day"),
    ],
)
def test_what_is_no_moment_is_refused_at_the_box_that_is_wrong(typed: Typed, part: str) -> None:
    """Nothing is guessed: the sentence leads to the box to put right."""
    with pytest.raises(UnreadableError) as refused:
        read_moment(typed)
    assert refused.value.part == part


def test_months_may_be_named() -> None:
    """A name, whole or its beginning, is a month."""
    assert {read_day(_at("", f"6 {name} 2011")).isoformat() for name in ("5", "05", "may", "May")} == {"2011-05-06"}
    assert read_day(_at("", "6 sept 2011")).month == 9


def test_a_time_that_the_clocks_skipped_is_refused() -> None:
    """On 29 March 2026 it was never 01:30 in England."""
    with pytest.raises(UnreadableError) as refused:
        read_moment(_at("1:30", "29 3 2026"))
    assert "skipped 01:30" in refused.value.words
    assert read_moment(_at("0:59", "29 3 2026")) == "2026-03-29T00:59:00Z"
    assert read_moment(_at("2:00", "29 3 2026")) == "2026-03-29T01:00:00Z"
    assert not comes_twice(_at("1:30", "29 3 2026"))


def test_a_time_that_came_twice_is_asked_for_and_then_told_apart() -> None:
    """On 25 October 2026 it was 01:30 twice: the writer says which, and is asked only then."""
    with pytest.raises(UnreadableError) as refused:
        read_moment(_at("1:30", "25 10 2026"))
    assert refused.value.part == "fold"
    assert read_moment(_at("1:30", "25 10 2026", "first")) == "2026-10-25T00:30:00Z"
    assert read_moment(_at("1:30", "25 10 2026", "second")) == "2026-10-25T01:30:00Z"
    assert read_moment(_at("2:00", "25 10 2026", "first")) == "2026-10-25T02:00:00Z"
    held, form = {"held_at": "2026-10-25T01:30:00Z"}, FORMS["meeting.claimed/1"]
    page = page_of(form, form.steps[0], held)
    assert ("/held_at/fold", "second") in page.pairs
    assert not [
        box
        for box in page_of(form, form.steps[0], {"held_at": "2026-10-25T03:30:00Z"}).boxes
        if "fold" in str(box["name"])
    ]


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_every_moment_is_read_as_it_was_written(now: int) -> None:
    """Any second since 1970, those of the clock changes too, survives its boxes."""
    instant = write_instant(now)
    assert read_moment(type_moment(instant)) == instant


def test_moments_are_said_with_their_zone() -> None:
    """Summer and winter are told apart."""
    assert say_moment("2026-10-25T00:30:00Z") == "25 October 2026, 01:30 (BST)"
    assert say_moment("2026-10-25T01:30:00Z") == "25 October 2026, 01:30 (GMT)"
