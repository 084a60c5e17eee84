"""What the hub does by itself: deadlines, checkpoints, expiries.  One task group, one loop for each.

Each round does what is due and no more; a round that fails is logged and tried again, and the others go on.

Source: protocol 5, 6 and 8.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from hub import exchange, figures, finishing, ledger, retention
from hub.errors import HubError
from hub.registry import Registry
from hub.rounds import Rounds
from hub.store.base import Store
from keys.jws import SigningKey
from keys.note_keys import NoteSigner
from schemas.identifiers import AgencyId, KeyId, MailboxId, Moment

# Rows a round: small enough that an envelope waits for no more than one round of them.
SWEEP_LIMIT: Final = 500
FIGURES_SHARE: Final = 3
log = logging.getLogger("hub.worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The hub's own loops.

    ``wake`` is told which feeds grew; ``keep_checkpoint`` puts a signed note beside the hub's keys; ``in_doubt`` says
    that the clock can't be trusted: the hub then goes on accepting and judges nothing; ``see_expiry`` is shown, each
    round, when the directory expires; ``see_swept``, up to when everything that was due has been dealt with;
    ``ask_witnesses`` is the round of ``hub.asking``; ``rounds`` is told how each went; ``gateways``: when each
    agency's gateway last called, of those that are not kept yet.
    """

    store: Store
    registry: Registry
    clock: Callable[[], Moment]
    signer: SigningKey
    note_signers: Sequence[NoteSigner]
    origin: str
    wake: Callable[[Iterable[MailboxId]], None]
    keep_checkpoint: Callable[[str], None]
    in_doubt: Callable[[], bool] = lambda: False
    see_expiry: Callable[[Moment], None] = lambda _: None
    see_swept: Callable[[Moment], None] = lambda _: None
    ask_witnesses: Callable[[], Awaitable[None]] | None = None
    sweep_seconds: float = 1.0
    figures_seconds: float = 5.0
    gateways: dict[AgencyId, Moment] = field(default_factory=dict)
    gateways_seconds: float = 60.0
    checkpoint_seconds: float = 1.0
    witness_seconds: float = 5.0
    rounds: Rounds = field(default_factory=Rounds)
    resealed: set[KeyId] = field(default_factory=set)
    unkept: list[str] = field(default_factory=list)

    async def run(self) -> None:
        """Run until cancelled."""
        loops: list[tuple[str, Callable[[], Awaitable[None]], float]] = [
            ("registry", self.follow_registry, self.sweep_seconds),
            ("deadlines", self.enforce_deadlines, self.sweep_seconds),
            ("checkpoint", self.sign_checkpoint, self.checkpoint_seconds),
            ("retention", self.expire, self.sweep_seconds),
            ("proposals", self.finish_proposals, self.sweep_seconds),
            ("figures", self.follow_figures, self.figures_seconds),
            ("gateways", self.keep_gateways, self.gateways_seconds),
        ]
        if self.ask_witnesses is not None:
            loops.append(("witnesses", self.ask_witnesses, self.witness_seconds))
        async with asyncio.TaskGroup() as group:
            for name, work, seconds in loops:
                group.create_task(self._repeat(name, work, seconds), name=name)

    async def _repeat(self, name: str, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            try:
                await work()
                self.rounds.finish(name, self.clock())
            except HubError as error:
                log.warning("round failed", extra={"loop": name, "code": error.code})
                self.rounds.fail(name, self.clock(), error.code)
            except Exception:
                log.exception("round failed", extra={"loop": name})
                self.rounds.fail(name, self.clock(), "internal")
            await asyncio.sleep(seconds)

    async def follow_registry(self) -> None:
        """Read the registry again if another process changed it: a revoked key is refused within a round."""
        self.rounds.in_doubt = self.in_doubt()
        await self.registry.refresh(self.store)
        self.see_expiry(self.registry.snapshot.directory.directory.expires)

    async def enforce_deadlines(self) -> None:
        """Take all steps that are due now, in rounds of :data:`SWEEP_LIMIT`."""
        while not self.in_doubt():
            now = self.clock()
            swept = await exchange.enforce_deadlines(self.store, self.registry, now, self.signer, SWEEP_LIMIT)
            self.wake(swept.wake)
            if swept.count < SWEEP_LIMIT:
                self.see_swept(now)
                return

    async def sign_checkpoint(self) -> None:
        """Sign the tree if it grew, and keep the note beside the keys, apart from the database."""
        signed = await ledger.sign_checkpoint(self.store, self.origin, self.note_signers, self.clock())
        if signed is not None:
            self.unkept[:] = [signed[1]]
        # One that could not be kept, for want of room, is kept as soon as it can: it isn't signed again.
        if self.unkept:
            self.keep_checkpoint(self.unkept[-1])
            self.unkept.clear()

    async def finish_proposals(self) -> None:
        """Let go what nobody decided in time, and note what was approved and has been done where officers' keys are."""
        if not self.in_doubt():
            await finishing.sweep(self.store, self.clock())

    async def follow_figures(self) -> None:
        """Add up what the log has beyond what is counted; whoever asks meanwhile has the rest counted at once."""
        loop, more = asyncio.get_running_loop(), True
        while more:
            started = loop.time()
            more = await figures.follow(self.store, self.registry.snapshot, self.clock())
            # Envelopes come first: a log of years is caught up with in a quarter of the time.
            await asyncio.sleep(min(FIGURES_SHARE * (loop.time() - started), 1))

    async def keep_gateways(self) -> None:
        """Keep when each agency's gateway last called, all at once: a row an agency, once a minute at most."""
        seen = dict(self.gateways)
        if seen:
            await self.store.write(lambda tx: tx.see_agencies(seen.items()))
            # Who has called since is kept next time.
            for agency, at in seen.items():
                if self.gateways.get(agency) == at:
                    del self.gateways[agency]

    async def expire(self) -> None:
        """Warn of bodies and keys that are about to go, delete what may go, forget assertions that have expired."""
        if not self.in_doubt():
            now = self.clock()
            self.wake(await retention.expire(self.store, self.registry, now, self.signer))
            self.wake(await retention.ask_to_reseal(self.store, self.registry, self.resealed, now, self.signer))
