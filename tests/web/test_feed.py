"""Feeds: as JSON, as frames, waited for, and streamed hints."""

from __future__ import annotations

import asyncio
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from hub.store.base import Store
from hub.web.feed import FRAMES
from keys.digests import b64u
from schemas.identifiers import agency_of
from tests.county import COUNCIL, HEALTH, MASH, NURSES, PARTNERSHIP, POLICE
from tests.web.support import Api, Site, open_site
from tests.web.test_envelopes import minutes


def read_frames(body: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """Return the entries of a binary feed with their bodies."""
    entries, place = [], 0
    while place < len(body):
        parts = []
        for _ in range(2):
            (length,) = struct.unpack_from(">I", body, place)
            parts.append(body[place + 4 : place + 4 + length])
            place += 4 + length
        entries.append((json.loads(parts[0]), parts[1]))
    return entries


async def test_the_feed_hands_over_what_was_sent(site: Site) -> None:
    """Header, wraps, acceptance and body come as they were."""
    council, health, sent = await site.as_agency(COUNCIL), await site.as_agency(HEALTH), minutes(site)
    accepted = await council.send(sent)
    answer = (await health.get(f"/v1/mailboxes/{NURSES}/feed?after=0&limit=10")).json
    header, wraps, body = sent.raw.split(b"\n", 2)
    (entry,) = [entry for entry in answer["entries"] if entry["kind"] == "delivery"]
    assert (answer["mailbox"], answer["next"]) == (NURSES, answer["entries"][-1]["seq"])
    assert (entry["header"], entry["wraps"], entry["body"]) == (header.decode(), wraps.decode(), b64u(body))
    assert (entry["acceptance"], entry["envelope"]) == (accepted.json["acceptance"], sent.id)
    assert (entry["state"], entry["length"]) == ("present", len(body))


async def test_frames_say_what_json_says(site: Site) -> None:
    """Two forms of one feed."""
    council, health = await site.as_agency(COUNCIL), await site.as_agency(HEALTH)
    for _ in range(3):
        assert (await council.send(minutes(site))).status == 201
    path = f"/v1/mailboxes/{NURSES}/feed"
    entries = (await health.get(path)).json["entries"]
    framed = await health.get(path, Accept=FRAMES)
    assert framed.headers["Content-Type"] == FRAMES
    assert [entry | ({"body": b64u(body)} if body else {}) for entry, body in read_frames(framed.body)] == entries


async def test_pages_follow_each_other_without_gap(site: Site) -> None:
    """`next` of one page is `after` of the following one."""
    council, health = await site.as_agency(COUNCIL), await site.as_agency(HEALTH)
    for _ in range(5):
        assert (await council.send(minutes(site))).status == 201
    seen, after = [], 0
    while True:
        page = (await health.get(f"/v1/mailboxes/{NURSES}/feed?after={after}&limit=2")).json
        if not page["entries"]:
            break
        seen += [entry["seq"] for entry in page["entries"]]
        after = page["next"]
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) >= 5


async def test_a_feed_that_is_not_the_callers_is_not_found(site: Site) -> None:
    """Another's feed looks like none."""
    police = await site.as_agency(POLICE)
    for mailbox in (f"{HEALTH}/nobody", "nowhere/nobody", NURSES, "UPPER/case"):
        answer = await police.get(f"/v1/mailboxes/{mailbox}/feed")
        assert (answer.status, answer.code) == (404, "not-found")


async def test_a_query_is_read_strictly(site: Site) -> None:
    """What is out of bounds, twice or unknown is refused."""
    health = await site.as_agency(HEALTH)
    for query in ("after=-1", "after=x", "limit=1000", "wait=31", "after=1&after=2", "afte=1", "after=01"):
        answer = await health.get(f"/v1/mailboxes/{NURSES}/feed?{query}")
        assert (answer.status, answer.code) == (400, "request-invalid"), query


async def _wait(caller: Api, mailbox: str, seconds: int) -> list[dict[str, Any]]:
    answer = await caller.get(f"/v1/mailboxes/{mailbox}/feed?after=0&wait={seconds}")
    entries: list[dict[str, Any]] = answer.json["entries"]
    return entries


async def test_a_wait_ends_with_the_first_entry(site: Site) -> None:
    """Whoever waits is told when something comes, and not before."""
    council, health = await site.as_agency(COUNCIL), await site.as_agency(HEALTH)
    waiting = asyncio.create_task(_wait(health, NURSES, 20))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert (await council.send(minutes(site))).status == 201
    async with asyncio.timeout(5):
        assert (await waiting)[0]["kind"] in {"delivery", "notice"}


async def test_a_wait_for_nothing_ends_empty(site: Site) -> None:
    """Silence is an answer."""
    assert await _wait(await site.as_agency(HEALTH), NURSES, 1) == []


async def test_with_several_processes_a_wait_looks_by_itself(store: Store, tmp_path: Path) -> None:
    """What another process accepted is found without a wake-up."""
    async with open_site(store, tmp_path, poll=0.05) as site:
        health = await site.as_agency(HEALTH)
        waiting = asyncio.create_task(_wait(health, NURSES, 20))
        await asyncio.sleep(0.1)
        # Past the web layer, as another process would: nobody here is woken.
        await site.desk.send(minutes(site))
        async with asyncio.timeout(5):
            assert await waiting


async def test_too_many_waits_of_one_agency_are_refused(sqlite_store: Store, tmp_path: Path) -> None:
    """One agency can't take all there is."""
    async with open_site(sqlite_store, tmp_path, "max_waits_per_agency = 2") as site:
        health = await site.as_agency(HEALTH)
        waits = [asyncio.create_task(_wait(health, NURSES, 20)) for _ in range(2)]
        await asyncio.sleep(0.1)
        third = await health.get(f"/v1/mailboxes/{NURSES}/feed?wait=20")
        assert (third.status, third.code) == (429, "too-many-requests")
        assert int(third.headers["Retry-After"]) > 0
        site.hub.wakeups.stop()
        assert await asyncio.gather(*waits) == [[], []]


async def _hints(site: Site, caller: Api, ready: asyncio.Event, count: int) -> list[str]:
    headers = {"Authorization": f"Bearer {caller.token}"}
    hints: list[str] = []
    async with caller.session.get(f"{caller.base}/v1/events", headers=headers) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        async for line in answer.content:
            if line.startswith(b":"):
                ready.set()
            if line.startswith(b"data: "):
                hints += json.loads(line[6:]).values()
                if len(hints) == count:
                    break
    return hints


@pytest.mark.parametrize("poll", [None, 0.05])
async def test_events_tell_whose_feed_grew(sqlite_store: Store, tmp_path: Path, poll: float | None) -> None:
    """A stream hints at the caller's own mailboxes and no others."""
    async with open_site(sqlite_store, tmp_path, poll=poll) as site:
        council, health = await site.as_agency(COUNCIL), await site.as_agency(HEALTH)
        ready = asyncio.Event()
        task = asyncio.create_task(_hints(site, health, ready, 1))
        await ready.wait()
        assert (await council.send(minutes(site))).status == 201
        async with asyncio.timeout(5):
            assert await task == [NURSES]


async def test_events_tell_which_obligation_changed(site: Site) -> None:
    """Both parties hear of what begins between them, and of nothing else; the partnership hears of all."""
    council = await site.as_agency(COUNCIL)
    callers = [await site.as_agency(name) for name in (HEALTH, PARTNERSHIP, POLICE)]
    ready = [asyncio.Event() for _ in callers]
    tasks = [asyncio.create_task(_hints(site, *pair, 99)) for pair in zip(callers, ready, strict=True)]
    for event in ready:
        await event.wait()
    assert (await council.send(minutes(site))).status == 201
    owed = {row["id"] for row in (await council.get("/v1/obligations")).json["obligations"]}
    await asyncio.sleep(1.5)
    site.hub.wakeups.stop()
    health, partnership, police = await asyncio.gather(*tasks)
    assert owed
    assert set(health) == {NURSES, *owed}
    assert set(partnership) == owed
    assert police == []


async def test_the_stream_ends_when_the_hub_stops(site: Site) -> None:
    """Stopping keeps nobody hanging."""
    health, ready = await site.as_agency(HEALTH), asyncio.Event()
    task = asyncio.create_task(_hints(site, health, ready, 99))
    await ready.wait()
    site.hub.wakeups.stop()
    async with asyncio.timeout(5):
        assert await task == []


async def test_obligations_are_shown_to_their_parties_only(site: Site) -> None:
    """Debtor and creditor see what is owed; a stranger sees nothing of it."""
    council, health, police = [await site.as_agency(name) for name in (COUNCIL, HEALTH, POLICE)]
    assert (await council.send(minutes(site))).status == 201
    for caller, mailbox in ((council, MASH), (health, NURSES)):
        answer = (await caller.get(f"/v1/obligations?mailbox={mailbox}&state=open")).json
        assert answer["obligations"]
        for owed in answer["obligations"]:
            assert mailbox in {owed["debtor"], owed["creditor"]}
            assert owed["overdue"] is False
    assert (await police.get("/v1/obligations")).json["obligations"] == []
    partnership = await site.as_agency(PARTNERSHIP)
    for query in ("", f"?mailbox={NURSES}"):
        everybodys = (await partnership.get(f"/v1/obligations{query}")).json["obligations"]
        assert {row["creditor"] for row in everybodys} | {row["debtor"] for row in everybodys} >= {NURSES}
    assert (await police.get(f"/v1/obligations?mailbox={NURSES}")).status == 404


async def test_obligations_come_in_pages(site: Site) -> None:
    """Every obligation comes once."""
    council = await site.as_agency(COUNCIL)
    for _ in range(4):
        assert (await council.send(minutes(site))).status == 201
    whole = [owed["id"] for owed in (await council.get("/v1/obligations")).json["obligations"]]
    seen, after = [], ""
    while True:
        page = (await council.get(f"/v1/obligations?limit=1{after}")).json
        seen += [owed["id"] for owed in page["obligations"]]
        if "next" not in page:
            break
        after = f"&after={page['next']}"
    assert sorted(seen) == sorted(whole)
    assert len(seen) == len(set(seen)) >= 4


async def test_a_waiver_ends_an_obligation_and_both_sides_hear_of_it(site: Site) -> None:
    """Met elsewhere, signed by its debtor, is in both feeds."""
    held = site.county.seal("meeting.held/1", MASH, [NURSES], facts={"meeting": "strategy"}, parties=[MASH, NURSES])
    council, health = await site.as_agency(COUNCIL), await site.as_agency(HEALTH)
    assert (await council.send(held)).status == 201
    owed = [
        one
        for one in (await council.get(f"/v1/obligations?mailbox={MASH}&state=open")).json["obligations"]
        if one["kind"] == "send" and agency_of(one["creditor"]) == HEALTH
    ]
    waiver = site.county.waiver(owed[0]["id"], MASH)
    answer = await council.post(f"/v1/obligations/{owed[0]['id']}/waiver", waiver, "application/jose")
    assert answer.json == {"status": "met_elsewhere"}
    for caller, mailbox in ((council, MASH), (health, NURSES)):
        entries = (await caller.get(f"/v1/mailboxes/{mailbox}/feed")).json["entries"]
        assert waiver.decode() in [entry.get("jws") for entry in entries]
    assert (await council.post("/v1/obligations/nonsense/waiver", waiver, "application/jose")).status == 404
