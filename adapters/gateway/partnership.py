"""Directory, agreement and keys: fetched, verified step by step, and kept, so that an outage changes nothing.

Source: protocol 7.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any, Final

import msgspec

from adapters.errors import GatewayError, NotYetError
from adapters.gateway import evidence, trust
from adapters.gateway.books import Books
from adapters.gateway.client import Client
from adapters.gateway.spool import Spool
from adapters.gateway.witness import Witness
from keys import jws
from keys.digests import sha256_b64u
from schemas.agreement import Agreement, parse_agreement
from schemas.directory import Directory, Officers, parse_directory
from schemas.envelope import Struct

_log = logging.getLogger("gateway.partnership")
_FACT: Final = "partnership"


class Version(Struct, frozen=True, kw_only=True):
    """One verified version of a signed document."""

    version: int
    sha256: str
    document: str


class Held(Struct, frozen=True, kw_only=True):
    """Everything that was verified.  ``officers``: every set of officers so far, the newest first."""

    directory: Version
    officers: tuple[Officers, ...]
    agreements: tuple[Version, ...] = ()
    stated: tuple[trust.Stated, ...] = ()
    # Spools of before statements were asked for from the beginning have only the newest about each key.
    whole: bool = False


class Partnership:
    """What the partnership has signed, as far as this gateway has seen and verified it."""

    def __init__(self, spool: Spool, client: Client, witness: Witness, pinned: trust.Pinned) -> None:
        self._spool, self._client, self._witness, self._pinned = spool, client, witness, pinned
        self._held: Held | None = None
        self._books: Books | None = None

    @property
    def is_known(self) -> bool:
        """Answer whether there are books yet."""
        return self._books is not None

    @property
    def books(self) -> Books:
        """Return the current books.

        Raises:
            NotYetError: ``directory-missing``; the hub has not been reached yet, not once.
        """
        if self._books is None:
            raise NotYetError("directory-missing", "no directory is known yet", "wait until the hub is reachable")
        return self._books

    async def load(self) -> None:
        """Take up where the spool left off; what it holds was verified when it came."""
        row = await self._spool.one("find_fact", name=_FACT)
        if row is not None:
            held = msgspec.json.decode(bytes(row["value"]), type=Held)
            self._set(held)
            await self._spool.run(
                "add_directory", version=held.directory.version, document=held.directory.document.encode()
            )

    async def refresh(self) -> bool:
        """Fetch and verify what is new; answer whether anything was.

        Raises:
            NotYetError: the hub is away.
            GatewayError: ``trust-*``, ``log-inconsistent``; what the hub shows is not what the partnership signed.
        """
        held = await self._refresh_directory(self._held)
        held = await self._refresh_agreements(held)
        directory = _directory(held)
        await self._witness.check(directory)
        held = await self._refresh_keys(held, directory)
        if held == self._held:
            return False
        await self._spool.run("set_fact", name=_FACT, value=msgspec.json.encode(held))
        self._set(held)
        return True

    def _set(self, held: Held) -> None:
        self._held = held
        self._books = Books(_directory(held), [_agreement(one.document) for one in held.agreements], held.stated)

    async def _refresh_directory(self, held: Held | None) -> Held:
        newest = (await self._client.fetch("/v1/directory")).body
        try:
            return await self._follow_directory(held, newest)
        except GatewayError as error:
            await evidence.keep_directory(self._spool, newest, error, self._witness.clock())
            raise

    async def _follow_directory(self, held: Held | None, newest: bytes) -> Held:
        version, digest = _peek(newest, jws.DIRECTORY)
        _check_not_older(version, digest, held.directory if held else None)
        while held is None or held.directory.version < version:
            number = held.directory.version + 1 if held else 1
            document = newest if number == version else (await self._client.fetch(f"/v1/directory/{number}")).body
            before = held.directory if held else None
            parsed = trust.verify_directory(
                document, _directory(held) if held else None, before.sha256 if before else None, self._pinned.officers
            )
            await self._spool.run("add_directory", version=number, document=document)
            kept = Version(
                version=number, sha256=trust.payload_sha256(document, jws.DIRECTORY), document=document.decode()
            )
            officers = held.officers if held else (self._pinned.officers,)
            if parsed.officers not in officers:
                officers = (parsed.officers, *officers)
            held = (
                Held(directory=kept, officers=officers)
                if held is None
                else msgspec.structs.replace(held, directory=kept, officers=officers)
            )
        return held

    async def _refresh_agreements(self, held: Held) -> Held:
        newest = (await self._client.fetch("/v1/agreement")).body
        version, digest = _peek(newest, jws.AGREEMENT)
        last = held.agreements[-1] if held.agreements else None
        _check_not_older(version, digest, last)
        while last is None or last.version < version:
            number = last.version + 1 if last else 1
            document = newest if number == version else (await self._client.fetch(f"/v1/agreement/{number}")).body
            trust.verify_agreement(document, number - 1, last.sha256 if last else None, held.officers)
            sha256 = trust.payload_sha256(document, jws.AGREEMENT)
            last = Version(version=number, sha256=sha256, document=document.decode())
            held = msgspec.structs.replace(held, agreements=(*held.agreements, last))
        return held

    async def _refresh_keys(self, held: Held, directory: Directory) -> Held:
        before = held.stated if held.whole else ()
        new = await self._list_keys(max((one.listed.index + 1 for one in before), default=0))
        listing = [*(one.listed for one in before), *new]
        good, wrong = trust.verify_statements(listing, directory, {one.sha256: one for one in before})
        for code in wrong:
            _log.warning("a key statement was left out: %s", code)
        if wrong:
            held_to = {one.sha256 for one in good}
            for listed in new:
                if sha256_b64u(listed.jws.encode(errors="replace")) not in held_to:
                    await evidence.keep_key(self._spool, listed, self._witness.clock())
        stated, tree = [], self._witness.tree()
        for one in good:
            proved = one.proved or await self._witness.prove(one, tree)
            stated.append(msgspec.structs.replace(one, proved=proved))
        return msgspec.structs.replace(held, stated=tuple(stated), whole=True)

    async def _list_keys(self, after: int) -> list[trust.Listed]:
        """Return every key statement from the log's index *after* on: old signatures are judged by old statements."""
        listing: list[trust.Listed] = []
        while True:
            page: dict[str, Any] = (await self._client.fetch(f"/v1/keys?all=true&after={after}")).json()
            listing += [
                trust.Listed(jws=str(text), index=int(index), usable_from=int(usable), at=int(at))
                for text, index, usable, at in zip(
                    page["keys"], page["indexes"], page["usable_from"], page["at"], strict=True
                )
            ]
            if page.get("next") is None:
                return listing
            after = int(page["next"])


def _peek(document: bytes, typ: str) -> tuple[int, str]:
    """Return version and digest that *document* claims; not verified."""
    payload = trust.payload_of(document, typ)
    return int(msgspec.json.decode(payload)["version"]), trust.payload_sha256(document, typ)


def _check_not_older(version: int, digest: str, seen: Version | None) -> None:
    if seen is not None and (version < seen.version or (version == seen.version and digest != seen.sha256)):
        raise GatewayError(
            "trust-version",
            "the hub shows an older version than it did, or another one of the same number",
            "don't go on: tell the partnership's officers",
        )


def _directory(held: Held) -> Directory:
    return _parse_directory(held.directory.document)


# Verified documents are parsed again whenever a key is added; they are long, and don't change.
@lru_cache(maxsize=4)
def _parse_directory(document: str) -> Directory:
    return parse_directory(trust.payload_of(document.encode(), jws.DIRECTORY))


@lru_cache(maxsize=16)
def _agreement(document: str) -> Agreement:
    return parse_agreement(trust.payload_of(document.encode(), jws.AGREEMENT))
