"""What the parts of a running gateway share, made in dependency order by ``agent.open_gateway``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.base import Adapter
from adapters.gateway import notices
from adapters.gateway.client import Client
from adapters.gateway.config import Clock, Config, MailboxConfig
from adapters.gateway.keystore import KeyFile
from adapters.gateway.matching.desk import Desk
from adapters.gateway.pacing import Pacer
from adapters.gateway.partnership import Partnership
from adapters.gateway.quorum import Quorum
from adapters.gateway.register.store import Register
from adapters.gateway.spool import Spool, Transaction
from adapters.gateway.witness import Witness
from keys.keyring import Keyring
from schemas.catalogue import Catalogue
from schemas.identifiers import MailboxId, MessageType


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One agency's gateway."""

    config: Config
    home: Path
    keyfile: KeyFile
    spool: Spool
    register: Register
    client: Client
    witness: Witness
    partnership: Partnership
    quorum: Quorum
    adapters: Mapping[str, Adapter]
    catalogue: Catalogue
    clock: Clock
    atrisk: Desk | None = None
    pacer: Pacer = field(default_factory=lambda: Pacer(300.0))

    @property
    def keyring(self) -> Keyring:
        """Return the agency's keys as they are now; change them by ``keyfile`` only."""
        return self.keyfile.keyring

    def adapter_for(self, mailbox: MailboxId | None, kind: MessageType = "") -> Adapter | None:
        """Return the adapter that files for *mailbox*, or ``None`` where people do.

        Messages of a *kind* that the gateway's at-risk desk takes go there, whoever files the rest.
        """
        if self.atrisk is not None and self.atrisk.takes(mailbox, kind):
            return self.atrisk
        box = self.desk_of(mailbox) if mailbox else None
        return self.adapters.get(box.adapter) if box else None

    def desk_of(self, mailbox: MailboxId) -> MailboxConfig | None:
        """Return the settings of *mailbox*, or where it has ended of the one here that answers for it."""
        own = self.config.find_mailbox(mailbox)
        if own is not None or not self.partnership.is_known:
            return own
        heirs = self.partnership.books.index.open_heirs(mailbox, self.clock())
        return next((found for heir in heirs if (found := self.config.find_mailbox(heir))), None)

    def mailboxes(self) -> Iterable[MailboxId]:
        """Yield the mailboxes served."""
        return (box.id for box in self.config.mailboxes)

    async def tell(
        self,
        tx: Transaction,
        code: str,
        topic: str,
        *,
        mailbox: MailboxId | None = None,
        details: Mapping[str, object] | None = None,
    ) -> bool:
        """Put a notice of the gateway's own into the spool, as :func:`notices.tell` says; answer whether it is new."""
        return await notices.tell(tx, self.clock(), code, topic, mailbox=mailbox, details=details)
