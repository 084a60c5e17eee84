"""Whom a message is about, among the patients that the server knows; it never guesses, and makes none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.base import Incoming, Later, NeedsPerson
from adapters.fhir.client import Talk
from adapters.fhir.judging import FhirError
from adapters.fhir.mapping import TABLE, Systems, carries
from adapters.fhir.resources import Resource, document_part
from schemas.catalogue import select
from schemas.nhs_number import is_nhs_number

REFERENCE: Final = re.compile(r"([A-Z][A-Za-z]{1,40})/([A-Za-z0-9.-]{1,64})")
# UK Core's and Care Connect's extension of an NHS number, and what they call one that was traced.
_STATUS: Final = re.compile(r"NHSNumberVerificationStatus(?:-[0-9]+)?\Z")
_VERIFIED: Final = frozenset({"01", "number-present-and-verified"})
# As many children as one message is ever about.
_SIBLINGS: Final = 32


def find_people(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield those in whose records *message* belongs, each number once."""
    seen: set[Any] = set()
    for pointer in TABLE.subjects:
        for one in select(message, pointer):
            if isinstance(one, dict) and (number := one.get("nhs_number")) not in seen:
                seen.add(number)
                yield one


async def find_patient(talk: Talk, person: Mapping[str, Any], systems: Systems) -> str:
    """Return the reference of the one patient who is surely *person*.

    Raises:
        FhirError: a person has to decide; a document in the wrong record is worse than none.
    """
    number = person.get("nhs_number")
    if not isinstance(number, str) or not is_nhs_number(number) or person.get("nhs_number_status") != "traced":
        raise FhirError(NeedsPerson(code="fhir-patient-untraced"))
    identifier = {"system": systems.nhs_number, "value": number}
    found = await find_by_identifier(talk, "Patient", identifier, systems)
    if not found:
        raise FhirError(NeedsPerson(code="fhir-no-patient"))
    if len(found) > 1:
        raise FhirError(NeedsPerson(code="fhir-ambiguous"))
    if not _is_verified(found[0], identifier):
        raise FhirError(NeedsPerson(code="fhir-patient-untraced"))
    born, theirs = person.get("dob"), found[0].get("birthDate")
    if found[0].get("active") is False or (born and theirs and born != theirs):
        raise FhirError(NeedsPerson(code="fhir-patient-differs"))
    return reference_of(found[0])


def _is_verified(patient: Resource, identifier: Mapping[str, Any]) -> bool:
    """Answer whether the server says of the NHS number that it was traced, or says nothing of that."""
    codes = {
        coding.get("code")
        for held in patient["identifier"]
        if carries({"identifier": held}, "identifier", identifier)
        for extension in held.get("extension", [])
        if _STATUS.search(str(extension.get("url")))
        for coding in extension.get("valueCodeableConcept", {}).get("coding", [])
    }
    return not codes or bool(codes & _VERIFIED)


async def find_answered(talk: Talk, message: Incoming, systems: Systems) -> tuple[str, ...]:
    """Return in whose records the message stands that *message* answers: sent from there by staff, or filed there; none where neither.

    It has to be of the same thread.

    Raises:
        FhirError: the server doesn't say.
    """
    if message.re is None:
        return ()
    thread = systems.identifier("thread", message.thread)
    envelope = systems.identifier("envelope", message.re)
    found = [
        one
        for one in await find_by_identifier(talk, "Communication", envelope, systems)
        if carries(one, "identifier", thread)
    ]
    for number in range(1, _SIBLINGS):
        part = systems.identifier("part", f"{message.mailbox}/{message.re}/{document_part(number)}")
        documents = await find_by_identifier(talk, "DocumentReference", part, systems)
        if not documents:
            break
        related = [one for document in documents for one in document.get("context", {}).get("related", [])]
        found += documents if any(carries(one, "identifier", thread) for one in related) else []
    references = [str(one.get("subject", {}).get("reference")) for one in found]
    return tuple(dict.fromkeys(one for one in references if one.startswith("Patient/") and REFERENCE.fullmatch(one)))


async def find_by_identifier(talk: Talk, kind: str, identifier: Mapping[str, Any], systems: Systems) -> list[Resource]:
    """Return the resources of *kind* that have *identifier*.

    Raises:
        FhirError: the server doesn't say.
    """
    found = await talk.search(kind, {"identifier": systems.token(identifier)})
    for one in found:
        reference_of(one)
    return [one for one in found if carries(one, "identifier", identifier)]


def reference_of(resource: Resource) -> str:
    """Return where *resource* stands.

    Raises:
        FhirError: the server gave something that has no such place.
    """
    reference = f"{resource.get('resourceType')}/{resource.get('id')}"
    if not REFERENCE.fullmatch(reference):
        raise FhirError(Later(reason="fhir-answer"))
    return reference
