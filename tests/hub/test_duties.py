"""What envelopes, receipts and withdrawals do to duties, as pure rules; and how the log is told again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.core.events import Leaf
from hub.core.replay import Replay
from keys import digests
from schemas.directory import DirectoryIndex
from schemas.envelope import Header
from schemas.receipt import Receipt
from schemas.rules.duty import Duty, Step
from schemas.rules.planning import Owed, Sent, plan_envelope, plan_withdrawal
from schemas.rules.stepping import has_lapsed, next_moment, resolve_targets
from tests.county import CAIT, EXAMPLES, HEALTH, HOUR, MANAGERS, MASH, NURSES, PAEDIATRICS, START, UNIT, Desk
from tests.hub import test_rehoming as rehoming
from tests.hub.support import facts, hold, minutes, payload
from tests.hub.watching import watch_of

INDEX, RULES, COUNTY = facts().directory, facts().rules, facts().county
HELD = hold(COUNTY, CAIT, NURSES).header
FULL = minutes(COUNTY, HELD.thread, CAIT, NURSES).header
OBJECTION = """
[[types."minutes.full".opens]]
name = "objection"
send = { type = "minutes.dispute", by = "recipients", to = "sender", within = "2 working days" }
lapses = true
warn = ["4 hours before"]
"""


def _owed(*duties: Duty) -> list[Owed]:
    return [Owed(digests.obligation_id(duty.parts), duty) for duty in duties]


def _duty(**changes: Any) -> Duty:
    (first, *_) = RULES.open_duties(HELD, INDEX, START)
    return msgspec.structs.replace(first, **changes)


# What an envelope does -------------------------------------------------------------------------------------------


def test_earlier_envelopes_are_asked_for_only_where_a_duty_to_send_begins() -> None:
    """Most envelopes open none, and must not read their whole thread."""

    def never() -> list[Sent]:
        raise AssertionError

    assert plan_envelope(FULL, RULES, INDEX, [], never, START).opened


def test_the_first_envelope_that_meets_a_duty_speaks_for_it() -> None:
    """Minutes that came before their meeting: the earliest counts, by its own moment."""
    later = minutes(COUNTY, HELD.thread, CAIT).header
    plan = plan_envelope(HELD, RULES, INDEX, [], lambda: [Sent(FULL, START - 5), Sent(later, START - 1)], START)
    met = [(one.duty.creditor, one.settled_at, one.settled_by) for one in plan.opened if one.state == "met"]
    assert met == [(CAIT, START - 5, FULL.id), (NURSES, START - 5, FULL.id)]


def test_what_is_taken_back_is_owed_again_unless_something_else_meets_it() -> None:
    """Only for those who can't have it; and never where another envelope meets the duty."""
    sends = [duty for duty in RULES.open_duties(HELD, INDEX, START) if duty.rule == "full-minutes"]
    receipts = RULES.open_duties(FULL, INDEX, START)
    gone = frozenset({CAIT})
    ended, again = plan_withdrawal(FULL, gone, _owed(*receipts), _owed(*sends), [], RULES, INDEX, FULL.at)
    assert [(one.duty.debtor, one.state) for one in ended] == [(CAIT, "superseded")]
    assert [(one.duty.creditor, one.settled) for one in again] == [(CAIT, ())]
    other = minutes(COUNTY, HELD.thread, CAIT).header
    _, again = plan_withdrawal(FULL, gone, [], _owed(*sends), [Sent(other, sends[0].due + 1)], RULES, INDEX, FULL.at)
    assert [(one.by, one.state) for row in again for one in row.settled] == [(other.id, "met_late")]


# Clocks ----------------------------------------------------------------------------------------------------------


def test_the_clock_looks_at_the_next_step_and_at_the_end_of_a_window() -> None:
    """Nothing is left to look at after the last step; a window is over one millisecond after its due moment."""
    steps = (Step(at=10, notice="due-soon", to=("debtor",)), Step(at=30, notice="overdue", to=("debtor",)))
    assert [next_moment(_duty(steps=steps), step) for step in range(3)] == [10, 30, None]
    window = _duty(steps=steps[:1], due=20, lapses=True)
    assert [next_moment(window, step) for step in range(2)] == [10, 21]
    assert [has_lapsed(window, now) for now in (20, 21)] == [False, True]
    assert not has_lapsed(_duty(due=20), 21)


def test_targets_are_mailboxes_that_are_open_now() -> None:
    """Parties, posts, roles and named mailboxes; a vacant post falls back to its mailbox."""
    duty = _duty(debtor=MASH, creditor=NURSES)

    def told(*targets: str) -> tuple[str, ...]:
        return resolve_targets(duty, targets, INDEX, START)

    assert told("debtor", "creditor") == (NURSES, MASH)
    assert told("debtor/manager", "debtor/deputy") == (MASH, MANAGERS)
    assert told("creditor/manager") == (NURSES,)
    assert told("role:partnership", "mailbox:" + PAEDIATRICS) == (UNIT, PAEDIATRICS)
    assert resolve_targets(_duty(debtor="nowhere/nobody"), ("debtor/manager",), INDEX, START) == (UNIT,)


def test_targets_of_an_ended_agency_are_its_successors() -> None:
    """An old address never resolves to nobody."""
    plain = msgspec.to_builtins(INDEX.directory)
    for agency in plain["agencies"]:
        if agency["id"] == HEALTH:
            agency.update(valid_to=START, successors=[{"agency": "exampleshire-probation"}])
    index = DirectoryIndex(msgspec.convert(plain, type(INDEX.directory)))
    (heir,) = resolve_targets(_duty(debtor=MASH, creditor=NURSES), ("creditor",), index, START)
    assert heir.startswith("exampleshire-probation/")


async def test_an_objection_window_lapses_and_is_never_overdue(desk: Desk) -> None:
    """Unanswered it is recorded as lapsed, not as agreed; an answer at the last moment is still in time."""
    county = desk.county
    await desk.next_agreement((EXAMPLES / "agreement.toml").read_text() + OBJECTION)
    await desk.send(sent := minutes(county, hold(county).header.thread, NURSES, CAIT))
    rows = await desk.rows(sent.header.thread)
    due = rows["objection", NURSES, MASH].duty.due
    await desk.tick(due - county.now)
    assert (await desk.duties(sent.header.thread))["objection", NURSES, MASH] == "open"
    dispute = county.seal("minutes.dispute/1", CAIT, [MASH], thread=sent.header.thread, re=sent.id, parties=[MASH])
    await desk.send(dispute)
    await desk.tick(1)
    states = await desk.duties(sent.header.thread)
    assert (states["objection", NURSES, MASH], states["objection", CAIT, MASH]) == ("lapsed", "met")
    (leaf,) = [one for one in await desk.leaves("obligation-settled") if one["outcome"] == "lapsed"]
    assert "by" not in leaf
    await desk.tick(20 * 24 * HOUR)
    objections = [one for one in await desk.notices(NURSES) if one.get("type") == "minutes.dispute"]
    assert [one["notice"] for one in objections] == ["owed", "due-soon"]


GATED = """
[[types."meeting.held".opens]]
name = "window"
send = { type = "minutes.dispute", by = "recipients", to = "sender", within = "24 hours" }
lapses = true
warn = ["4 hours before"]
[[types."meeting.held".opens]]
name = "minutes"
send = { type = "minutes.full", by = "sender", to = "recipients", within = "48 hours", unless_owed = "window" }
"""


@pytest.mark.parametrize(("after", "window", "sent"), [(24 * HOUR, "open", "open"), (24 * HOUR + 1, "lapsed", "met")])
async def test_a_window_that_is_over_holds_no_gate_though_the_clock_has_not_looked(
    desk: Desk, tmp_path: Path, after: int, window: str, sent: str
) -> None:
    """As in the gateways' own watch; the warning that a dark hub owed is told first."""
    kinds = ("meeting.held", "minutes.full", "minutes.dispute")
    await desk.next_agreement(rehoming.FRAME + "".join(rehoming.TYPE.format(name=kind) for kind in kinds) + GATED)
    await desk.send(held := hold(desk.county, NURSES))
    versions = desk.registry.snapshot.rules
    async with watch_of(HEALTH, tmp_path, desk.registry.snapshot.directory) as watched:
        await watched.see(held.header, desk.county.now, versions)
        desk.county.now += after
        await desk.send(full := minutes(desk.county, held.header.thread, NURSES))
        await watched.see(full.header, desk.county.now, versions)
        states = {duty.rule: state for duty, state, _ in (await watched.duties()).values()}
    assert await desk.duties(held.header.thread) == {
        ("window", NURSES, MASH): window,
        ("minutes", MASH, NURSES): sent,
    }
    assert states == {"window": window, "minutes": sent}
    assert len(await desk.notices(NURSES, "due-soon")) == (window == "lapsed")


# The log told again ----------------------------------------------------------------------------------------------


def _replay(*headers: Header) -> Replay:
    replay = Replay(digests.obligation_id)
    for header in headers:
        replay.envelope(header, RULES, INDEX, START)
    return replay


def _receipt(**changes: Any) -> Receipt:
    receipt = msgspec.json.decode(payload(COUNTY.receipt(SENT, CAIT, "collected")), type=Receipt)
    return msgspec.structs.replace(receipt, **changes)


SENT = minutes(COUNTY, HELD.thread, CAIT, NURSES)


def _leaf(event: str, **members: Any) -> Leaf:
    return msgspec.convert({"v": 1, "at": START, "event": event, **members}, Leaf)


def test_a_log_that_says_what_the_rules_say_is_believed() -> None:
    """Each conclusion that follows is found once, whatever the order within one act."""
    replay = _replay(HELD)
    rows = list(replay.rows.values())
    assert {one.event for one in replay.expected} == {"obligation-opened"}
    for row in reversed(rows):
        duty = row.duty
        leaf = _leaf("obligation-opened", obligation=row.id, due=duty.due, mailbox=duty.debtor, creditor=duty.creditor)
        assert replay.conclude(leaf) is None
    assert replay.expected == []
    assert len(list(replay.duties())) == len(rows)


def test_a_conclusion_that_the_rules_do_not_know_is_found() -> None:
    """Invented, about nothing, twice, with another due moment, or a lapse of what can't lapse."""
    replay = _replay(HELD)
    row = next(iter(replay.rows.values()))
    assert replay.conclude(_leaf("obligation-opened")) == "a conclusion about nothing"
    moved = _leaf("obligation-opened", obligation=row.id, due=row.duty.due + 1, mailbox=row.duty.debtor)
    assert replay.conclude(moved) == "an obligation whose parties or due moment differ from the rules"
    assert replay.conclude(moved) == "a conclusion that the rules don't know"
    settled = _leaf("obligation-settled", obligation=row.id, outcome="met")
    assert replay.conclude(settled) == "a conclusion that the rules don't know"
    lapsed = _leaf("obligation-settled", obligation=row.id, outcome="lapsed")
    assert replay.conclude(lapsed) == "a lapse that the rules don't know"


def test_a_receipt_that_cannot_be_is_found() -> None:
    """For no delivery, out of order, of another body, or destroyed without having been withdrawn."""
    replay = _replay(SENT.header)
    unknown = _receipt(envelope=HELD.id)
    assert replay.receipt(unknown, RULES, INDEX, START) == "a receipt for no delivery"
    foreign = _receipt(mailbox=UNIT)
    assert replay.receipt(foreign, RULES, INDEX, START) == "a receipt for no delivery"
    for wrong in (
        _receipt(level="acknowledged"),
        _receipt(sealed_sha256="A" * 43),
        _receipt(level="filed", mode="destroyed"),
    ):
        assert replay.receipt(wrong, RULES, INDEX, START) == "a receipt out of order"
    assert replay.receipt(_receipt(), RULES, INDEX, START) is None


def test_a_waiver_of_what_is_not_open_is_found() -> None:
    """One of no obligation, and a second one of the same."""
    replay = _replay(HELD)
    name = next(iter(replay.rows))
    assert replay.waive("A" * 43, "waived", "A" * 22, START) == "a waiver of no open obligation"
    assert replay.waive(name, "waived", "A" * 22, START) is None
    assert replay.waive(name, "waived", "A" * 22, START) == "a waiver of no open obligation"


def test_the_same_duty_told_twice_is_one() -> None:
    """A meeting registered by two sides opens each duty once."""
    claim = COUNTY.seal(
        "meeting.claimed/1", NURSES, [MASH], thread=HELD.thread, facts={"meeting": "strategy"}, parties=[MASH]
    )
    once, twice = _replay(HELD), _replay(HELD, claim.header)
    assert set(once.rows) == set(twice.rows)


def test_what_was_withdrawn_and_met_by_another_is_told_as_it_was() -> None:
    """Reopened, and settled by the other at the other's own moment; what was held stays until it is destroyed."""
    replay = Replay(digests.obligation_id)
    second = minutes(COUNTY, HELD.thread, CAIT).header
    for header, at in ((HELD, START), (SENT.header, START + 1), (second, START + 2)):
        replay.envelope(header, RULES, INDEX, at)
    collected = COUNTY.receipt(SENT, NURSES, "collected")
    assert replay.receipt(msgspec.json.decode(payload(collected), type=Receipt), RULES, INDEX, START + 3) is None
    replay.expected.clear()
    replay.withdraw(SENT.id, RULES, INDEX, START + 4)
    sends = {row.duty.creditor: row for row in replay.rows.values() if row.duty.rule == "full-minutes"}
    assert (sends[CAIT].state, sends[CAIT].settled_at, sends[CAIT].settled_by) == ("met", START + 2, second.id)
    assert (sends[NURSES].state, sends[NURSES].settled_by) == ("met", SENT.id)
    destroyed = COUNTY.receipt(SENT, NURSES, "filed", mode="destroyed")
    assert replay.receipt(msgspec.json.decode(payload(destroyed), type=Receipt), RULES, INDEX, START + 5) is None
    assert sends[NURSES].state == "open"
    told = [(one.event, one.state) for one in replay.expected]
    assert ("obligation-reopened", None) in told
    assert ("obligation-settled", "met") in told
