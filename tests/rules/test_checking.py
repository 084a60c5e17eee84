"""What a sound agreement still can't do is found before anybody waits for it."""

from __future__ import annotations

import pytest

from schemas.catalogue import Catalogue
from schemas.directory import DirectoryIndex
from schemas.rules.checking import FINDINGS, Shape, check_agreement, find_shapes
from schemas.rules.places import parse_places
from schemas.strict_json import MalformedError
from tests.rules.support import EXAMPLE, FRAME, agreement, directory, example, ms, send_rule

NOW = ms("2026-07-06 10:00")
PLAIN = Shape(facts={}, moments=frozenset(), urgent=False, parties=False, items=False)
RICH = Shape(
    facts={"variant": frozenset({"full", "note"}), "meeting": frozenset({"strategy"})},
    moments=frozenset({"needed_by"}),
    urgent=True,
    parties=True,
    items=True,
)
RECEIPT = '\n[[types.a.receipts]]\nname = "taken"\nlevel = "filed"\nwithin = "{within}"\n{extra}\n'
ASKING = """
[types.a]
senders = ["police"]
recipients = ["gp"]
basis_classes = "safeguarding"
retention = "case"
"""


def _found(
    rules: str, a: Shape = PLAIN, b: Shape = PLAIN, index: DirectoryIndex | None = None, now: int = NOW
) -> list[tuple[str, str]]:
    found = check_agreement(agreement(rules), {"a": a, "b": b}, index, now)
    return [(one.code, one.where) for one in found if one.code not in {"asked-as-everyone", "role-unfilled"}]


def test_a_rule_that_everybody_can_meet_is_fine() -> None:
    """Nothing is found where nothing is wrong, with or without a directory."""
    rule = send_rule('by = "role:gp"') + RECEIPT.format(within="1 working day", extra="")
    assert _found(rule) == []
    assert _found(rule, index=directory()) == []


@pytest.mark.parametrize(
    ("rule", "a", "code"),
    [
        (send_rule('variants = ["full"]'), PLAIN, "never-settled"),
        (send_rule('by = "item-owner"'), RICH, "never-settled"),
        (send_rule(extra='when = { meeting = "strategy" }'), PLAIN, "never-opened"),
        (send_rule(extra='when = { meeting = "coffee" }'), RICH, "never-opened"),
        (send_rule(extra="when = { urgent = true }"), PLAIN, "never-opened"),
        (send_rule('by = "each-party"'), PLAIN, "never-opened"),
        (send_rule('by = "sender"; to = ["party:gp", "each-party"]'), PLAIN, "never-opened"),
        (send_rule('by = "sender"; to = "sender"'), PLAIN, "never-opened"),
        (send_rule('within = "moment:needed_by"'), PLAIN, "moment-never-named"),
        (send_rule('since = "moment:needed_by"'), PLAIN, "moment-never-named"),
        (RECEIPT.format(within="moment:needed_by", extra=""), PLAIN, "moment-never-named"),
        (RECEIPT.format(within="5 minutes", extra="when = { urgent = true }"), PLAIN, "never-opened"),
        # Of several answers one that can't come is one too many, whichever party it is asked of.
        (send_rule('type = []; any = [{ type = "b" }, { type = "b", variants = "full" }]'), PLAIN, "never-settled"),
        (send_rule('type = []; all = [{ type = "b", facts = { x = "y" }, by = "creditor" }]'), PLAIN, "never-settled"),
    ],
)
def test_what_no_message_can_say_is_found(rule: str, a: Shape, code: str) -> None:
    """A fact, moment, item, party or variant that no header has makes a rule wait for ever, or never begin."""
    name = "taken" if "receipts" in rule else "answer"
    assert _found(rule, a) == [(code, f"a: {name}")]


@pytest.mark.parametrize(
    "rule",
    [
        send_rule('variants = ["full", "other"]'),
        send_rule('type = []; any = [{ type = ["b", "a"], variants = "full" }, { type = "b", by = "creditor" }]'),
        send_rule('to = "unnamed:health/school_nursing"'),
        send_rule('by = "item-owner"; within = "item due"'),
        send_rule('by = "each-party"; to = "party:gp"', 'when = { meeting = "strategy", urgent = true }'),
        send_rule('within = "moment:needed_by"; since = "moment:needed_by"', "when = { urgent = false }"),
    ],
)
def test_what_a_message_can_say_is_not_found(rule: str) -> None:
    """The same rules are fine where the types have what they speak of."""
    assert _found(rule, RICH, RICH) == []


def test_items_that_no_item_can_have_are_found_twice() -> None:
    """A type without items opens no duty for one, and none settles it."""
    assert [code for code, _ in _found(send_rule('by = "item-owner"'))] == ["never-opened", "never-settled"]


def test_types_and_agreement_must_know_each_other() -> None:
    """A type that this release lacks is wrong; one that nobody may send is noted."""
    found = check_agreement(agreement(send_rule()), {"b": PLAIN, "c": PLAIN}, None, NOW)
    assert [(one.code, one.where) for one in found if "type" in one.code] == [
        ("type-unknown", "a"),
        ("type-not-agreed", "c"),
    ]
    both = check_agreement(agreement(send_rule()), {"a": PLAIN}, None, NOW)
    assert [one.where for one in both if one.code == "type-unknown"] == ["b"]


def test_a_role_that_nobody_has_is_found_in_the_directory() -> None:
    """A rule that means no mailbox opens nothing; several mailboxes of one agency owe a duty each."""
    index = directory()
    assert _found(send_rule('by = "role:mash"'), index=index) == []
    assert _found(send_rule('by = "mailbox:nowhere/desk"'), index=index) == [("never-opened", "a: answer")]
    assert _found(send_rule('to = "role:police"'), index=index) == [("several-of-one-agency", "a: answer")]


def test_a_mailbox_that_may_not_do_what_it_owes_is_found() -> None:
    """By name it gets the benefit of the doubt until the directory says which roles it has."""
    b = ASKING.replace("types.a", "types.b")
    for send, does in (
        ('by = "mailbox:millfield/lead"', "send"),
        ('to = "mailbox:constabulary/exploitation"', "receive"),
    ):
        rules = agreement(b + send_rule(send), types=("a",))
        found = check_agreement(rules, {"a": PLAIN, "b": PLAIN}, directory(), NOW)
        assert [(one.code, does in one.message) for one in found if one.code == "never-settled"] == [
            ("never-settled", True)
        ]


def recurs(send: str, every: str = "1 month") -> str:
    """Return a recurring rule by which a message of type ``b`` is owed."""
    return f"""
[[recurring]]
name = "monthly"
every = "{every}"
starting = 2026-01-01
send = {{ type = "b", {send} }}
"""


def test_an_answer_that_either_party_may_not_send_is_found() -> None:
    """What only the creditor may send, the debtor's answer is not; and the other way round."""
    b = ASKING.replace("types.a", "types.b")
    for by, found in (("debtor", ["never-settled", "never-settled"]), ("creditor", [])):
        send = f'type = []; by = "mailbox:millfield/lead"; to = "mailbox:constabulary/exploitation"; any = [{{ type = "b", by = "{by}" }}]'
        rules = agreement(b + send_rule(send), types=("a",))
        checked = check_agreement(rules, {"a": PLAIN, "b": PLAIN}, directory(), NOW)
        assert [one.code for one in checked if one.code == "never-settled"] == found


def test_what_recurs_for_nobody_or_by_nobody_able_is_found() -> None:
    """A role without a mailbox owes nothing in any period; a mailbox that may not send or receive it can't meet it."""
    index = directory()
    assert _found(send_rule() + recurs('by = "role:gp", to = "role:mash"'), index=index) == []
    assert _found(send_rule() + recurs('by = "mailbox:nowhere/desk", to = "role:mash"'), index=index) == [
        ("never-opened", "recurring: monthly")
    ]
    b = ASKING.replace("types.a", "types.b")
    for send, does in (
        ('by = "mailbox:millfield/lead", to = "role:gp"', "send"),
        ('by = "role:police", to = "mailbox:constabulary/exploitation"', "receive"),
    ):
        rules = agreement(b + recurs(send), types=("a",))
        found = check_agreement(rules, {"a": PLAIN, "b": PLAIN}, index, NOW)
        assert any(one.code == "never-settled" and does in one.message for one in found)
    frame = FRAME.replace('"mash"]', '"mash", "education"]')
    unfilled = agreement(recurs('by = "role:education", to = "role:mash"'), frame)
    found = check_agreement(unfilled, {"a": PLAIN, "b": PLAIN}, index, NOW)
    assert ("never-opened", "recurring: monthly") in [(one.code, one.where) for one in found]
    assert ("role-unfilled", "role education") in [(one.code, one.where) for one in found]


def test_what_recurs_is_held_against_the_types_and_the_calendar() -> None:
    """An answer that no message gives, and periods or limits beyond the calendar's last day, now or within a year."""
    hours = send_rule('within = "72 hours"')
    facts = hours + recurs('by = "role:gp", to = "role:mash", facts = { x = "y" }')
    assert _found(facts) == [("never-settled", "recurring: monthly")]
    plain, limited = (
        hours + recurs(f'by = "role:gp", to = "role:mash"{within}') for within in ("", ', within = "5 working days"')
    )
    late = ms("2045-06-01 10:00")
    assert _found(plain, now=late) == [("beyond-calendar", "recurring: monthly")]
    assert _found(limited, now=late) == [("beyond-calendar", "recurring: monthly")] * 2
    assert _found(limited) == []


def test_a_role_is_addressed_by_what_recurs() -> None:
    """Nobody is called forgotten to whom something is owed each month."""
    rules = agreement(ASKING + recurs('by = "role:police", to = "role:gp"').replace('"b"', '"a"'), types=())
    found = check_agreement(rules, {"a": PLAIN}, directory(), NOW)
    asked = {one.where for one in found if one.code == "never-asked"}
    assert "role health" in asked
    assert not {"role police", "role gp", "mailbox millfield/lead"} & asked


def test_deadlines_beyond_the_calendar_are_found_a_year_before() -> None:
    """Now, or within a year; elapsed time needs no calendar, and what `otherwise` says counts too."""
    late = ms("2045-06-01 10:00")
    rule = send_rule()
    assert _found(rule, now=late) == [("beyond-calendar", "a: answer")]
    assert _found(send_rule('within = "72 hours"'), now=late) == []
    other = send_rule('within = "moment:needed_by"; otherwise = "5 working days"')
    assert _found(other, RICH, now=late) == [("beyond-calendar", "a: answer")]
    (now,) = (one for one in check_agreement(agreement(rule), {}, None, ms("2046-01-02 10:00")) if "cal" in one.code)
    assert now.message.endswith("now")
    assert now.level == "error"


def test_a_role_or_mailbox_that_is_never_addressed_is_found() -> None:
    """Nobody is forgotten because nobody thought of them; what everyone owes is a note and no more."""
    rule = RECEIPT.format(within="1 working day", extra='ladder = [{ after = "0 hours", to = ["role:partnership"] }]')
    rules = agreement(ASKING + rule, types=())
    found = check_agreement(rules, {"a": PLAIN}, directory(), NOW)
    asked = {one.where for one in found if one.code == "never-asked"}
    assert {"role health", "role mash", "mailbox northmere/safeguarding", "mailbox sampleton/mash"} <= asked
    assert not {"role police", "role gp", "role partnership", "mailbox millfield/lead"} & asked
    noted = check_agreement(agreement(send_rule()), {"a": PLAIN, "b": PLAIN}, directory(), NOW)
    assert {(one.code, one.level) for one in noted} == {("asked-as-everyone", "note")}


def test_a_role_that_no_mailbox_has_is_noted() -> None:
    """An agreed role that is addressed and that the directory lacks reaches nobody."""
    frame = FRAME.replace('"mash"]', '"mash", "education"]')
    rules = agreement(send_rule('to = ["sender", "role:education"]'), frame)
    found = check_agreement(rules, {"a": PLAIN, "b": PLAIN}, directory(), NOW)
    assert [one.where for one in found if one.code == "role-unfilled"] == ["role education"]


def test_a_rule_that_multiplies_two_lists_is_noted() -> None:
    """What one envelope would open beyond the most is refused later, so whoever writes the rule hears of it now."""
    assert _found(send_rule('by = "recipients"; to = "sender"'), RICH) == []
    assert _found(send_rule('by = "recipients"; to = "each-party"'), RICH) == [("multiplies", "a: answer")]
    by_item = send_rule('type = "b"; by = "item-owner"; to = ["sender", "each-party"]')
    assert _found(by_item, RICH, RICH) == [("multiplies", "a: answer")]
    urgent = send_rule('by = "recipients"; to = "each-party"', extra="when = { urgent = true }")
    assert _found(urgent, RICH) == []


def test_the_example_has_no_errors() -> None:
    """Every rule of the shipped agreement can be opened and settled by the types of this release."""
    shapes = find_shapes(Catalogue.load())
    county = parse_places((EXAMPLE.parent / "county.toml").read_text("utf-8"))
    found = check_agreement(example(), shapes, county, NOW)
    assert [one for one in found if one.level == "error"] == []
    assert {one.code for one in found} <= FINDINGS.keys()
    assert shapes["action.assign"].items
    assert shapes["check.adult.request"].moments == {"needed_by"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("= 1", "places-text"),
        ("agencies = 1", "places-text"),
        ('[[agencies]]\nid = "a"\nmailboxes = [{ id = "b/desk" }]', "places-mailbox"),
        ('[[agencies]]\nid = "a"\nmailboxes = [{ id = "a" }]', "places-mailbox"),
        ('[[agencies]]\nid = "a"\nmailboxes = [{ id = "a/desk", manager = "a/none" }]', "places-mailbox"),
        ('[[agencies]]\nid = "a"\nmailboxes = [{ id = "a/desk" }, { id = "a/desk" }]', "places-mailbox"),
    ],
)
def test_a_directory_that_makes_no_sense_is_refused(text: str, code: str) -> None:
    """A mailbox twice, of another agency, or with a post that isn't there."""
    with pytest.raises(MalformedError) as caught:
        parse_places(text)
    assert caught.value.code == code
