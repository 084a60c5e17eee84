"""What the real client is promised, by the NHS's sandbox and by our front door alike; where they differ is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import mesh_client
import pytest
import requests
from mesh_client import MeshClient

from hub.store.base import Store
from tests.county import MASH, NURSES, PAEDIATRICS
from tests.mesh import sandbox as boxes
from tests.mesh.sandbox import Sandbox, running_sandbox
from tests.mesh.support import ALIAS, MASH_ADDRESS, ODS, Post, open_post

T = TypeVar("T")
SANDBOX, DOOR = "sandbox", "front door"


class Side(Protocol):
    """One server, with a sender, a recipient and somebody else."""

    name: str
    sender: str
    recipient: str
    workflow: str

    def content(self) -> bytes:
        """Return something new that the sender may send to the recipient."""
        ...

    async def use(self, who: str, work: Callable[[MeshClient], T], /, **changes: Any) -> T:
        """Return what *work* does with the client of the mailbox *who*, on a thread."""
        ...


@dataclass
class Sandboxed:
    """The sandbox."""

    server: Sandbox
    name: str = SANDBOX
    sender: str = boxes.GATEWAY
    recipient: str = boxes.ENGINE
    other: str = boxes.OTHER
    workflow: str = "TEST_WORKFLOW"
    sent: int = 0

    def content(self) -> bytes:
        """Return any bytes."""
        self.sent += 1
        return f"{self.sent} ".encode() + bytes(range(256)) * 40

    async def use(self, who: str, work: Callable[[MeshClient], T], /, **changes: Any) -> T:
        """Return what *work* does."""

        def run() -> T:
            with self.server.client(who, **changes) as made:
                return work(made)

        return await asyncio.to_thread(run)


@dataclass
class Front:
    """Our front door, which takes envelopes only."""

    post: Post
    name: str = DOOR
    sender: str = MASH_ADDRESS
    recipient: str = ALIAS
    other: str = "NORTHMERE-HEALTH_PAEDIATRICS"
    workflow: str = "SAFEGUARDING_MINUTES_FULL"

    def content(self) -> bytes:
        """Return an envelope."""
        return self.post.county.seal("minutes.full/1", MASH, [NURSES]).raw

    async def use(self, who: str, work: Callable[[MeshClient], T], /, **changes: Any) -> T:
        """Return what *work* does."""
        box = {self.sender: MASH, self.recipient: NURSES, self.other: PAEDIATRICS}[who]
        return await self.post.use(box, work, **changes)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """Give one sandbox for all tests."""
    with running_sandbox() as server:
        yield server


@pytest.fixture(params=[SANDBOX, DOOR])
async def side(request: pytest.FixtureRequest, sqlite_store: Store, tmp_path: Path) -> Any:
    """Give each server in turn, with empty mailboxes."""
    if request.param == SANDBOX:
        server = request.getfixturevalue("running")
        server.reset()
        yield Sandboxed(server)
    else:
        async with open_post(sqlite_store, tmp_path) as post:
            yield Front(post)


async def send(side: Side, content: bytes | None = None, **given: Any) -> str:
    """Send, and return the id."""
    raw = side.content() if content is None else content
    said = {"workflow_id": side.workflow, **given}
    return await side.use(side.sender, lambda client: client.send_message(side.recipient, raw, **said))


async def listed(side: Side) -> list[str]:
    """Return what waits for the recipient."""
    return await side.use(side.recipient, lambda client: list(client.iterate_message_ids()))


async def read(side: Side, name: str) -> tuple[bytes, dict[str, str], str]:
    """Return content, headers and type of a message."""

    def work(client: MeshClient) -> tuple[bytes, dict[str, str], str]:
        message = client.retrieve_message(name)
        try:
            return message.read(), dict(message.mex_headers()), message.message_type
        finally:
            message.close()

    return await side.use(side.recipient, work)


async def tracked(side: Side, name: str) -> dict[str, Any]:
    """Return what the sender is told of a message."""
    return dict(await side.use(side.sender, lambda client: client.track_message(name)))


async def status_of(side: Side, who: str, work: Callable[[MeshClient], object], **changes: Any) -> int:
    """Return the status with which *work* is refused; 200 where it isn't."""
    try:
        await side.use(who, work, **changes)
    except requests.HTTPError as error:
        return int(error.response.status_code)
    return 200


async def refusal(side: Any, content: bytes | None = None, **given: Any) -> object:
    """Return the code with which a send is refused."""
    try:
        await send(side, content, **given)
    except mesh_client.MeshError as error:
        return error.args[1]["detail"][0]["code"]
    return "taken"


async def test_a_message_arrives_as_it_was_sent_until_it_is_acknowledged(side: Any) -> None:
    """Bytes, sender, recipient, workflow, LocalID and partner; acknowledged as often as it is said."""
    raw = side.content()
    name = await send(side, raw, local_id="L-1", partner_id="P-1")
    assert await listed(side) == [name]
    content, headers, kind = await read(side, name)
    assert (content, kind) == (raw, "DATA")
    assert {key: headers[key] for key in ("from", "to", "workflowid", "localid", "partnerid", "messageid")} == {
        "from": side.sender, "to": side.recipient, "workflowid": side.workflow, "localid": "L-1", "partnerid": "P-1",
        "messageid": name,
    }  # fmt: skip
    assert (await tracked(side, name))["status"] == "accepted"
    for _ in range(2):
        await side.use(side.recipient, lambda client: client.acknowledge_message(name))
    assert await listed(side) == []
    assert (await tracked(side, name))["status"] == "acknowledged"


@pytest.mark.parametrize(
    "given", [{"max_chunk_size": 2000}, {"compress": True}, {"max_chunk_size": 2000, "compress": True}]
)
async def test_parts_and_compression_don_t_change_what_arrives(side: Any, given: dict[str, Any]) -> None:
    """In parts, compressed, and both."""
    raw = side.content()
    assert len(raw) > 4000
    await send(side, raw, **given)
    (name,) = await listed(side)
    assert (await read(side, name))[0] == raw


async def test_nothing_is_listed_before_every_part_is_there(side: Any) -> None:
    """Of two parts only the first."""
    raw = side.content()

    def begin(client: MeshClient) -> str:
        answer = client.send_chunk(side.recipient, raw[:2000], 1, 2, workflow_id=side.workflow)
        assert answer.status_code == 202
        return str(answer.json()["message_id"])

    name = await side.use(side.sender, begin)
    assert await listed(side) == []
    assert (await tracked(side, name))["status"] == "uploading"
    await side.use(side.sender, lambda client: client.send_chunk(side.recipient, raw[2000:], 2, 2, message_id=name))
    (arrived,) = await listed(side)
    assert (await read(side, arrived))[0] == raw


async def test_a_list_has_pages(side: Any) -> None:
    """Oldest first, ten at once, and all by iterating; a filter leaves out."""
    names = [await send(side) for _ in range(12)]
    found = await side.use(side.recipient, lambda client: client.list_messages(max_results=10))
    assert found == names[:10]
    found = await side.use(side.recipient, lambda client: list(client.iterate_message_ids(batch_size=10)))
    assert found == names
    assert (
        await side.use(side.recipient, lambda client: client.list_messages(workflow_filter=f"!{side.workflow}")) == []
    )


async def test_a_failure_inside_with_leaves_the_message(side: Any) -> None:
    """Leaving `with` by an exception acknowledges nothing; leaving it plainly does."""
    name = await send(side)

    def work(client: MeshClient, fail: bool) -> None:
        with client.retrieve_message(name) as message:
            message.read()
            if fail:
                raise LookupError

    with pytest.raises(LookupError):
        await side.use(side.recipient, lambda client: work(client, fail=True))
    assert await listed(side) == [name]
    await side.use(side.recipient, lambda client: work(client, fail=False))
    assert await listed(side) == []


async def test_lookup_and_handshake(side: Any) -> None:
    """Who may get a workflow is found by the organisation's code; the mailbox is known."""
    found = await side.use(side.sender, lambda client: client.lookup_endpoint(ODS, side.workflow)["results"])
    assert side.recipient in [one["mailbox_id"] for one in found]
    assert await side.use(side.sender, lambda client: client.lookup_endpoint("Y99", side.workflow)["results"]) == []
    assert await side.use(side.sender, lambda client: client.handshake()) == b"hello"


async def test_what_is_refused_alike(side: Any) -> None:
    """An unknown recipient is MESH's 12, nothing at all its 02; a wrong password 403; what isn't there, or is another's, 404."""
    with pytest.raises(mesh_client.MeshError) as caught:
        await side.use(
            side.sender, lambda client: client.send_message("NOBODY", side.content(), workflow_id=side.workflow)
        )
    assert caught.value.args[1]["detail"][0]["code"] == "12"
    assert await refusal(side, b"") == "02"
    assert await status_of(side, side.sender, lambda client: client.handshake(), password="wrong") == 403
    name = await send(side)
    assert await status_of(side, side.recipient, lambda client: client.retrieve_message("NOTHING")) == 404
    assert await status_of(side, side.other, lambda client: client.track_message(name)) == 404


async def _used_token(side: Any) -> object:
    def work(client: MeshClient) -> int:
        token = client._session.auth.generate_token()
        statuses = []
        for path in ("inbox", "count"):
            url = f"{client.mailbox_url}/{path}"
            answer = requests.get(url, headers={"Authorization": token}, timeout=20)
            statuses.append(answer.status_code)
        return statuses[1]

    return await side.use(side.recipient, work)


async def _served_after_acknowledgement(side: Any) -> object:
    name = await send(side)
    await side.use(side.recipient, lambda client: client.acknowledge_message(name))

    def work(client: MeshClient) -> None:
        client.retrieve_message(name).close()

    return await status_of(side, side.recipient, work)


async def _same_again(side: Any) -> object:
    raw = side.content()
    return len({await send(side, raw, local_id="L-1") for _ in range(2)})


async def _subject_and_file_name(side: Any) -> object:
    name = await send(side, subject="a subject", filename="a.pdf")
    headers = (await read(side, name))[1]
    return headers.get("subject", ""), headers["filename"] == "a.pdf"


async def _any_workflow(side: Any) -> object:
    return await refusal(side, workflow_id="NEVER_REGISTERED")


async def _lookup_without_a_password(side: Any) -> object:
    return await status_of(
        side, side.sender, lambda client: client.lookup_endpoint(ODS, side.workflow), password="wrong"
    )


async def _any_content(side: Any) -> object:
    return await refusal(side, b"anything")


# What is asked; what the sandbox does, which is laxer than MESH in places; what our front door does.
DIFFERENCES = {
    "a used token for another request": (_used_token, 200, 403),
    "an acknowledged message": (_served_after_acknowledgement, 200, 410),
    "the same content under the same LocalID: how many messages": (_same_again, 2, 1),
    "subject and file name": (_subject_and_file_name, ("a subject", True), ("", False)),
    "a workflow that nobody registered": (_any_workflow, "taken", "17"),
    "lookup with a wrong password": (_lookup_without_a_password, 200, 403),
    "content that is no envelope": (_any_content, "taken", "11"),
}


@pytest.mark.parametrize("what", DIFFERENCES)
async def test_where_they_differ(side: Any, what: str) -> None:
    """Each difference stands: one that ended, or a new one, shows here."""
    ask, sandbox, door = DIFFERENCES[what]
    assert await ask(side) == (sandbox if side.name == SANDBOX else door)
