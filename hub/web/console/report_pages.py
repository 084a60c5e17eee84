"""The quarterly report: on the page, as a table for programs, and as a PDF for a board's papers."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Final, NamedTuple

from aiohttp import web
from markupsafe import Markup

from hub.figures import Maker
from hub.kit.pages import HEADERS
from hub.quarterly import SHOWN, Part, Quarter, Report, Shown, cells, report_quarter
from hub.web.console.charts import Bar, draw_bars, percent
from hub.web.console.figure_pages import IN_2018_MARK
from hub.web.console.frame import Console, NotHereError, Visit, Words
from hub.web.console.saying_report import HEADS, explain, say_quarter
from schemas.rules.figures import COLUMNS

OFFERED: Final = 8


class Line(NamedTuple):
    """One row of a table."""

    name: str
    row: Shown


class Shares(NamedTuple):
    """One type: its title, the chart of its sectors, and its tables."""

    name: str
    title: str
    drawing: Markup
    sectors: tuple[Line, ...]
    agencies: tuple[Line, ...]
    total: Shown


async def show_quarter(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the report of a quarter that is over, the last one where none is named."""
    del visit
    report, last = await _report(console, request)
    words = console.words()
    context = {
        "report": report, "name": report.quarter.name, "title": say_quarter(report.quarter),
        "explained": explain(report, words), "shown": SHOWN, "heads": HEADS, "columns": COLUMNS, "percent": percent,
        "parts": [_shares(place, part, words) for place, part in enumerate(report.parts)],
        "offered": [(one.name, say_quarter(one)) for one in (Quarter(last.number - back) for back in range(OFFERED))],
    }  # fmt: skip
    return console.show(request, "quarter.html", context)


async def send_csv(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the same report as CSV."""
    del visit
    report, _ = await _report(console, request)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(cells(report))
    return _attached(out.getvalue().encode(), "text/csv", f"{report.quarter.name}.csv")


async def send_pdf(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the same report as a PDF."""
    del visit
    report, _ = await _report(console, request)
    words = console.words()
    partnership = words.name_of(console.hub.registry.snapshot.directory.directory.partnership)
    # Setting a table takes a while, and envelopes wait for nobody's report.
    content = await asyncio.to_thread(_draw, report, words, partnership)
    return _attached(content, "application/pdf", f"{report.quarter.name}.pdf")


def _draw(report: Report, words: Words, partnership: str) -> bytes:
    # A second to load, and 20 MB to hold: not for a hub of which nobody asks a PDF.
    from hub.web.console.report_pdf import write_report

    return write_report(report, words, partnership)


def _attached(content: bytes, kind: str, name: str) -> web.Response:
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=content, content_type=kind, headers=headers)


async def _report(console: Console, request: web.Request) -> tuple[Report, Quarter]:
    """Return the report that is asked for, and the last quarter that is over."""
    snapshot, now = console.hub.registry.snapshot, console.now()
    last = Quarter(Quarter.of(Maker.of(snapshot, now).days, now).number - 1)
    named = request.query.get("quarter")
    quarter = Quarter.parse(named) if named else last
    report = await report_quarter(console.hub.store, snapshot, quarter, now) if quarter else None
    if report is None:
        raise NotHereError
    return report, last


def _shares(place: int, part: Part, words: Words) -> Shares:
    sectors = tuple(Line(words.code(name).capitalize(), row) for name, row in part.by_sector.items())
    bars = [Bar(one.name, one.row["received_rate"], _say(one.row)) for one in sectors]
    title = words.title_of(part.family)
    return Shares(
        name=f"part-{place}",
        title=title,
        drawing=draw_bars(f"part-{place}", f"{title}: received of what was owed, by sector", bars, IN_2018_MARK),
        sectors=sectors,
        agencies=tuple(Line(words.name_of(name), row) for name, row in part.by_agency.items()),
        total=part.total,
    )


def _say(row: Shown) -> str:
    if row["received_rate"] is None:
        return "left out"
    return f"{row['received']:,} of {row['owed']:,} ({percent(row['received_rate'])})"
