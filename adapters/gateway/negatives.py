"""Answers that say "not known here" have a last day, and go when it is over: from the spool, and from the record system if it can.

Whom nobody knows has a right that nobody keeps it.  The hub has its own term for the sealed body.

Source: domain 2, system 4; domain 11, risk 15.
"""

from __future__ import annotations

import copy
import logging
from typing import Any, Final

import msgspec

from adapters.base import Deletes, Draft
from adapters.errors import place_of
from adapters.gateway.context import Gateway
from adapters.gateway.spool import Row, Transaction
from schemas.derivation import Derivations, put, read, spell_day
from schemas.envelope import DAY
from schemas.identifiers import MessageType, family_of

_log = logging.getLogger("gateway.negatives")
BATCH: Final = 100


def date_draft(gateway: Gateway, draft: Draft) -> Draft:
    """Return *draft* with its last day and label if it is a negative that lacks them; any other as it is."""
    if Derivations.load().find_negative(draft.type, draft.message) is None:
        return draft
    message = copy.deepcopy(draft.message)
    label = date_negative(gateway, draft.type, message)
    return (
        draft if label is None else msgspec.structs.replace(draft, message=message, retention=draft.retention or label)
    )


def date_negative(gateway: Gateway, kind: MessageType, message: dict[str, Any]) -> str | None:
    """Put the last day into *message* if it is a negative without one; return its label, if the agreement has it.

    The day is the label's longest term from today: how long negatives may stay is the partnership's to say.
    """
    negative = Derivations.load().find_negative(kind, message)
    if negative is None:
        return None
    rules = gateway.partnership.books.rules_at(gateway.clock())
    terms = rules.agreement.types.get(family_of(kind))
    if terms is None:
        return None
    label = negative.retention if negative.retention in terms.retention else terms.retention[0]
    if read(message, negative.date) is None:
        put(message, negative.date, spell_day(gateway.clock() + rules.retention(label).max_days * DAY))
    return label


async def delete_due(gateway: Gateway) -> int:
    """Delete the copies whose day is over; return how many are dealt with for good.

    The spool's content goes at once, with a notice that the record system must delete its copy too; an adapter that
    can delete is asked until it answers.  Repeating any of it is harmless.
    """
    finished = 0
    for row in await gateway.spool.all("due_deletions", now=gateway.clock(), limit=gateway.pacer.room_for(BATCH)):
        key = f"delete {row['envelope']} {row['mailbox']}"
        if not gateway.pacer.is_ready(key):
            continue
        await _forget(gateway, row)
        adapter = gateway.adapter_for(row["mailbox"])
        if isinstance(adapter, Deletes):
            try:
                if not await adapter.delete(row["envelope"], row["mailbox"]):
                    _log.warning("an adapter leaves a deletion to people")
            except Exception as error:  # noqa: BLE001
                # Its text may hold content, so only its kind and place are logged.
                _log.error("an adapter failed to delete: %s", place_of(error))
                gateway.pacer.failed(key)
                continue
        await gateway.spool.run("drop_deletion", envelope=row["envelope"], mailbox=row["mailbox"])
        gateway.pacer.worked(key)
        finished += 1
    return finished


async def _forget(gateway: Gateway, row: Row) -> None:
    about = {"envelope": row["envelope"], "mailbox": row["mailbox"]}

    async def work(tx: Transaction) -> None:
        held = await tx.one("find_incoming", **about)
        await tx.run("delete_incoming", **about)
        await tx.run("drop_indexed", **about)
        sent = await tx.one("find_sent", envelope=row["envelope"])
        if sent is not None and sent["mailbox"] == row["mailbox"]:
            # Nobody can have it wrapped anew.
            await tx.run("forget_content_key", envelope=row["envelope"])
            await tx.run("drop_written", envelope=row["envelope"])
        known = held or sent
        if known is not None:
            details = {"envelope": row["envelope"], "thread": known["thread"], "type": known["type"]}
            record = {"record": held["record"]} if held is not None and held["record"] else {}
            topic = f"delete:{row['envelope']}:{row['mailbox']}"
            await gateway.tell(tx, "delete-due", topic, mailbox=row["mailbox"], details=details | record)

    await gateway.spool.write(work)
