"""Reading and writing tables, CSV and XLSX, so that no cell is ever run and no file is more than it seems.

A cell that a spreadsheet program would run as a formula is written with an apostrophe before it, and refused when it is read.

Source: RFC 4180; ECMA-376 (XLSX); OWASP, CSV injection.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from schemas.strict_json import MalformedError

MAX_SHEET: Final = 16 * 1024 * 1024
MAX_UNPACKED: Final = 128 * 1024 * 1024
MAX_ROWS: Final = 5000
MAX_COLUMNS: Final = 200
MAX_PARTS: Final = 500
MAX_CELL: Final = 32_767
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
FORMULA: Final = object()
"""What stands in the place of a cell that is a formula."""
Cell = Any
Row = tuple[int, dict[str, Cell]]


def safe(text: str) -> str:
    """Return *text* so that a spreadsheet program takes it for text; one apostrophe before it is not part of it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def read_table(raw: bytes, *, xlsx: bool) -> list[Row]:
    """Return the rows under the heading of a sheet, each with its number and its cells by heading; empty rows are left out.

    Raises:
        MalformedError: ``sheet-unreadable``, ``sheet-heading``, ``sheet-too-long``.
    """
    if len(raw) > MAX_SHEET:
        raise MalformedError("sheet-too-long", "the sheet is longer than 16 MiB", "split it")
    lines = _read_xlsx(raw) if xlsx else _read_csv(raw)
    if not lines:
        raise MalformedError("sheet-heading", "the sheet is empty", "put the names of the columns into its first row")
    heading = ["" if cell in (None, FORMULA) else str(cell).strip() for cell in lines[0]]
    while heading and not heading[-1]:
        heading.pop()
    if len(heading) > MAX_COLUMNS:
        raise MalformedError("sheet-too-long", f"the sheet has more than {MAX_COLUMNS} columns", "take some out")
    named = [name for name in heading if name]
    if not named or len({name.casefold() for name in named}) != len(heading):
        raise MalformedError("sheet-heading", "a column has no name, or two have one", "name each column once")
    rows: list[Row] = []
    for number, cells in enumerate(lines[1:], 2):
        if any(cell not in (None, "") for cell in cells[len(heading) :]):
            raise MalformedError("sheet-heading", f"row {number} has more cells than there are columns", "correct it")
        found = {name: cell for name, cell in zip(heading, cells, strict=False) if cell not in (None, "")}
        if found:
            rows.append((number, found))
    if len(rows) > MAX_ROWS:
        raise MalformedError("sheet-too-long", f"the sheet has more than {MAX_ROWS} rows", "split it")
    return rows


def write_table(rows: Iterable[Sequence[str]]) -> bytes:
    """Return *rows* as CSV that spreadsheet programs read as UTF-8, and run nothing of."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([[safe(cell) for cell in row] for row in rows])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _read_csv(raw: bytes) -> list[list[Cell]]:
    try:
        text = raw.decode("utf-8-sig")
        delimiter = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedError(
            "sheet-unreadable", "the file is no CSV in UTF-8", "save it as `CSV UTF-8`, or as XLSX"
        ) from error
    return [[FORMULA if cell.startswith(("=", "@")) else cell.strip() for cell in line] for line in found]


def _read_xlsx(raw: bytes) -> list[list[Cell]]:
    from openpyxl import load_workbook

    _check_archive(raw)
    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=False, keep_links=False)
    except Exception as error:
        # The library answers a broken file with whatever exception it comes to.
        raise MalformedError("sheet-unreadable", "the file is no XLSX that can be read", "save it again") from error
    try:
        found = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a file says of its own size is not believed
            lines = sheet.iter_rows(max_row=MAX_ROWS + 2, max_col=MAX_COLUMNS + 1)
            found.append([[_cell(cell) for cell in line] for line in lines])
    except Exception as error:
        raise MalformedError("sheet-unreadable", "the file is no XLSX that can be read", "save it again") from error
    finally:
        book.close()
    if any(cell is not None for lines in found[1:] for line in lines for cell in line):
        raise MalformedError("sheet-several", "the file has more than one sheet with something in it", "keep one in it")
    return found[0] if any(cell is not None for line in found[0][:1] for cell in line) else []


def _check_archive(raw: bytes) -> None:
    """Refuse what unpacks to more than a sheet is, and what holds programs."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise MalformedError("sheet-unreadable", "the file is no XLSX that can be read", "save it again") from error
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise MalformedError("sheet-too-long", "the sheet unpacks to more than 128 MiB", "split it")
    if any("vbaproject" in part.filename.casefold() or part.flag_bits & 1 for part in parts):
        raise MalformedError("sheet-unreadable", "the file has macros or a password", "save it as plain XLSX")


def _cell(cell: Any) -> Cell:
    value = cell.value
    if cell.data_type == "f" or (isinstance(value, str) and value.startswith(("=", "@"))):
        return FORMULA
    if isinstance(value, bool | datetime | date) or value is None:
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
