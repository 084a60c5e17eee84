"""`gateway answer`: an answer in one step, said once, and refused in words that help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.gateway.agent import Agent
from schemas.derivation import spell_day
from tests.county import CAIT, COUNCIL, DAY, HEALTH, MASH, NURSES, OFFICERS, POLICE, PROBATION, UNIT
from tests.gateway.support import HELD_AT, Town, draft, drop, settle
from tests.gateway.test_cli import command, run, write_home
from tests.gateway.test_followups import arrived, convened
from tests.schemas import samples

TOMORROW = "2026-07-07T09:00:00Z"
ANSWER = ("--type", "check.adult.response")


async def ask(town: Town, council: Agent, other: Agent, kind: str, to: str, **changes: Any) -> str:
    """Have the council send *kind* to *to*, whose gateway takes it; return the envelope's id."""
    home = town.homes[COUNCIL]
    drop(home, "asked", draft(kind, MASH, to=[to], message=samples.message(kind, **changes)))
    await settle(council, other)
    envelope: str = json.loads((home / "sent" / "asked" / "envelope.json").read_bytes())["id"]
    return envelope


async def ask_about_an_adult(town: Town, council: Agent, probation: Agent) -> str:
    """Have the council ask probation about an adult."""
    return await ask(
        town, council, probation, "check.adult.request/1", OFFICERS, requested_at=HELD_AT, needed_by=TOMORROW
    )


async def refused(home: Path, *arguments: str) -> str:
    """Run one command that must fail; return what it complained of."""
    import asyncio

    code, _, complaint = await asyncio.to_thread(run, "answer", *arguments, "--home", str(home))
    assert code == 1
    return complaint


async def test_not_known_is_answered_in_one_step(town: Town) -> None:
    """It settles the request, is sent under the label for negatives, and says when it must be gone."""
    home = write_home(town, PROBATION)
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await ask_about_an_adult(town, council, probation)
        (said,) = await command(home, "answer", envelope, *ANSWER)
        await settle(probation, council)
        (answer,) = arrived(town.homes[COUNCIL], "check.adult.response/1")
        assert (answer["envelope"], answer["re"], answer["mailbox"]) == (said["envelope"], envelope, MASH)
        assert answer["message"] == {
            "check_id": samples.message("check.adult.request/1")["check_id"],
            "result": "not_known",
            "answered_at": "2026-07-06T08:00:00Z",
            "delete_after": spell_day(town.county.now + 60 * DAY),
            "urgent": True,
        }
        assert (answer["retention"], answer["author_role"]) == ("negative", "team")
        duties = await town.site.desk.duties(answer["thread"])
        assert duties["adult-check-answered", OFFICERS, MASH] == "met"


async def test_the_same_answer_is_given_once(town: Town) -> None:
    """Said again, later and by somebody else, it is the same envelope; other words, or `--again`, are another."""
    home = write_home(town, PROBATION)
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await ask_about_an_adult(town, council, probation)
        (first,) = await command(home, "answer", envelope, *ANSWER)
        (home / "clock").write_text(str(town.county.now + 60_000))
        (again,) = await command(home, "answer", envelope, *ANSWER, "--by", "Pat Sample", "--role", "officer")
        assert again == first
        (other,) = await command(home, "answer", envelope, *ANSWER, "--set", "/result=cannot_match")
        (forced,) = await command(home, "answer", envelope, *ANSWER, "--again")
        assert len({one["envelope"] for one in (first, other, forced)}) == 3


async def test_a_known_person_is_no_negative(town: Town) -> None:
    """What only a person knows is given by `--set`; no date of deletion, and the ordinary label."""
    home = write_home(town, PROBATION)
    known = ("--set", "/result=known_past", "--set", "/since=2025-11-01", "--set", "/will_attend=yes")
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await ask_about_an_adult(town, council, probation)
        await command(home, "answer", envelope, *ANSWER, *known, "--by", "Pat Sample", "--role", "officer")
        await settle(probation, council)
        (answer,) = arrived(town.homes[COUNCIL], "check.adult.response/1")
        assert (answer["retention"], answer["author_role"]) == ("case", "officer")
        assert answer["message"] == {
            "check_id": samples.message("check.adult.request/1")["check_id"],
            "result": "known_past",
            "since": "2025-11-01",
            "will_attend": True,
            "answered_at": "2026-07-06T08:00:00Z",
            "urgent": True,
        }
        # The name stays at the agency.
        assert "Pat Sample" not in json.dumps(answer)


async def test_nothing_to_contribute_names_the_own_mailbox(town: Town) -> None:
    """The nurses know nothing for the discussion that they were called to, and say so."""
    home = write_home(town, HEALTH)
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        drop(town.homes[COUNCIL], "called", convened())
        await settle(council, health)
        (called,) = arrived(town.homes[HEALTH], "meeting.convened/1")
        await command(home, "answer", called["envelope"], "--type", "contribution.none", "--set", "/stated_by=HV-9")
        await settle(health, council)
        (answer,) = arrived(town.homes[COUNCIL], "contribution.none/1")
        said = answer["message"]
        assert (said["org"], said["reason"], said["record_ref"]) == (
            NURSES, "nothing_known", called["message"]["meeting_id"],
        )  # fmt: skip


async def test_an_answer_goes_to_whoever_it_names_too(town: Town) -> None:
    """The interview is assigned to its provider, and police, whom it is owed, hear of it."""
    home = write_home(town, COUNCIL)
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police, town.agent(HEALTH) as health:
        back = samples.message("missing.return/1", returned_at=HELD_AT)
        drop(town.homes[POLICE], "back", draft("missing.return/1", CAIT, to=[MASH], message=back))
        await settle(police, council)
        (note,) = arrived(town.homes[COUNCIL], "missing.return/1")
        await command(
            home, "answer", note["envelope"], "--type", "rhi.assign", "--set", f"/provider={NURSES}",
            "--set", "/provider_reason=independent", "--set", "/due_at=2026-07-09T08:00:00Z",
        )  # fmt: skip
        await settle(council, health, police)
        (assigned,) = arrived(town.homes[HEALTH], "rhi.assign/1")
        assert assigned["recipients"] == sorted([CAIT, NURSES])
        assert (await town.site.desk.duties(note["thread"]))["interview-assigned", MASH, CAIT] == "met"


async def test_a_list_makes_a_message_of_each_entry(town: Town) -> None:
    """Each open action of a decision note becomes one of its own; whoever may send them."""
    home = write_home(town, COUNCIL)
    async with town.agent(COUNCIL) as council:
        actions = [samples.action("one", NURSES), samples.action("two", CAIT), samples.action("done", state="complete")]
        message = samples.minutes_decisions(
            participants=[samples.participant(box) for box in (MASH, NURSES)], actions=actions
        )
        drop(town.homes[COUNCIL], "note", draft("minutes.decisions/1", MASH, to=[MASH], message=message))
        await settle(council)
        (note,) = arrived(town.homes[COUNCIL], "minutes.decisions/1")
        printed = await command(home, "answer", note["envelope"], "--type", "action.assign")
        assert [one["type"] for one in printed] == ["action.assign/1"] * 2
        kinds = [row["type"] for row in await council.gateway.spool.all("list_sent")]
        assert kinds.count("action.assign/1") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--type", "flag.set"], ["no flag.set can be made from a check.adult.request", "check.adult.response"]),
        ([*ANSWER, "--set", "result=known_past"], ["/field=value"]),
        ([*ANSWER, "--set", "/results=known_past"], ["no field `/results`"]),
        ([*ANSWER, "--set", "/will_attend=perhaps"], ["`/will_attend` must be yes or no"]),
        ([*ANSWER, "--set", "/result=known_past"], ["lacks `since`"]),
        ([*ANSWER, "--set", "/result=unheard"], ["`result` must be one of"]),
        ([*ANSWER, "--by", "Pat Sample"], ["in a role"]),
        ([*ANSWER, "--mailbox", MASH], ["no such delivery"]),
    ],
)
async def test_what_is_wrong_is_said_in_the_users_words(town: Town, arguments: list[str], words: list[str]) -> None:
    """The field, the rule and the way out; nothing is put into the outbox, and no value is repeated."""
    home = write_home(town, PROBATION)
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await ask_about_an_adult(town, council, probation)
        complaint = await refused(home, envelope, *arguments)
        for word in words:
            assert word in complaint
        for value in ("unheard", "perhaps", "Pat Sample"):
            assert value not in complaint
        assert not await probation.gateway.spool.all("list_sent")


async def test_what_only_a_person_knows_is_asked_for(town: Town) -> None:
    """The hint names every field that the request can't give, ready to be filled in; numbers and lists are read."""
    home = write_home(town, HEALTH)
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        envelope = await ask(
            town, council, health, "escalation.raise/1", NURSES, raised_at=HELD_AT, respond_by="2026-07-09T08:00:00Z"
        )
        complaint = await refused(home, envelope, "--type", "escalation.raise")
        assert "--set /raised_by=… --set /respond_by=… --set /history=…" in complaint
        given = ("--set", "/raised_by=HV-9", "--set", "/respond_by=2026-07-10T08:00:00Z", "--set", '/history=["E-1"]')
        assert "whole number" in await refused(home, envelope, "--type", "escalation.raise", "--set", "/stage=next")
        assert "JSON" in await refused(home, envelope, "--type", "escalation.raise", "--set", "/history=E-1")
        await command(home, "answer", envelope, "--type", "escalation.raise", *given, "--set", "/stage=3")
        await settle(health, council)
        (raised,) = arrived(town.homes[COUNCIL], "escalation.raise/1")
        assert (raised["message"]["stage"], raised["message"]["history"]) == (3, ["E-1"])


async def test_what_nothing_can_be_made_of_is_said(town: Town) -> None:
    """A discussion without adults asks probation nothing; a type of which nothing is made is told so."""
    home = write_home(town, HEALTH)
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        drop(town.homes[COUNCIL], "called", convened())
        drop(town.homes[COUNCIL], "told", draft("status.notice/1", MASH, to=[NURSES]))
        await settle(council, health)
        (called,) = arrived(town.homes[HEALTH], "meeting.convened/1")
        (told,) = arrived(town.homes[HEALTH], "status.notice/1")
        assert "asks for no such answer" in await refused(home, called["envelope"], "--type", "check.adult.request")
        # Who called the meeting says that it was held; nobody who was invited does by answering.
        complaint = await refused(home, called["envelope"], "--type", "meeting.held")
        assert "--type may be: check.adult.request, contribution.none" in complaint
        assert "gateway send" in await refused(home, told["envelope"], "--type", "check.adult.request")


async def test_what_the_agreement_forbids_is_refused_at_once(town: Town) -> None:
    """An answer that this mailbox may not send isn't put into the outbox."""
    home = write_home(town, HEALTH)
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        drop(town.homes[COUNCIL], "called", convened(samples.message("check.adult.request/1")["person"]))
        await settle(council, health)
        (called,) = arrived(town.homes[HEALTH], "meeting.convened/1")
        complaint = await refused(home, called["envelope"], "--type", "check.adult.request")
        assert "does not let this mailbox send this type" in complaint
        assert UNIT not in complaint
        assert not await health.gateway.spool.all("list_sent")


async def test_who_may_not_open_it_may_not_answer_it(town: Town) -> None:
    """Somebody excluded from the thread gives no answer in it; a colleague does."""
    home = write_home(town, PROBATION)
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await ask_about_an_adult(town, council, probation)
        (asked,) = arrived(home, "check.adult.request/1")
        people = ("--person", "Pat Sample", "--by", "Robin Sample", "--second", "Kim Placeholder")
        await command(home, "exclude", asked["thread"], *people)
        await refused(home, envelope, *ANSWER, "--by", "Pat Sample", "--role", "officer")
        assert not await probation.gateway.spool.all("list_sent")
        assert await command(home, "answer", envelope, *ANSWER, "--by", "Kim Placeholder", "--role", "officer")


async def test_what_is_no_longer_here_is_not_answered(town: Town) -> None:
    """Once the content is gone there is nothing to make an answer of."""
    home = write_home(town, PROBATION)
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await ask_about_an_adult(town, council, probation)
        await probation.gateway.spool.run("drop_content", envelope=envelope, mailbox=OFFICERS)
        assert "no longer here" in await refused(home, envelope, *ANSWER)
