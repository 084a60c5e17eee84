"""What this gateway keeps where the hub contradicts itself: signed things, and its own word of what it met with.

Kept in the spool as facts, each once; ``gateway evidence export`` writes them as a file for a third party, with the
checkpoints that this agency's receipts carry, so that another agency's view can be laid beside them.

Source: protocol 4, 7 and 8; design 2 (4).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec

from adapters.errors import GatewayError
from adapters.gateway import notices
from adapters.gateway.books import KeyHistory
from adapters.gateway.claims import claim_forged_key
from adapters.gateway.client import Client
from adapters.gateway.spool import Spool, Transaction
from adapters.gateway.tree import Shown, Tree
from adapters.gateway.trust import Listed, Stated, members, payload_of
from keys import jws, notes
from keys.digests import b64u, sha256_b64u
from keys.errors import KeysError
from schemas.directory import parse_directory, parse_key_statement
from schemas.envelope import DAY, Struct
from schemas.evidence import Beginning, Entry, Evidence, Said
from schemas.identifiers import AgencyId, KeyId, Moment
from schemas.strict_json import MalformedError, dump

_log = logging.getLogger("gateway.evidence")
T = TypeVar("T", bound=Struct)
Kind = Literal["note", "beginning", "entry", "signed", "directory", "said"]
_STRUCTS: Final[Mapping[type[Struct], Kind]] = {Beginning: "beginning", Entry: "entry", Said: "said"}
# Two views are found out within a minute; checkpoints that receipts carried are kept for as long as somebody may ask.
KEEP: Final = 35 * DAY
NOTICE: Final = "hub-contradicted"
# Of each kind; a hub that contradicts itself at every look shall not fill the disk.
MOST: Final = 20_000


async def keep(tx: Transaction, *facts: Struct, signed: Iterable[bytes] = (), note: bytes | None = None) -> None:
    """Keep *facts*, compact JWS and a checkpoint's *note*; what is kept already is kept once."""
    for fact in facts:
        # The same again, met with later, is the same.
        told = msgspec.structs.replace(fact, at=0) if isinstance(fact, Said) else fact
        await _add(tx, _STRUCTS[type(fact)], dump(fact), sha256_b64u(dump(told)))
    for compact in signed:
        await _add(tx, "signed", compact)
    if note is not None:
        await _add(tx, "note", note)


async def _add(tx: Transaction, kind: Kind, body: bytes, sha256: str | None = None) -> None:
    await tx.run("add_evidence", kind=kind, sha256=sha256 or sha256_b64u(body), body=body, most=MOST)


async def accuse(tx: Transaction, said: Said, *facts: Struct, **kept: Any) -> None:
    """Keep *facts* as :func:`keep` does, and alarm once for each thing that *said* is about."""
    await keep(tx, said, *facts, **kept)
    details = {name: value for name, value in msgspec.to_builtins(said).items() if name != "at"}
    topic = f"{NOTICE}:{sha256_b64u(dump(details))}"
    if await notices.tell(tx, said.at, NOTICE, topic, mailbox=said.mailbox, details=details):
        _log.error("the hub contradicts what was signed: %s", said.reason)


def statements_of(keys: Mapping[KeyId, KeyHistory], signed: Iterable[bytes]) -> list[bytes]:
    """Return the agencies' own statements, among *keys*, about the keys that *signed* name: by these they are judged."""
    found = []
    for compact in signed:
        try:
            kid = jws.parse(compact, jws.purpose(compact) or "").kid
        except KeysError:
            continue
        if kid in keys:
            found.append(keys[kid].stated[0].listed.jws.encode())
    return found


def entry_of(note: bytes, shown: Shown, leaf: bytes | None = None) -> Entry:
    """Return what lies where *shown* under the checkpoint *note*: *leaf*, or else the hash alone."""
    about: dict[str, Any] = {"leaf": leaf.decode()} if leaf is not None else {"hash": b64u(shown.hash)}
    return Entry(note=sha256_b64u(note), index=shown.place, proof=_texts(shown.proof), **about)


def beginning_of(note: bytes, size: int, path: Sequence[bytes]) -> Beginning:
    """Return the root of the first *size* leaves under *note*, as *path* shows it."""
    return Beginning(note=sha256_b64u(note), size=size, path=_texts(path))


def _texts(hashes: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(b64u(one) for one in hashes)


async def keep_two_logs(
    spool: Spool, client: Client, before: notes.Checkpoint, found: notes.Checkpoint, note: bytes, now: Moment
) -> None:
    """Keep the checkpoint *before* and what the hub shows now, which does not continue it.

    Where the new tree is longer, its own hashes show what it has instead; the hub has to show them to be believed by
    anybody.  A shorter one that was merely signed earlier contradicts nothing, until it grows another way.
    """
    path: list[bytes] | None = None
    if found.size > before.size:
        try:
            path = await Tree(client, found).beginning(before.size)
        except KeysError:
            _log.warning("the hub does not show the hashes of the log that it signed")
    said = Said(reason="shorter" if found.size < before.size else "two-logs", at=now, size=before.size)
    facts = [beginning_of(note, before.size, path)] if path else []

    async def work(tx: Transaction) -> None:
        # Whoever looks at the log tells of it; here it is kept.
        await keep(tx, said, *facts, note=note)
        if (kept := await tx.one("find_note", size=before.size)) is not None:
            await keep(tx, note=bytes(kept["text"]))

    await spool.write(work)


async def keep_directory(spool: Spool, document: bytes, error: GatewayError, now: Moment) -> None:
    """Keep a directory that the hub shows and that can't be believed."""
    reasons: Mapping[str, Literal["directory-older", "directory-forged"]] = {
        "trust-version": "directory-older", "trust-signatures": "directory-forged",
    }  # fmt: skip
    if (reason := reasons.get(error.code)) is None:
        return

    async def work(tx: Transaction) -> None:
        await _add(tx, "directory", document)
        await keep(tx, Said(reason=reason, at=now))

    await spool.write(work)


async def keep_key(spool: Spool, listed: Listed, now: Moment) -> None:
    """Keep a key statement that no identity key of its agency has signed, by any directory that there was.

    Who joins late meets statements by identity keys that have changed since: those are no forgeries.
    """
    compact, digest = listed.jws.encode(errors="replace"), sha256_b64u(listed.jws.encode(errors="replace"))
    try:
        signed = jws.parse(compact, jws.KEY)
        said = parse_key_statement(signed.payload)
    except (KeysError, MalformedError):
        return

    async def work(tx: Transaction) -> None:
        documents = [bytes(row["document"]) for row in await tx.all("directories")]
        directories = [parse_directory(payload_of(document, jws.DIRECTORY)) for document in documents]
        identities = [one.identity for each in directories for one in each.agencies if one.id == said.agency]
        if any(_is_by(signed, members(identity)) for identity in identities):
            return
        await accuse(tx, Said(reason="key-forged", at=now, index=listed.index), signed=(compact,))
        await claim_forged_key(tx, listed, digest)

    await spool.write(work)


def _is_by(signed: jws.Unverified, jwk: Mapping[str, str]) -> bool:
    try:
        jws.check(signed, jws.VerifyingKey.from_jwk(jwk))
    except KeysError:
        return False
    return True


async def keep_unlogged(spool: Spool, tree: Tree, stated: Stated, now: Moment) -> None:
    """Keep a key statement that is not in the log where the hub says, with what is there instead."""
    try:
        shown: Shown | None = await tree.find(stated.listed.index)
    except KeysError:
        shown = None

    async def work(tx: Transaction) -> None:
        said = Said(reason="key-not-logged", at=now, kid=stated.kid, index=stated.listed.index)
        await keep(tx, said, signed=(stated.listed.jws.encode(),))
        kept = await tx.one("find_note", size=tree.seen.size)
        if shown is not None and kept is not None:
            await keep(tx, entry_of(bytes(kept["text"]), shown), note=bytes(kept["text"]))

    await spool.write(work)


async def collect(spool: Spool, agency: AgencyId, now: Moment) -> Evidence:
    """Return everything that is kept, for a third party."""

    async def work(tx: Transaction) -> tuple[list[Mapping[str, Any]], list[bytes], list[bytes]]:
        rows = await tx.all("evidence")
        documents = [bytes(row["document"]) for row in await tx.all("directories")]
        return rows, documents, [bytes(row["text"]) for row in await tx.all("notes")]

    rows, documents, carried = await spool.write(work)
    kept: dict[str, list[bytes]] = {}
    for row in rows:
        kept.setdefault(row["kind"], []).append(bytes(row["body"]))
    directories = dict.fromkeys((*documents, *kept.get("directory", [])))
    checkpoints = dict.fromkeys((*kept.get("note", []), *carried))
    return Evidence(
        v=1, agency=agency, at=now, notes=tuple(note.decode() for note in checkpoints),
        directories=tuple(msgspec.json.decode(one, type=tuple[str, ...]) for one in directories),
        beginnings=_read(kept, "beginning", Beginning), entries=_read(kept, "entry", Entry),
        signed=tuple(one.decode() for one in kept.get("signed", [])),
        said=_read(kept, "said", Said),
    )  # fmt: skip


def _read(kept: Mapping[str, list[bytes]], kind: Kind, struct: type[T]) -> tuple[T, ...]:
    return tuple(msgspec.json.decode(one, type=struct) for one in kept.get(kind, []))
