"""Digests, ids and base64url."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys import digests
from keys.errors import KeysError
from schemas.identifiers import is_id, is_sha256


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_base64url_round_trips_without_padding(data: bytes) -> None:
    """What is encoded decodes to the same bytes, as text and as bytes, and is RFC 4648's spelling."""
    text = digests.b64u(data)
    assert text == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert digests.from_b64u(text) == digests.from_b64u(text.encode()) == data


@settings(deadline=None)
@given(st.text("AQgw_-+/= \n\tbé", max_size=12))
def test_only_the_canonical_spelling_is_read(text: str) -> None:
    """A text is read exactly when the standard library, decoding and encoding it, comes back to the same text."""
    spelled = len(text) % 4 != 1 and set(text) <= set("AQgw_-b")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if spelled else b""
    if spelled and base64.urlsafe_b64encode(data).decode().rstrip("=") == text:
        assert digests.from_b64u(text) == data
        return
    with pytest.raises(KeysError) as caught:
        digests.from_b64u(text)
    assert caught.value.code == "b64u"


@pytest.mark.parametrize(
    "text", ["A", "AA==", "A+AA", "A/AA", "A AA", "AB", "AAB", "AAAA\n", "=", "AAAAA", "é", "AA\n\n", "AAA."]
)
def test_other_spellings_are_refused(text: str) -> None:
    """Padding, the standard alphabet, white space and spare bits are each refused."""
    with pytest.raises(KeysError, match="canonical"):
        digests.from_b64u(text)


@settings(deadline=None)
@given(st.integers(0, 2**48 - 1))
def test_an_id_is_a_version_7_uuid_of_its_moment(now: int) -> None:
    """An id carries its millisecond and is what the schemas call an id."""
    made = digests.new_id(now)
    assert is_id(made)
    assert int.from_bytes(digests.from_b64u(made)[:6], "big") == now


def test_ids_of_one_moment_differ() -> None:
    """A thousand ids of one millisecond are a thousand ids."""
    assert len({digests.new_id(5) for _ in range(1000)}) == 1000


def test_parts_of_an_obligation_do_not_run_together() -> None:
    """Moving a character from one part to the next makes another duty."""
    ids = {
        digests.obligation_id(parts)
        for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], ["ab", "ć"])
    }
    assert len(ids) == 6
    assert all(map(is_sha256, ids))


def test_an_opening_is_computed_from_the_manifest_or_its_digest() -> None:
    """The sender, who has the manifest, and the hub, who gets its digest in a receipt, come to the same value."""
    assert digests.opening(b"manifest") == digests.opening_of(digests.sha256_b64u(b"manifest"))
    assert digests.opening(b"manifest") != digests.sha256_b64u(b"manifest")


def test_pseudonyms_need_the_key() -> None:
    """A keyed digest is HMAC-SHA256 and differs between agencies."""
    assert digests.from_b64u(digests.keyed_digest(b"k", "Zoë")) == hmac.digest(b"k", "Zoë".encode(), hashlib.sha256)
    assert digests.keyed_digest(b"k", "Zoë") != digests.keyed_digest(b"l", "Zoë")


def test_no_text_has_a_derived_key_as_its_pseudonym() -> None:
    """A key for a purpose is kept apart from every name or reference that somebody might choose."""
    made = digests.derived_key(b"k", "gateway spool")
    assert made == hmac.digest(b"k", b"\xffgateway spool", hashlib.sha256)
    texts = ("gateway spool", "\xffgateway spool", "ÿgateway spool", "")
    assert digests.b64u(made) not in {digests.keyed_digest(b"k", text) for text in texts}
    assert made not in {digests.derived_key(b"l", "gateway spool"), digests.derived_key(b"k", "gateway register")}


def test_small_tools() -> None:
    """SHA-256 is SHA-256, random bytes come in the length asked, and equality is equality."""
    assert digests.sha256(b"abc") == hashlib.sha256(b"abc").digest()
    assert len(digests.random_bytes(7)) == 7
    assert digests.same(b"a", memoryview(b"a"))
    assert not digests.same(b"a", b"b")


def test_an_id_is_derived_from_a_text_by_its_key_alone() -> None:
    """It has the shape of every id, is the same each time, and another for another text or key."""
    made = [digests.derived_id(b"k", "a"), digests.derived_id(b"k", "b"), digests.derived_id(b"l", "a")]
    assert all(map(is_id, made))
    assert digests.derived_id(b"k", "a") == made[0]
    assert len(set(made)) == 3
    assert all(is_id(digests.derived_id(b"k", str(number))) for number in range(500))
