"""Small counts can't be worked out: an attacker who uses every published sum finds each of them wide open."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Hashable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rules.suppression import TOTAL, Cell, Line, Name, Table, one_way, suppress, two_way

LEAST = 5
# What an attacker takes for boundless.
MANY = 10_000


class Attack:
    """Every table that agrees with what is shown: zeros are shown, so that whatever is left out is 1 or more.

    The bounds of one cell come from the longest shortest ways of a linear program over a network: it may grow by what can
    flow back from its head to its tail, and shrink by what can flow from its tail to its head, through what is left
    out.  Found here by plain augmenting depth first, unit by unit: slow, and nothing like what it attacks.
    """

    def __init__(self, cells: Sequence[Cell], hidden: Collection[Name]) -> None:
        self.cells = {cell.name: cell for cell in cells}
        self.open = [cell for cell in cells if not cell.shown or cell.name in hidden]

    def bounds(self, name: Name) -> tuple[int, int]:
        """Return the least and the most that the cell can be, up to ``MANY``."""
        cell = self.cells[name]
        return (
            cell.amount - self._flow(name, cell.tail, cell.head, cell.amount - 1),
            cell.amount + self._flow(name, cell.head, cell.tail, LEAST),
        )

    def _flow(self, name: Name, start: Hashable, goal: Hashable, limit: int) -> int:
        amounts = {cell.name: cell.amount for cell in self.open}
        for done in range(limit):
            way = self._walk(name, start, goal, amounts, {start})
            if way is None:
                return done
            for each, change in way:
                amounts[each] += change
        return limit

    def _walk(
        self, name: Name, node: Hashable, goal: Hashable, amounts: dict[Name, int], seen: set[Hashable]
    ) -> list[tuple[Name, int]] | None:
        if node == goal:
            return []
        for cell in self.open:
            if cell.name == name:
                continue
            for here, there, change in ((cell.tail, cell.head, 1), (cell.head, cell.tail, -1)):
                least = 1 if cell.shown else 0
                if here == node and there not in seen and amounts[cell.name] + change >= least:
                    seen.add(there)
                    rest = self._walk(name, there, goal, amounts, seen)
                    if rest is not None:
                        return [(cell.name, change), *rest]
        return None


def hold(cells: Sequence[Cell], least: int = LEAST) -> frozenset[Name]:
    """Suppress *cells*, attack the result, and return what is left out."""
    hidden = suppress(cells, least)
    attack, blind = Attack(cells, hidden), Attack(cells, [cell.name for cell in cells if cell.amount])
    for cell in cells:
        if not cell.shown:
            assert cell.name not in hidden
        elif 0 < cell.amount < least:
            assert cell.name in hidden
            low, high = attack.bounds(cell.name)
            # Not one value, not an interval among the small ones, and from below no more than the gaps themselves tell.
            assert high >= least, cell
            assert low <= max(1, blind.bounds(cell.name)[0]), cell
        elif not cell.amount:
            assert cell.name not in hidden
    return hidden


def lines(*counts: int, prefix: str = "r") -> list[Line]:
    return [Line(f"{prefix}{place}", (amount,)) for place, amount in enumerate(counts)]


def rows(*counts: int, prefix: str = "r") -> list[Name]:
    return [(f"{prefix}{place}", "") for place in counts]


def table(*counts: int) -> list[Cell]:
    return one_way(sum(counts), Table(lines(*counts)))


def test_nothing_small_nothing_left_out() -> None:
    """Counts from the threshold on are shown, and so is nought."""
    assert hold(table(5, 0, 12)) == frozenset()


def test_one_small_count_takes_a_second_with_it() -> None:
    """Else it is the total less the rest; the second is the smallest that will do."""
    assert hold(table(3, 9, 40)) == frozenset(rows(0, 1))


def test_two_ones_are_no_cover_for_each_other() -> None:
    """Their sum of two tells both; a larger count has to go with them."""
    assert hold(table(1, 1, 30, 20)) == frozenset(rows(0, 1, 3))


def test_small_counts_that_cover_each_other_need_nothing_more() -> None:
    """A sum of eight is three and five, or one and seven."""
    assert hold(table(4, 4, 30)) == frozenset(rows(0, 1))


def test_a_small_count_alone_takes_the_total_with_it() -> None:
    """Where all other rows are nought, the total is the count."""
    assert hold(table(3, 0)) == frozenset({TOTAL, ("r0", "")})


def test_a_total_without_a_table_is_judged_by_itself() -> None:
    """It stands in no sum."""
    assert hold(one_way(3)) == {TOTAL}
    assert hold(one_way(7)) == frozenset()


def test_tables_that_share_a_total_are_kept_apart() -> None:
    """What one table hides, no other gives back: not even by its total."""
    cells = one_way(20, Table(lines(3, 17)), Table(lines(12, 8, prefix="s")))
    assert hold(cells) == frozenset(rows(0, 1))
    # Here the total itself would be the cheapest cover, and the other table gives it back: so that has a gap too.
    cells = one_way(9, Table(lines(2, 7)), Table(lines(9, prefix="s")))
    assert hold(cells) == frozenset(rows(0, 1))


def test_a_small_part_is_hidden_within_its_group() -> None:
    """A sector's total is a sum as well: agency and sector, one small in the other."""
    health = Line("health", (13,), (Line("one", (3,)), Line("two", (10,))))
    police = Line("police", (6,), (Line("force", (6,)),))
    assert hold(one_way(19, Table([health, police]))) == {("one", ""), ("two", "")}
    alone = Line("health", (3,), (Line("one", (3,)),))
    # The only one of its sector: of what else would do, the total is less than police with its force.
    assert hold(one_way(9, Table([alone, police]))) == {("one", ""), ("health", ""), TOTAL}


def test_what_stands_in_several_rows_covers_itself() -> None:
    """Themes overlap, so a total doesn't give a row back; but every thing has one, and the sum is a bound from below."""
    assert hold(one_way(10, Table(lines(9, 8, 3), overlapping=True))) == frozenset(rows(2))
    # Ten things, and nine of them in the one row: three in the other, at least one.
    assert hold(one_way(10, Table(lines(9, 3), overlapping=True))) == frozenset(rows(1))
    # No overlap: at least three in the other row, unless a further row goes.
    assert hold(one_way(12, Table(lines(9, 3), overlapping=True))) == frozenset(rows(0, 1))


def test_a_table_of_two_ways() -> None:
    """A small cell takes three others with it, or a margin: every row and column keeps two gaps or none."""
    cells = two_way(["a", "b"], [Line("x", (2, 20)), Line("y", (30, 40))])
    assert hold(cells) == {("x", "a"), ("x", "b"), ("y", "a"), ("y", "b")}


def test_a_second_table_crosses_the_same_columns() -> None:
    """By agency and by week: the columns' totals are shared."""
    agencies = [
        Line("health", (7, 23), (Line("one", (5, 8)), Line("two", (2, 15)))),
        Line("police", (20, 10), (Line("force", (20, 10)),)),
    ]
    weeks = [Line("w1", (20, 20)), Line("w2", (7, 13))]
    hidden = hold(two_way(["in", "late"], agencies, weeks))
    assert ("two", "in") in hidden
    assert not hidden & {("w1", ""), ("w2", ""), TOTAL, ("", "in"), ("", "late")}


def test_the_threshold_is_given() -> None:
    """One: nothing is small.  Ten: nine is."""
    assert suppress(table(1, 2), 1) == frozenset()
    assert suppress(table(9, 30), 10) == frozenset(rows(0, 1))


def test_the_same_figures_have_the_same_gaps() -> None:
    """Whichever table of them is asked for first, the answers can be laid beside each other."""
    cells = one_way(31, Table(lines(3, 11, 17)), Table(lines(1, 30, prefix="s")))
    assert suppress(cells, LEAST) == suppress(list(cells), LEAST)


counts = st.lists(st.integers(0, 14), min_size=1, max_size=5)


@st.composite
def shared(draw: st.DrawFn) -> list[Cell]:
    """Give one to three tables of one total, the first perhaps in groups, another perhaps overlapping."""
    groups = draw(st.lists(counts, min_size=1, max_size=3))
    total = sum(map(sum, groups))
    first = [
        Line(f"g{g}", (sum(parts),), tuple(Line(f"g{g}p{p}", (n,)) for p, n in enumerate(parts)))
        for g, parts in enumerate(groups)
    ]
    cuts = sorted(draw(st.lists(st.integers(0, total), max_size=3)))
    second = [b - a for a, b in itertools.pairwise([0, *cuts, total])]
    tables = [Table(first), Table(lines(*second, prefix="s"))]
    if draw(st.booleans()):
        more = [draw(st.integers(0, total - amount)) if amount < total else 0 for amount in second]
        tables.append(Table(lines(*(a + b for a, b in zip(second, more, strict=True)), prefix="o"), overlapping=True))
    return one_way(total, *tables)


@settings(max_examples=150, deadline=None)
@given(shared())
def test_an_attacker_learns_nothing_from_tables_that_share_a_total(cells: list[Cell]) -> None:
    """Whatever is counted, however the tables are cut."""
    hold(cells)


@st.composite
def crossed(draw: st.DrawFn) -> list[Cell]:
    """Give a table of two ways, perhaps in groups, and perhaps a second one by other rows."""
    columns = ["a", "b", "c"][: draw(st.integers(2, 3))]
    single = st.tuples(*(st.integers(0, 12) for _ in columns))
    groups = draw(st.lists(st.lists(single, min_size=1, max_size=2), min_size=1, max_size=3))
    lines_ = []
    for g, parts in enumerate(groups):
        summed = tuple(map(sum, zip(*parts, strict=True)))
        lines_.append(Line(f"g{g}", summed, tuple(Line(f"g{g}p{p}", one) for p, one in enumerate(parts))))
    totals = [sum(column) for column in zip(*(line.counts for line in lines_), strict=True)]
    others = []
    if draw(st.booleans()):
        firsts = [draw(st.integers(0, total)) for total in totals]
        rest = [total - first for total, first in zip(totals, firsts, strict=True)]
        others = [Line("w1", tuple(firsts)), Line("w2", tuple(rest))]
    return two_way(columns, lines_, others)


@settings(max_examples=100, deadline=None)
@given(crossed())
def test_an_attacker_learns_nothing_from_tables_of_two_ways(cells: list[Cell]) -> None:
    """Row by row, column by column, and across both tables."""
    hold(cells)


def agreeing(cells: Sequence[Cell], hidden: Collection[Name], most: int) -> Iterator[dict[Name, int]]:
    """Yield every assignment up to *most* of what is left out that agrees with all that is shown, by trying them all."""
    free = [cell for cell in cells if cell.name in hidden]
    nodes = {node for cell in cells for node in (cell.tail, cell.head)}
    for values in itertools.product(range(1, most + 1), repeat=len(free)):
        guess = {cell.name: cell.amount for cell in cells} | dict(
            zip((cell.name for cell in free), values, strict=True)
        )
        if all(
            sum(guess[cell.name] for cell in cells if cell.head == node)
            == sum(guess[cell.name] for cell in cells if cell.tail == node)
            for node in nodes
        ):
            yield guess


@pytest.mark.parametrize("counts_", [(3, 9, 40), (1, 1, 8), (2, 3, 9), (1, 6, 6)])
def test_trying_every_table_agrees_with_the_attack(counts_: tuple[int, ...]) -> None:
    """The bounds are those of a search that knows nothing of networks."""
    cells = table(*counts_)
    hidden = suppress(cells, LEAST)
    attack = Attack(cells, hidden)
    guesses = list(agreeing(cells, hidden, 12))
    for name in hidden:
        low, high = attack.bounds(name)
        found = [guess[name] for guess in guesses]
        assert min(found) == low
        assert max(found) >= min(high, LEAST)
