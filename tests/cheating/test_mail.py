"""A hub that keeps mail back, invents it, or says that it took what it didn't."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from adapters.gateway import errands, rotation
from keys import jws
from keys.digests import sha256_b64u
from schemas.envelope import parse_header, split_envelope
from schemas.statements import Acceptance
from schemas.strict_json import dump
from tests.cheating.hub import Said
from tests.cheating.support import Case, alarms, look, look_for_a_minute, met_with, payload
from tests.county import COUNCIL, HEALTH, NURSES
from tests.gateway.support import settle

FEED = f"/v1/mailboxes/{NURSES}/feed"


def without_first(page: dict[str, Any]) -> dict[str, Any]:
    """Leave out a feed's first entry, and number the others so that nobody sees a gap."""
    kept = [entry | {"seq": entry["seq"] - 1} for entry in page["entries"] if entry["seq"] > 1]
    return page | {"entries": kept}


async def test_a_delivery_kept_back_without_a_gap_is_met_with_by_its_sender(case: Case) -> None:
    """The nurses answer the second envelope and never the first: no honest feed gives them that."""
    async with case.town.agent(COUNCIL) as council, case.cheated(HEALTH) as health:
        case.minutes("first", NURSES)
        await settle(council)
        case.cheat.on(FEED, without_first)
        await case.deliver(council, health, "second")
        await look_for_a_minute(council)
        assert await alarms(council) == {"delivery-left-out"}
        # That the hub owes it is proved; that it was not given, nobody can sign.
        found = case.judge(await case.export(council))
        (finding,) = found["findings"]
        assert (finding["code"], finding["proved"]) == ("delivery-left-out", False)
        assert "has signed that it owes envelope" in finding["says"]
        assert found["passed_over"] == []


async def test_what_was_taken_back_was_not_kept_back(case: Case) -> None:
    """A sender that withdrew the first envelope is not told that its recipient passed it over."""
    async with case.town.agent(COUNCIL) as council, case.town.agent(HEALTH) as health:
        case.minutes("first", NURSES)
        await settle(council)
        folder = case.town.homes[COUNCIL] / "sent" / "first" / "envelope.json"
        await errands.ask_withdrawal(council.gateway, json.loads(folder.read_bytes())["id"], "misdirected")
        await settle(council)
        await case.deliver(council, health, "second")
        await look_for_a_minute(council)
        assert await alarms(council) == set()


async def test_what_was_sealed_again_was_not_kept_back(case: Case) -> None:
    """It is delivered anew behind what came later, so its recipient rightly answers that first."""
    async with case.town.agent(COUNCIL) as council, case.cheated(HEALTH) as health:
        await settle(council, health)
        for name in ("first", "second"):
            case.minutes(name, NURSES)
            await settle(council)
        sent = json.loads((case.town.homes[COUNCIL] / "sent" / "first" / "envelope.json").read_bytes())["id"]
        before = await case.town.site.hub.store.read(lambda tx: tx.find_delivery(sent, NURSES))
        case.town.county.now += 60_000
        await rotation.rotate_keys(health.gateway, force=True)
        await case.town.tick(25 * 3_600_000)
        await settle(council, rounds=2)
        await errands.ask_reseal(council.gateway, sent, "none")
        await settle(council, rounds=2)
        after = await case.town.site.hub.store.read(lambda tx: tx.find_delivery(sent, NURSES))
        assert before is not None
        assert after is not None
        last = before.seq
        assert after.seq > last
        # The nurses' gateway goes away before it comes to it.
        case.cheat.on(FEED, lambda page: page | {"entries": [one for one in page["entries"] if one["seq"] <= last + 1]})
        await settle(health, council)
        await case.town.tick()
        await look_for_a_minute(council)
        assert await alarms(council) == set()


def accept_only(case: Case, index: int, key: jws.SigningKey | None = None) -> Any:
    """Answer every envelope with the hub's word that it has it, at *index* of the log, and forget it."""

    async def answer(request: web.Request, body: bytes) -> Said | None:
        if (request.method, request.path) != ("POST", "/v1/envelopes"):
            return None
        header = split_envelope(body).header
        said = parse_header(jws.parse(header, jws.ENVELOPE).payload)
        word = Acceptance(
            v=1, id=said.id, header_sha256=sha256_b64u(header), sealed_sha256=said.sealed.sha256,
            at=case.town.county.now, index=index,
        )  # fmt: skip
        signed = (key or case.town.county.hub.signing).sign(dump(word), jws.ACCEPTANCE)
        return 201, json.dumps({"acceptance": signed.decode()}).encode()

    return answer


async def test_an_acceptance_of_what_was_thrown_away_is_proved_by_the_log(case: Case) -> None:
    """The hub's signature says that the envelope is an entry, and its checkpoint that another is there."""
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        seen = council.gateway.witness.seen
        assert seen is not None
        case.cheat.answers.append(accept_only(case, seen.size - 1))
        case.minutes("minutes", NURSES)
        await settle_quietly(council)
        assert await alarms(council) == {"not-in-log"}
        assert await case.verdict(council) == {"other-entry": True}


async def test_a_hub_that_does_not_show_its_log_has_nothing_in_it(case: Case) -> None:
    """Whoever signs a log and keeps its hashes back is told of like whoever shows others."""

    async def refuse(request: web.Request, _: bytes) -> Said | None:
        return (404, b"{}") if "/tile/" in request.path else None

    async with case.cheated(COUNCIL) as council:
        await settle(council)
        case.cheat.answers.append(refuse)
        case.minutes("minutes", NURSES)
        await settle(council)
        await case.town.tick()
        assert await look(council) == "log-inconsistent"
        assert await alarms(council) == {"not-in-log"}
        assert await case.verdict(council) == {"other-entry": False}


async def test_two_acceptances_of_one_place_prove_themselves(case: Case) -> None:
    """No checkpoint is needed to see that two envelopes can't be one entry."""
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        case.cheat.answers.append(accept_only(case, 2**20))
        for name in ("one", "two"):
            case.minutes(name, NURSES)
            await settle(council)
        await look_for_a_minute(council)
        assert await alarms(council) == {"not-in-log"}
        assert await met_with(council) == {"not-covered"}
        assert (await case.verdict(council))["two-acceptances"] is True


async def test_an_acceptance_by_another_key_is_nobodys_word(case: Case) -> None:
    """The envelope stays, staff are told, and no third party is asked to believe it."""
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        case.cheat.answers.append(accept_only(case, 3, jws.SigningKey.generate()))
        case.minutes("minutes", NURSES)
        await settle(council)
        assert await alarms(council) == {"acceptance-forged"}
        (row,) = await council.gateway.spool.all("sealed")
        assert row["envelope"]
        found = case.judge(await case.export(council))
        assert found["proved"] is False
        assert any("not signed" in what for what in found["passed_over"])


async def test_an_envelope_in_an_agencys_name_is_proved_by_the_hubs_acceptance(case: Case) -> None:
    """The hub passes on what the council never signed, and its own acceptance says that it checked."""

    def forge(page: dict[str, Any]) -> dict[str, Any]:
        for entry in page["entries"]:
            if entry["kind"] == "delivery":
                head, said, _ = entry["header"].split(".")
                entry["header"] = f"{head}.{said}.{'A' * 86}"
                word = payload(entry["acceptance"]) | {"header_sha256": sha256_b64u(entry["header"].encode())}
                entry["acceptance"] = case.town.county.hub.signing.sign(dump(word), jws.ACCEPTANCE).decode()
        return page

    async with case.town.agent(COUNCIL) as council, case.cheated(HEALTH) as health:
        case.cheat.on(FEED, forge)
        await case.deliver(council, health, "minutes")
        assert await alarms(health) == {"delivery-forged"}
        assert await case.verdict(health) == {"delivery-forged": True}


async def test_a_recipient_given_another_acceptance_finds_it_out(case: Case) -> None:
    """An acceptance with an earlier moment for the recipient: its entry isn't in the log, and two words stand against each other."""

    def backdate(page: dict[str, Any]) -> dict[str, Any]:
        for entry in page["entries"]:
            if entry["kind"] == "delivery":
                word = payload(entry["acceptance"])
                word["at"] -= 600_000
                entry["acceptance"] = case.town.county.hub.signing.sign(dump(word), jws.ACCEPTANCE).decode()
        return page

    async with case.town.agent(COUNCIL) as council, case.cheated(HEALTH) as health:
        await settle(council, health)
        case.cheat.on(FEED, backdate)
        await case.deliver(council, health, "minutes")
        assert await look(health) == "log-inconsistent"
        assert await alarms(health) == {"not-in-log"}
        assert (await case.verdict(health))["other-entry"] is True


async def settle_quietly(agent: Any) -> None:
    """Let *agent* do everything twice, whatever it finds out."""
    for _ in range(2):
        await agent.run_once()
