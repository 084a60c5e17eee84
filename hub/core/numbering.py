"""The numbers that feeds give, as the log commits to them: none is left out, none is given twice, none for nothing.

Every number that a feed ever gave is digested, in the order of giving, into one digest; an entry ``numbers-given`` says how
many there were and that digest, before each checkpoint.  So whoever holds an entry of a feed, and an export, can tell
whether the hub numbered it so for everybody.

Source: protocol 6 and 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hub.core.events import Leaf
from schemas.identifiers import MailboxId, Moment

# A hub that accepts tells the numbers within a second, and an hour of the log without a word of them is no hiccup.
GRACE: Final = 3_600_000


class Given(NamedTuple):
    """One number: the mailbox whose feed gave it, and the kind and reference of what got it."""

    mailbox: MailboxId
    number: int
    kind: str
    ref: str

    def line(self) -> bytes:
        """Return what is digested: the members by spaces, and a line feed."""
        return f"{self.mailbox} {self.number} {self.kind} {self.ref}\n".encode()


class Entry(NamedTuple):
    """What must get a number in the feed of a mailbox."""

    mailbox: MailboxId
    kind: str
    ref: str


@dataclass(slots=True)
class Numbers:
    """The numbers of one log told again.

    Args:
        given: every number, in the order of giving.
        chain: the digest over all numbers up to a line, from the one over those before it, "" at first.
        is_delivered: whether a mailbox is a recipient of an envelope that was accepted.
    """

    given: Iterator[Given]
    chain: Callable[[str, bytes], str]
    is_delivered: Callable[[Entry], bool]
    count: int = 0
    digest: str = ""
    last: dict[MailboxId, int] = field(default_factory=dict)
    owed: dict[Entry, Moment] = field(default_factory=dict)
    told: bool = False

    def owe(self, mailboxes: Iterable[MailboxId], kind: str, ref: str, at: Moment) -> None:
        """Tell that *ref* was accepted at *at*, and must get a number in the feed of each of *mailboxes*."""
        self.owed.update({Entry(mailbox, kind, ref): at for mailbox in mailboxes})

    def tell(self, leaf: Leaf) -> Iterator[str]:
        """Hold an entry ``numbers-given`` against the numbers; yield what is wrong."""
        is_first, self.told = not self.told, True
        while self.count < (leaf.given or 0):
            one = next(self.given, None)
            if one is None:
                yield "it tells of more numbers than the export holds"
                return
            self.count += 1
            self.digest = self.chain(self.digest, one.line())
            # A hub that kept no account at first had given numbers already.
            before = self.last.get(one.mailbox, one.number - 1 if is_first else 0)
            if one.number != before + 1:
                yield f"number {one.number} in the feed of {one.mailbox} follows {before}"
            self.last[one.mailbox] = one.number
            entry = Entry(one.mailbox, one.kind, one.ref)
            if self.owed.pop(entry, None) is None and not self._is_besides(entry):
                yield f"number {one.number} in the feed of {one.mailbox} is for nothing that was accepted"
        if (leaf.given, leaf.digest) != (self.count, self.digest):
            yield "the numbers that the export holds are not those that were given"
        if not is_first or all(number == 1 for number in self.last.values()):
            yield from (f"{entry.ref} got no number in the feed of {entry.mailbox}" for entry in self.owed)
        self.owed.clear()

    def _is_besides(self, entry: Entry) -> bool:
        """Answer whether *entry* may get a number without having just been accepted: what is delivered again, or said by the hub."""
        return entry.kind == "notice" or (entry.kind == "delivery" and self.is_delivered(entry))

    def finish(self, at: Moment) -> Iterator[str]:
        """Tell that the log ends at *at*; yield what is wrong with what is left."""
        if next(self.given, None) is not None:
            yield "numbers that no entry tells of"
        if self.told and min(self.owed.values(), default=at) < at - GRACE:
            yield "what was accepted more than an hour ago has no number"
