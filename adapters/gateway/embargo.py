"""What arrived under an embargo: held here, unseen by adapters, until its moment, and then filed by itself.

It is verified, opened, kept and receipted `collected` as ever; only its own mailbox may ask for it meanwhile.  Notices that
name it stay in the spool until then (``untold_notices``).

Source: domain 7.1 (embargo_until), 11 (risk 4); decision embargo.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.moments import read_moment
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import duty_of
from schemas.envelope import Header
from schemas.identifiers import MailboxId, Moment

STATE: Final = "embargoed"
BATCH: Final = 100


def moment_of(message: Mapping[str, Any]) -> Moment:
    """Return until when *message* is under embargo; 0: it isn't."""
    until = message.get("embargo_until")
    return read_moment(until) if until else 0


async def hold(tx: Transaction, header: Header, mailbox: MailboxId, until: Moment) -> None:
    """Note in the transaction that keeps the delivery that nothing of it may be seen before *until*."""
    await tx.run("add_embargo", envelope=header.id, mailbox=mailbox, supersedes=header.supersedes, until=until)


def is_shown(row: Row, mailbox: MailboxId | None) -> bool:
    """Answer whether who asked for *mailbox* (``None``: for any) may learn that the inbox row *row* is there."""
    return mailbox == row["mailbox"] or (mailbox is None and row["state"] != STATE)


async def find_delivery(gateway: Gateway, envelope: str, mailbox: MailboxId | None) -> Row:
    """Return the inbox row of *envelope* that whoever asks for *mailbox* (``None``: for any) may see.

    Raises:
        GatewayError: ``inbox-unknown``, ``inbox-several``.
    """
    rows = await gateway.spool.all("find_for_any", envelope=envelope)
    rows = [row for row in rows if is_shown(row, mailbox)]
    if not rows:
        raise GatewayError("inbox-unknown", "no such delivery is here", "see `gateway inbox list`")
    if len(rows) > 1:
        raise GatewayError("inbox-several", "several of the agency's mailboxes have it", "name one by --mailbox")
    return rows[0]


async def describe(gateway: Gateway, row: Row) -> dict[str, Moment]:
    """Return until when the inbox row *row* is held, and by when its mailbox owes something about it.

    No alarm of that duty is told before the embargo ends, so that whoever looks has to see it here.
    """
    if row["state"] != STATE:
        return {}
    held = await gateway.spool.one("embargo_of", envelope=row["envelope"], mailbox=row["mailbox"])
    rows = await gateway.spool.all("open_in_thread", thread=row["thread"])
    duties = [duty_of(one) for one in rows]
    dues = [one.due for one in duties if (one.envelope, one.debtor) == (row["envelope"], row["mailbox"])]
    said = {"embargo_until": int(held["until"])} if held else {}
    return said | ({"due": min(dues)} if dues else {})


async def lift(gateway: Gateway) -> int:
    """Let go on whatever's moment has come; return how much."""

    async def work(tx: Transaction) -> int:
        due = await tx.all("due_embargoes", now=gateway.clock(), limit=BATCH)
        for row in due:
            by_hand = gateway.adapter_for(row["mailbox"]) is None
            await tx.run(
                "lift_embargo", envelope=row["envelope"], mailbox=row["mailbox"],
                state="waiting-person" if by_hand else "collected",
            )  # fmt: skip
            await tx.run("drop_embargo", envelope=row["envelope"], mailbox=row["mailbox"])
        return len(due)

    return await gateway.spool.write(work)
