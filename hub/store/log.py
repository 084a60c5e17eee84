"""Verbs of the audit log: leaves, tree nodes, checkpoints, cosignatures."""

from __future__ import annotations

from typing import Final, NamedTuple, TypedDict, Unpack

import msgspec

from hub.store.rows import LeafRow
from hub.store.session import Row, Session, Values, pack, pack_or_none, unpack_or_none
from schemas.identifiers import agency_of

# Those of every journey: so frequent that walking the log finds them, and an index of them would only cost.
FREQUENT: Final = frozenset({"envelope-accepted", "receipt-accepted", "obligation-opened", "obligation-settled"})
_PAGE: Final = 512
_NEVER: Final = 2**62


class Filters(TypedDict, total=False):
    """What leaves are asked by.  ``since <= at < until``; a ``type`` without version fits each of its versions."""

    event: str | None
    agency: str | None
    mailbox: str | None
    envelope: str | None
    thread: str | None
    obligation: str | None
    type: str | None
    since: int | None
    until: int | None


class _Subject(msgspec.Struct):
    """The members of a leaf that :func:`find_leaves` asks for."""

    agency: str | None = None
    mailbox: str | None = None
    envelope: str | None = None
    obligation: str | None = None
    type: str | None = None


_subject = msgspec.json.Decoder(_Subject).decode


def add_leaf(tx: Session, leaf: LeafRow) -> None:
    """Add *leaf*, whose index is the log's size until now."""
    tx.connection.run(
        "add_leaf",
        {
            "ix": leaf.index,
            "at": leaf.at,
            "event": leaf.event,
            "agency": _subject(leaf.body).agency,
            "thread": pack_or_none(leaf.thread),
            "hash": leaf.hash,
            "body": leaf.body,
        },
    )


def add_node(tx: Session, level: int, index: int, hashed: bytes) -> None:
    """Add a complete node of a tile level above 0 (tree height ``8 * level``)."""
    tx.connection.run("add_node", {"level": level, "ix": index, "hash": hashed})


def _leaf(row: Row) -> LeafRow:
    index, at, event, thread, body, hashed = row
    return LeafRow(index, at, event, unpack_or_none(thread), body, hashed)


def leaves(tx: Session, start: int, end: int) -> list[LeafRow]:
    """Return the leaves from *start* up to but without *end*, as far as there are any."""
    return [_leaf(row) for row in tx.connection.rows("leaves", {"first": start, "past": end})]


def leaf_hashes(tx: Session, start: int, end: int) -> list[bytes]:
    """Return the hashes of :func:`leaves`."""
    return [row[0] for row in tx.connection.rows("leaf_hashes", {"first": start, "past": end})]


def nodes(tx: Session, level: int, start: int, end: int) -> list[bytes]:
    """Return the complete nodes of one tile level from *start* up to but without *end*."""
    return [row[0] for row in tx.connection.rows("nodes", {"level": level, "first": start, "past": end})]


class Searched(NamedTuple):
    """Leaves that were found, oldest first; ``next``: the index after which there may be more, ``None`` at the end."""

    rows: list[LeafRow]
    next: int | None


def find_leaves(tx: Session, *, after: int = -1, limit: int, **filters: Unpack[Filters]) -> list[LeafRow]:
    """Return up to *limit* leaves beyond index *after* that fit all of *filters*, oldest first, however far they lie."""
    return search_leaves(tx, after=after, limit=limit, **filters).rows


def search_leaves(
    tx: Session, *, after: int = -1, limit: int, scan: int | None = None, **filters: Unpack[Filters]
) -> Searched:
    """Return :func:`find_leaves`, but look at no more than about *scan* leaves, and say where to go on."""
    event, thread = filters.get("event"), filters.get("thread")
    since, until = filters.get("since"), filters.get("until")
    if since is not None:
        after = max(after, _first_at(tx, since) - 1)
    past = tx.log_head().size if until is None else _first_at(tx, until)
    query, values = _narrowest(tx, filters)
    wanted = msgspec.convert(filters, _Subject)
    found: list[LeafRow] = []
    looked = 0
    while scan is None or looked < scan:
        page = tx.connection.rows(query, {**values, "after": after, "limit": _PAGE})
        for leaf in map(_leaf, page):
            if leaf.index >= past:
                return Searched(found, None)
            if event in {None, leaf.event} and thread in {None, leaf.thread} and _fits(wanted, leaf.body):
                found.append(leaf)
                if len(found) == limit:
                    return Searched(found, leaf.index)
        if len(page) < _PAGE:
            return Searched(found, None)
        after, looked = page[-1][0], looked + _PAGE
    return Searched(found, after)


def _fits(wanted: _Subject, body: bytes) -> bool:
    has = _subject(body)
    return all(
        wish == (said := getattr(has, name)) or (name == "type" and said is not None and wish == said.partition("/")[0])
        for name in _Subject.__struct_fields__
        if (wish := getattr(wanted, name)) is not None
    )


def last_leaves(tx: Session, event: str, before: int | None, limit: int) -> list[LeafRow]:
    """Return up to *limit* leaves of a seldom *event* from before index *before*, the newest first.

    Raises:
        ValueError: the event is one of every journey, of which nobody keeps an index.
    """
    if event in FREQUENT:
        raise ValueError(event)
    values = {"event": event, "before": _NEVER if before is None else before, "limit": limit}
    return list(map(_leaf, tx.connection.rows("last_leaves_of_seldom_event", values)))


def _narrowest(tx: Session, filters: Filters) -> tuple[str, Values]:
    """Return the statement that reads least, and its values but for ``after`` and ``limit``."""
    event, agency, mailbox = filters.get("event"), filters.get("agency"), filters.get("mailbox")
    envelope, obligation, thread = filters.get("envelope"), filters.get("obligation"), filters.get("thread")
    known = pack_or_none(thread)
    for query, name in (("envelope_thread_of", envelope), ("obligation_thread_of", obligation)):
        if known is None and name is not None:
            known = next((row[0] for row in tx.connection.rows(query, {"id": pack(name)})), None)
    if known is not None:
        return "leaves_of_thread", {"thread": known}
    if envelope is not None:
        # Not accepted, so the log can only say that it was refused.
        return "leaves_of_seldom_event", {"event": "envelope-refused"}
    if event is not None and event not in FREQUENT:
        return "leaves_of_seldom_event", {"event": event}
    agency = agency or (agency_of(mailbox) if mailbox else None)
    if agency is not None:
        return "leaves_of_agency", {"agency": agency}
    return "leaves_after", {}


def _first_at(tx: Session, moment: int) -> int:
    """Return the first index whose leaf is at or after *moment*; the hub's time never runs backwards."""
    low, high = 0, tx.log_head().size
    while low < high:
        middle = (low + high) // 2
        if tx.connection.rows("leaf_moment", {"ix": middle})[0][0] < moment:
            low = middle + 1
        else:
            high = middle
    return low


def add_checkpoint(tx: Session, size: int, at: int, note: str) -> None:
    """Keep the signed *note* over the first *size* leaves; a newer note over the same size replaces it."""
    tx.connection.run("add_checkpoint", {"size": size, "at": at, "note": note})


def last_checkpoint(tx: Session) -> tuple[int, int, str] | None:
    """Return size, moment and note of the checkpoint over most leaves."""
    for size, at, note in tx.connection.rows("last_checkpoint"):
        return size, at, note
    return None


def find_checkpoint(tx: Session, size: int) -> str | None:
    """Return the note of the checkpoint over *size* leaves."""
    return next((row[0] for row in tx.connection.rows("find_checkpoint", {"size": size})), None)


def add_cosignature(tx: Session, size: int, witness: str, line: str, at: int) -> None:
    """Keep a witness's line over the checkpoint of *size*; its first one stands."""
    tx.connection.run("add_cosignature", {"size": size, "witness": witness, "line": line, "at": at})


def cosignatures(tx: Session, size: int) -> list[tuple[str, str, int]]:
    """Return witness, line and moment of every cosignature over the checkpoint of *size*."""
    return [(witness, line, at) for witness, line, at in tx.connection.rows("cosignatures", {"size": size})]


def last_cosigned(tx: Session) -> int | None:
    """Return the largest size that a witness has cosigned."""
    return next((row[0] for row in tx.connection.rows("last_cosigned")), None)
