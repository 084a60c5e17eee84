"""The at-risk desk: an adapter that lives in the gateway itself, since it needs the spool's key and no record system.

What it files never reaches another adapter: neither a list nor a query lies in a folder that people read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from adapters.base import Incoming, Outcome, Outgoing
from adapters.errors import GatewayError
from adapters.gateway.config import Clock, Config
from adapters.gateway.matching import clinic, issuer
from adapters.gateway.matching.policy import check_policy
from adapters.gateway.matching.room import EVALUATED, PUBLISH, QUERY, WITHDRAW, Room
from adapters.gateway.spool import Spool
from keys import matching
from schemas.identifiers import MailboxId, MessageType


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One side of the at-risk list at one gateway; an :class:`adapters.base.Adapter`."""

    room: Room

    def takes(self, mailbox: MailboxId | None, kind: MessageType) -> bool:
        """Answer whether messages of *kind* for *mailbox* are the desk's."""
        if self.room.config.issuer is not None:
            return mailbox == self.room.config.issuer and kind == QUERY
        return mailbox == self.room.config.clinic and kind in {PUBLISH, WITHDRAW, EVALUATED}

    def is_clinician(self, teams: Collection[MailboxId], duties: Collection[str]) -> bool:
        """Answer whether somebody of *teams*, with *duties*, sees the patients of the clinic that the list comes to."""
        return self.room.config.clinic in teams and not {"practitioner", "manager"}.isdisjoint(duties)

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Yield what waits to be sent."""
        side = issuer if self.room.config.issuer is not None else clinic
        async for outgoing in side.collect(self.room):
            yield outgoing

    async def file(self, message: Incoming) -> Outcome:
        """Take *message*; repeated, it changes nothing."""
        if self.room.config.issuer is not None:
            return await issuer.file(self.room, message)
        return await clinic.file(self.room, message)


def make_desk(config: Config, spool: Spool, clock: Clock, record_key: bytes) -> Desk | None:
    """Return the desk that *config* asks for, or ``None``.

    Raises:
        GatewayError: ``config``.
        KeysError: ``matching-missing``.
    """
    if config.atrisk is None:
        return None
    check_policy(config.atrisk)
    matching.check_library()
    if config.find_mailbox(config.atrisk.issuer or config.atrisk.clinic or "") is None:
        raise GatewayError("config", "`atrisk` names a mailbox that isn't served here", "add it under [[mailboxes]]")
    room = Room(spool=spool, clock=clock, config=config.atrisk, keep_days=config.keep_days, record_key=record_key)
    return Desk(room=room)
