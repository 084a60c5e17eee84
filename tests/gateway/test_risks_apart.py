"""Two records that are kept apart never come to one recipient: a child who was harmed, and a child who may have done it (risk 16)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.base import parse_draft
from adapters.gateway.apart import count_both
from adapters.gateway.handling_policy import load_policy
from keys.digests import new_id
from schemas.catalogue import Catalogue
from schemas.strict_json import dump
from tests.county import CAIT, COUNCIL, HEALTH, MASH, NURSES, OFFICERS, PAEDIATRICS, POLICE, START
from tests.gateway.support import Town, draft, drop, minutes_full, read_notices, settle
from tests.schemas import samples

VICTIM, HARMER = new_id(START), new_id(START + 1)
LINKED = {"alleged_harmer_is_child": True, "linked_harmer_record": HARMER}


def record(town: Town, name: str, number: str, *parties: str, **changes: Any) -> None:
    """Have the council send the full minutes of record *number* to *parties*."""
    given = {key: changes.pop(key) for key in ("thread", "supersedes") if key in changes}
    message = minutes_full([MASH, *parties], record_id=number, **changes)
    drop(town.homes[COUNCIL], name, draft("minutes.full/1", MASH, message=message, **given))


def note(town: Town, name: str, number: str, *parties: str) -> None:
    """Have the council send the decision note of record *number* to *parties*."""
    people = [samples.participant(box) for box in (MASH, *parties)]
    message = samples.message("minutes.decisions/1", record_id=number, participants=people, actions=[])
    drop(town.homes[COUNCIL], name, draft("minutes.decisions/1", MASH, message=message, to=list(parties)))


def outcome(town: Town, name: str) -> str:
    """Return ``sent``, or the code with which the draft *name* was refused."""
    home = town.homes[COUNCIL]
    if (home / "sent" / name / "envelope.json").exists():
        return "sent"
    reason = json.loads((home / "refused" / name / "reason.json").read_bytes())
    assert NURSES not in reason["message"] + reason["hint"]
    code: str = reason["code"]
    return code


def sent(town: Town, name: str) -> dict[str, str]:
    """Return id and thread of what was sent as *name*."""
    noted: dict[str, str] = json.loads((town.homes[COUNCIL] / "sent" / name / "envelope.json").read_bytes())
    return noted


@pytest.mark.parametrize("linked_first", [True, False])
async def test_whoever_has_the_one_record_does_not_get_the_other(town: Town, linked_first: bool) -> None:
    """Whichever goes first, and though only one of the two names the other: refused for who has one, sent to who has none."""
    victim, harmer = (VICTIM, LINKED), (HARMER, {})
    (first, given), (second, more) = (victim, harmer) if linked_first else (harmer, victim)
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health, town.agent(POLICE) as police:
        record(town, "first", first, NURSES, **given)
        await settle(council, health, police)
        record(town, "both", second, NURSES, CAIT, **more)
        await settle(council, health, police)
        assert (outcome(town, "first"), outcome(town, "both")) == ("sent", "distribution-overlaps")
        record(town, "other", second, CAIT, **more)
        await settle(council, health, police)
        assert outcome(town, "other") == "sent"
        assert len(list((town.homes[HEALTH] / "in").glob("*/message.json"))) == 1
        assert len(list((town.homes[POLICE] / "in").glob("*/message.json"))) == 1


async def test_one_record_goes_to_the_same_again(town: Town) -> None:
    """A second version, and its decision note, have the recipients of the first; a record that is kept apart from none is free."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        record(town, "first", VICTIM, NURSES, **LINKED)
        await settle(council, health)
        before = sent(town, "first")
        record(
            town, "second", VICTIM, NURSES, version=2, thread=before["thread"], supersedes=before["id"], **LINKED
        )  # fmt: skip
        note(town, "note", VICTIM, NURSES)
        record(town, "unlinked", new_id(START + 2), NURSES)
        await settle(council, health)
        assert {outcome(town, name) for name in ("second", "note", "unlinked")} == {"sent"}


async def test_a_decision_note_is_kept_apart_too(town: Town) -> None:
    """It is of the same record, though it names no other."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        record(town, "minutes", VICTIM, NURSES, **LINKED)
        await settle(council, health)
        note(town, "note", HARMER, NURSES)
        await settle(council, health)
        assert outcome(town, "note") == "distribution-overlaps"


async def test_an_urgent_record_goes_and_its_sender_is_warned(town: Town) -> None:
    """Nothing urgent is blocked; the warning counts and names nobody."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        record(town, "first", VICTIM, NURSES, PAEDIATRICS, **LINKED)
        await settle(council, health)
        record(town, "urgent", HARMER, NURSES, PAEDIATRICS, OFFICERS, urgent=True)
        await settle(council, health)
        assert outcome(town, "urgent") == "sent"
        (told,) = [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "handling-warning"]
        assert (told["reason"], told["message"][:16], told["mailbox"]) == (
            "distribution-overlaps",
            "2 of its recipie",
            MASH,
        )
        assert NURSES not in json.dumps(told)


async def test_what_was_taken_back_or_refused_binds_nobody(town: Town) -> None:
    """A record that went to the wrong team and was withdrawn before anybody had it leaves that team free for the other."""
    async with town.agent(COUNCIL) as council:
        record(town, "wrong", VICTIM, NURSES, **LINKED)
        await settle(council)
        await council.gateway.spool.run("set_withdrawn", envelope=sent(town, "wrong")["id"])
        record(town, "right", HARMER, NURSES)
        await settle(council)
        assert outcome(town, "right") == "sent"


async def test_what_was_received_counts_too(town: Town) -> None:
    """Whoever was sent one record by others can't send that team, or its sender, the other."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health, town.agent(POLICE) as police:
        record(town, "first", VICTIM, NURSES, CAIT, **LINKED)
        await settle(council, health, police)
        found = await police.gateway.spool.all("list_incoming")
        assert [row["state"] for row in found] == ["filed"]
        message = minutes_full([CAIT, NURSES, OFFICERS], record_id=HARMER)
        other = parse_draft(dump(draft("minutes.full/1", CAIT, message=message)))
        assert await count_both(police.gateway, other, [MASH, NURSES, OFFICERS], load_policy()) == 2
        assert await count_both(police.gateway, other, [OFFICERS], load_policy()) == 0


async def test_the_spool_shows_no_record(town: Town) -> None:
    """Which records are kept apart lies there as keyed digests only."""
    async with town.agent(COUNCIL) as council:
        record(town, "first", VICTIM, NURSES, **LINKED)
        await settle(council)
        spool = b"".join(path.read_bytes() for path in town.homes[COUNCIL].glob("spool.db*"))
        assert len(spool) > 1000
        assert VICTIM.encode() not in spool
        assert HARMER.encode() not in spool


def test_the_table_names_what_exists() -> None:
    """A field that is misspelt would keep nothing apart; a record always says which it is."""
    catalogue = Catalogue.load()
    for kind, rule in load_policy().apart.items():
        schema = catalogue.schema(kind)
        assert {rule.record, rule.other} - {""} <= set(schema["properties"]), kind
        assert rule.record in schema["required"], kind
    assert any(rule.other for rule in load_policy().apart.values())
