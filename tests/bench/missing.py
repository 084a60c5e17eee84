"""Print what the console's page of what is missing costs a hub in trouble: thousands of duties overdue.

uv run python tests/bench/missing.py [DUTIES]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from hub import missing
from hub.missing import Filters
from hub.store.base import open_store
from hub.store.rows import ObligationRow
from keys import digests
from schemas.envelope import DAY
from schemas.rules.duty import Duty
from tests.county import CAIT, MASH, NURSES, START, County, Desk
from tests.hub.support import hold


async def main(count: int) -> None:
    """Make *count* overdue duties of one that real rules opened, and look at them."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder)}/hub.db")
        county = County()
        desk = Desk(county, store, await county.found(store))
        await desk.send(meeting := hold(county, CAIT, NURSES))
        rows = await desk.rows(meeting.header.thread)
        duty = next(row.duty for row in rows.values() if row.duty.debtor == MASH)
        made = [_late(duty, number) for number in range(count)]
        for start in range(0, count, 2000):
            await store.write(lambda tx, start=start: tx.add_obligations(made[start : start + 2000]))  # type: ignore[misc]
        now = START + 400 * DAY
        for title, filters in (("everything", Filters()), ("one type", Filters(family="nothing.such"))):
            begun = time.process_time()
            await store.read(lambda tx, filters=filters: missing.find_missing(tx, filters, now, None, 50))  # type: ignore[misc]
            listed = time.process_time()
            await store.read(lambda tx, filters=filters: missing.tally(tx, filters, now))  # type: ignore[misc]
            counted = time.process_time()
            print(
                f"{count} overdue, {title}: list {1000 * (listed - begun):.1f} ms, counts {1000 * (counted - listed):.1f} ms of CPU"
            )
        await store.close()


def _late(duty: Duty, number: int) -> ObligationRow:
    own = msgspec.structs.replace(duty, item=digests.new_id(START + number), due=duty.due + number * 1000)
    return ObligationRow(digests.obligation_id(own.parts), own, "open", START, step=len(own.steps))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
