"""Minutes for a practice that has nothing but e-mail: the whole way, through a real hub and a real mail server."""

from __future__ import annotations

from adapters.gateway.exclusions import pseudonym
from keys import jws
from keys.digests import keyed_digest
from schemas.receipt import parse_receipt
from tests.gateway.guests.support import WILLOW, Practice


async def test_a_general_practitioner_reads_and_takes_receipt_by_a_link(practice: Practice) -> None:
    """Mail, code, opening, the practice's copy, receipt; the council hears of each, signed by role and pseudonym."""
    guest = await practice.add()
    sent = await practice.send()
    assert await practice.levels(sent.envelope) == ["collected"]
    browser = await practice.enter(guest, sent.envelope)
    cover = await browser.get("/guest/item")
    assert "For Lee Sample" in cover.words
    assert "Zebulon" not in cover.words
    shown = await practice.press(browser, "open")
    assert "Record of a strategy discussion" in shown.words or "Copy for a general practice" in shown.words
    assert "Do not show online" in shown.words
    assert "Zebulon" not in shown.words
    assert await practice.levels(sent.envelope) == ["collected", "opened"]
    thanks = await practice.press(browser, "acknowledge")
    assert "the sender has been told" in thanks.words
    assert await practice.levels(sent.envelope) == ["collected", "opened", "acknowledged"]
    gateway = practice.office.health.gateway
    rows = await gateway.spool.all("signed_receipts_of", envelope=sent.envelope, mailbox=WILLOW)
    receipts = [parse_receipt(jws.parse(bytes(row["jws"]), jws.RECEIPT).payload) for row in rows]
    actor = keyed_digest(gateway.keyring.record_key, guest.actor)
    assert [(one.actor, one.role) for one in receipts] == [(None, None), *[(actor, "general_practitioner")] * 2]
    assert pseudonym(gateway, "Lee Sample") != actor
    copies = await gateway.spool.all("exports_of", envelope=sent.envelope)
    assert [(one["variant"], one["mailbox"]) for one in copies] == [("gp", WILLOW)]
