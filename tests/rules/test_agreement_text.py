"""The readable agreement: compiled as it reads, refused with its place, and told back in English."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from schemas.agreement import Answer, Clock, Rung, When
from schemas.agreement_text import compile_agreement, explain
from schemas.rules.clocks import OpenDays
from schemas.rules.recurring import thread_of
from schemas.rules.words import parse_clock, parse_span, say_clock, say_list, say_span, say_who
from schemas.strict_json import MalformedError
from tests.rules.support import EXAMPLE, FRAME, agreement, days, example, ms, send_rule

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "clock", "said"),
    [
        ("72 hours", Clock(kind="elapsed", amount=72 * HOUR), "within 72 hours"),
        ("1 hour", Clock(kind="elapsed", amount=HOUR), "within 1 hour"),
        ("5 minutes", Clock(kind="elapsed", amount=300_000), "within 5 minutes"),
        (
            "1 working day",
            Clock(kind="working_days", amount=1, calendar="office"),
            "within 1 working day (calendar `office`)",
        ),
        (
            "15 working days",
            Clock(kind="working_days", amount=15, calendar="office"),
            "within 15 working days (calendar `office`)",
        ),
        (
            "3 school days",
            Clock(kind="working_days", amount=3, calendar="school"),
            "within 3 working days (calendar `school`)",
        ),
        (
            "same working day",
            Clock(kind="working_days", calendar="office"),
            "by the end of the same open day of calendar `office`",
        ),
        (
            "before next school day",
            Clock(kind="before_day", calendar="school"),
            "before the next open day of calendar `school` starts",
        ),
        ("35 days", Clock(kind="days", amount=35, calendar="office"), "within 35 days"),
        ("8 weeks", Clock(kind="weeks", amount=8, calendar="office"), "within 8 weeks"),
        ("1 month", Clock(kind="months", amount=1, calendar="office"), "within 1 month"),
        ("3 months", Clock(kind="months", amount=3, calendar="office"), "within 3 months"),
        (
            "moment:needed_by",
            Clock(kind="moment", code="needed_by"),
            "by the moment `needed_by` that the envelope names",
        ),
        ("item due", Clock(kind="item"), "by the item's own due moment"),
    ],
)
def test_a_time_limit_means_what_it_says_both_ways(text: str, clock: Clock, said: str) -> None:
    """Each form of words is one clock, and the clock is told back in words."""
    assert parse_clock(text, working="office") == clock
    assert say_clock(clock) == said


@pytest.mark.parametrize(
    "text", ["", "soon", "72hours", "-1 hours", "1.5 hours", "moment:", "moment:a b", "5 Working days", "1 hour "]
)
def test_other_words_are_refused(text: str) -> None:
    """What isn't a time limit is refused, not guessed at."""
    with pytest.raises(MalformedError) as caught:
        parse_clock(text, working="office")
    assert caught.value.code == "agreement-clock"


def test_a_warning_says_before() -> None:
    """A warning without `before` is refused; after its word, it is a span like any other."""
    assert parse_span("4 hours before", "before", working="office") == Clock(kind="elapsed", amount=4 * HOUR)
    assert parse_span("4 hours", "", working="office") == Clock(kind="elapsed", amount=4 * HOUR)
    with pytest.raises(MalformedError) as caught:
        parse_span("4 hours", "before", working="office")
    assert caught.value.code == "agreement-clock"
    assert say_span(Clock(kind="elapsed", amount=90 * 60_000)) == "90 minutes"


def test_people_are_named_in_plain_words() -> None:
    """Selectors, targets, roles and mailboxes each have their English."""
    names = ["sender", "creditor/deputy", "party:youth_offending", "role:gp", "mailbox:a/b", "social_care", "*"]
    assert say_who("unnamed:gp") == "gp, where nobody of gp is named"
    assert say_who("unnamed:health/school_nursing") == "school nursing, where nobody of health is named"
    assert [say_who(name) for name in names] == [
        "the sender",
        "the deputy of whoever is owed it",
        "each party that is youth offending",
        "gp",
        "a/b",
        "social care",
        "everyone",
    ]
    assert say_list(["a", "b", "c"], "or") == "a, b or c"
    assert say_list(["a"]) == "a"


def test_a_rule_is_compiled_as_it_reads() -> None:
    """Each key of a rule ends where the engine looks for it."""
    text = send_rule(
        'variants = ["full", "redacted"]; since = "accepted"; per = "envelope"; within = "moment:x"; '
        'otherwise = "2 hours"',
        'because = "domain 4"\nwhen = { urgent = true, meeting = "strategy", sender = ["police"], band = ["a", "b"] }\n'
        'warn = [{ before = "2 working days", to = "debtor" }]\nladder = [{ after = "1 hour", to = ["creditor"] }]\n',
    )
    (rule,) = agreement(text).types["a"].opens
    assert rule.answers == (Answer(types=("b",), facts={"variant": ("full", "redacted")}),)
    assert (rule.every, rule.by, rule.to) == (False, "recipients", ("sender",))
    assert (rule.since, rule.per, rule.because, rule.tell) == (
        "accepted",
        "envelope",
        "domain 4",
        ("debtor", "creditor"),
    )
    assert rule.when == When(facts={"meeting": ("strategy",), "band": ("a", "b")}, urgent=True, sender=("police",))
    assert (rule.within, rule.otherwise) == (Clock(kind="moment", code="x"), Clock(kind="elapsed", amount=2 * HOUR))
    assert rule.warn == (Rung(span=Clock(kind="working_days", amount=2, calendar="office"), to=("debtor",)),)
    assert rule.ladder == (Rung(span=Clock(kind="elapsed", amount=HOUR), to=("creditor",)),)


def test_what_crosses_threads_and_types_is_compiled_as_it_reads() -> None:
    """Endings, moves, what recurs, what registers watch for, and who answers for the numbers."""
    frame = f'owner = "board"\nsuppress_below = 9\n{FRAME}'
    made = agreement(send_rule(name="w1") + send_rule(name="w2") + MANY, frame)
    ending, about = made.types["a"].ends
    assert (ending.when, ending.rules, ending.about) == (When(facts={"band": ("high",)}), ("w1", "taken"), False)
    assert (about.rules, about.about) == (("w1",), True)
    everything, some = made.types["a"].rehomes
    assert (everything.giver, everything.taker, everything.rules) == ("sender", "recipients", ())
    assert (some.when, some.rules) == (When(sender=("police",)), ("w1", "w2"))
    monthly, weekly = made.recurring
    assert monthly.answers == (Answer(types=("a",)), Answer(types=("b",)))
    assert (monthly.by, monthly.to, monthly.tell) == ("role:police", ("role:gp", "role:mash"), ("debtor", "creditor"))
    assert (monthly.calendar, monthly.starting, monthly.thread) == ("office", "2026-01-05", thread_of("monthly-list"))
    assert monthly.within == Clock(kind="working_days", amount=5, calendar="office")
    assert (weekly.period, weekly.within) == (Clock(kind="weeks", amount=2, calendar="office"), None)
    repeat, unreviewed = made.patterns
    assert (repeat.at, repeat.on, repeat.send, repeat.to) == (("police", "gp"), ("a", "b"), "a", ("role:mash",))
    assert repeat.seen[0].within == Clock(kind="days", amount=90, calendar="office")
    assert [seen.kind for seen in repeat.unless] == ["review", "plan"]
    assert (unreviewed.must_be_empty, unreviewed.send) == (True, None)
    assert (made.owner, made.suppress_below) == ("board", 9)
    (receipt,) = made.types["a"].receipts
    assert (receipt.effective_from, receipt.effective_to) == (None, ms("2026-09-01 00:00"))


def test_each_schema_is_signed_with_its_type() -> None:
    """By family and major version, so that the officers' signatures cover what a message is."""
    text = FRAME + '[types.a]\nsenders = "*"\nrecipients = "*"\nbasis_classes = "care"\nretention = "case"\n'
    made = compile_agreement(
        text,
        version=7,
        previous=None,
        issued=0,
        schemas={"a/1": "A" * 43, "a/2": "B" * 42 + "A", "b/1": "C" * 42 + "A"},
    )
    assert made.types["a"].schemas == {"1": "A" * 43, "2": "B" * 42 + "A"}


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("agreement-text", ('partnership = "exampleshire"', "partnership =")),
        ("agreement-text", ('calendar = "office"', 'calender = "office"')),
        ("agreement-text", ("max_days = 400", 'max_days = "long"')),
        ("agreement-text", ("in_force_from = 2026-01-01", 'in_force_from = "today"')),
        ("agreement-text", ("years = [2018, 2045]", "years = [2018]")),
        ("agreement-date", ("years = [2018, 2045]", "years = [2045, 2018]")),
        ("agreement-date", ("years = [2018, 2045]", "years = [2018, 9999]")),
        ("agreement-calendar", ('country = "GB"', 'country = "ZZ"')),
        ("agreement-calendar", ('subdivision = "ENG"', 'subdivision = "ZZ"')),
        ("agreement-calendar", ('zone = "Europe/London"', 'zone = "Europe/Nowhere"')),
        ("agreement-calendar", ('zone = "Europe/London"', 'zone = "/etc/passwd"')),
        ("json-shape", ('partnership = "exampleshire"', 'partnership = "Not A Name"')),
    ],
)
def test_a_text_that_cannot_be_compiled_is_refused(code: str, change: tuple[str, str]) -> None:
    """Unknown keys, wrong kinds, unknown places and zones are named before anything is signed."""
    with pytest.raises(MalformedError) as caught:
        agreement(frame=FRAME.replace(*change))
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize("when", ['{ urgent = "yes" }', "{ meeting = true }"])
def test_a_condition_of_the_wrong_kind_is_refused(when: str) -> None:
    """Urgency is true or false, and a fact is a code."""
    with pytest.raises(MalformedError) as caught:
        agreement(send_rule(extra=f"when = {when}"))
    assert caught.value.code == "agreement-text"


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("2026-07-01", ms("2026-07-01 00:00")),
        ("2026-07-01T09:00:00", ms("2026-07-01 09:00")),
        ("2026-07-01T09:00:00Z", ms("2026-07-01 10:00")),
    ],
)
def test_it_is_in_force_from_local_midnight_or_the_moment_given(words: str, moment: int) -> None:
    """A date begins at midnight of the agreement's own calendar."""
    assert (
        agreement(frame=FRAME.replace("in_force_from = 2026-01-01", f"in_force_from = {words}")).in_force_from == moment
    )


def test_without_a_calendar_of_its_own_a_date_begins_at_midnight_utc() -> None:
    """An agreement that counts no days needs no calendar."""
    frame = FRAME.replace('calendar = "office"\n', "").replace("2026-01-01", "2026-07-01")
    assert agreement(frame=frame).in_force_from == ms("2026-07-01 01:00")


def test_calendars_are_written_out_with_additions_and_removals() -> None:
    """Bank holidays, added and removed dates, closed periods and terms become dates; weekends stay weekdays."""
    frame = FRAME.replace(
        "[calendars.school]",
        'add = [2026-07-07, 2026-07-11]\nremove = [2026-12-25]\nweekend = ["sunday"]\n[calendars.school]',
    ).replace("closed = [[2026-07-22, 2026-09-01]]", "terms = [[2026-01-05, 2026-02-13], [2026-02-23, 2026-03-27]]")
    calendars = agreement(frame=frame).calendars
    office, school = calendars["office"], calendars["school"]
    assert {"2026-07-07", "2026-07-11", "2026-12-28", "2026-04-06"} <= set(office.closed)
    assert "2026-12-25" not in office.closed
    assert (office.weekend, office.first, office.last, office.version) == ((7,), "2018-01-01", "2045-12-31", 7)
    open_days = OpenDays(school)
    assert sum(map(open_days.is_open, days(date(2026, 1, 1), 365))) == 30 + 25
    assert (school.day_starts, school.day_ends) == (8 * 60 + 30, 17 * 60)


def test_clock_changes_are_written_out() -> None:
    """Two changes a year, at 01:00 UTC, after the offset that the years begin with."""
    offsets = example().calendars["office"].offsets
    assert offsets[0][1] == 0
    assert len(offsets) == 1 + 2 * 28
    assert (ms("2026-03-29 02:00"), HOUR) in offsets
    assert (ms("2026-10-25 02:00") - HOUR, 0) in offsets


def test_compiling_twice_gives_the_same_bytes_but_for_what_differs() -> None:
    """The text decides; version, predecessor and moment of issue are given."""
    text = EXAMPLE.read_text("utf-8")
    again = compile_agreement(text, version=3, previous=None, issued=0)
    assert again == example()
    later = compile_agreement(text, version=4, previous="A" * 43, issued=5)
    assert (later.version, later.previous, later.issued) == (4, "A" * 43, 5)
    assert later.types == example().types


def test_an_agreement_is_told_back_in_english() -> None:
    """Everyone who signs can read who owes whom what, by when, and who hears of it."""
    said = explain(example())
    for line in (
        "Sharing agreement of exampleshire-partnership, version 3",
        "In force from 1 January 2026, 00:00 UTC; issued 1 January 1970, 00:00 UTC.",
        "  From social care or exploitation team.",
        "  To everyone.",
        (
            "    When meeting is strategy, exploitation or conference: the sender sends minutes.decisions to each "
            "party but the sender, within 1 working day (calendar `office`) of the event."
        ),
        "    4 hours before: a warning to whoever owes it and whoever is owed it.",
        "    If late, at once: whoever owes it and whoever is owed it.",
        "    If late, after 2 working days (calendar `office`): partnership.",
        (
            "    each recipient takes receipt (filed or acknowledged) by the moment `starts` that the envelope names, or "
            "where it names none within 1 working day (calendar `office`) of the hub's acceptance."
        ),
    ):
        assert line in said.splitlines()
    for family in example().types:
        assert f"\n{family}: " in said


def test_every_form_of_rule_can_be_told() -> None:
    """Windows that lapse, items, urgency, senders, other moments and after-hours days have their words too."""
    frame = FRAME.replace("[calendars.school]", 'weekend = []\nafter_hours = "next day"\n[calendars.school]')
    rules = (
        send_rule(extra="lapses = true\nwhen = { urgent = false }", name="w1")
        + send_rule('within = "item due"; by = "item-owner"', 'when = { urgent = true, sender = "police" }', name="w2")
        + send_rule('within = "moment:x"; per = "re"', "when = { }", name="w3")
        + send_rule('since = "moment:returned"; per = "envelope"; within = "72 hours"', name="w4")
    )
    said = explain(agreement(rules, frame))
    for words in (
        "Closed on no weekday and on",
        "What happens outside these hours counts as the next open day's.",
        "When it is not urgent: each recipient sends b to the sender",
        "recorded as a lapse",
        (
            "When it is urgent and the sender is police: the owner of each item sends b to the sender, "
            "by the item's own due moment."
        ),
        "by the moment `x` that the envelope names, or where it names none at once.",
        "once for each envelope it is about",
        "once for each such envelope, within 72 hours of the moment `returned`.",
        "\na\n  From everyone.",
    ):
        assert words in said
    assert said.count("If late, at once: whoever owes it and whoever is owed it.") == 3


MANY = """
[[types.a.ends]]
when = { band = "high" }
rules = ["w1", "taken"]
[[types.a.ends]]
rules = "w1"
about = true
[[types.a.rehomes]]
giver = "sender"
taker = "recipients"
[[types.a.rehomes]]
when = { sender = "police" }
giver = "party:gp"
taker = "role:mash"
rules = ["w1", "w2"]
[[types.a.receipts]]
name = "taken"
level = "filed"
within = "1 hour"
effective_to = 2026-09-01
[[recurring]]
name = "monthly-list"
because = "domain 4"
every = "1 month"
starting = 2026-01-05
owner = "Health Board"
send = { any = [{ type = "a" }, { type = "b" }], by = "role:police", to = ["role:gp", "role:mash"], within = "5 working days" }
ladder = [{ after = "1 hour", to = "debtor" }]
[[recurring]]
name = "weekly"
every = "2 weeks"
starting = 2026-01-05
send = { type = "a", by = "role:police", to = "role:gp" }
[[patterns]]
name = "repeat"
because = "domain 2"
at = ["police", "gp"]
on = ["a", "b"]
when = { band = "high" }
seen = [{ kind = "alert", states = ["open", "held"], facts = { band = "high" }, overdue = true, least = 3, within = "90 days" }]
unless = [{ kind = "review" }, { kind = "plan", least = 2 }]
send = "a"
to = "role:mash"
[[patterns]]
name = "unreviewed"
at = "police"
seen = [{ kind = "alert" }]
must_be_empty = true
"""


@pytest.mark.parametrize(
    "words",
    [
        "Its numbers are the board's to change, unless a rule says otherwise.",
        (
            "    each recipient sends b (variant full, once nothing is owed by w2 or taken) and a (band high or low, sent by "
            "whoever is owed it) to the sender, within 1 hour of the event."
        ),
        "    The safeguarding lead may change it.",
        "    Waived by police or gp; because of recorded in error.",
        "    Waived by those who may waive; because of duplicate.",
        "    Waived by gp.",
        "    For what happens from 30 June 2026, 23:00 UTC.",
        "    For what happens before 31 August 2026, 23:00 UTC.",
        (
            "    When something is still owed by w1, nothing is owed by w1 or taken and it meets w1: the sender sends b to "
            "health, where nobody of health is named, within 1 hour of the event."
        ),
        "  When band is high: it ends what its sender owes or is owed by w1 and taken.",
        "  it ends what its sender owes or is owed by w1 about what it names.",
        "  what the sender owes and is owed in the thread goes over to each recipient.",
        "  When the sender is police: what each party that is gp owes and is owed by w1 and w2 in the thread goes over to mash.",
        "Every 1 month from 2026-01-05: monthly-list (domain 4)",
        "  police sends a or b to gp and mash, within 5 working days (calendar `office`) of its beginning.",
        "  The Health Board may change it.",
        "  If late, after 1 hour: whoever owes it.",
        "Every 2 weeks from 2026-01-05: weekly",
        "  police sends a to gp, before the period ends.",
        "  If late, at once: whoever owes it and whoever is owed it.",
        "In the register of police or gp: repeat (domain 2)",
        (
            "  When a or b concerns a child, when band is high: look for 3 or more entries of kind alert that is open or held with "
            "band high past its own date of the last 90 days."
        ),
        "  Not if there is an entry of kind review or 2 or more entries of kind plan.",
        "  It becomes a to mash.",
        "In the register of police: unreviewed",
        "  Whenever a child's entries change, look for an entry of kind alert.",
        "  People of the agency are told.",
        "  Nobody may be on this list.",
    ],
)
def test_every_part_of_an_agreement_can_be_told(words: str) -> None:
    """Answers and gates, who changes and waives what, dates, endings, moves, what recurs, and what registers watch for."""
    rules = (
        send_rule(
            'type = []; all = [{ type = "b", variants = "full", unless_owed = ["w2", "taken"] }, '
            '{ type = "a", by = "creditor", facts = { band = ["high", "low"] } }]; within = "1 hour"',
            'owner = "safeguarding lead"\nwaived_by = ["police", "gp"]\nwaiver_reasons = "recorded_in_error"\n'
            "effective_from = 2026-07-01",
            name="w1",
        )
        + send_rule(
            'by = "sender"; to = "unnamed:health"; within = "1 hour"',
            'when = { owed = "w1", not_owed = ["w1", "taken"], settles = "w1" }\nwaiver_reasons = "duplicate"',
            name="w2",
        )
        + send_rule(extra='waived_by = "gp"', name="w3")
    )
    assert words in explain(agreement(rules + MANY, f'owner = "board"\n{FRAME}')).splitlines()


@pytest.mark.parametrize("module", ["schemas.rules.compiled", "schemas.agreement_text"])
def test_the_engine_needs_neither_zones_nor_holidays(module: str) -> None:
    """What judges duties, and even what compiles agreements, imports no look-up of dates until it makes a calendar."""
    code = f"import sys, {module}; print(sorted({{'zoneinfo', 'holidays'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
