"""Whom a patient's record names: their care team and general practitioner, by the names under which these sign in to the gateway.

It is looked up once a message is filed, and holds up nothing: where the server doesn't say, nobody is named, and the thread stays
the team's.

Source: FHIR R4 CareTeam, Patient.generalPractitioner, PractitionerRole, Practitioner.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import aiohttp

from adapters.fhir.client import Talk
from adapters.fhir.judging import FhirError

_log: Final = logging.getLogger(__name__)
SECONDS: Final = 5.0
MAX_NAMED: Final = 16
_MEMBER: Final = re.compile(r"(Practitioner|PractitionerRole)/[A-Za-z0-9.-]{1,64}")


async def find_practitioners(talk: Talk, patients: Iterable[str], system: str) -> tuple[str, ...]:
    """Return the identifiers of *system* of those whom the records of *patients* (references) name, in a steady order."""
    try:
        async with asyncio.timeout(SECONDS):
            named: set[str] = set()
            for patient in patients:
                for reference in (await _members(talk, patient))[:MAX_NAMED]:
                    named.update(await _identify(talk, reference, system))
    except (FhirError, aiohttp.ClientError, OSError, TimeoutError) as error:
        _log.info("whom a record names can't be looked up: %s", type(error).__name__)
        return ()
    return tuple(sorted(named)[:MAX_NAMED])


async def _members(talk: Talk, patient: str) -> list[Mapping[str, Any]]:
    """Return the references to practitioners in *patient*'s record and active care teams."""
    held = await talk.read(patient) or {}
    found = _list(held.get("generalPractitioner"))
    for team in await talk.search("CareTeam", {"patient": patient, "status": "active"}):
        # A server may leave out a search parameter that it doesn't know, and then finds everybody's.
        if team.get("status") == "active" and _dict(team.get("subject")).get("reference") == patient:
            found = found + [_dict(part).get("member") for part in _list(team.get("participant"))]
    return [one for one in found if isinstance(one, dict)]


async def _identify(talk: Talk, reference: Mapping[str, Any], system: str) -> list[str]:
    """Return what *reference* is called in *system*, said there itself or at the resource that it leads to."""
    if said := _values([reference.get("identifier")], system):
        return said
    place = reference.get("reference")
    if not isinstance(place, str) or not _MEMBER.fullmatch(place):
        return []
    found = await talk.read(place)
    if found is None or found.get("active") is False:
        return []
    if place.startswith("PractitionerRole/"):
        behind = _dict(found.get("practitioner"))
        # A role leads to a person, never to another role.
        is_person = str(behind.get("reference", "Practitioner/")).startswith("Practitioner/")
        return await _identify(talk, behind, system) if is_person else []
    return _values(_list(found.get("identifier")), system)


def _values(identifiers: Iterable[Any], system: str) -> list[str]:
    return [
        one["value"]
        for one in identifiers
        if isinstance(one, dict)
        and one.get("system") == system
        and one.get("use") != "old"
        and isinstance(one.get("value"), str)
    ]


def _dict(held: Any) -> Mapping[str, Any]:
    return held if isinstance(held, dict) else {}


def _list(held: Any) -> list[Any]:
    return held if isinstance(held, list) else []
