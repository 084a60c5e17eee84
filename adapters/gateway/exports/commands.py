"""`gateway export` and `gateway exports`: one copy for one reader, and the record that it was made.

The event is durable before the file is there: no copy without its event.  Neither log nor event nor file name holds content.

Source: domain 3 (9), 9.4, 9.5; risks 1 to 4.
"""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.base import Incoming
from adapters.durable import write_new
from adapters.errors import GatewayError
from adapters.gateway import embargo, exclusions, filing
from adapters.gateway.agent import open_gateway
from adapters.gateway.context import Gateway
from adapters.gateway.exports.forms import FORMS
from adapters.gateway.exports.policy import Policy, Variant, load_policy, parse_audience
from adapters.gateway.exports.sheet import make_sheet
from adapters.gateway.outgoing import Kept
from adapters.gateway.spool import Transaction
from keys.digests import keyed_digest
from schemas.identifiers import EnvelopeId, MailboxId

# Suffix and media type by form.
_FORMS: Final = {
    "text": ("txt", "text/plain"),
    "html": ("html", "text/html"),
    "json": ("json", "application/json"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaking:
    """That an embargo is broken by a copy: for which listed reason, and who agrees."""

    reason: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One copy: under which file name (references only), its media type, its bytes."""

    name: str
    media: str
    content: bytes


async def export(options: Namespace) -> dict[str, Any]:
    """Write one message as a copy for one kind of reader, and record who made it."""
    breaking = Breaking(reason=options.reason or "", second=options.second or "") if options.break_embargo else None
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        message = await find_message(gateway, options.envelope, options.mailbox)
        # Who is excluded doesn't even learn that there is an embargo.
        await exclusions.check_person(
            gateway, message.thread, options.by, *([options.second] if options.second else [])
        )
        copy = prepare_copy(
            gateway, message, audience=options.audience, form=options.form, by=options.by, breaking=breaking
        )
        target = _target(Path(options.out), copy.name)
        await gateway.spool.write(
            lambda tx: note_copy(
                gateway, tx, message, mailbox=options.mailbox, audience=options.audience, form=options.form,
                by=options.by, breaking=breaking,
            )
        )  # fmt: skip
        _write(target, copy.content)
        return {
            "envelope": message.envelope,
            "for": options.audience,
            "form": options.form,
            "bytes": len(copy.content),
        }


def prepare_copy(
    gateway: Gateway, message: Incoming, *, audience: str, form: str, by: str, breaking: Breaking | None = None
) -> Copy:
    """Return *message* as a copy for *audience*, with who made it and when printed on it; :func:`note_copy` comes first.

    Raises:
        GatewayError: ``export-audience``, ``export-embargoed``, ``export-reason``, ``export-alone``, ``person-name``.
    """
    policy = load_policy()
    name, agency = parse_audience(audience, policy)
    person = exclusions.check_name(by)
    _check_embargo(gateway, message, policy, policy.variants[name], person, breaking)
    sheet = make_sheet(
        message, gateway.catalogue.schema(message.type), policy, name, agency=agency, by=person, now=gateway.clock()
    )
    suffix, media = _FORMS[form]
    return Copy(name=f"{message.envelope}-{name}.{suffix}", media=media, content=FORMS[form](sheet))


async def note_copy(
    gateway: Gateway, tx: Transaction, message: Incoming, *, mailbox: MailboxId, audience: str, form: str, by: str,
    breaking: Breaking | None = None,
) -> None:  # fmt: skip
    """Record that a copy is made: durable before anybody has it."""
    key = gateway.keyring.record_key
    broken = breaking if embargo.moment_of(message.message) > gateway.clock() else None
    await tx.run(
        "add_export", at=gateway.clock(), envelope=message.envelope, mailbox=mailbox, variant=audience, form=form,
        person=keyed_digest(key, exclusions.fold(by)), reason=broken.reason if broken else None,
        second=keyed_digest(key, exclusions.fold(broken.second)) if broken else None,
    )  # fmt: skip


async def exports(options: Namespace) -> list[dict[str, Any]]:
    """List the copies that were made: envelope, kind, when, and by whom as a pseudonym."""
    async with open_gateway(Path(options.home), passphrase_file=options.passphrase_file) as gateway:
        one = options.envelope
        rows = await (gateway.spool.all("exports_of", envelope=one) if one else gateway.spool.all("list_exports"))
        return [{name: value for name, value in row.items() if value is not None} for row in rows]


async def find_message(gateway: Gateway, envelope: EnvelopeId, mailbox: MailboxId) -> Incoming:
    """Return what arrived, or what waits here to be sent, as one message.

    Raises:
        GatewayError: ``export-unknown``, ``export-empty``.
    """
    row = await gateway.spool.one("find_incoming", envelope=envelope, mailbox=mailbox)
    if row is not None and row["state"] not in {"rejected", "destroyed"} and row["content"] is not None:
        return filing.read_content(gateway, row)
    sent = await gateway.spool.one("find_sent", envelope=envelope)
    if sent is not None and sent["mailbox"] == mailbox and sent["draft"] is not None:
        content = gateway.spool.unlock(bytes(sent["draft"]), envelope)
        return as_incoming(msgspec.msgpack.decode(content, type=Kept), sent)
    if row is None and (sent is None or sent["mailbox"] != mailbox):
        raise GatewayError("export-unknown", "that mailbox has no such message here", "see `gateway inbox list`")
    raise GatewayError("export-empty", "its content is no longer here", "look in the record system")


def as_incoming(kept: Kept, sent: Any) -> Incoming:
    """Return what was written here, as its recipients read it; *sent* is its row in the outbox."""
    draft = kept.draft
    return Incoming(
        envelope=sent["envelope"], mailbox=draft.from_, seq=0, type=draft.type, sender=draft.from_, recipients=draft.to,
        thread=sent["thread"], re=draft.re, supersedes=draft.supersedes, at=sent["at"], accepted_at=sent["at"],
        author="", author_role=draft.author.role, purpose=draft.purpose, basis=draft.basis, consent=draft.consent,
        classification=draft.classification, marks=draft.marks, retention=draft.retention or "", message=draft.message,
    )  # fmt: skip


def _check_embargo(
    gateway: Gateway, message: Incoming, policy: Policy, variant: Variant, by: str, breaking: Breaking | None
) -> None:
    """Refuse to break an embargo, but for a listed reason and by two people.

    Raises:
        GatewayError: ``export-embargoed``, ``export-reason``, ``export-alone``.
    """
    if embargo.moment_of(message.message) <= gateway.clock():
        return
    if breaking is None or not variant.breaks_embargo:
        raise GatewayError(
            "export-embargoed", "the message is under an embargo",
            "wait until its moment; for the record or another agency, two people can break it by --break-embargo",
        )  # fmt: skip
    if breaking.reason not in policy.break_reasons:
        known = ", ".join(policy.break_reasons)
        raise GatewayError("export-reason", "breaking an embargo needs a reason that is listed", f"use one of {known}")
    if not breaking.second or not exclusions.are_different(by, breaking.second):
        raise GatewayError("export-alone", "breaking an embargo takes two people", "name the other by --second")


def _target(out: Path, name: str) -> Path:
    target = out / name if out.is_dir() else out
    if os.path.lexists(target):
        raise GatewayError("export-exists", "there is a file of that name", "name another by --out")
    return target


def _write(target: Path, content: bytes) -> None:
    try:
        write_new(target, content)
    except OSError as error:
        raise GatewayError(
            "export-file", f"couldn't write the copy: {error.strerror}", "name a place where you may write"
        ) from error
