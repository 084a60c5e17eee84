"""A hub that dates receipts back, drops them, or invents them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from keys import jws
from keys.digests import new_id, sha256_b64u
from schemas import leaves
from schemas.receipt import parse_receipt
from schemas.strict_json import dump
from tests.cheating.hub import Said
from tests.cheating.support import Case, alarms, look, look_for_a_minute, met_with, payload
from tests.county import COUNCIL, HEALTH, MASH, MINUTE, NURSES
from tests.gateway.support import settle

FEED = f"/v1/mailboxes/{MASH}/feed"


async def collect_late(case: Case, council: Any, health: Any, at: int) -> None:
    """Send two envelopes, the second nine minutes on, have them collected at ten, and date the receipts back to *at*."""
    case.minutes("one", NURSES)
    await settle(council)
    case.town.county.now += 9 * MINUTE
    case.minutes("two", NURSES)
    await settle(council)
    case.town.county.now += MINUTE
    await settle(health)
    await case.town.tick()

    def backdate(_: int, leaf: dict[str, Any]) -> dict[str, Any] | None:
        return leaf | {"at": at} if leaf["event"] == "receipt-accepted" else None

    def feed(page: dict[str, Any]) -> dict[str, Any]:
        for entry in page["entries"]:
            if entry["kind"] == "receipt":
                entry["at"] = at
        return page

    case.show(await case.fork(backdate))
    case.cheat.on(FEED, feed)
    await council.drain(MASH)


async def test_a_receipt_dated_back_behind_other_entries_is_proved_by_the_order(case: Case) -> None:
    """The log says ten minutes ago, and has it after what the hub signed a minute ago."""
    async with case.cheated(COUNCIL) as council, case.town.agent(HEALTH) as health:
        await settle(health)
        start = case.town.county.now
        await collect_late(case, council, health, start)
        await look(council)
        assert {"receipt-backdated", "moments-backwards"} <= await alarms(council)
        found = await case.verdict(council)
        assert found["moments-backwards"] is True
        assert found["receipt-backdated"] is False


async def test_a_receipt_dated_back_in_good_order_is_met_with_by_its_own_moment(case: Case) -> None:
    """Where everything else is as old, only its signer's clock stands against the hub's: one of two has lied."""
    async with case.cheated(COUNCIL) as council, case.town.agent(HEALTH) as health:
        await settle(health)
        case.minutes("one", NURSES)
        await settle(council)
        start = case.town.county.now
        case.town.county.now += 10 * MINUTE
        await settle(health)
        await case.town.tick()

        def backdate(_: int, leaf: dict[str, Any]) -> dict[str, Any] | None:
            return leaf | {"at": min(leaf["at"], start)}

        def feed(page: dict[str, Any]) -> dict[str, Any]:
            return page | {"entries": [entry | {"at": start} for entry in page["entries"]]}

        case.show(await case.fork(backdate))
        case.cheat.on(FEED, feed)
        await council.drain(MASH)
        await look(council)
        assert await alarms(council) == {"receipt-backdated"}
        assert await case.verdict(council) == {"receipt-backdated": False}


async def test_a_receipt_that_was_taken_and_dropped_is_missed_by_its_signer(case: Case) -> None:
    """The hub says that the receipt is an entry, and another is there: it has not signed that, so it isn't proved."""

    async def take(request: web.Request, body: bytes) -> Said | None:
        if request.path != "/v1/receipts":
            return None
        said = payload(body.decode().partition('["')[2].partition('"]')[0])
        outcome = {"status": 201, "id": said["id"], "index": 2, "at": case.town.county.now}
        return 200, dump({"outcomes": [outcome]})

    async with case.town.agent(COUNCIL) as council, case.cheated(HEALTH) as health:
        await settle(health)
        case.cheat.answers.append(take)
        case.minutes("minutes", NURSES)
        await settle(council)
        await health.drain(NURSES)
        await health.receipt_pass()
        assert await look(health) == "log-inconsistent"
        assert await alarms(health) == {"receipt-not-logged"}
        assert await case.verdict(health) == {"receipt-not-logged": False}


async def test_a_receipt_that_never_reaches_the_sender_is_missed_by_the_next(case: Case) -> None:
    """Each names the one before it, and the council has not heard of that."""

    def drop(page: dict[str, Any]) -> dict[str, Any]:
        said = [entry for entry in page["entries"] if not is_collected(entry)]
        gone = len(page["entries"]) - len(said)
        first = page["entries"][0]["seq"] if page["entries"] else 1
        kept = [entry | {"seq": first + place} for place, entry in enumerate(said)]
        return page | {"entries": kept} if gone else page

    def is_collected(entry: dict[str, Any]) -> bool:
        return entry["kind"] == "receipt" and payload(entry["jws"])["level"] == "collected"

    async with case.cheated(COUNCIL) as council, case.town.agent(HEALTH) as health:
        await settle(council, health)
        case.minutes("minutes", NURSES)
        await settle(council)
        await health.drain(NURSES)
        await health.file_pass()
        await health.receipt_pass()
        case.cheat.on(FEED, drop)
        await council.drain(MASH)
        assert "receipt-left-out" in await alarms(council)
        assert "receipt-left-out" in await met_with(council)
        assert (await case.verdict(council))["receipt-left-out"] is False


async def invent(case: Case, council: Any, *, logged: bool) -> None:
    """Tell the council of a receipt that the nurses never signed, and put it into the log that it is shown if *logged*."""
    sent = (await council.gateway.spool.all("list_sent"))[0]
    sealed = payload(bytes(sent["header"]).decode())["sealed"]["sha256"]
    county = case.town.county
    said = {
        "v": 1, "id": new_id(county.now), "envelope": sent["envelope"], "sealed_sha256": sealed,
        "manifest_sha256": sha256_b64u(b"never opened"), "level": "collected", "mailbox": NURSES, "at": county.now,
    }  # fmt: skip
    good = county.keyrings[HEALTH].signing.sign(dump(said), jws.RECEIPT).decode()
    forged = f"{good.rpartition('.')[0]}.{'A' * 86}"
    kid = jws.parse(forged.encode(), jws.RECEIPT).kid
    receipt = parse_receipt(dump(said))
    leaf = leaves.receipt_leaf(receipt, kid, sent["thread"], sha256_b64u(forged.encode()), county.now)
    fork = await case.fork(lambda _i, _l: None, *((leaf,) if logged else ()))
    index = len(fork.leaves) - 1

    def feed(page: dict[str, Any]) -> dict[str, Any]:
        entry = {"seq": page["after"] + 1, "kind": "receipt", "at": county.now, "jws": forged, "index": index}
        return page | {"entries": [entry]}

    case.show(fork)
    case.cheat.on(FEED, feed)
    await look(council)
    await council._pull(MASH, 0)
    await look_for_a_minute(council)


async def test_an_invented_receipt_in_the_log_is_proved_by_its_signature(case: Case) -> None:
    """The log stands for a receipt that the nurses' key has not signed."""
    async with case.cheated(COUNCIL) as council:
        case.minutes("minutes", NURSES)
        await settle(council)
        await case.town.tick()
        await invent(case, council, logged=True)
        assert "receipt-forged" in await alarms(council)
        assert (await case.verdict(council))["receipt-forged"] is True


async def test_an_invented_receipt_that_is_not_in_the_log_convinces_nobody(case: Case) -> None:
    """It changes nothing at the council, and what the hub has not signed is not held against it."""
    async with case.cheated(COUNCIL) as council:
        case.minutes("minutes", NURSES)
        await settle(council)
        await case.town.tick()
        await invent(case, council, logged=False)
        assert await alarms(council) == {"receipt-forged"}
        assert await case.verdict(council) == {"receipt-forged": False}
