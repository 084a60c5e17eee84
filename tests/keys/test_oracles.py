"""What we sign and seal, programs that share no code with us can verify and open; and the other way round."""

from __future__ import annotations

import pytest
from joserfc import jws as joserfc_jws
from joserfc.jwk import OKPKey

from keys import jws, sealing
from keys.digests import b64u, from_b64u
from keys.errors import KeysError
from keys.keyring import HubKeyring
from keys.notes import Checkpoint, cosign, sign_checkpoint, witness_verifier
from tests.keys.support import ENVELOPE_ID, MAILBOX, NOW, OPENING, SENDER, SIGNING, ask_oracle, find_nodes

pytestmark = pytest.mark.needs_node
BOUND = {"id": ENVELOPE_ID, "from": SENDER, "mailbox": MAILBOX, "kid": OPENING.kid}
NODES = pytest.mark.parametrize("node", sorted(find_nodes()) or ["none"])


@NODES
def test_jose_verifies_what_we_sign_and_we_what_jose_signs(node: str) -> None:
    """Signed objects are plain RFC 7515 with Ed25519, both ways."""
    private = {**SIGNING.public.jwk, "d": b64u(SIGNING.seed())}
    payload, typ = '{"v":1,"name":"Zoë"}'.encode(), jws.RECEIPT
    header = {"typ": typ, "kid": SIGNING.kid, "alg": "Ed25519"}
    verified, signed, altered = ask_oracle(
        node,
        {"op": "jws-verify", "jwk": SIGNING.public.jwk, "typ": typ, "jws": SIGNING.sign(payload, typ).decode()},
        {"op": "jws-sign", "jwk": private, "payload": b64u(payload), "header": header},
        {"op": "jws-verify", "jwk": SIGNING.public.jwk, "typ": jws.WAIVER, "jws": SIGNING.sign(payload, typ).decode()},
    )
    assert verified == {"ok": True, "payload": b64u(payload), "header": header}
    # Another order of the header's members is the same header.
    assert jws.verify(signed["jws"].encode(), SIGNING.public, typ) == payload
    assert not altered["ok"]


@NODES
def test_both_sides_name_keys_alike(node: str) -> None:
    """Thumbprints of signing and sealing keys are RFC 7638's."""
    signing, opening = ask_oracle(
        node,
        {"op": "thumbprint", "jwk": SIGNING.public.jwk},
        {"op": "thumbprint", "jwk": OPENING.public.jwk},
    )
    assert (signing["kid"], opening["kid"]) == (SIGNING.kid, OPENING.kid)


@NODES
def test_hpke_opens_our_wraps_and_we_open_its(node: str) -> None:
    """A wrap is plain RFC 9180 with X-Wing, and the oracle builds ``info`` from the protocol's text by itself."""
    key = bytes(range(100, 132))
    ek, wk = sealing.wrap(key, OPENING.public, envelope_id=ENVELOPE_ID, sender=SENDER, mailbox=MAILBOX)
    seed = b64u(OPENING.seed())
    opened, made, foreign = ask_oracle(
        node,
        {"op": "unwrap", "seed": seed, "ek": ek, "wk": wk, **BOUND},
        {"op": "wrap", "pub": OPENING.public.jwk["pub"], "key": b64u(key), **BOUND},
        {"op": "unwrap", "seed": seed, "ek": ek, "wk": wk, **BOUND, "mailbox": SENDER},
    )
    assert opened == {"ok": True, "key": b64u(key)}
    bound = {"envelope_id": ENVELOPE_ID, "sender": SENDER, "mailbox": MAILBOX}
    assert sealing.unwrap(made["ek"], made["wk"], OPENING, **bound) == key
    assert not foreign["ok"]


@NODES
@pytest.mark.parametrize("size", [0, 4069, 16_384, 50_000])
def test_node_opens_our_bodies_and_we_open_its(node: str, size: int) -> None:
    """Chunked encryption, layout and padding come out byte for byte the same."""
    key, salt, manifest = bytes(range(32)), bytes(range(24)), "a.bc.def"
    documents = [bytes(i % 251 for i in range(size)), b"second"]
    ours = sealing.seal(manifest.encode(), documents, key, ENVELOPE_ID, salt=salt)
    common = {"key": b64u(key), "id": ENVELOPE_ID}
    opened, made, cut, other = ask_oracle(
        node,
        {"op": "open", "body": b64u(ours), **common},
        {"op": "seal", "salt": b64u(salt), "manifest": manifest, "documents": list(map(b64u, documents)), **common},
        {"op": "open", "body": b64u(ours[:-1]), **common},
        {"op": "open", "body": b64u(ours), **common, "id": "AZ85XmAAcACBAgMEBQYHCg"},
    )
    assert from_b64u(made["body"]) == ours
    assert opened["manifest"] == manifest
    assert from_b64u(opened["rest"]).startswith(b"".join(documents))
    assert (cut["ok"], other["error"]) == (False, "commitment")


@NODES
def test_node_verifies_both_signatures_of_a_checkpoint_and_its_cosignature(node: str) -> None:
    """Ed25519, ML-DSA-44 and cosignature lines are as C2SP writes them."""
    hub = HubKeyring.create(NOW)
    signers = hub.note_signers("hub.example.org/log")
    note = sign_checkpoint(Checkpoint("hub.example.org/log", 7, bytes(range(32))), signers, now=NOW)
    note += cosign(note, "witness.example.org", SIGNING, NOW)
    keys = [signer.verifier_key for signer in signers] + [witness_verifier("witness.example.org", SIGNING.public)]
    good, bad = ask_oracle(
        node,
        {"op": "note", "note": note, "keys": keys},
        {"op": "note", "note": note.replace("\n7\n", "\n8\n"), "keys": keys},
    )
    assert good == {"ok": True, "kinds": [1, 6, 4]}
    assert not bad["ok"]


def test_joserfc_verifies_what_we_sign_and_we_what_it_signs() -> None:
    """A second Python implementation reads and writes the same signed objects."""
    key = OKPKey.import_key({**SIGNING.public.jwk, "d": b64u(SIGNING.seed())})
    registry = joserfc_jws.JWSRegistry(algorithms=["Ed25519"])
    read = joserfc_jws.deserialize_compact(SIGNING.sign(b"payload", jws.NOTICE), key, registry=registry)
    assert read.payload == b"payload"
    header = {"alg": "Ed25519", "kid": SIGNING.kid, "typ": jws.NOTICE}
    made = joserfc_jws.serialize_compact(header, b"payload", key, registry=registry)
    assert jws.verify(made.encode(), SIGNING.public, jws.NOTICE) == b"payload"
    with pytest.raises(KeysError, match="not exactly"):
        jws.parse(
            joserfc_jws.serialize_compact({**header, "crit": []}, b"", key, registry=registry).encode(), jws.NOTICE
        )


@NODES
def test_one_failure_does_not_hide_the_others(node: str) -> None:
    """What the oracle can't do is an answer, not a crash."""
    unknown, about = ask_oracle(node, {"op": "no-such-operation"}, {"op": "about"})
    assert not unknown["ok"]
    assert about["ok"]
