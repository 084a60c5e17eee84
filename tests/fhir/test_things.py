"""Actions, checks, flags and duties outlast a message: what comes later changes what stands there, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.base import Filed, Later, NeedsPerson, Notice
from adapters.conformance import ENVELOPE, THREAD, collect
from adapters.fhir.judging import FhirError
from adapters.gateway.filing import _hold_to_record
from tests.fhir.server import FhirServer
from tests.fhir.support import AT, CHILD, FLAG, FLAGGED, MESSAGE, NHS, follow, open_adapter


async def test_an_actions_later_messages_change_its_task(server: FhirServer) -> None:
    """One action is one task; what staff added stays; what comes late changes nothing; the later documents are the child's too."""
    adapter = open_adapter(server)
    await adapter.file(MESSAGE)
    (task,) = server.of("Task")
    server._change(
        f"Task/{task['id']}", {**task, "note": [{"text": "rang"}], "lastModified": "2027-01-01T00:00:00Z"}, 'W/"1"'
    )
    for message in (
        follow("accepted", 10, state_reason="agreed"),
        follow("complete", 30),
        follow("in_progress", 20),
        follow("complete", 30),
    ):
        assert isinstance(await adapter.file(message), Filed)
    (task,) = server.of("Task")
    assert "statusReason" not in task
    assert (task["status"], task["note"], task["meta"]["versionId"]) == ("completed", [{"text": "rang"}], "4")
    assert {one["subject"]["reference"] for one in server.of("DocumentReference")} == {"Patient/1"}
    assert len(server.of("DocumentReference")) == 4


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


async def test_a_check_is_a_task_until_it_is_answered(server: FhirServer) -> None:
    """A request opens the task and the answer completes it."""
    asked = {
        "check_id": "c1",
        "check_kind": "probation_child",
        "person": CHILD,
        "reason_code": "s47",
        "needed_by": "2026-07-07",
    }
    request = replace(MESSAGE, type="check.child.request/1", message=asked)
    answer = replace(
        follow("complete", 5), type="check.child.response/1", message={"check_id": "c1", "result": "not_known"}
    )
    for message in (request, answer, answer):
        assert isinstance(await open_adapter(server).file(message), Filed)
    (task,) = server.of("Task")
    assert task["status"] == "completed"
    assert task["businessStatus"]["coding"][0]["code"] == "not_known"


async def test_a_flag_is_set_read_back_and_cleared(server: FhirServer) -> None:
    """The record is the flag itself: what stands there, and that it was taken down, is what the gateway hears."""
    adapter = open_adapter(server)
    outcome = await adapter.file(FLAGGED)
    assert isinstance(outcome, Filed)
    assert outcome.record.startswith("Flag/")
    held = await adapter.read_back(outcome.record)
    assert held is not None
    assert (held.members, held.ended) == ({"/flag_kind": "CP"}, False)
    assert _hold_to_record(outcome, FLAGGED, held) == outcome
    cleared = {**FLAG, "cleared_at": "2026-08-01T10:00:00Z", "cleared_reason": "risk_reduced"}
    message = replace(FLAGGED, type="flag.cleared/1", envelope=THREAD, at=AT + 5, message=cleared)
    for _ in range(2):
        assert isinstance(await adapter.file(message), Filed)
    held = await adapter.read_back(outcome.record)
    assert held is not None
    assert _hold_to_record(outcome, FLAGGED, held) == NeedsPerson(code="record-differs")
    assert len(server.of("Flag")) == 1


async def test_what_is_owed_is_a_request_until_it_comes(server: FhirServer) -> None:
    """One request for each duty, more urgent as it runs late, completed by the very message; it names nobody."""
    adapter = open_adapter(server)
    details = {
        "obligation": "o" * 43, "thread": THREAD, "type": MESSAGE.type, "debtor": MESSAGE.sender,
        "creditor": MESSAGE.mailbox, "due": AT,
    }  # fmt: skip
    for number, (code, priority) in enumerate([("owed", "routine"), ("overdue", "asap"), ("due-soon", "asap")]):
        notice = Notice(id=f"n{number}", code=code, at=AT, mailbox=MESSAGE.mailbox, source="hub", details=details)
        for _ in range(2):
            await adapter.notify(notice)
        (request,) = server.of("CommunicationRequest")
        assert (request["priority"], request["status"]) == (priority, "active")
    await adapter.file(replace(MESSAGE, type="minutes.decisions/1", envelope=THREAD))
    assert server.of("CommunicationRequest")[0]["status"] == "active"
    await adapter.file(MESSAGE)
    assert server.of("CommunicationRequest")[0]["status"] == "completed"


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
