"""The tables of the TOML text in which people write a sharing agreement, as they are spelled there.

What each key means is told in docs/agreement.md; ``agreement_text`` compiles them.

Source: design 6 (time limits in words).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from schemas.agreement import Retention
from schemas.rules.duty import BOTH

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Period = tuple[date, date]
Words = str | tuple[str, ...]
Wall = Annotated[str, Meta(pattern=r"\A(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z")]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the TOML text."""


class CalendarTable(Table, frozen=True, kw_only=True):
    """``[calendars.NAME]``: which days count."""

    zone: str
    years: tuple[int, int]
    country: str | None = None
    subdivision: str | None = None
    add: tuple[date, ...] = ()
    remove: tuple[date, ...] = ()
    closed: tuple[Period, ...] = ()
    terms: tuple[Period, ...] = ()
    weekend: tuple[Weekday, ...] = ("saturday", "sunday")
    day_starts: Wall = "09:00"
    day_ends: Wall = "17:00"
    after_hours: Literal["same day", "next day"] = "same day"


class RungTable(Table, frozen=True, kw_only=True):
    """One step of a ``ladder``."""

    after: str
    to: Words


class WarningTable(Table, frozen=True, kw_only=True):
    """One of ``warn``, with those who are warned."""

    before: str
    to: Words


WhenTable = Mapping[str, bool | str | tuple[str, ...]]


class AnswerTable(Table, frozen=True, kw_only=True):
    """One of ``any`` or ``all``: a way to meet a duty."""

    type: Words
    variants: Words = ()
    facts: Mapping[str, Words] = {}
    unless_owed: Words = ()
    by: Literal["debtor", "creditor"] = "debtor"


class AwaitedTable(Table, frozen=True, kw_only=True):
    """What a duty waits for, and from whom to whom."""

    by: str
    to: Words
    type: Words = ()
    variants: Words = ()
    facts: Mapping[str, Words] = {}
    unless_owed: Words = ()
    any: tuple[AnswerTable, ...] = ()
    all: tuple[AnswerTable, ...] = ()


class SendTable(AwaitedTable, frozen=True, kw_only=True):
    """``send`` of a rule about an envelope."""

    within: str
    otherwise: str | None = None
    since: str = "at"
    per: Literal["thread", "envelope", "re"] = "thread"


class AlarmTable(Table, frozen=True, kw_only=True):
    """What every rule has."""

    name: str
    because: str = ""
    owner: str = ""
    calendar: str | None = None
    warn: tuple[str | WarningTable, ...] = ()
    ladder: tuple[RungTable, ...] = ()
    waived_by: Words = ()
    waiver_reasons: Words = ()
    tell: Words = ()


class RuleTable(AlarmTable, frozen=True, kw_only=True):
    """A rule about an envelope."""

    when: WhenTable | None = None
    effective_from: date | None = None
    effective_to: date | None = None


class OpensTable(RuleTable, frozen=True, kw_only=True):
    """``[[types."FAMILY".opens]]``."""

    send: SendTable
    lapses: bool = False
    tell: Words = BOTH


class PeriodicTable(AwaitedTable, frozen=True, kw_only=True):
    """``send`` of a recurring rule."""

    within: str | None = None


class RecurringTable(AlarmTable, frozen=True, kw_only=True):
    """``[[recurring]]``: what is owed by the calendar alone."""

    every: str
    starting: date
    send: PeriodicTable
    tell: Words = BOTH


class EndingTable(Table, frozen=True, kw_only=True):
    """``[[types."FAMILY".ends]]``."""

    rules: Words
    about: bool = False
    because: str = ""
    when: WhenTable | None = None


class RehomingTable(Table, frozen=True, kw_only=True):
    """``[[types."FAMILY".rehomes]]``."""

    giver: str
    taker: str
    rules: Words = ()
    because: str = ""
    when: WhenTable | None = None


class SeenTable(Table, frozen=True, kw_only=True):
    """One of ``seen`` or ``unless``: entries of a register."""

    kind: str
    states: Words = ()
    facts: Mapping[str, Words] = {}
    overdue: bool = False
    least: int = 1
    within: str | None = None


class PatternTable(Table, frozen=True, kw_only=True):
    """``[[patterns]]``: what registers watch for."""

    name: str
    at: Words
    seen: tuple[SeenTable, ...]
    on: Words = ()
    when: WhenTable | None = None
    unless: tuple[SeenTable, ...] = ()
    send: str | None = None
    to: Words = ()
    values: Mapping[str, str] = {}
    must_be_empty: bool = False
    because: str = ""


class ReceiptTable(RuleTable, frozen=True, kw_only=True):
    """``[[types."FAMILY".receipts]]``."""

    level: Words
    within: str
    otherwise: str | None = None
    since: str = "accepted"


class TypeTable(Table, frozen=True, kw_only=True):
    """``[types."FAMILY"]``."""

    senders: Words
    recipients: Words
    basis_classes: Words
    retention: Words
    title: str = ""
    opens: tuple[OpensTable, ...] = ()
    receipts: tuple[ReceiptTable, ...] = ()
    ends: tuple[EndingTable, ...] = ()
    rehomes: tuple[RehomingTable, ...] = ()


class AgreementTable(Table, frozen=True, kw_only=True):
    """The whole text."""

    partnership: str
    in_force_from: Any
    roles: tuple[str, ...]
    calendars: Mapping[str, CalendarTable]
    retention: Mapping[str, Retention]
    types: Mapping[str, TypeTable]
    calendar: str | None = None
    waived_by: tuple[str, ...] = ()
    waiver_reasons: tuple[str, ...] = ()
    owner: str = ""
    suppress_below: int = 5
    recurring: tuple[RecurringTable, ...] = ()
    patterns: tuple[PatternTable, ...] = ()
