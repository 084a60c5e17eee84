"""What changes between two documents is said, all of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.agreement import Agreement, parse_agreement
from schemas.comparing import Change, Words, compare_agreements, compare_directories
from schemas.directory import Directory, FormerName, Jwk, OutOfHours, Successor, parse_directory
from schemas.rules.explained import explain
from tests.county import COUNCIL, HEALTH, MANAGERS, MASH, NURSES, POLICE, County

WORDS = Words(key=lambda jwk: (jwk.x or "")[:6], moment=lambda moment: f"at {moment}")
OTHER = Jwk(kty="OKP", crv="Ed25519", x="x" * 43)


@pytest.fixture(scope="module")
def directory() -> Directory:
    """Give the county's directory."""
    return parse_directory(County().directory())


@pytest.fixture(scope="module")
def agreement() -> Agreement:
    """Give the reference agreement."""
    return parse_agreement(County(whole=True).agreement())


def replaced(directory: Directory, agency: str, **changes: Any) -> Directory:
    """Return *directory* with *agency*'s entry changed."""
    return msgspec.structs.replace(
        directory,
        agencies=tuple(
            msgspec.structs.replace(one, **changes) if one.id == agency else one for one in directory.agencies
        ),
    )


def boxed(directory: Directory, mailbox: str, **changes: Any) -> Directory:
    """Return *directory* with *mailbox* changed."""
    agency = mailbox.partition("/")[0]
    (entry,) = [one for one in directory.agencies if one.id == agency]
    boxes = tuple(msgspec.structs.replace(box, **changes) if box.id == mailbox else box for box in entry.mailboxes)
    return replaced(directory, agency, mailboxes=boxes)


def said(before: Directory | None, after: Directory) -> list[Change]:
    """Return what changes."""
    return list(compare_directories(before, after, WORDS))


def test_nothing_changes_where_nothing_changes(directory: Directory, agreement: Agreement) -> None:
    """Version, date and what came before are the document's own, and shown apart."""
    assert said(directory, msgspec.structs.replace(directory, version=9, issued=1, previous="p" * 43)) == []
    renewed = msgspec.structs.replace(agreement, version=9, issued=1, previous="p" * 43)
    assert compare_agreements(agreement, renewed, WORDS, explain) == ()


def test_every_member_of_an_agency_that_changes_is_said(directory: Directory) -> None:
    """Also one that nobody has thought of yet: the members are read from the document itself."""
    changes: dict[str, Any] = {
        "name": "Other", "former_names": (FormerName(name="Old", until=1),), "roles": ("police", "health"),
        "codes": {"ods": "X1"}, "valid_from": 5, "valid_to": 6, "successors": (Successor(agency=POLICE, split="east"),),
    }  # fmt: skip
    (entry,) = [one for one in directory.agencies if one.id == HEALTH]
    assert set(changes) == set(entry.__struct_fields__) - {"id", "identity", "mailboxes"}
    for name, value in changes.items():
        (change,) = said(directory, replaced(directory, HEALTH, **{name: value}))
        assert (change.where, change.check) == (HEALTH, False)
        assert change.says.startswith(name.replace("_", " ") + ": ")
    assert said(directory, replaced(directory, HEALTH, valid_to=6))[0].says == "valid to: at 6, instead of none"
    assert said(directory, replaced(directory, HEALTH, roles=("a", "b")))[0].says == "roles: a, b, instead of health"


def test_every_member_of_a_mailbox_that_changes_is_said(directory: Directory) -> None:
    """Posts, cover, what it reads, its dates and names."""
    changes: dict[str, Any] = {
        "title": "Other", "roles": ("x",), "manager": NURSES, "deputy": NURSES,
        "out_of_hours": OutOfHours(mailbox=NURSES, hours="nights"), "reads": ("minutes.full/1",), "mesh": "x",
        "valid_from": 1, "valid_to": 2, "former_names": (FormerName(name="Old", until=1),),
    }  # fmt: skip
    box = directory.agencies[1].mailboxes[0]
    assert set(changes) == set(box.__struct_fields__) - {"id"}
    for name, value in changes.items():
        (change,) = said(directory, boxed(directory, MASH, **{name: value}))
        assert change.where == MASH
    assert '"hours":"nights"' in said(directory, boxed(directory, MASH, out_of_hours=changes["out_of_hours"]))[0].says


def test_whose_keys_count_is_marked_to_be_checked(directory: Directory) -> None:
    """Identity keys, officers, the hub's keys and address, witnesses, and what is taken out."""
    hub, officers = directory.hub, directory.officers
    for changed in (
        replaced(directory, HEALTH, identity=OTHER),
        msgspec.structs.replace(directory, officers=msgspec.structs.replace(officers, threshold=1)),
        msgspec.structs.replace(directory, officers=msgspec.structs.replace(officers, keys=(*officers.keys[1:], OTHER))),
        msgspec.structs.replace(directory, hub=msgspec.structs.replace(hub, url="https://elsewhere.example")),
        msgspec.structs.replace(directory, hub=msgspec.structs.replace(hub, origin="elsewhere")),
        msgspec.structs.replace(directory, hub=msgspec.structs.replace(hub, signing=(OTHER,))),
        msgspec.structs.replace(directory, hub=msgspec.structs.replace(hub, checkpoint=hub.checkpoint[:1])),
        msgspec.structs.replace(directory, witnesses="witness w1 vkey\n"),
        msgspec.structs.replace(directory, partnership="elsewhere"),
        msgspec.structs.replace(directory, agencies=directory.agencies[1:]),
        replaced(directory, COUNCIL, mailboxes=directory.agencies[1].mailboxes[1:]),
    ):  # fmt: skip
        changes = said(directory, changed)
        assert changes
        assert all(change.check for change in changes)
    assert not any(one.check for one in said(directory, msgspec.structs.replace(directory, expires=1)))


def test_a_change_of_officers_names_who_comes_and_who_goes(directory: Directory) -> None:
    """By fingerprint, and how many of how many must sign."""
    officers = msgspec.structs.replace(directory.officers, threshold=1, keys=(directory.officers.keys[0], OTHER))
    says = [one.says for one in said(directory, msgspec.structs.replace(directory, officers=officers))]
    gone = [f"key removed: {WORDS.key(key)}" for key in directory.officers.keys[1:]]
    assert says == ["1 of 2 must sign, instead of 2 of 3", "key added: xxxxxx", *gone]


def test_an_order_that_may_decide_who_answers_is_said(directory: Directory) -> None:
    """The first mailbox of an agency is where mail goes that leads nowhere else."""
    boxes = directory.agencies[1].mailboxes
    (change,) = said(directory, replaced(directory, COUNCIL, mailboxes=boxes[::-1]))
    assert change == Change(COUNCIL, f"is put in another order: {MANAGERS}, {MASH}")
    assert (
        said(directory, msgspec.structs.replace(directory, agencies=directory.agencies[::-1]))[0].where == "directory"
    )


def test_a_first_directory_is_told_whole(directory: Directory) -> None:
    """Officers, hub, each agency with its key, each mailbox."""
    told = said(None, msgspec.structs.replace(directory, witnesses="quorum none"))
    assert next(one.says for one in told if one.where == "officers") == "2 of 3 must sign"
    assert sum(one.says.startswith("is new: ") for one in told) == 5 + sum(len(a.mailboxes) for a in directory.agencies)
    assert any(one.where == MASH and "manager: " in one.says for one in told)
    assert Change("witnesses", "line added: quorum none", check=True) in told


def test_an_agreement_is_compared_by_member_and_in_words(agreement: Agreement) -> None:
    """What came, what went, what changed; and what its text says otherwise."""
    types = dict(agreement.types)
    del types["meeting.convened"]
    label, kept = next(iter(agreement.retention.items()))
    changed = msgspec.structs.replace(
        agreement, types=types, owner="somebody else", recurring=agreement.recurring[1:], in_force_from=7,
        retention=dict(agreement.retention) | {label: msgspec.structs.replace(kept, max_days=9), "more": kept},
    )  # fmt: skip
    changes = compare_agreements(agreement, changed, WORDS, explain)
    for expected in (
        Change("types", "removed: meeting.convened"), Change("retention", f"changed: {label}"), Change("retention", "added: more"),
        Change("recurring", f"removed: {agreement.recurring[0].name}"),
        Change("agreement", f"in force from: at 7, instead of at {agreement.in_force_from}"),
    ):  # fmt: skip
        assert expected in changes
    words = [one.says for one in changes if one.where == "in words"]
    assert any(one.startswith("now: ") and "at the latest after 9 days" in one for one in words)
    assert any(one.startswith("until now: meeting.convened") for one in words)


def test_a_first_agreement_is_told_whole(agreement: Agreement) -> None:
    """Each calendar, retention, type, rhythm and pattern by name; its words are what `hub agreement explain` prints."""
    told = compare_agreements(None, agreement, WORDS, explain)
    assert sum(one.where == "types" for one in told) == len(agreement.types)
    assert not any(one.where == "in words" for one in told)
