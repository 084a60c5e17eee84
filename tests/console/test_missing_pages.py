"""What is missing now, one obligation, and what somebody at the console can do about it."""

from __future__ import annotations

import re

import pytest

from hub import acts
from hub.missing import Filters, find_missing
from tests.console.support import seat, text_of
from tests.county import COUNCIL, HEALTH, MASH, NURSES
from tests.web.support import Site


async def _first(site: Site) -> str:
    """Return the obligation that has been overdue for longest, of those that the nurses are owed."""
    found = await site.hub.store.read(lambda tx: find_missing(tx, Filters(), site.hub.clock(), None, 500))
    return next(one.row.id for one in found.late if one.row.duty.creditor == NURSES)


async def test_the_list_has_what_is_overdue_with_its_ladder_and_counts(quarter: Site) -> None:
    """Each row leads to its obligation; the filters leave the others out."""
    ada = await seat(quarter, "inspector")
    page = await ada.get("/console/missing")
    assert page.status == 200, page.body
    text = text_of(page)
    assert "The longest overdue come first" in text
    assert "Mash" in text or "mash" in text
    links = re.findall(r'href="/console/obligations/([A-Za-z0-9_-]{43})"', page.body.decode())
    found = await quarter.hub.store.read(lambda tx: find_missing(tx, Filters(), quarter.hub.clock(), None, 50))
    assert links == [one.row.id for one in found.late]
    assert "Remind" not in text
    bea = await seat(quarter, "governance")
    assert f'action="/console/obligations/{links[0]}/chase"' in (await bea.get("/console/missing")).body.decode()
    assert "Nothing is overdue here" in text_of(await ada.get(f"/console/missing?agency={HEALTH}"))
    assert (await ada.get(f"/console/missing?agency={COUNCIL}&kind=send&rung=manager&type=minutes.full")).status == 200
    after = await ada.get(f"/console/missing?after={links[0]}")
    assert links[0] not in after.body.decode()
    assert "By age" not in text_of(after)


@pytest.mark.parametrize("query", ["agency=nobody", "type=nothing", "kind=x", "rung=x", "after=x", "agency=<script>"])
async def test_a_filter_that_means_nothing_has_no_page(quarter: Site, query: str) -> None:
    """Whether it is misspelt, unknown, or meant to do harm."""
    ada = await seat(quarter, "inspector")
    page = await ada.get(f"/console/missing?{query}")
    assert page.status == 404
    assert b"<script>" not in page.body.replace(b'<script type="module"', b"")


async def test_an_obligation_says_who_owes_what_and_what_can_be_done(quarter: Site) -> None:
    """An inspector sees no button; who may propose does."""
    name = await _first(quarter)
    for role, buttons in (("inspector", False), ("governance", True)):
        page = await (await seat(quarter, role)).get(f"/console/obligations/{name}")
        text = text_of(page)
        assert "Its ladder" in text
        assert "Overdue:" in text
        assert ("Send a reminder" in text, "Propose this" in text) == (buttons, buttons)
    for missing in ("A" * 43, "short", "A" * 42 + "="):
        assert (await (await seat(quarter, "inspector")).get(f"/console/obligations/{missing}")).status == 404


async def test_a_reminder_goes_out_once_an_hour(quarter: Site) -> None:
    """To who owes it and their manager; a second one says to wait, and who only looks can't send one."""
    name, desk = await _first(quarter), quarter.desk
    before = len(await desk.notices(MASH, "overdue"))
    assert (await (await seat(quarter, "inspector")).post(f"/console/obligations/{name}/chase")).status == 404
    ada = await seat(quarter, "governance")
    done = await ada.post(f"/console/obligations/{name}/chase")
    assert (done.status, done.headers["Location"]) == (303, f"/console/obligations/{name}")
    assert len(await desk.notices(MASH, "overdue")) == before + 1
    assert "Reminded by hand" in text_of(await ada.get(f"/console/obligations/{name}"))
    again = await ada.post(f"/console/obligations/{name}/chase")
    assert again.status == 422
    assert "less than an hour ago" in text_of(again)
    assert len(await desk.notices(MASH, "overdue")) == before + 1


@pytest.mark.parametrize(("ending", "act"), [("waive", "obligation-waive"), ("elsewhere", "obligation-elsewhere")])
async def test_an_ending_is_proposed_for_a_reason_that_the_agreement_knows(
    quarter: Site, ending: str, act: str
) -> None:
    """A second person approves it; then it waits for the partnership's gateway, and the duty is open still."""
    name = await _first(quarter)
    ada, bea = await seat(quarter, "governance"), await seat(quarter, "administrator")
    path = f"/console/obligations/{name}/ending"
    assert "Choose what you propose" in text_of(await ada.post(path, {"ending": "", "reason": "handed_over"}))
    assert "isn't known" in text_of(await ada.post(path, {"ending": ending, "reason": "too_busy"}))
    made = await ada.post(path, {"ending": ending, "reason": "handed_over"})
    assert made.status == 303, made.body
    place = made.headers["Location"]
    assert "somebody else" in text_of(await ada.get(place)).lower()
    assert (await bea.post(f"{place}/decide", {"answer": "approve"})).status == 303
    row = await quarter.hub.store.read(lambda tx: acts.get_proposal(tx, place.rpartition("/")[2]))
    assert (row.act, row.state) == (act, "approved")
    page = text_of(await bea.get(f"/console/obligations/{name}"))
    assert "A second person approved" in page
    assert "Open, overdue for" in page
