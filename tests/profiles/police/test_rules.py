"""What the journeys don't walk: a question about a submission, a requirement, what a missing child told on return."""

from __future__ import annotations

from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.conformance import ENVELOPE, THREAD, sample_incoming
from adapters.profiles.checking import parse_mapping
from adapters.profiles.drafting import Drafted, Settings, draft_record
from adapters.profiles.placing import place
from adapters.profiles.records import Placed, Record
from keys.digests import derived_id
from schemas.catalogue import Catalogue
from tests.county import CAIT, EXPLOITATION, NURSES
from tests.profiles.police.system import officer
from tests.schemas import samples

CATALOGUE = Catalogue.load()
MAPPING = parse_mapping((files("adapters.profiles.police") / "mapping.json").read_bytes(), CATALOGUE)
LONDON = ZoneInfo("Europe/London")
SETTINGS = Settings(sender=CAIT, role="police_officer", zone=LONDON, name_it=lambda of, no: derived_id(b"k", of + no))
HUB = {"envelope": ENVELOPE, "thread": THREAD, "mailbox": EXPLOITATION, "sender": NURSES}
SENT: list[tuple[str, dict[str, Any]]] = [
    ("submission_query", {
        "report_id": THREAD, "query": "Q-1", "asked": "2026-07-06 10:00", "question": "Which gate?",
        "needed_by": "2026-07-08 17:00", "hub": HUB,
    }),
    ("submission_outcome", {
        "report_id": THREAD, "outcome": "DUP", "decided": "2026-07-06 10:00", "duplicate_of": ENVELOPE, "hub": HUB,
    }),
    ("item_stage", {
        "item_id": THREAD, "stage": "ACTED", "at": "2026-07-06 10:00", "done": "A visit.", "done_by": "exampleshire-constabulary",
        "hub": HUB,
    }),
    ("requirement", {
        "number": "R-1", "raised": "2026-07-06 10:00", "keywords": ["COUNTY LINES", "OCG"], "question": "Who drives the blue car?",
        "needed_by": "2026-07-20 17:00", "area": "Sampleton", "to": [NURSES],
    }),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields"), SENT)
def test_it_becomes_a_message_of_its_type(kind: str, fields: dict[str, Any]) -> None:
    """Which the type's own schema passes, to whom it is for."""
    found = draft_record(Record(key="k", kind=kind, fields=fields | {"officer": officer("INTEL")}), MAPPING, SETTINGS)
    assert isinstance(found, Drafted)
    CATALOGUE.validate(found.draft.type, found.draft.message)
    assert found.draft.to == (NURSES,)
    assert found.draft.from_ == (EXPLOITATION if "hub" in fields else CAIT)
    assert found.draft.author.role == "intelligence_officer"


def test_what_a_child_told_on_return_is_a_submission_too() -> None:
    """Ungraded like any other, and tied to its episode."""
    message = samples.message("rhi.intel/1")
    placed = place(sample_incoming(type="rhi.intel/1", message=message), MAPPING, LONDON)
    assert isinstance(placed, Placed)
    assert (placed.kind, placed.fields["episode"]) == ("intelligence", message["episode_id"])
    assert placed.fields["text"] == message["intel_part"]
    assert "grade" not in placed.fields
