"""A council whose system takes and posts webhooks, and a hospital's office that keeps sheets."""

from __future__ import annotations

from pathlib import Path

from tests.county import MASH, NURSES
from tests.gateway.support import HELD_AT, Town, draft, minutes_full
from tests.journeys.story import carry, two_ends
from tests.journeys.systems import Posted, Sheets


async def test_a_councils_minutes_are_filed_and_a_referral_comes_back(town: Town, tmp_path: Path) -> None:
    """Minutes that were posted lie in the office's share, and a row of its sheet is a record of the council's system."""
    async with two_ends(town, tmp_path, (Posted, MASH), (Sheets, NURSES)) as (council, office):
        minutes = draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]))
        _, thread = await carry(town, council, office, minutes, "minutes.full/1")
        assert (await town.site.desk.duties(thread))["full-received", NURSES, MASH] == "met_late"
        await carry(town, office, council, {"message": {"referred_at": HELD_AT}}, "referral/1")
