"""What was done once: remembered while it could come again, forgotten afterwards, and never by a kill or a wrong clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters import marks
from adapters.base import Document, Outgoing, Spooled
from adapters.conformance import ENVELOPE, THREAD, sample_draft
from adapters.desks import Desk, UsedError
from adapters.marks import AGE_DAYS, AGES, Marks
from schemas.strict_json import dump

DAY = 86_400.0
LEAST, MOST = AGES * AGE_DAYS, (AGES + 1) * AGE_DAYS


class Days:
    """A clock that is set by hand, and marks that are swept every day."""

    def __init__(self, folder: Path) -> None:
        self.now, self._folder = 20_000 * DAY, folder
        self.open()

    def open(self) -> Marks:
        """Begin anew, as after a restart."""
        self.marks = Marks(self._folder, lambda: self.now)
        self.marks.sweep()
        return self.marks

    def pass_by(self, days: int) -> None:
        """Let *days* go by."""
        for _ in range(days):
            self.now += DAY
            self.marks.sweep()


@pytest.fixture
def days(tmp_path: Path) -> Days:
    """Give a clock and marks."""
    return Days(tmp_path / "done")


@pytest.mark.parametrize("before", [0, 1, AGE_DAYS - 1, AGE_DAYS])
def test_a_mark_is_there_for_as_long_as_it_could_come_again(days: Days, before: int) -> None:
    """Whenever it was made it is there for 400 days, gone after 500, and what it says is what it said."""
    days.pass_by(before)
    days.marks.add("one", b"what")
    days.marks.add("two")
    days.pass_by(LEAST)
    assert days.open().find("one") == b"what"
    assert days.marks.find("two") == b""
    days.pass_by(MOST)
    assert days.marks.find("one") is None
    assert list(days.open().list_all()) == []


def test_what_comes_again_is_as_good_as_new(days: Days) -> None:
    """One that is asked for once a year is never forgotten, and stands there once."""
    days.marks.add("one", b"x")
    for _ in range(6):
        days.pass_by(365)
        assert days.marks.find("one") == b"x"
    assert list(days.marks.list_all()) == ["one"]
    days.marks.drop("one")
    assert days.marks.find("one") is None
    days.marks.drop("one")


def test_of_what_stays_nothing_is_looked_at(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, a sweep lists the numbers alone; when one goes, it goes unlisted."""
    for _ in range(AGES + 1):
        days.marks.add(f"at {days.now}")
        days.pass_by(AGE_DAYS)
    seen: list[str] = []
    really = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        seen.append(path.name)
        return really(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    days.pass_by(AGE_DAYS)
    assert set(seen) == {"done"}
    assert len(list(days.marks.list_all())) == AGES - 1


class Killed(BaseException):
    """The process ends here."""


def test_killed_at_any_moment_nothing_is_forgotten_too_early(
    days: Days, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each step of each sweep that changes anything, it goes on: what is young is there, what is old goes."""
    left = 0

    def spend(work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return work(*given, **named)

    for name in ("write_file", "make_folder", "sync_folder", "move"):
        monkeypatch.setattr(marks, name, partial(spend, getattr(marks, name)))
    monkeypatch.setattr(marks.shutil, "rmtree", partial(spend, marks.shutil.rmtree))
    made: dict[str, float] = {}
    for budget in range(200):
        left = 100
        name = f"n{budget}"
        days.marks.add(name)
        made[name] = days.now
        days.now += 13 * DAY
        left = budget % 7
        try:
            days.open()
        except Killed:
            left = 100
            days.open()
        there = set(days.marks.list_all())
        assert {one for one, at in made.items() if days.now - at <= LEAST * DAY} <= there
    left = 10_000
    days.pass_by(MOST + 1)
    assert list(days.marks.list_all()) == []
    assert not list((tmp_path / "done").glob(".*.gone"))


@pytest.mark.parametrize("wrong", [1e11, 5 * DAY, 0.0])
def test_a_clock_that_was_wrong_once_costs_one_number_at_most(days: Days, wrong: float) -> None:
    """Years ahead or back in 1970 for a day: what was made in the last 300 days is there, and ages on as before."""
    for number in range(LEAST // 50):
        days.marks.add(f"n{number}")
        days.pass_by(50)
    right, days.now = days.now, wrong
    days.pass_by(1)
    days.marks.add("wrong")
    days.now = right
    days.pass_by(1)
    assert {f"n{number}" for number in range(2, LEAST // 50)} | {"wrong"} <= set(days.open().list_all())
    days.pass_by(LEAST - 1)
    assert days.marks.find("wrong") == b""
    days.pass_by(MOST + 1)
    assert list(days.marks.list_all()) == []


def test_where_the_day_was_lost_nothing_goes(days: Days, tmp_path: Path) -> None:
    """Without the file that says when the newest number began, or with half of it, everything stays for a while longer."""
    days.marks.add("one")
    for said in (None, b"", b"?"):
        days.pass_by(60)
        (tmp_path / "done/.begun").unlink()
        if said is not None:
            (tmp_path / "done/.begun").write_bytes(said)
        days.open()
    days.pass_by(LEAST)
    assert days.marks.find("one") == b""


def test_a_disk_that_does_not_let_go_is_asked_again(days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be removed now is no mark any more, holds nothing up, and goes later."""
    days.marks.add("old")
    folder = days.marks._folder

    def fail(*_given: Any) -> None:
        raise OSError(5, "no")

    with monkeypatch.context() as broken:
        broken.setattr(marks.shutil, "rmtree", fail)
        days.pass_by(MOST + 1)
        assert days.marks.find("old") is None
        assert list(folder.glob(".*.gone"))
    days.pass_by(1)
    assert not list(folder.glob(".*.gone"))


def test_two_threads_do_not_miss_each_others_marks(days: Days) -> None:
    """One that is being made as good as new by one thread is found by the others."""
    days.marks.add("one", b"x")
    days.pass_by(AGE_DAYS)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(days.marks.find, ["one"] * 200)) == [b"x"] * 200


def _take(desk: Desk, name: str, content: bytes, documents: tuple[Document, ...] = ()) -> str:
    return desk.take(name, content, lambda: (content, documents)).state


async def _all(desk: Desk) -> list[Outgoing]:
    return [one async for one in desk.collect()]


async def test_a_name_that_is_used_again_after_years_is_another_draft(tmp_path: Path) -> None:
    """While it is known other bytes under a name are refused; once it is forgotten they are a draft, and the same bytes the same one."""
    old, new = dump(sample_draft()), dump(sample_draft(purpose="other"))
    assert _take(Desk(tmp_path), "C-1", old) == "waiting"
    (first,) = await _all(Desk(tmp_path))
    await first.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    assert _take(Desk(tmp_path), "C-1", old) == "sent"
    with pytest.raises(UsedError):
        _take(Desk(tmp_path), "C-1", new)
    begun = tmp_path / "done/.begun"
    for _ in range(AGES + 1):
        begun.write_text(str(int(begun.read_text()) - AGE_DAYS))
        await _all(Desk(tmp_path))
    assert _take(Desk(tmp_path), "C-1", new) == "waiting"
    assert _take(Desk(tmp_path), "C-2", old) == "waiting"
    keys = [one.key for one in await _all(Desk(tmp_path))]
    assert len({first.key, *keys}) == 3
    assert json.loads(next((tmp_path / "received").glob("*/message.json")).read_bytes())["message"]
