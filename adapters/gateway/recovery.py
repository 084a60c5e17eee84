"""An agency's key ring, recovered by two people together: made, opened, and tried.

What is sealed and how is in ``keys.recovery``; ``keystore.save_keyring`` keeps the copy up to date.  The spool and the
register are locked under the key ring, so whoever has that back has them.

Source: domain 9.6 and 10 (risk 25).
"""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from adapters.durable import read_regular, sync_folder, write_file, write_new
from adapters.errors import GatewayError
from adapters.gateway.agent import SPOOL_NAME, spool_key
from adapters.gateway.config import Config, load_config
from adapters.gateway.keystore import (
    KEYS_NAME,
    RECOVERY_NAME,
    load_keyring,
    lock_keys,
    read_copy,
    read_passphrase,
    save_keyring,
)
from adapters.gateway.spool import Spool
from keys.digests import same
from keys.errors import KeysError
from keys.keyring import Keyring
from keys.recovery import is_current, join_shares, make_shares, open_copy, recovery_id, seal_copy
from keys.sealing import OpeningKey
from schemas.identifiers import EnvelopeId

_MAX_SHARE: Final = 4096
Point = dict[str, Any]


async def make(options: Namespace) -> dict[str, Any]:
    """Make a recovery key, seal the key ring to it, and write the two shares; its private part is then nowhere else.

    Raises:
        GatewayError: ``recovery-twice`` (there is a copy already), ``recovery-file`` (a share can't be written there),
            ``recovery-raced``, or what is wrong with the key file.
    """
    home = Path(options.home)
    passphrase = read_passphrase(load_config(home), home, options.passphrase_file)
    keyring = load_keyring(home, passphrase)
    if (home / RECOVERY_NAME).exists() and not options.replace:
        raise GatewayError(
            "recovery-twice",
            f"there is a recovery copy in {home} already",
            "give --replace, and have the two shares of before destroyed",
        )
    key = OpeningKey.generate()
    files = (Path(options.first), Path(options.second))
    # Shares first: a copy whose shares were never written would look like one that can be opened.
    _write_shares(home, files, make_shares(key, keyring.agency))
    copy = seal_copy(keyring, key.public)
    write_file(home / RECOVERY_NAME, copy)
    # A gateway that runs beside may have saved its keys since they were read here, or just now renewed the copy of before.
    if read_copy(home) != copy or not is_current(copy, load_keyring(home, passphrase)):
        raise GatewayError(
            "recovery-raced", "the gateway changed its keys meanwhile", "make them again, with --replace and new files"
        )
    return {"recovery": recovery_id(key.public), "shares": [str(file) for file in files]}


def _write_shares(home: Path, files: tuple[Path, Path], shares: tuple[str, str]) -> None:
    if any(file.resolve().is_relative_to(home.resolve()) for file in files):
        raise GatewayError(
            "recovery-file", "a share is not kept in the gateway's home", "name a file on each person's own medium"
        )
    written = []
    for file, share in zip(files, shares, strict=True):
        try:
            write_new(file, share.encode())
            written.append(file)
            sync_folder(file.parent)
        except OSError as error:
            for one in written:
                one.unlink()
            raise GatewayError(
                "recovery-file", f"couldn't write share {file}: {error.strerror}", "name a new file for each share"
            ) from error


async def restore(options: Namespace) -> dict[str, Any]:
    """Write the key file anew from the copy, under the passphrase that is given now.

    Raises:
        GatewayError: ``recovery-keys`` (there is a key file), ``recovery-missing``, ``recovery-share``, ``recovery-copy``
            (altered, another agency's, or not of this spool).
        NotYetError: ``keys-busy``.
        KeysError: ``recovery-share``, ``recovery-pair``, ``recovery-copy``.
    """
    home = Path(options.home)
    config = load_config(home)
    if (home / KEYS_NAME).exists() and not options.replace:
        raise GatewayError(
            "recovery-keys", f"there is a key file in {home}", "give --replace if its passphrase is lost"
        )
    keyring = _open(config, home, options)
    tried = await _decrypt_newest(keyring, home)
    with lock_keys(home):
        save_keyring(keyring, home, read_passphrase(config, home, options.passphrase_file))
    return {
        "agency": keyring.agency, "sealing keys": len(keyring.opening_keys), "identity key": keyring.identity is not None,
        "decrypted": tried or "",
    }  # fmt: skip


async def drill(options: Namespace) -> list[Point]:
    """Say, point by point, whether the two shares would bring back keys and filed items; nothing is changed."""
    home = Path(options.home)
    config = load_config(home)
    held = load_keyring(home, read_passphrase(config, home, options.passphrase_file))
    copied = _open(config, home, options)
    points = [_point("recovery copy", good=True, says=f"opens with both shares, and is {copied.agency}'s")]
    current = list(copied.kids()) == list(held.kids()) and same(copied.record_key, held.record_key)
    says = f"all {len(list(held.kids()))} are in the copy" if current else "the copy is of other keys than the key file"
    points.append(_point("current keys", good=current, says=says))
    try:
        item = await _decrypt_newest(copied, home)
    except GatewayError as error:
        return [*points, _point("filed item", good=False, says=error.message)]
    says = f"{item} can be decrypted" if item else "none is in the spool: run the drill again once one was filed"
    return [*points, _point("filed item", good=item is not None, says=says)]


def look(keyring: Keyring, home: Path) -> Point:
    """Say whether the keys in use can be recovered, as far as can be told without the shares."""
    try:
        copy = read_copy(home)
    except GatewayError as error:
        return _point("recovery keys", good=False, says=error.message)
    if copy is None:
        # Not bad: the gateway does its work without.
        return _point("recovery keys", good=True, says="warning: none; make them by `gateway recovery make`")
    if not is_current(copy, keyring):
        return _point("recovery keys", good=False, says="the copy is altered, or not of these keys; make them anew")
    return _point("recovery keys", good=True, says="the copy is whole and has every key")


def _point(point: str, *, good: bool, says: str) -> Point:
    return {"point": point, "good": good, "says": says}


def _open(config: Config, home: Path, options: Namespace) -> Keyring:
    copy = read_copy(home)
    if copy is None:
        raise GatewayError(
            "recovery-missing", f"there is no recovery copy in {home}", f"restore {RECOVERY_NAME} from its backup"
        )
    shares = (_read_share(options.first, "first"), _read_share(options.second, "second"))
    keyring = open_copy(copy, join_shares(*shares))
    if keyring.agency != config.agency:
        raise GatewayError("recovery-copy", "the recovery copy is another agency's", "restore this agency's own")
    return keyring


def _read_share(name: str, which: str) -> str:
    try:
        return read_regular(Path(name), max_bytes=_MAX_SHARE).decode(errors="replace")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GatewayError(
            "recovery-share", f"couldn't read the {which} share: {reason}", "name the file that has it"
        ) from error


async def _decrypt_newest(keyring: Keyring, home: Path) -> EnvelopeId | None:
    """Return the id of the newest filed item in the spool, which *keyring* decrypts; ``None``: none is there.

    Raises:
        GatewayError: ``recovery-copy``; *keyring* isn't the one under which this spool is locked.
    """
    if not (home / SPOOL_NAME).exists():
        return None
    async with Spool(home / SPOOL_NAME, spool_key(keyring)) as spool:
        row = await spool.one("newest_filed")
        if row is None:
            return None
        with contextlib.suppress(KeysError):
            spool.unlock(bytes(row["content"]), row["envelope"])
            return str(row["envelope"])
    raise GatewayError(
        "recovery-copy",
        "the keys in the recovery copy don't open what is filed here",
        "restore copy and spool together",
    )


COMMANDS: Final[Mapping[str, Any]] = {"make": make, "open": restore, "drill": drill}
