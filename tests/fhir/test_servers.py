"""What holds at our small server and at a real one alike: what every adapter must do, filing and reading back, the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Document, DraftRefused, Filed, Incoming, NeedsPerson, Notice, Spooled
from adapters.checks import CHECKS, Trial
from adapters.conformance import ENVELOPE, THREAD, AdapterContract, collect, sample_draft
from adapters.fhir import FhirAdapter
from adapters.gateway.filing import _hold_to_record
from schemas.strict_json import dump
from tests.fhir.support import (
    ACTION,
    AT,
    CHILD,
    FLAG,
    FLAGGED,
    MESSAGE,
    NHS,
    OURS,
    Server,
    add_patient,
    follow,
    open_adapter,
    put_draft,
    read_message,
)


class Records:
    """A server as the contract needs it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        server.empty()
        add_patient(server)

    def open(self) -> FhirAdapter:
        """Return an adapter as after a restart."""
        return open_adapter(self._server)

    def put(self, name: str, draft: bytes, documents: Sequence[Document] = ()) -> None:
        """Have staff want to send *draft*."""
        put_draft(self._server, draft, *documents)

    def count_waiting(self) -> int:
        """Return how many drafts wait."""
        return sum(one["status"] == "preparation" for one in self._server.of("Communication"))

    def count_records(self) -> int:
        """Return how many messages are there."""
        keys = [one["identifier"][0]["value"] for one in self._server.of("DocumentReference")]
        assert len(keys) == len(set(keys))
        # The same envelope for two teams is one message.
        return len({key.rsplit("/", 2)[1] for key in keys})

    def read_record(self, record: str) -> Any:
        """Return the message under *record*."""
        return read_message(self._server.read(record))


class TestContract(AdapterContract):
    """What every adapter must do."""

    @pytest.fixture(autouse=True)
    def _over(self, each: Server) -> None:
        self._server = each

    def harness(self, tmp_path: Path) -> Records:
        """Return the server, empty but for its patient."""
        return Records(self._server)

    def incoming(self, **changes: Any) -> Incoming:
        """Return a message about that patient."""
        return replace(MESSAGE, **changes)


def _child(server: Server) -> dict[str, str]:
    (patient,) = server.of("Patient")
    return {"reference": f"Patient/{patient['id']}"}


async def test_minutes_are_a_document_a_communication_and_tasks(each: Server) -> None:
    """The minutes whole with their paper, who told whom, an open task for each action, and where all of it is from."""
    outcome = await open_adapter(each).file(MESSAGE)
    assert isinstance(outcome, Filed)
    document = each.read(outcome.record)
    assert read_message(document) == MESSAGE.message
    assert document["subject"] == _child(each)
    assert [one["attachment"]["title"] for one in document["content"]] == ["message.json", "minutes.pdf"]
    assert {"system": f"{OURS}/mark", "code": "not_for_family"} in document["meta"]["security"]
    (communication,) = each.of("Communication")
    assert communication["payload"] == [{"contentReference": {"reference": outcome.record}}]
    (task,) = each.of("Task")
    assert (task["status"], task["for"], task["focus"]) == (
        "requested", _child(each), {"reference": outcome.record},
    )  # fmt: skip
    assert task["restriction"]["period"]["end"] == ACTION["due_at"]
    (provenance,) = each.of("Provenance")
    assert len(provenance["target"]) == 3
    assert provenance["agent"][0]["who"]["identifier"]["value"] == MESSAGE.author


async def test_flags_withstand_the_same(each: Server) -> None:
    """Every check that holds for minutes holds where the record is a flag."""

    async def reopen() -> FhirAdapter:
        return open_adapter(each)

    # How long a document may be has nothing to do with the record's kind.
    for name, check in [one for one in CHECKS.items() if one[0] != "huge"]:
        number = iter(range(1000))

        class Flags(Trial):
            def another(self, **changes: object) -> Incoming:
                flag = {**FLAG, "flag_id": f"{name}-{next(number)}"}  # noqa: B023 (run before the next)
                return replace(super().another(**changes), message=flag)

        await check(Flags(reopen=reopen, message=FLAGGED))


async def test_an_actions_later_messages_change_its_task(each: Server) -> None:
    """One action is one task; what staff added stays; what comes late changes nothing; the later documents are the child's too."""
    adapter = open_adapter(each)
    await adapter.file(MESSAGE)
    (task,) = each.of("Task")
    each.change(f"Task/{task['id']}", note=[{"text": "rang"}], lastModified="2027-01-01T00:00:00Z")
    for message in (follow("accepted", 10, state_reason="agreed"), follow("complete", 30), follow("in_progress", 20)):
        assert isinstance(await adapter.file(message), Filed)
    (task,) = each.of("Task")
    assert isinstance(await adapter.file(follow("complete", 30)), Filed)
    assert each.of("Task") == [task]
    assert "statusReason" not in task
    assert (task["status"], task["note"]) == ("completed", [{"text": "rang"}])
    assert [one["subject"] for one in each.of("DocumentReference")] == [_child(each)] * 4


async def test_a_check_is_a_task_until_it_is_answered(each: Server) -> None:
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
        assert isinstance(await open_adapter(each).file(message), Filed)
    (task,) = each.of("Task")
    assert task["status"] == "completed"
    assert task["businessStatus"]["coding"][0]["code"] == "not_known"


async def test_a_flag_is_set_read_back_and_cleared(each: Server) -> None:
    """The record is the flag itself: what stands there, and that it was taken down, is what the gateway hears."""
    adapter = open_adapter(each)
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
    assert len(each.of("Flag")) == 1


async def test_what_is_owed_is_a_request_until_it_comes(each: Server) -> None:
    """One request for each duty, more urgent as it runs late, completed by the very message; it names nobody."""
    adapter = open_adapter(each)
    details = {
        "obligation": "o" * 43, "thread": THREAD, "type": MESSAGE.type, "debtor": MESSAGE.sender,
        "creditor": MESSAGE.mailbox, "due": AT,
    }  # fmt: skip
    for number, (code, priority) in enumerate([("owed", "routine"), ("overdue", "asap"), ("due-soon", "asap")]):
        notice = Notice(id=f"n{number}", code=code, at=AT, mailbox=MESSAGE.mailbox, source="hub", details=details)
        for _ in range(2):
            await adapter.notify(notice)
        (request,) = each.of("CommunicationRequest")
        assert (request["priority"], request["status"]) == (priority, "active")
    await adapter.file(replace(MESSAGE, type="minutes.decisions/1", envelope=THREAD))
    assert each.of("CommunicationRequest")[0]["status"] == "active"
    await adapter.file(MESSAGE)
    assert each.of("CommunicationRequest")[0]["status"] == "completed"


async def test_drafts_wait_until_they_are_done(each: Server) -> None:
    """A draft keeps its key and comes whole; sent or refused it says so at the server; a malformed one stops nothing."""
    paper = Document(name="Müller minutes.pdf", type="application/pdf", content=bytes(range(256)))
    bad = put_draft(each, b'{"type": 7}')
    first = put_draft(each, dump(sample_draft(attachments=[paper.name])), paper)
    second = put_draft(each, dump(sample_draft()))
    missing = put_draft(each, dump(sample_draft(attachments=["gone.pdf"])))
    found = await collect(open_adapter(each))
    assert [one.key for one in found] == [one.key for one in await collect(open_adapter(each))] == [first, second]
    assert found[0].documents == (paper,)
    for _ in range(2):
        await found[0].done(Spooled(envelope=ENVELOPE, thread=THREAD))
        await found[1].done(DraftRefused(code="message-schema", message="no", hint=""))
    assert await collect(open_adapter(each)) == []
    said = [
        (each.read(one)["status"], each.read(one).get("statusReason", {}).get("coding", [{}])[0].get("code"))
        for one in (bad, first, second, missing)
    ]
    assert said == [
        ("stopped", "draft-shape"),
        ("completed", None),
        ("stopped", "message-schema"),
        ("stopped", "draft-attachment"),
    ]
    assert {"system": f"{OURS}/envelope", "value": ENVELOPE} in each.read(first)["identifier"]
    assert await collect(open_adapter(each, outbox=False)) == []


async def test_an_answer_that_names_no_child_goes_where_the_question_stands(each: Server) -> None:
    """What answers a message that staff sent from a record, or one that was filed there, goes there; of another thread it doesn't."""
    adapter = open_adapter(each)
    sent = put_draft(each, dump(sample_draft()))
    each.change(sent, subject=_child(each))
    (outgoing,) = await collect(adapter)
    await outgoing.done(Spooled(envelope=THREAD, thread=MESSAGE.thread))
    await adapter.file(MESSAGE)
    outcome = replace(MESSAGE, type="referral.outcome/1", message={"outcome": "nfa"}, documents=())
    for number, re in enumerate((THREAD, MESSAGE.envelope)):
        answer = replace(outcome, envelope=f"{ENVELOPE[:-2]}7{number}", re=re)
        filed = await adapter.file(answer)
        assert isinstance(filed, Filed)
        assert each.read(filed.record)["subject"] == _child(each)
        assert await adapter.file(answer) == filed
        elsewhere = replace(answer, envelope=f"{ENVELOPE[:-2]}8{number}", thread=ENVELOPE)
        assert await adapter.file(elsewhere) == NeedsPerson(code="fhir-no-patient")
    unknown = replace(outcome, envelope=f"{ENVELOPE[:-2]}90", re=f"{ENVELOPE[:-2]}91")
    assert await adapter.file(unknown) == NeedsPerson(code="fhir-no-patient")


async def test_an_answer_about_siblings_goes_to_each_of_them(each: Server) -> None:
    """A message that was filed for two children is answered in both records."""
    adapter = open_adapter(each)
    sister = {**CHILD, "nhs_number": "9990000026"}
    add_patient(each, identifier=[{"system": NHS, "value": sister["nhs_number"]}])
    await adapter.file(replace(MESSAGE, message={"children": [CHILD, sister]}))
    answer = replace(MESSAGE, type="referral.ack/1", envelope=THREAD, re=ENVELOPE, message={"x": 1}, documents=())
    assert isinstance(await adapter.file(answer), Filed)
    subjects = [one["subject"]["reference"] for one in each.of("DocumentReference")]
    assert sorted(subjects) == sorted(2 * [f"Patient/{one['id']}" for one in each.of("Patient")])
