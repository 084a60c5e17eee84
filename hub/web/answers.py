"""Which problems an operation can answer: by what it is given, who may call it, and what it does.

A status that is not here is a defect: requests made at random from the description hold the server to it.

Source: protocol 9; RFC 9457.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from hub.errors import CODES

if TYPE_CHECKING:
    from hub.web.routes import Route

Codes = tuple[str, ...]

ALWAYS: Final[Codes] = ("request-invalid", "internal", "unavailable", "store-busy", "store-locked")
TOKEN: Final[Codes] = (
    "token-missing",
    "token-invalid",
    "token-expired",
    "token-scope",
    "key-not-active",
    "key-suspended",
    "agency-not-active",
)
BODY: Final[Codes] = (
    "media-type",
    "content-encoding",
    "request-too-large",
    "request-too-slow",
    "request-cut-short",
    "store-full",
)
STRICT_JSON: Final[Codes] = (
    "json-syntax",
    "json-shape",
    "json-type",
    "json-number",
    "json-duplicate-member",
    "json-surrogate",
    "json-depth",
    "json-too-long",
    "b64u",
)
SIGNED: Final[Codes] = ("jws-syntax", "jws-header", "jws-signature", "key-unknown", "key-not-active", "key-suspended")
FOREIGN: Final[Codes] = ("key-foreign", "sender-not-caller", "sender-ended")
DOCUMENT: Final[Codes] = (
    "jws-syntax",
    "jws-header",
    "document-version",
    "document-previous",
    "document-signatures",
    "document-payloads",
    "document-partnership",
    "too-many-requests",
)
WRAPS: Final[Codes] = ("wraps-mismatch", "recipient-key", "key-kind")

# What each operation can say besides; how often it may be refused is in its order of checks.
SPECIAL: Final[Mapping[str, Codes]] = {
    "getToken": (
        *SIGNED,
        "key-foreign",
        "assertion-invalid",
        "assertion-used",
        "assertion-expired",
        "assertion-subject",
        "assertion-lifetime",
        "agency-not-active",
    ),
    "sendEnvelopes": (
        *STRICT_JSON,
        *SIGNED,
        *FOREIGN,
        *WRAPS,
        "envelope-parts",
        "envelope-too-long",
        "envelope-batch",
        "envelope-id-reused",
        "header-order",
        "header-item-twice",
        "header-keep-until",
        "body-length",
        "body-digest",
        "recipient-unknown",
        "recipient-not-allowed",
        "recipient-reads-other",
        "agreement-outdated",
        "type-unknown",
        "type-not-allowed",
        "basis-not-allowed",
        "retention-unknown",
        "at-in-future",
        "keep-until-past",
        "keep-until-too-late",
        "party-unknown",
        "too-many-duties",
        "supersedes-mismatch",
        "supersedes-older",
    ),
    "getBody": ("range-unsatisfiable",),
    "replaceWraps": (*STRICT_JSON, *SIGNED, *FOREIGN, *WRAPS, "wraps-not-needed"),
    "withdrawEnvelope": (*STRICT_JSON, *SIGNED, *FOREIGN, "withdrawal-mismatch", "withdrawal-id-reused"),
    "getFeed": ("too-many-requests",),
    "waiveObligation": (
        *STRICT_JSON,
        *SIGNED,
        *FOREIGN,
        "waiver-not-party",
        "waiver-id-reused",
        "waiver-reason",
        "waiver-not-open",
        "waiver-second",
        "waiver-confirmation",
    ),
    "proposeAct": (
        "act-unknown",
        "act-right",
        "act-reason",
        "account-unknown",
        "account-ended",
        "thread-unknown",
        "hold-unknown",
        "hold-released",
        "breach-unknown",
        "breach-order",
        "breach-moment",
        "suspension-key",
        "suspension-none",
        "draft-unknown",
        "draft-outdated",
        "obligation-unknown",
        "waiver-not-open",
        "waiver-not-party",
    ),
    "streamEvents": ("too-many-requests",),
    "getDirectory": ("not-found",),
    "getAgreement": ("not-found",),
    "publishDirectory": (
        *DOCUMENT,
        "directory-twice",
        "directory-threshold",
        "directory-agency",
        "directory-successor",
        "directory-mailbox",
        "key-kind",
        "key-weak",
    ),
    "publishAgreement": (*DOCUMENT, "agreement-date", "agreement-calendar", "agreement-rule-twice"),
    "publishKey": (
        "jws-syntax",
        "jws-header",
        "jws-signature",
        "key-statement",
        "key-kind",
        "key-weak",
        "key-revoked",
        "key-changed",
        "key-sequence",
        "key-identity",
        "key-proof",
        "key-officer",
        "agency-unknown",
    ),
    "challengeKey": ("key-kind",),
    "getCheckpoint": ("no-checkpoint",),
    "getEntriesTile": ("tile-unknown",),
    "getTile": ("tile-unknown",),
    "exportEntries": ("too-many-requests",),
    "exportLog": ("too-many-requests", "no-checkpoint"),
    "proveInclusion": ("proof-range", "no-checkpoint"),
    "proveConsistency": ("proof-range",),
    "addCosignatures": (
        "cosignature-unknown",
        "note-syntax",
        "note-base64",
        "note-checkpoint",
        "note-name",
        "note-signature",
    ),
}


def problems_of(route: Route) -> dict[int, list[str]]:
    """Return the codes that *route* can answer, by status."""
    codes = dict.fromkeys(ALWAYS)
    if route.private is not None:
        codes |= dict.fromkeys(TOKEN)
    if "{" in route.path:
        codes["not-found"] = None
    if route.request:
        codes |= dict.fromkeys(BODY)
    if "application/json" in route.request:
        codes |= dict.fromkeys(STRICT_JSON)
    codes |= dict.fromkeys(SPECIAL.get(route.name, ()))
    found: defaultdict[int, list[str]] = defaultdict(list)
    for code in codes:
        found[CODES[code].status].append(code)
    return dict(sorted(found.items()))
