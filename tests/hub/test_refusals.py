"""What the hub must not take, by its code; and that refusing leaves everything as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from hub.exchange import Accepted, accept_envelope, accept_envelopes
from keys import digests, jws, sealing
from schemas import strict_json
from schemas.envelope import DAY, MAX_BODY, MAX_HEADER, MAX_WRAPS, Wraps, join_envelope, split_envelope
from tests.county import (
    CAIT,
    COUNCIL,
    EXAMPLES,
    EXPLOITATION,
    HEALTH,
    HOUR,
    MASH,
    NURSES,
    PAEDIATRICS,
    POLICE,
    County,
    Desk,
    Sent,
)
from tests.hub.support import code_of, hold, minutes, payload, refused, wraps_of

REFERENCE = (EXAMPLES / "agreement.toml").read_text()


async def _offer(desk: Desk, raw: bytes, caller: str = COUNCIL) -> str:
    """Return the code with which the hub refuses *raw*, or ``accepted``."""
    hub = desk.county.hub.signing
    (outcome,) = await accept_envelopes(desk.store, desk.registry, caller, [raw], desk.county.now, hub)
    return "accepted" if isinstance(outcome, Accepted) else code_of(outcome)


def _signed(county: County, sent: Sent, /, by: jws.SigningKey | None = None, **changes: Any) -> bytes:
    """Return *sent* with another header, signed by *by* or its sender, and wraps that follow it."""
    parts = split_envelope(sent.raw)
    header = msgspec.structs.replace(sent.header, **changes)
    signer = by or county.keyrings[COUNCIL].signing
    wraps = msgspec.structs.replace(wraps_of(sent), id=header.id, sealed_sha256=header.sealed.sha256)
    signed = signer.sign(strict_json.dump(wraps), jws.WRAPS)
    return join_envelope(signer.sign(strict_json.dump(header), jws.ENVELOPE), signed, parts.body)


Maker = Callable[[County, Sent], bytes]


def _with_header(make: Callable[[bytes], bytes], typ: str = jws.ENVELOPE) -> Maker:
    def build(county: County, sent: Sent) -> bytes:
        parts = split_envelope(sent.raw)
        signed = county.keyrings[COUNCIL].signing.sign(make(payload(parts.header)), typ)
        return join_envelope(signed, parts.wraps, parts.body)

    return build


def _with_wraps(change: Callable[[Wraps], Wraps]) -> Maker:
    def build(county: County, sent: Sent) -> bytes:
        parts = split_envelope(sent.raw)
        signed = county.keyrings[COUNCIL].signing.sign(strict_json.dump(change(wraps_of(sent))), jws.WRAPS)
        return join_envelope(parts.header, signed, parts.body)

    return build


def _parts(change: Callable[[bytes, bytes, bytes], tuple[bytes, bytes, bytes]]) -> Maker:
    def build(_: County, sent: Sent) -> bytes:
        parts = split_envelope(sent.raw)
        return join_envelope(*change(parts.header, parts.wraps, bytes(parts.body)))

    return build


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _re_addressed(county: County, sent: Sent) -> bytes:
    """Return the header changed under the old signature: *to* another mailbox."""
    parts = split_envelope(sent.raw)
    head, _, tail = parts.header.split(b".")
    header = strict_json.dump(msgspec.structs.replace(sent.header, to=(EXPLOITATION,)))
    return join_envelope(b".".join((head, digests.b64u(header).encode(), tail)), parts.wraps, parts.body)


MALFORMED: dict[str, tuple[str, Maker]] = {
    "nothing": ("envelope-parts", lambda *_: b""),
    "no line": ("envelope-parts", lambda *_: b"x" * 100),
    "one line": ("envelope-parts", lambda _, sent: sent.raw.partition(b"\n")[0] + b"\n"),
    "an empty header": ("envelope-parts", lambda *_: b"\nwraps\nbody"),
    "empty wraps": ("envelope-parts", lambda *_: b"header\n\nbody"),
    "a header beyond 16 KiB": ("envelope-parts", lambda *_: b"h" * (MAX_HEADER + 1) + b"\nw\nb"),
    "wraps beyond 192 KiB": ("envelope-parts", lambda *_: b"h\n" + b"w" * (MAX_WRAPS + 1) + b"\nb"),
    "a body beyond 64 MiB": ("envelope-too-long", lambda *_: b"h\nw\n" + bytes(MAX_BODY + 1)),
    "no JWS": ("jws-syntax", _parts(lambda h, w, b: (b"header", w, b))),
    "another typ": ("jws-header", _with_header(lambda raw: raw, jws.RECEIPT)),
    "no JSON": ("json-syntax", _with_header(lambda _: b"{")),
    "two values for one member": ("json-duplicate-member", _with_header(lambda raw: raw[:-1] + b',"v":1}')),
    "a member nobody knows": ("json-shape", _with_header(lambda raw: raw[:-1] + b',"child":"x"}')),
    "a member missing": ("json-shape", _with_header(lambda raw: raw.replace(b'"urgent":false,', b""))),
    "a truncated body": ("body-length", _parts(lambda h, w, b: (h, w, b[:-1]))),
    "no body": ("body-length", _parts(lambda h, w, b: (h, w, b""))),
    "a longer body": ("body-length", _parts(lambda h, w, b: (h, w, b + b"\0"))),
    "another body": ("body-digest", _parts(lambda h, w, b: (h, w, _flip(b, 200)))),
    "an altered header": ("jws-signature", _re_addressed),
    "an altered signature": ("jws-signature", _parts(lambda h, w, b: (h[:-20] + b"AAAA" + h[-16:], w, b))),
    "wraps left out": ("wraps-mismatch", _with_wraps(lambda w: msgspec.structs.replace(w, wraps=w.wraps[:1]))),
    "wraps of another body": (
        "wraps-mismatch",
        _with_wraps(lambda w: msgspec.structs.replace(w, sealed_sha256="A" * 43)),
    ),
    "wraps twice": ("wraps-mismatch", _with_wraps(lambda w: msgspec.structs.replace(w, wraps=w.wraps[:1] * 2))),
}


async def test_what_is_no_envelope_leaves_no_trace(quick_desk: Desk) -> None:
    """Nobody can be held to bytes that are malformed or altered, so nothing at all is recorded."""
    county = quick_desk.county
    sent = minutes(county, hold(county).header.thread, CAIT, NURSES)
    before = await quick_desk.leaves()
    said = {name: await _offer(quick_desk, make(county, sent)) for name, (_, make) in MALFORMED.items()}
    assert said == {name: code for name, (code, _) in MALFORMED.items()}
    assert await quick_desk.leaves() == before
    assert await _offer(quick_desk, sent.raw) == "accepted"


async def test_wraps_of_another_envelope_are_refused(quick_desk: Desk) -> None:
    """Each part is signed, and none fits another envelope: not even the same sender's."""
    county = quick_desk.county
    thread = hold(county).header.thread
    one, two = minutes(county, thread, CAIT), minutes(county, thread, CAIT)
    a, b = split_envelope(one.raw), split_envelope(two.raw)
    assert await _offer(quick_desk, join_envelope(a.header, b.wraps, a.body)) == "wraps-mismatch"
    assert await _offer(quick_desk, join_envelope(a.header, a.wraps, b.body)) == "body-digest"
    foreign = county.keyrings[POLICE].signing.sign(payload(a.wraps), jws.WRAPS)
    assert await _offer(quick_desk, join_envelope(a.header, foreign, a.body)) == "sender-not-caller"


async def test_only_an_agencys_own_active_keys_sign_for_it(desk: Desk) -> None:
    """Unknown, foreign, revoked, expired, too young, another mailbox's: refused, and nothing is recorded."""
    county = desk.county
    thread = hold(county).header.thread
    sent = minutes(county, thread, CAIT)
    ring = county.keyrings[COUNCIL]
    assert await _offer(desk, _signed(county, sent, by=jws.SigningKey.generate())) == "key-unknown"
    assert await _offer(desk, _signed(county, sent, by=county.keyrings[POLICE].signing)) == "sender-not-caller"
    assert await _offer(desk, sent.raw, caller=POLICE) == "sender-not-caller"
    assert await _offer(desk, _signed(county, sent, from_=CAIT)) == "sender-not-caller"
    assert await _offer(desk, _signed(county, sent, by=ring.witness)) == "key-not-active"

    old = ring.signing
    young = ring.replace_signing()
    said = county.statement(COUNCIL, "sign", young.public.jwk)
    await desk.publish_key(said)
    assert await _offer(desk, _signed(county, sent)) == "key-not-active"
    county.now += DAY - 1
    assert await _offer(desk, _signed(county, sent)) == "key-not-active"
    county.now += 1
    assert await _offer(desk, _signed(county, sent)) == "accepted"

    ring.signing = old
    await desk.publish_key(county.statement(COUNCIL, "sign", old.public.jwk, state="revoked"))
    assert await _offer(desk, minutes(county, thread, CAIT).raw) == "key-not-active"
    ring.signing = young
    county.now += 300 * DAY
    assert await _offer(desk, minutes(county, thread, CAIT).raw) == "key-not-active"
    assert {leaf["event"] for leaf in await desk.leaves()}.isdisjoint({"envelope-refused"})


async def test_a_mailboxs_own_key_speaks_for_that_mailbox_alone(quick_desk: Desk) -> None:
    """A sensitive team's key signs nothing for its neighbours."""
    county = quick_desk.county
    key = county.keyrings[HEALTH].replace_signing()
    said = county.statement(HEALTH, "sign", key.public.jwk, mailbox=PAEDIATRICS)
    await quick_desk.publish_key(said, county.approve(said))
    report = county.seal("info.report/1", NURSES, [EXPLOITATION])
    assert await _offer(quick_desk, report.raw, HEALTH) == "sender-not-caller"
    assert await _offer(quick_desk, county.seal("info.report/1", PAEDIATRICS, [EXPLOITATION]).raw, HEALTH) == "accepted"


async def test_what_the_agreement_refuses_is_in_the_log_and_its_id_unused(desk: Desk) -> None:
    """Type, recipient, basis, retention, times, keys: refused by code, recorded, and the id may be used again."""
    county = desk.county
    sent = minutes(county, hold(county).header.thread, CAIT)
    cases: list[tuple[str, str, bytes]] = [
        ("type-not-allowed", HEALTH, county.seal("minutes.full/1", NURSES, [CAIT]).raw),
        ("recipient-not-allowed", HEALTH, county.seal("info.report/1", NURSES, [CAIT]).raw),
        ("type-unknown", COUNCIL, county.seal("gossip/1", MASH, [CAIT]).raw),
        ("basis-not-allowed", COUNCIL, _signed(county, sent, basis_class="other")),
        ("retention-unknown", COUNCIL, _signed(county, sent, retention="source")),
        ("at-in-future", COUNCIL, _signed(county, sent, at=county.now + HOUR)),
        ("keep-until-past", COUNCIL, _signed(county, sent, sent=county.now - DAY, keep_until=county.now)),
        ("agreement-outdated", COUNCIL, _signed(county, sent, agreement=7)),
        ("party-unknown", COUNCIL, _signed(county, sent, parties=("nowhere/nobody",))),
        ("supersedes-mismatch", COUNCIL, _signed(county, sent, supersedes=digests.new_id(county.now))),
    ]
    for code, caller, raw in cases:
        assert await _offer(desk, raw, caller) == code
    refusals = await desk.leaves("envelope-refused")
    assert [leaf["outcome"] for leaf in refusals] == [code for code, *_ in cases]
    assert refusals[-1]["digest"] == digests.sha256_b64u(split_envelope(cases[-1][2]).header)
    assert await desk.feed(CAIT) == []
    assert await _offer(desk, sent.raw) == "accepted"


async def test_a_wrap_must_be_for_an_active_sealing_key_of_its_recipient(desk: Desk) -> None:
    """Unknown, another recipient's, another mailbox's or revoked: nobody is owed what they can't open."""
    county = desk.county
    thread = hold(county).header.thread

    def spliced(change: Callable[[str], str]) -> bytes:
        sent = minutes(county, thread, CAIT, NURSES)
        return _with_wraps(
            lambda wraps: msgspec.structs.replace(
                wraps, wraps=tuple(msgspec.structs.replace(one, kid=change(one.kid)) for one in wraps.wraps)
            )
        )(county, sent)

    assert await _offer(desk, spliced(lambda _: "A" * 43)) == "recipient-key"
    assert await _offer(desk, spliced(lambda _: county.newest(CAIT).key.kid)) == "recipient-key"
    assert await _offer(desk, spliced(lambda _: county.keyrings[COUNCIL].signing.kid)) == "recipient-key"
    own = await desk.rotate(HEALTH, PAEDIATRICS)
    swap = {county.newest(NURSES).key.kid: own.key.kid}
    assert await _offer(desk, spliced(lambda kid: swap.get(kid, kid))) == "recipient-key"
    said = county.statement(HEALTH, "seal", county.newest(NURSES).key.public.jwk, state="revoked")
    await desk.publish_key(said)
    assert await _offer(desk, minutes(county, thread, NURSES).raw) == "recipient-key"
    await desk.rotate(HEALTH)
    assert await _offer(desk, minutes(county, thread, NURSES).raw) == "accepted"


async def test_an_ended_agency_neither_sends_nor_receives(desk: Desk) -> None:
    """From its last day on its successor does; an agency that was never there is not told apart."""
    county = desk.county
    thread = hold(county).header.thread
    county.ended[POLICE] = (county.now, (HEALTH,))
    await desk.next_directory()
    sent = minutes(county, thread, CAIT)
    with refused("recipient-unknown") as error:
        await desk.send(sent)
    assert HEALTH in error.value.hint  # type: ignore[attr-defined]
    assert await _offer(desk, county.seal("meeting.claimed/1", CAIT, [MASH]).raw, POLICE) == "sender-ended"
    assert await _offer(desk, minutes(county, thread, f"{POLICE}/nobody").raw) == "recipient-unknown"


async def test_an_agreement_that_changed_after_signing_refuses_and_lets_the_id_be_used_again(desk: Desk) -> None:
    """The same id, made anew by the rules in force, is accepted: once, and by nobody else's older rules."""
    county = desk.county
    sent = minutes(county, hold(county).header.thread, CAIT)
    await desk.next_agreement()
    with refused("agreement-outdated"):
        await desk.send(sent)
    again = minutes(county, sent.header.thread, CAIT, id=sent.id)
    assert not (await desk.send(again)).repeat
    assert (await desk.send(again)).repeat


async def test_an_agreement_that_is_not_in_force_yet_binds_nobody(desk: Desk) -> None:
    """A version with a later day is published ahead; until then the old one counts, and not a moment longer."""
    county = desk.county
    text = REFERENCE.replace("in_force_from = 2026-01-01", "in_force_from = 2026-07-08")
    await desk.next_agreement(text)
    county.agreement_version = 1
    await desk.send(minutes(county, hold(county).header.thread, CAIT))
    county.now += 2 * DAY
    with refused("agreement-outdated"):
        await desk.send(minutes(county, hold(county).header.thread, CAIT))
    county.agreement_version = 2
    await desk.send(minutes(county, hold(county).header.thread, CAIT))


async def test_sending_the_same_again_gets_the_same_answer(desk: Desk) -> None:
    """A lost answer is asked for again: one envelope, one delivery, one leaf, the very same acceptance."""
    county = desk.county
    sent = minutes(county, hold(county).header.thread, CAIT)
    first = await desk.send(sent)
    county.now += 5 * DAY
    again = await desk.send(sent)
    assert (again.acceptance, again.repeat, again.wake) == (first.acceptance, True, frozenset())
    assert len(await desk.feed(CAIT)) == len({row.entry.ref for row in await desk.feed(CAIT)})
    assert len(await desk.leaves("envelope-accepted")) == 1


async def test_other_bytes_under_a_used_id_are_refused(desk: Desk) -> None:
    """An id is the first envelope's for ever: another header or body is refused and recorded, the first one stands."""
    county = desk.county
    thread = hold(county).header.thread
    await desk.send(sent := minutes(county, thread, CAIT))
    for other in (minutes(county, thread, CAIT, id=sent.id), minutes(county, thread, NURSES, id=sent.id)):
        with refused("envelope-id-reused"):
            await desk.send(other)
    report = county.seal("info.report/1", NURSES, [EXPLOITATION], id=sent.id)
    assert await _offer(desk, report.raw, HEALTH) == "envelope-id-reused"
    assert [leaf["outcome"] for leaf in await desk.leaves("envelope-refused")] == ["envelope-id-reused"] * 3
    assert await desk.feed(NURSES) == []


async def test_a_batch_is_judged_one_by_one_in_one_commit(desk: Desk) -> None:
    """Good ones are accepted beside malformed, refused and repeated ones; outcomes come in order."""
    county = desk.county
    thread = hold(county).header.thread
    good, other = minutes(county, thread, CAIT), minutes(county, thread, NURSES)
    raws = [
        good.raw,
        b"nonsense",
        _signed(county, minutes(county, thread, CAIT), basis_class="other"),
        good.raw,
        minutes(county, thread, CAIT, id=good.id).raw,
        other.raw,
    ]
    hub = county.hub.signing
    outcomes = await accept_envelopes(desk.store, desk.registry, COUNCIL, raws, county.now, hub)
    said = [("accepted", one.repeat) if isinstance(one, Accepted) else (code_of(one), False) for one in outcomes]
    assert said == [
        ("accepted", False),
        ("envelope-parts", False),
        ("basis-not-allowed", False),
        ("accepted", True),
        ("envelope-id-reused", False),
        ("accepted", False),
    ]
    assert [len([row for row in await desk.feed(box) if row.envelope]) for box in (CAIT, NURSES)] == [1, 1]
    assert await accept_envelopes(desk.store, desk.registry, COUNCIL, [], county.now, hub) == []
    with refused("envelope-parts"):
        await accept_envelope(desk.store, desk.registry, COUNCIL, b"", county.now, hub)


async def test_only_the_newest_version_may_be_superseded_and_only_by_its_sender(desk: Desk) -> None:
    """Another thread, another sender or a version that was replaced already: refused, nothing voided."""
    county = desk.county
    thread = hold(county).header.thread
    await desk.send(first := minutes(county, thread, CAIT))
    await desk.send(minutes(county, thread, CAIT, supersedes=first.id))
    with refused("supersedes-older"):
        await desk.send(minutes(county, thread, CAIT, supersedes=first.id))
    elsewhere = hold(county).header.thread
    with refused("supersedes-mismatch"):
        await desk.send(minutes(county, elsewhere, CAIT, supersedes=first.id))
    with refused("supersedes-mismatch"):
        await desk.send(minutes(county, thread, CAIT, supersedes=first.id, facts={"variant": "redacted"}))


async def test_the_largest_header_there_can_be_is_taken_whole(quick_desk: Desk) -> None:
    """A body beyond 64 KiB, the longest reference everywhere: each leaf still fits its bound."""
    county = quick_desk.county
    big = minutes(county, hold(county).header.thread, CAIT, NURSES, documents=(b"{}", bytes(300_000)))
    await quick_desk.send(big)
    (row,) = [one for one in await quick_desk.feed(CAIT) if one.envelope]
    assert row.body is None
    stored = await quick_desk.store.read(lambda tx: tx.body(big.id))
    assert bytes(stored or b"") == bytes(split_envelope(big.raw).body)
    opened = sealing.open_sealed(bytes(stored or b""), big.content_key, big.id)
    assert opened[0] == big.manifest
