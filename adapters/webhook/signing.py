"""Signatures of Standard Webhooks: over the id, the moment and the body, by a secret that both sides hold.

Two secrets at once are how a secret is changed: what is sent has a signature by each, what comes needs one by either.

Source: Standard Webhooks 1.0.0 (signature scheme, secrets).
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from standardwebhooks.webhooks import hmac_data

from keys.digests import same
from schemas.strict_json import MalformedError

_log = logging.getLogger("gateway.adapters.webhook")
TOLERANCE: Final = 300
MAX_SECRETS: Final = 2
# No dot: it ends the id in what is signed, and the same bytes could be read as another id's.
ID: Final = re.compile(r"[A-Za-z0-9_~-]{1,128}")
_MOMENT: Final = re.compile(r"[0-9]{1,12}")
_PREFIX: Final = "whsec_"
_MAX_FILE: Final = 1024
_MAX_SIGNATURES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a request says in its headers: ``at`` in seconds, the signatures of version 1, undecided yet."""

    id: str
    at: int
    signatures: tuple[bytes, ...]


class Secrets:
    """One secret, or the old and the new one, in a file that is looked at each time: a change needs no restart."""

    def __init__(self, path: Path) -> None:
        """Take the file at *path*, with one secret on each line, ``whsec_`` and 24 to 64 bytes in Base64.

        Raises:
            ValueError: it holds none, more than two, or something else; the text never says what.
            OSError: it can't be read.
        """
        self._path = path
        self._secrets = _load(path)

    def shares(self, other: Secrets) -> bool:
        """Answer whether *other* has one of these too."""
        return any(same(a, b) for a in self._look() for b in other._look())

    def sign(self, name: str, at: int, body: bytes) -> dict[str, str]:
        """Return the headers for *body* under the id *name*, sent *at* (seconds)."""
        made = [base64.b64encode(_sum(secret, name, at, body)).decode() for secret in self._look()]
        return {
            "webhook-id": name,
            "webhook-timestamp": str(at),
            "webhook-signature": " ".join(f"v1,{one}" for one in made),
        }

    def has_signed(self, head: Head, body: bytes) -> bool:
        """Answer whether one of *head*'s signatures is by one of these secrets."""
        right = [_sum(secret, head.id, head.at, body) for secret in self._look()]
        return any(same(one, given) for one in right for given in head.signatures)

    def _look(self) -> tuple[bytes, ...]:
        try:
            self._secrets = _load(self._path)
        except (OSError, ValueError):
            # Half written, or replaced and not granted yet: what held before still does.
            _log.warning("a file of secrets can't be read; those that were read before are used")
        return self._secrets


def parse_head(headers: Mapping[str, str], now: float) -> Head:
    """Return what *headers* say.

    Raises:
        MalformedError: ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``: missing or not what they should be.
    """
    name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not ID.fullmatch(name):
        raise MalformedError(
            "webhook-id", "`webhook-id` isn't 1 to 128 letters, digits, `_`, `~` or `-`", "send one for each draft"
        )
    if not _MOMENT.fullmatch(at) or abs(now - int(at)) > TOLERANCE:
        raise MalformedError(
            "webhook-timestamp",
            "`webhook-timestamp` isn't a moment in seconds within five minutes of now",
            "sign again at each attempt, and let your clock be set by the network",
        )
    given = [one.partition(",") for one in headers.get("webhook-signature", "").split()[:_MAX_SIGNATURES]]
    signatures = []
    for version, _, value in given:
        if version == "v1":
            try:
                signatures.append(base64.b64decode(value, validate=True))
            except (binascii.Error, ValueError):
                continue  # it is by no secret
    if not signatures:
        raise unsigned()
    return Head(id=name, at=int(at), signatures=tuple(signatures))


def unsigned() -> MalformedError:
    """Return the objection to what nobody signed who may."""
    return MalformedError(
        "webhook-signature",
        "no signature `v1` over id, timestamp and body is by a secret that is known here",
        "sign the bytes that are sent, and look whether both sides have one secret",
    )


def _sum(secret: bytes, name: str, at: int, body: bytes) -> bytes:
    return hmac_data(secret, f"{name}.{at}.".encode() + body)


def _load(path: Path) -> tuple[bytes, ...]:
    with path.open("rb") as file:
        lines = file.read(_MAX_FILE).decode("ascii", "replace").split()
    if not 1 <= len(lines) <= MAX_SECRETS:
        raise ValueError("it holds one secret, or two while they change, each on a line")
    return tuple(_decode(line) for line in lines)


def _decode(line: str) -> bytes:
    try:
        secret = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a secret isn't Base64") from error
    if not line.startswith(_PREFIX) or not 24 <= len(secret) <= 64:
        raise ValueError("a secret is `whsec_` and 24 to 64 bytes in Base64")
    return secret
