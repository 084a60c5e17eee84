"""The agency's people: accounts, teams, who holds which thread, sessions, and what each of them did here.

Kept in the spool, so that a receipt and the record of who took it are there together or not at all.  In clear are ids,
states, moments and mailboxes; names and addresses are sealed, and logins are looked up by a keyed digest.

Source: design 6 (transport identity); domain 10 (role inboxes), 11 (risks 5, 11).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

import msgspec

from adapters.errors import GatewayError
from adapters.gateway.exclusions import check_name
from adapters.gateway.inbox.access import Duty
from adapters.gateway.spool import Row, Spool, Transaction
from keys.digests import derived_key, keyed_digest, new_id
from keys.keyring import Keyring
from schemas.identifiers import CODE_PATTERN, MailboxId, Moment

MAX_LOGIN: Final = 200
State = Literal["active", "left"]


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of an account: the name, the login as typed, the professional role, where to write to."""

    name: str
    login: str
    role: str
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who signs in here.  ``role`` is professional (`school_nurse`); ``duties`` say what they may do here.

    ``version`` grows with each change to the account: whoever changes it says which one they saw.
    """

    id: str
    name: str
    login: str
    role: str
    email: str
    state: State
    duties: tuple[Duty, ...]
    teams: frozenset[MailboxId]
    version: int = 1

    @property
    def actor(self) -> str:
        """Return by what receipts tell this person from another of the same name; only a keyed digest of it leaves."""
        return f"{self.name} ({self.login})"


class People:
    """The people of one gateway; each method is part of a spool transaction."""

    def __init__(self, spool: Spool, keyring: Keyring) -> None:
        """Take the gateway's *spool* and *keyring*."""
        self._spool = spool
        self._lookup = derived_key(keyring.record_key, "gateway people lookups")

    def digest(self, label: str, value: str) -> str:
        """Return what *value* is looked up by; only the holder of the key can link it."""
        return keyed_digest(self._lookup, f"{label} {value}")

    async def add(
        self, tx: Transaction, details: Details, duties: Iterable[Duty], teams: Iterable[MailboxId], now: Moment,
        *, password: str | None = None,
    ) -> str:  # fmt: skip
        """Add an account; return its id.  *password* is as stored (argon2id), or ``None``: none is taken.

        Raises:
            GatewayError: ``person-exists``.
        """
        name = new_id(now)
        added = await tx.run(
            "add_person", id=name, login=self.digest("login", details.login), password=password, at=now,
            content=self._spool.lock(msgspec.msgpack.encode(details), f"person {name}"),
        )  # fmt: skip
        if not added:
            raise GatewayError("person-exists", "there is an account with that login", "see `gateway people list`")
        await self.set_places(tx, name, duties, teams)
        return name

    async def set_details(self, tx: Transaction, person: str, details: Details) -> None:
        """Keep *details* of the account *person*, instead of what was kept before."""
        content = self._spool.lock(msgspec.msgpack.encode(details), f"person {person}")
        await tx.run("set_person", id=person, content=content)

    async def set_places(
        self, tx: Transaction, person: str, duties: Iterable[Duty], teams: Iterable[MailboxId]
    ) -> None:
        """Say what *person* is here for and of which teams they are, instead of what was said before."""
        await tx.run("drop_duties", person=person)
        await tx.run("drop_teams", person=person)
        for duty in duties:
            await tx.run("add_duty", person=person, duty=duty)
        for mailbox in teams:
            await tx.run("add_team", person=person, mailbox=mailbox)

    async def find(self, tx: Transaction, person: str) -> Person | None:
        """Return the account *person*, whatever its state."""
        row = await tx.one("find_person", id=person)
        return await self.read(tx, row) if row else None

    async def find_login(self, tx: Transaction, login: str) -> Person | None:
        """Return the account with *login*, whatever its state."""
        row = await tx.one("find_login", login=self.digest("login", login.strip().casefold()))
        return await self.read(tx, row) if row else None

    async def read(self, tx: Transaction, row: Row) -> Person:
        """Return the account that a row holds."""
        content = self._spool.unlock(bytes(row["content"]), f"person {row['id']}")
        details = msgspec.msgpack.decode(content, type=Details)
        duties = [one["duty"] for one in await tx.all("duties_of", person=row["id"])]
        teams = [one["mailbox"] for one in await tx.all("teams_of", person=row["id"])]
        return Person(
            id=row["id"], name=details.name, login=details.login, role=details.role, email=details.email,
            state=row["state"], duties=tuple(duties), teams=frozenset(teams), version=row["version"],
        )  # fmt: skip

    async def name_of(self, tx: Transaction, person: str) -> str:
        """Return the name of the account *person*; empty: there is none."""
        row = await tx.one("find_person", id=person)
        return self.name_in(row) if row else ""

    def name_in(self, row: Row) -> str:
        """Return the name in a row of an account."""
        content = self._spool.unlock(bytes(row["content"]), f"person {row['id']}")
        return msgspec.msgpack.decode(content, type=Details).name

    async def note(
        self, tx: Transaction, person: str, action: str, now: Moment, *, thread: str | None = None,
        envelope: str | None = None, mailbox: str | None = None, code: str | None = None, about: str | None = None,
    ) -> None:  # fmt: skip
        """Write down what *person* did: the agency's own log of who looked at what.  Codes and references only.

        *about* is the account that it was done to, where that isn't their own.
        """
        await tx.run(
            "add_access_event", at=now, person=person, action=action, thread=thread, envelope=envelope, mailbox=mailbox,
            code=code, about=about,
        )  # fmt: skip


def check_details(*, name: str, login: str, role: str, email: str = "") -> Details:
    """Return the details of an account as they are kept.

    Raises:
        GatewayError: ``person-name``, ``person-login``, ``person-role``, ``person-email``.
    """
    tidy = login.strip().casefold()
    if not tidy or len(tidy) > MAX_LOGIN or not tidy.isprintable() or " " in tidy:
        raise GatewayError("person-login", "that is no login", "give an e-mail address, or a name without spaces")
    address = email.strip() or (tidy if "@" in tidy else "")
    if address and not re.fullmatch(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,190}", address):
        raise GatewayError("person-email", "that is no e-mail address", "give it as name@example.org, or none")
    return Details(name=check_name(name), login=tidy, role=check_role(role), email=address)


def check_role(role: str) -> str:
    """Return a professional *role* as it is kept.

    Raises:
        GatewayError: ``person-role``.
    """
    if not re.match(CODE_PATTERN, role.strip()):
        raise GatewayError("person-role", "A role is a code, of small letters, digits and _", "Such as school_nurse")
    return role.strip()


def check_duties(duties: Iterable[str]) -> tuple[Duty, ...]:
    """Return *duties* as they are kept.

    Raises:
        GatewayError: ``person-duty``.
    """
    try:
        given = msgspec.convert(tuple(dict.fromkeys(duties)), tuple[Duty, ...])
    except msgspec.ValidationError:
        given = ()
    if not given:
        raise GatewayError("person-duty", "that is no duty here", "use one of " + ", ".join(get_args(Duty)))
    if "administrator" in given and len(given) > 1:
        raise GatewayError("person-duty", "who keeps the accounts opens no messages", "give another person that duty")
    return given
