"""The frozen bytes still hold: whoever changes the wire finds out here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keys import digests, jws, merkle, notes, sealing
from keys.digests import b64u, from_b64u
from keys.errors import KeysError
from keys.jws import VerifyingKey
from keys.sealing import OpeningKey
from tests.vectors import make


def frozen(name: str) -> Any:
    """Return the vectors called *name*."""
    return json.loads(make.path_of(name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(make.MADE))
def test_making_them_again_gives_the_same(name: str) -> None:
    """Everything that has no random part comes out byte for byte as it was frozen."""
    assert make.MADE[name]() == frozen(name)


def test_frozen_signed_objects_verify() -> None:
    """Each good object verifies to its payload, each refused one is refused with its code."""
    vectors = frozen("jws")
    key = VerifyingKey.from_jwk(vectors["jwk"])
    assert key.kid == vectors["kid"]
    for one in vectors["good"]:
        assert b64u(jws.verify(one["jws"].encode(), key, one["typ"])) == one["payload"]
    for one in vectors["refused"]:
        with pytest.raises(KeysError) as caught:
            jws.verify(one["jws"].encode(), key, jws.ENVELOPE)
        assert caught.value.code == one["code"], one["why"]


def test_a_frozen_body_opens() -> None:
    """The body that is written out opens to its manifest."""
    vectors = frozen("sealing")
    body = from_b64u(vectors["bodies"][0]["body"])
    manifest, rest = sealing.open_sealed(body, from_b64u(vectors["content_key"]), vectors["id"])
    assert manifest.decode() == vectors["manifest_text"]
    assert sealing.split_documents(rest, []) == []


def test_a_frozen_wrap_opens() -> None:
    """The wrap made once opens still, and what binds it is spelled the same."""
    vectors = frozen("wraps")
    key = OpeningKey.from_seed(from_b64u(vectors["seed"]))
    assert key.public.jwk == vectors["jwk"]
    bound = {"envelope_id": vectors["id"], "sender": vectors["from"], "mailbox": vectors["mailbox"]}
    assert b64u(sealing.wrap_info(**bound, kid=vectors["kid"])) == vectors["info"]
    assert b64u(sealing.unwrap(vectors["ek"], vectors["wk"], key, **bound)) == vectors["content_key"]
    made = make.make_wraps()
    assert b64u(sealing.unwrap(made["ek"], made["wk"], key, **bound)) == vectors["content_key"]


def test_frozen_proofs_verify() -> None:
    """Each proof leads to its root."""
    vectors = frozen("merkle")
    roots = [from_b64u(root) for root in vectors["roots"]]
    for one in vectors["inclusion"]:
        hashed = merkle.leaf_hash(f"leaf {one['index']}".encode())
        proof = [from_b64u(part) for part in one["proof"]]
        merkle.verify_inclusion(hashed, one["index"], one["size"], proof, roots[one["size"]])
    for one in vectors["consistency"]:
        proof = [from_b64u(part) for part in one["proof"]]
        merkle.verify_consistency(one["old"], roots[one["old"]], one["new"], roots[one["new"]], proof)


def test_frozen_notes_verify() -> None:
    """Checkpoint, cosignature and the ML-DSA-44 line made once verify still."""
    vectors, late = frozen("notes"), frozen("notes_ml_dsa")
    head = notes.open_checkpoint(vectors["note"], [vectors["verifier"]], origin=vectors["origin"])
    assert (head.size, b64u(head.root)) == (vectors["size"], vectors["root"])
    at = notes.check_cosignature(vectors["note"], vectors["cosignature"], vectors["witness"])
    assert at == vectors["cosigned_at"]
    assert notes.open_checkpoint(late["note"], [late["verifier"]], origin=vectors["origin"]) == head
    made = make.make_notes_ml_dsa()
    assert notes.open_checkpoint(made["note"], [late["verifier"]], origin=vectors["origin"]) == head


def test_frozen_spellings_are_read_or_refused() -> None:
    """base64url has one spelling."""
    vectors = frozen("ids")
    for text in vectors["canonical"]:
        assert b64u(from_b64u(text)) == text
    for text in vectors["refused"]:
        with pytest.raises(KeysError):
            from_b64u(text)
    assert digests.opening_of(digests.sha256_b64u(b"a.bc.def")) == vectors["openings"][0]["opening"]
