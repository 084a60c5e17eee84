"""An agenda has everything that is open, and says of what was on one before how often and why."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from adapters.base import parse_draft
from adapters.errors import GatewayError
from adapters.gateway.register.agenda import make_agenda, open_work
from adapters.gateway.register.entries import Entry
from schemas.derivation import spell_moment
from schemas.strict_json import MalformedError
from tests.county import COUNCIL, MASH, NURSES
from tests.gateway.register_support import CHILD, DAY, FIRST, date, day, on, open_desk, reference
from tests.gateway.support import CATALOGUE, Town
from tests.gateway.test_cli import command, write_home
from tests.gateway.test_register_children import run
from tests.schemas import samples

NOW = day(50)


def entry(kind: str, **changes: Any) -> Entry:
    """Return an open entry."""
    values: dict[str, Any] = {
        "key": kind, "kind": kind, "child": "c", "own": None, "state": "open", "ended": False, "at": day(1),
        "opened": day(1), "due": day(10), "facts": {}, "envelope": "e", "thread": "t", "mailbox": MASH,
    }  # fmt: skip
    return Entry(**values | changes)


def action(name: str, **changes: Any) -> tuple[Entry, dict[str, str]]:
    """Return an open action and what is sealed of it."""
    said = {"id": samples.an_id(name), "owner": NURSES, "title": f"Do {name}.\nAt once."}
    return entry("action", key=name, facts={"state": "accepted"}, **changes), said


def validated(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *items* if an agenda of them is a valid message."""
    message = make_agenda(items, meeting=samples.an_id("m"), kind="top_risk", starts=NOW + DAY, now=NOW)
    CATALOGUE.validate("agenda.generated/1", message)
    return items


def test_open_actions_come_first_each_by_its_due_moment() -> None:
    """With owner, due moment and state; what is over isn't there."""
    later, said_later = action("later", due=day(20))
    sooner, said_sooner = action("sooner", due=day(5))
    over, said_over = action("over", ended=True, state="closed")
    details = {"later": said_later, "sooner": said_sooner, "over": said_over}
    items = validated(open_work([entry("rhi", due=day(2)), later, sooner, over], details, [], NOW))
    assert [item["kind"] for item in items] == ["open_action", "open_action", "child"]
    assert items[0] == {
        "kind": "open_action", "title": "Do sooner. At once.", "action_id": samples.an_id("sooner"), "owner_role": NURSES,
        "due_at": spell_moment(day(5)), "state": "accepted", "carried_over": False,
    }  # fmt: skip


def test_an_action_is_carried_over_with_how_often_and_why() -> None:
    """It was open at two meetings; where nobody said why, that is said."""
    one, said = action("one", opened=day(1))
    other, untold = action("other", opened=day(15))
    details = {"one": said | {"reason": "waiting_list"}, "other": untold}
    items = validated(open_work([one, other], details, [day(20), day(10), day(0)], NOW))
    assert [item["carried_over"] for item in items] == [True, True]
    assert [item["carried_reason"] for item in items] == ["waiting_list", "No reason was given."]
    assert [item["detail"] for item in items] == ["Carried over: 2.", "Carried over: 1."]


def test_what_is_due_or_missing_is_on_it() -> None:
    """Interviews and missing minutes always; what is there to stay only when it is due, a flag also until it is set."""
    entries = [
        entry("minutes", due=None), entry("rhi"), entry("flag", key="due"), entry("flag", key="set", due=day(90)),
        entry("flag", key="asked", state="requested", due=day(90)), entry("risk", due=day(90)), entry("sighting"),
        entry("action", key="bare"),
    ]  # fmt: skip
    items = validated(open_work(entries, {"rhi": {"owner": NURSES}}, [], NOW))
    titles = [item["title"] for item in items]
    assert titles.count("Risk flag to be set or reviewed") == 2
    assert "Minutes missing" in titles
    assert "Action of which the register knows no more" in titles
    assert len(titles) == 5
    (interview,) = [item for item in items if "interview" in item["title"]]
    assert interview["owner_role"] == NURSES
    assert interview["detail"] == "Child c, thread t."


def test_an_agenda_of_nothing_says_so_and_one_of_too_much_is_refused() -> None:
    """A meeting with nothing open has an agenda still; nothing is ever left out in silence."""
    assert make_agenda([], meeting="m", kind="top_risk", starts=NOW, now=NOW)["items"][0]["kind"] == "standing"
    items = open_work([entry("rhi", key=str(number)) for number in range(257)], {}, [], NOW)
    with pytest.raises(MalformedError):
        validated(items)


async def test_an_agenda_is_drawn_up_from_the_register(tmp_path: Path) -> None:
    """By child and by thread, each thing once; what is printed names nothing, the draft's words are for its owner only."""
    async with open_desk(tmp_path) as desk:
        given = {"thread": samples.an_id("thread")}
        await desk.receive("meeting.held/1", given=given, meeting_kind="top_risk", held_at=on(8), starts_at=None)
        await desk.receive("status.notice/1", given=given, child=reference(CHILD), decided_at=on(1))
        values = {
            "action_id": samples.an_id("a"),
            "due_at": on(20),
            "owner_role": NURSES,
            "description": "Ring Robin's school.",
        }
        await desk.receive("action.assign/1", given=given, assigned_at=on(2), **values)
        await desk.receive(
            "action.progress/1", given=given, reported_at=on(9), state="in_progress", state_reason="holiday", **values
        )
        await desk.receive("rhi.assign/1", child=CHILD, returned_at=on(3), due_at=on(6))
        await desk.pass_time(50)
        (child,) = await desk.children()
        path = tmp_path / "agenda.json"
        printed = await run(
            desk, "agenda", "--meeting", "top_risk", "--starts", on(60), "--child", child, "--thread", given["thread"],
            "--basis", "CA1989_S47", "--draft", str(path),
        )  # fmt: skip
        assert [item["kind"] for item in printed["items"]] == ["open_action", "child", "other"]
        assert "Robin" not in json.dumps(printed)
        draft = parse_draft(path.read_bytes())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        CATALOGUE.validate(draft.type, draft.message)
        assert (draft.from_, draft.basis) == (MASH, ("CA1989_S47",))
        assert draft.message["meeting_id"] == printed["meeting"]
        item = draft.message["items"][0]
        assert (item["title"], item["state"], item["carried_over"], item["carried_reason"]) == (
            "Ring Robin's school.", "in_progress", True, "holiday",
        )  # fmt: skip


async def test_standing_items_are_on_it_whatever_is_open(tmp_path: Path) -> None:
    """After everything that is open, or by themselves, without anybody's child."""
    kinds = [
        [
            item["kind"]
            for item in make_agenda(found, meeting="m", kind="k", starts=NOW, now=NOW, standing=["S"])["items"]
        ]
        for found in ([], open_work([entry("rhi")], {}, [], NOW))
    ]
    assert kinds == [["standing", "standing"], ["child", "standing"]]
    async with open_desk(tmp_path) as desk:
        path = tmp_path / "agenda.json"
        await run(
            desk, "agenda", "--meeting", "intelligence", "--starts", on(60), "--standing", "Exploitation",
            "--basis", "CA1989_S47", "--draft", str(path),
        )  # fmt: skip
        assert parse_draft(path.read_bytes()).message["items"][-1] == {"kind": "standing", "title": "Exploitation"}


async def test_an_agenda_needs_a_moment_and_somebody(tmp_path: Path) -> None:
    """What is missing or misspelt is named."""
    async with open_desk(tmp_path) as desk:
        for arguments, code in (
            (["--starts", "tomorrow", "--child", "x"], "register-moment"),
            (["--starts", "2026-07-06T08:00:00", "--child", "x"], "register-moment"),
            (["--starts", on(1)], "register-agenda"),
            (["--starts", on(1), "--child", "nobody"], "register-child-unknown"),
        ):
            with pytest.raises(GatewayError) as caught:
                await run(desk, "agenda", "--meeting", "top_risk", *arguments)
            assert caught.value.code == code


async def test_the_commands_are_on_the_command_line(town: Town) -> None:
    """Beside a home of its own, `gateway register` answers as JSON."""
    home = write_home(town, COUNCIL)
    assert await command(home, "register", "candidates") == []
    assert await command(home, "register", "rebuild") == {"entered": 0, "entries": 0}


def test_dates_are_spelled_as_dates() -> None:
    """The helpers of these tests mean what they say."""
    assert (date(0), on(0), day(1)) == ("2026-01-06", "2026-01-06T00:00:00Z", FIRST + DAY)
