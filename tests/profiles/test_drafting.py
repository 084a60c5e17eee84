"""What a record becomes: each way in which a value is had, and what is said of one that can't be."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from adapters.base import Document, DraftRefused
from adapters.profiles.drafting import Drafted, Settings, draft_record
from adapters.profiles.mapping import Field
from adapters.profiles.records import Record
from adapters.profiles.values import MISSING, Turning, ValueProblemError, evaluate, path_look
from tests.profiles.test_mapping import load, mapping

LONDON = ZoneInfo("Europe/London")
SETTINGS = Settings(
    sender="exampleshire-constabulary/child-abuse-investigation", role="police_officer", zone=LONDON,
    constants={"home_la": "X99000001"}, name_it=lambda scope, number: f"AZ82p-KAfcKGpmUX{scope[:3]}{number}Q",
)  # fmt: skip
INCIDENT: dict[str, Any] = {
    "author": "PC Morgan Sample",
    "number": "EX-1",
    "occurred": "2026-07-06 09:30",
    "part": "VIC",
    "rag": "A",
    "summary": "Noise.",
    "child": {"number": "N-7", "forename": "Robin", "surname": "Sample", "born": "06/05/2011", "protected": True},
}


def record(*, documents: tuple[Document, ...] = (), kind: str = "incident", **changes: Any) -> Record:
    """Return the incident."""
    return Record(key="k", kind=kind, fields=INCIDENT | changes, documents=documents)


def draft(one: Record, settings: Settings = SETTINGS, **rule: Any) -> Drafted | DraftRefused:
    """Return what *one* becomes where its rule says *rule* too."""
    table = mapping()
    table["send"][0] |= rule
    return draft_record(one, load(table), settings)


def drafted(one: Record, settings: Settings = SETTINGS, **rule: Any) -> Drafted:
    """Return the draft that *one* becomes."""
    found = draft(one, settings, **rule)
    assert isinstance(found, Drafted)
    return found


def test_a_record_becomes_a_message() -> None:
    """Codes are turned, a day and a moment are spelled as ours, names are joined, constants come from the configuration."""
    found = drafted(record()).draft
    assert found.message == {
        "incident_ref": "EX-1", "occurred_at": "2026-07-06T08:30:00Z", "child_part": "victim", "grade": "amber",
        "summary": "Noise.",
        "child": {
            "local_id": "N-7", "name": "Robin Sample", "dob": "2011-05-06", "dob_estimated": False,
            "nhs_number_status": "unknown", "address_restricted": True, "home_la": "X99000001",
        },
    }  # fmt: skip
    assert (found.author.name, found.author.role) == ("PC Morgan Sample", "police_officer")
    assert (found.from_, found.to, found.basis) == (SETTINGS.sender, (), ())


def test_what_the_system_kept_ties_it_to_what_came() -> None:
    """Thread, answered envelope, sender and recipients are fields of the record where the rule names them."""
    ties = {"thread": "AZ82p-KAfFeODkYVQ3MeJg", "envelope": "AZ82p-KAfcKGpmUXAcWmjQ", "team": "a/b", "them": "c/d"}
    rule = {"thread": "hub.thread", "re": "hub.envelope", "sender": "hub.team", "to": "hub.them", "marks": "marks"}
    found = drafted(record(hub=ties, marks=["third_party"]), **rule).draft
    assert (found.thread, found.re, found.from_, found.to) == (ties["thread"], ties["envelope"], "a/b", ("c/d",))
    assert found.marks == ("third_party",)


def test_the_configuration_stands_before_the_mapping() -> None:
    """Who it goes from and to, on which basis and with which label are the agency's to say, by the type's family."""
    settings = SETTINGS
    said = Settings(
        sender=settings.sender, zone=LONDON, constants=settings.constants, role="x", senders={"incident.notice": "a/one"},
        to={"incident.notice": ("c/d",)}, basis={"incident.notice": ("CA2004_S10",)}, retention={"incident.notice": "case"},
    )  # fmt: skip
    found = drafted(record(), said, basis=["CA2004_S11"], retention="other").draft
    assert (found.from_, found.to, found.basis, found.retention) == ("a/one", ("c/d",), ("CA2004_S10",), "case")


def test_documents_go_with_it_in_order() -> None:
    """What the record has is attached."""
    papers = tuple(Document(name=name, type="text/plain", content=b"x") for name in ("b.txt", "a.txt"))
    found = drafted(record(documents=papers))
    assert found.draft.attachments == ("b.txt", "a.txt")
    assert found.documents == papers


def test_an_own_number_becomes_an_id_that_the_system_is_told() -> None:
    """The same number within a scope is the same id, and an id of ours stays as it is."""
    rule = {"fields": load_fields("/incident_ref", {"from": "number", "as": "own-id", "of": "inc"})}
    assert drafted(record(number=7), **rule).ids == {"inc": "AZ82p-KAfcKGpmUXinc7Q"}
    ours = "AZ82p-KAfcKGpmUXAcWmjQ"
    found = drafted(record(number=ours), **rule)
    assert (found.ids, found.draft.message["incident_ref"]) == ({}, ours)


def load_fields(pointer: str, value: Any) -> dict[str, Any]:
    """Return the incident's fields with another one at *pointer*."""
    fields: dict[str, Any] = mapping()["send"][0]["fields"] | {pointer: value}
    return fields


REFUSED = [
    ({"rag": "Purple"}, "record-code", "`rag`"),
    ({"rag": {"R": 1}}, "record-code", "`rag`"),
    ({"occurred": "yesterday at Purple"}, "record-value", "`occurred`"),
    ({"occurred": 7}, "record-value", "`occurred`"),
    ({"child": INCIDENT["child"] | {"born": "31/02/2011"}}, "record-value", "`child.born`"),
    ({"author": ""}, "record-author", "`author`"),
    ({"author": {"Purple": 1}}, "draft-shape", "author"),
    ({"thread": "Purple"}, "draft-shape", "thread"),
    ({"to": ["Purple"]}, "draft-shape", "to"),
]


@pytest.mark.parametrize(("changes", "code", "names"), REFUSED)
def test_a_field_that_can_not_be_taken_is_named_and_its_value_is_not(
    changes: dict[str, Any], code: str, names: str
) -> None:
    """Whoever corrects the record sees which field; nobody else sees what stands in it."""
    found = draft(record(**changes), thread="thread", to="to")
    assert isinstance(found, DraftRefused)
    assert found.code == code
    assert names in found.message
    assert "Purple" not in found.message + found.hint


def test_what_no_rule_sends_is_refused() -> None:
    """By its kind, or because what the rule asks of it isn't so."""
    for one, rule in ((record(kind="memo"), {}), (record(), {"where": {"part": ["SUS"]}}), (Record(key="k"), {})):
        found = draft(one, **rule)
        assert isinstance(found, DraftRefused)
        assert found.code == "record-kind"


def test_the_first_rule_whose_conditions_hold_is_taken() -> None:
    """One kind may become two types; null is a field that isn't there."""
    table = mapping()
    first = table["send"][0] | {"where": {"part": ["VIC"], "deleted": [None]}, "purpose": "missing"}
    table["send"] = [first, table["send"][0]]
    purposes = []
    for one in (record(), record(deleted="Y"), record(part="WIT")):
        found = draft_record(one, load(table), SETTINGS)
        assert isinstance(found, Drafted)
        purposes.append(found.draft.purpose)
    assert purposes == ["missing", "child_protection", "child_protection"]


def test_a_record_may_be_a_whole_draft() -> None:
    """For types that no rule sends; its documents are those that it names."""
    whole = {
        "type": "meeting.claimed/1", "from": "a/b", "author": {"name": "M", "role": "x"}, "message": {},
    }  # fmt: skip
    found = draft_record(Record(key="k", kind="draft", fields=whole), load(mapping()), SETTINGS)
    assert isinstance(found, Drafted)
    assert found.draft.type == "meeting.claimed/1"
    lacking = draft_record(
        Record(key="k", kind="draft", fields=whole | {"attachments": ["a"]}), load(mapping()), SETTINGS
    )
    assert isinstance(lacking, DraftRefused)
    assert lacking.code == "attachment-missing"


def value(rule: Any, **fields: Any) -> Any:
    """Return what *rule* finds in *fields*."""
    return evaluate(msgspec.convert(rule, Field), Turning(look=path_look(fields), zone=LONDON))


FLAGS = [{"where": {"single": ["Y"]}, "value": "assessment_required"}, {"where": {"nfa": ["Y"]}, "value": "nfa"}]
VALUES = [
    ({"from": "a"}, {"a": 0}, 0),
    ({"from": "a"}, {"a": False}, False),
    ({"from": "a"}, {"a": ""}, MISSING),
    ({"from": "a", "default": []}, {"a": None}, []),
    ({"from": "a.b"}, {"a.b": 1}, 1),
    ({"from": "a.b"}, {"a": 1}, MISSING),
    ({"from": ["a", "b"], "join": ", "}, {"a": "x", "b": ""}, "x"),
    ({"from": ["a", "b"], "join": ", "}, {"a": "x", "b": 2}, "x, 2"),
    ({"from": ["a", "b"]}, {}, MISSING),
    ({"value": None}, {}, MISSING),
    ({"from": "a", "codes": {"true": "Y", "1": "one"}}, {"a": True}, "Y"),
    ({"from": "a", "codes": {"true": "Y", "1": "one"}}, {"a": 1}, "one"),
    ({"from": "a", "codes": {"x": 1, "y": 2}}, {"a": ["y", "x"]}, [2, 1]),
    ({"from": "a", "codes": {}, "otherwise": "other"}, {"a": "x"}, "other"),
    ({"when": FLAGS}, {"single": "Y", "nfa": "Y"}, "assessment_required"),
    ({"when": FLAGS, "default": "other"}, {"single": "N"}, "other"),
    ({"every": FLAGS}, {"single": "Y", "nfa": "Y"}, ["assessment_required", "nfa"]),
    ({"every": FLAGS}, {}, MISSING),
    ({"from": "a", "as": "text"}, {"a": 12}, "12"),
    ({"from": "a", "as": "date"}, {"a": "2026-07-06T10:00:00"}, "2026-07-06"),
    ({"from": "a", "as": "date"}, {"a": "6/7/2026 10:00"}, "2026-07-06"),
    ({"from": "a", "as": "local-moment"}, {"a": "2026-12-06T10:00"}, "2026-12-06T10:00:00Z"),
    ({"from": "a", "as": "local-moment"}, {"a": "2026-07-06T10:00:00+02:00"}, "2026-07-06T08:00:00Z"),
    # The hour that comes twice: the first is meant.
    ({"from": "a", "as": "local-moment"}, {"a": "2026-10-25 01:30"}, "2026-10-25T00:30:00Z"),
    ({"each": "l", "fields": {"/n": "x", "/c": {"from": "y", "codes": {"1": "one"}}}}, {"l": [{"x": 1, "y": "1"}, {"x": 2}]},
     [{"n": 1, "c": "one"}, {"n": 2}]),
    ({"each": "l", "fields": {"/n": "x"}}, {}, MISSING),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "fields", "expected"), VALUES)
def test_a_value_is_found(rule: Any, fields: dict[str, Any], expected: Any) -> None:
    """Each way in which a mapping can ask for one."""
    found = value(rule, **fields)
    assert found == expected
    assert isinstance(found, bool) == isinstance(expected, bool)


@pytest.mark.parametrize(
    ("rule", "fields", "code"),
    [
        ({"each": "l", "fields": {"/n": "x"}}, {"l": "x"}, "record-value"),
        ({"each": "l", "fields": {"/n": "x"}}, {"l": ["x"]}, "record-value"),
        ({"from": "a", "codes": {"1": "x"}}, {"a": 1.0}, "record-code"),
        ({"from": "a", "as": "own-id", "of": "x"}, {"a": 1}, "record-value"),
    ],
)
def test_a_value_of_another_shape_is_refused(rule: Any, fields: dict[str, Any], code: str) -> None:
    """A list that is none, a code that is none, an id without anything to make it with."""
    with pytest.raises(ValueProblemError) as caught:
        value(rule, **fields)
    assert caught.value.code == code
