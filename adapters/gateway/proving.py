"""What the hub took has to be in its log: checked once a checkpoint covers it, and missed within a minute.

Source: protocol 4, 6 and 8; promises 1 (P8).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from adapters.errors import GatewayError
from adapters.gateway import evidence
from adapters.gateway.claims import FORGED, signed_of
from adapters.gateway.context import Gateway
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.tree import Shown, Tree
from keys import jws, merkle
from keys.errors import KeysError
from schemas.evidence import Reason, Said
from schemas.receipt import parse_receipt

_log = logging.getLogger("gateway.proving")
BATCH: Final = 1000
# A checkpoint covers an entry within a second; with a look every ten, what is kept back is told within a minute.
PATIENCE_SECONDS: Final = 45.0
# As far as two clocks may differ: what the hub took longer than this before it was signed is dated back.
SKEW: Final = 5 * 60_000
_OTHER: Final[Mapping[str, Reason]] = {"acceptance": "other-entry", "receipt": "receipt-not-logged"}
_FORGED: Final[Mapping[str, Reason]] = {"forged-receipt": "receipt-forged", "forged-key": "key-forged"}


@dataclass(slots=True)
class Looked:
    """One look: what lies where the claims say, under the checkpoint in ``note``, and which claims nothing covers in time."""

    note: bytes | None
    shown: list[tuple[Row, Shown | None]] = field(default_factory=list)
    late: list[Row] = field(default_factory=list)


class Result(NamedTuple):
    """How much is where it has to be, and how much is not; and entries beside neighbours that are younger than they may be."""

    proved: int
    missing: int
    backwards: list[tuple[Row, Shown, Row]]


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
        tree, spool = self._gateway.witness.tree(), self._gateway.spool
        rows = await spool.all("claims", limit=BATCH)
        if not rows:
            return 0
        kept = await spool.one("find_note", size=tree.seen.size) if tree else None
        found = Looked(bytes(kept["text"]) if kept else None)
        for row in rows:
            if tree is not None and row["ix"] < tree.seen.size:
                found.shown.append((row, await _find(tree, row["ix"])))
            elif self._is_overdue(row["name"]):
                found.late.append(row)
        result = await spool.write(partial(self._record, found))
        for row, _ in found.shown:
            self._since.pop(row["name"], None)
        if tree is not None:
            for row, mine, other in result.backwards:
                await self._tell_backwards(row, mine, other, tree, found.note)
        if result.missing:
            _log.error("%d things that the hub took are not in its log", result.missing)
            raise GatewayError(
                "log-inconsistent",
                "the hub's log lacks what the hub said it had accepted",
                "keep this gateway's spool and tell the partnership's officers",
            )
        return result.proved

    def _is_overdue(self, name: str) -> bool:
        now = self._monotonic()
        return now - self._since.setdefault(name, now) > PATIENCE_SECONDS

    async def _record(self, found: Looked, tx: Transaction) -> Result:
        """Settle what was looked for."""
        proved = missing = 0
        backwards: list[tuple[Row, Shown, Row]] = []
        for row, shown in found.shown:
            is_there = shown is not None and shown.hash == merkle.leaf_hash(bytes(row["leaf"]))
            if row["kind"] in FORGED:
                if is_there and shown is not None:
                    await self._accuse(tx, row, _FORGED[row["kind"]], found.note, shown, bytes(row["leaf"]))
                await tx.run("drop_claim", name=row["name"])
            elif is_there and shown is not None:
                proved += 1
                backwards += await self._prove(tx, row, shown, found.note)
            else:
                missing += 1
                await self._accuse(tx, row, _OTHER[row["kind"]], found.note, shown)
        for row in found.late:
            if row["kind"] in FORGED:
                await tx.run("drop_claim", name=row["name"])
            else:
                missing += 1
                await self._accuse(tx, row, "not-covered", None, None)
        await tx.run("sweep_proven", before=self._gateway.clock() - evidence.KEEP)
        return Result(proved, missing, backwards)

    async def _prove(self, tx: Transaction, row: Row, shown: Shown, note: bytes | None) -> list[tuple[Row, Shown, Row]]:
        """Take an entry that is there; return its neighbours whose moments don't follow as the entries do."""
        index, at = row["ix"], row["at"]
        near = [await tx.one("proven_before", ix=index), await tx.one("proven_after", ix=index)]
        await tx.run("add_proven", ix=index, at=at, leaf=bytes(row["leaf"]))
        await tx.run("drop_claim", name=row["name"])
        if row["kind"] == "receipt" and _signed_at(row) > at + SKEW:
            await self._accuse(tx, row, "receipt-backdated", note, shown, bytes(row["leaf"]))
        return [(row, shown, one) for one in near if one and (one["at"] - at) * (one["ix"] - index) < 0]

    async def _tell_backwards(self, row: Row, mine: Shown, other: Row, tree: Tree, note: bytes | None) -> None:
        shown = await _find(tree, other["ix"])

        async def work(tx: Transaction) -> None:
            await self._accuse(tx, row, "moments-backwards", note, mine, bytes(row["leaf"]))
            if shown is not None and note is not None:
                await evidence.keep(tx, evidence.entry_of(note, shown, bytes(other["leaf"])))

        await self._gateway.spool.write(work)

    async def _accuse(
        self,
        tx: Transaction,
        row: Row,
        reason: Reason,
        note: bytes | None,
        shown: Shown | None,
        leaf: bytes | None = None,
    ) -> None:
        about: dict[str, Any] = {"index": row["ix"]}
        if row["envelope"]:
            about["envelope"] = row["envelope"]
        if row["kind"].endswith("receipt"):
            about["receipt"] = row["name"]
        said = Said(reason=reason, at=self._gateway.clock(), **about)
        signed = signed_of(row)
        signed += evidence.statements_of(self._gateway.partnership.books.keys, signed)
        entries = [evidence.entry_of(note, shown, leaf)] if note is not None and shown is not None else []
        is_told = row["kind"] == "acceptance" and reason in {"other-entry", "not-covered"}
        take = evidence.keep if is_told else evidence.accuse
        await take(tx, said, *entries, signed=signed, note=note)
        if is_told:
            details = {"reason": "not-in-log", "envelope": row["envelope"], "thread": row["thread"]}
            await self._gateway.tell(tx, "log-inconsistent", f"unproved:{row['envelope']}", details=details)


async def _find(tree: Tree, index: int) -> Shown | None:
    """Return what *tree* has at *index*; ``None``: the hub shows no hashes of the tree that it signed."""
    try:
        return await tree.find(index)
    except KeysError:
        return None


def _signed_at(row: Row) -> int:
    (compact,) = signed_of(row)
    return parse_receipt(jws.parse(compact, jws.RECEIPT).payload).at
