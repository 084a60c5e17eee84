"""The folder pair keeps the adapters' contract, and what people do with folders does no harm."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Document, Filed, NeedsPerson, Notice, Spooled
from adapters.conformance import ENVELOPE, THREAD, AdapterContract, collect, sample_draft, sample_incoming
from adapters.folder import FolderAdapter
from schemas.strict_json import dump


class FolderHarness:
    """A folder pair under *root*."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self) -> FolderAdapter:
        """Return an adapter over it."""
        return FolderAdapter.configure({"path": "pair"}, self.root)

    def put(self, name: str, draft: bytes, documents: Sequence[Document] = ()) -> None:
        """Write a draft as a person would, ``message.json`` last."""
        folder = self.root / "pair" / "out" / name
        folder.mkdir(parents=True)
        for document in documents:
            (folder / document.name).write_bytes(document.content)
        (folder / "message.json").write_bytes(draft)

    def count_waiting(self) -> int:
        """Return how many drafts are in ``out/`` or taken and not settled."""
        pair = self.root / "pair"
        return len(list((pair / "out").iterdir())) + len(list((pair / ".working").iterdir()))

    def count_records(self) -> int:
        """Return how many messages are in ``in/``."""
        return len(list((self.root / "pair" / "in").glob("*/message.json")))

    def read_record(self, record: str) -> Any:
        """Return the message of *record*."""
        return json.loads((self.root / "pair" / record / "message.json").read_bytes())


class TestFolderContract(AdapterContract):
    """The contract of every adapter, kept by the folder pair."""

    def harness(self, tmp_path: Path) -> FolderHarness:
        """Return a folder pair."""
        return FolderHarness(tmp_path)


@pytest.fixture
def pair(tmp_path: Path) -> FolderHarness:
    """Give a folder pair that exists."""
    harness = FolderHarness(tmp_path)
    harness.open()
    return harness


async def test_a_single_file_is_a_draft_too(pair: FolderHarness) -> None:
    """`out/<name>.json` is taken, and lies in `sent/<name>/` with its envelope's id and thread."""
    (pair.root / "pair/out/note.json").write_bytes(dump(sample_draft()))
    (outgoing,) = await collect(pair.open())
    await outgoing.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    note = json.loads((pair.root / "pair/sent/note/envelope.json").read_bytes())
    assert note == {"id": ENVELOPE, "thread": THREAD}
    assert (pair.root / "pair/sent/note/message.json").exists()


async def test_a_folder_without_its_message_is_not_complete(pair: FolderHarness) -> None:
    """Attachments that lie there before `message.json` are left alone."""
    folder = pair.root / "pair/out/early"
    folder.mkdir()
    (folder / "minutes.pdf").write_bytes(b"%PDF")
    assert await collect(pair.open()) == []
    assert (folder / "minutes.pdf").exists()


async def test_a_file_that_is_still_written_is_left_until_it_ends(pair: FolderHarness) -> None:
    """Half a JSON text is not refused while it grows, and is once it stays as it is."""
    path, whole = pair.root / "pair/out/growing.json", dump(sample_draft())
    adapter = pair.open()
    path.write_bytes(whole[:20])
    assert await collect(adapter) == []
    path.write_bytes(whole[:40])
    assert await collect(adapter) == []
    path.write_bytes(whole)
    assert len(await collect(adapter)) == 1
    stuck = pair.root / "pair/out/stuck.json"
    stuck.write_bytes(b"{")
    await collect(adapter)
    await collect(adapter)
    reason = json.loads((pair.root / "pair/refused/stuck/reason.json").read_bytes())
    assert reason["code"] == "json-syntax"


@pytest.mark.parametrize("name", [".draft.json", ".draft"])
async def test_hidden_files_are_not_drafts(pair: FolderHarness, name: str) -> None:
    """Temporary files of editors and copiers are left alone."""
    (pair.root / "pair/out" / name).write_bytes(dump(sample_draft()))
    assert await collect(pair.open()) == []


async def test_links_are_never_followed(pair: FolderHarness) -> None:
    """A link in a draft can't send a file from elsewhere."""
    secret = pair.root / "secret"
    secret.write_bytes(b"not for sending")
    folder = pair.root / "pair/out/sly"
    folder.mkdir()
    (folder / "paper.txt").symlink_to(secret)
    (folder / "message.json").write_bytes(dump(sample_draft(attachments=["paper.txt"])))
    (pair.root / "pair/out/sly.json").symlink_to(secret)
    assert await collect(pair.open()) == []
    reason = json.loads((pair.root / "pair/refused/sly/reason.json").read_bytes())
    assert reason["code"] == "attachment-unreadable"


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        (sample_draft(attachments=["missing.pdf"]), "attachment-missing"),
        (sample_draft(attachments=["../escape.pdf"]), "document-name"),
        (sample_draft(attachments=["envelope.json"]), "document-name"),
        (sample_draft(attachments=["a.pdf", "A.pdf"]), "document-name"),
        (sample_draft(to=["nobody"]), "draft-shape"),
        ({**sample_draft(), "surprise": 1}, "draft-shape"),
        ({"type": "minutes.full/1"}, "draft-shape"),
    ],
)
async def test_refused_drafts_say_why(pair: FolderHarness, draft: dict[str, Any], code: str) -> None:
    """Each goes to `refused/` with a code, a sentence and a way out."""
    pair.put("draft", dump(draft))
    assert await collect(pair.open()) == []
    reason = json.loads((pair.root / "pair/refused/draft/reason.json").read_bytes())
    assert (reason["code"], bool(reason["message"]), bool(reason["hint"])) == (code, True, True)


async def test_names_are_used_again(pair: FolderHarness) -> None:
    """A second draft of one name doesn't replace the first in `sent/`."""
    for number in (0, 1):
        pair.put("minutes", dump(sample_draft(message={"number": number})))
        (outgoing,) = await collect(pair.open())
        await outgoing.done(Spooled(envelope=ENVELOPE[:-1] + "Qg"[number], thread=THREAD))
    assert len(list((pair.root / "pair/sent").glob("minutes*/message.json"))) == 2


async def test_killed_while_taking_a_single_file(pair: FolderHarness) -> None:
    """An empty working folder that a kill left is cleared away; the file is still in `out/` and is taken."""
    adapter = pair.open()
    (pair.root / "pair/.working/AZ~note").mkdir()
    (pair.root / "pair/out/note.json").write_bytes(dump(sample_draft()))
    assert len(await collect(adapter)) == 1
    assert not (pair.root / "pair/.working/AZ~note").exists()


async def test_killed_while_filing(pair: FolderHarness) -> None:
    """Half a record that a kill left is written anew, whole."""
    adapter = pair.open()
    staging = pair.root / f"pair/in/.{ENVELOPE}.tmp"
    staging.mkdir()
    (staging / "message.json").write_bytes(b"{")
    outcome = await adapter.file(sample_incoming())
    assert isinstance(outcome, Filed)
    assert pair.read_record(outcome.record) == sample_incoming().message
    assert not staging.exists()


async def test_a_record_that_was_changed_is_for_a_person(pair: FolderHarness) -> None:
    """Filing again over a record that somebody changed is not called filed."""
    adapter = pair.open()
    await adapter.file(sample_incoming())
    (pair.root / f"pair/in/{ENVELOPE}/message.json").write_bytes(b"{}")
    assert await adapter.file(sample_incoming()) == NeedsPerson(code="record-differs")


async def test_what_is_filed_is_for_its_owner_only(pair: FolderHarness) -> None:
    """Filed messages, documents and notices can be read by the gateway's own user alone."""
    adapter = pair.open()
    await adapter.file(sample_incoming())
    await adapter.notify(Notice(id="n1", code="overdue", at=1, source="hub", mailbox="a/b"))
    for path in (pair.root / "pair/in").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_notices_are_files(pair: FolderHarness) -> None:
    """A notice is `in/notices/<id>.json`; told twice, it is one."""
    adapter = pair.open()
    notice = Notice(id="n1", code="overdue", at=5, source="hub", mailbox="a/b", details={"due": 4, "debtor": "c/d"})
    await adapter.notify(notice)
    await adapter.notify(notice)
    (path,) = (pair.root / "pair/in/notices").iterdir()
    said = json.loads(path.read_bytes())
    assert said == {
        "id": "n1",
        "notice": "overdue",
        "at": 5,
        "source": "hub",
        "mailbox": "a/b",
        "due": 4,
        "debtor": "c/d",
    }


async def test_what_the_hub_refuses_later_moves_to_refused(pair: FolderHarness) -> None:
    """A draft in `sent/` whose envelope the hub refuses is found in `refused/` with the reason."""
    adapter = pair.open()
    pair.put("draft", dump(sample_draft()))
    (outgoing,) = await collect(adapter)
    await outgoing.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    details = {"envelope": ENVELOPE, "code": "recipient-ended", "message": "m", "hint": "h"}
    await adapter.notify(Notice(id="n", code="send-refused", at=1, source="gateway", details=details))
    assert not (pair.root / "pair/sent/draft").exists()
    assert json.loads((pair.root / "pair/refused/draft/reason.json").read_bytes())["code"] == "recipient-ended"


@pytest.mark.parametrize("options", [{"paht": "x"}, {"path": 7}])
def test_unknown_options_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    """A misspelt option can't pass for a set one."""
    with pytest.raises(ValueError, match=r"path|paht"):
        FolderAdapter.configure(options, tmp_path)


async def test_a_pipe_named_as_attachment_does_not_hang(pair: FolderHarness) -> None:
    """What is no plain file is refused at once."""
    folder = pair.root / "pair/out/pipe"
    folder.mkdir()
    os.mkfifo(folder / "paper")
    (folder / "message.json").write_bytes(dump(sample_draft(attachments=["paper"])))
    assert await collect(pair.open()) == []
    assert (pair.root / "pair/refused/pipe/reason.json").exists()
