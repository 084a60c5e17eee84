"""Who the agency is to the others: the sides of its safety numbers, and an alarm for an identity that isn't its own.

Source: protocol 7.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.trust import members
from keys import jws
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
    held = gateway.keyring.identity
    row = await gateway.spool.one("find_fact", name=_FACT)
    expected = held.kid if held else bytes(row["value"]).decode() if row else listed
    if row is None or bytes(row["value"]) != expected.encode():
        await gateway.spool.run("set_fact", name=_FACT, value=expected.encode())
    if listed != expected:
        tell = partial(gateway.tell, code="key-unknown", topic=f"key:{listed}", details={"kid": listed})
        if await gateway.spool.write(tell):
            _log.error("the directory has an identity key for this agency that is not its own")
