"""A referral that a hospital system sends as REF^I12, as a draft of ours.

What HL7 has a field for comes from there.  What only we ask for stands in OBX whose coding system is ``SGH`` and whose identifier
is the JSON pointer of the member (``/parents_aware``).  Nothing is guessed: what is missing is named, and the sender is told.

Source: HL7 v2.5.1 chapters 11 (REF), 3.4.2 (PID), 7.4 (OBX), 2.A.88 (TS).
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.base import Document, is_plain_name
from adapters.hl7.wire import SYSTEM, text_of
from keys.digests import new_id
from schemas.strict_json import MalformedError

TYPE: Final = "referral/1"
_SEXES: Final = frozenset({"F", "M"})
_WHOLE_DAY: Final = 8
# PID-32 (table 0445): how sure the system is.  `NSTS01`, number present and verified, is the NHS's (HL7 V2 ADT Message
# Specification); some send the bare code of the NHS Data Dictionary.
_VERIFIED: Final = frozenset({"NSTS01", "01"})
_ESTIMATED: Final = "ED"
_DEFAULT_BIRTH: Final = "UD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the agency says about every referral that comes this way; ``zone`` is that of moments without one."""

    mailbox: str
    to: tuple[str, ...] = ()
    role: str = "referrer"
    basis: tuple[str, ...] = ()
    zone: str = "Europe/London"


def read_referral(message: Any, settings: Settings) -> tuple[dict[str, Any], tuple[Document, ...]]:
    """Return the draft in *message*, which is a REF^I12, and the documents that go with it.

    Raises:
        MalformedError: ``hl7-field`` naming the field.
    """
    documents = tuple(_documents(message))
    content = {
        "referral_id": new_id(0),
        "referred_at": _moment(message, settings.zone),
        "child": _child(message),
        "origin": "electronic",
    }
    notes = [_plain(message, part, 3) for part in _all(message, "NTE")]
    if any(notes):
        content["concern"] = "\n".join(note for note in notes if note)
    for pointer, value in _observations(message):
        _put(content, pointer, value)
    draft: dict[str, Any] = {
        "type": TYPE,
        "from": settings.mailbox,
        "author": {"name": _author(message), "role": settings.role},
        "message": content,
    }
    for name, given in (
        ("to", settings.to),
        ("basis", settings.basis),
        ("attachments", [one.name for one in documents]),
    ):
        if given:
            draft[name] = list(given)
    return draft, documents


def _child(message: Any) -> dict[str, Any]:
    patient = _one(message, "PID")
    reliable = {_component(message, one, 1) for one in _repetitions(patient, 32)}
    child: dict[str, Any] = {"dob_estimated": _ESTIMATED in reliable, "nhs_number_status": "unknown"}
    for number in _repetitions(patient, 3):
        value, kind = _component(message, number, 1), _component(message, number, 5)
        if kind == "NH":
            # That the two belong together is the sender's to say, here or in OBX.
            status = "traced" if reliable & _VERIFIED else "untraced"
            child |= {"nhs_number": value.replace(" ", ""), "nhs_number_status": status}
        elif value:
            child.setdefault("local_id", value)
    family, given = text_of(message, patient, 5, 1), text_of(message, patient, 5, 2)
    child["name"] = " ".join(part for part in (given, family) if part)
    if not child["name"]:
        raise MalformedError("hl7-field", "PID-5 has no name", "fill it in the sending system")
    born = text_of(message, patient, 7)[:_WHOLE_DAY]
    # A day that the system puts in where it knows none is nobody's.
    if len(born) == _WHOLE_DAY and born.isdigit() and _DEFAULT_BIRTH not in reliable:
        child["dob"] = f"{born[:4]}-{born[4:6]}-{born[6:]}"
    sex = text_of(message, patient, 8)
    child["sex"] = sex if sex in _SEXES else "U"
    lines = [text_of(message, patient, 11, part) for part in range(1, 6)]
    if address := "\n".join(line for line in lines if line):
        child["address"] = address
    return child


def _author(message: Any) -> str:
    for provider in _all(message, "PRD"):
        if text_of(message, provider, 1) == "RP":
            names = [text_of(message, provider, 2, part) for part in (2, 1)]
            if name := " ".join(part for part in names if part):
                return name
    raise MalformedError("hl7-field", "no PRD names the referring provider (RP)", "send who refers, in PRD-2")


def _moment(message: Any, zone: str) -> str:
    text = ""
    for referral in _all(message, "RF1"):
        text = text_of(message, referral, 7)
    text = text or text_of(message, _one(message, "MSH"), 7)
    try:
        found = read_moment(text, zone)
    except ValueError as error:
        raise MalformedError("hl7-field", "RF1-7 or MSH-7 is no moment", "send it as YYYYMMDDHHMMSS") from error
    return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_moment(text: str, zone: str) -> datetime:
    """Return the moment that HL7 writes as *text*, in *zone* where it has no offset.

    Raises:
        ValueError: it is none.
    """
    digits, sign, offset = text, "", ""
    for mark in "+-":
        if mark in text:
            digits, sign, offset = text.partition(mark)
    digits = digits.partition(".")[0]
    if len(digits) < _WHOLE_DAY:
        raise ValueError("it has no whole day")
    if sign:
        return datetime.strptime(f"{digits:0<14}{sign}{offset}", "%Y%m%d%H%M%S%z")
    return datetime.strptime(f"{digits:0<14}+0000", "%Y%m%d%H%M%S%z").replace(tzinfo=ZoneInfo(zone))


def _observations(message: Any) -> Iterator[tuple[str, Any]]:
    for part in _all(message, "OBX"):
        if text_of(message, part, 3, 3) != SYSTEM:
            continue
        kind, pointer, value = text_of(message, part, 2), text_of(message, part, 3), _plain(message, part, 5)
        if kind == "NM":
            if not value.lstrip("-").isdigit():
                raise MalformedError("hl7-field", "an OBX of the type NM has no whole number", "correct OBX-5")
            yield pointer, int(value)
        elif kind == "ID" and value in {"Y", "N"}:
            yield pointer, value == "Y"
        else:
            yield pointer, value


def _put(content: dict[str, Any], pointer: str, value: Any) -> None:
    """Set the member at *pointer*; one that ends in ``/-`` is added to an array."""
    *way, last = pointer.lstrip("/").split("/")
    if last == "-" and way:
        last = way.pop()
        value = _Added(value)
    at = content
    for step in way:
        found = at.setdefault(step, {})
        if not isinstance(found, dict):
            raise MalformedError("hl7-field", "an OBX names a member inside of one that has none", "correct OBX-3")
        at = found
    if isinstance(value, _Added):
        held = at.setdefault(last, [])
        if not isinstance(held, list):
            raise MalformedError("hl7-field", "an OBX adds to a member that is no array", "correct OBX-3")
        held.append(value.value)
    else:
        at[last] = value


@dataclass(frozen=True, slots=True)
class _Added:
    value: Any


def _documents(message: Any) -> Iterator[Document]:
    taken: set[str] = set()
    for number, part in enumerate(_all(message, "OBX"), 1):
        if text_of(message, part, 2) != "ED":
            continue
        kind = "/".join(text_of(message, part, 5, place) for place in (2, 3))
        if text_of(message, part, 5, 4).casefold() != "base64":
            raise MalformedError("hl7-field", "OBX-5 of an encapsulated document isn't Base64", "send it as Base64")
        try:
            content = base64.b64decode(text_of(message, part, 5, 5), validate=True)
        except (binascii.Error, ValueError) as error:
            raise MalformedError("hl7-field", "OBX-5 of a document has broken Base64", "send it again") from error
        name = text_of(message, part, 3, 2) or text_of(message, part, 3)
        if not is_plain_name(name) or name.casefold() in taken or name.casefold().endswith(".json"):
            name = f"document-{number}{mimetypes.guess_extension(kind) or '.bin'}"
        taken.add(name.casefold())
        yield Document(name=name, type=kind, content=content)


def _all(message: Any, name: str) -> list[Any]:
    try:
        return list(message.segments(name))
    except KeyError:
        return []


def _one(message: Any, name: str) -> Any:
    found = _all(message, name)
    if not found:
        raise MalformedError("hl7-field", f"there is no {name}", "send it")
    return found[0]


def components_of(message: Any, part: Any, number: int) -> list[list[str]]:
    """Return the repetitions of a field, each as its first five components."""
    return [[_component(message, one, place) for place in range(1, 6)] for one in _repetitions(part, number)]


def _repetitions(part: Any, number: int) -> list[Any]:
    try:
        return list(part(number))
    except (IndexError, KeyError):
        return []


def _component(message: Any, repetition: Any, number: int) -> str:
    if isinstance(repetition, str):
        return str(message.unescape(repetition)) if number == 1 else ""
    try:
        return str(message.unescape(str(repetition(number))))
    except (IndexError, KeyError):
        return ""


def _plain(message: Any, part: Any, number: int) -> str:
    """Return a field of text as its lines, one a repetition."""
    return "\n".join(_component(message, one, 1) for one in _repetitions(part, number)).replace("\r", "\n")
