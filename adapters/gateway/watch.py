"""What this agency owes and is owed, by its own reckoning: the alarm that rings while the hub is dark.

Every header that the gateway sent or received, every receipt and waiver, goes through the same rules as at the hub.
The obligation's id and the step's number are then the same too, so that one alarm is shown once, whoever rings first.

Source: design 2 (3); protocol 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.gateway.books import Books
from adapters.gateway.spool import Row, Transaction
from keys import jws
from keys.digests import new_id, obligation_id
from schemas.directory import DirectoryIndex
from schemas.envelope import Header, parse_header
from schemas.identifiers import AgencyId, EnvelopeId, MailboxId, Moment, ObligationId, ThreadId, agency_of
from schemas.receipt import Receipt
from schemas.rules.duty import Duty, State
from schemas.rules.planning import Owed, Sent, plan_envelope, plan_receipt, plan_withdrawal
from schemas.rules.recurring import next_recurrence, open_recurring
from schemas.rules.stepping import first_step, has_lapsed, next_moment, resolve_targets
from schemas.statements import Notice, Waiver, parse_acceptance
from schemas.strict_json import dump

LIMIT: Final = 200
MET: Final[frozenset[State]] = frozenset({"met", "met_late"})


class Watch:
    """The obligations of one agency; each method is part of a spool transaction."""

    def __init__(self, agency: AgencyId) -> None:
        self._agency = agency

    async def see_envelope(self, tx: Transaction, header: Header, accepted_at: Moment, books: Books) -> None:
        """Open and settle what *header*, accepted by the hub at *accepted_at*, opens and settles for this agency."""
        rules = books.rules_at(accepted_at)
        recurring = rules.recurring_threads(header.type)
        if recurring and await tx.one("find_fact", name="recurred"):
            # What it meets must be owed first, however long ago the clock looked.
            await self.recur(tx, books, accepted_at)
        threads = dict.fromkeys((header.thread, *recurring))
        # A window that was over by then holds nothing back, though this gateway was dark when it lapsed.
        for row in await _open_in(tx, header.thread):
            if has_lapsed(row.duty, accepted_at):
                await _settle(tx, row.id, "lapsed", accepted_at, "")
        owed = [row for thread in threads for row in await _open_in(tx, thread)]
        earlier = await _sent_besides(tx, header)
        plan = plan_envelope(header, rules, books.index, owed, lambda: earlier, accepted_at)
        for end in plan.settled:
            await _settle(tx, end.id, end.state, accepted_at, header.id)
        for opened in plan.opened:
            name = obligation_id(opened.duty.parts)
            added = await self._open(tx, opened.duty, books.index, accepted_at, opened.step)
            if added and opened.settled_at is not None:
                await _settle(tx, name, opened.state, opened.settled_at, opened.settled_by or "")
        met = [end.duty for end in plan.settled if end.state in MET]
        met += [one.duty for one in plan.opened if one.state in MET]
        doubted = sorted({duty.thread for duty in met if _is_doubtful(duty, books.index, accepted_at)})
        if doubted:
            await tx.run("add_chore", kind="learn", ref=header.id, details=dump({"threads": doubted}))

    async def _open(self, tx: Transaction, duty: Duty, index: DirectoryIndex, at: Moment, step: int = 0) -> bool:
        """Keep *duty* if it is this agency's business, or one's that it took over from; answer whether it begins."""
        parties = (duty.debtor, duty.creditor)
        if not any(index.is_same_or_successor(self._agency, agency_of(box), at) for box in parties):
            return False
        added = await tx.run(
            "add_obligation", id=obligation_id(duty.parts), thread=duty.thread, envelope=duty.envelope or "",
            duty=dump(duty), step=step, next_at=next_moment(duty, step), kind=duty.kind, debtor=duty.debtor,
            creditor=duty.creditor, due=duty.due,
        )  # fmt: skip
        return added > 0

    async def hear(self, tx: Transaction, code: str, name: ObligationId, thread: ThreadId, at: Moment) -> None:
        """Take the hub's word on an obligation that this agency's own mail can't tell of.

        What is owed by a message that went to others, or has moved here, is asked for; what has ended there rings no more.
        """
        known = await tx.one("find_obligation", id=name)
        if code == "owed" and (known is None or known["state"] == "superseded"):
            await tx.run("add_chore", kind="learn", ref=thread, details=b"{}")
        elif code == "superseded":
            await _settle(tx, name, "superseded", at, "")

    async def learn(
        self,
        tx: Transaction,
        duties: Mapping[ObligationId, Duty],
        index: DirectoryIndex,
        now: Moment,
        doubted: EnvelopeId | None = None,
    ) -> None:
        """Keep what the hub says is open: each is named by the digest of its parts; steps that are past are not taken.

        *doubted*: an envelope that the hub accepted before it said so; what only this gateway thinks met then is open.
        """
        for name, duty in duties.items():
            if name != obligation_id(duty.parts):
                continue
            known = await tx.one("find_obligation", id=name)
            if known is None:
                await self._open(tx, duty, index, now)
            was_met = known is not None and known["state"] in MET and known["settled_by"] == doubted
            if known is None or known["state"] == "superseded" or was_met:
                await _reopen(tx, name, duty, now)

    async def recur(self, tx: Transaction, books: Books, now: Moment) -> None:
        """Open what this agency owes and is owed by the calendar alone, up to *now*.

        What began before the first look the hub alone knows: whether it was owed then, and what met it.
        """
        known = await tx.one("find_fact", name="recurred")
        if known is not None:
            after = int(known["value"])
            begins = next_recurrence(books.rules, after)
            if begins is None or begins > now:
                return
            for duty in open_recurring(books.rules, books.index, after, now):
                await self._open(tx, duty, books.index, now)
        await tx.run("set_fact", name="recurred", value=str(now).encode())

    async def see_receipt(self, tx: Transaction, receipt: Receipt, at: Moment, thread: str) -> None:
        """Settle what *receipt*, taken by the hub at *at*, settles in *thread*."""
        for end in plan_receipt(receipt, await _open_in(tx, thread), at):
            await _settle(tx, end.id, end.state, at, receipt.id)

    async def see_waiver(self, tx: Transaction, waiver: Waiver) -> None:
        """Settle the obligation that *waiver* ends."""
        await _settle(tx, waiver.obligation, waiver.state, waiver.at, waiver.id)

    async def take_back(
        self, tx: Transaction, header: Header, gone: frozenset[MailboxId], now: Moment, books: Books
    ) -> None:
        """End receipt duties of *gone* for *header*, and open again what sending it to them had settled."""
        rows = await tx.all("met_by", settled_by=header.id, thread=header.thread)
        met = [_owed(row) for row in rows if row["settled_by"] == header.id or duty_of(row).every]
        owed, besides = await _open_in(tx, header.thread), await _sent_besides(tx, header)
        rules = books.rules_at(now)
        ended, again = plan_withdrawal(header, gone, owed, met, besides, rules, books.index, now)
        for end in ended:
            await _settle(tx, end.id, end.state, now, header.id)
        for one in again:
            await _reopen(tx, one.id, one.duty, now)
            for end in one.settled:
                at = one.met_by.accepted_at if one.met_by else now
                await _settle(tx, end.id, end.state, at, str(end.by))

    async def ring(self, tx: Transaction, now: Moment, index: DirectoryIndex) -> int:
        """Take the steps that are due at *now*; return how many notices are new.

        A step that the hub told first is known by its topic and isn't told again.
        """
        rung = 0
        for row in await tx.all("due_obligations", now=now, limit=LIMIT):
            duty, number = duty_of(row), int(row["step"])
            while number < len(duty.steps) and duty.steps[number].at <= now:
                for mailbox in resolve_targets(duty, duty.steps[number].to, index, now):
                    if agency_of(mailbox) == self._agency:
                        rung += await _add_alarm(tx, row["id"], duty, number, mailbox, now)
                number += 1
            if has_lapsed(duty, now):
                await _settle(tx, row["id"], "lapsed", now, "")
            else:
                await tx.run("advance_obligation", id=row["id"], step=number, next_at=next_moment(duty, number))
        return rung


def topic_of(obligation: str, due: Moment | None, step: int, code: str, mailbox: MailboxId) -> str:
    """Return what the same alarm is recognised by, whether hub or gateway raised it.

    An obligation that begins anew has another due moment, and its first step is another alarm.
    """
    return f"{obligation}:{due}:{step}:{code}:{mailbox}"


def topic_of_notice(notice: Notice, mailbox: MailboxId) -> str:
    """Return the topic of a notice of the hub in the feed of *mailbox*."""
    # What isn't a step only the hub tells; that something is owed again must not pass for what was told before.
    if notice.obligation is None or notice.step is None:
        return f"hub:{notice.id}"
    return topic_of(notice.obligation, notice.due, notice.step, notice.notice, mailbox)


async def _add_alarm(tx: Transaction, name: str, duty: Duty, number: int, mailbox: MailboxId, now: Moment) -> int:
    step = duty.steps[number]
    details: dict[str, Any] = {
        "obligation": name, "envelope": duty.envelope, "thread": duty.thread, "type": duty.types[0],
        "debtor": duty.debtor, "creditor": duty.creditor, "due": duty.due, "step": number,
    }  # fmt: skip
    return await tx.run(
        "add_notice", id=new_id(now), topic=topic_of(name, duty.due, number, step.notice, mailbox), code=step.notice,
        mailbox=mailbox, source="gateway", at=now, details=dump(details),
    )  # fmt: skip


async def _settle(tx: Transaction, name: str, state: State, at: Moment, by: str) -> None:
    await tx.run("settle_obligation", id=name, state=state, settled_at=at, settled_by=by)


def _is_doubtful(duty: Duty, index: DirectoryIndex, at: Moment) -> bool:
    """Answer whether what is owed between others, of which the hub alone knows, may keep *duty* open at the hub.

    It is owed to a mailbox that ended and from which several took over, of whom one may be owed the same itself.
    """
    return any(
        not index.is_open(box, at) and len(index.open_heirs(box, at)) > 1 for box in (duty.debtor, duty.creditor)
    )


async def _reopen(tx: Transaction, name: str, duty: Duty, now: Moment) -> None:
    step = first_step(duty, now)
    await tx.run("reopen_obligation", id=name, step=step, next_at=next_moment(duty, step))


async def _sent_besides(tx: Transaction, header: Header) -> list[Sent]:
    """Return the other envelopes of the thread that were sent or received here and not taken back, in order."""
    found: list[Sent] = []
    for row in await tx.all("headers_sent", thread=header.thread):
        acceptance = parse_acceptance(jws.parse(bytes(row["acceptance"]), jws.ACCEPTANCE).payload)
        found.append(Sent(header_of(row), acceptance.at))
    found += [
        Sent(header_of(row), int(row["accepted_at"])) for row in await tx.all("headers_received", thread=header.thread)
    ]
    return sorted((one for one in found if one.header.id != header.id), key=lambda one: one.accepted_at)


def header_of(row: Row) -> Header:
    """Return the header that a row of the spool holds; it was checked when it came, or made here."""
    return parse_header(jws.parse(bytes(row["header"]), jws.ENVELOPE).payload)


async def _open_in(tx: Transaction, thread: ThreadId) -> list[Owed]:
    return [_owed(row) for row in await tx.all("open_in_thread", thread=thread)]


def _owed(row: Row) -> Owed:
    return Owed(row["id"], duty_of(row))


def duty_of(row: Row) -> Duty:
    """Return the duty that a row of the spool holds."""
    return msgspec.json.decode(bytes(row["duty"]), type=Duty)
