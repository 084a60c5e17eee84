"""A step of a form as what the GOV.UK macros take: ``templates/forms/*.html`` put it on a page.

Every box has a label, every group a legend; an error stands at its box and is linked to from the summary.  Browsers are asked
neither to remember nor to check the spelling of what is typed: some send it elsewhere for that.

Source: WCAG 2.2 AA; GOV.UK Design System.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, cast

from markupsafe import Markup, escape

from adapters.gateway.inbox.forms.checking import name_entry
from adapters.gateway.inbox.forms.data import Gate
from adapters.gateway.inbox.forms.fields import MAX_RADIOS, Field, Form, Step, Under
from adapters.gateway.inbox.forms.moments import comes_twice
from adapters.gateway.inbox.forms.rules import find_demands
from adapters.gateway.inbox.forms.values import ADD, Choices, Values
from adapters.gateway.inbox.forms.words import FieldError, anchor_of, lower

Macro = Literal["input", "textarea", "radios", "checkboxes", "select", "date", "group", "list"]
Params = dict[str, Any]
_WIDTHS: Final = {
    "integer": "govuk-input--width-5",
    "nhs_number": "govuk-input--width-10",
    "telephone": "govuk-input--width-20",
}
_MODES: Final = {"integer": "numeric", "nhs_number": "numeric", "email": "email", "telephone": "tel"}
_TYPES: Final = {"email": "email", "telephone": "tel"}
_BOXES: Final = (("day", "Day", 2), ("month", "Month", 2), ("year", "Year", 4), ("time", "Time", 5))
_PRIVATE: Final[Params] = {"autocomplete": "off", "spellcheck": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing on the page: a macro with what it takes.

    ``reveals``: by the number of an answer, what stands under it.  A group has ``parts``.  A list has ``entries``, each a group
    or one box, and where it may have more a button ``add`` with the list's pointer and ``add_words``; ``pointer`` is of an entry.
    """

    macro: Macro
    params: Params
    reveals: Mapping[int, tuple[Part, ...]] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    entries: tuple[Part, ...] = ()
    pointer: str = ""
    name: str = ""
    add: str = ""
    add_id: str = ""
    add_words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step for ``forms/step.html``, and for ``forms/errors.html`` what is wrong with it."""

    title: str
    parts: tuple[Part, ...]
    errors: tuple[Params, ...] = ()


@dataclass(frozen=True, slots=True)
class _Page:
    """What every part of one page needs to know."""

    values: Values
    choices: Choices
    errors: Mapping[str, FieldError]
    sole: Field | None

    def wrong(self, at: str) -> Params:
        return {"errorMessage": {"text": self.errors[at].words}} if at in self.errors else {}

    def parts(self, fields: Sequence[Field], above: str, required: Iterable[str]) -> Iterator[Part]:
        """Yield the fields of one group at *above*; those under a question stand there."""
        asked = {one.name: one for one in fields if one.asked}
        under: dict[str, list[Field]] = {}
        for one in asked.values():
            if one.under is not None and self._is_revealed(one, asked, above):
                under.setdefault(one.under.name, []).append(one)
        hidden = {one.name for several in under.values() for one in several}
        for one in asked.values():
            if one.name not in hidden:
                yield self.part(one, f"{above}/{one.name}", self._note(one, asked, required), under.get(one.name, ()))

    def _is_revealed(self, one: Field, asked: Mapping[str, Field], above: str) -> bool:
        # What was typed where another answer stands now is shown beside it: nothing is hidden that would be sent.
        under = cast("Under", one.under)
        at = f"{above}/{one.name}"
        typed = any(name == at or name.startswith(f"{at}/") for name, text in self.values.pairs if text)
        answered = self.values.first(f"{above}/{under.name}") in under.values
        return under.name in asked and len(under.values) == 1 and (answered or not typed)

    def _note(self, one: Field, asked: Mapping[str, Field], required: Iterable[str]) -> tuple[str, str]:
        """Return what follows the label, and what follows the hint."""
        if one.required or one.name in set(required):
            return "", ""
        if one.under is None or one.under.name not in asked:
            return " (optional)", ""
        question = asked[one.under.name]
        answers = [option.words for option in question.options if option.value in one.under.values]
        answers = answers or [word.capitalize() for word in sorted(one.under.values)]
        return "", f"Needed if the answer to “{question.title}” is {' or '.join(answers)}."

    def part(self, one: Field, at: str, note: tuple[str, str] = ("", ""), under: Sequence[Field] = ()) -> Part:
        label = one.title + note[0]
        hint = " ".join(filter(None, (one.hint, note[1])))
        if one.kind == "group":
            return self.group(one, at, label, hint)
        if one.kind == "list":
            return self.listing(one, at, label, hint)
        options = self.choices.of(one)
        if one.kind in {"yes_no", "gate"} or (one.kind == "one_of" and len(options) <= MAX_RADIOS):
            return self.radios(one, at, label, hint, under)
        if one.kind == "several_of":
            return self.checkboxes(one, at, label, hint)
        if one.kind in {"day", "moment"}:
            return self.date(one, at, label, hint)
        shown: Params = {
            "id": anchor_of(at),
            "name": at,
            "label": {"text": label, "classes": "govuk-label--s"},
            **self.wrong(at),
        }
        if hint and hint != label:
            shown["hint"] = {"text": hint + (" One on each line." if one.kind == "lines" else "")}
        if options:
            return self.select(one, at, shown)
        text = self.values.first(at)
        if one.kind in {"long_text", "lines"}:
            rows = 3 if one.kind == "lines" or "Address" in one.kinds else 5
            return Part(macro="textarea", params={**shown, **_PRIVATE, "value": hold_lines(text), "rows": rows})
        params = {
            **shown,
            **_PRIVATE,
            "value": text,
            "type": _TYPES.get(one.kind, "text"),
            "classes": _WIDTHS.get(one.kind, ""),
        }
        if one.kind in _MODES:
            params["inputmode"] = _MODES[one.kind]
        return Part(macro="input", params=params)

    def legend(self, one: Field, label: str) -> Params:
        # The only question of a step is the page's heading already.
        hidden = self.sole is not None and one.path == self.sole.path
        size = "m" if one.kind in {"group", "list"} else "s"
        return {
            "legend": {
                "text": label,
                "classes": "govuk-visually-hidden" if hidden else f"govuk-fieldset__legend--{size}",
            }
        }

    def choice(self, one: Field, at: str, label: str, hint: str) -> Params:
        params: Params = {"idPrefix": anchor_of(at), "name": at, "fieldset": self.legend(one, label), **self.wrong(at)}
        return {**params, "hint": {"text": hint}} if hint else params

    def radios(self, one: Field, at: str, label: str, hint: str, under: Sequence[Field]) -> Part:
        chosen = self.values.first(at)
        hint = one.gate.hint if one.gate is not None else hint
        answers = [(option.value, option.words) for option in one.options] or [("yes", "Yes"), ("no", "No")]
        items: list[Params] = [{"value": value, "text": words, "checked": value == chosen} for value, words in answers]
        if not one.needed:
            # A choice can't be taken back without a script otherwise.
            items += [{"divider": "or"}, {"value": "", "text": "Leave unanswered", "checked": False}]
        above = at.rpartition("/")[0]
        reveals = {
            number: tuple(self.part(below, f"{above}/{below.name}") for below in found)
            for number, (value, _) in enumerate(answers)
            if (found := [below for below in under if value in cast("Under", below.under).values])
        }
        small = (
            {"classes": "govuk-radios--inline"} if one.kind in {"yes_no", "gate"} and not reveals and one.needed else {}
        )
        return Part(
            macro="radios", params={**self.choice(one, at, label, hint), "items": items, **small}, reveals=reveals
        )

    def checkboxes(self, one: Field, at: str, label: str, hint: str) -> Part:
        chosen = self.values.all(at)
        items = [{"value": o.value, "text": o.words, "checked": o.value in chosen} for o in one.options]
        boxes = Part(macro="checkboxes", params={**self.choice(one, at, label, hint), "items": items})
        if not one.open:
            return boxes
        other = f"{at}/other"
        params: Params = {
            "id": anchor_of(other), "name": other, "value": self.values.first(other), **_PRIVATE,
            "label": {"text": "Other codes of the national list (optional)"}, "hint": {"text": "With spaces between them."},
        }  # fmt: skip
        return Part(macro="group", params={}, parts=(boxes, Part(macro="input", params=params)))

    def select(self, one: Field, at: str, shown: Params) -> Part:
        chosen = self.values.first(at)
        options = [(option.value, option.words) for option in self.choices.of(one)]
        if chosen and chosen not in {value for value, _ in options}:
            options.append((chosen, chosen))
        items: list[Params] = [{"value": "", "text": "Choose one", "selected": not chosen}]
        items += [{"value": value, "text": words, "selected": value == chosen} for value, words in options]
        return Part(macro="select", params={**shown, "items": items})

    def date(self, one: Field, at: str, label: str, hint: str) -> Part:
        typed = self.values.typed(at)
        wrong = self.errors[at].anchor if at in self.errors else ""
        all_wrong = bool(wrong) and not typed
        items = [
            {
                "name": f"{at}/{part}", "id": anchor_of(at, part), "label": words, "value": getattr(typed, part),
                "classes": f"govuk-input--width-{width}" + (" govuk-input--error" if all_wrong or wrong == anchor_of(at, part) else ""),
                "autocomplete": "off", "inputmode": "text" if part == "time" else "numeric",
            }
            for part, words, width in _BOXES
            if part != "time" or one.kind == "moment"
        ]  # fmt: skip
        example = "For example, 27 3 2026" + (" at 14:30, local time." if one.kind == "moment" else ".")
        params: Params = {
            "id": anchor_of(at), "fieldset": self.legend(one, label), "items": items,
            "hint": {"text": f"{hint} {example}".strip()}, **self.wrong(at),
        }  # fmt: skip
        date = Part(macro="date", params=params)
        if one.kind != "moment" or not comes_twice(typed, self.choices.zone):
            return date
        which: Params = {
            "idPrefix": anchor_of(at, "fold"), "name": f"{at}/fold",
            "fieldset": {"legend": {"text": f"Which {typed.time}?", "classes": "govuk-fieldset__legend--s"}},
            "items": [
                {"value": "first", "text": "Before the clocks went back", "checked": typed.fold == "first"},
                {"value": "second", "text": "After the clocks went back", "checked": typed.fold == "second"},
            ],
        }  # fmt: skip
        return Part(macro="group", params={}, parts=(date, Part(macro="radios", params=which)))

    def group(self, one: Field, at: str, label: str, hint: str) -> Part:
        params: Params = {"fieldset": self.legend(one, label), "id": anchor_of(at), "hint": hint, **self.wrong(at)}
        return Part(macro="group", params=params, parts=tuple(self.parts(one.members, at, ())))

    def listing(self, one: Field, at: str, label: str, hint: str) -> Part:
        entry, entries = cast("Field", one.entry), []
        for number, key in enumerate(self.values.keys(at)):
            place, title = f"{at}/{key}", name_entry(one, number)
            part = self.part(_named(entry, title), place)
            entries.append(
                Part(macro=part.macro, params=part.params, parts=part.parts, pointer=place, name=lower(title))
            )
        title = one.title if entry.title == "*" else entry.title
        return Part(
            macro="list",
            params={"fieldset": self.legend(one, label), "id": anchor_of(at), "hint": hint, **self.wrong(at)},
            entries=tuple(entries),
            add=at if len(entries) < one.schema.get("maxItems", 1000) else "",
            add_id=anchor_of(at, ADD),
            add_words=f"Add another {lower(title)}" if entries else f"Add: {lower(title)}",
        )


def _named(entry: Field, title: str) -> Field:
    return replace(entry, title=title, hint="" if entry.kind == "group" else entry.hint)


def hold_lines(text: str) -> Markup:
    """Return *text* for a text area, its line ends written so that the macros, which indent what they put in, don't change it."""
    return Markup(str(escape(text)).replace("\n", "&#10;"))  # noqa: S704 escaped


def show_step(
    form: Form, step: Step, values: Values, message: Mapping[str, Any], errors: Iterable[FieldError] = (),
    choices: Choices | None = None,
) -> StepView:  # fmt: skip
    """Return *step* with *values* in its boxes, for the *message* so far.

    Args:
        step: as :func:`answers.list_steps` gives it, with the fields that apply.
        values: of :func:`values.write_step`, or what was typed and can't be read yet.
    """
    found = {error.pointer: error for error in errors}
    sole = step.fields[0] if len(step.fields) == 1 else None
    page = _Page(values, choices or Choices(), found, sole)
    required = find_demands(form.root.rules, message).required
    links = tuple({"text": error.words, "href": f"#{error.anchor}"} for error in found.values())
    return StepView(title=step.title, parts=tuple(page.parts(step.fields, "", required)), errors=links)


def show_stop(gate: Gate) -> Params:
    """Return what ``forms/stop.html`` says where the form ends at *gate*: what to do at once, then, and the type to write instead."""
    return {"title": gate.ask, "stop": gate.stop, "then": gate.then, "instead": gate.instead}
