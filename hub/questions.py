"""Questions to the audit log that people ask again and again: saved under a title, by whoever may read the log.

A title is the only thing besides names of accounts that somebody types and the hub keeps; it is shown to whoever reads the log.
Nothing is deleted here.

Source: issue of the console (saved questions).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hub import ledger
from hub.core.events import Event
from hub.errors import HubError
from hub.store.rows import QuestionRow
from hub.store.transaction import Transaction
from keys.digests import new_id, sha256_b64u
from schemas.identifiers import Moment

MAX_TITLE: Final = 80
MOST: Final = 200


def save(tx: Transaction, by: str, title: str, filters: Mapping[str, Any], now: Moment) -> QuestionRow:
    """Save the question that *filters* ask, by the names of ``hub.store.log.Filters``; the log has that *by* did.

    Raises:
        HubError: ``question-title``, ``question-filters``, ``question-too-many``.
    """
    title = " ".join(title.split())
    if not 1 <= len(title) <= MAX_TITLE or not title.isprintable():
        raise HubError(
            "question-title", f"a title has 1 to {MAX_TITLE} characters", "name what is asked, and no person"
        )
    asked = {name: value for name, value in filters.items() if value is not None}
    if not asked:
        raise HubError("question-filters", "a question asks for something", "choose at least one filter")
    if len(tx.questions(None, MOST)) >= MOST:
        raise HubError("question-too-many", f"there are {MOST} saved questions already", "ask one of those")
    at = ledger.moment(tx, now)
    text = json.dumps(asked, sort_keys=True)
    row = QuestionRow(new_id(at), title, text, by, at)
    ledger.append(tx, Event(event="question-saved", person=by, by=row.id, digest=sha256_b64u(text.encode())), at)
    tx.add_question(row)
    return row


def asked_by(row: QuestionRow) -> dict[str, Any]:
    """Return the filters of a saved question."""
    asked: dict[str, Any] = json.loads(row.filters)
    return asked
