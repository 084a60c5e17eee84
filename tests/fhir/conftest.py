"""A server that is open, for each test that asks for it: ours, which can misbehave, a real one, or each of the two."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.fhir.real import RealServer, run_server
from tests.fhir.server import FhirServer
from tests.fhir.support import Server, add_patient


@pytest.fixture
async def server() -> AsyncIterator[FhirServer]:
    """Give a server with one patient."""
    one = FhirServer()
    await one.start()
    add_patient(one)
    yield one
    await one.close()


@pytest.fixture(scope="session")
def running() -> Iterator[RealServer]:
    """Give the real server that the tests share."""
    with run_server() as one:
        yield one


@pytest.fixture
def real(running: RealServer) -> RealServer:
    """Give the real server with one patient, and nothing else."""
    running.empty()
    add_patient(running)
    return running


@pytest.fixture(params=["ours", pytest.param("real", marks=pytest.mark.needs_node)])
def each(request: pytest.FixtureRequest) -> Server:
    """Give the one, then the other."""
    one: Server = request.getfixturevalue({"ours": "server", "real": "real"}[request.param])
    return one
