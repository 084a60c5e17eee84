"""What a message becomes, and what is made of the record that stands there later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.base import Filed, Incoming, NeedsPerson, Notice
from adapters.conformance import sample_incoming
from adapters.gateway.filing import _hold_to_record
from adapters.profiles.placing import hold, is_kept, place, place_notice
from adapters.profiles.records import Placed, Standing
from keys.digests import sha256
from tests.profiles.sample import FLAG, FLAGGED
from tests.profiles.test_mapping import FLAG as FIELDS
from tests.profiles.test_mapping import file, load, mapping

LONDON = ZoneInfo("Europe/London")


def put(message: Incoming = FLAGGED, table: Any = None) -> Placed:
    """Return the record that *message* becomes."""
    found = place(message, load(table or mapping()), LONDON)
    assert isinstance(found, Placed)
    return found


def standing(placed: Placed, **changes: Any) -> Standing:
    """Return what stands there, where somebody has changed some fields."""
    papers = tuple(sha256(one.content).hex() for one in placed.documents)
    return Standing(fields={**placed.fields, "ours": 1, **changes}, documents=papers)


def test_a_message_becomes_a_record_of_the_systems_own() -> None:
    """Its fields by its rule; beside them all that the gateway knows of the message, and the message."""
    placed = put()
    assert placed.kind == "warning_marker"
    assert placed.fields["marker"] == "WM-CSE"
    assert placed.fields["child"] == {"name": "Robin Sample"}
    assert placed.fields["review"] == "2026-10-06"
    hub = placed.fields["hub"]
    assert (hub["envelope"], hub["thread"], hub["sender"]) == (FLAGGED.envelope, FLAGGED.thread, FLAGGED.sender)
    assert (hub["message"], hub["marks"], hub["type"]) == (FLAG, ["not_for_family"], "flag.request/1")
    assert (placed.envelope, placed.documents) == (FLAGGED.envelope, FLAGGED.documents)


def test_an_identity_is_one_deliverys_and_says_nothing() -> None:
    """The same each time, another for another team, and opaque."""
    assert put().identity == put().identity
    assert put().identity != put(replace(FLAGGED, mailbox="northmere-health/paediatrics")).identity
    assert FLAGGED.envelope not in put().identity


def test_moments_are_told_in_the_agencys_own_time() -> None:
    """A system whose fields are wall clock gets wall clock."""
    fields = {"asked": {"from": "/requested_at", "as": "local-moment"}, "day": {"from": "/requested_at", "as": "date"}}
    placed = put(table=file(fields))
    assert (placed.fields["asked"], placed.fields["day"]) == ("2026-07-06T09:00:00", "2026-07-06")


def test_what_no_rule_files_is_filed_whole() -> None:
    """Of another type, or outside what a rule asks for: nothing stays unfiled."""
    assert put(sample_incoming()).kind == "document"
    assert put(table=file(FIELDS, where={"/flag_kind": ["CP"]})).kind == "document"


def test_what_is_left_to_people_is_never_put() -> None:
    """Whatever mailbox it comes for, and whether a rule could file it or not."""
    left = load(mapping() | {"people": [FLAGGED.type], "file": []})
    assert place(FLAGGED, left, LONDON) == NeedsPerson(code="record-people")


def test_a_code_that_no_table_has_is_for_a_person() -> None:
    """It is never left out and never guessed."""
    found = place(replace(FLAGGED, message=FLAG | {"flag_kind": "CP"}), load(mapping()), LONDON)
    assert found == NeedsPerson(code="record-code")


@pytest.mark.parametrize(("mode", "has_fields"), [("summary", True), ("reference_only", False)])
def test_as_much_is_kept_as_the_rule_says(mode: str, has_fields: bool) -> None:
    """Without the message and its documents, and by reference without any field of it."""
    placed = put(table=file(FIELDS, mode=mode))
    assert (placed.mode, "marker" in placed.fields) == (mode, has_fields)
    assert "message" not in placed.fields["hub"]
    assert "Robin" in str(placed.fields) if has_fields else "Robin" not in str(placed.fields)
    assert placed.documents == ()


def test_what_is_marked_so_is_kept_by_reference_only() -> None:
    """Whatever the rule says, the sender's mark holds."""
    placed = put(replace(FLAGGED, marks=("reference_only",)))
    assert (placed.kind, placed.mode, placed.documents) == ("document", "reference_only", ())
    assert "Robin" not in str(placed.fields)


def test_a_notice_is_a_record_too() -> None:
    """With references only."""
    placed = place_notice(Notice(id="n1", code="overdue", at=5, mailbox="a/b", source="hub", details={"type": "x/1"}))
    assert (placed.kind, placed.fields) == (
        "notice", {"id": "n1", "notice": "overdue", "at": 5, "source": "hub", "mailbox": "a/b", "type": "x/1"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, True),
        ({"marker": "WM-CCE"}, False),
        ({"child": {"name": "Robin Sample", "age": 15}}, True),
        ({"child": {}}, False),
        ({"child": None}, False),
        ({"review": True}, False),
    ],
)
def test_what_stands_there_is_compared_field_by_field(changes: dict[str, Any], kept: bool) -> None:
    """What the system has beside what it was given doesn't count; what it changed or dropped does."""
    assert is_kept(put(), standing(put(), **changes)) is kept


def test_a_record_that_lost_a_document_or_was_ended_is_not_kept() -> None:
    """Both are somebody's to look at."""
    assert not is_kept(put(), replace(standing(put()), documents=()))
    assert not is_kept(put(), replace(standing(put()), ended=True))


@pytest.mark.parametrize("mode", ["full", "summary"])
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "Filed"),
        ({"marker": "WM-CCE"}, "NeedsPerson"),
        ({"marker": "WM-NEW"}, "NeedsPerson"),
        ({"review": "2026-10-07"}, "NeedsPerson"),
    ],
)
def test_the_gateway_sees_in_what_stands_there_whether_it_is_still_what_came(
    mode: str, changes: dict[str, Any], says: str
) -> None:
    """Codes are turned back, and a code that came from nowhere is no code that came."""
    table = file(FIELDS, mode=mode)
    held = hold("warning_marker/R-1", standing(put(table=table), **changes), load(table))
    assert type(_hold_to_record(Filed(record=held.record), FLAGGED, held)).__name__ == says


def test_a_member_that_was_taken_out_is_told_apart_from_one_that_never_came() -> None:
    """Null where the message said something."""
    held = hold("warning_marker/R-1", standing(put(), review=None, marker=None), load(mapping()))
    assert (held.members["/review_by"], held.members["/flag_kind"]) == (None, None)
    bare = {name: value for name, value in FLAG.items() if name != "review_by"}
    placed = put(replace(FLAGGED, message=bare))
    assert "/review_by" not in hold("warning_marker/R-1", standing(placed), load(mapping())).members


def test_only_what_a_rule_keeps_is_compared() -> None:
    """A system whose staff go on working on the other fields says so."""
    table = file(FIELDS, mode="summary", keeps=["/flag_kind"])
    held = hold("warning_marker/R-1", standing(put(table=table)), load(table))
    assert held.members == {"/flag_kind": "CSE"}


def test_yes_and_no_come_back_as_yes_and_no() -> None:
    """A boolean that the system has a letter for is a boolean again; a list is a list."""
    table = load({
        "about": "x",
        "file": [{"type": "exploitation.marker/1", "kind": "custody_marker", "mode": "summary", "fields": {
            "urgent": {"from": "/urgent", "codes": {"true": "Y", "false": "N"}},
            "kinds": {"from": "/kinds", "codes": {"sexual": "S", "criminal": "C"}},
        }}],
    })  # fmt: skip
    message = sample_incoming(type="exploitation.marker/1", message={"urgent": False, "kinds": ["criminal", "sexual"]})
    placed = place(message, table, LONDON)
    assert isinstance(placed, Placed)
    assert (placed.fields["urgent"], placed.fields["kinds"]) == ("N", ["C", "S"])
    held = hold("custody_marker/1", standing(placed), table)
    assert held.members == {"/urgent": False, "/kinds": ["criminal", "sexual"]}
