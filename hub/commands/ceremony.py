"""``hub ceremony``: draft at the hub, sign on each officer's own machine, combine, publish; each step prints its record.

Source: protocol 7; docs/ceremonies.md.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hub.commands.catalogue import add_messages
from hub.commands.options import add_config, add_passphrase
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.ceremonies import Draft, Reading, Signed
    from keys.jws import Signer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands' arguments."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_key(commands.add_parser("key", help="make an officer's key, on the officer's own machine or device"))
    _add_draft(commands.add_parser("draft", help="write what the officers are to sign, and print its record"))
    sign = commands.add_parser("sign", help="print the record and sign the draft, on an officer's own machine, offline")
    sign.add_argument("draft", metavar="DRAFT", help="the draft")
    _add_key_place(sign)
    sign.add_argument("--out", metavar="FILE", required=True, help="where to write the signature")
    sign.set_defaults(run=run_sign)
    combine = commands.add_parser("combine", help="put the officers' signatures together, and print the record")
    combine.add_argument("draft", metavar="DRAFT", help="the draft")
    combine.add_argument("signatures", metavar="SIGNATURE", nargs="+", help="the officers' signatures")
    combine.add_argument("--out", metavar="FILE", required=True, help="where to write what is then published")
    combine.set_defaults(run=run_combine)
    record = commands.add_parser("record", help="print the record of a draft, or of what was signed, again")
    record.add_argument("file", metavar="FILE", help="a draft, or what `combine` wrote")
    record.set_defaults(run=run_record)
    publish = commands.add_parser("publish", help="publish what enough officers signed")
    publish.add_argument("file", metavar="SIGNED", help="what `combine` wrote")
    _add_hub(publish)
    add_passphrase(publish)
    publish.set_defaults(run=run_publish)
    for one in (sign, combine, record):
        one.add_argument(
            "--trust", metavar="FILE", required=True, help="trust.json, as it was handed out at the beginning"
        )


def _add_key(key: argparse.ArgumentParser) -> None:
    _add_key_place(key)
    key.add_argument("--public", metavar="FILE", required=True, help="where to write its public half, for the others")
    key.set_defaults(run=run_key)


def _add_key_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--key", metavar="FILE", required=True,
        help="the key's file, or on a device: pkcs11:token=LABEL;object=NAME?module-path=FILE (its PIN is the passphrase)",
    )  # fmt: skip
    add_passphrase(parser)
    parser.add_argument("--training", action="store_true", help="a training partnership: empty passphrases")


def _add_hub(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--url", help="the running hub's address, instead of its database")


def _add_draft(draft: argparse.ArgumentParser) -> None:
    draft.add_argument("draft", metavar="DRAFT", help="where to write it")
    change = draft.add_mutually_exclusive_group(required=True)
    change.add_argument("--enrol", metavar="REQUEST", nargs="+", help="add agencies, or renew their entries")
    change.add_argument("--end", metavar="ID", help="end an agency")
    change.add_argument("--officer", metavar="PUBLIC", nargs="+", help="name these officers, by their public keys")
    change.add_argument("--witnesses", metavar="FILE", help="set who must have witnessed the log, as tlog-policy text")
    change.add_argument("--directory", metavar="FILE", help="a whole directory as JSON; its version is set here")
    change.add_argument("--renew", action="store_true", help="the same directory for another term")
    change.add_argument("--agreement", metavar="FILE", help="the next sharing agreement, as TOML")
    change.add_argument("--keys", metavar="REQUEST", nargs="+", help="speak for keys, so that they may be used at once")
    draft.add_argument("--new-identity", action="store_true", help="of --enrol: although the identity key is another")
    draft.add_argument("--at", metavar="DATE", help="of --end: from when on")
    draft.add_argument("--successor", metavar="ID[:PART]", action="append", default=[], help="of --end: who takes over")
    draft.add_argument("--threshold", metavar="K", type=int, help="of --officer: how many must sign")
    draft.add_argument("--days", metavar="N", type=int, help="for how many days the directory is good")
    add_messages(draft)
    _add_hub(draft)
    draft.set_defaults(run=run_draft)


def run_key(args: argparse.Namespace) -> int:
    """Make a key; print its fingerprint, which the others write down."""
    from hub.commands.drafting import write_officer
    from hub.commands.records import fingerprint
    from hub.hardware import SCHEME, make_key
    from hub.home import read_passphrase, save_officer
    from hub.kit.files import PUBLIC, write_whole
    from keys.jws import SigningKey

    passphrase = read_passphrase(args.passphrase_file, training=args.training)
    if args.key.startswith(SCHEME):
        public = make_key(args.key, passphrase)
    else:
        _check_new(args.key)
        key = SigningKey.generate()
        save_officer(Path(args.key), key, passphrase)
        public = key.public
    write_whole(Path(args.public), write_officer(public.jwk), PUBLIC)
    print(f"made an officer's key: {args.key}")
    print(f"fingerprint: {fingerprint(public.kid)}")
    print(f"give to the others, and read the fingerprint to them: {args.public}")
    return 0


def run_draft(args: argparse.Namespace) -> int:
    """Write the draft, what a check finds in it, and its record."""
    from hub.commands import drafting
    from schemas.directory import Directory, DirectoryIndex
    from schemas.directory_checking import check_directory
    from schemas.strict_json import dump

    now = _now(args)
    published = asyncio.run(drafting.read_published(args))
    if args.agreement:
        draft = drafting.draft_agreement(args, published, now)
    elif args.keys:
        draft = drafting.draft_keys(args, published, now)
    else:
        draft = drafting.draft_directory(args, published, now)
    reading = drafting.read_own(draft)
    _write(args.draft, dump(draft))
    _print_record(reading, {})
    if isinstance(reading.proposed, Directory):
        for found in check_directory(DirectoryIndex(reading.proposed), now):
            print(f"{found.level}: {found.code}: {found.where}: {found.message}")
    return 0


def run_sign(args: argparse.Namespace) -> int:
    """Print the record, ask, and sign."""
    from hub.ceremonies import parse_draft
    from hub.signing import sign
    from schemas.strict_json import dump

    reading = _read(args, parse_draft(_bytes(args.draft)))
    _print_record(reading, {})
    with _open_officer(args) as officer:
        try:
            answer = input("Sign this? Write yes: ")
        except EOFError:
            answer = ""
        if answer.strip() != "yes":
            print("nothing was signed")
            return 1
        signature = sign(reading, officer, _clock())
    _write(args.out, dump(signature))
    print(f"signed: {args.out}")
    return 0


def run_combine(args: argparse.Namespace) -> int:
    """Check and combine the signatures, write what is published, and print the record."""
    from hub.ceremonies import parse_draft, parse_signature
    from hub.signing import combine
    from schemas.strict_json import dump

    reading = _read(args, parse_draft(_bytes(args.draft)))
    signed = combine(reading, [parse_signature(_bytes(file)) for file in args.signatures])
    _write(args.out, dump(signed))
    _print_record(reading, _moments(signed))
    return 0


def run_record(args: argparse.Namespace) -> int:
    """Print the record of a draft or of what was signed, everything in it checked."""
    from hub.ceremonies import Draft, parse_either
    from hub.signing import combine

    held = parse_either(_bytes(args.file))
    if isinstance(held, Draft):
        _print_record(_read(args, held), {})
        return 0
    reading = _read(args, held.draft)
    _print_record(reading, _moments(combine(reading, held.signatures)))
    return 0


def run_publish(args: argparse.Namespace) -> int:
    """Publish the document, then the keys that an officer spoke for."""
    from hub.ceremonies import parse_signed

    signed = parse_signed(_bytes(args.file))
    asyncio.run(_publish(args, signed))
    what = {"directory": "the directory", "agreement": "the agreement", "keys": "the keys"}[signed.draft.kind]
    print(f"published {what}{f' and {len(signed.draft.statements)} key statements' if signed.draft.statements else ''}")
    return 0


async def _publish(args: argparse.Namespace, signed: Signed) -> None:
    from hub.commands.options import read_config
    from hub.commands.publishing import open_address, open_publisher
    from hub.home import read_passphrase
    from hub.signing import document_of, words_of

    if args.url:
        opened = open_address(args.url)
    else:
        config = read_config(args)
        passphrase = read_passphrase(args.passphrase_file, training=config.training)
        opened = open_publisher(args, config, passphrase, _now(args))
    async with opened as publisher:
        if signed.draft.payload:
            await publisher.publish(signed.draft.kind, document_of(signed))
        for statement, word in words_of(signed):
            await publisher.publish_key(statement, word.encode())


@contextmanager
def _open_officer(args: argparse.Namespace) -> Iterator[Signer]:
    from hub.hardware import SCHEME, open_key
    from hub.home import load_officers, read_passphrase

    passphrase = read_passphrase(args.passphrase_file, training=args.training)
    if args.key.startswith(SCHEME):
        with open_key(args.key, passphrase) as key:
            yield key
    else:
        yield load_officers(Path(), [args.key], passphrase)[0]


def _read(args: argparse.Namespace, draft: Draft) -> Reading:
    from hub.ceremonies import read_draft
    from hub.home import load_trust

    return read_draft(draft, load_trust(Path(args.trust)))


def _moments(signed: Signed) -> dict[str, int]:
    return {one.kid: one.at for one in signed.signatures}


def _print_record(reading: Reading, signed: dict[str, int]) -> None:
    from hub.commands.records import write_record

    print(write_record(reading, signed))


def _bytes(file: str) -> bytes:
    from hub.commands.drafting import read_file

    return read_file(file)


def _write(file: str, data: bytes) -> None:
    from hub.kit.files import PUBLIC, write_whole

    _check_new(file)
    write_whole(Path(file), data, PUBLIC)


def _check_new(file: str) -> None:
    if Path(file).exists():
        raise HubError("ceremony", f"there is a file {file} already", "name a new one: nothing is overwritten")


def _clock() -> int:
    return time.time_ns() // 1_000_000


def _now(args: argparse.Namespace) -> int:
    """Return the hub's moment, which may be a training clock's; of a hub over the wire, this machine's."""
    if args.url:
        return _clock()
    from hub.commands.options import read_config
    from hub.wiring import make_clock

    return make_clock(read_config(args))()
