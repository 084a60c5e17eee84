"""Filing one message: find whom it is about, write everything in one transaction, read everything back.

``Filed`` is said only if each resource stands at the server as it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from adapters.base import Filed, Incoming, Later, NeedsPerson
from adapters.fhir.client import Talk
from adapters.fhir.comparing import is_kept
from adapters.fhir.finding import (
    REFERENCE,
    find_answered,
    find_by_identifier,
    find_patient,
    find_people,
    reference_of,
)
from adapters.fhir.judging import FhirError
from adapters.fhir.mapping import TABLE, Systems, carries
from adapters.fhir.practitioners import find_practitioners
from adapters.fhir.resources import CHANGES, SAID_AT, Entry, Maker, Resource, pack, relink

T = TypeVar("T")
_PLACE: Final = re.compile(rf"(?:^|/){REFERENCE.pattern}(?:/_history/[A-Za-z0-9.-]{{1,64}})?\Z")


async def file_message(
    talk: Talk, message: Incoming, systems: Systems, profiles: Mapping[str, str], people_system: str | None = None
) -> Filed:
    """Write *message* and read it back; repeated, it changes nothing and gives the same record.

    *people_system*: by which identifiers practitioners are named, where they are.

    Raises:
        FhirError: it isn't filed.
    """
    maker = Maker(message=message, systems=systems, profiles=profiles)
    people = _read(lambda: list(find_people(message.message)))
    patients = tuple([await find_patient(talk, one, systems) for one in people])
    maker = replace(maker, patients=patients or await _patients_of_before(talk, maker))
    entries = _read(maker.make)
    # Whom a task is about may have been found out since it was first tried.
    places = await write_entries(talk, entries, systems, at=message.at, free=() if people else ("subject",))
    await _settle_owed(talk, message, systems)
    named = await find_practitioners(talk, maker.patients, people_system) if people_system else ()
    return Filed(record=places[0], practitioners=named)


def _read(read: Callable[[], T]) -> T:
    """Return what *read* reads from a message; one that isn't shaped as its type says is for a person."""
    try:
        return read()
    except (KeyError, TypeError, ValueError) as error:
        raise FhirError(NeedsPerson(code="fhir-shape")) from error


async def _patients_of_before(talk: Talk, maker: Maker) -> tuple[str, ...]:
    """Return whom a message without a person is about: as the task that it brings up to date is, or what it answers.

    Raises:
        FhirError: nothing says so, and the type has to have a patient.
    """
    if maker.rule.subject == "optional":
        for entry in _read(maker.make):
            if entry.updates and (held := await _find(talk, entry, maker.systems)) is not None:
                reference = held.get("for", {}).get("reference")
                return (reference,) if isinstance(reference, str) else ()
    found = await find_answered(talk, maker.message, maker.systems)
    if not found and maker.rule.subject == "needed":
        raise FhirError(NeedsPerson(code="fhir-no-patient"))
    return found


async def write_entries(
    talk: Talk, entries: list[Entry], systems: Systems, *, at: int, free: tuple[str, ...] = ()
) -> list[str]:
    """Write *entries*, read all of them back, and return where they stand.

    *free*: what may be otherwise in those that stood there before.

    Raises:
        FhirError: not all of them stand as they were sent.
    """
    held = {one.link: found for one in entries if one.updates and (found := await _find(talk, one, systems))}
    known = {link: reference_of(found) for link, found in held.items()}
    done = {link for link, found in held.items() if _is_later(found, at, systems)}
    sent = [
        replace(one, resource=relink(one.resource, known)).over(held[one.link])
        if one.link in held
        else replace(one, resource=relink(one.resource, known))
        for one in entries
        if one.link not in done
    ]
    responses = await talk.transact(pack(sent))
    places = dict(known)
    for entry, response in zip(sent, responses, strict=True):
        if entry.held is None:
            places[entry.link] = _place(response, entry.resource["resourceType"]) or await _find_made(talk, entry)
    for entry, response in zip(sent, responses, strict=True):
        is_new = str(response["status"]).startswith("201")
        kept = tuple(name for name in TABLE.keeps[entry.resource["resourceType"]] if name not in free)
        await _read_back(talk, entry, places, members=None if is_new else kept)
    return [places[one.link] for one in entries]


async def _read_back(talk: Talk, entry: Entry, places: Mapping[str, str], *, members: tuple[str, ...] | None) -> None:
    if entry.updates and entry.held is None and members is not None:
        # It was there although no search found it: what this message says of it isn't written yet.
        raise FhirError(Later(reason="fhir-conflict"))
    found = await talk.read(places[entry.link])
    if found is None:
        raise FhirError(Later(reason="fhir-not-read-back"))
    if entry.held is not None:
        members = CHANGES
    if not is_kept(relink(entry.resource, places), found, members):
        raise FhirError(NeedsPerson(code="fhir-differs"))


async def _find(talk: Talk, entry: Entry, systems: Systems) -> Resource | None:
    found = await find_by_identifier(talk, entry.resource["resourceType"], entry.resource["identifier"][0], systems)
    if len(found) > 1:
        raise FhirError(NeedsPerson(code="fhir-ambiguous"))
    return found[0] if found else None


def _is_later(held: Resource, at: int, systems: Systems) -> bool:
    """Answer whether what stands there was said by a message of the moment *at*, or of a later one."""
    system = systems.coding(SAID_AT, "")["system"]
    tags = [tag.get("code") for tag in held.get("meta", {}).get("tag", []) if tag.get("system") == system]
    return any(isinstance(code, str) and code.isdecimal() and int(code) >= at for code in tags)


async def _settle_owed(talk: Talk, message: Incoming, systems: Systems) -> None:
    """End the requests that this very message answers: what was owed to this team on this thread has come."""
    thread = systems.identifier("thread", message.thread)
    owed = await talk.search("CommunicationRequest", {"group-identifier": systems.token(thread), "status": "active"})
    for one in owed:
        wanted = [code for part in one.get("reasonCode", []) for code in part.get("coding", [])]
        creditors = [part.get("identifier") for part in one.get("recipient", [])]
        if (
            carries(one, "groupIdentifier", thread)
            and systems.coding("message-type", message.type) in wanted
            and systems.identifier("mailbox", message.mailbox) in creditors
        ):
            await talk.update({**one, "status": "completed"})


def _place(response: Mapping[str, Any], kind: str) -> str:
    """Return where *response* says that it stands; nothing where it doesn't say, which it needn't of what was there."""
    if not response.get("location"):
        return ""
    found = _PLACE.search(str(response["location"]))
    if found is None or found[1] != kind:
        raise FhirError(Later(reason="fhir-answer"))
    return f"{found[1]}/{found[2]}"


async def _find_made(talk: Talk, entry: Entry) -> str:
    """Return where *entry* stands, by what its creation depended on."""
    found = await talk.search(entry.resource["resourceType"], dict(parse_qsl(entry.unless)))
    same = [one for one in found if _is_made(one, entry.resource)]
    if len(same) != 1:
        raise FhirError(Later(reason="fhir-not-read-back"))
    return reference_of(same[0])


def _is_made(found: Resource, sent: Resource) -> bool:
    if identifiers := sent.get("identifier"):
        return carries(found, "identifier", identifiers[0])
    return any(sent["meta"]["tag"][0].items() <= one.items() for one in found.get("meta", {}).get("tag", []))
