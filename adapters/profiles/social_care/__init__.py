"""Children's social care: a council's case-management system, by interface tables in its database or over HTTPS."""

from __future__ import annotations

from typing import ClassVar

from adapters.base import Manifest
from adapters.profiles.adapter import RecordsAdapter


class SocialCareAdapter(RecordsAdapter):
    """The built-in profile for children's social care."""

    manifest: ClassVar[Manifest] = Manifest(
        name="social_care",
        title="Children's social care records",
        transports=("postgresql", "sqlite", "https"),
        levels=("full", "summary", "reference_only"),
        network=True,
        writes=("path",),
        reads=("mapping", "ids", "ca", "certificate", "key", "token", "password"),
        tested_against="a case-management database with tables named as in the public standard safeguarding dataset, on PostgreSQL 18 and SQLite; no council's own system",
        limits="a database of another make needs a small job between it and the interface tables; what `filed` means there is what the agency's view `hub_record` shows",
    )


__all__ = ["SocialCareAdapter"]
