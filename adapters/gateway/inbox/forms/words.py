"""What is said of a field whose answer is missing or can't be read: in the writer's words, naming the field and the way out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from adapters.gateway.inbox.forms.data import DATA
from adapters.gateway.inbox.forms.fields import Field

_PAST: Final = re.compile(r"(?P<what>[A-Z][a-z]+) at")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One thing to put right: where it is in the message, the id of the box to go to, and the sentence.

    ``step`` is the name of the step that asks it; empty if nobody is asked.
    """

    pointer: str
    anchor: str
    words: str
    step: str = ""


def anchor_of(pointer: str, part: str = "") -> str:
    """Return the id of the box of the field at *pointer*."""
    return "f" + (f"{pointer}/{part}" if part else pointer).replace("/", "-")


def lower(title: str) -> str:
    """Return *title* as it stands within a sentence; ``NHS number`` stays."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def say_missing(one: Field) -> str:
    """Return what to do about *one*, which has no answer."""
    if (words := DATA.words.missing.get(one.name)) is not None:
        return words
    title = lower(one.title)
    if one.title.endswith("?"):
        return f"Answer: {title}"
    if one.kind == "moment" and (found := _PAST.fullmatch(one.title)):
        return f"Enter when it was {found['what'].lower()}"
    if one.kind in {"several_of", "list", "lines"}:
        verb = "Choose" if one.kind == "several_of" else "Enter" if one.kind == "lines" else "Add"
        return f"{verb} at least one: {title}" if one.kind == "lines" else f"{verb} at least one {_one_of(one)}"
    if one.kind in {"yes_no", "gate"}:
        return f"Choose yes or no: {title}"
    if one.kind in {"one_of", "mailbox", "organisation"}:
        return f"Choose: {title}"
    if one.kind == "day" and "date" not in title:
        return f"Enter the date: {title}"
    if one.kind == "moment":
        return f"Enter the date and time: {title}"
    return f"Enter {title}"


def _one_of(one: Field) -> str:
    return lower(cast("Field", one.entry).title if cast("Field", one.entry).title != "*" else one.title)


def say_unfit(one: Field, rule: str, value: Any) -> str:
    """Return what is wrong with *one*, whose answer breaks *rule* of JSON Schema with *value*; never the answer itself."""
    said: Mapping[str, str] = {
        "maxLength": f"must be {value} characters or fewer",
        "minLength": f"must be {value} characters or more",
        "maximum": f"must be {value} or less",
        "minimum": f"must be {value} or more",
        "maxItems": f"must be {value} or fewer",
        "minItems": f"must be {value} or more",
        "uniqueItems": "names something twice",
        "enum": "must be one of the answers that go with the others",
        "const": f"must be {'yes' if value else 'no'}, to go with the other answers"
        if isinstance(value, bool)
        else "does not fit",
        "contains": "lacks an entry that must go with the others",
        "format": "is not spelled as it must be",
        "pattern": f"is not spelled as it must be. {one.schema.get('description', one.hint)}".strip(),
    }
    return f"{one.title}: {said.get(rule, 'does not fit')}"


def say_alternatives(group: Field, names: Iterable[str], *, all_of_them: bool) -> str:
    """Return that one of *names*, members of *group*, must be answered; ``all_of_them`` are, which is too many."""
    titles = [lower(one.title) for one in group.members if one.name in names]
    listed = " or ".join(titles)
    return f"Enter only one: {listed}" if all_of_them else f"Enter {listed}"
