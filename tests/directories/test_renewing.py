"""An agency that renews its entry loses no address and no name that it had."""

from __future__ import annotations

from typing import Any

import msgspec

from hub.commands.agency import EnrolmentRequest, enrol
from schemas.directory import Directory, DirectoryIndex, parse_directory
from tests.directories.reorganised import CHANGE, MERGED, POLICE, TODAY, entries
from tests.schemas.samples import agency, directory, mailbox, payload


def renewed(changed: dict[str, Any], **wanted: Any) -> Directory:
    """Return the directory of *changed* once the police asked for their entry to be as *wanted*."""
    said = payload(directory(partnership="exampleshire-partnership", agencies=list(changed.values())))
    known = changed[POLICE]
    names = ("name", "roles", "codes", "identity", "mailboxes")
    request = {name: known[name] for name in names} | {"v": 1, "agency": POLICE, "statements": []} | wanted
    return enrol(parse_directory(said), said, [msgspec.convert(request, EnrolmentRequest)], TODAY)


def test_a_team_that_is_left_out_ends_and_leads_on() -> None:
    """Its address stays, and whoever answers for it has its mail; one that ended before keeps its day."""
    changed = entries()
    changed[POLICE]["mailboxes"] += [mailbox(f"{POLICE}/gone", valid_to=CHANGE), mailbox(f"{POLICE}/desk")]
    index = DirectoryIndex(renewed(changed, mailboxes=[mailbox(f"{POLICE}/new", roles=["r"])]))
    assert index.resolve(f"{POLICE}/desk", TODAY - 1).how == "open"
    assert index.resolve(f"{POLICE}/desk", TODAY).mailbox == f"{POLICE}/new"
    ends = {box.id: box.valid_to for box in index.find_agency(POLICE).mailboxes}  # type: ignore[union-attr]
    named = (("new", None), ("child-abuse", TODAY), ("gone", CHANGE), ("desk", TODAY))
    assert ends == {f"{POLICE}/{name}": end for name, end in named}


def test_what_it_was_called_is_remembered() -> None:
    """Agency and team: the earlier names, and from today the new one; what keeps its name gains none."""
    changed = entries()
    changed[POLICE]["former_names"] = [{"name": "Exampleshire Police", "until": CHANGE}]
    boxes = [mailbox(f"{POLICE}/child-abuse", title="Child protection")]
    index = DirectoryIndex(renewed(changed, name="Police Exampleshire", mailboxes=boxes))
    names = [index.name_at(POLICE, at) for at in (CHANGE - 1, CHANGE, TODAY)]
    assert names == ["Exampleshire Police", "Exampleshire Constabulary", "Police Exampleshire"]
    titles = [index.name_at(f"{POLICE}/child-abuse", at) for at in (TODAY - 1, TODAY)]
    assert titles == ["Child-abuse", "Child protection"]
    same = DirectoryIndex(renewed(changed)).find_agency(POLICE)
    assert same is not None
    assert [former.name for former in same.former_names] == ["Exampleshire Police"]
    assert same.mailboxes[0].former_names == ()


def test_an_end_that_is_announced_stays_announced() -> None:
    """A team that joins before the day doesn't put the day off, nor who takes over."""
    changed = entries()
    changed[POLICE] |= {"valid_to": TODAY + 1, "successors": [{"agency": MERGED}]}
    index = DirectoryIndex(renewed(changed, mailboxes=[mailbox(f"{POLICE}/new")]))
    assert index.has_agency_ended(POLICE, TODAY + 1)
    assert index.resolve(f"{POLICE}/new", TODAY + 1).mailbox == f"{MERGED}/looked-after"


def test_a_newcomer_has_no_past() -> None:
    """Its entry is what it asked for, from now on."""
    changed = entries()
    asked = agency("newcomer", mailbox("newcomer/desk"), identity=changed[POLICE]["identity"])
    wanted = {name: asked[name] for name in ("name", "roles", "codes", "mailboxes")}
    entry = DirectoryIndex(renewed(changed, agency="newcomer", **wanted)).find_agency("newcomer")
    assert entry is not None
    assert (entry.valid_from, entry.valid_to, entry.former_names) == (TODAY, None, ())
