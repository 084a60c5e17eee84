"""An open page hears that something is new, and nothing of what."""

from __future__ import annotations

import asyncio

import pytest

from adapters.gateway.inbox import live
from tests.county import HEALTH
from tests.gateway.inbox.support import Browser, Office


async def hear(browser: Browser, count: int) -> list[str]:
    """Return the first *count* events' data that the page hears."""
    found: list[str] = []
    headers = {"Cookie": browser.cookie}
    async with browser.http.get(browser.base + "/events", headers=headers) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        async for line in answer.content:
            if line.startswith(b"data: "):
                found.append(line.decode().removeprefix("data: ").strip())
            if len(found) == count:
                break
    return found


async def test_a_page_hears_of_something_new_and_not_what(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event changes when minutes come; it holds twelve characters of a digest and nothing else."""
    monkeypatch.setattr(live, "SECONDS", 0.05)
    nurse = await office.signed_in("robin@example.org")
    heard = asyncio.create_task(hear(nurse, 2))
    await asyncio.sleep(0.2)
    held = await office.hold_meeting()
    async with asyncio.timeout(10):
        before, after = await heard
    assert before != after
    assert len(after) == 12
    assert held.envelope not in after


async def test_the_stream_ends_with_the_session(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who signs out hears no more, and somebody without a session never did."""
    monkeypatch.setattr(live, "SECONDS", 0.05)
    nurse = await office.signed_in("robin@example.org")
    heard = asyncio.create_task(hear(nurse, 99))
    await asyncio.sleep(0.2)
    await nurse.get("/")
    token = nurse.cookie
    await nurse.post("/sign-out")
    async with asyncio.timeout(10):
        assert len(await heard) == 1
    headers = {"Cookie": token}
    async with nurse.http.get(nurse.base + "/events", headers=headers, allow_redirects=False) as answer:
        assert answer.status == 303
    assert not office.inboxes[HEALTH].listening


async def test_one_person_keeps_only_so_many_streams(office: Office) -> None:
    """The seventh page of one person gets none: it works without."""
    nurse = await office.signed_in("robin@example.org")
    headers = {"Cookie": nurse.cookie}
    open_ones = [await nurse.http.get(nurse.base + "/events", headers=headers) for _ in range(live.MOST)]
    async with nurse.http.get(nurse.base + "/events", headers={"Cookie": nurse.cookie}) as answer:
        assert answer.status == 404
    for one in open_ones:
        one.close()
