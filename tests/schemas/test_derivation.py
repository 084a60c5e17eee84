"""Messages made from messages: every pair of the file, and what each member of a pair does."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.derivation import Coded, Derivation, Derivations, Negative, put, read, spell_day, spell_moment
from schemas.strict_json import MalformedError
from tests.schemas import samples

CATALOGUE = Catalogue.load()
DERIVATIONS = Derivations.load()
PAIRS = [pytest.param(one, id=f"{one.source}-{one.target}") for one in DERIVATIONS.pairs()]
NOW = "2026-04-14T12:00:00Z"


def ids() -> Callable[[], str]:
    """Return a source of ids that are all different."""
    count = itertools.count()
    return lambda: samples.an_id(f"fresh {next(count)}")


def source_of(pair: Derivation) -> dict[str, Any]:
    """Return a sample of the source, with something in the list of which each entry makes a message."""
    changes: dict[str, Any] = {"adults": [{"name": "Alex Sample"}, {"name": "Kim Placeholder"}]}
    return samples.message(pair.source, **(changes if pair.each == "/adults" else {}))


def values_of(pair: Derivation) -> dict[str, Any]:
    """Return what *pair* says a person must give, as the target's sample has it, both mailboxes, a negative's date."""
    lent = samples.message(pair.target)
    given = {pointer: read(lent, pointer) for pointer in pair.needs}
    if pair.source == "incident.notice/1":
        given["/ground"] = "disagreement"
    return {pointer: value for pointer, value in given.items() if value is not None} | unasked_values_of(pair)


def unasked_values_of(pair: Derivation) -> dict[str, Any]:
    """Return what a caller of *pair* knows without asking anybody."""
    negative = DERIVATIONS.find_negative(pair.target, {"result": pair.constants.get("/result")})
    dated = {negative.date: "2026-06-30"} if negative else {}
    return pair.addressed(sender=samples.HEALTH, recipient=samples.POLICE) | dated


@pytest.mark.parametrize("pair", PAIRS)
def test_every_pointer_is_a_field(pair: Derivation) -> None:
    """A misspelt pointer would make a message without what it should have."""
    assert pair.target in CATALOGUE.types()
    for pointer in (pair.constants, pair.new_id, pair.now, pair.copy, pair.codes, pair.following):
        for name in pointer:
            CATALOGUE.field(pair.target, name)
    for name in (*pair.sender, *pair.recipient, *pair.needs):
        CATALOGUE.field(pair.target, name)
    element = f"{pair.each}/*" if pair.each else ""
    coded = [one.of for one in pair.codes.values()]
    for name in (*pair.where, *pair.copy.values(), *coded, *pair.following.values()):
        CATALOGUE.field(pair.source, element + name[1:] if name.startswith(".") else name)
    assert pair.each is not None or not any(name.startswith(".") for name in (*pair.where, *pair.copy.values()))


@pytest.mark.parametrize("pair", PAIRS)
def test_every_code_is_one_of_the_list(pair: Derivation) -> None:
    """A table from codes to codes names codes of both lists; one that isn't there would never match."""
    for target, coded in pair.codes.items():
        assert set(coded.to.values()) <= set(CATALOGUE.field(pair.target, target)["enum"])
        codes = CATALOGUE.field(pair.source, coded.of).get("enum")
        assert codes is None or set(coded.to) <= set(codes)


@pytest.mark.parametrize("pair", PAIRS)
def test_every_pair_makes_a_valid_message(pair: Derivation) -> None:
    """From the sample of the source, with what `needs` names and no more, comes what the target's schema accepts."""
    made = DERIVATIONS.derive_all(
        pair.source, pair.target, source_of(pair), new_ids=ids(), now=NOW, values=values_of(pair)
    )
    assert made
    for one in made:
        CATALOGUE.validate(pair.target, one)


@pytest.mark.parametrize("pair", PAIRS)
def test_what_a_pair_needs_is_really_missing(pair: Derivation) -> None:
    """A pair that names needs makes nothing valid without them, and one that names none needs nobody."""
    values = unasked_values_of(pair)
    made = DERIVATIONS.derive(pair.source, pair.target, source_of(pair), new_id=ids(), now=NOW, values=values)
    assert made is not None
    if pair.needs:
        with pytest.raises(MalformedError) as caught:
            CATALOGUE.validate(pair.target, made)
        assert caught.value.code == "message-schema"
    else:
        CATALOGUE.validate(pair.target, made)


def test_what_is_sent_by_itself_needs_nobody() -> None:
    """A gateway can't fill in what only a person knows."""
    automatic = [one for one in DERIVATIONS.pairs() if one.automatic]
    assert {(one.source, one.target) for one in automatic} == {
        ("meeting.convened/1", "check.adult.request/1"),
        ("risk.agreed/1", "flag.request/1"),
    }
    assert not any(one.needs for one in automatic)


def test_every_type_that_needs_a_date_of_deletion_is_a_negative() -> None:
    """The three answers to checks, and where their date stands."""
    for kind in ("adult", "child", "service"):
        family = f"check.{kind}.response"
        found = DERIVATIONS.find_negative(family, {"result": "not_known"})
        assert found is not None
        assert CATALOGUE.field(found.type, found.date)["format"] == "date"
        assert DERIVATIONS.may_be_negative(f"{family}/1")
        assert DERIVATIONS.find_negative(family, {"result": "known_current"}) is None
    assert not DERIVATIONS.may_be_negative("flag.set/1")
    assert DERIVATIONS.find_negative("flag.set/1", {"answer": "set"}) is None


def test_a_discussion_asks_about_each_adult() -> None:
    """Identifiers of the adult, nothing of the child; needed when the discussion starts; each with an id of its own."""
    message = samples.meeting_convened(adults=[{"name": "Alex Sample"}, {"name": "Kim Placeholder"}], urgent=True)
    one, two = DERIVATIONS.derive_all(
        "meeting.convened", "check.adult.request", message, new_ids=ids(), now=NOW, values={}
    )
    assert one == {
        "check_kind": "adult",
        "reason_code": "strategy_discussion",
        "linked_event_kind": "discussion",
        "check_id": samples.an_id("fresh 0"),
        "requested_at": NOW,
        "person": {"name": "Alex Sample"},
        "linked_event": message["meeting_id"],
        "needed_by": message["starts_at"],
        "urgent": True,
    }
    assert (two["check_id"], two["person"]) == (samples.an_id("fresh 1"), {"name": "Kim Placeholder"})
    assert DERIVATIONS.derive_all("meeting.convened", "check.adult.request", message, new_ids=ids(), now=NOW)[1:]


def test_no_adults_are_nothing_to_ask() -> None:
    """No list, or an empty one, makes no message."""
    for changes in ({}, {"adults": []}):
        message = samples.meeting_convened(**changes)
        assert DERIVATIONS.derive("meeting.convened", "check.adult.request", message, new_id=ids(), now=NOW) is None


def test_a_pair_that_nobody_wrote_makes_nothing() -> None:
    """An unknown pair is no error: the caller says what can be made."""
    message = samples.meeting_convened()
    assert DERIVATIONS.derive("meeting.convened/1", "flag.set/1", message, new_id=ids(), now=NOW) is None
    assert [one.target for one in DERIVATIONS.made_from("meeting.convened/1")] == [
        "check.adult.request/1",
        "contribution.none/1",
        "meeting.held/1",
    ]


def test_only_open_actions_are_assigned() -> None:
    """An action that is done or given up is not assigned again."""
    done = samples.action("done", state="complete")
    message = samples.minutes_full(actions=[done, samples.action("open", state="in_progress")])
    made = DERIVATIONS.derive_all("minutes.full", "action.assign", message, new_ids=ids(), now=NOW)
    assert [(one["action_id"], one["state"]) for one in made] == [(samples.an_id("open"), "assigned")]


def test_the_next_stage_follows_the_last() -> None:
    """The number rises by one; the escalation, its subject and its ground stay."""
    message = samples.message("escalation.raise/1")
    made = DERIVATIONS.derive("escalation.raise", "escalation.raise", message, new_id=ids(), now=NOW)
    assert made is not None
    assert made["stage"] == message["stage"] + 1
    assert made["escalation_id"] == message["escalation_id"]


def test_values_are_laid_over_and_shared_with_nobody() -> None:
    """What the caller gives replaces what was derived, in a copy: changing the result changes no source."""
    request, rows = samples.message("chronology.request/1"), [{"event": "x"}]
    values = {"/nil_return": False, "/rows": rows, "/deep/er": 1}
    made = DERIVATIONS.derive(
        "chronology.request", "chronology.response", request, new_id=ids(), now=NOW, values=values
    )
    assert made is not None
    assert (made["nil_return"], made["rows"], made["deep"]) == (False, rows, {"er": 1})
    made["rows"][0]["event"] = "y"
    assert rows == [{"event": "x"}]


def test_a_code_without_a_counterpart_leaves_the_constant() -> None:
    """A scheme that the table doesn't name asks for a flag of the kind `other`."""
    kinds = {}
    for scheme in ("seraf", "ce-example"):
        message = samples.message("risk.agreed/1", scheme_id=scheme)
        made = DERIVATIONS.derive("risk.agreed", "flag.request", message, new_id=ids(), now=NOW)
        assert made is not None
        kinds[scheme] = made["flag_kind"]
    assert kinds == {"seraf": "CSE", "ce-example": "other"}


def test_a_pair_can_be_made_in_memory() -> None:
    """Each member does what the module says, whatever the file holds today."""
    pair = Derivation(
        source="a/1",
        target="b/1",
        each="/list",
        where={"/on": (True,), "./n": (1, 2)},
        constants={"/set": "set", "/kept": "set"},
        copy={"/set": "/absent", "/top": "/top", "/all": ".", "/n": "./n"},
        codes={"/kind": Coded(of="./kind", to={"x": "y"})},
        following={"/more": "./n"},
        sender=("/from",),
        recipient=("/to",),
    )
    made = Derivations((pair,), ()).derive_all(
        "a", "b", {"on": True, "top": 1, "list": [{"n": 1, "kind": "x"}, {"n": 3}]}, new_ids=ids(), now=NOW
    )
    assert made == [
        {"set": "set", "kept": "set", "top": 1, "all": {"n": 1, "kind": "x"}, "n": 1, "kind": "y", "more": 2}
    ]
    assert pair.addressed(sender="s", recipient="r") == {"/from": "s", "/to": "r"}
    negative = Negative(type="b/1", when={"/n": (1,)}, date="/d", retention="short")
    assert Derivations((), (negative,)).find_negative("b", {"n": 1}) == negative


def test_reading_and_putting_go_through_groups_only() -> None:
    """What isn't there reads as nothing; putting makes the groups above, also where something else stood."""
    assert read({"a": {"b": 1}}, "/a/b") == 1
    assert read({"a": [1]}, "/a/0") is None
    message: dict[str, Any] = {"a": "text"}
    put(message, "/a/b", 1)
    put(message, "/a/c", 2)
    assert message == {"a": {"b": 1, "c": 2}}


def test_a_field_is_found_by_its_pointer() -> None:
    """The catalogue follows references and lists, and says which field a type doesn't have."""
    assert CATALOGUE.field("minutes.full/1", "/actions/*/due_at")["format"] == "date-time"
    with pytest.raises(MalformedError) as caught:
        CATALOGUE.field("minutes.full/1", "/actions/due_at")
    assert caught.value.code == "message-field"


def test_a_negative_may_stay_for_the_whole_of_its_last_day() -> None:
    """It must be gone from the midnight after; what is no negative, or has no date, has no end."""
    at = 1_783_324_800_000
    assert (spell_moment(at), spell_day(at)) == ("2026-07-06T08:00:00Z", "2026-07-06")
    answer = {"result": "not_known", "delete_after": "2026-07-06"}
    end = DERIVATIONS.find_end("check.adult.response/1", answer)
    assert end is not None
    assert (spell_moment(end), spell_day(end - 1)) == ("2026-07-07T00:00:00Z", "2026-07-06")
    assert DERIVATIONS.find_end("check.adult.response/1", {"result": "not_known"}) is None
    assert DERIVATIONS.find_end("check.adult.response/1", answer | {"result": "known_past"}) is None
    assert DERIVATIONS.find_end("flag.set/1", answer) is None
