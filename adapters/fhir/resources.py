"""A message of ours as FHIR resources, in one transaction that can be repeated.

Each message is a DocumentReference (the message whole, its documents, its text) and a Provenance; the table in
``mapping.json`` says what it is beside these.  Every entry is created only if nothing has its identifier yet.

Source: FHIR R4 3.1.0.11 (transaction), 3.1.0.8.1 (conditional create), resources of 4.0.1.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from adapters.base import Document, Incoming
from adapters.fhir.mapping import OTHER, TABLE, Rule, Source, Systems, instant
from adapters.fhir.narrative import write_narrative
from keys.digests import sha256
from schemas.catalogue import select
from schemas.strict_json import dump

Resource = dict[str, Any]
WHOLE: Final = "message.json"
SAID_AT: Final = "said-at"
_CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_FLAG_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/flag-category"
_STRING: Final = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One resource to be written: where it is linked to in the transaction, and how a repeat is known.

    ``updates``: other messages are about the same thing (an action, a check, a flag), and what stands there is brought up
    to date by this one.  ``held`` is what stands there.
    """

    link: str
    resource: Resource
    unless: str
    updates: bool = False
    held: Resource | None = None

    def pack(self) -> dict[str, Any]:
        """Return the entry of a Bundle."""
        kind = self.resource["resourceType"]
        if self.held is None:
            request = {"method": "POST", "url": kind, "ifNoneExist": self.unless}
            return {"fullUrl": self.link, "resource": self.resource, "request": request}
        request = {"method": "PUT", "url": f"{kind}/{self.held['id']}"}
        if version := self.held.get("meta", {}).get("versionId"):
            request["ifMatch"] = f'W/"{version}"'
        return {"fullUrl": self.link, "resource": self.resource, "request": request}

    def over(self, held: Resource) -> Entry:
        """Return the entry that changes *held*: what staff have added there stays."""
        meta = held.get("meta", {})
        tags = [*meta.get("tag", []), *(tag for tag in self.resource["meta"]["tag"] if tag not in meta.get("tag", []))]
        changes = {name: self.resource[name] for name in CHANGES if name in self.resource}
        # The reason of the state before isn't the reason of this one.
        kept = {name: value for name, value in held.items() if name not in CHANGES}
        return replace(self, resource={**kept, **changes, "meta": {**meta, "tag": tags}}, held=held)


# What a later message about the same action, check or flag says anew.
CHANGES: Final[tuple[str, ...]] = ("status", "statusReason", "businessStatus", "period")


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """What makes the resources of one message.  ``patients``: references of those whom it is about."""

    message: Incoming
    systems: Systems
    profiles: Mapping[str, str] = field(default_factory=dict)
    patients: tuple[str, ...] = ()

    @property
    def rule(self) -> Rule:
        """Return what the table says of the type."""
        return TABLE.types.get(self.message.type, OTHER)

    def make(self) -> list[Entry]:
        """Return what is written, the record itself first."""
        rule, found = self.rule, list[Entry]()
        for number, patient in enumerate(self.patients or (None,), 1):
            part = document_part(number)
            found.append(self._entry(self._document(patient, part), part))
            if rule.communication:
                found.append(self._entry(self._communication(patient, part, found[-1].link), f"communication.{number}"))
        found += self._tasks(found[0].link)
        if rule.flag:
            found.append(self._flag(rule.flag))
            if rule.flag == "active":
                # The record is what others may take down.
                found.insert(0, found.pop())
        found.append(self._provenance([one.link for one in found]))
        return found

    def key(self, part: str) -> str:
        """Return the value of the identifier of one part: the same each time, another for another team."""
        return f"{self.message.mailbox}/{self.message.envelope}/{part}"

    def _entry(self, resource: Resource, part: str, **more: Any) -> Entry:
        identifiers = resource.get("identifier")
        if identifiers:
            unless = f"identifier={quote(self.systems.token(identifiers[0]), safe='')}"
        else:
            tag = resource["meta"]["tag"][0]
            unless = f"_tag={quote(self.systems.token({'system': tag['system'], 'value': tag['code']}), safe='')}"
        return Entry(link=f"urn:uuid:{_uuid(part)}", resource=resource, unless=unless, **more)

    def _base(self, kind: str, part: str) -> Resource:
        security = [{"system": _CONFIDENTIALITY, "code": "V"}]
        security += [self.systems.coding("mark", mark) for mark in self.message.marks]
        meta: dict[str, Any] = {"security": security, "tag": [self.systems.coding("part", self.key(part))]}
        if kind in self.profiles:
            meta["profile"] = [self.profiles[kind]]
        return {"resourceType": kind, "meta": meta}

    def _document(self, patient: str | None, part: str) -> Resource:
        message, systems = self.message, self.systems
        whole = Document(name=WHOLE, type="application/json", content=dump(message.message))
        resource = {
            **self._base("DocumentReference", part),
            "identifier": [systems.identifier("part", self.key(part))],
            "status": "current",
            "type": systems.concept("message-type", message.type),
            **_subject(patient),
            "date": instant(message.accepted_at),
            "author": [{"type": "Practitioner", "identifier": systems.identifier("author", message.author)}],
            "securityLabel": [systems.concept("classification", message.classification)],
            "text": write_narrative(message),
            "content": [{"attachment": _attach(one, message)} for one in (whole, *message.documents)],
            "context": {"related": [{"identifier": systems.identifier("thread", message.thread)}]},
        }
        if message.supersedes:
            older = f"{message.mailbox}/{message.supersedes}/{part}"
            resource["relatesTo"] = [{"code": "replaces", "target": {"identifier": systems.identifier("part", older)}}]
        return resource

    def _communication(self, patient: str | None, part: str, document: str) -> Resource:
        message, systems = self.message, self.systems
        return {
            **self._base("Communication", f"communication/{part}"),
            "identifier": [systems.identifier("part", self.key(f"communication/{part}"))],
            "status": "completed",
            "category": [systems.concept("message-type", message.type)],
            "priority": "asap" if message.urgent else "routine",
            **_subject(patient),
            "sent": instant(message.at),
            "received": instant(message.accepted_at),
            "sender": systems.party(message.sender),
            "recipient": [systems.party(one) for one in message.recipients],
            "about": [{"reference": document}],
            "payload": [{"contentReference": {"reference": document}}],
        }

    def _tasks(self, document: str) -> Iterator[Entry]:
        if self.rule.tasks is None:
            return
        source = TABLE.tasks[self.rule.tasks]
        for item in select(self.message.message, source.each):
            if isinstance(item, dict) and isinstance(item.get(source.id), str):
                thing = f"{source.kind}/{item[source.id]}"
                yield self._shared(self._task(source, item, thing, document), thing)

    def _task(self, source: Source, item: Mapping[str, Any], thing: str, document: str) -> Resource:
        message, systems = self.message, self.systems
        state = item.get(source.state) if source.state else None
        patient = self.patients[0] if self.patients else None
        resource = {
            **self._base("Task", thing),
            # Not the envelope's: the same action in the decision note and in the minutes is one task.
            "identifier": [systems.identifier(source.kind, f"{message.mailbox}/{item[source.id]}")],
            "groupIdentifier": systems.identifier("thread", message.thread),
            "status": source.status or TABLE.statuses.get(str(state), "requested"),
            "intent": "order",
            "priority": "urgent" if message.urgent else "routine",
            "code": systems.concept("task", source.kind),
            "focus": {"reference": document},
            **({"for": {"reference": patient}} if patient else {}),
            "authoredOn": instant(message.at),
            "lastModified": instant(message.at),
            "requester": systems.party(message.sender),
        }
        if text := _text(item.get(source.description)):
            resource["description"] = text
        if isinstance(owner := item.get(source.owner), str):
            resource["owner"] = systems.party(owner)
        if isinstance(due := item.get(source.due), str):
            resource["restriction"] = {"period": {"end": due}}
        if isinstance(state, str):
            resource["businessStatus"] = systems.concept(f"{source.kind}-state", state)
        if isinstance(reason := item.get(source.reason), str):
            resource["statusReason"] = systems.concept(f"{source.kind}-reason", reason)
        return resource

    def _flag(self, status: str) -> Entry:
        message, systems = self.message.message, self.systems
        thing = f"flag/{message['flag_id']}"
        period = {"start": instant(self.message.at)}
        if status == "inactive":
            start = message.get("set_at")
            period = {**({"start": start} if start else {}), "end": message["cleared_at"]}
        resource = {
            **self._base("Flag", thing),
            "identifier": [systems.identifier("flag", f"{self.message.mailbox}/{message['flag_id']}")],
            "status": status,
            "category": [{"coding": [{"system": _FLAG_CATEGORY, "code": "safety"}]}],
            "code": {**systems.concept("flag-kind", message["flag_kind"])},
            "subject": {"reference": self.patients[0]},
            "period": period,
            "author": systems.party(self.message.sender),
        }
        if text := _text(message.get("contact")):
            resource["code"]["text"] = text
        return self._shared(resource, thing)

    def _shared(self, resource: Resource, thing: str) -> Entry:
        """Return the entry of what other messages are about too; it says when it was said, as staff change its dates."""
        resource["meta"]["tag"].append(self.systems.coding(SAID_AT, str(self.message.at)))
        return self._entry(resource, thing, updates=self.rule.updates)

    def _provenance(self, targets: list[str]) -> Entry:
        message, systems = self.message, self.systems
        agent = {
            "type": {"coding": [{"system": _PARTICIPANT, "code": "author"}]},
            "role": [systems.concept("role", message.author_role)],
            "who": {"type": "Practitioner", "identifier": systems.identifier("author", message.author)},
            "onBehalfOf": systems.party(message.sender),
        }
        source = {"role": "source", "what": {"identifier": systems.identifier("envelope", message.envelope)}}
        resource = {
            **self._base("Provenance", "provenance"),
            "target": [{"reference": one} for one in targets],
            "occurredDateTime": instant(message.at),
            "recorded": instant(message.accepted_at),
            "agent": [agent],
            "entity": [source],
        }
        return self._entry(resource, "provenance")


def document_part(number: int) -> str:
    """Return what the document in the record of the message's *number*-th patient is called."""
    return "document" if number == 1 else f"document.{number}"


def relink(value: Any, places: Mapping[str, str]) -> Any:
    """Return *value* with every reference to a link of the transaction replaced by the place that it has."""
    if isinstance(value, dict):
        return {
            name: places.get(one, one) if name == "reference" and isinstance(one, str) else relink(one, places)
            for name, one in value.items()
        }
    return [relink(one, places) for one in value] if isinstance(value, list) else value


def pack(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the transaction that writes *entries*, all of them or none."""
    return {"resourceType": "Bundle", "type": "transaction", "entry": [one.pack() for one in entries]}


def _attach(document: Document, message: Incoming) -> dict[str, Any]:
    attachment: dict[str, Any] = {
        "contentType": " ".join(document.type.split()) or "application/octet-stream",
        "title": _text(document.name) or "document",
        "size": len(document.content),
        "creation": instant(message.at),
    }
    if document.content:
        attachment["data"] = base64.b64encode(document.content).decode()
    return attachment


def _subject(patient: str | None) -> dict[str, Any]:
    return {"subject": {"reference": patient}} if patient else {}


def _text(value: object) -> str:
    """Return *value* as a FHIR string: no control characters, not empty, not endless."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c in "\t\n" or c.isprintable() else " " for c in value)[:_STRING].strip()


def _uuid(part: str) -> UUID:
    # Only tells the entries of one transaction apart; the server puts its own ids in their places.
    return UUID(bytes=sha256(part.encode())[:16], version=4)
