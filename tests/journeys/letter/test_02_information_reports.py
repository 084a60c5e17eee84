"""System 2: what professionals know of people who may pose a risk goes in to police, and its outcome comes back.

In 2018 the report was in "increased use", yet there were 19 forms in five months; of feedback nothing is said.
"""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import RefusedError
from tests.gateway.test_cli import command, write_home
from tests.journeys.letter.support import (
    CAIT,
    EXPLOITATION,
    HEALTH,
    HOUR,
    MASH,
    NURSES,
    POLICE,
    PUBLIC_PROTECTION,
    SCHOOL,
    SCHOOL_LEAD,
    SOURCES,
    UNIT,
    Letter,
    Sent,
    discussion,
    iso,
    local,
)

ACKNOWLEDGED, OUTCOME, ANSWERED = "report-acknowledged", "report-outcome", "query-answered"
TEACHER = {"author": {"name": "Kim Placeholder", "role": "teacher"}}


async def report(letter: Letter, to: tuple[str, ...] = (EXPLOITATION,), **changes: Any) -> tuple[Sent, str]:
    """Let a teacher report a man and a car; return what was sent and the report's id."""
    name = changes.pop("report_id", None) or letter.new_id()
    given: dict[str, Any] = {"report_id": name, "reported_at": iso(letter.now), "draft": TEACHER} | changes
    return await letter.send("info.report", SCHOOL_LEAD, to, **given), name


async def say(letter: Letter, kind: str, sent: Sent, name: str, **changes: Any) -> Sent:
    """Let police say something about the report: received, a question, an outcome."""
    moment = {"ack": "acknowledged_at", "query": "asked_at", "outcome": "decided_at"}[kind]
    given = {"report_id": name, moment: iso(letter.now)} | changes
    return await letter.send(
        f"info.report.{kind}", EXPLOITATION, [SCHOOL_LEAD], thread=sent.thread, re=sent.id, **given
    )


async def test_a_report_that_nothing_comes_of_is_missed_by_who_sent_it(letter: Letter) -> None:
    """Given a report, when police never answer, then the school sees that, and managers and the partnership after it."""
    sent, _ = await report(letter)
    await letter.until("2026-07-07 17:01")
    assert await letter.states(sent.thread, ACKNOWLEDGED) == {(EXPLOITATION, SCHOOL_LEAD): "overdue"}
    assert await letter.told(SCHOOL_LEAD, "overdue", ACKNOWLEDGED)
    assert local((await letter.duty(sent.thread, OUTCOME)).duty.due) == "2026-08-03 17:00"
    await letter.until("2026-08-03 17:01")
    assert await letter.states(sent.thread, OUTCOME) == {(EXPLOITATION, SCHOOL_LEAD): "overdue"}
    for mailbox in (SCHOOL_LEAD, EXPLOITATION):
        assert len(await letter.told(mailbox, "overdue", OUTCOME)) == 1
    await letter.until("2026-08-10 17:01")
    for mailbox in (PUBLIC_PROTECTION, UNIT):
        assert await letter.told(mailbox, "overdue", OUTCOME)
    figures = await letter.report("duties", "2026-07-01 00:00", "2026-09-01 00:00", type="info.report", rule=OUTCOME)
    (rule,) = figures["rules"]
    assert [one["thread"] for one in rule["stuck"]] == [sent.thread]


async def test_only_an_outcome_settles_a_report(letter: Letter) -> None:
    """Given a report, when it is acknowledged and put aside, then it is owed; its final code comes back and settles it."""
    sent, name = await report(letter)
    await letter.receive(EXPLOITATION, sent)
    await say(letter, "ack", sent, name)
    assert await letter.states(sent.thread, ACKNOWLEDGED) == {(EXPLOITATION, SCHOOL_LEAD): "met"}
    await say(letter, "outcome", sent, name, variant="interim", outcome="more_information_needed")
    assert await letter.states(sent.thread, OUTCOME) == {(EXPLOITATION, SCHOOL_LEAD): "open"}
    final = await say(letter, "outcome", sent, name, outcome="intel_log_created")
    assert await letter.states(sent.thread, OUTCOME) == {(EXPLOITATION, SCHOOL_LEAD): "met"}
    told = await letter.receive(SCHOOL_LEAD, final)
    assert told == {
        "report_id": name,
        "variant": "final",
        "outcome": "intel_log_created",
        "decided_at": iso(letter.now),
    }


async def test_a_question_is_owed_an_answer_and_settles_nothing(letter: Letter) -> None:
    """Given a question of police, when the school doesn't answer, then it is late; the report's next version answers it."""
    sent, name = await report(letter)
    asked = await say(letter, "query", sent, name, needed_by=iso(letter.now + 30 * HOUR), urgent=None)
    assert await letter.states(sent.thread, OUTCOME) == {(EXPLOITATION, SCHOOL_LEAD): "open"}
    await letter.receive(SCHOOL_LEAD, asked)
    await letter.until("2026-07-07 15:01")
    assert await letter.states(sent.thread, ANSWERED) == {(SCHOOL_LEAD, EXPLOITATION): "overdue"}
    assert await letter.told(SCHOOL_LEAD, "overdue", ANSWERED)
    again, _ = await report(
        letter, report_id=name, thread=sent.thread, re=asked.id, supersedes=sent.id, narrative="The north gate."
    )
    assert await letter.states(sent.thread, ANSWERED) == {(SCHOOL_LEAD, EXPLOITATION): "met_late"}
    assert (await letter.receive(EXPLOITATION, again))["narrative"] == "The north gate."
    assert await letter.states(sent.thread, OUTCOME) == {(EXPLOITATION, SCHOOL_LEAD): "open"}


async def test_what_is_urgent_is_stopped_and_shown_where_to_go(letter: Letter) -> None:
    """Given a child at risk now, when somebody would report that, then nothing goes, and they are told whom to call."""
    reason = await letter.refused("info.report", SCHOOL_LEAD, [EXPLOITATION], not_urgent_declared=False)
    assert reason["code"] == "message-schema"
    assert "call 999 or send a referral instead" in reason["message"]
    reason = await letter.refused("info.report", SCHOOL_LEAD, [EXPLOITATION], not_urgent_declared=None)
    assert "not_urgent_declared" in reason["message"]
    assert await letter.agents[SCHOOL].gateway.spool.all("list_sent") == []


async def test_who_reported_is_known_to_source_protection_only(letter: Letter) -> None:
    """Given a report and its submitter apart, when both arrive, then no other mailbox, report or digest has the name."""
    sent, name = await report(letter)
    identity = await letter.send(
        "info.report.identity",
        SCHOOL_LEAD,
        [SOURCES],
        report_id=name,
        reported_at=iso(letter.now),
        draft={"retention": "source", **TEACHER},
    )
    assert identity.thread != sent.thread
    assert (await letter.receive(SOURCES, identity))["submitter"]["name"] == "Kim Placeholder"
    police = letter.agents[POLICE].gateway
    assert await police.spool.one("find_incoming", envelope=identity.id, mailbox=EXPLOITATION) is None
    assert (await letter.receive(EXPLOITATION, sent))["report_id"] == name
    filed = b"".join(path.read_bytes() for path in (police.home / "in" / sent.id).iterdir())
    assert b"Placeholder" not in filed
    reason = await letter.refused("info.report", SCHOOL_LEAD, [EXPLOITATION], submitter={"name": "Kim Placeholder"})
    assert reason["code"] == "message-schema"
    reason = await letter.refused("info.report.identity", SCHOOL_LEAD, [EXPLOITATION], report_id=name)
    assert reason["code"] == "recipient-not-allowed"
    item = {"sanitised_text": "Kim Placeholder saw a car.", "item_id": letter.new_id(), "themes": ["CSE"]}
    graded = {"grade_scheme": "3x5x2", "grade": "2C", "handling_code": "P"}
    reason = await letter.refused(
        "intel.digest", EXPLOITATION, [MASH], issued_at=iso(letter.now), items=[item | graded]
    )
    assert reason["code"] == "source-named"
    assert "Placeholder" not in str(reason)


async def test_it_is_never_copied_to_a_childs_distribution(letter: Letter) -> None:
    """Given a discussion of a child, when a report is sent in its thread, then nobody of the discussion has or is owed it."""
    held = await letter.send("meeting.held", MASH, [NURSES, CAIT], **discussion(letter, [MASH, NURSES, CAIT]))
    sent, _ = await report(letter, thread=held.thread)
    await letter.work(HEALTH)
    health = letter.agents[HEALTH].gateway
    assert await health.spool.all("find_for_any", envelope=sent.id) == []
    about = [row.duty for row in await letter.rows(held.thread) if "info.report" in str(row.duty.types)]
    assert {(duty.debtor, duty.creditor) for duty in about} == {(EXPLOITATION, SCHOOL_LEAD)}
    for box in (NURSES, MASH):
        reason = await letter.refused("info.report", SCHOOL_LEAD, [EXPLOITATION, box], thread=held.thread)
        assert reason["code"] == "recipient-not-allowed"
    # A gateway that doesn't look is refused by the hub.
    desk, county = letter.town.site.desk, letter.town.county
    with pytest.raises(RefusedError) as caught:
        await desk.send(county.seal("info.report/1", SCHOOL_LEAD, [NURSES], thread=held.thread))
    assert caught.value.code == "recipient-not-allowed"


async def test_reports_are_counted_since_a_date(letter: Letter) -> None:
    """Given six reports and one before them, when they are counted, then by agency, theme and outcome, no small count."""
    await report(letter, attributable=True)
    await letter.until("2026-08-03 09:00")
    for number in range(6):
        sent, name = await report(letter, attributable=True, themes=["CSE"] if number else ["CSE", "missing"])
        await letter.receive(EXPLOITATION, sent)
        if number:
            await say(letter, "outcome", sent, name)
    home = write_home(letter.town, POLICE)
    told = await command(home, "picture", "--type", "info.report", "--from", "2026-08-01", "--to", "2026-10-01")
    assert (told["total"], told["by_agency"]) == (6, {SCHOOL: 6})
    assert (told["by_theme"]["CSE"], told["by_theme"]["missing"]) == (6, None)
    assert told["suppressed_below"] == 5
    figures = await letter.report("duties", "2026-08-01 00:00", "2026-10-01 00:00", type="info.report", rule=OUTCOME)
    (rule,) = figures["rules"]
    assert (rule["total"]["owed"], rule["total"]["met"]) == (7, 5)
