"""Requests made at random from the OpenAPI document, right and wrong ones, to the running server.

Whoever asks, every answer is one that the document has: its status, its media type, its shape, and never a server's error.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import cycle
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from schemathesis.checks import not_a_server_error
from schemathesis.core.control import SkipTest
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hub import people, programs
from hub.core.rights import SCOPES
from hub.store.transaction import Transaction
from hub.web.openapi import build_openapi
from hub.web.routes import ROUTES
from schemas.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE
from tests.county import COUNCIL, MASH, NURSES, PARTNERSHIP
from tests.web.support import Site
from tests.web.test_audit import sign
from tests.web.test_envelopes import minutes

EXAMPLES: Final = 8
CHECKS: Final = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
)
DOCUMENT: Final = build_openapi(ROUTES, "https://hub.example.org")
RAW: Final = (MEDIA_TYPE, BATCH_MEDIA_TYPE, "application/jose", "application/octet-stream", "text/plain")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pytest.PytestWarning")


@schemathesis.serializer(*RAW)
def as_bytes(_: Any, value: Any) -> bytes:
    """Return what the generator made as raw bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


async def tokens(site: Site) -> dict[str, str | None]:
    """Return a token of an agency, of the partnership, of a program for everything, and none."""

    def add(tx: Transaction) -> str:
        now = site.county.now
        account = people.add_account(tx, None, "business.manager", "Business Manager", ["administrator"], now)
        return programs.add_program(tx, account, "Fuzzer", SCOPES, 7, now)[1]

    return {
        "an agency": (await site.as_agency(COUNCIL)).token,
        "the partnership": (await site.as_agency(PARTNERSHIP)).token,
        "a program": await site.hub.store.write(add),
        "nobody": None,
    }


@pytest.mark.parametrize("who", ["an agency", "the partnership", "a program", "nobody"])
@pytest.mark.parametrize("mode", ["positive", "negative"])
async def test_every_answer_is_documented(site: Site, who: str, mode: str) -> None:
    """Each operation, by requests that fit the document and by requests that don't, with the token of *who*."""
    council, sent = await site.as_agency(COUNCIL), minutes(site)
    assert (await council.send(sent)).status == 201
    await site.desk.receive(sent, NURSES, "collected")
    await sign(site)
    (owed,) = (await council.get("/v1/obligations?limit=1")).json["obligations"]
    real = {
        "/v1/envelopes/": {"id": sent.id},
        "/v1/obligations/": {"id": owed["id"]},
        "/v1/mailboxes/": {"agency": COUNCIL, "team": MASH.partition("/")[2]},
        "/docs/": {"operation": "getDocs"},
    }
    token = (await tokens(site))[who]
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    schema.config.generation.update(modes=[schemathesis.GenerationMode(mode)])
    for number, found in enumerate(schema.get_all_operations()):
        operation = found.ok()
        if operation.path == "/v1/events":
            continue
        strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode))
        known: dict[str, str] = next((names for start, names in real.items() if operation.path.startswith(start)), {})
        # What can't be asked wrongly has no parameter and no body.
        with suppress(SkipTest):
            await asyncio.to_thread(call_some, strategy, site.api.base, token, number, known)


def call_some(strategy: Any, base: str, token: str | None, seed: int, known: dict[str, str]) -> None:
    """Send requests of *strategy* to *base*, the same ones each time, and hold the answers to the document.

    In every other one *known* stand for what was made up, so that what lies behind a name is reached too.
    """
    turns = cycle((False, True))

    @seeded(seed)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def call(case: Any) -> None:
        if next(turns):
            case.path_parameters.update({name: value for name, value in known.items() if name in case.path_parameters})
        # A wait on purpose is no error, but takes long.
        if isinstance(case.query, dict):
            case.query.pop("wait", None)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        case.call_and_validate(base_url=base, headers=headers, checks=list(CHECKS), timeout=10)

    call()
