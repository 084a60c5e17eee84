"""From the spool's queue into the register, and from the register to those who must know: the pass of the gateway.

A message is queued in the transaction that keeps it, entered in one of the register, and only then leaves the queue:
killed between any two, it is entered once.  What a pattern finds is kept with what it was found by, and told after.

Source: protocol 2; domain 2.1 (5, 8, 10, 13, 17).
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

import msgspec

from adapters.errors import NotYetError, place_of
from adapters.gateway.context import Gateway
from adapters.gateway.filing import read_content
from adapters.gateway.outgoing import Kept
from adapters.gateway.register import alerts
from adapters.gateway.register.effects import concerns, load_table
from adapters.gateway.register.entering import enter, forget, take_out
from adapters.gateway.register.judging import Judge
from adapters.gateway.register.patterns import Source, Trigger
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import header_of
from schemas.envelope import Header
from schemas.identifiers import Code, MailboxId, Moment, agency_of

_log = logging.getLogger("gateway.register")
BATCH: Final = 100
AGREED: Final = "agreement"
GONE: Final = frozenset({"rejected", "destroyed", "deleted"})


async def keep_up(gateway: Gateway) -> int:
    """Enter what waits, look at what fell due, tell what was found; return how much was found and told.

    Raises:
        NotYetError: nothing can be judged yet; everything stays where it is.
    """
    await _enter_waiting(gateway)
    await _look_again(gateway)
    return await alerts.tell_all(gateway)


async def _enter_waiting(gateway: Gateway) -> None:
    for waiting in await gateway.spool.all("unregistered", limit=gateway.pacer.room_for(BATCH)):
        key = f"register {waiting['number']}"
        if not gateway.pacer.is_ready(key):
            continue
        try:
            await _take(gateway, waiting["number"])
        except NotYetError:
            raise
        except Exception as error:  # noqa: BLE001
            # One message must not keep the others out.  Its text may hold content, so only kind and place are logged.
            _log.error("a message could not be entered: %s", place_of(error))
            topic, details = f"register-failed:{waiting['number']}", {"envelope": waiting["envelope"]}
            await gateway.spool.write(partial(gateway.tell, code="register-failed", topic=topic, details=details))
            gateway.pacer.failed(key)
            continue
        gateway.pacer.worked(key)
        await gateway.spool.run("drop_unregistered", number=waiting["number"])


async def _take(gateway: Gateway, number: int) -> None:
    row = await gateway.spool.one("find_unregistered", number=number)
    if row is None:
        return  # a command beside the running gateway was quicker
    found = None if row["why"] == "withdrawn" else await _find_held(gateway, row)
    table, register = load_table(), gateway.register

    async def work(tx: Transaction) -> None:
        if found is None:
            named = await tx.all("children_in", envelope=row["envelope"])
            await Judge(gateway).look_at_changed(tx, await take_out(tx, register, row["envelope"]))
            for one in named:
                await Judge(gateway).look(tx, one["child"])
            return
        header, mailbox, source, is_own = found
        if source is None:
            return
        if row["why"] == "again":
            await forget(tx, header.id)
        about, others = await enter(
            tx, register, table, header, mailbox, source.message, partial(_find_sector, gateway)
        )
        # What a pattern sent is no reason to send again: two could go on for ever.
        if about and not is_own:
            trigger = Trigger(header=header, mailbox=mailbox, about=about[0].key, source=source)
            await Judge(gateway).look_at_changed(tx, about, trigger)
        if others and not is_own:
            await Judge(gateway).look_at_changed(tx, others)

    await register.write(work)


def _find_sector(gateway: Gateway, mailbox: MailboxId) -> Code | None:
    """Return the sector of *mailbox*: the first role of its agency."""
    agency = gateway.partnership.books.index.find_agency(agency_of(mailbox))
    return agency.roles[0] if agency and agency.roles else None


async def _find_held(gateway: Gateway, row: Row) -> tuple[Header, MailboxId, Source | None, bool] | None:
    """Return header, mailbox and content (where it concerns the register) of what is still held, and whether a pattern sent it; ``None``: it is gone.

    Gone is what was taken back, destroyed, or returned by a person to whom it did not belong.
    """
    sent = await gateway.spool.one("find_sent", envelope=row["envelope"])
    if sent is not None and sent["state"] == "accepted":
        source = None
        header = header_of(sent)
        # Nothing is opened that doesn't concern the register.
        if row["draft"] is not None and concerns(load_table(), header):
            content = gateway.spool.unlock(bytes(row["draft"]), row["envelope"])
            source = alerts.source_of(msgspec.msgpack.decode(content, type=Kept).draft)
        return header, sent["mailbox"], source, sent["adapter"] == alerts.ADAPTER
    for held in await gateway.spool.all("find_for_any", envelope=row["envelope"]):
        if held["header"] is None or held["state"] in GONE or await _was_returned(gateway, held):
            continue
        header = header_of(held)
        is_read = held["content"] is not None and concerns(load_table(), header)
        source = alerts.source_of(read_content(gateway, held)) if is_read else None
        return header, held["mailbox"], source, False
    return None


async def _was_returned(gateway: Gateway, held: Row) -> bool:
    said = await gateway.spool.all("receipts_of", envelope=held["envelope"], mailbox=held["mailbox"])
    return any(receipt["level"] == "declined" and receipt["state"] != "refused" for receipt in said)


async def _look_again(gateway: Gateway) -> None:
    """Look at the children of whom something fell due, and at everybody once when the agreement has changed."""
    register, now = gateway.register, gateway.clock()
    due = await register.all("due_looks", now=now, limit=BATCH)
    try:
        version = str(gateway.partnership.books.rules_at(now).version).encode()
    except NotYetError:
        return  # nothing was received yet that could concern anybody
    seen = await register.one("find_fact", name=AGREED)
    if seen is None or bytes(seen["value"]) != version:
        await register.write(partial(_look_at_all, now=now, version=version))
    # One look sees all that is due of a child by then.
    for child in dict.fromkeys(look["child"] for look in due):
        await register.write(partial(_look_at, gateway, child=child, now=now))


async def _look_at_all(tx: Transaction, *, now: Moment, version: bytes) -> None:
    await tx.run("look_at_all", at=now)
    await tx.run("set_fact", name=AGREED, value=version)


async def _look_at(gateway: Gateway, tx: Transaction, *, child: str, now: Moment) -> None:
    await Judge(gateway).look(tx, child)
    await tx.run("drop_looks", child=child, now=now)
