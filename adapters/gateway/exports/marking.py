"""Which handling marks hold for a part of a message, and what of a text can be shown at all.

Used by copies that go out (:mod:`adapters.gateway.exports.sheet`) and by pages that are read here.

Source: domain 9.4.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any, Final

from adapters.gateway.exports.policy import Policy
from adapters.gateway.exports.shapes import labels

MARKS: Final = "handling_marks"
RESTRICTED: Final = "address_restricted"
# What steers a terminal or turns the reading direction.
_STEERING: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def marks_of(value: Mapping[str, Any], policy: Policy) -> frozenset[str]:
    """Return the marks of one group of fields itself: those it bears, and those that its kind of information implies."""
    implied = (
        mark for name, by_value in policy.implied.items() if (mark := by_value.get(str(value.get(name)))) is not None
    )
    return frozenset([*value.get(MARKS, ()), *implied])


def in_order(marks: Container[str]) -> tuple[str, ...]:
    """Return *marks* in the order of their list, each once."""
    return tuple(mark for mark in labels("HandlingMark") if mark in marks)


def clean(text: str) -> str:
    """Return *text* with what would steer a terminal or turn the reading direction replaced; lines and tabs stay."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def groups(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every group of fields in *value*, outermost first."""
    if isinstance(value, Mapping):
        yield value
        for one in value.values():
            yield from groups(one)
    elif isinstance(value, list):
        for one in value:
            yield from groups(one)


def has_restricted(content: Mapping[str, Any]) -> bool:
    """Answer whether an address anywhere in *content* is restricted."""
    return any(one.get(RESTRICTED) is True or RESTRICTED in one.get(MARKS, ()) for one in groups(content))
