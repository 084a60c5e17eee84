"""What the audit log can say.

One struct for every leaf: a reader in any language needs one table.  No names, no content, nothing that a
person typed; ``outcome`` is a code.  A member is absent where it does not apply.

Source: protocol 8.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

from schemas.envelope import Struct
from schemas.identifiers import (
    ID_PATTERN,
    AgencyId,
    Code,
    EnvelopeId,
    KeyId,
    MailboxId,
    Moment,
    ObligationId,
    ReceiptId,
    Sha256,
    ThreadId,
)

MAX_LEAF: Final = 1024
# An item's reference, an envelope's id, or the date on which a recurring duty's period begins.
About = Annotated[str, Meta(pattern=rf"{ID_PATTERN}|\A[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}\Z")]
# An account at the console: a random id, never a name.
PersonId = Annotated[str, Meta(pattern=ID_PATTERN)]
# A message type, or its family, which is what rules name.
TypeName = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_.]{0,95}(?:/[1-9][0-9]{0,2})?\Z")]

EventName = Literal[
    "envelope-accepted",
    "envelope-refused",
    "receipt-accepted",
    "receipt-refused",
    "obligation-opened",
    "obligation-settled",
    "obligation-reopened",
    "step-taken",
    "waiver-recorded",
    "waiver-refused",
    "wraps-replaced",
    "wraps-refused",
    "withdrawal-recorded",
    "withdrawal-refused",
    "body-deleted",
    "directory-published",
    "agreement-published",
    "key-published",
    "document-refused",
    "key-refused",
    "account-added",
    "account-changed",
    "account-ended",
    "account-code-given",
    "signed-in",
    "log-read",
    "program-added",
    "program-ended",
    "act-proposed",
    "act-approved",
    "act-refused",
    "act-withdrawn",
    "act-lapsed",
    "act-done",
    "hold-placed",
    "hold-released",
    "breach-opened",
    "breach-decided",
    "key-suspended",
    "key-readmitted",
    "obligation-chased",
    "question-saved",
    "numbers-given",
    "mesh-added",
    "mesh-ended",
]


class Event(Struct, frozen=True, kw_only=True):
    """One leaf but for its moment, which the ledger gives.

    ``agency`` and ``mailbox`` are whose act it was, for obligations the debtor's.  ``digest`` is the sha256 of the
    signed object that the leaf stands for; ``sealed`` the body's.  ``envelope`` on an opened obligation is what
    opened it (send) or what receipt is owed for (receipt); on a settled one, ``by`` is the envelope, receipt or waiver and
    ``met_at`` when that was accepted, which may lie before anybody knew that it was owed.  ``person`` is the account at the
    console whose act it was, ``about`` the account that it was done to; ``by`` of an act is its proposal.  ``given``: how many
    numbers feeds have given up to here, of all of which ``digest`` is the digest.
    """

    event: EventName
    agency: AgencyId | None = None
    mailbox: MailboxId | None = None
    kid: KeyId | None = None
    envelope: EnvelopeId | None = None
    receipt: ReceiptId | None = None
    obligation: ObligationId | None = None
    thread: ThreadId | None = None
    type: TypeName | None = None
    kind: Code | None = None
    rule: Code | None = None
    creditor: MailboxId | None = None
    item: About | None = None
    due: Moment | None = None
    met_at: Moment | None = None
    by: EnvelopeId | None = None
    level: Code | None = None
    step: int | None = None
    version: int | None = None
    digest: Sha256 | None = None
    sealed: Sha256 | None = None
    given: int | None = None
    outcome: Code | None = None
    person: PersonId | None = None
    about: PersonId | None = None


class Leaf(Event, frozen=True, kw_only=True):
    """A leaf as its JSON bytes stand in the log; the reader's side of :class:`Event`."""

    v: Literal[1]
    at: Moment
