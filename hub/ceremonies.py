"""A key ceremony: what officers are asked to sign, what each signs on a machine of their own, and what is published.

Three files go between machines, none of them secret.  A draft carries what is to be signed and all that an offline machine
needs to judge it, starting from the officers' keys that were pinned: what is in force, signed, and what comes next.
A signature is one officer's.  What is signed carries draft and signatures together, and takes effect by those.

Nothing here reads a clock, a key file or a network.

Source: protocol 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta

from hub.errors import HubError
from hub.registry import public_key, public_members
from keys import documents, jws
from keys.digests import sha256_b64u
from keys.errors import KeysError
from keys.safety import safety_number, side_of
from schemas.agreement import Agreement, parse_agreement
from schemas.directory import Directory, Jwk, KeyStatement, Officers, parse_directory, parse_key_statement
from schemas.envelope import Struct
from schemas.identifiers import KeyId, Moment, Sha256
from schemas.strict_json import MalformedError, dump, parse_as

Kind = Literal["directory", "agreement", "keys"]
TYPS: Final = {"directory": jws.DIRECTORY, "agreement": jws.AGREEMENT}
MAX_FILE: Final = 64 * 1024 * 1024
Statements = Annotated[tuple[Annotated[str, Meta(max_length=16_384)], ...], Meta(max_length=4096)]


class Draft(Struct, frozen=True, kw_only=True):
    """What the officers are asked for.

    ``payload``: the directory or agreement to sign, exactly; empty where only keys are spoken for.  ``history``: the signed
    directories that changed the officers, the oldest first, then the one in force; none before the first.  ``agreement``:
    the signed agreement in force, where the next one is proposed.  ``statements``: key statements that an officer
    speaks for, so that the keys may be used at once.
    """

    v: Literal[1]
    kind: Kind
    payload: str = ""
    history: tuple[str, ...] = ()
    agreement: str = ""
    statements: Statements = ()
    made: Moment


class Signature(Struct, frozen=True, kw_only=True):
    """What one officer signed of the draft with the digest ``draft``: its payload, and a word for each statement."""

    v: Literal[1]
    draft: Sha256
    kid: KeyId
    at: Moment
    document: str = ""
    words: tuple[str, ...] = ()


class Signed(Struct, frozen=True, kw_only=True):
    """A draft with enough officers' signatures: what is published."""

    v: Literal[1]
    draft: Draft
    signatures: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=32)]


class Reading(NamedTuple):
    """A draft that holds: what is in force, what is proposed, who must sign.

    ``groups``: of each set of officers enough must sign: those in force, then those that a directory names anew.
    """

    draft: Draft
    directory: Directory | None
    proposed: Directory | Agreement | None
    before: Directory | Agreement | None
    statements: tuple[KeyStatement, ...]
    groups: tuple[Officers, ...]


def parse_draft(raw: bytes) -> Draft:
    """Return the draft in *raw*.

    Raises:
        MalformedError: ``json-*``.
    """
    return parse_as(raw, Draft, max_bytes=MAX_FILE)


def read_draft(draft: Draft, pinned: Officers) -> Reading:
    """Return *draft* as it is to be understood, everything in it checked from the officers *pinned*.

    Raises:
        HubError: ``ceremony``; it doesn't follow what those officers signed, or contradicts itself.
        MalformedError, KeysError: a part of it isn't what it should be.
    """
    try:
        return _read(draft, pinned)
    except KeysError as error:
        if error.code == "document-signatures":
            raise refuse(
                "what the draft takes for in force isn't signed by the officers that are pinned here",
                "don't sign: ask the others, by telephone, which officers they have pinned",
            ) from error
        raise


def _read(draft: Draft, pinned: Officers) -> Reading:
    directory, digest = follow_history(draft.history, pinned)
    officers = directory.officers if directory else pinned
    if draft.kind == "keys":
        if directory is None or draft.payload or not draft.statements:
            raise refuse("a draft about keys has statements and a directory, and nothing to sign", "draft it again")
        return Reading(draft, directory, None, None, _read_statements(draft, directory), (officers,))
    proposed: Directory | Agreement
    before: Directory | Agreement | None = directory
    if draft.kind == "directory":
        proposed = parse_directory(draft.payload.encode())
        groups = (officers,) if proposed.officers == officers else (officers, proposed.officers)
    else:
        proposed, groups = parse_agreement(draft.payload.encode()), (officers,)
        before, digest = _read_agreement(draft)
    _check_next(proposed, before, digest)
    if directory is not None and proposed.partnership != directory.partnership:
        raise refuse("the draft is another partnership's", "don't sign")
    listed = proposed if isinstance(proposed, Directory) else directory
    if draft.statements and listed is None:
        raise refuse("the draft speaks for keys without a directory", "draft it again")
    if draft.statements and len(groups) > 1:
        # The hub asks the officers of its newest directory for their word.
        raise refuse("a draft that changes the officers speaks for keys too", "draft the keys apart, afterwards")
    statements = _read_statements(draft, listed) if listed else ()
    return Reading(draft, directory, proposed, before, statements, groups)


def follow_history(history: Sequence[str], pinned: Officers) -> tuple[Directory | None, str | None]:
    """Return the newest directory of *history* and its payload's digest, each signed as the officers before it demand.

    Officers who were pinned after some of the changes are as good as those of the beginning.

    Raises:
        KeysError: ``document-*``, ``jws-*``.
    """
    said = [parse_directory(documents.parse(one.encode(), jws.DIRECTORY)[0].payload) for one in history]
    start = max((place for place, one in enumerate(said) if one.officers == pinned), default=0)
    officers, newest, digest = pinned, None, None
    for document, directory in zip(history[start:], said[start:], strict=True):
        signers = [signers_of(officers), signers_of(directory.officers)]
        digest = sha256_b64u(documents.verify(document.encode(), jws.DIRECTORY, signers))
        officers, newest = directory.officers, directory
    return newest, digest


def select_history(published: Iterable[bytes]) -> tuple[str, ...]:
    """Return those of all *published* directories, the oldest first, that a draft carries as its history."""
    kept: list[str] = []
    officers, last = None, None
    for document in published:
        last = document.decode()
        directory = parse_directory(documents.parse(document, jws.DIRECTORY)[0].payload)
        if directory.officers != officers:
            kept.append(last)
            officers = directory.officers
    return tuple(kept) if last is None or kept[-1] == last else (*kept, last)


def _read_agreement(draft: Draft) -> tuple[Agreement | None, str | None]:
    if not draft.agreement:
        return None, None
    # Whose signatures it bears doesn't matter: the next one names it by its digest, and the hub knows which is in force.
    payload = documents.parse(draft.agreement.encode(), jws.AGREEMENT)[0].payload
    return parse_agreement(payload), sha256_b64u(payload)


def _check_next(proposed: Directory | Agreement, before: Directory | Agreement | None, digest: str | None) -> None:
    if (proposed.version, proposed.previous) != (before.version + 1 if before else 1, digest):
        raise refuse("the draft isn't the next version after the one that it takes for in force", "draft it again")


def _read_statements(draft: Draft, directory: Directory) -> tuple[KeyStatement, ...]:
    identities = {entry.id: public_key(entry.identity) for entry in directory.agencies}
    read = []
    for compact in draft.statements:
        signed = jws.parse(compact.encode(), jws.KEY)
        statement = parse_key_statement(signed.payload)
        if statement.agency not in identities:
            raise refuse(f"{statement.agency}, whose key it speaks for, isn't in the directory", "draft it again")
        jws.check(signed, identities[statement.agency])
        read.append(statement)
    return tuple(read)


def signers_of(officers: Officers) -> documents.Signers:
    """Return *officers* as a signed document is checked against them."""
    return documents.Signers.of(officers.threshold, map(public_members, officers.keys))


def kids_of(officers: Officers) -> tuple[KeyId, ...]:
    """Return the kids of *officers*, in their order."""
    return tuple(map(kid_of, officers.keys))


def kid_of(key: Jwk) -> KeyId:
    """Return the kid of a public *key* as the directory has it."""
    return jws.thumbprint(public_members(key))


def officers_number(partnership: str, officers: Officers, agency: str, identity: Jwk) -> str:
    """Return the safety number of the officers and *agency*, which has the key *identity*."""
    return safety_number(
        side_of(partnership, kids_of(officers), officers.threshold), side_of(agency, [kid_of(identity)])
    )


def agencies_number(one: str, one_identity: Jwk, other: str, other_identity: Jwk) -> str:
    """Return the safety number of two agencies, each with its identity key."""
    return safety_number(side_of(one, [kid_of(one_identity)]), side_of(other, [kid_of(other_identity)]))


def digest_of(draft: Draft) -> Sha256:
    """Return what ties signatures to this very draft."""
    return sha256_b64u(dump(draft))


def parse_signature(raw: bytes) -> Signature:
    """Return the signature in *raw*.

    Raises:
        MalformedError: ``json-*``.
    """
    return parse_as(raw, Signature, max_bytes=MAX_FILE)


def parse_signed(raw: bytes) -> Signed:
    """Return the signed draft in *raw*.

    Raises:
        MalformedError: ``json-*``.
    """
    return parse_as(raw, Signed, max_bytes=MAX_FILE)


def parse_either(raw: bytes) -> Draft | Signed:
    """Return the draft, or the signed draft, in *raw*.

    Raises:
        MalformedError: ``json-*``.
    """
    try:
        return parse_signed(raw)
    except MalformedError:
        return parse_draft(raw)


def refuse(message: str, hint: str) -> HubError:
    """Return that a file of a ceremony isn't what it must be."""
    return HubError("ceremony", message, hint)
