"""Small counts left out of tables, with as many others as are needed so that nobody can work them out again.

A count from 1 up to the threshold points at few people and is left out.  Tables have totals, and several tables may
share them, so that subtraction would give it back: further counts are left out until, by all sums that are shown, each
small count may be 1 and may be as much as the threshold.  Nought is always shown: none points at nobody, and whoever
sees a gap may know that something is there.

Tables are circulations: every count is an amount that flows from one node to another, and at each node as much comes
in as goes out.  What is shown stays as it is; what is left out may change by any amount that goes round in a circle
through other gaps.  That makes the reader's best guess exact, and the cheapest further gap a shortest path.

Source: domain 9.7 and 11 (risk 24).
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

# Row and column; a row's own total has no column, a column's no row, the total of all neither.
Name = tuple[str, str]
TOTAL: Name = ("", "")


class Line(NamedTuple):
    """A row of a table: its count in each column, and the rows that it is the sum of, if these are shown too."""

    name: str
    counts: tuple[int, ...]
    parts: tuple[Line, ...] = ()

    @property
    def total(self) -> int:
        """Return what is counted in it."""
        return sum(self.counts)


class Table(NamedTuple):
    """Rows of one column that sum to the total; ``overlapping``: what is counted stands in one row or in several."""

    lines: Sequence[Line]
    overlapping: bool = False


class Cell(NamedTuple):
    """One count, as an ``amount`` that flows from ``tail`` to ``head``.  ``shown``: unless it is left out; else never."""

    name: Name
    tail: Hashable
    head: Hashable
    amount: int
    shown: bool = True


def one_way(total: int, *tables: Table) -> list[Cell]:
    """Return the cells of tables of one column that share *total*."""
    cells = [Cell(TOTAL, len(tables), 0, total)]
    for place, table in enumerate(tables):
        cells += _between(table.lines, place, place + 1)
        if table.overlapping:
            # What stands in several rows goes round again; how much that is, is not shown.
            surplus = sum(line.total for line in table.lines) - total
            cells.append(Cell((f"surplus {place}", ""), place + 1, place, surplus, shown=False))
    return cells


def _between(lines: Sequence[Line], start: Hashable, end: Hashable) -> Iterator[Cell]:
    for line in lines:
        inner = (start, line.name) if line.parts else end
        yield Cell((line.name, ""), start, inner, line.total)
        if line.parts:
            yield from _between(line.parts, inner, end)


def two_way(columns: Sequence[str], lines: Sequence[Line], others: Sequence[Line] = ()) -> list[Cell]:
    """Return the cells of a table with *columns*, and of a second one of the same things by rows of its own, *others*.

    Totals of rows, of columns and of all are cells too.  *others* have no parts.
    """
    cells = [Cell(TOTAL, "end", "start", sum(line.total for line in lines))]
    for place, column in enumerate(columns):
        out = ("out", column) if others else "end"
        cells.append(Cell(("", column), ("in", column), out, sum(line.counts[place] for line in lines)))
    cells += _rows(columns, lines, "start", {column: ("in", column) for column in columns})
    for line in others:
        cells.append(Cell((line.name, ""), ("other", line.name), "end", line.total))
        cells += [
            Cell((line.name, column), ("out", column), ("other", line.name), amount)
            for column, amount in zip(columns, line.counts, strict=True)
        ]
    return cells


def _rows(
    columns: Sequence[str], lines: Sequence[Line], start: Hashable, ends: Mapping[str, Hashable]
) -> Iterator[Cell]:
    for line in lines:
        node = ("row", line.name)
        yield Cell((line.name, ""), start, node, line.total)
        # A row with parts: its own counts are the sums of what its parts bring to each column.
        gathered: dict[str, Hashable] = {column: (*node, column) if line.parts else node for column in columns}
        for column, amount in zip(columns, line.counts, strict=True):
            yield Cell((line.name, column), gathered[column], ends[column], amount)
        yield from _rows(columns, line.parts, node, gathered)


def suppress(cells: Collection[Cell], least: int) -> frozenset[Name]:
    """Return the names of the *cells* to leave out, so that none under *least* can be worked out.

    By every sum that is shown, a small count may be 1, or as little as there are gaps in it, and may be *least* or more.
    """
    kept = [cell for cell in cells if cell.amount or not cell.shown]
    web = _Web(kept)
    small = [number for number, cell in enumerate(kept) if cell.shown and cell.amount < least]
    hidden = {number for number, cell in enumerate(kept) if not cell.shown} | set(small)
    for number in small:
        cell = kept[number]
        web.make_room(number, cell.head, cell.tail, least - cell.amount, hidden)
        web.make_room(number, cell.tail, cell.head, cell.amount - 1, hidden)
    return frozenset(kept[number].name for number in hidden if kept[number].shown)


class _Web:
    """Which cells lead where: along their flow (1) without bound, against it (-1) as far as they can shrink."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self.links: dict[Hashable, list[tuple[int, int, Hashable]]] = defaultdict(list)
        for number, cell in enumerate(cells):
            self.links[cell.tail].append((number, 1, cell.head))
            self.links[cell.head].append((number, -1, cell.tail))

    def make_room(self, number: int, start: Hashable, goal: Hashable, wanted: int, hidden: set[int]) -> None:
        """Hide what is needed for *wanted* to go from *start* to *goal* other than through cell *number*."""
        moved: dict[int, int] = defaultdict(int)
        while wanted > 0 and start != goal:
            way = self._cheapest(number, start, goal, hidden, moved)
            if not way:
                return
            step = min([wanted, *(self._room(each, moved) for each, sign in way if sign < 0)])
            for each, sign in way:
                moved[each] += sign * step
            hidden.update(each for each, _ in way)
            wanted -= step

    def _room(self, number: int, moved: Mapping[int, int]) -> int:
        cell = self.cells[number]
        return cell.amount + moved.get(number, 0) - (1 if cell.shown else 0)

    def _cheapest(
        self, number: int, start: Hashable, goal: Hashable, hidden: Collection[int], moved: Mapping[int, int]
    ) -> list[tuple[int, int]]:
        """Return the way from *start* to *goal* on which the least has to be hidden, or nothing where there is none."""
        order = count()
        heap: list[tuple[int, int, Hashable, tuple[tuple[int, int], ...]]] = [(0, next(order), start, ())]
        seen: set[Hashable] = set()
        while heap:
            cost, _, node, way = heapq.heappop(heap)
            if node == goal:
                return list(way)
            if node in seen:
                continue
            seen.add(node)
            for each, sign, other in self.links[node]:
                if each != number and other not in seen and (sign > 0 or self._room(each, moved) > 0):
                    price = 0 if each in hidden else self.cells[each].amount
                    heapq.heappush(heap, (cost + price, next(order), other, (*way, (each, sign))))
        return []
