"""The conformance checks against a trust's own MESH mailbox, whose engine answers later, on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Document, Incoming, Later, Outcome
from adapters.checks import CHECKS, ContractError, Patience, Trial, patience_with
from adapters.conformance import AdapterContract, Harness, sample_incoming
from adapters.gateway.cli import main
from adapters.mesh import MeshAdapter
from adapters.mesh.packages import pack_files
from tests.mesh.sandbox import Engine, Sandbox, running_sandbox
from tests.mesh.test_trust_mailbox import engine, options

__all__ = ["engine"]
# Of the checks, which the contract makes all, a few in a process of their own; the last asks nothing of the engine.
FEW = ("repeat", "unicode", "collect")


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """Give one sandbox for all tests."""
    with running_sandbox() as sandbox:
        yield sandbox


class Trust:
    """The engine's side and the gateway's of one trust."""

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        sandbox.reset()
        self.engine, self.home = Engine(sandbox), home
        self.opened: list[MeshAdapter] = []
        home.mkdir(exist_ok=True)

    def open(self) -> MeshAdapter:
        """Return a fresh adapter over the same mailboxes; what the one before was doing has ended, as a process would have."""
        if self.opened:
            with ThreadPoolExecutor(1) as aside:
                aside.submit(asyncio.run, self.opened[-1]._out.run(lambda _client: None)).result()
        self.opened.append(MeshAdapter.configure(options(self.engine, self.home), self.home))
        return self.opened[-1]

    def put(self, name: str, draft: bytes, documents: Sequence[Document] = ()) -> None:
        """Have the engine send *draft*."""
        packed = pack_files({"message.json": draft, **{one.name: one.content for one in documents}})
        self.engine.send(packed if documents else draft, local_id=name)

    def count_waiting(self) -> int:
        """Return how many drafts are there still, in the mailbox or the gateway."""
        received = self.home / "mesh" / "received"
        return len(self.engine.waiting()) + len(list(received.iterdir() if received.exists() else ()))

    def count_records(self) -> int:
        """Return how many messages the engine filed, each for one team or more."""
        packed = [zipfile.ZipFile(io.BytesIO(raw)) for raw in self.engine.records.values()]
        return len({json.loads(one.read("envelope.json"))["envelope"] for one in packed})

    def read_record(self, record: str) -> Any:
        """Return the message filed as *record*."""
        return self.engine.read(record)


class TestMeshAdapter(AdapterContract):
    """The contract, with an engine at work."""

    @pytest.fixture(autouse=True)
    async def _trusts(self, running: Sandbox) -> AsyncIterator[None]:
        self.running, self.trusts, self.ends = running, list[Trust](), contextlib.ExitStack()
        with self.ends:
            yield
        for trust in self.trusts:
            for adapter in trust.opened:
                await adapter.close()

    def harness(self, tmp_path: Path) -> Harness:
        """Return a trust whose engine works; the one before has ended its work."""
        self.ends.close()
        self.trusts.append(Trust(self.running, tmp_path))
        self.ends.enter_context(self.trusts[-1].engine.working())
        return self.trusts[-1]


@pytest.fixture
def home(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a gateway's home that has the mailbox as its adapter; it is checked as to a few things."""
    for name in CHECKS.keys() - set(FEW):
        monkeypatch.delitem(CHECKS, name)
    table = options(engine, tmp_path, network=True, hosts=[engine.sandbox.url.removeprefix("http://")])
    workflows = table.pop("workflows")
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    lines += ["[adapters.mesh.workflows]", *(f'"{name}" = "{value}"' for name, value in workflows.items())]
    mailbox = '[[mailboxes]]\nid = "northmere-health/safeguarding"\nadapter = "mesh"\n'
    text = f'agency = "northmere-health"\n{mailbox}[adapters.mesh]\n' + "\n".join(lines)
    (tmp_path / "gateway.toml").write_text(text, "utf-8")
    return tmp_path


def _check(capsys: pytest.CaptureFixture[str], home: Path, *more: str) -> tuple[int, dict[str, Any]]:
    code = main(["adapter", "check", "mesh", "--home", str(home), "--file-samples", "--json", *more])
    return code, {point["point"]: point for point in json.loads(capsys.readouterr().out)}


def test_every_check_holds_while_its_engine_answers(
    engine: Engine, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`gateway adapter check mesh`, in a process of its own, while an engine works."""
    with engine.working():
        code, points = _check(capsys, home)
    assert [point["says"] for point in points.values() if not point["good"]] == []
    assert code == 0
    assert points.keys() >= set(FEW)


def test_without_an_engine_it_says_which_checks_need_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that it can't show it doesn't call broken, and the others are made; it doesn't pass."""
    code, points = _check(capsys, home, "--wait", "0.5")
    assert code == 1
    assert [name for name in FEW if points[name]["good"]] == ["collect"]
    for name in FEW:
        if not points[name]["good"]:
            assert "not shown: it needs the partner to answer" in points[name]["says"]
            assert "mesh-waiting" in points[name]["says"]


async def test_one_that_answers_at_once_is_asked_once() -> None:
    """Who doesn't say that its partner answers later gets no second question: a record system that is away breaks the check."""
    asked = []

    class Away:
        manifest = replace(MeshAdapter.manifest, answers_later=False)

        async def file(self, message: Incoming) -> Outcome:
            asked.append(message)
            return Later(reason="away")

    async def reopen() -> Any:
        return Away()

    patience = patience_with(Away.manifest, seconds=60.0, pause=0.5)
    assert patience == Patience()
    trial = Trial(reopen=reopen, message=sample_incoming(), patience=patience)
    with pytest.raises(ContractError, match="a message is filed"):
        await CHECKS["huge"](trial)
    assert len(asked) == 1
