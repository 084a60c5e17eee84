"""``hub audit verify-envelope``: the proof of one envelope's journey, checked without the hub."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hub.commands.options import in_words
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.journeys.verdict import Verdict

_LEVELS: Final = "collected: its gateway verified and opened it; filed: in its record system; opened and acknowledged: by a named person"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("proof", metavar="FILE", help="the .tar that the console's page of the envelope gives")
    parser.add_argument("--trust", metavar="FILE", required=True, help="trust.json, as the partnership handed it out")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check a proof and say what it shows; 1 if anything is wrong."""
    from hub.journeys.checking import check_journey, read_roots
    from hub.journeys.files import MAX_PROOF, read_tar

    try:
        with Path(args.proof).open("rb") as file:
            archive = file.read(MAX_PROOF + 1)
        trust = Path(args.trust).read_bytes()
    except OSError as error:
        raise HubError(
            "export", f"couldn't read {error.filename}: {error.strerror}", "name files that are there"
        ) from error
    verdict = check_journey(read_tar(archive), read_roots(trust))
    if args.json:
        print(json.dumps(describe(verdict)))
    else:
        _print(verdict)
    return 0 if verdict.holds else 1


def describe(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as plain values."""
    header = verdict.header
    return {
        "verified": verdict.holds,
        "envelope": verdict.envelope,
        "thread": header.thread if header else None,
        "type": header.type if header else None,
        "from": header.from_ if header else None,
        "to": list(header.to) if header else [],
        "accepted_at": verdict.accepted_at,
        "reached": [one._asdict() for one in verdict.reached],
        "size": verdict.size,
        "witnessed": verdict.is_witnessed,
        "quorum": verdict.quorum,
        "witnesses": list(verdict.witnesses),
        "checks": len(verdict.checks),
        "problems": [f"{one.code} {one.about}: {one.problem}".replace(" :", ":") for one in verdict.problems],
    }


def _print(verdict: Verdict) -> None:
    said = describe(verdict)
    print(
        f"envelope {said['envelope']}: {'every check holds' if verdict.holds else 'NOT PROVED'} ({said['checks']} checks)"
    )
    for problem in said["problems"]:
        print(f"  wrong: {problem}")
    if verdict.header is not None and verdict.accepted_at is not None:
        print(f"{said['type']} from {said['from']}, accepted {in_words(verdict.accepted_at)}")
        for mailbox in said["to"]:
            mine = [one for one in verdict.reached if one.mailbox == mailbox]
            print(
                f"  {mailbox}: {', '.join(f'{one.level} {in_words(one.at)}' for one in mine) or 'no receipt is proved'}"
            )
        print(f"({_LEVELS})")
    witnessed = f"by {said['quorum']}" if verdict.is_witnessed else "not witnessed"
    print(f"witnessed: {witnessed}; under the checkpoint over {said['size']} entries")
    print("that there is no other receipt, only a whole export shows: hub audit verify")
