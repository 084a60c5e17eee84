"""How a fault program says what it tried: each check with how often it was tried and how often it failed; as JSON.

"0 in N tries" is what is claimed, never a proof.  Source: promises.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from schemas.strict_json import dump

Figure = str | int | float


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What must not happen, how often it could have, and how often it did."""

    what: str
    tries: int
    failed: int


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What one program counted.  ``figures``: measured, not promised; ``notes``: what the counts don't cover."""

    program: str
    title: str
    seed: int
    checks: list[Check]
    figures: dict[str, Figure]
    notes: list[str]
    runs: int = 1

    def add(self, earlier: Counts) -> Counts:
        """Return the sum of this run and *earlier* ones; the figures are this run's."""
        tries = {check.what: check for check in earlier.checks}
        checks = [
            Check(what=one.what, tries=one.tries + before.tries, failed=one.failed + before.failed)
            if (before := tries.pop(one.what, None))
            else one
            for one in self.checks
        ]
        return msgspec.structs.replace(self, checks=[*checks, *tries.values()], runs=self.runs + earlier.runs)

    @property
    def failed(self) -> list[Check]:
        """Return the checks that failed at least once, and those that were never tried."""
        return [check for check in self.checks if check.failed or not check.tries]


@dataclass
class Tally:
    """Counts while a program runs; ``chance`` is the only randomness that it uses."""

    program: str
    title: str
    seed: int
    figures: dict[str, Figure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._checks: dict[str, list[int]] = {}

    def hold(self, what: str, good: bool, example: object = "") -> None:
        """Count one try of *what*, and a failure unless *good*; *example* says which, for whoever looks for the fault."""
        self.hold_all(what, 1, 0 if good else 1, example)

    def hold_all(self, what: str, tries: int, failed: int, example: object = "") -> None:
        """Count *tries* of *what*, of which *failed* failed."""
        entry = self._checks.setdefault(what, [0, 0])
        entry[0] += tries
        entry[1] += failed
        if failed and len(self.examples) < 20:
            self.examples.append(f"{what}: {example}")

    def counts(self) -> Counts:
        """Return what was counted."""
        checks = [Check(what=what, tries=tries, failed=failed) for what, (tries, failed) in self._checks.items()]
        return Counts(
            program=self.program,
            title=self.title,
            seed=self.seed,
            checks=checks,
            figures=self.figures,
            notes=self.notes,
        )


Program = Callable[[Path, Tally, int], Awaitable[None]]


def run(name: str, title: str, program: Program, n: int) -> None:
    """Run a program's command: ``--n``, ``--seed``, ``--json``; print its counts as JSON, fail if a check failed."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--n", type=int, default=n, help=f"how many tries (default: {n})")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of all chance")
    parser.add_argument("--json", type=Path, help="also write the counts to this file")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to use (default: a temporary one)")
    args = parser.parse_args()
    tally = Tally(name, title, args.seed)
    with tempfile.TemporaryDirectory(prefix="hub-faults-", dir=args.folder) as folder:
        asyncio.run(program(Path(folder), tally, args.n))
    counts = tally.counts()
    print(msgspec.json.format(dump(counts), indent=2).decode())
    for example in tally.examples:
        print(example, file=sys.stderr)
    if args.json:
        args.json.write_bytes(dump(counts) + b"\n")
    sys.exit(1 if counts.failed else 0)


def load(path: Path) -> Counts:
    """Return the counts that a program wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Counts)
