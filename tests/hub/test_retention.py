"""The hub forgets, and says so first: bodies, keys about to be destroyed, used assertions."""

from __future__ import annotations

from collections import Counter

from hub import retention
from schemas.envelope import DAY
from tests.county import CAIT, EXPLOITATION, HEALTH, MASH, NURSES, POLICE, SOURCES, Desk, Sent
from tests.hub.support import hold, minutes, refused


async def _has_body(desk: Desk, sent: Sent) -> bool:
    return await desk.store.read(lambda tx: tx.body(sent.id)) is not None


async def _sent(desk: Desk, *to: str, keep: int = 100 * DAY) -> Sent:
    county = desk.county
    sent = minutes(county, hold(county).header.thread, *to, keep_until=county.now + keep)
    await desk.send(sent)
    return sent


async def test_a_body_goes_when_its_grace_after_everybody_took_it_is_over(desk: Desk) -> None:
    """Thirty days after the last receipt, as the agreement says; the log and the numbers stay."""
    sent = await _sent(desk, CAIT, NURSES)
    await desk.receive(sent, CAIT, "collected", "filed")
    assert await desk.expire(40 * DAY) == frozenset()
    await desk.receive(sent, NURSES, "collected", "opened", "acknowledged")
    await desk.expire(30 * DAY - 1)
    assert await _has_body(desk, sent)
    await desk.expire(1)
    assert not await _has_body(desk, sent)
    (leaf,) = await desk.leaves("body-deleted")
    assert (leaf["envelope"], leaf["sealed"]) == (sent.id, sent.header.sealed.sha256)
    for box in (CAIT, NURSES):
        assert [row.entry.seq for row in await desk.feed(box)] == list(range(1, len(await desk.feed(box)) + 1))
        assert Counter(row.entry.kind for row in await desk.feed(box))["tombstone"] == 1
        assert await desk.notices(box, "keep-until-near") == []
    assert await desk.expire(100 * DAY) == frozenset()
    assert (await desk.send(sent)).repeat


async def test_what_was_not_taken_is_never_deleted_without_a_word(desk: Desk) -> None:
    """A week before `keep_until` the sender and whoever waits are told, once; then it goes."""
    sent = await _sent(desk, CAIT, NURSES)
    await desk.receive(sent, CAIT, "collected", "filed")
    await desk.receive(sent, NURSES, "collected")
    await desk.expire(93 * DAY - 1)
    assert await desk.notices(NURSES, "keep-until-near") == []
    assert await desk.expire(1) == {MASH, NURSES}
    assert await desk.expire() == frozenset()
    for box, count in ((NURSES, 1), (MASH, 1), (CAIT, 0)):
        assert len(await desk.notices(box, "keep-until-near")) == count
    await desk.expire(7 * DAY - 1)
    assert await _has_body(desk, sent)
    await desk.expire(1)
    assert not await _has_body(desk, sent)
    await desk.receive(sent, NURSES, "filed")


async def test_a_hub_that_was_down_past_keep_until_still_warns_first(desk: Desk) -> None:
    """The warning comes late, and with it at least a day to act."""
    sent = await _sent(desk, NURSES)
    assert await desk.expire(200 * DAY) == {MASH, NURSES}
    await desk.expire(DAY - 1)
    assert await _has_body(desk, sent)
    await desk.expire(1)
    assert not await _has_body(desk, sent)


async def test_taking_it_after_the_warning_still_lets_it_go_in_time(desk: Desk) -> None:
    """Receipt after the warning: the grace counts, but never beyond `keep_until`."""
    sent = await _sent(desk, NURSES)
    await desk.expire(95 * DAY)
    await desk.receive(sent, NURSES, "collected", "filed")
    await desk.expire(5 * DAY - 1)
    assert await _has_body(desk, sent)
    await desk.expire(1)
    assert not await _has_body(desk, sent)


async def test_a_short_lived_envelope_warns_at_once(desk: Desk) -> None:
    """What asks to be kept for less than a week is warned of as soon as it is there."""
    sent = await _sent(desk, NURSES, keep=2 * DAY)
    assert await desk.expire() == {MASH, NURSES}
    await desk.expire(2 * DAY)
    assert not await _has_body(desk, sent)


async def test_the_label_bounds_how_long_a_body_is_kept(desk: Desk) -> None:
    """Who reported may be kept for 60 days at most, whatever the header asks; one day after it was taken."""
    county = desk.county

    def identity(days: int) -> Sent:
        until = county.now + days * DAY
        return county.seal("info.report.identity/1", NURSES, [SOURCES], retention="source", keep_until=until)

    with refused("keep-until-too-late"):
        await desk.send(identity(61))
    kept, taken = identity(60), identity(60)
    await desk.send(kept)
    await desk.send(taken)
    await desk.receive(taken, SOURCES, "collected", "filed")
    await desk.expire(DAY)
    assert (await _has_body(desk, kept), await _has_body(desk, taken)) == (True, False)
    assert await desk.expire(52 * DAY) == {NURSES, SOURCES}
    await desk.expire(7 * DAY)
    assert not await _has_body(desk, kept)


async def test_declining_after_filing_does_not_let_it_go_unheard(desk: Desk) -> None:
    """What somebody filed and a colleague declined is not cleared: it is warned of before it goes."""
    sent = await _sent(desk, NURSES)
    await desk.receive(sent, NURSES, "collected", "filed", "declined")
    assert await desk.expire(30 * DAY) == {MASH, NURSES}
    assert await _has_body(desk, sent)


async def _ask(desk: Desk, asked: set[str]) -> frozenset[str]:
    county = desk.county
    return await retention.ask_to_reseal(desk.store, desk.registry, asked, county.now, county.hub.signing)


async def test_the_sender_is_asked_once_to_seal_again_before_a_key_is_destroyed(desk: Desk) -> None:
    """Seven days before the key's end, once there is another; also after the hub was started anew."""
    county, asked = desk.county, set[str]()
    said = county.statement(HEALTH, "seal", county.newest(NURSES).key.public.jwk, expires=county.now + 30 * DAY)
    await desk.publish_key(said, county.approve(said))
    waits, has = await _sent(desk, NURSES, CAIT), await _sent(desk, NURSES)
    gone = await _sent(desk, NURSES, keep=10 * DAY)
    await desk.receive(has, NURSES, "collected")
    for _ in range(8):
        await desk.expire(2 * DAY)
        await desk.tick()
    assert not await _has_body(desk, gone)
    await desk.tick(7 * DAY - 1)
    await desk.rotate(HEALTH)
    assert await _ask(desk, asked) == frozenset()
    county.now += 1
    assert await _ask(desk, asked) == {MASH}
    assert await _ask(desk, asked) == frozenset()
    assert await _ask(desk, set()) == frozenset()
    (told,) = await desk.notices(MASH, "reseal-needed")
    assert told["envelope"] == waits.id
    assert (await desk.reseal(waits)).wake == {NURSES, CAIT}
    await desk.receive(waits, NURSES, "collected", "filed")


async def test_without_another_key_nobody_is_asked_until_the_old_one_is_gone(desk: Desk) -> None:
    """Sealing again to the same key would help nobody; once it is gone, the next one is waited for."""
    county, asked = desk.county, set[str]()
    said = county.statement(HEALTH, "seal", county.newest(NURSES).key.public.jwk, expires=county.now + 30 * DAY)
    await desk.publish_key(said, county.approve(said))
    await _sent(desk, NURSES)
    county.now += 30 * DAY - 1
    assert await _ask(desk, asked) == frozenset()
    county.now += 1
    assert await _ask(desk, asked) == {MASH}


async def test_a_revoked_sealing_key_asks_for_new_wraps_at_once(desk: Desk) -> None:
    """What was sealed to a key that is given up can't wait until it expires."""
    county = desk.county
    sent = county.seal("info.report/1", NURSES, [EXPLOITATION])
    await desk.send(sent)
    await desk.publish_key(county.statement(POLICE, "seal", county.newest(CAIT).key.public.jwk, state="revoked"))
    assert await _ask(desk, set()) == {NURSES}
    (told,) = await desk.notices(NURSES, "reseal-needed")
    assert told["envelope"] == sent.id


async def test_used_assertions_are_forgotten_once_they_have_expired(desk: Desk) -> None:
    """Until then an assertion's id counts as used; afterwards its expiry refuses it anyway."""
    now = desk.county.now
    assert await desk.store.write(lambda tx: tx.use_jti("once", now + 60))
    assert not await desk.store.write(lambda tx: tx.use_jti("once", now + 60))
    await desk.expire(61)
    assert await desk.store.write(lambda tx: tx.use_jti("once", now + 120))
