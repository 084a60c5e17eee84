"""What changed between two versions: said if and only if something did, in words, with every mark."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.base import Document, Incoming
from adapters.conformance import sample_incoming
from adapters.gateway.inbox.reading.changes import Change, compare, is_same
from schemas.catalogue import Catalogue
from tests.schemas import samples

CATALOGUE = Catalogue.load()
TYPES = sorted(samples.MESSAGES)


def changes(before: Incoming, after: Incoming) -> tuple[Change, ...]:
    """Return what changed."""
    return compare(before, after, CATALOGUE.schema(before.type))


def minutes(**changed: Any) -> Incoming:
    """Return full minutes as they came."""
    return sample_incoming(message=samples.message("minutes.full/1", **changed), marks=())


def told(change: Change) -> tuple[str, str, str, str]:
    """Return a change as its reader sees it."""
    sides = [
        "; ".join(value.text for field in side for value in field.values) for side in (change.before, change.after)
    ]
    return change.how, change.where, *sides


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place of *value* at which something stands: what holds it, and under which name or number."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield value, name
            yield from places(one)
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield value, at
            yield from places(one)


@pytest.mark.parametrize("kind", TYPES)
def test_the_same_has_no_changes(kind: str) -> None:
    """A message compared with itself has none."""
    message = sample_incoming(type=kind, message=samples.message(kind))
    assert changes(message, replace(message, message=copy.deepcopy(message.message))) == ()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(TYPES), st.data())
def test_whatever_differs_is_said_and_nothing_else(kind: str, data: st.DataObject) -> None:
    """However one place is changed, taken out, doubled or moved: there are changes exactly if the two differ."""
    before, after = samples.message(kind), samples.message(kind)
    for _ in range(data.draw(st.integers(1, 3))):
        held, name = data.draw(st.sampled_from(list(places(after))))
        act = data.draw(st.sampled_from(["remove", "change", "double", "turn", "keep"]))
        if act == "remove":
            del held[name]
        elif act == "change" and isinstance(held[name], (str, bool, int)):
            old = held[name]
            held[name] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int) else _other(old)
        elif act == "double" and isinstance(held, list):
            held.append(copy.deepcopy(held[name]))
        elif act == "turn" and isinstance(held[name], list):
            held[name].reverse()
        if not after:
            break
    one, two = (sample_incoming(type=kind, message=message) for message in (before, after))
    found = changes(one, two)
    assert (found == ()) == is_same(before, after)
    # Seen from the other side, as much was removed as was added.
    back = changes(two, one)
    assert bool(found) == bool(back)
    for how, other in (("added", "removed"), ("removed", "added")):
        assert sum(each.how == how for each in found) == sum(each.how == other for each in back)


def _other(text: str) -> str:
    return (
        "2031-01-02T03:04:05Z"
        if "T" in text and text.endswith("Z")
        else "2031-01-02"
        if text[:2] == "20"
        else f"{text}x"
    )


def test_fields_are_told_by_their_words_with_before_and_after() -> None:
    """Titles and labels, moments in local time; what came and what went have one side only."""
    before = minutes(legal_steps="None yet.", medical_need=None)
    after = minutes(
        version=2, s47_decision="no", medical_need="X-ray.", started_at="2026-04-14T10:30:00Z", legal_steps=None
    )
    assert [told(one) for one in changes(before, after)] == [
        ("changed", "Version", "1", "2"),
        ("changed", "Started at", "14 April 2026, 10:30 am (BST)", "14 April 2026, 11:30 am (BST)"),
        ("removed", "Legal steps", "None yet.", ""),
        ("added", "Medical need", "", "X-ray."),
        ("changed", "Section 47 enquiry", "Yes", "No"),
    ]


def test_actions_are_held_together_by_their_identifier() -> None:
    """An action that moved up because another went is the same action; the one that went is told whole."""
    one, two, three = (samples.action(name, due_at=f"2026-04-2{at}T16:00:00Z") for at, name in enumerate("abc"))
    before, after = minutes(actions=[one, two]), minutes(actions=[{**two, "state": "complete"}, three])
    found = changes(before, after)
    assert [(each.how, each.where) for each in found] == [
        ("changed", "Actions, Action 1: State"),
        ("added", "Actions, Action 2"),
        ("removed", "Actions, Action 1"),
    ]
    assert told(found[0])[2:] == ("Assigned", "Complete")
    assert "22 April 2026, 5:00 pm (BST)" in told(found[1])[3]


def test_another_order_is_a_change() -> None:
    """Actions in another order say the same and are not the same."""
    one, two = samples.action("a"), samples.action("b")
    assert [told(each) for each in changes(minutes(actions=[one, two]), minutes(actions=[two, one]))] == [
        ("moved", "Actions", "", "")
    ]


def test_entries_without_identifier_are_compared_by_their_place() -> None:
    """What an agency said is changed where it stands; what follows is added."""
    block = {"org": "northmere-health", "author": "A", "content": "B", "info_kind": "fact", "handling_marks": []}
    before = minutes(information_blocks=[block])
    after = minutes(information_blocks=[{**block, "content": "C"}, block])
    assert [told(one)[:2] for one in changes(before, after)] == [
        ("changed", "Information given, Information given 1: Information"),
        ("added", "Information given, Information given 2"),
    ]


@pytest.mark.parametrize("side", [0, 1])
def test_marks_of_either_version_stand_at_the_change(side: int) -> None:
    """A text that was or is marked is not shown without its mark, whole blocks and addresses included."""
    block = {"org": "northmere-health", "author": "A", "content": "B", "info_kind": "fact", "handling_marks": []}
    marked = {**block, "content": "C", "handling_marks": ["tipping_off_risk"]}
    pair = [minutes(information_blocks=[block]), minutes(information_blocks=[marked])]
    found = changes(pair[side], pair[1 - side])
    assert len(found) == 2
    assert all([mark.code for mark in one.marks] == ["tipping_off_risk"] for one in found)
    more = [minutes(information_blocks=[block]), minutes(information_blocks=[block, marked])]
    assert [mark.code for mark in changes(more[side], more[1 - side])[0].marks] == ["tipping_off_risk"]
    moved = [minutes(child=samples.child(address=f"{at} Road", address_restricted=True)) for at in range(2)]
    assert [mark.code for mark in changes(moved[side], moved[1 - side])[0].marks] == ["address_restricted"]


def test_handling_and_documents_are_compared_too() -> None:
    """That a mark went, a basis came, or a document is another under the same name is a change."""
    before = replace(minutes(), marks=("not_for_family",))
    document = before.documents[0]
    after = replace(
        before, marks=(), basis=("CA1989_S47", "CA1989_S17"),
        documents=(replace(document, content=b"other"), Document(name="b\u202e.txt", type="text/plain", content=b"b")),
    )  # fmt: skip
    found = changes(before, after)
    assert [told(one)[:3] for one in found] == [
        ("changed", "Handling mark", "Not for the family"),
        ("changed", "Lawful basis", "Children Act 1989 section 47: enquiry"),
        ("changed", "Document: minutes.pdf", "minutes.pdf"),
        ("added", "Document: b\N{REPLACEMENT CHARACTER}.txt", ""),
    ]
    assert [mark.code for mark in found[0].marks] == ["not_for_family"]


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), ([], {}), ("1", 1), (None, ""), ([1], [1, 1]), ({"a": 0}, {"a": False})]
)
def test_what_only_looks_alike_is_not_the_same(one: Any, other: Any) -> None:
    """`true` is no number, nothing no text."""
    assert not is_same(one, other)
    assert is_same(one, copy.deepcopy(one))
