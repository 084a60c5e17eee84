"""Drafts that an agency's system posts: signed and recent, durable before the answer, sent once, refused by the rule alone."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from standardwebhooks.webhooks import Webhook

from adapters import desks
from adapters.base import DraftRefused, Spooled
from adapters.conformance import ENVELOPE, THREAD, collect, sample_draft
from adapters.webhook import WebhookAdapter
from adapters.webhook.bodies import MAX_BODY
from adapters.webhook.listening import Pace
from tests.hl7.test_sending import make_certificate
from tests.webhook.agency import DRAFTS_SECRET, NEW_SECRET, SECRET

OPTIONS = {"at": "127.0.0.1:0", "path": "webhook", "drafts_secret": "drafts-secret"}
PAPER = {"name": "letter.pdf", "content": base64.b64encode(b"%PDF\x00\xff").decode()}
SENT = Spooled(envelope=ENVELOPE, thread=THREAD)


def open_adapter(home: Path, secrets: str = DRAFTS_SECRET, **options: Any) -> WebhookAdapter:
    """Return an adapter that will listen."""
    (home / "drafts-secret").write_text(secrets)
    return WebhookAdapter.configure({**OPTIONS, **options}, home)


@pytest.fixture
async def adapter(tmp_path: Path) -> AsyncIterator[WebhookAdapter]:
    """Give an adapter that listens."""
    made = open_adapter(tmp_path)
    await collect(made)
    yield made
    await made.close()


def make_body(*papers: dict[str, str], **changes: Any) -> bytes:
    """Return a body with a draft that has *papers*."""
    draft = sample_draft(attachments=[one["name"] for one in papers], **changes)
    return json.dumps({"type": "draft", "data": {"draft": draft, "documents": list(papers)}}).encode()


def sign(
    body: bytes, name: str = "msg_1", secret: str = DRAFTS_SECRET, *, late: int = 0, **changes: str
) -> dict[str, str]:
    """Return the headers that the library makes for *body*."""
    at = int(time.time()) - late
    signature = Webhook(secret).sign(name, datetime.fromtimestamp(at, UTC), body.decode())
    said = {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": signature}
    return {**said, **{key.replace("_", "-"): value for key, value in changes.items()}}


async def post(
    adapter: WebhookAdapter | None,
    body: bytes,
    headers: dict[str, str] | None = None,
    *,
    path: str = "/drafts",
    port: int = 0,
    **more: Any,
) -> tuple[int, Any]:
    """Post *body*, signed unless *headers* say otherwise; return the status and what is said."""
    if adapter is not None and adapter.listener is not None:
        port = adapter.listener.port
    url = f"{'https' if 'ssl' in more else 'http'}://127.0.0.1:{port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=sign(body) if headers is None else headers, **more) as answer,
    ):
        raw = await answer.read()
        return answer.status, json.loads(raw) if raw.startswith(b"{") else raw


def count_files(home: Path) -> int:
    """Return how many drafts, halves of drafts and notes of drafts there are."""
    return sum(len(list((home / "webhook" / name).iterdir())) for name in ("received", "refused", "done/0"))


async def test_a_draft_is_kept_and_handed_over(adapter: WebhookAdapter, tmp_path: Path) -> None:
    """What was posted is durable when it is answered, and is the draft and documents that it was, also after a restart."""
    assert await post(adapter, make_body(PAPER)) == (202, {"state": "waiting"})
    again = open_adapter(tmp_path)
    for one in (adapter, again):
        (outgoing,) = await collect(one)
        assert outgoing.draft.message == sample_draft()["message"]
        assert [(paper.name, paper.content) for paper in outgoing.documents] == [("letter.pdf", b"%PDF\x00\xff")]
    await again.close()


async def test_a_repeat_is_sent_once_and_says_what_became_of_it(adapter: WebhookAdapter, tmp_path: Path) -> None:
    """The same id and bytes are known while they wait, after they were sent, and after a restart; nothing of them stays."""
    body = make_body(PAPER, author={"name": "Zoë", "role": "named_nurse"})
    for _ in range(2):
        assert await post(adapter, body) == (202, {"state": "waiting"})
    (outgoing,) = await collect(adapter)
    for _ in range(2):
        await outgoing.done(SENT)
    again = open_adapter(tmp_path)
    for one in (adapter, again):
        assert await collect(one) == []
        said = {"state": "sent", "envelope": ENVELOPE, "thread": THREAD}
        assert await post(one, body) == (202, said)
    await again.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "webhook").rglob("*") if path.is_file())
    assert b"Zo" not in kept


async def test_ten_at_once_are_one(adapter: WebhookAdapter) -> None:
    """A system that posts the same ten times at once has one draft."""
    body = make_body()
    answers = await asyncio.gather(*(post(adapter, body) for _ in range(10)))
    assert {status for status, _ in answers} == {202}
    assert len(await collect(adapter)) == 1


async def test_something_else_under_a_used_id_is_refused(adapter: WebhookAdapter) -> None:
    """While it waits, and after it was sent, other content under its id is 409, and isn't taken for it."""
    await post(adapter, make_body())
    other = make_body(PAPER)
    assert (await post(adapter, other))[0] == 409
    (outgoing,) = await collect(adapter)
    await outgoing.done(SENT)
    status, said = await post(adapter, other)
    assert (status, said["code"]) == (409, "webhook-id-used")
    assert (await post(adapter, other, sign(other, "msg_2")))[0] == 202


async def test_what_the_gateway_refuses_is_kept_with_the_reason(adapter: WebhookAdapter, tmp_path: Path) -> None:
    """A draft that can't be sent is in `refused/`, whole, and its repeat says why."""
    body = make_body(PAPER)
    await post(adapter, body)
    (outgoing,) = await collect(adapter)
    await outgoing.done(DraftRefused(code="recipient-unknown", message="m", hint="h"))
    assert await collect(adapter) == []
    (folder,) = (tmp_path / "webhook/refused").iterdir()
    assert (folder / "letter.pdf").read_bytes() == b"%PDF\x00\xff"
    assert await post(adapter, body) == (202, {"state": "refused", "code": "recipient-unknown"})


async def test_only_who_holds_the_secret_is_heard(adapter: WebhookAdapter, tmp_path: Path) -> None:
    """Unsigned, by another secret, over other bytes or another id, too old, from the future: nothing is kept."""
    body = make_body()
    wrong = [
        (401, "webhook-signature", sign(body, secret=SECRET)),
        (401, "webhook-signature", sign(make_body(PAPER))),
        (401, "webhook-signature", sign(body, webhook_id="msg_2")),
        (401, "webhook-signature", sign(body, webhook_signature="")),
        (401, "webhook-signature", sign(body, webhook_signature="v1,*** v2,AAAA v1 ,, v1a,x")),
        (401, "webhook-timestamp", sign(body, late=301 + 60)),
        (401, "webhook-timestamp", sign(body, late=-301 - 60)),
        (401, "webhook-timestamp", sign(body, webhook_timestamp="nan")),
        (401, "webhook-timestamp", sign(body, webhook_timestamp="1" * 400)),
        (400, "webhook-id", sign(body, "a.b")),
        (400, "webhook-id", sign(body, "x" * 129)),
        (400, "webhook-id", {}),
    ]
    for status, code, headers in wrong:
        found, said = await post(adapter, body, headers)
        assert (found, said["code"]) == (status, code)
    assert count_files(tmp_path) == 0
    signed = sign(body)
    signed["webhook-signature"] = f"v1a,AAAA v1,AAAA {signed['webhook-signature']}"
    assert (await post(adapter, body, signed))[0] == 202


async def test_a_secret_is_changed_without_a_gap(tmp_path: Path) -> None:
    """While two secrets are in the file, a draft signed by either is taken; the old one goes without a restart."""
    adapter = open_adapter(tmp_path, f"{DRAFTS_SECRET}\n{NEW_SECRET}\n")
    await collect(adapter)
    body = make_body()
    for number, secret in enumerate((DRAFTS_SECRET, NEW_SECRET)):
        assert (await post(adapter, body, sign(body, f"msg_{number}", secret)))[0] == 202
    assert (await post(adapter, body, sign(body, "msg_3", SECRET)))[0] == 401
    (tmp_path / "drafts-secret").write_text(NEW_SECRET)
    assert (await post(adapter, body, sign(body, "msg_4", DRAFTS_SECRET)))[0] == 401
    (tmp_path / "drafts-secret").write_text("half")
    assert (await post(adapter, body, sign(body, "msg_5", NEW_SECRET)))[0] == 202
    await adapter.close()


def _with(**data: Any) -> bytes:
    return json.dumps({"type": "draft", "data": data}).encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json-syntax"),
        (b"Zoe", "json-syntax"),
        (b'{"type": "Zoe"}', "webhook-body"),
        (b'{"type": "message", "data": {"draft": {}}}', "webhook-body"),
        (b'{"type": "draft"}', "webhook-body"),
        (b'{"type": "draft", "Zoe": 1, "data": {"draft": {}}}', "webhook-body"),
        (b'{"type": "draft", "type": "draft"}', "json-duplicate-member"),
        (_with(draft={"type": 7}), "draft-shape"),
        (_with(draft=sample_draft(type="Zoe")), "draft-shape"),
        (_with(draft=sample_draft(classification="Zoe' - at `x`")), "draft-shape"),
        (_with(draft={**sample_draft(), "Zoe": 1}), "draft-shape"),
        (_with(draft=sample_draft(attachments=["Zoe.pdf"])), "attachment-missing"),
        (_with(draft=sample_draft(attachments=["../Zoe"]), documents=[PAPER]), "document-name"),
        (_with(draft=sample_draft(), documents=[PAPER]), "attachment-missing"),
        (_with(draft=sample_draft(attachments=["letter.pdf"]), documents=[PAPER, PAPER]), "attachment-missing"),
        (
            _with(draft=sample_draft(attachments=["a"]), documents=[{"name": "a", "content": "Zoe*"}]),
            "attachment-unreadable",
        ),
    ],
)
async def test_what_is_malformed_is_told_by_the_rule(
    adapter: WebhookAdapter, tmp_path: Path, body: bytes, code: str
) -> None:
    """The sender gets 400 and the rule, never a value; nothing is kept, and the id stays free."""
    status, said = await post(adapter, body)
    assert (status, said["code"]) == (400, code)
    assert "Zoe" not in json.dumps(said)
    assert count_files(tmp_path) == 0
    assert (await post(adapter, make_body()))[0] == 202


async def test_what_is_too_long_is_not_read(adapter: WebhookAdapter) -> None:
    """A body that is longer than any draft is refused by its length, before it is sent."""
    assert adapter.listener is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", adapter.listener.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in sign(b"{}").items())
    writer.write(f"POST /drafts HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {MAX_BODY + 1}\r\n\r\n".encode())
    assert b" 413 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_packed_bodies_and_other_paths_are_not_taken(adapter: WebhookAdapter) -> None:
    """What would grow when it is unpacked isn't unpacked, and there is nothing but the one path."""
    body = make_body()
    assert (await post(adapter, body, {**sign(body), "Content-Encoding": "gzip"}))[0] == 415
    assert (await post(adapter, body, path="/"))[0] == 404


async def test_half_a_body_is_nothing(adapter: WebhookAdapter, tmp_path: Path) -> None:
    """A system that hangs up in between has sent nothing."""
    assert adapter.listener is not None
    body = make_body()
    _, writer = await asyncio.open_connection("127.0.0.1", adapter.listener.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in sign(body).items())
    writer.write(f"POST /drafts HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:50])
    await writer.drain()
    writer.transport.abort()
    assert (await post(adapter, make_body(PAPER)))[0] == 202
    assert count_files(tmp_path) == 1


async def test_too_many_in_a_minute_have_to_wait(tmp_path: Path) -> None:
    """More than the agency allows in a minute get 429; they can come later."""
    adapter = open_adapter(tmp_path, per_minute=2)
    await collect(adapter)
    body = make_body()
    found = [(await post(adapter, body, sign(body, f"msg_{number}")))[0] for number in range(4)]
    assert found == [202, 202, 429, 429]
    await adapter.close()


def test_the_pace_comes_back() -> None:
    """After half a minute half of them may come again, and never more than all at once."""
    now = 0.0
    pace = Pace(2, clock=lambda: now)
    assert [pace.allows() for _ in range(3)] == [True, True, False]
    now = 30.0
    assert [pace.allows() for _ in range(2)] == [True, False]
    now = 3000.0
    assert [pace.allows() for _ in range(3)] == [True, True, False]


async def test_one_that_is_full_takes_no_more(tmp_path: Path) -> None:
    """While as many wait as may, a new draft gets 503, a repeat is known, and there is room once one was sent."""
    adapter = open_adapter(tmp_path, waiting=1)
    await collect(adapter)
    first, second = make_body(), make_body(PAPER)
    assert (await post(adapter, first))[0] == 202
    status, said = await post(adapter, second, sign(second, "msg_2"))
    assert (status, said["code"]) == (503, "webhook-full")
    assert (await post(adapter, first))[0] == 202
    (outgoing,) = await collect(adapter)
    await outgoing.done(SENT)
    assert (await post(adapter, second, sign(second, "msg_2")))[0] == 202
    await adapter.close()


async def test_a_disk_that_is_full_acknowledges_nothing(
    adapter: WebhookAdapter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where it can't be kept the sender is told to come again, and the repeat is taken."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(desks, "write_new", fail)
        status, said = await post(adapter, make_body())
    assert (status, said["code"]) == (503, "webhook-not-kept")
    assert count_files(tmp_path) == 0
    assert (await post(adapter, make_body()))[0] == 202


async def test_killed_in_between_it_goes_on(tmp_path: Path) -> None:
    """Halves are swept away; killed between the note and the draft's going, the draft is handed over under its key again."""
    adapter = open_adapter(tmp_path)
    await collect(adapter)
    await post(adapter, make_body())
    (first,) = await collect(adapter)
    await adapter.close()
    root = tmp_path / "webhook"
    (folder,) = (root / "received").iterdir()
    (root / "received/.half").mkdir()
    note = {"sum": (folder / ".sum").read_text(), "envelope": ENVELOPE, "thread": THREAD}
    (root / "done/0" / folder.name).write_text(json.dumps(note))
    again = open_adapter(tmp_path)
    (second,) = await collect(again)
    assert second.key == first.key
    await second.done(SENT)
    assert await collect(again) == []
    assert [path.name for path in (root / "received").iterdir()] == []
    await again.close()


async def test_it_listens_by_tls(tmp_path: Path) -> None:
    """With a certificate it speaks TLS and nothing else."""
    make_certificate(tmp_path, days=9)
    adapter = open_adapter(tmp_path, certificate="certificate.pem", key="key.pem")
    await collect(adapter)
    context = ssl.create_default_context(cafile=tmp_path / "certificate.pem")
    assert (await post(adapter, make_body(), ssl=context))[0] == 202
    with pytest.raises(aiohttp.ClientError):
        await post(adapter, make_body())
    await adapter.close()
    await asyncio.sleep(0)
