"""Whose signature is good at which place of the log: the directory and the keys as they stood there.

Source: protocol 7; promises 1 (a signature is judged by the key's state where the log has it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hub.core.authenticity import KeyFact, judge_signer
from hub.core.enrolling import Known, usable_from
from hub.core.events import Leaf
from hub.enrolment import check_officer
from hub.evidence import read_directories
from hub.journeys.verdict import WrongError
from hub.registry import public_key, public_members
from keys import digests, documents, jws
from schemas.directory import DirectoryIndex, Officers, parse_key_statement
from schemas.identifiers import KeyId


class Stated(NamedTuple):
    """What a key was from the entry ``place`` of the log on."""

    place: int
    fact: KeyFact
    key: jws.VerifyingKey | None


@dataclass(slots=True)
class Signers:
    """Learned from the proof, in the log's order; ``published``: where the log has each version of the directory."""

    directories: list[DirectoryIndex] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    published: dict[int, int] = field(default_factory=dict)
    keys: dict[KeyId, list[Stated]] = field(default_factory=dict)

    def read(self, versions: Sequence[bytes], roots: Officers) -> None:
        """Learn the directory's *versions*, the first signed by *roots*.

        Raises:
            WrongError, KeysError, MalformedError: one is missing, or not signed by the officers of the one before.
        """
        wrong: list[str] = []
        said = read_directories(versions, roots, _officers, lambda where, what: wrong.append(f"{where}: {what}"))
        read = [DirectoryIndex(one) for one in said]
        if wrong or [one.directory.version for one in read] != [*range(1, len(versions) + 1)] or not read:
            raise WrongError(wrong[0] if wrong else "a version of the directory is missing")
        self.directories = read
        self.digests = [digests.sha256_b64u(documents.parse(one, jws.DIRECTORY)[0].payload) for one in versions]

    def publish(self, index: int, leaf: Leaf) -> None:
        """Learn that the entry *leaf* puts a version in force.

        Raises:
            WrongError: the proof has another one of this version.
        """
        version = leaf.version or 0
        if not 0 < version <= len(self.digests) or self.digests[version - 1] != leaf.digest:
            raise WrongError("the log has another directory of this version")
        self.published[version] = index

    def directory_at(self, index: int) -> DirectoryIndex:
        """Return the directory that was in force before the entry *index*."""
        known = [version for version, place in self.published.items() if place < index]
        if not known:
            raise WrongError("no directory was in force yet")
        return self.directories[max(known) - 1]

    def state(self, index: int, leaf: Leaf, compact: bytes, approval: bytes | None) -> None:
        """Learn what the entry *leaf* says of a key: *compact* is the statement, *approval* an officer's word for it.

        Raises:
            WrongError, NotAuthenticError, KeysError, MalformedError: it is not so signed.
        """
        signed = jws.parse(compact, jws.KEY)
        said, directory = parse_key_statement(signed.payload), self.directory_at(index)
        agency = directory.find_agency(said.agency)
        if agency is None or digests.sha256_b64u(compact) != leaf.digest:
            raise WrongError("the statement is not the one in the log, or of no agency in the directory")
        jws.check(signed, public_key(agency.identity))
        if approval is not None:
            check_officer(approval, compact, directory.directory.officers)
        kid = jws.thumbprint(public_members(said.jwk))
        known = self.keys.setdefault(kid, [])
        last = known[-1].fact if known else None
        if last is not None and last.agency != said.agency:
            raise WrongError("another agency had this key before")
        before = Known(kid, last.agency, last.mailbox, last.use, last.state, 0, last.usable_from, "") if last else None
        fact = KeyFact(
            kid=kid,
            agency=said.agency,
            mailbox=said.mailbox,
            use=said.use,
            state=said.state,
            not_before=said.not_before,
            expires=said.expires,
            usable_from=usable_from(said, before, leaf.at, approved=approval is not None),
            compromised_from=said.compromised_from,
        )
        known.append(Stated(index, fact, None if said.use == "seal" else public_key(said.jwk)))

    def check(self, compact: bytes, typ: str, index: int, leaf: Leaf) -> bytes:
        """Return the payload of *compact*, which the entry *leaf* stands for, if whoever may speak for its mailbox signed it.

        Raises:
            WrongError, KeysError: nobody did, or the key may have been in other hands.
        """
        if digests.sha256_b64u(compact) != leaf.digest:
            raise WrongError("it is not what the log's entry stands for")
        signed = jws.parse(compact, typ)
        known = [one for one in self.keys.get(signed.kid, []) if one.place < index]
        fact = known[-1].fact if known else None
        refusal = judge_signer(fact, fact.agency if fact else "", leaf.mailbox or "", self.directory_at(index), leaf.at)
        if refusal or known[-1].key is None:
            raise WrongError(refusal.message if refusal else "the key is not one to sign with")
        jws.check(signed, known[-1].key)
        since = [one.fact.compromised_from for one in self.keys[signed.kid]]
        if any(one is not None and one <= leaf.at for one in since):
            raise WrongError("the key was revoked later, and may have been in other hands by then")
        return signed.payload

    def witness_keys(self) -> list[tuple[Stated, jws.VerifyingKey]]:
        """Return the last word on each key with which an agency countersigns."""
        newest = [said[-1] for said in self.keys.values() if said]
        return [(one, one.key) for one in newest if one.fact.use == "witness" and one.key is not None]


def _officers(officers: Officers) -> documents.Signers:
    return documents.Signers.of(officers.threshold, map(public_members, officers.keys))
