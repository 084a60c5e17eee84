"""Coverage: which agencies are on the hub, who is never invited, who never answers, and what is held how often."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from hub import coverage, overview
from hub.coverage import SILENT_AFTER
from hub.figures import Maker
from hub.store.transaction import Transaction
from hub.web.console.charts import percent
from hub.web.console.figure_pages import Line, read_period, say_month, say_share
from hub.web.console.frame import Console, Visit
from schemas.rules.figures import COLUMNS
from schemas.rules.periods import name_of_month

OWING: Final = ("owed", "sent", "late", "missing", "pending", "elsewhere")
STANDINGS: Final = {
    "on": ("ok", "on the hub"),
    "silent": ("alarm", "silent"),
    "never-seen": ("note", "never called"),
    "not-enrolled": ("none", "not on the hub"),
}


async def show_coverage(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer who is covered by the figures of some months, and who isn't."""
    del visit
    snapshot, now = console.hub.registry.snapshot, console.now()
    first, last = read_period(request, overview.month_at(Maker.of(snapshot, now), now))
    months = await overview.read_months(console.hub.store, snapshot, first, last + 1, now)

    def look(tx: Transaction) -> dict[str, Any]:
        found = coverage.members(snapshot, tx.agencies_seen(), now)
        return {
            "members": sorted(found, key=lambda one: (one.is_on, one.agency)),
            "invited": coverage.invited(tx.named(first, last + 1), [one.agency for one in found]),
            "rhythms": list(coverage.rhythms(tx, snapshot, now)),
        }

    context = await console.hub.store.read(look)
    words = console.words()
    on = {one.agency for one in context["members"] if one.is_on}
    by_debtor = overview.group(months.rows, lambda one: one.debtor)
    context |= {
        "months": months, "first": first, "last": last, "name_of_month": name_of_month, "say_month": say_month,
        "say_share": say_share, "percent": percent, "columns": COLUMNS, "owing": OWING, "standings": STANDINGS,
        "silent_hours": SILENT_AFTER // 3_600_000,
        "effects": [one for one in coverage.effects(months.rows, on) if one.whole.owed],
        "debtors": sorted(
            (Line(words.name_of(name), row) for name, row in by_debtor.items() if row.owed), key=_seldom_first
        ),
        "answered": [
            Line(f"{words.name_of(agency)}: {words.title_of(family)}", row)
            for (family, agency), row in sorted(coverage.answered(months.rows).items())
        ],
    }  # fmt: skip
    return console.show(request, "coverage.html", context)


def _seldom_first(line: Line) -> tuple[float, str]:
    return line.row.sent / line.row.owed, line.name
