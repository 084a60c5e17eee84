"""What one envelope costs against agreements of 10, 100 and 500 rules.

    python -m tests.bench.rules

Source: promises 4; design 6 (time limits in words).
"""

from __future__ import annotations

import argparse
import itertools
from typing import Final

import msgspec

from schemas.agreement import Agreement, parse_agreement
from schemas.directory import DirectoryIndex, parse_directory
from schemas.envelope import Header
from schemas.rules.compiled import Rules
from schemas.rules.planning import plan_envelope
from tests.bench.figures import Cell, Figures, Goal, machine, microseconds, run
from tests.county import CAIT, MASH, NURSES, OFFICERS, START, County

SIZES: Final = (10, 100, 500)


def agreement_of(reference: Agreement, size: int) -> Agreement:
    """Return *reference* with exactly *size* rules: types are left out, or come again under other names."""
    types, count = {}, 0
    first = ("meeting.held", "minutes.full")
    names = [*first, *(name for name in reference.types if name not in first)]
    for turn, name in ((turn, name) for turn in itertools.count() for name in names):
        terms = reference.types[name]
        opens = terms.opens[: size - count]
        receipts = terms.receipts[: size - count - len(opens)]
        count += len(opens) + len(receipts)
        types[f"{name}.{turn}" if turn else name] = msgspec.structs.replace(terms, opens=opens, receipts=receipts)
        if count == size:
            break
    return msgspec.structs.replace(reference, types=types)


def headers(county: County) -> dict[str, Header]:
    """Return a header that opens duties to send, and one that opens a duty to take receipt."""
    meeting = county.seal(
        "meeting.held/1", MASH, [CAIT], facts={"meeting": "strategy"}, parties=[CAIT, NURSES, OFFICERS]
    )
    return {"meeting held": meeting.header, "full minutes": county.seal("minutes.full/1", MASH, [NURSES]).header}


def measure(args: argparse.Namespace) -> Figures:
    """Return the figures of each size; ``--n`` is the largest."""
    county = County()
    reference = parse_agreement(county.agreement())
    directory = DirectoryIndex(parse_directory(county.directory()))
    rows: list[dict[str, Cell]] = []
    for size in (size for size in SIZES if size <= args.n):
        rules = Rules(agreement_of(reference, size))
        for name, header in headers(county).items():
            opened = plan_envelope(header, rules, directory, (), list, START).opened

            def plan(rules: Rules = rules, header: Header = header) -> object:
                return plan_envelope(header, rules, directory, (), list, START)

            rows.append({"rules": size, "envelope": name, "duties opened": len(opened), "µs": microseconds(plan)})
    worst = max(float(row["µs"]) for row in rows)
    return Figures(
        program="rules",
        title="One envelope against an agreement",
        machine=machine(),
        rows=rows,
        goals=[Goal(name="the costliest of these", limit=100, measured=worst, unit="µs")],
        notes=["Pure computation: which duties it opens, for whom and by when; nothing is stored."],
    )


if __name__ == "__main__":
    run(__doc__.partition("\n")[0], SIZES[-1], measure)
