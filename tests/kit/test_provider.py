"""The provider that tests sign in at is one: it says what it can do, wants PKCE, and its tokens hold against its own keys."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from keys.digests import b64u, random_bytes, sha256
from tests.kit.issuer import CLIENT, SECRET
from tests.kit.provider import run_provider

pytestmark = pytest.mark.needs_node
BACK = "http://127.0.0.1:9/back"


async def read(http: aiohttp.ClientSession, address: str) -> dict[str, Any]:
    """Return the JSON document at *address*."""
    async with http.get(address) as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found


def ask(told: dict[str, Any], **more: str) -> str:
    """Return the address at which a sign-in begins."""
    query = {"client_id": CLIENT, "response_type": "code", "redirect_uri": BACK, "scope": "openid email", "state": "s", "nonce": "n"}  # fmt: skip
    return f"{told['authorization_endpoint']}?{urlencode(query | more)}"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_sign_in_ends_with_a_code_and_the_code_with_a_token(algorithm: str) -> None:
    """From the discovery document by its pages to a token about the person, signed by a key that it publishes; once."""
    verifier = b64u(random_bytes(32))
    async with run_provider(BACK, algorithm) as provider, aiohttp.ClientSession() as http:
        told = await read(http, f"{provider.issuer}/.well-known/openid-configuration")
        assert told["issuer"] == provider.issuer
        assert algorithm in told["id_token_signing_alg_values_supported"]
        assert "S256" in told["code_challenge_methods_supported"]
        begun = ask(told, code_challenge=b64u(sha256(verifier.encode())), code_challenge_method="S256")
        back = parse_qs(urlsplit(await provider.sign_in(begun, "robin")).query)
        assert (back["state"], back["iss"]) == (["s"], [provider.issuer])
        form = {"grant_type": "authorization_code", "code": back["code"][0], "redirect_uri": BACK, "code_verifier": verifier}  # fmt: skip
        client = {"Authorization": aiohttp.encode_basic_auth(*(urlencode({"": one})[1:] for one in (CLIENT, SECRET)))}
        async with http.post(told["token_endpoint"], data=form, headers=client) as answer:
            assert answer.status == 200, await answer.text()
            given = await answer.json()
        keys = KeySet.import_key_set(await read(http, told["jwks_uri"]))  # type: ignore[arg-type]
        read_token = jwt.decode(given["id_token"], keys, algorithms=[algorithm])
        assert read_token.header["alg"] == algorithm
        assert {name: read_token.claims[name] for name in ("iss", "aud", "sub", "nonce")} == {
            "iss": provider.issuer, "aud": CLIENT, "sub": "robin", "nonce": "n",
        }  # fmt: skip
        bearer = {"Authorization": f"Bearer {given['access_token']}"}
        async with http.get(told["userinfo_endpoint"], headers=bearer) as answer:
            assert await answer.json() == {"sub": "robin", "email": "robin@example.org", "email_verified": True}
        async with http.post(told["token_endpoint"], data=form, headers=client) as answer:
            assert (answer.status, (await answer.json())["error"]) == (400, "invalid_grant")


async def test_without_a_challenge_nobody_is_asked_who_they_are() -> None:
    """A sign-in that has no PKCE is sent back with an error, no code."""
    async with run_provider(BACK) as provider, aiohttp.ClientSession() as http:
        told = await read(http, f"{provider.issuer}/.well-known/openid-configuration")
        async with http.get(ask(told), allow_redirects=False) as answer:
            back = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert back["error"] == ["invalid_request"]
        assert "code" not in back
