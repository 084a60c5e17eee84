"""What each reader gets of a message: nothing that a mark bars, and every mark beside what it holds for."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.base import Incoming
from adapters.conformance import sample_incoming
from adapters.errors import GatewayError
from adapters.gateway.exports.forms import FORMS, MUST_NOT
from adapters.gateway.exports.policy import load_policy, parse_audience
from adapters.gateway.exports.shapes import definitions, labels
from adapters.gateway.exports.sheet import Sheet, make_sheet
from schemas.catalogue import Catalogue
from tests.schemas import samples

CATALOGUE = Catalogue.load()
POLICY = load_policy()
MARKS = tuple(labels("HandlingMark"))
PLANTED = "Zebulon"
OUTSIDER = "sampleton-academy"
ADDRESS = "Zebulon House\n4 Quay Street\nSampleton ZZ1 1AA"


def sheet_of(message: Incoming, name: str, agency: str = "", by: str = "Robin Sample") -> Sheet:
    """Return the sheet that the variant *name* gives of *message*."""
    schema = CATALOGUE.schema(message.type)
    return make_sheet(message, schema, POLICY, name, agency=agency, by=by, now=message.at)


def forms_of(message: Incoming, name: str, agency: str = "") -> dict[str, str]:
    """Return *message* for the variant *name* in each form."""
    made = sheet_of(message, name, agency)
    return {form: write(made).decode() for form, write in FORMS.items()}


def minutes(*, marks: tuple[str, ...] = (), **changes: Any) -> Incoming:
    """Return full minutes as they came."""
    return sample_incoming(message=samples.message("minutes.full/1", **changes), marks=marks)


def block(content: str, *marks: str, kind: str = "fact") -> dict[str, Any]:
    """Return what one agency said."""
    return {
        "org": "northmere-health",
        "author": "HV-9",
        "content": content,
        "info_kind": kind,
        "handling_marks": [*marks],
    }


# ---- property: planted words


def groups(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every group of fields in *value*."""
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from groups(one)
    elif isinstance(value, list):
        for one in value:
            yield from groups(one)


def plant(message: dict[str, Any], draw: st.DataObject, *, discloses: bool = True) -> None:
    """Put the planted word into marked blocks, restricted addresses and what must not be disclosed."""
    for group in groups(message):
        if "handling_marks" in group:
            group["handling_marks"] = draw.draw(st.lists(st.sampled_from(MARKS), min_size=1, unique=True))
            for name in {"content", "event", "significance"} & set(group):
                group[name] = f"{PLANTED} {group[name]}"
        if "address_restricted" in group:
            group["address_restricted"] = True
            group["address"] = draw.draw(st.sampled_from([ADDRESS, f"9 {PLANTED} Close", f"Flat 2, {PLANTED}"]))
        if {"who_tells", "whom"} <= set(group):
            group["must_not_disclose"] = f"Where {PLANTED} is."
    if discloses and draw.draw(st.booleans()):
        message["do_not_disclose_to"] = [f"{PLANTED} Sample"]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(samples.MESSAGES)), st.data())
def test_a_family_copy_never_has_what_is_marked(kind: str, data: st.DataObject) -> None:
    """Whatever the type, whichever the marks: a word from a marked block or a restricted address is in no form."""
    message = samples.message(kind)
    plant(message, data, discloses="do_not_disclose_to" in CATALOGUE.schema(kind)["properties"])
    CATALOGUE.validate(kind, message)
    incoming = sample_incoming(type=kind, message=message, marks=())
    if kind.partition("/")[0] in POLICY.variants["family"].refuses_types:
        with pytest.raises(GatewayError, match="not for the family"):
            forms_of(incoming, "family")
        return
    for text in forms_of(incoming, "family").values():
        assert PLANTED not in text


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(("minutes.full/1", "chronology.response/1")), st.data())
def test_every_mark_of_a_section_stands_beside_it(kind: str, data: st.DataObject) -> None:
    """In every copy that shows a marked block, in each form, all its marks are in its own section."""
    message = samples.message(kind)
    plant(message, data)
    incoming = sample_incoming(type=kind, message=message, marks=("third_party",))
    marked = [group for group in groups(message) if "handling_marks" in group]
    texts = {group[name] for group in marked for name in ("content", "event", "significance") if name in group}
    given_marks = {mark for group in marked for mark in group["handling_marks"]}
    for name, agency in (("record", ""), ("agency", OUTSIDER), ("gp", "")):
        shown = 0
        for section in sections(json.loads(FORMS["json"](sheet_of(incoming, name, agency)))["sections"]):
            if any(one.get("value") in texts for one in section["items"]):
                shown += 1
                assert {*given_marks, "third_party"} <= set(section["handling_marks"])
        page = FORMS["html"](sheet_of(incoming, name, agency)).decode()
        for part in re.findall(r"<table>.*?</table>", page, re.DOTALL):
            if any(f"<td>{escape(text)}" in part for text in texts):
                shown += 1
                assert all(labels("HandlingMark")[mark] in part.partition("</thead>")[0] for mark in given_marks)
        # The record's own copy leaves out no more than what was for reference only.
        assert shown >= 2 or name != "record" or "reference_only" in given_marks


def sections(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield every section of a JSON copy."""
    for one in items:
        if "items" in one:
            yield one
            yield from sections(one["items"])


def test_marks_stand_on_each_page_of_a_long_section() -> None:
    """A text of many pages says the section's marks at the head of each page that shows a line of it."""
    long = "\n".join(f"{PLANTED} line {number}" for number in range(200))
    text = forms_of(minutes(information_blocks=[block(long, "no_onward_copy")]), "record")["text"]
    pages = [page for page in text.split("\f") if PLANTED in page]
    assert len(pages) > 3
    assert all("OFFICIAL-SENSITIVE" in page.splitlines()[0] for page in pages)
    assert all("No onward copy" in page.splitlines()[0] for page in pages)
    assert all("Exported by Robin Sample" in page for page in pages)


# ---- the family


@pytest.mark.parametrize("mark", MARKS)
def test_a_message_that_is_marked_as_a_whole_is_not_for_the_family(mark: str) -> None:
    """Every mark bars the family's copy."""
    with pytest.raises(GatewayError) as caught:
        sheet_of(minutes(marks=(mark,)), "family")
    assert caught.value.code == "export-not-for-family"


def test_intelligence_is_not_for_the_family() -> None:
    """Also where nobody thought of marking it."""
    with pytest.raises(GatewayError) as caught:
        sheet_of(sample_incoming(type="intel.item/1", message=samples.message("intel.item/1"), marks=()), "family")
    assert caught.value.code == "export-not-for-family"


def test_what_a_third_party_told_is_marked_by_its_kind() -> None:
    """Information of kind `third_party` counts as marked, though nobody marked it."""
    message = minutes(information_blocks=[block("Plain."), block(PLANTED, kind="third_party")])
    assert all(PLANTED not in text for text in forms_of(message, "family").values())
    assert "About a third party" in forms_of(message, "record")["text"]


def test_what_is_left_out_leaves_no_gap() -> None:
    """The first block is left out: the second is numbered 1, and no heading tells of another."""
    message = minutes(information_blocks=[block(PLANTED, "tipping_off_risk"), block("Plain.")])
    text = forms_of(message, "family")["text"]
    assert re.findall(r"## Information given \d", text) == ["## Information given 1"]
    assert "Risk of tipping off" not in text
    only = minutes(information_blocks=[block(PLANTED, "tipping_off_risk")])
    assert "Information given" not in forms_of(only, "family")["text"]


@pytest.mark.parametrize("name", ["family", "gp", "agency"])
@pytest.mark.parametrize(
    "told",
    ["She is at ZEBULON house now.", "Stays in 4 Quay  Street", "Moved to Sampleton.", "Post to zz11aa", "ZZ1 1AA"],
)
def test_a_restricted_address_is_nowhere(name: str, told: str) -> None:
    """Neither in its field, nor in another's, nor as part of a text; the record has it, marked."""
    child = samples.child(address=ADDRESS, address_restricted=True)
    message = minutes(child=child, immediate_safety=told, adults=[samples.adult(address="7 Other Road")], place="Here")
    for text in forms_of(message, name, OUTSIDER if name == "agency" else "").values():
        assert not re.search(r"zebulon|quay|zz1 ?1aa|sampleton\b(?!-)|other road", text, re.IGNORECASE)
    for text in forms_of(message, "record").values():
        assert "Zebulon House" in text
    assert "Address [Address restricted]: Zebulon House" in forms_of(message, "record")["text"]


def test_an_address_that_is_not_restricted_goes_to_professionals_only() -> None:
    """The family's copy has nobody's address, whether or not somebody thought of the flag."""
    message = minutes(child=samples.child(address=ADDRESS))
    assert "Quay" in forms_of(message, "agency", OUTSIDER)["text"]
    assert "Quay" not in forms_of(message, "family")["text"]


# ---- other readers


@pytest.mark.parametrize(("name", "agency"), [("record", ""), ("agency", OUTSIDER), ("gp", "")])
def test_what_must_not_be_disclosed_comes_first(name: str, agency: str) -> None:
    """Before any content, in a box of its own: who must not learn of it, and what must not be told."""
    telling = [{"who_tells": "SW-1", "whom": "Alex", "what": "A visit.", "must_not_disclose": "The caller."}]
    message = minutes(do_not_disclose_to=["Pat Example"], family_information_plan=telling)
    for text in forms_of(message, name, agency).values():
        told = [text.upper().replace("_", " ").find(MUST_NOT), text.find("Pat Example"), text.find("The caller.")]
        assert 0 < told[0] < told[1] < told[2] < text.find("Stays with a grandparent")
    assert all("Pat Example" not in text for text in forms_of(message, "family").values())


def test_a_practice_obeys_do_not_show_online() -> None:
    """Each page of its copy says so, a section that is so marked isn't in it, and it is a summary."""
    text = forms_of(minutes(), "gp")["text"]
    assert all("Do not show online" in page.splitlines()[0] for page in text.split("\f"))
    assert "Analysis" not in text
    rows = samples.message("chronology.response/1")
    rows["rows"][0] |= {"event": PLANTED, "handling_marks": ["do_not_show_online"]}
    rows["rows"].append({**rows["rows"][0], "event": "Moved.", "handling_marks": []})
    message = sample_incoming(type="chronology.response/1", message=rows, marks=("do_not_show_online",))
    assert PLANTED not in forms_of(message, "gp")["text"]
    assert "Moved." in forms_of(message, "gp")["text"]


def test_named_roles_and_onward_copies_bind_outsiders() -> None:
    """Another agency gets it if it was a party; an outsider gets neither the message nor such a section."""
    message = minutes(marks=("no_onward_copy",))
    assert sheet_of(message, "agency", "northmere-health")
    with pytest.raises(GatewayError) as caught:
        sheet_of(message, "agency", OUTSIDER)
    assert caught.value.code == "export-not-for-reader"
    part = minutes(information_blocks=[block(PLANTED, "named_roles_only"), block("Plain.")])
    assert PLANTED in forms_of(part, "agency", "northmere-health")["text"]
    assert PLANTED not in forms_of(part, "agency", OUTSIDER)["text"]


def test_the_police_part_stays_in_the_record() -> None:
    """Grades and handling codes leave the agency in no copy."""
    report = samples.message("intel.item/1")
    report["police_part"]["log_ref"] = PLANTED
    message = sample_incoming(type="intel.item/1", message=report, marks=())
    assert PLANTED in forms_of(message, "record")["text"]
    assert PLANTED not in forms_of(message, "agency", OUTSIDER)["text"]


@pytest.mark.parametrize("marked", [True, False])
def test_reference_only_gives_references(marked: bool) -> None:
    """By its own variant, and in every other where the message is so marked: no text, no name, no date of birth."""
    message = minutes(marks=("reference_only",) if marked else ())
    shown = sheet_of(message, "record" if marked else "reference")
    told = FORMS["json"](shown).decode()
    texts = [value for value in message.message.values() if isinstance(value, str) and " " in value]
    assert len(texts) > 5
    assert not any(text in told for text in [*texts, "Robin Sample,", "Alex Sample", "2011", "Two missed"])
    assert message.message["record_id"] in told


def test_a_section_for_reference_only_gives_references() -> None:
    """Who said it is there; what they said isn't."""
    message = minutes(information_blocks=[block(PLANTED, "reference_only")])
    text = forms_of(message, "record")["text"]
    assert PLANTED not in text
    assert "Reference only" in text
    assert "HV-9" in text


# ---- forms


class Reader(HTMLParser):
    """Reads a page as a screen reader would: tags in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag."""
        self.tags.append((tag, dict(attrs)))


def test_the_page_is_inert_and_accessible() -> None:
    """Hostile content is text; nothing is fetched or run; language, headings in order and table headers are there."""
    hostile = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\"'} @import url(http://x) {\\"
    message = minutes(information_blocks=[block(hostile)], history="a\x1b[31mb\u202ec\x0cd", language="cy")
    made = sheet_of(message, "record", by='Robin "}</style><script>')
    page = FORMS["html"](made).decode()
    reader = Reader()
    reader.feed(page)
    names = [tag for tag, _ in reader.tags]
    assert not {"script", "img", "link", "iframe", "form", "a"} & set(names)
    assert not any(name.startswith("on") or name in {"src", "href"} for _, attrs in reader.tags for name in attrs)
    policy = next(attrs["content"] for tag, attrs in reader.tags if attrs.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert dict(reader.tags)["html"]["lang"] == "cy"
    levels = [int(name[1]) for name in names if re.fullmatch(r"h[1-6]", name)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all(attrs.get("scope") for tag, attrs in reader.tags if tag == "th")
    assert page.count("</style>") == 1
    for text in (page, FORMS["text"](made).decode()):
        assert not re.search(r"[\x1b\u202e]|c\x0c", text)


def test_the_style_is_the_one_that_the_policy_allows() -> None:
    """The digest in the page's policy is that of its style, to the byte."""
    from binascii import b2a_base64
    from hashlib import sha256

    page = FORMS["html"](sheet_of(minutes(marks=("no_onward_copy",)), "record")).decode()
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert b2a_base64(sha256(style.encode()).digest(), newline=False).decode() in page
    assert '@top-center { content: "OFFICIAL-SENSITIVE | No onward copy" }' in style


def test_attachments_are_named_and_not_embedded() -> None:
    """The record's copy lists them; their bytes are in no copy."""
    message = minutes()
    assert message.documents[0].content.startswith(b"%PDF")
    assert all("%PDF" not in text for text in forms_of(message, "record").values())


def test_titles_and_labels_are_the_schemas() -> None:
    """No field's or code's own name is on the page where the schema has words for it."""
    text = forms_of(minutes(), "record")["text"]
    assert re.search("Section 47 enquiry: yes", text, re.IGNORECASE)
    assert "Categories of abuse: Sexual abuse; Neglect" in text
    assert "s47_decision" not in text
    assert "Started at: 2026-04-14 09:30:00 UTC" in text


def test_every_type_can_be_written_for_the_record() -> None:
    """Each sample, in each form."""
    for kind in sorted(samples.MESSAGES):
        written = forms_of(sample_incoming(type=kind, message=samples.message(kind), marks=()), "record")
        assert json.loads(written["json"])["sections"], kind


# ---- the table


def test_the_table_names_marks_and_fields_that_exist() -> None:
    """A mark or field that is misspelt in the table would bar nothing."""
    schemas = [CATALOGUE.schema(kind) for kind in CATALOGUE.types()]
    fields = {
        name for schema in [*schemas, *definitions().values()] for group in groups_of(schema) for name in group
    }  # fmt: skip
    families = {kind.partition("/")[0] for kind in CATALOGUE.types()}
    for variant in POLICY.variants.values():
        marks = {
            *variant.bars, *variant.refuses, *variant.adds, *variant.bars_for_outsiders, *variant.references_only,
        }  # fmt: skip
        assert marks <= set(MARKS)
        assert set(variant.leaves_out) <= fields
        assert set(variant.refuses_types) <= families
        assert {name for names in variant.only.values() for name in names} <= fields
        assert set(variant.only) <= families
    assert set(POLICY.place_fields) | set(POLICY.warnings) | set(POLICY.implied) <= fields
    kinds = {*POLICY.address_kinds, *POLICY.reference_kinds, *POLICY.free_text_kinds}
    assert kinds <= set(definitions())
    assert set(POLICY.variants["family"].bars) == set(MARKS)


def groups_of(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the properties of every group of fields in *schema*."""
    for group in groups(copy.deepcopy(schema)):
        if isinstance(group.get("properties"), dict):
            yield group["properties"]


@pytest.mark.parametrize("text", ["", "nobody", "agency", "agency:", "agency:Not An Agency", "family:x", "record:"])
def test_there_is_no_other_reader(text: str) -> None:
    """What isn't in the table is refused, and the answer says what is."""
    with pytest.raises(GatewayError) as caught:
        parse_audience(text, POLICY)
    assert caught.value.code == "export-variant"
    assert "agency:CODE" in caught.value.hint


def test_readers_are_found() -> None:
    """By name, with the agency that a copy is for."""
    assert parse_audience("family", POLICY) == ("family", "")
    assert parse_audience("agency:sampleton-academy", POLICY) == ("agency", "sampleton-academy")
