"""The officers' side: what k of n of them sign, and the word of one for an agency's new key.

Runs where the officers' keys are: at set-up, in the commands that an officer gives, and on their own machines.

Source: protocol 7.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from hub.ceremonies import TYPS, Reading, Signature, Signed, digest_of, kids_of, refuse, signers_of
from hub.enrolment import check_officer
from hub.errors import HubError
from keys import jws
from keys.digests import sha256_b64u
from schemas.directory import Jwk, Officers
from schemas.identifiers import KeyId, Moment
from schemas.statements import KeyApproval
from schemas.strict_json import dump


def new_officers(count: int, threshold: int) -> tuple[list[jws.SigningKey], Officers]:
    """Return *count* new officers' keys, and the entry that says that *threshold* of them must sign."""
    keys = [jws.SigningKey.generate() for _ in range(count)]
    return keys, Officers(threshold=threshold, keys=tuple(public_jwk(key) for key in keys))


def public_jwk(key: jws.SigningKey) -> Jwk:
    """Return the public half of *key* as the directory has it."""
    return msgspec.convert(key.public.jwk, Jwk)


def sign_document(payload: bytes, typ: str, officers: Sequence[jws.Signer]) -> bytes:
    """Return the signed document: a JSON array with one compact JWS of *payload* by each of *officers*."""
    return dump([key.sign(payload, typ).decode() for key in officers])


def approve_key(statement: bytes, officer: jws.Signer, now: Moment) -> bytes:
    """Return the officer's word that this very key *statement* (compact JWS) may take effect at once."""
    said = KeyApproval(v=1, statement_sha256=sha256_b64u(statement), at=now)
    return officer.sign(dump(said), jws.KEY)


def sign(reading: Reading, officer: jws.Signer, at: Moment) -> Signature:
    """Return *officer*'s signature of what *reading* is about.

    Raises:
        HubError: ``ceremony-officer``; the key is no officer's, in force or to be.
    """
    if officer.kid not in {kid for group in reading.groups for kid in kids_of(group)}:
        raise HubError("ceremony-officer", "this key is none of the officers' who must sign", "use your own key file")
    draft = reading.draft
    document = officer.sign(draft.payload.encode(), TYPS[draft.kind]).decode() if draft.kind in TYPS else ""
    words = [approve_key(one.encode(), officer, at).decode() for one in draft.statements]
    return Signature(v=1, draft=digest_of(draft), kid=officer.kid, at=at, document=document, words=tuple(words))


def check_signature(reading: Reading, signature: Signature) -> None:
    """Return if *signature* is what one of the officers signed of this very draft.

    Raises:
        HubError: ``ceremony``; it is of another draft, or incomplete.  ``ceremony-officer``; not an officer's.
        NotAuthenticError, KeysError: a signature in it isn't right.
    """
    draft = reading.draft
    keys = {kid: key for group in reading.groups for kid, key in signers_of(group).keys.items()}
    if signature.kid not in keys:
        raise HubError("ceremony-officer", "a signature is by none of the officers who must sign", "leave it out")
    if signature.draft != digest_of(draft):
        raise refuse("a signature is of another draft", "compare the digests, and sign one draft")
    if draft.kind in TYPS:
        signed = jws.verify(signature.document.encode(), keys[signature.kid], TYPS[draft.kind])
        if signed != draft.payload.encode():
            raise refuse("a signature is over another payload than the draft's", "sign the draft again")
    if len(signature.words) != len(draft.statements):
        raise refuse("a signature doesn't speak for each key of the draft", "sign the draft again")
    for word, statement in zip(signature.words, draft.statements, strict=True):
        check_officer(word.encode(), statement.encode(), reading.groups[0])


def combine(reading: Reading, signatures: Sequence[Signature]) -> Signed:
    """Return the draft of *reading* with *signatures*, each of which is checked, and which must be enough.

    Raises:
        HubError: as :func:`check_signature`; ``ceremony-signatures``: too few.
        NotAuthenticError, KeysError: as :func:`check_signature`.
    """
    for one in signatures:
        check_signature(reading, one)
    kept = {one.kid: one for one in signatures}
    if missing := count_missing(reading, kept):
        raise HubError(
            "ceremony-signatures",
            f"{missing} more of the officers must sign, of one set of officers at least",
            "have more officers sign the same draft",
        )
    return Signed(v=1, draft=reading.draft, signatures=tuple(kept.values()))


def count_missing(reading: Reading, signed: Collection[KeyId]) -> int:
    """Return how many more officers than those in *signed* must sign, in the set that lacks most."""
    return max(
        max((1 if reading.draft.kind == "keys" else group.threshold) - len({*signed} & {*kids_of(group)}), 0)
        for group in reading.groups
    )


def document_of(signed: Signed) -> bytes:
    """Return the document as it is published: an array of JWS over one payload."""
    return dump([one.document for one in signed.signatures if one.document])


def words_of(signed: Signed) -> list[tuple[str, str]]:
    """Return each key statement with the word of an officer in force, in their order.

    Raises:
        HubError: ``ceremony``; nobody spoke for each of them.
    """
    words = signed.signatures[0].words
    if len(words) != len(signed.draft.statements):
        raise refuse("what was signed doesn't speak for each key of the draft", "combine the signatures again")
    return list(zip(signed.draft.statements, words, strict=True))
