"""One row of a sheet as one draft: each cell goes to the field that its column names, in the kind that the field's schema has.

Nothing is guessed, and an error names the row, the column and the rule, never what stands in the cell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from adapters.spreadsheet.tables import FORMULA, Cell
from keys.digests import new_id
from schemas.catalogue import Catalogue
from schemas.strict_json import MalformedError

AUTHOR: Final = "author"
_YES: Final = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
_DAY: Final = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4})$")
_MOMENT: Final = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{4}),? +(\d{1,2}):(\d{2})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What the agency says about every row; ``columns``: heading to JSON pointer; ``ids``: fields that get a new id each."""

    type: str
    mailbox: str
    to: tuple[str, ...] = ()
    role: str
    basis: tuple[str, ...] = ()
    author: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    zone: str = "Europe/London"


class RowError(Exception):
    """One row can't be sent: a code, what is wrong, the column."""

    def __init__(self, code: str, message: str, *, column: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.column = code, message, column


def check_columns(cells: Mapping[str, Cell], sheet: Sheet, catalogue: Catalogue) -> None:
    """Refuse a sheet with a column that means nothing: what stands in it would be lost in silence.

    Raises:
        MalformedError: ``sheet-column``.
    """
    for name in cells:
        if name.casefold() != AUTHOR:
            try:
                catalogue.field(sheet.type, _pointer(name, sheet))
            except MalformedError as error:
                raise MalformedError(
                    "sheet-column", "a column's name stands for no field", "correct it, or name it under `columns`"
                ) from error


def make_draft(cells: Mapping[str, Cell], sheet: Sheet, catalogue: Catalogue) -> dict[str, Any]:
    """Return the draft that a row describes, which passes the type's schema.

    Raises:
        RowError: ``row-formula``, ``row-value``, ``row-author``, ``message-schema``.
    """
    content: dict[str, Any] = {}
    author = sheet.author
    for name, cell in cells.items():
        if cell is FORMULA:
            raise RowError("row-formula", "a formula stands in the cell: put in its value", column=name)
        if name.casefold() == AUTHOR:
            author = str(cell)
            continue
        pointer = _pointer(name, sheet)
        kind = catalogue.field(sheet.type, pointer)
        try:
            _put(content, pointer, _convert(cell, kind, sheet.zone))
        except ValueError as error:
            raise RowError("row-value", str(error), column=name) from error
    if not author:
        raise RowError("row-author", "nobody is named as the author", column=AUTHOR)
    for pointer in sheet.ids:
        _put(content, pointer, new_id(0))
    try:
        catalogue.validate(sheet.type, content)
    except MalformedError as error:
        raise RowError(error.code, error.message) from error
    draft: dict[str, Any] = {
        "type": sheet.type,
        "from": sheet.mailbox,
        "author": {"name": author, "role": sheet.role},
        "message": content,
    }
    return draft | {name: list(value) for name, value in (("to", sheet.to), ("basis", sheet.basis)) if value}


def _pointer(name: str, sheet: Sheet) -> str:
    folded = {heading.casefold(): pointer for heading, pointer in sheet.columns.items()}
    return folded.get(name.casefold(), name if name.startswith("/") else f"/{name}")


def _put(content: dict[str, Any], pointer: str, value: Any) -> None:
    *way, last = pointer.lstrip("/").split("/")
    for step in way:
        content = content.setdefault(step, {})
    content[last] = value


def _convert(cell: Cell, kind: Mapping[str, Any], zone: str) -> Any:
    """Return *cell* as the field has it.

    Raises:
        ValueError: it isn't that; the text names the rule.
    """
    match kind.get("type"):
        case "boolean":
            said = cell if isinstance(cell, bool) else _YES.get(str(cell).casefold())
            if said is None:
                raise ValueError("neither yes nor no")
            return said
        case "integer":
            if not re.fullmatch(r"-?[0-9]{1,15}", str(cell)):
                raise ValueError("not a whole number")
            return int(str(cell))
        case "array":
            return [part.strip() for part in re.split(r"[;\n]", str(cell)) if part.strip()]
        case "object":
            raise ValueError("this field has parts: give each a column of its own")
    return _text(cell, kind.get("format"), zone)


def _text(cell: Cell, form: str | None, zone: str) -> str:
    match form:
        case "date":
            return _day(cell)
        case "date-time":
            return _moment(cell, zone)
        case "nhs-number":
            return str(cell).replace(" ", "").replace("-", "")
    if not isinstance(cell, bool | date):
        return str(cell)
    raise ValueError("a date or a yes stands where text is expected: format the cell as text")


def _day(cell: Cell) -> str:
    if isinstance(cell, datetime | date):
        return cell.strftime("%Y-%m-%d")
    if found := _DAY.match(str(cell)):
        day, month, year = (int(part) for part in found.groups())
        return date(year, month, day).isoformat()
    return str(cell)


def _moment(cell: Cell, zone: str) -> str:
    if found := _MOMENT.match(str(cell)):
        day, month, year, hour, minute = (int(part) for part in found.groups())
        cell = datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone))
    if isinstance(cell, datetime):
        aware = cell if cell.tzinfo else cell.replace(tzinfo=ZoneInfo(zone))
        return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if not isinstance(cell, date):
        return str(cell)
    raise ValueError("a day without a time of day")
