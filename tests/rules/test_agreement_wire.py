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
from tests.rules.support import FRAME, SHA, agreement, example, send_rule

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/wire/agreement.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


WHEN = '{ meeting = "strategy", urgent = true, sender = "police", owed = "window", not_owed = "answer", settles = "window" }'
ALARM = """
because = "domain"
owner = "board"
tell = "debtor"
waived_by = "partnership"
waiver_reasons = "duplicate"
warn = ["1 hour before"]
ladder = [{ after = "1 working day", to = "debtor" }]
"""
REST = """
[[types.a.receipts]]
name = "r"
level = "filed"
within = "moment:x"
otherwise = "1 hour"
when = {when}
effective_from = 2026-02-01
effective_to = 2026-03-01
{alarm}
[[types.a.ends]]
because = "domain"
rules = "r"
about = true
when = {when}
[[types.a.rehomes]]
because = "domain"
giver = "sender"
taker = "recipients"
rules = "answer"
when = {when}
[[recurring]]
name = "monthly"
every = "1 month"
starting = 2026-01-01
send = {{ type = "b", by = "role:police", to = "role:gp", within = "5 working days" }}
{alarm}
[[patterns]]
name = "repeat"
because = "domain"
at = "police"
on = "a"
when = {when}
seen = [{{ kind = "k", states = "open", facts = {{ band = "high" }}, overdue = true, least = 3, within = "90 days" }}]
unless = [{{ kind = "k" }}]
send = "a"
to = "role:police"
must_be_empty = true
values = {{ "/ground" = "closure" }}
"""


@lru_cache
def _sample() -> Any:
    frame = FRAME.replace("years = [2018, 2045]", "years = [2026, 2026]")
    frame = 'owner = "board"\nsuppress_below = 7\nwaived_by = ["partnership"]\nwaiver_reasons = ["duplicate"]\n' + frame
    rule = send_rule(
        'all = [{ type = "b", variants = "full", unless_owed = "r" }, { type = "a", by = "creditor" }]; type = []; '
        'within = "moment:x"; otherwise = "1 hour"; per = "re"',
        f"{ALARM}when = {WHEN}\neffective_from = 2026-02-01\neffective_to = 2026-03-01",
    )
    window = send_rule(extra="lapses = true", name="window")
    sample = json.loads(dump(agreement(rule + window + REST.format(alarm=ALARM, when=WHEN), frame)))
    for calendar in sample["calendars"].values():
        calendar["closed"] = calendar["closed"][:2]
        calendar["after_hours"] = "next_day"
    sample["previous"] = SHA
    sample["types"]["a"] |= {"title": "A", "schemas": {"1": SHA, "12": SHA}}
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


def _members(value: Any, form: Any, held: dict[type, set[str]]) -> None:
    """Note in *held* which members of each struct *value*, of the type *form*, has."""
    match form:
        case msgspec.inspect.StructType():
            held.setdefault(form.cls, set()).update(value)
            for field in form.fields:
                if field.encode_name in value:
                    _members(value[field.encode_name], field.type, held)
        case msgspec.inspect.DictType():
            for member in value.values():
                _members(member, form.value_type, held)
        case msgspec.inspect.VarTupleType():
            for member in value:
                _members(member, form.item_type, held)
        case msgspec.inspect.UnionType():
            for one in form.types:
                if isinstance(one, msgspec.inspect.StructType):
                    _members(value, one, held)
        case _:
            pass


def test_the_sample_has_every_member_of_every_struct() -> None:
    """A member that is added to the agreement is judged by the tests below, or this one fails."""
    held: dict[type, set[str]] = {}
    _members(_sample(), msgspec.inspect.type_info(Agreement), held)
    for struct, members in held.items():
        assert {field.encode_name for field in msgspec.structs.fields(struct)} == members, struct


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
    "A" * 22,
    "A" * 43,
    "debtor",
    "1",
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
