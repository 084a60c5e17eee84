"""What an entry of the register is, as a fold over what happened to it: pure, and the same whatever came first.

Order is by the moment at which things happened, never by the order in which messages came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapters.gateway.register.effects import Verb
from schemas.identifiers import Code, EnvelopeId, MailboxId, Moment, ThreadId


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What one message did to one entry.  ``whole``: to everything that belongs together, so it opens nothing.

    ``told``: the message itself says which child; else it was concluded from what it answers, or from its thread.
    """

    envelope: EnvelopeId
    number: int
    kind: Code
    verb: Verb
    whole: bool
    child: str | None
    told: bool
    own: str | None
    part: str | None
    state: Code | None
    at: Moment
    due: Moment | None
    facts: Mapping[Code, Code]
    thread: ThreadId
    mailbox: MailboxId


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing about a child, as it stands.

    ``key``: opaque; ``own``: one for each child, told apart by this; ``at``: since when it is in this ``state``, or when
    it was noted last;
    ``opened``: when it first was; ``ended``: it is over; ``envelope``, ``thread``, ``mailbox``: what put it into its state.
    """

    key: str
    kind: Code
    child: str | None
    own: str | None
    state: Code
    ended: bool
    at: Moment
    opened: Moment
    due: Moment | None
    facts: Mapping[Code, Code]
    envelope: EnvelopeId
    thread: ThreadId
    mailbox: MailboxId

    def is_overdue(self, now: Moment) -> bool:
        """Answer whether it is past its due moment and not over."""
        return not self.ended and self.due is not None and self.due < now


def order(events: Iterable[Event]) -> list[Event]:
    """Return *events* as they happened; of one moment, as their envelopes were made."""
    return sorted(events, key=lambda event: (event.at, event.envelope, event.number))


def fold(key: str, events: Iterable[Event]) -> Entry | None:
    """Return the entry *key* after *events*, or ``None``: nothing happened to it."""
    state: Code | None = None
    ended, due, facts = False, None, dict[Code, Code]()
    child = own = last = None
    is_told, opened = False, 0
    for event in order(events):
        if event.whole and state is None:
            continue
        before, was_over = state, ended
        if event.verb == "open":
            state = state or event.state
        elif event.verb == "set":
            state, ended = event.state or state or "open", ended and event.state is None
        elif event.verb == "note":
            state = event.state
        else:
            state, ended = event.state, True
        if last is None or event.verb == "note" or (state, ended) != (before, was_over):
            last = event
            opened = event.at if before is None else opened
        if event.child is not None and (event.told or not is_told):
            child, is_told = event.child, event.told
        own = own if event.own is None else event.own
        due = due if event.due is None else event.due
        facts |= event.facts
    if state is None or last is None:
        return None
    return Entry(
        key=key, kind=last.kind, child=child, own=own, state=state, ended=ended, at=last.at, opened=opened,
        due=due, facts=facts, envelope=last.envelope, thread=last.thread, mailbox=last.mailbox,
    )  # fmt: skip


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """Return *entries* of one child in order, of what is one for each child only the newest.

    Two children who turned out to be one may each have, say, an agreed risk.
    """
    newest: dict[tuple[Code, str], Entry] = {}
    for entry in sorted(entries, key=lambda entry: (entry.at, entry.key)):
        newest[entry.kind, entry.key if entry.own is None else f"own {entry.own}"] = entry
    return sorted(newest.values(), key=lambda entry: (entry.at, entry.key))
