"""What a browser brings along: the session's cookie, and where a form was sent from.

A session is known by a random token in a ``__Host-`` cookie, which no script can read; what belongs to it is kept on the server
and ends there.  A form counts only if it comes from a page of ours.

Source: RFC 6265bis (cookie prefixes), Fetch Metadata; OWASP on cross-site request forgery.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

COOKIE: Final = "__Host-session"


def read_token(request: web.Request, name: str = COOKIE) -> str:
    """Return the token in the cookie *name*; empty: there is none."""
    return request.cookies.get(name, "")


def set_token(response: web.StreamResponse, token: str, name: str = COOKIE, *, seconds: int | None = None) -> None:
    """Give the browser *token*, for *seconds* or else until it is closed."""
    # Lax, not strict: who follows the link in a notification is signed in already.
    response.set_cookie(name, token, secure=True, httponly=True, samesite="Lax", path="/", max_age=seconds)


def drop_token(response: web.StreamResponse, name: str = COOKIE) -> None:
    """Take the token back."""
    response.del_cookie(name, secure=True, httponly=True, samesite="Lax", path="/")


def is_from(request: web.Request, origin: str) -> bool:
    """Answer whether a browser says that *request* was made by a page of *origin*; what says nothing doesn't pass."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        return False
    return request.headers.get("Origin") == origin
