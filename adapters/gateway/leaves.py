"""Leaves of the hub's log as a gateway can make them itself from what was signed: nothing has to be asked for.

The bytes are those of protocol 8: members in the order of the hub's table of events, absent ones left out.

Source: protocol 8.
"""

from __future__ import annotations

from typing import Any

from adapters.gateway.trust import Stated
from keys import merkle
from schemas.envelope import Header
from schemas.identifiers import KeyId, Moment, agency_of
from schemas.statements import Acceptance
from schemas.strict_json import dump


def key_leaf(stated: Stated) -> bytes:
    """Return the hash of the leaf that publishes the key statement *stated*."""
    said = stated.statement
    return _hash(
        stated.listed.at,
        event="key-published",
        agency=said.agency,
        mailbox=said.mailbox,
        kid=stated.kid,
        kind=said.use,
        version=said.sequence,
        digest=stated.sha256,
        outcome=said.state,
    )


def acceptance_leaf(header: Header, kid: KeyId, acceptance: Acceptance) -> bytes:
    """Return the hash of the leaf that *acceptance* speaks of; *kid* signed *header*."""
    return _hash(
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


def _hash(at: Moment, **said: Any) -> bytes:
    leaf = {"v": 1, "at": at} | {name: value for name, value in said.items() if value is not None}
    return merkle.leaf_hash(dump(leaf))
