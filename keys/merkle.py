"""The audit log's tree: append, root, and proofs of inclusion and consistency.

Knows hashes only.  Where nodes are kept is the caller's: proofs ask for them by height and index (leaves: height 0).

Source: RFC 6962, 2.1 (tree and proofs); RFC 9162, 2.1.3.2 and 2.1.4.2 (how proofs are verified).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NoReturn

from keys.digests import same
from keys.errors import KeysError

empty_root: Final = hashlib.sha256(b"").digest()

# How many leaf hashes are folded at once: a whole tile's, so that what is left at either end is little.
_BLOCK_HEIGHT: Final = 8
_BLOCK: Final = 1 << _BLOCK_HEIGHT

NodeReader = Callable[[int, int], bytes]
_sha256 = hashlib.sha256


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf's bytes."""
    return _sha256(b"\x00" + leaf).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    """Return :func:`leaf_hash` of each of *leaves*."""
    sha256 = _sha256
    return [sha256(b"\x00" + leaf).digest() for leaf in leaves]


def subtree_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over neighbouring *hashes* of one height, as many as a power of two."""
    sha256 = _sha256
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over its two children."""
    return _sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree's right edge: enough to append leaves and know the root, in O(log size) bytes."""

    __slots__ = ("_hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Take the tree's *size* and the roots of its complete subtrees, largest first."""
        if len(hashes) != size.bit_count():
            raise KeysError("merkle-frontier", "a tree's frontier is not of its size", "rebuild it from the leaves")
        self.size = size
        self._hashes = list(hashes)

    def append(self, hashed: bytes) -> tuple[tuple[int, int, bytes], ...]:
        """Add one leaf hash; return the complete nodes that this made: ``(height >= 1, index, hash)``, lowest first."""
        return self._append(hashed, 0)

    def _append(self, hashed: bytes, height: int) -> tuple[tuple[int, int, bytes], ...]:
        """Add the root of a complete subtree of *height*; the size is a multiple of the subtree's."""
        index = self.size >> height
        self.size += 1 << height
        made = []
        while index & 1:
            hashed = _sha256(b"\x01" + self._hashes.pop() + hashed).digest()
            height += 1
            index >>= 1
            made.append((height, index, hashed))
        self._hashes.append(hashed)
        return tuple(made)

    def extend(self, hashes: Sequence[bytes]) -> None:
        """Add many leaf hashes; the tree is the same as after :meth:`append` of each, and made several times faster."""
        place = min(-self.size % _BLOCK, len(hashes))
        for hashed in hashes[:place]:
            self._append(hashed, 0)
        while place + _BLOCK <= len(hashes):
            self._append(subtree_root(hashes[place : place + _BLOCK]), _BLOCK_HEIGHT)
            place += _BLOCK
        for hashed in hashes[place:]:
            self._append(hashed, 0)

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        return _fold(self._hashes) if self._hashes else empty_root

    def copy(self) -> Frontier:
        """Return another frontier of the same tree, which grows apart from this one."""
        return Frontier(self.size, self._hashes)

    def to_bytes(self) -> bytes:
        """Return ``size (uint64, big-endian) ‖ hashes``, largest subtree first."""
        return b"".join((self.size.to_bytes(8, "big"), *self._hashes))

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """Return the frontier that :meth:`to_bytes` wrote.

        Raises:
            KeysError: ``merkle-frontier``.
        """
        size, rest = int.from_bytes(data[:8], "big"), len(data) - 8
        if rest != 32 * size.bit_count():
            raise KeysError("merkle-frontier", "a tree's frontier is not of its size", "rebuild it from the leaves")
        return cls(size, [data[at : at + 32] for at in range(8, len(data), 32)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over neighbouring subtrees, largest first."""
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def _range_root(start: int, end: int, node: NodeReader) -> bytes:
    """Return the root over leaves *start* to *end*, where *start* is a multiple of every subtree met on the way."""
    hashes = []
    while start < end:
        height = (end - start).bit_length() - 1
        hashes.append(node(height, start >> height))
        start += 1 << height
    return _fold(hashes)


def _split(size: int) -> int:
    """Return the largest power of two below *size*."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Return the proof that leaf *index* is in the tree of *size*, from the leaf's sibling upwards.

    *node* is asked for complete nodes only.

    Raises:
        KeysError: ``merkle-range``.

    Source: RFC 6962, 2.1.1.
    """
    if not 0 <= index < size:
        raise KeysError("merkle-range", "the tree of that size has no such leaf", "ask for an index below the size")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_root(middle, end, node))
            end = middle
        else:
            proof.append(_range_root(start, middle, node))
            start = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, node: NodeReader) -> list[bytes]:
    """Return the proof that the tree of size *new* continues the tree of size *old*; empty where either is the other.

    Raises:
        KeysError: ``merkle-range``.

    Source: RFC 6962, 2.1.2.
    """
    if not 0 <= old <= new:
        raise KeysError("merkle-range", "a tree is not older than a smaller one", "ask from the smaller size")
    if old in {0, new}:
        return []
    proof: list[bytes] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_range_root(middle, end, node))
            end = middle
        else:
            proof.append(_range_root(start, middle, node))
            start, whole = middle, False
    if not whole:
        proof.append(_range_root(start, end, node))
    return proof[::-1]


def verify_inclusion(hashed: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Return if *proof* shows the leaf hash *hashed* at *index* in the tree of *size* with *root*.

    Raises:
        KeysError: ``merkle-proof``.

    Source: RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size:
        _refuse()
    at, last, climbed = index, size - 1, hashed
    for sibling in proof:
        if last == 0:
            _refuse()
        if at & 1 or at == last:
            climbed = node_hash(sibling, climbed)
            # A left edge without sibling on its own level: rise to where it has one.
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            climbed = node_hash(climbed, sibling)
        at, last = at >> 1, last >> 1
    if last or not same(climbed, root):
        _refuse()


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Return if *proof* shows that the tree (*new*, *new_root*) continues the tree (*old*, *old_root*).

    Raises:
        KeysError: ``merkle-proof``.

    Source: RFC 9162, 2.1.4.2.
    """
    if old in {0, new}:
        empty = not proof and (old > 0 or same(old_root, empty_root))
        if not empty or (old == new and not same(old_root, new_root)):
            _refuse()
        return
    # A smaller tree that is complete is itself the proof's first node.
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not 0 < old < new or not path:
        _refuse()
    older, newer = _climb(old, new, path)
    if not (same(older, old_root) and same(newer, new_root)):
        _refuse()


def older_root(old: int, new: int, path: Sequence[bytes], new_root: bytes) -> bytes:
    """Return the root over the first *old* leaves of the tree (*new*, *new_root*), which *path* shows.

    *path* is a consistency proof that begins with a node also where the older tree is complete: then with its root.
    So nobody has to say beforehand which older root they expect.

    Raises:
        KeysError: ``merkle-proof``.

    Source: RFC 9162, 2.1.4.2.
    """
    if not 0 < old < new or not path:
        _refuse()
    older, newer = _climb(old, new, path)
    if not same(newer, new_root):
        _refuse()
    return older


def older_path(old: int, new: int, node: NodeReader) -> list[bytes]:
    """Return the path that :func:`older_root` reads.

    Raises:
        KeysError: ``merkle-range``.
    """
    proof = consistency_proof(old, new, node)
    return proof if old & (old - 1) else [node(old.bit_length() - 1, 0), *proof]


def _climb(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of both trees as *path* has them."""
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            _refuse()
        if at & 1 or at == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        at, last = at >> 1, last >> 1
    if last:
        _refuse()
    return older, newer


def _refuse() -> NoReturn:
    raise KeysError("merkle-proof", "a proof does not fit the tree's root", "fetch the proof for this checkpoint again")
