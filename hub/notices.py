"""What the hub says to mailboxes: references only, signed, in their feeds.

A notice is durable in the transaction of what it tells; gateways fetch it with everything else and remove
repeats by its id.

Source: protocol 6.
"""

from __future__ import annotations

from collections.abc import Iterable

from hub.store.rows import EnvelopeRow
from hub.store.transaction import Transaction
from keys import digests, jws
from schemas import strict_json
from schemas.identifiers import EnvelopeId, MailboxId, Moment, ObligationId, ThreadId
from schemas.rules.duty import Duty
from schemas.statements import Notice, NoticeCode


def tell(tx: Transaction, mailbox: MailboxId, notice: Notice, signer: jws.SigningKey, at: Moment) -> MailboxId:
    """Put *notice*, signed, into the feed of *mailbox* and return the mailbox."""
    tx.add_feed(mailbox, "notice", notice.id, at, signer.sign(strict_json.dump(notice), jws.NOTICE))
    return mailbox


def tell_duty(
    tx: Transaction,
    code: NoticeCode,
    obligation: ObligationId,
    duty: Duty,
    targets: Iterable[MailboxId],
    index: int,
    at: Moment,
    signer: jws.SigningKey,
    step: int | None = None,
) -> set[MailboxId]:
    """Tell *targets* about one obligation; *index* is the leaf that records why."""
    return {
        tell(
            tx,
            mailbox,
            Notice(
                v=1,
                id=digests.new_id(at),
                notice=code,
                obligation=obligation,
                envelope=duty.envelope,
                thread=duty.thread,
                type=duty.types[0],
                debtor=duty.debtor,
                creditor=duty.creditor,
                due=duty.due,
                step=step,
                index=index,
            ),
            signer,
            at,
        )
        for mailbox in targets
    }


def tell_envelope(
    tx: Transaction,
    code: NoticeCode,
    envelope: EnvelopeRow,
    targets: Iterable[MailboxId],
    index: int,
    at: Moment,
    signer: jws.SigningKey,
) -> set[MailboxId]:
    """Tell *targets* about one envelope: returned, superseded, withdrawn, reseal-needed, keep-until-near."""
    return {
        tell(
            tx,
            mailbox,
            Notice(
                v=1,
                id=digests.new_id(at),
                notice=code,
                envelope=envelope.id,
                thread=envelope.thread,
                type=envelope.type.partition("/")[0],
                index=index,
            ),
            signer,
            at,
        )
        for mailbox in targets
    }


def tell_hold(
    tx: Transaction,
    code: NoticeCode,
    thread: ThreadId,
    envelope: EnvelopeId | None,
    targets: Iterable[MailboxId],
    index: int,
    at: Moment,
    signer: jws.SigningKey,
) -> set[MailboxId]:
    """Tell *targets* that *thread*, or one envelope of it, is held, or no more; leaf *index* has why."""
    return {
        tell(
            tx,
            mailbox,
            Notice(v=1, id=digests.new_id(at), notice=code, envelope=envelope, thread=thread, index=index),
            signer,
            at,
        )
        for mailbox in targets
    }


def tell_all(
    tx: Transaction, code: NoticeCode, targets: Iterable[MailboxId], index: int, at: Moment, signer: jws.SigningKey
) -> None:
    """Tell *targets* that the directory or the agreement changed; leaf *index* has the version."""
    for mailbox in targets:
        tell(tx, mailbox, Notice(v=1, id=digests.new_id(at), notice=code, index=index), signer, at)
