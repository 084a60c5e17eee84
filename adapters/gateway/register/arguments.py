"""What can be said to `gateway register`; apart from what it does, so that a command line starts at once."""

from __future__ import annotations

from typing import Any


def add_register(register: Any, add: Any) -> None:
    """Add the actions of `gateway register` to its parser."""
    actions = register.add_subparsers(dest="action", required=True, metavar="ACTION")
    add("show", "show what the register has of a child, and who it is", actions).add_argument("child", metavar="CHILD")
    listed = add("list", "list whom a pattern of the agreement holds for, by reference", actions)
    listed.add_argument("name", metavar="NAME", help="the pattern's name")
    add("candidates", "list pairs of records that may be one child's", actions)
    for name, summary in (
        ("merge", "confirm that two records are one child's; a second person must too"),
        ("unmerge", "say that two records are two children's"),
    ):
        action = add(name, summary, actions)
        action.add_argument("children", nargs=2, metavar="CHILD")
        action.add_argument("--actor", required=True, help="who says so: kept as a pseudonym")
        action.add_argument("--role", required=True, help="in which role")
    agenda = add("agenda", "draw up a meeting's agenda from what is open", actions)
    agenda.add_argument("--meeting", required=True, metavar="KIND", help="the kind of meeting: top_risk, core_group, …")
    agenda.add_argument("--starts", required=True, metavar="TIME", help="when it starts, as 2026-07-06T08:00:00Z")
    agenda.add_argument("--meeting-id", metavar="ID", help="the meeting's id (default: a new one)")
    agenda.add_argument("--child", action="append", default=[], help="whose open work; may be repeated")
    agenda.add_argument("--thread", action="append", default=[], help="of which threads; may be repeated")
    agenda.add_argument(
        "--standing", action="append", default=[], metavar="TITLE", help="a standing item; may be repeated"
    )
    agenda.add_argument("--from", dest="sender", metavar="MAILBOX", help="from which mailbox the agenda goes out")
    agenda.add_argument("--basis", action="append", default=[], metavar="CODE", help="on what basis; may be repeated")
    agenda.add_argument("--draft", metavar="FILE", help="where to write the draft, for `gateway send`")
    add("rebuild", "make the register's entries anew from what it and the spool hold", actions)
