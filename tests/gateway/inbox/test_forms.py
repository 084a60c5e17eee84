"""Every message type makes a form that a person can fill in: with labels, in steps, and nothing lost on the way."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import escape

from adapters.gateway.inbox.forms.answers import check, list_steps
from adapters.gateway.inbox.forms.data import DATA
from adapters.gateway.inbox.forms.fields import Field
from adapters.gateway.inbox.forms.parse import parse_step
from adapters.gateway.inbox.forms.review import show_check
from adapters.gateway.inbox.forms.show import show_step
from adapters.gateway.inbox.forms.spec import make_form
from adapters.gateway.inbox.forms.values import write_step
from schemas.identifiers import family_of
from tests.gateway.inbox.forms_support import CATALOGUE, FORMS, PAGES, Page, fill, machine_part, page_of, render
from tests.schemas.samples import NOW, Json, an_id, message

TYPES = sorted(FORMS)


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_makes_a_form_that_asks_for_all_that_it_may_hold(kind: str) -> None:
    """Each field is asked in exactly one step, or filled by the machine, or reserved."""
    form = FORMS[kind]
    asked = Counter(one.name for step in form.steps for one in step.fields)
    assert set(asked.values()) == {1}
    assert set(asked) == {one.name for one in form.root.members if one.asked}
    left = {one.name for one in form.root.members if not one.asked}
    assert all(one.filling or set(one.kinds) & set(DATA.reserved) for one in form.root.members if one.name in left)
    assert len({step.name for step in form.steps}) == len(form.steps)
    assert all(one.title and one.title != "*" for step in form.steps for one in step.fields)


@pytest.mark.parametrize("kind", TYPES)
def test_every_step_renders_with_labels_legends_and_ids_that_are_there_once(kind: str) -> None:
    """Each step of each type, with its sample and blank, is a page on which every box has its own id and a label."""
    form = FORMS[kind]
    for said in (message(kind), {}):
        for step in form.steps:
            page = page_of(form, step, said)
            assert max(Counter(page.ids).values(), default=1) == 1, Counter(page.ids).most_common(3)
            assert page.boxes or page.buttons
            assert {box["id"] for box in page.boxes} <= set(page.labelled)
            assert set(page.described) <= set(page.ids)
            assert page.tags.count("fieldset") == page.tags.count("legend")
            assert all(
                box.get("autocomplete") == "off" for box in page.boxes if box.get("type") in {"text", "email", "tel"}
            )


@pytest.mark.parametrize("kind", TYPES)
def test_a_message_goes_through_the_pages_and_comes_back_the_same(kind: str) -> None:
    """What a browser posts of the rendered pages of a sample is the sample, and it can be sent."""
    form, sample = FORMS[kind], message(kind)
    found = machine_part(form.root, sample)
    for step in form.steps:
        page = page_of(form, step, sample)
        parsed = parse_step(form, step, page.pairs, found)
        assert parsed.settled, (step.name, parsed.errors)
        found = parsed.message
    order = {"factors", "abuse_categories", "themes", "basis_of_concern"}
    assert {**found, **{name: sample[name] for name in order & sample.keys()}} == sample
    checked = check(CATALOGUE, form, found, new_id=lambda: an_id("new"), now=NOW)
    assert (checked.errors, checked.message) == ((), found)


_LINE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)
_TEXT = st.lists(_LINE, min_size=1, max_size=4).map("\n".join)
_MOMENT = (
    st.datetimes().filter(lambda one: 1970 < one.year < 2199).map(lambda one: f"{one.isoformat(timespec='seconds')}Z")
)
_BY_KIND: dict[str, st.SearchStrategy[str]] = {
    "long_text": _TEXT,
    "moment": st.one_of(_MOMENT, _MOMENT.map(lambda one: f"{one[:-1]}.050Z")),
    "day": st.dates().filter(lambda one: 1970 < one.year < 2199).map(lambda one: one.isoformat()),
}


def _vary(draw: Any, one: Field, value: Any) -> Any:
    if not one.asked:
        return value
    if one.kind == "group":
        return {name: _vary(draw, one.member(name), given) for name, given in value.items()}
    if one.entry is not None and one.kind in {"list", "lines"}:
        found = [_vary(draw, one.entry, given) for given in value]
        room = one.schema["maxItems"] - len(found)
        return found + (
            [_vary(draw, one.entry, value[0])] if value and room > 0 and not one.schema.get("uniqueItems") else []
        )
    if "Line" in one.kinds:
        return draw(_LINE)
    return draw(_BY_KIND[one.kind]) if one.kind in _BY_KIND else value


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(TYPES), data=st.data())
def test_whatever_is_written_is_read_as_it_was(kind: str, data: st.DataObject) -> None:
    """Any texts, lines, days and moments, in lists of any length, are read from their boxes as the same message."""
    form = FORMS[kind]
    varied = _vary(data.draw, form.root, message(kind))
    assert fill(form, varied, machine_part(form.root, varied)) == varied


SCRIPT = "</textarea><script>alert(1)</script><b onclick='x'>\"&"


def _script(one: Field, value: Any) -> Any:
    if one.kind == "group":
        return {name: _script(one.member(name), given) for name, given in value.items()}
    if one.entry is not None:
        return [_script(one.entry, given) for given in value]
    return SCRIPT if isinstance(value, str) and one.kind not in {"day", "moment"} else value


@pytest.mark.parametrize("kind", TYPES)
def test_script_in_any_value_is_shown_and_never_run(kind: str) -> None:
    """Whatever a field holds, the page has no element of it; what was typed stands there as it was."""
    form, stored = FORMS[kind], _script(FORMS[kind].root, message(kind))
    for step in form.steps:
        page = page_of(form, step, stored)
        assert "script" not in page.tags
        assert "b" not in page.tags
    states = list_steps(form, stored)
    page = Page(PAGES.get_template("forms/check.html").render(view=show_check(states, stored, base="/write/x/steps")))
    assert "script" not in page.tags
    assert "b" not in page.tags


@pytest.mark.parametrize("kind", TYPES)
def test_errors_are_linked_to_boxes_that_are_there(kind: str) -> None:
    """An empty step tells what is missing; each sentence leads to a box on the page, and stands there too."""
    form = FORMS[kind]
    for step in form.steps:
        parsed = parse_step(form, step, write_step(step, {}).pairs, {})
        page = render(show_step(form, step, parsed.values, {}, parsed.errors))
        assert [link.removeprefix("#") for link in page.links] == [error.anchor for error in parsed.errors]
        assert {error.anchor for error in parsed.errors} <= set(page.ids)
        for error in parsed.errors:
            assert page.text.count(escape(error.words)) >= 2


def test_the_steps_and_words_that_are_named_are_of_fields_that_there_are() -> None:
    """The data beside the code names types and fields of the catalogue, none that was renamed since."""
    families = {family_of(kind): FORMS[kind] for kind in TYPES}
    paths = {f"{family}{one.path}" for family, form in families.items() for one in walk_all(form.root.members)}
    assert set(DATA.titles) | set(DATA.hints) | set(DATA.gates) | set(DATA.defaults) <= paths
    for family, plans in DATA.steps.items():
        names = {one.name for one in families[family].root.members}
        assert {name for plan in plans for name in plan.fields} <= names
    given = DATA.fillings
    for named in (given.new, given.now, given.thread, given.values, given.copies, given.unless):
        assert {f"{family}{path}" for family, found in named.items() for path in found} <= paths


def walk_all(fields: Any) -> Any:
    for one in fields:
        yield one
        yield from walk_all(one.members)
        yield from walk_all(() if one.entry is None else (one.entry,))


def test_a_part_for_police_is_asked_of_police_alone() -> None:
    """The police part of a report is no question for a nurse, and one for an officer."""
    nurse, officer = (make_form(CATALOGUE, "info.report/1", may) for may in ((), ("police",)))
    assert "police_part" not in {one.name for step in nurse.steps for one in step.fields}
    assert "police_part" in {one.name for step in officer.steps for one in step.fields}


def test_identifiers_and_moments_of_writing_are_filled_and_never_asked() -> None:
    """No form asks for an identifier that it makes; a finished report has one, and the moment of sending."""
    form = FORMS["info.report/1"]
    assert not {"report_id", "reported_at", "subject_ref", "attachments"} & {
        one.name for step in form.steps for one in step.fields
    }
    said: Json = {
        name: value for name, value in message("info.report/1").items() if name not in {"report_id", "reported_at"}
    }
    checked = check(CATALOGUE, form, said, new_id=lambda: an_id("new"), now=NOW)
    assert checked.errors == ()
    assert (checked.message["report_id"], checked.message["reported_at"]) == (an_id("new"), "2026-04-14T09:30:00Z")


def test_actions_of_minutes_get_identifiers_and_keep_them() -> None:
    """A new action gets an identifier and the record's; one that was there keeps its own when another is taken away."""
    form = FORMS["minutes.decisions/1"]
    said = message("minutes.decisions/1")
    first, second = said["actions"][0], {**said["actions"][0], "action_id": an_id("second"), "description": "Second."}
    said["actions"] = [first, second]
    step = form.step("actions")
    assert step is not None
    less = parse_step(form, step, [*write_step(step, said).pairs, ("remove", "/actions/0")], said)
    more = parse_step(form, step, [*less.values.pairs, ("add", "/actions")], said)
    boxes = [("/actions/2/description", "New."), ("/actions/2/owner_role", first["owner_role"])]
    day = [
        ("/actions/2/due_at/day", "1"),
        ("/actions/2/due_at/month", "5"),
        ("/actions/2/due_at/year", "2026"),
        ("/actions/2/due_at/time", "10:00"),
    ]
    parsed = parse_step(form, step, [*more.values.pairs, *boxes, *day], said)
    assert parsed.errors == ()
    checked = check(CATALOGUE, form, parsed.message, new_id=lambda: an_id("made"), now=NOW)
    assert checked.errors == ()
    assert [one["action_id"] for one in checked.message["actions"]] == [an_id("second"), an_id("made")]
    assert checked.message["actions"][1]["source_record"] == said["record_id"]
    assert checked.message["actions"][1]["state"] == "assigned"
