"""One message enters the register, or is taken out of it: each in one transaction, and harmless to repeat.

Entries are folded anew from all that happened to them, so that nothing depends on the order in which messages came, and
taking one out leaves what there would be without it.

Source: protocol 6 (withdrawal); domain 3 (4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from adapters.gateway.register import children
from adapters.gateway.register.effects import FindSector, Happening, Table, find_child, read_happenings
from adapters.gateway.register.entries import Entry, fold
from adapters.gateway.register.store import Register, event_of
from adapters.gateway.spool import Transaction
from schemas.envelope import Header
from schemas.identifiers import EnvelopeId, MailboxId, ThreadId, agency_of
from schemas.strict_json import dump


async def enter(
    tx: Transaction,
    register: Register,
    table: Table,
    header: Header,
    mailbox: MailboxId,
    message: Mapping[str, Any],
    find_sector: FindSector,
) -> tuple[list[Entry], list[Entry]]:
    """Enter *message*; return the entries that it is about and the others that changed, none if it was entered before."""
    added = await tx.run(
        "add_source",
        envelope=header.id,
        mailbox=mailbox,
        thread=header.thread,
        supersedes=header.supersedes,
        withdrawn=0,
    )
    if not added:
        return [], []
    named, agency = find_child(table, header, message), agency_of(header.from_)
    told = await children.match_child(tx, register, table.parted_by, agency, named, header.at) if named else None
    for number, happening in enumerate(read_happenings(table, header, message, find_sector)):
        child = told
        if happening.match is not None:
            child = await children.match_key(tx, register, agency, happening.match, header.at)
        await _add_event(tx, register, header.id, number, happening, child)
    touched = await _keys_in(tx, header.id)
    touched += await _say_live(tx, header.id, header.thread)
    touched += await conclude(tx, register, header.thread, header.id)
    changed, about = await refold(tx, touched), set(await _keys_in(tx, header.id))
    return [entry for entry in changed if entry.key in about], [entry for entry in changed if entry.key not in about]


async def take_out(tx: Transaction, register: Register, envelope: EnvelopeId) -> list[Entry]:
    """Take out what *envelope* did, and never enter it again; return the entries that changed."""
    source = await tx.one("find_source", envelope=envelope)
    if source is None:
        await tx.run("add_source", envelope=envelope, mailbox="", thread="", supersedes=None, withdrawn=1)
        return []
    if source["withdrawn"]:
        return []
    touched = await _keys_in(tx, envelope)
    beside = [row["envelope"] for row in await tx.all("untold_beside", thread=source["thread"], envelope=envelope)]
    await tx.run("set_withdrawn", envelope=envelope)
    touched += await _say_live(tx, envelope, source["thread"])
    await tx.run("drop_events", envelope=envelope)
    for name in (envelope, *beside):
        touched += await conclude(tx, register, source["thread"], name)
    return await refold(tx, touched)


async def forget(tx: Transaction, envelope: EnvelopeId) -> None:
    """Forget that *envelope* was ever entered, so that it can be entered anew; what was taken out stays out."""
    source = await tx.one("find_source", envelope=envelope)
    if source is not None and not source["withdrawn"]:
        await tx.run("drop_events", envelope=envelope)
        await tx.run("drop_source", envelope=envelope)


async def conclude(tx: Transaction, register: Register, thread: ThreadId, envelope: EnvelopeId | None) -> list[str]:
    """Say anew which child those messages are about that name none; return the keys of what that touches.

    It is the one child of what they answer, else the one child of their thread; of several it is none.
    """
    touched: list[str] = []
    for row in await tx.all("untold_beside", thread=thread, envelope=envelope):
        found = await tx.all("told_by_key", envelope=row["envelope"]) or await tx.all(
            "told_in_thread", thread=row["thread"]
        )
        child = str(found[0]["child"]) if len(found) == 1 else None
        for event in await tx.all("events_in", envelope=row["envelope"]):
            if event["told"] or event["child"] == child:
                continue
            key = event["key"]
            if event["own"] is not None:
                key = _own_key(register, event["kind"], child, event["own"])
            touched += filter(None, (event["key"], key))
            await tx.run("set_event_child", envelope=row["envelope"], number=event["number"], child=child, key=key)
    return touched


async def refold(tx: Transaction, keys: Iterable[str]) -> list[Entry]:
    """Fold the entries *keys* anew; return those that are there afterwards, each once, in that order."""
    entries = []
    for key in dict.fromkeys(keys):
        part = await tx.one("part_of", key=key)
        rows = await tx.all("events_of", key=key, part=part["part"] if part else None)
        entry = fold(key, map(event_of, rows))
        if entry is None:
            await tx.run("drop_entry", key=key)
        else:
            await tx.run("set_entry", **asdict(entry) | {"facts": dump(entry.facts)})
            entries.append(entry)
    return entries


async def _say_live(tx: Transaction, envelope: EnvelopeId, thread: ThreadId) -> list[str]:
    """Say anew what *envelope* and those that it supersedes still count for; return the keys of what that touches."""
    touched: list[str] = []
    name: str | None = envelope
    seen: set[str] = set()
    while name is not None and name not in seen:
        seen.add(name)
        source = await tx.one("find_source", envelope=name)
        if source is None or source["thread"] != thread:
            break
        live = not source["withdrawn"] and await tx.one("is_superseded", envelope=name, thread=thread) is None
        if live != bool(source["live"]):
            await tx.run("set_live", envelope=name, live=live)
            touched += await _keys_in(tx, name)
        name = source["supersedes"]
    return touched


async def _keys_in(tx: Transaction, envelope: EnvelopeId) -> list[str]:
    """Return the keys of the entries that *envelope* says something of, in its order."""
    keys: list[str] = []
    for event in await tx.all("events_in", envelope=envelope):
        if event["key"] is not None:
            keys.append(event["key"])
        elif event["part"] is not None:
            keys += [row["key"] for row in await tx.all("keys_of_part", part=event["part"])]
    return keys


async def _add_event(
    tx: Transaction, register: Register, envelope: EnvelopeId, number: int, happening: Happening, child: str | None
) -> None:
    key = register.digest("entry", happening.kind, *happening.key) if happening.key else None
    if happening.own is not None:
        key = _own_key(register, happening.kind, child, happening.own)
    part = register.digest("part", happening.kind, *happening.part) if happening.part else None
    sealed = register.lock_value(happening.details, f"{envelope} {number}") if happening.details else None
    await tx.run(
        "add_event", envelope=envelope, number=number, kind=happening.kind, verb=happening.verb, key=key,
        own=happening.own, part=part, child=child, told=child is not None, state=happening.state, at=happening.at,
        due=happening.due, facts=dump(happening.facts), details=sealed,
    )  # fmt: skip


def _own_key(register: Register, kind: str, child: str | None, own: str) -> str | None:
    return None if child is None else register.digest("own", kind, child, own)


async def details_of(tx: Transaction, register: Register, key: str) -> dict[str, str]:
    """Return what is kept sealed of the entry *key*: the newest word of each."""
    details: dict[str, str] = {}
    for row in await tx.all("details_of", key=key):
        details |= register.unlock_value(row["details"], f"{row['envelope']} {row['number']}")
    return details
