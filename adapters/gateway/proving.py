"""What the hub took has to be in its log: checked once a checkpoint covers it, and missed within a minute.

Source: protocol 4, 6 and 8; promises 1 (P8).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from adapters.errors import GatewayError
from adapters.gateway import evidence
from adapters.gateway.claims import FORGED, signed_of
from adapters.gateway.context import Gateway
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.tree import Shown, Tree
from keys import jws, merkle
from keys.errors import KeysError
from schemas.evidence import Entry, Reason, Said
from schemas.receipt import parse_receipt

_log = logging.getLogger("gateway.proving")
BATCH: Final = 1000
# A checkpoint covers an entry within a second; with a look every ten, what is kept back is told within a minute.
PATIENCE_SECONDS: Final = 45.0
# As far as two clocks may differ: what the hub took longer than this before it was signed is dated back.
SKEW: Final = 5 * 60_000
_OTHER: Final[Mapping[str, Reason]] = {"acceptance": "other-entry", "receipt": "receipt-not-logged"}
_FORGED: Final[Mapping[str, Reason]] = {"forged-receipt": "receipt-forged", "forged-key": "key-forged"}


class Proving:
    """The claims not yet seen in the log; patience is counted in real seconds, as a training clock may leap."""

    def __init__(self, gateway: Gateway, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._gateway, self._monotonic = gateway, monotonic
        self._since: dict[str, float] = {}

    async def look(self) -> int:
        """Look for what the last verified checkpoint covers; return how much was where it has to be.

        Raises:
            NotYetError: the hub is away.
            GatewayError: ``log-inconsistent``; something is not there, or no checkpoint covers it in time.
        """
        tree = self._gateway.witness.tree()
        proved = missing = 0
        for row in await self._gateway.spool.all("claims", limit=BATCH):
            if tree is None or row["ix"] >= tree.seen.size:
                missing += await self._wait(row)
            elif await self._judge(row, tree):
                proved += row["kind"] not in FORGED
            else:
                missing += 1
        if missing:
            _log.error("%d things that the hub took are not in its log", missing)
            raise GatewayError(
                "log-inconsistent",
                "the hub's log lacks what the hub said it had accepted",
                "keep this gateway's spool and tell the partnership's officers",
            )
        return proved

    async def _wait(self, row: Row) -> bool:
        """Answer whether the claim in *row* has waited too long for a checkpoint, having told it."""
        now = self._monotonic()
        if now - self._since.setdefault(row["name"], now) <= PATIENCE_SECONDS:
            return False
        if row["kind"] in FORGED:
            await self._drop(row)
            return False
        await self._gateway.spool.write(partial(self._accuse, row, "not-covered", (), None))
        return True

    async def _judge(self, row: Row, tree: Tree) -> bool:
        """Answer whether all is well with the claim in *row*; what is settled is looked for no more."""
        try:
            shown: Shown | None = await tree.find(row["ix"])
        except KeysError:
            shown = None  # not the hashes of the tree that the hub signed: nobody but this gateway can know
        note = await self._note(tree)
        is_there = shown is not None and shown.hash == merkle.leaf_hash(bytes(row["leaf"]))
        if row["kind"] in FORGED:
            if is_there and shown is not None and note is not None:
                entry = evidence.entry_of(note, shown, bytes(row["leaf"]))
                await self._gateway.spool.write(partial(self._accuse, row, _FORGED[row["kind"]], (entry,), note))
            await self._drop(row)
            return True
        if not is_there or shown is None:
            entries = (evidence.entry_of(note, shown),) if shown is not None and note is not None else ()
            await self._gateway.spool.write(partial(self._accuse, row, _OTHER[row["kind"]], entries, note))
            return False
        await self._check_moment(row, tree, shown, note)
        await self._drop(row)
        return True

    async def _check_moment(self, row: Row, tree: Tree, shown: Shown, note: bytes | None) -> None:
        """Hold the moment of an entry that is there to its neighbours', and a receipt's to when it was signed."""
        spool, index, at = self._gateway.spool, row["ix"], row["at"]
        before, after = await spool.one("proven_before", ix=index), await spool.one("proven_after", ix=index)
        wrong = [one for one in (before, after) if one and (one["at"] - at) * (one["ix"] - index) < 0]
        mine = (evidence.entry_of(note, shown, bytes(row["leaf"])),) if note else ()
        for one in wrong if note else ():
            other = evidence.entry_of(note or b"", await tree.find(one["ix"]), bytes(one["leaf"]))
            await spool.write(partial(self._accuse, row, "moments-backwards", (*mine, other), note))
        if row["kind"] == "receipt" and _signed_at(row) > at + SKEW:
            await spool.write(partial(self._accuse, row, "receipt-backdated", mine, note))

    async def _drop(self, row: Row) -> None:
        async def work(tx: Transaction) -> None:
            if row["kind"] not in FORGED:
                await tx.run("add_proven", ix=row["ix"], at=row["at"], leaf=bytes(row["leaf"]))
                await tx.run("sweep_proven", before=row["at"] - evidence.KEEP)
            await tx.run("drop_claim", name=row["name"])

        await self._gateway.spool.write(work)
        self._since.pop(row["name"], None)

    async def _note(self, tree: Tree) -> bytes | None:
        """Return the signed note of the checkpoint under which *tree* is, if it is kept here."""
        kept = await self._gateway.spool.one("find_note", size=tree.seen.size)
        return bytes(kept["text"]) if kept else None

    async def _accuse(
        self, row: Row, reason: Reason, entries: tuple[Entry, ...], note: bytes | None, tx: Transaction
    ) -> None:
        about: dict[str, Any] = {"index": row["ix"]}
        if row["envelope"]:
            about["envelope"] = row["envelope"]
        if row["kind"].endswith("receipt"):
            about["receipt"] = row["name"]
        said = Said(reason=reason, at=self._gateway.clock(), **about)
        signed = signed_of(row)
        signed += evidence.statements_of(self._gateway.partnership.books.keys, signed)
        is_told = row["kind"] == "acceptance" and reason in {"other-entry", "not-covered"}
        take = evidence.keep if is_told else evidence.accuse
        await take(tx, said, *entries, signed=signed, note=note)
        if is_told:
            details = {"reason": "not-in-log", "envelope": row["envelope"], "thread": row["thread"]}
            await self._gateway.tell(tx, "log-inconsistent", f"unproved:{row['envelope']}", details=details)


def _signed_at(row: Row) -> int:
    (compact,) = signed_of(row)
    return parse_receipt(jws.parse(compact, jws.RECEIPT).payload).at
