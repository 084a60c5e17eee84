"""The clinic's page in the inbox: a clinician types who is here, and reads what is known; nobody else has the page."""

from __future__ import annotations

from tests.county import EXPLOITATION, NURSES
from tests.gateway.atrisk_support import CLINIC, headers_sent, kinds
from tests.gateway.inbox.support import Browser, Shown
from tests.gateway.support import Town
from tests.hl7.hospital import Hospital
from tests.profiles.health.test_clinic import open_morning
from tests.profiles.health.trust import ALEX, BLAKE

HERE = {"reference": "V-9", "day": "9", "month": "3", "year": "2011", "nhs_number": ALEX, "name": "Zebulon Sample"}


async def ask(browser: Browser, **changes: str) -> Shown:
    """Type who is here, and send it."""
    await browser.get("/checks")
    return await browser.post("/checks", HERE | changes)


async def test_a_clinician_types_who_is_here_and_reads_known_risk_and_whom_to_contact(
    town: Town, hospital: Hospital
) -> None:
    """First that the answer is to come; then it stands on the page; who isn't on the list is just that, and nothing went out for it."""
    async with open_morning(town, hospital) as morning:
        jo = await morning.clinic.person("jo", team=CLINIC, role="nurse")
        assert "Checks" in (await jo.get("/")).words
        assert "not answered yet" in (await ask(jo)).words
        await ask(jo, reference="V-10", nhs_number=BLAKE, name="")
        await morning.pass_slot()
        page = await jo.get("/checks")
        assert "Known to be at risk (1)" in page.words
        assert "V-9" in page.words
        assert EXPLOITATION.partition("/")[2] not in page.words
        page = await jo.post("/checks", {"look": "V-9"})
        assert "V-9: known risk" in page.words
        assert "Exampleshire Constabulary, exploitation" in page.words
        assert "Found by NHS number" in page.words
        assert "V-10: not on the list" in (await jo.post("/checks", {"look": "V-10"})).words
        assert set(kinds(await headers_sent(morning.clinic.agent))) == {"risklist.ack/1", "risklist.query/1"}
        for shown in (page, await jo.get("/checks")):
            assert not [word for word in ("Zebulon", ALEX, BLAKE) if word in shown.text]
        rows = await morning.clinic.agent.gateway.spool.all("last_events", limit=9)
        assert {row["action"] for row in rows} >= {"attendance-checked"}


async def test_what_cannot_be_checked_is_said_at_its_field_and_not_counted(town: Town, hospital: Hospital) -> None:
    """An adult, no date, no identifier, a wrong number, a reference with a name in it: each in a sentence, with what was typed kept."""
    async with open_morning(town, hospital) as morning:
        jo = await morning.clinic.person("jo", team=CLINIC, role="nurse")
        for changes, words in (
            ({"year": "1990"}, "Only somebody under 18 is checked"),
            ({"day": ""}, "The date of birth must include a day"),
            ({"nhs_number": "", "name": ""}, "Enter an NHS number, a name, or better both"),
            ({"nhs_number": "9990000019"}, "right check digit"),
            ({"reference": "Zebulon Sample"}, "The reference has letters"),
            ({"reference": ""}, "The reference has letters"),
        ):
            page = await ask(jo, **changes)
            assert page.status == 422
            assert "There is a problem" in page.words
            assert words in page.words
        page = await jo.post("/checks", {"look": "V-77"})
        assert page.status == 422
        assert "V-9" not in page.words
        assert await morning.clinic.agent.gateway.spool.all("count_attendances") == []


async def test_without_a_list_the_page_says_that_nothing_was_checked(town: Town, hospital: Hospital) -> None:
    """Police have withdrawn it: counted, and said."""
    async with open_morning(town, hospital) as morning:
        jo = await morning.clinic.person("jo", team=CLINIC, role="nurse")
        await morning.clinic.agent.gateway.spool.run("retire_lists")
        await morning.clinic.agent.gateway.spool.run(
            "set_list_state", list=(await newest(morning))["list"], version=1, state="withdrawn"
        )
        page = await ask(jo)
        assert page.status == 200
        assert "V-9: not checked" in page.words
        assert "There is no at-risk list here" in page.words


async def newest(morning: object) -> dict[str, object]:
    """Return the clinic's newest list."""
    row = await morning.clinic.agent.gateway.spool.one("newest_list")  # type: ignore[attr-defined]
    assert row is not None
    return dict(row)


async def test_nobody_else_has_the_page(town: Town, hospital: Hospital) -> None:
    """Another team, a reviewer, an administrator, and everybody where there is no clinic: as if it weren't there."""
    async with open_morning(town, hospital) as morning:
        others = [
            await morning.clinic.person("robin", team=NURSES),
            await morning.clinic.person("kim", team=CLINIC, duties=("reviewer",)),
            await morning.clinic.person("lee", team=CLINIC, duties=("administrator",)),
        ]
        for one in others:
            assert "Checks" not in (await one.get("/account")).words
            assert (await one.get("/checks")).status == 404
            assert (await ask(one)).status == 404
