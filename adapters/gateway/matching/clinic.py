"""Sexual health: load the list, ask in blinded points, and take the answers.

Nothing of any attendance leaves but points that could be anybody's: always as many in a query, at times that the clock
sets, under a pseudonym that is always the same.  What comes back is compared here, with secrets that never left.

Source: domain 2, system 9, 8 (at-risk list), 9.5 and 11, risks 5, 9, 21 and 22; docs/at-risk-list.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from adapters.base import Draft, DraftRefused, DraftResult, Filed, Incoming, NeedsPerson, Outcome, Outgoing
from adapters.gateway.matching.policy import Slot, day_of, find_slot
from adapters.gateway.matching.room import (
    ACK,
    MACHINE,
    PUBLISH,
    QUERY,
    WITHDRAW,
    Blind,
    Entry,
    Known,
    Query,
    Room,
    Waiting,
)
from adapters.gateway.moments import read_moment
from adapters.gateway.spool import Row, Transaction
from keys import matching
from keys.digests import new_id
from keys.errors import KeysError
from schemas.derivation import spell_moment
from schemas.envelope import DAY

IN_USE: Final = frozenset({"current", "spent"})


def is_answering(row: Row | None, now: int) -> bool:
    """Answer whether the list in *row* may be matched against at *now*."""
    return row is not None and row["state"] == "current" and now < row["expires_at"]


async def collect(room: Room) -> AsyncIterator[Outgoing]:
    """Yield what this clinic owes: that a list was loaded, and a query when its turn has come."""
    await _look_after(room)
    await _make_query(room)
    for row in await room.spool.all("unacked_lists"):
        message = {
            "list_id": row["list"], "version": row["version"], "loaded_at": spell_moment(row["loaded_at"]),
            "loaded_by": "gateway",
        }  # fmt: skip
        draft = _draft(room, ACK, row, message, re=row["envelope"])
        yield Outgoing(key=f"ack {row['envelope']}", draft=draft, done=partial(_acked, room, row))
    for row in await room.spool.all("unsent_queries"):
        query = room.unlock(bytes(row["content"]), f"query {row['id']}", Query)
        source = await room.spool.one("find_list", list=row["list"], version=row["version"])
        if source is not None:
            draft = _draft(room, QUERY, source, query.message)
            yield Outgoing(key=f"query {row['id']}", draft=draft, done=partial(_sent, room, row["id"]))


def _draft(room: Room, kind: str, source: Row, message: Mapping[str, Any], re: str | None = None) -> Draft:
    return Draft(
        type=kind, from_=room.mailbox, to=(source["sender"],), thread=source["thread"], re=re, purpose="exploitation",
        basis=room.config.basis, basis_class="care", author=MACHINE, message=dict(message),
    )  # fmt: skip


async def _acked(room: Room, source: Row, result: DraftResult) -> None:
    async def work(tx: Transaction) -> None:
        await tx.run("set_acked", list=source["list"], version=source["version"])
        if isinstance(result, DraftRefused):
            await _tell_refused(room, tx, result)

    await room.spool.write(work)


async def _sent(room: Room, query: str, result: DraftResult) -> None:
    async def work(tx: Transaction) -> None:
        if isinstance(result, DraftRefused):
            await _tell_refused(room, tx, result)
            await end_query(tx, query)
        else:
            await tx.run("set_query_sent", id=query, envelope=result.envelope)

    await room.spool.write(work)


async def _tell_refused(room: Room, tx: Transaction, result: DraftRefused) -> None:
    await room.tell(tx, "atrisk-refused", f"atrisk-refused:{result.code}", code=result.code)


async def end_query(tx: Transaction, query: str) -> None:
    """Let go of a query: whoever still waits in it is asked about again."""
    await tx.run("unask", asked=query)
    await tx.run("end_query", id=query)


async def _look_after(room: Room) -> None:
    """Say once what has gone stale or waits too long, and forget what is old."""
    now = room.clock()

    async def work(tx: Transaction) -> None:
        before = now - room.keep_days * DAY
        await tx.run("give_up_attendances", before=before)
        await tx.run("forget_known", before=before)
        await tx.run("forget_origins", before=before)
        await tx.run("forget_identities", before=before)
        await tx.run("forget_queries", before=before)
        row = await tx.one("newest_list")
        if row is not None and row["state"] in IN_USE and now >= row["expires_at"]:
            topic = f"atrisk-stale:{row['list']}:{row['version']}"
            await room.tell(tx, "atrisk-stale", topic, version=row["version"], expired_at=row["expires_at"])
            # An expired list answers nothing, so there is no reason to have it.
            await tx.run("drop_list_content", list=row["list"], version=row["version"])
        if await tx.one("waiting_since", before=now - room.config.late_seconds * 1000) is not None:
            await room.tell(tx, "atrisk-unanswered", f"atrisk-unanswered:{day_of(room.config, now)}")

    await room.spool.write(work)


async def _make_query(room: Room) -> None:
    """Make the query of this turn, once: real points first come first served, dummies up to the number."""
    now = room.clock()
    slot = find_slot(room.config, now)

    async def work(tx: Transaction) -> None:
        source = await tx.one("newest_list")
        if source is None or not is_answering(source, now):
            return
        name = f"{slot.name} {source['list']} {source['version']}" if slot else new_id(now)
        if slot and await tx.one("has_query", id=name) is not None:
            return
        chosen = _choose(room, await tx.all("unasked", limit=room.config.batch))
        if chosen or (slot and slot.cover):
            await _add_query(room, tx, source, name, chosen, slot)

    await room.spool.write(work)


def _choose(room: Room, rows: list[Row]) -> dict[str, Waiting]:
    """Return those who still fit into one query, each with all of their identifiers."""
    chosen: dict[str, Waiting] = {}
    left = room.config.batch
    for row in rows:
        waiting = room.unlock(bytes(row["content"]), f"attendance {row['ref']}", Waiting)
        left -= len(waiting.keys)
        if left < 0:
            break
        chosen[row["ref"]] = waiting
    return chosen


async def _add_query(
    room: Room, tx: Transaction, source: Row, name: str, chosen: Mapping[str, Waiting], slot: Slot | None
) -> None:
    made = [(matching.blind(identifier), ref, by) for ref, one in chosen.items() for by, identifier in one.keys.items()]
    dummies = [matching.blind_nobody() for _ in range(room.config.batch - len(made))]
    # Points are evenly random, so their own order mixes real ones and dummies.
    points = sorted([*dummies, *(blinded.point for blinded, _, _ in made)])
    blinds = tuple(
        Blind(place=points.index(blinded.point), ref=ref, by=by, secret=blinded.secret) for blinded, ref, by in made
    )
    at = slot.at if slot else room.clock()
    message = {"list_id": source["list"], "version": source["version"], "asked_at": spell_moment(at), "points": points}
    content = room.lock(Query(message=message, blinds=blinds), f"query {name}")
    await tx.run("add_query", id=name, list=source["list"], version=source["version"], at=at, content=content)
    for ref in chosen:
        await tx.run("set_asked", ref=ref, asked=name)


async def file(room: Room, message: Incoming) -> Outcome:
    """Take a list, its withdrawal, or the answer to a query."""
    if message.type == PUBLISH:
        return await _load(room, message)
    return await (_withdraw if message.type == WITHDRAW else _take_answer)(room, message)


async def _load(room: Room, message: Incoming) -> Outcome:
    """Put a newer version into use; the one before answers nothing from here on."""
    said, now = message.message, room.clock()
    gone = frozenset(said["withdrawals"])
    entries = [
        msgspec.convert(entry, Entry, strict=True) for entry in said["entries"] if entry["match_key"] not in gone
    ]
    content = room.lock(entries, f"list {said['list_id']} {said['version']}")
    # A sender can make a list end sooner than the clinic's own limit, never later.
    expires = min(read_moment(said["expires_at"]), read_moment(said["issued_at"]) + room.config.max_days * DAY)

    async def work(tx: Transaction) -> Outcome:
        known = await tx.one("find_list", list=said["list_id"], version=said["version"])
        if known is not None:
            return Filed(record=message.envelope) if known["envelope"] == message.envelope else _unexpected()
        newest = await tx.one("newest_list")
        if newest is not None and newest["list"] != said["list_id"] and is_answering(newest, now):
            return _unexpected()
        if newest is not None and newest["list"] == said["list_id"]:
            if newest["sender"] != message.sender and is_answering(newest, now):
                return _unexpected()
            if newest["version"] > said["version"]:
                return NeedsPerson(code="list-older")
        await tx.run("retire_lists")
        await _start_over(tx)
        await tx.run(
            "add_list", list=said["list_id"], version=said["version"], sender=message.sender, thread=message.thread,
            envelope=message.envelope, expires_at=expires, loaded_at=now, content=content,
        )  # fmt: skip
        await _take_back(room, tx, gone, said["version"])
        return Filed(record=message.envelope)

    return await room.spool.write(work)


def _unexpected() -> NeedsPerson:
    # Two lists at once, or two contents of one version: which one counts, a person has to find out.
    return NeedsPerson(code="list-unexpected")


async def _start_over(tx: Transaction) -> None:
    """Ask about whoever waits again: answers of one version are no use with another."""
    await tx.run("unask_all")
    await tx.run("end_queries")


async def _take_back(room: Room, tx: Transaction, gone: frozenset[str] | None, version: int) -> None:
    """Say of each match that was made by what is off the list now (``None``: all of it), that it doesn't stand any more."""
    for row in await tx.all("known_attendances"):
        known = room.unlock(bytes(row["content"]), f"match {row['match']}", Known)
        if known.gone is None and (gone is None or gone.issuperset(entry.match_key for entry in known.entries)):
            content = room.lock(msgspec.structs.replace(known, gone=version), f"match {row['match']}")
            await tx.run("set_attendance_content", ref=row["ref"], content=content)
            await tx.run("untell_origin", ref=row["ref"])
            await room.tell(tx, "atrisk-withdrawn", f"atrisk-withdrawn:{row['match']}", match=row["match"])


async def _withdraw(room: Room, message: Incoming) -> Outcome:
    said = message.message

    async def work(tx: Transaction) -> Outcome:
        row = await tx.one("newest_list")
        if row is None or row["list"] != said["list_id"] or row["sender"] != message.sender:
            return NeedsPerson(code="list-unknown")
        if said["version"] >= row["version"]:
            await tx.run("set_list_state", list=row["list"], version=row["version"], state="withdrawn")
            await tx.run("drop_list_content", list=row["list"], version=row["version"])
            await _start_over(tx)
            await _take_back(room, tx, None, said["version"])
        return Filed(record=message.envelope)

    return await room.spool.write(work)


async def _take_answer(room: Room, message: Incoming) -> Outcome:
    """Compare what came back, here; say who was found, and let go of what can't be used."""
    said, now = message.message, room.clock()

    async def work(tx: Transaction) -> Outcome:
        row = await tx.one("find_query", envelope=message.re)
        if row is None or row["content"] is None:
            return Filed(record=message.envelope)  # an answer that is no longer waited for, or that came twice
        source = await tx.one("find_list", list=row["list"], version=row["version"])
        if source is None or source["sender"] != message.sender or said["version"] != row["version"]:
            return NeedsPerson(code="answer-unexpected")
        if said["outcome"] != "evaluated":
            if source["state"] == "current":
                # Asking again would be answered the same: only the next version helps.
                await tx.run("set_list_state", list=row["list"], version=row["version"], state="spent")
                topic = f"atrisk-spent:{row['list']}:{row['version']}"
                await room.tell(tx, "atrisk-spent", topic, outcome=said["outcome"])
            await end_query(tx, row["id"])
            return Filed(record=message.envelope)
        if not is_answering(source, now):
            await end_query(tx, row["id"])
            return Filed(record=message.envelope)
        query = room.unlock(bytes(row["content"]), f"query {row['id']}", Query)
        entries = room.unlock(bytes(source["content"]), f"list {row['list']} {row['version']}", list[Entry])
        try:
            found = _compare(query, said["points"], entries)
        except (KeysError, IndexError):
            await end_query(tx, row["id"])
            return NeedsPerson(code="answer-points")
        for ref, hits in found.items():
            await _answer(room, tx, ref, hits)
        await end_query(tx, row["id"])
        return Filed(record=message.envelope)

    return await room.spool.write(work)


def _compare(query: Query, points: list[str], entries: list[Entry]) -> dict[str, tuple[Entry, ...]]:
    match_keys = sorted({entry.match_key for entry in entries})
    found: dict[str, tuple[Entry, ...]] = {blind.ref: () for blind in query.blinds}
    for blind in query.blinds:
        match_key = matching.find_match(blind.secret, points[blind.place], match_keys)
        found[blind.ref] += tuple(
            msgspec.structs.replace(entry, by=blind.by) for entry in entries if entry.match_key == match_key
        )
    return found


async def _answer(room: Room, tx: Transaction, ref: str, hits: tuple[Entry, ...]) -> None:
    row, now = await tx.one("find_attendance", ref=ref), room.clock()
    if row is None or row["state"] != "waiting":
        return
    late = int(now - row["at"] > room.config.late_seconds * 1000)
    if not hits:
        await tx.run("answer_attendance", ref=ref, state="clear", late=late, match=None, content=None)
        return
    waiting = room.unlock(bytes(row["content"]), f"attendance {ref}", Waiting)
    match = new_id(now)
    content = room.lock(Known(attendance=waiting.attendance, entries=hits), f"match {match}")
    await tx.run("answer_attendance", ref=ref, state="known", late=late, match=match, content=content)
    await room.tell(tx, "atrisk-match", f"atrisk-match:{match}", match=match)
