"""What tests of holds, breaches and suspensions share: an act that two people agree on."""

from __future__ import annotations

from typing import Any

from hub import acts, people
from hub.store.transaction import Transaction
from tests.county import Desk


async def agree(desk: Desk, act: str, about: Any, reason: str) -> str:
    """Have one person propose *act* and another approve it; return the proposal's id."""
    now = desk.county.now

    def work(tx: Transaction) -> str:
        one, two = (
            known.id
            if (known := tx.find_account_by_login(login))
            else people.add_account(tx, None, login, login, ("administrator",), now)
            for login in ("one@example.org", "two@example.org")
        )
        row = acts.propose(tx, one, act, about, reason, now)
        return acts.decide(tx, two, row.id, now, approve=True).id

    return await desk.store.write(work)
