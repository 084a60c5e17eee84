"""An outside witness signs what only grows, says what it has signed, and never goes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.errors import HubError
from hub.witness.app import MAX_BODY, SIZE_TYPE
from hub.witness.home import KEY, LOGS, Home, Log
from keys import notes
from keys.jws import SigningKey
from keys.note_keys import NoteSigner
from tests.witness.support import NAME, NOW, ORIGIN, SIGNERS, Outsider, Tree, make_home, running

TREE, OTHER = Tree(), Tree("another ")


@pytest.fixture
async def outsider(tmp_path: Path) -> AsyncIterator[Outsider]:
    """Give a running witness that has signed nothing yet."""
    async with running(make_home(tmp_path / "witness")) as given:
        yield given


async def test_a_log_that_grows_is_cosigned_step_by_step(outsider: Outsider) -> None:
    """Each checkpoint that continues the last is answered with one line, which says who and when."""
    for old, size in ((0, 1), (1, 1), (1, 7), (7, 8), (8, 300)):
        answer = await outsider.post(TREE.ask(old, size))
        assert answer.status == 200, answer.text
        assert notes.check_cosignature(TREE.note(size), answer.text, outsider.verifier) == NOW
        assert outsider.home.logs()[ORIGIN].size == size, "it was durable before it was answered"


async def test_asking_from_another_size_is_answered_with_the_right_one(outsider: Outsider) -> None:
    """Whoever lost the witness's answer learns how far it has come."""
    assert (await outsider.post(TREE.ask(0, 5))).status == 200
    for old, size in ((0, 9), (3, 9), (4, 5)):
        assert await outsider.post(TREE.ask(old, size)) == (409, SIZE_TYPE, "5\n")
    assert (await outsider.post(TREE.ask(5, 9))).status == 200


@pytest.mark.parametrize(("old", "size"), [(5, 9), (5, 5)])
async def test_another_tree_is_never_signed_and_is_kept_as_evidence(outsider: Outsider, old: int, size: int) -> None:
    """A fork that the log signed is refused, and both signed checkpoints stay here."""
    assert (await outsider.post(TREE.ask(0, 5))).status == 200
    answer = await outsider.post(OTHER.ask(old, size))
    assert answer.status == (409 if size == 5 else 422)
    assert outsider.home.logs()[ORIGIN].root == TREE.root(5)
    (kept,) = (outsider.home.path / "evidence").iterdir()
    found = json.loads(kept.read_bytes())
    for note in (found["held"], found["shown"].partition("\n\n")[2]):
        notes.open_checkpoint(note, [one.verifier_key for one in SIGNERS], origin=ORIGIN)


async def test_a_tree_is_never_cut(outsider: Outsider) -> None:
    """A smaller tree is not signed after a larger one, whatever is said of the old size."""
    assert (await outsider.post(TREE.ask(0, 9))).status == 200
    assert (await outsider.post(TREE.ask(0, 5))).status == 409
    assert (await outsider.post(TREE.ask(5, 5))).status == 409
    assert (await outsider.post(TREE.ask(5, 5).replace("old 5", "old 9"))).status == 400


async def test_strangers_logs_are_not_signed(outsider: Outsider) -> None:
    """An unknown log is 404; a known one signed by another key, or by one of its two alone, is 403."""
    unknown = TREE.note(3).replace(ORIGIN, "other.example")
    assert (await outsider.post(TREE.ask(0, 3, note=unknown))).status == 404
    stranger = NoteSigner(ORIGIN, SigningKey.from_seed(b"\x09" * 32))
    for signers in ([stranger], SIGNERS[:1], SIGNERS[1:]):
        assert (await outsider.post(TREE.ask(0, 3, note=TREE.note(3, signers)))).status == 403
    tampered = TREE.note(3).replace("\n3\n", "\n4\n")
    assert (await outsider.post(TREE.ask(0, 3, note=tampered))).status == 403


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\n\n",
        b"old 0\n\n",
        b"old 0",
        TREE.ask(0, 3).replace("old 0", "old 00"),
        TREE.ask(0, 3).replace("old 0", "old 4"),
        TREE.ask(0, 3).replace("old 0", "new 0"),
        TREE.ask(0, 3).replace("old 0\n", "old 0\nAAAA\n"),
        TREE.ask(0, 3).replace("old 0\n", "old 0\n*\n"),
        TREE.ask(0, 3).replace("old 0\n", "old 0\n" + f"{'A' * 43}=\n" * 64),
        TREE.ask(0, 3).replace("\n3\n", "\n3x\n"),
    ],
)
async def test_what_is_no_request_is_refused(outsider: Outsider, body: str | bytes) -> None:
    """Malformed bytes are 400 and change nothing."""
    assert (await outsider.post(body)).status == 400
    assert outsider.home.logs()[ORIGIN].size == 0


async def test_a_proof_that_shows_nothing_is_422(outsider: Outsider) -> None:
    """A wrong hash, one too many, or a proof from an empty tree doesn't convince."""
    assert (await outsider.post(TREE.ask(0, 3).replace("old 0\n", f"old 0\n{'A' * 43}=\n"))).status == 422
    assert (await outsider.post(TREE.ask(0, 3))).status == 200
    for body in (TREE.ask(3, 9).replace("old 3\n", f"old 3\n{'A' * 43}=\n"), TREE.ask(3, 9, note=OTHER.note(9))):
        assert (await outsider.post(body)).status == 422
    assert (await outsider.post(TREE.ask(3, 9))).status == 200


async def test_a_body_has_an_end(outsider: Outsider) -> None:
    """More than a request can be is 413, and other paths and methods are nothing."""
    assert (await outsider.post("x" * (MAX_BODY + 1))).status == 413


async def test_many_at_once_never_take_the_witness_back(outsider: Outsider) -> None:
    """Of all who ask from one size exactly one is signed; the memory never holds less than what was signed."""
    assert (await outsider.post(TREE.ask(0, 4))).status == 200
    answers = await asyncio.gather(*(outsider.post(TREE.ask(4, size)) for size in range(5, 25)))
    signed = [size for size, answer in zip(range(5, 25), answers, strict=True) if answer.status == 200]
    assert len(signed) == 1
    assert {answer.status for answer in answers} == {200, 409}
    assert outsider.home.logs()[ORIGIN].size == signed[0]


async def test_a_restarted_witness_remembers_and_its_time_never_runs_back(tmp_path: Path) -> None:
    """After a restart, under a clock that was set back, the next line says no earlier moment and no smaller tree."""
    home = make_home(tmp_path / "witness")
    async with running(home) as first:
        assert (await first.post(TREE.ask(0, 5))).status == 200
    async with running(Home(home.path), lambda: NOW - 60_000) as again:
        assert (await again.post(TREE.ask(0, 6))).status == 409
        answer = await again.post(TREE.ask(5, 6))
        assert notes.check_cosignature(TREE.note(6), answer.text, again.verifier) == NOW


def test_a_witness_without_its_memory_does_not_sign(tmp_path: Path) -> None:
    """A lost or damaged memory, an open key file, another process on the folder: each is refused by name."""
    home = make_home(tmp_path / "witness")
    with home.locked(), pytest.raises(HubError, match="another process"), Home(home.path).locked():
        pass
    (home.path / KEY).chmod(0o644)
    with pytest.raises(HubError, match="others may read it"):
        home.key("")
    (home.path / KEY).chmod(0o600)
    with pytest.raises(HubError) as refused:
        home.key("wrong")
    assert refused.value.code == "passphrase"
    (home.path / LOGS).write_text('{"v":1,"logs"')
    with pytest.raises(HubError, match="damaged"):
        home.logs()
    (home.path / LOGS).unlink()
    with pytest.raises(HubError, match="couldn't read"):
        home.logs()
    with pytest.raises(HubError, match="isn't empty"):
        Home.make(home.path, NAME, "", training=True)
    with pytest.raises(HubError):
        Home(tmp_path / "nowhere").key("")


def test_evidence_has_an_end(tmp_path: Path) -> None:
    """A log that forks for ever fills no disk."""
    home = make_home(tmp_path / "witness", **{ORIGIN: Log(keys=(), directory=1)})
    for _ in range(260):
        home.keep_evidence(ORIGIN, b"x", "y")
    assert len(list((home.path / "evidence").iterdir())) == 256
