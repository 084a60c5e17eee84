"""The log as a stream: complete, resumable, a page in memory at a time, and verifiable without the hub."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub import export, ledger
from hub.core.events import Event
from hub.store.base import StoreBusyError
from hub.verifier import verify_export
from hub.web import exports
from keys import digests
from schemas.strict_json import dump
from tests.county import COUNCIL, HEALTH, MASH, ORIGIN, PARTNERSHIP
from tests.web.support import Site
from tests.web.test_audit import sign
from tests.web.test_envelopes import minutes


async def lines(site: Site, agency: str, query: str = "") -> list[dict[str, object]]:
    """Return the lines of an export."""
    answer = await (await site.as_agency(agency)).get(f"/v1/audit/export{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/jsonl"), answer.body
    return [json.loads(line) for line in answer.body.splitlines()]


async def grow(site: Site, count: int) -> None:
    """Add *count* entries about one thread to the log."""
    thread = digests.new_id(site.county.now)
    event = Event(event="body-deleted", agency=COUNCIL, mailbox=MASH, thread=thread)

    def add(tx: object) -> None:
        for _ in range(count):
            ledger.append(tx, event, site.county.now)  # type: ignore[arg-type]

    await site.hub.store.write(add)


def _is_look(entry: dict[str, Any]) -> bool:
    return entry["leaf"]["event"] == "log-read"


async def test_an_export_has_every_entry_that_a_search_has(site: Site) -> None:
    """The same entries as page by page, for each caller what it may see, and by the same filters."""
    council, sent = await site.as_agency(COUNCIL), minutes(site)
    assert (await council.send(sent)).status == 201
    await grow(site, 1200)
    for agency in (COUNCIL, HEALTH, PARTNERSHIP):
        found, after = [], ""
        while True:
            caller = await site.as_agency(agency)
            page = (await caller.get(f"/v1/audit/entries?limit=500{after}")).json
            found += page["entries"]
            if "next" not in page:
                break
            after = f"&after={page['next']}"
        # The first look at each is itself in the log.
        assert [one for one in await lines(site, agency) if not _is_look(one)] == [
            one for one in found if not _is_look(one)
        ]
    about = await lines(site, COUNCIL, f"?thread={sent.header.thread}&event=envelope-accepted")
    assert [line["leaf"]["envelope"] for line in about] == [sent.id]  # type: ignore[index]


async def test_an_export_goes_on_where_it_was_cut_off(site: Site) -> None:
    """After any line the rest comes, and nothing twice."""
    await grow(site, 1100)
    whole = await lines(site, PARTNERSHIP)
    for place in (0, 511, 512, len(whole) - 1):
        assert await lines(site, PARTNERSHIP, f"?after={whole[place]['index']}") == whole[place + 1 :]


async def test_the_same_comes_as_a_table(site: Site) -> None:
    """CSV has a column for each member of an entry, and a row for each entry."""
    await grow(site, 3)
    answer = await (await site.as_agency(PARTNERSHIP)).get("/v1/audit/export?format=csv&event=body-deleted")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["event"] for row in rows] == ["body-deleted"] * 3
    assert (rows[0]["mailbox"], rows[0]["time"], rows[0]["digest"]) == (MASH, "2026-07-06T08:00:00.000+00:00", "")
    assert "attachment" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(
    "query", ["format=xml", "event=nothing", "type=Minutes", "thread=x", "limit=3", f"type={65 * 'a'}"]
)
async def test_a_question_that_no_entry_can_answer_is_refused(site: Site, query: str) -> None:
    """An unknown event, a type or id that is not spelt like one, too long a value: told, not searched for."""
    answer = await (await site.as_agency(COUNCIL)).get(f"/v1/audit/export?{query}")
    assert (answer.status, answer.code) == (400, "request-invalid")


async def test_the_whole_log_is_streamed_and_verified_offline(site: Site, tmp_path: Path) -> None:
    """The partnership's archive, unpacked anywhere, verifies with the officers' keys alone; nobody else gets it."""
    assert (await (await site.as_agency(COUNCIL)).send(minutes(site))).status == 201
    await sign(site)
    assert (await (await site.as_agency(COUNCIL)).get("/v1/audit/export.tar")).code == "token-scope"
    answer = await (await site.as_agency(PARTNERSHIP)).get("/v1/audit/export.tar")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-tar")
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        archive.extractall(tmp_path / "log", filter="data")
    trust = tmp_path / "trust.json"
    trust.write_bytes(dump({"officers": site.county.roots, "hub_url": "http://127.0.0.1"}))
    verdict = verify_export(tmp_path / "log", trust)
    assert (verdict["verified"], verdict["envelopes"], verdict["problems"]) == (True, 1, [])


async def test_before_the_first_checkpoint_there_is_nothing_to_export(site: Site) -> None:
    """A problem, not an empty archive."""
    assert (await (await site.as_agency(PARTNERSHIP)).get("/v1/audit/export.tar")).code == "no-checkpoint"


async def test_a_page_is_in_memory_at_a_time(site: Site) -> None:
    """However long the log is, no piece of its archive is longer than a page of it."""
    await grow(site, 5 * export.PAGE)
    await ledger.sign_checkpoint(site.hub.store, ORIGIN, site.county.note_signers, site.county.now)
    opened = await export.open_export(site.hub.store, site.county.now)
    sizes = {part.name: [len(piece) async for piece in part.pieces()] for part in opened.parts}
    assert len(sizes["leaves.jsonl"]) == -(-opened.size // export.PAGE)
    assert max(sizes["leaves.jsonl"]) <= export.PAGE * 1025


async def test_exports_leave_room_for_others(site: Site) -> None:
    """Beyond a few at once one is told to wait, and those that ended make room again."""
    caller = await site.as_agency(COUNCIL)
    site.hub.exporting = exports.MOST_AT_ONCE
    answer = await caller.get("/v1/audit/export")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "too-many-requests", "10")
    site.hub.exporting -= 1
    assert (await caller.get("/v1/audit/export")).status == 200
    assert site.hub.exporting == exports.MOST_AT_ONCE - 1


async def test_a_stream_that_fails_does_not_look_whole(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database goes away in between: the reader sees that the answer was cut off."""

    async def pages(*_: object) -> export.Pieces:
        yield ()  # type: ignore[misc]
        await asyncio.sleep(0)
        raise StoreBusyError("the database has gone")

    monkeypatch.setattr(exports, "_pages", pages)
    with pytest.raises(aiohttp.ClientPayloadError):
        await (await site.as_agency(COUNCIL)).get("/v1/audit/export?format=csv")
    assert site.hub.exporting == 0
