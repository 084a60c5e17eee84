"""An adapter that dies, hangs or can't be started is an alarm, and so is each message that was set aside because of it.

So is a system that can't be asked for long what waits there to be sent: nobody misses minutes that never left it.
"""

from __future__ import annotations

from typing import Final

from adapters.gateway.context import Gateway
from adapters.gateway.spool import Transaction
from adapters.hosting.host import HostedAdapter, Trouble
from keys.digests import new_id

MINUTE: Final = 60_000
# A fact of the spool, by the adapter: the moment of the first of the failures since it last worked.
_UNREAD: Final = "outbox unread since "


async def start(gateway: Gateway) -> None:
    """Start every adapter's process, so that one that can't work is known now and not with its first message.

    Raises:
        PluginError: which one, and what to correct.
    """
    for adapter in gateway.adapters.values():
        if isinstance(adapter, HostedAdapter):
            await adapter.start()


async def tell(gateway: Gateway) -> None:
    """Put a notice into the spool for what went wrong with adapters since the last look."""
    for adapter in gateway.adapters.values():
        if isinstance(adapter, HostedAdapter):
            for trouble in adapter.take_troubles():
                await _tell(gateway, adapter.name, trouble)


async def note_unread(gateway: Gateway, name: str) -> None:
    """Remember since when the adapter *name* can't say what waits to be sent; after `unread_minutes` the agency is told, once."""
    now, fact = gateway.clock(), f"{_UNREAD}{name}"
    known = await gateway.spool.one("find_fact", name=fact)
    since = int(known["value"]) if known is not None else now
    if known is None:
        await gateway.spool.run("set_fact", name=fact, value=str(now).encode())
    if now - since < gateway.config.unread_minutes * MINUTE:
        return
    details = {"adapter": name, "reason": "outbox-unread", "since": since}
    await gateway.spool.write(lambda tx: gateway.tell(tx, "adapter-failing", f"unread:{name}:{since}", details=details))


async def note_read(gateway: Gateway, name: str) -> None:
    """Forget that the adapter *name* couldn't say what waits: it just has."""
    if await gateway.spool.one("find_fact", name=f"{_UNREAD}{name}") is not None:
        await gateway.spool.run("drop_fact", name=f"{_UNREAD}{name}")


async def _tell(gateway: Gateway, name: str, trouble: Trouble) -> None:
    details = {"adapter": name, "reason": trouble.reason} | (
        {"envelope": trouble.message} if trouble.message is not None else {}
    )

    async def work(tx: Transaction) -> None:
        topic = f"adapter:{name}:{new_id(gateway.clock())}"
        await gateway.tell(tx, "adapter-failing", topic, mailbox=trouble.mailbox, details=details)

    await gateway.spool.write(work)
