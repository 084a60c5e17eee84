"""A real OpenID provider, npm's oidc-provider, run by Node; a person's steps at its pages are taken as a browser would."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp

from tests.node import find_nodes, installed, unavailable

SOURCE = Path(__file__).parent.parent / "provider"


@dataclass(frozen=True, slots=True)
class RealProvider:
    """One that runs: its issuer, and where it sends browsers back to."""

    issuer: str
    redirect: str

    async def sign_in(self, address: str, login: str) -> str:
        """Sign in as *login* and agree; return the path and query with which the browser is sent back."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            method, form = "GET", None
            for _ in range(12):
                async with http.request(method, address, data=form, allow_redirects=False) as answer:
                    text = await answer.text()
                if answer.status in {302, 303}:
                    address, method, form = urljoin(address, answer.headers["Location"]), "GET", None
                    if address.startswith(self.redirect):
                        parts = urlsplit(address)
                        return f"{parts.path}?{parts.query}"
                    continue
                assert answer.status == 200, text
                prompt = re.search(r'name="prompt" value="(\w+)"', text)
                action = re.search(r'action="([^"]+)"', text)
                assert prompt, text
                assert action, text
                form = {"prompt": prompt[1]} | ({"login": login, "password": "any"} if prompt[1] == "login" else {})
                address, method = urljoin(address, action[1]), "POST"
        raise AssertionError("it asks for ever")


@asynccontextmanager
async def run_provider(redirect: str, algorithm: str = "RS256") -> AsyncIterator[RealProvider]:
    """Run one whose only client is the inbox; skips the test where there is no Node or no package."""
    nodes = find_nodes()
    if "wheel" not in nodes:
        unavailable("there is no Node")
    node, npm = nodes["wheel"]
    folder = await asyncio.to_thread(installed, SOURCE, tuple(npm), ("provider.mjs",))
    process = await asyncio.create_subprocess_exec(
        *node, "provider.mjs", redirect, algorithm, cwd=folder, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout
        async with asyncio.timeout(30):
            issuer = (await process.stdout.readline()).decode().strip()
        assert issuer.startswith("http://127.0.0.1:"), issuer
        yield RealProvider(issuer, redirect)
    finally:
        process.kill()
        await process.communicate()
