"""What a gateway does beside carrying mail: seal again, take back, rotate keys, look who uses the agency's name.

Source: protocol 2 (wraps), 6 (withdrawal) and 7 (keys).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import msgspec

from adapters.errors import GatewayError, NotYetError
from adapters.gateway.client import HubRefusedError
from adapters.gateway.compose import make_wraps
from adapters.gateway.context import Gateway
from adapters.gateway.keystore import save_keyring
from adapters.gateway.spool import Row
from adapters.gateway.statements import DAY, KEY_LIFE, Chain, make_statement
from keys import jws, sealing
from keys.digests import keyed_digest, new_id, sha256_b64u
from keys.errors import KeysError
from keys.keyring import HeldKey, Keyring
from schemas.envelope import parse_header
from schemas.statements import Person, Waiver, Withdrawal, parse_waiver
from schemas.strict_json import dump

_log = logging.getLogger("gateway.errands")
BATCH: Final = 50


async def run_chores(gateway: Gateway) -> int:
    """Do what is on the list; return how many were done.

    Raises:
        HubAwayError: the list stays.
    """
    done = 0
    for row in await gateway.spool.all("chores", limit=BATCH):
        key = f"{row['kind']} {row['ref']}"
        if not gateway.pacer.is_ready(key):
            continue
        try:
            await _CHORES[row["kind"]](gateway, row)
        except HubRefusedError as error:
            # The hub has judged it: repeating changes nothing.
            _log.warning("the hub refused a %s: %s", row["kind"], error.code)
        except NotYetError:
            gateway.pacer.failed(key)
            raise
        await gateway.spool.run("drop_chore", kind=row["kind"], ref=row["ref"])
        done += 1
    return done


async def _reseal(gateway: Gateway, chore: Row) -> None:
    """Wrap the content key again for the recipients' current keys; same id, same body."""
    sent = await gateway.spool.one("find_sent", envelope=chore["ref"])
    if sent is None or sent["content_key"] is None:
        return
    await gateway.partnership.refresh()
    header = parse_header(jws.parse(bytes(sent["header"]), jws.ENVELOPE).payload)
    content_key = gateway.spool.unlock(bytes(sent["content_key"]), header.id)
    wraps = make_wraps(header, content_key, gateway.partnership.books, gateway.keyring, gateway.clock())
    await gateway.client.put_wraps(header.id, wraps)
    await gateway.spool.run("set_wraps", envelope=header.id, wraps=wraps)


async def _withdraw(gateway: Gateway, chore: Row) -> None:
    details: Mapping[str, Any] = msgspec.json.decode(bytes(chore["details"]))
    state = await gateway.client.withdraw(chore["ref"], details["jws"].encode())
    await gateway.spool.run("set_withdrawn", envelope=chore["ref"])
    _log.info("withdrawal: %s", state)


async def _waive(gateway: Gateway, chore: Row) -> None:
    details: Mapping[str, Any] = msgspec.json.decode(bytes(chore["details"]))
    await gateway.client.waive(chore["ref"], details["jws"].encode())


_CHORES: Final = {"reseal": _reseal, "withdraw": _withdraw, "waive": _waive}


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
    await gateway.spool.run("add_chore", kind="withdraw", ref=envelope, details=dump({"jws": signed}))


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
    await gateway.spool.run("add_chore", kind="waive", ref=obligation, details=dump({"jws": signed}))


async def rotate_keys(gateway: Gateway, *, force: bool = False) -> int:
    """Make and publish new sealing keys where the newest is 30 days old (or at once); destroy those past their time.

    The new key is stored before it is published, or mail sealed to it could never be opened.  It begins a day later:
    the hub lets no key be used sooner without an officer.

    Raises:
        GatewayError: ``identity-missing``; the identity key isn't here.
        HubAwayError: the key is kept, and published at the next try.
    """
    now = gateway.clock()
    keyring = gateway.keyring
    made = _rotate(keyring, now, force=force)
    destroyed = keyring.destroy(now)
    if made or destroyed:
        save_keyring(keyring, gateway.home, gateway.passphrase)
    waiting = await _unpublished(gateway)
    for held in waiting:
        await _publish(gateway, held)
    return len(waiting)


def _rotate(keyring: Keyring, now: int, *, force: bool) -> tuple[HeldKey, ...]:
    if not force:
        return keyring.rotate(now)
    return tuple(keyring.add_opening_key(box, now) for box in {held.mailbox for held in keyring.opening_keys.values()})


async def _unpublished(gateway: Gateway) -> list[HeldKey]:
    await gateway.partnership.refresh()
    known = gateway.partnership.books.keys
    return [held for kid, held in gateway.keyring.opening_keys.items() if kid not in known]


async def _publish(gateway: Gateway, held: HeldKey) -> None:
    keyring, now = gateway.keyring, gateway.clock()
    if keyring.identity is None:
        raise GatewayError(
            "identity-missing",
            "the agency's identity key is not in this key file",
            "rotate where the identity key is kept",
        )
    ek, wk = await gateway.client.challenge(held.key.public.jwk)
    secret = sealing.unwrap(ek, wk, held.key, envelope_id="key-proof", sender="hub", mailbox=gateway.config.agency)
    chain = Chain.after(gateway.partnership.books, gateway.config.agency)
    statement = make_statement(
        keyring, chain, use="seal", jwk=held.key.public.jwk, mailbox=held.mailbox, now=now, not_before=now + DAY,
        expires=min(held.destroy_at, now + KEY_LIFE["seal"]), proof=sha256_b64u(secret),
    )  # fmt: skip
    await gateway.client.publish_key(statement)
    await gateway.partnership.refresh()


async def refresh(gateway: Gateway) -> None:
    """Look at the signed documents and the log; alarm on what should not be.

    Raises:
        NotYetError: the hub is away.
    """
    try:
        await gateway.partnership.refresh()
    except (GatewayError, KeysError) as error:
        if isinstance(error, (NotYetError, HubRefusedError)):
            raise
        code = error.code
        _log.error("what the hub shows does not hold: %s", code)
        await gateway.spool.write(
            partial(gateway.tell, code="log-inconsistent", topic=f"alarm:{code}", details={"reason": code})
        )
        raise
    agency, mine = gateway.config.agency, gateway.keyring.kids()
    for kid in gateway.partnership.books.foreign_keys(agency, mine, gateway.clock()):
        tell = partial(gateway.tell, code="key-unknown", topic=f"key:{kid}", details={"kid": kid})
        if await gateway.spool.write(tell):
            _log.error("a key that was not made here is published in this agency's name")
