"""What takes two people: somebody proposes, somebody else decides, and only then it is done.

Each step is in the log before it takes effect, in the same transaction.  An act is an entry of :data:`ACTS`; what is not in
the table can't be proposed.  Two accounts of which one gave the other its code are one person here, because one may be.

Source: DESIGN 2 (4); promises 2 (administrator); issue of the console.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from hub import breaches, drafts, holds, ledger, people, suspensions, waiving
from hub.core import breaching
from hub.core.events import Event, EventName
from hub.core.rights import Right, Role, rights_of
from hub.errors import HubError
from hub.store.people_rows import ProposalRow
from hub.store.transaction import Transaction
from keys.digests import new_id
from schemas.envelope import DAY
from schemas.identifiers import Code, Moment

State = Literal["proposed", "approved", "done", "refused", "withdrawn", "lapsed"]
STATES: Final[tuple[State, ...]] = ("proposed", "approved", "done", "refused", "withdrawn", "lapsed")
DAYS: Final = 7
_SWEEP: Final = 100

Subject = Mapping[str, Any]
# Takes the transaction, what the act is about, who proposed and who decided, and the moment.
CarryOut = Callable[[Transaction, Any, ProposalRow, Moment], None]
LookUp = Callable[[Transaction, Any, Moment], tuple[Code, ...]]


class Act(NamedTuple):
    """One kind of act.

    ``about``: the struct that says what it is about; ``subject``: the members of a leaf that name it; ``check`` raises where it
    can't be done as things are, when it is proposed and when it is decided; ``carry_out``: what approval does, ``None``: it is
    done elsewhere later (:func:`finish`).  ``reasons``: the codes that may be given, or what looks them up; none: any code.
    """

    title: str
    propose: Right
    decide: Right
    about: type[msgspec.Struct]
    subject: Callable[[Any], Subject]
    check: Callable[[Transaction, Any, Moment], None]
    carry_out: CarryOut | None
    reasons: tuple[Code, ...] | LookUp = ()


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that shall be added."""

    login: str
    name: str
    roles: tuple[Role, ...]


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """The roles that an account shall have; none: it shall end."""

    account: str
    roles: tuple[Role, ...] = ()


def _check_new(tx: Transaction, about: NewAccount, _: Moment) -> None:
    people.check_name(about.name)
    people.check_roles(about.roles)
    if tx.find_account_by_login(people.check_login(about.login)) is not None:
        raise HubError("account-exists", "there is an account with that login", "see the list of accounts")


def _add_account(tx: Transaction, about: NewAccount, row: ProposalRow, at: Moment) -> None:
    people.add_account(tx, row.decided_by, about.login, about.name, about.roles, at)


def _check_account(tx: Transaction, about: Roles, _: Moment) -> None:
    people.get_account(tx, about.account)


def _change_account(tx: Transaction, about: Roles, row: ProposalRow, at: Moment) -> None:
    if about.roles:
        people.change_roles(tx, row.decided_by, about.account, about.roles, at)
    else:
        people.end_account(tx, row.decided_by, about.account, at)


ACTS: Final[dict[str, Act]] = {
    "account-add": Act(
        title="add an account",
        propose="people",
        decide="people",
        about=NewAccount,
        subject=lambda _: {},
        check=_check_new,
        carry_out=_add_account,
        reasons=("joined", "cover", "inspection"),
    ),
    "account-change": Act(
        title="change or end an account",
        propose="people",
        decide="people",
        about=Roles,
        subject=lambda about: {"about": about.account},
        check=_check_account,
        carry_out=_change_account,
        reasons=("changed_post", "left", "misuse"),
    ),
    "hold-place": Act(
        title="place a legal hold",
        propose="propose",
        decide="decide",
        about=holds.Place,
        subject=lambda about: {"thread": about.thread, "envelope": about.envelope},
        check=holds.check_place,
        carry_out=holds.place,
        reasons=holds.REASONS,
    ),
    "hold-release": Act(
        title="release a legal hold",
        propose="propose",
        decide="decide",
        about=holds.Release,
        subject=lambda about: {"item": about.hold},
        check=holds.check_release,
        carry_out=holds.release,
        reasons=holds.RELEASE_REASONS,
    ),
    "breach-decide": Act(
        title="decide about a record of a breach",
        propose="breaches",
        decide="breaches",
        about=breaching.Decide,
        subject=lambda about: {"envelope": about.envelope, "level": about.decision},
        check=breaches.check_decision,
        carry_out=breaches.decide,
        reasons=breaching.REASONS,
    ),
    "key-suspend": Act(
        title="suspend a signing key",
        propose="propose",
        decide="decide",
        about=suspensions.Suspend,
        subject=lambda about: {"kid": about.kid},
        check=suspensions.check_suspend,
        carry_out=suspensions.suspend,
        reasons=suspensions.REASONS,
    ),
    drafts.PUBLISH: Act(
        title="publish the next directory or agreement",
        propose="propose",
        decide="decide",
        about=drafts.Publish,
        subject=lambda about: {"version": about.version, "digest": about.digest},
        check=drafts.check_publish,
        carry_out=None,
        reasons=drafts.REASONS,
    ),
    "key-readmit": Act(
        title="let a suspended key in again",
        propose="propose",
        decide="decide",
        about=suspensions.Readmit,
        subject=lambda about: {"kid": about.kid},
        check=suspensions.check_readmit,
        carry_out=suspensions.readmit,
        reasons=suspensions.READMIT_REASONS,
    ),
    waiving.WAIVE: Act(
        title="give a duty up",
        propose="propose",
        decide="decide",
        about=waiving.Ending,
        subject=lambda about: {"obligation": about.obligation, "thread": about.thread},
        check=waiving.check_ending,
        carry_out=None,
        reasons=waiving.reasons_at,
    ),
    waiving.ELSEWHERE: Act(
        title="record that something was delivered by other means",
        propose="propose",
        decide="decide",
        about=waiving.Ending,
        subject=lambda about: {"obligation": about.obligation, "thread": about.thread},
        check=waiving.check_ending,
        carry_out=None,
        reasons=waiving.reasons_at,
    ),
}


def propose(tx: Transaction, by: str, act: str, about: msgspec.Struct, reason: Code, at: Moment) -> ProposalRow:
    """Propose an act and return its proposal, which somebody else may decide within :data:`DAYS` days.

    Raises:
        HubError: ``account-ended``, ``act-right``, ``act-reason``, and what the act's own check objects.
    """
    kind = _get_act(act)
    _check_right(tx, by, kind.propose)
    reasons = reasons_for(tx, act, about, at)
    if reasons and reason not in reasons:
        raise HubError("act-reason", "that reason isn't known for this", f"give one of: {', '.join(reasons)}")
    kind.check(tx, about, at)
    row = ProposalRow(new_id(at), act, msgspec.json.encode(about), reason, "proposed", by, at, at + DAYS * DAY)
    _note(tx, "act-proposed", by, row, about, at)
    tx.add_proposal(row)
    return row


def decide(tx: Transaction, by: str, name: str, at: Moment, *, approve: bool) -> ProposalRow:
    """Approve or refuse the proposal *name*, and carry it out if approved; deciding it again in the same way changes nothing.

    Raises:
        HubError: ``act-unknown``, ``act-decided``, ``act-lapsed``, ``act-second-person``, ``act-right``, and what the act's own
            check objects.
    """
    row = get_proposal(tx, name)
    kind, about = _get_act(row.act), about_of(row)
    _check_right(tx, by, kind.decide)
    wanted: State = ("approved" if kind.carry_out is None else "done") if approve else "refused"
    if row.state == wanted and row.decided_by == by:
        return row
    _check_open(row, at)
    _check_second(tx, row.by, by)
    if approve:
        kind.check(tx, about, at)
    decided = msgspec.structs.replace(row, state=wanted, decided_by=by, decided_at=at)
    _note(tx, "act-approved" if approve else "act-refused", by, row, about, at)
    tx.decide_proposal(name, wanted, by, at)
    if approve and kind.carry_out is not None:
        kind.carry_out(tx, about, decided, at)
    return decided


def withdraw(tx: Transaction, by: str, name: str, at: Moment) -> ProposalRow:
    """Take back what *by* proposed and nobody has decided.

    Raises:
        HubError: ``act-unknown``, ``act-decided``, ``act-lapsed``, ``act-right``.
    """
    row = get_proposal(tx, name)
    _check_open(row, at)
    if row.by != by:
        raise HubError("act-right", "only who proposed it takes it back", "refuse it instead")
    _note(tx, "act-withdrawn", by, row, about_of(row), at)
    tx.decide_proposal(name, "withdrawn", by, at)
    return msgspec.structs.replace(row, state="withdrawn", decided_by=by, decided_at=at)


def finish(tx: Transaction, name: str, at: Moment) -> None:
    """Record that an approved act was done where it had to be done.

    Raises:
        HubError: ``act-unknown``, ``act-decided``.
    """
    row = get_proposal(tx, name)
    if row.state != "approved":
        raise HubError("act-decided", f"that proposal is {row.state}", "see the list of proposals")
    _note(tx, "act-done", row.decided_by, row, about_of(row), at)
    tx.decide_proposal(name, "done", row.decided_by, row.decided_at or at)


def give_up(tx: Transaction, name: str, at: Moment) -> None:
    """Record that an approved act can't be done any more, because what it was about has ended otherwise."""
    row = get_proposal(tx, name)
    if row.state == "approved":
        _note(tx, "act-lapsed", None, row, about_of(row), at)
        tx.decide_proposal(name, "lapsed", row.decided_by, row.decided_at or at)


def reasons_for(tx: Transaction, act: str, about: msgspec.Struct, at: Moment) -> tuple[Code, ...]:
    """Return the codes that may be given for *act*, none: any."""
    reasons = _get_act(act).reasons
    return reasons(tx, about, at) if callable(reasons) else reasons


def lapse(tx: Transaction, now: Moment) -> int:
    """Let go what nobody has decided in time; return how many proposals that were, at most a hundred at once."""
    rows = tx.proposals_lapsed(now, _SWEEP)
    for row in rows:
        _note(tx, "act-lapsed", None, row, about_of(row), now)
        tx.decide_proposal(row.id, "lapsed", None, now)
    return len(rows)


def get_proposal(tx: Transaction, name: str) -> ProposalRow:
    """Return the proposal *name*.

    Raises:
        HubError: ``act-unknown``.
    """
    row = tx.find_proposal(name)
    if row is None:
        raise HubError("act-unknown", "there is no such proposal", "see the list of proposals")
    return row


def about_of(row: ProposalRow) -> msgspec.Struct:
    """Return what a proposal is about, as its act's struct."""
    return msgspec.json.decode(row.about, type=ACTS[row.act].about)


def may_decide(tx: Transaction, row: ProposalRow, by: str) -> bool:
    """Answer whether *by* could decide the proposal now."""
    try:
        _check_right(tx, by, _get_act(row.act).decide)
        _check_second(tx, row.by, by)
    except HubError:
        return False
    return row.state == "proposed"


def _get_act(name: str) -> Act:
    act = ACTS.get(name)
    if act is None:
        raise HubError("act-unknown", "there is no such act", "see docs/console/README.md")
    return act


def _check_right(tx: Transaction, by: str, right: Right) -> None:
    account = people.get_account(tx, by)
    if right not in rights_of(people.check_roles(account.roles)):
        raise HubError("act-right", "your role doesn't allow this", "ask somebody whose role does")


def _check_open(row: ProposalRow, at: Moment) -> None:
    if row.state != "proposed":
        raise HubError("act-decided", f"that proposal is {row.state} already", "see the list of proposals")
    if row.until <= at:
        raise HubError("act-lapsed", "nobody decided it in time", "propose it again")


def _check_second(tx: Transaction, proposer: str, decider: str) -> None:
    first, second = people.get_account(tx, proposer), people.get_account(tx, decider)
    if decider in (proposer, first.invited_by) or second.invited_by == proposer:
        raise HubError(
            "act-second-person",
            "who proposed it, and whoever gave them their code or got it from them, can't decide it",
            "ask somebody else",
        )


def _note(tx: Transaction, event: EventName, by: str | None, row: ProposalRow, about: Any, at: Moment) -> None:
    said: dict[str, Any] = {"person": by, "kind": row.act, "by": row.id, "outcome": row.reason}
    said |= _get_act(row.act).subject(about)
    # What is about an envelope is found by its thread.
    envelope = tx.find_envelope(said["envelope"]) if said.get("envelope") and not said.get("thread") else None
    ledger.append(
        tx, Event(event=event, **(said | ({"thread": envelope.thread} if envelope else {}))), ledger.moment(tx, at)
    )
