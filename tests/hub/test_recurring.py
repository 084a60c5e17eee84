"""What is owed by the calendar alone: opened by the hub's clock, met in its period, missed aloud, and verified."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub import exchange, obligations, reports
from hub.core.statistics import Period, count
from hub.registry import Registry
from hub.store.base import Store, open_store
from schemas.agreement import parse_agreement
from schemas.agreement_text import compile_agreement
from schemas.rules.compiled import Rules
from schemas.rules.recurring import thread_of
from tests.county import (
    AGENCIES,
    CAIT,
    COUNCIL,
    DAY,
    HOUR,
    MASH,
    MINUTE,
    PARTNERSHIP,
    POLICE,
    START,
    UNIT,
    County,
    Desk,
    Sent,
)
from tests.hub.support import OFFICE, TYPE, facts
from tests.hub.watching import held_by, watch_of

ROLES = sorted(
    {role for roles, boxes in AGENCIES.values() for role in (*roles, *(one for _, own, _ in boxes for one in own))}
)
FRAME = f"""
partnership = "{PARTNERSHIP}"
in_force_from = {{in_force}}
calendar = "office"
roles = {[*ROLES, "education"]}
{OFFICE}"""
WEEKLY = """
[[recurring]]
name = "weekly"
every = "{every}"
starting = {starting}
send = {{ type = "intel.digest", by = "{by}", to = "role:mash", within = "2 working days" }}
ladder = [{{ after = "0 hours", to = ["debtor", "creditor"] }}, {{ after = "240 hours", to = "role:partnership" }}]
"""
THREAD = thread_of("weekly")
# Monday 13 July 2026, 00:00 in London: the first period after the agreement.
FIRST = START + 6 * DAY + 15 * HOUR


def text(
    *rules: str,
    every: str = "1 week",
    starting: str = "2026-07-06",
    by: str = "role:exploitation_team",
    in_force: str = "2026-01-01",
) -> str:
    """Return an agreement in which the police owe the council a digest in every period."""
    types = "".join(TYPE.format(name=name) for name in ("intel.digest", "meeting.held", "case.transferred"))
    return (
        FRAME.format(in_force=in_force) + types + WEEKLY.format(every=every, starting=starting, by=by) + "".join(rules)
    )


def digest(desk: Desk, **changes: object) -> Sent:
    """Return the digest that the police send the council, in a thread of its own."""
    return desk.county.seal("intel.digest/1", CAIT, [MASH], **changes)


async def periods(desk: Desk) -> dict[str, str]:
    """Return the state of each period by the day on which it begins."""
    rows = await desk.store.read(lambda tx: tx.thread_obligations(THREAD))
    return dict(sorted((row.duty.item, row.state) for row in rows))


async def to(desk: Desk, moment: int) -> None:
    """Let the clock come to *moment*, and the hub do what is due."""
    await desk.tick(moment - desk.county.now)


async def test_the_clock_opens_each_period_once(desk: Desk) -> None:
    """At local midnight, with a leaf that names no envelope, and both parties hear of it; in no sweep before or after."""
    await desk.next_agreement(text())
    await to(desk, FIRST - 1)
    assert await periods(desk) == {}
    await to(desk, FIRST)
    assert await periods(desk) == {"2026-07-13": "open"}
    (leaf,) = [one for one in await desk.leaves("obligation-opened") if one["rule"] == "weekly"]
    assert (leaf["thread"], leaf["item"], leaf["creditor"], leaf["at"]) == (THREAD, "2026-07-13", MASH, FIRST)
    assert "envelope" not in leaf
    told = [(one["obligation"], "envelope" in one) for one in await desk.notices(MASH, "owed")]
    assert told == [(leaf["obligation"], False)]
    size = len(await desk.leaves())
    await desk.tick()
    await desk.tick(HOUR)
    assert len(await desk.leaves()) == size


async def test_it_is_met_by_what_happened_in_the_period(desk: Desk) -> None:
    """In whatever thread: what happened before it doesn't count, though it is sent now."""
    county = desk.county
    await desk.next_agreement(text())
    await to(desk, FIRST + HOUR)
    await desk.send(digest(desk, at=FIRST - 1))
    assert await periods(desk) == {"2026-07-13": "open"}
    county.now += HOUR
    await desk.send(sent := digest(desk))
    assert await periods(desk) == {"2026-07-13": "met"}
    (leaf,) = [one for one in await desk.leaves("obligation-settled") if one["thread"] == THREAD]
    assert (leaf["by"], leaf["outcome"]) == (sent.id, "met")


TAKEN = """
[[types."intel.digest".receipts]]
name = "taken"
level = "filed"
within = "1 working day"
"""


async def test_it_was_received_once_what_met_it_was(desk: Desk) -> None:
    """The receipt lies in the message's own thread; rows and leaves give the same figures."""
    await desk.next_agreement(text(TAKEN))
    await to(desk, FIRST + HOUR)
    await desk.send(sent := digest(desk))
    for received in (0, 1):
        by_rows = await desk.store.read(lambda tx: reports.rows_from_store(tx, Period(0, 2**52)))
        by_leaves, _ = await reports.rows_from_log(desk.store)
        for rows in (by_rows, by_leaves):
            figures = count(rows, Period(0, 2**52), facts().directory, desk.county.now, {"intel.digest"})
            assert (figures.total.owed, figures.total.sent, figures.total.received) == (1, 1, received)
        for level in ("collected", "filed"):
            await desk.take(desk.county.receipt(sent, MASH, level), by=COUNCIL)


async def test_a_missed_period_stays_overdue_and_the_next_one_begins(desk: Desk) -> None:
    """It climbs its ladder; the next period's digest doesn't meet it; a late one about it does."""
    await desk.next_agreement(text())
    await to(desk, FIRST + 7 * DAY + HOUR)
    assert await periods(desk) == {"2026-07-13": "open", "2026-07-20": "open"}
    overdue = await desk.notices(MASH, "overdue")
    assert len(overdue) == 1
    await desk.send(digest(desk))
    assert await periods(desk) == {"2026-07-13": "open", "2026-07-20": "met"}
    await desk.tick(6 * DAY)
    assert [one["obligation"] for one in await desk.notices(UNIT, "overdue")] == [overdue[0]["obligation"]]
    await desk.send(digest(desk, at=FIRST + DAY))
    assert await periods(desk) == {"2026-07-13": "met_late", "2026-07-20": "met"}
    await desk.tick(30 * DAY)
    assert (
        len([one for one in await desk.notices(UNIT, "overdue") if one["obligation"] == overdue[0]["obligation"]]) == 1
    )


async def test_what_was_taken_back_is_owed_again(desk: Desk) -> None:
    """A digest that nobody collected before it was withdrawn was not sent."""
    await desk.next_agreement(text())
    await to(desk, FIRST + HOUR)
    await desk.send(sent := digest(desk))
    assert await periods(desk) == {"2026-07-13": "met"}
    await desk.withdraw(sent)
    assert await periods(desk) == {"2026-07-13": "open"}
    assert len(await desk.notices(MASH, "owed")) == 2
    await desk.tick(5 * DAY)
    assert await desk.notices(MASH, "overdue")


async def test_a_hub_that_was_down_opens_every_period_that_began(desk: Desk) -> None:
    """In one sweep, each with its own clock; what is overdue by now is told at once."""
    await desk.next_agreement(text())
    await to(desk, FIRST + 15 * DAY)
    assert await periods(desk) == {"2026-07-13": "open", "2026-07-20": "open", "2026-07-27": "open"}
    assert len(await desk.notices(MASH, "overdue")) == 2


async def test_what_comes_before_the_clock_has_looked_meets_its_period(desk: Desk) -> None:
    """The hub was down over midnight, and the first thing that it takes afterwards is the digest itself."""
    await desk.next_agreement(text())
    desk.county.now = FIRST + 3 * HOUR
    await desk.send(digest(desk))
    assert await periods(desk) == {"2026-07-13": "met"}
    await desk.tick()
    assert await periods(desk) == {"2026-07-13": "met"}


async def test_a_new_version_governs_what_begins_after_it(desk: Desk) -> None:
    """The week that has begun stays a week; from the day on which it is in force, periods are the new version's."""
    await desk.next_agreement(text())
    await to(desk, FIRST + HOUR)
    await desk.next_agreement(text(every="2 days", starting="2026-07-14", in_force="2026-07-16"))
    await to(desk, FIRST + 8 * DAY)
    assert list(await periods(desk)) == ["2026-07-13", "2026-07-16", "2026-07-18", "2026-07-20"]
    await desk.next_agreement(FRAME.format(in_force="2026-01-01") + TYPE.format(name="meeting.held"))
    await to(desk, FIRST + 40 * DAY)
    assert len(await periods(desk)) == 4


async def test_a_role_that_nobody_has_owes_nothing_and_is_no_lie(desk: Desk) -> None:
    """Such a period leaves no trace; whoever has the role later owes what begins later.  The log verifies."""
    await desk.next_agreement(text(by="role:education"))
    await to(desk, FIRST + 8 * DAY)
    await desk.send(desk.county.seal("meeting.held/1", MASH, [CAIT]))
    assert await periods(desk) == {}
    plain = parse_agencies(desk)
    taught = tuple(
        msgspec.structs.replace(one, roles=(*one.roles, "education")) if one.id == POLICE else one for one in plain
    )
    await desk.next_directory(agencies=taught)
    await to(desk, FIRST + 14 * DAY + MINUTE)
    rows = await desk.store.read(lambda tx: tx.thread_obligations(THREAD))
    assert {row.duty.item for row in rows} == {"2026-07-27"}
    assert {row.duty.debtor.partition("/")[0] for row in rows} == {POLICE}


async def taught(desk: Desk, *agencies: str) -> None:
    """Publish a directory in which *agencies*, and no others, have the role of education."""
    await desk.next_directory(
        agencies=tuple(
            msgspec.structs.replace(
                one, roles=(*(role for role in one.roles if role != "education"), *["education"] * (one.id in agencies))
            )
            for one in parse_agencies(desk)
        )
    )


@pytest.mark.parametrize("down", [0, 3 * HOUR])
@pytest.mark.parametrize(("before", "after"), [((POLICE,), ()), ((), (POLICE,)), ((POLICE,), (COUNCIL, POLICE))])
async def test_a_hub_that_was_down_as_roles_changed_is_not_accused(
    quick_desk: Desk, before: tuple[str, ...], after: tuple[str, ...], down: int
) -> None:
    """It judges by the directory that it finds, whoever had the role as the period began; the log verifies."""
    desk = quick_desk
    await desk.next_agreement(text(by="role:education"))
    await taught(desk, *before)
    desk.county.now = FIRST + down
    await taught(desk, *after)
    await desk.tick(MINUTE)
    rows = await desk.store.read(lambda tx: tx.thread_obligations(THREAD))
    assert {row.duty.debtor.partition("/")[0] for row in rows} == {*after}
    for _ in range(3):
        await desk.send(desk.county.seal("meeting.held/1", MASH, [CAIT]))
        await desk.tick(2 * HOUR)
    await to(desk, FIRST + 8 * DAY)


async def test_a_hub_that_was_down_as_the_agreement_changed_is_not_accused(quick_desk: Desk) -> None:
    """A rule that the agreement no longer has when the hub looks opens nothing, and the log verifies."""
    desk = quick_desk
    await desk.next_agreement(text())
    desk.county.now = FIRST + DAY
    await desk.next_agreement(text(every="1 month", starting="2026-07-20"))
    await to(desk, FIRST + 2 * DAY)
    await desk.send(desk.county.seal("meeting.held/1", MASH, [CAIT]))
    await to(desk, FIRST + 9 * DAY)


async def test_after_a_long_time_down_periods_begin_in_rounds(desk: Desk) -> None:
    """No transaction opens more than it may; what comes between two rounds meets its period, and the log verifies."""
    await desk.next_agreement(text())
    desk.county.now = FIRST + 70 * DAY

    async def sweep(limit: int) -> int:
        signer = desk.county.hub.signing
        swept = await exchange.enforce_deadlines(desk.store, desk.registry, desk.county.now, signer, limit)
        return swept.count

    assert [await sweep(3) for _ in range(2)] == [3, 3]
    assert len(await periods(desk)) == 6
    await desk.send(desk.county.seal("meeting.held/1", MASH, [CAIT]))
    assert len(await periods(desk)) == 6
    await desk.send(digest(desk))
    assert list((await periods(desk)).values()) == ["open"] * 10 + ["met"]
    while await sweep(3) >= 3:
        pass
    assert len(await desk.notices(MASH, "overdue")) == 10


async def test_only_the_period_in_which_something_happened_is_read(desk: Desk) -> None:
    """A message is held against its own period, not against years of missed ones."""
    await desk.next_agreement(text())
    await to(desk, FIRST + 70 * DAY)
    rules = desk.registry.snapshot.rules[-1]
    for at in (FIRST + 69 * DAY, FIRST):
        header = digest(desk, at=at).header
        rows = await desk.store.read(lambda tx, header=header: obligations.owed_for(tx, rules, header))  # type: ignore[misc]
        assert [row.duty.moment <= at < (row.duty.period_end or 0) for row in rows] == [True]


def parse_agencies(desk: Desk) -> Sequence[object]:
    """Return the agencies of the directory in force."""
    return desk.registry.snapshot.directory.directory.agencies


# Hub and watch -------------------------------------------------------------------------------------------------------


async def test_a_gateways_own_watch_agrees_with_the_hub(desk: Desk, tmp_path: Path) -> None:
    """The same ids, clocks and states on both sides, and the alarm rings while the hub is dark."""
    await desk.next_agreement(text())
    versions, index = desk.registry.snapshot.rules, desk.registry.snapshot.directory
    async with watch_of(COUNCIL, tmp_path, index) as council, watch_of(POLICE, tmp_path, index) as police:
        for watched in (council, police):
            assert await watched.look(FIRST - 1, versions) == 0
        await to(desk, FIRST + HOUR)
        await desk.send(sent := digest(desk))
        for watched in (council, police):
            # One looks at its clock first, the other doesn't.
            if watched is police:
                await watched.look(desk.county.now, versions)
            await watched.see(sent.header, desk.county.now, versions)
        await to(desk, FIRST + 12 * DAY)
        known = await held_by(desk.store, THREAD)
        for watched in (council, police):
            assert await watched.look(desk.county.now, versions) == 1
            assert await watched.duties() == known
            assert await watched.look(desk.county.now, versions) == 0
        assert {state for _, state, _ in known.values()} == {"met", "open"}


async def test_a_new_gateways_watch_leaves_alone_what_began_before_it_looked(quick_desk: Desk, tmp_path: Path) -> None:
    """Years of periods that others met, or that nobody owed: it rings for none, and takes up with the next one."""
    desk = quick_desk
    await desk.next_agreement(text())
    versions, index = desk.registry.snapshot.rules, desk.registry.snapshot.directory
    async with watch_of(COUNCIL, tmp_path, index) as council:
        # The feed from its beginning, before the clock: an old digest opens nothing either.
        await council.see(digest(desk, at=FIRST + HOUR).header, FIRST + 2 * HOUR, versions)
        assert await council.look(FIRST + 8 * DAY, versions) == 0
        assert await council.duties() == {}
        assert await council.look(FIRST + 18 * DAY, versions) == 1
        assert [duty.item for duty, _, _ in (await council.duties()).values()] == ["2026-07-27"]


async def test_a_message_in_a_recurring_rules_own_thread_settles_once(desk: Desk) -> None:
    """Nothing keeps a sender from naming it: one leaf, and the log verifies."""
    await desk.next_agreement(text())
    await to(desk, FIRST + HOUR)
    await desk.send(digest(desk, thread=THREAD))
    assert await periods(desk) == {"2026-07-13": "met"}
    assert len([one for one in await desk.leaves("obligation-settled") if one["thread"] == THREAD]) == 1


FORMS = [("1 week", "2026-07-06"), ("2 days", "2026-07-10"), ("1 month", "2026-05-31"), None]
version = st.tuples(st.sampled_from(FORMS), st.integers(0, 30), st.integers(-5, 20))
moments = st.lists(st.integers(0, 60 * 24), max_size=6)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(version, min_size=1, max_size=3), moments, moments)
def test_whenever_they_look_hub_and_watch_open_the_same_once(
    versions: list[tuple[tuple[str, str] | None, int, int]], hub: list[int], watch: list[int]
) -> None:
    """For any sequence of versions, each known to both as it is issued, and any moments at which either looks."""
    made = []
    for form, day, ahead in sorted(versions, key=lambda one: one[1]):
        issued = START + day * DAY
        toml = (
            text(every=form[0], starting=form[1])
            if form
            else FRAME.format(in_force="2026-01-01") + TYPE.format(name="a")
        )
        plain = parse_agreement(
            msgspec.json.encode(compile_agreement(toml, version=len(made) + 1, previous=None, issued=issued))
        )
        made.append(Rules(msgspec.structs.replace(plain, in_force_from=issued + ahead * DAY)))
    asyncio.run(_compare(made, sorted({*hub, 61 * 24}), sorted({*watch, 61 * 24})))


def _known(made: list[Rules], now: int) -> tuple[Rules, ...]:
    return tuple(one for one in made if one.agreement.issued <= now)


async def _compare(made: list[Rules], hub: list[int], watch: list[int]) -> None:
    county, index = facts().county, facts().directory
    with TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/hub.db")
        try:
            registry = await Registry.load(await _founded(store))
            for hour in hub:
                now = START + hour * HOUR
                snapshot = replace(registry.snapshot, rules=_known(made, now), directory=index)
                await store.write(
                    lambda tx, s=snapshot, at=now: obligations.open_recurring(tx, s, at, county.hub.signing)
                )  # type: ignore[misc]
            known = await held_by(store, THREAD)
            opened = [
                row
                for row in await store.read(lambda tx: tx.leaves(0, tx.log_head().size))
                if row.event == "obligation-opened"
            ]
            assert len(opened) == len(known)
        finally:
            await store.close()
        async with watch_of(COUNCIL, Path(folder), index) as council:
            for hour in (0, *watch):
                now = START + hour * HOUR
                books = council.books(_known(made, now))
                await council.spool.write(lambda tx, b=books, at=now: council.watch.recur(tx, b, at))  # type: ignore[misc]
            found = await council.duties()
    assert {name: duty for name, (duty, _, _) in found.items()} == {name: duty for name, (duty, _, _) in known.items()}


async def _founded(store: Store) -> Store:
    await County().found(store)
    return store


def test_the_text_is_sound() -> None:
    """What these tests agree on is what a partnership could sign."""
    assert parse_agreement(
        msgspec.json.encode(compile_agreement(text(), version=1, previous=None, issued=START))
    ).recurring
