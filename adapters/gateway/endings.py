"""Duties that two people at the partnership's console agreed to end: this gateway signs for them, if the log has both.

Only the partnership's own gateway does.  It believes the hub nothing: both steps have to lie in the log that it verified, made
by two different accounts, about the same duty.  The waiver has the proposal's id, so that signing again gives the same bytes.

Source: protocol 5; docs/decisions/partnership-waivers.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from adapters.errors import GatewayError
from adapters.gateway.client import HubAwayError, HubRefusedError
from adapters.gateway.context import Gateway
from adapters.gateway.tree import Tree
from keys import jws, merkle
from keys.digests import keyed_digest
from keys.errors import KeysError
from schemas.identifiers import Code, EnvelopeId, MailboxId, Moment, ObligationId, ThreadId
from schemas.statements import Person, Waiver, parse_waiver
from schemas.strict_json import MalformedError, dump

_log = logging.getLogger("gateway.endings")
PATH: Final = "/v1/acts?state=approved"
# In which role the two people stand for it: at the console, for the partnership.
ROLE: Final = "partnership"


class Stated(msgspec.Struct, frozen=True):
    """One step as the hub shows it: where it lies in the log, and its bytes."""

    index: Annotated[int, Meta(ge=0)]
    text: Annotated[str, Meta(max_length=1024)]


class Agreed(msgspec.Struct, frozen=True):
    """An ending that was approved, as the hub shows it."""

    id: EnvelopeId
    act: Literal["obligation-waive", "obligation-elsewhere"]
    ends: Literal["waived", "met_elsewhere"]
    obligation: ObligationId
    thread: ThreadId
    reason: Code
    steps: tuple[Stated, ...]


class _Step(msgspec.Struct, frozen=True):
    """What a step's bytes say."""

    event: str
    at: Moment
    person: EnvelopeId
    kind: str
    by: EnvelopeId
    obligation: ObligationId
    thread: ThreadId
    outcome: Code


class _Answer(msgspec.Struct, frozen=True):
    acts: tuple[Agreed, ...]


_ENDS: Final[Mapping[str, str]] = {"obligation-waive": "waived", "obligation-elsewhere": "met_elsewhere"}


async def sign_agreed(gateway: Gateway) -> int:
    """Sign and send what was agreed on and is in the verified log; return how many the hub took.

    Raises:
        HubAwayError: the rest is for the next look.
        GatewayError: ``log-inconsistent``; a step is not where the hub says that it is.
    """
    if not gateway.partnership.is_known or gateway.partnership.books.directory.partnership != gateway.config.agency:
        return 0
    owner, tree = gateway.partnership.books.index.owner(gateway.clock()), gateway.witness.tree()
    if owner is None or tree is None:
        return 0
    try:
        answer = await gateway.client.fetch(PATH, signed_in=True)
        found = msgspec.convert(answer.json(), _Answer).acts
    except HubRefusedError as error:
        # A hub of before has no such list.
        _log.info("what was agreed on waits: %s", error.code)
        return 0
    except msgspec.ValidationError as error:
        raise HubAwayError(
            "hub-answer", "the hub's list of what was agreed on can't be read", "update one of both"
        ) from error
    done = 0
    for agreed in found:
        key = f"ending {agreed.id}"
        if gateway.pacer.is_ready(key):
            done += await _end(gateway, agreed, owner, tree, key)
    return done


async def _end(gateway: Gateway, agreed: Agreed, owner: MailboxId, tree: Tree, key: str) -> bool:
    try:
        steps = await _prove(agreed, tree)
        if steps is None:
            return False
        waiver = _sign(gateway, agreed, owner, *steps)
        await gateway.client.waive(agreed.obligation, waiver)
    except HubAwayError:
        gateway.pacer.failed(key)
        raise
    except (HubRefusedError, MalformedError) as error:
        _log.warning("what two people agreed on was not taken: %s", error.code)
        gateway.pacer.failed(key)
        return False
    gateway.pacer.worked(key)
    return True


async def _prove(agreed: Agreed, tree: Tree) -> tuple[_Step, _Step] | None:
    """Return the two steps if both are in the log and agree; ``None``: no verified checkpoint reaches so far yet.

    Raises:
        GatewayError: ``log-inconsistent``, ``act-not-agreed``.
    """
    if any(step.index >= tree.seen.size for step in agreed.steps):
        return None
    if len(agreed.steps) != 2:
        raise _not_agreed("it does not have two steps")
    for step in agreed.steps:
        try:
            await tree.check(step.index, merkle.leaf_hash(step.text.encode()))
        except KeysError as error:
            raise GatewayError(
                "log-inconsistent",
                "a step of what two people agreed on is not in the hub's log",
                "keep this gateway's spool and tell the partnership's officers",
            ) from error
    try:
        first, second = (msgspec.json.decode(step.text, type=_Step) for step in agreed.steps)
    except msgspec.MsgspecError as error:
        raise _not_agreed("a step does not say who took it, or about what") from error
    _check_agreed(agreed, first, second)
    if agreed.steps[0].index >= agreed.steps[1].index:
        raise _not_agreed("it was approved before it was proposed")
    return first, second


def _check_agreed(agreed: Agreed, first: _Step, second: _Step) -> None:
    about = (agreed.act, agreed.id, agreed.obligation, agreed.thread, agreed.reason)
    if (first.event, second.event) != ("act-proposed", "act-approved"):
        raise _not_agreed("it was not proposed and approved")
    if any((one.kind, one.by, one.obligation, one.thread, one.outcome) != about for one in (first, second)):
        raise _not_agreed("its steps are about something else")
    if first.person == second.person:
        raise _not_agreed("one person proposed and approved it")
    if _ENDS[agreed.act] != agreed.ends:
        raise _not_agreed("it would end otherwise than was agreed on")


def _not_agreed(why: str) -> GatewayError:
    return GatewayError(
        "act-not-agreed", f"the hub shows an ending of a duty that was not agreed on: {why}", "tell the officers"
    )


def _sign(gateway: Gateway, agreed: Agreed, owner: MailboxId, first: _Step, second: _Step) -> bytes:
    key = gateway.keyring.record_key
    by, other = (keyed_digest(key, f"console account {one.person}") for one in (first, second))
    said: dict[str, Any] = {"confirmed_by": other} if agreed.ends == "met_elsewhere" else {}
    waiver = Waiver(
        v=1, id=agreed.id, obligation=agreed.obligation, state=agreed.ends, reason=agreed.reason, by=by, role=ROLE,
        second=Person(by=other, role=ROLE), at=second.at, mailbox=owner, **said,
    )  # fmt: skip
    payload = dump(waiver)
    parse_waiver(payload)
    return gateway.keyring.signing.sign(payload, jws.WAIVER)
