"""Matching against the at-risk list: its holder never learns who was looked up, nor the asker who else is on it.

Diffie-Hellman private set intersection on P-256.  A list has one key, and an entry's match key is its identifier, hashed
to the curve, times that key.  Who looks somebody up sends the hashed identifier times a secret of its own, has it
evaluated under the list's key, takes its secret off again, and compares.  Every point has a secret of its own, so that
it is evenly random whoever it stands for: no computer can ever tell of whom, and two visits can't be linked.

The arithmetic is the library's; here is only how it is used.

Source: domain 2, system 9, and 11, risks 21 and 22; docs/decisions/at-risk-matching.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from keys.digests import b64u, from_b64u, random_bytes
from keys.errors import KeysError

# So that no point of ours is another protocol's.
_LABEL: Final = "hub-at-risk/1:"


class Blinded(NamedTuple):
    """A point that may be shown, b64u, and the 32-byte secret that alone makes its answer readable."""

    secret: bytes
    point: str


def _library() -> Any:
    try:
        from private_set_intersection import python as library
    except ImportError as error:
        raise KeysError(
            "matching-missing",
            "matching against the at-risk list needs the package openmined-psi, which isn't installed here",
            "use Python 3.11 to 3.13 on Linux (x86-64, glibc 2.35 or later) or macOS (arm64, 14 or later), and install it",
        ) from error
    return library


def check_library() -> None:
    """Refuse a machine on which nothing can be matched, before anything relies on it.

    Raises:
        KeysError: ``matching-missing``.
    """
    _library()


def new_list_key() -> bytes:
    """Return a key of 32 bytes for one version of a list; what was evaluated under it tells nothing of the next.

    Raises:
        KeysError: ``matching-missing``.
    """
    key: bytes = _library().server.CreateWithNewKey(True).GetPrivateKeyBytes()
    return key


def make_match_keys(key: bytes, identifiers: Sequence[str]) -> list[str]:
    """Return what stands for each of *identifiers* on the list of *key*: 44 characters that nobody without it can test.

    Raises:
        KeysError: ``matching-missing``, ``matching-key``.
    """
    library = _library()
    server = _server(library, key)
    # One by one: a set made of all together would come back in another order.
    setups = [
        server.CreateSetupMessage(0.0, 1, [_LABEL + identifier], library.DataStructure.RAW)
        for identifier in identifiers
    ]
    return [b64u(setup.raw.encrypted_elements[0]) for setup in setups]


def blind(identifier: str) -> Blinded:
    """Return *identifier* blinded by a fresh secret.

    Raises:
        KeysError: ``matching-missing``.
    """
    client = _library().client.CreateWithNewKey(True)
    request = client.CreateRequest([_LABEL + identifier])
    return Blinded(client.GetPrivateKeyBytes(), b64u(request.encrypted_elements[0]))


def blind_nobody() -> str:
    """Return the point of a dummy: nothing tells it from a real one.

    Raises:
        KeysError: ``matching-missing``.
    """
    return blind(b64u(random_bytes(32))).point


def evaluate(key: bytes, points: Sequence[str]) -> list[str]:
    """Return each of *points* times the list's *key*, in order.

    Raises:
        KeysError: ``matching-missing``, ``matching-key``, ``b64u``, or ``matching-point``: not a point of the curve.
    """
    library = _library()
    request = library.Request(reveal_intersection=True, encrypted_elements=[from_b64u(point) for point in points])
    server = _server(library, key)
    try:
        response = server.ProcessRequest(request)
    except RuntimeError as error:
        raise _no_point() from error
    return [b64u(point) for point in response.encrypted_elements]


def find_match(secret: bytes, evaluated: str, match_keys: Sequence[str]) -> str | None:
    """Return which of *match_keys* the point is that was blinded by *secret*, or ``None``: it is not on the list.

    Raises:
        KeysError: ``matching-missing``, ``b64u``, or ``matching-point``: *evaluated* is no point of the curve.
    """
    library = _library()
    client = library.client.CreateFromKey(secret, True)
    answer = library.Response(encrypted_elements=[from_b64u(evaluated)])
    left = sorted(map(from_b64u, match_keys))
    if not _is_among(library, client, answer, left):
        return None
    while len(left) > 1:
        # The library says whether, not which.
        half = left[: len(left) // 2]
        left = half if _is_among(library, client, answer, half) else left[len(half) :]
    return b64u(left[0])


def _is_among(library: Any, client: Any, answer: Any, match_keys: Sequence[bytes]) -> bool:
    if not match_keys:
        return False
    setup = library.ServerSetup()
    setup.raw.encrypted_elements.extend(match_keys)
    try:
        return bool(client.GetIntersection(setup, answer))
    except RuntimeError as error:
        raise _no_point() from error


def _server(library: Any, key: bytes) -> Any:
    try:
        return library.server.CreateFromKey(key, True)
    except RuntimeError as error:
        raise KeysError("matching-key", "not the key of an at-risk list", "restore the gateway's spool") from error


def _no_point() -> KeysError:
    return KeysError("matching-point", "a value is no point of the curve", "ask its sender to send it again")
