"""Duties move with the work, there and back: no step of a clock is taken twice, and nothing is lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rules.compiled import Rules
from schemas.rules.duty import BOTH
from schemas.rules.planning import Opened
from schemas.rules.recurring import open_recurring
from tests.rules.story import NOON, Story
from tests.rules.support import AREA, CHAIR, GP, HEALTH, POLICE, agreement, header, ms, send_rule

TYPES = ("a", "b", "c", "d")
HOUR = 3_600_000
LADDER = """
warn = ["4 hours before", "1 hour before"]
ladder = [
  { after = "0 hours", to = ["debtor", "creditor"] },
  { after = "2 hours", to = "debtor/manager" },
  { after = "4 hours", to = "creditor" },
]
"""
MOVE = '\n[[types.c.rehomes]]\ngiver = "{giver}"\ntaker = "{taker}"\n{extra}\n'
ASKED = send_rule('within = "6 hours"', LADDER)


def story(*rules: str, giver: str = "sender", taker: str = "recipients", extra: str = "") -> Story:
    """Return a thread in which an envelope of type ``c`` moves what *giver* owes and is owed to *taker*."""
    text = "".join(rules) + MOVE.format(giver=giver, taker=taker, extra=extra)
    return Story(Rules(agreement(text, types=TYPES)))


def test_what_a_debtor_owes_goes_over_with_its_clock() -> None:
    """The same due moment, moment and ladder, by another debtor, and both parties hear of it."""
    told = story(ASKED)
    told.send("a")
    (before,) = (row.duty for row in told.rows.values())
    told.tick(NOON + HOUR)
    told.send("c", HEALTH, GP)
    assert told.states() == {("answer", HEALTH, CHAIR): "superseded", ("answer", GP, CHAIR): "open"}
    (after,) = (row.duty for row in told.rows.values() if row.duty.debtor == GP)
    assert (after.due, after.moment, after.steps, after.envelope) == (
        before.due,
        before.moment,
        before.steps,
        before.envelope,
    )
    assert after.tell == BOTH


def test_what_a_creditor_is_owed_goes_over_too() -> None:
    """Whoever takes a case over is owed what the case is owed; the giver's own answer then meets nothing."""
    told = story(ASKED)
    told.send("a")
    told.send("c", CHAIR, POLICE)
    assert told.states() == {("answer", HEALTH, CHAIR): "superseded", ("answer", HEALTH, POLICE): "open"}
    told.send("b", HEALTH, CHAIR)
    assert told.states()["answer", HEALTH, POLICE] == "open"
    told.send("b", HEALTH, POLICE)
    assert told.states()["answer", HEALTH, POLICE] == "met"


def test_whoever_else_hears_of_a_move_does_not_take_over() -> None:
    """The duty's other party is told as one recipient among others; the first that is neither takes the work."""
    for to in ((CHAIR, GP), (GP, CHAIR), (CHAIR, GP, POLICE)):
        told = story(ASKED)
        told.send("a")
        told.send("c", HEALTH, *to)
        assert told.states() == {("answer", HEALTH, CHAIR): "superseded", ("answer", GP, CHAIR): "open"}


def test_nobody_owes_themselves() -> None:
    """A duty that moves to its other party ends."""
    told = story(ASKED)
    told.send("a")
    told.send("c", HEALTH, CHAIR)
    assert told.states() == {("answer", HEALTH, CHAIR): "superseded"}


@pytest.mark.parametrize(
    ("sender", "to", "words"),
    [
        (POLICE, GP, {}),
        (HEALTH, GP, {"taker": "party:gp"}),
        (HEALTH, GP, {"giver": "party:health"}),
        (HEALTH, GP, {"taker": "sender"}),
        (HEALTH, GP, {"extra": 'rules = "other"'}),
        (HEALTH, GP, {"extra": 'when = { band = "high" }'}),
        (HEALTH, GP, {"extra": 'when = { owed = "other" }'}),
    ],
)
def test_what_is_not_meant_stays(sender: str, to: str, words: dict[str, str]) -> None:
    """A stranger's duties, a move to nobody or to oneself, other rules, and a condition that isn't so."""
    told = story(ASKED, send_rule(name="other", extra='when = { band = "high" }'), **words)
    told.send("a")
    told.send("c", sender, to)
    assert told.states() == {("answer", HEALTH, CHAIR): "open"}


def test_whoever_was_owed_the_answer_gives_and_no_bystander() -> None:
    """The originator's work goes over with the answer to it; other recipients of that keep what is theirs."""
    extra = 'when = { settles = "asked" }'
    told = story(ASKED, send_rule('type = "c"', name="asked"), giver="creditor", taker="sender", extra=extra)
    told.send("a")
    told.send("a", POLICE, GP)
    told.send("c", HEALTH, CHAIR, GP, POLICE)
    assert told.states() == {
        ("asked", HEALTH, CHAIR): "met",
        ("answer", HEALTH, CHAIR): "superseded",
        ("asked", GP, POLICE): "open",
        ("answer", GP, POLICE): "open",
    }


def test_only_the_named_rules_move() -> None:
    """The rest stays with whoever has it."""
    told = story(ASKED, send_rule(name="other"), extra='rules = "other"')
    told.send("a")
    told.send("c", HEALTH, GP)
    assert told.states()["answer", HEALTH, CHAIR] == "open"
    assert told.states()["other", GP, CHAIR] == "open"


def test_receipts_and_what_recurs_stay() -> None:
    """A receipt is the recipient's own, and what the calendar asks of a role is that role's."""
    monthly = """
[[recurring]]
name = "monthly"
every = "1 month"
starting = 2026-01-01
send = { type = ["b", "c"], by = "mailbox:northmere/safeguarding", to = "mailbox:sampleton/mash" }
"""
    taken = '\n[[types.a.receipts]]\nname = "taken"\nlevel = "filed"\nwithin = "1 working day"\n'
    told = story(taken, monthly)
    for duty in open_recurring((told.rules,), told.index, ms("2026-06-30 12:00"), told.now):
        told.open(Opened(duty, "open", None, None))
    told.send("a")
    told.send("c", HEALTH, GP)
    assert told.states() == {("monthly", HEALTH, CHAIR): "open", ("taken", HEALTH, CHAIR): "open"}


def test_what_an_envelope_meets_or_ends_does_not_move() -> None:
    """A hand-over that is also the answer leaves nothing to hand over."""
    told = story(send_rule('type = ["b", "c"]'), send_rule(name="other"), '\n[[types.c.ends]]\nrules = "other"\n')
    told.send("a")
    told.send("c", HEALTH, CHAIR)
    assert told.states() == {("answer", HEALTH, CHAIR): "met", ("other", HEALTH, CHAIR): "superseded"}


RECEIVED = """
[[types.d.rehomes]]
giver = "creditor"
taker = "sender"
when = { settles = "taken-over" }
"""


def test_whoever_was_owed_what_it_settles_may_be_the_giver() -> None:
    """A receiving team meets its duty to take the case over: what the creditor of that owes and is owed goes over to it."""
    transfer = send_rule('type = "d"', name="taken-over").replace("types.a", "types.c")
    told = Story(Rules(agreement(ASKED + transfer + RECEIVED, types=TYPES)))
    told.send("a", HEALTH, CHAIR)
    told.send("a", POLICE, CHAIR)
    told.send("c", CHAIR, GP)
    told.send("d", GP, POLICE)
    assert "superseded" not in told.states().values()
    told.send("d", GP, CHAIR)
    assert told.states() == {
        ("answer", CHAIR, HEALTH): "superseded",
        ("answer", CHAIR, POLICE): "superseded",
        ("taken-over", GP, CHAIR): "met",
        ("answer", GP, HEALTH): "open",
        ("answer", GP, POLICE): "open",
    }


@pytest.mark.parametrize(
    ("extra", "moves"), [("", False), ('when = { sender = "police" }', True), ('when = { sender = "gp" }', False)]
)
def test_nobody_moves_what_is_not_theirs(extra: str, moves: bool) -> None:
    """Naming others as givers or takers moves nothing of theirs, unless the rule says which roles may."""
    for giver, taker in (("each-party", "recipients"), ("each-party", "sender"), ("role:health", "recipients")):
        told = story(ASKED, giver=giver, taker=taker, extra=extra)
        told.send("a")
        told.send("c", POLICE, GP, parties=(CHAIR, HEALTH))
        assert ("superseded" in told.states().values()) is moves


def test_within_an_agency_work_goes_over_at_once_and_to_no_other() -> None:
    """A party of the sender's own agency takes over; who else is named only hears of it."""
    told = story(send_rule('by = "sender"; to = "recipients"'), taker="own-party")
    told.send("a", CHAIR, HEALTH)
    told.send("c", CHAIR, HEALTH, parties=(GP, POLICE))
    assert list(told.states().values()) == ["open"]
    told.send("c", CHAIR, HEALTH, parties=(GP, AREA))
    assert [key[1] for key, state in told.states().items() if state == "open"] == [AREA]


@pytest.mark.parametrize("askers", [(POLICE, GP), (GP, POLICE)])
def test_what_becomes_one_duty_goes_on_as_the_one_that_is_due_first(askers: tuple[str, ...]) -> None:
    """What two were owed goes over to one, who asks the same itself: no clock begins anew, however they are stored."""
    told = story(
        ASKED,
        ASKED.replace("types.a", "types.c"),
        giver="each-party",
        taker="sender",
        extra='when = { sender = "mash" }',
    )
    for asker in askers:
        told.send("a", asker, HEALTH, at=NOON + HOUR * (asker == GP))
    told.tick(NOON + 2 * HOUR)
    parties, told_at = (GP, POLICE), told.now
    moved = header(type="c/1", from_=CHAIR, to=(HEALTH,), parties=parties, thread=told.thread, at=told_at, facts={})
    plan = told.take(moved)
    (duty,) = (row.duty for row in told.rows.values() if row.state == "open")
    assert (duty.debtor, duty.creditor, duty.due) == (HEALTH, CHAIR, NOON + 6 * HOUR)
    assert [one.duty for one in plan.opened] == [duty]


def test_there_and_back_goes_on_where_it_stands() -> None:
    """A step that one had, the other has not again; what is still to come comes to whoever has the duty then."""
    told = story(ASKED)
    told.send("a")
    told.tick(NOON + 2 * HOUR)
    told.send("c", HEALTH, GP)
    told.tick(NOON + 5 * HOUR)
    told.send("c", GP, HEALTH)
    told.tick(NOON + 7 * HOUR)
    told.send("c", HEALTH, GP)
    told.tick(NOON + 99 * HOUR)
    rung = {row.duty.debtor: [notice for _, notice in row.rung] for row in told.rows.values()}
    assert rung == {HEALTH: ["due-soon", "overdue"], GP: ["due-soon", "overdue", "overdue"]}
    assert told.states() == {("answer", HEALTH, CHAIR): "superseded", ("answer", GP, CHAIR): "open"}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3 * HOUR), st.sampled_from([HEALTH, GP, POLICE, AREA])), max_size=12))
def test_whatever_way_it_goes_each_step_is_taken_once_and_one_duty_is_open(moves: list[tuple[int, str]]) -> None:
    """The clock rings as if the duty had never moved, and whoever has it last can meet it."""
    told = story(ASKED)
    told.send("a")
    (plain,) = (row.duty for row in told.rows.values())
    holder = HEALTH
    for pause, taker in moves:
        told.tick(told.now + pause)
        told.send("c", holder, taker)
        holder = taker
        assert [key for key, state in told.states().items() if state == "open"] == [("answer", holder, CHAIR)]
    told.tick(plain.due + 99 * HOUR)
    rung = sorted(one for row in told.rows.values() for one in row.rung)
    assert rung == sorted((step.at, step.notice) for step in plain.steps)
    told.send("b", holder, CHAIR)
    assert "open" not in told.states().values()
