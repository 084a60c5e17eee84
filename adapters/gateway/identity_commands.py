"""``gateway safety-number``, ``keys rotate --signing --at-once``, ``keys identity``: what is compared, and asked of officers.

Source: protocol 7.
"""

from __future__ import annotations

import json
import logging
from argparse import Namespace
from pathlib import Path
from typing import Any

from adapters.durable import write_file
from adapters.errors import GatewayError
from adapters.gateway import identity, rotation
from adapters.gateway.agent import open_gateway
from adapters.gateway.client import HubAwayError
from keys import jws
from keys.safety import safety_number, side_of

_log = logging.getLogger("gateway.identity")


async def show_number(options: Namespace) -> dict[str, Any]:
    """Show the number to compare by telephone: with another agency, or (unless one is named) with the officers.

    Made from the identity key that is here, not from what the hub says of it: that is what is compared.

    Raises:
        GatewayError: ``agency-unknown``; ``identity-missing``: no identity key here, nor in the directory.
        NotYetError: ``directory-missing``.
    """
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        try:
            await gateway.partnership.refresh()
        except HubAwayError:
            _log.info("the hub is away: the directory is the last one seen")
        other = identity.agency_side(gateway, options.agency) if options.agency else identity.officers(gateway)
        own, kid = gateway.keyring.identity, identity.listed_identity(gateway, gateway.config.agency)
        if own is None and kid is None:
            raise GatewayError("identity-missing", "neither here nor in the directory is there an identity key of the agency", "run this where it is kept")  # fmt: skip
        mine = side_of(gateway.config.agency, [own.kid if own else kid or ""])
        return {
            "with": other.name,
            "number": safety_number(mine, other),
            "own key": "held here" if own else "as the directory has it",
        }


async def rotate_at_once(options: Namespace) -> dict[str, Any]:
    """Make the next signing key and write what an officer speaks for, so that it may be used without waiting a day.

    Raises:
        GatewayError: ``key-published``: it is published already, and waits; ``keys-file``: the file is there already.
    """
    path = Path(options.at_once)
    _check_new(path)
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        kid, statement = await rotation.state_signing(gateway)
        request = {"v": 1, "agency": gateway.config.agency, "statements": [statement]}
        write_file(path, json.dumps(request, indent=2).encode() + b"\n", mode=0o644)
        return {"next": kid, "give to an officer": str(path)}


async def renew_identity(options: Namespace) -> dict[str, Any]:
    """Make the next identity key and write the request by which officers name it; it is used once they have.

    Raises:
        GatewayError: ``keys-file``: the file is there already.
    """
    path = Path(options.file)
    _check_new(path)
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        request = await identity.request_identity(gateway)
        write_file(path, json.dumps(request, indent=2).encode() + b"\n", mode=0o644)
        kid = jws.thumbprint(request["identity"])
        number = safety_number(side_of(gateway.config.agency, [kid]), identity.officers(gateway))
        return {"next identity": kid, "give to the officers": str(path), "number": number}


def _check_new(path: Path) -> None:
    if path.exists():
        raise GatewayError("keys-file", f"there is a file {path} already", "name a new one")
