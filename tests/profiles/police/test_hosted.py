"""The profile as a gateway runs it: shut in, with its system's place and its own files, and nothing else; and police's list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from adapters.at_risk import ListsAtRisk
from adapters.base import Filed, Later, NeedsPerson
from adapters.conformance import sample_incoming
from adapters.hosting.host import HostedError
from adapters.plugins import load_adapters
from adapters.profiles.checking import list_uncovered, parse_mapping
from adapters.profiles.police import PoliceAdapter
from adapters.profiles.records import RecordsError
from schemas.catalogue import Catalogue
from tests.county import CAIT, EXPLOITATION, START
from tests.profiles.police.system import ForceSystem, officer
from tests.profiles.sample import FLAGGED
from tests.profiles.support import http_options, write_secrets
from tests.schemas import samples


@pytest.fixture
async def system() -> AsyncIterator[ForceSystem]:
    """Give the force's records, without a gateway."""
    one = ForceSystem(lambda: START)
    one.add_nominal("N-1", "Robin Sample", "06/05/2011", nhs_number="9990000018")
    await one.start()
    yield one
    await one.close()


def options(system: ForceSystem, home: Path) -> dict[str, Any]:
    """Return the profile's options, whose files are in *home*."""
    write_secrets(home)
    return http_options(system, CAIT, "police_officer")


async def test_it_works_in_a_process_that_reaches_its_system_and_nothing_else(
    system: ForceSystem, tmp_path: Path
) -> None:
    """With its place in `hosts` it files, sends and reads the list; with another's everything waits."""
    table = options(system, tmp_path) | {"network": True}
    system.log_incident("EX-1", "N-1", "R")
    system.release_list(officer("EXPLOITATION"), "7", ["N-1"], EXPLOITATION)
    for hosts, outcome, count in ((["127.0.0.1:9"], Later, 0), ([f"127.0.0.1:{system.port}"], Filed, 1)):
        adapter = load_adapters({"police": {**table, "hosts": hosts}}, tmp_path)["police"]
        assert isinstance(await adapter.file(FLAGGED), outcome)
        drafts = []
        with nullcontext() if count else pytest.raises(HostedError):
            drafts = [one.draft.type async for one in adapter.collect()]
        assert (len(system.filed("warning_marker")), drafts.count("incident.notice/1")) == (count, count)
        if count:
            assert isinstance(adapter, ListsAtRisk)
            listed = await adapter.at_risk()
            assert listed is not None
            assert (listed.version, listed.lines[0].nhs_number) == ("7", "9990000018")
        await adapter.close()


async def test_who_sent_a_report_is_put_into_no_record(system: ForceSystem, tmp_path: Path) -> None:
    """Also where its mailbox files by the profile like every other: it waits for a person."""
    adapter = PoliceAdapter.configure(options(system, tmp_path), tmp_path)
    kind = "info.report.identity/1"
    message = sample_incoming(type=kind, message=samples.message(kind))
    assert await adapter.file(message) == NeedsPerson(code="record-people")
    assert not system.filed("document")


async def test_the_list_is_the_exploitation_teams_as_it_was_released_last(system: ForceSystem, tmp_path: Path) -> None:
    """None was released, one was, and an empty one takes everybody back; nobody else there can release one."""
    adapter = PoliceAdapter.configure(options(system, tmp_path), tmp_path)
    assert isinstance(adapter, PoliceAdapter)
    assert await adapter.at_risk() is None
    with pytest.raises(PermissionError):
        system.release_list(officer("DESK"), "1", ["N-1"], EXPLOITATION)
    for version, lines in (("1", ["N-1"]), ("2", [])):
        system.release_list(officer("EXPLOITATION"), version, lines, EXPLOITATION)
        found = await adapter.at_risk()
        assert found is not None
        assert (found.version, len(found.lines), found.author.role) == (version, len(lines), "exploitation_officer")


@pytest.mark.parametrize("way", [503, 401, "html", "list", "half", "hangs-up"])
async def test_a_list_that_can_not_be_read_changes_nothing(system: ForceSystem, tmp_path: Path, way: int | str) -> None:
    """It raises, so that nobody takes a system that is down for a list with nobody on it; and no name is in what it raises."""
    system.release_list(officer("EXPLOITATION"), "1", ["N-1"], EXPLOITATION)
    adapter = PoliceAdapter.configure(options(system, tmp_path), tmp_path)
    assert isinstance(adapter, PoliceAdapter)
    system.ways = [way, way]
    with pytest.raises(RecordsError):
        await adapter.at_risk()
    system.ways = []
    assert system.list is not None
    system.list["lines"][0] |= {"risk_marker": "Robin Sample is at risk", "name": 7}
    with pytest.raises(RecordsError) as caught:
        await adapter.at_risk()
    assert str(caught.value) == "records-answer"


def test_every_code_that_partners_may_send_has_one_of_the_forces() -> None:
    """Nothing of what the mapping files waits for a person because of a code."""
    from importlib.resources import files

    raw = (files("adapters.profiles.police") / "mapping.json").read_bytes()
    catalogue = Catalogue.load()
    mapping = parse_mapping(raw, catalogue)
    assert list_uncovered(mapping, catalogue) == []
    agreement = (Path(__file__).parents[3] / "docs/examples/agreement.toml").read_text()
    for rule in mapping.send:
        assert f'[types."{rule.type.partition("/")[0]}"]' in agreement
