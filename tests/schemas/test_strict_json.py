"""JSON has one meaning, or is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from schemas import strict_json
from schemas.envelope import Struct
from schemas.strict_json import MAX_INTEGER, MalformedError, dump, parse, parse_as

NESTED_16 = b"[" * 16 + b"]" * 16
NESTED_17 = b"[" * 17 + b"]" * 17


class Small(Struct, frozen=True, kw_only=True):
    """A closed struct: its canonical text is taken on the short way."""

    name: str
    count: Annotated[int, Meta(ge=0, le=9)]
    more: str | None = None


class Loose(Struct, frozen=True, kw_only=True):
    """A struct whose type says nothing about its values."""

    value: Any


class Unbounded(Struct, frozen=True, kw_only=True):
    """A struct with an integer of any size."""

    value: Annotated[int, Meta(ge=0)]


class Nullable(Struct, frozen=True, kw_only=True):
    """A struct whose member may be null though it has no default."""

    value: str | None


class Chain(Struct, frozen=True, kw_only=True):
    """A struct that holds itself: its type does not bound the depth."""

    inner: Chain | None = None


class Exclusive(Struct, frozen=True, kw_only=True):
    """A struct with bounds that exclude their own values, a mapping and a list."""

    value: Annotated[int, Meta(gt=0, lt=9)]
    names: Mapping[str, bool]
    rows: list[str]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A struct that writes its defaults, null among them."""

    value: str | None = None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "json-syntax"),
        (b"{", "json-syntax"),
        (b"{} {}", "json-syntax"),
        (b"{}x", "json-syntax"),
        (b"\xef\xbb\xbf{}", "json-syntax"),
        (b'"\xff"', "json-syntax"),
        (b'"\xed\xa0\x80"', "json-syntax"),
        (b'"a\nb"', "json-syntax"),
        (b"[1,]", "json-syntax"),
        (b"01", "json-syntax"),
        (b"'a'", "json-syntax"),
        (b"[" * 60_000, "json-syntax"),
        (b'{"a":1,"a":1}', "json-duplicate-member"),
        (b'{"a":1,"\\u0061":2}', "json-duplicate-member"),
        (b'[{"b":{"a":1,"a":2}}]', "json-duplicate-member"),
        (b"NaN", "json-number"),
        (b"[-Infinity]", "json-number"),
        (b"9007199254740992", "json-number"),
        (b"-9007199254740992", "json-number"),
        (b"9" * 5_000, "json-number"),
        (b"1.0", "json-type"),
        (b"[1e2]", "json-type"),
        (b"null", "json-type"),
        (b'{"a":[null]}', "json-type"),
        (b'"\\ud800"', "json-surrogate"),
        (b'{"\\udfff":1}', "json-surrogate"),
        (NESTED_17, "json-depth"),
        (b'{"a":' * 17 + b"1" + b"}" * 17, "json-depth"),
        (b'"' + b"a" * 70_000 + b'"', "json-too-long"),
    ],
)
def test_a_text_without_one_meaning_is_refused(raw: bytes, code: str) -> None:
    """Each kind of doubtful text has its own permanent code."""
    with pytest.raises(MalformedError) as caught:
        parse(raw, max_bytes=65_000)
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b' { "a" : [ 1 , true ] } \n', {"a": [1, True]}),
        (b"9007199254740991", MAX_INTEGER),
        (b"-9007199254740991", -MAX_INTEGER),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\u00e9"', "é"),
        (b'"null"', "null"),
        (NESTED_16, json.loads(NESTED_16)),
        ('"é"'.encode(), "é"),
    ],
)
def test_a_text_with_one_meaning_is_read(raw: bytes, value: Any) -> None:
    """Space, escapes and the largest exact integers are fine."""
    assert parse(raw, max_bytes=65_000) == value


def test_messages_may_hold_null_and_fractions() -> None:
    """Content is judged by its schema; infinite numbers and depth are refused there too."""
    assert parse(b'{"a":null,"b":1.5,"c":"\\u0041"}', max_bytes=100, content=True) == {"a": None, "b": 1.5, "c": "A"}
    for raw, code in ((b"1e400", "json-number"), (NESTED_17, "json-depth"), (b'["\\ud800",null]', "json-surrogate")):
        with pytest.raises(MalformedError) as caught:
            parse(raw, max_bytes=100, content=True)
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("raw", "kind", "code"),
    [
        (b'{"name":"a","count":1,"more":null}', Small, "json-type"),
        (b'{"name":"a","count":1,"count":1}', Small, "json-duplicate-member"),
        (b'{"name":"a","count":1.0}', Small, "json-type"),
        (b'{"name":"a","count":10}', Small, "json-shape"),
        (b'{"name":"a"}', Small, "json-shape"),
        (b'{"name":"a","count":1,"other":1}', Small, "json-shape"),
        (b'{"name":"a","count":1}', Exclusive, "json-shape"),
        (b"[]", Small, "json-shape"),
        (b'{"name":"' + b"a" * 100 + b'","count":1}', Small, "json-too-long"),
        (b'{"value":null}', Loose, "json-type"),
        (b'{"value":1.5}', Loose, "json-type"),
        (b'{"value":' + NESTED_16 + b"}", Loose, "json-depth"),
        (b'{"value":9007199254740992}', Unbounded, "json-number"),
        (b'{"value":null}', Nullable, "json-type"),
        (b'{"value":null}', Written, "json-type"),
    ],
)
def test_what_one_text_may_not_say_a_struct_may_not_hold(raw: bytes, kind: type, code: str) -> None:
    """The short way for canonical text lets nothing through that the long way refuses."""
    with pytest.raises(MalformedError) as caught:
        parse_as(raw, kind, max_bytes=100)
    assert caught.value.code == code


def test_a_struct_that_holds_itself_is_still_bounded_in_depth() -> None:
    """Sixteen levels are read, seventeen are not, canonical or not."""
    assert parse_as(b'{"inner":' * 15 + b"{}" + b"}" * 15, Chain, max_bytes=1_000)
    with pytest.raises(MalformedError) as caught:
        parse_as(b'{"inner":' * 16 + b"{}" + b"}" * 16, Chain, max_bytes=1_000)
    assert caught.value.code == "json-depth"


def test_both_ways_give_the_same_value() -> None:
    """Canonical text, and the same with spaces or in another order, are one struct."""
    value = Exclusive(value=1, names={"b": True, "a": False}, rows=["x"])
    canonical = dump(value)
    other = json.dumps(dict(reversed(json.loads(canonical).items())), indent=1).encode()
    assert canonical != other
    assert parse_as(canonical, Exclusive, max_bytes=200) == parse_as(other, Exclusive, max_bytes=200) == value
    assert parse_as(b'{"value":[1,"a"]}', Loose, max_bytes=100).value == [1, "a"]


@pytest.mark.parametrize(
    ("kind", "closed"),
    [
        (Small, True),
        (Exclusive, True),
        (Loose, False),
        (Unbounded, False),
        (Nullable, False),
        (Chain, False),
        (Written, False),
    ],
)
def test_the_short_way_is_for_closed_types_only(kind: type, closed: bool) -> None:
    """A type that could hold what the long way refuses has no short way."""
    assert (strict_json._canonical_decoder(kind) is not None) is closed


texts = st.text(max_size=8) | st.sampled_from(["null", "é", "\U0001f600", "\x7f", "\\", '"', "1.0"])
values = st.recursive(
    st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=30,
)


@given(values)
def test_what_is_written_is_read_back(value: Any) -> None:
    """Reading is the inverse of writing, for every value that JSON can hold exactly."""
    assert parse(dump(value), max_bytes=100_000) == value


@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:\\u0123ae null', max_size=40).map(str.encode))
def test_what_is_read_says_the_same_to_another_reader(raw: bytes) -> None:
    """Whatever passes means the same to a lenient reader; whatever does not pass is refused by code, never by accident."""
    value, code = _outcome(raw)
    assert code.startswith("json-") or value == json.loads(raw)


def _outcome(raw: bytes) -> tuple[Any, str]:
    try:
        return parse(raw, max_bytes=100), ""
    except MalformedError as error:
        return None, error.code
