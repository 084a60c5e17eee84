"""A server that is open, for each test that asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fhir.server import FhirServer
from tests.fhir.support import CHILD, NHS


@pytest.fixture
async def server() -> AsyncIterator[FhirServer]:
    """Give a server with one patient."""
    one = FhirServer()
    await one.start()
    one.add(
        {
            "resourceType": "Patient",
            "identifier": [{"system": NHS, "value": CHILD["nhs_number"]}],
            "birthDate": CHILD["dob"],
        }
    )
    yield one
    await one.close()
