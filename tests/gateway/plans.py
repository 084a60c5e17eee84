"""What a statement of the spool or the register reads, by SQLite's own plan."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping

_INDEX = re.compile(r"USING (?:COVERING )?INDEX (\w+)")


def read_whole(queries: Mapping[str, str], name: str) -> list[str]:
    """Return the steps of the statement *name* that read a table or an index from end to end.

    An index over a part of a table is no such thing: those hold what waits, or what has content still.
    """
    with sqlite3.connect(":memory:") as database:
        database.executescript(queries["schema"])
        partial = {
            index
            for index, sql in database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
            if sql and " WHERE " in sql
        }
        values = dict.fromkeys(re.findall(r":(\w+)", queries[name]), 0)
        steps = [str(row[3]) for row in database.execute(f"EXPLAIN QUERY PLAN {queries[name]}", values)]
    database.close()
    return [
        step
        for step in steps
        if step.startswith("SCAN") and ((found := _INDEX.search(step)) is None or found[1] not in partial)
    ]
