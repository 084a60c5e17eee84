"""The answers to be checked before sending, as the GOV.UK summary list takes them: one card for each step.

Source: GOV.UK Design System, check answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from markupsafe import Markup, escape

from adapters.gateway.inbox.forms.answers import StepState
from adapters.gateway.inbox.forms.checking import name_entry
from adapters.gateway.inbox.forms.fields import Field
from adapters.gateway.inbox.forms.moments import say_day, say_moment
from adapters.gateway.inbox.forms.values import Choices
from adapters.gateway.inbox.forms.words import FieldError, lower

Params = dict[str, Any]
_NOTE = Markup('<br><span class="govuk-hint govuk-!-margin-bottom-0">From the message that you answer</span>')


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """What ``forms/check.html`` shows: cards for the summary list macro, and for ``forms/errors.html`` what is wrong."""

    cards: tuple[Params, ...]
    errors: tuple[Params, ...]


def show_check(
    states: Iterable[StepState], message: Mapping[str, Any], *, base: str, errors: Iterable[FieldError] = (),
    carried: Collection[str] = (), choices: Choices | None = None,
) -> CheckView:  # fmt: skip
    """Return the answers in *message* by step.

    Args:
        base: the address of the draft; a step's is ``{base}/{step}``.
        carried: fields of the message that it took from the one that it answers.
    """
    cards = []
    for state in states:
        rows = [
            {"key": {"text": key}, "value": {"html": html + _NOTE if one.name in carried else html}}
            for one in state.step.fields
            for key, html in _rows(one, message.get(one.name), choices or Choices())
        ]
        change = {"href": f"{base}/{state.step.name}", "text": "Change", "visuallyHiddenText": lower(state.step.title)}
        card = {"title": {"text": state.step.title}, "actions": {"items": [change]}}
        cards.append({"card": card, "rows": rows or [{"key": {"text": "Answers"}, "value": {"text": "None given"}}]})
    links = tuple({"text": one.words, **_link(base, one)} for one in errors)
    return CheckView(cards=tuple(cards), errors=links)


def _link(base: str, error: FieldError) -> Params:
    if not error.step:
        return {}
    return {"href": f"{base}/{error.step}" + (f"#{error.anchor}" if error.anchor else "")}


def _rows(one: Field, value: Any, choices: Choices, before: str = "") -> Iterator[tuple[str, Markup]]:
    if not one.asked or value is None:
        return
    title = f"{before}: {lower(one.title)}" if before else one.title
    if one.kind == "group":
        members = [row for member in one.members for row in _rows(member, value.get(member.name), choices, before)]
        yield from members or [(before or one.title, Markup("Nothing else is known"))]
    elif one.kind == "list":
        entry = cast("Field", one.entry)
        for number, given in enumerate(value):
            name = f"{before}, {lower(name_entry(one, number))}" if before else name_entry(one, number)
            if entry.kind == "group":
                yield from _rows(entry, given, choices, name)
            else:
                yield name, say(entry, given, choices)
        if not value:
            yield title, Markup("None")
    else:
        yield title, say(one, value, choices)


def say(one: Field, value: Any, choices: Choices) -> Markup:
    """Return the plain *value* of the field *one* as people read it, escaped, line ends kept."""
    if isinstance(value, list):
        entry = cast("Field", one.entry)
        words = {option.value: option.words for option in one.options}
        said = [escape(words.get(given, "")) or say(entry, given, choices) for given in value]
        return Markup("<br>").join(said) if said else Markup("None")
    if one.kind == "gate" and one.gate is not None:
        return escape(one.gate.go_on.capitalize())
    if isinstance(value, bool):
        return escape("Yes" if value else "No")
    if one.kind == "moment":
        return escape(say_moment(value, choices.zone))
    if one.kind == "day":
        return escape(say_day(value))
    words = {option.value: option.words for option in choices.of(one)}
    return Markup("<br>").join(escape(words.get(str(value), str(value))).split("\n"))
