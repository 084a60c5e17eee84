"""From what happened to who is told: seen once, kept, told once by each channel, tried until it is taken.

Three steps, each a transaction or a try: what is new becomes an item for each person whom it concerns; the items that wait
become one message a channel when it is time; messages are sent.  Killed between any two, the next round goes on.

A mail whose acceptance was not heard is sent again under the same Message-ID; a webhook under the same id; a push replaces
the one before it.  What is declined or rejected is told by the hub's `returned`, which comes with every such receipt.

Source: issue of the inbox (receipt notifications); taste 2 (6: outbox).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from adapters.errors import place_of
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.notify.audience import Audience
from adapters.gateway.inbox.notify.channels import Channels, Outcome
from adapters.gateway.inbox.notify.config import NotifyConfig
from adapters.gateway.inbox.notify.timing import is_quiet, next_hour, retry_after, told_at
from adapters.gateway.inbox.notify.words import Told
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import header_of
from keys.digests import b64u, derived_key, new_id, random_bytes
from keys.token_key import TokenKey
from schemas.identifiers import Moment

_log = logging.getLogger("gateway.inbox.notify")
BATCH: Final = 200
DAY: Final = 86_400_000
Severity = Literal["urgent", "at_once", "digest"]
SOURCES: Final = ("arrived", "noticed")


class Severities(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``severity.json`` holds; of a notice that it doesn't name people are told with the next digest."""

    owner: str
    arrived: Severity
    arrived_urgent: Severity
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
        audience, seen = Audience(self._inbox, tx), 0
        for source in SOURCES:
            place, last = await tx.one("tell_place_of", source=source), await tx.one(f"last_of_{source}")
            end = int(last["at"]) if last else 0
            if place is None:
                # What was there before the first look is on the page; nobody is told of years of it.
                await tx.run("set_tell_place", source=source, at=end)
                continue
            rows = await tx.all(f"{source}_after", after=place["at"], limit=BATCH) if place["at"] < end else []
            for row in rows:
                await self._take(tx, audience, source, row)
            # Past what nobody is told of as well: it would be read again at every look.
            reached = int(rows[-1]["at"]) if len(rows) == BATCH else end
            if reached > place["at"]:
                await tx.run("set_tell_place", source=source, at=reached)
            seen += len(rows)
        return seen

    async def _take(self, tx: Transaction, audience: Audience, source: str, row: Row) -> None:
        table, mailbox, severity = load_severities(), row["mailbox"], "digest"
        if source == "arrived":
            is_urgent = row["header"] is not None and header_of(row).urgent
            severity = table.arrived_urgent if is_urgent else table.arrived
            topic, thread = f"arrived {row['envelope']} {mailbox}", str(row["thread"])
        elif row["code"] in table.silent:
            return
        else:
            details = msgspec.json.decode(bytes(row["details"]))
            severity = table.notices.get(row["code"], "digest")
            topic, thread = f"noticed {row['topic']}", str(details.get("thread", ""))
        await tx.run("add_tell_about", topic=topic, mailbox=mailbox, thread=thread)
        for person in await audience.choose(mailbox, thread):
            await tx.run("add_tell_item", person=person, topic=topic, at=self._inbox.now(), severity=severity)

    # ---- when it is time

    async def _plan(self, tx: Transaction) -> None:
        """Make one message a channel of what waits for each person for whom it is time."""
        audience, now = Audience(self._inbox, tx), self._inbox.now()
        for row, _ in await self._list_due(tx, now):
            await self._hand_on(tx, audience, row["person"])
        for row, choice in await self._list_due(tx, now):
            person = row["person"]
            await tx.run("bind_tell_items", person=person, message=new_id(now))
            for channel, target in await self._targets(tx, person, choice):
                await tx.run(
                    "add_tell_message", id=b64u(random_bytes(18)), person=person, channel=channel, target=target,
                    items=row["items"], urgent=row["urgent"], at=now,
                )  # fmt: skip

    async def _list_due(self, tx: Transaction, now: Moment) -> list[tuple[Row, Row | None]]:
        """Return what waits for each person for whom it is time, with what they chose."""
        chosen = [(row, await tx.one("tell_choice_of", person=row["person"])) for row in await tx.all("tell_waiting")]
        return [(row, choice) for row, choice in chosen if self._due(row, choice, now) <= now]

    def _due(self, waiting: Row, choice: Row | None, now: Moment) -> Moment:
        config, together = self._config, bool(choice and choice["digest_only"])
        return told_at(
            waiting["oldest"], now, urgent=bool(waiting["urgent"]), soon=bool(waiting["soon"]) and not together,
            quiet=(config.quiet_from, config.quiet_until), digest=config.digest_hours, zone=self._zone,
        )  # fmt: skip

    async def _hand_on(self, tx: Transaction, audience: Audience, person: str) -> None:
        """Hand what waits for *person* and is others' by now to them: *person* is away, has left, or is excluded since.

        Who was told of it already isn't told again.
        """
        for item in await tx.all("tell_items_of", person=person):
            chosen = await audience.choose(item["mailbox"], item["thread"])
            if person in chosen:
                continue
            for other in chosen:
                await tx.run(
                    "add_tell_item", person=other, topic=item["topic"], at=item["at"], severity=item["severity"]
                )
            await tx.run("move_tell_item", number=item["number"])

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
        self._channels.open_all()
        while True:
            rows = await self._inbox.gateway.spool.all("due_tell_messages", now=self._inbox.now(), limit=BATCH)
            for row in rows:
                sent += await self._send_one(row)
            if len(rows) < BATCH:
                return sent

    async def _send_one(self, row: Row) -> bool:
        spool, now = self._inbox.gateway.spool, self._inbox.now()
        quiet_until = self._quiet_until(now)
        if not row["urgent"] and quiet_until > now:
            await spool.run("postpone_tell_message", id=row["id"], next_at=quiet_until)
            return False
        try:
            outcome = await self._try(row)
        except Exception as error:  # noqa: BLE001
            # Whatever is wrong with one must not keep the others back; the text may hold an address.
            _log.error("a notification failed: %s", place_of(error))
            outcome = "later"
        # Killed before this line, it is sent again under the same reference.
        await spool.write(lambda tx: self._note(tx, row, outcome))
        return outcome == "sent"

    def _quiet_until(self, now: Moment) -> Moment:
        start, end = self._config.quiet_from, self._config.quiet_until
        return next_hour(now, (end,), self._zone) if is_quiet(now, start, end, self._zone) else now

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
            return await self._channels.push(
                str(subscription["endpoint"]), urgent=bool(row["urgent"]), now=self._inbox.now()
            )
        person = await self._inbox.gateway.spool.write(lambda tx: self._inbox.people.find(tx, row["person"]))
        if person is None or person.state != "active" or not person.email:
            return "never"
        return await self._channels.mail(told, person.email)

    async def _note(self, tx: Transaction, row: Row, outcome: Outcome) -> None:
        now, tries = self._inbox.now(), int(row["tries"]) + 1
        state: str = {"sent": "sent", "never": "gone"}.get(outcome, "waiting")
        next_at = now
        if outcome == "later":
            over = now - row["at"] >= self._config.give_up_days * DAY
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
