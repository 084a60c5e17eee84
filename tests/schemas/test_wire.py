"""The JSON Schemas for other languages and our own parsers give one verdict."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas import statements
from schemas.directory import parse_directory, parse_key_statement
from schemas.envelope import MAX_WRAPS, Wraps, parse_header
from schemas.manifest import parse_manifest
from schemas.receipt import parse_receipt
from schemas.strict_json import MAX_INTEGER, MalformedError, parse_as
from schemas.validator import Validator
from tests.schemas import samples
from tests.schemas.samples import payload

FOLDER = Path(__file__).parents[2] / "schemas" / "wire"


class Wire(NamedTuple):
    """One kind of signed object: its parser, valid samples, and the codes of rules that no JSON Schema can state."""

    parse: Callable[[bytes], Any]
    samples: list[samples.Json]
    beyond: set[str]


def _wraps(raw: bytes) -> Wraps:
    # That wraps are for one header is asked of both together; here their own shape counts.
    return parse_as(raw, Wraps, max_bytes=MAX_WRAPS)


DIRECTORY_RULES = {
    f"directory-{rule}" for rule in ("twice", "agency", "successor", "mailbox", "threshold", "witnesses")
}
ENDED = samples.agency(
    "ended",
    samples.mailbox(
        "ended/a",
        valid_from=1,
        valid_to=2,
        mesh="X26",
        reads=["minutes.full/1"],
        roles=["r"],
        manager="ended/a",
        deputy="ended/a",
        out_of_hours={"mailbox": "ended/a", "hours": "at night"},
        former_names=[{"name": "Older", "until": 1}],
    ),
    valid_to=2,
    former_names=[{"name": "Old", "until": 1}],
    successors=[{"agency": "ended"}],
)
WIRES = {
    "envelope-header": Wire(
        parse_header,
        [
            samples.header(),
            samples.header(re=samples.an_id("re"), supersedes=samples.an_id("old"), moments={}, items=[]),
        ],
        {"header-order", "header-item-twice", "header-keep-until"},
    ),
    "wraps": Wire(_wraps, [samples.wraps()], set()),
    "manifest": Wire(
        parse_manifest, [samples.manifest()], {"manifest-order", "manifest-name-twice", "manifest-message"}
    ),
    "receipt": Wire(
        parse_receipt,
        [samples.receipt(lv) for lv in ("collected", "filed", "opened", "acknowledged", "declined", "rejected")]
        + [samples.receipt("filed", actor=samples.a_digest(1), role="clerk")],
        set(),
    ),
    "acceptance": Wire(statements.parse_acceptance, [samples.acceptance()], set()),
    "notice": Wire(
        statements.parse_notice,
        [samples.notice(), samples.notice(notice="returned", due=None, debtor=None, type="minutes.full/1")],
        set(),
    ),
    "waiver": Wire(
        statements.parse_waiver, [samples.waiver("waived"), samples.waiver("met_elsewhere")], {"waiver-second"}
    ),
    "withdrawal": Wire(statements.parse_withdrawal, [samples.withdrawal()], set()),
    "assertion": Wire(statements.parse_assertion, [samples.assertion()], {"assertion-subject", "assertion-lifetime"}),
    "key": Wire(
        parse_key_statement,
        [samples.key_statement(use) for use in ("sign", "seal", "witness")]
        + [samples.key_statement(mailbox=samples.HEALTH, compromised_from=1, previous=samples.a_digest(1))],
        {"key-statement"},
    ),
    "key-approval": Wire(statements.parse_key_approval, [samples.key_approval()], set()),
    "directory": Wire(
        parse_directory,
        [samples.directory(agencies=[ENDED], previous=samples.a_digest(1), witnesses="log x\nquorum agencies\n")],
        DIRECTORY_RULES,
    ),
}


def _schema(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.schema.json").read_text())


VALIDATORS = {name: Validator(_schema(name)) for name in WIRES}

NEW_VALUES: list[Any] = [
    *(0, 1, -1, 63, 64, 999, 1000, MAX_INTEGER, MAX_INTEGER + 1, 1.5, True, False, None, {}, [], "", "x", "a/b"),
    *("x" * 41 + "/y", "x" * 201, "A-b", "a\n", "é", "minutes.full", "minutes.full/0", "minutes.full/1", "waived"),
    *("met_elsewhere", "filed", "declined", "rejected", "collected", "opened", "wrong_recipient", "seal", "sign"),
    *("overdue", "owed", "withdrawn", "OKP", "AKP", "Ed25519", "ML-DSA-44", samples.a_digest(9), samples.an_id(9)),
    *(samples.jwk(), samples.jwk("a", "ML-DSA-44"), {"by": samples.a_digest(9), "role": "x"}),
    *([f"a/{n:02}" for n in range(many)] for many in (16, 17, 64, 65)),
    *({f"code{n}": n for n in range(many)} for many in (16, 17)),
    *(
        "a" * 40,
        "a" * 41,
        "a" * 40 + "/" + "b" * 40,
        "a" * 64,
        "a" * 65,
        "x" * 200,
        "x" * 2000,
        "x" * 2001,
        -0.5,
        55,
        56,
    ),
    *(67_108_864, 67_108_865, 2**40, 2**40 + 1, 16, 17),
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in inner:
        yield (*path, step)
        yield from _places(member, (*path, step))


def _texts(text: str) -> list[str]:
    """Return spellings near *text*, most of them wrong."""
    return [
        text + "\n",
        "\n" + text,
        text[:-1],
        text[1:],
        text.upper(),
        text.capitalize(),
        text + text,
        text[:-1] + "B",
    ]


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of *value* with *new* at *path*, or without what is there where *new* is ``...``."""
    changed = copy.deepcopy(value)
    parent = changed
    for step in path[:-1]:
        parent = parent[step]
    if new is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = copy.deepcopy(new)
    return changed


def _get(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _single_changes(sample: samples.Json) -> Iterator[samples.Json]:
    """Yield *sample* with one thing deleted, replaced, misspelt, repeated or added."""
    # Of a long document each place meets a third of the values, and each value a third of the places.
    step = 1 if len(payload(sample)) < 500 else 3
    for number, path in enumerate(_places(sample)):
        old = _get(sample, path)
        near = _texts(old) if isinstance(old, str) else [old * 2] if isinstance(old, list) else []
        for new in (..., *near, *NEW_VALUES[number % step :: step]):
            yield _changed(sample, path, new)
        if isinstance(old, dict):
            yield from (_changed(sample, (*path, name), new) for name in ("other", "bad key", "") for new in (1, "x"))
    for name in ("other", "code", "mode", "actor", "role", "record", "second", "confirmed_by", "manifest_sha256", "re"):
        yield from (_changed(sample, (name,), new) for new in ("x", 1, samples.a_digest(1), samples.an_id(1), "full"))


@st.composite
def several_changes(draw: st.DrawFn, name: str) -> samples.Json:
    """A sample of one kind with two to four changes anywhere in it."""
    value = draw(st.sampled_from(WIRES[name].samples))
    for _ in range(draw(st.integers(2, 4))):
        path = draw(st.sampled_from(sorted(_places(value), key=str) or [("other",)]))
        value = _changed(value, path, draw(st.sampled_from([..., *NEW_VALUES])) if value else 1)
    return value


def _refusal(wire: Wire, value: Any) -> str | None:
    try:
        wire.parse(payload(value))
    except MalformedError as error:
        return error.code
    return None


@pytest.mark.parametrize("name", WIRES)
def test_samples_pass_both(name: str) -> None:
    """Schema and parser take every valid sample, and the schema is one itself."""
    Draft202012Validator.check_schema(_schema(name))
    assert _schema(name)["$id"].endswith(f"/{name}/1")
    for sample in WIRES[name].samples:
        assert VALIDATORS[name].first_error(sample) is None
        assert _refusal(WIRES[name], sample) is None


def _agree(name: str, value: Any) -> None:
    refusal = _refusal(WIRES[name], value)
    if refusal not in WIRES[name].beyond:
        assert (VALIDATORS[name].first_error(value) is None) == (refusal is None), (refusal, value)


@pytest.mark.parametrize("name", WIRES)
def test_one_change_gets_one_verdict(name: str) -> None:
    """Whatever is deleted, replaced, misspelt or added: what one refuses the other refuses too.

    But for the rules that a schema can't state; those stand in its description.
    """
    for sample in WIRES[name].samples:
        for value in _single_changes(sample):
            _agree(name, value)


@pytest.mark.parametrize("name", ["receipt", "waiver", "notice", "key"])
def test_two_members_less_get_one_verdict(name: str) -> None:
    """Members that are only there together are left out together, at every level and state."""
    for sample in WIRES[name].samples:
        for first, second in combinations(sample, 2):
            _agree(name, {member: value for member, value in sample.items() if member not in {first, second}})


@pytest.mark.parametrize("name", WIRES)
def test_several_changes_get_one_verdict(name: str) -> None:
    """The same for changes that meet."""

    @settings(max_examples=40, deadline=None)
    @given(several_changes(name))
    def agree(value: samples.Json) -> None:
        _agree(name, value)

    agree()


def test_rules_beyond_a_schema_are_told_in_its_description() -> None:
    """Whoever implements from the schema alone is told what else to check."""
    for name, wire in WIRES.items():
        assert ("Beyond this schema" in _schema(name)["description"]) == (bool(wire.beyond) or name == "wraps")


def test_no_number_has_two_readings_in_what_is_signed() -> None:
    """JSON Schema takes 1.0 for an integer; our parser takes one spelling only."""
    raw = payload(samples.acceptance()).replace(b'"v":1', b'"v":1.0')
    with pytest.raises(MalformedError) as caught:
        statements.parse_acceptance(raw)
    assert caught.value.code == "json-type"
