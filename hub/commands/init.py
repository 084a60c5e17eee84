"""``hub init``: a new hub and a new partnership."""

from __future__ import annotations

import argparse
import asyncio
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from hub.commands.options import add_passphrase
from hub.config import CONFIG_NAME, parse_config
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.config import Config
    from schemas.directory import Officers

DAY = 86_400_000


class Partnership(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``[partnership]`` table: who the partnership is, and how many of its officers must sign."""

    id: str
    name: str = ""
    officers: Annotated[int, Meta(ge=1, le=16)] = 3
    threshold: Annotated[int, Meta(ge=1, le=16)] = 2
    directory_days: Annotated[int, Meta(ge=1, le=3660)] = 400
    witnesses: str = ""


class _File(msgspec.Struct, frozen=True):
    partnership: Partnership


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("home", metavar="HOME", help="folder to make the hub in")
    parser.add_argument(
        "--directory", metavar="FILE", required=True, help="TOML whose [partnership] table begins the directory"
    )
    parser.add_argument("--agreement", metavar="FILE", required=True, help="the sharing agreement as TOML")
    parser.add_argument("--url", default="http://127.0.0.1:8400", help="the hub's public address")
    parser.add_argument("--origin", help="the audit log's name (default: from the address)")
    parser.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:8400", help="where to listen")
    parser.add_argument("--database", default="sqlite:///hub.db", help="sqlite:///FILE or postgresql://…")
    parser.add_argument(
        "--officer",
        metavar="PUBLIC",
        nargs="+",
        default=[],
        help="the officers' public keys, made by `hub ceremony key`: nothing is signed here, but drafted for them",
    )
    parser.add_argument("--training", action="store_true", help="a training hub: empty passphrases, training clock")
    parser.add_argument("--clock", default="system", help="system, or file:PATH of a training clock")
    add_passphrase(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the hub, and say what to do with what was made."""
    home = Path(args.home).resolve()
    if home.exists() and any(home.iterdir()):
        raise HubError("home", f"couldn't make a hub in {home}: it isn't empty", "name a new folder")
    text = _write_config(args)
    config = parse_config(text, home)
    partnership = read_partnership(Path(args.directory))
    agreement = _read(Path(args.agreement))
    # Read only now: what is missing or wrong above is said without a passphrase.
    from hub.home import read_passphrase

    passphrase = read_passphrase(args.passphrase_file, training=config.training)
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    made = _Made(home, config, partnership, agreement, passphrase)
    files = made.drafts(args.officer) if args.officer else asyncio.run(made.documents())
    from hub.kit.files import write_whole

    write_whole(home / CONFIG_NAME, text.encode(), 0o644)
    named = ", ".join(str(file) for file in files)
    print(f"made a hub in {home}")
    print(f"give to every agency, by a way you trust: {home / 'trust.json'}")
    if args.officer:
        print(f"have the officers sign: {named}; see docs/ceremonies.md")
        return 0
    print(f"hand out, one to each officer, and remove from here: {named}")
    print(f"then: hub agency add REQUEST.json --config {home / CONFIG_NAME}; hub serve --config {home / CONFIG_NAME}")
    return 0


def _write_config(args: argparse.Namespace) -> str:
    host, _, port = args.listen.rpartition(":")
    if not host or not port.isdigit():
        raise HubError("config", "`--listen` isn't HOST:PORT", "write 127.0.0.1:8400")
    clock = args.clock
    if clock.startswith("file:"):
        clock = f"file:{Path(clock.removeprefix('file:')).resolve()}"
    values: dict[str, Any] = {
        "url": args.url,
        "origin": args.origin or args.url.partition("://")[2].rstrip("/").replace(":", "-") + "/log",
        "database": args.database,
        "training": args.training,
        "clock": clock,
    }
    lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in values.items()]
    # A JSON string is a TOML string.
    return "\n".join([*lines, "", "[listen]", f"host = {msgspec.json.encode(host).decode()}", f"port = {port}", ""])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HubError("config", f"couldn't read {path}", "name a readable TOML file") from error


def read_partnership(path: Path) -> Partnership:
    """Return the ``[partnership]`` table of the TOML file *path*; its other tables are for whoever else reads it.

    Raises:
        HubError: ``config``.
    """
    try:
        return msgspec.convert(tomllib.loads(_read(path)), _File).partnership
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise HubError("config", f"{path}: {error}", "see docs/examples/county.toml") from error


class _Made:
    """A new hub: its keys and its first documents, signed here or drafted for officers who sign elsewhere."""

    def __init__(self, home: Path, config: Config, partnership: Partnership, agreement: str, passphrase: str) -> None:
        from hub.commands.catalogue import digest_schemas, load_catalogue
        from hub.wiring import make_clock
        from keys.keyring import HubKeyring
        from schemas.agreement_text import compile_agreement
        from schemas.strict_json import dump

        self._home, self._config, self._partnership, self._passphrase = home, config, partnership, passphrase
        self._now = make_clock(config)()
        self._keyring = HubKeyring.create(self._now)
        schemas = digest_schemas(load_catalogue(None))
        self._agreement = dump(
            compile_agreement(agreement, version=1, previous=None, issued=self._now, schemas=schemas)
        )

    def _directory(self, officers: Officers) -> bytes:
        """Save the hub's keys and whom agencies pin; return the first directory's payload."""
        from hub.home import save_keyring, save_trust
        from hub.signing import public_jwk
        from schemas.directory import Directory, HubEntry, parse_directory
        from schemas.strict_json import dump

        config, keyring = self._config, self._keyring
        directory = Directory(
            v=1,
            partnership=self._partnership.id,
            version=1,
            issued=self._now,
            expires=self._now + self._partnership.directory_days * DAY,
            officers=officers,
            hub=HubEntry(
                url=config.url,
                origin=config.origin,
                signing=(public_jwk(keyring.signing),),
                checkpoint=tuple(signer.verifier_key for signer in keyring.note_signers(config.origin)),
            ),
            agencies=(),
            witnesses=self._partnership.witnesses,
        )
        payload = dump(directory)
        parse_directory(payload)
        save_keyring(self._home, keyring, self._passphrase)
        save_trust(self._home, msgspec.to_builtins(officers), config.url)
        return payload

    def drafts(self, public: Sequence[str]) -> list[Path]:
        """Write the first documents as drafts for the officers whose *public* keys those files have."""
        from hub.commands.drafting import first_drafts, read_officers
        from hub.kit.files import PUBLIC, write_whole
        from schemas.strict_json import dump

        payload = self._directory(read_officers(public, self._partnership.threshold))
        files = []
        for name, draft in first_drafts(payload, self._agreement, self._now).items():
            files.append(self._home / "ceremonies" / name)
            write_whole(files[-1], dump(draft), PUBLIC)
        return files

    async def documents(self) -> list[Path]:
        """Make the officers' keys here, and sign and publish the first documents with them."""
        from hub.home import OFFICERS, save_officer
        from hub.registry import publish_agreement, publish_directory
        from hub.signing import new_officers, sign_document
        from hub.store.base import open_store
        from keys import jws

        keys, officers = new_officers(self._partnership.officers, self._partnership.threshold)
        payload = self._directory(officers)
        folder = self._home / OFFICERS
        files = [
            save_officer(folder / f"officer-{number}.enc", key, self._passphrase) for number, key in enumerate(keys, 1)
        ]
        store = open_store(self._config.database)
        try:
            await publish_directory(store, sign_document(payload, jws.DIRECTORY, keys), self._now, officers)
            await publish_agreement(store, sign_document(self._agreement, jws.AGREEMENT, keys), self._now)
        finally:
            await store.close()
        return files
