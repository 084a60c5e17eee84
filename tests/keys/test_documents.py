"""Documents that officers sign together: k of n, counted by distinct key."""

from __future__ import annotations

import json

import pytest

from keys import documents, jws
from keys.documents import Signers
from keys.errors import KeysError
from keys.jws import SigningKey

OFFICERS = [SigningKey.from_seed(bytes([number]) * 32) for number in range(1, 4)]
OUTSIDER = SigningKey.from_seed(b"\x09" * 32)
GROUP = Signers.of(2, [officer.public.jwk for officer in OFFICERS])
PAYLOAD = b'{"v":1}'


def sign(*signers: SigningKey, payload: bytes = PAYLOAD, typ: str = jws.DIRECTORY) -> bytes:
    """Return a document that *signers* signed."""
    return json.dumps([signer.sign(payload, typ).decode() for signer in signers]).encode()


def code_of(document: bytes, groups: list[Signers]) -> str:
    """Return the code with which a document is refused."""
    with pytest.raises(KeysError) as caught:
        documents.verify(document, jws.DIRECTORY, groups)
    return caught.value.code


def test_enough_officers_make_a_document() -> None:
    """Two of three are enough, whichever, and an outsider's signature beside them changes nothing."""
    assert documents.verify(sign(*OFFICERS[:2]), jws.DIRECTORY, [GROUP]) == PAYLOAD
    assert documents.verify(sign(OFFICERS[2], OUTSIDER, OFFICERS[0]), jws.DIRECTORY, [GROUP]) == PAYLOAD


def test_too_few_officers_do_not() -> None:
    """One officer twice is one officer, and an outsider is none."""
    assert code_of(sign(OFFICERS[0]), [GROUP]) == "document-signatures"
    assert code_of(sign(OFFICERS[0], OFFICERS[0]), [GROUP]) == "document-signatures"
    assert code_of(sign(OFFICERS[0], OUTSIDER), [GROUP]) == "document-signatures"


def test_a_change_of_officers_needs_both_groups() -> None:
    """The old officers and the new must each have signed enough."""
    newer = Signers.of(1, [OUTSIDER.public.jwk])
    assert code_of(sign(*OFFICERS), [GROUP, newer]) == "document-signatures"
    assert documents.verify(sign(*OFFICERS, OUTSIDER), jws.DIRECTORY, [GROUP, newer]) == PAYLOAD


def test_a_forged_signature_spoils_the_document() -> None:
    """A signature that names an officer and isn't theirs is refused, even beside enough right ones."""
    parts = json.loads(sign(*OFFICERS))
    head, _, _ = parts[2].rpartition(".")
    parts[2] = f"{head}.{parts[1].rpartition('.')[2]}"
    assert code_of(json.dumps(parts).encode(), [GROUP]) == "jws-signature"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"[]",
        b"[5]",
        b"\xff",
        b"[" * 100_000,
        json.dumps(["x"] * 65).encode(),
        json.dumps(json.loads(sign(OFFICERS[0])) + json.loads(sign(OFFICERS[1], payload=b"{}"))).encode(),
    ],
    ids=lambda document: document[:12].decode("latin-1"),
)
def test_what_is_not_one_payload_signed_is_refused(document: bytes) -> None:
    """An array of a few signatures over one payload, or nothing."""
    assert code_of(document, [GROUP]) == "document-payloads"


@pytest.mark.parametrize("part", ["a.b.c", "é", "\ud800"], ids=repr)
def test_a_part_that_is_no_signed_object_is_refused(part: str) -> None:
    """Whatever a part's text is, the refusal is ours."""
    assert code_of(json.dumps([part]).encode(), [GROUP]) == "jws-syntax"


def test_a_document_for_another_purpose_is_refused() -> None:
    """An agreement is not a directory."""
    assert code_of(sign(*OFFICERS, typ=jws.AGREEMENT), [GROUP]) == "jws-header"
