"""What is missing now: how long, how far up its ladder, chased by hand, ended by two people and the partnership's word."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hub import acts, missing, people, waiving
from hub.chasing import PAUSE, chase, last_chased
from hub.missing import Filters, find_missing, tally
from hub.store.rows import ObligationRow
from keys import digests
from schemas.envelope import DAY
from schemas.statements import Person
from tests.county import CAIT, MANAGERS, MASH, NURSES, RECORD_KEY, UNIT, Desk
from tests.hub.support import hold, minutes, refused


async def _overdue(desk: Desk) -> ObligationRow:
    """Let the minutes of a meeting never come, and return the duty to send them to the nurses."""
    await desk.send(meeting := hold(desk.county, CAIT, NURSES))
    await desk.tick(20 * DAY)
    rows = await desk.rows(meeting.header.thread)
    return next(
        row
        for (_, debtor, creditor), row in rows.items()
        if (debtor, creditor, row.duty.types[0]) == (MASH, NURSES, "minutes.full")
    )


async def _add(desk: Desk, *roles: Any) -> str:
    login = f"{digests.new_id(desk.county.now).lower()}@example.org"
    return await desk.store.write(lambda tx: people.add_account(tx, None, login, "A person", roles, desk.county.now))


async def _chase(desk: Desk, row: ObligationRow, by: str) -> frozenset[str]:
    snapshot, now, signer = desk.registry.snapshot, desk.county.now, desk.county.hub.signing
    return (await desk.store.write(lambda tx: chase(tx, snapshot, by, row.id, now, signer))).told


async def test_what_is_overdue_is_listed_the_longest_first_with_its_ladder_so_far(desk: Desk) -> None:
    """Each with the step that comes next; a filter of debtors, type or rung leaves the others out."""
    row = await _overdue(desk)
    await desk.send(hold(desk.county, NURSES))
    await desk.tick(3 * DAY)
    now = desk.county.now
    found = await desk.store.read(lambda tx: find_missing(tx, Filters(), now, None, 100))
    dues = [late.row.duty.due for late in found.late]
    assert dues == sorted(dues)
    assert all(due < now for due in dues)
    assert found.after is None
    late = next(one for one in found.late if one.row.id == row.id)
    assert [step.notice for step in late.taken][-1] == "overdue"
    assert late.rung in {"manager", "partnership"}

    async def ids(filters: Filters) -> set[str]:
        return {
            one.row.id for one in (await desk.store.read(lambda tx: find_missing(tx, filters, now, None, 100))).late
        }

    everything = {one.row.id for one in found.late}
    assert await ids(Filters(debtors=(MASH, MANAGERS))) == everything
    assert await ids(Filters(debtors=(CAIT,))) == await ids(Filters(debtors=())) == set()
    assert await ids(Filters(family=row.duty.types[0])) < everything
    assert await ids(Filters(rung="partnership")) <= await ids(Filters(rung="manager")) <= everything
    assert await ids(Filters(kind="receipt")) == {one.row.id for one in found.late if one.row.duty.kind == "receipt"}


async def test_pages_and_counts_have_each_of_them_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few a page or one look takes."""
    await _overdue(desk)
    now = desk.county.now
    whole = await desk.store.read(lambda tx: find_missing(tx, Filters(), now, None, 100))
    counted = await desk.store.read(lambda tx: tally(tx, Filters(), now))
    assert counted.total == len(whole.late)
    assert not counted.more
    assert sum(counted.counts.values()) == counted.total
    monkeypatch.setattr(missing, "SCAN", 3)
    seen, after = [], None
    while True:
        page = await desk.store.read(lambda tx, after=after: find_missing(tx, Filters(), now, after, 2))  # type: ignore[misc]
        seen += [late.row.id for late in page.late]
        after = page.after
        if after is None:
            break
    assert seen == [late.row.id for late in whole.late]
    assert (await desk.store.read(lambda tx: tally(tx, Filters(), now))).more


async def test_the_ages_are_a_day_a_week_a_month_and_longer(desk: Desk) -> None:
    """A duty is as old as it has been overdue."""
    duty = (await _overdue(desk)).duty
    days = (1, 7, 28)
    ages = [missing.age_of(duty, duty.due + days * DAY) for days in days]
    assert ages == ["day", "week", "month"]
    assert missing.age_of(duty, duty.due + 28 * DAY + 1) == "longer"


async def test_chasing_tells_the_debtor_and_their_manager_once_an_hour(desk: Desk) -> None:
    """By the same signed notice as the ladder's; the log has whose wish it was."""
    row, by = await _overdue(desk), digests.new_id(desk.county.now)
    before = {box: len(await desk.notices(box, "overdue")) for box in (MASH, MANAGERS, NURSES)}
    assert await _chase(desk, row, by) == {MASH, MANAGERS}
    after = {box: len(await desk.notices(box, "overdue")) for box in (MASH, MANAGERS, NURSES)}
    assert {box: after[box] - before[box] for box in after} == {MASH: 1, MANAGERS: 1, NURSES: 0}
    (leaf,) = await desk.leaves("obligation-chased")
    assert (leaf["person"], leaf["obligation"], leaf["mailbox"]) == (by, row.id, MASH)
    assert (await desk.notices(MASH, "overdue"))[-1]["obligation"] == row.id
    with refused("chase-too-soon"):
        await _chase(desk, row, by)
    desk.county.now += PAUSE
    assert await desk.store.read(lambda tx: last_chased(tx, row, desk.county.now)) is None
    assert await _chase(desk, row, by) == {MASH, MANAGERS}


async def test_only_what_is_overdue_is_chased(desk: Desk) -> None:
    """Neither what is owed still, nor what has come, nor what never was; nothing is in the log of it."""
    await desk.send(meeting := hold(desk.county, CAIT))
    by = digests.new_id(desk.county.now)
    (row, *_) = (await desk.rows(meeting.header.thread)).values()
    with refused("chase-not-overdue"):
        await _chase(desk, row, by)
    with refused("obligation-unknown"):
        await _chase(desk, msgspec.structs.replace(row, id=digests.sha256_b64u(b"")), by)
    await desk.send(minutes(desk.county, meeting.header.thread, CAIT))
    await desk.tick(20 * DAY)
    met = next(one for one in (await desk.rows(meeting.header.thread)).values() if one.state == "met")
    with refused("chase-not-overdue"):
        await _chase(desk, met, by)
    assert await desk.leaves("obligation-chased") == []


async def _agree(desk: Desk, row: ObligationRow, act: str, reason: str) -> tuple[str, str, str]:
    """Let two people agree to end the duty; return the proposal and who they were."""
    first, second = await _add(desk, "governance"), await _add(desk, "administrator")
    about, now = waiving.Ending(obligation=row.id, thread=row.duty.thread), desk.county.now
    proposal = await desk.store.write(lambda tx: acts.propose(tx, first, act, about, reason, now))
    decided = await desk.store.write(lambda tx: acts.decide(tx, second, proposal.id, now, approve=True))
    assert decided.state == "approved"
    return proposal.id, first, second


def _word(desk: Desk, proposal: str, state: str, first: str, second: str) -> dict[str, Any]:
    other = digests.keyed_digest(RECORD_KEY, second)
    return {
        "id": proposal, "state": state, "by": digests.keyed_digest(RECORD_KEY, first), "role": "partnership",
        "second": Person(by=other, role="partnership"), "confirmed_by": other if state == "met_elsewhere" else None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("act", "state", "reason"),
    [(waiving.WAIVE, "waived", "recorded_in_error"), (waiving.ELSEWHERE, "met_elsewhere", "sent_by_secure_mail")],
)
async def test_what_two_people_agreed_on_ends_by_the_partnerships_signed_word(
    desk: Desk, act: str, state: str, reason: str
) -> None:
    """Approved, it waits for the partnership's gateway; the waiver with the proposal's id makes it done."""
    row = await _overdue(desk)
    proposal, first, second = await _agree(desk, row, act, reason)
    assert (await desk.store.read(lambda tx: tx.find_obligation(row.id))).state == "open"  # type: ignore[union-attr]
    said = _word(desk, proposal, state, first, second)
    done = await desk.waive(row.id, UNIT, reason=reason, **said)
    assert done.state == state
    assert (await desk.store.read(lambda tx: tx.find_proposal(proposal))).state == "done"  # type: ignore[union-attr]
    leaves = await desk.leaves("act-proposed", "act-approved", "act-done", "waiver-recorded", "obligation-settled")
    assert [leaf["event"] for leaf in leaves if leaf.get("obligation") == row.id] == [
        "act-proposed", "act-approved", "waiver-recorded", "obligation-settled", "act-done",
    ]  # fmt: skip
    assert [leaf.get("person") for leaf in leaves if leaf["event"].startswith("act-")] == [first, second, second]


async def test_nobody_gives_up_what_has_come_or_for_a_reason_that_nobody_agreed(desk: Desk) -> None:
    """Nor a duty under another thread's name; and what came meanwhile leaves nothing to be done."""
    row, now = await _overdue(desk), desk.county.now
    first = await _add(desk, "governance")

    async def propose(reason: str, **about: str) -> None:
        said = waiving.Ending(**({"obligation": row.id, "thread": row.duty.thread} | about))
        await desk.store.write(lambda tx: acts.propose(tx, first, waiving.WAIVE, said, reason, now))

    with refused("act-reason"):
        await propose("too_late")
    with refused("obligation-unknown"):
        await propose("handed_over", thread=digests.new_id(now))
    proposal, one, two = await _agree(desk, row, waiving.WAIVE, "handed_over")
    await desk.send(minutes(desk.county, row.duty.thread, CAIT, NURSES))
    with refused("waiver-not-open"):
        await propose("handed_over")
    with refused("waiver-not-open"):
        await desk.waive(row.id, UNIT, reason="handed_over", **_word(desk, proposal, "waived", one, two))
    assert (await desk.store.read(lambda tx: tx.find_proposal(proposal))).state == "lapsed"  # type: ignore[union-attr]


async def test_a_waiver_with_a_proposals_id_ends_only_what_was_agreed(desk: Desk) -> None:
    """Of another duty it is a waiver like any other: the proposal goes on waiting."""
    row = await _overdue(desk)
    proposal, first, second = await _agree(desk, row, waiving.WAIVE, "handed_over")
    rows = (await desk.rows(row.duty.thread)).values()
    other = next(one for one in rows if one.state == "open" and one.id != row.id and one.duty.debtor == MASH)
    await desk.waive(other.id, UNIT, reason="recorded_in_error", **_word(desk, proposal, "waived", first, second))
    assert (await desk.store.read(lambda tx: tx.find_proposal(proposal))).state == "approved"  # type: ignore[union-attr]


async def test_the_partnership_records_other_means_by_two_people_only(desk: Desk) -> None:
    """One person's word for it is the debtor's to give; and no other agency's."""
    row = await _overdue(desk)
    with refused("waiver-not-party"):
        await desk.waive(row.id, UNIT, reason="handed_over")
    with refused("waiver-not-party"):
        await desk.waive(
            row.id, CAIT, reason="handed_over", **_word(desk, digests.new_id(1), "met_elsewhere", "a", "b")
        )
