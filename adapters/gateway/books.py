"""What the partnership has signed, ready to be asked: who is who, whose key is whose, which rules are in force.

Pure: built from documents and statements that ``trust`` verified; reads no clock.

Source: protocol 3 (sender's key), 7 (keys).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.errors import GatewayError, NotYetError
from adapters.gateway.trust import Stated, members
from keys.jws import VerifyingKey, thumbprint
from keys.sealing import SealingKey
from schemas.agreement import Agreement
from schemas.directory import Directory, DirectoryIndex, KeyStatement
from schemas.identifiers import AgencyId, KeyId, MailboxId, Moment, agency_of
from schemas.rules.compiled import Rules


@dataclass(slots=True)
class KeyHistory:
    """One key and everything its agency has said of it, in the log's order."""

    kid: KeyId
    stated: list[Stated] = field(default_factory=list)

    @property
    def last(self) -> KeyStatement:
        """Return the newest statement."""
        return self.stated[-1].statement

    def was_good(self, at: Moment, index: int | None = None) -> bool:
        """Answer whether the key could speak for its agency at *at*, by all that is known now.

        It must have been active by the newest statement before the log's *index*; without one, by those up to *at*.
        What was accepted after a revoked key was compromised is not good; without a date, nothing is.
        """
        first, last = self.stated[0].statement, self.last
        if last.state == "revoked" and at >= (
            first.not_before if last.compromised_from is None else last.compromised_from
        ):
            return False
        said = [one.statement for one in self.stated if _was_said(one, at, index)]
        return bool(said) and said[-1].state == "active" and first.not_before <= at < said[-1].expires

    def is_usable(self, now: Moment) -> bool:
        """Answer whether it may be used for something new: active, in the log, and past the hub's cool-off."""
        newest = self.stated[-1]
        begins = max(self.last.not_before, newest.listed.usable_from)
        return newest.proved and self.last.state == "active" and begins <= now < self.last.expires


def _was_said(one: Stated, at: Moment, index: int | None) -> bool:
    if index is not None:
        return one.listed.index < index
    return (one.listed.at or one.statement.issued) <= at


class Books:
    """One consistent view of directory, agreement versions and keys."""

    def __init__(self, directory: Directory, agreements: Sequence[Agreement], stated: Iterable[Stated]) -> None:
        self.directory = directory
        self.index = DirectoryIndex(directory)
        self.rules = tuple(Rules(agreement) for agreement in agreements)
        self.keys: dict[KeyId, KeyHistory] = {}
        self._sealing: dict[KeyId, SealingKey] = {}
        self._last: dict[AgencyId, Stated] = {}
        for one in stated:
            self._last[one.statement.agency] = one
            self.keys.setdefault(one.kid, KeyHistory(one.kid)).stated.append(one)
        self.hub_keys: Mapping[KeyId, VerifyingKey] = {
            thumbprint(members(jwk)): VerifyingKey.from_jwk(members(jwk)) for jwk in directory.hub.signing
        }

    def rules_at(self, now: Moment) -> Rules:
        """Return the agreement in force at *now*: the newest whose day has come, else the first.

        Raises:
            NotYetError: ``agreement-missing``.
        """
        if not self.rules:
            raise NotYetError(
                "agreement-missing", "no sharing agreement is known yet", "wait until the hub is reachable"
            )
        return next((rules for rules in reversed(self.rules) if rules.agreement.in_force_from <= now), self.rules[0])

    def find_signer(
        self, kid: KeyId, mailbox: MailboxId, at: Moment, *, index: int | None = None, heirs: bool = False
    ) -> VerifyingKey | None:
        """Return the key *kid* if it could sign for *mailbox* at *at*, else ``None``; *index* as in ``was_good``.

        *heirs*: also the key of an agency that took over, once the mailbox's own had ended.
        """
        history = self.keys.get(kid)
        if history is None or history.last.use != "sign" or not history.was_good(at, index):
            return None
        agency = agency_of(mailbox)
        if history.last.agency != agency:
            inherits = heirs and self.index.is_same_or_successor(history.last.agency, agency, at)
            if not inherits or history.last.mailbox is not None:
                return None
        elif history.last.mailbox not in (None, mailbox):
            return None
        return VerifyingKey.from_jwk(members(history.last.jwk))

    def is_expired(self, now: Moment) -> bool:
        """Answer whether the directory is past its date: whoever withholds a newer one could hide a stolen key."""
        return self.directory.expires <= now

    def sealing_key(self, mailbox: MailboxId, now: Moment) -> SealingKey:
        """Return the key to seal to for *mailbox*: its own before its agency's, the newest first.

        Raises:
            NotYetError: ``recipient-key-missing``; it has no current key, so what is for it waits.
        """
        usable = [
            key
            for key in self.keys.values()
            if key.last.use == "seal" and key.is_usable(now) and key.last.agency == agency_of(mailbox)
        ]
        own = [key for key in usable if key.last.mailbox == mailbox]
        shared = [key for key in usable if key.last.mailbox is None]
        chosen = max(own or shared, key=lambda key: (key.last.not_before, key.last.sequence), default=None)
        if chosen is None:
            raise NotYetError(
                "recipient-key-missing",
                "a recipient has no sealing key that may be used now",
                "ask the agency to publish one; the message waits",
            )
        if chosen.kid not in self._sealing:
            self._sealing[chosen.kid] = SealingKey.from_jwk(members(chosen.last.jwk))
        return self._sealing[chosen.kid]

    def last_statement(self, agency: AgencyId) -> Stated | None:
        """Return the newest key statement of *agency*."""
        return self._last.get(agency)

    def hub_key(self, kid: KeyId) -> VerifyingKey:
        """Return the hub's signing key *kid*.

        Raises:
            GatewayError: ``hub-key``; the directory does not name it.
        """
        try:
            return self.hub_keys[kid]
        except KeyError:
            raise GatewayError(
                "hub-key",
                "the hub signed with a key that the directory does not name",
                "tell the partnership's officers",
            ) from None

    def foreign_keys(self, agency: AgencyId, mine: Iterable[KeyId], now: Moment) -> list[KeyId]:
        """Return the keys that are active in *agency*'s name and not among *mine*: somebody else made them.

        Expired ones are left out: the agency's own are destroyed when they expire, and nothing is sealed to any.
        """
        own = set(mine)
        return [
            key.kid
            for key in self.keys.values()
            if key.last.agency == agency
            and key.last.state == "active"
            and now < key.last.expires
            and key.kid not in own
        ]
