"""Medplum's FHIR R4 server parts, npm's `@medplum/fhir-router`, run by Node: routes, transactions, search and validation are theirs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.node import find_nodes, installed, unavailable

SOURCE = Path(__file__).parent / "real"


class RealServer:
    """One that runs at *base*, as far as a test looks into it: by FHIR's own HTTP."""

    def __init__(self, base: str) -> None:
        self.base = base

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return the status and what it answers."""
        data = None if body is None else json.dumps(body).encode()
        shown = {"Content-Type": "application/fhir+json", **headers}
        request = Request(f"{self.base}{path}", data, shown, method=method)  # noqa: S310 (our own machine)
        try:
            with urlopen(request) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def empty(self) -> None:
        """Forget everything."""
        self.ask("DELETE", "")

    def add(self, resource: dict[str, Any]) -> str:
        """Keep *resource*, and return its reference."""
        status, made = self.ask("POST", f"/{resource['resourceType']}", resource)
        assert status == 201, made
        return f"{made['resourceType']}/{made['id']}"

    def read(self, reference: str) -> dict[str, Any]:
        """Return what stands at *reference*."""
        status, found = self.ask("GET", f"/{reference}")
        assert status == 200, found
        return dict(found)

    def change(self, reference: str, **changes: Any) -> None:
        """Change what stands at *reference*, as its staff do."""
        status, said = self.ask("PUT", f"/{reference}", {**self.read(reference), **changes})
        assert status == 200, said

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the resources of *kind*."""
        status, found = self.ask("GET", f"/{kind}?_count=1000")
        assert status == 200, found
        return [one["resource"] for one in found.get("entry", [])]


@contextmanager
def run_server() -> Iterator[RealServer]:
    """Run one, empty; skips the test where there is no Node or no package."""
    nodes = find_nodes()
    if "wheel" not in nodes:
        unavailable("there is no Node")
    node, npm = nodes["wheel"]
    folder = installed(SOURCE, tuple(npm), ("server.mjs",))
    with subprocess.Popen([*node, "server.mjs"], cwd=folder, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            base = process.stdout.readline().decode().strip()
            assert base.startswith("http://127.0.0.1:"), base
            yield RealServer(base)
        finally:
            process.kill()
