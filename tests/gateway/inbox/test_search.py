"""Search: what is found, by whom, how it goes with what it is of, and that it says nothing elsewhere."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.indexing import terms_of, words_of
from tests.county import COUNCIL, DAY, HEALTH, MASH, NURSES, PAEDIATRICS
from tests.gateway.inbox.support import Browser, Office
from tests.gateway.inbox.test_threads import exclude
from tests.gateway.support import minutes_full, settle


def _minutes(text: str) -> dict[str, Any]:
    minutes = minutes_full([MASH, NURSES])
    minutes["information_blocks"][0]["content"] = text
    return minutes


async def _send(office: Office, text: str) -> tuple[str, str]:
    held = await office.hold_meeting()
    sent = await office.send("minutes.full/1", _minutes(text), thread=held.thread)
    return sent.envelope, held.thread


async def _finds(browser: Browser, words: str) -> int:
    await browser.get("/search")
    page = await browser.post("/search", {"words": words})
    assert page.status == 200, page.words
    assert page.path == "/search"
    return page.text.count('href="/messages/')


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("Zoë Ångström-Öz", "zoe angstrom"),
        ("Seen by O'Brien.", "o'brien"),
        ("Seen by O\u2019Brien.", "OBRIEN"),
        ("Smith-Jones", "smith jones"),
        ("Smith Jones", "SMITH-JONES"),
        ("\uff26\uff35\uff2c\uff2c width", "full width"),
        ("Straße 5b", "strasse 5B"),
        ("born 2014-03-05", "05/03/2014"),
        ("NHS 9991234567", "999 123 4567"),
        ("NHS 999-123-4567", "9991234567"),
        ("李 小龙", "李"),
        ("e-mail kit@example.org", "kit@example.org"),
    ],
)
def test_words_are_found_however_they_are_written(text: str, typed: str) -> None:
    """Case, accents, apostrophes, hyphens, widths and the spacing of numbers make no difference."""
    terms = terms_of(typed)
    assert terms
    assert set(terms) <= words_of([text])


def test_what_is_no_word_is_looked_for_by_nobody() -> None:
    """Punctuation, a single letter and a text without end ask for nothing."""
    assert terms_of("... - '") == []
    assert terms_of("a") == []
    assert terms_of("x" * 41) == []


async def test_what_was_received_and_what_was_sent_is_found_by_all_of_its_words(office: Office) -> None:
    """The nurse finds what came, the social worker what they sent; one word more that isn't there, and nothing is."""
    await _send(office, "Zebulon lives with Perpetua-Anne O'Hare.")
    nurse = await office.signed_in("robin@example.org")
    assert await _finds(nurse, "perpetua ohare") == 1
    assert await _finds(nurse, "perp") == 1
    assert await _finds(nurse, "perpe") == 0
    assert await _finds(nurse, "Perpetua elsewhere") == 0
    worker = await office.signed_in("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
    assert await _finds(worker, "O'HARE perpetua") == 1


async def test_only_what_somebody_may_open_is_found(office: Office) -> None:
    """Not what a colleague holds, not another team's, not what one is excluded from; a manager finds the team's."""
    _, thread = await _send(office, "Perpetua.")
    holder = await office.signed_in("robin@example.org")
    await holder.get("/")
    await holder.post(f"/threads/{thread}/take", {"mailbox": NURSES, "seen": ""})
    colleague = await office.signed_in("alex@example.org")
    doctor = await office.signed_in("ada@example.org", teams=[PAEDIATRICS])
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    found = [await _finds(one, "perpetua") for one in (holder, colleague, doctor, manager)]
    assert found == [1, 0, 0, 1]
    await colleague.get(f"/threads/{thread}/break-glass")
    await colleague.post(f"/threads/{thread}/break-glass", {"reason": "colleague_away"})
    assert await _finds(colleague, "perpetua") == 1
    await exclude(office.inboxes[HEALTH], thread, "Kim")
    assert await _finds(manager, "perpetua") == 0


async def test_the_page_shows_no_text_of_what_was_found(office: Office) -> None:
    """Type, sender and date; nothing of the message but the words that were typed."""
    await _send(office, "Perpetua has a secret.")
    nurse = await office.signed_in("robin@example.org")
    await nurse.get("/search")
    page = await nurse.post("/search", {"words": "perpetua"})
    assert "Found (1)" in page.words
    assert "secret" not in page.text
    assert "perpetua" not in page.text.partition("<title>")[2].partition("</title>")[0].casefold()


async def test_what_was_looked_for_is_nowhere(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """That somebody searched is written down, not for what: not in the database in clear, nor in any log."""
    await _send(office, "Perpetua.")
    nurse = await office.signed_in("robin@example.org")
    with caplog.at_level(logging.DEBUG):
        await _finds(nurse, "perpetua")
        await _finds(nurse, "somebodyelse")
    rows = [row for row in await _spool(office).all("last_events", limit=9) if row["action"] == "search"]
    assert len(rows) == 2
    assert all(row["code"] is None and row["thread"] is None for row in rows)
    assert "perpetua" not in caplog.text.casefold()
    assert "somebodyelse" not in caplog.text.casefold()
    raw = (office.health.gateway.home / "spool.db").read_bytes().lower()
    assert b"perpetua" not in raw
    assert b"somebodyelse" not in raw


async def test_words_go_with_the_content(office: Office) -> None:
    """Swept, deleted or destroyed: however content goes, nothing of its words stays."""
    envelope, _ = await _send(office, "Perpetua.")
    nurse = await office.signed_in("robin@example.org")
    assert await _finds(nurse, "perpetua") == 1
    before, _ = _count(_inbox(office))
    await _spool(office).run("drop_content", envelope=envelope, mailbox=NURSES)
    assert await _finds(nurse, "perpetua") == 0
    assert _count(_inbox(office)) == (before - 1, 0)
    await settle(office.health)
    assert _count(_inbox(office)) == (before - 1, 0)


async def test_what_was_sent_is_found_as_long_as_content_is_kept(office: Office) -> None:
    """And no longer; nor is what was taken back."""
    envelope, _ = await _send(office, "Perpetua.")
    worker = await office.signed_in("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
    assert await _finds(worker, "perpetua") == 1
    council = office.inboxes[COUNCIL].gateway
    await council.spool.run("set_withdrawn", envelope=envelope)
    assert await _finds(worker, "perpetua") == 0
    assert _count(office.inboxes[COUNCIL])[1] == 0


async def test_words_of_what_was_sent_are_swept_with_its_text(office: Office) -> None:
    """After the days that content is kept for, once no text of it is here."""
    await _send(office, "Perpetua.")
    worker = await office.signed_in("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
    office.town.county.now += (office.council.gateway.config.keep_days + 1) * DAY
    await office.council.index_pass()
    await worker.sign_in("sam@example.org")
    assert await _finds(worker, "perpetua") == 0
    assert _count(office.inboxes[COUNCIL])[1] == 0


async def test_what_was_here_before_is_indexed_once_and_never_looked_through_again(office: Office) -> None:
    """A gateway that gets its inbox later indexes what it holds; after that, nothing waits to be indexed."""
    await _send(office, "Perpetua.")
    spool = _spool(office)
    assert await spool.all("unindexed", limit=9) == []
    nurse = await office.signed_in("robin@example.org")
    with _database(_inbox(office)) as database:
        database.execute("DELETE FROM indexed")
        database.execute("UPDATE inbox SET indexed = 0")
    assert await _finds(nurse, "perpetua") == 0
    await settle(office.health)
    assert await _finds(nurse, "perpetua") == 1


async def test_too_many_words_are_refused_and_none_too(office: Office) -> None:
    """Both say what to do."""
    nurse = await office.signed_in("robin@example.org")
    await nurse.get("/search")
    assert (await nurse.post("/search", {"words": " "})).status == 422
    page = await nurse.post("/search", {"words": "one two three four five six seven eight nine ten eleven"})
    assert page.status == 422
    assert "10 words or fewer" in page.words


def _inbox(office: Office) -> Inbox:
    return office.inboxes[HEALTH]


def _spool(office: Office) -> Any:
    return _inbox(office).gateway.spool


@contextmanager
def _database(inbox: Inbox) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(inbox.gateway.home / "spool.db")) as database, database:
        yield database


def _count(inbox: Inbox) -> tuple[int, int]:
    """Return how many messages are indexed, and how many words are of none of them."""
    with _database(inbox) as database:
        (items,) = database.execute("SELECT count(*) FROM indexed").fetchone()
        (orphans,) = database.execute(
            "SELECT count(*) FROM word WHERE item NOT IN (SELECT number FROM indexed)"
        ).fetchone()
    return items, orphans
