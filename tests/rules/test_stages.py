"""How one rule's duties went: in time, late, stuck; how long they took; what the messages were worth."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from schemas.rules.duty import State
from schemas.rules.stages import COLUMNS, HOUR, Duties, Stage, Thread, judge, tally_duties
from schemas.rules.units import DutyRow
from tests.rules.support import CHAIR, GP, HEALTH, POLICE

DUE, NOW = 100 * HOUR, 200 * HOUR
ALONE = Thread(duties=(), newer={}, refused=())


def duty(state: State = "open", hours: int | None = None, **members: Any) -> DutyRow:
    """Return a duty to send, met *hours* after its clock began."""
    given_: dict[str, Any] = {
        "id": "o1",
        "kind": "send",
        "rule": "decided",
        "thread": "t1",
        "family": "referral.outcome",
        "debtor": CHAIR,
        "creditor": HEALTH,
        "item": "",
        "due": DUE,
        "state": state,
        "settled_at": None if hours is None else (50 + hours) * HOUR,
        "settled_by": None if hours is None else "answer",
        "envelope": "request",
        "began": 50 * HOUR,
    }
    return DutyRow(**(given_ | members))


def owes_receipt(state: State = "open", **members: Any) -> DutyRow:
    """Return the duty of the creditor to take receipt of the answer."""
    more = {"id": "o2", "rule": "taken", "kind": "receipt", "debtor": HEALTH, "creditor": CHAIR}
    return duty(state, **({"hours": None, "envelope": "answer", "item": "answer"} | more | members))


def stage(rows: Iterable[DutyRow], thread: Thread = ALONE, rule: str = "decided", now: int = NOW) -> Stage:
    (found,) = tally_duties([judge(row, thread) for row in rows if row.rule == rule], {rule: "because"}, now)
    return found


def total(*rows: DutyRow, thread: Thread = ALONE, rule: str = "decided", now: int = NOW) -> Duties:
    return stage(rows, thread, rule, now).total


def test_every_column_has_its_definition() -> None:
    """What is counted is said in words."""
    assert tuple(COLUMNS) == Duties.__struct_fields__


def test_a_rule_without_duties_has_no_rates() -> None:
    """Nothing was owed, so that there is no share, no median, and nothing stuck."""
    found = stage([])
    assert (found.rule, found.because, found.by_agency, found.stuck) == ("decided", "because", {}, ())
    assert (found.total.owed, found.total.in_time_rate, found.total.median_hours, found.total.faulty_rate) == (
        0, None, None, None,
    )  # fmt: skip


def test_each_duty_is_in_exactly_one_state() -> None:
    """Waived and superseded leave the denominator and are shown; what isn't due yet is neither met nor stuck."""
    states: list[State] = ["met", "met_late", "met_elsewhere", "lapsed", "waived", "superseded", "open"]
    rows = [duty(state, hours=10 if state.startswith("met") else None, id=state) for state in states]
    found = total(*rows, duty(id="later", due=NOW), rule="decided")
    assert found.owed == found.met + found.met_late + found.elsewhere + found.lapsed + found.stuck + found.waiting == 6
    assert (found.waived, found.superseded, found.stuck, found.waiting) == (1, 1, 1, 1)
    assert found.in_time_rate == 0.2


def test_stuck_ones_are_listed_the_oldest_first() -> None:
    """Past due and open, with their threads; at the due moment nobody is late."""
    rows = [duty(id="a", due=120 * HOUR, thread="t2"), duty(id="b", thread="t3"), duty(id="c", due=NOW)]
    assert [one.thread for one in stage(rows).stuck] == ["t3", "t2"]


def test_hours_count_from_where_the_clock_counts() -> None:
    """Half took no longer than the median, nine in ten no longer than the last figure; never less than nothing."""
    rows = [duty("met", hours, id=str(hours)) for hours in (1, 2, 3, 40, 72)]
    assert (total(*rows).median_hours, total(*rows).p90_hours) == (3.0, 72.0)
    assert total(duty("met", -5)).median_hours == 0.0
    assert total(duty("met_late", 90), duty("open")).median_hours == 90.0
    assert total(duty("met", 5, began=None)).median_hours is None


def test_an_agency_answers_for_what_it_owes() -> None:
    """By the debtor's agency."""
    found = stage([duty("met", 1), duty(id="o3", debtor=POLICE), duty("met", 2, id="o4")])
    assert {name: (row.owed, row.met, row.stuck) for name, row in found.by_agency.items()} == {
        "constabulary": (1, 0, 1),
        "sampleton": (2, 2, 0),
    }


@pytest.mark.parametrize(("state", "followed"), [("met", 1), ("met_late", 1), ("met_elsewhere", 1), ("open", 0)])
def test_followed_means_that_the_answer_came_to_something(state: State, followed: int) -> None:
    """Asked is not answered, sent is not received: what the message itself makes owed in turn must be met too."""
    row, taken = duty("met", 1), owes_receipt(state)
    assert total(row, thread=Thread((row, taken), {}, ())).followed == followed


def test_what_others_owe_in_turn_does_not_count() -> None:
    """Another recipient of the same message answers for itself; and a duty given up isn't waited for."""
    row = duty("met", 1)
    others = (owes_receipt(debtor=GP), owes_receipt("waived"), owes_receipt(envelope="another"))
    assert total(row, thread=Thread((row, *others), {}, ())).followed == 1
    assert total(duty("met_elsewhere", 1)).followed == 0


def test_of_several_versions_the_newest_has_to_be_followed() -> None:
    """The first was replaced before anybody took it; the newest is waited for."""
    row, old, new = duty("met", 1), owes_receipt("superseded"), owes_receipt(envelope="v3")
    newer = {"answer": "v2", "v2": "v3"}
    assert total(row, thread=Thread((row, old, new), newer, ())).followed == 0
    taken = new._replace(state="met", settled_at=60 * HOUR)
    assert total(row, thread=Thread((row, old, taken), newer, ())).followed == 1


def test_a_discussion_is_followed_when_every_duty_in_it_is() -> None:
    """Of two threads, one with a probation office that never answered."""
    rows = [duty("met", 1, id="a"), duty("open", id="b", creditor=GP), duty("met", 2, id="c", thread="t2")]
    found = total(*rows)
    assert (found.threads, found.threads_followed, found.followed, found.followed_rate) == (2, 1, 2, 0.6667)


def test_quality_stands_beside_speed() -> None:
    """Declined, disputed and corrected messages, each once in the share however much was wrong with it."""
    row = duty("met", 1)
    dispute = duty(id="d", rule="dispute-answered", debtor=CHAIR, item="answer", envelope="dispute")
    thread = Thread((row, dispute), {"answer": "v2"}, {("answer", HEALTH)})
    found = total(row, duty(id="open"), thread=thread)
    assert (found.messages, found.declined, found.disputed, found.corrected, found.faulty_rate) == (1, 1, 1, 1, 1.0)
    fine = total(row, thread=Thread((row,), {}, {("answer", GP)}))
    assert (fine.messages, fine.declined, fine.disputed, fine.corrected, fine.faulty_rate) == (1, 0, 0, 0, 0.0)


def test_what_a_message_itself_opens_is_no_dispute() -> None:
    """A request for an answer is about itself; a dispute is another message about it."""
    row = duty("met", 1)
    own = duty(id="own", rule="answered", item="answer", envelope="answer", creditor=CHAIR, debtor=HEALTH)
    assert total(row, thread=Thread((row, own), {}, ())).disputed == 0


def test_a_receipt_rule_is_judged_by_the_message_it_is_about() -> None:
    """Whoever declines takes no receipt, so an open duty counts there too."""
    row = owes_receipt()
    found = total(row, thread=Thread((row,), {}, {("answer", HEALTH)}), rule="taken")
    assert (found.messages, found.declined, found.stuck, found.followed) == (1, 1, 1, 0)
    assert total(owes_receipt("met", settled_at=60 * HOUR), rule="taken").followed == 1


def test_rules_keep_their_order() -> None:
    """Shared, analysed, acted on: as the agreement has them, each with its procedure."""
    rules = {"shared": "two days", "analysed": "five days", "acted-on": "twenty days"}
    found = tally_duties([judge(duty("met", 1, rule="acted-on"), ALONE)], rules, NOW)
    assert [(one.rule, one.because, one.total.owed) for one in found] == [
        ("shared", "two days", 0), ("analysed", "five days", 0), ("acted-on", "twenty days", 1),
    ]  # fmt: skip
