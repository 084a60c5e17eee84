"""What is still wrong with a message that is being written: each field held to its schema and to what the other answers demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from adapters.gateway.inbox.forms.fields import Field
from adapters.gateway.inbox.forms.rules import Demands, find_demands
from adapters.gateway.inbox.forms.words import say_alternatives, say_missing, say_unfit
from schemas.validator import Validator

# A pointer and a sentence.
Complaint = tuple[str, str]
_COUNTED = frozenset({"list", "lines", "several_of"})


def find_complaints(
    group: Field, values: Mapping[str, Any], at: str = "", names: frozenset[str] | None = None
) -> Iterator[Complaint]:
    """Yield what is wrong with the *values* of *group* at *at*, field by field; of *names* only, if given.

    What nobody is asked for is not complained of: the machine fills it, or the whole message is refused.
    """
    demands = find_demands(group.rules, values)
    for member in group.members:
        if not member.asked or (names is not None and member.name not in names):
            continue
        place = f"{at}/{member.name}"
        if member.name not in values:
            if member.name in demands.required and demands.allows(member.name) and not may_be_empty(member):
                yield place, say_missing(member)
        elif not demands.allows(member.name):
            yield place, f"{member.title}: leave this empty, because of what you answered to another question"
        else:
            yield from _inside(member, values[member.name], place, demands)
    yield from _of_several(group, values, at, demands, names)


def may_be_empty(one: Field) -> bool:
    """Answer whether *one* is a list that may have no entry, so that no answer is an answer."""
    return one.kind in _COUNTED and not one.schema.get("minItems")


def _inside(one: Field, value: Any, at: str, demands: Demands) -> Iterator[Complaint]:
    if one.kind == "group":
        yield from find_complaints(one, value, at)
    elif one.kind in _COUNTED:
        yield from _of_list(one, value, at)
    elif (error := Validator(one.schema).first_error(value)) is not None:
        yield at, say_unfit(one, str(error.validator), error.validator_value)
    for name, schema in demands.narrowed:
        if name == one.name and (error := Validator(schema).first_error(value)) is not None:
            if error.validator == "minItems" and not value:
                yield at, say_missing(one)
            else:
                hint = schema.get("description", "")
                yield (
                    at,
                    f"{one.title}: {hint}" if hint else say_unfit(one, str(error.validator), error.validator_value),
                )


def _of_list(one: Field, value: Sequence[Any], at: str) -> Iterator[Complaint]:
    least, most = one.schema.get("minItems", 0), one.schema.get("maxItems")
    if len(value) < least:
        yield at, say_missing(one) if least == 1 else say_unfit(one, "minItems", least)
    if most is not None and len(value) > most:
        yield at, f"{one.title}: there may be {most} at most"
    if one.schema.get("uniqueItems") and any(entry in value[:number] for number, entry in enumerate(value)):
        yield at, say_unfit(one, "uniqueItems", value=True)
    entry = cast("Field", one.entry)
    for number, given in enumerate(value):
        place = f"{at}/{number}"
        found = (
            find_complaints(entry, given, place)
            if entry.kind == "group"
            else [(place, say_unfit(entry, str(error.validator), error.validator_value))]
            if (error := Validator(entry.schema).first_error(given)) is not None
            else []
        )
        for pointer, words in found:
            yield pointer if one.kind == "list" else at, f"{name_entry(one, number)}: {words}"


def name_entry(one: Field, number: int) -> str:
    """Return how the entry at *number* of the list *one* is called: ``Person of concern 2``."""
    title = cast("Field", one.entry).title
    return f"{one.title if title == '*' else title} {number + 1}"


def _of_several(
    group: Field, values: Mapping[str, Any], at: str, demands: Demands, names: frozenset[str] | None
) -> Iterator[Complaint]:
    order = [member.name for member in group.members if member.asked and (names is None or member.name in names)]
    for several, least, most in (
        *((one, 1, 1) for one in demands.exactly_one),
        *((one, 1, len(one)) for one in demands.one_at_least),
        *((one, 0, len(one) - 1) for one in demands.apart),
    ):
        listed = [name for name in order if name in several]
        given = len(several & values.keys())
        if listed and not least <= given <= most:
            yield f"{at}/{listed[0]}", say_alternatives(group, several, all_of_them=given > most)
    if len(values) < demands.least and order:
        yield f"{at}/{order[0]}", f"{group.title}: answer at least one question"
