"""Follow one envelope: its journey, the proof as files, and what a changed byte in any of them does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from hub import ledger
from hub.errors import HubError
from hub.journeys.checking import Verdict, check_journey
from hub.journeys.files import Files, as_tar, prove, read_tar
from hub.journeys.tracing import Journey, trace, trace_obligation, trace_thread
from keys import digests, notes
from schemas.receipt import Seen
from tests.county import CAIT, COUNCIL, HEALTH, HOUR, MASH, NURSES, ORIGIN, POLICE, County, Desk, Sent, second
from tests.hub.support import hold, minutes, note, refused

POLICY = "quorum agencies\n"


async def _sign(desk: Desk) -> None:
    await ledger.sign_checkpoint(desk.store, ORIGIN, desk.county.note_signers, desk.county.now)


async def _cosign(desk: Desk, agency: str) -> None:
    _, _, signed = await desk.store.read(lambda tx: tx.last_checkpoint()) or (0, 0, "")
    key = desk.county.keyrings[agency].witness
    line = notes.cosign(signed, f"{ORIGIN}/witness/{agency}", key, desk.county.now)
    body = f"{notes.split_note(signed)[0]}\n{line}".encode()
    witnesses = desk.registry.snapshot.witnesses(desk.county.now)
    assert await ledger.add_cosignatures(desk.store, witnesses, body, desk.county.now)


async def _trace(desk: Desk, sent: Sent) -> Journey:
    found = await desk.store.read(lambda tx: trace(tx, sent.id))
    assert found is not None
    return found


async def _prove(desk: Desk, sent: Sent) -> Files:
    journey = await _trace(desk, sent)
    return await desk.store.read(lambda tx: prove(tx, desk.registry.snapshot, journey, desk.county.now))


class Met(NamedTuple):
    """A meeting whose minutes two were sent, one of whom has them."""

    desk: Desk
    meeting: Sent
    sent: Sent


@pytest.fixture
async def met(desk: Desk) -> Met:
    """Give minutes that the nurses filed and the police only collected, in a log that two of three agencies cosigned."""
    await desk.next_directory(witnesses=POLICY)
    await desk.send(meeting := hold(desk.county, CAIT, NURSES))
    await _sign(desk)
    size, _, signed = await desk.store.read(lambda tx: tx.last_checkpoint()) or (0, 0, "")
    seen = Seen(size=size, root=digests.b64u(notes.Checkpoint.parse(notes.split_note(signed)[0]).root))
    await desk.tick(HOUR)
    await desk.send(sent := minutes(desk.county, meeting.header.thread, CAIT, NURSES))
    await desk.tick(HOUR)
    first = desk.county.receipt(sent, NURSES, "collected", checkpoint=seen)
    await desk.take(first, by=HEALTH)
    filed = desk.county.receipt(sent, NURSES, "filed", previous=digests.sha256_b64u(first), checkpoint=seen)
    await desk.take(filed, by=HEALTH)
    await desk.receive(sent, CAIT, "collected")
    await _sign(desk)
    for agency in (POLICE, HEALTH, COUNCIL):
        await _cosign(desk, agency)
    return Met(desk, meeting, sent)


def _problems(verdict: Verdict) -> list[tuple[str, str]]:
    return [(check.code, check.problem or "") for check in verdict.problems]


def _check(met: Met, files: Mapping[str, bytes]) -> Verdict:
    return check_journey(files, met.desk.county.roots)


async def test_a_journey_has_all_that_happened_to_one_envelope_and_nothing_of_others(met: Met) -> None:
    """Its acceptance, receipts, what it settled and opened; not what the meeting before it opened for others."""
    await met.desk.send(note(met.desk.county, met.meeting.header.thread, CAIT))
    journey = await _trace(met.desk, met.sent)
    assert [one.leaf.event for one in journey.entries if one.leaf.event.endswith("-accepted")] == [
        "envelope-accepted",
        *["receipt-accepted"] * 3,
    ]
    assert [(row.mailbox, row.level) for row in journey.receipts] == [
        (NURSES, "collected"),
        (NURSES, "filed"),
        (CAIT, "collected"),
    ]
    states = {(row.duty.kind, row.duty.creditor, row.duty.debtor): row.state for row in journey.obligations}
    assert states[("send", NURSES, MASH)] == states[("receipt", MASH, NURSES)] == "met"
    assert states[("receipt", MASH, CAIT)] == "open"
    assert all(
        one.leaf.envelope == met.sent.id or one.leaf.obligation in {row.id for row in journey.obligations}
        for one in journey.entries
    )


async def test_a_thread_has_every_envelope_and_an_obligation_its_own_entries(met: Met) -> None:
    """The thread's page and the obligation's ask the same log."""
    desk, name = met.desk, met.meeting.header.thread
    thread = await desk.store.read(lambda tx: trace_thread(tx, name))
    assert thread is not None
    assert [row.id for row in thread.envelopes] == [met.meeting.id, met.sent.id]
    assert not thread.cut
    row = next(one for one in thread.obligations if one.state == "met")
    entries = await desk.store.read(lambda tx: trace_obligation(tx, row))
    assert [one.leaf.event for one in entries if one.leaf.event != "step-taken"] == [
        "obligation-opened",
        "obligation-settled",
    ]
    unknown = digests.new_id(desk.county.now)
    assert await desk.store.read(lambda tx: trace_thread(tx, unknown)) is None
    assert await desk.store.read(lambda tx: trace(tx, unknown)) is None


async def test_the_proof_holds_for_whoever_has_the_officers_keys_alone(met: Met) -> None:
    """Also once it went through a tar file; every kind of check was made."""
    files = await _prove(met.desk, met.sent)
    verdict = _check(met, read_tar(as_tar(files, met.desk.county.now)))
    assert _problems(verdict) == []
    assert verdict.holds
    assert {check.code for check in verdict.checks} >= {
        "directory", "checkpoint", "inclusion", "key", "header", "acceptance", "receipt", "view", "witness",
    }  # fmt: skip
    assert [(one.mailbox, one.level) for one in verdict.reached] == [
        (NURSES, "collected"),
        (NURSES, "filed"),
        (CAIT, "collected"),
    ]
    assert verdict.witnesses == tuple(sorted(f"{ORIGIN}/witness/{one}" for one in (POLICE, HEALTH, COUNCIL)))
    assert verdict.quorum == "a majority of the agencies (3 of 5)"
    assert verdict.is_witnessed
    assert verdict.accepted_at == met.desk.county.now - HOUR


async def test_no_byte_of_a_proof_can_be_another(met: Met) -> None:
    """Whichever file is changed or left out, a check says so."""
    files = await _prove(met.desk, met.sent)
    for name, content in files.items():
        place = len(content) // 2
        changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        left_out = {one: kept for one, kept in files.items() if one != name}
        # An officer's word for a key that signed nothing here is missed by nobody.
        for other in ({**files, name: changed}, *(() if "approval" in name else (left_out,))):
            assert not _holds(met, other), name


def _holds(met: Met, files: Mapping[str, bytes]) -> bool:
    try:
        verdict = _check(met, files)
    except HubError:
        return False
    # Without a witness's word all is proved, but not witnessed.
    return verdict.holds and verdict.is_witnessed


async def test_what_came_after_the_witnesses_looked_is_not_witnessed_yet(met: Met) -> None:
    """It is proved all the same, and the verdict says so; without a quorum in the directory nothing ever is."""
    await met.desk.receive(met.sent, CAIT, "filed")
    await _sign(met.desk)
    verdict = _check(met, await _prove(met.desk, met.sent))
    assert verdict.holds
    assert not verdict.is_witnessed
    assert 0 < verdict.witnessed_size < verdict.size
    await met.desk.next_directory(witnesses="")
    await _sign(met.desk)
    verdict = _check(met, await _prove(met.desk, met.sent))
    assert (verdict.holds, verdict.quorum, verdict.witnessed_size) == (True, "", 0)


async def test_other_officers_prove_nothing(met: Met) -> None:
    """A hub that makes up its own partnership is found out by the pinned keys."""
    files = await _prove(met.desk, met.sent)
    verdict = check_journey(files, County().roots)
    assert [code for code, _ in _problems(verdict)][:2] == ["directory", "checkpoint"]
    assert not verdict.holds


async def test_a_receipt_of_another_envelope_proves_nothing_of_this_one(met: Met) -> None:
    """Even where its signature is good and it is in the log."""
    other = await _prove(met.desk, met.meeting)
    files = await _prove(met.desk, met.sent)
    name = next(one for one in files if one.startswith("receipt-"))
    verdict = _check(met, {**other, name: files[name]})
    assert [code for code, _ in _problems(verdict)] == ["files"]


async def test_a_withdrawal_is_in_the_proof(met: Met) -> None:
    """With the sender's signature; what it opened again is in the journey."""
    await met.desk.withdraw(met.sent)
    await _sign(met.desk)
    verdict = _check(met, await _prove(met.desk, met.sent))
    assert _problems(verdict) == []
    assert "withdrawal" in {check.code for check in verdict.checks}


async def test_a_waiver_is_in_the_proof_of_what_it_ended(met: Met) -> None:
    """The duty to take receipt was given up: the statement is there, checked like the rest."""
    row = next(one for one in (await _trace(met.desk, met.sent)).obligations if one.state == "open")
    await met.desk.waive(
        row.id, row.duty.creditor, state="waived", reason="recorded_in_error", confirmed_by=None, second=second()
    )
    await _sign(met.desk)
    verdict = _check(met, await _prove(met.desk, met.sent))
    assert _problems(verdict) == []
    assert "waiver" in {check.code for check in verdict.checks}


async def test_a_key_that_was_compromised_before_proves_nothing(met: Met) -> None:
    """Revoked with a moment before the receipt: whoever signed it may not have been the agency."""
    county = met.desk.county
    signing = county.keyrings[HEALTH].signing.public.jwk
    said = county.statement(HEALTH, "sign", signing, state="revoked", compromised_from=county.now - HOUR, proof=None)
    await met.desk.publish_key(said)
    await _sign(met.desk)
    verdict = _check(met, await _prove(met.desk, met.sent))
    assert [code for code, _ in _problems(verdict)] == ["receipt", "receipt"]
    assert [(one.mailbox, one.level) for one in verdict.reached] == [(CAIT, "collected")]


async def test_what_no_checkpoint_covers_yet_is_not_proved(quick_desk: Desk) -> None:
    """The page says to ask again in a second."""
    await quick_desk.send(sent := hold(quick_desk.county, CAIT))
    with refused("no-checkpoint"):
        await _prove(quick_desk, sent)


@pytest.mark.parametrize("archive", [b"", b"not a tar", as_tar({"../escape": b""}, 0), as_tar({"x.exe": b""}, 0)])
def test_a_file_that_is_no_proof_is_refused(archive: bytes) -> None:
    """Neither an empty one, nor names that would leave a folder."""
    with refused("export"):
        check_journey(read_tar(archive), None)  # type: ignore[arg-type]
