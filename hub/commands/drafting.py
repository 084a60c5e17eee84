"""What a ceremony is to sign, drafted from what is in force: the next directory or agreement, or keys to speak for.

Source: protocol 7.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from hub.ceremonies import MAX_FILE, Draft, Reading, read_draft, refuse, select_history
from hub.commands.agency import end_agency, enrol, follow, read_request
from hub.commands.options import open_for_reading, parse_moment, read_config
from hub.errors import HubError
from hub.registry import payload_of
from keys import jws
from keys.digests import sha256_b64u
from schemas.agreement import parse_agreement
from schemas.directory import Directory, Jwk, Officers, parse_directory
from schemas.envelope import Struct
from schemas.identifiers import AgencyId
from schemas.strict_json import MalformedError, dump, parse_as

DAY: Final = 86_400_000
Read = TypeVar("Read")


class OfficerFile(Struct, frozen=True, kw_only=True):
    """What an officer gives to the others of a key of theirs: its public half."""

    v: Literal[1]
    jwk: Jwk


class KeyRequest(Struct, frozen=True, kw_only=True):
    """What an agency asks an officer to speak for: key statements, not yet published, in their order."""

    v: Literal[1]
    agency: AgencyId
    statements: Annotated[tuple[Annotated[str, Meta(max_length=16_384)], ...], Meta(min_length=1, max_length=300)]


class Published(NamedTuple):
    """What is in force, as published: every directory, the oldest first, and the newest agreement."""

    directories: tuple[bytes, ...]
    agreement: bytes

    def directory(self) -> tuple[Directory, bytes]:
        """Return the directory in force and its payload."""
        payload = payload_of(self.directories[-1], jws.DIRECTORY)
        return parse_directory(payload), payload


async def read_published(args: argparse.Namespace) -> Published:
    """Return what the hub that *args* name has published, over the wire or beside its database.

    Raises:
        HubError: ``home``, ``unavailable``.
    """
    if args.url:
        from hub.commands.publishing import open_address

        async with open_address(args.url) as hub:
            newest = await hub.document("directory")
            count = parse_directory(payload_of(newest, jws.DIRECTORY)).version
            earlier = [await hub.document(f"directory/{number}") for number in range(1, count)]
            return Published((*earlier, newest), await hub.document("agreement"))
    store = open_for_reading(read_config(args))
    try:
        directories, agreements = await store.read(lambda tx: (tx.documents("directory"), tx.documents("agreement")))
    finally:
        await store.close()
    if not directories or not agreements:
        raise HubError("home", "there is no directory or agreement yet", "sign and publish the first ones")
    return Published(tuple(row.document for row in directories), agreements[-1].document)


def first_drafts(directory: bytes, agreement: bytes, now: int) -> dict[str, Draft]:
    """Return the drafts of a new partnership's first *directory* and *agreement*, by the name of their files."""
    return {
        "directory-1.draft": Draft(v=1, kind="directory", payload=directory.decode(), made=now),
        "agreement-1.draft": Draft(v=1, kind="agreement", payload=agreement.decode(), made=now),
    }


def draft_directory(args: argparse.Namespace, published: Published, now: int) -> Draft:
    """Return the draft of the next directory, with the one change that *args* name.

    Raises:
        HubError: ``ceremony``, ``enrolment``, ``agency-unknown``.
    """
    directory, payload = published.directory()
    following = follow(directory, payload, directory.agencies, now)
    statements: list[str] = []
    if args.enrol:
        requests = [read_request(Path(file)) for file in args.enrol]
        following = enrol(directory, payload, requests, now, new_identity=args.new_identity)
        statements = [one for request in requests for one in request.statements]
    elif args.end:
        if not args.at:
            raise refuse("an agency's end needs its moment", "give --at DATE")
        following = end_agency(directory, payload, args.end, parse_moment(args.at), args.successor, now)
    elif args.officer:
        officers = read_officers(args.officer, args.threshold)
        following = msgspec.structs.replace(following, officers=officers)
    elif args.witnesses:
        following = msgspec.structs.replace(following, witnesses=read_file(args.witnesses).decode())
    elif args.directory:
        edited = parse_directory(read_file(args.directory))
        head = {name: getattr(following, name) for name in ("version", "previous", "issued")}
        following = msgspec.structs.replace(edited, **head)
    if args.days:
        following = msgspec.structs.replace(following, expires=now + args.days * DAY)
    text = dump(following)
    parse_directory(text)
    history = select_history(published.directories)
    return Draft(
        v=1, kind="directory", payload=text.decode(), history=history, statements=tuple(statements), made=now
    )  # fmt: skip


def draft_agreement(args: argparse.Namespace, published: Published, now: int) -> Draft:
    """Return the draft of the next agreement, compiled from the TOML that *args* name."""
    from hub.commands.catalogue import digest_schemas, load_catalogue
    from schemas.agreement_text import compile_agreement

    before = payload_of(published.agreement, jws.AGREEMENT)
    proposed = compile_agreement(
        read_file(args.agreement).decode(),
        version=parse_agreement(before).version + 1,
        previous=sha256_b64u(before),
        issued=now,
        schemas=digest_schemas(load_catalogue(args.messages)),
    )
    history = select_history(published.directories)
    return Draft(
        v=1, kind="agreement", payload=dump(proposed).decode(), history=history,
        agreement=published.agreement.decode(), made=now,
    )  # fmt: skip


def draft_keys(args: argparse.Namespace, published: Published, now: int) -> Draft:
    """Return the draft by which an officer speaks for the keys in the requests that *args* name."""
    requests = [_read_as(file, KeyRequest) for file in args.keys]
    statements = tuple(one for request in requests for one in request.statements)
    return Draft(v=1, kind="keys", history=select_history(published.directories), statements=statements, made=now)


def read_own(draft: Draft) -> Reading:
    """Return *draft* as read by the machine that made it: from its own first directory; officers start from their pins."""
    first = parse_directory(payload_of(draft.history[0].encode(), jws.DIRECTORY))
    return read_draft(draft, first.officers)


def read_officers(files: Sequence[str], threshold: int | None) -> Officers:
    """Return the officers whose public keys are in *files*, *threshold* of whom must sign.

    Raises:
        HubError: ``ceremony``.
    """
    keys = tuple(_read_as(file, OfficerFile).jwk for file in files)
    if threshold is None or not 0 < threshold <= len(keys) or len(set(keys)) != len(keys):
        raise refuse(
            "so many officers must sign as there are distinct keys at most, and one at least", "give --threshold"
        )
    return Officers(threshold=threshold, keys=keys)


def write_officer(jwk: dict[str, str]) -> bytes:
    """Return the file with an officer's public key."""
    return json.dumps({"v": 1, "jwk": jwk}, indent=2).encode() + b"\n"


def read_file(file: str) -> bytes:
    """Return what is in *file*.

    Raises:
        HubError: ``ceremony``.
    """
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise refuse(f"couldn't read {file}: {error.strerror}", "name a readable file") from error


def _read_as(file: str, shape: type[Read]) -> Read:
    try:
        return parse_as(read_file(file), shape, max_bytes=MAX_FILE)
    except MalformedError as error:
        raise refuse(f"couldn't use {file}: {error.message}", "name a file of the right kind") from error
