"""Drafts that staff write in their own system are sent, or come back with the reason."""

from __future__ import annotations

from adapters.conformance import collect
from tests.fhir.server import FhirServer
from tests.fhir.support import open_adapter


async def test_drafts_of_a_server_that_is_down_wait(server: FhirServer) -> None:
    """Nothing is found, and nothing fails."""
    await server.close()
    assert await collect(open_adapter(server)) == []
