"""An embargoed message leaves no trace outside its mailbox before its moment, and goes on by itself after it."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from adapters.gateway.agent import Agent
from schemas.envelope import DAY
from tests.county import COUNCIL, HEALTH, HOUR, MASH, NURSES
from tests.gateway.support import Town, draft, drop, minutes_full, read_notices, settle
from tests.gateway.test_cli import command, run, write_home

UNTIL = "2026-07-10T08:00:00Z"
WHO = ("--actor", "Robin Sample", "--role", "named_nurse")


async def send(town: Town, council: Agent, name: str = "minutes", **changes: Any) -> str:
    """Send full minutes under an embargo of four days; return their id."""
    message = minutes_full([MASH, NURSES], embargo_until=UNTIL)
    drop(town.homes[COUNCIL], name, draft("minutes.full/1", MASH, message=message, **changes))
    await settle(council)
    return str(json.loads((town.homes[COUNCIL] / "sent" / name / "envelope.json").read_bytes())["id"])


def traces(home: Path, envelope: str) -> list[Path]:
    """Return every file of the folder pair that names *envelope*."""
    return [
        path
        for path in home.rglob("*")
        if path.is_file() and path.name != "spool.db" and (envelope in str(path) or envelope.encode() in path.read_bytes())
    ]  # fmt: skip


async def test_nothing_outside_names_it_until_its_moment(
    town: Town, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Collected and receipted at once; overdue meanwhile; filed and told of as soon as the moment has come."""
    caplog.set_level("DEBUG", "gateway")
    # A command that ran before in this process has its own handler there, and lets nothing through to others.
    monkeypatch.setattr(logging.getLogger("gateway"), "handlers", [caplog.handler])
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        envelope = await send(town, council)
        home = town.homes[HEALTH]
        await settle(health)
        await settle(council)
        heard = await council.gateway.spool.all("heard_of", envelope=envelope)
        assert [one["level"] for one in heard] == ["collected"]
        for _ in range(3):
            await town.tick(DAY)
            await settle(health)
            assert traces(home, envelope) == []
        held = await health.gateway.spool.all("list_notices")
        assert any(envelope.encode() in bytes(notice["details"]) for notice in held)
        await town.tick(DAY - HOUR)
        await settle(health)
        assert traces(home, envelope) == []
        # Nobody hid it from the hub: the sender is told that the receipt is late.
        await settle(council)
        assert any(notice["notice"] == "overdue" for notice in read_notices(town.homes[COUNCIL]))
        await town.tick(HOUR)
        await settle(health)
        assert (home / "in" / envelope / "message.json").exists()
        assert any(notice.get("envelope") == envelope for notice in read_notices(home))
        await settle(council)
        heard = await council.gateway.spool.all("heard_of", envelope=envelope)
        assert [one["level"] for one in heard] == ["collected", "filed"]
        said = [record.getMessage() for record in caplog.records if record.name.startswith("gateway")]
        assert said
        assert envelope not in "\n".join(said)
        assert await health.gateway.spool.all("due_embargoes", now=2**53, limit=9) == []


async def test_only_its_mailbox_sees_it_and_a_person_can_acknowledge(town: Town) -> None:
    """Listed where the mailbox is named, with the moment and what is due; the duty is met in time by a person."""
    async with town.agent(COUNCIL) as council:
        envelope = await send(town, council)
        home = write_home(town, HEALTH)
        await command(home, "run", "--once")
        assert await command(home, "inbox", "list") == []
        (row,) = await command(home, "inbox", "list", "--mailbox", NURSES)
        assert (row["envelope"], row["state"], row["embargo_until"]) == (
            envelope, "embargoed", town.county.now + 4 * DAY,
        )  # fmt: skip
        assert town.county.now < row["due"] < row["embargo_until"]
        for words in (("show", envelope), ("open", envelope, *WHO)):
            code, _, complaint = await asyncio.to_thread(run, "inbox", *words, "--home", str(home))
            assert (code, "no such delivery is here" in complaint) == (1, True)
        box = ("--mailbox", NURSES)
        by_hand = ("inbox", "file", envelope, *WHO, *box, "--record", "case-7", "--home", str(home))
        code, _, complaint = await asyncio.to_thread(run, *by_hand)
        assert (code, "before its moment" in complaint) == (1, True)
        (shown,) = await command(home, "inbox", "open", envelope, *WHO, *box)
        assert shown["message"]["immediate_safety"]
        await command(home, "inbox", "acknowledge", envelope, *WHO, *box)
        await command(home, "run", "--once")
        await settle(council)
        heard = await council.gateway.spool.all("heard_of", envelope=envelope)
        assert [one["level"] for one in heard] == ["collected", "opened", "acknowledged"]
        await town.tick(3 * DAY)
        await settle(council)
        told = [one for one in read_notices(town.homes[COUNCIL]) if one.get("envelope") == envelope]
        assert not any(one["notice"] == "overdue" for one in told)


async def test_an_export_takes_two_people_to_break_it(town: Town, tmp_path: Path) -> None:
    """Refused until its moment, for the family in any case; broken by two with a reason code, it is recorded so."""
    async with town.agent(COUNCIL) as council:
        envelope = await send(town, council)
    home = write_home(town, HEALTH)
    await command(home, "run", "--once")
    base = ("export", envelope, NURSES, "--by", "Robin Sample", "--out", str(tmp_path / "copy.txt"))
    reason, second = ("--reason", "court_order"), ("--second", "Kim Second")
    for more, says in (
        (("--for", "record"), "under an embargo"),
        (("--for", "record", *reason, *second), "under an embargo"),
        (("--for", "family", "--break-embargo", *reason, *second), "under an embargo"),
        (("--for", "record", "--break-embargo", *second), "reason that is listed"),
        (("--for", "record", "--break-embargo", "--reason", "because she asked", *second), "reason that is listed"),
        (("--for", "record", "--break-embargo", *reason), "takes two people"),
        (("--for", "record", "--break-embargo", *reason, "--second", "robin SAMPLE"), "takes two people"),
    ):
        code, _, complaint = await asyncio.to_thread(run, *base, *more, "--home", str(home))
        assert (code, says in complaint) == (1, True), complaint
    assert await command(home, "exports") == []
    await command(home, *base, "--for", "record", "--break-embargo", *reason, *second)
    (event,) = await command(home, "exports")
    assert event["reason"] == "court_order"
    assert event["second"] != event["person"]
    (home / "clock").write_text(str(town.county.now + 4 * DAY))
    await command(home, *base[:-1], str(tmp_path / "later.txt"), "--for", "family")
    assert "reason" not in (await command(home, "exports"))[-1]


async def test_what_replaces_something_under_an_embargo_is_not_told_either(town: Town) -> None:
    """`superseded`, which names the version before, would give the new one away."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        drop(town.homes[COUNCIL], "first", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        await settle(council, health)
        sent = json.loads((town.homes[COUNCIL] / "sent" / "first" / "envelope.json").read_bytes())
        message = minutes_full([MASH, NURSES], embargo_until=UNTIL, version=2)
        more = {"thread": sent["thread"], "supersedes": sent["id"]}
        drop(town.homes[COUNCIL], "second", draft("minutes.full/1", MASH, message=message, **more))
        await settle(council, health)
        held = await health.gateway.spool.all("list_notices")
        assert "superseded" in {one["code"] for one in held}
        assert "superseded" not in {one["notice"] for one in read_notices(town.homes[HEALTH])}
        await town.tick(4 * DAY)
        await settle(health)
        assert "superseded" in {one["notice"] for one in read_notices(town.homes[HEALTH])}


async def test_an_embargo_that_is_over_holds_nothing(town: Town) -> None:
    """What arrives after its moment goes on as everything else."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        envelope = await send(town, council)
        await town.tick(4 * DAY)
        await settle(health)
        assert (town.homes[HEALTH] / "in" / envelope).exists()


async def test_by_hand_it_waits_for_a_person_afterwards(town: Town) -> None:
    """A mailbox without an adapter has it as everything else, once its moment has come."""
    async with town.agent(COUNCIL) as council:
        envelope = await send(town, council)
    home = write_home(town, HEALTH)
    text = (home / "gateway.toml").read_text().replace(f'id = "{NURSES}"', f'id = "{NURSES}"\nadapter = ""')
    (home / "gateway.toml").write_text(text)
    await command(home, "run", "--once")
    (row,) = await command(home, "inbox", "list", "--mailbox", NURSES)
    assert row["state"] == "embargoed"
    await town.tick(4 * DAY)
    (home / "clock").write_text(str(town.county.now))
    await command(home, "run", "--once")
    (row,) = await command(home, "inbox", "list")
    assert (row["envelope"], row["state"]) == (envelope, "waiting-person")


async def test_withdrawn_under_embargo_it_never_appears(town: Town) -> None:
    """Destroyed here and said so; its moment changes nothing."""
    from adapters.gateway import errands

    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        envelope = await send(town, council)
        await settle(health)
        await settle(council)
        await errands.ask_withdrawal(council.gateway, envelope, "wrong_recipient")
        await settle(council, health)
        await town.tick(4 * DAY)
        await settle(health)
        row = await health.gateway.spool.one("find_incoming", envelope=envelope, mailbox=NURSES)
        assert row is not None
        assert row["state"] == "destroyed"
        assert not (town.homes[HEALTH] / "in" / envelope).exists()
