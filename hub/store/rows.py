"""What the store holds, row by row.

Ids and digests are ``str`` as on the wire; the database holds their 16 or 32 bytes.  Moments are UTC milliseconds.
Nothing is checked here: whoever writes a row has checked its values.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hub.core.breaching import Cause
from hub.core.breaching import State as BreachState
from hub.core.delivery import State as DeliveryState
from schemas.rules.duty import Duty, State

EnvelopeState = Literal["present", "withdrawn", "deleted"]
FeedKind = Literal["delivery", "receipt", "notice", "waiver", "tombstone"]


class Row(msgspec.Struct, frozen=True):
    """A frozen row; the cheapest of Python's ways to make one."""


class LogHead(Row, frozen=True):
    """The one head row: the log's size and frontier, the registry's serial, the last moment that the hub used.

    ``given``: how many numbers feeds have given ever; ``numbers``: the digest over all of them, in order (see
    :mod:`hub.core.numbering`); ``told``: of how many the log has told.
    """

    size: int
    frontier: bytes
    registry: int
    at: int
    given: int = 0
    numbers: str = ""
    told: int = 0


class LeafRow(Row, frozen=True):
    """One leaf of the audit log; ``body`` is its JSON as hashed."""

    index: int
    at: int
    event: str
    thread: str | None
    body: bytes
    hash: bytes


class EnvelopeRow(Row, frozen=True):
    """One accepted envelope but for its body; ``header``, ``wraps`` and ``acceptance`` are JWS as they came.

    ``expire_at``: when retention looks at it, ``keep_until`` if none is given; ``expire_stage``: what it did last.
    """

    id: str
    thread: str
    type: str
    sender: str
    header: bytes
    wraps: bytes
    acceptance: bytes
    header_sha256: str
    sealed_sha256: str
    length: int
    opening: str
    variant: str
    at: int
    accepted_at: int
    index: int
    keep_until: int
    supersedes: str | None = None
    superseded_by: str | None = None
    state: EnvelopeState = "present"
    expire_at: int | None = None
    expire_stage: int = 0


class DeliveryRow(Row, frozen=True):
    """One envelope owed to one mailbox; ``state`` is of ``hub.core.delivery``, ``kid`` the sealing key of its wrap."""

    envelope: str
    mailbox: str
    seq: int
    state: DeliveryState
    kid: str | None
    at: int


class FeedRow(Row, frozen=True):
    """One entry of a mailbox's feed.

    ``ref`` is the id of the envelope, receipt, notice or waiver, empty in a tombstone whose envelope was delivered
    again under a later number; ``payload`` its JWS, absent for deliveries and tombstones; ``state`` is a delivery's.
    """

    mailbox: str
    seq: int
    kind: FeedKind
    ref: str
    at: int
    payload: bytes | None
    state: str = ""


class FeedDelivery(Row, frozen=True):
    """A feed entry with, for a delivery, its envelope, and its body while that is present and at most 64 KiB.

    ``index`` is a receipt's place in the log.
    """

    entry: FeedRow
    envelope: EnvelopeRow | None
    body: bytes | None
    index: int | None = None


class ReceiptRow(Row, frozen=True):
    """One accepted receipt; ``actor`` is a pseudonym, absent for machines."""

    id: str
    envelope: str
    mailbox: str
    level: str
    code: str | None
    actor: str | None
    at: int
    accepted_at: int
    jws: bytes
    index: int


class ObligationRow(Row, frozen=True):
    """One obligation; ``step`` is the next of ``duty.steps``, ``next_at`` when the clock looks at it again."""

    id: str
    duty: Duty
    state: State
    opened_at: int
    settled_at: int | None = None
    settled_by: str | None = None
    step: int = 0
    next_at: int | None = None


class WitnessRow(Row, frozen=True):
    """One witness by the ``name`` of its key.

    ``size``: the largest checkpoint that the key ``key_id`` (hex) cosigned, at the moment ``said_at`` by its own word and
    ``at`` by ours; 0 where it has cosigned none.  ``asked_at``, ``error``: when it was asked last, and the code of what
    went wrong then.
    """

    name: str
    key_id: str = ""
    size: int = 0
    said_at: int = 0
    at: int = 0
    asked_at: int = 0
    error: str | None = None


class DocumentRow(Row, frozen=True):
    """One version of the directory or the agreement, as the bytes that were published."""

    kind: str
    version: int
    sha256: str
    document: bytes
    at: int
    index: int


class VersionRow(Row, frozen=True):
    """That there is a version of the directory or the agreement."""

    version: int
    sha256: str
    at: int
    index: int


class KeyRow(Row, frozen=True):
    """One statement about one key; ``statement`` is its JWS, ``approval`` an officer's word for it."""

    kid: str
    agency: str
    mailbox: str | None
    use: str
    sequence: int
    state: str
    not_before: int
    expires: int
    usable_from: int
    compromised_from: int | None
    statement: bytes
    at: int
    index: int
    approval: bytes | None = None


class WaiverRow(Row, frozen=True):
    """One recorded waiver of an obligation."""

    id: str
    obligation: str
    jws: bytes
    at: int
    index: int


class WithdrawalRow(Row, frozen=True):
    """One recorded withdrawal of an envelope."""

    id: str
    envelope: str
    jws: bytes
    at: int
    index: int


class QuestionRow(Row, frozen=True):
    """A saved question to the audit log; ``filters`` is the JSON of what is asked for."""

    id: str
    title: str
    filters: str
    account: str
    at: int


class HoldRow(Row, frozen=True):
    """One legal hold on a thread, or on one ``envelope`` of it; ``id`` and ``released_by``: what two people agreed on."""

    id: str
    thread: str
    envelope: str | None
    reason: str
    at: int
    index: int
    released_at: int | None = None
    released_by: str | None = None


class BreachRow(Row, frozen=True):
    """One record of a breach, about one envelope; ``cause`` and ``state`` are of ``hub.core.breaching``."""

    envelope: str
    thread: str
    cause: Cause
    state: BreachState
    at: int
    index: int


class BreachStepRow(Row, frozen=True):
    """What two people decided about a breach; ``told_at``: when the regulator was told."""

    state: BreachState
    at: int
    index: int
    proposal: str
    told_at: int | None = None


class SuspensionRow(Row, frozen=True):
    """A key that two people have suspended."""

    kid: str
    reason: str
    at: int
    index: int
    proposal: str


class DraftRow(Row, frozen=True):
    """A directory or an agreement that officers shall sign; ``payload`` is what they sign."""

    sha256: str
    kind: str
    version: int
    payload: bytes
    at: int


class MeshMailboxRow(Row, frozen=True):
    """A mailbox that may use the MESH front door; ``through``: the number of its feed up to which all was acknowledged."""

    mailbox: str
    secrets: bytes
    at: int
    through: int


class MeshEntryRow(Row, frozen=True):
    """One entry of a feed as a MESH inbox lists it; ``type`` is the envelope's, of a receipt that which it is for."""

    seq: int
    kind: str
    ref: str
    type: str | None


class MeshSentRow(Row, frozen=True):
    """One message that was sent through the MESH front door.

    ``told``: what its sender said of it, as msgpack; ``first``: the digest of its first part as it came; ``state``
    ``uploading``, ``accepted`` or ``error`` with a ``code``; ``ref``: the envelope or receipt (``kind``) that it is; ``duty``: the
    receipt that is owed for it; ``due``: when its sender hears that it wasn't taken, ``reported`` and ``report_taken``: when
    that was said, and acknowledged.
    """

    id: str
    sender: str
    recipient: str
    workflow: str
    local_id: str
    told: bytes
    parts: int
    encoding: str
    first: str
    state: str
    at: int
    ref: str | None = None
    kind: str = ""
    code: str = ""
    duty: str | None = None
    due: int | None = None
    reported: int | None = None
    report_taken: int | None = None


class Health(Row, frozen=True):
    """Whether the store answers, and what an operator would look at; sizes in bytes, commits since it was opened."""

    ok: bool
    engine: str
    size: int
    wal: int
    waiting: int
    commits: int = 0
