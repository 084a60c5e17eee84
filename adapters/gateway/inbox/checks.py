"""*Checks*: at a clinic, a clinician asks whether a child who is here is known to be at risk, and reads the answer.

For a clinic whose own system doesn't say who attends, or has no screen for the answer.  What is typed is checked as any other attendance:
inside, counted, and forgotten with its answer.  That somebody looked is recorded, not about whom.

Source: domain 2, system 9, and 11, risk 21; docs/at-risk-list.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from aiohttp import web

from adapters.at_risk import Attendance
from adapters.errors import GatewayError
from adapters.gateway.inbox.context import Inbox, NotHereError, visit_of
from adapters.gateway.inbox.forms.moments import Typed, UnreadableError, read_day
from adapters.gateway.matching import attending
from adapters.gateway.matching.room import Known, Room
from hub.kit.forms import Posted
from schemas.identifiers import Moment

LIMIT: Final = 50
_NOT_CHECKED: Final = frozenset({"list-missing", "list-stale", "list-spent"})
_FIELDS: Final = ("reference", "day", "month", "year", "nhs_number", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One attendance that was found: the clinic's own reference of it, when it was, whether police have taken it back."""

    reference: str
    at: Moment
    is_gone: bool


async def show_checks(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page on which a clinician asks, and what is known by now."""
    return await _show(inbox, request, _room_for(inbox, request))


async def check(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Have somebody who is here checked, or (``look``) say what is known of an attendance by now."""
    room, person = _room_for(inbox, request), visit_of(request, "today").person
    typed = {name: posted.get(name).strip()[:200] for name in _FIELDS}
    asks = not posted.get("look")
    reference = typed["reference"] if asks else posted.get("look").strip()
    try:
        not_checked = await _attend(room, _read(typed)) if asks else ""
        said = await attending.tell(room, reference)
    except (_WrongError, GatewayError) as error:
        wrong = error if isinstance(error, _WrongError) else _WrongError(error.message, "reference")
        return await _show(inbox, request, room, typed=typed, wrong=wrong, status=422)
    now = inbox.now()
    await inbox.gateway.spool.write(
        lambda tx: inbox.people.note(
            tx, person.id, "attendance-checked", now, mailbox=room.mailbox, code=said.get("match")
        )
    )
    return await _show(inbox, request, room, said=said, not_checked=not_checked)


class _WrongError(Exception):
    """What was typed can't be checked: a sentence, and the field to go to."""

    def __init__(self, words: str, part: str) -> None:
        super().__init__(words)
        self.words, self.part = words, part


def _room_for(inbox: Inbox, request: web.Request) -> Room:
    person = visit_of(request, "today").person
    desk = inbox.gateway.atrisk
    if desk is None or not desk.is_clinician(person.teams, person.duties):
        raise NotHereError
    return desk.room


def _read(typed: Mapping[str, str]) -> Attendance:
    try:
        born = read_day(Typed(day=typed["day"], month=typed["month"], year=typed["year"]))
    except UnreadableError as error:
        raise _WrongError(f"The date of birth {error.words}", f"born-{error.part}") from None
    if not typed["nhs_number"] and not typed["name"]:
        raise _WrongError("Enter an NHS number, a name, or better both", "nhs_number")
    given = {"attendance": typed["reference"], "born": born.isoformat()}
    given |= {name: typed[name] for name in ("nhs_number", "name") if typed[name]}
    try:
        return msgspec.convert(given, Attendance, strict=True)
    except msgspec.ValidationError:
        raise _WrongError(
            "The reference has letters, digits and . _ : / - only, 64 at most, and begins with a letter or digit",
            "reference",
        ) from None


async def _attend(room: Room, one: Attendance) -> str:
    """Have *one* checked; return why it can't be, where that is counted as unanswerable."""
    try:
        await attending.attend(room, [one])
    except ValueError as error:
        if not isinstance(error, GatewayError):
            raise _WrongError("Check the NHS number and the name: " + str(error), "nhs_number") from None
        if error.code == "attendance-age":
            raise _WrongError("Only somebody under 18 is checked; nothing was counted", "born-year") from None
        if error.code not in _NOT_CHECKED:
            raise
        return f"{error.message[:1].upper()}{error.message[1:]}. Nothing was checked; it is counted"
    return ""


async def _show(
    inbox: Inbox, request: web.Request, room: Room, *, typed: Mapping[str, str] | None = None,
    wrong: _WrongError | None = None, said: Mapping[str, Any] | None = None, not_checked: str = "", status: int = 200,
) -> web.Response:  # fmt: skip
    rows = await room.spool.all("known_attendances")
    found = [(room.unlock(bytes(row["content"]), f"match {row['match']}", Known), row["at"]) for row in rows]
    matches = [Match(reference=known.attendance, at=at, is_gone=known.gone is not None) for known, at in found]
    matches.sort(key=lambda one: -one.at)
    context = {
        "typed": typed or dict.fromkeys(_FIELDS, ""), "wrong": wrong.words if wrong else "",
        "part": wrong.part if wrong else "", "said": said, "not_checked": not_checked,
        "matches": matches[:LIMIT], "more": len(matches) > LIMIT,
    }  # fmt: skip
    return inbox.show(request, "checks.html", context, status=status)
