"""The ``hub`` command.  Each group of commands is a module of ``hub.commands``, imported when it is named.

Source: TASTE 6 (voice).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Final, NamedTuple


class Group(NamedTuple):
    """One command group: its name, and what it does in a few words.  Its module has the group's name, `_` for `-`."""

    name: str
    summary: str


GROUPS: Final = (
    Group("init", "make a hub: its keys, the officers' keys, the first directory and agreement"),
    Group("agency", "add an agency, or end one"),
    Group("directory", "find what a directory leads to nobody with"),
    Group("ceremony", "what officers sign on machines of their own: drafted, signed, combined, published, recorded"),
    Group("safety-number", "the number that an officer and an agency compare by telephone"),
    Group("agreement", "publish the sharing agreement, or explain it in English"),
    Group("serve", "run the hub"),
    Group("people", "make the first accounts at the console"),
    Group("mesh", "let mailboxes use the MESH front door"),
    Group("report", "count what was owed, sent, taken and missing"),
    Group("audit", "verify, export or show the audit log"),
    Group("witness", "run an outside witness of a log"),
    Group("backup", "copy the database while the hub runs"),
    Group("demo", "show the main job on fictional data"),
)


def make_parser(load: Iterable[str] = ()) -> argparse.ArgumentParser:
    """Return the parser, complete for the groups named in *load*: the others need not be imported to be listed."""
    parser = argparse.ArgumentParser(
        prog="hub", description="Shows which child-protection minutes and reports are owed, sent, taken and missing."
    )
    groups = parser.add_subparsers(dest="group", metavar="COMMAND", required=True)
    wanted = set(load)
    for group in GROUPS:
        child = groups.add_parser(group.name, help=group.summary, description=f"{group.summary.capitalize()}.")
        if group.name in wanted:
            import_module(f"hub.commands.{group.name.replace('-', '_')}").add_arguments(child)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in *argv* and return its exit status: 0, 1 for a failure that is explained, 2 for misuse."""
    words = list(sys.argv[1:] if argv is None else argv)
    named = next((word for word in words if not word.startswith("-")), None)
    args = make_parser([named] if named in {group.name for group in GROUPS} else []).parse_args(words)
    try:
        return int(args.run(args) or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader went away (`hub audit show | head`): not an error, and nothing more can be written.
        sys.stderr.close()
        return 0
    except Exception as error:
        code = getattr(error, "code", None)
        message = getattr(error, "message", None)
        if not isinstance(code, str) or not isinstance(message, str):
            raise
        print(f"hub: {message}", file=sys.stderr)
        if hint := getattr(error, "hint", ""):
            print(f"hint: {hint}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
