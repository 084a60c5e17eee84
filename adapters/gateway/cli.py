"""The `gateway` command."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

_ADD_PERSON = ("--actor", "--role")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    common = argparse.ArgumentParser(add_help=False)
    home = os.environ.get("GATEWAY_HOME", ".")
    common.add_argument("--home", default=home, help="the gateway's folder (default: GATEWAY_HOME, else here)")
    common.add_argument("--passphrase-file", help="file with the keys' passphrase")
    common.add_argument("--json", action="store_true", help="print one JSON value")
    parser = argparse.ArgumentParser(prog="gateway", description="An agency's side of the safeguarding hub.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, summary: str, where: Any = commands) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = where.add_parser(name, help=summary, description=summary, parents=[common])
        return made

    _add_init(add("init", "make a gateway's home, its keys and its enrolment request"))
    run = add("run", "send, receive, file and watch until stopped")
    run.add_argument("--once", action="store_true", help="do everything once, then end")
    run.add_argument("--rewind", action="store_true", help="read the feeds from their beginning, after a restore")
    send = add("send", "put a draft into the outbox")
    send.add_argument("file", metavar="FILE", help="a draft, or a folder with message.json")
    send.add_argument("--again", action="store_true", help="send it although the same draft was sent before")
    _add_inbox(commands.add_parser("inbox", help="what arrived"), add)
    add("receipts", "show what became of what was sent")
    add("obligations", "show what is owed to and by the agency, by its own reckoning")
    _add_withdraw(add("withdraw", "take an envelope back"))
    _add_waive(add("waive", "give an obligation up, or say that it was met by other means"))
    keys = commands.add_parser("keys", help="the agency's keys").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    _add_keys(keys, add)
    add("check", "say whether this gateway could do its work now")
    return parser


def _add_keys(keys: Any, add: Any) -> None:
    add("list", "list the agency's keys as published", keys)
    rotate = add("rotate", "make new sealing keys where they are due", keys)
    rotate.add_argument("--now", action="store_true", help="make new ones for every mailbox at once")
    rotate.add_argument("--signing", action="store_true", help="make the next signing key instead")
    retire = add("retire", "publish that a key is used no more; what it signed stays good", keys)
    retire.add_argument("kid", metavar="KID")
    revoke = add("revoke", "publish that a key is somebody else's too", keys)
    revoke.add_argument("kid", metavar="KID")
    revoke.add_argument("--compromised-from", metavar="TIME", help="since when, as 2026-07-06T08:00:00Z (default: now)")


def _add_init(init: argparse.ArgumentParser) -> None:
    init.add_argument("--trust", required=True, help="the partnership's trust.json")
    init.add_argument("--config", help="a gateway.toml to start from")
    init.add_argument("--agency", help="the agency's id")
    init.add_argument("--name", help="the agency's name")
    init.add_argument("--role", action="append", help="a sector of the agency; may be repeated")
    init.add_argument("--mailbox", action="append", metavar="ID[=TITLE]", help="a mailbox; may be repeated")
    init.add_argument("--own-key", action="append", metavar="MAILBOX", help="a mailbox with a sealing key of its own")
    init.add_argument("--request", help="where to write the enrolment request (default: request.json in the home)")
    init.add_argument("--training", action="store_true", help="a training partnership")
    init.add_argument("--clock", help="`file:path` of a training clock")


def _add_inbox(inbox: argparse.ArgumentParser, add: Any) -> None:
    actions = inbox.add_subparsers(dest="action", required=True, metavar="ACTION")
    add("list", "list what arrived, without content", actions).add_argument("--mailbox", help="only this mailbox")
    show = add("show", "show what is known of a delivery, without content", actions)
    show.add_argument("ids", nargs=1, metavar="ID")
    show.add_argument("--mailbox", help="which of the agency's mailboxes")
    for name, summary in (
        ("open", "show the message to a named person, and say so to its sender"),
        ("acknowledge", "say that a named person has it and that it is for them"),
        ("decline", "return it to its sender"),
        ("file", "say that a named person filed it by hand"),
        ("destroy", "say that a named person destroyed it, as its sender asked"),
    ):
        action = add(name, summary, actions)
        action.add_argument("ids", nargs="+", metavar="ID")
        action.add_argument("--mailbox", help="which of the agency's mailboxes")
        action.add_argument("--actor", required=True, help="who: the name stays here, a pseudonym goes out")
        action.add_argument("--role", required=True, help="in which role")
        if name == "decline":
            action.add_argument("--code", required=True, help="why: wrong_recipient, not_known_here, …")
        if name == "file":
            action.add_argument("--record", required=True, help="the record's reference; only a digest goes out")


def _add_withdraw(withdraw: argparse.ArgumentParser) -> None:
    withdraw.add_argument("envelope", metavar="ID")
    withdraw.add_argument("--reason", required=True, help="a reason code")


def _add_waive(waive: argparse.ArgumentParser) -> None:
    waive.add_argument("obligation", metavar="ID")
    waive.add_argument("--mailbox", required=True, help="the mailbox in whose name it is signed")
    waive.add_argument("--reason", required=True, help="a reason code")
    waive.add_argument("--met-elsewhere", action="store_true", help="it was met by other means, and that is confirmed")
    waive.add_argument("--actor", required=True, help="who says so")
    waive.add_argument("--role", required=True, help="in which role")
    waive.add_argument("--second", help="who agrees, or who confirmed that it came")
    waive.add_argument("--second-role", default="colleague", help="in which role")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0, 1 where it failed."""
    options = make_parser().parse_args(arguments)
    import asyncio

    from adapters.errors import GatewayError
    from adapters.gateway.logs import set_up_logs
    from keys.errors import KeysError
    from schemas.strict_json import MalformedError

    set_up_logs(options.home)
    # Some commands have to have shown something before they may say that it was shown.
    options.show = lambda printed: _print(printed, as_json=options.json)
    shows = options.command == "inbox" and options.action == "open"
    try:
        printed = asyncio.run(_find_command(options)(options))
    except (GatewayError, MalformedError, KeysError) as error:
        print(f"gateway: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if not shows:
        options.show(printed)
    bad = [point for point in printed if isinstance(point, dict) and point.get("good") is False]
    return 1 if bad else 0


def _find_command(options: argparse.Namespace) -> Any:
    from adapters.gateway import commands, setup

    if options.command == "inbox":
        by_action = {
            "list": commands.inbox_list,
            "show": commands.inbox_show,
            "open": commands.inbox_open,
            "destroy": commands.inbox_destroy,
        }
        return by_action.get(options.action, commands.inbox_person)
    if options.command == "keys":
        by_action = {"list": commands.keys_list, "rotate": commands.keys_rotate}
        return by_action.get(options.action, commands.keys_give_up)
    return {
        "init": setup.init,
        "run": commands.run,
        "send": commands.send,
        "receipts": commands.receipts,
        "obligations": commands.obligations,
        "withdraw": commands.withdraw,
        "waive": commands.waive,
        "check": setup.check,
    }[options.command]


def _print(printed: Any, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(printed, ensure_ascii=False), flush=True)
        return
    for one in printed if isinstance(printed, list) else [printed]:
        if isinstance(one, dict):
            print("  ".join(f"{name}: {_show(value)}" for name, value in one.items()), flush=True)
        else:
            print(one, flush=True)


def _show(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
