"""What `gateway register` does: lists and figures by reference, a child's record on its own agency's terminal, agendas.

Only `show` prints who a child is.

Source: design 2 (8); domain 2.1 (6, 8), 11 (risk 14).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from adapters.durable import write_file
from adapters.errors import GatewayError
from adapters.gateway import exclusions
from adapters.gateway.agent import open_gateway
from adapters.gateway.context import Gateway
from adapters.gateway.moments import read_moment
from adapters.gateway.register import children, watching
from adapters.gateway.register.agenda import make_agenda, open_work
from adapters.gateway.register.entering import conclude, details_of, refold
from adapters.gateway.register.entries import Entry
from adapters.gateway.register.judging import Judge, find_entries
from adapters.gateway.register.store import entry_of
from adapters.gateway.spool import Transaction
from keys.digests import keyed_digest, new_id
from schemas.derivation import spell_moment
from schemas.identifiers import Moment
from schemas.strict_json import dump

Printed = dict[str, Any] | list[dict[str, Any]]
AGENDA: Final = "agenda.generated/1"


async def run_action(options: Namespace) -> Printed:
    """Do one action, with everything entered that waits."""
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        await watching.keep_up(gateway)
        return await ACTIONS[options.action](gateway, options)


async def show(gateway: Gateway, options: Namespace) -> Printed:
    """Show who a child is, as each agency says, and every entry."""

    async def work(tx: Transaction) -> dict[str, Any]:
        root = await children.get_root(tx, options.child)
        named = {
            row["id"]: gateway.register.unlock_value(row["identity"], row["id"])
            for row in await tx.all("same_as", child=root)
        }
        entries = [
            describe(entry) | {"state": entry.state, "facts": dict(entry.facts)}
            | await details_of(tx, gateway.register, entry.key)
            for entry in await find_entries(tx, root)
        ]  # fmt: skip
        return {"child": root, "named": named, "entries": entries}

    return await gateway.register.write(work)


async def list_pattern(gateway: Gateway, options: Namespace) -> Printed:
    """List the children for whom a pattern holds now, by reference; the figure of an empty list is 0."""
    judge = Judge(gateway)
    pattern = next((pattern for pattern, _ in judge.patterns if pattern.name == options.name), None)
    if pattern is None or pattern.on or pattern.when:
        lists = (pattern.name for pattern, _ in judge.patterns if not pattern.on and not pattern.when)
        names = ", ".join(lists) or "none"
        raise GatewayError("register-no-list", "the agreement has no such list for this agency", f"it has: {names}")
    found = await gateway.register.write(lambda tx: judge.list_children(tx, pattern))
    return {
        "list": pattern.name,
        "must be empty": pattern.must_be_empty,
        "count": len(found),
        "children": [
            {"child": child, "entries": [describe(entry) for entry in counted]} for child, counted in found
        ],
    }  # fmt: skip


def describe(entry: Entry) -> dict[str, Any]:
    """Return an entry by reference: kind, thread and dates."""
    due = {} if entry.due is None else {"due": spell_moment(entry.due)}
    return {"kind": entry.kind, "thread": entry.thread, "since": spell_moment(entry.at)} | due


async def list_candidates(gateway: Gateway, options: Namespace) -> Printed:
    """List the pairs that may be one child, and how many have confirmed each."""
    del options
    return [
        {"one": row["a"], "other": row["b"], "why": row["why"], "confirmed": int(row["first"] is not None)}
        for row in await gateway.register.write(children.list_candidates)
    ]


async def merge(gateway: Gateway, options: Namespace) -> Printed:
    """Confirm, as a named person, that two records are one child's."""
    one, other = options.children
    now, person = gateway.clock(), _person(gateway, options)

    async def work(tx: Transaction) -> str:
        state = await children.confirm_same(tx, one, other, person, now)
        if state == "merged":
            await _conclude_again(gateway, tx, one, other, now)
        return state

    return {"one": one, "other": other, "state": await gateway.register.write(work)}


async def unmerge(gateway: Gateway, options: Namespace) -> Printed:
    """Say, as a named person, that two records are two children's."""
    one, other = options.children
    now, person = gateway.clock(), _person(gateway, options)

    async def work(tx: Transaction) -> None:
        await children.part(tx, one, other, person)
        await _conclude_again(gateway, tx, one, other, now)

    await gateway.register.write(work)
    return {"one": one, "other": other, "state": "parted"}


def _person(gateway: Gateway, options: Namespace) -> children.Person:
    name = exclusions.fold(options.actor)
    if not name or not options.role.strip():
        raise GatewayError("register-person", "a decision needs a person's name and role", "give --actor and --role")
    return children.Person(keyed_digest(gateway.keyring.record_key, name), options.role.strip())


async def _conclude_again(gateway: Gateway, tx: Transaction, one: str, other: str, now: Moment) -> None:
    """Say anew of whom those messages are that name nobody, and look at both children again."""
    roots = {await children.get_root(tx, name) for name in (one, other)}
    keys: list[str] = []
    for row in await tx.all("threads_of", one=min(roots), other=max(roots)):
        keys += await conclude(tx, gateway.register, row["thread"], row["envelope"])
    await refold(tx, keys)
    for root in roots:
        await tx.run("add_look", child=root, at=now)


async def draw_up(gateway: Gateway, options: Namespace) -> Printed:
    """Draw up an agenda; what is printed has references only, the draft has the words."""
    now = gateway.clock()
    starts = _moment(options.starts)

    async def work(tx: Transaction) -> list[dict[str, Any]]:
        entries = await _chosen(tx, options)
        details = {key: await details_of(tx, gateway.register, key) for key in entries}
        held = {
            entry.at
            for entry in entries.values()
            if (entry.kind, entry.state, entry.facts.get("meeting")) == ("meeting", "held", options.meeting)
        }
        return open_work(entries.values(), details, held, now)

    items = await gateway.register.write(work)
    meeting = options.meeting_id or new_id(now)
    message = make_agenda(
        items, meeting=meeting, kind=options.meeting, starts=starts, now=now, standing=options.standing
    )
    gateway.catalogue.validate(AGENDA, message)
    if options.draft:
        _write_draft(Path(options.draft), gateway, options, message)
    shown = ("kind", "action_id", "owner_role", "due_at", "state", "carried_over")
    return {
        "meeting": meeting,
        "items": [{name: item[name] for name in shown if name in item} for item in message["items"]],
    }


def _write_draft(path: Path, gateway: Gateway, options: Namespace, message: Mapping[str, Any]) -> None:
    sender = options.sender or next(iter(gateway.mailboxes()))
    author = {"name": "register", "role": "register"}
    draft = {"type": AGENDA, "from": sender, "basis": options.basis, "author": author, "message": message}
    write_file(path, dump(draft))


async def _chosen(tx: Transaction, options: Namespace) -> dict[str, Entry]:
    if not options.child and not options.thread and not options.standing:
        raise GatewayError("register-agenda", "an agenda of nobody", "name children or threads by --child and --thread")
    found = []
    for child in options.child:
        found += await find_entries(tx, await children.get_root(tx, child))
    for thread in options.thread:
        found += map(entry_of, await tx.all("entries_in_thread", thread=thread))
    return {entry.key: entry for entry in found}


async def rebuild(gateway: Gateway, options: Namespace) -> Printed:
    """Enter anew what the spool still holds, and fold every entry from what happened to it."""
    del options
    queued = await gateway.spool.run("register_again")
    while await gateway.spool.one("unregistered", limit=1):
        before = await gateway.spool.all("unregistered", limit=1)
        await watching.keep_up(gateway)
        if await gateway.spool.all("unregistered", limit=1) == before:
            raise GatewayError("register-rebuild", "a message could not be entered", "the log says where; run it again")

    async def work(tx: Transaction) -> int:
        keys = [row["key"] for row in await tx.all("every_key")]
        await tx.run("drop_entries")
        return len(await refold(tx, keys))

    return {"entered": queued, "entries": await gateway.register.write(work)}


def _moment(text: str) -> Moment:
    try:
        return read_moment(text)
    except ValueError as error:
        raise GatewayError(
            "register-moment", "a moment is a date and time with its offset", "write it as 2026-07-06T08:00:00Z"
        ) from error


ACTIONS: Final[Mapping[str, Callable[[Gateway, Namespace], Awaitable[Printed]]]] = {
    "show": show,
    "list": list_pattern,
    "candidates": list_candidates,
    "merge": merge,
    "unmerge": unmerge,
    "agenda": draw_up,
    "rebuild": rebuild,
}
