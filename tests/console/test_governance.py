"""Holds, retention, breaches and subject access at the console: two people, real pages, nothing of any content."""

from __future__ import annotations

import json
import re

import pytest

from keys.digests import new_id
from schemas.envelope import DAY
from tests.console.support import Seat, seat, text_of
from tests.county import CAIT, HEALTH, MINUTE, NURSES, Sent
from tests.hub.support import hold, minutes
from tests.web.support import Site


async def _sent(site: Site, *boxes: str) -> Sent:
    held = hold(site.county, *boxes)
    await site.desk.send(held)
    sent = minutes(site.county, held.header.thread, *boxes)
    await site.desk.send(sent)
    return sent


async def _decide(by: Seat, location: str, answer: str = "approve") -> str:
    got = await by.get(location)
    assert got.status == 200
    done = await by.post(f"{location}/decide", {"answer": answer})
    assert done.status == 303, text_of(done)
    return text_of(await by.get(location))


async def test_two_people_place_a_hold_and_two_release_it(site: Site) -> None:
    """One proposes, nothing is held yet; another approves, and the page lists it; so too when it is released."""
    sent = await _sent(site, NURSES)
    thread = sent.header.thread
    one, two = await seat(site, "governance"), await seat(site, "governance")
    await one.get(f"/console/holds?thread={thread}")
    done = await one.post("/console/holds", {"thread": thread, "envelope": "", "reason": "public_inquiry"})
    assert done.status == 303
    assert thread not in text_of(await one.get("/console/holds"))
    await _decide(two, done.headers["Location"])
    page = await one.get("/console/holds")
    assert f"Thread {thread} public inquiry" in text_of(page)
    found = re.search(r'name="hold" value="([^"]+)"', page.body.decode())
    assert found
    done = await two.post("/console/holds", {"hold": found[1], "reason": "matter_closed"})
    await _decide(one, done.headers["Location"])
    assert "There is none." in text_of(await one.get("/console/holds"))
    assert thread in text_of(await one.get("/console/holds?state=every"))
    events = [leaf["event"] for leaf in await site.desk.leaves() if "by" in leaf and "obligation" not in leaf]
    assert events == ["act-proposed", "act-approved", "hold-placed", "act-proposed", "act-approved", "hold-released"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"thread": "nonsense", "reason": "complaint"}, "A reference isn't as it must be"),
        ({"thread": new_id(1), "reason": "complaint"}, "The hub has nothing under this reference"),
        ({"thread": "", "reason": "because"}, "A reference isn't as it must be"),
        ({"hold": new_id(1), "reason": "matter_closed"}, "There is no such hold"),
    ],
)
async def test_what_can_not_be_held_is_said_on_the_page(site: Site, fields: dict[str, str], says: str) -> None:
    """A precise sentence, the form as it was, and nothing in the log."""
    one = await seat(site, "governance")
    await one.get("/console/holds")
    size = len(await site.desk.leaves())
    got = await one.post("/console/holds", fields)
    assert got.status == 422
    assert says in text_of(got)
    assert len(await site.desk.leaves()) == size


async def test_retention_says_what_goes_and_what_a_hold_keeps(site: Site) -> None:
    """Labels with their days from the agreement, the next that go with their state, what was deleted."""
    sent = await _sent(site, NURSES)
    await site.desk.receive(sent, NURSES, "collected", "filed")
    one, two = await seat(site, "governance"), await seat(site, "administrator")
    text = text_of(await one.get("/console/retention"))
    assert "case 30 days 400 days" in text
    assert f"{sent.id} " in text
    assert "its grace is running" in text
    await one.get("/console/holds")
    done = await one.post("/console/holds", {"thread": sent.header.thread, "reason": "complaint"})
    await _decide(two, done.headers["Location"])
    assert "a legal hold keeps it" in text_of(await one.get("/console/retention"))
    other = minutes(site.county, hold(site.county).header.thread, CAIT, keep_until=site.county.now + 2 * DAY)
    await site.desk.send(other)
    await site.desk.expire()
    await site.desk.tick(2 * DAY)
    await site.desk.expire()
    text = text_of(await (await seat(site, "governance")).get("/console/retention"))
    assert other.id in text.partition("What was deleted last")[2]


async def test_a_breach_is_recorded_decided_and_told(site: Site) -> None:
    """From the page of open records to the regulator: each step by two people, both sides' words as a file."""
    sent = await _sent(site, NURSES)
    await site.desk.receive(sent, NURSES, "collected")
    await site.desk.withdraw(sent)
    await site.desk.take(site.county.receipt(sent, NURSES, "filed", mode="destroyed"), by=HEALTH)
    one, two = await seat(site, "governance"), await seat(site, "governance")
    assert sent.id in text_of(await one.get("/console/breaches"))
    path = f"/console/breaches/{sent.id}"
    text = text_of(await one.get(path))
    assert "Has destroyed it" in text
    assert "Takes it back" in text
    done = await one.post(path, {"decision": "to_tell", "reason": "risk_likely"})
    await _decide(two, done.headers["Location"])
    assert sent.id in text_of(await one.get("/console/breaches?state=to_tell"))
    site.county.now += 10 * MINUTE
    got = await one.post(path, {"decision": "told", "told_at": "yesterday", "reason": "regulator_told"})
    assert (got.status, "That is no date and time" in text_of(got)) == (422, True)
    done = await one.post(path, {"decision": "told", "told_at": "2026-07-06T09:05", "reason": "regulator_told"})
    await _decide(two, done.headers["Location"])
    text = text_of(await one.get(path))
    assert "The regulator has been told" in text
    assert "at 9:05am" in text
    file = await one.get(f"{path}/statements")
    said = json.loads(file.body)
    assert (said["envelope"], len(said["withdrawals"]), len(said["receipts"])) == (sent.id, 1, 1)
    assert "attachment" in file.headers["Content-Disposition"]


async def test_subject_access_names_agencies_and_is_in_the_log(site: Site) -> None:
    """Who sent, who has, for whom it lies at the hub; never a type; each look is a leaf with who looked."""
    sent = await _sent(site, NURSES, CAIT)
    await site.desk.receive(sent, NURSES, "collected")
    one = await seat(site, "governance")
    await one.get("/console/holdings")
    got = await one.post("/console/holdings", {"thread": sent.header.thread})
    text = text_of(got)
    assert "Northmere Health Has something" in text
    assert "Sampleton Childrens Services Sent something, and has its own copy" in text
    assert "Exampleshire Constabulary Something lies at the hub for it" in text
    assert "minutes" not in text.lower()
    (leaf,) = await site.desk.leaves("log-read")
    assert (leaf["person"], leaf["kind"], leaf["thread"]) == (one.account, "holdings", sent.header.thread)
    got = await one.post("/console/holdings", {"thread": "x"})
    assert got.status == 422
    assert "The hub has nothing of this thread." in text_of(await one.post("/console/holdings", {"thread": new_id(1)}))


@pytest.mark.parametrize("path", ["/breaches/nonsense", f"/breaches/{new_id(1)}", "/breaches?state=nonsense"])
async def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    """Whatever is written into the address."""
    one = await seat(site, "governance")
    assert (await one.get(f"/console{path}")).status == 404


@pytest.mark.parametrize(
    "query", ["after=-1", "after=999999999999999999999", "at=x&ix=1", "after=%00", "state=every&after=0"]
)
async def test_a_strange_place_in_a_list_shows_the_list(site: Site, query: str) -> None:
    """A cursor that isn't one is no error."""
    one = await seat(site, "governance")
    for page in ("holds", "retention", "breaches"):
        assert (await one.get(f"/console/{page}?{query.replace('state=every&', '')}")).status == 200
