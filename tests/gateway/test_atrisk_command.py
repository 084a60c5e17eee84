"""`gateway atrisk`, as police and a clinic use it."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.county import EXPLOITATION, POLICE
from tests.gateway.atrisk_support import ALEX, BLAKE, CASEY, CLINIC, CLINIC_AGENCY, SLOT
from tests.gateway.support import Town
from tests.gateway.test_cli import command, run, write_home
from tests.schemas import samples

HEADING = "nhs_number,name,born,risk_marker,contact_inbox,added_on\n"


@pytest.fixture
def town(clinic_town: Town) -> Town:
    """Give a running hub whose county has a clinic."""
    return clinic_town


def homes_of(town: Town) -> tuple[Path, Path]:
    """Write both homes, each with its side of the list."""
    police, clinic = write_home(town, POLICE), write_home(town, CLINIC_AGENCY)
    for home, table in (
        (police, f'issuer = "{EXPLOITATION}"\nclinics = ["{CLINIC}"]'),
        (clinic, f'clinic = "{CLINIC}"'),
    ):
        with (home / "gateway.toml").open("a") as config:
            config.write(f"\n[atrisk]\n{table}\n")
    return police, clinic


async def exchange(town: Town, police: Path, clinic: Path, by: int = 0) -> None:
    """Let time pass, and both gateways do everything until nothing is left."""
    await town.tick(by)
    for home in (police, clinic):
        (home / "clock").write_text(str(town.county.now))
    for home in (clinic, police, clinic, police, clinic):
        await command(home, "run", "--once")


def given(tmp: Path, *attendances: dict[str, Any]) -> str:
    """Write attendances to a file and return its name."""
    path = tmp / "attendances.json"
    path.write_text(json.dumps(attendances))
    return str(path)


async def test_from_a_csv_at_police_to_an_answer_at_the_clinic(town: Town, tmp_path: Path) -> None:
    """Publish, attend, answer, read, contact, coverage, status: each says what it did, as one JSON value."""
    police, clinic = homes_of(town)
    await command(police, "run", "--once")
    lines = tmp_path / "list.csv"
    lines.write_text(
        HEADING
        + f"{ALEX},,,known_risk,{EXPLOITATION},2026-06-01\n,Zoë Sample,2011-03-09,known_risk,{EXPLOITATION},2026-06-01\n"
    )
    by = ("--by", "Robin Sample", "--role", "detective")
    published = await command(police, "atrisk", "publish", str(lines), *by)
    assert (published["version"], published["entries"]) == (1, 2)
    await exchange(town, police, clinic)
    born = {"born": "2011-03-09"}
    file = given(
        tmp_path, {"attendance": "A-1", "nhs_number": ALEX, **born}, {"attendance": "A-2", "nhs_number": CASEY, **born}
    )
    waiting = await command(clinic, "atrisk", "attend", file, "--wait", "0.3")
    assert [one["answer"] for one in waiting] == ["not answered yet", "not answered yet"]
    await exchange(town, police, clinic, SLOT)
    answers = await command(clinic, "atrisk", "attend", file)
    assert [one["answer"] for one in answers] == [f"known risk, contact {EXPLOITATION}", "not on the list"]
    match = answers[0]["match"]
    assert (await command(clinic, "atrisk", "read", match))["attendance"] == "A-1"
    assert (await command(clinic, "atrisk", "answer", "A-2"))["answer"] == "not on the list"
    report = tmp_path / "report.json"
    report.write_text(json.dumps(samples.message("info.report/1")))
    words = ("atrisk", "contact", match, str(report), "--basis", "CA2004_S16LA", "--by", "Jo Sample", "--role", "nurse")
    first, again = await command(clinic, *words), await command(clinic, *words)
    assert first == again
    (month,) = await command(clinic, "atrisk", "coverage")
    assert (month["attendances"], month["checked"], month["coverage"]) == (2, 2, 1.0)
    (loaded,) = await command(clinic, "atrisk", "status")
    (issued,) = await command(police, "atrisk", "status")
    assert (loaded["version"], loaded["answers"]) == (1, True)
    assert (issued["version"], issued["answers"], issued["points"]) == (1, True, {CLINIC: 8})
    withdrawn = await command(police, "atrisk", "withdraw", "--reason", "error", *by)
    assert withdrawn == await command(police, "atrisk", "withdraw", "--reason", "error", *by)
    await exchange(town, police, clinic)
    code, printed, complaint = await asyncio.to_thread(run, "atrisk", "attend", file, "--home", str(clinic))
    assert (code, printed) == (1, None)
    assert "there is no at-risk list here" in complaint


async def test_attendances_come_on_standard_input_too(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """One object is enough; what it says is never repeated in an error."""
    _, clinic = homes_of(town)
    raw = json.dumps({"attendance": "A-1", "born": "2011-03-09", "nhs_number": "9990000019"}).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    code, _, complaint = await asyncio.to_thread(run, "atrisk", "attend", "--home", str(clinic))
    assert code == 1
    assert "attendance 1: the NHS number is not ten digits with the right check digit" in complaint
    assert "9990000019" not in complaint


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"{ALEX},,,known_risk,nowhere/at-all,2026-06-01", "entry 1: its contact is not in the directory"),
        (f"9990000019,,,known_risk,{EXPLOITATION},2026-06-01", "entry 1: the NHS number is not ten digits"),
        (
            f",Zoë,,known_risk,{EXPLOITATION},2026-06-01",
            "entry 1: neither an NHS number nor a name with a date of birth",
        ),
        (f"{ALEX},,,known_risk,{EXPLOITATION},2026-06-01,more", "entry 1: it has a field that is none of risk_marker"),
        (f"{ALEX},,,,{EXPLOITATION},2026-06-01", "entry 1: Object missing required field `risk_marker`"),
    ],
)
async def test_a_bad_line_is_named_and_nothing_is_published(town: Town, tmp_path: Path, line: str, said: str) -> None:
    """The line and the rule, never a name or a number."""
    police, _ = homes_of(town)
    await command(police, "run", "--once")
    lines = tmp_path / "list.csv"
    lines.write_text(HEADING + line + "\n")
    words = ("atrisk", "publish", str(lines), "--by", "R", "--role", "detective", "--home", str(police))
    code, _, complaint = await asyncio.to_thread(run, *words)
    assert code == 1
    assert said in complaint
    assert not any(word in complaint for word in (ALEX, "9990000019", "Zoë"))
    assert await command(police, "atrisk", "status") == []


async def test_a_gateway_of_the_other_side_says_so(town: Town, tmp_path: Path) -> None:
    """Police can't attend, a clinic can't publish, and a gateway without the table can do neither."""
    police, clinic = homes_of(town)
    lines = tmp_path / "list.json"
    lines.write_text(
        json.dumps(
            [
                {
                    "nhs_number": BLAKE,
                    "risk_marker": "known_risk",
                    "contact_inbox": EXPLOITATION,
                    "added_on": "2026-06-01",
                }
            ]
        )
    )
    publish = ("atrisk", "publish", str(lines), "--by", "R", "--role", "r")
    for home, words in ((clinic, publish), (police, ("atrisk", "coverage"))):
        code, _, complaint = await asyncio.to_thread(run, *words, "--home", str(home))
        assert code == 1
        assert "not that side of the at-risk list" in complaint
