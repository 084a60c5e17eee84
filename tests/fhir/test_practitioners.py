"""Whom the record names for the child is named with what is filed, and looking it up holds up nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.base import Filed, Incoming
from tests.fhir.server import FhirServer
from tests.fhir.support import CHILD, MESSAGE, NHS, Server, add_patient, open_adapter

STAFF = "https://northmere.test/staff"
PLAIN = {"resourceType": "Patient", "birthDate": "2011-05-06"}


def practitioner(server: Server, name: str, **changes: Any) -> dict[str, str]:
    """Have the server know a practitioner by the sign-in name *name*, and return a reference to them."""
    identifiers = [{"system": "https://northmere.test/other", "value": "12"}, {"system": STAFF, "value": name}]
    return {"reference": server.add({"resourceType": "Practitioner", "identifier": identifiers} | changes)}


def in_role(server: Server, who: dict[str, str], **changes: Any) -> dict[str, str]:
    """Have them in a role, and return a reference to that."""
    return {"reference": server.add({"resourceType": "PractitionerRole", "practitioner": who} | changes)}


def care_team(server: Server, patient: str, *members: dict[str, Any], **changes: Any) -> None:
    """Have *members* care for *patient*."""
    server.add(
        {"resourceType": "CareTeam", "status": "active", "subject": {"reference": patient},
         "participant": [{"member": one} for one in members]} | changes
    )  # fmt: skip


def find_patient(server: Server) -> str:
    """Return the child's reference."""
    (patient,) = server.of("Patient")
    return f"Patient/{patient['id']}"


async def named(server: Server, message: Incoming = MESSAGE, **options: Any) -> tuple[str, ...]:
    """Return whom the record is said to name once *message* is filed."""
    outcome = await open_adapter(server, practitioner=STAFF, **options).file(message)
    assert isinstance(outcome, Filed)
    return outcome.practitioners


async def test_the_care_team_and_the_general_practitioner_are_named(each: Server) -> None:
    """As practitioner, in a role, or by identifier alone; each once, also when it is filed again."""
    gp, visitor, nurse = (practitioner(each, name) for name in ("g.example", "h.visitor", "s.nurse"))
    patient = find_patient(each)
    each.change(patient, generalPractitioner=[gp])
    care_team(
        each,
        patient,
        in_role(each, visitor),
        {"type": "Practitioner", "identifier": {"system": STAFF, "value": "k.worker"}},
    )
    care_team(each, patient, nurse, visitor)
    for _ in range(2):
        assert await named(each) == ("g.example", "h.visitor", "k.worker", "s.nurse")


async def test_who_is_not_in_charge_any_more_is_not_named(server: FhirServer) -> None:
    """An inactive practitioner or role, a team that has ended or is another child's, an old name, an organisation."""
    patient, other = find_patient(server), server.add(PLAIN)
    left = practitioner(server, "left", active=False)
    moved = in_role(server, practitioner(server, "moved"), active=False)
    renamed = practitioner(server, "x", identifier=[{"system": STAFF, "value": "old", "use": "old"}])
    clinic = {"reference": server.add({"resourceType": "Organization", "name": "Clinic"})}
    server.searches = "everything"
    care_team(server, patient, left, moved, renamed, clinic, {"reference": "Practitioner/none"}, {"display": "Jo"})
    care_team(server, patient, practitioner(server, "ended"), status="inactive")
    care_team(server, other, practitioner(server, "theirs"))
    assert await named(server) == ()


async def test_nobody_is_named_unless_it_is_asked_for(server: FhirServer) -> None:
    """Without the option the server isn't asked either."""
    care_team(server, find_patient(server), practitioner(server, "h.visitor"))
    outcome = await open_adapter(server).file(MESSAGE)
    assert isinstance(outcome, Filed)
    assert outcome.practitioners == ()
    assert not [one for one in server.heard if "CareTeam" in one]


async def test_siblings_name_those_of_each(server: FhirServer) -> None:
    """One message about two children: the gateway sees whether they have one practitioner or two."""
    second = {**CHILD, "nhs_number": "9990000026", "local_id": "SC-1002"}
    sibling = add_patient(server, identifier=[{"system": NHS, "value": second["nhs_number"]}])
    first = f"Patient/{server.of('Patient')[0]['id']}"
    shared, own = practitioner(server, "h.visitor"), practitioner(server, "s.nurse")
    care_team(server, first, shared)
    care_team(server, sibling, shared, own)
    message = replace(MESSAGE, message={**MESSAGE.message, "children": [second]})
    assert await named(server, message) == ("h.visitor", "s.nurse")


@pytest.mark.parametrize("way", ["403", "500", "hang-up", "not-json", "hang"])
async def test_a_server_that_does_not_say_holds_up_nothing(
    server: FhirServer, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, broken, cut off or silent: it is filed, and nobody is named."""
    monkeypatch.setattr("adapters.fhir.practitioners.SECONDS", 0.2)
    care_team(server, find_patient(server), practitioner(server, "h.visitor"))
    server.searching["CareTeam"] = way
    assert await named(server) == ()
    assert len(server.of("DocumentReference")) == 1
    assert not [one for one in server.heard if CHILD["nhs_number"] in one]
