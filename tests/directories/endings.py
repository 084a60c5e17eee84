"""Agencies and teams of the county in memory that end, one directory version after another."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.directory import AgencyEntry, Successor
from tests.county import POLICE, PROBATION, Desk

# Who takes over from an agency that is divided in two.
SPLIT = (f"{PROBATION}:north", f"{POLICE}:south")


async def end_agency(desk: Desk, agency: str, *heirs: str, at: int | None = None, **changes: Any) -> None:
    """Publish that *agency* ends, now unless told otherwise, with *heirs*: ``id``, or ``id:part`` where there are several."""
    named = [heir.partition(":") for heir in heirs]
    successors = tuple(Successor(agency=name, split=part or None) for name, _, part in named)
    await change_agency(desk, agency, valid_to=desk.county.now if at is None else at, successors=successors, **changes)


async def end_team(desk: Desk, mailbox: str, **changes: Any) -> None:
    """Publish that the team *mailbox* ends now, and what else *changes* say of it."""
    agency = mailbox.partition("/")[0]
    entry = desk.registry.snapshot.directory.find_agency(agency)
    assert entry is not None
    closed: dict[str, Any] = {"valid_to": desk.county.now, **changes}
    boxes = tuple(msgspec.structs.replace(box, **closed) if box.id == mailbox else box for box in entry.mailboxes)
    await change_agency(desk, agency, mailboxes=boxes)


async def change_agency(desk: Desk, agency: str, **changes: Any) -> None:
    """Publish the next directory, in which the entry of *agency* is as *changes* say and all others are as they were."""

    def changed(entry: AgencyEntry) -> AgencyEntry:
        return msgspec.structs.replace(entry, **changes) if entry.id == agency else entry

    await desk.registry.refresh(desk.store)
    agencies = desk.registry.snapshot.directory.directory.agencies
    await desk.next_directory(agencies=tuple(map(changed, agencies)))
