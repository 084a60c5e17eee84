"""No message keeps a gateway busy, and both sides judge a message alike."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pytest

from schemas.catalogue import MAX_MESSAGE, Catalogue
from schemas.strict_json import MalformedError, dump
from schemas.validator import BUDGET, Validator
from tests.schemas.samples import message

CATALOGUE = Catalogue.load()
TYPES = CATALOGUE.types()


def _validator(message_type: str) -> Validator:
    return Validator(CATALOGUE.schema(message_type), CATALOGUE._registry)


def _fill(message_type: str, value: Any, pointer: str = "") -> Any:
    """Return *value* with every list filled to its bound by repeating its first entry."""
    if isinstance(value, dict):
        return {name: _fill(message_type, member, f"{pointer}/{name}") for name, member in value.items()}
    if not isinstance(value, list) or not value:
        return value
    field = CATALOGUE._field(CATALOGUE.schema(message_type), pointer)
    if field.get("uniqueItems"):
        return value
    return [*value, *[_fill(message_type, value[0], f"{pointer}/*")] * (field["maxItems"] - len(value))]


@pytest.mark.parametrize("message_type", TYPES)
def test_a_legal_message_takes_few_steps(message_type: str) -> None:
    """A sample takes less than a hundredth of what is allowed; with every list full, not all."""
    validator = _validator(message_type)
    assert 0 < validator.count_steps(message(message_type)) < BUDGET / 100
    full = _fill(message_type, message(message_type))
    assert len(dump(full)) < MAX_MESSAGE
    assert validator.count_steps(full) < BUDGET * 3 / 4
    CATALOGUE.validate(message_type, full)


DEEP: Any = {"const": 1}
for _ in range(24):
    DEEP = {"anyOf": [DEEP, DEEP]}

# (what is hostile, schema or type, value)
HOSTILE: list[tuple[str, Any, Any]] = [
    ("a huge list of texts", "minutes.full/1", message("minutes.full/1", abuse_categories=["neglect"] * 500_000)),
    ("a huge list of groups", "minutes.full/1", message("minutes.full/1", adults=[{}] * 500_000)),
    ("a group of many names", "minutes.full/1", dict.fromkeys(map(str, range(600_000)), 1)),
    ("groups to compare", {"uniqueItems": True}, [{"n": n} for n in range(2_000)]),
    ("alternatives in alternatives", DEEP, 2),
    ("long texts for a pattern", {"items": {"pattern": "^[a-z]{0,60000}$"}}, ["a" * 50_000] * 1_000),
    ("long texts for a format", {"items": {"format": "email"}}, ["@" * 50_000] * 1_000),
    ("names to be tested", {"propertyNames": {"maxLength": 9}}, dict.fromkeys(map(str, range(600_000)), 1)),
    ("an entry to be found", {"contains": {"const": 1}}, [0] * 600_000),
    ("long lists of codes", {"items": {"enum": [str(n) for n in range(4_000)]}}, ["3999"] * 2_000),
    ("chains of references", {"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"type": "integer"}}}, [1] * 100_000),
    ("many fields", {"items": {"properties": {f"p{n}": {} for n in range(4_000)}}}, [{}] * 2_000),
]


@pytest.mark.parametrize(("schema", "value"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_hostile_message_is_given_up_early(schema: Any, value: Any) -> None:
    """It stops at the same step on every machine, long before anybody waits for it."""
    validator = _validator(schema) if isinstance(schema, str) else Validator(schema)
    started = time.process_time()
    with pytest.raises(MalformedError) as caught:
        validator.first_error(value)
    assert caught.value.code == "message-too-costly"
    # One or two seconds; measuring coverage makes everything ten times slower.
    assert time.process_time() - started < 8 or sys.gettrace() is not None


def test_a_catalogue_gives_up_too() -> None:
    """The refusal reaches whoever composes or opens, and names neither field nor value."""
    with pytest.raises(MalformedError) as caught:
        CATALOGUE.validate("minutes.full/1", message("minutes.full/1", actions=[{}] * 500_000))
    assert caught.value.code == "message-too-costly"


def test_a_list_of_texts_is_not_compared_each_with_each() -> None:
    """Two thousand references in a list without repeats are nothing unusual."""
    validator = Validator({"uniqueItems": True})
    assert validator.count_steps([str(number) for number in range(2_000)]) < BUDGET / 100
    assert validator.first_error(["a", "b", "a"]) is not None
    assert validator.first_error("aa") is None


def test_both_sides_count_alike() -> None:
    """The count follows from the message: written anew, its members in another order, it costs the same."""
    sample = message("minutes.full/1")
    validator = _validator("minutes.full/1")
    turned = json.loads(json.dumps(dict(reversed(sample.items()))))
    assert validator.count_steps(sample) == validator.count_steps(turned)


def test_the_limit_is_exact() -> None:
    """A message is judged with as many steps as it takes, and with one fewer it is not."""
    sample = message("minutes.full/1")
    validator = _validator("minutes.full/1")
    steps = validator.count_steps(sample)
    assert validator.first_error(sample, budget=steps) is None
    with pytest.raises(MalformedError):
        validator.first_error(sample, budget=steps - 1)
    # Each call has a count of its own.
    assert validator.first_error(sample, budget=steps) is None
