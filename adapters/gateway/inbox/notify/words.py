"""The only words that leave: how many items, a random reference, and where the inbox is.

Whoever renders a notification gets these three and nothing else, so that nothing else can get in.

Source: design 2 (8); domain 11 (risk 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from schemas.identifiers import Moment
from schemas.strict_json import dump


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a notification says.  ``reference`` is random; ``address`` is the inbox's, as configured."""

    items: int
    reference: str
    address: str
    at: Moment


def say(items: int) -> str:
    """Return the sentence."""
    return f"You have {items} item{'' if items == 1 else 's'} in the safeguarding hub"


def make_mail(told: Told, *, sender: str, to: str) -> EmailMessage:
    """Return the mail; its Message-ID is the reference, so that one sent again is known for the same."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = say(told.items), sender, to
    mail["Date"] = format_datetime(datetime.fromtimestamp(told.at / 1000, UTC))
    mail["Message-ID"] = f"<{told.reference}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{say(told.items)}.\n\n{told.address}\n\nReference: {told.reference}\n")
    return mail


def make_hook(told: Told, person: str) -> bytes:
    """Return what a webhook is told: the same, and which of the agency's own accounts it is for, by its random id."""
    data = {"items": told.items, "reference": told.reference, "address": told.address, "person": person}
    return dump({"type": "inbox.items", "data": data})
