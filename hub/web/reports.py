"""``GET /v1/reports/receipts``: the audit figure at any moment, as JSON or CSV.

Whoever is not the partnership sees its own agency whole; of the others, a count below five is left out, because few
records can point to a child.

Source: protocol 9; domain 8.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from hub import reports
from hub.core import statistics
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.problems import invalid
from hub.web.requests import check_query, integer, optional, reply
from schemas.identifiers import MailboxId, agency_of

FEW: Final = 5
GROUPS: Final = ("agency", "sector", "type")


async def report_receipts(hub: Hub, request: web.Request, caller: Caller) -> web.Response:
    """Answer owed, sent, collected, filed, opened, acknowledged, late and missing of what fell due in a period."""
    check_query(request, "from", "to", "by", "type")
    period = statistics.Period(integer(request, "from"), integer(request, "to"))
    by, family = optional(request, "by", "text") or "agency", optional(request, "type", "text")
    if by not in GROUPS or period.start >= period.end:
        raise invalid("`by` isn't agency, sector or type, or `to` isn't after `from`")
    snapshot, now = hub.registry.snapshot, hub.clock()
    rows = await hub.store.read(lambda tx: reports.rows_from_store(tx, period))
    figures = statistics.count(rows, period, snapshot.directory, now, {family} if family else ())
    whole = reports.visible_to(snapshot, caller, now)
    answer = as_json(msgspec.to_builtins(figures), period, now, by)
    if whole is not None:
        answer = suppress(answer, whole, caller.mailbox)
    if "text/csv" in request.headers.get("Accept", ""):
        return web.Response(text=as_csv(answer, by), content_type="text/csv")
    return reply(answer)


def as_json(figures: dict[str, Any], period: statistics.Period, now: int, by: str) -> dict[str, Any]:
    """Return the report: period, moment, the rows asked for, and everything else that was counted."""
    return {"from": period.start, "to": period.end, "at": now, "by": by, "rows": figures[f"by_{by}"], **figures}


def as_csv(report: Mapping[str, Any], by: str) -> str:
    """Return the rows asked for, with the total last, as CSV."""
    names = list(report["total"])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([by, *names])
    for name, row in (*report["rows"].items(), ("total", report["total"])):
        writer.writerow([name, *("" if row.get(column) is None else row[column] for column in names)])
    return out.getvalue()


def suppress(report: dict[str, Any], whole: Callable[[str], bool], mailbox: MailboxId | None = None) -> dict[str, Any]:
    """Return *report* without what is not the reader's: others' small counts, and who waits for what from whom.

    *whole*: the agencies that the reader sees whole; *mailbox*: the one that it sees beside them.
    """

    def mine(entry: Mapping[str, Any]) -> bool:
        return any(box == mailbox or whole(agency_of(box)) for box in (entry["debtor"], entry["creditor"]))

    hidden = {
        **report,
        "total": _coarse(report["total"]),
        "variants": [
            variant | {"count": None, "rate": None} if variant["count"] < FEW else variant
            for variant in report["variants"]
        ],
        "missing": [entry for entry in report["missing"] if mine(entry)],
        "untaken": [entry for entry in report["untaken"] if mine(entry)],
        "by_agency": {name: row if whole(name) else _coarse(row) for name, row in report["by_agency"].items()},
        "by_sector": {name: _coarse(row) for name, row in report["by_sector"].items()},
        "by_type": {name: _coarse(row) for name, row in report["by_type"].items()},
        "suppressed_below": FEW,
    }
    return hidden | {"rows": hidden[f"by_{report['by']}"]}


def _coarse(row: Mapping[str, Any]) -> dict[str, Any]:
    small = any(isinstance(value, int) and 0 < value < FEW for value in row.values())
    # A rate beside its whole gives the part away, so it goes with any count that goes.
    return {
        name: None if (isinstance(value, int) and 0 < value < FEW) or (small and isinstance(value, float)) else value
        for name, value in row.items()
    }
