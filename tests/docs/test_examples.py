"""The demo's input is whole, fictional, and what its README says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from hub.demo.quarter import load_quarter
from schemas.agreement_text import compile_agreement
from schemas.catalogue import Catalogue
from tests.docs.support import EXAMPLES

RECORDS = sorted((EXAMPLES / "discussions").glob("*.json"))
# Of DOMAIN 7.2; the envelope's own members (7.1), what only other variants have and what a conference decided are not of a
# full record of a strategy discussion.
NOT_OF_THE_RECORD = {
    "meeting_id", "outcome_of_conference", "redactions", "record_held_by", "urgent", "recorded_at", "subject_ref",
    "do_not_disclose_to", "embargo_until", "attachments",
}  # fmt: skip


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return the catalogue of message types."""
    return Catalogue.load()


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_records_are_valid_minutes(path: Path, catalogue: Catalogue) -> None:
    """Each record is a message that a gateway accepts."""
    catalogue.validate("minutes.full/1", json.loads(path.read_bytes())["record"])


def test_three_records_have_every_field(catalogue: Catalogue) -> None:
    """Together the three records written in full show every field of a strategy-discussion record."""
    fields: set[str] = set()
    for name in ("EX-2026-071", "EX-2026-073", "EX-2026-078"):
        record = json.loads((EXAMPLES / "discussions" / f"{name}.json").read_bytes())["record"]
        fields.update(member for member, value in record.items() if value != [])
    assert set(catalogue.schema("minutes.full/1")["properties"]) - NOT_OF_THE_RECORD - fields == set()


@pytest.mark.parametrize("path", sorted((EXAMPLES / "reports").glob("*.json")), ids=lambda path: path.stem)
def test_reports_are_valid(path: Path, catalogue: Catalogue) -> None:
    """Each report, and its submitter's identity apart, is a message that a gateway accepts."""
    document = json.loads(path.read_bytes())
    report = document["report"]
    catalogue.validate("info.report/1", report)
    identity = {
        "report_id": report["report_id"],
        "reported_at": report["reported_at"],
        "submitter": document["identity"],
    }
    catalogue.validate("info.report.identity/1", identity)
    assert document["identity"]["name"] not in json.dumps(report, ensure_ascii=False)


@pytest.mark.parametrize("path", sorted((EXAMPLES / "drafts").glob("*.json")), ids=lambda path: path.stem)
def test_drafts_are_valid(path: Path, catalogue: Catalogue) -> None:
    """The tutorial's drafts are messages that a gateway accepts."""
    draft = json.loads(path.read_bytes())
    catalogue.validate(draft["type"], draft["message"])


def test_minutes_say_fictional_on_each_page() -> None:
    """There is a PDF for each record; each of its pages carries the banner, and it names the child of its record."""
    for path in RECORDS:
        pdf = (EXAMPLES / "minutes" / f"{path.stem}.pdf").read_bytes()
        counted = len(re.findall(rb"/Type /Page\b(?!s)", pdf))
        assert counted >= 1
        assert pdf.count(b"FICTIONAL DATA") == counted
        name = json.loads(path.read_bytes())["record"]["child"]["name"].split()[-1]
        assert name.encode("latin-1") in pdf


def test_quarter_has_32_sets_owed_to_health() -> None:
    """The list is as its README says: fourteen discussions, 32 sets owed to health, fourteen of them never sent."""
    quarter = load_quarter(EXAMPLES)
    health = [party for one in quarter.discussions for party in one.parties if party.sector == "health"]
    assert (len(quarter.discussions), len(health)) == (14, 32)
    assert sum(party.full_minutes is None for party in health) == 14


def test_sectors_are_the_agencies() -> None:
    """The column `sector` says what the county file says; the hub counts by the latter."""
    quarter = load_quarter(EXAMPLES)
    for discussion in quarter.discussions:
        for party in discussion.parties:
            assert quarter.sectors(party.mailbox)[0] == party.sector


def test_the_agreement_compiles_and_knows_the_roles() -> None:
    """The example agreement is one, and every sector of the county is a role that it speaks of."""
    agreement = compile_agreement((EXAMPLES / "agreement.toml").read_text("utf-8"), version=1, previous=None, issued=0)
    county = tomllib.loads((EXAMPLES / "county.toml").read_text("utf-8"))
    assert {role for agency in county["agencies"] for role in agency["roles"]} <= set(agreement.roles)
