"""Whom a rule means: the words for debtors and creditors, and for those who are told.

Selectors are resolved against the directory at the moment of acceptance; targets, when a step is taken.
"""

from __future__ import annotations

from typing import Final

from schemas.directory import DirectoryIndex
from schemas.envelope import Header, Item
from schemas.identifiers import MailboxId, Moment, agency_of

PLAIN: Final = frozenset({"sender", "recipients", "each-party", "own-party", "item-owner"})
NAMED: Final = frozenset({"party", "role", "mailbox", "unnamed"})
TARGETS: Final = frozenset(
    {
        "debtor",
        "debtor/manager",
        "debtor/deputy",
        "debtor/out_of_hours",
        "creditor",
        "creditor/manager",
        "creditor/deputy",
        "creditor/out_of_hours",
    }
)
ITEM_OWNER: Final = "item-owner"
# Of a re-homing alone: whoever was owed what the envelope settles.
CREDITOR: Final = "creditor"


def resolve(
    selector: str, header: Header, item: Item | None, index: DirectoryIndex, at: Moment
) -> tuple[MailboxId, ...]:
    """Return the mailboxes that *selector* means for this envelope; none where nobody fits.

    ``sender`` · ``recipients`` · ``each-party`` (but the sender) · ``own-party`` (those of the sender's agency) · ``party:<role>`` · ``role:<role>`` (every open
    mailbox that has the role itself or through its agency) · ``unnamed:<role>/<post>`` (as ``role:<post>``, where neither
    a recipient nor a party nor the sender has the role) · ``mailbox:<id>`` · ``item-owner`` (of *item*).
    """
    word, _, name = selector.partition(":")
    match word:
        case "sender":
            return (header.from_,)
        case "recipients":
            return header.to
        case "each-party":
            return tuple(party for party in header.parties if party != header.from_)
        case "own-party":
            own = agency_of(header.from_)
            return tuple(party for party in header.parties if party != header.from_ and agency_of(party) == own)
        case "party":
            return tuple(party for party in header.parties if name in index.roles_of(party))
        case "role" | "mailbox":
            return resolve_role(selector, index, at)
        case "unnamed":
            role, post = split_unnamed(name)
            named = (*header.parties, *header.to, header.from_)
            return () if any(role in index.roles_of(box) for box in named) else index.mailboxes_with(post, at)
        case _:
            return (item.owner,) if item else ()


def resolve_role(selector: str, index: DirectoryIndex, at: Moment) -> tuple[MailboxId, ...]:
    """Return the mailboxes that ``role:<role>`` or ``mailbox:<id>`` means at *at*, whatever the envelope."""
    word, _, name = selector.partition(":")
    return index.mailboxes_with(name, at) if word == "role" else (name,)


def split_unnamed(name: str) -> tuple[str, str]:
    """Return role and post of ``<role>/<post>``: who should be named, and who is meant where nobody is."""
    role, _, post = name.partition("/")
    return role, post or role
