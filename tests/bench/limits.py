"""What this machine can do at best of what the hub has to do: the floor that its figures stand on."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from keys.digests import sha256
from keys.jws import ENVELOPE, SigningKey, parse
from tests.bench.figures import Cell, median, microseconds
from tests.county import Sent


class Floor(NamedTuple):
    """Processor microseconds of one operation each, and durable commits a second of the disk."""

    verify: float
    sign: float
    digest: float
    commits: float

    def lifecycle(self, recipients: int) -> float:
        """Return the microseconds of cryptography that one lifecycle can't do without.

        Header, wraps and two receipts a recipient verified, the body digested, the acceptance signed.
        """
        return (2 + 2 * recipients) * self.verify + self.digest + self.sign

    def row(self) -> dict[str, Cell]:
        """Return the figures by name."""
        return {
            "Ed25519 verification, µs": self.verify,
            "Ed25519 signature, µs": self.sign,
            "SHA-256 of the body, µs": self.digest,
            "durable commits/s": self.commits,
        }


def measure(sent: Sent, folder: Path, commits: int = 200) -> Floor:
    """Measure with the bytes of one real envelope, on the disk of *folder*."""
    key = SigningKey.generate()
    header, _, rest = sent.raw.partition(b"\n")
    body = rest.partition(b"\n")[2]
    signed = parse(key.sign(parse(header, ENVELOPE).payload, ENVELOPE), ENVELOPE)
    return Floor(
        verify=microseconds(lambda: key.public.verify_raw(signed.signature, signed.signing_input)),
        sign=microseconds(lambda: key.sign_raw(signed.signing_input)),
        digest=microseconds(lambda: sha256(body)),
        commits=median([_commits(folder / f"limit-{number}.db", commits) for number in range(3)]),
    )


def _commits(path: Path, count: int) -> float:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = FULL")
        raw.execute("CREATE TABLE row (body BLOB)")
        started = time.perf_counter()
        for _ in range(count):
            raw.execute("INSERT INTO row VALUES (?)", (bytes(256),))
        return count / (time.perf_counter() - started)
