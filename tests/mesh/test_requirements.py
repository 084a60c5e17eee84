"""What the real client needs of a front door, requirement by requirement (MESH 7, 1 to 14)."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import mesh_client
import pytest
import requests

from hub import mesh
from hub.store.base import Store
from schemas.directory import MESH_RESERVED
from tests.county import MASH, NURSES, Sent
from tests.mesh.proxy import losing, terminating
from tests.mesh.support import ALIAS, MASH_ADDRESS, Post, open_post

MINUTES = "minutes.full/1"
WORKFLOW = "SAFEGUARDING_MINUTES_FULL"
BOX = f"/messageexchange/{MASH_ADDRESS}"


def minutes(post: Post, size: int = 0) -> Sent:
    """Return minutes to the hospital, with a document of *size* bytes more."""
    return post.county.seal(MINUTES, MASH, [NURSES], documents=(b'{"fictional":true}', b"x" * size)[: 2 if size else 1])


async def call(post: Post, method: str, path: str, token: str, **given: Any) -> tuple[int, Any, dict[str, str]]:
    """Return status, JSON and headers of one request with this token."""
    headers = {"Accept": "application/vnd.mesh.v2+json", "Authorization": token} | given.pop("headers", {})
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, post.url + path, headers=headers, allow_redirects=False, **given) as answer,
    ):
        body = await answer.read()
        return answer.status, (await answer.json() if body else None), dict(answer.headers)


async def token_of(post: Post, mailbox: str = MASH, **changes: Any) -> str:
    """Return a fresh token as the client makes it."""
    return await post.use(mailbox, lambda client: client._session.auth.generate_token(), **changes)


async def test_1_a_repeat_with_the_same_token_is_answered_again(post: Post) -> None:
    """The answer to a listing and to an acknowledgement is lost once; the client's own repeat gets it."""
    name = await post.send(minutes(post))
    async with losing(post.site.port, 1) as url:
        assert await post.use(NURSES, lambda client: client.list_messages(), url=url) == [name]
    async with losing(post.site.port, 1) as url:
        await post.use(NURSES, lambda client: client.acknowledge_message(name), url=url)
    assert await post.inbox(NURSES) == []


async def test_1_a_token_is_good_for_one_request(post: Post) -> None:
    """Another method, path or body with it is refused; the same request is answered the same."""
    token = await token_of(post)
    assert (await call(post, "GET", f"{BOX}/inbox", token))[0] == 200
    assert (await call(post, "GET", f"{BOX}/inbox", token))[0] == 200
    for method, path, given in (
        ("GET", f"{BOX}/inbox?max_results=10", {}),
        ("GET", f"{BOX}/count", {}),
        ("POST", BOX, {}),
        ("POST", f"{BOX}/outbox", {"data": b"x"}),
    ):
        assert (await call(post, method, path, token, **given))[0] == 403


async def test_1_what_was_not_processed_does_not_use_up_its_token(post: Post) -> None:
    """A hub that is too busy says 503, and the client's repeat with the same token is served."""
    memory = post.site.hub.memory
    memory.requests = memory.max_requests
    asyncio.get_running_loop().call_later(0.3, memory.leave, 0)
    assert await post.use(NURSES, lambda client: client.list_messages(), retry_backoff_factor=0.4) == []


async def test_1_the_time_is_within_two_hours(post: Post) -> None:
    """A token from two hours and a minute ago, or ahead, is refused."""
    for minutes_off, status in ((-121, 403), (-119, 200), (119, 200), (121, 403)):
        post.county.now += minutes_off * 60_000
        token = await token_of(post)
        post.county.now -= minutes_off * 60_000
        assert (await call(post, "GET", f"{BOX}/inbox", token))[0] == status, minutes_off


async def test_2_a_send_that_fails_says_so_plainly(post: Post) -> None:
    """Too busy to take a message, the hub answers what the client doesn't take for an unknown outcome."""
    memory, sent = post.site.hub.memory, minutes(post)
    memory.requests = memory.max_requests
    with pytest.raises(requests.HTTPError, match="500"):
        await post.send(sent)
    memory.leave(0)
    assert await post.inbox(NURSES) == []
    assert await post.send(sent)


@pytest.mark.parametrize("part", [None, 3000])
async def test_3_the_same_message_again_has_the_same_id(post: Post, part: int | None) -> None:
    """Whole or in parts; another body with the same local id is another message."""
    sent = minutes(post)
    first = await post.send(sent, local_id="L-1", max_chunk_size=part)
    assert await post.send(sent, local_id="L-1", max_chunk_size=part) == first
    assert len(await post.inbox(NURSES)) == 1
    assert await post.send(minutes(post), local_id="L-1", max_chunk_size=part) != first
    assert len(await post.inbox(NURSES)) == 2


async def test_3_a_send_whose_answer_was_lost_is_sent_again(post: Post) -> None:
    """The client raises; sending the same again gives one message, not two."""
    sent = minutes(post)
    async with losing(post.site.port, 1) as url:
        with pytest.raises(requests.ConnectionError):
            await post.use(MASH, lambda client: client.send_message(ALIAS, sent.raw, workflow_id=WORKFLOW), url=url)
    assert await post.inbox(NURSES) == [await post.send(sent)]


async def test_4_a_later_part_may_come_again(post: Post) -> None:
    """The same bytes are 202 also after completion; other bytes are 423; a part that isn't one of them is 406."""
    raw = minutes(post).raw
    parts = [raw[:2000], raw[2000:4000], raw[4000:]]

    def send(client: mesh_client.MeshClient) -> str:
        first = client.send_chunk(ALIAS, parts[0], 1, 3, workflow_id=WORKFLOW)
        name: str = first.json()["message_id"]
        # The last one first: nothing is delivered until every part is there.
        client.send_chunk(ALIAS, parts[2], 3, 3, message_id=name)
        assert client.track_message(name)["status"] == "uploading"
        for _ in range(3):
            assert client.send_chunk(ALIAS, parts[1], 2, 3, message_id=name).status_code == 202
        for number, content, status in ((2, b"other", "423"), (4, b"x", "406")):
            with pytest.raises(requests.HTTPError, match=status):
                client.send_chunk(ALIAS, content, number, 4 if number == 4 else 3, message_id=name)
        assert client.track_message(name)["status"] == "accepted"
        return name

    await post.use(MASH, send)
    (name,) = await post.inbox(NURSES)
    assert (await post.read(NURSES, name))[0] == raw


async def test_5_success_is_202_with_an_id_and_nothing_of_an_error(post: Post) -> None:
    """The keys that the client takes for an error are absent."""
    raw = minutes(post).raw
    answer = await post.use(MASH, lambda client: client.send_chunk(ALIAS, raw, 1, 1, workflow_id=WORKFLOW))
    assert (answer.status_code, set(answer.json())) == (202, {"message_id"})


def _refused() -> Iterator[tuple[str, dict[str, Any], str]]:
    yield "unregistered", {"to": "NOBODY"}, "12"
    yield "no-workflow", {"workflow_id": ""}, "06"
    yield "other-workflow", {"workflow_id": "SAFEGUARDING_MINUTES_DECISIONS"}, "17"
    yield "no-such-workflow", {"workflow_id": "X"}, "17"
    yield "url", {"checksum": "http://x"}, "06"
    yield "long", {"local_id": "x" * 301}, "06"
    yield "words", {"local_id": "John Smith"}, "06"
    yield "type", {"content_type": "application/pdf"}, "11"


@pytest.mark.parametrize(("given", "code"), [case[1:] for case in _refused()], ids=[case[0] for case in _refused()])
async def test_6_a_refused_send_is_an_error_that_the_client_reads(post: Post, given: dict[str, Any], code: str) -> None:
    """The client raises its own error, with MESH's code; nothing is kept."""
    with pytest.raises(mesh_client.MeshError) as caught:
        await post.send(minutes(post), **given)
    assert caught.value.args[1]["detail"][0]["code"] == code
    assert await post.inbox(NURSES) == []


async def test_6_what_is_no_envelope_of_the_callers_is_refused(post: Post) -> None:
    """Something else, nothing, another mailbox's, one signed by another, one that the agreement forbids, a bomb."""
    sent, nurses = minutes(post), post.county.seal(MINUTES, NURSES, [MASH])
    bomb = gzip.compress(bytes(80_000_000))
    for mailbox, raw, to, code, headers in (
        (MASH, b"%PDF-1.7", ALIAS, "11", {}),
        (MASH, b"", ALIAS, "02", {}),
        (MASH, nurses.raw, MASH_ADDRESS, "07", {}),
        (NURSES, sent.raw, ALIAS, "07", {}),
        (MASH, sent.raw[:-1], ALIAS, "11", {}),
        (MASH, bomb, ALIAS, "request-too-large", {"Content-Encoding": "gzip"}),
        (MASH, b"no gzip", ALIAS, "11", {"Content-Encoding": "gzip"}),
        (MASH, sent.raw, ALIAS, "content-encoding", {"Content-Encoding": "br"}),
    ):
        path = f"/messageexchange/{post.site.hub.registry.snapshot.directory.mesh_address(mailbox)}/outbox"
        said = {"Mex-To": to, "Mex-WorkflowID": WORKFLOW} | headers
        status, answer, _ = await call(post, "POST", path, await token_of(post, mailbox), data=raw, headers=said)
        assert (answer["detail"][0]["code"], 400 <= status < 500) == (code, True), (code, answer)
    assert await post.inbox(NURSES) == []


async def test_6_every_answer_under_the_path_is_an_object_that_the_client_reads(post: Post) -> None:
    """Not known, no such operation, a wrong method, too long: each has a list of details, in version 1 its own members."""
    for method, path, wanted in (
        ("POST", f"{BOX}/outbox", 403),
        ("POST", "/messageexchange/A/B/C/D/outbox", 404),
        ("DELETE", f"{BOX}/outbox", 404),
        ("GET", "/messageexchange", 404),
        ("GET", f"{BOX}/inbox/", 404),
    ):
        status, answer, headers = await call(post, method, path, "NHSMESH nothing", data=b"x")
        assert (status, set(answer)) == (wanted, {"internal_id", "detail"})
        assert "Location" not in headers
    long = await call(post, "PUT", f"{BOX}/inbox/X/status/acknowledged", await token_of(post), data=b"x" * 5000)
    assert (long[0], long[1]["detail"][0]["code"]) == (413, "request-too-large")
    old = await call(post, "GET", f"{BOX}/inbox", "", headers={"Accept": "application/json"})
    assert (old[0], set(old[1])) == (403, {"messageID", "errorEvent", "errorCode", "errorDescription"})
    bad = await call(post, "GET", f"{BOX}/inbox", "", headers={"Accept": "text/html"})
    assert (bad[0], bad[1]["detail"][0]["code"]) == (400, "06")


async def test_7_compressed_parts_are_kept_as_they_came(post: Post) -> None:
    """What is stored of an unfinished upload is what was sent, and each part opens by itself."""
    raw = minutes(post).raw
    sent = gzip.compress(raw[:2000], mtime=0)
    said = {"Mex-To": ALIAS, "Mex-WorkflowID": WORKFLOW, "Mex-Chunk-Range": "1:2", "Content-Encoding": "gzip"}
    _, answer, _ = await call(post, "POST", f"{BOX}/outbox", await token_of(post), data=sent, headers=said)
    name = answer["message_id"]
    assert await post.site.hub.store.read(lambda tx: tx.mesh_part_contents(name)) == [sent]
    path, changed = f"{BOX}/outbox/{name}/2", {"Mex-Chunk-Range": "2:2"}
    assert (await call(post, "POST", path, await token_of(post), data=raw[2000:], headers=changed))[0] == 417
    changed["Content-Encoding"] = "gzip"
    rest = gzip.compress(raw[2000:])
    assert (await call(post, "POST", path, await token_of(post), data=rest, headers=changed))[0] == 202
    assert (await post.read(NURSES, (await post.inbox(NURSES))[0]))[0] == raw


@pytest.mark.parametrize("part", [None, 500_000])
async def test_8_compressed_content_comes_without_a_length(post: Post, part: int | None) -> None:
    """More than a megabyte, compressed on the way, whole and in parts."""
    sent = minutes(post, 1_500_000)
    await post.send(sent, compress=True, max_chunk_size=part)
    assert (await post.read(NURSES, (await post.inbox(NURSES))[0]))[0] == sent.raw


async def test_9_the_next_page_is_a_path(post: Post) -> None:
    """The client goes through three pages of ten; filtered pages may be empty and go on."""
    names = [await post.send(minutes(post)) for _ in range(23)]
    assert await post.use(NURSES, lambda client: list(client.iterate_message_ids(batch_size=10))) == names
    assert await post.inbox(NURSES, max_results=10) == names[:10]
    for asked, found in (
        ("SAFEGUARDING_*", 23),
        ("!SAFEGUARDING_*", 0),
        (WORKFLOW, 23),
        ("*FULL*", 23),
        ("!*FULL*", 0),
    ):
        listed = await post.use(
            NURSES, lambda client, asked=asked: list(client.iterate_message_ids(workflow_filter=asked, batch_size=10))
        )  # fmt: skip
        assert len(listed) == found, asked


async def test_10_and_11_a_long_message_is_collected_in_parts(sqlite_store: Store, tmp_path: Path) -> None:
    """The first part says how many there are; none is compressed on the way; the one beyond the last is 406."""
    async with open_post(sqlite_store, tmp_path, "part_bytes = 1024") as post:
        sent = minutes(post)
        name = await post.send(sent, compress=True)
        content, headers = await post.read(NURSES, name)
        count = -(-len(sent.raw) // 1024)
        assert (content, headers["chunk-range"], headers["total-chunks"]) == (sent.raw, f"1:{count}", str(count))
        for number, status in ((2, 206), (count, 200)):
            answer = await post.use(NURSES, lambda client, n=number: client.retrieve_message_chunk(name, n))
            assert (answer.status_code, "Content-Encoding" in answer.headers) == (status, False)
            answer.close()
        with pytest.raises(requests.HTTPError, match="406"):
            await post.use(NURSES, lambda client: client.retrieve_message_chunk(name, count + 1))


async def test_12_names_are_upper_case_and_have_no_slash(post: Post) -> None:
    """Of mailboxes and of messages, whole and in parts; words of the interface are nobody's."""
    names = [await post.send(minutes(post)), await post.send(minutes(post), max_chunk_size=3000)]
    index = post.site.hub.registry.snapshot.directory
    addresses = [index.mesh_address(box) for box in index.open_mailboxes(post.county.now)]
    assert len(set(addresses)) == len(addresses)
    assert all(name == name.upper() and "/" not in name for name in (*names, *addresses))
    assert all(mesh.find_address(index, word, post.county.now) is None for word in MESH_RESERVED)


async def test_13_the_client_verifies_the_servers_certificate(post: Post, tmp_path: Path) -> None:
    """Behind what ends TLS, 1.2 or later, all is as without."""
    async with terminating(post.site.port, tmp_path) as (url, authority):
        sent = minutes(post)
        name = await post.use(
            MASH, lambda client: client.send_message(ALIAS, sent.raw, workflow_id=WORKFLOW), url=url, verify=authority
        )  # fmt: skip
        assert await post.use(NURSES, lambda client: client.list_messages(), url=url, verify=authority) == [name]
        with pytest.raises(requests.exceptions.SSLError):
            await post.use(NURSES, lambda client: client.list_messages(), url=url, verify=True, max_retries=0)


async def test_14_lookup_is_for_known_mailboxes(post: Post) -> None:
    """With a wrong password nobody is found."""
    with pytest.raises(requests.HTTPError, match="403"):
        await post.use(MASH, lambda client: client.lookup_endpoint("X26", WORKFLOW), password="wrong")


async def test_6_headers_longer_than_are_read_are_an_error_that_the_client_reads(post: Post) -> None:
    """What is refused before anybody looks at the path has no details that the client would stumble over."""
    with pytest.raises(mesh_client.MeshError):
        await post.send(minutes(post), subject="x" * 5000)


async def test_6_a_long_send_by_a_wrong_password_is_an_error_that_the_client_reads(post: Post) -> None:
    """Refused before its content is read, the client still gets the answer."""
    raw = b"x" * 30_000_000
    with pytest.raises(mesh_client.MeshError, match="password"):
        await post.use(MASH, lambda client: client.send_message(ALIAS, raw, workflow_id=WORKFLOW), password="wrong")
