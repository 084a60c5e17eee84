"""System 26: social care hears at once when a child who is already vulnerable is no longer in school.

It was a strength in 2018.  What is shown is that it stays one, and what would be seen if it didn't.
"""

from __future__ import annotations

from typing import Any

from adapters.gateway.register.store import entry_of
from tests.journeys.letter.support import (
    COUNCIL,
    DAY,
    MANAGERS,
    MASH,
    MINUTE,
    NURSES,
    SCHOOL_LEAD,
    Letter,
    Sent,
    iso,
    local,
)

TAKEN, AT_ONCE = "education-alert-taken", "education-alert-collected-at-once"


async def alert(letter: Letter, **changes: Any) -> Sent:
    """Let a school tell social care now that a child does not come any more."""
    return await letter.send("education.alert", SCHOOL_LEAD, [MASH], **({"raised_at": iso(letter.now)} | changes))


async def registered(letter: Letter, sent: Sent) -> list[tuple[str, bool, str]]:
    """Return what social care's register has of *sent*'s thread about schooling: state, whether ended, alert."""
    agent = await letter.gateway(COUNCIL)
    await letter.work(COUNCIL)
    rows = await agent.gateway.register.all("entries_in_thread", thread=sent.thread)
    return [(one.state, one.ended, one.facts["alert"]) for one in map(entry_of, rows) if one.kind == "education"]


async def test_an_alert_that_nobody_takes_is_missed(letter: Letter) -> None:
    """Given an alert, when social care doesn't take it within a working day, then both know, and managers after them."""
    sent = await alert(letter)
    assert local((await letter.duty(sent.thread, TAKEN)).duty.due) == "2026-07-07 17:00"
    await letter.until("2026-07-07 17:01")
    assert await letter.states(sent.thread, TAKEN) == {(MASH, SCHOOL_LEAD): "overdue"}
    assert len(await letter.told(SCHOOL_LEAD, "overdue", TAKEN)) == 1
    await letter.until("2026-07-08 17:01")
    for mailbox in (MASH, MANAGERS):
        assert len(await letter.told(mailbox, "overdue", TAKEN)) == 1
    # Taken at last, it stays late.
    assert await letter.states(sent.thread, TAKEN) == {(MASH, SCHOOL_LEAD): "met_late"}


async def test_an_urgent_alert_that_lies_is_known_within_minutes(letter: Letter) -> None:
    """Given an urgent alert at night, when it isn't even collected, then the school knows after five minutes."""
    await letter.until("2026-07-06 23:50")
    sent = await alert(letter, urgent=True)
    await letter.until(5 * MINUTE + 1)
    assert await letter.states(sent.thread, AT_ONCE) == {(MASH, SCHOOL_LEAD): "overdue"}
    for mailbox in (SCHOOL_LEAD, MASH):
        assert await letter.told(mailbox, "overdue", AT_ONCE)


async def test_a_vulnerable_child_is_shown_as_one(letter: Letter) -> None:
    """Given a child known to be vulnerable, when the alert goes, then it says why; it can't go without."""
    reason = await letter.refused("education.alert", SCHOOL_LEAD, [MASH], vulnerabilities=None)
    assert (reason["code"], "`vulnerabilities`" in reason["message"]) == ("message-schema", True)
    sent = await alert(letter)
    message = await letter.receive(MASH, sent)
    assert (message["known_vulnerable"], message["vulnerabilities"]) == ("yes", ["10A"])
    assert (message["last_attended_on"], message["done"]) == ("2026-02-27", "Two home visits.")
    assert await letter.states(sent.thread, TAKEN) == {(MASH, SCHOOL_LEAD): "met"}
    # Why a child is vulnerable goes to social care and to nobody else.
    reason = await letter.refused("education.alert", SCHOOL_LEAD, [MASH, NURSES])
    assert reason["code"] == "recipient-not-allowed"


async def test_it_stays_in_the_register_until_the_child_is_found(letter: Letter) -> None:
    """Given an alert, when weeks pass, then social care's register has the child out of school, until it is back."""
    sent = await alert(letter, alert="missing_from_education")
    assert await registered(letter, sent) == [("open", False, "missing_from_education")]
    await letter.until(30 * DAY)
    assert await registered(letter, sent) == [("open", False, "missing_from_education")]
    await alert(letter, thread=sent.thread, alert="found", since="2026-08-03")
    assert await registered(letter, sent) == [("closed", True, "found")]
