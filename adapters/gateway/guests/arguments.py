"""What can be said to `gateway guests`; apart from what it does, so that a command line starts at once."""

from __future__ import annotations

from typing import Any


def add_guests(guests: Any, add: Any) -> None:
    """Add the actions of `gateway guests` to its parser."""
    actions = guests.add_subparsers(dest="action", required=True, metavar="ACTION")
    added = add("add", "add somebody who is sent links; names and addresses are kept encrypted", actions)
    added.add_argument("--name", required=True, help="who it is")
    added.add_argument(
        "--role", required=True, help="the professional role, as receipts say it: general_practitioner, …"
    )
    added.add_argument("--variant", required=True, metavar="READER", help="what is shown: gp, reference or agency:CODE")
    added.add_argument("--phone", default="", help="on which number the desk calls back")
    add("list", "list the guests, and the links that wait", actions)
    removed = add("remove", "end a guest; every link of theirs is dead", actions)
    sent = add("send", "send a new link; the one before is dead", actions)
    sent.add_argument("envelope", metavar="ENVELOPE", help="to what")
    sent.add_argument("email", metavar="EMAIL", nargs="?", help="to whom (default: every guest of the mailbox)")
    code = add("code", "print the code of a link once, to be read out over the telephone", actions)
    code.add_argument("--envelope", metavar="ID", help="of the link to this one (default: the one that waits)")
    enrol = add("enrol", "print the secret for an authenticator app once; the one before ends", actions)
    for action in (added, removed, code, enrol):
        action.add_argument("email", metavar="EMAIL", help="the guest's address")
    for action in (added, removed, code, enrol, sent):
        action.add_argument("--mailbox", required=action is added, help="the guests' mailbox")
    for action in (added, removed):
        action.add_argument("--by", required=True, metavar="LOGIN", help="the administrator who does it")
    for action in (sent, code, enrol):
        action.add_argument("--by", required=True, metavar="LOGIN", help="who of the desk's team does it")
