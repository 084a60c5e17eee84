"""A plugin that really tries is stopped, and what it did is known.  Each deed is done in a real process."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import sys
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Filed, Later, NeedsPerson
from adapters.conformance import THREAD, sample_incoming
from adapters.hosting import kernel
from adapters.hosting.frames import Outcome, pack
from adapters.hosting.host import HostedAdapter
from adapters.plugins import load_adapters
from tests.adapters.plugin_support import install

SECRET = "Zebulon"
SOURCE = (Path(__file__).parent / "malicious.py").read_text("utf-8")
LIMITS = {"seconds": 3, "memory_mb": 512, "file_mb": 8, "written_mb": 32, "threads": 40}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel that confines is Linux")
needs_landlock = pytest.mark.skipif(not kernel.landlock_version(), reason="this kernel has no Landlock")
needs_filter = pytest.mark.skipif(platform.machine() != "x86_64", reason="the calls are numbered as on x86_64")


@pytest.fixture
async def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HostedAdapter]:
    """Give the malicious adapter in the home of a gateway that has keys and a spool."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("keys.json", "spool.db", "gateway.toml"):
        (home / name).write_text(SECRET, "utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/message.json").write_text(SECRET, "utf-8")
    monkeypatch.setenv("GATEWAY_PASSPHRASE", SECRET)
    install(tmp_path, monkeypatch, "malicious", SOURCE)
    adapter = load_adapters({"malicious": {"path": "pair", "limits": LIMITS}}, home)["malicious"]
    yield adapter
    await adapter.close()


async def attempt(adapter: HostedAdapter, deed: str, **more: Any) -> Any:
    """Return what came of *deed*: its record, or the outcome where it isn't filed."""
    outcome = await adapter.file(sample_incoming(message={"deed": deed, **more}))
    return outcome.record if isinstance(outcome, Filed) else outcome


@needs_landlock
async def test_keys_spool_and_others_messages_are_out_of_reach(plugin: HostedAdapter, tmp_path: Path) -> None:
    """It can't read, change, open up, remove or link the gateway's files, or another system's."""
    for name, deed in product(
        ("home/keys.json", "home/spool.db", "home/gateway.toml", "other/message.json"),
        ("read", "write", "open_up", "remove", "link"),
    ):
        mode = (tmp_path / name).stat().st_mode
        assert await attempt(plugin, deed, path=str(tmp_path / name)) == "PermissionError", (name, deed)
        assert (tmp_path / name).read_text("utf-8") == SECRET
        assert (tmp_path / name).stat().st_mode == mode


@needs_landlock
async def test_its_own_folder_is_all_that_it_has(plugin: HostedAdapter, tmp_path: Path) -> None:
    """It writes and reads in the folder of its options, and can't so much as list the home or the temporary folder."""
    inside = str(tmp_path / "home/pair/own")
    assert await attempt(plugin, "write", path=inside) == "changed"
    assert await attempt(plugin, "read", path=inside) == "changed"
    for path in (tmp_path / "home", tmp_path, "/tmp", "/root", "/proc", "/dev/shm", "/etc/passwd"):  # noqa: S108
        assert await attempt(plugin, "list", path=str(path)) in {"PermissionError", "NotADirectoryError"}
    for path in ("/etc/passwd", "/etc/shadow", "/proc/1/environ"):
        assert await attempt(plugin, "read", path=path) == "PermissionError"


@needs_landlock
async def test_the_gateways_process_cannot_be_looked_into(plugin: HostedAdapter) -> None:
    """What the gateway has in memory and was started with isn't to be read from /proc."""
    for name in ("environ", "maps", "mem", "cmdline"):
        assert await attempt(plugin, "look_at_gateway", name=name) == "PermissionError"


async def test_it_inherits_nothing(plugin: HostedAdapter) -> None:
    """No environment but four plain settings, and no open file but pipes and its own loop's."""
    given = set((await attempt(plugin, "environment")).split(","))
    assert given <= {"LANG", "LC_CTYPE", "MALLOC_ARENA_MAX", "TZ", "TMPDIR"}
    # c: /dev/null; p: pipes; s: the loop's own pair; ?: its poll.
    assert set(await attempt(plugin, "handles")) <= set("cps?")


async def test_it_has_no_network(plugin: HostedAdapter) -> None:
    """A server beside the gateway can't be reached, nor can a socket of any kind be had."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await attempt(plugin, "connect", host="127.0.0.1", port=port) in {"PermissionError", "OSError"}
    for deed in ("unix", "vsock"):
        assert await attempt(plugin, deed) == "PermissionError"


@needs_filter
async def test_it_starts_and_signals_nobody(plugin: HostedAdapter) -> None:
    """It is one process, and no other hears of it."""
    for deed in ("fork", "execute", "signal", "signal_all"):
        assert await attempt(plugin, deed) == "PermissionError", deed


@needs_filter
async def test_the_calls_that_lead_out_are_refused(plugin: HostedAdapter) -> None:
    """Made by number, past Python: fork, ptrace, another's memory, io_uring, namespaces, other limits than its own, sockets."""
    gateway = os.getpid()
    for call in (
        [57], [58], [101, 16, gateway, 0, 0], [310, gateway, 0, 0, 0, 0, 0], [425, 8, 0], [319, 0, 0], [434, gateway, 0],
        [272, 0x10000000], [157, 1, 0, 0, 0, 0], [157, 4, 1, 0, 0, 0], [302, gateway, 7, 0, 0], [234, gateway, gateway, 0],
        [200, gateway, 0], [321, 0, 0, 0], [41, 1, 1, 0], [41, 16, 3, 0], [56, 17, 0, 0, 0, 0],
    ):  # fmt: skip
        assert await attempt(plugin, "call", call=call) == "PermissionError", call


@needs_filter
async def test_the_other_numbering_of_calls_ends_it(plugin: HostedAdapter) -> None:
    """The second table of x86_64 is no way round the filter."""
    assert await attempt(plugin, "call", call=[0x40000000 + 39]) == Later(reason="adapter-died")


async def test_it_cannot_fill_memory(plugin: HostedAdapter) -> None:
    """It runs into its own limit, and works on afterwards."""
    assert await attempt(plugin, "memory") == "MemoryError"
    assert await attempt(plugin, "nothing") == "nothing"


async def test_it_cannot_fill_the_disk(plugin: HostedAdapter, tmp_path: Path) -> None:
    """Neither by one long file, which is cut, nor by many, for which it is ended."""
    assert await attempt(plugin, "one_long_file") == "OSError"
    assert (tmp_path / "home/pair/long").stat().st_size <= 8 * 1024 * 1024
    outcome = await attempt(plugin, "many_files")
    assert outcome == Later(reason="adapter-wrote-too-much")


async def test_threads_without_end_end_it(plugin: HostedAdapter) -> None:
    """More threads than it may have end the process."""
    assert await attempt(plugin, "threads") == Later(reason="adapter-threads")


@pytest.mark.parametrize(("deed", "reason"), [("loop", "adapter-hung"), ("die", "adapter-died")])
async def test_a_message_it_dies_of_is_set_aside(plugin: HostedAdapter, deed: str, reason: str) -> None:
    """Asked three times, then set aside for a person with an alarm; others are filed meanwhile."""
    poison = sample_incoming(message={"deed": deed})
    for _ in range(2):
        assert await plugin.file(poison) == Later(reason=reason)
        await rested(plugin)
        assert await plugin.file(sample_incoming(envelope=THREAD, message={"deed": "nothing"})) == Filed(
            record="nothing"
        )
    assert await plugin.file(poison) == NeedsPerson(code="adapter-poison")
    assert [(one.reason, one.message) for one in plugin.take_troubles()] == [(reason, poison.envelope)]
    assert plugin.take_troubles() == []


async def rested(adapter: HostedAdapter) -> None:
    """Return once *adapter* may be started again."""
    async with asyncio.timeout(20):
        while adapter._rests():  # noqa: ASYNC110 (only time ends it)
            await asyncio.sleep(0.05)


async def test_one_that_keeps_ending_is_an_alarm_and_rests_longer(plugin: HostedAdapter) -> None:
    """Three ends in a row are told once; while it rests everything waits, and nothing is lost."""
    for number in range(3):
        await rested(plugin)
        other = sample_incoming(envelope=THREAD[:-1] + "AQg"[number], message={"deed": "die"})
        assert await plugin.file(other) == Later(reason="adapter-died")
    assert [one.reason for one in plugin.take_troubles()] == ["adapter-died"]
    assert await plugin.file(sample_incoming()) == Later(reason="adapter-restarting")
    assert [one async for one in plugin.collect()] == []
    await rested(plugin)
    assert await attempt(plugin, "nothing") == "nothing"


@pytest.mark.parametrize(
    ("length", "content", "seconds"),
    [
        (4, b"junk", 0),
        (0xFFFF_FFFF, b"", 0),
        (90 * 1024 * 1024, b"x", 60),
        (len(pack(Outcome(seq=999, record="forged"))) - 4, pack(Outcome(seq=999, record="forged"))[4:], 0),
    ],
    ids=["junk", "longer-than-any", "promised-and-never-sent", "answer-to-another-question"],
)
async def test_garbage_on_the_pipe_ends_it(plugin: HostedAdapter, length: int, content: bytes, seconds: float) -> None:
    """What isn't an answer to what was asked is never taken for one: the process ends, and the message waits."""
    outcome = await attempt(plugin, "garbage", length=length, bytes=list(content), seconds=seconds)
    assert outcome in {Later(reason="adapter-garbage"), Later(reason="adapter-hung")}
    await rested(plugin)
    assert await attempt(plugin, "nothing") == "nothing"


async def test_what_it_prints_or_raises_stays_out_of_the_log(
    plugin: HostedAdapter, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Printing reaches neither the pipe nor the gateway's output, and an error's text isn't logged: both may be content."""
    with caplog.at_level(logging.DEBUG):
        assert await attempt(plugin, "say", name=SECRET) == "said"
        with pytest.raises(ValueError, match="raised RuntimeError at malicious:"):
            await attempt(plugin, "raise_it", name=SECRET)
        assert await attempt(plugin, "nothing") == "nothing"
    assert SECRET not in caplog.text
    assert "printed something" in caplog.text
    assert SECRET not in "".join(capfd.readouterr())


async def test_its_process_ends_with_the_gateways(plugin: HostedAdapter) -> None:
    """Closed, its process is gone."""
    assert await attempt(plugin, "nothing") == "nothing"
    assert plugin._process is not None
    assert plugin._process._process is not None
    pid = plugin._process._process.pid
    await plugin.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_all_confinements_hold_here(plugin: HostedAdapter) -> None:
    """On the kernel that the tests run on, none is missing; where one is, the start says which."""
    await plugin.start()
    assert set(plugin.holds) == {"files", "network", "sockets", "processes", "rights", "limits"}
