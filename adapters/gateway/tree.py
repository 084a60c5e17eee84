"""The hub's tree as far as a question needs it: hash tiles fetched once for many proofs.

Source: protocol 8; C2SP tlog-tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from adapters.gateway.client import Client, HubRefusedError
from keys import merkle
from keys.errors import KeysError
from keys.notes import Checkpoint

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
HASH: Final = 32
T = TypeVar("T")


class Shown(NamedTuple):
    """What the tree has at ``place``: a leaf's hash, and the proof from its sibling upwards."""

    place: int
    hash: bytes
    proof: list[bytes]


class _MissingTileError(LookupError):
    def __init__(self, level: int, number: int) -> None:
        super().__init__(level, number)
        self.level, self.number = level, number


class Tree:
    """The tree under one verified checkpoint."""

    def __init__(self, client: Client, seen: Checkpoint) -> None:
        self._client, self.seen = client, seen
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    async def check(self, index: int, leaf: bytes) -> None:
        """Return if the leaf with the hash *leaf* is in the tree at *index*.

        Raises:
            KeysError: as :meth:`find`.
            NotYetError: the hub is away.
        """
        proof = await self._with_tiles(lambda: merkle.inclusion_proof(index, self.seen.size, self._node))
        merkle.verify_inclusion(leaf, index, self.seen.size, proof, self.seen.root)

    async def find(self, index: int) -> Shown:
        """Return what the tree has at *index*.

        Raises:
            KeysError: ``merkle-proof``: the hub shows none, or not this tree's; ``merkle-range``.
            NotYetError: the hub is away.
        """
        proof = await self._with_tiles(lambda: merkle.inclusion_proof(index, self.seen.size, self._node))
        leaf = await self._with_tiles(lambda: self._node(0, index))
        merkle.verify_inclusion(leaf, index, self.seen.size, proof, self.seen.root)
        return Shown(index, leaf, proof)

    async def beginning(self, size: int) -> list[bytes]:
        """Return the path that shows the root of this tree's first *size* leaves, which are fewer than it has.

        Raises:
            KeysError: as :meth:`find`.
            NotYetError: the hub is away.
        """
        path = await self._with_tiles(lambda: merkle.older_path(size, self.seen.size, self._node))
        merkle.older_root(size, self.seen.size, path, self.seen.root)
        return path

    async def _with_tiles(self, work: Callable[[], T]) -> T:
        while True:
            try:
                return work()
            except _MissingTileError as missing:
                await self._fetch(missing.level, missing.number)

    def _node(self, height: int, index: int) -> bytes:
        level, rest = divmod(height, TILE_HEIGHT)
        number, place = divmod(index << rest, TILE_WIDTH)
        if (level, number) not in self._tiles:
            raise _MissingTileError(level, number)
        hashes = self._tiles[level, number][place : place + (1 << rest)]
        while len(hashes) > 1:
            hashes = [merkle.node_hash(a, b) for a, b in zip(hashes[::2], hashes[1::2], strict=True)]
        return hashes[0]

    async def _fetch(self, level: int, number: int) -> None:
        width = min(TILE_WIDTH, (self.seen.size >> TILE_HEIGHT * level) - number * TILE_WIDTH)
        partial = "" if width == TILE_WIDTH else f".p/{width}"
        try:
            data = (await self._client.look(f"/v1/audit/tile/{level}/{tile_path(number)}{partial}")).body
        except HubRefusedError:
            data = b""
        if len(data) != width * HASH:
            # Signing a log and not showing it is no better than showing another.
            raise KeysError(
                "merkle-proof",
                "the hub does not show the hashes of the log that it signed",
                "keep this gateway's spool and tell the partnership's officers",
            )
        self._tiles[level, number] = [data[at : at + HASH] for at in range(0, len(data), HASH)]


def tile_path(number: int) -> str:
    """Return tile *number* in three-digit groups, each but the last behind an ``x``.  Source: C2SP tlog-tiles."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))
