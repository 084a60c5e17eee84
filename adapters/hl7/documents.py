"""A message of ours as MDM^T02, one for each child's record: new document, with its content.

Its text stands in TX lines for people to read, its documents and the message itself, whole, as encapsulated data.

Source: HL7 v2.5.1 chapter 9 (MDM, TXA), 7.4 (OBX), 2.A.24 (ED).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.base import Document, Incoming, NeedsPerson
from adapters.hl7.wire import escape, field, header, join, segment, stamp
from keys.digests import sha256_b64u
from schemas.nhs_number import is_nhs_number
from schemas.strict_json import dump

_SEXES: Final = frozenset({"F", "M"})
# MSH-10 has twenty characters in the versions that most systems speak.
_CONTROL: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How the two systems call themselves, what kind of document it is there, and MSH-11."""

    parties: tuple[str, str, str, str]
    document_type: str = "CN"
    processing: str = "P"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One HL7 message: its control id and its bytes."""

    control: str
    raw: bytes


def make_questions(message: Incoming, names: Names) -> tuple[Question, ...] | NeedsPerson:
    """Return the HL7 messages for *message*; the same each time.

    A person decides where no child is named by a traced NHS number: a document in the wrong record is worse than none.
    """
    children = list(find_children(message.message))
    if not children:
        return NeedsPerson(code="hl7-no-patient")
    if not all(_is_known(child) for child in children):
        return NeedsPerson(code="hl7-patient-untraced")
    content = list(_content(message))
    return tuple(_make(message, child, number, content, names) for number, child in enumerate(children))


def find_children(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the children whose records *message* belongs in, each number once."""
    listed = message.get("children")
    found = [message.get("child"), message.get("person"), *(listed if isinstance(listed, list) else ())]
    seen: set[Any] = set()
    for child in found:
        if isinstance(child, dict) and (number := child.get("nhs_number")) not in seen:
            seen.add(number)
            yield child


def _is_known(child: Mapping[str, Any]) -> bool:
    number = child.get("nhs_number")
    return isinstance(number, str) and is_nhs_number(number) and child.get("nhs_number_status") == "traced"


def _make(message: Incoming, child: Mapping[str, Any], number: int, content: Sequence[str], names: Names) -> Question:
    document = message.envelope if not number else f"{message.envelope}.{number + 1}"
    # A digest: part of the id itself could be made to meet another's, and a repeat would be taken for done.
    control = sha256_b64u(document.encode())[:_CONTROL]
    segments = [
        header(names.parties, "MDM^T02^MDM_T02", control, message.accepted_at, names.processing),
        segment("EVN", "T02", stamp(message.accepted_at)),
        _patient(child, message.sender),
        segment("PV1", "1", "N"),
        _transcription(message, document, names.document_type),
        *content,
    ]
    return Question(control=control, raw=join(segments))


def _patient(child: Mapping[str, Any], sender: str) -> str:
    given, _, family = str(child.get("name", "")).rpartition(" ")
    numbers = [field(child["nhs_number"], "", "", "NHS", "NH")]
    if child.get("local_id"):
        numbers.append(field(child["local_id"], "", "", sender.partition("/")[0], "PI"))
    sex = child.get("sex")
    return segment(
        "PID", "1", "", "~".join(numbers), "", field(family, given), "", str(child.get("dob", "")).replace("-", ""),
        sex if sex in _SEXES else "U",
    )  # fmt: skip


def _transcription(message: Incoming, document: str, kind: str) -> str:
    fields = [""] * 19
    fields[0], fields[1], fields[2] = "1", escape(kind), "TX"
    fields[3], fields[5] = stamp(message.at), stamp(message.accepted_at)
    fields[8] = field("", message.sender)
    fields[11] = field(document, message.sender)
    fields[12] = field(message.supersedes or "")
    # Documented, very restricted, available.
    fields[16], fields[17], fields[18] = "DO", "V", "AV"
    return segment("TXA", *fields)


def _content(message: Incoming) -> Iterator[str]:
    number = 0
    for line in (*_heading(message), *_lines(message.message)):
        number += 1
        yield segment("OBX", str(number), "TX", field(message.type, "", "L"), "", escape(line), *[""] * 5, "F")
    whole = Document(name="message.json", type="application/json", content=dump(message.message))
    for document in (*message.documents, whole):
        number += 1
        kind, _, subtype = document.type.partition("/")
        encoded = base64.b64encode(document.content).decode()
        data = f"^{field(kind or 'application', subtype or 'octet-stream', 'Base64')}^{encoded}"
        yield segment("OBX", str(number), "ED", field(document.name, "", "L"), "", data, *[""] * 5, "F")


def _heading(message: Incoming) -> Iterator[str]:
    yield f"{message.type} from {message.sender}"
    yield f"classification: {message.classification}"
    for mark in message.marks:
        yield f"handling: {mark}"


def _lines(value: Any, label: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _lines(one, f"{label}{', ' if label else ''}{key.replace('_', ' ')}")
    elif isinstance(value, list):
        for place, one in enumerate(value, 1):
            yield from _lines(one, f"{label} {place}")
    elif value is not None:
        yield f"{label}: {'yes' if value is True else 'no' if value is False else value}"
