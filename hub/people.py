"""Accounts at the console: begun with a code, changed, ended; and the sessions of who has signed in.

Each act is in the log before it takes effect, in the transaction that does it.  An account is never deleted.  Whoever gives
somebody the code to begin with could use it themselves, so that the two never count as two people (``hub.acts``).

Source: DESIGN 6 (transport identity); promises 2 (administrator); OWASP on session fixation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from hub import ledger
from hub.core.events import Event, EventName
from hub.core.rights import ROLES, Role
from hub.errors import HubError
from hub.store.people_rows import AccountRow
from hub.store.transaction import Transaction
from keys.codes import make_code, read_code
from keys.digests import b64u, new_id, random_bytes, sha256_b64u
from schemas.identifiers import Moment

HOUR: Final = 3_600_000
CODE_HOURS: Final = 72
MAX_NAME: Final = 100
MAX_LOGIN: Final = 200


def check_login(login: str) -> str:
    """Return *login* as it is kept.

    Raises:
        HubError: ``account-login``.
    """
    tidy = login.strip().casefold()
    if not re.fullmatch(r"[!-~]{1,200}", tidy):
        raise HubError("account-login", "that is no login", "give an e-mail address, or a name without spaces")
    return tidy


def check_name(name: str) -> str:
    """Return a person's *name* as it is kept.

    Raises:
        HubError: ``account-name``.
    """
    tidy = " ".join(name.split())
    if not tidy or len(tidy) > MAX_NAME or not tidy.isprintable():
        raise HubError(
            "account-name", f"a name has 1 to {MAX_NAME} characters", "give the name by which people know them"
        )
    return tidy


def check_roles(roles: Iterable[str]) -> tuple[Role, ...]:
    """Return *roles* as they are kept.

    Raises:
        HubError: ``account-role``.
    """
    given = frozenset(roles)
    if not given or not given <= frozenset(ROLES):
        raise HubError("account-role", "that is no role at the console", f"use one of {', '.join(ROLES)}")
    return tuple(role for role in ROLES if role in given)


def get_account(tx: Transaction, name: str) -> AccountRow:
    """Return the active account *name*.

    Raises:
        HubError: ``account-unknown``, ``account-ended``.
    """
    found = tx.find_account(name)
    if found is None:
        raise HubError("account-unknown", "there is no such account", "see the list of accounts")
    if found.state != "active":
        raise HubError("account-ended", "that account has ended", "add one anew")
    return found


def add_account(tx: Transaction, by: str | None, login: str, name: str, roles: Iterable[str], at: Moment) -> str:
    """Add an account and return its id; *by* is the account that does it, or ``None``: the command line.

    Raises:
        HubError: ``account-exists``, ``account-login``, ``account-name``, ``account-role``.
    """
    row = AccountRow(new_id(at), check_login(login), check_name(name), check_roles(roles), "active", 1, at)
    if tx.find_account_by_login(row.login) is not None:
        raise HubError("account-exists", "there is an account with that login", "see the list of accounts")
    _note(tx, "account-added", by, row.id, at)
    tx.add_account(row)
    return row.id


def change_roles(tx: Transaction, by: str | None, account: str, roles: Iterable[str], at: Moment) -> None:
    """Give *account* other roles; its sessions go on with them.

    Raises:
        HubError: ``account-unknown``, ``account-ended``, ``account-role``.
    """
    row = replace(get_account(tx, account), roles=check_roles(roles))
    _note(tx, "account-changed", by, account, at)
    tx.set_account(row)


def end_account(tx: Transaction, by: str | None, account: str, at: Moment) -> None:
    """End *account*: no way in is left, and what it did stays on record.

    Raises:
        HubError: ``account-unknown``, ``account-ended``.
    """
    row = get_account(tx, account)
    _note(tx, "account-ended", by, account, at)
    tx.set_account(replace(row, state="ended"))
    _lock_out(tx, row, None)


def give_code(tx: Transaction, by: str | None, account: str, at: Moment) -> str:
    """Return a new code for *account* to begin with; every way in that it had before ends.

    Raises:
        HubError: ``account-unknown``, ``account-ended``.
    """
    row, code = get_account(tx, account), make_code()
    _note(tx, "account-code-given", by, account, at)
    _lock_out(tx, row, by)
    tx.set_account_code(account, sha256_b64u(read_code(code).encode()), at + CODE_HOURS * HOUR)
    return code


def find_code(tx: Transaction, code: str, now: Moment) -> AccountRow | None:
    """Return the account that *code*, as somebody typed it, is for, if it still counts."""
    account = tx.find_account_code(sha256_b64u(read_code(code).encode()), now)
    found = tx.find_account(account) if account else None
    return found if found is not None and found.state == "active" else None


def begin_session(tx: Transaction, account: str, how: str, at: Moment, *, instead_of: str = "") -> str:
    """Begin a session for *account*, which has just proved who it is; return the browser's token, always a new one.

    *how*: ``passkey``, ``password``, ``oidc`` or ``code``; *instead_of* the token that the browser had.

    Raises:
        HubError: ``account-unknown``, ``account-ended``.
    """
    get_account(tx, account)
    token = b64u(random_bytes(32))
    event = Event(event="signed-in", person=account, outcome=how)
    ledger.append(tx, event, ledger.moment(tx, at))
    if instead_of:
        tx.drop_account_session(digest_of(instead_of))
    tx.add_account_session(digest_of(token), account, b64u(random_bytes(16)), at)
    return token


def digest_of(token: str) -> str:
    """Return by what the database knows a browser's or a program's *token*."""
    return sha256_b64u(token.encode())


def _lock_out(tx: Transaction, row: AccountRow, by: str | None) -> None:
    tx.set_account_secrets(replace(row, password=None, otp=None, otp_used=0, subject=None, invited_by=by))
    tx.drop_account_passkeys(row.id)
    tx.drop_account_sessions(row.id)
    tx.drop_account_code(row.id)


def _note(tx: Transaction, event: EventName, by: str | None, about: str, at: Moment) -> None:
    ledger.append(tx, Event(event=event, person=by, about=about), ledger.moment(tx, at))
