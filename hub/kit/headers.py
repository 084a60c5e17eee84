"""Headers that every answer carries, whatever it is."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from multidict import CIMultiDict

SECURITY: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_ITEMS: Final = tuple(SECURITY.items())


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add what an answer doesn't have already; for ``app.on_response_prepare``."""
    del request
    headers: CIMultiDict[str] = response.headers
    # aiohttp would say its own version and Python's.
    headers["Server"] = "hub"
    for name, value in _ITEMS:
        if name not in headers:
            headers[name] = value
