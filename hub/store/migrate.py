"""Bring a database to the form that this program has, or say why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hub.store.base import StoreDamagedError
from hub.store.queries import load_migrations, load_queries, statements
from hub.store.session import Connection

# A tree of no leaves, as keys.merkle writes it.
EMPTY_FRONTIER: Final = bytes(8)


def migrate(connection: Connection, execute: Callable[[str], object], words: Mapping[str, str], only: str = "") -> None:
    """Run what migrations are missing, inside the caller's transaction, which keeps other starters out.

    Raises:
        StoreDamagedError: what ran before isn't what this program has: a newer program's database, or an edited file.
    """
    for statement in statements(load_queries()["migration_table"], words):
        execute(statement)
    done = {number: digest for number, _, digest in connection.rows("migrations")}
    known = load_migrations()
    if len(done) > len(known):
        raise StoreDamagedError("the database is of a newer program", "run the newer program, or restore a backup")
    for step in known:
        if step.number in done:
            if done[step.number] != step.sha256:
                raise StoreDamagedError(
                    f"the database was made by another text of {step.name}", "run the program that made it"
                )
            continue
        for statement in statements(step.text, words, only):
            execute(statement)
        values = {"number": step.number, "name": step.name, "sha256": step.sha256}
        connection.run("add_migration", values)
    connection.run("start_log", {"frontier": EMPTY_FRONTIER})
