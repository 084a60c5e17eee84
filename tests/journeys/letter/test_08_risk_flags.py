"""System 8: a child at moderate or significant risk is flagged in the police's system, and a flag doesn't go stale.

In 2018 not all children at moderate or significant risk were "flagged" on police systems.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from adapters.gateway.register import watching
from adapters.gateway.register.commands import list_pattern
from tests.journeys.letter.support import (
    CAIT,
    COUNCIL,
    EXPLOITATION,
    HOUR,
    MASH,
    MINUTE,
    NURSES,
    POLICE,
    PUBLIC_PROTECTION,
    Letter,
    Sent,
    answer_flag,
    iso,
    local,
)

ASKED, SET, REVIEWED = "flag-requested", "flag-set", "flag-reviewed"


async def agree(letter: Letter, band: str = "moderate", **changes: Any) -> Sent:
    """Let social care agree with police on a child's risk now."""
    given = {"agreed_at": iso(letter.now), "band": band, "review_by": "2026-10-01", "dissent": None}
    return await letter.send("risk.agreed", MASH, [EXPLOITATION], **(given | changes))


async def asked(letter: Letter, agreed: Sent, mailbox: str = EXPLOITATION) -> tuple[Sent, dict[str, Any]]:
    """Return the request that followed by itself from *agreed* to *mailbox*, and its message."""
    await letter.work()
    agent = await letter.gateway(mailbox.partition("/")[0])
    (row,) = [
        row
        for row in await agent.gateway.spool.all("list_incoming")
        if (row["type"], row["mailbox"], row["thread"]) == ("flag.request/1", mailbox, agreed.thread)
    ]
    request = Sent(row["envelope"], row["thread"])
    return request, await letter.receive(mailbox, request)


async def listed(letter: Letter, agency: str, name: str) -> int:
    """Return how many children are on *agency*'s list *name*, as ``gateway register list`` counts them."""
    agent = await letter.gateway(agency)
    await letter.work(agency)
    await watching.keep_up(agent.gateway)
    printed = await list_pattern(agent.gateway, Namespace(name=name))
    assert isinstance(printed, dict)
    assert printed["must be empty"]
    assert "Robin" not in str(printed)
    return int(printed["count"])


@pytest.mark.parametrize("band", ["moderate", "significant"])
async def test_a_flag_that_nobody_asks_for_is_missed_the_same_day(letter: Letter, band: str) -> None:
    """Given a risk that is agreed, when people have to ask for the flag and nobody does, then lists and both sides say so."""
    await letter.gateway(COUNCIL, by_hand=("flag.request",))
    agreed = await agree(letter, band)
    row = await letter.duty(agreed.thread, ASKED)
    assert (row.duty.debtor, row.duty.creditor, local(row.duty.due)) == (MASH, EXPLOITATION, "2026-07-06 17:00")
    await letter.until(8 * HOUR + MINUTE)
    assert await letter.states(agreed.thread, ASKED) == {(MASH, EXPLOITATION): "overdue"}
    assert await letter.told(MASH, "overdue", ASKED)
    assert await letter.told(EXPLOITATION, "overdue", ASKED)
    assert (await listed(letter, COUNCIL, "unflagged"), await listed(letter, POLICE, "unflagged")) == (1, 1)


@pytest.mark.parametrize("band", ["mild", "unknown"])
async def test_a_lesser_or_unknown_risk_asks_for_no_flag(letter: Letter, band: str) -> None:
    """Given a band below moderate, or none that is known, when it is agreed, then no flag is owed."""
    agreed = await agree(letter, band)
    await letter.work()
    assert not await letter.rows(agreed.thread, ASKED)
    assert await listed(letter, COUNCIL, "unflagged") == 0


async def test_the_flag_is_asked_for_at_once_and_set_once_it_was_seen(letter: Letter) -> None:
    """Given an agreed risk, when police set the flag and read it back, then it is met and nobody is unflagged."""
    await letter.gateway(POLICE)
    agreed = await agree(letter)
    request, message = await asked(letter, agreed)
    assert await letter.states(agreed.thread, ASKED) == {(MASH, EXPLOITATION): "met"}
    assert set(message["child"]) == {"local_id", "name", "dob", "nhs_number", "nhs_number_status"}
    await letter.until("2026-07-07 17:01")
    assert (await letter.states(agreed.thread, SET))[EXPLOITATION, MASH] == "overdue"
    assert await letter.told(EXPLOITATION, "overdue", SET)
    assert await letter.told(MASH, "overdue", SET)
    assert await listed(letter, POLICE, "unflagged") == 1
    shared = {name: message[name] for name in ("flag_id", "child", "flag_kind", "system_owner", "source_risk")}
    reason = await letter.refused(
        "flag.set", EXPLOITATION, [MASH], thread=request.thread, re=request.id, read_back_at=None, **shared
    )
    assert reason["code"] == "message-schema"
    assert "read_back_at" in reason["message"]
    await answer_flag(letter, request, message)
    assert (await letter.states(agreed.thread, SET))[EXPLOITATION, MASH] == "met_late"
    for agency in (COUNCIL, POLICE):
        assert await listed(letter, agency, "unflagged") == 0
        assert await listed(letter, agency, "stale-flag") == 0


async def test_a_flag_of_a_trust_is_no_flag_of_the_police(letter: Letter) -> None:
    """Given a flag that only the trust has set, when social care lists who is unflagged, then the child is on the list."""
    await letter.gateway(POLICE)
    agreed = await agree(letter)
    request, message = await asked(letter, agreed, NURSES)
    await answer_flag(letter, request, message)
    assert (await letter.states(agreed.thread, SET))[NURSES, MASH] == "met"
    assert await listed(letter, COUNCIL, "unflagged") == 1


async def test_a_flag_that_nobody_looks_at_again_is_stale(letter: Letter) -> None:
    """Given a flag past its review, when nobody reviewed it, then it is on both lists until somebody does."""
    await letter.gateway(POLICE)
    agreed = await agree(letter)
    request, message = await asked(letter, agreed)
    was_set = await answer_flag(letter, request, message, review_by="2026-08-31")
    await letter.until("2026-09-01 09:00")
    assert await letter.states(agreed.thread, REVIEWED) == {(EXPLOITATION, MASH): "overdue"}
    assert await letter.told(EXPLOITATION, "overdue", REVIEWED)
    await letter.until("2026-09-02 17:01")
    assert await letter.told(PUBLIC_PROTECTION, "overdue", REVIEWED)
    assert (await listed(letter, COUNCIL, "stale-flag"), await listed(letter, POLICE, "stale-flag")) == (1, 1)
    shared = {name: message[name] for name in ("flag_id", "child", "flag_kind", "system_owner", "source_risk")}
    await letter.send(
        "flag.review",
        EXPLOITATION,
        [MASH],
        thread=request.thread,
        re=was_set.id,
        reviewed_at=iso(letter.now),
        review_by="2026-12-01",
        result="keep",
        **shared,
    )
    assert await letter.states(agreed.thread, REVIEWED) == {(EXPLOITATION, MASH): "met_late"}
    again = await letter.duty(agreed.thread, "flag-reviewed-again")
    assert (again.state, local(again.duty.due)) == ("open", "2026-12-01 23:59")
    assert (await listed(letter, COUNCIL, "stale-flag"), await listed(letter, POLICE, "stale-flag")) == (0, 0)


async def test_a_declined_flag_waits_until_whoever_asked_gives_it_up(letter: Letter) -> None:
    """Given a reasoned decline, when two people of social care waive the flag, then only then has the duty ended."""
    await letter.gateway(POLICE)
    agreed = await agree(letter)
    request, message = await asked(letter, agreed)
    declined = {"set_at": None, "read_back_at": None, "review_by": None, "declined_reason": None}
    shared = {name: message[name] for name in ("flag_id", "child", "flag_kind", "system_owner", "source_risk")}
    reason = await letter.refused(
        "flag.set", EXPLOITATION, [MASH], thread=request.thread, re=request.id, answer="declined", **shared, **declined
    )
    assert "declined_reason" in reason["message"]
    said = await answer_flag(
        letter, request, message, answer="declined", **(declined | {"declined_reason": "system_unable"})
    )
    assert (await letter.receive(MASH, said))["declined_reason"] == "system_unable"
    (row,) = [row for row in await letter.rows(agreed.thread, SET) if row.duty.debtor == EXPLOITATION]
    assert row.state == "open"
    await letter.waive(row.id, MASH, "flag_declined")
    assert (await letter.states(agreed.thread, SET))[EXPLOITATION, MASH] == "waived"
    # That nobody sees a flag there is true all the same, and stays visible.
    assert await listed(letter, COUNCIL, "unflagged") == 1


async def test_whoever_holds_the_register_can_say_how_flagging_goes(letter: Letter) -> None:
    """Given flags asked for and set, when the partnership asks, then it has the figures with what was declined."""
    await letter.gateway(POLICE)
    agreed = await agree(letter)
    request, message = await asked(letter, agreed)
    await letter.until(HOUR - MINUTE)
    await answer_flag(letter, request, message)
    figures = await letter.report("duties", "2026-07-01 00:00", "2026-08-01 00:00", type="flag.request", rule=SET)
    (rule,) = figures["rules"]
    assert rule["total"]["met"] == 1
    assert rule["total"]["median_hours"] == pytest.approx(1)
    assert CAIT not in str(figures)
