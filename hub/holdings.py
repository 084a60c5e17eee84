"""Which agencies hold something of a thread, and never what: for whoever has to ask each of them.

Each controller answers access requests from its own copies; the hub says whom to ask.

Source: domain 9.1; UK GDPR, article 15.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from hub import ledger
from hub.core.events import Event
from hub.core.events import PersonId as AccountId
from hub.store.transaction import Transaction
from schemas.identifiers import AgencyId, Moment, ThreadId, agency_of

Holding = Literal["sent", "has", "had", "waits"]
# Of several, the first: who sent it or has it is asked, whatever else came or went.
_ORDER: Final[tuple[Holding, ...]] = ("sent", "has", "waits", "had")


class Holder(NamedTuple):
    """One agency.

    ``sent``: it sent something, and has its own copy; ``has``: it collected something and has not said that it is destroyed;
    ``waits``: something lies at the hub for it; ``had``: what it had or was sent is destroyed or was taken back.
    """

    agency: AgencyId
    holding: Holding
    since: Moment


def look_up(tx: Transaction, thread: ThreadId, person: AccountId, at: Moment) -> list[Holder]:
    """Return :func:`find_holders`; that *person* asked is in the log first."""
    event = Event(event="log-read", person=person, kind="holdings", thread=thread)
    ledger.append(tx, event, ledger.moment(tx, at))
    return find_holders(tx, thread)


def find_holders(tx: Transaction, thread: ThreadId) -> list[Holder]:
    """Return the agencies that hold or held something of *thread*, by name; *since* is when the first of it came."""
    found: dict[AgencyId, Holder] = {}
    for row in tx.thread_envelopes(thread):
        _note(found, agency_of(row.sender), "sent", row.accepted_at)
        for one in tx.deliveries_of(row.id):
            _note(found, agency_of(one.mailbox), _holding(one.state, present=row.state == "present"), row.accepted_at)
    return [found[agency] for agency in sorted(found)]


def _holding(state: str, *, present: bool) -> Holding:
    if state in {"owed", "rejected"}:
        return "waits" if present else "had"
    return "had" if state == "gone" else "has"


def _note(found: dict[AgencyId, Holder], agency: AgencyId, holding: Holding, at: Moment) -> None:
    known = found.get(agency)
    if known is None:
        found[agency] = Holder(agency, holding, at)
    elif _ORDER.index(holding) < _ORDER.index(known.holding):
        found[agency] = Holder(agency, holding, known.since)
