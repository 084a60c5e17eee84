"""Sheets of referrals: right rows are sent once, wrong ones are named by row, column and rule, and no cell is ever run."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from adapters.base import DraftRefused, Filed, Outgoing, Spooled
from adapters.checks import CHECKS, Trial
from adapters.conformance import ENVELOPE, THREAD, collect, sample_incoming
from adapters.marks import AGE_DAYS, AGES
from adapters.plugins import load_adapters
from adapters.shares import Settling
from adapters.spreadsheet import SpreadsheetAdapter
from adapters.spreadsheet.adapter import Options
from adapters.spreadsheet.tables import FORMULA, MAX_COLUMNS, MAX_ROWS, read_table, safe, write_table
from schemas.strict_json import MalformedError

OPTIONS: dict[str, Any] = {
    "path": "sheets",
    "type": "referral/1",
    "from": "northmere-health/safeguarding",
    "to": ["sampleton-childrens-services/mash"],
    "role": "administrator",
    "basis": ["CA2004_S11"],
    "ids": ["/referral_id"],
    "columns": {"Name": "/child/name", "Born": "/child/dob", "NHS number": "/child/nhs_number"},
    "settle": 0,
}
HEADING = [
    "Author", "Name", "Born", "NHS number", "/child/nhs_number_status", "/child/local_id", "/child/dob_estimated",
    "/child/address_restricted", "/child/home_la", "referred_at", "contact_source", "concern", "immediate_danger",
    "parents_aware", "parents_aware_reason", "origin", "abuse_categories",
]  # fmt: skip
GOOD = [
    "Jo Sample", "Robin Sample", "06/05/2011", "999 000 0018", "traced", "SC-1001", "no", "No", "X99000001",
    "14/04/2026 10:30", "3E", "Came alone at night.", "no", "no", "It could put the child at more risk.", "electronic",
    "physical; neglect",
]  # fmt: skip


def changed(**cells: str) -> list[str]:
    """Return the good row with other cells, by their column with `_` for `/` and blanks."""
    names = [name.strip("/").replace("/", "_").replace(" ", "_") for name in HEADING]
    return [cells.get(name, value) for name, value in zip(names, GOOD, strict=True)]


def as_csv(rows: Sequence[Sequence[str]], delimiter: str = ",") -> bytes:
    """Return *rows* as a spreadsheet program saves them."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def as_xlsx(rows: Sequence[Sequence[Any]]) -> bytes:
    """Return *rows* as a workbook."""
    book, out = Workbook(), io.BytesIO()
    assert book.active is not None
    for row in rows:
        book.active.append(list(row))
    book.save(out)
    return out.getvalue()


class Office:
    """A folder of sheets."""

    def __init__(self, home: Path) -> None:
        self.home, self.root = home, home / "sheets"
        self.open()

    def open(self, **options: Any) -> SpreadsheetAdapter:
        """Return an adapter over it, as after a restart."""
        return SpreadsheetAdapter.configure({**OPTIONS, **options}, self.home)

    def put(self, name: str, content: bytes) -> None:
        """Put a sheet in."""
        (self.root / "out" / name).write_bytes(content)

    async def take(self, adapter: SpreadsheetAdapter | None = None) -> list[Outgoing]:
        """Return the drafts after two looks: the first sees whether anybody still writes."""
        adapter = adapter or self.open()
        await collect(adapter)
        return await collect(adapter)

    def report(self, folder: str) -> list[list[str]]:
        """Return a report's rows, without its heading."""
        text = (self.root / folder / "report.csv").read_text("utf-8-sig")
        return list(csv.reader(io.StringIO(text, newline="")))[1:]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Give an office."""
    return Office(tmp_path)


async def test_right_rows_are_sent_and_wrong_ones_are_named(office: Office) -> None:
    """A sheet with both sends what is right, and its report says of each other row which column breaks which rule."""
    rows = [
        HEADING,
        GOOD,
        changed(immediate_danger="perhaps"),
        changed(Name="Kim Sample", NHS_number="9990000026", concern="=HYPERLINK(A1)"),
        changed(Name="Kim Sample", NHS_number="9990000019"),
        changed(Author=""),
        GOOD,
        [],
        changed(Name="Kim Sample", NHS_number="9990000026"),
    ]
    office.put("April.csv", as_csv(rows))
    first, second = await office.take()
    assert first.draft.message["child"]["dob"] == "2011-05-06"
    assert first.draft.message["child"]["nhs_number"] == "9990000018"
    assert first.draft.message["referred_at"] == "2026-04-14T09:30:00Z"
    assert first.draft.message["abuse_categories"] == ["physical", "neglect"]
    assert (first.draft.author.name, first.draft.author.role) == ("Jo Sample", "administrator")
    assert "April" not in first.key
    await first.done(Spooled(envelope="-" + ENVELOPE[1:], thread=THREAD))
    await second.done(DraftRefused(code="recipient-unknown", message="m", hint="h"))
    report = office.report("sent/April.csv")
    assert [(row[0], row[1], row[2], row[3]) for row in report] == [
        ("2", "sent", "", ""),
        ("3", "not sent", "immediate_danger", "row-value"),
        ("4", "not sent", "concern", "row-formula"),
        ("5", "not sent", "", "message-schema"),
        ("6", "not sent", "author", "row-author"),
        ("7", "not sent", "", "row-known"),
        ("9", "not sent", "", "recipient-unknown"),
    ]
    assert report[0][5] == "'-" + ENVELOPE[1:]
    assert "nhs_number" in report[3][4]
    whole = (office.root / "sent/April.csv/report.csv").read_text()
    assert not any(word in whole for word in ("Sample", "999", "HYPERLINK", "perhaps"))
    assert (office.root / "sent/April.csv/sheet.csv").read_bytes() == as_csv(rows)


async def test_a_corrected_sheet_sends_only_what_was_not_sent(office: Office) -> None:
    """The whole sheet put in again sends no row twice, also after a restart, and sends what is right now."""
    office.put("a.csv", as_csv([HEADING, GOOD, changed(immediate_danger="perhaps")]))
    (one,) = await office.take()
    await one.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    office.put("a.csv", as_csv([HEADING, GOOD, changed(immediate_danger="yes")]))
    (two,) = await office.take()
    assert two.draft.message["immediate_danger"] is True
    await two.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    assert sorted(path.name.partition("-")[0] for path in (office.root / "sent").iterdir()) == ["a.csv", "a.csv"]
    kept = b"".join(path.read_bytes() for path in (office.root / ".known/0").iterdir())
    assert kept == b""


async def test_a_row_that_still_stands_in_a_sheet_is_never_forgotten(office: Office) -> None:
    """A sheet that grows for years and is put in again and again sends each row once; a row that went from it is forgotten."""
    (one,) = await _put_and_take(office, [GOOD])
    await one.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    (other,) = await _put_and_take(office, [GOOD, changed(Name="Kim Sample", NHS_number="9990000026")])
    await other.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    begun = office.root / ".known/.begun"
    for _ in range(2 * AGES):
        begun.write_text(str(int(begun.read_text()) - AGE_DAYS))
        assert await _put_and_take(office, [GOOD]) == []
    assert len([path for path in (office.root / ".known").glob("*/*") if path.name != ".begun"]) == 1


async def _put_and_take(office: Office, rows: list[list[Any]]) -> list[Outgoing]:
    office.put("a.csv", as_csv([HEADING, *rows]))
    return await office.take()


async def test_the_same_row_in_two_sheets_is_sent_once(office: Office) -> None:
    """Two sheets that wait together don't send one row twice."""
    for name in ("a.csv", "b.csv"):
        office.put(name, as_csv([HEADING, GOOD]))
    assert len(await office.take()) == 1


async def test_a_row_waits_until_it_is_done(office: Office) -> None:
    """A row keeps its key and its identifier over repeats and restarts; one that was done isn't yielded again."""
    office.put("a.csv", as_csv([HEADING, GOOD, changed(Name="Kim Sample", NHS_number="9990000026")]))
    before = await office.take()
    after = await office.take()
    assert [(one.key, one.draft) for one in before] == [(one.key, one.draft) for one in after]
    await before[0].done(Spooled(envelope=ENVELOPE, thread=THREAD))
    (left,) = await office.take()
    assert left.key == before[1].key
    await left.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    await before[0].done(Spooled(envelope=ENVELOPE, thread=THREAD))
    assert await office.take() == []
    assert list((office.root / ".working").iterdir()) == []


async def test_killed_at_any_moment_it_goes_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before a file was written, each time at the next one, every row is sent once and the report is whole."""
    from adapters import marks
    from adapters.spreadsheet import adapter as adapter_module
    from adapters.spreadsheet import jobs

    rows = [HEADING, GOOD, changed(Name="Kim Sample", NHS_number="9990000026"), changed(Author="")]
    office.put("a.csv", as_csv(rows))
    sent: dict[str, int] = {}
    left = 0
    really, move, note = jobs.write_file, adapter_module.move, marks.mark

    def spend() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyError("killed")

    def write_file(path: Path, content: bytes) -> None:
        spend()
        really(path, content)

    def moved(source: Path, target: Path) -> None:
        spend()
        move(source, target)

    def mark(path: Path) -> None:
        spend()
        note(path)

    monkeypatch.setattr(marks, "mark", mark)
    monkeypatch.setattr(jobs, "write_file", write_file)
    monkeypatch.setattr(adapter_module, "move", moved)
    for budget in range(40):
        left = budget % 6
        try:
            for one in await office.take():
                sent[one.key] = sent.get(one.key, 0) + 1
                await one.done(Spooled(envelope=ENVELOPE, thread=THREAD))
        except KeyError:
            continue
    assert len(sent) == 2
    assert [row[1] for row in office.report("sent/a.csv")] == ["sent", "sent", "not sent"]
    assert list((office.root / ".working").iterdir()) == []


async def test_on_a_full_disk_no_row_is_lost_or_sent_twice(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing can be written a row isn't handed over, or isn't noted as sent and keeps its key; with room it is."""
    from adapters.spreadsheet import jobs

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    adapter = office.open()
    office.put("a.csv", as_csv([HEADING, GOOD]))
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "write_file", full)
        await collect(adapter)
        with pytest.raises(OSError, match="No space"):
            await collect(adapter)
    (first,) = await office.take(adapter)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "write_file", full)
        with pytest.raises(OSError, match="No space"):
            await first.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    for one in await office.take(adapter):
        assert one.key == first.key
        await one.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    assert await office.take(adapter) == []
    assert [row[1] for row in office.report("sent/a.csv")] == ["sent"]


async def test_a_workbook_is_read_like_a_table(office: Office) -> None:
    """Dates, moments, yes and no, and numbers that a spreadsheet program made of text come out as the fields have them."""
    row: list[Any] = list(GOOD)
    row[2], row[3], row[6], row[9] = date(2011, 5, 6), 9990000018, False, datetime(2026, 4, 14, 10, 30)  # noqa: DTZ001
    formula = changed(Name="Kim Sample", NHS_number="9990000026", concern="=1+1")
    office.put("a.XLSX", as_xlsx([HEADING, row, formula]))
    (one,) = await office.take()
    assert one.draft.message["child"]["dob"] == "2011-05-06"
    assert one.draft.message["child"]["nhs_number"] == "9990000018"
    assert one.draft.message["child"]["dob_estimated"] is False
    assert one.draft.message["referred_at"] == "2026-04-14T09:30:00Z"
    await one.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    assert [row[3] for row in office.report("sent/a.XLSX")] == ["", "row-formula"]


async def test_a_sheet_that_is_still_written_waits(tmp_path: Path) -> None:
    """Nothing of a sheet is read before it has stayed as it is."""
    moments = [0.0]
    adapter = SpreadsheetAdapter(_options(), tmp_path, settling=Settling(5.0, lambda: moments[0]))
    path = tmp_path / "sheets/out/a.csv"
    for rows in ([HEADING], [HEADING, GOOD]):
        path.write_bytes(as_csv(rows))
        assert await collect(adapter) == []
        moments[0] += 4
    assert await collect(adapter) == []
    moments[0] += 1
    assert len(await collect(adapter)) == 1


def _options() -> Options:
    import msgspec

    return msgspec.convert(OPTIONS, Options)


def many(rows: int, columns: int) -> bytes:
    """Return a sheet of that size."""
    return as_csv([[f"c{number}" for number in range(columns)], *[["x"] * columns for _ in range(rows)]])


def two_sheets() -> bytes:
    """Return a workbook with something in a second sheet."""
    book, out = Workbook(), io.BytesIO()
    for sheet in (book.active, book.create_sheet()):
        assert sheet is not None
        sheet.append(["author"])
    book.save(out)
    return out.getvalue()


def bomb() -> bytes:
    """Return an archive that unpacks to more than a sheet is."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(130 * 1024 * 1024))
    return out.getvalue()


def entities() -> bytes:
    """Return a workbook whose sheet defines entities that grow."""
    source, out = zipfile.ZipFile(io.BytesIO(as_xlsx([["author"]]))), io.BytesIO()
    lines = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9))
    evil = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "b">{lines}]><worksheet>&a8;</worksheet>'
    with source, zipfile.ZipFile(out, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, evil if name.endswith("sheet1.xml") else source.read(name))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.csv", b"", "sheet-heading"),
        ("a.csv", b"\xff\xfe\x00", "sheet-unreadable"),
        ("a.csv", as_csv([["author", "author"], ["x", "y"]]), "sheet-heading"),
        ("a.csv", as_csv([["author", "", "concern"], ["x", "y", "z"]]), "sheet-heading"),
        ("a.csv", as_csv([["author"], ["x", "y"]]), "sheet-heading"),
        ("a.csv", as_csv([["author", "surprise"], ["x", "y"]]), "sheet-column"),
        ("a.csv", many(MAX_ROWS + 1, 1), "sheet-too-long"),
        ("a.csv", many(1, MAX_COLUMNS + 1), "sheet-too-long"),
        ("a.docx", b"PK\x03\x04\x00\xff", "sheet-unreadable"),
        ("a.xlsx", b"PK\x03\x04 no workbook", "sheet-unreadable"),
        ("a.xlsx", as_csv([HEADING, GOOD]), "sheet-unreadable"),
        ("a.xlsx", two_sheets(), "sheet-several"),
        ("a.xlsx", bomb(), "sheet-too-long"),
        ("a.xlsx", entities(), "sheet-unreadable"),
        ("a.xlsx", as_xlsx([[f"c{number}" for number in range(MAX_COLUMNS + 1)]]), "sheet-too-long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_no_sheet_is_set_aside_with_the_reason(
    office: Office, name: str, content: bytes, code: str
) -> None:
    """It is in `refused/` with a reason file, and keeps no other sheet."""
    office.put(name, content)
    office.put("z.csv", as_csv([HEADING, GOOD], delimiter=";"))
    assert len(await office.take()) == 1
    assert f'"{code}"' in (office.root / "refused" / name / "reason.json").read_text()


async def test_a_sheet_with_no_right_row_is_refused(office: Office) -> None:
    """It lies in `refused/` with its report."""
    office.put("a.csv", as_csv([HEADING, changed(Author="")]))
    assert await office.take() == []
    assert [row[3] for row in office.report("refused/a.csv")] == ["row-author"]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\tx", "'x", "\uff1d1"])
def test_no_cell_that_is_written_is_run(text: str) -> None:
    """What a program would take for a formula begins with an apostrophe, in every table."""
    assert safe(text) == f"'{text}"
    assert list(csv.reader([write_table([[text, "plain"]]).decode("utf-8-sig")])) == [[f"'{text}", "plain"]]
    assert safe("1-2") == "1-2"


def test_a_formula_is_never_a_value() -> None:
    """A formula in either kind of sheet is told from text."""
    rows = [["author"], ["=1+1"]]
    for raw, xlsx in ((as_csv(rows), False), (as_xlsx(rows), True)):
        assert read_table(raw, xlsx=xlsx) == [(2, {"author": FORMULA})]
    with pytest.raises(MalformedError):
        read_table(b"x" * (16 * 1024 * 1024 + 1), xlsx=False)


async def test_what_arrives_has_its_lists_as_tables(office: Office) -> None:
    """A record has the message whole, its fields as one table and each list in it as another, and runs nothing."""
    message = {
        "note": "=cmd",
        "entries": [{"key": "a", "n": 1}, {"key": "-b", "more": {"x": True}}],
        "words": ["a", "b"],
    }
    adapter = office.open()
    assert await adapter.file(sample_incoming(message=message)) == Filed(record=f"in/{ENVELOPE}")
    assert await adapter.file(sample_incoming(message=message)) == Filed(record=f"in/{ENVELOPE}")
    folder = office.root / "in" / ENVELOPE
    table = list(csv.reader(io.StringIO((folder / "list-entries.csv").read_text("utf-8-sig"))))
    assert table == [["/key", "/n", "/more/x"], ["a", "1", ""], ["'-b", "", "yes"]]
    fields = dict(csv.reader(io.StringIO((folder / "fields.csv").read_text("utf-8-sig"))))
    assert (fields["/note"], fields["/words"], fields["handling"]) == ("'=cmd", "a; b", "not_for_family")


async def test_every_check_of_an_adapter_holds(tmp_path: Path) -> None:
    """Repeat, crash, slow, duplicate, malformed, huge, unicode, clock: filed, each once."""
    for number, check in enumerate(CHECKS.values()):
        office = Office(_made(tmp_path / str(number)))

        async def reopen(office: Office = office) -> SpreadsheetAdapter:
            return office.open()

        await check(Trial(reopen=reopen, message=sample_incoming()))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"type": "nothing/1"}, "type"),
        ({"columns": {"Name": "/child/surname"}}, "columns"),
        ({"ids": ["/nothing"]}, "ids"),
        ({"surprise": 1}, "surprise"),
        ({"path": ""}, "path"),
    ],
)
def test_options_are_checked(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    """A wrong option is refused, by its name."""
    with pytest.raises(ValueError, match=named):
        SpreadsheetAdapter.configure({**OPTIONS, **change}, tmp_path)


async def test_it_works_shut_in(office: Office) -> None:
    """In a process of its own, with its folders only, a workbook is read, its row sent, and a message filed."""
    adapter = load_adapters({"spreadsheet": OPTIONS}, office.home)["spreadsheet"]
    office.put("a.xlsx", as_xlsx([HEADING, GOOD]))
    assert [one async for one in adapter.collect()] == []
    async for one in adapter.collect():
        await one.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    assert [row[1] for row in office.report("sent/a.xlsx")] == ["sent"]
    assert await adapter.file(sample_incoming()) == Filed(record=f"in/{ENVELOPE}")
    await adapter.close()
