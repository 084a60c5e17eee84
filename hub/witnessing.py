"""What the witnesses say of the log: who must have cosigned, who has, and up to where the log counts as witnessed.

Asking them is ``hub.asking``'s, keeping their lines ``hub.ledger``'s.  All of this is read from a few rows, one for
each witness, whatever the log's size.

Source: protocol 7 (``witnesses``) and 8; schemas.witnessing; docs/witnesses.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from hub.core.authenticity import counts_as_witness
from hub.registry import Snapshot, witness_name
from hub.store.rows import WitnessRow
from hub.store.transaction import Transaction
from keys import notes
from keys.digests import b64u
from schemas.identifiers import Moment
from schemas.witnessing import Policy, expand, in_words, parse_policy, witnessed_size

# A witness's word about the time counts for so long, and is off beyond so much.
HEARD_SECONDS: Final = 3600.0
MAX_SKEW: Final = 60_000

_policy = lru_cache(maxsize=8)(parse_policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One who may cosign.

    ``title`` is the agency's id or the outsider's name in the policy, ``name`` the key's.  ``size`` is the largest tree
    that it cosigned, at ``said_at`` by its own clock; 0 where none.  ``error``: why asking it failed last.
    """

    name: str
    title: str
    kind: Literal["agency", "outsider"]
    size: int = 0
    said_at: Moment | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """How far the log is witnessed.

    ``size``, ``root``, ``at``: the last checkpoint; 0, empty and ``None`` before the first.  ``witnessed_size``: the
    largest size with a quorum, whose checkpoint was signed at ``witnessed_at``; 0 and ``None`` where there is none.
    ``quorum``: who must cosign, in words; empty where the directory asks for nobody.
    """

    size: int
    root: str
    at: Moment | None
    witnessed_size: int
    witnessed_at: Moment | None
    quorum: str
    witnesses: tuple[Witness, ...]

    @property
    def is_defined(self) -> bool:
        """Answer whether the directory says who must cosign."""
        return bool(self.quorum)

    @property
    def is_witnessed(self) -> bool:
        """Answer whether anything of the log is witnessed; pages say "not witnessed" until it is."""
        return self.witnessed_size > 0

    def covers(self, index: int) -> bool:
        """Answer whether the leaf *index* is in the witnessed part of the log."""
        return index < self.witnessed_size


def policy_of(snapshot: Snapshot) -> Policy:
    """Return the directory's witness policy."""
    return _policy(snapshot.directory.directory.witnesses)


def verifiers(snapshot: Snapshot, now: Moment) -> tuple[str, ...]:
    """Return the verifier key of everybody whose cosignature is kept: the agencies' gateways and the outsiders."""
    return (*snapshot.witnesses(now), *(one.verifier for one in policy_of(snapshot).outsiders))


def _agencies(snapshot: Snapshot, now: Moment) -> Mapping[str, str]:
    """Return, by key name, the agencies that count: in the directory, not ended, with an active key to witness."""
    index = snapshot.directory
    agencies = {key.agency for key in snapshot.keys.values() if counts_as_witness(key, index, now)}
    return {witness_name(index.directory.hub.origin, agency): agency for agency in sorted(agencies)}


def expanded_policy(snapshot: Snapshot, now: Moment) -> str:
    """Return the policy as any C2SP tool reads it, with the agencies of *now* spelt out."""
    directory = snapshot.directory.directory
    keys = {
        key.agency: notes.witness_verifier(witness_name(directory.hub.origin, key.agency), snapshot.verifying[key.kid])
        for key in snapshot.keys.values()
        if counts_as_witness(key, snapshot.directory, now)
    }
    return expand(directory.witnesses, directory.hub.checkpoint, dict(sorted(keys.items())))


def state(tx: Transaction, snapshot: Snapshot, now: Moment) -> Witnessed:
    """Return how far the log is witnessed at *now*."""
    policy, agencies = policy_of(snapshot), _agencies(snapshot, now)
    known = {tuple(verifier.split("+")[:2]) for verifier in verifiers(snapshot, now)}

    def describe(name: str, title: str, kind: Literal["agency", "outsider"]) -> Witness:
        row = tx.find_witness(name) or WitnessRow(name)
        # What a key cosigned that has been replaced or revoked since counts no more.
        if (name, row.key_id) not in known:
            return Witness(name=name, title=title, kind=kind, error=row.error)
        return Witness(name=name, title=title, kind=kind, size=row.size, said_at=row.said_at, error=row.error)

    found = (
        *(describe(name, agency, "agency") for name, agency in agencies.items()),
        *(describe(one.key_name, one.name, "outsider") for one in policy.outsiders),
    )
    reached = witnessed_size(policy, agencies, {one.name: one.size for one in found})
    last = tx.last_checkpoint()
    size, at, note = last or (0, None, None)
    return Witnessed(
        size=size,
        root=b64u(notes.Checkpoint.parse(notes.split_note(note)[0]).root) if note else "",
        at=at,
        witnessed_size=reached,
        witnessed_at=tx.checkpoint_moment(reached) if reached else None,
        quorum=in_words(policy, agencies),
        witnesses=found,
    )


def cosigned(tx: Transaction, name: str, size: int) -> str | None:
    """Return the checkpoint of *size* as a note with the line of the witness *name* alone, ``None`` where there is none."""
    note = tx.find_checkpoint(size) if size else None
    line = tx.find_cosignature(size, name) if size else None
    return f"{notes.split_note(note)[0]}\n{line}" if note and line else None


@dataclass(slots=True)
class Times:
    """What the witnesses' clocks say of ours: who signs the time has to have one.

    Only the last word of each counts, and for an hour; age is counted in real seconds, for it is our clock that is asked
    about.
    """

    monotonic: Callable[[], float] = time.monotonic
    _heard: dict[str, tuple[int, float]] = field(default_factory=dict)

    def hear(self, name: str, said: Moment, now: Moment) -> None:
        """Take that *name* signed at *said* what we took at *now*, a moment later."""
        self._heard[name] = (said - now, self.monotonic())

    def in_doubt(self) -> bool:
        """Answer whether more than half of the witnesses, and at least two, have our clock wrong in one direction."""
        since = self.monotonic() - HEARD_SECONDS
        skews = [skew for skew, at in self._heard.values() if at >= since]
        fast, slow = (sum(sign * skew > MAX_SKEW for skew in skews) for sign in (1, -1))
        return max(fast, slow) >= 2 and 2 * max(fast, slow) > len(skews)
