"""System 23: what each agency knows of a child's past comes by its date, each event with who says so, in one order of time.

In 2018 chronologies were rarely done.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.gateway.test_cli import command, run, write_home
from tests.journeys.letter.support import (
    COUNCIL,
    GP,
    HEALTH,
    MASH,
    MINDS_TEAM,
    NURSES,
    SCHOOL_LEAD,
    YOUTH_DESK,
    Letter,
    Sent,
    iso,
    local,
    ms,
)

ANSWERED = "chronology-answered"
NEEDED = "2026-07-13 12:00"
WHO = ("--actor", "Morgan Sample", "--role", "team_manager")


async def ask(letter: Letter, *of: str) -> Sent:
    """Let social care ask *of* each for what it knows, by Monday noon."""
    return await letter.send(
        "chronology.request", MASH, of, requested_at=iso(letter.now), needed_by=iso(ms(NEEDED)), urgent=None
    )


def event(day: str, what: str, source: str, **changes: Any) -> dict[str, Any]:
    """Return one row: on *day* something happened, as *source* knows."""
    given = {"date_precision": "day", "author": "RECORD-1", "info_kind": "fact", "handling_marks": []}
    return {"occurred_on": day, "event": what, "source_org": source} | given | changes


async def answer(letter: Letter, asked: Sent, sender: str, *rows: dict[str, Any], **more: Any) -> Sent:
    """Let *sender* answer with *rows*, or that it knows nothing."""
    given: dict[str, Any] = {"answered_at": iso(letter.now), "nil_return": not rows, "rows": list(rows) or None}
    return await letter.send("chronology.response", sender, [MASH], thread=asked.thread, re=asked.id, **given, **more)


async def decline(letter: Letter, asked: Sent, sender: str) -> Sent:
    """Let *sender* say that it doesn't share, and why."""
    given: dict[str, Any] = {"requested_what": "chronology", "reason_code": "excessive", "decided_at": iso(letter.now)}
    return await letter.send("share.declined", sender, [MASH], thread=asked.thread, re=asked.id, **given)


async def test_an_agency_that_says_nothing_is_missed(letter: Letter) -> None:
    """Given two who are asked, when one is silent, then it is warned before the date, and at the date both sides hear."""
    asked = await ask(letter, NURSES, SCHOOL_LEAD)
    assert {local(row.duty.due) for row in await letter.rows(asked.thread, ANSWERED)} == {NEEDED}
    await answer(letter, asked, SCHOOL_LEAD)
    await letter.until("2026-07-10 09:00")
    assert await letter.told(NURSES, "due-soon", ANSWERED)
    assert await letter.told(SCHOOL_LEAD, "due-soon", ANSWERED) == []
    await letter.until("2026-07-13 12:01")
    assert await letter.states(asked.thread, ANSWERED) == {(NURSES, MASH): "overdue", (SCHOOL_LEAD, MASH): "met"}
    for mailbox in (NURSES, MASH):
        assert len(await letter.told(mailbox, "overdue", ANSWERED)) == 1
    figures = await letter.report(
        "duties", "2026-07-01 00:00", "2026-08-01 00:00", type="chronology.request", rule=ANSWERED
    )
    (rule,) = figures["rules"]
    assert (rule["total"]["owed"], rule["total"]["met"], rule["total"]["stuck"]) == (2, 1, 1)


async def test_knowing_nothing_is_an_answer_and_reading_is_none(letter: Letter) -> None:
    """Given a question that was read, when nothing is said, then it is owed; a nil return and a reasoned refusal settle it."""
    asked = await ask(letter, NURSES, GP)
    for mailbox in (NURSES, GP):
        await letter.person(mailbox, asked, "opened", "acknowledged")
    assert set((await letter.states(asked.thread, ANSWERED)).values()) == {"open"}
    nothing = await answer(letter, asked, NURSES)
    await decline(letter, asked, GP)
    assert set((await letter.states(asked.thread, ANSWERED)).values()) == {"met"}
    assert (await letter.receive(MASH, nothing))["nil_return"] is True


async def test_a_row_without_its_source_is_refused(letter: Letter) -> None:
    """Given an event, when it doesn't say who knows it, who wrote it or of what kind it is, then it can't be sent."""
    asked = await ask(letter, NURSES)
    whole = event("2025-06-01", "Not brought to an appointment.", HEALTH)
    for name in ("source_org", "author", "info_kind", "handling_marks"):
        row = {key: value for key, value in whole.items() if key != name}
        reason = await letter.refused(
            "chronology.response", NURSES, [MASH], thread=asked.thread, re=asked.id, nil_return=False, rows=[row]
        )
        assert reason["code"] == "message-schema"
        assert name in reason["message"]
    empty = await letter.refused(
        "chronology.response", NURSES, [MASH], thread=asked.thread, re=asked.id, nil_return=False, rows=None
    )
    assert empty["code"] == "message-schema"


async def test_the_answers_are_one_chronology_at_whoever_asked(letter: Letter) -> None:
    """Given five who are asked, when social care looks, then rows are in order of time, and silence is no quiet time."""
    home = write_home(letter.town, COUNCIL)
    asked = await ask(letter, NURSES, SCHOOL_LEAD, MINDS_TEAM, GP, YOUTH_DESK)
    told = await answer(
        letter,
        asked,
        NURSES,
        event("2026-02-03", "Not brought to an appointment.", HEALTH),
        event("2024-11-20", "Burn to the hand.", HEALTH, info_kind="hearsay", handling_marks=["third_party"]),
        draft={"marks": ["not_for_family"]},
    )
    school = event("2025-06-01", "Moved school.", "millbrook-academy", date_precision="month")
    await answer(letter, asked, SCHOOL_LEAD, school)
    await answer(letter, asked, MINDS_TEAM)
    await decline(letter, asked, GP)
    await letter.work(COUNCIL)
    (whole,) = await command(home, "chronology", asked.thread, *WHO)
    assert [(row["occurred_on"], row["from"], row["source_org"]) for row in whole["rows"]] == [
        ("2024-11-20", NURSES, HEALTH),
        ("2025-06-01", SCHOOL_LEAD, "millbrook-academy"),
        ("2026-02-03", NURSES, HEALTH),
    ]
    assert [row["info_kind"] for row in whole["rows"]] == ["hearsay", "fact", "fact"]
    assert [row["handling_marks"] for row in whole["rows"]] == [
        ["not_for_family", "third_party"],
        [],
        ["not_for_family"],
    ]
    assert whole["nothing"] == [MINDS_TEAM]
    assert whole["declined"] == [{"from": GP, "reason_code": "excessive"}]
    assert whole["waiting"] == [{"from": YOUTH_DESK, "due": iso(ms(NEEDED))}]
    # Looking at it is opening it, and each who answered hears so.
    await letter.work(COUNCIL, HEALTH)
    spool = letter.agents[HEALTH].gateway.spool
    levels = {row["level"] for row in await spool.all("heard_of", envelope=told.id)}
    assert "opened" in levels


async def test_a_corrected_answer_takes_the_place_of_the_first(letter: Letter) -> None:
    """Given an answer with a wrong date, when it is replaced, then the chronology has the new row alone."""
    home = write_home(letter.town, COUNCIL)
    asked = await ask(letter, NURSES)
    first = await answer(letter, asked, NURSES, event("2025-06-01", "Burn to the hand.", HEALTH))
    second = await answer(letter, asked, NURSES, event("2025-06-11", "Burn to the hand.", HEALTH), supersedes=first.id)
    await letter.work(COUNCIL)
    (whole,) = await command(home, "chronology", asked.thread, *WHO)
    assert [row["occurred_on"] for row in whole["rows"]] == ["2025-06-11"]
    assert (whole["waiting"], whole["no_longer_here"]) == ([], [])
    # What the gateway has forgotten is missed, not left out in silence.
    await letter.agents[COUNCIL].gateway.spool.run("drop_content", envelope=second.id, mailbox=MASH)
    (whole,) = await command(home, "chronology", asked.thread, *WHO)
    assert whole["no_longer_here"] == [second.id]


async def test_nobody_sees_it_who_may_not(letter: Letter) -> None:
    """Given a worker who is kept out of the case, when they ask for the chronology, then they see nothing of it."""
    home = write_home(letter.town, COUNCIL)
    asked = await ask(letter, NURSES)
    await answer(letter, asked, NURSES, event("2025-06-01", "Burn to the hand.", HEALTH))
    await letter.work(COUNCIL)
    two = ("--by", "Alex Lead", "--second", "Kim Second")
    await command(home, "exclude", asked.thread, "--person", "Morgan Sample", *two)
    code, printed, said = await asyncio.to_thread(run, "chronology", asked.thread, *WHO, "--home", str(home))
    assert (code, printed) == (1, None)
    assert "may not open" in said
    code, _, said = await asyncio.to_thread(run, "chronology", letter.new_id(), *WHO, "--home", str(home))
    assert code == 1
    assert "no chronology was asked for" in said
