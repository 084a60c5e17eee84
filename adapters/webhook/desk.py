"""Drafts that came and aren't sent yet, on disk: durable before they are answered for, and sent once however often they come.

::

    received/<digest>/message.json + documents + .sum   a draft, waiting for the gateway
    refused/<digest>/…, reason.json                     the gateway couldn't send it
    done/<digest>                                       the sum of one that was sent, and what it was sent as
"""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.base import DraftRefused, DraftResult
from adapters.durable import make_folder, move, sync_folder, write_file, write_new
from adapters.pair import dump_pretty
from adapters.webhook.bodies import parse_body
from keys.digests import new_id, sha256_b64u
from schemas.strict_json import MalformedError

# No document can be called so.
_SUM: Final = ".sum"


class FullError(Exception):
    """So much waits already that no more is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a draft so far: `waiting`, `sent` or `refused`; ``details`` are the envelope or the reason's code."""

    state: str
    details: dict[str, Any]


class Desk:
    """The folder of what came; at most *most* drafts wait in it."""

    def __init__(self, root: Path, most: int) -> None:
        self._most = most
        self._turn = threading.Lock()
        self.received, self.refused, self.done = (make_folder(root / name) for name in ("received", "refused", "done"))
        for half in self.received.glob(".*"):
            shutil.rmtree(half)  # ended while it was written or thrown away

    def take(self, name: str, raw: bytes) -> Taken:
        """Keep the draft in the body *raw* under the id *name*; what was taken before isn't taken again.

        Raises:
            MalformedError: it is no draft; or ``webhook-id-used``.
            FullError: too much waits.
            OSError: it can't be kept now.
        """
        key, total = sha256_b64u(name.encode()), sha256_b64u(raw)
        with self._turn:
            known = self._find(key)
            if known is not None:
                if known[0] != total:
                    raise MalformedError(
                        "webhook-id-used",
                        "something else came under this `webhook-id`",
                        "a draft that was corrected needs a new one",
                    )
                return known[1]
            content, documents = parse_body(raw)
            if len(self.list_waiting()) >= self._most:
                raise FullError
            staging = self.received / f".{key}.{new_id(0)}"
            staging.mkdir(mode=0o700)
            try:
                for document in documents:
                    write_new(staging / document.name, document.content)
                write_new(staging / "message.json", content)
                write_new(staging / _SUM, total.encode())
                sync_folder(staging)
                move(staging, self.received / key)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        return Taken(state="waiting", details={})

    def list_waiting(self) -> list[Path]:
        """Return the folders of the drafts that wait, the oldest first."""
        found = [path for path in self.received.iterdir() if not path.name.startswith(".")]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def settle(self, key: str, result: DraftResult) -> None:
        """Let go of the draft *key*; a repeat finds nothing."""
        folder = self.received / key
        with self._turn:
            if not folder.exists():
                return
            if isinstance(result, DraftRefused):
                reason = {"code": result.code, "message": result.message, "hint": result.hint}
                write_file(folder / "reason.json", dump_pretty(reason))
                move(folder, self.refused / key)
                return
            note = {"sum": (folder / _SUM).read_text("ascii"), "envelope": result.envelope, "thread": result.thread}
            # Before the draft goes: killed in between, it is handed over once more under its key, and known there.
            write_file(self.done / key, dump_pretty(note))
            gone = folder.with_name(f".{key}.gone")
            move(folder, gone)
            shutil.rmtree(gone)

    def _find(self, key: str) -> tuple[str, Taken] | None:
        with suppress(FileNotFoundError):
            note = json.loads((self.done / key).read_bytes())
            return note.pop("sum"), Taken(state="sent", details=note)
        with suppress(FileNotFoundError):
            return (self.received / key / _SUM).read_text("ascii"), Taken(state="waiting", details={})
        with suppress(FileNotFoundError):
            total = (self.refused / key / _SUM).read_text("ascii")
            reason = json.loads((self.refused / key / "reason.json").read_bytes())
            return total, Taken(state="refused", details={"code": reason["code"]})
        return None
