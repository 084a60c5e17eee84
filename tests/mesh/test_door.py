"""Who may do what at the front door, what it costs at most, and what it leaves behind."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import mesh_client
import pytest
import requests
from yarl import URL

from hub import mesh
from hub.store.base import Store
from hub.web.app import Server
from hub.web.mesh.app import OPERATIONS, ROOT
from hub.web.mesh.uploading import MAX_UPLOADS
from hub.wiring import make_hub
from keys.mesh import Secrets
from schemas.envelope import DAY
from tests.county import MASH, NURSES, PAEDIATRICS
from tests.mesh.support import ALIAS, MASH_ADDRESS, Post, open_post
from tests.web.support import open_site

MINUTES = "minutes.full/1"
WORKFLOW = "SAFEGUARDING_MINUTES_FULL"
PLACES = {"mailbox": MASH_ADDRESS, "id": "X", "number": "2", "ods": "X26", "workflow": WORKFLOW, "local_id": "L"}
ASKED = [(method, ROOT + one.path.format(**PLACES)) for one in OPERATIONS for method in one.methods]


async def test_every_operation_asks_who_calls(post: Post) -> None:
    """Nobody, an unknown mailbox, a wrong password or shared key, a gateway's token: the same 403; another's path too."""
    bearer = (await post.site.as_agency(MASH.partition("/")[0])).token
    everywhere = ["", "Basic x", f"Bearer {bearer}"]
    wrong = ({"password": "wrong"}, {"shared_key": b"BackBone"}, {"mailbox": "X99"})
    everywhere += [await _token(post, MASH, **changes) for changes in wrong]
    seen = set()
    async with aiohttp.ClientSession() as session:
        for method, path in ASKED:
            other = [await _token(post, NURSES)] if MASH_ADDRESS in path else []
            for token in everywhere + other:
                headers = {"Accept": "application/vnd.mesh.v2+json"} | ({"Authorization": token} if token else {})
                async with session.request(method, post.url + path, headers=headers) as answer:
                    said = await answer.json() if method != "HEAD" else {}
                    assert answer.status == 403, (method, path, token)
                    seen.add(str(said.get("detail")))
    assert len(seen - {"None"}) == 1


async def _token(post: Post, box: str, **changes: Any) -> str:
    made: str = await post.use(box, lambda client: client._session.auth.generate_token(), **changes)
    return made


def test_secrets_are_not_shown() -> None:
    """What somebody prints or logs of a mailbox's secrets says nothing."""
    assert repr(Secrets("password", "key")) == "Secrets()"


async def test_what_is_anothers_is_not_there(post: Post) -> None:
    """A message of another mailbox can't be read, acknowledged or tracked, and says nothing of its existence."""
    name = await post.send(post.county.seal(MINUTES, MASH, [NURSES]), local_id="L-1")

    def refused(work: Any) -> Any:
        with pytest.raises(requests.HTTPError, match="404") as caught:
            work()
        return caught.value.response.json()["detail"]

    def ask(client: mesh_client.MeshClient) -> list[Any]:
        return [
            refused(lambda: client.retrieve_message(name)),
            refused(lambda: client.acknowledge_message(name)),
            refused(lambda: client.track_message(name)),
            refused(lambda: client.track_message("NOTHING")),
            refused(lambda: client.retrieve_message("D" + "A" * 32)),
            refused(lambda: client.send_chunk(ALIAS, b"x", 2, 2, message_id=name)),
        ]

    answers = await post.use(PAEDIATRICS, ask)
    assert {str(one) for one in answers} == {str(answers[0])}
    assert await post.inbox(NURSES) == [name]


async def test_an_ended_or_replaced_mailbox_is_refused_at_once(post: Post) -> None:
    """Adding a mailbox again ends its old secrets; ending it ends all."""
    hub, before = post.site.hub, post.secrets[MASH]
    index, kek = hub.registry.snapshot.directory, hub.keyring.secrets_key
    await hub.store.write(lambda tx: mesh.add_mailbox(tx, index, MASH, kek, hub.clock()))
    with pytest.raises(requests.HTTPError, match="403"):
        await post.inbox(MASH)
    assert post.secrets[MASH] == before
    await hub.store.write(lambda tx: mesh.end_mailbox(tx, NURSES, hub.clock()))
    with pytest.raises(requests.HTTPError, match="403"):
        await post.inbox(NURSES)
    assert [leaf["mailbox"] for leaf in await post.site.desk.leaves("mesh-ended")] == [NURSES]


async def test_unfinished_uploads_are_few_and_end(post: Post) -> None:
    """Beyond so many a new one is refused; a day later they are given up, and their content goes."""

    def begin(client: mesh_client.MeshClient) -> list[tuple[int, dict[str, Any]]]:
        answers = [client.send_chunk(ALIAS, b"x", 1, 2, workflow_id=WORKFLOW) for _ in range(MAX_UPLOADS + 1)]
        return [(one.status_code, one.json()) for one in answers]

    begun = await post.use(MASH, begin)
    assert [status for status, _ in begun] == [202] * MAX_UPLOADS + [417]
    post.county.now += DAY
    await post.use(MASH, lambda client: client.handshake())
    name = begun[0][1]["message_id"]
    assert await post.site.hub.store.read(lambda tx: tx.mesh_part_contents(name)) == []
    assert await post.use(MASH, lambda client: client.track_message(name)["status"]) == "error"
    post.county.now += 401 * DAY
    await post.use(MASH, lambda client: client.handshake())
    assert await post.site.hub.store.read(lambda tx: tx.find_mesh_sent(name)) is None


async def test_a_message_in_parts_is_refused_as_a_whole(post: Post) -> None:
    """With the last part comes the refusal, and again for a repeat of it; nothing is delivered or kept."""
    raw = post.county.seal(MINUTES, MASH, [NURSES]).raw[:-1]

    def send(client: mesh_client.MeshClient) -> dict[str, Any]:
        name = client.send_chunk(ALIAS, raw[:2000], 1, 2, workflow_id=WORKFLOW).json()["message_id"]
        for status in ("400", "417"):
            with pytest.raises(requests.HTTPError, match=status):
                client.send_chunk(ALIAS, raw[2000:], 2, 2, message_id=name)
        tracked: dict[str, Any] = dict(client.track_message(name))
        return tracked

    tracked = await post.use(MASH, send)
    assert (tracked["status"], tracked["status_success"], tracked["status_code"]) == ("error", False, "11")
    assert await post.inbox(NURSES) == []


async def test_the_old_version_has_its_own_names(post: Post) -> None:
    """Sending, listing, tracking by local id and lookup, as other clients ask for them."""
    sent, box = post.county.seal(MINUTES, MASH, [NURSES]), f"/messageexchange/{MASH_ADDRESS}"

    async def call(method: str, path: str, **given: Any) -> tuple[int, Any]:
        headers = {"Accept": "application/json", "Authorization": await _token(post, MASH)} | given.pop("headers", {})
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, post.url + path, headers=headers, **given) as answer,
        ):
            return answer.status, await answer.json()

    said = {"Mex-To": ALIAS, "Mex-WorkflowID": WORKFLOW, "Mex-LocalID": "L-1"}
    status, answer = await call("POST", f"{box}/outbox", data=sent.raw, headers=said)
    assert (status, set(answer)) == (202, {"messageID"})
    status, tracked = await call("GET", f"{box}/outbox/tracking/L-1")
    assert (status, tracked["messageId"], tracked["status"]) == (200, answer["messageID"], "accepted")
    assert (await call("GET", f"{box}/inbox")) == (200, {"messages": []})
    found = (await call("GET", f"/messageexchange/workflowsearch/{WORKFLOW}"))[1]["results"]
    assert {"address": ALIAS, "description": "safeguarding"} in found
    await post.send(post.county.seal(MINUTES, MASH, [NURSES]), local_id="L-1")
    assert (await call("GET", f"{box}/outbox/tracking/L-1"))[0] == 300
    assert (await call("GET", f"{box}/outbox/tracking/L-2"))[0] == 404


async def test_logs_and_figures_name_no_mailbox_and_no_message(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    """A request is logged and counted by its kind."""
    with caplog.at_level(logging.INFO, "hub.web"):
        name = await post.send(post.county.seal(MINUTES, MASH, [NURSES]), local_id="LOCAL-1", subject="J Smith")
        await post.read(NURSES, name)
    told = "".join(str(record.__dict__) for record in caplog.records if record.name.startswith("hub"))
    figures = (await post.site.api.get("/metrics")).body.decode()
    assert "/messageexchange/{mailbox}/outbox" in told
    assert "/messageexchange/{mailbox}/inbox/{id}" in figures
    for secret in (name, "LOCAL-1", "Smith", post.secrets[MASH].password, ALIAS):
        assert secret not in told + figures


async def test_without_being_asked_for_there_is_no_front_door(sqlite_store: Store, tmp_path: Path) -> None:
    """A hub whose configuration doesn't enable it has nothing there."""
    async with open_site(sqlite_store, tmp_path) as site:
        assert (await site.api.get("/messageexchange/_ping")).status == 404


def _walk(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_bytes()


async def test_what_people_type_and_passwords_are_nowhere_on_disk(post: Post, tmp_path: Path) -> None:
    """Subject and file name go no further than the request; secrets are kept sealed."""
    await post.send(post.county.seal(MINUTES, MASH, [NURSES]), subject="J Smith", filename="J Smith.pdf")
    kept = b"".join(_walk(tmp_path))
    assert WORKFLOW.encode() in kept
    for secret in (b"J Smith", *(text.encode() for one in post.secrets.values() for text in one)):
        assert secret not in kept


async def test_two_hubs_on_one_database_are_one_front_door(store: Store, tmp_path: Path) -> None:
    """A token that was used at one is used at both, and a message's parts may go to either."""
    async with open_post(store, tmp_path) as post:
        first = post.site.hub
        other = make_hub(first.config, store, first.registry, first.keyring, first.clock)  # type: ignore[arg-type]
        raw = post.county.seal(MINUTES, MASH, [NURSES]).raw
        async with Server(other) as server, aiohttp.ClientSession() as session:
            second = f"http://127.0.0.1:{server.port}"
            headers = {"Authorization": await _token(post, MASH)}
            for base, path, status in (
                (post.url, "inbox", 200), (second, "inbox", 200), (second, "count", 403),
            ):  # fmt: skip
                asked = f"{base}/messageexchange/{MASH_ADDRESS}/{path}"
                async with session.get(asked, headers=headers) as answer:
                    assert answer.status == status
            begun = await post.use(
                MASH, lambda client: client.send_chunk(ALIAS, raw[:2000], 1, 2, workflow_id=WORKFLOW)
            )
            name = begun.json()["message_id"]
            await post.use(MASH, lambda client: client.send_chunk(ALIAS, raw[2000:], 2, 2, message_id=name), url=second)
        (got,) = await post.inbox(NURSES)
        assert (await post.read(NURSES, got))[0] == raw
        await post.acknowledge(NURSES, got)
        assert await post.inbox(NURSES) == []


async def test_acknowledged_out_of_order_is_acknowledged(post: Post) -> None:
    """The last of four first, then the rest: each leaves the inbox, none of the others does."""
    names = [await post.send(post.county.seal(MINUTES, MASH, [NURSES])) for _ in range(4)]
    left = list(names)
    for place in (3, 1, 0, 2):
        await post.acknowledge(NURSES, names[place])
        left.remove(names[place])
        assert await post.inbox(NURSES) == left
        with pytest.raises(requests.HTTPError, match="410"):
            await post.read(NURSES, names[place])
    row = await post.site.hub.store.read(lambda tx: tx.find_mesh_mailbox(NURSES))
    assert row is not None
    assert row.through >= 4


async def test_a_failure_while_reading_leaves_the_message(post: Post) -> None:
    """The client acknowledges when its block ends well, and not when it doesn't."""
    name = await post.send(post.county.seal(MINUTES, MASH, [NURSES]))

    def fail(client: mesh_client.MeshClient) -> None:
        with client.retrieve_message(name):
            raise LookupError

    with pytest.raises(LookupError):
        await post.use(NURSES, fail)
    assert await post.inbox(NURSES) == [name]

    def read(client: mesh_client.MeshClient) -> None:
        with client.retrieve_message(name) as message:
            message.read()

    await post.use(NURSES, read)
    assert await post.inbox(NURSES) == []


async def test_what_the_agreement_forbids_is_refused_with_its_code_and_logged(post: Post) -> None:
    """A type that the sender may not send is 16; the refusal is in the audit log like the API's."""
    forbidden = post.county.seal("intel.digest/1", NURSES, [MASH])
    with pytest.raises(mesh_client.MeshError) as caught:
        await post.send(forbidden, to=MASH_ADDRESS)
    assert caught.value.args[1]["detail"][0]["code"] == "16"
    assert [leaf["outcome"] for leaf in await post.site.desk.leaves("envelope-refused")] == ["type-not-allowed"]


async def test_a_commit_that_was_kept_but_reported_lost_is_one_message(post: Post) -> None:
    """The hub accepted the envelope and ended before it noted the message: sending again notes it, and delivers nothing twice."""
    sent = post.county.seal(MINUTES, MASH, [NURSES])
    await post.site.desk.send(sent)
    name = await post.send(sent, local_id="L-1")
    assert await post.inbox(NURSES) == [name]
    assert (await post.use(MASH, lambda client: client.track_message(name)))["local_id"] == "L-1"
    assert len(await post.site.desk.leaves("envelope-accepted")) == 1


async def test_odd_names_are_nobodys(store: Store, tmp_path: Path) -> None:
    """Characters that a database doesn't take, or no name has, are answered like any unknown name."""
    async with open_post(store, tmp_path) as post, aiohttp.ClientSession() as session:
        for path in (
            "inbox/%00", "inbox/D%C3%A9", "inbox/P%00", "inbox/X/9999999", "outbox/tracking?messageID=%00",
            "outbox/tracking/%00", "outbox/tracking?messageID=%ED%A0%80",
        ):  # fmt: skip
            asked = URL(f"{post.url}/messageexchange/{MASH_ADDRESS}/{path}", encoded=True)
            async with session.get(asked, headers={"Authorization": await _token(post, MASH)}) as answer:
                assert (answer.status, (await answer.json())["errorCode"]) == (404, "20"), path


async def test_a_refused_upload_may_be_tried_again(post: Post) -> None:
    """What was refused once isn't the answer to the same message sent anew."""
    raw = post.county.seal(MINUTES, MASH, [NURSES]).raw

    def send(client: mesh_client.MeshClient, end: bytes) -> str:
        began = client.send_chunk(ALIAS, raw[:2000], 1, 2, workflow_id=WORKFLOW, local_id="L-1")
        name: str = began.json()["message_id"]
        client.send_chunk(ALIAS, end, 2, 2, message_id=name)
        return name

    with pytest.raises(requests.HTTPError, match="400"):
        await post.use(MASH, lambda client: send(client, raw[2000:-1]))
    name = await post.use(MASH, lambda client: send(client, raw[2000:]))
    assert await post.use(MASH, lambda client: client.track_message(name)["status"]) == "accepted"
    assert len(await post.inbox(NURSES)) == 1


async def test_each_recipient_can_be_sent_to_by_its_own_message(post: Post) -> None:
    """One envelope to two, sent to each: two ids, one delivery each, tracked apart."""
    sent = post.county.seal(MINUTES, MASH, [NURSES, PAEDIATRICS])
    other = PAEDIATRICS.replace("/", "_").upper()
    names = [await post.send(sent, to=ALIAS), await post.send(sent, to=other)]
    assert await post.inbox(NURSES) == names[:1]
    assert await post.inbox(PAEDIATRICS) == names[1:]
    await post.acknowledge(PAEDIATRICS, names[1])
    tracked = [await post.use(MASH, lambda client, n=n: client.track_message(n)["status"]) for n in names]
    assert tracked == ["accepted", "acknowledged"]


async def test_a_look_at_the_headers_has_no_content(post: Post) -> None:
    """HEAD says what GET would; the handshake may be a GET, and needs what the client says of itself."""
    name = await post.send(post.county.seal(MINUTES, MASH, [NURSES]))
    box = f"{post.url}/messageexchange/{ALIAS}"
    said = {"Mex-ClientVersion": "x", "Mex-OSName": "x", "Mex-OSVersion": "x"}
    async with aiohttp.ClientSession() as session:
        for method, path, more, status in (
            ("HEAD", f"{box}/inbox/{name}", {}, 200),
            ("GET", box, said, 200),
            ("POST", box, said, 200),
            ("POST", box, {}, 400),
        ):
            headers = {"Authorization": await _token(post, NURSES)} | more
            async with session.request(method, path, headers=headers) as answer:
                assert answer.status == status
                assert method != "HEAD" or (answer.headers["Mex-MessageID"], await answer.read()) == (name, b"")
