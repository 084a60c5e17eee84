"""The fragments that show a message: inert whatever was written, headings in order, marks in words, and quick."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from adapters.base import Document, Incoming
from adapters.conformance import sample_incoming
from adapters.gateway.exports.shapes import labels
from adapters.gateway.inbox.reading.changes import compare
from adapters.gateway.inbox.reading.saying import Manner
from adapters.gateway.inbox.reading.sheet import make_sheet
from hub.kit.pages import make_environment
from schemas.catalogue import Catalogue
from tests.schemas import samples

CATALOGUE = Catalogue.load()
TYPES = sorted(samples.MESSAGES)
ENVIRONMENT = make_environment("adapters.gateway.inbox")
HOSTILE = "</dd></td></h2></p><script>alert({0})</script><img src=x onerror=alert({0})>\" onload='alert({0})' {{{{ 7*7 }}}} &lt;"
INERT = {
    "section", "h2", "h3", "h4", "h5", "p", "div", "span", "strong", "dl", "dt", "dd", "ul", "li", "br", "time", "a",
    "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary",
}  # fmt: skip
ATTRIBUTES = {
    "class", "id", "aria-labelledby", "aria-hidden", "href", "lang", "datetime", "scope", "tabindex", "role",
}  # fmt: skip
VOID = {"br"}


class Page(HTMLParser):
    """Reads a page as a browser does: tags in order, attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Each ends in its turn."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Remember text."""
        self.text += data


def show(macro: str, file: str, **context: Any) -> str:
    """Return what a macro makes."""
    names = ", ".join(context)
    source = f'{{% from "reading/{file}.html" import {macro} %}}{{{{ {macro}({names}) }}}}'
    return ENVIRONMENT.from_string(source).render(context)


def page_of(message: Incoming, **manner: Any) -> Page:
    """Return the page of *message*."""
    return Page(show("message", "message", sheet=make_sheet(message, CATALOGUE.schema(message.type), Manner(**manner))))


@dataclass
class Planter:
    """Puts hostile text, each with a number of its own, into every text of a message."""

    count: int = 0

    def text(self) -> str:
        """Return the next hostile text."""
        self.count += 1
        return HOSTILE.format(f"no{self.count}")

    def plant(self, value: Any, name: str = "") -> Any:
        """Return *value* with every text replaced, but moments, days, marks and languages, which have a shape."""
        if isinstance(value, dict):
            return {key: self.plant(one, key) for key, one in value.items()}
        if isinstance(value, list):
            return [self.plant(one, name) for one in value]
        shaped = isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value)
        if not isinstance(value, str) or shaped or name in {"handling_marks", "language"}:
            return value
        return self.text()


def check_inert(page: Page) -> None:
    """Nothing that was written became a tag, an attribute or a template."""
    assert page.open == []
    assert {tag for tag, _ in page.tags} <= INERT
    assert {name for _, attributes in page.tags for name in attributes} <= ATTRIBUTES
    assert all(re.fullmatch(r"#part-\d+|/[\w/.-]+", attrs["href"] or "") for tag, attrs in page.tags if tag == "a")
    assert "{{ 7*7 }}" in page.text


@pytest.mark.parametrize("kind", TYPES)
def test_script_in_any_field_is_text(kind: str) -> None:
    """In each text of each type, in names from the directory, and in what changed: every one is shown, as text."""
    planter = Planter()
    properties = CATALOGUE.schema(kind)["properties"]
    content = {**samples.message(kind), **({"do_not_disclose_to": ["x"]} if "do_not_disclose_to" in properties else {})}
    planted = planter.plant(copy.deepcopy(content))
    message = sample_incoming(
        type=kind, message=planted, sender=planter.text(), recipients=(planter.text(), planter.text()), author_role="x",
        purpose=planter.text(), basis=(planter.text(),), consent=planter.text(), retention=planter.text(),
        classification=planter.text(),
    )  # fmt: skip
    page = page_of(message)
    check_inert(page)
    assert set(re.findall(r"<script>alert\(no(\d+)\)</script>", page.text)) == {
        str(n + 1) for n in range(planter.count)
    }
    other = sample_incoming(type=kind, message=content)
    for before, after in ((message, other), (other, message)):
        found = compare(before, after, CATALOGUE.schema(kind))
        check_inert(Page(show("changes", "changes", found=found, language="cy")))


def test_script_in_names_of_documents_is_text() -> None:
    """Names of files are people's words too."""
    attached = [Document(name=HOSTILE.format(1), type="x", content=b"")]
    rows = [
        {"number": 1, "name": one.name, "size": 2000, "kind": kind} for one in attached for kind in ("pdf", "other")
    ]
    html = show("documents", "documents", attached=rows, base="/messages/x/documents")
    check_inert(Page(html))
    assert html.count('href="/messages/x/documents/1"') == 1
    assert html.count("/file") == 2
    assert "2 kB" in html


@pytest.mark.parametrize("kind", TYPES)
def test_headings_go_down_one_at_a_time(kind: str) -> None:
    """A screen reader's list of headings is the message's outline; links within the page lead somewhere."""
    page = page_of(sample_incoming(type=kind, message=samples.message(kind)))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 2
    assert all(after - before <= 1 for before, after in pairwise(levels))
    anchors = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(anchors) == len(set(anchors))
    linked = {(attrs["href"] or "")[1:] for tag, attrs in page.tags if tag == "a"}
    labelled = {attrs["aria-labelledby"] for _, attrs in page.tags if "aria-labelledby" in attrs}
    assert linked | labelled <= set(anchors)
    assert all(attrs.get("scope") for tag, attrs in page.tags if tag == "th")


def a_marked_message() -> Incoming:
    """Return minutes with everything to beware of."""
    block = {"org": "northmere-health", "author": "A", "content": "Said.", "info_kind": "fact"}
    telling = {"who_tells": "SW-1", "whom": "Alex", "what": "A visit.", "must_not_disclose": "The caller."}
    message = samples.message(
        "minutes.full/1", do_not_disclose_to=["Pat Example"], embargo_until="2026-04-20T12:30:00Z",
        information_blocks=[{**block, "handling_marks": ["tipping_off_risk"]}], family_information_plan=[telling],
        child=samples.child(address_restricted=True),
    )  # fmt: skip
    return sample_incoming(message=message, marks=("no_onward_copy",))


def test_what_to_beware_of_is_said_before_anything_else() -> None:
    """In words that a screen reader reads too: who, what, until when, each mark with what it asks, and where."""
    page = page_of(a_marked_message())
    text = re.sub(r"\s+", " ", page.text)
    top = text.partition("Summary")[0]
    for said in (
        "Handling: OFFICIAL-SENSITIVE", "Must not be disclosed Do not disclose to: Pat Example", "The caller.",
        "Under an embargo Embargo until 20 April 2026, 1:30 pm (BST)", "No onward copy Do not pass it to anybody",
        "Child (handling: Address restricted )", "Information given 1 (handling: Risk of tipping off )",
    ):  # fmt: skip
        assert said in top, said
    assert page.tags[0][0] == "section"
    assert text.rstrip().endswith("OFFICIAL-SENSITIVE (handling: No onward copy )")


def test_marks_stand_beside_their_heading_and_field() -> None:
    """At the part itself again, inside the heading, so that who jumps there hears them."""
    html = show("message", "message", sheet=make_sheet(a_marked_message(), CATALOGUE.schema("minutes.full/1")))
    headings = {
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", one)) for one in re.findall(r"<h\d[^>]*>.*?</h\d>", html, re.DOTALL)
    }
    assert "Child (handling: Address restricted )" in headings
    assert "Information given 1 (handling: Risk of tipping off )" in headings
    keys = {
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", one)).strip() for one in re.findall(r"<dt.*?</dt>", html, re.DOTALL)
    }
    assert "Address (handling: Address restricted )" in keys
    assert "Must not be told Must not be disclosed" in keys


@pytest.mark.parametrize("mark", tuple(labels("HandlingMark")))
def test_marks_of_a_change_are_said(mark: str) -> None:
    """What changed shows the mark of what it shows."""
    block = {"org": "northmere-health", "author": "A", "info_kind": "fact", "handling_marks": [mark]}
    one, two = (
        sample_incoming(message=samples.message("minutes.full/1", information_blocks=[{**block, "content": text}]))
        for text in "ab"
    )
    found = compare(one, two, CATALOGUE.schema(one.type))
    assert labels("HandlingMark")[mark] in show("changes", "changes", found=found)


def test_that_nothing_changed_is_said() -> None:
    """Rather than an empty heading."""
    assert "the two versions say the same" in show("changes", "changes", found=())


def test_texts_keep_lines_moments_their_datetime_and_another_language_is_named() -> None:
    """What people wrote in Welsh is read as Welsh, and titles as English."""
    message = samples.message("minutes.full/1", language="cy", history="Un\ndau\n\ntri")
    html = show(
        "message", "message", sheet=make_sheet(sample_incoming(message=message), CATALOGUE.schema("minutes.full/1"))
    )
    assert '<p class="govuk-body" lang="cy">Un<br>dau</p>' in html
    assert '<p class="govuk-body" lang="cy">tri</p>' in html
    assert '<time datetime="2026-04-14T09:30:00Z">14 April 2026, 10:30 am (BST)</time>' in html
    assert '<span lang="cy">Robin Sample</span>' in html
    plain = show("message", "message", sheet=make_sheet(a_marked_message(), CATALOGUE.schema("minutes.full/1")))
    assert "lang=" not in plain
