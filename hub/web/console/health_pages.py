"""How every part is: the database, the hub's own loops, its clock and log, witnesses, gateways; and what ends soon."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from aiohttp import web

from hub import witnessing
from hub.expiring import find_expiring
from hub.store.people_rows import ProgramRow
from hub.store.rows import Health, LogHead
from hub.store.transaction import Transaction
from hub.web.console.frame import Console, Visit, Words
from hub.witnessing import Witnessed
from keys.certificates import end_of
from keys.errors import KeysError
from schemas.envelope import DAY
from schemas.identifiers import AgencyId, Moment

State = Literal["ok", "note", "alarm"]
SILENT: Final = 1 * DAY
STALE: Final = 60_000
LITTLE: Final = 0.1
_PROGRAMS: Final = 500


class Part(NamedTuple):
    """One part: how it is, and what there is to say."""

    name: str
    state: State
    says: str


class Looked(NamedTuple):
    """What one look at the database gives."""

    head: LogHead
    checkpoint: tuple[int, int, str] | None
    witnessed: Witnessed
    seen: dict[AgencyId, Moment]
    programs: list[ProgramRow]


async def show_health(console: Console, request: web.Request, visit: Visit) -> web.StreamResponse:
    """Answer how every part of the hub is."""
    del visit
    hub, now = console.hub, console.now()
    snapshot = hub.registry.snapshot

    def look(tx: Transaction) -> Looked:
        return Looked(
            tx.log_head(),
            tx.last_checkpoint(),
            witnessing.state(tx, snapshot, now),
            dict(tx.agencies_seen()),
            tx.programs(None, _PROGRAMS),
        )

    health, looked = await hub.store.check(), await hub.store.read(look)
    disk, certificates, unread = await asyncio.to_thread(_look_at_files, hub.config.home_path, hub.config.certificates)
    words = console.words()
    parts = [
        *_store(health), *_disk(disk), *_loops(console, words), *_log(looked, now, words), *_witnesses(looked),
        *(Part(f"Certificate {name}", "alarm", "can't be read") for name in unread),
    ]  # fmt: skip
    context: dict[str, Any] = {
        "parts": parts, "expiring": find_expiring(snapshot, looked.programs, certificates, now),
        "gateways": list(_gateways(console, looked)), "versions": _versions(health),
    }  # fmt: skip
    return console.show(request, "health.html", context)


def _look_at_files(home: Path, names: tuple[str, ...]) -> tuple[tuple[int, int], list[tuple[str, Moment]], list[str]]:
    usage, found, unread = shutil.disk_usage(home), [], []
    for name in names:
        try:
            found.append((name, end_of(Path(name).read_bytes())))
        except (OSError, KeysError):
            unread.append(name)
    return (usage.free, usage.total), found, unread


def _store(health: Health) -> Iterator[Part]:
    says = f"{health.engine}, {health.size // 1_000_000} MB; {health.waiting} waiting"
    yield Part("Database", "ok" if health.ok else "alarm", says if health.ok else "does not answer")


def _disk(disk: tuple[int, int]) -> Iterator[Part]:
    free, total = disk
    share = free / total if total else 0.0
    says = f"{free // 1_000_000_000} GB free of {total // 1_000_000_000}"
    yield Part("Disk of the hub's folder", "ok" if share > LITTLE else "alarm", says)


def _loops(console: Console, words: Words) -> Iterator[Part]:
    rounds = console.hub.rounds
    doubt = "in doubt: the hub accepts, and judges nobody" if rounds.in_doubt else "trusted"
    yield Part("Clock", "alarm" if rounds.in_doubt else "ok", doubt)
    for name in sorted(rounds.done.keys() | rounds.failed.keys()):
        at = rounds.done.get(name)
        if rounds.is_failing(name):
            failure = rounds.failed[name]
            yield Part(f"Loop: {name}", "alarm", f"failed {words.near(failure.at)}: {failure.code}")
        elif at is not None:
            late = console.now() - at > STALE
            yield Part(f"Loop: {name}", "alarm" if late else "ok", f"last round {words.near(at)}")


def _log(looked: Looked, now: Moment, words: Words) -> Iterator[Part]:
    last = looked.checkpoint
    if last is None:
        yield Part("Audit log", "alarm", f"{looked.head.size} entries, and no checkpoint is signed yet")
        return
    behind = looked.head.size - last[0]
    state: State = "alarm" if behind and now - looked.head.at > STALE else "ok"
    yield Part(
        "Audit log", state, f"{looked.head.size} entries; the last checkpoint, {words.near(last[1])}, lacks {behind}"
    )


def _witnesses(looked: Looked) -> Iterator[Part]:
    said = looked.witnessed
    if not said.is_defined:
        yield Part("Witnesses", "note", "the directory doesn't say who must cosign: not witnessed")
    elif not said.is_witnessed:
        yield Part("Witnesses", "alarm", "not witnessed")
    else:
        behind = said.size - said.witnessed_size
        yield Part("Witnesses", "ok", f"witnessed up to entry {said.witnessed_size}, {behind} behind")


def _gateways(console: Console, looked: Looked) -> Iterator[tuple[AgencyId, State, str]]:
    index, now, words = console.hub.registry.snapshot.directory, console.now(), console.words()
    for agency in index.directory.agencies:
        if agency.valid_from > now or index.has_agency_ended(agency.id, now):
            continue
        at = looked.seen.get(agency.id)
        state: State = "ok" if at is not None and now - at <= SILENT else "alarm" if at is not None else "note"
        yield agency.id, state, "never" if at is None else words.near(at)


def _versions(health: Health) -> list[tuple[str, str]]:
    return [
        ("Hub", version("safeguarding-hub")),
        ("Python", ".".join(map(str, sys.version_info[:3]))),
        ("Database", health.engine),
    ]
