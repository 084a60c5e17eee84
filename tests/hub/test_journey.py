"""From a meeting held to its minutes in everybody's hands, or to the notice that says they are not."""

from __future__ import annotations

from collections import Counter

import msgspec

from hub import reports
from hub.core.statistics import Period, count
from keys import jws
from schemas.envelope import DAY
from schemas.rules.figures import Figures
from schemas.statements import parse_acceptance
from tests.county import CAIT, HEALTH, HOUR, MANAGERS, MASH, NURSES, OFFICERS, PROBATION, UNIT, Desk
from tests.hub.support import hold, minutes, note

EVERYONE = (CAIT, NURSES, OFFICERS)
# The meeting is on Monday 6 July 2026 at 09:00; offices close at 17:00.
NOTE_DUE, FULL_DUE = 1_783_440_000_000, 1_783_958_400_000


async def _figures(desk: Desk) -> Figures:
    """Return the figures of full minutes from the rows; the leaves must say the same."""
    period, index = Period(0, 2**52), desk.registry.snapshot.directory
    by_leaves, _ = await reports.rows_from_log(desk.store)
    by_rows = await desk.store.read(lambda tx: reports.rows_from_store(tx, period))
    stored, told = (count(rows, period, index, desk.county.now, {"minutes.full"}) for rows in (by_rows, by_leaves))
    assert stored == told
    return stored


async def test_minutes_reach_everyone_who_was_there(desk: Desk) -> None:
    """A meeting held owes note and minutes to each party; sent, collected, filed or acknowledged, all is met."""
    county = desk.county
    held = hold(county, *EVERYONE)
    accepted = await desk.send(held)
    said = parse_acceptance(jws.verify(accepted.acceptance, county.hub.signing.public, jws.ACCEPTANCE))
    assert (said.id, said.at, accepted.repeat) == (held.id, county.now, False)
    rows = await desk.rows(held.header.thread)
    assert {(rule, debtor, creditor): row.duty.due for (rule, debtor, creditor), row in rows.items()} == {
        **{("decision-note", MASH, party): NOTE_DUE for party in EVERYONE},
        **{("full-minutes", MASH, party): FULL_DUE for party in EVERYONE},
    }
    assert (await _figures(desk)).total.missing == 0

    county.now += 3 * HOUR
    decisions, full = note(county, held.header.thread, *EVERYONE), minutes(county, held.header.thread, *EVERYONE)
    for sent in (decisions, full):
        assert (await desk.send(sent)).wake == frozenset(EVERYONE)
    for sent in (decisions, full):
        await desk.receive(sent, CAIT, "collected", "filed")
        await desk.receive(sent, NURSES, "collected", "filed", "opened", "acknowledged")
        await desk.receive(sent, OFFICERS, "collected", "opened", "acknowledged", "filed")
    assert set((await desk.duties(held.header.thread)).values()) == {"met"}

    await desk.tick(30 * DAY)
    assert {one["notice"] for box in (*EVERYONE, MASH, MANAGERS, UNIT) for one in await desk.notices(box)} == {"owed"}
    kinds = Counter(row.entry.kind for row in await desk.feed(MASH))
    assert kinds == {"receipt": 2 * (2 + 4 + 4)}
    figures = await _figures(desk)
    assert (figures.total.owed, figures.total.received, figures.total.received_rate) == (3, 3, 1.0)
    assert (figures.total.filed, figures.total.opened, figures.total.acknowledged) == (3, 2, 2)


async def test_a_recipient_gets_what_was_sent_to_it_and_nothing_else(desk: Desk) -> None:
    """The feed hands over header, wraps, acceptance and body as they were taken, to its own mailbox alone."""
    held = note(desk.county, hold(desk.county).header.thread, CAIT)
    accepted = await desk.send(held)
    (row,) = await desk.feed(CAIT)
    assert row.envelope is not None
    assert b"\n".join((row.envelope.header, row.envelope.wraps, row.body or b"")) == held.raw
    assert (row.envelope.acceptance, row.entry.seq, row.entry.kind) == (accepted.acceptance, 1, "delivery")
    assert await desk.feed(NURSES) == []


async def test_late_minutes_are_late_and_not_lost(desk: Desk) -> None:
    """What is sent after its moment meets the duty as late; what is receipted after its own, too."""
    county = desk.county
    held = hold(county, CAIT)
    await desk.send(held)
    county.now = FULL_DUE + 1
    full = minutes(county, held.header.thread, CAIT)
    await desk.send(full)
    assert (await desk.duties(held.header.thread))["full-minutes", MASH, CAIT] == "met_late"
    await desk.tick(9 * DAY)
    await desk.receive(full, CAIT, "collected", "filed")
    assert (await desk.duties(held.header.thread))["full-received", CAIT, MASH] == "met_late"
    figures = await _figures(desk)
    assert (figures.total.late, figures.total.received) == (1, 0)


async def test_the_due_moment_itself_is_in_time(desk: Desk) -> None:
    """On time means accepted at or before the due moment."""
    county = desk.county
    held = hold(county, CAIT)
    await desk.send(held)
    county.now = FULL_DUE
    await desk.send(minutes(county, held.header.thread, CAIT))
    assert (await desk.duties(held.header.thread))["full-minutes", MASH, CAIT] == "met"


async def test_minutes_that_nobody_sends_are_raised_on_both_sides_once_each(desk: Desk) -> None:
    """Warning, overdue, manager, partnership: each step once, at its moment, to whom the agreement names."""
    county = desk.county
    held = hold(county, NURSES)
    await desk.send(held)
    heard: dict[str, list[tuple[str, str, int]]] = {}
    for _ in range(12 * 24):
        await desk.tick(HOUR)
        for mailbox in (MASH, NURSES, MANAGERS, UNIT):
            heard[mailbox] = [
                (one["type"], one["notice"], one["step"]) for one in await desk.notices(mailbox, "due-soon", "overdue")
            ]
        assert (await desk.tick()).wake == frozenset()
    steps = {
        "minutes.decisions": [("due-soon", 0), ("overdue", 1), ("overdue", 2), ("overdue", 3)],
        "minutes.full": [("due-soon", 0), ("due-soon", 1), ("overdue", 2), ("overdue", 3), ("overdue", 4)],
    }
    expected: dict[str, set[tuple[str, str, int]]] = {MASH: set(), NURSES: set(), MANAGERS: set(), UNIT: set()}
    for family, all_steps in steps.items():
        *both, manager, partnership = [(family, *step) for step in all_steps]
        expected[MASH] |= set(both)
        expected[NURSES] |= set(both)
        expected[MANAGERS] |= {manager}
        expected[UNIT] |= {partnership}
    assert {mailbox: sorted(told) for mailbox, told in heard.items()} == {
        mailbox: sorted(told) for mailbox, told in expected.items()
    }
    (overdue,) = [one for one in await desk.notices(NURSES, "overdue") if one["type"] == "minutes.full"]
    assert (overdue["debtor"], overdue["creditor"], overdue["due"]) == (MASH, NURSES, FULL_DUE)
    leaf = (await desk.leaves())[overdue["index"]]
    assert (leaf["event"], leaf["obligation"], leaf["step"]) == ("step-taken", overdue["obligation"], overdue["step"])
    (missing,) = (await _figures(desk)).missing
    assert (missing.debtor, missing.creditor, missing.thread) == (MASH, NURSES, held.header.thread)


async def test_steps_that_passed_while_the_hub_was_down_are_all_taken(desk: Desk) -> None:
    """An outage delays the alarm and loses none of it, however many there are and however few a round takes."""
    county = desk.county
    held = hold(county, NURSES)
    await desk.send(held)
    await desk.tick(60 * DAY)
    boxes = (MASH, NURSES, MANAGERS, UNIT)
    codes = Counter([one["notice"] for box in boxes for one in await desk.notices(box, "due-soon", "overdue")])
    assert codes == {"due-soon": 6, "overdue": 4 + 2 + 2}
    assert (await desk.tick(60 * DAY)).count == 0


async def test_the_figure_of_the_inspectors(desk: Desk) -> None:
    """One of four that were owed is received in time: 25%, whoever was never sent anything counted in."""
    county = desk.county
    threads = []
    for _ in range(4):
        held = hold(county, NURSES, OFFICERS)
        await desk.send(held)
        threads.append(held.header.thread)
    county.now += HOUR
    await desk.send(first := minutes(county, threads[0], NURSES, OFFICERS))
    await desk.send(second := minutes(county, threads[1], NURSES))
    await desk.receive(first, NURSES, "collected", "filed")
    await desk.receive(second, NURSES, "collected")
    await desk.tick(20 * DAY)
    figures = await _figures(desk)
    assert figures.by_agency[HEALTH].received_rate == 0.25
    assert figures.by_sector["health"].owed == 4
    assert (figures.by_agency[HEALTH].missing, figures.by_agency[HEALTH].untaken) == (2, 1)
    assert (figures.by_agency[PROBATION].owed, figures.by_agency[PROBATION].sent) == (4, 1)


async def test_minutes_that_were_taken_back_are_missing_again(desk: Desk) -> None:
    """The figures follow: what was withdrawn before anybody had it was not sent."""
    county = desk.county
    held = hold(county, NURSES)
    await desk.send(held)
    await desk.send(full := minutes(county, held.header.thread, NURSES))
    assert (await _figures(desk)).total.sent == 1
    await desk.withdraw(full)
    await desk.tick(20 * DAY)
    figures = await _figures(desk)
    assert (figures.total.sent, figures.total.missing) == (0, 1)


async def test_minutes_may_come_before_their_meeting_is_registered(desk: Desk) -> None:
    """What was sent already meets the duty as it opens, at the moment at which it was sent."""
    county = desk.county
    held = hold(county, NURSES, CAIT)
    await desk.send(full := minutes(county, held.header.thread, NURSES))
    sent_at = county.now
    county.now += DAY
    await desk.send(held)
    rows = await desk.rows(held.header.thread)
    met = rows["full-minutes", MASH, NURSES]
    assert (met.state, met.settled_at, met.settled_by) == ("met", sent_at, full.id)
    assert rows["full-minutes", MASH, CAIT].state == "open"


async def test_an_attendee_who_got_nothing_registers_the_same_duty(desk: Desk) -> None:
    """A claim and the chair's own registration are one obligation each, whoever comes first."""
    county = desk.county
    for first_claimed in (True, False):
        held = hold(county, NURSES)
        thread = held.header.thread
        claim = county.seal(
            "meeting.claimed/1", NURSES, [MASH], thread=thread, facts={"meeting": "strategy"}, parties=[MASH]
        )
        await desk.send(claim if first_claimed else held)
        before = {parts: row.id for parts, row in (await desk.rows(thread)).items()}
        await desk.send(held if first_claimed else claim)
        after = {parts: row.id for parts, row in (await desk.rows(thread)).items()}
        assert before == after
        assert set(after) == {("decision-note", MASH, NURSES), ("full-minutes", MASH, NURSES)}
        await desk.send(minutes(county, thread, NURSES))
        assert (await desk.duties(thread))["full-minutes", MASH, NURSES] == "met"


async def test_nobody_elses_message_passes_for_the_one_owed(desk: Desk) -> None:
    """Another agency's minutes, another thread's, another type or variant: the duty stays open."""
    county = desk.county
    held = hold(county, NURSES)
    thread = held.header.thread
    await desk.send(held)
    await desk.send(minutes(county, county.seal("x/1", MASH, [CAIT]).header.thread, NURSES))
    await desk.send(minutes(county, thread, CAIT))
    await desk.send(county.seal("minutes.full/1", MASH, [NURSES], thread=thread))
    await desk.send(county.seal("minutes.full/1", f"{CAIT.partition('/')[0]}/exploitation", [NURSES], thread=thread))
    duties = await desk.duties(thread)
    assert (duties["full-minutes", MASH, NURSES], duties["decision-note", MASH, NURSES]) == ("open", "open")


async def test_a_new_version_asks_for_receipts_of_its_own(desk: Desk) -> None:
    """Version 2 ends what was owed for version 1, and version 1's receipts never settle version 2."""
    county = desk.county
    held = hold(county, NURSES, CAIT)
    thread = held.header.thread
    await desk.send(held)
    await desk.send(first := minutes(county, thread, NURSES, CAIT))
    await desk.receive(first, CAIT, "collected", "filed")
    await desk.receive(first, NURSES, "collected")
    county.now += HOUR
    await desk.send(second := minutes(county, thread, NURSES, CAIT, supersedes=first.id))
    rows = [
        row for row in await desk.store.read(lambda tx: tx.thread_obligations(thread)) if row.duty.kind == "receipt"
    ]
    states = {(row.duty.envelope, row.duty.debtor): row.state for row in rows}
    assert states == {
        (first.id, CAIT): "met",
        (first.id, NURSES): "superseded",
        (second.id, CAIT): "open",
        (second.id, NURSES): "open",
    }
    await desk.receive(first, NURSES, "filed")
    rows = await desk.store.read(lambda tx: tx.thread_obligations(thread))
    assert {row.state for row in rows if row.duty.envelope == second.id} == {"open"}
    for mailbox in (NURSES, CAIT):
        (told,) = await desk.notices(mailbox, "superseded")
        assert told["envelope"] == first.id
    await desk.receive(second, NURSES, "collected", "filed")
    await desk.receive(second, CAIT, "collected", "filed")
    figures = await _figures(desk)
    assert (figures.total.owed, figures.total.received) == (2, 2)


async def test_declined_and_rejected_mail_returns_and_its_duty_stays(desk: Desk) -> None:
    """The sender is told; receipt is still owed, and a colleague may still take it."""
    county = desk.county
    await desk.send(full := minutes(county, hold(county).header.thread, NURSES, CAIT))
    await desk.receive(full, NURSES, "collected", "declined")
    await desk.receive(full, CAIT, "rejected")
    told = await desk.notices(MASH, "returned")
    assert [(one["envelope"], one["thread"]) for one in told] == [(full.id, full.header.thread)] * 2
    assert set((await desk.duties(full.header.thread)).values()) == {"open"}
    await desk.receive(full, NURSES, "opened", "acknowledged")
    assert (await desk.duties(full.header.thread))["full-received", NURSES, MASH] == "met"
    await desk.tick(5 * DAY)
    assert {one["debtor"] for one in await desk.notices(MASH, "overdue")} == {CAIT}


async def test_leaves_name_no_content(desk: Desk) -> None:
    """The log tells every step of a journey by references alone."""
    county = desk.county
    held = hold(county, NURSES)
    await desk.send(held)
    await desk.send(full := minutes(county, held.header.thread, NURSES))
    await desk.receive(full, NURSES, "collected", "filed")
    await desk.tick(30 * DAY)
    told = Counter(leaf["event"] for leaf in await desk.leaves())
    assert told["envelope-accepted"] == 2
    assert told["receipt-accepted"] == 2
    assert told["obligation-opened"] == 3
    assert told["obligation-settled"] == 2
    assert told["step-taken"] == 4
    assert b"fictional" not in b"".join(msgspec.json.encode(leaf) for leaf in await desk.leaves())
