"""The table of who may do what: written down here a second time, so that a change to one of the two is seen."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest

from adapters.gateway.inbox.access import Action, Duty, Page, Relation, load_policy, may, may_visit

# For each action, who may do it in which relation to the thread; whoever isn't named may not.
ALLOWED: dict[str, dict[str, str]] = {
    "list": {
        "practitioner": "holder unheld colleague glass",
        "manager": "holder unheld colleague glass",
        "reviewer": "holder unheld colleague glass",
    },
    "open": {"practitioner": "holder unheld glass", "manager": "holder unheld colleague glass"},
    "acknowledge": {"practitioner": "holder unheld glass", "manager": "holder unheld colleague glass"},
    "decline": {"practitioner": "holder unheld glass", "manager": "holder unheld colleague glass"},
    "dispute": {"practitioner": "holder unheld glass", "manager": "holder unheld colleague glass"},
    "answer": {"practitioner": "holder unheld glass", "manager": "holder unheld colleague glass"},
    "export": {"practitioner": "holder unheld", "manager": "holder unheld colleague glass"},
    "take": {"practitioner": "unheld", "manager": "unheld colleague glass"},
    "release": {"practitioner": "holder", "manager": "holder"},
    "assign": {"manager": "holder unheld colleague glass"},
    "trace": {"manager": "holder unheld colleague glass"},
    "break-glass": {"practitioner": "colleague"},
}
PAGES: dict[str, str] = {
    "today": "practitioner manager",
    "write": "practitioner manager",
    "search": "practitioner manager",
    "receipts": "practitioner manager",
    "account": "practitioner manager reviewer administrator",
    "team": "manager",
    "review": "reviewer",
    "people": "administrator",
}


@pytest.mark.parametrize(("duty", "relation"), product(get_args(Duty), get_args(Relation)))
def test_each_cell_is_as_decided(duty: Any, relation: Any) -> None:
    """Duty by relation by action, every one of them."""
    for action in get_args(Action):
        decided = relation in ALLOWED[action].get(duty, "").split()
        assert may([duty], relation, action) is decided, action


def test_each_page_is_for_whom_it_was_decided() -> None:
    """Duty by page, every one of them."""
    for duty, page in product(get_args(Duty), get_args(Page)):
        assert may_visit([duty], page) is (duty in PAGES[page].split())


def test_the_table_leaves_nothing_out_and_names_nothing_unknown() -> None:
    """A relation or duty that it doesn't mention would be decided by nobody."""
    policy = load_policy()
    assert set(policy.duties) == set(policy.pages) == set(get_args(Duty))
    assert set(policy.relations) == set(get_args(Relation))
    assert all(set(rows) == set(get_args(Relation)) for rows in policy.duties.values())
    assert set(ALLOWED) == set(get_args(Action))
    assert set(PAGES) == set(get_args(Page))


def test_who_is_excluded_or_of_another_team_may_do_nothing_whatever_their_duties() -> None:
    """Not even with all of them."""
    for relation, action in product(("excluded", "outside"), get_args(Action)):
        assert not may(get_args(Duty), relation, action)


def test_several_duties_add_up() -> None:
    """A practitioner who is a reviewer too has what either has, and no more."""
    assert may(["reviewer", "practitioner"], "colleague", "break-glass")
    assert not may(["reviewer", "practitioner"], "colleague", "open")
    assert not may([], "holder", "list")
