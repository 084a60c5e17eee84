"""What an agency may say of its keys next: judged from what it said before, by the hub and by whoever verifies it.

Source: protocol 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from hub.errors import Refusal
from schemas.directory import KeyStatement
from schemas.identifiers import AgencyId, KeyId, MailboxId, Moment, Sha256

COOL_OFF: Final = 24 * 3_600_000


class Known(NamedTuple):
    """The last word on one key; ``digest`` is its statement's."""

    kid: KeyId
    agency: AgencyId
    mailbox: MailboxId | None
    use: str
    state: str
    sequence: int
    usable_from: Moment
    digest: Sha256


def judge_statement(
    said: KeyStatement, known: Known | None, mine: Sequence[Known], *, approved: bool, held: bool
) -> Refusal | None:
    """Return why *said* is no statement that its agency may make next, or ``None``.

    Args:
        known: the last word on the same key.
        mine: the last word on each key of the agency.
        approved: an officer's word came with it.
        held: its agency has shown that it holds the key, or need not.
    """
    return _judge_key(said, known, held=held) or _judge_order(said, mine, approved=approved)


def _judge_key(said: KeyStatement, known: Known | None, *, held: bool) -> Refusal | None:
    if known is not None and known.agency != said.agency:
        # Giving a key up needs no proof of possession: without this, anyone could give up anybody's.
        return Refusal("key-foreign", "the key is another agency's", "publish a key of your own")
    if not held:
        return Refusal(
            "key-proof",
            "the statement does not show that its agency holds the key",
            "sign the proof with the new key, or answer the hub's challenge",
        )
    if known is None:
        return None
    if known.state == "revoked":
        return Refusal("key-revoked", "the key was revoked, which is for good", "make a new key and publish that")
    if (known.use, known.mailbox) != (said.use, said.mailbox):
        return Refusal(
            "key-changed", "a known key keeps its use and its mailbox", "make another key for another use or mailbox"
        )
    return None


def _judge_order(said: KeyStatement, mine: Sequence[Known], *, approved: bool) -> Refusal | None:
    newest = max(mine, key=lambda known: known.sequence, default=None)
    sequence = newest.sequence + 1 if newest else 1
    if (said.sequence, said.previous) != (sequence, newest.digest if newest else None):
        return Refusal(
            "key-sequence", f"the agency's next key statement is number {sequence}", "name the last one as `previous`"
        )
    if not approved and not any(known.use == said.use for known in mine):
        return Refusal("key-officer", "an agency's first key needs an officer's word", "have an officer sign for it")
    return None


def usable_from(said: KeyStatement, known: Known | None, at: Moment, *, approved: bool) -> Moment:
    """Return from when the key of *said*, taken at *at*, may be used, its own dates apart."""
    if approved:
        return at
    if known is not None and (known.state == "active" or said.state != "active"):
        return known.usable_from
    # A key that was given up and comes back is as young as a new one: whoever brings it may have stolen it.
    return at + COOL_OFF
