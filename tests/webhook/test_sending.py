"""Messages go to an endpoint that is slow, away, wrong or full; filed is said only when it holds them."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Document, Filed, Held, Later, NeedsPerson, Notice
from adapters.conformance import ENVELOPE, sample_incoming
from adapters.webhook import WebhookAdapter
from adapters.webhook.bodies import is_same
from tests.hl7.test_sending import make_certificate
from tests.webhook.agency import DRAFTS_SECRET, NEW_SECRET, SECRET, Agency

MESSAGE = sample_incoming()
FILED = Filed(record="R-1")


@pytest.fixture
async def agency() -> AsyncIterator[Agency]:
    """Give a system that is open."""
    system = Agency()
    await system.start()
    yield system
    await system.close()


def open_adapter(url: str, home: Path, secrets: str = SECRET, **options: Any) -> WebhookAdapter:
    """Return an adapter into the system at *url*."""
    home.mkdir(exist_ok=True)
    (home / "secret").write_text(secrets)
    return WebhookAdapter.configure({"url": url, "secret": "secret", **options}, home)


async def test_a_message_is_posted_whole_and_read_back(agency: Agency, tmp_path: Path) -> None:
    """Message, documents, sender and marks are in one signed body; its id says nothing; the record is asked for by a signed GET."""
    assert await open_adapter(agency.url, tmp_path).file(MESSAGE) == FILED
    held = agency.records["R-1"]
    assert held["message"] == MESSAGE.message
    assert base64.b64decode(held["documents"][0]["content"]) == MESSAGE.documents[0].content
    assert held["about"]["marks"] == ["not_for_family"]
    assert held["about"]["sender"] == MESSAGE.sender
    (name,) = agency.known
    assert ENVELOPE not in name
    assert agency.asked == ["/safeguarding", "/safeguarding/R-1"]


async def test_a_repeat_has_the_same_id_and_bytes(agency: Agency, tmp_path: Path) -> None:
    """The same envelope for the same mailbox is known again; for another mailbox it is another."""
    for _ in range(2):
        assert await open_adapter(agency.url, tmp_path).file(MESSAGE) == FILED
    assert agency.bodies[0] == agency.bodies[1]
    await open_adapter(agency.url, tmp_path).file(replace(MESSAGE, mailbox="northmere-health/paediatrics"))
    assert list(agency.records) == ["R-1", "R-2"]


async def test_it_took_it_and_hung_up(agency: Agency, tmp_path: Path) -> None:
    """An answer that was lost is asked for again, and nothing is there twice."""
    agency.ways = ["took-then-hangs-up"]
    adapter = open_adapter(agency.url, tmp_path)
    assert await adapter.file(MESSAGE) == Later(reason="webhook-away")
    assert await adapter.file(MESSAGE) == FILED
    assert len(agency.records) == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, Later(reason="webhook-busy")) for status in (408, 425, 429, 500, 502, 503, 504, 507)),
        *((status, Later(reason="webhook-redirect")) for status in (301, 302, 303, 307, 308)),
        (400, NeedsPerson(code="webhook-malformed")),
        (401, NeedsPerson(code="webhook-unauthorised")),
        (403, NeedsPerson(code="webhook-unauthorised")),
        (404, NeedsPerson(code="webhook-not-found")),
        (409, NeedsPerson(code="webhook-conflict")),
        (410, NeedsPerson(code="webhook-gone")),
        (413, NeedsPerson(code="webhook-too-large")),
        (418, NeedsPerson(code="webhook-refused")),
        (422, NeedsPerson(code="webhook-malformed")),
    ],
)
async def test_what_a_status_means(agency: Agency, tmp_path: Path, status: int, outcome: Any) -> None:
    """What passes is asked again, what doesn't goes to a person, and a redirect isn't followed."""
    agency.ways = [status]
    assert await open_adapter(agency.url, tmp_path).file(MESSAGE) == outcome
    assert agency.asked == ["/safeguarding"]
    assert not agency.records


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("hangs-up", "webhook-away"),
        ("hangs", "webhook-slow"),
        ("trickles", "webhook-slow"),
        ("floods", "webhook-answer"),
        *((way, "webhook-answer") for way in ("html", "nothing", "list", "no-record", "number", "path", "twice")),
        *((way, "webhook-answer") for way in ("deep", "dot", "long")),
        ("forgets", "webhook-not-there"),
        ("another", "webhook-answer"),
        ("read-503", "webhook-busy"),
    ],
)
async def test_what_is_no_answer_is_asked_again(agency: Agency, tmp_path: Path, way: str, reason: str) -> None:
    """Slow, cut off, endless, something else than an answer: later, and then filed once."""
    agency.ways = [way]
    adapter = open_adapter(agency.url, tmp_path, seconds=0.5 if reason == "webhook-slow" else 20)
    assert await adapter.file(MESSAGE) == Later(reason=reason)
    assert await open_adapter(agency.url, tmp_path).file(MESSAGE) == FILED
    assert len(agency.records) == 1


@pytest.mark.parametrize("way", ["changes", "loses-paper", "ended"])
async def test_what_is_held_otherwise_is_not_filed(agency: Agency, tmp_path: Path, way: str) -> None:
    """A system that shows another message, not all documents, or that it was taken down, is a person's matter."""
    agency.ways = [way]
    assert await open_adapter(agency.url, tmp_path).file(MESSAGE) == NeedsPerson(code="webhook-differs")


async def test_down_for_days(agency: Agency, tmp_path: Path) -> None:
    """However often it is asked while the system is away, it waits; then it is filed once."""
    await agency.close()
    adapter = open_adapter(agency.url, tmp_path)
    for _ in range(20):
        assert await adapter.file(MESSAGE) == Later(reason="webhook-away")
    await agency.start()
    assert await adapter.file(MESSAGE) == FILED


@pytest.mark.parametrize(("days", "outcome"), [(9, FILED), (-1, Later(reason="webhook-certificate"))])
async def test_a_certificate_has_to_hold(tmp_path: Path, days: int, outcome: Any) -> None:
    """With one that has expired nothing is sent."""
    certificate, key = make_certificate(tmp_path, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    agency = Agency()
    await agency.start(context)
    url = agency.url.replace("http:", "https:")
    assert await open_adapter(url, tmp_path, ca="certificate.pem").file(MESSAGE) == outcome
    assert len(agency.bodies) == (days > 0)
    await agency.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("secret", [SECRET, NEW_SECRET])
async def test_a_secret_is_changed_without_a_gap(tmp_path: Path, secret: str) -> None:
    """While two secrets are in the file, a system that knows either of them takes what is sent."""
    agency = Agency(secret)
    await agency.start()
    assert await open_adapter(agency.url, tmp_path, f"{SECRET}\n{NEW_SECRET}\n").file(MESSAGE) == FILED
    assert await open_adapter(agency.url, tmp_path, DRAFTS_SECRET).file(MESSAGE) == NeedsPerson(
        code="webhook-unauthorised"
    )
    await agency.close()


async def test_a_new_secret_needs_no_restart(tmp_path: Path) -> None:
    """What is sent after the file was changed is signed by what stands in it then."""
    agency = Agency(NEW_SECRET)
    await agency.start()
    adapter = open_adapter(agency.url, tmp_path)
    assert await adapter.file(MESSAGE) == NeedsPerson(code="webhook-unauthorised")
    (tmp_path / "secret").write_text(NEW_SECRET)
    assert await adapter.file(MESSAGE) == FILED
    await agency.close()


async def test_what_stands_there_is_read_back(agency: Agency, tmp_path: Path) -> None:
    """Flags and lists are asked for again: what the system holds, whether it ended, or that there is nothing."""
    adapter = open_adapter(agency.url, tmp_path)
    await adapter.file(MESSAGE)
    members = {f"/{name}": value for name, value in MESSAGE.message.items()}
    assert await adapter.read_back("R-1") == Held(record="R-1", members=members)
    agency.ways = ["ended"]
    assert await adapter.read_back("R-1") == Held(record="R-1", members=members, ended=True)
    assert await adapter.read_back("R-7") is None
    assert await adapter.read_back("../other") is None


async def test_notices_are_posted_too(agency: Agency, tmp_path: Path) -> None:
    """The same notice twice has one id; a system that takes none is left alone; one that is away is told again."""
    adapter = open_adapter(agency.url, tmp_path)
    notice = Notice(id="n.1", code="overdue", at=1, mailbox=MESSAGE.mailbox, source="hub", details={"envelope": "e"})
    for _ in range(2):
        await adapter.notify(notice)
    (said,) = agency.notices.values()
    assert said["notice"] == "overdue"
    agency.ways = [404]
    await adapter.notify(notice)
    agency.ways = [503]
    with pytest.raises(Exception, match="webhook-busy"):
        await adapter.notify(notice)


async def test_many_documents_of_any_name_arrive(agency: Agency, tmp_path: Path) -> None:
    """Names, empty documents and equal ones are kept as they came, in their order."""
    documents = tuple(Document(name=name, type="", content=b"") for name in ("../a", "a", "a", "\u202ex"))
    assert await open_adapter(agency.url, tmp_path).file(replace(MESSAGE, documents=documents)) == FILED
    assert [one["name"] for one in agency.records["R-1"]["documents"]] == ["../a", "a", "a", "\u202ex"]


@pytest.mark.parametrize(
    ("sent", "held", "answer"),
    [
        ({"a": 1, "b": [None]}, {"b": [None], "a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": False}, {"a": 0}, False),
        ({"a": None}, {}, False),
        ({"a": []}, {"a": {}}, False),
        ([1, 2], [2, 1], False),
        ("é", "e\u0301", False),
    ],
)
def test_what_is_the_same(sent: Any, held: Any, answer: bool) -> None:
    """Order and spelling of numbers don't count; everything else does."""
    assert is_same(sent, held) is answer


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "neither"),
        ({"url": "https://h/x"}, "secret"),
        ({"url": "http://h/x", "secret": "s"}, "https"),
        ({"url": "https://u:p@h/x", "secret": "s"}, "user"),
        ({"url": "https://h/x?child=1", "secret": "s"}, "query"),
        ({"url": "https://h/x", "secret": "missing"}, "secret"),
        ({"url": "https://h/x", "secret": "bad"}, "Base64"),
        ({"url": "https://h/x", "secret": "short"}, "24"),
        ({"url": "https://h/x", "secret": "three"}, "two"),
        ({"url": "https://h/x", "secret": "s", "surprise": 1}, "surprise"),
        ({"at": "127.0.0.1:0", "path": "w"}, "belong"),
        ({"at": "127.0.0.1:0", "drafts_secret": "s"}, "belong"),
        ({"at": "0.0.0.0:1", "path": "w", "drafts_secret": "s"}, "certificate"),
        ({"at": "127.0.0.1:0", "path": "w", "drafts_secret": "s", "key": "s"}, "certificate"),
        ({"url": "https://h/x", "secret": "s", "at": "127.0.0.1:0", "path": "w", "drafts_secret": "s"}, "each way"),
    ],
)
def test_options_are_checked(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    """What is missing, unknown, unsafe or doesn't go together is named, never a secret."""
    for name, text in (("s", SECRET), ("bad", "whsec_***"), ("short", "whsec_AAAA"), ("three", f"{SECRET} " * 3)):
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=named) as caught:
        WebhookAdapter.configure(options, tmp_path)
    assert SECRET not in str(caught.value)


async def test_one_that_only_listens_files_nothing(tmp_path: Path) -> None:
    """Without `url` a message is a person's matter, and nothing waits for ever."""
    (tmp_path / "in").write_text(DRAFTS_SECRET)
    options = {"at": "127.0.0.1:0", "path": "w", "drafts_secret": "in"}
    adapter = WebhookAdapter.configure(options, tmp_path)
    assert await adapter.file(MESSAGE) == NeedsPerson(code="webhook-listens-only")
    assert await adapter.read_back("R-1") is None
    await adapter.close()
