"""What arrived, as tables beside the message itself: one of its fields, and one for each list in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.base import Incoming
from adapters.pair import lay_out
from adapters.spreadsheet.tables import write_table


def lay_out_tables(message: Incoming) -> dict[str, bytes]:
    """Return the files of a record: what a folder pair has, ``fields.csv``, and ``list-NAME.csv`` for each list of things."""
    files = lay_out(message)
    taken = {name.casefold() for name in files}
    for name, table in _tables(message):
        # A document of the sender's own keeps its name; the message itself is whole without any table.
        if name.casefold() not in taken:
            files[name] = table
    return files


def _tables(message: Incoming) -> Iterator[tuple[str, bytes]]:
    lists = {
        name: value
        for name, value in message.message.items()
        if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value)
    }
    rest = {name: value for name, value in message.message.items() if name not in lists}
    heads = (("type", message.type), ("from", message.sender), *(("handling", mark) for mark in message.marks))
    yield "fields.csv", write_table([("field", "value"), *heads, *_flat(rest)])
    for name, value in sorted(lists.items()):
        rows = [dict(_flat(one)) for one in value]
        columns = list(dict.fromkeys(column for row in rows for column in row))
        yield f"list-{name}.csv", write_table([columns, *[[row.get(one, "") for one in columns] for row in rows]])


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _flat(one, f"{place}/{key}")
    elif isinstance(value, list) and any(isinstance(one, Mapping | list) for one in value):
        for number, one in enumerate(value):
            yield from _flat(one, f"{place}/{number}")
    elif isinstance(value, list):
        yield place, "; ".join(_said(one) for one in value)
    else:
        yield place, _said(value)


def _said(value: Any) -> str:
    if value is None:
        return ""
    return "yes" if value is True else "no" if value is False else str(value)
