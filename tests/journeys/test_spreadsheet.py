"""A hospital's office that keeps sheets, and a council whose system takes and posts webhooks."""

from __future__ import annotations

from pathlib import Path

from tests.county import MASH, NURSES
from tests.gateway.support import HELD_AT, Town, draft
from tests.journeys.story import carry, two_ends
from tests.journeys.systems import Posted, Sheets
from tests.schemas import samples

OUTCOME = "referral.outcome/1"


async def test_a_row_is_filed_and_what_was_decided_comes_back(town: Town, tmp_path: Path) -> None:
    """A row that stands in two sheets, twice in each, is one referral; the decision lies in the share, and both duties are met."""
    async with two_ends(town, tmp_path, (Sheets, NURSES), (Posted, MASH)) as (office, council):
        envelope, thread = await carry(town, office, council, {"message": {"referred_at": HELD_AT}}, "referral/1")
        assert office.system.reports() == ["row-known", "row-known", "row-known", "sent"]
        (referral,) = council.system.filed()
        message = samples.message(OUTCOME, referral_id=referral["referral_id"], decided_at=HELD_AT)
        decided = draft(OUTCOME, MASH, to=[NURSES], message=message, thread=thread, re=envelope)
        await carry(town, council, office, decided, OUTCOME)
        duties = await town.site.desk.duties(thread)
        assert duties["referral-decided", MASH, NURSES] == "met_late"
        assert duties["referral-outcome-received", NURSES, MASH] == "met_late"
