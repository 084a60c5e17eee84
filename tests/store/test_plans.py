"""No statement walks a table from end to end, on either database."""

from __future__ import annotations

import re
import sqlite3

import pytest

from hub.store.base import open_store
from hub.store.queries import SQLITE, load_migrations, load_queries, statements
from tests.postgres import Server

# One row, or read once at start or by the backup: see the remarks beside them in queries.sql.
WHOLE = {"migrations", "migration_table", "body_files"}
QUERIES = load_queries()
PARAMETER = re.compile(r":([a-z_]\w*)")


@pytest.fixture(scope="module")
def empty() -> sqlite3.Connection:
    """Give a database in memory with every table, and no statistics: the plan is the same with any rows in it."""
    connection = sqlite3.connect(":memory:")
    connection.execute(QUERIES["migration_table"])
    for step in load_migrations():
        for statement in statements(step.text, SQLITE):
            connection.execute(statement)
    return connection


def _values(query: str) -> dict[str, int]:
    return dict.fromkeys(PARAMETER.findall(query), 1)


@pytest.mark.parametrize("name", sorted(set(QUERIES) - WHOLE))
def test_sqlite_searches_by_an_index(empty: sqlite3.Connection, name: str) -> None:
    """The planner neither scans nor sorts."""
    query = QUERIES[name]
    plan = [row[3] for row in empty.execute(f"EXPLAIN QUERY PLAN {query}", _values(query))]
    ordered = name in {"last_checkpoint", "last_cosigned"}  # the end of an index: one step
    assert not any(step.startswith("SCAN") for step in plan) or ordered, plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


@pytest.mark.needs_postgres
async def test_postgres_has_an_index_for_every_statement(postgres: Server) -> None:
    """Forbidden to scan, PostgreSQL still finds a way for each statement; it scans only where there is none."""
    with postgres.database() as url:
        await open_store(url).close()
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET enable_seqscan = off")
            for name in sorted(set(QUERIES) - WHOLE):
                # Numbered parameters: with NULL in their place the planner would see that nothing can be found.
                names = list(dict.fromkeys(PARAMETER.findall(QUERIES[name])))
                query = PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", QUERIES[name])  # noqa: B023
                if query.startswith("INSERT"):
                    continue
                plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN (GENERIC_PLAN) {query}".encode()))
                assert "One-Time Filter" not in plan, f"{name}\n{plan}"
                assert "Seq Scan" not in plan, f"{name}\n{plan}"


def test_every_statement_is_used() -> None:
    """A statement that no module names is left over."""
    from pathlib import Path

    import hub.store

    folder = Path(next(iter(hub.store.__path__)))
    text = "".join(path.read_text() for path in folder.glob("*.py"))
    assert [name for name in QUERIES if f'"{name}"' not in text] == []
