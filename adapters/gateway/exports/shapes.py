"""The words of the message schemas: titles, labels, and which shared definition a field follows.

Source: design 5 (schemas/messages).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

Schema = Mapping[str, Any]
_YES_NO: Final = {True: "yes", False: "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One field: its title, the shared definitions that it follows (``Address``, ``Text``), and its resolved schema."""

    title: str
    kinds: tuple[str, ...]
    schema: Schema

    def fields(self) -> Iterator[tuple[str, Shape]]:
        """Yield the members of a group of fields, in the order of the schema."""
        for name, field in self.schema.get("properties", {}).items():
            yield name, shape_of(field)

    @property
    def element(self) -> Shape:
        """Return what each entry of a list is."""
        return shape_of(self.schema["items"])

    def say(self, value: Any) -> str:
        """Return one plain value as people read it."""
        if isinstance(value, bool):
            return _YES_NO[value]
        if "Instant" in self.kinds:
            day, _, time = str(value).partition("T")
            return f"{day} {time.removesuffix('Z')} UTC"
        return str(self.schema.get("x-labels", {}).get(value, value))


@cache
def definitions() -> Schema:
    """Return what the message schemas share, by name."""
    text = files("schemas").joinpath("messages/shared.schema.json").read_text("utf-8")
    found: Schema = json.loads(text)["$defs"]
    return found


def shape_of(field: Schema) -> Shape:
    """Return *field* with its references followed; the outermost title stands."""
    kinds: list[str] = []
    schema = field
    while "$ref" in schema:
        kinds.append(schema["$ref"].rpartition("/")[2])
        schema = definitions()[kinds[-1]]
    return Shape(title=field.get("title", schema.get("title", "")), kinds=tuple(kinds), schema=schema)


def fold(text: str) -> str:
    """Return the words of *text* as they are compared: no case, no punctuation, one space between."""
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def labels(name: str) -> Mapping[str, str]:
    """Return the codes of the shared list *name* with the words for them, in its order."""
    schema = definitions()[name]
    return {code: schema.get("x-labels", {}).get(code, code) for code in schema["enum"]}


def words_for(schema: Schema, path: tuple[str | int, ...]) -> str:
    """Return where *path* leads in a message of *schema*, in the words that people see: ``Items, entry 2``."""
    shape, words = shape_of(schema), []
    for step in path:
        if isinstance(step, int):
            shape = shape.element
            words.append(f"entry {step + 1}")
        else:
            shape = shape_of(shape.schema["properties"][step])
            words.append(shape.title)
    return ", ".join(words) or "the message"
