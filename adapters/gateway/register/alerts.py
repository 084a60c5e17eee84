"""From a pattern that holds to those who must know: a notice inside the agency, and where it is agreed a message.

What was found is durable in the register before anything is told, and is told under one key, so that a kill between any
two lines tells nobody twice.  A notice has references only.

Source: design 2 (8); protocol 2 and 6.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec

from adapters.base import Draft, DraftAuthor, Incoming, Outgoing, Spooled
from adapters.gateway import outgoing
from adapters.gateway.context import Gateway
from adapters.gateway.filing import read_content
from adapters.gateway.register.patterns import Occurrence, Source, Trigger
from adapters.gateway.register.store import Register
from adapters.gateway.spool import Row, Transaction
from adapters.gateway.watch import header_of
from keys.digests import new_id
from schemas.derivation import Derivations, spell_moment
from schemas.envelope import Header, Struct
from schemas.identifiers import EnvelopeId, MailboxId, MessageType, Moment, ThreadId, family_of
from schemas.rules import clocks
from schemas.rules.compiled import Rules
from schemas.rules.selectors import resolve

_log = logging.getLogger("gateway.register")
ADAPTER: Final = "register"
NOTICE: Final = "register-alert"
BATCH: Final = 100


class Alert(Struct, frozen=True, kw_only=True):
    """What was found, as the register keeps it until it is told.

    ``envelope``, ``thread``: what brought it up; ``earlier``: the envelopes and threads by which it holds besides.
    ``source``: what a message to others is made from.
    """

    pattern: str
    because: str
    send: str | None
    to: tuple[str, ...]
    child: str
    envelope: EnvelopeId
    thread: ThreadId
    earlier: tuple[tuple[EnvelopeId, ThreadId], ...]
    source: Source | None


def source_of(content: Draft | Incoming) -> Source:
    """Return what of *content* a message to others may be made from."""
    return Source(**{name: getattr(content, name) for name in Source.__struct_fields__})


async def note(
    tx: Transaction,
    register: Register,
    occurrence: Occurrence,
    child: str,
    boxes: tuple[MailboxId, ...],
    trigger: Trigger | None,
    now: Moment,
) -> None:
    """Keep *occurrence* to be told to one of *boxes*: where its message came or left, if that is among them; once ever."""
    pattern, newest = occurrence.pattern, occurrence.counted[-1]
    envelope, thread, mailbox = newest.envelope, newest.thread, newest.mailbox
    if trigger is not None and (pattern.on or trigger.header.id == envelope):
        envelope, thread, mailbox = trigger.header.id, trigger.header.thread, trigger.mailbox
    source = trigger.source if trigger and trigger.header.id == envelope and pattern.send else None
    earlier = ((one.envelope, one.thread) for one in occurrence.counted if one.envelope != envelope)
    alert = Alert(
        pattern=pattern.name, because=pattern.because, send=pattern.send, to=pattern.to, child=child, envelope=envelope,
        thread=thread, earlier=tuple(dict.fromkeys(earlier)), source=source,
    )  # fmt: skip
    key = register.digest("alert", *occurrence.token)
    await tx.run(
        "add_alert", key=key, at=now, mailbox=mailbox if mailbox in boxes else boxes[0],
        alert=register.lock(msgspec.json.encode(alert), f"alert {key}"),
    )  # fmt: skip


async def tell_all(gateway: Gateway) -> int:
    """Tell what waits to be told; return how much."""
    rows = await gateway.register.all("waiting_alerts", limit=BATCH)
    for row in rows:
        raw = gateway.register.unlock(bytes(row["alert"]), f"alert {row['key']}")
        alert = msgspec.json.decode(raw, type=Alert)
        details: dict[str, Any] = {
            "pattern": alert.pattern, "child": alert.child, "envelope": alert.envelope, "thread": alert.thread,
            "earlier": list(dict.fromkeys(thread for _, thread in alert.earlier)),
        }  # fmt: skip
        if alert.send is not None:
            details |= await _send(gateway, row, alert, alert.send)
        tell = partial(
            gateway.tell, code=NOTICE, topic=f"register:{row['key']}", mailbox=row["mailbox"], details=details
        )
        await gateway.spool.write(tell)
        await gateway.register.run("set_told", key=row["key"])
        _log.info("a pattern holds: %s", alert.pattern)
    return len(rows)


async def _send(gateway: Gateway, row: Row, alert: Alert, family: str) -> dict[str, str]:
    """Put the message that *alert* asks for into the outbox; return what the notice says of it."""
    known = await gateway.spool.one("find_draft", adapter=ADAPTER, key=row["key"])
    if known is not None:
        return {"sent": known["envelope"]}
    header, source = await _find_source(gateway, alert)
    if header is None or source is None:
        return {"not_sent": "source-gone"}
    sender: MailboxId = row["mailbox"]
    rules, index, now = _rules(gateway), gateway.partnership.books.index, gateway.clock()
    target = next((one for one in reversed(gateway.catalogue.types()) if family_of(one) == family), None)
    terms = rules.agreement.types.get(family)
    found = [box for word in alert.to for box in resolve(word, header, None, index, now) if box != sender]
    to = tuple(sorted(set(found)))
    if target is None or terms is None or not to:
        return {"not_sent": "nobody-to-send-to"}
    made = _derive(gateway, header, source.message, target, sender, alert, rules)
    if made is None:
        return {"not_sent": "no-derivation"}
    draft = Draft(
        type=target, from_=sender, to=to, thread=alert.thread, basis_class=terms.basis_classes[0],
        purpose=source.purpose, basis=source.basis, consent=source.consent, classification=source.classification,
        marks=source.marks, author=DraftAuthor(name=ADAPTER, role=ADAPTER), message=made,
    )  # fmt: skip
    result = await outgoing.take_and_hear(gateway, ADAPTER, Outgoing(key=row["key"], draft=draft))
    return {"sent": result.envelope} if isinstance(result, Spooled) else {"not_sent": result.code}


async def _find_source(gateway: Gateway, alert: Alert) -> tuple[Header | None, Source | None]:
    """Return header and content of what brought the alert up, as far as they are still here."""
    sent = await gateway.spool.one("find_sent", envelope=alert.envelope)
    if sent is not None and sent["header"] is not None:
        return header_of(sent), alert.source
    for held in await gateway.spool.all("find_for_any", envelope=alert.envelope):
        if held["header"] is not None:
            is_kept = alert.source is None and held["content"] is not None
            return header_of(held), source_of(read_content(gateway, held)) if is_kept else alert.source
    return None, None


def _derive(
    gateway: Gateway,
    header: Header,
    message: Mapping[str, Any],
    target: MessageType,
    sender: MailboxId,
    alert: Alert,
    rules: Rules,
) -> dict[str, Any] | None:
    """Return the message of type *target* that the pattern sends; ``None``: nobody has said how it is made.

    What the register knows is filled in where the derivation leaves room for it; by when an answer is asked for is what
    the agreement says of messages that name no moment.
    """
    derivations = Derivations.load()
    rule = derivations.find(header.type, target)
    if rule is None:
        return None
    now = gateway.clock()
    known: dict[str, Any] = {
        "/subject": alert.envelope,
        "/raised_by": sender,
        "/detail": alert.because or alert.pattern,
        "/history": [envelope for envelope, _ in alert.earlier],
    } | _moments(gateway, target, rules, now)
    pattern = next((one for one in rules.agreement.patterns if one.name == alert.pattern), None)
    known |= pattern.values if pattern else {}
    values = {pointer: value for pointer, value in known.items() if pointer in {*rule.needs, *rule.constants}}
    return derivations.derive(
        header.type, target, message, new_id=lambda: new_id(now), now=spell_moment(now), values=values
    )


def _moments(gateway: Gateway, target: MessageType, rules: Rules, now: Moment) -> dict[str, str]:
    """Return the moments of *target* that the agreement has a limit for where the sender gives none, by their pointers."""
    pointers: Mapping[str, str] = gateway.catalogue.schema(target)["x-clear"]["moments"]
    found: dict[str, str] = {}
    for duty in rules.agreement.types[family_of(target)].opens:
        code, limit = duty.within.code, duty.otherwise
        if code is not None and code in pointers and limit is not None:
            found[pointers[code]] = spell_moment(clocks.due(limit, rules.timetable.find(limit), now).at)
    return found


def _rules(gateway: Gateway) -> Rules:
    return gateway.partnership.books.rules_at(gateway.clock())
