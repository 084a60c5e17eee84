"""Whether a text that is to be sanitised shows a source that is known here.

It looks for the submitters' names, addresses and numbers, and for the references of reports, in what this gateway still holds.

Source: domain 7.3 (rules), 11 (risk 17).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from adapters.base import Draft
from adapters.gateway import filing
from adapters.gateway.context import Gateway
from adapters.gateway.exports.shapes import fold
from adapters.gateway.handling_policy import HandlingPolicy, Path

# Shorter words and numbers stand in too many texts to show anybody.
_MIN_WORD: Final = 4
_MIN_DIGITS: Final = 7
_NOT_DIGIT: Final = re.compile(r"\D+")


async def find_named(gateway: Gateway, draft: Draft, policy: HandlingPolicy) -> list[Path]:
    """Return where *draft* shows a source in a text that is to be sanitised."""
    texts = [
        (path, text)
        for pointer in policy.sanitised.get(draft.type, ())
        for path, text in _select(draft.message, pointer.split("/")[1:], ())
    ]
    if not texts:
        return []
    needles: set[str] = set()
    for kind, revealing in policy.sources.items():
        for row in await gateway.spool.all("content_of_type", type=kind):
            message = filing.read_content(gateway, row).message
            for pointer in revealing.names:
                for _, name in _select(message, pointer.split("/")[1:], ()):
                    needles |= set(_spellings(name))
            for pointer in revealing.words:
                needles |= {fold(word) for _, word in _select(message, pointer.split("/")[1:], ())}
    return [path for path, text in texts if shows(text, needles)]


def shows(text: str, needles: set[str]) -> bool:
    """Answer whether one of *needles*, folded words, stands in *text*; long numbers however they are grouped."""
    words, digits = f" {fold(text)} ", _NOT_DIGIT.sub("", text)
    for needle in needles:
        if len(needle) >= _MIN_WORD and f" {needle} " in words:
            return True
        number = needle.replace(" ", "")
        if number.isdigit() and len(number) >= _MIN_DIGITS and number in digits:
            return True
    return False


def _spellings(name: str) -> Iterator[str]:
    """Yield how a person may be called: the whole name, the last two words, first and last, last and first."""
    words = fold(name).split()
    yield " ".join(words)
    if len(words) > 1:
        yield " ".join(words[-2:])
        yield f"{words[0]} {words[-1]}"
        yield f"{words[-1]} {words[0]}"


def _select(value: Any, steps: list[str], path: Path) -> Iterator[tuple[Path, str]]:
    if not steps:
        if isinstance(value, str):
            yield path, value
    elif steps[0] == "*":
        for number, one in enumerate(value):
            yield from _select(one, steps[1:], (*path, number))
    elif isinstance(value, Mapping) and steps[0] in value:
        yield from _select(value[steps[0]], steps[1:], (*path, steps[0]))
