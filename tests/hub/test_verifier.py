"""What a hub could do wrong by itself, and the offline verifier finds: its own export, made by a hub that lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub import exchange, ledger, obligations
from hub.core import enrolling
from hub.core.events import Event
from hub.core.replay import GRACE
from hub.store.base import Store
from keys import digests
from schemas.envelope import DAY
from schemas.receipt import Seen
from schemas.rules.planning import Opened, Plan, Settled
from tests.county import CAIT, HEALTH, MASH, NURSES, POLICE, Desk
from tests.hub import test_recurring as recurring
from tests.hub import test_rehoming as rehoming
from tests.hub.support import hold, minutes, verify


@pytest.fixture
async def liar(sqlite_store: Store, tmp_path: Path) -> Any:
    """Give a county whose log is looked at by the test itself."""
    from tests.county import County

    county = County()
    return Desk(county, sqlite_store, await county.found(sqlite_store))


async def _problems(desk: Desk, tmp_path: Path) -> list[str]:
    return (await verify(desk.store, desk.county, tmp_path / "export")).problems


async def _say(desk: Desk, event: Event) -> None:
    await desk.store.write(lambda tx: ledger.append(tx, event, desk.county.now))


async def _step(desk: Desk, thread: str, **changes: Any) -> Event:
    """Return the first step of the duty to send the full minutes of *thread*, with *changes*."""
    row = (await desk.rows(thread))["full-minutes", MASH, CAIT]
    said = Event(
        event="step-taken",
        agency=MASH.partition("/")[0],
        mailbox=MASH,
        obligation=row.id,
        thread=thread,
        step=0,
        outcome=row.duty.steps[0].notice,
    )
    return msgspec.structs.replace(said, **changes)


async def test_steps_that_were_left_out_are_found(liar: Desk, tmp_path: Path) -> None:
    """The log goes on for days, and nobody was told what was due: the verifier names each obligation."""
    county = liar.county
    await liar.send(held := hold(county, CAIT))
    for _ in range(9):
        county.now += DAY
        await liar.send(hold(county, NURSES))
    problems = await _problems(liar, tmp_path)
    row = (await liar.rows(held.header.thread))["full-minutes", MASH, CAIT]
    assert any(f"step 0 of obligation {row.id}" in problem and "was not taken" in problem for problem in problems)


async def test_a_hub_that_was_down_has_left_nothing_out(liar: Desk, tmp_path: Path) -> None:
    """Ten days of silence prove nothing: what is taken as soon as the log goes on was only late."""
    county = liar.county
    await liar.send(hold(county, CAIT))
    county.now += 10 * DAY
    await liar.send(hold(county, NURSES))
    await liar.tick(GRACE)
    assert await liar.leaves("step-taken")
    await liar.tick(9 * DAY)
    assert await _problems(liar, tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "a step before its moment"),
        ({"step": 1}, "not the next one"),
        ({"outcome": "withdrawn"}, "not the next one"),
        ({"mailbox": CAIT}, "not the next one"),
        ({"obligation": digests.sha256_b64u(b"?")}, "no open obligation"),
    ],
)
async def test_invented_steps_are_found(liar: Desk, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """A step before its moment, out of order, with another notice, of somebody else or of nothing."""
    await liar.send(held := hold(liar.county, CAIT))
    await _say(liar, await _step(liar, held.header.thread, **changes))
    (problem,) = await _problems(liar, tmp_path)
    assert said in problem


async def test_two_views_of_the_log_are_found(liar: Desk, tmp_path: Path) -> None:
    """A receipt carries the tree that its signer saw; one that is not a beginning of this log proves two."""
    county = liar.county
    await liar.send(sent := minutes(county, hold(county).header.thread, CAIT, NURSES))
    head = await liar.store.read(lambda tx: tx.log_head())
    from keys import merkle

    root = digests.b64u(merkle.Frontier.from_bytes(head.frontier).root())
    await liar.take(county.receipt(sent, CAIT, "collected", checkpoint=Seen(size=head.size, root=root)), by=POLICE)
    assert (await verify(liar.store, county, tmp_path / "one")).problems == []
    for size, seen in ((head.size, digests.sha256_b64u(b"?")), (head.size + 99, root)):
        receipt = county.receipt(sent, NURSES, "collected", checkpoint=Seen(size=size, root=seen))
        await liar.take(receipt, by=HEALTH)
    problems = await _problems(liar, tmp_path)
    assert len(problems) == 2
    assert all("two views" in problem for problem in problems)


async def test_a_key_that_was_too_young_is_found(liar: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub let a key sign that nobody but its agency had spoken for: the 24 hours are counted again."""
    county = liar.county
    key = county.keyrings[POLICE].replace_signing()
    with monkeypatch.context() as patched:
        patched.setattr(enrolling, "COOL_OFF", 0)
        await liar.publish_key(county.statement(POLICE, "sign", key.public.jwk))
        await liar.send(minutes(county, hold(county).header.thread, MASH, by=CAIT, type="meeting.claimed/1"))
    assert "key-not-active" in (await _problems(liar, tmp_path))[0]


async def test_an_envelope_that_the_rules_forbid_is_found(
    liar: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub took what the agreement does not allow: the verifier judges by the agreement, not by the hub."""
    county = liar.county
    sent = minutes(county, hold(county).header.thread, CAIT, basis_class="other")
    monkeypatch.setattr(exchange, "judge_envelope", lambda *_: None)
    await liar.send(sent)
    (problem,) = await _problems(liar, tmp_path)
    assert "basis-not-allowed" in problem


async def test_superseding_what_nobody_sent_is_found(
    liar: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer version of an envelope that the log does not have."""
    county = liar.county
    sent = minutes(county, hold(county).header.thread, CAIT, supersedes=digests.new_id(county.now))
    monkeypatch.setattr(exchange, "judge_superseding", lambda *_: None)
    await liar.send(sent)
    (problem,) = await _problems(liar, tmp_path)
    assert "supersedes-mismatch" in problem


# What is owed by the calendar alone --------------------------------------------------------------------------------


async def _recurring(desk: Desk) -> None:
    """Agree that a digest is owed each week, and come to the first period."""
    await desk.next_agreement(recurring.text())
    desk.county.now = recurring.FIRST


async def _happens(desk: Desk, by: int = 0) -> None:
    """Let something happen that has nothing to do with what recurs, *by* milliseconds from now."""
    desk.county.now += by
    await desk.send(desk.county.seal("meeting.held/1", MASH, [NURSES]))


async def test_a_period_that_was_left_out_is_found_once(
    liar: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log goes on for more than an hour, and nobody was told what the calendar makes owed."""
    await _recurring(liar)
    with monkeypatch.context() as patched:
        patched.setattr(obligations, "open_recurring", lambda *_: set())
        for _ in range(4):
            await _happens(liar, GRACE // 2)
    await _happens(liar, GRACE)
    problems = await _problems(liar, tmp_path)
    assert [problem.partition(": ")[2] for problem in problems if "calendar" in problem] == [
        "what is owed by the calendar was not opened"
    ]
    # Nobody took the steps of what was never opened either, which is no second lie for each leaf.
    assert len(problems) == 1


async def test_a_period_that_is_opened_too_late_is_found(
    liar: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hub that was up and looked only after the hour: what it then says is no longer what the rules expect."""
    await _recurring(liar)
    with monkeypatch.context() as patched:
        patched.setattr(obligations, "open_recurring", lambda *_: set())
        await _happens(liar)
        await _happens(liar, GRACE + 1)
    await liar.tick()
    assert any("what is owed by the calendar was not opened" in problem for problem in await _problems(liar, tmp_path))


async def test_a_hub_that_was_down_over_the_beginning_of_a_period_has_left_nothing_out(
    liar: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two days of silence prove nothing, even where an envelope comes before the clock has looked."""
    await _recurring(liar)
    await _happens(liar, 2 * DAY)
    await _happens(liar, GRACE - 1)
    await liar.tick()
    assert [leaf["item"] for leaf in await liar.leaves("obligation-opened") if leaf["rule"] == "weekly"] == [
        "2026-07-13"
    ]
    assert await _problems(liar, tmp_path) == []


async def test_what_the_calendar_does_not_owe_is_found_when_invented(liar: Desk, tmp_path: Path) -> None:
    """A period before it begins, and one of a rule that there is not: the hub has both in its store too."""
    await _recurring(liar)
    await liar.tick()
    (row,) = await liar.store.read(lambda tx: tx.thread_obligations(recurring.THREAD))
    changes: tuple[dict[str, str], ...] = ({"item": "2026-07-20"}, {"rule": "monthly"})
    invented = [Opened(msgspec.structs.replace(row.duty, **change), "open", None, None) for change in changes]
    snapshot, at, signer = liar.registry.snapshot, liar.county.now, liar.county.hub.signing
    await liar.store.write(lambda tx: obligations.record_plan(tx, snapshot, Plan(tuple(invented), ()), at, signer))
    problems = await _problems(liar, tmp_path)
    assert [problem.partition(": ")[2] for problem in problems] == ["a conclusion that the rules don't know"] * 2


@pytest.mark.parametrize("change", [{"due": 1}, {"creditor": NURSES}, {"mailbox": NURSES}])
async def test_a_period_that_is_opened_otherwise_than_agreed_is_found(
    liar: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """With another due moment or for somebody else."""
    await _recurring(liar)
    truthful = obligations._opened_event
    with monkeypatch.context() as patched:
        patched.setattr(obligations, "_opened_event", lambda row: msgspec.structs.replace(truthful(row), **change))
        await liar.tick()
    (problem,) = await _problems(liar, tmp_path)
    assert "differ from the rules" in problem


async def test_a_move_that_the_agreement_does_not_know_is_found(liar: Desk, tmp_path: Path) -> None:
    """The hub lets a debtor off: it says that the duty was superseded, and nothing superseded it."""
    county = liar.county
    await liar.next_agreement(rehoming.TEXT + rehoming.RULES)
    await liar.send(held := hold(county, NURSES))
    await liar.send(moved := county.seal("meeting.held/1", MASH, [NURSES]))
    row = (await liar.rows(held.header.thread))["full-minutes", MASH, NURSES]
    end = Settled(row.id, row.duty, "superseded", moved.id)
    await liar.store.write(lambda tx: obligations.settle(tx, [end], county.now))
    (problem,) = await _problems(liar, tmp_path)
    assert "a conclusion that the rules don't know" in problem


async def test_a_move_that_was_left_out_is_found(liar: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work goes over to police, and the hub opens nothing for them: the verifier names what is missing."""
    county = liar.county
    await liar.next_agreement(rehoming.TEXT + rehoming.RULES)
    await liar.send(held := hold(county, NURSES))
    with monkeypatch.context() as patched:
        patched.setattr(exchange, "plan_envelope", lambda *_: Plan((), ()))
        await liar.send(county.seal("case.transferred/1", MASH, [CAIT], thread=held.header.thread))
    await _happens(liar)
    problems = await _problems(liar, tmp_path)
    assert {problem.partition(", ")[2].partition(" of ")[0] for problem in problems} == {
        "obligation-settled",
        "obligation-opened",
    }
