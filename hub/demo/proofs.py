"""The three proofs at the end: the log verifies, the hub holds no plaintext, and an altered byte is found.

Source: promises; protocol 8.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from hub.demo.errors import DemoError
from hub.demo.processes import Processes
from hub.demo.quarter import Quarter

SHORTEST: Final = 6
SENTENCE: Final = 40
# What names a person or tells what happened; the rest of a record is codes.
NAMING: Final = frozenset({"name", "names", "aliases", "address", "phones", "phone", "secure_email", "online_handles"})
TELLING: Final = frozenset(
    {"trigger_summary", "narrative", "analysis", "child_views", "parent_views", "immediate_safety", "how_known"}
)


class Search(NamedTuple):
    """What a search for planted words found: how many words, in how many files and bytes, and where one was."""

    words: int
    files: int
    bytes: int
    found: tuple[str, ...]


def planted_words(quarter: Quarter) -> frozenset[str]:
    """Return names, addresses and the beginnings of narratives from every record and report of *quarter*.

    The names of agencies and teams are left out: the directory has them in clear.
    """
    public = {agency["name"] for agency in quarter.agencies}
    words: set[str] = set()
    for document in [source.document for source in quarter.discussions] + [
        source.document for source in quarter.reports
    ]:
        words.update(_words(document, ""))
    return frozenset(words - public)


def search(folder: Path, words: Collection[str]) -> Search:
    """Search every file under *folder* for each word: as UTF-8 whatever its case, UTF-16, JSON, hexadecimal, base64."""
    exact = {needle for word in words for needle in _spellings(word)}
    folded = {word.lower().encode() for word in words}
    files = size = 0
    found: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            files, size = files + 1, size + len(content)
            lower = content.lower()
            if any(needle in content for needle in exact) or any(needle in lower for needle in folded):
                found.add(path.relative_to(folder).as_posix())
    return Search(len(words), files, size, tuple(sorted(found)))


def verify_log(processes: Processes, export: Path, roots: Path) -> dict[str, Any]:
    """Return what ``hub audit verify`` says of *export*: a separate process that trusts only *roots*.

    Raises:
        DemoError: it found something wrong.
    """
    done = processes.run(["hub", "audit", "verify", str(export), "--trust", str(roots), "--json"])
    return dict(json.loads(done.stdout))


def alter_one_byte(export: Path, copy: Path) -> tuple[str, int]:
    """Copy *export* to *copy*, change one character of one leaf in the middle, and return file and offset."""
    shutil.copytree(export, copy)
    path = copy / "leaves.jsonl"
    content = bytearray(path.read_bytes())
    # One character of a thread's random reference: as JSON and as an entry it stays well-formed.
    offset = content.index(b'"thread":"', len(content) // 2) + len(b'"thread":"') + 4
    content[offset] = ord("A") if content[offset] != ord("A") else ord("B")
    path.write_bytes(content)
    return path.name, offset


def is_altered_copy_found(processes: Processes, copy: Path, roots: Path) -> str:
    """Return what ``hub audit verify`` says of the altered *copy*.

    Raises:
        DemoError: it accepted the copy.
    """
    command = ["hub", "audit", "verify", str(copy), "--trust", str(roots), "--json"]
    done = processes.run(command, check=False)
    problems = json.loads(done.stdout)["problems"] if done.stdout else [done.stderr.strip()]
    if done.returncode == 0 or not problems:
        raise DemoError("an altered copy of the log was accepted", "that is a defect: please report it")
    return str(problems[0])


def _words(value: Any, member: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _words(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _words(part, member)
    elif isinstance(value, str):
        if member in NAMING and len(value) >= SHORTEST:
            yield value
        elif member in TELLING:
            yield value[:SENTENCE]


def _spellings(word: str) -> Iterator[bytes]:
    plain = word.encode()
    yield word.encode("utf-16-le")
    yield json.dumps(word)[1:-1].encode()
    yield plain.hex().encode()
    # Base64 of a text has three forms by where it begins; ends that neighbours would change are cut off.
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + plain).rstrip(b"=")
        core = coded[(0, 2, 3)[shift] : -1 if (len(plain) + shift) % 3 else None]
        if len(core) >= 8:  # shorter ones occur by chance among keys and signatures
            yield core
            yield core.translate(bytes.maketrans(b"+/", b"-_"))
