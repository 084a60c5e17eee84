"""Events in words show what would be owed when, by the engine that hub and gateway use."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.catalogue import Catalogue
from schemas.rules.checking import find_shapes
from schemas.rules.places import parse_places
from schemas.rules.simulating import Line, Simulation, as_local, parse_events, simulate
from schemas.strict_json import MalformedError
from tests.rules.support import CHAIR, EXAMPLE, FRAME, GP, HEALTH, NURSES, agreement, directory, example, ms, send_rule

SHAPES = find_shapes(Catalogue.load())
RECEIPT = '\n[[types.a.receipts]]\nname = "taken"\nlevel = "filed"\nwithin = "1 working day"\n'
ASK = f"""
[[events]]
name = "ask"
type = "a"
from = "{CHAIR}"
to = ["{HEALTH}"]
at = 2026-07-06T10:00:00
"""


def _event(name: str, at: str = "2026-07-07T10:00:00", **members: object) -> str:
    given = {"name": name, "type": "b", "from": HEALTH, "to": [CHAIR]} | members
    lines = [f"{key} = {json.dumps(value)}" for key, value in given.items() if value is not None]
    return "\n".join(["\n[[events]]", *lines, f"at = {at}", ""])


def _run(rules: str, *events: str, until: str | None = None, frame: str = FRAME) -> Simulation:
    end = {} if until is None else {"until": ms(until)}
    return simulate(agreement(rules, frame), directory(), parse_events("".join(events)), {}, **end)


def _only(shown: Simulation) -> Line:
    (line,) = shown.lines
    return line


def test_what_is_never_sent_is_late_and_its_ladder_is_told() -> None:
    """Without an end everything that the clock would do is shown, each step with who would be told."""
    ladder = 'warn = ["1 hour before"]\nladder = [{ after = "0 hours", to = ["debtor", "role:partnership"] }]'
    line = _only(_run(send_rule(extra=ladder), ASK))
    assert (line.rule, line.debtor, line.creditor, line.awaits) == ("answer", HEALTH, CHAIR, ("b",))
    assert (line.state, line.due, line.settled_at) == ("late", ms("2026-07-07 17:00"), None)
    assert [(step.notice, step.to) for step in line.told] == [
        ("due-soon", (HEALTH, CHAIR)),
        ("overdue", ("exampleshire/business-unit", HEALTH)),
    ]


def test_an_answer_in_time_meets_it_and_a_late_one_meets_it_late() -> None:
    """What the clock did before stands; what it would have done afterwards doesn't come."""
    met = _only(_run(send_rule(), ASK, _event("reply")))
    assert (met.state, met.settled_by, met.told) == ("met", "reply", ())
    late = _only(_run(send_rule(), ASK, _event("reply", "2026-07-09T10:00:00")))
    assert (late.state, late.settled_at) == ("met_late", ms("2026-07-09 10:00"))
    assert [step.notice for step in late.told] == ["overdue"]


def test_it_stops_where_it_is_told_to() -> None:
    """Before the due moment a duty is open and nothing was told; later events don't happen."""
    line = _only(_run(send_rule(), ASK, _event("reply"), until="2026-07-06 12:00"))
    assert (line.state, line.told, line.settled_by) == ("open", (), None)


def test_what_came_before_it_was_owed_meets_it() -> None:
    """Minutes may come before the meeting is registered; another thread's don't count."""
    early = _event("reply", "2026-07-05T10:00:00")
    assert _only(_run(send_rule(), early, ASK)).settled_by == "reply"
    assert _only(_run(send_rule(), early + 'thread = "other"\n', ASK)).state == "late"


def test_the_same_duty_is_opened_once() -> None:
    """A second envelope of the type in the thread opens nothing new."""
    again = _event("again", type="a", **{"from": CHAIR, "to": [HEALTH]})
    assert _only(_run(send_rule(), ASK, again)).opened_by == "ask"


def test_receipts_settle_and_a_new_version_replaces() -> None:
    """A receipt for the old version never stands for the new one."""
    receipt = {"type": None, "to": None, "receipt": "filed"}
    new = _event("new", "2026-07-06T11:00:00", type="a", supersedes="ask", **{"from": CHAIR, "to": [HEALTH]})
    shown = _run(RECEIPT, ASK, new, _event("filed", **receipt, of="new"))
    assert [(line.kind, line.opened_by, line.state, line.settled_by) for line in shown.lines] == [
        ("receipt", "ask", "superseded", "new"),
        ("receipt", "new", "met", "filed"),
    ]
    assert shown.lines[0].awaits == ("filed",)
    stranger = _event("filed", **receipt, of="ask", **{"from": GP})
    (refused,) = _run(RECEIPT, ASK, stranger).refused
    assert (refused.event, refused.reason) == ("filed", f"`ask` was not sent to `{GP}`")
    (unknown,) = _run(RECEIPT, ASK, _event("filed", "2026-07-05T10:00:00", **receipt, of="ask")).refused
    assert unknown.event == "filed"


def test_an_objection_window_lapses_and_is_not_late() -> None:
    """Silence is a lapse; an objection after the window settles nothing."""
    window = send_rule(extra="lapses = true")
    shown = _only(_run(window, ASK, _event("objection", "2026-07-09T10:00:00")))
    assert (shown.state, shown.settled_at, shown.settled_by) == ("lapsed", ms("2026-07-07 17:00") + 1, None)
    assert shown.told == ()
    assert _only(_run(window, ASK)).state == "lapsed"
    assert _only(_run(window, ASK, _event("objection"))).state == "met"


def test_items_and_moments_are_read() -> None:
    """An item has its owner and due moment; `accepted` is when the hub took the envelope."""
    rule = send_rule('by = "item-owner"; within = "item due"')
    item = f'items = [{{ ref = "one", owner = "{GP}", due = 2026-07-20T12:00:00 }}]\n'
    line = _only(_run(rule, ASK + item))
    assert (line.debtor, line.due) == (GP, ms("2026-07-20 12:00"))
    rule = send_rule('within = "moment:needed_by"')
    moment = "moments = { needed_by = 2026-07-08T10:00:00Z }\naccepted = 2026-07-06T12:00:00\n"
    line = _only(_run(rule, ASK + moment))
    assert (line.due, line.opened_at) == (ms("2026-07-08 11:00"), ms("2026-07-06 12:00"))


RECURS = """
[[recurring]]
name = "weekly"
every = "1 week"
starting = 2026-07-06
send = { type = "b", by = "role:gp", to = "role:mash", within = "2 working days" }
ladder = [{ after = "0 hours", to = "debtor" }]
"""


def test_what_recurs_is_shown_from_the_first_event_on() -> None:
    """Each period once, met by what happened in it; without an end none begins after the last event."""
    reply = _event("reply", "2026-07-14T10:00:00", **{"from": GP, "thread": "whatever"})
    shown = _run(send_rule(name="answer") + RECURS, ASK, reply, until="2026-07-21 12:00")
    weekly = [line for line in shown.lines if line.rule == "weekly"]
    assert [(line.opened_at, line.state, line.settled_by) for line in weekly] == [
        (ms("2026-07-13 00:00"), "met", "reply"),
        (ms("2026-07-20 00:00"), "open", None),
    ]
    assert {(line.opened_by, line.debtor, line.creditor) for line in weekly} == {("the calendar", GP, CHAIR)}
    late = _run(RECURS, ASK, until="2026-07-28 12:00")
    assert [(line.state, len(line.told)) for line in late.lines] == [("late", 1), ("late", 1), ("open", 0)]
    endless = _run(RECURS, ASK, reply)
    assert [line.opened_at for line in endless.lines] == [ms("2026-07-13 00:00")]
    before = _run(RECURS, ASK, until="2026-07-06 09:00")
    assert [line.opened_at for line in before.lines] == [ms("2026-07-06 00:00")]


def test_what_moves_is_shown_with_both_and_goes_on_where_it_stands() -> None:
    """The first holder's line ends, the next one's goes on with the steps to come; and back again."""
    ladder = 'ladder = [{ after = "0 hours", to = "debtor" }, { after = "48 hours", to = "debtor" }]'
    moves = '\n[[types.c.rehomes]]\ngiver = "sender"\ntaker = "recipients"\n'
    rules = agreement(send_rule(extra=ladder) + moves, types=("a", "b", "c"))

    def shown(*events: str) -> dict[str, tuple[str, str, list[int], str | None]]:
        run = simulate(rules, directory(), parse_events("".join((ASK, *events))), {})
        return {
            line.debtor: (line.opened_by, line.state, [step.at for step in line.told], line.settled_by)
            for line in run.lines
        }

    over, second = ms("2026-07-07 17:00") + 1, ms("2026-07-09 17:00")
    there = _event("there", "2026-07-08T10:00:00", type="c", to=[GP])
    reply = _event("reply", "2026-07-20T10:00:00", **{"from": GP})
    assert shown(there, reply) == {
        HEALTH: ("ask", "superseded", [over], "there"),
        GP: ("there", "met_late", [second], "reply"),
    }
    back = _event("back", "2026-07-08T12:00:00", type="c", to=[HEALTH], **{"from": GP})
    assert shown(there, back) == {
        HEALTH: ("back", "late", [second], None),
        GP: ("there", "superseded", [], "back"),
    }


def _case(members: dict[str, object]) -> str:
    facts = members.get("facts")
    text = _event("one", **{key: value for key, value in members.items() if key != "facts"})
    pairs = ", ".join(f"{fact} = {json.dumps(code)}" for fact, code in facts.items()) if isinstance(facts, dict) else ""
    return f"{text}facts = {{ {pairs} }}\n"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"type": "c"}, "`c` is not agreed"),
        ({"type": "meeting.claimed", "from": "nowhere/desk"}, "`nowhere/desk` is no open mailbox of the directory"),
        ({"type": "meeting.claimed", "to": []}, "it is sent to nobody"),
        ({"type": "info.report", "to": [CHAIR]}, f"`{CHAIR}` may not receive `info.report`"),
        ({"type": "minutes.full"}, f"`{HEALTH}` may not send `minutes.full`"),
        (
            {"type": "meeting.claimed", "facts": {"meeting": "tea"}},
            "`meeting.claimed` can't say that `meeting` is `tea`",
        ),
        ({"type": "meeting.claimed", "facts": {"tea": "yes"}}, "`meeting.claimed` can't say that `tea` is `yes`"),
    ],
)
def test_what_the_agreement_refuses_is_said(members: dict[str, object], reason: str) -> None:
    """A refused event opens nothing, and the reason names who may not do what."""
    shown = simulate(example(), directory(), parse_events(_case(members)), SHAPES)
    assert [(one.event, one.reason) for one in shown.refused] == [("one", reason)]
    assert shown.lines == ()


def test_what_would_open_too_much_is_refused_unless_it_is_urgent() -> None:
    """As at the hub: 64 items for each of several parties are too many at once."""
    rules = "".join(send_rule('type = "b"; by = "item-owner"; to = "each-party"', name=f"r{n}") for n in range(5))
    items = ", ".join(f'{{ ref = "{n}", owner = "{HEALTH}", due = 2026-07-08T10:00:00Z }}' for n in range(64))
    text = _event("ask", type="a", parties=[CHAIR, GP]) + f"items = [{items}]\n"
    (refused,) = _run(rules, text).refused
    assert refused.reason == "it would open more than 512 obligations, and it is not urgent"
    assert len(_run(rules, text + "urgent = true\n").lines) == 640


def test_a_moment_that_no_message_names_is_refused() -> None:
    """A misspelt moment would make a deadline silently another one."""
    text = _event("one", type="meeting.claimed") + "moments = { needed_by = 2026-07-08T10:00:00Z }\n"
    (refused,) = simulate(example(), directory(), parse_events(text), SHAPES).refused
    assert refused.reason == "`meeting.claimed` names no moment `needed_by`"


def test_a_version_may_be_named() -> None:
    """`a/2` is of family `a`; parties are looked up too."""
    assert _run(send_rule(), ASK.replace('"a"', '"a/2"')).refused == ()
    assert _run(send_rule(), ASK + 'parties = ["nowhere/desk"]\n').refused != ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("= 1", "simulation-text"),
        ('[[events]]\nname = "one"', "simulation-text"),
        (ASK + 'colour = "red"', "simulation-text"),
        (ASK + 'receipt = "filed"', "simulation-text"),
        (_event("one", type=None), "simulation-text"),
        (ASK + ASK, "simulation-name"),
        (ASK + 're = "nothing"', "simulation-name"),
        (_event("one", type=None, receipt="filed"), "simulation-name"),
    ],
)
def test_events_that_make_no_sense_are_refused(text: str, code: str) -> None:
    """With the place and the reason."""
    with pytest.raises(MalformedError) as caught:
        parse_events(text)
    assert caught.value.code == code


def test_without_a_calendar_moments_are_utc() -> None:
    """Local moments are read and shown in the zone of the first calendar, else in UTC."""
    head, _, rest = FRAME.partition("[calendars.office]")
    frame = head.replace('calendar = "office"\n', "") + "[calendars]\n" + rest[rest.index("[retention") :]
    plain = send_rule('within = "72 hours"')
    line = _only(_run(plain, ASK, frame=frame))
    assert as_local(line.due, agreement(plain, frame)) == "2026-07-09 10:00"
    assert line.due == ms("2026-07-09 11:00")
    assert as_local(ms("2026-07-09 10:00"), example()) == "2026-07-09 10:00"


def test_the_example_is_what_its_comments_say() -> None:
    """The shipped events: health has its note in time, police late, nobody the full minutes; probation isn't asked."""
    folder = EXAMPLE.parent
    county = parse_places((folder / "county.toml").read_text("utf-8"))
    shown = simulate(example(), county, parse_events((folder / "simulation.toml").read_text("utf-8")), SHAPES)
    assert shown.refused == ()
    told = {"probation-asked", "decision-note", "full-minutes"}
    states = {(line.rule, line.creditor.partition("/")[0]): line.state for line in shown.lines if line.rule in told}
    assert states == {
        ("probation-asked", "exampleshire-probation"): "late",
        ("decision-note", "northmere-health"): "met",
        ("decision-note", "exampleshire-constabulary"): "met_late",
        ("full-minutes", "northmere-health"): "late",
        ("full-minutes", "exampleshire-constabulary"): "late",
    }
    assert msgspec.json.encode(shown)
    assert NURSES not in {line.debtor for line in shown.lines}
