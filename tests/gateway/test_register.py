"""What enters the register stays right whatever the order, the repeats, the kills and the withdrawals."""

from __future__ import annotations

import random
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from adapters.gateway.receipting import add_receipt
from adapters.gateway.register import commands, watching
from adapters.gateway.register.entries import Event, fold, merged
from adapters.gateway.spool import Transaction
from keys.errors import KeysError
from tests.county import CAIT, COUNCIL, EXPLOITATION, HEALTH, MASH, NURSES
from tests.gateway.register_support import CHILD, OTHER, Desk, date, day, on, open_desk, reference
from tests.gateway.support import Town, draft, drop, meeting_held, minutes_full, settle
from tests.schemas import samples

THREAD = samples.an_id("thread")
ACTION = samples.an_id("action")


def event(number: int, verb: Any, at: int, state: str | None = None, **changes: Any) -> Event:
    """Return one event."""
    values: dict[str, Any] = {
        "envelope": f"e{number}", "number": 0, "kind": "action", "verb": verb, "whole": False, "child": None, "told": False,
        "own": None, "part": None, "state": state, "at": at, "due": None, "facts": {}, "thread": "t", "mailbox": MASH,
    }  # fmt: skip
    return Event(**values | changes)


def action(**changes: Any) -> dict[str, Any]:
    """Return the fields of a message about the one action, due on day 10."""
    return {"action_id": ACTION, "due_at": on(10)} | changes


# ---- the fold


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_coming_does_not_matter(seed: int) -> None:
    """Whatever the order in which events came, the entry is the same."""
    events = [
        event(1, "open", 1, "open", due=9, facts={"state": "assigned"}),
        event(2, "set", 3, facts={"state": "accepted"}),
        event(3, "close", 5, "closed", facts={"state": "complete"}),
        event(4, "set", 7, "open", due=12, facts={"state": "disputed"}),
        event(5, "open", 8, "open"),
    ]
    expected = fold("key", events)
    random.Random(seed).shuffle(events)
    assert fold("key", events) == expected
    assert expected is not None
    assert (expected.state, expected.ended, expected.at, expected.opened, expected.due) == ("open", False, 7, 1, 12)


def test_what_is_over_is_not_opened_by_a_later_word_that_it_began() -> None:
    """A report that is written after the return doesn't send the child missing again."""
    entry = fold("key", [event(1, "close", 5, "returned"), event(2, "open", 6, "open")])
    assert entry is not None
    assert (entry.state, entry.ended, entry.at) == ("returned", True, 5)


def test_what_is_said_of_everything_opens_nothing() -> None:
    """A list that was withdrawn has no entry that never was."""
    assert fold("key", [event(1, "close", 5, "closed", whole=True)]) is None


def test_of_two_records_of_one_child_the_newer_counts() -> None:
    """Two children who are one have one agreed risk: the newest."""
    one = fold("a", [event(1, "set", 1, "open", own="", child="x", kind="risk")])
    other = fold("b", [event(2, "close", 2, "closed", own="", child="y", kind="risk")])
    assert one is not None
    assert other is not None
    assert merged([one, other]) == [other]


# ---- messages


async def test_a_message_is_entered_once(tmp_path: Path) -> None:
    """Entered again, as after a kill between register and spool, it changes nothing."""
    async with open_desk(tmp_path) as desk:
        header = await desk.receive("incident.notice/1", child=CHILD, occurred_at=on(0))
        before = (desk.read("event"), desk.read("entry"), desk.read("child"))
        await desk.gateway.spool.run("add_unregistered", envelope=header.id, why="received", draft=None)
        await watching.keep_up(desk.gateway)
        assert (desk.read("event"), desk.read("entry"), desk.read("child")) == before
        assert await desk.gateway.spool.all("unregistered", limit=9) == []


async def test_what_fails_waits_and_keeps_nothing_else_out(tmp_path: Path) -> None:
    """A message that can't be read stays queued; the next one is entered."""
    async with open_desk(tmp_path) as desk:
        first = await desk.arrive("incident.notice/1", child=CHILD, occurred_at=on(0))
        await desk.gateway.spool.write(_spoil)
        await desk.receive("incident.notice/1", child=CHILD, occurred_at=on(1), incident_ref="B")
        (waiting,) = await desk.gateway.spool.all("unregistered", limit=9)
        assert waiting["envelope"] == first.id
        assert [row["code"] for row in await desk.gateway.spool.all("list_notices")] == ["register-failed"]
        assert len(await desk.entries("incident")) == 1


async def _spoil(tx: Transaction) -> None:
    await tx._database.execute("UPDATE inbox SET content = x'00'")


async def test_an_older_message_that_comes_late_undoes_nothing(tmp_path: Path) -> None:
    """The action that was completed on day 5 stays so when its acceptance of day 3 comes afterwards."""
    async with open_desk(tmp_path) as desk:
        await desk.receive("action.complete/1", **action(completed_at=on(5)))
        await desk.receive("action.accept/1", **action(accepted_at=on(3)))
        await desk.receive("action.assign/1", **action(assigned_at=on(1)))
        entry = await desk.the("action")
        assert (entry.state, entry.ended, entry.at, entry.opened) == ("closed", True, day(5), day(1))
        assert entry.facts == {"state": "complete"}


async def test_an_action_lives_until_it_is_done_or_impossible_for_its_chair_too(tmp_path: Path) -> None:
    """Declined, or impossible only for its owner, it is open; disputed after its end it is open again."""
    async with open_desk(tmp_path) as desk:
        await desk.receive("action.assign/1", **action(assigned_at=on(1)))
        steps: list[tuple[str, dict[str, Any], bool]] = [
            ("action.decline/1", {"declined_at": on(2), "state_reason": "not_mine"}, False),
            ("action.impossible/1", {"found_at": on(3), "state_reason": "moved", "accepted_by_chair": False}, False),
            ("action.complete/1", {"completed_at": on(4)}, True),
            ("action.progress/1", {"reported_at": on(5), "state": "disputed", "state_reason": "wrong_owner"}, False),
        ]
        for kind, fields, ended in steps:
            sample = {"decided_by": None} if kind == "action.impossible/1" else {}
            await desk.receive(kind, **sample, **action(**fields))
            assert (await desk.the("action")).ended is ended, kind


async def test_a_correction_replaces_and_its_withdrawal_brings_back(tmp_path: Path) -> None:
    """What is superseded counts for nothing; taken back itself, what it superseded counts again."""
    async with open_desk(tmp_path) as desk:
        first = await desk.receive(
            "risk.agreed/1", child=CHILD, agreed_at=on(1), band="significant", review_by=date(80)
        )
        given = {"supersedes": first.id, "thread": first.thread}
        second = await desk.receive(
            "risk.agreed/1", given=given, child=CHILD, agreed_at=on(1), band="not_at_risk", review_by=date(80)
        )
        assert (await desk.the("risk")).ended
        await desk.withdraw(second.id)
        risk = await desk.the("risk")
        assert (risk.ended, risk.facts) == (False, {"band": "significant"})
        await desk.withdraw(first.id)
        assert await desk.entries("risk") == []


async def test_a_correction_that_comes_first_counts_too(tmp_path: Path) -> None:
    """The older version, come later, finds itself superseded; one of another thread supersedes nothing."""
    async with open_desk(tmp_path) as desk:
        first = await desk.arrive("risk.agreed/1", child=CHILD, agreed_at=on(1), band="significant", review_by=date(80))
        queued = await desk.gateway.spool.all("unregistered", limit=1)
        await desk.gateway.spool.run("drop_unregistered", number=queued[0]["number"])
        given = {"supersedes": first.id, "thread": first.thread}
        await desk.receive("risk.agreed/1", given=given, child=CHILD, agreed_at=on(1), band="mild", review_by=date(80))
        await desk.receive(
            "risk.agreed/1",
            given={"supersedes": first.id},
            child=OTHER,
            agreed_at=on(1),
            band="unknown",
            review_by=date(80),
        )
        await desk.gateway.spool.run("add_unregistered", envelope=first.id, why="received", draft=None)
        await watching.keep_up(desk.gateway)
        assert sorted(entry.facts["band"] for entry in await desk.entries("risk")) == ["mild", "unknown"]


async def test_what_was_taken_back_first_never_enters(tmp_path: Path) -> None:
    """A withdrawal that is heard before the message has entered keeps it out."""
    async with open_desk(tmp_path) as desk:
        header = await desk.arrive("incident.notice/1", child=CHILD, occurred_at=on(0))
        queued = await desk.gateway.spool.all("unregistered", limit=1)
        await desk.gateway.spool.run("drop_unregistered", number=queued[0]["number"])
        await desk.withdraw(header.id)
        await desk.gateway.spool.run("add_unregistered", envelope=header.id, why="received", draft=None)
        await watching.keep_up(desk.gateway)
        assert desk.read("entry") == []


async def test_what_was_returned_to_its_sender_is_taken_out(tmp_path: Path) -> None:
    """A person declines it as misdirected: nothing of it stays, unless another mailbox has it."""
    async with open_desk(tmp_path) as desk:
        header = await desk.receive("incident.notice/1", child=CHILD, occurred_at=on(0))

        async def decline(tx: Transaction) -> None:
            await add_receipt(
                tx, desk.gateway.keyring, "declined", envelope=header.id, mailbox=MASH, sealed_sha256=header.sealed.sha256,
                manifest_sha256=header.sealed.sha256, now=day(1), seen=None, code="wrong_recipient", actor="A" * 43,
                role="worker",
            )  # fmt: skip
            await tx.run("add_unregistered", envelope=header.id, why="declined", draft=None)

        await desk.gateway.spool.write(decline)
        await watching.keep_up(desk.gateway)
        assert desk.read("entry") == desk.read("event") == []


async def test_what_is_under_embargo_waits(tmp_path: Path) -> None:
    """Nothing of it is in the register before its moment, and then it enters by itself."""
    async with open_desk(tmp_path) as desk:
        header = await desk.arrive("incident.notice/1", child=CHILD, occurred_at=on(0))
        values = {"envelope": header.id, "mailbox": MASH}
        await desk.gateway.spool.run("add_embargo", **values, supersedes=None, until=day(3))
        await watching.keep_up(desk.gateway)
        assert desk.read("entry") == []
        await desk.gateway.spool.run("drop_embargo", **values)
        await watching.keep_up(desk.gateway)
        assert len(desk.read("entry")) == 1


# ---- of whom a message is that names nobody


async def test_a_message_that_names_nobody_is_about_the_child_of_what_it_answers(tmp_path: Path) -> None:
    """Before or after the message that does: by what it answers, else by the one child of its thread."""
    async with open_desk(tmp_path) as desk:
        closure, given = samples.an_id("closure"), {"thread": THREAD}
        await desk.receive(
            "closure.confirmed/1", closure_id=closure, decision="closed", decided_at=on(9), next_review=None
        )
        assert (await desk.the("closure")).child is None
        await desk.receive("meeting.held/1", given=given, held_at=on(2), starts_at=None)
        await desk.receive("closure.intent/1", given=given, child=CHILD, closure_id=closure, announced_at=on(3))
        (child,) = await desk.children()
        assert {entry.child for entry in await desk.entries()} == {child}
        # The child's own case is closed by it as well.
        assert (await desk.the("case")).ended


async def test_of_two_children_in_a_thread_it_is_neither_unless_it_says_which(tmp_path: Path) -> None:
    """Siblings have one discussion and a record each: an action is the child's in whose record it stands."""
    async with open_desk(tmp_path) as desk:
        given = {"thread": THREAD}
        await desk.receive("action.progress/1", given=given, **action(reported_at=on(3), state="in_progress"))
        await desk.receive(
            "minutes.decisions/1", given=given, child=reference(CHILD), started_at=on(1), icpc_target_date=None,
            icpc_needed=False, record_id=samples.an_id("a"), actions=[samples.action(**action())],
        )  # fmt: skip
        await desk.receive("meeting.held/1", given=given, held_at=on(1), starts_at=None)
        first = (await desk.the("action")).child
        assert (await desk.the("meeting")).child == first
        await desk.receive(
            "minutes.decisions/1", given=given, child=reference(OTHER), started_at=on(1), icpc_target_date=None,
            icpc_needed=False, record_id=samples.an_id("b"), actions=[],
        )  # fmt: skip
        assert len(await desk.children()) == 2
        assert (await desk.the("meeting")).child is None
        assert (await desk.the("action")).child == first


# ---- the whole table


@pytest.mark.parametrize("seed", range(3))
async def test_a_childs_story_is_the_same_in_any_order(tmp_path: Path, seed: int) -> None:
    """A quarter of a child's life, its messages shuffled, ends in the same entries."""
    story: list[tuple[str, dict[str, Any]]] = [
        ("referral/1", {"child": CHILD, "referral_id": samples.an_id("r"), "referred_at": on(0), "child_seen_at": on(0)}),
        ("referral.outcome/1", {"referral_id": samples.an_id("r"), "decided_at": on(1)}),
        ("missing.return/1", {"child": CHILD, "episode_id": samples.an_id("m"), "returned_at": on(6)}),
        ("missing.report/1", {"child": CHILD, "episode_id": samples.an_id("m"), "reported_at": on(7)}),
        ("rhi.result/1", {"episode_id": samples.an_id("m"), "reported_at": on(9), "held_at": on(8)}),
        ("rhi.assign/1", {"child": CHILD, "episode_id": samples.an_id("m"), "returned_at": on(6), "due_at": on(9)}),
        ("risk.agreed/1", {"child": CHILD, "agreed_at": on(10), "band": "moderate", "review_by": date(100)}),
        ("flag.set/1", {"child": reference(CHILD), "flag_id": samples.an_id("f"), "answered_at": on(12), "review_by": date(99)}),
        ("flag.request/1", {"child": reference(CHILD), "flag_id": samples.an_id("f"), "requested_at": on(11)}),
        ("status.notice/1", {"child": reference(CHILD), "decided_at": on(13), "change": "start"}),
        ("handover.decline/1", {"handover_id": samples.an_id("h"), "declined_at": on(15)}),
        ("handover.offer/1", {"child": CHILD, "handover_id": samples.an_id("h"), "offered_at": on(14)}),
    ]  # fmt: skip
    random.Random(seed).shuffle(story)
    async with open_desk(tmp_path) as desk:
        for kind, fields in story:
            await desk.receive(kind, given={"thread": THREAD}, **fields)
        assert len(await desk.children()) == 1
        assert {entry.kind: (entry.state, entry.ended) for entry in await desk.entries()} == {
            "referral": ("closed", True), "sighting": ("recorded", False), "case": ("open", False),
            "episode": ("returned", True), "rhi": ("closed", True), "assessment": ("agreed", True), "risk": ("open", False),
            "flag": ("open", False), "status": ("open", False), "handover": ("declined", True),
        }  # fmt: skip
        assert (await desk.the("sighting")).at == day(8)


async def test_a_list_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """The new version's children are on it, the old one's aren't, and nobody can read who they are."""
    async with open_desk(tmp_path, agency=HEALTH) as desk:
        names = ("k" * 43, "l" * 43)
        entry = samples.message("risklist.publish/1")["entries"][0]
        for version, key in enumerate(names, 1):
            await desk.receive(
                "risklist.publish/1", to=NURSES, sender=EXPLOITATION, version=version, issued_at=on(version),
                expires_at=on(version + 35), entries=[entry | {"match_key": key}],
                previous_version=None if version == 1 else 1,
            )  # fmt: skip
        assert sorted((one.state, one.due) for one in await desk.entries("listed")) == [
            ("closed", day(36)),
            ("open", day(37)),
        ]
        assert len(await desk.children()) == 2
        await desk.receive("risklist.withdraw/1", to=NURSES, sender=EXPLOITATION, version=2, withdrawn_at=on(5))
        assert all(one.ended for one in await desk.entries("listed"))


async def test_nothing_on_the_disk_says_who_the_child_is(tmp_path: Path) -> None:
    """Neither a name, nor a number, nor what is to be done can be read in the register's file, even by its digest."""
    async with open_desk(tmp_path) as desk:
        await desk.receive("referral/1", child=CHILD, referred_at=on(0))
        await desk.receive("action.assign/1", **action(assigned_at=on(1)))
        raw = (desk.gateway.home / "register.db").read_bytes() + (desk.gateway.home / "spool.db").read_bytes()
        for secret in ("Robin", "Sample", "9990000018", "SC-1", "2011-05-06", "Offer an appointment"):
            assert secret.encode() not in raw
        (child,) = desk.read("child")
        with pytest.raises(KeysError):
            desk.gateway.spool.unlock(bytes(child["identity"]), child["id"])


async def test_a_register_can_be_rebuilt(tmp_path: Path) -> None:
    """Lost, what the spool still holds enters anew; damaged, its entries are folded anew from what happened."""
    async with open_desk(tmp_path) as desk:
        await desk.receive("risk.agreed/1", child=CHILD, agreed_at=on(1), review_by=date(90))
        gone = await desk.receive("incident.notice/1", child=CHILD, occurred_at=on(2))
        await desk.send("closure.intent/1", child=CHILD, announced_at=on(3))
        await desk.withdraw(gone.id)
        before = await desk.entries()
        await desk.gateway.register.run("drop_entries")
        assert await _rebuild(desk) == {"entered": 2, "entries": len(before)}
        assert await desk.entries() == before
        assert len(await desk.children()) == 1


async def _rebuild(desk: Desk) -> Any:
    return await commands.rebuild(desk.gateway, Namespace())


# ---- the gateway's own passes


async def test_what_is_sent_and_what_is_received_enters_the_registers_of_both(town: Town) -> None:
    """A discussion is held and its minutes follow: each side's register has them open, then closed; a withdrawal undoes."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        await settle(council, health)
        drop(town.homes[COUNCIL], "held", draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES, CAIT])))
        await settle(council, health)
        thread = (await council.gateway.spool.all("list_sent"))[0]["thread"]
        desks = [Desk(agent.gateway, town.county) for agent in (council, health)]
        for desk in desks:
            assert not (await desk.the("minutes")).ended
        minutes = draft("minutes.full/1", MASH, thread=thread, message=minutes_full([MASH, NURSES, CAIT]))
        drop(town.homes[COUNCIL], "minutes", minutes)
        await settle(council, health)
        for desk in desks:
            assert (await desk.the("minutes")).ended
            assert len(await desk.children()) == 1
            assert await desk.gateway.spool.all("unregistered", limit=1) == []
