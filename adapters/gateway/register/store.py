"""The register's file: a database of its own beside the spool, with the same owner and the same care.

In clear are kinds, states, codes, moments, and references that are random or keyed digests; whatever says who a child
is, or what is to be done, is sealed under a key that lives in the agency's keyring only.

Source: design 2 (1, 8); domain 10.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.gateway.register.entries import Entry, Event
from adapters.gateway.spool import Database, Row
from keys.digests import derived_key, keyed_digest
from keys.keyring import Keyring
from schemas.strict_json import dump

REGISTER_NAME: Final = "register.db"


class Register(Database):
    """The register of one gateway."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Take the register's *path* and its 32-byte *key*."""
        statements = files("adapters.gateway.register").joinpath("register.sql")
        super().__init__(path, key, name="register", statements=(statements,))
        self._lookup = derived_key(key, "lookups")

    def digest(self, *parts: str) -> str:
        """Return what *parts* are looked up by; only the holder of the key can link it to them."""
        return keyed_digest(self._lookup, dump(parts).decode())

    def lock_value(self, value: Any, label: str) -> bytes:
        """Return *value* (plain JSON) sealed, bound to *label*."""
        return self.lock(dump(value), label)

    def unlock_value(self, locked: bytes, label: str) -> Any:
        """Return what :meth:`lock_value` sealed."""
        return msgspec.json.decode(self.unlock(bytes(locked), label))


def register_key(keyring: Keyring) -> bytes:
    """Return the key under which the register keeps what it seals."""
    return derived_key(keyring.record_key, "gateway register")


def entry_of(row: Row) -> Entry:
    """Return the entry that a row holds."""
    return Entry(**dict(row) | {"ended": bool(row["ended"]), "facts": msgspec.json.decode(bytes(row["facts"]))})


def event_of(row: Row) -> Event:
    """Return the event that a row, with its source's thread and mailbox, holds."""
    kept = ("envelope", "number", "kind", "verb", "child", "own", "part", "state", "at", "due", "thread", "mailbox")
    return Event(
        **{name: row[name] for name in kept}, told=bool(row["told"]), whole=row["key"] is None and row["own"] is None,
        facts=msgspec.json.decode(bytes(row["facts"])),
    )  # fmt: skip
