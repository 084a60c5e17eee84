"""Tokens of programs that read the log or the figures: for one use, for a while, made by a person who may do the same.

The database has a token's digest; it is shown once.  It starts with ``shp_``, so that scanners for leaked secrets know it.

Source: issue of the audit-log API (least-privilege tokens); OWASP on API keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from hub import ledger, people
from hub.core.events import Event
from hub.core.rights import SCOPE_RIGHTS, SCOPES, Scope, rights_of
from hub.errors import HubError, NotAuthenticError
from hub.store.people_rows import ProgramRow
from hub.store.transaction import Transaction
from keys.digests import b64u, new_id, random_bytes
from schemas.envelope import DAY
from schemas.identifiers import Moment

PREFIX: Final = "shp_"
MOST_DAYS: Final = 90
MAX_NAME: Final = 60


class Program(NamedTuple):
    """A program that asks, by its token: the token's id, who made it, and what it may be used for."""

    id: str
    account: str
    scopes: frozenset[Scope]


def add_program(
    tx: Transaction, by: str, name: str, scopes: Iterable[str], days: int, at: Moment
) -> tuple[ProgramRow, str]:
    """Make a token that lasts *days* days; return its row and the token, which is shown this once.

    Raises:
        HubError: ``program-name``, ``program-scope``, ``program-days``, ``act-right``, ``account-ended``.
    """
    tidy, wanted = " ".join(name.split()), check_scopes(scopes)
    if not tidy or len(tidy) > MAX_NAME or not tidy.isprintable():
        raise HubError("program-name", f"a name has 1 to {MAX_NAME} characters", "say which program it is for")
    if not 1 <= days <= MOST_DAYS:
        raise HubError("program-days", f"a token lasts 1 to {MOST_DAYS} days", "make a new one when it ends")
    rights = rights_of(people.check_roles(people.get_account(tx, by).roles))
    if not rights.issuperset(SCOPE_RIGHTS[scope] for scope in wanted):
        raise HubError("act-right", "nobody gives a program more than they may do themselves", "ask who may")
    row = ProgramRow(new_id(at), by, tidy, wanted, at, at + days * DAY)
    token = PREFIX + b64u(random_bytes(32))
    ledger.append(tx, Event(event="program-added", person=by, by=row.id), ledger.moment(tx, at))
    tx.add_program(row, people.digest_of(token))
    return row, token


def end_program(tx: Transaction, by: str, name: str, at: Moment) -> None:
    """End a token at once; ending it again changes nothing.

    Raises:
        HubError: ``program-unknown``.
    """
    row = tx.find_program(name)
    if row is None:
        raise HubError("program-unknown", "there is no such token", "see the list")
    if row.until > at:
        ledger.append(tx, Event(event="program-ended", person=by, by=name), ledger.moment(tx, at))
        tx.end_program(name, at)


def check_scopes(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """Return *scopes* as they are kept.

    Raises:
        HubError: ``program-scope``.
    """
    given = frozenset(scopes)
    if not given or not given <= frozenset(SCOPES):
        raise HubError("program-scope", "that is nothing a token may be for", f"use one or more of {', '.join(SCOPES)}")
    return tuple(scope for scope in SCOPES if scope in given)


def find_program(tx: Transaction, token: str, now: Moment) -> Program:
    """Return whose *token* it is, while it counts and for no more than who made it may still do.

    Raises:
        NotAuthenticError: ``token-invalid``, ``token-expired``.
    """
    row = tx.find_program_by_token(people.digest_of(token))
    if row is None:
        raise NotAuthenticError("token-invalid", "the access token isn't valid", "ask for a new one")
    account = tx.find_account(row.account)
    if row.until <= now or account is None or account.state != "active":
        raise NotAuthenticError("token-expired", "the access token has ended", "ask for a new one")
    rights = rights_of(people.check_roles(account.roles))
    return Program(
        row.id, row.account, frozenset(scope for scope in check_scopes(row.scopes) if SCOPE_RIGHTS[scope] in rights)
    )
