"""Answers as MESH clients read them, in either version of the interface; errors always as an object with a list.

Source: NHS MESH API 2.0.0, errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from hub.kit.limits import LimitError
from hub.web.problems import RETRY_AFTER, describe
from keys.digests import b64u, random_bytes
from schemas.strict_json import dump

V2: Final = "application/vnd.mesh.v2+json"
_VERSIONS: Final = {"": 1, "*/*": 1, "application/json": 1, "application/vnd.mesh.v1+json": 1, V2: 2}
# What MESH has a code of its own for.
CODES: Final[Mapping[str, tuple[int, str]]] = {
    **dict.fromkeys(("recipient-unknown", "recipient-key"), (417, "12")),
    **dict.fromkeys(("type-not-allowed", "basis-not-allowed"), (417, "16")),
    **dict.fromkeys(("type-unknown", "recipient-not-allowed", "recipient-reads-other"), (417, "17")),
    **dict.fromkeys(
        ("sender-not-caller", "sender-ended", "jws-signature", "key-unknown", "key-not-active", "key-foreign"),
        (403, "07"),
    ),
}
# The client takes these for a passing trouble, and after sending can't know what came of it.
_NEVER_AFTER_SENDING: Final = frozenset({425, 429, 502, 503, 504})


class DoorError(Exception):
    """A request that is refused: HTTP *status*, MESH's *code* (or one of ours, where it has none), what is wrong."""

    def __init__(self, status: int, code: str, message: str, *, event: str = "SEND", about: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.event, self.about = status, code, message, event, about


def unknown(name: str = "") -> DoorError:
    """Return the one error for a message that doesn't exist and for one that isn't the caller's."""
    return DoorError(404, "20", "There is no such message of yours", event="RECEIVE", about=name)


def malformed(message: str) -> DoorError:
    """Return the error for headers or parameters that aren't as they must be."""
    return DoorError(400, "06", message)


def version_of(request: web.Request) -> int:
    """Return which version of the interface the caller speaks.

    Raises:
        DoorError: 400; none that there is.
    """
    version = _VERSIONS.get(request.headers.get("Accept", "").partition(";")[0].strip().lower())
    if version is None:
        raise malformed("Accept names no version of the interface")
    return version


def answer(value: Mapping[str, Any], status: int = 200) -> web.Response:
    """Return *value* as JSON."""
    return web.Response(status=status, body=dump(dict(value)), content_type="application/json")


def refuse(request: web.Request, error: BaseException) -> web.Response:
    """Return the answer for *error*: of what nobody foresaw, a reference alone."""
    said = error if isinstance(error, DoorError) else translate(error)
    status = said.status
    if request.method == "POST" and request.path.endswith("/outbox") and status in _NEVER_AFTER_SENDING:
        status = 500
    try:
        version = version_of(request)
    except DoorError:
        version = 2
    if version == 1:
        body: dict[str, Any] = {
            "messageID": said.about,
            "errorEvent": said.event,
            "errorCode": said.code,
            "errorDescription": said.message,
        }
    else:
        body = {"message_id": said.about} if said.about else {}
        body |= {
            "internal_id": b64u(random_bytes(9)),
            "detail": [{"event": said.event, "code": said.code, "msg": said.message}],
        }
    response = answer(body, status)
    if status in RETRY_AFTER:
        response.headers["Retry-After"] = str(RETRY_AFTER[status])
    if isinstance(error, LimitError):
        response.force_close()
    return response


def translate(error: BaseException) -> DoorError:
    """Return *error* in MESH's words; it is logged if nobody foresaw it."""
    problem = describe(error)
    code, status = str(problem["code"]), int(problem["status"])
    message = f"{code}: {problem['detail']}"
    if code in CODES:
        return DoorError(*CODES[code], message)
    if status >= 500 or isinstance(error, LimitError):
        return DoorError(status, code, f"{message} {problem.get('reference', '')}".strip())
    # 400: not what can be sent here at all; whatever else the rules forbid is a send that is refused.
    return DoorError(400, "11", message) if status == 400 else DoorError(417, code, message)
