"""An address of 2018 still leads somewhere, and never to the wrong half of what was divided."""

from __future__ import annotations

import pytest

from schemas.directory import Heir, Resolved
from tests.directories.reorganised import (
    CHANGE,
    CHURCHMERE,
    COUNTY,
    DISTRICTS,
    HARBOUR,
    IN_2018,
    MERGED,
    NEW,
    PARTNERSHIP,
    POLICE,
    SOUTH,
    TODAY,
    entries,
    index_of,
)
from tests.schemas.samples import agency, mailbox

MASH = f"{COUNTY}/mash"
UNIT = f"{PARTNERSHIP}/business-unit"


def test_each_address_was_itself_until_the_day() -> None:
    """The last millisecond of March is the old council's, the first of April is not."""
    index = index_of()
    for old in (COUNTY, SOUTH, HARBOUR):
        box = f"{old}/mash"
        assert index.resolve(box, CHANGE - 1, split=CHURCHMERE) == Resolved("open", box)
        assert index.resolve(box, CHANGE, split=CHURCHMERE).mailbox == f"{MERGED}/front-door"


@pytest.mark.parametrize(
    ("code", "heir"), [(CHURCHMERE, f"{MERGED}/front-door"), *((code, f"{NEW}/mash") for code in DISTRICTS)]
)
def test_the_district_says_which_council_has_it_now(code: str, heir: str) -> None:
    """One map from old council to new would misroute the sixth district; the place chooses."""
    assert index_of().resolve(MASH, TODAY, split=code) == Resolved("heir", heir)


@pytest.mark.parametrize("code", [None, "X98000999"])
def test_without_a_district_nobody_guesses(code: str | None) -> None:
    """Both candidates are named, each with the codes that mean it, and whose it is to decide."""
    found = index_of().resolve(MASH, TODAY, split=code)
    assert (found.how, found.mailbox, found.owner) == ("ambiguous", None, UNIT)
    assert found.candidates == (Heir(f"{NEW}/mash", DISTRICTS), Heir(f"{MERGED}/front-door", (CHURCHMERE,)))


def test_two_towns_lead_to_the_one_that_they_became() -> None:
    """A merger needs no code, and one that means nothing there does no harm."""
    index = index_of()
    for town in (SOUTH, HARBOUR):
        for code in (None, CHURCHMERE, "X98000999"):
            assert index.resolve(f"{town}/looked-after", TODAY, split=code).mailbox == f"{MERGED}/looked-after"


def test_what_stayed_is_itself() -> None:
    """The police have been the police all the time."""
    box = f"{POLICE}/child-abuse"
    assert [index_of().resolve(box, at).mailbox for at in (IN_2018, TODAY)] == [box, box]


def test_who_is_not_there_is_the_partnerships_to_put_right() -> None:
    """Never listed, not begun yet, or ended without an heir: nobody, and somebody who owns that."""
    alone = entries()
    alone[NEW] |= {"valid_to": CHANGE + 1}
    alone[MERGED] |= {"valid_to": CHANGE + 1, "successors": [{"agency": SOUTH}]}
    index = index_of(alone)
    for box in (f"{NEW}/mash", f"{MERGED}/front-door", MASH):
        assert index.resolve(box, TODAY) == Resolved("nobody", None, UNIT)
        assert index.open_heirs(box, TODAY) == ()
    assert index.resolve(f"{NEW}/mash", IN_2018) == Resolved("unknown", None, UNIT)
    assert index.resolve("nowhere/team", TODAY) == Resolved("unknown", None, UNIT)


def test_the_partnership_owns_through_its_own_heirs() -> None:
    """Boards became partnerships: whoever took over from the one that signs answers; without any, nobody does."""
    moved = entries()
    moved[PARTNERSHIP] |= {"valid_to": CHANGE, "successors": [{"agency": POLICE}]}
    assert index_of(moved).owner(TODAY) == f"{POLICE}/child-abuse"
    del moved[PARTNERSHIP]
    assert index_of(moved).owner(TODAY) is None


def test_a_code_is_followed_through_one_reorganisation_after_another() -> None:
    """What was divided is divided again: a code of either time chooses, if it chooses one."""
    later = entries()
    later[NEW] |= {
        "valid_to": TODAY,
        "successors": [{"agency": "east", "split": DISTRICTS[0]}, {"agency": "west", "split": "west"}],
    }
    later |= {name: agency(name, mailbox(f"{name}/mash")) for name in ("east", "west")}
    index = index_of(later)
    chosen = {code: index.resolve(MASH, TODAY, split=code).mailbox for code in (CHURCHMERE, DISTRICTS[0], "west")}
    assert chosen == {CHURCHMERE: f"{MERGED}/front-door", DISTRICTS[0]: "east/mash", "west": "west/mash"}
    both = index.resolve(MASH, TODAY, split=DISTRICTS[1])
    assert both.candidates == (Heir("east/mash", (DISTRICTS[0],)), Heir("west/mash", ("west",)))
    every = index.resolve(MASH, TODAY).candidates
    assert every == (
        Heir("east/mash", (DISTRICTS[0],)),
        Heir(f"{MERGED}/front-door", (CHURCHMERE,)),
        Heir("west/mash", ("west",)),
    )


def test_what_was_divided_and_joined_again_is_one() -> None:
    """Several ways that end at one mailbox are no choice."""
    joined = entries()
    joined[NEW] |= {"valid_to": TODAY, "successors": [{"agency": MERGED}]}
    index = index_of(joined)
    assert index.resolve(MASH, TODAY) == Resolved("heir", f"{MERGED}/front-door")
    assert index.resolve(MASH, TODAY, split=DISTRICTS[2]) == Resolved("heir", f"{MERGED}/front-door")


def test_an_agency_inherits_what_its_mailboxes_answer_for() -> None:
    """Of those before it, and of its own closed teams; nothing before the day."""
    changed = entries()
    changed[MERGED]["mailboxes"].append(mailbox(f"{MERGED}/old-team", valid_to=TODAY - 1))
    index = index_of(changed)
    before = [f"{old}/{team}" for old in (COUNTY, SOUTH, HARBOUR) for team in ("looked-after", "mash")]
    assert index.inherited_by(MERGED, TODAY) == tuple(sorted([*before, f"{MERGED}/old-team"]))
    assert index.inherited_by(NEW, TODAY) == (f"{COUNTY}/looked-after", MASH)
    assert index.inherited_by(NEW, IN_2018) == index.inherited_by(COUNTY, TODAY) == ()


def test_names_are_those_of_the_day() -> None:
    """What was written in 2018 shows the name of 2018, whatever it is called now; the latest name needs no date."""
    named = entries()
    named[POLICE]["former_names"] = [
        {"name": "Exampleshire Police Authority", "until": CHANGE},
        {"name": "Exampleshire Police", "until": IN_2018 - 1},
    ]
    named[POLICE]["mailboxes"][0]["former_names"] = [{"name": "Child protection unit", "until": CHANGE}]
    index = index_of(named)
    shown = [index.name_at(POLICE, at) for at in (IN_2018 - 2, IN_2018 - 1, CHANGE - 1, CHANGE)]
    authority = "Exampleshire Police Authority"
    assert shown == ["Exampleshire Police", authority, authority, "Exampleshire Constabulary"]
    box = f"{POLICE}/child-abuse"
    assert [index.name_at(box, at) for at in (IN_2018, TODAY)] == ["Child protection unit", "Child-abuse"]
    assert index.name_at("nowhere", TODAY) is index.name_at("nowhere/team", TODAY) is None
