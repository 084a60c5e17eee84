"""What a message is, the officers sign: a gateway with another schema of a type doesn't send that type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.base import parse_draft
from adapters.errors import NotYetError
from adapters.gateway import compose as composing
from adapters.gateway.agent import load_messages
from adapters.gateway.books import Books
from keys.digests import new_id
from schemas.agreement import parse_agreement
from schemas.catalogue import Catalogue
from schemas.strict_json import MalformedError, dump
from tests.cli.support import run
from tests.county import COUNCIL, EXAMPLES, MASH, NURSES, START, County
from tests.gateway.support import CATALOGUE, books_of, draft, meeting_held
from tests.schemas.test_linting import local_type

OTHER = "A" * 43


def books(county: County, **schemas: str) -> Books:
    """Return what everybody knows, the digests of ``meeting.held`` in the agreement being *schemas*."""
    payload = json.loads(county.agreement())
    payload["types"]["meeting.held"]["schemas"] = schemas
    known = books_of(county)
    return Books(
        known.directory, [parse_agreement(dump(payload))], [one for key in known.keys.values() for one in key.stated]
    )


def send(county: County, known: Books, **changes: Any) -> composing.Composed:
    """Return the registration of a discussion, composed by *known*."""
    value = draft("meeting.held/1", MASH, message=meeting_held([MASH, NURSES], **changes))
    return composing.compose(
        parse_draft(dump(value)),
        [],
        envelope=new_id(START),
        thread=new_id(START),
        books=known,
        catalogue=CATALOGUE,
        keyring=county.keyrings[COUNCIL],
        now=START,
    )


def test_a_type_of_another_schema_waits_unless_it_is_urgent() -> None:
    """The draft stays until the gateway or the agreement has changed; what is urgent goes all the same."""
    county = County()
    known = books(county, **{"1": OTHER})
    with pytest.raises(NotYetError) as caught:
        send(county, known)
    assert caught.value.code == "schema-differs"
    assert send(county, known, urgent=True).shown.urgent


@pytest.mark.parametrize("schemas", [{}, {"2": OTHER}])
def test_a_version_that_the_agreement_does_not_sign_goes(schemas: dict[str, str]) -> None:
    """An agreement made before schemas were signed, or for another version, holds nothing up."""
    county = County()
    assert send(county, books(county, **schemas)).shown.type == "meeting.held/1"


def test_the_shipped_schemas_are_those_that_the_example_signs() -> None:
    """What this release has goes by the agreement that this release publishes."""
    county = County()
    signed = parse_agreement(county.agreement()).types["meeting.held"].schemas
    assert set(signed) == {"1"}
    assert send(county, books(county, **signed)).shown.facts["meeting"] == "strategy"


def test_a_gateway_reads_the_partnerships_own_types(tmp_path: Path) -> None:
    """A file in ``messages/`` of its home is a type like any other; one that breaks the rules is refused by its place."""
    assert load_messages(tmp_path).types() == Catalogue.load().types()
    (tmp_path / "messages").mkdir()
    file = tmp_path / "messages" / "local.visit.schema.json"
    file.write_bytes(dump(local_type()))
    assert "local.visit/1" in load_messages(tmp_path).types()
    wrong = local_type()
    del wrong["properties"]["place"]["maxLength"]
    file.write_bytes(dump(wrong))
    with pytest.raises(MalformedError) as caught:
        load_messages(tmp_path)
    assert caught.value.code == "schema-lint"
    assert "/properties/place" in caught.value.message


def test_an_agreement_may_speak_of_a_type_of_the_partnerships_own(tmp_path: Path) -> None:
    """`hub agreement check --messages` takes it; a schema that could run for ever is refused with its place."""
    (tmp_path / "local.visit.schema.json").write_bytes(dump(local_type()))
    terms = '\n[types."local.visit"]\nsenders = "*"\nrecipients = "*"\nbasis_classes = "care"\nretention = "case"\n'
    text = (EXAMPLES / "agreement.toml").read_text("utf-8")
    head, mark, tail = text.partition('[types."meeting.convened"]')
    (tmp_path / "agreement.toml").write_text(head + terms + mark + tail, "utf-8")
    words = ("agreement", "check", str(tmp_path / "agreement.toml"), "--at", "2026-07-06")
    assert "type-unknown" in run(*words, ok=False).stdout
    assert "0 errors" in run(*words, "--messages", str(tmp_path)).stdout
    wrong = local_type()
    wrong["properties"]["place"]["pattern"] = "^(a+)+$"
    (tmp_path / "local.visit.schema.json").write_bytes(dump(wrong))
    refused = run(*words, "--messages", str(tmp_path), ok=False)
    assert (refused.returncode, "/properties/place" in refused.stderr) == (1, True)
    (tmp_path / "empty").mkdir()
    assert "no *.schema.json" in run(*words, "--messages", str(tmp_path / "empty"), ok=False).stderr
