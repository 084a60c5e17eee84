"""``gateway answer``: the answer to a received message in one step, made from it by ``schemas/derivations.json``.

"Not known here" is an answer like any other, and the commonest: it must cost nothing to give.

Source: domain 1 (3: every request has an answer), 8 (what clears), 2 (systems 4 to 9, 13, 14, 17, 19, 23, 24).
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.base import Draft, DraftAuthor, Outgoing, Spooled
from adapters.errors import GatewayError
from adapters.gateway import embargo, exclusions, filing, negatives, outgoing
from adapters.gateway.agent import open_gateway
from adapters.gateway.context import Gateway
from adapters.gateway.spool import Row, Spool, Transaction
from adapters.gateway.watch import duty_of, header_of
from keys.digests import new_id
from schemas.derivation import Derivation, Derivations, read, spell_moment
from schemas.identifiers import MailboxId, MessageType, family_of
from schemas.strict_json import MalformedError, dump, parse

Values = Mapping[str, Any]
ADAPTER: Final = "answer"
MAX_VALUE: Final = 1024 * 1024
_TRUTHS: Final = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be answered and how: the delivery in ``row``, by ``pair``, with ``values`` laid over, in whose name."""

    row: Row
    pair: Derivation
    author: DraftAuthor
    values: Values = field(default_factory=dict)


async def answer(options: Namespace) -> list[dict[str, Any]]:
    """Make the answer to one received message and put it into the outbox; return envelope and thread of each part."""
    if bool(options.by) != bool(options.role):
        raise GatewayError("answer-author", "a person answers in a role", "give both --by and --role, or neither")
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        row = await embargo.find_delivery(gateway, options.envelope, options.mailbox)
        if row["content"] is None:
            raise GatewayError("inbox-empty", "its content is no longer here", "look in the record system")
        await exclusions.check_person(gateway, row["thread"], *filter(None, [options.by]))
        pair = find_pair(row["type"], options.type)
        author = DraftAuthor(name=options.by or row["mailbox"], role=options.role or "team")
        asked = Asked(row=row, pair=pair, author=author, values=_read_values(gateway, pair, options.set))
        drafts = await make_drafts(gateway, gateway.spool, asked)
        taken = await give(gateway, asked, drafts, again=f" {gateway.clock()}" if options.again else "")
        return [
            {"envelope": one.envelope, "thread": one.thread, "type": draft.type}
            for one, draft in zip(taken, drafts, strict=True)
        ]


async def give(gateway: Gateway, asked: Asked, drafts: Sequence[Draft], *, again: str = "") -> list[Spooled]:
    """Put *drafts*, the answer to *asked*, into the outbox, and return each as it is there: once, however often it is given.

    Raises:
        GatewayError: why one of them was refused.
    """
    key = key_of(gateway, asked) + again
    return [
        await outgoing.take_now(gateway, ADAPTER, Outgoing(key=f"{key} {number}", draft=draft))
        for number, draft in enumerate(drafts)
    ]


def key_of(gateway: Gateway, asked: Asked) -> str:
    """Return by what the outbox knows the answer: the same words to the same question are the same, whoever gives them."""
    content = {
        "envelope": asked.row["envelope"], "mailbox": asked.row["mailbox"], "type": asked.pair.target,
        "values": asked.values,
    }  # fmt: skip
    return gateway.spool.fingerprint(dump(content))


def find_pair(received: MessageType, wanted: str) -> Derivation:
    """Return how an answer of the type *wanted* is made from a message of the type *received*.

    Raises:
        GatewayError: ``answer-unknown``.
    """
    derivations = Derivations.load()
    pair = derivations.find(received, wanted)
    if pair is None or pair.by == "sender":
        made = (one for one in derivations.made_from(received) if one.by == "any")
        families = ", ".join(family_of(one.target) for one in made)
        raise GatewayError(
            "answer-unknown",
            f"no {family_of(wanted)} can be made from a {family_of(received)}",
            f"--type may be: {families}" if families else "write it as a draft, and `gateway send` it",
        )
    return pair


def _read_values(gateway: Gateway, pair: Derivation, given: Iterable[str]) -> dict[str, Any]:
    """Return what ``--set`` says, each value as its field's schema wants it.

    Raises:
        GatewayError: ``answer-value``.
        MalformedError: ``message-field``.
    """
    values = {}
    for one in given:
        pointer, equals, text = one.partition("=")
        if not equals or not pointer.startswith("/"):
            raise GatewayError("answer-value", "a value is given as /field=value", "such as --set /result=not_known")
        kind = gateway.catalogue.field(pair.target, pointer).get("type")
        try:
            values[pointer] = text if kind == "string" else _read_value(kind, text)
        except (KeyError, ValueError, MalformedError) as error:
            words = {"boolean": "yes or no", "integer": "a whole number"}.get(str(kind), "written as JSON")
            raise GatewayError("answer-value", f"`{pointer}` must be {words}", "correct its --set") from error
    return values


def _read_value(kind: str | None, text: str) -> Any:
    if kind == "boolean":
        return _TRUTHS[text.lower()]
    if kind == "integer":
        return int(text)
    return parse(text.encode(errors="replace"), max_bytes=MAX_VALUE, content=True)


async def make_drafts(gateway: Gateway, tx: Transaction | Spool, asked: Asked) -> list[Draft]:
    """Return the drafts that answer *asked*, each as its schema wants it.

    Raises:
        GatewayError: ``answer-nothing``.
        MalformedError: what is missing, or wrong.
    """
    row, pair = asked.row, asked.pair
    now, box = gateway.clock(), row["mailbox"]
    received = filing.read_content(gateway, row)
    creditors = await _creditors(tx, row, pair)
    messages = Derivations.load().derive_all(
        row["type"], pair.target, received.message, new_ids=lambda: new_id(now), now=spell_moment(now),
        values=pair.addressed(sender=box, recipient=creditors[0]) | dict(asked.values),
    )  # fmt: skip
    if not messages:
        raise GatewayError(
            "answer-nothing", "the message asks for no such answer", "write it as a draft, and `gateway send` it"
        )
    drafts = []
    for message in messages:
        label = negatives.date_negative(gateway, pair.target, message)
        _check(gateway, pair, message)
        parties = [party for party in gateway.catalogue.clear(pair.target, message).parties if party != box]
        draft = Draft(
            type=pair.target, from_=box, to=tuple(sorted({*creditors, *parties})), thread=row["thread"],
            re=row["envelope"], purpose=received.purpose, basis=received.basis, consent=received.consent,
            classification="OFFICIAL" if received.classification == "OFFICIAL" else "OFFICIAL-SENSITIVE",
            marks=received.marks, retention=label, basis_class=header_of(row).basis_class, author=asked.author,
            message=message,
        )  # fmt: skip
        drafts.append(draft)
    return drafts


async def _creditors(tx: Transaction | Spool, row: Row, pair: Derivation) -> list[MailboxId]:
    """Return whom the mailbox owes such an answer to this message; the sender, where no rule says so."""
    duties = [duty_of(one) for one in await tx.all("open_in_thread", thread=row["thread"])]
    found = {
        duty.creditor
        for duty in duties
        if (duty.kind, duty.debtor, duty.envelope) == ("send", row["mailbox"], row["envelope"])
        and family_of(pair.target) in duty.types
    }
    return sorted(found) or [row["sender"]]


def _check(gateway: Gateway, pair: Derivation, message: Mapping[str, Any]) -> None:
    try:
        gateway.catalogue.validate(pair.target, message)
    except MalformedError as error:
        lacking = [pointer for pointer in pair.needs if read(message, pointer) is None]
        hint = "only you know: " + " ".join(f"--set {pointer}=…" for pointer in lacking) if lacking else error.hint
        raise MalformedError(error.code, error.message, hint) from error
