"""What a process is given: what manifest and configuration both say, and nothing by accident."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Deletes, Filed, Held, Later, ReadsBack, TakesNotices
from adapters.conformance import collect, sample_draft, sample_incoming
from adapters.hosting import kernel, process
from adapters.hosting.grants import PluginError
from adapters.plugins import load_adapters
from schemas.strict_json import dump
from tests.adapters.plugin_support import install

CALLER = """
    import asyncio
    from adapters.base import Filed, Held, Manifest, Outgoing

    class Plugin:
        manifest = Manifest(name="caller", title="Caller", transports=("tcp",), network=True)

        @classmethod
        def configure(cls, options, home):
            return cls()

        async def collect(self):
            for one in ():
                yield one

        async def file(self, message):
            host, port = message.message["host"], message.message["port"]
            try:
                reader, writer = await asyncio.open_connection(host, port)
            except OSError as error:
                return Filed(record=type(error).__name__)
            try:
                said = await reader.readline()
                writer.write(said.upper())
                writer.write_eof()
                return Filed(record=(await reader.read()).decode())
            finally:
                writer.close()

        async def read_back(self, record):
            return Held(record=record, members={"/flag": record}) if record else None
"""
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the kernel that confines is Linux")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say hello, and back what is said."""
    writer.write(b"hello\n")
    writer.write(b"heard " + await reader.read())
    await writer.drain()
    writer.close()


@linux_only
async def test_it_reaches_the_hosts_that_it_was_granted_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ordinary code connects to a granted name and port; another port of it, its address, or another name leads nowhere."""
    install(tmp_path, monkeypatch, "caller", CALLER)
    async with (
        await asyncio.start_server(answer, "127.0.0.1", 0) as granted,
        await asyncio.start_server(answer, "127.0.0.1", 0) as other,
    ):
        here, there = (one.sockets[0].getsockname()[1] for one in (granted, other))
        table = {"network": True, "hosts": [f"localhost:{here}"]}
        adapter = load_adapters({"caller": table}, tmp_path)["caller"]
        try:
            results = {}
            for host, port in (("localhost", here), ("LOCALHOST", here), ("localhost", there), ("127.0.0.1", here)):
                outcome = await adapter.file(sample_incoming(message={"host": host, "port": port}))
                results[host, port] = outcome.record if isinstance(outcome, Filed) else outcome
            assert results["localhost", here] == results["LOCALHOST", here] == "heard HELLO\n"
            assert results["localhost", there] == results["127.0.0.1", here] == "ConnectionRefusedError"
            assert set(adapter.holds) >= {"network", "sockets", "files"}
        finally:
            await adapter.close()


LISTENER = """
    import asyncio
    from adapters.base import Filed, Manifest

    class Plugin:
        manifest = Manifest(name="listener", title="Listener", transports=("tcp",), network=True)
        server = None

        @classmethod
        def configure(cls, options, home):
            found = cls()
            found.port = options["port"]
            return found

        async def collect(self):
            if self.server is None:
                self.server = await asyncio.start_server(self.answer, "0.0.0.0", self.port)
            for one in ():
                yield one

        async def answer(self, reader, writer):
            writer.write((await reader.read()).upper())
            writer.close()

        async def file(self, message):
            try:
                await asyncio.open_connection("127.0.0.1", message.message["port"])
            except OSError as error:
                return Filed(record=type(error).__name__)
"""


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@linux_only
async def test_it_is_reached_at_the_addresses_granted_and_reaches_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ordinary code listens in its own network; visitors of the gateway's address come through, and it gets no further."""
    install(tmp_path, monkeypatch, "listener", LISTENER)
    port = free_port()
    table = {"network": True, "listen": [f"127.0.0.1:{port}"], "port": port}
    adapter = load_adapters({"listener": table}, tmp_path)["listener"]
    try:
        assert await collect(adapter) == []
        for text in (b"first", b"x" * 1_000_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(text)
            writer.write_eof()
            assert await reader.read() == text.upper()
            writer.close()
            await writer.wait_closed()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            beside = server.sockets[0].getsockname()[1]
            outcome = await adapter.file(sample_incoming(message={"port": beside}))
            assert outcome == Filed(record="ConnectionRefusedError")
    finally:
        await adapter.close()


@linux_only
async def test_an_address_that_another_program_has_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It doesn't start half: where nobody could reach it, that is why it doesn't start."""
    install(tmp_path, monkeypatch, "listener", LISTENER)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        table = {"network": True, "listen": [f"127.0.0.1:{port}"], "port": port}
        adapter = load_adapters({"listener": table}, tmp_path)["listener"]
        with pytest.raises(PluginError) as caught:
            await adapter.start()
        assert caught.value.code == "adapter-listen"
        await adapter.close()


@linux_only
async def test_what_a_machine_cannot_shut_in_is_not_run_unless_the_configuration_accepts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without namespaces and Landlock others' code isn't read; accepted, it works, is a warning, and without a grant has no socket."""
    refuse = "def refuse(*_):\n    raise OSError\n"
    script = f"import adapters.hosting.kernel as k\n{refuse}k.leave_network = refuse\nk.landlock_version = lambda: 0\n"
    script += "from adapters.hosting.child import main\nmain()"
    monkeypatch.setattr(process, "_command", lambda *more: [sys.executable, "-I", "-c", script, *more])
    install(tmp_path, monkeypatch, "caller", CALLER)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        message = sample_incoming(message={"host": "localhost", "port": port})
        table: dict[str, Any] = {"network": True, "hosts": [f"localhost:{port}"]}
        with pytest.raises(PluginError, match="as to files, network") as caught:
            load_adapters({"caller": table | {"without": ["processes"]}}, tmp_path)
        assert caught.value.code == "adapter-unconfined"
        adapter = load_adapters({"caller": table | {"without": ["files", "network"]}}, tmp_path)["caller"]
        assert await adapter.file(message) == Filed(record="heard HELLO\n")
        await adapter.close()
        assert "isn't confined as to files, network" in caplog.text
        assert set(adapter.holds) == {"sockets", "processes", "rights", "limits"}
        install(tmp_path, monkeypatch, "caller", CALLER.replace("network=True", "network=False"))
        shut = load_adapters({"caller": {"without": ["files", "network"]}}, tmp_path)["caller"]
        assert await shut.file(message) == Filed(record="PermissionError")
        await shut.close()


async def test_the_network_takes_both_the_manifest_and_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that needs it and isn't granted it can't be had; one that doesn't ask gets none, whatever the configuration says."""
    install(tmp_path, monkeypatch, "caller", CALLER)
    with pytest.raises(PluginError) as caught:
        load_adapters({"caller": {"hosts": ["localhost:1"]}}, tmp_path)
    assert caught.value.code == "adapter-network"
    folder = load_adapters({"folder": {"path": "pair", "network": True}}, tmp_path)["folder"]
    assert folder._setup.grants.network is False
    free = load_adapters({"caller": {"network": True}}, tmp_path)["caller"]
    try:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            outcome = await free.file(sample_incoming(message={"host": "127.0.0.1", "port": port}))
            assert outcome == Filed(record="heard HELLO\n")
    finally:
        await free.close()


async def test_it_has_the_optional_methods_that_its_class_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`notify`, `delete` and `read_back` are there only where the adapter has them, and come through."""
    install(tmp_path, monkeypatch, "caller", CALLER)
    adapters = load_adapters({"caller": {"network": True}, "folder": {"path": "pair"}}, tmp_path)
    caller, folder = adapters["caller"], adapters["folder"]
    assert [isinstance(caller, kind) for kind in (TakesNotices, Deletes, ReadsBack)] == [False, False, True]
    assert [isinstance(folder, kind) for kind in (TakesNotices, Deletes, ReadsBack)] == [True, True, False]
    assert isinstance(caller, ReadsBack)
    try:
        assert await caller.read_back("A-1") == Held(record="A-1", members={"/flag": "A-1"})
        assert await caller.read_back("") is None
    finally:
        await caller.close()


@pytest.mark.parametrize("path", ["", "pair/..", "trust"])
async def test_a_folder_that_holds_the_gateways_own_files_is_never_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The home itself, what is above it and what the gateway trusts can't be an adapter's folder."""
    source = CALLER.replace("network=True", 'writes=("path",)')
    install(tmp_path, monkeypatch, "caller", source)
    home = tmp_path / "home"
    (home / "pair").mkdir(parents=True)
    with pytest.raises(PluginError) as caught:
        load_adapters({"caller": {"path": path or str(tmp_path)}}, home)
    assert caught.value.code == "adapter-folder"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("raise RuntimeError('broken')", "adapter-import"),
        ("import nothing_of_that_name", "adapter-import"),
        ("class Plugin: pass", "adapter-manifest"),
        ("class Plugin: manifest = {'name': 7}", "adapter-manifest"),
        (CALLER.replace('"caller"', '"other"'), "adapter-manifest"),
        ("import os; os._exit(0)", "adapter-died"),
        ("import os, sys; os.write(1, b'x' * 100)\nclass Plugin: pass", "adapter-manifest"),
    ],
)
async def test_a_package_that_is_no_adapter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, code: str
) -> None:
    """What can't be imported, has no manifest, or calls itself something else never gets a message."""
    install(tmp_path, monkeypatch, "caller", source)
    with pytest.raises(PluginError) as caught:
        load_adapters({"caller": {"network": True}}, tmp_path)
    assert caught.value.code == code
    assert caught.value.hint


@linux_only
@pytest.mark.skipif(not kernel.landlock_version(), reason="this kernel has no Landlock")
async def test_also_its_import_can_do_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that runs when the class is looked at reads and writes nothing, and has no connections."""
    secret = tmp_path / "secret"
    secret.write_text("x", "utf-8")
    for line in (f"open({str(secret)!r})", f"open({str(secret)!r}, 'w')", "__import__('socket').socket()"):
        install(tmp_path, monkeypatch, "caller", line)
        with pytest.raises(PluginError, match="PermissionError") as caught:
            load_adapters({"caller": {"network": True}}, tmp_path)
        assert caught.value.code == "adapter-import"
    assert secret.read_text("utf-8") == "x"


async def test_a_draft_that_is_none_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draft that isn't strict JSON, or too long, is refused to its adapter, and the one behind it comes."""
    install(
        tmp_path, monkeypatch, "sender", """
        from adapters.base import Document, Draft, DraftAuthor, Filed, Manifest, Outgoing

        class Plugin:
            manifest = Manifest(name="sender", title="Sender", transports=("none",))
            refused = []

            @classmethod
            def configure(cls, options, home):
                return cls()

            async def collect(self):
                for key, number, length in (("bad", 2**60, 1), ("long", 1, 95_000_000), ("good", 1, 1)):
                    async def done(result, key=key):
                        self.refused.append(f"{key}:{getattr(result, 'code', 'sent')}")
                    draft = Draft(type="meeting.claimed/1", from_="northmere-health/safeguarding",
                        author=DraftAuthor(name="x", role="nurse"), attachments=("a.pdf",), message={"n": number})
                    paper = Document(name="a.pdf", type="application/pdf", content=bytes(length))
                    yield Outgoing(key=key, draft=draft, documents=(paper,), done=done)

            async def file(self, message):
                return Filed(record=",".join(self.refused))
        """,
    )  # fmt: skip
    adapter = load_adapters({"sender": {}}, tmp_path)["sender"]
    try:
        assert [one.key for one in await collect(adapter)] == ["good"]
        assert await adapter.file(sample_incoming()) == Filed(record="bad:json-number,long:draft-too-long")
    finally:
        await adapter.close()


@linux_only
async def test_its_process_dies_with_a_gateway_that_is_killed(tmp_path: Path) -> None:
    """Killed without a word, the gateway leaves no process that has messages in its memory."""
    script = """
    import asyncio, sys
    from pathlib import Path
    from adapters.plugins import load_adapters

    async def main():
        adapter = load_adapters({"folder": {"path": "pair"}}, Path(sys.argv[1]))["folder"]
        await adapter.start()
        print(adapter._process._process.pid, flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
    """
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(script), str(tmp_path), stdout=subprocess.PIPE
    )
    assert gateway.stdout is not None
    pid = int(await gateway.stdout.readline())
    gateway.send_signal(signal.SIGKILL)
    await gateway.wait()
    async with asyncio.timeout(10):
        while is_running(pid):  # noqa: ASYNC110 (it happens in another process)
            await asyncio.sleep(0.02)


def is_running(pid: int) -> bool:
    """Answer whether *pid* is a process that hasn't ended."""
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


async def test_a_hosted_draft_is_what_was_written(tmp_path: Path) -> None:
    """Nothing is lost between a folder and the gateway, whatever the script."""
    adapter: Any = load_adapters({"folder": {"path": "pair"}}, tmp_path)["folder"]
    (tmp_path / "pair/out/note.json").write_bytes(dump(sample_draft()))
    try:
        (outgoing,) = await collect(adapter)
        assert outgoing.draft.message == sample_draft()["message"]
    finally:
        await adapter.close()


async def test_a_folder_that_was_put_anew_is_granted_anew(tmp_path: Path) -> None:
    """A share that was away, or mounted again, is another folder to the kernel: the process is started anew, and nothing fails."""
    adapter = load_adapters({"folder": {"path": "pair"}}, tmp_path)["folder"]
    try:
        assert isinstance(await adapter.file(sample_incoming()), Filed)
        (tmp_path / "pair").rename(tmp_path / "away")
        (tmp_path / "back").mkdir()
        for name in ("out", "sent", "refused", "in", ".working"):
            (tmp_path / "back" / name).mkdir()
        (tmp_path / "back").rename(tmp_path / "pair")
        assert isinstance(await adapter.file(sample_incoming()), Filed)
        assert len(list((tmp_path / "pair/in").glob("*/message.json"))) == 1
        assert adapter.take_troubles() == []
    finally:
        await adapter.close()


async def test_on_a_share_that_is_away_nothing_is_made(tmp_path: Path) -> None:
    """A gateway starts while a share is away, and puts nothing where the share will be."""
    (tmp_path / "mount").mkdir()
    adapter = load_adapters({"folder": {"path": str(tmp_path / "mount"), "share": True}}, tmp_path / "home")["folder"]
    try:
        outcome = await adapter.file(sample_incoming())
        assert isinstance(outcome, Later)
        assert list((tmp_path / "mount").iterdir()) == []
        (tmp_path / "mount/in").mkdir()
        (tmp_path / "mount/in/.share").touch()
        assert isinstance(await adapter.file(sample_incoming()), Filed)
    finally:
        await adapter.close()
