"""Verbs of people and programs at the console, and of what two people have to agree on."""

from __future__ import annotations

from hub.store.people_rows import AccountRow, PasskeyRow, ProgramRow, ProposalRow, SessionRow
from hub.store.session import Row, Session, pack, pack_or_none, unpack, unpack_or_none


def _account(row: Row) -> AccountRow:
    name, login, called, roles, state, version, at, password, otp, otp_used, subject, invited_by = row
    return AccountRow(
        id=unpack(name),
        login=login,
        name=called,
        roles=tuple(roles.split()),
        state=state,
        version=version,
        at=at,
        password=password,
        otp=otp,
        otp_used=otp_used,
        subject=subject,
        invited_by=unpack_or_none(invited_by),
    )


def add_account(tx: Session, row: AccountRow) -> bool:
    """Add the account, unless there is one with its login; answer whether it was added."""
    values = {"id": pack(row.id), "login": row.login, "name": row.name, "roles": " ".join(row.roles), "at": row.at}
    return bool(tx.connection.run("add_account", values))


def find_account(tx: Session, name: str) -> AccountRow | None:
    """Return the account with this id, whatever its state."""
    return next(map(_account, tx.connection.rows("find_account", {"id": pack(name)})), None)


def find_account_by_login(tx: Session, login: str) -> AccountRow | None:
    """Return the account with this login, whatever its state."""
    return next(map(_account, tx.connection.rows("find_account_by_login", {"login": login})), None)


def find_account_by_subject(tx: Session, subject: str) -> AccountRow | None:
    """Return the account that is pinned to this subject of the provider, whatever its state."""
    return next(map(_account, tx.connection.rows("find_account_by_subject", {"subject": subject})), None)


def accounts(tx: Session, after: str | None, limit: int) -> list[AccountRow]:
    """Return up to *limit* accounts beyond the id *after*, the oldest first."""
    place = b"" if after is None else pack(after)
    return list(map(_account, tx.connection.rows("accounts", {"after": place, "limit": limit})))


def set_account(tx: Session, row: AccountRow) -> None:
    """Keep name, roles and state of the account as *row* has them; its version grows."""
    values = {"id": pack(row.id), "name": row.name, "roles": " ".join(row.roles), "state": row.state}
    tx.connection.run("set_account", values)


def set_account_secrets(tx: Session, row: AccountRow) -> None:
    """Keep password, second factor, subject and inviter of the account as *row* has them."""
    values = {
        "id": pack(row.id),
        "password": row.password,
        "otp": row.otp,
        "otp_used": row.otp_used,
        "subject": row.subject,
        "invited_by": pack_or_none(row.invited_by),
    }
    tx.connection.run("set_account_secrets", values)


def set_account_code(tx: Session, account: str, code: str, until: int) -> None:
    """Keep the digest of the code with which *account* begins, instead of an earlier one."""
    tx.connection.run("set_account_code", {"account": pack(account), "code": pack(code), "until": until})


def find_account_code(tx: Session, code: str, now: int) -> str | None:
    """Return the account that the code with this digest is for, while it counts."""
    rows = tx.connection.rows("find_account_code", {"code": pack(code), "now": now})
    return next((unpack(row[0]) for row in rows), None)


def drop_account_code(tx: Session, account: str) -> None:
    """Forget the code of *account*."""
    tx.connection.run("drop_account_code", {"account": pack(account)})


def _passkey(row: Row) -> PasskeyRow:
    name, account, *rest = row
    return PasskeyRow(name, unpack(account), *rest)


def add_account_passkey(tx: Session, row: PasskeyRow) -> bool:
    """Add a passkey, unless there is one with its id; answer whether it was added."""
    values = {
        "id": row.id,
        "account": pack(row.account),
        "public": row.public,
        "signed": row.signed,
        "name": row.name,
        "at": row.at,
    }
    return bool(tx.connection.run("add_account_passkey", values))


def find_account_passkey(tx: Session, name: bytes) -> PasskeyRow | None:
    """Return the passkey with this id."""
    return next(map(_passkey, tx.connection.rows("find_account_passkey", {"id": name})), None)


def account_passkeys(tx: Session, account: str) -> list[PasskeyRow]:
    """Return the passkeys of *account*, oldest first."""
    rows = map(_passkey, tx.connection.rows("account_passkeys", {"account": pack(account)}))
    return sorted(rows, key=lambda row: (row.at, row.id))


def use_account_passkey(tx: Session, name: bytes, signed: int, at: int) -> None:
    """Record that a passkey signed, and how often it has."""
    tx.connection.run("use_account_passkey", {"id": name, "signed": signed, "at": at})


def drop_account_passkey(tx: Session, account: str, name: bytes) -> bool:
    """Remove one passkey of *account*; answer whether it was there."""
    return bool(tx.connection.run("drop_account_passkey", {"id": name, "account": pack(account)}))


def drop_account_passkeys(tx: Session, account: str) -> None:
    """Remove every passkey of *account*."""
    tx.connection.run("drop_account_passkeys", {"account": pack(account)})


def add_account_session(tx: Session, token: str, account: str, csrf: str, at: int) -> None:
    """Begin a session; *token* is the digest of what the browser has."""
    values = {"token": pack(token), "account": pack(account), "csrf": csrf, "at": at}
    tx.connection.run("add_account_session", values)


def find_account_session(tx: Session, token: str) -> SessionRow | None:
    """Return the session with this token's digest."""
    for found, account, csrf, at, seen in tx.connection.rows("find_account_session", {"token": pack(token)}):
        return SessionRow(unpack(found), unpack(account), csrf, at, seen)
    return None


def see_account_session(tx: Session, token: str, at: int) -> None:
    """Record that a page was looked at in the session."""
    tx.connection.run("see_account_session", {"token": pack(token), "seen": at})


def drop_account_session(tx: Session, token: str) -> None:
    """End one session."""
    tx.connection.run("drop_account_session", {"token": pack(token)})


def drop_account_sessions(tx: Session, account: str) -> None:
    """End every session of *account*."""
    tx.connection.run("drop_account_sessions", {"account": pack(account)})


def add_account_step(tx: Session, token: str, kind: str, until: int, content: bytes) -> None:
    """Keep what a browser has begun; *token* is the digest of what it has."""
    values = {"token": pack(token), "kind": kind, "until": until, "content": content}
    tx.connection.run("add_account_step", values)


def find_account_step(tx: Session, token: str, kind: str, now: int) -> bytes | None:
    """Return what a browser has begun of *kind*, if it hasn't ended."""
    values = {"token": pack(token), "kind": kind, "now": now}
    return next((row[0] for row in tx.connection.rows("find_account_step", values)), None)


def drop_account_step(tx: Session, token: str) -> None:
    """Forget what a browser has begun."""
    tx.connection.run("drop_account_step", {"token": pack(token)})


def sign_in_count(tx: Session, who: str) -> tuple[int, int]:
    """Return how often *who* (a digest) failed to sign in, and until when it waits."""
    rows = tx.connection.rows("sign_in_count", {"who": pack(who)})
    return next(((failed, until) for failed, until in rows), (0, 0))


def set_sign_in_count(tx: Session, who: str, failed: int, locked_until: int, at: int) -> None:
    """Keep how often *who* failed, and until when it waits."""
    values = {"who": pack(who), "failed": failed, "locked_until": locked_until, "at": at}
    tx.connection.run("set_sign_in_count", values)


def drop_sign_in_count(tx: Session, who: str) -> None:
    """Forget the wrong tries of *who*."""
    tx.connection.run("drop_sign_in_count", {"who": pack(who)})


def expire_signing_in(tx: Session, now: int, idle_since: int, counted_before: int) -> None:
    """Forget sessions without a page since *idle_since*, steps that ended, wrong tries before *counted_before*."""
    tx.connection.run("expire_account_sessions", {"seen": idle_since})
    tx.connection.run("expire_account_steps", {"now": now})
    tx.connection.run("expire_sign_in_counts", {"before": counted_before})


def _program(row: Row) -> ProgramRow:
    name, account, called, scopes, at, until = row
    return ProgramRow(unpack(name), unpack(account), called, tuple(scopes.split()), at, until)


def add_program(tx: Session, row: ProgramRow, token: str) -> None:
    """Add a program's token, of which the digest is kept."""
    values = {
        "id": pack(row.id),
        "token": pack(token),
        "account": pack(row.account),
        "name": row.name,
        "scopes": " ".join(row.scopes),
        "at": row.at,
        "until": row.until,
    }
    tx.connection.run("add_program", values)


def find_program(tx: Session, name: str) -> ProgramRow | None:
    """Return the program with this id."""
    return next(map(_program, tx.connection.rows("find_program", {"id": pack(name)})), None)


def find_program_by_token(tx: Session, token: str) -> ProgramRow | None:
    """Return the program whose token has this digest."""
    return next(map(_program, tx.connection.rows("find_program_by_token", {"token": pack(token)})), None)


def programs(tx: Session, after: str | None, limit: int) -> list[ProgramRow]:
    """Return up to *limit* programs beyond the id *after*, the oldest first."""
    place = b"" if after is None else pack(after)
    return list(map(_program, tx.connection.rows("programs", {"after": place, "limit": limit})))


def end_program(tx: Session, name: str, at: int) -> bool:
    """Let a program's token end at *at*; answer whether it hadn't ended."""
    return bool(tx.connection.run("end_program", {"id": pack(name), "at": at}))


def _proposal(row: Row) -> ProposalRow:
    name, act, about, reason, state, by, at, until, decided_by, decided_at = row
    return ProposalRow(
        unpack(name), act, about, reason, state, unpack(by), at, until, unpack_or_none(decided_by), decided_at
    )


def add_proposal(tx: Session, row: ProposalRow) -> None:
    """Add what somebody proposes."""
    values = {
        "id": pack(row.id),
        "act": row.act,
        "about": row.about,
        "reason": row.reason,
        "by_account": pack(row.by),
        "at": row.at,
        "until": row.until,
    }
    tx.connection.run("add_proposal", values)


def find_proposal(tx: Session, name: str) -> ProposalRow | None:
    """Return the proposal with this id."""
    return next(map(_proposal, tx.connection.rows("find_proposal", {"id": pack(name)})), None)


def proposals(tx: Session, state: str, after: str | None, limit: int) -> list[ProposalRow]:
    """Return up to *limit* proposals in *state* beyond the id *after*, the oldest first."""
    values = {"state": state, "after": b"" if after is None else pack(after), "limit": limit}
    return list(map(_proposal, tx.connection.rows("proposals", values)))


def proposals_lapsed(tx: Session, now: int, limit: int) -> list[ProposalRow]:
    """Return up to *limit* proposals that nobody has decided in time."""
    return list(map(_proposal, tx.connection.rows("proposals_lapsed", {"now": now, "limit": limit})))


def decide_proposal(tx: Session, name: str, state: str, by: str | None, at: int) -> None:
    """Record what became of a proposal, by whom and when."""
    values = {"id": pack(name), "state": state, "decided_by": pack_or_none(by), "decided_at": at}
    tx.connection.run("decide_proposal", values)
