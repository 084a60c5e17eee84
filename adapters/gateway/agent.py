"""A gateway at work: mail out, mail in, and beside them watch, witness and errands, each a loop of its own.

No loop holds anything that the spool doesn't: each may be killed between any two lines and taken up again.

Source: design 4; promises 1 (P3, P13).
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from adapters.base import Adapter
from adapters.errors import GatewayError, NotYetError, place_of
from adapters.gateway import (
    embargo,
    endings,
    errands,
    failing,
    filing,
    followups,
    incoming,
    negatives,
    outgoing,
    rotation,
    succession,
    trust,
)
from adapters.gateway.client import Client, HubAwayError
from adapters.gateway.config import Clock, Config, load_config, make_clock
from adapters.gateway.context import Gateway
from adapters.gateway.inbox import indexing
from adapters.gateway.keystore import KeyFile, read_passphrase
from adapters.gateway.matching import systems
from adapters.gateway.matching.desk import make_desk
from adapters.gateway.matching.room import NAME as AT_RISK
from adapters.gateway.pacing import Pacer
from adapters.gateway.partnership import Partnership
from adapters.gateway.proving import Proving
from adapters.gateway.quorum import Quorum
from adapters.gateway.register import watching
from adapters.gateway.register.store import REGISTER_NAME, Register, register_key
from adapters.gateway.sightings import Sightings
from adapters.gateway.spool import Spool, Transaction
from adapters.gateway.watch import Watch
from adapters.gateway.witness import Witness
from adapters.plugins import load_adapters
from keys.digests import derived_key
from keys.errors import KeysError
from keys.keyring import Keyring
from schemas.catalogue import Catalogue
from schemas.identifiers import MailboxId, Moment
from schemas.strict_json import MalformedError

_log = logging.getLogger("gateway")
SPOOL_NAME = "spool.db"
ROTATE_SECONDS = 3600.0
SWEEP_SECONDS = 600.0

Pass = Callable[[], Awaitable[object]]
# A name for the log, what is done, how long to rest, and what wakes it before.
Loop = tuple[str, Pass, float, asyncio.Event | None]


def spool_key(keyring: Keyring) -> bytes:
    """Return the key under which the spool keeps content; it lives in the keyring only."""
    return derived_key(keyring.record_key, "gateway spool")


@asynccontextmanager
async def open_gateway(
    home: Path,
    *,
    passphrase_file: str | None = None,
    clock: Clock | None = None,
    config: Config | None = None,
    keyring: Keyring | None = None,
    adapters: Mapping[str, Adapter] | None = None,
) -> AsyncIterator[Gateway]:
    """Open the gateway whose home is *home*: configuration, keys, spool, client, documents, adapters, in that order.

    *clock*, *config* and *keyring* are for a caller that has read them already, *adapters* for one that has its own.

    Raises:
        GatewayError: what is missing or wrong, and the way out.
    """
    config = config or load_config(home)
    clock = clock or make_clock(config, home)
    keyfile = KeyFile(home, read_passphrase(config, home, passphrase_file), keyring)
    keyring = keyfile.keyring
    pinned = trust.load_pinned(home)
    async with AsyncExitStack() as stack:
        spool = await stack.enter_async_context(Spool(home / SPOOL_NAME, spool_key(keyring)))
        register = await stack.enter_async_context(Register(home / REGISTER_NAME, register_key(keyring)))
        url = config.hub or pinned.hub_url
        client = await stack.enter_async_context(
            Client(url, config.agency, keyring.signing, clock, audience=pinned.hub_url)
        )
        witness = Witness(spool, client, keyring.witness, config.agency, clock)
        await witness.load()
        partnership = Partnership(spool, client, witness, pinned)
        await partnership.load()
        quorum = Quorum(spool, client, clock)
        await quorum.load()
        atrisk = make_desk(config, spool, clock, keyring.record_key)
        hosted = load_adapters(config.adapters, home) if adapters is None else {}
        for one in hosted.values():
            stack.push_async_callback(one.close)
        yield Gateway(
            config=config, home=home, keyfile=keyfile, spool=spool, register=register, client=client,
            witness=witness, partnership=partnership, quorum=quorum, adapters={**(adapters or hosted), **({AT_RISK: atrisk} if atrisk else {})}, atrisk=atrisk,
            catalogue=load_messages(home), clock=clock, pacer=Pacer(config.retry_seconds),
        )  # fmt: skip


def load_messages(home: Path) -> Catalogue:
    """Return the release's message types with the partnership's own in ``messages/`` of *home*.

    Raises:
        MalformedError: ``schema-lint``, ``schema-twice`` or ``json-*``.
    """
    return Catalogue.load([file.read_bytes() for file in sorted((home / "messages").glob("*.schema.json"))])


class Agent:
    """The loops of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.watch = Watch(gateway.config.agency)
        self._stop = asyncio.Event()
        self._spooled, self._received, self._said = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._looked: dict[MailboxId, asyncio.Event] = {box: asyncio.Event() for box in gateway.mailboxes()}
        self._drained: dict[MailboxId, Moment] = dict.fromkeys(gateway.mailboxes(), 0)
        self._proving, self._sightings = Proving(gateway), Sightings(gateway)

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
        loops: list[Loop] = [
            ("collecting", self.collect_pass, config.poll_seconds, None),
            ("sending", self.send_pass, config.poll_seconds, self._spooled),
            ("registering", self.register_pass, config.poll_seconds, None),
            ("filing", self.file_pass, config.poll_seconds, self._received),
            ("receipting", self.receipt_pass, config.poll_seconds, self._said),
            ("indexing", self.index_pass, config.poll_seconds, None),
            ("watching", self.watch_pass, config.watch_seconds, None),
            ("witnessing", self.refresh_pass, config.witness_seconds, None),
            ("rotating keys", self.rotate_pass, rotate, None),
            ("receiving what was inherited", self.inherit_pass, config.witness_seconds, None),
            *((f"receiving {box}", partial(self.pull_pass, box), 0.0, None) for box in self._looked),
        ]
        async with self._serve_inbox() as beside:
            tasks = [asyncio.create_task(self._repeat(*one)) for one in (*loops, *beside)]
            await self._stop.wait()
            for task in tasks:
                # What is in the spool is safe at any moment, so a long poll needn't be waited for.
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def _serve_inbox(self) -> AsyncIterator[Sequence[Loop]]:
        """Serve the practitioners' pages meanwhile, where the configuration has them; give what is done beside."""
        config = self.gateway.config.inbox
        if config is None:
            yield ()
            return
        from adapters.gateway.guests.inviting import make_guest_loops
        from adapters.gateway.inbox.app import Server, make_inbox
        from adapters.gateway.inbox.sessions import sweep_sessions

        inbox = make_inbox(self.gateway, self.watch, config)
        loops: list[Loop] = [("ending sessions", partial(sweep_sessions, inbox), SWEEP_SECONDS, None)]
        if config.notify is not None:
            from adapters.gateway.inbox.notify.notifier import Notifier

            notifier = Notifier(inbox, config.notify)
            loops.append(("notifying", notifier.round, self.gateway.config.poll_seconds, None))
            loops.append(("forgetting notifications", notifier.sweep, SWEEP_SECONDS, None))
        loops += make_guest_loops(inbox, self.gateway.config.poll_seconds, SWEEP_SECONDS)
        async with Server(inbox) as server:
            _log.info("the inbox is served on port %d", server.port)
            yield loops

    async def run_once(self) -> int:
        """Do each thing once, as far as the hub can be reached; return how many failed."""
        passes: list[tuple[str, Pass]] = [
            ("witnessing", self.refresh_pass),
            ("collecting", self.collect_pass),
            ("sending", self.send_pass),
            *((f"receiving {box}", partial(self.drain, box)) for box in self._looked),
            ("receiving what was inherited", self.inherit_pass),
            ("watching", self.watch_pass),
            ("registering", self.register_pass),
            ("filing", self.file_pass),
            ("receipting", self.receipt_pass),
            ("indexing", self.index_pass),
        ]
        return sum([await self._try(name, work) is not None for name, work in passes])

    async def collect_pass(self) -> None:
        """Take what waits in the adapters, and what their systems say for the at-risk list."""
        await systems.look(self.gateway)
        if await outgoing.collect(self.gateway):
            self._spooled.set()

    async def send_pass(self) -> None:
        """Seal and send; then what is on the list."""
        await outgoing.seal_drafts(self.gateway)
        await outgoing.send_sealed(self.gateway, self.watch)
        if await followups.draft_due(self.gateway):
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

    async def inherit_pass(self) -> None:
        """Take what came for mailboxes that have ended and for which one of this agency's answers."""
        boxes = succession.inherited(self.gateway)
        # No key is destroyed before what may be sealed to it here has been looked for.
        self._drained = {box: self._drained.get(box, 0) for box in (*self._looked, *boxes)}
        for box in boxes:
            while await self._pull(box, 0):
                self._received.set()

    async def _pull(self, mailbox: MailboxId, wait: float) -> int:
        asked = self.gateway.clock()
        count = await incoming.pull(self.gateway, self.watch, mailbox, wait)
        if not count:
            # Nothing that the hub had by then is still to be opened.
            self._drained[mailbox] = asked
        return count

    async def file_pass(self) -> None:
        """File what was collected, and show notices."""
        await embargo.lift(self.gateway)
        await negatives.delete_due(self.gateway)
        await filing.file_collected(self.gateway)
        await systems.answer(self.gateway)
        await failing.tell(self.gateway)
        await filing.tell_notices(self.gateway)
        self._said.set()

    async def register_pass(self) -> None:
        """Enter what was sent and received into the register, and tell what crosses a child's threads."""
        if await watching.keep_up(self.gateway):
            self._spooled.set()
            self._received.set()

    async def receipt_pass(self) -> None:
        """Send the receipts that wait."""
        await filing.send_receipts(self.gateway, self.watch)

    async def index_pass(self) -> None:
        """Index what arrived, so that it is found on the inbox's pages."""
        await indexing.look(self.gateway)

    async def watch_pass(self) -> None:
        """Ring for what is due: also while the hub is dark, and then above all."""
        for looked in self._looked.values():
            await looked.wait()
        books = self.gateway.partnership.books
        await errands.warn_of_expired(self.gateway)

        async def ring(tx: Transaction) -> int:
            now = self.gateway.clock()
            await self.watch.recur(tx, books, now)
            return await self.watch.ring(tx, now, books.index)

        rung = await self.gateway.spool.write(ring)
        if rung:
            _log.warning("%d alarms of the gateway's own watch", rung)
            self._received.set()

    async def refresh_pass(self) -> None:
        """Look at the signed documents, the log and the agency's own keys; prove what the hub accepted."""
        await errands.refresh(self.gateway)
        rotation.adopt_signing(self.gateway)
        try:
            await self._proving.look()
        finally:
            # One contradiction hides no other.
            await self._sightings.look()
        # Only now: what is signed here rests on the log that was just looked at.
        await endings.sign_agreed(self.gateway)

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
