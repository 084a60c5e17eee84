"""What must be true of a hub's database whatever happened to it.

Reads the tables themselves, not the verbs, so that a verb can't hide what it did wrong.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from hub.core.events import MAX_LEAF, Leaf
from hub.core.numbering import Given
from hub.store.base import Store
from hub.store.obligations import STATES
from hub.store.session import pack, unpack
from hub.store.transaction import Transaction
from keys import digests, merkle
from schemas.rules.duty import Duty

_leaf = msgspec.json.Decoder(Leaf).decode
_duty = msgspec.json.Decoder(Duty).decode


async def check(store: Store) -> None:
    """Raise ``AssertionError`` unless everything in *store* agrees with everything else."""
    await store.read(check_transaction)


def check_transaction(tx: Transaction) -> None:
    """Check one view of a database; see :func:`check`."""
    leaves = _check_log(tx)
    _check_feeds(tx)
    _check_envelopes(tx, leaves)
    _check_receipts(tx, leaves)
    _check_obligations(tx, leaves)
    _check_registry(tx)


def _rows(tx: Transaction, text: str) -> Sequence[tuple[Any, ...]]:
    rows: Sequence[tuple[Any, ...]] = tx.connection.raw.execute(text).fetchall()  # type: ignore[attr-defined]
    return rows


def _check_log(tx: Transaction) -> list[Leaf]:
    head = tx.log_head()
    rows = _rows(tx, "SELECT ix, at, event, agency, thread, hash, body FROM leaf ORDER BY ix")
    assert [row[0] for row in rows] == list(range(head.size)), "the log's indices have a gap, or the head is off"
    assert all(a[1] <= b[1] for a, b in itertools.pairwise(rows)), "the log's moments run backwards"
    assert not rows or rows[-1][1] <= head.at, "the head's moment is behind the log's"
    tree = merkle.Frontier()
    nodes: dict[tuple[int, int], bytes] = {}
    leaves = []
    for index, at, event, agency, thread, hashed, body in rows:
        leaf = _leaf(body)
        assert len(body) <= MAX_LEAF
        assert (leaf.at, leaf.event, leaf.agency) == (at, event, agency), f"leaf {index} is not what its row says"
        assert leaf.thread == (unpack(thread) if thread else None), f"leaf {index} is under another thread"
        assert hashed == merkle.leaf_hash(bytes(body)), f"leaf {index} has another hash"
        leaves.append(leaf)
        for height, place, node in tree.append(bytes(hashed)):
            if height % 8 == 0:
                nodes[height // 8, place] = node
    assert tree.root() == merkle.Frontier.from_bytes(head.frontier).root(), "the head's root isn't the leaves'"
    kept = {(level, place): bytes(node) for level, place, node in _rows(tx, "SELECT level, ix, hash FROM node")}
    assert kept == nodes, "a tile's node is missing, wrong, or one too many"
    for name, size in _rows(tx, "SELECT name, size FROM witness WHERE size > 0"):
        assert tx.find_checkpoint(size) is not None, "a witness has cosigned a checkpoint that isn't there"
        assert tx.find_cosignature(size, name) is not None, (
            "a witness is said to have cosigned, and its line isn't there"
        )
    for (size,) in _rows(tx, "SELECT size FROM checkpoint"):
        assert size <= head.size, "a checkpoint is over more leaves than there are"
    return leaves


def _check_feeds(tx: Transaction) -> None:
    numbers = defaultdict(list)
    for mailbox, number, kind, ref, tombstone, payload in _rows(
        tx, "SELECT mailbox, seq, kind, ref, tombstone, payload FROM feed ORDER BY mailbox, seq"
    ):
        numbers[mailbox].append(number)
        assert ref is not None or tombstone, f"{mailbox} {number} is about nothing"
        assert (payload is None) == (bool(tombstone) or kind == "delivery"), f"{mailbox} {number}: payload and kind"
    for mailbox, found in numbers.items():
        assert found == list(range(1, len(found) + 1)), f"the numbers of {mailbox} have a gap"
    given = _rows(tx, "SELECT mailbox, seq, kind, ref, moved FROM feed WHERE place IS NOT NULL ORDER BY place")
    head, digest = tx.log_head(), ""
    for mailbox, number, kind, ref, moved in given:
        one = Given(mailbox, number, "delivery" if moved else kind, unpack(moved or ref))
        digest = digests.chained(digest, one.line())
    assert (head.given, head.numbers) == (len(given), digest), "the head's account of numbers isn't the feeds'"
    assert head.told <= head.given, "the log told of numbers that nobody got"
    sizes = {name: size for name, size in _rows(tx, "SELECT name, size FROM mailbox") if size}
    assert sizes == {mailbox: len(found) for mailbox, found in numbers.items()}, "a mailbox's size isn't its feed's"


def _check_envelopes(tx: Transaction, leaves: list[Leaf]) -> None:
    deliveries = defaultdict(set)
    for ref, mailbox, index, tombstone in _rows(
        tx, "SELECT ref, mailbox, envelope_ix, tombstone FROM feed WHERE kind = 'delivery'"
    ):
        deliveries[bytes(ref)].add((mailbox, index, bool(tombstone)))
    bodies = {row[0] for row in _rows(tx, "SELECT envelope_ix FROM body")}
    bodies |= {row[0] for row in _rows(tx, "SELECT envelope_ix FROM body_file")}
    rows = _rows(
        tx, "SELECT ix, id, thread, state, length, sealed_sha256, header, supersedes, superseded_by FROM envelope"
    )
    by_id = {bytes(row[1]): row for row in rows}
    for index, raw, thread, state, length, sealed, header, supersedes, superseded_by in rows:
        name = unpack(raw)
        leaf = leaves[index]
        assert (leaf.event, leaf.envelope) == ("envelope-accepted", name), f"envelope {name} has no leaf"
        to = json.loads(digests.from_b64u(bytes(header).split(b".")[1]))["to"]
        held = deliveries.pop(bytes(raw), set())
        assert {row[:2] for row in held} == {(mailbox, index) for mailbox in to}, f"deliveries of {name}"
        assert state != "deleted" or all(row[2] for row in held), f"{name} is deleted but not tombstoned"
        # What was taken back under a hold stays as evidence.
        held = state == "withdrawn" and any(hold.envelope in (None, name) for hold in tx.holds_on(unpack(thread)))
        assert index in bodies if state == "present" else held or index not in bodies, (
            f"{name} is {state}, but for its body"
        )
        if state == "present":
            body = tx.body(name)
            assert body is not None, f"the body of {name} is missing"
            assert (len(body), digests.sha256(body)) == (length, sealed), f"the body of {name} is another"
        if supersedes is not None and (old := by_id.get(bytes(supersedes))):
            assert old[2] == thread, f"{name} supersedes in another thread"
        if superseded_by is not None:
            assert by_id[bytes(superseded_by)][7] == raw, f"{name} is superseded by one that doesn't say so"
    assert not deliveries, "a delivery has no envelope"
    accepted = sum(leaf.event == "envelope-accepted" for leaf in leaves)
    assert accepted == len(rows), "the log accepted more or fewer envelopes than there are"


def _check_receipts(tx: Transaction, leaves: list[Leaf]) -> None:
    rows = _rows(tx, "SELECT ix, id, envelope, mailbox, level FROM receipt")
    for index, raw, envelope, mailbox, level in rows:
        leaf = leaves[index]
        assert (leaf.event, leaf.receipt) == ("receipt-accepted", unpack(raw)), f"receipt {unpack(raw)} has no leaf"
        assert (leaf.envelope, leaf.level) == (unpack(envelope), level), f"receipt {unpack(raw)} and its leaf"
        assert tx.find_delivery(unpack(envelope), mailbox) is not None, f"receipt {unpack(raw)} is about no delivery"
    accepted = sum(leaf.event == "receipt-accepted" for leaf in leaves)
    assert accepted == len(rows), "the log accepted more or fewer receipts than there are"


def _check_obligations(tx: Transaction, leaves: list[Leaf]) -> None:
    said: dict[str, str] = {}
    for leaf in leaves:
        if leaf.event == "obligation-opened":
            before = said.get(leaf.obligation or "", "superseded")
            assert before == "superseded", f"obligation {leaf.obligation} was opened twice"
        if leaf.event in {"obligation-opened", "obligation-reopened"}:
            said[leaf.obligation or ""] = "open"
        elif leaf.event == "obligation-settled":
            assert said[leaf.obligation or ""] == "open", f"obligation {leaf.obligation} was settled twice"
            said[leaf.obligation or ""] = leaf.outcome or ""
    known = {
        bytes(row[0]) for table in ("envelope", "receipt", "waiver") for row in _rows(tx, f"SELECT id FROM {table}")
    }
    states = {}
    for raw, blob, kind, rule, family, thread, debtor, creditor, due, state, settled_at, settled_by, next_at in _rows(
        tx,
        "SELECT id, duty, kind, rule, family, thread, debtor, creditor, due, state, settled_at, settled_by, next_at"
        " FROM obligation",
    ):
        name, duty = unpack(raw), _duty(blob)
        states[name] = state
        assert name == digests.obligation_id(duty.parts), f"obligation {name} isn't the digest of its parts"
        columns = (kind, rule, family, unpack(thread), debtor, creditor, due)
        members = (duty.kind, duty.rule, duty.types[0], duty.thread, duty.debtor, duty.creditor, duty.due)
        assert columns == members, f"obligation {name}: columns and duty"
        assert state in STATES, f"obligation {name} is in no state"
        assert (state == "open") == (settled_at is None), f"obligation {name}: state and settlement"
        assert state == "open" or next_at is None, f"obligation {name} is at rest, but the clock looks at it"
        assert settled_by is None or bytes(settled_by) in known, (
            f"obligation {name} was settled by nothing that is here"
        )
        assert duty.envelope is None or pack(duty.envelope) in known, (
            f"obligation {name} was opened by nothing that is here"
        )
    assert states == said, "the obligations aren't as the log says"


def _check_registry(tx: Transaction) -> None:
    versions = defaultdict(list)
    for kind, version in _rows(tx, "SELECT kind, version FROM document ORDER BY kind, version"):
        versions[kind].append(version)
    for kind, found in versions.items():
        assert found == list(range(1, len(found) + 1)), f"the versions of the {kind} have a gap"
    newest = _rows(tx, "SELECT kid, SUM(newest), MAX(ix), MAX(newest * ix) FROM key_statement GROUP BY kid")
    assert all(row[1] == 1 and row[2] == row[3] for row in newest), "a key's newest statement isn't its last"
