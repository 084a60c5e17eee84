"""The council's own triggers: the same on both databases, and what they make of a row is read back with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.conformance import sample_incoming
from adapters.profiles.placing import is_kept, place
from adapters.profiles.records import Placed, Sent
from keys.digests import new_id
from tests.postgres import Server
from tests.profiles.interface import Interface
from tests.profiles.social_care.council import CHILD, NHS_NUMBER, new_cases
from tests.profiles.social_care.system import CaseSystem
from tests.profiles.social_care.test_codes import MAPPING, ZONE
from tests.profiles.social_care.test_rules import FILED
from tests.schemas import samples

MADE = ("ssd_contacts", "own_contact", "ssd_missing", "own_action", "own_objection")
ACTION, CLOSURE, EPISODE = (samples.an_id(name) for name in ("action", "closure", "episode"))


def message_of(kind: str) -> dict[str, Any]:
    """Return the sample of *kind*, about what the case system knows."""
    known = {"action_id": ACTION, "closure_id": CLOSURE, "episode_id": EPISODE}
    sample = samples.message(kind)
    child = {"child": {**sample["child"], "nhs_number": NHS_NUMBER}} if "child" in sample else {}
    return sample | child | {name: value for name, value in known.items() if name in sample}


async def work(cases: CaseSystem) -> dict[str, list[dict[str, Any]]]:
    """Have an action and a closure sent, and one message of every type filed; return what stands in the system's own tables."""
    cases.interface.run(
        "INSERT INTO own_action (action_id, discussion_id, person_id, description, owner, due_at, last_row)"
        " VALUES ('A-1', 'SD-1', ?, 'd', 'o', 'd', 'action-A-1')", CHILD,
    )  # fmt: skip
    cases.interface.write("action-A-1", {}, "action")
    tables = cases.interface.tables(seconds=20)
    await tables.waiting(5)
    await tables.answer("action-A-1", Sent(envelope="e" * 22, thread="t" * 22, ids={"action": ACTION}))
    for number, (kind, _) in enumerate(FILED):
        message = sample_incoming(type=kind, message=message_of(kind), envelope=f"{number:02}" + "e" * 20, documents=())
        placed = place(message, MAPPING, ZONE)
        assert isinstance(placed, Placed)
        for _ in range(2):
            reference = await tables.put(placed)
            standing = await tables.get(placed.kind, reference)
            assert standing is not None
            assert is_kept(placed, standing), kind
    return {table: cases.rows(table) for table in MADE}


@pytest.mark.needs_postgres
async def test_what_the_triggers_make_is_the_same_on_both_databases(postgres: Server, tmp_path: Path) -> None:
    """Each type that has a rule, filed twice, is once in the same rows of either case system, and reads back."""
    files = await work(new_cases(Interface(f"sqlite://{tmp_path}/{new_id(0)}.db")))
    with postgres.database() as url:
        server = await work(new_cases(Interface(url)))
    assert server == files
    assert {table: len(rows) for table, rows in files.items()} == dict.fromkeys(MADE, 1)
    (action,) = files["own_action"]
    assert (action["hub_action_id"], action["hub_thread"]) == (ACTION, "t" * 22)
    assert action["state"] in {"accepted", "declined", "in_progress", "complete", "impossible"}
    (episode,) = files["ssd_missing"]
    assert episode["miss_person_id"] == CHILD
    assert episode["miss_missing_episode_end_date"]


async def test_a_record_that_staff_changed_since_no_longer_counts_as_filed(cases: CaseSystem) -> None:
    """The view shows the case system's own row: a source code that somebody changed there isn't what came."""
    tables = cases.interface.tables()
    message = sample_incoming(type="referral/1", message=message_of("referral/1"), documents=())
    placed = place(message, MAPPING, ZONE)
    assert isinstance(placed, Placed)
    reference = await tables.put(placed)
    cases.interface.run("UPDATE ssd_contacts SET cont_contact_source_code = '9'")
    standing = await tables.get(placed.kind, reference)
    assert standing is not None
    assert not is_kept(placed, standing)
    cases.interface.run("DELETE FROM ssd_contacts")
    assert await tables.get(placed.kind, reference) is None
