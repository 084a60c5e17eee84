"""A record system that takes a message is never taken for a person who read it (risk 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import pytest

from adapters.base import Filed, Outcome
from schemas.receipt import BY_PERSON
from tests.county import COUNCIL, HEALTH, NURSES
from tests.gateway.support import Town, settle
from tests.gateway.test_filing import RecordSystem, receive


@dataclass(frozen=True)
class Opened:
    """What an adapter that opens its mail by itself would like to say."""

    record: str = "case-7"
    level: str = "opened"
    mode: str = "opened"
    reason: str = "opened"


def test_an_outcome_has_no_level() -> None:
    """What an adapter may answer says whether it filed; no field of it could say that somebody opened or acknowledged."""
    fields = {name for kind in get_args(Outcome) for name in kind.__dataclass_fields__}
    assert fields == {"record", "mode", "practitioners", "reason", "code"}
    assert {"opened", "acknowledged", "declined"} == BY_PERSON


@pytest.mark.parametrize(
    ("answer", "levels"),
    [
        (Filed(record="case-7"), ["collected", "filed"]),
        (Filed(record="case-7", practitioners=("opened", "acknowledged")), ["collected", "filed"]),
        (Opened(), ["collected"]),
    ],
)
async def test_an_adapter_cannot_say_that_somebody_opened_it(town: Town, answer: Any, levels: list[str]) -> None:
    """Whatever it answers, the sender hears of no person."""
    async with town.agent(HEALTH) as health:
        envelope = await receive(town, health, RecordSystem(lambda: answer))
        for _ in range(3):
            await health.run_once()
        said = await health.gateway.spool.all("receipts_of", envelope=envelope, mailbox=NURSES)
        assert sorted(row["level"] for row in said if row["state"] == "taken") == levels
        assert not BY_PERSON & {row["level"] for row in said}
        async with town.agent(COUNCIL) as council:
            await settle(council)
            heard = await council.gateway.spool.all("heard_of", envelope=envelope)
            assert sorted(row["level"] for row in heard) == levels
