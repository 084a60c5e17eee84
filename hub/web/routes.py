"""The API as one table: the application and the OpenAPI document are both made from it.

Source: protocol 9.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from aiohttp import web

from hub.core.rights import Scope
from hub.web import (
    acts,
    audit,
    documents,
    envelopes,
    events,
    exports,
    feed,
    obligations,
    pages,
    receipts,
    reports,
    token,
    witnesses,
)
from hub.web.context import Hub
from hub.web.identity import Caller
from hub.web.reference import pages as reference
from schemas.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE

GROUPS: Final = reports.GROUPS
JSON: Final = "application/json"
JOSE: Final = "application/jose"
TEXT: Final = "text/plain"
HTML: Final = "text/html"
BYTES: Final = "application/octet-stream"
FEED_FRAMES: Final = feed.FRAMES

# A handler for anybody, or one that is also given who calls.
Public = Callable[[Hub, web.Request], Awaitable[web.StreamResponse]]
Private = Callable[[Hub, web.Request, Caller], Awaitable[web.StreamResponse]]


class Query(NamedTuple):
    """One query parameter; how it is spelt, ``kind``, is one of those in ``hub.web.openapi``; ``most`` of an integer."""

    name: str
    kind: str
    meaning: str
    required: bool = False
    most: int | None = None


class Route(NamedTuple):
    """One operation.  ``answers``: {status: {media type: name of a schema}}; problems are added to every one."""

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Mapping[str, str]]
    public: Public | None = None
    private: Private | None = None
    request: Mapping[str, str] = {}
    query: tuple[Query, ...] = ()
    waits: bool = False
    # What a program's token must be for; without one, only agencies' gateways call it.
    scope: Scope | None = None


def _limit(most: int) -> Query:
    return Query("limit", "integer", "How many at most.", most=most)


_SIGNED: Final[Mapping[int, Mapping[str, str]]] = {200: {JSON: "SignedDocument"}}
_TAGGED: Final = {**_SIGNED, 304: {}}
_OUTCOMES: Final = {200: {JSON: "ReceiptOutcomes"}}
_PERIOD: Final = (
    Query("from", "integer", "First moment, UTC milliseconds.", required=True),
    Query("to", "integer", "Moment after the last one.", required=True),
    Query("by", "group", "What a row is for."),
    Query("type", "text", "Only this type, without its version."),
    Query("sector", "text", "Only what was owed to this sector."),
)
_RULES: Final = (
    *_PERIOD[:2],
    Query("type", "text", "The type, without its version, whose rules are meant.", required=True),
    Query("rule", "text", "Only this rule."),
)
_SEARCH: Final = (
    Query("after", "integer", "Entries after this index."),
    _limit(audit.MAX_ENTRIES),
    Query("event", "event", "Only this event."),
    Query("agency", "agency", "Only acts of this agency."),
    Query("mailbox", "mailbox", "Only acts of this mailbox."),
    Query("type", "text", "Only this type, with or without its version."),
    Query("envelope", "id", "Only about this envelope."),
    Query("thread", "id", "Only about this thread."),
    Query("obligation", "sha256", "Only about this obligation."),
    Query("since", "integer", "From this moment on."),
    Query("until", "integer", "Before this moment."),
)
_DUTIES: Final = (
    Query("mailbox", "mailbox", "Only those of this mailbox as debtor or creditor."),
    Query("state", "state", "Only those in this state."),
    Query("thread", "id", "Only those of this thread."),
    Query("whole", "yes", "Each with the duty as the rules found it."),
    Query("after", "sha256", "The cursor `next` of the answer before."),
    _limit(obligations.MAX_LIMIT),
)
_ACTS: Final = (
    Query("state", "text", "Those in this state of proposals; `approved` if it is left out."),
    Query("after", "id", "The cursor `next` of the answer before."),
    _limit(acts.MAX_LIMIT),
)
_KEYS: Final = (
    Query("after", "integer", "Statements from this index of the log on; `next` of the answer before."),
    _limit(documents.MAX_KEYS),
    Query("all", "flag", "Every statement, not only the newest about each key."),
)
_FEED: Final = (
    Query("after", "integer", "Entries after this number; 0 is the beginning."),
    _limit(feed.MAX_LIMIT),
    Query("wait", "integer", "Seconds to wait for the next entry.", most=feed.MAX_WAIT),
)

# A table is read across: one operation, one block.
# fmt: off
ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "POST", "/v1/token", "getToken", "Trade a signed assertion for an access token",
        {200: {JSON: "Token"}}, public=token.give_token, request={JSON: "TokenRequest"},
    ),
    Route(
        "POST", "/v1/envelopes", "sendEnvelopes", "Send one envelope, or a batch",
        {200: {JSON: "Acceptance"}, 201: {JSON: "Acceptance"}, 207: {JSON: "EnvelopeOutcomes"}},
        private=envelopes.take_envelopes, request={MEDIA_TYPE: "Bytes", BATCH_MEDIA_TYPE: "Bytes"},
    ),
    Route(
        "GET", "/v1/envelopes/{id}", "getEnvelope", "State of an envelope, for its parties",
        {200: {JSON: "EnvelopeState"}}, private=envelopes.show_envelope,
    ),
    Route(
        "GET", "/v1/envelopes/{id}/body", "getBody", "The sealed bytes, with ranges",
        {200: {BYTES: "Bytes"}, 206: {BYTES: "Bytes"}}, private=envelopes.show_body,
    ),
    Route(
        "PUT", "/v1/envelopes/{id}/wraps", "replaceWraps", "Seal the content key again, as its sender",
        {200: {JSON: "Done"}}, private=envelopes.take_wraps, request={JOSE: "Compact"},
    ),
    Route(
        "POST", "/v1/envelopes/{id}/withdrawal", "withdrawEnvelope", "Take an envelope back, as its sender",
        {200: {JSON: "Withdrawn"}}, private=envelopes.take_withdrawal, request={JOSE: "Compact"},
    ),
    Route(
        "GET", "/v1/mailboxes/{agency}/{team}/feed", "getFeed", "A mailbox's feed, with long poll",
        {200: {JSON: "Feed", FEED_FRAMES: "Bytes"}}, private=feed.show_feed, query=_FEED, waits=True,
    ),
    Route(
        "POST", "/v1/receipts", "sendReceipts", "Send receipts",
        _OUTCOMES, private=receipts.take_receipts, request={JSON: "Receipts"},
    ),
    Route(
        "GET", "/v1/obligations", "listObligations", "What is owed by and to the caller, for the partnership all that is owed",
        {200: {JSON: "Obligations"}}, private=obligations.list_obligations, query=_DUTIES, scope="log",
    ),
    Route(
        "POST", "/v1/obligations/{id}/waiver", "waiveObligation", "Waive an obligation, or say it was met elsewhere",
        {200: {JSON: "Done"}}, private=obligations.take_waiver, request={JOSE: "Compact"},
    ),
    Route(
        "GET", "/v1/acts", "listActs", "What two people agreed on, for the partnership's gateway to sign",
        {200: {JSON: "Acts"}}, private=acts.list_acts, query=_ACTS,
    ),
    Route(
        "POST", "/v1/acts", "proposeAct", "Propose what takes two people, as a program of somebody who may",
        {201: {JSON: "Proposed"}}, private=acts.propose_act, request={JSON: "ActRequest"}, scope="act",
    ),
    Route(
        "GET", "/v1/events", "streamEvents", "Server-sent events: whose feed grew, which obligation changed",
        {200: {"text/event-stream": "Text"}}, private=events.stream_events, waits=True,
    ),
    Route(
        "GET", "/v1/directory", "getDirectory", "The directory in force", _TAGGED, public=documents.show_directory,
    ),
    Route(
        "GET", "/v1/directory/{version}", "getDirectoryVersion", "One version of the directory",
        _TAGGED, public=documents.show_directory,
    ),
    Route(
        "POST", "/v1/directory", "publishDirectory", "Publish the next directory, by its officers' signatures",
        {200: {JSON: "Published"}}, public=documents.take_directory, request={JSON: "SignedDocument"},
    ),
    Route(
        "GET", "/v1/agreement", "getAgreement", "The newest agreement", _TAGGED, public=documents.show_agreement,
    ),
    Route(
        "GET", "/v1/agreement/{version}", "getAgreementVersion", "One version of the agreement",
        _TAGGED, public=documents.show_agreement,
    ),
    Route(
        "POST", "/v1/agreement", "publishAgreement", "Publish the next agreement, by its officers' signatures",
        {200: {JSON: "Published"}}, public=documents.take_agreement, request={JSON: "SignedDocument"},
    ),
    Route(
        "GET", "/v1/keys", "listKeys", "Key statements as published",
        {200: {JSON: "Keys"}}, public=documents.list_keys, query=_KEYS,
    ),
    Route(
        "POST", "/v1/keys", "publishKey", "Publish a key statement, by its own signature",
        {200: {JSON: "PublishedKey"}}, public=documents.take_key, request={JSON: "KeyRequest"},
    ),
    Route(
        "POST", "/v1/keys/challenge", "challengeKey", "A secret that only the holder of a sealing key can open",
        {200: {JSON: "Challenge"}}, private=documents.challenge_key, request={JSON: "ChallengeRequest"},
    ),
    Route(
        "GET", "/v1/audit/checkpoint", "getCheckpoint", "The last signed checkpoint, with cosignatures",
        {200: {TEXT: "Text"}}, public=audit.show_checkpoint,
    ),
    Route(
        "GET", "/v1/audit/tile/entries/{tile:.+}", "getEntriesTile", "Leaves, as tlog-tiles names them, for the partnership",
        {200: {BYTES: "Bytes"}}, private=audit.show_entries_tile, scope="log",
    ),
    Route(
        "GET", "/v1/audit/tile/{level}/{tile:.+}", "getTile", "Hashes, as tlog-tiles names them",
        {200: {BYTES: "Bytes"}}, public=audit.show_tile,
    ),
    Route(
        "GET", "/v1/audit/entries", "findEntries", "What concerns the caller in the log, by time, event and subject",
        {200: {JSON: "Entries"}}, private=audit.find_entries, query=_SEARCH, scope="log",
    ),
    Route(
        "GET", "/v1/audit/export", "exportEntries", "What concerns the caller in the log, all of it, as a stream of lines",
        {200: {"application/jsonl": "Text", "text/csv": "Text"}}, private=exports.export_entries, waits=True, scope="log",
        query=(*(one for one in _SEARCH if one.name != "limit"), Query("format", "format", "As JSON Lines, or as a table.")),
    ),
    Route(
        "GET", "/v1/audit/export.tar", "exportLog", "The whole log with its evidence, for `hub audit verify`, for the partnership",
        {200: {exports.TAR: "Bytes"}}, private=exports.export_tar, waits=True, scope="log",
    ),
    Route(
        "GET", "/v1/audit/proof/inclusion", "proveInclusion", "That a leaf is in the tree",
        {200: {JSON: "InclusionProof", TEXT: "Text"}}, public=audit.prove_inclusion,
        query=(Query("index", "integer", "The leaf.", required=True), Query("size", "integer", "The tree.", required=True)),
    ),
    Route(
        "GET", "/v1/audit/proof/consistency", "proveConsistency", "That one tree is a beginning of another",
        {200: {JSON: "ConsistencyProof"}}, public=audit.prove_consistency,
        query=(Query("from", "integer", "The older size.", required=True), Query("to", "integer", "The newer.", required=True)),
    ),
    Route(
        "GET", "/v1/audit/witnesses", "getWitnesses", "Who cosigned the log, how far, and whether that makes the quorum",
        {200: {JSON: "Witnesses"}}, public=witnesses.show_witnesses,
    ),
    Route(
        "POST", "/v1/audit/cosignatures", "addCosignatures", "Witnesses' lines over a checkpoint",
        {200: {JSON: "Cosigned"}}, public=audit.take_cosignatures, request={TEXT: "Text"},
    ),
    Route(
        "GET", "/v1/reports/receipts", "reportReceipts", "Owed, sent, taken and missing",
        {200: {JSON: "Report", "text/csv": "Text"}}, private=reports.report_receipts, query=_PERIOD, scope="figures",
    ),
    Route(
        "GET", "/v1/reports/duties", "reportDuties", "How a type's duties went, rule by rule: in time, late, stuck, how well",
        {200: {JSON: "DutiesReport", "text/csv": "Text"}}, private=reports.report_duties, query=_RULES, scope="figures",
    ),
    Route("GET", "/healthz", "isAlive", "Whether the process runs", {200: {JSON: "Done"}}, public=pages.show_health),
    Route("GET", "/readyz", "isReady", "Whether it can serve", {200: {JSON: "Done"}}, public=pages.show_ready),
    Route("GET", "/metrics", "getMetrics", "Figures for the operator", {200: {TEXT: "Text"}}, public=pages.show_metrics),
    Route("GET", "/openapi.json", "getOpenApi", "This document", {200: {JSON: "Any"}}, public=pages.show_openapi),
    Route("GET", "/docs", "getDocs", "These operations as pages", {200: {HTML: "Text"}}, public=reference.show_docs),
    Route(
        "GET", "/docs/operations/{operation}", "getOperation", "One operation as a page: parameters, answers, examples",
        {200: {HTML: "Text"}}, public=reference.show_operation,
    ),
    Route("GET", "/docs/errors", "getErrors", "Every code of a problem", {200: {HTML: "Text"}}, public=reference.show_errors),
    Route(
        "GET", f"{reference.ASSETS}/{{digest}}/{{file}}", "getDocsFile", "What these pages look like",
        {200: dict.fromkeys(("text/css", "text/javascript", "image/svg+xml"), "Text")}, public=reference.show_asset,
    ),
)
# fmt: on
