"""One sheet on its way: its rows are planned once, each is settled once, and a kill at any moment goes on where it was.

::

    .working/<key>/sheet.csv            as it was put there
    .working/<key>/plan.json            the drafts of the rows that are right, and why the others aren't
    .working/<key>/results/<number>     what became of a row that was right
    .known/<number>/<digest>            a row that was sent; nothing of what was in it
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.durable import make_folder, read_regular, write_file
from adapters.marks import Marks
from adapters.spreadsheet.rows import RowError, Sheet, check_columns, make_draft
from adapters.spreadsheet.tables import FORMULA, MAX_SHEET, Cell, read_table, write_table
from keys.digests import sha256_b64u
from schemas.catalogue import Catalogue
from schemas.strict_json import MalformedError, dump

HEADING: Final = ("row", "outcome", "column", "code", "message", "envelope")
_KNOWN: Final = RowError("row-known", "this row was sent before, or stands in the sheet twice")


@dataclass(frozen=True, slots=True)
class Job:
    """The sheet in *folder*; *known* remembers the rows that were sent."""

    folder: Path
    known: Marks

    @property
    def key(self) -> str:
        """Return what it is called towards the gateway: nothing of the file's name."""
        return self.folder.name.partition("~")[0]

    @property
    def name(self) -> str:
        """Return what it was called."""
        return self.folder.name.partition("~")[2]

    def is_planned(self) -> bool:
        """Answer whether its rows were read."""
        return (self.folder / "plan.json").exists()

    def waiting(self) -> dict[int, Any]:
        """Return the rows that wait by their numbers, each a draft and its digest."""
        if not self.is_planned():
            return {}
        settled = self._settled()
        rows = _read(self.folder / "plan.json")["rows"]
        return {int(number): row for number, row in rows.items() if int(number) not in settled}

    def settle(self, number: int, digest: str, **result: str) -> None:
        """Remember what became of a row; a repeat changes nothing."""
        if result["outcome"] == "sent":
            self.known.add(digest)
        write_file(make_folder(self.folder / "results") / str(number), dump(result))

    def report(self) -> bool:
        """Write ``report.csv`` and drop what was in between; answer whether any row was sent."""
        folder = self.folder / "results"
        if self.is_planned():
            found = {int(number): result for number, result in _read(self.folder / "plan.json")["results"].items()}
            found |= {number: _read(folder / str(number)) for number in self._settled()}
            rows = [(str(row), *[found[row].get(name, "") for name in HEADING[1:]]) for row in sorted(found)]
            write_file(self.folder / "report.csv", write_table([HEADING, *rows]))
        # In this order: rows whose results went first would wait again after a kill.
        (self.folder / "plan.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        report = (self.folder / "report.csv").read_text("utf-8-sig").splitlines()
        return any(row[1:2] == ["sent"] for row in csv.reader(report))

    def is_reported(self) -> bool:
        """Answer whether it has its report, and only has to be put away: a kill came between."""
        return (self.folder / "report.csv").exists()

    def _settled(self) -> set[int]:
        folder = self.folder / "results"
        return {int(path.name) for path in folder.iterdir() if path.name.isdigit()} if folder.exists() else set()


def plan(job: Job, others: Iterable[Job], sheet: Sheet, catalogue: Catalogue) -> None:
    """Read the sheet of *job*: a draft for each row that is right, a result for each other.

    Raises:
        MalformedError: ``sheet-*``: it is none, or a column means nothing.
    """
    (path,) = job.folder.glob("sheet.*")
    try:
        raw = read_regular(path, max_bytes=MAX_SHEET)
    except ValueError as error:
        raise MalformedError("sheet-too-long", "the sheet is longer than 16 MiB", "split it") from error
    table = read_table(raw, xlsx=path.suffix == ".xlsx")
    for _, cells in table:
        check_columns(cells, sheet, catalogue)
    taken = {row["digest"] for other in others for row in other.waiting().values()}
    rows: dict[str, Any] = {}
    results: dict[str, Any] = {}
    for number, cells in table:
        digest = _digest(cells, sheet)
        if digest in taken or job.known.find(digest) is not None:
            results[str(number)] = _object_to(_KNOWN)
            continue
        try:
            draft = make_draft(cells, sheet, catalogue)
        except RowError as error:
            results[str(number)] = _object_to(error)
        else:
            taken.add(digest)
            rows[str(number)] = {"digest": digest, "draft": draft}
    write_file(job.folder / "plan.json", dump({"rows": rows, "results": results}))


def _object_to(error: RowError) -> dict[str, str]:
    return {"outcome": "not sent", "column": error.column, "code": error.code, "message": error.message}


def _read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _digest(cells: dict[str, Cell], sheet: Sheet) -> str:
    said = {name.casefold(): "" if cell is FORMULA else str(cell) for name, cell in cells.items()}
    return sha256_b64u(dump([sheet.type, sheet.mailbox, sorted(said.items())]))
