"""``gateway evidence list`` and ``export``: what this gateway keeps of a hub that contradicts itself.

Source: protocol 8.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec

from adapters.errors import GatewayError
from adapters.gateway import evidence
from adapters.gateway.agent import open_gateway
from adapters.gateway.context import Gateway
from schemas.evidence import Evidence
from schemas.strict_json import dump


async def list_evidence(options: Namespace) -> list[dict[str, Any]]:
    """List what this gateway met with, oldest first."""
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        return [msgspec.to_builtins(one) for one in (await _collect(gateway)).said]


async def export_evidence(options: Namespace) -> dict[str, Any]:
    """Write everything that is kept into a new file, for a third party.

    Raises:
        GatewayError: ``evidence-file``; the file is there already, or can't be written.
    """
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        found = await _collect(gateway)
    _write(Path(options.file), dump(found) + b"\n")
    return {"file": options.file, "met_with": [one.reason for one in found.said], "checkpoints": len(found.notes)}


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
    except OSError as error:
        raise GatewayError(
            "evidence-file", f"couldn't write {path}: {error.strerror}", "name a new file in a folder that exists"
        ) from error


async def _collect(gateway: Gateway) -> Evidence:
    return await evidence.collect(gateway.spool, gateway.config.agency, gateway.clock())


COMMANDS = {"list": list_evidence, "export": export_evidence}
