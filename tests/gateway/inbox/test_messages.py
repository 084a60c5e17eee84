"""A message on its page: marks, what changed, documents looked at and saved, and to its sender who has it."""

from __future__ import annotations

from typing import Any

from adapters.base import Document, Outgoing, parse_draft
from adapters.gateway import incoming, outgoing
from adapters.gateway.receipting import receipt_by_person
from schemas.strict_json import dump
from tests.county import COUNCIL, MASH, NURSES
from tests.gateway.inbox.support import Browser, Office
from tests.gateway.support import draft, minutes_full, settle


async def opened(office: Office, envelope: str, **who: Any) -> Browser:
    """Return the browser of a nurse who has opened *envelope*."""
    nurse = await office.signed_in("robin@example.org", **who)
    await nurse.get(f"/messages/{envelope}")
    await nurse.post(f"/messages/{envelope}/open")
    return nurse


async def test_marks_and_what_must_not_be_disclosed_stand_first(office: Office) -> None:
    """Before anything else of the message: its classification, its marks, whom not to tell; and a section's own beside it."""
    held = await office.hold_meeting()
    message = minutes_full([MASH, NURSES], do_not_disclose_to=["Alex Sample"])
    message["information_blocks"][0]["handling_marks"] = ["not_for_family"]
    sent = await office.send("minutes.full/1", message, thread=held.thread, marks=["no_onward_copy"])
    nurse = await opened(office, sent.envelope)
    page = (await nurse.get(f"/messages/{sent.envelope}")).words
    places = [page.index(words) for words in ("OFFICIAL-SENSITIVE", "No onward copy", "Alex Sample", "Zebulon")]
    assert places == sorted(places)
    assert "Not for the family" in page


async def test_a_later_version_says_what_changed_and_the_earlier_one_that_there_is_a_later(office: Office) -> None:
    """The second version lists the field that differs, before and now; the first leads to it."""
    held = await office.hold_meeting()
    first = await office.send_minutes(held.thread)
    changed = minutes_full([MASH, NURSES], version=2, analysis="Less likely than was thought.")
    second = await office.send("minutes.full/1", changed, thread=held.thread, supersedes=first.envelope)
    nurse = await opened(office, second.envelope)
    page = await nurse.get(f"/messages/{second.envelope}")
    assert "What changed since the version before" in page.words
    assert "Less likely than was thought." in page.words
    assert "Likely to be exploited" in page.words.partition("Less likely")[0]
    await nurse.get(f"/messages/{first.envelope}")
    earlier = await nurse.get(f"/messages/{first.envelope}")
    assert f'href="/messages/{second.envelope}"' in earlier.text
    assert "There is a later version" in earlier.words


async def test_a_document_is_looked_at_and_saved_and_never_run(office: Office) -> None:
    """A plain text is shown as text; a page with script, whatever it calls itself, is only ever saved."""
    held = await office.hold_meeting()
    papers = (
        Document(name="note.txt", type="text/plain", content=b"Zebulon was seen on Friday."),
        Document(name="plan.png", type="image/png", content=b"<svg onload=alert(1)>"),
    )
    value = draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]), thread=held.thread)
    value["attachments"] = [one.name for one in papers]
    kept = Outgoing(key="papers", draft=parse_draft(dump(value)), documents=papers)
    sent = await outgoing.take_now(office.council.gateway, "test", kept)
    await settle(office.council, office.health)
    nurse = await opened(office, sent.envelope)
    base = f"/messages/{sent.envelope}/documents"
    assert "Zebulon was seen on Friday." in (await nurse.get(f"{base}/1")).words
    assert (await nurse.get(f"{base}/2")).status == 404
    for number in (1, 2):
        saved = await nurse.get(f"{base}/{number}/file")
        assert saved.headers["Content-Type"] == "application/octet-stream"
        assert saved.headers["Content-Disposition"].startswith("attachment")
        assert saved.headers["Content-Security-Policy"].startswith("sandbox")
    for path in (f"{base}/3", f"{base}/0", f"{base}/x", f"{base}/1/pages/x"):
        assert (await nurse.get(path)).status == 404
    other = await office.signed_in("kim@example.org")
    assert (await other.get(f"{base}/1")).status == 404


async def test_its_sender_sees_who_has_it_and_a_recipient_only_their_own(office: Office) -> None:
    """The council's page of what it sent names each level that was reached; the nurse's has her own receipts alone."""
    held = await office.hold_meeting()
    nurse = await opened(office, held.envelope)
    await nurse.post(f"/messages/{held.envelope}/acknowledge")
    await office.levels(held.envelope)
    chair = await office.signed_in("sam@example.org", agency=COUNCIL, teams=(MASH,))
    page = await chair.get(f"/messages/{held.envelope}")
    assert page.status == 200
    assert "Who has it" in page.words
    assert "Northmere Health" in page.words
    assert "Who has it" not in (await nurse.get(f"/messages/{held.envelope}")).words
    outsider = await office.signed_in("kim@example.org", agency=COUNCIL, teams=())
    assert (await outsider.get(f"/messages/{held.envelope}")).status == 404


async def test_a_version_that_was_replaced_waits_for_nobody_and_waits_again_if_the_later_one_is_taken_back(
    office: Office,
) -> None:
    """Today's list has the second version alone; once that is withdrawn, the first is what is to be acted on."""
    held = await office.hold_meeting()
    first = await office.send_minutes(held.thread)
    changed = minutes_full([MASH, NURSES], version=2)
    second = await office.send("minutes.full/1", changed, thread=held.thread, supersedes=first.envelope)
    nurse = await office.signed_in("robin@example.org")
    page = (await nurse.get("/")).text
    assert f'href="/messages/{second.envelope}"' in page
    assert f'href="/messages/{first.envelope}"' not in page
    rows = await office.health.gateway.spool.all("find_for_any", envelope=second.envelope)
    await office.health.gateway.spool.write(lambda tx: incoming.destroy(office.health.gateway, tx, rows[0]))
    page = (await nurse.get("/")).text
    assert f'href="/messages/{first.envelope}"' in page
    assert f'href="/messages/{second.envelope}"' not in page


async def test_what_was_opened_at_the_command_line_is_no_longer_new_on_the_page(office: Office) -> None:
    """A receipt is a receipt, wherever a person gave it."""
    held = await office.hold_meeting()
    gateway = office.health.gateway
    (row,) = await gateway.spool.all("find_for_any", envelope=held.envelope)
    nurse = await office.signed_in("robin@example.org")
    assert "New for you (1)" in (await nurse.get("/")).words
    for level in ("opened", "acknowledged"):
        await gateway.spool.write(
            lambda tx, level=level: receipt_by_person(  # type: ignore[misc]
                tx, gateway.keyring, row, level, actor="Kim Placeholder", role="school_nurse", now=gateway.clock(),
                seen=gateway.witness.receipt_view(),
            )
        )  # fmt: skip
    assert "New for you" not in (await nurse.get("/")).words
