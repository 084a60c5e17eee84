"""The JSON Schemas for other languages and our own parsers give one verdict."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
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


DIRECTORY_RULES = {f"directory-{rule}" for rule in ("twice", "agency", "successor", "mailbox", "threshold")}
ENDED = samples.agency(
    "ended",
    samples.mailbox("ended/a", valid_from=1, valid_to=2, mesh="X26"),
    valid_to=2,
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
        [samples.directory(), samples.directory(agencies=[ENDED], previous=samples.a_digest(1), witnesses="log x")],
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
    *(samples.jwk(), samples.jwk("a", "ML-DSA-44"), {"by": samples.a_digest(9), "role": "x"}, [samples.HEALTH] * 65),
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in inner:
        yield (*path, step)
        yield from _places(member, (*path, step))


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Any]:
    """A sample of some kind with one to three changes anywhere in it."""
    name = draw(st.sampled_from(sorted(WIRES)))
    value = copy.deepcopy(draw(st.sampled_from(WIRES[name].samples)))
    optional = sorted(
        {member for sample in WIRES[name].samples for member in sample} | {"other", "code", "mode", "actor"}
    )
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(sorted(_places(value), key=str)))
        parent = value
        for step in path[:-1]:
            parent = parent[step]
        match draw(st.sampled_from(["delete", "replace", "text", "add", "repeat"])):
            case "delete":
                del parent[path[-1]]
            case "replace":
                parent[path[-1]] = copy.deepcopy(draw(st.sampled_from(NEW_VALUES)))
            case "text" if isinstance(parent[path[-1]], str):
                text = parent[path[-1]]
                parent[path[-1]] = draw(
                    st.sampled_from([text + "\n", text[:-1], text.upper(), text + text, text[:-1] + "B"])
                )
            case "repeat" if isinstance(parent[path[-1]], list):
                parent[path[-1]] = parent[path[-1]] * draw(st.sampled_from([0, 2, 20]))
            case _:
                target = parent if isinstance(parent, dict) else value
                target[draw(st.sampled_from([*optional, "bad key", ""]))] = copy.deepcopy(
                    draw(st.sampled_from(NEW_VALUES))
                )
        if not value:
            break
    return name, value


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


@settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_schema_and_parser_give_one_verdict(case: tuple[str, Any]) -> None:
    """What one refuses the other refuses too, but for the rules that a schema's description states in words."""
    name, value = case
    refusal = _refusal(WIRES[name], value)
    if refusal not in WIRES[name].beyond:
        assert (VALIDATORS[name].first_error(value) is None) == (refusal is None), refusal


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
