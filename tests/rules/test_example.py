"""The shipped agreement of Exampleshire says what the procedures say, about every type of this version."""

from __future__ import annotations

import pytest

from schemas.catalogue import Catalogue
from schemas.envelope import Header
from schemas.identifiers import family_of
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty
from schemas.rules.settling import Standing, settles_by_envelope, superseded_by
from tests.rules.support import (
    AREA,
    CHAIR,
    EXPLOITATION,
    GP,
    HEALTH,
    NURSES,
    POLICE,
    directory,
    example,
    header,
    item,
    local,
    ms,
    new_id,
)

RULES, INDEX = Rules(example()), directory()
MONDAY = ms("2026-07-06 10:00")


def test_every_type_of_this_version_is_agreed() -> None:
    """Every message type of the catalogue may be sent by somebody, and no other."""
    assert set(example().types) == {family_of(name) for name in Catalogue.load().types()}


def test_every_rule_names_its_source() -> None:
    """No number without the procedure, or the word that it is the partnership's own setting."""
    rules = [rule for terms in example().types.values() for rule in (*terms.opens, *terms.receipts)]
    rules += [*example().recurring]
    assert all("domain" in rule.because or "setting" in rule.because for rule in rules)


@pytest.mark.parametrize(
    ("type_", "sender", "to", "members", "expected"),
    [
        (
            "meeting.held",
            CHAIR,
            (POLICE,),
            {"parties": (POLICE, HEALTH)},
            [
                ("decision-note", CHAIR, HEALTH, "2026-07-07 17:00"),
                ("decision-note", CHAIR, POLICE, "2026-07-07 17:00"),
                ("full-minutes", CHAIR, HEALTH, "2026-07-13 17:00"),
                ("full-minutes", CHAIR, POLICE, "2026-07-13 17:00"),
            ],
        ),
        (
            "meeting.held",
            CHAIR,
            (POLICE,),
            {"parties": (POLICE,), "facts": {"meeting": "conference"}},
            [
                ("conference-record", CHAIR, POLICE, "2026-07-27 17:00"),
                ("decision-note", CHAIR, POLICE, "2026-07-07 17:00"),
            ],
        ),
        (
            "meeting.held",
            CHAIR,
            (POLICE,),
            {"parties": (POLICE,), "facts": {"meeting": "core_group"}},
            [("full-minutes", CHAIR, POLICE, "2026-07-13 17:00")],
        ),
        (
            "meeting.claimed",
            GP,
            (CHAIR,),
            {"parties": (CHAIR,)},
            [
                ("decision-note", CHAIR, GP, "2026-07-07 17:00"),
                ("full-minutes", CHAIR, GP, "2026-07-13 17:00"),
            ],
        ),
        (
            "meeting.convened",
            CHAIR,
            (HEALTH,),
            {"moments": {"starts": ms("2026-07-06 15:00")}, "urgent": True},
            [
                ("convened-collected-at-once", HEALTH, CHAIR, "2026-07-06 10:05"),
                ("convened-received", HEALTH, CHAIR, "2026-07-06 15:00"),
            ],
        ),
        ("minutes.decisions", CHAIR, (HEALTH,), {}, [("decisions-received", HEALTH, CHAIR, "2026-07-07 17:00")]),
        ("minutes.full", CHAIR, (HEALTH,), {}, [("full-received", HEALTH, CHAIR, "2026-07-07 17:00")]),
        (
            "minutes.full",
            CHAIR,
            (HEALTH,),
            {"urgent": True},
            [
                ("full-collected-at-once", HEALTH, CHAIR, "2026-07-06 10:05"),
                ("full-received", HEALTH, CHAIR, "2026-07-07 17:00"),
            ],
        ),
        ("minutes.correction", CHAIR, (HEALTH,), {}, [("correction-received", HEALTH, CHAIR, "2026-07-07 17:00")]),
        (
            "minutes.dispute",
            HEALTH,
            (CHAIR,),
            {},
            [
                ("dispute-answered", CHAIR, HEALTH, "2026-07-13 17:00"),
                ("dispute-received", CHAIR, HEALTH, "2026-07-07 17:00"),
            ],
        ),
        (
            "info.report",
            NURSES,
            (EXPLOITATION,),
            {},
            [
                ("report-acknowledged", EXPLOITATION, NURSES, "2026-07-07 17:00"),
                ("report-outcome", EXPLOITATION, NURSES, "2026-08-03 17:00"),
                ("report-received", EXPLOITATION, NURSES, "2026-07-07 17:00"),
            ],
        ),
        (
            "info.report.query",
            EXPLOITATION,
            (NURSES,),
            {"moments": {"needed_by": ms("2026-07-08 12:00")}},
            [("query-answered", NURSES, EXPLOITATION, "2026-07-08 12:00")],
        ),
        (
            "info.report.query",
            EXPLOITATION,
            (NURSES,),
            {},
            [("query-answered", NURSES, EXPLOITATION, "2026-07-13 17:00")],
        ),
        (
            "info.report.outcome",
            EXPLOITATION,
            (NURSES,),
            {},
            [("outcome-received", NURSES, EXPLOITATION, "2026-07-07 17:00")],
        ),
        ("info.report.identity", NURSES, (POLICE,), {}, [("identity-received", POLICE, NURSES, "2026-07-07 17:00")]),
        (
            "referral",
            NURSES,
            (CHAIR,),
            {"urgent": True},
            [
                ("referral-collected-at-once", CHAIR, NURSES, "2026-07-06 10:05"),
                ("referral-decided", CHAIR, NURSES, "2026-07-07 17:00"),
            ],
        ),
        (
            "missing.return",
            POLICE,
            (CHAIR,),
            {},
            [
                ("interview-assigned", CHAIR, POLICE, "2026-07-07 10:00"),
                ("missing-return-taken", CHAIR, POLICE, "2026-07-06 14:00"),
            ],
        ),
        (
            "rhi.assign",
            CHAIR,
            (NURSES,),
            # From the return on Saturday noon across the end of summer time: 72 hours elapsed, 11:00 by the clock.
            {
                "moments": {"returned": ms("2026-10-24 12:00")},
                "parties": (NURSES, AREA),
                "items": (item(NURSES, ms("2026-10-27 11:00")),),
            },
            [
                ("interview-held", NURSES, AREA, "2026-10-27 11:00"),
                ("interview-held", NURSES, CHAIR, "2026-10-27 11:00"),
            ],
        ),
        (
            "closure.intent",
            CHAIR,
            (HEALTH,),
            {"moments": {"window_ends": ms("2026-07-08 12:00")}},
            [
                ("closure-decided", CHAIR, HEALTH, "2026-07-15 17:00"),
                ("closure-window", HEALTH, CHAIR, "2026-07-08 12:00"),
            ],
        ),
        (
            "action.assign",
            CHAIR,
            (GP,),
            {"items": (item(GP, ms("2026-07-20 12:00")),)},
            [
                ("action-answered", GP, CHAIR, "2026-07-08 17:00"),
                ("action-done", GP, CHAIR, "2026-07-20 12:00"),
            ],
        ),
        (
            "risk.agreed",
            CHAIR,
            (HEALTH,),
            {"facts": {"band": "moderate"}},
            [
                ("flag-requested", CHAIR, EXPLOITATION, "2026-07-06 17:00"),
                ("risk-received", HEALTH, CHAIR, "2026-07-07 17:00"),
            ],
        ),
        (
            "risk.agreed",
            CHAIR,
            (HEALTH,),
            {"facts": {"band": "mild"}},
            [("risk-received", HEALTH, CHAIR, "2026-07-07 17:00")],
        ),
        (
            "incident.notice",
            POLICE,
            (CHAIR,),
            {"facts": {"grade": "red"}},
            [("incident-red-taken", CHAIR, POLICE, "2026-07-06 14:00")],
        ),
        ("school.notice", POLICE, (CHAIR,), {}, [("school-knows", CHAIR, POLICE, "2026-07-07 08:30")]),
        (
            "escalation.raise",
            GP,
            (CHAIR,),
            {"facts": {"stage": "1"}, "moments": {"respond_by": ms("2026-07-07 09:00")}},
            [
                ("escalation-received", CHAIR, GP, "2026-07-07 17:00"),
                ("escalation-resolved", CHAIR, GP, "2026-07-07 09:00"),
            ],
        ),
        (
            "chronology.request",
            CHAIR,
            (GP,),
            {},
            [("chronology-answered", GP, CHAIR, "2026-07-20 17:00")],
        ),
        (
            "intel.item",
            NURSES,
            (EXPLOITATION,),
            {},
            [
                ("intelligence-acted-on", EXPLOITATION, NURSES, "2026-08-03 17:00"),
                ("intelligence-analysed", EXPLOITATION, NURSES, "2026-07-13 17:00"),
                ("intelligence-shared", EXPLOITATION, NURSES, "2026-07-08 17:00"),
            ],
        ),
        (
            "risklist.publish",
            EXPLOITATION,
            (GP,),
            {},
            [
                ("list-loaded", GP, EXPLOITATION, "2026-07-07 17:00"),
                ("list-replaced", EXPLOITATION, GP, "2026-08-10 17:00"),
            ],
        ),
    ],
)
def test_each_type_opens_what_the_procedures_ask(
    type_: str, sender: str, to: tuple[str, ...], members: dict[str, object], expected: list[tuple[str, ...]]
) -> None:
    """Who owes whom what by when, for an envelope of each type that is accepted on a Monday morning.

    By the rules that are named: the partnership may add others.
    """
    sent = header(**({"type": f"{type_}/1", "from_": sender, "to": to, "at": MONDAY} | members))
    duties = RULES.open_duties(sent, INDEX, MONDAY)
    named = {rule for rule, *_ in expected}
    found = [(duty.rule, duty.debtor, duty.creditor, local(duty.due)) for duty in duties if duty.rule in named]
    assert sorted(found) == sorted(expected)


def meets(duty: Duty, sent: Header, *before: Header) -> bool:
    """Answer whether *sent* meets *duty*, nothing else being owed, *before* having been sent."""
    return settles_by_envelope(duty, sent, Standing(INDEX, MONDAY), lambda _: False, lambda: before)


def _only(duties: tuple[Duty, ...], rule: str) -> Duty:
    (duty,) = (duty for duty in duties if duty.rule == rule)
    return duty


@pytest.mark.parametrize("variant", ["full", "gp_summary", "redacted", "reference_only"])
def test_minutes_in_any_agreed_variant_settle_and_a_decision_note_does_not(variant: str) -> None:
    """What may be withheld from a recipient is in the variant; the note is never the minutes."""
    held = header(parties=(HEALTH,))
    full = _only(RULES.open_duties(held, INDEX, MONDAY), "full-minutes")
    note = {"thread": held.thread, "to": (HEALTH,)}
    assert meets(full, header(type="minutes.full/1", facts={"variant": variant}, **note))
    assert not meets(full, header(type="minutes.full/1", facts={"variant": "decisions"}, **note))
    assert not meets(full, header(type="minutes.decisions/1", facts={"variant": variant}, **note))


def test_a_second_version_asks_for_a_second_receipt() -> None:
    """A receipt for version 1 never stands for version 2; what was still owed for version 1 is replaced."""
    first = header(type="minutes.full/1", to=(HEALTH,))
    second = header(type="minutes.full/1", to=(HEALTH,), thread=first.thread, supersedes=first.id)
    (old,), (new,) = (RULES.open_duties(sent, INDEX, MONDAY) for sent in (first, second))
    assert old.parts != new.parts
    assert superseded_by(old, second, Standing(INDEX, MONDAY))
    assert not superseded_by(new, second, Standing(INDEX, MONDAY))


def test_a_dispute_is_answered_once_for_each_version_disputed() -> None:
    """A correction of the disputed minutes, or their next version, answers; a correction of others doesn't."""
    minutes = new_id()
    dispute = header(type="minutes.dispute/1", from_=HEALTH, to=(CHAIR,), re=minutes)
    duty = _only(RULES.open_duties(dispute, INDEX, MONDAY), "dispute-answered")
    answer = {"thread": dispute.thread, "to": (HEALTH,), "from_": CHAIR}
    assert meets(duty, header(type="minutes.correction/1", re=minutes, **answer))
    assert meets(duty, header(type="minutes.full/1", supersedes=minutes, **answer))
    assert not meets(duty, header(type="minutes.correction/1", re=new_id(), **answer))


def test_who_reported_stays_with_those_who_must_know() -> None:
    """Neither a manager nor the partnership hears of an identity, however late it is taken."""
    (rule,) = example().types["info.report.identity"].receipts
    assert {target for rung in (*rule.warn, *rule.ladder) for target in rung.to} == {"debtor", "creditor"}


def test_what_clears_is_what_the_procedures_say() -> None:
    """A refused flag, an open escalation, an interim stage and an answer to another request settle nothing."""
    for type_, sender, to, rule, answer, settles in (
        ("flag.request", CHAIR, POLICE, "flag-set", ("flag.set/1", {"variant": "set"}), True),
        ("flag.request", CHAIR, POLICE, "flag-set", ("flag.set/1", {"variant": "declined"}), False),
        ("escalation.raise", GP, CHAIR, "escalation-resolved", ("escalation.resolve/1", {"variant": "yes"}), False),
        ("escalation.raise", GP, CHAIR, "escalation-resolved", ("escalation.resolve/1", {"variant": "no"}), False),
        ("escalation.raise", GP, CHAIR, "escalation-resolved", ("escalation.respond/1", {}), False),
        ("referral", GP, CHAIR, "referral-decided", ("referral.ack/1", {}), False),
        ("intel.item", GP, EXPLOITATION, "intelligence-acted-on", ("intel.action/1", {"variant": "analysed"}), False),
        ("intel.item", GP, EXPLOITATION, "intelligence-analysed", ("intel.action/1", {"variant": "no_action"}), True),
    ):
        asked = header(type=f"{type_}/1", from_=sender, to=(to,), facts={"stage": "1"})
        duty = _only(RULES.open_duties(asked, INDEX, MONDAY), rule)
        name, facts = answer
        reply = {"type": name, "facts": facts, "thread": asked.thread, "from_": to, "to": (sender,)}
        assert meets(duty, header(re=asked.id, **reply)) is settles
        assert not meets(duty, header(re=new_id(), **reply))


def test_an_escalation_is_resolved_by_whoever_raised_it() -> None:
    """Their own word that they accept it; see above for what the other side says of them."""
    raised = header(type="escalation.raise/1", from_=GP, to=(CHAIR,), facts={"stage": "1"})
    duty = _only(RULES.open_duties(raised, INDEX, MONDAY), "escalation-resolved")
    for variant in ("yes", "no"):
        word = {"type": "escalation.resolve/1", "facts": {"variant": variant}, "from_": GP, "to": (CHAIR,)}
        assert meets(duty, header(re=raised.id, thread=raised.thread, **word)) is (variant == "yes")
