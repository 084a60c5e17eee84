"""Is it allowed?  One envelope against the agreement and directory in force.

Nothing here knows a message type, role or label by name: they are the agreement's.

Source: protocol 2 and 7; domain 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from hub.core.authenticity import KeyFact, is_usable
from hub.errors import Refusal
from schemas.directory import DirectoryIndex
from schemas.envelope import DAY, MAX_AHEAD, Header, Wrap, Wraps
from schemas.identifiers import KeyId, MailboxId, MessageType, Moment, ThreadId, agency_of, family_of
from schemas.rules.compiled import Rules, TypeRules
from schemas.rules.planning import MOST_DUTIES, Plan, opens_too_many


def judge_envelope(
    header: Header, wraps: Wraps, index: DirectoryIndex, rules: Rules, keys: Mapping[KeyId, KeyFact], now: Moment
) -> Refusal | None:
    """Return the first rule that *header* or *wraps* break at *now*, or ``None``."""
    return judge_header(header, index, rules, now) or judge_wraps(wraps.wraps, index, keys, now)


def judge_header(header: Header, index: DirectoryIndex, rules: Rules, now: Moment) -> Refusal | None:
    """Return the first rule that *header* breaks at *now*, or ``None``: all that can be judged without its wraps."""
    return next(_objections(header, index, rules, now), None)


def _objections(header: Header, index: DirectoryIndex, rules: Rules, now: Moment) -> Iterator[Refusal]:
    yield from _judge_moments(header, now)
    if header.agreement != rules.agreement.version or header.directory > index.directory.version:
        yield Refusal(
            code="agreement-outdated",
            message=f"the agreement in force is version {rules.agreement.version}, "
            f"the directory {index.directory.version}",
            hint="fetch both, make the envelope again under the same id and send it",
        )
    allowed = rules.find_type(family_of(header.type))
    if allowed is None:
        yield Refusal(
            code="type-unknown",
            message="the sharing agreement has no such message type",
            hint="send a type that it lists, or have the partnership agree on this one",
        )
    else:
        yield from _judge_sender(header, index, allowed, now)
        yield from _judge_retention(header, allowed, rules)
        yield from _judge_recipients(header, index, allowed, now)


def _judge_moments(header: Header, now: Moment) -> Iterator[Refusal]:
    if max(header.at, header.sent) > now + MAX_AHEAD:
        yield Refusal(
            code="at-in-future",
            message="`at` or `sent` is more than 5 minutes ahead of the hub's clock",
            hint="set the gateway's clock",
        )
    if header.keep_until <= now:
        yield Refusal(
            code="keep-until-past", message="`keep_until` is already past", hint="make it again with a later moment"
        )


def _judge_sender(header: Header, index: DirectoryIndex, allowed: TypeRules, now: Moment) -> Iterator[Refusal]:
    if not index.is_open(header.from_, now):
        yield Refusal(
            code="sender-ended",
            message="the sending mailbox is not in the directory now, or has ended",
            hint="send from its successor, or have the directory corrected",
        )
    if not allowed.may_send(header.from_, index):
        yield Refusal(
            code="type-not-allowed",
            message="the agreement does not let this mailbox send this type",
            hint="send it from a mailbox with one of the roles that it names",
        )
    if header.basis_class not in allowed.basis_classes:
        yield Refusal(
            code="basis-not-allowed",
            message="the agreement does not allow this basis class for this type",
            hint="choose a basis that it lists",
        )


def _judge_retention(header: Header, allowed: TypeRules, rules: Rules) -> Iterator[Refusal]:
    if header.retention not in allowed.retention:
        yield Refusal(
            code="retention-unknown",
            message="the agreement does not know this retention label for this type",
            hint="choose a label that it lists",
        )
    elif header.keep_until > header.sent + rules.retention(header.retention).max_days * DAY:
        yield Refusal(
            code="keep-until-too-late",
            message="the envelope asks to be kept longer than its retention label allows",
            hint=f"`{header.retention}` allows {rules.retention(header.retention).max_days} days",
        )


def _judge_recipients(header: Header, index: DirectoryIndex, allowed: TypeRules, now: Moment) -> Iterator[Refusal]:
    for mailbox in header.to:
        if not index.is_open(mailbox, now):
            heirs = ", ".join(index.open_heirs(mailbox, now))
            yield Refusal(
                code="recipient-unknown",
                message="a recipient is not in the directory now, or has ended",
                hint=f"address who answers for it: {heirs}" if heirs else "look the mailbox up in the directory",
            )
        elif not allowed.may_receive(mailbox, index):
            yield Refusal(
                code="recipient-not-allowed",
                message="the agreement does not let a recipient have this type",
                hint="leave out the mailbox without one of the roles that it names",
            )
        else:
            entry_box = index.find_mailbox(mailbox)
            if entry_box and entry_box.reads and header.type not in entry_box.reads:
                yield Refusal(
                    code="recipient-reads-other",
                    message="a recipient does not read this version of the type yet",
                    hint="send it a version that its directory entry lists",
                )
    for mailbox in (*header.parties, *(item.owner for item in header.items)):
        if index.find_mailbox(mailbox) is None:
            yield Refusal(
                code="party-unknown",
                message="a party or an item's owner is not in the directory",
                hint="look the mailbox up in the directory",
            )


def _judge_wraps(
    wraps: Iterable[Wrap], index: DirectoryIndex, keys: Mapping[KeyId, KeyFact], now: Moment
) -> Iterator[Refusal]:
    for wrap in wraps:
        key = keys.get(wrap.kid)
        if key is None or not is_usable(key, "seal", now) or not _is_key_of(key, wrap.mailbox, index, now):
            yield Refusal(
                code="recipient-key",
                message="a wrap names a key that is not an active sealing key of its recipient",
                hint="fetch the keys and seal to the current one",
            )


def judge_wraps(
    wraps: Iterable[Wrap], index: DirectoryIndex, keys: Mapping[KeyId, KeyFact], now: Moment
) -> Refusal | None:
    """Return why replaced *wraps* don't fit the recipients' sealing keys at *now*, or ``None``."""
    return next(_judge_wraps(wraps, index, keys, now), None)


def _is_key_of(key: KeyFact, mailbox: MailboxId, index: DirectoryIndex, now: Moment) -> bool:
    """Answer whether *key* is one under which whoever answers for *mailbox* opens mail.

    An ended agency collects no more: what is sealed to its key again would lie there for good while its heir waits.
    """
    own = () if index.has_agency_ended(agency_of(mailbox), now) else (mailbox,)
    holders = (*own, *index.open_heirs(mailbox, now))
    return any(key.agency == agency_of(box) and key.mailbox in (None, box) for box in holders)


def judge_plan(header: Header, plan: Plan) -> Refusal | None:
    """Return why what *header* would open is too much for one envelope, or ``None``; nothing urgent is ever too much."""
    if not opens_too_many(header, plan):
        return None
    return Refusal(
        code="too-many-duties",
        message=f"it would open more than {MOST_DUTIES} obligations at once, and it is not urgent",
        hint="send it in several envelopes, with fewer recipients, parties or items each",
    )


class Before(NamedTuple):
    """What is known of an envelope that another one says it replaces."""

    sender: MailboxId
    thread: ThreadId
    type: MessageType
    variant: str
    superseded: bool


def judge_superseding(header: Header, before: Before | None, index: DirectoryIndex, now: Moment) -> Refusal | None:
    """Return why *header* may not replace *before*, or ``None``.

    Only the same mailbox or its agency's successor may, in the same thread, type and variant, and only the newest.
    """
    if (
        before is None
        or before.thread != header.thread
        or family_of(before.type) != family_of(header.type)
        or before.variant != header.facts.get("variant", "")
        or not _is_heir(header.from_, before.sender, index, now)
    ):
        return Refusal(
            code="supersedes-mismatch",
            message="only the same mailbox or its successor may supersede, in the same thread, type and variant",
            hint="name the envelope that this one replaces, or none",
        )
    if before.superseded:
        return Refusal(
            code="supersedes-older",
            message="a newer version has replaced that envelope already",
            hint="name the newest version",
        )
    return None


def _is_heir(mailbox: MailboxId, of: MailboxId, index: DirectoryIndex, now: Moment) -> bool:
    if agency_of(mailbox) == agency_of(of):
        return mailbox == of
    return index.is_same_or_successor(agency_of(mailbox), agency_of(of), now)
