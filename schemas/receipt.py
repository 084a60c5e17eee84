"""A signed statement about one delivery at one level.

Source: protocol 4.
"""

from __future__ import annotations

from typing import Final, Literal

from schemas.envelope import Struct
from schemas.identifiers import Code, EnvelopeId, MailboxId, Moment, ReceiptId, Sha256, Size
from schemas.strict_json import MalformedError, parse_as

MAX_RECEIPT: Final = 4 * 1024

Level = Literal["collected", "filed", "opened", "acknowledged", "declined", "rejected"]
Mode = Literal["full", "summary", "reference_only", "destroyed"]
DECLINE_CODES: Final = frozenset(
    {"wrong_recipient", "not_known_here", "no_longer_here", "conflict", "cannot_open", "not_needed"}
)
# Levels that only a named person can reach: a machine's receipt never counts as a person's.
BY_PERSON: Final = frozenset({"opened", "acknowledged", "declined"})


class Seen(Struct, frozen=True, kw_only=True):
    """The checkpoint that the signer's gateway last verified: two views of the log can't be kept apart."""

    size: Size
    root: Sha256


class Receipt(Struct, frozen=True, kw_only=True):
    """Members as in protocol 4.  ``at`` is when it happened at the agency; on time is judged by when the hub takes it."""

    v: Literal[1]
    id: ReceiptId
    envelope: EnvelopeId
    sealed_sha256: Sha256
    manifest_sha256: Sha256 | None = None
    level: Level
    code: Code | None = None
    mode: Mode | None = None
    record: Sha256 | None = None
    mailbox: MailboxId
    actor: Sha256 | None = None
    role: Code | None = None
    at: Moment
    previous: Sha256 | None = None
    checkpoint: Seen | None = None


def parse_receipt(payload: bytes) -> Receipt:
    """Return the receipt whose JWS payload is *payload*.

    Raises:
        MalformedError: ``json-*`` or ``receipt-members``: a level came without what it needs, or with what it can't have.
    """
    receipt = parse_as(payload, Receipt, max_bytes=MAX_RECEIPT)
    level = receipt.level
    wrong = (
        (receipt.manifest_sha256 is None) != (level == "rejected")
        or (receipt.code is None) != (level not in {"declined", "rejected"})
        or (level == "declined" and receipt.code not in DECLINE_CODES)
        or (receipt.mode is None) != (level != "filed")
        or (receipt.record is not None and level != "filed")
        or (receipt.actor is None and level in BY_PERSON)
        or (receipt.actor is not None and level in {"collected", "rejected"})
        or (receipt.role is None) != (receipt.actor is None)
    )
    if wrong:
        raise MalformedError(
            "receipt-members", f"a `{level}` receipt lacks a member or has one too many", "see protocol 4"
        )
    return receipt
