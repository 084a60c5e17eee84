"""Verbs of the MESH front door: who may use it, which tokens were used, what was sent, what was acknowledged."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import asdict

from hub.store.rows import MeshEntryRow, MeshMailboxRow, MeshSentRow
from hub.store.session import Row, Session, pack, pack_or_none, unpack, unpack_or_none


class MeshEntry(NamedTuple):
    """One entry of a feed, found by what it refers to; ``gone``: nothing of it is left."""

    seq: int
    at: int
    gone: bool
    payload: bytes | None


def set_mesh_mailbox(tx: Session, mailbox: str, secrets: bytes, at: int) -> None:
    """Let *mailbox* use the front door with these sealed *secrets*, and with no earlier ones."""
    tx.connection.run("set_mesh_mailbox", {"mailbox": mailbox, "secrets": secrets, "at": at})


def find_mesh_mailbox(tx: Session, mailbox: str) -> MeshMailboxRow | None:
    """Return *mailbox*, if it may use the front door."""
    rows = tx.connection.rows("find_mesh_mailbox", {"mailbox": mailbox})
    return next((MeshMailboxRow(*row) for row in rows), None)


def mesh_mailboxes(tx: Session, after: str, limit: int) -> list[MeshMailboxRow]:
    """Return up to *limit* mailboxes that may use the front door, beyond the name *after*, in order."""
    return [MeshMailboxRow(*row) for row in tx.connection.rows("mesh_mailboxes", {"after": after, "limit": limit})]


def drop_mesh_mailbox(tx: Session, mailbox: str) -> bool:
    """Let *mailbox* use the front door no more; answer whether it might."""
    return bool(tx.connection.run("drop_mesh_mailbox", {"mailbox": mailbox}))


def use_mesh_token(tx: Session, token: str, request: str, until: int) -> bool:
    """Use *token* for *request* (digests), to be remembered *until* then; ``False``: it was used for another one."""
    values = {"token": pack(token), "request": pack(request), "until": until}
    if tx.connection.run("use_mesh_token", values):
        return True
    return unpack(tx.connection.rows("find_mesh_token", {"token": pack(token)})[0][0]) == request


def forget_mesh_tokens(tx: Session, now: int) -> None:
    """Forget the tokens that nobody could use any more at *now*."""
    tx.connection.run("forget_mesh_tokens", {"now": now})


def mesh_inbox(tx: Session, mailbox: str, after: int, limit: int) -> list[MeshEntryRow]:
    """Return up to *limit* entries of a feed beyond *after* that can be collected and weren't acknowledged, in order."""
    values = {"mailbox": mailbox, "after": after, "limit": limit}
    return [
        MeshEntryRow(number, kind, unpack(ref), of or about)
        for number, kind, ref, of, about in tx.connection.rows("mesh_inbox", values)
    ]


def mesh_inbox_size(tx: Session, mailbox: str, after: int) -> int:
    """Return about how many entries :func:`mesh_inbox` has beyond *after*."""
    count: int = tx.connection.rows("mesh_inbox_size", {"mailbox": mailbox, "after": after})[0][0]
    return count


def mesh_entry(tx: Session, mailbox: str, kind: str, ref: str) -> MeshEntry | None:
    """Return the entry of a feed about the envelope, receipt, notice or waiver *ref*."""
    values = {"ref": pack(ref), "mailbox": mailbox, "kind": kind}
    for number, at, state, tombstone, payload in tx.connection.rows("mesh_entry", values):
        return MeshEntry(number, at, bool(tombstone) or state == "gone", payload)
    return None


def mesh_acknowledge(tx: Session, mailbox: str, seq: int, at: int) -> None:
    """Record that an entry was acknowledged; doing it again changes nothing."""
    row = find_mesh_mailbox(tx, mailbox)
    if row is None or seq <= row.through:
        return
    tx.connection.run("mesh_acknowledge", {"mailbox": mailbox, "seq": seq, "at": at})
    left = tx.connection.rows("mesh_first_left", {"mailbox": mailbox, "after": row.through})
    through = left[0][0] - 1 if left else tx.feed_size(mailbox)
    if through > row.through:
        tx.connection.run("set_mesh_through", {"mailbox": mailbox, "through": through})
        tx.connection.run("drop_mesh_acknowledged", {"mailbox": mailbox, "through": through})


def is_mesh_acknowledged(tx: Session, row: MeshMailboxRow, seq: int) -> bool:
    """Answer whether an entry of a mailbox's feed was acknowledged."""
    values = {"mailbox": row.mailbox, "seq": seq}
    return seq <= row.through or bool(tx.connection.rows("is_mesh_acknowledged", values))


def _sent(row: Row) -> MeshSentRow:
    kept = dict(zip(MeshSentRow.__struct_fields__, row, strict=True))
    packed = {"first": unpack(kept["first"]), "ref": unpack_or_none(kept["ref"]), "duty": unpack_or_none(kept["duty"])}
    return MeshSentRow(**(kept | packed))


def add_mesh_sent(tx: Session, row: MeshSentRow) -> bool:
    """Add a message that was sent, unless there is one with its id; answer whether it was added."""
    packed = {"first": pack(row.first), "ref": pack_or_none(row.ref), "duty": pack_or_none(row.duty)}
    return bool(tx.connection.run("add_mesh_sent", asdict(row) | packed))


def finish_mesh_sent(tx: Session, row: MeshSentRow) -> None:
    """Keep what became of a message's upload, as *row* has it."""
    values = {
        "id": row.id,
        "state": row.state,
        "ref": pack_or_none(row.ref),
        "kind": row.kind,
        "code": row.code,
        "duty": pack_or_none(row.duty),
        "due": row.due,
    }
    tx.connection.run("finish_mesh_sent", values)


def find_mesh_sent(tx: Session, name: str) -> MeshSentRow | None:
    """Return the message with this id that was sent through the front door."""
    return next(map(_sent, tx.connection.rows("find_mesh_sent", {"id": name})), None)


def mesh_sent_before(tx: Session, like: MeshSentRow) -> MeshSentRow | None:
    """Return the message, not a refused one, that has sender, recipient, workflow, local id and first part of *like*."""
    values = {
        "sender": like.sender,
        "recipient": like.recipient,
        "workflow": like.workflow,
        "local_id": like.local_id,
        "first": pack(like.first),
    }
    return next(map(_sent, tx.connection.rows("mesh_sent_before", values)), None)


def mesh_sent_called(tx: Session, sender: str, local_id: str, limit: int) -> list[MeshSentRow]:
    """Return up to *limit* messages that *sender* gave this local id."""
    values = {"sender": sender, "local_id": local_id, "limit": limit}
    return list(map(_sent, tx.connection.rows("mesh_sent_called", values)))


def mesh_sent_as(tx: Session, ref: str, recipient: str) -> list[MeshSentRow]:
    """Return the messages by which *ref* was sent to *recipient*, the first of them first."""
    rows = map(_sent, tx.connection.rows("mesh_sent_as", {"ref": pack(ref), "recipient": recipient}))
    return sorted(rows, key=lambda row: (row.at, row.id))


def mesh_sent_due(tx: Session, sender: str, now: int, limit: int) -> list[MeshSentRow]:
    """Return up to *limit* messages of *sender* that were to be taken by *now* and aren't reported."""
    return list(map(_sent, tx.connection.rows("mesh_sent_due", {"sender": sender, "now": now, "limit": limit})))


def mesh_reports(tx: Session, sender: str, after: str, limit: int) -> list[MeshSentRow]:
    """Return up to *limit* messages of *sender*, beyond the id *after*, whose report isn't acknowledged."""
    return list(map(_sent, tx.connection.rows("mesh_reports", {"sender": sender, "after": after, "limit": limit})))


def set_mesh_report(tx: Session, row: MeshSentRow) -> None:
    """Keep when a message's report is due, was made and was acknowledged, as *row* has it."""
    values = {"id": row.id, "due": row.due, "reported": row.reported, "report_taken": row.report_taken}
    tx.connection.run("set_mesh_report", values)


def forget_mesh_sent(tx: Session, before: int) -> None:
    """Forget what was sent through the front door *before* then; what was accepted stays where it is."""
    tx.connection.run("forget_mesh_parts", {"before": before})
    tx.connection.run("forget_mesh_sent", {"before": before})


def mesh_uploads(tx: Session, sender: str, limit: int) -> list[tuple[str, int]]:
    """Return up to *limit* uploads of *sender* that aren't complete, with when each began, the oldest first."""
    return [(name, at) for name, at in tx.connection.rows("mesh_uploads", {"sender": sender, "limit": limit})]


def set_mesh_part(tx: Session, name: str, number: int, sha256: str, content: bytes) -> None:
    """Keep one part of a message as it came, instead of an earlier one."""
    values = {"id": name, "number": number, "sha256": pack(sha256), "size": len(content), "content": content}
    tx.connection.run("set_mesh_part", values)


def mesh_part_digests(tx: Session, name: str) -> dict[int, tuple[str, int]]:
    """Return the digest and the length of each part that has come, by its number."""
    rows = tx.connection.rows("mesh_part_digests", {"id": name})
    return {number: (unpack(digest), size) for number, digest, size in rows}


def mesh_part_contents(tx: Session, name: str) -> list[bytes]:
    """Return the parts that are kept, in order."""
    return [bytes(row[0]) for row in tx.connection.rows("mesh_part_contents", {"id": name})]


def empty_mesh_parts(tx: Session, name: str) -> None:
    """Let the content of a message's parts go; their digests stay."""
    tx.connection.run("empty_mesh_parts", {"id": name})
