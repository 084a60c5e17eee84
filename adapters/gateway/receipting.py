"""Receipts: what this agency says happened to a delivery, chained to what it said before.

Written into the spool in the transaction of what they speak of, so that neither is there without the other.

Source: protocol 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from adapters.errors import GatewayError
from adapters.gateway.spool import Row, Transaction
from keys import jws
from keys.digests import keyed_digest, new_id, sha256_b64u
from keys.keyring import Keyring
from schemas.identifiers import EnvelopeId, MailboxId, Moment
from schemas.receipt import BY_PERSON, DECLINE_CODES, Level, Receipt, Seen, parse_receipt
from schemas.strict_json import dump

# What a person did with a delivery, and whether it still waits on the list of the inbox.
ATTENTION: Final[Mapping[Level, str]] = {
    "opened": "opened", "acknowledged": "done", "declined": "done", "filed": "done",
}  # fmt: skip


async def add_receipt(
    tx: Transaction,
    keyring: Keyring,
    level: Level,
    *,
    envelope: EnvelopeId,
    mailbox: MailboxId,
    sealed_sha256: str,
    manifest_sha256: str | None,
    now: Moment,
    seen: Seen | None,
    follows: Literal["last", "taken", "none"] = "last",
    **more: Any,
) -> Receipt:
    """Sign a receipt and put it where it will be sent from; *more*: ``code``, ``mode``, ``record``, ``actor``, ``role``.

    It names the mailbox's last receipt for the envelope, the last that the hub took, or none (*follows*).
    """
    query = {"last": "last_receipt", "taken": "last_taken"}.get(follows)
    last = await tx.one(query, envelope=envelope, mailbox=mailbox) if query else None
    receipt = Receipt(
        v=1,
        id=new_id(now),
        envelope=envelope,
        sealed_sha256=sealed_sha256,
        manifest_sha256=manifest_sha256,
        level=level,
        mailbox=mailbox,
        at=now,
        previous=last["sha256"] if last else None,
        checkpoint=seen,
        **more,
    )
    payload = dump(receipt)
    parse_receipt(payload)
    signed = keyring.signing.sign(payload, jws.RECEIPT)
    if seen is not None:
        # Whoever holds the receipt against another view will ask for what the hub had signed.
        await tx.run("carry_note", size=seen.size)
    await tx.run(
        "add_receipt", id=receipt.id, envelope=envelope, mailbox=mailbox, level=level, sha256=sha256_b64u(signed),
        jws=signed, at=now,
    )  # fmt: skip
    return receipt


async def receipt_by_person(
    tx: Transaction,
    keyring: Keyring,
    row: Row,
    level: Level,
    *,
    actor: str,
    role: str,
    now: Moment,
    seen: Seen | None,
    code: str | None = None,
    record: str | None = None,
) -> Receipt:
    """Sign what the person *actor* did with the delivery in the inbox row *row*; the name stays here.

    Raises:
        GatewayError: ``inbox-not-opened`` (nobody has opened it, or it was rejected), ``receipt-code``,
            ``receipt-person``.
    """
    if not actor.strip() or not role:
        raise GatewayError("receipt-person", "a person's receipt needs their name and role", "give --actor and --role")
    current = await tx.one("find_incoming", envelope=row["envelope"], mailbox=row["mailbox"])
    state = current["state"] if current else "destroyed"
    if state == "rejected":
        raise GatewayError("inbox-not-opened", "the delivery failed a check and can't be receipted", "ask the sender")
    if state == "destroyed":
        raise GatewayError(
            "inbox-destroyed", "the delivery was destroyed, as its sender asked", "ask the sender for another"
        )
    if level == "declined" and code not in DECLINE_CODES:
        raise GatewayError(
            "receipt-code", "that is no reason to decline", "use one of " + ", ".join(sorted(DECLINE_CODES))
        )
    ref = keyed_digest(keyring.record_key, actor.strip())
    if level == "acknowledged" and ref not in await _openers(tx, row):
        # Acknowledging follows displaying, to this very person.
        raise GatewayError("inbox-not-opened", "this person has not opened it yet", "run `gateway inbox open` first")
    if level not in BY_PERSON and level != "filed":
        raise GatewayError("receipt-level", "that is no level that a person reaches", "open, acknowledge or decline it")
    more: dict[str, Any] = {"actor": ref, "role": role}
    if code is not None:
        more["code"] = code
    if level == "filed":
        more |= {"mode": "full", "record": keyed_digest(keyring.record_key, record or "")}
    await tx.run("set_attention", envelope=row["envelope"], mailbox=row["mailbox"], attention=ATTENTION[level])
    if level == "declined":
        await tx.run("add_unregistered", envelope=row["envelope"], why="declined", draft=None)
    return await add_receipt(
        tx, keyring, level, envelope=row["envelope"], mailbox=row["mailbox"], sealed_sha256=row["sealed_sha256"],
        manifest_sha256=row["manifest_sha256"], now=now, seen=seen, **more,
    )  # fmt: skip


async def receipts_by(tx: Transaction, keyring: Keyring, row: Row, actor: str) -> list[Receipt]:
    """Return what the person *actor* has signed about the delivery in the inbox row *row*, oldest first."""
    ref = keyed_digest(keyring.record_key, actor.strip())
    found = [
        parse_receipt(jws.parse(bytes(one["jws"]), jws.RECEIPT).payload)
        for one in await tx.all("signed_receipts_of", envelope=row["envelope"], mailbox=row["mailbox"])
    ]
    return [one for one in found if one.actor == ref]


async def _openers(tx: Transaction, row: Row) -> set[str | None]:
    """Return the pseudonyms of those to whom the delivery was displayed."""
    found = await tx.all("openings_of", envelope=row["envelope"], mailbox=row["mailbox"])
    return {parse_receipt(jws.parse(bytes(one["jws"]), jws.RECEIPT).payload).actor for one in found}
