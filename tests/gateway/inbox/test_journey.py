"""A practitioner's two minutes: what arrived, what is missing, taking receipt."""

from __future__ import annotations

from tests.county import DAY
from tests.gateway.inbox.support import Office


async def test_what_arrives_is_on_the_page_and_opening_it_is_receipted_to_the_sender(office: Office) -> None:
    """A nurse sees minutes in her list, opens them, takes receipt; the council hears each step once."""
    held = await office.hold_meeting()
    minutes = await office.send_minutes(held.thread)
    nurse = await office.signed_in("robin@example.org")
    page = await nurse.get("/")
    assert "New for you (2)" in page.words
    cover = await nurse.get(f"/messages/{minutes.envelope}")
    assert "Zebulon" not in cover.text
    assert "opened" not in await office.levels(minutes.envelope)
    opened = await nurse.post(f"/messages/{minutes.envelope}/open")
    assert opened.status == 200
    assert "Zebulon" in opened.text
    await nurse.post(f"/messages/{minutes.envelope}/acknowledge")
    await nurse.post(f"/messages/{minutes.envelope}/acknowledge")
    levels = await office.levels(minutes.envelope)
    assert [level for level in levels if level in {"opened", "acknowledged"}] == ["opened", "acknowledged"]


async def test_what_was_never_sent_is_on_the_page_with_since_when_and_from_whom(office: Office) -> None:
    """A discussion was held; its minutes are owed, then overdue, although nobody ever sent anything."""
    await office.hold_meeting()
    nurse = await office.signed_in("robin@example.org")
    page = await nurse.get("/")
    assert "Owed to you and not here" in page.words
    office.town.county.now += 20 * DAY
    await nurse.sign_in("robin@example.org")
    page = await nurse.get("/")
    assert "Overdue" in page.words
    assert "From Sampleton Childrens Services" in page.words
    assert "they were reminded" in page.words


async def test_a_message_is_declined_with_a_reason_once(office: Office) -> None:
    """Declining without a reason changes nothing; with one, it goes back to the sender and can't be acknowledged."""
    held = await office.hold_meeting()
    nurse = await office.signed_in("robin@example.org")
    await nurse.get(f"/messages/{held.envelope}")
    await nurse.post(f"/messages/{held.envelope}/open")
    assert (await nurse.post(f"/messages/{held.envelope}/decline")).status == 422
    await nurse.get(f"/messages/{held.envelope}/decline")
    await nurse.post(f"/messages/{held.envelope}/decline", {"code": "wrong_recipient"})
    assert (await office.levels(held.envelope))[-1] == "declined"
    refused = await nurse.post(f"/messages/{held.envelope}/acknowledge")
    assert refused.status == 422
    assert "declined it already" in refused.words
