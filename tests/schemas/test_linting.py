"""A type that could harm a gateway or tell the hub too much is found before anybody takes it, rule by rule."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.linting import RULES, Problem, lint_catalogue, lint_schema
from schemas.patterns import find_fault
from schemas.strict_json import MalformedError, dump
from tests.schemas.samples import HEALTH, NOW, an_id, payload

CATALOGUE = Catalogue.load()
SHARED = CATALOGUE.shared
PARTS = "../shared/1#/$defs/"
Json = dict[str, Any]


def field(kind: str, **more: Any) -> Json:
    """Return a field of a shared part (`Id`), or of a type of JSON (`integer`)."""
    what = {"type": kind} if kind.islower() else {"$ref": PARTS + kind}
    return {"title": "A field", "description": "What it is for.", **what, **more}


def local_type() -> Json:
    """Return a partnership's own type, with everything that a type can have."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://safeguarding-hub.example/messages/local.visit/1",
        "title": "Visit",
        "description": "A visit that the partnership agreed to tell of.",
        "x-clear": {
            "at": "/visited_at",
            "moments": {"again_by": "/again_by"},
            "urgent": "/urgent",
            "parties": ["/team", "/steps/*/owner"],
            "items": {
                "each": "/steps/*",
                "ref": "/step_id",
                "owner": "/owner",
                "due": "/due",
                "only": {"/state": ["open"]},
            },
            "facts": {"seen": "/seen", "stage": "/stage", "urgent": "/urgent", "note": {"any": ["/notes", "/urgent"]}},
        },
        "type": "object",
        "properties": {
            "visited_at": field("Instant"),
            "again_by": field("DueDay"),
            "team": field("Mailbox"),
            "urgent": field("boolean"),
            "stage": field("integer", minimum=1, maximum=3),
            "seen": field("string", enum=["yes", "no"], **{"x-labels": {"yes": "Yes", "no": "No"}}),
            "place": field("string", minLength=1, maxLength=40, pattern="^[A-Z][a-z]{0,39}$"),
            "day": field("Date"),
            "notes": field("array", items={"$ref": "#/$defs/Note"}, maxItems=4, uniqueItems=True),
            "steps": field("array", items={"$ref": "#/$defs/Step"}, maxItems=8),
        },
        "required": ["visited_at", "seen"],
        "additionalProperties": False,
        "dependentRequired": {"place": ["day"]},
        "allOf": [
            {
                "if": {"properties": {"seen": {"const": "no"}}, "required": ["seen"]},
                "then": {"required": ["notes"], "not": {"required": ["stage"]}},
            }
        ],
        "$defs": {
            "Note": field(
                "string", minLength=1, maxLength=99, **{"x-vocabulary": {"id": "v", "version": 1, "source": "s"}}
            ),
            "Step": field(
                "object",
                properties={
                    "step_id": field("Id"),
                    "owner": field("Mailbox"),
                    "due": field("Instant"),
                    "state": field("string", enum=["open", "done"], **{"x-labels": {"open": "Open", "done": "Done"}}),
                },
                required=["step_id", "owner", "due", "state"],
                additionalProperties=False,
            ),
        },
    }


def _put(place: str, value: Any) -> Callable[[Json], Any]:
    """Return a change that sets the member at *place*, or takes it out if *value* is ``None``."""

    def change(schema: Json) -> None:
        steps = place.split("/")[1:]
        inner: Any = schema
        for step in steps[:-1]:
            inner = inner[int(step)] if isinstance(inner, list) else inner[step]
        if value is None:
            del inner[steps[-1]]
        elif isinstance(inner, list):
            inner.append(value)
        else:
            inner[steps[-1]] = value

    return change


STAGE, SEEN, PLACE, NOTES = (f"/properties/{name}" for name in ("stage", "seen", "place", "notes"))
LOOP = {"title": "Loop", "description": "Leads to itself.", "$ref": "#/$defs/Loop"}
OPEN_CODES = {f"c{number}": "Label" for number in range(21)}

# (member that is changed, its new value or None, place and rule of what must be found)
BAD: list[tuple[str, Any, str, str]] = [
    ("/type", "thing", "/type", "schema-malformed"),
    ("/$schema", "http://json-schema.org/draft-07/schema#", "/$schema", "dialect"),
    ("/$id", "https://safeguarding-hub.example/messages/local.visit/0", "/$id", "ident"),
    ("/$id", "local.visit/1", "/$id", "ident"),
    ("/$id", "https://[/local.visit/1", "/$id", "ident"),
    ("/patternProperties", {}, "/patternProperties", "keyword-unknown"),
    ("/anyOf", [{}], "/anyOf", "keyword-unknown"),
    (f"{PLACE}/maxLenght", 3, f"{PLACE}/maxLenght", "keyword-unknown"),
    (f"{PLACE}/$id", "https://elsewhere.example/x/1", f"{PLACE}/$id", "keyword-unknown"),
    ("/allOf/0/if/$anchor", "a", "/allOf/0/if/$anchor", "keyword-unknown"),
    ("/title", None, "", "title"),
    (f"{PLACE}/title", "Place.", PLACE, "title"),
    (f"{PLACE}/title", "x" * 61, PLACE, "title"),
    (f"{PLACE}/title", "place", PLACE, "title"),
    ("/description", None, "", "description"),
    (f"{PLACE}/description", "Where it was", PLACE, "description"),
    ("/$defs/Note/description", "x" * 300 + ".", "/$defs/Note", "description"),
    (f"{PLACE}/type", None, PLACE, "type-missing"),
    (f"{PLACE}/type", "number", PLACE, "type-missing"),
    (f"{PLACE}/type", ["string", "null"], PLACE, "type-missing"),
    (f"{PLACE}/$ref", f"{PARTS}Line", PLACE, "type-missing"),
    (PLACE, True, PLACE, "type-missing"),
    (f"{NOTES}/items", {}, f"{NOTES}/items", "type-missing"),
    (f"{NOTES}/items", True, f"{NOTES}/items", "type-missing"),
    ("/additionalProperties", None, "", "group-open"),
    ("/additionalProperties", True, "", "group-open"),
    ("/$defs/Step/properties", None, "/$defs/Step", "group-open"),
    ("/required", None, "", "group-open"),
    (f"{NOTES}/maxItems", None, NOTES, "list-unbounded"),
    (f"{NOTES}/maxItems", 2001, NOTES, "list-unbounded"),
    (f"{NOTES}/items", None, NOTES, "list-unbounded"),
    (f"{STAGE}/maximum", None, STAGE, "number-unbounded"),
    (f"{STAGE}/minimum", None, STAGE, "number-unbounded"),
    (f"{STAGE}/minimum", 0.5, STAGE, "number-unbounded"),
    (f"{STAGE}/maximum", 2.5, STAGE, "number-unbounded"),
    (f"{STAGE}/maximum", 2**53, STAGE, "number-unbounded"),
    (f"{PLACE}/maxLength", None, PLACE, "text-unbounded"),
    (f"{PLACE}/maxLength", 100_001, PLACE, "text-unbounded"),
    (f"{PLACE}/minLength", 0, PLACE, "text-unbounded"),
    ("/properties/steps/uniqueItems", True, "/properties/steps", "unique-costly"),
    (f"{NOTES}/items", {"$ref": "#/$defs/None"}, NOTES, "unique-costly"),
    (f"{PLACE}/format", "uri", f"{PLACE}/format", "format-unknown"),
    ("/required/-", "nobody", "", "field-unknown"),
    ("/dependentRequired/nobody", ["day"], "", "field-unknown"),
    ("/dependentRequired/day", ["nobody"], "", "field-unknown"),
    ("/allOf/0/then/required/-", "nobody", "/allOf/0/then", "field-unknown"),
    ("/allOf/0/then/not/required/-", "nobody", "/allOf/0/then/not", "field-unknown"),
    ("/allOf/0/if/properties/nobody", {}, "/allOf/0/if", "field-unknown"),
    ("/oneOf", [{"required": ["nobody"]}, True], "/oneOf/0", "field-unknown"),
    ("/not", {"required": ["nobody"]}, "/not", "field-unknown"),
    ("/allOf/0/if/required", None, "/allOf/0/if", "condition-loose"),
    (f"{PLACE}", field("Nothing"), f"{PLACE}/$ref", "reference-nowhere"),
    (
        f"{PLACE}",
        field("Id") | {"$ref": "https://elsewhere.example/x/1#/$defs/Id"},
        f"{PLACE}/$ref",
        "reference-nowhere",
    ),
    (f"{PLACE}", field("Id") | {"$ref": "#"}, f"{PLACE}/$ref", "reference-nowhere"),
    (f"{PLACE}", field("Id") | {"$ref": "https://["}, f"{PLACE}/$ref", "reference-nowhere"),
    ("/$defs/Loop", LOOP, "/$defs/Loop/$ref", "reference-loop"),
    (
        "/$defs/Step/properties/within",
        field("Id") | {"$ref": "#/$defs/Step"},
        "/$defs/Step/properties/within/$ref",
        "reference-loop",
    ),
    (f"{PLACE}/pattern", "[a-z]{1,9}$", f"{PLACE}/pattern", "pattern-unanchored"),
    (f"{PLACE}/pattern", "^(?=a)a$", f"{PLACE}/pattern", "pattern-unreadable"),
    (f"{PLACE}/pattern", "^[a-z]+$", f"{PLACE}/pattern", "pattern-unbounded"),
    (f"{PLACE}/pattern", "^(?:[a-z]{1,9}){1,9}$", f"{PLACE}/pattern", "pattern-slow"),
    ("/allOf/0/if/properties/seen/pattern", "^a*$", "/allOf/0/if/properties/seen/pattern", "pattern-unbounded"),
    ("/$defs/Note/x-vocabulary/version", None, "/$defs/Note/x-vocabulary", "vocabulary-unnamed"),
    ("/$defs/Note/x-vocabulary/id", None, "/$defs/Note/x-vocabulary", "vocabulary-unnamed"),
    ("/$defs/Note/x-vocabulary/version", "1", "/$defs/Note/x-vocabulary", "vocabulary-unnamed"),
    ("/$defs/Note/x-vocabulary/id", 1, "/$defs/Note/x-vocabulary", "vocabulary-unnamed"),
    ("/$defs/Note/x-vocabulary/source", 1, "/$defs/Note/x-vocabulary", "vocabulary-unnamed"),
    ("/$defs/Note/x-vocabulary", "v", "/$defs/Note/x-vocabulary", "vocabulary-unnamed"),
    (
        "/$defs/Note/x-vocabulary",
        SHARED["$defs"]["Theme"]["x-vocabulary"],
        "/$defs/Note/x-vocabulary",
        "vocabulary-twice",
    ),
    (f"{PLACE}/x-vocabulary", {"id": "v", "version": 1, "source": "s"}, "/$defs/Note/x-vocabulary", "vocabulary-twice"),
    (f"{SEEN}/x-labels", None, f"{SEEN}/x-labels", "labels"),
    (f"{SEEN}/x-labels/no", "No.", f"{SEEN}/x-labels", "labels"),
    (f"{SEEN}/x-labels/no", "", f"{SEEN}/x-labels", "labels"),
    (f"{SEEN}/x-labels/no", 7, f"{SEEN}/x-labels", "labels"),
    (f"{SEEN}/x-labels", {"no": "No", "yes": "Yes"}, f"{SEEN}/x-labels", "labels"),
    (f"{PLACE}/x-labels", {}, "", ""),
    ("/x-clear", None, "/x-clear", "clear-malformed"),
    ("/x-clear/at", None, "/x-clear", "clear-malformed"),
    ("/x-clear/at", "visited_at", "/x-clear", "clear-malformed"),
    ("/x-clear/urgent", True, "/x-clear", "clear-malformed"),
    ("/x-clear/names", "/notes", "/x-clear", "clear-malformed"),
    ("/x-clear/facts", {f"f{n}": "/seen" for n in range(17)}, "/x-clear", "clear-malformed"),
    ("/x-clear/facts/note", {"any": []}, "/x-clear", "clear-malformed"),
    ("/x-clear/facts/note", {"all": ["/notes"]}, "/x-clear", "clear-malformed"),
    ("/x-clear/at", "/nothing", "/x-clear/at", "clear-nowhere"),
    ("/x-clear/moments/again_by", "/notes/*/when", "/x-clear/moments/again_by", "clear-nowhere"),
    ("/x-clear/parties/-", "/team/*", "/x-clear/parties/2", "clear-nowhere"),
    ("/x-clear/facts/note", {"any": ["/urgent", "/nothing"]}, "/x-clear/facts/note/any/1", "clear-nowhere"),
    ("/required", ["seen"], "/x-clear/at", "clear-optional"),
    ("/$defs/Step/required", ["owner", "due"], "/x-clear/items/ref", "clear-optional"),
    ("/x-clear/at", "/seen", "/x-clear/at", "clear-kind"),
    ("/x-clear/moments/again_by", "/day", "/x-clear/moments/again_by", "clear-kind"),
    ("/x-clear/parties/-", "/notes/*", "/x-clear/parties/2", "clear-kind"),
    ("/x-clear/urgent", "/seen", "/x-clear/urgent", "clear-kind"),
    ("/x-clear/items/ref", "/owner", "/x-clear/items/ref", "clear-kind"),
    ("/x-clear/items/owner", "/due", "/x-clear/items/owner", "clear-kind"),
    ("/x-clear/items/due", "/owner", "/x-clear/items/due", "clear-kind"),
    ("/x-clear/items/only", {"/state": ["closed"]}, "/x-clear/items/only", "clear-kind"),
    ("/x-clear/items/only", {"/owner": ["a/b"]}, "/x-clear/items/only", "clear-kind"),
    ("/x-clear/facts/note", {"any": ["/stage"]}, "/x-clear/facts/note/any/0", "clear-kind"),
    ("/x-clear/facts/seen", "/place", "/x-clear/facts/seen", "fact-open"),
    ("/x-clear/facts/seen", "/notes", "/x-clear/facts/seen", "fact-open"),
    (f"{SEEN}", field("string", enum=list(OPEN_CODES), **{"x-labels": OPEN_CODES}), "/x-clear/facts/seen", "fact-open"),
    (f"{SEEN}", field("string", enum=["a b"], **{"x-labels": {"a b": "No code"}}), "/x-clear/facts/seen", "fact-open"),
    (f"{STAGE}/maximum", 21, "/x-clear/facts/stage", "fact-open"),
    (f"{STAGE}/minimum", -1, "/x-clear/facts/stage", "fact-open"),
]


def test_a_good_type_passes() -> None:
    """Nothing is found where nothing is wrong, and none of its values is an accident of the table below."""
    assert lint_schema(local_type(), SHARED) == ()


@pytest.mark.parametrize(("member", "value", "place", "rule"), BAD)
def test_what_is_wrong_is_found_at_its_place(member: str, value: Any, place: str, rule: str) -> None:
    """Each change breaks one rule, which is named with the place in the file; what may be done is let be."""
    schema = local_type()
    _put(member, copy.deepcopy(value))(schema)
    found = lint_schema(schema, SHARED)
    assert Problem(place, rule) in found if rule else found == ()


def test_every_rule_has_a_bad_schema() -> None:
    """A rule that nothing breaks might not work."""
    assert {rule for *_, rule in BAD if rule} == RULES.keys()


@pytest.mark.parametrize("schema", [True, [], "text", 7])
def test_a_file_that_holds_no_object_is_refused(schema: Any) -> None:
    """``true`` is a schema to the standard, and lets everything pass."""
    assert lint_schema(schema, SHARED) == (Problem("", "schema-malformed"),)


def test_a_problem_says_where_and_why() -> None:
    """One sentence, for a terminal; the whole file is called by its root."""
    assert Problem("/properties/place", "text-unbounded").message.startswith("/properties/place: a text must")
    assert Problem("", "group-open").message.startswith("/: a group must")


def test_the_file_of_shared_parts_is_held_to_the_same_rules() -> None:
    """A bad part is found once, under its own name, and not in each type that uses it."""
    shared = copy.deepcopy(SHARED)
    shared["$defs"]["Line"]["pattern"] = "^.*$"
    files = {schema["$id"]: schema for schema in map(CATALOGUE.schema, CATALOGUE.types())} | {shared["$id"]: shared}
    assert lint_catalogue(Catalogue(files)) == (("shared/1", Problem("/$defs/Line/pattern", "pattern-unbounded")),)


PATTERNS: list[tuple[str, str | None]] = [
    ("^$", None),
    ("^a?b{2}c{1,3}$", None),
    (r"^\u0041[\u0000-\u001f\]\-.]\n\.[^\t]$", None),
    ("^[-a][a-]$", None),
    ("^(?:ab|cd|)(?:a|b){0,9}$", None),
    ("^(?:ab|ac){1,3}$", None),
    ("^(?:a|a){1,12}$", "pattern-slow"),
    ("^(?:a?){1,3}$", "pattern-slow"),
    ("^(?:a|){1,3}$", "pattern-slow"),
    ("^(?:-[a-z]{1,9}){0,9}$", None),
    ("^(?:[a-z]{1,9}-){0,9}$", None),
    ("^(?:[a-z]{1,9}-?){0,9}$", "pattern-slow"),
    ("^[a-z]{0,60}[a-z0-9]{0,60}$", None),
    ("^[a-z]{0,60}[a-z0-9]{0,60}[a-f]{0,60}$", "pattern-slow"),
    ("^[^a]{0,60}[^b]{0,60}[^c]{0,60}$", "pattern-slow"),
    (r"^\s{0,60}\d{0,60}[\w]{0,60}$", "pattern-slow"),
    (r"^.{0,60}[^\s]{0,60}.{0,60}$", "pattern-slow"),
    ("^a{0,9}|b$", "pattern-unanchored"),
    ("a$", "pattern-unanchored"),
    ("^a", "pattern-unanchored"),
    ("^a*$", "pattern-unbounded"),
    ("^a{2,}$", "pattern-unbounded"),
    ("^a$b$", "pattern-unreadable"),
    ("^a)$", "pattern-unanchored"),
    ("^(?:a$", "pattern-unreadable"),
    ("^(a)$", "pattern-unreadable"),
    ("^a??$", "pattern-unreadable"),
    ("^a{3,1}$", "pattern-unreadable"),
    ("^a{,3}$", "pattern-unreadable"),
    ("^?$", "pattern-unreadable"),
    ("^[]$", "pattern-unreadable"),
    ("^[a$", "pattern-unreadable"),
    ("^[[a]$", "pattern-unreadable"),
    ("^[z-a]$", "pattern-unreadable"),
    (r"^[a-\d]$", "pattern-unreadable"),
    (r"^[\d-z]$", "pattern-unreadable"),
    (r"^\b$", "pattern-unreadable"),
    ("^\\", "pattern-unreadable"),
    ("^" + "a" * 400 + "$", "pattern-unreadable"),
]


@pytest.mark.parametrize(("pattern", "fault"), PATTERNS)
def test_a_slow_or_strange_pattern_is_told_from_a_good_one(pattern: str, fault: str | None) -> None:
    """Decided from the pattern alone, on the safe side."""
    assert find_fault(pattern) == fault


# ---- a partnership's own types


def local_message(**changes: Any) -> Json:
    """Return a message of :func:`local_type`."""
    return {"visited_at": "2026-04-14T09:30:00Z", "seen": "yes", "notes": ["Well."], "team": HEALTH} | changes


def test_a_local_type_is_taken_beside_those_of_the_release() -> None:
    """It is validated and says in clear what its file says, as any other type does."""
    catalogue = Catalogue.load([dump(local_type())])
    assert set(catalogue.types()) == {*CATALOGUE.types(), "local.visit/1"}
    step = {"step_id": an_id("step"), "owner": HEALTH, "due": "2026-04-15T09:30:00Z", "state": "open"}
    message = catalogue.parse("local.visit/1", payload(local_message(steps=[step])))
    clear = catalogue.clear("local.visit/1", message)
    assert (clear.at, clear.parties) == (NOW, (HEALTH,))
    assert clear.facts == {"note": "yes", "seen": "yes"}
    assert [item.ref for item in clear.items] == [an_id("step")]
    assert catalogue.fact_values("local.visit/1")["stage"] == ("1", "2", "3")
    with pytest.raises(MalformedError) as caught:
        catalogue.validate("local.visit/1", local_message(place="nowhere", day="2026-04-14"))
    assert caught.value.code == "message-schema"


def test_a_local_type_that_is_wrong_is_refused_by_place_and_rule() -> None:
    """The first problem is named; nothing of the file is taken."""
    schema = local_type()
    del schema["properties"]["place"]["maxLength"]
    with pytest.raises(MalformedError) as caught:
        Catalogue.load([dump(schema)])
    assert caught.value.code == "schema-lint"
    assert caught.value.message == Problem("/properties/place", "text-unbounded").message


@pytest.mark.parametrize(
    "ident", ["messages/minutes.full/1", "elsewhere/minutes.full/1", "messages/local.visit/1", "messages/shared/1"]
)
def test_a_local_type_takes_the_place_of_no_other(ident: str) -> None:
    """Neither of a type of the release, nor of the shared parts, nor of an earlier file."""
    schema = local_type() | {"$id": f"https://safeguarding-hub.example/{ident}"}
    with pytest.raises(MalformedError) as caught:
        Catalogue.load([dump(local_type()), dump(schema)])
    assert caught.value.code == "schema-twice"


def test_a_schema_file_is_strict_json() -> None:
    """A name that stands twice would be read one way here and another way elsewhere."""
    with pytest.raises(MalformedError) as caught:
        Catalogue.load([b'{"type":"object","type":"string"}'])
    assert caught.value.code == "json-duplicate-member"


def test_the_canonical_text_changes_with_every_rule_and_with_nothing_else() -> None:
    """A digest of it pins the type and each part that it reaches; the order in which a file is written is no rule."""

    def text(*, schema: Json | None = None, shared: Json | None = None) -> bytes:
        files = [schema or local_type(), shared or copy.deepcopy(SHARED)]
        return Catalogue({file["$id"]: file for file in files}).canonical("local.visit/1")

    turned = dict(reversed(local_type().items()))
    assert text(schema=turned) == text()
    changed = local_type()
    changed["properties"]["place"]["maxLength"] = 41
    assert text(schema=changed) != text()
    reached, other = copy.deepcopy(SHARED), copy.deepcopy(SHARED)
    reached["$defs"]["Id"]["maxLength"] = 23
    other["$defs"]["Theme"]["title"] = "Subject"
    assert text(shared=dict(reached)) != text()
    assert text(shared=dict(other)) == text()
    parts = json.loads(text())["shared"]
    assert sorted(parts) == ["Date", "DueDay", "Id", "Instant", "Mailbox"]


def test_the_canonical_text_holds_parts_that_parts_refer_to() -> None:
    """A change of what stands behind a part is a change of the type."""
    parts = json.loads(CATALOGUE.canonical("minutes.full/1"))["shared"]
    assert {"Participant", "Attendance", "Child", "NhsNumber"} <= set(parts)
    with pytest.raises(MalformedError):
        CATALOGUE.canonical("minutes.full/2")
