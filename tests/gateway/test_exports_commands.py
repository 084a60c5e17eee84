"""`gateway export`, `exports` and `exclude`: who gets a copy, what is recorded of it, and who may not have one."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.county import COUNCIL, HEALTH, MASH, NURSES
from tests.gateway.support import Town, draft, drop, minutes_full, settle
from tests.gateway.test_cli import command, run, write_home

WHO = ("--actor", "Robin Sample", "--role", "named_nurse")
DECIDED = ("--by", "Alex Lead", "--second", "Kim Second")


async def received(town: Town, **changes: Any) -> tuple[Path, dict[str, Any]]:
    """Have the nurses receive full minutes; return their home and the delivery."""
    async with town.agent(COUNCIL) as council:
        wanted = draft("minutes.full/1", MASH, **{"message": minutes_full([MASH, NURSES])} | changes)
        drop(town.homes[COUNCIL], "minutes", wanted)
        await settle(council)
    home = write_home(town, HEALTH)
    await command(home, "run", "--once")
    (row,) = await command(home, "inbox", "list", "--mailbox", NURSES)
    return home, row


async def refused(home: Path, *arguments: str) -> str:
    """Run one command that must fail; return what it complained of."""
    code, _, complaint = await asyncio.to_thread(run, *arguments, "--home", str(home))
    assert code == 1
    return complaint


async def test_a_copy_is_written_once_and_recorded(town: Town, tmp_path: Path) -> None:
    """A private file named by reference, an event with a pseudonym, and the name on the copy alone."""
    home, row = await received(town, marks=["third_party"])
    out = tmp_path / "copies"
    out.mkdir()
    asked = ("export", row["envelope"], NURSES, "--for", "record", "--by", "Robin Sample", "--out", str(out))
    printed = await command(home, *asked)
    target = out / f"{row['envelope']}-record.txt"
    text = target.read_text()
    assert printed["bytes"] == len(target.read_bytes())
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "Zebulon." in text
    assert f"Exported by Robin Sample on 2026-07-06 08:00 UTC; envelope {row['envelope']}" in text
    assert "there is a file of that name" in await refused(home, *asked)
    await command(home, *asked[:-1], str(out / "page"), "--as", "html")
    events = await command(home, "exports")
    assert [(one["envelope"], one["variant"], one["form"]) for one in events] == [
        (row["envelope"], "record", "text"), (row["envelope"], "record", "html"),
    ]  # fmt: skip
    assert events[0]["at"] == town.county.now
    assert len(events[0]["person"]) == 43
    assert await command(home, "exports", "--envelope", row["thread"]) == []
    assert b"Robin Sample" not in (home / "spool.db").read_bytes()


async def test_the_whole_marked_message_is_not_for_the_family(town: Town, tmp_path: Path) -> None:
    """Refused, nothing written, nothing recorded; the record's copy is."""
    home, row = await received(town, marks=["not_for_family"])
    out = tmp_path / "family.html"
    asked = ("export", row["envelope"], NURSES, "--by", "Robin Sample", "--out", str(out), "--as", "html")
    complaint = await refused(home, *asked, "--for", "family")
    assert "not for the family" in complaint
    assert "Zebulon" not in complaint
    assert not out.exists()
    assert await command(home, "exports") == []


async def test_what_waits_to_be_sent_can_be_exported(town: Town, tmp_path: Path) -> None:
    """The draft as it was kept; once the hub has it, it is in the sender's own record system."""
    home = write_home(town, COUNCIL)
    path = tmp_path / "draft.json"
    path.write_text(json.dumps(draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]))))
    sent = await command(home, "send", str(path))
    asked = ("export", sent["envelope"], MASH, "--for", "record", "--by", "Robin Sample")
    await command(home, *asked, "--out", str(tmp_path / "one.txt"))
    assert "Zebulon." in (tmp_path / "one.txt").read_text()
    await command(home, "run", "--once")
    assert "no longer here" in await refused(home, *asked, "--out", str(tmp_path / "two.txt"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mailbox": MASH}, "no such message"),
        ({"--for": "nobody"}, "no such kind of copy"),
        ({"--by": " "}, "no person's name"),
        ({"--by": "Robin\nSample"}, ""),
        ({"--out": "/nowhere/at/all.txt"}, "couldn't write the copy"),
    ],
)
async def test_what_is_wrong_is_said(town: Town, tmp_path: Path, change: dict[str, str], says: str) -> None:
    """By its rule, without what was given; a name of two lines is put on one."""
    home, row = await received(town)
    given = {"--for": "record", "--by": "Robin Sample", "--out": str(tmp_path / "one.txt")} | change
    mailbox = given.pop("mailbox", NURSES)
    asked = ("export", row["envelope"], mailbox, *(word for pair in given.items() for word in pair))
    if says:
        assert says in await refused(home, *asked)
    else:
        await command(home, *asked)
        assert "Exported by Robin Sample on" in (tmp_path / "one.txt").read_text()


async def test_an_excluded_person_opens_and_exports_nothing(town: Town, tmp_path: Path) -> None:
    """However the name is spelt; others still do; what was recorded is encrypted."""
    home, row = await received(town)
    asked = ("export", row["envelope"], NURSES, "--for", "record", "--out", str(tmp_path / "one.txt"), "--by")
    await command(home, "exclude", row["thread"], "--person", "Robin  SAMPLE", *DECIDED)
    await command(home, "exclude", row["thread"], "--person", "Robin Sample", *DECIDED)
    for words in (
        ("inbox", "open", row["envelope"], *WHO),
        ("inbox", "acknowledge", row["envelope"], *WHO),
        ("inbox", "file", row["envelope"], *WHO, "--record", "case-7"),
        ("inbox", "decline", row["envelope"], *WHO, "--code", "conflict"),
        ("inbox", "destroy", row["envelope"], *WHO),
        (*asked, "robin sample"),
    ):
        complaint = await refused(home, *words)
        assert "may not open what belongs to the thread" in complaint, words
        assert "Robin" not in complaint
    assert not (tmp_path / "one.txt").exists()
    (shown,) = await command(home, "inbox", "open", row["envelope"], "--actor", "Kim Second", "--role", "named_nurse")
    assert shown["message"]
    await command(home, *asked, "Kim Second")
    spool = (home / "spool.db").read_bytes()
    assert b"Alex Lead" not in spool
    assert b"SAMPLE" not in spool


async def test_an_excluded_person_does_not_learn_of_an_embargo(town: Town, tmp_path: Path) -> None:
    """They are told the same of a message under an embargo as of any other in the thread."""
    held_back = minutes_full([MASH, NURSES], embargo_until="2026-08-01T09:00:00Z")
    home, row = await received(town, message=held_back)
    await command(home, "exclude", row["thread"], "--person", "Robin Sample", *DECIDED)
    asked = ("export", row["envelope"], NURSES, "--for", "record", "--out", str(tmp_path / "one.txt"), "--by")
    assert "embargo" in await refused(home, *asked, "Kim Second")
    complaint = await refused(home, *asked, "Robin Sample")
    assert "may not open what belongs to the thread" in complaint
    assert "embargo" not in complaint


async def test_nobody_lifts_an_exclusion_alone(town: Town) -> None:
    """Two people, neither excluded; then the person may open it again."""
    home, row = await received(town)
    lift = ("exclude", row["thread"], "--person", "Robin Sample", "--lift")
    assert "no such exclusion" in await refused(home, *lift, *DECIDED)
    for pair in (("Kim Second", "kim  second"), ("Robin Sample", "Kim Second"), ("Kim Second", "ROBIN SAMPLE")):
        for more in ((), ("--lift",)):
            words = ("exclude", row["thread"], "--person", "Robin Sample", *more, "--by", pair[0], "--second", pair[1])
            assert "two people decide it" in await refused(home, *words)
    await command(home, "exclude", row["thread"], "--person", "Robin Sample", *DECIDED)
    await command(home, "exclude", row["thread"], "--person", "Jo Third", *DECIDED)
    assert "may not open" in await refused(home, *lift, "--by", "Jo Third", "--second", "Alex Lead")
    assert "may not open" in await refused(home, "inbox", "open", row["envelope"], *WHO)
    await command(home, *lift, *DECIDED)
    assert await command(home, "inbox", "open", row["envelope"], *WHO)
    assert "no thread" in await refused(home, "exclude", "robin", "--person", "Robin Sample", *DECIDED)
