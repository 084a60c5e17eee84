"""From a record of the agency's system to a draft, by the mapping's `send` rules.  Pure.

What is wrong is said with the record's field, never with what stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import UnsetType

from adapters.base import Document, Draft, DraftRefused, parse_draft
from adapters.profiles.mapping import Mapping as Table
from adapters.profiles.mapping import Send
from adapters.profiles.records import DRAFT, Record
from adapters.profiles.values import Turning, ValueProblemError, build, evaluate, holds, path_look
from schemas.identifiers import family_of
from schemas.strict_json import MalformedError, dump

_VALUE: Final = re.compile(r"(Invalid (?:enum )?value) .* - at|(unknown field) .*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the agency says about every draft that comes this way.

    ``senders``, ``to``, ``basis`` and ``retention`` are by a type without its version (`incident.notice`), and stand before
    what the mapping says.  ``name_it`` gives the id of one of the system's own numbers within a scope.
    """

    sender: str
    senders: Mapping[str, str] = field(default_factory=dict)
    to: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    role: str = ""
    basis: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    retention: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    zone: ZoneInfo
    name_it: Callable[[str, str], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A draft with its documents, and the ids that were made for the system's own numbers, by their scope."""

    draft: Draft
    documents: tuple[Document, ...] = ()
    ids: Mapping[str, str] = field(default_factory=dict)


def draft_record(record: Record, mapping: Table, settings: Settings) -> Drafted | DraftRefused:
    """Return what *record* becomes, or why it can't be sent; whether its message fits its type the gateway says."""
    try:
        if record.kind == DRAFT:
            return _finish(dict(record.fields), record, {})
        look = path_look(record.fields)
        rule = next((one for one in mapping.send if one.kind == record.kind and holds(one.where, look)), None)
        if rule is None:
            return DraftRefused(
                code="record-kind",
                message="no rule of the mapping sends such a record",
                hint="add a rule for its kind, or a draft whole under the kind `draft`",
            )
        turning = Turning(look=look, zone=settings.zone, options=settings.constants, name_it=settings.name_it)
        return _finish(_draft(rule, turning, settings), record, turning.ids)
    except ValueProblemError as error:
        return _object_to(error)
    except MalformedError as error:
        return DraftRefused(code=error.code, message=_without_values(error.message), hint=error.hint)


def _object_to(error: ValueProblemError) -> DraftRefused:
    if error.code == "record-code":
        return DraftRefused(
            code="record-code",
            message=f"the field `{error.where}` has a code that no table of the mapping has",
            hint="add the code to the mapping's table, or correct the record",
        )
    return DraftRefused(
        code="record-value",
        message=f"the field `{error.where}` has a value that can't be read",
        hint="correct the record, or how the mapping reads the field",
    )


def _draft(rule: Send, turning: Turning, settings: Settings) -> dict[str, Any]:
    family = family_of(rule.type)
    role = evaluate(rule.role, turning) if rule.role is not None and not isinstance(rule.role, str) else rule.role
    name = turning.look(rule.author)
    if isinstance(name, UnsetType) or not name:
        raise MalformedError("record-author", f"the field `{rule.author}` doesn't say who wrote it", "fill it in")
    draft: dict[str, Any] = {
        "type": rule.type,
        "from": _said(rule.sender, turning) or settings.senders.get(family, settings.sender),
        "to": _said(rule.to, turning) or settings.to.get(family, ()),
        "basis": settings.basis.get(family, rule.basis),
        "retention": settings.retention.get(family, rule.retention),
        "purpose": rule.purpose,
        "consent": rule.consent if isinstance(rule.consent, str) else evaluate(rule.consent, turning),
        "classification": rule.classification,
        "basis_class": rule.basis_class,
        "marks": _said(rule.marks, turning) if isinstance(rule.marks, str) else rule.marks,
        "author": {"name": name, "role": role if role and isinstance(role, str) else settings.role},
        "message": build(rule.fields, turning, to_message=True),
    } | {name: _said(getattr(rule, name), turning) for name in ("thread", "re", "supersedes")}
    return {name: _as_list(value) for name, value in draft.items() if value not in (None, "", ()) and value != []}


def _said(path: str | None, turning: Turning) -> Any:
    value = turning.look(path) if path else None
    return None if isinstance(value, UnsetType) else value


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _finish(draft: dict[str, Any], record: Record, ids: Mapping[str, str]) -> Drafted | DraftRefused:
    names = [one.name for one in record.documents]
    if names and "attachments" not in draft:
        draft["attachments"] = names
    if isinstance(draft.get("to"), str):
        draft["to"] = [draft["to"]]
    made = parse_draft(dump(draft))
    if sorted(made.attachments) != sorted(names):
        raise MalformedError(
            "attachment-missing", "the record's documents aren't those that it names", "add or remove them"
        )
    by_name = {one.name: one for one in record.documents}
    return Drafted(draft=made, documents=tuple(by_name[name] for name in made.attachments), ids=dict(ids))


def _without_values(text: str) -> str:
    return _VALUE.sub(lambda found: f"{found[1]} - at" if found[1] else f"{found[2]}", text)
