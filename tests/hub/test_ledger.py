"""The audit log: indices, proofs, tiles, checkpoints, cosignatures; and a database that lost some of it."""

from __future__ import annotations

import pytest

from hub import ledger, witnessing
from hub.core.events import Event
from hub.errors import HubError
from hub.store.base import Store
from hub.store.transaction import Transaction
from keys import merkle, notes
from tests.county import CAIT, HEALTH, ORIGIN, POLICE, County, Desk
from tests.hub.support import hold, minutes, refused

SIZE = 600


def _grow(tx: Transaction, count: int, at: int = 1) -> list[int]:
    return [ledger.append(tx, Event(event="key-published", version=number), at) for number in range(count)]


async def test_every_leaf_is_provable_in_every_tree(sqlite_store: Store) -> None:
    """Inclusion for all indices of many sizes, and consistency between sizes, across the edges of tiles."""
    assert await sqlite_store.write(lambda tx: _grow(tx, SIZE)) == list(range(SIZE))
    edges = [1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, SIZE]

    def look(tx: Transaction) -> None:
        hashes = tx.leaf_hashes(0, SIZE)
        frontier, roots = merkle.Frontier(), [merkle.empty_root]
        for hashed in hashes:
            frontier.append(hashed)
            roots.append(frontier.root())
        assert merkle.Frontier.from_bytes(tx.log_head().frontier).root() == roots[SIZE]
        read = ledger.node_reader(tx)
        for size in edges:
            for index in range(0, size, 1 if size in {257, SIZE} else 37):
                proof = merkle.inclusion_proof(index, size, read)
                merkle.verify_inclusion(hashes[index], index, size, proof, roots[size])
            assert ledger.inclusion_proof(tx, size - 1, size) == merkle.inclusion_proof(size - 1, size, read)
        for old in (0, *edges):
            for new in (one for one in edges if one >= old):
                proof = ledger.consistency_proof(tx, old, new)
                merkle.verify_consistency(old, roots[old], new, roots[new], proof)

    await sqlite_store.read(look)


async def test_no_proof_reaches_beyond_the_log(store: Store) -> None:
    """An index or a size that is not there yet, or is not one, has no proof."""
    await store.write(lambda tx: _grow(tx, 300))
    for index, size in ((0, 0), (5, 5), (-1, 5), (0, 301)):
        with refused("proof-range"):
            await store.read(lambda tx, index=index, size=size: ledger.inclusion_proof(tx, index, size))  # type: ignore[misc]
    for old, new in ((-1, 5), (6, 5), (0, 301)):
        with refused("proof-range"):
            await store.read(lambda tx, old=old, new=new: ledger.consistency_proof(tx, old, new))  # type: ignore[misc]


async def test_tiles_hold_what_the_tree_is_made_of(store: Store) -> None:
    """Full and partial tiles of hashes and of entries, as C2SP has them; none beyond the log."""
    await store.write(lambda tx: _grow(tx, SIZE))

    def look(tx: Transaction) -> None:
        hashes = tx.leaf_hashes(0, SIZE)
        assert ledger.tile(tx, 0, 1, 256) == b"".join(hashes[256:512])
        assert ledger.tile(tx, 0, 2, 88) == b"".join(hashes[512:])
        assert ledger.tile(tx, 0, 2, 89) is None
        top = ledger.tile(tx, 1, 0, 2)
        assert top is not None
        for number in range(2):
            frontier = merkle.Frontier()
            for hashed in hashes[number * 256 : (number + 1) * 256]:
                frontier.append(hashed)
            assert top[number * 32 : number * 32 + 32] == frontier.root()
        assert ledger.tile(tx, 1, 0, 3) is None
        entries = ledger.entries_tile(tx, 2, 88)
        assert entries is not None
        at, bodies = 0, []
        while at < len(entries):
            length = int.from_bytes(entries[at : at + 2], "big")
            bodies.append(entries[at + 2 : at + 2 + length])
            at += 2 + length
        assert [merkle.leaf_hash(body) for body in bodies] == hashes[512:]
        assert ledger.entries_tile(tx, 2, 89) is None

    await store.read(look)


async def test_a_leaf_that_is_too_long_is_a_fault_of_ours(store: Store) -> None:
    """Every leaf fits 1 KiB; one that would not is never written."""
    with pytest.raises(AssertionError, match="a leaf of"):
        await store.write(lambda tx: ledger.append(tx, Event(event="key-published", rule="x" * 2000), 1))
    assert await store.read(lambda tx: tx.log_head().size) == 0


async def test_a_checkpoint_is_signed_over_what_is_durable_and_only_when_it_grew(store: Store) -> None:
    """Both of the hub's keys sign it; a tree that did not grow is not signed again."""
    county = County()
    signers = county.note_signers
    assert (await ledger.sign_checkpoint(store, ORIGIN, signers, 1) or (0, ""))[0] == 0
    await store.write(lambda tx: _grow(tx, 5))
    signed = await ledger.sign_checkpoint(store, ORIGIN, signers, 2)
    assert signed is not None
    checkpoint = notes.open_checkpoint(signed[1], [one.verifier_key for one in signers], origin=ORIGIN)
    head = await store.read(lambda tx: tx.log_head())
    assert (checkpoint.size, checkpoint.root) == (5, merkle.Frontier.from_bytes(head.frontier).root())
    assert await ledger.sign_checkpoint(store, ORIGIN, signers, 3) is None
    assert await store.read(lambda tx: tx.find_checkpoint(5)) == signed[1]


async def test_a_log_that_lost_leaves_is_never_signed_smaller(store: Store) -> None:
    """A database restored from before the last checkpoint is found out before anything is signed over it."""
    county = County()
    await store.write(lambda tx: _grow(tx, 5))
    later = notes.sign_checkpoint(notes.Checkpoint(ORIGIN, 9, bytes(32)), county.note_signers)
    await store.write(lambda tx: tx.add_checkpoint(9, 1, later))
    with refused("rolled-back"):
        await ledger.sign_checkpoint(store, ORIGIN, county.note_signers, 2)
    await store.write(lambda tx: _grow(tx, 4))


async def test_witnesses_lines_are_kept_once_and_only_if_they_are_right(desk: Desk) -> None:
    """Agencies' gateways cosign the checkpoint that they verified; strangers and other trees don't count."""
    county = desk.county
    signed = await ledger.sign_checkpoint(desk.store, ORIGIN, county.note_signers, county.now)
    assert signed is not None
    size, note = signed
    verifiers = witnessing.verifiers(desk.registry.snapshot, county.now)
    assert len(verifiers) == 5
    names = {agency: f"{ORIGIN}/witness/{agency}" for agency in (HEALTH, POLICE)}

    def line(agency: str, over: str = note, by: str | None = None) -> str:
        return notes.cosign(over, names[agency], county.keyrings[by or agency].witness, county.now)

    text = note.rpartition("\n\n")[0] + "\n\n"

    async def offer(body: bytes) -> int:
        return len(await ledger.add_cosignatures(desk.store, verifiers, body, county.now))

    both = (text + line(HEALTH) + line(POLICE)).encode()
    assert await offer((text + line(HEALTH)).encode()) == 1
    assert await offer(both) == 1
    assert await offer(both) == 0
    assert [row[0] for row in await desk.store.read(lambda tx: tx.cosignatures(size))] == sorted(names.values())
    with refused("cosignature-unknown"):
        await offer((text + line(HEALTH, by=POLICE)).encode())
    with refused("note-signature"):
        later = notes.sign_checkpoint(notes.Checkpoint(ORIGIN, size + 1, bytes(32)), county.note_signers)
        await offer((text + line(POLICE, over=later)).encode())
    stranger = notes.cosign(note, "stranger.example/witness", county.keyrings[HEALTH].witness, county.now)
    with refused("cosignature-unknown"):
        await offer((text + stranger).encode())
    with refused("cosignature-unknown"):
        await offer(b"\xff")
    fork = notes.sign_checkpoint(notes.Checkpoint(ORIGIN, size, bytes(32)), county.note_signers)
    other = fork.rpartition("\n\n")[0] + "\n\n"
    with refused("cosignature-unknown"):
        await offer((other + line(HEALTH, over=fork)).encode())
    unknown = notes.sign_checkpoint(notes.Checkpoint(ORIGIN, size + 1, bytes(32)), county.note_signers)
    with refused("cosignature-unknown"):
        await offer((unknown.rpartition("\n\n")[0] + "\n\n" + line(HEALTH, over=unknown)).encode())


async def test_a_refused_write_gives_its_index_back(desk: Desk) -> None:
    """What is rolled back leaves no gap: the next leaf takes its number."""
    size = len(await desk.leaves())

    def fail(tx: Transaction) -> None:
        _grow(tx, 3)
        raise HubError("internal", "a fault in the middle")

    with refused("internal"):
        await desk.store.write(fail)
    await desk.send(minutes(desk.county, hold(desk.county).header.thread, CAIT))
    (leaf,) = await desk.leaves("envelope-accepted")
    assert leaf in (await desk.leaves())[size : size + 1]
