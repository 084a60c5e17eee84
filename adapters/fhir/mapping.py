"""Which message becomes which resources: the tables of ``mapping.json``, and the small values that all resources share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final, Literal

import msgspec

from schemas.identifiers import Moment


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one message type becomes beside its document and provenance.

    ``tasks`` names a source below.  ``updates``: what stands there already under the same action, check or flag is brought up to date.
    """

    communication: bool = False
    tasks: str | None = None
    flag: Literal["active", "inactive"] | None = None
    updates: bool = False
    subject: Literal["needed", "optional"] = "needed"


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where in a message its tasks are, and which of their members say what; ``status`` is fixed where ``state`` has no FHIR word."""

    each: str
    kind: str
    id: str
    description: str = ""
    due: str = ""
    owner: str = ""
    state: str = ""
    reason: str = ""
    status: str = ""


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole table.  ``keeps``: what is still as it was sent where people have worked on a resource since."""

    subjects: tuple[str, ...]
    types: dict[str, Rule]
    tasks: dict[str, Source]
    statuses: dict[str, str]
    priorities: dict[str, str]
    keeps: dict[str, tuple[str, ...]]


TABLE: Final = msgspec.json.decode((files("adapters.fhir") / "mapping.json").read_bytes(), type=Table)
OTHER: Final = Rule()


class Systems(msgspec.Struct, frozen=True, kw_only=True):
    """The URIs under which the agency's server knows our identifiers and codes."""

    base: str
    nhs_number: str

    def coding(self, system: str, code: str) -> dict[str, Any]:
        """Return a coding of one of our systems."""
        return {"system": f"{self.base}/{system}", "code": code}

    def concept(self, system: str, code: str) -> dict[str, Any]:
        """Return a concept of one of our systems."""
        return {"coding": [self.coding(system, code)]}

    def identifier(self, system: str, value: str) -> dict[str, Any]:
        """Return an identifier of one of our systems."""
        return {"system": f"{self.base}/{system}", "value": value}

    def party(self, mailbox: str) -> dict[str, Any]:
        """Return a reference to a mailbox, which no server has a resource of."""
        return {"type": "Organization", "identifier": self.identifier("mailbox", mailbox)}

    def token(self, identifier: Mapping[str, Any]) -> str:
        """Return how *identifier* is searched for."""
        return f"{identifier['system']}|{_escape(identifier['value'])}"


def instant(at: Moment) -> str:
    """Return *at* as FHIR writes a moment."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text: object) -> datetime | None:
    """Return the moment that FHIR wrote as *text*; ``None`` for a day, and for what is none."""
    if not isinstance(text, str) or "T" not in text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def carries(resource: Mapping[str, Any], member: str, identifier: Mapping[str, Any]) -> bool:
    """Answer whether *resource* has *identifier* in *member*, and still has it.

    A server may leave out a search parameter that it doesn't know, and then finds everything.
    """
    held = resource.get(member)
    return any(
        one.get("system") == identifier["system"]
        and one.get("value") == identifier["value"]
        and one.get("use") != "old"
        for one in (held if isinstance(held, list) else [held])
        if isinstance(one, dict)
    )


def _escape(value: str) -> str:
    for special in "\\,|$":
        value = value.replace(special, f"\\{special}")
    return value
