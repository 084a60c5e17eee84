"""One single change to an exported log, anywhere: the offline verifier finds it.

    python -m tests.faults.tamper --n 10000

Source: promises 1 (P7).
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from hub import ledger, reports
from hub.core import statistics
from hub.errors import HubError
from hub.export import open_export, write_folder
from hub.registry import witness_name
from hub.store.base import Store, open_store
from hub.verifier import Verifier, verify_export
from hub.web.reports import as_json
from keys import notes
from schemas.directory import Officers
from schemas.strict_json import dump
from tests.county import CAIT, COUNCIL, DAY, HEALTH, MASH, NURSES, OFFICERS, ORIGIN, County, Desk
from tests.faults.counts import Tally, run

TITLE: Final = "One change to an exported log"
FILES: Final = ("leaves.jsonl", "evidence.jsonl", "feeds.jsonl", "checkpoint.txt", "directory-", "agreement-")
FOREVER: Final = statistics.Period(0, 2**50)
Change = Callable[[bytes, Random], bytes]


def flip_bit(data: bytes, chance: Random) -> bytes:
    """Change one bit."""
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def delete_byte(data: bytes, chance: Random) -> bytes:
    """Leave one byte out."""
    place = chance.randrange(len(data))
    return data[:place] + data[place + 1 :]


def insert_byte(data: bytes, chance: Random) -> bytes:
    """Put one byte in."""
    place = chance.randrange(len(data) + 1)
    return data[:place] + bytes([chance.randrange(256)]) + data[place:]


def swap_bytes(data: bytes, chance: Random) -> bytes:
    """Let two neighbours change places."""
    place = chance.randrange(len(data) - 1)
    return data[:place] + data[place + 1 : place + 2] + data[place : place + 1] + data[place + 2 :]


def truncate(data: bytes, chance: Random) -> bytes:
    """Leave out the end."""
    return data[: chance.randrange(len(data))]


def delete_line(data: bytes, chance: Random) -> bytes:
    """Leave one line out."""
    lines = data.splitlines(keepends=True)
    del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def repeat_line(data: bytes, chance: Random) -> bytes:
    """Put one line in that is there already."""
    lines = data.splitlines(keepends=True)
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
    return b"".join(lines)


def swap_lines(data: bytes, chance: Random) -> bytes:
    """Let two lines change places."""
    lines = data.splitlines(keepends=True)
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


CHANGES: Final[tuple[Change, ...]] = (
    flip_bit, delete_byte, insert_byte, swap_bytes, truncate, delete_line, repeat_line, swap_lines,
)  # fmt: skip


def is_same(name: str, one: bytes, two: bytes) -> bool:
    """Answer whether two files say the same: signed objects and signatures have no order, and JSON may have blanks."""
    if name == "evidence.jsonl":
        return sorted(one.splitlines(keepends=True)) == sorted(two.splitlines(keepends=True))
    if name == "checkpoint.txt":
        (text, lines), (other, others) = (_split(note) for note in (one, two))
        return text == other and sorted(lines) == sorted(others)
    if name.endswith(".json"):
        with suppress(ValueError):
            return bool(json.loads(one) == json.loads(two))
    return one == two


def _split(note: bytes) -> tuple[bytes, list[bytes]]:
    text, _, lines = note.rpartition(b"\n\n")
    return text, lines.splitlines(keepends=True)


async def live(desk: Desk) -> None:
    """Let something of every kind happen that the log can tell."""
    county = desk.county
    held = county.seal("meeting.held/1", MASH, [CAIT, NURSES], facts={"meeting": "strategy"}, parties=[CAIT, NURSES])
    thread = held.header.thread
    await desk.send(held)
    note = county.seal("minutes.decisions/1", MASH, [CAIT, NURSES], thread=thread, parties=[CAIT, NURSES])
    await desk.send(note)
    await desk.receive(note, CAIT, "collected", "filed", "opened", "acknowledged")
    await desk.receive(note, NURSES, "collected", "declined")
    first = county.seal("minutes.full/1", MASH, [CAIT], thread=thread, parties=[CAIT], facts={"variant": "full"})
    await desk.send(first)
    second = county.seal(
        "minutes.full/1", MASH, [CAIT], thread=thread, parties=[CAIT], facts={"variant": "full"}, supersedes=first.id
    )
    await desk.send(second)
    await desk.receive(second, CAIT, "collected", "filed")
    gone = county.seal("minutes.full/1", MASH, [OFFICERS])
    await desk.send(gone)
    await desk.withdraw(gone)
    await desk.rotate(HEALTH)
    await desk.next_directory()
    await desk.next_agreement()
    (owed,) = [
        row
        for row in (await desk.rows(thread)).values()
        if row.state == "open"
        and row.duty.kind == "send"
        and row.duty.creditor == NURSES
        and "minutes.full" in row.duty.types
    ]
    await desk.waive(owed.id, MASH)
    await desk.tick(9 * DAY)
    await desk.send(county.seal("minutes.full/1", MASH, [NURSES], thread=thread, facts={"variant": "full"}))
    await desk.tick(30 * DAY)


async def witness(store: Store, desk: Desk) -> None:
    """Sign the last checkpoint, and have two agencies see it."""
    county = desk.county
    signed = await ledger.sign_checkpoint(store, ORIGIN, county.note_signers, county.now)
    assert signed is not None
    known = list(desk.registry.snapshot.witnesses(county.now))
    for agency in (COUNCIL, HEALTH):
        name = witness_name(ORIGIN, agency)
        line = notes.cosign(signed[1], name, county.keyrings[agency].witness, county.now)
        assert await ledger.add_cosignatures(store, known, (signed[1] + line).encode(), county.now)


async def make_export(folder: Path) -> tuple[Path, Path, dict[str, Any]]:
    """Return an export, the file of the officers' keys, and the hub's own report of the same moment."""
    county = County()
    store = open_store(f"sqlite:///{folder}/hub.db")
    try:
        desk = Desk(county, store, await county.found(store))
        await live(desk)
        await witness(store, desk)
        await write_folder(await open_export(store, county.now), folder / "export")
        rows = await store.read(lambda tx: reports.rows_from_store(tx, FOREVER))
        figures = statistics.count(rows, FOREVER, desk.registry.snapshot.directory, county.now, ())
        report = as_json(msgspec.to_builtins(figures), FOREVER, county.now, "agency")
    finally:
        await store.close()
    trust = folder / "trust.json"
    trust.write_bytes(dump({"officers": county.roots, "hub_url": "http://127.0.0.1"}))
    return folder / "export", trust, report


def verdict(export: Path, trust: Path) -> str:
    """Return which witnesses an export verifies with, or what the verifier found."""
    try:
        said = verify_export(export, trust)
    except HubError as error:
        return f"{error.code}: {error.message}"
    return f"verified, seen by {said['witnesses']}" if said["verified"] else str(said["problems"][0])


def hold_figures(export: Path, trust: Path, report: dict[str, Any], tally: Tally) -> None:
    """Compare the figures that the export alone gives with the hub's own report."""
    officers = json.loads(trust.read_bytes())["officers"]
    verifier = Verifier(export, msgspec.convert(officers, Officers))
    found = verifier.run()
    tally.hold("an export that nobody touched does not verify", found.verified, found.problems)
    tally.hold("a witness's line is not recognised", len(found.witnesses) == 2, found.witnesses)
    figures = msgspec.to_builtins(verifier.figures(frozenset(report["by_type"]), report["at"]))
    for name in ("total", "by_agency", "by_sector", "by_type", "missing", "untaken"):
        same = figures.get(name) == report.get(name)
        tally.hold(
            "a figure from the export differs from the hub's report", same, (name, figures.get(name), report.get(name))
        )


async def program(folder: Path, tally: Tally, n: int) -> None:
    """Make *n* single changes to one export, each to a fresh copy of one file."""
    export, trust, report = await make_export(folder)
    hold_figures(export, trust, report, tally)
    good = verdict(export, trust)
    copy = folder / "copy"
    shutil.copytree(export, copy)
    names = sorted(path.name for path in export.iterdir() if path.name.startswith(FILES))
    kinds = Counter[str]()
    while kinds.total() < n:
        name, change = tally.chance.choice(names), tally.chance.choice(CHANGES)
        before = (export / name).read_bytes()
        after = change(before, tally.chance)
        if is_same(name, before, after):
            continue
        kinds[change.__name__] += 1
        (copy / name).write_bytes(after)
        found = verdict(copy, trust)
        (copy / name).write_bytes(before)
        where = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(after))
        example = (name, change.__name__, where, before[where - 20 : where + 20], after[where - 20 : where + 20])
        tally.hold(f"a change to {name.partition('-')[0].partition('.')[0]} was not found", found != good, example)
    tally.figures |= {kind.replace("_", " "): count for kind, count in sorted(kinds.items())}
    tally.notes += [
        "Not counted as changes: another order of signed objects or signatures, blanks between the parts of a document.",
        "A witness's line that is left out is found by the list of witnesses alone: nobody knows how many there should be.",
    ]
    tally.figures["leaves"] = (export / "leaves.jsonl").read_bytes().count(b"\n")


if __name__ == "__main__":
    run("tamper", TITLE, program, 10_000)
