"""Entries of lists that are added and taken away, and values that nobody is asked for: from the thread, or the machine's."""

from __future__ import annotations

import pytest

from adapters.gateway.inbox.forms.answers import check, find_next, list_steps
from adapters.gateway.inbox.forms.filling import carry
from adapters.gateway.inbox.forms.show import show_step
from adapters.gateway.inbox.forms.values import Values
from tests.gateway.inbox.forms_support import CATALOGUE, FORMS, but, page_of, post, render, step_of, values, words_of
from tests.schemas.samples import NOW, an_id, message


def test_entries_are_added_and_taken_away_by_buttons() -> None:
    """The buttons change the boxes alone: what was typed in the others stays, in its place."""
    kind, step = "info.report/1", step_of("info.report/1", "people")
    blank = page_of(FORMS[kind], step, {})
    assert ("add", "/subjects") in blank.buttons
    assert blank.buttons[0] == ("", "")
    typed = [("entries", "/subjects/0"), *values(subjects__0__occupation="Driver")]
    more = post(kind, "people", [*typed, ("add", "/subjects")])
    assert (more.focus, more.values.keys("/subjects")) == ("f-subjects-1-ref", [0, 1])
    car = post(kind, "people", [*more.values.pairs, ("add", "/subjects/1/vehicles")])
    page = render(show_step(FORMS[kind], step, car.values, {}))
    assert {("add", "/subjects/1/vehicles"), ("remove", "/subjects/1/vehicles/0")} <= set(page.buttons)
    assert ("/subjects/0/occupation", "Driver") in page.pairs
    less = post(kind, "people", [*car.values.pairs, *values(subjects__1__occupation="Cook"), ("remove", "/subjects/0")])
    assert less.values.keys("/subjects") == [1]
    read = post(kind, "people", list(less.values.pairs))
    assert read.message == {"subjects": [{"occupation": "Cook"}]}


@pytest.mark.parametrize("pointer", ["/actions", "/subjects/7/vehicles", "/subjects/0/names", "", "x", "/subjects/x"])
def test_a_button_that_is_not_on_the_page_does_nothing(pointer: str) -> None:
    """A pointer to no list of the step adds and takes nothing away."""
    typed = [("entries", "/subjects/0"), *values(subjects__0__occupation="Driver")]
    for button in ("add", "remove"):
        found = post("info.report/1", "people", [*typed, (button, pointer)])
        assert found.values.keys("/subjects") == [0]
        assert found.values.first("/subjects/0/occupation") == "Driver"


def test_boxes_of_other_steps_and_of_no_field_are_not_read() -> None:
    """What a page didn't ask can't be posted to it: other steps, what the machine fills, what is reserved."""
    pairs = values(
        narrative="It happened.", themes=["CSE"], obtained_at__day="1", obtained_at__month="4", obtained_at__year="2026",
        obtained_at__time="9:00", report_id="x", police_part__grade="1A", believed_false="yes", nonsense="1",
    )  # fmt: skip
    assert set(post("info.report/1", "what-happened", pairs).message) == {"narrative", "themes", "obtained_at"}


def test_no_more_entries_than_the_schema_allows() -> None:
    """The button is gone at the limit, and pressing it all the same says so."""
    entries = [("entries", f"/subjects/{key}") for key in range(16)]
    assert words_of(post("info.report/1", "people", [*entries, ("add", "/subjects")])) == [
        "People of concern: there may be 16 at most"
    ]
    page = render(show_step(FORMS["info.report/1"], step_of("info.report/1", "people"), Values(tuple(entries)), {}))
    assert ("add", "/subjects") not in page.buttons


def test_an_answer_takes_what_the_message_says_already_and_asks_it_no_more() -> None:
    """A reply has the identifier and the child of what it answers; the step of the child is done from the beginning."""
    request = message("check.child.request/1")
    form = FORMS["check.child.response/1"]
    assert form.of_thread == ("/check_id",)
    assert carry(form, "check.child.request/1", request)["check_id"] == request["check_id"]
    held = message("meeting.held/1")
    minutes = carry(FORMS["minutes.decisions/1"], "meeting.held/1", held)
    assert (minutes["meeting_id"], minutes["started_at"], minutes["participants"]) == (
        held["meeting_id"],
        held["held_at"],
        held["participants"],
    )
    referral = message("referral/1")
    offer = carry(FORMS["handover.offer/1"], "referral/1", referral)
    assert offer == {"child": referral["child"]}
    states = list_steps(FORMS["handover.offer/1"], offer)
    assert [state.done for state in states if state.step.name == "child"] == [True]
    after = find_next(states)
    assert after is not None
    assert after.name == "main"
    cut = carry(FORMS["exploitation.marker/1"], "referral/1", referral)["child"]
    assert set(cut) <= {"local_id", "name", "dob", "expected_dob", "nhs_number", "nhs_number_status"}


def test_a_new_version_begins_with_the_old_one() -> None:
    """Its number is one higher, all else is there, and the moment of writing is still open."""
    old = message("minutes.full/1")
    assert carry(FORMS["minutes.full/1"], "minutes.full/1", old) == {**old, "version": 2}
    report = message("info.report/1")
    assert "reported_at" not in carry(FORMS["info.report/1"], "info.report/1", report)


def test_an_unknown_person_is_an_entry_and_an_empty_form_of_a_child_is_none() -> None:
    """Adding somebody of whom nothing is known says that there is somebody; a blank optional entry says nothing."""
    entry = [("entries", "/subjects/0")]
    assert post("info.report/1", "people", entry).message == {"subjects": [{}]}
    assert post("info.report/1", "children", [("entries", "/children/0")]).message == {}
    parsed = post(
        "meeting.held/1",
        "participants",
        [("entries", "/participants/0"), ("entries", "/participants/1"), *values(participants__1__name="Sam Specimen")],
    )
    assert {error.anchor for error in parsed.errors} >= {"f-participants-1-role", "f-participants-1-org"}
    assert words_of(parsed)[0].startswith("Participant 1: ")


def test_a_list_that_may_be_empty_is_there_when_it_must_be() -> None:
    """No open actions is an answer: the list is sent, without an entry."""
    form = FORMS["closure.intent/1"]
    said = but(message("closure.intent/1"), open_actions=None, open_rhis=None, missing_minutes=None)
    checked = check(CATALOGUE, form, said, new_id=lambda: an_id("x"), now=NOW)
    assert checked.errors == ()
    assert [checked.message[name] for name in ("open_actions", "open_rhis", "missing_minutes")] == [[], [], []]


def test_a_referral_on_paper_has_its_own_time_and_an_electronic_one_the_moment_of_sending() -> None:
    """The moment is asked of paper and telephone alone; the time of entering is the machine's."""
    form, said = (
        FORMS["referral/1"],
        but(message("referral/1"), referred_at=None, recorded_at=None, immediate_danger=False),
    )
    paper = check(CATALOGUE, form, {**said, "origin": "paper"}, new_id=lambda: an_id("x"), now=NOW)
    assert [error.words for error in paper.errors] == ["Answer: when was it written or taken?"]
    timed = check(
        CATALOGUE,
        form,
        {**said, "origin": "paper", "referred_at": "2026-04-13T09:00:00Z"},
        new_id=lambda: an_id("x"),
        now=NOW,
    )
    assert timed.errors == ()
    assert timed.message["recorded_at"] == "2026-04-14T09:30:00Z"
    electronic = check(CATALOGUE, form, {**said, "origin": "electronic"}, new_id=lambda: an_id("x"), now=NOW)
    assert electronic.errors == ()
    assert electronic.message["referred_at"] == "2026-04-14T09:30:00Z"
