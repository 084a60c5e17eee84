"""The unmodified client sends, collects, acknowledges and tracks what is ours; nothing is taken for a receipt of a person's."""

from __future__ import annotations

import pytest

from hub import mesh
from tests.county import CAIT, MASH, NURSES, PAEDIATRICS
from tests.mesh.support import ALIAS, MASH_ADDRESS, ODS, Post

MINUTES = "minutes.full/1"
WORKFLOW = "SAFEGUARDING_MINUTES_FULL"


async def test_an_envelope_goes_from_mailbox_to_mailbox(post: Post) -> None:
    """It arrives byte for byte, under the id that its sender was given, until it is acknowledged."""
    sent = post.county.seal(MINUTES, MASH, [NURSES])
    name = await post.send(sent, local_id="L-1", filename="J Smith.pdf", subject="J Smith", partner_id="P-1")
    assert await post.inbox(NURSES) == [name]
    content, headers = await post.read(NURSES, name)
    assert content == sent.raw
    assert {key: headers[key] for key in ("from", "to", "workflowid", "localid", "partnerid", "messagetype")} == {
        "from": MASH_ADDRESS, "to": ALIAS, "workflowid": WORKFLOW, "localid": "L-1", "partnerid": "P-1", "messagetype": "DATA",
    }  # fmt: skip
    assert "subject" not in headers
    assert headers["filename"] == f"{name}.dat"
    assert await post.use(MASH, lambda client: client.track_message(name)["status"]) == "accepted"
    await post.acknowledge(NURSES, name)
    await post.acknowledge(NURSES, name)
    assert await post.inbox(NURSES) == []
    assert await post.use(MASH, lambda client: client.track_message(name)["status"]) == "acknowledged"


async def test_acknowledging_is_no_receipt(post: Post) -> None:
    """What was acknowledged by MESH is still owed: no receipt of ours, and the obligation is open."""
    sent = post.county.seal(MINUTES, MASH, [NURSES])
    await post.acknowledge(NURSES, await post.send(sent))
    (delivery,) = await post.site.hub.store.read(lambda tx: tx.deliveries_of(sent.id))
    owed = await post.site.hub.store.read(lambda tx: tx.receipts_owed(sent.header.thread, NURSES))
    assert delivery.state == "owed"
    assert [row.state for row in owed] == ["open"] * len(owed) != []
    assert not await post.site.hub.store.read(lambda tx: tx.receipts_of(sent.id))


async def test_a_receipt_is_a_message_on_the_workflow_of_acknowledgements(post: Post) -> None:
    """It settles what is owed and reaches the sender as it was signed, with the local id of what it is for."""
    sent = post.county.seal(MINUTES, MASH, [NURSES])
    await post.send(sent, local_id="L-1")
    for level in ("collected", "filed", "opened", "acknowledged"):
        signed = post.county.receipt(sent, NURSES, level)
        name = await post.use(
            NURSES, lambda client, signed=signed: client.send_message(MASH_ADDRESS, signed, workflow_id=f"{WORKFLOW}_ACK")
        )  # fmt: skip
        content, headers = await post.read(MASH, name)
        assert (content, headers["workflowid"], headers["localid"]) == (signed, f"{WORKFLOW}_ACK", "L-1")
        assert headers["from"] == ALIAS
    assert name in await post.inbox(MASH, workflow_filter="*_ACK*")
    assert not await post.site.hub.store.read(lambda tx: tx.receipts_owed(sent.header.thread, NURSES))


async def test_notices_are_messages_too(post: Post) -> None:
    """What the hub says to a mailbox waits in its inbox as it was signed."""
    sent = post.county.seal(MINUTES, MASH, [NURSES])
    await post.send(sent)
    await post.site.desk.receive(sent, NURSES, "collected", "declined")
    (name,) = await post.inbox(MASH, workflow_filter=mesh.NOTICES)
    content, headers = await post.read(MASH, name)
    assert headers["from"] == "HUB"
    assert content.count(b".") == 2


async def test_what_comes_by_the_api_waits_for_mesh_and_the_other_way_round(post: Post) -> None:
    """A recipient without MESH gets what was sent by it, and a MESH mailbox what was sent without."""
    sent = post.county.seal(MINUTES, MASH, [CAIT, NURSES])
    await post.site.desk.send(sent)
    (name,) = await post.inbox(NURSES)
    assert (await post.read(NURSES, name))[0] == sent.raw
    other = post.county.seal(MINUTES, MASH, [CAIT])
    await post.send(other, to=CAIT.replace("/", "_").upper())
    assert (await post.site.hub.store.read(lambda tx: tx.deliveries_of(other.id)))[0].mailbox == CAIT


async def test_lookup_finds_who_may_get_it(post: Post) -> None:
    """By ODS code and workflow; nobody for a code or a workflow that isn't there."""
    found = await post.use(MASH, lambda client: client.lookup_endpoint(ODS, WORKFLOW)["results"])
    assert {"mailbox_id": ALIAS, "mailbox_name": "safeguarding"} in found
    for ods, workflow in (("X99", WORKFLOW), (ODS, "NOTHING")):
        assert await post.use(MASH, lambda client, one=(ods, workflow): client.lookup_endpoint(*one)["results"]) == []


async def test_ping_handshake_and_count(post: Post) -> None:
    """The client is told that it is there, known, and how much waits."""
    await post.send(post.county.seal(MINUTES, MASH, [NURSES]))
    assert await post.use(NURSES, lambda client: client.ping()) == {"status": "ok"}
    assert await post.use(NURSES, lambda client: client.handshake()) == b"hello"
    with pytest.warns(DeprecationWarning, match="count_messages"):
        assert await post.use(NURSES, lambda client: client.count_messages()) == 1
    assert await post.inbox(PAEDIATRICS) == []
