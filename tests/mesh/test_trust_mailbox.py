"""A trust's own MESH mailbox as its record system, with the NHS's client against the NHS's sandbox."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mesh_client
import pytest
import requests
import urllib3.exceptions

from adapters.base import Document, DraftRefused, Filed, Later, NeedsPerson, Notice, Outcome, Outgoing, Spooled
from adapters.checks import UNICODE
from adapters.conformance import ENVELOPE, THREAD, collect, sample_draft, sample_incoming
from adapters.mesh import MeshAdapter
from adapters.mesh.line import ERRORS
from adapters.mesh.packages import pack_files, unpack_draft
from adapters.plugins import load_adapters
from schemas.strict_json import MalformedError, dump
from tests.mesh.proxy import terminating
from tests.mesh.sandbox import DRAFTS, ENGINE, GATEWAY, OTHER, SHARED_KEY, WORKFLOW, Engine, Sandbox, running_sandbox

WAITING = Later(reason="mesh-waiting")
RECORD = Filed(record=f"REC-{ENVELOPE}-safeguarding")
MESSAGE = sample_incoming()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """Give one sandbox for all tests."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def engine(running: Sandbox) -> Engine:
    """Give the trust's engine, with empty mailboxes."""
    running.reset()
    return Engine(running)


def options(engine: Engine, home: Path, **changes: Any) -> dict[str, Any]:
    """Return the table of an adapter in *home*, with its secrets there."""
    (home / "password").write_text("password\n", "utf-8")
    (home / "shared-key").write_text(SHARED_KEY, "utf-8")
    return {
        "path": "mesh", "url": engine.sandbox.url, "mailbox": GATEWAY, "to": ENGINE, "password": "password",
        "shared_key": "shared-key", "workflows": {"*": WORKFLOW}, "pause": 0.0, **changes,
    }  # fmt: skip


async def find_unread(adapter: MeshAdapter) -> list[Outgoing]:
    """Have *adapter* say that the mailbox can't be read, which is no empty mailbox; return what it yielded before."""
    found = []
    try:
        async for outgoing in adapter.collect():
            found.append(outgoing)  # noqa: PERF401 (what came before the error counts)
    except ERRORS:
        return found
    pytest.fail("it didn't say so")


def _status(code: int) -> requests.HTTPError:
    answer = requests.Response()
    answer.status_code = code
    return requests.HTTPError(response=answer)


class Opened:
    """Adapters over one mailbox and folder; the one before is ended first, as a process would be."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self.engine, self.home = engine, home
        self.made: list[MeshAdapter] = []

    async def __call__(self, **changes: Any) -> MeshAdapter:
        """Return a fresh adapter."""
        await self.close()
        self.made.append(MeshAdapter.configure(options(self.engine, self.home, **changes), self.home))
        return self.made[-1]

    async def close(self) -> None:
        """End it."""
        while self.made:
            await self.made.pop().close()


@pytest.fixture
async def opened(engine: Engine, tmp_path: Path) -> AsyncIterator[Opened]:
    """Give a maker of adapters."""
    made = Opened(engine, tmp_path)
    yield made
    await made.close()


async def test_a_message_is_filed_when_the_engine_says_so(opened: Opened) -> None:
    """MESH's acceptance and the engine's collecting are not enough; its answer with the record is, also after a restart."""
    adapter = await opened()
    assert await adapter.file(MESSAGE) == WAITING
    assert await adapter.file(MESSAGE) == WAITING
    opened.engine.work()
    assert await adapter.file(MESSAGE) == RECORD
    assert opened.engine.read(RECORD.record) == MESSAGE.message
    assert opened.engine.waiting() == []
    assert await (await opened()).file(MESSAGE) == RECORD
    assert len(opened.engine.heard) == 1


@pytest.mark.parametrize(
    ("says", "outcome"),
    [
        ({"refused": "unknown-patient"}, NeedsPerson(code="mesh-record-refused")),
        ({"record": "REC-1", "sha256": "0" * 64}, NeedsPerson(code="record-differs")),
        ({"record": "REC-1", "mode": "reference_only"}, Filed(record="REC-1", mode="reference_only")),
        ({"record": "REC-1", "refused": "x"}, WAITING),
        ({"record": "REC-1", "mailbox": "northmere-health/another"}, WAITING),
        ({"record": ""}, WAITING),
    ],
)
async def test_what_the_engine_answers_is_held_to_its_words(
    opened: Opened, says: dict[str, Any], outcome: Outcome
) -> None:
    """A refusal and another digest need a person; what answers nothing files nothing and is left in the mailbox."""
    adapter = await opened()
    await adapter.file(MESSAGE)
    opened.engine.work(**says)
    assert await adapter.file(MESSAGE) == outcome
    assert len(opened.engine.waiting()) == (outcome == WAITING)
    assert await adapter.file(MESSAGE) == outcome


async def test_an_answer_from_another_mailbox_files_nothing(opened: Opened) -> None:
    """Only the engine's mailbox can say that the record system has it."""
    adapter = await opened()
    await adapter.file(MESSAGE)
    answer = {"envelope": ENVELOPE, "mailbox": MESSAGE.mailbox, "sha256": "0" * 64, "record": "REC-1"}
    with opened.engine.sandbox.client(OTHER) as client:
        client.send_message(GATEWAY, json.dumps(answer).encode(), workflow_id=f"{WORKFLOW}_ACK")
    assert await adapter.file(MESSAGE) == WAITING
    assert len(opened.engine.waiting()) == 1


async def test_requirement_15_each_thread_has_a_client_of_its_own(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sending and collecting are on two threads, neither the event loop's, and no client is used by both."""
    used: dict[int, set[int]] = {}
    generate = mesh_client.AuthTokenGenerator.generate_token

    def note(self: Any) -> str:
        used.setdefault(id(self), set()).add(threading.get_ident())
        return generate(self)

    monkeypatch.setattr(mesh_client.AuthTokenGenerator, "generate_token", note)
    adapter = await opened()
    await adapter.file(MESSAGE)
    await collect(adapter)
    await adapter.file(replace(MESSAGE, envelope=THREAD))
    threads = [one for found in used.values() for one in found]
    assert len(used) == len(threads) == len(set(threads)) == 2
    assert threading.get_ident() not in threads


async def test_requirement_16_what_cannot_be_kept_is_not_acknowledged(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is full answers and drafts stay in the mailbox, and nothing is acknowledged before it is on disk."""
    adapter = await opened()
    await adapter.file(MESSAGE)
    opened.engine.work()
    opened.engine.send(dump(sample_draft()))
    with monkeypatch.context() as full:
        for name in ("marks.write_file", "mesh.sendings.write_file", "mesh.drafts.write_new"):
            full.setattr(f"adapters.{name}", _full)
        assert await adapter.file(MESSAGE) == WAITING
        await find_unread(adapter)
    assert len(opened.engine.waiting()) == 2
    with monkeypatch.context() as cut:
        # Killed between keeping and acknowledging: it comes again, and is there once.
        cut.setattr(mesh_client.MeshClient, "acknowledge_message", _cut)
        assert await adapter.file(MESSAGE) == RECORD
        for _ in range(2):
            await find_unread(adapter)
    assert len(opened.engine.waiting()) == 2
    assert len(await collect(await opened())) == 1
    assert opened.engine.waiting() == []


def _full(*_given: Any, **_named: Any) -> None:
    raise OSError(28, "full")


def _cut(*_given: Any) -> None:
    raise requests.ConnectionError


async def test_requirement_16_a_report_leaves_it_owed(opened: Opened) -> None:
    """Not collected in five days goes again under the same LocalID, the third time a person looks; another reason at once."""
    adapter, sandbox = await opened(), opened.engine.sandbox
    for _ in range(2):
        await adapter.file(MESSAGE)
        sandbox.report(GATEWAY, _last(opened), "14")
        assert [await adapter.file(MESSAGE) for _ in range(2)] == [WAITING, WAITING]
    sandbox.report(GATEWAY, _last(opened), "14")
    assert await adapter.file(MESSAGE) == NeedsPerson(code="mesh-undelivered")
    other = replace(MESSAGE, envelope=THREAD)
    await adapter.file(other)
    sandbox.report(GATEWAY, _last(opened, THREAD), "12")
    assert await adapter.file(other) == NeedsPerson(code="mesh-undelivered")
    assert opened.engine.waiting() == []


def _last(opened: Opened, envelope: str = ENVELOPE) -> str:
    """Return MESH's id of what was sent last for *envelope*; it is in the engine's mailbox."""
    kept = [json.loads(path.read_bytes()) for path in (opened.home / "mesh" / "sent").glob("*.json")]
    (name,) = (one["names"][-1] for one in kept if one["envelope"] == envelope)
    assert name in opened.engine.waiting(ENGINE)
    return str(name)


async def test_requirement_16_a_report_that_comes_late_or_twice_counts_once(opened: Opened) -> None:
    """One about an earlier try changes nothing while a later one is under way; one about nothing of ours is left."""
    adapter, sandbox = await opened(), opened.engine.sandbox
    await adapter.file(MESSAGE)
    first = _last(opened)
    for code in ("14", "12"):
        sandbox.report(GATEWAY, first, code)
        assert [await adapter.file(MESSAGE) for _ in range(2)] == [WAITING, WAITING]
    assert opened.engine.waiting() == []
    sandbox.report(GATEWAY, "NOTHING", "14")
    assert await adapter.file(MESSAGE) == WAITING
    assert len(opened.engine.waiting()) == 1
    opened.engine.work()
    assert await adapter.file(MESSAGE) == RECORD


async def test_requirement_17_the_local_id_is_on_disk_before_it_goes(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an unknown outcome the same goes again under the same LocalID, and the engine files it once."""
    adapter, send = await opened(), mesh_client.MeshClient.send_message
    seen = []

    def cut(self: Any, recipient: str, data: bytes, **given: Any) -> str:
        (kept,) = (opened.home / "mesh" / "sent").glob("*.json")
        seen.append(json.loads(kept.read_bytes())["local_id"] == given["local_id"])
        send(self, recipient, data, **given)
        raise requests.ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(mesh_client.MeshClient, "send_message", cut)
        assert await adapter.file(MESSAGE) == Later(reason="mesh-away")
    adapter = await opened()
    assert await adapter.file(MESSAGE) == WAITING
    opened.engine.work()
    assert await adapter.file(MESSAGE) == RECORD
    assert seen == [True]
    assert len(opened.engine.heard) == 2
    assert len(set(opened.engine.heard)) == len(opened.engine.records) == 1
    assert opened.engine.waiting() == []


async def test_requirement_18_more_than_a_page_is_taken_and_each_has_its_workflow(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more messages than one page holds none is left, though foreign ones are before them."""
    monkeypatch.setattr("adapters.mesh.adapter._PAGE", 10)
    opened.engine.send(b"x", workflow_id="FOREIGN")
    with opened.engine.sandbox.client(ENGINE) as client:
        for number in range(25):
            client.send_message(GATEWAY, dump(sample_draft()), workflow_id=DRAFTS, local_id=f"L-{number}")
    adapter = await opened()
    found = await collect(adapter)
    assert len({one.key for one in found}) == 25
    assert len(opened.engine.waiting()) == 1
    await found[0].done(Spooled(envelope=ENVELOPE, thread=THREAD))
    await adapter.file(MESSAGE)
    await collect(adapter)
    opened.engine.work()
    assert len(opened.engine.heard) == 1
    assert [workflow for workflow, _ in opened.engine.told] == [f"{DRAFTS}_ACK"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"workflows": {"*": "ZOË"}}, "workflows"),
        ({"workflows": {"*": "X_ACK"}}, "_ACK"),
        ({"to": "X 1"}, "to"),
        ({"url": "ftp://x"}, "url"),
        ({"url": "http://mesh.northmere.test"}, "url"),
        ({"password": "nothing"}, "password"),
        ({"shared_key": "odd"}, "ASCII"),
        ({"certificate": "x"}, "key"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_requirement_19_headers_and_passwords_are_ascii(
    engine: Engine, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    """What a header or the authorization can't carry is refused when it is configured, by its option's name."""
    (tmp_path / "odd").write_text("pässword", "utf-8")
    with pytest.raises(ValueError, match=says):
        MeshAdapter.configure(options(engine, tmp_path, **changes), tmp_path)


async def test_requirement_19_no_content_is_in_a_header(opened: Opened) -> None:
    """Of a message only its digest, its workflow and its media type are outside of the package."""
    await (await opened()).file(MESSAGE)
    with opened.engine.sandbox.client(ENGINE) as client:
        message = client.retrieve_message(_last(opened))
        said = dict(message.mex_headers())
        message.close()
    # The file name is MESH's own.
    assert said.get("filename", "") == f"{said['messageid']}.dat"
    assert not said.get("subject")
    assert not said.get("partnerid")
    assert ENVELOPE not in str(said)


async def test_requirement_19_each_error_of_the_client_waits_or_asks_for_a_person(opened: Opened) -> None:
    """A wrong password, nobody there and an unknown recipient: nothing is filed, and nothing is lost."""
    (opened.home / "wrong").write_text("wrong", "utf-8")
    adapter = await opened(password="wrong")
    assert await adapter.file(MESSAGE) == Later(reason="mesh-forbidden")
    await find_unread(adapter)
    adapter = await opened(url="http://127.0.0.1:9")
    assert await adapter.file(MESSAGE) == Later(reason="mesh-away")
    await find_unread(adapter)
    adapter = await opened(to="NOBODY")
    assert await adapter.file(MESSAGE) == NeedsPerson(code="mesh-refused")
    adapter = await opened(workflows={})
    assert await adapter.file(MESSAGE) == NeedsPerson(code="mesh-no-workflow")
    adapter = await opened()
    assert await adapter.file(MESSAGE) == WAITING
    opened.engine.work()
    assert await adapter.file(MESSAGE) == RECORD


async def test_the_servers_certificate_is_verified(opened: Opened) -> None:
    """By the trust's own authority it is filed; by none that is known, or once it has ended, nothing is sent."""
    port = int(opened.engine.sandbox.url.rpartition(":")[2])
    async with terminating(port, opened.home, days=-1) as (url, authority):
        adapter = await opened(url=url, ca=authority)
        assert await adapter.file(MESSAGE) == Later(reason="mesh-certificate")
        await opened.close()
    async with terminating(port, opened.home) as (url, authority):
        assert await (await opened(url=url)).file(MESSAGE) == Later(reason="mesh-certificate")
        assert opened.engine.waiting(ENGINE) == []
        adapter = await opened(url=url, ca=authority)
        assert await adapter.file(MESSAGE) == WAITING
        opened.engine.work()
        assert await adapter.file(MESSAGE) == RECORD
        await opened.close()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "mesh-slow"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "mesh-answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "mesh-answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "mesh-answer"),
        (b'HTTP/1.1 403 No\r\nContent-Length: 14\r\n\r\n{"detail":"no"}', "mesh-answer"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "mesh-busy"),
        (b"nonsense\r\n\r\n", "mesh-away"),
    ],
)
async def test_a_server_that_hangs_or_answers_wrongly_is_asked_again(opened: Opened, said: bytes, reason: str) -> None:
    """Nothing waits for ever, and nothing of it is taken for an acceptance."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await (writer.drain() if said else reader.read())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 22)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    adapter = await opened(url=url, seconds=20.0 if said else 0.3)
    assert await adapter.file(MESSAGE) == Later(reason=reason)
    if said.endswith(b"{}"):
        assert await collect(adapter) == []  # nothing is listed
    else:
        await find_unread(adapter)
    server.close()
    adapter = await opened()
    assert await adapter.file(MESSAGE) == WAITING


async def test_a_new_password_is_read_without_a_restart(opened: Opened) -> None:
    """After a refusal the file is read again."""
    adapter = await opened()
    (opened.home / "password").write_text("old", "utf-8")
    assert await adapter.file(MESSAGE) == Later(reason="mesh-forbidden")
    (opened.home / "password").write_text("password", "utf-8")
    assert await adapter.file(MESSAGE) == WAITING


async def test_one_that_cannot_be_retrieved_keeps_none_behind_it(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes last the next time."""
    broken = opened.engine.send(dump(sample_draft()))
    opened.engine.send(dump(sample_draft()))
    retrieve = mesh_client.MeshClient.retrieve_message

    def cut(self: Any, name: str) -> Any:
        if name == broken:
            raise requests.ConnectionError
        return retrieve(self, name)

    monkeypatch.setattr(mesh_client.MeshClient, "retrieve_message", cut)
    adapter = await opened()
    assert await find_unread(adapter) == []
    assert len(await find_unread(adapter)) == 1
    assert opened.engine.waiting() == [broken]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (mesh_client.MeshError("x", {"errorCode": "12", "errorDescription": "x"}), NeedsPerson(code="mesh-refused")),
        (mesh_client.MeshError("x", {"detail": [{"code": "02"}]}), Later(reason="mesh-forbidden")),
        (mesh_client.MeshError({}), Later(reason="mesh-forbidden")),
        (_status(413), NeedsPerson(code="mesh-refused")),
        (_status(403), Later(reason="mesh-forbidden")),
        (_status(503), Later(reason="mesh-busy")),
        (requests.ReadTimeout(), Later(reason="mesh-slow")),
        (requests.exceptions.SSLError(), Later(reason="mesh-certificate")),
        (requests.exceptions.JSONDecodeError("x", "y", 0), Later(reason="mesh-answer")),
        (AttributeError(), Later(reason="mesh-answer")),
        (urllib3.exceptions.ResponseError("x"), Later(reason="mesh-away")),
        (ConnectionResetError(), Later(reason="mesh-away")),
    ],
)
async def test_requirement_19_no_error_of_the_client_ends_the_adapter(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, error: Exception, outcome: Outcome
) -> None:
    """Whatever the client, requests or urllib3 raise for a send has its code, and the message can go later."""

    def fail(*_given: Any, **_named: Any) -> None:
        raise error

    adapter = await opened()
    with monkeypatch.context() as broken:
        broken.setattr(mesh_client.MeshClient, "send_message", fail)
        assert await adapter.file(MESSAGE) == outcome
    assert await adapter.file(MESSAGE) == WAITING


async def test_a_draft_is_sent_once_and_the_engine_is_told(opened: Opened) -> None:
    """JSON alone or with documents in a zip; a repeat under its LocalID is one, and what became of it goes back."""
    paper = {"letter.pdf": b"%PDF", "message.json": dump(sample_draft(attachments=["letter.pdf"]))}
    for _ in range(2):
        opened.engine.send(pack_files(paper), local_id="Zoë-1")
    opened.engine.send(b'{"type": 7}', local_id="L-2")
    opened.engine.send(dump(sample_draft()))
    opened.engine.send(dump(sample_draft()))
    found = await collect(await opened())
    assert len({one.key for one in found}) == 3
    (one,) = (one for one in found if one.documents)
    assert one.documents == (Document(name="letter.pdf", type="application/pdf", content=b"%PDF"),)
    assert one.draft.author.name == UNICODE
    for _ in range(2):
        await one.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    opened.engine.send(pack_files(paper), local_id="Zoë-1")
    adapter = await opened()
    assert len(await collect(adapter)) == 2
    opened.engine.work()
    said = {answer["draft"]: answer for workflow, answer in opened.engine.told if workflow == f"{DRAFTS}_ACK"}
    assert said["Zoë-1"] == {"draft": "Zoë-1", "sent": True, "envelope": ENVELOPE, "thread": THREAD}
    assert (said["L-2"]["sent"], said["L-2"]["code"]) == (False, "draft-shape")
    assert len(opened.engine.told) == 2
    assert opened.engine.waiting() == []


async def test_a_draft_that_was_handed_over_leaves_nothing_and_is_told_of_again(opened: Opened) -> None:
    """Of its content nothing stays on disk, also where it was cut off; a repeat gets the same answer."""
    raw = dump(sample_draft())
    opened.engine.send(raw, local_id="L-1")
    (one,) = await collect(await opened())
    received = opened.home / "mesh" / "received"
    shutil.copytree(received / one.key, received / ".cut-off.gone")
    await one.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    adapter = await opened()
    for _ in range(2):
        assert await collect(adapter) == []
        opened.engine.work()
        opened.engine.send(raw, local_id="L-1")
    assert len(opened.engine.told) == 2
    assert opened.engine.told[0] == opened.engine.told[1]
    kept = b"".join(path.read_bytes() for path in (opened.home / "mesh").rglob("*") if path.is_file())
    assert UNICODE.encode() not in kept


async def test_an_answer_to_a_workflow_that_is_no_longer_configured_counts(opened: Opened) -> None:
    """What went on it before is filed."""
    await (await opened()).file(MESSAGE)
    opened.engine.work()
    assert await (await opened(workflows={"*": "ANOTHER"})).file(MESSAGE) == RECORD


async def test_what_the_gateway_refuses_and_notices_reach_the_engine(opened: Opened) -> None:
    """A refused draft and, where a workflow is named for them, notices."""
    opened.engine.send(dump(sample_draft()), local_id="L-1")
    adapter = await opened(notices="TRUST_NOTICES")
    (one,) = await collect(adapter)
    await one.done(DraftRefused(code="message-schema", message="no", hint=""))
    for _ in range(2):
        await adapter.notify(Notice(id=ENVELOPE, code="overdue", at=1, source="hub"))
    assert await collect(adapter) == []
    opened.engine.work()
    assert {workflow: (said.get("code"), said.get("notice")) for workflow, said in opened.engine.told} == {
        f"{DRAFTS}_ACK": ("message-schema", None), "TRUST_NOTICES": (None, "overdue"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"PK nonsense", "draft-package"),
        (pack_files({"x": b"y"}), "draft-package"),
        (pack_files({f"{number}": b"" for number in range(40)}), "draft-package"),
        (pack_files({"message.json": dump(sample_draft()), "bomb": bytes(61 << 20)}), "draft-package"),
        (pack_files({"message.json": dump(sample_draft(attachments=["a.pdf"]))}), "attachment-missing"),
        (dump(sample_draft(attachments=["a.pdf"])), "attachment-missing"),
        (pack_files({"message.json": dump(sample_draft(attachments=["../a"])), "../a": b""}), "document-name"),
        (b"[", "json-syntax"),
    ],
)
def test_a_package_that_is_none_is_refused(raw: bytes, code: str) -> None:
    """A bomb, a path, a missing document and what is no zip have their code."""
    with pytest.raises(MalformedError) as caught:
        unpack_draft(raw)
    assert caught.value.code == code


async def test_in_a_process_of_its_own_it_reaches_the_mailbox_and_no_other(engine: Engine, tmp_path: Path) -> None:
    """With its host granted a message is filed, and a draft comes; with another's it waits."""
    engine.send(dump(sample_draft()))
    place = engine.sandbox.url.removeprefix("http://")
    for hosts, first in ((["127.0.0.1:9"], Later(reason="mesh-away")), ([place], WAITING)):
        table = options(engine, tmp_path, network=True, hosts=hosts)
        adapter = load_adapters({"mesh": table}, tmp_path)["mesh"]
        assert await adapter.file(MESSAGE) == first
        if first == WAITING:
            engine.work()
            assert await adapter.file(MESSAGE) == RECORD
            assert len(await collect(adapter)) == 1
        await adapter.close()
