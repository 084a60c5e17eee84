"""Nobody is taken for another child, and two persons can say that two records are one child's, and take it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.errors import GatewayError
from adapters.gateway.cli import make_parser
from adapters.gateway.register import children, commands
from schemas.agreement import Pattern, Seen
from tests.county import CAIT, EXPLOITATION, NURSES
from tests.gateway.register_support import CHILD, Desk, date, day, months, on, open_desk, reference
from tests.schemas import samples

UNTRACED = {"nhs_number": None, "nhs_number_status": "unknown"}


async def names(desk: Desk, *children: dict[str, Any], sender: str = CAIT, begin: int = 0) -> list[str]:
    """Have *sender* tell of an incident with each of *children*; return how many children the register then has."""
    for number, child in enumerate(children, begin):
        await desk.receive(
            "incident.notice/1", sender=sender, child=child, occurred_at=on(number), incident_ref=f"R{number}"
        )
    return await desk.children()


async def run(desk: Desk, *arguments: str) -> Any:
    """Run one action of `gateway register`."""
    options = make_parser().parse_args(["register", *arguments])
    return await commands.ACTIONS[options.action](desk.gateway, options)


def person(name: str) -> list[str]:
    """Return the options that say who decides."""
    return ["--actor", name, "--role", "social_worker"]


async def test_a_traced_number_links_across_agencies(tmp_path: Path) -> None:
    """Police and health name the child by records of their own; the traced NHS number says that it is one child."""
    async with open_desk(tmp_path) as desk:
        assert len(await names(desk, CHILD)) == 1
        other = CHILD | {"local_id": "H-77", "name": "Robyn Sample"}
        assert len(await names(desk, other, sender=NURSES, begin=1)) == 1


@pytest.mark.parametrize("status", ["untraced", "unknown"])
async def test_a_right_check_digit_is_no_trace(tmp_path: Path, status: str) -> None:
    """A number that nobody has traced links nothing."""
    async with open_desk(tmp_path) as desk:
        await names(desk, CHILD)
        other = CHILD | {"local_id": "H-77", "name": "Kim Other", "nhs_number_status": status}
        assert len(await names(desk, other, sender=NURSES, begin=1)) == 2


async def test_a_record_number_is_its_own_agencys_only(tmp_path: Path) -> None:
    """The same agency's number links, whichever of its teams says it; another agency's of the same spelling doesn't."""
    async with open_desk(tmp_path) as desk:
        child = samples.with_changes(CHILD, UNTRACED)
        await names(desk, child)
        assert len(await names(desk, child | {"name": "Robin S"}, sender=EXPLOITATION, begin=1)) == 1
        assert len(await names(desk, child | {"name": "Kim Other"}, sender=NURSES, begin=2)) == 2


async def test_the_same_name_and_date_never_merge_by_themselves(tmp_path: Path) -> None:
    """Two records make a candidate, however the name is spaced or written; twins with names of their own don't."""
    async with open_desk(tmp_path) as desk:
        child = samples.with_changes(CHILD, UNTRACED)
        same = child | {"local_id": "SC-9", "name": "robin  SAMPLE"}
        twin = child | {"local_id": "SC-8", "name": "Ashley Sample"}
        found = await names(desk, child, same, twin)
        assert len(found) == 3
        (pair,) = await run(desk, "candidates")
        assert {pair["one"], pair["other"]} < set(found)
        assert (pair["why"], pair["confirmed"]) == ("name", 0)


async def test_two_traced_numbers_are_no_candidate(tmp_path: Path) -> None:
    """Of the same name and date, but each traced: they are two children, and nobody is asked."""
    async with open_desk(tmp_path) as desk:
        assert len(await names(desk, CHILD, CHILD | {"local_id": "SC-9", "nhs_number": "9990000026"})) == 2
        assert await run(desk, "candidates") == []


async def test_a_merge_takes_two_persons_and_can_be_undone(tmp_path: Path) -> None:
    """One person twice is one person; two make it one child, with one agreed risk and one list; and it can be taken apart."""
    pattern = Pattern(name="at-risk", at=("social_care",), seen=(Seen(kind="incident", least=2, within=months(3)),))
    async with open_desk(tmp_path, pattern) as desk:
        child = samples.with_changes(CHILD, UNTRACED)
        one, other = await names(desk, child, child | {"local_id": "SC-9"})
        assert await desk.alerts() == []
        assert (await run(desk, "merge", one, other, *person("Morgan Sample")))["state"] == "candidate"
        with pytest.raises(GatewayError) as caught:
            await run(desk, "merge", other, one, *person("  morgan   sample "))
        assert caught.value.code == "register-second-person"
        assert len(await desk.children()) == 2
        assert (await run(desk, "merge", one, other, *person("Kim Specimen")))["state"] == "merged"
        assert await desk.children() == [one]
        # What the two have together is found by itself.
        await desk.pass_time(2)
        assert [alert["child"] for alert in await desk.alerts()] == [one]
        assert (await run(desk, "list", "at-risk"))["count"] == 1
        with pytest.raises(GatewayError) as caught:
            await run(desk, "merge", one, other, *person("Sam Third"))
        assert caught.value.code == "register-one-child"
        await run(desk, "unmerge", one, other, *person("Sam Third"))
        assert await desk.children() == sorted((one, other))
        assert (await run(desk, "list", "at-risk"))["count"] == 0
        assert await run(desk, "candidates") == []
        with pytest.raises(GatewayError) as caught:
            await run(desk, "unmerge", one, other, *person("Sam Third"))
        assert caught.value.code == "register-not-merged"
        # Once taken apart, it needs two persons again.
        assert (await run(desk, "merge", one, other, *person("Kim Specimen")))["state"] == "candidate"


async def test_taking_two_apart_leaves_the_others_together(tmp_path: Path) -> None:
    """Of three that are one child, the one that was wrong goes."""
    async with open_desk(tmp_path) as desk:
        child = samples.with_changes(CHILD, UNTRACED)
        one, two, three = await names(desk, *(child | {"local_id": f"SC-{n}"} for n in range(3)))
        for a, b in ((one, two), (two, three)):
            for who in ("Morgan Sample", "Kim Specimen"):
                await run(desk, "merge", a, b, *person(who))
        assert await desk.children() == [one]
        await run(desk, "unmerge", two, three, *person("Sam Third"))
        assert await desk.children() == [one, three]


async def test_a_merge_settles_of_whom_a_thread_is_and_its_end_unsettles_it(tmp_path: Path) -> None:
    """A message that names nobody, in a thread of two records, is theirs while they are one child."""
    async with open_desk(tmp_path) as desk:
        given = {"thread": samples.an_id("thread")}
        child = samples.with_changes(CHILD, UNTRACED)
        for number, local in enumerate(("SC-1", "SC-2")):
            fields = {"child": child | {"local_id": local}, "occurred_at": on(number), "incident_ref": local}
            await desk.receive("incident.notice/1", given=given, **fields)
        await desk.receive("meeting.held/1", given=given, held_at=on(3), starts_at=None)
        one, other = await desk.children()
        assert (await desk.the("meeting")).child is None
        for who in ("Morgan Sample", "Kim Specimen"):
            await run(desk, "merge", one, other, *person(who))
        assert (await desk.the("meeting")).child == one
        await run(desk, "unmerge", one, other, *person("Sam Third"))
        assert (await desk.the("meeting")).child is None


async def test_an_adopted_childs_later_records_are_new(tmp_path: Path) -> None:
    """After a closure because of adoption neither the agency's number nor the NHS number links, nor is anything proposed."""
    async with open_desk(tmp_path) as desk:
        closure = samples.an_id("closure")
        await desk.receive(
            "closure.intent/1", child=CHILD, closure_id=closure, announced_at=on(1), reason="RC1", sub_reason="other"
        )
        await desk.receive(
            "closure.confirmed/1", closure_id=closure, decision="closed", decided_at=on(5), next_review=None
        )
        # What happened before the adoption is still the child's of then.
        assert len(await names(desk, CHILD, begin=3)) == 1
        assert len(await names(desk, CHILD, begin=9)) == 2
        assert len(await names(desk, CHILD | {"name": "Robin New"}, begin=10)) == 2
        assert await run(desk, "candidates") == []


async def test_a_closure_that_is_kept_open_parts_nobody(tmp_path: Path) -> None:
    """An intended closure because of adoption that was not confirmed changes nothing."""
    async with open_desk(tmp_path) as desk:
        closure = samples.an_id("closure")
        await desk.receive(
            "closure.intent/1", child=CHILD, closure_id=closure, announced_at=on(1), reason="RC1", sub_reason="other"
        )
        await desk.receive("closure.confirmed/1", closure_id=closure, decision="kept_open", decided_at=on(5))
        assert len(await names(desk, CHILD, begin=9)) == 1


async def test_an_unborn_child_is_linked_to_its_mother_and_to_no_other_child(tmp_path: Path) -> None:
    """Twins who aren't born yet are two; one that is born makes a candidate by its mother, unless the number says it."""
    async with open_desk(tmp_path) as desk:
        unborn = samples.with_changes(
            CHILD, UNTRACED | {"dob": None, "expected_dob": date(90), "name": "Alex Sample unborn", "mother_ref": "M-1"}
        )
        first, second = await names(desk, unborn, unborn | {"local_id": "SC-2"})
        assert await run(desk, "candidates") == []
        born = samples.with_changes(CHILD, UNTRACED | {"dob": date(88), "mother_ref": "M-1", "local_id": "SC-5"})
        found = await names(desk, born, begin=95)
        (third,) = set(found) - {first, second}
        pairs = await run(desk, "candidates")
        assert {frozenset((pair["one"], pair["other"])) for pair in pairs} == {
            frozenset((first, third)),
            frozenset((second, third)),
        }
        assert {pair["why"] for pair in pairs} == {"born"}
        # The agency's own number goes on from before birth.
        assert len(await names(desk, born | {"local_id": "SC-2"}, begin=96)) == 3


async def test_a_record_number_that_changes_hands_links_nobody(tmp_path: Path) -> None:
    """An agency's number with another traced NHS number than before is another child, then and afterwards."""
    async with open_desk(tmp_path) as desk:
        other = CHILD | {"nhs_number": "9990000026", "name": "Kim Other", "dob": "2013-01-01"}
        one, two = await names(desk, CHILD, other)
        assert await run(desk, "candidates") == []
        await names(desk, samples.with_changes(other, UNTRACED), begin=5)
        assert [entry.at for entry in await desk.entries("incident", two)] == [day(1), day(5)]
        assert [entry.at for entry in await desk.entries("incident", one)] == [day(0)]


async def test_two_known_children_under_one_word_are_a_candidate(tmp_path: Path) -> None:
    """The number says one child, the agency's record another: the number counts, and two persons are asked."""
    async with open_desk(tmp_path) as desk:
        await names(desk, samples.with_changes(CHILD, UNTRACED | {"name": "Kim Other"}))
        await names(desk, CHILD | {"local_id": "H-1"}, sender=NURSES, begin=1)
        assert len(await names(desk, CHILD, begin=2)) == 2
        (pair,) = await run(desk, "candidates")
        assert pair["why"] == "record"


async def test_only_show_says_who_a_child_is(tmp_path: Path) -> None:
    """It gives each agency's newest word, and the entries; nothing else prints a name."""
    async with open_desk(tmp_path) as desk:
        (child,) = await names(desk, CHILD)
        await desk.receive(
            "status.notice/1", sender=NURSES, child=reference(CHILD) | {"name": "Robyn Sample"}, decided_at=on(3)
        )
        shown = await run(desk, "show", child)
        assert {one["name"] for one in shown["named"][child].values()} == {"Robin Sample", "Robyn Sample"}
        assert sorted(entry["kind"] for entry in shown["entries"]) == ["case", "incident", "status"]
        # An older word doesn't replace a newer one.
        await names(desk, CHILD | {"name": "Rob"}, begin=-3)
        assert "Rob" not in {one["name"] for one in (await run(desk, "show", child))["named"][child].values()}
        for action in (
            ["show", "nobody"],
            ["merge", child, "nobody", *person("Kim")],
            ["unmerge", child, "nobody", *person("Kim")],
        ):
            with pytest.raises(GatewayError) as caught:
                await run(desk, *action)
            assert caught.value.code == "register-child-unknown"


async def test_a_decision_has_a_named_person(tmp_path: Path) -> None:
    """Blank names and roles are refused."""
    async with open_desk(tmp_path) as desk:
        for who in (["--actor", "  ", "--role", "x"], ["--actor", "Kim", "--role", " "]):
            with pytest.raises(GatewayError) as caught:
                await run(desk, "merge", "a", "b", *who)
            assert caught.value.code == "register-person"


def test_marks_hold_no_plaintext() -> None:
    """What a child is looked up by is a digest under the agency's key: another key gives another."""
    from adapters.gateway.register.store import Register

    one, other = (Register(Path("unused"), bytes([number]) * 32) for number in (1, 2))
    marks = children.read_marks(one, "a", CHILD)
    assert {mark.sort for mark in marks} == {"record", "number", "name"}
    assert not {mark.digest for mark in marks} & {mark.digest for mark in children.read_marks(other, "a", CHILD)}
