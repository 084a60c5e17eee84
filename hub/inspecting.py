"""An inspector's question answered from an export alone: what was owed, what was received by the deadline, what is the proof.

Nothing is asked of the hub.  The export is verified from its first entry, the figures are counted again from what was verified,
and each record that was not received is named by the entries of the log that show it.

Source: protocol 5 (the clear figures) and 8; issue of the console (an inspector's journey).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from hub.core.statistics import Period, Rows, count, sector_of
from hub.verifier import Verifier, run_verifier, tell_verdict
from schemas.rules.counting import HasParties
from schemas.rules.figures import Figures
from schemas.rules.periods import days_of

_ABOUT_DUTIES: Final = frozenset({"obligation-opened", "obligation-settled", "obligation-reopened", "step-taken"})


class Question(NamedTuple):
    """What fell due in ``period``, of ``families`` (none: all), owed to ``sector`` (none: to anyone)."""

    period: Period
    families: frozenset[str] = frozenset()
    sector: str | None = None


def inspect_export(folder: Path, roots_path: Path, asked: Question) -> dict[str, Any]:
    """Return the verdict on the export in *folder*, the figures that follow from it, and where the proof of each gap is.

    ``verdict``: as ``hub.verifier`` tells it; ``figures``: at the export's last moment; ``gaps``: what was never sent, and what
    was sent and not taken, each with the entries (indices of leaves, which are lines of ``leaves.jsonl``) that speak of it.

    Raises:
        HubError: ``export``.
    """
    verifier = run_verifier(folder, roots_path)
    figures = _count(verifier, asked)
    wanted = {one.obligation for one in (*figures.missing, *figures.untaken)}
    entries = _find_entries(folder, wanted)
    gaps = [
        {"state": state, **msgspec.to_builtins(one), "entries": entries.get(one.obligation, [])}
        for state, rows in (("never sent", figures.missing), ("not taken", figures.untaken))
        for one in rows
    ]
    return {"verdict": tell_verdict(verifier), "figures": msgspec.to_builtins(figures), "gaps": gaps}


def _count(verifier: Verifier, asked: Question) -> Figures:
    index, rows = verifier.current, Rows(tuple(verifier.replay.duties()), tuple(verifier.replay.taken))
    if index is None:
        # Without a directory nothing was verified, and the verdict says so.
        rows, index = Rows((), ()), verifier.directories[0]
    find_sector = sector_of(index)
    days = {"days": days_of(verifier.rules[-1].agreement)} if verifier.rules else {}

    def keep(row: HasParties) -> bool:
        return asked.sector in (None, find_sector(row.creditor))

    return count(rows, asked.period, index, verifier.verdict.at, asked.families, keep=keep, **days)


def _find_entries(folder: Path, wanted: Iterable[str]) -> Mapping[str, list[int]]:
    """Return the indices of the leaves about each of the obligations *wanted*."""
    found: dict[str, list[int]] = {name: [] for name in wanted}
    with (folder / "leaves.jsonl").open("rb") as leaves:
        for index, line in enumerate(leaves):
            leaf = json.loads(line)
            if leaf.get("event") in _ABOUT_DUTIES and leaf.get("obligation") in found:
                found[leaf["obligation"]].append(index)
    return found
