"""From what happened to who is told: seen once, kept, told once by each channel, tried until it is taken.

Three steps, each a transaction or a try: what is new becomes an item for each person whom it concerns; the items that wait
become one message a channel when it is time; messages are sent.  Killed between any two, the next round goes on.

A mail whose acceptance was not heard is sent again under the same Message-ID; a webhook under the same id; a push replaces
the one before it.

Source: issue of the inbox (receipt notifications); taste 2 (6: outbox).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from adapters.gateway import exclusions
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.notify.channels import Channels, Outcome
from adapters.gateway.inbox.notify.config import NotifyConfig
from adapters.gateway.inbox.notify.timing import retry_after, told_at
from adapters.gateway.inbox.notify.words import Told
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import header_of
from keys.digests import b64u, derived_key, new_id, random_bytes
from keys.token_key import TokenKey
from schemas.identifiers import MailboxId, ThreadId

_log = logging.getLogger("gateway.inbox.notify")
BATCH: Final = 200
DAY: Final = 86_400_000
Severity = Literal["urgent", "at_once", "digest"]
Source = Literal["arrived", "noticed", "heard"]


class Severities(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``severity.json`` holds; of a notice that it doesn't name people are told with the next digest."""

    owner: str
    arrived: Severity
    arrived_urgent: Severity
    declined: Severity
    rejected: Severity
    notices: Mapping[str, Severity]
    silent: frozenset[str]


@cache
def load_severities() -> Severities:
    """Return the packaged table."""
    raw = files("adapters.gateway.inbox.notify").joinpath("severity.json").read_bytes()
    return msgspec.json.decode(raw, type=Severities)


class Notifier:
    """The notifications of one inbox."""

    def __init__(self, inbox: Inbox, config: NotifyConfig) -> None:
        """Take the *inbox* and its channels' *config*.

        Raises:
            GatewayError: ``notify-secret``.
        """
        self._inbox, self._config = inbox, config
        self._zone = ZoneInfo(inbox.config.time_zone)
        self.push_key = push_key(inbox)
        self._channels = Channels(config, inbox.gateway.home, self.push_key)

    async def round(self) -> int:
        """Look for what is new, make messages of what it is time for, send them; return how many were sent."""
        while await self._inbox.gateway.spool.write(self._look):
            pass
        await self._inbox.gateway.spool.write(self._plan)
        return await self._send()

    # ---- what is new

    async def _look(self, tx: Transaction) -> int:
        """Turn a batch of each source into items; the place in the source moves in the same transaction."""
        seen = 0
        for source in ("arrived", "noticed", "heard"):
            place = await tx.one("tell_place_of", source=source)
            if place is None:
                # What was there before the first look is on the page; nobody is told of years of it.
                last = await tx.one(f"last_of_{source}")
                await tx.run("set_tell_place", source=source, at=last["at"] if last else 0)
                continue
            rows = await tx.all(f"{source}_after", after=place["at"], limit=BATCH)
            for row in rows:
                await self._take(tx, source, row)
            if rows:
                await tx.run("set_tell_place", source=source, at=rows[-1]["at"])
            seen += len(rows)
        return seen

    async def _take(self, tx: Transaction, source: str, row: Row) -> None:
        table = load_severities()
        if source == "arrived":
            urgent = row["header"] is not None and header_of(row).urgent
            severity = table.arrived_urgent if urgent else table.arrived
            await self._add(tx, row["mailbox"], row["thread"], f"arrived {row['envelope']} {row['mailbox']}", severity)
        elif source == "heard":
            await self._add(tx, row["mailbox"], row["thread"], f"heard {row['id']}", getattr(table, row["level"]))
        elif row["code"] not in table.silent:
            details = msgspec.json.decode(bytes(row["details"]))
            severity = table.notices.get(row["code"], "digest")
            topic = f"noticed {row['topic']}"
            if row["mailbox"] is None:
                people = [one["id"] for one in await tx.all("reviewers_to_tell")]
                await self._add_for(tx, people, topic, severity)
            else:
                await self._add(tx, row["mailbox"], str(details.get("thread", "")), topic, severity)

    async def _add(self, tx: Transaction, mailbox: MailboxId, thread: ThreadId, topic: str, severity: Severity) -> None:
        now = self._inbox.now()
        members = await tx.all("members_to_tell", mailbox=mailbox, thread=thread, now=now)
        here = [one for one in members if not one["is_away"]]
        holding = [one["id"] for one in here if one["holds"]]
        # Who covers for a holder who is away is told in their place; else everybody of the team who is here.
        covers = [one["cover"] for one in members if one["is_away"] and one["holds"] and one["cover"]]
        chosen = holding or covers or [one["id"] for one in here] or [one["id"] for one in members]
        people = [one for one in dict.fromkeys(chosen) if not await self._is_excluded(tx, one, thread)]
        await self._add_for(tx, people, topic, severity)

    async def _is_excluded(self, tx: Transaction, person: str, thread: ThreadId) -> bool:
        found = await self._inbox.people.find(tx, person)
        return found is None or await exclusions.is_excluded(self._inbox.gateway, tx, thread, found.name)

    async def _add_for(self, tx: Transaction, people: Iterable[str], topic: str, severity: Severity) -> None:
        for person in people:
            await tx.run("add_tell_item", person=person, topic=topic, at=self._inbox.now(), severity=severity)

    # ---- when it is time

    async def _plan(self, tx: Transaction) -> None:
        """Make one message a channel of what waits for each person for whom it is time."""
        now, config = self._inbox.now(), self._config
        for row in await tx.all("tell_waiting"):
            choice = await tx.one("tell_choice_of", person=row["person"])
            due = told_at(
                row["oldest"], now, urgent=bool(row["urgent"]),
                soon=bool(row["soon"]) and not (choice and choice["digest_only"]),
                quiet=(config.quiet_from, config.quiet_until), digest=config.digest_hours, zone=self._zone,
            )  # fmt: skip
            if due > now:
                continue
            bound = new_id(now)
            await tx.run("bind_tell_items", person=row["person"], message=bound)
            for channel, target in await self._targets(tx, row["person"], choice):
                await tx.run(
                    "add_tell_message", id=b64u(random_bytes(18)), person=row["person"], channel=channel, target=target,
                    items=row["items"], urgent=row["urgent"], at=now,
                )  # fmt: skip

    async def _targets(self, tx: Transaction, person: str, choice: Row | None) -> list[tuple[str, str]]:
        found = await self._inbox.people.find(tx, person)
        if found is None or found.state != "active":
            return []
        targets = [("push", row["id"]) for row in await tx.all("list_tell_push", person=person)]
        if self._config.mail is not None and found.email and (choice is None or choice["email"]):
            targets.append(("mail", ""))
        if self._config.webhook is not None:
            targets.append(("webhook", ""))
        return targets

    # ---- out

    async def _send(self) -> int:
        sent = 0
        while True:
            rows = await self._inbox.gateway.spool.all("due_tell_messages", now=self._inbox.now(), limit=BATCH)
            for row in rows:
                outcome = await self._try(row)
                # Killed before this line, it is sent again under the same reference.
                await self._inbox.gateway.spool.write(lambda tx, row=row, outcome=outcome: self._note(tx, row, outcome))  # type: ignore[misc]
                sent += outcome == "sent"
            if len(rows) < BATCH:
                return sent

    async def _try(self, row: Row) -> Outcome:
        told = Told(items=row["items"], reference=row["id"], address=self._inbox.config.origin, at=row["at"])
        if row["channel"] == "webhook":
            return await self._channels.hook(told, row["person"])
        if row["channel"] == "push":
            held = await self._inbox.gateway.spool.one("find_tell_push", id=row["target"])
            if held is None:
                return "never"
            subscription = msgspec.json.decode(
                self._inbox.gateway.spool.unlock(bytes(held["content"]), f"push {held['id']}")
            )
            return await self._channels.push(told, subscription, urgent=bool(row["urgent"]))
        person = await self._inbox.gateway.spool.write(lambda tx: self._inbox.people.find(tx, row["person"]))
        if person is None or person.state != "active" or not person.email:
            return "never"
        return await self._channels.mail(told, person.email)

    async def _note(self, tx: Transaction, row: Row, outcome: Outcome) -> None:
        now, tries = self._inbox.now(), int(row["tries"]) + 1
        state: str = {"sent": "sent", "never": "gone"}.get(outcome, "waiting")
        next_at = now
        if outcome == "later":
            over = now - row["at"] > self._config.give_up_days * DAY
            state, next_at = ("given-up", now) if over else (state, now + retry_after(tries))
        if row["channel"] == "push" and outcome == "never":
            await tx.run("drop_tell_push", id=row["target"])
        if state == "given-up":
            _log.error("a notification was given up after %d tries", tries)
            await self._inbox.gateway.tell(
                tx, "notification-failed", f"told:{row['id']}", details={"channel": row["channel"], "tries": tries}
            )
        await tx.run("set_tell_message", id=row["id"], state=state, tries=tries, next_at=next_at)

    async def sweep(self) -> None:
        """Forget what was told long ago."""
        await self._inbox.gateway.spool.run("forget_told", before=self._inbox.now() - 30 * DAY)


def push_key(inbox: Inbox) -> TokenKey:
    """Return the key by which push services know this gateway: derived, so that a restored gateway has it again."""
    return TokenKey.from_scalar(derived_key(inbox.gateway.keyring.record_key, "gateway web push"))
