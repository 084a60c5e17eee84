"""Police: incidents, missing children, warning markers, intelligence and the at-risk list, from a force's own records."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from adapters.at_risk import AtRiskList
from adapters.base import Later, Manifest
from adapters.profiles.adapter import RecordsAdapter
from adapters.profiles.http import HttpRecords
from adapters.profiles.records import RecordsError


class PoliceAdapter(RecordsAdapter):
    """A force's records management and intelligence system, by ``mapping.json`` beside this."""

    manifest: ClassVar[Manifest] = Manifest(
        name="police",
        title="Police records",
        transports=("https",),
        levels=("full", "summary", "reference_only"),
        network=True,
        reads=("mapping", "ids", "ca", "certificate", "key", "token"),
        tested_against="a sample records system over HTTP with rules of its own; no real force's system",
        limits="the force writes the interface of docs/agencies/records.md; grades, outcomes and sanitised texts are its staff's",
    )

    async def at_risk(self) -> AtRiskList | None:
        """Return the exploitation team's list as it was released there last.

        Raises:
            RecordsError: the system doesn't say, or what it says is no list.
        """
        if not isinstance(self.system, HttpRecords):
            return None
        said = await self.system.fetch("at-risk-list")
        return None if said is None else _read_list(said)


def _read_list(said: dict[str, Any]) -> AtRiskList:
    try:
        return msgspec.convert(said, AtRiskList, strict=True)
    except msgspec.ValidationError:
        # Its text could hold a name.
        raise RecordsError(Later(reason="records-answer")) from None


__all__ = ["PoliceAdapter"]
