"""An adapter that dies, hangs or can't be started is an alarm, and so is each message that was set aside because of it."""

from __future__ import annotations

from adapters.gateway.context import Gateway
from adapters.gateway.spool import Transaction
from adapters.hosting.host import HostedAdapter, Trouble
from keys.digests import new_id


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


async def _tell(gateway: Gateway, name: str, trouble: Trouble) -> None:
    details = {"adapter": name, "reason": trouble.reason} | (
        {"envelope": trouble.message} if trouble.message is not None else {}
    )

    async def work(tx: Transaction) -> None:
        topic = f"adapter:{name}:{new_id(gateway.clock())}"
        await gateway.tell(tx, "adapter-failing", topic, mailbox=trouble.mailbox, details=details)

    await gateway.spool.write(work)
