"""A hub with a MESH front door, and the real client with the county's clock."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, TypeVar
from unittest import mock

import mesh_client
from msgspec.structs import replace

from hub import mesh
from hub.store.base import Store
from keys.mesh import Secrets
from schemas.directory import parse_directory
from schemas.strict_json import dump
from tests.county import HEALTH, MASH, NURSES, PAEDIATRICS, County, Sent
from tests.web.support import Site, open_site

T = TypeVar("T")
ALIAS: Final = "X26HC001"
ODS: Final = "X26"
MASH_ADDRESS: Final = "SAMPLETON-CHILDRENS-SERVICES_MASH"
USERS: Final = (MASH, NURSES, PAEDIATRICS)


class MeshCounty(County):
    """Exampleshire, whose hospital has a MESH mailbox and an ODS code."""

    def directory(self, *, previous: str | None = None, **changes: Any) -> bytes:
        """Return the payload of the directory as it is now."""
        said = parse_directory(super().directory(previous=previous, **changes))
        agencies = []
        for agency in said.agencies:
            boxes = tuple(replace(box, mesh=ALIAS.lower() if box.id == NURSES else None) for box in agency.mailboxes)
            codes = {"ods": ODS} if agency.id == HEALTH else {}
            agencies.append(replace(agency, mailboxes=boxes, codes=codes))
        return dump(replace(said, agencies=tuple(agencies)))


@dataclass
class Post:
    """A hub, and what its MESH mailboxes prove themselves by."""

    site: Site
    secrets: dict[str, Secrets]

    @property
    def county(self) -> County:
        """Return the county."""
        return self.site.county

    @property
    def url(self) -> str:
        """Return the hub's address."""
        return self.site.api.base

    @contextmanager
    def client(self, box: str, /, **changes: Any) -> Iterator[mesh_client.MeshClient]:
        """Give the real client of *box*, or one that *changes* make wrong."""
        address, secrets = self.site.hub.registry.snapshot.directory.mesh_address(box), self.secrets[box]
        given: dict[str, Any] = {
            "url": self.url,
            "mailbox": address,
            "password": secrets.password,
            "shared_key": secrets.shared_key.encode(),
            "retry_backoff_factor": 0,
        }
        with mesh_client.MeshClient(**(given | changes)) as made:
            yield made

    async def use(self, box: str, work: Callable[[mesh_client.MeshClient], T], /, **changes: Any) -> T:
        """Return what *work* does with the client of *box*, on a thread."""

        def run() -> T:
            with self.client(box, **changes) as made, self._clock():
                return work(made)

        return await asyncio.to_thread(run)

    @contextmanager
    def _clock(self) -> Iterator[None]:
        def now(zone: dt.tzinfo) -> dt.datetime:
            return dt.datetime.fromtimestamp(self.county.now / 1000, zone)

        shown = SimpleNamespace(datetime=SimpleNamespace(now=now), timezone=dt.timezone)
        with mock.patch.object(mesh_client, "dt", shown):
            yield

    async def send(self, sent: Sent, to: str = ALIAS, **changes: Any) -> str:
        """Have the sender of *sent* send it by MESH; return the message's id."""
        given = {"workflow_id": mesh.workflow_of(sent.header.type), **changes}
        return await self.use(sent.header.from_, lambda client: client.send_message(to, sent.raw, **given))

    async def inbox(self, mailbox: str, **asked: Any) -> list[str]:
        """Return the ids of what waits for *mailbox*."""
        return await self.use(mailbox, lambda client: client.list_messages(**asked))

    async def read(self, mailbox: str, name: str) -> tuple[bytes, dict[str, str]]:
        """Return content and headers of a message, which stays in the inbox."""

        def work(client: mesh_client.MeshClient) -> tuple[bytes, dict[str, str]]:
            message = client.retrieve_message(name)
            try:
                return message.read(), dict(message.mex_headers())
            finally:
                message.close()

        return await self.use(mailbox, work)

    async def acknowledge(self, mailbox: str, name: str) -> None:
        """Have *mailbox* acknowledge a message."""
        await self.use(mailbox, lambda client: client.acknowledge_message(name))


@asynccontextmanager
async def open_post(store: Store, tmp: Path, mesh_table: str = "") -> AsyncIterator[Post]:
    """Give a hub with a front door that :data:`USERS` may use."""
    async with open_site(store, tmp, county=MeshCounty(), tables=f"[mesh]\nenabled = true\n{mesh_table}") as site:
        index, kek = site.hub.registry.snapshot.directory, site.hub.keyring.secrets_key
        secrets = {
            box: await store.write(lambda tx, box=box: mesh.add_mailbox(tx, index, box, kek, site.county.now))
            for box in USERS
        }
        yield Post(site, secrets)
