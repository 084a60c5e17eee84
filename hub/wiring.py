"""The one place where everything is put together, in the order in which it depends on the rest.

store ▸ rollback check ▸ registry ▸ signers ▸ web ▸ worker.  Stopped in the opposite order.

Source: DESIGN 5 and 6.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from hub.asking import Asker
from hub.config import Config
from hub.errors import HubError
from hub.home import keep_checkpoint, kept_checkpoint, load_keyring
from hub.kit.clocks import MAX_STEP, Clock, open_clock
from hub.kit.limits import BodyLimits, Memory
from hub.kit.logs import log, set_up_logs
from hub.registry import Registry
from hub.store.base import Store, open_store
from hub.store.transaction import Transaction
from hub.web.app import Server
from hub.web.context import Hub
from hub.web.identity import Identity
from hub.web.metrics import Metrics
from hub.web.wakeups import Wakeups
from hub.witnessing import Witnessed
from hub.worker import Worker
from keys import notes
from keys.keyring import HubKeyring
from schemas.envelope import DAY

POLL_SECONDS: Final = 1.0
EXPIRY_DAYS: Final = 60
# Documents, keys and cosignatures that anyone may bring, and assertions: few bytes at once, however many come.
PUBLIC_MEMORY: Final = 8 * 1024 * 1024
PUBLIC_IN_FLIGHT: Final = 8
SIGN_IN_MEMORY: Final = 2 * 1024 * 1024
_LOGGER: Final = logging.getLogger("hub")


class Running(NamedTuple):
    """A hub that serves: what its handlers have, and where it listens."""

    hub: Hub
    port: int


def make_clock(config: Config) -> Clock:
    """Return the configured clock.

    Raises:
        HubError: ``config``.
    """
    try:
        return open_clock(config.clock)
    except ValueError as error:
        raise HubError("config", "the training clock's file holds no moment", "write UTC milliseconds to it") from error


async def check_not_rolled_back(store: Store, home: Path) -> None:
    """Return if the database holds the last checkpoint that was kept beside the keys, or there is none yet.

    Raises:
        HubError: ``rolled-back``.
    """
    note = kept_checkpoint(home)
    if note is None:
        return
    size = notes.Checkpoint.parse(_text(note)).size

    def look(tx: Transaction) -> bool:
        stored = tx.find_checkpoint(size)
        # Processes that share a database sign by themselves: the text is one, the signatures may differ.
        return stored is not None and _text(stored) == _text(note) and tx.log_head().size >= size

    if not await store.read(look):
        raise HubError(
            "rolled-back",
            f"the database doesn't hold the last checkpoint that this hub signed, over {size} entries",
            "restore the newest backup; if entries are lost for good, the partnership decides how to go on",
        )


def _text(note: str) -> str:
    return note.rpartition("\n\n")[0] + "\n"


async def make_doubt(
    store: Store, clock: Clock, is_contradicted: Callable[[], bool] = lambda: False
) -> Callable[[], bool]:
    """Return the question whether to judge nobody by *clock*: it was set while we ran, or back while we were down.

    *is_contradicted* asks the witnesses, whose signatures carry times of their own.

    Each change of the answer is logged, the alarm as an error.
    """
    newest = (await store.read(lambda tx: tx.log_head())).at
    before = False

    def in_doubt() -> bool:
        nonlocal before
        doubt = clock.in_doubt() or clock() < newest - MAX_STEP or is_contradicted()
        if doubt != before:
            before = doubt
            log(_LOGGER, logging.ERROR if doubt else logging.WARNING, "clock in doubt", doubt=doubt)
        return doubt

    return in_doubt


def make_watch(clock: Callable[[], int], metrics: Metrics) -> Callable[[int], None]:
    """Return what is shown the directory's expiry: it warns 60 days ahead, alarms once it is past, once a day each.

    The hub goes on: agencies that stopped sending would be worse off than with a directory that is a day too old.
    """
    told = None

    def see(expires: int) -> None:
        nonlocal told
        metrics.directory_expires.set(expires / 1000)
        left = (expires - clock()) // DAY
        if left >= EXPIRY_DAYS or told == left:
            return
        told = left
        if left < 0:
            log(_LOGGER, logging.ERROR, "directory expired", days_ago=-left)
        else:
            log(_LOGGER, logging.WARNING, "directory expires soon", days_left=left)

    return see


def make_hub(config: Config, store: Store, registry: Registry, keyring: HubKeyring, clock: Clock) -> Hub:
    """Return what the web layer works with."""
    limits = config.limits
    return Hub(
        config=config,
        store=store,
        registry=registry,
        keyring=keyring,
        clock=clock,
        identity=Identity(config.url, keyring),
        metrics=Metrics(),
        wakeups=Wakeups(limits.max_waits_per_agency),
        memory=Memory(limits.max_body_memory, limits.max_in_flight),
        public_memory=Memory(PUBLIC_MEMORY, PUBLIC_IN_FLIGHT),
        sign_in_memory=Memory(SIGN_IN_MEMORY, limits.max_in_flight),
        body_limits=BodyLimits(limits.request_seconds, limits.grace_seconds, limits.min_bytes_per_second),
        # Several processes may share a PostgreSQL: a wake-up by another one is seen when we look.
        poll_seconds=None if config.database.startswith("sqlite:") else POLL_SECONDS,
    )


def make_asker(hub: Hub) -> Asker:
    """Return who asks the outside witnesses of *hub*, and says in its figures how far the log is witnessed."""

    def see(state: Witnessed) -> None:
        hub.metrics.witnessed_size.set(state.witnessed_size)
        current = sum(one.size == state.size for one in state.witnesses)
        hub.metrics.witnesses.labels("current").set(current)
        hub.metrics.witnesses.labels("behind").set(len(state.witnesses) - current)

    return Asker(
        store=hub.store,
        registry=hub.registry,
        clock=hub.clock,
        times=hub.witness_times,
        see=see,
        count_failure=lambda code: hub.metrics.witness_failures.labels(code).inc(),
    )


def make_worker(
    hub: Hub,
    home: Path,
    in_doubt: Callable[[], bool],
    ask_witnesses: Callable[[], Awaitable[None]] | None = None,
) -> Worker:
    """Return the worker over *hub*; it keeps checkpoints in *home*."""

    def keep(note: str) -> None:
        keep_checkpoint(home, note)
        hub.metrics.checkpoint_size.set(notes.Checkpoint.parse(_text(note)).size)

    return Worker(
        store=hub.store,
        registry=hub.registry,
        clock=hub.clock,
        signer=hub.keyring.signing,
        note_signers=hub.keyring.note_signers(hub.config.origin),
        origin=hub.config.origin,
        wake=hub.wakeups.wake,
        keep_checkpoint=keep,
        in_doubt=in_doubt,
        see_expiry=make_watch(hub.clock, hub.metrics),
        see_swept=lambda at: hub.metrics.deadlines_until.set(at / 1000),
        ask_witnesses=ask_witnesses,
        rounds=hub.rounds,
        gateways=hub.gateways,
        sweep_seconds=hub.config.sweep_seconds,
        checkpoint_seconds=hub.config.checkpoint_seconds,
        witness_seconds=hub.config.witness_seconds,
    )


@asynccontextmanager
async def _serving(hub: Hub, asker: Asker) -> AsyncIterator[Server]:
    # Before anybody is answered: what a hub that was put back accepts would make a second history.
    await asker.check_not_behind()
    async with Server(hub) as server:
        yield server


@asynccontextmanager
async def run_hub(config: Config, passphrase: str) -> AsyncIterator[Running]:
    """Run the hub that *config* describes for as long as the block lasts.

    Raises:
        HubError: ``home``, ``passphrase``, ``config``, ``rolled-back`` or a store's.
    """
    home = config.home_path
    clock = make_clock(config)
    keyring = load_keyring(home, passphrase)
    store = await asyncio.to_thread(open_store, config.database)
    try:
        await check_not_rolled_back(store, home)
        hub = make_hub(config, store, await Registry.load(store), keyring, clock)
        # A training clock leaps, while a signature is on its way too.
        said = hub.witness_times.in_doubt if config.clock == "system" else lambda: False
        doubt = await make_doubt(store, clock, said)
        async with make_asker(hub) as asker, _serving(hub, asker) as server:
            worker = asyncio.create_task(make_worker(hub, home, doubt, asker.round).run(), name="worker")
            try:
                hub.ready = True
                yield Running(hub, server.port)
            finally:
                hub.ready = False
                worker.cancel()
                with suppress(asyncio.CancelledError):
                    await worker
    finally:
        # Last, so that whatever was at work has been answered, and is durable.
        await store.close()


async def serve(config: Config, passphrase: str) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was begun."""
    set_up_logs(config.log_level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with run_hub(config, passphrase) as running:
        log(_LOGGER, logging.INFO, "serving", host=config.listen.host, port=running.port)
        await stop.wait()
        log(_LOGGER, logging.INFO, "stopping")
