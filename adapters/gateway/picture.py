"""The aggregated picture of intelligence: how much there is, of what kind, how far it has come; nothing of any item.

Counted from the messages that the gateway holds and from the headers of what was sent about them.  Small counts are
left out with whatever would give them away, so that the result may go into a digest for all partners.

Source: domain 2 (systems 2 and 3), 9.7 and 11 (risks 17, 24).
"""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters.errors import GatewayError
from adapters.gateway.agent import open_gateway
from adapters.gateway.context import Gateway
from adapters.gateway.filing import read_content
from adapters.gateway.spool import family_range
from adapters.gateway.watch import header_of
from schemas.envelope import Header
from schemas.identifiers import Moment, agency_of, family_of
from schemas.rules.clocks import OpenDays, day_of
from schemas.rules.periods import days_of, month_of
from schemas.rules.suppression import TOTAL, Line, Table, one_way, suppress

GROUPS: Final = ("month", "stage", "theme", "agency")
NOT_NAMED: Final = "not_named"
NOT_HERE: Final = "content_not_here_any_more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type that is counted: where it begins, what names it, and which answer with which variant is which stage."""

    begins: str
    named_by: str
    stages: Mapping[tuple[str, str], str]


# In the order in which an item goes through them; it counts at the last that it reached.
KINDS: Final[Mapping[str, Kind]] = {
    "intel.item": Kind(
        begins="collected",
        named_by="item_id",
        stages={("intel.action", stage): stage for stage in ("shared", "analysed", "acted_on", "no_action")},
    ),
    "info.report": Kind(
        begins="received",
        named_by="report_id",
        stages={
            ("info.report.ack", ""): "acknowledged",
            ("info.report.query", ""): "queried",
            ("info.report.outcome", "interim"): "interim_outcome",
            ("info.report.outcome", "final"): "outcome",
        },
    ),
}


class Item(NamedTuple):
    """One item as it is counted: by the month in which it was written down, its stage, its themes, and who sent it."""

    month: str
    stage: str
    themes: tuple[str, ...]
    agency: str


def draw(items: Collection[Item], stages: Iterable[str], least: int) -> dict[str, Any]:
    """Return counts of *items* in all and by each group; ``None`` where one is left out.

    *stages* are all listed, also those that nothing has reached; a theme counts each item that has it.
    """
    counts: dict[str, Counter[str]] = {
        "month": Counter(item.month for item in items),
        "stage": Counter(dict.fromkeys(stages, 0)),
        "theme": Counter(theme for item in items for theme in item.themes),
        "agency": Counter(item.agency for item in items),
    }
    counts["stage"].update(item.stage for item in items)
    tables = [
        Table([Line(f"{group} {name}", (amount,)) for name, amount in sorted(counts[group].items())], group == "theme")
        for group in GROUPS
    ]
    hidden = suppress(one_way(len(items), *tables), least)
    return {"total": None if TOTAL in hidden else len(items)} | {
        f"by_{group}": {
            name: None if (f"{group} {name}", "") in hidden else amount
            # Stages in their own order, the rest by name.
            for name, amount in (counts[group].items() if group == "stage" else sorted(counts[group].items()))
        }
        for group in GROUPS
    }


async def picture(options: Namespace) -> dict[str, Any] | list[str]:
    """Count what the gateway holds of one type that was written down in a period."""
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        agreement = gateway.partnership.books.rules_at(gateway.clock()).agreement
        days, kind = days_of(agreement), KINDS[options.type]
        start, end = _moment(options.start, days), _moment(options.end, days)
        items = await find_items(gateway, options.type, start, end, days)
        told = {
            "type": options.type, "from": options.start, "to": options.end,
            **draw(items, (kind.begins, *kind.stages.values()), agreement.suppress_below),
            "suppressed_below": agreement.suppress_below,
        }  # fmt: skip
    if options.json:
        return told
    return _as_csv(told) if options.csv else _as_text(told)


async def find_items(gateway: Gateway, family: str, start: Moment, end: Moment, days: OpenDays) -> list[Item]:
    """Return each item of *family* once, its newest version, that was written down from *start* on and before *end*.

    What is under embargo isn't counted until it ends: nobody may learn that it is there.
    """
    kind, found = KINDS[family], dict[str, Item]()
    rows = [(header_of(row), row) for row in await gateway.spool.all("headers_of_family", **family_range(family))]
    replaced = {header.supersedes for header, _ in rows}
    for header, listed in rows:
        if header.id in replaced or not start <= header.at < end:
            continue
        row = await gateway.spool.one("find_incoming", envelope=header.id, mailbox=listed["mailbox"])
        message = read_content(gateway, row).message if row is not None and row["content"] is not None else {}
        found[message.get(kind.named_by, header.id)] = Item(
            month=month_of(days, header.at),
            stage=_stage(header, kind, await _headers(gateway, header.thread)),
            themes=tuple(message.get("themes", (NOT_HERE,))),
            agency=agency_of(header.from_) if message.get("attributable") else NOT_NAMED,
        )
    return list(found.values())


async def _headers(gateway: Gateway, thread: str) -> list[Header]:
    queries = ("headers_sent", "headers_received")
    return [header_of(row) for query in queries for row in await gateway.spool.all(query, thread=thread)]


def _stage(item: Header, kind: Kind, others: Sequence[Header]) -> str:
    reached = {(family_of(one.type), one.facts.get("variant", "")) for one in others if one.re in (None, item.id)}
    return [kind.begins, *(stage for answer, stage in kind.stages.items() if answer in reached)][-1]


def _moment(text: str, days: OpenDays) -> Moment:
    try:
        return days.moment(day_of(text), 0)
    except ValueError as error:
        raise GatewayError("picture-date", "that is no date", "write it as 2026-07-01") from error


def _as_csv(told: Mapping[str, Any]) -> list[str]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("group", "name", "count"))
    writer.writerows((group, name, "" if amount is None else amount) for group, name, amount in _lines(told))
    return out.getvalue().splitlines()


def _as_text(told: Mapping[str, Any]) -> list[str]:
    least = told["suppressed_below"]
    return [
        f"{told['type']} from {told['from']} until {told['to']}",
        *(f"{group}  {name}: {'left out' if amount is None else amount}" for group, name, amount in _lines(told)),
        f"Left out: counts under {least}, and those that would give them away. An item may have several themes.",
    ]


def _lines(told: Mapping[str, Any]) -> list[tuple[str, str, int | None]]:
    return [
        ("all", "total", told["total"]),
        *((group, name, amount) for group in GROUPS for name, amount in told[f"by_{group}"].items()),
    ]
