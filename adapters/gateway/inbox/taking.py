"""Taking receipt: what a person says that they did with a delivery, said once however often they press the button.

The receipt, the local record of who looked, and the delivery's state are one transaction: killed before it ends, nothing was
said; after it, the receipt is sent when the hub can be reached.

Source: protocol 4; domain 8.
"""

from __future__ import annotations

from typing import Final, Literal

from adapters.base import Incoming
from adapters.errors import GatewayError
from adapters.gateway import filing, receipting
from adapters.gateway.inbox.access import Action
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.relations import find_delivery
from adapters.gateway.receipting import receipt_by_person
from adapters.gateway.spool import Row, Transaction
from schemas.receipt import Receipt

Said = Literal["opened", "acknowledged", "declined"]
_ACTIONS: Final[dict[Said, Literal["open", "acknowledge", "decline"]]] = {
    "opened": "open", "acknowledged": "acknowledge", "declined": "decline",
}  # fmt: skip


async def take(inbox: Inbox, person: Person, envelope: str, level: Said, code: str | None = None) -> Row:
    """Sign that *person* reached *level* with the delivery of *envelope* to their team; return its row.

    Saying the same again changes nothing.  Opening what nobody holds makes whoever opens it its holder.

    Raises:
        NotHereError: it isn't there, or not for them.
        GatewayError: ``taken-otherwise``: they have declined it, or acknowledged it, before; and as ``receipt_by_person``.
    """

    async def work(tx: Transaction) -> Row:
        row = await find_delivery(inbox, tx, person, envelope, _ACTIONS[level])
        said = {one.level for one in await receipts_by(inbox, tx, row, person)}
        if level in said:
            return row
        if end := said & {"acknowledged", "declined"}:
            if level == "opened":
                return row
            raise GatewayError(
                "taken-otherwise",
                "You have acknowledged it already" if "acknowledged" in end else "You have declined it already",
                "A receipt can't be taken back; write to its sender if it was wrong",
            )
        if row["content"] is None or row["state"] in {"rejected", "destroyed"}:
            raise GatewayError("inbox-empty", "Its content is no longer here", "Look in the record system")
        now = inbox.now()
        await receipt_by_person(
            tx, inbox.gateway.keyring, row, level, actor=person.actor, role=person.role, now=now,
            seen=inbox.gateway.witness.receipt_view(), code=code,
        )  # fmt: skip
        await inbox.people.note(
            tx, person.id, level, now, thread=row["thread"], envelope=envelope, mailbox=row["mailbox"], code=code
        )
        if not await tx.all("holders_here", thread=row["thread"], mailbox=row["mailbox"], now=now):
            await tx.run(
                "add_holder", thread=row["thread"], mailbox=row["mailbox"], person=person.id, at=now, by=person.id
            )
        return row

    return await inbox.gateway.spool.write(work)


async def receipts_by(inbox: Inbox, tx: Transaction, row: Row, person: Person) -> list[Receipt]:
    """Return what *person* has signed about the delivery in *row*, oldest first."""
    return await receipting.receipts_by(tx, inbox.gateway.keyring, row, person.actor)


async def find_opened(
    inbox: Inbox, tx: Transaction, person: Person, envelope: str, action: Action
) -> tuple[Row, Incoming]:
    """Return a delivery that *person* has opened and with which they may do *action*, and what it says.

    Raises:
        NotHereError: it isn't there, or not for them.
        GatewayError: ``inbox-not-opened``, ``inbox-empty``.
    """
    row = await find_delivery(inbox, tx, person, envelope, action)
    if not any(one.level == "opened" for one in await receipts_by(inbox, tx, row, person)):
        raise GatewayError("inbox-not-opened", "You have not opened it yet", "Open it first")
    if row["content"] is None:
        raise GatewayError("inbox-empty", "Its content is no longer here", "Look in the record system")
    return row, filing.read_content(inbox.gateway, row)
