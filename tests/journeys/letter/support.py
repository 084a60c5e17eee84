"""Exampleshire as the letter tells of it: a real hub, a gateway for each agency, and what people there do.

A scenario says who sends what to whom and which day it is; everything goes over HTTP, sealed, signed and receipted.
``Letter`` opens an agency's gateway when it is first needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from adapters.gateway.agent import Agent
from adapters.gateway.errands import Confirmed, ask_waiver
from adapters.gateway.filing import read_content
from adapters.gateway.receipting import receipt_by_person
from hub.store.rows import ObligationRow
from keys.digests import new_id
from schemas.receipt import Level
from tests.county import (
    AGENCIES,
    CAIT,
    COUNCIL,
    DAY,
    EXPLOITATION,
    HEALTH,
    HOUR,
    MANAGERS,
    MASH,
    MINUTE,
    NURSES,
    OFFICERS,
    PAEDIATRICS,
    PARTNERSHIP,
    POLICE,
    PROBATION,
    SOURCES,
    UNIT,
    Agencies,
)
from tests.gateway.support import Town, drop, read_notices
from tests.schemas import samples

__all__ = [
    "CAIT",
    "COUNCIL",
    "DAY",
    "EXPLOITATION",
    "HEALTH",
    "HOUR",
    "MANAGERS",
    "MASH",
    "MINUTE",
    "NURSES",
    "OFFICERS",
    "PAEDIATRICS",
    "PARTNERSHIP",
    "POLICE",
    "PROBATION",
    "SOURCES",
    "UNIT",
]

LONDON = ZoneInfo("Europe/London")
AREA, EARLY_HELP = f"{COUNCIL}/area-team", f"{COUNCIL}/early-help"
PUBLIC_PROTECTION = f"{POLICE}/public-protection"
CUSTODY = f"{POLICE}/custody"
SEXUAL_HEALTH, CLINIC = "harbour-sexual-health", "harbour-sexual-health/clinic-safeguarding"
LOOKED_AFTER, EMERGENCY = f"{HEALTH}/looked-after-children", f"{HEALTH}/emergency-department"
SCHOOL_NURSING, SCHOOL_NURSES = "exampleshire-school-nursing", "exampleshire-school-nursing/duty-desk"
PRACTICE, GP = "millfield-surgery", "millfield-surgery/safeguarding-lead"
YOUTH, YOUTH_DESK = "exampleshire-youth-offending", "exampleshire-youth-offending/duty-officer"
RECOVERY, RECOVERY_DESK = "exampleshire-recovery", "exampleshire-recovery/safeguarding-lead"
SCHOOL, SCHOOL_LEAD = "millbrook-academy", "millbrook-academy/designated-lead"
MINDS, MINDS_TEAM = "exampleshire-young-minds", "exampleshire-young-minds/safeguarding-lead"
OTHERTON, OTHERTON_MASH = "otherton-childrens-services", "otherton-childrens-services/mash"

COUNTY: Agencies = {
    **AGENCIES,
    COUNCIL: (
        ("social_care",),
        (
            (MASH, ("mash",), MANAGERS),
            (AREA, ("area_team",), MANAGERS),
            (EARLY_HELP, ("early_help",), MANAGERS),
            (MANAGERS, ("manager", "social_care_managers"), None),
        ),
    ),
    POLICE: (
        ("police",),
        (
            (CAIT, ("police_single_point",), PUBLIC_PROTECTION),
            (EXPLOITATION, ("exploitation_team",), PUBLIC_PROTECTION),
            (SOURCES, ("source_protection",), PUBLIC_PROTECTION),
            (CUSTODY, (), PUBLIC_PROTECTION),
            (PUBLIC_PROTECTION, ("manager",), None),
        ),
    ),
    HEALTH: (
        ("health",),
        (
            (NURSES, ("health_single_point",), None),
            (PAEDIATRICS, (), None),
            (LOOKED_AFTER, (), None),
            (EMERGENCY, (), None),
        ),
    ),
    SEXUAL_HEALTH: (("health", "sexual_health"), ((CLINIC, ("sexual_health_desk",), None),)),
    SCHOOL_NURSING: (("health", "school_nursing"), ((SCHOOL_NURSES, ("school_nursing_desk",), None),)),
    PRACTICE: (("health", "gp"), ((GP, (), None),)),
    YOUTH: (("youth_offending",), ((YOUTH_DESK, (), None),)),
    RECOVERY: (("health", "substance_misuse"), ((RECOVERY_DESK, (), None),)),
    SCHOOL: (("education",), ((SCHOOL_LEAD, (), None),)),
    MINDS: (("health", "mental_health"), ((MINDS_TEAM, ("mental_health_desk",), None),)),
    OTHERTON: (("social_care",), ((OTHERTON_MASH, (), None),)),
}
# Where the samples' mailboxes are here.
HERE: Mapping[str, str] = {
    samples.SOCIAL_CARE: MASH,
    samples.POLICE: EXPLOITATION,
    samples.HEALTH: NURSES,
    samples.PROBATION: OFFICERS,
    samples.GP: GP,
    "exampleshire-early-help/north": EARLY_HELP,
    "exampleshire-health/emergency": PAEDIATRICS,
    "exampleshire-health/looked-after-children": PAEDIATRICS,
    "exampleshire-partnership/business-office": UNIT,
    "exampleshire-social-care/managers": MANAGERS,
    "sampleton-social-care/area-team": AREA,
}


class Sent(NamedTuple):
    """What was sent: the envelope's id and its thread."""

    id: str
    thread: str


def iso(at: int) -> str:
    """Return UTC milliseconds as a message has them: ``2026-07-06T08:00:00Z``."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at):%Y-%m-%dT%H:%M:%SZ}"


def ms(text: str) -> int:
    """Return the UTC milliseconds of local ``2026-07-06 10:00``."""
    return int(datetime.fromisoformat(text).replace(tzinfo=LONDON).timestamp() * 1000)


def local(at: int) -> str:
    """Return local ``2026-07-06 10:00`` of UTC milliseconds."""
    return f"{datetime.fromtimestamp(at / 1000, LONDON):%Y-%m-%d %H:%M}"


def sample(kind: str, /, **changes: Any) -> dict[str, Any]:
    """Return the sample message of *kind* with its mailboxes moved here and *changes* made; ``None`` leaves one out."""
    return samples.with_changes(_moved(samples.message(kind)), changes)


def _moved(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _moved(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_moved(member) for member in value]
    return HERE.get(value, value) if isinstance(value, str) else value


@dataclass
class Letter:
    """The county at work; each method is what somebody does, or what a test may ask."""

    town: Town
    stack: AsyncExitStack
    agents: dict[str, Agent] = field(default_factory=dict)
    drops: int = 0

    @property
    def now(self) -> int:
        """Return the moment that everybody has."""
        return self.town.county.now

    async def gateway(self, agency: str, **changes: Any) -> Agent:
        """Return *agency*'s gateway, opened when it is first asked for; *changes* go into its configuration."""
        if agency not in self.agents:
            self.agents[agency] = await self.stack.enter_async_context(self.town.agent(agency, **changes))
            await self.agents[agency].run_once()
        return self.agents[agency]

    async def until(self, when: str | int) -> None:
        """Let time pass until *when* (local ``2026-07-06 10:00``, or that many milliseconds from now)."""
        target = self.now + when if isinstance(when, int) else ms(when)
        assert target >= self.now, "time does not run backwards"
        await self.town.tick(target - self.now)

    async def work(self, *agencies: str, rounds: int = 2) -> None:
        """Let the gateways of *agencies* (all that are open, without any) send, receive, file and receipt."""
        agents = [await self.gateway(agency) for agency in agencies] or list(self.agents.values())
        for _ in range(rounds):
            for agent in agents:
                assert await agent.run_once() == 0

    async def send(
        self,
        kind: str,
        sender: str,
        to: Iterable[str] = (),
        /,
        *,
        thread: str | None = None,
        re: str | None = None,
        supersedes: str | None = None,
        draft: Mapping[str, Any] | None = None,
        message: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Sent:
        """Have *sender* send *kind* (``meeting.held``) to *to*, the sample of it with *changes*; accepted by the hub.

        *message* is the whole message instead; *draft* other members of the draft (``marks``, ``consent``, …).
        """
        name = await self._drop(
            kind, sender, to, thread, re, supersedes, draft, message or sample(f"{kind}/1", **changes)
        )
        agency = sender.partition("/")[0]
        await self.work(agency, rounds=1)
        home = self.town.homes[agency]
        refused = home / "refused" / name / "reason.json"
        assert not refused.exists(), refused.read_text("utf-8")
        note = json.loads((home / "sent" / name / "envelope.json").read_bytes())
        return Sent(note["id"], note["thread"])

    async def refused(self, kind: str, sender: str, to: Iterable[str] = (), /, **more: Any) -> dict[str, str]:
        """Have *sender* try to send *kind*, which its own gateway must refuse; return why (code, message, hint)."""
        changes = {name: more.pop(name) for name in list(more) if name not in {"thread", "re", "supersedes", "draft"}}
        message = changes.pop("message", None) or sample(f"{kind}/1", **changes)
        given = {name: more.get(name) for name in ("thread", "re", "supersedes", "draft")}
        name = await self._drop(kind, sender, to, message=message, **given)
        agency = sender.partition("/")[0]
        await self.work(agency, rounds=1)
        reason: dict[str, str] = json.loads((self.town.homes[agency] / "refused" / name / "reason.json").read_bytes())
        return reason

    async def _drop(
        self,
        kind: str,
        sender: str,
        to: Iterable[str],
        thread: str | None,
        re: str | None,
        supersedes: str | None,
        draft: Mapping[str, Any] | None,
        message: Mapping[str, Any],
    ) -> str:
        agency = sender.partition("/")[0]
        await self.gateway(agency)
        self.drops += 1
        value: dict[str, Any] = {
            "type": f"{kind}/1",
            "from": sender,
            "to": sorted(to) or None,
            "basis": ["CA1989_S47"],
            "author": {"name": "Morgan Sample", "role": "team_manager"},
            "thread": thread,
            "re": re,
            "supersedes": supersedes,
            "message": message,
        }
        value |= draft or {}
        drop(self.town.homes[agency], f"{self.drops}", {key: one for key, one in value.items() if one is not None})
        return f"{self.drops}"

    async def receive(self, mailbox: str, sent: Sent) -> dict[str, Any]:
        """Let *mailbox*'s gateway take what waits; return the message of *sent* as it was opened there."""
        agent = await self.gateway(mailbox.partition("/")[0])
        await self.work(mailbox.partition("/")[0])
        row = await agent.gateway.spool.one("find_incoming", envelope=sent.id, mailbox=mailbox)
        assert row is not None, f"{mailbox} has not received it"
        assert row["content"] is not None, f"{mailbox} holds it no more"
        return dict(read_content(agent.gateway, row).message)

    async def person(self, mailbox: str, sent: Sent, *levels: Level, actor: str = "Alex Sample", **more: Any) -> None:
        """Have a named person at *mailbox* take receipt of *sent* at each of *levels*, and the hub hear of it."""
        agency = mailbox.partition("/")[0]
        agent = await self.gateway(agency)
        await self.work(agency, rounds=1)
        gateway = agent.gateway
        row = await gateway.spool.one("find_incoming", envelope=sent.id, mailbox=mailbox)
        assert row is not None, f"{mailbox} has not received it"
        for level in levels:
            known = more if level in {"declined", "filed"} else {}
            await gateway.spool.write(
                lambda tx, level=level, known=known: receipt_by_person(  # type: ignore[misc]
                    tx,
                    gateway.keyring,
                    row,
                    level,
                    actor=actor,
                    role="practitioner",
                    now=self.now,
                    seen=gateway.witness.receipt_view(),
                    **known,
                )
            )
        await self.work(agency, rounds=1)

    async def waive(self, obligation: str, mailbox: str, reason: str) -> None:
        """Have two people at *mailbox* give *obligation* up because of *reason*."""
        agency = mailbox.partition("/")[0]
        agent = await self.gateway(agency)
        await ask_waiver(
            agent.gateway,
            obligation,
            "waived",
            mailbox=mailbox,
            reason=reason,
            by=Confirmed("Alex Sample", "team_manager"),
            second=Confirmed("Robin Sample", "service_manager"),
        )
        await self.work(agency, rounds=1)

    async def rows(self, thread: str, rule: str | None = None) -> list[ObligationRow]:
        """Return the obligations of *thread* at the hub, only those of *rule* if one is given, in a stable order."""
        rows = await self.town.site.hub.store.read(lambda tx: tx.thread_obligations(thread))
        found = [row for row in rows if rule in (None, row.duty.rule)]
        return sorted(found, key=lambda row: (row.duty.rule, row.duty.debtor, row.duty.creditor, row.duty.item))

    async def states(self, thread: str, rule: str) -> dict[tuple[str, str], str]:
        """Return the state of each duty of *rule* in *thread* by debtor and creditor; ``overdue`` where it is."""
        return {
            (row.duty.debtor, row.duty.creditor): "overdue"
            if row.state == "open" and row.duty.due < self.now
            else row.state
            for row in await self.rows(thread, rule)
        }

    async def duty(self, thread: str, rule: str) -> ObligationRow:
        """Return the one obligation of *rule* in *thread*."""
        (row,) = await self.rows(thread, rule)
        return row

    async def told(self, mailbox: str, code: str, rule: str = "", thread: str | None = None) -> list[dict[str, Any]]:
        """Return the notices *code* (``owed``, ``overdue``) in the folder of *mailbox*'s agency, its gateway's work done.

        *rule*: only those of duties of that rule; *thread*: only of that thread.
        """
        agency = mailbox.partition("/")[0]
        await self.work(agency)
        found = [one for one in read_notices(self.town.homes[agency]) if one["notice"] == code]
        found = [one for one in found if one.get("mailbox") == mailbox and thread in (None, one.get("thread"))]
        if not rule:
            return found
        store = self.town.site.hub.store
        rules = {}
        for name in {one["obligation"] for one in found}:
            row = await store.read(lambda tx, name=name: tx.find_obligation(name))  # type: ignore[misc]
            rules[name] = row.duty.rule if row else ""
        return [one for one in found if rules[one["obligation"]] == rule]

    async def report(self, name: str, since: str, until: str, agency: str = PARTNERSHIP, **asked: str) -> Any:
        """Return report *name* (``receipts``) of what was due from *since* to *until* (local), as *agency* sees it."""
        caller = await self.town.site.api.sign_in(agency)
        query = {"from": str(ms(since)), "to": str(ms(until)), **asked}
        answer = await caller.get(f"/v1/reports/{name}?{urlencode(query)}")
        assert answer.status == 200, answer.body
        return answer.json

    def new_id(self) -> str:
        """Return an id that nothing has yet."""
        return new_id(self.now)


def participant(mailbox: str, **changes: Any) -> dict[str, Any]:
    """Return somebody of *mailbox* who took part."""
    return samples.participant(mailbox, **changes)


def discussion(letter: Letter, parties: Iterable[str], **changes: Any) -> dict[str, Any]:
    """Return the changes to ``meeting.held`` for a strategy discussion held now with *parties*."""
    return {
        "meeting_kind": "strategy",
        "held_at": iso(letter.now),
        "starts_at": None,
        "participants": [participant(box) for box in parties],
        "distribution": [],
    } | changes


async def assign_action(letter: Letter, days: int) -> Sent:
    """Let social care assign an action to the nurses, in a new thread, due in *days*."""
    return await letter.send(
        "action.assign",
        MASH,
        [NURSES],
        action_id=letter.new_id(),
        assigned_at=iso(letter.now),
        owner_role=NURSES,
        due_at=iso(letter.now + days * DAY),
    )


async def answer_flag(letter: Letter, request: Sent, message: Mapping[str, Any], **changes: Any) -> Sent:
    """Let whoever owns the system say a minute later that the flag is set and was seen, or whatever *changes* say."""
    await letter.until(MINUTE)
    shared = {name: message[name] for name in ("flag_id", "child", "flag_kind", "system_owner", "source_risk")}
    now = iso(letter.now)
    given = {"answered_at": now, "set_at": now, "read_back_at": now, "review_by": "2026-10-01"}
    owner = message["system_owner"]
    return await letter.send(
        "flag.set", owner, [MASH], thread=request.thread, re=request.id, **(shared | given | changes)
    )
