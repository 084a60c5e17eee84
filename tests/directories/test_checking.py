"""A directory that leads somewhere into nothing is found out before anybody writes to it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.directory import DirectoryIndex
from schemas.directory_checking import FINDINGS, check_directory
from tests.directories.reorganised import (
    CHANGE,
    COUNTY,
    HARBOUR,
    IN_2018,
    MERGED,
    NEW,
    PARTNERSHIP,
    POLICE,
    TODAY,
    entries,
    index_of,
)
from tests.schemas.samples import Json, mailbox


def found(agencies: dict[str, Json] | None = None, at: int = TODAY) -> set[tuple[str, str]]:
    """Return code and place of what is found, each known, with its level and a sentence, and found once."""
    findings = check_directory(index_of(agencies), at)
    assert len(findings) == len(set(findings))
    assert all(one.level == FINDINGS[one.code] and len(one.message) > 20 for one in findings)
    return {(one.code, one.where) for one in findings}


@pytest.mark.parametrize("at", [IN_2018, CHANGE, TODAY])
def test_the_reorganised_county_is_in_order(at: int) -> None:
    """Before the day, on it and after: every old address leads on, by role or by the team's name."""
    assert found(at=at) == set()


def test_an_end_without_a_successor_is_found_before_it_comes() -> None:
    """Announced for later, it is an error today; an agency without mailboxes has no address to lose."""
    changed = entries()
    changed[HARBOUR]["successors"] = []
    assert found(changed, IN_2018) == found(changed) == {("successor-missing", HARBOUR)}
    changed[HARBOUR]["mailboxes"] = []
    assert found(changed) == set()


def test_successors_that_ended_too_are_found() -> None:
    """Their predecessors' addresses lead to nobody again; so do those that begin only after the end."""
    changed = entries()
    changed[MERGED] |= {"valid_to": TODAY, "successors": [{"agency": HARBOUR}]}
    lost = {(one, team) for one in ("marlhaven-town", HARBOUR) for team in ("mash", "looked-after")}
    expected = {("heir-missing", f"{one}/{team}") for one, team in lost}
    expected |= {("heir-missing", f"{MERGED}/{team}") for team in ("front-door", "looked-after")}
    assert found(changed, TODAY - 1) == found(changed) == expected
    late = entries()
    late[MERGED]["valid_from"] = CHANGE + 1
    assert found(late, IN_2018) == {("heir-missing", f"{one}/{team}") for one, team in lost}


@pytest.mark.parametrize(
    ("successors", "code"),
    [
        ([{"agency": NEW, "split": "a"}, {"agency": MERGED}], "split-missing"),
        ([{"agency": NEW}, {"agency": MERGED}], "split-missing"),
        ([{"agency": NEW, "split": "a"}, {"agency": MERGED, "split": "a"}], "split-twice"),
        ([{"agency": NEW}], None),
        ([{"agency": NEW}, {"agency": NEW, "split": "a"}], None),
    ],
)
def test_several_successors_need_a_code_each(successors: list[Json], code: str | None) -> None:
    """A part without a code can't be chosen, nor can two with the same; one successor needs none."""
    changed = entries()
    changed[COUNTY]["successors"] = successors
    assert found(changed) == ({(code, COUNTY)} if code else set())


def test_a_successor_that_shares_nothing_answers_by_place_alone() -> None:
    """It may be meant, and the officers are told; a deputy or a manager who is named is enough."""
    changed = entries()
    boxes = changed[POLICE]["mailboxes"]
    boxes += [mailbox(f"{POLICE}/gone", valid_to=TODAY), mailbox(f"{POLICE}/away", valid_to=TODAY, roles=["mash"])]
    assert found(changed) == {("heir-by-place", f"{POLICE}/gone"), ("heir-by-place", f"{POLICE}/away")}
    for box, post in zip(boxes[1:], ("deputy", "manager"), strict=True):
        box[post] = f"{POLICE}/child-abuse"
    assert found(changed) == set()


@pytest.mark.parametrize("post", ["manager", "deputy", "out_of_hours"])
def test_posts_that_ended_are_found(post: str) -> None:
    """A note where somebody answers for the post, an error where nobody does; of a closed mailbox nobody asks."""
    named: Any = {"mailbox": f"{HARBOUR}/mash", "hours": "at night"} if post == "out_of_hours" else f"{HARBOUR}/mash"
    changed = entries()
    changed[POLICE]["mailboxes"][0][post] = named
    changed[COUNTY]["mailboxes"][0][post] = named
    box = f"{POLICE}/child-abuse"
    assert found(changed) == {("post-ended", box)}
    changed[HARBOUR]["successors"] = []
    assert found(changed) == {("post-missing", box), ("successor-missing", HARBOUR)}


def test_a_role_that_nobody_has_any_more_is_found() -> None:
    """Rules that ask the role would ask nobody; one that only comes later is not missed yet."""
    changed = entries()
    changed[HARBOUR]["mailboxes"][0]["roles"].append("harbour_desk")
    changed[NEW]["mailboxes"].append(mailbox(f"{NEW}/later", roles=["later_desk"], valid_from=TODAY + 1))
    assert found(changed) == {("role-unfilled", "harbour_desk")}
    assert found(changed, IN_2018) == {("role-unfilled", "harbour_desk")}


def test_a_partnership_without_a_mailbox_owns_nothing() -> None:
    """Nobody would be named where an address leads to nobody."""
    changed = entries()
    changed[PARTNERSHIP]["mailboxes"] = []
    assert found(changed) == {("owner-missing", PARTNERSHIP)}


def test_a_quorum_that_needs_nobody_outside_is_found() -> None:
    """A majority of agencies is a quorum, and says nothing to who doubts them all; with an outsider it is in order."""
    index = index_of()
    key = f"notary.example/w1+01234567+BA{'A' * 42}"
    policies = {
        "quorum agencies\n": {"witness-inside"},
        f"witness notary {key}\ngroup either any agencies notary\nquorum either\n": {"witness-inside"},
        f"witness notary {key}\ngroup both all agencies notary\nquorum both\n": set(),
        "quorum none\n": set(),
        "": set(),
    }
    for text, codes in policies.items():
        directory = msgspec.structs.replace(index.directory, witnesses=text)
        assert {one.code for one in check_directory(DirectoryIndex(directory), TODAY)} == codes, text


def test_mailboxes_that_mesh_could_not_tell_apart_are_found() -> None:
    """By two aliases, or by an alias that is another's own name; not one that has ended, and not a word of MESH's own."""
    changed = entries()
    one, other = changed[NEW]["mailboxes"][0], changed[MERGED]["mailboxes"][0]
    one["mesh"], other["mesh"] = "x26hc001", "X26HC001"
    assert found(changed) == {("mesh-twice", one["id"]), ("mesh-twice", other["id"])}
    other["valid_to"] = TODAY
    assert ("mesh-twice", one["id"]) not in found(changed)
    changed = entries()
    one, other = changed[NEW]["mailboxes"][0], changed[MERGED]["mailboxes"][0]
    one["mesh"] = other["id"].replace("/", "_")
    assert found(changed) == {("mesh-twice", one["id"]), ("mesh-twice", other["id"])}
    one["mesh"] = "Admin"
    assert found(changed) == {("mesh-reserved", one["id"])}
