"""The life of an agency's keys: made, published, used, replaced, given up, destroyed.

Source: protocol 7.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import Literal

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.keystore import save_keyring
from adapters.gateway.statements import DAY, KEY_LIFE, Chain, make_statement
from adapters.gateway.trust import members
from keys import sealing
from keys.digests import sha256_b64u
from keys.keyring import HeldKey, Keyring
from schemas.identifiers import KeyId, Moment

_log = logging.getLogger("gateway.rotation")


async def rotate_keys(gateway: Gateway, *, force: bool = False) -> int:
    """Make and publish new sealing keys where the newest is 30 days old (or at once).

    The new key is stored before it is published, or mail sealed to it could never be opened.  It begins a day later:
    the hub lets no key be used sooner without an officer.

    Raises:
        GatewayError: ``identity-missing``; the identity key isn't here.
        HubAwayError: the key is kept, and published at the next try.
    """
    now, keyring = gateway.clock(), gateway.keyring
    _check_identity(keyring)
    made = _rotate(keyring, now, force=force)
    if made:
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
    ek, wk = await gateway.client.challenge(held.key.public.jwk)
    secret = sealing.unwrap(ek, wk, held.key, envelope_id="key-proof", sender="hub", mailbox=gateway.config.agency)
    chain = Chain.after(gateway.partnership.books, gateway.config.agency)
    statement = make_statement(
        keyring, chain, use="seal", jwk=held.key.public.jwk, mailbox=held.mailbox, now=now, not_before=now + DAY,
        expires=held.expires, proof=sha256_b64u(secret),
    )  # fmt: skip
    await gateway.client.publish_key(statement)
    await gateway.partnership.refresh()


def _check_identity(keyring: Keyring) -> None:
    if keyring.identity is None:
        raise GatewayError(
            "identity-missing",
            "the agency's identity key is not in this key file",
            "run this where the identity key is kept",
        )


async def rotate_signing(gateway: Gateway) -> KeyId:
    """Make and publish the next signing key; return its kid.  It takes over by itself once the hub lets it be used.

    Raises:
        GatewayError: ``identity-missing``.
        HubAwayError: the key is kept, and published at the next try.
    """
    now, keyring = gateway.clock(), gateway.keyring
    _check_identity(keyring)
    key = keyring.prepare_signing()
    # Stored first: a key that is published and lost could never sign that it is given up.
    save_keyring(keyring, gateway.home, gateway.passphrase)
    await gateway.partnership.refresh()
    if key.kid not in gateway.partnership.books.keys:
        chain = Chain.after(gateway.partnership.books, gateway.config.agency)
        statement = make_statement(
            keyring, chain, use="sign", jwk=key.public.jwk, now=now, not_before=now + DAY,
            expires=now + DAY + KEY_LIFE["sign"], signer=key,
        )  # fmt: skip
        await gateway.client.publish_key(statement)
        await gateway.partnership.refresh()
    return key.kid


def adopt_signing(gateway: Gateway) -> bool:
    """Sign with the next signing key if it may be used now; answer whether that began just now."""
    following = gateway.keyring.next_signing
    history = gateway.partnership.books.keys.get(following.kid) if following else None
    if history is None or not history.is_usable(gateway.clock()):
        return False
    gateway.keyring.adopt_signing()
    save_keyring(gateway.keyring, gateway.home, gateway.passphrase)
    gateway.client.use_key(gateway.keyring.signing)
    _log.warning("the next signing key is in use: retire the one before it")
    return True


async def give_up(
    gateway: Gateway, kid: KeyId, state: Literal["retired", "revoked"], compromised_from: Moment | None = None
) -> None:
    """Publish that the agency's key *kid* is retired, or revoked and not to be believed from *compromised_from* on.

    Raises:
        GatewayError: ``identity-missing``; ``key-unknown``: no key of this agency; ``key-given-up``: it is already.
        HubAwayError: nothing is published.
    """
    _check_identity(gateway.keyring)
    await gateway.partnership.refresh()
    books, now = gateway.partnership.books, gateway.clock()
    history = books.keys.get(kid)
    if history is None or history.last.agency != gateway.config.agency:
        raise GatewayError("key-unknown", "this agency has published no such key", "see `gateway keys list`")
    said = history.last
    if said.state in {"revoked", state}:
        raise GatewayError("key-given-up", f"the key is {said.state} already", "nothing is left to do")
    if state == "revoked" and compromised_from is None:
        compromised_from = now
    statement = make_statement(
        gateway.keyring, Chain.after(books, said.agency), use=said.use, jwk=members(said.jwk), now=now,
        not_before=said.not_before, expires=said.expires, mailbox=said.mailbox, state=state,
        compromised_from=compromised_from,
    )  # fmt: skip
    await gateway.client.publish_key(statement)
    await gateway.partnership.refresh()


async def destroy_keys(gateway: Gateway, drained: Iterable[Moment]) -> int:
    """Destroy the sealing keys past their time, but none before every feed was read to its end after that time.

    *drained*: for each mailbox when its feed was last found empty in this run, 0 where it was not.  After an outage
    what waits at the hub is collected first.
    """
    destroyed = gateway.keyring.destroy(min(drained, default=0))
    if destroyed:
        save_keyring(gateway.keyring, gateway.home, gateway.passphrase)
        _log.info("%d sealing keys were destroyed", len(destroyed))
    return len(destroyed)


async def warn_of_due(gateway: Gateway) -> None:
    """Ask for new sealing keys by hand where the identity key, which has to sign for them, is kept elsewhere."""
    now = gateway.clock()
    newest = {held.mailbox: held for held in sorted(gateway.keyring.opening_keys.values(), key=lambda one: one.created)}
    for held in newest.values():
        if held.retires - DAY <= now:
            details = {"kid": held.key.kid, "expires": held.expires}
            tell = partial(gateway.tell, code="keys-due", topic=f"keys-due:{held.key.kid}", details=details)
            await gateway.spool.write(tell)
