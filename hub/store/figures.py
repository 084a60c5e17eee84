"""Verbs of the figures that are added up as the log grows, and of when each agency's gateway was last seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import starmap
from typing import NamedTuple

import msgspec

from hub.store.session import Session, pack, unpack
from schemas.rules.duty import Duty

_duty = msgspec.json.Decoder(Duty).decode


class Sum(NamedTuple):
    """``amount`` units (or records) of one kind; it counts in a period that holds ``low`` and ``high``."""

    low: int
    high: int
    bucket: int
    family: str
    creditor: str
    debtor: str
    facts: int
    amount: int


class Waiting(NamedTuple):
    """A sum of one part in which somebody still has something to do, and is late after ``until``."""

    thread: str
    item: str
    sum: Sum
    until: int
    obligation: str
    due: int


class Named(NamedTuple):
    """How often ``sender`` sent ``agency`` something of a family in a month, and named it as a party to something."""

    month: int
    family: str
    agency: str
    sender: str
    sent: int
    named: int


def figure_place(tx: Session) -> tuple[int, str]:
    """Return how many leaves the figures count, and their basis; nothing is counted before the first."""
    return next(((size, basis) for size, basis in tx.connection.rows("figure_place")), (0, ""))


def set_figure_place(tx: Session, size: int, basis: str) -> None:
    """Record that *size* leaves are counted, on *basis*."""
    tx.connection.run("set_figure_place", {"size": size, "basis": basis})


def add_figures(tx: Session, grain: int, sums: Iterable[Sum]) -> None:
    """Add *sums* to those of *grain*, and forget those that are nought then."""
    tx.connection.run_many("add_figure", ({"grain": grain, **one._asdict()} for one in sums))


def drop_empty_figures(tx: Session) -> None:
    """Forget every sum that is nought."""
    tx.connection.run("drop_empty_figures")


def figure_sums(tx: Session, grain: int, first: int, past: int) -> Iterator[Sum]:
    """Return the sums of *grain* whose spans lie from *first* to before *past*."""
    return starmap(Sum, tx.connection.rows("figure_sums", {"grain": grain, "first": first, "past": past}))


def find_figure_part(tx: Session, thread: str, item: str) -> bytes | None:
    """Return what *thread* (of what recurs: its period *item*) has put into the sums."""
    values = {"thread": pack(thread), "item": item}
    return next((parts for (parts,) in tx.connection.rows("find_figure_part", values)), None)


def set_figure_part(tx: Session, thread: str, item: str, parts: bytes, waiting: Iterable[Waiting]) -> None:
    """Replace what *thread* has put into the sums, and which of it waits."""
    scope = {"thread": pack(thread), "item": item}
    tx.connection.run("set_figure_part", {**scope, "parts": parts})
    tx.connection.run("drop_figures_waiting", scope)
    tx.connection.run_many(
        "add_figure_waiting",
        (
            {
                **scope,
                **one.sum._asdict(),
                "place": place,
                "until": one.until,
                "obligation": pack(one.obligation),
                "due": one.due,
            }
            for place, one in enumerate(waiting)
        ),
    )


def figures_waiting_from(tx: Session, until: int) -> Iterator[Waiting]:
    """Return what nobody is late with yet at *until*."""
    return _waiting(tx, "figures_waiting_from", {"until": until})


def figures_waiting_between(tx: Session, first: int, past: int) -> Iterator[Waiting]:
    """Return what waits, late or not, whose span lies from the day *first* to before *past*."""
    return _waiting(tx, "figures_waiting_between", {"first": first, "past": past})


def _waiting(tx: Session, query: str, values: dict[str, int]) -> Iterator[Waiting]:
    for thread, item, *of, until, obligation, due in tx.connection.rows(query, values):
        yield Waiting(unpack(thread), item, Sum(*of), until, unpack(obligation), due)


def periods_met_in(tx: Session, thread: str) -> list[tuple[str, Duty]]:
    """Return the recurring duties that messages of *thread* met, each with the thread that it is in itself."""
    return [(unpack(own), _duty(duty)) for own, duty in tx.connection.rows("periods_met_in", {"thread": pack(thread)})]


def forget_figures(tx: Session) -> None:
    """Forget everything that was added up."""
    tx.connection.run("forget_figure_sums")
    tx.connection.run("forget_figure_parts", {"first": b""})
    tx.connection.run("forget_figures_waiting", {"first": b""})
    tx.connection.run("forget_named")


def add_named(tx: Session, rows: Iterable[Named]) -> None:
    """Add *rows* to what was counted of their month, family, agency and sender."""
    tx.connection.run_many("add_named", (row._asdict() for row in rows))


def named(tx: Session, first: int, past: int) -> Iterator[Named]:
    """Return who was sent, and named in, how much in the months from *first* to before *past*."""
    return starmap(Named, tx.connection.rows("named", {"first": first, "past": past}))


def see_agencies(tx: Session, seen: Iterable[tuple[str, int]]) -> None:
    """Record when agencies' gateways were seen; what is older than known changes nothing."""
    tx.connection.run_many("see_agency", ({"agency": agency, "at": at} for agency, at in seen))


def agencies_seen(tx: Session) -> dict[str, int]:
    """Return when each agency's gateway was last seen; who never was is not in it."""
    return dict(tx.connection.rows("agencies_seen"))
