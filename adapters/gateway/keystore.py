"""The one place that touches an agency's key file: encrypted, readable by its owner only.

A command beside the running gateway may change it: whoever does holds ``keys.lock`` from reading to writing, and the
gateway takes up what another process wrote.

Source: design 5 (keyring); promises 2 (thief of a gateway).
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from adapters.durable import read_regular, write_file
from adapters.errors import GatewayError, NotYetError
from adapters.gateway.config import PASSPHRASE_VARIABLE, Config
from keys import recovery, vault
from keys.errors import KeysError
from keys.keyring import KEYRING, Keyring

KEYS_NAME: Final = "keys.enc"
LOCK_NAME: Final = "keys.lock"
RECOVERY_NAME: Final = "recovery.bin"
_log = logging.getLogger("gateway.keystore")
_MAX: Final = 4 * 1024 * 1024


def read_passphrase(config: Config, home: Path, given: str | None = None) -> str:
    """Return the passphrase: from the file *given*, else from the configured one, else from the environment.

    Raises:
        GatewayError: ``passphrase``; there is none, and this is no training gateway.
    """
    name = given or config.passphrase_file
    if name:
        path = home / name
        _check_private(path)
        return path.read_text("utf-8").rstrip("\r\n")
    text = os.environ.get(PASSPHRASE_VARIABLE, "")
    if not text and not config.training:
        raise GatewayError(
            "passphrase",
            "the keys need a passphrase",
            f"set {PASSPHRASE_VARIABLE}, or name a file by --passphrase-file",
        )
    return text


def save_keyring(keyring: Keyring, home: Path, passphrase: str) -> None:
    """Write *keyring* to ``keys.enc`` in *home*, encrypted under *passphrase*; whole or not at all.

    Where there is a recovery copy it is renewed first.  Killed between the two, the copy has a key that was not yet
    used, or lacks one whose time is over; never the reverse: a key whose mail the copy couldn't open.
    """
    try:
        if (copy := read_copy(home)) is not None:
            write_file(home / RECOVERY_NAME, recovery.renew_copy(copy, keyring))
    except (KeysError, GatewayError) as error:
        # Keys go on: a copy that is damaged or of a stranger's making must not keep mail from being opened.
        _log.error("the recovery copy was not renewed: %s (%s)", error.message, error.code)
    salt = vault.new_salt()
    write_file(home / KEYS_NAME, keyring.encrypt(vault.kek_from_passphrase(passphrase, salt), salt=salt))


def read_copy(home: Path) -> bytes | None:
    """Return the recovery copy in *home*, if there is one.

    Raises:
        GatewayError: ``recovery-copy``; there is something that can't be read.
    """
    path = home / RECOVERY_NAME
    try:
        return read_regular(path, max_bytes=_MAX)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GatewayError(
            "recovery-copy", f"couldn't read recovery copy {path}: {reason}", "restore the file from its backup"
        ) from error


def load_keyring(home: Path, passphrase: str) -> Keyring:
    """Return the keyring in *home*.

    Raises:
        GatewayError: ``keys-missing``, ``keys-permissions``, ``keys-passphrase``.
    """
    path = home / KEYS_NAME
    _check_private(path)
    try:
        content = read_regular(path, max_bytes=_MAX)
        return Keyring.decrypt(content, vault.kek_from_passphrase(passphrase, vault.read_salt(KEYRING, content)))
    except KeysError as error:
        raise GatewayError(
            "keys-passphrase",
            f"couldn't open key file {path}: wrong passphrase, or the file is damaged",
            "give the passphrase it was made with, or restore the file",
        ) from error


class KeyFile:
    """The key file of an open gateway, and *keyring*, which is what it says; a change is saved before it is used."""

    def __init__(self, home: Path, passphrase: str, keyring: Keyring | None = None) -> None:
        """Read the key file in *home*, unless the caller has its *keyring* already.

        Raises:
            GatewayError: ``keys-*``, as from :func:`load_keyring`.
        """
        self._home, self._passphrase = home, passphrase
        # Looked at before it is read: what is written meanwhile is then read again, never missed.
        self._seen = self._look()
        self.keyring = keyring or load_keyring(home, passphrase)

    @contextmanager
    def changing(self) -> Iterator[Keyring]:
        """Hold the key file, for as long as a change and its publishing take; give a copy of the keys as they are now.

        Raises:
            NotYetError: ``keys-busy``; the gateway or another command holds it.
            GatewayError: ``keys-*``.
        """
        with lock_keys(self._home):
            self.reload()
            yield _copy(self.keyring)

    def save(self, changed: Keyring) -> None:
        """Write *changed*, made from what :meth:`changing` gave, to the file; only then is it what is used here."""
        save_keyring(changed, self._home, self._passphrase)
        # Killed here, the next process finds in the file what this one never used.
        self._seen = self._look()
        vars(self.keyring).update(vars(_copy(changed)))

    def reload(self) -> bool:
        """Take up what another process wrote into the file; answer whether it did.

        Raises:
            GatewayError: ``keys-*``; the keys in use stay.
        """
        seen = self._look()
        if seen in {self._seen, None}:
            return False
        vars(self.keyring).update(vars(load_keyring(self._home, self._passphrase)))
        self._seen = seen
        return True

    def _look(self) -> tuple[int, int] | None:
        """Return what tells one writing of the file from another: each is a new file, renamed into place."""
        try:
            facts = (self._home / KEYS_NAME).stat()
        except OSError:
            return None
        return facts.st_ino, facts.st_mtime_ns


def _copy(keyring: Keyring) -> Keyring:
    return Keyring(**vars(keyring) | {"opening_keys": dict(keyring.opening_keys)})


@contextmanager
def lock_keys(home: Path) -> Iterator[None]:
    """Keep every other process from changing the key file in *home*; a process that is killed lets go of it.

    Raises:
        NotYetError: ``keys-busy``.
    """
    handle = os.open(home / LOCK_NAME, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NotYetError(
                "keys-busy", "the running gateway or another command is changing the keys", "try again in a moment"
            ) from error
        yield
    finally:
        os.close(handle)


def _check_private(path: Path) -> None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise GatewayError(
            "keys-missing",
            f"couldn't read key file {path}: {error.strerror}",
            "run `gateway init`, or restore it (`gateway recovery open`)",
        ) from error
    if mode & 0o177:
        raise GatewayError(
            "keys-permissions", f"couldn't read key file {path}: permissions are {mode:04o}", f"chmod 600 {path}"
        )
