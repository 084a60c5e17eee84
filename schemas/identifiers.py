"""Names on the wire and their exact spelling.

Each alias is a string that msgspec holds to its pattern, so that a value of the type is a checked value.
A final character class makes base64url canonical: the unused low bits must be zero.

Source: protocol, preamble (``b64u``, ids) and 2.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

_WORD = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
_B64U = "[A-Za-z0-9_-]"

AGENCY_PATTERN = rf"\A{_WORD}\Z"
MAILBOX_PATTERN = rf"\A{_WORD}/{_WORD}\Z"
# 128 bits in 22 characters: version 7 in character 9, variant in character 11, four spare bits at the end.
ID_PATTERN = rf"\A{_B64U}{{8}}[c-f]{_B64U}[CGKOSWaeimquy26-]{_B64U}{{10}}[AQgw]\Z"
SHA256_PATTERN = rf"\A{_B64U}{{42}}[AEIMQUYcgkosw048]\Z"
CODE_PATTERN = r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z"
TYPE_PATTERN = r"\A[a-z][a-z0-9_]{0,23}(?:\.[a-z][a-z0-9_]{0,23}){0,3}/[1-9][0-9]{0,2}\Z"

AgencyId = Annotated[str, Meta(pattern=AGENCY_PATTERN, max_length=40)]
MailboxId = Annotated[str, Meta(pattern=MAILBOX_PATTERN, max_length=81)]
EnvelopeId = Annotated[str, Meta(pattern=ID_PATTERN)]
ThreadId = Annotated[str, Meta(pattern=ID_PATTERN)]
ReceiptId = Annotated[str, Meta(pattern=ID_PATTERN)]
NoticeId = Annotated[str, Meta(pattern=ID_PATTERN)]
ItemRef = Annotated[str, Meta(pattern=ID_PATTERN)]
Sha256 = Annotated[str, Meta(pattern=SHA256_PATTERN)]
ObligationId = Sha256
KeyId = Sha256
Code = Annotated[str, Meta(pattern=CODE_PATTERN)]
MessageType = Annotated[str, Meta(pattern=TYPE_PATTERN, max_length=100)]
# UTC milliseconds since 1970; the ceiling is the largest integer that every JSON reader keeps exact.
Moment = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Size = Annotated[int, Meta(ge=0, le=2**53 - 1)]

_MAILBOX = re.compile(MAILBOX_PATTERN)
_ID = re.compile(ID_PATTERN)
_AGENCY = re.compile(AGENCY_PATTERN)
_SHA256 = re.compile(SHA256_PATTERN)


def is_mailbox(text: str) -> bool:
    """Answer whether *text* is ``agency/team`` in its exact spelling."""
    return len(text) <= 81 and _MAILBOX.match(text) is not None


def is_agency(text: str) -> bool:
    """Answer whether *text* is an agency's name in its exact spelling."""
    return len(text) <= 40 and _AGENCY.match(text) is not None


def is_id(text: str) -> bool:
    """Answer whether *text* is 22 characters of canonical base64url that hold a UUIDv7."""
    return _ID.match(text) is not None


def is_sha256(text: str) -> bool:
    """Answer whether *text* is 43 characters of canonical base64url that hold 32 bytes."""
    return _SHA256.match(text) is not None


def agency_of(mailbox: MailboxId) -> AgencyId:
    """Return the agency part of ``agency/team``."""
    return mailbox.partition("/")[0]


def family_of(message_type: MessageType) -> str:
    """Return ``minutes.full`` of ``minutes.full/1``: what rules name, whatever the major version."""
    return message_type.partition("/")[0]
