"""What can be said to `gateway people`; apart from what it does, so that a command line starts at once."""

from __future__ import annotations

from typing import Any

DUTIES = "practitioner, manager, reviewer or administrator"


def add_people(people: Any, add: Any) -> None:
    """Add the actions of `gateway people` to its parser."""
    actions = people.add_subparsers(dest="action", required=True, metavar="ACTION")
    added = add("add", "add an account; prints the code with which its person begins", actions)
    added.add_argument("login", metavar="LOGIN", help="a work e-mail address, or a name without spaces")
    added.add_argument("--name", required=True, help="who it is")
    added.add_argument("--role", required=True, help="the professional role, as receipts say it: school_nurse, …")
    added.add_argument("--duty", action="append", required=True, help=f"here as {DUTIES}; may be repeated")
    added.add_argument("--team", action="append", default=[], metavar="MAILBOX", help="a team; may be repeated")
    added.add_argument("--email", default="", help="where notifications go (default: the login, if it is an address)")
    add("list", "list the accounts", actions)
    changed = add("set", "change an account; what isn't given stays", actions)
    changed.add_argument("--role", help="the professional role")
    changed.add_argument("--duty", action="append", help="all that they are here as; may be repeated")
    changed.add_argument("--team", action="append", metavar="MAILBOX", help="all their teams; may be repeated")
    password = add("password", "print a new code; password, passkeys and sessions end", actions)
    leave = add("leave", "end an account at once; what they held is nobody's", actions)
    back = add("return", "begin the account of somebody who had left again; prints a code", actions)
    sessions = add("sessions", "count the sessions of an account, or end them", actions)
    sessions.add_argument("--end", action="store_true", help="end them all")
    for action in (changed, password, leave, back, sessions):
        action.add_argument("login", metavar="LOGIN", help="whose account")
    for action in (added, changed, password, leave, back, sessions):
        action.add_argument("--by", metavar="LOGIN", help="the administrator who does it; needed once there is one")
