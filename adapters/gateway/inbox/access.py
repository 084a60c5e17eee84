"""Who may do what with a message: a pure table over what a person is here for and how they relate to the child's thread.

The table is ``access.json``; an action that it doesn't name is refused.  Somebody who has several duties may do what any
of them allows; who is excluded from a thread, or isn't of the team, may do nothing with it whatever their duties.

Source: domain 10 (role inboxes), 11 (risks 4, 5, 11); decision inbox-access.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec

Relation = Literal["holder", "unheld", "colleague", "glass", "outside", "excluded"]
Duty = Literal["practitioner", "manager", "reviewer", "administrator"]
Action = Literal[
    "list", "open", "acknowledge", "decline", "dispute", "answer", "export", "take", "release", "assign", "trace",
    "break-glass",
]  # fmt: skip
Page = Literal["today", "write", "search", "receipts", "account", "team", "review", "people"]
DAY_HOURS: Final = 24


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``access.json`` holds."""

    owner: str
    relations: Mapping[Relation, str]
    duties: Mapping[Duty, Mapping[Relation, frozenset[Action]]]
    pages: Mapping[Duty, frozenset[Page]]
    glass_reasons: Mapping[str, str]
    glass_hours: int


@cache
def load_policy() -> Policy:
    """Return the packaged table."""
    return msgspec.json.decode(files("adapters.gateway.inbox").joinpath("access.json").read_bytes(), type=Policy)


def may(duties: Iterable[Duty], relation: Relation, action: Action) -> bool:
    """Answer whether somebody with *duties*, who relates to a thread as *relation*, may do *action* with it."""
    policy = load_policy()
    return any(action in policy.duties[duty].get(relation, frozenset()) for duty in duties)


def may_visit(duties: Iterable[Duty], page: Page) -> bool:
    """Answer whether somebody with *duties* has the page *page* at all."""
    return any(page in load_policy().pages[duty] for duty in duties)
