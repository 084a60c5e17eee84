"""JSON Schemas (2020-12) of what the API takes and answers, by name.

What is signed has its own schema in ``schemas/wire``; here it is a compact JWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from schemas.identifiers import ID_PATTERN, SHA256_PATTERN


def in_json_schema(pattern: str) -> str:
    """Return one of our own patterns as JSON Schema writes the same, which marks beginning and end otherwise."""
    return "^" + pattern.removeprefix(r"\A").removesuffix(r"\Z") + "$"


_INT: Final = {"type": "integer", "minimum": 0}
_TEXT: Final = {"type": "string"}
ID: Final = {"type": "string", "pattern": in_json_schema(ID_PATTERN)}
SHA256: Final = {"type": "string", "pattern": in_json_schema(SHA256_PATTERN)}
_COMPACT: Final = {"$ref": "#/components/schemas/Compact"}
_STATUS: Final = {"type": "integer", "minimum": 200, "maximum": 599}


def _object(required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def _list(items: Any, **bounds: int) -> dict[str, Any]:
    return {"type": "array", "items": items, **bounds}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


PATH_PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "id": ID,
    "agency": {"type": "string", "maxLength": 40},
    "team": {"type": "string", "maxLength": 40},
    "version": {"type": "integer", "minimum": 1},
    "level": {"type": "integer", "minimum": 0, "maximum": 7},
    "operation": {"type": "string", "pattern": "^[a-z][A-Za-z]{0,39}$"},
    "digest": {"type": "string", "pattern": "^[A-Za-z0-9_-]{16}$"},
    "file": {"type": "string", "pattern": "^[a-z]{1,20}\\.(css|js|svg)$"},
    "tile": {"type": "string", "pattern": r"^(x[0-9]{3}/){0,4}[0-9]{3}(\.p/[1-9][0-9]{0,2})?$"},
}

_OBLIGATION: Final = _object(
    {
        "id": SHA256,
        "kind": {"enum": ["send", "receipt"]},
        "rule": _TEXT,
        "thread": ID,
        "types": _list(_TEXT),
        "debtor": _TEXT,
        "creditor": _TEXT,
        "due": _INT,
        "state": {"enum": ["open", "met", "met_late", "met_elsewhere", "waived", "lapsed", "superseded"]},
        "overdue": {"type": "boolean"},
    },
    {"envelope": ID, "item": _TEXT, "settled_at": _INT, "settled_by": _TEXT, "duty": {"type": "object"}},
)
_ENTRY: Final = _object(
    {"seq": _INT, "kind": {"enum": ["delivery", "receipt", "notice", "waiver", "tombstone"]}, "at": _INT},
    {
        "envelope": ID,
        "header": _COMPACT,
        "wraps": _COMPACT,
        "acceptance": _COMPACT,
        "state": {"enum": ["present", "withdrawn", "deleted"]},
        "length": _INT,
        "body": {"type": "string", "contentEncoding": "base64url"},
        "jws": _COMPACT,
        "index": _INT,
    },
)

SHAPES: Final[Mapping[str, Any]] = {
    "Any": {},
    "Text": _TEXT,
    "Bytes": {"type": "string", "contentMediaType": "application/octet-stream"},
    "Compact": {"type": "string", "description": "A compact JWS.", "minLength": 1, "maxLength": 262144},
    "Problem": {
        "type": "object",
        # What isn't HTTP has no detail: nobody knows of what it was meant for.
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": _TEXT,
            "code": _TEXT,
            "hint": _TEXT,
            "reference": _TEXT,
        },
        "additionalProperties": False,
    },
    "Done": _object({"status": _TEXT}),
    "TokenRequest": _object({"assertion": {"type": "string", "maxLength": 4096}}),
    "Token": _object({"access_token": _TEXT, "token_type": {"const": "Bearer"}, "expires_in": _INT}),
    "Acceptance": _object({"acceptance": _COMPACT}),
    "EnvelopeOutcomes": _object(
        {"outcomes": _list(_object({"status": _STATUS}, {"acceptance": _COMPACT, "problem": _ref("Problem")}))}
    ),
    "EnvelopeState": _object(
        {
            "id": ID,
            "thread": ID,
            "type": _TEXT,
            "state": {"enum": ["present", "withdrawn", "deleted"]},
            "accepted_at": _INT,
            "index": _INT,
            "deliveries": _list(_object({"mailbox": _TEXT, "state": _TEXT, "levels": _list(_TEXT)})),
        },
        {"supersedes": ID, "superseded_by": ID, "acceptance": _COMPACT},
    ),
    "Withdrawn": _object({"state": {"enum": ["withdrawn", "destruction-asked"]}}),
    "Feed": _object({"mailbox": _TEXT, "after": _INT, "next": _INT, "entries": _list(_ENTRY)}),
    "Receipts": _object({"receipts": _list({"type": "string", "maxLength": 8192}, minItems=1, maxItems=500)}),
    "ReceiptOutcomes": _object(
        {
            "outcomes": _list(
                _object({"status": _STATUS}, {"id": ID, "index": _INT, "at": _INT, "problem": _ref("Problem")})
            )
        }
    ),
    "Obligations": _object({"obligations": _list(_OBLIGATION)}, {"next": SHA256}),
    "Acts": _object(
        {
            "acts": _list(
                _object(
                    {
                        "id": ID,
                        "act": _TEXT,
                        "state": _TEXT,
                        "ends": {"enum": ["waived", "met_elsewhere"]},
                        "obligation": SHA256,
                        "thread": ID,
                        "reason": _TEXT,
                        "steps": _list(_object({"index": _INT, "text": _TEXT})),
                    }
                )
            )
        },
        {"next": ID},
    ),
    "ActRequest": _object(
        {
            "act": {"type": "string", "maxLength": 64},
            "about": {"type": "object"},
            "reason": {"type": "string", "maxLength": 64},
        }
    ),
    "Proposed": _object({"id": ID, "state": _TEXT, "until": _INT}),
    "SignedDocument": _list(_COMPACT, minItems=1, maxItems=64),
    "Published": _object({"version": _INT}),
    "Keys": _object(
        {"keys": _list(_COMPACT), "indexes": _list(_INT), "at": _list(_INT), "usable_from": _list(_INT)},
        {"next": _TEXT},
    ),
    "KeyRequest": _object(
        {"statement": {"type": "string", "maxLength": 16384}}, {"officer": {"type": "string", "maxLength": 16384}}
    ),
    "PublishedKey": _object({"agency": _TEXT, "sequence": _INT, "state": {"enum": ["active", "retired", "revoked"]}}),
    "ChallengeRequest": _object(
        {
            "jwk": _object(
                {
                    "kty": {"const": "AKP"},
                    "alg": {"const": "MLKEM768-X25519"},
                    "pub": {"type": "string", "maxLength": 4000},
                }
            )
        }
    ),
    "Challenge": _object({"ek": _TEXT, "wk": _TEXT}),
    "Entries": _object(
        {"entries": _list(_object({"index": _INT, "leaf": {"type": "object"}, "text": _TEXT}))}, {"next": _TEXT}
    ),
    "InclusionProof": _object({"index": _INT, "size": _INT, "proof": _list(_TEXT)}),
    "ConsistencyProof": _object({"from": _INT, "to": _INT, "proof": _list(_TEXT)}),
    "Cosigned": _object({"taken": _INT}),
    "Witnesses": _object(
        {
            "size": _INT,
            "root": _TEXT,
            "at": {"type": ["integer", "null"]},
            "witnessed_size": _INT,
            "witnessed_at": {"type": ["integer", "null"]},
            "quorum": _TEXT,
            "policy": _TEXT,
            "witnesses": _list(
                _object(
                    {
                        "name": _TEXT,
                        "title": _TEXT,
                        "kind": {"enum": ["agency", "outsider"]},
                        "size": _INT,
                        "at": {"type": ["integer", "null"]},
                        "error": {"type": ["string", "null"]},
                        "cosigned": {"type": ["string", "null"]},
                    }
                )
            ),
        }
    ),
    "Report": {"type": "object"},
    "DutiesReport": _object(
        {
            "from": _INT,
            "to": _INT,
            "at": _INT,
            "type": _TEXT,
            "rules": _list(
                _object(
                    {
                        "rule": _TEXT,
                        "because": _TEXT,
                        "total": {"type": "object"},
                        "by_agency": {"type": "object"},
                        "stuck": _list({"type": "object"}),
                    }
                )
            ),
            "definitions": {"type": "object"},
            "all_parties": {"type": "boolean"},
        }
    ),
}
