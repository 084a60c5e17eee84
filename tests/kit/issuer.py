"""An OpenID provider on a socket that can be told to misbehave; its keys and signatures are real."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwk, jws

from keys.digests import b64u, random_bytes, sha256

CLIENT, SECRET = "safeguarding-inbox", "a secret: with % and + signs"
SIGNING = {kid: jwk.RSAKey.import_key(rsa.generate_private_key(65537, 2048), {"kid": kid}) for kid in ("k1", "k2")}


@dataclass
class Issuer:
    """One provider; what it says can be changed between two steps.

    ``person`` is who is signed in there; ``claims`` change the id token, ``metadata`` the discovery document;
    ``answers`` replace the whole answer at a path: a status, a body, or seconds to wait.
    """

    port: int = 0
    now: int = 0
    kid: str = "k1"
    published: tuple[str, ...] = ("k1",)
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "7f3a", "email": "robin@example.org", "email_verified": True}
    )
    in_token: bool = True
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes, float]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        """Return the issuer's name."""
        return f"http://127.0.0.1:{self.port}"

    def sign_in(self, address: str) -> dict[str, str]:
        """Do what the person does at the provider's page; return the query with which the browser comes back."""
        asked = dict(parse_qsl(urlsplit(address).query))
        code = b64u(random_bytes(16))
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request of the relying party."""
        self.asked.append(request.path)
        status, body, seconds = self.answers.get(request.path, (0, b"", 0.0))
        await asyncio.sleep(seconds)
        if status:
            return web.Response(status=status, body=body, headers={"Location": "/elsewhere"} if status == 302 else {})
        if request.path == "/.well-known/openid-configuration":
            return web.json_response(self._describe())
        if request.path == "/jwks":
            return web.json_response({"keys": [SIGNING[kid].as_dict(private=False) for kid in self.published]})
        if request.path == "/token":
            return self._redeem(dict(await request.post()), request.headers.get("Authorization", ""))
        if request.path == "/me" and request.headers.get("Authorization") == "Bearer access":
            return web.json_response(self.person)
        return web.json_response({"error": "not_found"}, status=404)

    def _describe(self) -> dict[str, Any]:
        paths = {
            "authorization_endpoint": "/auth",
            "token_endpoint": "/token",
            "jwks_uri": "/jwks",
            "userinfo_endpoint": "/me",
        }
        found = {"issuer": self.issuer} | {name: self.issuer + path for name, path in paths.items()}
        return found | {"authorization_response_iss_parameter_supported": True} | self.metadata

    def _redeem(self, form: dict[str, Any], authorization: str) -> web.Response:
        asked = self.codes.pop(form.get("code", ""), None)
        pair = b64decode(authorization.removeprefix("Basic ")).decode() if authorization else ""
        known = pair == "safeguarding-inbox:a+secret%3A+with+%25+and+%2B+signs" or form.get("client_secret") == SECRET
        if asked is None or not known or b64u(sha256(form["code_verifier"].encode())) != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        if form["redirect_uri"] != asked["redirect_uri"] or asked["code_challenge_method"] != "S256":
            return web.json_response({"error": "invalid_grant"}, status=400)
        claims = {"iss": self.issuer, "aud": CLIENT, "nonce": asked["nonce"], "sub": self.person["sub"]}
        claims |= {"iat": self.now // 1000, "exp": self.now // 1000 + 3600} | (self.person if self.in_token else {})
        claims |= self.claims
        header = {"alg": "RS256", "kid": self.kid}
        token = jws.serialize_compact(header, json.dumps(claims).encode(), SIGNING[self.kid])
        return web.json_response({"access_token": "access", "token_type": "Bearer", "id_token": token})


@asynccontextmanager
async def open_issuer(**settings: Any) -> AsyncIterator[Issuer]:
    """Give a provider on a socket."""
    issuer = Issuer(**settings)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", issuer.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    issuer.port = runner.addresses[0][1]
    try:
        yield issuer
    finally:
        await runner.cleanup()
