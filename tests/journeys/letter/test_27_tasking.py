"""System 27: tasking every week and a meeting every quarter, with exploitation as a standing item.

In 2018 the quarterly meeting left county lines out.
"""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from adapters.gateway.register.commands import draw_up
from schemas.rules.recurring import thread_of
from tests.journeys.letter.support import (
    DAY,
    EXPLOITATION,
    MASH,
    NURSES,
    POLICE,
    UNIT,
    Letter,
    discussion,
    iso,
)

WEEKLY, QUARTERLY = "weekly-tasking", "quarterly-meeting"
STANDING = "Child criminal exploitation, county lines"


async def states(letter: Letter, rule: str, period: str) -> set[str]:
    """Return in which states the duties of *rule* are for *period*, the date on which it begins; ``overdue`` where late."""
    return {
        "overdue" if row.state == "open" and row.duty.due < letter.now else row.state
        for row in await letter.rows(thread_of(rule), rule)
        if row.duty.item == period
    }


async def agenda(letter: Letter, tmp_path: Path, *threads: str, meeting: str = "intelligence") -> dict[str, Any]:
    """Let police draw up the agenda of what is open in *threads*, with exploitation as a standing item."""
    police = await letter.gateway(POLICE)
    await letter.work(POLICE)
    path = tmp_path / f"agenda-{letter.now}.json"
    options = Namespace(
        meeting=meeting, starts=iso(letter.now + DAY), meeting_id=None, child=[], thread=list(threads),
        standing=[STANDING], sender=EXPLOITATION, basis=["CA1989_S47"], draft=str(path),
    )  # fmt: skip
    await draw_up(police.gateway, options)
    message: dict[str, Any] = json.loads(path.read_bytes())["message"]
    return message


async def test_a_week_without_tasking_is_missed(letter: Letter) -> None:
    """Given nothing at all, when a week passes without an agenda, then police and social care are told, and it stays so."""
    await letter.until("2026-07-20 00:01")
    assert await states(letter, WEEKLY, "2026-07-13") == {"overdue"}
    assert await letter.told(EXPLOITATION, "overdue", WEEKLY)
    assert await letter.told(MASH, "overdue", WEEKLY)
    await letter.until("2026-07-27 00:01")
    assert await states(letter, WEEKLY, "2026-07-13") == {"overdue"}
    assert await states(letter, WEEKLY, "2026-07-20") == {"overdue"}
    figures = await letter.report(
        "duties", "2026-07-13 00:00", "2026-07-27 00:00", type="agenda.generated", rule=WEEKLY
    )
    assert figures["rules"][0]["total"]["stuck"] == 2


async def test_a_quarter_without_a_meeting_goes_to_the_partnership(letter: Letter) -> None:
    """Given nothing at all, when a quarter ends, then it was warned of in time, and both sides and the partnership know."""
    await letter.until("2026-12-20 09:00")
    assert await letter.told(EXPLOITATION, "due-soon", QUARTERLY)
    assert await states(letter, QUARTERLY, "2026-10-01") == {"open"}
    await letter.until("2027-01-01 00:01")
    assert await states(letter, QUARTERLY, "2026-10-01") == {"overdue"}
    for mailbox in (EXPLOITATION, MASH, UNIT):
        assert await letter.told(mailbox, "overdue", QUARTERLY)


async def test_the_agenda_is_made_from_what_is_open_and_has_exploitation_on_it(letter: Letter, tmp_path: Path) -> None:
    """Given an open action, when the agenda is drawn up and sent, then both are on it, and the week is met."""
    await letter.until("2026-07-14 09:00")
    action = await letter.send(
        "action.assign",
        EXPLOITATION,
        [NURSES],
        action_id=letter.new_id(),
        assigned_at=iso(letter.now),
        owner_role=NURSES,
        due_at=iso(letter.now + 7 * DAY),
    )
    message = await agenda(letter, tmp_path, action.thread)
    sent = await letter.send("agenda.generated", EXPLOITATION, [MASH, NURSES], message=message)
    items = (await letter.receive(MASH, sent))["items"]
    assert [(item["kind"], item.get("owner_role")) for item in items] == [("open_action", NURSES), ("standing", None)]
    assert items[-1]["title"] == STANDING
    assert await states(letter, WEEKLY, "2026-07-13") == {"met"}


async def test_another_meetings_agenda_is_no_tasking(letter: Letter, tmp_path: Path) -> None:
    """Given an agenda of another meeting, when the week ends, then tasking was missed all the same."""
    await letter.until("2026-07-14 09:00")
    await letter.send(
        "agenda.generated", EXPLOITATION, [MASH], message=await agenda(letter, tmp_path, meeting="top_risk")
    )
    await letter.until("2026-07-20 00:01")
    assert await states(letter, WEEKLY, "2026-07-13") == {"overdue"}


async def test_a_meeting_that_leaves_out_what_police_know_is_seen(letter: Letter) -> None:
    """Given a meeting that is called, when no digest comes before it, then that is missed, though the meeting is held."""
    await letter.until("2026-11-02 09:00")
    called = await letter.send(
        "meeting.convened",
        MASH,
        [EXPLOITATION, UNIT],
        meeting_kind="intelligence",
        convened_at=iso(letter.now),
        starts_at=iso(letter.now + DAY),
    )
    assert await letter.states(called.thread, "digest-for-meeting") == {(EXPLOITATION, MASH): "open"}
    await letter.until(DAY + 1)
    held = discussion(letter, [EXPLOITATION, MASH, UNIT], meeting_kind="intelligence")
    await letter.send("meeting.held", EXPLOITATION, [MASH, UNIT], thread=called.thread, **held)
    assert await letter.states(called.thread, "digest-for-meeting") == {(EXPLOITATION, MASH): "overdue"}
    assert await letter.told(MASH, "overdue", "digest-for-meeting")
    assert await states(letter, QUARTERLY, "2026-10-01") == {"met"}
    await letter.until("2027-01-01 00:01")
    assert not await letter.told(UNIT, "overdue", QUARTERLY)
