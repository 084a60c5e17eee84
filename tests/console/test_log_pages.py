"""The audit log at the console: search, saved questions, export, and its own check."""

from __future__ import annotations

import json

import pytest

from hub.journeys import log_check
from keys import notes
from tests.console.support import seat, text_of
from tests.county import COUNCIL, MASH
from tests.web.support import Site


async def test_every_filter_finds_what_the_log_has(quarter: Site) -> None:
    """And leads to what the entries are about; that somebody looked is the next entry."""
    ada, desk = await seat(quarter, "inspector"), quarter.desk
    (sent, *_) = await desk.leaves("envelope-accepted")
    (owed, *_) = await desk.leaves("obligation-opened")
    for query in (
        f"envelope={sent['envelope']}", f"thread={sent['thread']}", f"agency={COUNCIL}&event=envelope-accepted", f"mailbox={MASH}",
        "type=minutes.full&since=2026-07-06&until=2026-12-31", f"obligation={owed['obligation']}",
    ):  # fmt: skip
        page = await ada.get(f"/console/log?{query}")
        assert page.status == 200, (query, page.body)
        assert "Nothing was found" not in text_of(page), query
    assert "Nothing was found" in text_of(await ada.get("/console/log?until=2020-01-01"))
    looks = await desk.leaves("log-read")
    assert {leaf["kind"] for leaf in looks} == {"entries"}
    assert {leaf["person"] for leaf in looks} == {ada.account}
    assert "Person" in text_of(await ada.get("/console/log?event=log-read"))


async def test_the_log_goes_on_page_by_page(quarter: Site) -> None:
    """Without a filter it begins a week ago; the next page has none of the entries of this one."""
    ada = await seat(quarter, "inspector")
    first = await ada.get("/console/log?since=2026-07-06")
    assert 'rel="next"' in first.body.decode()
    start = first.body.decode().partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = await ada.get(start)
    assert second.status == 200
    assert first.body != second.body
    assert 'value="2026-' in (await ada.get("/console/log")).body.decode()


@pytest.mark.parametrize(
    "query",
    [
        "event=x",
        "agency=A",
        "mailbox=x",
        "type=X",
        "envelope=x",
        "thread=x",
        "obligation=x",
        "since=soon",
        "until=2026-02-31",
    ],
)
async def test_a_filter_that_is_misspelt_is_said(site: Site, query: str) -> None:
    """The page says which, and nothing is looked for."""
    ada = await seat(site, "inspector")
    page = await ada.get(f"/console/log?{query}")
    assert page.status == 422
    assert "There is a problem" in text_of(page)
    assert await site.desk.leaves("log-read") == []


async def test_a_question_is_saved_and_asked_again(site: Site) -> None:
    """Under a title; the log has who saved it, and whoever reads the log sees it."""
    ada, bea = await seat(site, "inspector"), await seat(site, "governance")
    asked = {"event": "waiver-recorded", "agency": COUNCIL}
    done = await ada.post("/console/log", {"title": "  What the council  gave up ", **asked})
    assert done.status == 303, done.body
    page = await bea.get("/console/log")
    assert (
        f'href="/console/log?agency={COUNCIL}&amp;event=waiver-recorded">What the council gave up</a>'
        in page.body.decode()
    )
    (leaf,) = await site.desk.leaves("question-saved")
    assert leaf["person"] == ada.account
    for wrong in (
        {"title": "", **asked},
        {"title": "x" * 81, **asked},
        {"title": "Everything"},
        {"title": "x", "event": "nothing"},
    ):
        assert (await ada.post("/console/log", wrong)).status == 422
    assert len(await site.desk.leaves("question-saved")) == 1


async def test_what_was_found_is_taken_away(quarter: Site) -> None:
    """As lines of JSON and as CSV, byte for byte what the log has; that it was is in the log."""
    ada, opal = await seat(quarter, "inspector"), await seat(quarter, "operator")
    lines = (await ada.get("/console/log/export.jsonl?event=envelope-accepted")).body.splitlines()
    accepted = await quarter.desk.leaves("envelope-accepted")
    assert [json.loads(json.loads(line)["text"]) for line in lines] == accepted
    table = (await ada.get("/console/log/export.csv?event=envelope-accepted")).body.splitlines()
    assert len(table) == len(accepted) + 1
    assert {leaf["kind"] for leaf in await quarter.desk.leaves("log-read")} == {"export"}
    assert (await ada.get("/console/log/export.xlsx")).status == 404
    assert (await opal.get("/console/log/export.csv")).status == 404


async def test_the_log_checks_itself_and_holds_what_somebody_noted_against_it(quarter: Site) -> None:
    """Each check by name; a checkpoint that the log does not continue is told."""
    ada = await seat(quarter, "inspector")
    text = text_of(await ada.get("/console/log/check"))
    assert "Does not hold" not in text
    assert "Not witnessed" in text
    size, _, note = await quarter.hub.store.read(lambda tx: tx.last_checkpoint()) or (0, 0, "")
    root = notes.split_note(note)[0].split("\n")[2].replace("+", "%2B")
    assert "Does not hold" not in text_of(await ada.get(f"/console/log/check?size={size}&root={root}"))
    for said in (f"size={size - 1}&root={root}", f"size={size + 1}&root={root}"):
        assert "Does not hold" in text_of(await ada.get(f"/console/log/check?{said}"))
    for said in ("size=x&root=y", f"size={size}&root=", "size=-1&root=" + "A" * 43 + "%3D"):
        page = await ada.get(f"/console/log/check?{said}")
        assert page.status == 422
        assert "that is no checkpoint" in text_of(page).lower()


async def test_a_log_that_was_altered_does_not_hold(quarter: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that was changed in the database is found where it is looked at."""
    monkeypatch.setattr(log_check, "SAMPLE", 10_000)

    store = quarter.hub.store
    (leaf,) = await store.read(lambda tx: tx.leaves(40, 41))

    def put(tx: object, body: bytes) -> None:
        tx.connection.raw.execute("UPDATE leaf SET body = ? WHERE ix = 40", (body,))  # type: ignore[attr-defined]

    await store.write(lambda tx: put(tx, leaf.body[:-1] + b" }"))
    text = text_of(await (await seat(quarter, "inspector")).get("/console/log/check"))
    await store.write(lambda tx: put(tx, leaf.body))
    assert "40 Does not hold this entry is not what was signed" in text


async def test_there_is_nothing_to_check_before_the_first_checkpoint(site: Site) -> None:
    """The page says to ask again."""
    page = await (await seat(site, "inspector")).get("/console/log/check")
    assert page.status == 404
    assert "checkpoint is signed yet" in text_of(page)
