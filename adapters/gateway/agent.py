"""A gateway at work: mail out, mail in, and beside them watch, witness and errands, each a loop of its own.

No loop holds anything that the spool doesn't: each may be killed between any two lines and taken up again.

Source: design 4; promises 1 (P3, P13).
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from adapters.errors import GatewayError, NotYetError, place_of
from adapters.gateway import errands, filing, incoming, outgoing, rotation, trust
from adapters.gateway.client import Client, HubAwayError
from adapters.gateway.config import Clock, Config, load_config, make_clock
from adapters.gateway.context import Gateway
from adapters.gateway.keystore import load_keyring, read_passphrase
from adapters.gateway.pacing import Pacer
from adapters.gateway.partnership import Partnership
from adapters.gateway.proving import Proving
from adapters.gateway.spool import Spool
from adapters.gateway.watch import Watch
from adapters.gateway.witness import Witness
from adapters.plugins import load_adapters
from keys.digests import from_b64u, keyed_digest
from keys.errors import KeysError
from keys.keyring import Keyring
from schemas.catalogue import Catalogue
from schemas.identifiers import MailboxId, Moment
from schemas.strict_json import MalformedError

_log = logging.getLogger("gateway")
SPOOL_NAME = "spool.db"
ROTATE_SECONDS = 3600.0

Pass = Callable[[], Awaitable[None]]


def spool_key(keyring: Keyring) -> bytes:
    """Return the key under which the spool keeps content; it lives in the keyring only."""
    return from_b64u(keyed_digest(keyring.record_key, "gateway spool"))


@asynccontextmanager
async def open_gateway(
    home: Path,
    *,
    passphrase_file: str | None = None,
    clock: Clock | None = None,
    config: Config | None = None,
    keyring: Keyring | None = None,
) -> AsyncIterator[Gateway]:
    """Open the gateway whose home is *home*: configuration, keys, spool, client, documents, adapters, in that order.

    *clock*, *config* and *keyring* are for a caller that has read them already.

    Raises:
        GatewayError: what is missing or wrong, and the way out.
    """
    config = config or load_config(home)
    clock = clock or make_clock(config, home)
    passphrase = read_passphrase(config, home, passphrase_file)
    keyring = keyring or load_keyring(home, passphrase)
    pinned = trust.load_pinned(home)
    async with AsyncExitStack() as stack:
        spool = await stack.enter_async_context(Spool(home / SPOOL_NAME, spool_key(keyring)))
        url = config.hub or pinned.hub_url
        client = await stack.enter_async_context(
            Client(url, config.agency, keyring.signing, clock, audience=pinned.hub_url)
        )
        witness = Witness(spool, client, keyring.witness, config.agency, clock)
        await witness.load()
        partnership = Partnership(spool, client, witness, pinned)
        await partnership.load()
        yield Gateway(
            config=config, home=home, keyring=keyring, passphrase=passphrase, spool=spool, client=client,
            witness=witness, partnership=partnership, adapters=load_adapters(config.adapters, home),
            catalogue=Catalogue.load(), clock=clock, pacer=Pacer(config.retry_seconds),
        )  # fmt: skip


class Agent:
    """The loops of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.watch = Watch(gateway.config.agency)
        self._stop = asyncio.Event()
        self._spooled, self._received, self._said = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._looked: dict[MailboxId, asyncio.Event] = {box: asyncio.Event() for box in gateway.mailboxes()}
        self._drained: dict[MailboxId, Moment] = dict.fromkeys(gateway.mailboxes(), 0)
        self._proving = Proving(gateway)

    def stop(self) -> None:
        """Ask every loop to end after what it is doing."""
        self._stop.set()

    async def run(self) -> None:
        """Work until :meth:`stop`."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        config = self.gateway.config
        # A training clock may let a month pass in a minute.
        rotate = ROTATE_SECONDS if config.clock == "system" else config.witness_seconds
        loops: list[tuple[str, Pass, float, asyncio.Event | None]] = [
            ("collecting", self.collect_pass, config.poll_seconds, None),
            ("sending", self.send_pass, config.poll_seconds, self._spooled),
            ("filing", self.file_pass, config.poll_seconds, self._received),
            ("receipting", self.receipt_pass, config.poll_seconds, self._said),
            ("watching", self.watch_pass, config.watch_seconds, None),
            ("witnessing", self.refresh_pass, config.witness_seconds, None),
            ("rotating keys", self.rotate_pass, rotate, None),
            *((f"receiving {box}", partial(self.pull_pass, box), 0.0, None) for box in self._looked),
        ]
        tasks = [asyncio.create_task(self._repeat(*one)) for one in loops]
        await self._stop.wait()
        for task in tasks:
            # What is in the spool is safe at any moment, so a long poll needn't be waited for.
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run_once(self) -> int:
        """Do each thing once, as far as the hub can be reached; return how many failed."""
        passes: list[tuple[str, Pass]] = [
            ("witnessing", self.refresh_pass),
            ("collecting", self.collect_pass),
            ("sending", self.send_pass),
            *((f"receiving {box}", partial(self.drain, box)) for box in self._looked),
            ("watching", self.watch_pass),
            ("filing", self.file_pass),
            ("receipting", self.receipt_pass),
        ]
        return sum([await self._try(name, work) is not None for name, work in passes])

    async def collect_pass(self) -> None:
        """Take what waits in the adapters."""
        if await outgoing.collect(self.gateway):
            self._spooled.set()

    async def send_pass(self) -> None:
        """Seal and send; then what is on the list."""
        await outgoing.seal_drafts(self.gateway)
        await outgoing.send_sealed(self.gateway, self.watch)
        await errands.run_chores(self.gateway, self.watch)

    async def pull_pass(self, mailbox: MailboxId) -> None:
        """Take the next page of a feed, waiting for it."""
        try:
            self.gateway.partnership.books  # noqa: B018
            # The first look doesn't wait: the watch rings only after it, or after it failed.
            wait = self.gateway.config.wait_seconds if self._looked[mailbox].is_set() else 0
            if await self._pull(mailbox, wait):
                self._received.set()
        finally:
            self._looked[mailbox].set()

    async def drain(self, mailbox: MailboxId) -> None:
        """Take every page that a feed has now."""
        try:
            while await self._pull(mailbox, 0):
                pass
        finally:
            self._looked[mailbox].set()

    async def _pull(self, mailbox: MailboxId, wait: float) -> int:
        asked = self.gateway.clock()
        count = await incoming.pull(self.gateway, self.watch, mailbox, wait)
        if not count:
            # Nothing that the hub had by then is still to be opened.
            self._drained[mailbox] = asked
        return count

    async def file_pass(self) -> None:
        """File what was collected, and show notices."""
        await filing.file_collected(self.gateway)
        await filing.tell_notices(self.gateway)
        self._said.set()

    async def receipt_pass(self) -> None:
        """Send the receipts that wait."""
        await filing.send_receipts(self.gateway, self.watch)

    async def watch_pass(self) -> None:
        """Ring for what is due: also while the hub is dark, and then above all."""
        for looked in self._looked.values():
            await looked.wait()
        index = self.gateway.partnership.books.index
        await errands.warn_of_expired(self.gateway)
        rung = await self.gateway.spool.write(lambda tx: self.watch.ring(tx, self.gateway.clock(), index))
        if rung:
            _log.warning("%d alarms of the gateway's own watch", rung)
            self._received.set()

    async def refresh_pass(self) -> None:
        """Look at the signed documents, the log and the agency's own keys; prove what the hub accepted."""
        await errands.refresh(self.gateway)
        rotation.adopt_signing(self.gateway)
        await self._proving.look()

    async def rotate_pass(self) -> None:
        """Destroy keys and content whose time is over; make new keys where the identity key is here to sign for them."""
        await rotation.destroy_keys(self.gateway, self._drained.values())
        await errands.sweep(self.gateway)
        if self.gateway.keyring.identity is None:
            await rotation.warn_of_due(self.gateway)
        else:
            await rotation.rotate_keys(self.gateway)

    async def _try(self, name: str, work: Pass) -> float | None:
        """Do *work*; return for how many seconds to rest if it failed, ``None`` if it didn't."""
        retry_after = None
        try:
            await work()
        except NotYetError as error:
            _log.info("%s waits: %s", name, error.code)
            retry_after = error.retry_after if isinstance(error, HubAwayError) else None
        except (GatewayError, KeysError, MalformedError) as error:
            _log.warning("%s failed: %s (%s)", name, error.message, error.code)
        except Exception as error:  # noqa: BLE001
            # A bug in one loop must not stop the others; the text may hold content, so only its kind and place are logged.
            _log.error("%s failed: %s", name, place_of(error))
        else:
            self.gateway.pacer.worked(name)
            return None
        return self.gateway.pacer.failed(name, retry_after)

    async def _repeat(self, name: str, work: Pass, pause: float, wake: asyncio.Event | None) -> None:
        while not self._stop.is_set():
            if wake is not None:
                wake.clear()
            failed = await self._try(name, work)
            # After a failure nothing but time wakes it: the hub may have said how long to stay away.
            await self._rest(pause if failed is None else max(pause, failed), wake if failed is None else None)

    async def _rest(self, seconds: float, wake: asyncio.Event | None) -> None:
        if wake is None:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await wake.wait()
        except TimeoutError:
            pass
