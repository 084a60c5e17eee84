"""What is kept of people and programs at the console, and of what two of them agree on, as values."""

from __future__ import annotations

from hub.store.rows import Row


class AccountRow(Row, frozen=True):
    """Somebody who signs in at the console.

    ``password`` as argon2id keeps it; ``otp`` the sealed secret of their second factor and ``otp_used`` the last step of it
    that was used; ``subject`` what the OpenID provider calls them; ``invited_by`` who gave them the code that they began with.
    """

    id: str
    login: str
    name: str
    roles: tuple[str, ...]
    state: str
    version: int
    at: int
    password: str | None = None
    otp: bytes | None = None
    otp_used: int = 0
    subject: str | None = None
    invited_by: str | None = None


class PasskeyRow(Row, frozen=True):
    """One passkey: ``id`` and ``public`` key as the browser gave them, ``signed`` how often it has."""

    id: bytes
    account: str
    public: bytes
    signed: int
    name: str
    at: int
    used: int | None = None


class SessionRow(Row, frozen=True):
    """One session; ``token`` is the digest of what the browser has."""

    token: str
    account: str
    csrf: str
    at: int
    seen: int


class ProgramRow(Row, frozen=True):
    """A program's token: who made it, for what it may be used, until when."""

    id: str
    account: str
    name: str
    scopes: tuple[str, ...]
    at: int
    until: int


class ProposalRow(Row, frozen=True):
    """What somebody proposes and somebody else decides; ``about`` is the act's own JSON."""

    id: str
    act: str
    about: bytes
    reason: str
    state: str
    by: str
    at: int
    until: int
    decided_by: str | None = None
    decided_at: int | None = None
