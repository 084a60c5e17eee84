"""``hub agency add`` and ``hub agency end``: the next directory, signed by the officers."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hub.commands.options import add_publishing, in_words, parse_moment
from hub.commands.publishing import Office, current_directory
from hub.errors import HubError
from hub.signing import approve_key, sign_document
from keys import jws
from keys.digests import sha256_b64u
from schemas.directory import (
    AgencyEntry,
    Directory,
    FormerName,
    Jwk,
    Mailbox,
    Successor,
    parse_directory,
)
from schemas.envelope import Struct
from schemas.identifiers import AgencyId, Code, is_agency
from schemas.strict_json import MalformedError, dump, parse_as

MAX_REQUEST = 1024 * 1024


class EnrolmentRequest(Struct, frozen=True, kw_only=True):
    """What ``gateway init`` writes for the officers.  ``statements``: the agency's first key statements, in order."""

    v: Literal[1]
    agency: AgencyId
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    roles: Annotated[tuple[Code, ...], Meta(max_length=16)]
    codes: Mapping[Code, str]
    identity: Jwk
    mailboxes: Annotated[tuple[Mailbox, ...], Meta(max_length=256)]
    statements: Annotated[tuple[Annotated[str, Meta(max_length=16_384)], ...], Meta(max_length=300)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands' arguments."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add = commands.add_parser("add", help="add agencies, or renew their entries, from enrolment requests")
    add.add_argument("requests", metavar="REQUEST", nargs="+", help="file that `gateway init` wrote")
    add_publishing(add)
    add.set_defaults(run=run_add)
    end = commands.add_parser("end", help="end an agency and name who takes over")
    end.add_argument("agency", metavar="ID", help="the agency that ends")
    end.add_argument("--at", metavar="DATE", required=True, help="from when on: 2026-09-30, or an RFC 3339 moment")
    end.add_argument(
        "--successor",
        metavar="ID[:PART]",
        action="append",
        default=[],
        help="who takes over, and of what where there are several; again for each",
    )
    add_publishing(end)
    end.set_defaults(run=run_end)


def read_request(path: Path) -> EnrolmentRequest:
    """Return the enrolment request in the file *path*.

    Raises:
        HubError: ``enrolment``.
    """
    try:
        return parse_as(path.read_bytes(), EnrolmentRequest, max_bytes=MAX_REQUEST)
    except OSError as error:
        raise HubError(
            "enrolment", f"couldn't read {path}: {error.strerror}", "name a file of `gateway init`"
        ) from error
    except MalformedError as error:
        raise HubError(
            "enrolment", f"couldn't use {path}: {error.message}", "make it again by `gateway init`"
        ) from error


def enrol(
    directory: Directory,
    payload: bytes,
    requests: Sequence[EnrolmentRequest],
    now: int,
    *,
    new_identity: bool = False,
) -> Directory:
    """Return the next directory: *directory*, whose payload is *payload*, with the agencies of *requests*.

    An agency that is there already keeps its first day, its end and its earlier names, and must show the same identity
    key unless *new_identity*.  A mailbox that it no longer asks for ends now and stays listed: its address leads on to whoever answers for it.

    Raises:
        HubError: ``enrolment``.
    """
    entries = {entry.id: entry for entry in directory.agencies}
    for request in requests:
        known = entries.get(request.agency)
        if known is not None and known.identity != request.identity and not new_identity:
            raise HubError(
                "enrolment",
                f"{request.agency} is in the directory with another identity key",
                "find out why before you go on: only the agency itself should have made this request",
            )
        entry = AgencyEntry(
            id=request.agency,
            name=request.name,
            roles=request.roles,
            codes=request.codes,
            valid_from=now,
            identity=request.identity,
            mailboxes=request.mailboxes,
        )
        entries[request.agency] = _renew(known, entry, now) if known else entry
    return follow(directory, payload, tuple(entries.values()), now)


def _renew(known: AgencyEntry, entry: AgencyEntry, now: int) -> AgencyEntry:
    """Return *entry* with what is remembered of it, and of mailboxes that it no longer has."""
    boxes = {box.id: box for box in entry.mailboxes}
    for box in known.mailboxes:
        if (renewed := boxes.get(box.id)) is None:
            ended = now if box.valid_to is None else min(box.valid_to, now)
            boxes[box.id] = msgspec.structs.replace(box, valid_to=ended)
        else:
            names = _names(box.former_names, box.title, renewed.title, now)
            boxes[box.id] = msgspec.structs.replace(renewed, former_names=names)
    return msgspec.structs.replace(
        entry,
        former_names=_names(known.former_names, known.name, entry.name, now),
        valid_from=known.valid_from,
        valid_to=known.valid_to,
        successors=known.successors,
        mailboxes=tuple(boxes.values()),
    )


def _names(former: tuple[FormerName, ...], before: str, after: str, now: int) -> tuple[FormerName, ...]:
    return former if before == after else (*former, FormerName(name=before, until=now))


def follow(directory: Directory, payload: bytes, agencies: tuple[AgencyEntry, ...], now: int) -> Directory:
    """Return the version after *directory* with *agencies*, good for as long as that one was."""
    proposed = msgspec.structs.replace(
        directory,
        version=directory.version + 1,
        previous=sha256_b64u(payload),
        issued=now,
        expires=now + directory.expires - directory.issued,
        agencies=agencies,
    )
    return parse_directory(dump(proposed))


def end_agency(
    directory: Directory, payload: bytes, agency: str, at: int, successors: Sequence[str], now: int
) -> Directory:
    """Return the next directory, in which *agency* ends at *at*; *successors* are ``id`` or ``id:part``.

    Raises:
        HubError: ``agency-unknown`` or ``enrolment``.
    """
    named = []
    for text in successors:
        name, _, part = text.partition(":")
        if not is_agency(name):
            raise HubError("enrolment", f"{text!r} isn't an agency's id", "write ID or ID:PART")
        named.append(Successor(agency=name, split=part or None))
    if agency not in {entry.id for entry in directory.agencies}:
        raise HubError("agency-unknown", f"{agency} isn't in the directory", "check its id")
    agencies = tuple(
        msgspec.structs.replace(entry, valid_to=at, successors=tuple(named)) if entry.id == agency else entry
        for entry in directory.agencies
    )
    return follow(directory, payload, agencies, now)


def run_add(args: argparse.Namespace) -> int:
    """Sign and publish a directory with the requested agencies, then their first keys."""
    requests = [read_request(Path(file)) for file in args.requests]
    office = Office(args)
    directory = asyncio.run(_add(office, requests))
    print(f"published directory version {directory.version}")
    from hub.ceremonies import officers_number

    print("compare by telephone with what `gateway safety-number` shows at the agency:")
    for request in requests:
        number = officers_number(directory.partnership, directory.officers, request.agency, request.identity)
        print(f"{request.agency}: {number}")
    return 0


async def _add(office: Office, requests: Sequence[EnrolmentRequest]) -> Directory:
    async with office.publisher() as publisher:
        directory, payload = await current_directory(publisher)
        proposed = enrol(directory, payload, requests, office.now)
        await publisher.publish("directory", sign_document(dump(proposed), jws.DIRECTORY, office.officers))
        for request in requests:
            for statement in request.statements:
                word = approve_key(statement.encode(), office.officers[0], office.now)
                await publisher.publish_key(statement, word)
        return proposed


def run_end(args: argparse.Namespace) -> int:
    """Sign and publish a directory in which the agency ends."""
    at = parse_moment(args.at)
    version = asyncio.run(_end(Office(args), args.agency, at, args.successor))
    print(f"published directory version {version}: {args.agency} ends at {in_words(at)}")
    return 0


async def _end(office: Office, agency: str, at: int, successors: Sequence[str]) -> int:
    async with office.publisher() as publisher:
        directory, payload = await current_directory(publisher)
        proposed = end_agency(directory, payload, agency, at, successors, office.now)
        await publisher.publish("directory", sign_document(dump(proposed), jws.DIRECTORY, office.officers))
        return proposed.version
