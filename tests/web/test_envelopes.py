"""Envelopes over HTTP: accepted, repeated, refused, read back by their parties and by nobody else."""

from __future__ import annotations

import struct

from keys import jws
from keys.digests import new_id, sha256
from schemas.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE
from tests.county import CAIT, COUNCIL, HEALTH, MASH, NURSES, POLICE, Sent
from tests.web.support import Site

JOSE = "application/jose"


def minutes(site: Site, **changes: object) -> Sent:
    """Return full minutes from the MASH to the nurses."""
    return site.county.seal(
        "minutes.full/1",
        MASH,
        [NURSES],
        facts={"variant": "full"},
        parties=[NURSES],
        **changes,  # type: ignore[arg-type]
    )


def batch(*raws: bytes) -> bytes:
    """Return a batch of envelopes."""
    return b"".join(struct.pack(">I", len(raw)) + raw for raw in raws)


async def test_what_is_sent_again_gets_the_stored_acceptance(site: Site) -> None:
    """201 once, then 200 with the very same bytes."""
    council, sent = await site.as_agency(COUNCIL), minutes(site)
    first = await council.send(sent)
    again = await council.send(sent)
    assert (first.status, again.status) == (201, 200)
    assert first.body == again.body
    jws.verify(first.json["acceptance"].encode(), site.county.hub.signing.public, jws.ACCEPTANCE)


async def test_another_envelope_under_a_used_id_is_refused(site: Site) -> None:
    """A used id stays its first envelope's."""
    council, sent = await site.as_agency(COUNCIL), minutes(site)
    assert (await council.send(sent)).status == 201
    other = await council.send(minutes(site, id=sent.id))
    assert (other.status, other.code) == (409, "envelope-id-reused")


async def test_a_batch_has_one_outcome_each_in_order(site: Site) -> None:
    """What is wrong with one envelope is its own affair."""
    council, good = await site.as_agency(COUNCIL), minutes(site)
    foreign = site.county.seal("info.report/1", CAIT, [MASH], parties=[MASH])
    answer = await council.post("/v1/envelopes", batch(good.raw, b"junk", foreign.raw, good.raw), BATCH_MEDIA_TYPE)
    assert answer.status == 207
    outcomes = answer.json["outcomes"]
    assert [outcome["status"] for outcome in outcomes][0::3] == [201, 200]
    assert [outcome["problem"]["code"] for outcome in outcomes[1:3]] == ["envelope-parts", "sender-not-caller"]
    assert outcomes[0]["acceptance"] == outcomes[3]["acceptance"]


async def test_a_batch_that_is_cut_wrongly_is_refused_whole(site: Site) -> None:
    """Nothing of it is guessed at."""
    council = await site.as_agency(COUNCIL)
    for body in (b"", b"\0", b"\0\0\0\0", b"\0\0\0\5abc", b"\xff\xff\xff\xffx", batch(b"a") + b"\0"):
        answer = await council.post("/v1/envelopes", body, BATCH_MEDIA_TYPE)
        assert (answer.status, answer.code) == (400, "envelope-batch"), body


async def test_what_is_no_envelope_is_malformed(site: Site) -> None:
    """400 with the code of what is wrong."""
    council = await site.as_agency(COUNCIL)
    for raw in (b"", b"a\nb\nc", b"a.b.c\nd.e.f\n", bytes(500)):
        assert (await council.post("/v1/envelopes", raw, MEDIA_TYPE)).status == 400, raw


async def test_only_an_envelope_is_taken_for_one(site: Site) -> None:
    """Another media type is refused before it is read."""
    answer = await (await site.as_agency(COUNCIL)).post("/v1/envelopes", {"a": 1})
    assert (answer.status, answer.code) == (415, "media-type")


async def test_the_sender_sees_every_delivery_and_a_recipient_its_own(site: Site) -> None:
    """Receipts go to the sender; a recipient sees no other's."""
    council, health = await site.as_agency(COUNCIL), await site.as_agency(HEALTH)
    sent = site.county.seal("minutes.full/1", MASH, [CAIT, NURSES], facts={"variant": "full"}, parties=[CAIT, NURSES])
    assert (await council.send(sent)).status == 201
    receipt = site.county.receipt(sent, NURSES, "collected").decode()
    assert (await health.post("/v1/receipts", {"receipts": [receipt]})).json["outcomes"][0]["status"] == 201
    whole = (await council.get(f"/v1/envelopes/{sent.id}")).json
    assert {one["mailbox"]: one["levels"] for one in whole["deliveries"]} == {CAIT: [], NURSES: ["collected"]}
    part = (await health.get(f"/v1/envelopes/{sent.id}")).json
    assert [one["mailbox"] for one in part["deliveries"]] == [NURSES]


async def test_what_is_foreign_and_what_is_not_there_look_the_same(site: Site) -> None:
    """One answer, byte for byte, for an envelope of others and for none."""
    council, police, sent = await site.as_agency(COUNCIL), await site.as_agency(POLICE), minutes(site)
    assert (await council.send(sent)).status == 201
    for path in ("", "/body"):
        foreign = await police.get(f"/v1/envelopes/{sent.id}{path}")
        absent = await police.get(f"/v1/envelopes/{new_id(site.county.now)}{path}")
        assert (foreign.status, foreign.body) == (404, absent.body)
        assert (await police.get(f"/v1/envelopes/nonsense{path}")).status == 404
    for method, path, raw in (
        ("POST", "withdrawal", site.county.withdrawal(sent)),
        ("PUT", "wraps", site.county.wraps(sent.header, sent.content_key)),
    ):
        foreign = await police.call(method, f"/v1/envelopes/{sent.id}/{path}", raw, JOSE)
        assert (foreign.status, foreign.code) == (404, "not-found")


async def test_a_body_is_read_by_ranges(site: Site) -> None:
    """A broken download goes on where it stopped."""
    council, health, sent = await site.as_agency(COUNCIL), await site.as_agency(HEALTH), minutes(site)
    assert (await council.send(sent)).status == 201
    path, body = f"/v1/envelopes/{sent.id}/body", sent.raw.split(b"\n", 2)[2]
    whole = await health.get(path)
    assert (whole.status, whole.body, whole.headers["Accept-Ranges"]) == (200, body, "bytes")
    for text, part in (("bytes=100-", body[100:]), ("bytes=0-99", body[:100]), ("bytes=-7", body[-7:])):
        answer = await health.get(path, Range=text)
        assert (answer.status, answer.body) == (206, part)
    assert (await health.get(path, Range="bytes=5-5")).headers["Content-Range"] == f"bytes 5-5/{len(body)}"
    beyond = await health.get(path, Range=f"bytes={len(body)}-")
    assert (beyond.status, beyond.code) == (416, "range-unsatisfiable")
    assert (await health.get(path, Range="pages=1-2")).body == body


async def test_wraps_are_replaced_and_an_envelope_is_withdrawn(site: Site) -> None:
    """The sender may seal again, and take back what nobody has collected."""
    council, health, sent = await site.as_agency(COUNCIL), await site.as_agency(HEALTH), minutes(site)
    assert (await council.send(sent)).status == 201
    wraps = site.county.wraps(sent.header, sent.content_key)
    replaced = await council.call("PUT", f"/v1/envelopes/{sent.id}/wraps", wraps, JOSE)
    assert replaced.json == {"status": "replaced"}
    taken = await council.post(f"/v1/envelopes/{sent.id}/withdrawal", site.county.withdrawal(sent), JOSE)
    assert taken.json == {"state": "withdrawn"}
    assert (await health.get(f"/v1/envelopes/{sent.id}/body")).status == 404
    entries = (await health.get(f"/v1/mailboxes/{NURSES}/feed")).json["entries"]
    assert {entry["kind"] for entry in entries} == {"tombstone"}


async def test_receipts_have_one_outcome_each(site: Site) -> None:
    """A receipt for nothing doesn't spoil the one beside it, and a repeat is answered as before."""
    council, health, sent = await site.as_agency(COUNCIL), await site.as_agency(HEALTH), minutes(site)
    assert (await council.send(sent)).status == 201
    good = site.county.receipt(sent, NURSES, "collected").decode()
    unknown = site.county.receipt(minutes(site), NURSES, "collected").decode()
    answer = await health.post("/v1/receipts", {"receipts": [good, "junk", unknown, good]})
    outcomes = answer.json["outcomes"]
    assert [outcome["status"] for outcome in outcomes] == [201, 400, 404, 200]
    assert outcomes[0]["index"] == outcomes[3]["index"]
    entries = (await council.get(f"/v1/mailboxes/{MASH}/feed")).json["entries"]
    assert [entry["jws"] for entry in entries if entry["kind"] == "receipt"] == [good]


async def test_a_request_of_another_shape_is_refused(site: Site) -> None:
    """Unknown, missing and ill-typed members are named, never guessed."""
    health = await site.as_agency(HEALTH)
    shapes = [{}, {"receipts": []}, {"receipts": "x"}, {"receipts": [1]}, {"receipts": ["x"], "more": 1}, [], "x", 7]
    for value in shapes:
        answer = await health.post("/v1/receipts", value)
        assert (answer.status, answer.code) == (400, "json-shape"), value


async def test_the_sealed_bytes_are_kept_as_they_came(site: Site) -> None:
    """What the recipient gets is what the sender sealed."""
    council, health, sent = await site.as_agency(COUNCIL), await site.as_agency(HEALTH), minutes(site)
    assert (await council.send(sent)).status == 201
    answer = await health.get(f"/v1/envelopes/{sent.id}/body")
    assert sha256(answer.body) == sha256(sent.raw.split(b"\n", 2)[2])
