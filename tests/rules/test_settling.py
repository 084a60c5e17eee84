"""What meets a duty and what doesn't: never another thread, creditor, variant, agency, version or level."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.agreement import Answer
from schemas.directory import DirectoryIndex, Successor
from schemas.envelope import Header, Item
from schemas.rules.duty import Duty, Step
from schemas.rules.settling import (
    Standing,
    next_step,
    settled_state,
    settles_by_envelope,
    settles_by_receipt,
    superseded_by,
)
from tests.rules.support import (
    AREA,
    CHAIR,
    ENDED,
    GP,
    HEALTH,
    NURSES,
    POLICE,
    directory,
    header,
    new_id,
    receipt,
)

INDEX = directory()


STANDING = Standing(INDEX, 1)


def meets(
    duty: Duty,
    sent: Header,
    standing: Standing = STANDING,
    *,
    owed: Collection[str] = (),
    before: Iterable[Header] = (),
) -> bool:
    """Answer whether *sent* meets *duty* while duties of the rules *owed* are open, *before* having been sent."""
    return settles_by_envelope(duty, sent, standing, lambda rule: rule in owed, lambda: before)


def owed(**members: Any) -> Duty:
    given_: dict[str, Any] = {
        "rule": "full-minutes",
        "thread": new_id(),
        "debtor": CHAIR,
        "creditor": HEALTH,
        "kind": "send",
        "answers": (Answer(types=("minutes.full",), facts={"variant": ("full", "gp_summary")}),),
        "envelope": new_id(),
        "moment": 0,
        "due": 1_000,
        "agreement": 1,
    }
    return Duty(**(given_ | members))


def answer(duty: Duty, **members: Any) -> Header:
    given_: dict[str, Any] = {
        "type": "minutes.full/1",
        "thread": duty.thread,
        "from_": CHAIR,
        "to": (HEALTH, POLICE),
        "facts": {"variant": "full"},
    }
    return header(**(given_ | members))


@pytest.mark.parametrize(
    ("members", "settles"),
    [
        ({}, True),
        ({"type": "minutes.full/2"}, True),
        ({"from_": AREA}, True),
        ({"facts": {"variant": "gp_summary"}}, True),
        ({"thread": new_id()}, False),
        ({"to": (POLICE,)}, False),
        ({"type": "minutes.decisions/1"}, False),
        ({"facts": {"variant": "decisions"}}, False),
        ({"facts": {}}, False),
        ({"from_": POLICE}, False),
    ],
)
def test_a_duty_to_send_is_met_by_its_own_answer_only(members: dict[str, Any], settles: bool) -> None:
    """Thread, creditor, type, variant and the debtor's agency must all match; its team and version need not."""
    duty = owed()
    assert meets(duty, answer(duty, **members)) is settles


def test_a_successor_meets_what_its_predecessor_owed() -> None:
    """The agency that took over sends for the one that ended."""
    duty = owed(debtor="old-health/safeguarding", creditor=CHAIR)
    sent = answer(duty, from_=HEALTH, to=(CHAIR,))
    assert meets(duty, sent, Standing(directory(heir="northmere"), 1))
    assert not meets(duty, sent, Standing(directory(heir="northmere"), 0))
    assert not meets(duty, sent)


def test_what_is_sent_to_the_heir_meets_what_an_ended_creditor_was_owed() -> None:
    """A creditor that has ended has its records from whoever answers for it, and nobody else's will do."""
    duty = owed(creditor=ENDED)
    for heir, at, to, settled in (
        ("northmere", 1, HEALTH, True),
        ("northmere", 1, NURSES, False),
        ("northmere", 0, HEALTH, False),
        ("northmere", 0, ENDED, True),
        (None, 1, HEALTH, False),
        (None, 1, ENDED, True),
    ):
        assert meets(duty, answer(duty, to=(to,)), Standing(directory(heir=heir), at)) is settled


@settings(max_examples=300)
@given(
    thread=st.booleans(),
    creditor=st.booleans(),
    variant=st.sampled_from(["full", "gp_summary", "decisions", "redacted", None]),
    sender=st.sampled_from([CHAIR, AREA, POLICE, GP]),
    family=st.sampled_from(["minutes.full", "minutes.decisions", "minutes.correction"]),
)
def test_nothing_but_the_whole_match_settles(
    thread: bool, creditor: bool, variant: str | None, sender: str, family: str
) -> None:
    """Any single difference leaves the duty open."""
    duty = owed()
    sent = answer(
        duty,
        thread=duty.thread if thread else new_id(),
        to=(HEALTH,) if creditor else (GP, POLICE),
        facts={"variant": variant} if variant else {},
        from_=sender,
        type=f"{family}/1",
    )
    whole = (
        thread
        and creditor
        and variant in ("full", "gp_summary")
        and sender in (CHAIR, AREA)
        and family == "minutes.full"
    )
    assert meets(duty, sent) is whole


@pytest.mark.parametrize("member", ["re", "supersedes"])
def test_a_duty_about_an_envelope_is_met_by_what_answers_or_replaces_it(member: str) -> None:
    """An answer to another envelope of the thread settles nothing."""
    about = new_id()
    duty = owed(item=about)
    assert meets(duty, answer(duty, **{member: about}))
    assert not meets(duty, answer(duty, **{member: new_id()}))
    assert not meets(duty, answer(duty))


def test_a_duty_about_an_item_is_met_by_what_names_the_item() -> None:
    """Completing one action completes no other."""
    one, other = (Item(ref=new_id(), owner=POLICE, due=0) for _ in range(2))
    duty = owed(item=one.ref)
    assert meets(duty, answer(duty, items=(other, one)))
    assert not meets(duty, answer(duty, items=(other,)))


def taken(**members: Any) -> Duty:
    envelope = new_id()
    given_ = {
        "kind": "receipt",
        "debtor": HEALTH,
        "creditor": CHAIR,
        "levels": ("filed", "acknowledged"),
        "answers": (Answer(types=("minutes.full",)),),
    }
    return owed(**(given_ | {"envelope": envelope, "item": envelope} | members))


@pytest.mark.parametrize(
    ("members", "settles"),
    [
        ({}, True),
        ({"level": "acknowledged", "mode": None, "actor": "A" * 43, "role": "nurse"}, True),
        ({"mode": "reference_only"}, True),
        ({"level": "collected", "mode": None}, False),
        ({"level": "opened", "mode": None}, False),
        ({"level": "declined", "mode": None, "code": "wrong_recipient"}, False),
        ({"level": "rejected", "mode": None, "code": "manifest"}, False),
        ({"mode": "destroyed"}, False),
        ({"mailbox": POLICE}, False),
        ({"envelope": new_id()}, False),
    ],
)
def test_a_duty_to_take_receipt_is_met_at_its_levels_only(members: dict[str, Any], settles: bool) -> None:
    """Collected, opened, declined and destroyed clear nothing; nor do another's or another version's receipt."""
    duty = taken()
    assert settles_by_receipt(duty, receipt(duty, **members)) is settles


def test_the_two_kinds_are_never_met_by_the_other() -> None:
    """A receipt settles no duty to send, and an envelope no duty to take receipt."""
    duty = taken()
    assert not settles_by_receipt(owed(debtor=HEALTH, envelope=duty.envelope), receipt(duty))
    assert not meets(taken(creditor=HEALTH, debtor=CHAIR), answer(duty))


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ({}, True),
        ({"to": (GP,)}, False),
        ({"supersedes": new_id()}, False),
        ({"supersedes": None}, False),
        ({"thread": new_id()}, False),
    ],
)
def test_a_newer_version_replaces_the_receipt_owed_for_the_older(version: dict[str, Any], expected: bool) -> None:
    """Only for a debtor that gets the newer version, and only in the same thread."""
    duty = taken()
    newer = answer(duty, **({"supersedes": duty.envelope} | version))
    assert superseded_by(duty, newer, STANDING) is expected


def test_a_newer_version_that_goes_to_the_heir_replaces_what_an_ended_debtor_owed() -> None:
    """Whoever answers for the mailbox has the newer one to take receipt of."""
    duty = taken(debtor=ENDED)
    newer = answer(duty, supersedes=duty.envelope, to=(HEALTH,))
    assert superseded_by(duty, newer, Standing(directory(heir="northmere"), 1))
    assert not superseded_by(duty, newer, STANDING)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ({}, True),
        ({"from_": CHAIR}, False),
        ({"supersedes": new_id()}, False),
        ({"supersedes": None, "re": "asked"}, False),
        ({"thread": new_id()}, False),
    ],
)
def test_a_question_put_anew_replaces_the_answer_owed_to_the_older(version: dict[str, Any], expected: bool) -> None:
    """It has a duty and a clock of its own; a debtor that replaces its own message gets rid of nothing."""
    asked = new_id()
    duty = owed(item=asked, envelope=asked)
    given_ = {"from_": HEALTH, "to": (CHAIR,), "type": "minutes.dispute/1", "supersedes": asked} | version
    assert superseded_by(duty, answer(duty, **given_), STANDING) is expected
    assert not superseded_by(owed(thread=duty.thread), answer(duty, **given_), STANDING)


def test_of_several_heirs_one_that_is_owed_it_itself_has_it_for_itself() -> None:
    """What goes to a creditor that is one of two successors is its own copy; what goes to the other is the heir's."""
    plain = directory(heir="northmere").directory
    agencies = tuple(
        msgspec.structs.replace(agency, successors=(*agency.successors, Successor(agency="millfield")))
        if agency.id == "old-health"
        else agency
        for agency in plain.agencies
    )
    split, duty = DirectoryIndex(msgspec.structs.replace(plain, agencies=agencies)), owed(creditor=ENDED)
    for to, own, settled in (
        (HEALTH, (), True),
        (GP, (), True),
        (HEALTH, ((duty.rule, HEALTH),), False),
        (HEALTH, (("another", HEALTH),), True),
        (GP, ((duty.rule, HEALTH),), True),
        (CHAIR, (), False),
    ):
        assert meets(duty, answer(duty, to=(to,), parties=(to,)), Standing(split, 1, own)) is settled
    only = Standing(directory(heir="northmere"), 1, ((duty.rule, HEALTH),))
    assert meets(duty, answer(duty, to=(HEALTH,)), only)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ({}, True),
        ({"to": (GP,)}, True),
        ({"from_": CHAIR}, False),
        ({"supersedes": new_id()}, False),
        ({"supersedes": None}, False),
        ({"thread": new_id()}, False),
    ],
)
def test_a_question_that_is_asked_anew_replaces_the_older(version: dict[str, Any], expected: bool) -> None:
    """Whoever asked may; who owes the answer gets rid of nothing by replacing a message."""
    duty = owed(item=(asked := new_id()), envelope=asked)
    assert duty.debtor == CHAIR
    newer = answer(duty, **({"from_": GP, "to": (CHAIR,), "supersedes": duty.item} | version))
    assert superseded_by(duty, newer, STANDING) is expected


def test_what_is_about_an_item_ends_by_nobody_who_sent_an_envelope_under_its_reference() -> None:
    """Senders choose ids: whoever replaces an envelope of that id, or that the duty is only about, has not asked."""
    duty = owed(item=new_id())
    newer = answer(duty, from_=POLICE, to=(CHAIR,), supersedes=duty.item)
    assert not superseded_by(duty, newer, STANDING)


def test_a_successor_gets_rid_of_nothing_by_replacing_what_its_predecessor_sent() -> None:
    """Any mailbox of the agency that took over may replace it, and none of them has asked itself."""
    duty = owed(debtor=ENDED, item=(asked := new_id()), envelope=asked)
    took_over = Standing(directory(heir="northmere"), 1)
    for box in (HEALTH, NURSES):
        newer = answer(duty, from_=box, supersedes=asked)
        assert not superseded_by(duty, newer, took_over)
        assert superseded_by(duty, newer, Standing(directory(heir="northmere"), 0))


def test_the_last_moment_in_time_is_in_time() -> None:
    """At the due moment it is met; a millisecond later it is met late."""
    assert settled_state(owed(), 1_000) == "met"
    assert settled_state(owed(), 1_001) == "met_late"


def test_the_next_step_is_the_first_one_still_to_come() -> None:
    """A step at this very moment has been taken."""
    steps = tuple(Step(at=at, notice="overdue", to=("debtor",)) for at in (10, 20, 20, 30))
    assert [next_step(steps, at) for at in (0, 10, 19, 20, 30)] == [0, 1, 1, 3, 4]
    assert next_step((), 5) == 0
