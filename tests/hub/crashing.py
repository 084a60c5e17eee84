"""What a process that will be killed is given to do."""

from __future__ import annotations

from typing import NamedTuple

from keys.jws import SigningKey


class Journey(NamedTuple):
    """One envelope and the receipts that follow it, each as signed."""

    raw: bytes
    id: str
    receipts: tuple[bytes, ...]


class Work(NamedTuple):
    """Journeys to hand in, in which order, at what time, signed by which seed."""

    journeys: tuple[Journey, ...]
    order: tuple[int, ...]
    now: int
    seed: bytes

    def signer(self) -> SigningKey:
        """Return the hub's signing key."""
        return SigningKey.from_seed(self.seed)
