"""The audit's question answered from the log's leaves: owed, sent, taken, late and missing.

Source: protocol 5 (the clear figures); domain 8.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from schemas.directory import DirectoryIndex
from schemas.identifiers import Moment, agency_of
from schemas.rules.clocks import OpenDays
from schemas.rules.counting import Keep
from schemas.rules.figures import Figures, tally
from schemas.rules.periods import UTC
from schemas.rules.units import DutyRow, Taken


class Rows(NamedTuple):
    """What the figures are made from."""

    duties: tuple[DutyRow, ...]
    taken: tuple[Taken, ...]


class Period(NamedTuple):
    """Duties that fall due from ``start`` on and before ``end``."""

    start: Moment
    end: Moment


def rows_from_leaves(leaves: Iterable[Mapping[str, Any]]) -> Rows:
    """Return every duty and receipt that *leaves*, in the log's order, tell of."""
    duties: dict[str, DutyRow] = {}
    taken: list[Taken] = []
    for leaf in leaves:
        event = leaf["event"]
        if event == "obligation-opened":
            duties[leaf["obligation"]] = _opened(leaf)
        elif event == "obligation-settled":
            duties[leaf["obligation"]] = duties[leaf["obligation"]]._replace(
                state=leaf["outcome"], settled_at=leaf.get("met_at", leaf["at"]), settled_by=leaf.get("by")
            )
        elif event == "obligation-reopened":
            duties[leaf["obligation"]] = duties[leaf["obligation"]]._replace(
                state="open", settled_at=None, settled_by=None
            )
        elif event == "receipt-accepted":
            taken.append(Taken(leaf["envelope"], leaf["mailbox"], leaf["level"], leaf["at"]))
    return Rows(tuple(duties.values()), tuple(taken))


def _opened(leaf: Mapping[str, Any]) -> DutyRow:
    return DutyRow(
        id=leaf["obligation"],
        kind=leaf["kind"],
        rule=leaf["rule"],
        thread=leaf["thread"],
        family=leaf["type"],
        debtor=leaf["mailbox"],
        creditor=leaf["creditor"],
        item=leaf.get("item", ""),
        due=leaf["due"],
        state="open",
        settled_at=None,
        settled_by=None,
        envelope=leaf.get("envelope"),
    )


def count(
    rows: Rows,
    period: Period,
    index: DirectoryIndex,
    now: Moment,
    families: Collection[str] = (),
    days: OpenDays = UTC,
    keep: Keep = lambda _: True,
) -> Figures:
    """Return the figures at *now* for *families* (every type, when none is named) that fall due in *period*.

    *days*: in whose weeks; *keep*: which units count.
    """
    sends = [row for row in rows.duties if row.kind == "send"]

    def is_asked(row: DutyRow) -> bool:
        return period.start <= row.due < period.end

    asked = [row for row in sends if is_asked(row)]
    # What recurs was met by a message in another thread.
    met = {row.settled_by for row in asked}
    taking = [row for row in rows.duties if row.kind == "receipt"]
    threads = {row.thread for row in asked} | {row.thread for row in taking if row.envelope in met}
    # Who else is owed it is asked of the whole thread, whenever that fell due.
    around = [row for row in rows.duties if row.thread in threads]
    chosen = families or {row.family for row in asked}
    return tally(around, rows.taken, now, sector_of(index), chosen, days, keep, is_asked)


def sector_of(index: DirectoryIndex) -> Callable[[str], str]:
    """Return the function that says to which sector a mailbox or an agency counts: the first role of the agency."""

    def find(name: str) -> str:
        agency = index.find_agency(agency_of(name))
        return agency.roles[0] if agency and agency.roles else "none"

    return find
