"""Receipts: each says one thing about one delivery, and none says more than its signer can know."""

from __future__ import annotations

from typing import Any

from hub.exchange import Taken
from keys import digests
from tests.county import CAIT, COUNCIL, HEALTH, HOUR, MASH, MINUTE, NURSES, PAEDIATRICS, POLICE, Desk, Sent
from tests.hub.support import code_of, hold, minutes


async def _sent(desk: Desk, *to: str) -> Sent:
    sent = minutes(desk.county, hold(desk.county).header.thread, *to)
    await desk.send(sent)
    return sent


async def _say(desk: Desk, *receipts: bytes, by: str = HEALTH) -> list[str]:
    outcomes = await desk.take(*receipts, by=by)
    return ["taken" if isinstance(one, Taken) else code_of(one) for one in outcomes]


async def _receipt(desk: Desk, sent: Sent, level: str, mailbox: str = NURSES, by: str = HEALTH, **changes: Any) -> str:
    (said,) = await _say(desk, desk.county.receipt(sent, mailbox, level, **changes), by=by)
    return said


async def test_levels_come_in_their_order(desk: Desk) -> None:
    """Nothing before collected, nothing acknowledged before it was opened; filed and opened in either order."""
    sent = await _sent(desk, NURSES)
    for level in ("filed", "opened", "acknowledged", "declined"):
        assert await _receipt(desk, sent, level) == "receipt-out-of-order"
    assert await _receipt(desk, sent, "collected") == "taken"
    for level in ("acknowledged", "rejected"):
        assert await _receipt(desk, sent, level) == "receipt-out-of-order"
    for level in ("filed", "opened", "acknowledged", "opened", "filed", "acknowledged"):
        assert await _receipt(desk, sent, level) == "taken"
    refusals = await desk.leaves("receipt-refused")
    assert [leaf["level"] for leaf in refusals] == [
        "filed", "opened", "acknowledged", "declined", "acknowledged", "rejected",
    ]  # fmt: skip
    levels = [row.level for row in await desk.store.read(lambda tx: tx.receipts_of(sent.id))]
    assert levels == ["collected", "filed", "opened", "acknowledged", "opened", "filed", "acknowledged"]


async def test_a_machine_never_counts_as_a_person(desk: Desk) -> None:
    """Opened and acknowledged name a person; collected and rejected can't; neither leaves a trace if malformed."""
    sent = await _sent(desk, NURSES)
    await desk.receive(sent, NURSES, "collected")
    for level, changes in (
        ("opened", {"actor": None, "role": None}),
        ("acknowledged", {"actor": None, "role": None}),
        ("collected", {"actor": "A" * 43, "role": "nurse"}),
        ("declined", {"code": "because"}),
        ("rejected", {"code": None}),
        ("filed", {"mode": None}),
        ("collected", {"manifest_sha256": None}),
    ):
        assert await _receipt(desk, sent, level, **changes) == "receipt-members"
    assert await desk.leaves("receipt-refused") == []


async def test_a_receipt_is_for_its_own_delivery(desk: Desk) -> None:
    """Another agency's, another mailbox's, an unknown envelope's: refused, and settles nothing."""
    sent = await _sent(desk, NURSES)
    assert await _receipt(desk, sent, "collected", by=POLICE) == "sender-not-caller"
    assert await _receipt(desk, sent, "collected", CAIT, by=HEALTH) == "sender-not-caller"
    assert await _receipt(desk, sent, "collected", CAIT, by=POLICE) == "receipt-unknown-envelope"
    assert await _receipt(desk, sent, "collected", PAEDIATRICS) == "receipt-unknown-envelope"
    assert await _receipt(desk, sent, "collected", MASH, by=COUNCIL) == "receipt-unknown-envelope"
    unknown = digests.new_id(desk.county.now)
    assert await _receipt(desk, sent, "collected", envelope=unknown) == "receipt-unknown-envelope"
    assert await _say(desk, b"nonsense") == ["jws-syntax"]
    forged = desk.county.receipt(sent, NURSES, "collected")
    assert await _say(desk, forged[:-20] + b"AAAA" + forged[-16:]) == ["jws-signature"]
    assert [row.state for row in await desk.store.read(lambda tx: tx.deliveries_of(sent.id))] == ["owed"]
    assert [leaf["outcome"] for leaf in await desk.leaves("receipt-refused")] == ["receipt-unknown-envelope"] * 4


async def test_a_receipt_shows_that_the_body_was_opened(desk: Desk) -> None:
    """Without the manifest's digest, which only an opener knows, nothing counts; nor with another body's digest."""
    sent = await _sent(desk, NURSES)
    guess = digests.sha256_b64u(b"a guess")
    assert await _receipt(desk, sent, "collected", manifest_sha256=guess) == "receipt-opening"
    assert await _receipt(desk, sent, "collected", manifest_sha256=sent.header.opening) == "receipt-opening"
    assert await _receipt(desk, sent, "collected", sealed_sha256=guess) == "receipt-digest"
    assert await _receipt(desk, sent, "collected") == "taken"


async def test_a_receipt_from_the_future_is_refused(desk: Desk) -> None:
    """Five minutes are forgiven; more would let a wrong clock say what has not happened yet."""
    sent, now = await _sent(desk, NURSES), desk.county.now
    assert await _receipt(desk, sent, "collected", at=now + 5 * MINUTE + 1) == "receipt-in-future"
    assert await _receipt(desk, sent, "collected", at=now + 5 * MINUTE) == "taken"


async def test_receipts_of_one_mailbox_are_chained(desk: Desk) -> None:
    """A receipt may name the one before it; one that names what the hub never saw waits for that."""
    county, sent = desk.county, await _sent(desk, NURSES, CAIT)
    first = county.receipt(sent, NURSES, "collected")
    second = county.receipt(sent, NURSES, "filed", previous=digests.sha256_b64u(first))
    assert await _say(desk, second) == ["receipt-previous"]
    await desk.receive(sent, CAIT, "collected")
    assert await _say(desk, first, second) == ["taken", "taken"]
    foreign = await desk.store.read(lambda tx: tx.last_receipt(sent.id, CAIT))
    assert foreign is not None
    other = county.receipt(sent, NURSES, "opened", previous=digests.sha256_b64u(bytes(foreign.jws)))
    assert await _say(desk, other) == ["receipt-previous"]


async def test_repeating_a_receipt_changes_nothing(desk: Desk) -> None:
    """The same bytes get the same index; other bytes under a used id are refused."""
    county, sent = desk.county, await _sent(desk, NURSES)
    collected, filed = county.receipt(sent, NURSES, "collected"), county.receipt(sent, NURSES, "filed")
    first = await desk.take(collected, filed, by=HEALTH)
    county.now += 40 * HOUR
    again = await desk.take(collected, filed, collected, by=HEALTH)
    assert [one.index for one in again if isinstance(one, Taken)] == [
        one.index for one in (*first, first[0]) if isinstance(one, Taken)
    ]
    assert all(isinstance(one, Taken) and one.repeat and not one.wake for one in again)
    assert len([row for row in await desk.feed(MASH) if row.entry.kind == "receipt"]) == 2
    (row,) = (await desk.rows(sent.header.thread)).values()
    assert (row.state, row.settled_at) == ("met", county.now - 40 * HOUR)
    used = await desk.store.read(lambda tx: tx.receipts_of(sent.id)[0].id)
    assert await _receipt(desk, sent, "opened", id=used) == "receipt-id-reused"


async def test_two_people_may_acknowledge_the_same(desk: Desk) -> None:
    """Both are kept and told to the sender; the first one met the duty."""
    sent = await _sent(desk, NURSES)
    await desk.receive(sent, NURSES, "collected", "opened", "acknowledged")
    (before,) = (await desk.rows(sent.header.thread)).values()
    desk.county.now += HOUR
    colleague = digests.keyed_digest(b"k" * 32, "a colleague")
    assert await _receipt(desk, sent, "acknowledged", actor=colleague) == "taken"
    (after,) = (await desk.rows(sent.header.thread)).values()
    assert (after.settled_by, after.state) == (before.settled_by, "met")
    assert len([row for row in await desk.feed(MASH) if row.entry.kind == "receipt"]) == 4


async def test_collected_and_opened_alone_settle_nothing(desk: Desk) -> None:
    """What a machine fetched, or a person looked at, is not what a person has."""
    sent = await _sent(desk, NURSES)
    await desk.receive(sent, NURSES, "collected", "opened")
    assert list((await desk.duties(sent.header.thread)).values()) == ["open"]
    await desk.receive(sent, NURSES, "acknowledged")
    assert list((await desk.duties(sent.header.thread)).values()) == ["met"]


async def test_receipts_of_a_batch_are_judged_in_order(desk: Desk) -> None:
    """A refused one in the middle keeps none of the others back."""
    county, sent = desk.county, await _sent(desk, NURSES)
    batch = [
        county.receipt(sent, NURSES, "filed"),
        county.receipt(sent, NURSES, "collected"),
        b"",
        county.receipt(sent, NURSES, "filed"),
    ]
    assert await _say(desk, *batch) == ["receipt-out-of-order", "taken", "jws-syntax", "taken"]
    assert await _say(desk) == []


async def test_a_clock_that_steps_back_meets_nothing_that_was_late(desk: Desk) -> None:
    """The hub's time never runs backwards: a late receipt stays late, and every leaf is at or after the one before."""
    county, sent = desk.county, await _sent(desk, NURSES)
    start = county.now
    await desk.receive(sent, NURSES, "collected")
    await desk.tick(3 * 24 * HOUR)
    late = county.now
    county.now = start
    await desk.receive(sent, NURSES, "filed")
    (row,) = (await desk.rows(sent.header.thread)).values()
    assert (row.state, row.settled_at) == ("met_late", late)
    await desk.send(minutes(county, sent.header.thread, CAIT))
    moments = [leaf["at"] for leaf in await desk.leaves()]
    assert moments == sorted(moments)
    assert (await desk.tick()).count == 0
