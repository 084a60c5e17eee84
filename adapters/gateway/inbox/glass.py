"""Breaking the glass: opening, for a day and with a reason, what a colleague holds; and the second person's review of it.

It is written down and told before anything is shown: to who holds the thread, and to the reviewers.  Who reviews sees who did
it, when and why, and which thread, never what is in it; nobody reviews their own.

Source: domain 10, 11 (risk 5); decision inbox-access.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from aiohttp import web

from adapters.errors import GatewayError
from adapters.gateway import exclusions
from adapters.gateway.inbox.access import load_policy
from adapters.gateway.inbox.context import Inbox, NotHereError, visit_of
from adapters.gateway.inbox.holding import find_held
from adapters.gateway.inbox.people import Person
from adapters.gateway.inbox.relations import find_teams
from adapters.gateway.spool import Row, Transaction
from hub.kit.forms import Posted
from hub.kit.pages import see
from keys.digests import new_id
from schemas.identifiers import MailboxId, Moment, ThreadId

HOUR: Final = 3_600_000
LIMIT: Final = 50
Verdict = Literal["justified", "not_justified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One time that somebody broke the glass; ``verdict`` and ``reviewer`` are empty until it is reviewed."""

    id: str
    name: str
    mailbox: MailboxId
    thread: ThreadId
    at: Moment
    until: Moment
    reason: str
    is_own: bool
    verdict: str
    reviewer: str


async def show_glass(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer the page that says what breaking the glass means, and asks why."""
    return await _show(inbox, request, "")


async def break_glass(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Let the person open the thread for a day, and say so to those who must know."""
    person, thread, reason = visit_of(request, "today").person, request.match_info["thread"], posted.get("reason")
    if reason not in load_policy().glass_reasons:
        return await _show(inbox, request, "Choose why you need to open it")

    async def work(tx: Transaction) -> None:
        teams = await find_teams(inbox, tx, person, thread, "list")
        if "glass" in teams.values() and "colleague" not in teams.values():
            return  # pressed twice
        mailbox = await _find_mailbox(inbox, tx, person, thread)
        await _break(inbox, tx, person, thread, mailbox, reason)

    await inbox.gateway.spool.write(work)
    return see(f"/threads/{thread}")


async def _show(inbox: Inbox, request: web.Request, wrong: str) -> web.Response:
    person, thread = visit_of(request, "today").person, request.match_info["thread"]

    async def work(tx: Transaction) -> dict[str, object]:
        mailbox = await _find_mailbox(inbox, tx, person, thread)
        return {"thread": thread, "mailbox": mailbox, "held": await find_held(inbox, tx, thread, mailbox)}

    context = await inbox.gateway.spool.write(work) | {"wrong": wrong, "policy": load_policy()}
    return inbox.show(request, "glass.html", context, status=422 if wrong else 200)


async def _find_mailbox(inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId) -> MailboxId:
    return next(iter(await find_teams(inbox, tx, person, thread, "break-glass")))


async def _break(
    inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId, mailbox: MailboxId, reason: str
) -> None:
    now = inbox.now()
    name, until = new_id(now), now + load_policy().glass_hours * HOUR
    await tx.run(
        "add_glass", id=name, person=person.id, thread=thread, mailbox=mailbox, at=now, until=until, reason=reason
    )
    await inbox.people.note(tx, person.id, "break-glass", now, thread=thread, mailbox=mailbox, code=reason)
    held = await find_held(inbox, tx, thread, mailbox)
    told = {
        "glass": name, "thread": thread, "reason": reason, "person": person.id, "until": until,
        "holders": [one.person for one in held.holders],
        "reviewers": [row["id"] for row in await tx.all("reviewers") if row["id"] != person.id],
    }  # fmt: skip
    await inbox.gateway.tell(tx, "glass-broken", f"glass:{name}", mailbox=mailbox, details=told)


async def show_review(inbox: Inbox, request: web.Request) -> web.Response:
    """Answer what waits for a second person's review, and what was reviewed last."""
    person = visit_of(request, "review").person

    async def work(tx: Transaction) -> dict[str, list[Broken]]:
        # A reviewer who may know nothing of a thread isn't told of it here either.
        waiting = await tx.all("unreviewed_glass", limit=LIMIT + 1)
        reviewed = await tx.all("reviewed_glass", limit=LIMIT)
        return {
            "waiting": await _describe(inbox, tx, person, waiting),
            "reviewed": await _describe(inbox, tx, person, reviewed),
        }

    return inbox.show(request, "review.html", await inbox.gateway.spool.write(work) | {"policy": load_policy()})


async def review(inbox: Inbox, request: web.Request, posted: Posted) -> web.StreamResponse:
    """Write down a second person's verdict, once."""
    person, name, verdict = visit_of(request, "review").person, request.match_info["glass"], posted.get("verdict")

    async def work(tx: Transaction) -> None:
        row = await tx.one("find_glass", id=name)
        if row is None or await _is_kept_from(inbox, tx, person, row["thread"]):
            raise NotHereError
        if row["person"] == person.id:
            raise GatewayError("review-own", "Nobody reviews what they did themselves", "Another reviewer has to")
        if verdict not in get_args(Verdict):
            raise GatewayError("review-verdict", "Say whether it was justified", "Go back and choose one")
        if (row["reviewer"], row["verdict"]) == (person.id, verdict):
            return  # pressed twice
        now = inbox.now()
        if not await tx.run("review_glass", id=name, reviewer=person.id, at=now, verdict=verdict):
            raise GatewayError("review-done", "Somebody else reviewed it already", "Look again at what was said")
        await inbox.people.note(
            tx, person.id, "glass-reviewed", now, thread=row["thread"], mailbox=row["mailbox"], code=verdict
        )
        if verdict == "not_justified":
            told = {"glass": name, "thread": row["thread"], "person": row["person"], "reviewer": person.id}
            await inbox.gateway.tell(
                tx, "glass-not-justified", f"glass-reviewed:{name}", mailbox=row["mailbox"], details=told
            )

    await inbox.gateway.spool.write(work)
    return see("/review")


async def _is_kept_from(inbox: Inbox, tx: Transaction, person: Person, thread: ThreadId) -> bool:
    return await exclusions.is_excluded(inbox.gateway, tx, thread, person.name)


async def _describe(inbox: Inbox, tx: Transaction, person: Person, rows: list[Row]) -> list[Broken]:
    found = []
    for row in rows:
        if await _is_kept_from(inbox, tx, person, row["thread"]):
            continue
        found.append(
            Broken(
                id=row["id"], name=await inbox.people.name_of(tx, row["person"]), mailbox=row["mailbox"],
                thread=row["thread"], at=row["at"], until=row["until"], reason=row["reason"],
                is_own=row["person"] == person.id, verdict=row["verdict"] or "",
                reviewer=await inbox.people.name_of(tx, row["reviewer"]) if row["reviewer"] else "",
            )
        )  # fmt: skip
    return found
