"""The at-risk list straight from police's system, and the clinic's own system asking and being answered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import msgspec
import pytest

from adapters.at_risk import AtRiskList, Attendance, AttendanceAnswer, Listed
from adapters.base import Incoming, NeedsPerson, Outcome, Outgoing
from adapters.gateway.agent import Agent
from adapters.gateway.matching import attending, systems
from tests.county import EXPLOITATION, HOUR
from tests.gateway.atrisk_support import (
    ALEX,
    BLAKE,
    CASEY,
    OFFICER,
    SLOT,
    Pair,
    came,
    codes,
    headers_sent,
    kinds,
    listed,
    open_pair,
    received,
)
from tests.gateway.support import Town, settle

DAY = 24 * HOUR
KNOWN = f"known risk, contact {EXPLOITATION}"


class Mute:
    """An adapter that carries no mail."""

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield nothing."""
        for one in ():
            yield one

    async def file(self, message: Incoming) -> Outcome:
        """Leave it to people."""
        return NeedsPerson(code="not-here")


@dataclass
class Unit(Mute):
    """Police's system; ``away``: it answers nothing."""

    released: AtRiskList | None = None
    away: bool = False
    asked: int = 0

    def release(self, version: str, *lines: Listed) -> None:
        """Release another list."""
        self.released = AtRiskList(version=version, author=OFFICER, lines=lines)

    async def at_risk(self) -> AtRiskList | None:
        """Return the list that was released last."""
        self.asked += 1
        if self.away:
            raise ConnectionError("Zebulon")
        return self.released


@dataclass
class Screen(Mute):
    """A clinic's system: who came, and what it shows of each."""

    waiting: list[Attendance] = field(default_factory=list)
    shown: dict[str, list[AttendanceAnswer]] = field(default_factory=dict)
    away: bool = False

    async def attendances(self) -> AsyncIterator[Attendance]:
        """Yield who came."""
        for one in list(self.waiting):
            yield one

    async def tell_attendance(self, answer: AttendanceAnswer) -> None:
        """Show it."""
        if self.away:
            raise ConnectionError("Zebulon")
        self.waiting = [one for one in self.waiting if one.attendance != answer.attendance]
        self.shown.setdefault(answer.attendance, []).append(answer)

    def states(self, reference: str) -> list[str]:
        """Return what was shown of an attendance, oldest first."""
        return [one.state for one in self.shown.get(reference, [])]


@pytest.fixture
def town(clinic_town: Town) -> Town:
    """Give a running hub whose county has a clinic."""
    return clinic_town


def plug(agent: Agent, adapter: Any) -> Any:
    """Let a gateway have *adapter* beside what it has, and return it."""
    agent.gateway = replace(agent.gateway, adapters={**agent.gateway.adapters, "system": adapter})
    return adapter


async def issued(pair: Pair) -> list[tuple[int, str]]:
    """Return police's versions and their states."""
    return [(row["version"], row["state"]) for row in await pair.issuing.spool.all("list_issued")]


async def test_a_list_that_is_released_is_published_once(town: Town) -> None:
    """Until the system says another version; asked again, or with the same lines under the same version, nothing happens."""
    async with open_pair(town, issuing={"look_seconds": 1}) as pair:
        unit = plug(pair.police, Unit())
        await pair.settle()
        assert await issued(pair) == []
        unit.release("2026-07", listed(ALEX))
        for _ in range(3):
            await town.tick(HOUR)
            await pair.settle()
        assert await issued(pair) == [(1, "current")]
        unit.release("2026-08", listed(BLAKE))
        await town.tick(HOUR)
        await pair.settle()
        assert await issued(pair) == [(1, "replaced"), (2, "current")]
        await pair.attend(came("A-1", ALEX), came("A-2", BLAKE))
        assert await pair.answers("A-1", "A-2") == ["not on the list", KNOWN]


async def test_a_list_that_nears_its_end_is_published_anew(town: Town) -> None:
    """The clinic always has one that answers, though nothing changed at police; each end is met once."""
    async with open_pair(town, issuing={"max_days": 10, "renew_days": 2}) as pair:
        plug(pair.police, Unit()).release("2026-07", listed(ALEX))
        await pair.settle()
        for days in (7, 2):
            assert await issued(pair) == [(1, "current")]
            await town.tick(days * DAY)
            await pair.settle()
        assert await issued(pair) == [(1, "replaced"), (2, "current")]
        await town.tick(DAY)
        await pair.settle()
        assert len(await issued(pair)) == 2


async def test_a_system_that_is_away_or_has_no_list_changes_nothing(town: Town) -> None:
    """What is published stands; the gateway goes on with its mail, and asks no more often than it is told to."""
    async with open_pair(town, issuing={"look_seconds": 3600}) as pair:
        unit = plug(pair.police, Unit())
        unit.release("2026-07", listed(ALEX))
        await pair.settle(2)
        assert unit.asked == 1
        unit.released, unit.away = None, True
        await town.tick(HOUR)
        await pair.settle(1)
        assert unit.asked == 2
        unit.away = False
        pair.police.gateway.pacer.worked("at-risk list of system")
        await pair.settle(1)
        assert unit.asked == 3
        assert await issued(pair) == [(1, "current")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (listed("9990000019"), "list-line"),
        (listed(), "list-line"),
        (listed(ALEX, contact_inbox="nowhere/at-all"), "list-contact"),
    ],
)
async def test_a_list_with_a_line_that_cannot_be_is_told_and_not_published(
    town: Town, line: Listed, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong check digit, nobody, a contact who isn't there: the one before stays, and police are told once, by a code."""
    async with open_pair(town, issuing={"look_seconds": 1}) as pair:
        plug(pair.police, Unit()).release("2026-07", listed(BLAKE), line)
        for _ in range(3):
            await town.tick(HOUR)
            await pair.settle(1)
        assert await issued(pair) == []
        assert await codes(pair.police) == ["atrisk-refused"]
        assert code in caplog.text
        assert BLAKE not in caplog.text


async def test_a_version_that_police_withdrew_comes_back_only_as_another(town: Town) -> None:
    """A withdrawal is a person's decision: the same list isn't published again behind it, also not near its end."""
    async with open_pair(town, issuing={"look_seconds": 1, "max_days": 10, "renew_days": 2}) as pair:
        unit = plug(pair.police, Unit())
        unit.release("2026-07", listed(ALEX))
        await pair.settle()
        await pair.issuing.spool.run("withdraw_issued", version=1)
        await town.tick(9 * DAY)
        await pair.settle()
        assert await issued(pair) == [(1, "withdrawn")]
        unit.release("2026-07b", listed(ALEX))
        await town.tick(HOUR)
        await pair.settle()
        assert await issued(pair) == [(1, "withdrawn"), (2, "current")]


async def test_the_clinic_screen_shows_the_answer_and_nothing_of_it_leaves(town: Town) -> None:
    """First that it waits, then known or not on the list, with its context; what goes out is what went out before."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        screen = plug(pair.clinic, Screen())
        screen.waiting = [
            came("A-1", ALEX, context="room 4"),
            came("A-2", CASEY),
            came("A-3", BLAKE, born=date(2001, 1, 1)),
        ]
        await pair.settle(1)
        assert screen.waiting == []
        await pair.pass_slot()
        assert [screen.states(one) for one in ("A-1", "A-2", "A-3")] == [
            ["waiting", "known"], ["waiting", "clear"], ["refused"],
        ]  # fmt: skip
        told = screen.shown["A-1"][-1]
        assert (told.words, told.context, told.findings[0].by) == (KNOWN, "room 4", "nhs_number")
        assert told.match
        assert screen.shown["A-3"][-1].code == "attendance-age"
        assert set(kinds(await headers_sent(pair.clinic))) == {"risklist.ack/1", "risklist.query/1"}
        text = json.dumps([msgspec.to_builtins(one) for one in await received(pair.police, "risklist.query/1")])
        assert not any(word in text for word in ("A-1", ALEX, CASEY, "room 4"))
        (month,) = await attending.count(pair.asking)
        assert (month["attendances"], month["checked"]) == (2, 2)


async def test_an_answer_is_shown_when_the_screen_is_there_again(town: Town) -> None:
    """Nothing is counted twice and nothing is lost: not the note that it waits, not the answer, and mail goes on meanwhile."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        screen = plug(pair.clinic, Screen(away=True))
        screen.waiting = [came("A-1", ALEX)]
        await pair.settle(1)
        await pair.pass_slot()
        assert screen.shown == {}
        assert (await pair.tell("A-1"))["answer"] == KNOWN
        screen.away = False
        pair.clinic.gateway.pacer._failures.clear()
        await pair.settle(2)
        assert screen.states("A-1")[-1] == "known"
        assert screen.waiting == []
        shown = len(screen.shown["A-1"])
        await pair.settle(2)
        assert len(screen.shown["A-1"]) == shown
        assert (await attending.count(pair.asking))[0]["attendances"] == 1


async def test_what_police_take_back_is_told_to_the_screen_too(town: Town) -> None:
    """A match that doesn't stand any more would be worse than none."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX), listed(BLAKE))
        screen = plug(pair.clinic, Screen())
        screen.waiting = [came("A-1", ALEX)]
        await pair.settle(1)
        await pair.pass_slot()
        await pair.publish(listed(BLAKE))
        assert screen.states("A-1") == ["waiting", "known", "withdrawn"]
        await town.tick(32 * DAY)
        await pair.settle(1)
        assert await pair.asking.spool.one("origin_of", ref=pair.asking.name_attendance("A-1")) is None


async def test_without_a_list_the_screen_says_that_nothing_was_checked(town: Town) -> None:
    """Counted as unanswerable, with the reason; a number that can't be one is refused and not counted."""
    async with open_pair(town) as pair:
        screen = plug(pair.clinic, Screen())
        screen.waiting = [came("A-1", ALEX), came("A-2", "9990000019")]
        await pair.settle(1)
        assert [(one.state, one.code) for shown in screen.shown.values() for one in shown] == [
            ("unanswerable", "list-missing"), ("refused", "attendance-shape"),
        ]  # fmt: skip
        await pair.pass_slot(SLOT)
        assert len(screen.shown["A-1"]) == 1


async def test_a_registration_that_is_corrected_is_checked_anew(town: Town) -> None:
    """Another number under the same reference: counted once, asked again, and what the screen said of somebody else is taken off."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        screen = plug(pair.clinic, Screen())
        screen.waiting = [came("A-1", ALEX)]
        await pair.settle(1)
        await pair.pass_slot()
        screen.waiting = [came("A-1", BLAKE)]
        await pair.settle(1)
        assert await pair.answers("A-1") == ["not answered yet"]
        await pair.pass_slot()
        assert await pair.answers("A-1") == ["not on the list"]
        assert screen.states("A-1") == ["waiting", "known", "withdrawn", "clear"]
        assert screen.shown["A-1"][2].words == systems.CORRECTED
        screen.waiting = [came("A-1", ALEX)]
        await pair.settle(1)
        await pair.pass_slot()
        assert screen.states("A-1")[-2:] == ["waiting", "known"]
        assert (await attending.count(pair.asking))[0]["attendances"] == 1


async def test_an_answer_about_whom_it_was_before_is_not_used(town: Town) -> None:
    """Corrected while the question is on its way: its answer is let go of, and whoever else was in it is asked about again."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await attending.attend(pair.asking, [came("A-1", ALEX), came("A-2", ALEX)])
        await town.tick(SLOT)
        await settle(pair.clinic, rounds=1)
        await attending.attend(pair.asking, [came("A-1", BLAKE)])
        await pair.settle(2)
        assert await pair.answers("A-1", "A-2") == ["not answered yet"] * 2
        await pair.pass_slot()
        assert await pair.answers("A-1", "A-2") == ["not on the list", KNOWN]
        assert (await attending.count(pair.asking))[0]["attendances"] == 2


async def test_less_about_the_same_one_changes_no_answer(town: Town) -> None:
    """A repeat that names nobody leaves what is known."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await pair.attend(came("A-1", ALEX))
        await attending.attend(pair.asking, [came("A-1")])
        assert await pair.answers("A-1") == [KNOWN]
