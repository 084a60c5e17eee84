"""One typed answer read as one value of a message, forgiving in how it is written: spaces in numbers, codes in other case."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapters.gateway.inbox.forms.fields import Field, Kind
from adapters.gateway.inbox.forms.moments import Part, UnreadableError, read_day, read_moment
from adapters.gateway.inbox.forms.values import Choices, Values
from adapters.gateway.inbox.forms.words import say_unfit
from schemas.nhs_number import is_nhs_number
from schemas.validator import Validator

_SPACES: Final = re.compile(r"\s+")
_WHOLE: Final = re.compile(r"-?[0-9]{1,12}", re.ASCII)
_SAYINGS: Final[Mapping[Kind, str]] = {
    "email": "enter it like name@example.org",
    "telephone": "enter digits, spaces and brackets only, such as 01632 960 001",
    "code": "use letters, digits, dots and hyphens only, up to 64",
    "reference": "use letters, digits and . : / - only, up to 64",
    "text": "use one line, up to 200 characters",
    "mailbox": "write it as agency/team",
    "organisation": "write it as agency, or agency/team",
}


class UnfitError(Exception):
    """What was typed can't be a value of its field: ``words`` for the writer, ``part`` of the boxes to go to."""

    def __init__(self, words: str, part: Part | None = None) -> None:
        super().__init__(words)
        self.words, self.part = words, part


def read_scalar(one: Field, at: str, values: Values, choices: Choices, held: Any) -> Any:
    """Return the value of the field *one* at *at*, or ``None`` if nothing was answered; *held* is what it was.

    Raises:
        UnfitError: it was answered with something else.
    """
    if one.kind in {"day", "moment"}:
        return _read_time(one, at, values, choices)
    text = values.first(at)
    if not text:
        return None
    if one.kind in {"yes_no", "gate"}:
        if text not in {"yes", "no"}:
            raise UnfitError(f"{one.title}: choose yes or no")
        return (text == "yes") if one.gate is None else (text == one.gate.go_on)
    if (options := choices.of(one)) and one.kind != "several_of":
        if text != held and text not in {option.value for option in options}:
            raise UnfitError(f"{one.title}: choose one from the list")
        return text
    return fit(one, text)


def fit(one: Field, text: str) -> Any:
    """Return *text* as a value of the free text field *one*.

    Raises:
        UnfitError: it is none.
    """
    if one.kind == "integer":
        return _read_integer(one, text)
    if one.kind == "nhs_number":
        return _read_nhs_number(one, text)
    for way in _ways(one.kind):
        written = way(text)
        if _broken_rule(one, written) is None:
            return written
    rule = _broken_rule(one, text)
    if rule != "maxLength" and (one.kind != "text" or "Line" in one.kinds) and one.kind in _SAYINGS:
        raise UnfitError(f"{one.title}: {_SAYINGS[one.kind]}")
    raise UnfitError(say_unfit(one, str(rule), one.schema.get(str(rule))))


def _ways(kind: Kind) -> tuple[Callable[[str], str], ...]:
    joint = "_" if kind == "code" else "-"
    if kind == "long_text":
        return (str,)
    return (str, lambda text: _SPACES.sub(joint, text), lambda text: _SPACES.sub("", text).upper(), str.lower)


def _broken_rule(one: Field, text: str) -> str | None:
    error = Validator(one.schema).first_error(text)
    return None if error is None else str(error.validator)


def _read_time(one: Field, at: str, values: Values, choices: Choices) -> Any:
    typed = values.typed(at)
    if not typed:
        return None
    try:
        return read_moment(typed, choices.zone) if one.kind == "moment" else read_day(typed).isoformat()
    except UnreadableError as error:
        raise UnfitError(f"{one.title.removesuffix('?')} {error.words}", error.part) from None


def _read_integer(one: Field, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise UnfitError(f"{one.title}: enter a whole number, such as 12")
    number = int(text)
    error = Validator(one.schema).first_error(number)
    if error is not None:
        raise UnfitError(say_unfit(one, str(error.validator), error.validator_value))
    return number


def _read_nhs_number(one: Field, text: str) -> str:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"[0-9]{10}", digits):
        raise UnfitError(f"{one.title}: enter 10 digits")
    if not is_nhs_number(digits):
        raise UnfitError(f"{one.title}: the last digit does not fit the others")
    return digits
