"""Messages become FHIR resources at a server that is slow, away, wrong or full; filed is said only when all of them stand there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Document, Filed, Incoming, Later, NeedsPerson
from adapters.checks import CHECKS, Trial
from adapters.conformance import AdapterContract
from adapters.fhir import FhirAdapter
from adapters.gateway.filing import _hold_to_record
from tests.fhir.server import FhirServer
from tests.fhir.support import ACTION, CHILD, FLAG, FLAGGED, MESSAGE, NHS, OURS, open_adapter, put_draft, read_message


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


async def test_a_document_that_was_changed_there_is_not_what_came(server: FhirServer) -> None:
    """Reading back gives the message's members as they stand there now, and none where it was deleted."""
    adapter = open_adapter(server)
    outcome = await adapter.file(MESSAGE)
    assert isinstance(outcome, Filed)
    held = await adapter.read_back(outcome.record)
    assert held is not None
    assert held.members == {f"/{name}": value for name, value in MESSAGE.message.items()}
    assert _hold_to_record(outcome, MESSAGE, held) == outcome
    server.store[outcome.record]["content"].clear()
    held = await adapter.read_back(outcome.record)
    assert held is not None
    assert _hold_to_record(outcome, MESSAGE, held) == NeedsPerson(code="record-differs")
    del server.store[outcome.record]
    assert await adapter.read_back(outcome.record) is None
    assert await adapter.read_back("../Patient/1") is None
