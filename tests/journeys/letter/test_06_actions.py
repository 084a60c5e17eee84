"""System 6: every action agreed at a meeting has an owner, a moment and an end, also between meetings.

In 2018 there was "no mechanism to track and progress work … between these meetings".
"""

from __future__ import annotations

from typing import Any

from tests.journeys.letter.support import DAY, HOUR, MASH, NURSES, Letter, Sent, iso


async def assign(letter: Letter, due: int, **changes: Any) -> tuple[Sent, str]:
    """Let the chair assign an action to the nurses; return what was sent and the action's id."""
    action = changes.pop("action_id", None) or letter.new_id()
    sent = await letter.send(
        "action.assign",
        MASH,
        [NURSES],
        action_id=action,
        assigned_at=iso(letter.now),
        owner_role=NURSES,
        due_at=iso(due),
        draft={"re": changes.pop("re", None), "thread": changes.pop("thread", None)},
        **changes,
    )
    return sent, action


async def say(letter: Letter, kind: str, sender: str, sent: Sent, action: str, due: int, **changes: Any) -> Sent:
    """Let *sender* say something of the action: accepted, done, impossible."""
    to = [MASH] if sender == NURSES else [NURSES]
    moment = {
        "action.accept": "accepted_at",
        "action.complete": "completed_at",
        "action.impossible": "found_at",
        "action.progress": "reported_at",
    }[kind]
    given = {"action_id": action, "owner_role": NURSES, "due_at": iso(due), moment: iso(letter.now)}
    return await letter.send(kind, sender, to, thread=sent.thread, re=sent.id, **(given | changes))


async def test_an_action_that_nobody_does_is_overdue_between_meetings(letter: Letter) -> None:
    """Given an action, when its owner never answers, then the answer and then the action itself are missed."""
    sent, _ = await assign(letter, letter.now + 7 * DAY)
    assert await letter.states(sent.thread, "action-answered") == {(NURSES, MASH): "open"}
    await letter.until(8 * DAY)
    assert await letter.states(sent.thread, "action-answered") == {(NURSES, MASH): "overdue"}
    assert await letter.states(sent.thread, "action-done") == {(NURSES, MASH): "overdue"}
    assert await letter.told(NURSES, "overdue", "action-done")
    assert await letter.told(MASH, "overdue", "action-done")


async def test_accepting_an_action_does_not_do_it(letter: Letter) -> None:
    """Given an accepted action, when it is done, then and only then is it met."""
    due = letter.now + 7 * DAY
    sent, action = await assign(letter, due)
    await letter.receive(NURSES, sent)
    await say(letter, "action.accept", NURSES, sent, action, due)
    assert await letter.states(sent.thread, "action-answered") == {(NURSES, MASH): "met"}
    assert await letter.states(sent.thread, "action-done") == {(NURSES, MASH): "open"}
    await say(letter, "action.complete", NURSES, sent, action, due)
    assert await letter.states(sent.thread, "action-done") == {(NURSES, MASH): "met"}


async def test_impossible_counts_once_the_chair_accepts_it(letter: Letter) -> None:
    """Given an owner who says that things changed, when the chair accepts that, then the action has ended so."""
    due = letter.now + 7 * DAY
    sent, action = await assign(letter, due)
    await letter.receive(NURSES, sent)
    claim = await say(letter, "action.impossible", NURSES, sent, action, due, accepted_by_chair=False, decided_by=None)
    assert await letter.states(sent.thread, "action-done") == {(NURSES, MASH): "open"}
    assert await letter.states(sent.thread, "impossible-answered") == {(MASH, NURSES): "open"}
    await letter.receive(MASH, claim)
    await letter.send(
        "action.impossible",
        MASH,
        [NURSES],
        thread=sent.thread,
        re=claim.id,
        action_id=action,
        owner_role=NURSES,
        due_at=iso(due),
        found_at=iso(letter.now),
        accepted_by_chair=True,
        decided_by="CHAIR-1",
    )
    assert await letter.states(sent.thread, "action-done") == {(NURSES, MASH): "met"}
    assert await letter.states(sent.thread, "impossible-answered") == {(MASH, NURSES): "met"}


async def test_an_action_is_carried_over_with_a_new_moment(letter: Letter) -> None:
    """Given an action that is overdue, when the next meeting carries it over, then its new moment counts and no other."""
    due = letter.now + DAY
    sent, action = await assign(letter, due)
    await letter.until(3 * DAY)
    assert await letter.states(sent.thread, "action-done") == {(NURSES, MASH): "overdue"}
    later = letter.now + 7 * DAY
    await assign(letter, later, action_id=action, thread=sent.thread, re=sent.id)
    row = await letter.duty(sent.thread, "action-done")
    assert (row.state, row.duty.due) == ("open", later)
    await letter.until(HOUR)
    await say(letter, "action.complete", NURSES, sent, action, later)
    assert await letter.states(sent.thread, "action-done") == {(NURSES, MASH): "met"}
