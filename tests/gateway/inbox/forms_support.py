"""Forms as a browser without script sees them: pages rendered, read back, and posted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import jinja2

from adapters.gateway.inbox.forms.fields import Field, Form, Step
from adapters.gateway.inbox.forms.parse import Parsed, parse_step
from adapters.gateway.inbox.forms.show import StepView, show_step
from adapters.gateway.inbox.forms.spec import make_form
from adapters.gateway.inbox.forms.values import Choices, write_step
from schemas.catalogue import Catalogue
from tests.schemas.samples import Json

CATALOGUE = Catalogue.load()
FORMS: dict[str, Form] = {kind: make_form(CATALOGUE, kind) for kind in CATALOGUE.types()}
PAGES = jinja2.Environment(
    loader=jinja2.ChoiceLoader(
        [
            jinja2.PackageLoader("adapters.gateway.inbox"),
            jinja2.PrefixLoader({"govuk_frontend_jinja": jinja2.PackageLoader("govuk_frontend_jinja")}),
        ]
    ),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass
class Page(HTMLParser):
    """One page's ids, labels, and the boxes with what stands in them."""

    text: str
    ids: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)
    boxes: list[dict[str, str | None]] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    _area: str = ""
    _select: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what *tag* is and what stands in it."""
        given = dict(attrs)
        self.tags.append(tag)
        if "id" in given:
            self.ids.append(given["id"] or "")
        self.described += (given.get("aria-describedby") or "").split()
        if tag == "label":
            self.labelled.append(given.get("for") or "")
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag == "button":
            self.buttons.append((given.get("name") or "", given.get("value") or ""))
        if tag in {"input", "select", "textarea"} and given.get("type") != "hidden":
            self.boxes.append(given)
        name = given.get("name") or ""
        if tag == "input" and (given.get("type") not in {"radio", "checkbox"} or "checked" in given):
            self.pairs.append((name, given.get("value") or ""))
        if tag == "textarea":
            self._area = name
            self.pairs.append((name, ""))
        if tag == "select":
            self._select = name
        if tag == "option" and "selected" in given:
            self.pairs.append((self._select, given.get("value") or ""))

    def handle_data(self, data: str) -> None:
        """Note what stands in a text area."""
        if self._area:
            name, text = self.pairs.pop()
            self.pairs.append((name, text + data))

    def handle_endtag(self, tag: str) -> None:
        """Note where a text area ends."""
        if tag == "textarea":
            self._area = ""


def render(view: StepView) -> Page:
    """Return *view* as a page: its errors, then its fields."""
    errors = PAGES.get_template("forms/errors.html").render(errors=view.errors)
    return Page(errors + PAGES.get_template("forms/step.html").render(view=view))


def page_of(form: Form, step: Step, message: Mapping[str, Any]) -> Page:
    """Return *step* with what *message* says."""
    return render(show_step(form, step, write_step(step, message), message))


def fill(form: Form, message: Mapping[str, Any], begun: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Return what is read from a form into which *message* was typed; *begun* is what the draft held before."""
    found: Mapping[str, Any] = begun or {}
    for step in form.steps:
        parsed = parse_step(form, step, write_step(step, message).pairs, found, Choices())
        assert not parsed.errors, (form.type, step.name, parsed.errors)
        found = parsed.message
    return found


def machine_part(one: Field, value: Any) -> Any:
    """Return what of *value* nobody is asked for, in its place."""
    if not one.asked:
        return value
    if one.kind == "group":
        kept = [
            member
            for member in one.members
            if member.name in value and (not member.asked or member.members or member.entry)
        ]
        return {member.name: machine_part(member, value[member.name]) for member in kept}
    entry = one.entry
    if entry is not None and entry.kind == "group":
        return [machine_part(entry, given) for given in value]
    return []


def values(**boxes: str | list[str]) -> list[tuple[str, str]]:
    """Return posted boxes; ``a__b`` is the box ``/a/b``."""
    return [
        ("/" + name.replace("__", "/"), text)
        for name, given in boxes.items()
        for text in ([given] if isinstance(given, str) else given)
    ]


def step_of(kind: str, name: str) -> Step:
    """Return the step *name* of the form of *kind*."""
    step = FORMS[kind].step(name)
    assert step is not None
    return step


def post(kind: str, name: str, pairs: Sequence[tuple[str, str]], said: Json | None = None, **more: Any) -> Parsed:
    """Return what becomes of *pairs*, posted of the step *name*, for the message *said* so far."""
    return parse_step(FORMS[kind], step_of(kind, name), pairs, said or {}, **more)


def words_of(parsed: Parsed) -> list[str]:
    """Return the sentences about what is wrong."""
    return [error.words for error in parsed.errors]


def but(value: Json, **changes: Any) -> Json:
    """Return *value* with members replaced; those given as ``None`` are left out."""
    return {name: given for name, given in {**value, **changes}.items() if given is not None}
