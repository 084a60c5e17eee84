"""The `gateway` command."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from adapters.gateway.guests.arguments import add_guests
from adapters.gateway.inbox.people_arguments import add_people
from adapters.gateway.register.arguments import add_register

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
    _add_export(add("export", "write one message as a copy for one kind of reader"))
    add("exports", "list the copies that were made").add_argument("--envelope", metavar="ID", help="only of this one")
    _add_exclude(add("exclude", "say that a person may not open what belongs to a thread"))
    _add_answer(add("answer", "answer a received message in one step"))
    _add_chronology(add("chronology", "show what several agencies answered as one chronology to a named person"))
    _add_atrisk(commands.add_parser("atrisk", help="the list of children at risk, matched inside the clinic"), add)
    add("receipts", "show what became of what was sent")
    add("status", "say how far the hub's log was followed, and how much of it is witnessed")
    add("obligations", "show what is owed to and by the agency, by its own reckoning")
    _add_withdraw(add("withdraw", "take an envelope back"))
    _add_reseal(add("reseal", "seal again for one part, where a recipient ended and several took over"))
    _add_waive(add("waive", "give an obligation up, or say that it was met by other means"))
    keys = commands.add_parser("keys", help="the agency's keys").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    _add_keys(keys, add)
    _add_recovery(commands.add_parser("recovery", help="the agency's keys, recovered by two people"), add)
    add_register(commands.add_parser("register", help="what the agency knows of children, across threads"), add)
    _add_evidence(commands.add_parser("evidence", help="what the hub signed and contradicts, for a third party"), add)
    add_people(commands.add_parser("people", help="who signs in at the inbox"), add)
    add_guests(commands.add_parser("guests", help="who is reached by secure e-mail, having nothing else"), add)
    _add_adapter(commands.add_parser("adapter", help="what connects the agency's systems"), add)
    _add_picture(add("picture", "count the intelligence that is held, small counts left out, for a digest"))
    number = add("safety-number", "the number to compare by telephone, with an agency or with the officers")
    number.add_argument("agency", metavar="AGENCY", nargs="?", help="with which agency (default: with the officers)")
    add("check", "say whether this gateway could do its work now")
    add("assets", "fetch the design system of the inbox's pages, once; without it they are plain")
    return parser


def _add_evidence(evidence: argparse.ArgumentParser, add: Any) -> None:
    actions = evidence.add_subparsers(dest="action", required=True, metavar="ACTION")
    add("list", "list what this gateway met with", actions)
    export = add("export", "write what is kept, for `hub audit convict`", actions)
    export.add_argument(
        "file", metavar="FILE", help="a new file; it holds signed statements and references, no content"
    )


def _add_keys(keys: Any, add: Any) -> None:
    add("list", "list the agency's keys as published", keys)
    rotate = add("rotate", "make new sealing keys where they are due; safe beside the running gateway", keys)
    rotate.add_argument("--now", action="store_true", help="make new ones for every mailbox at once")
    rotate.add_argument("--signing", action="store_true", help="make the next signing key instead")
    rotate.add_argument(
        "--at-once", metavar="FILE", help="with --signing: write what an officer speaks for, instead of waiting a day"
    )
    identity = add("identity", "make another identity key, and write the request by which the officers name it", keys)
    identity.add_argument("file", metavar="FILE", help="where to write the request")
    retire = add("retire", "publish that a key is used no more; what it signed stays good", keys)
    retire.add_argument("kid", metavar="KID")
    revoke = add("revoke", "publish that a key is somebody else's too", keys)
    revoke.add_argument("kid", metavar="KID")
    revoke.add_argument("--compromised-from", metavar="TIME", help="since when, as 2026-07-06T08:00:00Z (default: now)")


def _add_recovery(recovery: argparse.ArgumentParser, add: Any) -> None:
    actions = recovery.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = add("make", "seal the key ring to a recovery key and write its two shares", actions)
    made = "where to write one person's share: a new file outside the home"
    opened = add("open", "restore the key file under a new passphrase, by two people", actions)
    drill = add("drill", "prove with both shares that keys and filed items can be recovered; changes nothing", actions)
    for action, what in ((make, made), (opened, "one person's share"), (drill, "one person's share")):
        action.add_argument("--first", required=True, metavar="FILE", help=what)
        action.add_argument("--second", required=True, metavar="FILE", help="the other person's")
    make.add_argument("--replace", action="store_true", help="although there are recovery keys: their shares end")
    opened.add_argument("--replace", action="store_true", help="although there is a key file")


def _add_init(init: argparse.ArgumentParser) -> None:
    init.add_argument("--trust", required=True, help="the partnership's trust.json")
    init.add_argument("--config", help="a gateway.toml to start from")
    init.add_argument("--agency", help="the agency's id")
    init.add_argument("--name", help="the agency's name")
    init.add_argument("--role", action="append", help="a sector of the agency; may be repeated")
    init.add_argument("--mailbox", action="append", metavar="ID[=TITLE]", help="a mailbox; may be repeated")
    init.add_argument(
        "--profile", metavar="NAME", help="a kind of agency, for its record system: see docs/agencies/records.md"
    )
    init.add_argument("--records", metavar="URL", help="where that record system is")
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


def _add_atrisk(atrisk: argparse.ArgumentParser, add: Any) -> None:
    from adapters.gateway.matching.arguments import add_commands

    add_commands(atrisk, add)


def _add_adapter(adapter: argparse.ArgumentParser, add: Any) -> None:
    actions = adapter.add_subparsers(dest="action", required=True, metavar="ACTION")
    add("list", "list the adapters that are installed, and which are enabled here", actions)
    check = add("check", "try an adapter as it is configured, in its own process, with sample messages", actions)
    check.add_argument("name", metavar="NAME")
    check.add_argument("--type", default="minutes.full/1", help="of which type the samples are")
    check.add_argument("--message", metavar="FILE", help="JSON of a message that the system takes (fictional)")
    check.add_argument(
        "--file-samples", action="store_true", help="although it files them into the system that is configured"
    )
    check.add_argument(
        "--wait", metavar="SECONDS", type=float, default=60.0,
        help="how long a message may take whose record system answers later (`answers_later`)",
    )  # fmt: skip
    check.add_argument("--show-output", action="store_true", help="show what it prints")
    mapping = add("mapping", "say whether a profile's mapping fits, and what people would have to file", actions)
    mapping.add_argument("name", metavar="NAME")
    mapping.add_argument("--record", metavar="FILE", help="JSON of a made-up record: show the draft that it becomes")
    new = add("new", "write a working adapter with tests into a new folder, to be changed", actions)
    new.add_argument("name", metavar="NAME", help="lower case, with hyphens: ward-board")


def _add_picture(picture: argparse.ArgumentParser) -> None:
    picture.add_argument("--type", choices=("intel.item", "info.report"), default="intel.item", help="what is counted")
    picture.add_argument("--from", dest="start", required=True, metavar="DATE", help="written down from this day on")
    picture.add_argument("--to", dest="end", required=True, metavar="DATE", help="and before this one")
    picture.add_argument("--csv", action="store_true", help="print rows of CSV")


def _add_answer(answer: argparse.ArgumentParser) -> None:
    answer.add_argument("envelope", metavar="ENVELOPE")
    answer.add_argument("--type", required=True, metavar="FAMILY", help="what the answer is: check.adult.response, …")
    answer.add_argument(
        "--set", action="append", default=[], metavar="/FIELD=VALUE", help="what a field says; may be repeated"
    )
    answer.add_argument("--by", metavar="NAME", help="who answers: the name stays here (default: the team itself)")
    answer.add_argument("--role", help="in which role")
    answer.add_argument("--mailbox", help="which of the agency's mailboxes answers")
    answer.add_argument("--again", action="store_true", help="send it although the same answer was given before")


def _add_chronology(chronology: argparse.ArgumentParser) -> None:
    chronology.add_argument("thread", metavar="THREAD", help="the thread in which it was asked for")
    chronology.add_argument("--mailbox", help="only of this mailbox")
    chronology.add_argument("--actor", required=True, help="who: the name stays here, a pseudonym goes out")
    chronology.add_argument("--role", required=True, help="in which role")
    chronology.set_defaults(action="open")


def _add_export(export: argparse.ArgumentParser) -> None:
    export.add_argument("envelope", metavar="ENVELOPE")
    export.add_argument("mailbox", metavar="MAILBOX", help="which of the agency's mailboxes has it")
    export.add_argument("--as", dest="form", choices=("text", "html", "json"), default="text", help="in which form")
    export.add_argument(
        "--for", dest="audience", required=True, metavar="READER", help="record, family, gp, reference or agency:CODE"
    )
    export.add_argument(
        "--by", required=True, metavar="NAME", help="who exports it: printed on the copy, logged nowhere"
    )
    export.add_argument("--out", required=True, metavar="FILE", help="where to write it: a new file, or a folder")
    export.add_argument("--break-embargo", action="store_true", help="although its moment has not come")
    export.add_argument("--reason", metavar="CODE", help="why the embargo is broken: a reason that is listed")
    export.add_argument("--second", metavar="NAME", help="who agrees to breaking the embargo")


def _add_exclude(exclude: argparse.ArgumentParser) -> None:
    exclude.add_argument("thread", metavar="THREAD")
    exclude.add_argument("--person", required=True, metavar="NAME", help="who may not open it; kept encrypted")
    exclude.add_argument("--by", required=True, metavar="NAME", help="who decides it")
    exclude.add_argument("--second", required=True, metavar="NAME", help="who agrees")
    exclude.add_argument("--lift", action="store_true", help="end it instead")


def _add_withdraw(withdraw: argparse.ArgumentParser) -> None:
    withdraw.add_argument("envelope", metavar="ID")
    withdraw.add_argument("--reason", required=True, help="a reason code")


def _add_reseal(reseal: argparse.ArgumentParser) -> None:
    reseal.add_argument("envelope", metavar="ID")
    reseal.add_argument("--split", required=True, metavar="CODE", help="which part is meant, as the directory names it")


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
    shows = options.command in {"inbox", "chronology"} and options.action == "open"
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
    from adapters.gateway import answering, commands, exclusion_commands, setup
    from adapters.gateway.exports import commands as exports

    by_name: dict[str, Any] = {
        "init": setup.init,
        "run": commands.run,
        "send": commands.send,
        "answer": answering.answer,
        "chronology": commands.chronology,
        "export": exports.export,
        "exports": exports.exports,
        "exclude": exclusion_commands.exclude,
        "receipts": commands.receipts,
        "status": commands.status,
        "obligations": commands.obligations,
        "withdraw": commands.withdraw,
        "reseal": commands.reseal,
        "waive": commands.waive,
        "check": setup.check,
        "assets": setup.assets,
    }
    if options.command in by_name:
        return by_name[options.command]
    if options.command == "inbox":
        by_action = {
            "list": commands.inbox_list,
            "show": commands.inbox_show,
            "open": commands.inbox_open,
            "destroy": commands.inbox_destroy,
        }
        return by_action.get(options.action, commands.inbox_person)
    if options.command in {"keys", "safety-number"}:
        return _find_key_command(options)
    return _find_grouped(options)


def _find_grouped(options: argparse.Namespace) -> Any:
    """Return a command of those that have a module of their own; only that one is loaded."""
    match options.command:
        case "register":
            from adapters.gateway.register.commands import run_action
        case "people":
            from adapters.gateway.inbox.people_commands import run_action
        case "guests":
            from adapters.gateway.guests.commands import run_action
        case "adapter":
            from adapters.gateway.adapter_commands import run_action
        case "picture":
            from adapters.gateway.picture import picture

            return picture
        case "atrisk":
            from adapters.gateway.matching.commands import COMMANDS as AT_RISK

            return AT_RISK[options.action]
        case "evidence":
            from adapters.gateway.evidence_commands import COMMANDS as EVIDENCE

            return EVIDENCE[options.action]
        case _:
            from adapters.gateway.recovery import COMMANDS as RECOVERY

            return RECOVERY[options.action]
    return run_action


def _find_key_command(options: argparse.Namespace) -> Any:
    from adapters.gateway import commands, identity_commands

    if options.command == "safety-number":
        return identity_commands.show_number
    if getattr(options, "at_once", None):
        return identity_commands.rotate_at_once
    by_action: dict[str, Any] = {
        "list": commands.keys_list,
        "rotate": commands.keys_rotate,
        "identity": identity_commands.renew_identity,
    }
    return by_action.get(options.action, commands.keys_give_up)


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
