"""The audit log: leaves inside a transaction, then checkpoints, proofs and tiles over them.

A leaf takes its index from the one head row in the transaction that it speaks of, so the log has no gaps and is
never ahead of or behind the data.  Checkpoints are signed afterwards, over what is durable.

Source: protocol 8; RFC 6962; C2SP tlog-tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from hub.core.events import MAX_LEAF, Event
from hub.errors import HubError
from hub.store.base import Store
from hub.store.rows import LeafRow, LogHead, WitnessRow
from hub.store.transaction import Transaction
from keys import merkle, notes
from schemas.identifiers import Moment

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
_PAGE: Final = 512


def moment(tx: Transaction, now: Moment) -> Moment:
    """Return *now*, or the last moment that the log has if the clock stepped back: hub time never runs backwards."""
    return max(now, tx.log_head().at)


def append(tx: Transaction, event: Event, at: Moment) -> int:
    """Add *event* as the next leaf and return its index; *at* comes from :func:`moment`."""
    body = b'{"v":1,"at":%d,' % at + msgspec.json.encode(event)[1:]
    if len(body) > MAX_LEAF:
        raise AssertionError(f"a leaf of {len(body)} bytes for {event.event}")
    head = tx.log_head()
    digest = merkle.leaf_hash(body)
    frontier = merkle.Frontier.from_bytes(head.frontier)
    for height, index, node in frontier.append(digest):
        if height % TILE_HEIGHT == 0:
            tx.add_node(height // TILE_HEIGHT, index, node)
    tx.add_leaf(LeafRow(index=head.size, at=at, event=event.event, thread=event.thread, body=body, hash=digest))
    tx.set_log_head(replace(head, size=head.size + 1, frontier=frontier.to_bytes(), at=at))
    return head.size


def is_in_log(tx: Transaction, event: Event) -> bool:
    """Answer whether an entry of this seldom event has the same digest and outcome already.

    What anybody may bring again, however often, shall not make the log grow each time.
    """
    last = -1
    while page := tx.find_leaves(after=last, limit=_PAGE, event=event.event):
        said = (msgspec.json.decode(leaf.body, type=_Refused) for leaf in page)
        if any((one.digest, one.outcome) == (event.digest, event.outcome) for one in said):
            return True
        last = page[-1].index
    return False


class _Refused(msgspec.Struct):
    digest: str | None = None
    outcome: str | None = None


def node_reader(tx: Transaction) -> merkle.NodeReader:
    """Return a reader of complete tree nodes: each lies in one tile, made from at most 256 stored hashes."""
    cache: dict[tuple[int, int], list[bytes]] = {}

    def read(height: int, index: int) -> bytes:
        level, rest = divmod(height, TILE_HEIGHT)
        start, end = index << rest, (index + 1) << rest
        tile = start // TILE_WIDTH
        if (level, tile) not in cache:
            first = tile * TILE_WIDTH
            cache[level, tile] = _hashes(tx, level, first, first + TILE_WIDTH)
        return merkle.subtree_root(cache[level, tile][start - tile * TILE_WIDTH : end - tile * TILE_WIDTH])

    return read


def _hashes(tx: Transaction, level: int, start: int, end: int) -> list[bytes]:
    return tx.leaf_hashes(start, end) if level == 0 else tx.nodes(level, start, end)


def tile(tx: Transaction, level: int, number: int, width: int) -> bytes | None:
    """Return *width* hashes of tile *number* at *level* joined, or ``None`` where the log does not reach so far."""
    first = number * TILE_WIDTH
    hashes = _hashes(tx, level, first, first + width)
    return b"".join(hashes) if len(hashes) == width else None


def entries_tile(tx: Transaction, number: int, width: int) -> bytes | None:
    """Return *width* leaves of entry tile *number*, each behind its length as two bytes big-endian, or ``None``."""
    first = number * TILE_WIDTH
    leaves = tx.leaves(first, first + width)
    if len(leaves) != width:
        return None
    return b"".join(len(leaf.body).to_bytes(2, "big") + leaf.body for leaf in leaves)


def tell_numbers(tx: Transaction, now: Moment) -> None:
    """Have the log commit to every number that a feed has given, unless it has."""
    head = tx.log_head()
    if head.told < head.given:
        append(tx, Event(event="numbers-given", given=head.given, digest=head.numbers), moment(tx, now))
        tx.set_log_head(replace(tx.log_head(), told=head.given))


async def sign_checkpoint(
    store: Store, origin: str, signers: Sequence[notes.NoteSigner], now: Moment
) -> tuple[int, str] | None:
    """Sign the tree as it is durable now; return its size and note, or ``None`` if the last checkpoint has it all.

    Before that the log tells which numbers feeds have given, so that each checkpoint commits to those before it.

    Raises:
        HubError: ``rolled-back``; the database holds fewer leaves than were signed.  Nothing is signed.
    """

    def look(tx: Transaction) -> tuple[LogHead, int]:
        last = tx.last_checkpoint()
        return tx.log_head(), last[0] if last else -1

    head, signed = await store.read(look)
    if head.told < head.given and head.size >= signed:
        await store.write(lambda tx: tell_numbers(tx, now))
        head, signed = await store.read(look)
    if head.size < signed:
        raise HubError(
            "rolled-back",
            f"the log has {head.size} leaves, but a checkpoint over {signed} is signed",
            "restore the newest backup; a log is never signed smaller than it was",
        )
    if head.size == signed:
        return None
    root = merkle.Frontier.from_bytes(head.frontier).root()
    note = notes.sign_checkpoint(notes.Checkpoint(origin, head.size, root), signers)
    await store.write(lambda tx: tx.add_checkpoint(head.size, now, note))
    return head.size, note


def inclusion_proof(tx: Transaction, index: int, size: int) -> list[bytes]:
    """Return the hashes that prove leaf *index* in the tree of *size* leaves.

    Raises:
        HubError: ``proof-range``.
    """
    if not 0 <= index < size <= tx.log_head().size:
        raise HubError("proof-range", "the index or size is beyond the log", "ask within the last checkpoint")
    return merkle.inclusion_proof(index, size, node_reader(tx))


def consistency_proof(tx: Transaction, old: int, new: int) -> list[bytes]:
    """Return the hashes that prove that the tree of *old* leaves is a beginning of the one of *new*.

    Raises:
        HubError: ``proof-range``.
    """
    if not 0 <= old <= new <= tx.log_head().size:
        raise HubError("proof-range", "a size is beyond the log", "ask within the last checkpoint")
    return merkle.consistency_proof(old, new, node_reader(tx))


async def add_cosignatures(store: Store, verifiers: Sequence[str], body: bytes, now: Moment) -> list[notes.Cosigned]:
    """Keep the cosignatures of *body* by known witnesses over a checkpoint of ours; return those that are new.

    Args:
        verifiers: the witnesses' verifier keys; see ``hub.witnessing.verifiers``.
        body: a signed note: a checkpoint's text as it was served, an empty line, and cosignature lines.

    Raises:
        HubError: ``cosignature-unknown``; not over a checkpoint of ours, or by nobody that the directory knows.
        KeysError: ``note-*``; not a note, or a witness's line that does not verify.

    Source: C2SP tlog-cosignature.
    """
    text = _text(body)
    size = notes.Checkpoint.parse(notes.split_note(text)[0]).size
    note = await store.read(lambda tx: tx.find_checkpoint(size))
    is_ours = note is not None and notes.split_note(note)[0] == notes.split_note(text)[0]
    known = notes.cosignatures(text, verifiers) if is_ours else []
    if not known:
        raise HubError(
            "cosignature-unknown",
            "not a line of a known witness over a known checkpoint",
            "cosign a checkpoint that this hub served, with the key that the directory has",
        )

    def record(tx: Transaction) -> list[notes.Cosigned]:
        before = {row[0] for row in tx.cosignatures(size)}
        for one in known:
            tx.add_cosignature(size, one.name, f"{one.line}\n", now)
            _advance(tx, one, size, now)
        return [one for one in known if one.name not in before]

    return await store.write(record)


def _advance(tx: Transaction, cosigned: notes.Cosigned, size: int, now: Moment) -> None:
    """Note how far a witness has come; a key that took another's place begins anew."""
    row = tx.find_witness(cosigned.name) or WitnessRow(cosigned.name)
    if row.key_id != cosigned.key_id or row.size < size or not row.at:
        tx.put_witness(replace(row, key_id=cosigned.key_id, size=size, said_at=cosigned.at, at=now, error=None))


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise HubError("cosignature-unknown", "the body is not text", "send the note with its lines") from error
