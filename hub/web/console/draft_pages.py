"""Drafts of the next directory or agreement: brought, looked at, approved by a second person, carried to the officers."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import msgspec
from aiohttp import web

from hub import acts, drafts
from hub.drafts import Current, Publish
from hub.errors import HubError
from hub.kit.forms import Posted
from hub.kit.pages import see
from hub.store.people_rows import ProposalRow
from hub.store.rows import DraftRow
from hub.store.transaction import Transaction
from hub.web.console.documents_shown import SHOWN, changes_between
from hub.web.console.frame import ROOT, Console, NotHereError, Visit
from hub.web.console.proposing import propose, say
from keys.errors import KeysError
from keys.safety import spell_payload
from schemas.catalogue import Catalogue
from schemas.identifiers import is_sha256
from schemas.strict_json import MalformedError, dump

_LISTED = 100
_catalogue = cache(Catalogue.load)


async def show_drafts(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the form that takes a draft, and the drafts that wait for somebody."""
    del visit
    return await _show_all(console, request, "")


async def _show_all(console: Console, request: web.Request, wrong: str) -> web.Response:
    def look(tx: Transaction) -> list[tuple[ProposalRow, Publish]]:
        rows = [*tx.proposals("proposed", None, _LISTED), *tx.proposals("approved", None, _LISTED)]
        return [(row, _about(row)) for row in rows if row.act == drafts.PUBLISH]

    waiting = await console.hub.store.read(look)
    return console.show(request, "drafts.html", {"waiting": waiting, "wrong": wrong}, status=422 if wrong else 200)


def _about(row: ProposalRow) -> Publish:
    return msgspec.json.decode(row.about, type=Publish)


async def take_draft(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Keep a draft that somebody brings, and show it."""
    del visit
    try:
        now, content = console.now(), _read_upload(posted)
        current = await console.hub.store.read(drafts.read_current)
        made = await asyncio.to_thread(_make, content, current, now)
        digest = await console.hub.store.write(lambda tx: drafts.keep(tx, made, now))
    except (HubError, KeysError, MalformedError) as error:
        return await _show_all(console, request, say(error))
    return see(f"{ROOT}/drafts/{digest}")


def _read_upload(posted: Posted) -> bytes:
    content = next((one.content for name, one in posted.files if name == "draft"), b"")
    if not content:
        raise HubError("draft", "no file came", "choose a file")
    if len(content) > drafts.MAX_DRAFT:
        raise HubError("draft", "the file is larger than a directory or agreement can be", "choose another")
    return content


def _make(raw: bytes, current: Current, now: int) -> drafts.Made:
    return drafts.make_draft(raw, current, now, drafts.digest_schemas(_catalogue()))


async def show_draft(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer one draft: what it changes, what a check finds, and how far it is."""
    del visit
    return await _show(console, request, "")


async def _show(console: Console, request: web.Request, wrong: str) -> web.Response:
    row, proposal = await _find(console, request)
    current = await console.hub.store.read(drafts.read_current)
    shown = await asyncio.to_thread(_describe, console, row, current)
    context = shown | {"draft": row, "proposal": proposal, "wrong": wrong, "reasons": drafts.REASONS}
    return console.show(request, "draft.html", context, status=422 if wrong else 200)


def _describe(console: Console, row: DraftRow, current: Current) -> dict[str, Any]:
    said = drafts.read_kept(row)
    before = (current.directory() if row.kind == "directory" else current.agreed())[0]
    changes = changes_between(before, said, console.words())
    found = drafts.lint(said, console.hub.registry.snapshot.directory, console.now(), _catalogue())
    return {
        "changes": changes[:SHOWN], "left_out": max(0, len(changes) - SHOWN), "findings": list(found)[:SHOWN],
        "digest": spell_payload(row.payload), "follows": said.version == before.version + 1,
        "officers": console.hub.registry.snapshot.directory.directory.officers,
    }  # fmt: skip


async def _find(console: Console, request: web.Request) -> tuple[DraftRow, ProposalRow | None]:
    digest = request.match_info["digest"]

    def look(tx: Transaction) -> tuple[DraftRow | None, ProposalRow | None]:
        rows = [row for state in acts.STATES[:2] for row in tx.proposals(state, None, _LISTED)]
        mine = [row for row in rows if row.act == drafts.PUBLISH and _about(row).digest == digest]
        return tx.find_draft(digest), next(iter(mine), None)

    row, proposal = await console.hub.store.read(look) if is_sha256(digest) else (None, None)
    if row is None:
        raise NotHereError
    return row, proposal


async def propose_draft(console: Console, request: web.Request, visit: Visit, posted: Posted) -> web.StreamResponse:
    """Propose that officers sign a draft."""
    row, _ = await _find(console, request)
    about = {"kind": row.kind, "version": row.version, "digest": row.sha256}
    try:
        return await propose(console, visit, posted, drafts.PUBLISH, about)
    except HubError as error:
        return await _show(console, request, say(error))


async def give_draft(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer an approved draft as the file that officers carry to their machines."""
    del visit
    row, proposal = await _find(console, request)
    if proposal is None or proposal.state != "approved":
        raise NotHereError
    carried = drafts.carry(row, await console.hub.store.read(drafts.read_current))
    name = f"{row.kind}-{row.version}.draft"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=dump(carried), content_type="application/json", headers=headers)
