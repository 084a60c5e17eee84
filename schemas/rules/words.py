"""Time limits and rules in words, both ways: ``5 working days`` as a clock, and a clock as English.

Source: design 6; domain 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from schemas.agreement import Clock
from schemas.identifiers import CODE_PATTERN
from schemas.strict_json import MalformedError

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
_DAY_WORD: Final = r"(?P<calendar>[a-z][a-z0-9_-]{0,40})"
_PLAIN: Final = re.compile(r"(?P<amount>[0-9]{1,6}) (?P<unit>minute|hour|day|week|month)s?")
_DAYS: Final = re.compile(rf"(?P<amount>[0-9]{{1,4}}) {_DAY_WORD} days?")
_SAME: Final = re.compile(rf"same {_DAY_WORD} day")
_BEFORE: Final = re.compile(rf"before next {_DAY_WORD} day")
_CODE: Final = re.compile(CODE_PATTERN)
_ELAPSED: Final = {"minute": MINUTE, "hour": HOUR}
_BY_DATE: Final[Mapping[str, Literal["days", "weeks", "months"]]] = {"day": "days", "week": "weeks", "month": "months"}
_PEOPLE: Final = {
    "sender": "the sender",
    "recipients": "each recipient",
    "each-party": "each party but the sender",
    "item-owner": "the owner of each item",
    "debtor": "whoever owes it",
    "creditor": "whoever is owed it",
    "debtor/manager": "the manager of whoever owes it",
    "creditor/manager": "the manager of whoever is owed it",
    "debtor/deputy": "the deputy of whoever owes it",
    "creditor/deputy": "the deputy of whoever is owed it",
    "debtor/out_of_hours": "whoever covers for whoever owes it out of hours",
    "creditor/out_of_hours": "whoever covers for whoever is owed it out of hours",
    "*": "everyone",
}


def parse_clock(text: str, *, working: str | None) -> Clock:
    """Return the clock that *text* says; *working* is the calendar that ``working days`` means.

    ``72 hours`` · ``5 minutes`` · ``5 working days`` · ``same working day`` · ``3 school days`` (of calendar
    ``school``) · ``before next school day`` · ``35 days`` · ``8 weeks`` · ``3 months`` · ``moment:needed_by`` ·
    ``item due``

    Raises:
        MalformedError: ``agreement-clock``.
    """
    if text == "item due":
        return Clock(kind="item")
    if text.startswith("moment:") and _CODE.match(code := text.removeprefix("moment:")):
        return Clock(kind="moment", code=code)
    if found := _PLAIN.fullmatch(text):
        amount, unit = int(found["amount"]), found["unit"]
        if unit in _ELAPSED:
            return Clock(kind="elapsed", amount=amount * _ELAPSED[unit])
        return Clock(kind=_BY_DATE[unit], amount=amount, calendar=working)
    for pattern in (_DAYS, _SAME, _BEFORE):
        if found := pattern.fullmatch(text):
            calendar = working if found["calendar"] == "working" else found["calendar"]
            if pattern is _BEFORE:
                return Clock(kind="before_day", calendar=calendar)
            amount = int(found["amount"]) if pattern is _DAYS else 0
            return Clock(kind="working_days", amount=amount, calendar=calendar)
    raise MalformedError(
        "agreement-clock", f"`{text[:80]}` is no time limit", "say for example `72 hours`, `5 working days`, `3 months`"
    )


def parse_span(text: str, way: str, *, working: str | None) -> Clock:
    """Return the span of ``4 hours before``, whose last word is *way*; where *way* is empty, of ``2 working days``.

    Raises:
        MalformedError: ``agreement-clock``.
    """
    if way and not text.endswith(f" {way}"):
        raise MalformedError("agreement-clock", f"`{text[:80]}` does not end in `{way}`", f"say `4 hours {way}`")
    return parse_clock(text.removesuffix(f" {way}") if way else text, working=working)


def say_clock(clock: Clock) -> str:
    """Return *clock* in English: ``within 5 working days``, ``by the moment needed_by``."""
    match clock.kind:
        case "moment":
            return f"by the moment `{clock.code}` that the envelope names"
        case "item":
            return "by the item's own due moment"
        case "before_day":
            return f"before the next open day of calendar `{clock.calendar}` starts"
        case "working_days" if not clock.amount:
            return f"by the end of the same open day of calendar `{clock.calendar}`"
        case _:
            return f"within {say_span(clock)}"


def say_span(clock: Clock) -> str:
    """Return how long *clock* is: ``72 hours``, ``1 open day of calendar `office```."""
    amount, unit = clock.amount, clock.kind.removesuffix("s").replace("_", " ")
    if clock.kind == "elapsed":
        amount, unit = (amount // MINUTE, "minute") if amount % HOUR else (amount // HOUR, "hour")
    text = f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s"
    return f"{text} (calendar `{clock.calendar}`)" if clock.kind == "working_days" else text


def say_who(name: str) -> str:
    """Return whom a selector or target means."""
    word, _, rest = name.partition(":")
    if rest:
        said = rest.replace("_", " ")
        return {
            "party": f"each party that is {said}",
            "role": said,
            "unnamed": f"{said.partition('/')[2] or said}, where nobody of {said.partition('/')[0]} is named",
        }.get(word, rest)
    return _PEOPLE.get(name, name.replace("_", " "))


def say_list(words: Iterable[str], joint: str = "and") -> str:
    """Return *words* as ``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} {joint} {last}" if first else last
