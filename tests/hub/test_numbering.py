"""The numbers of feeds: the log commits to every one, and an outsider finds a hub that numbers otherwise."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from hub import export, ledger
from hub.core.numbering import GRACE
from hub.store import feeds
from hub.store.base import open_store
from hub.store.session import Session
from hub.store.transaction import Transaction
from hub.verifier import Verifier
from keys import digests
from tests.county import CAIT, MASH, NURSES, ORIGIN, POLICE, County, Desk
from tests.hub.support import hold, minutes, verify
from tests.invariants import check


@pytest.fixture
async def liar(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a county whose database may end up wrong."""
    county, store = County(), open_store(f"sqlite:///{tmp_path}/hub.db")
    yield Desk(county, store, await county.found(store))
    await store.close()


async def _export(desk: Desk, folder: Path) -> Path:
    """Sign the log and export it."""
    await ledger.sign_checkpoint(desk.store, ORIGIN, desk.county.note_signers, desk.county.now)
    await export.write_folder(await export.open_export(desk.store, desk.county.now), folder)
    return folder


def _problems(desk: Desk, folder: Path) -> list[str]:
    return Verifier(folder, desk.county.roots).run().problems


async def _run(desk: Desk, text: str) -> None:
    """Do to the database what no verb does."""
    await desk.store.write(lambda tx: tx.connection.raw.execute(text))  # type: ignore[attr-defined]


async def test_every_number_is_told_before_each_checkpoint(desk: Desk, tmp_path: Path) -> None:
    """Deliveries, receipts, notices and what is delivered again are all numbered without a gap, and committed to."""
    county = desk.county
    await desk.send(held := hold(county, CAIT, NURSES))
    await desk.send(sent := minutes(county, held.header.thread, CAIT, NURSES))
    await desk.receive(sent, CAIT, "collected", "filed")
    await desk.rotate("northmere-health")
    await desk.reseal(sent)
    folder = await _export(desk, tmp_path / "one")
    lines = [json.loads(line) for line in (folder / "feeds.jsonl").read_text().splitlines()]
    mine = [(kind, ref) for mailbox, _, kind, ref in lines if mailbox == NURSES and kind == "delivery"]
    assert mine == [("delivery", held.id), ("delivery", sent.id), ("delivery", sent.id)]
    assert {kind for _, _, kind, _ in lines} == {"delivery", "receipt", "notice"}
    verifier = Verifier(folder, county.roots)
    assert verifier.run().problems == []
    assert verifier.numbers.count == len(lines)
    head = await desk.store.read(lambda tx: tx.log_head())
    assert (head.told, head.given) == (len(lines), len(lines))
    assert await ledger.sign_checkpoint(desk.store, ORIGIN, county.note_signers, county.now) is None
    await check(desk.store)


async def test_what_was_numbered_otherwise_later_is_found(liar: Desk, tmp_path: Path) -> None:
    """Two entries change places in a feed after the log had told of them."""
    await liar.send(one := hold(liar.county, CAIT))
    await liar.send(two := hold(liar.county, CAIT))
    await _export(liar, tmp_path / "before")
    rows = [f"(SELECT place FROM feed WHERE mailbox = '{CAIT}' AND seq = {seq})" for seq in (1, 2)]
    assert one.id != two.id
    await _run(liar, f"UPDATE feed SET place = -place WHERE place IN {rows[0]}")
    await _run(liar, f"UPDATE feed SET seq = 1000 + seq WHERE mailbox = '{CAIT}'")
    await _run(liar, f"UPDATE feed SET seq = 1003 - seq, place = abs(place) WHERE mailbox = '{CAIT}'")
    problems = _problems(liar, await _export(liar, tmp_path / "after"))
    assert any("not those that were given" in problem for problem in problems)


Patch = Callable[[pytest.MonkeyPatch], None]


def _skip(patched: pytest.MonkeyPatch) -> None:
    """Leave every other number out."""
    truthful = Session.next_number

    def skip(tx: Session, mailbox: str, kind: str, ref: bytes) -> tuple[int, int]:
        tx._sizes[mailbox] = tx.feed_size(mailbox) + 1
        return truthful(tx, mailbox, kind, ref)

    patched.setattr(Session, "next_number", skip)


def _forget(patched: pytest.MonkeyPatch) -> None:
    """Owe an envelope to nobody."""
    patched.setattr(Transaction, "add_deliveries", lambda *_: {})


def _invent(patched: pytest.MonkeyPatch) -> None:
    """Put a receipt into a feed that nobody signed."""
    truthful = feeds.add_deliveries

    def invent(tx: Any, name: str, index: int, wraps: Any, at: int) -> dict[str, int]:
        feeds.add_feed(tx, MASH, "receipt", digests.new_id(at), at, b"")
        return truthful(tx, name, index, wraps, at)

    patched.setattr(Transaction, "add_deliveries", invent)


def _withhold(patched: pytest.MonkeyPatch) -> None:
    """Number an envelope in the feed of somebody to whom it was not sent."""
    truthful = feeds.add_deliveries

    def withhold(tx: Any, name: str, index: int, wraps: Any, at: int) -> dict[str, int]:
        return truthful(tx, name, index, [(NURSES, kid) for _, kid in wraps], at)

    patched.setattr(Transaction, "add_deliveries", withhold)


@pytest.mark.parametrize(
    ("cheat", "said"),
    [
        (_skip, "follows"),
        (_forget, "got no number in the feed"),
        (_invent, "is for nothing that was accepted"),
        (_withhold, "is for nothing that was accepted"),
    ],
)
async def test_a_hub_that_numbers_wrongly_is_found(
    liar: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cheat: Patch, said: str
) -> None:
    """A number left out, an envelope without one, a number for nothing, a number in somebody else's feed."""
    # What is told first may be the account of a hub that began to keep one.
    await liar.send(hold(liar.county, CAIT))
    await _export(liar, tmp_path / "before")
    with monkeypatch.context() as patched:
        cheat(patched)
        await liar.send(hold(liar.county, CAIT))
    problems = _problems(liar, await _export(liar, tmp_path / "after"))
    assert any(said in problem for problem in problems), problems


async def test_a_hub_that_tells_no_more_is_found(liar: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour after it accepted something the log still has no word of its number."""
    await liar.send(hold(liar.county, CAIT))
    await _export(liar, tmp_path / "before")
    monkeypatch.setattr(ledger, "tell_numbers", lambda *_: None)
    await liar.send(hold(liar.county, CAIT))
    assert _problems(liar, await _export(liar, tmp_path / "soon")) == []
    liar.county.now += GRACE + 1
    await liar.send(hold(liar.county, CAIT))
    assert any("has no number" in problem for problem in _problems(liar, await _export(liar, tmp_path / "late")))


async def test_a_hub_that_kept_no_account_at_first_begins_one(liar: Desk, tmp_path: Path) -> None:
    """Numbers from before have no place; from the first that is told on, none may be missing."""
    await liar.send(sent := hold(liar.county, CAIT))
    await _run(liar, "UPDATE feed SET place = NULL")
    await _run(liar, "UPDATE log_head SET given = 0, numbers = '', told = 0")
    await liar.receive(sent, CAIT, "collected")
    await liar.send(hold(liar.county, CAIT))
    assert (await verify(liar.store, liar.county, tmp_path / "one")).problems == []
    await liar.receive(sent, CAIT, "opened")
    await liar.take(liar.county.receipt(sent, CAIT, "acknowledged"), by=POLICE)
    assert (await verify(liar.store, liar.county, tmp_path / "two")).problems == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], "more numbers than the export holds"),
        (lambda lines: [*lines, lines[-1]], "numbers that no entry tells of"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "not those that were given"),
        (lambda lines: [b'["a",1]\n', *lines], "json-shape"),
    ],
)
async def test_an_export_without_one_number_is_found(
    liar: Desk, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    """A line too few, too many, in another order, or none at all."""
    await liar.send(hold(liar.county, CAIT, NURSES))
    folder = await _export(liar, tmp_path / "one")
    path = folder / "feeds.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    assert any(said in problem for problem in _problems(liar, folder))
