"""Copies to print or keep, made from the page: recorded, marked, and never more than their reader may have."""

from __future__ import annotations

import pytest

from tests.county import HEALTH, MASH, NURSES
from tests.gateway.inbox.support import Browser, Office
from tests.gateway.support import minutes_full


async def opened(office: Office) -> tuple[Browser, str]:
    """Return a nurse who has opened minutes, and their id."""
    held = await office.hold_meeting()
    minutes = await office.send_minutes(held.thread, marks=["third_party"])
    nurse = await office.signed_in("robin@example.org", name="Robin Sample")
    await nurse.get(f"/messages/{minutes.envelope}")
    await nurse.post(f"/messages/{minutes.envelope}/open")
    return nurse, minutes.envelope


@pytest.mark.parametrize(
    ("form", "media"), [("print", "text/html"), ("text", "text/plain"), ("json", "application/json")]
)
async def test_a_copy_says_who_made_it_and_is_recorded_first(office: Office, form: str, media: str) -> None:
    """The copy for the record has content, marks, name; the gateway's list of copies has it, without a name."""
    nurse, envelope = await opened(office)
    await nurse.get(f"/messages/{envelope}/copy")
    copy = await nurse.post(f"/messages/{envelope}/copy", {"audience": "record", "form": form})
    assert copy.headers["Content-Type"].startswith(media)
    assert "Zebulon" in copy.text
    assert "Robin Sample" in copy.text
    (row,) = await office.health.gateway.spool.all("list_exports")
    assert (row["envelope"], row["variant"]) == (envelope, "record")
    assert "Robin" not in str(dict(row))


async def test_a_printed_copy_can_run_nothing(office: Office) -> None:
    """Whatever is in it, the page that is printed is sandboxed and has no script."""
    nurse, envelope = await opened(office)
    await nurse.get(f"/messages/{envelope}/copy")
    copy = await nurse.post(f"/messages/{envelope}/copy", {"audience": "record", "form": "print"})
    policy = copy.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy
    assert "sandbox" in policy
    assert copy.headers["Content-Disposition"] == f'inline; filename="{envelope}-record.html"'


async def test_the_familys_copy_leaves_out_what_is_not_for_them(office: Office) -> None:
    """The same message as a copy for the family lacks what its marks bar."""
    held = await office.hold_meeting()
    message = minutes_full([MASH])
    message["information_blocks"][0]["handling_marks"] = ["not_for_family"]
    sent = await office.send("minutes.full/1", message, thread=held.thread, to=[NURSES])
    nurse = await office.signed_in("robin@example.org")
    await nurse.get(f"/messages/{sent.envelope}")
    await nurse.post(f"/messages/{sent.envelope}/open")
    await nurse.get(f"/messages/{sent.envelope}/copy")
    whole = await nurse.post(f"/messages/{sent.envelope}/copy", {"audience": "record", "form": "text"})
    await nurse.get(f"/messages/{sent.envelope}/copy")
    family = await nurse.post(f"/messages/{sent.envelope}/copy", {"audience": "family", "form": "text"})
    assert "Zebulon" in whole.text
    assert family.status == 200
    assert "Zebulon" not in family.text


async def test_no_copy_before_it_was_opened_and_none_without_a_reader(office: Office) -> None:
    """Who hasn't opened it gets none, and a form without a choice makes none; neither is recorded."""
    held = await office.hold_meeting()
    nurse = await office.signed_in("robin@example.org")
    await nurse.get("/")
    refused = await nurse.post(f"/messages/{held.envelope}/copy", {"audience": "record", "form": "text"})
    assert refused.status == 422
    await nurse.get(f"/messages/{held.envelope}")
    await nurse.post(f"/messages/{held.envelope}/open")
    again = await nurse.post(f"/messages/{held.envelope}/copy", {"audience": "", "form": "text"})
    assert again.status == 422
    assert "Choose whom the copy is for" in again.words
    assert await office.inboxes[HEALTH].gateway.spool.all("list_exports") == []
