"""What crosses a child's threads is found where the agreement says so, once, and told to those who must know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.errors import GatewayError
from adapters.gateway.outgoing import Kept
from adapters.gateway.register import alerts, watching
from adapters.gateway.spool import _load_all
from schemas.agreement import Clock, Pattern, Seen, When
from tests.county import CAIT, EXPLOITATION, HEALTH, MANAGERS, MASH, NURSES, POLICE
from tests.gateway.plans import read_whole
from tests.gateway.register_support import CHILD, DAY, OTHER, Desk, agree, date, day, months, on, open_desk, reference
from tests.gateway.test_register_children import run
from tests.schemas import samples

THREE_GREENS = Pattern(
    name="three-greens",
    because="Three low grades in three months are looked at together.",
    at=("social_care",),
    seen=(Seen(kind="incident", facts={"grade": ("green",)}, least=3, within=months(3)),),
)
RE_REFERRAL = Pattern(
    name="re-referral",
    because="Referred again within a year of closing.",
    at=("social_care",),
    on=("referral",),
    seen=(Seen(kind="closure", states=("closed",), within=months(12)),),
)
CLOSING_AT_RISK = Pattern(
    name="closing-at-risk", at=("social_care",), on=("closure.intent",), seen=(Seen(kind="risk", states=("open",)),)
)
CLOSING_WITH_ACTIONS = Pattern(
    name="closing-with-actions",
    at=("social_care",),
    on=("closure.intent",),
    seen=(Seen(kind="action", states=("open",)),),
)
CLOSING_WITH_RHI = Pattern(
    name="closing-with-rhi", at=("social_care",), on=("closure.intent",), seen=(Seen(kind="rhi", states=("open",)),)
)
UNFLAGGED = Pattern(
    name="unflagged",
    at=("police", "social_care"),
    seen=(Seen(kind="risk", states=("open",), facts={"band": ("moderate", "significant", "unknown")}),),
    unless=(Seen(kind="flag", states=("open",)),),
    must_be_empty=True,
)
STALE = Pattern(name="stale", at=("social_care", "health"), seen=(Seen(kind="flag", overdue=True),), must_be_empty=True)
STALE_LIST = Pattern(name="stale-list", at=("health",), seen=(Seen(kind="listed", overdue=True),), must_be_empty=True)
FOUR_WEEKS = Clock(kind="elapsed", amount=28 * DAY)
OUT_OF_SIGHT = Pattern(
    name="out-of-sight",
    at=("social_care",),
    seen=(Seen(kind="status", states=("open",)),),
    unless=(Seen(kind="sighting", within=FOUR_WEEKS), Seen(kind="status", within=FOUR_WEEKS)),
)


async def incident(desk: Desk, number: int, at: float, grade: str = "green", **fields: Any) -> Any:
    """Receive an incident with the child."""
    return await desk.receive(
        "incident.notice/1", **{"child": CHILD} | fields, incident_ref=f"R{number}", occurred_at=on(at), grade=grade
    )


async def risk(desk: Desk, at: float, band: str, **fields: Any) -> Any:
    """Receive an agreed risk."""
    values = {"child": CHILD, "agreed_at": on(at), "band": band, "review_by": date(at + 90)}
    return await desk.receive("risk.agreed/1", **values | fields)


# ---- what adds up


async def test_three_green_incidents_in_three_months(tmp_path: Path) -> None:
    """The third brings it up, in its own thread, with the two before; two, other grades and other children don't."""
    async with open_desk(tmp_path, THREE_GREENS) as desk:
        first = await incident(desk, 1, 0)
        second = await incident(desk, 2, 20)
        await incident(desk, 3, 25, "amber")
        await incident(desk, 4, 30, child=OTHER)
        assert await desk.alerts() == []
        third = await incident(desk, 5, 80)
        (alert,) = await desk.alerts()
        (child,) = {entry.child for entry in await desk.entries("incident") if entry.envelope == third.id}
        assert alert == {
            "pattern": "three-greens", "child": child, "envelope": third.id, "thread": third.thread,
            "earlier": [first.thread, second.thread], "mailbox": MASH,
        }  # fmt: skip


async def test_three_in_more_than_three_months_are_not_three_in_three(tmp_path: Path) -> None:
    """The first is over when the third comes."""
    async with open_desk(tmp_path, THREE_GREENS) as desk:
        for number, at in enumerate((0, 60, 100)):
            await incident(desk, number, at)
        assert await desk.alerts() == []


async def test_one_that_comes_late_is_counted_where_it_belongs(tmp_path: Path) -> None:
    """Months afterwards the second of three is keyed from paper: the three are found, as of the third."""
    async with open_desk(tmp_path, THREE_GREENS) as desk:
        await incident(desk, 1, 0)
        third = await incident(desk, 3, 40)
        await incident(desk, 4, 200)
        desk.county.now = day(210)
        assert await desk.alerts() == []
        await incident(desk, 2, 20)
        (alert,) = await desk.alerts()
        assert alert["envelope"] == third.id


async def test_an_occurrence_is_told_once_ever(tmp_path: Path) -> None:
    """Entered again, looked at again: one notice; a fourth incident is another."""
    async with open_desk(tmp_path, THREE_GREENS) as desk:
        for number in range(3):
            header = await incident(desk, number, number)
        await desk.gateway.spool.run("add_unregistered", envelope=header.id, why="again", draft=None)
        await desk.pass_time(5)
        assert len(await desk.alerts()) == 1
        await incident(desk, 9, 9)
        assert len(await desk.alerts()) == 2


async def test_a_kill_between_notice_and_register_tells_nobody_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was drafted and told before the register heard so is drafted and told once."""
    pattern = sending(RE_REFERRAL, seen=(Seen(kind="referral"),))
    async with open_desk(tmp_path, pattern) as desk:
        run_once = desk.gateway.register.run

        async def killed(query: str, **values: Any) -> int:
            if query == "set_told":
                raise ConnectionError
            return await run_once(query, **values)

        with monkeypatch.context() as patched:
            patched.setattr(desk.gateway.register, "run", killed)
            with pytest.raises(ConnectionError):
                await desk.receive("referral/1", child=CHILD, referred_at=on(1))
        assert (len(await desk.alerts()), len(await drafts(desk))) == (1, 1)
        assert [row["told"] for row in desk.read("alert")] == [0]
        await watching.keep_up(desk.gateway)
        assert (len(await desk.alerts()), len(await drafts(desk))) == (1, 1)
        assert [row["told"] for row in desk.read("alert")] == [1]


# ---- what a message brings up


async def test_a_re_referral_names_the_thread_that_was_closed(tmp_path: Path) -> None:
    """Within twelve months of the closure it links back; a year later, and where it was kept open, it doesn't."""
    async with open_desk(tmp_path, RE_REFERRAL) as desk:
        closure = samples.an_id("closure")
        await desk.receive("referral/1", child=CHILD, referred_at=on(0))
        intent = await desk.send("closure.intent/1", child=CHILD, closure_id=closure, announced_at=on(30))
        given = {"thread": intent.thread}
        await desk.send(
            "closure.confirmed/1",
            given=given,
            closure_id=closure,
            decision="closed",
            decided_at=on(35),
            next_review=None,
        )
        assert await desk.alerts() == []
        again = await desk.receive(
            "referral/1", sender=NURSES, child=CHILD, referral_id=samples.an_id("r2"), referred_at=on(300)
        )
        (alert,) = await desk.alerts("re-referral")
        assert (alert["thread"], alert["earlier"]) == (again.thread, [intent.thread])
        # A second one after the same closure is another; one more than a year after it is none.
        await desk.receive("referral/1", child=CHILD, referral_id=samples.an_id("r3"), referred_at=on(320))
        assert len(await desk.alerts()) == 2
        await desk.receive("referral/1", child=CHILD, referral_id=samples.an_id("r4"), referred_at=on(450))
        assert len(await desk.alerts()) == 2


@pytest.mark.parametrize("way", ["sent", "received"])
async def test_closing_while_something_is_open(tmp_path: Path, way: str) -> None:
    """Sent or received, the intent to close brings up the open risk (unknown is open), the actions and the interviews."""
    patterns = (CLOSING_AT_RISK, CLOSING_WITH_ACTIONS, CLOSING_WITH_RHI)
    async with open_desk(tmp_path, *patterns) as desk:
        given = {"thread": samples.an_id("thread")}
        await risk(desk, 0, "unknown", given=given)
        await desk.receive(
            "action.assign/1", given=given, action_id=samples.an_id("a"), assigned_at=on(1), due_at=on(60)
        )
        await desk.receive("rhi.assign/1", child=CHILD, returned_at=on(2), due_at=on(5))
        assert await desk.alerts() == []
        close = desk.send if way == "sent" else desk.receive
        await close("closure.intent/1", child=CHILD, closure_id=samples.an_id("c1"), announced_at=on(10))
        assert sorted(alert["pattern"] for alert in await desk.alerts()) == sorted(one.name for one in patterns)
        await risk(desk, 11, "not_at_risk")
        await desk.receive("action.complete/1", given=given, action_id=samples.an_id("a"), completed_at=on(12))
        await desk.receive("rhi.result/1", reported_at=on(13), held_at=on(12))
        await close("closure.intent/1", child=CHILD, closure_id=samples.an_id("c2"), announced_at=on(20))
        assert len(await desk.alerts()) == 3


async def test_a_condition_asks_for_the_headers_facts(tmp_path: Path) -> None:
    """Only a message that fits is looked at: what has a condition never holds by itself."""
    when = When(facts={"grade": ("red",)})
    pattern = Pattern(name="red-again", at=("social_care",), when=when, seen=(Seen(kind="incident", least=2),))
    async with open_desk(tmp_path, pattern) as desk:
        await incident(desk, 1, 1, "red")
        await incident(desk, 2, 2, "green")
        await desk.pass_time(9)
        assert await desk.alerts() == []
        await incident(desk, 3, 3, "red")
        assert len(await desk.alerts()) == 1


# ---- lists that must be empty


async def test_the_list_of_unflagged_children(tmp_path: Path) -> None:
    """An open risk without a flag is on it; a flag that is asked for is none, one that is set takes it off."""
    async with open_desk(tmp_path, UNFLAGGED) as desk:
        assert await run(desk, "list", "unflagged") == {
            "list": "unflagged", "must be empty": True, "count": 0, "children": []
        }  # fmt: skip
        header = await risk(desk, 1, "moderate")
        await risk(desk, 1, "mild", child=OTHER, assessment_id=samples.an_id("other"))
        await desk.receive("flag.request/1", child=reference(CHILD), requested_at=on(2))
        listed = await run(desk, "list", "unflagged")
        assert listed["count"] == 1
        (entry,) = listed["children"][0]["entries"]
        assert entry == {"kind": "risk", "thread": header.thread, "since": on(1), "due": entry["due"]}
        assert [alert["pattern"] for alert in await desk.alerts()] == ["unflagged"]
        await desk.receive("flag.set/1", child=reference(CHILD), answered_at=on(3), review_by=date(90))
        assert (await run(desk, "list", "unflagged"))["count"] == 0
        await desk.receive("flag.cleared/1", child=reference(CHILD), cleared_at=on(9))
        assert (await run(desk, "list", "unflagged"))["count"] == 1
        # Without a new risk it is the occurrence that was told.
        assert len(await desk.alerts()) == 1


async def test_the_list_of_stale_flags(tmp_path: Path) -> None:
    """A flag is on it once its review is overdue, which is found by itself; reviewed, it is off, and may be on again."""
    async with open_desk(tmp_path, STALE) as desk:
        await desk.receive("flag.set/1", child=reference(CHILD), answered_at=on(1), review_by=date(30))
        await desk.pass_time(30)
        assert (await run(desk, "list", "stale"))["count"] == 0
        await desk.pass_time(31.1)
        assert (await run(desk, "list", "stale"))["count"] == 1
        assert len(await desk.alerts()) == 1
        await desk.receive(
            "flag.review/1", child=reference(CHILD), reviewed_at=on(32), result="keep", review_by=date(60)
        )
        assert (await run(desk, "list", "stale"))["count"] == 0
        await desk.pass_time(61.1)
        assert len(await desk.alerts()) == 2


async def test_the_list_of_stale_entries_of_an_at_risk_list(tmp_path: Path) -> None:
    """What is past its expiry is on the list, though nobody here knows whom it means."""
    async with open_desk(tmp_path, STALE_LIST, agency=HEALTH) as desk:
        published = {"issued_at": on(1), "expires_at": on(36), "to": NURSES, "sender": EXPLOITATION}
        await desk.receive("risklist.publish/1", **published)
        assert (await run(desk, "list", "stale-list"))["count"] == 0
        await desk.pass_time(36.1)
        listed = await run(desk, "list", "stale-list")
        assert listed["count"] == 1
        assert (await desk.alerts())[0]["mailbox"] == NURSES


async def test_a_list_that_is_not_agreed_is_named(tmp_path: Path) -> None:
    """A name that is no list, and a pattern that only a message can bring up, are refused with those that there are."""
    async with open_desk(tmp_path, UNFLAGGED, RE_REFERRAL) as desk:
        for name in ("nobody", "re-referral"):
            with pytest.raises(GatewayError) as caught:
                await run(desk, "list", name)
            assert (caught.value.code, caught.value.hint) == ("register-no-list", "it has: unflagged")


# ---- time


async def test_a_child_who_goes_out_of_sight(tmp_path: Path) -> None:
    """A month after anybody saw the child it comes up, though no message came; seen again, it doesn't."""
    async with open_desk(tmp_path, OUT_OF_SIGHT) as desk:
        await desk.receive("status.notice/1", child=reference(CHILD), decided_at=on(0))
        await desk.receive("referral/1", child=CHILD, referred_at=on(3), child_seen_at=on(3))
        await desk.pass_time(30)
        assert await desk.alerts() == []
        await desk.pass_time(31.5)
        assert len(await desk.alerts()) == 1
        await desk.receive("rhi.result/1", reported_at=on(33), held_at=on(32), given={"thread": samples.an_id("x")})
        await desk.receive("rhi.assign/1", child=CHILD, returned_at=on(31), due_at=on(34))
        await desk.pass_time(40)
        assert (await run(desk, "list", "out-of-sight"))["count"] == 0
        await desk.pass_time(61)
        assert (await run(desk, "list", "out-of-sight"))["count"] == 1


# Run by hand or once for a new agreement, and over everybody by their nature.
OVER_EVERYBODY = {"list_candidates", "look_at_all"}


async def test_a_look_reads_only_what_is_due(tmp_path: Path) -> None:
    """Every statement finds what it needs by an index, or reads only what waits, whatever else there is."""
    async with open_desk(tmp_path) as desk:
        queries = _load_all(desk.gateway.register._statements)
    whole = {name: found for name in queries.keys() - {"schema"} if (found := read_whole(queries, name))}
    # The versions after one version are few, and found by an index.
    assert whole.pop("is_superseded") == ["SCAN later", "SCAN later"]
    assert whole.keys() == OVER_EVERYBODY


async def test_a_new_agreement_looks_at_everybody_once(tmp_path: Path) -> None:
    """What is agreed today is looked for among the children of yesterday."""
    async with open_desk(tmp_path) as desk:
        await risk(desk, 1, "significant")
        assert await desk.alerts() == []
        agree(desk.gateway, desk.county, UNFLAGGED, version=2)
        await desk.pass_time(2)
        await desk.pass_time(2)
        assert len(await desk.alerts()) == 1


async def test_patterns_are_watched_for_where_they_are_agreed(tmp_path: Path) -> None:
    """An agency without one of its roles doesn't look."""
    async with open_desk(tmp_path, UNFLAGGED, agency=HEALTH) as desk:
        await risk(desk, 1, "significant", to=NURSES)
        await desk.pass_time(2)
        assert await desk.alerts() == []
    async with open_desk(tmp_path, UNFLAGGED, agency=POLICE) as desk:
        await risk(desk, 1, "significant", to=EXPLOITATION, sender=MASH)
        assert (await desk.alerts())[0]["mailbox"] == EXPLOITATION


async def test_what_is_taken_back_is_looked_at_too(tmp_path: Path) -> None:
    """The flag was sent by mistake: without it the child is unflagged."""
    async with open_desk(tmp_path, UNFLAGGED) as desk:
        flag = await desk.receive("flag.set/1", child=reference(CHILD), answered_at=on(0), review_by=date(90))
        await risk(desk, 1, "significant")
        assert await desk.alerts() == []
        await desk.withdraw(flag.id)
        assert len(await desk.alerts()) == 1


# ---- what is sent


def sending(pattern: Pattern, **changes: Any) -> Pattern:
    """Return *pattern* with a message to the managers."""
    return msgspec.structs.replace(pattern, **{"send": "escalation.raise", "to": (f"mailbox:{MANAGERS}",)} | changes)


async def drafts(desk: Desk) -> list[Any]:
    """Return the drafts that wait, opened."""
    found = []
    for row in await desk.gateway.spool.all("list_sent"):
        sent = await desk.gateway.spool.one("find_sent", envelope=row["envelope"])
        if sent is not None and sent["adapter"] == alerts.ADAPTER:
            content = desk.gateway.spool.unlock(bytes(sent["draft"]), sent["envelope"])
            found.append(msgspec.msgpack.decode(content, type=Kept).draft)
    return found


async def test_a_pattern_can_send_a_message(tmp_path: Path) -> None:
    """A re-referral is escalated: made from the referral, linked back, answered by when the agreement says, once."""
    async with open_desk(tmp_path, sending(RE_REFERRAL)) as desk:
        closed = await desk.receive(
            "closure.confirmed/1", given={"thread": samples.an_id("old")}, closure_id=samples.an_id("c"), decision="closed",
            decided_at=on(35), next_review=None,
        )  # fmt: skip
        await desk.receive("closure.intent/1", child=CHILD, closure_id=samples.an_id("c"), announced_at=on(30))
        desk.county.now = day(100)
        header = await desk.receive("referral/1", child=CHILD, referred_at=on(100))
        (draft,) = await drafts(desk)
        assert (draft.type, draft.from_, draft.to, draft.thread) == (
            "escalation.raise/1",
            MASH,
            (MANAGERS,),
            header.thread,
        )
        assert draft.basis == ("CA1989_S47",)
        message = draft.message
        assert (message["subject"], message["raised_by"]) == (samples.message("referral/1")["referral_id"], MASH)
        assert message["history"] == [closed.id]
        assert message["detail"] == RE_REFERRAL.because
        assert message["respond_by"] > on(101)
        (alert,) = await desk.alerts()
        assert alert["sent"] == (await desk.gateway.spool.all("list_sent"))[0]["envelope"]
        await desk.gateway.register.run("set_fact", name="x", value=b"")
        await desk.pass_time(101)
        assert len(await drafts(desk)) == 1


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        (sending(RE_REFERRAL, send="flag.request"), "no-derivation"),
        (sending(RE_REFERRAL, to=(f"mailbox:{MASH}",)), "nobody-to-send-to"),
        (sending(RE_REFERRAL, seen=(Seen(kind="referral"),), send="referral.outcome"), "message-schema"),
    ],
)
async def test_what_cannot_be_sent_is_still_told(tmp_path: Path, pattern: Pattern, code: str) -> None:
    """Nobody has said how it is made, there is nobody to send it to, or a person has to decide: the notice says so."""
    pattern = msgspec.structs.replace(pattern, seen=(Seen(kind="referral"),))
    async with open_desk(tmp_path, pattern) as desk:
        await desk.receive("referral/1", child=CHILD, referred_at=on(1))
        (alert,) = await desk.alerts()
        assert alert["not_sent"] == code
        assert await drafts(desk) == []


async def test_what_falls_due_is_sent_from_what_the_spool_still_has(tmp_path: Path) -> None:
    """A flag that was declined and is overdue is escalated from the answer; once the content is gone it is only told."""
    due = Pattern(
        name="refused",
        at=("social_care",),
        seen=(Seen(kind="unseen"),),
        unless=(Seen(kind="sighting", within=FOUR_WEEKS),),
    )
    async with open_desk(tmp_path, sending(due)) as desk:
        fields = {"child": reference(CHILD), "noticed_at": on(1), "last_seen_on": date(0)}
        await desk.receive("child.not_seen/1", **fields)
        assert await drafts(desk) == []
        await desk.pass_time(29)
        (draft,) = await drafts(desk)
        assert draft.message["ground"] == "child_not_seen"
        header = await desk.receive(
            "child.not_seen/1", **fields | {"child": reference(OTHER), "noticed_at": on(30), "last_seen_on": date(29)}
        )
        await desk.gateway.spool.run("drop_content", envelope=header.id, mailbox=MASH)
        await desk.pass_time(60)
        assert [alert.get("not_sent") for alert in await desk.alerts()] == [None, "source-gone"]


async def test_what_a_pattern_sent_brings_up_nothing(tmp_path: Path) -> None:
    """A pattern that counts its own messages doesn't go on for ever."""
    pattern = sending(
        Pattern(name="loop", at=("social_care",), on=("referral", "escalation.raise"), seen=(Seen(kind="referral"),))
    )
    async with open_desk(tmp_path, pattern) as desk:
        await desk.receive("referral/1", child=CHILD, referred_at=on(1))
        (row,) = await desk.gateway.spool.all("list_sent")
        kept = (await desk.gateway.spool.one("find_sent", envelope=row["envelope"]) or {})["draft"]
        header = await desk.arrive("escalation.raise/1", raised_at=on(1), sender=CAIT)
        sealed = (await desk.gateway.spool.one("find_incoming", envelope=header.id, mailbox=MASH) or {})["header"]
        values = {"envelope": row["envelope"], "header": sealed, "wraps": b"", "body": b"", "content_key": b""}
        await desk.gateway.spool.run("set_sealed", **values)
        await desk.gateway.spool.run("set_accepted", envelope=row["envelope"], acceptance=b"")
        await desk.gateway.spool.run("add_unregistered", envelope=row["envelope"], why="sent", draft=kept)
        await watching.keep_up(desk.gateway)
        assert len(await drafts_sent(desk)) == 1


async def drafts_sent(desk: Desk) -> list[Any]:
    """Return what patterns put into the outbox, accepted or not."""
    return [row for row in await desk.gateway.spool.all("list_sent") if row["adapter"] == alerts.ADAPTER]
