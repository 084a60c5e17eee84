"""``hub witness init``, ``follow``, ``serve`` and ``show``: an outside witness, on a machine that is not the hub's."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from hub.commands.options import add_passphrase, in_words
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.witness.home import Home


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands' arguments."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    init = commands.add_parser("init", help="make a witness: its folder and its key")
    init.add_argument("home", metavar="HOME", help="folder to make the witness in")
    init.add_argument("--name", required=True, help="the name under which it cosigns, such as notary.example/w1")
    init.add_argument("--training", action="store_true", help="allows an empty passphrase and a training clock")
    add_passphrase(init)
    init.set_defaults(run=run_init)
    follow = commands.add_parser("follow", help="follow a partnership's log, or take its newer keys")
    follow.add_argument("home", metavar="HOME", help="the witness's folder")
    follow.add_argument("--trust", metavar="FILE", required=True, help="trust.json, as the partnership handed it out")
    follow.add_argument(
        "--directory", metavar="FILE", action="append", required=True,
        help="the signed directory, as GET /v1/directory gives it; where the officers have changed since trust.json, each version, the oldest first",
    )  # fmt: skip
    follow.set_defaults(run=run_follow)
    serve = commands.add_parser("serve", help="cosign what is asked for, if the log only grew")
    serve.add_argument("home", metavar="HOME", help="the witness's folder")
    serve.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:8410", help="where to listen")
    serve.add_argument("--clock", default="system", help="system, or in training file:PATH")
    add_passphrase(serve)
    serve.set_defaults(run=run_serve)
    show = commands.add_parser("show", help="print its key, the logs that it follows, and how far it cosigned them")
    show.add_argument("home", metavar="HOME", help="the witness's folder")
    show.set_defaults(run=run_show)


def run_init(args: argparse.Namespace) -> int:
    """Make the witness, and say what goes into the directory."""
    from hub.home import read_passphrase
    from hub.witness.home import Home

    passphrase = read_passphrase(args.passphrase_file, training=args.training)
    about = Home.make(Path(args.home), args.name, passphrase, training=args.training).about()
    print(f"made a witness in {args.home}")
    print("give this line to the partnership, for the directory's witnesses; write where it will be reached:")
    print(f"witness {about.name.partition('/')[0]} {about.verifier} https://...")
    return 0


def run_follow(args: argparse.Namespace) -> int:
    """Follow the log of a directory that the officers signed."""
    from hub.witness.home import Home, follow, verify_directories

    home = Home(Path(args.home))
    directory = verify_directories([_read(name) for name in args.directory], _read(args.trust))
    with home.locked():
        home.save(follow(home.logs(), directory))
    print(f"follows {directory.hub.origin}, with the keys of directory {directory.version}")
    return 0


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise HubError("export", f"couldn't read {name}: {error.strerror}", "name a file that exists") from error


def run_serve(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from hub.home import read_passphrase
    from hub.witness.home import Home

    home = Home(Path(args.home))
    about = home.about()
    if args.clock != "system" and not about.training:
        raise HubError("config", "a training clock outside training", "make the witness with --training")
    host, _, port = args.listen.rpartition(":")
    if not host or not port.isdigit():
        raise HubError("config", "`--listen` isn't HOST:PORT", "write 127.0.0.1:8410")
    passphrase = read_passphrase(args.passphrase_file, training=about.training)
    with home.locked():
        asyncio.run(_serve(home, passphrase, host, int(port), args.clock))
    return 0


async def _serve(home: Home, passphrase: str, host: str, port: int, clock: str) -> None:
    import signal

    from hub.kit.clocks import open_clock
    from hub.witness.app import Server, Witness

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        witness = Witness.open(home, passphrase, open_clock(clock))
    except ValueError as error:
        raise HubError("config", "the training clock's file holds no moment", "write UTC milliseconds to it") from error
    async with Server(witness, host, port) as server:
        print(f"{witness.name} listens on {host}:{server.port}, follows {len(witness.logs)} logs", flush=True)
        await stop.wait()


def run_show(args: argparse.Namespace) -> int:
    """Print who the witness is and what it has cosigned."""
    from hub.witness.home import EVIDENCE, Home

    home = Home(Path(args.home))
    about = home.about()
    print(f"{about.name}: {about.verifier}")
    for origin, log in sorted(home.logs().items()):
        when = f"{log.size} entries, {in_words(log.at)}" if log.size else "nothing yet"
        print(f"{origin}: cosigned {when}; keys of directory {log.directory}")
    kept = len(list((home.path / EVIDENCE).glob("*.json")))
    if kept:
        print(f"{kept} times it was shown what cannot be: see {home.path / EVIDENCE}")
    return 0
