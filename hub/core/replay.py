"""The log told again by the rules alone: what must be owed, and does the log say the same?

The offline verifier feeds it what the log stands for, in order; nothing here believes what the hub concluded.

Source: protocol 5 and 8.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hub.core import delivery
from hub.core.events import Leaf
from hub.core.sharing import Before, judge_plan
from hub.errors import Refusal
from schemas.directory import DirectoryIndex
from schemas.envelope import Header
from schemas.identifiers import EnvelopeId, MailboxId, Moment, ObligationId, ThreadId
from schemas.receipt import Receipt
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty, DutyParts, State
from schemas.rules.planning import (
    Opened,
    Owed,
    Received,
    Sent,
    Settled,
    Undone,
    plan_envelope,
    plan_receipt,
    plan_withdrawal,
)
from schemas.rules.recurring import next_recurrence, open_recurring
from schemas.rules.stepping import first_step, has_lapsed, next_moment
from schemas.rules.units import DutyRow, Taken
from schemas.rules.versions import Version, lineage_of

# The clock looks each second; an hour of the log going on without it is no hiccup.
GRACE: Final = 3_600_000


class Conclusion(NamedTuple):
    """What one leaf of the hub's own must say: an obligation's id, and its end if it ends."""

    event: str
    obligation: ObligationId
    state: State | None


@dataclass(slots=True)
class Row:
    """One obligation as replayed."""

    id: ObligationId
    duty: Duty
    state: State = "open"
    settled_at: Moment | None = None
    settled_by: str | None = None
    step: int = 0


class Alarm(NamedTuple):
    """When the clock has to look at an open obligation whose steps below ``step`` are taken."""

    at: Moment
    obligation: ObligationId
    step: int


@dataclass(slots=True)
class Alarms:
    """What the clock owes.  ``waiting`` is a heap; ``rung`` has those that are due, and since when the log shows it."""

    waiting: list[Alarm] = field(default_factory=list)
    rung: deque[tuple[Moment, Alarm]] = field(default_factory=deque)


@dataclass(slots=True)
class Replay:
    """Obligations and deliveries as the rules have them.  ``name_of`` digests the parts of a duty.

    Of what the calendar makes owed ``recurred`` is up to when it was opened, ``silent`` up to when what was not opened may
    be over without a trace, and ``begun`` since when the log shows a hub that was up and has not opened what begins next.
    """

    name_of: Callable[[DutyParts], ObligationId]
    rows: dict[ObligationId, Row] = field(default_factory=dict)
    threads: dict[ThreadId, list[Row]] = field(default_factory=lambda: defaultdict(list))
    sent: dict[ThreadId, list[Sent]] = field(default_factory=lambda: defaultdict(list))
    headers: dict[EnvelopeId, Header] = field(default_factory=dict)
    states: dict[tuple[EnvelopeId, MailboxId], delivery.State] = field(default_factory=dict)
    withdrawn: set[EnvelopeId] = field(default_factory=set)
    taken: list[Taken] = field(default_factory=list)
    expected: list[Conclusion] = field(default_factory=list)
    superseded: dict[EnvelopeId, EnvelopeId] = field(default_factory=dict)
    accepted: dict[EnvelopeId, Moment] = field(default_factory=dict)
    received: dict[EnvelopeId, list[Received]] = field(default_factory=lambda: defaultdict(list))
    alarms: Alarms = field(default_factory=Alarms)
    recurred: Moment = 0
    silent: Moment = 0
    begun: Moment | None = None
    judged_by: tuple[int, DirectoryIndex] | None = None

    def envelope(self, header: Header, rules: Rules, index: DirectoryIndex, at: Moment) -> Refusal | None:
        """Tell that *header* was accepted at *at*; return why what it opens should have been refused, or ``None``."""
        thread = header.thread
        # Nothing keeps a sender from naming a recurring rule's own thread.
        threads = dict.fromkeys((thread, *rules.recurring_threads(header.type)))
        owed = [row for one in threads for row in self._open(one)]
        before = lineage_of(header, self._version).before
        plan = plan_envelope(header, rules, index, owed, lambda: self.sent[thread], at, before)
        self._settle(plan.settled, at)
        for opened in plan.opened:
            self._begin(opened)
        self.sent[thread].append(Sent(header, at))
        self.headers[header.id], self.accepted[header.id] = header, at
        if header.supersedes is not None:
            self.superseded[header.supersedes] = header.id
        self.states.update({(header.id, mailbox): "owed" for mailbox in header.to})
        return judge_plan(header, plan)

    def recur(self, versions: tuple[Rules, ...], index: DirectoryIndex, at: Moment, obligation: ObligationId) -> None:
        """Tell that the clock, at *at*, opened what the calendar makes owed from one moment on, *obligation* among it.

        It is the first moment that is due.  But what may have been over in silence may also be opened late, by a hub that
        was down as a directory changed: it judges by the one that it finds.
        """
        after = self.recurred
        while (begins := next_recurrence(versions, after)) is not None and begins <= at:
            duties = open_recurring(versions, index, after, begins)
            if duties and (begins > self.silent or obligation in (self.name_of(duty.parts) for duty in duties)):
                for duty in duties:
                    self._begin(Opened(duty, "open", None, None))
                self.recurred, self.begun = begins, None
                return
            after = begins

    def misses_period(self, versions: tuple[Rules, ...], index: DirectoryIndex, at: Moment) -> bool:
        """Answer whether the log went on to *at*, long after a period began, without what that makes owed.

        As in :meth:`pass_time` it counts from when the log shows that the hub was up.  What was left out is open from
        then on, so that it is found once.
        """
        if not self.pass_over(versions, index, at) or self.begun is None or self.begun + GRACE >= at:
            return False
        expected, self.expected = self.expected, []
        for duty in open_recurring(versions, index, max(self.recurred, self.silent), self.begun):
            self._begin(Opened(duty, "open", None, None))
        self.recurred, self.begun = self.begun, None
        self.expected = expected
        return True

    def pass_over(self, versions: tuple[Rules, ...], index: DirectoryIndex, at: Moment) -> bool:
        """Answer whether something is to be opened at *at* that the calendar makes owed.

        A period in which nobody owes anything, since *index* has nobody with its roles, leaves no trace in the log: it may
        be over as soon as it has begun, whoever comes into the directory later, and whoever was in it when it began.
        """
        after = max(self.recurred, self.silent)
        begins = next_recurrence(versions, after)
        if begins is None or begins > at:
            return False
        if self.begun is not None and self.judged_by == (len(versions), index):
            return True
        self.judged_by = (len(versions), index)
        if not open_recurring(versions, index, after, at):
            self.silent, self.begun = at, None
            return False
        self.begun = at if self.begun is None else self.begun
        return True

    def _begin(self, opened: Opened) -> None:
        name = self.name_of(opened.duty.parts)
        row = self.rows.get(name)
        if row is None:
            row = self.rows[name] = Row(name, opened.duty)
            self.threads[opened.duty.thread].append(row)
        elif row.state != "superseded":
            return
        row.duty, row.step = opened.duty, opened.step
        row.state, row.settled_at, row.settled_by = opened.state, opened.settled_at, opened.settled_by
        self.expected.append(Conclusion("obligation-opened", name, None))
        if opened.state == "open":
            self._set_alarm(row)
        else:
            self.expected.append(Conclusion("obligation-settled", name, opened.state))

    def _begin_again(self, row: Row, at: Moment) -> None:
        row.state, row.settled_at, row.settled_by = "open", None, None
        row.step = first_step(row.duty, at)
        self._set_alarm(row)
        self.expected.append(Conclusion("obligation-reopened", row.id, None))

    def receipt(self, receipt: Receipt, rules: Rules, index: DirectoryIndex, at: Moment) -> str | None:
        """Tell that *receipt* was accepted at *at*; return what is wrong with that, or ``None``."""
        header = self.headers.get(receipt.envelope)
        state = self.states.get((receipt.envelope, receipt.mailbox))
        if header is None or state is None:
            return "a receipt for no delivery"
        delivered = delivery.Delivered(state, header.sealed.sha256, header.opening, header.id in self.withdrawn)
        known = (receipt.previous,) if receipt.previous else ()
        after = delivery.judge_receipt(receipt, delivered, None, known, at)
        if isinstance(after, Refusal):
            return "a receipt out of order"
        self.states[receipt.envelope, receipt.mailbox] = after
        self.taken.append(Taken(receipt.envelope, receipt.mailbox, receipt.level, at))
        self.received[receipt.envelope].append(Received(receipt, at))
        if after == "gone":
            self._take_back(header, frozenset({receipt.mailbox}), rules, index, at)
        else:
            self._settle(plan_receipt(receipt, self._open(header.thread), at), at)
        return None

    def waive(self, obligation: ObligationId, state: State, by: str, at: Moment) -> str | None:
        """Tell that *obligation* was waived, or met elsewhere."""
        row = self.rows.get(obligation)
        if row is None or row.state != "open":
            return "a waiver of no open obligation"
        self._settle((Settled(row.id, row.duty, state, by),), at)
        return None

    def before(self, name: EnvelopeId) -> Before | None:
        """Return what is known of an envelope that another one may supersede."""
        header = self.headers.get(name)
        if header is None:
            return None
        variant = header.facts.get("variant", "")
        return Before(header.from_, header.thread, header.type, variant, name in self.superseded)

    def take_step(self, leaf: Leaf) -> str | None:
        """Tell that the clock took a step; return what differs from the ladder of the duty, or ``None``."""
        row = self.rows.get(leaf.obligation or "")
        if row is None or row.state != "open" or row.step >= len(row.duty.steps):
            return "a step of no open obligation, or one step too many"
        step = row.duty.steps[row.step]
        said = (leaf.step, leaf.outcome, leaf.mailbox, leaf.thread)
        if said != (row.step, step.notice, row.duty.debtor, row.duty.thread):
            return "a step that is not the next one of its ladder"
        if leaf.at < step.at:
            return "a step before its moment"
        row.step += 1
        self._set_alarm(row)
        return None

    def pass_time(self, at: Moment) -> Iterator[str]:
        """Tell that the log went on at *at*; yield what the clock should have done by now and has not.

        A hub may be down when a step is due.  But once the log went on after that moment, the hub was up, and what
        is missing when it has gone on for longer than :data:`GRACE` was left out.
        """
        alarms = self.alarms
        while alarms.waiting and alarms.waiting[0].at <= at:
            alarms.rung.append((at, heapq.heappop(alarms.waiting)))
        while alarms.rung and alarms.rung[0][0] + GRACE < at:
            alarm = alarms.rung.popleft()[1]
            row = self.rows[alarm.obligation]
            if row.state == "open" and row.step == alarm.step and next_moment(row.duty, row.step) == alarm.at:
                yield f"step {alarm.step} of obligation {row.id}, due at {alarm.at}, was not taken"

    def _set_alarm(self, row: Row) -> None:
        moment = next_moment(row.duty, row.step)
        if moment is not None:
            heapq.heappush(self.alarms.waiting, Alarm(moment, row.id, row.step))

    def lapse(self, obligation: ObligationId, at: Moment) -> bool:
        """Answer whether *obligation* may lapse at *at*, and let it."""
        row = self.rows.get(obligation)
        if row is None or row.state != "open" or not has_lapsed(row.duty, at):
            return False
        row.state, row.settled_at, row.settled_by = "lapsed", at, None
        return True

    def withdraw(self, envelope: EnvelopeId, rules: Rules, index: DirectoryIndex, at: Moment) -> None:
        """Tell that *envelope* was taken back: gone for whoever had not collected it."""
        header = self.headers[envelope]
        gone = frozenset(box for box in header.to if self._is_withdrawable(envelope, box))
        self.states.update({(envelope, box): "gone" for box in gone})
        self.withdrawn.add(envelope)
        self.sent[header.thread] = [sent for sent in self.sent[header.thread] if sent.header.id != envelope]
        self._take_back(header, gone, rules, index, at)

    def _take_back(
        self, header: Header, gone: frozenset[MailboxId], rules: Rules, index: DirectoryIndex, at: Moment
    ) -> None:
        met = [
            Owed(row.id, row.duty)
            for thread in (header.thread, *rules.recurring_threads(header.type))
            for row in self.threads[thread]
            if row.state in {"met", "met_late"} and (row.settled_by == header.id or row.duty.every)
        ]
        owed, besides = self._open(header.thread), self.sent[header.thread]
        undone = self._undone(header)
        ended, again = plan_withdrawal(header, gone, owed, met, besides, rules, index, at, undone)
        self._settle(ended, at)
        for one in again:
            self._begin_again(self.rows[one.id], at)
            if one.met_by is not None:
                self._settle(one.settled, one.met_by.accepted_at)

    def _undone(self, header: Header) -> Undone:
        lineage = lineage_of(header, self._version)
        by = {header.id, *lineage.before[:-1]}
        rows = [row for row in self.threads[header.thread] if row.state == "superseded" and row.settled_by in by]
        received = self.received.get(lineage.counts or "", [])
        return Undone(self.accepted[header.id], lineage, [Owed(row.id, row.duty) for row in rows], received)

    def _version(self, name: EnvelopeId) -> Version | None:
        header = self.headers.get(name)
        return None if header is None else Version(header, name in self.withdrawn, self.superseded.get(name))

    def conclude(self, leaf: Leaf) -> str | None:
        """Hold a leaf of the hub's own conclusions against what the rules expect next; return what differs."""
        if leaf.obligation is None:
            return "a conclusion about nothing"
        state = leaf.outcome if leaf.event == "obligation-settled" else None
        if state == "lapsed":
            return None if self.lapse(leaf.obligation, leaf.at) else "a lapse that the rules don't know"
        for place, expected in enumerate(self.expected):
            if (expected.event, expected.obligation, expected.state) == (leaf.event, leaf.obligation, state):
                del self.expected[place]
                row = self.rows[leaf.obligation]
                if leaf.event == "obligation-opened" and (leaf.due, leaf.mailbox, leaf.creditor) != (
                    row.duty.due,
                    row.duty.debtor,
                    row.duty.creditor,
                ):
                    return "an obligation whose parties or due moment differ from the rules"
                return None
        return "a conclusion that the rules don't know"

    def duties(self) -> Iterator[DutyRow]:
        """Yield every obligation as the figures need it."""
        for row in self.rows.values():
            yield DutyRow.of(row.id, row.duty, row.state, row.settled_at, row.settled_by)

    def _is_withdrawable(self, envelope: EnvelopeId, mailbox: MailboxId) -> bool:
        return not isinstance(delivery.advance(self.states[envelope, mailbox], "withdrawn"), Refusal)

    def _open(self, thread: ThreadId) -> list[Owed]:
        return [Owed(row.id, row.duty) for row in self.threads[thread] if row.state == "open"]

    def _settle(self, settled: tuple[Settled, ...], at: Moment) -> None:
        for end in settled:
            row = self.rows[end.id]
            row.state, row.settled_at, row.settled_by = end.state, at, end.by
            self.expected.append(Conclusion("obligation-settled", end.id, end.state))
