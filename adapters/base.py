"""What an adapter is: it hands over what the agency wants to send, and files what arrives.  Nothing else.

An adapter never sees a key, a signature or another agency's plaintext, and it can't emit `opened` or `acknowledged`:
those are a named person's, and the gateway makes them for a person only.

Source: design 3 (adapter) and 5; protocol 4.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol, runtime_checkable

import msgspec
from msgspec import Meta

from schemas.envelope import Struct
from schemas.identifiers import Code, EnvelopeId, MailboxId, MessageType, Moment, ThreadId
from schemas.receipt import Mode
from schemas.strict_json import MalformedError, parse

MAX_DRAFT: Final = 4 * 1024 * 1024
MAX_ATTACHMENTS: Final = 32
Name = Annotated[str, Meta(min_length=1, max_length=120)]
# A code that is yet to be looked up: an urgent draft goes although it is on no list.
Word = Annotated[str, Meta(max_length=64)]


class DraftAuthor(Struct, frozen=True, kw_only=True):
    """Who wrote it.  ``name`` never leaves the agency: the gateway puts a pseudonym in its place."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    role: Code


class Draft(Struct, frozen=True, kw_only=True):
    """A message that the agency wants to send, before it is checked, sealed and signed.

    ``to`` absent: everyone the message itself names as a party, but the sender.  ``split``: which part is meant (a place, a
    service) where a recipient has ended and several took over.  ``thread`` absent: a new one.
    ``retention`` absent: the first label that the agreement has for the type.  ``attachments`` name the documents that
    go with it, in order.  ``basis`` may be absent only where the message is urgent.  ``message`` is what the type's
    schema describes.
    """

    type: MessageType
    from_: MailboxId = msgspec.field(name="from")
    to: Annotated[tuple[MailboxId, ...], Meta(max_length=64)] = ()
    split: Code | None = None
    thread: ThreadId | None = None
    re: EnvelopeId | None = None
    supersedes: EnvelopeId | None = None
    purpose: Word = "child_protection"
    basis: Annotated[tuple[Word, ...], Meta(max_length=16)] = ()
    consent: Word = "not_needed_lawful_basis"
    classification: Literal["OFFICIAL", "OFFICIAL-SENSITIVE"] = "OFFICIAL-SENSITIVE"
    marks: Annotated[tuple[Word, ...], Meta(max_length=8)] = ()
    retention: Code | None = None
    basis_class: Literal["safeguarding", "care", "law_enforcement", "other"] = "safeguarding"
    author: DraftAuthor
    attachments: Annotated[tuple[Name, ...], Meta(max_length=MAX_ATTACHMENTS)] = ()
    message: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document that travels in a sealed body: file name, media type, bytes."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Spooled:
    """The gateway has the draft durably and will repeat it until the hub answers; the adapter may let go of it."""

    envelope: EnvelopeId
    thread: ThreadId


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRefused:
    """The draft can't be sent as it is: a permanent code, one sentence, the way out."""

    code: str
    message: str
    hint: str = ""


DraftResult = Spooled | DraftRefused


async def _hear_nothing(_result: DraftResult) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One draft on its way out.

    ``key`` is the adapter's own stable name for it: the same draft collected again, after a crash on either side, has
    the same key, and the gateway sends it once.  The gateway calls ``done`` once the result is durable, and calls it
    again if it isn't sure that the first call was heard; repeating it is harmless.
    """

    key: str
    draft: Draft
    documents: tuple[Document, ...] = ()
    done: Callable[[DraftResult], Awaitable[None]] = _hear_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One verified, opened message for one mailbox.

    ``author`` is the sending agency's pseudonym of a person.  ``marks`` are handling marks that the record system must
    keep and show.  ``seq`` is the delivery's number in the mailbox; moments are UTC milliseconds.
    """

    envelope: EnvelopeId
    mailbox: MailboxId
    seq: int
    type: MessageType
    sender: MailboxId
    recipients: tuple[MailboxId, ...]
    thread: ThreadId
    re: EnvelopeId | None = None
    supersedes: EnvelopeId | None = None
    at: Moment
    accepted_at: Moment
    urgent: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    author: str
    author_role: str
    purpose: str
    basis: tuple[str, ...]
    consent: str
    classification: str
    marks: tuple[str, ...]
    retention: str
    message: Mapping[str, Any]
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """Written into the record system and read back.  ``record`` is its reference there; only a keyed digest leaves.

    ``practitioners``: whom the record names for the child, by the names under which they sign in to the gateway.  The one who is of
    the mailbox's team gets the thread onto their list; nobody's name leaves.
    """

    record: str
    mode: Mode = "full"
    practitioners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The record system can't take it now; the gateway asks again.  ``reason`` is a code for the log; words are left out."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsPerson:
    """The record system will never take it by itself; it waits in the inbox for a person, and the duty stays open."""

    code: str


Outcome = Filed | Later | NeedsPerson


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that the agency should know: from the hub, or from the gateway's own watch while the hub is dark.

    References only, never content; people by the inbox's own random ids.  ``code`` is a notice of protocol 6, or the gateway's own:
    of what was sent `send-refused`, `re-addressed`, `follow-up-refused`, `handling-warning`, `consent-reminder`,
    `sealed-under-expired`; of what came `needs-person`, `destruction-asked`, `delete-due`, `statement-left-out`;
    of keys and documents `key-unknown`, `keys-due`, `log-inconsistent`, `hub-contradicted`, `directory-expired`; of the register `register-failed`;
    of the list of children at risk `atrisk-match`, `atrisk-quota`, `atrisk-refused`, `atrisk-spent`, `atrisk-stale`,
    `atrisk-unanswered`, `atrisk-withdrawn`; of people `holder-left` (of `team`, `threads` are nobody's now: at most 50 are
    named, `count` says all), `holder-away` (`person` is away `until` a moment, `cover` covers), `glass-broken`,
    `glass-not-justified`; of guests and their links `guest-asks`, `guest-barred` (nothing of it is for that reader), `guest-expired`,
    `guest-locked`, `guest-unreachable`; of notifications `notification-failed`; of an adapter that dies, hangs, can't be started or
    can't say for long what waits to be sent `adapter-failing`.
    """

    id: str
    code: str
    at: Moment
    mailbox: MailboxId | None = None
    source: Literal["hub", "gateway"]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a record system holds now under one record: what it keeps of the message, and whether it still counts.

    ``members`` are the JSON pointers of the message (`/flag_code`) that the system keeps, each with the value that stands
    there (with `*` for each of an array, `/items/*/code`, all its values in order); what it has no field for is left out.  ``ended``: it was ended or taken down there, and the record only tells that it was.
    """

    record: str
    members: Mapping[str, Any] = field(default_factory=dict)
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an adapter says about itself before anything of it runs with a message; docs/adapters.md is made from it.

    ``name`` is its entry point's.  ``transports``: how it reaches the system, in a word each.  ``levels``: in which modes it
    can truthfully say ``Filed``; no adapter can say that a person opened or acknowledged.  ``network``: it can't work
    without connections; it has them only where the gateway's configuration grants them too.  ``writes`` and ``reads``
    name the options that are folders or files which it needs, for writing or only for reading; `path/in` is the folder `in` in
    what the option `path` names, or in the gateway's home where that isn't set.  It can reach nothing else of the file system.
    ``answers_later``: it says ``Later`` until somebody else has answered, such as an engine that reads a mailbox when it likes.
    ``tested_against`` and ``limits`` are a sentence each.
    """

    name: str
    title: str
    transports: tuple[str, ...]
    levels: tuple[Mode, ...] = ("full",)
    network: bool = False
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    answers_later: bool = False
    tested_against: str = ""
    limits: str = ""


class Adapter(Protocol):
    """A plugin of a gateway into one of the agency's systems."""

    def collect(self) -> AsyncIterator[Outgoing]:
        """Yield what waits to be sent, then end; the gateway asks again.

        A draft is yielded again, under the same key, until its ``done`` has been called.
        """
        ...

    async def file(self, message: Incoming) -> Outcome:
        """Put *message* into the record system durably, and read it back before saying ``Filed``.

        Repeating it for one envelope and mailbox changes nothing and gives the same record: the gateway asks again
        whenever it can't be sure that it heard the answer.
        """
        ...


@runtime_checkable
class TakesNotices(Protocol):
    """An adapter that also wants notices; those of one ``id`` may come more than once."""

    async def notify(self, notice: Notice) -> None:
        """Show *notice* where the agency's staff will see it."""
        ...


@runtime_checkable
class Deletes(Protocol):
    """An adapter that can also delete: what was answered with "not known" goes when its day is over."""

    async def delete(self, envelope: EnvelopeId, mailbox: MailboxId) -> bool:
        """Delete the record system's copy of *envelope*, received by or sent from *mailbox*, for good.

        Answer whether none is left there; where only people can delete, the notice `delete-due` has told them.
        Repeating it is harmless.
        """
        ...


@runtime_checkable
class ReadsBack(Protocol):
    """An adapter into a system where others change or take down what was filed: flags, lists."""

    async def read_back(self, record: str) -> Held | None:
        """Return what the system holds under *record* now, asked of the system itself; ``None`` where it holds nothing."""
        ...


class AdapterFactory(Protocol):
    """What the entry point of an adapter names: a class with its manifest."""

    manifest: Manifest

    def configure(self, options: Mapping[str, Any], home: Path) -> Adapter:
        """Return the adapter for its table of the gateway's configuration; relative paths start at *home*.

        Raises:
            ValueError: an option is unknown or ill-typed; the text names it.
        """
        ...


def parse_draft(raw: bytes) -> Draft:
    """Return the draft that *raw*, one strict JSON document, describes.

    Raises:
        MalformedError: ``json-*``, or ``draft-shape`` naming the member and the rule, never a value.
    """
    try:
        draft = msgspec.convert(parse(raw, max_bytes=MAX_DRAFT, content=True), Draft, strict=True)
    except msgspec.ValidationError as error:
        raise MalformedError(
            "draft-shape", f"draft: {error}", "see docs/writing-adapters.md for its members"
        ) from error
    check_names(draft.attachments)
    return draft


def check_names(names: Sequence[str]) -> None:
    """Refuse document names that could leave their folder or hide another.

    Raises:
        MalformedError: ``document-name``.
    """
    reserved = {"message.json", "envelope.json"}
    for name in names:
        if not is_plain_name(name) or name in reserved or (name.startswith("also-") and name.endswith(".json")):
            raise MalformedError("document-name", "a document's name is not a plain file name", "rename the file")
    if len({name.casefold() for name in names}) != len(names):
        raise MalformedError("document-name", "two documents have one name", "give each its own")


def is_plain_name(name: str) -> bool:
    """Answer whether *name* is a file name and nothing more: no path, no control character, not hidden."""
    return (
        0 < len(name.encode("utf-8", "replace")) <= 200
        and name.isprintable()
        and not name.startswith((".", " "))
        and not name.endswith((".", " "))
        and not any(c in '/\\:*?"<>|' for c in name)
    )
