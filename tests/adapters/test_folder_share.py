"""The watched folder on a network share: away, full, read-only, half copied, blind to capitals; nothing is lost or said too early."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters import folder as folder_module
from adapters.base import Document, DraftRefused, Filed, Later, NeedsPerson, Outgoing, Spooled
from adapters.conformance import ENVELOPE, THREAD, collect, sample_draft, sample_incoming
from adapters.folder import FolderAdapter
from adapters.plugins import load_adapters
from adapters.shares import PATIENCE, Settling, is_passing, is_safe_name, shorten
from schemas.strict_json import dump


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the moment."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


@pytest.fixture
def share(tmp_path: Path, clock: Clock) -> FolderAdapter:
    """Give an adapter over a share that is there, and waits five seconds."""
    (tmp_path / "share/in").mkdir(parents=True)
    (tmp_path / "share/in/.share").touch()
    adapter = FolderAdapter(tmp_path / "share", share=True, settling=Settling(5.0, clock))
    (tmp_path / "share/out").mkdir()
    return adapter


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", place], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a file system can't be made here")
    yield place
    subprocess.run(["umount", place], check=True)


def mount(place: Path) -> None:
    """Mount an empty file system at *place*, with the administrator's marker in it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], check=True)
    (place / "in").mkdir()
    (place / "in/.share").touch()


def unmount(place: Path) -> None:
    """Take it away."""
    subprocess.run(["umount", place], check=True)


def remount(place: Path, how: str) -> None:
    """Mount the file system at *place* as *how* says."""
    subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)


async def test_a_share_that_is_away_is_not_filed_to(share: FolderAdapter) -> None:
    """What lies under the mount point of a share that went away is another disk: nothing is written, filed or called deleted there."""
    share.root.rename(share.root.with_name("gone"))
    (share.root / "in").mkdir(parents=True)
    (share.root / "out").mkdir()
    assert await share.file(sample_incoming()) == Later(reason="folder-away")
    with pytest.raises(FileNotFoundError):
        await collect(share)
    with pytest.raises(FileNotFoundError):
        await share.delete(ENVELOPE, "northmere-health/safeguarding")
    assert list((share.root / "in").iterdir()) == []


async def test_a_share_that_comes_back_goes_on(share: FolderAdapter) -> None:
    """A gateway started while the share is away files once it is there."""
    (share.root / "in/.share").unlink()
    assert await share.file(sample_incoming()) == Later(reason="folder-away")
    (share.root / "in/.share").touch()
    assert await share.file(sample_incoming()) == Filed(record=f"in/{ENVELOPE}")


async def test_a_share_that_goes_while_filing_is_not_filed_to(
    share: FolderAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written and read back is not enough where the share went meanwhile."""
    really = folder_module.move

    def move(source: Path, target: Path) -> None:
        really(source, target)
        (share.root / "in/.share").unlink()

    monkeypatch.setattr(folder_module, "move", move)
    assert await share.file(sample_incoming()) == Later(reason="folder-away")


async def test_a_share_that_hangs_is_asked_again(tmp_path: Path) -> None:
    """A message over which the share doesn't answer waits, without an alarm; the one behind it is filed, and so is it, afterwards."""
    adapter = load_adapters({"folder": {"path": "pair", "limits": {"seconds": 2}}}, tmp_path)["folder"]
    other = sample_incoming(envelope=THREAD)
    assert await adapter.file(other) == Filed(record=f"in/{THREAD}")
    # A pipe that nobody writes to answers as a share does whose server is gone.
    note = tmp_path / "pair/in" / ENVELOPE / "envelope.json"
    note.parent.mkdir()
    os.mkfifo(note)
    assert await adapter.file(sample_incoming()) == Later(reason="adapter-slow")
    assert await adapter.file(other) == Filed(record=f"in/{THREAD}")
    os.close(os.open(note, os.O_WRONLY))
    note.unlink()
    note.parent.rmdir()
    assert await adapter.file(sample_incoming()) == Filed(record=f"in/{ENVELOPE}")
    assert adapter.take_troubles() == []
    await adapter.close()


async def test_a_full_disk_is_asked_again(small_disk: Path) -> None:
    """On a disk that is full nothing is filed and no half is left; with room the same message is filed."""
    adapter = FolderAdapter(small_disk)
    (small_disk / "other").write_bytes(bytes(100_000))
    large = sample_incoming(documents=(Document(name="a.pdf", type="application/pdf", content=bytes(200_000)),))
    assert await adapter.file(large) == Later(reason="folder-full")
    assert [path.name for path in (small_disk / "in").iterdir()] == ["notices"]
    (small_disk / "other").unlink()
    assert await adapter.file(large) == Filed(record=f"in/{ENVELOPE}")


async def test_a_read_only_share_loses_nothing(small_disk: Path) -> None:
    """On a share that became read-only drafts stay where they are, said by an error, and messages wait."""
    adapter = FolderAdapter(small_disk)
    (small_disk / "out/a.json").write_bytes(dump(sample_draft()))
    remount(small_disk, "ro")
    assert await adapter.file(sample_incoming()) == Later(reason="folder-read-only")
    with pytest.raises(OSError, match="Read-only"):
        await collect(adapter)
    remount(small_disk, "rw")
    assert len(await collect(adapter)) == 1
    assert await adapter.file(sample_incoming()) == Filed(record=f"in/{ENVELOPE}")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "folder-full"),
        (errno.EDQUOT, "folder-full"),
        (errno.EACCES, "folder-read-only"),
        (errno.ESTALE, "folder-away"),
        (errno.EHOSTDOWN, "folder-away"),
        (errno.EIO, "folder-away"),
    ],
)
async def test_every_error_of_a_share_waits(
    share: FolderAdapter, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    """Whatever the share answers while a message is written, it is not filed and is tried again."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "write_new", fail)
        assert await share.file(sample_incoming()) == Later(reason=reason)
    assert isinstance(await share.file(sample_incoming()), Filed)


async def test_a_folder_that_is_still_copied_waits(share: FolderAdapter, clock: Clock) -> None:
    """`message.json` that comes before its attachment, as a file manager copies, is not refused while the copy goes on."""
    draft = share.root / "out/minutes"
    draft.mkdir()
    (draft / "message.json").write_bytes(dump(sample_draft(attachments=["minutes.pdf"])))
    assert await collect(share) == []
    clock.now += 4
    (draft / "minutes.pdf").write_bytes(b"%PDF half")
    assert await collect(share) == []
    clock.now += 4
    (draft / "minutes.pdf").write_bytes(b"%PDF half and whole")
    assert await collect(share) == []
    clock.now += 4
    assert await collect(share) == []
    clock.now += 1
    (outgoing,) = await collect(share)
    assert outgoing.documents[0].content == b"%PDF half and whole"


async def test_one_that_is_in_use_keeps_no_other(share: FolderAdapter, clock: Clock, monkeypatch: Any) -> None:
    """A draft that its writer still holds can't be moved; those behind it are sent, and it is once it is free."""
    for name in ("a", "b"):
        (share.root / f"out/{name}.json").write_bytes(dump(sample_draft(message={"name": name})))
    await collect(share)
    clock.now += 5
    really = folder_module.move

    def move(source: Path, target: Path) -> None:
        if source.name == "a.json":
            raise OSError(errno.EBUSY, "busy")
        really(source, target)

    found: list[Outgoing] = []

    async def take() -> None:
        async for outgoing in share.collect():
            found.append(outgoing)
            await outgoing.done(Spooled(envelope=ENVELOPE, thread=THREAD))

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "move", move)
        with pytest.raises(OSError, match="busy"):
            await take()
    assert [one.draft.message["name"] for one in found] == ["b"]
    assert [one.draft.message["name"] for one in await collect(share)] == ["a"]


@pytest.mark.parametrize("name", ["letter.docx", "early/minutes.pdf"])
async def test_what_never_becomes_a_draft_is_set_aside(share: FolderAdapter, clock: Clock, name: str) -> None:
    """A file that is no draft, or a folder without `message.json`, is in `refused/` with its reason after an hour, whole."""
    path = share.root / "out" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"words")
    await collect(share)
    clock.now += PATIENCE - 1
    await collect(share)
    assert path.exists()
    clock.now += 1
    await collect(share)
    assert not path.exists()
    (folder,) = (share.root / "refused").iterdir()
    assert json.loads((folder / "reason.json").read_bytes())["code"] == "draft-incomplete"
    assert (folder / path.name).read_bytes() == b"words"


async def test_what_programs_leave_is_let_be(share: FolderAdapter, clock: Clock) -> None:
    """Settings of folders, locks and unfinished downloads are neither drafts nor set aside."""
    for name in ("Thumbs.db", "desktop.ini", "~$minutes.docx", "a.json.part", ".DS_Store"):
        assert is_passing(name)
        (share.root / "out" / name).write_bytes(b"x")
    await collect(share)
    clock.now += 2 * PATIENCE
    await collect(share)
    assert list((share.root / "refused").iterdir()) == []


async def test_long_names_come_through(tmp_path: Path) -> None:
    """A name as long as the system takes is sent and refused like any other."""
    adapter = FolderAdapter(tmp_path)
    for name, draft in (("ä" * 125, dump(sample_draft())), ("b" * 250, b"[]")):
        (tmp_path / f"out/{name}.json").write_bytes(draft)
    for _ in range(2):
        for outgoing in await collect(adapter):
            await outgoing.done(DraftRefused(code="x", message="y"))
    names = sorted(path.name for path in (tmp_path / "refused").iterdir())
    assert names == ["b" * 120, "ä" * 60]
    assert shorten("a. " * 60) == ("a. " * 40).rstrip(". ")


@pytest.mark.parametrize(
    "name", ["CON", "nul.txt", "Com1.PDF", "lpt9 .pdf", "MINUTES.pdf", "Zoe\u0308.pdf", "a:b", "x "]
)
def test_names_that_a_share_takes_for_others(name: str) -> None:
    """Devices, capitals, and two spellings of one letter are not names of their own."""
    assert not is_safe_name(name, ["minutes.pdf", "zo\u00eb.pdf"])
    assert is_safe_name("console.pdf", ["minutes.pdf"])


async def test_another_envelope_that_differs_in_capitals_is_not_deleted(tmp_path: Path) -> None:
    """Deleting one envelope leaves the one whose id differs in capitals only."""
    adapter, other = FolderAdapter(tmp_path), ENVELOPE.swapcase()
    await adapter.file(sample_incoming(envelope=other))
    assert await adapter.delete(ENVELOPE, "northmere-health/safeguarding")
    assert (tmp_path / "in" / other / "message.json").exists()


@pytest.mark.parametrize("change", ["gone", "note"])
async def test_a_record_that_was_taken_apart_is_for_a_person(tmp_path: Path, change: str) -> None:
    """A record with a file missing, or a note that is no note, is neither filed nor tried for ever."""
    adapter = FolderAdapter(tmp_path)
    await adapter.file(sample_incoming())
    record = tmp_path / "in" / ENVELOPE
    (record / "minutes.pdf").unlink() if change == "gone" else (record / "envelope.json").write_bytes(b"[")
    assert await adapter.file(sample_incoming()) == NeedsPerson(code="record-differs")


async def test_a_changed_note_of_another_keeps_nothing(tmp_path: Path) -> None:
    """A note in `sent/` that somebody broke doesn't stop a deletion."""
    adapter = FolderAdapter(tmp_path)
    (tmp_path / "sent/broken").mkdir()
    (tmp_path / "sent/broken/envelope.json").write_bytes(b"[1")
    assert await adapter.delete(ENVELOPE, "northmere-health/safeguarding")


@pytest.mark.parametrize("options", [{"share": 1}, {"settle": "5"}, {"settle": -1}, {"settle": True}])
def test_options_are_of_their_kind(tmp_path: Path, options: dict[str, Any]) -> None:
    """An option of another kind is refused, by its name."""
    with pytest.raises(ValueError, match=next(iter(options))):
        FolderAdapter.configure(options, tmp_path)


async def test_a_share_that_cannot_sync_a_folder_still_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only files can be made durable one by one, messages are filed all the same."""
    really = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not for folders")
        really(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    assert await FolderAdapter(tmp_path).file(sample_incoming()) == Filed(record=f"in/{ENVELOPE}")


async def test_shut_in_it_files_to_a_share_that_comes_and_goes(small_disk: Path, tmp_path: Path) -> None:
    """Started while the share is away, the adapter's process files once it is mounted, waits while it is gone, and files again."""
    unmount(small_disk)
    adapter = load_adapters({"folder": {"path": str(small_disk), "share": True}}, tmp_path)["folder"]
    for number in range(2):
        message = sample_incoming(envelope=ENVELOPE[:-1] + "Qg"[number])
        assert await adapter.file(message) == Later(reason="folder-away")
        mount(small_disk)
        assert isinstance(await adapter.file(message), Filed)
        assert (small_disk / "in" / message.envelope / "message.json").exists()
        unmount(small_disk)
    assert os.listdir(small_disk) == []  # noqa: PTH208 (a look at once)
    mount(small_disk)
    await adapter.close()
