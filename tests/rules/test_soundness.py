"""An agreement that can't do what it says is refused, by a code that names why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.agreement import parse_agreement
from schemas.strict_json import MalformedError, dump
from tests.rules.support import FRAME, OPEN_TYPE, agreement, example, send_rule

RECEIPT = '\n[[types.a.receipts]]\nname = "{name}"\nlevel = "filed"\nwithin = "{within}"\n'
ENDS = '\n[[types.a.ends]]\nrules = "{rules}"\n{extra}\n'
MOVES = '\n[[types.a.rehomes]]\ngiver = "{giver}"\ntaker = "{taker}"\n{extra}\n'
RECURS = """
[[recurring]]
name = "{name}"
every = "{every}"
starting = 2026-01-01
send = {{ type = "b", {send} }}
{extra}
"""
PATTERN = '\n[[patterns]]\nname = "{name}"\nat = "{at}"\nseen = [{{ kind = "k"{seen} }}]\n{extra}\n'


def recurs(
    every: str = "1 month", send: str = 'by = "role:police", to = "role:gp"', name: str = "monthly", extra: str = ""
) -> str:
    """Return a recurring rule that is sound, but for what is given."""
    return RECURS.format(name=name, every=every, send=send, extra=extra)


def pattern(at: str = "police", seen: str = "", name: str = "p", extra: str = "") -> str:
    """Return a pattern that is sound, but for what is given."""
    return PATTERN.format(name=name, at=at, seen=seen, extra=extra)


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
        # Several answers.
        ("agreement-text", send_rule("type = []")),
        ("agreement-text", send_rule('any = [{ type = "b" }]')),
        ("agreement-text", send_rule('type = []; any = [{ type = "b" }]; all = [{ type = "a" }]')),
        ("agreement-text", send_rule('type = []; any = [{ type = "b" }]; variants = "full"')),
        ("agreement-text", send_rule('type = []; any = [{ type = "b" }]; facts = { x = "y" }')),
        ("agreement-text", send_rule('type = []; any = [{ type = "b" }]; unless_owed = "answer"')),
        ("agreement-type", send_rule('type = []; any = [{ type = "b" }, { type = "z" }]')),
        (
            "agreement-never",
            NARROW.format(senders="police", recipients="*")
            + send_rule('type = []; by = "role:police"; to = "role:gp"; any = [{ type = "c", by = "creditor" }]'),
        ),
        ("agreement-rule-differs", send_rule() + send_rule('facts = { x = "y" }').replace("types.a", "types.b")),
        (
            "agreement-rule-differs",
            send_rule('type = []; any = [{ type = "b" }]')
            + send_rule('type = []; all = [{ type = "b" }]').replace("types.a", "types.b"),
        ),
        (
            "agreement-rule-differs",
            send_rule() + send_rule(extra='waived_by = "police"').replace("types.a", "types.b"),
        ),
        (
            "agreement-rule-differs",
            send_rule() + send_rule(extra='waiver_reasons = "x"').replace("types.a", "types.b"),
        ),
        (
            "agreement-rule-differs",
            RECEIPT.format(name="taken", within="1 hour")
            + RECEIPT.format(name="taken", within="1 hour").replace("types.a", "types.b")
            + 'waived_by = "police"\n',
        ),
        (
            "agreement-rule-differs",
            send_rule() + RECEIPT.format(name="answer", within="1 hour").replace("types.a", "types.b"),
        ),
        # Whom, and from when.
        ("agreement-selector", send_rule('to = "unnamed:"')),
        ("agreement-role", send_rule('to = "unnamed:nurse"')),
        ("agreement-role", send_rule('to = "unnamed:health/nurse"')),
        ("agreement-role", send_rule('to = "unnamed:nurse/health"')),
        ("agreement-date", send_rule(extra="effective_from = 2026-07-01\neffective_to = 2026-07-01")),
        ("agreement-date", send_rule(extra="effective_from = 2026-07-02\neffective_to = 2026-07-01")),
        ("agreement-text", send_rule(extra='effective_from = "soon"')),
        ("agreement-role", send_rule(extra='waived_by = "nurse"')),
        # What rules say of each other.
        ("agreement-rule-unknown", send_rule(extra='when = { owed = "nothing" }')),
        ("agreement-rule-unknown", send_rule(extra='when = { not_owed = "nothing" }')),
        ("agreement-rule-unknown", send_rule(extra='when = { settles = "nothing" }')),
        ("agreement-rule-unknown", send_rule('unless_owed = "nothing"')),
        ("agreement-rule-unknown", RECEIPT.format(name="r", within="1 hour") + 'when = { owed = "nothing" }\n'),
        ("agreement-rule-unknown", ENDS.format(rules="nothing", extra="")),
        ("agreement-rule-unknown", send_rule() + ENDS.format(rules="answer", extra='when = { owed = "nothing" }')),
        ("agreement-rule-unknown", MOVES.format(giver="sender", taker="recipients", extra='rules = "nothing"')),
        (
            "agreement-rule-unknown",
            MOVES.format(giver="sender", taker="recipients", extra='when = { not_owed = "nothing" }'),
        ),
        ("agreement-rule-unknown", recurs(send='by = "role:police", to = "role:gp", unless_owed = "nothing"')),
        ("agreement-rule-unknown", recurs() + ENDS.format(rules="monthly", extra="")),
        ("agreement-rule-unknown", pattern(extra='when = { owed = "nothing" }')),
        ("agreement-gate", send_rule('unless_owed = "answer"')),
        ("agreement-gate", send_rule('type = []; any = [{ type = "b" }, { type = "a", unless_owed = "answer" }]')),
        ("agreement-role", send_rule() + ENDS.format(rules="answer", extra='when = { sender = "nurse" }')),
        ("agreement-role", MOVES.format(giver="sender", taker="role:nurse", extra="")),
        ("agreement-selector", MOVES.format(giver="everyone", taker="sender", extra="")),
        ("agreement-role", MOVES.format(giver="sender", taker="recipients", extra='when = { sender = "nurse" }')),
        ("agreement-selector", MOVES.format(giver="creditor", taker="sender", extra="")),
        ("agreement-selector", MOVES.format(giver="creditor", taker="sender", extra="when = { urgent = true }")),
        (
            "agreement-selector",
            send_rule() + MOVES.format(giver="sender", taker="creditor", extra='when = { settles = "answer" }'),
        ),
        # What recurs.
        ("agreement-rule-twice", recurs() + recurs()),
        ("agreement-rule-twice", recurs(name="answer") + send_rule()),
        ("agreement-rule-twice", recurs(name="r") + RECEIPT.format(name="r", within="1 hour")),
        ("agreement-clock", recurs("72 hours")),
        ("agreement-clock", recurs("5 working days")),
        ("agreement-clock", recurs("0 weeks")),
        ("agreement-clock", recurs("600 weeks")),
        ("agreement-clock", recurs(send='by = "role:police", to = "role:gp", within = "item due"')),
        ("agreement-clock", recurs(send='by = "role:police", to = "role:gp", within = "moment:x"')),
        ("agreement-clock", recurs(extra='warn = ["0 hours before"]')),
        ("agreement-target", recurs(extra='tell = "everybody"')),
        ("agreement-role", recurs(extra='waived_by = "nurse"')),
        ("agreement-calendar", recurs(extra='calendar = "court"')),
        ("agreement-selector", recurs(send='by = "sender", to = "role:gp"')),
        ("agreement-selector", recurs(send='by = "role:police", to = "unnamed:gp"')),
        ("agreement-role", recurs(send='by = "role:police", to = "role:nurse"')),
        ("agreement-type", recurs().replace('"b"', '"z"')),
        (
            "agreement-never",
            NARROW.format(senders="gp", recipients="*") + recurs().replace('type = "b"', 'type = "c"'),
        ),
        ("agreement-text", recurs().replace('type = "b",', 'all = [{ type = "b" }],')),
        ("agreement-text", recurs().replace("2026-01-01", '"soon"')),
        # What registers watch for.
        ("agreement-rule-twice", pattern() + pattern()),
        ("agreement-role", pattern(at="nurse")),
        ("agreement-role", pattern(extra='when = { sender = "nurse" }')),
        ("agreement-type", pattern(extra='on = "z"')),
        ("agreement-type", pattern(extra='send = "z"\nto = "role:police"')),
        ("agreement-target", pattern(extra='send = "a"')),
        ("agreement-target", pattern(extra='to = "role:police"')),
        ("agreement-role", pattern(extra='send = "a"\nto = "role:nurse"')),
        ("agreement-clock", pattern(seen=', within = "item due"')),
        ("agreement-clock", pattern(extra='unless = [{ kind = "k", within = "moment:x" }]')),
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
        send_rule('type = []; any = [{ type = "a", by = "creditor" }, { type = "b" }]'),
        send_rule(extra="effective_from = 2026-07-01\neffective_to = 2026-07-02"),
        send_rule(extra='waived_by = "police"\nwaiver_reasons = "x"'),
        send_rule('to = "unnamed:health/school_nursing"'),
        RECEIPT.format(name="r", within="1 hour")
        + send_rule('unless_owed = "r"', 'when = { owed = "r", not_owed = "answer", settles = "r" }')
        + ENDS.format(rules="r", extra="about = true")
        + MOVES.format(giver="each-party", taker="unnamed:gp", extra='rules = ["answer", "r"]'),
        send_rule() + recurs(send='by = "role:police", to = "mailbox:millfield/lead", unless_owed = "answer"'),
        recurs() + recurs(name="other", extra='calendar = "school"'),
        pattern(seen=', within = "90 days"', extra='on = "a"\nsend = "a"\nto = "sender"\nunless = [{ kind = "k" }]'),
        pattern() + pattern(name="q"),
        send_rule() + MOVES.format(giver="creditor", taker="sender", extra='when = { settles = "answer" }'),
    ],
)
def test_a_rule_that_may_work_is_let_be(rules: str) -> None:
    """Where only the directory could tell, and wherever a limit has a meaning, the rule stands."""
    assert agreement(rules).version == 7


PER = 'per = "envelope"; '
RENEWS = 'by = "sender"; to = "recipients"; '


@pytest.mark.parametrize(
    "rules",
    [
        # Each answer asks for the next one, of the same type or round through others.
        send_rule(f'{PER}type = "a"'),
        send_rule(f'{PER}type = "a"; within = "5 working days"'),
        send_rule(f'{PER}{RENEWS}type = "a"; within = "23 hours"'),
        send_rule(f'{PER}{RENEWS}type = "a"; within = "same working day"'),
        send_rule(PER) + send_rule(f'{PER}type = "a"', name="back").replace("types.a", "types.b"),
        send_rule('per = "re"; type = "a"'),
        send_rule(f'{PER}type = ["a", "b"]') + send_rule(f'{PER}type = "a"', name="back").replace("types.a", "types.b"),
        send_rule(f'{PER}type = "a"', 'when = { band = "high" }').replace(
            'type = "a"', 'type = "a", facts = { band = "high" }'
        ),
        send_rule(f'{PER}type = []; any = [{{ type = "a" }}, {{ type = "a", facts = {{ band = "high" }} }}]'),
        # Of all that are needed, one is enough to begin it again.
        send_rule(f'{PER}type = []; all = [{{ type = "b" }}, {{ type = "a" }}]'),
        # Two ways round, of which one is slow and the other isn't.
        send_rule(f'{PER}{RENEWS}type = "a"; within = "5 working days"') + send_rule(f'{PER}type = "a"', name="fast"),
    ],
)
def test_a_duty_that_never_ends_is_refused(rules: str) -> None:
    """Met only by what opens the next one at once, round and round, it would cry for ever."""
    assert refusal(rules) == "agreement-loop"


@pytest.mark.parametrize(
    "rules",
    [
        # A rhythm: whoever sends renews their own duty after a day or more.
        send_rule(f'{PER}{RENEWS}type = "a"; within = "24 hours"'),
        send_rule(f'{PER}{RENEWS}type = "a"; within = "1 working day"'),
        send_rule(f'{PER}{RENEWS}type = "a"; within = "5 weeks"'),
        # One duty for the whole thread is met once.
        send_rule('type = "a"'),
        # Some answer ends it.
        send_rule(f'{PER}type = ["a", "b"]'),
        send_rule(f'{PER}type = []; any = [{{ type = "a" }}, {{ type = "b" }}]'),
        NARROW.format(senders="*", recipients="*")
        + send_rule(PER)
        + send_rule(f'{PER}type = ["a", "c"]', name="back").replace("types.a", "types.b"),
        # The next one is asked for in some cases only.
        send_rule(f'{PER}type = "a"', 'when = { band = "high" }'),
        send_rule(f'{PER}type = "a"', "when = { urgent = true }"),
        send_rule(f'{PER}type = "a"', 'when = { sender = "police" }'),
        send_rule(f'{PER}type = "a"', 'when = { owed = "answer" }'),
        send_rule(f'{PER}type = "a"', 'when = { not_owed = "answer" }'),
        send_rule(f'{PER}type = "a"', 'when = { settles = "answer" }'),
        send_rule(f'{PER}type = []; all = [{{ type = "b" }}, {{ type = ["a", "b"] }}]'),
    ],
)
def test_what_can_end_is_no_loop(rules: str) -> None:
    """A rhythm, a way out, or a condition on the next one."""
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


def test_a_recurring_rule_is_kept_under_its_own_thread_from_a_day_that_exists() -> None:
    """What the text can't say wrongly, signed bytes could: another thread, no such day, no such calendar."""
    for change, code in (
        ({"thread": "AAAAAAAAcACAAAAAAAAAAA"}, "agreement-rule-twice"),
        ({"starting": "2026-02-30"}, "agreement-date"),
        ({"calendar": "court"}, "agreement-calendar"),
        ({"period": {"kind": "days", "amount": 1}}, "agreement-clock"),
    ):
        signed = _plain(agreement(recurs()))
        signed["recurring"][0].update(change)
        with pytest.raises(MalformedError) as caught:
            parse_agreement(dump(signed))
        assert caught.value.code == code


def _plain(value: Any) -> Any:
    return json.loads(dump(value))


def _altered(change: dict[str, Any]) -> bytes:
    signed = _plain(agreement())
    signed["calendars"]["office"].update(change)
    return dump(signed)
