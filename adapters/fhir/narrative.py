"""A message as a FHIR narrative: what people read where a system shows no attachment.

Source: FHIR R4 2.10 (Narrative: basic XHTML, no active content).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from adapters.base import Incoming


def write_narrative(message: Incoming) -> dict[str, str]:
    """Return the narrative of *message*, its handling marks first."""
    marks = "".join(f"<p><b>Handling: {_words(mark)}</b></p>" for mark in message.marks)
    head = f"<p>{_words(message.type)} from {_words(message.sender)}, {_words(message.classification)}</p>"
    body = "".join(_items(message.message))
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{head}{marks}{body}</div>'}


def _items(value: Any) -> Iterator[str]:
    if not value and isinstance(value, Mapping | list):
        return
    if isinstance(value, Mapping):
        yield "<ul>"
        for key, one in value.items():
            yield f"<li>{_words(key.replace('_', ' '))}: {''.join(_items(one))}</li>"
        yield "</ul>"
    elif isinstance(value, list):
        yield "<ol>"
        for one in value:
            yield f"<li>{''.join(_items(one))}</li>"
        yield "</ol>"
    elif value is not None:
        yield _words("yes" if value is True else "no" if value is False else str(value))


def _words(text: str) -> str:
    # XML has no place for most control characters, however they are written.
    return escape("".join(c if c in "\t\n" or c.isprintable() else " " for c in text))
