"""Messages that follow from what the agency sent: asked for by a rule, made by data, sent whether or not anybody thinks of it.

Convening a strategy discussion asks probation about each adult; an agreed risk asks police for a flag.  A rule of the
agreement opens the duty, ``schemas/derivations.json`` says how the message is made, and whatever can't be made so
stays owed and visible.

Source: domain 2 (systems 4, 8).
"""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec

from adapters.base import Draft, DraftRefused, DraftResult, Outgoing
from adapters.gateway import outgoing
from adapters.gateway.consequences import FOLLOW_UP, find_follow_up
from adapters.gateway.context import Gateway
from adapters.gateway.spool import Row
from adapters.gateway.watch import duty_of
from keys.digests import from_b64u, new_id
from keys.errors import KeysError
from schemas.derivation import Derivation, Derivations, spell_moment
from schemas.identifiers import EnvelopeId, MessageType, ObligationId, family_of
from schemas.rules.duty import Duty

_log = logging.getLogger("gateway.followups")
BATCH: Final = 50


async def draft_due(gateway: Gateway) -> int:
    """Draft what follows from envelopes that were accepted; return how many drafts are new.

    Killed between any two lines, it is begun again and drafts nothing twice: each draft has a key that never changes.
    """
    new = 0
    for chore in await gateway.spool.all("follow_ups", limit=gateway.pacer.room_for(BATCH)):
        key = f"{FOLLOW_UP} {chore['ref']}"
        if not gateway.pacer.is_ready(key):
            continue
        try:
            drafted = await _follow_up(gateway, chore)
        except KeysError as error:
            _log.error("a follow-up can't be read: %s", error.code)
            drafted = None
        if drafted is None:
            gateway.pacer.failed(key)
            continue
        await gateway.spool.run("drop_chore", kind=FOLLOW_UP, ref=chore["ref"])
        gateway.pacer.worked(key)
        new += drafted
    return new


async def _follow_up(gateway: Gateway, chore: Row) -> int | None:
    """Draft what *chore* asks for; return how many drafts are new, or ``None``: it has to wait."""
    details: dict[str, Any] = msgspec.json.decode(bytes(chore["details"]))
    envelope: EnvelopeId = details["envelope"]
    row = await gateway.spool.one("find_obligation", id=chore["ref"])
    if row is None:
        return 0
    duty = duty_of(row)
    content = gateway.spool.unlock(from_b64u(details["source"]), chore["ref"])
    source: Draft = msgspec.msgpack.decode(content, type=Draft)
    pair = find_follow_up(gateway, source.type, duty)
    if pair is None:
        return 0  # the configuration has changed: it is for a person now
    begun = await gateway.spool.one("find_draft", adapter=FOLLOW_UP, key=_key(envelope, chore["ref"], 0))
    if begun is None:
        # Once begun it is finished, though the first of several messages settles the duty.
        sent = await gateway.spool.one("find_sent", envelope=envelope)
        if row["state"] != "open" or sent is None or sent["state"] != "accepted":
            return 0
        if await _is_on_its_way(gateway, duty, pair.target):
            return None
    return await _draft_all(gateway, envelope, chore["ref"], duty, source, pair)


async def _is_on_its_way(gateway: Gateway, duty: Duty, message_type: MessageType) -> bool:
    """Answer whether somebody has put such a message into the outbox already: if the hub takes it, nothing follows."""
    waiting = await gateway.spool.all("unsent_in_thread", thread=duty.thread, mailbox=duty.debtor, adapter=FOLLOW_UP)
    return any(family_of(row["type"]) == family_of(message_type) for row in waiting)


async def _draft_all(
    gateway: Gateway, envelope: EnvelopeId, obligation: ObligationId, duty: Duty, source: Draft, pair: Derivation
) -> int:
    now, new = gateway.clock(), 0
    messages = Derivations.load().derive_all(
        pair.source, pair.target, source.message, new_ids=lambda: new_id(now), now=spell_moment(now),
        values=pair.addressed(sender=duty.debtor, recipient=duty.creditor),
    )  # fmt: skip
    for number, message in enumerate(messages):
        draft = msgspec.structs.replace(
            source, type=pair.target, from_=duty.debtor, to=(duty.creditor,), thread=duty.thread, re=envelope,
            supersedes=None, retention=None, message=message,
        )  # fmt: skip
        key = _key(envelope, obligation, number)

        async def done(result: DraftResult, key: str = key) -> None:
            if isinstance(result, DraftRefused):
                await _tell_refused(gateway, obligation, duty, key, result)

        new += await outgoing.take(gateway, FOLLOW_UP, Outgoing(key=key, draft=draft, done=done))
    return new


async def _tell_refused(
    gateway: Gateway, obligation: ObligationId, duty: Duty, key: str, refused: DraftRefused
) -> None:
    """Tell the mailbox that a person has to send what it owes; the duty stays open."""
    details = {
        "obligation": obligation, "thread": duty.thread, "type": duty.types[0], "creditor": duty.creditor,
        "code": refused.code, "message": refused.message, "hint": refused.hint,
    }  # fmt: skip
    await gateway.spool.write(
        lambda tx: gateway.tell(tx, "follow-up-refused", f"{FOLLOW_UP}:{key}", mailbox=duty.debtor, details=details)
    )
    _log.warning("a follow-up was refused: %s", refused.code)


def _key(envelope: EnvelopeId, obligation: ObligationId, number: int) -> str:
    """Return the stable key of one draft: the obligation's id stands for rule, debtor and creditor."""
    return f"{envelope} {obligation} {number}"
