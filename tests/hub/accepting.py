"""A process that accepts envelopes and receipts under load until it is killed; each line that it prints was answered.

``python -m tests.hub.accepting DATABASE WORK``: WORK is a pickle of the county, the envelopes, and how to go on.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
from pathlib import Path

from hub import exchange
from hub.registry import Registry
from hub.store.base import open_store
from tests.county import COUNCIL, POLICE
from tests.hub.crashing import Work


async def main(url: str, work: Work) -> None:
    """Hand in everything, many at once, and say what was answered as soon as it was."""
    store = open_store(url)
    registry = await Registry.load(store)
    signer = work.signer()

    async def hand_in(number: int) -> None:
        one = work.journeys[number]
        accepted = await exchange.accept_envelope(store, registry, COUNCIL, one.raw, work.now, signer)
        print("envelope", number, accepted.acceptance.decode(), flush=True)
        for place, receipt in enumerate(one.receipts):
            (taken,) = await exchange.accept_receipts(store, registry, POLICE, [receipt], work.now, signer)
            assert isinstance(taken, exchange.Taken), taken
            print("receipt", number, place, taken.index, flush=True)

    print("ready", flush=True)
    await asyncio.gather(*(hand_in(number) for number in work.order))
    print("done", flush=True)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], pickle.loads(Path(sys.argv[2]).read_bytes())))  # noqa: S301 our own file
