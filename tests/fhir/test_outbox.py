"""Drafts that staff write in their own system are sent, or come back with the reason."""

from __future__ import annotations

from adapters.base import Document, DraftRefused, Spooled
from adapters.conformance import ENVELOPE, THREAD, collect, sample_draft
from schemas.strict_json import dump
from tests.fhir.server import FhirServer
from tests.fhir.support import OURS, open_adapter, put_draft


async def test_drafts_wait_until_they_are_done(server: FhirServer) -> None:
    """A draft keeps its key and comes whole; sent or refused it says so at the server; a malformed one stops nothing."""
    paper = Document(name="Müller minutes.pdf", type="application/pdf", content=bytes(range(256)))
    bad = put_draft(server, b'{"type": 7}')
    first = put_draft(server, dump(sample_draft(attachments=[paper.name])), paper)
    second = put_draft(server, dump(sample_draft()))
    missing = put_draft(server, dump(sample_draft(attachments=["gone.pdf"])))
    found = await collect(open_adapter(server))
    assert [one.key for one in found] == [one.key for one in await collect(open_adapter(server))] == [first, second]
    assert found[0].documents == (paper,)
    for _ in range(2):
        await found[0].done(Spooled(envelope=ENVELOPE, thread=THREAD))
        await found[1].done(DraftRefused(code="message-schema", message="no", hint=""))
    assert await collect(open_adapter(server)) == []
    said = [
        (server.store[one]["status"], server.store[one].get("statusReason", {}).get("coding", [{}])[0].get("code"))
        for one in (bad, first, second, missing)
    ]
    assert said == [
        ("stopped", "draft-shape"),
        ("completed", None),
        ("stopped", "message-schema"),
        ("stopped", "draft-attachment"),
    ]
    assert {"system": f"{OURS}/envelope", "value": ENVELOPE} in server.store[first]["identifier"]
    assert await collect(open_adapter(server, outbox=False)) == []


async def test_drafts_of_a_server_that_is_down_wait(server: FhirServer) -> None:
    """Nothing is found, and nothing fails."""
    await server.close()
    assert await collect(open_adapter(server)) == []
