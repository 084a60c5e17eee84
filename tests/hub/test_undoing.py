"""A message that was taken back no longer counts: what it had replaced or ended is owed again, and the log verifies."""

from __future__ import annotations

import pytest

from tests.county import CAIT, DAY, HOUR, MASH, NURSES, Desk, Sent
from tests.hub.support import hold, minutes
from tests.hub.test_rehoming import MINUTES, begin, send

TAKEN = "full-received"


async def receipts(desk: Desk, *versions: Sent) -> list[str]:
    """Return the state of the nurses' duty to take receipt of each of *versions*."""
    rows = await desk.store.read(lambda tx: tx.thread_obligations(versions[0].header.thread))
    states = {row.duty.item: row.state for row in rows if row.duty.rule == TAKEN}
    return [states[version.id] for version in versions]


async def versions_of(desk: Desk, count: int) -> list[Sent]:
    """Have the council send minutes to the nurses, *count* versions, each in place of the one before."""
    held = hold(desk.county, NURSES)
    await desk.send(held)
    sent: list[Sent] = []
    for _ in range(count):
        desk.county.now += HOUR
        one = minutes(desk.county, held.header.thread, NURSES, supersedes=sent[-1].id if sent else None)
        await desk.send(one)
        sent.append(one)
    return sent


async def test_a_version_counts_again_when_the_next_is_taken_back(desk: Desk) -> None:
    """The nurses owe a receipt of the first version again and both sides hear of it; a third one replaces both."""
    first, second = await versions_of(desk, 2)
    assert await receipts(desk, first, second) == ["superseded", "open"]
    await desk.withdraw(second)
    assert await receipts(desk, first, second) == ["open", "superseded"]
    for box in (MASH, NURSES):
        assert [one["envelope"] for one in await desk.notices(box, "owed") if one["debtor"] == NURSES][-1] == first.id
    third = minutes(desk.county, first.header.thread, NURSES, supersedes=second.id)
    await desk.send(third)
    assert await receipts(desk, first, second, third) == ["superseded", "superseded", "open"]
    assert first.id in [one["envelope"] for one in await desk.notices(NURSES, "superseded") if "obligation" in one]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
async def test_only_the_newest_version_that_is_left_counts(desk: Desk, order: tuple[int, int]) -> None:
    """In whatever order the later ones are taken back, no older one counts beside a newer one."""
    sent = await versions_of(desk, 3)
    expected = {1: ["superseded", "superseded", "open"], 2: ["superseded", "open", "superseded"]}
    await desk.withdraw(sent[order[0]])
    assert await receipts(desk, *sent) == expected[order[0]]
    await desk.withdraw(sent[order[1]])
    assert await receipts(desk, *sent) == ["open", "superseded", "superseded"]


async def test_of_versions_that_are_all_taken_back_none_is_owed(desk: Desk) -> None:
    """A version that was taken back itself doesn't count again."""
    first, second = await versions_of(desk, 2)
    await desk.withdraw(first)
    await desk.withdraw(second)
    assert await receipts(desk, first, second) == ["superseded", "superseded"]


async def test_what_was_taken_meanwhile_is_not_owed_again(desk: Desk) -> None:
    """Whoever filed the first version after the second had come has taken its receipt, in time."""
    first, second = await versions_of(desk, 2)
    await desk.receive(first, NURSES, "collected", "filed")
    assert await receipts(desk, first, second) == ["superseded", "open"]
    await desk.withdraw(second)
    assert await receipts(desk, first, second) == ["met", "superseded"]


async def test_whoever_has_the_newer_version_owes_no_receipt_of_the_older(desk: Desk) -> None:
    """What was collected is not taken back before it is destroyed; then the older one counts again."""
    first, second = await versions_of(desk, 2)
    await desk.receive(second, NURSES, "collected")
    await desk.withdraw(second)
    assert await receipts(desk, first, second) == ["superseded", "open"]
    await desk.take(desk.county.receipt(second, NURSES, "filed", mode="destroyed"), by="northmere-health")
    assert await receipts(desk, first, second) == ["open", "superseded"]


async def test_what_a_message_ended_goes_on_when_it_is_taken_back(desk: Desk) -> None:
    """A closing that was withdrawn has closed nothing: the minutes are owed by their old clock, and come overdue."""
    held = await begin(desk)
    thread = held.header.thread
    await desk.send(closed := send(desk, "case.closed", held, MASH, CAIT))
    assert (await desk.duties(thread))[MINUTES, MASH, NURSES] == "superseded"
    await desk.withdraw(closed)
    assert (await desk.duties(thread))[MINUTES, MASH, NURSES] == "open"
    await desk.tick(50 * HOUR)
    assert len(await desk.notices(NURSES, "overdue")) == 1


async def test_what_another_message_ends_stays_ended(desk: Desk) -> None:
    """Of two closings one is left."""
    held = await begin(desk)
    await desk.send(first := send(desk, "case.closed", held, MASH, CAIT))
    desk.county.now += HOUR
    await desk.send(send(desk, "case.closed", held, MASH, CAIT))
    await desk.withdraw(first)
    assert (await desk.duties(held.header.thread))[MINUTES, MASH, NURSES] == "superseded"


async def test_what_was_sent_while_it_had_ended_meets_it(desk: Desk) -> None:
    """Minutes that came although nobody owed them any more count when they are owed again."""
    held = await begin(desk)
    await desk.send(closed := send(desk, "case.closed", held, MASH, CAIT))
    await desk.send(minutes(desk.county, held.header.thread, NURSES))
    await desk.tick(DAY)
    await desk.withdraw(closed)
    assert (await desk.duties(held.header.thread))[MINUTES, MASH, NURSES] == "met"


async def test_what_moved_stays_where_it_is(desk: Desk) -> None:
    """Whoever took work over may have acted on it: it is handed back by a message, never by silence."""
    held = await begin(desk)
    await desk.send(moved := send(desk, "case.transferred", held, MASH, CAIT))
    await desk.withdraw(moved)
    assert await desk.duties(held.header.thread) == {
        (MINUTES, MASH, NURSES): "superseded",
        (MINUTES, CAIT, NURSES): "open",
    }
