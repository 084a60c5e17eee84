"""What docs/agencies/social-care.md tells the administrator of a case system is enough, and no more than is needed."""

from __future__ import annotations

import json
import os
import re
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest

from adapters.base import Document
from adapters.profiles.databases import PostgresDatabase
from adapters.profiles.records import Placed, Sent
from adapters.profiles.tables import Tables
from tests.postgres import Server
from tests.profiles.interface import Interface
from tests.profiles.social_care.council import new_cases
from tests.profiles.social_care.system import CaseSystem

GUIDE = (Path(__file__).parents[3] / "docs/agencies/social-care.md").read_text()
PAPER = Document(name="a.pdf", type="application/pdf", content=b"%PDF")


def blocks() -> list[str]:
    """Return the SQL of the guide."""
    return re.findall(r"```sql\n(.*?)```", GUIDE, re.DOTALL)


def test_every_kind_of_record_is_in_the_guide() -> None:
    """Whoever fills the tables finds each kind that the mapping has."""
    mapping = json.loads(files("adapters.profiles.social_care").joinpath("mapping.json").read_text("utf-8"))
    for rule in [*mapping["send"], *mapping["file"]]:
        assert f"`{rule['kind']}`" in GUIDE, rule["kind"]


@pytest.mark.needs_postgres
async def test_the_rights_in_the_guide_are_all_that_a_gateway_has_and_needs(postgres: Server) -> None:
    """With them it takes, answers, files, reads back and deletes; the case system's own tables are closed to it."""
    role = f"hub_gateway_{os.getpid()}"
    with postgres.database() as url:
        cases = new_cases(Interface(url))
        with postgres.connect() as admin:
            cases.interface.script(blocks()[0].replace("hub_gateway", role))
            try:
                tables = Tables(PostgresDatabase({"conninfo": url, "user": role}, seconds=5.0), "sampleton-1")
                cases.interface.write("one", {}, documents=[PAPER])
                assert [one.key for one in await tables.waiting(5)] == ["one"]
                await tables.answer("one", Sent(envelope="e" * 22, thread="t" * 22))
                fields = {
                    "hub": {"sender": "s", "thread": "t", "envelope": "e"},
                    "referral_id": "r",
                    "child": {"name": "n"},
                }
                more = {
                    "concern": "c",
                    "immediate_danger": "N",
                    "cont_contact_source_code": "6",
                    "cont_contact_date": "d",
                }
                record = Placed(
                    kind="contact", identity="i", envelope="f" * 22, fields=fields | more, documents=(PAPER,)
                )
                reference = await tables.put(record)
                assert reference == cases.rows("own_contact")[0]["contact_id"]
                standing = await tables.get("contact", reference)
                assert standing is not None
                assert len(standing.documents) == 1
                assert await tables.delete("e" * 22)
                await tables.delete("f" * 22)
                with psycopg.connect(url, user=role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute("SELECT * FROM ssd_person")
            finally:
                cases.interface.script(f"DROP OWNED BY {role}")
                admin.execute(f"DROP ROLE {role}".encode())


async def test_rows_of_a_gateway_that_is_gone_are_given_back(cases: CaseSystem) -> None:
    """The statement of the guide lets another gateway take what the one that is gone had taken."""
    cases.interface.write("one", {})
    await cases.interface.tables("sampleton-1").waiting(5)
    other = cases.interface.tables("sampleton-2")
    assert await other.waiting(5) == []
    cases.interface.script(blocks()[1])
    assert [one.key for one in await other.waiting(5)] == ["one"]
