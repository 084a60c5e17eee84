"""What goes where on a page that is read, and what each mark asks of its reader: ``table.json`` as values.

Source: domain 9.4; issue of the inbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.envelope import Struct
from schemas.identifiers import Code


class Table(Struct, frozen=True, kw_only=True):
    """The whole table, with its owner and the day from which it holds.

    ``record_kinds`` and ``record_fields``: what only a record system needs.  ``prose_kinds``: what is read as text under
    a heading of its own.  ``named_by``: what names an entry of a list.  ``identified_by``: what says that two entries of
    two versions are the same one.  ``means``: what a mark asks, in one or two sentences.
    """

    owner: str
    from_: Annotated[str, Meta(pattern=r"\A\d{4}-\d{2}-\d{2}\Z")] = msgspec.field(name="from")
    record_kinds: frozenset[Code]
    record_fields: frozenset[Code]
    prose_kinds: frozenset[Code]
    named_by: tuple[Code, ...]
    identified_by: tuple[Code, ...]
    means: Mapping[Code, str]


@cache
def load_table() -> Table:
    """Return the table that ships with the gateway."""
    raw = files("adapters.gateway.inbox.reading").joinpath("table.json").read_bytes()
    return msgspec.json.decode(raw, type=Table)
