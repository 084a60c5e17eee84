"""Actions, checks, flags and duties outlast a message: what comes later changes what stands there, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.base import Filed, Later, NeedsPerson, Notice
from adapters.conformance import ENVELOPE, THREAD, collect
from adapters.fhir.judging import FhirError
from tests.fhir.server import FhirServer
from tests.fhir.support import AT, CHILD, MESSAGE, NHS, follow, open_adapter


async def test_what_no_search_finds_yet_is_asked_again(server: FhirServer) -> None:
    """A task that the server's index doesn't have yet isn't taken for up to date."""
    adapter = open_adapter(server)
    await adapter.file(MESSAGE)
    server.searches = "nothing"
    assert await adapter.file(follow("complete", 5)) == Later(reason="fhir-conflict")
    server.searches = "finds"
    assert isinstance(await adapter.file(follow("complete", 5)), Filed)
    assert [one["status"] for one in server.of("Task")] == ["completed"]


async def test_a_server_that_leaves_out_what_was_asked_misleads_nobody(server: FhirServer) -> None:
    """Where a search finds everything, another child, another action, another duty and another's letter are told apart."""
    adapter = open_adapter(server)
    other = {**CHILD, "nhs_number": "9990000026"}
    server.add({"resourceType": "Patient", "identifier": [{"system": NHS, "value": other["nhs_number"], "use": "old"}]})
    message = replace(MESSAGE, message={"child": other})
    assert await adapter.file(message) == NeedsPerson(code="fhir-no-patient")
    details = {"obligation": "o", "thread": ENVELOPE, "type": MESSAGE.type, "creditor": MESSAGE.mailbox}
    await adapter.notify(Notice(id="n", code="owed", at=AT, mailbox=MESSAGE.mailbox, source="hub", details=details))
    server.searches = "everything"
    await adapter.file(MESSAGE)
    assert isinstance(await adapter.file(follow("complete", 5, action_id="2")), Filed)
    assert sorted(one["status"] for one in server.of("Task")) == ["completed", "requested"]
    assert [one["status"] for one in server.of("CommunicationRequest")] == ["active"]
    server.add({"resourceType": "Communication", "status": "preparation"})
    assert await collect(adapter) == []


async def test_other_notices_are_told_once(server: FhirServer) -> None:
    """Anything else is a Communication with its code; a server that is down has the gateway tell it again."""
    notice = Notice(
        id="n1", code="needs-person", at=AT, mailbox=MESSAGE.mailbox, source="gateway", details={"thread": THREAD}
    )
    await open_adapter(server).notify(notice)
    await open_adapter(server).notify(notice)
    (told,) = server.of("Communication")
    assert told["payload"] == [{"contentString": f"needs-person; thread: {THREAD}"}]
    await server.close()
    with pytest.raises(FhirError, match="fhir-away"):
        await open_adapter(server).notify(notice)
