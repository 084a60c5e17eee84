"""A unit of any period as a sum of spans: the same as looking at the period anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.rules.counting import facts_at
from schemas.rules.figures import count_records
from schemas.rules.spreading import NEVER_RECEIVED, NOT_RECEIVED, OWED, Spans, spread, spread_scope
from schemas.rules.units import DutyRow, Unit, find_units, rank_units

STATES = ("open", "met", "met_late", "met_elsewhere", "waived")


def _duty(number: int, case: tuple[int, str, int]) -> DutyRow:
    creditor, state, day = case
    settled = state in ("met", "met_late")
    return DutyRow(
        id=f"{number}", kind="send", rule=f"rule-{number}", thread="t", family="minutes.full", debtor="chair/team",
        creditor=f"agency-{creditor}/team", item="", due=day, state=state, settled_at=day if settled else None,  # type: ignore[arg-type]
        settled_by=f"e{number % 3}" if settled else None, envelope="held",
    )  # fmt: skip


def _receipt(number: int, creditor: int, state: str) -> DutyRow:
    return _duty(number, (creditor, "open", number % 7))._replace(
        id=f"r{number}", kind="receipt", debtor=f"agency-{creditor}/team", envelope=f"e{number % 3}",
        state=state, settled_at=number % 7 if state == "met" else None,
    )  # type: ignore[arg-type]  # fmt: skip


rows = st.builds(
    lambda sends, receipts: [
        *(_duty(number, case) for number, case in enumerate(sends)),
        *(_receipt(number, *case) for number, case in enumerate(receipts)),
    ],
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(STATES), st.integers(0, 6)), max_size=8),
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["open", "met"])), max_size=6),
)


def _inside(spans: Spans, low: int, high: int) -> tuple[dict[tuple[str, int], int], dict[int, int]]:
    units: dict[tuple[str, int], int] = {}
    for (first, last, part), times in spans.units.items():
        if low <= first and last <= high:
            units[part.creditor, part.facts] = units.get((part.creditor, part.facts), 0) + times
    records = {OWED: 0, NOT_RECEIVED: 0, NEVER_RECEIVED: 0}
    for (first, last, record), times in spans.records.items():
        if record.sector == "" and low <= first and last <= high:
            records[record.fact] += times
    return {key: times for key, times in units.items() if times}, records


@given(rows, st.integers(0, 6), st.integers(0, 6))
def test_spans_add_up_to_what_is_counted_anew(found: list[DutyRow], one: int, other: int) -> None:
    """Whichever days a period has, with several duties to the same unit due on several of them."""
    low, high = min(one, other), max(one, other)
    units = find_units(found, (), {"minutes.full"}, lambda row: low <= row.due <= high)
    spans = spread_scope(rank_units(found, ()), lambda at: at, lambda agency: "health")
    counted, records = _inside(spans, low, high)
    expected: dict[tuple[str, int], int] = {}
    for unit in units:
        key = unit.send.creditor, facts_at(unit, 10_000)
        expected[key] = expected.get(key, 0) + 1
    assert counted == expected
    told = count_records(unit for unit in units if _is_owed(unit))
    assert (records[OWED], records[OWED] - records[NOT_RECEIVED], records[OWED] - records[NEVER_RECEIVED]) == told


def _is_owed(unit: Unit) -> bool:
    return unit.send.state != "waived"


def test_one_day_needs_one_span() -> None:
    """Nearly all units are so; nothing is stored for days on which nothing changes."""
    assert dict(spread([5], lambda low, high: ["x"])) == {(5, 5, "x"): 1}
    assert dict(spread([], lambda low, high: ["x"])) == {}


def test_what_speaks_on_two_days_is_taken_off_once() -> None:
    """The better duty alone speaks where both are inside, each where it is alone."""
    spans = spread([1, 4], lambda low, high: ["good" if high == 4 else "bad"])
    assert dict(spans) == {(1, 1, "bad"): 1, (4, 4, "good"): 1, (1, 4, "bad"): -1}
