"""Who attends, as a hospital system registers it (ADT), and what is known of them, as an observation for its screen (ORU).

::

    attending/<digest>      one registration, until the gateway has it; nothing of who it was afterwards

Of those of the feed that say nothing of an attendance nothing is kept.

Source: HL7 v2.5.1 chapters 3.3 (ADT), 3.4.2 (PID), 3.4.3 (PV1), 7.3 (ORU); docs/at-risk-list.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from adapters.at_risk import Attendance, AttendanceAnswer
from adapters.durable import make_folder, sync_folder, write_file
from adapters.hl7.referrals import components_of, read_moment
from adapters.hl7.wire import SYSTEM, escape, field, header, join, segment, text_of
from keys.digests import sha256_b64u
from schemas.identifiers import Moment
from schemas.nhs_number import is_nhs_number
from schemas.strict_json import MalformedError

ADT: Final = "ADT"
_REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")
_MAX_CONTEXT: Final = 200
_WHOLE_DAY: Final = 8
_SHOWN: Final = frozenset({"known", "withdrawn"})
_MARK: Final = (
    "For the clinician at the point of care only. Not for the child's family, and not for any copy of the record."
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where on the hospital's side an answer belongs: its own visit and patient numbers; ``entry`` is the file of what was heard."""

    entry: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{0,64}\Z")] = ""
    visit: str = ""
    patient: tuple[str, ...] = ()


class Registrations:
    """Those that were heard and that the gateway has not taken note of, on disk."""

    def __init__(self, root: Path, events: Iterable[str], zone: str) -> None:
        self._events, self._zone = frozenset(events), zone
        self._folder = make_folder(root / "attending") if self._events else root

    def hears(self, kind: str) -> bool:
        """Answer whether messages of *kind* (MSH-9.1) are taken here at all."""
        return bool(self._events) and kind == ADT

    def take(self, message: Any) -> None:
        """Keep who attends, durably; of an event that is no attendance nothing is kept.

        Raises:
            MalformedError: ``hl7-field`` naming the field.
        """
        if text_of(message, message.segment("MSH"), 9, 2) not in self._events:
            return
        found = _read(message, self._zone)
        path = self._folder / _place_of(found.context).entry
        if not path.exists():
            write_file(path, msgspec.json.encode(found))

    def waiting(self) -> list[Attendance]:
        """Return who waits, the oldest first."""
        if not self._events:
            return []
        found = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        found.sort(key=lambda path: path.stat().st_mtime_ns)
        return [msgspec.json.decode(path.read_bytes(), type=Attendance) for path in found]

    def let_go(self, context: str) -> None:
        """Forget the one that was heard with *context*, and no other of the same visit; a repeat finds nothing."""
        if not self._events or not (entry := _place_of(context).entry):
            return
        with suppress(FileNotFoundError):
            (self._folder / entry).unlink()
            sync_folder(self._folder)


def _read(message: Any, zone: str) -> Attendance:
    patient = _first(message, "PID")
    if patient is None:
        raise MalformedError("hl7-field", "there is no PID", "send it")
    born = text_of(message, patient, 7)[:_WHOLE_DAY]
    try:
        day = date.fromisoformat(born) if len(born) == _WHOLE_DAY else None
    except ValueError:
        day = None
    if day is None:
        raise MalformedError("hl7-field", "PID-7 is no date of birth", "send it as YYYYMMDD")
    number = ""
    local: tuple[str, ...] = ()
    for parts in components_of(message, patient, 3):
        if len(parts) > 4 and parts[4] == "NH":
            number = parts[0].replace(" ", "")
        elif not local and parts[0]:
            local = tuple(parts)
    name = " ".join(part for part in (text_of(message, patient, 5, 2), text_of(message, patient, 5)) if part)
    visit = _first(message, "PV1")
    given = text_of(message, visit, 19) or text_of(message, visit, 50) if visit is not None else ""
    found = Attendance(
        attendance=given if _REFERENCE.fullmatch(given) else _name(message),
        born=day,
        # One that was mistyped would have the attendance refused; the name may still find them.
        nhs_number=number if is_nhs_number(number) else None,
        name=name[:200] if any(c.isalpha() for c in name) else None,
        at=_find_moment(message, visit, zone),
    )
    # A registration that is corrected is another entry of the same visit: letting go of the first must not lose it.
    said = [found.attendance, born, found.nhs_number or "", found.name or ""]
    place = _place(sha256_b64u(msgspec.json.encode(said)), given, local)
    return msgspec.structs.replace(found, context=msgspec.json.encode(place).decode())


def _place(entry: str, visit: str, patient: Sequence[str]) -> Place:
    parts = tuple(part[:_MAX_CONTEXT] for part in patient[:5])
    kept = parts if len("".join(parts)) <= _MAX_CONTEXT else ()
    return Place(entry=entry, visit=visit[:_MAX_CONTEXT], patient=kept)


def _place_of(context: str) -> Place:
    """Return where an answer with *context* belongs; nowhere, where it isn't one of this adapter's."""
    try:
        return msgspec.json.decode(context, type=Place)
    except msgspec.MsgspecError:
        return Place()


def _name(message: Any) -> str:
    """Return what a registration without a usable visit number is called: by its own MSH-10."""
    head = message.segment("MSH")
    named = "|".join(text_of(message, head, number) for number in (3, 4, 10))
    return f"adt:{sha256_b64u(named.encode())}"


def _find_moment(message: Any, visit: Any, zone: str) -> datetime | None:
    event = _first(message, "EVN")
    places = ((event, 6), (visit, 44), (event, 2), (message.segment("MSH"), 7))
    for part, number in places:
        if part is not None and (text := text_of(message, part, number)):
            with suppress(ValueError):
                return read_moment(text, zone)
    return None


def _first(message: Any, name: str) -> Any | None:
    try:
        return message.segment(name)
    except KeyError:
        return None


def is_shown(answer: AttendanceAnswer) -> bool:
    """Answer whether *answer* is for the screen: who isn't on the list gets nothing written about them."""
    return answer.state in _SHOWN


def make_observation(
    answer: AttendanceAnswer, parties: Sequence[str], processing: str, now: Moment
) -> tuple[bytes, str]:
    """Return ORU^R01 about a visit, and its control id, the same each time that the same is said."""
    place = _place_of(answer.context)
    control = sha256_b64u(f"{answer.attendance} {answer.state} {answer.match}".encode())[:20]
    code = answer.findings[0].risk_marker if answer.findings else answer.state
    segments = [
        header(parties, "ORU^R01^ORU_R01", control, now, processing),
        segment("PID", "1", "", field(*place.patient)),
        segment("PV1", "1", "U", *[""] * 16, escape(place.visit)),
        segment("OBR", "1", "", field(answer.match, SYSTEM), field("at-risk", "At-risk list", SYSTEM), *[""] * 20, "F"),
        *(segment("OBX", str(number), *parts, *[""] * 5, "F") for number, parts in enumerate(_lines(answer, code), 1)),
        segment("NTE", "1", "", escape(_MARK)),
    ]
    return join(segments), control


def _lines(answer: AttendanceAnswer, code: str) -> Iterator[tuple[str, ...]]:
    yield "CE", field("at-risk", "At-risk list", SYSTEM), "1", field(code, answer.words, SYSTEM)
    for number, one in enumerate(answer.findings, 1):
        for kind, name, value in (
            ("ST", "contact", one.contact), ("DT", "added-on", f"{one.added_on:%Y%m%d}"), ("ST", "found-by", one.by),
        ):  # fmt: skip
            yield kind, field(name, name, SYSTEM), str(number), escape(value)
