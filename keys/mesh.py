"""MESH's authorization: an HMAC over a mailbox's password, which both sides therefore hold in clear.

It covers no method, path or body: it says who calls, and the envelope's own signature says what was sent.

Source: NHS MESH API 2.0.0, authorization.
"""

from __future__ import annotations

import hmac
import re
from typing import Final, NamedTuple

from keys import vault
from keys.codes import make_code
from keys.digests import b64u, random_bytes, same

SCHEME: Final = "NHSMESH "
_TOKEN: Final = re.compile(
    r"\A([A-Z0-9_.-]{1,100}):([!-9;-~]{1,64}):([0-9]{1,10}):([0-9]{12}):([0-9A-Fa-f]{64})\Z", re.ASCII
)


class Token(NamedTuple):
    """What an ``Authorization`` header says; ``said_at`` is ``yyyyMMddHHmm`` in UTC."""

    mailbox: str
    nonce: str
    number: str
    said_at: str
    hash: str


class Secrets(NamedTuple):
    """What a mailbox proves itself by; both are ASCII."""

    password: str
    shared_key: str

    def __repr__(self) -> str:
        """Return nothing that a log could keep."""
        return "Secrets()"


def new_secrets() -> Secrets:
    """Return secrets for one mailbox, unlike any other's."""
    return Secrets(make_code(), b64u(random_bytes(32)))


def parse_token(header: str) -> Token | None:
    """Return what *header* says, if it is spelt as it must be."""
    found = _TOKEN.match(header.removeprefix(SCHEME)) if header.startswith(SCHEME) else None
    return Token(*found.groups()) if found else None


def hash_of(mailbox: str, nonce: str, number: str, said_at: str, secrets: Secrets) -> str:
    """Return the lower-case hex with which the holder of *secrets* signs."""
    text = f"{mailbox}:{nonce}:{number}:{secrets.password}:{said_at}"
    return hmac.digest(secrets.shared_key.encode(), text.encode(), "sha256").hex()


def is_by(token: Token, secrets: Secrets) -> bool:
    """Answer, in constant time, whether *token* was made by whoever has *secrets*."""
    right = hash_of(token.mailbox, token.nonce, token.number, token.said_at, secrets)
    return same(right.encode(), token.hash.lower().encode())


def lock_secrets(mailbox: str, secrets: Secrets, kek: bytes) -> bytes:
    """Return *secrets* as they are kept: encrypted under *kek*, good for *mailbox* alone."""
    return vault.lock(_kind(mailbox), "\n".join(secrets).encode(), kek)


def unlock_secrets(mailbox: str, sealed: bytes, kek: bytes) -> Secrets:
    """Return what :func:`lock_secrets` kept.

    Raises:
        KeysError: ``vault-kind``, ``vault-open``.
    """
    password, shared_key = vault.unlock(_kind(mailbox), sealed, kek).decode().split("\n")
    return Secrets(password, shared_key)


def _kind(mailbox: str) -> str:
    return f"mesh {mailbox}"
