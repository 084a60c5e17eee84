"""What convicts a hub, and what doesn't: evidence of an honest one, whatever its accuser makes of it, proves nothing."""

from __future__ import annotations

import asyncio
import copy
import json
import random
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.gateway import evidence
from adapters.gateway.agent import Agent
from adapters.gateway.tree import Tree
from hub.errors import HubError
from keys import jws, notes
from keys.digests import sha256_b64u
from schemas.receipt import parse_receipt
from schemas.strict_json import dump
from tests.cheating.support import Case, alarms, look, payload
from tests.cheating.test_logs import other_agreement
from tests.cli.support import run as hub_command
from tests.county import COUNCIL, HEALTH, NURSES
from tests.gateway.support import eventually, settle
from tests.gateway.test_cli import run as gateway_command
from tests.gateway.test_cli import write_home


async def honest_evidence(case: Case, council: Agent) -> dict[str, Any]:
    """Return as much as an accuser can gather of an honest hub: every kind of fact, all of it true."""
    gateway = council.gateway
    case.meeting(NURSES)
    async with case.town.agent(HEALTH) as health:
        for name in ("one", "two"):
            await case.deliver(council, health, name)
            await settle(council, health)
        other = await evidence.collect(health.gateway.spool, HEALTH, gateway.clock())
    tree = gateway.witness.tree()
    assert tree is not None
    kept = await gateway.spool.one("find_note", size=tree.seen.size)
    assert kept is not None
    note, leaves = bytes(kept["text"]), await case.leaves()
    found = msgspec.to_builtins(await evidence.collect(gateway.spool, COUNCIL, gateway.clock()))
    entries = [
        evidence.entry_of(note, await tree.find(index), leaf if index % 2 else None)
        for index, leaf in enumerate(leaves[: tree.seen.size])
    ]
    sizes = range(1, tree.seen.size)
    beginnings = [evidence.beginning_of(note, size, await tree.beginning(size)) for size in sizes]
    sent = await gateway.spool.all("list_sent")
    signed = [bytes(row[name]).decode() for row in sent for name in ("header", "acceptance")]
    heard = [
        row for one in sent for row in await gateway.spool.all("heard_by", envelope=one["envelope"], mailbox=NURSES)
    ]
    signed += [bytes(row["jws"]).decode() for row in heard]
    signed += [one.listed.jws for history in gateway.partnership.books.keys.values() for one in history.stated]
    texts = tuple(dict.fromkeys((*found["notes"], *other.notes)))
    more = {"notes": texts, "entries": entries, "beginnings": beginnings, "signed": tuple(signed)}
    return found | {name: msgspec.to_builtins(value) for name, value in more.items()}


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every string and number in *value*."""
    if isinstance(value, dict | list | tuple):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [spot for key, one in pairs for spot in spots(one, (*path, key))]
    return [path] if isinstance(value, str | int) else []


def alter(value: Any, path: tuple[Any, ...], chance: random.Random) -> Any:
    """Return *value* with what lies at *path* changed a little."""
    made = json.loads(json.dumps(value))
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    old = holder[path[-1]]
    if isinstance(old, int):
        holder[path[-1]] = max(0, old + chance.choice((-1, 1, 7)))
    else:
        place = chance.randrange(len(old)) if old else 0
        holder[path[-1]] = old[:place] + chance.choice("ABab01-_") + old[place + 1 :]
    return made


async def test_nothing_that_an_accuser_alters_convicts_an_honest_hub(case: Case, tmp_path: Path) -> None:
    """A hundred alterations of true evidence, and no proof among them."""
    async with case.town.agent(COUNCIL) as council:
        found = await honest_evidence(case, council)
    file, chance = tmp_path / "altered", random.Random(5)
    file.write_bytes(dump(found))
    true = case.judge(file)
    assert (true["findings"], true["passed_over"]) == ([], [])
    assert true["checkpoints"] > 1
    places = spots(found)
    for _ in range(120):
        altered = copy.deepcopy(found)
        for path in chance.sample(places, chance.choice((1, 1, 4))):
            altered = alter(altered, path, chance)
        file.write_bytes(dump(altered))
        try:
            assert case.judge(file)["proved"] is False
        except HubError as error:
            assert error.code == "export"  # noqa: PT017


async def test_an_agency_that_lies_convicts_nobody(case: Case) -> None:
    """The nurses' key signs a receipt with a log that nobody showed them, from a later day: their word against the hub's."""
    county = case.town.county
    async with case.town.agent(COUNCIL) as council, case.town.agent(HEALTH) as health:
        await case.deliver(council, health, "zero")
        await look(council)
        found = await honest_evidence(case, council)
    (true,) = [one for one in found["signed"] if jws.purpose(one.encode()) == jws.RECEIPT][:1]
    said = parse_receipt(jws.parse(true.encode(), jws.RECEIPT).payload)
    assert said.checkpoint is not None
    lie = msgspec.structs.replace(said, checkpoint=msgspec.structs.replace(said.checkpoint, root=sha256_b64u(b"")))
    signed = county.keyrings[HEALTH].signing.sign(dump(lie), jws.RECEIPT).decode()
    path = case.town.tmp / "lie"
    path.write_bytes(dump(found | {"signed": (*found["signed"], signed)}))
    (finding,) = case.judge(path)["findings"]
    assert (finding["code"], finding["proved"], finding["against"]) == ("two-views", False, "")
    assert "one of the two has lied" in finding["says"]


async def test_what_the_officers_did_not_sign_counts_for_nothing(case: Case) -> None:
    """A third party with other officers' keys knows no hub, so nothing is proved of one."""
    async with case.cheated(COUNCIL) as council:
        await settle(council)
        case.show(await case.fork(other_agreement))
        await look(council)
        path = await case.export(council)
    assert case.judge(path)["proved"] is True
    case.town.county.officers[:] = [jws.SigningKey.generate() for _ in range(3)]
    found = case.judge(path)
    assert (found["proved"], found["directories"], found["checkpoints"]) == (False, 0, 0)


async def test_a_checkpoint_by_another_key_is_passed_over(case: Case) -> None:
    """Anybody can write a note; only the keys that the directory names make it the hub's."""
    async with case.town.agent(COUNCIL) as council:
        found = await honest_evidence(case, council)
    own = jws.SigningKey.generate()
    head = notes.Checkpoint.parse(found["notes"][0].rpartition("\n\n")[0] + "\n")
    forged = notes.sign_note(head._replace(root=bytes(32)).text(), [notes.NoteSigner(head.origin, own)])
    path = case.town.tmp / "forged"
    path.write_bytes(dump(found | {"notes": (*found["notes"], forged)}))
    judged = case.judge(path)
    assert judged["proved"] is False
    assert judged["passed_over"] == ["a checkpoint: not signed by every key that the directory names"]


async def test_an_entry_that_says_other_than_its_receipt_is_proved(case: Case) -> None:
    """The log has `filed` where the nurses signed `collected`: whoever reads the entry needs the receipt beside it."""
    async with case.town.agent(COUNCIL) as council:
        found = await honest_evidence(case, council)
        heard = [one for one in found["signed"] if jws.purpose(one.encode()) == jws.RECEIPT]
        collected = {sha256_b64u(one.encode()) for one in heard if payload(one)["level"] == "collected"}

        def change(_: int, leaf: dict[str, Any]) -> dict[str, Any] | None:
            return leaf | {"level": "filed"} if leaf.get("digest") in collected else None

        fork = await case.fork(change)
    place = next(index for index, leaf in enumerate(fork.leaves) if json.loads(leaf).get("digest") in collected)
    tree = Tree(council.gateway.client, fork.head)
    tree._node = lambda height, index: fork.nodes[height, index]  # type: ignore[method-assign]
    entry = evidence.entry_of(fork.note.encode(), await tree.find(place), fork.leaves[place])
    alone = found | {"notes": (fork.note,), "entries": (msgspec.to_builtins(entry),), "beginnings": ()}
    path = case.town.tmp / "altered"
    path.write_bytes(dump(alone))
    assert [one["code"] for one in case.judge(path)["findings"] if one["proved"]] == ["receipt-altered"]


@pytest.mark.parametrize("bad", [b"", b"[]", b'{"v":2}', b"\xff", b'{"v":1,"agency":"a","at":1,"entries":[{}]}'])
async def test_a_file_that_is_no_evidence_is_refused(case: Case, bad: bytes) -> None:
    """With a code, and nothing is judged."""
    path = case.town.tmp / "bad"
    path.write_bytes(bad)
    with pytest.raises(HubError) as caught:
        case.judge(path)
    assert caught.value.code == "export"


async def test_the_commands_export_and_convict(case: Case) -> None:
    """As the two agencies and the third party use them: one file proves nothing, both together do."""
    trust = case.town.tmp / "trust.json"
    trust.write_bytes(dump({"officers": case.town.county.roots, "hub_url": "https://hub.example.org"}))
    case.show(await case.fork(other_agreement))
    async with case.town.agent(COUNCIL) as council, case.cheated(HEALTH) as health:
        await settle(health)
        await case.deliver(council, health, "minutes")
        await look(council)
    files = []
    for agency in (COUNCIL, HEALTH):
        home = write_home(case.town, agency)
        file = case.town.tmp / f"{agency}.json"
        code, printed, complaint = await asyncio.to_thread(
            gateway_command, "evidence", "export", str(file), "--home", str(home)
        )
        assert code == 0, complaint
        assert printed["met_with"] == (["two-views"] if agency == COUNCIL else [])
        files.append(str(file))
        code, _, complaint = await asyncio.to_thread(
            gateway_command, "evidence", "export", str(file), "--home", str(home)
        )
        assert (code, "File exists" in complaint) == (1, True)
    alone = await asyncio.to_thread(hub_command, "audit", "convict", files[0], "--trust", str(trust), ok=False)
    assert (alone.returncode, alone.stdout.splitlines()[-1]) == (1, "nothing is proved")
    both = await asyncio.to_thread(hub_command, "audit", "convict", *files, "--trust", str(trust))
    assert both.stdout.startswith("PROVED against the hub: two-logs\n")
    assert "signed by: the hub's checkpoint keys" in both.stdout


async def test_gateways_that_run_find_a_split_view_within_a_minute(case: Case) -> None:
    """Both gateways run as they do in service, at their own pace, until the council's staff are told."""
    case.show(await case.fork(other_agreement))
    told: set[str] = set()
    begun = time.monotonic()
    async with case.town.agent(COUNCIL) as council, case.cheated(HEALTH) as health:
        await settle(health)
        case.minutes("minutes", NURSES)
        running = [asyncio.create_task(agent.run()) for agent in (council, health)]

        async def watch() -> None:
            while not told:
                told.update(await alarms(council))
                await asyncio.sleep(0.05)

        watching = asyncio.create_task(watch())
        await eventually(watching.done, seconds=60.0)
        for agent in (council, health):
            agent.stop()
        await asyncio.gather(*running)
    assert told == {"two-views"}
    print(f"found out after {time.monotonic() - begun:.1f} s")
