"""The audit's figures: what counts as owed, sent, received, late and missing, and how one record is counted once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rules.clocks import OpenDays
from schemas.rules.compiled import Rules
from schemas.rules.duty import State
from schemas.rules.figures import COLUMNS, Figures, Row, tally
from schemas.rules.periods import UTC, days_of, is_quarter, month_of, week_of
from schemas.rules.units import DutyRow, Taken
from tests.rules.support import CHAIR, GP, HEALTH, NURSES, POLICE, directory, example, header

SECTORS = {"northmere": "health", "millfield": "health", "constabulary": "police"}
DUE, DAY = 1_000, 100


def send(creditor: str = HEALTH, state: State = "open", **members: Any) -> DutyRow:
    given_: dict[str, Any] = {
        "id": f"send-{creditor}-{members.get('thread', 't1')}",
        "kind": "send",
        "rule": "full-minutes",
        "thread": "t1",
        "family": "minutes.full",
        "debtor": CHAIR,
        "creditor": creditor,
        "item": "",
        "due": DUE,
        "state": state,
        "settled_at": None,
        "settled_by": None,
        "envelope": "held",
    }
    return DutyRow(**(given_ | members))


def sent(creditor: str = HEALTH, at: int = 900, by: str = "v1", **members: Any) -> DutyRow:
    return send(creditor, "met" if at <= DUE else "met_late", settled_at=at, settled_by=by, **members)


def owes_receipt(debtor: str = HEALTH, state: State = "open", envelope: str = "v1", **members: Any) -> DutyRow:
    given_: dict[str, Any] = {
        "kind": "receipt",
        "rule": "full-received",
        "id": f"receipt-{debtor}-{envelope}",
        "debtor": debtor,
        "creditor": CHAIR,
        "item": envelope,
        "envelope": envelope,
        "due": 900 + DAY,
        "state": state,
    }
    return send()._replace(**(given_ | members))


def figures(
    *rows: DutyRow, taken: tuple[Taken, ...] = (), now: int = 5_000, families: tuple[str, ...] = ("minutes.full",)
) -> Figures:
    return tally(rows, taken, now, lambda mailbox: SECTORS[mailbox.partition("/")[0]], families)


def total(*rows: DutyRow, **given_: Any) -> Row:
    return figures(*rows, **given_).total


def rate(found: Figures, name: str) -> tuple[int, int, float | None]:
    (variant,) = (one for one in found.variants if one.name == name)
    assert variant.definition
    return variant.count, variant.of, variant.rate


def test_nothing_owed_has_no_rate() -> None:
    """A rate of nothing is absent, not 0 and not 100%."""
    found = figures()
    assert (found.total.owed, found.total.received_rate, found.by_agency, found.missing) == (0, None, {}, ())
    assert rate(found, "received_by_deadline") == (0, 0, None)


def test_minutes_that_were_never_sent_are_owed_and_missing() -> None:
    """The failure that no message shows: nothing was sent, and the figure says so."""
    found = figures(send())
    assert (found.total.owed, found.total.sent, found.total.missing, found.total.received_rate) == (1, 0, 1, 0.0)
    (missing,) = found.missing
    assert (missing.thread, missing.type, missing.debtor, missing.creditor, missing.due) == (
        "t1",
        "minutes.full",
        CHAIR,
        HEALTH,
        DUE,
    )


def test_what_is_not_due_yet_is_pending_and_not_missing() -> None:
    """Nobody is late at the due moment itself."""
    assert (total(send(), now=DUE).pending, total(send(), now=DUE).missing) == (1, 0)
    assert (total(send(), now=DUE + 1).pending, total(send(), now=DUE + 1).missing) == (0, 1)
    assert rate(figures(send(), now=DUE), "received_of_those_due") == (0, 0, None)


def test_sent_and_taken_in_time_is_received() -> None:
    """The clear case: sent before its due moment, receipted before its own."""
    found = figures(
        sent(), owes_receipt(state="met", settled_at=950, settled_by="r"), taken=(Taken("v1", HEALTH, "filed", 950),)
    )
    row = found.total
    assert (row.owed, row.sent, row.collected, row.filed, row.opened, row.acknowledged) == (1, 1, 1, 1, 0, 0)
    assert (row.received, row.received_rate, row.late, row.missing, row.untaken) == (1, 1.0, 0, 0, 0)
    assert rate(found, "received_eventually") == (1, 1, 1.0)
    assert rate(found, "sent_by_deadline") == (1, 1, 1.0)


def test_sent_in_time_and_never_taken_is_untaken() -> None:
    """Sent is not received: the recipient is the one who is late, once its own due moment has passed."""
    rows = (sent(), owes_receipt())
    row = total(*rows)
    assert (row.sent, row.received, row.untaken, row.missing, row.pending) == (1, 0, 1, 0, 0)
    assert [one.creditor for one in figures(*rows).untaken] == [HEALTH]
    assert (total(*rows, now=1_000).pending, total(*rows, now=1_000).untaken) == (1, 0)


@pytest.mark.parametrize(
    ("sent_at", "receipt_due", "taken_at", "received"),
    [
        (900, 1_000, 1_000, True),
        (900, 1_000, 1_001, False),
        (1_000, 1_100, 1_100, True),
        # Sent 50 late with 100 to take it: as if it had been sent at the last moment.
        (1_050, 1_150, 1_100, True),
        (1_050, 1_150, 1_101, False),
        (1_200, 1_300, 1_210, False),
    ],
)
def test_late_minutes_count_only_if_taken_as_soon_as_timely_ones_would_be(
    sent_at: int, receipt_due: int, taken_at: int, received: bool
) -> None:
    """Received by the deadline means by the moment at which minutes sent at the last moment would have to be taken."""
    state: State = "met" if taken_at <= receipt_due else "met_late"
    found = figures(sent(at=sent_at), owes_receipt(state=state, due=receipt_due, settled_at=taken_at, settled_by="r"))
    assert bool(found.total.received) is received
    assert found.total.late == (sent_at > DUE)
    assert rate(found, "received_eventually") == (1, 1, 1.0)


def test_what_was_met_elsewhere_is_sent_and_not_received() -> None:
    """Minutes sent by post are no longer missing, and nothing proves that they arrived."""
    found = figures(send(state="met_elsewhere", settled_at=900))
    row = found.total
    assert (row.owed, row.sent, row.elsewhere, row.received, row.missing, row.pending) == (1, 1, 1, 0, 0, 0)
    assert rate(found, "sent_or_met_elsewhere") == (1, 1, 1.0)
    assert rate(found, "sent_by_deadline") == (0, 1, 0.0)
    assert rate(found, "received_of_those_sent") == (0, 0, None)


def test_what_was_waived_leaves_the_denominator_and_is_shown() -> None:
    """A waived duty is owed no more, and can be counted."""
    row = total(send(state="waived", settled_at=900), send(POLICE))
    assert (row.owed, row.waived, row.missing) == (1, 1, 1)


def test_a_newer_version_replaces_the_receipt_of_the_older() -> None:
    """Version 1 was never taken and version 2 was: the record is received, if version 2's receipt is in time."""
    old = owes_receipt(state="superseded", settled_at=980, settled_by="v2")
    new = owes_receipt(envelope="v2", due=1_080, state="met", settled_at=1_000, settled_by="r")
    taken = (Taken("v2", HEALTH, "acknowledged", 1_000),)
    row = total(sent(), old, new, taken=taken)
    assert (row.received, row.acknowledged, row.collected) == (1, 1, 1)
    waiting = total(sent(), old, new._replace(state="open", settled_at=None, settled_by=None))
    assert (waiting.received, waiting.untaken) == (0, 1)


def test_a_version_taken_in_time_stays_received_when_a_later_one_is_not_taken_yet() -> None:
    """What was there by the deadline was there; that the newest version isn't is a figure of its own."""
    found = figures(
        sent(),
        owes_receipt(state="met", settled_at=950, settled_by="r"),
        owes_receipt(envelope="v2", due=3_000),
    )
    assert found.total.received == 1
    assert rate(found, "received_eventually") == (0, 1, 0.0)


def test_of_several_receipts_for_one_envelope_the_last_counts() -> None:
    """An urgent message collected too late and filed in time is received."""
    found = total(
        sent(),
        owes_receipt(rule="at-once", due=905, state="met_late", settled_at=910, settled_by="r1"),
        owes_receipt(state="met", settled_at=950, settled_by="r2"),
    )
    assert found.received == 1


def test_a_message_whose_type_asks_for_no_receipt_is_sent_and_not_received() -> None:
    """Without a receipt duty nothing shows that it arrived."""
    row = total(sent())
    assert (row.sent, row.received, row.untaken, row.pending) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (send(), sent(debtor=POLICE), (1, 1, 0, 0)),
        (sent(at=1_100), sent(rule="other", at=900), (1, 1, 0, 0)),
        (send(state="met_elsewhere", settled_at=800), sent(at=900), (1, 1, 0, 0)),
        (send(), send(state="met_elsewhere", settled_at=800, rule="other"), (1, 1, 0, 1)),
        (send(state="waived", settled_at=800), send(rule="other"), (1, 0, 1, 0)),
    ],
)
def test_one_record_owed_to_one_mailbox_is_counted_once(
    first: DutyRow, second: DutyRow, expected: tuple[int, int, int, int]
) -> None:
    """Whichever rule or debtor it was found by: what was met speaks before what is open, and that before a waiver."""
    for rows in ((first, second), (second, first)):
        row = total(*rows)
        assert (row.owed, row.sent, row.missing, row.elsewhere) == expected


def test_each_item_is_a_unit_of_its_own() -> None:
    """Two actions owed in one thread are two."""
    assert total(send(item="one"), send(item="two")).owed == 2


def test_figures_are_by_agency_sector_and_type() -> None:
    """Each owed unit counts for its creditor's agency and sector, and for its type; other types don't count."""
    rows = (
        sent(HEALTH),
        owes_receipt(state="met", settled_at=950, settled_by="r"),
        send(NURSES),
        send(GP),
        sent(POLICE),
        send(HEALTH, family="minutes.decisions"),
        send(HEALTH, family="info.report.ack"),
    )
    found = figures(*rows, families=("minutes.full", "minutes.decisions"))
    assert {name: (row.owed, row.received) for name, row in found.by_agency.items()} == {
        "constabulary": (1, 0),
        "millfield": (1, 0),
        "northmere": (3, 1),
    }
    assert {name: (row.owed, row.received_rate) for name, row in found.by_sector.items()} == {
        "health": (4, 0.25),
        "police": (1, 0.0),
    }
    assert {name: row.owed for name, row in found.by_type.items()} == {"minutes.decisions": 1, "minutes.full": 4}
    assert [one.creditor for one in found.missing] == [HEALTH, GP, NURSES]


def test_the_share_of_records_that_everybody_received() -> None:
    """A record that one of two agencies lacks is not received by all."""
    receipt: dict[str, Any] = {"state": "met", "settled_at": 950, "settled_by": "r"}
    one = (sent(), owes_receipt(**receipt), sent(POLICE), owes_receipt(POLICE, **receipt))
    other = (sent(thread="t2", by="v9"), owes_receipt(thread="t2", envelope="v9", **receipt), send(GP, thread="t2"))
    assert rate(figures(*one, *other), "received_by_all") == (1, 2, 0.5)
    assert rate(figures(*one, *other), "received_of_those_sent") == (3, 3, 1.0)
    assert rate(figures(*one, *other), "received_by_deadline") == (3, 4, 0.75)


def test_each_level_is_counted_by_the_deadline_and_by_now() -> None:
    """Opened in time and filed late is opened by the deadline and by now, filed by now only."""
    taken = (
        Taken("v1", HEALTH, "collected", 910),
        Taken("v1", HEALTH, "opened", 1_000),
        Taken("v1", HEALTH, "opened", 1_400),
        Taken("v1", HEALTH, "filed", 1_001),
    )
    found = figures(sent(), owes_receipt(state="met_late", settled_at=1_001, settled_by="r"), taken=taken)
    assert rate(found, "collected_by_deadline") == rate(found, "collected") == (1, 1, 1.0)
    assert rate(found, "opened_by_deadline") == rate(found, "opened") == (1, 1, 1.0)
    assert rate(found, "filed_or_acknowledged_by_deadline") == (0, 1, 0.0)
    assert rate(found, "filed_or_acknowledged") == rate(found, "filed") == (1, 1, 1.0)
    assert rate(found, "acknowledged") == (0, 1, 0.0)


def test_the_deadline_of_late_minutes_is_that_of_timely_ones() -> None:
    """Sent 50 late, and opened when that would have been late for minutes sent at the last moment."""
    rows = (sent(at=1_050), owes_receipt(due=1_150))
    in_time = figures(*rows, taken=(Taken("v1", HEALTH, "opened", 1_100),))
    too_late = figures(*rows, taken=(Taken("v1", HEALTH, "opened", 1_101),))
    assert (rate(in_time, "opened_by_deadline")[0], rate(too_late, "opened_by_deadline")[0]) == (1, 0)


def test_without_a_receipt_duty_the_deadline_is_the_due_moment() -> None:
    """What asks for no receipt has to be there when it is due."""
    assert rate(figures(sent(), taken=(Taken("v1", HEALTH, "filed", DUE),)), "collected_by_deadline")[0] == 1
    assert rate(figures(sent(), taken=(Taken("v1", HEALTH, "filed", DUE + 1),)), "collected_by_deadline")[0] == 0


def test_of_what_was_sent_alone_every_figure_looks_better() -> None:
    """Never sent is in no delivery report; and a record is received by all only when it is by each."""
    rows = (sent(), owes_receipt(state="met_late", settled_at=4_000, settled_by="r"), send(GP), send(POLICE))
    found = figures(*rows, taken=(Taken("v1", HEALTH, "collected", 905),))
    assert rate(found, "collected_of_those_sent") == (1, 1, 1.0)
    assert rate(found, "collected") == (1, 3, 0.3333)
    assert rate(found, "received_by_all_eventually") == (0, 1, 0.0)
    assert rate(figures(*rows[:2]), "received_by_all_eventually") == (1, 1, 1.0)
    assert rate(figures(*rows[:2]), "received_by_all") == (0, 1, 0.0)


def test_every_column_and_variant_has_its_definition_and_no_name_is_used_twice() -> None:
    """A figure whose meaning isn't beside it is none."""
    assert tuple(COLUMNS) == Row.__struct_fields__
    names = [one.name for one in figures(send()).variants]
    assert len(names) == len(set(names))
    assert all(one.definition for one in figures(send()).variants)


def test_weeks_are_those_of_the_due_moment_in_the_partnerships_zone() -> None:
    """Half past midnight on a Monday in London in summer is still Sunday in UTC."""
    london = days_of(example())
    monday = 1_783_294_200_000  # 2026-07-06T00:30 in London
    row = send(due=monday)
    weeks = tally([row], (), 0, lambda _: "health", ["minutes.full"], london).by_week
    assert {name: one.owed for name, one in weeks.items()} == {"2026-W28": 1}
    assert list(tally([row], (), 0, lambda _: "health", ["minutes.full"]).by_week) == ["2026-W27"]


def test_what_the_heir_of_an_ended_creditor_took_counts_for_the_creditor() -> None:
    """The record was owed to a mailbox that ended; whoever answers for it now took it, which is what can happen."""
    rows = (sent(HEALTH), owes_receipt(GP, "met", settled_at=950))
    filed = Taken("v1", GP, "filed", 950)
    found = figures(*rows, taken=(filed,))
    assert (found.total.owed, found.total.received, found.total.filed) == (1, 1, 1)
    assert found.by_agency["northmere"].received == 1
    # Somebody who is owed it too doesn't take it for anybody else.
    both = figures(*rows, sent(GP), taken=(filed,))
    assert (both.total.owed, both.total.received) == (2, 1)
    assert both.by_agency["northmere"].received == 0


@pytest.mark.parametrize(
    ("at", "week", "month"),
    [
        (0, "1970-W01", "1970-01"),
        (1_798_761_600_000, "2026-W53", "2027-01"),  # a Friday, 1 January 2027
        (2**53 - 1, "287396-W41", "287396-10"),
    ],
)
def test_any_moment_has_a_week_and_a_month(at: int, week: str, month: str) -> None:
    """The first days of January may belong to the last year's last week; and nothing is too far away."""
    assert (week_of(UTC, at), month_of(UTC, at)) == (week, month)


@pytest.mark.parametrize(
    ("start", "end", "whole"),
    [
        (1_782_860_400_000, 1_790_809_200_000, True),  # 1 July to 1 October 2026, midnight in London
        (1_782_864_000_000, 1_790_812_800_000, False),  # the same in UTC
        (1_782_860_400_000, 1_790_809_200_001, False),
        (1_785_538_800_000, 1_793_491_200_000, False),  # August to November
        (1_782_946_800_000, 1_790_895_600_000, False),  # from the second day
        (1_790_809_200_000, 1_798_761_600_000, True),  # October to January: the clocks go back
    ],
)
def test_a_quarter_is_a_calendar_quarter_of_the_partnerships_zone(start: int, end: int, whole: bool) -> None:
    """Other periods overlap, and could be subtracted from one another."""
    assert is_quarter(days_of(example()), start, end) is whole


def test_without_a_calendar_days_are_utc() -> None:
    """An agreement may have no clock that needs one."""
    from msgspec.structs import replace

    assert days_of(replace(example(), calendars={})) is UTC
    assert isinstance(days_of(example()), OpenDays)


def test_only_what_is_kept_is_counted() -> None:
    """By sector or by party: a unit is left out whole, by the duty that speaks for it."""
    rows = (sent(HEALTH), send(HEALTH, debtor=POLICE, rule="other"), send(GP))
    found = tally(rows, (), 5_000, lambda _: "health", ["minutes.full"], keep=lambda row: row.debtor == CHAIR)
    assert (found.total.owed, found.total.sent) == (2, 1)
    found = tally(rows, (), 5_000, lambda _: "health", ["minutes.full"], keep=lambda row: row.debtor == POLICE)
    assert found.total.owed == 0


def test_a_higher_level_was_collected_too() -> None:
    """Whoever filed or opened it had it; declining and rejecting are no levels of having."""
    row = total(sent(), taken=(Taken("v1", HEALTH, "opened", 950),))
    assert (row.collected, row.opened, row.filed) == (1, 1, 0)
    assert total(sent(), taken=(Taken("v1", HEALTH, "declined", 950),)).collected == 0
    assert total(sent(), taken=(Taken("v1", POLICE, "filed", 950),)).filed == 0


STATES: list[State] = ["open", "met", "met_late", "met_elsewhere", "waived"]


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["t1", "t2", "t3"]),
            st.sampled_from([HEALTH, GP, POLICE]),
            st.sampled_from(STATES),
            st.integers(800, 1_200),
            st.sampled_from(["open", "met", "met_late", "superseded", None]),
        ),
        max_size=12,
    )
)
def test_the_parts_add_up(cases: list[tuple[str, str, State, int, State | None]]) -> None:
    """Agencies, sectors and types each sum to the whole, received is part of sent, and sent of owed."""
    rows: list[DutyRow] = []
    for thread, creditor, state, at, receipt_state in cases:
        envelope = f"{thread}{creditor}{at}"
        settled = state in ("met", "met_late")
        rows.append(
            send(
                creditor,
                state,
                thread=thread,
                settled_at=None if state == "open" else at,
                settled_by=envelope if settled else None,
            )
        )
        if settled and receipt_state:
            taken_at = None if receipt_state == "open" else at + 50
            rows.append(
                owes_receipt(creditor, receipt_state, envelope, thread=thread, due=at + DAY, settled_at=taken_at)
            )
    found = figures(*rows, now=1_100)
    for parts in (found.by_agency, found.by_sector, found.by_type, found.by_week):
        for name in ("owed", "sent", "received", "missing", "late", "untaken", "pending", "elsewhere", "waived"):
            assert sum(getattr(row, name) for row in parts.values()) == getattr(found.total, name)
    row = found.total
    assert row.received <= row.sent <= row.owed
    assert row.missing + row.sent <= row.owed
    assert row.missing + row.pending + row.received <= row.owed
    assert len(found.missing) == row.missing
    assert len(found.untaken) == row.untaken


def test_a_row_is_the_duty_as_it_stands() -> None:
    """What is counted is what was opened: same parties, type and due moment, with what became of it."""
    duty = next(duty for duty in Rules(example()).open_duties(header(), directory(), 0) if duty.rule == "full-minutes")
    row = DutyRow.of("one", duty, "met", duty.due, "v1")
    assert (row.id, row.family, row.debtor, row.creditor) == ("one", "minutes.full", CHAIR, duty.creditor)
    assert (row.state, row.due, row.settled_at, row.settled_by, row.envelope) == (
        "met", duty.due, duty.due, "v1", duty.envelope,
    )  # fmt: skip
