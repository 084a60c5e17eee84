"""Manifests, receipts, notices, waivers and the other signed statements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from schemas import statements
from schemas.manifest import parse_manifest
from schemas.receipt import parse_receipt
from schemas.strict_json import MalformedError, dump
from tests.schemas import samples
from tests.schemas.samples import HEALTH, NOW, POLICE, a_digest, payload

LEVELS = ("collected", "filed", "opened", "acknowledged", "declined", "rejected")


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_has_its_members(level: str) -> None:
    """A receipt with just what its level needs is read, and says the same when written."""
    sample = samples.receipt(level)
    parsed = parse_receipt(payload(sample))
    assert parsed.level == level
    assert parse_receipt(dump(parsed)) == parsed


@pytest.mark.parametrize(
    ("level", "changes"),
    [
        ("collected", {"manifest_sha256": None}),
        ("collected", {"code": "any"}),
        ("collected", {"mode": "full"}),
        ("collected", {"record": a_digest(1)}),
        ("collected", {"actor": a_digest(1), "role": "nurse"}),
        ("filed", {"mode": None}),
        ("filed", {"code": "any"}),
        ("filed", {"actor": a_digest(1)}),
        ("filed", {"role": "nurse"}),
        ("opened", {"actor": None, "role": None}),
        ("acknowledged", {"actor": None, "role": None}),
        ("acknowledged", {"mode": "full"}),
        ("declined", {"code": None}),
        ("declined", {"code": "body-digest"}),
        ("declined", {"actor": None, "role": None}),
        ("rejected", {"manifest_sha256": a_digest(1)}),
        ("rejected", {"code": None}),
        ("rejected", {"actor": a_digest(1), "role": "nurse"}),
    ],
)
def test_a_level_with_a_member_too_few_or_too_many_is_refused(level: str, changes: dict[str, Any]) -> None:
    """A machine's receipt can't pass for a person's, nor one level for another."""
    with pytest.raises(MalformedError) as caught:
        parse_receipt(payload(samples.receipt(level, **changes)))
    assert caught.value.code == "receipt-members"


def test_filed_by_hand_names_the_person() -> None:
    """Filing is by a machine, or by a person with a role."""
    assert parse_receipt(payload(samples.receipt("filed", actor=a_digest(1), role="clerk"))).role == "clerk"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"to": [POLICE, HEALTH]}, "manifest-order"),
        ({"basis": ["B", "A"]}, "manifest-order"),
        ({"marks": ["third_party", "third_party"]}, "manifest-order"),
        ({"message": 1}, "manifest-message"),
        ({"message": 2}, "manifest-message"),
        ({"message": 64}, "json-shape"),
        ({"basis": []}, "json-shape"),
        ({"classification": "SECRET"}, "json-shape"),
        ({"author": {"ref": "Sam", "role": "nurse"}}, "json-shape"),
    ],
)
def test_a_manifest_keeps_its_rules(changes: dict[str, Any], code: str) -> None:
    """Sorted lists, a message that is a JSON document, a basis, no higher classification, no plain names."""
    raw = payload(samples.manifest(**changes))
    if not code:
        assert parse_manifest(raw).documents[0].name == "message.json"
        return
    with pytest.raises(MalformedError) as caught:
        parse_manifest(raw)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "name", ["", "../up", "a/b", "a\\b", ".hidden", "a\x00b", "a\nb", "con:", 'a"b', "a\u202eb", "x" * 201, "a\n"]
)
def test_a_document_name_is_a_plain_file_name(name: str) -> None:
    """No folders, control or direction characters: the recipient writes it to a disk and shows it to a person."""
    sample = samples.manifest()
    sample["documents"][1]["name"] = name
    with pytest.raises(MalformedError) as caught:
        parse_manifest(payload(sample))
    assert caught.value.code == "json-shape"


def test_document_names_differ_in_more_than_case() -> None:
    """Two names that a disk takes for one would lose a document."""
    sample = samples.manifest()
    sample["documents"][1]["name"] = "MESSAGE.json"
    with pytest.raises(MalformedError) as caught:
        parse_manifest(payload(sample))
    assert caught.value.code == "manifest-name-twice"


Parse = Callable[[bytes], Any]


@pytest.mark.parametrize(
    ("parse", "sample"),
    [
        (statements.parse_acceptance, samples.acceptance()),
        (statements.parse_notice, samples.notice()),
        (statements.parse_notice, samples.notice(type="minutes.full/1", envelope=samples.an_id("e"))),
        (statements.parse_notice, {"v": 1, "id": samples.an_id(1), "notice": "agreement-changed", "index": 3}),
        (statements.parse_waiver, samples.waiver("waived")),
        (statements.parse_waiver, samples.waiver("met_elsewhere")),
        (statements.parse_waiver, samples.waiver("met_elsewhere", second={"by": a_digest(2), "role": "x"})),
        (statements.parse_withdrawal, samples.withdrawal()),
        (statements.parse_key_approval, samples.key_approval()),
        (statements.parse_assertion, samples.assertion()),
        (statements.parse_assertion, samples.assertion(iss=HEALTH, sub=HEALTH)),
    ],
)
def test_a_statement_is_read_and_written_back(parse: Parse, sample: samples.Json) -> None:
    """Nothing is lost on the way: what is written again is read as the same."""
    parsed = parse(payload(sample))
    assert parse(dump(parsed)) == parsed
    assert all(getattr(parsed, name) == value for name, value in sample.items() if not isinstance(value, dict))


@pytest.mark.parametrize(
    ("parse", "sample", "code"),
    [
        (statements.parse_notice, samples.notice(debtor=None), "notice-members"),
        (statements.parse_notice, samples.notice(notice="owed", due=None), "notice-members"),
        (statements.parse_notice, samples.notice(notice="other"), "json-shape"),
        (statements.parse_notice, samples.notice(type="minutes.full/"), "json-shape"),
        (statements.parse_waiver, samples.waiver("waived", second=None), "waiver-second"),
        (statements.parse_waiver, samples.waiver("waived", by=a_digest("second")), "waiver-second"),
        (statements.parse_waiver, samples.waiver("waived", confirmed_by=a_digest(1)), "waiver-confirmation"),
        (statements.parse_waiver, samples.waiver("met_elsewhere", confirmed_by=None), "waiver-confirmation"),
        (statements.parse_waiver, samples.waiver("waived", reason="because she said so"), "json-shape"),
        (statements.parse_assertion, samples.assertion(sub=HEALTH), "assertion-subject"),
        (statements.parse_assertion, samples.assertion(exp=NOW // 1000), "assertion-lifetime"),
        (statements.parse_assertion, samples.assertion(exp=NOW // 1000 + 61), "assertion-lifetime"),
        (statements.parse_assertion, samples.assertion(iss="a/b/c", sub="a/b/c"), "json-shape"),
        (statements.parse_acceptance, samples.acceptance(index=-1), "json-shape"),
    ],
)
def test_a_statement_that_breaks_its_rule_is_refused(parse: Parse, sample: samples.Json, code: str) -> None:
    """Each rule has its code."""
    with pytest.raises(MalformedError) as caught:
        parse(payload(sample))
    assert caught.value.code == code


def test_an_assertion_is_for_an_agency() -> None:
    """A mailbox signs in under its agency."""
    assert (
        statements.parse_assertion(payload(samples.assertion(iss=HEALTH, sub=HEALTH))).agency == "exampleshire-health"
    )
