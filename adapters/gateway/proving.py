"""What the hub accepted has to be in its log: checked once a checkpoint covers it, and missed within a minute.

Source: protocol 6 and 8; promises 1 (P8).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.leaves import acceptance_leaf
from adapters.gateway.spool import Row, Transaction
from keys.errors import KeysError
from schemas.envelope import Header
from schemas.identifiers import KeyId
from schemas.statements import Acceptance

_log = logging.getLogger("gateway.proving")
BATCH: Final = 1000
# A checkpoint covers an entry within a second; what a minute doesn't bring is kept back.
PATIENCE_SECONDS: Final = 60.0


async def note_accepted(tx: Transaction, header: Header, kid: KeyId, acceptance: Acceptance) -> None:
    """Remember that *acceptance* has to be found in the log; *kid* signed *header*."""
    leaf = acceptance_leaf(header, kid, acceptance)
    await tx.run("add_unproved", envelope=header.id, ix=acceptance.index, leaf=leaf, thread=header.thread)


class Proving:
    """The acceptances not yet seen in the log; patience is counted in real seconds, as a training clock may leap."""

    def __init__(self, gateway: Gateway, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._gateway, self._monotonic = gateway, monotonic
        self._since: dict[str, float] = {}

    async def look(self) -> int:
        """Prove what the last verified checkpoint covers; return how many were.

        Raises:
            NotYetError: the hub is away.
            GatewayError: ``log-inconsistent``; one is not there, or no checkpoint covers it in time.
        """
        rows = await self._gateway.spool.all("unproved", limit=BATCH)
        tree = self._gateway.witness.tree()
        proved: list[str] = []
        missing: list[Row] = []
        for row in rows:
            if tree is None or row["ix"] >= tree.seen.size:
                if self._is_overdue(row["envelope"]):
                    missing.append(row)
                continue
            try:
                await tree.check(row["ix"], bytes(row["leaf"]))
            except KeysError:
                missing.append(row)
            else:
                proved.append(row["envelope"])
        await self._record(proved, missing)
        if missing:
            raise GatewayError(
                "log-inconsistent",
                "the hub's log lacks what the hub said it had accepted",
                "keep this gateway's spool and tell the partnership's officers",
            )
        return len(proved)

    def _is_overdue(self, envelope: str) -> bool:
        now = self._monotonic()
        return now - self._since.setdefault(envelope, now) > PATIENCE_SECONDS

    async def _record(self, proved: list[str], missing: list[Row]) -> None:
        if not proved and not missing:
            return

        async def work(tx: Transaction) -> None:
            for envelope in proved:
                await tx.run("drop_unproved", envelope=envelope)
            for row in missing:
                details = {"reason": "not-in-log", "envelope": row["envelope"], "thread": row["thread"]}
                await self._gateway.tell(tx, "log-inconsistent", f"unproved:{row['envelope']}", details=details)

        await self._gateway.spool.write(work)
        for envelope in proved:
            self._since.pop(envelope, None)
        if missing:
            _log.error("%d accepted envelopes are not in the hub's log", len(missing))
