"""Follow one envelope: its journey, what is proved of it, checked here and to take away; and the thread that it is of."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final, NamedTuple

from aiohttp import web

from hub.errors import HubError
from hub.journeys.checking import check_journey
from hub.journeys.files import Files, as_tar, prove
from hub.journeys.tracing import Journey, trace, trace_thread
from hub.journeys.verdict import CHECKS, Verdict
from hub.kit.pages import HEADERS
from hub.reading import Look
from hub.registry import payload_of
from hub.store.transaction import Transaction
from hub.web.console import saying
from hub.web.console.frame import Console, NotHereError, Visit
from keys import jws
from schemas.directory import Officers, parse_directory
from schemas.identifiers import EnvelopeId, is_id

# More of a thread is for the log's own page.
SHOWN: Final = 200


class Proved(NamedTuple):
    """A journey, with its files and what they prove; both absent while no checkpoint covers it."""

    journey: Journey
    files: Files | None
    verdict: Verdict | None


async def _prove(console: Console, name: EnvelopeId) -> Proved:
    """Return the journey of *name*, checked from the officers' first keys as this hub has them.

    Raises:
        NotHereError: the hub has no such envelope.
    """
    snapshot, now = console.hub.registry.snapshot, console.now()

    def look(tx: Transaction) -> tuple[Journey, Files | None, Officers]:
        journey, first = trace(tx, name), tx.find_document("directory", 1)
        if journey is None or first is None:
            raise NotHereError
        roots = parse_directory(payload_of(first.document, jws.DIRECTORY)).officers
        try:
            return journey, prove(tx, snapshot, journey, now), roots
        except HubError as error:
            if error.code != "no-checkpoint":
                raise
            return journey, None, roots

    journey, files, roots = await console.hub.store.read(look)
    # Signatures of a second kind and a hundred hashes: not on the loop that serves everybody.
    verdict = await asyncio.to_thread(check_journey, files, roots) if files is not None else None
    return Proved(journey, files, verdict)


async def show_envelope(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer one envelope's journey with each check and its result."""
    name = _id(request, "envelope")
    proved = await _prove(console, name)
    await _note(console, visit, "journey", proved.journey)
    verdict = proved.verdict
    context: dict[str, Any] = {
        "journey": proved.journey, "verdict": verdict, "saying": saying, "checks": CHECKS,
        "held": Counter(check.code for check in verdict.checks if not check.problem) if verdict else {},
        "failed": Counter(check.code for check in verdict.problems) if verdict else {},
    }  # fmt: skip
    return console.show(request, "envelope.html", context)


async def send_proof(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer everything that is needed to check the journey elsewhere, as a tar archive."""
    name = _id(request, "envelope")
    proved = await _prove(console, name)
    if (files := proved.files) is None:
        raise HubError("no-checkpoint", "no checkpoint covers this envelope yet", "ask again in a second")
    await _note(console, visit, "export", proved.journey)
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="envelope-{name}.tar"'}
    return web.Response(body=as_tar(files, console.now()), content_type="application/x-tar", headers=headers)


async def _note(console: Console, visit: Visit, look: Look, journey: Journey) -> None:
    # With its thread: what is in the log of a thread is found by it.
    about = {"envelope": journey.envelope.id, "thread": journey.envelope.thread}
    await console.hub.looks.note_person(console.hub.store, visit.account.id, look, console.now(), about)


async def show_thread(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer what the hub knows of one thread: its envelopes, its duties, its entries in the log."""
    name = _id(request, "thread")
    found = await console.hub.store.read(lambda tx: trace_thread(tx, name))
    if found is None:
        raise NotHereError
    await console.hub.looks.note_person(console.hub.store, visit.account.id, "journey", console.now(), {"thread": name})
    context = {
        "thread": name, "found": found, "entries": found.entries[:SHOWN], "saying": saying,
        "more": found.cut or len(found.entries) > SHOWN,
    }  # fmt: skip
    return console.show(request, "thread.html", context)


def _id(request: web.Request, name: str) -> str:
    text = request.match_info[name]
    if not is_id(text):
        raise NotHereError
    return text
