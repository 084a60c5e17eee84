"""One example of each operation: what is asked and what is answered.  Fictional, and cut short where bytes are signed.

A program that is held to the shapes checks each of them, so that none is out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

JSON: Final = "application/json"
TEXT: Final = "text/plain"

AGENCY: Final = "sampleton-childrens-services"
MAILBOX: Final = f"{AGENCY}/mash"
NURSES: Final = "northmere-health/safeguarding"
ENVELOPE: Final = "AZ85XmAAcACBAgMEBQYHCA"
THREAD: Final = "AZ85XmAAcACAAAECAwQFBg"
RECEIPT: Final = "AZ86A_YAcACQERITFBUWFw"
OBLIGATION: Final = "kX3w1Q0Zl0mTq1n7v8o0m2XkS3eB5cJp9LhVt6uYd0c"
DIGEST: Final = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"
KID: Final = "rBtpNvwlfoA4thlx4ykQMqqNUE693Wja9wq9tAU3k0A"
AT: Final = 1_783_324_800_000
HASH: Final = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
ORIGIN: Final = "hub.exampleshire.example"
NOTE: Final = f"{ORIGIN}\n750\n{HASH}\n\n— {ORIGIN} 5q3l…\n— {ORIGIN} 0hFk…\n"
PROBLEM: Final = {
    "type": "/docs/errors#receipt-opening",
    "title": "The receipt doesn't show that the body was opened",
    "status": 422,
    "detail": "the receipt does not show that its signer opened the body",
    "code": "receipt-opening",
}


def compact(typ: str) -> str:
    """Return how a signed object of the type *typ* begins and ends."""
    return f"eyJhbGciOiJFZDI1NTE5Iiwi….{typ}….c2lnbmF0dXJl…"


class Example(NamedTuple):
    """Values of the path's and the query's parameters, the body, and answers by status and media type."""

    answers: Mapping[int, Mapping[str, Any]] = {}
    path: Mapping[str, Any] = {}
    query: Mapping[str, Any] = {}
    request: Mapping[str, Any] = {}


LEAF: Final = {
    "v": 1,
    "at": AT,
    "event": "envelope-accepted",
    "agency": AGENCY,
    "mailbox": MAILBOX,
    "kid": KID,
    "envelope": ENVELOPE,
    "thread": THREAD,
    "type": "minutes.full/1",
    "digest": DIGEST,
    "sealed": DIGEST,
}
_TEXT: Final = '{"v":1,"at":1783324800000,"event":"envelope-accepted",…}'
_ENTRY: Final = {"index": 41, "leaf": LEAF, "text": _TEXT}
_DOCUMENT: Final = {200: {JSON: [compact("directory")]}}
_COUNTS: Final = {"owed": 12, "sent": 12, "received": 3, "missing": 0, "received_rate": 0.25}

EXAMPLES: Final[Mapping[str, Example]] = {
    "getToken": Example(
        request={JSON: {"assertion": compact("assertion")}},
        answers={200: {JSON: {"access_token": "eyJhbGciOiJFUzI1NiIs…", "token_type": "Bearer", "expires_in": 300}}},
    ),
    "sendEnvelopes": Example(
        answers={
            200: {JSON: {"acceptance": compact("acceptance")}},
            201: {JSON: {"acceptance": compact("acceptance")}},
            207: {JSON: {"outcomes": [{"status": 201, "acceptance": compact("acceptance")}]}},
        },
    ),
    "getEnvelope": Example(
        path={"id": ENVELOPE},
        answers={
            200: {
                JSON: {
                    "id": ENVELOPE,
                    "thread": THREAD,
                    "type": "minutes.full/1",
                    "state": "present",
                    "accepted_at": AT,
                    "index": 41,
                    "deliveries": [{"mailbox": NURSES, "state": "taken", "levels": ["collected", "filed"]}],
                    "acceptance": compact("acceptance"),
                }
            }
        },
    ),
    "getBody": Example(path={"id": ENVELOPE}),
    "replaceWraps": Example(
        path={"id": ENVELOPE},
        request={"application/jose": compact("wraps")},
        answers={200: {JSON: {"status": "replaced"}}},
    ),
    "withdrawEnvelope": Example(
        path={"id": ENVELOPE},
        request={"application/jose": compact("withdrawal")},
        answers={200: {JSON: {"state": "withdrawn"}}},
    ),
    "getFeed": Example(
        path={"agency": "northmere-health", "team": "safeguarding"},
        query={"after": 16, "wait": 30},
        answers={
            200: {
                JSON: {
                    "mailbox": NURSES,
                    "after": 16,
                    "next": 17,
                    "entries": [{"seq": 17, "kind": "notice", "at": AT, "jws": compact("notice")}],
                }
            }
        },
    ),
    "sendReceipts": Example(
        request={JSON: {"receipts": [compact("receipt")]}},
        answers={
            200: {
                JSON: {
                    "outcomes": [{"status": 200, "id": RECEIPT, "index": 57}, {"status": 422, "problem": PROBLEM}],
                }
            }
        },
    ),
    "listObligations": Example(
        query={"state": "open", "limit": 50},
        answers={
            200: {
                JSON: {
                    "obligations": [
                        {
                            "id": OBLIGATION,
                            "kind": "send",
                            "rule": "full-minutes",
                            "thread": THREAD,
                            "types": ["minutes.full"],
                            "debtor": MAILBOX,
                            "creditor": NURSES,
                            "due": AT,
                            "state": "open",
                            "overdue": True,
                        }
                    ],
                    "next": OBLIGATION,
                }
            }
        },
    ),
    "proposeAct": Example(
        request={JSON: {"act": "hold-place", "about": {"thread": THREAD}, "reason": "court_order"}},
        answers={201: {JSON: {"id": RECEIPT, "state": "proposed", "until": AT + 604_800_000}}},
    ),
    "listActs": Example(
        query={"state": "approved"},
        answers={
            200: {
                JSON: {
                    "acts": [
                        {
                            "id": RECEIPT,
                            "act": "obligation-waive",
                            "state": "approved",
                            "ends": "waived",
                            "obligation": OBLIGATION,
                            "thread": THREAD,
                            "reason": "recorded_in_error",
                            "steps": [{"index": 57, "text": '{"v":1,"at":1783324800000,"event":"act-proposed"}'}],
                        }
                    ]
                }
            }
        },
    ),
    "waiveObligation": Example(
        path={"id": OBLIGATION},
        request={"application/jose": compact("waiver")},
        answers={200: {JSON: {"status": "met_elsewhere"}}},
    ),
    "streamEvents": Example(
        answers={200: {"text/event-stream": f'event: feed\ndata: {{"mailbox":"{NURSES}"}}\n\n'}},
    ),
    "getDirectory": Example(answers=_DOCUMENT),
    "getDirectoryVersion": Example(path={"version": 1}, answers=_DOCUMENT),
    "publishDirectory": Example(
        request={JSON: [compact("directory"), compact("directory")]}, answers={200: {JSON: {"version": 2}}}
    ),
    "getAgreement": Example(answers={200: {JSON: [compact("agreement")]}}),
    "getAgreementVersion": Example(path={"version": 1}, answers={200: {JSON: [compact("agreement")]}}),
    "publishAgreement": Example(
        request={JSON: [compact("agreement"), compact("agreement")]}, answers={200: {JSON: {"version": 2}}}
    ),
    "listKeys": Example(
        query={"limit": 100},
        answers={200: {JSON: {"keys": [compact("key")], "indexes": [2], "at": [AT], "usable_from": [AT]}}},
    ),
    "publishKey": Example(
        request={JSON: {"statement": compact("key")}},
        answers={200: {JSON: {"agency": AGENCY, "sequence": 4, "state": "active"}}},
    ),
    "challengeKey": Example(
        request={JSON: {"jwk": {"kty": "AKP", "alg": "MLKEM768-X25519", "pub": "h2nR…"}}},
        answers={200: {JSON: {"ek": "0kXp…", "wk": "xQ4d…"}}},
    ),
    "getCheckpoint": Example(answers={200: {TEXT: NOTE}}),
    "getEntriesTile": Example(path={"tile": "000.p/41"}),
    "getTile": Example(path={"level": 0, "tile": "x001/x234/067"}),
    "findEntries": Example(
        query={"thread": THREAD, "event": "envelope-accepted"},
        answers={200: {JSON: {"entries": [_ENTRY], "next": "41"}}},
    ),
    "exportEntries": Example(
        query={"format": "jsonl", "since": AT},
        answers={
            200: {
                "application/jsonl": '{"index":41,"leaf":{…},"text":"…"}\n',
                "text/csv": "index,time,at,event,agency,…\n41,2026-07-06T08:00:00.000+00:00,1783324800000,…\n",
            }
        },
    ),
    "exportLog": Example(),
    "proveInclusion": Example(
        query={"index": 41, "size": 750},
        answers={
            200: {
                JSON: {"index": 41, "size": 750, "proof": [HASH]},
                TEXT: f"c2sp.org/tlog-proof@v1\nindex 41\n{HASH}\n\n{NOTE}",
            }
        },
    ),
    "proveConsistency": Example(
        query={"from": 41, "to": 750}, answers={200: {JSON: {"from": 41, "to": 750, "proof": [HASH]}}}
    ),
    "getWitnesses": Example(
        answers={
            200: {
                JSON: {
                    "size": 750,
                    "root": HASH,
                    "at": AT,
                    "witnessed_size": 741,
                    "witnessed_at": AT,
                    "quorum": "all of: a majority of the agencies (5 of 9); notary",
                    "policy": "group evidenced all agencies notary\nquorum evidenced\n",
                    "witnesses": [
                        {
                            "name": f"{ORIGIN}/witness/northmere-health",
                            "title": "Northmere Health",
                            "kind": "agency",
                            "size": 750,
                            "at": AT,
                            "error": None,
                            "cosigned": None,
                        }
                    ],
                }
            }
        },
    ),
    "addCosignatures": Example(
        request={TEXT: f"{ORIGIN}\n750\n{HASH}\n\n— {ORIGIN}/witness/northmere-health 7Hq2…\n"},
        answers={200: {JSON: {"taken": 1}}},
    ),
    "reportReceipts": Example(
        query={"from": 1_782_864_000_000, "to": 1_790_812_800_000, "by": "sector"},
        answers={
            200: {
                JSON: {"from": 1_782_864_000_000, "to": 1_790_812_800_000, "by": "sector", "rows": {"health": _COUNTS}},
                "text/csv": "sector,owed,sent,…\nhealth,12,12,…\ntotal,12,12,…\n",
            }
        },
    ),
    "reportDuties": Example(
        query={"from": 1_782_864_000_000, "to": 1_790_812_800_000, "type": "minutes.full"},
        answers={
            200: {
                JSON: {
                    "from": 1_782_864_000_000,
                    "to": 1_790_812_800_000,
                    "at": AT,
                    "type": "minutes.full",
                    "rules": [],
                    "definitions": {},
                    "all_parties": True,
                },
                "text/csv": "rule,agency,…\n",
            }
        },
    ),
    "isAlive": Example(answers={200: {JSON: {"status": "ok"}}}),
    "isReady": Example(answers={200: {JSON: {"status": "ready"}}}),
    "getOperation": Example(path={"operation": "findEntries"}),
    "getMetrics": Example(answers={200: {TEXT: "# TYPE hub_requests_total counter\n…\n"}}),
}
