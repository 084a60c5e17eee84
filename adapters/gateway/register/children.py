"""Which child a message is about, and when two records are one child's.

By itself the register links only by a traced NHS number, or by the same agency's own record number.  The same name and
date of birth make a candidate, which two named persons must confirm, and which can be taken apart again.  An adopted
child's later records are never linked, nor an unborn child's to the child that is born, but by the agency's own number.

Source: domain 10 and 11 (risk 14).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from adapters.errors import GatewayError
from adapters.gateway.register.effects import Parting
from adapters.gateway.register.store import Register, entry_of
from adapters.gateway.spool import Row, Transaction
from keys.digests import new_id
from schemas.identifiers import AgencyId, Moment
from schemas.nhs_number import is_nhs_number

NUMBER: Final = "number"
RECORD: Final = "record"
NAME: Final = "name"
# Both by the mother's reference, so that only one of each makes a candidate: twins aren't one child.
UNBORN: Final = "unborn"
BORN: Final = "born"
_KEPT: Final = ("name", "dob", "expected_dob", "nhs_number", "nhs_number_status", "local_id", "mother_ref")


class Mark(NamedTuple):
    """What a child is known by: its sort, and the keyed digest under which it is looked up."""

    sort: str
    digest: str


class Person(NamedTuple):
    """Who decides: the pseudonym of a named person, and their role."""

    ref: str
    role: str


def read_marks(register: Register, agency: AgencyId, child: Mapping[str, Any]) -> list[Mark]:
    """Return what *child*, as a message of *agency* names it, is known by."""
    marks = [Mark(RECORD, register.digest(RECORD, agency, child["local_id"]))]
    number = child.get("nhs_number", "")
    # A right check digit alone is not a trace.
    if child.get("nhs_number_status") == "traced" and is_nhs_number(number):
        marks.append(Mark(NUMBER, register.digest(NUMBER, number)))
    if "dob" in child:
        name = " ".join(child["name"].casefold().split())
        marks.append(Mark(NAME, register.digest(NAME, name, child["dob"])))
    if "mother_ref" in child:
        sort = UNBORN if "expected_dob" in child else BORN
        marks.append(Mark(sort, register.digest("mother", agency, child["mother_ref"])))
    return marks


async def match_child(
    tx: Transaction, register: Register, parting: Parting, agency: AgencyId, child: Mapping[str, Any], at: Moment
) -> str:
    """Return the id of the child whom a message of *agency*, about what happened at *at*, names; a new one if need be."""
    marks = read_marks(register, agency, child)
    found: dict[str, list[Row]] = {}
    for mark in marks:
        rows = await tx.all("marked", digest=mark.digest)
        found[mark.sort] = [row for row in rows if not await _is_parted(tx, parting, row["same_as"], at)]
    numbered, recorded = found.get(NUMBER, [])[:1], found[RECORD][:1]
    if (
        recorded
        and not numbered
        and NUMBER in found
        and await tx.all("marks_of", child=recorded[0]["same_as"], sort=NUMBER)
    ):
        recorded = []  # the agency's number stood for a child with another NHS number until now
    known = numbered or recorded
    name = known[0]["child"] if known else new_id(at)
    await _remember(tx, register, name, agency, child, at, is_new=not known)
    for mark in marks:
        await tx.run("add_mark", digest=mark.digest, child=name, sort=mark.sort, at=at)
    root = await get_root(tx, name)
    for sort, rows in found.items():
        for other in rows:
            if other["same_as"] != root and (sort not in {UNBORN, BORN} or other["sort"] != sort):
                await _propose(tx, name, other["child"], sort, at)
    return name


async def match_key(tx: Transaction, register: Register, agency: AgencyId, key: str, at: Moment) -> str:
    """Return the id of the child whom only *agency* can tell, by *key*; a new one, of whom nothing is known, if need be."""
    digest = register.digest("key", agency, key)
    rows = await tx.all("marked", digest=digest)
    if rows:
        return str(rows[0]["child"])
    name = new_id(at)
    await tx.run("add_child", id=name, at=at, identity=register.lock_value({}, name))
    await tx.run("add_mark", digest=digest, child=name, sort="key", at=at)
    return name


async def _is_parted(tx: Transaction, parting: Parting, root: str, at: Moment) -> bool:
    for row in await tx.all("entries_of", child=root):
        entry = entry_of(row)
        if (
            entry.kind == parting.kind
            and entry.state in parting.states
            and entry.at < at
            and all(entry.facts.get(fact) in codes for fact, codes in parting.facts.items())
        ):
            return True
    return False


async def _remember(
    tx: Transaction,
    register: Register,
    name: str,
    agency: AgencyId,
    child: Mapping[str, Any],
    at: Moment,
    *,
    is_new: bool,
) -> None:
    """Keep how *agency* names the child, its newest word."""
    said = {key: child[key] for key in _KEPT if key in child} | {"at": at}
    if is_new:
        await tx.run("add_child", id=name, at=at, identity=register.lock_value({agency: said}, name))
        return
    row = await tx.one("find_child", id=name)
    identity = register.unlock_value(row["identity"], name) if row else {}
    if identity.get(agency, {}).get("at", at) <= at:
        await tx.run("set_identity", id=name, identity=register.lock_value(identity | {agency: said}, name))


async def _propose(tx: Transaction, one: str, other: str, why: str, at: Moment) -> None:
    a, b = sorted((one, other))
    await tx.run("add_pair", a=a, b=b, why=why, at=at)


async def list_candidates(tx: Transaction) -> list[Row]:
    """Return the pairs that may be one child; never two who each have a traced NHS number, and not the same one."""
    found = []
    for row in await tx.all("list_candidates"):
        one, other = [
            {mark["digest"] for mark in await tx.all("marks_of", child=row[side], sort=NUMBER)}
            for side in ("one", "other")
        ]
        if not one or not other or one & other:
            found.append(row)
    return found


async def confirm_same(tx: Transaction, one: str, other: str, person: Person, at: Moment) -> str:
    """Record that *person* says that two records are one child's; return ``candidate`` or, once two do, ``merged``.

    Raises:
        GatewayError: ``register-child-unknown``, ``register-one-child`` or ``register-second-person``.
    """
    a, b = sorted((one, other))
    roots = [await get_root(tx, name) for name in (a, b)]
    if roots[0] == roots[1]:
        raise GatewayError("register-one-child", "the two are one child already", "see `gateway register show`")
    await tx.run("add_pair", a=a, b=b, why="person", at=at)
    pair = await tx.one("find_pair", a=a, b=b)
    if pair is None or pair["state"] != "candidate" or pair["first"] is None:
        await _set_pair(tx, a, b, "candidate", first=person)
        return "candidate"
    if pair["first"] == person.ref:
        raise GatewayError(
            "register-second-person", "this person has confirmed it already", "a second person must confirm it"
        )
    await _set_pair(tx, a, b, "merged", first=Person(pair["first"], pair["first_role"]), second=person)
    await _regroup(tx, *roots)
    return "merged"


async def part(tx: Transaction, one: str, other: str, person: Person) -> None:
    """Record that *person* says that two records are two children's; a merge of just these two is undone.

    Raises:
        GatewayError: ``register-child-unknown`` or ``register-not-merged``.
    """
    a, b = sorted((one, other))
    roots = [await get_root(tx, name) for name in (a, b)]
    pair = await tx.one("find_pair", a=a, b=b)
    if pair is None or pair["state"] == "parted":
        raise GatewayError(
            "register-not-merged", "these two were neither merged nor candidates", "see `gateway register show`"
        )
    said = [Person(pair[who], pair[f"{who}_role"]) if pair[who] else None for who in ("first", "second")]
    await _set_pair(tx, a, b, "parted", first=said[0], second=said[1], parted=person)
    await _regroup(tx, *roots)


async def _set_pair(
    tx: Transaction,
    a: str,
    b: str,
    state: str,
    *,
    first: Person | None,
    second: Person | None = None,
    parted: Person | None = None,
) -> None:
    values: dict[str, Any] = {}
    for who, person in (("first", first), ("second", second), ("parted", parted)):
        values |= {who: person.ref if person else None, f"{who}_role": person.role if person else None}
    await tx.run("set_pair", a=a, b=b, state=state, **values)


async def find_root(tx: Transaction, child: str) -> str | None:
    """Return the name under which *child*, and whoever is the same child, is looked at; ``None``: there is none such."""
    row = await tx.one("find_child", id=child)
    return str(row["same_as"]) if row else None


async def get_root(tx: Transaction, child: str) -> str:
    """Return the same of a child whom somebody names.

    Raises:
        GatewayError: ``register-child-unknown``.
    """
    root = await find_root(tx, child)
    if root is None:
        raise GatewayError("register-child-unknown", "the register has no such child", "see `gateway register list`")
    return root


async def _regroup(tx: Transaction, one: str, other: str) -> None:
    """Say anew which of the children of two groups are one, from the pairs that are merged."""
    names = {row["id"] for root in (one, other) for row in await tx.all("same_as", child=root)}
    groups = {name: {name} for name in names}
    for pair in await tx.all("merged_among", one=one, other=other):
        together = groups[pair["a"]] | groups[pair["b"]]
        for name in together:
            groups[name] = together
    for name, group in groups.items():
        await tx.run("set_same_as", id=name, same_as=min(group))
