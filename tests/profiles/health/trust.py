"""A health trust and a clinic as their profiles describe them, with sample systems: a FHIR record, a sheet, registrations."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp

from adapters.base import Adapter
from adapters.fhir import FhirAdapter
from adapters.gateway.agent import Agent, open_gateway
from adapters.gateway.config import Config, load_config
from adapters.gateway.inbox.access import Duty
from adapters.gateway.inbox.app import Server, make_inbox
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.people import check_details
from adapters.hl7 import Hl7Adapter
from adapters.spreadsheet import SpreadsheetAdapter
from tests.county import HEALTH, NURSES
from tests.fhir.server import FhirServer
from tests.fhir.support import NHS
from tests.gateway.atrisk_support import CLINIC_AGENCY
from tests.gateway.inbox.support import ORIGIN, PASSWORD, STORED, Browser, find_free_port
from tests.gateway.support import Town, make_home
from tests.hl7.hospital import Hospital

KINDS: Mapping[str, Any] = {"fhir": FhirAdapter, "spreadsheet": SpreadsheetAdapter, "hl7": Hl7Adapter}
STAFF = "https://northmere.test/staff"
ALEX, BLAKE = "9990000018", "9990000026"


def read_profile(name: str, tmp: Path, **tables: Mapping[str, Any]) -> Config:
    """Return the configuration of the profile *name*, with *tables* of its adapters as a test has them."""
    text = files("adapters.profiles").joinpath(name, "gateway.toml").read_text("utf-8")
    folder = tmp / f"profile-{name}"
    folder.mkdir(exist_ok=True)
    (folder / "gateway.toml").write_text(text, "utf-8")
    config = load_config(folder)
    plain = {"network", "hosts", "listen"}
    found = {
        adapter: {key: value for key, value in {**options, **tables.get(adapter, {})}.items() if key not in plain}
        for adapter, options in tomllib.loads(text)["adapters"].items()
    }
    return _with(config, adapters=found)


def _with(config: Config, **changes: Any) -> Config:
    values = {name: getattr(config, name) for name in config.__struct_fields__}
    return Config(**(values | changes))


@dataclass
class Trust:
    """One health agency at work: its gateway, its inbox, and the systems behind it."""

    town: Town
    agent: Agent
    inbox: Inbox
    port: int
    http: aiohttp.ClientSession
    adapters: Mapping[str, Adapter]

    @property
    def home(self) -> Path:
        """Return the gateway's home."""
        return self.agent.gateway.home

    async def person(
        self,
        login: str,
        *,
        team: str = NURSES,
        role: str = "health_visitor",
        duties: tuple[Duty, ...] = ("practitioner",),
    ) -> Browser:
        """Add somebody to *team*; return their browser, signed in."""
        details = check_details(name=login.title(), login=login, role=role)
        await self.inbox.gateway.spool.write(
            lambda tx: self.inbox.people.add(tx, details, duties, [team], self.inbox.now(), password=STORED)
        )
        browser = Browser(self.http, f"http://127.0.0.1:{self.port}")
        await browser.sign_in(login, PASSWORD)
        return browser


@asynccontextmanager
async def open_trust(town: Town, agency: str, config: Config, *, served: bool = False) -> AsyncIterator[Trust]:
    """Open the gateway of *agency* as *config* says, with its adapters in this process, and its inbox.

    *served*: under the address at which it listens, as a real browser needs it.
    """
    assert config.inbox is not None
    home, quick = make_home(town.tmp, town.county, agency, town.base)
    changes = {
        name: getattr(quick, name)
        for name in ("hub", "passphrase_file", "poll_seconds", "wait_seconds", "retry_seconds")
    }
    port = find_free_port() if served else 0
    inbox = type(config.inbox)(port=port, origin=f"http://localhost:{port}" if served else ORIGIN)
    config = _with(config, inbox=inbox, **changes)
    made = {name: KINDS[name].configure(options, home) for name, options in config.adapters.items()}
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(
            open_gateway(
                home, config=config, clock=lambda: town.county.now, keyring=town.county.keyrings[agency], adapters=made
            )
        )
        for one in made.values():
            if hasattr(one, "close"):
                stack.push_async_callback(one.close)
        agent = Agent(gateway)
        pages = make_inbox(gateway, agent.watch, inbox)
        server = await stack.enter_async_context(Server(pages))
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        yield Trust(town, agent, pages, server.port, http, made)


@asynccontextmanager
async def open_northmere(town: Town, record: FhirServer) -> AsyncIterator[Trust]:
    """Open the health trust over *record*, and let people put sheets into a folder."""
    tables = {
        "fhir": {"base": record.base, "seconds": 2.0},
        "spreadsheet": {"settle": 0, "path": str(town.tmp / "paper")},
    }
    async with open_trust(town, HEALTH, read_profile("health", town.tmp, **tables)) as trust:
        yield trust


@asynccontextmanager
async def open_clinic(town: Town, hospital: Hospital, *, served: bool = False) -> AsyncIterator[Trust]:
    """Open the clinic, whose registrations *hospital* sends and where it shows what is known."""
    tables = {"hl7": {"at": "127.0.0.1:0", "peers": ["127.0.0.1"], "to": hospital.place, "seconds": 2.0}}
    config = read_profile("clinic", town.tmp, **tables)
    async with open_trust(town, CLINIC_AGENCY, config, served=served) as trust:
        yield trust


def port_of(clinic: Trust) -> int:
    """Return where the clinic's gateway hears registrations."""
    listener = clinic.adapters["hl7"].listener  # type: ignore[attr-defined]
    return int(listener.port)


def add_child(record: FhirServer, number: str, *practitioners: str) -> str:
    """Have the record know a child, in whose care team are *practitioners* by their sign-in names; return the reference."""
    identifier = {"system": NHS, "value": number}
    patient = record.add({"resourceType": "Patient", "identifier": [identifier], "birthDate": "2011-05-06"})
    members = [
        record.add({"resourceType": "Practitioner", "identifier": [{"system": STAFF, "value": one}]})
        for one in practitioners
    ]
    record.add(
        {"resourceType": "CareTeam", "status": "active", "subject": {"reference": patient},
         "participant": [{"member": {"reference": one}} for one in members]}
    )  # fmt: skip
    return patient


def plug(agent: Agent, name: str, adapter: Any) -> None:
    """Let a gateway have *adapter* beside what it has."""
    agent.gateway = replace(agent.gateway, adapters={**agent.gateway.adapters, name: adapter})
