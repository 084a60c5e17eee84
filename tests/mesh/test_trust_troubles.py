"""A trust's own MESH mailbox whose server asks for a certificate, or has no room: nothing is lost, and nothing is said too early."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from adapters.base import Document, Later, NeedsPerson, Outcome, Spooled
from adapters.conformance import ENVELOPE, THREAD, collect, sample_draft, sample_incoming
from schemas.strict_json import dump
from tests.mesh.proxy import Trouble, certify, line_to, terminating
from tests.mesh.sandbox import DRAFTS, ENGINE, Sandbox, running_sandbox
from tests.mesh.test_trust_mailbox import MESSAGE, RECORD, WAITING, Opened, engine, find_unread, opened

__all__ = ["engine", "opened"]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """Give one sandbox for all tests."""
    with running_sandbox() as sandbox:
        yield sandbox


def _port(opened: Opened) -> int:
    return int(opened.engine.sandbox.url.rpartition(":")[2])


def _show(home: Path, files: tuple[Path, Path]) -> dict[str, str]:
    """Put *files* where the adapter has its certificate, and return the options that name it."""
    for path, name in zip(files, ("own.pem", "own.key"), strict=True):
        (home / name).write_bytes(path.read_bytes())
    return {"certificate": "own.pem", "key": "own.key"}


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("wrong", ["none", "expired", "another authority", "missing", "broken", "locked"])
async def test_a_server_that_asks_for_a_certificate_gets_the_right_one(
    opened: Opened, tmp_path: Path, wrong: str, newest: ssl.TLSVersion
) -> None:
    """With none, one that has ended, another authority's or a file that is none nothing is sent; with the right one under the same name it is filed."""
    trust, other = certify(tmp_path, "trust"), certify(tmp_path, "other")
    named = _show(
        tmp_path,
        certify(
            tmp_path,
            "gateway",
            by=other if wrong == "another authority" else trust,
            days=-1 if wrong == "expired" else 1,
        ),
    )
    if wrong == "missing":
        (tmp_path / "own.pem").unlink()
    if wrong == "locked":
        key = serialization.load_pem_private_key((tmp_path / "own.key").read_bytes(), None)
        (tmp_path / "own.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"x"),
            )
        )
    if wrong == "broken":
        (tmp_path / "own.key").write_bytes(b"-----BEGIN NOTHING-----\n")
    async with terminating(_port(opened), tmp_path, clients=trust[0], newest=newest) as (url, authority):
        adapter = await opened(url=url, ca=authority, **({} if wrong == "none" else named))
        outcome = await adapter.file(MESSAGE)
        # By TLS 1.3 a client hears of it only after it has begun to send, or finds the line cut.
        late = newest is ssl.TLSVersion.TLSv1_3 and wrong in {"none", "expired", "another authority"}
        assert outcome in {Later(reason=f"mesh-{why}") for why in ("certificate", *(["away"] if late else []))}
        await find_unread(adapter)
        assert opened.engine.waiting(ENGINE) == []
        if wrong == "none":
            adapter = await opened(url=url, ca=authority, **named)
        _show(tmp_path, certify(tmp_path, "gateway", by=trust))
        assert await adapter.file(MESSAGE) == WAITING
        opened.engine.work()
        assert await adapter.file(MESSAGE) == RECORD
        assert len(opened.engine.heard) == 1
        await opened.close()


def _answer(status: int, body: bytes = b"", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status} No\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _detail(code: str) -> bytes:
    return dump({"detail": [{"event": "SEND", "code": code, "msg": "no"}]})


FULL = [
    (_answer(507), Later(reason="mesh-busy")),
    (_answer(503, b"<html></html>", "text/html"), Later(reason="mesh-busy")),
    (_answer(429), Later(reason="mesh-busy")),
    (_answer(429, _detail("99")), Later(reason="mesh-busy")),
    (_answer(429, b"<html></html>", "text/html"), Later(reason="mesh-busy")),
    (_answer(417, _detail("99")), Later(reason="mesh-forbidden")),
    (_answer(417, _detail("12")), NeedsPerson(code="mesh-refused")),
    (_answer(413, b"<html></html>", "text/html"), NeedsPerson(code="mesh-refused")),
]


@pytest.mark.parametrize(("answer", "outcome"), FULL)
async def test_a_mailbox_that_is_full_takes_it_later(opened: Opened, answer: bytes, outcome: Outcome) -> None:
    """What has no room, or comes too often, is asked again or asks for a person; once there is room it is filed, once."""
    trouble = Trouble(on=True, answer=answer)
    opened.engine.send(dump(sample_draft()), local_id="L-1")
    async with line_to(_port(opened), 0, trouble) as port:
        adapter = await opened(url=f"http://127.0.0.1:{port}")
        for _ in range(2):
            assert await adapter.file(MESSAGE) == outcome
        # What comes in is taken all the same, and what became of it is told when there is room.
        (one,) = await collect(adapter)
        await one.done(Spooled(envelope=ENVELOPE, thread=THREAD))
        assert await collect(adapter) == []
        assert trouble.hits == 3
        assert opened.engine.waiting(ENGINE) == []
        trouble.on = False
        assert await adapter.file(MESSAGE) == WAITING
        assert await collect(adapter) == []
        opened.engine.work()
        assert await adapter.file(MESSAGE) == RECORD
        assert len(opened.engine.heard) == 1
        assert [(workflow, said["draft"]) for workflow, said in opened.engine.told] == [(f"{DRAFTS}_ACK", "L-1")]
        await opened.close()


async def test_one_that_was_half_taken_goes_again_whole(opened: Opened) -> None:
    """Where there is no room for its second part the engine gets nothing of it; later it gets all of it."""
    paper = Document(name="scan.pdf", type="application/pdf", content=os.urandom(1 << 21))
    message = sample_incoming(documents=(paper,))
    trouble = Trouble(on=True, answer=_answer(507), where=b"/2 HTTP")
    async with line_to(_port(opened), 0, trouble) as port:
        adapter = await opened(url=f"http://127.0.0.1:{port}", chunk_mib=1)
        assert await adapter.file(message) == Later(reason="mesh-busy")
        assert trouble.hits == 1
        assert opened.engine.waiting(ENGINE) == []
        trouble.on = False
        assert await adapter.file(message) == WAITING
        opened.engine.work()
        assert await adapter.file(message) == RECORD
        assert len(opened.engine.heard) == 1
        await opened.close()
