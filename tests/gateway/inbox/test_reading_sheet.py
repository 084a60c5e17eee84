"""A message as it is read: what to beware of first, everything in words and in order, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.base import Incoming
from adapters.conformance import sample_incoming
from adapters.gateway.exports.shapes import definitions, labels, shape_of
from adapters.gateway.inbox.reading.saying import Manner
from adapters.gateway.inbox.reading.sheet import Field, Section, Sheet, make_sheet
from adapters.gateway.inbox.reading.table import load_table
from schemas.catalogue import Catalogue
from tests.schemas import samples

CATALOGUE = Catalogue.load()
TYPES = sorted(samples.MESSAGES)


def a_sheet(message: Incoming, **changes: Any) -> Sheet:
    """Return the sheet of *message*."""
    return make_sheet(message, CATALOGUE.schema(message.type), Manner(**changes))


def minutes(**changes: Any) -> Incoming:
    """Return full minutes as they came."""
    return sample_incoming(message=samples.message("minutes.full/1", **changes), marks=())


def every(sections: tuple[Section, ...]) -> Iterator[Section]:
    """Yield every section, outer ones first."""
    for one in sections:
        yield one
        yield from every(one.sections)


def section(sheet: Sheet, title: str) -> Section:
    """Return the section of that title."""
    return next(one for one in every(sheet.sections) if one.title == title)


def fact(fields: tuple[Field, ...], title: str) -> str:
    """Return what the field of that title says."""
    return "; ".join(value.text for value in next(one for one in fields if one.title == title).values)


def words(sheet: Sheet) -> Iterator[str]:
    """Yield every value that the sheet says anywhere."""
    for field in (*sheet.facts, *sheet.records, *sheet.caution.must_not):
        yield from (value.text for value in field.values)
    for one in every(sheet.sections):
        yield from (value.text for value in one.prose)
        yield from (value.text for field in one.facts for value in field.values)
        yield from (value.text for row in (one.grid.rows if one.grid else ()) for cell in row for value in cell)


def strings(value: Any) -> Iterator[str]:
    """Yield every text in *value* that isn't a code or a moment."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name not in {"handling_marks", "embargo_until", "language"}:
                yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, str) and (" " in value or re.fullmatch(r"[\w-]{21}[AQgw]", value)):
        yield value


@pytest.mark.parametrize("kind", TYPES)
def test_everything_is_said_somewhere(kind: str) -> None:
    """Every text and identifier of the sample of each type is on its sheet, once it is read to the end."""
    message = samples.message(kind)
    said = {re.sub(r"(?<=\d) (?=\d)", "", one) for one in words(a_sheet(sample_incoming(type=kind, message=message)))}
    missing = [one for one in strings(message) if re.sub(r"(?<=\d) (?=\d)", "", one) not in said]
    assert missing == []


@pytest.mark.parametrize("kind", TYPES)
def test_anchors_are_distinct_and_titles_are_words(kind: str) -> None:
    """Each heading can be linked to; no field's or code's own name is a title; nothing is empty."""
    sheet = a_sheet(sample_incoming(type=kind, message=samples.message(kind)))
    sections = list(every(sheet.sections))
    assert len({one.anchor for one in sections}) == len(sections)
    assert all(one.title and "_" not in one.title for one in sections)
    assert all(one.prose or one.facts or one.grid or one.sections for one in sections)
    assert all(field.title and field.values for one in sections for field in one.facts)


def test_sections_are_in_the_schemas_order() -> None:
    """Plain facts first, then each group, list and text as the schema has them."""
    sheet = a_sheet(minutes())
    titles = [one.title for one in sheet.sections]
    order = [field["title"] for field in CATALOGUE.schema("minutes.full/1")["properties"].values()]
    assert titles[0] == "Summary"
    assert titles[1:] == [title for title in order if title in titles[1:]]
    assert [one.title for one in sheet.sections[0].facts][:2] == ["Version", "Status"]


def test_short_lists_are_tables_and_others_entry_by_entry() -> None:
    """Participants and actions are rows; what each agency said has a heading of its own."""
    sheet = a_sheet(minutes())
    actions = section(sheet, "Actions").grid
    assert actions is not None
    assert actions.columns == ("What is to be done", "Owner", "Due", "State")
    assert actions.rows[1][2][0].text == "17 April 2026, 5:00 pm (BST)"
    assert section(sheet, "Information given").grid is None
    assert section(sheet, "Adult 1: Alex Sample").facts


def test_long_texts_keep_their_lines() -> None:
    """A text under its heading is paragraphs of lines."""
    sheet = a_sheet(minutes(history="One\ntwo\n\nThree\r\nfour"))
    assert section(sheet, "History").prose[0].paragraphs == (("One", "two"), ("Three", "four"))
    assert section(sheet, "History").prose[0].free


@pytest.mark.parametrize(
    ("said", "told", "iso"),
    [
        ("2026-04-14T09:30:00Z", "14 April 2026, 10:30 am (BST)", "2026-04-14T09:30:00Z"),
        ("2026-01-14T09:30:00.500Z", "14 January 2026, 9:30 am (GMT)", "2026-01-14T09:30:00Z"),
        ("2026-04-14T23:00:00Z", "15 April 2026, 12:00 am, the start of the day (BST)", "2026-04-14T23:00:00Z"),
        ("2026-01-01T12:00:00Z", "1 January 2026, 12:00 pm, midday (GMT)", "2026-01-01T12:00:00Z"),
        ("2026-10-25T01:30:09Z", "25 October 2026, 1:30:09 am (GMT)", "2026-10-25T01:30:09Z"),
        ("2026-10-25T00:30:00Z", "25 October 2026, 1:30 am (BST)", "2026-10-25T00:30:00Z"),
    ],
)
def test_moments_are_local_and_say_their_zone(said: str, told: str, iso: str) -> None:
    """Also in the hour that comes twice; midnight and midday can't be taken for one another."""
    value = Manner().say(shape_of({"$ref": "#/$defs/Instant"}), said)
    assert (value.text, value.iso) == (told, iso)
    elsewhere = Manner(zone=ZoneInfo("UTC")).say(shape_of({"$ref": "#/$defs/Instant"}), said)
    assert "(UTC)" in elsewhere.text


def test_codes_teams_and_numbers_are_said_in_words() -> None:
    """Labels of lists, codes without labels, names from the directory, an NHS number in its three parts, days."""
    sheet = a_sheet(minutes(), name_of=lambda name: f"Team {name}")
    summary, child = section(sheet, "Summary").facts, section(sheet, "Child").facts
    assert fact(summary, "Categories of abuse") == "Sexual abuse; Neglect"
    assert fact(summary, "Conference needed") == "Yes"
    assert fact(child, "NHS number") == "999 000 0018"
    assert fact(child, "Date of birth") == "6 May 2011"
    participants = section(sheet, "Participants").grid
    assert participants is not None
    assert [cell[0].text for cell in participants.rows[0][:3]] == [
        "Sam Specimen", "Health practitioner", "Team exampleshire-health/safeguarding",
    ]  # fmt: skip
    assert fact(sheet.facts, "From") == "Team sampleton-childrens-services/mash"


def test_what_only_records_need_is_out_of_the_way() -> None:
    """Identifiers and references of records are apart, each with where it belongs; people's references are not."""
    sheet = a_sheet(minutes())
    records = {field.title: field.values[0].text for field in sheet.records}
    assert {"Envelope", "Thread", "Record", "Action 1: Action identifier", "Checks"} <= set(records)
    shown = [value for one in every(sheet.sections) for field in one.facts for value in field.values]
    assert not any(re.fullmatch(r"[\w-]{22}", value.text) for value in shown)
    assert fact(section(sheet, "Summary").facts, "Chair") == "SW-1"


def test_nothing_steers_the_page() -> None:
    """Controls and marks that turn the reading direction are replaced, in values and in the headings made of them."""
    adult = samples.adult(name="Al\u202eex", address="x\x1b[31m")
    sheet = a_sheet(minutes(adults=[adult]))
    entry = section(sheet, "Adult 1: Al\N{REPLACEMENT CHARACTER}ex")
    assert fact(entry.facts, "Address") == "x\N{REPLACEMENT CHARACTER}[31m"


# ---- what nobody may overlook


def test_what_to_beware_of_comes_first() -> None:
    """Who must not learn of it, what must not be told and to whom, until when nobody may know, and every mark."""
    telling = {"who_tells": "SW-1", "whom": "Alex", "what": "A visit.", "must_not_disclose": "The caller."}
    message = minutes(
        do_not_disclose_to=["Pat Example", "Kim"], family_information_plan=[telling],
        embargo_until="2026-04-20T12:30:00Z", child=samples.child(address_restricted=True),
    )  # fmt: skip
    caution = a_sheet(replace(message, marks=("no_onward_copy", "not_for_family"))).caution
    assert [(one.title, [value.text for value in one.values]) for one in caution.must_not] == [
        ("Do not disclose to", ["Pat Example", "Kim"]),
        ("Telling the family 1: Alex: Must not be told", ["The caller."]),
    ]
    assert caution.embargo is not None
    assert caution.embargo.text == "20 April 2026, 1:30 pm (BST)"
    assert caution.classification == "OFFICIAL-SENSITIVE"
    assert [one.code for one in caution.marks] == ["not_for_family", "no_onward_copy"]
    assert [(one.title, one.marks[0].code) for one in caution.parts] == [("Child", "address_restricted")]


def test_what_must_not_be_told_is_marked_where_it_stands() -> None:
    """Beside its field too, never in a row of a table, however short the list."""
    telling = {"who_tells": "SW-1", "whom": "Alex", "what": "A visit.", "must_not_disclose": "The caller."}
    sheet = a_sheet(minutes(family_information_plan=[telling, {**telling, "whom": "Kim"}]))
    entry = section(sheet, "Telling the family 2: Kim")
    assert [field.title for field in entry.facts if field.is_secret] == ["Must not be told"]


@pytest.mark.parametrize("mark", tuple(labels("HandlingMark")))
def test_a_marked_part_is_marked_at_its_heading_and_at_the_top(mark: str) -> None:
    """Each mark, wherever a block bears it, with what it asks; blocks beside it are not marked."""
    block = {"org": "northmere-health", "author": "HV-9", "content": "Said.", "info_kind": "fact"}
    blocks = [{**block, "handling_marks": [mark]}, {**block, "handling_marks": []}]
    sheet = a_sheet(minutes(information_blocks=blocks))
    assert [one.code for one in section(sheet, "Information given 1").marks] == [mark]
    assert section(sheet, "Information given 2").marks == ()
    part = sheet.caution.parts[0]
    assert (part.anchor, part.marks[0].code) == (section(sheet, "Information given 1").anchor, mark)
    assert part.marks[0].asks
    assert part.marks[0].label == labels("HandlingMark")[mark]


def test_a_restricted_address_is_marked_wherever_it_is() -> None:
    """At the heading, at the address, and at the top; what is not restricted says nothing."""
    adults = [samples.adult(address="1 Road", address_restricted=True), samples.adult(name="Kim", address="2 Road")]
    sheet = a_sheet(minutes(adults=adults))
    entry, other = section(sheet, "Adult 1: Alex Sample"), section(sheet, "Adult 2: Kim")
    assert [one.code for one in entry.marks] == ["address_restricted"]
    assert [field.title for field in entry.facts if field.marks] == ["Address", "Address is restricted"]
    assert not other.marks
    assert not any(field.title == "Address is restricted" for field in other.facts)


def test_what_a_third_party_told_is_marked_by_its_kind() -> None:
    """Nobody has to have thought of marking it."""
    block = {"org": "northmere-health", "author": "A", "content": "B", "info_kind": "third_party", "handling_marks": []}
    sheet = a_sheet(minutes(information_blocks=[block]))
    assert [one.code for one in section(sheet, "Information given 1").marks] == ["third_party"]


def test_the_table_names_marks_fields_and_kinds_that_exist() -> None:
    """Each mark says what it asks; what is misspelt in the table would move nothing."""
    table = load_table()
    assert set(table.means) == set(labels("HandlingMark"))
    fields = {name for kind in CATALOGUE.types() for name in _names(CATALOGUE.schema(kind))}
    fields |= {name for one in definitions().values() for name in _names(one)}
    assert table.record_fields | {*table.named_by, *table.identified_by} <= fields
    assert table.record_kinds | table.prose_kinds <= set(definitions())


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict):
            yield from value["properties"]
        for one in value.values():
            yield from _names(one)
    elif isinstance(value, list):
        for one in value:
            yield from _names(one)
