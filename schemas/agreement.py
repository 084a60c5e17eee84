"""The sharing agreement as it is signed: who may send which type to whom, what that opens, by when, who hears of it.

Every number that policy sets stands here, with the calendars' dates written out, so that hub and gateway look
nothing up.  The readable text that it is compiled from is in ``agreement_text``; what makes an agreement sound, in
``rules.soundness``; what it does, in ``rules``.

Source: design 6; protocol 5 and 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta

from schemas.envelope import Struct
from schemas.identifiers import AgencyId, Code, Moment, Sha256, ThreadId
from schemas.receipt import Level
from schemas.strict_json import parse_as

MAX_AGREEMENT: Final = 8 * 1024 * 1024
FAMILY_PATTERN: Final = r"\A[a-z][a-z0-9_]{0,23}(?:\.[a-z][a-z0-9_]{0,23}){0,3}\Z"

Family = Annotated[str, Meta(pattern=FAMILY_PATTERN, max_length=99)]
Date = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
# A selector, a target, a sender: at most `unnamed:`, a role, a stroke and a post.
Name = Annotated[str, Meta(min_length=1, max_length=137)]
Pointer = Annotated[str, Meta(pattern=r"\A(?:/[a-z0-9_]{1,64}){1,8}\Z")]
Sentence = Annotated[str, Meta(max_length=400)]
Version = Annotated[int, Meta(ge=1, le=2**53 - 1)]
# Clock changes may lie before 1970.
Instant = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
Major = Annotated[str, Meta(pattern=r"\A[1-9][0-9]{0,2}\Z")]
Minutes = Annotated[int, Meta(ge=0, le=24 * 60 - 1)]
BasisClass = Literal["safeguarding", "care", "law_enforcement", "other"]
# The codes that a fact may have.
Codes = Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
RuleNames = Annotated[tuple[Code, ...], Meta(max_length=32)]


class Calendar(Struct, frozen=True, kw_only=True):
    """Which days count, from ``first`` to ``last``, in one zone.

    ``closed``: dates that aren't worked though no weekend; ``weekend``: ISO weekdays, Monday 1.  ``offsets``: from
    which UTC millisecond local time is how many milliseconds ahead of UTC.  ``day_starts``, ``day_ends``: minutes
    after local midnight.  ``after_hours`` ``next_day``: what happens outside hours counts as the next working day's.
    """

    version: Version
    zone: Annotated[str, Meta(max_length=64)]
    first: Date
    last: Date
    weekend: Annotated[tuple[Annotated[int, Meta(ge=1, le=7)], ...], Meta(max_length=6)]
    closed: Annotated[tuple[Date, ...], Meta(max_length=20_000)]
    offsets: Annotated[
        tuple[tuple[Instant, Annotated[int, Meta(ge=-86_400_000, le=86_400_000)]], ...],
        Meta(min_length=1, max_length=1_000),
    ]
    day_starts: Minutes
    day_ends: Minutes
    after_hours: Literal["same_day", "next_day"] = "same_day"


class Retention(Struct, frozen=True, kw_only=True):
    """How long the hub keeps a sealed body: ``days_after_cleared`` by everyone, and never longer than ``max_days``."""

    days_after_cleared: Annotated[int, Meta(ge=0, le=400)]
    max_days: Annotated[int, Meta(ge=1, le=400)]


class Clock(Struct, frozen=True, kw_only=True):
    """A time limit.

    ``elapsed``: ``amount`` milliseconds.  ``working_days``: end of the amount-th day of ``calendar``, the event's day
    being day 0.  ``before_day``: start of the calendar's next day.  ``days``, ``weeks``, ``months``: end of that date.
    ``moment``: the header's moment ``code``.  ``item``: the item's own due moment.
    """

    kind: Literal["elapsed", "working_days", "before_day", "days", "weeks", "months", "moment", "item"]
    amount: Annotated[int, Meta(ge=0, le=10 * 366 * 86_400_000)] = 0
    calendar: Code | None = None
    code: Code | None = None


class When(Struct, frozen=True, kw_only=True):
    """What must be so for a rule to apply: every named fact has one of its codes, and the rest as they say.

    ``owed``: a duty of one of these rules is open in the thread, once the envelope has settled what it settles;
    ``not_owed``: none is; ``settles``: the envelope settles one itself.
    """

    facts: Mapping[Code, Codes] = {}
    urgent: bool | None = None
    sender: Annotated[tuple[Code, ...], Meta(max_length=64)] = ()
    owed: RuleNames = ()
    not_owed: RuleNames = ()
    settles: RuleNames = ()


class Rung(Struct, frozen=True, kw_only=True):
    """One step of a ladder (or, before the due moment, a warning): how far from due, and who is told."""

    span: Clock
    to: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=16)]


class Answer(Struct, frozen=True, kw_only=True):
    """One way to meet a duty: a message of ``types`` with ``facts`` from ``by`` to the other party.

    ``unless_owed``: it counts only while no duty of these rules is open in the thread: a gate.
    """

    types: Annotated[tuple[Family, ...], Meta(min_length=1, max_length=16)]
    facts: Mapping[Code, Codes] = {}
    by: Literal["debtor", "creditor"] = "debtor"
    unless_owed: RuleNames = ()


Answers = Annotated[tuple[Answer, ...], Meta(min_length=1, max_length=16)]


class Alarm(Struct, frozen=True, kw_only=True):
    """What every rule has: its name, where it comes from, and who hears of its duties.

    ``because``: the procedure that it comes from; ``owner``: who may change it, if not the agreement's owner.
    ``waived_by`` and ``waiver_reasons``: roles and codes that may end its duties, if not the agreement's.
    """

    name: Code
    because: Sentence = ""
    owner: Sentence = ""
    tell: Annotated[tuple[Name, ...], Meta(max_length=16)] = ()
    warn: Annotated[tuple[Rung, ...], Meta(max_length=16)] = ()
    ladder: Annotated[tuple[Rung, ...], Meta(max_length=16)] = ()
    waived_by: Annotated[tuple[Code, ...], Meta(max_length=16)] = ()
    waiver_reasons: Annotated[tuple[Code, ...], Meta(max_length=64)] = ()


class Rule(Alarm, frozen=True, kw_only=True):
    """What both kinds of rule about an envelope have.

    ``since``: ``at``, ``accepted`` or ``moment:<code>``.  ``otherwise``: the limit where the envelope lacks the moment
    that ``within`` names; without it the duty is due at once.  ``effective_from`` and ``effective_to``: for events
    (``at``) from then on, and before then.
    """

    when: When | None = None
    within: Clock
    otherwise: Clock | None = None
    since: Name
    effective_from: Instant | None = None
    effective_to: Instant | None = None


class SendRule(Rule, frozen=True, kw_only=True):
    """An envelope of this type makes ``by`` owe ``to`` one of ``answers``, or where ``every`` says so all of them.

    ``per``: one duty for each ``thread``, for each such ``envelope``, or for each envelope that it is about (``re``).
    ``lapses``: an objection window, which ends without being overdue.
    """

    answers: Answers
    every: bool = False
    by: Name
    to: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=16)]
    per: Literal["thread", "envelope", "re"] = "thread"
    lapses: bool = False


class ReceiptRule(Rule, frozen=True, kw_only=True):
    """Each recipient of an envelope of this type owes its sender a receipt at one of ``levels``."""

    levels: Annotated[tuple[Level, ...], Meta(min_length=1, max_length=4)]


class Ending(Struct, frozen=True, kw_only=True):
    """An envelope of this type ends open duties of ``rules`` in its thread to which its sender is a party.

    ``about``: only those about an item or envelope that it names.  A rule of the type may open the same duty anew.
    """

    because: Sentence = ""
    when: When | None = None
    rules: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=32)]
    about: bool = False


class Rehoming(Struct, frozen=True, kw_only=True):
    """An envelope of this type moves what ``giver`` owes and is owed in its thread over to ``taker``, clocks unchanged.

    ``giver``: a selector, or ``creditor``: whoever was owed what the envelope settles, of the rules in ``when.settles``.
    ``rules``: of these rules only; empty: of all.
    """

    because: Sentence = ""
    when: When | None = None
    giver: Name
    taker: Name
    rules: RuleNames = ()


class Recurring(Alarm, frozen=True, kw_only=True):
    """In every period ``by`` owes ``to`` one of ``answers``, whether or not anything happens, in whatever thread.

    The first period begins on the date ``starting`` in the zone of ``calendar``, each later one ``period`` after the
    one before.  ``within``: by when after its beginning; absent: by its end.  ``thread``: under which the duties are kept.
    """

    answers: Answers
    by: Name
    to: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=16)]
    thread: ThreadId
    calendar: Code
    starting: Date
    period: Clock
    within: Clock | None = None


class Terms(Struct, frozen=True, kw_only=True):
    """What is agreed about one type.  ``senders`` and ``recipients``: roles, mailboxes by id, or ``*`` for everyone.

    ``schemas``: the digest of each major version's schema, so that the officers' signatures cover what a message is.
    """

    title: Sentence = ""
    senders: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=256)]
    recipients: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=256)]
    basis_classes: Annotated[tuple[BasisClass, ...], Meta(min_length=1, max_length=4)]
    retention: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=16)]
    opens: Annotated[tuple[SendRule, ...], Meta(max_length=512)] = ()
    receipts: Annotated[tuple[ReceiptRule, ...], Meta(max_length=512)] = ()
    ends: Annotated[tuple[Ending, ...], Meta(max_length=64)] = ()
    rehomes: Annotated[tuple[Rehoming, ...], Meta(max_length=16)] = ()
    schemas: Mapping[Major, Sha256] = {}


class Seen(Struct, frozen=True, kw_only=True):
    """Entries of an agency's register about one child: at least ``least`` of ``kind``.

    ``states`` and ``facts`` narrow them; ``overdue``: past their own due moment; ``within``: entered no longer ago.
    """

    kind: Code
    states: Annotated[tuple[Code, ...], Meta(max_length=8)] = ()
    facts: Mapping[Code, Codes] = {}
    overdue: bool = False
    least: Annotated[int, Meta(ge=1, le=100)] = 1
    within: Clock | None = None


class Pattern(Struct, frozen=True, kw_only=True):
    """What crosses a child's threads, and so is watched for in the registers of agencies with a role of ``at``.

    Looked at when a message of ``on`` that fits ``when`` concerns the child (``on`` empty: whenever an entry of the
    child changes or falls due).  It holds where everything of ``seen`` is there and nothing of ``unless``.  ``send``:
    it becomes a message of that family to ``to``, in which ``values`` stand at their JSON pointers; without it, a notice
    inside the agency.  ``must_be_empty``: a list, of the children for whom it holds, that must have nobody on it.
    """

    name: Code
    because: Sentence = ""
    at: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=16)]
    on: Annotated[tuple[Family, ...], Meta(max_length=16)] = ()
    when: When | None = None
    seen: Annotated[tuple[Seen, ...], Meta(min_length=1, max_length=8)]
    unless: Annotated[tuple[Seen, ...], Meta(max_length=8)] = ()
    send: Family | None = None
    to: Annotated[tuple[Name, ...], Meta(max_length=16)] = ()
    values: Annotated[Mapping[Pointer, Sentence], Meta(max_length=16)] = {}
    must_be_empty: bool = False


class Agreement(Struct, frozen=True, kw_only=True):
    """One version of the agreement.  ``roles``: every role that it may speak of, so that a misspelt one is found.

    ``owner``: who answers for its numbers.  ``recurring``: what is owed by the calendar alone.  ``patterns``: what the
    agencies' own registers watch for.  ``suppress_below``: counts under it are not shown outside the parties.
    ``waived_by``: roles that may waive a duty besides its creditor; ``waiver_reasons``: the codes that may say why.
    """

    v: Literal[1]
    partnership: AgencyId
    version: Version
    previous: Sha256 | None = None
    issued: Moment
    in_force_from: Moment
    roles: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=256)]
    calendars: Annotated[Mapping[Code, Calendar], Meta(max_length=32)]
    retention: Annotated[Mapping[Code, Retention], Meta(min_length=1, max_length=64)]
    types: Annotated[Mapping[Family, Terms], Meta(min_length=1, max_length=512)]
    waived_by: Annotated[tuple[Code, ...], Meta(max_length=16)] = ()
    waiver_reasons: Annotated[tuple[Code, ...], Meta(max_length=64)] = ()
    owner: Sentence = ""
    suppress_below: Annotated[int, Meta(ge=1, le=100)] = 5
    recurring: Annotated[tuple[Recurring, ...], Meta(max_length=128)] = ()
    patterns: Annotated[tuple[Pattern, ...], Meta(max_length=64)] = ()


def parse_agreement(payload: bytes) -> Agreement:
    """Return the agreement whose signed payload is *payload*, known to be sound.

    Raises:
        MalformedError: ``json-*``, or ``agreement-*`` as in ``rules.soundness``.
    """
    # Soundness needs the structs of this module, and everybody imports this module.
    from schemas.rules.soundness import check_sound

    agreement = parse_as(payload, Agreement, max_bytes=MAX_AGREEMENT)
    check_sound(agreement)
    return agreement
