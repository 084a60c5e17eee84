"""What a reader outside the parties is shown: no small count of others, and nothing from which to work one out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.core.releasing import find_gaps, release
from schemas.identifiers import agency_of
from schemas.rules.figures import Figures, tally
from schemas.rules.suppression import Line, two_way
from schemas.rules.units import DutyRow
from tests.rules.test_suppression import Attack

LEAST, NOW = 5, 10**12
SECTORS = {"north": "health", "south": "health", "force": "police"}
FAMILY = "minutes.full"
# What can become of a unit: received, sent and never taken, late, missing.
FATES = ("received", "untaken", "late", "missing")


def sector_of(name: str) -> str:
    return SECTORS[agency_of(name)]


def unit(number: int, agency: str, fate: str, week: int = 0, family: str = FAMILY) -> list[DutyRow]:
    """Return the duties of one record owed by the council to *agency*."""
    due = 1_000_000 + week * 7 * 86_400_000
    send = DutyRow(
        id=f"s{number}",
        kind="send",
        rule="full-minutes",
        thread=f"t{number}",
        family=family,
        debtor="council/chair",
        creditor=f"{agency}/desk",
        item="",
        due=due,
        state={"missing": "open", "late": "met_late"}.get(fate, "met"),
        settled_at={"missing": None, "late": due + 1}.get(fate, due),
        settled_by=None if fate == "missing" else f"e{number}",
        envelope="held",
    )
    receipt = send._replace(
        id=f"r{number}",
        kind="receipt",
        rule="full-received",
        debtor=f"{agency}/desk",
        creditor="council/chair",
        envelope=f"e{number}",
        due=due + 100,
        state="met" if fate == "received" else "open",
        settled_at=due + 50 if fate == "received" else None,
        settled_by="receipt" if fate == "received" else None,
    )
    return [send] if fate == "missing" else [send, receipt]


def figures(rows: list[DutyRow], keep: Callable[[DutyRow], bool] = lambda _: True) -> Figures:
    return tally(rows, (), NOW, sector_of, {row.family for row in rows}, keep=keep)


def many(counts: Mapping[tuple[str, str], int], week: int = 0, family: str = FAMILY, first: int = 0) -> list[DutyRow]:
    """Return as many units of each agency and fate as *counts* says."""
    wanted = [pair for pair, count in counts.items() for _ in range(count)]
    return [
        row for number, (agency, fate) in enumerate(wanted, first) for row in unit(number, agency, fate, week, family)
    ]


def told(rows: list[DutyRow], own: str = "nobody", family: str | None = FAMILY, shown: bool = True) -> dict[str, Any]:
    """Return what an agency is told of *rows*."""

    def is_own(mailbox: str) -> bool:
        return agency_of(mailbox) == own

    def is_others(row: DutyRow) -> bool:
        return not is_own(row.debtor) and not is_own(row.creditor)

    gaps = {
        name: find_gaps(figures([row for row in rows if row.family == name], is_others), sector_of, LEAST)
        for name in ({row.family for row in rows} if shown else ())
    }
    return release(figures(rows), figures(rows, is_others), gaps, family, is_own)


LARGE = {("north", "received"): 8, ("north", "missing"): 20, ("south", "received"): 30, ("force", "received"): 9}


def test_large_counts_are_shown_and_finer_ones_never() -> None:
    """Owed, sent, received and missing are sums of whole classes; what was opened or late would cut across them."""
    row = told(many(LARGE))["by_agency"]["north"]
    assert (row["owed"], row["sent"], row["received"], row["missing"], row["received_rate"]) == (28, 8, 8, 20, 0.2857)
    assert {name for name, value in row.items() if value is not None} == {
        "owed", "sent", "received", "missing", "received_rate",
    }  # fmt: skip


def test_a_small_count_goes_with_all_that_would_give_it_away() -> None:
    """Two missing at one agency: neither its own row, nor its sector, nor the other agency's row gives them back."""
    answer = told(many(LARGE | {("south", "missing"): 2}))
    assert answer["by_agency"]["south"]["missing"] is None
    gone = [
        answer["by_agency"]["north"]["missing"],
        answer["by_sector"]["health"]["missing"],
    ]
    assert None in gone
    assert answer["by_agency"]["force"]["received"] == 9


def test_a_rate_goes_with_the_count_that_it_would_give_away() -> None:
    """Three of thirty can't be read from 0.1."""
    row = told(many({("north", "received"): 3, ("north", "missing"): 27, ("south", "received"): 40}))["by_agency"][
        "north"
    ]
    assert (row["received"], row["received_rate"]) == (None, None)


def test_a_party_sees_its_own_whole_and_whoever_owes_is_one() -> None:
    """A row in which all is one's own is shown to the last column; the council owed everything here."""
    rows = many(LARGE | {("south", "missing"): 2})
    assert told(rows, "south")["by_agency"]["south"]["untaken"] == 0
    assert told(rows, "south")["by_agency"]["south"]["missing"] == 2
    assert msgspec.json.encode(told(rows, "council")) == msgspec.json.encode(figures(rows))


def test_what_one_knows_oneself_is_taken_off_first() -> None:
    """A week with six, five of them one's own, would show the one of somebody else."""
    rows = many({("south", "received"): 5}, week=1) + many({("north", "received"): 1}, week=1, first=100)
    rows += many({("north", "received"): 20, ("south", "received"): 20}, week=2, first=200)
    weeks = told(rows, "south")["by_week"]
    assert [row["received"] for row in weeks.values()] == [None, None]
    assert told(rows, "council")["by_week"]["1970-W02"]["received"] == 6


def test_only_ones_own_waits_are_listed() -> None:
    """Who waits for what from whom is nobody else's to know."""
    rows = many({("north", "missing"): 2, ("south", "untaken"): 1})
    assert len(told(rows, "north")["missing"]) == 2
    assert told(rows, "north")["untaken"] == []
    assert told(rows, "south")["missing"] == []
    assert told(rows)["untaken"] == []


def test_variants_are_shown_where_they_are_sums_of_what_is() -> None:
    """Received by the deadline, and sent; the others cut across, and so have no counts."""
    shown = {one["name"]: (one["count"], one["of"]) for one in told(many(LARGE))["variants"] if one["of"] is not None}
    assert shown == {"received_by_deadline": (47, 67), "sent_or_met_elsewhere": (47, 67)}
    hidden = told(many({("north", "received"): 3}))["variants"]
    assert {(one["count"], one["of"], one["rate"]) for one in hidden} == {(None, None, None)}
    assert all(one["definition"] for one in hidden)


def test_types_are_kept_apart() -> None:
    """Without one type asked for, only each type's total is shown: their sum would be one more way to subtract."""
    rows = many(LARGE) + many({("north", "received"): 3}, family="minutes.decisions", first=500)
    answer = told(rows, family=None)
    assert answer["by_type"]["minutes.full"]["owed"] == 67
    assert answer["by_type"]["minutes.decisions"]["owed"] is None
    assert answer["total"]["owed"] is None
    assert {row["owed"] for row in answer["by_agency"].values()} == {None}


def test_where_others_may_not_be_shown_at_all_only_ones_own_is() -> None:
    """Periods and filters that overlap others could be subtracted."""
    answer = told(many(LARGE), "force", shown=False)
    assert answer["by_agency"]["force"]["owed"] == 9
    assert answer["by_agency"]["north"]["owed"] is None
    assert answer["by_type"][FAMILY]["owed"] is None


counts = st.dictionaries(st.tuples(st.sampled_from(sorted(SECTORS)), st.sampled_from(FATES)), st.integers(0, 9))


@settings(max_examples=60, deadline=None)
@given(counts, counts, st.sampled_from(["nobody", "north", "force"]))
def test_no_small_count_of_others_can_be_worked_out(
    first: dict[tuple[str, str], int], second: dict[tuple[str, str], int], own: str
) -> None:
    """The gaps hold against an attacker who knows its own records; and what is shown is nothing but the sums."""
    rows = many(first, week=0) + many(second, week=1, first=1_000)
    others = {
        (agency, fate, week): count
        for week, part in enumerate((first, second))
        for (agency, fate), count in part.items()
        if agency != own
    }
    classes = (("received",), ("untaken", "late"), ("missing",), ())

    def tell(name: str, fits: Callable[[str, int], bool], *parts: Line) -> Line:
        amounts = [
            sum(count for (agency, fate, week), count in others.items() if fate in fates and fits(agency, week))
            for fates in classes
        ]
        return Line(name, tuple(amounts), parts)

    lines = [
        tell(
            f"sector {sector}",
            lambda agency, _, sector=sector: SECTORS[agency] == sector,
            *(
                tell(f"agency {one}", lambda agency, _, one=one: agency == one)
                for one in SECTORS
                if SECTORS[one] == sector
            ),
        )
        for sector in ("health", "police")
    ]
    weeks = [tell(f"week 1970-W0{week + 1}", lambda _, at, week=week: at == week) for week in (0, 1)]
    cells = two_way(("received", "unreceived", "missing", "waiting"), lines, weeks)
    answer = told(rows, own)
    gaps = find_gaps(figures(rows, lambda row: agency_of(row.creditor) != own), sector_of, LEAST)
    small = [cell for cell in cells if 0 < cell.amount < LEAST and cell.name[0]]
    attack = Attack(cells, gaps)
    for cell in small:
        row, column = cell.name
        group, _, name = row.partition(" ")
        assert attack.bounds(cell.name)[1] >= LEAST
        if column in ("received", "missing", ""):
            assert answer[f"by_{group}"][name][column or "owed"] is None
