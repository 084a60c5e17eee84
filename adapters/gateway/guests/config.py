"""The table ``[inbox.guests]`` of ``gateway.toml``: whose mailboxes are guests', who looks after them, how long a link lasts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adapters.errors import GatewayError
from schemas.identifiers import MailboxId


class GuestsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Secure e-mail for those who have nothing else."""

    mailboxes: Annotated[
        tuple[MailboxId, ...],
        Meta(min_length=1, description="The mailboxes that are guests'; no adapter files for them."),
    ]
    desk: Annotated[MailboxId, Meta(description="The team whose desk gives codes, and is told of what went wrong.")]
    telephone: Annotated[
        str,
        Meta(
            max_length=40, pattern=r"\A[0-9+() -]*\Z", description="The desk's number, shown where a code is asked for."
        ),
    ] = ""
    hours: Annotated[int, Meta(ge=1, le=336, description="After how long a link ends.")] = 72
    reminders: Annotated[
        int, Meta(ge=0, le=5, description="How often a link that ended unread is followed by a new one by itself.")
    ] = 1
    code_minutes: Annotated[int, Meta(ge=1, le=60, description="How long a code that the desk read out counts.")] = 15
    tries: Annotated[int, Meta(ge=1, le=10, description="After how many wrong codes a link ends.")] = 5
    session_minutes: Annotated[int, Meta(ge=5, le=120, description="How long a guest has, from the right code on.")] = (
        30
    )


def is_of_desk(guests: GuestsConfig | None, teams: Collection[str], duties: Collection[str]) -> bool:
    """Answer whether somebody of *teams*, with *duties*, sends links and gives codes: who opens messages for the desk."""
    return guests is not None and guests.desk in teams and not {"practitioner", "manager"}.isdisjoint(duties)


def check_guests(guests: GuestsConfig, boxes: Any, *, has_mail: bool) -> None:
    """Hold *guests* to the mailboxes *boxes* that the gateway serves.

    Raises:
        GatewayError: ``config``.
    """
    served = {box.id: box.adapter for box in boxes}
    wrong = ""
    if not {*guests.mailboxes, guests.desk} <= set(served):
        wrong = "a mailbox of [inbox.guests] isn't served here"
    elif guests.desk in guests.mailboxes:
        wrong = "the desk's mailbox is a guests' one"
    elif any(served[box] for box in guests.mailboxes):
        wrong = "an adapter files for a guests' mailbox"
    elif not has_mail:
        wrong = "[inbox.guests] needs a mail server"
    if wrong:
        raise GatewayError("config", wrong, "see docs/agencies/email.md")
