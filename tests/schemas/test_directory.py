"""The directory names everything once, and an old address never leads to nobody."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.directory import DirectoryIndex, describe_kid, parse_directory, parse_key_statement
from schemas.strict_json import MalformedError, dump
from tests.schemas.samples import (
    DAY,
    HEALTH,
    NOW,
    POLICE,
    SOCIAL_CARE,
    agency,
    directory,
    jwk,
    key_statement,
    mailbox,
    payload,
)


def _index(*agencies: dict[str, Any]) -> DirectoryIndex:
    return DirectoryIndex(parse_directory(payload(directory(agencies=list(agencies)))))


def test_a_directory_is_read_and_written_back() -> None:
    """Nothing is lost on the way."""
    parsed = parse_directory(payload(directory()))
    assert parse_directory(dump(parsed)) == parsed


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"agencies": [agency("a"), agency("a")]}, "directory-twice"),
        ({"agencies": [agency("a", mailbox("a/b"), mailbox("a/b"))]}, "directory-twice"),
        ({"agencies": [agency("a", mailbox("b/b"))]}, "directory-agency"),
        ({"agencies": [agency("a", successors=[{"agency": "b"}])]}, "directory-successor"),
        ({"agencies": [agency("a", mailbox("a/b", manager="a/c"))]}, "directory-mailbox"),
        ({"agencies": [agency("a", mailbox("a/b", deputy="a/c"))]}, "directory-mailbox"),
        (
            {"agencies": [agency("a", mailbox("a/b", out_of_hours={"mailbox": "a/c", "hours": "at night"}))]},
            "directory-mailbox",
        ),
        ({"officers": {"threshold": 2, "keys": [jwk()]}}, "directory-threshold"),
        ({"version": 0}, "json-shape"),
    ],
)
def test_a_directory_that_breaks_a_rule_is_refused(changes: dict[str, Any], code: str) -> None:
    """Nothing twice, nothing under a foreign agency, nothing that points to nobody."""
    with pytest.raises(MalformedError) as caught:
        parse_directory(payload(directory(**changes)))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "OKP"},
        {"kty": "OKP", "crv": "Ed25519"},
        {"kty": "OKP", "x": jwk()["x"]},
        {**jwk(), "alg": "ML-DSA-44"},
        {**jwk(), "pub": "AA"},
        {"kty": "AKP", **{name: jwk()[name] for name in ("crv", "x")}},
        {"kty": "AKP", "alg": "ML-DSA-44"},
        {"kty": "OKP", "crv": "X25519", "x": jwk()["x"]},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "+/"},
    ],
)
def test_a_key_has_the_members_of_one_kind(key: dict[str, Any]) -> None:
    """A key that could be read as two kinds is refused."""
    with pytest.raises(MalformedError) as caught:
        parse_key_statement(payload(key_statement(jwk=key)))
    assert caught.value.code == "json-shape"


@pytest.mark.parametrize("use", ["sign", "seal", "witness"])
def test_a_key_statement_is_read_and_written_back(use: str) -> None:
    """Each use has its kind of key."""
    parsed = parse_key_statement(payload(key_statement(use)))
    assert parse_key_statement(dump(parsed)) == parsed


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        (key_statement("seal", jwk=jwk()), "key-kind"),
        (key_statement("sign", jwk=jwk("a", "MLKEM768-X25519")), "key-kind"),
        (key_statement("witness", jwk=jwk("a", "ML-DSA-44")), "key-kind"),
        (key_statement(mailbox=POLICE), "key-statement"),
        (key_statement(expires=NOW - DAY), "key-statement"),
    ],
)
def test_a_key_statement_that_breaks_a_rule_is_refused(statement: dict[str, Any], code: str) -> None:
    """Kind by use, mailbox by agency, dates in order."""
    with pytest.raises(MalformedError) as caught:
        parse_key_statement(payload(statement))
    assert caught.value.code == code


def test_a_mailbox_may_have_a_key_of_its_own() -> None:
    """A sensitive team's sealing key is not its agency's."""
    assert parse_key_statement(payload(key_statement("seal", mailbox=HEALTH))).mailbox == HEALTH


def test_a_thumbprint_covers_the_required_members_only() -> None:
    """RFC 7638 for both kinds of key."""
    both = [parse_key_statement(payload(key_statement(use))).jwk for use in ("sign", "seal")]
    assert [sorted(describe_kid(key)) for key in both] == [["crv", "kty", "x"], ["alg", "kty", "pub"]]


def test_look_ups() -> None:
    """Agencies, mailboxes and roles are found; what is not listed is not."""
    index = DirectoryIndex(parse_directory(payload(directory())))
    found = index.find_mailbox(SOCIAL_CARE)
    assert found is not None
    assert found.manager == "exampleshire-social-care/managers"
    assert index.find_mailbox("a/b") is None
    assert index.find_agency("exampleshire-police") is not None
    assert index.find_agency("a") is None
    assert index.roles_of(SOCIAL_CARE) == {"social_care", "mash"}
    assert index.roles_of("a/b") == frozenset()
    assert index.mailboxes_with("health", NOW) == (
        "exampleshire-health/emergency",
        "exampleshire-health/looked-after-children",
        HEALTH,
    )
    assert index.mailboxes_with("nobody", NOW) == ()


def test_a_mailbox_is_open_within_its_dates_and_its_agencys() -> None:
    """From the first moment, until just before the last."""
    index = _index(
        agency(
            "a", mailbox("a/b", valid_from=20, valid_to=30), mailbox("a/c"), roles=("r",), valid_from=10, valid_to=40
        )
    )
    assert [at for at in (19, 20, 29, 30) if index.is_open("a/b", at)] == [20, 29]
    assert [at for at in (9, 10, 39, 40) if index.is_open("a/c", at)] == [10, 39]
    assert not index.is_open("a/d", 20)
    assert index.mailboxes_with("r", 30) == ("a/c",)


def test_an_agency_may_be_followed_by_several() -> None:
    """Successors of successors count once those before them have ended, and circles end."""
    index = _index(
        agency(
            "old", valid_to=50, successors=[{"agency": "east", "split": "east"}, {"agency": "west", "split": "west"}]
        ),
        agency("east", valid_to=60, successors=[{"agency": "new"}]),
        agency("west", valid_to=60, successors=[{"agency": "old"}]),
        agency("new"),
    )
    assert index.is_same_or_successor("old", "old", 10)
    assert [at for at in (49, 50) if index.is_same_or_successor("west", "old", at)] == [50]
    assert [at for at in (50, 59, 60) if index.is_same_or_successor("new", "old", at)] == [60]
    assert not index.is_same_or_successor("new", "west-of-nowhere", 60)
    assert not index.is_same_or_successor("old", "new", 60)


def test_an_ended_mailbox_leads_to_its_heirs() -> None:
    """The team of the same name, else one with a role in common, else the first; an open one answers for itself."""
    ended: dict[str, Any] = {"valid_from": 0, "valid_to": 10}
    follows = [{"agency": "same"}, {"agency": "alike"}, {"agency": "first"}, {"agency": "empty"}]
    index = _index(
        agency("old", mailbox("old/team", roles=["r"]), successors=follows, **ended),
        agency("same", mailbox("same/first"), mailbox("same/team")),
        agency("alike", mailbox("alike/first"), mailbox("alike/other", roles=["r"])),
        agency("first", mailbox("first/first"), mailbox("first/second")),
        agency("empty"),
        agency("circle", mailbox("circle/team"), successors=[{"agency": "circle"}], **ended),
    )
    assert index.open_heirs("old/team", 5) == ("old/team",)
    assert index.open_heirs("old/team", NOW) == ("alike/other", "first/first", "same/team")
    assert index.open_heirs("old/forgotten", NOW) == ("alike/first", "first/first", "same/first")
    assert index.open_heirs("circle/team", NOW) == ()
    assert index.open_heirs("nowhere/team", NOW) == ()


def test_a_closed_team_leads_to_its_own_agency_while_that_is_open() -> None:
    """The deputy, else the manager, else a team with one of its roles, else the first that is open."""
    closed: dict[str, Any] = {"valid_to": 10, "roles": ["r"]}
    others = (mailbox("a/first"), mailbox("a/alike", roles=["r"]), mailbox("a/manager"), mailbox("a/deputy"))
    follows = [{"agency": "b"}]
    named = {"deputy": "a/deputy", "manager": "a/manager"}
    new = agency("b", mailbox("b/team"))

    def heirs(*rest: dict[str, Any], **people: str) -> tuple[str, ...]:
        old = agency("a", mailbox("a/team", **closed, **people), *rest, successors=follows)
        return _index(old, new).open_heirs("a/team", NOW)

    assert heirs(*others, **named) == ("a/deputy",)
    assert heirs(*others, manager="a/manager") == ("a/manager",)
    assert heirs(*others) == ("a/alike",)
    assert heirs(mailbox("a/first"), mailbox("a/second")) == ("a/first",)
    assert heirs() == ("b/team",)


def test_heirs_of_heirs_answer_where_an_heir_has_ended_too() -> None:
    """A chain of endings leads to whoever is left."""
    ended: dict[str, Any] = {"valid_from": 0, "valid_to": 10}
    index = _index(
        agency("one", mailbox("one/team"), successors=[{"agency": "two"}], **ended),
        agency("two", mailbox("two/team"), successors=[{"agency": "three"}], **ended),
        agency("three", mailbox("three/team")),
    )
    assert index.open_heirs("one/team", NOW) == ("three/team",)
