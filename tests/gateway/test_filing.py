"""What record systems answer, and what the gateway then says of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Filed, Incoming, Later, NeedsPerson, Notice, Outcome, Outgoing
from adapters.gateway import filing
from adapters.gateway.agent import Agent
from keys import jws
from schemas.receipt import parse_receipt
from tests.county import COUNCIL, DAY, HEALTH, MASH, NURSES
from tests.gateway.support import Town, draft, drop, minutes_full, read_notices, settle


@dataclass
class RecordSystem:
    """A plugin whose record system answers as it is told."""

    answer: Callable[[], Outcome]
    asked: int = 0
    told: list[str] = field(default_factory=list)

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Want to send nothing."""
        return
        yield

    async def file(self, message: Incoming) -> Outcome:
        """Answer."""
        assert message.mailbox == NURSES
        self.asked += 1
        return self.answer()

    async def notify(self, notice: Notice) -> None:
        """Remember."""
        self.told.append(notice.code)


async def receive(town: Town, health: Agent, system: RecordSystem) -> str:
    """Have the nurses' gateway, with *system* for its adapter, collect full minutes; return their id."""
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "minutes", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        await settle(council)
    health.gateway.adapters["folder"] = system  # type: ignore[index]
    await settle(health, rounds=1)
    (row,) = await health.gateway.spool.all("list_incoming")
    return str(row["envelope"])


async def state(agent: Agent, envelope: str) -> tuple[str, list[str]]:
    """Return state and receipts of a delivery."""
    row = await agent.gateway.spool.one("find_incoming", envelope=envelope, mailbox=NURSES)
    assert row is not None
    receipts = await agent.gateway.spool.all("receipts_of", envelope=envelope, mailbox=NURSES)
    return row["state"], [one["level"] for one in receipts]


def fail() -> Outcome:
    """Fail as plugins do, with content in the error's text."""
    raise RuntimeError("could not file Zebulon")


@pytest.mark.parametrize("answer", [lambda: Later(reason="closed for the night"), fail])
async def test_a_record_system_that_is_away_is_asked_again(
    town: Town, answer: Callable[[], Outcome], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is called filed until it is; an error's text never reaches the log."""
    caplog.set_level("DEBUG")
    system = RecordSystem(answer)
    async with town.agent(HEALTH) as health:
        envelope = await receive(town, health, system)
        assert await state(health, envelope) == ("collected", ["collected"])
        assert "Zebulon" not in caplog.text
        system.answer = lambda: Filed(record="case-7", mode="reference_only")
        health.gateway.pacer.worked(f"file {envelope} {NURSES}")
        await settle(health, rounds=1)
        assert await state(health, envelope) == ("filed", ["collected", "filed"])
        assert system.asked == 2
        (_, compact) = await town.site.hub.store.read(lambda tx: [row.jws for row in tx.receipts_of(envelope)])
        receipt = parse_receipt(jws.parse(compact, jws.RECEIPT).payload)
        assert (receipt.mode, receipt.actor, "case-7" in str(receipt.record)) == ("reference_only", None, False)


async def test_what_only_a_person_can_file_waits_for_one(town: Town) -> None:
    """It stays in the inbox, the duty stays open, and the team is told."""
    system = RecordSystem(lambda: NeedsPerson(code="no-such-child"))
    async with town.agent(HEALTH) as health:
        envelope = await receive(town, health, system)
        await settle(health)
        assert await state(health, envelope) == ("waiting-person", ["collected"])
        assert system.asked == 1
        assert "needs-person" in system.told


async def test_a_plugin_that_fails_on_notices_is_told_again(town: Town) -> None:
    """A notice counts as told only when it was taken."""
    system = RecordSystem(lambda: NeedsPerson(code="no-such-child"))

    async def refuse(_: Notice) -> None:
        raise RuntimeError("Zebulon")

    async with town.agent(HEALTH) as health:
        system.notify = refuse  # type: ignore[method-assign]
        await receive(town, health, system)
        waiting = await health.gateway.spool.all("untold_notices", limit=9)
        assert waiting
        del system.notify  # type: ignore[method-assign]
        for row in waiting:
            health.gateway.pacer.worked(f"notice {row['id']}")
        await filing.tell_notices(health.gateway)
        assert "needs-person" in system.told
        assert await health.gateway.spool.all("untold_notices", limit=9) == []


async def test_a_receipt_whose_predecessor_the_hub_never_had_is_said_again(town: Town) -> None:
    """The chain begins anew after what the hub has taken; nothing is left unsaid."""
    system = RecordSystem(lambda: Later(reason="wait"))
    async with town.agent(HEALTH) as health:
        async with town.agent(COUNCIL) as council:
            drop(town.homes[COUNCIL], "minutes", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
            await settle(council)
        health.gateway.adapters["folder"] = system  # type: ignore[index]
        await health.refresh_pass()
        await health.drain(NURSES)
        (row,) = await health.gateway.spool.all("waiting_receipts", limit=9)
        await health.receipt_pass()
        await health.gateway.spool.write(lambda tx: _forge_previous(tx, row))
        system.answer = lambda: Filed(record="case-7")
        await settle(health)
        receipts = await health.gateway.spool.all("receipts_of", envelope=row["envelope"], mailbox=NURSES)
        assert [(one["level"], one["state"]) for one in receipts] == [
            ("collected", "taken"), ("filed", "refused"), ("filed", "taken"),
        ]  # fmt: skip


async def _forge_previous(tx: Any, row: Any) -> None:
    from keys.digests import sha256_b64u

    await tx._database.execute("UPDATE receipt SET sha256 = ? WHERE id = ?", (sha256_b64u(b"never"), row["id"]))


async def test_own_keys_that_expired_ring_no_alarm(town: Town) -> None:
    """Sealing keys are destroyed when they expire: their old statements are nobody's forgery."""
    async with town.agent(HEALTH) as health:
        await settle(health, rounds=1)
        held = dict(health.gateway.keyring.opening_keys)
        town.county.now += 2000 * DAY
        health.gateway.keyring.opening_keys.clear()
        books, now = health.gateway.partnership.books, town.county.now
        assert books.foreign_keys(HEALTH, health.gateway.keyring.kids(), now) == []
        assert books.foreign_keys(HEALTH, health.gateway.keyring.kids(), now - 2000 * DAY) == list(held)
        assert read_notices(Path(town.homes[HEALTH])) == []


@pytest.mark.parametrize(
    "answer",
    [
        Filed(record="in/1", mode="quietly"),  # type: ignore[arg-type]
        Filed(record=1),  # type: ignore[arg-type]
        NeedsPerson(code="The child Zebulon Example is not on file"),
        "filed",
        None,
    ],
)
async def test_an_answer_that_is_none_waits_for_a_person_and_holds_nobody_up(
    town: Town, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What a plugin makes up is no receipt; what it typed reaches neither log nor notice."""
    caplog.set_level("DEBUG")
    async with town.agent(HEALTH) as health:
        envelope = await receive(town, health, RecordSystem(lambda: answer))
        assert await state(health, envelope) == ("waiting-person", ["collected"])
        row = await health.gateway.spool.one("find_incoming", envelope=envelope, mailbox=NURSES)
        assert row is not None
        assert row["code"] == "adapter-answer"
        assert "Zebulon" not in caplog.text
        assert "Zebulon" not in str(await health.gateway.spool.all("list_notices"))


async def test_a_reason_to_wait_that_is_no_code_is_not_logged(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    """What a plugin says in words may hold content."""
    caplog.set_level("DEBUG")
    async with town.agent(HEALTH) as health:
        await receive(town, health, RecordSystem(lambda: Later(reason="Zebulon is open elsewhere")))
        assert "asks to wait: no code given" in caplog.text
        assert "Zebulon" not in caplog.text
