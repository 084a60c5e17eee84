"""What both sides of the at-risk list share at one gateway, and the records that they keep, encrypted, in its spool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from adapters.base import DraftAuthor
from adapters.gateway import notices
from adapters.gateway.config import Clock
from adapters.gateway.matching.policy import AtRiskConfig
from adapters.gateway.spool import Spool, Transaction
from keys.digests import derived_key, keyed_digest
from schemas.identifiers import MailboxId

T = TypeVar("T")
NAME: Final = "at-risk"
PUBLISH: Final = "risklist.publish/1"
WITHDRAW: Final = "risklist.withdraw/1"
ACK: Final = "risklist.ack/1"
QUERY: Final = "risklist.query/1"
EVALUATED: Final = "risklist.evaluated/1"
# Nobody writes these: the same word in each, so that its pseudonym tells nothing.
MACHINE: Final = DraftAuthor(name="at-risk desk", role="gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One gateway's spool, clock and settings, as the at-risk list needs them."""

    spool: Spool
    clock: Clock
    config: AtRiskConfig
    keep_days: int
    record_key: bytes

    def lock(self, value: Any, label: str) -> bytes:
        """Return *value* encrypted for the spool; *label* is bound to it."""
        return self.spool.lock(msgspec.msgpack.encode(value), f"{NAME} {label}")

    def unlock(self, locked: bytes, label: str, kind: type[T]) -> T:
        """Return what :meth:`lock` encrypted.

        Raises:
            KeysError: the spool was altered.
        """
        return msgspec.msgpack.decode(self.spool.unlock(locked, f"{NAME} {label}"), type=kind)

    @property
    def mailbox(self) -> MailboxId:
        """Return the mailbox that is served: the issuer's or the clinic's."""
        return self.config.issuer or self.config.clinic or ""

    def name_attendance(self, attendance: str) -> str:
        """Return what stands in the spool for the clinic's reference *attendance*, and for nothing else."""
        return keyed_digest(derived_key(self.record_key, "at-risk attendances"), attendance)

    async def tell(self, tx: Transaction, code: str, topic: str, /, **details: object) -> bool:
        """Put a notice for the mailbox that it serves into the spool, as :func:`notices.tell` says."""
        return await notices.tell(tx, self.clock(), code, topic, mailbox=self.mailbox, details=details)


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A version at police: its key, each identifier's match keys, newest first, and the message that publishes it."""

    key: bytes
    match_keys: Mapping[str, tuple[str, ...]]
    message: Mapping[str, Any]
    author: DraftAuthor


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as the clinic has it; ``by`` says which kind of identifier found it."""

    match_key: str
    risk_marker: str
    contact_inbox: MailboxId
    added_on: str
    by: str = ""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Which attendance an adapter asked about, what it wants back with the answer, and why none can be had."""

    attendance: str
    context: str = ""
    code: str = ""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An attendance that waits: the clinic's reference, and its identifiers by kind."""

    attendance: str
    keys: Mapping[str, str]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An attendance that was found; ``gone`` is the version that took its entries off the list again."""

    attendance: str
    entries: tuple[Entry, ...]
    gone: int | None = None


class Blind(msgspec.Struct, frozen=True, kw_only=True):
    """Whose point stands at *place* of a query, and the secret that makes its answer readable."""

    place: int
    ref: str
    by: str
    secret: bytes


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A query as sent: every point, and what only the asker knows of the real ones."""

    message: Mapping[str, Any]
    blinds: tuple[Blind, ...]
