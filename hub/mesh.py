"""MESH's words for what the hub has: addresses of mailboxes, workflows of types, names of messages; and who may use them.

Names are worked out and never kept: every hub process gives the same message the same name.

Source: NHS MESH API 2.0.0; DESIGN 5.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from hub import ledger
from hub.core.events import Event, EventName
from hub.errors import HubError
from hub.store.transaction import Transaction
from keys.digests import b64u, from_b64u, sha256
from keys.mesh import Secrets, lock_secrets, new_secrets
from schemas.directory import MESH_RESERVED, DirectoryIndex
from schemas.identifiers import MailboxId, Moment, agency_of, family_of
from schemas.rules.compiled import Rules

# From whom notices come.
HUB: Final = "HUB"
PREFIX: Final = "SAFEGUARDING_"
ACK: Final = "_ACK"
NOTICES: Final = f"{PREFIX}NOTICE"
WAIVERS: Final = f"{PREFIX}WAIVER"
_LETTERS: Final[Mapping[str, str]] = {"delivery": "D", "receipt": "R", "notice": "N", "waiver": "W"}
_KINDS: Final = {letter: kind for kind, letter in _LETTERS.items()}
_REFERENCE: Final = 26
_NAME: Final = re.compile(r"\A[A-Z0-9]{1,64}\Z")


class Entry(NamedTuple):
    """What the name of a message in an inbox says: the feed entry's kind, and the id of what it is about."""

    kind: str
    ref: str


@lru_cache(maxsize=2)
def _addresses(index: DirectoryIndex) -> Mapping[str, tuple[MailboxId, ...]]:
    known: dict[str, tuple[MailboxId, ...]] = {}
    for agency in index.directory.agencies:
        for box in agency.mailboxes:
            name = index.mesh_address(box.id)
            known[name] = (*known.get(name, ()), box.id)
    return known


def find_address(index: DirectoryIndex, address: str, now: Moment) -> MailboxId | None:
    """Return the open mailbox that *address* calls; ``None`` also where it calls several."""
    if address.upper() in MESH_RESERVED:
        return None
    found = [box for box in _addresses(index).get(address.upper(), ()) if index.is_open(box, now)]
    return found[0] if len(found) == 1 else None


def workflow_of(message_type: str) -> str:
    """Return the workflow of a type, whatever its version: ``minutes.full/1`` is ``SAFEGUARDING_MINUTES_FULL``.

    What goes on ``…_ACK`` is a receipt: a type that would end so, ``referral.ack``, is spelt out.
    """
    name = PREFIX + family_of(message_type).replace(".", "_").upper()
    return f"{name}NOWLEDGEMENT" if name.endswith(ACK) else name


def find_family(rules: Rules, workflow: str) -> str | None:
    """Return the family of types whose workflow this is, if the agreement has one."""
    return next((family for family in rules.agreement.types if workflow_of(family) == workflow), None)


def workflow_in(kind: str, message_type: str | None) -> str:
    """Return the workflow on which an entry of a feed comes, *message_type* being that of its envelope."""
    if kind == "notice":
        return NOTICES
    if kind == "waiver" or message_type is None:
        return WAIVERS
    return workflow_of(message_type) + (ACK if kind == "receipt" else "")


def message_name(kind: str, ref: str, mailbox: MailboxId) -> str:
    """Return the name of a message to *mailbox*: upper case and digits, as MESH asks."""
    return _LETTERS[kind] + b32encode(from_b64u(ref)).decode().rstrip("=") + _mark(mailbox)


def parse_name(name: str, mailbox: MailboxId) -> Entry | None:
    """Return what a :func:`message_name` of *mailbox* says, if it is one."""
    if not is_name(name):
        return None
    kind, ref, mark = _KINDS.get(name[:1]), name[1 : _REFERENCE + 1], name[_REFERENCE + 1 :]
    if kind is None or mark != _mark(mailbox):
        return None
    try:
        entry = Entry(kind, b64u(b32decode(ref + "======")))
    except ValueError:
        return None
    return entry if message_name(*entry, mailbox) == name else None


def is_name(text: str) -> bool:
    """Answer whether *text* is spelt as a message's name: anything else is nobody's, and isn't asked of the database."""
    return _NAME.match(text) is not None


def upload_name(token: str) -> str:
    """Return the name of a message that comes in parts, of the digest of the token that brought the first of them."""
    return "U" + b32encode(from_b64u(token)[:20]).decode()


def report_name(sent: str) -> str:
    """Return the name of the report that the message *sent* wasn't taken."""
    return f"P{sent}"


def _mark(mailbox: MailboxId) -> str:
    return b32encode(sha256(mailbox.encode())).decode()[:6]


def add_mailbox(tx: Transaction, index: DirectoryIndex, mailbox: MailboxId, kek: bytes, at: Moment) -> Secrets:
    """Let *mailbox* use the front door; return the secrets that it proves itself by, which end those that it had.

    Raises:
        HubError: ``mesh-mailbox``: not an open mailbox of the directory, or its address is another's too.
    """
    address = index.mesh_address(mailbox)
    if find_address(index, address, at) != mailbox:
        raise HubError(
            "mesh-mailbox",
            f"{mailbox} is no open mailbox with a MESH address of its own",
            "name one of the directory, or have its `mesh` alias changed",
        )
    secrets = new_secrets()
    _note(tx, "mesh-added", mailbox, at)
    tx.set_mesh_mailbox(mailbox, lock_secrets(mailbox, secrets, kek), at)
    return secrets


def end_mailbox(tx: Transaction, mailbox: MailboxId, at: Moment) -> None:
    """Let *mailbox* use the front door no more: its next request is refused.

    Raises:
        HubError: ``mesh-unknown``.
    """
    if tx.find_mesh_mailbox(mailbox) is None:
        raise HubError("mesh-unknown", f"{mailbox} doesn't use MESH", "see `hub mesh list`")
    _note(tx, "mesh-ended", mailbox, at)
    tx.drop_mesh_mailbox(mailbox)


def _note(tx: Transaction, event: EventName, mailbox: MailboxId, at: Moment) -> None:
    said = Event(event=event, agency=agency_of(mailbox), mailbox=mailbox)
    ledger.append(tx, said, ledger.moment(tx, at))
