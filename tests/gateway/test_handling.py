"""What may be sent on: codes from the lists, others' marks and handling codes obeyed, no source named; never urgent ones blocked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.base import Draft, Incoming, parse_draft
from adapters.conformance import sample_incoming
from adapters.errors import GatewayError
from adapters.gateway import handling, outgoing
from adapters.gateway.agent import Agent
from adapters.gateway.exports.shapes import labels
from adapters.gateway.handling_policy import HandlingPolicy, load_policy
from adapters.gateway.sanitising import shows
from schemas.catalogue import Catalogue
from schemas.directory import DirectoryIndex, parse_directory
from schemas.strict_json import MalformedError, dump
from tests.county import COUNCIL, EXPLOITATION, HEALTH, MASH, NURSES, OFFICERS, POLICE, SOURCES, County
from tests.gateway.support import Town, draft, drop, minutes_full, read_notices, settle
from tests.schemas import samples

CATALOGUE = Catalogue.load()
INDEX = DirectoryIndex(parse_directory(County().directory()))
P, C = {"handling_code": "P"}, {"handling_code": "C", "handling_conditions": ["A1"]}


def digest(sender: str = EXPLOITATION, *, to: tuple[str, ...] = (NURSES,), **item: Any) -> Draft:
    """Return the draft of a digest with one item."""
    message = samples.message("intel.digest/1")
    message["items"][0] |= item
    return parse_draft(dump(draft("intel.digest/1", sender, message=message, to=[*to])))


def item_of(sender: str = NURSES, *, marks: tuple[str, ...] = (), **part: Any) -> Incoming:
    """Return an item as it came to the police, with the police part *part*."""
    message = samples.message("intel.item/1")
    message["police_part"] = {"grade_scheme": "3x5x2", "grade": "2C", "handling_code": "P"} | part
    return sample_incoming(
        type="intel.item/1",
        message=message,
        marks=marks,
        sender=sender,
        recipients=(EXPLOITATION,),
        mailbox=EXPLOITATION,
    )


def problems(sent: Draft, *sources: Incoming, policy: HandlingPolicy | None = None) -> list[str]:
    """Return what is wrong with handing *sent* on, whose sections draw on *sources*, in words."""
    policy = policy or load_policy()
    onward = handling._Onward(draft=sent, to=sent.to, parties=(), index=INDEX, policy=policy)
    found = []
    for carrier in policy.carriers[sent.type]:
        for _, element in carrier.elements(sent.message):
            refs = set(carrier.refs_in(element))
            drawn = [one for one in sources if refs & set(_refs(one, policy))]
            found += onward.check_element("Items, entry 1", carrier, element, drawn)
    return [problem.message for problem in found]


def _refs(source: Incoming, policy: HandlingPolicy) -> list[str]:
    return [
        ref
        for carrier in policy.carriers[source.type]
        for _, element in carrier.elements(source.message)
        for ref in carrier.refs_in(element)
    ]


# ---- grading and handling codes


@pytest.mark.parametrize(
    ("item", "source", "says"),
    [
        (P, None, None),
        (C, None, None),
        (P, {}, None),
        (P, {"handling_code": "C", "handling_conditions": ["A1"]}, "another handling code"),
        ({**C, "handling_conditions": ["A2"]}, {**C, "handling_conditions": ["A1", "A2"]}, "conditions that are not"),
        ({**C, "handling_conditions": ["A1", "A2"]}, C, None),
        (P, {"grade_scheme": "5x5x5", "grade": "B3", "handling_code": "1"}, "never converted"),
        ({"grade_scheme": "5x5x5", "grade": "B3", "handling_code": "1"}, None, None),
        ({"grade_scheme": "5x5x5", "grade": "B3", "handling_code": "4"}, None, "originating agency only"),
        ({"grade_scheme": "5x5x5", "grade": "B3", "handling_code": "5", "handling_conditions": ["A1"]}, None, None),
    ],
)  # fmt: skip
def test_a_handling_code_goes_on_as_it_came(
    item: dict[str, Any], source: dict[str, Any] | None, says: str | None
) -> None:
    """Neither loosened, nor converted, nor without its conditions; the police may hand on what is theirs."""
    sent = digest(**{"handling_conditions": [], **item})
    said = problems(sent, *([] if source is None else [item_of(**source)]))
    assert [says in one for one in said] == ([] if says is None else [True])


@pytest.mark.parametrize("code", ["4", "5"])
def test_what_its_originator_keeps_goes_back_to_it_only(code: str) -> None:
    """Another agency's code 4 or 5: to that agency, and to nobody else."""
    part = {"grade_scheme": "5x5x5", "grade": "B3", "handling_code": code, "handling_conditions": ["A1"]}
    source = item_of(NURSES, **part)
    assert len(problems(digest(to=(OFFICERS,), **part), source)) == 1
    assert problems(digest(to=(NURSES,), **part), source) == []


def test_only_police_set_grades() -> None:
    """From anybody else a grading is refused, unless it is the one that it came with."""
    assert "only police set" in problems(digest(MASH))[0]
    assert problems(digest(MASH, to=(OFFICERS,), grade="2C", **C), item_of(EXPLOITATION, **C)) == []
    changed = digest(MASH, to=(OFFICERS,), grade="1A", **C)
    assert "only police set" in problems(changed, item_of(EXPLOITATION, **C))[0]
    report = parse_draft(dump(draft("intel.item/1", NURSES, to=[EXPLOITATION])))
    assert "only police set" in problems(report)[0]


def test_a_condition_may_name_who_may_have_it() -> None:
    """Where the table gives roles for a sub-code, each recipient needs one; it gives none for one that it doesn't name."""
    policy = msgspec.structs.replace(load_policy(), conditions={"A1": ("police", "probation")})
    assert problems(digest(to=(OFFICERS,), **C), policy=policy) == []
    assert "recipient is outside of" in problems(digest(to=(NURSES, OFFICERS), **C), policy=policy)[0]


# ---- marks


def chronology(to: str, *marks: str, origin: str = HEALTH, **changes: Any) -> Draft:
    """Return the draft of a chronology with one row of *origin*."""
    message = samples.message("chronology.response/1")
    message["rows"][0] |= {"source_org": origin, "handling_marks": [*marks]}
    return parse_draft(dump(draft("chronology.response/1", MASH, message=message, to=[to], **changes)))


@pytest.mark.parametrize("mark", ["no_onward_copy", "named_roles_only"])
def test_anothers_section_that_is_marked_stays(mark: str) -> None:
    """A row of another agency goes back to it, and to nobody else; one's own, or one that isn't marked, does."""
    assert "another agency's" in problems(chronology(OFFICERS, mark))[0]
    assert problems(chronology(NURSES, mark)) == []
    assert problems(chronology(OFFICERS, mark, origin=COUNCIL)) == []
    assert problems(chronology(OFFICERS, "not_for_family")) == []


@pytest.mark.parametrize("mark", ["no_onward_copy", "named_roles_only"])
def test_what_an_item_came_in_binds_it(mark: str) -> None:
    """An item of a message marked so goes only to who had that message."""
    assert "may not go on to others" in problems(digest(to=(OFFICERS,), **P), item_of(marks=(mark,)))[0]
    assert problems(digest(to=(NURSES,), handling_conditions=[], **P), item_of(marks=(mark,))) == []


def test_minutes_may_tell_those_present_what_was_said() -> None:
    """A block that one agency gave goes to the record's own distribution; to anybody else it doesn't."""
    message = minutes_full([NURSES, MASH])
    message["information_blocks"][0]["handling_marks"] = ["no_onward_copy"]
    sent = parse_draft(dump(draft("minutes.full/1", MASH, message=message, to=[OFFICERS])))
    policy = load_policy()
    carrier = policy.carriers["minutes.full/1"][2]
    for parties, count in (((OFFICERS,), 0), ((), 1)):
        onward = handling._Onward(draft=sent, to=(OFFICERS,), parties=parties, index=INDEX, policy=policy)
        assert len(onward.check_element("Information", carrier, message["information_blocks"][0], [])) == count


# ---- codes


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"basis": []}, "draft-basis"),
        ({"basis": ["CA1989_S47", "children act"]}, "draft-basis"),
        ({"purpose": "curiosity"}, "draft-purpose"),
        ({"consent": "probably"}, "draft-consent"),
        ({"marks": ["secret"]}, "draft-marks"),
    ],
)
def test_a_code_that_is_on_no_list_has_a_safe_default(change: dict[str, Any], code: str) -> None:
    """The field is named, what was given isn't repeated, and what is put in its place is on the list."""
    sent = parse_draft(dump(draft("minutes.full/1", MASH, **change)))
    fixed, found = handling.check_codes(sent, load_policy())
    assert [problem.code for problem in found] == [code]
    assert not any(value in found[0].message for value in ("children act", "curiosity", "probably", "secret"))
    assert handling.check_codes(fixed, load_policy()) == (fixed, [])
    if code == "draft-basis":
        assert fixed.basis == (("CA1989_S47",) if change["basis"] else load_policy().safe.basis)


def test_every_code_of_the_lists_passes() -> None:
    """All of domain 6.9, 9.2 and 9.4; also refused consent."""
    for consent in labels("Consent"):
        for purpose in labels("PurposeCode"):
            sent = parse_draft(
                dump(
                    draft(
                        "minutes.full/1", MASH, consent=consent, purpose=purpose, basis=[*labels("BasisCode")],
                        marks=[*labels("HandlingMark")],
                    )
                )
            )  # fmt: skip
            assert handling.check_codes(sent, load_policy()) == (sent, [])


def test_the_table_is_about_what_exists() -> None:
    """Types, fields and lists that are misspelt in the table would guard nothing."""
    policy = load_policy()
    kinds = set(CATALOGUE.types())
    assert set(policy.carriers) | set(policy.sanitised) | set(policy.sources) <= kinds
    assert set(policy.safe.basis) <= set(labels("BasisCode"))
    assert policy.safe.purpose in labels("PurposeCode")
    assert {policy.safe.consent, *policy.consents_to_remind} <= set(labels("Consent"))
    assert {*policy.safe.marks, *policy.onward_marks} <= set(labels("HandlingMark"))
    for families in policy.ceilings.values():
        assert {f"{family}/1" for family in families} <= kinds
        for ceiling in families.values():
            assert set(ceiling.variants) <= set(labels("Variant"))
            assert set(ceiling.marks) <= set(labels("HandlingMark"))
    assert set(policy.codes) == set(labels("GradingScheme"))
    for kind, carriers in policy.carriers.items():
        sample = set(CATALOGUE.schema(kind)["properties"])
        for carrier in carriers:
            names = {*carrier.refs, carrier.grading, carrier.origin, carrier.marks} - {"", "."}
            assert carrier.each.removeprefix("/") in sample | {""}, kind
            assert carrier.each or names <= sample, kind


# ---- sources


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Told by Pat Q. Doe on Friday.", True),
        ("PAT DOE was there", True),
        ("Doe, Pat", True),
        ("call 01632 960-123", True),
        ("mail pat.doe@example.org", True),
        ("see log INT/77-9", True),
        ("Pat was there", False),
        ("A doe in the park; call 01632 960 999", False),
    ],
)
def test_a_source_is_recognised(text: str, named: bool) -> None:
    """However name and number are written; a first name alone is anybody's."""
    from adapters.gateway.exports.shapes import fold
    from adapters.gateway.sanitising import _spellings

    needles = {*_spellings("Pat Q. Doe"), *map(fold, ("01632 960123", "pat.doe@example.org", "INT/77-9"))}
    assert shows(text, needles) is named


def test_a_short_name_is_recognised_and_a_short_number_is_not() -> None:
    """One word of four letters is a name; `12` stands in too many texts."""
    from adapters.gateway.sanitising import _spellings

    assert shows("Zeno said so", {*_spellings("Zeno")})
    assert not shows("12 cars", {"12"})


# ---- at a gateway


async def hold(agent: Agent, message: Incoming) -> None:
    """Put *message* into the inbox of *agent*, as if it had come."""
    gateway = agent.gateway
    content = gateway.spool.lock(msgspec.msgpack.encode(message), message.envelope)

    async def work(tx: Any) -> None:
        await tx.run(
            "add_incoming", envelope=message.envelope, mailbox=message.mailbox, seq=1, thread=message.thread,
            type=message.type, sender=message.sender, at=1, accepted_at=1, state="filed", code=None, header=None,
            content=content, manifest_sha256=None, sealed_sha256="",
        )  # fmt: skip
        await handling.note_items(tx, gateway, message.type, message.envelope, message.message)

    await gateway.spool.write(work)


async def check(agent: Agent, sent: Draft) -> list[str]:
    """Return code and words of what may not go on."""
    clear = agent.gateway.catalogue.clear(sent.type, sent.message)
    return [f"{one.code}: {one.message}" for one in await handling.check_onward(agent.gateway, sent, clear)]


async def test_a_digest_names_nobody_who_is_known_here(town: Town) -> None:
    """Submitters held in identity envelopes, and log numbers of items; the section is named in people's words."""
    identity = sample_incoming(
        type="info.report.identity/1", message=samples.message("info.report.identity/1"), mailbox=SOURCES, marks=()
    )
    name = identity.message["submitter"]["name"]
    async with town.agent(POLICE) as police:
        await settle(police)
        sent = digest(**{**P, "handling_conditions": [], "sanitised_text": f"It was {name} who saw the car."})
        assert await check(police, sent) == []
        await hold(police, identity)
        (said,) = await check(police, sent)
        assert said == "source-named: Items, entry 1, Text shows a source that is known here"
        assert name not in said
        with pytest.raises(GatewayError) as caught:
            await handling.admit(police.gateway, sent)
        assert caught.value.code == "source-named"
        assert (
            await check(police, digest(**{**P, "handling_conditions": [], "sanitised_text": "A car was seen."})) == []
        )


async def test_references_find_their_sources(town: Town) -> None:
    """By what an item is called, and by `re`; once the content is gone nothing is known of it."""
    source = item_of(marks=("no_onward_copy",))
    async with town.agent(POLICE) as police:
        await settle(police)
        plain = {**P, "handling_conditions": []}
        sent = digest(to=(OFFICERS,), **plain)
        assert await check(police, sent) == []
        await hold(police, source)
        (said,) = await check(police, sent)
        assert said.startswith("handling-forbids: Items, entry 1 may not go on: it comes from a message that")
        answer = msgspec.structs.replace(
            parse_draft(dump(draft("action.accept/1", EXPLOITATION, to=[OFFICERS]))), re=source.envelope
        )
        (said,) = await check(police, answer)
        assert said.startswith("handling-forbids: The message that it answers")
        assert await check(police, msgspec.structs.replace(answer, to=(NURSES,))) == []
        await police.gateway.spool.run("drop_content", envelope=source.envelope, mailbox=source.mailbox)
        assert await check(police, sent) == []
        assert await police.gateway.spool.all("envelopes_with", ref=source.message["item_id"]) == []


async def test_an_urgent_message_is_never_blocked(town: Town) -> None:
    """Without a basis, with codes on no list, naming a source's own marks: it goes, with safe defaults, and is told of."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        message = minutes_full([MASH, NURSES], urgent=True)
        wanted = draft("minutes.full/1", MASH, message=message, purpose="curiosity", consent="perhaps", marks=["x"])
        del wanted["basis"]
        drop(town.homes[COUNCIL], "urgent", wanted)
        await settle(council, health)
        sent = json.loads((town.homes[COUNCIL] / "sent" / "urgent" / "envelope.json").read_bytes())
        note = json.loads((town.homes[HEALTH] / "in" / sent["id"] / "envelope.json").read_bytes())
        assert note["basis"] == ["CA2004_S16LA"]
        assert (note["purpose"], note["consent"]) == ("child_protection", "not_needed_lawful_basis")
        assert note["marks"] == ["not_for_family"]
        told = [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "handling-warning"]
        assert {one["reason"] for one in told} == {"draft-basis", "draft-purpose", "draft-consent", "draft-marks"}
        assert {one["envelope"] for one in told} == {sent["id"]}
        # Corrected afterwards: the same again with its basis, in its place.
        again = {"thread": sent["thread"], "supersedes": sent["id"], "basis": ["CA1989_S47"]}
        message = minutes_full([MASH, NURSES], version=2)
        drop(town.homes[COUNCIL], "corrected", draft("minutes.full/1", MASH, message=message, **again))
        await settle(council, health)
        corrected = json.loads((town.homes[COUNCIL] / "sent" / "corrected" / "envelope.json").read_bytes())
        assert (town.homes[HEALTH] / "in" / corrected["id"]).exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"basis": []}, "draft-basis"),
        ({"basis": ["SOME_LAW"]}, "draft-basis"),
        ({"purpose": "curiosity"}, "draft-purpose"),
        ({"consent": "perhaps"}, "draft-consent"),
        ({"marks": ["secret"]}, "draft-marks"),
    ],
)
async def test_anything_else_is_refused_before_it_is_sealed(town: Town, change: dict[str, Any], code: str) -> None:
    """With the field's name and what may stand there; nothing is kept of it."""
    async with town.agent(COUNCIL) as council:
        message = minutes_full([MASH, NURSES])
        drop(town.homes[COUNCIL], "plain", draft("minutes.full/1", MASH, message=message, **change))
        await settle(council)
        reason = json.loads((town.homes[COUNCIL] / "refused" / "plain" / "reason.json").read_bytes())
        assert reason["code"] == code
        assert f"`{code.removeprefix('draft-')}`" in reason["message"]
        assert await council.gateway.spool.all("list_sent") == []


async def test_an_urgent_message_goes_on_although_it_may_not(town: Town) -> None:
    """What is forbidden otherwise is a warning then: with the section, to its mailbox only, and kept."""
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police:
        message = samples.message("intel.item/1", urgent=True)
        drop(town.homes[COUNCIL], "graded", draft("intel.item/1", MASH, message=message, to=[EXPLOITATION]))
        await settle(council, police)
        sent = json.loads((town.homes[COUNCIL] / "sent" / "graded" / "envelope.json").read_bytes())
        assert (town.homes[POLICE] / "in" / sent["id"]).exists()
        (told,) = [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "handling-warning"]
        assert (told["reason"], told["mailbox"]) == ("handling-forbids", MASH)
        assert "only police set" in told["message"]
        assert "handling-warning" not in {one["notice"] for one in read_notices(town.homes[POLICE])}


async def test_what_is_found_only_when_it_is_sealed_is_told_too(town: Town) -> None:
    """Taken before anybody's roles were known: the first word stands, the new one comes, and each is said once."""
    async with town.agent(COUNCIL) as council:
        message = samples.message("intel.item/1", urgent=True)
        wanted = draft("intel.item/1", MASH, message=message, to=[EXPLOITATION])
        drop(town.homes[COUNCIL], "graded", wanted | {"basis": []})
        await council.collect_pass()
        await council.file_pass()

        def told() -> list[str]:
            notices = read_notices(town.homes[COUNCIL])
            return sorted(one["reason"] for one in notices if one["notice"] == "handling-warning")

        assert told() == ["draft-basis"]
        assert [row["state"] for row in await council.gateway.spool.all("list_sent")] == ["drafted"]
        await settle(council)
        assert told() == ["draft-basis", "handling-forbids"]
        (row,) = await council.gateway.spool.all("list_sent")
        assert row["state"] == "accepted"


async def test_a_draft_is_read_once_when_it_is_taken(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its message gives the header is derived, and its schema held to, one time: admitted, it is not asked again."""
    asked = []
    for name in ("clear", "validate"):
        real = getattr(Catalogue, name)

        def counted(catalogue: Catalogue, *given: Any, name: str = name, real: Any = real) -> Any:
            asked.append(name)
            return real(catalogue, *given)

        monkeypatch.setattr(Catalogue, name, counted)
    async with town.agent(COUNCIL) as council:
        await settle(council)
        drop(town.homes[COUNCIL], "plain", draft("minutes.full/1", MASH, message=minutes_full([MASH, NURSES])))
        asked.clear()
        await council.collect_pass()
        assert sorted(asked) == ["clear", "validate"]


async def test_refused_consent_still_sends_and_consent_to_be_sought_is_recalled(town: Town) -> None:
    """Consent is no gate; who was directed to seek it is reminded once."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        for name, consent in (("refused", "sought_refused"), ("directed", "directed_not_yet_sought")):
            message = minutes_full([MASH, NURSES])
            drop(town.homes[COUNCIL], name, draft("minutes.full/1", MASH, message=message, consent=consent))
        await settle(council, health)
        ids = {}
        for name in ("refused", "directed"):
            ids[name] = json.loads((town.homes[COUNCIL] / "sent" / name / "envelope.json").read_bytes())["id"]
            assert (town.homes[HEALTH] / "in" / ids[name]).exists()
        told = [one for one in read_notices(town.homes[COUNCIL]) if one["notice"] == "consent-reminder"]
        assert [one["envelope"] for one in told] == [ids["directed"]]


async def test_without_a_directory_it_is_looked_at_again_when_it_is_sealed(town: Town) -> None:
    """Who may grade is known from the directory only: taken while the hub is dark, refused as soon as it isn't."""
    async with town.agent(COUNCIL) as council:
        sent = draft("intel.item/1", MASH, to=[EXPLOITATION])
        drop(town.homes[COUNCIL], "graded", sent)
        assert await outgoing.collect(council.gateway) == 1
        await settle(council)
        (row,) = await council.gateway.spool.all("list_sent")
        assert row["state"] == "refused"
        assert json.loads(bytes(row["refusal"]))["code"] == "handling-forbids"


def test_a_refusal_to_share_needs_its_reason() -> None:
    """`share.declined` without a reason, its reasoning or its reviewer's day is no message."""
    message = samples.message("share.declined/1")
    CATALOGUE.validate("share.declined/1", message)
    for name in ("reason_code", "reasoning", "decided_by", "review_by"):
        with pytest.raises(MalformedError) as caught:
            CATALOGUE.validate("share.declined/1", {key: value for key, value in message.items() if key != name})
        assert caught.value.code == "message-schema"
        assert name in caught.value.message


def test_an_own_copy_of_a_source_is_any_of_the_agencys() -> None:
    """What one of the agency's mailboxes had counts for a draft of another: its marks bind the agency."""
    source = replace(item_of(marks=("no_onward_copy",)), mailbox=SOURCES)
    assert "may not go on" in problems(digest(SOURCES, to=(OFFICERS,), handling_conditions=[], **P), source)[0]
