"""Messages become FHIR resources at a server that is slow, away, wrong or full; filed is said only when all of them stand there."""

from __future__ import annotations

import base64
import importlib
import json
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Document, DraftRefused, Filed, Incoming, Later, NeedsPerson, Notice, Spooled
from adapters.checks import CHECKS, UNICODE, Trial, run_checks
from adapters.conformance import ENVELOPE, THREAD, AdapterContract, collect, sample_draft, sample_incoming
from adapters.fhir import FhirAdapter
from adapters.fhir.filing import find_people
from adapters.fhir.judging import FhirError
from adapters.fhir.mapping import TABLE, Systems
from adapters.fhir.resources import Maker
from adapters.plugins import load_adapters
from schemas.strict_json import dump
from tests.fhir.server import SCHEMA, VALIDATORS, FhirServer
from tests.hl7.test_sending import make_certificate
from tests.schemas.samples import minutes_correction, minutes_decisions, minutes_full

NHS = "https://fhir.nhs.uk/Id/nhs-number"
OURS = "https://safeguarding-hub.example/fhir"
CHILD = {
    "local_id": "SC-1001",
    "name": "Robin Sample",
    "dob": "2011-05-06",
    "nhs_number": "9990000018",
    "nhs_number_status": "traced",
}
ACTION = {
    "action_id": "act-1",
    "source_record": "rec-1",
    "description": "See the child at home",
    "owner_role": "northmere-health/safeguarding",
    "due_at": "2026-07-06T17:00:00Z",
    "state": "assigned",
}
MESSAGE = sample_incoming(message={"child": CHILD, "note": UNICODE, "list": [1, 2.5, None, {}], "actions": [ACTION]})
FLAG = {"flag_id": "flag-1", "child": CHILD, "flag_kind": "CP", "contact": "Call the duty team"}
FLAGGED = sample_incoming(type="flag.request/1", envelope=f"{ENVELOPE[:-1]}f", message=FLAG)
AT = MESSAGE.at


@pytest.fixture
async def server() -> AsyncIterator[FhirServer]:
    """Give a server with one patient."""
    one = FhirServer()
    await one.start()
    one.add(
        {
            "resourceType": "Patient",
            "identifier": [{"system": NHS, "value": CHILD["nhs_number"]}],
            "birthDate": CHILD["dob"],
        }
    )
    yield one
    await one.close()


def open_adapter(server: FhirServer, home: Path = Path("/nowhere"), **options: Any) -> FhirAdapter:
    """Return an adapter into *server*."""
    return FhirAdapter.configure({"base": f"http://127.0.0.1:{server.port}/fhir", "outbox": True, **options}, home)


def read_message(resource: dict[str, Any]) -> Any:
    """Return the message that a DocumentReference holds whole."""
    return json.loads(base64.b64decode(resource["content"][0]["attachment"]["data"]))


def follow(kind: str, later: int, **changes: Any) -> Incoming:
    """Return a later message about the action."""
    more = {"state": kind, **changes}
    types = {"accepted": "accept", "complete": "complete", "impossible": "impossible", "in_progress": "progress"}
    envelope = f"{ENVELOPE[:-2]}{later:02}"
    return sample_incoming(
        type=f"action.{types[kind]}/1", envelope=envelope, at=AT + later, message={**ACTION, **more}, documents=()
    )


class Records:
    """A server as the contract needs it."""

    def __init__(self, server: FhirServer) -> None:
        self._server = server
        server.store.clear()
        server.add({"resourceType": "Patient", "identifier": [{"system": NHS, "value": CHILD["nhs_number"]}]})

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
        return read_message(self._server.store[record])


class TestContract(AdapterContract):
    """What every adapter must do."""

    @pytest.fixture(autouse=True)
    def _over(self, server: FhirServer) -> None:
        self._server = server

    def harness(self, tmp_path: Path) -> Records:
        """Return the server, empty but for its patient."""
        return Records(self._server)

    def incoming(self, **changes: Any) -> Incoming:
        """Return a message about that patient."""
        return replace(MESSAGE, **changes)


async def test_minutes_are_a_document_a_communication_and_tasks(server: FhirServer) -> None:
    """The minutes whole with their paper, who told whom, an open task for each action, and where all of it is from."""
    outcome = await open_adapter(server).file(MESSAGE)
    assert isinstance(outcome, Filed)
    document = server.store[outcome.record]
    assert read_message(document) == MESSAGE.message
    assert document["subject"] == {"reference": "Patient/1"}
    assert [one["attachment"]["title"] for one in document["content"]] == ["message.json", "minutes.pdf"]
    assert {"system": f"{OURS}/mark", "code": "not_for_family"} in document["meta"]["security"]
    (communication,) = server.of("Communication")
    assert communication["payload"] == [{"contentReference": {"reference": outcome.record}}]
    (task,) = server.of("Task")
    assert (task["status"], task["for"], task["focus"]) == (
        "requested", {"reference": "Patient/1"}, {"reference": outcome.record},
    )  # fmt: skip
    assert task["restriction"]["period"]["end"] == ACTION["due_at"]
    (provenance,) = server.of("Provenance")
    assert len(provenance["target"]) == 3
    assert provenance["agent"][0]["who"]["identifier"]["value"] == MESSAGE.author


async def test_nobody_is_named_in_an_address(server: FhirServer) -> None:
    """Neither number nor name of a child is in a URL, which every proxy writes down."""
    await open_adapter(server).file(MESSAGE)
    heard = " ".join(server.heard)
    assert "Patient/_search" in heard
    assert not [one for one in (CHILD["nhs_number"], "Robin", CHILD["dob"]) if one in heard]


async def test_flags_withstand_the_same(server: FhirServer) -> None:
    """Every check that holds for minutes holds where the record is a flag."""

    async def reopen() -> FhirAdapter:
        return open_adapter(server)

    for name, check in CHECKS.items():
        number = iter(range(1000))

        class Flags(Trial):
            def another(self, **changes: object) -> Incoming:
                flag = {**FLAG, "flag_id": f"{name}-{next(number)}"}  # noqa: B023 (run before the next)
                return replace(super().another(**changes), message=flag)

        await check(Flags(reopen=reopen, message=FLAGGED))


@pytest.mark.parametrize(
    ("way", "outcome"),
    [
        ("400", NeedsPerson(code="fhir-refused")),
        ("422", NeedsPerson(code="fhir-refused")),
        ("403", NeedsPerson(code="fhir-forbidden")),
        ("413", NeedsPerson(code="fhir-too-large")),
        ("412/multiple-matches", NeedsPerson(code="fhir-ambiguous")),
        ("401", Later(reason="fhir-unauthorised")),
        ("409", Later(reason="fhir-conflict")),
        ("412", Later(reason="fhir-conflict")),
        ("429", Later(reason="fhir-busy")),
        ("400/throttled", Later(reason="fhir-busy")),
        ("500", Later(reason="fhir-failed")),
        ("503", Later(reason="fhir-failed")),
        ("507/no-store", Later(reason="fhir-busy")),
        ("302", Later(reason="fhir-answer")),
        ("garbage", Later(reason="fhir-answer")),
        ("html", Later(reason="fhir-answer")),
        ("batch", Later(reason="fhir-answer")),
        ("short", Later(reason="fhir-answer")),
        ("hang-up", Later(reason="fhir-away")),
        ("lost", Later(reason="fhir-away")),
        ("forgets", Later(reason="fhir-not-read-back")),
    ],
)
async def test_what_is_not_kept_is_not_filed(server: FhirServer, way: str, outcome: object) -> None:
    """Each other answer waits or asks for a person, and a repeat files it once."""
    server.answers = [way]
    adapter = open_adapter(server)
    assert await adapter.file(MESSAGE) == outcome
    assert isinstance(await adapter.file(MESSAGE), Filed)
    assert [len(server.of(kind)) for kind in ("DocumentReference", "Communication", "Task", "Provenance")] == [1] * 4


@pytest.mark.parametrize("way", ["alters", "unmarked"])
async def test_what_stands_there_otherwise_is_for_a_person(server: FhirServer, way: str) -> None:
    """A server that keeps something else, or drops the handling marks, is found out by reading back."""
    server.answers = [way]
    for _ in range(2):
        assert await open_adapter(server).file(MESSAGE) == NeedsPerson(code="fhir-differs")


async def test_a_server_that_hangs_or_is_down_is_asked_again(server: FhirServer) -> None:
    """Nothing waits for ever; nothing is filed meanwhile; afterwards it is."""
    server.answers = ["hang"]
    assert await open_adapter(server, seconds=0.3).file(MESSAGE) == Later(reason="fhir-slow")
    await server.close()
    assert await open_adapter(server).file(MESSAGE) == Later(reason="fhir-away")
    await server.start()
    assert isinstance(await open_adapter(server).file(MESSAGE), Filed)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"nhs_number_status": "untraced"}, "fhir-patient-untraced"),
        ({"nhs_number": "9990000019"}, "fhir-patient-untraced"),
        ({"nhs_number": "9990000026"}, "fhir-no-patient"),
        ({"dob": "2011-05-07"}, "fhir-patient-differs"),
    ],
)
async def test_a_child_who_is_not_surely_known_is_for_a_person(
    server: FhirServer, change: dict[str, Any], code: str
) -> None:
    """Nothing goes into a record that may be another child's, and no patient is made."""
    message = replace(MESSAGE, message={**MESSAGE.message, "child": {**CHILD, **change}})
    assert await open_adapter(server).file(message) == NeedsPerson(code=code)
    assert [one["resourceType"] for one in server.store.values()] == ["Patient"]


async def test_a_message_not_shaped_as_its_type_is_for_a_person(server: FhirServer) -> None:
    """Nothing is written of what can't be read."""
    message = replace(FLAGGED, message={"child": CHILD})
    assert await open_adapter(server).file(message) == NeedsPerson(code="fhir-shape")


async def test_two_patients_of_one_number_or_none_at_all_are_for_a_person(server: FhirServer) -> None:
    """What the adapter can't decide it doesn't."""
    nobody = replace(MESSAGE, message={"note": "of nobody"})
    assert await open_adapter(server).file(nobody) == NeedsPerson(code="fhir-no-patient")
    server.add(server.store["Patient/1"])
    assert await open_adapter(server).file(MESSAGE) == NeedsPerson(code="fhir-ambiguous")


async def test_an_actions_later_messages_change_its_task(server: FhirServer) -> None:
    """One action is one task; what staff added stays; what comes late changes nothing; the later documents are the child's too."""
    adapter = open_adapter(server)
    await adapter.file(MESSAGE)
    (task,) = server.of("Task")
    server._change(
        f"Task/{task['id']}", {**task, "note": [{"text": "rang"}], "lastModified": "2027-01-01T00:00:00Z"}, 'W/"1"'
    )
    for message in (follow("accepted", 10), follow("complete", 30), follow("in_progress", 20), follow("complete", 30)):
        assert isinstance(await adapter.file(message), Filed)
    (task,) = server.of("Task")
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
    cleared = {**FLAG, "cleared_at": "2026-08-01T10:00:00Z", "cleared_reason": "risk_reduced"}
    message = replace(FLAGGED, type="flag.cleared/1", envelope=THREAD, at=AT + 5, message=cleared)
    for _ in range(2):
        assert isinstance(await adapter.file(message), Filed)
    held = await adapter.read_back(outcome.record)
    assert held is not None
    assert held.ended
    assert len(server.of("Flag")) == 1


async def test_a_document_that_was_changed_there_is_not_what_came(server: FhirServer) -> None:
    """Reading back gives the message's members as they stand there now, and none where it was deleted."""
    adapter = open_adapter(server)
    outcome = await adapter.file(MESSAGE)
    assert isinstance(outcome, Filed)
    held = await adapter.read_back(outcome.record)
    assert held is not None
    assert held.members == {f"/{name}": value for name, value in MESSAGE.message.items()}
    server.store[outcome.record]["content"].clear()
    held = await adapter.read_back(outcome.record)
    assert held is not None
    assert held.members == {"/": None}
    del server.store[outcome.record]
    assert await adapter.read_back(outcome.record) is None
    assert await adapter.read_back("../Patient/1") is None


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


def put_draft(server: FhirServer, draft: bytes, *documents: Document) -> str:
    """Have the server's staff want to send *draft*."""
    whole = Document(name="message.json", type="application/json", content=draft)
    return server.add(
        {
            "resourceType": "Communication",
            "status": "preparation",
            "category": [{"coding": [{"system": f"{OURS}/outbox", "code": "draft"}]}],
            "payload": [
                {
                    "contentAttachment": {
                        "title": one.name,
                        "contentType": one.type,
                        "data": base64.b64encode(one.content).decode(),
                    }
                }
                for one in (whole, *documents)
            ],
        }
    )


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


async def test_a_token_is_fetched_kept_and_replaced(server: FhirServer, tmp_path: Path) -> None:
    """Client credentials are shown once until the server takes the token no more; wrong ones wait."""
    server.token = "one"
    (tmp_path / "secret").write_text("s\n")
    adapter = open_adapter(
        server, tmp_path, token_url=f"http://127.0.0.1:{server.port}/token", client="g", secret="secret"
    )
    assert await open_adapter(server).file(MESSAGE) == Later(reason="fhir-unauthorised")
    for _ in range(2):
        assert isinstance(await adapter.file(MESSAGE), Filed)
    assert server.tokens_given == 1
    server.token = "two"
    assert isinstance(await adapter.file(replace(MESSAGE, envelope=THREAD)), Filed)
    assert server.tokens_given == 2
    (tmp_path / "secret").write_text("wrong")
    wrong = open_adapter(
        server, tmp_path, token_url=f"http://127.0.0.1:{server.port}/token", client="g", secret="secret"
    )
    assert await wrong.file(MESSAGE) == Later(reason="fhir-unauthorised")


@pytest.mark.parametrize("days", [9, -1])
async def test_a_certificate_that_expired_sends_nothing(tmp_path: Path, days: int) -> None:
    """Over TLS it is filed; with a certificate that has run out nothing is sent, and it is asked again."""
    certificate, key = make_certificate(tmp_path, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = FhirServer()
    server.add({"resourceType": "Patient", "identifier": [{"system": NHS, "value": CHILD["nhs_number"]}]})
    await server.start(context)
    adapter = open_adapter(server, tmp_path, base=f"https://127.0.0.1:{server.port}/fhir", ca="certificate.pem")
    outcome = await adapter.file(MESSAGE)
    await server.close()
    assert isinstance(outcome, Filed) if days > 0 else outcome == Later(reason="fhir-certificate")
    assert bool(server.heard) == (days > 0)


async def test_every_resource_is_what_an_independent_library_takes(server: FhirServer) -> None:
    """`fhir.resources` (R4B, the same as R4 in what is used here) reads each kind of resource, and nothing is lost on the way."""
    adapter = open_adapter(server, profiles={"Task": "https://example.test/StructureDefinition/Task"})
    cleared = {**FLAG, "cleared_at": "2026-08-01T10:00:00Z", "set_at": "2026-07-01T10:00:00Z"}
    odd = (Document(name="a\x07b\u202efdp.exe", type=" odd  type ", content=b""),)
    messages = [
        MESSAGE,
        replace(MESSAGE, envelope=THREAD, supersedes=ENVELOPE, urgent=True, documents=odd),
        FLAGGED,
        follow("impossible", 9, state_reason="moved_away"),
        replace(FLAGGED, type="flag.cleared/1", envelope=f"{ENVELOPE[:-1]}x", message=cleared),
    ]
    details = {"obligation": "o", "thread": THREAD, "type": MESSAGE.type, "debtor": "a/b", "creditor": "c/d", "due": AT}
    await adapter.notify(Notice(id="n", code="owed", at=AT, mailbox="c/d", source="hub", details=details))
    for message in messages:
        assert isinstance(await adapter.file(message), Filed)
    kinds = {one["resourceType"] for one in server.store.values()} - {"Patient"}
    assert kinds == set(VALIDATORS)
    for one in server.store.values():
        kind = one["resourceType"]
        module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
        read = getattr(module, kind).model_validate(one)
        again = json.loads(read.model_dump_json())
        assert again.keys() == one.keys()


def every_sample() -> Iterator[Incoming]:
    """Yield a valid message of every type."""
    samples = {
        "minutes.full": minutes_full(), "minutes.decisions": minutes_decisions(), "minutes.correction": minutes_correction(),
    }  # fmt: skip
    samples |= {
        path.stem: json.loads(path.read_text("utf-8")) for path in Path("tests/schemas/messages").glob("*.json")
    }
    for name, message in samples.items():
        yield sample_incoming(type=f"{name}/1", message=message)


def test_every_type_becomes_resources_that_its_schema_takes() -> None:
    """A valid message of any type makes valid resources, each linked and looked for once, and tasks and flags where the table says so."""
    systems = Systems(base=OURS, nhs_number=NHS)
    seen = set()
    for message in every_sample():
        entries = Maker(message=message, systems=systems, patients=("Patient/1",)).make()
        for entry in entries:
            assert list(VALIDATORS[entry.resource["resourceType"]].iter_errors(entry.resource)) == []
        assert len({one.link for one in entries}) == len({one.unless for one in entries}) == len(entries)
        kinds = {one.resource["resourceType"] for one in entries}
        rule = TABLE.types.get(message.type)
        assert (rule is not None and rule.tasks is not None) == ("Task" in kinds)
        assert (rule is not None and rule.flag is not None) == ("Flag" in kinds)
        seen.add(message.type)
    assert TABLE.types.keys() <= seen


async def test_every_type_is_filed_or_is_for_a_person(server: FhirServer) -> None:
    """Whatever comes, the answer is one that is true: filed where the child is surely known, else a person looks."""
    answers = {}
    for number, message in enumerate(every_sample()):
        told = json.loads(dump(message.message).decode())
        for person in find_people(told):
            if "nhs_number" in person:
                assert isinstance(person, dict)
                person.update(nhs_number=CHILD["nhs_number"], nhs_number_status="traced", dob=CHILD["dob"])
        one = replace(message, envelope=f"{ENVELOPE[:-3]}{number:03}", message=told)
        answers[message.type] = await open_adapter(server).file(one)
    assert {type(one) for one in answers.values()} == {Filed, NeedsPerson}
    codes = {one.code for one in answers.values() if isinstance(one, NeedsPerson)}
    assert codes <= {"fhir-no-patient", "fhir-patient-untraced"}
    assert {"minutes.full/1", "minutes.decisions/1", "action.assign/1", "check.child.request/1", "flag.request/1"} <= {
        kind for kind, one in answers.items() if isinstance(one, Filed)
    }


def test_the_tables_agree() -> None:
    """Each type that the table names is a schema of ours, each source and state is known, each resource has a schema."""
    names = {path.name.removesuffix(".schema.json") for path in Path("schemas/messages").glob("*.schema.json")}
    assert {kind.removesuffix("/1") for kind in TABLE.types} <= names
    assert {rule.tasks for rule in TABLE.types.values()} - {None} <= TABLE.tasks.keys()
    shared = json.loads(Path("schemas/messages/shared.schema.json").read_text("utf-8"))
    assert set(shared["$defs"]["ActionState"]["enum"]) == TABLE.statuses.keys()
    assert set(TABLE.statuses.values()) <= set(SCHEMA["$defs"]["Task"]["properties"]["status"]["enum"])
    assert TABLE.keeps.keys() == VALIDATORS.keys()
    for source in TABLE.tasks.values():
        assert source.status or source.state


async def test_in_its_own_process_it_reaches_its_server_and_no_other(server: FhirServer, tmp_path: Path) -> None:
    """As operation runs it, shut in with one address, every check holds."""
    place = f"localhost:{server.port}"
    table = {"base": f"http://{place}/fhir", "network": True, "hosts": [place]}
    opened: list[Any] = []

    async def reopen() -> Any:
        for one in opened:
            await one.close()
        opened[:] = [load_adapters({"fhir": table}, tmp_path)["fhir"]]
        await opened[0].start()
        return opened[0]

    elsewhere = load_adapters({"fhir": {**table, "hosts": ["localhost:9"]}}, tmp_path)["fhir"]
    assert await elsewhere.file(MESSAGE) == Later(reason="fhir-away")
    await elsewhere.close()
    points = [point async for point in run_checks(Trial(reopen=reopen, message=MESSAGE))]
    await opened[0].close()
    assert [point.says for point in points if not point.good] == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "base"),
        ({"base": "ftp://h"}, "base"),
        ({"base": "http://fhir.northmere.test"}, "https"),
        ({"base": "https://h", "token_url": "http://h/token", "client": "c", "secret": "s"}, "token_url"),
        ({"base": "https://h", "client": "c"}, "together"),
        ({"base": "https://h", "certificate": "c"}, "together"),
        ({"base": "https://h", "ca": "missing.pem"}, "ca"),
        ({"base": "https://h", "surprise": 1}, "surprise"),
    ],
)
def test_options_are_checked(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    """A wrong option is refused, by its name."""
    with pytest.raises(ValueError, match=named):
        FhirAdapter.configure(options, tmp_path)
