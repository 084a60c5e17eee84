"""Who somebody is, as text that both sides spell alike: by NHS number, and by name and date of birth.

Police seldom have an NHS number, and a clinic may have no traced one.  So an entry stands on the list under every key that
can be made of it, and an attendance is looked up under every key that can be made of it; one in common is enough.  A match
by name and birth alone says so: it is a candidate, and a person decides (domain 11, risk 14).

Source: domain 10 (NHS number); docs/at-risk-list.md.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from adapters.at_risk import Attendance, Listed
from adapters.errors import GatewayError
from schemas.nhs_number import is_nhs_number
from schemas.strict_json import parse

MAX_INPUT: Final = 4 * 1024 * 1024
NHS: Final = "nhs_number"
WHO: Final = "name_and_birth"
_JOINED: Final = "'\u2019`"
T = TypeVar("T", bound=msgspec.Struct)


def find_keys(nhs_number: str | None, name: str | None, born: date | None) -> Mapping[str, str]:
    """Return each identifier that these give, by its kind.

    Raises:
        ValueError: the NHS number has a wrong check digit, or the name has no letter.
    """
    found: dict[str, str] = {}
    if nhs_number is not None:
        digits = nhs_number.translate(dict.fromkeys(map(ord, " -\u00a0")))
        if not is_nhs_number(digits):
            raise ValueError("the NHS number is not ten digits with the right check digit")
        found[NHS] = f"nhs:{digits}"
    if name is not None and born is not None:
        found[WHO] = f"who:{born.isoformat()}:{_spell(name)}"
    return found


def _spell(name: str) -> str:
    """Return the words of *name* without case, accents and order, so that ``O'Neil, Zoë`` is ``zoe oneil``."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c) and c not in _JOINED)
    words = "".join(c if c.isalpha() else " " for c in plain.casefold()).split()
    if not words:
        raise ValueError("the name has no letter")
    return " ".join(sorted(words))


def read_listed(path: Path) -> list[Listed]:
    """Return the lines of the list in the file *path*: CSV with a heading, or a JSON array, by its ending.

    Raises:
        GatewayError: ``list-file``, naming the line and the rule, never a value.
        MalformedError: ``json-*``.
    """
    try:
        raw = path.read_bytes()
        rows = _read_csv(raw) if path.suffix == ".csv" else parse(raw, max_bytes=MAX_INPUT, content=True)
    except OSError as error:
        raise GatewayError("list-file", f"couldn't read {path.name}: {error.strerror}", "name the file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise GatewayError("list-file", f"{path.name} is no CSV in UTF-8", "export it as CSV in UTF-8") from error
    return _read_each(rows, Listed, check_listed, "list-file", "entry", "correct the entry; nothing was published")


def _read_csv(raw: bytes) -> list[dict[str, Any]]:
    rows = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), restkey="beyond the heading", strict=True)
    return [{name: value for name, value in row.items() if value} for row in rows]


def parse_attendances(raw: bytes) -> list[Attendance]:
    """Return the attendances in *raw*, one JSON object or an array of them.

    Raises:
        GatewayError: ``attendance-shape``, naming the place and the rule, never a value.
        MalformedError: ``json-*``.
    """
    given = parse(raw, max_bytes=MAX_INPUT, content=True)
    way_out = "correct it; nothing was checked or counted"
    return _read_each(given, Attendance, _check_attendance, "attendance-shape", "attendance", way_out)


def _read_each(given: Any, kind: type[T], check: Callable[[T], None], code: str, what: str, way_out: str) -> list[T]:
    found = []
    for number, one in enumerate(given if isinstance(given, list) else [given], start=1):
        try:
            # A file without a heading has a child where a field's name should be: no error repeats one.
            if isinstance(one, dict) and not one.keys() <= set(kind.__struct_fields__):
                raise ValueError(f"it has a field that is none of {', '.join(kind.__struct_fields__)}")  # noqa: TRY301
            read = msgspec.convert(one, kind, strict=True)
            check(read)
        except ValueError as error:
            raise GatewayError(code, f"{what} {number}: {error}", way_out) from None
        found.append(read)
    return found


def check_listed(line: Listed) -> None:
    """Refuse a line under which nobody could be found.

    Raises:
        ValueError: saying the rule, never a value.
    """
    if not find_keys(line.nhs_number, line.name, line.born):
        raise ValueError("neither an NHS number nor a name with a date of birth")


def _check_attendance(attendance: Attendance) -> None:
    find_keys(attendance.nhs_number, attendance.name, attendance.born)
    if attendance.at is not None and attendance.at.tzinfo is None:
        raise ValueError("`at` has no offset")
