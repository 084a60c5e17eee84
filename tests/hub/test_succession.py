"""Agencies end: what was for them reaches who took over, or goes back to its sender, and what is owed is owed on."""

from __future__ import annotations

import pytest

from hub import retention
from hub.exchange import Taken
from keys import sealing
from keys.keyring import Keyring
from schemas import strict_json
from schemas.envelope import DAY, Wrap, parse_wraps, split_envelope
from tests.county import (
    CAIT,
    COUNCIL,
    HEALTH,
    MASH,
    NURSES,
    OFFICERS,
    PAEDIATRICS,
    PARTNERSHIP,
    POLICE,
    PROBATION,
    Desk,
    Sent,
    jws,
)
from tests.directories.endings import SPLIT, change_agency, end_agency, end_team
from tests.hub.support import hold, minutes, note, payload, refused


async def _sweep(desk: Desk, asked: set[str] | None = None) -> frozenset[str]:
    county, done = desk.county, set[str]() if asked is None else asked
    return await retention.ask_to_reseal(desk.store, desk.registry, done, county.now, county.hub.signing)


async def _sent(desk: Desk, *to: str) -> Sent:
    held = hold(desk.county, *to)
    await desk.send(held)
    sent = minutes(desk.county, held.header.thread, *to)
    await desk.send(sent)
    return sent


def _wraps(desk: Desk, sent: Sent, *kept: str, **heirs: Keyring) -> bytes:
    """Return new wraps: those of *kept* as they were, the others to the newest key of who has their agency's name."""
    county, header = desk.county, sent.header
    stored = parse_wraps(payload(split_envelope(sent.raw).wraps), header)
    wraps = []
    for wrap in stored.wraps:
        if wrap.mailbox in kept:
            wraps.append(wrap)
            continue
        ring = heirs.get(wrap.mailbox.partition("/")[0].replace("-", "_"))
        (held,) = ring.opening_keys.values() if ring else (county.newest(wrap.mailbox),)
        ek, wk = sealing.wrap(
            sent.content_key, held.key.public, envelope_id=sent.id, sender=header.from_, mailbox=wrap.mailbox
        )
        wraps.append(Wrap(mailbox=wrap.mailbox, kid=held.key.kid, ek=ek, wk=wk))
    said = strict_json.dump(type(stored)(v=1, id=sent.id, sealed_sha256=stored.sealed_sha256, wraps=tuple(wraps)))
    return county.keyrings[COUNCIL].signing.sign(said, jws.WRAPS)


# Mail that lies uncollected ---------------------------------------------------------------------------------------


async def test_what_an_ended_agency_left_uncollected_is_its_heirs_within_a_sweep(desk: Desk) -> None:
    """The sender is asked at once, seals to the heir's key, and the heir takes receipt in the old mailbox's name."""
    county, asked = desk.county, set[str]()
    sent = await _sent(desk, CAIT, NURSES)
    await desk.receive(sent, CAIT, "collected", "filed")
    await end_agency(desk, HEALTH, PROBATION, at=county.now + DAY)
    assert await _sweep(desk, asked) == frozenset()
    county.now += DAY - 1
    assert await _sweep(desk, asked) == frozenset()
    county.now += 1
    assert await _sweep(desk, asked) == {MASH}
    assert await _sweep(desk, asked) == await _sweep(desk) == frozenset()
    asks = {one["envelope"] for one in await desk.notices(MASH, "reseal-needed")}
    assert sent.id in asks
    with refused("recipient-key"):
        await desk.reseal(sent)
    raw = _wraps(desk, sent, CAIT, northmere_health=county.keyrings[PROBATION])
    assert (await desk.reseal(sent, raw)).wake == {NURSES}
    county.keyrings[HEALTH] = county.keyrings[PROBATION]  # whoever signs for the nurses' mailbox from now on
    for outcome in await desk.take(
        *(county.receipt(sent, NURSES, level) for level in ("collected", "filed")), by=PROBATION
    ):
        assert isinstance(outcome, Taken)
    assert (await desk.duties(sent.header.thread))["full-received", NURSES, MASH] == "met"


async def test_without_an_heir_it_is_returned_to_its_sender(desk: Desk) -> None:
    """Nobody can ever collect it: the sender hears that, and no key is asked for."""
    sent = await _sent(desk, CAIT, NURSES)
    await end_agency(desk, HEALTH)
    assert await _sweep(desk) == {MASH}
    returned = {one["envelope"] for one in await desk.notices(MASH, "returned")}
    assert sent.id in returned
    assert await desk.notices(MASH, "reseal-needed") == []


async def test_who_can_not_be_sealed_to_keeps_it_from_nobody_else(desk: Desk) -> None:
    """A wrap that stays as it was is neither judged nor delivered again; where all stay there is nothing to do."""
    sent = await _sent(desk, CAIT, NURSES)
    await end_agency(desk, HEALTH)
    before = len(await desk.feed(CAIT))
    await desk.rotate(POLICE)
    assert (await desk.reseal(sent, _wraps(desk, sent, NURSES))).wake == {CAIT}
    assert len(await desk.feed(CAIT)) == before + 1
    await desk.receive(sent, CAIT, "collected")
    with refused("wraps-not-needed"):
        await desk.reseal(sent, _wraps(desk, sent, NURSES))


async def test_of_several_heirs_the_one_that_the_sender_chooses_opens_it(desk: Desk) -> None:
    """The hub doesn't know the place; the key of either is taken, nobody else's."""
    county = desk.county
    sent = await _sent(desk, NURSES)
    await end_agency(desk, HEALTH, *SPLIT)
    assert await _sweep(desk) == {MASH}
    with refused("recipient-key"):
        await desk.reseal(sent, _wraps(desk, sent, northmere_health=county.keyrings[COUNCIL]))
    for heir in (PROBATION, POLICE):
        raw = _wraps(desk, sent, northmere_health=county.keyrings[heir])
        assert (await desk.reseal(sent, raw)).wake == {NURSES}


async def test_an_heir_with_a_key_of_its_own_opens_with_that(desk: Desk) -> None:
    """The mailbox that answers may have a key of its own; that of another mailbox of its agency is nobody's here."""
    county = desk.county
    sent = await _sent(desk, NURSES)
    await end_agency(desk, HEALTH, PROBATION)
    own = await desk.rotate(PROBATION, OFFICERS)
    elsewhere = await desk.rotate(PROBATION, f"{PROBATION}/archive")
    ring = Keyring.create(PROBATION, county.now)
    ring.opening_keys = {elsewhere.key.kid: elsewhere}
    with refused("recipient-key"):
        await desk.reseal(sent, _wraps(desk, sent, northmere_health=ring))
    ring.opening_keys = {own.key.kid: own}
    assert (await desk.reseal(sent, _wraps(desk, sent, northmere_health=ring))).wake == {NURSES}


async def test_an_end_that_is_put_off_is_asked_about_again_when_it_comes(desk: Desk) -> None:
    """What was sealed to the key in between is not forgotten because the key was asked about once."""
    county, asked = desk.county, set[str]()
    await end_agency(desk, HEALTH, PROBATION)
    await _sweep(desk, asked)
    await change_agency(desk, HEALTH, valid_to=county.now + DAY)
    assert await _sweep(desk, asked) == frozenset()
    sent = await _sent(desk, NURSES)
    county.now += DAY
    assert await _sweep(desk, asked) == {MASH}
    assert sent.id in {one["envelope"] for one in await desk.notices(MASH, "reseal-needed")}


async def test_a_team_that_ends_leaves_its_mail_to_its_own_agency(desk: Desk) -> None:
    """The gateway is the same and has the key: nobody is asked for anything, and everybody hears of the end."""
    sent = await _sent(desk, PAEDIATRICS)
    await end_team(desk, PAEDIATRICS, deputy=NURSES)
    assert await _sweep(desk) == frozenset()
    assert len(await desk.notices(MASH, "agency-ended")) == 1
    assert (await desk.reseal(sent)).wake == {PAEDIATRICS}
    await desk.receive(sent, PAEDIATRICS, "collected", "filed")


# What is owed -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heirs", [(PROBATION,), (f"{PROBATION}:north", f"{PARTNERSHIP}:south")])
async def test_what_was_owed_to_the_ended_is_met_by_sending_it_to_an_heir(desk: Desk, heirs: tuple[str, ...]) -> None:
    """Both sides hear that it is overdue, and what the old mailbox should have had is met by what its heir gets."""
    county = desk.county
    await desk.send(held := hold(county, NURSES, CAIT))
    thread = held.header.thread
    await end_agency(desk, HEALTH, *heirs)
    for box in (MASH, CAIT, OFFICERS):
        assert len(await desk.notices(box, "agency-ended")) == 1
    await desk.tick(3 * DAY)
    for box in (MASH, OFFICERS):
        late = [one for one in await desk.notices(box, "overdue") if one["creditor"] == NURSES]
        assert {one["debtor"] for one in late} == {MASH}
    await desk.send(note(county, thread, CAIT))
    assert (await desk.duties(thread))["decision-note", MASH, NURSES] == "open"
    await desk.send(note(county, thread, OFFICERS))
    assert (await desk.duties(thread))["decision-note", MASH, NURSES] == "met_late"


@pytest.mark.parametrize("heir", [CAIT, OFFICERS])
async def test_what_the_ended_owed_is_met_by_either_heir(desk: Desk, heir: str) -> None:
    """The ladder tells both until the one that has the place sends it; a stranger's message is not the one owed."""
    county = desk.county
    await desk.send(held := hold(county, CAIT, NURSES))
    thread = held.header.thread
    for agency in (PROBATION, POLICE, HEALTH):
        await change_agency(desk, agency, roles=("social_care", "health"))
    await end_agency(desk, COUNCIL, *SPLIT)
    await desk.tick(3 * DAY)
    for box in (OFFICERS, CAIT):
        assert [one for one in await desk.notices(box, "overdue") if one["creditor"] == NURSES] != []
    duty = ("decision-note", MASH, NURSES)
    for sender, state in ((PAEDIATRICS, "open"), (heir, "met_late")):
        await desk.send(county.seal("minutes.decisions/1", sender, [NURSES], thread=thread, parties=[NURSES]))
        assert (await desk.duties(thread))[duty] == state
