"""An agency ends while mail is on its way: it reaches who took over, or a person is told, and nothing lies in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.gateway import errands
from adapters.gateway.agent import Agent
from adapters.gateway.succession import inherited
from tests.county import (
    CAIT,
    COUNCIL,
    DAY,
    EXPLOITATION,
    HEALTH,
    MASH,
    NURSES,
    OFFICERS,
    PAEDIATRICS,
    POLICE,
    PROBATION,
    UNIT,
)
from tests.directories.endings import SPLIT, change_agency, end_agency, end_team
from tests.gateway.support import HELD_AT, Town, draft, drop, meeting_held, minutes_full, read_notices, settle
from tests.gateway.test_cli import command, write_home
from tests.schemas import samples


def send_minutes(town: Town, *parties: str, name: str = "minutes", **changes: Any) -> None:
    """Drop full minutes of a meeting with *parties*, who are recipients unless *changes* say otherwise."""
    value = draft("minutes.full/1", MASH, message=minutes_full([MASH, *parties]), **changes)
    drop(town.homes[COUNCIL], name, value)


def notices(town: Town, agency: str, *codes: str) -> list[dict[str, Any]]:
    """Return the notices of *codes* that *agency*'s staff see."""
    return [one for one in read_notices(town.homes[agency]) if one["notice"] in codes]


def filed(home: Path) -> list[dict[str, Any]]:
    """Return what the sender said about each delivery that is filed at *home*."""
    return [json.loads(path.read_bytes()) for path in sorted((home / "in").glob("*/envelope.json"))]


def refusal(town: Town, name: str = "minutes") -> dict[str, str]:
    """Return why the council's draft *name* can't be sent."""
    (found,) = (town.homes[COUNCIL] / "refused").glob(f"*{name}*/reason.json")
    reason: dict[str, str] = json.loads(found.read_bytes())
    return reason


async def header_of(council: Agent, number: int = 0) -> Any:
    """Return the header of one envelope that the council sent."""
    rows = await council.gateway.spool.all("list_sent")
    row = await council.gateway.spool.one("find_sent", envelope=rows[number]["envelope"])
    assert row is not None
    return errands.header_of(row)


# Drafts ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
async def test_a_draft_to_an_ended_mailbox_goes_to_its_heir(town: Town, named: bool) -> None:
    """Named by the draft or a party of its message: the heir has it, the parties stay, and the sender is told."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        await end_agency(town.site.desk, HEALTH, PROBATION)
        await town.tick()
        send_minutes(town, NURSES, **({"to": [NURSES]} if named else {}))
        await settle(council, probation)
        header = await header_of(council)
        assert (header.to, NURSES in header.parties) == ((OFFICERS,), True)
        (told,) = notices(town, COUNCIL, "re-addressed")
        assert {name: told[name] for name in ("envelope", "thread", "type", "ended", "to")} == {
            "envelope": header.id, "thread": header.thread, "type": "minutes.full/1", "ended": NURSES, "to": OFFICERS,
        }  # fmt: skip
        assert [one["envelope"] for one in filed(town.homes[PROBATION])] == [header.id]


async def test_where_several_took_over_the_draft_says_which(town: Town) -> None:
    """Without a part it is refused with everybody who might be meant, and whoever sent it sees that; with one it goes."""
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police:
        await end_agency(town.site.desk, HEALTH, *SPLIT)
        await town.tick()
        await settle(council)
        send_minutes(town, NURSES)
        send_minutes(town, NURSES, name="elsewhere", split="west")
        await settle(council)
        for name in ("minutes", "elsewhere"):
            reason = refusal(town, name)
            assert reason["code"] == "recipient-split"
            for word in (OFFICERS, "north", CAIT, "south", UNIT):
                assert word in reason["hint"]
        told = notices(town, COUNCIL, "send-refused")
        assert [one["code"] for one in told] == ["recipient-split"] * 2
        assert {one["mailbox"] for one in told} == {MASH}
        send_minutes(town, NURSES, name="south", split="south")
        await settle(council, police)
        assert (await header_of(council)).to == (CAIT,)
        assert len(filed(town.homes[POLICE])) == 1


async def test_an_address_that_leads_to_nobody_has_an_owner(town: Town) -> None:
    """Nobody took over: refused, with the mailbox whose it is to put that right; so is what was never there."""
    async with town.agent(COUNCIL) as council:
        await end_agency(town.site.desk, HEALTH)
        await town.tick()
        await settle(council)
        send_minutes(town, NURSES)
        send_minutes(town, NURSES, name="unknown", to=[f"{HEALTH}/nowhere"])
        await settle(council)
        assert (refusal(town)["code"], UNIT in refusal(town)["hint"]) == ("recipient-ended", True)
        assert refusal(town, "unknown")["code"] == "recipient-unknown"
        assert len(notices(town, COUNCIL, "send-refused")) == 2


async def test_the_mail_of_a_team_that_ended_goes_to_its_deputy(town: Town) -> None:
    """Leavers: the agency goes on, and whoever stands in has what is sent from now on."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        await end_team(town.site.desk, PAEDIATRICS, deputy=NURSES)
        await town.tick()
        send_minutes(town, PAEDIATRICS, CAIT)
        await settle(council, health)
        assert (await header_of(council)).to == tuple(sorted((CAIT, NURSES)))
        assert len(filed(town.homes[HEALTH])) == 1


async def test_the_sender_who_took_over_sends_nothing_to_itself(town: Town) -> None:
    """What it says as the one party, it knows as the other."""
    async with town.agent(COUNCIL) as council:
        await end_agency(town.site.desk, HEALTH, COUNCIL)
        await town.tick()
        drop(town.homes[COUNCIL], "held", draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES, CAIT])))
        send_minutes(town, NURSES)
        await settle(council)
        assert (await header_of(council)).to == (CAIT,)
        assert refusal(town)["code"] == "draft-recipients"


async def test_what_was_sealed_before_the_end_and_sent_after_it_is_made_anew_for_the_heir(town: Town) -> None:
    """The hub refuses the old address; the same draft goes under the same id to who took over."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        await settle(council)
        send_minutes(town, NURSES)
        await council.collect_pass()
        before = await header_of(council)
        assert before.to == (NURSES,)
        await end_agency(town.site.desk, HEALTH, PROBATION)
        await town.tick()
        await council.send_pass()
        for what in ("seal", "send"):
            council.gateway.pacer.worked(f"{what} {before.id}")  # time passes
        await settle(council, probation)
        after = await header_of(council)
        assert (after.id, after.to) == (before.id, (OFFICERS,))
        assert len(filed(town.homes[PROBATION])) == 1


# Mail that was accepted ---------------------------------------------------------------------------------------------


async def test_what_an_ended_agency_never_collected_reaches_its_heir(town: Town) -> None:
    """Its gateway is down for good; nobody configures anything, and the receipts are of the old mailbox."""
    desk = town.site.desk
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation, town.agent(POLICE) as police:
        await settle(council, probation)
        drop(town.homes[COUNCIL], "held", draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES, CAIT])))
        await settle(council, police)
        thread = (await header_of(council)).thread
        send_minutes(town, NURSES, CAIT, thread=thread)
        await settle(council, police)
        await town.tick(DAY)
        await end_agency(desk, HEALTH, PROBATION)
        await town.tick()
        await settle(council)
        await town.tick()
        await settle(probation, council)
        assert inherited(probation.gateway) == [PAEDIATRICS, NURSES]
        assert len(filed(town.homes[PROBATION])) == 2
        assert await probation.gateway.spool.all("find_for_any", envelope=(await header_of(council)).id) != []
        duties = await desk.duties(thread)
        assert duties["full-received", NURSES, MASH] == "met"
        assert notices(town, COUNCIL, "reseal-refused") == []
        # The police's copy was theirs already: it came once.
        assert len(filed(town.homes[POLICE])) == 2
        # What the nurses were told before the end was theirs to hear.
        told = [one for one in read_notices(town.homes[PROBATION]) if one["mailbox"] == NURSES]
        assert [one["notice"] for one in told if one["notice"] == "owed"] == []


async def test_of_several_heirs_a_person_chooses_and_the_other_rejects_nothing(town: Town) -> None:
    """The sender's staff are told who might be meant; what they choose opens for that one alone."""
    async with (
        town.agent(COUNCIL) as council,
        town.agent(PROBATION) as probation,
        town.agent(POLICE) as police,
    ):
        await settle(council, probation, police)
        send_minutes(town, NURSES)
        await settle(council)
        await end_agency(town.site.desk, HEALTH, *SPLIT)
        await town.tick()
        await settle(council, probation, police)
        (told,) = notices(town, COUNCIL, "reseal-refused")
        assert told["code"] == "recipient-split"
        assert (OFFICERS in told["hint"], told["mailbox"]) == (True, MASH)
        envelope = told["envelope"]
        with pytest.raises(Exception, match="no such envelope"):
            await errands.ask_reseal(council.gateway, "A" * 22, "north")
        await command(write_home(town, COUNCIL), "reseal", envelope, "--split", "north")
        await settle(council)
        await settle(police, probation, council)
        assert [one["envelope"] for one in filed(town.homes[PROBATION])] == [envelope]
        assert filed(town.homes[POLICE]) == []
        assert notices(town, COUNCIL, "returned") == []
        state = await council.gateway.client.envelope_state(envelope)
        assert state is not None
        assert [one["state"] for one in state["deliveries"]] == ["filed"]


async def test_without_an_heir_the_sender_hears_that_it_came_back(town: Town) -> None:
    """In the sweep after the directory that ends the agency: nobody can collect it, and a person at the sender knows."""
    async with town.agent(COUNCIL) as council:
        send_minutes(town, NURSES)
        await settle(council)
        await end_agency(town.site.desk, HEALTH)
        await town.tick()
        await settle(council)
        (told,) = notices(town, COUNCIL, "returned")
        assert told["envelope"] == (await header_of(council)).id


async def test_a_recipient_without_a_key_keeps_it_from_no_other(town: Town) -> None:
    """The one heir's key is waited for, the other recipient's new key is used at once, and each is sealed to once."""
    desk = town.site.desk
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police:
        send_minutes(town, NURSES, CAIT)
        await settle(council)
        probation = town.county.keyrings[PROBATION]
        (held,) = probation.opening_keys.values()
        said = town.county.statement(PROBATION, "seal", held.key.public.jwk, state="retired")
        await desk.publish_key(said)
        await end_agency(desk, HEALTH, PROBATION)
        old = town.county.newest(CAIT).key.kid
        await desk.rotate(POLICE)
        await desk.publish_key(
            town.county.statement(
                POLICE, "seal", town.county.keyrings[POLICE].opening_keys[old].key.public.jwk, state="revoked"
            )
        )
        await town.tick()
        await settle(council)
        assert len(await desk.leaves("wraps-replaced")) == 1
        del police.gateway.keyring.opening_keys[old]
        await settle(police)
        assert len(filed(town.homes[POLICE])) == 1
        new = await desk.rotate(PROBATION)
        await town.tick(DAY)
        await settle(council)
        assert len(await desk.leaves("wraps-replaced")) == 2
        async with town.agent(PROBATION) as late:
            assert new.key.kid in late.gateway.keyring.opening_keys
            await settle(late)
            assert len(filed(town.homes[PROBATION])) == 1


async def test_an_heirs_own_watch_knows_what_is_owed_to_whom_it_followed(town: Town) -> None:
    """While the hub is dark it rings for minutes that a meeting owes to the address of old."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        await end_agency(town.site.desk, HEALTH, PROBATION)
        await town.tick()
        drop(town.homes[COUNCIL], "held", draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES])))
        await settle(council, probation)
        known = [json.loads(bytes(row["duty"])) for row in await probation.gateway.spool.all("list_obligations")]
        assert {(one["debtor"], one["creditor"]) for one in known if one["kind"] == "send"} >= {(MASH, NURSES)}


@pytest.mark.parametrize("owed_itself", [True, False])
async def test_what_one_of_several_heirs_has_for_itself_leaves_the_others_owed(town: Town, owed_itself: bool) -> None:
    """Probation is owed minutes by the police, of which the council knows nothing: the hub says what is open still."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        await settle(council, probation)
        drop(town.homes[COUNCIL], "held", draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES])))
        await settle(council)
        thread = (await header_of(council)).thread
        if owed_itself:
            claim = samples.meeting_claimed(convened_by=EXPLOITATION, held_at=HELD_AT)
            drop(town.homes[PROBATION], "claim", draft("meeting.claimed/1", OFFICERS, message=claim, thread=thread))
            await settle(probation)
        await end_agency(town.site.desk, HEALTH, *SPLIT)
        await town.tick()
        await settle(council)
        send_minutes(town, NURSES, thread=thread, split="north")
        await settle(council)
        duties = await town.site.desk.duties(thread)
        state = "open" if owed_itself else "met"
        assert duties["full-minutes", MASH, NURSES] == state
        assert (("full-minutes", EXPLOITATION, OFFICERS) in duties) == owed_itself
        rows = await council.gateway.spool.all("list_obligations")
        mine = {
            (duty["rule"], duty["debtor"], duty["creditor"]): row["state"]
            for row in rows
            if (duty := json.loads(bytes(row["duty"])))["kind"] == "send"
        }
        assert mine["full-minutes", MASH, NURSES] == state
        assert ("full-minutes", EXPLOITATION, OFFICERS) not in mine
        assert await council.gateway.spool.all("chores", limit=9) == []
        # Nobody reminds of what is met; and of what is not, the agency's own watch does.
        town.county.now += 30 * DAY
        await council.watch_pass()
        await council.file_pass()
        rung = [
            one for one in notices(town, COUNCIL, "overdue") if (one["type"], one["debtor"]) == ("minutes.full", MASH)
        ]
        assert {one["creditor"] for one in rung} == ({NURSES} if owed_itself else set())


async def test_a_key_is_kept_until_what_was_inherited_has_been_read(town: Town) -> None:
    """Mail for the old mailbox may be sealed to it; its feed counts as one of the gateway's own, while it is inherited."""
    async with town.agent(PROBATION) as probation:
        await settle(probation)
        assert set(probation._drained) == {OFFICERS}
        await end_agency(town.site.desk, HEALTH, PROBATION)
        await town.tick()
        await settle(probation)
        assert set(probation._drained) == {OFFICERS, NURSES, PAEDIATRICS}
        await change_agency(town.site.desk, HEALTH, valid_to=None, successors=())
        await town.tick()
        await settle(probation)
        assert set(probation._drained) == {OFFICERS}
