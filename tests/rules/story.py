"""A thread told to the planner alone: envelopes go in, duties are kept as every store keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemas.directory import DirectoryIndex
from schemas.envelope import Header
from schemas.identifiers import Moment
from schemas.rules.compiled import Rules
from schemas.rules.duty import Duty, DutyParts, State
from schemas.rules.planning import Opened, Owed, Plan, Sent, plan_envelope, plan_withdrawal
from schemas.rules.stepping import next_moment
from tests.rules.support import CHAIR, HEALTH, directory, header, ms, new_id

NOON = ms("2026-07-06 12:00")


@dataclass(slots=True)
class Row:
    """One obligation: ``rung`` are the steps that its clock took."""

    duty: Duty
    state: State
    settled_by: str | None
    step: int
    rung: list[tuple[Moment, str]] = field(default_factory=list)


@dataclass(slots=True)
class Story:
    """One thread under one agreement, from the chair's to health unless an envelope says otherwise."""

    rules: Rules
    index: DirectoryIndex = field(default_factory=directory)
    now: Moment = NOON
    thread: str = field(default_factory=new_id)
    rows: dict[DutyParts, Row] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)

    def send(self, kind: str, sender: str = CHAIR, *to: str, **members: Any) -> Header:
        """Have the hub accept an envelope now, and return its header."""
        given = {"at": self.now, "facts": {}, "parties": (), "thread": self.thread} | members
        sent = header(type=f"{kind}/1", from_=sender, to=to or (HEALTH,), **given)
        self.take(sent)
        return sent

    def take(self, sent: Header) -> Plan:
        """Have the hub accept *sent* now, and keep what that plans."""
        owed = [Owed(str(parts), row.duty) for parts, row in self.rows.items() if row.state == "open"]
        plan = plan_envelope(sent, self.rules, self.index, owed, lambda: tuple(self.sent), self.now)
        for end in plan.settled:
            row = self.rows[end.duty.parts]
            row.state, row.settled_by = end.state, end.by
        for opened in plan.opened:
            self.open(opened)
        self.sent.append(Sent(sent, self.now))
        return plan

    def open(self, opened: Opened) -> None:
        """Keep what begins, unless it is there already."""
        before = self.rows.get(opened.duty.parts)
        if before is None or before.state == "superseded":
            rung = before.rung if before else []
            self.rows[opened.duty.parts] = Row(opened.duty, opened.state, opened.settled_by, opened.step, rung)

    def withdraw(self, sent: Header) -> None:
        """Have the sender take back *sent*, which nobody has collected."""
        self.sent = [one for one in self.sent if one.header.id != sent.id]
        met = [
            Owed(str(parts), row.duty)
            for parts, row in self.rows.items()
            if row.state in {"met", "met_late"} and (row.settled_by == sent.id or row.duty.every)
        ]
        _, again = plan_withdrawal(sent, frozenset(sent.to), [], met, self.sent, self.rules, self.index, self.now)
        for one in again:
            row = self.rows[one.duty.parts]
            row.state, row.settled_by = "open", None
            for end in one.settled:
                row.state, row.settled_by = end.state, end.by

    def tick(self, now: Moment) -> None:
        """Let the clock take every step up to *now*."""
        self.now = now
        for row in self.rows.values():
            while row.state == "open" and (next_moment(row.duty, row.step) or now + 1) <= now:
                step = row.duty.steps[row.step]
                row.rung.append((step.at, step.notice))
                row.step += 1

    def states(self) -> dict[tuple[str, str, str], str]:
        """Return the state of each duty by (rule, debtor, creditor)."""
        return {(row.duty.rule, row.duty.debtor, row.duty.creditor): row.state for row in self.rows.values()}

    def state(self, rule: str) -> str:
        """Return the state of the one duty of *rule*."""
        (state,) = (row.state for row in self.rows.values() if row.duty.rule == rule)
        return state
