"""Legal holds at the agency: what the partnership has asked to keep is not swept, deleted or destroyed here.

A hold comes as a signed notice of the hub, on a thread or on one envelope, and ends by another.  While it stands the spool's
copies stay, whatever their time, and nobody can say here that they destroyed one.  What lies in a record system is its own
to keep: the mailbox is told like of any notice.

Source: domain 9.6; protocol 6.
"""

from __future__ import annotations

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.spool import Row, Transaction
from schemas.identifiers import EnvelopeId, MailboxId, Moment, ThreadId
from schemas.statements import Notice


async def take_notice(gateway: Gateway, tx: Transaction, notice: Notice, at: Moment) -> None:
    """Begin or end a hold, as *notice* says; what waited for its end goes."""
    about = {"thread": notice.thread or "", "envelope": notice.envelope or ""}
    if notice.notice == "hold-placed":
        await tx.run("add_legal_hold", **about, at=at)
        return
    await tx.run("drop_legal_hold", **about)
    for row in await tx.all("kept_back", thread=about["thread"]):
        if not await is_held(tx, about["thread"], row["envelope"]):
            await tx.run("drop_kept_back", thread=about["thread"], envelope=row["envelope"], mailbox=row["mailbox"])
            await let_go(gateway, tx, row["envelope"], row["mailbox"])


async def is_held(tx: Transaction, thread: ThreadId, envelope: EnvelopeId) -> bool:
    """Answer whether a hold covers *envelope* of *thread*."""
    return bool(await tx.all("legal_holds_on", thread=thread, envelope=envelope))


async def check_free(tx: Transaction, row: Row) -> None:
    """Raise if a hold covers the delivery *row*.

    Raises:
        GatewayError: ``held``.
    """
    if await is_held(tx, row["thread"], row["envelope"]):
        raise GatewayError(
            "held", "a legal hold covers it, so it can't be destroyed", "wait until the hold is released"
        )


async def let_go(gateway: Gateway, tx: Transaction, envelope: EnvelopeId, mailbox: MailboxId) -> None:
    """Drop what was taken back after it came here and before its receipt reached the hub; nobody asks for it then.

    Under a hold it stays until the hold ends.
    """
    held = await tx.one("find_incoming", envelope=envelope, mailbox=mailbox)
    if held is None or held["state"] in {"rejected", "destroyed"}:
        return
    if await is_held(tx, held["thread"], envelope):
        await tx.run("keep_back", envelope=envelope, mailbox=mailbox, thread=held["thread"])
        return
    details = {"envelope": envelope, "thread": held["thread"], "type": held["type"], "record": held["record"] or ""}
    topic = f"destroy:{envelope}:{mailbox}"
    await gateway.tell(tx, "destruction-asked", topic, mailbox=mailbox, details=details)
    await tx.run("drop_content", envelope=envelope, mailbox=mailbox)
    await tx.run("add_unregistered", envelope=envelope, why="withdrawn", draft=None)
    if held["state"] != "filed":
        await tx.run("set_incoming", envelope=envelope, mailbox=mailbox, state="destroyed", code=None, record=None)
