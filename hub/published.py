"""The keys that a log published, statement by statement, and what they signed since.

Nobody's database is asked: who may sign follows from the statements in the log and from the directory that the officers
signed.

Source: protocol 1, 3 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.core.authenticity import KeyFact, judge_signer
from hub.core.enrolling import Known, judge_statement, usable_from
from hub.core.events import Leaf
from hub.enrolment import check_officer, has_shown_possession
from hub.registry import public_key, public_members
from keys import jws
from keys.errors import KeysError
from schemas.directory import DirectoryIndex, KeyStatement, parse_key_statement
from schemas.identifiers import KeyId, MailboxId, Moment


@dataclass(slots=True)
class PublishedKeys:
    """Every key so far: what is known of it, how its signatures are checked.  ``signatures``: how many were right."""

    facts: dict[KeyId, KeyFact] = field(default_factory=dict)
    verifying: dict[KeyId, jws.VerifyingKey] = field(default_factory=dict)
    known: dict[KeyId, Known] = field(default_factory=dict)
    signatures: int = 0

    def take(self, leaf: Leaf, compact: bytes, word: bytes | None, index: DirectoryIndex | None) -> str | None:
        """Take the statement *compact*, for which *leaf* stands, with an officer's *word*; return what is wrong with it.

        Raises:
            KeysError, MalformedError, HubError: it is no statement, or not signed as it must be.
        """
        signed = jws.parse(compact, jws.KEY)
        said = parse_key_statement(signed.payload)
        agency = index.find_agency(said.agency) if index else None
        if index is None or agency is None:
            return "a key of an agency that is not in the directory"
        jws.check(signed, public_key(agency.identity))
        self.signatures += 1
        kid = jws.thumbprint(public_members(said.jwk))
        if (leaf.kid, leaf.agency, leaf.mailbox, leaf.kind, leaf.version, leaf.outcome) != (
            kid,
            said.agency,
            said.mailbox,
            said.use,
            said.sequence,
            said.state,
        ):
            return "a key other than its statement's"
        if word is not None:
            check_officer(word, compact, index.directory.officers)
            self.signatures += 1
        return self._enter(said, kid, leaf, approved=word is not None)

    def _enter(self, said: KeyStatement, kid: KeyId, leaf: Leaf, *, approved: bool) -> str | None:
        known = self.known.get(kid)
        mine = [one for one in self.known.values() if one.agency == said.agency]
        # Only the hub can know the answer to its own challenge; the statement's order and officer bind it.
        held = said.use == "seal" or said.state != "active" or has_shown_possession(said, kid)
        refusal = judge_statement(said, known, mine, approved=approved, held=held)
        usable = usable_from(said, known, leaf.at, approved=approved)
        self.known[kid] = Known(
            kid, said.agency, said.mailbox, said.use, said.state, said.sequence, usable, leaf.digest or ""
        )
        self.facts[kid] = KeyFact(
            kid=kid,
            agency=said.agency,
            mailbox=said.mailbox,
            use=said.use,
            state=said.state,
            not_before=said.not_before,
            expires=said.expires,
            usable_from=usable,
            compromised_from=said.compromised_from,
        )
        if said.use != "seal":
            self.verifying[kid] = public_key(said.jwk)
        return f"{refusal.code}: {refusal.message}" if refusal else None

    def check(self, compact: bytes, typ: str, mailbox: MailboxId, index: DirectoryIndex | None, at: Moment) -> bytes:
        """Return the payload of *compact*, made for *typ* and signed by a key that spoke for *mailbox* at *at*.

        Raises:
            KeysError: it is not.
        """
        signed = jws.parse(compact, typ)
        fact = self.facts.get(signed.kid)
        if index is None:
            raise KeysError("evidence", "there is no directory yet", "")
        # Whoever handed it in, the key says for which agency it speaks.
        refusal = judge_signer(fact, fact.agency if fact else "", mailbox, index, at)
        if refusal:
            raise KeysError(refusal.code, refusal.message, refusal.hint)
        jws.check(signed, self.verifying[signed.kid])
        self.signatures += 1
        return signed.payload
