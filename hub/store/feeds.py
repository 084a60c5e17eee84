"""Verbs of feeds and deliveries: one gap-free list for each mailbox."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.delivery import State
from hub.core.numbering import Given
from hub.store.envelopes import make_envelope
from hub.store.rows import DeliveryRow, EnvelopeRow, FeedDelivery, FeedRow
from hub.store.session import Row, Session, pack, pack_or_none, unpack, unpack_or_none


def add_deliveries(tx: Session, envelope: str, index: int, wraps: Sequence[tuple[str, str]], at: int) -> dict[str, int]:
    """Owe *envelope*, which is added at *index*, to each (mailbox, key id) of *wraps*; return each feed's number."""
    raw = pack(envelope)
    numbers = {mailbox: tx.next_number(mailbox, "delivery", raw) for mailbox, _ in wraps}
    tx.connection.run_many(
        "add_feed",
        [
            {
                "mailbox": mailbox,
                "seq": numbers[mailbox][0],
                "place": numbers[mailbox][1],
                "kind": "delivery",
                "ref": raw,
                "at": at,
                "state": "owed",
                "kid": pack(kid),
                "envelope_ix": index,
                "payload": None,
            }
            for mailbox, kid in wraps
        ],
    )
    return {mailbox: number for mailbox, (number, _) in numbers.items()}


def add_feed(tx: Session, mailbox: str, kind: str, ref: str, at: int, payload: bytes) -> int:
    """Put a receipt, notice or waiver that is new into a feed and return its number."""
    raw = pack(ref)
    number, place = tx.next_number(mailbox, kind, raw)
    tx.connection.run(
        "add_feed",
        {
            "mailbox": mailbox,
            "seq": number,
            "place": place,
            "kind": kind,
            "ref": raw,
            "at": at,
            "state": "",
            "kid": None,
            "envelope_ix": None,
            "payload": payload,
        },
    )
    return number


def _entry(row: Row) -> FeedRow:
    mailbox, number, kind, tombstone, ref, at, payload, state = row[:8]
    return FeedRow(mailbox, number, "tombstone" if tombstone else kind, unpack_or_none(ref) or "", at, payload, state)


def feed(tx: Session, mailbox: str, after: int, limit: int) -> list[FeedRow]:
    """Return up to *limit* entries of a feed beyond number *after*, in order."""
    return list(map(_entry, tx.connection.rows("feed", {"mailbox": mailbox, "after": after, "limit": limit})))


def feed_deliveries(tx: Session, mailbox: str, after: int, limit: int) -> list[FeedDelivery]:
    """Return :func:`feed` with envelopes, bodies of up to 64 KiB and receipts' places in the log, read by one statement."""
    return [
        FeedDelivery(_entry(row), None if row[8] is None else make_envelope(row[8:29]), row[29], row[30])
        for row in tx.connection.rows("feed_deliveries", {"mailbox": mailbox, "after": after, "limit": limit})
    ]


def numbers_given(tx: Session, after: int, upto: int, limit: int) -> list[tuple[int, Given]]:
    """Return up to *limit* of the numbers given beyond place *after* and not beyond *upto*, in order, with their places."""
    values = {"after": after, "upto": upto, "limit": limit}
    return [
        (place, Given(mailbox, number, "delivery" if moved else kind, unpack(moved or ref)))
        for place, mailbox, number, kind, ref, moved in tx.connection.rows("numbers_given", values)
    ]


def tombstone(tx: Session, mailbox: str, seq: int) -> None:
    """Turn a feed's entry into a tombstone: its number stays, its payload goes."""
    tx.connection.run("tombstone", {"mailbox": mailbox, "seq": seq})


def _delivery(row: Row) -> DeliveryRow:
    envelope, mailbox, number, state, kid, at = row
    return DeliveryRow(unpack(envelope), mailbox, number, state, unpack_or_none(kid) or "", at)


def find_delivery(tx: Session, envelope: str, mailbox: str) -> DeliveryRow | None:
    """Return the delivery of *envelope* to *mailbox*."""
    values = {"envelope": pack(envelope), "mailbox": mailbox}
    return next(map(_delivery, tx.connection.rows("find_delivery", values)), None)


def find_delivered(tx: Session, envelope: str, mailbox: str) -> tuple[EnvelopeRow, State] | None:
    """Return *envelope* with the state of its delivery to *mailbox*, read by one statement."""
    rows = tx.connection.rows("find_delivered", {"envelope": pack(envelope), "mailbox": mailbox})
    return (make_envelope(rows[0][1:]), rows[0][0]) if rows else None


def deliveries_of(tx: Session, envelope: str) -> list[DeliveryRow]:
    """Return every delivery of *envelope*, by mailbox."""
    return list(map(_delivery, tx.connection.rows("deliveries_of", {"envelope": pack(envelope)})))


def set_delivery_state(tx: Session, envelope: str, mailbox: str, state: str) -> None:
    """Record the state of a delivery, of ``hub.core.delivery``."""
    tx.connection.run("set_delivery_state", {"envelope": pack(envelope), "mailbox": mailbox, "state": state})


def redeliver(tx: Session, envelope: str, mailbox: str, kid: str, at: int) -> int:
    """Owe *envelope* to *mailbox* once more, now wrapped for the key *kid*; return its new feed number.

    The old number becomes a tombstone: a gateway that has read past it meets the delivery again.
    """
    raw = pack(envelope)
    old, left = tx.connection.rows("find_feed", {"ref": raw, "mailbox": mailbox, "kind": "delivery"})[0]
    number, place = tx.next_number(mailbox, "delivery", raw)
    values = {"seq": number, "place": place, "kid": pack(kid), "at": at, "envelope": raw, "mailbox": mailbox}
    tx.connection.run("move_delivery", values)
    tx.connection.run("add_tombstone", {"mailbox": mailbox, "seq": old, "at": at, "place": left, "moved": raw})
    return number


def set_delivery_key(tx: Session, envelope: str, mailbox: str, kid: str | None) -> None:
    """Record which key opens a delivery; without one, :func:`uncollected_by_key` doesn't find it again."""
    values = {"envelope": pack(envelope), "mailbox": mailbox, "kid": pack_or_none(kid)}
    tx.connection.run("set_delivery_key", values)


def uncollected_by_key(tx: Session, kid: str, limit: int) -> list[DeliveryRow]:
    """Return up to *limit* deliveries that are still owed and that only the key *kid* opens."""
    return list(map(_delivery, tx.connection.rows("uncollected_by_key", {"kid": pack(kid), "limit": limit})))
