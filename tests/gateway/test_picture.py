"""The picture of intelligence: counts that may be shown to all partners, from what one gateway holds."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.gateway import picture as pictures
from adapters.gateway.agent import Agent
from adapters.gateway.cli import main
from adapters.gateway.picture import GROUPS, NOT_NAMED, Item, draw
from keys.digests import new_id
from tests.county import COUNCIL, EXPLOITATION, MASH, POLICE
from tests.gateway.support import HELD_AT, Town, draft, drop, settle
from tests.gateway.test_cli import command, run, write_home
from tests.schemas import samples

STAGES = ("collected", "shared", "analysed", "acted_on", "no_action")
LEAST = 5
PERIOD = ("--from", "2026-07-01", "--to", "2026-10-01")


def item(stage: str = "collected", *themes: str, month: str = "2026-07", agency: str = COUNCIL) -> Item:
    return Item(month=month, stage=stage, themes=themes or ("CCE_county_lines",), agency=agency)


def test_counts_by_month_stage_theme_and_agency() -> None:
    """Each item once, but in every theme that it has; stages in their order, nought shown."""
    items = [item("shared", "CSE", "missing")] * 6 + [item("acted_on", month="2026-08")] * 7
    told = draw(items, STAGES, LEAST)
    assert told == {
        "total": 13,
        "by_month": {"2026-07": 6, "2026-08": 7},
        "by_stage": {"collected": 0, "shared": 6, "analysed": 0, "acted_on": 7, "no_action": 0},
        "by_theme": {"CCE_county_lines": 7, "CSE": 6, "missing": 6},
        "by_agency": {COUNCIL: 13},
    }
    assert list(told["by_stage"]) == list(STAGES)


def test_a_small_count_is_left_out_with_a_second_one() -> None:
    """Two that nothing is done about, and eleven of the other stage: the total would give both back."""
    told = draw([item("no_action")] * 2 + [item("shared")] * 11 + [item("analysed")] * 30, STAGES, LEAST)
    assert told["by_stage"] == {"collected": 0, "shared": None, "analysed": 30, "acted_on": 0, "no_action": None}
    assert told["total"] == 43


def test_of_few_items_nothing_is_told() -> None:
    """Not even how many there are; of none, that there is none."""
    told = draw([item()] * 3, STAGES, LEAST)
    assert (told["total"], told["by_month"], told["by_theme"]) == (None, {"2026-07": None}, {"CCE_county_lines": None})
    assert draw([], STAGES, LEAST)["total"] == 0


kinds = st.builds(
    Item,
    month=st.sampled_from(["2026-07", "2026-08", "2026-09"]),
    stage=st.sampled_from(STAGES),
    themes=st.lists(st.sampled_from(["CSE", "CCE_county_lines", "missing"]), min_size=1, unique=True).map(tuple),
    agency=st.sampled_from([COUNCIL, POLICE, NOT_NAMED]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(kinds, st.integers(1, 8)), max_size=6))
def test_no_small_count_is_shown_and_none_follows_from_a_total(drawn: list[tuple[Item, int]]) -> None:
    """A group of which one count is left out either misses a second one or the total, and together they are many."""
    items = [one for one, times in drawn for _ in range(times)]
    told = draw(items, STAGES, LEAST)
    true = draw(items, STAGES, 1)
    for group in (f"by_{name}" for name in GROUPS):
        shown = {name: amount for name, amount in told[group].items() if amount is not None}
        assert all(amount == 0 or amount >= LEAST for amount in shown.values())
        assert all(true[group][name] == amount for name, amount in shown.items())
        gaps = len(told[group]) - len(shown)
        if group != "by_theme" and gaps and told["total"] is not None:
            rest = told["total"] - sum(shown.values())
            # The largest that one of them can be, the others being at least one each.
            assert gaps > 1
            assert rest - (gaps - 1) >= LEAST


def intelligence(**changes: Any) -> dict[str, Any]:
    message = samples.message("intel.item/1", item_id=new_id(0), collected_at=HELD_AT, **changes)
    # Only police grade.
    message.pop("police_part")
    return draft("intel.item/1", MASH, to=[EXPLOITATION], message=message)


async def send_items(town: Town, council: Agent, police: Agent, *items: dict[str, Any]) -> list[dict[str, Any]]:
    """Have the council send *items*, and police take them; return what became of each."""
    home = town.homes[COUNCIL]
    for number, one in enumerate(items):
        drop(home, f"item{number}", one)
    await settle(council, police)
    return [
        json.loads((home / "sent" / f"item{number}" / "envelope.json").read_bytes()) for number in range(len(items))
    ]


async def test_police_count_what_they_hold(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each item has come is known by what was sent about it; whose agency may not be named is not."""
    home: Path = write_home(town, POLICE)
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police:
        named = [intelligence(attributable=True, themes=["CSE", "missing"]) for _ in range(6)]
        unnamed = [intelligence(attributable=False) for _ in range(5)]
        sent = await send_items(town, council, police, *named, *unnamed)
        for number, one in enumerate(sent[:6]):
            message = samples.message(
                "intel.action/1", item_id=named[number]["message"]["item_id"], stage="shared", at="2026-07-06T08:00:00Z"
            )
            more = {"to": [MASH], "thread": one["thread"], "re": one["id"], "message": message}
            drop(town.homes[POLICE], f"action{number}", draft("intel.action/1", EXPLOITATION, **more))
        await settle(police, council)
    told = await command(home, "picture", *PERIOD)
    assert told == {
        "type": "intel.item",
        "from": "2026-07-01",
        "to": "2026-10-01",
        "total": 11,
        "by_month": {"2026-07": 11},
        "by_stage": {"collected": 5, "shared": 6, "analysed": 0, "acted_on": 0, "no_action": 0},
        "by_theme": {"CCE_county_lines": 5, "CSE": 6, "missing": 6},
        "by_agency": {NOT_NAMED: 5, COUNCIL: 6},
        "suppressed_below": 5,
    }
    # What is of another time, or of another type, is not even opened.
    opened: list[object] = []
    monkeypatch.setattr(pictures, "read_content", lambda _, row: opened.append(row))
    assert (await command(home, "picture", "--from", "2026-08-01", "--to", "2026-09-01"))["total"] == 0
    assert opened == []
    reports = await command(home, "picture", *PERIOD, "--type", "info.report")
    assert list(reports["by_stage"]) == ["received", "acknowledged", "queried", "interim_outcome", "outcome"]


async def test_a_picture_is_text_or_rows_and_shows_nothing_of_an_item(town: Town) -> None:
    """For a person to put into a digest; three items are too few to speak of."""
    home = write_home(town, POLICE)
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police:
        await send_items(town, council, police, *(intelligence(text="Zebulon was seen.") for _ in range(3)))
    text = await asyncio.to_thread(said, home, *PERIOD)
    assert text.startswith("intel.item from 2026-07-01 until 2026-10-01\nall  total: left out\n")
    assert "stage  shared: 0\n" in text
    rows = list(csv.DictReader((await asyncio.to_thread(said, home, *PERIOD, "--csv")).splitlines()))
    assert rows[0] == {"group": "all", "name": "total", "count": ""}
    assert {"group": "month", "name": "2026-07", "count": ""} in rows
    assert "Zebulon" not in text
    code, _, complaint = await asyncio.to_thread(
        run, "picture", "--home", str(home), "--from", "July", "--to", "2026-10-01"
    )
    assert (code, complaint.splitlines()[0]) == (1, "gateway: that is no date")


def said(home: Path, *arguments: str) -> str:
    """Return what the command prints for a person."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["picture", "--home", str(home), *arguments]) == 0
    return out.getvalue()
