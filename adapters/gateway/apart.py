"""Whether a draft would bring two records that are kept apart to one recipient: of a child who was harmed, and of one who may have done it.

A record names the other by its reference, so the pair is known from the moment at which one of them that does so was sent or
received here.  Of records, the spool keeps keyed digests only.

Source: domain 5 and 7.2 (``linked_harmer_record``); risk 16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.base import Draft
from adapters.gateway.context import Gateway
from adapters.gateway.handling_policy import HandlingPolicy, load_policy
from adapters.gateway.spool import Transaction
from adapters.gateway.watch import header_of
from keys.digests import keyed_digest
from schemas.identifiers import EnvelopeId, MailboxId, MessageType


async def note_record(
    tx: Transaction, gateway: Gateway, kind: MessageType, envelope: EnvelopeId, message: Mapping[str, Any]
) -> None:
    """Note, in the transaction that keeps a message, of which record it is and from which one that is kept apart."""
    rule = load_policy().apart.get(kind)
    if rule is None:
        return
    await tx.run("add_item", ref=_digest(gateway, "record", message[rule.record]), envelope=envelope)
    if rule.other in message:
        await tx.run("add_item", ref=_digest(gateway, "apart", message[rule.other]), envelope=envelope)


async def count_both(gateway: Gateway, draft: Draft, to: Sequence[MailboxId], policy: HandlingPolicy) -> int:
    """Return how many of *to* were sent the record from which *draft*'s is kept apart, or sent it themselves."""
    rule = policy.apart.get(draft.type)
    if rule is None:
        return 0
    refs = [_digest(gateway, "apart", draft.message[rule.record])]
    if rule.other in draft.message:
        refs.append(_digest(gateway, "record", draft.message[rule.other]))
    had: set[MailboxId] = set()
    for ref in refs:
        for row in await gateway.spool.all("headers_with", ref=ref):
            header = header_of(row)
            had |= {header.from_, *header.to}
    return len(had.intersection(to))


def _digest(gateway: Gateway, what: str, ref: str) -> str:
    # What is inside sealed content is not in clear in the spool either.
    return keyed_digest(gateway.keyring.record_key, f"{what} {ref}")
