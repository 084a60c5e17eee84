"""Rows that agree with each other, made without the exchange: what the store is given, not why."""

from __future__ import annotations

from collections.abc import Sequence

from hub import ledger
from hub.core.events import Event
from hub.store.rows import EnvelopeRow, ObligationRow, ReceiptRow
from hub.store.transaction import Transaction
from keys import digests
from schemas import strict_json
from schemas.agreement import Answer
from schemas.identifiers import agency_of
from schemas.rules.duty import Duty

NOW = 1_783_324_800_000
ALICE, BOB, CAROL = "northmere-health/safeguarding", "exampleshire-constabulary/cait", "sampleton-council/mash"
KID = digests.sha256_b64u(b"a sealing key")


def new_id(at: int = NOW) -> str:
    """Return a fresh id."""
    return digests.new_id(at)


def put_envelope(
    tx: Transaction,
    name: str,
    *,
    to: Sequence[str] = (BOB,),
    thread: str | None = None,
    body: bytes = b"sealed" * 20,
    at: int = NOW,
    kids: Sequence[str] = (),
    supersedes: str | None = None,
    keep_until: int | None = None,
) -> EnvelopeRow:
    """Add an envelope with its leaf, body and deliveries, as the exchange does."""
    thread = thread or new_id()
    header = b"e30." + digests.b64u(strict_json.dump({"to": sorted(to)})).encode() + b".AA"
    event = Event(event="envelope-accepted", agency=agency_of(CAROL), mailbox=CAROL, envelope=name, thread=thread)
    row = EnvelopeRow(
        id=name,
        thread=thread,
        type="minutes.full/1",
        sender=CAROL,
        header=header,
        wraps=b"wraps",
        acceptance=b"acceptance",
        header_sha256=digests.sha256_b64u(header),
        sealed_sha256=digests.sha256_b64u(body),
        length=len(body),
        opening=digests.sha256_b64u(b"opening"),
        variant="",
        at=at,
        accepted_at=at,
        index=ledger.append(tx, event, at),
        keep_until=at + 1000 if keep_until is None else keep_until,
        supersedes=supersedes,
    )
    tx.add_envelope(row, body)
    tx.add_deliveries(name, row.index, list(zip(to, kids or [KID] * len(to), strict=True)), at)
    return tx.find_envelope(name) or row


def put_receipt(
    tx: Transaction, envelope: str, *, mailbox: str = BOB, level: str = "collected", at: int = NOW
) -> ReceiptRow:
    """Add a receipt with its leaf."""
    name = new_id(at)
    found = tx.find_envelope(envelope)
    event = Event(
        event="receipt-accepted",
        agency=agency_of(mailbox),
        mailbox=mailbox,
        envelope=envelope,
        receipt=name,
        thread=found.thread if found else None,
        level=level,
    )
    row = ReceiptRow(
        name, envelope, mailbox, level, None, None, at, at, b"jws-" + name.encode(), ledger.append(tx, event, at)
    )
    tx.add_receipt(row)
    return row


def make_duty(
    envelope: str,
    thread: str,
    *,
    due: int = NOW + 1000,
    debtor: str = CAROL,
    creditor: str = BOB,
    rule: str = "full-minutes",
) -> Duty:
    """Return a duty to send."""
    return Duty(
        rule=rule,
        thread=thread,
        debtor=debtor,
        creditor=creditor,
        kind="send",
        answers=(Answer(types=("minutes.full",)),),
        envelope=envelope,
        moment=NOW,
        due=due,
        agreement=1,
    )


def put_obligations(tx: Transaction, *duties: Duty, at: int = NOW) -> list[str]:
    """Add open obligations with their leaves; return the ids of those that are new."""
    rows = {
        row.id: row
        for row in (
            ObligationRow(digests.obligation_id(duty.parts), duty, "open", at, next_at=duty.due) for duty in duties
        )
    }
    added = tx.add_obligations(rows.values())
    for name in added:
        duty = rows[name].duty
        ledger.append(
            tx,
            Event(
                event="obligation-opened",
                agency=agency_of(duty.debtor),
                mailbox=duty.debtor,
                obligation=name,
                thread=duty.thread,
            ),
            at,
        )
    return added


def settle(tx: Transaction, name: str, state: str, *, at: int = NOW, by: str | None = None) -> None:
    """Settle an obligation with its leaf."""
    row = tx.find_obligation(name)
    assert row is not None
    tx.settle_obligation(name, state, at, by)
    ledger.append(
        tx, Event(event="obligation-settled", obligation=name, thread=row.duty.thread, outcome=state, by=by), at
    )
