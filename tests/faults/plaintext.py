"""Words planted in messages, documents and names: none is anywhere at the hub, in whatever form.

    python -m tests.faults.plaintext --n 600

Source: promises 1 (P5); design 2 (1, 8).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import shutil
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.county import HEALTH, MASH, NURSES
from tests.faults.counts import Tally, run
from tests.faults.house import House, run_command
from tests.faults.village import Village, open_village, until
from tests.gateway.support import draft, meeting_held, minutes_full

TITLE: Final = "Words planted in messages"
LETTERS: Final = "bcdfghjklmnpqrstvwxz"
PROBE: Final = 8
MEMORY_MOST: Final = 400_000_000
MEMBER: Final = 1 << 22


def make_words(chance: Random, count: int) -> list[str]:
    """Return *count* words of sixteen letters that nobody else writes."""
    return ["".join(chance.choice(LETTERS) for _ in range(16)).capitalize() for _ in range(count)]


def forms(word: str) -> dict[str, bytes]:
    """Return the bytes by which *word* is found in each form, whatever stands before and after it."""
    raw = word.encode()
    found = {
        "UTF-8": raw, "lower case": raw.lower(), "UTF-16 little": word.encode("utf-16-le"),
        "UTF-16 big": word.encode("utf-16-be"), "hexadecimal": raw.hex().encode(),
        "hexadecimal, capitals": raw.hex().upper().encode(),
    }  # fmt: skip
    for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
        for before in range(3):
            # The letters at both ends depend on the neighbours; what is between them doesn't.
            text = encode(b"\0" * before + raw)
            found[f"{name}, alignment {before}"] = text[(0, 2, 3)[before] : len(text) // 4 * 4 - 4]
    return found


class Search:
    """Looks for the beginnings of all forms at once; a hit is then compared whole."""

    def __init__(self, words: Sequence[str]) -> None:
        self._probes: dict[bytes, list[tuple[str, str, bytes]]] = {}
        for word in words:
            for form, needle in forms(word).items():
                self._probes.setdefault(needle[:PROBE], []).append((word, form, needle))
        self.bytes = self.files = self.packed = 0

    def look(self, content: bytes) -> set[tuple[str, str]]:
        """Return word and form of everything that is in *content*, packed members included."""
        self.bytes += len(content)
        found = self._scan(content)
        for member in _unpacked(content):
            self.packed += 1
            found |= {(word, f"gzip, {form}") for word, form in self._scan(member)}
        return found

    def _scan(self, content: bytes) -> set[tuple[str, str]]:
        # Few needles: look for each. Many: look at each place once.
        if len(self._probes) < 400:
            return {
                (word, form)
                for probe, needles in self._probes.items()
                if probe in content
                for word, form, needle in needles
                if needle in content
            }
        probes = self._probes
        return {
            (word, form)
            for place in range(len(content) - PROBE + 1)
            if (hits := probes.get(content[place : place + PROBE]))
            for word, form, needle in hits
            if content.startswith(needle, place)
        }

    def look_in(self, folder: Path) -> set[tuple[str, str, str]]:
        """Return word, form and file of everything below *folder*."""
        found = set()
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                self.files += 1
                found |= {(word, form, path.name) for word, form in self.look(path.read_bytes())}
        return found


def _unpacked(content: bytes) -> Iterator[bytes]:
    """Yield what every gzip or zlib member in *content* holds."""
    view = memoryview(content)
    for magic, bits in ((b"\x1f\x8b\x08", 31), (b"\x78\x9c", 15)):
        place = content.find(magic)
        while place >= 0:
            with contextlib.suppress(zlib.error):
                yield zlib.decompressobj(bits).decompress(view[place : place + MEMBER], MEMBER)
            place = content.find(magic, place + 1)


def memory_of(pid: int) -> bytes:
    """Return what a process of ours has written into its memory, or nothing where the system doesn't let us."""
    parts, size = [], 0
    try:
        with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
            for line in maps:
                span, rights, *_ = line.split()
                start, end = (int(text, 16) for text in span.split("-"))
                if rights.startswith("rw") and size + end - start < MEMORY_MOST:
                    try:
                        memory.seek(start)
                        parts.append(memory.read(end - start))
                        size += end - start
                    except (OSError, ValueError):
                        continue
    except OSError:
        return b""
    return b"\n".join(parts)


def write(village: Village, words: Sequence[str]) -> None:
    """Put *words* wherever people write: record, narrative, names, document, the person at the screen."""
    third = max(1, len(words) // 3)
    told, blocks, paper = words[:third], words[third : 2 * third], words[2 * third :]
    value = minutes_full([MASH, NURSES]) | {"immediate_safety": " ".join(told)[:1900]}
    for place, block in enumerate(value["information_blocks"]):
        block["content"] = " ".join(blocks[place :: len(value["information_blocks"])])[:3900]
    document = " ".join(paper).encode()
    packed = gzip.compress(document)
    message: dict[str, Any] = draft("minutes.full/1", MASH, message=value)
    message |= {"attachments": ["minutes.txt", "minutes.gz"], "author": {"name": words[0], "role": "team_manager"}}
    village.council.drop("minutes", message, minutes_txt=document, minutes_gz=packed)
    village.council.drop("held", draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES])))


async def live(village: Village, words: Sequence[str], tally: Tally) -> None:
    """Let the words travel from one record system to the other, be opened, and confirmed by name."""
    write(village, words)
    arrived = await until(lambda: len(village.health.filed()) == 2)
    tally.hold("the planted words do not arrive", arrived, village.council.log.read_text()[-1500:])
    there = Search(words).look_in(village.health.home / "in")
    missing = set(words) - {word for word, form, _ in there if form.endswith("UTF-8")}
    tally.hold_all(
        "a planted word is not in the message as it was filed", len(words), len(missing), sorted(missing)[:5]
    )
    identity = (village.council.sent("minutes") or {})["id"]
    who = ("--actor", words[0], "--role", "named_nurse")
    await village.health.command("inbox", "open", identity, *who)
    await village.health.command("inbox", "acknowledge", identity, *who)
    await asyncio.sleep(1.5)


async def collect(village: Village, folder: Path) -> int:
    """Gather everything that the hub has: home, database, write-ahead log, logs, export, backup, memory; return its bytes."""
    house: House = village.house
    dump = folder / "dump"
    dump.mkdir()
    for words in (("audit", "export", dump / "export"), ("backup", dump / "backup.db")):
        done = await asyncio.to_thread(run_command, *words, "--config", house.config)
        if done.returncode:
            raise RuntimeError(done.stderr)
        (dump / f"{words[0]}.txt").write_text(done.stdout + done.stderr)
    async with house.caller() as api:
        for name in ("metrics", "openapi.json", "v1/audit/checkpoint"):
            (dump / name.replace("/", "-")).write_bytes((await api.get(f"/{name}")).body)
        health = await api.sign_in(HEALTH)
        (dump / "feed").write_bytes((await health.get(f"/v1/mailboxes/{NURSES}/feed")).body)
    memory = memory_of(house.process.pid) if house.process else b""
    (dump / "memory").write_bytes(memory)
    # Killed, so that the write-ahead log is as a thief would find it.
    house.kill()
    shutil.copytree(house.folder, dump / "home")
    shutil.copy(house.log, dump / "hub.log")
    return len(memory)


def prove(folder: Path, words: Sequence[str], tally: Tally) -> None:
    """Plant a word in each form into copies of the hub's largest file: the search must find it."""
    host = (folder / "home" / "hub.db").read_bytes()
    search = Search(words)
    for number, word in enumerate(words):
        for form, needle in forms(word).items():
            place = tally.chance.randrange(len(host))
            found = (word, form) in search.look(host[:place][-9999:] + needle + host[place:][:9999])
            tally.hold("a planted word is not found by the search", found, (number, form))
        for before in range(3):
            text = base64.urlsafe_b64encode(b"x" * before + word.encode() + b"tail")
            found = any(name == word and "base64" in form for name, form in search.look(host[:500] + text + host[:500]))
            tally.hold("a planted word is not found by the search", found, ("base64", before))
        packed = host[:500] + gzip.compress(b"before " + word.encode() + b" after") + host[:500]
        found = any(name == word and form.startswith("gzip") for name, form in search.look(packed))
        tally.hold("a planted word is not found by the search", found, "gzip")


async def program(folder: Path, tally: Tally, n: int) -> None:
    """Plant *n* words, let them travel, and search all that the hub has."""
    words = make_words(tally.chance, max(3, min(n, 600)))
    async with open_village(folder) as village:
        await live(village, words, tally)
        memory = await collect(village, folder)
    search = Search(words)
    found = search.look_in(folder / "dump")
    names = {word for word, *_ in found}
    tally.hold_all("a planted word is at the hub", len(words), len(names), sorted(found)[:5])
    prove(folder / "dump", words[:5], tally)
    if not memory:
        tally.notes.append("The hub's memory was not searched: the system does not let us read it.")
    tally.notes.append(
        "Forms: UTF-8, lower case, UTF-16, hexadecimal, base64 at each alignment, each also inside gzip and zlib."
    )
    tally.figures |= {
        "words": len(words), "files searched": search.files, "bytes searched": search.bytes,
        "of these, the process's memory": memory, "packed members opened": search.packed,
    }  # fmt: skip


if __name__ == "__main__":
    run("plaintext", TITLE, program, 600)
