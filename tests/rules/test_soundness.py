"""An agreement that can't do what it says is refused, by a code that names why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.agreement import parse_agreement
from schemas.strict_json import MalformedError, dump
from tests.rules.support import FRAME, OPEN_TYPE, agreement, example, send_rule

RECEIPT = '\n[[types.a.receipts]]\nname = "{name}"\nlevel = "filed"\nwithin = "{within}"\n'
NARROW = '[types.c]\nsenders = "{senders}"\nrecipients = "{recipients}"\nbasis_classes = "care"\nretention = "case"\n'


def refusal(rules: str = "", frame: str = FRAME) -> str:
    with pytest.raises(MalformedError) as caught:
        agreement(rules, frame)
    assert caught.value.message
    assert caught.value.hint
    return caught.value.code


def test_the_shipped_agreement_is_sound_and_survives_the_wire() -> None:
    """What is compiled is what is parsed from its signed bytes."""
    assert parse_agreement(dump(example())) == example()


@pytest.mark.parametrize(
    ("code", "rules"),
    [
        ("agreement-selector", send_rule('by = "chair"')),
        ("agreement-selector", send_rule('to = ["sender", "everyone"]')),
        ("agreement-selector", send_rule('by = "role"')),
        ("agreement-selector", send_rule('by = "role:"')),
        ("agreement-selector", send_rule('by = "mailbox:somewhere"')),
        ("agreement-selector", send_rule('by = "sender:police"')),
        ("agreement-role", send_rule('by = "role:polcie"')),
        ("agreement-role", send_rule('to = "party:nurse"')),
        ("agreement-role", send_rule(extra='when = { sender = "nurse" }')),
        ("agreement-role", NARROW.format(senders="nurse", recipients="*")),
        ("agreement-type", send_rule('type = ["b", "z"]')),
        ("agreement-never", NARROW.format(senders="police", recipients="*") + send_rule('type = "c"; by = "role:gp"')),
        (
            "agreement-never",
            NARROW.format(senders="police", recipients="gp") + send_rule('type = "c"; to = "party:health"'),
        ),
        (
            "agreement-never",
            NARROW.format(senders="gp", recipients="police")
            + '[[types.c.opens]]\nname = "x"\n'
            + 'send = { type = "c", by = "recipients", to = "each-party", within = "1 hour" }\n',
        ),
        (
            "agreement-never",
            NARROW.format(senders="constabulary/exploitation", recipients="*")
            + send_rule('type = "c"; by = "mailbox:constabulary/public-protection"'),
        ),
        ("agreement-rule-twice", send_rule() + send_rule()),
        ("agreement-rule-twice", send_rule() + RECEIPT.format(name="answer", within="1 hour")),
        ("agreement-rule-differs", send_rule() + send_rule('type = "a"').replace("types.a", "types.b")),
        ("agreement-rule-differs", send_rule() + send_rule('variants = "full"').replace("types.a", "types.b")),
        ("agreement-rule-differs", send_rule() + send_rule('per = "re"').replace("types.a", "types.b")),
        ("agreement-target", send_rule(extra='tell = ["everybody"]')),
        ("agreement-target", send_rule(extra='ladder = [{ after = "0 hours", to = "debtor/owner" }]')),
        ("agreement-target", send_rule(extra='ladder = [{ after = "0 hours", to = "mailbox:nowhere" }]')),
        ("agreement-target", send_rule(extra='ladder = [{ after = "0 hours", to = "role:judge" }]')),
        ("agreement-target", send_rule(extra='warn = [{ before = "1 hour", to = "partnership" }]')),
        ("agreement-lapse", send_rule(extra='lapses = true\nladder = [{ after = "0 hours", to = "debtor" }]')),
        ("agreement-clock", send_rule('since = "then"')),
        ("agreement-clock", send_rule('since = "moment"')),
        ("agreement-clock", send_rule('since = "moment:"')),
        ("agreement-clock", send_rule('since = "at:now"')),
        ("agreement-clock", send_rule('otherwise = "1 hour"')),
        ("agreement-clock", send_rule('within = "moment:x"; otherwise = "moment:y"')),
        ("agreement-clock", send_rule('within = "9999 working days"')),
        ("agreement-clock", send_rule(extra='warn = ["0 hours before"]')),
        ("agreement-clock", send_rule(extra='warn = ["2 months before"]')),
        ("agreement-clock", send_rule(extra='ladder = [{ after = "item due", to = "debtor" }]')),
        ("agreement-clock", RECEIPT.format(name="r", within="item due")),
        ("agreement-calendar", send_rule('within = "2 court days"')),
        ("agreement-calendar", send_rule(extra='calendar = "court"')),
        ("agreement-retention", (OPEN_TYPE.format(name="c")).replace('"case"', '"long"')),
    ],
)
def test_a_rule_that_cannot_work_is_refused(code: str, rules: str) -> None:
    """Unknown names, duties that nobody can meet, and limits that mean nothing are found before anybody signs."""
    assert refusal(rules) == code


@pytest.mark.parametrize(
    "rules",
    [
        NARROW.format(senders="police", recipients="gp") + send_rule('type = "c"; by = "role:police"; to = "role:gp"'),
        NARROW.format(senders="constabulary/exploitation", recipients="*")
        + send_rule('type = "c"; by = "role:police"'),
        NARROW.format(senders="police", recipients="*")
        + send_rule('type = "c"; by = "mailbox:constabulary/exploitation"'),
        NARROW.format(senders="police", recipients="*") + send_rule('type = "c"; by = "each-party"'),
        send_rule() + send_rule().replace("types.a", "types.b"),
        send_rule('within = "moment:x"; since = "moment:y"; otherwise = "1 hour"'),
        send_rule(extra='tell = ["mailbox:constabulary/exploitation", "creditor/deputy"]'),
        RECEIPT.format(name="r", within="moment:starts"),
    ],
)
def test_a_rule_that_may_work_is_let_be(rules: str) -> None:
    """Where only the directory could tell, and wherever a limit has a meaning, the rule stands."""
    assert agreement(rules).version == 7


def test_working_days_without_a_calendar_are_refused() -> None:
    """An agreement that names no calendar of its own can't count working days."""
    assert refusal(send_rule(), FRAME.replace('calendar = "office"\n', "")) == "agreement-clock"


def test_waivers_by_an_unknown_role_are_refused() -> None:
    """A misspelt role is found before anybody relies on it."""
    assert refusal(frame=f'waived_by = ["nobody"]\n{FRAME}') == "agreement-role"


def test_retention_that_deletes_before_it_may_is_refused() -> None:
    """`max_days` is never below the days after clearing."""
    assert refusal(frame=FRAME.replace("max_days = 400", "max_days = 20")) == "agreement-retention"


@pytest.mark.parametrize(
    "change",
    [
        {"first": "2026-02-30"},
        {"closed": ["2026-05-04", "2026-04-06"]},
        {"closed": ["2026-05-04", "2026-05-04"]},
        {"closed": ["2017-12-25"]},
        {"closed": ["2046-12-25"]},
        {"first": "2046-01-01"},
        {"offsets": [[10, 0], [5, 3_600_000]]},
        {"day_starts": 1_020},
    ],
)
def test_a_calendar_out_of_order_is_refused(change: dict[str, Any]) -> None:
    """Dates that don't exist, aren't in order or lie outside the calendar, and a day that ends before it starts."""
    with pytest.raises(MalformedError) as caught:
        parse_agreement(_altered(change))
    assert caught.value.code == "agreement-date"


def test_a_calendar_on_which_no_day_is_open_is_refused() -> None:
    """Seven days of weekend would make a working day never come."""
    with pytest.raises(MalformedError) as caught:
        parse_agreement(_altered({"weekend": [1, 2, 3, 4, 5, 6, 7]}))
    assert caught.value.code == "json-shape"


def test_a_moment_clock_without_its_code_is_refused() -> None:
    """What the text can't say, signed bytes can't either: a moment without a name, time with a calendar."""
    for within in (
        {"kind": "moment"},
        {"kind": "elapsed", "amount": 1, "calendar": "office"},
        {"kind": "elapsed", "code": "x"},
    ):
        signed = _plain(agreement(send_rule()))
        signed["types"]["a"]["opens"][0]["within"] = within
        with pytest.raises(MalformedError) as caught:
            parse_agreement(dump(signed))
        assert caught.value.code == "agreement-clock"


def _plain(value: Any) -> Any:
    return json.loads(dump(value))


def _altered(change: dict[str, Any]) -> bytes:
    signed = _plain(agreement())
    signed["calendars"]["office"].update(change)
    return dump(signed)
