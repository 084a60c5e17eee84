"""A strategy discussion in the council's own case system, from its convening to corrected minutes and answered actions."""

from __future__ import annotations

from adapters.base import Document
from tests.county import CAIT, HEALTH, HOUR, MASH, NURSES, POLICE, PROBATION
from tests.gateway.support import Town, draft, drop, settle
from tests.profiles.social_care.council import CHILD, NAME, filed, open_council, refused, states
from tests.profiles.social_care.system import CaseSystem
from tests.schemas import samples

SEE = {"action_id": "A-1", "description": "See the child at school.", "owner": NURSES, "due_at": "2026-07-10T17:00:00"}
LOOK = {"action_id": "A-2", "description": "Look at the telephone.", "owner": CAIT, "due_at": "2026-07-13T17:00:00"}
OWED = [{"mailbox": box, "basis": "attended"} for box in (NURSES, CAIT)]
PAPER = Document(name="minutes.pdf", type="application/pdf", content=b"%PDF fictional")


async def test_a_discussion_goes_from_the_case_system_to_everybody_owed(town: Town, cases: CaseSystem) -> None:
    """Convened, held, decided, minuted and corrected in the case system, in one thread; each is filed by those who were there."""
    async with (
        open_council(town, cases) as council,
        town.agent(HEALTH) as health,
        town.agent(POLICE) as police,
        town.agent(PROBATION) as probation,
    ):
        cases.convene(
            "SD-1",
            CHILD,
            "2026-07-06T09:00:00",
            adults=[{"person_id": "P-2002", "name": "Alex Sample", "dob": "1985-02-03"}],
        )
        cases.hold("SD-1", "2026-07-06T09:00:00", absent=[CAIT])
        cases.note_decisions("SD-1", [SEE, LOOK])
        cases.write_minutes("SD-1", PAPER, distribution=OWED)
        changes = [{"field": "history", "was": "Since 2024.", "now": "Since 2023."}]
        cases.correct("SD-1", changes, distribution=OWED, at="2026-07-06T15:00:00")
        town.county.now += 6 * HOUR
        await settle(council, rounds=5)
        await settle(health, police, probation, rounds=2)
        await settle(council)
        assert refused(cases) == []
        assert states(cases) == {"sent"}
        rows = cases.interface.outbox()
        assert len({row["thread"] for row in rows.values()}) == 1
        ((_, convened),) = filed(town, HEALTH, "meeting.convened/1")
        ((_, held),) = filed(town, HEALTH, "meeting.held/1")
        ((_, decided),) = filed(town, HEALTH, "minutes.decisions/1")
        ((note, full),) = filed(town, HEALTH, "minutes.full/1")
        ((_, corrected),) = filed(town, HEALTH, "minutes.correction/1")
        assert convened["starts_at"] == held["held_at"] == full["started_at"] == "2026-07-06T08:00:00Z"
        assert len({one["meeting_id"] for one in (convened, held, decided, full, corrected)}) == 1
        assert full["record_id"] == corrected["record_id"] == decided["record_id"]
        assert (full["version"], corrected["version"], corrected["replaces_version"]) == (1, 2, 1)
        assert full["child"]["name"] == NAME
        assert full["abuse_categories"] == ["sexual", "neglect"]
        assert (town.homes[HEALTH] / "in" / note["envelope"] / PAPER.name).read_bytes() == PAPER.content
        # The check of the adult went to probation by itself.
        ((_, check),) = filed(town, PROBATION, "check.adult.request/1")
        assert check["person"]["name"] == "Alex Sample"
        duties = await town.site.desk.duties(next(iter(rows.values()))["thread"])
        assert duties["full-minutes", MASH, NURSES] == "met"
        assert duties["decision-note", MASH, NURSES] == "met"
        assert len(filed(town, POLICE, "minutes.full/1")) == 1


async def test_a_dispute_is_answered_and_a_new_version_stands_instead(town: Town, cases: CaseSystem) -> None:
    """The nurses dispute the minutes: their words are in the case system, the correction answers them, version 3 replaces 1."""
    async with open_council(town, cases) as council, town.agent(HEALTH) as health, town.agent(POLICE):
        cases.convene("SD-1", CHILD, "2026-07-06T09:00:00")
        cases.hold("SD-1", "2026-07-06T09:00:00")
        cases.write_minutes("SD-1", distribution=OWED)
        town.county.now += 4 * HOUR
        await settle(council)
        await settle(health, rounds=2)
        ((note, full),) = filed(town, HEALTH, "minutes.full/1")
        message = samples.minutes_dispute(
            record_id=full["record_id"], version=1, raised_at="2026-07-06T11:00:00Z", addressed_to=MASH,
            ground="error_of_fact", action_id=None,
        )  # fmt: skip
        value = draft("minutes.dispute/1", NURSES, message=message, thread=note["thread"], re=note["envelope"])
        drop(town.homes[HEALTH], "dispute", value)
        await settle(health, council, rounds=2)
        (dispute,) = [one["fields"] for one in cases.interface.inbox() if one["kind"] == "minutes_dispute"]
        assert dispute["hub_record_id"] == full["record_id"]
        town.county.now += HOUR
        changes = [{"field": "history", "now": "Since 2023."}]
        cases.correct("SD-1", changes, distribution=OWED, at="2026-07-06T12:30:00", dispute=dispute["hub_dispute_id"])
        cases.write_minutes("SD-1", distribution=OWED, history="Known to early help since 2023.")
        await settle(council)
        await settle(health, rounds=2)
        await settle(council)
        assert refused(cases) == []
        (_, (newest, again)) = filed(town, HEALTH, "minutes.full/1")
        assert (again["version"], newest["supersedes"]) == (3, note["envelope"])
        duties = await town.site.desk.duties(note["thread"])
        assert duties["dispute-answered", MASH, NURSES].startswith("met")


async def test_an_actions_answers_come_back_to_its_own_row(town: Town, cases: CaseSystem) -> None:
    """What the owner accepts, and later completes, stands on the action's row of the case system; the other's stays open."""
    async with open_council(town, cases) as council, town.agent(HEALTH) as health, town.agent(POLICE):
        cases.convene("SD-1", CHILD, "2026-07-06T09:00:00")
        cases.hold("SD-1", "2026-07-06T09:00:00")
        cases.note_decisions("SD-1", [SEE, LOOK])
        await settle(council, rounds=4)
        await settle(health, rounds=2)
        assert refused(cases) == []
        ((note, assigned),) = filed(town, HEALTH, "action.assign/1")
        about = {name: assigned[name] for name in ("action_id", "source_record", "description", "owner_role", "due_at")}
        answers = {
            "accept": {"state": "accepted", "accepted_at": "2026-07-06T08:00:01Z"},
            "complete": {"state": "complete", "completed_at": "2026-07-06T08:00:02Z", "evidence": "Seen; well."},
        }
        town.county.now += HOUR
        for kind, said in answers.items():
            value = draft(
                f"action.{kind}/1", NURSES, message=about | said, to=[MASH], thread=note["thread"], re=note["envelope"]
            )
            drop(town.homes[HEALTH], kind, value)
            await settle(health, council, rounds=2)
            first, second = cases.rows("own_action")
            assert (first["state"], first["answered_at"], second["state"]) == (
                said["state"],
                list(said.values())[1],
                "assigned",
            )
        assert first["evidence"] == "Seen; well."
        assert [one["kind"] for one in cases.interface.inbox() if one["kind"] != "notice"] == ["action_answer"] * 2
        duties = await town.site.desk.rows(note["thread"])
        done = {(row.duty.debtor, row.state) for row in duties.values() if row.duty.item == first["hub_action_id"]}
        assert done == {(NURSES, "met")}


async def test_what_can_not_be_done_is_over_once_the_chair_agrees(town: Town, cases: CaseSystem) -> None:
    """That things changed stands on the action's row with its reason, and stays owed until the chair accepts it."""
    async with open_council(town, cases) as council, town.agent(HEALTH) as health, town.agent(POLICE):
        cases.convene("SD-1", CHILD, "2026-07-06T09:00:00")
        cases.hold("SD-1", "2026-07-06T09:00:00")
        cases.note_decisions("SD-1", [SEE])
        await settle(council, rounds=4)
        await settle(health, rounds=2)
        ((note, assigned),) = filed(town, HEALTH, "action.assign/1")
        about = {name: assigned[name] for name in ("action_id", "source_record", "description", "owner_role", "due_at")}
        said = about | {
            "state": "impossible", "found_at": "2026-07-06T08:30:00Z", "state_reason": "moved_away",
            "accepted_by_chair": False,
        }  # fmt: skip
        town.county.now += HOUR
        value = draft(
            "action.impossible/1", NURSES, message=said, to=[MASH], thread=note["thread"], re=note["envelope"]
        )
        drop(town.homes[HEALTH], "impossible", value)
        await settle(health, council, rounds=2)
        (row,) = cases.rows("own_action")
        assert (row["state"], row["state_reason"]) == ("impossible", "moved_away")
        duties = await town.site.desk.duties(note["thread"])
        assert (duties["action-done", NURSES, MASH], duties["impossible-answered", MASH, NURSES]) == ("open", "open")
        cases.accept_impossible("A-1", "2026-07-06T10:00:00")
        town.county.now += HOUR
        await settle(council, health)
        assert refused(cases) == []
        duties = await town.site.desk.duties(note["thread"])
        assert (duties["action-done", NURSES, MASH], duties["impossible-answered", MASH, NURSES]) == ("met", "met")
