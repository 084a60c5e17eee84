"""The arguments of `gateway atrisk`; what they do is in ``commands``, which a command line need not load to parse."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable


def add_commands(atrisk: ArgumentParser, add: Callable[..., ArgumentParser]) -> None:
    """Add the actions to the parser of `gateway atrisk`."""
    actions = atrisk.add_subparsers(dest="action", required=True, metavar="ACTION")
    publish = add("publish", "police: publish the next version of the at-risk list", actions)
    publish.add_argument("file", metavar="FILE", help="the list with identifiers, .csv or .json; delete it afterwards")
    _add_person(publish)
    withdraw = add("withdraw", "police: take the list back, so that it answers nothing any more", actions)
    withdraw.add_argument(
        "--reason", required=True, choices=("error", "misdirected", "compromised", "expired"), help="why"
    )
    _add_person(withdraw)
    attend = add("attend", "clinic: check attendances of under-18s against the list", actions)
    attend.add_argument("file", metavar="FILE", nargs="?", default="-", help="JSON; `-`, the default: standard input")
    attend.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="how long to wait for the answer")
    add("answer", "clinic: say what is known of an attendance", actions).add_argument("attendance", metavar="REFERENCE")
    add("read", "clinic: show a match to a clinician", actions).add_argument("match", metavar="MATCH")
    contact = add("contact", "clinic: send what a clinician wrote to a match's contact", actions)
    contact.add_argument("match", metavar="MATCH")
    contact.add_argument("file", metavar="FILE", help="the message that they wrote, JSON")
    contact.add_argument("--type", default="info.report/1", help="its type (default: info.report/1)")
    contact.add_argument(
        "--basis", action="append", required=True, metavar="CODE", help="lawful basis; may be repeated"
    )
    _add_person(contact)
    add("coverage", "clinic: count how many attendances of under-18s were checked, by month", actions)
    add("status", "show the versions of the list here and whether they answer", actions)


def _add_person(parser: ArgumentParser) -> None:
    parser.add_argument("--by", required=True, metavar="NAME", help="who: the name stays here, a pseudonym goes out")
    parser.add_argument("--role", required=True, help="in which role")
