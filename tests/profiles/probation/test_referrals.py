"""A referral by whichever grade: the same guidance, the same form, the same message; and the decision comes back to it."""

from __future__ import annotations

import re
from typing import Any

import aiohttp

from adapters.profiles.mapping import field_of
from adapters.profiles.probation import ProbationAdapter
from tests.county import COUNCIL, MASH, OFFICERS, PROBATION
from tests.gateway.inbox.support import Browser, open_office
from tests.gateway.support import CATALOGUE, Town, draft, drop, settle
from tests.gateway.test_followups import arrived
from tests.profiles.probation.support import open_probation
from tests.profiles.probation.system import GRADES, Officer, guidance

CHILD = {
    "number": "C-77", "forenames": "Robin", "surname": "Sample", "dob": "2011-05-06", "address": "1 Example Street",
    "address_secret": "Y",
}  # fmt: skip
REFERRED: dict[str, Any] = {
    "child": CHILD,
    "adults": [{"forenames": "Alex", "surname": "Sample", "dob": "1985-01-02", "is": "STEP", "lives_there": "Y", "risk": "Y"}],
    "concern": "Alex moved in last week. Robin has not been at school since.",
    "categories": ["PHY", "EMO"], "danger_now": "N", "level": "4", "parents_told": "N",
    "why_not_told": "It could put Robin at greater risk.",
}  # fmt: skip
ROLES = ("probation_service_officer", "head_of_unit")


async def test_every_grade_sees_the_same_guide_and_nobody_else_any(town: Town) -> None:
    """The system's page is the same for all, to the byte: what is to be referred doesn't depend on who looks."""
    async with open_probation(town) as (_, system), aiohttp.ClientSession() as http:
        pages = set()
        for grade in (*GRADES, "nobody"):
            url = f"http://127.0.0.1:{system.port}/guide/referral"
            async with http.get(url, headers={"X-Grade": grade}) as answer:
                assert answer.status == (200 if grade in GRADES else 403)
                if answer.status == 200:
                    pages.add(await answer.text())
        (page,) = pages
        assert "whoever is worried refers, of whatever grade" in page
        assert "ring 999 first" in page


def test_the_guidance_says_something_of_all_that_a_person_fills_in() -> None:
    """Each question of a referral that must be answered is explained, in fields that the mapping sends, with its levels."""
    said = guidance()
    mapping = ProbationAdapter._load_mapping(None)
    (rule,) = [one for one in mapping.send if one.type == "referral/1"]
    sources = {name: {*field_of(given).sources, field_of(given).each} for name, given in rule.fields.items()}
    explained = {one["field"] for one in said["write"]}
    by_hand = {"/child/local_id", "/child/name", "/child/dob", "/child/address_restricted", "/adults", "/concern",
               "/immediate_danger", "/threshold_level", "/parents_aware", "/parents_aware_reason"}  # fmt: skip
    assert {one for name in by_hand for one in sources[name] if one} == explained
    levels = field_of(rule.fields["/threshold_level"]).codes or {}
    assert [one["code"] for one in said["levels"]] == list(levels)
    machine = {"/referral_id", "/referred_at", "/child", "/contact_source", "/origin"}
    required = {f"/{name}" for name in CATALOGUE.schema("referral/1")["required"]}
    assert required - machine <= by_hand
    assert said["owner"]
    assert not any(grade in str(said) for grade in ("PSO", "SPO", "senior probation"))


async def test_every_grade_sends_the_same_referral_and_hears_what_was_decided(town: Town) -> None:
    """Grade is the author's role and nothing else of the message; the decision stands with the referral."""
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        numbers = [system.refer(Officer(f"X-{grade}", "Pat Sample", grade), **REFERRED) for grade in GRADES]
        await settle(probation, council)
        assert system.refused == []
        came = arrived(town.homes[COUNCIL], "referral/1")
        assert len({one["author_role"] for one in came}) == len(GRADES)
        for one in came:
            CATALOGUE.validate("referral/1", one["message"])
        bare = [{name: value for name, value in one["message"].items() if name != "referral_id"} for one in came]
        assert all(one == bare[0] for one in bare)
        assert (bare[0]["contact_source"], bare[0]["contact_source_local"]) == ("7", "probation")
        assert (bare[0]["threshold_level"], bare[0]["child"]["address_restricted"]) == ("child_protection", True)
        first = next(one for one in came if one["author_role"] == "case_administrator")
        message = {
            "referral_id": first["message"]["referral_id"], "outcome": "strategy_discussion_s47",
            "decided_at": "2026-07-06T08:00:00Z", "decided_by": "SW-4", "rationale": "A discussion is called for today.",
        }  # fmt: skip
        value = draft(
            "referral.outcome/1", MASH, to=[OFFICERS], re=first["envelope"], thread=first["thread"], message=message
        )
        drop(town.homes[COUNCIL], "decided", value)
        await settle(council, probation)
        decided = system.referrals[numbers[0]]["referral_decision"]
        assert (decided["decision"], decided["rationale"]) == ("SD", "A discussion is called for today.")
        assert all("referral_decision" not in system.referrals[number] for number in numbers[1:])


async def test_what_is_missing_is_said_by_its_name(town: Town) -> None:
    """No reason why the parents don't know, or a code that is on no list: refused with the field, never with the words."""
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        officer = Officer("A-1", "Pat Sample", "ADM")
        system.refer(officer, **{name: value for name, value in REFERRED.items() if name != "why_not_told"})
        system.refer(officer, **REFERRED | {"level": "a hunch"})
        await settle(probation, council)
        assert [code for _, code in system.refused] == ["message-schema", "record-code"]
        said = str(system.answers)
        assert "parents_aware_reason" in said
        assert "`level`" in said
        assert "hunch" not in said


async def test_the_inboxs_form_is_the_same_for_every_grade(town: Town) -> None:
    """Two officers of the desk, the lowest and the highest: each page of the same referral has the same words."""
    async with open_office(town, other=PROBATION) as office:
        shown = []
        for number, role in enumerate(ROLES):
            login = f"officer{number}@example.org"
            browser = await office.signed_in(login, agency=PROBATION, teams=(OFFICERS,), role=role, name="Pat Sample")
            shown.append([await _write(browser, path) for path in ("", "/to", "/sharing", "/check")])
        assert shown[0] == shown[1]
        assert min(map(len, shown[0])) > 500


async def _write(browser: Browser, path: str) -> str:
    await browser.get("/write")
    begun = await browser.post("/write", {"kind": f"referral/1 {OFFICERS}"})
    draft_id = re.search(r"/write/([A-Za-z0-9_-]{22})", begun.path)
    assert draft_id is not None
    page = begun if not path else await browser.get(f"/write/{draft_id[1]}{path}")
    assert page.status == 200
    text = page.text.replace(draft_id[1], "DRAFT").replace(page.csrf, "CSRF")
    return re.sub(r'value="[A-Za-z0-9_-]{22}"', "", text)
