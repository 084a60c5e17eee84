"""JSON as both sides of a signature must read it: one meaning, or none.

Refuses what RFC 8259 leaves open: duplicate names, NaN and infinities, integers beyond 2^53, depth beyond 16,
lone surrogates, a byte-order mark, trailing bytes, and (unless asked) ``null`` and fractions.

Source: protocol, preamble.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from functools import cache
from math import isfinite
from typing import Any, Final, TypeVar, cast

import msgspec
from msgspec import inspect

MAX_DEPTH: Final = 16
MAX_INTEGER: Final = 2**53 - 1

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ENCODER: Final = msgspec.json.Encoder()

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


def _integer(digits: str) -> int:
    # Long digits are not converted: that takes time which grows with their square.
    if len(digits) > 17 or not -MAX_INTEGER <= (value := int(digits)) <= MAX_INTEGER:
        raise MalformedError("json-number", "an integer is beyond 2^53", "use a string for such a number")
    return value


def _no_fraction(_: str) -> Any:
    raise _empty_or_fraction()


def _fraction(digits: str) -> float:
    return value if isfinite(value := float(digits)) else _constant(digits)


def _empty_or_fraction() -> MalformedError:
    return MalformedError("json-type", "a fraction or null stands where neither may", "leave the member out")


def _decoder(fraction: Callable[[str], float]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object, parse_constant=_constant, parse_float=fraction, parse_int=_integer
    )


_SIGNED: Final = _decoder(_no_fraction)
_CONTENT: Final = _decoder(_fraction)


def _walk(value: Any, *, content: bool) -> None:
    """Refuse depth, lone surrogates and (unless *content*) ``null``, level by level."""
    level = [value]
    for depth in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, str):
                if not one.isascii() and _SURROGATE.search(one):
                    raise MalformedError(
                        "json-surrogate", "a string holds half of a surrogate pair", "send whole characters"
                    )
            elif isinstance(one, dict | list):
                if depth == MAX_DEPTH:
                    raise MalformedError("json-depth", f"the document is nested deeper than {MAX_DEPTH}", "flatten it")
                inner += one
                if isinstance(one, dict):
                    inner += one.values()
            elif one is None and not content:
                raise _empty_or_fraction()
        level = inner


def parse(raw: bytes, *, max_bytes: int, content: bool = False) -> Any:
    """Return the value of one strict JSON text of at most *max_bytes* bytes.

    *content* allows ``null`` and fractions: in messages, which schemas judge; never in what is signed for the hub.

    Raises:
        MalformedError: ``json-*``; the bytes have no single meaning.
    """
    if len(raw) > max_bytes:
        raise MalformedError("json-too-long", f"the document is longer than {max_bytes} bytes", "send less")
    try:
        value = (_CONTENT if content else _SIGNED).decode(raw.decode("utf-8"))
    except MalformedError:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedError(
            "json-syntax", "the document is not UTF-8 JSON", "check its encoding and syntax"
        ) from error
    # What the walk looks for can't be there without these bytes, so most documents are spared it.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH or b"\\u" in raw or (b"null" in raw and not content):
        _walk(value, content=content)
    return value


def _is_closed(kind: inspect.Type, depth: int = 0) -> bool:
    """Answer whether every value of *kind* is one that :func:`parse` allows once its text is canonical.

    That is: no floats, no ``Any``, integers bounded, ``null`` only as a struct's default (which is never written),
    nesting bounded by the type itself.
    """
    match kind:
        case inspect.StrType() | inspect.BoolType() | inspect.LiteralType():
            return True
        case inspect.IntType():
            low, high = kind.ge if kind.ge is not None else kind.gt, kind.le if kind.le is not None else kind.lt
            return low is not None and high is not None and low >= -MAX_INTEGER and high <= MAX_INTEGER
        case inspect.VarTupleType() | inspect.ListType():
            return depth < MAX_DEPTH and _is_closed(kind.item_type, depth + 1)
        case inspect.DictType():
            return depth < MAX_DEPTH and _is_closed(kind.key_type) and _is_closed(kind.value_type, depth + 1)
        case inspect.StructType():
            config = kind.cls.__struct_config__
            return (
                depth < MAX_DEPTH and config.omit_defaults and all(_is_closed_field(f, depth + 1) for f in kind.fields)
            )
        case _:
            return False


def _is_closed_field(field: inspect.Field, depth: int) -> bool:
    kinds = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
    return all(
        (field.default is None if isinstance(kind, inspect.NoneType) else _is_closed(kind, depth)) for kind in kinds
    )


@cache
def _canonical_decoder(kind: Any) -> msgspec.json.Decoder[Any] | None:
    return msgspec.json.Decoder(kind) if _is_closed(inspect.type_info(kind)) else None


def parse_as(raw: bytes, kind: type[T], *, max_bytes: int) -> T:
    """Return *raw* as a value of the frozen struct *kind*; unknown, missing and ill-typed members are refused.

    Text that our own :func:`dump` would write is taken on a short way: if writing the value gives the same bytes, then
    no member was named twice and nothing else had a second meaning.  All other text goes through :func:`parse`.

    Raises:
        MalformedError: ``json-*``, or ``json-shape`` naming the member and the rule.
    """
    quick: T | None = None
    if len(raw) <= max_bytes and (decoder := _canonical_decoder(cast("Hashable", kind))) is not None:
        try:
            quick = decoder.decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass  # the long way finds the right words
        else:
            if _ENCODER.encode(quick) == raw:
                return quick
    value = parse(raw, max_bytes=max_bytes)
    if quick is not None:
        return quick
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        # msgspec names the member and the rule, never the value.
        raise MalformedError("json-shape", f"{kind.__name__.lower()}: {error}", "compare it with its schema") from error


def dump(value: Any) -> bytes:
    """Return *value* (structs, mappings, sequences, strings, integers) as compact UTF-8 JSON."""
    return _ENCODER.encode(value)
