"""From the spool to the record system and back to the hub: filing, receipts, notices.

Source: design 4; protocol 4.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, get_args

import msgspec

from adapters.base import Filed, Held, Incoming, Later, NeedsPerson, Notice, Outcome, ReadsBack, TakesNotices
from adapters.errors import place_of
from adapters.gateway import holds
from adapters.gateway.claims import claim_receipt
from adapters.gateway.client import HubRefusedError
from adapters.gateway.context import Gateway
from adapters.gateway.inbox.allocating import allocate
from adapters.gateway.receipting import add_receipt
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import Watch, header_of
from keys import jws
from keys.digests import keyed_digest
from schemas.catalogue import select
from schemas.identifiers import CODE_PATTERN
from schemas.receipt import Mode, Receipt, parse_receipt

_log = logging.getLogger("gateway.filing")
BATCH: Final = 100
_CODE: Final = re.compile(CODE_PATTERN)
KEY_CODES: Final = frozenset({"key-not-active", "key-unknown"})


async def file_collected(gateway: Gateway) -> int:
    """Offer what was collected to the record systems; return how many took it."""
    filed = 0
    for waiting in await gateway.spool.all("to_file"):
        key = f"file {waiting['envelope']} {waiting['mailbox']}"
        row = await gateway.spool.one("find_incoming", **waiting) if gateway.pacer.is_ready(key) else None
        if row is None or row["state"] != "collected":
            continue
        adapter = gateway.adapter_for(row["mailbox"], row["type"])
        if adapter is None:
            await _wait_for_person(gateway, row, "no-adapter")
            continue
        message = read_content(gateway, row)
        try:
            outcome = _hold_to_codes(await adapter.file(message))
            if isinstance(outcome, Filed) and isinstance(adapter, ReadsBack):
                outcome = _hold_to_record(outcome, message, await adapter.read_back(outcome.record))
        except Exception as error:  # noqa: BLE001
            # Its text may hold content, so only its kind and place are logged.
            outcome = Later(reason=place_of(error))
        filed += await _take_outcome(gateway, row, key, outcome)
    return filed


def _hold_to_codes(outcome: object) -> Outcome:
    """Return what an adapter answered, or that a person must look where it is no answer: nothing it typed goes further."""
    match outcome:
        case Filed(record=str(), mode=mode, practitioners=people) if mode in get_args(Mode):
            # Whoever it names is looked for among this gateway's own people, and nowhere else.
            return replace(outcome, practitioners=tuple(one for one in people if isinstance(one, str)))
        case NeedsPerson(code=str() as code) if _CODE.match(code):
            return outcome
        case Later(reason=str() as reason):
            return outcome if _CODE.match(reason) else Later(reason="no code given")
    return NeedsPerson(code="adapter-answer")


def _hold_to_record(filed: Filed, message: Incoming, held: Held | None) -> Outcome:
    """Return *filed* only if the record system itself says that what it keeps of *message* stands there as it came."""
    if filed.mode == "destroyed":
        return filed if held is None or held.ended else NeedsPerson(code="record-stands")
    if held is None:
        return Later(reason="not-read-back")
    same = all(
        select(message.message, pointer) == (list(value) if "*" in pointer else [value])
        for pointer, value in held.members.items()
    )
    return filed if same and not held.ended else NeedsPerson(code="record-differs")


def read_content(gateway: Gateway, row: Row) -> Incoming:
    """Return the opened message that an inbox row holds, for the row's own mailbox.

    Raises:
        KeysError: the spool was altered.
    """
    return msgspec.msgpack.decode(gateway.spool.unlock(bytes(row["content"]), row["envelope"]), type=Incoming)


async def _take_outcome(gateway: Gateway, row: Row, key: str, outcome: Outcome) -> bool:
    if isinstance(outcome, Filed):
        await gateway.spool.write(lambda tx: _set_filed(gateway, tx, row, outcome))
        gateway.pacer.worked(key)
        return True
    if isinstance(outcome, NeedsPerson):
        await _wait_for_person(gateway, row, outcome.code)
    else:
        _log.info("a record system asks to wait: %s", outcome.reason)
        gateway.pacer.failed(key)
    return False


async def _set_filed(gateway: Gateway, tx: Transaction, row: Row, outcome: Filed) -> None:
    current = await tx.one("find_incoming", envelope=row["envelope"], mailbox=row["mailbox"])
    if current is None or current["state"] != "collected":
        return  # withdrawn meanwhile
    await tx.run(
        "set_incoming",
        envelope=row["envelope"],
        mailbox=row["mailbox"],
        state="filed",
        code=None,
        record=outcome.record,
    )
    await add_receipt(
        tx, gateway.keyring, "filed", envelope=row["envelope"], mailbox=row["mailbox"],
        sealed_sha256=row["sealed_sha256"], manifest_sha256=row["manifest_sha256"], now=gateway.clock(),
        seen=gateway.witness.receipt_view(), mode=outcome.mode,
        record=keyed_digest(gateway.keyring.record_key, outcome.record),
    )  # fmt: skip
    await allocate(gateway, tx, row, outcome.practitioners)


async def _wait_for_person(gateway: Gateway, row: Row, code: str) -> None:
    async def work(tx: Transaction) -> None:
        await tx.run(
            "set_incoming", envelope=row["envelope"], mailbox=row["mailbox"], state="waiting-person", code=code,
            record=None,
        )  # fmt: skip
        await gateway.tell(
            tx, "needs-person", f"person:{row['envelope']}:{row['mailbox']}", mailbox=row["mailbox"],
            details={"envelope": row["envelope"], "thread": row["thread"], "type": row["type"], "reason": code},
        )  # fmt: skip

    await gateway.spool.write(work)


async def send_receipts(gateway: Gateway, watch: Watch) -> int:
    """Send the receipts that wait, in order; return how many the hub took.

    Raises:
        HubAwayError: nothing is lost.
    """
    taken = 0
    while rows := await gateway.spool.all("waiting_receipts", limit=BATCH):
        outcomes = await gateway.client.send_receipts([bytes(row["jws"]).decode() for row in rows])
        settled = 0
        for row, outcome in zip(rows, outcomes, strict=True):
            done = await _take_receipt_outcome(gateway, watch, row, outcome)
            settled += done is not None
            taken += done is True
        if settled < len(rows):
            return taken  # the rest waits for the next round
    return taken


async def _take_receipt_outcome(gateway: Gateway, watch: Watch, row: Row, outcome: Mapping[str, Any]) -> bool | None:
    """Return whether the hub took it; ``None``: it has to be sent again."""
    status = int(outcome["status"])
    receipt = parse_receipt(jws.parse(bytes(row["jws"]), jws.RECEIPT).payload)
    if status in {200, 201}:

        async def work(tx: Transaction) -> None:
            await tx.run("set_receipt", id=row["id"], state="taken", code=None)
            await _claim(tx, row, receipt, outcome)
            incoming = await tx.one("find_incoming", envelope=row["envelope"], mailbox=row["mailbox"])
            if incoming is not None and receipt.mode == "destroyed" and incoming["header"] is not None:
                books, gone = gateway.partnership.books, frozenset({receipt.mailbox})
                await watch.take_back(tx, header_of(incoming), gone, gateway.clock(), books)
            elif incoming is not None:
                await watch.see_receipt(tx, receipt, gateway.clock(), incoming["thread"])

        await gateway.spool.write(work)
        return True
    code = str(outcome.get("problem", {}).get("code", "hub-answer"))
    replaced = jws.parse(bytes(row["jws"]), jws.RECEIPT).kid != gateway.keyring.signing.kid
    again = code in KEY_CODES and replaced
    if not again and (status >= 500 or status in {401, 408, 425, 429} or code in KEY_CODES):
        _log.info("receipts wait: %s", code)
        return None
    _log.warning("a receipt was refused: %s", code)
    if code == "receipt-out-of-order" and await _was_withdrawn(gateway, receipt.envelope):
        await gateway.spool.write(lambda tx: holds.let_go(gateway, tx, row["envelope"], row["mailbox"]))
    await gateway.spool.write(lambda tx: _set_receipt_refused(gateway, tx, row, receipt, code))
    return False


async def _claim(tx: Transaction, row: Row, receipt: Receipt, outcome: Mapping[str, Any]) -> None:
    """Remember where the hub says that it has the receipt in its log."""
    held = await tx.one("find_incoming", envelope=row["envelope"], mailbox=row["mailbox"])
    index, at = outcome.get("index"), outcome.get("at")
    if held is not None and held["thread"] and isinstance(index, int) and isinstance(at, int):
        await claim_receipt(tx, "receipt", receipt, bytes(row["jws"]), held["thread"], index=index, at=at)


async def _was_withdrawn(gateway: Gateway, envelope: str) -> bool:
    try:
        state = await gateway.client.envelope_state(envelope)
    except HubRefusedError:
        return False
    return state is not None and state["state"] == "withdrawn"


async def _set_receipt_refused(gateway: Gateway, tx: Transaction, row: Row, receipt: Receipt, code: str) -> None:
    await tx.run("set_receipt", id=row["id"], state="refused", code=code)
    if code not in KEY_CODES and (code != "receipt-previous" or receipt.previous is None):
        return
    # Its predecessor never reached the hub (a spool restored from a backup, or that one was refused): say it again,
    # after what the hub has taken; if it doesn't know that one either, as the first of a new chain.  Or it was signed
    # with the key before this one: the same again with this one.
    taken = await tx.one("last_taken", envelope=receipt.envelope, mailbox=receipt.mailbox)
    again = taken is not None and (code in KEY_CODES or taken["sha256"] != receipt.previous)
    more = {
        name: value
        for name in ("code", "mode", "record", "actor", "role")
        if (value := getattr(receipt, name)) is not None
    }
    await add_receipt(
        tx, gateway.keyring, receipt.level, envelope=receipt.envelope, mailbox=receipt.mailbox,
        sealed_sha256=receipt.sealed_sha256, manifest_sha256=receipt.manifest_sha256, now=gateway.clock(),
        seen=gateway.witness.receipt_view(), follows="taken" if again else "none", **more,
    )  # fmt: skip


async def tell_notices(gateway: Gateway) -> int:
    """Hand the notices that wait to the adapters that want them; return how many were told."""
    told = 0
    for row in await gateway.spool.all("untold_notices", limit=BATCH):
        if not gateway.pacer.is_ready(f"notice {row['id']}"):
            continue
        notice = Notice(
            id=row["id"], code=row["code"], at=row["at"], mailbox=row["mailbox"], source=row["source"],
            details=msgspec.json.decode(bytes(row["details"])),
        )  # fmt: skip
        _log.info("notice: %s", notice.code)
        chosen = gateway.adapter_for(notice.mailbox)
        targets = [chosen] if isinstance(chosen, TakesNotices) else gateway.adapters.values()
        try:
            for adapter in targets:
                if isinstance(adapter, TakesNotices):
                    await adapter.notify(notice)
        except Exception as error:  # noqa: BLE001
            _log.error("an adapter failed to take a notice: %s", place_of(error))
            gateway.pacer.failed(f"notice {row['id']}")
            continue
        await gateway.spool.run("set_told", id=row["id"])
        told += 1
    return told
