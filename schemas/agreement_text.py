"""The sharing agreement as people write it: TOML in the procedures' words, compiled to what is signed.

Holidays and clock changes are looked up here, once, when an agreement is made; nothing looks them up afterwards.

Source: design 6 (time limits in words); domain 4.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from schemas.agreement import (
    Agreement,
    Calendar,
    ReceiptRule,
    Retention,
    Rung,
    SendRule,
    Terms,
    When,
    parse_agreement,
)
from schemas.identifiers import Moment
from schemas.rules.clocks import DAY
from schemas.rules.compiled import BOTH
from schemas.rules.explained import explain
from schemas.rules.words import parse_clock, parse_span
from schemas.strict_json import MalformedError, dump

__all__ = ["compile_agreement", "explain"]

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Period = tuple[date, date]
Words = str | tuple[str, ...]
Wall = Annotated[str, Meta(pattern=r"\A(?:[01][0-9]|2[0-3]):[0-5][0-9]\Z")]


class _Text(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the TOML text."""


class _Calendar(_Text, frozen=True, kw_only=True):
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


class _Rung(_Text, frozen=True, kw_only=True):
    after: str
    to: Words


class _Warning(_Text, frozen=True, kw_only=True):
    before: str
    to: Words


class _Send(_Text, frozen=True, kw_only=True):
    type: Words
    by: str
    to: Words
    within: str
    otherwise: str | None = None
    variants: Words = ()
    since: str = "at"
    per: Literal["thread", "envelope", "re"] = "thread"


class _Rule(_Text, frozen=True, kw_only=True):
    name: str
    because: str = ""
    when: Mapping[str, bool | str | tuple[str, ...]] | None = None
    calendar: str | None = None
    warn: tuple[str | _Warning, ...] = ()
    ladder: tuple[_Rung, ...] = ()


class _Opens(_Rule, frozen=True, kw_only=True):
    send: _Send
    lapses: bool = False
    tell: Words = BOTH


class _Receipt(_Rule, frozen=True, kw_only=True):
    level: Words
    within: str
    otherwise: str | None = None
    since: str = "accepted"
    tell: Words = ()


class _Type(_Text, frozen=True, kw_only=True):
    senders: Words
    recipients: Words
    basis_classes: Words
    retention: Words
    title: str = ""
    opens: tuple[_Opens, ...] = ()
    receipts: tuple[_Receipt, ...] = ()


class _Agreement(_Text, frozen=True, kw_only=True):
    partnership: str
    in_force_from: Any
    roles: tuple[str, ...]
    calendars: Mapping[str, _Calendar]
    retention: Mapping[str, Retention]
    types: Mapping[str, _Type]
    calendar: str | None = None
    waived_by: tuple[str, ...] = ()
    waiver_reasons: tuple[str, ...] = ()


def compile_agreement(toml_text: str, *, version: int, previous: str | None, issued: Moment) -> Agreement:
    """Return the agreement that *toml_text* says, ready to be signed as version *version*.

    *previous* is the digest of the version before; *issued* the moment of issue, UTC milliseconds.

    Raises:
        MalformedError: ``agreement-text`` (no TOML; a key unknown, missing or ill-typed), or as ``parse_agreement``.
    """
    try:
        text = msgspec.convert(tomllib.loads(toml_text), _Agreement, strict=True)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise MalformedError("agreement-text", f"agreement: {error}", "see docs/agreement.md") from error
    calendars = {name: _expand(name, calendar, version) for name, calendar in text.calendars.items()}
    agreement = Agreement(
        v=1,
        partnership=text.partnership,
        version=version,
        previous=previous,
        issued=issued,
        in_force_from=_in_force(text),
        roles=text.roles,
        calendars=calendars,
        retention=text.retention,
        types={family: _terms(terms, text.calendar) for family, terms in text.types.items()},
        waived_by=text.waived_by,
        waiver_reasons=text.waiver_reasons,
    )
    return parse_agreement(dump(agreement))


def _in_force(text: _Agreement) -> Moment:
    """The moment, or the first of the date, in the zone of the agreement's own calendar where the text names none."""
    start = text.in_force_from
    if not isinstance(start, date):
        raise MalformedError("agreement-text", "agreement: `in_force_from` is no date", "say for example 2026-07-01")
    if not isinstance(start, datetime):
        start = datetime.combine(start, time())
    if start.tzinfo is None:
        calendar = text.calendars.get(text.calendar or "")
        start = start.replace(tzinfo=_zone(text.calendar or "", calendar.zone) if calendar else UTC)
    return int(start.timestamp() * 1000)


def _words(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words


def _terms(text: _Type, calendar: str | None) -> Terms:
    return Terms(
        title=text.title,
        senders=_words(text.senders),
        recipients=_words(text.recipients),
        basis_classes=_words(text.basis_classes),  # type: ignore[arg-type]  # judged when it is parsed again
        retention=_words(text.retention),
        opens=tuple(_send_rule(rule, calendar) for rule in text.opens),
        receipts=tuple(_receipt_rule(rule, calendar) for rule in text.receipts),
    )


def _send_rule(text: _Opens, calendar: str | None) -> SendRule:
    return SendRule(
        **_shared(text, text.send.within, text.send.otherwise, calendar),
        since=text.send.since,
        tell=_words(text.tell),
        types=_words(text.send.type),
        variants=_words(text.send.variants),
        by=text.send.by,
        to=_words(text.send.to),
        per=text.send.per,
        lapses=text.lapses,
    )


def _receipt_rule(text: _Receipt, calendar: str | None) -> ReceiptRule:
    return ReceiptRule(
        **_shared(text, text.within, text.otherwise, calendar),
        since=text.since,
        tell=_words(text.tell),
        levels=_words(text.level),  # type: ignore[arg-type]  # judged when it is parsed again
    )


def _shared(text: _Rule, within: str, otherwise: str | None, calendar: str | None) -> dict[str, Any]:
    working = text.calendar or calendar
    return {
        "name": text.name,
        "because": text.because,
        "when": _when(text.when) if text.when is not None else None,
        "within": parse_clock(within, working=working),
        "otherwise": parse_clock(otherwise, working=working) if otherwise is not None else None,
        "warn": tuple(_warning(warning, working) for warning in text.warn),
        "ladder": tuple(
            Rung(span=parse_span(rung.after, "", working=working), to=_words(rung.to)) for rung in text.ladder
        ),
    }


def _warning(text: str | _Warning, working: str | None) -> Rung:
    if isinstance(text, str):
        return Rung(span=parse_span(text, "before", working=working), to=BOTH)
    return Rung(span=parse_span(text.before, "", working=working), to=_words(text.to))


def _when(text: Mapping[str, bool | str | tuple[str, ...]]) -> When:
    facts: dict[str, tuple[str, ...]] = {}
    for name, value in text.items():
        if isinstance(value, bool) != (name == "urgent"):
            raise MalformedError(
                "agreement-text",
                f"agreement: `when` can't compare `{name}` so",
                "`urgent` is true or false, a fact is a code",
            )
        if not isinstance(value, bool):
            facts[name] = _words(value)
    sender, urgent = facts.pop("sender", ()), text.get("urgent")
    return When(facts=facts, urgent=urgent if isinstance(urgent, bool) else None, sender=sender)


def _expand(name: str, text: _Calendar, version: int) -> Calendar:
    """Write out the dates and clock changes of the calendar's years."""
    if not 1970 <= text.years[0] <= text.years[1] <= 2200:
        raise MalformedError("agreement-date", f"calendar `{name}`: its years are out of order", "say [first, last]")
    first, last = date(text.years[0], 1, 1), date(text.years[1], 12, 31)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    closed = set(_holidays(name, text, range(first.year, last.year + 1))) | set(text.add)
    for start, end in text.closed:
        closed.update(day for day in days if start <= day <= end)
    if text.terms:
        closed.update(day for day in days if not any(start <= day <= end for start, end in text.terms))
    weekend = {_WEEKDAYS.index(day) + 1 for day in text.weekend}
    closed = {day for day in closed - set(text.remove) if day.isoweekday() not in weekend}
    hours, minutes = ([int(part) for part in wall.split(":")] for wall in (text.day_starts, text.day_ends))
    return Calendar(
        version=version,
        zone=text.zone,
        first=first.isoformat(),
        last=last.isoformat(),
        weekend=tuple(sorted(weekend)),
        closed=tuple(sorted(day.isoformat() for day in closed)),
        offsets=tuple(_offsets(name, text.zone, first, last)),
        day_starts=hours[0] * 60 + hours[1],
        day_ends=minutes[0] * 60 + minutes[1],
        after_hours="next_day" if text.after_hours == "next day" else "same_day",
    )


def _holidays(name: str, text: _Calendar, years: range) -> set[date]:
    if text.country is None:
        return set()
    import holidays  # 60 ms, and needed only when an agreement is made

    try:
        return set(holidays.country_holidays(text.country, subdiv=text.subdivision, years=years))
    except NotImplementedError as error:
        raise MalformedError(
            "agreement-calendar",
            f"calendar `{name}`: its country or subdivision is unknown",
            "say for example GB and ENG",
        ) from error


def _zone(name: str, key: str) -> Any:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(key)
    except (KeyError, OSError, ValueError) as error:
        raise MalformedError(
            "agreement-calendar", f"calendar `{name}`: its zone is unknown", "say for example Europe/London"
        ) from error


def _offsets(name: str, key: str, first: date, last: date) -> Iterator[tuple[Moment, int]]:
    """Yield each clock change of the years and a day around them, the first offset from its first moment."""
    zone = _zone(name, key)

    def offset(at: Moment) -> int:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
        return (moment.astimezone(zone).replace(tzinfo=UTC) - moment) // timedelta(milliseconds=1)

    start, end = (int(datetime.combine(day, time(), tzinfo=UTC).timestamp()) * 1000 for day in (first, last))
    at, known = start - DAY, offset(start - DAY)
    yield at, known
    while at < end + 2 * DAY:
        low, at = at, at + DAY
        if offset(at) == known:
            continue
        high = at
        while high - low > 1000:
            middle = (low + high) // 2000 * 1000
            low, high = (middle, high) if offset(middle) == known else (low, middle)
        known = offset(high)
        yield high, known
