"""From an adapter's draft to the hub's acceptance: taken once, sealed, and sent until it is answered.

Each step is durable before the next begins, so that a kill between any two repeats a step and doubles nothing.

Source: design 4; protocol 2 and 9.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import msgspec

from adapters.base import Document, Draft, DraftRefused, DraftResult, Outgoing, Spooled
from adapters.errors import GatewayError, NotYetError, place_of
from adapters.gateway import apart, consequences, evidence, failing, handling, negatives, sightings
from adapters.gateway.claims import claim_acceptance
from adapters.gateway.client import MAX_BATCH, MAX_BATCH_BYTES, HubRefusedError
from adapters.gateway.compose import Composed, compose
from adapters.gateway.context import Gateway
from adapters.gateway.inbox.indexing import index_sent
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.succession import tell_moved, tell_refused
from adapters.gateway.watch import Watch
from keys import jws
from keys.digests import new_id, sha256_b64u
from keys.errors import KeysError
from schemas.envelope import join_envelope, parse_header
from schemas.evidence import Said
from schemas.identifiers import EnvelopeId, ThreadId
from schemas.statements import Acceptance, parse_acceptance
from schemas.strict_json import MalformedError, dump

_log = logging.getLogger("gateway.outgoing")
# What another look at the signed documents can cure; the refused id is unused and is used again.
STALE: Final = frozenset(
    {"agreement-outdated", "directory-outdated", "recipient-key", "recipient-unknown", "key-not-active", "key-unknown"}
)
# What the hub may say of an envelope that it took before, and whose answer was lost.
JUDGED_BEFORE: Final = STALE | {"envelope-id-reused"}


class Kept(msgspec.Struct, frozen=True):
    """A draft with its documents, as the spool keeps it (encrypted) until the hub has taken the envelope."""

    draft: Draft
    documents: tuple[Document, ...]


async def collect(gateway: Gateway) -> int:
    """Take every draft that waits in an adapter; return how many are new."""
    count = 0
    for name, adapter in gateway.adapters.items():
        if not gateway.pacer.is_ready(f"collect {name}"):
            continue
        try:
            async for outgoing in adapter.collect():
                count += await _take_alone(gateway, name, outgoing)
        except NotYetError:
            raise
        except Exception as error:  # noqa: BLE001
            # A plugin's failure is its own: the others go on.  Its text may hold content, so only its kind and place are logged.
            _log.error("the adapter `%s` failed to collect: %s", name, place_of(error))
            gateway.pacer.failed(f"collect {name}")
            await failing.note_unread(gateway, name)
        else:
            gateway.pacer.worked(f"collect {name}")
            await failing.note_read(gateway, name)
    return count


async def _take_alone(gateway: Gateway, adapter: str, outgoing: Outgoing) -> bool:
    """Take one draft; a system that can't be told what became of it keeps none of those behind it, and is told again."""
    try:
        return await take(gateway, adapter, outgoing)
    except NotYetError:
        raise
    except Exception as error:  # noqa: BLE001
        _log.error("the adapter `%s` failed over a draft: %s", adapter, place_of(error))
        return False


async def take(gateway: Gateway, adapter: str, outgoing: Outgoing) -> bool:
    """Make one draft durable, or refuse it, and tell the adapter; answer whether it is new."""
    known = await gateway.spool.one("find_draft", adapter=adapter, key=outgoing.key)
    if known is not None:
        await outgoing.done(_result_of(known))
        return False
    now = gateway.clock()
    envelope, thread = new_id(now), outgoing.draft.thread or new_id(now)
    # Outside what refuses: a gateway that doesn't know the agreement yet has to wait with a negative.
    dated = negatives.date_draft(gateway, outgoing.draft)
    try:
        admitted = await handling.admit(gateway, dated)
        outgoing = replace(outgoing, draft=admitted.draft)
        composed = _compose_now(gateway, admitted, outgoing.documents, envelope, thread)
    except (MalformedError, GatewayError, KeysError) as error:
        if isinstance(error, GatewayError):
            await tell_refused(gateway, outgoing.draft, f"{adapter}:{outgoing.key}", error)
        await outgoing.done(DraftRefused(code=error.code, message=error.message, hint=error.hint))
        return False
    if not await keep_draft(gateway, adapter, outgoing, envelope, thread, composed, admitted):
        # Somebody else put the same into the outbox meanwhile: what is there is what was sent.
        if (known := await gateway.spool.one("find_draft", adapter=adapter, key=outgoing.key)) is not None:
            await outgoing.done(_result_of(known))
        return False
    # From here on a crash finds the draft in the spool: the adapter yields it again and is told again.
    await outgoing.done(Spooled(envelope=envelope, thread=thread))
    return True


async def take_now(gateway: Gateway, adapter: str, drafted: Outgoing) -> Spooled:
    """Make one draft durable for a person who waits for the answer.

    Raises:
        GatewayError: why it was refused.
    """
    result = await take_and_hear(gateway, adapter, drafted)
    if isinstance(result, DraftRefused):
        raise GatewayError(result.code, f"couldn't send it: {result.message}", result.hint)
    return result


async def take_and_hear(gateway: Gateway, adapter: str, drafted: Outgoing) -> DraftResult:
    """Make one draft durable, or refuse it, and return what its adapter is told."""
    results: list[DraftResult] = []

    async def done(result: DraftResult) -> None:
        await drafted.done(result)
        results.append(result)

    await take(gateway, adapter, replace(drafted, done=done))
    (result,) = results
    return result


async def keep_draft(
    gateway: Gateway,
    adapter: str,
    outgoing: Outgoing,
    envelope: EnvelopeId,
    thread: ThreadId,
    composed: Composed | None,
    admitted: handling.Admitted,
) -> bool:
    """Put a draft into the spool, sealed already where that was possible; answer whether it wasn't there yet."""
    draft = outgoing.draft
    kept = gateway.spool.lock(msgspec.msgpack.encode(Kept(draft, outgoing.documents)), envelope)

    async def work(tx: Transaction) -> bool:
        is_new = await tx.run(
            "add_draft", envelope=envelope, adapter=adapter, key=outgoing.key, mailbox=draft.from_, thread=thread,
            type=draft.type, at=gateway.clock(), draft=kept,
        )  # fmt: skip
        if not is_new:
            return False
        await apart.note_record(tx, gateway, draft.type, envelope, draft.message)
        await index_sent(gateway, tx, draft, envelope, thread)
        await handling.tell(gateway, tx, envelope, thread, admitted)
        if composed is not None:
            await _set_sealed(gateway, tx, envelope=envelope, composed=composed)
        return True

    return await gateway.spool.write(work)


def _compose_now(
    gateway: Gateway,
    admitted: handling.Admitted,
    documents: Sequence[Document],
    envelope: EnvelopeId,
    thread: ThreadId,
) -> Composed | None:
    draft = admitted.draft
    if gateway.config.find_mailbox(draft.from_) is None:
        raise GatewayError("draft-sender", "the sender is no mailbox of this gateway", "correct `from`")
    try:
        return compose(
            draft, documents, envelope=envelope, thread=thread, books=gateway.partnership.books,
            catalogue=gateway.catalogue, keyring=gateway.keyring, now=gateway.clock(), clear=admitted.clear,
        )  # fmt: skip
    except NotYetError:
        return None


async def _set_sealed(gateway: Gateway, tx: Transaction, *, envelope: EnvelopeId, composed: Composed) -> None:
    await tx.run(
        "set_sealed", envelope=envelope, header=composed.header, wraps=composed.wraps, body=composed.body,
        content_key=gateway.spool.lock(composed.content_key, envelope),
    )  # fmt: skip
    await tell_moved(gateway, tx, composed.shown, composed.moved)
    if gateway.partnership.books.is_expired(gateway.clock()):
        _log.warning("an urgent envelope was sealed under a directory that has expired")
        shown = composed.shown
        await gateway.tell(
            tx, "sealed-under-expired", f"expired:{envelope}", mailbox=shown.from_,
            details={"envelope": envelope, "thread": shown.thread, "type": shown.type},
        )  # fmt: skip


async def seal_drafts(gateway: Gateway) -> None:
    """Seal the drafts that couldn't be sealed before: no directory yet, a recipient without a key, rules that changed."""
    for waiting in await gateway.spool.all("drafted"):
        key = f"seal {waiting['envelope']}"
        row = await gateway.spool.one("find_sent", **waiting) if gateway.pacer.is_ready(key) else None
        if row is None or row["state"] != "drafted":
            continue
        kept = _open_draft(gateway, row)
        try:
            admitted = await handling.admit(gateway, kept.draft)
            composed = _compose_now(gateway, admitted, kept.documents, row["envelope"], row["thread"])
        except (MalformedError, GatewayError, KeysError) as error:
            await refuse(gateway, row, {"code": error.code, "message": error.message, "hint": error.hint})
            continue
        if composed is None:
            gateway.pacer.failed(key)
            continue
        gateway.pacer.worked(key)
        await gateway.spool.write(partial(_seal_now, gateway, row, composed, admitted))


async def _seal_now(
    gateway: Gateway, row: Row, composed: Composed, admitted: handling.Admitted, tx: Transaction
) -> None:
    await _set_sealed(gateway, tx, envelope=row["envelope"], composed=composed)
    # Recipients may be known only now, or what it draws on have come since it was kept.
    await handling.tell(gateway, tx, row["envelope"], row["thread"], admitted)


async def send_sealed(gateway: Gateway, watch: Watch) -> int:
    """Send what is sealed, in batches, until nothing is left that is ready; return how many the hub accepted.

    Raises:
        HubAwayError: nothing is lost; the same bytes are sent again.
    """
    accepted = 0
    while batch := await _next_batch(gateway):
        raws = [join_envelope(bytes(row["header"]), bytes(row["wraps"]), bytes(row["body"])) for row in batch]
        outcomes = await gateway.client.send_envelopes(raws)
        for row, outcome in zip(batch, outcomes, strict=True):
            accepted += await _take_outcome(gateway, watch, row, outcome)
    return accepted


async def _next_batch(gateway: Gateway) -> list[Row]:
    chosen: list[str] = []
    size = 0
    for row in await gateway.spool.all("sealed"):
        if not gateway.pacer.is_ready(f"send {row['envelope']}"):
            continue  # what has to wait keeps nothing behind it
        size += row["size"]
        if chosen and (size > MAX_BATCH_BYTES or len(chosen) == MAX_BATCH):
            break
        chosen.append(row["envelope"])
    rows = [await gateway.spool.one("find_sent", envelope=envelope) for envelope in chosen]
    return [row for row in rows if row is not None and row["state"] == "sealed"]


async def _take_outcome(gateway: Gateway, watch: Watch, row: Row, outcome: Mapping[str, Any]) -> bool:
    key, status = f"send {row['envelope']}", int(outcome["status"])
    if status in {200, 201}:
        try:
            acceptance = check_acceptance(gateway, row, str(outcome["acceptance"]).encode())
        except (GatewayError, KeysError, MalformedError) as error:
            # Not the hub's word, so not an answer: the envelope stays, and somebody must look.
            _log.error("an acceptance does not verify: %s", error.code)
            await gateway.spool.write(partial(_keep_forged, gateway, row, str(outcome["acceptance"]).encode()))
            gateway.pacer.failed(key)
            return False
        await _accept(gateway, watch, row, str(outcome["acceptance"]).encode(), acceptance)
        gateway.pacer.worked(key)
        return True
    problem = outcome.get("problem", {})
    code = str(problem.get("code", "hub-answer"))
    if code in JUDGED_BEFORE and (lost := await _find_answer(gateway, row)) is not None:
        return await _take_outcome(gateway, watch, row, {"status": 200, "acceptance": lost})
    if status >= 500 or status in {401, 408, 425, 429} or code in STALE:
        if code in STALE:
            await _redraft(gateway, row)
        _log.info("an envelope waits: %s", code)
        gateway.pacer.failed(key)
        gateway.pacer.failed(f"seal {row['envelope']}")
        return False
    detail, hint = str(problem.get("detail", "the hub refused it")), str(problem.get("hint", ""))
    await refuse(gateway, row, {"code": code, "message": detail, "hint": hint})
    return False


async def _keep_forged(gateway: Gateway, row: Row, acceptance: bytes, tx: Transaction) -> None:
    said = Said(reason="acceptance-forged", at=gateway.clock(), envelope=row["envelope"], mailbox=row["mailbox"])
    await evidence.accuse(tx, said, signed=(bytes(row["header"]), acceptance))


async def _find_answer(gateway: Gateway, row: Row) -> str | None:
    """Return the acceptance whose answer was lost, if the hub has accepted the envelope before it refused it.

    Raises:
        NotYetError: the hub is away; the same is asked again.
    """
    try:
        state = await gateway.client.envelope_state(row["envelope"])
    except HubRefusedError:
        return None
    return str(state["acceptance"]) if state and "acceptance" in state else None


async def _redraft(gateway: Gateway, row: Row) -> None:
    """Look at the signed documents again and make the envelope anew under the same id."""
    try:
        await gateway.partnership.refresh()
    except NotYetError:
        return
    if row["draft"] is not None:
        await gateway.spool.run("set_redraft", envelope=row["envelope"])


def check_acceptance(gateway: Gateway, row: Row, compact: bytes) -> Acceptance:
    """Return the hub's acceptance of the envelope in *row*.

    Raises:
        GatewayError: ``acceptance``; it is of another envelope, or of other bytes.
        KeysError: not signed by the hub's key.
    """
    unverified = jws.parse(compact, jws.ACCEPTANCE)
    jws.check(unverified, gateway.partnership.books.hub_key(unverified.kid))
    acceptance = parse_acceptance(unverified.payload)
    header = bytes(row["header"])
    sealed = parse_header(jws.parse(header, jws.ENVELOPE).payload).sealed.sha256
    if (acceptance.id, acceptance.header_sha256, acceptance.sealed_sha256) != (
        row["envelope"],
        sha256_b64u(header),
        sealed,
    ):
        raise GatewayError("acceptance", "the hub accepted something else", "tell the partnership's officers")
    return acceptance


async def _accept(gateway: Gateway, watch: Watch, row: Row, compact: bytes, acceptance: Acceptance) -> None:
    header = parse_header(jws.parse(bytes(row["header"]), jws.ENVELOPE).payload)
    draft = _open_draft(gateway, row).draft if consequences.has_any(row["type"]) else None

    async def work(tx: Transaction) -> None:
        if await tx.run("set_accepted", envelope=row["envelope"], acceptance=compact):
            # The content goes with this transaction; the queue keeps it until the register has it.
            await tx.run("add_unregistered", envelope=row["envelope"], why="sent", draft=row["draft"])
            await watch.see_envelope(tx, header, acceptance.at, gateway.partnership.books)
            await claim_acceptance(tx, bytes(row["header"]), compact)
            await sightings.expect(tx, header, acceptance.index)
            if draft is not None:
                await consequences.note_sent(gateway, tx, header, draft)

    await gateway.spool.write(work)


def _open_draft(gateway: Gateway, row: Row) -> Kept:
    return msgspec.msgpack.decode(gateway.spool.unlock(bytes(row["draft"]), row["envelope"]), type=Kept)


async def refuse(gateway: Gateway, row: Row, reason: Mapping[str, str]) -> None:
    """Record that the draft in *row* will never be sent, and tell its mailbox."""

    async def work(tx: Transaction) -> None:
        if await tx.run("set_refused", envelope=row["envelope"], refusal=dump(reason)):
            await gateway.tell(
                tx, "send-refused", f"refused:{row['envelope']}", mailbox=row["mailbox"],
                details={"envelope": row["envelope"], "thread": row["thread"], "type": row["type"], **reason},
            )  # fmt: skip

    await gateway.spool.write(work)
    _log.warning("a draft was refused: %s", reason["code"])


def _result_of(row: Row) -> DraftResult:
    if row["state"] == "refused":
        return DraftRefused(**{"hint": ""} | msgspec.json.decode(bytes(row["refusal"])))
    return Spooled(envelope=row["envelope"], thread=row["thread"])
