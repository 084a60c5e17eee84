"""Whose is it?  Judged from facts that ``keys`` has verified and the directory states.

Source: protocol 1, 3 and 7.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from hub.errors import Refusal
from schemas.directory import DirectoryIndex
from schemas.envelope import Struct
from schemas.identifiers import AgencyId, KeyId, MailboxId, Moment, agency_of


class Caller(NamedTuple):
    """Who a request comes from; ``mailbox`` where the key is one mailbox's own and speaks for no other.

    A program of the partnership's has no key: ``program`` is its token's id and ``account`` who made it.
    """

    agency: AgencyId
    mailbox: MailboxId | None
    kid: KeyId
    expires: Moment
    program: str | None = None
    account: str | None = None

    def speaks_for(self, mailbox: MailboxId) -> bool:
        """Answer whether the caller may act as *mailbox*."""
        return self.mailbox == mailbox if self.mailbox else agency_of(mailbox) == self.agency


class KeyFact(Struct, frozen=True, kw_only=True):
    """What the registry knows of one key.

    ``usable_from``: 24 hours after the hub took the statement, or at once with an officer's word.  ``suspended``: two people
    of the partnership have asked the hub to take nothing by it until they know more; what its agency says stands.
    """

    kid: KeyId
    agency: AgencyId
    mailbox: MailboxId | None
    use: Literal["sign", "seal", "witness"]
    state: Literal["active", "retired", "revoked"]
    not_before: Moment
    expires: Moment
    usable_from: Moment
    compromised_from: Moment | None = None
    suspended: bool = False


SUSPENDED: Final = Refusal(
    code="key-suspended",
    message="the partnership has suspended the key",
    hint="speak to the partnership's business manager, or use another current key",
)


def is_usable(key: KeyFact, use: str, now: Moment) -> bool:
    """Answer whether *key* may be put to *use* at *now*."""
    begins = max(key.not_before, key.usable_from)
    return key.use == use and key.state == "active" and not key.suspended and begins <= now < key.expires


def counts_as_witness(key: KeyFact, index: DirectoryIndex, now: Moment) -> bool:
    """Answer whether by *key* its agency is one of those of whom a majority must cosign.

    A key that can't be used yet, or is suspended, makes its agency count all the same: keeping somebody from cosigning
    shall not make a majority of the others.
    """
    return (
        key.use == "witness"
        and key.state == "active"
        and now < key.expires
        and index.find_agency(key.agency) is not None
        and not index.has_agency_ended(key.agency, now)
    )


def answers_for(agency: AgencyId, of: AgencyId, index: DirectoryIndex, now: Moment) -> bool:
    """Answer whether *agency* is *of*, or an open successor of it once that has ended."""
    if agency == of:
        return True
    entry = index.find_agency(agency)
    is_open = entry is not None and entry.valid_from <= now and (entry.valid_to is None or now < entry.valid_to)
    return is_open and index.is_same_or_successor(agency, of, now)


def judge_signer(
    key: KeyFact | None, caller: AgencyId, mailbox: MailboxId, index: DirectoryIndex, now: Moment
) -> Refusal | None:
    """Return why *key* does not speak for *mailbox* on behalf of *caller* at *now*, or ``None``.

    What an ended agency left behind is its successor's to take, to take back and to seal again.
    """
    if key is None:
        return Refusal(
            code="key-unknown",
            message="the signing key is not in the directory",
            hint="publish the key and wait until it is active, or sign with a current one",
        )
    if key.agency != caller or not answers_for(caller, agency_of(mailbox), index, now):
        return Refusal(
            code="sender-not-caller",
            message="the signing key, the caller and the mailbox are not of one agency",
            hint="send from a mailbox of your own agency, or of one that has ended and that you succeed",
        )
    if key.mailbox not in (None, mailbox):
        return Refusal(
            code="sender-not-caller",
            message="the signing key belongs to another mailbox of the agency",
            hint="sign with the agency's key or the mailbox's own",
        )
    if key.suspended:
        return SUSPENDED
    if not is_usable(key, "sign", now):
        return Refusal(
            code="key-not-active",
            message="the signing key is not active now: retired, revoked, expired, or younger than its cool-off",
            hint="sign with a current key, or have an officer approve the new one",
        )
    return None
