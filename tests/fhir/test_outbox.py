"""Drafts that staff write in their own system are sent, or come back with the reason."""

from __future__ import annotations

import pytest

from adapters.conformance import collect
from adapters.fhir.judging import FhirError
from tests.fhir.server import FhirServer
from tests.fhir.support import open_adapter


async def test_drafts_of_a_server_that_is_down_wait(server: FhirServer) -> None:
    """It says that it can't look, from which the gateway knows that it is an outage and no empty outbox."""
    await server.close()
    with pytest.raises(FhirError):
        await collect(open_adapter(server))
