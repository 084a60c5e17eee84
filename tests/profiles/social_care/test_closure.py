"""Closing a case from the council's own case system: what is open is said, objections are filed, and the way round doesn't exist."""

from __future__ import annotations

from typing import Any

from tests.county import CAIT, DAY, HEALTH, HOUR, MASH, NURSES, POLICE
from tests.gateway.support import Town, draft, drop, settle
from tests.profiles.social_care.council import CHILD, filed, open_council, refused
from tests.profiles.social_care.system import CaseSystem
from tests.profiles.social_care.test_discussion import SEE
from tests.schemas import samples

TO = [NURSES, CAIT]
WHEN = {"at": "2026-07-06T09:00:00", "window_ends": "2026-07-08T17:00:00"}


async def test_open_work_and_unknown_risk_need_a_second_approver(town: Town, cases: CaseSystem) -> None:
    """Open action, missing minutes, interview due and no risk band: refused without an approver, and sent with all of it."""
    async with open_council(town, cases) as council, town.agent(HEALTH) as health, town.agent(POLICE) as police:
        cases.convene("SD-1", CHILD, "2026-07-06T09:00:00")
        cases.hold("SD-1", "2026-07-06T09:00:00")
        cases.note_decisions("SD-1", [SEE])
        await settle(council, rounds=4)
        await settle(health, rounds=1)
        return_home(town)
        await settle(police, council)
        cases.intend_closure("C-1", CHILD, TO, **WHEN)
        await settle(council)
        ((key, code, message),) = refused(cases)
        assert (key, code) == ("closure-C-1-0", "message-schema")
        assert "second_approver" in message
        cases.interface.run("UPDATE own_closure SET last_row = NULL")
        cases.approve_closure("C-1", TO, at="2026-07-06T09:30:00", approver="SM-1")
        town.county.now += HOUR
        await settle(council, health)
        ((note, intent),) = filed(town, HEALTH, "closure.intent/1")
        assert intent["risk_band"] == "unknown"
        assert (intent["open_actions"], intent["missing_minutes"]) == (["A-1"], ["SD-1"])
        assert intent["open_rhis"] == [samples.an_id("episode")]
        duties = await town.site.desk.duties(note["thread"])
        assert duties["closure-window", NURSES, MASH] == "open"
        assert ("closure-approved", MASH, NURSES) not in duties


def return_home(town: Town) -> None:
    """Let police say that the child was missing and is back."""
    child = samples.child(name="Zebulon Sample", nhs_number="9990000018")
    message = samples.message(
        "missing.return/1", child=child, episode_id=samples.an_id("episode"), missing_type="H", placement=None,
        last_seen_at="2026-07-05T20:00:00Z", reported_at="2026-07-05T22:00:00Z", returned_at="2026-07-06T06:00:00Z",
    )  # fmt: skip
    drop(town.homes[POLICE], "return", draft("missing.return/1", CAIT, message=message, to=[MASH]))


def object_to(town: Town, note: dict[str, Any], closure: str) -> None:
    """Let the nurses object."""
    message = samples.message(
        "closure.objection/1", closure_id=closure, objected_at="2026-07-06T08:30:00Z", grounds="risk_open"
    )
    value = draft("closure.objection/1", NURSES, message=message, to=[MASH], thread=note["thread"], re=note["envelope"])
    drop(town.homes[HEALTH], "objection", value)


async def test_an_objection_stands_in_the_case_system_and_closing_over_it_settles_nothing(
    town: Town, cases: CaseSystem
) -> None:
    """The objection is the closure's own row; a closing all the same is on record and open, keeping the case open answers it."""
    async with open_council(town, cases) as council, town.agent(HEALTH) as health, town.agent(POLICE) as police:
        cases.intend_closure("C-1", CHILD, TO, risk_band="not_at_risk", **WHEN)
        await settle(council, health, police)
        ((note, intent),) = filed(town, HEALTH, "closure.intent/1")
        town.county.now += HOUR
        object_to(town, note, intent["closure_id"])
        await settle(health, council)
        (objection,) = cases.rows("own_objection")
        (closure,) = cases.rows("own_closure")
        assert (objection["hub_closure_id"], objection["grounds"]) == (closure["hub_closure_id"], "risk_open")
        await town.tick(3 * DAY)
        cases.answer_objection(objection["hub_objection_id"], "We disagree.")
        cases.decide_closure("C-1", TO, "closed", at="2026-07-09T09:00:00")
        await settle(council, health)
        assert refused(cases) == []
        thread = note["thread"]
        duties = await town.site.desk.duties(thread)
        assert duties["objection-resolved", MASH, NURSES] in {"open", "overdue"}
        assert duties["closure-reconsidered", MASH, NURSES] in {"open", "overdue"}
        assert duties["closure-decided", MASH, CAIT] in {"open", "overdue"}
        cases.answer_objection(objection["hub_objection_id"], "You are right.", upheld="Y")
        cases.decide_closure("C-1", TO, "kept open", at="2026-07-09T09:30:00", next_review="2026-09-01")
        town.county.now += HOUR
        await settle(council, health)
        duties = await town.site.desk.duties(thread)
        for rule in ("objection-resolved", "closure-reconsidered"):
            assert duties[rule, MASH, NURSES].startswith("met")
        assert duties["closure-decided", MASH, CAIT].startswith("met")
        kept = filed(town, HEALTH, "closure.confirmed/1")[-1][1]
        assert kept["objections_answered"] == [
            {"objection_id": objection["hub_objection_id"], "upheld": True, "answer": "You are right."}
        ]


async def test_a_closing_that_nobody_objects_to_counts_once_the_window_is_over(town: Town, cases: CaseSystem) -> None:
    """Silence is recorded as a lapse; the confirmation then meets what was owed, and school nursing hears of the end."""
    async with open_council(town, cases) as council, town.agent(HEALTH) as health, town.agent(POLICE):
        cases.intend_closure("C-1", CHILD, TO, risk_band="not_at_risk", **WHEN)
        await settle(council, health)
        await town.tick(3 * DAY)
        cases.decide_closure("C-1", TO, "closed", at="2026-07-09T08:30:00")
        cases.change_status(CHILD, "CIN", "end", at="2026-07-09T08:30:00")
        await settle(council, health)
        ((note, _),) = filed(town, HEALTH, "closure.confirmed/1")
        duties = await town.site.desk.duties(note["thread"])
        assert duties["closure-window", NURSES, MASH] == "lapsed"
        assert duties["closure-decided", MASH, NURSES].startswith("met")
        ((_, status),) = filed(town, HEALTH, "status.notice/1")
        assert (status["status_kind"], status["change"], status["effective_on"]) == ("CIN", "end", "2026-07-09")
