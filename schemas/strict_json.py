"""JSON as both sides of a signature must read it: one meaning, or none.

Refuses what RFC 8259 leaves open: duplicate names, NaN and infinities, integers beyond 2^53, depth beyond 16,
lone surrogates, a byte-order mark, trailing bytes, and (unless asked) ``null`` and fractions.

Source: protocol, preamble.
"""

from __future__ import annotations

import json
from typing import Any, Final, TypeVar

import msgspec

MAX_DEPTH: Final = 16
MAX_INTEGER: Final = 2**53 - 1

T = TypeVar("T")


class MalformedError(ValueError):
    """Bytes that are not what they should be; nothing was changed because of them.

    Attributes: ``code`` permanent and kebab-case, ``message`` one sentence without payload, ``hint`` the way out.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedError("json-duplicate-member", "an object names a member twice", "write each member once")
    return members


def _constant(_: str) -> Any:
    raise MalformedError("json-number", "a number is not finite", "NaN and infinities are not JSON")


def _check(value: Any, *, depth: int, content: bool) -> None:
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise MalformedError("json-surrogate", "a string holds half of a surrogate pair", "send whole characters")
    elif isinstance(value, bool):
        return
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise MalformedError("json-number", "an integer is beyond 2^53", "use a string for such a number")
    elif isinstance(value, float) or value is None:
        if not content:
            raise MalformedError("json-type", "a fraction or null stands where neither may", "leave the member out")
    else:
        if depth >= MAX_DEPTH:
            raise MalformedError("json-depth", f"the document is nested deeper than {MAX_DEPTH}", "flatten it")
        if isinstance(value, dict):
            for name in value:
                _check(name, depth=depth, content=content)
            value = value.values()
        for member in value:
            _check(member, depth=depth + 1, content=content)


def parse(raw: bytes, *, max_bytes: int, content: bool = False) -> Any:
    """Return the value of one strict JSON text of at most *max_bytes* bytes.

    *content* allows ``null`` and fractions: in messages, which schemas judge; never in what is signed for the hub.

    Raises:
        MalformedError: ``json-*``; the bytes have no single meaning.
    """
    if len(raw) > max_bytes:
        raise MalformedError("json-too-long", f"the document is longer than {max_bytes} bytes", "send less")
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except MalformedError:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedError(
            "json-syntax", "the document is not UTF-8 JSON", "check its encoding and syntax"
        ) from error
    _check(value, depth=0, content=content)
    return value


def parse_as(raw: bytes, kind: type[T], *, max_bytes: int) -> T:
    """Return *raw* as a value of the frozen struct *kind*; unknown, missing and ill-typed members are refused.

    Raises:
        MalformedError: ``json-*``, or ``json-shape`` naming the member and the rule.
    """
    try:
        return msgspec.convert(parse(raw, max_bytes=max_bytes), kind, strict=True)
    except msgspec.ValidationError as error:
        # msgspec names the member and the rule, never the value.
        raise MalformedError("json-shape", f"{kind.__name__.lower()}: {error}", "compare it with its schema") from error


def dump(value: Any) -> bytes:
    """Return *value* (structs, mappings, sequences, strings, integers) as compact UTF-8 JSON."""
    return msgspec.json.encode(value)
