"""The server is reached as it is configured, and nothing else is."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Filed, Later
from adapters.checks import Trial, run_checks
from adapters.conformance import THREAD
from adapters.fhir import FhirAdapter
from adapters.plugins import load_adapters
from tests.fhir.server import FhirServer
from tests.fhir.support import CHILD, MESSAGE, NHS, open_adapter
from tests.hl7.test_sending import make_certificate


async def test_a_token_is_fetched_kept_and_replaced(server: FhirServer, tmp_path: Path) -> None:
    """Client credentials are shown once until the server takes the token no more; wrong ones wait."""
    server.token = "one"
    (tmp_path / "secret").write_text("s\n")
    adapter = open_adapter(
        server, tmp_path, token_url=f"http://127.0.0.1:{server.port}/token", client="g", secret="secret"
    )
    assert await open_adapter(server).file(MESSAGE) == Later(reason="fhir-unauthorised")
    for _ in range(2):
        assert isinstance(await adapter.file(MESSAGE), Filed)
    assert server.tokens_given == 1
    server.token = "two"
    assert isinstance(await adapter.file(replace(MESSAGE, envelope=THREAD)), Filed)
    assert server.tokens_given == 2
    (tmp_path / "secret").write_text("wrong")
    wrong = open_adapter(
        server, tmp_path, token_url=f"http://127.0.0.1:{server.port}/token", client="g", secret="secret"
    )
    assert await wrong.file(MESSAGE) == Later(reason="fhir-unauthorised")


@pytest.mark.parametrize("days", [9, -1])
async def test_a_certificate_that_expired_sends_nothing(tmp_path: Path, days: int) -> None:
    """Over TLS it is filed; with a certificate that has run out nothing is sent, and it is asked again."""
    certificate, key = make_certificate(tmp_path, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = FhirServer()
    server.add({"resourceType": "Patient", "identifier": [{"system": NHS, "value": CHILD["nhs_number"]}]})
    await server.start(context)
    adapter = open_adapter(server, tmp_path, base=f"https://127.0.0.1:{server.port}/fhir", ca="certificate.pem")
    outcome = await adapter.file(MESSAGE)
    await server.close()
    assert isinstance(outcome, Filed) if days > 0 else outcome == Later(reason="fhir-certificate")
    assert bool(server.heard) == (days > 0)


async def test_in_its_own_process_it_reaches_its_server_and_no_other(server: FhirServer, tmp_path: Path) -> None:
    """As operation runs it, shut in with one address, every check holds."""
    place = f"localhost:{server.port}"
    table = {"base": f"http://{place}/fhir", "network": True, "hosts": [place]}
    opened: list[Any] = []

    async def reopen() -> Any:
        for one in opened:
            await one.close()
        opened[:] = [load_adapters({"fhir": table}, tmp_path)["fhir"]]
        await opened[0].start()
        return opened[0]

    elsewhere = load_adapters({"fhir": {**table, "hosts": ["localhost:9"]}}, tmp_path)["fhir"]
    assert await elsewhere.file(MESSAGE) == Later(reason="fhir-away")
    await elsewhere.close()
    points = [point async for point in run_checks(Trial(reopen=reopen, message=MESSAGE))]
    await opened[0].close()
    assert [point.says for point in points if not point.good] == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "base"),
        ({"base": "ftp://h"}, "base"),
        ({"base": "http://fhir.northmere.test"}, "https"),
        ({"base": "https://h", "token_url": "http://h/token", "client": "c", "secret": "s"}, "token_url"),
        ({"base": "https://h", "client": "c"}, "together"),
        ({"base": "https://h", "certificate": "c"}, "together"),
        ({"base": "https://h", "ca": "missing.pem"}, "ca"),
        ({"base": "https://h", "surprise": 1}, "surprise"),
    ],
)
def test_options_are_checked(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    """A wrong option is refused, by its name."""
    with pytest.raises(ValueError, match=named):
        FhirAdapter.configure(options, tmp_path)
