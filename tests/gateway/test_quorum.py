"""A gateway finds out by itself how much of the log is witnessed, and says so on its pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from adapters.errors import GatewayError
from adapters.gateway.agent import Agent
from hub.asking import Asker
from hub.store.base import Store
from hub.store.rows import WitnessRow
from hub.witness.home import Log
from keys import notes
from tests.county import COUNCIL, HEALTH, MASH, NURSES, ORIGIN, POLICE, County
from tests.gateway.inbox.support import open_office
from tests.gateway.support import Town, draft, drop, meeting_held, open_town, settle
from tests.witness.support import Outsider, make_home, running

EVIDENCED = "group evidenced all agencies notary\nquorum evidenced\n"


class Watched(NamedTuple):
    """A running hub, an outsider, and what has it ask that."""

    town: Town
    outsider: Outsider
    ask: Callable[[], Awaitable[None]]


@asynccontextmanager
async def watched(store: Store, tmp_path: Path) -> AsyncIterator[Watched]:
    """Run a hub whose directory names an outsider beside a majority of the agencies."""
    county = County()
    log = Log(keys=tuple(one.verifier_key for one in county.note_signers), directory=1)
    async with AsyncExitStack() as stack:
        home = make_home(tmp_path / "witness", **{ORIGIN: log})
        outsider = await stack.enter_async_context(running(home, lambda: county.now))
        county.witnesses = outsider.line() + EVIDENCED
        town = await stack.enter_async_context(open_town(store, tmp_path, county))
        hub = town.site.hub
        asker = Asker(store=store, registry=hub.registry, clock=hub.clock, times=hub.witness_times)
        await stack.enter_async_context(asker)
        yield Watched(town, outsider, asker.round)


@pytest.fixture
async def county(sqlite_store: Store, tmp_path: Path) -> AsyncIterator[Watched]:
    """Give the hub and its outsider."""
    async with watched(sqlite_store, tmp_path) as given:
        yield given


async def look(*agents: Agent) -> None:
    """Have each of *agents* follow the log twice: what one cosigns the next sees."""
    for _ in range(2):
        for agent in agents:
            await agent.refresh_pass()


async def test_a_delivery_is_evidence_once_the_quorum_has_its_leaf(county: Watched) -> None:
    """Three of five gateways and the outsider: with any of them missing, the acceptance is the hub's word alone."""
    town = county.town
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health, town.agent(POLICE) as police:
        drop(town.homes[COUNCIL], "held", draft("meeting.held/1", MASH, message=meeting_held([NURSES])))
        await settle(council, health)
        await town.tick()
        (sent,) = await council.gateway.spool.all("list_sent")
        quorum = council.gateway.quorum

        async def is_witnessed() -> bool:
            await look(council)
            return quorum.has_witnessed(bytes(sent["acceptance"]))

        await look(council, health)
        await county.ask()
        assert not await is_witnessed()
        assert quorum.state.quorum == "all of: a majority of the agencies (3 of 5); notary"
        assert not quorum.has_witnessed(None)
        await look(police)
        assert await is_witnessed()
        seen = council.gateway.witness.seen
        assert seen is not None
        assert quorum.state.size == seen.size
        await council.gateway.quorum.load()
        assert quorum.state.size == seen.size, "it is kept over a restart"


async def test_a_log_that_grows_between_the_gateways_looks_is_witnessed_too(county: Watched) -> None:
    """Each gateway has cosigned another checkpoint; the smallest that is needed counts, proved from the tree seen here."""
    town = county.town
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health, town.agent(POLICE) as police:
        sizes = []
        for number, agent in enumerate((police, health, council)):
            drop(town.homes[COUNCIL], f"held{number}", draft("meeting.held/1", MASH, message=meeting_held([NURSES])))
            await council.collect_pass()
            if number:
                await council.send_pass()
            await town.tick()
            await agent.refresh_pass()
            assert agent.gateway.witness.seen is not None
            sizes.append(agent.gateway.witness.seen.size)
            await council.refresh_pass()
        await county.ask()
        await look(council)
        assert council.gateway.quorum.state.size >= min(sizes)
        assert len(set(sizes)) > 1


async def test_what_the_hub_makes_up_about_its_witnesses_counts_for_nothing(county: Watched) -> None:
    """Sizes without lines, lines of others' keys, the same line under many names: the gateway believes none of it."""
    town = county.town
    async with town.agent(COUNCIL) as council:
        await look(council)
        store, agencies = town.site.hub.store, town.county.agencies
        size, _, note = (await store.read(lambda tx: tx.last_checkpoint())) or (0, 0, "")
        stranger = town.county.keyrings[COUNCIL].witness
        snapshot = town.site.hub.registry.snapshot
        ids = {key.partition("+")[0]: key.split("+")[1] for key in snapshot.witnesses(town.county.now)}
        ids["notary.example/w1"] = county.outsider.verifier.split("+")[1]

        def forge(tx: Any) -> None:
            for name, key_id in ids.items():
                line = notes.cosign(note, name, stranger, town.county.now)
                tx.add_cosignature(size, name, line, 1)
                tx.put_witness(WitnessRow(name, key_id, size, 1, 1))

        await store.write(forge)
        shown = (await town.site.api.get("/v1/audit/witnesses")).json
        assert shown["witnessed_size"] == size, "by its own word, the hub has its quorum"
        await look(council)
        assert council.gateway.quorum.state.size == 0
        assert len(agencies) == 5


async def test_a_witness_that_saw_another_log_is_an_alarm(county: Watched) -> None:
    """A hub that had the outsider cosign another tree is caught by who checks that tree against the one shown here."""
    town = county.town
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health, town.agent(POLICE) as police:
        await look(council, health, police)
        size, _, _ = (await town.site.hub.store.read(lambda tx: tx.last_checkpoint())) or (0, 0, "")
        other = notes.sign_checkpoint(notes.Checkpoint(ORIGIN, size - 1, bytes(32)), town.county.note_signers)
        line = notes.cosign(other, "notary.example/w1", county.outsider.witness.key, town.county.now)

        def lie(tx: Any) -> None:
            tx.add_checkpoint(size - 1, 1, other)
            tx.add_cosignature(size - 1, "notary.example/w1", line, 1)
            tx.put_witness(WitnessRow("notary.example/w1", county.outsider.verifier.split("+")[1], size - 1, 1, 1))

        await town.site.hub.store.write(lie)
        with pytest.raises(GatewayError) as raised:
            await council.refresh_pass()
        assert raised.value.code == "log-inconsistent"
        (told,) = [
            row for row in await council.gateway.spool.all("list_notices") if row["topic"] == "alarm:log-inconsistent"
        ]
        assert msgspec.json.decode(bytes(told["details"]))["reason"] == "log-inconsistent"


async def test_pages_say_not_witnessed_until_it_is(county: Watched) -> None:
    """The page of what was sent names who must still countersign; then, message by message, that they have."""
    town = county.town
    async with open_office(town) as office, town.agent(POLICE) as police:
        await office.hold_meeting(NURSES)
        worker = await office.signed_in("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
        page = await worker.get("/receipts")
        assert "Not witnessed. What the hub says here counts as evidence once its log is countersigned by" in page.words
        assert "Accepted by the hub. Not witnessed." in page.words
        await town.tick()
        await look(office.council, office.health, police)
        await county.ask()
        await look(office.council)
        page = await worker.get("/receipts")
        assert "Accepted by the hub. Witnessed." in page.words
        assert "Not witnessed" not in page.words
        assert "Filed in their records" in page.words
        await office.hold_meeting(NURSES)
        page = await worker.get("/receipts")
        assert page.words.count("Not witnessed yet") == 2, "the acceptance and the receipt of the newer one"


async def test_without_a_policy_pages_say_that_nobody_was_named(town: Town) -> None:
    """A county that has named no witness is told so, on the page and by the command's figures."""
    async with open_office(town) as office:
        await office.hold_meeting(NURSES)
        await look(office.council, office.health)
        worker = await office.signed_in("sam@example.org", agency=COUNCIL, teams=[MASH], role="social_worker")
        page = await worker.get("/receipts")
        assert "The partnership has named nobody yet who must countersign the hub's log" in page.words
