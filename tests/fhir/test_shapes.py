"""What is made is FHIR: by schemas of our own, by an independent library, for every message type."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Document, Filed, Incoming, NeedsPerson, Notice
from adapters.conformance import ENVELOPE, THREAD, sample_incoming
from adapters.fhir.comparing import is_kept
from adapters.fhir.finding import find_people
from adapters.fhir.mapping import TABLE, Systems
from adapters.fhir.resources import Maker
from schemas.strict_json import dump
from tests.fhir.server import SCHEMA, VALIDATORS, FhirServer
from tests.fhir.support import AT, CHILD, FLAG, FLAGGED, MESSAGE, NHS, OURS, follow, open_adapter
from tests.schemas.samples import minutes_correction, minutes_decisions, minutes_full


async def test_every_resource_is_what_an_independent_library_takes(server: FhirServer) -> None:
    """`fhir.resources` (R4B, the same as R4 in what is used here) reads each kind of resource, and nothing is lost on the way."""
    adapter = open_adapter(server, profiles={"Task": "https://example.test/StructureDefinition/Task"})
    cleared = {**FLAG, "cleared_at": "2026-08-01T10:00:00Z", "set_at": "2026-07-01T10:00:00Z"}
    odd = (Document(name="a\x07b\u202efdp.exe", type=" odd  type ", content=b""),)
    messages = [
        MESSAGE,
        replace(MESSAGE, envelope=THREAD, supersedes=ENVELOPE, urgent=True, documents=odd),
        FLAGGED,
        follow("impossible", 9, state_reason="moved_away"),
        replace(FLAGGED, type="flag.cleared/1", envelope=f"{ENVELOPE[:-1]}x", message=cleared),
    ]
    details = {"obligation": "o", "thread": THREAD, "type": MESSAGE.type, "debtor": "a/b", "creditor": "c/d", "due": AT}
    await adapter.notify(Notice(id="n", code="owed", at=AT, mailbox="c/d", source="hub", details=details))
    for message in messages:
        assert isinstance(await adapter.file(message), Filed)
    kinds = {one["resourceType"] for one in server.store.values()} - {"Patient"}
    assert kinds == set(VALIDATORS)
    for one in server.store.values():
        kind = one["resourceType"]
        module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
        read = getattr(module, kind).model_validate(one)
        again = json.loads(read.model_dump_json())
        assert again.keys() == one.keys()


def every_sample() -> Iterator[Incoming]:
    """Yield a valid message of every type."""
    samples = {
        "minutes.full": minutes_full(), "minutes.decisions": minutes_decisions(), "minutes.correction": minutes_correction(),
    }  # fmt: skip
    samples |= {
        path.stem: json.loads(path.read_text("utf-8")) for path in Path("tests/schemas/messages").glob("*.json")
    }
    for name, message in samples.items():
        yield sample_incoming(type=f"{name}/1", message=message)


def test_every_type_becomes_resources_that_its_schema_takes() -> None:
    """A valid message of any type makes valid resources, each linked and looked for once, and tasks and flags where the table says so."""
    systems = Systems(base=OURS, nhs_number=NHS)
    seen = set()
    for message in every_sample():
        entries = Maker(message=message, systems=systems, patients=("Patient/1",)).make()
        for entry in entries:
            assert list(VALIDATORS[entry.resource["resourceType"]].iter_errors(entry.resource)) == []
        assert len({one.link for one in entries}) == len({one.unless for one in entries}) == len(entries)
        kinds = {one.resource["resourceType"] for one in entries}
        rule = TABLE.types.get(message.type)
        assert (rule is not None and rule.tasks is not None) == ("Task" in kinds)
        assert (rule is not None and rule.flag is not None) == ("Flag" in kinds)
        seen.add(message.type)
    assert TABLE.types.keys() <= seen


async def test_every_type_is_filed_or_is_for_a_person(server: FhirServer) -> None:
    """Whatever comes, the answer is one that is true: filed where the child is surely known, else a person looks."""
    answers = {}
    for number, message in enumerate(every_sample()):
        told = json.loads(dump(message.message).decode())
        for person in find_people(told):
            if "nhs_number" in person:
                assert isinstance(person, dict)
                person.update(nhs_number=CHILD["nhs_number"], nhs_number_status="traced", dob=CHILD["dob"])
        one = replace(message, envelope=f"{ENVELOPE[:-3]}{number:03}", message=told)
        answers[message.type] = await open_adapter(server).file(one)
    assert {type(one) for one in answers.values()} == {Filed, NeedsPerson}
    codes = {one.code for one in answers.values() if isinstance(one, NeedsPerson)}
    assert codes <= {"fhir-no-patient", "fhir-patient-untraced"}
    assert {"minutes.full/1", "minutes.decisions/1", "action.assign/1", "check.child.request/1", "flag.request/1"} <= {
        kind for kind, one in answers.items() if isinstance(one, Filed)
    }


def test_the_tables_agree() -> None:
    """Each type that the table names is a schema of ours, each source and state is known, each resource has a schema."""
    names = {path.name.removesuffix(".schema.json") for path in Path("schemas/messages").glob("*.schema.json")}
    assert {kind.removesuffix("/1") for kind in TABLE.types} <= names
    assert {rule.tasks for rule in TABLE.types.values()} - {None} <= TABLE.tasks.keys()
    shared = json.loads(Path("schemas/messages/shared.schema.json").read_text("utf-8"))
    assert set(shared["$defs"]["ActionState"]["enum"]) == TABLE.statuses.keys()
    assert set(TABLE.statuses.values()) <= set(SCHEMA["$defs"]["Task"]["properties"]["status"]["enum"])
    assert TABLE.keeps.keys() == VALIDATORS.keys()
    for source in TABLE.tasks.values():
        assert source.status or source.state


@pytest.mark.parametrize(
    ("sent", "held", "kept"),
    [
        ({"a": "x"}, {"a": "x", "b": 1}, True),
        ({"a": "x"}, {}, False),
        ({"a": ["x"]}, {"a": ["x", "y"]}, True),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, False),
        ({"a": {"b": "x"}}, {"a": {"b": "x", "c": "y"}}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": "2026-07-06T17:00:00.000Z"}, {"a": "2026-07-06T18:00:00+01:00"}, True),
        ({"a": "2026-07-06T17:00:00Z"}, {"a": "2026-07-06T17:00:00"}, False),
        ({"a": "2026-07-06"}, {"a": "2026-07-07"}, False),
        ({"text": {"div": "mine"}}, {"text": {"div": "yours"}}, True),
        ({"meta": {"security": [{"code": "V"}]}}, {"meta": {"security": [{"code": "R"}, {"code": "V"}]}}, True),
        ({"meta": {"security": [{"code": "V"}]}}, {"meta": {"security": [{"code": "R"}]}}, False),
        ({"meta": {"security": [{"code": "V"}]}}, {}, False),
    ],
)
def test_what_a_server_may_add_and_what_it_may_not_change(
    sent: dict[str, Any], held: dict[str, Any], kept: bool
) -> None:
    """It may add members and labels, and write a moment in another zone; nothing else."""
    assert is_kept({"resourceType": "Task", **sent}, {"resourceType": "Task", **held}) == kept
    assert not is_kept({"resourceType": "Task", **sent}, {"resourceType": "Flag", **held})
