"""Whom the record names for the child gets the thread onto their list, where nobody has said otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.base import Filed, Incoming, Outcome, Outgoing
from keys.digests import from_b64u
from tests.county import DAY, HEALTH, NURSES, PAEDIATRICS
from tests.gateway.inbox.support import Office
from tests.gateway.inbox.test_threads import exclude


@dataclass
class Records:
    """A record system that names *practitioners* for every child."""

    practitioners: Any = ()

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield nothing."""
        for one in ():
            yield one

    async def file(self, message: Incoming) -> Outcome:
        """File it."""
        return Filed(record=message.envelope, practitioners=self.practitioners)


@pytest.fixture
def records(office: Office) -> Records:
    """Let the trust file into a system that names practitioners."""
    made = Records()
    office.health.gateway = replace(office.health.gateway, adapters={"folder": made})
    return made


async def holders(office: Office, thread: str, mailbox: str = NURSES) -> list[str]:
    """Return who holds *thread* at the trust."""
    inbox = office.inboxes[HEALTH]
    rows = await inbox.gateway.spool.all("holders_here", thread=thread, mailbox=mailbox, now=inbox.now())
    return [row["person"] for row in rows]


async def test_the_named_practitioner_of_the_team_gets_it_onto_their_list(office: Office, records: Records) -> None:
    """Of several whom the record names, the one of the team that it came for; a colleague doesn't find it among theirs."""
    jo = await office.person("JO.Sample")
    await office.person("ada@example.org", teams=[PAEDIATRICS])
    records.practitioners = ("nobody.here", "ada@example.org", " jo.sample ")
    held = await office.hold_meeting()
    assert await holders(office, held.thread) == [jo]
    browser = office.browser()
    page = await browser.sign_in("jo.sample")
    assert f"/messages/{held.envelope}" in page.text
    colleague = await office.signed_in("robin@example.org")
    assert held.envelope not in (await colleague.get("/")).text
    manager = await office.signed_in("kim@example.org", duties=("manager",))
    assert "was given it by the record system" in (await manager.get(f"/threads/{held.thread}")).words


async def test_each_team_has_its_own_practitioner(office: Office, records: Records) -> None:
    """One meeting, two teams of the trust, two people."""
    jo, ada = await office.person("jo@example.org"), await office.person("ada@example.org", teams=[PAEDIATRICS])
    records.practitioners = ("jo@example.org", "ada@example.org")
    held = await office.hold_meeting(NURSES, PAEDIATRICS)
    assert await holders(office, held.thread) == [jo]
    assert await holders(office, held.thread, PAEDIATRICS) == [ada]


async def test_otherwise_it_stays_the_teams(office: Office, records: Records) -> None:
    """Nobody by that name, who has left, is away, may not hold it, is of another team, or is one of two: all are filed."""
    spool, now = office.inboxes[HEALTH].gateway.spool, office.town.county.now
    left, away = await office.person("left"), await office.person("away")
    await spool.run("set_person_state", id=left, state="left")
    await spool.run("set_away", person=away, since=now - DAY, until=now + DAY, cover=None)
    await office.person("reviewer", duties=("reviewer",))
    await office.person("doctor", teams=[PAEDIATRICS])
    await office.person("jo")
    await office.person("robin")
    for named in (
        (),
        ("unknown",),
        ("left",),
        ("away",),
        ("reviewer",),
        ("doctor",),
        ("jo", "robin"),
        (7, None),
        ("",),
    ):
        records.practitioners = named
        held = await office.hold_meeting()
        assert await holders(office, held.thread) == [], named
    assert {row["state"] for row in await spool.all("list_incoming")} == {"filed"}
    records.practitioners = ("left", "jo")
    held = await office.hold_meeting()
    assert len(await holders(office, held.thread)) == 1


async def test_who_is_excluded_from_the_thread_never_gets_it(office: Office, records: Records) -> None:
    """A relative of the child may be the one whom the record names."""
    await office.person("jo@example.org")
    held = await office.hold_meeting()
    await exclude(office.inboxes[HEALTH], held.thread, "Jo")
    records.practitioners = ("jo@example.org",)
    await office.send_minutes(held.thread)
    assert await holders(office, held.thread) == []


async def test_what_people_decided_stays(office: Office, records: Records) -> None:
    """Given back to the team: the next message of the thread, and the same one filed again, don't bring it back."""
    await office.person("jo@example.org")
    records.practitioners = ("jo@example.org",)
    held = await office.hold_meeting()
    jo = office.browser()
    await jo.sign_in("jo@example.org")
    page = await jo.get(f"/threads/{held.thread}")
    assert "Jo holds it" in page.words
    (seen,) = await holders(office, held.thread)
    await jo.post(f"/threads/{held.thread}/release", {"mailbox": NURSES, "seen": seen})
    assert await holders(office, held.thread) == []
    await office.send_minutes(held.thread)
    assert await holders(office, held.thread) == []


async def test_whoever_holds_it_keeps_it(office: Office, records: Records) -> None:
    """The record's word doesn't take a child away from whoever works with it."""
    robin = await office.signed_in("robin@example.org")
    await office.person("jo@example.org")
    held = await office.hold_meeting()
    await robin.get("/")
    await robin.post(f"/messages/{held.envelope}/open")
    before = await holders(office, held.thread)
    records.practitioners = ("jo@example.org",)
    await office.send_minutes(held.thread)
    assert await holders(office, held.thread) == before


async def test_no_name_of_a_practitioner_leaves_or_is_logged(
    office: Office, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the receipts that the sender hears, not in a notice, not in a log."""
    caplog.set_level("DEBUG")
    await office.person("jo.zebulon@example.org")
    records.practitioners = ("jo.zebulon@example.org",)
    held = await office.hold_meeting()
    await office.levels(held.envelope)
    rows = await office.council.gateway.spool.all("heard_by", envelope=held.envelope, mailbox=NURSES)
    heard = [from_b64u(bytes(row["jws"]).split(b".")[1]) for row in rows]
    notices = [bytes(row["details"]) for row in await office.inboxes[HEALTH].gateway.spool.all("list_notices")]
    assert heard
    assert not any(b"zebulon" in one for one in (*heard, *notices))
    assert "zebulon" not in caplog.text
