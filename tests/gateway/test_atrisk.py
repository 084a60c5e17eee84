"""The at-risk list from end to end: police publish it unreadable, the clinic matches it inside, and nothing flows back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest

from adapters.base import DraftAuthor, Outgoing
from adapters.errors import GatewayError
from adapters.gateway import outgoing
from adapters.gateway.matching import attending, issuer
from keys import matching
from keys.digests import keyed_digest
from schemas.catalogue import Catalogue
from schemas.strict_json import dump
from tests.county import EXPLOITATION, HOUR, MINUTE
from tests.gateway.atrisk_support import (
    ALEX,
    BLAKE,
    BORN,
    CASEY,
    CLINIC,
    OFFICER,
    SLOT,
    came,
    codes,
    headers_sent,
    kinds,
    listed,
    open_pair,
    received,
    states,
)
from tests.gateway.support import Town, read_notices
from tests.schemas import samples

DAY = 24 * HOUR
KNOWN = f"known risk, contact {EXPLOITATION}"


@pytest.fixture
def town(clinic_town: Town) -> Town:
    """Give a running hub whose county has a clinic."""
    return clinic_town


async def test_a_clinician_sees_known_risk_and_whom_to_contact(town: Town) -> None:
    """Listed: the marker, the contact and how it was found.  Not listed: just that."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX), listed(BLAKE, contact_inbox=CLINIC, risk_marker="seen_before"))
        await pair.attend(came("A-1", ALEX), came("A-2", CASEY))
        assert await pair.answers("A-1", "A-2") == [KNOWN, "not on the list"]
        said = await pair.tell("A-1")
        assert said["entries"] == [
            {"risk_marker": "known_risk", "contact": EXPLOITATION, "added_on": "2026-06-01", "by": "nhs_number"}
        ]
        assert said["late"] is False
        await pair.attend(came("A-3", BLAKE))
        assert (await pair.tell("A-3"))["answer"] == f"known risk, contact {CLINIC}"
        assert await codes(pair.clinic) == ["atrisk-match", "atrisk-match"]


async def test_the_list_is_acknowledged_with_version_and_load_time(town: Town) -> None:
    """Without anybody's doing, which meets the duty that domain 8 names; a second version is acknowledged again."""
    async with open_pair(town) as pair:
        for version in (1, 2):
            assert await pair.publish(listed(ALEX)) == version
            acks = [one.message for one in await received(pair.police, "risklist.ack/1")]
            assert [ack["version"] for ack in acks] == list(range(1, version + 1))
        assert acks[-1]["loaded_at"] == "2026-07-06T08:00:00Z"
        rows = await pair.police.gateway.spool.all("list_obligations")
        loaded = [row["state"] for row in rows if json.loads(bytes(row["duty"]))["rule"] == "list-loaded"]
        assert len(loaded) == 2
        assert "open" not in loaded


async def test_a_name_and_a_date_of_birth_find_whom_no_number_does(town: Town) -> None:
    """Police seldom have the NHS number; case, accents and the order of names don't matter, and the match says how it came."""
    async with open_pair(town) as pair:
        await pair.publish(listed(name="O'Neil, Zoë", born=BORN))
        await pair.attend(came("A-1", ALEX, name="zoe ONEIL"), came("A-2", name="Zoë O'Neil", born=date(2011, 3, 10)))
        said = await pair.tell("A-1")
        assert [entry["by"] for entry in said["entries"]] == ["name_and_birth"]
        assert (await pair.tell("A-2"))["answer"] == "not on the list"


async def test_nothing_leaves_the_clinic_but_points_and_the_acknowledgement(town: Town) -> None:
    """Whoever attends, matched or not: two types, no identifier, no reference, no name, and the same pseudonym in all."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX), listed(name="Zoë Example", born=BORN))
        await pair.attend(came("REF-77", ALEX), came("REF-78", CASEY, name="Zoë Example"))
        for _ in range(2):
            await pair.pass_slot()
        sent = await headers_sent(pair.clinic)
        assert set(kinds(sent)) == {"risklist.ack/1", "risklist.query/1"}
        queries = await received(pair.police, "risklist.query/1")
        assert len(queries) == len(sent) - 1
        for query in queries:
            assert set(query.message) == {"list_id", "version", "asked_at", "points"}
            text = json.dumps(msgspec.to_builtins(query))
            assert not any(word in text for word in (ALEX, CASEY, "REF-7", "Zoë", "Example", str(BORN)))
        assert {query.author for query in queries} == {queries[0].author}


async def test_neither_count_nor_content_of_attendances_shows(town: Town) -> None:
    """Slots with nobody, one, several and too many give queries that differ in nothing but random values and the time."""
    async with open_pair(town, asking={"slot_seconds": 600, "batch": 4}) as pair:
        await pair.publish(listed(ALEX))
        await pair.pass_slot()
        for group in ([], [came("A-1", ALEX)], [came(f"B-{n}", CASEY, name="Any One") for n in range(7)], [], []):
            if group:
                await attending.attend(pair.asking, group)
            await pair.pass_slot()
        queries = [header for header in await headers_sent(pair.clinic) if header.type == "risklist.query/1"]
        assert len(queries) == 7  # the one of the list's first slot, and one in each since
        assert len({header.sealed.length for header in queries}) == 1
        shapes = {dump(_without_random(header)) for header in queries}
        assert len(shapes) == 1
        asked = [query.message["asked_at"] for query in await received(pair.police, "risklist.query/1")]
        assert asked == [f"2026-07-06T{8 + n // 6:02d}:{n % 6}0:00Z" for n in range(7)]
        points = [
            point for query in await received(pair.police, "risklist.query/1") for point in query.message["points"]
        ]
        assert len(points) == len({*points}) == 28
        # Four points a slot, two for each of the seven: one of them still waits.
        assert (await pair.answers(*(f"B-{n}" for n in range(7)))).count("not answered yet") == 1
        await pair.pass_slot()
        assert await pair.answers("A-1", "B-6") == [KNOWN, "not on the list"]


def _without_random(header: Any) -> Any:
    plain: dict[str, Any] = msgspec.to_builtins(header)
    for name in ("id", "at", "sent", "keep_until", "opening", "sealed"):
        plain.pop(name)
    return plain


async def test_outside_its_hours_a_clinic_asks_only_for_somebody_who_waits(town: Town) -> None:
    """No dummies at night; an evening attendance is asked about all the same, padded as ever."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await pair.pass_slot(12 * HOUR)  # 21:00
        before = kinds(await headers_sent(pair.clinic)).count("risklist.query/1")
        await pair.pass_slot()
        assert kinds(await headers_sent(pair.clinic)).count("risklist.query/1") == before
        await pair.attend(came("A-1", ALEX))
        assert await pair.answers("A-1") == [KNOWN]
        assert kinds(await headers_sent(pair.clinic)).count("risklist.query/1") == before + 1
        assert len((await received(pair.police, "risklist.query/1"))[-1].message["points"]) == 4


async def test_a_clinic_may_choose_to_ask_at_once(town: Town) -> None:
    """Without slots a query goes out as soon as somebody came, and none when nobody did."""
    async with open_pair(town, asking={"slot_seconds": 0}) as pair:
        await pair.publish(listed(ALEX))
        await pair.settle()
        assert "risklist.query/1" not in kinds(await headers_sent(pair.clinic))
        await attending.attend(pair.asking, [came("A-1", ALEX)])
        await pair.settle()
        assert await pair.answers("A-1") == [KNOWN]
        assert kinds(await headers_sent(pair.clinic)).count("risklist.query/1") == 1


async def test_no_type_that_a_clinic_may_send_to_police_unasked_has_room_for_an_attendance() -> None:
    """Of the list's own types, what goes to police holds numbers, times and points; every other type is a person's to write."""
    catalogue = Catalogue.load()
    properties = {kind: set(catalogue.schema(kind)["properties"]) for kind in ("risklist.query/1", "risklist.ack/1")}
    assert properties["risklist.query/1"] == {"list_id", "version", "asked_at", "points"}
    family = {kind for kind in catalogue.types() if kind.startswith("risklist.")}
    assert family == {f"risklist.{verb}/1" for verb in ("publish", "ack", "withdraw", "query", "evaluated")}
    # The words that would tell of somebody, or of a visit, are in none of them.
    for kind in family - {"risklist.publish/1"}:
        assert not {"child", "person", "nhs_number", "attendance", "attended_at", "match", "matched"} & set(
            catalogue.schema(kind)["properties"]
        )


async def test_the_list_lies_readable_nowhere_at_the_clinic_or_the_hub(town: Town) -> None:
    """Not in the clinic's whole home, not in its opened message, not in the hub's database: identifiers never left police."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX, name="Zoë Example", born=BORN), listed(BLAKE))
        await pair.attend(came("A-1", CASEY))
        (message,) = await received(pair.clinic, "risklist.publish/1")
        assert len(message.message["entries"]) == 3
        opened = json.dumps(msgspec.to_builtins(message), ensure_ascii=False)
        for path in [*pair.town.homes[pair.clinic.gateway.config.agency].rglob("*"), *town.tmp.glob("hub.db*")]:
            raw = path.read_bytes() if path.is_file() else b""
            for word in (ALEX, BLAKE, CASEY, "Zoë", "zoe example", BORN.isoformat()):
                assert word.encode() not in raw, (path.name, word)
                assert word not in opened
        assert not list((pair.clinic.gateway.home / "in").glob("*/message.json"))
        police = b"".join(p.read_bytes() for p in pair.police.gateway.home.rglob("*") if p.is_file())
        assert not any(word.encode() in police for word in (ALEX, BLAKE, "Zoë", "zoe example"))


async def test_who_has_all_that_the_clinic_has_cannot_try_a_guess(town: Town) -> None:
    """With the list and the answered query in hand, another child on the list is not found; with police's key it is."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX), listed(BLAKE))
        await pair.attend(came("A-1", ALEX))
        (message,) = await received(pair.clinic, "risklist.publish/1")
        match_keys = [entry["match_key"] for entry in message.message["entries"]]
        evaluated = [p for one in await received(pair.clinic, "risklist.evaluated/1") for p in one.message["points"]]
        assert match_keys
        assert evaluated
        secret, point = matching.blind(f"nhs:{BLAKE}")
        for tried in (point, *evaluated, *match_keys):
            assert matching.find_match(secret, tried, match_keys) is None
        issued = await pair.issuing.spool.one("last_issued")
        assert issued is not None
        key = pair.issuing.unlock(bytes(issued["content"]), f"issued {issued['version']}", issuer.Issued).key
        (answered,) = matching.evaluate(key, [point])
        assert matching.find_match(secret, answered, match_keys) in match_keys


async def test_a_clinic_can_test_no_more_guesses_than_its_quota(town: Town) -> None:
    """Police evaluate that many points under one version, dummies too; then both sides are told and nothing is answered."""
    async with open_pair(town, issuing={"quota": 8}, asking={"batch": 4, "slot_seconds": 600}) as pair:
        await pair.publish(listed(ALEX))
        await pair.pass_slot()
        await pair.attend(came("A-1", ALEX))
        assert await pair.answers("A-1") == ["not answered yet"]
        with pytest.raises(GatewayError) as caught:
            await attending.attend(pair.asking, [came("A-2", CASEY)])
        assert caught.value.code == "list-spent"
        assert await codes(pair.police) == ["atrisk-quota"]
        assert await codes(pair.clinic) == ["atrisk-spent"]
        sent = len(await headers_sent(pair.clinic))
        await pair.pass_slot()
        assert len(await headers_sent(pair.clinic)) == sent
        # The next version has a quota of its own, and whoever waited is asked about again.
        await pair.publish(listed(ALEX))
        await pair.pass_slot()
        assert await pair.answers("A-1", "A-2") == [KNOWN, "unanswerable"]


async def test_a_stale_list_refuses_every_check_and_both_sides_know(town: Town) -> None:
    """From its expiry on nothing is asked, matched or kept; the clinic is told once, police by the hub's overdue duty."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await pair.pass_slot(35 * DAY - MINUTE)
        await pair.attend(came("A-1", ALEX))
        assert await pair.answers("A-1") == ["not answered yet"]
        before = len(await headers_sent(pair.clinic))
        for _ in range(2):
            with pytest.raises(GatewayError) as caught:
                await attending.attend(pair.asking, [came("A-2", ALEX)])
            assert caught.value.code == "list-stale"
            await pair.pass_slot()
        assert len(await headers_sent(pair.clinic)) == before
        assert (await codes(pair.clinic)).count("atrisk-stale") == 1
        rows = await pair.asking.spool.all("unacked_lists")
        assert rows == []
        newest = await pair.asking.spool.one("newest_list")
        assert newest is not None
        assert newest["content"] is None
        await pair.pass_slot(9 * HOUR)  # past the close of office hours, which is when the next list was due
        for agent in (pair.police, pair.clinic):
            rows = await agent.gateway.spool.all("list_notices")
            overdue = [json.loads(bytes(row["details"]))["type"] for row in rows if row["code"] == "overdue"]
            assert "risklist.publish" in overdue
        await pair.publish(listed(ALEX))
        await pair.attend(came("A-2", ALEX))
        assert await pair.answers("A-1", "A-2") == [KNOWN, KNOWN]
        assert (await pair.tell("A-1"))["late"] is True


async def test_a_clinic_holds_to_its_own_longest_life_of_a_list(town: Town) -> None:
    """Whatever end the sender writes, the clinic's limit counts."""
    async with open_pair(town, issuing={"max_days": 300}, asking={"max_days": 35}) as pair:
        await pair.publish(listed(ALEX))
        await pair.pass_slot(36 * DAY)
        with pytest.raises(GatewayError) as caught:
            await attending.attend(pair.asking, [came("A-1", ALEX)])
        assert caught.value.code == "list-stale"


async def test_without_a_list_nothing_is_answered(town: Town) -> None:
    """Refused and counted, so that the coverage shows it."""
    async with open_pair(town) as pair:
        with pytest.raises(GatewayError) as caught:
            await attending.attend(pair.asking, [came("A-1", ALEX)])
        assert caught.value.code == "list-missing"
        assert await pair.answers("A-1") == ["unanswerable"]
        (month,) = await attending.count(pair.asking)
        assert (month["attendances"], month["unanswerable"], month["coverage"]) == (1, 1, 0.0)


async def test_an_answer_that_comes_late_counts_as_late(town: Town) -> None:
    """Police away for an hour: the attendance waits encrypted, the clinic is told that it waits, the match is a notice."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await attending.attend(pair.asking, [came("A-1", ALEX), came("A-2", CASEY)])
        for _ in range(6):
            await town.tick(SLOT)
            assert await pair.clinic.run_once() == 0
        assert await pair.answers("A-1", "A-2") == ["not answered yet", "not answered yet"]
        await pair.settle()
        assert await pair.answers("A-1", "A-2") == [KNOWN, "not on the list"]
        assert (await pair.tell("A-1"))["late"] is True
        assert await codes(pair.clinic) == ["atrisk-unanswered", "atrisk-match"]
        (month,) = await attending.count(pair.asking)
        assert month == {
            "month": "2026-07", "attendances": 2, "checked": 2, "late": 2, "waiting": 0, "unanswerable": 0,
            "coverage": 1.0, "in_time": 0.0,
        }  # fmt: skip


async def test_a_match_is_told_by_a_reference_that_says_nothing(town: Town) -> None:
    """The notice has the opaque reference and no other word; the reference reads the match."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await pair.attend(came("A-1", ALEX))
        (notice,) = [one for one in read_notices(pair.clinic.gateway.home) if one["notice"] == "atrisk-match"]
        match = notice["match"]
        assert set(notice) == {"id", "notice", "at", "source", "mailbox", "match"}
        said = await attending.read_match(pair.asking, match)
        assert (said["attendance"], said["answer"]) == ("A-1", KNOWN)
        with pytest.raises(GatewayError) as caught:
            await attending.read_match(pair.asking, "AZ2LU4XAczC5XMClOtEgdw")
        assert caught.value.code == "match-unknown"


async def test_nothing_flows_back_unless_a_clinician_decides(town: Town) -> None:
    """A match alone sends nothing.  Contact sends what the clinician wrote, in a thread of its own, to the contact."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await pair.attend(came("A-1", ALEX))
        match = (await pair.tell("A-1"))["match"]
        await pair.pass_slot()
        assert set(kinds(await headers_sent(pair.clinic))) == {"risklist.ack/1", "risklist.query/1"}
        report = samples.message("info.report/1")
        clinician = DraftAuthor(name="Jo Sample", role="sexual_health_nurse")
        draft = await attending.draft_contact(pair.asking, match, "info.report/1", report, clinician, ("CA2004_S16LA",))
        await outgoing.take(pair.clinic.gateway, "at-risk", Outgoing(key="c", draft=draft, done=_ignore))
        await pair.settle()
        (sent,) = [header for header in await headers_sent(pair.clinic) if header.type == "info.report/1"]
        (came_in,) = await received(pair.police, "info.report/1")
        assert dict(came_in.message) == report
        queries = [header for header in await headers_sent(pair.clinic) if header.type == "risklist.query/1"]
        assert sent.to == (EXPLOITATION,)
        assert sent.re is None
        assert sent.thread not in {header.thread for header in queries}
        assert "atrisk" not in json.dumps(msgspec.to_builtins(came_in))
        assert match not in json.dumps(msgspec.to_builtins(came_in))


async def _ignore(result: object) -> None:
    del result


async def test_who_is_taken_off_the_list_is_not_matched_and_earlier_matches_fall(town: Town) -> None:
    """Also when versions lie between: a match keeps its key, and every later list says which keys are gone."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX), listed(BLAKE))
        await pair.attend(came("A-1", ALEX), came("A-2", BLAKE))
        await pair.publish(listed(ALEX), listed(BLAKE))
        assert "atrisk-withdrawn" not in await codes(pair.clinic)
        await pair.publish(listed(BLAKE))
        await pair.attend(came("A-3", ALEX))
        assert await pair.answers("A-1", "A-2", "A-3") == [
            "no longer on the list since version 3", KNOWN, "not on the list",
        ]  # fmt: skip
        assert (await codes(pair.clinic)).count("atrisk-withdrawn") == 1


async def test_a_withdrawn_list_is_destroyed_and_answers_nothing(town: Town) -> None:
    """Its key is gone at police, its entries at the clinic; matches that it made fall; the next version works again."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await pair.attend(came("A-1", ALEX))
        draft = await issuer.withdraw(pair.issuing, "error", OFFICER)
        await outgoing.take(pair.police.gateway, "at-risk", Outgoing(key="w", draft=draft, done=_ignore))
        await pair.settle()
        assert await pair.answers("A-1") == ["no longer on the list since version 1"]
        with pytest.raises(GatewayError) as caught:
            await attending.attend(pair.asking, [came("A-2", ALEX)])
        assert caught.value.code == "list-missing"
        issued, loaded = await pair.issuing.spool.one("last_issued"), await pair.asking.spool.one("newest_list")
        assert issued is not None
        assert loaded is not None
        assert (issued["content"], loaded["content"]) == (None, None)
        assert await pair.publish(listed(ALEX)) == 2
        await pair.attend(came("A-2", ALEX))
        assert await pair.answers("A-2") == [KNOWN]


async def test_only_under_18s_are_checked(town: Town) -> None:
    """On the eighteenth birthday it ends, by the local day; a batch with an adult is refused whole."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        with pytest.raises(GatewayError) as caught:
            await attending.attend(pair.asking, [came("A-1", ALEX), came("A-2", CASEY, born=date(2008, 7, 6))])
        assert caught.value.code == "attendance-age"
        assert await attending.count(pair.asking) == []
        await attending.attend(pair.asking, [came("A-2", CASEY, born=date(2008, 7, 7))])
        assert (await attending.count(pair.asking))[0]["attendances"] == 1


async def test_coverage_counts_each_attendance_of_a_month_once(town: Town) -> None:
    """Repeats, no identifier, still waiting: attendances, checked, late, waiting and unanswerable add up."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await pair.attend(came("A-1", ALEX), came("A-2", CASEY))
        await attending.attend(pair.asking, [came("A-1", ALEX), came("A-3"), came("A-4", BLAKE)])
        (july,) = await attending.count(pair.asking)
        assert july == {
            "month": "2026-07", "attendances": 4, "checked": 2, "late": 0, "waiting": 1, "unanswerable": 1,
            "coverage": 0.5, "in_time": 0.5,
        }  # fmt: skip
        await pair.pass_slot(26 * DAY)
        await attending.attend(pair.asking, [came("A-5", ALEX)])
        months: Mapping[str, Any] = {one["month"]: one for one in await attending.count(pair.asking)}
        assert {month: one["attendances"] for month, one in months.items()} == {"2026-07": 4, "2026-08": 1}
        assert (months["2026-07"]["checked"], months["2026-07"]["late"]) == (3, 1)


async def test_identifiers_are_forgotten_with_the_answer_and_matches_after_their_days(town: Town) -> None:
    """Only counts stay: who wasn't listed leaves nothing, who was is forgotten with other content."""
    async with open_pair(town, keep_days=5) as pair:
        await pair.publish(listed(ALEX))
        await pair.attend(came("A-1", ALEX), came("A-2", CASEY))
        match = (await pair.tell("A-1"))["match"]
        row = await pair.asking.spool.one("find_attendance", ref=pair.asking.name_attendance("A-2"))
        assert row is not None
        assert row["content"] is None
        await pair.pass_slot(6 * DAY)
        with pytest.raises(GatewayError):
            await attending.read_match(pair.asking, match)
        assert await pair.answers("A-1") == ["known risk"]
        assert (await attending.count(pair.asking))[0]["checked"] == 2


async def test_what_stands_for_an_attendance_stands_for_nothing_else(town: Town) -> None:
    """A person called like an attendance, an item or a record has another pseudonym under the same key."""
    async with open_pair(town) as pair:
        room = pair.asking
        assert room.name_attendance("A-1") == room.name_attendance("A-1")
        others = {keyed_digest(room.record_key, text) for text in ("A-1", "item A-1", "excluded A-1")}
        assert room.name_attendance("A-1") not in others


async def test_what_waits_too_long_is_given_up_and_says_so(town: Town) -> None:
    """With police gone for good the identifiers don't stay for ever."""
    async with open_pair(town, keep_days=5) as pair:
        await pair.publish(listed(ALEX))
        await attending.attend(pair.asking, [came("A-1", ALEX)])
        await town.tick(6 * DAY)
        assert await pair.clinic.run_once() == 0
        assert await pair.answers("A-1") == ["unanswerable"]


async def test_a_killed_gateway_repeats_a_step_and_doubles_nothing(town: Town) -> None:
    """Between any two passes on either side: one query a slot, one answer a query, one acknowledgement, one match."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await attending.attend(pair.asking, [came("A-1", ALEX)])
    await town.tick(SLOT)
    for _ in range(3):
        # Collected, and killed before `done` was heard: the same drafts are yielded again.
        async with open_pair(town) as pair:
            await pair.asking.spool.run("set_query_sent", id="none", envelope=None)
            async for drafted in pair.clinic.gateway.adapters["at-risk"].collect():
                await outgoing.take(pair.clinic.gateway, "at-risk", unheard(drafted))
            await pair.settle(1)
    async with open_pair(town) as pair:
        await pair.settle()
        assert await pair.answers("A-1") == [KNOWN]
        queries = await received(pair.police, "risklist.query/1")
        assert len({query.message["asked_at"] for query in queries}) == len(queries) == 2
        assert len(await received(pair.clinic, "risklist.evaluated/1")) == 2
        assert len(await received(pair.police, "risklist.ack/1")) == 1
        assert (await codes(pair.clinic)).count("atrisk-match") == 1


def unheard(drafted: Outgoing) -> Outgoing:
    """Return *drafted* whose ``done`` is never heard, as if the gateway had been killed before it."""
    return Outgoing(key=drafted.key, draft=drafted.draft, documents=drafted.documents, done=_ignore)


async def test_a_query_or_a_list_that_comes_twice_changes_nothing(town: Town) -> None:
    """Filing is asked again whenever its answer may have been lost."""
    async with open_pair(town, issuing={"quota": 8}) as pair:
        await pair.publish(listed(ALEX))
        await pair.attend(came("A-1", ALEX))
        for agent, kind in (
            (pair.police, "risklist.query/1"),
            (pair.clinic, "risklist.publish/1"),
            (pair.clinic, "risklist.evaluated/1"),
        ):
            for message in await received(agent, kind):
                for _ in range(2):
                    outcome = await agent.gateway.adapters["at-risk"].file(message)
                    assert outcome.record == message.envelope  # type: ignore[union-attr]
        await pair.settle()
        assert await codes(pair.police) == []
        assert await codes(pair.clinic) == ["atrisk-match"]
        assert len(await received(pair.clinic, "risklist.evaluated/1")) == 2


async def test_police_answer_only_their_own_clinics_about_their_own_list(town: Town) -> None:
    """Another sender or another list waits for a person, and no point is evaluated."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        (query, *_) = await received(pair.police, "risklist.query/1")
        desk = pair.police.gateway.adapters["at-risk"]
        for wrong in (
            replace(query, envelope="AZ2LU4XAczC5XMClOtEgdw", sender="northmere-health/safeguarding"),
            replace(query, envelope="AZ2LU4XAczC5XMClOtEgdw", message={**query.message, "version": 9}),
        ):
            outcome = await desk.file(wrong)
            assert outcome.code == "list-unknown"  # type: ignore[union-attr]
        broken = replace(
            query, envelope="AZ2LU4XAczC5XMClOtEgdw", message={**query.message, "points": ["Ag" + "_" * 42]}
        )
        outcome = await desk.file(broken)
        assert outcome.code == "matching-point"  # type: ignore[union-attr]
        assert [one["points"] for one in await pair.issuing.spool.all("list_evaluated")] == [4]


async def test_a_second_list_and_other_contents_of_a_version_wait_for_a_person(town: Town) -> None:
    """The list in use goes on answering; an older version never replaces a newer one."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await pair.publish(listed(ALEX))
        (_, message) = await received(pair.clinic, "risklist.publish/1")
        desk = pair.clinic.gateway.adapters["at-risk"]
        elsewhere = {**message.message, "list_id": "AZ2LU4XAczC5XMClOtEgdw", "version": 3}
        for wrong, code in (
            (replace(message, envelope="x", message=elsewhere), "list-unexpected"),
            (replace(message, envelope="x"), "list-unexpected"),
            (
                replace(message, envelope="x", sender=CLINIC, message={**message.message, "version": 3}),
                "list-unexpected",
            ),
        ):
            outcome = await desk.file(wrong)
            assert outcome.code == code  # type: ignore[union-attr]
        await pair.attend(came("A-1", ALEX))
        assert await pair.answers("A-1") == [KNOWN]
        assert await states(pair.clinic, "risklist.publish/1") == [("filed", None), ("filed", None)]


async def test_an_answer_that_does_not_fit_its_query_is_not_used(town: Town) -> None:
    """Too few points or no points of the curve: a person sees it, and whoever waited is asked about again."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await pair.settle()
        (answer,) = await received(pair.clinic, "risklist.evaluated/1")
        desk = pair.clinic.gateway.adapters["at-risk"]
        await attending.attend(pair.asking, [came("A-1", ALEX)])
        for wrong in ([], ["Ag" + "_" * 42] * 4):
            await town.tick(SLOT)
            assert await pair.clinic.run_once() == 0
            asked = (await headers_sent(pair.clinic))[-1]
            outcome = await desk.file(replace(answer, re=asked.id, message={**answer.message, "points": wrong}))
            assert outcome.code == "answer-points"  # type: ignore[union-attr]
            assert await pair.answers("A-1") == ["not answered yet"]
        await pair.pass_slot()
        assert await pair.answers("A-1") == [KNOWN]


async def test_a_version_refused_or_replaced_leaves_the_last_one_in_force(town: Town) -> None:
    """The same lines given again before they were sent are that version; other lines wait for it."""
    async with open_pair(town) as pair:
        assert await issuer.draft_version(pair.issuing, [listed(ALEX)], OFFICER) == 1
        assert await issuer.draft_version(pair.issuing, [listed(ALEX)], OFFICER) == 1
        with pytest.raises(GatewayError) as caught:
            await issuer.draft_version(pair.issuing, [listed(BLAKE)], OFFICER)
        assert caught.value.code == "list-waiting"
        await pair.settle()
        assert await issuer.draft_version(pair.issuing, [listed(BLAKE)], OFFICER) == 2
        await pair.settle()
        headers = [header for header in await headers_sent(pair.police) if header.type == "risklist.publish/1"]
        assert {header.supersedes for header in headers} == {None, next(h.id for h in headers if h.supersedes is None)}
        assert len({header.thread for header in headers}) == 1


async def test_a_query_under_a_replaced_version_is_asked_again_under_the_next(town: Town) -> None:
    """Caught between two versions, an attendance is late at worst, never lost."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await attending.attend(pair.asking, [came("A-1", ALEX)])
        await town.tick(SLOT)
        assert await pair.clinic.run_once() == 0
        await issuer.draft_version(pair.issuing, [listed(ALEX)], OFFICER)
        await pair.settle()
        await pair.pass_slot()
        assert await pair.answers("A-1") == [KNOWN]
        outcomes = [one.message["outcome"] for one in await received(pair.clinic, "risklist.evaluated/1")]
        assert "list_replaced" in outcomes


async def test_a_draft_that_is_refused_is_told_and_loses_nothing(town: Town) -> None:
    """A basis on no list: police's version is dropped and can be made again; who waits at the clinic goes on waiting."""
    async with open_pair(town, issuing={"basis": ("NO_SUCH_BASIS",)}) as pair:
        await pair.publish(listed(ALEX))
        assert await codes(pair.police) == ["atrisk-refused"]
        assert await pair.issuing.spool.all("list_issued") == []
    async with open_pair(town, asking={"basis": ("NO_SUCH_BASIS",)}) as pair:
        assert await pair.publish(listed(ALEX)) == 1
        await pair.attend(came("A-1", ALEX))
        assert await codes(pair.clinic) == ["atrisk-refused"]
        assert await headers_sent(pair.clinic) == []
    async with open_pair(town) as pair:
        await pair.pass_slot()
        assert await pair.answers("A-1") == [KNOWN]


async def test_a_query_that_comes_after_the_expiry_is_not_evaluated(town: Town) -> None:
    """Asked in time and answered too late: police refuse, and the clinic uses nothing."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await town.tick(35 * DAY - 2 * SLOT)
        await attending.attend(pair.asking, [came("A-1", ALEX)])
        await town.tick(SLOT)
        assert await pair.clinic.run_once() == 0
        await town.tick(SLOT)
        await pair.settle()
        assert (await received(pair.clinic, "risklist.evaluated/1"))[-1].message["outcome"] == "list_expired"
        assert await pair.answers("A-1") == ["not answered yet"]


async def test_an_answer_that_comes_after_the_expiry_is_not_used(town: Town) -> None:
    """Evaluated in time and read too late: a stale list answers nothing."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await town.tick(35 * DAY - 2 * SLOT)
        await attending.attend(pair.asking, [came("A-1", ALEX)])
        await town.tick(SLOT)
        for agent in (pair.clinic, pair.police, pair.police):
            assert await agent.run_once() == 0
        await town.tick(SLOT)
        await pair.settle()
        assert (await received(pair.clinic, "risklist.evaluated/1"))[-1].message["outcome"] == "evaluated"
        assert await pair.answers("A-1") == ["not answered yet"]


async def test_what_nobody_asked_for_changes_nothing(town: Town) -> None:
    """An answer from elsewhere, a withdrawal of another list or of an old version, an older list."""
    async with open_pair(town) as pair:
        await pair.publish(listed(ALEX))
        await pair.publish(listed(ALEX))
        desk = pair.clinic.gateway.adapters["at-risk"]
        first, _ = sorted(await received(pair.clinic, "risklist.publish/1"), key=lambda one: one.message["version"])
        gone = {
            "list_id": first.message["list_id"],
            "version": 1,
            "withdrawn_at": "2026-07-06T08:00:00Z",
            "reason": "error",
        }
        withdrawal = replace(first, type="risklist.withdraw/1", message=gone)
        assert (await desk.file(withdrawal)).record == first.envelope  # type: ignore[union-attr]
        other = replace(withdrawal, sender=CLINIC)
        assert (await desk.file(other)).code == "list-unknown"  # type: ignore[union-attr]
        older = replace(first, envelope="x", message={**first.message, "version": 1})
        assert (await desk.file(older)).code == "list-unexpected"  # type: ignore[union-attr]
        await pair.pass_slot()
        answer = (await received(pair.clinic, "risklist.evaluated/1"))[-1]
        assert (await desk.file(replace(answer, re=None))).record == answer.envelope  # type: ignore[union-attr]
        await town.tick(SLOT)
        assert await pair.clinic.run_once() == 0
        asked = (await headers_sent(pair.clinic))[-1]
        assert (await desk.file(replace(answer, re=asked.id, sender=CLINIC))).code == "answer-unexpected"  # type: ignore[union-attr]
        await pair.attend(came("A-1", ALEX))
        assert await pair.answers("A-1") == [KNOWN]
        with pytest.raises(GatewayError) as caught:
            await pair.tell("A-9")
        assert caught.value.code == "attendance-unknown"
