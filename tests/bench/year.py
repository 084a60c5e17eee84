"""A year of a county at the console: what each page of figures costs the hub in processor time.

    python -m tests.bench.year --n 200000

``--n`` envelopes and five receipts of each lie in the database with what is owed for them, the figures added up as the
follower does it; then each page is asked for over HTTP.  Asking costs time too, and is part of the figure.

Source: promises 4.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from hub import figures
from hub.registry import Snapshot
from hub.store.base import Store, open_store
from hub.store.rows import EnvelopeRow, ObligationRow, ReceiptRow
from hub.store.transaction import Transaction
from keys import digests
from schemas.agreement import Answer
from schemas.identifiers import Moment
from schemas.rules.duty import Duty, State
from tests.bench.figures import Cell, Figures, Goal, machine, median, run
from tests.bench.stand import folder_of
from tests.console.support import Seat, seat
from tests.county import AGENCIES, CAIT, DAY, MASH, NURSES, OFFICERS, PAEDIATRICS, START, Agencies, County
from tests.web.support import open_site

ENVELOPES_A_THREAD: Final = 5
FAMILIES: Final = ("meeting.held", "minutes.decisions", "minutes.full", "action.update", "referral.outcome")
CHUNK: Final = 32
SCHOOLS: Final = 30
YEAR: Final = 365 * DAY
_NAMES: Final = [f"sampleton-school-{number}" for number in range(SCHOOLS)]
COUNTY: Final[Agencies] = {
    **AGENCIES,
    **{name: (("education",), ((f"{name}/safeguarding-lead", (), None),)) for name in _NAMES},
}
PAGES: Final = (
    "/console?from=2026-07&to=2027-06",
    "/console?from=2026-07&to=2027-06&type=every",
    "/console?from=2026-07&to=2027-06&type=minutes.full&sector=health",
    "/console/coverage?from=2026-07&to=2027-06",
    "/console/reports/quarter?quarter=2026-Q4",
    "/console/reports/quarter.csv?quarter=2026-Q4",
    "/console/reports/quarter.pdf?quarter=2026-Q4",
)


class Rows:
    """What one thread has in the database, and the scope that its figures are of."""

    def __init__(self, number: int, at: Moment, chance: random.Random) -> None:
        self.thread = digests.new_id(at)
        self.envelopes: list[EnvelopeRow] = []
        self.receipts: list[ReceiptRow] = []
        self.obligations: list[ObligationRow] = []
        school = f"{chance.choice(_NAMES)}/safeguarding-lead"
        parties = chance.sample([CAIT, NURSES, PAEDIATRICS, OFFICERS, school], 4)
        for place, family in enumerate(FAMILIES):
            self._send(number * ENVELOPES_A_THREAD + place, family, parties, at + place * DAY, chance)

    def _send(self, number: int, family: str, parties: list[str], at: Moment, chance: random.Random) -> None:
        name = digests.new_id(at)
        self.envelopes.append(_envelope(name, self.thread, family, at, 10_000_000 + number))
        # Of full minutes, health is sent a quarter, as it was found in 2018.
        got = [box for box in parties if family != "minutes.full" or box in (CAIT, OFFICERS) or chance.random() < 0.25]
        for box in parties:
            state: State = "open" if box not in got else "met" if chance.random() < 0.9 else "met_late"
            self._owe("send", family, box, at + 5 * DAY, state, name, at)
        for place, box in enumerate(got):
            taken = chance.random() < 0.95
            self._owe("receipt", family, box, at + 2 * DAY, "met" if taken else "open", name, at)
            for level in ("collected", "filed")[: 1 + (place < 2)] if taken else ():
                row = ReceiptRow(digests.new_id(at), name, box, level, None, None, at, at + place, b"receipt", number)
                self.receipts.append(row)

    def _owe(self, kind: str, family: str, box: str, due: Moment, state: State, envelope: str, at: Moment) -> None:
        sends = kind == "send"
        duty = Duty(
            rule=f"{family.replace('.', '-')}-{kind}",
            thread=self.thread,
            debtor=MASH if sends else box,
            creditor=box if sends else MASH,
            item="" if sends else envelope,
            kind="send" if sends else "receipt",
            answers=(Answer(types=(family,)),),
            envelope=envelope,
            moment=at,
            due=due,
            agreement=1,
        )
        settled = state != "open"
        self.obligations.append(
            ObligationRow(
                id=digests.obligation_id(duty.parts), duty=duty, state=state, opened_at=at, step=0, next_at=None,
                settled_at=at if settled else None, settled_by=envelope if settled else None,
            )
        )  # fmt: skip


def _envelope(name: str, thread: str, family: str, at: Moment, index: int) -> EnvelopeRow:
    return EnvelopeRow(
        id=name, thread=thread, type=f"{family}/1", sender=MASH, header=b"header", wraps=b"wraps", acceptance=b"",
        header_sha256="A" * 43, sealed_sha256="A" * 43, length=1, opening="A" * 43, variant="", at=at, accepted_at=at,
        index=index, keep_until=at + 400 * DAY,
    )  # fmt: skip


def make_threads(envelopes: int) -> Iterator[Rows]:
    """Yield the threads of a year with *envelopes* in all, evenly spread."""
    chance, count = random.Random(2018), max(1, envelopes // ENVELOPES_A_THREAD)
    for number in range(count):
        yield Rows(number, START + number * YEAR // count, chance)


def _add(tx: Transaction, rows: Rows) -> None:
    for envelope in rows.envelopes:
        tx.add_envelope(envelope, b"")
    for receipt in rows.receipts:
        tx.add_receipt(receipt)
    tx.add_obligations(rows.obligations)


def _count(tx: Transaction, maker: figures.Maker, chunk: list[Rows]) -> figures.Round:
    """Return what a round of the follower finds after a leaf about each thread of *chunk*."""
    scopes = {one: figures.count_scope(tx, one, maker) for one in (figures.Scope(rows.thread) for rows in chunk)}
    basis = msgspec.json.encode(maker.basis).decode()
    return figures.Round(tx.figure_place(), 0, basis, forget=False, scopes=scopes, named=())


async def fill(store: Store, snapshot: Snapshot, envelopes: int) -> dict[str, Cell]:
    """Write a year and add its figures up; return how much there is, and what adding up cost for each thread."""
    maker = figures.Maker.of(snapshot, START + YEAR)
    threads, counts, spent = make_threads(envelopes), [0, 0, 0], 0.0
    while chunk := [rows for _, rows in zip(range(CHUNK), threads, strict=False)]:
        await store.write(lambda tx, chunk=chunk: [_add(tx, rows) for rows in chunk])  # type: ignore[misc]
        started = time.process_time()
        found = await store.read(lambda tx, chunk=chunk: _count(tx, maker, chunk))  # type: ignore[misc]
        await store.write(lambda tx, found=found: figures.keep(tx, found))  # type: ignore[misc]
        spent += time.process_time() - started
        counts[0] += sum(len(rows.envelopes) for rows in chunk)
        counts[1] += sum(len(rows.receipts) for rows in chunk)
        counts[2] += len(chunk)
    return {
        "envelopes": counts[0],
        "receipts": counts[1],
        "threads": counts[2],
        "adding up, µs a thread": spent / counts[2] * 1e6,
    }


async def ask(person: Seat, path: str, rounds: int) -> tuple[float, int]:
    """Return the processor time of *path* in milliseconds, the median of *rounds*, and how long the answer is."""
    spent = []
    for _ in range(rounds + 1):
        started = time.process_time()
        answer = await person.get(path)
        spent.append((time.process_time() - started) * 1000)
        assert answer.status == 200, answer.body[:500]
    return median(spent[1:]), len(answer.body)


async def measure_pages(folder: Path, envelopes: int, rounds: int) -> list[dict[str, Cell]]:
    """Return what each page costs over a year of *envelopes*."""
    store = open_store(f"sqlite:///{folder}/year.db")
    try:
        county = County(agencies=COUNTY)
        async with open_site(store, folder, county=county) as site:
            filled = await fill(store, site.hub.registry.snapshot, envelopes)
            county.now = START + YEAR
            person = await seat(site, "governance")
            rows: list[dict[str, Cell]] = []
            for path in PAGES:
                milliseconds, length = await ask(person, path, rounds)
                rows.append({"page": path, "hub CPU, ms": milliseconds, "bytes": length, **filled})
            return rows
    finally:
        await store.close()


def measure(args: argparse.Namespace) -> Figures:
    """Return the figures of a year with ``--n`` envelopes."""
    with folder_of(args.folder) as folder:
        rows = asyncio.run(measure_pages(folder, args.n, args.rounds))
    goals = [
        Goal(name=str(row["page"]), limit=200, measured=float(row["hub CPU, ms"]), unit="ms of CPU") for row in rows
    ]
    return Figures(
        program="year",
        title="Pages of figures over a year of a county",
        machine=machine(),
        rows=rows,
        goals=goals,
        notes=["Processor time of hub and asker together, in one process; the first of each page is not counted."],
    )


if __name__ == "__main__":
    run(__doc__.partition("\n")[0], 200_000, measure)
