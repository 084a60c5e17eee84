"""The life of an agency's keys: made, published, used, replaced, given up, destroyed.

Each change is saved, then published, then used; a command and the gateway beside it take turns (``KeyFile.changing``).

Source: protocol 7.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import Literal

from adapters.errors import GatewayError
from adapters.gateway.context import Gateway
from adapters.gateway.statements import DAY, KEY_LIFE, Chain, make_statement
from adapters.gateway.trust import members
from keys import sealing
from keys.digests import sha256_b64u
from keys.jws import SigningKey
from keys.keyring import HeldKey, Keyring
from schemas.identifiers import KeyId, Moment

_log = logging.getLogger("gateway.rotation")


async def rotate_keys(gateway: Gateway, *, force: bool = False) -> int:
    """Make and publish new sealing keys where the newest is 30 days old (or at once); return how many were published.

    The new key is stored before it is published, or mail sealed to it could never be opened.  It begins a day later:
    the hub lets no key be used sooner without an officer.

    Raises:
        GatewayError: ``identity-missing``; the identity key isn't here.
        NotYetError: ``keys-busy``.
        HubAwayError: the key is kept, and published at the next try.
    """
    with gateway.keyfile.changing() as keyring:
        _check_identity(keyring)
        if _rotate(keyring, gateway.clock(), force=force):
            gateway.keyfile.save(keyring)
        # Killed from here on, the key is in the file, and what the hub doesn't list of that is published next time.
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
        NotYetError: ``keys-busy``.
        HubAwayError: the key is kept, and published at the next try.
    """
    with gateway.keyfile.changing() as keyring:
        key = await _prepare(gateway, keyring)
        if key.kid not in gateway.partnership.books.keys:
            await gateway.client.publish_key(_state_signing(gateway, keyring, key, wait=DAY))
            await gateway.partnership.refresh()
    return key.kid


async def state_signing(gateway: Gateway) -> tuple[KeyId, str]:
    """Make the next signing key; return its kid and the statement that an officer publishes with their word.

    Without waiting a day the key takes over, once it is published.

    Raises:
        GatewayError: ``identity-missing``; ``key-published``: the next key is published, and waits.
        NotYetError: ``keys-busy``.
        HubAwayError: the key is kept, and the same one is stated at the next try.
    """
    with gateway.keyfile.changing() as keyring:
        key = await _prepare(gateway, keyring)
        if key.kid in gateway.partnership.books.keys:
            raise GatewayError("key-published", "the next signing key is published already", "it takes over by itself")
        return key.kid, _state_signing(gateway, keyring, key, wait=0)


async def _prepare(gateway: Gateway, keyring: Keyring) -> SigningKey:
    """Return the next signing key, kept, with the books as they are now."""
    _check_identity(keyring)
    key = keyring.prepare_signing()
    # Stored first: a key that is published and lost could never sign that it is given up.
    gateway.keyfile.save(keyring)
    # Killed from here on, the same key is prepared and published next time; none is used before it is listed.
    await gateway.partnership.refresh()
    return key


def _state_signing(gateway: Gateway, keyring: Keyring, key: SigningKey, *, wait: int) -> str:
    now, chain = gateway.clock(), Chain.after(gateway.partnership.books, gateway.config.agency)
    return make_statement(
        keyring, chain, use="sign", jwk=key.public.jwk, now=now, not_before=now + wait,
        expires=now + wait + KEY_LIFE["sign"], signer=key,
    )  # fmt: skip


def follow(gateway: Gateway) -> bool:
    """Take up what another process did to the key file; answer whether it did anything.

    Raises:
        GatewayError: ``keys-*``; the file can't be read, and the keys in use stay.
    """
    before = gateway.keyring.signing.kid
    changed = gateway.keyfile.reload()
    if gateway.keyring.signing.kid != before:
        gateway.client.use_key(gateway.keyring.signing)
    return changed


def adopt_signing(gateway: Gateway) -> bool:
    """Sign with the next signing key if it may be used now; answer whether that began just now.

    Raises:
        NotYetError: ``keys-busy``.
    """
    following = gateway.keyring.next_signing
    history = gateway.partnership.books.keys.get(following.kid) if following else None
    if history is None or not history.is_usable(gateway.clock()):
        return False
    with gateway.keyfile.changing() as keyring:
        # Another process may have adopted it, and prepared one that may not be used yet.
        if keyring.next_signing is not None and keyring.next_signing.kid == history.kid:
            keyring.adopt_signing()
            gateway.keyfile.save(keyring)
            # Killed here, the key is what the next process signs with; nothing was signed meanwhile.
    gateway.client.use_key(gateway.keyring.signing)
    _log.warning("the next signing key is in use: retire the one before it")
    return True


async def give_up(
    gateway: Gateway, kid: KeyId, state: Literal["retired", "revoked"], compromised_from: Moment | None = None
) -> None:
    """Publish that the agency's key *kid* is retired, or revoked and not to be believed from *compromised_from* on.

    Raises:
        GatewayError: ``identity-missing``; ``key-unknown``: no key of this agency; ``key-given-up``: it is already.
        NotYetError: ``keys-busy``.
        HubAwayError: nothing is published.
    """
    # Nothing in the file changes, but each statement names the one before it: two processes would name the same.
    with gateway.keyfile.changing() as keyring:
        _check_identity(keyring)
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
            keyring, Chain.after(books, said.agency), use=said.use, jwk=members(said.jwk), now=now,
            not_before=said.not_before, expires=said.expires, mailbox=said.mailbox, state=state,
            compromised_from=compromised_from,
        )  # fmt: skip
        await gateway.client.publish_key(statement)
        await gateway.partnership.refresh()


async def destroy_keys(gateway: Gateway, drained: Iterable[Moment]) -> int:
    """Destroy the sealing keys past their time, but none before every feed was read to its end after that time.

    *drained*: for each mailbox when its feed was last found empty in this run, 0 where it was not.  After an outage
    what waits at the hub is collected first.

    Raises:
        NotYetError: ``keys-busy``.
    """
    before = min(drained, default=0)
    if all(held.destroy_at > before for held in gateway.keyring.opening_keys.values()):
        return 0
    with gateway.keyfile.changing() as keyring:
        destroyed = keyring.destroy(before)
        gateway.keyfile.save(keyring)
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
