"""``gateway exclude``: two people say that a third may not open what belongs to a thread, or that this has ended.

Source: domain 3 (2), 11 (risk 5).
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec

from adapters.errors import GatewayError
from adapters.gateway import exclusions
from adapters.gateway.agent import open_gateway
from schemas.identifiers import is_id


async def exclude(options: Namespace) -> dict[str, Any]:
    """Record that a person may not open what belongs to a thread, or that this has ended."""
    if not is_id(options.thread):
        raise GatewayError("exclude-thread", "that is no thread", "see `gateway inbox list` for the ids")
    people = (options.person, options.by, options.second)
    if not exclusions.are_different(*people):
        raise GatewayError(
            "exclude-alone",
            "two people decide it, and neither is who it is about",
            "name two others by --by and --second",
        )
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        state, now = exclusions.LIFTED if options.lift else exclusions.EXCLUDED, gateway.clock()
        person = exclusions.pseudonym(gateway, options.person)
        last = await gateway.spool.one("last_exclusion", thread=options.thread, person=person)
        if options.lift:
            if last is None or last["state"] != exclusions.EXCLUDED:
                raise GatewayError("exclude-none", "no such exclusion is in force", "nothing has to be lifted")
            # Whoever is excluded too can't help another out of it.
            await exclusions.check_person(gateway, options.thread, options.by, options.second)
        elif last is not None and last["state"] == exclusions.EXCLUDED:
            return {"thread": options.thread, "state": state}
        names = {"person": exclusions.check_name(options.person), "by": options.by, "second": options.second}
        locked = gateway.spool.lock(msgspec.msgpack.encode(names), options.thread)
        await gateway.spool.run(
            "add_exclusion", thread=options.thread, person=person, state=state, at=now, details=locked
        )
        return {"thread": options.thread, "state": state}
