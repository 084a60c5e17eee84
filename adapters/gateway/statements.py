"""An agency's statements about its keys, and the request by which it enrols.

Source: protocol 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, Self

from adapters.errors import GatewayError
from adapters.gateway.books import Books
from adapters.gateway.config import Config
from keys import jws
from keys.digests import sha256_b64u
from keys.keyring import SEALS_FOR, Keyring
from schemas.directory import Jwk, KeyStatement, parse_key_statement
from schemas.identifiers import AgencyId, MailboxId, Moment
from schemas.strict_json import dump

DAY: Final = 86_400_000
Use = Literal["sign", "seal", "witness"]
KEY_LIFE: Final[Mapping[str, int]] = {"sign": 3 * 365 * DAY, "witness": 3 * 365 * DAY, "seal": SEALS_FOR}


class Chain(NamedTuple):
    """Where an agency's statements stand: the last one's number and digest."""

    sequence: int
    last_sha256: str | None

    @classmethod
    def after(cls, books: Books, agency: AgencyId) -> Self:
        """Return where the statements of *agency* stand by what the hub lists."""
        newest = books.last_statement(agency)
        return cls(newest.statement.sequence, newest.sha256) if newest else cls(0, None)

    def add(self, statement: str) -> Chain:
        """Return where they stand after *statement*."""
        return Chain(self.sequence + 1, sha256_b64u(statement.encode()))


def make_statement(
    keyring: Keyring,
    chain: Chain,
    *,
    use: Use,
    jwk: Mapping[str, str],
    now: Moment,
    expires: Moment,
    not_before: Moment | None = None,
    mailbox: MailboxId | None = None,
    proof: str | None = None,
    signer: jws.SigningKey | None = None,
    state: Literal["active", "retired", "revoked"] = "active",
    compromised_from: Moment | None = None,
) -> str:
    """Return the next statement of *chain*, signed by the identity key; *signer* proves that an Ed25519 key is held.

    Raises:
        GatewayError: ``identity-missing``.
    """
    if keyring.identity is None:
        raise GatewayError(
            "identity-missing", "the agency's identity key is not in this key file", "run this where it is kept"
        )
    sequence = chain.sequence + 1
    if signer is not None:
        proof = jws.prove(signer, jws.proof_statement(keyring.agency, sequence, signer.kid))
    statement = KeyStatement(
        v=1, agency=keyring.agency, mailbox=mailbox, sequence=sequence, previous=chain.last_sha256, use=use,
        jwk=Jwk(**jwk), not_before=now if not_before is None else not_before, expires=expires, state=state,  # type: ignore[arg-type]
        compromised_from=compromised_from, issued=now, proof=proof,
    )  # fmt: skip
    payload = dump(statement)
    parse_key_statement(payload)
    return keyring.identity.sign(payload, jws.KEY).decode()


def make_request(config: Config, keyring: Keyring, now: Moment) -> dict[str, Any]:
    """Return the enrolment request: public keys and mailboxes only; an officer signs what it leads to.

    Raises:
        GatewayError: ``identity-missing``.
    """
    if keyring.identity is None:
        raise GatewayError("identity-missing", "enrolling needs the identity key", "run this where it is kept")
    chain = Chain(0, None)
    statements: list[str] = []
    wanted: list[dict[str, Any]] = [
        {"use": "sign", "jwk": keyring.signing.public.jwk, "signer": keyring.signing},
        {"use": "witness", "jwk": keyring.witness.public.jwk, "signer": keyring.witness},
        *(
            {"use": "seal", "jwk": held.key.public.jwk, "mailbox": held.mailbox, "expires": held.expires}
            for held in keyring.opening_keys.values()
        ),
    ]
    for one in wanted:
        statement = make_statement(keyring, chain, now=now, **({"expires": now + KEY_LIFE[one["use"]]} | one))
        statements.append(statement)
        chain = chain.add(statement)
    return {
        "v": 1,
        "agency": config.agency,
        "name": config.name or config.agency,
        "roles": list(config.roles),
        "codes": dict(config.codes),
        "identity": keyring.identity.public.jwk,
        "mailboxes": [_describe(config, box.id) for box in config.mailboxes],
        "statements": statements,
    }


def _describe(config: Config, mailbox: MailboxId) -> dict[str, Any]:
    box = next(box for box in config.mailboxes if box.id == mailbox)
    described: dict[str, Any] = {"id": box.id, "title": box.title or box.id, "roles": list(box.roles)}
    described |= {name: value for name in ("manager", "deputy") if (value := getattr(box, name))}
    if box.out_of_hours is not None:
        described["out_of_hours"] = {"mailbox": box.out_of_hours.mailbox, "hours": box.out_of_hours.hours}
    return described
