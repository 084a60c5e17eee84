"""Are minutes reaching people? What was received of what was owed, over months, by agency, sector and type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from aiohttp import web
from markupsafe import Markup

from hub import overview
from hub.figures import Maker
from hub.overview import IN_2018, Choice, Overview
from hub.web.console.charts import Bar, Mark, Series, draw_bars, draw_lines, percent
from hub.web.console.frame import Console, NotHereError, Visit, Words
from schemas.rules.figures import COLUMNS, Row
from schemas.rules.periods import name_of_month, parse_month

# What a person sees first: the kinds of minutes, and a year up to this month.
FIRST_TYPE: Final = "minutes"
EVERY_TYPE: Final = "every"
MONTHS: Final = 12
MOST_MONTHS: Final = 36
SHOWN: Final = ("owed", "sent", "received", "received_rate", "late", "missing", "untaken", "pending")
IN_2018_MARK: Final = Mark(IN_2018, "25% received in 2018")
_NAMES: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                 "November", "December")  # fmt: skip


class Asked(NamedTuple):
    """What the address asks for: the first month and the last, included, and which of what fell due in them."""

    first: int
    last: int
    type: str
    choice: Choice


class Line(NamedTuple):
    """One row of a table: its name and the counts."""

    name: str
    row: Row


def say_month(month: int) -> str:
    """Return a month in words: ``July 2026``."""
    return f"{_NAMES[month % 12]} {month // 12}"


def read_month(text: str | None, otherwise: int) -> int:
    """Return the month that an address names, such as ``2026-07``.

    Raises:
        NotHereError: there is no such month.
    """
    if not text:
        return otherwise
    month = parse_month(text)
    if month is None:
        raise NotHereError
    return month


def read_period(request: web.Request, this: int) -> tuple[int, int]:
    """Return the first month and the last that an address asks for; a year up to *this* one where it names none.

    Raises:
        NotHereError: there are no such months, or too many.
    """
    last = read_month(request.query.get("to"), this)
    first = read_month(request.query.get("from"), last - MONTHS + 1)
    if not 0 <= last - first < MOST_MONTHS:
        raise NotHereError
    return first, last


async def show_figures(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer the figures of the months that are asked for."""
    del visit
    snapshot, now = console.hub.registry.snapshot, console.now()
    maker = Maker.of(snapshot, now)
    asked = _read(request, console, overview.month_at(maker, now))
    months = await overview.read_months(console.hub.store, snapshot, asked.first, asked.last + 1, now)
    found = overview.oversee(months.rows, asked.choice, maker.sector_of)
    words = console.words()
    context = {
        "asked": asked, "months": months, "total": found.total, "in_2018": IN_2018, "percent": percent,
        "name_of_month": name_of_month, "say_month": say_month, "columns": COLUMNS, "shown": SHOWN,
        "parts": _parts(asked, found, words), "agencies": snapshot.directory.directory.agencies,
        "sectors": sorted({maker.sector_of(one.id) for one in snapshot.directory.directory.agencies}),
        "types": sorted({one.family for one in months.rows}, key=words.title_of),
    }  # fmt: skip
    return console.show(request, "figures.html", context)


def _read(request: web.Request, console: Console, this: int) -> Asked:
    query = request.query
    first, last = read_period(request, this)
    kind, agency, sector = query.get("type", FIRST_TYPE), query.get("agency", ""), query.get("sector", "")
    known = kind in (FIRST_TYPE, EVERY_TYPE) or kind in console.titles
    if not known or (agency and console.hub.registry.snapshot.directory.find_agency(agency) is None):
        raise NotHereError
    return Asked(first, last, kind, Choice("" if kind == EVERY_TYPE else kind, agency, sector))


class Part(NamedTuple):
    """A chart with the table beside it."""

    name: str
    title: str
    first_column: str
    drawing: Markup
    lines: tuple[Line, ...]


def _parts(asked: Asked, found: Overview, words: Words) -> list[Part]:
    """Return each chart of the page with the table that it is drawn from."""
    months = range(asked.first, asked.last + 1)
    nothing = [month for month in months if month not in found.by_month]
    lines = tuple(Line(say_month(month), found.by_month[month]) for month in months if month not in nothing)
    shares = Series("Received of what was owed", [_share(found.by_month.get(month)) for month in months])
    over_time = draw_lines(
        "by-month", "Received of what was owed, by month in which it fell due", [_short(month) for month in months],
        [shares], IN_2018_MARK,
    )  # fmt: skip
    return [
        Part("by-month", "Month by month", "Due in", over_time, lines),
        _bars("by-agency", "By agency that is owed it", "Agency", found.by_agency, words.name_of),
        _bars("by-sector", "By sector", "Sector", found.by_sector, lambda name: words.code(name).capitalize()),
        _bars("by-type", "By type", "Type", found.by_type, words.title_of),
        _bars("by-debtor", "By agency that owes it", "Agency", found.by_debtor, words.name_of),
    ]


def _bars(name: str, title: str, first_column: str, rows: Mapping[str, Row], say: Callable[[str], str]) -> Part:
    lines = tuple(sorted((Line(say(key), row) for key, row in rows.items()), key=_worst_first))
    bars = [Bar(line.name, line.row.received_rate, say_share(line.row)) for line in lines if line.row.owed]
    drawing = draw_bars(name, f"Received of what was owed, {title[0].lower()}{title[1:]}", bars, IN_2018_MARK)
    return Part(name, title, first_column, drawing, lines)


def _worst_first(line: Line) -> tuple[float, str]:
    rate = line.row.received_rate
    return (2.0 if rate is None else rate), line.name


def say_share(row: Row) -> str:
    """Return what was received of what was owed in words: ``8 of 32 (25%)``."""
    return f"{row.received:,} of {row.owed:,} ({percent(row.received_rate)})"


def _share(row: Row | None) -> float | None:
    return row.received_rate if row else None


def _short(month: int) -> str:
    return f"{_NAMES[month % 12][:3]} {month // 12 % 100:02}"
