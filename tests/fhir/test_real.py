"""What a real server does otherwise than ours, or doesn't do, by name.

What no test here shows: its store is in memory and takes one request after another, and its transactions are undone by
``real/server.mjs``; access rules, tokens and TLS are before it in operation, and are tried with our own server.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.base import Document, Filed, Later, NeedsPerson
from adapters.conformance import THREAD
from adapters.fhir.judging import FhirError
from tests.fhir.real import RealServer
from tests.fhir.support import MESSAGE, NHS, OURS, open_adapter

pytestmark = pytest.mark.needs_node
TASK = {"resourceType": "Task", "status": "requested", "intent": "order"}


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    """Return a transaction that makes *resources*."""
    entries = [{"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in resources]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def test_it_takes_what_is_valid_all_or_nothing(real: RealServer) -> None:
    """Its own validator refuses what the specification doesn't allow, and nothing of that transaction stays."""
    wrong = {"resourceType": "Task", "status": "requested"}
    status, said = real.ask("POST", "", bundle(TASK, wrong))
    assert (status, said["issue"][0]["code"], real.of("Task")) == (400, "structure", [])
    status, _ = real.ask("POST", "", bundle(TASK, TASK))
    assert (status, len(real.of("Task"))) == (200, 2)


async def test_it_needs_to_be_set_to_large_documents(real: RealServer) -> None:
    """By itself it takes 1 MiB of Base64; a larger document is for a person, and nothing of the message stands there."""
    adapter = open_adapter(real, base=real.base.replace("/fhir/", "/unset/"))
    scan = Document(name="scan.pdf", type="application/pdf", content=bytes(1_100_000))
    assert await adapter.file(replace(MESSAGE, documents=(scan,))) == NeedsPerson(code="fhir-refused")
    assert not real.of("DocumentReference") + real.of("Task")
    assert isinstance(await adapter.file(MESSAGE), Filed)


async def test_it_says_that_there_are_several(real: RealServer) -> None:
    """Two of one identifier, or two children of one number, are for a person."""
    adapter = open_adapter(real)
    assert isinstance(await adapter.file(MESSAGE), Filed)
    (first,) = real.of("Provenance")
    real.add({name: value for name, value in first.items() if name != "id"})
    assert await adapter.file(MESSAGE) == NeedsPerson(code="fhir-ambiguous")
    real.add({"resourceType": "Patient", "identifier": [{"system": NHS, "value": "9990000018"}]})
    assert await adapter.file(replace(MESSAGE, envelope=THREAD)) == NeedsPerson(code="fhir-ambiguous")


async def test_what_staff_changed_meanwhile_is_not_overwritten(real: RealServer) -> None:
    """A version that is no longer the newest is refused, alone and in a transaction."""
    adapter = open_adapter(real)
    stale = real.read(real.add(TASK))
    real.change(f"Task/{stale['id']}", description="by staff")
    request = {"method": "PUT", "url": f"Task/{stale['id']}", "ifMatch": f'W/"{stale["meta"]["versionId"]}"'}
    entry = {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001", "resource": stale, "request": request}
    async with adapter._client.talk() as talk:
        with pytest.raises(FhirError) as alone:
            await talk.update(stale)
        with pytest.raises(FhirError) as together:
            await talk.transact({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    assert alone.value.outcome == together.value.outcome == Later(reason="fhir-conflict")
    assert real.of("Task")[0]["description"] == "by staff"


def test_it_takes_codes_of_any_word(real: RealServer) -> None:
    """It doesn't hold codes to their value sets: that ours are in them is what our own server's schema shows."""
    assert real.add({**TASK, "status": "nonsense"})


def test_it_does_not_find_an_identifier_with_a_bar(real: RealServer) -> None:
    """It doesn't read the specification's escape of it in a search; ours are letters, digits, `-`, `_` and `/`."""
    real.add({**TASK, "identifier": [{"system": OURS, "value": "a|b"}]})
    assert "entry" not in real.ask("GET", f"/Task?identifier={OURS}%7Ca\\%7Cb")[1]


def test_it_finds_nothing_by_a_parameter_that_it_does_not_know(real: RealServer) -> None:
    """Where others leave the parameter out and find everything."""
    assert real.ask("GET", "/Patient?surprise=1")[1].get("entry", []) == []


def test_what_was_deleted_is_as_if_it_had_never_been(real: RealServer) -> None:
    """Its store in memory says 404 where its database says 410; the adapter reads both alike."""
    reference = real.add(TASK)
    assert real.ask("DELETE", f"/{reference}")[0] == 200
    assert real.ask("GET", f"/{reference}")[0] == 404
