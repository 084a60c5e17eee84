"""A small FHIR R4 server over HTTP: transactions, conditional create, versions, searches; it can be made to misbehave."""

from __future__ import annotations

import asyncio
import copy
import json
import re
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from jsonschema import Draft202012Validator

SCHEMA = json.loads((Path(__file__).parent / "r4.schema.json").read_text("utf-8"))
VALIDATORS = {
    kind: Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{kind}"})
    for kind, schema in SCHEMA["$defs"].items()
    if "resourceType" in schema["properties"]
}
_TOKENS = {"identifier": ("identifier",), "group-identifier": ("groupIdentifier",), "category": ("category",)}


class RefusedError(Exception):
    """The server says no: a status, and an issue's type."""

    def __init__(self, status: int, issue: str) -> None:
        self.status, self.issue = status, issue
        super().__init__(issue)


def outcome(issue: str) -> dict[str, Any]:
    """Return an OperationOutcome with one error."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": issue}]}


class FhirServer:
    """Resources by `Type/id`.

    ``answers`` are given to the next transactions before it behaves again: a status, `status/issue`, `hang`, `hang-up`
    (nothing is done), `lost` (done, and the answer lost), `garbage`, `batch`, `short`, `forgets` (done, and gone),
    `alters` (done, otherwise), `unmarked` (done, without its labels).  ``token``: what it wants to be shown.
    ``locked``: what can't be changed.  ``says_where``: whether it says of what was there already where it stands, which it needn't.
    ``searches``: whether it `finds`, finds `everything` whatever is asked, or `nothing` yet.
    """

    def __init__(self) -> None:
        self.store: dict[str, dict[str, Any]] = {}
        self.answers: list[str] = []
        self.heard: list[str] = []
        self.token: str | None = None
        self.searches = "finds"
        # What becomes of a search for a kind of resource, where that is another: a status, `hang`, `hang-up`, `not-json`.
        self.searching: dict[str, str] = {}
        self.says_where = True
        self.locked: set[str] = set()
        self.tokens_given = 0
        self._number = 0
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Listen."""
        app = web.Application(client_max_size=128 * 1024 * 1024)
        app.router.add_post("/token", self._give_token)
        app.router.add_post("/fhir", self._guard(self._transact))
        app.router.add_post("/fhir/{kind}/_search", self._guard(self._search))
        app.router.add_get("/fhir/{kind}/{id}", self._guard(self._read))
        app.router.add_put("/fhir/{kind}/{id}", self._guard(self._put))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop, whatever is open."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def base(self) -> str:
        """Return where it is reached."""
        return f"http://127.0.0.1:{self.port}/fhir"

    def empty(self) -> None:
        """Forget everything."""
        self.store.clear()

    def read(self, reference: str) -> dict[str, Any]:
        """Return what stands at *reference*."""
        return self.store[reference]

    def change(self, reference: str, **changes: Any) -> None:
        """Change what stands at *reference*, as its staff do."""
        held = self.store[reference]
        self._change(reference, {**held, **changes}, f'W/"{held["meta"]["versionId"]}"')

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the resources of *kind*."""
        return [one for one in self.store.values() if one["resourceType"] == kind]

    def add(self, resource: dict[str, Any]) -> str:
        """Keep *resource* under a new number, and return its reference."""
        self._number += 1
        place = f"{resource['resourceType']}/{self._number}"
        self.store[place] = {**resource, "id": str(self._number)}
        self._stamp(self.store[place], 1)
        return place

    def _guard(self, handler: Any) -> Any:
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.heard.append(f"{request.method} {request.path_qs}")
            if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
                return web.json_response(outcome("login"), status=401)
            try:
                return await handler(request)
            except RefusedError as error:
                return web.json_response(outcome(error.issue), status=error.status)

        return guarded

    async def _give_token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") != "client_credentials" or request.headers.get("Authorization") != "Basic Zzpz":
            return web.json_response({"error": "invalid_client"}, status=401)
        self.tokens_given += 1
        return web.json_response({"access_token": self.token, "token_type": "Bearer", "expires_in": 3600})

    async def _transact(self, request: web.Request) -> web.StreamResponse:
        bundle = await request.json()
        way = self.answers.pop(0) if self.answers else ""
        if way[:3].isdecimal():
            status, _, issue = way.partition("/")
            return web.json_response(outcome(issue or "processing"), status=int(status))
        if way == "hang":
            await asyncio.sleep(30)
        if way in {"hang-up", "garbage", "html"}:
            return self._break_off(request, way)
        before = copy.deepcopy(self.store)
        try:
            responses = [self._write(one) for one in self._linked(bundle)]
        except RefusedError:
            self.store = before  # all or nothing
            raise
        made = [place for place in self.store if place not in before]
        self._misdo(way, made)
        if way == "lost":
            return self._break_off(request, "hang-up")
        kind = "batch-response" if way == "batch" else "transaction-response"
        entries = [{"response": one} for one in responses[: 1 if way == "short" else None]]
        return web.json_response({"resourceType": "Bundle", "type": kind, "entry": entries})

    def _break_off(self, request: web.Request, way: str) -> web.Response:
        if way == "hang-up":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(text="<html>proxy" if way == "html" else "{", content_type="text/html")

    def _misdo(self, way: str, made: list[str]) -> None:
        for place in made:
            if way == "forgets":
                del self.store[place]
            elif way == "unmarked":
                self.store[place]["meta"].pop("security", None)
            elif way == "alters" and place.startswith("DocumentReference"):
                self.store[place]["content"][0]["attachment"]["data"] = "e30="

    def _linked(self, bundle: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the entries, their links replaced by the places that they get."""
        places = {}
        number = self._number
        for entry in bundle["entry"]:
            request, kind = entry["request"], entry["resource"]["resourceType"]
            if request["method"] == "PUT":
                place = request["url"]
            else:
                found = self._matching(kind, request["ifNoneExist"])
                number += not found
                place = found[0] if found else f"{kind}/{number}"
            places[entry["fullUrl"]] = place
        assert len(places) == len(bundle["entry"])
        text = json.dumps(bundle["entry"])
        for link, place in places.items():
            text = text.replace(f'"reference": "{link}"', f'"reference": "{place}"')
        return json.loads(text)

    def _write(self, entry: dict[str, Any]) -> dict[str, Any]:
        request, resource = entry["request"], entry["resource"]
        if request["method"] == "PUT":
            self._change(request["url"], resource, request.get("ifMatch"))
            return {"status": "200 OK"}
        self._check(resource)
        found = self._matching(resource["resourceType"], request["ifNoneExist"])
        place = found[0] if found else self.add(resource)
        if found and not self.says_where:
            return {"status": "200 OK"}
        # One server says it so, another so.
        return {"status": "200 OK" if found else "201 Created", "location": f"http://here/fhir/{place}/_history/1"}

    def _check(self, resource: dict[str, Any]) -> None:
        # A patient is only ever changed by staff.
        if resource["resourceType"] != "Patient" and list(VALIDATORS[resource["resourceType"]].iter_errors(resource)):
            raise RefusedError(422, "structure")

    def _matching(self, kind: str, query: str) -> list[str]:
        ((name, (value,)),) = parse_qs(query, strict_parsing=True).items()
        found = [f"{kind}/{one['id']}" for one in self.of(kind) if self._matches(one, name, value)]
        if len(found) > 1:
            raise RefusedError(412, "multiple-matches")
        return found

    def _matches(self, resource: dict[str, Any], name: str, value: str) -> bool:
        if name == "status":
            return bool(resource["status"] == value)
        if name == "patient":
            return bool(resource["subject"]["reference"] == value)
        system, _, code = value.partition("|")
        code = re.sub(r"\\(.)", r"\1", code)
        if name == "_tag":
            return {"system": system, "code": code} in resource["meta"].get("tag", [])
        (member,) = _TOKENS[name]
        held = resource.get(member, [])
        if name == "category":
            return any(part in one.get("coding", []) for one in held for part in [{"system": system, "code": code}])
        wanted = {"system": system, "value": code}
        return any(wanted.items() <= one.items() for one in (held if isinstance(held, list) else [held]) if one)

    async def _search(self, request: web.Request) -> web.Response:
        form = await request.post()
        kind = request.match_info["kind"]
        if way := self.searching.get(kind):
            return await self._stumble(request, way)
        found = [one for one in self.of(kind) if all(self._matches(one, k, str(v)) for k, v in form.items())]
        if self.searches != "finds" and kind != "Patient":
            found = self.of(kind) if self.searches == "everything" else []
        entries = [{"resource": one} for one in found]
        return web.json_response({"resourceType": "Bundle", "type": "searchset", "entry": entries})

    async def _stumble(self, request: web.Request, way: str) -> web.Response:
        if way.isdecimal():
            raise RefusedError(int(way), "processing")
        if way == "hang":
            await asyncio.sleep(30)
        return self._break_off(request, way)

    async def _read(self, request: web.Request) -> web.Response:
        found = self.store.get(f"{request.match_info['kind']}/{request.match_info['id']}")
        if found is None:
            raise RefusedError(404, "not-found")
        return web.json_response(found, headers={"ETag": f'W/"{found["meta"]["versionId"]}"'})

    async def _put(self, request: web.Request) -> web.Response:
        place = f"{request.match_info['kind']}/{request.match_info['id']}"
        self._change(place, await request.json(), request.headers.get("If-Match"))
        return web.Response()

    def _change(self, place: str, resource: dict[str, Any], match: str | None) -> None:
        if place in self.locked:
            raise RefusedError(422, "business-rule")
        version = int(self.store[place]["meta"]["versionId"])
        if match != f'W/"{version}"':
            raise RefusedError(412, "conflict")
        self._check(resource)
        self.store[place] = resource
        self._stamp(resource, version + 1)

    def _stamp(self, resource: dict[str, Any], version: int) -> None:
        resource["meta"] = {
            **resource.get("meta", {}),
            "versionId": str(version),
            "lastUpdated": "2026-04-14T10:00:00Z",
        }
        if "text" in resource:
            resource["text"] = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">mine</div>'}
        for name in ("date", "sent", "recorded"):
            if name in resource:
                resource[name] = resource[name].replace("Z", "+00:00")
