"""The checker itself can fail: each way of damage is found."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hub.store.base import open_store
from hub.store.transaction import Transaction
from tests.invariants import check
from tests.store.support import ALICE, BOB, NOW, make_duty, new_id, put_envelope, put_obligations, put_receipt, settle

DAMAGE = {
    "a leaf is lost": "DELETE FROM leaf WHERE ix = 1",
    "the last leaf is lost": "DELETE FROM leaf WHERE ix = (SELECT MAX(ix) FROM leaf)",
    "a leaf is altered": "UPDATE leaf SET body = CAST(replace(CAST(body AS TEXT), 'filed', 'owned') AS BLOB) WHERE ix = 1",
    "a leaf is backdated": "UPDATE leaf SET at = at - 1 WHERE ix = 2",
    "a leaf is moved to another agency": "UPDATE leaf SET agency = 'nobody' WHERE ix = 1",
    "a leaf's thread is lost": "UPDATE leaf SET thread = NULL WHERE ix = 1",
    "the head is ahead": "UPDATE log_head SET size = size + 1",
    "the head has another root": "UPDATE log_head SET frontier = (SELECT CAST(frontier || x'' AS BLOB) FROM log_head) || x'00'",
    "a node is missing": "DELETE FROM node",
    "a node is invented": "INSERT INTO node VALUES (1, 9, x'00')",
    "a checkpoint is ahead": "INSERT INTO checkpoint VALUES (100000, 1, 'note')",
    "a feed has a gap": "UPDATE feed SET seq = seq + 1 WHERE seq = (SELECT MAX(seq) FROM feed)",
    "a mailbox counts one too many": "UPDATE mailbox SET size = size + 1",
    "a delivery is lost": "DELETE FROM feed WHERE mailbox = 'exampleshire-constabulary/cait' AND kind = 'delivery'",
    "a delivery has no envelope": "DELETE FROM envelope WHERE ix = 0",
    "a tombstone keeps its payload": "UPDATE feed SET tombstone = 1 WHERE kind = 'notice'",
    "a body is lost": "DELETE FROM body WHERE envelope_ix = 0",
    "a body is altered": "UPDATE body SET content = CAST(replace(content, 'sealed', 'opened') AS BLOB)",
    "a withdrawn body is still there": "UPDATE envelope SET state = 'withdrawn' WHERE ix = 0",
    "a superseding envelope is unknown": "UPDATE envelope SET superseded_by = id WHERE ix = 0",
    "a receipt is lost": "DELETE FROM receipt",
    "a receipt is invented": "UPDATE receipt SET ix = 0",
    "a receipt has another level": "UPDATE receipt SET level = 'opened'",
    "an obligation is lost": "DELETE FROM obligation",
    "an obligation has another debtor": "UPDATE obligation SET debtor = 'nobody/else'",
    "an obligation is of no state": "UPDATE obligation SET state = 'forgotten'",
    "an obligation is open and settled": "UPDATE obligation SET state = 'open'",
    "an obligation was settled in silence": "UPDATE obligation SET state = 'met', settled_at = 1, next_at = NULL",
    "a settled obligation still ticks": "UPDATE obligation SET next_at = 1 WHERE state = 'met'",
    "an obligation is settled by nothing": "UPDATE obligation SET settled_by = x'00' WHERE state = 'met'",
    "a version is missing": "INSERT INTO document VALUES ('directory', 2, x'00', 1, 1, x'00')",
    "a key has two newest statements": "INSERT INTO key_statement SELECT x'00', n, 1, 'a', NULL, 'seal', n, 'active',"
    " 1, 1, 1, NULL, 1, x'00', NULL FROM (SELECT 1 AS n UNION SELECT 2)",
}


def _story(tx: Transaction) -> None:
    name, thread = new_id(), new_id()
    put_envelope(tx, name, to=(ALICE, BOB), thread=thread)
    put_receipt(tx, name, level="filed", at=NOW + 1)
    first, _ = put_obligations(tx, make_duty(name, thread), make_duty(name, thread, creditor=ALICE), at=NOW + 1)
    settle(tx, first, "met", by=name, at=NOW + 2)
    tx.add_feed(BOB, "notice", new_id(), NOW, b"jws")
    for number in range(256):
        put_obligations(tx, make_duty(name, thread, rule=f"rule-{number}"), at=NOW + 3)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the bytes of a database in which everything agrees."""
    import asyncio

    path = tmp_path_factory.mktemp("sound") / "hub.db"

    async def make() -> None:
        store = open_store(f"sqlite:///{path}")
        await store.write(_story)
        await check(store)
        await store.close()

    asyncio.run(make())
    return path.read_bytes()


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE.keys())
async def test_damage_is_found(sound: bytes, tmp_path: Path, statement: str) -> None:
    """No single change to a table goes unnoticed."""
    path = tmp_path / "hub.db"
    path.write_bytes(sound)
    raw = sqlite3.connect(path, isolation_level=None)
    assert raw.execute(statement).rowcount > 0
    raw.close()
    store = open_store(f"sqlite:///{path}")
    try:
        # Whatever it stumbles over: the rows may be so wrong that they can't be read.
        with pytest.raises(Exception):  # noqa: B017, PT011
            await check(store)
    finally:
        await store.close()
