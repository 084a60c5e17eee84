"""``GET /v1/reports/receipts`` and ``GET /v1/reports/duties``: what was owed and what became of it, as JSON or CSV.

The partnership sees everything.  An agency sees whole what it is a party to; of receipts owed between others it sees
counts, but none that is small or could be used to work a small one out, because few records can point to a child.

Source: protocol 9; domain 8 and 9.7.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from aiohttp import web

from hub import reports
from hub.core.statistics import Period
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.problems import invalid
from hub.web.requests import check_query, integer, optional, reply

GROUPS: Final = ("agency", "sector", "type", "week", "variant")


async def report_receipts(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer owed, sent, collected, filed, opened, acknowledged, late and missing of what fell due in a period."""
    check_query(request, "from", "to", "by", "type", "sector")
    period = _period(request)
    by, family = optional(request, "by", "text") or "agency", optional(request, "type", "text")
    if by not in GROUPS:
        raise invalid(f"`by` isn't one of {', '.join(GROUPS)}")
    asked = reports.Question(period, frozenset({family} if family else ()), optional(request, "sector", "text"))
    snapshot, now = hub.registry.snapshot, hub.clock()
    readers = reports.readers_of(snapshot, caller, now)
    tell = await reports.count_period(hub.store, asked, snapshot, now)
    # Counting a large county's year takes a while, and other callers wait for nobody's report.
    figures = await asyncio.to_thread(reports.report_receipts, tell, asked, snapshot, now, readers)
    answer = as_json(figures, period, now, by)
    return _answer(request, answer, partial(as_csv, answer, by))


async def report_duties(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer how the duties went that messages of a type open, rule by rule."""
    check_query(request, "from", "to", "type", "rule")
    period, family, rule = _period(request), optional(request, "type", "text"), optional(request, "rule", "text")
    if family is None:
        raise invalid("`type` is missing", "name the type of message whose rules are meant, such as `referral`")
    snapshot, now = hub.registry.snapshot, hub.clock()
    rules = reports.rules_on(snapshot, family)
    chosen = {name: because for name, because in rules.items() if rule in (None, name)}
    readers = reports.readers_of(snapshot, caller, now)
    told = await reports.report_duties(hub.store, period, chosen, now, readers)
    answer = {"from": period.start, "to": period.end, "at": now, "type": family, **told}
    return _answer(request, answer, partial(duties_as_csv, answer))


def _period(request: web.Request) -> Period:
    period = Period(integer(request, "from"), integer(request, "to"))
    if period.start >= period.end:
        raise invalid("`to` isn't after `from`")
    return period


def _answer(request: web.Request, answer: dict[str, Any], as_text: partial[str]) -> web.Response:
    if "text/csv" in request.headers.get("Accept", ""):
        return web.Response(text=as_text(), content_type="text/csv")
    return reply(answer)


def as_json(figures: Mapping[str, Any], period: Period, now: int, by: str) -> dict[str, Any]:
    """Return the report: period, moment, the rows asked for, and everything else that was counted."""
    rows = {one["name"]: one for one in figures["variants"]} if by == "variant" else figures[f"by_{by}"]
    return {"from": period.start, "to": period.end, "at": now, "by": by, "rows": rows, **figures}


def as_csv(report: Mapping[str, Any], by: str) -> str:
    """Return the rows asked for as CSV, with the total last; of variants, each with its definition."""
    if by == "variant":
        return _write(["name", "count", "of", "rate", "definition"], report["rows"].values())
    rows = [{by: name, **row} for name, row in (*report["rows"].items(), ("total", report["total"]))]
    return _write([by, *report["total"]], rows)


def duties_as_csv(report: Mapping[str, Any]) -> str:
    """Return one row for each rule and agency that owes, with the rule's total last, as CSV."""
    rows = [
        {"rule": one["rule"], "agency": agency, **row}
        for one in report["rules"]
        for agency, row in (*one["by_agency"].items(), ("total", one["total"]))
    ]
    return _write(["rule", "agency", *report["definitions"]], rows)


def _write(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if row[column] is None else row[column] for column in columns] for row in rows)
    return out.getvalue()
