"""What the hub's log must have, or must not have: found out once a checkpoint covers the place that the hub names.

A claim is an entry that follows from what was signed: of an envelope that the hub accepted, of a receipt that it took, and
of a receipt or key that somebody made in an agency's name.  The first two have to be in the log, the last must not.

Source: protocol 4, 7 and 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from adapters.gateway.spool import Row, Transaction
from adapters.gateway.trust import Listed, members
from keys import jws
from keys.digests import sha256_b64u
from schemas import leaves
from schemas.directory import parse_key_statement
from schemas.envelope import parse_header
from schemas.identifiers import EnvelopeId, Moment, Sha256, ThreadId
from schemas.receipt import Receipt
from schemas.statements import parse_acceptance
from schemas.strict_json import dump

Kind = Literal["acceptance", "receipt", "forged-receipt", "forged-key"]
# What nobody signed is looked for only to hold the hub to it.
FORGED: Final = frozenset({"forged-receipt", "forged-key"})


async def claim_acceptance(tx: Transaction, header: bytes, acceptance: bytes) -> None:
    """Remember that what *acceptance* says of the envelope with *header* has to be found in the log."""
    signed = jws.parse(header, jws.ENVELOPE)
    shown, said = parse_header(signed.payload), parse_acceptance(jws.parse(acceptance, jws.ACCEPTANCE).payload)
    leaf = leaves.acceptance_leaf(shown, signed.kid, said)
    await _add(tx, "acceptance", shown.id, said.index, said.at, leaf, shown.id, shown.thread, [header, acceptance])


async def claim_receipt(
    tx: Transaction,
    kind: Literal["receipt", "forged-receipt"],
    receipt: Receipt,
    compact: bytes,
    thread: ThreadId,
    *,
    index: int,
    at: Moment,
) -> None:
    """Remember that *receipt*, signed as *compact*, is in the log where the hub says, or was said to be."""
    leaf = leaves.receipt_leaf(receipt, jws.parse(compact, jws.RECEIPT).kid, thread, sha256_b64u(compact), at)
    await _add(tx, kind, receipt.id, index, at, leaf, receipt.envelope, thread, [compact])


async def claim_forged_key(tx: Transaction, listed: Listed, digest: Sha256) -> None:
    """Remember to look whether a statement that its agency has not signed is in the log."""
    compact = listed.jws.encode()
    said = parse_key_statement(jws.parse(compact, jws.KEY).payload)
    kid = jws.thumbprint(members(said.jwk))
    await _add(
        tx,
        "forged-key",
        digest,
        listed.index,
        listed.at,
        leaves.key_leaf(said, kid, digest, listed.at),
        "",
        "",
        [compact],
    )


async def _add(
    tx: Transaction,
    kind: Kind,
    name: str,
    index: int,
    at: Moment,
    leaf: bytes,
    envelope: EnvelopeId,
    thread: ThreadId,
    signed: Sequence[bytes],
) -> None:
    await tx.run(
        "add_claim", name=name, kind=kind, ix=index, leaf=leaf, at=at, envelope=envelope, thread=thread,
        signed=dump([one.decode() for one in signed]),
    )  # fmt: skip


def signed_of(row: Row) -> list[bytes]:
    """Return the compact JWS from which the claim in *row* follows."""
    texts: Any = msgspec.json.decode(bytes(row["signed"]), type=list[str])
    return [text.encode() for text in texts]
