"""Gateways of the county for tests: real keys, real spools, a folder each, and a hub on a socket where one is wanted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from adapters.base import Adapter
from adapters.durable import make_folder, write_file
from adapters.folder import FolderAdapter
from adapters.gateway import trust
from adapters.gateway.agent import Agent, open_gateway
from adapters.gateway.books import Books
from adapters.gateway.config import Config, MailboxConfig
from adapters.gateway.context import Gateway
from hub.store.base import Store
from hub.worker import Worker
from keys import jws
from keys.digests import sha256_b64u
from schemas.agreement import parse_agreement
from schemas.catalogue import Catalogue
from schemas.directory import parse_directory, parse_key_statement
from schemas.strict_json import dump
from tests.county import ORIGIN, County
from tests.schemas import samples
from tests.web.support import URL, Site, open_site

CATALOGUE = Catalogue.load()
PASSPHRASE = "correct horse"
HELD_AT = "2026-07-06T08:00:00Z"


def books_of(county: County, *, proved: bool = True) -> Books:
    """Return what a gateway of *county* knows once it has verified everything, without a hub."""
    stated = []
    for agency, keyring in county.keyrings.items():
        (held,) = keyring.opening_keys.values()
        for use, members in (
            ("sign", keyring.signing.public.jwk),
            ("witness", keyring.witness.public.jwk),
            ("seal", held.key.public.jwk),
        ):
            stated.append(state(county, county.statement(agency, use, members), proved=proved))
    return Books(parse_directory(county.directory()), [parse_agreement(county.agreement())], stated)


def state(county: County, compact: bytes, *, proved: bool = True, usable_from: int = 0, index: int = 0) -> trust.Stated:
    """Return a key statement as verified, and (unless told otherwise) found in the log."""
    statement = parse_key_statement(jws.parse(compact, jws.KEY).payload)
    listed = trust.Listed(jws=compact.decode(), index=index, usable_from=usable_from)
    kid = jws.thumbprint(trust.members(statement.jwk))
    return trust.Stated(statement=statement, kid=kid, sha256=sha256_b64u(compact), listed=listed, proved=proved)


def draft(kind: str, sender: str, *, message: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a draft as an adapter's file has it; the message is the sample of its type."""
    return {
        "type": kind,
        "from": sender,
        "basis": ["CA1989_S47"],
        "retention": "case",
        "author": {"name": "Morgan Sample", "role": "team_manager"},
        "message": samples.message(kind) if message is None else dict(message),
    } | changes


def meeting_held(parties: Iterable[str], **changes: Any) -> dict[str, Any]:
    """Return the message that a strategy discussion was held on the county's first morning, with *parties*."""
    return samples.meeting_held(
        held_at=HELD_AT, participants=[samples.participant(box) for box in parties], distribution=[], **changes
    )


def minutes_full(parties: Iterable[str], **changes: Any) -> dict[str, Any]:
    """Return the full minutes of that discussion for *parties*."""
    boxes = list(parties)
    return samples.minutes_full(
        started_at=HELD_AT,
        ended_at="2026-07-06T08:50:00Z",
        participants=[samples.participant(box) for box in boxes],
        information_blocks=[
            {"org": boxes[0], "author": "HV-9", "content": "Zebulon.", "info_kind": "fact", "handling_marks": []}
        ],
        actions=[],
        distribution=[samples.owed(box) for box in boxes],
        **changes,
    )


def drop(home: Path, name: str, value: Mapping[str, Any], **files: bytes) -> None:
    """Put a draft into the ``out/`` of the gateway at *home*, as a person would, ``message.json`` last."""
    folder = home / "out" / name
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file.replace("_", ".")).write_bytes(content)
    (folder / "message.json").write_bytes(dump(value))


def make_home(tmp: Path, county: County, agency: str, base: str, **changes: Any) -> tuple[Path, Config]:
    """Make the home of *agency*'s gateway under *tmp*; the hub is reached at *base*."""
    home = make_folder(tmp / agency)
    make_folder(home / "trust")
    pinned = trust.Pinned(officers=county.roots, hub_url=URL)
    write_file(home / trust.TRUST_NAME, dump(pinned))
    write_file(home / "passphrase", PASSPHRASE.encode())
    settings: dict[str, Any] = {
        "agency": agency,
        "hub": base,
        "mailboxes": tuple(MailboxConfig(id=box) for box, _, _ in county.agencies[agency][1]),
        "passphrase_file": "passphrase",
        "poll_seconds": 0.05,
        "wait_seconds": 1.0,
        "watch_seconds": 0.05,
        "witness_seconds": 0.2,
        "retry_seconds": 0.2,
    }
    return home, Config(**settings | changes)


@asynccontextmanager
async def gateway_of(
    tmp: Path,
    county: County,
    agency: str,
    base: str = "http://127.0.0.1:9",
    system: tuple[str, Adapter] | None = None,
    **changes: Any,
) -> AsyncIterator[Gateway]:
    """Open *agency*'s gateway; without *base* its hub is dark.  Its folder pair is here, not in a process of its own.

    *system*: the adapter that files for all of its mailboxes instead, by its name.
    """
    if system is not None:
        boxes = tuple(MailboxConfig(id=box, adapter=system[0]) for box, _, _ in county.agencies[agency][1])
        changes = {"mailboxes": boxes, "adapters": {system[0]: {}}} | changes
    home, config = make_home(tmp, county, agency, base, **changes)
    keyring = county.keyrings[agency]
    folders: dict[str, Adapter] = {
        name: FolderAdapter.configure(options, home) for name, options in config.adapters.items() if name == "folder"
    } | dict([system] if system else [])
    async with open_gateway(
        home, config=config, clock=lambda: county.now, keyring=keyring,
        adapters=folders if set(folders) == set(config.adapters) else None,
    ) as gateway:  # fmt: skip
        yield gateway


@dataclass
class Town:
    """A hub that runs, its county, and gateways that a test opens as it needs them."""

    site: Site
    worker: Worker
    tmp: Path
    homes: dict[str, Path] = field(default_factory=dict)

    @property
    def county(self) -> County:
        """Return the county."""
        return self.site.county

    @property
    def base(self) -> str:
        """Return where the hub listens."""
        return f"http://127.0.0.1:{self.site.port}"

    @asynccontextmanager
    async def agent(self, agency: str, **changes: Any) -> AsyncIterator[Agent]:
        """Open *agency*'s gateway against the hub."""
        async with gateway_of(self.tmp, self.county, agency, self.base, **changes) as gateway:
            self.homes[agency] = gateway.home
            yield Agent(gateway)

    async def tick(self, by: int = 0) -> None:
        """Let *by* milliseconds pass, and the hub's own loops do one round."""
        self.county.now += by
        await self.worker.follow_registry()
        await self.worker.enforce_deadlines()
        await self.worker.expire()
        await self.worker.sign_checkpoint()


@asynccontextmanager
async def open_town(store: Store, tmp: Path, county: County | None = None) -> AsyncIterator[Town]:
    """Give a hub over *store* with one checkpoint signed, and nobody's gateway running."""
    async with open_site(store, tmp, county=county) as site:
        yield await found_town(site, tmp)


async def found_town(site: Site, tmp: Path) -> Town:
    """Return the town around *site*, with one checkpoint signed."""
    hub = site.hub
    worker = Worker(
        store=hub.store,
        registry=hub.registry,
        clock=hub.clock,
        signer=hub.keyring.signing,
        note_signers=site.county.note_signers,
        origin=ORIGIN,
        wake=hub.wakeups.wake,
        keep_checkpoint=lambda note: None,
    )
    town = Town(site, worker, tmp)
    await town.tick()
    return town


async def settle(*agents: Agent, rounds: int = 3) -> None:
    """Let each of *agents* do everything, as often as an answer to an answer needs."""
    for _ in range(rounds):
        for agent in agents:
            assert await agent.run_once() == 0


async def eventually(holds: Callable[[], Any], seconds: float = 10.0) -> None:
    """Return as soon as *holds* is true.

    Raises:
        TimeoutError: it wasn't in *seconds*.
    """
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 (what it waits for happens in another process)
            await asyncio.sleep(0.02)


def read_notices(home: Path) -> list[dict[str, Any]]:
    """Return the notices in the folder pair at *home*, oldest first."""
    return sorted(
        (json.loads(path.read_bytes()) for path in (home / "in" / "notices").glob("*.json")), key=lambda one: one["at"]
    )


def payload_of(compact: bytes | str) -> Any:
    """Return the payload of a compact JWS, unchecked."""
    raw = compact.encode() if isinstance(compact, str) else compact
    from keys.digests import from_b64u

    return msgspec.json.decode(from_b64u(raw.split(b".")[1]))
