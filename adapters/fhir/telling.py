"""Notices as resources that staff see in their own system: what is owed as CommunicationRequest, anything else as Communication.

References only: no child, no content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from adapters.base import Notice
from adapters.fhir.client import Talk
from adapters.fhir.filing import write_entries
from adapters.fhir.finding import find_by_identifier
from adapters.fhir.mapping import TABLE, Systems, instant
from adapters.fhir.resources import Entry, Resource


async def tell(talk: Talk, notice: Notice, systems: Systems) -> None:
    """Put *notice* where staff see it, once; what is due soon or overdue makes the request more urgent.

    Raises:
        FhirError: the server didn't take it.
    """
    obligation = notice.details.get("obligation")
    if notice.code not in TABLE.priorities or not isinstance(obligation, str):
        await write_entries(talk, [_entry(_communication(notice, systems), systems)], systems, at=notice.at)
        return
    request = _request(notice, obligation, systems)
    found = await find_by_identifier(talk, "CommunicationRequest", request["identifier"][0], systems)
    if not found:
        await write_entries(talk, [_entry(request, systems)], systems, at=notice.at)
    elif found[0].get("status") == "active" and _rank(found[0].get("priority")) < _rank(request["priority"]):
        await talk.update({**found[0], "priority": request["priority"]})


def _rank(priority: Any) -> int:
    order = list(TABLE.priorities.values())
    return order.index(priority) if priority in order else 0


def _request(notice: Notice, obligation: str, systems: Systems) -> Resource:
    details = notice.details
    resource: dict[str, Any] = {
        "resourceType": "CommunicationRequest",
        # One of the same duty to two of the agency's teams is one for each.
        "identifier": [systems.identifier("obligation", f"{notice.mailbox}/{obligation}")],
        "status": "active",
        "category": [systems.concept("notice", "owed")],
        "priority": TABLE.priorities[notice.code],
        "authoredOn": instant(notice.at),
    }
    if isinstance(due := details.get("due"), int):
        resource["occurrenceDateTime"] = instant(due)
    if thread := _word(details, "thread"):
        resource["groupIdentifier"] = systems.identifier("thread", thread)
    if kind := _word(details, "type"):
        resource["reasonCode"] = [systems.concept("message-type", kind)]
    if debtor := _word(details, "debtor"):
        resource["sender"] = systems.party(debtor)
    if creditor := _word(details, "creditor"):
        resource["recipient"] = [systems.party(creditor)]
    return resource


def _communication(notice: Notice, systems: Systems) -> Resource:
    resource: dict[str, Any] = {
        "resourceType": "Communication",
        "identifier": [systems.identifier("notice", notice.id)],
        "status": "completed",
        "category": [systems.concept("notice", notice.code)],
        "sent": instant(notice.at),
        "payload": [{"contentString": _say(notice)}],
    }
    if notice.mailbox:
        resource["recipient"] = [systems.party(notice.mailbox)]
    return resource


def _say(notice: Notice) -> str:
    parts = [
        f"{name}: {word}" for name in ("type", "thread", "envelope", "reason") if (word := _word(notice.details, name))
    ]
    return "; ".join([notice.code, *parts])


def _word(details: Mapping[str, Any], name: str) -> str:
    value = details.get(name)
    return value if isinstance(value, str) and value.isprintable() else ""


def _entry(resource: Resource, systems: Systems) -> Entry:
    token = quote(systems.token(resource["identifier"][0]), safe="")
    return Entry(link="urn:uuid:00000000-0000-4000-8000-000000000001", resource=resource, unless=f"identifier={token}")
