"""A witness's folder: its key, encrypted; which logs it follows; and of each the largest tree that it cosigned.

``witness.json`` who it is · ``key.enc`` its key · ``logs.json`` the logs' names, keys and last trees · ``evidence/``
what it was shown and would not sign.

``logs.json`` is the witness's memory: whoever puts back an older one makes it sign what it must not.

Source: c2sp.org/tlog-witness; docs/witnesses.md.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from hub.errors import HubError
from hub.kit.files import PUBLIC, is_private, write_whole
from keys import documents, jws, merkle, notes, vault
from keys.errors import KeysError
from keys.jws import SigningKey
from schemas.directory import Directory, Officers, parse_directory
from schemas.strict_json import dump

ABOUT: Final = "witness.json"
KEY: Final = "key.enc"
LOGS: Final = "logs.json"
EVIDENCE: Final = "evidence"
MAX_EVIDENCE: Final = 256
_KIND: Final = "witness"

Kept = TypeVar("Kept")


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who the witness is: the name under which it cosigns, and the key by which that is checked."""

    v: Literal[1] = 1
    name: str
    verifier: str
    training: bool = False


class Log(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One log: all of ``keys`` sign its checkpoints.

    ``directory`` is the version from which the keys were taken.  ``note`` is the last checkpoint that was cosigned, over
    ``size`` leaves, at ``at``; empty, 0 and 0 before the first.
    """

    keys: tuple[str, ...]
    directory: int
    size: int = 0
    note: str = ""
    at: int = 0

    @property
    def root(self) -> bytes:
        """Return the root of the last tree, which before the first is the empty one."""
        if not self.note:
            return merkle.Frontier().root()
        return notes.Checkpoint.parse(notes.split_note(self.note)[0]).root


class _Logs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    v: Literal[1] = 1
    logs: dict[str, Log] = {}


class Home:
    """One witness's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, path: Path, name: str, passphrase: str, *, training: bool) -> Home:
        """Make a witness called *name* in *path*, with a key of its own.

        Raises:
            HubError: ``home``; something is there already.
            KeysError: ``note-name``.
        """
        if path.exists() and any(path.iterdir()):
            raise HubError("home", f"couldn't make a witness in {path}: it isn't empty", "name a new folder")
        key = SigningKey.generate()
        about = About(name=name, verifier=notes.witness_verifier(name, key.public), training=training)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        write_whole(path / KEY, vault.lock_with(_KIND, key.seed(), passphrase))
        write_whole(path / LOGS, dump(_Logs()) + b"\n")
        write_whole(path / ABOUT, dump(about) + b"\n", PUBLIC)
        return cls(path)

    def about(self) -> About:
        """Return who the witness is.

        Raises:
            HubError: ``home``.
        """
        return self._read(ABOUT, About)

    def key(self, passphrase: str) -> SigningKey:
        """Return the witness's key.

        Raises:
            HubError: ``home`` or ``passphrase``.
        """
        path = self.path / KEY
        try:
            if not is_private(path):
                raise HubError("home", f"couldn't use key file {path}: others may read it", f"chmod 600 {path}")
            return SigningKey.from_seed(vault.unlock_with(_KIND, path.read_bytes(), passphrase))
        except OSError as error:
            raise HubError(
                "home", f"couldn't read key file {path}: {error.strerror}", "run `hub witness init`"
            ) from error
        except KeysError as error:
            raise HubError("passphrase", f"couldn't open {path}: {error.message}", error.hint) from error

    def logs(self) -> dict[str, Log]:
        """Return the logs that it follows, by their names (``origin``).

        Raises:
            HubError: ``home``; a witness that lost its memory must not sign.
        """
        return self._read(LOGS, _Logs).logs

    def save(self, logs: Mapping[str, Log]) -> None:
        """Keep *logs*: when this returns, they are there after a crash too."""
        write_whole(self.path / LOGS, dump(_Logs(logs=dict(logs))) + b"\n")

    def keep_evidence(self, origin: str, shown: bytes, held: str) -> None:
        """Keep what was *shown* and can't be beside what was *held*: both are signed by the log.  A full folder stays so."""
        folder = self.path / EVIDENCE
        folder.mkdir(exist_ok=True)
        number = len(list(folder.iterdir()))
        if number < MAX_EVIDENCE:
            found = {"v": 1, "origin": origin, "held": held, "shown": shown.decode("utf-8", "replace")}
            write_whole(folder / f"{number:03d}.json", dump(found) + b"\n")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: two processes could each sign what the other must not.

        Raises:
            HubError: ``home``; another process has it.
        """
        self.about()
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HubError("home", f"another process has the witness in {self.path}", "stop it first") from error
        else:
            yield
        finally:
            os.close(handle)

    def _read(self, name: str, kind: type[Kept]) -> Kept:
        path = self.path / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except OSError as error:
            raise HubError("home", f"couldn't read {path}: {error.strerror}", "run `hub witness init`") from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HubError("home", f"couldn't use {path}: it is damaged", "see docs/witnesses.md") from error


def verify_directories(files: Sequence[bytes], trust: bytes) -> Directory:
    """Return the last of the directories *files*, each signed by enough officers of the one before it.

    *trust*: the ``trust.json`` that the partnership handed out; its officers sign the first.

    Raises:
        KeysError: ``document-*`` or ``jws-*``.
        MalformedError: ``json-*`` or ``directory-*``.
        HubError: ``export``; *trust* is no such file.
    """
    try:
        officers = msgspec.convert(msgspec.json.decode(trust)["officers"], Officers)
    except (msgspec.DecodeError, msgspec.ValidationError, LookupError, TypeError) as error:
        raise HubError("export", "couldn't read the officers' keys", "name the partnership's trust.json") from error
    for document in files:
        payload = documents.parse(document, jws.DIRECTORY)[0].payload
        directory = parse_directory(payload)
        documents.verify(document, jws.DIRECTORY, [_signers(officers), _signers(directory.officers)])
        officers = directory.officers
    return directory


def _signers(officers: Officers) -> documents.Signers:
    return documents.Signers.of(officers.threshold, [msgspec.to_builtins(key) for key in officers.keys])


def follow(logs: Mapping[str, Log], directory: Directory) -> dict[str, Log]:
    """Return *logs* with the log that *directory* names, or with its newer keys; what was cosigned is kept.

    Raises:
        HubError: ``document-version``; the directory is older than the one followed.
    """
    origin = directory.hub.origin
    before = logs.get(origin)
    if before is not None and directory.version < before.directory:
        raise HubError("document-version", "the directory is older than the one followed", "fetch the newest one")
    log = replace(before or Log(keys=(), directory=0), keys=directory.hub.checkpoint, directory=directory.version)
    return {**logs, origin: log}
