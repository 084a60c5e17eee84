"""An envelope is two signed lines and a sealed body."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import envelope
from schemas.strict_json import MalformedError, dump
from tests.schemas.samples import DAY, HEALTH, NOW, POLICE, an_id, header, manifest, payload, wraps

line = st.binary(min_size=1, max_size=50).filter(lambda raw: b"\n" not in raw)


@given(line, line, st.binary(max_size=50))
def test_an_envelope_is_cut_where_it_was_joined(first: bytes, second: bytes, body: bytes) -> None:
    """Splitting is the inverse of joining, whatever the body holds."""
    parts = envelope.split_envelope(envelope.join_envelope(first, second, body))
    assert (parts.header, parts.wraps, bytes(parts.body)) == (first, second, body)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "envelope-parts"),
        (b"header", "envelope-parts"),
        (b"header\nwraps", "envelope-parts"),
        (b"\nwraps\nbody", "envelope-parts"),
        (b"header\n\nbody", "envelope-parts"),
        (b"h" * (envelope.MAX_HEADER + 1) + b"\nw\nb", "envelope-parts"),
        (b"h\n" + b"w" * (envelope.MAX_WRAPS + 1) + b"\nb", "envelope-parts"),
    ],
)
def test_what_is_not_three_parts_is_refused(raw: bytes, code: str) -> None:
    """A missing, empty or overlong line."""
    with pytest.raises(MalformedError) as caught:
        envelope.split_envelope(raw)
    assert caught.value.code == code


def test_the_longest_parts_are_taken_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are inclusive."""
    monkeypatch.setattr(envelope, "MAX_BODY", 10)
    full = envelope.join_envelope(b"h" * envelope.MAX_HEADER, b"w" * envelope.MAX_WRAPS, b"b" * 10)
    assert len(envelope.split_envelope(full).body) == 10
    with pytest.raises(MalformedError) as caught:
        envelope.split_envelope(full + b"b")
    assert caught.value.code == "envelope-too-long"


def test_a_header_is_read_and_written_back() -> None:
    """The struct holds everything that was signed, under the names of the wire."""
    sample = header(re=an_id("re"), supersedes=an_id("before"))
    parsed = envelope.parse_header(payload(sample))
    assert parsed.from_ == sample["from"]
    assert dump(parsed) == payload(
        {**{k: sample[k] for k in ("v", "id", "type", "from", "to", "thread", "re", "supersedes")}, **sample}
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": [POLICE, HEALTH]}, "header-order"),
        ({"to": [HEALTH, HEALTH]}, "header-order"),
        ({"parties": [POLICE, HEALTH]}, "header-order"),
        ({"items": [{"ref": an_id(1), "owner": HEALTH, "due": 1}] * 2}, "header-item-twice"),
        ({"keep_until": NOW}, "header-keep-until"),
        ({"keep_until": NOW + 400 * DAY + 1}, "header-keep-until"),
        ({"to": []}, "json-shape"),
        ({"to": [f"a/{n:03}" for n in range(65)]}, "json-shape"),
        ({"type": "minutes.full"}, "json-shape"),
        ({"child": "x"}, "json-shape"),
        ({"thread": None}, "json-shape"),
        ({"sealed": {"format": "other", "sha256": "x", "length": 1}}, "json-shape"),
    ],
)
def test_a_header_that_breaks_a_rule_is_refused(changes: dict[str, Any], code: str) -> None:
    """Each rule of the header has its code, and no message repeats a value."""
    with pytest.raises(MalformedError) as caught:
        envelope.parse_header(payload(header(**changes)))
    assert caught.value.code == code


def test_a_header_may_be_kept_for_400_days() -> None:
    """The limit is inclusive."""
    assert envelope.parse_header(payload(header(keep_until=NOW + 400 * DAY)))


def test_wraps_belong_to_one_header() -> None:
    """Same id, same digest, same recipients in the same order."""
    of = envelope.parse_header(payload(header()))
    good = wraps()
    assert [wrap.mailbox for wrap in envelope.parse_wraps(payload(good), of).wraps] == [HEALTH, POLICE]
    for bad in (
        wraps(id=an_id("other")),
        wraps(sealed_sha256=manifest()["nonce"]),
        wraps(wraps=good["wraps"][::-1]),
        wraps(wraps=good["wraps"][:1]),
        wraps(header(to=[HEALTH, POLICE, "z/z"])),
    ):
        with pytest.raises(MalformedError) as caught:
            envelope.parse_wraps(payload(bad), of)
        assert caught.value.code == "wraps-mismatch"
