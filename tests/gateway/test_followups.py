"""What follows from what was sent, whether or not anybody thinks of it; once, and across a kill."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import GatewayError
from adapters.gateway import followups, outgoing
from adapters.gateway.agent import Agent
from adapters.gateway.config import load_config
from adapters.gateway.consequences import FOLLOW_UP
from keys.digests import new_id
from schemas.strict_json import dump
from tests.county import (
    CAIT,
    COUNCIL,
    EXAMPLES,
    EXPLOITATION,
    HEALTH,
    MASH,
    NURSES,
    OFFICERS,
    POLICE,
    PROBATION,
    START,
)
from tests.gateway.support import CATALOGUE, HELD_AT, Town, draft, drop, read_notices, settle
from tests.schemas import samples

ADULTS = [{"name": "Alex Sample", "dob": "1985-01-02"}, {"name": "Kim Placeholder"}]


def convened(*adults: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the draft by which the council calls a strategy discussion with the nurses."""
    message = samples.meeting_convened(
        convened_at=HELD_AT, starts_at="2026-07-07T09:00:00Z", participants=[samples.participant(NURSES, "invited")]
    )
    return draft("meeting.convened/1", MASH, message=message | ({"adults": list(adults)} if adults else {}), **changes)


def thread_of(home: Path, name: str) -> str:
    """Return the thread of the draft *name*, handed over from the folder pair at *home*."""
    thread: str = json.loads((home / "sent" / name / "envelope.json").read_bytes())["thread"]
    return thread


def arrived(home: Path, kind: str) -> list[dict[str, Any]]:
    """Return the notes of the messages of *kind* that were filed in the folder pair at *home*, with the messages."""
    found = []
    for note in sorted((home / "in").glob("*/envelope.json")):
        said = json.loads(note.read_bytes())
        if said["type"] == kind:
            found.append(said | {"message": json.loads((note.parent / "message.json").read_bytes())})
    return found


async def send(agent: Agent) -> None:
    """Have *agent* send until the hub has accepted, and not draft what follows: as if killed right there."""
    await agent.refresh_pass()
    await agent.collect_pass()
    await outgoing.seal_drafts(agent.gateway)
    assert await outgoing.send_sealed(agent.gateway, agent.watch)


async def chores(agent: Agent) -> list[dict[str, Any]]:
    """Return what is still to be drafted."""
    return [dict(row) for row in await agent.gateway.spool.all("follow_ups", limit=100)]


async def test_convening_asks_probation_about_each_adult(town: Town) -> None:
    """Nobody thought of it: two questions, in the discussion's thread, each owed an answer of its own."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation, town.agent(HEALTH) as health:
        drop(town.homes[COUNCIL], "called", convened(*ADULTS))
        await settle(council, probation, health)
        thread = thread_of(town.homes[COUNCIL], "called")
        asked = arrived(town.homes[PROBATION], "check.adult.request/1")
        assert {one["message"]["person"]["name"] for one in asked} == {"Alex Sample", "Kim Placeholder"}
        (called,) = arrived(town.homes[HEALTH], "meeting.convened/1")
        for one in asked:
            assert (one["thread"], one["re"], one["sender"]) == (thread, called["envelope"], MASH)
            assert (one["author"], one["author_role"]) == (called["author"], "team_manager")
            assert (one["basis"], one["purpose"]) == (called["basis"], called["purpose"])
            assert one["message"]["needed_by"] == "2026-07-07T09:00:00Z"
            CATALOGUE.validate("check.adult.request/1", one["message"])
        duties = await town.site.desk.store.read(lambda tx: tx.thread_obligations(thread))
        states = [(row.duty.rule, row.duty.debtor, row.state) for row in duties]
        assert states.count(("probation-asked", MASH, "met")) == 1
        assert states.count(("adult-check-answered", OFFICERS, "open")) == 2
        # Nobody who was invited learns whom probation was asked about.
        assert not arrived(town.homes[HEALTH], "check.adult.request/1")
        assert not await chores(council)


async def test_without_adults_the_duty_stays_open_and_visible(town: Town) -> None:
    """Nothing can be asked about nobody; the duty rings as any other."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        drop(town.homes[COUNCIL], "called", convened())
        await settle(council, probation)
        thread = thread_of(town.homes[COUNCIL], "called")
        assert (await town.site.desk.duties(thread))["probation-asked", MASH, OFFICERS] == "open"
        assert not await chores(council)
        town.county.now += 2 * 86_400_000
        await town.tick()
        await settle(council)
        late = [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "overdue"]
        assert "check.adult.request" in {one["type"] for one in late}


async def test_calling_again_with_adults_asks_what_is_still_owed(town: Town) -> None:
    """The duty of the first call, which listed nobody, is met by what follows from the second; a third asks nobody."""
    thread = new_id(START)
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        for name, adults in (("first", []), ("second", ADULTS[:1]), ("third", ADULTS)):
            drop(town.homes[COUNCIL], name, convened(*adults, thread=thread))
            await settle(council, probation)
        (asked,) = arrived(town.homes[PROBATION], "check.adult.request/1")
        assert asked["re"] == json.loads((town.homes[COUNCIL] / "sent" / "second" / "envelope.json").read_bytes())["id"]
        assert (await town.site.desk.duties(thread))["probation-asked", MASH, OFFICERS] == "met"


async def test_nothing_is_sent_that_others_owe(town: Town) -> None:
    """Where a rule has probation owe the question, the convenor's gateway leaves it to probation."""
    text = (EXAMPLES / "agreement.toml").read_text()
    turned = re.sub(
        r'type = "check.adult.request", by = "sender", to = ("role:probation\w*")',
        r'type = "check.adult.request", by = \1, to = "sender"',
        text,
    )
    turned = re.sub(
        r'(identifiers only\."\n)senders = .*\nrecipients = .*\n', r'\1senders = "*"\nrecipients = "*"\n', turned
    )
    await town.site.desk.next_agreement(turned)
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "called", convened(*ADULTS))
        await send(council)
        thread = thread_of(town.homes[COUNCIL], "called")
        assert (await town.site.desk.duties(thread))["probation-asked", OFFICERS, MASH] == "open"
        assert not await chores(council)


async def test_an_agreed_risk_asks_police_for_a_flag(town: Town) -> None:
    """From moderate on, to the mailbox that owns the flags, about the child's identifiers and no more."""
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police:
        for name, band in (("mild", "mild"), ("moderate", "moderate")):
            message = samples.message("risk.agreed/1", band=band, agreed_at=HELD_AT)
            drop(town.homes[COUNCIL], name, draft("risk.agreed/1", MASH, message=message, to=[CAIT]))
        await settle(council, police)
        (asked,) = arrived(town.homes[POLICE], "flag.request/1")
        assert asked["thread"] == thread_of(town.homes[COUNCIL], "moderate")
        assert asked["message"]["system_owner"] == asked["mailbox"] == EXPLOITATION
        assert set(asked["message"]["child"]) == {"local_id", "name", "dob", "nhs_number", "nhs_number_status"}
        duties = await town.site.desk.duties(asked["thread"])
        assert duties["flag-requested", MASH, EXPLOITATION] == "met"
        assert duties["flag-set", EXPLOITATION, MASH] == "open"


async def test_a_kill_after_the_acceptance_loses_nothing_and_doubles_nothing(town: Town) -> None:
    """What follows was noted with the acceptance; done again after any kill, it is the same two questions."""
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "called", convened(*ADULTS))
        await send(council)
        noted = await chores(council)
        assert len(noted) == 1
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        assert await followups.draft_due(council.gateway) == 2
        # Killed before the chore was dropped: it is found again.
        await council.gateway.spool.run("add_chore", **noted[0])
        assert await followups.draft_due(council.gateway) == 0
        await settle(council, probation)
        await council.gateway.spool.run("add_chore", **noted[0])
        await settle(council, probation)
        assert len(arrived(town.homes[PROBATION], "check.adult.request/1")) == 2
        assert not await chores(council)


async def test_a_kill_between_two_questions_leaves_none_out(town: Town) -> None:
    """The first question settles the duty; the second is asked all the same."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        drop(town.homes[COUNCIL], "called", convened(*ADULTS))
        await send(council)
        noted = await chores(council)
        await followups.draft_due(council.gateway)
        second = await council.gateway.spool.all("find_draft", adapter=FOLLOW_UP, key=await _second_key(council))

        async def forget(tx: Any) -> None:
            await tx._database.execute("DELETE FROM outbox WHERE envelope = ?", (second[0]["envelope"],))

        await council.gateway.spool.write(forget)
        await council.gateway.spool.run("add_chore", **noted[0])
        await outgoing.send_sealed(council.gateway, council.watch)
        thread = thread_of(town.homes[COUNCIL], "called")
        assert (await town.site.desk.duties(thread))["probation-asked", MASH, OFFICERS] == "met"
        await settle(council, probation)
        asked = arrived(town.homes[PROBATION], "check.adult.request/1")
        assert {one["message"]["person"]["name"] for one in asked} == {"Alex Sample", "Kim Placeholder"}


async def _second_key(agent: Agent) -> str:
    rows = await agent.gateway.spool.all("list_sent")
    (key,) = [str(row["key"]) for row in rows if row["adapter"] == FOLLOW_UP and row["key"].endswith(" 1")]
    return key


async def test_what_is_noted_names_nobody_in_clear(town: Town) -> None:
    """Author and adults wait in the spool under its key only."""
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "called", convened(*ADULTS))
        await send(council)
        assert len(await chores(council)) == 1
        raw = (town.homes[COUNCIL] / "spool.db").read_bytes()
    for name in (b"Alex Sample", b"Kim Placeholder", b"Morgan Sample"):
        assert name not in raw


async def test_who_asked_by_hand_is_not_asked_for_again(town: Town) -> None:
    """A question that lies in the outbox, or went already, is the answer to the duty: nothing follows beside it."""
    thread = new_id(START)
    mine = draft(
        "check.adult.request/1", MASH, to=[OFFICERS], thread=thread,
        message=samples.message("check.adult.request/1", requested_at=HELD_AT),
    )  # fmt: skip
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "called", convened(*ADULTS, thread=thread))
        await send(council)
        drop(town.homes[COUNCIL], "mine", mine)
        await council.collect_pass()
        # It may still be refused, so what was noted waits.
        assert await followups.draft_due(council.gateway) == 0
        assert len(await chores(council)) == 1
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        await settle(council, probation)
        assert len(arrived(town.homes[PROBATION], "check.adult.request/1")) == 1
        assert not await chores(council)


async def test_what_the_configuration_leaves_to_people_does_not_follow(town: Town) -> None:
    """`by_hand` names the type; the duty is a person's then, also if it was noted before."""
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "before", convened(*ADULTS))
        await send(council)
    async with town.agent(COUNCIL, by_hand=("check.adult.request",)) as council, town.agent(PROBATION) as probation:
        drop(town.homes[COUNCIL], "called", convened(*ADULTS))
        await settle(council, probation)
        assert not arrived(town.homes[PROBATION], "check.adult.request/1")
        for name in ("before", "called"):
            duties = await town.site.desk.duties(thread_of(town.homes[COUNCIL], name))
            assert duties["probation-asked", MASH, OFFICERS] == "open"
        assert not await chores(council)


async def test_a_withdrawn_meeting_asks_nobody(town: Town) -> None:
    """Taken back before its questions were drafted, it makes none."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        drop(town.homes[COUNCIL], "called", convened(*ADULTS))
        await send(council)
        (sent,) = await council.gateway.spool.all("list_sent")
        await council.gateway.spool.run("set_withdrawn", envelope=sent["envelope"])
        await settle(council, probation)
        assert not arrived(town.homes[PROBATION], "check.adult.request/1")
        assert not await chores(council)


async def test_what_the_agreement_does_not_allow_is_said_and_stays_owed(town: Town) -> None:
    """A follow-up that may not be sent is told to its mailbox once, by codes; a person has to see to the duty."""
    text = (EXAMPLES / "agreement.toml").read_text()
    forbidden = text.replace(
        'identifiers only."\nsenders = ["social_care", "exploitation_team"]',
        'identifiers only."\nsenders = ["exploitation_team"]',
    )
    assert forbidden != text
    await town.site.desk.next_agreement(forbidden)
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "called", convened(*ADULTS[:1]))
        await settle(council)
        told = [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "follow-up-refused"]
        assert [(one["code"], one["creditor"], one["mailbox"]) for one in told] == [
            ("type-not-allowed", OFFICERS, MASH)
        ]
        assert "Alex" not in json.dumps(told)
        duties = await town.site.desk.duties(thread_of(town.homes[COUNCIL], "called"))
        assert duties["probation-asked", MASH, OFFICERS] == "open"
        assert not await chores(council)


async def test_what_was_altered_is_left_alone(town: Town) -> None:
    """A chore that the spool's key doesn't open is not drafted, and stays for somebody to look at."""
    async with town.agent(COUNCIL) as council:
        drop(town.homes[COUNCIL], "called", convened(*ADULTS))
        await send(council)
        (noted,) = await chores(council)
        details = json.loads(bytes(noted["details"]))
        await council.gateway.spool.run("drop_chore", kind=FOLLOW_UP, ref=noted["ref"])
        altered = dump(details | {"source": details["source"][:-6] + "AAAAAA"})
        await council.gateway.spool.run("add_chore", kind=FOLLOW_UP, ref=noted["ref"], details=altered)
        assert await followups.draft_due(council.gateway) == 0
        assert len(await chores(council)) == 1


def test_by_hand_names_only_what_could_follow(tmp_path: Path) -> None:
    """A misspelt type can't pass for one that was left to people."""
    text = f'agency = "{COUNCIL}"\nby_hand = ["flag.requests"]\n[[mailboxes]]\nid = "{MASH}"\n'
    (tmp_path / "gateway.toml").write_text(text)
    with pytest.raises(GatewayError) as caught:
        load_config(tmp_path)
    assert "flag.request" in caught.value.hint
    (tmp_path / "gateway.toml").write_text(text.replace("requests", "request"))
    assert load_config(tmp_path).by_hand == ("flag.request",)
