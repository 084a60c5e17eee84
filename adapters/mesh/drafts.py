"""Drafts that came, and what the trust's engine is yet to be told, on disk.

Source: design 6.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from adapters.base import Document, Draft, DraftRefused, DraftResult
from adapters.durable import make_folder, move, sync_folder, write_file, write_new
from adapters.marks import Marks
from adapters.mesh.packages import unpack_draft
from adapters.pair import dump_pretty, load_draft
from keys.digests import new_id, sha256_b64u
from schemas.strict_json import MalformedError

_TOO_LONG: Final = DraftRefused(
    code="draft-package", message="the package is longer than 68 MiB", hint="send less at once"
)


class Drafts:
    """The folders ``received/``, ``done/`` with what became of each, and ``answers/``.

    ``received/<key>/.about`` is the engine's LocalID.  Nothing of a draft stays once it was handed over.
    """

    def __init__(self, root: Path) -> None:
        self._received, self._answers = make_folder(root / "received"), make_folder(root / "answers")
        self._done = Marks(root / "done")
        for left in self._received.glob(".*"):
            shutil.rmtree(left, ignore_errors=True)

    def take(self, raw: bytes | None, local_id: str, name: str) -> bool:
        """Keep the draft in *raw* durably, and answer that it was taken; one that can't be read is refused to the engine.

        The same bytes under the same LocalID are one draft, however often they come and also once it was handed over; without a LocalID each message is one.
        ``None``: it was too long.
        """
        same = f"{local_id} {sha256_b64u(raw)}" if local_id and raw is not None else f"{name} "
        key = sha256_b64u(same.encode())
        said = self._done.find(key)
        if said is not None:
            # Its engine may not have heard what became of it.
            write_file(self._answers / f"d-{key}.json", said)
            return True
        if (self._received / key).exists():
            return True
        if raw is None:
            self._answer(key, local_id, _TOO_LONG)
            return True
        try:
            content, documents = unpack_draft(raw)
        except MalformedError as error:
            self._answer(key, local_id, DraftRefused(code=error.code, message=error.message, hint=error.hint))
            return True
        self._keep(key, local_id, content, documents)
        return True

    def list_waiting(self) -> list[str]:
        """Return the keys of what waits, oldest first; of what was handed over it is forgotten what can't come again."""
        self._done.sweep()
        found = [path for path in self._received.iterdir() if not path.name.startswith(".")]
        return [path.name for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)]

    def load(self, key: str) -> tuple[Draft, tuple[Document, ...]]:
        """Return the draft *key*.

        Raises:
            MalformedError: it was changed on disk.
        """
        return load_draft(self._received / key)

    def settle(self, key: str, result: DraftResult) -> None:
        """Let go of the draft *key*, and have its engine told; a repeat finds nothing."""
        folder = self._received / key
        if not folder.exists():
            return
        about = folder / ".about"
        self._answer(key, about.read_text("utf-8") if about.exists() else "", result)
        gone = folder.with_name(f".{key}.gone")
        move(folder, gone)
        shutil.rmtree(gone)

    def note(self, name: str, said: Mapping[str, Any]) -> None:
        """Have the engine told of a notice, under its own *name*."""
        write_file(self._answers / f"n-{name}.json", dump_pretty(dict(said)))

    def list_answers(self) -> list[tuple[Path, bool]]:
        """Return what is to be told, and whether each is a notice."""
        found = sorted(path for path in self._answers.glob("*.json") if not path.name.startswith("."))
        return [(path, path.name.startswith("n-")) for path in found]

    def told(self, path: Path) -> None:
        """Let go of what MESH has accepted."""
        path.unlink(missing_ok=True)
        sync_folder(path.parent)

    def _answer(self, key: str, local_id: str, result: DraftResult) -> None:
        said = asdict(result) | {"draft": local_id, "sent": not isinstance(result, DraftRefused)}
        write_file(self._answers / f"d-{key}.json", dump_pretty(said))
        self._done.add(key, dump_pretty(said))

    def _keep(self, key: str, local_id: str, said: bytes, documents: tuple[Document, ...]) -> None:
        staging = self._received / f".{key}.{new_id(0)}"
        staging.mkdir(mode=0o700)
        try:
            for document in documents:
                write_new(staging / document.name, document.content)
            write_new(staging / ".about", local_id.encode())
            write_new(staging / "message.json", said)
            sync_folder(staging)
            move(staging, self._received / key)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
