"""Outside witnesses for tests: real ones, on sockets of their own, and a log that can be shown to them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp

from hub.witness.app import Server, Witness
from hub.witness.home import Home, Log
from keys import merkle, notes
from keys.jws import SigningKey
from keys.note_keys import MlDsaKey, NoteSigner

NAME = "notary.example/w1"
ORIGIN = "hub.exampleshire.example"
NOW = 1_783_324_800_000
SIGNERS = (
    NoteSigner(ORIGIN, SigningKey.from_seed(b"\x01" * 32)),
    NoteSigner(ORIGIN, MlDsaKey.from_seed(b"\x02" * 32)),
)


class Tree:
    """A log of so many numbered leaves; *salt* makes another of it."""

    def __init__(self, salt: str = "") -> None:
        self.salt = salt

    def _hashes(self, size: int) -> list[bytes]:
        return [merkle.leaf_hash(f"{self.salt}{number}".encode()) for number in range(size)]

    def root(self, size: int) -> bytes:
        """Return the root over the first *size* leaves."""
        frontier = merkle.Frontier()
        for hashed in self._hashes(size):
            frontier.append(hashed)
        return frontier.root()

    def note(self, size: int, signers: Sequence[NoteSigner] = SIGNERS) -> str:
        """Return the signed checkpoint over *size* leaves."""
        return notes.sign_checkpoint(notes.Checkpoint(ORIGIN, size, self.root(size)), signers)

    def ask(self, old: int, size: int, *, note: str | None = None) -> str:
        """Return the request to cosign *size* for who has cosigned *old*."""
        leaves = self._hashes(size)

        def node(height: int, index: int) -> bytes:
            hashes = leaves[index << height : (index + 1) << height]
            while len(hashes) > 1:
                hashes = [merkle.node_hash(a, b) for a, b in zip(hashes[::2], hashes[1::2], strict=True)]
            return hashes[0]

        proof = merkle.consistency_proof(old, size, node) if old else []
        lines = [f"old {old}", *(b64encode(hashed).decode() for hashed in proof), "", note or self.note(size)]
        return "\n".join(lines)


class Answer(NamedTuple):
    """What a witness answered."""

    status: int
    kind: str
    text: str


class Outsider(NamedTuple):
    """A running witness."""

    home: Home
    witness: Witness
    url: str
    verifier: str

    def line(self, name: str = "notary") -> str:
        """Return its line in a policy."""
        return f"witness {name} {self.verifier} {self.url}\n"

    async def post(self, body: str | bytes) -> Answer:
        """Return what it answers to *body*."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/add-checkpoint", data=body) as response,
        ):
            return Answer(response.status, response.content_type, await response.text())


def make_home(path: Path, name: str = NAME, **logs: Log) -> Home:
    """Make a witness's folder that follows the log of :class:`Tree`, or *logs*."""
    home = Home.make(path, name, "", training=True)
    home.save(logs or {ORIGIN: Log(keys=tuple(one.verifier_key for one in SIGNERS), directory=1)})
    return home


@asynccontextmanager
async def running(home: Home, clock: Callable[[], int] = lambda: NOW) -> AsyncIterator[Outsider]:
    """Run the witness of *home* in this process, on a port of its own."""
    witness = Witness.open(home, "", clock)
    async with Server(witness, "127.0.0.1", 0) as server:
        yield Outsider(home, witness, f"http://127.0.0.1:{server.port}", home.about().verifier)
