"""Which duties an envelope opens: whom a rule means, when it applies, from when it counts, and its clock's steps."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import Header
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty
from tests.rules.support import (
    AREA,
    CHAIR,
    ENDED,
    EXPLOITATION,
    GP,
    HEALTH,
    NURSES,
    PARTNERSHIP,
    POLICE,
    agreement,
    directory,
    example,
    header,
    item,
    local,
    ms,
    new_id,
    send_rule,
)

INDEX = directory()
NOW = ms("2026-07-06 11:00")


def opened(rule: str, now: int = NOW, **members: Any) -> tuple[Duty, ...]:
    return Rules(agreement(rule)).open_duties(header(**({"type": "a/1"} | members)), INDEX, now)


def debts(duties: tuple[Duty, ...]) -> list[tuple[str, str]]:
    return [(duty.debtor, duty.creditor) for duty in duties]


@pytest.mark.parametrize(
    ("by", "to", "expected"),
    [
        ("sender", "recipients", [(CHAIR, HEALTH), (CHAIR, POLICE)]),
        ("recipients", "sender", [(HEALTH, CHAIR), (POLICE, CHAIR)]),
        ("sender", "each-party", [(CHAIR, GP), (CHAIR, HEALTH)]),
        ("each-party", "sender", [(GP, CHAIR), (HEALTH, CHAIR)]),
        ("recipients", "each-party", [(HEALTH, GP), (POLICE, GP), (POLICE, HEALTH)]),
        ("sender", "party:gp", [(CHAIR, GP)]),
        ("sender", "party:school_nursing", []),
        ("party:social_care", "party:health", [(CHAIR, GP), (CHAIR, HEALTH)]),
        ("sender", "role:partnership", [(CHAIR, PARTNERSHIP)]),
        ("role:exploitation_team", "sender", [(EXPLOITATION, CHAIR)]),
        ("sender", "role:health", [(CHAIR, GP), (CHAIR, HEALTH), (CHAIR, NURSES)]),
        ("sender", f"mailbox:{POLICE}", [(CHAIR, POLICE)]),
        (f"mailbox:{POLICE}", "sender", [(POLICE, CHAIR)]),
        ("sender", "sender", []),
        ("recipients", "recipients", [(HEALTH, POLICE), (POLICE, HEALTH)]),
    ],
)
def test_each_selector_means_these_mailboxes(by: str, to: str, expected: list[tuple[str, str]]) -> None:
    """A selector resolves to the header's or the directory's mailboxes; nobody ever owes itself."""
    duties = opened(send_rule(f'by = "{by}"; to = "{to}"'), to=(HEALTH, POLICE), parties=(GP, HEALTH, CHAIR))
    assert sorted(debts(duties)) == sorted(expected)


def test_several_selectors_that_mean_one_mailbox_open_one_duty() -> None:
    """Who is a recipient and a party is owed it once."""
    duties = opened(
        send_rule('by = "sender"; to = ["recipients", "each-party"]'), to=(HEALTH,), parties=(CHAIR, HEALTH)
    )
    assert debts(duties) == [(CHAIR, HEALTH)]


def test_a_role_means_only_mailboxes_open_at_acceptance() -> None:
    """An agency that has ended owes and is owed nothing by its role; while it lasted it did."""
    rule = send_rule('by = "sender"; to = "role:health"')
    assert ENDED not in [duty.creditor for duty in opened(rule)]
    assert ENDED in [duty.creditor for duty in opened(rule, now=0)]


def test_nobody_owes_themselves_what_they_took_over() -> None:
    """A creditor that has ended is owed it by everybody but the one that answers for it; without an heir by all."""
    rule = send_rule(f'by = "recipients"; to = "mailbox:{ENDED}"')
    sent = header(type="a/1", to=(HEALTH, POLICE))
    for heir, debtors in (("northmere", {POLICE}), (None, {HEALTH, POLICE})):
        duties = Rules(agreement(rule)).open_duties(sent, directory(heir=heir), NOW)
        assert {duty.debtor for duty in duties} == debtors


def test_an_item_is_owed_by_its_owner_by_its_own_moment() -> None:
    """One duty for each item, with the item's reference and due moment; the sender's own items bind nobody else."""
    first, second, own = item(POLICE, ms("2026-07-10 12:00")), item(HEALTH, ms("2026-07-20 12:00")), item(CHAIR, NOW)
    duties = opened(send_rule('by = "item-owner"; to = "sender"; within = "item due"'), items=(first, second, own))
    assert [(duty.debtor, duty.item, duty.due) for duty in duties] == [
        (POLICE, first.ref, first.due),
        (HEALTH, second.ref, second.due),
    ]
    assert opened(send_rule('by = "item-owner"')) == ()


def test_an_item_may_be_owed_to_its_owner() -> None:
    """The sender can owe each item's owner something, by a limit of its own."""
    one = item(POLICE, 0)
    (duty,) = opened(send_rule('by = "sender"; to = "item-owner"'), items=(one,))
    assert (duty.creditor, duty.item, local(duty.due)) == (POLICE, one.ref, "2026-07-07 17:00")


def test_each_recipient_owes_the_sender_a_receipt_for_this_envelope() -> None:
    """A receipt duty is the recipient's, about the envelope itself, and nobody owes itself one."""
    rule = '\n[[types.a.receipts]]\nname = "taken"\nlevel = ["filed", "acknowledged"]\nwithin = "1 working day"\n'
    sent = header(type="a/1", to=(CHAIR, HEALTH, POLICE))
    duties = Rules(agreement(rule)).open_duties(sent, INDEX, ms("2026-07-10 18:00"))
    assert debts(duties) == [(HEALTH, CHAIR), (POLICE, CHAIR)]
    (duty, _) = duties
    assert (duty.kind, duty.types, duty.levels) == ("receipt", ("a",), ("filed", "acknowledged"))
    assert (duty.item, duty.envelope, duty.every, duty.tell) == (sent.id, sent.id, False, ())
    # It counts from acceptance: late minutes give their recipient a whole day.
    assert (duty.moment, local(duty.due)) == (ms("2026-07-10 18:00"), "2026-07-13 17:00")


@pytest.mark.parametrize(
    ("per", "expected"), [("thread", lambda sent: ""), ("envelope", lambda sent: sent.id), ("re", lambda sent: sent.re)]
)
def test_a_duty_is_about_the_thread_or_one_envelope(per: str, expected: Any) -> None:
    """`per` decides whether a second envelope in the thread opens a second duty."""
    sent = header(type="a/1", re=new_id())
    (duty,) = Rules(agreement(send_rule(f'per = "{per}"'))).open_duties(sent, INDEX, NOW)
    assert duty.item == expected(sent)


def test_an_answer_about_nothing_in_particular_is_about_the_thread() -> None:
    """Where the envelope has no `re`, the duty is the thread's."""
    (duty,) = opened(send_rule('per = "re"'))
    assert duty.item == ""


@pytest.mark.parametrize(
    ("when", "members", "applies"),
    [
        ('{ meeting = "strategy" }', {}, True),
        ('{ meeting = ["exploitation", "strategy"] }', {}, True),
        ('{ meeting = "conference" }', {}, False),
        ('{ meeting = "strategy", band = "unknown" }', {}, False),
        ('{ meeting = "strategy", band = "unknown" }', {"facts": {"meeting": "strategy", "band": "unknown"}}, True),
        ("{ urgent = true }", {}, False),
        ("{ urgent = true }", {"urgent": True}, True),
        ("{ urgent = false }", {}, True),
        ("{ urgent = false }", {"urgent": True}, False),
        ('{ sender = ["police", "social_care"] }', {}, True),
        ('{ sender = "police" }', {}, False),
        ('{ sender = "mash" }', {}, True),
        ('{ sender = "mash" }', {"from_": AREA}, False),
        ("{ }", {}, True),
    ],
)
def test_a_rule_applies_when_all_that_it_asks_is_so(when: str, members: dict[str, Any], applies: bool) -> None:
    """Facts, urgency and the sender's role must all be as the rule says."""
    assert bool(opened(send_rule(extra=f"when = {when}"), **members)) is applies
    receipts = f'\n[[types.a.receipts]]\nname = "r"\nlevel = "filed"\nwithin = "1 hour"\nwhen = {when}\n'
    assert bool(opened(receipts, **members)) is applies


def test_a_type_that_is_not_agreed_opens_nothing() -> None:
    """An unknown type, and a known one without rules, open no duty."""
    assert opened(send_rule(), type="c/1") == ()
    assert opened(send_rule(), type="b/1") == ()


@pytest.mark.parametrize(
    ("send", "moments", "due", "calendar"),
    [
        ('within = "72 hours"', {}, "2026-07-09 10:00", ""),
        ('within = "72 hours"; since = "accepted"', {}, "2026-07-09 11:00", ""),
        ('within = "72 hours"; since = "moment:returned"', {"returned": "2026-07-01 08:00"}, "2026-07-04 08:00", ""),
        ('within = "72 hours"; since = "moment:returned"', {}, "2026-07-09 10:00", ""),
        ('within = "moment:needed_by"', {"needed_by": "2026-07-08 14:00"}, "2026-07-08 14:00", ""),
        ('within = "moment:needed_by"', {}, "2026-07-06 10:00", ""),
        ('within = "moment:needed_by"; otherwise = "1 working day"', {}, "2026-07-07 17:00", "office@7"),
        (
            'within = "moment:needed_by"; otherwise = "1 working day"',
            {"needed_by": "2026-07-08 14:00"},
            "2026-07-08 14:00",
            "",
        ),
        ('within = "3 school days"', {}, "2026-07-09 17:00", "school@7"),
    ],
)
def test_a_limit_counts_from_what_its_rule_says(send: str, moments: dict[str, str], due: str, calendar: str) -> None:
    """From the event, acceptance or a named moment; and where that moment is absent, never later than without it."""
    (duty,) = opened(send_rule(send), to=(POLICE,), moments={code: ms(at) for code, at in moments.items()})
    assert (local(duty.due), duty.calendar, duty.beyond_calendar) == (due, calendar, False)
    assert duty.agreement == 7


def test_a_rule_may_count_its_working_days_by_another_calendar() -> None:
    """`calendar` in a rule replaces the agreement's own for its working days."""
    (duty,) = opened(
        send_rule('within = "2 working days"', 'calendar = "school"'), to=(POLICE,), at=ms("2026-07-20 10:00")
    )
    assert (local(duty.due), duty.calendar) == ("2026-09-02 17:00", "school@7")


def test_a_due_moment_beyond_the_calendar_is_marked() -> None:
    """The duty itself says that its due moment counts weekends only."""
    (duty,) = opened(send_rule('within = "2 school days"'), to=(POLICE,), at=ms("2027-12-30 10:00"))
    assert duty.beyond_calendar


LADDER = """
warn = ["1 working day before", "4 hours before", { before = "30 minutes", to = "debtor/deputy" }]
ladder = [
  { after = "2 working days", to = ["role:partnership"] },
  { after = "0 hours", to = ["debtor", "creditor"] },
  { after = "1 working day", to = "debtor/manager" },
]
"""


def test_steps_are_warnings_before_and_the_ladder_after_in_order() -> None:
    """All instants are known when the duty opens, working days over weekends included."""
    (duty,) = opened(
        send_rule('within = "5 working days"', LADDER),
        to=(POLICE,),
        at=ms("2026-07-03 10:00"),
        now=ms("2026-07-03 11:00"),
    )
    assert [(local(step.at), step.notice, step.to) for step in duty.steps] == [
        ("2026-07-09 17:00", "due-soon", ("debtor", "creditor")),
        ("2026-07-10 13:00", "due-soon", ("debtor", "creditor")),
        ("2026-07-10 16:30", "due-soon", ("debtor/deputy",)),
        ("2026-07-10 17:00", "overdue", ("debtor", "creditor")),
        ("2026-07-13 17:00", "overdue", ("debtor/manager",)),
        ("2026-07-14 17:00", "overdue", ("role:partnership",)),
    ]


def test_a_duty_opened_late_keeps_what_is_to_come_and_everything_overdue() -> None:
    """Warnings that are past would be noise; what is overdue is told however late the duty was registered."""
    (duty,) = opened(
        send_rule('within = "5 working days"', LADDER),
        to=(POLICE,),
        at=ms("2026-07-03 10:00"),
        now=ms("2026-07-10 14:00"),
    )
    assert [step.notice for step in duty.steps] == ["due-soon", "overdue", "overdue", "overdue"]
    (late,) = opened(
        send_rule('within = "5 working days"', LADDER),
        to=(POLICE,),
        at=ms("2026-07-03 10:00"),
        now=ms("2027-07-10 14:00"),
    )
    assert [step.notice for step in late.steps] == ["overdue", "overdue", "overdue"]


def test_a_warning_due_at_this_very_moment_is_past() -> None:
    """Only what lies ahead of the opening is a warning."""
    rule = send_rule('within = "5 hours"', 'warn = ["4 hours before"]')
    for now, notices in ((ms("2026-07-06 10:59"), ["due-soon", "overdue"]), (ms("2026-07-06 11:00"), ["overdue"])):
        (duty,) = opened(rule, to=(POLICE,), now=now)
        assert [step.notice for step in duty.steps] == notices


def test_absence_is_never_silent() -> None:
    """A rule without a ladder tells debtor and creditor when it is overdue."""
    (duty,) = opened(send_rule(), to=(POLICE,))
    assert [(step.at, step.notice, step.to) for step in duty.steps] == [
        (duty.due + 1, "overdue", ("debtor", "creditor"))
    ]


def test_an_objection_window_warns_and_is_never_overdue() -> None:
    """A window that lapses blames nobody: it has warnings, and no step at its end."""
    (duty,) = opened(send_rule(extra='lapses = true\nwarn = ["4 hours before"]'), to=(POLICE,))
    assert duty.lapses
    assert [step.notice for step in duty.steps] == ["due-soon"]


def test_whoever_just_said_it_is_not_told_that_it_opened() -> None:
    """Both sides are told by default, but for the one that sent the envelope."""
    assert [duty.tell for duty in opened(send_rule(), to=(POLICE,))] == [("debtor",)]
    assert [duty.tell for duty in opened(send_rule('by = "sender"; to = "recipients"'))] == [("creditor",)]
    assert [duty.tell for duty in opened(send_rule('by = "recipients"; to = "recipients"'), to=(GP, POLICE))] == [
        ("debtor", "creditor"),
        ("debtor", "creditor"),
    ]
    assert [duty.tell for duty in opened(send_rule(extra="tell = []"), to=(POLICE,))] == [()]
    told = 'tell = ["debtor", "creditor", "role:partnership"]'
    receipts = f'\n[[types.a.receipts]]\nname = "r"\nlevel = "filed"\nwithin = "1 hour"\n{told}\n'
    assert [duty.tell for duty in opened(receipts, to=(POLICE,))] == [("debtor", "role:partnership")]


def _held(thread: str, to: tuple[str, ...], parties: tuple[str, ...], kind: str) -> Header:
    return header(thread=thread, to=to, parties=parties, facts={"meeting": kind})


MEETINGS = ["strategy", "exploitation", "top_risk", "intelligence", "conference", "core_group", "other"]


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(MEETINGS),
    parties=st.sets(st.sampled_from([POLICE, EXPLOITATION, HEALTH, NURSES, GP]), min_size=1),
    late=st.integers(0, 90 * 86_400_000),
)
def test_the_same_duty_is_found_by_either_door(kind: str, parties: set[str], late: int) -> None:
    """What meeting.claimed opens towards its sender is what meeting.held opens towards that party, by the same parts.

    Of the rules that both types have: when the next meeting is due, only whoever held the last one says.
    """
    rules, thread = Rules(example()), new_id()
    both = {rule.name for rule in example().types["meeting.claimed"].opens}
    assert both >= {"decision-note", "full-minutes", "conference-record"}
    registered = rules.open_duties(_held(thread, tuple(sorted(parties)), tuple(sorted(parties)), kind), INDEX, NOW)
    held = [duty for duty in registered if duty.rule in both]
    assert {duty.creditor for duty in held} == parties
    for party in parties:
        claim = header(
            type="meeting.claimed/1", thread=thread, from_=party, to=(CHAIR,), parties=(CHAIR,), facts={"meeting": kind}
        )
        claimed = rules.open_duties(claim, INDEX, NOW + late)
        assert {duty.parts for duty in claimed} == {duty.parts for duty in held if duty.creditor == party}
        assert {duty.due for duty in claimed} == {duty.due for duty in held if duty.creditor == party}


def test_types_say_who_may_send_and_receive() -> None:
    """Roles, mailboxes by id and everyone, of a mailbox or its agency; and the version doesn't matter."""
    frame = '[types.c]\nsenders = ["social_care", "constabulary/exploitation"]\nrecipients = ["school_nursing"]\n'
    rules = Rules(agreement(frame + 'basis_classes = ["care"]\nretention = "case"\n'))
    terms = rules.find_type("c/2")
    assert terms is not None
    assert terms == rules.find_type("c")
    assert rules.find_type("d") is None
    assert [terms.may_send(box, INDEX) for box in (CHAIR, AREA, EXPLOITATION, POLICE)] == [True, True, True, False]
    assert [terms.may_receive(box, INDEX) for box in (NURSES, HEALTH, "nowhere/at-all")] == [True, False, False]
    assert terms.basis_classes == {"care"}
    assert terms.retention == {"case"}
    everyone = rules.find_type("a")
    assert everyone is not None
    assert everyone.may_send("nowhere/at-all", INDEX)
    assert rules.retention("case").max_days == 400
    with pytest.raises(KeyError):
        rules.retention("none")


def test_an_agreement_of_500_rules_is_judged_in_an_instant() -> None:
    """Opening duties looks only at the rules of the envelope's type, so that hundreds of others cost nothing."""
    text = send_rule(extra=LADDER) + "".join(
        send_rule(extra='when = { meeting = "never" }', name=f"rule{n}").replace("types.a", "types.b")
        for n in range(500)
    )
    rules, sent = Rules(agreement(text)), header(type="a/1", to=(POLICE,))
    rules.open_duties(sent, INDEX, NOW)
    best = min(_seconds(rules, sent) for _ in range(20))
    # A loose bound for a busy machine: the aim is below 100 microseconds.
    assert best < 0.002


def _seconds(rules: Rules, sent: Header) -> float:
    start = time.perf_counter()
    rules.open_duties(sent, INDEX, NOW)
    return time.perf_counter() - start
