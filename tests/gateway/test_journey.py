"""From one agency's folder to another's, over a real hub."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.store.base import Store
from tests.county import CAIT, COUNCIL, HEALTH, MASH, NURSES, POLICE
from tests.gateway.support import Town, draft, drop, meeting_held, minutes_full, open_town, read_notices, settle


@pytest.fixture
async def town(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Town]:
    """Give a running hub."""
    async with open_town(sqlite_store, tmp_path) as opened:
        yield opened


async def test_minutes_go_from_one_folder_to_another_and_receipts_come_back(town: Town) -> None:
    """What the council drops in `out/` is filed at the nurses' gateway, and the council sees that it was."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        home = town.homes[COUNCIL]
        drop(home, "held", draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES])))
        await settle(council, health)
        sent = json.loads((home / "sent" / "held" / "envelope.json").read_bytes())
        minutes = draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]), thread=sent["thread"])
        drop(home, "minutes", minutes | {"attachments": ["minutes.pdf"]}, minutes_pdf=b"%PDF-1.7 fictional data")
        await settle(council, health)
        envelope = json.loads((home / "sent" / "minutes" / "envelope.json").read_bytes())["id"]
        filed = town.homes[HEALTH] / "in" / envelope
        assert json.loads((filed / "message.json").read_bytes()) == minutes["message"]
        assert (filed / "minutes.pdf").read_bytes() == b"%PDF-1.7 fictional data"
        note = json.loads((filed / "envelope.json").read_bytes())
        assert (note["sender"], note["mailbox"], note["type"]) == (MASH, NURSES, "minutes.full/1")
        await settle(council)
        heard = await council.gateway.spool.all("heard_of", envelope=envelope)
        assert [row["level"] for row in heard] == ["collected", "filed"]
        rows = await council.gateway.spool.all("list_obligations")
        theirs = await health.gateway.spool.all("list_obligations")
        assert {row["id"]: row["state"] for row in rows} == {row["id"]: row["state"] for row in theirs}
        duties = {key: state for key, state in (await town.site.desk.duties(sent["thread"])).items()}
        assert sorted(duties.values()) == sorted(row["state"] for row in rows)
    assert POLICE and CAIT and read_notices
