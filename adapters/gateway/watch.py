"""What this agency owes and is owed, by its own reckoning: the alarm that rings while the hub is dark.

Every header that the gateway sent or received, every receipt and waiver, goes through the same rules as at the hub.
The obligation's id and the step's number are then the same too, so that one alarm is shown once, whoever rings first.

Source: design 2 (3); protocol 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from adapters.gateway.books import Books
from adapters.gateway.spool import Transaction
from keys import jws
from keys.digests import new_id, obligation_id
from schemas.directory import DirectoryIndex
from schemas.envelope import Header, parse_header
from schemas.identifiers import AgencyId, EnvelopeId, MailboxId, Moment, agency_of
from schemas.receipt import Receipt
from schemas.rules.duty import Duty, State
from schemas.rules.settling import next_step, settled_state, settles_by_envelope, settles_by_receipt, superseded_by
from schemas.statements import Notice, Waiver, parse_acceptance
from schemas.strict_json import dump

LIMIT: Final = 200


class Watch:
    """The obligations of one agency; each method is part of a spool transaction."""

    def __init__(self, agency: AgencyId) -> None:
        self._agency = agency

    async def see_envelope(self, tx: Transaction, header: Header, accepted_at: Moment, books: Books) -> None:
        """Open and settle what *header*, accepted by the hub at *accepted_at*, opens and settles for this agency."""
        same = _same_agency(books.index, accepted_at)
        for row in await tx.all("open_in_thread", thread=header.thread):
            duty = _duty(row)
            if settles_by_envelope(duty, header, same):
                await _settle(tx, row["id"], settled_state(duty, accepted_at), accepted_at, header.id)
            elif superseded_by(duty, header):
                await _settle(tx, row["id"], "superseded", accepted_at, header.id)
        earlier: list[tuple[Header, Moment]] | None = None
        for duty in books.rules_at(accepted_at).open_duties(header, books.index, accepted_at):
            if self._agency not in (agency_of(duty.debtor), agency_of(duty.creditor)):
                continue
            name = obligation_id(duty.parts)
            added = await tx.run(
                "add_obligation", id=name, thread=duty.thread, envelope=duty.envelope, duty=dump(duty),
                next_at=_next_at(duty, 0),
            )  # fmt: skip
            if added and duty.kind == "send":
                # Minutes may come before the meeting is registered: the duty is then met as it opens.
                earlier = earlier if earlier is not None else await _headers_of(tx, header)
                for before, at in earlier:
                    if settles_by_envelope(duty, before, same):
                        await _settle(tx, name, settled_state(duty, at), at, before.id)
                        break

    async def see_receipt(self, tx: Transaction, receipt: Receipt, at: Moment, thread: str) -> None:
        """Settle what *receipt*, taken by the hub at *at*, settles in *thread*."""
        for row in await tx.all("open_in_thread", thread=thread):
            duty = _duty(row)
            if settles_by_receipt(duty, receipt):
                await _settle(tx, row["id"], settled_state(duty, at), at, receipt.id)

    async def see_waiver(self, tx: Transaction, waiver: Waiver) -> None:
        """Settle the obligation that *waiver* ends."""
        await _settle(tx, waiver.obligation, waiver.state, waiver.at, waiver.id)

    async def see_withdrawal(self, tx: Transaction, envelope: EnvelopeId, thread: str, now: Moment) -> None:
        """End receipt duties for what was taken back, and open again what it had settled."""
        for row in await tx.all("open_in_thread", thread=thread):
            if _duty(row).kind == "receipt" and _duty(row).envelope == envelope:
                await _settle(tx, row["id"], "superseded", now, envelope)
        for row in await tx.all("settled_by", settled_by=envelope):
            duty = _duty(row)
            if duty.kind == "send":
                step = next_step(duty.steps, now)
                await tx.run("reopen_obligation", id=row["id"], step=step, next_at=_next_at(duty, step))

    async def ring(self, tx: Transaction, now: Moment, index: DirectoryIndex | None) -> int:
        """Take the steps that are due at *now*; return how many notices are new.

        A step that the hub told first is known by its topic and isn't told again.
        """
        rung = 0
        for row in await tx.all("due_obligations", now=now, limit=LIMIT):
            duty, number = _duty(row), int(row["step"])
            while number < len(duty.steps) and duty.steps[number].at <= now:
                for mailbox in self._targets(duty, duty.steps[number].to, index, now):
                    rung += await _add_alarm(tx, row["id"], duty, number, mailbox, now)
                number += 1
            if duty.lapses and duty.due <= now:
                await _settle(tx, row["id"], "lapsed", now, "")
            else:
                await tx.run("advance_obligation", id=row["id"], step=number, next_at=_next_at(duty, number))
        return rung

    def _targets(
        self, duty: Duty, targets: tuple[str, ...], index: DirectoryIndex | None, now: Moment
    ) -> Iterator[MailboxId]:
        """Yield the mailboxes of this agency that *targets* mean."""
        boxes: set[MailboxId] = set()
        for target in targets:
            who, _, post = target.partition("/")
            if who in {"debtor", "creditor"}:
                mailbox = duty.debtor if who == "debtor" else duty.creditor
                entry = index.find_mailbox(mailbox) if index else None
                named = {"manager": entry.manager, "deputy": entry.deputy} if entry else {}
                boxes.add(named.get(post) or mailbox)
            elif target.startswith("role:"):
                boxes.update(index.mailboxes_with(target.removeprefix("role:"), now) if index else ())
            else:
                boxes.add(target.removeprefix("mailbox:"))
        yield from sorted(box for box in boxes if agency_of(box) == self._agency)


def topic_of(obligation: str, step: int | None, code: str, mailbox: MailboxId | None) -> str:
    """Return what the same alarm is recognised by, whether hub or gateway raised it."""
    return f"{obligation}:{'-' if step is None else step}:{code}:{mailbox or '-'}"


def topic_of_notice(notice: Notice, mailbox: MailboxId) -> str:
    """Return the topic of a notice of the hub in the feed of *mailbox*."""
    if notice.obligation is None:
        return f"hub:{notice.id}"
    return topic_of(notice.obligation, notice.step, notice.notice, mailbox)


async def _add_alarm(tx: Transaction, name: str, duty: Duty, number: int, mailbox: MailboxId, now: Moment) -> int:
    step = duty.steps[number]
    details: dict[str, Any] = {
        "obligation": name, "envelope": duty.envelope, "thread": duty.thread, "type": duty.types[0],
        "debtor": duty.debtor, "creditor": duty.creditor, "due": duty.due, "step": number,
    }  # fmt: skip
    return await tx.run(
        "add_notice", id=new_id(now), topic=topic_of(name, number, step.notice, mailbox), code=step.notice,
        mailbox=mailbox, source="gateway", at=now, details=dump(details),
    )  # fmt: skip


async def _settle(tx: Transaction, name: str, state: State, at: Moment, by: str) -> None:
    await tx.run("settle_obligation", id=name, state=state, settled_at=at, settled_by=by)


async def _headers_of(tx: Transaction, header: Header) -> list[tuple[Header, Moment]]:
    """Return the other envelopes of the thread that were sent or received here, with when the hub took them."""
    found: list[tuple[Header, Moment]] = []
    for row in await tx.all("headers_sent", thread=header.thread):
        acceptance = parse_acceptance(jws.parse(bytes(row["acceptance"]), jws.ACCEPTANCE).payload)
        found.append((parse_header(jws.parse(bytes(row["header"]), jws.ENVELOPE).payload), acceptance.at))
    found += [
        (parse_header(jws.parse(bytes(row["header"]), jws.ENVELOPE).payload), int(row["accepted_at"]))
        for row in await tx.all("headers_received", thread=header.thread)
    ]
    return sorted(((one, at) for one, at in found if one.id != header.id), key=lambda pair: pair[1])


def _next_at(duty: Duty, step: int) -> Moment | None:
    moments = [duty.steps[step].at] if step < len(duty.steps) else []
    return min([*moments, duty.due]) if duty.lapses else min(moments, default=None)


def _duty(row: Any) -> Duty:
    return msgspec.json.decode(bytes(row["duty"]), type=Duty)


def _same_agency(index: DirectoryIndex, at: Moment) -> Any:
    return lambda debtor, sender: debtor == sender or index.is_same_or_successor(sender, debtor, at)
