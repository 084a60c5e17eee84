"""`gateway people`: accounts for whoever keeps the gateway, beside the running inbox, each act with who did it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.gateway.cli import main
from adapters.gateway.keystore import save_keyring
from tests.county import HEALTH, NURSES, PAEDIATRICS
from tests.gateway.inbox.support import Office, open_office
from tests.gateway.support import PASSPHRASE, Town


def run(home: Path, *arguments: str) -> tuple[int, Any, str]:
    """Run one action; return its exit code, what it printed as JSON, and what it complained of."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["people", *arguments, "--home", str(home), "--json"])
    return code, json.loads(out.getvalue()) if out.getvalue() else None, err.getvalue()


async def people(office: Office, *arguments: str) -> Any:
    """Run one action that must work, beside the running inbox."""
    code, printed, complaint = await asyncio.to_thread(run, office.town.homes[HEALTH], *arguments)
    assert code == 0, complaint
    return printed


async def refused(office: Office, *arguments: str) -> str:
    """Run one action that must not work; return what it says."""
    code, _, complaint = await asyncio.to_thread(run, office.town.homes[HEALTH], *arguments)
    assert code == 1
    return complaint


ADA = ("add", "ada@example.org", "--name", "Ada Sample", "--role", "it_support", "--duty", "administrator")
ROBIN = ("add", "robin@example.org", "--name", "Robin Sample", "--role", "school_nurse", "--duty", "practitioner")
BY = ("--by", "ada@example.org")


@pytest.fixture
async def kept(town: Town) -> AsyncIterator[Office]:
    """Give an office whose health gateway has a home that commands can open beside it."""
    async with open_office(town) as office:
        home = town.homes[HEALTH]
        save_keyring(town.county.keyrings[HEALTH], home, PASSPHRASE)
        (home / "clock").write_text(str(town.county.now))
        boxes = "".join(f'[[mailboxes]]\nid = "{box}"\n' for box in (NURSES, PAEDIATRICS))
        (home / "gateway.toml").write_text(
            f'agency = "{HEALTH}"\nhub = "{town.base}"\ntraining = true\nclock = "file:clock"\n'
            f'passphrase_file = "passphrase"\n{boxes}'
        )
        yield office


async def test_an_agency_begins_with_its_first_administrator(kept: Office) -> None:
    """The first is added without anybody's name; from then on an administrator's is asked for."""
    begun = await people(kept, *ADA)
    assert begun["login"] == "ada@example.org"
    assert "administrator" in await refused(kept, *ROBIN, "--team", NURSES)
    assert "administrator" in await refused(kept, *ROBIN, "--team", NURSES, "--by", "robin@example.org")
    robin = await people(kept, *ROBIN, "--team", NURSES, *BY)
    browser = kept.browser()
    await browser.post("/welcome", {"code": robin["code"]})
    assert (await browser.post("/welcome/password", {"password": "three fictional words"})).path == "/"
    listed = await people(kept, "list")
    assert [(one["login"], one["duties"], one["teams"]) for one in listed] == [
        ("ada@example.org", ["administrator"], []),
        ("robin@example.org", ["practitioner"], [NURSES]),
    ]
    assert "an account with that login" in await refused(kept, *ROBIN, "--team", NURSES, *BY)


async def test_an_account_is_changed_reset_and_ended_while_the_inbox_runs(kept: Office) -> None:
    """What a command does, the next page sees; each act is recorded with who did it and to whom."""
    await people(kept, *ADA)
    await kept.person("robin@example.org")
    robin = kept.browser()
    await robin.sign_in("robin@example.org")
    changed = await people(kept, "set", "ROBIN@example.org", "--team", NURSES, "--team", PAEDIATRICS, *BY)
    assert changed == {
        "login": "robin@example.org", "role": "school_nurse", "duties": ["practitioner"],
        "teams": sorted([NURSES, PAEDIATRICS]),
    }  # fmt: skip
    assert (await people(kept, "sessions", "robin@example.org"))["sessions"] == 1
    assert (await people(kept, "sessions", "robin@example.org", "--end", *BY))["ended"] == 1
    assert (await robin.get("/")).path == "/sign-in"
    await robin.sign_in("robin@example.org")
    assert "code" in await people(kept, "password", "robin@example.org", *BY)
    assert (await robin.get("/")).path == "/sign-in"
    assert "not right" in (await robin.sign_in("robin@example.org")).words
    left = await people(kept, "leave", "robin@example.org", *BY)
    assert left == {"login": "robin@example.org", "state": "left", "threads that nobody holds now": 0}
    assert "has ended" in await refused(kept, "set", "robin@example.org", "--role", "x", *BY)
    assert "code" in await people(kept, "return", "robin@example.org", *BY)
    assert "Nobody ends their own" in await refused(kept, "leave", "ada@example.org", *BY)
    assert "no such account" in await refused(kept, "leave", "nobody@example.org", *BY)
    spool = kept.inboxes[HEALTH].gateway.spool
    rows = [
        (row["action"], row["person"]) for row in reversed(await spool.all("last_events", limit=50)) if row["about"]
    ]
    ada = next(person for action, person in rows if action == "account-changed")
    assert rows == [
        ("account-added", "command"), ("code-given", "command"), ("account-changed", ada), ("sessions-ended", ada),
        ("code-given", ada), ("account-left", ada), ("account-returned", ada), ("code-given", ada),
    ]  # fmt: skip
