"""A folder into which people put sheets, and in which they find what became of each row.

::

    out/<name>.csv, .xlsx               a sheet, taken once nothing of it changes any more
    sent/<name>/                        the sheet, report.csv (a row each: its number, sent or not, why not, in which column)
    refused/<name>/                     the same, where no row could be sent; or the sheet and reason.json: it is no sheet at all
    in/<envelope id>/                   what arrived: message.json, documents, fields.csv, list-NAME.csv

Rows that are right are sent, whatever stands in the others; a corrected sheet may hold them all again: a row that was sent before
is not sent a second time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta

from adapters.base import DraftResult, Manifest, Outgoing, Spooled, parse_draft
from adapters.durable import move
from adapters.folder import FolderAdapter
from adapters.marks import Marks
from adapters.shares import Settling, find_free, is_passing, shorten
from adapters.spreadsheet.jobs import Job, plan
from adapters.spreadsheet.lists import lay_out_tables
from adapters.spreadsheet.rows import Sheet
from keys.digests import new_id
from schemas.catalogue import Catalogue
from schemas.identifiers import Code, MailboxId, MessageType
from schemas.strict_json import MalformedError, dump

SETTLE: Final = 5.0
_ENDINGS: Final = frozenset({".csv", ".xlsx"})


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """``[adapters.spreadsheet]``; docs/agencies/spreadsheet.md says what each is."""

    path: Annotated[str, Meta(min_length=1)]
    type: MessageType
    from_: MailboxId
    to: tuple[MailboxId, ...] = ()
    role: Code
    basis: tuple[str, ...] = ()
    author: Annotated[str, Meta(max_length=200)] = ""
    columns: dict[str, str] = {}
    ids: tuple[str, ...] = ()
    zone: str = "Europe/London"
    share: bool = False
    settle: Annotated[float, Meta(ge=0, le=600)] = SETTLE


class SpreadsheetAdapter(FolderAdapter):
    """The built-in adapter for sheets; what arrives is filed as the folder adapter files it, with tables beside it."""

    manifest: ClassVar[Manifest] = Manifest(
        name="spreadsheet",
        title="Spreadsheets",
        transports=("csv", "xlsx"),
        levels=("full",),
        writes=tuple(f"path/{name}" for name in ("out", "sent", "refused", "in", ".working", ".known")),
        tested_against="CSV, and XLSX made by the `openpyxl` library",
        limits="5000 rows and 16 MiB in one sheet, the first sheet of a file; rows carry no documents",
    )

    def __init__(self, options: Options, home: Path, *, settling: Settling | None = None) -> None:
        super().__init__(
            home / options.path,
            share=options.share,
            settling=settling or Settling(options.settle),
            layout=lay_out_tables,
        )
        self._planning = threading.Lock()
        self._catalogue = Catalogue.load()
        self._sheet = Sheet(
            type=options.type, mailbox=options.from_, to=options.to, role=options.role, basis=options.basis,
            author=options.author, columns=options.columns, ids=options.ids, zone=options.zone,
        )  # fmt: skip
        for pointer in (*options.columns.values(), *options.ids):
            self._catalogue.field(options.type, pointer)

    @classmethod
    def configure(cls, options: Mapping[str, Any], home: Path) -> SpreadsheetAdapter:
        """Return the adapter for its table of the configuration."""
        try:
            return cls(msgspec.convert(dict(options), Options, strict=True), home)
        except MalformedError as error:
            raise ValueError(f"`type`, `columns` or `ids`: {error.message}") from error
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield a draft for each row that can be sent; a sheet whose rows all have their answer gets its report.

        Raises:
            OSError: the share is away, full or read-only; what could be taken was yielded before.
        """
        jobs, failed = await asyncio.to_thread(self._take_sheets)
        for job in jobs:
            try:
                rows = await asyncio.to_thread(self._open, job, jobs)
            except OSError as error:
                failed = failed or error
                continue
            left = set(rows)
            for number, row in rows.items():
                done = partial(self._row_done, job, number, row["digest"], left)
                yield Outgoing(key=f"{job.key}.{number}", draft=parse_draft(dump(row["draft"])), done=done)
        if failed is not None:
            raise failed

    def _take_sheets(self) -> tuple[list[Job], OSError | None]:
        self._look()
        failed: OSError | None = None
        entries = [entry for entry in sorted((self.root / "out").iterdir()) if not is_passing(entry.name)]
        for entry in entries:
            try:
                if not entry.is_symlink() and entry.is_file() and self._settling.is_quiet(entry):
                    self._take_sheet(entry)
            except OSError as error:
                failed = failed or error
        self._settling.forget_all_but(entry.name for entry in entries)
        # Anew each time: the share may not have been there before.
        known = Marks(self.root / ".known")
        known.sweep()
        return [Job(folder, known) for folder in self._working()], failed

    def _working(self) -> Iterator[Path]:
        for folder in sorted((self.root / ".working").iterdir(), key=lambda path: path.stat().st_mtime_ns):
            if any(folder.glob("sheet.*")):
                yield folder
            elif folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()  # killed before the sheet was moved, which is still in out/

    def _take_sheet(self, entry: Path) -> None:
        folder = self.root / ".working" / f"{new_id(0)}~{shorten(entry.name)}"
        folder.mkdir(mode=0o700)
        # What has another ending is refused as what it is: nobody looks for a sheet that was left in silence.
        ending = entry.suffix.casefold() if entry.suffix.casefold() in _ENDINGS else ".csv"
        move(entry, folder / f"sheet{ending}")

    def _open(self, job: Job, jobs: Sequence[Job]) -> dict[int, Any]:
        """Return the rows of *job* that wait; one that has none left is finished."""
        with self._planning:
            if not job.folder.exists():
                return {}  # an attempt before, on a share that was slow, has finished it
            if not job.is_planned() and not job.is_reported():
                try:
                    plan(job, [other for other in jobs if other != job], self._sheet, self._catalogue)
                except MalformedError as error:
                    self._refuse(
                        job.folder, job.name, {"code": error.code, "message": error.message, "hint": error.hint}
                    )
                    return {}
            waiting = job.waiting()
            if not waiting:
                self._finish(job)
            return waiting

    async def _row_done(self, job: Job, number: int, digest: str, left: set[int], result: DraftResult) -> None:
        await asyncio.to_thread(self._settle_row, job, number, digest, result)
        left.discard(number)
        if not left:
            await asyncio.to_thread(self._open, job, ())

    def _settle_row(self, job: Job, number: int, digest: str, result: DraftResult) -> None:
        self._look()
        if not job.is_planned():
            return
        if isinstance(result, Spooled):
            job.settle(number, digest, outcome="sent", envelope=result.envelope)
        else:
            job.settle(number, digest, outcome="not sent", code=result.code, message=result.message)

    def _finish(self, job: Job) -> None:
        target = "sent" if job.report() else "refused"
        move(job.folder, find_free(self.root / target, job.name, new_id(0)))
