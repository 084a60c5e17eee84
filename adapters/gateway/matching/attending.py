"""Sexual health: what a clinician's system asks of the desk, and is told; nothing here sends anything but what they write.

Source: domain 2, system 9 ("every attendance of an under-18-year-old"), 9.5 and 11, risk 21; docs/at-risk-list.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from adapters.at_risk import Attendance
from adapters.base import Draft, DraftAuthor
from adapters.errors import GatewayError
from adapters.gateway.matching.clinic import end_query, is_answering
from adapters.gateway.matching.identifiers import find_keys
from adapters.gateway.matching.policy import is_under_18, month_of
from adapters.gateway.matching.room import Known, Room, Waiting
from adapters.gateway.spool import Row, Transaction
from schemas.identifiers import Code, Moment
from schemas.strict_json import dump

Said = dict[str, Any]
NOT_LISTED: Final = "not on the list"
WAITING: Final = "not answered yet"


async def attend(room: Room, attendances: Sequence[Attendance]) -> None:
    """Count *attendances* and have each checked against the list; given again, one is neither counted nor asked twice.

    Given again for somebody else (a number that was corrected), it is checked anew and what was answered before is forgotten.
    Who is 18 or older is refused, and then nothing is counted.  An attendance without any identifier is counted as
    unanswerable.

    Raises:
        GatewayError: ``attendance-age``; ``list-missing``, ``list-stale`` or ``list-spent``: counted as unanswerable.
    """
    now = room.clock()
    times = [int(one.at.timestamp() * 1000) if one.at else now for one in attendances]
    for number, (one, at) in enumerate(zip(attendances, times, strict=True), start=1):
        if not is_under_18(room.config, one.born, at):
            raise GatewayError(
                "attendance-age", f"attendance {number} is of somebody of 18 or older",
                "only attendances of under-18s are checked; nothing was counted",
            )  # fmt: skip

    async def work(tx: Transaction) -> Row | None:
        row = await tx.one("newest_list")
        for one, at in zip(attendances, times, strict=True):
            await _add(room, tx, one, at, can_ask=is_answering(row, now))
        return row

    _refuse(await room.spool.write(work), now)


async def _add(room: Room, tx: Transaction, one: Attendance, at: Moment, *, can_ask: bool) -> None:
    ref, keys = room.name_attendance(one.attendance), find_keys(one.nhs_number, one.name, one.born)
    waits = can_ask and bool(keys)
    digest = room.spool.fingerprint(dump(sorted(keys.values())))
    before = await tx.one("find_identity", ref=ref) if keys else None
    if before is not None and before["digest"] != digest:
        if before["query"] is not None:
            # Its answer would be about whom it was before.
            await end_query(tx, before["query"])
        await tx.run("drop_attendance", ref=ref)
    content = room.lock(Waiting(attendance=one.attendance, keys=keys), f"attendance {ref}") if waits else None
    await tx.run(
        "add_attendance", ref=ref, at=at, month=month_of(room.config, at), content=content,
        state="waiting" if waits else "unanswerable",
    )  # fmt: skip
    if keys:
        await tx.run("set_identity", ref=ref, digest=digest)


def _refuse(row: Row | None, now: Moment) -> None:
    if is_answering(row, now):
        return
    counted = "the attendance is counted as unanswerable"
    if row is None or row["state"] == "withdrawn":
        raise GatewayError("list-missing", "there is no at-risk list here", f"ask police for it; {counted}")
    if now >= row["expires_at"]:
        raise GatewayError(
            "list-stale", "the at-risk list has expired and answers nothing", f"ask police for the next; {counted}"
        )
    raise GatewayError(
        "list-spent", "police evaluate nothing more under this version of the at-risk list",
        f"ask them for the next; {counted}",
    )  # fmt: skip


async def tell(room: Room, attendance: str) -> Said:
    """Return what is known of an attendance: known risk and whom to contact, not on the list, or not answered yet.

    Raises:
        GatewayError: ``attendance-unknown``.
    """
    row = await room.spool.one("find_attendance", ref=room.name_attendance(attendance))
    if row is None:
        raise GatewayError("attendance-unknown", "no such attendance was given here", "see `gateway atrisk attend`")
    return {"attendance": attendance} | describe(room, row)


async def is_waiting(room: Room, attendance: str) -> bool:
    """Answer whether the answer about *attendance* is still to come."""
    row = await room.spool.one("find_attendance", ref=room.name_attendance(attendance))
    return row is not None and row["state"] == "waiting"


def describe(room: Room, row: Row) -> Said:
    """Return what the attendance in *row* is answered; a match with its entries."""
    if row["state"] == "waiting":
        return {"answer": WAITING}
    if row["state"] == "unanswerable":
        return {"answer": "unanswerable", "good": False}
    said: Said = {"late": bool(row["late"])}
    if row["state"] == "clear":
        return {"answer": NOT_LISTED} | said
    if row["content"] is None:
        return {"answer": "known risk", "match": row["match"]} | said
    known = room.unlock(bytes(row["content"]), f"match {row['match']}", Known)
    contacts = sorted({entry.contact_inbox for entry in known.entries})
    said |= {
        "match": row["match"],
        "entries": [
            {"risk_marker": e.risk_marker, "contact": e.contact_inbox, "added_on": e.added_on, "by": e.by}
            for e in known.entries
        ],
    }
    if known.gone is not None:
        said |= {"withdrawn_in": known.gone}
        return {"answer": f"no longer on the list since version {known.gone}"} | said
    return {"answer": f"known risk, contact {', '.join(contacts)}"} | said


async def read_match(room: Room, match: str) -> Said:
    """Return what a match says, with the clinic's own reference of the attendance.

    Raises:
        GatewayError: ``match-unknown``.
    """
    row = await _get_match(room, match)
    known = room.unlock(bytes(row["content"]), f"match {match}", Known)
    return {"attendance": known.attendance} | describe(room, row)


async def _get_match(room: Room, match: str) -> Row:
    row = await room.spool.one("find_at_risk_match", match=match)
    if row is None or row["content"] is None:
        raise GatewayError(
            "match-unknown", "no such match is here", "its notice has the reference; old ones are forgotten"
        )
    return row


async def draft_contact(
    room: Room, match: str, kind: str, message: dict[str, Any], author: DraftAuthor, basis: tuple[Code, ...]
) -> Draft:
    """Return the draft in which a clinician, having decided to, writes to the contact of *match*.

    It has what they wrote, in a thread of its own; nothing of the match, of the list or of the attendance is added.

    Raises:
        GatewayError: ``match-unknown``.
    """
    row = await _get_match(room, match)
    known = room.unlock(bytes(row["content"]), f"match {match}", Known)
    to = tuple(sorted({entry.contact_inbox for entry in known.entries}))
    return Draft(
        type=kind, from_=room.mailbox, to=to, purpose="exploitation", basis=basis, basis_class="care", author=author,
        message=message,
    )  # fmt: skip


async def count(room: Room) -> list[Said]:
    """Return the coverage of each month: attendances of under-18s, how many were checked, in time or late, and how many not.

    ``coverage`` is checked ÷ attendances; ``in_time`` beside it leaves out the late ones.
    """
    months: dict[str, dict[str, int]] = {}
    for row in await room.spool.all("count_attendances"):
        month = months.setdefault(row["month"], dict.fromkeys(("attendances", "checked", "late", "waiting"), 0))
        checked = row["state"] in {"clear", "known"}
        month["attendances"] += row["n"]
        month["checked"] += checked * row["n"]
        month["late"] += checked * row["late"] * row["n"]
        month["waiting"] += (row["state"] == "waiting") * row["n"]
    return [
        {
            "month": month, **n, "unanswerable": n["attendances"] - n["checked"] - n["waiting"],
            "coverage": round(n["checked"] / n["attendances"], 3),
            "in_time": round((n["checked"] - n["late"]) / n["attendances"], 3),
        }
        for month, n in months.items()
    ]  # fmt: skip
