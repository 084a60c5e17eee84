"""Whether a rule applies to an envelope: the ``when`` of the agreement.

Source: design 6; protocol 2 (facts).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from schemas.agreement import When
from schemas.directory import DirectoryIndex
from schemas.envelope import Header


class Thread(NamedTuple):
    """How the thread stands as a rule looks at it: rules of which a duty is open, and which the envelope settles."""

    owed: frozenset[str] = frozenset()
    settled: frozenset[str] = frozenset()


NEW: Final = Thread()


def says(header: Header, facts: Mapping[str, Collection[str]]) -> bool:
    """Answer whether *header* has, of each of *facts*, one of its codes."""
    # Asked of every rule and answer: a generator would cost more than what it asks.
    said = header.facts
    for fact, codes in facts.items():  # noqa: SIM110
        if said.get(fact) not in codes:
            return False
    return True


def applies(when: When | None, header: Header, index: DirectoryIndex, thread: Thread) -> bool:
    """Answer whether everything that *when* asks is so."""
    if when is None:
        return True
    return (
        could_apply(when, header, index)
        and (not when.owed or not thread.owed.isdisjoint(when.owed))
        and thread.owed.isdisjoint(when.not_owed)
        and (not when.settles or not thread.settled.isdisjoint(when.settles))
    )


def could_apply(when: When | None, header: Header, index: DirectoryIndex) -> bool:
    """Answer whether everything is so that *when* asks of the envelope, however the thread stands."""
    return when is None or (
        says(header, when.facts)
        and when.urgent in (None, header.urgent)
        and (not when.sender or not index.roles_of(header.from_).isdisjoint(when.sender))
    )


def asks_thread(when: When | None) -> bool:
    """Answer whether *when* asks how the thread stands."""
    return when is not None and bool(when.owed or when.not_owed or when.settles)
