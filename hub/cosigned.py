"""Who cosigned an exported log, and up to where that makes the quorum: judged from the export's files alone.

``checkpoint.txt`` has the lines of those who cosigned the exported tree itself.  ``witnesses.jsonl`` has of each other
witness the last smaller tree that it cosigned, one a line, as a JSON string: a signed note of that witness alone.  Every
leaf is in the export, so a smaller tree's root is worked out, and needs no proof.

Source: protocol 8; schemas.witnessing; c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.core.authenticity import KeyFact, counts_as_witness, is_usable
from hub.registry import witness_name
from hub.tree import Tree
from keys import jws, notes
from keys.errors import KeysError
from schemas.directory import DirectoryIndex
from schemas.identifiers import KeyId, Moment
from schemas.witnessing import in_words, parse_policy, witnessed_size

CHECKPOINT: Final = "checkpoint.txt"
WITNESSES: Final = "witnesses.jsonl"
MAX_LINES: Final = 1024

# Says where something is wrong, and what.
Objection = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """``witnesses``: who cosigned the exported tree, by key name; ``size``: how much of it is witnessed; ``quorum``: by whom."""

    witnesses: tuple[str, ...] = ()
    size: int = 0
    quorum: str = ""


class Cosignatures:
    """What an export says of its witnesses; ``sizes`` are those of the trees whose roots are needed to judge it."""

    def __init__(self, folder: Path, object_: Objection) -> None:
        self._folder, self._object = folder, object_
        self._smaller = list(self._read())
        self.sizes = frozenset(checkpoint.size for checkpoint, _ in self._smaller)

    def _read(self) -> Iterable[tuple[notes.Checkpoint, str]]:
        path = self._folder / WITNESSES
        # An export of before there were outside witnesses has none, and loses nothing but what they would say.
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        for number, line in enumerate(lines):
            try:
                note = json.loads(line)
                if number >= MAX_LINES or not isinstance(note, str):
                    raise ValueError(line)  # noqa: TRY301 - one way out for all that is no note
                yield notes.Checkpoint.parse(notes.split_note(note)[0]), note
            except (ValueError, RecursionError, KeysError):
                self._object(f"{WITNESSES}: line {number}", "it is no cosigned checkpoint")

    def judge(
        self,
        index: DirectoryIndex,
        facts: Iterable[KeyFact],
        keys: Mapping[KeyId, jws.VerifyingKey],
        tree: Tree,
        at: Moment,
    ) -> Cosigned:
        """Return what is witnessed at *at* by the keys that the log has, *facts* and *keys*; say what is wrong."""
        hub, policy = index.directory.hub, parse_policy(index.directory.witnesses)
        counting = [fact for fact in facts if counts_as_witness(fact, index, at)]
        agencies = [
            notes.witness_verifier(witness_name(hub.origin, fact.agency), keys[fact.kid])
            for fact in counting
            if is_usable(fact, "witness", at)
        ]
        verifiers = [*agencies, *(one.verifier for one in policy.outsiders)]
        heads = self._smaller_heads(verifiers, hub.origin, tree)
        largest = self._largest(hub.checkpoint, hub.origin, verifiers, tree)
        heads |= dict.fromkeys(largest, tree.size)
        names = [witness_name(hub.origin, fact.agency) for fact in counting]
        return Cosigned(
            witnesses=tuple(sorted(largest)),
            size=witnessed_size(policy, names, heads),
            quorum=in_words(policy, names),
        )

    def _largest(self, own: Iterable[str], origin: str, verifiers: list[str], tree: Tree) -> set[str]:
        """Return who cosigned the exported tree, having checked that the hub signed it."""
        note = (self._folder / CHECKPOINT).read_text(encoding="utf-8")
        try:
            signed = notes.open_checkpoint(note, tuple(own), origin=origin)
            lines = notes.split_note(note)[1]
            found = notes.cosignatures(note, verifiers)
        except KeysError as error:
            self._object(CHECKPOINT, f"{error.code}: {error.message}")
            return set()
        if len(set(lines)) < len(lines):
            self._object(CHECKPOINT, "a signature is there twice")
        if (signed.size, signed.root) != (tree.size, tree.root):
            self._object(CHECKPOINT, f"it is over {signed.size} leaves with another root than these")
            return set()
        return {one.name for one in found}

    def _smaller_heads(self, verifiers: list[str], origin: str, tree: Tree) -> dict[str, int]:
        heads: dict[str, int] = {}
        for checkpoint, note in self._smaller:
            where = f"{WITNESSES}: size {checkpoint.size}"
            try:
                found = notes.cosignatures(note, verifiers)
            except KeysError as error:
                self._object(where, f"{error.code}: {error.message}")
                continue
            if checkpoint.origin != origin or tree.roots.get(checkpoint.size) != checkpoint.root:
                self._object(where, "a witness was shown another log than this one: two views")
                continue
            heads |= {one.name: max(checkpoint.size, heads.get(one.name, 0)) for one in found}
        return heads
