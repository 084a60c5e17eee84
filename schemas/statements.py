"""The smaller signed statements: acceptance, notice, waiver, withdrawal, key approval and sign-in assertion.

Shapes and rules that one statement carries in itself; whether its signer may say it is asked in ``hub.core``.

Source: protocol 4 (acceptance), 5 (waiver), 6 (notice, withdrawal), 7 (officer's approval) and 9 (assertion, acceptance).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from schemas.envelope import Struct
from schemas.identifiers import (
    AGENCY_PATTERN,
    TYPE_PATTERN,
    AgencyId,
    Code,
    EnvelopeId,
    MailboxId,
    Moment,
    NoticeId,
    ObligationId,
    Sha256,
    Size,
    ThreadId,
)
from schemas.strict_json import MalformedError, parse_as

MAX_STATEMENT: Final = 4 * 1024
MAX_ASSERTION_SECONDS: Final = 60

NoticeCode = Literal[
    "owed",
    "due-soon",
    "overdue",
    "returned",
    "superseded",
    "reseal-needed",
    "agency-ended",
    "withdrawn",
    "keep-until-near",
    "agreement-changed",
    "hold-placed",
    "hold-released",
]
# What is missing has no version yet, so a notice may name the family alone: ``minutes.full`` or ``minutes.full/1``.
NOTICE_TYPE_PATTERN: Final = TYPE_PATTERN.replace(r"/[1-9][0-9]{0,2}\Z", r"(?:/[1-9][0-9]{0,2})?\Z")
CLIENT_PATTERN: Final = AGENCY_PATTERN.replace(
    r"\Z", "(?:/" + AGENCY_PATTERN.removeprefix(r"\A").replace(r"\Z", r")?\Z")
)
JTI_PATTERN: Final = r"\A[A-Za-z0-9_-]{16,64}\Z"

NoticeType = Annotated[str, Meta(pattern=NOTICE_TYPE_PATTERN, max_length=100)]
ClientId = Annotated[str, Meta(pattern=CLIENT_PATTERN, max_length=81)]


class Acceptance(Struct, frozen=True, kw_only=True):
    """The hub's word that envelope ``id`` is durable and owed to every recipient, at ``index`` of the log."""

    v: Literal[1]
    id: EnvelopeId
    header_sha256: Sha256
    sealed_sha256: Sha256
    at: Moment
    index: Size


class Notice(Struct, frozen=True, kw_only=True):
    """A statement of the hub to a mailbox.  References only; ``id`` is what repeats are recognised by."""

    v: Literal[1]
    id: NoticeId
    notice: NoticeCode
    obligation: ObligationId | None = None
    envelope: EnvelopeId | None = None
    thread: ThreadId | None = None
    type: NoticeType | None = None
    debtor: MailboxId | None = None
    creditor: MailboxId | None = None
    due: Moment | None = None
    step: Annotated[int, Meta(ge=0, le=999)] | None = None
    index: Size


class Person(Struct, frozen=True, kw_only=True):
    """Who stands for a statement: the agency's pseudonym, and the role in which they act."""

    by: Sha256
    role: Code


class Waiver(Struct, frozen=True, kw_only=True):
    """A signed end of an obligation without a message through the hub.

    ``waived``: given up, for ``reason``, by two people.  ``met_elsewhere``: sent by other means and
    confirmed by the named person whose pseudonym is ``confirmed_by``.
    """

    v: Literal[1]
    id: EnvelopeId
    obligation: ObligationId
    state: Literal["waived", "met_elsewhere"]
    reason: Code
    confirmed_by: Sha256 | None = None
    by: Sha256
    role: Code
    second: Person | None = None
    at: Moment
    mailbox: MailboxId


class Withdrawal(Struct, frozen=True, kw_only=True):
    """The sender takes an envelope back; ``ask``: and asks those who have collected it to destroy it."""

    v: Literal[1]
    id: EnvelopeId
    envelope: EnvelopeId
    mailbox: MailboxId
    reason: Code
    at: Moment
    ask: bool


class KeyApproval(Struct, frozen=True, kw_only=True):
    """An officer's word for one key statement: its first enrolment, or its use within 24 hours."""

    v: Literal[1]
    statement_sha256: Sha256
    at: Moment


class Assertion(Struct, frozen=True, kw_only=True):
    """What a gateway trades for an access token (RFC 7523).  ``iat`` and ``exp`` are seconds, as RFC 7519 has them."""

    v: Literal[1]
    iss: ClientId
    sub: ClientId
    aud: Annotated[str, Meta(min_length=1, max_length=200)]
    jti: Annotated[str, Meta(pattern=JTI_PATTERN)]
    iat: Annotated[int, Meta(ge=0, le=2**40)]
    exp: Annotated[int, Meta(ge=0, le=2**40)]

    @property
    def agency(self) -> AgencyId:
        """Return the agency that signs in, for itself or for one of its mailboxes."""
        return self.sub.partition("/")[0]


def parse_acceptance(payload: bytes) -> Acceptance:
    """Return the acceptance whose JWS payload is *payload*; raises MalformedError ``json-*``."""
    return parse_as(payload, Acceptance, max_bytes=MAX_STATEMENT)


def parse_notice(payload: bytes) -> Notice:
    """Return the notice whose JWS payload is *payload*.

    Raises:
        MalformedError: ``json-*`` or ``notice-members``: a debt is told without its obligation, due moment or parties.
    """
    notice = parse_as(payload, Notice, max_bytes=MAX_STATEMENT)
    if notice.notice in {"owed", "due-soon", "overdue"} and None in (
        notice.obligation,
        notice.due,
        notice.debtor,
        notice.creditor,
    ):
        raise MalformedError(
            "notice-members",
            f"a `{notice.notice}` notice lacks the duty it speaks of",
            "name obligation, due and both parties",
        )
    return notice


def parse_waiver(payload: bytes) -> Waiver:
    """Return the waiver whose JWS payload is *payload*.

    Raises:
        MalformedError: ``json-*``; ``waiver-second``: ``waived`` needs a second, different person;
            ``waiver-confirmation``: ``met_elsewhere``, and it alone, names who confirmed.
    """
    waiver = parse_as(payload, Waiver, max_bytes=MAX_STATEMENT)
    if (waiver.state == "waived" and waiver.second is None) or (waiver.second and waiver.second.by == waiver.by):
        raise MalformedError("waiver-second", "a waiver needs a second person", "have a colleague confirm it")
    if (waiver.state == "met_elsewhere") != (waiver.confirmed_by is not None):
        raise MalformedError(
            "waiver-confirmation", "`met_elsewhere`, and it alone, names who confirmed", "add or drop `confirmed_by`"
        )
    return waiver


def parse_withdrawal(payload: bytes) -> Withdrawal:
    """Return the withdrawal whose JWS payload is *payload*; raises MalformedError ``json-*``."""
    return parse_as(payload, Withdrawal, max_bytes=MAX_STATEMENT)


def parse_key_approval(payload: bytes) -> KeyApproval:
    """Return the officer's approval whose JWS payload is *payload*; raises MalformedError ``json-*``."""
    return parse_as(payload, KeyApproval, max_bytes=MAX_STATEMENT)


def parse_assertion(payload: bytes) -> Assertion:
    """Return the assertion whose JWS payload is *payload*; whether it has expired is asked where a clock is.

    Raises:
        MalformedError: ``json-*``; ``assertion-subject``: ``iss`` is not ``sub``;
            ``assertion-lifetime``: it lives longer than 60 seconds, or not at all.
    """
    assertion = parse_as(payload, Assertion, max_bytes=MAX_STATEMENT)
    if assertion.iss != assertion.sub:
        raise MalformedError("assertion-subject", "the assertion's `iss` is not its `sub`", "sign in for yourself")
    if not assertion.iat < assertion.exp <= assertion.iat + MAX_ASSERTION_SECONDS:
        raise MalformedError("assertion-lifetime", "the assertion must live 1 to 60 seconds", "choose an earlier `exp`")
    return assertion
