"""A gateway's home: made once, checked as often as one likes.

Source: issue of first set-up; protocol 7 (enrolment).
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
from argparse import Namespace
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from adapters.durable import make_folder, write_file
from adapters.errors import GatewayError
from adapters.gateway import recovery, trust
from adapters.gateway.agent import open_gateway
from adapters.gateway.config import CONFIG_NAME, load_config, make_clock
from adapters.gateway.context import Gateway
from adapters.gateway.keystore import KEYS_NAME, read_passphrase, save_keyring
from adapters.gateway.starting import make_configuration, write_own_files
from adapters.gateway.statements import make_request
from hub.kit.assets import AssetsError, install_assets
from keys.keyring import Keyring
from schemas.strict_json import parse_as

REQUEST_NAME: Final = "request.json"
MAX_SKEW: Final = 5_000


async def init(options: Namespace) -> dict[str, Any]:
    """Make a gateway's home: configuration, keys, pinned trust, and the request that enrols the agency."""
    home = make_folder(Path(options.home))
    if not (home / CONFIG_NAME).exists():
        made = _read(options.config) if options.config else make_configuration(options).encode()
        write_file(home / CONFIG_NAME, made)
    config = load_config(home)
    if (home / KEYS_NAME).exists():
        # New keys over old ones would lose all mail sealed to those.
        raise GatewayError(
            "init-twice", f"there are keys in {home} already", "name another --home, or use what is there"
        )
    content = _read(options.trust)
    parse_as(content, trust.Pinned, max_bytes=1024 * 1024)
    make_folder(home / "trust")
    write_file(home / trust.TRUST_NAME, content)
    passphrase = read_passphrase(config, home, options.passphrase_file)
    now = make_clock(config, home)()
    keyring = Keyring.create(config.agency, now)
    for mailbox in options.own_key or ():
        if config.find_mailbox(mailbox) is None:
            raise GatewayError("init-mailbox", "a mailbox for a key of its own is not served here", "name one that is")
        keyring.add_opening_key(mailbox, now)
    save_keyring(keyring, home, passphrase)
    write_own_files(home, config.adapters)
    request = Path(options.request) if options.request else home / REQUEST_NAME
    write_file(request, json.dumps(make_request(config, keyring, now), indent=2).encode() + b"\n", mode=0o644)
    async with open_gateway(home, passphrase_file=options.passphrase_file):
        pass  # makes the spool and the adapters' folders
    return {"home": str(home), "agency": config.agency, "request": str(request)}


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise GatewayError("init-file", f"couldn't read {name}: {error.strerror}", "name the right file") from error


async def check(options: Namespace) -> list[dict[str, Any]]:
    """Say, point by point, whether this gateway could do its work now; the last point is what is wrong, if anything."""
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        points = [{"point": "configuration, keys and spool", "good": True, "says": "read"}]
        mode = stat.S_IMODE(os.stat(options.home).st_mode)  # noqa: PTH116
        private = not mode & 0o077
        says = "only its owner can read it" if private else f"permissions are {mode:04o}; chmod 700 it"
        points.append({"point": "home", "good": private, "says": says})
        points.append(recovery.look(gateway.keyring, gateway.home))
        return points + [point async for point in _hub_points(gateway)]


async def _hub_points(gateway: Gateway) -> AsyncIterator[dict[str, Any]]:
    async def tried(point: str, says: str, work: Any) -> dict[str, Any]:
        try:
            await work()
        except ValueError as error:
            return {"point": point, "good": False, "says": str(error)}
        return {"point": point, "good": True, "says": says}

    yield await tried("hub", "reachable", lambda: _look_at_clock(gateway))
    yield await tried("signed documents and log", "verified", gateway.partnership.refresh)
    yield await tried("sign-in", "works", lambda: gateway.client.fetch("/v1/obligations?limit=1", signed_in=True))
    yield await tried("directory", "knows every mailbox served", lambda: _look_at_directory(gateway))


async def _look_at_clock(gateway: Gateway) -> None:
    answer = await gateway.client.fetch("/healthz")
    if "Date" not in answer.headers or gateway.config.clock != "system":
        return
    skew = abs(int(parsedate_to_datetime(answer.headers["Date"]).timestamp() * 1000) - gateway.clock())
    if skew > MAX_SKEW:
        raise GatewayError("clock-skew", f"the clock is {skew // 1000} s off the hub's", "set this machine's clock")


async def _look_at_directory(gateway: Gateway) -> None:
    books, now = gateway.partnership.books, gateway.clock()
    missing = [box for box in gateway.mailboxes() if not books.index.is_open(box, now)]
    if missing:
        raise GatewayError("mailbox-unknown", f"the directory has no open mailbox {missing[0]}", "have it enrolled")
    for mailbox in gateway.mailboxes():
        books.sealing_key(mailbox, now)


async def assets(options: Namespace) -> dict[str, Any]:
    """Fetch the design system of the inbox's pages into this user's cache."""
    del options
    try:
        return {"folder": str(await asyncio.to_thread(install_assets))}
    except AssetsError as error:
        raise GatewayError("assets", error.message, error.hint) from error
