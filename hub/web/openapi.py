"""The OpenAPI 3.1 document, made from the route table, the shapes, the problems and the examples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any, Final, get_args

from hub.errors import known
from hub.web.answers import problems_of
from hub.web.examples import EXAMPLES, Example
from hub.web.problems import PROBLEM_TYPE, RETRY_AFTER
from hub.web.routes import GROUPS, Query, Route
from hub.web.searching import EVENTS
from hub.web.shapes import ID, PATH_PARAMETERS, SHA256, SHAPES
from schemas.rules.duty import State

_PARAMETER: Final = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_INTEGER: Final = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1}
_KINDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "integer": _INTEGER,
    "text": {"type": "string", "maxLength": 64},
    "agency": {"type": "string", "maxLength": 40},
    "mailbox": {"type": "string", "maxLength": 81},
    "id": ID,
    "sha256": SHA256,
    "event": {"type": "string", "enum": sorted(EVENTS)},
    "state": {"type": "string", "enum": list(get_args(State))},
    "group": {"type": "string", "enum": list(GROUPS)},
    "format": {"type": "string", "enum": ["jsonl", "csv"]},
    "yes": {"type": "string", "enum": ["yes"]},
    "flag": {"type": "string", "enum": ["true", "false"]},
}
# The parts of the page that lists the operations, by how a path begins; the first that fits.
TAGS: Final[Mapping[str, str]] = {
    "/v1/token": "Signing in",
    "/v1/audit": "The audit log",
    "/v1/reports": "Figures",
    "/v1/obligations": "Obligations",
    "/v1/acts": "Obligations",
    "/v1/holds": "Obligations",
    "/v1/directory": "Directory, agreement and keys",
    "/v1/agreement": "Directory, agreement and keys",
    "/v1/keys": "Directory, agreement and keys",
    "/v1": "Envelopes, receipts and feeds",
    "/": "The hub itself",
}


def describe_path(path: str) -> str:
    """Return a route's path as OpenAPI writes it."""
    return _PARAMETER.sub(r"{\1}", path)


def build_openapi(routes: Iterable[Route], url: str) -> dict[str, Any]:
    """Return the document for *routes*, served at *url*."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(describe_path(route.path), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Safeguarding Hub",
            "version": metadata.version("safeguarding-hub"),
            "description": "Carries sealed messages between agencies, and says which are owed and missing.",
        },
        "servers": [{"url": url}],
        "tags": [{"name": name} for name in dict.fromkeys(TAGS.values())],
        "paths": paths,
        "components": {
            "schemas": SHAPES,
            "securitySchemes": {
                "gateway": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token of an agency's gateway, from /v1/token; lasts 300 seconds.",
                },
                "program": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token that the partnership made for one program, for at most 90 days: `shp_…`.",
                },
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    example = EXAMPLES.get(route.name, Example())
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [next(tag for start, tag in TAGS.items() if route.path.startswith(start))],
        "parameters": [
            *(_in_path(route, name, example) for name in _PARAMETER.findall(route.path)),
            *(_in_query(query, example) for query in route.query),
        ],
        "responses": {
            **{str(status): _answer(route, status, media, example) for status, media in route.answers.items()},
            **{str(status): _problem(status, codes) for status, codes in problems_of(route).items()},
        },
    }
    if route.private:
        operation["security"] = [{"gateway": []}, *([{"program": [route.scope]}] if route.scope else [])]
    if route.request:
        operation["requestBody"] = {"required": True, "content": _content(route.request, example.request)}
    return operation


def _answer(route: Route, status: int, media: Mapping[str, str], example: Example) -> dict[str, Any]:
    if not media:
        return {"description": "As it was when its `ETag` was last answered."}
    return {"description": route.summary, "content": _content(media, example.answers.get(status, {}))}


def _problem(status: int, codes: list[str]) -> dict[str, Any]:
    first = known(codes[0])
    example = {
        "type": f"/docs/errors#{codes[0]}",
        "title": first.title,
        "status": status,
        "detail": first.title,
        "code": codes[0],
    }
    said: dict[str, Any] = {
        "description": f"A problem (RFC 9457) with one of these codes: {', '.join(f'`{code}`' for code in codes)}.",
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }
    if status in RETRY_AFTER:
        said["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
    return said


def _content(media: Mapping[str, str], examples: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}
        | ({"example": examples[kind]} if kind in examples else {})
        for kind, name in media.items()
    }


def _in_path(route: Route, name: str, example: Example) -> dict[str, Any]:
    # An obligation's name is a digest; everything else that a path names by `id` is an id.
    schema = SHA256 if name == "id" and route.path.startswith("/v1/obligations") else PATH_PARAMETERS[name]
    said = {"name": name, "in": "path", "required": True, "schema": schema}
    return said | ({"example": example.path[name]} if name in example.path else {})


def _in_query(query: Query, example: Example) -> dict[str, Any]:
    schema = _KINDS[query.kind]
    said = {
        "name": query.name,
        "in": "query",
        "required": query.required,
        "description": query.meaning,
        "schema": schema if query.most is None else {**schema, "maximum": query.most},
    }
    return said | ({"example": example.query[query.name]} if query.name in example.query else {})
