"""Police: make a version of the list that nobody can read, and evaluate what clinics ask of it.

Who is on the list never leaves the gateway's encrypted spool; what leaves is match keys.  Who attends a clinic never comes
here; what comes is blinded points, evaluated by the gateway itself, as many for each clinic and version as the quota allows.

Source: domain 2, system 9, 7.4 (`risklist.publish`) and 11, risks 9 and 22; docs/at-risk-list.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from adapters.at_risk import Listed
from adapters.base import (
    Draft,
    DraftAuthor,
    DraftRefused,
    DraftResult,
    Filed,
    Incoming,
    NeedsPerson,
    Outcome,
    Outgoing,
    Spooled,
)
from adapters.errors import GatewayError
from adapters.gateway.matching.identifiers import find_keys
from adapters.gateway.matching.room import EVALUATED, MACHINE, PUBLISH, WITHDRAW, Issued, Room
from adapters.gateway.spool import Row, Transaction
from keys import matching
from keys.digests import new_id
from keys.errors import KeysError
from schemas.derivation import spell_moment
from schemas.envelope import DAY
from schemas.identifiers import Code, Moment
from schemas.strict_json import dump

PURPOSE: Final = "point_of_care_only"
# For how many versions back a clinic is told that a match of then doesn't stand any more.
REMEMBERED: Final = 13
MAX_WITHDRAWALS: Final = 2000


async def draft_version(room: Room, listed: Sequence[Listed], author: DraftAuthor) -> int:
    """Make the next version of the list durable, to be published; return its number.

    The same lines given again while their version still waits to be sent, as after a crash, are that version.

    Raises:
        GatewayError: ``list-waiting``.
        KeysError: ``matching-missing``.
    """
    digest = room.spool.fingerprint(dump([line_of(one) for one in listed]))
    last = await room.spool.one("last_issued")
    if last is not None and last["state"] == "drafted":
        if last["digest"] == digest:
            return int(last["version"])
        raise GatewayError(
            "list-waiting",
            "the version before still waits to be sent",
            "run `gateway run --once`, then publish this one",
        )
    now, version = room.clock(), last["version"] + 1 if last else 1
    expires = now + room.config.max_days * DAY
    list_id = last["list"] if last else new_id(now)
    issued = _make_version(room, listed, last, author, {
        "list_id": list_id, "version": version, "issued_at": spell_moment(now), "expires_at": spell_moment(expires),
    })  # fmt: skip
    content = room.lock(issued, f"issued {version}")

    await room.spool.run(
        "add_issued", version=version, list=list_id, digest=digest, expires_at=expires, content=content
    )
    return version


def line_of(one: Listed) -> dict[str, str]:
    """Return a line of the list as plain values."""
    given = {
        "nhs_number": one.nhs_number,
        "name": one.name,
        "born": one.born.isoformat() if one.born else None,
        "risk_marker": one.risk_marker,
        "contact_inbox": one.contact_inbox,
        "added_on": one.added_on.isoformat(),
    }
    return {name: value for name, value in given.items() if value is not None}


def _make_version(
    room: Room, listed: Sequence[Listed], last: Row | None, author: DraftAuthor, head: dict[str, Any]
) -> Issued:
    key = matching.new_list_key()
    before: Mapping[str, tuple[str, ...]] = {}
    if last is not None and last["content"] is not None:
        before = room.unlock(bytes(last["content"]), f"issued {last['version']}", Issued).match_keys
    lines = [(one, find_keys(one.nhs_number, one.name, one.born).values()) for one in listed]
    identifiers = sorted({identifier for _, found in lines for identifier in found})
    made = zip(identifiers, matching.make_match_keys(key, identifiers), strict=True)
    match_keys = {identifier: (match_key, *before.get(identifier, ()))[:REMEMBERED] for identifier, match_key in made}
    entries: dict[tuple[str, ...], dict[str, str]] = {}
    for one, found in lines:
        for identifier in found:
            entry = {
                "match_key": match_keys[identifier][0],
                "risk_marker": one.risk_marker,
                "contact_inbox": one.contact_inbox,
                "added_on": one.added_on.isoformat(),
            }
            entries.setdefault((identifier, one.risk_marker, one.contact_inbox), entry)
    # Match keys look random: in their order they say nothing of the order of the lines.
    message = head | {
        "entries": sorted(entries.values(), key=lambda entry: entry["match_key"]),
        "withdrawals": _list_gone(before, match_keys),
        "purpose_limit": PURPOSE,
    }
    if last is not None:
        message["previous_version"] = last["version"]
    return Issued(key=key, match_keys=match_keys, message=message, author=author)


def _list_gone(before: Mapping[str, tuple[str, ...]], now: Mapping[str, object]) -> list[str]:
    """Return under which match keys a clinic may have found who is no longer listed; the newest, if they are too many."""
    gone = [keys for identifier, keys in before.items() if identifier not in now]
    return [keys[age] for age in range(REMEMBERED) for keys in sorted(gone) if age < len(keys)][:MAX_WITHDRAWALS]


async def collect(room: Room) -> AsyncIterator[Outgoing]:
    """Yield a version that waits to be published, and each query's answer."""
    last = await room.spool.one("last_issued")
    if last is not None and last["state"] == "drafted":
        yield await find_publication(room, last["version"])
    for row in await room.spool.all("unsent_answers"):
        message = room.unlock(bytes(row["content"]), f"answer {row['envelope']}", dict)
        draft = Draft(
            type=EVALUATED, from_=room.mailbox, to=(row["clinic"],), thread=row["thread"], re=row["envelope"],
            purpose="exploitation", basis=room.config.basis, basis_class="law_enforcement", author=MACHINE, message=message,
        )  # fmt: skip
        yield Outgoing(key=f"answer {row['envelope']}", draft=draft, done=partial(_answered, room, row["envelope"]))


async def find_publication(room: Room, version: int) -> Outgoing:
    """Return the draft that publishes *version*, which is there; it replaces the version before."""
    row = await room.spool.one("find_issued", version=version)
    before = await room.spool.one("find_issued", version=version - 1)
    if row is None or row["content"] is None:
        raise GatewayError("list-version", "that version is not here any more", "publish the list again")
    issued = room.unlock(bytes(row["content"]), f"issued {version}", Issued)
    draft = Draft(
        type=PUBLISH, from_=room.mailbox, to=room.config.clinics, purpose="exploitation", author=issued.author,
        thread=before["thread"] if before else None, supersedes=before["envelope"] if before else None,
        basis=room.config.basis, basis_class="law_enforcement", message=dict(issued.message),
    )  # fmt: skip
    # A version that was refused is made anew under the same number: the digest tells them apart.
    return Outgoing(key=f"publish {version} {row['digest']}", draft=draft, done=partial(_published, room, version))


async def _published(room: Room, version: int, result: DraftResult) -> None:
    async def work(tx: Transaction) -> None:
        if isinstance(result, DraftRefused):
            await tx.run("drop_issued", version=version)
            topic = f"atrisk-refused:{version}:{result.code}"
            await room.tell(tx, "atrisk-refused", topic, code=result.code)
        elif isinstance(result, Spooled) and await tx.run(
            "set_issued", version=version, envelope=result.envelope, thread=result.thread
        ):
            # From here on the old key is gone, and older versions answer nothing any more.
            await tx.run("retire_issued", version=version)
            await tx.run("forget_answers", version=version)

    await room.spool.write(work)


async def _answered(room: Room, envelope: str, result: DraftResult) -> None:
    async def work(tx: Transaction) -> None:
        if isinstance(result, DraftRefused):
            await room.tell(tx, "atrisk-refused", f"atrisk-refused:answer:{result.code}", code=result.code)
        await tx.run("set_answer_sent", envelope=envelope)

    await room.spool.write(work)


async def file(room: Room, message: Incoming) -> Outcome:
    """Evaluate the points of a query, or say why not; its answer goes out with the next drafts."""
    asked = message.message
    row = await room.spool.one("find_issued", version=asked["version"])
    if message.sender not in room.config.clinics or row is None or row["list"] != asked["list_id"]:
        return NeedsPerson(code="list-unknown")
    points: list[str] = asked["points"]
    now = room.clock()

    async def work(tx: Transaction) -> None:
        if await tx.one("find_answer", envelope=message.envelope) is not None:
            return
        current = await tx.one("find_issued", version=asked["version"])
        used = await tx.one("evaluated_points", version=asked["version"], clinic=message.sender)
        outcome = _judge(room, current or row, (used or {"points": 0})["points"] + len(points), now)
        answer: dict[str, Any] = {
            "list_id": asked["list_id"], "version": asked["version"], "evaluated_at": spell_moment(now), "outcome": outcome,
        }  # fmt: skip
        if outcome == "evaluated" and current is not None:
            key = room.unlock(bytes(current["content"]), f"issued {asked['version']}", Issued).key
            answer["points"] = matching.evaluate(key, points)
        if outcome == "quota_reached":
            topic = f"atrisk-quota:{asked['version']}:{message.sender}"
            await room.tell(tx, "atrisk-quota", topic, clinic=message.sender, version=asked["version"])
        await tx.run(
            "add_answer", envelope=message.envelope, clinic=message.sender, thread=message.thread,
            version=asked["version"], points=len(answer.get("points", ())), at=now,
            content=room.lock(answer, f"answer {message.envelope}"),
        )  # fmt: skip

    try:
        await room.spool.write(work)
    except KeysError as error:
        return NeedsPerson(code=error.code)
    return Filed(record=message.envelope)


def _judge(room: Room, row: Row, used: int, now: Moment) -> str:
    if row["state"] == "withdrawn":
        return "list_withdrawn"
    if row["state"] == "replaced":
        return "list_replaced"
    if now >= row["expires_at"]:
        return "list_expired"
    return "quota_reached" if used > room.config.quota else "evaluated"


async def withdraw(room: Room, reason: Code, author: DraftAuthor) -> Draft:
    """Destroy the current version's key, and return the draft that tells the clinics; nothing is evaluated any more.

    Raises:
        GatewayError: ``list-missing``.
    """
    row = await room.spool.one("last_issued")
    if row is None or row["state"] == "replaced":
        raise GatewayError("list-missing", "no at-risk list is published", "there is nothing to withdraw")
    now = room.clock()
    message = {
        "list_id": row["list"], "version": row["version"], "withdrawn_at": spell_moment(now), "reason": reason,
        "urgent": True,
    }  # fmt: skip
    await room.spool.run("withdraw_issued", version=row["version"])
    return Draft(
        type=WITHDRAW, from_=room.mailbox, to=room.config.clinics, thread=row["thread"], re=row["envelope"],
        purpose="exploitation", basis=room.config.basis, basis_class="law_enforcement", author=author, message=message,
    )  # fmt: skip
