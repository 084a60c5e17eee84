"""Mappings as data: what is wrong with one is found before anything runs with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.profiles.checking import is_needed, list_uncovered, options_of, parse_mapping
from adapters.profiles.mapping import Mapping
from schemas.catalogue import Catalogue

CATALOGUE = Catalogue.load()
INCIDENT = {
    "/incident_ref": "number",
    "/occurred_at": {"from": "occurred", "as": "local-moment"},
    "/child_part": {"from": "part", "codes": {"VIC": "victim", "WIT": "witness"}},
    "/grade": {"from": "rag", "codes": {"R": "red", "A": "amber", "G": "green"}},
    "/summary": "summary",
    "/child/local_id": "child.number",
    "/child/name": {"from": ["child.forename", "child.surname"]},
    "/child/dob": {"from": "child.born", "as": "date"},
    "/child/dob_estimated": {"value": False},
    "/child/nhs_number_status": {"value": "unknown"},
    "/child/address_restricted": {"from": "child.protected", "default": False},
    "/child/home_la": {"option": "home_la"},
}
FLAG = {
    "marker": {"from": "/flag_kind", "codes": {"CSE": "WM-CSE", "CCE": "WM-CCE"}},
    "child.name": "/child/name",
    "review": "/review_by",
}


def mapping(**changes: Any) -> dict[str, Any]:
    """Return a small mapping that fits."""
    return {
        "about": "a test's",
        "send": [{"kind": "incident", "type": "incident.notice/1", "fields": INCIDENT}],
        "file": [{"type": "flag.request/1", "kind": "warning_marker", "fields": FLAG}],
    } | changes


def load(value: Any) -> Mapping:
    """Return *value* as a mapping."""
    return parse_mapping(json.dumps(value).encode(), CATALOGUE)


def send(fields: dict[str, Any], kind: str = "incident.notice/1", **more: Any) -> dict[str, Any]:
    """Return a mapping that sends *fields*."""
    return mapping(send=[{"kind": "incident", "type": kind, "fields": fields, **more}])


def file(fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a mapping that files *fields*."""
    return mapping(file=[{"type": "flag.request/1", "kind": "warning_marker", "fields": fields, **more}])


def without(*names: str) -> dict[str, Any]:
    """Return the incident's fields without *names*."""
    return {name: value for name, value in INCIDENT.items() if name not in names}


def test_a_mapping_that_fits_is_read() -> None:
    """Rules, plain sources and written-out ones come through."""
    found = load(mapping())
    assert (found.send[0].type, found.file[0].kind) == ("incident.notice/1", "warning_marker")
    assert options_of(found) == {"home_la"}
    assert not is_needed(found, "own-id")


WRONG = [
    (send(INCIDENT, "incident.notes/1"), "no such type"),
    (send(INCIDENT | {"/childs": "x"}), "no member /childs"),
    (send(INCIDENT | {"/child/shoe": "x"}), "no member /child/shoe"),
    (send(without("/grade")), "nothing says what /grade is"),
    (send(without("/child/home_la")), "nothing says what /child/home_la is"),
    (send(INCIDENT | {"/grade": {"from": "rag", "codes": {"R": "crimson"}}}), "/grade can't be `crimson`"),
    (send(INCIDENT | {"/grade": {"value": "purple"}}), "/grade can't be `purple`"),
    (send(INCIDENT | {"/grade": {"from": "rag", "default": "none"}}), "/grade can't be `none`"),
    (send(INCIDENT | {"/grade": {"from": "rag", "codes": {}, "otherwise": 7}}), "/grade can't be `7`"),
    (send(INCIDENT | {"/child/dob_estimated": {"value": "no"}}), "/child/dob_estimated can't be `no`"),
    (send(INCIDENT | {"/themes": {"from": "t", "codes": {"1": "CSE", "2": "crime"}}}), "/themes can't be `crime`"),
    (send(INCIDENT | {"/grade": {"when": [{"where": {"x": ["1"]}, "value": "blue"}]}}), "/grade can't be `blue`"),
    (send(INCIDENT | {"/summary": {"from": "a", "value": "b"}}), "one of from, value"),
    (send(INCIDENT | {"/summary": {"from": 7}}), "Expected `str | array`"),
    (send(INCIDENT | {"/summary": {"default": "x"}}), "one of from, value"),
    (send(INCIDENT | {"/summary": {"each": "notes", "fields": {"/x": "y"}}}), "/summary is no list"),
    (send(INCIDENT | {"/themes": {"each": "notes"}}), "belong together"),
    (send(INCIDENT | {"/incident_ref": {"from": "n", "as": "own-id"}}), "`own-id` and `of`"),
    (send(INCIDENT, author=7), "author"),
    (mapping(send=[{"kind": "Bad Kind", "type": "incident.notice/1", "fields": {}}]), "kind"),
    (mapping(send=[{"kind": "draft", "type": "incident.notice/1", "fields": INCIDENT}]), "holds a whole draft"),
    (file({"a": "/nothing"}), "no member /nothing"),
    (file({"a": {"from": "/flag_kind", "codes": {"XXX": "1"}}}), "/flag_kind is never `XXX`"),
    (file(FLAG, where={"/flag_kind": ["XXX"]}), "/flag_kind is never `XXX`"),
    (file(FLAG, keeps=["/contact"]), "`keeps` names /contact"),
    (file({"hub.x": "/contact"}), "the gateway's"),
    (file({"a": {"from": "/flag_id", "as": "own-id", "of": "flag"}}), "filed as they are"),
    (mapping(file=[{"type": "flag.request/1", "kind": "document", "fields": {}}]), "no rule of its own"),
    (mapping(file=[{"type": "flag.requests/1", "kind": "x", "fields": {}}]), "no such type"),
    (mapping(people=["flag.requests/1"]), "people `flag.requests/1`: no such type"),
    (mapping(people=["flag.request/1"]), "`people` leaves that type to people"),
    (file({"a": {"when": [{"where": {"/flag_kind": ["XXX", None]}, "value": 1}]}}), "/flag_kind is never `XXX`"),
    (file({"a": {"each": "/parts", "fields": {"b": "/c"}}}), "no member /parts"),
    (send(INCIDENT | {"/child_part": {"from": "p", "codes": {"V": 1}}}), "/child_part can't be `1`"),
    (mapping(extra=1), "extra"),
]


@pytest.mark.parametrize(("wrong", "says"), WRONG, ids=[says for _, says in WRONG])
def test_what_does_not_fit_is_named(wrong: dict[str, Any], says: str) -> None:
    """A member that doesn't exist, a code that isn't one, a required member without a source: each is named."""
    with pytest.raises(ValueError, match="mapping") as caught:
        load(wrong)
    assert says in str(caught.value)


def test_all_problems_are_said_at_once() -> None:
    """Whoever corrects a mapping sees every problem, not one after another."""
    with pytest.raises(ValueError, match="mapping") as caught:
        load(send(without("/grade", "/summary")))
    assert "/grade" in str(caught.value)
    assert "/summary" in str(caught.value)


def test_codes_that_a_message_may_have_and_the_system_has_not_are_listed() -> None:
    """So that an agency sees before the first day what a person would have to file."""
    found = list_uncovered(load(mapping()), CATALOGUE)
    assert found == [f"flag.request/1 /flag_kind: {code}" for code in ("CP", "missing", "other")]


def test_lists_within_a_message_are_looked_into() -> None:
    """Codes of their entries are held against the type, and those that the system lacks are listed."""
    people = {"people": {"each": "/participants", "fields": {"who": "/name", "came": {
        "from": "/attendance", "codes": {"attended": "Y", "apologies": "A", "invited": "I", "no_response": "N"}}}}}  # fmt: skip
    table = mapping(file=[{"type": "meeting.held/1", "kind": "meeting", "fields": people}])
    assert list_uncovered(load(table), CATALOGUE) == ["meeting.held/1 /participants/*/attendance: not_invited"]
    people["people"]["fields"]["came"]["codes"]["late"] = "L"  # type: ignore[index]
    with pytest.raises(ValueError, match="never `late`"):
        load(mapping(file=[{"type": "meeting.held/1", "kind": "meeting", "fields": people}]))


def test_whole_numbers_are_numbers() -> None:
    """And text isn't."""
    counts = {
        "/reconciliation_id": "number", "/period_from": "a", "/period_to": "b", "/reconciled_at": "c", "/sent": "s",
        "/unsent": {"value": []}, "/occurred": {"from": "o", "default": 0},
    }  # fmt: skip
    assert load(send(counts, "incident.reconciliation/1")).send
    with pytest.raises(ValueError, match="/occurred can't be `none`"):
        load(send(counts | {"/occurred": {"from": "o", "default": "none"}}, "incident.reconciliation/1"))


# ---- what is said once


def test_tables_and_groups_are_put_in_where_they_are_named() -> None:
    """A table is read as it stands where something is sent, and backwards where it is filed."""
    table = mapping(tables={"kinds": {"WM-CSE": "CSE"}, "rag": {"R": "red"}}, groups={"flag": {"review": "/review_by"}})
    table["send"][0] = table["send"][0] | {"fields": INCIDENT | {"/grade": {"from": "rag", "codes": "rag"}}}
    table["file"][0] = table["file"][0] | {
        "use": ["flag"],
        "fields": {"marker": {"from": "/flag_kind", "codes": "kinds"}},
    }
    found = load(table)
    grade, marker = found.send[0].fields["/grade"], found.file[0].fields["marker"]
    assert not isinstance(grade, str)
    assert not isinstance(marker, str)
    assert (grade.codes, marker.codes) == ({"R": "red"}, {"CSE": "WM-CSE"})
    assert found.file[0].fields["review"] == "/review_by"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tables": 7}, "`tables` holds names"),
        ({"groups": {"a": 7}}, "`groups` holds names"),
        ({"file": [{"type": "flag.request/1", "kind": "x", "use": ["a"], "fields": {}}]}, "no group `a`"),
        ({"file": [{"type": "flag.request/1", "kind": "x", "fields": {"a": {"from": "/flag_kind", "codes": "b"}}}]},
         "no table `b`"),
        ({"tables": {"b": {"1": "CSE", "2": "CSE"}},
          "file": [{"type": "flag.request/1", "kind": "x", "fields": {"a": {"from": "/flag_kind", "codes": "b"}}}]},
         "backwards"),
        ({"send": [7]}, "mapping"),
        ({"send": 7}, "mapping"),
    ],
)  # fmt: skip
def test_a_name_that_leads_nowhere_is_named(changes: dict[str, Any], says: str) -> None:
    """As is a table that can't be read backwards, and what is no rule at all."""
    with pytest.raises(ValueError, match="mapping") as caught:
        load(mapping(**changes))
    assert says in str(caught.value)
