"""Records of breaches: from both sides' signed words, decided by two people."""

from __future__ import annotations

import pytest

from hub import breaches
from hub.breaches import Record
from hub.core.breaching import EXITS, Decide, judge_decision
from schemas.envelope import DAY
from tests.county import CAIT, HEALTH, HOUR, MASH, NURSES, Desk, Sent
from tests.hub.governing import agree
from tests.hub.support import hold, minutes, refused


async def _sent(desk: Desk) -> Sent:
    held = hold(desk.county, NURSES, CAIT)
    await desk.send(held)
    sent = minutes(desk.county, held.header.thread, NURSES, CAIT)
    await desk.send(sent)
    return sent


async def _record(desk: Desk, sent: Sent) -> Record:
    found = await desk.store.read(lambda tx: breaches.find_record(tx, sent.id))
    assert found is not None
    return found


async def _decide(desk: Desk, sent: Sent, decision: str, told_at: int | None = None) -> str:
    about = Decide(envelope=sent.id, decision=decision, told_at=told_at)  # type: ignore[arg-type]
    return await agree(desk, "breach-decide", about, "risk_likely")


async def test_a_withdrawal_of_what_somebody_had_opens_a_record(desk: Desk) -> None:
    """Once, with the sender's word, whoever had it, and their word when they have destroyed it."""
    sent = await _sent(desk)
    await desk.receive(sent, NURSES, "collected")
    await desk.withdraw(sent)
    await desk.withdraw(sent)
    record = await _record(desk, sent)
    assert (record.breach.cause, record.breach.state) == ("withdrawn_after_collection", "open")
    assert (len(record.asked), record.answered, record.have) == (1, [], (NURSES,))
    (leaf,) = await desk.leaves("breach-opened")
    assert (leaf["envelope"], leaf["mailbox"], leaf["by"]) == (sent.id, MASH, record.asked[0].id)

    await desk.take(desk.county.receipt(sent, NURSES, "filed", mode="destroyed"), by=HEALTH)
    record = await _record(desk, sent)
    assert ([one.mailbox for one in record.answered], record.have) == ([NURSES], ())


async def test_a_withdrawal_of_what_nobody_had_is_none(desk: Desk) -> None:
    """Taken back in time: there is nothing to record."""
    sent = await _sent(desk)
    await desk.withdraw(sent)
    assert await desk.store.read(lambda tx: breaches.find_record(tx, sent.id)) is None
    assert await desk.leaves("breach-opened") == []


@pytest.mark.parametrize(("code", "count"), [("wrong_recipient", 1), ("not_known_here", 0)])
async def test_who_says_that_it_was_not_for_them_opens_a_record(desk: Desk, code: str, count: int) -> None:
    """`wrong_recipient` is a misdirection; another reason to decline is not.  The withdrawal that follows opens no second."""
    sent = await _sent(desk)
    await desk.receive(sent, NURSES, "collected")
    await desk.take(desk.county.receipt(sent, NURSES, "declined", code=code), by=HEALTH)
    rows = await desk.store.read(lambda tx: tx.breaches(None, 10))
    assert [row.cause for row in rows] == ["wrong_recipient"][:count]
    await desk.withdraw(sent)
    assert len(await desk.leaves("breach-opened")) == 1
    assert (await _record(desk, sent)).answered[0].code == code


async def test_what_is_decided_is_kept_with_who_and_when(desk: Desk) -> None:
    """To tell, then told with its moment: each step with its leaf and its proposal, in order."""
    sent = await _sent(desk)
    await desk.receive(sent, NURSES, "collected")
    await desk.withdraw(sent)
    desk.county.now += HOUR
    first = await _decide(desk, sent, "to_tell")
    desk.county.now += HOUR
    told = desk.county.now - 60_000
    second = await _decide(desk, sent, "told", told)
    record = await _record(desk, sent)
    assert record.breach.state == "told"
    assert [(step.state, step.proposal, step.told_at) for step in record.steps] == [
        ("to_tell", first, None),
        ("told", second, told),
    ]
    leaves = await desk.leaves("breach-decided")
    assert [(leaf["by"], leaf["outcome"], leaf.get("met_at")) for leaf in leaves] == [
        (first, "to_tell", None),
        (second, "told", told),
    ]
    rows = await desk.store.read(lambda tx: (tx.breaches(None, 9, "told"), tx.breaches(None, 9, "open")))
    assert [len(found) for found in rows] == [1, 0]


async def test_what_can_not_be_decided_changes_nothing(desk: Desk) -> None:
    """No record, a step that skips one, a moment before the record or in the future: refused, and nothing in the log."""
    sent = await _sent(desk)
    with refused("breach-unknown"):
        await _decide(desk, sent, "to_tell")
    await desk.receive(sent, NURSES, "collected")
    await desk.withdraw(sent)
    with refused("breach-order"):
        await _decide(desk, sent, "told", desk.county.now)
    await _decide(desk, sent, "to_tell")
    for moment in (None, desk.county.now - 1, desk.county.now + 1):
        with refused("breach-moment"):
            await _decide(desk, sent, "told", moment)
    assert len(await desk.leaves("breach-decided")) == 1


@pytest.mark.parametrize("state", sorted(EXITS))
@pytest.mark.parametrize("decision", ["to_tell", "told", "not_notifiable", "no_breach"])
def test_a_step_that_is_not_in_the_table_is_refused(state: str, decision: str) -> None:
    """Each pair of state and decision is either in the table or refused."""
    about = Decide(envelope="A", decision=decision, told_at=DAY if decision == "told" else None)  # type: ignore[arg-type]
    refusal = judge_decision(state, about, 0, DAY)  # type: ignore[arg-type]
    assert (refusal is None) == (decision in EXITS[state])  # type: ignore[index]
