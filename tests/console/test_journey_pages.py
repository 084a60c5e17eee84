"""Follow one envelope: its page, its proof as a file, and its thread."""

from __future__ import annotations

import json

from hub.journeys.checking import check_journey
from hub.journeys.files import read_tar
from tests.console.support import seat, text_of
from tests.county import NURSES
from tests.hub.support import hold
from tests.web.support import Site


async def _some(site: Site) -> str:
    """Return the id of an envelope that the nurses filed."""
    rows = await site.hub.store.read(lambda tx: tx.find_leaves(event="receipt-accepted", mailbox=NURSES, limit=1))
    return str(json.loads(rows[0].body)["envelope"])


async def test_a_journey_is_checked_on_the_page(quarter: Site) -> None:
    """Every check holds; each receipt is there with its moment; that somebody looked is in the log."""
    name, ada = await _some(quarter), await seat(quarter, "inspector")
    page = await ada.get(f"/console/envelopes/{name}")
    assert page.status == 200, page.body
    text = text_of(page)
    assert "Every check holds" in text
    assert "Not witnessed" in text
    assert "filed in its record system" in text
    assert "for Northmere Health, safeguarding: met in time" in text
    for shown in ("The sender signed the envelope's header", "The entry is in the log under that checkpoint"):
        assert shown in text
    (leaf,) = await quarter.desk.leaves("log-read")
    assert (leaf["kind"], leaf["person"], leaf["envelope"]) == ("journey", ada.account, name)


async def test_the_proof_is_a_file_that_needs_no_hub(quarter: Site) -> None:
    """Checked with nothing but the officers' keys."""
    name, ada = await _some(quarter), await seat(quarter, "inspector")
    got = await ada.get(f"/console/envelopes/{name}/proof.tar")
    assert got.headers["Content-Disposition"] == f'attachment; filename="envelope-{name}.tar"'
    verdict = check_journey(read_tar(got.body), quarter.county.roots)
    assert verdict.holds
    assert {one.mailbox for one in verdict.reached} > {NURSES}


async def test_what_no_checkpoint_covers_yet_has_a_page_but_no_proof(site: Site) -> None:
    """The page says so, and to come again."""
    await site.desk.send(sent := hold(site.county, NURSES))
    ada = await seat(site, "inspector")
    assert "No signed checkpoint covers" in text_of(await ada.get(f"/console/envelopes/{sent.id}"))
    assert (await ada.get(f"/console/envelopes/{sent.id}/proof.tar")).status == 404


def _altered(compact: bytes) -> bytes:
    """Return a JWS whose signature begins otherwise."""
    place = compact.rindex(b".") + 1
    other = b"B" if compact[place : place + 1] == b"A" else b"A"
    return compact[:place] + other + compact[place + 1 :]


async def test_a_hub_that_altered_a_receipt_is_told_by_its_own_page(quarter: Site) -> None:
    """A row that isn't what the log has: the page names the check that does not hold."""
    name, ada = await _some(quarter), await seat(quarter, "inspector")
    store = quarter.hub.store

    def alter(tx: object) -> None:
        rows = tx.receipts_of(name)  # type: ignore[attr-defined]
        connection = tx.connection  # type: ignore[attr-defined]
        connection.raw.execute("UPDATE receipt SET jws = ? WHERE ix = ?", (_altered(rows[0].jws), rows[0].index))

    await store.write(alter)
    text = text_of(await ada.get(f"/console/envelopes/{name}"))
    assert "do not hold" in text or "does not hold" in text
    assert "it is not what the log's entry stands for" in text


async def test_a_thread_has_its_envelopes_duties_and_entries(quarter: Site) -> None:
    """And leads to each of them."""
    name, ada = await _some(quarter), await seat(quarter, "governance")
    row = await quarter.hub.store.read(lambda tx: tx.find_envelope(name))
    assert row is not None
    page = await ada.get(f"/console/threads/{row.thread}")
    assert f"/console/envelopes/{name}" in page.body.decode()
    assert "Which agencies hold something of it?" in text_of(page)


async def test_what_is_not_there_has_no_page(quarter: Site) -> None:
    """Nor what isn't spelt as a reference; an operator sees none of it."""
    ada, opal = await seat(quarter, "inspector"), await seat(quarter, "operator")
    unknown = hold(quarter.county, NURSES).id
    for path in (
        f"/console/envelopes/{unknown}",
        f"/console/threads/{unknown}",
        "/console/envelopes/x",
        "/console/threads/x",
    ):
        assert (await ada.get(path)).status == 404
    assert (await opal.get(f"/console/envelopes/{await _some(quarter)}")).status == 404
