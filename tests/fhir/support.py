"""What the tests of FHIR start from: a child, messages about it, and an adapter into the server."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Protocol

from adapters.base import Document, Incoming
from adapters.checks import UNICODE
from adapters.conformance import ENVELOPE, sample_incoming
from adapters.fhir import FhirAdapter

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


class Server(Protocol):
    """A FHIR server as a test needs it, ours or a real one."""

    @property
    def base(self) -> str:
        """Return where it is reached."""
        ...

    def empty(self) -> None:
        """Forget everything."""
        ...

    def add(self, resource: dict[str, Any]) -> str:
        """Keep *resource*, and return its reference."""
        ...

    def read(self, reference: str) -> dict[str, Any]:
        """Return what stands at *reference*."""
        ...

    def change(self, reference: str, **changes: Any) -> None:
        """Change what stands at *reference*, as its staff do."""
        ...

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the resources of *kind*."""
        ...


def add_patient(server: Server, **changes: Any) -> str:
    """Have the server know the child, and return the reference."""
    identifier = {"system": NHS, "value": CHILD["nhs_number"]}
    return server.add({"resourceType": "Patient", "identifier": [identifier], "birthDate": CHILD["dob"]} | changes)


def open_adapter(server: Server, home: Path = Path("/nowhere"), **options: Any) -> FhirAdapter:
    """Return an adapter into *server*."""
    return FhirAdapter.configure({"base": server.base, "outbox": True, **options}, home)


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


def put_draft(server: Server, draft: bytes, *documents: Document) -> str:
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
