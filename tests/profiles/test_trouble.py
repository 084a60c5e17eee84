"""A record system that is down, slow, full, wrong or lies: nothing is lost, nothing is filed twice, nothing is called filed that isn't."""

from __future__ import annotations

import logging
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.base import DraftRefused, Filed, Later, NeedsPerson, Notice, Spooled
from adapters.conformance import ENVELOPE, THREAD, collect
from adapters.profiles.http import judge
from adapters.profiles.records import RecordsError
from tests.profiles.sample import FLAGGED, open_adapter
from tests.profiles.server import RecordsServer
from tests.profiles.test_drafting import INCIDENT

LATER = [
    ("hangs-up", "records-away"),
    ("took-then-hangs-up", "records-away"),
    (500, "records-busy"),
    (503, "records-busy"),
    (507, "records-busy"),
    (429, "records-busy"),
    (423, "records-busy"),
    (401, "records-unauthorised"),
    (403, "records-unauthorised"),
    (302, "records-answer"),
    ("html", "records-answer"),
    ("nothing", "records-answer"),
    ("list", "records-answer"),
    ("no-reference", "records-answer"),
    ("number", "records-answer"),
    ("path", "records-answer"),
    ("twice", "records-answer"),
    ("deep", "records-answer"),
    ("long", "records-answer"),
    ("half", "records-answer"),
    ("floods", "records-answer"),
]
PERSON = [(400, "records-refused"), (409, "records-refused"), (422, "records-refused"), (413, "records-too-large")]


def tries(way: int | str) -> list[int | str]:
    """Return *way* as often as one question is asked: the client itself tries again where the other side hung up."""
    return [way, way] if str(way).endswith("hangs-up") else [way]


@pytest.mark.parametrize(("way", "reason"), LATER)
async def test_trouble_that_passes_is_asked_again_and_filed_once(
    records: RecordsServer, tmp_path: Path, way: int | str, reason: str
) -> None:
    """Whatever the system did the first time, the second time the record is there, once."""
    adapter = open_adapter(records, tmp_path)
    records.ways = tries(way)
    assert await adapter.file(FLAGGED) == Later(reason=reason)
    assert await adapter.file(FLAGGED) == Filed(record="warning_marker/WAR-1")
    assert len(records.records) == 1


@pytest.mark.parametrize(("way", "code"), PERSON)
async def test_what_the_system_will_never_take_is_for_a_person(
    records: RecordsServer, tmp_path: Path, way: int, code: str
) -> None:
    """4xx is the system's word about this message."""
    records.ways = [way]
    assert await open_adapter(records, tmp_path).file(FLAGGED) == NeedsPerson(code=code)


@pytest.mark.parametrize(
    ("way", "outcome"),
    [
        ("forgets", Later(reason="records-not-there")),
        ("no-fields", Later(reason="records-answer")),
        ("half", Later(reason="records-answer")),
        (503, Later(reason="records-busy")),
        ("changes", NeedsPerson(code="records-differs")),
        ("loses-paper", NeedsPerson(code="records-differs")),
        ("ended", NeedsPerson(code="records-differs")),
    ],
)
async def test_what_can_not_be_read_back_is_not_filed(
    records: RecordsServer, tmp_path: Path, way: str | int, outcome: Any
) -> None:
    """The system's answer to having been given it is not enough."""
    records.ways, records.spoils = [way], ("GET",)
    assert await open_adapter(records, tmp_path).file(FLAGGED) == outcome


async def test_whom_the_system_names_for_the_child_gets_it(records: RecordsServer, tmp_path: Path) -> None:
    """By the name under which they sign in; the gateway sees whether they are of the team."""
    adapter = open_adapter(records, tmp_path)
    filed = await adapter.file(FLAGGED)
    records.records["WAR-1"]["allocated"] = ["m.sample"]
    assert await adapter.file(FLAGGED) == replace(filed, practitioners=("m.sample",))
    records.records["WAR-1"]["allocated"] = [""]
    assert await adapter.file(FLAGGED) == Later(reason="records-answer")


async def test_a_slow_system_is_not_waited_for(records: RecordsServer, tmp_path: Path) -> None:
    """Neither where it never answers, nor where many answers take too long together."""
    for changes in ({"seconds": 0.05}, {"wait": 0.05}):
        records.ways = ["hangs"]
        assert await open_adapter(records, tmp_path, **changes).file(FLAGGED) == Later(reason="records-slow")


async def test_a_system_that_is_off_is_asked_again(records: RecordsServer, tmp_path: Path) -> None:
    """Nothing is collected, which is said, and nothing is filed; when it is back, all is."""
    adapter = open_adapter(records, tmp_path)
    key = records.send("incident", INCIDENT)
    await records.close()
    with pytest.raises(RecordsError, match="records-away"):
        await collect(adapter)
    assert await adapter.file(FLAGGED) == Later(reason="records-away")
    await records.start()
    assert [one.key for one in await collect(adapter)] == [key]
    assert isinstance(await adapter.file(FLAGGED), Filed)


async def test_an_answer_that_the_system_did_not_hear_is_given_again(records: RecordsServer, tmp_path: Path) -> None:
    """The record stays in the outbox, under its key, until the system has heard."""
    adapter = open_adapter(records, tmp_path)
    key = records.send("incident", INCIDENT)
    records.ways, records.spoils = [503], ("POST",)
    (one,) = await collect(adapter)
    result = Spooled(envelope=ENVELOPE, thread=THREAD)
    with pytest.raises(RecordsError, match="records-busy"):
        await one.done(result)
    (again,) = await collect(adapter)
    await again.done(result)
    await again.done(result)
    assert again.key == key
    assert records.answers[key] == {"sent": True, "envelope": ENVELOPE, "thread": THREAD, "ids": {}}
    assert records.outbox == {}


async def test_what_can_not_be_sent_is_answered_and_keeps_nothing_behind_it(
    records: RecordsServer, tmp_path: Path
) -> None:
    """A bad code, an entry that isn't one, and a key that can't stand in an address: the good one goes."""
    records.send("incident", INCIDENT | {"rag": "Purple"}, key="bad")
    records.outbox["odd"] = {"key": "odd", "kind": 7}
    records.outbox["paper"] = {"key": "paper", "kind": "x", "fields": {}, "documents": [{"name": "a", "content": "!"}]}
    records.outbox["../../up"] = {"key": "../../up", "kind": "incident", "fields": INCIDENT}
    records.send("incident", INCIDENT, key="good")
    (one,) = await collect(open_adapter(records, tmp_path))
    assert one.key == "good"
    codes = {key: said["code"] for key, said in records.answers.items()}
    assert codes == {"bad": "record-code", "odd": "record-kind", "paper": "record-kind"}
    assert not any(".." in address for _, address in records.asked)


async def test_a_refusal_that_the_system_does_not_hear_keeps_nothing_behind_it(
    records: RecordsServer, tmp_path: Path
) -> None:
    """The next record goes, and the refusal is told at the next look."""
    adapter = open_adapter(records, tmp_path)
    records.send("memo", {}, key="bad")
    records.send("incident", INCIDENT, key="good")
    records.ways, records.spoils = [400], ("POST",)
    assert [one.key for one in await collect(adapter)] == ["good"]
    assert [one.key for one in await collect(adapter)] == ["good"]
    assert records.answers["bad"]["code"] == "record-kind"


async def test_an_outbox_that_is_too_long_is_read_one_by_one(
    records: RecordsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many large documents at once don't keep each other from going."""
    adapter = open_adapter(records, tmp_path)
    for number in range(3):
        records.send("incident", INCIDENT, key=f"k{number}", scan_pdf=bytes(30_000))
    monkeypatch.setattr("adapters.profiles.http.MAX_ANSWER", 60_000)
    for number in range(3):
        (one,) = await collect(adapter)
        assert one.key == f"k{number}"
        await one.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    monkeypatch.setattr("adapters.profiles.http.MAX_ANSWER", 100)
    records.send("incident", INCIDENT)
    with pytest.raises(RecordsError, match="records-answer"):
        await collect(adapter)


@pytest.mark.parametrize("way", ["html", "list", "half", 500, "hangs-up", "deep"])
async def test_an_outbox_that_can_not_be_read_is_looked_at_again(
    records: RecordsServer, tmp_path: Path, way: int | str
) -> None:
    """It says so, and what waits there goes at the next look."""
    adapter = open_adapter(records, tmp_path)
    records.send("incident", INCIDENT)
    records.ways = tries(way)
    with pytest.raises(RecordsError, match=r"^records-[a-z]+$"):
        await collect(adapter)
    assert len(await collect(adapter)) == 1


async def test_a_refusal_reaches_the_system_with_its_reason(records: RecordsServer, tmp_path: Path) -> None:
    """Code, sentence and way out, for whoever wrote it."""
    key = records.send("incident", INCIDENT)
    (one,) = await collect(open_adapter(records, tmp_path))
    await one.done(DraftRefused(code="message-schema", message="m", hint="h"))
    assert records.answers[key] == {"sent": False, "code": "message-schema", "message": "m", "hint": "h"}


async def test_notices_are_put_or_told_again(records: RecordsServer, tmp_path: Path) -> None:
    """Once each; one that the system will never take is left out."""
    adapter = open_adapter(records, tmp_path)
    notice = Notice(id="n1", code="overdue", at=5, source="hub")
    records.ways = [503]
    with pytest.raises(RecordsError):
        await adapter.notify(notice)
    for _ in range(2):
        await adapter.notify(notice)
    assert [one["notice"] for one in records.filed("notice")] == ["overdue"]
    records.ways = [404]
    await adapter.notify(notice)


async def test_deleting_says_whether_none_is_left(records: RecordsServer, tmp_path: Path) -> None:
    """A system in which only people delete says so, and one that is away is asked again."""
    adapter = open_adapter(records, tmp_path)
    await adapter.file(FLAGGED)
    records.deletes = False
    assert not await adapter.delete(FLAGGED.envelope, FLAGGED.mailbox)
    records.deletes, records.ways = True, [503]
    with pytest.raises(RecordsError):
        await adapter.delete(FLAGGED.envelope, FLAGGED.mailbox)
    assert await adapter.delete(FLAGGED.envelope, FLAGGED.mailbox)
    assert records.records == {}


async def test_nothing_is_sent_where_the_certificate_does_not_hold(records: RecordsServer, tmp_path: Path) -> None:
    """Expired or of nobody's: the message waits, and not a byte of it goes."""
    await records.close()
    records.port = 0
    await records.start(make_context(tmp_path, "expired", days=-1))
    adapter = open_adapter(records, tmp_path, ca="expired.pem")
    assert await adapter.file(FLAGGED) == Later(reason="records-certificate")
    assert await open_adapter(records, tmp_path).file(FLAGGED) == Later(reason="records-certificate")
    assert records.asked == []


async def test_a_system_that_asks_for_a_certificate_gets_the_gateways(records: RecordsServer, tmp_path: Path) -> None:
    """With it the message is filed; without it, or with one that the system doesn't know, it waits."""
    context = make_context(tmp_path, "records", days=1)
    make_context(tmp_path, "gateway", days=1)
    make_context(tmp_path, "stranger", days=1)
    context.load_verify_locations(tmp_path / "gateway.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    await records.close()
    records.port = 0
    await records.start(context)
    for name in (None, "stranger"):
        shown = {"certificate": f"{name}.pem", "key": f"{name}.key"} if name else {}
        assert isinstance(await open_adapter(records, tmp_path, ca="records.pem", **shown).file(FLAGGED), Later)
    assert records.records == {}
    adapter = open_adapter(records, tmp_path, ca="records.pem", certificate="gateway.pem", key="gateway.key")
    assert isinstance(await adapter.file(FLAGGED), Filed)


def make_context(home: Path, name: str, *, days: int) -> ssl.SSLContext:
    """Return a server's side of TLS with a certificate that ends in *days*; it and its key are in *home* under *name*."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=3))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (home / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (home / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / f"{name}.pem", home / f"{name}.key")
    return context


async def test_a_token_is_changed_without_a_restart(records: RecordsServer, tmp_path: Path) -> None:
    """While the file is gone or holds none, what waits goes on waiting."""
    adapter = open_adapter(records, tmp_path)
    records.token = "another"
    assert await adapter.file(FLAGGED) == Later(reason="records-unauthorised")
    (tmp_path / "token").write_text("no token, two\nlines")
    assert await adapter.file(FLAGGED) == Later(reason="records-unauthorised")
    (tmp_path / "token").write_text("another\n")
    assert isinstance(await adapter.file(FLAGGED), Filed)


async def test_nobody_is_named_outside_what_is_put(
    records: RecordsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No log line and no address has the child's name or number, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    adapter = open_adapter(records, tmp_path)
    records.send("incident", INCIDENT | {"rag": "Robin Sample"})
    records.ways = [503, "half", "changes"]
    with pytest.raises(RecordsError, match="records-busy"):
        await collect(adapter)
    for _ in range(3):
        await adapter.file(FLAGGED)
    said = caplog.text + str(records.asked) + str(records.answers)
    assert records.asked
    for secret in ("Robin", "Sample", "9990000018", FLAGGED.envelope):
        assert secret not in said


def test_every_status_that_is_no_success_has_an_outcome() -> None:
    """None of them is filed."""
    assert all(isinstance(judge(status), Later | NeedsPerson) for status in (*range(100, 200), *range(300, 700)))


WRONG = [
    ({"url": "http://records.test"}, "https"),
    ({"url": "https://u:p@records.test"}, "user"),
    ({"url": "https://records.test/?a=1"}, "query"),
    ({"url": 7}, "str"),
    ({"nonsense": 1}, "nonsense"),
    ({"certificate": "x"}, "belong together"),
    ({"ca": "not-there"}, "ca"),
    ({"token": "not-there"}, "token"),
    ({"from": "nobody"}, "from"),
    ({"zone": "Mars/Olympus"}, "zone"),
    ({"constants": {}}, "home_la"),
    ({"ids": "not-there"}, "ids"),
    ({"ids": "token"}, "ids"),
    ({"mapping": "not-there"}, "mapping"),
    ({"mapping": "token"}, "mapping"),
]


@pytest.mark.parametrize(("changes", "names"), WRONG)
def test_options_that_can_not_work_are_named(tmp_path: Path, changes: dict[str, Any], names: str) -> None:
    """Before anything runs."""
    with pytest.raises(ValueError, match=names):
        open_adapter(RecordsServer(), tmp_path, **{"url": "http://127.0.0.1:1/hub", **changes})
