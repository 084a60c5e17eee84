"""The demo's input: files that a person can open and change (``docs/examples/README.md`` says what they mean)."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from hub.demo.errors import DemoError

ZONE: Final = "Europe/London"
NEVER: Final = "never"
ATTENDANCE: Final = frozenset({"attended", "invited", "apologies", "no_response", "not_invited", "claimed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """What a practitioner did with what lay in the inbox, or an attendee who claims; ``at`` in UTC milliseconds."""

    act: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One mailbox that should have the minutes, and when each was sent to it; ``None``: never."""

    mailbox: str
    sector: str
    attendance: str
    decision_note: int | None
    full_minutes: int | None
    by_hand: ByHand | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    """One discussion: when, who chaired, the parties, its record (and what its envelope needs), and its minutes."""

    reference: str
    held_at: int
    kind: str
    chair: str
    parties: tuple[Party, ...]
    document: Mapping[str, Any]
    minutes: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One information sharing report; moments in UTC milliseconds."""

    reference: str
    sent_at: int
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An agency's gateway is off from ``since`` to ``until``."""

    agency: str
    since: int
    until: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarter:
    """Everything that the demo replays."""

    folder: Path
    partnership: Mapping[str, Any]
    agencies: tuple[Mapping[str, Any], ...]
    discussions: tuple[Discussion, ...]
    reports: tuple[Report, ...]
    outages: tuple[Outage, ...]

    def has_record_system(self, mailbox: str) -> bool:
        """Answer whether a case system files what comes for *mailbox*, rather than a person."""
        return bool(self._box(mailbox).get("record_system", True))

    def sectors(self, mailbox: str) -> tuple[str, ...]:
        """Return the roles of the agency of *mailbox*."""
        name = mailbox.partition("/")[0]
        return tuple(next(agency["roles"] for agency in self.agencies if agency["id"] == name))

    def _box(self, mailbox: str) -> Mapping[str, Any]:
        for agency in self.agencies:
            for box in agency["mailboxes"]:
                if box["id"] == mailbox:
                    return dict(box)
        raise DemoError(f"no agency has the mailbox {mailbox}", "add it to county.toml, or correct quarter.csv")


def local(text: str) -> int:
    """Return the UTC milliseconds of ``2026-07-06 10:30``, local time.

    Raises:
        DemoError: it isn't of that form.
    """
    try:
        when = datetime.strptime(text.strip(), "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(ZONE))
    except ValueError as error:
        raise DemoError(f"`{text}` is not a date and time", "write it as 2026-07-06 10:30") from error
    return int(when.timestamp()) * 1000


def show_local(at: int) -> str:
    """Return *at* as ``Mon 06 Jul 10:30``, local time."""
    return datetime.fromtimestamp(at / 1000, ZoneInfo(ZONE)).strftime("%a %d %b %H:%M")


def load_quarter(folder: Path) -> Quarter:
    """Return the input in *folder*.

    Raises:
        DemoError: a file is missing, or one of its lines can't be understood; it says which.
    """
    try:
        county = tomllib.loads((folder / "county.toml").read_text("utf-8"))
        quarter = Quarter(
            folder=folder,
            partnership=county["partnership"],
            agencies=tuple(county["agencies"]),
            discussions=tuple(_discussions(folder)),
            reports=tuple(_reports(folder)),
            outages=tuple(_outages(folder)),
        )
    except OSError as error:
        raise DemoError(f"couldn't read {error.filename}: {error.strerror}", "see docs/examples/README.md") from error
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        raise DemoError(f"an input file is not as it should be: {error}", "see docs/examples/README.md") from error
    for discussion in quarter.discussions:
        for mailbox in (discussion.chair, *(party.mailbox for party in discussion.parties)):
            quarter.has_record_system(mailbox)
    return quarter


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            if None in row or None in row.values():
                raise DemoError(
                    f"{path.name}, line {number}: too many or too few columns", "compare it with its first line"
                )
            if any(row.values()):
                yield number, {key: value.strip() for key, value in row.items()}


def _discussions(folder: Path) -> Iterator[Discussion]:
    found: dict[str, list[dict[str, str]]] = {}
    for number, row in _rows(folder / "quarter.csv"):
        if row["attendance"] not in ATTENDANCE:
            raise DemoError(
                f"quarter.csv, line {number}: no such attendance", "use one of: " + ", ".join(sorted(ATTENDANCE))
            )
        found.setdefault(row["discussion"], []).append(row)
    for reference, rows in found.items():
        first = rows[0]
        yield Discussion(
            reference=reference,
            held_at=local(first["held_at"]),
            kind=first["kind"],
            chair=first["chair"],
            parties=tuple(_party(row) for row in rows),
            document=json.loads((folder / "discussions" / f"{reference}.json").read_bytes()),
            minutes=folder / "minutes" / f"{reference}.pdf",
        )


def _party(row: Mapping[str, str]) -> Party:
    act, _, at = row["by_hand"].partition(" ")
    return Party(
        mailbox=row["party"],
        sector=row["sector"],
        attendance=row["attendance"],
        decision_note=_moment(row["decision_note"]),
        full_minutes=_moment(row["full_minutes"]),
        by_hand=ByHand(act=act, at=local(at)) if act else None,
    )


def _moment(text: str) -> int | None:
    return None if text == NEVER else local(text)


def _reports(folder: Path) -> Iterator[Report]:
    for path in sorted((folder / "reports").glob("*.json")):
        document = json.loads(path.read_bytes())
        yield Report(reference=document["reference"], sent_at=local(document["sent_at"]), document=document)


def _outages(folder: Path) -> Iterator[Outage]:
    path = folder / "outages.csv"
    for _, row in _rows(path) if path.exists() else ():
        yield Outage(agency=row["agency"], since=local(row["from"]), until=local(row["to"]), why=row["why"])
