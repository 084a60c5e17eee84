"""From a mailbox's feed to the spool: verified, opened, kept, receipted, in one transaction for each page.

What can't be verified is never filed; what fails is said so in a signed receipt.

Source: design 4; protocol 3, 4 and 6.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from adapters.errors import GatewayError, NotYetError
from adapters.gateway import consequences, embargo, handling, holds, sightings, suspecting
from adapters.gateway.claims import claim_acceptance
from adapters.gateway.client import HubRefusedError, decode_body
from adapters.gateway.context import Gateway
from adapters.gateway.opening import Arrived, Opened, RejectedError, open_delivery
from adapters.gateway.receipting import add_receipt
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.succession import is_anothers, was_anothers
from adapters.gateway.watch import Watch, header_of, topic_of_notice
from keys import jws
from keys.digests import sha256_b64u
from keys.errors import KeysError
from keys.jws import VerifyingKey
from schemas.envelope import Header, parse_header, parse_wraps
from schemas.identifiers import KeyId, MailboxId, Moment, agency_of, is_id
from schemas.receipt import Receipt, parse_receipt
from schemas.statements import Notice, parse_notice, parse_waiver
from schemas.strict_json import MalformedError, dump

_log = logging.getLogger("gateway.incoming")
MAX_PAGE_BYTES: Final = 64 * 1024 * 1024
# What an old copy of the signed documents can cause: they are fetched again before anybody is blamed.
STALE: Final = frozenset({"sender-key", "acceptance", "wraps", "manifest"})
# What new wraps cure.
UNOPENABLE: Final = frozenset({"opening-key", "unwrap"})

Work = Callable[[Transaction], Awaitable[None]]


async def pull(gateway: Gateway, watch: Watch, mailbox: MailboxId, wait: float) -> int:
    """Take the next page of the feed of *mailbox*; return how many entries it had.

    Raises:
        NotYetError: the hub is away; the place in the feed stays.
        GatewayError: ``feed-gap``; the hub left out a number.
    """
    place = await gateway.spool.one("find_place", mailbox=mailbox)
    after = int(place["seq"]) if place else 0
    page = await gateway.client.feed(mailbox, after, wait)
    works: list[Work] = []
    number, size = after, 0
    for entry in page["entries"]:
        size += int(entry.get("length", 0))
        if works and size > MAX_PAGE_BYTES:
            break  # the rest is read again from the place where this ends
        number += 1
        if entry["seq"] != number:
            raise GatewayError(
                "feed-gap", "the hub left out a number of the mailbox's feed", "tell the partnership's officers"
            )
        works.append(await _prepare(gateway, watch, mailbox, entry))
    if not works:
        return 0

    async def work(tx: Transaction) -> None:
        for one in works:
            await one(tx)
        # The place moves with what it stands for: killed before this commits, the page is simply read again.
        await tx.run("set_place", mailbox=mailbox, seq=number)

    await gateway.spool.write(work)
    return len(works)


async def _nothing(_: Transaction) -> None:
    return None


async def _prepare(gateway: Gateway, watch: Watch, mailbox: MailboxId, entry: Mapping[str, Any]) -> Work:
    """Return what to do about *entry* inside the page's transaction; network and verification happen here.

    A delivery ends in the spool, in a receipt `rejected`, or in ``NotYetError``, and is then tried again.

    Raises:
        NotYetError: the hub is away, or what it shows now does not hold.
    """
    kind = entry["kind"]
    try:
        if kind == "delivery":
            return await _delivery(gateway, watch, mailbox, entry)
        if was_anothers(gateway, mailbox, int(entry["at"])):
            return _nothing
        if kind == "receipt":
            return await _receipt(gateway, watch, entry)
        if kind == "notice":
            return await _notice(gateway, watch, mailbox, entry)
        if kind == "waiver":
            return await _waiver(gateway, watch, entry)
    except NotYetError:
        raise
    except (KeysError, MalformedError, GatewayError) as error:
        _log.warning("a %s in the feed does not verify: %s", kind, error.code)
        if kind == "delivery":
            raise NotYetError("delivery-waits", "a delivery can't be judged now", "the gateway asks again") from error
        # A statement that nobody can be held to changes nothing here, but for this word of it.
        details = {"kind": kind, "reason": error.code, "seq": entry["seq"]}
        topic = f"left-out:{mailbox}:{entry['seq']}"
        return partial(_leave_out, gateway, mailbox, topic, details, entry)
    return _nothing


async def _leave_out(
    gateway: Gateway,
    mailbox: MailboxId,
    topic: str,
    details: Mapping[str, object],
    entry: Mapping[str, Any],
    tx: Transaction,
) -> None:
    await gateway.tell(tx, "statement-left-out", topic, mailbox=mailbox, details=details)
    if entry["kind"] == "receipt":
        await suspecting.suspect_receipt(gateway, tx, entry)


async def _refresh(gateway: Gateway) -> None:
    """Look at the signed documents again.

    Raises:
        NotYetError: the hub is away, or what it shows does not hold: nothing can be judged by it.
    """
    try:
        await gateway.partnership.refresh()
    except NotYetError:
        raise
    except (GatewayError, KeysError, MalformedError) as error:
        raise NotYetError(error.code, "the signed documents can't be verified now", "see the log") from error


async def _find_signer(gateway: Gateway, kid: KeyId, mailbox: MailboxId, at: Moment) -> VerifyingKey | None:
    """Return the key with which *mailbox*, or who took over from it, could speak at *at*; asked for if unknown."""
    signer = gateway.partnership.books.find_signer(kid, mailbox, at, heirs=True)
    if signer is None:
        await _refresh(gateway)
        signer = gateway.partnership.books.find_signer(kid, mailbox, at, heirs=True)
    return signer


async def _delivery(gateway: Gateway, watch: Watch, mailbox: MailboxId, entry: Mapping[str, Any]) -> Work:
    envelope = str(entry["envelope"])
    if not is_id(envelope):
        raise NotYetError("hub-answer", "a delivery in the feed has no id", "tell the partnership's officers")
    known = await gateway.spool.one("find_incoming", envelope=envelope, mailbox=mailbox)
    if known is not None and known["state"] != "rejected":
        return _nothing  # a feed that was rewound: nothing is filed twice
    if entry.get("state") != "present":
        return _nothing  # withdrawn or deleted: its tombstone says so
    if is_anothers(gateway, mailbox, str(entry["wraps"])):
        return _nothing
    arrived = Arrived(
        mailbox=mailbox, seq=int(entry["seq"]), header=str(entry["header"]).encode(errors="replace"),
        wraps=str(entry["wraps"]).encode(errors="replace"), acceptance=str(entry["acceptance"]).encode(errors="replace"),
        body=await _get_body(gateway, envelope, entry),
    )  # fmt: skip
    try:
        opened = await _open(gateway, arrived)
        if opened.header.id != envelope:
            return await _reject(gateway, arrived, envelope, "layers-differ")
        if opened.header.directory > gateway.partnership.books.directory.version:
            await _refresh(gateway)
    except RejectedError as error:
        return await _reject(gateway, arrived, envelope, error.code)
    return lambda tx: _keep(gateway, watch, tx, opened)


async def _get_body(gateway: Gateway, envelope: str, entry: Mapping[str, Any]) -> bytes:
    try:
        body = decode_body(entry)
    except KeysError:
        return b""  # of the wrong length then, which is what its receipt says
    if body is not None:
        return body
    try:
        return await gateway.client.body(envelope, int(entry["length"]))
    except HubRefusedError as error:
        # Withdrawn a moment ago, perhaps: the feed says so when it is read again.
        raise NotYetError("body-waits", "the hub doesn't hand over a body", "the gateway asks again") from error


async def _open(gateway: Gateway, arrived: Arrived) -> Opened:
    for again in (False, True):
        try:
            return open_delivery(
                arrived, books=gateway.partnership.books, catalogue=gateway.catalogue, keyring=gateway.keyring,
                now=gateway.clock(),
            )  # fmt: skip
        except RejectedError as error:
            if again or error.code not in STALE:
                raise
        # Perhaps the sender enrolled, or changed a key, since we last looked: ask before blaming anybody.
        await _refresh(gateway)
    raise AssertionError("unreachable")


async def _keep(gateway: Gateway, watch: Watch, tx: Transaction, opened: Opened) -> None:
    header, now = opened.header, gateway.clock()
    by_hand = gateway.adapter_for(opened.mailbox, header.type) is None
    until = embargo.moment_of(opened.message)
    state = embargo.STATE if until > now else "waiting-person" if by_hand else "collected"
    content = gateway.spool.lock(msgspec.msgpack.encode(opened.describe()), header.id)
    added = await tx.run(
        "add_incoming", envelope=header.id, mailbox=opened.mailbox, seq=opened.seq, thread=header.thread,
        type=header.type, sender=header.from_, at=now, accepted_at=opened.acceptance.at,
        state=state, code=None, header=opened.header_jws, content=content,
        manifest_sha256=opened.manifest_sha256, sealed_sha256=header.sealed.sha256,
    )  # fmt: skip
    if not added:
        return
    if state == embargo.STATE:
        await embargo.hold(tx, header, opened.mailbox, until)
    if header.supersedes is not None:
        # Nobody is to act on the version before: it is read from this one's page, or from the thread's.
        await tx.run("set_attention", envelope=header.supersedes, mailbox=opened.mailbox, attention="replaced")
    await handling.note_items(tx, gateway, header.type, header.id, opened.message)
    await add_receipt(
        tx, gateway.keyring, "collected", envelope=header.id, mailbox=opened.mailbox,
        sealed_sha256=header.sealed.sha256, manifest_sha256=opened.manifest_sha256, now=now,
        seen=gateway.witness.receipt_view(),
    )  # fmt: skip
    await tx.run("add_unregistered", envelope=header.id, why="received", draft=None)
    await watch.see_envelope(tx, header, opened.acceptance.at, gateway.partnership.books)
    await claim_acceptance(tx, opened.header_jws, opened.acceptance_jws)
    await suspecting.suspect_directory(gateway, tx, opened)
    await consequences.note_deletion(tx, header.id, opened.mailbox, header.type, opened.message)


async def _reject(gateway: Gateway, arrived: Arrived, envelope: str, code: str) -> Work:
    try:
        header: Header | None = parse_header(jws.parse(arrived.header, jws.ENVELOPE).payload)
    except (KeysError, MalformedError):
        header = None
    sealed = header.sealed.sha256 if header else sha256_b64u(arrived.body)
    _log.warning("a delivery was rejected: %s", code)

    async def work(tx: Transaction) -> None:
        now = gateway.clock()
        await tx.run(
            "add_incoming", envelope=envelope, mailbox=arrived.mailbox, seq=arrived.seq,
            thread=header.thread if header else "", type=header.type if header else "",
            sender=header.from_ if header else "", at=now, accepted_at=now, state="rejected", code=code, header=None,
            content=None, manifest_sha256=None, sealed_sha256=sealed,
        )  # fmt: skip
        await add_receipt(
            tx, gateway.keyring, "rejected", envelope=envelope, mailbox=arrived.mailbox, sealed_sha256=sealed,
            manifest_sha256=None, now=now, seen=gateway.witness.receipt_view(), code=code,
        )  # fmt: skip
        await suspecting.suspect_delivery(gateway, tx, arrived, envelope, code)

    return work


async def _receipt(gateway: Gateway, watch: Watch, entry: Mapping[str, Any]) -> Work:
    compact = str(entry["jws"]).encode()
    unverified = jws.parse(compact, jws.RECEIPT)
    receipt = parse_receipt(unverified.payload)
    at = int(entry["at"])
    signer = await _find_signer(gateway, unverified.kid, receipt.mailbox, at)
    if signer is None:
        raise GatewayError("receipt-signer", "a receipt is by a key that isn't its mailbox's")
    jws.check(unverified, signer)
    index = entry.get("index")
    return lambda tx: _hear(gateway, watch, tx, receipt, compact, index if isinstance(index, int) else None, at)


async def _hear(
    gateway: Gateway, watch: Watch, tx: Transaction, receipt: Receipt, compact: bytes, index: int | None, at: Moment
) -> None:
    sent = await tx.one("find_sent", envelope=receipt.envelope)
    added = await tx.run(
        "add_heard", id=receipt.id, envelope=receipt.envelope, mailbox=receipt.mailbox, level=receipt.level,
        code=receipt.code, at=at, jws=compact,
    )  # fmt: skip
    if not added or sent is None:
        return
    if index is not None:
        await tx.run("add_heard_place", id=receipt.id, ix=index)
    header = header_of(sent)
    await sightings.hear(gateway, tx, header, receipt, compact, index, at)
    if receipt.mode == "destroyed":
        await watch.take_back(tx, header, frozenset({receipt.mailbox}), at, gateway.partnership.books)
    else:
        await watch.see_receipt(tx, receipt, at, header.thread)
    if receipt.level == "rejected" and receipt.code in UNOPENABLE:
        # Its key was destroyed before it could collect: the same body can be wrapped for the next one.
        await _ask_for_reseal(tx, sent, header, receipt.mailbox)
    heard = await tx.all("heard_of", envelope=receipt.envelope)
    cleared = {row["mailbox"] for row in heard if row["level"] in {"filed", "acknowledged"}}
    if cleared.issuperset(header.to):
        # Everybody has it: nobody can need new wraps any more.
        await tx.run("forget_content_key", envelope=receipt.envelope)


async def _ask_for_reseal(tx: Transaction, sent: Row, header: Header, mailbox: MailboxId) -> None:
    wraps = parse_wraps(jws.parse(bytes(sent["wraps"]), jws.WRAPS).payload, header).wraps if sent["wraps"] else ()
    kids = {wrap.mailbox: wrap.kid for wrap in wraps if wrap.mailbox == mailbox}
    await tx.run("add_chore", kind="reseal", ref=header.id, details=dump({"unopenable": kids}))


async def _notice(gateway: Gateway, watch: Watch, mailbox: MailboxId, entry: Mapping[str, Any]) -> Work:
    unverified = jws.parse(str(entry["jws"]).encode(), jws.NOTICE)
    if unverified.kid not in gateway.partnership.books.hub_keys:
        await _refresh(gateway)
    jws.check(unverified, gateway.partnership.books.hub_key(unverified.kid))
    notice = parse_notice(unverified.payload)
    return lambda tx: _take_notice(gateway, watch, tx, mailbox, notice, int(entry["at"]))


async def _take_notice(
    gateway: Gateway, watch: Watch, tx: Transaction, mailbox: MailboxId, notice: Notice, at: Moment
) -> None:
    details = {
        name: value
        for name, value in msgspec.to_builtins(notice).items()
        if value is not None and name not in {"v", "id", "notice"}
    }
    await tx.run(
        "add_notice", id=notice.id, topic=topic_of_notice(notice, mailbox), code=notice.notice, mailbox=mailbox,
        source="hub", at=at, details=dump(details),
    )  # fmt: skip
    if notice.obligation is not None:
        await watch.hear(tx, notice.notice, notice.obligation, notice.thread or "", at)
    if notice.notice in {"hold-placed", "hold-released"}:
        await holds.take_notice(gateway, tx, notice, at)
        return
    if notice.envelope is None:
        return
    if notice.notice == "reseal-needed":
        await tx.run("add_chore", kind="reseal", ref=notice.envelope, details=b"{}")
    elif notice.notice == "withdrawn":
        await tx.run("add_unregistered", envelope=notice.envelope, why="withdrawn", draft=None)
        await _answer_withdrawal(gateway, watch, tx, mailbox, notice)


async def _answer_withdrawal(
    gateway: Gateway, watch: Watch, tx: Transaction, mailbox: MailboxId, notice: Notice
) -> None:
    """Destroy what only the gateway holds and say so; what is in a record system is for a person there to answer."""
    row = await tx.one("find_incoming", envelope=notice.envelope, mailbox=mailbox)
    if row is not None and row["header"] is not None:
        # Another of the agency's mailboxes, which never got it, can't get it any more.
        header, held = header_of(row), await tx.all("find_for_any", envelope=notice.envelope)
        have = {one["mailbox"] for one in held if one["state"] != "rejected"}
        gone = frozenset(box for box in header.to if agency_of(box) == agency_of(mailbox)) - have
        await watch.take_back(tx, header, gone, gateway.clock(), gateway.partnership.books)
    if row is None or row["state"] in {"rejected", "destroyed"}:
        return
    if row["state"] == "filed":
        await gateway.tell(
            tx, "destruction-asked", f"destroy:{notice.envelope}:{mailbox}", mailbox=mailbox,
            details={"envelope": notice.envelope, "record": row["record"] or ""},
        )  # fmt: skip
        return
    await destroy(gateway, tx, row)


async def destroy(gateway: Gateway, tx: Transaction, row: Mapping[str, Any], **person: Any) -> None:
    """Drop what the spool holds of a delivery and say so by a signed `filed` of mode `destroyed`."""
    await tx.run("drop_content", envelope=row["envelope"], mailbox=row["mailbox"])
    if row["header"] is not None and (before := header_of(row).supersedes) is not None:
        # What it replaced counts again, and waits for somebody again.
        await tx.run("wait_again", envelope=before, mailbox=row["mailbox"])
    await tx.run(
        "set_incoming", envelope=row["envelope"], mailbox=row["mailbox"], state="destroyed", code=None, record=None
    )
    await tx.run("add_unregistered", envelope=row["envelope"], why="destroyed", draft=None)
    await add_receipt(
        tx, gateway.keyring, "filed", envelope=row["envelope"], mailbox=row["mailbox"],
        sealed_sha256=row["sealed_sha256"], manifest_sha256=row["manifest_sha256"], now=gateway.clock(),
        seen=gateway.witness.receipt_view(), mode="destroyed", **person,
    )  # fmt: skip


async def _waiver(gateway: Gateway, watch: Watch, entry: Mapping[str, Any]) -> Work:
    unverified = jws.parse(str(entry["jws"]).encode(), jws.WAIVER)
    waiver = parse_waiver(unverified.payload)
    signer = await _find_signer(gateway, unverified.kid, waiver.mailbox, int(entry["at"]))
    if signer is None:
        raise GatewayError("waiver-signer", "a waiver is by a key that isn't its mailbox's")
    jws.check(unverified, signer)
    return lambda tx: watch.see_waiver(tx, waiver)
