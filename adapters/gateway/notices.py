"""The gateway's own notices: references only, to one of its mailboxes or to all, kept in the spool until they are told."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.gateway.spool import Transaction
from keys.digests import new_id
from schemas.identifiers import MailboxId, Moment
from schemas.strict_json import dump


async def tell(
    tx: Transaction,
    now: Moment,
    code: str,
    topic: str,
    *,
    mailbox: MailboxId | None = None,
    details: Mapping[str, object] | None = None,
) -> bool:
    """Put a notice into the spool; answer whether it is new.

    *topic* is what repeats are recognised by: one notice a topic, ever.
    """
    added = await tx.run(
        "add_notice", id=new_id(now), topic=topic, code=code, mailbox=mailbox, source="gateway", at=now,
        details=dump(details or {}),
    )  # fmt: skip
    return added > 0
