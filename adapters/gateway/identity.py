"""Who the agency is to the others: safety numbers, an alarm for an identity that isn't its own, how it gets another.

Source: protocol 7.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.statements import Chain, make_request, make_statement
from adapters.gateway.trust import members
from keys import jws
from keys.keyring import Keyring
from keys.safety import Side, side_of
from schemas.identifiers import KeyId

_FACT: Final = "identity"
_log = logging.getLogger("gateway.identity")


def officers(gateway: Gateway) -> Side:
    """Return the officers in force, as a side of a safety number."""
    directory = gateway.partnership.books.directory
    kids = (jws.thumbprint(members(key)) for key in directory.officers.keys)
    return side_of(directory.partnership, kids, directory.officers.threshold)


def agency_side(gateway: Gateway, agency: str) -> Side:
    """Return another agency by its identity key in the directory.

    Raises:
        GatewayError: ``agency-unknown``.
    """
    kid = listed_identity(gateway, agency)
    if kid is None:
        raise GatewayError("agency-unknown", f"{agency} isn't in the directory", "check its id")
    return side_of(agency, [kid])


def listed_identity(gateway: Gateway, agency: str) -> KeyId | None:
    """Return the kid of *agency*'s identity key by the directory, ``None`` where it isn't in it."""
    entry = gateway.partnership.books.index.find_agency(agency)
    return jws.thumbprint(members(entry.identity)) if entry else None


async def check_identity(gateway: Gateway) -> None:
    """Alarm where the directory names another identity key for this agency than the one here, or than it did first.

    Whoever has that key could publish keys in the agency's name.
    """
    listed = listed_identity(gateway, gateway.config.agency)
    if listed is None:
        return
    await adopt_identity(gateway)
    held = gateway.keyring.identity
    row = await gateway.spool.one("find_fact", name=_FACT)
    expected = held.kid if held else bytes(row["value"]).decode() if row else listed
    if row is None or bytes(row["value"]) != expected.encode():
        await gateway.spool.run("set_fact", name=_FACT, value=expected.encode())
    if listed != expected:
        tell = partial(gateway.tell, code="key-unknown", topic=f"key:{listed}", details={"kid": listed})
        if await gateway.spool.write(tell):
            _log.error("the directory has an identity key for this agency that is not its own")


async def adopt_identity(gateway: Gateway) -> None:
    """Sign key statements with the next identity key from now on, if the directory names it.

    Raises:
        NotYetError: ``keys-busy``.
    """
    following = gateway.keyring.next_identity
    if following is None or listed_identity(gateway, gateway.config.agency) != following.kid:
        return
    with gateway.keyfile.changing() as keyring:
        # Another process may have adopted it.
        if keyring.next_identity is not None and keyring.next_identity.kid == following.kid:
            keyring.adopt_identity()
            gateway.keyfile.save(keyring)
    _log.warning("the next identity key is in use: destroy every copy of the one before it")


async def request_identity(gateway: Gateway) -> dict[str, Any]:
    """Make the next identity key; return the enrolment request by which officers name it.

    Every key in use is stated again by the new identity: who joins later can verify no statement of the old one.

    Raises:
        NotYetError: ``keys-busy``; or the hub is away.
    """
    with gateway.keyfile.changing() as keyring:
        fresh = keyring.prepare_identity()
        # Stored first: officers must never name a key that is lost.
        gateway.keyfile.save(keyring)
    await gateway.partnership.refresh()
    books, now = gateway.partnership.books, gateway.clock()
    ring = Keyring(**vars(gateway.keyring) | {"identity": fresh})
    chain, statements = Chain.after(books, gateway.config.agency), list[str]()
    signers = {key.kid: key for key in (ring.signing, ring.next_signing, ring.witness) if key}
    for kid in (*signers, *ring.opening_keys):
        history = books.keys.get(kid)
        if history is None or history.last.state != "active" or history.last.expires <= now:
            continue
        said = history.last
        statement = make_statement(
            ring, chain, use=said.use, jwk=members(said.jwk), mailbox=said.mailbox, now=now,
            not_before=said.not_before, expires=said.expires, signer=signers.get(kid),
        )  # fmt: skip
        statements.append(statement)
        chain = chain.add(statement)
    return make_request(gateway.config, ring, now) | {"statements": statements}
