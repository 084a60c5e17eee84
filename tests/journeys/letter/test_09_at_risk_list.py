"""System 9: police give the clinic a list each month, and every young person who comes is held against it in the clinic.

In 2018 this worked well; a list of names that lies readable in a clinic is the hazard, and a month without one the gap.
"""

from __future__ import annotations

import pytest

from adapters.errors import GatewayError
from adapters.gateway.matching import attending, issuer
from adapters.gateway.matching.policy import AtRiskConfig
from tests.gateway.atrisk_support import ALEX, CASEY, OFFICER, Pair, came, headers_sent, listed
from tests.journeys.letter.support import CLINIC, DAY, EXPLOITATION, POLICE, SEXUAL_HEALTH, Letter


async def open_pair(letter: Letter) -> Pair:
    """Open police's and the clinic's gateways, each with its side of the list."""
    police = await letter.gateway(POLICE, atrisk=AtRiskConfig(issuer=EXPLOITATION, clinics=(CLINIC,)))
    clinic = await letter.gateway(SEXUAL_HEALTH, atrisk=AtRiskConfig(clinic=CLINIC))
    return Pair(letter.town, police, clinic)


async def test_a_month_without_a_list_is_missed_by_both(letter: Letter) -> None:
    """Given a month, when police publish nothing, then police and clinic are told, though nothing was ever sent."""
    await open_pair(letter)
    await letter.until("2026-08-07 17:01")
    for mailbox in (EXPLOITATION, CLINIC):
        assert len(await letter.told(mailbox, "overdue", "monthly-list")) == 1


async def test_a_list_that_the_clinic_does_not_load_is_seen_by_police(letter: Letter) -> None:
    """Given a published list, when the clinic's gateway is down, then loading it is overdue the next working day."""
    pair = await open_pair(letter)
    await issuer.draft_version(pair.issuing, [listed(ALEX)], OFFICER)
    await letter.work(POLICE)
    await letter.until("2026-07-07 17:01")
    assert await letter.told(EXPLOITATION, "overdue", "list-loaded")
    await pair.settle()
    (sent,) = [one for one in await headers_sent(pair.police) if one.type == "risklist.publish/1"]
    assert await letter.states(sent.thread, "list-loaded") == {(CLINIC, EXPLOITATION): "met_late"}


async def test_a_stale_list_answers_nobody(letter: Letter) -> None:
    """Given a list of last month, when it has expired, then no check is answered, and both sides know."""
    pair = await open_pair(letter)
    await pair.publish(listed(ALEX))
    await pair.pass_slot(36 * DAY)
    with pytest.raises(GatewayError) as caught:
        await attending.attend(pair.asking, [came("A-1", ALEX)])
    assert caught.value.code == "list-stale"
    assert await letter.told(CLINIC, "atrisk-stale")
    for mailbox in (EXPLOITATION, CLINIC):
        assert await letter.told(mailbox, "overdue", "list-replaced")


async def test_every_attendance_is_checked_inside_the_clinic_and_nothing_flows_back(letter: Letter) -> None:
    """Given a loaded list, when young people attend, then a clinician sees who is known; police see blinded points only."""
    pair = await open_pair(letter)
    await pair.publish(listed(ALEX))
    (sent,) = [one for one in await headers_sent(pair.police) if one.type == "risklist.publish/1"]
    assert await letter.states(sent.thread, "list-loaded") == {(CLINIC, EXPLOITATION): "met"}
    await pair.attend(came("A-1", ALEX), came("A-2", CASEY))
    assert await pair.answers("A-1", "A-2") == [f"known risk, contact {EXPLOITATION}", "not on the list"]
    assert {one.type for one in await headers_sent(pair.clinic)} == {"risklist.ack/1", "risklist.query/1"}
    (month,) = await attending.count(pair.asking)
    assert (month["attendances"], month["coverage"]) == (2, 1.0)


async def test_a_month_with_its_list_is_met(letter: Letter) -> None:
    """Given the first days of a month, when the list is published, then that month owes none any more."""
    pair = await open_pair(letter)
    await letter.until("2026-08-03 09:00")
    await pair.publish(listed(ALEX))
    await letter.until("2026-08-07 17:01")
    for mailbox in (EXPLOITATION, CLINIC):
        assert await letter.told(mailbox, "overdue", "monthly-list") == []
