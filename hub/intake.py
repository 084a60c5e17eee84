"""The first two beats: bytes become a value, and the value is shown to be its sender's.

What fails here is refused before anything is recorded, because nobody can be held to it.

Source: protocol 1 and 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from hub.core.authenticity import judge_signer
from hub.errors import HubError, MalformedError, NotAuthenticError
from hub.registry import Registry, Snapshot, StaleError
from hub.store.base import Store
from hub.store.transaction import Transaction
from keys import digests, jws
from keys.errors import KeysError
from schemas import strict_json
from schemas.envelope import Header, Parts, Wraps, parse_header, parse_wraps, split_envelope
from schemas.identifiers import AgencyId, KeyId, MailboxId, Moment
from schemas.receipt import Receipt, parse_receipt

T = TypeVar("T")
# The registry can change between look and write; each retry reads the newest, so more than a few mean a fault.
FRESH_TRIES: Final = 5
InputError = HubError | KeysError | strict_json.MalformedError
INPUT_ERRORS: Final = (HubError, KeysError, strict_json.MalformedError)


class Envelope(NamedTuple):
    """One authentic envelope: its parts as they came, what they say, and the keys that signed header and wraps."""

    parts: Parts
    header: Header
    wraps: Wraps
    kid: str
    wraps_kid: str


class SignedReceipt(NamedTuple):
    """One authentic receipt: its JWS as it came, what it says, and the key that signed it."""

    compact: bytes
    receipt: Receipt
    kid: str


def open_envelope(snapshot: Snapshot, caller: AgencyId, raw: bytes, now: Moment) -> Envelope:
    """Return *raw* as an authentic envelope of *caller*: both signatures, and the body that the header names."""
    parts = split_envelope(raw)
    signed = jws.parse(parts.header, jws.ENVELOPE)
    header = parse_header(signed.payload)
    authenticate(snapshot, signed, caller, header.from_, now)
    signed_wraps = jws.parse(parts.wraps, jws.WRAPS)
    wraps = parse_wraps(signed_wraps.payload, header)
    authenticate(snapshot, signed_wraps, caller, header.from_, now)
    if len(parts.body) != header.sealed.length:
        raise MalformedError("body-length", "the body is not as long as its header says", "send it whole")
    if digests.sha256_b64u(parts.body) != header.sealed.sha256:
        raise MalformedError("body-digest", "the body is not the one that its header names", "send the sealed bytes")
    return Envelope(parts, header, wraps, signed.kid, signed_wraps.kid)


def authenticate(snapshot: Snapshot, signed: jws.Unverified, caller: AgencyId, mailbox: MailboxId, now: Moment) -> None:
    """Raise unless *signed* is signed by an active key of *caller* that speaks for *mailbox*."""
    if objection := object_to_signers(snapshot, caller, mailbox, now, signed.kid):
        raise objection
    jws.check(signed, snapshot.verifying[signed.kid])


def object_to_signers(
    snapshot: Snapshot, caller: AgencyId, mailbox: MailboxId, now: Moment, *kids: KeyId
) -> NotAuthenticError | None:
    """Return the error if one of *kids* does not speak for *mailbox* at *now*.

    Asked again inside the transaction: a key may have been revoked between the look and the write.
    """
    for kid in kids:
        if refusal := judge_signer(snapshot.keys.get(kid), caller, mailbox, snapshot.directory, now):
            return NotAuthenticError(refusal.code, refusal.message, refusal.hint)
    return None


def open_receipt(snapshot: Snapshot, caller: AgencyId, compact: bytes, now: Moment) -> SignedReceipt:
    """Return *compact* as an authentic receipt of one of *caller*'s mailboxes."""
    signed = jws.parse(compact, jws.RECEIPT)
    receipt = parse_receipt(signed.payload)
    authenticate(snapshot, signed, caller, receipt.mailbox, now)
    return SignedReceipt(compact, receipt, signed.kid)


async def in_transaction(store: Store, registry: Registry, work: Callable[[Transaction], T]) -> T:
    """Run *work* in one write with a registry snapshot that is what the database holds in that transaction."""
    for _ in range(FRESH_TRIES):

        def fresh(tx: Transaction) -> T:
            registry.check_fresh(tx)
            return work(tx)

        try:
            return await store.write(fresh)
        except StaleError:
            await registry.refresh(store)
    raise HubError("unavailable", "the directory keeps changing", "try again in a moment")
