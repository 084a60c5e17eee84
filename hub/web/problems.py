"""Every error as problem details, and nothing in them that helps an eavesdropper.

Source: RFC 9457; protocol 9; DESIGN 6 "Errors".
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from hub.errors import HubError, Known, known
from hub.kit.limits import LimitError
from hub.kit.logs import describe_error, log
from hub.store.base import StoreBusyError, StoreFullError
from keys.digests import b64u, random_bytes
from keys.errors import KeysError
from schemas.strict_json import MalformedError, dump

PROBLEM_TYPE: Final = "application/problem+json"
# What a caller may do again by itself gets a moment to wait for, in seconds.
RETRY_AFTER: Final = {429: 1, 503: 2, 507: 30}
_LOGGER: Final = logging.getLogger("hub.web")


def not_found() -> HubError:
    """Return the one answer for what doesn't exist and for what isn't the caller's."""
    return HubError("not-found", "there is nothing here, or it isn't yours", "check the id and who is asking")


def invalid(message: str, hint: str = "see /docs") -> HubError:
    """Return the error for a request that isn't as documented."""
    return HubError("request-invalid", message, hint)


def describe(error: BaseException) -> dict[str, Any]:
    """Return the problem details of *error*; one that nobody foresaw is logged and gets a reference number."""
    if isinstance(error, LimitError):
        return _problem(error.code, Known(error.status, known(error.code).title), error.message, error.hint)
    if isinstance(error, HubError | MalformedError | KeysError):
        return _problem(error.code, known(error.code), error.message, error.hint)
    if isinstance(error, StoreFullError):
        return _problem(
            "store-full", known("store-full"), "the hub's disk is full; nothing was kept", "try again later"
        )
    if isinstance(error, StoreBusyError):
        return _problem("store-busy", known("store-busy"), "the hub's database is busy", "try again")
    if isinstance(error, web.HTTPException):
        return _describe_http(error)
    reference = b64u(random_bytes(9))
    kind, where = describe_error(type(error), error.__traceback__)
    log(_LOGGER, logging.ERROR, "internal error", reference=reference, error=kind, where=where)
    problem = _problem("internal", known("internal"), "Internal error.", "tell the hub's operator the reference")
    return problem | {"reference": reference}


def _problem(code: str, fixed: Known, detail: str, hint: str) -> dict[str, Any]:
    problem = {
        "type": f"/docs/errors#{code}",
        "title": fixed.title,
        "status": fixed.status,
        "detail": detail,
        "code": code,
    }
    return problem | {"hint": hint} if hint else problem


def _describe_http(error: web.HTTPException) -> dict[str, Any]:
    code = {404: "not-found", 405: "method-not-allowed", 413: "request-too-large", 416: "range-unsatisfiable"}.get(
        error.status, "request-invalid"
    )
    if code == "not-found":
        return describe(not_found())
    title = known(code).title if code != "request-invalid" else HTTPStatus(error.status).phrase
    return _problem(code, Known(error.status, title), title, "see /docs")


def respond(error: BaseException) -> web.Response:
    """Return the answer for *error*."""
    problem = describe(error)
    status: int = problem["status"]
    headers: dict[str, str] = {}
    if status in RETRY_AFTER:
        given = error.retry_after if isinstance(error, LimitError) else None
        headers["Retry-After"] = str(given or RETRY_AFTER[status])
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, web.HTTPMethodNotAllowed):
        headers["Allow"] = ",".join(sorted(error.allowed_methods))
    response = web.Response(status=status, body=dump(problem), content_type=PROBLEM_TYPE, headers=headers)
    if isinstance(error, LimitError):
        # The rest of the body isn't wanted: the connection can't be used again.
        response.force_close()
    return response
