"""The demo from beginning to end: the quarter, the difference that the hub makes, the proofs."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from hub.demo import proofs
from hub.demo.count import FAMILY, SECTOR, count_minutes, describe, fetch_directory
from hub.demo.errors import DemoError
from hub.demo.log import AuditLog
from hub.demo.processes import Processes
from hub.demo.quarter import Quarter, load_quarter
from hub.demo.replay import HOUR, Replay
from hub.demo.script import Handle, missing_minutes, write_script
from hub.demo.show import BANNER, Steps, make_console, print_json, print_summary
from hub.demo.stage import FOLLOWER, Stage
from schemas.directory import DirectoryIndex
from schemas.rules.figures import Figures

SHIPPED: Final = Path(__file__).parents[2] / "docs" / "examples"
PACKAGED: Final = Path(__file__).parent / "examples"
DAY: Final = 24 * HOUR
PROVED: Final = ("size", "root", "verified", "signatures", "witnesses", "witnessed", "witnessed_size", "quorum")


def play(args: argparse.Namespace) -> int:
    """Run the demo and print what it found; 0 only if everything that it claims was so."""
    quarter = load_quarter(_input_folder(args.input))
    home = Path(tempfile.mkdtemp(prefix="hub-demo-"))
    console = make_console(error=True)
    try:
        with Processes(home / "logs") as processes, Steps(console) as steps:
            steps.say(BANNER)
            stage = Stage(home, quarter, processes)
            summary = _Demo(quarter, stage, steps).run()
            if args.json:
                print_json(summary)
            else:
                print_summary(make_console(error=False), summary)
            if args.keep:
                _keep(steps, stage, summary)
    except KeyboardInterrupt:
        console.print("stopped; every process has ended")
        return 130
    finally:
        if not args.keep:
            shutil.rmtree(home, ignore_errors=True)
    return 0 if summary["audit"]["verified"] and not summary["plaintext_found"] else 1


class _Demo:
    def __init__(self, quarter: Quarter, stage: Stage, steps: Steps) -> None:
        self.quarter, self.stage, self.steps = quarter, stage, steps
        self.log = AuditLog(stage.processes.logs / f"{FOLLOWER}.log", alive=stage.processes.check)
        self.replay = Replay(quarter=quarter, stage=stage, log=self.log, tell=steps.tell)
        self.start = min(discussion.held_at for discussion in quarter.discussions)

    def run(self) -> dict[str, Any]:
        began = time.monotonic()
        self._set_up()
        first = self._play_quarter()
        notices = self._count_notices(first)
        after = self._send_what_is_missing(first)
        return {
            "fictional": BANNER,
            **first,
            "notices": notices,
            "after": after,
            **self._prove(),
            "seconds": round(time.monotonic() - began, 1),
        }

    def _set_up(self) -> None:
        agencies = len(self.quarter.agencies)
        self.steps.say(f"Setting up one hub and {agencies} agencies, each with keys of its own ...")
        self.stage.make_hub(self.start - 5 * DAY)
        self.stage.enrol()
        self.stage.start()
        self.index: DirectoryIndex = fetch_directory(self.stage.url)

    def _play_quarter(self) -> dict[str, Any]:
        moments = write_script(self.quarter)
        self.steps.begin(
            f"Replaying {len(self.quarter.discussions)} discussions on a training clock ...", self.start, moments[-1].at
        )
        self.replay.play(moments)
        # The last minutes that fall due get their day for a receipt, and the night.
        self.replay.go_to(max([moments[-1].at, *self.log.dues([FAMILY])]) + 40 * HOUR)
        self.replay.pause()
        return self._figures()

    def _figures(self) -> dict[str, Any]:
        counted = (self.log.leaves, self.index, self.start, self.end, self.stage.now)
        figures, health = count_minutes(*counted), count_minutes(*counted, sector=SECTOR)
        told = self._ask_the_hub()
        if told["total"] != msgspec.to_builtins(figures.total):
            raise DemoError("`hub report receipts` and a count of the log differ", "that is a defect: report it")
        return {
            **_describe(figures, health),
            "missing": self._list(figures, "missing"),
            "untaken": self._list(figures, "untaken"),
        }

    @property
    def end(self) -> int:
        """The end of the quarter: what falls due later isn't counted."""
        last = max(discussion.held_at for discussion in self.quarter.discussions)
        return last + 14 * DAY

    def _list(self, figures: Figures, name: str) -> list[dict[str, Any]]:
        rows = [describe(one, self.replay.references, self.index) for one in getattr(figures, name)]
        return sorted(rows, key=lambda row: (row["due"], row["discussion"], row["creditor"]))

    def _ask_the_hub(self) -> Mapping[str, Any]:
        command = ["hub", "report", "receipts", "--from", _moment(self.start), "--to", _moment(self.end)]
        command += ["--type", FAMILY, "--json", "--config", str(self.stage.hub / "hub.toml")]
        return dict(json.loads(self.stage.processes.run(command).stdout))

    def _count_notices(self, first: Mapping[str, Any]) -> dict[str, int]:
        """Count, for what is missing now, who was told, from the notices in the agencies' own folders."""
        missing = first["missing"]
        found = {
            side: {
                row["obligation"] for row in missing if row["obligation"] in self.replay.notices(row[side], "overdue")
            }
            for side in ("debtor", "creditor")
        }
        warned = {
            row["obligation"]
            for row in missing
            if all(row["obligation"] in self.replay.notices(row[side], "due-soon") for side in ("debtor", "creditor"))
        }
        return {
            "overdue": len(missing),
            "warned": len(warned),
            "debtor_told": len(found["debtor"]),
            "creditor_told": len(found["creditor"]),
        }

    def _send_what_is_missing(self, first: Mapping[str, Any]) -> dict[str, Any]:
        now = self.stage.now
        self.steps.begin("Both sides have been told. The chairs send what is missing ...", now, now + 3 * HOUR)
        owed = [(row["discussion"], row["creditor"]) for row in first["missing"]]
        self.stage.set_clock(now + HOUR)
        self.replay.send(missing_minutes(self.quarter, owed, now + HOUR))
        self.stage.set_clock(now + 2 * HOUR)
        waiting = {(row["discussion"], row["creditor"]) for row in [*first["missing"], *first["untaken"]]}
        self.replay.handle(
            [
                Handle(at=now + 2 * HOUR, mailbox=mailbox, reference=reference, act="acknowledged")
                for reference, mailbox in sorted(waiting)
                if not self.quarter.has_record_system(mailbox)
            ]
        )
        self.replay.pause()
        return self._figures()

    def _prove(self) -> dict[str, Any]:
        self.steps.say("Proving it ...")
        stage = self.stage
        export = stage.home / "export"
        config = ["--config", str(stage.hub / "hub.toml")]
        stage.wait_witnessed()
        stage.processes.run(["hub", "audit", "export", str(export), *config])
        verdict = proofs.verify_log(stage.processes, export, stage.trust)
        words = proofs.planted_words(self.quarter)
        found = proofs.search(stage.hub, words)
        control = proofs.search(stage.home / "agencies", words)
        if not control.found:
            raise DemoError(
                "the search for planted words doesn't find them where they are", "that is a defect: report it"
            )
        file, offset = proofs.alter_one_byte(export, stage.home / "altered")
        said = proofs.is_altered_copy_found(stage.processes, stage.home / "altered", stage.trust)
        return {
            "audit": {name: verdict[name] for name in PROVED},
            "plaintext_found": len(found.found),
            "plaintext": {**found._asdict(), "control": len(control.found)},
            "altered": {"file": file, "offset": offset, "found": True, "said": said},
        }


def _describe(figures: Figures, health: Figures) -> dict[str, Any]:
    """Return the figures by agency, and those of the *health* sector beside the whole."""
    variants = {variant.name: variant for variant in health.variants}
    eventually = variants["received_eventually"]
    return {
        "figure": "full minutes owed to health agencies, received by the deadline",
        "owed": health.total.owed,
        "received": health.total.received,
        "received_rate": health.total.received_rate,
        "received_in_the_end": eventually.count,
        "rate_in_the_end": eventually.rate,
        "by_agency": [{"agency": name, **msgspec.to_builtins(row)} for name, row in figures.by_agency.items()],
        "health": msgspec.to_builtins(health.total),
        "all": msgspec.to_builtins(figures.total),
        "variants": [msgspec.to_builtins(variant) for variant in health.variants],
    }


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _input_folder(given: str | None) -> Path:
    """Return the folder of the input: *given*, else the one shipped.

    Raises:
        DemoError: it isn't there.
    """
    folders = [Path(given)] if given else [SHIPPED, PACKAGED]
    for folder in folders:
        if (folder / "quarter.csv").is_file():
            return folder.resolve()
    raise DemoError(f"there is no quarter.csv in {folders[0]}", "name a copy of docs/examples by --input")


def _keep(steps: Steps, stage: Stage, summary: Mapping[str, Any]) -> None:
    """Say where to look, and wait for Ctrl-C."""
    processes, home = stage.processes, stage.home
    codes = stage.open_console()
    steps.say(f"\nEverything is still running, in {home}:")
    steps.say(f"  the console  {stage.console}/console/welcome, with one of these codes:")
    for who, code in codes.items():
        steps.say(f"               {code}  {who}")
    steps.say(f"  the hub      {home / 'hub'}, its log {processes.logs / 'hub.log'}")
    steps.say(f"  the agencies {home / 'agencies'}: case-system/in, sent, in/notices of each")
    steps.say(f"  the export   {home / 'export'}: {summary['audit']['size']} entries")
    steps.say("  processes    " + ", ".join(f"{name} {pid}" for name, pid in processes.pids.items()))
    steps.say("Press Ctrl-C to stop them all.")
    try:
        while True:
            time.sleep(1)
            processes.check()
    except KeyboardInterrupt:
        steps.say(f"stopped; what was made stays in {home}")
