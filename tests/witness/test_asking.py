"""A real hub's log, real outsiders on sockets, agencies' gateways by their keys: how far the log is witnessed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from hub import enrolment, ledger, witnessing
from hub.asking import MAX_ANSWER, Asker
from hub.core.events import Event
from hub.errors import HubError
from hub.kit.clocks import SystemClock
from hub.store.base import Store
from hub.wiring import make_doubt
from hub.witness.home import Log
from hub.witnessing import Times, Witnessed
from keys import jws, notes
from keys.jws import SigningKey
from keys.keyring import Keyring
from schemas.directory import DirectoryIndex
from tests.county import COUNCIL, DAY, HEALTH, ORIGIN, PARTNERSHIP, POLICE, PROBATION, START, County, Desk
from tests.witness.support import Outsider, Tree, make_home, running

EVIDENCED = "group evidenced all agencies notary\nquorum evidenced\n"
AGENCIES = (COUNCIL, HEALTH, PARTNERSHIP, POLICE, PROBATION)


@asynccontextmanager
async def founded(store: Store, tmp_path: Path, *, policy: str = EVIDENCED) -> AsyncIterator[tuple[Desk, Outsider]]:
    """Give a county whose directory names a running outsider, which follows its log."""
    county = County()
    log = Log(keys=tuple(one.verifier_key for one in county.note_signers), directory=1)
    async with running(make_home(tmp_path / "witness", **{ORIGIN: log}), lambda: county.now) as outsider:
        county.witnesses = outsider.line() + policy
        yield Desk(county, store, await county.found(store)), outsider


@pytest.fixture
async def both(store: Store, tmp_path: Path) -> AsyncIterator[tuple[Desk, Outsider]]:
    """Give the county on either database, and its outsider."""
    async with founded(store, tmp_path) as given:
        yield given


@asynccontextmanager
async def asking(desk: Desk, **changes: Any) -> AsyncIterator[Asker]:
    """Give the hub's asker."""
    county = desk.county
    asker = Asker(
        store=desk.store, registry=desk.registry, clock=lambda: county.now, times=Times(), monotonic=lambda: 0.0, **changes
    )  # fmt: skip
    async with asker:
        yield asker


async def sign(desk: Desk, *, grow: bool = False) -> tuple[int, str]:
    """Sign the log as it is, a leaf longer if told so; return size and note."""
    if grow:
        event = Event(event="document-refused", digest="A" * 43, outcome="document-version")
        await desk.store.write(lambda tx: ledger.append(tx, event, desk.county.now))
    await ledger.sign_checkpoint(desk.store, ORIGIN, desk.county.note_signers, desk.county.now)
    last = await desk.store.read(lambda tx: tx.last_checkpoint())
    assert last is not None
    return last[0], last[2]


async def cosign(desk: Desk, note: str, *agencies: str) -> None:
    """Have the gateways of *agencies* cosign *note*, as the hub takes it."""
    text, county = notes.split_note(note)[0], desk.county
    lines = (
        notes.cosign(note, f"{ORIGIN}/witness/{one}", county.keyrings[one].witness, county.now) for one in agencies
    )
    known = witnessing.verifiers(desk.registry.snapshot, county.now)
    await ledger.add_cosignatures(desk.store, known, f"{text}\n{''.join(lines)}".encode(), county.now)


async def state(desk: Desk) -> Witnessed:
    """Return how far the log is witnessed now."""
    return await desk.store.read(lambda tx: witnessing.state(tx, desk.registry.snapshot, desk.county.now))


async def test_a_log_counts_once_a_majority_and_an_outsider_have_it(both: tuple[Desk, Outsider]) -> None:
    """Neither the outsider alone nor the agencies alone make it witnessed; both do, and the newest counts as far as both reach."""
    desk, outsider = both
    size, note = await sign(desk)
    assert (await state(desk)).quorum == "all of: a majority of the agencies (3 of 5); notary"
    async with asking(desk) as asker:
        await asker.round()
        assert not (await state(desk)).is_witnessed
        await cosign(desk, note, HEALTH, POLICE)
        assert not (await state(desk)).is_witnessed
        await cosign(desk, note, COUNCIL)
        now = await state(desk)
        assert (now.witnessed_size, now.is_witnessed, now.size) == (size, True, size)
        assert now.covers(size - 1)
        assert not now.covers(size)
        later, newer = await sign(desk, grow=True)
        assert (await state(desk)).witnessed_size == size
        await cosign(desk, newer, *AGENCIES)
        assert (await state(desk)).witnessed_size == size, "the outsider has not seen it"
        await asker.round()
    now = await state(desk)
    assert (now.witnessed_size, now.witnessed_at) == (later, desk.county.now)
    assert {one.title: (one.kind, one.size) for one in now.witnesses} == {
        **dict.fromkeys(AGENCIES, ("agency", later)),
        "notary": ("outsider", later),
    }
    assert outsider.home.logs()[ORIGIN].size == later


async def test_gateways_need_not_cosign_the_same_checkpoint(both: tuple[Desk, Outsider]) -> None:
    """Who cosigned a larger tree vouches for its beginning: a log that grows every second still gets its quorum."""
    desk, _ = both
    sizes = []
    for agency in (HEALTH, POLICE, COUNCIL):
        size, note = await sign(desk, grow=True)
        sizes.append(size)
        await cosign(desk, note, agency)
    async with asking(desk) as asker:
        await asker.round()
    assert (await state(desk)).witnessed_size == min(sizes)


async def test_what_each_witness_signed_can_be_checked_by_anyone(both: tuple[Desk, Outsider]) -> None:
    """The kept line of a witness is a note of its own, which holds under its key alone."""
    desk, outsider = both
    size, note = await sign(desk)
    await cosign(desk, note, HEALTH)
    async with asking(desk) as asker:
        await asker.round()
    found = await state(desk)
    keys = witnessing.verifiers(desk.registry.snapshot, desk.county.now)
    for one in found.witnesses:
        cosigned = await desk.store.read(lambda tx, one=one: witnessing.cosigned(tx, one.name, one.size))
        if one.title not in {HEALTH, "notary"}:
            assert cosigned is None
            continue
        assert cosigned is not None
        (line,) = notes.cosignatures(cosigned, keys)
        assert (line.name, line.at) == (one.name, one.said_at)
        assert notes.Checkpoint.parse(notes.split_note(cosigned)[0]).size == size
    assert outsider.verifier in keys


async def test_only_who_is_in_the_county_counts(both: tuple[Desk, Outsider]) -> None:
    """An agency that has ended, or whose key is revoked, is neither counted nor asked for."""
    desk, _ = both
    size, note = await sign(desk)
    await cosign(desk, note, HEALTH, POLICE, PROBATION)
    async with asking(desk) as asker:
        await asker.round()
        assert (await state(desk)).witnessed_size == size
        await _revoke(desk, PROBATION)
        now = await state(desk)
    assert now.quorum == "all of: a majority of the agencies (3 of 4); notary"
    assert PROBATION not in {one.title for one in now.witnesses}
    assert not now.is_witnessed


async def _revoke(desk: Desk, agency: str) -> None:
    county = desk.county
    said = county.statement(agency, "witness", county.keyrings[agency].witness.public.jwk, state="revoked")
    await enrolment.publish_key(desk.store, desk.registry, said, None, b"s" * 32, county.now)
    await desk.registry.refresh(desk.store)


async def test_without_a_policy_nothing_is_witnessed(sqlite_store: Store, tmp_path: Path) -> None:
    """A directory that asks for nobody gets no word of praise: the log is not witnessed."""
    async with founded(sqlite_store, tmp_path, policy="quorum none\n") as (desk, _):
        _, note = await sign(desk)
        await cosign(desk, note, *AGENCIES)
        now = await state(desk)
        assert (now.is_defined, now.is_witnessed, now.quorum) == (False, False, "")
        assert len(now.witnesses) == 6


async def test_an_answer_that_got_lost_is_asked_for_again(both: tuple[Desk, Outsider]) -> None:
    """A witness that is ahead of what we kept says so, and is asked from there, in the same round."""
    desk, outsider = both
    await sign(desk)
    async with asking(desk) as asker:
        await asker.round()
        row = await desk.store.read(lambda tx: tx.find_witness("notary.example/w1"))
        assert row is not None
        size, _ = await sign(desk, grow=True)
        await asker.round()
        # The line was lost on the way: the database still has the one before.
        await desk.store.write(lambda tx: tx.put_witness(row))
        final, _ = await sign(desk, grow=True)
        await asker.round()
    (found,) = [one for one in (await state(desk)).witnesses if one.kind == "outsider"]
    assert (found.size, found.error) == (final, None)
    assert outsider.home.logs()[ORIGIN].size == final > size


Reply = Callable[[web.Request], web.Response]
LONG = "x" * (MAX_ANSWER + 1)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (lambda _: web.Response(status=403), "witness-key"),
        (lambda _: web.Response(status=404), "witness-log"),
        (lambda _: web.Response(status=422), "witness-proof"),
        (lambda _: web.Response(status=500), "witness-answer"),
        (lambda _: web.Response(status=302, headers={"Location": "/elsewhere"}), "witness-answer"),
        (lambda _: web.Response(text=LONG), "witness-answer"),
        (lambda _: web.Response(body=b"\xff"), "witness-answer"),
        (lambda _: web.Response(text=""), "note-syntax"),
        (lambda _: web.Response(text="nothing\n"), "note-syntax"),
        (lambda _: web.Response(status=409), "witness-conflict"),
        (lambda _: web.Response(status=409, text="99999\n", content_type="text/x.tlog.size"), "witness-ahead"),
        (lambda _: web.Response(status=409, text="1\n", content_type="text/x.tlog.size"), "witness-conflict"),
        (lambda _: web.Response(status=409, text="1\n"), "witness-conflict"),
    ],
)
async def test_what_goes_wrong_is_kept_as_a_code_and_spares_the_witness(
    sqlite_store: Store, tmp_path: Path, reply: Reply, code: str
) -> None:
    """Whatever a witness answers, the hub goes on; it says why, and asks again later, not at once."""
    asked: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(1)
        return reply(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    key = notes.witness_verifier("notary.example/w1", SigningKey.generate().public)
    county, told, clock = County(witnesses=f"witness notary {key} {url}\nquorum notary\n"), [], [0.0]
    try:
        desk = Desk(county, sqlite_store, await county.found(sqlite_store))
        await sign(desk)
        async with asking(desk, count_failure=told.append) as asker:
            asker.monotonic = lambda: clock[0]
            await asker.round()
            many = len(asked)
            await asker.round()
            assert len(asked) == many, "it is spared for a while"
            clock[0] = 2.0
            await asker.round()
            assert len(asked) == 2 * many
    finally:
        await runner.cleanup()
    assert told == [code, code]
    (found,) = [one for one in (await state(desk)).witnesses if one.kind == "outsider"]
    assert (found.size, found.error) == (0, code)


async def test_a_witness_that_is_away_is_named_unreachable(sqlite_store: Store, tmp_path: Path) -> None:
    """Nobody at the address, then somebody: the error goes once it has cosigned."""
    async with founded(sqlite_store, tmp_path) as (desk, outsider):
        await sign(desk)
        clock = [0.0]
        async with asking(desk) as asker:
            asker.monotonic = lambda: clock[0]
            good, desk.registry.snapshot = desk.registry.snapshot, _moved(desk, outsider, "http://127.0.0.1:9")
            await asker.round()
            (found,) = [one for one in (await state(desk)).witnesses if one.kind == "outsider"]
            assert found.error == "witness-unreachable"
            desk.registry.snapshot, clock[0] = good, 1000.0
            await asker.round()
        (found,) = [one for one in (await state(desk)).witnesses if one.kind == "outsider"]
        assert (found.error, found.size > 0) == (None, True)


def _moved(desk: Desk, outsider: Outsider, url: str) -> Any:
    snapshot = desk.registry.snapshot
    text = snapshot.directory.directory.witnesses.replace(outsider.url, url)
    directory = msgspec.structs.replace(snapshot.directory.directory, witnesses=text)
    return replace(snapshot, directory=DirectoryIndex(directory))


async def test_a_witness_that_signs_another_tree_convinces_nobody(sqlite_store: Store, tmp_path: Path) -> None:
    """A line over another checkpoint than the one asked about is not kept."""
    async with founded(sqlite_store, tmp_path) as (desk, outsider):
        size, _ = await sign(desk)
        other = Tree("another ")
        line = notes.cosign(other.note(size), outsider.witness.name, outsider.witness.key, START)
        text = notes.split_note(other.note(size))[0]
        with pytest.raises(HubError) as refused:
            await ledger.add_cosignatures(desk.store, [outsider.verifier], f"{text}\n{line}".encode(), START)
        assert refused.value.code == "cosignature-unknown"
        assert await desk.store.read(lambda tx: tx.find_witness(outsider.witness.name)) is None


async def test_a_directory_with_a_key_that_is_none_is_not_published(sqlite_store: Store) -> None:
    """The policy's keys are checked when the directory is published: later nobody could cosign under them."""
    key = notes.witness_verifier("notary.example/w1", SigningKey.generate().public)
    name, digits, rest = key.split("+", 2)
    wrong = f"{name}+{'0' * len(digits)}+{rest}"
    with pytest.raises(Exception, match="verifier key") as refused:
        await County(witnesses=f"witness notary {wrong}\nquorum notary\n").found(sqlite_store)
    assert getattr(refused.value, "code", "") == "note-key"


async def test_a_hub_that_was_put_back_with_its_keys_folder_does_not_start(sqlite_store: Store, tmp_path: Path) -> None:
    """An outsider that has seen more is believed before anybody is served; one that is level, or away, stops nobody."""
    async with founded(sqlite_store, tmp_path) as (desk, outsider), asking(desk) as asker:
        await asker.check_not_behind()
        await sign(desk)
        await asker.round()
        await asker.check_not_behind()
        log = outsider.witness.logs[ORIGIN]
        outsider.witness.logs[ORIGIN] = msgspec.structs.replace(log, size=log.size + 1)
        with pytest.raises(HubError) as refused:
            await asker.check_not_behind()
        assert refused.value.code == "rolled-back"
        desk.registry.snapshot = _moved(desk, outsider, "http://127.0.0.1:9")
        await asker.check_not_behind()


async def test_two_processes_of_one_hub_don_t_take_each_other_for_a_rollback(
    sqlite_store: Store, tmp_path: Path
) -> None:
    """What another process signed, and had cosigned, between our look and our question is no longer log than ours."""
    async with founded(sqlite_store, tmp_path) as (desk, outsider), asking(desk) as asker:
        size, note = await sign(desk)
        await sign(desk, grow=True)
        await asker.round()
        (policy,) = witnessing.policy_of(desk.registry.snapshot).outsiders
        assert await asker._ask(policy, size, note, always=True)
        (found,) = [one for one in (await state(desk)).witnesses if one.kind == "outsider"]
        assert (found.size, found.error) == (size + 1, None)
        assert outsider.witness.logs[ORIGIN].size == size + 1


async def test_a_clock_that_the_witnesses_contradict_judges_nobody(sqlite_store: Store) -> None:
    """The hub asks them beside its own two clocks."""
    said = [False]
    doubt = await make_doubt(sqlite_store, SystemClock(), lambda: said[0])
    assert not doubt()
    said[0] = True
    assert doubt()


def test_the_witnesses_clocks_judge_ours() -> None:
    """Two of three that have our clock a day off put it in doubt; one does not, nor do old words or both directions."""
    clock = [0.0]
    times = Times(lambda: clock[0])
    times.hear("a", START + DAY, START)
    assert not times.in_doubt(), "one alone may be wrong itself"
    times.hear("b", START + DAY, START)
    assert times.in_doubt()
    times.hear("c", START, START)
    assert times.in_doubt()
    times.hear("d", START + 60_000, START)
    assert not times.in_doubt(), "two of four are no majority"
    times.hear("b", START - DAY, START)
    times.hear("c", START + DAY, START)
    assert not times.in_doubt(), "they contradict each other"
    times.hear("b", START + DAY, START)
    assert times.in_doubt()
    clock[0] = 3601.0
    assert not times.in_doubt(), "what was said long ago says nothing of now"


async def test_a_key_that_is_too_young_counts_and_cannot_cosign(sqlite_store: Store, tmp_path: Path) -> None:
    """An agency whose witness key cools off is one of all: who keeps it from cosigning makes no majority of the rest."""
    async with founded(sqlite_store, tmp_path) as (desk, _), asking(desk) as asker:
        county = desk.county
        await _revoke(desk, PROBATION)
        fresh = Keyring.create(PROBATION, county.now).witness
        proof = jws.prove(fresh, jws.proof_statement(PROBATION, len(county.statements[PROBATION]) + 1, fresh.kid))
        said = county.statement(PROBATION, "witness", fresh.public.jwk, proof=proof)
        await enrolment.publish_key(desk.store, desk.registry, said, None, b"s" * 32, county.now)
        await desk.registry.refresh(desk.store)
        size, note = await sign(desk)
        now = await state(desk)
        assert now.quorum == "all of: a majority of the agencies (3 of 5); notary"
        line = notes.cosign(note, f"{ORIGIN}/witness/{PROBATION}", fresh, county.now)
        known = witnessing.verifiers(desk.registry.snapshot, county.now)
        with pytest.raises(HubError):
            await ledger.add_cosignatures(
                desk.store, known, f"{notes.split_note(note)[0]}\n{line}".encode(), county.now
            )
        await cosign(desk, note, HEALTH, POLICE)
        await asker.round()
        assert not (await state(desk)).is_witnessed
        await cosign(desk, note, COUNCIL)
        assert (await state(desk)).witnessed_size == size
