"""The at-risk list and the agency's own systems: police's list is published as it stands there, and a clinic's screen is answered.

An adapter that fails at this fails alone: mail goes on.  Nothing that a clinic's system says here is ever in a message.

Source: domain 2, system 9, and 11, risk 21; docs/at-risk-list.md.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from adapters.at_risk import AtRiskList, Attendance, AttendanceAnswer, Attends, Finding, ListsAtRisk
from adapters.errors import GatewayError, NotYetError, place_of
from adapters.gateway.context import Gateway
from adapters.gateway.matching import attending, issuer
from adapters.gateway.matching.identifiers import check_listed
from adapters.gateway.matching.room import Known, Origin, Room
from adapters.gateway.spool import Row
from schemas.envelope import DAY
from schemas.strict_json import dump

_log = logging.getLogger("gateway.atrisk")
BATCH: Final = 50
_LOOKED, _LISTED, _RENEWED = "at-risk list looked at", "at-risk list published", "at-risk list renewed"
CORRECTED: Final = "not known risk: the registration was corrected, and is checked again"
# What is told for the last time: nothing of it changes any more.
_FINAL: Final = frozenset({"clear", "unanswerable"})


async def look(gateway: Gateway) -> None:
    """Publish what police's system lists, or check whom the clinic's system says to attend."""
    if gateway.atrisk is None:
        return
    room = gateway.atrisk.room
    for name, adapter in gateway.adapters.items():
        if room.config.issuer is not None and isinstance(adapter, ListsAtRisk):
            await _attempt(gateway, f"at-risk list of {name}", partial(_publish, gateway, room, adapter))
        if room.config.clinic is not None and isinstance(adapter, Attends):
            await _attempt(gateway, f"attendances of {name}", partial(_take, gateway, room, name, adapter))


async def answer(gateway: Gateway) -> None:
    """Show each answer that has come, on the screen that it was asked from."""
    if gateway.atrisk is None or gateway.atrisk.room.config.clinic is None:
        return
    room = gateway.atrisk.room
    for name, adapter in gateway.adapters.items():
        if isinstance(adapter, Attends):
            for row in await room.spool.all("untold_attendances", adapter=name, limit=gateway.pacer.room_for(BATCH)):
                await _attempt(gateway, f"attendance {row['ref']}", partial(_tell, room, adapter, row))


async def _attempt(gateway: Gateway, key: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do *work* if it isn't resting; what an adapter raises makes it rest, and may hold content: only its place is logged."""
    if not gateway.pacer.is_ready(key):
        return
    try:
        await work()
    except NotYetError:
        raise
    except Exception as error:  # noqa: BLE001
        _log.error("an adapter failed at the at-risk list: %s", place_of(error))
        gateway.pacer.failed(key)
    else:
        gateway.pacer.worked(key)


async def _publish(gateway: Gateway, room: Room, adapter: ListsAtRisk) -> None:
    """Make the next version where the system has released another list, or the one published is about to expire."""
    now = room.clock()
    looked = await room.spool.one("find_fact", name=_LOOKED)
    if looked is not None and now - int(looked["value"]) < room.config.look_seconds * 1000:
        return
    listed = await adapter.at_risk()
    if listed is not None and not await _is_published(room, listed):
        await _issue(gateway, room, listed)
    elif listed is not None and (version := await _find_ending(room)) is not None:
        await _issue(gateway, room, listed)
        # Once for each version: what is refused then is told, and a person has to look.
        await room.spool.run("set_fact", name=_RENEWED, value=str(version).encode())
    await room.spool.run("set_fact", name=_LOOKED, value=str(now).encode())


async def _find_ending(room: Room) -> int | None:
    """Return the version in force if it is about to expire and hasn't been renewed; one that was withdrawn is not renewed."""
    last = await room.spool.one("last_issued")
    if last is None or last["state"] != "current" or last["expires_at"] - room.clock() > room.config.renew_days * DAY:
        return None
    renewed = await room.spool.one("find_fact", name=_RENEWED)
    return None if renewed is not None and int(renewed["value"]) == last["version"] else int(last["version"])


def _mark(room: Room, listed: AtRiskList) -> bytes:
    return room.spool.fingerprint(dump(["at-risk", listed.version])).encode()


async def _is_published(room: Room, listed: AtRiskList) -> bool:
    known = await room.spool.one("find_fact", name=_LISTED)
    return known is not None and bytes(known["value"]) == _mark(room, listed)


async def _issue(gateway: Gateway, room: Room, listed: AtRiskList) -> None:
    """Make a version of *listed*; where its lines don't hold, tell police, and wait for another list."""
    try:
        _check_lines(gateway, room, listed)
        await issuer.draft_version(room, listed.lines, listed.author)
    except GatewayError as error:
        if isinstance(error, NotYetError) or error.code == "list-waiting":
            raise
        _log.warning("the list of children at risk isn't published: %s (%s)", error.message, error.code)
        code, topic = error.code, f"atrisk-refused:{_mark(room, listed).decode()}:{error.code}"
        await room.spool.write(lambda tx: room.tell(tx, "atrisk-refused", topic, code=code))
    await room.spool.run("set_fact", name=_LISTED, value=_mark(room, listed))


def _check_lines(gateway: Gateway, room: Room, listed: AtRiskList) -> None:
    books, now = gateway.partnership.books, room.clock()
    for number, line in enumerate(listed.lines, start=1):
        try:
            check_listed(line)
        except ValueError as error:
            raise GatewayError(
                "list-line", f"entry {number}: {error}", "correct it in the system; nothing was published"
            ) from None
        if not books.index.is_open(line.contact_inbox, now):
            raise GatewayError("list-contact", f"entry {number}: its contact is not in the directory", "look it up")


async def _take(gateway: Gateway, room: Room, name: str, adapter: Attends) -> None:
    async for one in adapter.attendances():
        await _attempt(
            gateway,
            f"attendance of {name} {room.name_attendance(one.attendance)}",
            partial(_check, room, name, adapter, one),
        )


async def _check(room: Room, name: str, adapter: Attends, one: Attendance) -> None:
    """Have *one* checked, remember whose it is, and say at once what there is to say."""
    code = ""
    try:
        await attending.attend(room, [one])
    except GatewayError as error:
        if isinstance(error, NotYetError):
            raise
        code = error.code
    except ValueError:
        code = "attendance-shape"
    if code in {"attendance-age", "attendance-shape"}:
        said = AttendanceAnswer(
            attendance=one.attendance, state="refused", words="not checked", code=code, context=one.context
        )
        await adapter.tell_attendance(said)
        return
    ref = room.name_attendance(one.attendance)
    origin = Origin(attendance=one.attendance, context=one.context, code=code)
    await room.spool.run("add_origin", ref=ref, adapter=name, content=room.lock(origin, f"origin {ref}"))
    row = await room.spool.one("origin_of", ref=ref)
    if row is not None:
        await _tell(room, adapter, row)


async def _tell(room: Room, adapter: Attends, row: Row) -> None:
    """Show what is known of the attendance in *row*; what can't change any more is forgotten with it."""
    await adapter.tell_attendance(_answer_of(room, row))

    if row["state"] in _FINAL:
        await room.spool.run("drop_origin", ref=row["ref"])
    else:
        # Unless it was taken back meanwhile, which is told too.
        await room.spool.run("set_origin_told", ref=row["ref"], told=row["state"], before=row["told"])


def _answer_of(room: Room, row: Row) -> AttendanceAnswer:
    origin = room.unlock(bytes(row["origin"]), f"origin {row['ref']}", Origin)
    said = attending.describe(room, row)
    if row["told"] == "known" and row["state"] != "known":
        # Registered anew as somebody else: what the screen says is about nobody who is here.
        return AttendanceAnswer(
            attendance=origin.attendance, state="withdrawn", words=CORRECTED, context=origin.context
        )
    state, findings = row["state"], []
    if state == "known" and row["content"] is not None:
        known = room.unlock(bytes(row["content"]), f"match {row['match']}", Known)
        state = "known" if known.gone is None else "withdrawn"
        findings = [
            {"risk_marker": one.risk_marker, "contact": one.contact_inbox, "added_on": one.added_on, "by": one.by}
            for one in known.entries
        ]
    return AttendanceAnswer(
        attendance=origin.attendance, state=state, words=said["answer"], match=row["match"] or "",
        code=origin.code if state == "unanswerable" else "", late=bool(row["late"]), context=origin.context,
        findings=tuple(msgspec.convert(one, Finding) for one in findings),
    )  # fmt: skip
