"""Writes the frozen vectors: what our bytes are, for programs in any language.

``python -m tests.vectors.make`` writes ``tests/vectors/*.json`` anew.  Once released they don't change: a difference
means that the wire changed.  Values are b64u unless a name says otherwise; everything is made from fixed keys, so that
a second run writes the same files.  HPKE and ML-DSA draw random bytes: their vectors are made once, then only opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keys import digests, jws, merkle, notes, sealing
from keys.digests import b64u
from keys.jws import SigningKey
from keys.note_keys import MlDsaKey, NoteSigner
from keys.sealing import OpeningKey

FOLDER = Path(__file__).parent
NOW = 1_784_000_000_000
ID = "AZ85XmAAcACBAgMEBQYHCA"
SENDER = "northmere-council/area-team"
MAILBOX = "northmere-health/safeguarding"
SIGNING = SigningKey.from_seed(bytes(range(32)))
OPENING = OpeningKey.from_seed(bytes(range(32, 64)))
POST_QUANTUM = MlDsaKey.from_seed(bytes(range(64, 96)))
WITNESS = SigningKey.from_seed(bytes(range(96, 128)))
ORIGIN = "hub.example.org/log"
Vectors = dict[str, Any]


def pattern(size: int) -> bytes:
    """Return *size* bytes that count from 0 to 250 again and again."""
    return bytes(number % 251 for number in range(size))


def make_jws() -> Vectors:
    """Return a signed object of each purpose, and texts that must be refused."""
    payload = '{"v":1,"name":"Zoë"}'.encode()
    good = [
        {"typ": typ, "payload": b64u(payload), "jws": SIGNING.sign(payload, typ).decode()} for typ in sorted(jws.TYPES)
    ]
    right = {"alg": "Ed25519", "kid": SIGNING.kid, "typ": jws.ENVELOPE}
    headers = {
        "alg none": {**right, "alg": "none"},
        "alg EdDSA": {**right, "alg": "EdDSA"},
        "alg HS256": {**right, "alg": "HS256"},
        "a fourth member": {**right, "crit": ["exp"]},
        "an unknown typ": {**right, "typ": "hub-other+jws"},
    }
    bad = []
    for why, header in headers.items():
        head = f"{b64u(json.dumps(header).encode())}.{b64u(payload)}".encode()
        bad.append({"why": why, "code": "jws-header", "jws": f"{head.decode()}.{b64u(SIGNING.sign_raw(head))}"})
    compact = SIGNING.sign(payload, jws.ENVELOPE).decode()
    bad.append({"why": "spare bits in the signature", "code": "jws-syntax", "jws": compact[:-1] + _next(compact[-1])})
    bad.append({"why": "an altered payload", "code": "jws-signature", "jws": compact.replace(".ey", ".e2", 1)})
    return {"seed": b64u(SIGNING.seed()), "jwk": SIGNING.public.jwk, "kid": SIGNING.kid, "good": good, "refused": bad}


def _next(character: str) -> str:
    """Return the character of base64url that has one spare bit more."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) + 1]


def make_sealing() -> Vectors:
    """Return bodies with fixed salt and key, by digest where long."""
    key, salt = bytes(range(128, 160)), bytes(range(24))
    bodies = []
    for sizes in ([], [0], [10], [4067], [16_356], [16_384, 5], [40_000]):
        documents = [pattern(size) for size in sizes]
        body = sealing.seal(b"a.bc.def", documents, key, ID, salt=salt)
        short = {"body": b64u(body)} if sizes == [] else {}
        bodies.append({"lengths": sizes, "length": len(body), "sha256": digests.sha256_b64u(body), **short})
    return {
        "id": ID,
        "content_key": b64u(key),
        "salt": b64u(salt),
        "manifest_text": "a.bc.def",
        "documents": "each of the given length: bytes 0, 1, ... 250, 0, 1, ...",
        "bodies": bodies,
    }


def make_wraps() -> Vectors:
    """Return a wrap; each run makes another, so the frozen one is only opened."""
    key = bytes(range(128, 160))
    ek, wk = sealing.wrap(key, OPENING.public, envelope_id=ID, sender=SENDER, mailbox=MAILBOX)
    bound = {"id": ID, "from": SENDER, "mailbox": MAILBOX, "kid": OPENING.kid}
    info = sealing.wrap_info(envelope_id=ID, sender=SENDER, mailbox=MAILBOX, kid=OPENING.kid)
    return {
        "seed": b64u(OPENING.seed()),
        "jwk": OPENING.public.jwk,
        **bound,
        "info": b64u(info),
        "content_key": b64u(key),
        "ek": ek,
        "wk": wk,
    }


def make_merkle() -> Vectors:
    """Return roots, inclusion and consistency proofs over leaves ``leaf 0``, ``leaf 1`` and so on."""
    nodes: dict[tuple[int, int], bytes] = {}
    frontier, roots = merkle.Frontier(), [b64u(merkle.empty_root)]
    for index in range(20):
        nodes[0, index] = merkle.leaf_hash(f"leaf {index}".encode())
        nodes.update({(h, i): hashed for h, i, hashed in frontier.append(nodes[0, index])})
        roots.append(b64u(frontier.root()))

    def node(height: int, index: int) -> bytes:
        return nodes[height, index]

    inclusion = [(0, 1), (0, 20), (7, 8), (12, 13), (19, 20), (16, 19)]
    consistency = [(1, 20), (4, 8), (6, 11), (16, 20), (19, 20), (20, 20)]
    return {
        "leaves": "leaf 0, leaf 1, ... leaf 19 in ASCII",
        "roots": roots,
        "frontier": b64u(frontier.to_bytes()),
        "inclusion": [
            {"index": i, "size": n, "proof": [b64u(h) for h in merkle.inclusion_proof(i, n, node)]}
            for i, n in inclusion
        ],
        "consistency": [
            {"old": o, "new": n, "proof": [b64u(h) for h in merkle.consistency_proof(o, n, node)]}
            for o, n in consistency
        ],
    }


def make_notes() -> Vectors:
    """Return a checkpoint with its Ed25519 line, and a cosignature of it."""
    head = notes.Checkpoint(ORIGIN, 20, bytes(range(32)))
    signer = NoteSigner(ORIGIN, SIGNING)
    note = notes.sign_checkpoint(head, [signer])
    return {
        "origin": ORIGIN,
        "size": head.size,
        "root": b64u(head.root),
        "verifier": signer.verifier_key,
        "note": note,
        "witness": notes.witness_verifier("witness.example.org", WITNESS.public),
        "cosigned_at": NOW,
        "cosignature": notes.cosign(note, "witness.example.org", WITNESS, NOW),
        "tlog_proof": notes.tlog_proof(3, [bytes(32), bytes(range(32))], note, b"extra"),
    }


def make_notes_ml_dsa() -> Vectors:
    """Return an ML-DSA-44 line; each run makes another, so the frozen one is only verified."""
    signer = NoteSigner(ORIGIN, POST_QUANTUM)
    head = notes.Checkpoint(ORIGIN, 20, bytes(range(32)))
    return {"verifier": signer.verifier_key, "note": notes.sign_checkpoint(head, [signer], now=NOW)}


def make_ids() -> Vectors:
    """Return digests that name things: obligations, openings, pseudonyms; and moments of ids."""
    duties = [
        ["full-minutes", ID, SENDER, MAILBOX, ""],
        ["full-minutes", ID, SENDER, MAILBOX, ID],
        ["zoë", ID, MAILBOX, SENDER, ""],
    ]
    return {
        "obligations": [{"parts": parts, "id": digests.obligation_id(parts)} for parts in duties],
        "openings": [{"manifest_text": "a.bc.def", "opening": digests.opening(b"a.bc.def")}],
        "pseudonyms": [{"key": b64u(bytes(32)), "text": "Zoë", "digest": digests.keyed_digest(bytes(32), "Zoë")}],
        "ids": [{"id": ID, "moment": int.from_bytes(digests.from_b64u(ID)[:6], "big")}],
        "canonical": ["", "AA", "AAA", "AAAA", "-_-_"],
        "refused": ["A", "AB", "AAB", "AA==", "+/AA", "AA A", "AAAA\n"],
    }


def make_padding() -> Vectors:
    """Return plaintext lengths and what they are padded to."""
    lengths = [0, 1, 4095, 4096, 4097, 4352, 4353, 5000, 9000, 65_536, 65_537, 1_000_000, 67_108_864]
    return {"lengths": [[length, sealing.padded_length(length)] for length in lengths]}


MADE: dict[str, Callable[[], Vectors]] = {
    "jws": make_jws,
    "sealing": make_sealing,
    "merkle": make_merkle,
    "notes": make_notes,
    "ids": make_ids,
    "padding": make_padding,
}
RANDOM: dict[str, Callable[[], Vectors]] = {"wraps": make_wraps, "notes_ml_dsa": make_notes_ml_dsa}


def path_of(name: str) -> Path:
    """Return where the vectors called *name* are."""
    return FOLDER / f"{name}.json"


def main() -> None:
    """Write every file; those with random parts only where they are missing."""
    for name, make in {**MADE, **RANDOM}.items():
        if name in MADE or not path_of(name).exists():
            path_of(name).write_text(json.dumps(make(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
