"""Legal holds: nothing that they cover is deleted, whoever asks and however old it is."""

from __future__ import annotations

from hub.core.authenticity import Caller
from hub.holds import Place, Release
from hub.views import sealed_body
from keys.digests import new_id
from schemas.envelope import DAY
from tests.county import CAIT, HEALTH, MASH, NURSES, OFFICERS, Desk, Sent
from tests.hub.governing import agree
from tests.hub.support import hold, minutes, refused


async def place(desk: Desk, sent: Sent, *, whole: bool = True) -> str:
    """Place a hold on the thread of *sent*, or on it alone, and return the hold."""
    about = Place(thread=sent.header.thread, envelope=None if whole else sent.id)
    return await agree(desk, "hold-place", about, "police_investigation")


async def release(desk: Desk, name: str) -> None:
    """Release a hold."""
    await agree(desk, "hold-release", Release(hold=name), "matter_closed")


async def _pass(desk: Desk, by: int) -> None:
    """Let *by* milliseconds pass, with the deadlines that come before retention looks."""
    await desk.tick(by)
    await desk.expire()


async def _has_body(desk: Desk, sent: Sent) -> bool:
    return await desk.store.read(lambda tx: tx.body(sent.id)) is not None


async def _sent(desk: Desk, *to: str, keep: int = 100 * DAY) -> Sent:
    county = desk.county
    sent = minutes(county, hold(county).header.thread, *to, keep_until=county.now + keep)
    await desk.send(sent)
    return sent


async def test_a_held_body_outlives_grace_and_keep_until(desk: Desk) -> None:
    """Taken or not, it stays while the hold stands, and nobody is warned of an end that doesn't come."""
    taken, waiting = await _sent(desk, NURSES), await _sent(desk, NURSES)
    await desk.receive(taken, NURSES, "collected", "filed")
    await place(desk, taken)
    await place(desk, waiting, whole=False)
    for _ in range(8):
        await _pass(desk, 50 * DAY)
    assert await _has_body(desk, taken)
    assert await _has_body(desk, waiting)
    assert await desk.notices(NURSES, "keep-until-near") == []
    assert await desk.leaves("body-deleted") == []


async def test_what_comes_into_a_held_thread_is_held(desk: Desk) -> None:
    """A hold on a thread covers later envelopes; one on an envelope covers no other."""
    first, other = await _sent(desk, NURSES), await _sent(desk, NURSES)
    await place(desk, first)
    await place(desk, other, whole=False)
    later = minutes(desk.county, first.header.thread, NURSES, keep_until=desk.county.now + 20 * DAY)
    beside = minutes(desk.county, other.header.thread, NURSES, keep_until=desk.county.now + 20 * DAY)
    await desk.send(later)
    await desk.send(beside)
    await _pass(desk, 30 * DAY)
    await _pass(desk, 2 * DAY)
    assert (await _has_body(desk, later), await _has_body(desk, beside)) == (True, False)


async def test_after_the_release_it_goes_and_says_so_first(desk: Desk) -> None:
    """Within a day retention looks again, warns whoever has not taken it even if it had before, and deletes a day later."""
    sent = await _sent(desk, NURSES)
    await _pass(desk, 95 * DAY)
    assert len(await desk.notices(NURSES, "keep-until-near")) == 1
    name = await place(desk, sent)
    await _pass(desk, 20 * DAY)
    await release(desk, name)
    await _pass(desk, DAY)
    assert len(await desk.notices(NURSES, "keep-until-near")) == 2
    assert await _has_body(desk, sent)
    await _pass(desk, DAY)
    assert not await _has_body(desk, sent)


async def test_a_withdrawal_under_a_hold_keeps_the_evidence(desk: Desk) -> None:
    """It is taken from whoever hadn't it, fetched by nobody, and nobody is asked to destroy theirs until the release."""
    sent = await _sent(desk, NURSES, CAIT)
    await desk.receive(sent, NURSES, "collected")
    name = await place(desk, sent)
    await desk.expire()
    assert (await desk.withdraw(sent)).state == "destruction-asked"
    assert await _has_body(desk, sent)
    assert await desk.notices(NURSES, "withdrawn") == []
    entries = [*await desk.feed(NURSES), *await desk.feed(CAIT)]
    assert [row.body for row in entries if row.entry.ref == sent.id] == [None, None]
    caller = Caller(HEALTH, None, "A" * 43, 2**50)
    with refused("not-found"):
        await sealed_body(desk.store, desk.registry, caller, sent.id, desk.county.now)

    await release(desk, name)
    await desk.expire()
    assert not await _has_body(desk, sent)
    assert [leaf["envelope"] for leaf in await desk.leaves("body-deleted")] == [sent.id]
    told = await desk.notices(NURSES, "hold-placed", "hold-released", "withdrawn")
    assert [one["notice"] for one in told] == ["hold-placed", "hold-released", "withdrawn"]
    assert await desk.notices(CAIT, "withdrawn") == []


async def test_whoever_has_something_of_it_is_told_once(desk: Desk) -> None:
    """Sender and recipients hear of a hold, later parties when they come, and of its end; each time with the leaf of it."""
    sent = await _sent(desk, NURSES)
    name = await place(desk, sent)
    assert await desk.expire() == {MASH, NURSES}
    assert await desk.expire() == frozenset()
    later = minutes(desk.county, sent.header.thread, NURSES, OFFICERS)
    assert OFFICERS in (await desk.send(later)).wake
    for box in (MASH, NURSES, OFFICERS):
        (told,) = await desk.notices(box, "hold-placed")
        assert (told["thread"], told.get("envelope")) == (sent.header.thread, None)
        leaf = (await desk.leaves())[told["index"]]
        assert (leaf["event"], leaf["by"], leaf["outcome"]) == ("hold-placed", name, "police_investigation")
    await release(desk, name)
    assert await desk.expire() == {MASH, NURSES, OFFICERS}
    assert await desk.notices(CAIT, "hold-placed", "hold-released") == []


async def test_the_last_of_two_holds_lets_go(desk: Desk) -> None:
    """Each inquiry has its own hold: releasing one frees nothing that the other covers, and tells nobody."""
    sent = await _sent(desk, NURSES)
    await desk.receive(sent, NURSES, "collected")
    first, second = await place(desk, sent), await place(desk, sent)
    narrow = await place(desk, sent, whole=False)
    await desk.expire()
    await desk.withdraw(sent)
    await release(desk, first)
    await release(desk, narrow)
    await desk.expire()
    assert await _has_body(desk, sent)
    assert [one["envelope"] for one in await desk.notices(NURSES, "hold-released") if "envelope" in one] == [sent.id]
    await release(desk, second)
    await desk.expire()
    assert not await _has_body(desk, sent)
    assert len(await desk.notices(NURSES, "withdrawn")) == 1


async def test_a_hold_is_on_something_and_is_released_once(desk: Desk) -> None:
    """What the hub has nothing of can't be held; what was released can't be released."""
    sent = await _sent(desk, NURSES)
    with refused("thread-unknown"):
        await agree(desk, "hold-place", Place(thread=new_id(desk.county.now)), "complaint")
    with refused("thread-unknown"):
        about = Place(thread=sent.header.thread, envelope=new_id(desk.county.now))
        await agree(desk, "hold-place", about, "complaint")
    with refused("hold-unknown"):
        await release(desk, new_id(desk.county.now))
    assert await desk.leaves("hold-placed", "act-proposed") == []
    name = await place(desk, sent)
    await release(desk, name)
    with refused("hold-released"):
        await release(desk, name)
    rows = await desk.store.read(lambda tx: (tx.holds(None, 10, active=True), tx.holds(None, 10, active=False)))
    assert ([row.id for row in rows[0]], [row.id for row in rows[1]]) == ([], [name])
