"""What changed between two versions of a message."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.gateway.inbox.reading.comparing import Change, compare
from tests.gateway.support import CATALOGUE
from tests.schemas import samples

LONDON = ZoneInfo("Europe/London")
SCHEMA = CATALOGUE.schema("minutes.full/1")


@pytest.mark.parametrize("kind", CATALOGUE.types())
def test_a_message_differs_from_itself_in_nothing(kind: str) -> None:
    """No change is found where there is none."""
    message = samples.message(kind)
    assert compare(CATALOGUE.schema(kind), message, message, LONDON) == []


def test_an_action_that_moved_has_not_changed() -> None:
    """Entries are held together by their identifier: one put before another is one that was added, not two that differ."""
    before = samples.minutes_full()
    new = before["actions"][0] | {"action_id": "AaDIjtkAeTSjziM9-gxUOQ", "description": "See the child."}
    after = before | {"actions": [new, *before["actions"]]}
    (change,) = compare(SCHEMA, before, after, LONDON)
    assert change.before is None
    assert "See the child." in str(change.after)


def test_a_moment_is_told_in_local_time() -> None:
    """Half past nine in UTC is half past ten in summer."""
    before = samples.minutes_full(started_at="2026-07-06T08:00:00Z")
    (change,) = compare(SCHEMA, before, before | {"started_at": "2026-07-06T09:30:00Z"}, LONDON)
    assert change == Change(where=change.where, before="6 July 2026, 09:00 BST", after="6 July 2026, 10:30 BST")


@given(text=st.text(min_size=1, max_size=50), name=st.sampled_from(["analysis", "contingency", "trigger_summary"]))
def test_every_other_text_is_a_change(text: str, name: str) -> None:
    """Two messages that differ in one field differ in that one."""
    before = samples.minutes_full()
    found = compare(SCHEMA, before, before | {name: text}, LONDON)
    assert len(found) == (before[name] != text)
