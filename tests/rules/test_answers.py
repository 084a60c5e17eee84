"""What meets a duty that awaits one of several, all of several, an answer from its creditor, or one behind a gate."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from schemas.rules.compiled import Rules
from schemas.rules.planning import Owed, plan_envelope
from tests.rules.story import Story
from tests.rules.support import CHAIR, ENDED, HEALTH, POLICE, agreement, directory, header, item, ms, send_rule

TYPES = ("a", "b", "c", "d")
ASK = 'type = []; by = "recipients"; to = "sender"; '


def story(*rules: str) -> Story:
    """Return an empty thread under an agreement of *rules*."""
    return Story(Rules(agreement("".join(rules), types=TYPES)))


def awaits(how: str, name: str = "answer") -> str:
    """Return a rule of type ``a`` by which recipients owe the sender what *how* says."""
    return send_rule(ASK + how, name=name)


ANY = awaits('any = [{ type = ["b", "c"], facts = { band = "high" } }, { type = "d", by = "creditor" }]')
ALL = awaits('all = [{ type = "b", variants = "full" }, { type = "c" }, { type = "d", by = "creditor" }]')


@pytest.mark.parametrize(
    ("kind", "sender", "to", "facts", "state"),
    [
        ("b", HEALTH, CHAIR, {"band": "high"}, "met"),
        ("c", HEALTH, CHAIR, {"band": "high"}, "met"),
        ("d", CHAIR, HEALTH, {}, "met"),
        ("b", HEALTH, CHAIR, {"band": "low"}, "open"),
        ("b", HEALTH, CHAIR, {}, "open"),
        ("b", CHAIR, HEALTH, {"band": "high"}, "open"),
        ("d", HEALTH, CHAIR, {}, "open"),
        ("d", CHAIR, POLICE, {}, "open"),
        ("d", POLICE, HEALTH, {}, "open"),
    ],
)
def test_any_of_several_answers_meets_it(kind: str, sender: str, to: str, facts: dict[str, str], state: str) -> None:
    """Each answer has its own types, facts and sender, and none borrows another's."""
    told = story(ANY)
    told.send("a")
    told.send(kind, sender, to, facts=facts)
    assert told.state("answer") == state


PARTS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "b": ("b", HEALTH, CHAIR, {"variant": "full"}),
    "c": ("c", HEALTH, CHAIR, {}),
    "d": ("d", CHAIR, HEALTH, {}),
}


@pytest.mark.parametrize("order", list(itertools.permutations("bcd")))
def test_all_of_several_answers_meet_it_in_any_order(order: tuple[str, ...]) -> None:
    """The last of them does, whichever that is; the same one twice is still one."""
    told = story(ALL)
    told.send("a")
    for name in order[:-1]:
        for _ in range(2):
            kind, sender, to, facts = PARTS[name]
            told.send(kind, sender, to, facts=facts)
            assert told.state("answer") == "open"
    kind, sender, to, facts = PARTS[order[-1]]
    last = told.send(kind, sender, to, facts=facts)
    (row,) = told.rows.values()
    assert (row.state, row.settled_by) == ("met", last.id)


def test_all_of_several_may_come_before_it_is_owed() -> None:
    """Then the last of them speaks for it; where one is lacking, it is open until that comes."""
    told = story(ALL)
    for kind, sender, to, facts in (PARTS["d"], PARTS["b"]):
        told.send(kind, sender, to, facts=facts)
    told.send("a")
    assert told.state("answer") == "open"
    kind, sender, to, facts = PARTS["c"]
    told.send(kind, sender, to, facts=facts)
    assert told.state("answer") == "met"
    again = story(ALL)
    for kind, sender, to, facts in PARTS.values():
        last = again.send(kind, sender, to, facts=facts)
    again.send("a")
    (row,) = again.rows.values()
    assert (row.state, row.settled_by) == ("met", last.id)


@pytest.mark.parametrize("gone", "bcd")
def test_all_of_several_are_not_met_once_one_of_them_is_taken_back(gone: str) -> None:
    """Whichever it was; and where the same had been sent twice, the other still stands."""
    told = story(ALL)
    told.send("a")
    sent = {name: told.send(kind, sender, to, facts=facts) for name, (kind, sender, to, facts) in PARTS.items()}
    assert told.state("answer") == "met"
    told.withdraw(sent[gone])
    assert told.state("answer") == "open"
    kind, sender, to, facts = PARTS[gone]
    first, second = (told.send(kind, sender, to, facts=facts) for _ in range(2))
    assert told.state("answer") == "met"
    told.withdraw(second)
    assert told.state("answer") == "met"
    told.withdraw(first)
    assert told.state("answer") == "open"


def test_what_is_no_part_of_it_is_taken_back_without_consequence() -> None:
    """An envelope of the thread that answers nothing leaves what several others met."""
    told = story(ALL)
    told.send("a")
    other = told.send("b", HEALTH, CHAIR, facts={"variant": "redacted"})
    for kind, sender, to, facts in PARTS.values():
        told.send(kind, sender, to, facts=facts)
    told.withdraw(other)
    assert told.state("answer") == "met"


GATE = (
    awaits('type = "b"', "held")
    + awaits('type = "c"; unless_owed = "held"', "gated")
    + awaits('any = [{ type = "d", unless_owed = ["gated", "held"] }]', "last")
)


def test_an_answer_behind_a_gate_counts_only_once_the_gate_is_open() -> None:
    """What comes too early meets nothing, and must come again."""
    told = story(GATE)
    told.send("a")
    told.send("c", HEALTH, CHAIR)
    assert told.state("gated") == "open"
    told.send("b", HEALTH, CHAIR)
    assert [told.state(name) for name in ("held", "gated")] == ["met", "open"]
    told.send("c", HEALTH, CHAIR)
    assert told.state("gated") == "met"
    told.send("d", HEALTH, CHAIR)
    assert told.state("last") == "met"


def test_a_gate_is_held_by_any_duty_of_its_rules_in_the_thread() -> None:
    """Whoever owes it: that police have not answered yet keeps health waiting."""
    told = story(GATE)
    told.send("a", CHAIR, HEALTH, POLICE)
    told.send("b", HEALTH, CHAIR)
    told.send("c", HEALTH, CHAIR)
    assert told.states()["gated", HEALTH, CHAIR] == "open"
    told.send("b", POLICE, CHAIR)
    told.send("c", HEALTH, CHAIR)
    assert told.states()["gated", HEALTH, CHAIR] == "met"


CHAIN = tuple(
    awaits(f'type = "b"; unless_owed = [{", ".join(chr(34) + one + chr(34) for one in held)}]', name)
    for name, held in (("one", ()), ("two", ("one",)), ("three", ("two", "one")), ("four", ("three",)))
)


@pytest.mark.parametrize("order", list(itertools.permutations(CHAIN)))
def test_one_message_opens_every_gate_behind_which_it_counts(order: tuple[str, ...]) -> None:
    """What it settles itself holds no gate, in whatever order the duties are stored."""
    told = story(*order)
    told.send("a")
    told.send("b", HEALTH, CHAIR)
    assert set(told.states().values()) == {"met"}


@pytest.mark.parametrize("order", list(itertools.permutations(("held", "question", "closed"))))
def test_what_a_message_replaces_holds_no_gate_in_whatever_order_duties_are_stored(order: tuple[str, ...]) -> None:
    """The chair asks anew, which also closes: the old question ends, and what was behind it or what it met counts."""
    rules = {
        "held": awaits('any = [{ type = "a", by = "creditor" }, { type = "b" }]', "held"),
        "question": awaits('type = "b"; per = "envelope"', "question"),
        "closed": awaits(
            'any = [{ type = "a", by = "creditor", unless_owed = ["held", "question"] }, { type = "c" }]; per = "envelope"',
            "closed",
        ),
    }
    told = story(*rules.values())
    first = told.send("a")
    rows = sorted(told.rows.items(), key=lambda pair: order.index(pair[0].rule))
    told.rows = dict(rows)
    told.send("a", supersedes=first.id)
    ended = {(row.duty.rule, row.state) for row in told.rows.values() if row.duty.item in ("", first.id)}
    assert ended == {("held", "met"), ("question", "superseded"), ("closed", "met")}


def test_the_thread_is_read_once_however_many_duties_need_it() -> None:
    """Each reading costs the hub every header of the thread."""
    told = story(ALL)
    told.send("a", CHAIR, HEALTH, POLICE, "millfield/lead")
    owed = [Owed(str(parts), row.duty) for parts, row in told.rows.items()]
    reads: list[int] = []
    sent = header(type="d/1", from_=CHAIR, to=(HEALTH, POLICE, "millfield/lead"), thread=told.thread, facts={})
    plan_envelope(sent, told.rules, told.index, owed, lambda: reads.append(1) or [], told.now)
    assert (len(owed), len(reads)) == (3, 1)


def test_what_was_sent_behind_a_gate_before_it_was_owed_does_not_count() -> None:
    """Whether the gate was shut then isn't known any more."""
    told = story(GATE)
    for kind in ("b", "c"):
        told.send(kind, HEALTH, CHAIR)
    told.send("a")
    assert [told.state(name) for name in ("held", "gated")] == ["met", "open"]


WHEN = """
[[types.c.opens]]
name = "next"
when = {{ {when} }}
send = {{ type = "d", by = "sender", to = "recipients", within = "1 hour", per = "envelope" }}
"""


@pytest.mark.parametrize(
    ("when", "before", "opens"),
    [
        ('owed = "answer"', (), False),
        ('owed = "answer"', ("a",), True),
        ('owed = ["answer", "other"]', ("a",), True),
        ('owed = "answer"', ("a", "b"), False),
        ('not_owed = "answer"', (), True),
        ('not_owed = ["answer", "other"]', ("a",), False),
        ('not_owed = "answer"', ("a", "b"), True),
        ('settles = "other"', (), False),
        ('settles = "other"', ("a",), True),
        ('settles = ["answer", "other"]', ("a",), True),
        ('settles = "answer"', ("a",), False),
        # What the envelope settles itself is owed no more.
        ('owed = "other"', ("a",), False),
        ('not_owed = "other"', ("a",), True),
        ('owed = "answer", settles = "other"', ("a",), True),
        ('not_owed = "answer", settles = "other"', ("a",), False),
    ],
)
def test_a_rule_may_ask_what_is_owed_in_the_thread(when: str, before: tuple[str, ...], opens: bool) -> None:
    """Which duties are open once the envelope has settled what it settles, and which it settles."""
    told = story(awaits('type = "b"'), awaits('type = "c"', "other"), WHEN.format(when=when))
    for kind in before:
        told.send(kind, *((HEALTH, CHAIR) if kind == "b" else ()))
    told.send("c", HEALTH, CHAIR)
    assert (("next", HEALTH, CHAIR) in told.states()) is opens


ENDS = '\n[[types.c.ends]]\nrules = ["answer", "taken"]\n{extra}\n'
TAKEN = '\n[[types.a.receipts]]\nname = "taken"\nlevel = "filed"\nwithin = "1 working day"\n'


@pytest.mark.parametrize(
    ("sender", "ended"),
    [
        (CHAIR, {HEALTH, POLICE}),
        ("sampleton/area-team", {HEALTH, POLICE}),
        (HEALTH, {HEALTH}),
        ("millfield/lead", set()),
    ],
)
def test_a_duty_is_ended_by_a_party_to_it_alone(sender: str, ended: set[str]) -> None:
    """By any team of the debtor or the creditor, to whomever it goes; nobody ends what others owe each other."""
    told = story(awaits('type = "b"'), awaits('type = "b"', "kept"), TAKEN, ENDS.format(extra=""))
    told.send("a", CHAIR, HEALTH, POLICE)
    told.send("c", sender, "exampleshire/business-unit")
    for (rule, debtor, _), state in told.states().items():
        assert state == ("superseded" if debtor in ended and rule != "kept" else "open"), (rule, debtor)


def test_a_successor_ends_what_its_predecessor_owed() -> None:
    """Once that has ended; before then, it is a stranger."""
    for now, state in ((1, "superseded"), (0, "open")):
        told = story(awaits('type = "b"'), ENDS.format(extra=""), TAKEN)
        told.index, told.now = directory(heir="northmere"), now
        told.send("a", CHAIR, ENDED)
        told.send("c", HEALTH, CHAIR)
        assert told.state("answer") == state


@pytest.mark.parametrize(("band", "state"), [("high", "superseded"), ("low", "open")])
def test_an_ending_has_its_own_condition(band: str, state: str) -> None:
    """It ends something only when it applies."""
    told = story(awaits('type = "b"'), TAKEN, ENDS.format(extra='when = { band = "high", owed = "answer" }'))
    told.send("a")
    told.send("c", facts={"band": band})
    assert told.state("answer") == state


def test_an_ending_may_be_about_what_it_names_only() -> None:
    """An item or envelope that it answers, replaces or names; the rest stays owed."""
    told = story(awaits('type = "b"; per = "envelope"'), TAKEN, ENDS.format(extra="about = true"))
    first, second, third = told.send("a"), told.send("a"), told.send("a")
    told.send("c", re=first.id)
    told.send("c", supersedes=second.id)
    told.send("c")
    ended = {row.duty.item for row in told.rows.values() if row.state == "superseded"}
    assert ended == {first.id, second.id}
    assert {row.duty.item for row in told.rows.values() if row.state == "open"} == {third.id}


def test_what_was_ended_may_begin_anew() -> None:
    """Ended by mistake or cancelled, and then agreed again: the same duty with a new clock; what was met stays met."""
    told = story(awaits('type = "b"'), awaits('type = "d"', "kept"), TAKEN, ENDS.format(extra=""))
    told.send("a")
    told.send("d", HEALTH, CHAIR)
    (before,) = (row.duty for row in told.rows.values() if row.duty.rule == "answer")
    told.send("c")
    assert told.state("answer") == "superseded"
    told.now = ms("2026-07-20 12:00")
    told.send("a")
    (after,) = (row.duty for row in told.rows.values() if row.duty.rule == "answer")
    assert after.parts == before.parts
    assert after.due > before.due
    assert (told.state("answer"), told.state("kept")) == ("open", "met")


@pytest.mark.parametrize(
    ("parties", "owed_to"),
    [
        ((HEALTH,), set()),
        ((POLICE,), {"northmere/school-nursing"}),
        ((POLICE, "millfield/lead"), set()),
        ((), {"northmere/school-nursing"}),
    ],
)
def test_whoever_should_be_named_and_is_not_is_meant(parties: tuple[str, ...], owed_to: set[str]) -> None:
    """A meeting without health owes its record to health's post; any health mailbox that is named is health."""
    told = story(send_rule('by = "sender"; to = "unnamed:health/school_nursing"'))
    told.send("a", CHAIR, POLICE, parties=parties)
    assert {creditor for _, _, creditor in told.states()} == owed_to


@pytest.mark.parametrize(
    ("sender", "to", "meant"),
    [(CHAIR, (POLICE,), True), (HEALTH, (POLICE,), False), (CHAIR, ("millfield/lead",), False)],
)
def test_sender_and_recipients_are_named_too(sender: str, to: tuple[str, ...], meant: bool) -> None:
    """Whoever sends or receives it was there; without a post the role itself is meant, each mailbox of it."""
    told = story(send_rule('by = "sender"; to = "unnamed:health"'))
    told.send("a", sender, *to)
    found = {creditor for _, _, creditor in told.states()}
    assert found == ({HEALTH, "northmere/school-nursing", "millfield/lead"} if meant else set())


EFFECTIVE = "effective_from = 2026-07-06\neffective_to = 2026-07-08\n"


@pytest.mark.parametrize(
    ("at", "applies"),
    [
        (ms("2026-07-06 00:00") - 1, False),
        (ms("2026-07-06 00:00"), True),
        (ms("2026-07-08 00:00") - 1, True),
        (ms("2026-07-08 00:00"), False),
    ],
)
def test_a_rule_is_effective_from_its_first_moment_until_its_last(at: int, applies: bool) -> None:
    """By when it happened, not when it was sent; from local midnight of the one date until that of the other."""
    receipts = TAKEN + EFFECTIVE
    for rule in (send_rule(extra=EFFECTIVE), receipts):
        told = story(rule)
        told.send("a", at=at)
        assert bool(told.rows) is applies


@pytest.mark.parametrize(("dates", "always"), [("effective_from = 2026-07-06", ms), ("effective_to = 2026-07-08", ms)])
def test_one_date_alone_leaves_the_other_side_open(dates: str, always: Any) -> None:
    """Without an end a rule goes on; without a beginning it always was."""
    for at in ("1999-01-01 00:00", "2026-07-07 00:00", "2099-01-01 00:00"):
        told = story(send_rule(extra=dates))
        told.send("a", at=max(0, always(at)))
        expected = at[:4] == "2026" or (at[:4] == "2099") == ("from" in dates)
        assert bool(told.rows) is expected


def test_an_item_is_met_by_either_party() -> None:
    """`by = "creditor"` works for items too: whoever set the action says that it is not needed."""
    told = story(
        send_rule(
            'type = []; by = "item-owner"; to = "sender"; within = "item due"; '
            'any = [{ type = "b" }, { type = "c", by = "creditor" }]'
        )
    )
    one, two = item(HEALTH, told.now), item(HEALTH, told.now)
    told.send("a", items=(one, two))
    told.send("c", CHAIR, HEALTH, items=(one,))
    assert {row.duty.item: row.state for row in told.rows.values()} == {one.ref: "met", two.ref: "open"}
