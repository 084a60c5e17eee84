"""Where a signed document goes: to a running hub by its address, or straight into its database.

Source: protocol 7 (documents take effect by their signatures, whoever brings them).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from hub.commands.options import read_config
from hub.config import Config
from hub.errors import HubError
from hub.home import TRUST, load_keyring, load_officers, load_trust, read_passphrase
from hub.registry import payload_of
from keys import jws
from keys.jws import SigningKey
from schemas.agreement import Agreement, parse_agreement
from schemas.directory import Directory, Officers, parse_directory


class Publisher(Protocol):
    """Reads and publishes the partnership's documents."""

    async def document(self, kind: str) -> bytes:
        """Return the newest document of *kind* (``directory``, ``agreement``; of a version: ``directory/3``)."""

    async def publish(self, kind: str, document: bytes) -> None:
        """Publish the next version."""

    async def publish_key(self, statement: str, officer: bytes) -> None:
        """Publish one key statement with an officer's word."""


class _Database:
    def __init__(self, store: Any, keyring: Any, roots: Officers, now: int) -> None:
        self._store, self._keyring, self._roots, self._now = store, keyring, roots, now

    async def document(self, kind: str) -> bytes:
        row = await self._store.read(lambda tx: tx.current_document(kind))
        if row is None:
            raise HubError("home", f"there is no {kind} yet", "run `hub init`")
        document: bytes = row.document
        return document

    async def publish(self, kind: str, document: bytes) -> None:
        from hub import registry

        signer = self._keyring.signing
        if kind == "directory":
            await registry.publish_directory(self._store, document, self._now, self._roots, signer)
        else:
            await registry.publish_agreement(self._store, document, self._now, signer)

    async def publish_key(self, statement: str, officer: bytes) -> None:
        from hub.enrolment import publish_key
        from hub.registry import Registry
        from hub.web.documents import challenge_secret

        loaded = await Registry.load(self._store)
        secret = challenge_secret(self._keyring)
        await publish_key(self._store, loaded, statement.encode(), officer, secret, self._now)


class _Address:
    def __init__(self, session: Any, url: str) -> None:
        self._session, self._url = session, url.rstrip("/")

    async def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        import aiohttp

        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with self._session.request(method, self._url + path, data=body, headers=headers) as answer:
                content: bytes = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HubError("unavailable", f"couldn't reach the hub at {self._url}", "check that it runs") from error
        if answer.status >= 300:
            problem = json.loads(content)
            raise HubError(problem["code"], problem.get("detail", problem["title"]), problem.get("hint", ""))
        return content

    async def document(self, kind: str) -> bytes:
        return await self._call("GET", f"/v1/{kind}")

    async def publish(self, kind: str, document: bytes) -> None:
        await self._call("POST", f"/v1/{kind}", document)

    async def publish_key(self, statement: str, officer: bytes) -> None:
        body = json.dumps({"statement": statement, "officer": officer.decode()}).encode()
        await self._call("POST", "/v1/keys", body)


@asynccontextmanager
async def open_address(url: str) -> AsyncIterator[Publisher]:
    """Give the way to the running hub at *url*; it asks for no rights, as documents take effect by their signatures."""
    import aiohttp

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield _Address(session, url)


@asynccontextmanager
async def open_publisher(
    args: argparse.Namespace, config: Config, passphrase: str, now: int
) -> AsyncIterator[Publisher]:
    """Give the way that *args* name: ``--url``, else the configured database, which no hub may be serving then."""
    if args.url:
        async with open_address(args.url) as address:
            yield address
        return
    from hub.store.base import StoreLockedError, open_store

    try:
        store = open_store(config.database)
    except StoreLockedError as error:
        raise HubError(error.code, error.message, f"publish to the hub that runs: --url {config.url}") from error
    try:
        home = config.home_path
        yield _Database(store, load_keyring(home, passphrase), load_trust(home / TRUST), now)
    finally:
        await store.close()


class Office:
    """What an officer's command works with: configuration, officers' keys, and the moment."""

    def __init__(self, args: argparse.Namespace) -> None:
        from hub.wiring import make_clock

        self.args = args
        self.config = read_config(args)
        self.passphrase = read_passphrase(args.passphrase_file, training=self.config.training)
        self.officers: list[SigningKey] = load_officers(self.config.home_path, args.officer, self.passphrase)
        self.now = make_clock(self.config)()

    def publisher(self) -> Any:
        """Return the way to publish, as a context manager."""
        return open_publisher(self.args, self.config, self.passphrase, self.now)


async def current_directory(publisher: Publisher) -> tuple[Directory, bytes]:
    """Return the directory in force and its payload."""
    payload = payload_of(await publisher.document("directory"), jws.DIRECTORY)
    return parse_directory(payload), payload


async def current_agreement(publisher: Publisher) -> tuple[Agreement, bytes]:
    """Return the newest agreement and its payload."""
    payload = payload_of(await publisher.document("agreement"), jws.AGREEMENT)
    return parse_agreement(payload), payload
