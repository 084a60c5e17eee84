"""What a party may see, what does not exist for anyone else, and the hub's own rounds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import msgspec
import pytest

from hub import entries, exchange
from hub.core.authenticity import Caller
from hub.core.events import Leaf
from hub.errors import HubError
from hub.views import envelope_state, sealed_body
from hub.worker import Worker
from keys import notes
from schemas.envelope import DAY, split_envelope
from schemas.identifiers import agency_of
from tests.county import (
    CAIT,
    COUNCIL,
    HEALTH,
    MASH,
    NURSES,
    ORIGIN,
    PARTNERSHIP,
    POLICE,
    PROBATION,
    Desk,
)
from tests.hub.support import as_caller, code_of, hold, minutes, refused


async def test_a_party_sees_its_own_part(desk: Desk) -> None:
    """The sender sees every delivery, a recipient its own; for anyone else there is nothing there."""
    county = desk.county
    await desk.send(sent := minutes(county, hold(county).header.thread, CAIT, NURSES))
    await desk.receive(sent, NURSES, "collected", "filed")

    async def state(caller: str, name: str = sent.id) -> dict[str, object]:
        return await envelope_state(desk.store, desk.registry, as_caller(caller), name, desk.county.now)

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
            await sealed_body(desk.store, desk.registry, as_caller(caller), name, desk.county.now)
    body = bytes(split_envelope(sent.raw).body)
    for caller in (COUNCIL, POLICE, HEALTH):
        assert bytes(await sealed_body(desk.store, desk.registry, as_caller(caller), sent.id, desk.county.now)) == body
    await desk.withdraw(sent)
    for caller in (COUNCIL, POLICE):
        with refused("not-found"):
            await sealed_body(desk.store, desk.registry, as_caller(caller), sent.id, desk.county.now)
    assert (await state(COUNCIL))["state"] == "withdrawn"


async def test_a_mailboxs_own_token_sees_that_mailbox_alone(desk: Desk) -> None:
    """A team whose key is its own reads nothing of the other teams of its agency, and they nothing with it."""
    county = desk.county
    await desk.send(sent := minutes(county, hold(county).header.thread, CAIT, NURSES))
    other = f"{HEALTH}/another-team"
    for caller, boxes in ((as_caller(HEALTH, NURSES), [NURSES]), (as_caller(COUNCIL, MASH), [CAIT, NURSES])):
        state = await envelope_state(desk.store, desk.registry, caller, sent.id, county.now)
        assert [one["mailbox"] for one in state["deliveries"]] == boxes
        assert await sealed_body(desk.store, desk.registry, caller, sent.id, county.now)
    for stranger in (as_caller(HEALTH, other), as_caller(COUNCIL, f"{COUNCIL}/another-team")):
        with refused("not-found"):
            await envelope_state(desk.store, desk.registry, stranger, sent.id, county.now)
        with refused("not-found"):
            await sealed_body(desk.store, desk.registry, stranger, sent.id, county.now)


async def _seen(desk: Desk, caller: Caller, **filters: object) -> list[Leaf]:
    now, snapshot = desk.county.now, desk.registry.snapshot
    found = await desk.store.read(lambda tx: entries.find(tx, snapshot, caller, filters, -1, 1000, now))
    return [msgspec.json.decode(row.body, type=Leaf) for row in found.rows]


async def test_the_log_is_read_by_whom_it_concerns(desk: Desk) -> None:
    """A sender sees what became of its envelope, a recipient its own part, parties their obligations, others nothing."""
    county = desk.county
    meeting = hold(county, CAIT, NURSES)
    await desk.send(meeting)
    await desk.send(sent := minutes(county, meeting.header.thread, CAIT, NURSES))
    await desk.receive(sent, NURSES, "collected", "filed")
    (outcome,) = await desk.take(county.receipt(sent, NURSES, "acknowledged"), by=HEALTH)
    assert code_of(outcome) == "receipt-out-of-order"
    await desk.tick(60 * DAY)
    everything = await _seen(desk, as_caller(PARTNERSHIP))
    assert len(everything) == len(await desk.leaves())

    def acts(leaves: list[Leaf], *events: str) -> set[tuple[str, str | None]]:
        return {(leaf.event, leaf.mailbox) for leaf in leaves if not events or leaf.event in events}

    about = ("envelope-accepted", "receipt-accepted", "receipt-refused")
    assert acts(await _seen(desk, as_caller(COUNCIL)), *about) == {
        ("envelope-accepted", MASH),
        ("receipt-accepted", NURSES),
    }
    assert acts(await _seen(desk, as_caller(HEALTH)), *about) == {
        ("envelope-accepted", MASH),
        ("receipt-accepted", NURSES),
        ("receipt-refused", NURSES),
    }
    assert acts(await _seen(desk, as_caller(POLICE)), *about) == {("envelope-accepted", MASH)}
    public = {"directory-published", "agreement-published", "key-published"}
    assert {leaf.event for leaf in await _seen(desk, as_caller(PROBATION))} == public
    assert {leaf.event for leaf in await _seen(desk, as_caller(HEALTH, f"{HEALTH}/another-team"))} == public
    # Both parties of a duty hear of each of its steps, whoever is late; a third party of the thread does not.
    steps = [leaf for leaf in everything if leaf.event == "step-taken"]
    rows = {row.id: row.duty for row in (await desk.rows(meeting.header.thread)).values()}
    assert steps
    for agency in (COUNCIL, HEALTH, POLICE):
        mine = [leaf for leaf in await _seen(desk, as_caller(agency)) if leaf.event == "step-taken"]
        parties = [
            leaf
            for leaf in steps
            if agency
            in {agency_of(rows[leaf.obligation or ""].debtor), agency_of(rows[leaf.obligation or ""].creditor)}
        ]
        assert mine == parties
    assert {leaf.envelope for leaf in await _seen(desk, as_caller(COUNCIL), type="minutes.full")} >= {sent.id}
    full = await _seen(desk, as_caller(COUNCIL), type="minutes.full/1")
    assert {leaf.event for leaf in full} == {"envelope-accepted"}


async def test_a_long_search_says_where_to_go_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request looks at the whole log: it answers what it found so far, and the index to continue after."""
    monkeypatch.setattr(entries, "SCAN", 4)
    monkeypatch.setattr(entries, "_PAGE", 2)
    size, after, found = len(await desk.leaves()), -1, 0
    caller, snapshot = as_caller(PARTNERSHIP), desk.registry.snapshot
    for _ in range(size):
        page = await desk.store.read(
            lambda tx, after=after: entries.find(tx, snapshot, caller, {}, after, 3, desk.county.now)
        )
        found += len(page.rows)
        if page.next is None:
            break
        assert page.next > after
        after = page.next
    assert found == size


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
    assert (await envelope_state(desk.store, desk.registry, as_caller(PROBATION), sent.id, desk.county.now))[
        "id"
    ] == sent.id


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
