"""Where the references and pointers of schema files lead: to the file's own ``$defs``, or to those of ``shared``.

Source: design 5 (catalogue).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import urljoin

from schemas.validator import Schema

_DEFINITION: Final = re.compile(r"/\$defs/([A-Za-z0-9]{1,64})")

# A file's `$id` and the name of one of its `$defs`.
Target = tuple[str, str]
Documents = Mapping[str, Schema]


def find_target(reference: str, base: str) -> Target | None:
    """Return what *reference*, which stands in the file *base*, names; ``None`` if it isn't of the form that is used."""
    try:
        ident, _, fragment = urljoin(base, reference).partition("#")
    except ValueError:  # not an address at all
        return None
    found = _DEFINITION.fullmatch(fragment)
    return (ident, found[1]) if found else None


def find_references(node: Any) -> Iterator[str]:
    """Yield every ``$ref`` within *node*."""
    if isinstance(node, Mapping):
        for name, member in node.items():
            if name == "$ref" and isinstance(member, str):
                yield member
            else:
                yield from find_references(member)
    elif isinstance(node, list):
        for member in node:
            yield from find_references(member)


def find_reached(node: Any, base: str, documents: Documents) -> set[Target]:
    """Return all that *node*, a part of the file *base*, refers to, directly or through others."""
    reached: set[Target] = set()
    waiting = [(node, base)]
    while waiting:
        part, ident = waiting.pop()
        for reference in find_references(part):
            target = find_target(reference, ident)
            if target is not None and target not in reached and (found := get_definition(target, documents)):
                reached.add(target)
                waiting.append((found, target[0]))
    return reached


def get_definition(target: Target, documents: Documents) -> Schema | None:
    """Return the definition *target*, or ``None`` if there is none."""
    definition: Schema | None = documents.get(target[0], {}).get("$defs", {}).get(target[1])
    return definition


def find_field(schema: Schema, pointer: str, documents: Documents) -> tuple[Schema, bool]:
    """Return the schema of the field at *pointer*, references followed, and whether its group requires it.

    The references of *schema* lead somewhere.

    Raises:
        KeyError: there is no such field.
    """
    base: str = schema["$id"]
    field, required = schema, True
    for step in pointer.split("/")[1:]:
        required = step == "*" or step in field["required"]
        field = field["items"] if step == "*" else field["properties"][step]
        while "$ref" in field:
            base, name = cast("Target", find_target(field["$ref"], base))
            field = documents[base]["$defs"][name]
    return field, required
