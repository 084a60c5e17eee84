"""From a meeting held to its minutes in everybody's hands, or to the notice that says they are not."""

from __future__ import annotations

from tests.county import CAIT, MASH, NURSES, OFFICERS, Desk


async def test_smoke(desk: Desk) -> None:
    held = desk.county.seal(
        "meeting.held/1", MASH, [CAIT], facts={"meeting": "strategy"}, parties=[CAIT, NURSES, OFFICERS]
    )
    await desk.send(held)
