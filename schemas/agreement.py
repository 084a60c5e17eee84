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
from schemas.identifiers import AgencyId, Code, Moment, Sha256
from schemas.receipt import Level
from schemas.strict_json import parse_as

MAX_AGREEMENT: Final = 8 * 1024 * 1024
FAMILY_PATTERN: Final = r"\A[a-z][a-z0-9_]{0,23}(?:\.[a-z][a-z0-9_]{0,23}){0,3}\Z"

Family = Annotated[str, Meta(pattern=FAMILY_PATTERN, max_length=99)]
Date = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
# A selector, a target, a sender: at most `mailbox:` and a mailbox's 81 characters.
Name = Annotated[str, Meta(min_length=1, max_length=89)]
Sentence = Annotated[str, Meta(max_length=400)]
Version = Annotated[int, Meta(ge=1, le=2**53 - 1)]
# Clock changes may lie before 1970.
Instant = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
Minutes = Annotated[int, Meta(ge=0, le=24 * 60 - 1)]
BasisClass = Literal["safeguarding", "care", "law_enforcement", "other"]


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
    """What must be so for a rule to apply: every named fact has one of its codes, and the rest as they say."""

    facts: Mapping[Code, Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]] = {}
    urgent: bool | None = None
    sender: Annotated[tuple[Code, ...], Meta(max_length=64)] = ()


class Rung(Struct, frozen=True, kw_only=True):
    """One step of a ladder (or, before the due moment, a warning): how far from due, and who is told."""

    span: Clock
    to: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=16)]


class Rule(Struct, frozen=True, kw_only=True):
    """What both kinds of rule have.

    ``since``: ``at``, ``accepted`` or ``moment:<code>``.  ``otherwise``: the limit where the envelope lacks the moment
    that ``within`` names; without it the duty is due at once.  ``because``: the procedure that it comes from.
    """

    name: Code
    because: Sentence = ""
    when: When | None = None
    within: Clock
    otherwise: Clock | None = None
    since: Name
    tell: Annotated[tuple[Name, ...], Meta(max_length=16)] = ()
    warn: Annotated[tuple[Rung, ...], Meta(max_length=16)] = ()
    ladder: Annotated[tuple[Rung, ...], Meta(max_length=16)] = ()


class SendRule(Rule, frozen=True, kw_only=True):
    """An envelope of this type makes ``by`` owe ``to`` one of ``types``.

    ``per``: one duty for each ``thread``, for each such ``envelope``, or for each envelope that it is about (``re``).
    ``lapses``: an objection window, which ends without being overdue.
    """

    types: Annotated[tuple[Family, ...], Meta(min_length=1, max_length=16)]
    variants: Annotated[tuple[Code, ...], Meta(max_length=16)] = ()
    by: Name
    to: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=16)]
    per: Literal["thread", "envelope", "re"] = "thread"
    lapses: bool = False


class ReceiptRule(Rule, frozen=True, kw_only=True):
    """Each recipient of an envelope of this type owes its sender a receipt at one of ``levels``."""

    levels: Annotated[tuple[Level, ...], Meta(min_length=1, max_length=4)]


class Terms(Struct, frozen=True, kw_only=True):
    """What is agreed about one type.  ``senders`` and ``recipients``: roles, mailboxes by id, or ``*`` for everyone."""

    title: Sentence = ""
    senders: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=256)]
    recipients: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=256)]
    basis_classes: Annotated[tuple[BasisClass, ...], Meta(min_length=1, max_length=4)]
    retention: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=16)]
    opens: Annotated[tuple[SendRule, ...], Meta(max_length=512)] = ()
    receipts: Annotated[tuple[ReceiptRule, ...], Meta(max_length=512)] = ()


class Agreement(Struct, frozen=True, kw_only=True):
    """One version of the agreement.  ``roles``: every role that it may speak of, so that a misspelt one is found.

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
