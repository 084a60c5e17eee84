"""The inbox while the hub can't be reached, for days."""

from __future__ import annotations

from tests.county import DAY, NURSES
from tests.gateway.inbox.support import open_office
from tests.gateway.inbox.test_writing import answer, begin, send
from tests.gateway.support import Town, settle
from tests.gateway.wire import open_wire
from tests.schemas import samples


async def test_days_without_the_hub_lose_nothing_and_still_alarm(town: Town) -> None:
    """What came is read, what is owed becomes overdue on the page, what is written and signed goes once when the hub is back."""
    async with open_wire(town.site.port) as wire, open_office(town, hub=wire.base) as office:
        held = await office.hold_meeting()
        minutes = await office.send_minutes(held.thread)
        nurse = await office.signed_in("robin@example.org")
        wire.cut()
        assert await office.health.run_once() > 0
        await nurse.get(f"/messages/{minutes.envelope}")
        opened = await nurse.post(f"/messages/{minutes.envelope}/open")
        assert "Zebulon" in opened.text
        await nurse.post(f"/messages/{minutes.envelope}/acknowledge")
        await begin(nurse, "info.report/1", NURSES)
        await answer(nurse, "info.report/1", samples.message("info.report/1"))
        sent = await send(nurse)
        assert "as soon as the hub can be reached" in sent.words
        town.county.now += 3 * DAY
        assert await office.health.run_once() > 0
        rung = await office.health.gateway.spool.all("untold_notices", limit=100)
        told = {row["code"] for row in rung} | {
            row["code"] for row in await office.health.gateway.spool.all("list_notices")
        }
        assert "overdue" in told
        await nurse.sign_in("robin@example.org")
        today = await nurse.get("/")
        assert today.status == 200
        assert "Overdue" in today.words
        wire.dark = False
        town.county.now += DAY // 24
        await settle(office.council, office.health)
        (row,) = await office.health.gateway.spool.all("list_sent")
        assert row["state"] == "accepted"
        levels = await office.levels(minutes.envelope)
        assert [one for one in levels if one in {"opened", "acknowledged"}] == ["opened", "acknowledged"]
