"""The search index: keyed digests of the words that messages hold, so that whoever has the disk and no key reads none.

A received message is indexed after it arrived, a sent one in the transaction that takes its draft.  Words go with the content
that they are words of: the database drops them itself (`search.sql`), whoever drops the content.

Source: issue of the inbox (local, encrypted index); domain 11 (risk 4); docs/inbox/need-to-know.md.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from adapters.base import Draft, Incoming
from adapters.gateway.context import Gateway
from adapters.gateway.spool import Row, Transaction
from keys.digests import derived_key, keyed_digest
from keys.errors import KeysError
from schemas.envelope import DAY
from schemas.identifiers import EnvelopeId, MailboxId, ThreadId

_log = logging.getLogger("gateway.inbox")
BATCH: Final = 20
MAX_WORDS: Final = 4000
MAX_LENGTH: Final = 40
BEGINNING: Final = 4
# 66 bits: two words of one agency fall together with no chance worth naming, and rows stay short.
_DIGEST: Final = 11
_GROUPED: Final = re.compile(r"(?<!\d)(\d{3})[ -](\d{3})[ -](\d{4})(?!\d)")
_PIECE: Final = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Return *text* as it is compared: no case, no accents, one form of each character, NHS numbers in one piece."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(one for one in apart if not unicodedata.combining(one))
    return _GROUPED.sub(r"\1\2\3", unicodedata.normalize("NFKC", bare))


def pieces_of(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the runs between spaces in *text*, each in its pieces: ``O'Brien-Smith`` is ``o``, ``brien``, ``smith``."""
    for run in fold(text).split():
        if pieces := tuple(_PIECE.findall(run)):
            yield pieces


def words_of(texts: Iterable[str]) -> set[str]:
    """Return the words under which *texts* are found: each piece, and what stands together also as one."""
    found: set[str] = set()
    for text in texts:
        for pieces in pieces_of(text):
            found.update(piece for piece in pieces if _counts(piece))
            if len(pieces) > 1 and len(whole := "".join(pieces)) <= MAX_LENGTH:
                found.add(whole)
        if len(found) > MAX_WORDS:
            break
    return found


def terms_of(text: str) -> list[str]:
    """Return the words that must all be there for *text* to be found, each once, in order."""
    found: dict[str, None] = {}
    for pieces in pieces_of(text):
        # A piece of one letter is in no index; with what stands beside it, it is.
        for term in pieces if all(map(_counts, pieces)) else ("".join(pieces),):
            if _counts(term):
                found[term] = None
    return list(found)


def _counts(piece: str) -> bool:
    return len(piece) <= MAX_LENGTH and (len(piece) > 1 or not piece.isascii())


class Digests:
    """What words are looked up by: other digests in each team, so that no two teams' words can be compared."""

    def __init__(self, gateway: Gateway) -> None:
        self._key = derived_key(gateway.keyring.record_key, "gateway search index")

    def to_keep(self, mailbox: MailboxId, words: Iterable[str]) -> list[str]:
        """Return the digests of *words*, and of the first letters of the longer ones."""
        given = set(words)
        beginnings = {f"{word[:BEGINNING]}*" for word in given if len(word) > BEGINNING}
        return sorted(self._digest(mailbox, word) for word in given | beginnings)

    def to_find(self, mailbox: MailboxId, term: str) -> list[str]:
        """Return the digests one of which a message has in which *term* is found."""
        asked = [term, f"{term}*"] if len(term) == BEGINNING else [term]
        return [self._digest(mailbox, one) for one in asked]

    def _digest(self, mailbox: MailboxId, word: str) -> str:
        return keyed_digest(self._key, f"{mailbox} {word}")[:_DIGEST]


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a message, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from texts_in(member)
    elif isinstance(value, list | tuple):
        for member in value:
            yield from texts_in(member)


async def look(gateway: Gateway) -> int:
    """Index what arrived since; return how much.  What there is already is never looked through again."""
    if gateway.config.inbox is None:
        return 0
    digests, count = Digests(gateway), 0
    while rows := await gateway.spool.all("unindexed", limit=BATCH):
        # The digests are made here, so that pages don't wait for them behind the transaction.
        read = [(row, digests.to_keep(row["mailbox"], words_of(_read(gateway, row)))) for row in rows]
        await gateway.spool.write(partial(_keep, read))
        count += len(rows)
        if len(rows) < BATCH:
            break
    await gateway.spool.run("sweep_sent_words", before=gateway.clock() - gateway.config.keep_days * DAY)
    return count


def _read(gateway: Gateway, row: Row) -> list[str]:
    try:
        content = gateway.spool.unlock(bytes(row["content"]), row["envelope"])
        message = msgspec.msgpack.decode(content, type=Incoming)
    except (KeysError, msgspec.DecodeError):
        _log.error("a message could not be read for the search index: %s", row["envelope"])
        return []
    return [*texts_in(message.message), *(one.name for one in message.documents)]


async def _keep(read: Iterable[tuple[Row, list[str]]], tx: Transaction) -> None:
    for row, words in read:
        about = {"envelope": row["envelope"], "mailbox": row["mailbox"]}
        # Dropped meanwhile, perhaps: then nothing is kept of it.
        if await tx.run("set_indexed", **about):
            await _add(tx, words, **about, thread=row["thread"], type=row["type"], sender=row["sender"],
                       at=row["accepted_at"], sent=0)  # fmt: skip


async def index_sent(gateway: Gateway, tx: Transaction, draft: Draft, envelope: EnvelopeId, thread: ThreadId) -> None:
    """Index *draft*, which the transaction takes into the outbox as *envelope*."""
    # The same draft may have been taken a moment ago, under another envelope.
    if gateway.config.inbox is None or await tx.one("find_sent", envelope=envelope) is None:
        return
    texts = [*texts_in(draft.message), *draft.attachments]
    words = Digests(gateway).to_keep(draft.from_, words_of(texts))
    await _add(tx, words, envelope=envelope, mailbox=draft.from_, thread=thread, type=draft.type, sender=draft.from_,
               at=gateway.clock(), sent=1)  # fmt: skip


async def _add(tx: Transaction, words: list[str], **about: Any) -> None:
    # Kept with the message too: one index instead of two, where words lie all over the file.
    digests = json.dumps(words)
    added = await tx.one("add_indexed", **about, words=digests)
    if added is not None:
        await tx.run("add_words", item=added["number"], words=digests)
