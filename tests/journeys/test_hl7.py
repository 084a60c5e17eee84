"""A hospital whose systems speak HL7 v2, and a council whose record has a FHIR interface."""

from __future__ import annotations

from pathlib import Path

from tests.county import MASH, NURSES
from tests.gateway.support import HELD_AT, Town, draft, minutes_full
from tests.journeys.story import carry, levels, look, two_ends
from tests.journeys.systems import Fhir, Hl7
from tests.schemas import samples

OUTCOME = "referral.outcome/1"


async def test_a_hospitals_referral_is_filed_decided_and_its_minutes_come_back(town: Town, tmp_path: Path) -> None:
    """A referral whose NHS number is verified goes into the council's record; what is decided meets the duty, and minutes are filed.

    The decision names no child, and HL7 has nowhere to put it: it waits for a person at the hospital, and no receipt says otherwise.
    """
    async with two_ends(town, tmp_path, (Hl7, NURSES), (Fhir, MASH)) as (hospital, council):
        envelope, thread = await carry(town, hospital, council, {"message": {"referred_at": HELD_AT}}, "referral/1")
        (referral,) = council.system.filed()
        decided = {"referral_id": referral["referral_id"], "decided_at": HELD_AT}
        message = samples.message(OUTCOME, **decided)
        await council.system.say(draft(OUTCOME, MASH, to=[NURSES], message=message, thread=thread, re=envelope))
        await look(council, hospital)
        assert (await town.site.desk.duties(thread))["referral-decided", MASH, NURSES] == "met_late"
        rows = await hospital.agent.gateway.spool.all("list_incoming")
        (row,) = [one for one in rows if one["type"] == OUTCOME]
        assert (row["state"], row["code"]) == ("waiting-person", "hl7-no-patient")
        assert await levels(town, row["envelope"]) == ["collected"]

        minutes = draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]), thread=thread)
        await carry(town, council, hospital, minutes, "minutes.full/1")
        assert (await town.site.desk.duties(thread))["full-received", NURSES, MASH] == "met_late"
