"""The OpenAPI 3.1 document, made from the route table and the shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any, Final

from hub.web.problems import PROBLEM_TYPE
from hub.web.routes import Query, Route
from hub.web.shapes import PATH_PARAMETERS, SHAPES

_PARAMETER: Final = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_KINDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "integer": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
    "text": {"type": "string", "maxLength": 64},
    "agency": {"type": "string", "maxLength": 40},
    "mailbox": {"type": "string", "maxLength": 81},
    "id": {"type": "string", "minLength": 22, "maxLength": 22},
    "sha256": {"type": "string", "minLength": 43, "maxLength": 43},
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
        "paths": paths,
        "components": {
            "schemas": SHAPES,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [*(_in_path(name) for name in _PARAMETER.findall(route.path)), *map(_in_query, route.query)],
        "responses": {
            **{
                str(status): {"description": route.summary, "content": _content(media)}
                for status, media in route.answers.items()
            },
            "default": {
                "description": "Problem details (RFC 9457)",
                "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        },
    }
    if route.private:
        operation["security"] = [{"token": []}]
    if route.request:
        operation["requestBody"] = {"required": True, "content": _content(route.request)}
    return operation


def _content(media: Mapping[str, str]) -> dict[str, Any]:
    return {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}} for kind, name in media.items()}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": PATH_PARAMETERS[name]}


def _in_query(query: Query) -> dict[str, Any]:
    return {
        "name": query.name,
        "in": "query",
        "required": query.required,
        "description": query.meaning,
        "schema": _KINDS[query.kind],
    }
