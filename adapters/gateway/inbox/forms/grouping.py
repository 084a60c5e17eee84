"""The steps of a form, and under which question a field stands.

Gates first, then the steps that ``steps.json`` names, then the rest in an order that any type can have: what is needed and short;
each group and each list of groups by itself; what may be added; how it must be handled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from adapters.gateway.inbox.forms.data import DATA
from adapters.gateway.inbox.forms.fields import MAX_RADIOS, Field, Step, Under
from adapters.gateway.inbox.forms.rules import Rule


def group_steps(family: str, root: Field) -> Iterator[Step]:
    """Yield the steps of the type *family*, whose fields *root* has."""
    rest = {field.name: field for field in root.members if field.asked}
    for name in [name for name, field in rest.items() if field.kind == "gate"]:
        yield Step(name=name.replace("_", "-"), title=rest[name].title, fields=(rest.pop(name),))
    for plan in DATA.steps.get(family, ()):
        fields = tuple(rest.pop(name) for name in plan.fields if name in rest)
        if fields:
            yield Step(name=plan.name, title=plan.title, fields=fields)
    handling = [rest.pop(name) for name in DATA.handling if name in rest]
    large = [field for field in rest.values() if field.kind in {"group", "list"}]
    short = [field for field in rest.values() if field not in large]
    questions = {field.under.name for field in short if field.under is not None}
    main = tuple(field for field in short if field.needed or field.name in questions)
    if main:
        yield Step(name="main", title="The main points", fields=main)
    for field in sorted(large, key=lambda one: not one.required):
        yield Step(name=field.name.replace("_", "-"), title=field.title, fields=(field,))
    if more := tuple(field for field in short if field not in main):
        yield Step(name="more", title="Anything else", fields=more)
    if handling:
        yield Step(name="handling", title="How it must be handled", fields=tuple(handling))


# ---- which question a field stands under


def place(group: Field) -> Field:
    """Return *group* with each field that only some answers call for under the question that calls for it."""
    members = tuple(_place_inside(field) for field in group.members)
    by_name = {field.name: field for field in members}
    placed = tuple(replace(field, under=_find_under(field, by_name, group.rules)) for field in members)
    return replace(group, members=placed)


def _place_inside(field: Field) -> Field:
    if field.kind == "group":
        return place(field)
    if field.kind == "list" and cast("Field", field.entry).kind == "group":
        return replace(field, entry=place(cast("Field", field.entry)))
    return field


def _find_under(field: Field, by_name: Mapping[str, Field], rules: Sequence[Rule]) -> Under | None:
    calling = [rule for rule in rules if field.name in rule.required]
    if not calling or field.required or field.kind in {"group", "list", "lines", "gate"} or not field.asked:
        return None
    order = list(by_name)
    for name in reversed(order[: order.index(field.name)]):
        question = by_name[name]
        if question.kind not in {"yes_no", "one_of"} or len(question.options) > MAX_RADIOS or not question.asked:
            continue
        answers = [_answers(rule, name, question) for rule in calling]
        if all(answers):
            return Under(name=name, values=frozenset().union(*answers))
    return None


def _answers(rule: Rule, name: str, question: Field) -> frozenset[str]:
    """Return the answers to *question* for which *rule* may hold; none if it doesn't depend on them."""
    found: set[str] = set()
    for condition in rule.when:
        asked = condition.get("properties", {}).get(name, {})
        values = asked.get("enum", [asked["const"]] if "const" in asked else [])
        found |= {("yes" if value else "no") if isinstance(value, bool) else str(value) for value in values}
    known = {option.value for option in question.options} or {"yes", "no"}
    return frozenset(found) & known
