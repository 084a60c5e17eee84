"""A sender hears that its message was not taken: at our deadline, once, and only where that is so."""

from __future__ import annotations

import pytest
import requests

from schemas.envelope import DAY
from tests.county import MASH, NURSES, PAEDIATRICS, Sent
from tests.mesh.support import ALIAS, Post

WORKFLOW = "SAFEGUARDING_MINUTES_FULL"
MINUTE = 60_000


async def _overdue(post: Post, *, after: bool = True) -> Sent:
    """Return minutes whose receipt is overdue now, or will be in a minute."""
    sent = post.county.seal("minutes.full/1", MASH, [NURSES])
    await post.send(sent, local_id="L-1")
    (owed,) = await post.site.hub.store.read(lambda tx: tx.receipts_owed(sent.header.thread, NURSES))
    post.county.now = owed.duty.due + (1 if after else -MINUTE)
    await post.site.desk.tick()
    return sent


async def _reports(post: Post) -> list[str]:
    return [name for name in await post.inbox(MASH) if name.startswith("P")]


async def test_the_report_comes_at_our_deadline_and_once(post: Post) -> None:
    """Not a minute earlier; empty, with MESH's code 14 and what it is about, until it is acknowledged itself."""
    await _overdue(post, after=False)
    (name,) = await post.inbox(NURSES, workflow_filter=WORKFLOW)
    assert await _reports(post) == []
    post.county.now += 2 * MINUTE
    (report,) = await _reports(post)
    content, headers = await post.read(MASH, report)
    wanted = {
        "messagetype": "REPORT", "linkedmsgid": name, "localid": "L-1", "workflowid": WORKFLOW, "to": ALIAS,
        "statuscode": "14", "statusevent": "SEND", "statussuccess": "ERROR", "chunk-range": "1:0", "messageid": report,
    }  # fmt: skip
    assert (content, {key: headers.get(key) for key in wanted}) == (b"", wanted)
    assert "content-type" not in headers
    assert await post.use(MASH, lambda client: client.track_message(name)["status"]) == "undeliverable"
    for _ in range(2):
        await post.acknowledge(MASH, report)
        post.county.now += DAY
        assert await _reports(post) == []
    with pytest.raises(requests.HTTPError, match="410"):
        await post.read(MASH, report)
    # Late is not lost: it is still there to be collected.
    assert await post.inbox(NURSES, workflow_filter=WORKFLOW) == [name]


async def test_acknowledging_by_mesh_keeps_no_report_away(post: Post) -> None:
    """A message that was collected, and of which nobody has taken receipt, is reported all the same."""
    sent = post.county.seal("minutes.full/1", MASH, [NURSES])
    await post.acknowledge(NURSES, await post.send(sent))
    (owed,) = await post.site.hub.store.read(lambda tx: tx.receipts_owed(sent.header.thread, NURSES))
    post.county.now = owed.duty.due + 1
    assert len(await _reports(post)) == 1


async def test_what_was_taken_in_time_or_late_before_it_was_asked_is_not_reported(post: Post) -> None:
    """A receipt ends the wait, though it came a minute late."""
    sent = await _overdue(post)
    await post.site.desk.receive(sent, NURSES, "collected", "filed", "opened", "acknowledged")
    assert await _reports(post) == []


async def test_what_was_taken_back_is_not_reported(post: Post) -> None:
    """Its sender knows."""
    from hub import amendments

    sent = post.county.seal("minutes.full/1", MASH, [NURSES])
    name = await post.send(sent)
    hub = post.site.hub
    said = post.county.withdrawal(sent)
    await amendments.withdraw_envelope(
        hub.store, hub.registry, MASH.partition("/")[0], sent.id, said, post.county.now, hub.keyring.signing
    )
    assert name not in await post.inbox(NURSES)
    with pytest.raises(requests.HTTPError, match="410"):
        await post.read(NURSES, name)
    post.county.now += 6 * DAY
    assert await _reports(post) == []


async def test_nobody_is_reported_by_a_clock_in_doubt(post: Post) -> None:
    """The report comes once the clock can be trusted again."""
    await _overdue(post)
    post.site.hub.rounds.in_doubt = True
    assert await _reports(post) == []
    post.site.hub.rounds.in_doubt = False
    assert len(await _reports(post)) == 1


async def test_reports_go_through_pages_before_the_feed(post: Post) -> None:
    """Twelve reports and the feed's entries come in pages of ten, each once."""
    for _ in range(12):
        await post.send(post.county.seal("minutes.full/1", MASH, [NURSES]))
    post.county.now += 30 * DAY
    await post.site.desk.tick()
    listed = await post.use(MASH, lambda client: list(client.iterate_message_ids(batch_size=10)))
    assert len(set(listed)) == len(listed)
    assert [name[0] for name in listed].count("P") == 12
    assert all(name[0] == "P" for name in listed[:12])
    assert {name[0] for name in listed[12:]} == {"N"}


async def test_nobody_acknowledges_anothers_report(post: Post) -> None:
    """To another mailbox there is no such message."""
    await _overdue(post)
    (report,) = await _reports(post)
    for mailbox in (NURSES, PAEDIATRICS):
        with pytest.raises(requests.HTTPError, match="404"):
            await post.acknowledge(mailbox, report)
    assert await _reports(post) == [report]
