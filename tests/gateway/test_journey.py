"""From one agency's folder to another's, over a real hub, whatever happens on the way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import GatewayError
from adapters.gateway import errands, filing, outgoing, rotation, trust
from adapters.gateway.agent import Agent
from adapters.gateway.client import HubAwayError
from keys import jws
from schemas.strict_json import dump
from tests.county import CAIT, COUNCIL, DAY, HEALTH, MASH, NURSES, PAEDIATRICS, County
from tests.gateway.support import (
    Town,
    draft,
    drop,
    meeting_held,
    minutes_full,
    payload_of,
    read_notices,
    settle,
)
from tests.gateway.wire import open_wire


def hold_meeting(home: Path, *parties: str, name: str = "held") -> None:
    """Drop the registration of a strategy discussion with *parties*."""
    drop(home, name, draft("meeting.held/1", MASH, message=meeting_held([MASH, *parties])))


def send_minutes(home: Path, *parties: str, name: str = "minutes", **changes: Any) -> None:
    """Drop full minutes for *parties*."""
    drop(home, name, draft("minutes.full/1", MASH, message=minutes_full([MASH, *parties]), **changes))


def sent(home: Path, name: str) -> dict[str, str]:
    """Return id and thread of what was sent under *name*."""
    note: dict[str, str] = json.loads((home / "sent" / name / "envelope.json").read_bytes())
    return note


def filed(home: Path) -> list[str]:
    """Return the ids of what is filed in the folder pair at *home*."""
    return sorted(path.parent.name for path in (home / "in").glob("*/message.json"))


async def levels(agent: Agent, envelope: str) -> list[tuple[str, str]]:
    """Return mailbox and level of every receipt that the sender has heard of."""
    rows = await agent.gateway.spool.all("heard_of", envelope=envelope)
    return [(row["mailbox"], row["level"]) for row in rows]


async def test_minutes_go_from_one_folder_to_another_and_receipts_come_back(town: Town) -> None:
    """What the council drops in `out/` is filed at the nurses' gateway, and the council sees that it was."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        home = town.homes[COUNCIL]
        hold_meeting(home, NURSES)
        await settle(council, health)
        thread = sent(home, "held")["thread"]
        paper = b"%PDF-1.7 fictional data"
        value = draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES]), thread=thread)
        drop(home, "minutes", value | {"attachments": ["minutes.pdf"]}, minutes_pdf=paper)
        await settle(council, health)
        envelope = sent(home, "minutes")["id"]
        record = town.homes[HEALTH] / "in" / envelope
        assert json.loads((record / "message.json").read_bytes()) == value["message"]
        assert (record / "minutes.pdf").read_bytes() == paper
        note = json.loads((record / "envelope.json").read_bytes())
        assert (note["sender"], note["mailbox"], note["type"]) == (MASH, NURSES, "minutes.full/1")
        await settle(council)
        assert await levels(council, envelope) == [(NURSES, "collected"), (NURSES, "filed")]
        ours = {row["id"]: row["state"] for row in await council.gateway.spool.all("list_obligations")}
        theirs = {row["id"]: row["state"] for row in await health.gateway.spool.all("list_obligations")}
        assert ours == theirs
        assert sorted((await town.site.desk.duties(thread)).values()) == sorted(ours.values())


async def test_both_teams_of_one_agency_take_receipt(town: Town) -> None:
    """One gateway, two mailboxes, one envelope: each files it and says so."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        home = town.homes[COUNCIL]
        send_minutes(home, NURSES, PAEDIATRICS)
        await settle(council, health)
        await settle(council)
        heard = await levels(council, sent(home, "minutes")["id"])
        assert sorted(heard) == sorted(
            (box, level) for box in (NURSES, PAEDIATRICS) for level in ("collected", "filed")
        )
        assert len(filed(town.homes[HEALTH])) == 1


async def test_receipts_carry_the_checkpoint_that_was_verified_and_form_a_chain(town: Town) -> None:
    """Two views of the log can't be kept apart, and no receipt can be left out between two others."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        home = town.homes[COUNCIL]
        send_minutes(home, NURSES)
        await settle(council)
        await town.tick()
        await settle(health)
        await settle(council)
        rows = await council.gateway.spool.all("heard_of", envelope=sent(home, "minutes")["id"])
        signed = {row["level"]: row for row in await health.gateway.spool.all("waiting_receipts", limit=9)}
        assert len(rows) == 2
        assert signed == {}
        own = await health.gateway.spool.write(lambda tx: tx.all("list_incoming"))
        receipts = await health.gateway.spool.all("receipts_of", envelope=own[0]["envelope"], mailbox=NURSES)
        assert [(row["level"], row["state"]) for row in receipts] == [("collected", "taken"), ("filed", "taken")]
        compacts = await town.site.hub.store.read(lambda tx: [row.jws for row in tx.receipts_of(own[0]["envelope"])])
        collected, taken = sorted(map(payload_of, compacts), key=lambda one: one["level"])
        assert "previous" not in collected
        assert taken["previous"]
        assert taken["checkpoint"]["size"] == health.gateway.witness.seen.size  # type: ignore[union-attr]
        cosigners = await town.site.hub.store.read(
            lambda tx: [row[0] for row in tx.cosignatures(taken["checkpoint"]["size"])]
        )
        assert any(HEALTH in name for name in cosigners)


# ---- outages and lost answers


async def test_nothing_is_lost_while_the_hub_is_dark(town: Town) -> None:
    """Drafts are taken and wait; when the hub is back they go once, and so do the receipts."""
    async with (
        open_wire(town.site.port) as wire,
        town.agent(COUNCIL, hub=wire.base) as council,
        town.agent(HEALTH, hub=wire.base) as health,
    ):
        home = town.homes[COUNCIL]
        await settle(council, health)
        wire.cut()
        for number in range(5):
            send_minutes(home, NURSES, name=f"minutes-{number}")
        assert await council.run_once() > 0
        assert len(list((home / "sent").iterdir())) == 5
        town.county.now += 3 * DAY
        assert await council.run_once() > 0
        wire.dark = False
        await settle(council, health)
        assert len(filed(town.homes[HEALTH])) == 5
        assert len(await town.site.desk.leaves("envelope-accepted")) == 5


async def test_a_gateway_that_never_saw_the_hub_keeps_drafts(town: Town) -> None:
    """Without a directory nothing can be sealed yet: the draft waits, encrypted, and goes when it can."""
    async with open_wire(town.site.port) as wire, town.agent(COUNCIL, hub=wire.base) as council:
        home = town.homes[COUNCIL]
        wire.dark = True
        send_minutes(home, NURSES)
        assert await council.run_once() > 0
        (waiting,) = await council.gateway.spool.all("drafted")
        row = await council.gateway.spool.one("find_sent", **waiting)
        assert row is not None
        assert b"Zebulon" not in bytes(row["draft"])
        assert b"Zebulon" not in (home / "spool.db").read_bytes()
        wire.dark = False
        council.gateway.pacer.worked(f"seal {row['envelope']}")
        await settle(council)
        assert [leaf["envelope"] for leaf in await town.site.desk.leaves("envelope-accepted")] == [row["envelope"]]


async def test_a_lost_answer_doubles_nothing(town: Town) -> None:
    """The hub took it and the answer was lost: the same bytes go again, and get the same acceptance."""
    async with open_wire(town.site.port) as wire, town.agent(COUNCIL, hub=wire.base) as council:
        home = town.homes[COUNCIL]
        await settle(council)
        send_minutes(home, NURSES)
        await council.collect_pass()
        wire.match, wire.swallow = b"/v1/envelopes", 1
        with pytest.raises(HubAwayError):
            await council.send_pass()
        assert wire.lost == 1
        assert len(await town.site.desk.leaves("envelope-accepted")) == 1
        await council.send_pass()
        assert len(await town.site.desk.leaves("envelope-accepted", "envelope-refused")) == 1
        (row,) = await council.gateway.spool.all("list_sent")
        assert row["state"] == "accepted"


async def test_lost_answers_to_receipts_double_nothing(town: Town) -> None:
    """Receipts whose answer was lost are repeated and recognised."""
    async with (
        open_wire(town.site.port) as wire,
        town.agent(COUNCIL) as council,
        town.agent(HEALTH, hub=wire.base) as health,
    ):
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        await health.refresh_pass()
        await health.drain(NURSES)
        await health.file_pass()
        wire.match, wire.swallow = b"/v1/receipts", 1
        with pytest.raises(HubAwayError):
            await health.receipt_pass()
        await health.receipt_pass()
        assert len(await town.site.desk.leaves("receipt-accepted")) == 2
        assert await town.site.desk.leaves("receipt-refused") == []


async def test_many_waiting_drafts_go_in_one_batch(town: Town) -> None:
    """What waits is sent together; each gets its own answer."""
    async with town.agent(COUNCIL) as council:
        home = town.homes[COUNCIL]
        await council.refresh_pass()
        for number in range(30):
            send_minutes(home, NURSES, name=f"minutes-{number:02}")
        await council.collect_pass()
        assert await outgoing.send_sealed(council.gateway, council.watch) == 30
        assert len(await town.site.desk.leaves("envelope-accepted")) == 30


# ---- killed, restored, rewound


async def test_killed_after_collecting_and_before_the_receipt(town: Town) -> None:
    """What is in the spool is filed and receipted by the next process; nothing is filed twice."""
    async with town.agent(COUNCIL) as council:
        home = town.homes[COUNCIL]
        send_minutes(home, NURSES)
        await settle(council)
        async with town.agent(HEALTH) as health:
            await health.refresh_pass()
            await health.drain(NURSES)
        assert await town.site.desk.leaves("receipt-accepted") == []
        async with town.agent(HEALTH) as health:
            await health.file_pass()
        async with town.agent(HEALTH) as health:
            await settle(health)
        await settle(council)
        assert await levels(council, sent(home, "minutes")["id"]) == [(NURSES, "collected"), (NURSES, "filed")]
        assert len(filed(town.homes[HEALTH])) == 1


async def test_killed_between_filing_and_its_receipt(town: Town) -> None:
    """The record system is asked again, has it already, and the receipt follows."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        await health.refresh_pass()
        await health.drain(NURSES)
        (waiting,) = await health.gateway.spool.all("to_file")
        row = await health.gateway.spool.one("find_incoming", **waiting)
        assert row is not None
        await health.gateway.adapters["folder"].file(filing.read_content(health.gateway, row))
        await settle(health)
        assert len(filed(town.homes[HEALTH])) == 1
        assert len(await town.site.desk.leaves("receipt-accepted")) == 2


async def test_a_feed_that_is_read_again_files_nothing_twice(town: Town) -> None:
    """After a rewind every delivery is known, and no second receipt is made."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        for number in range(3):
            send_minutes(town.homes[COUNCIL], NURSES, name=f"minutes-{number}")
        await settle(council, health)
        before = (filed(town.homes[HEALTH]), len(await town.site.desk.leaves("receipt-accepted")))
        await health.gateway.spool.run("rewind")
        await settle(health, council)
        assert (filed(town.homes[HEALTH]), len(await town.site.desk.leaves("receipt-accepted"))) == before


async def test_a_gateway_rebuilt_from_its_backup_goes_on(town: Town) -> None:
    """A spool from before the last deliveries catches up: all is filed once, and later receipts are taken."""
    async with town.agent(COUNCIL) as council:
        home = town.homes[COUNCIL]
        async with town.agent(HEALTH) as health:
            send_minutes(home, NURSES, name="one")
            await settle(council, health)
            theirs = town.homes[HEALTH]
        shutil.copy(theirs / "spool.db", theirs / "backup")
        async with town.agent(HEALTH) as health:
            send_minutes(home, NURSES, name="two")
            await settle(council, health)
        shutil.copy(theirs / "backup", theirs / "spool.db")
        async with town.agent(HEALTH) as health:
            await settle(health)
            send_minutes(home, NURSES, name="three")
            await settle(council, health)
            assert len(filed(theirs)) == 3
            await settle(council)
            for name in ("one", "two", "three"):
                heard = await levels(council, sent(home, name)["id"])
                assert {(NURSES, "collected"), (NURSES, "filed")} <= set(heard)


# ---- what changes between two steps


async def test_an_agreement_that_changed_between_sealing_and_acceptance(town: Town) -> None:
    """The envelope is made again by the new agreement, under the same id, and accepted."""
    async with town.agent(COUNCIL) as council:
        send_minutes(town.homes[COUNCIL], NURSES)
        await council.refresh_pass()
        await council.collect_pass()
        await town.site.desk.next_agreement()
        await council.send_pass()
        (refused,) = await town.site.desk.leaves("envelope-refused")
        assert refused["outcome"] == "agreement-outdated"
        council.gateway.pacer.worked(f"seal {refused['envelope']}")
        council.gateway.pacer.worked(f"send {refused['envelope']}")
        await council.send_pass()
        (accepted,) = await town.site.desk.leaves("envelope-accepted")
        assert accepted["envelope"] == refused["envelope"]


async def test_what_the_hub_refuses_is_told_and_not_repeated(town: Town) -> None:
    """A draft for the future is refused once; the folder has it in `refused/` with the reason."""
    async with town.agent(COUNCIL) as council:
        home = town.homes[COUNCIL]
        await council.refresh_pass()
        late = minutes_full([MASH, NURSES]) | {"started_at": "2026-07-07T08:00:00Z", "ended_at": "2026-07-07T09:00:00Z"}
        drop(home, "early", draft("minutes.full/1", MASH, message=late))
        await settle(council, rounds=4)
        reason = json.loads((home / "refused" / "early" / "reason.json").read_bytes())
        assert (reason["code"], bool(reason["hint"])) == ("at-in-future", True)
        assert len(await town.site.desk.leaves("envelope-refused")) == 1
        (notice,) = [one for one in read_notices(home) if one["notice"] == "send-refused"]
        assert notice["code"] == "at-in-future"


async def test_a_draft_that_cannot_be_sealed_is_refused_at_once(town: Town) -> None:
    """It never reaches the hub."""
    async with town.agent(COUNCIL) as council:
        home = town.homes[COUNCIL]
        await council.refresh_pass()
        drop(home, "bad", draft("minutes.full/1", MASH, message={"planted": "Zebulon"}))
        drop(home, "foreign", draft("minutes.full/1", NURSES, message=minutes_full([MASH, NURSES])))
        await settle(council)
        codes = {p.parent.name: json.loads(p.read_bytes())["code"] for p in (home / "refused").glob("*/reason.json")}
        assert codes == {"bad": "message-schema", "foreign": "draft-sender"}
        assert await town.site.desk.leaves("envelope-accepted", "envelope-refused") == []


async def test_a_recipient_that_enrols_later_gets_what_waits(town: Town) -> None:
    """Until a recipient has a sealing key the draft waits, and others are not kept up by it."""
    county = town.county
    statement = county.statement(HEALTH, "seal", county.newest(NURSES).key.public.jwk, state="retired")
    await town.site.desk.publish_key(statement, county.approve(statement))
    await town.tick()
    async with town.agent(COUNCIL) as council:
        home = town.homes[COUNCIL]
        await council.refresh_pass()
        send_minutes(home, NURSES, name="waits")
        send_minutes(home, CAIT, name="goes")
        await settle(council)
        (leaf,) = await town.site.desk.leaves("envelope-accepted")
        assert leaf["envelope"] == sent(home, "goes")["id"]
        await town.site.desk.rotate(HEALTH)
        await town.tick()
        await council.refresh_pass()
        council.gateway.pacer.worked(f"seal {sent(home, 'waits')['id']}")
        await settle(council)
        assert len(await town.site.desk.leaves("envelope-accepted")) == 2


async def test_a_sealing_key_about_to_be_destroyed_is_sealed_around(town: Town) -> None:
    """The recipient's gateway was off, its key is about to go: the sender's gateway wraps again, same id."""
    async with town.agent(COUNCIL) as council:
        home = town.homes[COUNCIL]
        send_minutes(home, NURSES)
        await settle(council)
        held = town.county.newest(NURSES)
        town.county.now += 31 * DAY
        await town.site.desk.rotate(HEALTH)
        await town.tick()
        await errands.refresh(council.gateway)
        envelope = sent(home, "minutes")["id"]
        await council.gateway.spool.run("add_chore", kind="reseal", ref=envelope, details=b"{}")
        await settle(council)
        assert await council.gateway.spool.all("chores", limit=9) == []
        assert [leaf["envelope"] for leaf in await town.site.desk.leaves("wraps-replaced")] == [envelope]
        del town.county.keyrings[HEALTH].opening_keys[held.key.kid]
        async with town.agent(HEALTH) as health:
            await settle(health)
        await settle(council)
        assert await levels(council, envelope) == [(NURSES, "collected"), (NURSES, "filed")]


async def test_content_keys_are_forgotten_once_everybody_has_it(town: Town) -> None:
    """Until then the sender can seal again; afterwards nobody needs it."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council)
        envelope = sent(town.homes[COUNCIL], "minutes")["id"]
        row = await council.gateway.spool.one("find_sent", envelope=envelope)
        assert row is not None
        assert row["content_key"] is not None
        assert (row["draft"], row["body"]) == (None, None)
        await settle(health, council)
        row = await council.gateway.spool.one("find_sent", envelope=envelope)
        assert row is not None
        assert row["content_key"] is None


# ---- withdrawal


async def test_withdrawn_before_collection_is_never_seen(town: Town) -> None:
    """Its recipient's gateway files nothing and is owed what it was owed before."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        home = town.homes[COUNCIL]
        send_minutes(home, NURSES)
        await settle(council)
        envelope = sent(home, "minutes")["id"]
        await errands.ask_withdrawal(council.gateway, envelope, "misdirected")
        await settle(council, health)
        assert filed(town.homes[HEALTH]) == []
        row = await council.gateway.spool.one("find_sent", envelope=envelope)
        assert row is not None
        assert row["state"] == "withdrawn"


async def test_withdrawn_after_collection_is_destroyed_and_said_so(town: Town) -> None:
    """What only the gateway holds it destroys by itself, and signs that it did."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        home = town.homes[COUNCIL]
        send_minutes(home, NURSES)
        await settle(council)
        await health.refresh_pass()
        await health.drain(NURSES)
        await health.receipt_pass()
        envelope = sent(home, "minutes")["id"]
        await errands.ask_withdrawal(council.gateway, envelope, "misdirected")
        await settle(council, health)
        row = await health.gateway.spool.one("find_incoming", envelope=envelope, mailbox=NURSES)
        assert row is not None
        assert (row["state"], row["content"]) == ("destroyed", None)
        await settle(council)
        assert await levels(council, envelope) == [(NURSES, "collected"), (NURSES, "filed")]
        assert filed(town.homes[HEALTH]) == []


async def test_withdrawn_after_filing_is_for_a_person(town: Town) -> None:
    """A record system's copy is not the gateway's to destroy: its staff are asked."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        home = town.homes[COUNCIL]
        send_minutes(home, NURSES)
        await settle(council, health)
        await errands.ask_withdrawal(council.gateway, sent(home, "minutes")["id"], "misdirected")
        await settle(council, health)
        codes = [notice["notice"] for notice in read_notices(town.homes[HEALTH])]
        assert {"withdrawn", "destruction-asked"} <= set(codes)
        assert len(filed(town.homes[HEALTH])) == 1


# ---- what can't be believed


async def test_a_delivery_that_fails_a_check_is_rejected_by_name(town: Town) -> None:
    """The sender's gateway made a message that is none: never filed, and the sender hears why."""
    bad = town.county.seal("minutes.full/1", MASH, [NURSES], facts={"variant": "full"})
    await town.site.desk.send(bad)
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        await settle(health, council)
        row = await health.gateway.spool.one("find_incoming", envelope=bad.id, mailbox=NURSES)
        assert row is not None
        assert (row["state"], row["code"]) == ("rejected", "message-schema")
        assert filed(town.homes[HEALTH]) == []
        notices = [notice for notice in read_notices(town.homes[COUNCIL]) if notice["notice"] == "returned"]
        assert [notice["envelope"] for notice in notices] == [bad.id]


async def test_a_log_that_was_cut_rings_the_alarm(town: Town) -> None:
    """A gateway that has seen more than the hub now shows does not go on quietly."""
    async with town.agent(COUNCIL) as council:
        await settle(council)
        seen = council.gateway.witness.seen
        assert seen is not None
        council.gateway.witness.seen = seen._replace(size=seen.size + 1)
        with pytest.raises(GatewayError) as caught:
            await council.refresh_pass()
        assert caught.value.code == "log-inconsistent"
        council.gateway.witness.seen = seen._replace(root=b"\x00" * 32)
        with pytest.raises(GatewayError):
            await council.refresh_pass()
        await council.file_pass()
        codes = [notice["notice"] for notice in read_notices(town.homes[COUNCIL])]
        assert codes == ["log-inconsistent"]


async def test_a_key_in_our_name_that_we_did_not_make_rings_the_alarm(town: Town) -> None:
    """Whoever holds the identity key elsewhere is noticed within one look."""
    async with town.agent(HEALTH) as health:
        await health.refresh_pass()
        stranger = jws.SigningKey.generate()
        county = town.county
        statement = county.statement(HEALTH, "sign", stranger.public.jwk, proof=None)
        payload = payload_of(statement)
        proof = jws.prove(stranger, jws.proof_statement(HEALTH, payload["sequence"], stranger.kid))
        county.statements[HEALTH].pop()
        statement = county.statement(HEALTH, "sign", stranger.public.jwk, proof=proof)
        await town.site.desk.publish_key(statement, county.approve(statement))
        await town.tick()
        await settle(health, rounds=1)
        (notice,) = [one for one in read_notices(town.homes[HEALTH]) if one["notice"] == "key-unknown"]
        assert notice["kid"] == stranger.kid


async def test_a_directory_that_the_officers_did_not_sign_is_refused(town: Town) -> None:
    """A hub with a directory of its own making convinces no gateway: nothing is sealed by it."""
    async with town.agent(COUNCIL) as council:
        await settle(council)
        strangers = County()
        county = town.county
        county.directory_version += 1
        payload = county.directory(previous=None)
        forged = dump([key.sign(payload, jws.DIRECTORY).decode() for key in strangers.officers[:2]])
        with pytest.raises(GatewayError) as caught:
            trust.verify_directory(forged, council.gateway.partnership.books.directory, None, county.roots)
        assert caught.value.code == "trust-signatures"


# ---- keys


async def test_rotated_keys_are_stored_published_and_used(town: Town) -> None:
    """A new sealing key is on disk before it is published, begins a day later, and then mail is sealed to it."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        town.county.now += 31 * DAY
        await town.tick()
        before = set(health.gateway.keyring.opening_keys)
        assert await rotation.rotate_keys(health.gateway) == 1
        (fresh,) = set(health.gateway.keyring.opening_keys) - before
        await town.tick(2 * DAY)
        await settle(council)
        assert council.gateway.partnership.books.sealing_key(NURSES, town.county.now).kid == fresh
        send_minutes(town.homes[COUNCIL], NURSES)
        await settle(council, health)
        assert len(filed(town.homes[HEALTH])) == 1
        assert await rotation.rotate_keys(health.gateway) == 0
