"""What came, what was asked and what was promised ends somewhere: done, refused aloud, or tried again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.errors import GatewayError, NotYetError
from adapters.gateway import errands, incoming
from adapters.gateway.agent import Agent
from adapters.gateway.proving import PATIENCE_SECONDS, Proving
from adapters.gateway.receipting import receipt_by_person
from adapters.gateway.watch import Watch
from keys.digests import b64u, new_id
from tests.county import COUNCIL, DAY, HEALTH, MASH, NURSES, PAEDIATRICS
from tests.gateway.support import Town, draft, drop, gateway_of, meeting_held, minutes_full, read_notices, settle
from tests.gateway.wire import open_wire


def send_minutes(home: Path, *parties: str, name: str = "minutes", **changes: Any) -> None:
    """Drop full minutes for *parties*."""
    drop(home, name, draft("minutes.full/1", MASH, message=minutes_full([MASH, *parties]), **changes))


def sent(home: Path, name: str = "minutes") -> dict[str, str]:
    """Return id and thread of what was sent under *name*."""
    note: dict[str, str] = json.loads((home / "sent" / name / "envelope.json").read_bytes())
    return note


@asynccontextmanager
async def other_hub(change: Callable[[str], web.StreamResponse]) -> AsyncIterator[str]:
    """Give the address of a server that answers every path as *change* says."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/token":
            return web.json_response({"access_token": "t", "token_type": "Bearer", "expires_in": 60})
        return change(request.path)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def page_of(town: Town, *, inline: bool = True) -> tuple[dict[str, Any], Any]:
    """Return the nurses' feed with one delivery, and the books of the gateway that fetched it."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        await health.refresh_pass()
        page = dict(await health.gateway.client.feed(NURSES, 0, 0))
        (entry,) = page["entries"]
        if not inline:
            entry.pop("body")
        return page, health.gateway.partnership._books


async def test_a_body_that_is_no_base64_is_rejected_by_receipt(town: Town, tmp_path: Path) -> None:
    """Nothing is left out in silence: the sender hears which check failed."""
    page, books = await page_of(town)
    page["entries"][0]["body"] = "%%%"
    async with (
        other_hub(lambda _: web.json_response(page)) as url,
        gateway_of(tmp_path / "own", town.county, HEALTH, url) as gateway,
    ):
        gateway.partnership._books = books
        assert await incoming.pull(gateway, Watch(HEALTH), NURSES, 0) == 1
        (row,) = await gateway.spool.all("list_incoming")
        assert (row["state"], row["code"]) == ("rejected", "body-length")
        (receipt,) = await gateway.spool.all("waiting_receipts", limit=9)
        assert receipt["level"] == "rejected"


@pytest.mark.parametrize("status", [403, 404, 500, 503])
async def test_a_body_that_does_not_come_is_asked_for_again(town: Town, tmp_path: Path, status: int) -> None:
    """The place in the feed stays before it, whatever the hub says of the body."""
    page, books = await page_of(town, inline=False)

    def answer(path: str) -> web.StreamResponse:
        return web.Response(status=status) if path.endswith("/body") else web.json_response(page)

    async with other_hub(answer) as url, gateway_of(tmp_path / "own", town.county, HEALTH, url) as gateway:
        gateway.partnership._books = books
        with pytest.raises(NotYetError):
            await incoming.pull(gateway, Watch(HEALTH), NURSES, 0)
        assert await gateway.spool.one("find_place", mailbox=NURSES) is None
        assert await gateway.spool.all("list_incoming") == []


async def test_a_delivery_waits_while_the_signed_documents_do_not_hold(town: Town, tmp_path: Path) -> None:
    """Its sender's key is unknown, and what the hub shows now convinces nobody: it is neither filed nor rejected."""
    page, books = await page_of(town)
    books.keys.clear()

    def answer(path: str) -> web.StreamResponse:
        return web.json_response(page) if path.endswith("/feed") else web.json_response(["no.signed.document"])

    async with other_hub(answer) as url, gateway_of(tmp_path / "own", town.county, HEALTH, url) as gateway:
        gateway.partnership._books = books
        with pytest.raises(NotYetError):
            await incoming.pull(gateway, Watch(HEALTH), NURSES, 0)
        assert await gateway.spool.all("list_incoming") == []


async def test_a_delivery_without_an_id_stops_the_feed(town: Town, tmp_path: Path) -> None:
    """No receipt can name it, so it isn't passed over."""
    page, books = await page_of(town)
    page["entries"][0]["envelope"] = "junk"
    async with (
        other_hub(lambda _: web.json_response(page)) as url,
        gateway_of(tmp_path / "own", town.county, HEALTH, url) as gateway,
    ):
        gateway.partnership._books = books
        with pytest.raises(NotYetError):
            await incoming.pull(gateway, Watch(HEALTH), NURSES, 0)


# ---- chores


async def test_what_the_hub_refuses_to_do_is_told(town: Town) -> None:
    """A waiver of nothing that is owed: the mailbox hears the hub's reason, and the list is empty."""
    async with town.agent(COUNCIL) as council:
        await settle(council)
        nothing = b64u(b"\x01" * 32)
        await errands.ask_waiver(
            council.gateway, nothing, "met_elsewhere", mailbox=MASH, reason="handed_over",
            by=errands.Confirmed("Morgan Sample", "chair"), second=errands.Confirmed("Robin Sample", "named_nurse"),
        )  # fmt: skip
        await settle(council)
        (told,) = [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "waive-refused"]
        assert (told["mailbox"], told["obligation"], told["code"]) == (MASH, nothing, "not-found")
        assert await council.gateway.spool.all("chores", limit=9) == []


async def test_a_chore_stays_while_nobody_can_sign_in(town: Town) -> None:
    """An unauthorised answer is no judgement of what was asked."""
    async with town.agent(COUNCIL) as council:
        await settle(council)
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        envelope = sent(town.homes[COUNCIL])["id"]
        await errands.ask_withdrawal(council.gateway, envelope, "misdirected")
        right = council.gateway.keyring.signing
        from keys.jws import SigningKey

        council.gateway.client.use_key(SigningKey.generate())
        await errands.run_chores(council.gateway, council.watch)
        assert len(await council.gateway.spool.all("chores", limit=9)) == 1
        council.gateway.client.use_key(right)
        council.gateway.pacer.worked(f"withdraw {envelope}")
        assert await errands.run_chores(council.gateway, council.watch) == 1
        assert len(await town.site.desk.leaves("withdrawal-recorded")) == 1


async def test_sealing_again_waits_for_a_key_to_seal_to(town: Town) -> None:
    """The recipient has no key now: the chore stays, and the ones behind it are done."""
    async with town.agent(COUNCIL) as council:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        county = town.county
        statement = county.statement(HEALTH, "seal", county.newest(NURSES).key.public.jwk, state="retired")
        await town.site.desk.publish_key(statement, county.approve(statement))
        await town.tick()
        envelope = sent(town.homes[COUNCIL])["id"]
        spool = council.gateway.spool
        await spool.run("add_chore", kind="reseal", ref=envelope, details=b"{}")
        await spool.run("add_chore", kind="reseal", ref=new_id(county.now + DAY), details=b"{}")
        await errands.run_chores(council.gateway, council.watch)
        assert [row["ref"] for row in await spool.all("chores", limit=9)] == [envelope]
        await council.file_pass()
        (told,) = [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "reseal-refused"]
        assert told["code"] == "content-key-missing"


# ---- the log


async def test_what_was_accepted_is_found_in_the_log(town: Town) -> None:
    """By sender and recipient alike, once a checkpoint covers it; then nobody asks again."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        for number in range(3):
            send_minutes(town.homes[COUNCIL], NURSES, name=f"minutes-{number}")
        await settle(council, health)
        await town.tick()
        for agent in (council, health):
            kinds = [row["kind"] for row in await agent.gateway.spool.all("claims", limit=20)]
            assert (kinds.count("acceptance"), kinds.count("receipt")) == (3, 6)
            await agent.refresh_pass()
            assert await agent.gateway.spool.all("claims", limit=9) == []


async def test_what_is_not_in_the_log_rings_the_alarm(town: Town) -> None:
    """The hub's word says that it accepted something, and its log says another thing."""
    async with town.agent(COUNCIL) as council:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        await town.tick()
        (row,) = await council.gateway.spool.all("claims", limit=9)
        await council.gateway.spool.run("drop_claim", name=row["name"])
        await council.gateway.spool.run("add_claim", **(dict(row) | {"leaf": b"\x00" * 32}))
        for _ in range(2):
            with pytest.raises(GatewayError) as caught:
                await council.refresh_pass()
            assert caught.value.code == "log-inconsistent"
        await council.file_pass()
        told = [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "log-inconsistent"]
        assert [one["envelope"] for one in told] == [row["envelope"]]


async def test_what_no_checkpoint_covers_within_a_minute_rings_the_alarm(town: Town) -> None:
    """A second is the rule, a minute the patience."""
    async with town.agent(COUNCIL) as council:
        await settle(council)
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        seconds = [0.0]
        proving = Proving(council.gateway, lambda: seconds[0])
        assert await proving.look() == 0
        seconds[0] = PATIENCE_SECONDS
        assert await proving.look() == 0
        seconds[0] += 1
        with pytest.raises(GatewayError) as caught:
            await proving.look()
        assert caught.value.code == "log-inconsistent"


async def test_a_lost_cosignature_is_sent_again(town: Town) -> None:
    """Also where the log has not grown since."""
    async with open_wire(town.site.port) as wire, town.agent(HEALTH, hub=wire.base) as health:
        wire.match, wire.swallow = b"/v1/audit/cosignatures", 1
        with pytest.raises(NotYetError):
            await health.refresh_pass()
        assert wire.lost == 1
        wire.match, wire.swallow = b"/v1/audit/cosignatures", 1
        with pytest.raises(NotYetError):
            await health.refresh_pass()
        assert wire.lost == 2
        await health.refresh_pass()


# ---- an expired directory


async def test_under_an_expired_directory_only_urgent_mail_is_sealed(town: Town) -> None:
    """Whoever withholds a newer directory hides what changed: the rest waits for it, and staff are told."""
    async with town.agent(COUNCIL) as council:
        home = town.homes[COUNCIL]
        await settle(council)
        await town.site.desk.next_directory(expires=town.county.now + DAY)
        await settle(council)
        town.county.now += DAY
        await settle(council, rounds=1)
        drop(home, "held", draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES])))
        await council.collect_pass()
        assert len(await council.gateway.spool.all("drafted")) == 1
        await council.watch_pass()
        await council.file_pass()
        assert "directory-expired" in [one["notice"] for one in read_notices(home)]


# ---- withdrawal, as the hub reckons it


async def states(agent: Agent, thread: str) -> dict[str, str]:
    """Return the state of each obligation of *thread* by the gateway's own reckoning."""
    rows = await agent.gateway.spool.all("list_obligations")
    return {row["id"]: row["state"] for row in rows if row["thread"] == thread}


@pytest.mark.parametrize("collected", [False, True])
async def test_hub_and_watch_agree_after_a_withdrawal(town: Town, collected: bool) -> None:
    """What was taken back is owed again by those who can't have it; who had it owes until it is destroyed."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        home = town.homes[COUNCIL]
        drop(home, "held", draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES, PAEDIATRICS])))
        await settle(council, health)
        thread = sent(home, "held")["thread"]
        send_minutes(home, NURSES, PAEDIATRICS, thread=thread)
        await settle(council)
        if collected:
            await health.refresh_pass()
            await health.drain(NURSES)
            await health.receipt_pass()
        await errands.ask_withdrawal(council.gateway, sent(home)["id"], "misdirected")
        await settle(council, health)
        await settle(council, health)
        hub = {row.id: row.state for row in (await town.site.desk.rows(thread)).values()}
        assert await states(council, thread) == hub
        assert {"open"} < set(hub.values())
        mine = await states(health, thread)
        assert {name: hub[name] for name in mine} == mine


async def test_what_was_taken_back_before_its_receipt_came_is_let_go(town: Town) -> None:
    """It was here, unfiled, when its sender withdrew it, and the hub knew of no receipt: it goes without being asked for."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        await health.refresh_pass()
        await health.drain(NURSES)
        await errands.ask_withdrawal(council.gateway, sent(town.homes[COUNCIL])["id"], "misdirected")
        await settle(council)
        await health.receipt_pass()
        (row,) = await health.gateway.spool.all("list_incoming")
        assert row["state"] == "destroyed"
        found = await health.gateway.spool.one("find_incoming", envelope=row["envelope"], mailbox=NURSES)
        assert found is not None
        assert found["content"] is None
        await settle(health)
        assert not list((town.homes[HEALTH] / "in").glob("*/message.json"))


# ---- what is kept, and until when


async def test_content_leaves_the_spool_once_nothing_of_it_is_owed(town: Town) -> None:
    """Thirty days after it was filed; what still waits for a person stays."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council, health)
        envelope = sent(town.homes[COUNCIL])["id"]

        async def content() -> Any:
            row = await health.gateway.spool.one("find_incoming", envelope=envelope, mailbox=NURSES)
            return row["content"] if row else None

        town.county.now += 30 * DAY
        await errands.sweep(health.gateway)
        assert await content() is not None
        town.county.now += 1
        await errands.sweep(health.gateway)
        assert await content() is None


async def test_what_was_destroyed_is_filed_by_nobody(town: Town) -> None:
    """A person who looks at an old list can't receipt what is gone."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        await health.refresh_pass()
        await health.drain(NURSES)
        envelope = sent(town.homes[COUNCIL])["id"]
        row = await health.gateway.spool.one("find_incoming", envelope=envelope, mailbox=NURSES)
        assert row is not None
        await health.gateway.spool.write(lambda tx: incoming.destroy(health.gateway, tx, row))
        with pytest.raises(GatewayError) as caught:
            await health.gateway.spool.write(
                lambda tx: receipt_by_person(
                    tx, health.gateway.keyring, row, "filed", actor="Robin Sample", role="named_nurse",
                    now=town.county.now, seen=None, record="R-1",
                )
            )  # fmt: skip
        assert caught.value.code == "inbox-destroyed"
