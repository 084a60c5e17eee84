"""A report before a sentence: social care is asked by the day of the hearing, and the answer stands with the report."""

from __future__ import annotations

import json
from typing import Any

from adapters.gateway.agent import Agent
from schemas.derivation import Derivations
from tests.county import COUNCIL, HOUR, MASH, OFFICERS
from tests.gateway.support import Town, draft, drop, read_notices, settle
from tests.gateway.test_followups import arrived
from tests.profiles.probation.support import PAT, open_probation
from tests.profiles.probation.system import CaseSystem, Report

CHILD = {"number": "C-77", "forenames": "Robin", "surname": "Sample", "dob": "06/05/2011"}
# Thursday 9 July 2026, ten o'clock in London.
HEARING = "2026-07-09T10:00:00"
REQUEST, RESPONSE = "check.child.request/1", "check.child.response/1"


async def ask(town: Town, system: CaseSystem, *agents: Agent) -> tuple[Report, dict[str, Any]]:
    """List a hearing, and ask about a child for its report; return the report and what came to the council."""
    report = system.list_hearing("PSR-501", "SAMP-2026-0042", HEARING)
    system.check_child("PSR-501", CHILD, PAT)
    system.check_child("PSR-501", CHILD, PAT)
    await settle(*agents)
    (asked,) = arrived(town.homes[COUNCIL], REQUEST)
    return report, asked


def answer(town: Town, asked: dict[str, Any], **message: Any) -> None:
    """Have the council answer."""
    said = {"check_id": asked["message"]["check_id"], "answered_at": "2026-07-06T08:00:00Z"} | message
    value = draft(RESPONSE, MASH, to=[OFFICERS], re=asked["envelope"], thread=asked["thread"], message=said)
    del value["retention"]
    drop(town.homes[COUNCIL], "answer", value)


async def test_the_hearing_is_the_deadline_and_the_answer_stands_with_the_report(town: Town) -> None:
    """From the court list to the front door, and back to the report; asked twice it is one question."""
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        report, asked = await ask(town, system, probation, council)
        message = asked["message"]
        assert (message["needed_by"], message["reason_code"]) == ("2026-07-09T09:00:00Z", "pre_sentence")
        assert (message["linked_event"], message["linked_event_kind"]) == ("SAMP-2026-0042", "sentence_hearing")
        assert message["person"] == {"local_id": "C-77", "name": "Robin Sample", "dob": "2011-05-06"}
        assert asked["purpose"] == "offender_management"
        rows = await town.site.desk.store.read(lambda tx: tx.thread_obligations(asked["thread"]))
        (duty,) = [row.duty for row in rows if row.duty.rule == "child-check-answered"]
        assert (duty.debtor, duty.creditor, duty.due) == (MASH, OFFICERS, 1_783_587_600_000)
        answer(town, asked, result="known_past", since="2024-02-01", risk_note="A plan ended in 2025.")
        await settle(council, probation)
        (check,) = report.checks.values()
        assert check["state"] == "answered"
        told = system.records[check["answer"]]["fields"]
        assert (told["result"], told["known_since"], told["answered"]) == ("KP", "2024-02-01", "2026-07-06T09:00:00")
        assert await town.site.desk.duties(asked["thread"]) == {("child-check-answered", MASH, OFFICERS): "met"}


async def test_it_rings_in_working_hours_before_the_hearing(town: Town) -> None:
    """Unanswered, it rings at the front door on the working day before, not only in the night; at the hearing it is late."""
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        report, _ = await ask(town, system, probation, council)
        assert not [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "due-soon"]
        town.county.now = 1_783_587_600_000 - 23 * HOUR
        await town.tick()
        await settle(council, probation)
        assert [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "due-soon"]
        town.county.now = 1_783_587_600_000
        await town.tick(HOUR)
        await settle(council, probation)
        assert "overdue" in {one["notice"] for one in read_notices(town.homes[COUNCIL])}
        # Its own staff see it in their own system, and the report says that it waits.
        assert "overdue" in {one["notice"] for one in system.filed("notice")}
        assert [one["state"] for one in report.checks.values()] == ["asked"]


async def test_a_child_who_is_not_known_leaves_only_that_somebody_asked(town: Town) -> None:
    """After its last day the negative is gone from the report; that it was asked and answered stays."""
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        report, asked = await ask(town, system, probation, council)
        answer(town, asked, result="not_known")
        await settle(council, probation)
        (check,) = report.checks.values()
        reference = check["answer"]
        told = system.records[reference]["fields"]
        assert told["keep_until"] == "2026-09-04"
        said = {"result": "not_known", "delete_after": told["keep_until"]}
        town.county.now = Derivations.load().find_end(RESPONSE, said) or 0
        await probation.file_pass()
        assert reference not in system.records
        assert [one["state"] for one in report.checks.values()] == ["answered, deleted"]


async def test_a_hearing_that_can_not_be_read_is_said_and_keeps_nothing_behind_it(town: Town) -> None:
    """A slip in the court list is answered with its field and not with what stands there; the next check goes."""
    async with town.agent(COUNCIL) as council, open_probation(town) as (probation, system):
        system.list_hearing("PSR-500", "SAMP-2026-0041", "some day")
        system.check_child("PSR-500", CHILD, PAT)
        await ask(town, system, probation, council)
        ((key, code),) = system.refused
        assert (key, code) == ("check-PSR-500-C-77", "record-value")
        assert "hearing" in system.answers[key]["message"]
        assert "some day" not in json.dumps(system.answers[key])
