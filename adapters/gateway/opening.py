"""From a delivery to an opened message, in the order of checks that the wire fixes.

The first check that fails names the receipt `rejected`; nothing after it is looked at.

Source: protocol 3 (the recipient's order of checks).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from adapters.base import Document, Incoming
from adapters.gateway.books import Books
from keys import jws, sealing
from keys.digests import opening, same, sha256_b64u
from keys.errors import KeysError
from keys.keyring import Keyring
from schemas.catalogue import MAX_MESSAGE, Catalogue, clear_of
from schemas.envelope import Header, Wrap, parse_header, parse_wraps
from schemas.identifiers import MailboxId, Moment
from schemas.manifest import Manifest, parse_manifest
from schemas.statements import Acceptance, parse_acceptance
from schemas.strict_json import MalformedError, parse


class RejectedError(ValueError):
    """A check of protocol 3 failed; ``code`` goes into the receipt."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the delivery failed the check `{code}`")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One delivery as it came from the feed; nothing in it is checked."""

    mailbox: MailboxId
    seq: int
    header: bytes
    wraps: bytes
    acceptance: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One delivery that passed every check."""

    header: Header
    header_jws: bytes
    acceptance: Acceptance
    acceptance_jws: bytes
    manifest: Manifest
    manifest_jws: bytes
    message: Mapping[str, Any]
    documents: tuple[Document, ...]
    mailbox: MailboxId
    seq: int

    @property
    def manifest_sha256(self) -> str:
        """Return the digest that shows the hub that the body was opened."""
        return sha256_b64u(self.manifest_jws)

    def describe(self) -> Incoming:
        """Return it as an adapter sees it."""
        header, manifest = self.header, self.manifest
        return Incoming(
            envelope=header.id, mailbox=self.mailbox, seq=self.seq, type=header.type, sender=header.from_,
            recipients=header.to, thread=header.thread, re=header.re, supersedes=header.supersedes, at=header.at,
            accepted_at=self.acceptance.at, urgent=header.urgent, facts=dict(header.facts), author=manifest.author.ref,
            author_role=manifest.author.role, purpose=manifest.purpose, basis=manifest.basis, consent=manifest.consent,
            classification=manifest.classification, marks=manifest.marks, retention=header.retention,
            message=self.message, documents=self.documents,
        )  # fmt: skip


@contextmanager
def _failing_as(code: str) -> Iterator[None]:
    try:
        yield
    except (KeysError, MalformedError) as error:
        raise RejectedError(code) from error


def read_header(arrived: Arrived, books: Books) -> tuple[Header, Acceptance]:
    """Return the header and the hub's acceptance of *arrived*, both verified.

    Raises:
        RejectedError: ``header``, ``acceptance``, ``sender-key`` or ``header-signature``.
    """
    with _failing_as("header"):
        unverified = jws.parse(arrived.header, jws.ENVELOPE)
        header = parse_header(unverified.payload)
    with _failing_as("acceptance"):
        stated = jws.parse(arrived.acceptance, jws.ACCEPTANCE)
        hub_key = books.hub_keys.get(stated.kid)
        if hub_key is None:
            raise RejectedError("acceptance")
        jws.check(stated, hub_key)
        acceptance = parse_acceptance(stated.payload)
    expected = (header.id, sha256_b64u(arrived.header), header.sealed.sha256)
    if (acceptance.id, acceptance.header_sha256, acceptance.sealed_sha256) != expected:
        raise RejectedError("acceptance")
    signer = books.find_signer(unverified.kid, header.from_, acceptance.at, index=acceptance.index)
    if signer is None:
        raise RejectedError("sender-key")
    with _failing_as("header-signature"):
        jws.check(unverified, signer)
    return header, acceptance


def open_delivery(arrived: Arrived, *, books: Books, catalogue: Catalogue, keyring: Keyring, now: Moment) -> Opened:
    """Return *arrived* verified and opened.

    Raises:
        RejectedError: with the code of the first check that failed.
    """
    header, acceptance = read_header(arrived, books)
    wrap = _find_wrap(arrived, header, acceptance, books, now)
    if len(arrived.body) != header.sealed.length:
        raise RejectedError("body-length")
    if not same(sha256_b64u(arrived.body).encode(), header.sealed.sha256.encode()):
        raise RejectedError("body-digest")
    key = keyring.find_opening(wrap.kid)
    if key is None:
        raise RejectedError("opening-key")
    with _failing_as("unwrap"):
        content_key = sealing.unwrap(
            wrap.ek, wrap.wk, key, envelope_id=header.id, sender=header.from_, mailbox=arrived.mailbox
        )
    try:
        manifest_jws, rest = sealing.open_sealed(arrived.body, content_key, header.id)
    except KeysError as error:
        raise RejectedError(error.code) from error
    manifest = _read_manifest(manifest_jws, arrived, header, books, acceptance)
    with _failing_as("document-lengths"):
        contents = sealing.split_documents(rest, [document.length for document in manifest.documents])
    if any(sha256_b64u(content) != one.sha256 for content, one in zip(contents, manifest.documents, strict=True)):
        raise RejectedError("document-digest")
    message = _read_message(contents[manifest.message], header, catalogue)
    documents = tuple(
        Document(name=one.name, type=one.type, content=content)
        for number, (one, content) in enumerate(zip(manifest.documents, contents, strict=True))
        if number != manifest.message
    )
    return Opened(
        header=header, header_jws=arrived.header, acceptance=acceptance, acceptance_jws=arrived.acceptance,
        manifest=manifest, manifest_jws=manifest_jws, message=message, documents=documents, mailbox=arrived.mailbox,
        seq=arrived.seq,
    )  # fmt: skip


def _find_wrap(arrived: Arrived, header: Header, acceptance: Acceptance, books: Books, now: Moment) -> Wrap:
    with _failing_as("wraps"):
        unverified = jws.parse(arrived.wraps, jws.WRAPS)
        # Wraps may be newer than the header: a key that is good now may sign them.
        signer = books.find_signer(unverified.kid, header.from_, now, heirs=True)
        signer = signer or books.find_signer(unverified.kid, header.from_, acceptance.at, index=acceptance.index)
        if signer is None:
            raise RejectedError("wraps")
        jws.check(unverified, signer)
        wraps = parse_wraps(unverified.payload, header)
    for wrap in wraps.wraps:
        if wrap.mailbox == arrived.mailbox:
            return wrap
    raise RejectedError("wraps")


def _read_manifest(
    manifest_jws: bytes, arrived: Arrived, header: Header, books: Books, acceptance: Acceptance
) -> Manifest:
    with _failing_as("manifest"):
        unverified = jws.parse(manifest_jws, jws.MANIFEST)
        signer = books.find_signer(unverified.kid, header.from_, acceptance.at, index=acceptance.index)
        if signer is None:
            raise RejectedError("manifest")
        jws.check(unverified, signer)
        manifest = parse_manifest(unverified.payload)
    inner = (manifest.id, manifest.type, manifest.from_, manifest.to, manifest.thread)
    if inner != (header.id, header.type, header.from_, header.to, header.thread) or arrived.mailbox not in header.to:
        raise RejectedError("layers-differ")
    if opening(manifest_jws) != header.opening:
        raise RejectedError("layers-differ")
    return manifest


def _read_message(content: bytes, header: Header, catalogue: Catalogue) -> Mapping[str, Any]:
    with _failing_as("message-schema"):
        message: Mapping[str, Any] = parse(content, max_bytes=MAX_MESSAGE, content=True)
        catalogue.validate(header.type, message)
    with _failing_as("derived-members"):
        clear = catalogue.clear(header.type, message)
    if clear != clear_of(header):
        raise RejectedError("derived-members")
    return message
