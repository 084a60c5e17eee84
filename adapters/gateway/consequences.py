"""What has to come of an envelope later, noted in the transaction in which it was accepted or kept.

Two things: the messages that follow by themselves from what was sent (``followups`` drafts them), and the day after
which a negative, and what it answers, must be gone (``negatives`` deletes it).  Noted elsewhere they could be forgotten by a kill.

Source: domain 2 (systems 4, 8), 3 (7); domain 11, risk 15.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from adapters.base import Draft
from adapters.gateway.context import Gateway
from adapters.gateway.spool import Transaction
from adapters.gateway.watch import duty_of
from keys.digests import b64u
from schemas.derivation import Derivation, Derivations
from schemas.envelope import Header
from schemas.identifiers import EnvelopeId, MailboxId, MessageType, family_of
from schemas.rules.duty import Duty
from schemas.strict_json import dump

FOLLOW_UP: Final = "follow-up"


def has_any(message_type: MessageType) -> bool:
    """Answer whether anything could come of a message of the type, so that most drafts needn't be opened again."""
    derivations = Derivations.load()
    automatic = any(one.automatic for one in derivations.made_from(message_type))
    return automatic or derivations.may_be_negative(message_type)


def find_follow_up(gateway: Gateway, message_type: MessageType, duty: Duty) -> Derivation | None:
    """Return how what *duty* awaits is made by itself from a message of *message_type*, or ``None``: a person sends it."""
    for one in Derivations.load().made_from(message_type):
        family = family_of(one.target)
        if one.automatic and family in duty.types and family not in gateway.config.by_hand:
            return one
    return None


async def note_sent(gateway: Gateway, tx: Transaction, header: Header, draft: Draft) -> None:
    """Note what comes of *draft*, which the hub accepted as *header*, once the watch has seen that."""
    await note_deletion(tx, header.id, header.from_, header.type, draft.message)
    if header.re is not None and Derivations.load().may_be_negative(header.type):
        # What was asked names the person too.  Found after all, it stays like any other.
        await tx.run("drop_deletion", envelope=header.re, mailbox=header.from_)
        await note_deletion(tx, header.re, header.from_, header.type, draft.message)
    # Attachments don't follow.
    source = msgspec.structs.replace(draft, attachments=())
    for row in await tx.all("open_in_thread", thread=header.thread):
        duty = duty_of(row)
        # A duty about an item would repeat for each of them what the message makes as a whole.
        is_whole = duty.kind == "send" and duty.item in {"", header.id}
        is_own = gateway.config.find_mailbox(duty.debtor) is not None
        if is_whole and is_own and find_follow_up(gateway, header.type, duty) is not None:
            locked = gateway.spool.lock(msgspec.msgpack.encode(source), row["id"])
            details = {"envelope": header.id, "mailbox": duty.debtor, "source": b64u(locked)}
            await tx.run("add_chore", kind=FOLLOW_UP, ref=row["id"], details=dump(details))


async def note_deletion(
    tx: Transaction, envelope: EnvelopeId, mailbox: MailboxId, message_type: MessageType, message: Any
) -> None:
    """Note from when on the copy that *mailbox* has of *message* must be gone, if it is a negative with a date."""
    end = Derivations.load().find_end(message_type, message)
    if end is not None:
        await tx.run("add_deletion", envelope=envelope, mailbox=mailbox, at=end)
