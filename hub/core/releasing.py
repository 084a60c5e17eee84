"""What of the audit's figures is shown to a reader who is not a party to all that they count.

What a reader is a party to it knows, so that it is taken off before small counts are looked for: only others' counts
are suppressed.  Each record is counted in one of four classes, and only counts that are sums of whole classes are
shown: any finer count would let the small ones be worked out.

Source: domain 9.7; docs/decisions/suppression.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from schemas.identifiers import MailboxId
from schemas.rules.figures import Figures, Row
from schemas.rules.suppression import Line, Name, suppress, two_way

# Received by the deadline; sent and not; past due and not sent; the rest, with which nobody is late.
CLASSES: Final = ("received", "unreceived", "missing", "waiting")
_MADE_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "owed": ("",),
    "sent": ("received", "unreceived"),
    "received": ("received",),
    "missing": ("missing",),
    "received_rate": ("", "received"),
}
# The variants that are sums of whole classes, by the count that each is.
_VARIANTS: Final = {"received_by_deadline": "received", "sent_or_met_elsewhere": "sent"}

Gaps = frozenset[Name]


def find_gaps(others: Figures, sector_of: Callable[[str], str], least: int) -> Gaps:
    """Return what to leave out of the tables of one type, of which *others* counts what the reader isn't a party to."""
    sectors = [
        Line(
            f"sector {sector}",
            _classes(row),
            tuple(
                Line(f"agency {agency}", _classes(part))
                for agency, part in others.by_agency.items()
                if sector_of(agency) == sector
            ),
        )
        for sector, row in others.by_sector.items()
    ]
    weeks = [Line(f"week {week}", _classes(row)) for week, row in others.by_week.items()]
    return suppress(two_way(CLASSES, sectors, weeks), least)


def _classes(row: Row) -> tuple[int, ...]:
    return row.received, row.sent - row.received, row.missing, row.owed - row.sent - row.missing


def release(
    whole: Figures,
    others: Figures,
    gaps: Mapping[str, Gaps],
    family: str | None,
    is_own: Callable[[MailboxId], bool],
) -> dict[str, Any]:
    """Return *whole* as plain values, without what is not the reader's to see.

    *others*: what it is not a party to; *gaps*: of each type, what to leave out, where anything of others may be shown
    at all; *family*: the one type that was asked about; *is_own*: which mailboxes are the reader's.
    """
    told: dict[str, Any] = msgspec.to_builtins(whole)
    here = gaps.get(family or "")
    told["total"] = _show(told["total"], others.total, "", here)
    for group in ("agency", "sector", "week"):
        rest: Mapping[str, Row] = getattr(others, f"by_{group}")
        told[f"by_{group}"] = {
            name: _show(row, rest.get(name), f"{group} {name}", here) for name, row in told[f"by_{group}"].items()
        }
    told["by_type"] = {
        name: _show(row, others.by_type.get(name), "", gaps.get(name)) for name, row in told["by_type"].items()
    }
    if not _is_own(others.total):
        told["variants"] = [_show_variant(variant, told["total"]) for variant in told["variants"]]
    for waits in ("missing", "untaken"):
        told[waits] = [one for one in told[waits] if is_own(one["debtor"]) or is_own(one["creditor"])]
    return told


def _is_own(others: Row | None) -> bool:
    return others is None or not (others.owed or others.waived)


def _show(row: dict[str, Any], others: Row | None, name: str, gaps: Gaps | None) -> dict[str, Any]:
    if _is_own(others):
        return row
    shown = {
        column
        for column, classes in _MADE_OF.items()
        if gaps is not None and not any((name, each) in gaps for each in classes)
    }
    return {column: value if column in shown else None for column, value in row.items()}


def _show_variant(variant: dict[str, Any], total: Mapping[str, Any]) -> dict[str, Any]:
    count = total.get(_VARIANTS.get(variant["name"], ""))
    known = count is not None and total["owed"] is not None
    return variant | ({} if known else {"count": None, "of": None, "rate": None})
