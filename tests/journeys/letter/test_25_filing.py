"""System 25: what one agency tells another is in the child's running record, or is seen not to be there.

In 2018 liaison was absent from records.
"""

from __future__ import annotations

import asyncio
from typing import Any

from adapters.gateway.config import MailboxConfig
from adapters.gateway.filing import read_content
from keys import jws
from schemas.receipt import Receipt, parse_receipt
from tests.gateway.support import minutes_full, read_notices
from tests.journeys.letter.support import COUNCIL, HEALTH, MASH, NURSES, Letter, Sent, iso

TAKEN = "full-received"
DUE = "2026-07-07 17:01"


async def send_minutes(letter: Letter) -> Sent:
    """Let social care send the minutes of this morning's discussion to the nurses."""
    message = minutes_full([MASH, NURSES]) | {"started_at": iso(letter.now)}
    return await letter.send("minutes.full", MASH, [NURSES], message=message)


async def receipts(letter: Letter, sent: Sent) -> list[Receipt]:
    """Return what the hub has been told of *sent*, in order."""
    rows = await letter.town.site.hub.store.read(lambda tx: tx.receipts_of(sent.id))
    return [parse_receipt(jws.parse(bytes(row.jws), jws.RECEIPT).payload) for row in rows]


async def figures(letter: Letter) -> dict[str, Any]:
    """Return what the county's figures say of this discussion's minutes."""
    found = await letter.report("duties", "2026-07-01 00:00", "2026-08-01 00:00", type="minutes.full", rule=TAKEN)
    (rule,) = found["rules"]
    total: dict[str, Any] = rule["total"]
    return total


async def test_a_record_system_that_cannot_file_is_seen_by_both_sides(letter: Letter) -> None:
    """Given a folder that can't be written, when minutes come, then they are collected, never filed, and both sides hear."""
    home = (await letter.gateway(HEALTH)).gateway.home
    sent = await send_minutes(letter)
    # Something else stands where the record should go.
    (home / "in" / sent.id).write_text("not a folder")
    await letter.work(HEALTH)
    assert [one.level for one in await receipts(letter, sent)] == ["collected"]
    await letter.until(DUE)
    assert await letter.states(sent.thread, TAKEN) == {(NURSES, MASH): "overdue"}
    for mailbox in (NURSES, MASH):
        assert await letter.told(mailbox, "overdue", TAKEN)
    assert (await figures(letter))["stuck"] == 1
    (home / "in" / sent.id).unlink()
    await asyncio.sleep(0.3)  # longer than the longest pause between two tries
    await letter.work(HEALTH)
    assert [one.level for one in await receipts(letter, sent)] == ["collected", "filed"]
    assert await letter.states(sent.thread, TAKEN) == {(NURSES, MASH): "met_late"}


async def test_what_is_read_back_otherwise_is_not_filed(letter: Letter) -> None:
    """Given a record that isn't what came, when it is read back, then a person is asked for, and filing by hand settles it."""
    agent = await letter.gateway(HEALTH)
    gateway = agent.gateway
    sent = await send_minutes(letter)
    await agent.drain(NURSES)
    row = await gateway.spool.one("find_incoming", envelope=sent.id, mailbox=NURSES)
    assert row is not None
    await gateway.adapters["folder"].file(read_content(gateway, row))
    (gateway.home / "in" / sent.id / "message.json").write_text("{}")
    await letter.work(HEALTH)
    assert [one.level for one in await receipts(letter, sent)] == ["collected"]
    (asked,) = [one for one in read_notices(gateway.home) if one["notice"] == "needs-person"]
    assert (asked["envelope"], asked["reason"]) == (sent.id, "record-differs")
    assert await letter.states(sent.thread, TAKEN) == {(NURSES, MASH): "open"}
    await letter.person(NURSES, sent, "filed", record="PAPER-9")
    assert await letter.states(sent.thread, TAKEN) == {(NURSES, MASH): "met"}
    by_hand = (await receipts(letter, sent))[-1]
    assert (by_hand.level, by_hand.role, by_hand.actor is not None) == ("filed", "practitioner", True)


async def test_collected_and_opened_clear_nothing(letter: Letter) -> None:
    """Given nurses without a record system, when minutes are collected and looked at, then they are owed as before."""
    await letter.gateway(HEALTH, mailboxes=(MailboxConfig(id=NURSES, adapter=""),))
    sent = await send_minutes(letter)
    await letter.receive(NURSES, sent)
    await letter.person(NURSES, sent, "opened")
    assert [one.level for one in await receipts(letter, sent)] == ["collected", "opened"]
    await letter.until(DUE)
    assert await letter.states(sent.thread, TAKEN) == {(NURSES, MASH): "overdue"}
    assert (await figures(letter))["stuck"] == 1
    await letter.person(NURSES, sent, "filed", record="PAPER-9")
    assert await letter.states(sent.thread, TAKEN) == {(NURSES, MASH): "met_late"}


async def test_what_is_filed_is_in_the_record_and_its_sender_knows(letter: Letter) -> None:
    """Given a record system that works, when minutes come, then it has every word, and the sender its word, and no name."""
    sent = await send_minutes(letter)
    message = await letter.receive(NURSES, sent)
    record = letter.town.homes[HEALTH] / "in" / sent.id
    assert message["history"] in (record / "message.json").read_text("utf-8")
    filed = (await receipts(letter, sent))[-1]
    assert (filed.level, filed.mode, filed.actor) == ("filed", "full", None)
    # A digest under a key of the agency's own: where it was filed is nobody else's to know.
    assert filed.record is not None
    assert sent.id not in filed.record
    assert await letter.states(sent.thread, TAKEN) == {(NURSES, MASH): "met"}
    total = await figures(letter)
    assert (total["owed"], total["met"], total["stuck"]) == (1, 1, 0)
    await letter.work(COUNCIL)
    heard = await letter.agents[COUNCIL].gateway.spool.all("heard_of", envelope=sent.id)
    assert {row["level"] for row in heard} == {"collected", "filed"}
