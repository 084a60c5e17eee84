"""The quarterly report as a PDF: text that can be selected and searched, with a title, a language and an outline."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from hub.quarterly import SHOWN, Part, Report, Shown
from hub.web.console.charts import percent
from hub.web.console.frame import Words
from hub.web.console.saying_report import HEADS, explain, say_quarter
from schemas.rules.figures import COLUMNS

LEFT_OUT: Final = "-"
# In millimetres: names, then counts.
_WIDTHS: Final = (75, 23, 23, 23, 23, 23)
_HIGH: Final = 5.5
_LONGEST: Final = 44


class _Pages(FPDF):
    """A4 pages with the report's name and the page's number below."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        self._named = title
        self.set_title(title)
        self.set_lang("en-GB")
        self.set_draw_color(177, 180, 182)
        self.set_auto_page_break(auto=True, margin=20)

    def footer(self) -> None:
        """Write name and number."""
        self.set_y(-15)
        self.set_font("Helvetica", size=8)
        self.cell(0, 6, f"{self._named}, page {self.page_no()}", align="C")


def write_report(report: Report, words: Words, partnership: str) -> bytes:
    """Return *report* as a PDF; the same report gives the same bytes."""
    title = f"{partnership}: {say_quarter(report.quarter)}"
    pages = _Pages(_plain(title))
    pages.set_creation_date(datetime.fromtimestamp(report.at / 1000, UTC))
    pages.set_author(_plain(partnership))
    pages.add_page()
    _paragraph(pages, title, size=18, style="B")
    for text in explain(report, words):
        _paragraph(pages, text)
    _heading(pages, "What each figure counts")
    for column in SHOWN:
        _paragraph(pages, f"{HEADS[column]}: {COLUMNS[column]}.")
    for part in report.parts:
        _heading(pages, words.title_of(part.family))
        _table(pages, "Sector", _named(part.by_sector, lambda name: words.code(name).capitalize()), part)
        _table(pages, "Agency", _named(part.by_agency, words.name_of), part)
    if not report.parts:
        _paragraph(pages, "Nothing fell due in this quarter.")
    return bytes(pages.output())


def _named(rows: Mapping[str, Shown], say: Callable[[str], str]) -> Iterator[tuple[str, Shown]]:
    for name, row in rows.items():
        yield say(name), row


def _heading(pages: _Pages, text: str) -> None:
    pages.ln(3)
    pages.start_section(_plain(text))
    _paragraph(pages, text, size=13, style="B")


def _paragraph(pages: _Pages, text: str, size: int = 10, style: str = "") -> None:
    pages.set_font("Helvetica", style=style, size=size)
    pages.multi_cell(0, size * 0.5, _plain(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pages.ln(2)


def _table(pages: _Pages, first: str, rows: Iterator[tuple[str, Shown]], part: Part) -> None:
    heads = (first, *(HEADS[column] for column in SHOWN))
    _row(pages, heads, style="B")
    for name, shown in (*rows, ("All", part.total)):
        if pages.will_page_break(_HIGH):
            pages.add_page()
            _row(pages, heads, style="B")
        _row(pages, (_plain(name), *(_cell(shown, column) for column in SHOWN)))
    pages.ln(4)


def _row(pages: _Pages, cells: Sequence[str], style: str = "") -> None:
    # At their places, without the library's own cells: a county's report has some thousand.
    pages.set_font("Helvetica", style=style, size=9)
    at, base = pages.l_margin, pages.get_y() + _HIGH * 0.7
    for place, (text, width) in enumerate(zip(cells, _WIDTHS, strict=True)):
        shown = _fitting(text, place)
        pages.text(at + (width - pages.get_string_width(shown) - 1 if place else 1), base, shown)
        at += width
    pages.ln(_HIGH)
    pages.line(pages.l_margin, pages.get_y(), at, pages.get_y())


def _fitting(text: str, place: int) -> str:
    return text if place or len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _cell(shown: Shown, column: str) -> str:
    value = shown[column]
    if value is None:
        return LEFT_OUT
    return percent(value) if column == "received_rate" else f"{value:,}"


def _plain(text: str) -> str:
    """Return *text* in the letters that a PDF's own fonts have: others lose their accents, or are shown as ``?``."""
    return "".join(_letter(one) for one in unicodedata.normalize("NFC", text))


def _letter(one: str) -> str:
    if one.isascii() or one.encode("latin-1", "ignore"):
        return one
    bare = unicodedata.normalize("NFKD", one).encode("ascii", "ignore").decode()
    return bare or "?"
