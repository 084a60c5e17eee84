"""The OpenAPI document: valid, the same as the routes, and true of every answer."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import not_a_server_error

from hub.web.app import make_app
from hub.web.console.frame import ROOT
from hub.web.openapi import build_openapi, describe_path
from hub.web.routes import ROUTES
from schemas.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE
from tests.county import COUNCIL, HEALTH, MASH, NURSES
from tests.web.support import Site
from tests.web.test_envelopes import minutes

RAW = (MEDIA_TYPE, BATCH_MEDIA_TYPE, "application/jose", "application/octet-stream")


@schemathesis.serializer(*RAW)
def as_bytes(_: Any, value: Any) -> bytes:
    """Return what the generator made as raw bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


DOCUMENT = build_openapi(ROUTES, "https://hub.example.org")


def test_the_document_is_valid() -> None:
    """It is OpenAPI 3.1, references and all."""
    OpenAPIV31SpecValidator(DOCUMENT).validate()


async def test_the_document_has_exactly_the_applications_routes(site: Site) -> None:
    """What is served is described, and what is described is served."""
    served = {
        (route.method, describe_path(resource.canonical) if "{" in resource.canonical else resource.canonical)
        for route in make_app(site.hub).router.routes()
        # The console's pages are for people, and under an address of their own.
        if (resource := route.resource) is not None and not resource.canonical.startswith(ROOT)
    }
    described = {(method.upper(), path) for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert served == described
    assert (await site.api.get("/openapi.json")).json["paths"].keys() == DOCUMENT["paths"].keys()


def test_every_operation_has_a_name_of_its_own_and_one_handler() -> None:
    """Public or private, never both."""
    names = [route.name for route in ROUTES]
    assert len(names) == len(set(names))
    assert all((route.public is None) != (route.private is None) for route in ROUTES)


def test_what_changes_something_or_shows_a_partys_things_needs_a_token() -> None:
    """Public are only signed documents, the log, health, the description, and signing in."""
    public = {(route.method, route.path) for route in ROUTES if route.public}
    assert {path for method, path in public if method == "POST"} == {
        "/v1/token", "/v1/directory", "/v1/agreement", "/v1/keys", "/v1/audit/cosignatures",
    }  # fmt: skip
    allowed = re.compile(
        r"/v1/(directory|agreement|keys|audit/(checkpoint|tile|proof|witnesses))|/(healthz|readyz|metrics|openapi.json|docs)"
    )
    assert all(allowed.match(path) for method, path in public if method == "GET")


def _check(path: str, method: str, status: int, media: str, value: Any) -> None:
    answers = DOCUMENT["paths"][path][method]["responses"]
    schema = answers.get(str(status), answers["default"])["content"][media]["schema"]
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


async def test_answers_are_as_described(site: Site) -> None:
    """A journey's answers fit their schemas, problems included."""
    council, health, sent = await site.as_agency(COUNCIL), await site.as_agency(HEALTH), minutes(site)
    accepted = await council.send(sent)
    _check("/v1/envelopes", "post", 201, "application/json", accepted.json)
    receipt = site.county.receipt(sent, NURSES, "collected").decode()
    taken = await health.post("/v1/receipts", {"receipts": [receipt, "junk"]})
    _check("/v1/receipts", "post", 200, "application/json", taken.json)
    for path, template in (
        (f"/v1/envelopes/{sent.id}", "/v1/envelopes/{id}"),
        (f"/v1/mailboxes/{NURSES}/feed", "/v1/mailboxes/{agency}/{team}/feed"),
        (f"/v1/mailboxes/{MASH}/feed", "/v1/mailboxes/{agency}/{team}/feed"),
        ("/v1/obligations?limit=1", "/v1/obligations"),
        ("/v1/directory", "/v1/directory"),
        ("/v1/agreement/1", "/v1/agreement/{version}"),
        ("/v1/keys?limit=2", "/v1/keys"),
        ("/v1/audit/entries?limit=5", "/v1/audit/entries"),
        ("/v1/audit/proof/inclusion?index=0&size=2", "/v1/audit/proof/inclusion"),
        ("/v1/audit/proof/consistency?from=1&to=2", "/v1/audit/proof/consistency"),
        ("/v1/reports/receipts?from=0&to=9999999999999", "/v1/reports/receipts"),
        ("/v1/reports/duties?from=0&to=9999999999999&type=minutes.full", "/v1/reports/duties"),
        ("/healthz", "/healthz"),
    ):
        caller = health if "northmere" in path else council
        answer = await caller.get(path)
        assert answer.status == 200, (path, answer.body)
        _check(template, "get", 200, answer.headers["Content-Type"].partition(";")[0], answer.json)
    refused = await council.get("/v1/obligations?state=nonsense")
    _check("/v1/obligations", "get", 400, "application/problem+json", refused.json)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pytest.PytestWarning")
async def test_no_generated_request_is_a_server_error(site: Site) -> None:
    """Requests made from the document, right and wrong ones, never get 5xx."""
    token = (await site.as_agency(COUNCIL)).token
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    for number, operation in enumerate(schema.get_all_operations()):
        case_strategy = operation.ok().as_strategy()
        if operation.ok().path == "/v1/events":
            continue
        await asyncio.to_thread(_call_some, case_strategy, site.api.base, token, number)


def _call_some(strategy: Any, base: str, token: str | None, seed: int) -> None:
    from hypothesis import given
    from hypothesis import seed as seeded

    @seeded(seed)
    @settings(
        max_examples=6,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def call(case: Any) -> None:
        # A wait on purpose is no error, but takes long.
        if case.query:
            case.query.pop("wait", None)
        headers = {"Authorization": f"Bearer {token}"}
        case.call_and_validate(base_url=base, headers=headers, checks=[not_a_server_error], timeout=10)

    call()
