"""What a party may see, what does not exist for anyone else, and the hub's own rounds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from hub import exchange
from hub.errors import HubError
from hub.views import envelope_state, sealed_body
from hub.worker import Worker
from keys import notes
from schemas.envelope import DAY, split_envelope
from tests.county import (
    CAIT,
    COUNCIL,
    HEALTH,
    MASH,
    NURSES,
    ORIGIN,
    POLICE,
    PROBATION,
    Desk,
)
from tests.hub.support import hold, minutes, refused


async def test_a_party_sees_its_own_part(desk: Desk) -> None:
    """The sender sees every delivery, a recipient its own; for anyone else there is nothing there."""
    county = desk.county
    await desk.send(sent := minutes(county, hold(county).header.thread, CAIT, NURSES))
    await desk.receive(sent, NURSES, "collected", "filed")

    async def state(caller: str, name: str = sent.id) -> dict[str, object]:
        return await envelope_state(desk.store, desk.registry, caller, name, desk.county.now)

    whole = await state(COUNCIL)
    assert whole["deliveries"] == [
        {"mailbox": CAIT, "state": "owed", "levels": []},
        {"mailbox": NURSES, "state": "filed", "levels": ["collected", "filed"]},
    ]
    assert (await state(POLICE))["deliveries"] == [{"mailbox": CAIT, "state": "owed", "levels": []}]
    for caller, name in ((PROBATION, sent.id), (COUNCIL, "A" * 22)):
        with refused("not-found"):
            await state(caller, name)
        with refused("not-found"):
            await sealed_body(desk.store, desk.registry, caller, name, desk.county.now)
    body = bytes(split_envelope(sent.raw).body)
    for caller in (COUNCIL, POLICE, HEALTH):
        assert bytes(await sealed_body(desk.store, desk.registry, caller, sent.id, desk.county.now)) == body
    await desk.withdraw(sent)
    for caller in (COUNCIL, POLICE):
        with refused("not-found"):
            await sealed_body(desk.store, desk.registry, caller, sent.id, desk.county.now)
    assert (await state(COUNCIL))["state"] == "withdrawn"


async def test_a_feed_is_read_by_its_own_agency_or_its_successor(desk: Desk) -> None:
    """Anybody else's mailbox, and one that is nowhere, are not told apart."""
    county = desk.county
    await desk.send(sent := minutes(county, hold(county).header.thread, NURSES))

    async def read(caller: str, mailbox: str) -> list[str]:
        rows = await exchange.hand_over(desk.store, desk.registry, caller, mailbox, 0, 10, desk.county.now)
        return [row.entry.ref for row in rows]

    assert await read(HEALTH, NURSES) == [sent.id]
    for mailbox in (NURSES, f"{HEALTH}/nobody", f"{POLICE}/nobody"):
        with refused("not-found"):
            await read(POLICE, mailbox)
    county.ended[HEALTH] = (county.now, (PROBATION,))
    await desk.next_directory()
    assert await read(PROBATION, NURSES) == [sent.id]
    assert (await envelope_state(desk.store, desk.registry, PROBATION, sent.id, desk.county.now))["id"] == sent.id


async def test_a_feed_is_read_page_by_page(desk: Desk) -> None:
    """After a number, at most so many, in order; reading again from the start gives the same."""
    county = desk.county
    thread = hold(county).header.thread
    names = []
    for _ in range(5):
        await desk.send(sent := minutes(county, thread, NURSES))
        names.append(sent.id)
    seen: list[str] = []
    after = 0
    while page := await exchange.hand_over(desk.store, desk.registry, HEALTH, NURSES, after, 2, desk.county.now):
        seen += [row.entry.ref for row in page]
        after = page[-1].entry.seq
    assert seen == names
    assert [row.entry.ref for row in await desk.feed(NURSES)] == names


def _worker(desk: Desk, woken: set[str], kept: list[str], in_doubt: list[bool]) -> Worker:
    county = desk.county
    return Worker(
        store=desk.store,
        registry=desk.registry,
        clock=lambda: county.now,
        signer=county.hub.signing,
        note_signers=county.note_signers,
        origin=ORIGIN,
        wake=woken.update,
        keep_checkpoint=kept.append,
        in_doubt=lambda: in_doubt[0],
        sweep_seconds=0.01,
        checkpoint_seconds=0.01,
    )


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 the worker tells nobody when a round is over
            await asyncio.sleep(0.01)


async def test_the_worker_does_what_is_due_and_keeps_the_checkpoint(quick_desk: Desk) -> None:
    """Deadlines, checkpoints, expiry and a registry that changed elsewhere; in doubt of the clock it judges nobody."""
    county, woken, kept, in_doubt = quick_desk.county, set[str](), list[str](), [True]
    worker = _worker(quick_desk, woken, kept, in_doubt)
    held = hold(county, NURSES)
    await quick_desk.send(held)
    await quick_desk.send(minutes(county, held.header.thread, CAIT, keep_until=county.now + 20 * DAY))
    await quick_desk.next_agreement(refresh=False)
    county.now += 15 * DAY
    task = asyncio.create_task(worker.run())
    await _until(lambda: bool(kept) and quick_desk.registry.snapshot.rules[-1].version == 2)
    assert woken == set()
    in_doubt[0] = False
    await _until(lambda: woken >= {MASH, NURSES, CAIT})
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert notes.open_checkpoint(kept[-1], [one.verifier_key for one in county.note_signers], origin=ORIGIN).size
    assert len(await quick_desk.notices(CAIT, "keep-until-near")) == 1


async def test_a_round_that_fails_is_logged_and_tried_again(quick_desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk stops one loop's round, no loop; what was due is done when there is room again."""
    kept: list[str] = []
    fails = [HubError("store-full", "couldn't write: the disk is full"), OSError("no room")]

    def keep(note: str) -> None:
        if fails:
            raise fails.pop()
        kept.append(note)

    worker = _worker(quick_desk, set(), [], [False])
    worker = Worker(**{name: getattr(worker, name) for name in Worker.__slots__} | {"keep_checkpoint": keep})
    with caplog.at_level(logging.WARNING, "hub.worker"):
        task = asyncio.create_task(worker.run())
        async with asyncio.timeout(10):
            while not kept:
                await quick_desk.send(minutes(quick_desk.county, hold(quick_desk.county).header.thread, CAIT))
                await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
