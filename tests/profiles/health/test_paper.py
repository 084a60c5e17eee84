"""A paper referral, keyed into the trust's sheet: it keeps when it was written and when it was keyed, and is sent once."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from keys import jws
from schemas.envelope import parse_header
from tests.county import COUNCIL, DAY
from tests.fhir.server import FhirServer
from tests.gateway.atrisk_support import received
from tests.gateway.support import Town, settle
from tests.profiles.health.trust import ALEX, open_northmere

ROW = {
    "Author": "Jo Sample",
    "Written at": "05/07/2026 22:30",
    "Keyed at": "08/07/2026 09:10",
    "Came as": "paper",
    "Name": "Zebulon Sample",
    "Date of birth": "06/05/2011",
    "Date of birth estimated": "no",
    "Sex": "M",
    "NHS number": "999 000 0018",
    "NHS number status": "traced",
    "Hospital number": "H-1001",
    "Address kept secret": "no",
    "Home authority": "X99000001",
    "Source": "3E",
    "Concern": "Came alone at night with an injury that the story does not explain.",
    "In danger now": "no",
    "Parents know": "no",
    "Why they don't": "It could put the child at more risk.",
}


def put(folder: Path, name: str, *rows: dict[str, str]) -> None:
    """Put a sheet into the folder, as a clerk does."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(ROW))
    writer.writeheader()
    writer.writerows(rows)
    (folder / "out" / name).write_text(text.getvalue(), "utf-8")


async def test_a_paper_referral_keeps_when_it_was_written_and_when_it_was_keyed(town: Town, record: FhirServer) -> None:
    """The event's moment is in the clear, the moment of keying beside it; sent again in a longer sheet, it isn't sent twice."""
    await town.tick(3 * DAY)
    async with town.agent(COUNCIL) as council, open_northmere(town, record) as trust:
        await settle(council, trust.agent)
        paper = town.tmp / "paper"
        put(paper, "monday.csv", ROW)
        for _ in range(2):
            await settle(council, trust.agent, rounds=2)
        put(paper, "tuesday.csv", ROW, ROW | {"NHS number": "9990000026", "Written at": "06/07/2026 08:00"})
        for _ in range(2):
            await settle(council, trust.agent, rounds=2)
        came = sorted(await received(council, "referral/1"), key=lambda one: one.message["referred_at"])
        assert [one.message["child"]["nhs_number"] for one in came] == [ALEX, "9990000026"]
        first = came[0]
        assert (first.message["origin"], first.message["referred_at"], first.message["recorded_at"]) == (
            "paper", "2026-07-05T21:30:00Z", "2026-07-08T08:10:00Z",
        )  # fmt: skip
        rows = await trust.agent.gateway.spool.all("list_sent")
        headers = [parse_header(jws.parse(bytes(row["header"]), jws.ENVELOPE).payload) for row in rows if row["header"]]
        (header,) = [one for one in headers if one.id == first.envelope]
        assert header.at == 1_783_287_000_000
        assert header.facts["origin"] == "paper"
        assert first.accepted_at == town.county.now
        assert "Zebulon" not in str(header)


async def test_a_paper_referral_without_its_moments_is_not_sent(town: Town, record: FhirServer) -> None:
    """Not the moment of keying, nor a guess, stands for when it was written: the row says what is missing."""
    async with town.agent(COUNCIL) as council, open_northmere(town, record) as trust:
        await settle(council, trust.agent)
        paper = town.tmp / "paper"
        put(paper, "bad.csv", ROW | {"Keyed at": ""}, ROW | {"Written at": ""})
        for _ in range(2):
            await settle(council, trust.agent, rounds=2)
        assert await received(council, "referral/1") == []
        (report,) = (paper / "refused").rglob("report.csv")
        text = report.read_text("utf-8-sig")
        assert text.count("not sent") == 2
        assert "lacks `recorded_at`" in text
        assert "lacks `referred_at`" in text
        assert "Zebulon" not in text
