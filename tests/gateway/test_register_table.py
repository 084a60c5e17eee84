"""The table of effects says nothing that the messages' schemas don't have, and leaves no type out."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.gateway.register.effects import (
    Effect,
    Family,
    concerns,
    find_child,
    load_table,
    read_happenings,
)
from schemas.catalogue import _code, _codes
from schemas.identifiers import family_of
from tests.county import County
from tests.gateway.support import CATALOGUE
from tests.schemas import samples

TABLE = load_table()
TYPES = CATALOGUE.types()
WORDS = {"@child", "@sender", "@thread"}
SAID = {kind: TABLE.types.get(family_of(kind), Family()) for kind in TYPES}
EFFECTS = [(kind, effect) for kind, said in SAID.items() for effect in said.effects]
NAMES = [f"{kind}-{effect.kind}-{effect.do}" for kind, effect in EFFECTS]


def field(kind: str, pointer: str, effect: Effect | None = None) -> Any:
    """Return the schema of the field at *pointer* of a message of *kind*; a missing one is a ``KeyError``."""
    whole = pointer.removeprefix("^") if pointer.startswith("^") or effect is None else effect.each + pointer
    return CATALOGUE._field(CATALOGUE.schema(kind), whole)


def pointers(effect: Effect) -> Iterator[str]:
    """Yield every pointer of *effect*."""
    yield from (pointer for pointer in (*effect.key, *effect.part_of) if pointer not in WORDS)
    yield from effect.where
    yield from filter(None, (effect.at, effect.due, effect.match))
    yield from effect.facts.values()
    yield from effect.sectors.values()
    yield from effect.details.values()


def test_every_type_is_in_the_table_with_what_it_does_or_why_it_does_nothing() -> None:
    """Whoever adds a type must decide."""
    assert set(TABLE.types) == {family_of(kind) for kind in TYPES}
    assert list(TABLE.types) == sorted(TABLE.types)
    for family, said in TABLE.types.items():
        assert bool(said.effects) != bool(said.why_not), family


@pytest.mark.parametrize(("kind", "effect"), EFFECTS, ids=NAMES)
def test_every_pointer_leads_to_a_field(kind: str, effect: Effect) -> None:
    """No effect is lost because a field was misspelt or renamed."""
    for pointer in pointers(effect):
        field(kind, pointer, effect)
    for moment in filter(None, (effect.at, effect.due)):
        assert field(kind, moment, effect)["format"] in {"date", "date-time"}


@pytest.mark.parametrize(("kind", "effect"), EFFECTS, ids=NAMES)
def test_conditions_and_facts_are_codes_of_closed_lists(kind: str, effect: Effect) -> None:
    """A condition names only values that the field can have; nothing but codes is kept in clear."""
    for pointer, allowed in effect.where.items():
        assert {_code(value) for value in allowed} <= set(_codes(field(kind, pointer, effect))), pointer
    for pointer in effect.facts.values():
        assert _codes(field(kind, pointer, effect)), pointer


@pytest.mark.parametrize(("kind", "effect"), EFFECTS, ids=NAMES)
def test_an_effect_is_on_one_entry_or_on_what_belongs_together(kind: str, effect: Effect) -> None:
    """Without a key it only closes; what is a child's own needs a child who can be known."""
    assert effect.key or (effect.part_of and effect.do == "close")
    assert effect.details.keys() <= {"id", "title", "owner", "reason"}


def test_every_child_that_a_message_must_name_is_the_one_in_the_table() -> None:
    """A type that requires a child, and has effects, says where it stands."""
    for kind in TYPES:
        said = SAID[kind]
        if said.child is not None:
            assert {"local_id", "name"} <= set(field(kind, said.child)["properties"])
        elif said.effects:
            assert "child" not in CATALOGUE.schema(kind)["properties"], kind


@pytest.mark.parametrize("kind", [kind for kind, said in SAID.items() if said.effects])
def test_every_sample_has_an_effect(kind: str) -> None:
    """Read by the table, a message of each type does what it says, its child is found, its facts are codes."""
    message = samples.message(kind)
    header = County().seal(kind, "exampleshire-constabulary/exploitation", ["northmere-health/safeguarding"]).header
    assert concerns(TABLE, header)
    found = list(read_happenings(TABLE, header, message, lambda _: "police"))
    said = SAID[kind]
    assert found or kind == "minutes.correction/1"
    assert (find_child(TABLE, header, message) is not None) == (said.child is not None)
    for happening in found:
        assert all(isinstance(code, str) for code in happening.facts.values())
        assert sum((happening.key is not None, happening.own is not None)) <= 1


def test_intelligence_and_its_sources_are_never_registered() -> None:
    """What is about people who may pose a risk, or says who told, stays off every child's record."""
    for family in TABLE.types:
        if family.startswith(("intel.", "info.report")) or family == "rhi.intel":
            assert not TABLE.types[family].effects, family


def test_an_answer_to_a_check_leaves_no_trace_of_what_it_said() -> None:
    """That somebody is not known is not kept; nor that they are."""
    for family in ("check.adult.response", "check.child.response", "check.service.response"):
        assert all(not effect.facts and not effect.details for effect in TABLE.types[family].effects)


def test_the_table_is_packaged() -> None:
    """It stands beside the code that reads it."""
    spec = importlib.util.find_spec("adapters.gateway.register")
    assert spec is not None
    assert spec.origin is not None
