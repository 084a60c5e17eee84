"""The profile in a process of its own, shut in: the folder or the server that it was granted, and no other."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from adapters.base import DraftRefused, Filed, Later
from adapters.conformance import collect, sample_incoming
from adapters.hosting.host import HostedError
from adapters.plugins import load_adapters
from tests.county import MASH
from tests.postgres import Server
from tests.profiles.interface import Interface
from tests.profiles.relay import Relay
from tests.profiles.social_care.council import new_cases
from tests.profiles.social_care.system import CaseSystem
from tests.profiles.support import write_secrets
from tests.schemas import samples

MESSAGE = sample_incoming(type="referral/1", message=samples.message("referral/1"))


def table(**changes: Any) -> dict[str, Any]:
    """Return the table of the configuration."""
    return {
        "network": True,
        "from": MASH,
        "role": "social_worker",
        "ids": "ids",
        "gateway": "g",
        "seconds": 5,
    } | changes


async def work(home: Path, cases: CaseSystem, **changes: Any) -> Later | Filed:
    """Have the profile file a referral and collect what waits, and return how the first went."""
    write_secrets(home)
    adapter = load_adapters({"social_care": table(**changes)}, home)["social_care"]
    try:
        outcome = await adapter.file(MESSAGE)
        assert isinstance(outcome, Later | Filed)
        with nullcontext() if isinstance(outcome, Filed) else pytest.raises(HostedError):
            for outgoing in await collect(adapter):
                await outgoing.done(DraftRefused(code="no-such", message="no", hint=""))
        return outcome
    finally:
        await adapter.close()


async def test_a_file_that_was_granted_is_reached(tmp_path: Path) -> None:
    """Rows are read and written in the folder of the option; the network that it may have leads nowhere."""
    folder = tmp_path / "cases"
    folder.mkdir()
    cases = new_cases(Interface(f"sqlite://{folder}/records.db"))
    cases.change_status("P-1001", "CIN", "start", at="2026-07-06T09:00:00")
    outcome = await work(tmp_path / "home", cases, path=str(folder), hosts=["127.0.0.1:9"])
    (contact,) = cases.rows("own_contact")
    assert outcome == Filed(record=f"contact/{contact['contact_id']}")
    (row,) = cases.interface.outbox().values()
    assert (row["state"], row["code"]) == ("refused", "no-such")


@pytest.mark.needs_postgres
async def test_a_server_that_was_granted_is_reached_and_no_other(tmp_path: Path, postgres: Server) -> None:
    """With the server's place in `hosts` a message is filed; with another's it waits."""
    with postgres.database() as url:
        cases = new_cases(Interface(url))
        cases.change_status("P-1001", "CIN", "start", at="2026-07-06T09:00:00")
        async with Relay(url) as relay:
            address = relay.address
            database = f"postgresql://{address['user']}@127.0.0.1:{address['port']}/{address['dbname']}"
            away = await work(tmp_path, cases, database=database, hosts=["127.0.0.1:9"])
            assert away == Later(reason="records-away")
            assert cases.rows("own_contact") == []
            outcome = await work(tmp_path, cases, database=database, hosts=[f"127.0.0.1:{address['port']}"])
        (contact,) = cases.rows("own_contact")
        assert outcome == Filed(record=f"contact/{contact['contact_id']}")
        (row,) = cases.interface.outbox().values()
        assert (row["state"], row["code"]) == ("refused", "no-such")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"database": "postgresql://u:secret@cases.sampleton.test/cases"}, "password"),
        ({"database": "postgresql://u@cases.sampleton.test/cases"}, "`ca`"),
        ({"database": "postgresql://localhost/cases?sslmode=disable"}, "sslmode"),
        ({"database": "postgresql://localhost/cases", "path": "cases"}, "one of"),
        ({"database": "mysql://localhost/cases"}, "database"),
        ({"database": "postgresql://localhost/cases", "password": "none"}, "password"),
        ({"database": "postgresql://localhost/cases", "key": "ids"}, "belong together"),
        ({"path": "cases", "file": "../hub.db"}, "file"),
        ({"path": "cases", "other": 1}, "other"),
    ],
)
def test_options_that_would_send_content_where_others_read_it_are_refused(
    tmp_path: Path, options: dict[str, Any], word: str
) -> None:
    """A password in the configuration, a server elsewhere without a checked certificate, a file outside its folder."""
    from adapters.profiles.social_care import SocialCareAdapter

    write_secrets(tmp_path)
    given = {name: value for name, value in table(**options).items() if name != "network"}
    with pytest.raises(ValueError, match=word) as caught:
        SocialCareAdapter.configure(given, tmp_path)
    assert "secret" not in str(caught.value)
