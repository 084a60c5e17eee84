"""A hospital whose record has a FHIR interface, and a council whose system takes webhooks."""

from __future__ import annotations

from pathlib import Path

from schemas.strict_json import dump
from tests.county import HEALTH, MASH, NURSES
from tests.fhir.server import FhirServer
from tests.fhir.support import open_adapter, put_draft
from tests.gateway.support import HELD_AT, Town, draft, minutes_full
from tests.journeys.story import carry, two_ends
from tests.journeys.systems import Fhir, Posted
from tests.schemas import samples


async def test_a_hospitals_notice_is_filed_and_the_minutes_come_back(town: Town, tmp_path: Path) -> None:
    """That a child is detained goes from the record to the council, and the minutes into the record; both duties are met."""
    kind = "detention.notice/1"
    detained = samples.message(kind, detained_at=HELD_AT, expected_until="2026-07-07T08:00:00Z", urgent=False)
    async with two_ends(town, tmp_path, (Fhir, NURSES), (Posted, MASH)) as (hospital, council):
        own = draft(kind, NURSES, to=[MASH], message=detained)
        _, thread = await carry(town, hospital, council, own, kind)
        minutes = draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]), thread=thread)
        await carry(town, council, hospital, minutes, "minutes.full/1")
        duties = await town.site.desk.duties(thread)
        assert duties["detention-taken", MASH, NURSES] == duties["full-received", NURSES, MASH] == "met_late"


async def test_a_draft_that_cannot_be_closed_keeps_no_other(town: Town, tmp_path: Path) -> None:
    """Where the server takes no change of a draft, bad or good, it is sent at most once, and what is behind it is sent too."""
    kind = "detention.notice/1"
    server = FhirServer()
    await server.start()
    detained = samples.message(kind, detained_at=HELD_AT, expected_until="2026-07-07T08:00:00Z", urgent=False)
    own = dump(draft(kind, NURSES, to=[MASH], message=detained))
    server.locked = {put_draft(server, one) for one in (b"no draft", own)}
    closed = put_draft(server, own)
    async with town.agent(HEALTH, system=("fhir", open_adapter(server))) as hospital:
        for _ in range(2):
            assert await hospital.run_once() == 0
    await server.close()
    assert server.store[closed]["status"] == "completed"
    assert {server.store[one]["status"] for one in server.locked} == {"preparation"}
    assert len(await town.site.desk.leaves("envelope-accepted")) == 2
