"""Leaves of the hub's log as anybody can make them from what was signed: nothing has to be asked for.

The bytes are those of protocol 8: members in the order of the hub's table of events, absent ones left out.  What can't
follow from a signature is the moment, and for receipts the thread, which the envelope's header has.

Source: protocol 8.
"""

from __future__ import annotations

from typing import Any

from schemas.directory import KeyStatement
from schemas.envelope import Header
from schemas.identifiers import KeyId, Moment, Sha256, ThreadId, agency_of
from schemas.receipt import Receipt
from schemas.statements import Acceptance
from schemas.strict_json import dump


def acceptance_leaf(header: Header, kid: KeyId, acceptance: Acceptance) -> bytes:
    """Return the leaf that *acceptance* speaks of; *kid* signed *header*."""
    return _leaf(
        acceptance.at,
        event="envelope-accepted",
        agency=agency_of(header.from_),
        mailbox=header.from_,
        kid=kid,
        envelope=header.id,
        thread=header.thread,
        type=header.type,
        digest=acceptance.header_sha256,
        sealed=acceptance.sealed_sha256,
    )


def receipt_leaf(receipt: Receipt, kid: KeyId, thread: ThreadId, digest: Sha256, at: Moment) -> bytes:
    """Return the leaf of *receipt*, signed by *kid*, that the hub took at *at*; *digest* is that of its JWS."""
    return _leaf(
        at,
        event="receipt-accepted",
        agency=agency_of(receipt.mailbox),
        mailbox=receipt.mailbox,
        kid=kid,
        envelope=receipt.envelope,
        receipt=receipt.id,
        thread=thread,
        level=receipt.level,
        digest=digest,
        outcome=receipt.code,
    )


def key_leaf(said: KeyStatement, kid: KeyId, digest: Sha256, at: Moment) -> bytes:
    """Return the leaf that publishes the statement *said* about the key *kid*; *digest* is that of its JWS."""
    return _leaf(
        at,
        event="key-published",
        agency=said.agency,
        mailbox=said.mailbox,
        kid=kid,
        kind=said.use,
        version=said.sequence,
        digest=digest,
        outcome=said.state,
    )


def _leaf(at: Moment, **said: Any) -> bytes:
    return dump({"v": 1, "at": at} | {name: value for name, value in said.items() if value is not None})
