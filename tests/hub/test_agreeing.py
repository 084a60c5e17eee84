"""The verifier finds what no two people agreed on, and what was deleted although it was held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub import ledger
from hub.core.agreeing import ACTS, Agreed
from hub.core.events import Event, Leaf
from hub.store.base import Store
from tests.county import County
from tests.hub.support import verify

ONE, TWO = "AZ82cPQAehmLJOOwgID9Yg", "AZ82cPQAehmLJOOwgID9Yw"
FIRST, SECOND = "AZ82cPQAdtuDIrPq23ArEQ", "AZ82cPQAdtuDIrPq23ArEg"
THREAD, OTHER = "AZ82cPQAehmLJOOwgID9YA", "AZ82cPQAdtuDIrPq23ArEA"


def _take(agreed: Agreed, event: str, **members: Any) -> str | None:
    return agreed.take(Leaf(v=1, at=1, event=event, **members))  # type: ignore[arg-type]


def _agree(agreed: Agreed, kind: str, by: str = FIRST) -> None:
    assert _take(agreed, "act-proposed", by=by, kind=kind, person=ONE) is None
    assert _take(agreed, "act-approved", by=by, kind=kind, person=TWO) is None


@pytest.mark.parametrize("event", sorted(set(ACTS) - {"hold-released"}))
def test_an_act_counts_once_after_two_people(event: str) -> None:
    """Before they agreed it is nobody's, a second time too, and another act's agreement is no use."""
    agreed = Agreed()
    assert _take(agreed, event, by=FIRST) == "an act that no two people have agreed on"
    _agree(agreed, ACTS[event])
    assert _take(agreed, event, by=FIRST, thread=THREAD) is None
    assert _take(agreed, event, by=FIRST, thread=THREAD) == "an act that no two people have agreed on"
    _agree(agreed, "account-add", SECOND)
    assert _take(agreed, event, by=SECOND) == "an act that no two people have agreed on"


def test_nobody_approves_their_own_or_what_is_not_proposed() -> None:
    """Nor what was refused, taken back or left to lapse."""
    agreed = Agreed()
    assert _take(agreed, "act-approved", by=FIRST, kind="hold-place", person=TWO) == (
        "an approval of what nobody has proposed"
    )
    _take(agreed, "act-proposed", by=FIRST, kind="hold-place", person=ONE)
    assert _take(agreed, "act-approved", by=FIRST, kind="hold-place", person=ONE) == "an approval by who proposed it"
    for end in ("act-refused", "act-withdrawn", "act-lapsed"):
        _take(agreed, "act-proposed", by=FIRST, kind="hold-place", person=ONE)
        _take(agreed, end, by=FIRST, kind="hold-place", person=TWO)
        assert _take(agreed, "act-approved", by=FIRST, kind="hold-place", person=TWO) is not None


@pytest.mark.parametrize("envelope", [None, OTHER])
def test_what_is_held_is_not_deleted(envelope: str | None) -> None:
    """On a thread or on one envelope of it; another's body, and this one after the release, may go."""
    agreed = Agreed()
    _agree(agreed, "hold-place")
    assert _take(agreed, "hold-placed", by=FIRST, thread=THREAD, envelope=envelope) is None
    assert _take(agreed, "body-deleted", thread=THREAD, envelope=OTHER) == "a body deleted under a legal hold"
    beside = _take(agreed, "body-deleted", thread=THREAD, envelope=ONE)
    assert beside == (None if envelope else "a body deleted under a legal hold")
    assert _take(agreed, "body-deleted", thread=OTHER, envelope=TWO) is None
    _agree(agreed, "hold-release", SECOND)
    assert _take(agreed, "hold-released", by=SECOND, item=FIRST) is None
    assert _take(agreed, "body-deleted", thread=THREAD, envelope=OTHER) is None
    _agree(agreed, "hold-release", SECOND)
    assert _take(agreed, "hold-released", by=SECOND, item=FIRST) == "the release of no hold"


async def test_the_verifier_finds_a_hold_that_nobody_agreed_on(sqlite_store: Store, tmp_path: Path) -> None:
    """A hub that places one by itself is found out from its own export."""
    county = County()
    await county.found(sqlite_store)
    event = Event(event="hold-placed", thread=THREAD, by=FIRST, outcome="complaint")
    index = await sqlite_store.write(lambda tx: ledger.append(tx, event, county.now))
    verdict = await verify(sqlite_store, county, tmp_path / "export")
    assert verdict.problems == [f"leaf {index}: an act that no two people have agreed on"]
