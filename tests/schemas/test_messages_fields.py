"""What is required is asked for at any depth, and some fields are kept out of some messages."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.strict_json import MalformedError
from tests.schemas.samples import MESSAGES, message

CATALOGUE = Catalogue.load()
TYPES = CATALOGUE.types()


def _groups(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        yield path
        for name, member in value.items():
            yield from _groups(member, (*path, name))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _groups(member, (*path, number))


def _required(message_type: str, path: tuple[str | int, ...]) -> list[str]:
    pointer = "".join("/*" if isinstance(step, int) else f"/{step}" for step in path)
    schema = CATALOGUE._field(CATALOGUE.schema(message_type), pointer)
    names: list[str] = schema["required"]
    return names


def _missing() -> Iterator[tuple[str, tuple[str | int, ...], str]]:
    for message_type in TYPES:
        for path in _groups(message(message_type)):
            for name in _required(message_type, path):
                yield message_type, path, name


@pytest.mark.parametrize("message_type", TYPES)
def test_a_required_field_that_is_missing_is_named(message_type: str) -> None:
    """At any depth of the sample, leaving out what is required is refused, and the field is named."""
    cases = [(path, name) for kind, path, name in _missing() if kind == message_type]
    assert cases
    for path, name in cases:
        broken = message(message_type)
        group: Any = broken
        for step in path:
            group = group[step]
        del group[name]
        with pytest.raises(MalformedError) as caught:
            CATALOGUE.validate(message_type, broken)
        assert f"`{name}`" in caught.value.message or "has fewer than" in caught.value.message


def test_each_part_is_in_some_sample() -> None:
    """Every group of fields of the newer types stands in a sample, so that the tests over samples reach it."""
    reached = {
        CATALOGUE._field(CATALOGUE.schema(kind), "".join("/*" if isinstance(s, int) else f"/{s}" for s in path))[
            "title"
        ]
        for kind in MESSAGES
        for path in _groups(message(kind))
    }
    shared = CATALOGUE._registry.contents("https://safeguarding-hub.example/messages/shared/1")["$defs"]
    parts = {part["title"] for part in shared.values() if part.get("type") == "object"}
    # Of minutes and reports; test_catalogue holds them.
    assert parts - reached <= {"Missing agency", "Dissent", "Attached document", "Agency", "Redaction"}


def test_no_answer_to_the_at_risk_list_tells_who_came() -> None:
    """Young people are not deterred: attendance at a clinic has no field to flow back in (domain 11, risk 21)."""
    answer = set(CATALOGUE.schema("risklist.ack/1")["properties"])
    common = {"recorded_at", "subject_ref", "do_not_disclose_to", "embargo_until", "attachments"}
    assert answer - common == {"list_id", "version", "loaded_at", "loaded_by"}
    query = CATALOGUE.schema("risklist.query/1")["properties"]
    assert set(query) == {"list_id", "version", "asked_at", "points"}
    # A text of one length that begins as a point of the curve does: no reference, no name, no number has room in it.
    point = CATALOGUE.field("risklist.query/1", "/points/*")
    assert (point["minLength"], point["maxLength"], point["pattern"]) == (44, 44, "^A[g-z0-9_-][A-Za-z0-9_-]{42}$")


def test_the_intelligence_part_of_an_interview_has_no_place_in_its_result() -> None:
    """Plan and intelligence go two ways: what is for police can't be filed with the plan by mistake."""
    result, intel = (set(CATALOGUE.schema(f"rhi.{verb}/1")["properties"]) for verb in ("result", "intel"))
    assert "intel_part" in intel - result
    assert "plan_part" in result - intel


def test_the_largest_messages_are_checked_in_good_time() -> None:
    """A full list and a full chronology, every entry valid, take well under two seconds each."""
    entry = message("risklist.publish/1")["entries"][0]
    entries = [entry | {"match_key": f"{number:043d}"} for number in range(2000)]
    withdrawals = [f"{number:043d}" for number in range(2000, 4000)]
    rows = message("chronology.response/1")["rows"] * 1000
    for message_type, changes in (
        ("risklist.publish/1", {"entries": entries, "withdrawals": withdrawals}),
        ("chronology.response/1", {"rows": rows}),
    ):
        started = time.process_time()
        CATALOGUE.validate(message_type, message(message_type, **changes))
        assert time.process_time() - started < 2 or sys.gettrace() is not None
