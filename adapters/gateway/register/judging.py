"""Whether a pattern holds for a child now, in the transaction that changed something; and when to look again.

Source: design 2 (9).
"""

from __future__ import annotations

from collections.abc import Iterable

from adapters.gateway.context import Gateway
from adapters.gateway.register import alerts
from adapters.gateway.register.children import find_root
from adapters.gateway.register.entries import Entry, merged
from adapters.gateway.register.patterns import Trigger, count, find_occurrences, next_looks, watched
from adapters.gateway.register.store import entry_of
from adapters.gateway.spool import Transaction
from schemas.agreement import Pattern
from schemas.identifiers import Moment


class Judge:
    """The patterns of the agreement in force that this agency watches for."""

    def __init__(self, gateway: Gateway) -> None:
        """Take them as they are now.

        Raises:
            NotYetError: no directory or no agreement is known yet.
        """
        self._gateway, self._now = gateway, gateway.clock()
        books = gateway.partnership.books
        self._index, self._rules = books.index, books.rules_at(self._now)
        self.patterns = list(watched(self._rules.agreement.patterns, gateway.mailboxes(), books.index))

    async def look_at_changed(self, tx: Transaction, changed: Iterable[Entry], trigger: Trigger | None = None) -> None:
        """Look at each child of whom one of the entries *changed*."""
        since: dict[str, Moment] = {}
        for entry in changed:
            root = await find_root(tx, entry.child) if entry.child else None
            if root is not None:
                since[root] = min(entry.at, since.get(root, entry.at))
        for child, moment in since.items():
            await self.look(tx, child, trigger, moment)

    async def look(
        self, tx: Transaction, child: str, trigger: Trigger | None = None, since: Moment | None = None
    ) -> None:
        """Note every occurrence of a pattern for *child*, each once ever, and when to look at the child again."""
        entries = await find_entries(tx, child)
        for pattern, boxes in self.patterns:
            found = find_occurrences(
                pattern, entries, times=self._rules.timetable, index=self._index, now=self._now, trigger=trigger,
                since=since,
            )  # fmt: skip
            for occurrence in found:
                await alerts.note(tx, self._gateway.register, occurrence, child, boxes, trigger, self._now)
        for entry in entries:
            for at in next_looks((pattern for pattern, _ in self.patterns), entry, self._rules.timetable):
                if at > self._now:
                    await tx.run("add_look", child=child, at=at)

    async def list_children(self, tx: Transaction, pattern: Pattern) -> list[tuple[str, tuple[Entry, ...]]]:
        """Return each child for whom *pattern* holds now, with the entries by which it does."""
        found = []
        for row in await tx.all("children_with", kind=pattern.seen[0].kind):
            entries = await find_entries(tx, row["child"])
            counted = count(pattern, entries, times=self._rules.timetable, moment=self._now, now=self._now)
            if counted:
                found.append((str(row["child"]), counted))
        return found


async def find_entries(tx: Transaction, child: str) -> list[Entry]:
    """Return the entries of *child* and of all who are the same child, in order."""
    return merged(map(entry_of, await tx.all("entries_of", child=child)))
