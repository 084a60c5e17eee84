"""What a party changes afterwards: mail taken back, wraps made anew, duties given up or met elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from hub import amendments
from hub.exchange import Taken
from keys import digests, jws
from schemas.envelope import DAY, parse_wraps
from tests.county import (
    CAIT,
    COUNCIL,
    HEALTH,
    HOUR,
    MANAGERS,
    MASH,
    NURSES,
    OFFICERS,
    POLICE,
    PROBATION,
    UNIT,
    Desk,
    Sent,
    second,
)
from tests.hub.support import code_of, hold, minutes, payload, refused

PARTIES = (CAIT, NURSES)


async def _owed_and_sent(desk: Desk) -> Sent:
    """Return the minutes that were sent to the two parties of a meeting."""
    held = hold(desk.county, *PARTIES)
    await desk.send(held)
    sent = minutes(desk.county, held.header.thread, *PARTIES)
    await desk.send(sent)
    return sent


async def _states(desk: Desk, sent: Sent) -> dict[tuple[str, str], str]:
    duties = await desk.duties(sent.header.thread)
    wanted = {"full-minutes", "full-received"}
    return {
        (rule, creditor if rule == "full-minutes" else debtor): state
        for (rule, debtor, creditor), state in duties.items()
        if rule in wanted
    }


# Withdrawal -----------------------------------------------------------------------------------------------------


async def test_what_nobody_collected_is_gone_and_owed_again(desk: Desk) -> None:
    """Body and entries go; receipts are owed no more, the minutes again; both sides hear of it; the log tells it."""
    sent = await _owed_and_sent(desk)
    before = {box: len(await desk.feed(box)) for box in PARTIES}
    done = await desk.withdraw(sent)
    assert (done.state, set(done.wake)) == ("withdrawn", {*PARTIES, MASH})
    assert await _states(desk, sent) == {
        **{("full-minutes", box): "open" for box in PARTIES},
        **{("full-received", box): "superseded" for box in PARTIES},
    }
    assert await desk.store.read(lambda tx: tx.body(sent.id)) is None
    for box in PARTIES:
        assert [
            row.body for row in await desk.feed(box) if row.entry.kind == "delivery" and row.entry.ref == sent.id
        ] == []
        assert Counter(row.entry.kind for row in await desk.feed(box))["tombstone"] == 1
        assert len(await desk.feed(box)) == before[box] + 1
        assert (await desk.notices(box, "owed"))[-1]["creditor"] == box
        (outcome,) = await desk.take(desk.county.receipt(sent, box, "collected"), by=box.partition("/")[0])
        assert code_of(outcome) == "receipt-out-of-order"
    (leaf,) = await desk.leaves("withdrawal-recorded")
    assert (leaf["envelope"], leaf["outcome"]) == (sent.id, "misdirected")
    await desk.tick(20 * DAY)
    overdue = [one for one in await desk.notices(NURSES, "overdue") if one["type"] == "minutes.full"]
    assert [one["creditor"] for one in overdue] == [NURSES]


async def test_what_was_collected_is_asked_back_and_answered(desk: Desk) -> None:
    """Who has it is asked to destroy it; once they say so, they are owed it as if it had never been sent."""
    county, sent = desk.county, await _owed_and_sent(desk)
    await desk.receive(sent, NURSES, "collected", "opened", "declined")
    destroyed = county.receipt(sent, NURSES, "filed", mode="destroyed", previous=None)
    (early,) = await desk.take(destroyed, by=HEALTH)
    assert code_of(early) == "receipt-out-of-order"
    done = await desk.withdraw(sent)
    assert (done.state, NURSES in done.wake) == ("destruction-asked", True)
    (asked,) = await desk.notices(NURSES, "withdrawn")
    assert asked["envelope"] == sent.id
    assert await desk.notices(CAIT, "withdrawn") == []
    states = await _states(desk, sent)
    assert states["full-minutes", NURSES] == "met"
    assert states["full-minutes", CAIT] == "open"

    (outcome,) = await desk.take(county.receipt(sent, NURSES, "filed", mode="destroyed"), by=HEALTH)
    assert isinstance(outcome, Taken)
    assert outcome.wake == {MASH, NURSES}
    assert await _states(desk, sent) == {
        **{("full-minutes", box): "open" for box in PARTIES},
        **{("full-received", box): "superseded" for box in PARTIES},
    }
    (again,) = await desk.take(county.receipt(sent, NURSES, "opened"), by=HEALTH)
    assert code_of(again) == "receipt-out-of-order"


async def test_withdrawing_without_asking_leaves_the_holder_alone(desk: Desk) -> None:
    """The sender may take it off the hub and leave what was collected where it is."""
    sent = await _owed_and_sent(desk)
    await desk.receive(sent, NURSES, "collected")
    assert (await desk.withdraw(sent, ask=False)).state == "destruction-asked"
    assert await desk.notices(NURSES, "withdrawn") == []
    await desk.receive(sent, NURSES, "filed")
    assert (await _states(desk, sent))["full-received", NURSES] == "met"


@pytest.mark.parametrize("collected", [False, True])
async def test_withdrawing_again_gets_the_same_answer(desk: Desk, collected: bool) -> None:
    """Repeats, by the same statement or another one, change nothing and say the same."""
    sent = await _owed_and_sent(desk)
    if collected:
        await desk.receive(sent, NURSES, "collected")
    else:
        await desk.receive(sent, NURSES, "rejected")
    raw = desk.county.withdrawal(sent)
    first = await desk.withdraw(sent, raw)
    size = len(await desk.leaves())
    for again in (await desk.withdraw(sent, raw), await desk.withdraw(sent)):
        assert (again.state, again.wake) == (first.state, frozenset())
    assert len(await desk.leaves()) == size
    accepted = await desk.send(sent)
    assert accepted.repeat


async def test_only_the_sender_withdraws_its_own(desk: Desk) -> None:
    """Another agency sees nothing there; another mailbox, envelope or used id is refused."""
    county, sent = desk.county, await _owed_and_sent(desk)
    other = await _owed_and_sent(desk)
    theirs = county.seal("meeting.claimed/1", CAIT, [MASH], thread=sent.header.thread, parties=[MASH])
    with refused("not-found"):
        await desk.withdraw(theirs)
    await desk.send(theirs)
    raw = county.withdrawal(sent)
    with refused("sender-not-caller"):
        await desk.withdraw(theirs, raw)
    with refused("withdrawal-mismatch"):
        await desk.withdraw(other, raw)
    with refused("withdrawal-mismatch"):
        await desk.withdraw(sent, mailbox=MANAGERS)
    with refused("jws-header"):
        await desk.withdraw(sent, county.waiver("A" * 43, MASH))
    await desk.withdraw(sent, raw)
    used = jws.parse(raw, jws.WITHDRAWAL)
    name = payload(raw).split(b'"id":"')[1][:22].decode()
    assert used.kid == county.keyrings[COUNCIL].signing.kid
    with refused("withdrawal-id-reused"):
        await desk.withdraw(other, id=name)
    assert (await _states(desk, other))["full-minutes", NURSES] == "met"


async def test_an_old_version_taken_back_leaves_the_new_one_counting(desk: Desk) -> None:
    """Withdrawing version 1 does not make owed again what version 2 has brought."""
    county, first = desk.county, await _owed_and_sent(desk)
    county.now += HOUR
    await desk.send(new := minutes(county, first.header.thread, *PARTIES, supersedes=first.id))
    sent_at = county.now
    county.now += HOUR
    await desk.withdraw(first)
    row = (await desk.rows(first.header.thread))["full-minutes", MASH, NURSES]
    assert (row.state, row.settled_by, row.settled_at) == ("met", new.id, sent_at)
    (told,) = [leaf for leaf in await desk.leaves("obligation-settled") if leaf.get("by") == new.id][-1:]
    assert told["met_at"] == sent_at
    assert len(await desk.leaves("obligation-reopened")) == 2


async def test_a_duty_that_is_open_again_after_its_last_step_is_not_silent(desk: Desk) -> None:
    """However late it is taken back, both sides hear that it is owed."""
    sent = await _owed_and_sent(desk)
    await desk.tick(60 * DAY)
    heard = len(await desk.notices(NURSES, "owed"))
    await desk.withdraw(sent)
    told = await desk.notices(NURSES, "owed")
    assert len(told) == heard + 1
    assert (await desk.leaves())[told[-1]["index"]]["event"] == "obligation-reopened"
    assert (await desk.tick()).count == 0
    await desk.send(minutes(desk.county, sent.header.thread, *PARTIES))
    assert (await _states(desk, sent))["full-minutes", NURSES] == "met_late"


# Wraps ----------------------------------------------------------------------------------------------------------


async def test_wraps_are_replaced_under_the_same_id_and_delivered_again(desk: Desk) -> None:
    """Who has not opened it gets it once more under a new number; who has it already is left in peace."""
    sent = await _owed_and_sent(desk)
    await desk.receive(sent, NURSES, "collected")
    await desk.receive(sent, CAIT, "rejected")
    held = await desk.rotate(POLICE)
    before = await desk.feed(CAIT)
    done = await desk.reseal(sent)
    assert done.wake == {CAIT}
    feed = await desk.feed(CAIT)
    assert [row.entry.seq for row in feed] == list(range(1, len(before) + 2))
    (again,) = [row for row in feed if row.envelope and row.envelope.id == sent.id and row.entry.kind == "delivery"]
    assert again.entry.seq == len(feed)
    assert again.envelope is not None
    wraps = parse_wraps(payload(again.envelope.wraps), sent.header)
    assert held.key.kid in {wrap.kid for wrap in wraps.wraps}
    assert Counter(row.entry.kind for row in feed)["tombstone"] == 1
    await desk.receive(sent, CAIT, "collected", "filed")
    assert (await _states(desk, sent))["full-received", CAIT] == "met"
    assert len(await desk.leaves("wraps-replaced")) == 1


async def test_replacing_wraps_by_the_same_ones_changes_nothing(desk: Desk) -> None:
    """The first wraps again, or the new ones twice: no new number, no leaf."""
    sent = await _owed_and_sent(desk)
    raw = desk.county.wraps(sent.header, sent.content_key)
    await desk.reseal(sent, raw)
    size, feed = len(await desk.leaves()), len(await desk.feed(CAIT))
    assert (await desk.reseal(sent, raw)).wake == frozenset()
    assert (len(await desk.leaves()), len(await desk.feed(CAIT))) == (size, feed)


async def test_wraps_that_do_not_fit_or_are_not_needed_are_refused(desk: Desk) -> None:
    """Another envelope's, a stranger's, an outdated key's, or when everybody has it or it is gone."""
    county, sent = desk.county, await _owed_and_sent(desk)
    other = await _owed_and_sent(desk)
    with refused("wraps-mismatch"):
        await desk.reseal(sent, county.wraps(other.header, other.content_key))
    forged = county.keyrings[POLICE].signing.sign(payload(county.wraps(sent.header, sent.content_key)), jws.WRAPS)
    with refused("sender-not-caller"):
        await desk.reseal(sent, forged)
    with refused("not-found"):
        await desk.reseal(minutes(county, sent.header.thread, CAIT))
    old = county.wraps(sent.header, sent.content_key)
    await desk.publish_key(county.statement(HEALTH, "seal", county.newest(NURSES).key.public.jwk, state="retired"))
    with refused("recipient-key"):
        await desk.reseal(sent, old)
    await desk.rotate(HEALTH)
    await desk.receive(sent, CAIT, "collected")
    await desk.receive(sent, NURSES, "collected")
    with refused("wraps-not-needed"):
        await desk.reseal(sent)
    await desk.withdraw(other)
    with refused("wraps-not-needed"):
        await desk.reseal(other)


async def test_a_recipient_without_a_key_keeps_new_wraps_from_nobody_who_has_not_opened_it(desk: Desk) -> None:
    """Who has it already may have given its key up since; the others still get theirs."""
    county, sent = desk.county, await _owed_and_sent(desk)
    await desk.receive(sent, NURSES, "collected", "filed")
    await desk.publish_key(county.statement(HEALTH, "seal", county.newest(NURSES).key.public.jwk, state="revoked"))
    await desk.rotate(POLICE)
    assert (await desk.reseal(sent)).wake == {CAIT}


async def test_refused_amendments_are_in_the_log(desk: Desk) -> None:
    """By code and digest, under whose name it was; what is nobody's to see leaves none."""
    county, sent = desk.county, await _owed_and_sent(desk)
    row = (await desk.rows(sent.header.thread))["decision-note", MASH, NURSES]
    wrong = county.withdrawal(sent, mailbox=MANAGERS)
    with refused("withdrawal-mismatch"):
        await desk.withdraw(sent, wrong)
    with refused("waiver-not-party"):
        await desk.waive(row.id, CAIT)
    for box in PARTIES:
        await desk.receive(sent, box, "collected")
    with refused("wraps-not-needed"):
        await desk.reseal(sent)
    with refused("not-found"):
        await desk.waive("A" * 43, MASH)
    told = await desk.leaves("withdrawal-refused", "waiver-refused", "wraps-refused")
    assert [(leaf["event"], leaf["mailbox"], leaf["outcome"]) for leaf in told] == [
        ("withdrawal-refused", MANAGERS, "withdrawal-mismatch"),
        ("waiver-refused", CAIT, "waiver-not-party"),
        ("wraps-refused", MASH, "wraps-not-needed"),
    ]
    assert told[0]["digest"] == digests.sha256_b64u(wrong)


# Waivers --------------------------------------------------------------------------------------------------------


async def test_what_was_sent_by_other_means_is_met_elsewhere(desk: Desk) -> None:
    """The debtor says so and names who confirmed it; both sides get the statement, and the clock stops."""
    county = desk.county
    held = hold(county, NURSES)
    await desk.send(held)
    row = (await desk.rows(held.header.thread))["full-minutes", MASH, NURSES]
    raw = county.waiver(row.id, MASH)
    done = await desk.waive(row.id, MASH, raw)
    assert (done.state, set(done.wake)) == ("met_elsewhere", {MASH, NURSES})
    assert (await desk.duties(held.header.thread))["full-minutes", MASH, NURSES] == "met_elsewhere"
    for box in (MASH, NURSES):
        (entry,) = [one.entry for one in await desk.feed(box) if one.entry.kind == "waiver"]
        assert bytes(entry.payload or b"") == raw
    await desk.tick(30 * DAY)
    assert {one["type"] for one in await desk.notices(NURSES, "overdue")} == {"minutes.decisions"}
    again = await desk.waive(row.id, MASH, raw)
    assert (again.state, again.wake) == ("met_elsewhere", frozenset())
    assert len(await desk.leaves("waiver-recorded")) == 1


async def test_a_duty_is_given_up_by_its_creditor_or_the_partnership_by_two_people(desk: Desk) -> None:
    """Waived by whom it was owed, or from above; never by who owes it, and never by one person."""
    county = desk.county
    held = hold(county, NURSES, OFFICERS)
    await desk.send(held)
    rows = await desk.rows(held.header.thread)
    mine = rows["full-minutes", MASH, NURSES].id
    theirs = rows["full-minutes", MASH, OFFICERS].id
    waived: dict[str, Any] = {
        "state": "waived",
        "reason": "no_longer_involved",
        "confirmed_by": None,
        "second": second(),
    }
    with refused("waiver-second"):
        await desk.waive(mine, NURSES, **{**waived, "second": None})
    with refused("waiver-not-party"):
        await desk.waive(mine, MASH, **waived)
    with refused("waiver-not-party"):
        await desk.waive(mine, OFFICERS, **waived)
    with refused("waiver-not-party"):
        await desk.waive(mine, NURSES)
    with refused("waiver-reason"):
        await desk.waive(mine, NURSES, **{**waived, "reason": "no_time"})
    assert (await desk.waive(mine, NURSES, **waived)).state == "waived"
    assert (await desk.waive(theirs, UNIT, **waived)).state == "waived"
    with refused("waiver-not-open"):
        await desk.waive(theirs, UNIT, **waived)
    states = await desk.duties(held.header.thread)
    assert Counter(states.values()) == {"waived": 2, "open": 2}


async def test_a_waiver_is_for_one_obligation_and_its_id_for_one_waiver(desk: Desk) -> None:
    """An unknown obligation, one that it does not name, a used id with other bytes, a forged signer."""
    county = desk.county
    held = hold(county, NURSES)
    await desk.send(held)
    rows = await desk.rows(held.header.thread)
    one, two = rows["full-minutes", MASH, NURSES].id, rows["decision-note", MASH, NURSES].id
    with refused("not-found"):
        await desk.waive(digests.sha256_b64u(b"?"), MASH)
    with refused("not-found"):
        await desk.waive(two, MASH, county.waiver(one, MASH))
    with refused("sender-not-caller"):
        await desk.waive(one, NURSES, county.waiver(one, MASH))
    name = digests.new_id(county.now)
    await desk.waive(one, MASH, id=name)
    with refused("waiver-id-reused"):
        await desk.waive(two, MASH, id=name)
    assert (await desk.duties(held.header.thread))["decision-note", MASH, NURSES] == "open"


# Successors -----------------------------------------------------------------------------------------------------


async def test_a_successor_acts_for_what_has_ended_and_not_before(desk: Desk) -> None:
    """It takes receipt, has wraps made for its own key, and takes back what was sent; until then it is a stranger."""
    county = desk.county
    sent = await _owed_and_sent(desk)
    await desk.receive(sent, NURSES, "collected")
    county.keyrings[POLICE] = county.keyrings[HEALTH]  # whoever signs and seals for the police from now on
    county.now += DAY
    receipts = [county.receipt(sent, CAIT, level) for level in ("collected", "filed")]
    (early,) = await desk.take(receipts[0], by=HEALTH)
    assert code_of(early) == "sender-not-caller"
    with refused("recipient-key"):
        await desk.reseal(sent)
    county.ended[POLICE] = (county.now, (HEALTH,))
    await desk.next_directory()
    await desk.reseal(sent)
    taken = await desk.take(*receipts, by=HEALTH)
    assert all(isinstance(one, Taken) for one in taken)
    assert (await _states(desk, sent))["full-received", CAIT] == "met"
    county.keyrings[COUNCIL] = county.keyrings[PROBATION]
    raw = county.withdrawal(sent)

    async def withdraw() -> amendments.Withdrawn:
        signer = county.hub.signing
        return await amendments.withdraw_envelope(
            desk.store, desk.registry, PROBATION, sent.id, raw, county.now, signer
        )

    with refused("not-found"):
        await withdraw()
    county.ended[COUNCIL] = (county.now, (PROBATION,))
    await desk.next_directory()
    assert (await withdraw()).state == "destruction-asked"


async def test_a_successor_that_has_ended_too_acts_for_nobody(desk: Desk) -> None:
    """Only the last of a row of successors is there to act."""
    county = desk.county
    sent = await _owed_and_sent(desk)
    county.keyrings[POLICE] = county.keyrings[HEALTH]
    county.ended = {POLICE: (county.now, (HEALTH,)), HEALTH: (county.now, (PROBATION,))}
    await desk.next_directory()
    (outcome,) = await desk.take(county.receipt(sent, CAIT, "collected"), by=HEALTH)
    assert code_of(outcome) == "sender-not-caller"
    county.keyrings[POLICE] = county.keyrings[PROBATION]
    (last,) = await desk.take(county.receipt(sent, CAIT, "collected"), by=PROBATION)
    assert isinstance(last, Taken)


async def test_nobody_owes_an_answer_to_a_question_that_they_never_got(desk: Desk) -> None:
    """A request that is taken back before it was collected is answered by nobody; its sender's own duties stay."""
    asked = desk.county.seal("check.adult.request/1", MASH, [OFFICERS])
    await desk.send(asked)
    assert set((await desk.duties(asked.header.thread)).values()) == {"open"}
    await desk.withdraw(asked)
    assert await desk.duties(asked.header.thread) == {("adult-check-answered", OFFICERS, MASH): "superseded"}
    held = desk.county.seal("meeting.held/1", MASH, [NURSES], facts={"meeting": "strategy"}, parties=[MASH, NURSES])
    await desk.send(held)
    await desk.withdraw(held)
    assert set((await desk.duties(held.header.thread)).values()) == {"open"}


@pytest.mark.parametrize("registered", [True, False])
async def test_what_another_message_asks_for_too_is_owed_though_the_first_is_taken_back(
    desk: Desk, registered: bool
) -> None:
    """The nurses ask for minutes before the chair has registered the meeting, and take that back once it has."""
    claimed = desk.county.seal("meeting.claimed/1", NURSES, [MASH], facts={"meeting": "strategy"}, parties=[MASH])
    await desk.send(claimed)
    thread = claimed.header.thread
    if registered:
        await desk.send(hold(desk.county, NURSES, thread=thread))
    await desk.withdraw(claimed)
    owed = {rule: state for (rule, debtor, _), state in (await desk.duties(thread)).items() if debtor == MASH}
    assert {owed["full-minutes"], owed["decision-note"]} == {"open" if registered else "superseded"}
