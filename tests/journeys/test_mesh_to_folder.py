"""From a hospital that has only MESH to a police force that has only a folder, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.core.statistics import Period
from hub.export import open_export, write_folder
from hub.inspecting import Question, inspect_export
from hub.store.base import Store
from keys import jws, sealing
from schemas.envelope import parse_header, parse_wraps, split_envelope
from schemas.manifest import parse_manifest
from schemas.receipt import parse_receipt
from schemas.strict_json import dump, parse
from tests.county import DAY, EXPLOITATION, NURSES, POLICE, County, Sent
from tests.gateway.support import CATALOGUE, HELD_AT, Town, draft, drop, found_town, settle
from tests.journeys.story import carry, two_ends
from tests.journeys.systems import Folders, Meshed
from tests.mesh.sandbox import Sandbox, running_sandbox
from tests.mesh.support import open_post
from tests.schemas import samples

REPORT, OUTCOME = "info.report/1", "info.report.outcome/1"
POLICE_ADDRESS = EXPLOITATION.replace("/", "_").upper()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Give the NHS's sandbox as the trust's MESH."""
    with running_sandbox() as running:
        yield running


async def test_a_hospitals_report_lies_in_the_forces_folder_and_what_became_of_it_in_the_record(
    town: Town, tmp_path: Path, sandbox: Sandbox
) -> None:
    """Neither side knows what the other has; each is down for days, answers wrongly once, and has everything once."""
    sandbox.reset()
    hospital_end, police_end = (partial(Meshed, sandbox), NURSES), (Folders, EXPLOITATION)
    async with two_ends(town, tmp_path, hospital_end, police_end) as (hospital, police):
        said = samples.message(REPORT, reported_at=HELD_AT)
        report = draft(REPORT, NURSES, to=[EXPLOITATION], message=said)
        envelope, thread = await carry(town, hospital, police, report, REPORT)
        assert hospital.system.engine.told  # what became of its draft, and what is late
        duties = await town.site.desk.duties(thread)
        assert duties["report-received", EXPLOITATION, NURSES] == "met_late"
        assert duties["report-acknowledged", EXPLOITATION, NURSES] == "open"

        decided = samples.message(OUTCOME, decided_at=HELD_AT)
        outcome = draft(OUTCOME, EXPLOITATION, to=[NURSES], message=decided, thread=thread, re=envelope)
        await carry(town, police, hospital, outcome, OUTCOME)
        duties = await town.site.desk.duties(thread)
        assert duties["report-outcome", EXPLOITATION, NURSES] == "met"
        assert duties["outcome-received", NURSES, EXPLOITATION] == "met_late"
        await town.tick()
        await _audit(town, tmp_path)


async def _audit(town: Town, tmp_path: Path) -> None:
    """Hold the export to what the journey was: the answer is filed, but late, and what police never said is a gap."""
    county, export, trust = town.county, tmp_path / "export", tmp_path / "trust.json"
    await write_folder(await open_export(town.site.hub.store, county.now), export)
    trust.write_bytes(msgspec.json.encode({"officers": county.roots}))
    shown = await asyncio.to_thread(inspect_export, export, trust, Question(Period(0, county.now + 90 * DAY)))
    assert shown["verdict"]["verified"]
    rows = shown["figures"]["by_type"]
    names = ("owed", "sent", "filed", "received", "received_in_the_end", "missing")
    assert [rows[OUTCOME.partition("/")[0]][name] for name in names] == [1, 1, 1, 0, 1, 0]
    assert [(gap["type"], gap["state"], gap["debtor"]) for gap in shown["gaps"]] == [
        ("info.report.ack", "never sent", EXPLOITATION)
    ]


def open_sent(county: County, raw: bytes, box: str) -> tuple[Sent, list[bytes]]:
    """Return *raw* as the trust's own tools open it, with the key of *box*, and the documents in it."""
    parts = split_envelope(raw)
    header = parse_header(jws.parse(parts.header, jws.ENVELOPE).payload)
    wraps = parse_wraps(jws.parse(parts.wraps, jws.WRAPS).payload, header)
    (wrap,) = [one for one in wraps.wraps if one.mailbox == box]
    key = county.newest(box).key
    content_key = sealing.unwrap(wrap.ek, wrap.wk, key, envelope_id=header.id, sender=header.from_, mailbox=box)
    manifest, rest = sealing.open_sealed(parts.body, content_key, header.id)
    said = parse_manifest(jws.parse(manifest, jws.MANIFEST).payload)
    return Sent(raw, header, manifest, content_key), sealing.split_documents(
        rest, [one.length for one in said.documents]
    )


async def test_a_trust_without_a_way_to_the_hubs_api_sends_and_takes_by_its_mesh_client(
    sqlite_store: Store, tmp_path: Path
) -> None:
    """Its own tools seal and open; the client of the NHS carries; the same folder at police, the same receipts in the log."""
    async with open_post(sqlite_store, tmp_path) as post:
        county, said = post.county, samples.message(REPORT, reported_at=HELD_AT)
        clear = CATALOGUE.clear(REPORT, said)
        sent = county.seal(
            REPORT, NURSES, [EXPLOITATION], documents=(dump(said),), facts=clear.facts, items=clear.items,
            moments=clear.moments, parties=clear.parties,
        )  # fmt: skip
        town = await found_town(post.site, tmp_path)
        async with town.agent(POLICE) as police:
            name = await post.send(sent, to=POLICE_ADDRESS, local_id="L-1")
            assert await post.send(sent, to=POLICE_ADDRESS, local_id="L-1") == name
            await settle(police)
            assert parse((town.homes[POLICE] / "in" / sent.id / "message.json").read_bytes(), max_bytes=10**6) == said
            told = [parse_receipt(jws.parse((await post.read(NURSES, one))[0], jws.RECEIPT).payload)
                    for one in await post.inbox(NURSES, workflow_filter="*_ACK*")]  # fmt: skip
            assert [(one.envelope, one.level) for one in told] == [(sent.id, "collected"), (sent.id, "filed")]

            decided = samples.message(OUTCOME, decided_at=HELD_AT)
            drop(town.homes[POLICE], "outcome", draft(
                OUTCOME, EXPLOITATION, to=[NURSES], message=decided, thread=sent.header.thread, re=sent.id,
            ))  # fmt: skip
            await settle(police)
            (waiting,) = await post.inbox(NURSES, workflow_filter="SAFEGUARDING_INFO_REPORT_OUTCOME")
            raw, _ = await post.read(NURSES, waiting)
            answer, documents = open_sent(county, raw, NURSES)
            assert parse(documents[0], max_bytes=10**6) == decided
            await post.acknowledge(NURSES, waiting)
            duty = ("outcome-received", NURSES, EXPLOITATION)
            assert (await post.site.desk.duties(sent.header.thread))[duty] == "open"
            for level in ("collected", "filed"):
                receipt = county.receipt(answer, NURSES, level)
                workflow = "SAFEGUARDING_INFO_REPORT_OUTCOME_ACK"
                await post.use(NURSES, partial(_send, POLICE_ADDRESS, receipt, workflow))
            assert (await post.site.desk.duties(sent.header.thread))[duty] == "met"


def _send(to: str, content: bytes, workflow: str, client: Any) -> None:
    client.send_message(to, content, workflow_id=workflow)
