"""Keys that the hub takes nothing by until people know more.

Two people of the partnership suspend a signing key, and two let it be used again.  From then on the hub gives it no token and
takes nothing that it signs.  That is the hub's own refusal: what the agency says of its keys, by its identity key, stays the
truth, and only that revokes one.

Source: protocol 7 and 9; promises P11.
"""

from __future__ import annotations

from typing import Final

from hub import ledger, registry
from hub.core.events import Event, EventName
from hub.errors import HubError
from hub.store.people_rows import ProposalRow
from hub.store.rows import KeyRow, SuspensionRow
from hub.store.transaction import Transaction
from schemas.envelope import Struct
from schemas.identifiers import KeyId, Moment

REASONS: Final = ("key_stolen", "gateway_lost", "unknown_use", "agency_asks")
READMIT_REASONS: Final = ("found_sound", "suspended_in_error")


class Suspend(Struct, frozen=True, kw_only=True):
    """The signing key that is proposed to be suspended."""

    kid: KeyId


class Readmit(Struct, frozen=True, kw_only=True):
    """The suspended key that is proposed to be let in again."""

    kid: KeyId


def check_suspend(tx: Transaction, about: Suspend, _: Moment) -> None:
    """Raise where the key can't be suspended.

    Raises:
        HubError: ``suspension-key``.
    """
    key = _find_key(tx, about.kid)
    if key is None or key.use != "sign" or key.state == "revoked":
        raise HubError("suspension-key", "this is no signing key that could be used", "choose one that is active")
    if _is_suspended(tx, about.kid):
        raise HubError("suspension-key", "the key is suspended already", "nothing is left to do")


def suspend(tx: Transaction, about: Suspend, row: ProposalRow, at: Moment) -> None:
    """Suspend a key by what two people agreed on; every process of the hub refuses it with its next look."""
    at = ledger.moment(tx, at)
    index = _log(tx, "key-suspended", about.kid, row, at)
    tx.add_suspension(SuspensionRow(about.kid, row.reason, at, index, row.id))
    registry.bump(tx)


def check_readmit(tx: Transaction, about: Readmit, _: Moment) -> None:
    """Raise where the key isn't suspended.

    Raises:
        HubError: ``suspension-none``.
    """
    if not _is_suspended(tx, about.kid):
        raise HubError("suspension-none", "the key isn't suspended", "nothing is left to do")


def readmit(tx: Transaction, about: Readmit, row: ProposalRow, at: Moment) -> None:
    """End a suspension by what two people agreed on."""
    _log(tx, "key-readmitted", about.kid, row, ledger.moment(tx, at))
    tx.drop_suspension(about.kid)
    registry.bump(tx)


def _find_key(tx: Transaction, kid: KeyId) -> KeyRow | None:
    return next(reversed(tx.key_history(kid)), None)


def _is_suspended(tx: Transaction, kid: KeyId) -> bool:
    return any(row.kid == kid for row in tx.suspensions())


def _log(tx: Transaction, event: EventName, kid: KeyId, row: ProposalRow, at: Moment) -> int:
    key = _find_key(tx, kid)
    agency, mailbox = (key.agency, key.mailbox) if key else (None, None)
    said = Event(event=event, agency=agency, mailbox=mailbox, kid=kid, by=row.id, outcome=row.reason)
    return ledger.append(tx, said, at)
