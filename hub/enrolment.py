"""Key statements: what an agency says of its own keys, in the order in which it says it.

A first key, and any key that shall be used within 24 hours, needs an officer's word; possession is always shown.
What the agency's identity key has signed and the rules refuse is in the log.

Source: protocol 7.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hub import ledger
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

COOL_OFF: Final = 24 * 3_600_000


class Said(NamedTuple):
    """One authentic statement; ``approved``: an officer's word came with it; ``held``: its agency holds the key."""

    statement: KeyStatement
    compact: bytes
    kid: KeyId
    approved: bool
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
        rows = tx.keys()
        mine = [row for row in rows if row.agency == said.statement.agency]
        known = next((row for row in rows if row.kid == said.kid), None)
        if any(row.statement == compact for row in tx.key_history(said.kid)):
            return None
        at = ledger.moment(tx, now)
        refusal = _judge_key(said, known) or _judge_order(said, mine)
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
        _check_officer(officer, compact, directory.directory.officers)
    kid, approved = jws.thumbprint(public_members(statement.jwk)), officer is not None
    return Said(statement, compact, kid, approved, _is_held(statement, kid, secret, approved=approved))


def _check_officer(officer: bytes, compact: bytes, officers: Officers) -> None:
    signed = jws.parse(officer, jws.KEY)
    known = {key.kid: key for key in map(public_key, officers.keys)}
    if signed.kid not in known or parse_key_approval(signed.payload).statement_sha256 != digests.sha256_b64u(compact):
        raise NotAuthenticError(
            "key-officer", "the approval is not an officer's, or is about another statement", "have one sign for this"
        )
    jws.check(signed, known[signed.kid])


def challenge(secret: bytes, kid: KeyId) -> bytes:
    """Return the 32 bytes that the hub wraps to a new sealing key; its holder answers with their digest."""
    return digests.from_b64u(digests.keyed_digest(secret, f"key-challenge {kid}"))


def _is_held(statement: KeyStatement, kid: KeyId, secret: bytes, *, approved: bool) -> bool:
    """Answer whether *statement* needs no proof of possession, or has it."""
    if statement.state != "active" or (statement.use == "seal" and statement.proof is None and approved):
        # Giving a key up needs no proof; at enrolment an officer has seen whose sealing key it is.
        return True
    proof = statement.proof or ""
    if statement.use == "seal":
        return digests.same(proof.encode(), digests.sha256_b64u(challenge(secret, kid)).encode())
    message = jws.proof_statement(statement.agency, statement.sequence, kid)
    try:
        jws.check_proof(public_key(statement.jwk), message, proof)
    except KeysError:
        return False
    return True


def _judge_key(said: Said, known: KeyRow | None) -> Refusal | None:
    """Return why *said* may not be said of a key of which *known* was the last word, or ``None``."""
    if known is not None and known.agency != said.statement.agency:
        # Giving a key up needs no proof of possession: without this, anyone could give up anybody's.
        return Refusal("key-foreign", "the key is another agency's", "publish a key of your own")
    if not said.held:
        return Refusal(
            "key-proof",
            "the statement does not show that its agency holds the key",
            "sign the proof with the new key, or answer the hub's challenge",
        )
    if known is None:
        return None
    if known.state == "revoked":
        return Refusal("key-revoked", "the key was revoked, which is for good", "make a new key and publish that")
    if (known.use, known.mailbox) != (said.statement.use, said.statement.mailbox):
        return Refusal(
            "key-changed", "a known key keeps its use and its mailbox", "make another key for another use or mailbox"
        )
    return None


def _judge_order(said: Said, mine: list[KeyRow]) -> Refusal | None:
    newest = max(mine, key=lambda row: row.sequence, default=None)
    sequence = newest.sequence + 1 if newest else 1
    previous = digests.sha256_b64u(newest.statement) if newest else None
    if (said.statement.sequence, said.statement.previous) != (sequence, previous):
        return Refusal(
            "key-sequence", f"the agency's next key statement is number {sequence}", "name the last one as `previous`"
        )
    first = not any(row.use == said.statement.use for row in mine)
    if first and not said.approved:
        return Refusal("key-officer", "an agency's first key needs an officer's word", "have an officer sign for it")
    return None


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


def _usable_from(said: Said, known: KeyRow | None, at: Moment) -> Moment:
    if said.approved:
        return at
    if known is not None and (known.state == "active" or said.statement.state != "active"):
        return known.usable_from
    # A key that was given up and comes back is as young as a new one: whoever brings it may have stolen it.
    return at + COOL_OFF


def _record_statement(tx: Transaction, said: Said, known: KeyRow | None, at: Moment) -> None:
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
            usable_from=_usable_from(said, known, at),
            compromised_from=statement.compromised_from,
            statement=said.compact,
            at=at,
            index=index,
        )
    )
    bump(tx)
