"""The OpenAPI document: valid, the same as the routes, and true of every answer."""

from __future__ import annotations

import re
from typing import Any

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from hub.errors import CODES
from hub.web.answers import SPECIAL, problems_of
from hub.web.app import make_app
from hub.web.console.frame import ROOT
from hub.web.examples import EXAMPLES
from hub.web.openapi import build_openapi, describe_path
from hub.web.reference.describing import operations_of
from hub.web.routes import ROUTES
from tests.county import COUNCIL, HEALTH, MASH, NURSES
from tests.web.support import Site
from tests.web.test_envelopes import minutes

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
    schema = answers[str(status)]["content"][media]["schema"]
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


def test_every_operation_shows_how_it_is_used() -> None:
    """Each body and each parameter of a path has an example, and each example is as its schema has it."""
    lacking, names = [], {route.name for route in ROUTES}
    assert set(EXAMPLES) <= names
    assert set(SPECIAL) <= names
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            name = operation["operationId"]
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for media, said in [one for body in bodies for one in body.get("content", {}).items()]:
                if "example" in said:
                    schema = {**said["schema"], "components": DOCUMENT["components"]}
                    Draft202012Validator(schema).validate(said["example"])
                elif media.endswith("json"):
                    lacking.append((name, media))
            for said in operation["parameters"]:
                if "example" in said:
                    Draft202012Validator(said["schema"]).validate(said["example"])
                elif said["in"] == "path":
                    lacking.append((path, said["name"]))
    assets = "/docs/assets/{digest}/{file}"
    assert lacking == [("getOpenApi", "application/json"), (assets, "digest"), (assets, "file")]


async def test_the_description_is_pages_too(site: Site) -> None:
    """Each operation has its page, each code its place, and whatever a page links to is there."""
    index = (await site.api.get("/docs")).body.decode()
    for route in ROUTES:
        path = f"/docs/operations/{route.name}"
        assert f'href="{path}"' in index
        page = await site.api.get(path)
        assert page.status == 200
        for code in (code for codes in problems_of(route).values() for code in codes):
            assert f'href="/docs/errors#{code}"' in page.body.decode(), (route.name, code)
    errors = (await site.api.get("/docs/errors")).body.decode()
    assert all(f'id="{code}"' in errors for code in CODES)
    linked = re.findall(r'(?:href|src)="(/docs/assets/[^"]+)"', index)
    assert len(linked) == 4
    assert [(await site.api.get(path)).status for path in linked] == [200] * 4
    assert "<script>" not in index + errors
    for path in ("/docs/operations/nothing", "/docs/assets/AAAAAAAAAAAAAAAA/pages.css", f"{linked[0]}x"):
        assert (await site.api.get(path)).code == "not-found"


def test_a_line_to_try_an_operation_by_has_its_examples() -> None:
    """Parameters, token and media type stand where a shell wants them."""
    lines = {one.name: one.curl for one in operations_of(DOCUMENT)}
    base = DOCUMENT["servers"][0]["url"]
    assert lines["proveInclusion"] == f'curl "{base}/v1/audit/proof/inclusion?index=41&size=750"'
    assert lines["waiveObligation"].startswith('curl -X POST -H "Authorization: Bearer $TOKEN" -H "Content-Type: ')
