"""What each `gateway` command does; it returns what to print, as lines or as one JSON value.

Commands beside a running gateway share its spool; what they put there, it sends.

Source: protocol 4 (levels by a person).
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from adapters.base import Document, Draft, Outgoing
from adapters.errors import GatewayError
from adapters.folder import load_draft
from adapters.gateway import embargo, errands, exclusions, failing, filing, holds, incoming, outgoing, rotation
from adapters.gateway.agent import Agent, open_gateway
from adapters.gateway.chronology import ANSWER, DECLINED, find_waiting, put_together
from adapters.gateway.context import Gateway
from adapters.gateway.moments import read_moment
from adapters.gateway.receipting import receipt_by_person
from adapters.gateway.spool import Row, Transaction, family_range
from adapters.gateway.watch import duty_of
from keys.digests import keyed_digest
from schemas.identifiers import Moment
from schemas.strict_json import dump

Printed = list[str] | dict[str, Any] | list[dict[str, Any]]
_LEVELS: Final = {"open": "opened", "acknowledge": "acknowledged", "decline": "declined", "file": "filed"}


@asynccontextmanager
async def _open(options: Namespace) -> AsyncIterator[Gateway]:
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        yield gateway


async def run(options: Namespace) -> Printed:
    """Run the gateway until it is told to stop, or one pass of everything."""
    async with _open(options) as gateway:
        if options.rewind:
            await gateway.spool.run("rewind")
        await failing.start(gateway)
        agent = Agent(gateway)
        if not options.once:
            await agent.run()
            return []
        failed = await agent.run_once()
        if failed:
            raise GatewayError(
                "run-once", f"{failed} of the things to do did not work", "the log says which; run it again"
            )
        return []


async def send(options: Namespace) -> Printed:
    """Put one draft into the outbox."""
    draft, documents = _load(Path(options.file))
    async with _open(options) as gateway:
        key = gateway.spool.fingerprint(dump(draft) + b"".join(document.content for document in documents))
        key += f" {gateway.clock()}" if options.again else ""
        taken = await outgoing.take_now(gateway, "command", Outgoing(key=key, draft=draft, documents=documents))
    return {"envelope": taken.envelope, "thread": taken.thread}


def _load(path: Path) -> tuple[Draft, tuple[Document, ...]]:
    return load_draft(path) if path.is_dir() else load_draft(path.parent, path.name)


async def inbox_list(options: Namespace) -> Printed:
    """List what arrived: references and states, no content."""
    async with _open(options) as gateway:
        rows = await gateway.spool.all("list_incoming")
        return [
            {name: row[name] for name in ("envelope", "mailbox", "type", "sender", "thread", "accepted_at", "state")}
            | {"levels": await _levels(gateway, row)}
            | await embargo.describe(gateway, row)
            for row in rows
            if embargo.is_shown(row, options.mailbox)
        ]


async def inbox_show(options: Namespace) -> Printed:
    """Show what is known of a delivery without opening it."""
    async with _open(options) as gateway:
        row = await embargo.find_delivery(gateway, options.ids[0], options.mailbox)
        names = ("envelope", "mailbox", "type", "sender", "thread", "accepted_at", "state", "code", "record", "seq")
        receipts = await gateway.spool.all("receipts_of", envelope=row["envelope"], mailbox=row["mailbox"])
        return {name: row[name] for name in names if row[name] is not None} | {"receipts": [dict(r) for r in receipts]}


async def inbox_person(options: Namespace) -> Printed:
    """Record what a named person did: acknowledged, declined, or filed by hand."""
    async with _open(options) as gateway:
        rows = [await embargo.find_delivery(gateway, name, options.mailbox) for name in options.ids]
        await exclusions.check_people(gateway, (row["thread"] for row in rows), options.actor)
        if options.action == "file" and any(row["state"] == embargo.STATE for row in rows):
            raise GatewayError(
                "inbox-embargoed", "it may not go into a record before its moment", "acknowledge it; it is filed then"
            )
        return [await _receipt(gateway, row, options) for row in rows]


async def inbox_open(options: Namespace) -> Printed:
    """Display messages to a named person, and only then say so: killed between the two, it was not opened."""
    async with _open(options) as gateway:
        rows = [await embargo.find_delivery(gateway, name, options.mailbox) for name in options.ids]
        await exclusions.check_people(gateway, (row["thread"] for row in rows), options.actor)
        options.show([_read(gateway, row) for row in rows])
        for row in rows:
            await _receipt(gateway, row, options)
        return []


async def chronology(options: Namespace) -> Printed:
    """Display what several agencies answered as one chronology to a named person, and only then say so.

    Raises:
        GatewayError: ``chronology-unknown``, ``person-excluded``.
    """
    async with _open(options) as gateway:
        await exclusions.check_person(gateway, options.thread, options.actor)
        rows = await _find_answers(gateway, options.thread, options.mailbox)
        owed = await gateway.spool.all("open_in_thread", thread=options.thread)
        duties = [duty_of(one) for one in owed]
        waiting = find_waiting(duties, gateway.mailboxes())
        if not rows and not waiting:
            raise GatewayError(
                "chronology-unknown", "no chronology was asked for in this thread", "see `gateway obligations`"
            )
        held = [row for row in rows if row["content"] is not None]
        gone = [row["envelope"] for row in rows if row["content"] is None]
        whole = put_together(filing.read_content(gateway, row) for row in held)
        options.show([whole | {"waiting": waiting, "no_longer_here": gone}])
        for row in held:
            await _receipt(gateway, row, options)
        return []


async def _find_answers(gateway: Gateway, thread: str, mailbox: str | None) -> list[Row]:
    """Return each answer of *thread* once, as the inbox has it."""
    found: dict[str, Row] = {}
    for family in (ANSWER, DECLINED):
        for row in await gateway.spool.all("received_in_thread", thread=thread, **family_range(family)):
            if embargo.is_shown(row, mailbox):
                found[row["envelope"]] = row
    return list(found.values())


def _read(gateway: Gateway, row: Row) -> dict[str, Any]:
    if row["state"] in {"rejected", "destroyed"} or row["content"] is None:
        raise GatewayError("inbox-empty", "its content is no longer here", "look in the record system")
    content = filing.read_content(gateway, row)
    return {
        "envelope": row["envelope"],
        "mailbox": row["mailbox"],
        "marks": list(content.marks),
        "classification": content.classification,
        "message": dict(content.message),
        "documents": [{"name": d.name, "type": d.type, "length": len(d.content)} for d in content.documents],
    }


async def _receipt(gateway: Gateway, row: Row, options: Namespace) -> dict[str, Any]:
    level: Any = _LEVELS[options.action]

    async def work(tx: Transaction) -> str:
        receipt = await receipt_by_person(
            tx, gateway.keyring, row, level, actor=options.actor, role=options.role, now=gateway.clock(),
            seen=gateway.witness.receipt_view(), code=getattr(options, "code", None),
            record=getattr(options, "record", None),
        )  # fmt: skip
        if level == "filed":
            await tx.run(
                "set_incoming", envelope=row["envelope"], mailbox=row["mailbox"], state="filed", code=None,
                record=options.record,
            )  # fmt: skip
        return receipt.id

    receipt = await gateway.spool.write(work)
    return {"envelope": row["envelope"], "mailbox": row["mailbox"], "receipt": receipt}


async def inbox_destroy(options: Namespace) -> Printed:
    """Record that a named person destroyed what a withdrawal asked for."""
    async with _open(options) as gateway:
        row = await embargo.find_delivery(gateway, options.ids[0], options.mailbox)
        await exclusions.check_person(gateway, row["thread"], options.actor)
        if row["state"] in {"rejected", "destroyed"}:
            raise GatewayError("inbox-destroyed", "nothing of the delivery is here to destroy", "nothing is left to do")
        person = {"actor": keyed_digest(gateway.keyring.record_key, options.actor.strip()), "role": options.role}

        async def work(tx: Transaction) -> None:
            await holds.check_free(tx, row)
            await incoming.destroy(gateway, tx, row, **person)

        await gateway.spool.write(work)
        return {"envelope": row["envelope"], "state": "destroyed"}


async def receipts(options: Namespace) -> Printed:
    """Show the state of what was sent: for each recipient the levels that were reached."""
    names = ("envelope", "mailbox", "type", "thread", "at", "state")
    async with _open(options) as gateway:
        found = []
        for row in await gateway.spool.all("list_sent"):
            heard = await gateway.spool.all("heard_of", envelope=row["envelope"])
            levels: dict[str, list[str]] = {}
            for one in heard:
                levels.setdefault(one["mailbox"], []).append(one["level"])
            sent: dict[str, Any] = {name: row[name] for name in names} | {"receipts": levels}
            sent["witnessed"] = gateway.quorum.has_witnessed(row["acceptance"])
            if row["refusal"] is not None:
                sent["refusal"] = json.loads(bytes(row["refusal"]))
            found.append(sent)
        return found


async def status(options: Namespace) -> Printed:
    """Say how far this gateway has followed the hub's log, and how much of that is witnessed."""
    async with _open(options) as gateway:
        seen, state, now = gateway.witness.seen, gateway.quorum.state, gateway.partnership
        return {
            "agency": gateway.config.agency,
            "directory": now.books.directory.version if now.is_known else None,
            "log": seen.size if seen else 0,
            "witnessed": state.size or "not witnessed",
            "quorum": state.quorum or "nobody is asked for",
        }


async def obligations(options: Namespace) -> Printed:
    """Show what this gateway's own watch knows to be owed to and by the agency."""
    async with _open(options) as gateway:
        now = gateway.clock()
        found = []
        for row in await gateway.spool.all("list_obligations"):
            duty = duty_of(row)
            names = ("rule", "kind", "thread", "debtor", "creditor", "types", "due")
            said = {name: getattr(duty, name) for name in names}
            overdue = row["state"] == "open" and now > duty.due
            found.append({"id": row["id"], **said, "state": row["state"], "overdue": overdue})
        return found


async def withdraw(options: Namespace) -> Printed:
    """Take an envelope back."""
    async with _open(options) as gateway:
        await errands.ask_withdrawal(gateway, options.envelope, options.reason)
        return {"envelope": options.envelope, "state": "asked"}


async def reseal(options: Namespace) -> Printed:
    """Seal again what waits for a mailbox that ended, for the part of it that is meant."""
    async with _open(options) as gateway:
        await errands.ask_reseal(gateway, options.envelope, options.split)
        return {"envelope": options.envelope, "state": "asked"}


async def waive(options: Namespace) -> Printed:
    """Sign that an obligation is given up, or was met by other means."""
    second = errands.Confirmed(options.second, options.second_role) if options.second else None
    async with _open(options) as gateway:
        await errands.ask_waiver(
            gateway, options.obligation, "met_elsewhere" if options.met_elsewhere else "waived", mailbox=options.mailbox,
            reason=options.reason, by=errands.Confirmed(options.actor, options.role), second=second,
        )  # fmt: skip
        return {"obligation": options.obligation, "state": "asked"}


async def keys_rotate(options: Namespace) -> Printed:
    """Rotate the sealing keys that are due, or all, or the signing key."""
    async with _open(options) as gateway:
        if options.signing:
            return {"next": await rotation.rotate_signing(gateway), "until then": gateway.keyring.signing.kid}
        count = await rotation.rotate_keys(gateway, force=options.now)
        return {"published": count, "held": len(gateway.keyring.opening_keys)}


async def keys_give_up(options: Namespace) -> Printed:
    """Publish that a key of the agency is retired or revoked."""
    state: Any = "revoked" if options.action == "revoke" else "retired"
    text = getattr(options, "compromised_from", None)
    async with _open(options) as gateway:
        await rotation.give_up(gateway, options.kid, state, _moment(text) if text else None)
        return {"kid": options.kid, "state": state}


async def keys_list(options: Namespace) -> Printed:
    """List the agency's keys as published."""
    async with _open(options) as gateway:
        await gateway.partnership.refresh()
        mine = set(gateway.keyring.kids())
        found = [key for key in gateway.partnership.books.keys.values() if key.last.agency == gateway.config.agency]
        return [
            {"kid": key.kid, "use": key.last.use, "mailbox": key.last.mailbox or "", "state": key.last.state}
            | {"expires": key.last.expires, "held": key.kid in mine}
            for key in found
        ]


def _moment(text: str) -> Moment:
    """Return the UTC milliseconds of an RFC 3339 instant such as ``2026-07-06T08:00:00Z``.

    Raises:
        GatewayError: ``keys-moment``.
    """
    try:
        return read_moment(text)
    except ValueError as error:
        raise GatewayError(
            "keys-moment", "a moment is a date and time with its offset", "write it as 2026-07-06T08:00:00Z"
        ) from error


async def _levels(gateway: Gateway, row: Row) -> list[str]:
    found = await gateway.spool.all("receipts_of", envelope=row["envelope"], mailbox=row["mailbox"])
    return [one["level"] for one in found]
