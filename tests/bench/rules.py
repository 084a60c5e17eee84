"""What one envelope costs against agreements of 10, 100 and 500 rules.

    python -m tests.bench.rules

Source: promises 4; design 6 (time limits in words).
"""

from __future__ import annotations

import argparse
import itertools
from typing import Final

import msgspec

from keys import digests
from schemas.agreement import Agreement, parse_agreement
from schemas.directory import DirectoryIndex, parse_directory
from schemas.envelope import DAY, Header
from schemas.rules.compiled import Rules
from schemas.rules.planning import Owed, plan_envelope
from schemas.rules.recurring import open_recurring
from tests.bench.figures import Cell, Figures, Goal, machine, microseconds, run
from tests.county import CAIT, EXAMPLES, MASH, NURSES, OFFICERS, START, County

SIZES: Final = (10, 100, 500)
MONTH: Final = 28 * DAY


def agreement_of(reference: Agreement, size: int) -> Agreement:
    """Return *reference* with exactly *size* rules: types are left out, or come again under other names."""
    types, count = {}, 0
    first = ("minutes.full", "meeting.held")
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
    """Return a header that opens duties to send, and one that meets one of them and opens a duty to take receipt."""
    meeting = county.seal(
        "meeting.held/1", MASH, [CAIT], facts={"meeting": "strategy"}, parties=[CAIT, NURSES, OFFICERS]
    )
    facts, thread = {"variant": "full"}, meeting.header.thread
    minutes = county.seal("minutes.full/1", MASH, [NURSES], thread=thread, facts=facts)
    return {"meeting held": meeting.header, "full minutes": minutes.header}


def owed_before(rules: Rules, directory: DirectoryIndex, meeting: Header, header: Header) -> list[Owed]:
    """Return the open duties that *header* is held against: what *meeting* opened, and the recurring ones of four weeks."""
    opened = () if header is meeting else rules.open_duties(meeting, directory, START)
    periods = open_recurring((rules,), directory, START - MONTH, START)
    threads = rules.recurring_threads(header.type)
    known = [*opened, *(duty for duty in periods if duty.thread in threads)]
    return [Owed(digests.obligation_id(duty.parts), duty) for duty in known]


def measure(args: argparse.Namespace) -> Figures:
    """Return the figures of each size; ``--n`` is the largest."""
    county = County(whole=True)
    # As if agreed long ago, so that periods have begun.
    reference = msgspec.structs.replace(
        parse_agreement(county.agreement(text=(EXAMPLES / "agreement.toml").read_text())), issued=0
    )
    directory = DirectoryIndex(parse_directory(county.directory()))
    rows: list[dict[str, Cell]] = []
    for size in (size for size in SIZES if size <= args.n):
        rules = Rules(agreement_of(reference, size))
        envelopes = headers(county)
        for name, header in envelopes.items():
            owed = owed_before(rules, directory, envelopes["meeting held"], header)
            planned = plan_envelope(header, rules, directory, owed, list, START)

            def plan(rules: Rules = rules, header: Header = header, owed: list[Owed] = owed) -> object:
                return plan_envelope(header, rules, directory, owed, list, START)

            row: dict[str, Cell] = {"rules": size, "envelope": name, "owed before": len(owed)}
            row |= {"duties opened": len(planned.opened), "settled": len(planned.settled), "µs": microseconds(plan)}
            rows.append(row)
    worst = max(float(row["µs"]) for row in rows)
    return Figures(
        program="rules",
        title="One envelope against an agreement",
        machine=machine(),
        rows=rows,
        goals=[Goal(name="the costliest of these", limit=100, measured=worst, unit="µs")],
        notes=[
            "Pure computation: which duties it settles, and which it opens, for whom and by when; nothing is stored."
        ],
    )


if __name__ == "__main__":
    run(__doc__.partition("\n")[0], SIZES[-1], measure)
