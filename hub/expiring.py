"""What ends within 60 days, so that somebody renews it before it does.

Source: issue of the console (expiry warnings 60 days ahead).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from hub.core.authenticity import KeyFact
from hub.registry import Snapshot
from hub.store.people_rows import ProgramRow
from schemas.envelope import DAY
from schemas.identifiers import AgencyId, Moment

AHEAD: Final = 60 * DAY
# A sealing key lives for 32 days and is replaced by itself a day or two before: only what that left undone is told.
SEALS_AHEAD: Final = 1 * DAY
Kind = Literal["directory", "agreement", "calendar", "key", "agency", "mailbox", "program", "certificate"]


class Expiry(NamedTuple):
    """One end: of what, whose or which, when, and what is to be done."""

    kind: Kind
    name: str
    at: Moment
    do: str


def find_expiring(
    snapshot: Snapshot, programs: Iterable[ProgramRow], certificates: Iterable[tuple[str, Moment]], now: Moment
) -> list[Expiry]:
    """Return what ends before *now* + 60 days, the first to end first; what has ended and matters is among it."""
    found = [
        *_of_documents(snapshot, now),
        *_of_keys(snapshot, now),
        *_of_agencies(snapshot, now),
        *(
            Expiry("program", one.name, one.until, "give the program a new token")
            for one in programs
            if now < one.until <= now + AHEAD
        ),
        *(
            Expiry("certificate", name, at, "renew it, and have the proxy serve it")
            for name, at in certificates
            if at <= now + AHEAD
        ),
    ]
    return sorted(found, key=lambda one: (one.at, one.kind, one.name))


def _of_documents(snapshot: Snapshot, now: Moment) -> Iterator[Expiry]:
    directory, agreement = snapshot.directory.directory, snapshot.rules_at(now).agreement
    if directory.expires <= now + AHEAD:
        yield Expiry("directory", f"version {directory.version}", directory.expires, "have officers sign the next one")
    for name, calendar in agreement.calendars.items():
        end = int(datetime.fromisoformat(calendar.last).replace(tzinfo=UTC).timestamp() * 1000) + DAY
        if end <= now + AHEAD:
            yield Expiry("calendar", name, end, "publish an agreement with later dates")


def _of_keys(snapshot: Snapshot, now: Moment) -> Iterator[Expiry]:
    """Yield the last key of each agency or mailbox for each use, if it ends soon: without it that stops."""
    last: dict[tuple[AgencyId, str | None, str], KeyFact] = {}
    for fact in snapshot.keys.values():
        if fact.state == "active" and not fact.suspended:
            place = (fact.agency, fact.mailbox, fact.use)
            if place not in last or fact.expires > last[place].expires:
                last[place] = fact
    for (agency, mailbox, use), fact in last.items():
        ahead = SEALS_AHEAD if use == "seal" else AHEAD
        if fact.expires <= now + ahead and not snapshot.directory.has_agency_ended(agency, now):
            words = {"sign": "signing key", "seal": "sealing key", "witness": "witness key"}[use]
            yield Expiry("key", f"{words} of {mailbox or agency}", fact.expires, "the agency publishes the next one")


def _of_agencies(snapshot: Snapshot, now: Moment) -> Iterator[Expiry]:
    for agency in snapshot.directory.directory.agencies:
        if agency.valid_to is not None and now < agency.valid_to <= now + AHEAD:
            yield Expiry("agency", agency.id, agency.valid_to, "see who takes over, and what is open")
        for box in agency.mailboxes:
            if box.valid_to is not None and now < box.valid_to <= now + AHEAD:
                yield Expiry("mailbox", box.id, box.valid_to, "see who takes over, and what is open")
