"""Key statements: what an agency says of its own keys, in the order in which it says it.

A first key, and any key that shall be used within 24 hours, needs an officer's word; possession is always shown.
What the agency's identity key has signed and the rules refuse is in the log.

Source: protocol 7.
"""

from __future__ import annotations

from typing import NamedTuple

from hub import ledger
from hub.core.enrolling import Known, judge_statement, usable_from
from hub.core.events import Event, EventName
from hub.errors import NotAuthenticError, Refusal, RefusedError
from hub.intake import in_transaction
from hub.registry import Registry, bump, public_key, public_members
from hub.store.base import Store
from hub.store.rows import KeyRow
from hub.store.transaction import Transaction
from keys import digests, jws
from keys.errors import KeysError
from schemas.directory import KeyStatement, Officers, parse_key_statement
from schemas.identifiers import KeyId, Moment
from schemas.statements import parse_key_approval


class Said(NamedTuple):
    """One authentic statement; ``approval``: the officer's word that came; ``held``: its agency holds the key."""

    statement: KeyStatement
    compact: bytes
    kid: KeyId
    approval: bytes | None
    held: bool


async def publish_key(
    store: Store, registry: Registry, compact: bytes, officer: bytes | None, secret: bytes, now: Moment
) -> KeyStatement:
    """Take one key statement of an agency; one that was taken before changes nothing.

    Args:
        compact: ``hub-key+jws`` by the agency's identity key.
        officer: an officer's ``hub-key+jws`` over the statement's digest, so that the key may be used at once.
        secret: the hub's own, for :func:`challenge`.

    Raises:
        MalformedError, KeysError: not a statement, or not of its signer.
        NotAuthenticError: ``key-identity``, ``key-officer``.
        RefusedError: ``agency-unknown``; or in the log: ``key-proof``, ``key-foreign``, ``key-revoked``,
            ``key-changed``, ``key-officer``, ``key-sequence``.
    """
    said = _open_statement(registry, compact, officer, secret)

    def record(tx: Transaction) -> Refusal | None:
        rows = [_known(row) for row in tx.keys() if said.kid == row.kid or row.agency == said.statement.agency]
        mine = [row for row in rows if row.agency == said.statement.agency]
        known = next((row for row in rows if row.kid == said.kid), None)
        if any(row.statement == compact for row in tx.key_history(said.kid)):
            return None
        at = ledger.moment(tx, now)
        refusal = judge_statement(said.statement, known, mine, approved=said.approval is not None, held=said.held)
        if refusal is not None:
            _log_refusal(tx, said, refusal, at)
            return refusal
        _record_statement(tx, said, known, at)
        return None

    refusal = await in_transaction(store, registry, record)
    if refusal is not None:
        raise RefusedError(refusal)
    await registry.refresh(store)
    return said.statement


def _open_statement(registry: Registry, compact: bytes, officer: bytes | None, secret: bytes) -> Said:
    signed = jws.parse(compact, jws.KEY)
    statement = parse_key_statement(signed.payload)
    directory = registry.snapshot.directory
    agency = directory.find_agency(statement.agency)
    if agency is None:
        raise RefusedError(Refusal("agency-unknown", "the agency is not in the directory", "have it enrolled first"))
    identity = public_key(agency.identity)
    if signed.kid != identity.kid:
        raise NotAuthenticError("key-identity", "not signed by the agency's identity key", "sign it with that key")
    jws.check(signed, identity)
    if officer is not None:
        check_officer(officer, compact, directory.directory.officers)
    kid = jws.thumbprint(public_members(statement.jwk))
    return Said(statement, compact, kid, officer, _is_held(statement, kid, secret, approved=officer is not None))


def challenge(secret: bytes, kid: KeyId) -> bytes:
    """Return the 32 bytes that the hub wraps to a new sealing key; its holder answers with their digest."""
    return digests.from_b64u(digests.keyed_digest(secret, f"key-challenge {kid}"))


def check_officer(officer: bytes, compact: bytes, officers: Officers) -> None:
    """Return if *officer* is the word of one of *officers* for the statement *compact*.

    Raises:
        NotAuthenticError: ``key-officer``.
        KeysError, MalformedError: it is no approval at all.
    """
    signed = jws.parse(officer, jws.KEY)
    known = {key.kid: key for key in map(public_key, officers.keys)}
    if signed.kid not in known or parse_key_approval(signed.payload).statement_sha256 != digests.sha256_b64u(compact):
        raise NotAuthenticError(
            "key-officer", "the approval is not an officer's, or is about another statement", "have one sign for this"
        )
    jws.check(signed, known[signed.kid])


def has_shown_possession(statement: KeyStatement, kid: KeyId) -> bool:
    """Answer whether *statement* carries the signature of the key to sign or witness that it is about."""
    message = jws.proof_statement(statement.agency, statement.sequence, kid)
    try:
        jws.check_proof(public_key(statement.jwk), message, statement.proof or "")
    except KeysError:
        return False
    return True


def _is_held(statement: KeyStatement, kid: KeyId, secret: bytes, *, approved: bool) -> bool:
    """Answer whether *statement* needs no proof of possession, or has it."""
    if statement.state != "active" or (statement.use == "seal" and statement.proof is None and approved):
        # Giving a key up needs no proof; at enrolment an officer has seen whose sealing key it is.
        return True
    proof = statement.proof or ""
    if statement.use == "seal":
        return digests.same(proof.encode(), digests.sha256_b64u(challenge(secret, kid)).encode())
    return has_shown_possession(statement, kid)


def _known(row: KeyRow) -> Known:
    return Known(
        kid=row.kid,
        agency=row.agency,
        mailbox=row.mailbox,
        use=row.use,
        state=row.state,
        sequence=row.sequence,
        usable_from=row.usable_from,
        digest=digests.sha256_b64u(row.statement),
    )


def _event(name: EventName, said: Said, outcome: str) -> Event:
    statement = said.statement
    return Event(
        event=name,
        agency=statement.agency,
        mailbox=statement.mailbox,
        kid=said.kid,
        kind=statement.use,
        version=statement.sequence,
        digest=digests.sha256_b64u(said.compact),
        outcome=outcome,
    )


def _log_refusal(tx: Transaction, said: Said, refusal: Refusal, at: Moment) -> None:
    event = _event("key-refused", said, refusal.code)
    if not ledger.is_in_log(tx, event):
        ledger.append(tx, event, at)


def _record_statement(tx: Transaction, said: Said, known: Known | None, at: Moment) -> None:
    statement = said.statement
    index = ledger.append(tx, _event("key-published", said, statement.state), at)
    tx.add_key(
        KeyRow(
            kid=said.kid,
            agency=statement.agency,
            mailbox=statement.mailbox,
            use=statement.use,
            sequence=statement.sequence,
            state=statement.state,
            not_before=statement.not_before,
            expires=statement.expires,
            usable_from=usable_from(statement, known, at, approved=said.approval is not None),
            compromised_from=statement.compromised_from,
            statement=said.compact,
            at=at,
            index=index,
            approval=said.approval,
        )
    )
    bump(tx)
