"""The hub's folder: its keys, encrypted; the last checkpoint, apart from the database; and who it trusts first.

``keys.enc`` the hub's keyring · ``officers/*.enc`` the officers' keys, until each officer takes theirs away ·
``checkpoint`` the last signed note · ``trust.json`` what agencies pin.

Source: DESIGN 6 (audit log); protocol 7 and 8.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hub.config import PASSPHRASE_VARIABLE
from hub.errors import HubError
from hub.kit.files import PUBLIC, is_private, write_whole
from keys import vault
from keys.errors import KeysError
from keys.jws import SigningKey
from keys.keyring import HUB_KEYRING, HubKeyring
from schemas.directory import Officers
from schemas.envelope import Struct
from schemas.strict_json import MalformedError, dump, parse_as

KEYS: Final = "keys.enc"
OFFICERS: Final = "officers"
CHECKPOINT: Final = "checkpoint"
TRUST: Final = "trust.json"
_SEED: Final = "seed"


class _Trust(Struct, frozen=True, kw_only=True):
    officers: Officers
    hub_url: str


def read_passphrase(file: str | None, *, training: bool) -> str:
    """Return the passphrase of key files: the first line of *file*, else ``HUB_PASSPHRASE``; in training, else none.

    Raises:
        HubError: ``passphrase``.
    """
    if file is not None:
        path = Path(file)
        try:
            if not is_private(path):
                raise HubError("passphrase", f"others may read passphrase file {path}", f"chmod 600 {path}")
            return path.read_text(encoding="utf-8").split("\n")[0]
        except OSError as error:
            raise HubError(
                "passphrase", f"couldn't read passphrase file {path}: {error.strerror}", "name one that exists"
            ) from error
    text = os.environ.get(PASSPHRASE_VARIABLE, "")
    if not text and not training:
        raise HubError(
            "passphrase", "the key files need a passphrase", f"set {PASSPHRASE_VARIABLE}, or use --passphrase-file"
        )
    return text


def _read_private(path: Path) -> bytes:
    try:
        if not is_private(path):
            raise HubError("home", f"couldn't use key file {path}: others may read it", f"chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise HubError("home", f"couldn't read key file {path}: {error.strerror}", "run `hub init` first") from error


def save_keyring(home: Path, keyring: HubKeyring, passphrase: str) -> None:
    """Write the hub's keys, encrypted under *passphrase*."""
    salt = vault.new_salt()
    write_whole(home / KEYS, keyring.encrypt(vault.kek_from_passphrase(passphrase, salt), salt=salt))


def load_keyring(home: Path, passphrase: str) -> HubKeyring:
    """Return the hub's keys.

    Raises:
        HubError: ``home`` or ``passphrase``.
    """
    data = _read_private(home / KEYS)
    try:
        salt = vault.read_salt(HUB_KEYRING, data)
        return HubKeyring.decrypt(data, vault.kek_from_passphrase(passphrase, salt))
    except KeysError as error:
        raise HubError("passphrase", f"couldn't open {home / KEYS}: {error.message}", error.hint) from error


def save_officer(path: Path, key: SigningKey, passphrase: str) -> Path:
    """Write one officer's key, encrypted under *passphrase*, and return its file."""
    write_whole(path, vault.lock_with(_SEED, key.seed(), passphrase))
    return path


def load_officers(home: Path, files: Sequence[str], passphrase: str) -> list[SigningKey]:
    """Return the officers' keys in *files*, or all of those still in the hub's folder.

    Raises:
        HubError: ``home`` or ``passphrase``.
    """
    paths = [Path(file) for file in files] or sorted((home / OFFICERS).glob("*.enc"))
    if not paths:
        raise HubError("home", "there are no officers' keys here", "name their files by --officer")
    keys = []
    for path in paths:
        try:
            keys.append(SigningKey.from_seed(vault.unlock_with(_SEED, _read_private(path), passphrase)))
        except KeysError as error:
            raise HubError("passphrase", f"couldn't open {path}: {error.message}", error.hint) from error
    return keys


def save_trust(home: Path, officers: Mapping[str, Any], url: str) -> Path:
    """Write what an agency's gateway pins at set-up, and return its file."""
    path = home / TRUST
    write_whole(path, dump({"officers": officers, "hub_url": url}) + b"\n", PUBLIC)
    return path


def load_trust(path: Path) -> Officers:
    """Return the officers that the file *path* pins: ``trust.json``, as it was handed out.

    Raises:
        HubError: ``home``.
    """
    try:
        return parse_as(path.read_bytes(), _Trust, max_bytes=1024 * 1024).officers
    except OSError as error:
        raise HubError(
            "home", f"couldn't read {path}: {error.strerror}", "name the partnership's trust.json"
        ) from error
    except MalformedError as error:
        raise HubError(
            "home", f"couldn't use {path}: {error.message}", "ask for the partnership's trust.json"
        ) from error


def keep_checkpoint(home: Path, note: str) -> None:
    """Keep the last signed checkpoint apart from the database, so that one that was put back is noticed."""
    write_whole(home / CHECKPOINT, note.encode(), PUBLIC)


def kept_checkpoint(home: Path) -> str | None:
    """Return the last checkpoint that was kept, or ``None`` before the first."""
    try:
        return (home / CHECKPOINT).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
