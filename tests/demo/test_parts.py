"""The demo's parts that need no process: input, script, log reading, the search for planted words."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hub.demo import drafts, proofs
from hub.demo.errors import DemoError
from hub.demo.log import AuditLog
from hub.demo.processes import Processes
from hub.demo.quarter import load_quarter, local
from hub.demo.script import missing_minutes, write_script
from tests.demo.support import SHIPPED, small_input


def test_local_times_follow_the_clocks() -> None:
    """Summer time is an hour ahead of UTC; winter time isn't."""
    assert local("2026-07-06 10:00") - local("2026-07-06 09:00") == 3_600_000
    assert drafts.instant(local("2026-07-06 10:00")) == "2026-07-06T09:00:00Z"
    assert drafts.instant(local("2026-12-01 10:00")) == "2026-12-01T10:00:00Z"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("EX-2026-071,2026-07-06 10:00", "EX-2026-071,soon", "not a date"),
        (",attended,", ",asleep,", "no such attendance"),
        ("northmere-health/safeguarding", "northmere-health/nobody", "no agency has the mailbox"),
        ("discussion,held_at", "discussion,held_at,extra", "too many or too few columns"),
    ],
)
def test_a_wrong_list_is_explained(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Somebody who changed the list is told what is wrong with it."""
    folder = small_input(tmp_path / "input")
    path = folder / "quarter.csv"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DemoError) as caught:
        load_quarter(folder)
    assert said in caught.value.message
    assert caught.value.hint


def test_the_script_is_in_order_and_whole() -> None:
    """Each discussion is recorded once, before anything about it is sent; each sending of the list is there."""
    quarter = load_quarter(SHIPPED)
    moments = write_script(quarter)
    assert [moment.at for moment in moments] == sorted({moment.at for moment in moments})
    sends = [send for moment in moments for send in moment.sends]
    assert len({send.name for send in sends}) == len(sends)
    for discussion in quarter.discussions:
        mine = [send for send in sends if send.reference == discussion.reference]
        first = min(mine, key=lambda send: (send.at, send.wave))
        assert first.draft["type"] == "meeting.held/1"
        assert sum(send.draft["type"] == "meeting.held/1" for send in mine) == 1
        told = {box for send in mine if send.draft["type"] == "minutes.full/1" for box in send.draft["to"]}
        assert told == {party.mailbox for party in discussion.parties if party.full_minutes is not None}


def test_a_practice_gets_a_summary_without_the_pdf() -> None:
    """Conference minutes are not a practice's to release: it gets a summary, marked not to be shown online."""
    quarter = load_quarter(SHIPPED)
    owed = [("EX-2026-071", "millfield-surgery/safeguarding-lead"), ("EX-2026-071", "northmere-health/safeguarding")]
    whole, summary = missing_minutes(quarter, owed, 0)
    assert (whole.draft["message"]["variant"], summary.draft["message"]["variant"]) == ("full", "gp_summary")
    assert whole.attachments
    assert not summary.attachments
    assert "history" not in summary.draft["message"]
    assert "do_not_show_online" in summary.draft["marks"]


def test_who_claims_is_on_no_list() -> None:
    """An attendee who was left off the chair's list is in none of the chair's messages."""
    quarter = load_quarter(SHIPPED)
    discussion = next(one for one in quarter.discussions if any(p.attendance == "claimed" for p in one.parties))
    claimer = next(party.mailbox for party in discussion.parties if party.attendance == "claimed")
    assert claimer not in json.dumps(drafts.held(discussion)["message"])
    assert drafts.claimed(discussion, claimer, {"name": "N", "role": "r"})["to"] == [discussion.chair]


def test_the_log_is_followed_a_line_at_a_time(tmp_path: Path) -> None:
    """A line that is half written waits; one that is missing, or no entry, ends the demo."""
    path = tmp_path / "log"
    log = AuditLog(path, alive=lambda: None)
    assert log.read() == []
    lines = [json.dumps({"index": number, "leaf": {"event": name}}) + "\n" for number, name in enumerate("abcd")]
    path.write_text(lines[0] + lines[1][:9])
    assert log.read() == [{"event": "a"}]
    path.write_text(lines[0] + lines[1])
    assert (log.read(), log.read()) == ([{"event": "b"}], [])
    assert [leaf["event"] for leaf in log.leaves] == ["a", "b"]
    for wrong in (lines[3], "couldn't open the database\n"):
        path.write_text(lines[0] + lines[1] + wrong)
        with pytest.raises(DemoError):
            AuditLog(path, alive=lambda: None).read()


@pytest.mark.parametrize(
    "spell",
    [
        lambda word: word.encode(),
        lambda word: word.upper().encode(),
        lambda word: word.encode("utf-16-le"),
        lambda word: word.encode().hex().encode(),
        lambda word: base64.b64encode(word.encode()),
        lambda word: base64.b64encode(b"x" + word.encode() + b"yz"),
        lambda word: base64.urlsafe_b64encode(b"xy" + word.encode() + b"z"),
    ],
    ids=["plain", "upper", "utf-16", "hex", "base64", "base64 shifted", "base64url shifted twice"],
)
def test_the_search_finds_a_planted_word(tmp_path: Path, spell: object) -> None:
    """A name that leaked is found however it is written, and nothing is found where it isn't."""
    word = "Zephyrine Quillfeather"
    (tmp_path / "clean.db").write_bytes(os.urandom(4096))
    assert proofs.search(tmp_path, [word]).found == ()
    (tmp_path / "leak.db").write_bytes(b"\0\1" + spell(word) + b"\2")  # type: ignore[operator]
    assert proofs.search(tmp_path, [word]).found == ("leak.db",)


def test_planted_words_are_names_and_sentences() -> None:
    """Every child, adult and practitioner of the input is searched for; agencies' names, which are public, aren't."""
    quarter = load_quarter(SHIPPED)
    words = proofs.planted_words(quarter)
    record = quarter.discussions[0].document["record"]
    assert {record["child"]["name"], record["adults"][1]["name"], record["participants"][0]["name"]} <= words
    assert "Millfield Surgery" not in words


def test_no_process_outlives_an_error(tmp_path: Path) -> None:
    """Whatever happens inside, every process has ended when the block is left."""
    pids: list[int] = []

    def fail() -> None:
        with Processes(tmp_path) as processes:
            processes.start("sleeper", ["sleep", "60"])
            pids.extend(processes.pids.values())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert len(pids) == 1
    assert not _is_alive(pids[0])


def test_no_process_outlives_a_signal(tmp_path: Path) -> None:
    """Told to end, the demo ends its processes first."""
    program = (
        "import sys, time; from pathlib import Path; from hub.demo.processes import Processes\n"
        "with Processes(Path(sys.argv[1])) as processes:\n"
        "    processes.start('sleeper', ['sleep', '60']); print(processes.pids['sleeper'], flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as demo:
        assert demo.stdout is not None
        pid = int(demo.stdout.readline())
        assert _is_alive(pid)
        demo.send_signal(signal.SIGTERM)
        demo.wait(30)
    assert not _is_alive(pid)


def test_a_dead_process_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    """A process that ends by itself is no silent wait."""
    with Processes(tmp_path) as processes:
        processes.start("failing", ["sh", "-c", "echo out of order; exit 3"])
        with pytest.raises(DemoError) as caught:
            _check_for_a_while(processes)
    assert "status 3" in caught.value.message
    assert "out of order" in caught.value.hint


def _check_for_a_while(processes: Processes) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        processes.check()
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
