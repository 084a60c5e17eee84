"""The leaves of an export, hashed into the tree again: its root, and what it was at the sizes that somebody saw.

Hashing is a pass of its own, in blocks, before anything is read of what the leaves say.

Source: RFC 6962, 2.1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Final, NamedTuple

from keys import merkle

# Leaves in memory at once.
_BLOCK: Final = 4096


class Tree(NamedTuple):
    """What the leaves make: ``roots`` by size, for each size that was asked for and that the leaves reach."""

    size: int
    root: bytes
    roots: dict[int, bytes]


def grow(lines: Iterable[bytes], sizes: Collection[int] = ()) -> Tree:
    """Hash *lines*, one leaf each and its LF, and return the tree, with its roots at *sizes*."""
    frontier, roots, source = merkle.Frontier(), {}, iter(lines)
    stops = iter(sorted(set(sizes)))
    stop = next(stops, None)
    while block := list(islice(source, _BLOCK)):
        hashes = merkle.leaf_hashes([line.removesuffix(b"\n") for line in block])
        done = 0
        while stop is not None and stop <= frontier.size + len(hashes) - done:
            upto = done + stop - frontier.size
            frontier.extend(hashes[done:upto])
            roots[stop], done = frontier.root(), upto
            stop = next(stops, None)
        frontier.extend(hashes[done:])
    if stop == 0:
        roots[0] = frontier.root()
    return Tree(frontier.size, frontier.root(), roots)
