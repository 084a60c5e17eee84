"""What other agencies' receipts say of the hub: which log they were shown, and what came to them in which order.

A gateway takes a feed in order and answers each delivery in order.  So whoever has answered a later delivery has passed an
earlier one, and whose receipt names one before it has sent that one.

Source: protocol 4 (checkpoint, previous) and 6 (feeds).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from adapters.errors import GatewayError
from adapters.gateway import evidence
from adapters.gateway.claims import claim_receipt
from adapters.gateway.context import Gateway
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.tree import Tree
from keys import jws, merkle
from keys.digests import b64u, sha256_b64u
from keys.errors import KeysError
from schemas.envelope import Header
from schemas.evidence import Reason, Said
from schemas.identifiers import MailboxId, Moment, agency_of
from schemas.receipt import Receipt

BATCH: Final = 100
# Receipts that a change of keys held up come a little later than those after them.
GRACE_SECONDS: Final = 20.0
# A checkpoint that another agency was shown is shown here within a second.
PATIENCE_SECONDS: Final = 30.0


async def expect(tx: Transaction, header: Header, index: int) -> None:
    """Remember that each recipient of the envelope accepted at *index* answers it before any later one."""
    for mailbox in header.to:
        await tx.run("add_expected", mailbox=mailbox, ix=index, envelope=header.id, until=header.keep_until)


async def hear(
    gateway: Gateway, tx: Transaction, header: Header, receipt: Receipt, compact: bytes, index: int | None, at: Moment
) -> None:
    """Take from a receipt that is new here what it says of the hub; *header* is of the envelope, sent from here."""
    if index is not None:
        await claim_receipt(tx, "receipt", receipt, compact, header.thread, index=index, at=at)
    if (seen := receipt.checkpoint) is not None and seen.size:
        await tx.run("add_sighting", size=seen.size, root=seen.root, mailbox=receipt.mailbox, jws=compact)
    await _check_chain(gateway, tx, receipt, compact)
    row = await tx.one("find_expected", envelope=receipt.envelope, mailbox=receipt.mailbox)
    if row is not None:
        await tx.run("drop_expected", envelope=receipt.envelope, mailbox=receipt.mailbox)
        if _is_own(gateway, receipt, compact):
            await tx.run("overtake", mailbox=receipt.mailbox, ix=row["ix"], now=gateway.clock(), receipt=compact)


def _is_own(gateway: Gateway, receipt: Receipt, compact: bytes) -> bool:
    """Answer whether the mailbox's own agency signed it: those who took over from it read one feed, each at its own pace."""
    history = gateway.partnership.books.keys.get(jws.parse(compact, jws.RECEIPT).kid)
    return history is not None and history.last.agency == agency_of(receipt.mailbox)


async def _check_chain(gateway: Gateway, tx: Transaction, receipt: Receipt, compact: bytes) -> None:
    if receipt.previous is None:
        return
    heard = await tx.all("heard_by", envelope=receipt.envelope, mailbox=receipt.mailbox)
    if receipt.previous not in {sha256_b64u(bytes(row["jws"])) for row in heard}:
        said = Said(
            reason="receipt-left-out", at=gateway.clock(), envelope=receipt.envelope, receipt=receipt.id,
            mailbox=receipt.mailbox,
        )  # fmt: skip
        await evidence.accuse(tx, said, signed=(compact,))


class Sightings:
    """What was heard and isn't judged yet; patience is counted in real seconds, as a training clock may leap."""

    def __init__(self, gateway: Gateway, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._gateway, self._monotonic = gateway, monotonic
        self._since: dict[tuple[object, ...], float] = {}

    async def look(self) -> None:
        """Hold what others were shown to what is shown here, and tell what was passed over.

        Raises:
            NotYetError: the hub is away.
            GatewayError: ``log-inconsistent``; another agency was shown another log, or a longer one.
        """
        for row in await self._gateway.spool.all("overtaken", limit=BATCH):
            if self._is_overdue(GRACE_SECONDS, "overtaken", row["mailbox"], row["ix"]):
                await self._gateway.spool.write(partial(self._tell_left_out, row))
        tree, differs = self._gateway.witness.tree(), False
        for row in await self._gateway.spool.all("sightings", limit=BATCH):
            differs |= await self._judge(row, tree)
        if differs:
            raise GatewayError(
                "log-inconsistent",
                "another agency was shown another log than this one",
                "export the evidence, and tell the partnership's officers",
            )

    def _is_overdue(self, patience: float, *what: object) -> bool:
        now = self._monotonic()
        return now - self._since.setdefault(what, now) > patience

    async def _judge(self, row: Row, tree: Tree | None) -> bool:
        """Answer whether what *row* shows differs from what is shown here, having told it."""
        size, root = row["size"], row["root"]
        if tree is None or size > tree.seen.size:
            if not self._is_overdue(PATIENCE_SECONDS, size, root):
                return False
            await self._gateway.spool.write(partial(self._accuse, row, "shown-less", {}))
            return True
        facts: dict[str, Any] = {}
        kept = await self._gateway.spool.one("find_note", size=tree.seen.size)
        own: bytes | None = tree.seen.root
        if size < tree.seen.size:
            try:
                path = await tree.beginning(size)
            except KeysError:
                own = None  # not the hashes of the tree that the hub signed
            else:
                own = merkle.older_root(size, tree.seen.size, path, tree.seen.root)
                facts = {"beginning": evidence.beginning_of(bytes(kept["text"]), size, path)} if kept else {}
        differs = own is None or b64u(own) != root
        if differs:
            note = bytes(kept["text"]) if kept else None
            await self._gateway.spool.write(partial(self._accuse, row, "two-views", facts, note=note))
        await self._gateway.spool.run("drop_sighting", size=size, root=root)
        self._since.pop((size, root), None)
        return differs

    async def _accuse(
        self, row: Row, reason: Reason, facts: dict[str, Any], tx: Transaction, note: bytes | None = None
    ) -> None:
        said = Said(reason=reason, at=self._gateway.clock(), size=row["size"])
        compact = bytes(row["jws"])
        signed = (compact, *evidence.statements_of(self._gateway.partnership.books.keys, (compact,)))
        await evidence.accuse(tx, said, *facts.values(), signed=signed, note=note)

    async def _tell_left_out(self, row: Row, tx: Transaction) -> None:
        """Tell that *row*'s recipient passed over what the hub owed it, and keep the hub's word that it did."""
        mailbox: MailboxId = row["mailbox"]
        sent = await tx.one("find_sent", envelope=row["envelope"])
        await tx.run("drop_expected", envelope=row["envelope"], mailbox=mailbox)
        self._since.pop(("overtaken", mailbox, row["ix"]), None)
        if sent is None or sent["state"] != "accepted":
            return  # taken back
        said = Said(
            reason="delivery-left-out", at=self._gateway.clock(), envelope=row["envelope"], mailbox=mailbox,
            index=row["ix"],
        )  # fmt: skip
        signed = (bytes(sent["header"]), bytes(sent["acceptance"]), bytes(row["overtaken_by"]))
        await evidence.accuse(tx, said, signed=signed)
