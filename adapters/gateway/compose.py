"""From a draft to an envelope: one pure function, no clock, no network.

Source: protocol 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from adapters.base import Document, Draft, check_names
from adapters.errors import GatewayError, NotYetError
from adapters.gateway.books import Books
from adapters.gateway.succession import find_heir
from keys import jws, sealing
from keys.digests import b64u, keyed_digest, opening, random_bytes, sha256_b64u
from keys.keyring import Keyring
from schemas import manifest as manifests
from schemas.catalogue import Catalogue, Clear
from schemas.envelope import DAY, MAX_KEEP, Header, Sealed, Wrap, Wraps, parse_header
from schemas.identifiers import Code, EnvelopeId, MailboxId, MessageType, Moment, ThreadId, family_of
from schemas.manifest import MESSAGE_MEDIA_TYPE, Author, parse_manifest
from schemas.rules.compiled import Rules
from schemas.strict_json import dump


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """An envelope in its three parts, and the content key that can wrap it again.

    ``moved``: who was addressed and has ended, and who answers for them and has it instead.
    """

    header: bytes
    wraps: bytes
    body: bytes
    content_key: bytes
    shown: Header
    moved: Mapping[MailboxId, MailboxId]


class Signer(Protocol):
    """What signing needs of a keyring."""

    signing: jws.SigningKey
    record_key: bytes


def compose(
    draft: Draft,
    documents: Sequence[Document],
    *,
    envelope: EnvelopeId,
    thread: ThreadId,
    books: Books,
    catalogue: Catalogue,
    keyring: Keyring | Signer,
    now: Moment,
    clear: Clear | None = None,
) -> Composed:
    """Return *draft* checked, sealed to each recipient and signed, as envelope *envelope* of *thread*.

    What the hub sees of the message is derived from it by the catalogue; nothing of it is taken from the draft.  A
    recipient that has ended is replaced by who answers for it; parties stay as the message names them, so that the
    recipient derives the same.

    Args:
        clear: what the catalogue derives of the message, where the caller has held it to its schema just now.

    Raises:
        MalformedError: ``message-schema``, ``type-unknown``, ``json-*``, ``manifest-*``, ``header-*``, ``document-name``.
        GatewayError: ``draft-recipients``, ``draft-attachments``, ``recipient-*``, ``type-not-allowed``, …
        NotYetError: ``recipient-key-missing``, ``agreement-missing``, ``directory-expired`` (unless it is urgent); it
            may succeed later; ``schema-differs``, likewise.
    """
    if clear is None:
        catalogue.validate(draft.type, draft.message)
        clear = catalogue.clear(draft.type, draft.message)
    if books.is_expired(now) and not clear.urgent:
        raise NotYetError(
            "directory-expired",
            "the directory has expired",
            "ask the partnership's officers for the next; the draft waits",
        )
    rules = books.rules_at(now)
    if not clear.urgent:
        _check_schema(draft, catalogue, rules)
    heirs = _find_recipients(draft, clear, books, rules, now)
    to = tuple(sorted(set(heirs.values())))
    carried = _carry(draft, documents, catalogue)
    manifest = _make_manifest(draft, carried, envelope, thread, to, keyring, now)
    content_key = sealing.new_content_key()
    body = sealing.seal(manifest, [document.content for document in carried], content_key, envelope)
    header = _make_header(draft, clear, envelope, thread, to, body, manifest, books, rules, now)
    signed = keyring.signing.sign(dump(header), jws.ENVELOPE)
    wraps = make_wraps(header, content_key, books, keyring, now)
    moved = {mailbox: heir for mailbox, heir in heirs.items() if mailbox != heir}
    return Composed(header=signed, wraps=wraps, body=body, content_key=content_key, shown=header, moved=moved)


def _check_schema(draft: Draft, catalogue: Catalogue, rules: Rules) -> None:
    """Refuse to send by another schema than the officers signed: each side would mean something else by the type."""
    family, _, major = draft.type.partition("/")
    terms = rules.agreement.types.get(family)
    signed = terms.schemas.get(major) if terms else None
    if signed is not None and signed != _digest_schema(catalogue, draft.type):
        raise NotYetError(
            "schema-differs",
            "the agreement has another schema of this message type than this gateway",
            "update the gateway, or have the partnership publish the agreement with this schema; the draft waits",
        )


@lru_cache(maxsize=512)
def _digest_schema(catalogue: Catalogue, message_type: MessageType) -> str:
    return sha256_b64u(catalogue.canonical(message_type))


def make_wraps(
    header: Header,
    content_key: bytes,
    books: Books,
    keyring: Keyring | Signer,
    now: Moment,
    *,
    kept: Iterable[Wrap] = (),
    split: Code | None = None,
) -> bytes:
    """Return the signed wraps of *content_key* for each recipient's current key: the first ones, or new ones later.

    For a recipient that has ended since: to the key of who answers for it; *split* chooses where several do.

    Args:
        kept: wraps made before that stay as they are.

    Raises:
        AddressError: ``recipient-*``.
        NotYetError: ``recipient-key-missing``.
    """
    made = {wrap.mailbox: wrap for wrap in kept}
    wraps = []
    for mailbox in header.to:
        if mailbox in made:
            wraps.append(made[mailbox])
            continue
        key = books.sealing_key(find_heir(books, mailbox, now, split), now)
        ek, wk = sealing.wrap(content_key, key, envelope_id=header.id, sender=header.from_, mailbox=mailbox)
        wraps.append(Wrap(mailbox=mailbox, kid=key.kid, ek=ek, wk=wk))
    payload = Wraps(v=1, id=header.id, sealed_sha256=header.sealed.sha256, wraps=tuple(wraps))
    return keyring.signing.sign(dump(payload), jws.WRAPS)


def _find_recipients(draft: Draft, clear: Clear, books: Books, rules: Rules, now: Moment) -> dict[MailboxId, MailboxId]:
    """Return who has it for each that is addressed: itself, or where it has ended who answers for it."""
    allowed = rules.find_type(family_of(draft.type))
    if allowed is None or not allowed.may_send(draft.from_, books.index):
        raise GatewayError(
            "type-not-allowed",
            "the sharing agreement does not let this mailbox send this type",
            "send it from a mailbox with one of the roles that the agreement names",
        )
    named = draft.to or tuple(box for box in clear.parties if box != draft.from_)
    heirs = {box: find_heir(books, box, now, draft.split) for box in named}
    if not draft.to:
        # A party may have ended, and the sender be who answers for it: they have what they say already.
        heirs = {box: heir for box, heir in heirs.items() if heir != draft.from_}
    if not heirs:
        raise GatewayError(
            "draft-recipients", "the draft has no recipient and its message names no other party", "add `to`"
        )
    for mailbox in heirs.values():
        if not allowed.may_receive(mailbox, books.index):
            raise GatewayError(
                "recipient-not-allowed", "the agreement does not let a recipient have this type", "leave it out of `to`"
            )
    return heirs


def _carry(draft: Draft, documents: Sequence[Document], catalogue: Catalogue) -> list[Document]:
    if tuple(document.name for document in documents) != draft.attachments:
        raise GatewayError(
            "draft-attachments", "the documents are not those that the draft names", "give them in its order"
        )
    if documents and "attachments" not in catalogue.schema(draft.type)["properties"]:
        # What a type has no field for, such as the plan that is late, must not go beside its message either.
        raise GatewayError("draft-attachments", "a message of this type carries no documents", "leave them out")
    check_names(draft.attachments)
    message = Document(name="message.json", type=MESSAGE_MEDIA_TYPE, content=dump(draft.message))
    return [message, *documents]


def _make_manifest(
    draft: Draft,
    carried: Sequence[Document],
    envelope: EnvelopeId,
    thread: ThreadId,
    to: tuple[MailboxId, ...],
    keyring: Keyring | Signer,
    now: Moment,
) -> bytes:
    fields: dict[str, Any] = {
        "v": 1, "id": envelope, "type": draft.type, "from": draft.from_, "to": to, "thread": thread,
        "author": Author(ref=keyed_digest(keyring.record_key, draft.author.name), role=draft.author.role),
        "nonce": b64u(random_bytes(32)), "basis": sorted(set(draft.basis)), "consent": draft.consent,
        "purpose": draft.purpose, "classification": draft.classification, "marks": sorted(set(draft.marks)), "message": 0,
        "documents": [
            manifests.Document(
                name=one.name, type=one.type, length=len(one.content), sha256=sha256_b64u(one.content)
            )
            for one in carried
        ],
        "created": now,
    }  # fmt: skip
    payload = dump(fields)
    parse_manifest(payload)  # what no recipient would open must not leave
    return keyring.signing.sign(payload, jws.MANIFEST)


def _make_header(
    draft: Draft,
    clear: Clear,
    envelope: EnvelopeId,
    thread: ThreadId,
    to: tuple[MailboxId, ...],
    body: bytes,
    manifest: bytes,
    books: Books,
    rules: Rules,
    now: Moment,
) -> Header:
    label = draft.retention or _first_label(draft, rules)
    try:
        keep = rules.retention(label).max_days * DAY
    except KeyError:
        raise GatewayError(
            "retention-unknown", "the agreement has no such retention label", "choose one that it lists"
        ) from None
    header = Header(
        v=1, id=envelope, type=draft.type, from_=draft.from_, to=to, thread=thread, re=draft.re,
        supersedes=draft.supersedes, at=clear.at, moments=clear.moments, urgent=clear.urgent, parties=clear.parties,
        items=clear.items, facts=clear.facts, basis_class=draft.basis_class, retention=label,
        sealed=Sealed(format="C2SP-CE1-A256GCM", sha256=sha256_b64u(body), length=len(body)), opening=opening(manifest),
        directory=books.directory.version, agreement=rules.version, sent=now, keep_until=now + min(keep, MAX_KEEP),
    )  # fmt: skip
    return parse_header(dump(header))


def _first_label(draft: Draft, rules: Rules) -> str:
    return rules.agreement.types[family_of(draft.type)].retention[0]
