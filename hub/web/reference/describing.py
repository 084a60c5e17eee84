"""One operation of the OpenAPI document in the order in which somebody reads it, with a line to try it by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

Json = Mapping[str, Any]
_REFERENCE: Final = "#/components/schemas/"


class Parameter(NamedTuple):
    """One parameter: where it stands, how it is spelt, what it means."""

    name: str
    place: str
    spelt: str
    required: bool
    meaning: str


class Content(NamedTuple):
    """One body that is sent or answered: its media type, an example and its JSON Schema as text, where there are."""

    media: str
    example: str
    schema: str


class Answer(NamedTuple):
    """One answer: its status, when it comes, and what is in it."""

    status: str
    meaning: str
    codes: tuple[str, ...]
    contents: tuple[Content, ...]


class Operation(NamedTuple):
    """One operation, as a page shows it; ``who`` may call it, in words."""

    name: str
    method: str
    path: str
    summary: str
    tag: str
    who: str
    parameters: tuple[Parameter, ...]
    request: tuple[Content, ...]
    answers: tuple[Answer, ...]
    curl: str


def operations_of(document: Json) -> Iterator[Operation]:
    """Yield the operations of an OpenAPI *document*, in its order."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield describe(document, path, method, operation)


def describe(document: Json, path: str, method: str, operation: Json) -> Operation:
    """Return one operation of *document*."""
    body = operation.get("requestBody", {}).get("content", {})
    return Operation(
        operation["operationId"],
        method.upper(),
        path,
        operation["summary"],
        operation["tags"][0],
        _who(operation.get("security", [])),
        tuple(map(_parameter, operation["parameters"])),
        tuple(_contents(document, body)),
        tuple(_answer(document, status, said) for status, said in operation["responses"].items()),
        curl_of(document["servers"][0]["url"], path, method, operation),
    )


def _who(security: list[Json]) -> str:
    if not security:
        return "Anybody, without a token."
    scopes = [scope for one in security for scope in one.get("program", [])]
    gateway = "An agency's gateway, with its token"
    return f"{gateway}; or a program, with a token for “{scopes[0]}”." if scopes else f"{gateway}."


def _parameter(said: Json) -> Parameter:
    place = {"path": "in the path", "query": "after the question mark"}[said["in"]]
    return Parameter(said["name"], place, _spelt(said["schema"]), said["required"], said.get("description", ""))


def _spelt(schema: Json) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if schema["type"] == "integer":
        most = schema.get("maximum", 2**53 - 1)
        return f"a number from {schema['minimum']}" + (f" to {most}" if most < 2**53 - 1 else "")
    if "pattern" in schema:
        return f"text that fits {schema['pattern']}"
    return f"text of at most {schema['maxLength']} characters"


def _contents(document: Json, content: Json) -> Iterator[Content]:
    for media, said in content.items():
        example = said.get("example", "")
        name = said["schema"]["$ref"].removeprefix(_REFERENCE)
        schema = document["components"]["schemas"][name]
        # What is only text or bytes has no shape worth reading.
        shape = _text(schema) if "properties" in schema or "items" in schema else ""
        yield Content(media, _text(example) if example else "", shape)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _answer(document: Json, status: str, said: Json) -> Answer:
    is_problem = int(status) >= 400
    # A problem has one shape, shown once; what differs are the codes.
    codes = tuple(said["description"].split("`")[1::2]) if is_problem else ()
    contents = () if is_problem else tuple(_contents(document, said.get("content", {})))
    return Answer(status, "" if is_problem else said["description"], codes, contents)


def curl_of(url: str, path: str, method: str, operation: Json) -> str:
    """Return a line for a shell that calls *operation* as its examples have it."""
    query = {}
    for said in operation["parameters"]:
        value = said.get("example", f"<{said['name']}>")
        if said["in"] == "path":
            path = path.replace(f"{{{said['name']}}}", quote(str(value), safe="/<>"))
        elif "example" in said:
            query[said["name"]] = value
    words = ["curl"]
    if method != "get":
        words.append(f"-X {method.upper()}")
    if operation.get("security"):
        words.append('-H "Authorization: Bearer $TOKEN"')
    media = next(iter(operation.get("requestBody", {}).get("content", {})), None)
    if media is not None:
        words.append(f'-H "Content-Type: {media}" --data-binary @body')
    address = f"{url}{path}" + (f"?{urlencode(query)}" if query else "")
    return " ".join((*words, f'"{address}"'))
