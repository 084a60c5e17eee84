"""What a gateway does beside carrying mail: seal again, take back, look who uses the agency's name, forget.

Source: protocol 2 (wraps), 6 (withdrawal) and 7 (keys).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import msgspec

from adapters.errors import GatewayError, NotYetError
from adapters.gateway.books import Books
from adapters.gateway.client import HubAwayError, HubRefusedError
from adapters.gateway.compose import make_wraps
from adapters.gateway.context import Gateway
from adapters.gateway.identity import check_identity
from adapters.gateway.rotation import follow
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.succession import find_heir
from adapters.gateway.watch import Watch, header_of
from keys import jws
from keys.digests import keyed_digest, new_id, sha256_b64u
from keys.errors import KeysError
from schemas.envelope import DAY, Wrap, parse_wraps
from schemas.identifiers import Code, Moment
from schemas.rules.duty import Duty
from schemas.statements import Person, Waiver, Withdrawal, parse_waiver
from schemas.strict_json import MalformedError, dump

_log = logging.getLogger("gateway.errands")
BATCH: Final = 50


class ChoreRefusedError(GatewayError):
    """A chore that can never be done; its mailbox is told the code."""


async def run_chores(gateway: Gateway, watch: Watch) -> int:
    """Do what is on the list; return how many were done.

    What the hub refuses for good ends here, and the mailbox is told; anything else stays on the list.

    Raises:
        HubAwayError: the list stays.
    """
    done = 0
    for row in await gateway.spool.all("chores", limit=gateway.pacer.room_for(BATCH)):
        key = f"{row['kind']} {row['ref']}"
        if not gateway.pacer.is_ready(key):
            continue
        try:
            await _CHORES[row["kind"]](gateway, watch, row)
        except HubAwayError:
            gateway.pacer.failed(key)
            raise
        except (HubRefusedError, ChoreRefusedError) as error:
            if isinstance(error, HubRefusedError) and error.status == 401:
                _log.info("a %s waits: %s", row["kind"], error.code)
                gateway.pacer.failed(key)
                continue
            await _end_chore(gateway, row, error)
        except (GatewayError, KeysError, MalformedError) as error:
            # A key that isn't there yet, or a hub that shows what doesn't hold: not the hub's judgement of this.
            _log.warning("a %s waits: %s", row["kind"], error.code)
            gateway.pacer.failed(key)
            continue
        await gateway.spool.run("drop_chore", kind=row["kind"], ref=row["ref"])
        gateway.pacer.worked(key)
        done += 1
    return done


async def _end_chore(gateway: Gateway, chore: Row, error: GatewayError) -> None:
    """Tell the mailbox that *chore* was refused: durable before the chore goes."""
    details: Mapping[str, Any] = msgspec.json.decode(bytes(chore["details"]))
    sent = await gateway.spool.one("find_sent", envelope=chore["ref"])
    mailbox = details.get("mailbox") or (sent["mailbox"] if sent else None)
    about = {"obligation": chore["ref"]} if chore["kind"] == "waive" else {"envelope": chore["ref"]}
    said = {"chore": chore["kind"], **about, "code": error.code, "message": error.message, "hint": error.hint}
    topic = f"chore:{chore['kind']}:{chore['ref']}:{sha256_b64u(bytes(chore['details']))}"
    await gateway.spool.write(
        partial(gateway.tell, code=f"{chore['kind']}-refused", topic=topic, mailbox=mailbox, details=said)
    )
    _log.warning("a %s was refused: %s", chore["kind"], error.code)


async def _reseal(gateway: Gateway, watch: Watch, chore: Row) -> None:
    """Wrap the content key again for who has not collected it yet, or answers for them now; same id, same body.

    Who can't be sealed to keeps nobody else from having it: their wraps stay as they are, and it is said afterwards.
    """
    del watch
    sent = await gateway.spool.one("find_sent", envelope=chore["ref"])
    if sent is None or sent["content_key"] is None:
        raise ChoreRefusedError("content-key-missing", "the content key is no longer here", "send the message again")
    try:
        await gateway.partnership.refresh()
    except HubRefusedError as error:
        raise NotYetError(error.code, error.message, error.hint) from error
    header, books, now = header_of(sent), gateway.partnership.books, gateway.clock()
    content_key = gateway.spool.unlock(bytes(sent["content_key"]), header.id)
    details: Mapping[str, Any] = msgspec.json.decode(bytes(chore["details"]))
    heard = await gateway.spool.all("heard_of", envelope=header.id)
    have = {row["mailbox"] for row in heard if row["level"] != "rejected"}
    before = parse_wraps(jws.parse(bytes(sent["wraps"]), jws.WRAPS).payload, header).wraps
    kept, waits, refused = _sort_out([wrap for wrap in before if wrap.mailbox not in have], books, details, now)
    kept += [wrap for wrap in before if wrap.mailbox in have]
    if len(kept) < len(header.to):
        wraps = make_wraps(header, content_key, books, gateway.keyring, now, kept=kept, split=details.get("split"))
        # It is delivered again under a later number: whoever answers another one first has not passed it over.
        await gateway.spool.run("drop_expected_of", envelope=header.id)
        await gateway.client.put_wraps(header.id, wraps)
        await gateway.spool.run("set_wraps", envelope=header.id, wraps=wraps)
    if waits is not None:
        if refused is not None:
            await _end_chore(gateway, chore, refused)
        raise waits
    if refused is not None:
        raise refused


def _sort_out(
    before: Iterable[Wrap], books: Books, details: Mapping[str, Any], now: Moment
) -> tuple[list[Wrap], NotYetError | None, ChoreRefusedError | None]:
    """Return the wraps that can't be better, or not now, and why the latter can't."""
    kept, waits, refused = list[Wrap](), None, None
    for wrap in before:
        try:
            if _is_current(wrap, books, details, now):
                kept.append(wrap)
        except NotYetError as error:
            kept.append(wrap)
            waits = error
        except GatewayError as error:
            kept.append(wrap)
            refused = ChoreRefusedError(error.code, error.message, error.hint)
    return kept, waits, refused


def _is_current(wrap: Wrap, books: Books, details: Mapping[str, Any], now: Moment) -> bool:
    """Answer whether *wrap* is to the current key of who answers for its mailbox.

    Raises:
        AddressError: ``recipient-*``.
        NotYetError: ``recipient-key-missing``.
        ChoreRefusedError: ``recipient-key``; it is, and they said that they can't open it.
    """
    kid = books.sealing_key(find_heir(books, wrap.mailbox, now, details.get("split")), now).kid
    if details.get("unopenable", {}).get(wrap.mailbox) == kid:
        raise ChoreRefusedError(
            "recipient-key", "a recipient can't open what is sealed to its current key", "ask it to rotate its keys"
        )
    return kid == wrap.kid


async def _withdraw(gateway: Gateway, watch: Watch, chore: Row) -> None:
    details: Mapping[str, Any] = msgspec.json.decode(bytes(chore["details"]))
    said = await gateway.client.withdraw(chore["ref"], details["jws"].encode())
    # Who had collected it has it until they say that they destroyed it.
    state = await gateway.client.envelope_state(chore["ref"]) or {"deliveries": ()}
    gone = frozenset(str(one["mailbox"]) for one in state["deliveries"] if one["state"] == "gone")

    async def work(tx: Transaction) -> None:
        sent = await tx.one("find_sent", envelope=chore["ref"])
        if sent is not None and await tx.run("set_withdrawn", envelope=chore["ref"]):
            await tx.run("add_unregistered", envelope=chore["ref"], why="withdrawn", draft=None)
            await watch.take_back(tx, header_of(sent), gone, gateway.clock(), gateway.partnership.books)

    await gateway.spool.write(work)
    _log.info("withdrawal: %s", said)


async def _waive(gateway: Gateway, watch: Watch, chore: Row) -> None:
    del watch
    details: Mapping[str, Any] = msgspec.json.decode(bytes(chore["details"]))
    await gateway.client.waive(chore["ref"], details["jws"].encode())


async def _learn(gateway: Gateway, watch: Watch, chore: Row) -> None:
    """Ask the hub what is open in a thread of which this agency has not seen every message.

    The chore is of a thread; or of an envelope, with the threads in which it seems to have met what may be open still.
    """
    threads = msgspec.json.decode(bytes(chore["details"])).get("threads")
    duties: dict[str, Duty] = {}
    for thread in threads or [chore["ref"]]:
        duties |= await gateway.client.open_duties(thread)
    index, doubted = gateway.partnership.books.index, chore["ref"] if threads else None
    await gateway.spool.write(lambda tx: watch.learn(tx, duties, index, gateway.clock(), doubted))


_CHORES: Final = {"reseal": _reseal, "withdraw": _withdraw, "waive": _waive, "learn": _learn}


async def ask_withdrawal(gateway: Gateway, envelope: str, reason: str) -> None:
    """Sign a withdrawal of *envelope* and put it on the list; destruction is asked for where it was collected.

    Raises:
        GatewayError: ``not-sent``; this gateway has not sent it, or the hub has not accepted it.
    """
    sent = await gateway.spool.one("find_sent", envelope=envelope)
    if sent is None or sent["state"] != "accepted":
        raise GatewayError("not-sent", "no such envelope was accepted from here", "see `gateway receipts` for the ids")
    now = gateway.clock()
    statement = Withdrawal(
        v=1, id=new_id(now), envelope=envelope, mailbox=sent["mailbox"], reason=reason, at=now, ask=True
    )
    signed = gateway.keyring.signing.sign(dump(statement), jws.WITHDRAWAL).decode()
    await gateway.spool.run(
        "add_chore", kind="withdraw", ref=envelope, details=dump({"jws": signed, "mailbox": sent["mailbox"]})
    )


async def ask_reseal(gateway: Gateway, envelope: str, split: Code) -> None:
    """Put on the list that *envelope* is sealed again, for the part *split* where a recipient ended and several took over.

    Raises:
        GatewayError: ``not-sent``.
    """
    sent = await gateway.spool.one("find_sent", envelope=envelope)
    if sent is None or sent["state"] != "accepted":
        raise GatewayError("not-sent", "no such envelope was accepted from here", "see `gateway receipts` for the ids")
    details = dump({"split": split, "mailbox": sent["mailbox"]})

    async def work(tx: Transaction) -> None:
        # What the hub asked for and nobody could choose may still be on the list: this says more.
        await tx.run("drop_chore", kind="reseal", ref=envelope)
        await tx.run("add_chore", kind="reseal", ref=envelope, details=details)

    await gateway.spool.write(work)


class Confirmed(NamedTuple):
    """A person who stands for a statement: their name stays here, a pseudonym of it goes out."""

    name: str
    role: str


async def ask_waiver(
    gateway: Gateway,
    obligation: str,
    state: Literal["waived", "met_elsewhere"],
    *,
    mailbox: str,
    reason: str,
    by: Confirmed,
    second: Confirmed | None,
) -> None:
    """Sign that *obligation* is given up, or was met by other means, and put it on the list.

    *second*: who agreed to giving up, or who confirmed at the other side that it came.

    Raises:
        MalformedError: ``waiver-*``; giving up needs a second person, other means a confirmation.
    """
    now, key = gateway.clock(), gateway.keyring.record_key
    other = keyed_digest(key, second.name) if second else None
    waived = state == "waived"
    statement = Waiver(
        v=1, id=new_id(now), obligation=obligation, state=state, reason=reason, by=keyed_digest(key, by.name),
        role=by.role, at=now, mailbox=mailbox, confirmed_by=None if waived else other,
        second=Person(by=other, role=second.role) if waived and second and other else None,
    )  # fmt: skip
    payload = dump(statement)
    parse_waiver(payload)
    signed = gateway.keyring.signing.sign(payload, jws.WAIVER).decode()
    await gateway.spool.run(
        "add_chore", kind="waive", ref=obligation, details=dump({"jws": signed, "mailbox": mailbox})
    )


async def refresh(gateway: Gateway) -> None:
    """Look at the signed documents and the log; alarm on what should not be.

    Raises:
        NotYetError: the hub is away.
        GatewayError: ``keys-*``; another process wrote a key file that can't be read here.
    """
    try:
        shown = await gateway.quorum.fetch()
        await gateway.partnership.refresh()
        await gateway.quorum.look(shown, gateway.partnership.books, gateway.witness.tree())
    except (GatewayError, KeysError) as error:
        if isinstance(error, (NotYetError, HubRefusedError)):
            raise
        code = error.code
        _log.error("what the hub shows does not hold: %s", code)
        await gateway.spool.write(
            partial(gateway.tell, code="log-inconsistent", topic=f"alarm:{code}", details={"reason": code})
        )
        raise
    # Only now: a command beside this gateway saves a key before it publishes it.
    follow(gateway)
    await check_identity(gateway)
    agency, mine = gateway.config.agency, gateway.keyring.kids()
    for kid in gateway.partnership.books.foreign_keys(agency, mine, gateway.clock()):
        tell = partial(gateway.tell, code="key-unknown", topic=f"key:{kid}", details={"kid": kid})
        if await gateway.spool.write(tell):
            _log.error("a key that was not made here is published in this agency's name")


async def warn_of_expired(gateway: Gateway) -> None:
    """Alarm once for each directory that has expired: only urgent drafts are sealed under it."""
    books = gateway.partnership.books
    if not books.is_expired(gateway.clock()):
        return
    version = books.directory.version
    details = {"version": version, "expired_at": books.directory.expires}
    tell = partial(gateway.tell, code="directory-expired", topic=f"directory-expired:{version}", details=details)
    if await gateway.spool.write(tell):
        _log.error("the directory has expired: only urgent messages are sent until there is a new one")


async def sweep(gateway: Gateway) -> int:
    """Drop content that was filed and of which nothing is owed any more, ``keep_days`` afterwards; return how much."""
    before = gateway.clock() - gateway.config.keep_days * DAY

    async def work(tx: Transaction) -> int:
        return sum([await tx.run(query, before=before) for query in ("sweep_inbox", "sweep_outbox", "sweep_written")])

    return await gateway.spool.write(work)
