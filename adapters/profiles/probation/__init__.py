"""Probation's case management: enquiries about adults, checks before a sentence, referrals.

``mapping.json`` says which of its records are which messages; ``guidance.json`` is what every grade of officer is shown before a
referral.

Source: docs/agencies/probation.md; domain 2 (systems 4, 13, 24).
"""

from __future__ import annotations

from typing import ClassVar

from adapters.base import Manifest
from adapters.profiles.adapter import RecordsAdapter


class ProbationAdapter(RecordsAdapter):
    """A probation area's own records."""

    manifest: ClassVar[Manifest] = Manifest(
        name="probation",
        title="Probation: case management",
        transports=("https",),
        levels=("full", "reference_only"),
        network=True,
        reads=("mapping", "ids", "ca", "certificate", "key", "token"),
        tested_against="a sample case-management system with people on probation, a court list and officers of several grades",
        limits="the area writes the interface of docs/agencies/records.md; its system looks for candidates and a person decides: nothing is answered by itself",
    )
