"""What two people at the console agreed on is signed by the partnership's own gateway, from the log and from nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import GatewayError
from adapters.gateway import endings
from adapters.gateway.client import Answer
from adapters.gateway.context import Gateway
from hub import acts, people, waiving
from hub.store.base import Store
from hub.store.rows import ObligationRow
from schemas.envelope import DAY
from tests.county import CAIT, COUNCIL, NURSES, PARTNERSHIP, UNIT
from tests.gateway.support import Town, open_town, payload_of
from tests.hub.support import hold


async def _agree(town: Town, act: str = waiving.WAIVE, reason: str = "handed_over") -> tuple[ObligationRow, str]:
    """Let minutes be missing and two people agree to end the duty; return it with the proposal."""
    desk = town.site.desk
    await desk.send(meeting := hold(town.county, CAIT, NURSES))
    await town.tick(20 * DAY)
    rows = (await desk.rows(meeting.header.thread)).values()
    row = next(one for one in rows if one.duty.creditor == NURSES and one.duty.types[0] == "minutes.full")
    now, about = town.county.now, waiving.Ending(obligation=row.id, thread=row.duty.thread)

    def work(tx: Any) -> str:
        one, two = (
            people.add_account(tx, None, f"{name}@example.org", name, ["governance"], now) for name in ("ada", "bea")
        )
        proposal = acts.propose(tx, one, act, about, reason, now)
        acts.decide(tx, two, proposal.id, now, approve=True)
        return proposal.id

    return row, await desk.store.write(work)


async def _state(town: Town, row: ObligationRow) -> str:
    found = await town.site.hub.store.read(lambda tx: tx.find_obligation(row.id))
    assert found is not None
    return found.state


@pytest.mark.parametrize(
    ("act", "state"), [(waiving.WAIVE, "waived"), (waiving.ELSEWHERE, "met_elsewhere")], ids=["waived", "elsewhere"]
)
async def test_what_was_agreed_on_is_signed_once_the_log_has_it(
    store: Store, tmp_path: Path, act: str, state: str
) -> None:
    """Not before a checkpoint covers it; then once; both parties get the waiver, and the proposal is done."""
    async with open_town(store, tmp_path) as town, town.agent(PARTNERSHIP) as agent:
        await agent.refresh_pass()
        row, proposal = await _agree(town, act)
        assert await endings.sign_agreed(agent.gateway) == 0
        assert await _state(town, row) == "open"
        await town.tick()
        await agent.refresh_pass()
        assert await _state(town, row) == state
        done = await town.site.hub.store.read(lambda tx: tx.find_proposal(proposal))
        assert done is not None
        assert done.state == "done"
        (entry,) = [one.entry for one in await town.site.desk.feed(NURSES) if one.entry.kind == "waiver"]
        waiver = payload_of(entry.payload or b"")
        assert (waiver["id"], waiver["mailbox"], waiver["state"]) == (proposal, UNIT, state)
        assert waiver["by"] != waiver["second"]["by"]
        assert await endings.sign_agreed(agent.gateway) == 0


async def test_no_other_agencys_gateway_asks_or_is_answered(sqlite_store: Store, tmp_path: Path) -> None:
    """Nor does a gateway sign what the hub has no list of."""
    async with open_town(sqlite_store, tmp_path) as town, town.agent(COUNCIL) as agent:
        await agent.refresh_pass()
        await _agree(town)
        await town.tick()
        await agent.refresh_pass()
        assert await endings.sign_agreed(agent.gateway) == 0
        council = await town.site.as_agency(COUNCIL)
        assert (await council.get("/v1/acts")).code == "token-scope"
        partnership = await town.site.as_agency(PARTNERSHIP)
        assert (await partnership.get("/v1/acts?state=nothing")).code == "request-invalid"
        answer = (await partnership.get("/v1/acts?limit=1")).json
        assert [one["ends"] for one in answer["acts"]] == ["waived"]
        assert (await partnership.get("/v1/acts?state=refused")).json == {"acts": []}


class _Lying:
    """A hub that changes what it shows of what was agreed on."""

    def __init__(self, gateway: Gateway, change: Any) -> None:
        self._client, self._change = gateway.client, change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def fetch(self, path: str, *, signed_in: bool = False) -> Answer:
        """Return the hub's answer, changed."""
        answer = await self._client.fetch(path, signed_in=signed_in)
        if not path.startswith("/v1/acts"):
            return answer
        said = answer.json()
        for one in said["acts"]:
            self._change(one)
        return Answer(answer.status, answer.headers, json.dumps(said).encode())


def _one_person(one: dict[str, Any]) -> None:
    persons = [json.loads(step["text"])["person"] for step in one["steps"]]
    one["steps"][1]["text"] = one["steps"][1]["text"].replace(persons[1], persons[0])


LIES: dict[str, tuple[Any, str]] = {
    "one person twice": (_one_person, "log-inconsistent"),
    "one step twice": (lambda one: one.update(steps=[one["steps"][0]] * 2), "act-not-agreed"),
    "one step only": (lambda one: one.update(steps=one["steps"][:1]), "act-not-agreed"),
    "no step": (lambda one: one.update(steps=[]), "act-not-agreed"),
    "steps in the other order": (lambda one: one.update(steps=one["steps"][::-1]), "act-not-agreed"),
    "another duty": (lambda one: one.update(obligation="A" * 43), "act-not-agreed"),
    "another reason": (lambda one: one.update(reason="read_at_meeting"), "act-not-agreed"),
    "another end": (lambda one: one.update(ends="met_elsewhere"), "act-not-agreed"),
    "another act": (lambda one: one.update(act="obligation-elsewhere", ends="met_elsewhere"), "act-not-agreed"),
    "another entry": (lambda one: one["steps"][0].update(index=0), "log-inconsistent"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_hub_that_lies_about_it_gets_no_signature(sqlite_store: Store, tmp_path: Path, lie: str) -> None:
    """Whatever it changes, the log doesn't have it so."""
    change, code = LIES[lie]
    async with open_town(sqlite_store, tmp_path) as town, town.agent(PARTNERSHIP) as agent:
        row, _ = await _agree(town)
        await town.tick()
        await agent.gateway.partnership.refresh()
        lied = replace(agent.gateway, client=_Lying(agent.gateway, change))
        with pytest.raises(GatewayError) as caught:
            await endings.sign_agreed(lied)
        assert caught.value.code == code
        assert await _state(town, row) == "open"
