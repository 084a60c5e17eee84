"""What is open and must be spoken of: pure, from the register's entries.

Source: domain 2.1 (6), 7.4 (agenda).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from adapters.gateway.register.entries import Entry
from schemas.derivation import spell_moment
from schemas.identifiers import Moment

MAX_TITLE: Final = 200
NO_REASON: Final = "No reason was given."
# What is on an agenda beside open actions, by what it says there.
TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "rhi": ("child", "Return home interview not reported"),
    "flag": ("child", "Risk flag to be set or reviewed"),
    "listed": ("child", "At-risk list entry out of date"),
    "risk": ("child", "Agreed risk to be reviewed"),
    "closure": ("decision", "Closing the case"),
    "objection": ("decision", "Objection to closing the case"),
    "dispute": ("decision", "Dispute of the minutes"),
    "escalation": ("decision", "Escalation not resolved"),
    "handover": ("decision", "Handover not accepted"),
    "check": ("other", "Check not answered"),
    "minutes": ("other", "Minutes missing"),
    "action": ("other", "Action of which the register knows no more"),
}
# What is there to stay, and once it is set is on an agenda only when it is due.
STANDING: Final = frozenset({"flag", "listed", "risk"})


def open_work(
    entries: Iterable[Entry], details: Mapping[str, Mapping[str, str]], meetings: Iterable[Moment], now: Moment
) -> list[dict[str, Any]]:
    """Return the items of an ``agenda.generated`` message: what is open, open actions first, each by its due moment.

    *details*: by the entry's key, what is sealed of it; *meetings*: when the meeting was held before.  An action that was
    open at one of them is carried over, with how often and why.
    """
    held = sorted(meetings)
    open_ones = sorted((entry for entry in entries if not entry.ended), key=_urgency)
    items = [_action(one, details.get(one.key, {}), held) for one in open_ones if _is_action(one, details)]
    for entry in open_ones:
        is_settled = entry.kind in STANDING and entry.state == "open" and not entry.is_overdue(now)
        if entry.kind in TITLES and not is_settled and not _is_action(entry, details):
            kind, title = TITLES[entry.kind]
            items.append(
                {"kind": kind, "title": title, **_due(entry), "detail": _reference(entry)} | _owner(entry, details)
            )
    return items


def make_agenda(
    items: list[dict[str, Any]], *, meeting: str, kind: str, starts: Moment, now: Moment, standing: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the ``agenda.generated`` message of *items*, for the meeting *meeting* of *kind*; *standing* come last."""
    items = items or [{"kind": "standing", "title": "Nothing is open"}]
    return {
        "meeting_id": meeting,
        "meeting_kind": kind,
        "generated_at": spell_moment(now),
        "starts_at": spell_moment(starts),
        "items": [*items, *({"kind": "standing", "title": title} for title in standing)],
    }


def _urgency(entry: Entry) -> tuple[bool, Moment, str]:
    return entry.due is None, entry.due or 0, entry.key


def _is_action(entry: Entry, details: Mapping[str, Mapping[str, str]]) -> bool:
    return entry.kind == "action" and {"id", "owner"} <= set(details.get(entry.key, {})) and entry.due is not None


def _action(entry: Entry, said: Mapping[str, str], held: list[Moment]) -> dict[str, Any]:
    title = " ".join(said.get("title", "").split())[:MAX_TITLE] or "Action"
    item: dict[str, Any] = {
        "kind": "open_action",
        "title": title,
        "action_id": said["id"],
        "owner_role": said["owner"],
        **_due(entry),
        "state": entry.facts.get("state", "assigned"),
        "carried_over": False,
    }
    times = sum(entry.opened < moment for moment in held)
    if times:
        item |= {
            "carried_over": True,
            "carried_reason": said.get("reason", NO_REASON),
            "detail": f"Carried over: {times}.",
        }
    return item


def _due(entry: Entry) -> dict[str, str]:
    return {} if entry.due is None else {"due_at": spell_moment(entry.due)}


def _owner(entry: Entry, details: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    owner = details.get(entry.key, {}).get("owner")
    return {"owner_role": owner} if owner else {}


def _reference(entry: Entry) -> str:
    return f"Child {entry.child or 'not known'}, thread {entry.thread}."
