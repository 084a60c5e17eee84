"""The code that a link asks for: read out by the desk for one link, or from the guest's own app.

Six digits are few, so tries are: each wrong one counts for its link and for its guest, before anything is compared.

Source: RFC 6238; OWASP on one-time codes; decision secure-email.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapters.errors import GatewayError
from adapters.gateway.guests.book import Book, Guest, end_link
from adapters.gateway.guests.links import Open, digest_of, look_at, tell_desk, tries_of
from adapters.gateway.spool import Row, Transaction
from keys import otp
from keys.digests import b64u, random_bytes, same
from schemas.identifiers import Moment

MINUTE: Final = 60_000
DIGITS: Final = 6
# Of one guest, in all their links, until a day has none: whoever reads their mail gets many links.
MOST_WRONG: Final = 20
DAY: Final = 24 * 60 * MINUTE


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a code: ``token`` is the browser's where it was right; else the link may be tried again, or is dead."""

    token: str = ""
    is_over: bool = False


async def give_code(book: Book, tx: Transaction, link: Row | None, by: str) -> str:
    """Return a new code for *link*, which *by* reads out; the one before counts no more.

    Raises:
        GatewayError: ``guest-link-over``.
    """
    found = await look_at(book, tx, link)
    if found is None or found.link["state"] != "open":
        raise GatewayError("guest-link-over", "that link was used, or has ended", "send a new one")
    code, now = _make_code(), book.gateway.clock()
    await tx.run(
        "set_guest_code", link=found.link["id"], digest=_digest(book, found.link["id"], code),
        until=now + book.config.code_minutes * MINUTE,
    )  # fmt: skip
    await book.people.note(
        tx, by, "guest-code-given", now, thread=found.row["thread"], envelope=found.row["envelope"],
        mailbox=found.row["mailbox"], about=found.guest.id,
    )  # fmt: skip
    return code


async def take_code(book: Book, tx: Transaction, token: str, typed: str) -> Taken:
    """Use the link *token* up if the code that somebody *typed* is right; count it if it isn't."""
    found = await look_at(book, tx, await tx.one("find_guest_token", token=digest_of(token)))
    if found is None or found.link["state"] != "open":
        return Taken(is_over=True)
    link, now, code = found.link, book.gateway.clock(), "".join(typed.split())
    who = tries_of(book, found.guest)
    count = await tx.one("find_count", who=who)
    wrong = int(count["failed"]) if count and now - count["at"] < DAY else 0
    if wrong >= MOST_WRONG:
        return await _lock(book, tx, link)
    if not await _is_right(book, tx, found, code, now):
        await tx.run("count_wrong_code", id=link["id"])
        await tx.run("set_count", who=who, failed=wrong + 1, locked_until=0, at=now)
        return await _lock(book, tx, link) if link["wrong"] + 1 >= book.config.tries else Taken()
    await tx.run("drop_count", who=who)
    visit, until = b64u(random_bytes(32)), now + book.config.session_minutes * MINUTE
    await tx.run("use_guest_link", id=link["id"], until=until)
    await tx.run("drop_guest_code", link=link["id"])
    await tx.run("add_guest_visit", token=digest_of(visit), link=link["id"], csrf=b64u(random_bytes(16)), until=until)
    await book.people.note(
        tx, found.guest.id, "guest-came", now, thread=link["thread"], envelope=link["envelope"], mailbox=link["mailbox"]
    )
    return Taken(token=visit)


async def _lock(book: Book, tx: Transaction, link: Row) -> Taken:
    await end_link(tx, link["id"], "locked")
    await tell_desk(book, tx, "guest-locked", link)
    return Taken(is_over=True)


async def _is_right(book: Book, tx: Transaction, found: Open, code: str, now: Moment) -> bool:
    held = await tx.one("find_guest_code", link=found.link["id"], now=now)
    digest = _digest(book, found.link["id"], code)
    by_desk = same((held["digest"] if held else "").encode(), digest.encode()) and held is not None
    step = _find_step(found.guest, code, now)
    if step is not None:
        await tx.run("set_guest_step", id=found.guest.id, step=step)
    return by_desk or step is not None


def _find_step(guest: Guest, code: str, now: Moment) -> int | None:
    return otp.find_step(guest.details.secret, code, now, guest.step) if guest.details.secret else None


def _make_code() -> str:
    # 64 random bits leave no digit likelier than another by more than one in 10^13.
    return f"{int.from_bytes(random_bytes(8), 'big') % 10**DIGITS:0{DIGITS}}"


def _digest(book: Book, link: str, code: str) -> str:
    return book.digest("code", f"{link} {code}")
