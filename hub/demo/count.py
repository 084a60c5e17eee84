"""The figures, from the audit log's entries and the signed directory, and nothing else."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.core.statistics import Period, count, rows_from_leaves, sector_of
from hub.demo.drafts import instant
from hub.demo.log import Leaf
from keys import jws
from schemas.directory import DirectoryIndex, parse_directory
from schemas.rules.figures import Figures, Missing

FAMILY: Final = "minutes.full"
SECTOR: Final = "health"


def fetch_directory(url: str) -> DirectoryIndex:
    """Return the directory that the hub at *url* serves; here only sectors are read from it."""
    with urllib.request.urlopen(f"{url}/v1/directory", timeout=30) as answer:  # noqa: S310 - our own loopback address
        signed = json.loads(answer.read())
    return DirectoryIndex(parse_directory(jws.parse(signed[0].encode("ascii"), jws.DIRECTORY).payload))


def count_minutes(
    leaves: Sequence[Leaf], index: DirectoryIndex, start: int, end: int, now: int, sector: str | None = None
) -> Figures:
    """Return the figures at *now* for full minutes that fell due from *start* on and before *end*.

    *sector*: only what was owed to mailboxes of that sector.
    """
    find = sector_of(index)
    return count(
        rows_from_leaves(leaves),
        Period(start, end),
        index,
        now,
        (FAMILY,),
        keep=lambda row: sector in (None, find(row.creditor)),
    )


def describe(missing: Missing, references: Mapping[str, str], index: DirectoryIndex) -> dict[str, Any]:
    """Return one missing or untaken set of minutes for people: by discussion, not by thread."""
    return {
        "discussion": references.get(missing.thread, missing.thread),
        "type": missing.type,
        "debtor": missing.debtor,
        "creditor": missing.creditor,
        "sector": sector_of(index)(missing.creditor),
        "due": instant(missing.due),
        "obligation": missing.obligation,
    }
