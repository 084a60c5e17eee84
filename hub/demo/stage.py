"""The stage: one hub on SQLite, one gateway for each agency, a folder pair as each case system, one training clock.

Everything is set up by the commands that an agency and a partnership would use.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from hub.demo.errors import DemoError
from hub.demo.processes import Processes, free_port
from hub.demo.quarter import Quarter

SWEEP_SECONDS: Final = 0.2
FOLLOWER: Final = "log"
# A gateway in the demo asks more often than one in an office would: a day passes in less than a second.
GATEWAY_PACE: Final = {"poll_seconds": 0.4, "watch_seconds": 3.0, "witness_seconds": 4.0, "retry_seconds": 1.0}
MAKERS: Final = 4
ORIGIN: Final = "hub.exampleshire.example/log"
WITNESS: Final = "witness.example/w1"
QUORUM: Final = "group evidenced all agencies outsider\nquorum evidenced\n"
PEOPLE: Final = (
    ("business.manager@exampleshire.example", "Fictional Manager", "administrator"),
    ("deputy.manager@exampleshire.example", "Fictional Deputy", "administrator"),
    ("governance@exampleshire.example", "Fictional Guardian", "governance"),
    ("inspector@exampleshire.example", "Fictional Inspector", "inspector"),
    ("operator@exampleshire.example", "Fictional Operator", "operator"),
)
ROLES: Final = {"opened": "open", "acknowledged": "acknowledge"}


class Stage:
    """Where the demo plays.  ``home`` holds everything; ``now`` is the training clock, UTC milliseconds."""

    def __init__(self, home: Path, quarter: Quarter, processes: Processes) -> None:
        self.home, self.quarter, self.processes = home, quarter, processes
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        # Browsers keep a secure cookie of this machine only under its name.
        self.console = f"http://localhost:{port}"
        self.hub = home / "hub"
        self.trust = home / "trust.json"
        self.witness = home / "witness"
        self.witness_url = f"http://127.0.0.1:{free_port()}"
        self.now = 0
        self._clock = home / "clock"
        self._on: set[str] = set()

    # -- setting up

    def make_hub(self, now: int) -> None:
        """Make the partnership, its outside witness and its hub, at the moment *now*."""
        self.set_clock(now)
        source = self.quarter.folder
        command = ["hub", "init", str(self.hub), "--directory", str(self._make_county(source / "county.toml"))]
        command += ["--agreement", str(source / "agreement.toml"), "--url", self.url, "--origin", ORIGIN]
        command += ["--listen", self.url.removeprefix("http://"), "--training", "--clock", f"file:{self._clock}"]
        self.processes.run(command)
        config = self.hub / "hub.toml"
        pace = f"sweep_seconds = {SWEEP_SECONDS}\ncheckpoint_seconds = {SWEEP_SECONDS}\nwitness_seconds = 0.5\n"
        console = f"\n[console]\norigin = {json.dumps(self.console)}\n"
        config.write_text(pace + config.read_text("utf-8") + console, encoding="utf-8")
        # Handed to the agencies by a way that they trust: nobody asks the hub whom to trust.
        self.trust.write_bytes((self.hub / "trust.json").read_bytes())

    def _make_county(self, source: Path) -> Path:
        """Make a witness that is no agency, and return a copy of *source* by which it must cosign beside a majority."""
        self.processes.run(["hub", "witness", "init", str(self.witness), "--name", WITNESS, "--training"])
        verifier = json.loads((self.witness / "witness.json").read_bytes())["verifier"]
        policy = f"witness outsider {verifier} {self.witness_url}\n{QUORUM}"
        county = self.home / "county.toml"
        text = source.read_text("utf-8")
        # A JSON string is a TOML string.
        county.write_text(
            text.replace("[partnership]\n", f"[partnership]\nwitnesses = {json.dumps(policy)}\n", 1), "utf-8"
        )
        return county

    def enrol(self) -> None:
        """Make every agency's gateway, and let the officers enrol them all."""
        with ThreadPoolExecutor(MAKERS) as pool:
            requests = list(pool.map(self._make_gateway, self.quarter.agencies))
        self.processes.run(["hub", "agency", "add", *requests, "--config", str(self.hub / "hub.toml")])

    def _make_gateway(self, agency: Mapping[str, Any]) -> str:
        home = self.gateway(agency["id"])
        home.mkdir(parents=True, mode=0o700)
        (home / "gateway.toml").write_text(_gateway_config(agency, self._clock), encoding="utf-8")
        request = str(home / "request.json")
        self.processes.run(["gateway", "init", "--home", str(home), "--trust", str(self.trust), "--request", request])
        return request

    def start(self) -> None:
        """Start the hub, then every gateway, and wait until the hub is ready."""
        self.processes.start("hub", ["hub", "serve", "--config", str(self.hub / "hub.toml")])
        self.wait("the hub to be ready", self._is_ready)
        self._start_witness()
        command = ["hub", "audit", "show", "--follow", "--json", "--config", str(self.hub / "hub.toml")]
        self.processes.start(FOLLOWER, command)
        for agency in self.quarter.agencies:
            self.switch(agency["id"], on=True)

    def open_console(self) -> dict[str, str]:
        """Make an account for each role at the console; return the codes to begin with, by who they are for.

        The hub stops for it: while it runs, nobody else writes into its database.
        """
        config, codes = ["--config", str(self.hub / "hub.toml")], {}
        self.processes.stop("hub")
        for login, name, role in PEOPLE:
            command = ["hub", "people", "add", login, "--name", name, "--role", role]
            codes[f"{name}, {role}"] = self.processes.run([*command, *config]).stdout.split()[-1]
        self.processes.start("hub", ["hub", "serve", *config])
        self.wait("the hub to be ready", self._is_ready)
        return codes

    def _start_witness(self) -> None:
        directory = self.home / "directory.json"
        directory.write_bytes(self._get("/v1/directory"))
        self.processes.run(
            ["hub", "witness", "follow", str(self.witness), "--trust", str(self.trust), "--directory", str(directory)]
        )
        listen = ["--listen", self.witness_url.removeprefix("http://"), "--clock", f"file:{self._clock}"]
        self.processes.start("witness", ["hub", "witness", "serve", str(self.witness), *listen])

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310 - our own address
            return bytes(answer.read())

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
        except (OSError, urllib.error.HTTPError):
            return False

    # -- while it plays

    def set_clock(self, now: int) -> None:
        """Let it be *now* for every process; no reader ever sees half a number."""
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(str(now), encoding="ascii")
        fresh.replace(self._clock)
        self.now = now

    def wait_swept(self) -> None:
        """Wait until the hub has dealt with all that is due now."""
        self.wait("the hub to deal with what is due", lambda: self._swept_until() >= self.now / 1000)

    def wait_witnessed(self) -> None:
        """Wait until a majority of the gateways and the outsider have cosigned all of the log."""
        self.wait("the log to be witnessed", self._is_witnessed)

    def _is_witnessed(self) -> bool:
        said = json.loads(self._get("/v1/audit/witnesses"))
        return bool(said["size"] == said["witnessed_size"])

    def _swept_until(self) -> float:
        lines = self._get("/metrics").decode().splitlines()
        return next((float(line.split()[1]) for line in lines if line.startswith("hub_deadlines_until_seconds ")), 0.0)

    def switch(self, agency: str, *, on: bool) -> None:
        """Start or stop an agency's gateway."""
        if on and agency not in self._on:
            self.processes.start(agency, ["gateway", "run", "--home", str(self.gateway(agency))])
            self._on.add(agency)
        elif not on and agency in self._on:
            self.processes.stop(agency)
            self._on.remove(agency)

    def is_on(self, mailbox: str) -> bool:
        """Answer whether the gateway of *mailbox* runs."""
        return mailbox.partition("/")[0] in self._on

    def gateway(self, agency: str) -> Path:
        """Return the home of an agency's gateway."""
        return self.home / "agencies" / agency

    def folder(self, mailbox: str) -> Path:
        """Return the case system's folder pair of the agency that has *mailbox*."""
        return self.gateway(mailbox.partition("/")[0]) / "case-system"

    def inbox(self, mailbox: str, act: str, envelopes: Sequence[str]) -> None:
        """Let a practitioner of *mailbox* open, or open and acknowledge, what lies in the inbox."""
        if act not in ROLES:
            raise DemoError(f"quarter.csv: `{act}` is nothing that a practitioner does", "write opened or acknowledged")
        home = self.gateway(mailbox.partition("/")[0])
        for word in ("open",) if act == "opened" else ("open", "acknowledge"):
            command = ["gateway", "inbox", word, *envelopes, "--home", str(home), "--mailbox", mailbox]
            self.processes.run([*command, "--actor", "Duty practitioner", "--role", "safeguarding_practitioner"])

    def wait(self, what: str, is_there: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Wait until *is_there*.

        Raises:
            DemoError: it did not come, or a process has ended.
        """
        deadline = time.monotonic() + seconds
        while not is_there():
            self.processes.check()
            if time.monotonic() > deadline:
                raise DemoError(f"waited {seconds:.0f} s for {what}", f"see the logs in {self.processes.logs}")
            time.sleep(0.02)


def _gateway_config(agency: Mapping[str, Any], clock: Path) -> str:
    """Return ``gateway.toml`` for *agency*; a JSON string, list or number is one in TOML too."""
    lines = [f"{name} = {json.dumps(agency[name], ensure_ascii=False)}" for name in ("name", "roles")]
    lines += [f"agency = {json.dumps(agency['id'])}", "training = true", f"clock = {json.dumps(f'file:{clock}')}"]
    lines += [f"{name} = {value}" for name, value in GATEWAY_PACE.items()]
    lines += ["", "[codes]", *(f"{name} = {json.dumps(value)}" for name, value in agency["codes"].items())]
    for box in agency["mailboxes"]:
        lines += ["", "[[mailboxes]]", f'adapter = "{"folder" if box.get("record_system", True) else ""}"']
        lines += [
            f"{name} = {json.dumps(box[name], ensure_ascii=False)}"
            for name in ("id", "title", "roles", "manager", "deputy")
            if name in box
        ]
        if cover := box.get("out_of_hours"):
            told = ", ".join(f"{name} = {json.dumps(value)}" for name, value in cover.items())
            lines.append(f"out_of_hours = {{ {told} }}")
    return "\n".join([*lines, "", "[adapters.folder]", 'path = "case-system"', ""])
