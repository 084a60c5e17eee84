"""The NHS's own `mesh-sandbox`, from PyPI, in an environment of its own, and a trust's engine that speaks to it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from mesh_client import MeshClient

from tests.node import ROOT, keep, unavailable

VERSION: Final = "1.0.137"
SHARED_KEY: Final = "a-shared-key"
GATEWAY: Final = "X26ABC1"
ENGINE: Final = "X26ABC2"
OTHER: Final = "X26ABC3"
WORKFLOW: Final = "TRUST_SAFEGUARDING"
DRAFTS: Final = "SAFEGUARDING_DRAFT"
# What the sandbox runs on.
PYTHONS: Final = ("3.11", "3.12", "3.13")


@cache
def _install() -> Path | str:
    """Return the environment with the sandbox, or why there is none; made on first use."""
    folder = Path(os.environ.get("HUB_TEST_CACHE", ROOT / ".cache")) / "mesh-sandbox" / VERSION
    if folder.exists():
        return folder
    python, uv = _find_python(), shutil.which("uv")
    if python is None:
        return f"no Python of {', '.join(PYTHONS)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Made aside and renamed, so that a run beside this one never sees half of it; its Python doesn't mind.
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as made:
        own = str(Path(made) / "bin" / "python")
        wanted = f"mesh-sandbox=={VERSION}"
        steps = [[python, "-m", "venv", made], [own, "-m", "pip", "install", "--quiet", wanted]]
        if uv:
            steps = [
                [uv, "venv", "--quiet", "--allow-existing", "--python", python, made],
                [uv, "pip", "install", "--quiet", "--python", own, wanted],
            ]
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"mesh-sandbox can't be installed: {(done.stderr or done.stdout)[-300:]}"
        keep(Path(made), folder)
    return folder


def _find_python() -> str | None:
    names = [sys.executable, *(found for one in PYTHONS if (found := shutil.which(f"python{one}")))]
    for name in names:
        asked = [name, "-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"]
        shown = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
        if shown and shown[0] in PYTHONS:
            return shown[1]
    return None


@dataclass
class Sandbox:
    """A sandbox that runs."""

    url: str

    @contextmanager
    def client(self, mailbox: str, **changes: Any) -> Iterator[MeshClient]:
        """Give the real client of *mailbox*."""
        given: dict[str, Any] = {"password": "password", "shared_key": SHARED_KEY.encode(), "max_retries": 0} | changes
        with MeshClient(self.url, mailbox, **given) as made:
            yield made

    def reset(self) -> None:
        """Empty every mailbox."""
        self._ask("DELETE", "/messageexchange/admin/reset")

    def report(self, mailbox: str, name: str, code: str, local_id: str = "") -> None:
        """Put a report of non-delivery about the message *name* into *mailbox*, as MESH would."""
        # Whatever is asked for, the sandbox reports what it calls undeliverable with code 14.
        said = {"code": code, "description": "not delivered", "workflow_id": WORKFLOW, "linked_message_id": name}
        said["status"] = "undeliverable" if code == "14" else "error"
        self._ask("POST", "/messageexchange/admin/report", {"mailbox_id": mailbox, "local_id": local_id, **said})

    def _ask(self, method: str, path: str, said: object = None) -> None:
        asked = urllib.request.Request(  # noqa: S310
            self.url + path,
            method=method,
            data=json.dumps(said).encode() if said else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310
            answer.read()


@contextmanager
def running_sandbox() -> Iterator[Sandbox]:
    """Give a sandbox with authorization, that keeps all in memory; skips, or fails in CI, where it can't be had."""
    folder = _install()
    if isinstance(folder, str):
        unavailable(folder)
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "AUTH_MODE": "full",
        "STORE_MODE": "memory",
        "SHARED_KEY": SHARED_KEY,
    }
    command = [
        str(folder / "bin" / "python"),
        "-m",
        "uvicorn",
        "mesh_sandbox.api:app",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, env=environment, stdout=said, stderr=said, cwd=folder) as process,
    ):
        try:
            sandbox = Sandbox(f"http://127.0.0.1:{port}")
            _wait(sandbox, process)
            yield sandbox
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _wait(sandbox: Sandbox, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{sandbox.url}/messageexchange/_ping", timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                unavailable("mesh-sandbox doesn't start")
            time.sleep(0.1)
    unavailable("mesh-sandbox doesn't answer")


@dataclass
class Engine:
    """A trust's integration engine: it files packages by the envelope's id, once, and says so."""

    sandbox: Sandbox
    records: dict[str, bytes] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def work(self, **says: Any) -> None:
        """Take every message, and answer it, with *says* instead where given."""
        with self.sandbox.client(ENGINE) as client:
            for name in list(client.iterate_message_ids()):
                message = client.retrieve_message(name)
                workflow, raw = str(message.workflow_id), message.read()
                message.close()
                if workflow == WORKFLOW:
                    self.heard.append(str(message.local_id))
                    self.answer(client, raw, **says)
                else:
                    self.told.append((workflow, json.loads(raw)))
                client.acknowledge_message(name)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work on a thread of its own, time and again."""
        ended = threading.Event()

        def go_on() -> None:
            while not ended.is_set():
                self.work()
                ended.wait(0.02)

        with ThreadPoolExecutor(1) as threads:
            worked = threads.submit(go_on)
            try:
                yield
            finally:
                ended.set()
                worked.result()

    def answer(self, client: MeshClient, raw: bytes, **says: Any) -> None:
        """File the package *raw* and say so."""
        note = json.loads(zipfile.ZipFile(io.BytesIO(raw)).read("envelope.json"))
        record = f"REC-{note['envelope']}-{note['mailbox'].partition('/')[2]}"
        if "refused" not in says:
            self.records.setdefault(record, raw)
        answer = {
            "envelope": note["envelope"],
            "mailbox": note["mailbox"],
            "sha256": hashlib.sha256(raw).hexdigest(),
            **(says or {"record": record}),
        }
        client.send_message(GATEWAY, json.dumps(answer).encode(), workflow_id=f"{WORKFLOW}_ACK")

    def read(self, record: str) -> Any:
        """Return the message filed under *record*."""
        return json.loads(zipfile.ZipFile(io.BytesIO(self.records[record])).read("message.json"))

    def send(self, content: bytes, **given: Any) -> str:
        """Send a draft to the gateway's mailbox."""
        with self.sandbox.client(ENGINE) as client:
            return str(client.send_message(GATEWAY, content, **{"workflow_id": DRAFTS, **given}))

    def waiting(self, mailbox: str = GATEWAY) -> list[str]:
        """Return what waits in *mailbox*."""
        with self.sandbox.client(mailbox) as client:
            return list(client.iterate_message_ids())
