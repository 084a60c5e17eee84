"""What every handler is given, made once by ``hub.wiring``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from hub.config import Config
from hub.kit.limits import BodyLimits, Memory
from hub.registry import Registry
from hub.rounds import Rounds
from hub.store.base import Store
from hub.web.identity import Identity
from hub.web.looking import Looks
from hub.web.metrics import Metrics
from hub.web.wakeups import Wakeups
from hub.witnessing import Times
from keys.keyring import HubKeyring
from schemas.identifiers import AgencyId, Moment


@dataclass(slots=True, kw_only=True)
class Hub:
    """One hub process: its store, keys, clock and what it keeps in memory; nothing here has to survive it."""

    config: Config
    store: Store
    registry: Registry
    keyring: HubKeyring
    clock: Callable[[], Moment]
    identity: Identity
    metrics: Metrics
    wakeups: Wakeups
    memory: Memory
    # What anyone may send without a token: its own little room, so that strangers can't take the agencies'.
    public_memory: Memory
    sign_in_memory: Memory
    body_limits: BodyLimits
    # What the witnesses' clocks say of ours.
    witness_times: Times = field(default_factory=Times)
    # Where several processes share a database, a wait also looks by itself this often.
    poll_seconds: float | None = None
    # When each agency's gateway last called; the worker keeps it.
    gateways: dict[AgencyId, Moment] = field(default_factory=dict)
    looks: Looks = field(default_factory=Looks)
    ready: bool = False
    rounds: Rounds = field(default_factory=Rounds)
    # Streams of the log that are being written just now.
    exporting: int = 0
    openapi: dict[str, Any] = field(default_factory=dict)


HUB: Final = web.AppKey("hub", Hub)
