"""Who looked at the log is in the log: one entry for each look, written before the answer goes out.

Source: protocol 8; issue of the audit-log API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from hub import ledger
from hub.core.events import Event
from hub.store.transaction import Transaction
from keys.digests import sha256_b64u
from schemas.identifiers import AgencyId, Moment

Look = Literal["entries", "export", "journey", "question", "holdings", "figures"]


def note_read(
    tx: Transaction,
    look: Look,
    at: Moment,
    *,
    agency: AgencyId | None = None,
    person: str | None = None,
    program: str | None = None,
    filters: Mapping[str, Any] | None = None,
    thread: str | None = None,
    envelope: str | None = None,
) -> int:
    """Write down that somebody looked, and return the entry's index.

    *agency*: whose gateway; *person*: the account, or who made the token of *program*; *filters*: what was asked for, of
    which the entry has the digest, and the thread or envelope if that was asked for.
    """
    asked = {name: value for name, value in (filters or {}).items() if value is not None}
    envelope, thread = envelope or asked.get("envelope"), thread or asked.get("thread")
    if envelope is not None and thread is None and (row := tx.find_envelope(envelope)) is not None:
        # What is about an envelope is found by its thread.
        thread = row.thread
    event = Event(
        event="log-read",
        kind=look,
        agency=agency,
        person=person,
        by=program,
        thread=thread,
        envelope=envelope,
        digest=sha256_b64u(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()),
    )
    return ledger.append(tx, event, ledger.moment(tx, at))
