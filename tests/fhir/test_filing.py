"""Messages become FHIR resources at a server that is slow, away, wrong or full; filed is said only when all of them stand there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.base import Filed, Later, NeedsPerson
from adapters.gateway.filing import _hold_to_record
from tests.fhir.server import FhirServer
from tests.fhir.support import CHILD, FLAGGED, MESSAGE, NHS, OURS, open_adapter


async def test_nobody_is_named_in_an_address(server: FhirServer) -> None:
    """Neither number nor name of a child is in a URL, which every proxy writes down."""
    await open_adapter(server).file(MESSAGE)
    heard = " ".join(server.heard)
    assert "Patient/_search" in heard
    assert not [one for one in (CHILD["nhs_number"], "Robin", CHILD["dob"]) if one in heard]


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


async def test_a_server_that_does_not_say_where_is_asked(server: FhirServer) -> None:
    """Of what was there already a server need not say where it stands: it is looked for, and nothing is taken for it that isn't it."""
    adapter = open_adapter(server)
    first = await adapter.file(MESSAGE)
    server.says_where = False
    assert await adapter.file(MESSAGE) == first
    server.searches = "everything"
    server.add({"resourceType": "Provenance", "meta": {"tag": [{"system": f"{OURS}/part", "code": "another"}]}})
    assert await adapter.file(MESSAGE) == first
    server.searches = "nothing"
    assert await adapter.file(MESSAGE) == Later(reason="fhir-not-read-back")


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


@pytest.mark.parametrize(
    ("code", "filed"), [("01", True), ("number-present-and-verified", True), ("02", False), ("trace-required", False)]
)
async def test_a_number_that_the_record_itself_calls_untraced_is_for_a_person(
    server: FhirServer, code: str, filed: bool
) -> None:
    """Where the server says how sure it is of the patient's NHS number (UK Core), only a verified one is taken."""
    url = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus"
    extension = {"url": url, "valueCodeableConcept": {"coding": [{"system": "https://example.test", "code": code}]}}
    server.store["Patient/1"]["identifier"] = [{"system": NHS, "value": CHILD["nhs_number"], "extension": [extension]}]
    outcome = await open_adapter(server).file(MESSAGE)
    assert isinstance(outcome, Filed) if filed else outcome == NeedsPerson(code="fhir-patient-untraced")


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
