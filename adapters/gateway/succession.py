"""What becomes of mail where an agency or team has ended: whom a draft goes to now, and whose old mail is ours to take.

The directory alone says who answers for whom; nothing here is configured.

Source: domain 10 and 11 (risks 11, 13); protocol 2 (wraps) and 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from adapters.errors import GatewayError
from adapters.gateway.books import Books
from keys import jws
from keys.errors import KeysError
from schemas.directory import Heir
from schemas.envelope import Header, Wraps
from schemas.identifiers import Code, MailboxId, Moment, agency_of
from schemas.strict_json import MalformedError, parse_as

if TYPE_CHECKING:
    from adapters.base import Draft
    from adapters.gateway.context import Gateway
    from adapters.gateway.spool import Transaction


class AddressError(GatewayError):
    """A recipient to whom nothing can be sealed: somebody has to say who is meant, or whom the directory should name."""


def find_heir(books: Books, mailbox: MailboxId, now: Moment, split: Code | None) -> MailboxId:
    """Return who answers for *mailbox* now: itself while it is open.

    Raises:
        AddressError: ``recipient-unknown``, ``recipient-ended`` or ``recipient-split``, saying whose it is.
    """
    found = books.index.resolve(mailbox, now, split=split)
    if found.mailbox is not None:
        return found.mailbox
    owner = f"; {found.owner} looks after the directory" if found.owner else ""
    if found.how == "unknown":
        raise AddressError(
            "recipient-unknown", "a recipient is not in the directory now", f"look the mailbox up{owner}"
        )
    if found.how == "nobody":
        raise AddressError(
            "recipient-ended", "a recipient has ended and nobody took over from it", f"name another one{owner}"
        )
    raise AddressError(
        "recipient-split",
        "a recipient has ended and several took over from it",
        f"name one of its parts as `split`, or the mailbox itself: {'; '.join(map(_in_words, found.candidates))}{owner}",
    )


def _in_words(heir: Heir) -> str:
    return f"{heir.mailbox} ({' or '.join(heir.splits) or 'no part is named'})"


async def tell_moved(gateway: Gateway, tx: Transaction, shown: Header, moved: Mapping[MailboxId, MailboxId]) -> None:
    """Tell the sender's mailbox, in the transaction that seals it, whose mail went to whom instead."""
    for mailbox, heir in moved.items():
        await gateway.tell(
            tx, "re-addressed", f"re-addressed:{shown.id}:{mailbox}:{heir}", mailbox=shown.from_,
            details={"envelope": shown.id, "thread": shown.thread, "type": shown.type, "ended": mailbox, "to": heir},
        )  # fmt: skip


async def tell_refused(gateway: Gateway, draft: Draft, topic: str, error: GatewayError) -> None:
    """Tell the mailbox that its draft waits for a person to say who is meant: beside what the adapter is told."""
    if isinstance(error, AddressError):
        details: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}

        async def work(tx: Transaction) -> None:
            await gateway.tell(
                tx, "send-refused", f"address:{topic}", mailbox=draft.from_, details={"type": draft.type, **details}
            )

        await gateway.spool.write(work)


def inherited(gateway: Gateway) -> list[MailboxId]:
    """Return the ended mailboxes, of whatever agency, whose mail this gateway takes because one of its own answers."""
    index = gateway.partnership.books.index
    found = index.inherited_by(gateway.config.agency, gateway.clock())
    return [box for box in found if gateway.config.find_mailbox(box) is None and gateway.desk_of(box) is not None]


def is_anothers(gateway: Gateway, mailbox: MailboxId, wraps: str) -> bool:
    """Answer whether a delivery to an ended mailbox is sealed to another agency: the one that ended, or another heir.

    It is not for this gateway to reject: the hub has asked the sender to seal it again, and it comes again then.
    """
    if not gateway.partnership.is_known:
        return False
    books = gateway.partnership.books
    if not books.index.has_ended(mailbox, gateway.clock()):
        return False
    try:
        said = parse_as(jws.parse(wraps.encode(errors="replace"), jws.WRAPS).payload, Wraps, max_bytes=len(wraps))
    except (KeysError, MalformedError):
        return False
    known = [books.keys.get(wrap.kid) for wrap in said.wraps if wrap.mailbox == mailbox]
    return any(key is not None and key.last.agency != gateway.config.agency for key in known)


def was_anothers(gateway: Gateway, mailbox: MailboxId, at: Moment) -> bool:
    """Answer whether what came into the feed of *mailbox* at *at* was for those who answered for it before us to hear."""
    if not gateway.partnership.is_known:
        return False
    index = gateway.partnership.books.index
    return not index.is_same_or_successor(gateway.config.agency, agency_of(mailbox), at)
