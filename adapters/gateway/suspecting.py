"""What comes from the hub and can't be as it says: kept as evidence, in the transaction of what else is done about it.

Source: protocol 3, 4 and 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapters.errors import GatewayError
from adapters.gateway import evidence
from adapters.gateway.claims import claim_receipt
from adapters.gateway.context import Gateway
from adapters.gateway.opening import Arrived, Opened
from adapters.gateway.spool import Transaction
from adapters.gateway.watch import header_of
from keys import jws
from keys.errors import KeysError
from schemas.evidence import Reason, Said
from schemas.identifiers import EnvelopeId
from schemas.receipt import parse_receipt
from schemas.strict_json import MalformedError

# The hub must not accept what these say; that it did is its own signature's word.
_FORGED: Final[Mapping[str, Reason]] = {
    "header": "delivery-forged", "header-signature": "delivery-forged", "sender-key": "delivery-forged",
    "acceptance": "acceptance-forged",
}  # fmt: skip
_MALFORMED: Final = (KeysError, MalformedError, GatewayError)


async def suspect_delivery(
    gateway: Gateway, tx: Transaction, arrived: Arrived, envelope: EnvelopeId, code: str
) -> None:
    """Keep a delivery whose sender or acceptance isn't what the hub says; *code* names the check that failed."""
    if (reason := _FORGED.get(code)) is None:
        return
    said = Said(reason=reason, at=gateway.clock(), envelope=envelope, mailbox=arrived.mailbox)
    signed = _compact(arrived.header, arrived.acceptance)
    signed += evidence.statements_of(gateway.partnership.books.keys, signed)
    await evidence.accuse(tx, said, signed=signed)


async def suspect_receipt(gateway: Gateway, tx: Transaction, entry: Mapping[str, Any]) -> None:
    """Look whether a receipt that its mailbox has not signed stands in the log as if it had."""
    compact = str(entry["jws"]).encode(errors="replace")
    try:
        receipt = parse_receipt(jws.parse(compact, jws.RECEIPT).payload)
    except _MALFORMED:
        return
    said = Said(
        reason="receipt-forged", at=gateway.clock(), envelope=receipt.envelope, receipt=receipt.id,
        mailbox=receipt.mailbox,
    )  # fmt: skip
    statements = evidence.statements_of(gateway.partnership.books.keys, (compact,))
    await evidence.accuse(tx, said, signed=(compact, *statements))
    sent, index = await tx.one("find_sent", envelope=receipt.envelope), entry.get("index")
    if sent is not None and sent["header"] is not None and isinstance(index, int):
        thread, at = header_of(sent).thread, int(entry["at"])
        await claim_receipt(tx, "forged-receipt", receipt, compact, thread, index=index, at=at)


async def suspect_directory(gateway: Gateway, tx: Transaction, opened: Opened) -> None:
    """Keep a delivery made by a later directory than the hub shows here, though it was asked again."""
    if opened.header.directory > (version := gateway.partnership.books.directory.version):
        said = Said(
            reason="directory-withheld", at=gateway.clock(), envelope=opened.header.id, mailbox=opened.mailbox,
            version=version,
        )  # fmt: skip
        await evidence.accuse(tx, said, signed=(opened.header_jws, opened.acceptance_jws))


def _compact(*parts: bytes) -> list[bytes]:
    """Return those of *parts* that are ASCII, as any compact JWS is."""
    return [part for part in parts if part.isascii() and part]
