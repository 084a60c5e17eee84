"""What the clock does to a duty, who is told, and what an envelope, a receipt or a withdrawal plans for a thread."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.agreement import Answer
from schemas.directory import DirectoryIndex, OutOfHours
from schemas.envelope import Header
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty, Step
from schemas.rules.planning import Owed, Sent, plan_envelope, plan_receipt, plan_withdrawal
from schemas.rules.stepping import first_step, has_lapsed, next_moment, resolve_targets
from tests.rules.support import (
    AREA,
    CHAIR,
    ENDED,
    HEALTH,
    NURSES,
    PARTNERSHIP,
    POLICE,
    directory,
    example,
    header,
    new_id,
    receipt,
)

INDEX = directory()
RULES = Rules(example())
STEPS = (Step(at=10, notice="due-soon", to=("debtor",)), Step(at=30, notice="overdue", to=("debtor", "creditor")))
AT = 1_783_324_800_000


def owed(**members: Any) -> Duty:
    """Return the chair's duty to send full minutes to health, but for *members*."""
    given: dict[str, Any] = {
        "rule": "full-minutes",
        "thread": new_id(),
        "debtor": CHAIR,
        "creditor": HEALTH,
        "kind": "send",
        "answers": (Answer(types=("minutes.full",)),),
        "envelope": new_id(),
        "moment": 0,
        "due": 20,
        "agreement": 1,
    }
    return Duty(**(given | members))


def minutes(thread: str, *to: str, **members: Any) -> Header:
    """Return the chair's full minutes of *thread* to *to*."""
    facts = {"variant": "full"}
    return header(type="minutes.full/1", thread=thread, to=to, facts=facts, **members)


@pytest.mark.parametrize(
    ("step", "lapses", "moment"),
    [(0, False, 10), (1, False, 30), (2, False, None), (0, True, 10), (1, True, 21), (2, True, 21)],
)
def test_the_clock_looks_next_at_a_step_or_at_the_end_of_a_window(step: int, lapses: bool, moment: int | None) -> None:
    """A window has lapsed a millisecond after its due moment, and is looked at then, whatever steps remain."""
    assert next_moment(owed(steps=STEPS, lapses=lapses), step) == moment


def test_a_window_lapses_after_its_due_moment_and_other_duties_never() -> None:
    """What comes at the due moment itself is in time."""
    window = owed(lapses=True)
    assert [has_lapsed(window, now) for now in (19, 20, 21)] == [False, False, True]
    assert not has_lapsed(owed(), 21)


def test_a_duty_that_opens_again_goes_on_with_the_steps_that_are_left() -> None:
    """Steps that are past are not told again."""
    assert [first_step(owed(steps=STEPS), now) for now in (9, 10, 29, 30)] == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        (("debtor", "creditor"), (HEALTH, CHAIR)),
        (("creditor/manager",), (HEALTH,)),
        (("debtor/manager",), (AREA,)),
        (("debtor/deputy",), (NURSES,)),
        (("debtor/out_of_hours",), (POLICE,)),
        (("creditor/out_of_hours",), (HEALTH,)),
        (("debtor/else",), (CHAIR,)),
        (("role:partnership",), (PARTNERSHIP,)),
        ((f"mailbox:{POLICE}",), (POLICE,)),
        ((f"mailbox:{ENDED}",), (PARTNERSHIP,)),
    ],
)
def test_targets_are_open_mailboxes(targets: tuple[str, ...], told: tuple[str, ...]) -> None:
    """Parties, posts, roles and named mailboxes; a vacant post falls back to its mailbox, and nobody to the partnership."""
    change, plain = msgspec.structs.replace, INDEX.directory
    posts = {CHAIR: {"manager": AREA, "deputy": NURSES, "out_of_hours": OutOfHours(mailbox=POLICE, hours="nights")}}
    agencies = tuple(
        change(agency, mailboxes=tuple(change(box, **posts.get(box.id, {})) for box in agency.mailboxes))
        for agency in plain.agencies
    )
    index = DirectoryIndex(change(plain, agencies=agencies))
    assert resolve_targets(owed(), targets, index, AT) == tuple(sorted(told))
    assert resolve_targets(owed(debtor="nowhere/nobody"), ("debtor/manager",), index, AT) == (PARTNERSHIP,)
    alone = DirectoryIndex(change(plain, partnership="somewhere-else"))
    assert resolve_targets(owed(debtor="nowhere/nobody"), ("debtor/manager",), alone, AT) == ()


def test_an_envelope_meets_supersedes_and_leaves() -> None:
    """What it is meets the duty to send; what it replaces is owed no receipt; the rest stays."""
    duty = owed(due=AT)
    before = new_id()
    taking = owed(thread=duty.thread, kind="receipt", debtor=HEALTH, creditor=CHAIR, envelope=before)
    other = owed(thread=duty.thread, creditor=POLICE)
    rows = [Owed("a", duty), Owed("b", taking), Owed("c", other)]
    sent = minutes(duty.thread, HEALTH, supersedes=before)
    plan = plan_envelope(sent, RULES, INDEX, rows, list, AT)
    assert [(end.id, end.state, end.by) for end in plan.settled] == [
        ("a", "met", sent.id),
        ("b", "superseded", sent.id),
    ]


def test_what_was_sent_before_meets_a_duty_as_it_opens() -> None:
    """Minutes may come before the meeting is registered."""
    held = header(to=(HEALTH,), parties=(CHAIR, HEALTH))
    early = Sent(minutes(held.thread, HEALTH), AT - 1)
    fresh = plan_envelope(held, RULES, INDEX, [], list, AT).opened
    again = plan_envelope(held, RULES, INDEX, [], lambda: [early], AT).opened
    assert {one.state for one in fresh} == {"open"}
    met = [one for one in again if one.duty.kind == "send" and one.duty.creditor == HEALTH and one.state == "met"]
    assert met
    assert {(one.settled_at, one.settled_by) for one in met} == {(AT - 1, early.header.id)}


def test_a_receipt_settles_its_own_duty_only() -> None:
    """Of its envelope, by its debtor, at one of its levels."""
    duty = owed(kind="receipt", debtor=HEALTH, creditor=CHAIR, levels=("filed",))
    other = msgspec.structs.replace(duty, envelope=new_id())
    (end,) = plan_receipt(receipt(duty), [Owed("a", duty), Owed("b", other)], 21)
    assert (end.id, end.state) == ("a", "met_late")


def test_what_is_taken_back_is_owed_again_unless_something_else_meets_it() -> None:
    """By those only who can't have it; the receipt for it is owed no more."""
    duty = owed()
    sent = minutes(duty.thread, HEALTH, POLICE)
    other = owed(thread=duty.thread, creditor=POLICE)
    taking = owed(thread=duty.thread, kind="receipt", debtor=HEALTH, creditor=CHAIR, envelope=sent.id)
    met, gone = [Owed("a", duty), Owed("b", other), Owed("r", taking)], frozenset({HEALTH})
    ended, again = plan_withdrawal(sent, gone, [Owed("c", taking), Owed("d", other)], met, [], RULES, INDEX, AT)
    assert [(end.id, end.state) for end in ended] == [("c", "superseded")]
    assert [(one.id, one.settled) for one in again] == [("a", ())]
    newer = Sent(minutes(duty.thread, HEALTH), 21)
    _, again = plan_withdrawal(sent, gone, [], met, [newer], RULES, INDEX, AT)
    assert [(end.id, end.state, end.by) for one in again for end in one.settled] == [("a", "met_late", newer.header.id)]
