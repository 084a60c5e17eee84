"""What is said of answers that are missing or wrong, what follows from them, and how entries are added and taken away."""

from __future__ import annotations

import pytest

from adapters.gateway.inbox.forms.answers import check, list_steps
from adapters.gateway.inbox.forms.fields import Option
from adapters.gateway.inbox.forms.parse import parse_step
from adapters.gateway.inbox.forms.review import show_check
from adapters.gateway.inbox.forms.show import show_step, show_stop
from adapters.gateway.inbox.forms.spec import make_form
from adapters.gateway.inbox.forms.values import Choices, write_step
from schemas.catalogue import Catalogue
from tests.gateway.inbox.forms_support import (
    CATALOGUE,
    FORMS,
    PAGES,
    Page,
    but,
    page_of,
    post,
    render,
    step_of,
    values,
    words_of,
)
from tests.schemas.samples import HEALTH, NOW, POLICE, Json, an_id, message

SHARED = "https://safeguarding-hub.example/messages/shared/1"


def test_what_is_missing_is_said_in_the_writers_words() -> None:
    """Each kind of question says what to do, in the order of the page."""
    assert words_of(post("info.report/1", "what-happened", [])) == [
        "Enter what happened",
        "Choose at least one theme",
        "Enter when you learnt it",
    ]
    assert words_of(post("info.report/1", "people", [])) == ["Add at least one person of concern"]
    assert words_of(post("referral/1", "family", [])) == ["Answer: do the parents know of this referral?"]
    assert words_of(post("incident.notice/1", "main", []))[1] == "Enter when it happened"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("9990000019", "NHS number: the last digit does not fit the others"),
        ("999 000", "NHS number: enter 10 digits"),
        ("999000000x", "NHS number: enter 10 digits"),
    ],
)
def test_an_nhs_number_is_held_to_its_check_digit(typed: str, words: str) -> None:
    """A wrong number is told apart from a short one, and what was typed is shown again."""
    parsed = post("referral/1", "child", values(child__nhs_number=typed, child__name="Robin Sample"))
    assert words in words_of(parsed)
    page = render(show_step(FORMS["referral/1"], step_of("referral/1", "child"), parsed.values, {}, parsed.errors))
    assert ("/child/nhs_number", typed) in page.pairs
    assert ("/child/name", "Robin Sample") in page.pairs


def test_spaces_and_case_are_forgiven() -> None:
    """An NHS number in groups, a pupil number in small letters, a role in words: each is read as it is meant."""
    child = values(
        child__local_id="SC-1", child__name=" Robin Sample ", child__dob__day="6", child__dob__month="May", child__dob__year="2011",
        child__dob_estimated="no", child__nhs_number="999 000 0018", child__nhs_number_status="traced", child__upn="a12345678901b",
        child__address_restricted="no", child__home_la="X99000001", child__address="1 Example Street\r\nSampleton",
    )  # fmt: skip
    read = post("referral/1", "child", child).message["child"]
    assert (read["nhs_number"], read["upn"], read["dob"]) == ("9990000018", "A12345678901B", "2011-05-06")
    assert (read["name"], read["address"]) == ("Robin Sample", "1 Example Street\nSampleton")
    roles = post("meeting.convened/1", "meeting", values(required_roles="social worker\n\nPolice"))
    assert roles.values.first("/required_roles") == "social worker\n\nPolice"
    assert not any(error.pointer == "/required_roles" for error in roles.errors)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (values(submitter__secure_email="kim"), "Secure e-mail: enter it like name@example.org"),
        (
            values(submitter__phone="ring me"),
            "Telephone: enter digits, spaces and brackets only, such as 01632 960 001",
        ),
        (values(submitter__name="x" * 201), "Name: must be 200 characters or fewer"),
    ],
)
def test_what_can_not_be_read_is_told_with_its_rule(pairs: list[tuple[str, str]], words: str) -> None:
    """The sentence names the field and the way out, never what was typed."""
    form = FORMS["info.report.identity/1"]
    parsed = parse_step(form, form.steps[0], pairs, {})
    assert words in words_of(parsed)


def test_numbers_are_whole_and_within_bounds() -> None:
    """Digits within the schema's limits, nothing else."""
    pairs = values(not_seen_days="3661", limit_days="a few")
    found = words_of(parse_step(FORMS["child.not_seen/1"], FORMS["child.not_seen/1"].steps[0], pairs, {}))
    assert "Days not seen: must be 3660 or less" in found
    more = FORMS["child.not_seen/1"].step("more")
    assert more is not None
    assert "Limit: enter a whole number, such as 12" in words_of(parse_step(FORMS["child.not_seen/1"], more, pairs, {}))


def test_an_answer_calls_for_its_reason_under_it() -> None:
    """Yes to "malicious or untrue" needs the reason, which stands under that answer; no doesn't."""
    kind, answers = "info.report/1", {"source_kind": "child", "how_known": "Told.", "source_contactable": "yes"}
    asked = post(kind, "source", values(**answers, believed_false="yes"))
    assert [error.pointer for error in asked.errors] == ["/believed_false_reason"]
    assert post(kind, "source", values(**answers, believed_false="no")).settled
    page = page_of(FORMS[kind], step_of(kind, "source"), {})
    below = page.text.index('id="conditional-f-believed_false"')
    assert below < page.text.index('id="f-believed_false_reason"') < page.text.index('id="f-believed_false-2"')


def test_a_reason_that_stands_beside_another_answer_is_never_hidden() -> None:
    """What would be sent is shown: a reason that was typed, and then the answer changed, stands as a question of its own."""
    said = {"believed_false": False, "believed_false_reason": "An old grudge."}
    page = page_of(FORMS["info.report/1"], step_of("info.report/1", "source"), said)
    assert "conditional" not in page.text
    assert ("/believed_false_reason", "An old grudge.") in page.pairs


def test_two_answers_together_call_for_a_third() -> None:
    """Parents who don't know need a reason, unless the child is in danger now."""
    calm = post("referral/1", "family", values(parents_aware="no"), {"immediate_danger": False})
    assert words_of(calm) == ["Answer: why have they not been told?"]
    assert post("referral/1", "family", values(parents_aware="no"), {"immediate_danger": True}).settled


def test_one_of_two_days_is_asked_for() -> None:
    """A child has a date of birth or an expected one: not neither, not both."""
    day = {"child__dob__day": "1", "child__dob__month": "2", "child__dob__year": "2012"}
    expected = {name.replace("dob", "expected_dob"): text for name, text in day.items()}
    assert "Enter date of birth or expected date of birth" in words_of(
        post("referral/1", "child", values(child__name="R"))
    )
    assert "Enter only one: date of birth or expected date of birth" in words_of(
        post("referral/1", "child", values(**day, **expected))
    )
    unborn = words_of(post("referral/1", "child", values(**expected, child__nhs_number="9990000018")))
    assert "Enter mother" in unborn
    assert "NHS number: leave this empty, because of what you answered to another question" in unborn


def test_a_choice_that_another_answer_forbids_is_dropped() -> None:
    """A radio button can't be unchosen without a script; of an interview that was not offered nothing was accepted."""
    said = message("rhi.result/1")
    pairs = [*write_step(step_of("rhi.result/1", "main"), said).pairs, *values(outcome="not_offered", accepted="yes")]
    pairs = [(name, text) for name, text in pairs if (name, text) != ("/outcome", said["outcome"])]
    parsed = post("rhi.result/1", "main", [*pairs, *values(not_offered_reason="too_late")], said)
    assert parsed.errors == ()
    assert "accepted" not in parsed.message


def test_steps_that_the_answers_rule_out_are_not_shown_and_not_sent() -> None:
    """Minutes by reference only have no steps of content; what was written there stays in the draft and is not sent."""
    form, said = FORMS["minutes.full/1"], message("minutes.full/1")
    by_reference = but(said, variant="reference_only", record_held_by=HEALTH)
    names = [state.step.name for state in list_steps(form, by_reference)]
    assert names == ["record", "discussion", "distribution", "handling"]
    checked = check(CATALOGUE, form, by_reference, new_id=lambda: an_id("x"), now=NOW)
    assert checked.errors == ()
    assert "history" not in checked.message
    assert {"child", "actions"} <= {state.step.name for state in list_steps(form, said)}


def test_the_gate_stops_an_urgent_report_and_says_what_to_do() -> None:
    """Somebody at risk now: no step beyond, call 999, send a referral; nothing of it is in the code."""
    form = FORMS["info.report/1"]
    gate = form.steps[0]
    assert gate.title == "Is a child at risk now?"
    stopped = parse_step(form, gate, values(not_urgent_declared="yes"), {"not_urgent_declared": True})
    assert stopped.stopped is not None
    assert not stopped.settled
    assert "not_urgent_declared" not in stopped.message
    stop = show_stop(stopped.stopped)
    page = PAGES.get_template("forms/stop.html").render(stop=stop, instead_at="/write?kind=referral")
    assert "999" in page
    assert 'href="/write?kind=referral"' in page
    assert [state.reachable for state in list_steps(form, stopped.message)][:2] == [True, False]
    passed = parse_step(form, gate, values(not_urgent_declared="no"), {})
    assert passed.message == {"not_urgent_declared": True}
    assert all(state.reachable for state in list_steps(form, passed.message))
    assert words_of(parse_step(form, gate, [], {})) == ["Choose yes or no: Is a child at risk now?"]
    urgent = but(message("info.report/1"), not_urgent_declared=None)
    checked = check(CATALOGUE, form, urgent, new_id=lambda: an_id("x"), now=NOW)
    assert [error.step for error in checked.errors] == ["not-urgent-declared"]


def test_any_type_with_a_declaration_has_a_gate() -> None:
    """A partnership's own type that must be declared is gated by its schema's own words."""
    schema: Json = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://northmere.example/messages/local.note/1",
        "title": "Local note", "description": "A note.", "type": "object",
        "x-clear": {"at": "/noted_at", "moments": {}, "urgent": False, "parties": [], "facts": {}},
        "properties": {
            "noted_at": {"title": "Noted at", "description": "When.", "$ref": f"{SHARED}#/$defs/Instant"},
            "calm": {"title": "Nothing is on fire", "description": "Else ring.", "type": "boolean", "const": True},
            "part": {"title": "Part", "description": "A part of its own.", "$ref": "#/$defs/Part"},
        },
        "required": ["noted_at", "calm"],
        "additionalProperties": False,
        "$defs": {
            "Part": {
                "title": "Part", "description": "A part.", "type": "object", "required": ["word"], "additionalProperties": False,
                "properties": {"word": {"title": "Word", "description": "One.", "$ref": f"{SHARED}#/$defs/Line"}},
            }
        },
    }  # fmt: skip
    shared = Catalogue.load().shared
    form = make_form(Catalogue({shared["$id"]: shared, schema["$id"]: schema}), "local.note/1")
    assert [step.name for step in form.steps] == ["calm", "main", "part"]
    stopped = parse_step(form, form.steps[0], values(calm="no"), {})
    assert stopped.stopped is not None
    assert stopped.stopped.stop == "Else ring."


def test_mailboxes_are_chosen_from_the_directory() -> None:
    """Any other is refused, but for the one that the draft had already."""
    choices = Choices(mailboxes=(Option(value=HEALTH, words="Health, safeguarding"),))
    kind, rest = "referral/1", {"immediate_danger": "no", "origin": "electronic"}
    refused = post(kind, "danger", values(**rest, referred_to=POLICE), choices=choices)
    assert words_of(refused) == ["Referred to: choose one from the list"]
    assert post(kind, "danger", values(**rest, referred_to=HEALTH), choices=choices).settled
    kept = post(kind, "danger", values(**rest, referred_to=POLICE), {"referred_to": POLICE}, choices=choices)
    assert kept.settled
    page = render(
        show_step(
            FORMS[kind],
            step_of(kind, "danger"),
            write_step(step_of(kind, "danger"), {"referred_to": POLICE}),
            {},
            choices=choices,
        )
    )
    assert ("/referred_to", POLICE) in page.pairs


def test_a_code_outside_the_list_is_refused() -> None:
    """Radios, checkboxes and lists take their own answers only; a national list that is longer takes its codes."""
    gossip = words_of(post("info.report/1", "source", values(source_kind="gossip")))
    assert "Where does the information come from?: choose one from the list" in gossip
    assert "Themes: choose from the list" in words_of(post("info.report/1", "what-happened", values(themes=["gossip"])))
    kind = "education.alert/1"
    step = next(step for step in FORMS[kind].steps if "vulnerabilities" in {one.name for one in step.fields})
    said = message(kind)
    pairs = [pair for pair in write_step(step, said).pairs if not pair[0].startswith("/vulnerabilities")]
    factors = [*pairs, ("/vulnerabilities", "11A"), ("/vulnerabilities/other", "17a 5B")]
    assert post(kind, step.name, factors, said).message["vulnerabilities"] == ["11A", "17A", "5B"]


def test_what_only_the_schema_sees_is_told_at_its_field() -> None:
    """A reply that was begun without the message that it answers says so; a wrong value leads to its step."""
    form, said = FORMS["check.child.response/1"], message("check.child.response/1")
    lost = check(CATALOGUE, form, but(said, check_id=None), new_id=lambda: an_id("x"), now=NOW)
    assert [error.words for error in lost.errors] == ["Check: this comes from the message that you answer. Begin there"]
    kept = check(CATALOGUE, form, {**said, "subject_ref": "x"}, new_id=lambda: an_id("x"), now=NOW)
    assert [error.pointer for error in kept.errors] == ["/subject_ref"]
    report = message("report.published/1")
    timely = [figure for figure in report["figures"] if figure["kind"] != "quality"]
    form = FORMS["report.published/1"]
    unpaired = check(CATALOGUE, form, {**report, "figures": timely}, new_id=lambda: an_id("x"), now=NOW)
    assert [(error.step, error.words) for error in unpaired.errors] == [
        ("figures", "Figures: lacks an entry that must go with the others")
    ]


def test_a_step_that_can_not_be_read_yet_keeps_the_message_back() -> None:
    """What was typed and not understood isn't in the message: the writer is led back to it before sending."""
    form, said = FORMS["info.report/1"], message("info.report/1")
    checked = check(CATALOGUE, form, said, new_id=lambda: an_id("x"), now=NOW, unread=["details"])
    assert [(error.step, error.words) for error in checked.errors] == [
        ("details", "Finish: When, and what else is known")
    ]
    view = show_check(list_steps(form, said), said, base="/write/x/steps", errors=checked.errors)
    assert view.errors == ({"text": "Finish: When, and what else is known", "href": "/write/x/steps/details"},)


def test_the_answers_are_said_in_words_and_by_step() -> None:
    """Codes by their labels, moments in local time, entries by their number; what came with the thread is marked."""
    form, said = FORMS["info.report/1"], message("info.report/1")
    view = show_check(list_steps(form, said), said, base="/write/x/steps", carried={"narrative"})
    text = PAGES.get_template("forms/check.html").render(view=view)
    for words in (
        "Child sexual exploitation<br>Missing", "13 April 2026, 15:00 (BST)", "Person of concern 1: age, roughly", "A child",
        "Person of concern 1, vehicle 1: colour", "From the message that you answer",
    ):  # fmt: skip
        assert words in text
    assert set(Page(text).links) == {f"/write/x/steps/{step.name}" for step in form.steps}
