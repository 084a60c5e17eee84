"""The directory: who is in it, how it changed, version by version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from hub.core.authenticity import is_usable
from hub.registry import Snapshot
from hub.store.rows import VersionRow
from hub.store.transaction import Transaction
from hub.web.console import documents_shown
from hub.web.console.documents_shown import Kind, fingerprint, kid_of
from hub.web.console.frame import Console, NotHereError, Visit
from hub.web.console.proposing import PAGE, read_index
from schemas.directory import AgencyEntry, Officers
from schemas.identifiers import Moment, is_agency


def states_of(agencies: Iterable[AgencyEntry], snapshot: Snapshot, now: Moment) -> list[tuple[str, str]]:
    """Return how each agency stands at *now*: a state for a tag, and in words."""
    signing = {fact.agency for fact in snapshot.keys.values() if is_usable(fact, "sign", now)}

    def state_of(agency: AgencyEntry) -> tuple[str, str]:
        if agency.valid_from > now:
            return "note", "not yet"
        if snapshot.directory.has_agency_ended(agency.id, now):
            return "grey", "ended"
        return ("ok", "on the hub") if agency.id in signing else ("note", "not on the hub yet")

    return [state_of(agency) for agency in agencies]


async def show_directory(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the directory in force and its versions."""
    del visit
    snapshot, now = console.hub.registry.snapshot, console.now()
    directory, before = snapshot.directory.directory, read_index(request)
    versions = await console.hub.store.read(lambda tx: tx.document_versions("directory", before, PAGE + 1))
    context = {
        "directory": directory,
        "agencies": list(zip(directory.agencies, states_of(directory.agencies, snapshot, now), strict=True)),
        "officers": [fingerprint(kid_of(key)) for key in directory.officers.keys], **_listed(versions),
    }  # fmt: skip
    return console.show(request, "directory.html", context)


def _listed(versions: list[VersionRow]) -> dict[str, Any]:
    more = versions[PAGE - 1].version if len(versions) > PAGE else None
    return {"versions": versions[:PAGE], "after": more}


async def show_agency(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer one agency of the directory in force, with its teams."""
    del visit
    name, snapshot = request.match_info["agency"], console.hub.registry.snapshot
    agency = snapshot.directory.find_agency(name) if is_agency(name) else None
    if agency is None:
        raise NotHereError
    context = {
        "agency": agency, "state": states_of([agency], snapshot, console.now())[0],
        "identity": fingerprint(kid_of(agency.identity)),
    }  # fmt: skip
    return console.show(request, "agency.html", context)


async def show_directory_version(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer one version of the directory: what it changed, who signed it."""
    del visit
    return await _show_version(console, request, "directory")


async def show_agreement(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the agreement in force in plain English, and its versions."""
    del visit
    snapshot, before = console.hub.registry.snapshot, read_index(request)
    agreement = snapshot.rules_at(console.now()).agreement
    newest = snapshot.rules[-1].agreement

    def look(tx: Transaction) -> tuple[bytes, list[VersionRow]]:
        row = tx.find_document("agreement", agreement.version)
        if row is None:
            raise NotHereError
        return row.document, tx.document_versions("agreement", before, PAGE + 1)

    document, versions = await console.hub.store.read(look)
    context = {
        "agreement": agreement, "newest": newest, "blocks": documents_shown.explain_in_blocks(document),
        **_listed(versions),
    }  # fmt: skip
    return console.show(request, "agreement.html", context)


async def show_agreement_version(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer one version of the agreement: what it changed, who signed it, and what it says."""
    del visit
    return await _show_version(console, request, "agreement")


async def _show_version(console: Console, request: web.Request, kind: Kind) -> web.Response:
    text = request.match_info["version"]
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotHereError
    number = int(text)
    found = await console.hub.store.read(lambda tx: documents_shown.describe_version(tx, kind, number))
    if found is None:
        raise NotHereError
    row, before = found
    context = documents_shown.show_version(row, before, _officers(console), console.words())
    blocks = documents_shown.explain_in_blocks(row.document) if kind == "agreement" else ()
    return console.show(request, "version.html", context | {"kind": kind, "blocks": blocks})


def _officers(console: Console) -> Officers:
    return console.hub.registry.snapshot.directory.directory.officers
