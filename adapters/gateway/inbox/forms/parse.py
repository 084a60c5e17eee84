"""What was posted of one step, read into the message that is being written; and the buttons that add and take away entries.

Source: issue of the inbox (write); domain 9.8 (no re-entry).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from adapters.gateway.inbox.forms.checking import find_complaints, may_be_empty
from adapters.gateway.inbox.forms.data import Gate
from adapters.gateway.inbox.forms.fields import Field, Form, Step
from adapters.gateway.inbox.forms.rules import find_demands
from adapters.gateway.inbox.forms.scalars import UnfitError, fit, read_scalar
from adapters.gateway.inbox.forms.values import ADD, REMOVE, Choices, Pairs, Values, write_blank
from adapters.gateway.inbox.forms.words import FieldError, anchor_of

_ABSENT: Final = object()
_CHOSEN: Final = frozenset({"yes_no", "one_of"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What became of a posted step.

    ``message`` is the whole message so far, without machine-filled values; it is as before if there are ``errors``, if an entry
    was added or taken away (``focus`` is then the id to go to), or if the form ``stopped`` at its gate.  ``values`` is what was
    typed, to be kept and shown again until the step can be read.
    """

    message: Mapping[str, Any]
    values: Values
    errors: tuple[FieldError, ...] = ()
    focus: str = ""
    stopped: Gate | None = None

    @property
    def settled(self) -> bool:
        """Answer whether the step was read whole, so that the writer goes on and what was typed can be dropped."""
        return not (self.errors or self.focus or self.stopped)


@dataclass(slots=True)
class _Reading:
    """Reads boxes into values; remembers which box each pointer of the message came from, and which could not be read."""

    values: Values
    choices: Choices
    boxes: dict[str, str] = field(default_factory=dict)
    unfit: dict[str, tuple[str, str]] = field(default_factory=dict)

    def read(self, one: Field, box: str, pointer: str, held: Any) -> Any:
        self.boxes[pointer] = box
        if not one.asked:
            return _ABSENT if held is None else held
        if one.kind == "group":
            return self._group(one, box, pointer, held if isinstance(held, Mapping) else {})
        if one.kind == "list":
            return self._list(one, box, pointer, held if isinstance(held, list) else [])
        try:
            if one.kind in {"lines", "several_of"}:
                found = self._several(one, box)
            else:
                found = read_scalar(one, box, self.values, self.choices, held)
        except UnfitError as error:
            self.unfit[pointer] = (anchor_of(box, error.part or ""), error.words)
            return _ABSENT
        return _ABSENT if found is None or found == [] else found

    def _several(self, one: Field, box: str) -> list[Any]:
        entry = cast("Field", one.entry)
        if one.kind == "lines":
            return [fit(entry, line.strip()) for line in self.values.first(box).split("\n") if line.strip()]
        listed = {option.value for option in one.options}
        codes = self.values.all(box)
        if not listed.issuperset(codes):
            raise UnfitError(f"{one.title}: choose from the list")
        return [*codes, *(fit(entry, code) for code in self.values.first(f"{box}/other").split() if one.open)]

    def _group(self, one: Field, box: str, pointer: str, held: Mapping[str, Any]) -> Any:
        before = len(self.unfit)
        found: dict[str, Any] = {}
        for member in one.members:
            value = self.read(member, f"{box}/{member.name}", f"{pointer}/{member.name}", held.get(member.name))
            if value is not _ABSENT:
                found[member.name] = value
        blank = len(self.unfit) == before and not any(
            member.asked and found.get(member.name, member.default or None) != (member.default or None)
            for member in one.members
        )
        return _ABSENT if blank else found

    def _list(self, one: Field, box: str, pointer: str, held: list[Any]) -> Any:
        entry = cast("Field", one.entry)
        found: list[Any] = []
        for key in self.values.keys(box):
            place = f"{pointer}/{len(found)}"
            value = self.read(entry, f"{box}/{key}", place, held[key] if key < len(held) else None)
            if value is _ABSENT and entry.kind == "group" and not any(True for _ in find_complaints(entry, {})):
                value = {}  # "nothing is known of them" is said by adding them
            if value is not _ABSENT:
                found.append(value)
            elif place in self.unfit:
                found.append("")
        if not found and one.schema.get("minItems") and self.values.keys(box):
            # The first entry was left blank: say what it lacks rather than that there is none.
            self.boxes[f"{pointer}/0"] = f"{box}/{self.values.keys(box)[0]}"
            return [{}] if entry.kind == "group" and one.required else _ABSENT
        return found or _ABSENT


def parse_step(
    form: Form, step: Step, posted: Pairs, message: Mapping[str, Any], choices: Choices | None = None
) -> Parsed:
    """Return what became of *posted*, the boxes of *step*, for the *message* so far; boxes of no field of it are not looked at."""
    choices = choices or Choices()
    given = Values(tuple(posted))
    names = frozenset(one.name for one in step.fields)
    values = given.under(names)
    if (gate := step.gate) is not None:
        return _pass_gate(step, gate, values, message)
    for button in (ADD, REMOVE):
        if pointer := given.first(button):
            return _edit(step, values, message, button, pointer)
    reading = _Reading(values, choices)
    changed = {name: value for name, value in message.items() if name not in names}
    for one in step.fields:
        value = reading.read(one, f"/{one.name}", f"/{one.name}", message.get(one.name))
        if value is not _ABSENT:
            changed[one.name] = value
    whole = settle(form.root, changed, names)
    errors = _find_errors(form, step, reading, whole)
    return Parsed(message=message if errors else whole, values=values, errors=errors)


def settle(group: Field, values: Mapping[str, Any], names: frozenset[str] | None = None) -> dict[str, Any]:
    """Return *values* of *group* in the order of the schema, with the lists that must be there but may be empty.

    Without choices that the other answers forbid: they can't be unchosen without a script.  Of *names* only, if given.
    """
    demands = find_demands(group.rules, values)
    found: dict[str, Any] = {}
    for member in group.members:
        named = names is None or member.name in names
        if member.name in values:
            value = values[member.name]
            if not (named and member.asked and member.kind in _CHOSEN and not demands.allows(member.name)):
                found[member.name] = _settle_inside(member, value) if named else value
        elif named and member.asked and member.name in demands.required and may_be_empty(member):
            found[member.name] = []
    return found | {name: value for name, value in values.items() if name not in {one.name for one in group.members}}


def _settle_inside(one: Field, value: Any) -> Any:
    if one.kind == "group" and isinstance(value, Mapping):
        return settle(one, value)
    entry = one.entry
    if one.kind == "list" and entry is not None and entry.kind == "group":
        return [settle(entry, given) for given in value]
    return value


def _find_errors(form: Form, step: Step, reading: _Reading, message: Mapping[str, Any]) -> tuple[FieldError, ...]:
    names = frozenset(one.name for one in step.fields)
    found = dict(reading.unfit)
    kinds = dict(_walk(step.fields))
    for pointer, words in find_complaints(form.root, message, names=names):
        if pointer not in found:
            box = reading.boxes.get(pointer, pointer)
            found[pointer] = (first_box(kinds.get(_pattern(box)), box), words)
    order = {pointer: number for number, pointer in enumerate(reading.boxes)}
    return tuple(
        FieldError(pointer=reading.boxes.get(pointer, pointer), anchor=anchor, words=words, step=step.name)
        for pointer, (anchor, words) in sorted(found.items(), key=lambda one: order.get(one[0], len(order)))
    )


def _walk(fields: Iterable[Field]) -> Iterator[tuple[str, Field]]:
    for one in fields:
        yield one.path, one
        yield from _walk(one.members)
        if one.entry is not None:
            yield from _walk((one.entry,))


def _pattern(box: str) -> str:
    return "/".join("*" if part.isdigit() else part for part in box.split("/"))


def first_box(one: Field | None, box: str) -> str:
    """Return the id to go to for the field *one* at *box*: its first box, or the button that adds an entry."""
    if one is not None and one.kind in {"day", "moment"}:
        return anchor_of(box, "day")
    if one is not None and one.kind == "list":
        return anchor_of(box, ADD)
    if one is not None and one.kind == "group":
        asked = next(member for member in one.members if member.asked)
        return first_box(asked, f"{box}/{asked.name}")
    return anchor_of(box)


def _pass_gate(step: Step, gate: Field, values: Values, message: Mapping[str, Any]) -> Parsed:
    answer = values.first(f"/{gate.name}")
    rules = cast("Gate", gate.gate)
    if answer == rules.go_on:
        passed = {**message, gate.name: gate.schema.get("const", True)}
        return Parsed(message=passed, values=values)
    without = {name: value for name, value in message.items() if name != gate.name}
    if answer in {"yes", "no"}:
        return Parsed(message=without, values=values, stopped=rules)
    words = f"Choose yes or no: {rules.ask}"
    error = FieldError(pointer=f"/{gate.name}", anchor=anchor_of(f"/{gate.name}"), words=words, step=step.name)
    return Parsed(message=without, values=values, errors=(error,))


# ---- entries of lists


def _edit(step: Step, values: Values, message: Mapping[str, Any], button: str, pointer: str) -> Parsed:
    """Return the boxes with an entry more or less; a pointer to no list of the step changes nothing."""
    lists = {path: one for path, one in _walk(step.fields) if one.kind == "list" and one.asked}
    at = pointer if button == ADD else pointer.rpartition("/")[0]
    one = lists.get(_pattern(at))
    if one is None or not _is_shown(at, values):
        return Parsed(message=message, values=values, focus=anchor_of(f"/{step.fields[0].name}"))
    if button == REMOVE:
        return Parsed(message=message, values=values.without(pointer), focus=anchor_of(at, ADD))
    keys = values.keys(at)
    if len(keys) >= one.schema.get("maxItems", 1000):
        words = f"{one.title}: there may be {len(keys)} at most"
        error = FieldError(pointer=at, anchor=anchor_of(at, ADD), words=words, step=step.name)
        return Parsed(message=message, values=values, errors=(error,))
    key = max([*keys, _count(message, at) - 1, -1]) + 1
    entry = cast("Field", one.entry)
    added = values.with_pairs(write_blank(entry, f"{at}/{key}"))
    return Parsed(message=message, values=added, focus=first_box(entry, f"{at}/{key}"))


def _is_shown(at: str, values: Values) -> bool:
    """Answer whether every entry that the list at *at* stands in is on the page."""
    parts = at.split("/")
    above = ["/".join(parts[:number]) for number, part in enumerate(parts, 1) if part.isdigit()]
    return all(int(one.rpartition("/")[2]) in values.keys(one.rpartition("/")[0]) for one in above)


def _count(message: Mapping[str, Any], at: str) -> int:
    found: Any = message
    for part in at.split("/")[1:]:
        if isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, Mapping):
            found = found.get(part)
        else:
            return 0
    return len(found) if isinstance(found, list) else 0
