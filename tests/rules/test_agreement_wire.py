"""The agreement's JSON Schema and its struct judge alike, so that other languages can read what is signed."""

from __future__ import annotations

import copy
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.agreement import Agreement
from schemas.strict_json import dump
from tests.rules.support import FRAME, agreement, example, send_rule

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/wire/agreement.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


@lru_cache
def _sample() -> Any:
    frame = FRAME.replace("years = [2018, 2045]", "years = [2026, 2026]")
    rules = send_rule(
        'variants = "full"; within = "moment:x"; otherwise = "1 hour"',
        'because = "domain"\nwhen = { meeting = "strategy", urgent = true, sender = "police" }\n'
        'warn = ["1 hour before"]\n'
        'ladder = [{ after = "1 working day", to = "debtor" }]',
    )
    receipts = '\n[[types.a.receipts]]\nname = "r"\nlevel = "filed"\nwithin = "1 hour"\ntell = "debtor"\n'
    sample = json.loads(dump(agreement(rules + receipts, frame)))
    for calendar in sample["calendars"].values():
        calendar["closed"] = calendar["closed"][:2]
        calendar["after_hours"] = "next_day"
    return sample


def _struct_accepts(value: Any) -> bool:
    try:
        msgspec.convert(value, Agreement, strict=True)
    except msgspec.ValidationError:
        return False
    return True


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, member in members for place in _places(member, (*path, key)))]


def test_the_schema_is_a_schema_and_accepts_the_shipped_agreement() -> None:
    """What is signed for Exampleshire conforms, and the schema is sound itself."""
    Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(json.loads(dump(example())))
    VALIDATOR.validate(_sample())
    assert _struct_accepts(_sample())


STRANGE = [
    0,
    -1,
    1,
    5,
    7,
    8,
    1_439,
    1_440,
    2**53,
    "",
    "x",
    "x y",
    "a" * 65,
    "a" * 90,
    "2026-01-01",
    "2026-1-1",
    True,
    [],
    ["x"],
    {},
    {"x": 1},
]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_schema_and_struct_give_one_verdict(data: st.DataObject) -> None:
    """A member altered, removed, added or repeated is refused by both or by neither."""
    altered = copy.deepcopy(_sample())
    *way, last = data.draw(st.sampled_from([place for place in _places(altered) if place]))
    parent = altered
    for key in way:
        parent = parent[key]
    match data.draw(st.sampled_from(["alter", "remove", "add"])):
        case "alter":
            parent[last] = data.draw(st.sampled_from(STRANGE))
        case "remove":
            del parent[last]
        case _ if isinstance(parent, dict):
            parent["unknown"] = data.draw(st.sampled_from(STRANGE))
        case _:
            parent.append(copy.deepcopy(parent[last]))
    assert _struct_accepts(altered) is VALIDATOR.is_valid(altered)
