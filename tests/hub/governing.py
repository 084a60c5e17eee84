"""What tests of holds, breaches and suspensions share: an act that two people have agreed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub.store.rows import ProposalRow
from hub.store.transaction import Transaction
from keys.digests import new_id
from schemas.envelope import DAY
from tests.county import Desk

Check = Callable[[Transaction, Any, int], None]
CarryOut = Callable[[Transaction, Any, ProposalRow, int], None]


async def agree(desk: Desk, check: Check, carry_out: CarryOut, about: Any, reason: str = "police_investigation") -> str:
    """Have the hub do what two people agreed on, as ``hub.acts`` does; return the proposal's id."""
    now = desk.county.now
    row = ProposalRow(new_id(now), "act", b"{}", reason, "done", new_id(now), now, now + 7 * DAY, new_id(now), now)

    def work(tx: Transaction) -> None:
        check(tx, about, now)
        carry_out(tx, about, row, now)

    await desk.store.write(work)
    return row.id
