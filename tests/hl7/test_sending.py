"""Messages become documents in a hospital system that is slow, away, wrong or full; filed is said only when it has them."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hl7
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.base import Document, Filed, Later, NeedsPerson
from adapters.checks import CHECKS, UNICODE, Trial
from adapters.conformance import ENVELOPE, sample_incoming
from adapters.hl7 import Hl7Adapter
from adapters.hl7.documents import Names, make_questions
from adapters.hl7.wire import escape
from tests.hl7.hospital import Hospital

CHILD = {
    "local_id": "SC-1001",
    "name": "Robin Sample",
    "dob": "2011-05-06",
    "nhs_number": "9990000018",
    "nhs_number_status": "traced",
}
MESSAGE = sample_incoming(message={"child": CHILD, "analysis": f"a|b^c~d&e\\f\r\ng\x0b\x1c {UNICODE}", "urgent": True})


@pytest.fixture
async def hospital() -> AsyncIterator[Hospital]:
    """Give a hospital system that is open."""
    system = Hospital()
    await system.start()
    yield system
    await system.close()


def open_adapter(hospital: Hospital, home: Path, **options: Any) -> Hl7Adapter:
    """Return an adapter into *hospital*."""
    return Hl7Adapter.configure({"path": "hl7", "to": hospital.place, "seconds": 20, **options}, home)


async def test_a_message_is_a_document_in_the_childs_record(hospital: Hospital, tmp_path: Path) -> None:
    """The patient, the document's number, its confidentiality, its text and its documents stand where HL7 has them."""
    assert await open_adapter(hospital, tmp_path).file(MESSAGE) == Filed(record=ENVELOPE)
    document = hospital.documents[ENVELOPE]
    assert str(document.segment("MSH")(9)) == "MDM^T02^MDM_T02"
    assert str(document.segment("PID")(3)[0]) == "9990000018^^^NHS^NH"
    assert str(document.segment("PID")(5)) == "Sample^Robin"
    assert str(document.segment("TXA")(18)) == "V"
    assert hospital.read(ENVELOPE) == MESSAGE.message
    texts = [document.unescape(str(part(5))) for part in document.segments("OBX") if str(part(2)) == "TX"]
    assert "handling: not_for_family" in texts
    assert any(UNICODE in text for text in texts)


async def test_every_check_of_an_adapter_holds(hospital: Hospital, tmp_path: Path) -> None:
    """Repeat, crash, slow, duplicate, malformed, huge, unicode, clock: filed, each once."""
    homes = iter(range(1000))

    for check in CHECKS.values():
        home = tmp_path / str(next(homes))

        async def reopen(home: Path = home) -> Hl7Adapter:
            return open_adapter(hospital, home)

        await check(Trial(reopen=reopen, message=MESSAGE))


@pytest.mark.parametrize(
    ("way", "outcome"),
    [
        ("AE", NeedsPerson(code="hl7-refused")),
        ("AE/204", NeedsPerson(code="hl7-refused")),
        ("AE/207", Later(reason="hl7-busy")),
        ("AR/206", Later(reason="hl7-busy")),
        ("AR", Later(reason="hl7-rejected")),
        ("AR/201", NeedsPerson(code="hl7-refused")),
        ("CA AE", NeedsPerson(code="hl7-refused")),
        ("CR", Later(reason="hl7-rejected")),
        ("XX", Later(reason="hl7-answer")),
        ("garbage", Later(reason="hl7-answer")),
        ("other", Later(reason="hl7-answer")),
        ("hang-up", Later(reason="hl7-away")),
        ("later-hang-up", Later(reason="hl7-away")),
    ],
)
async def test_what_is_not_accepted_is_not_filed(hospital: Hospital, tmp_path: Path, way: str, outcome: object) -> None:
    """Each answer but the application's acceptance of this very message waits or asks for a person, and a repeat files it once."""
    hospital.answers = [way]
    adapter = open_adapter(hospital, tmp_path)
    assert await adapter.file(MESSAGE) == outcome
    assert await adapter.file(MESSAGE) == Filed(record=ENVELOPE)
    assert list(hospital.documents) == [ENVELOPE]


async def test_a_transports_word_is_waited_through(hospital: Hospital, tmp_path: Path) -> None:
    """`CA` alone isn't filed; the application's answer after it is."""
    hospital.answers = ["CA", "CA AA"]
    adapter = open_adapter(hospital, tmp_path, seconds=0.5)
    assert await adapter.file(MESSAGE) == Later(reason="hl7-slow")
    assert await adapter.file(MESSAGE) == Filed(record=ENVELOPE)


async def test_a_system_that_hangs_or_is_down_is_asked_again(hospital: Hospital, tmp_path: Path) -> None:
    """Nothing waits for ever, and nothing is filed meanwhile."""
    hospital.answers = ["hang"]
    assert await open_adapter(hospital, tmp_path, seconds=0.3).file(MESSAGE) == Later(reason="hl7-slow")
    down = open_adapter(hospital, tmp_path)
    await hospital.close()
    assert await down.file(MESSAGE) == Later(reason="hl7-away")


async def test_what_was_taken_is_not_sent_again(hospital: Hospital, tmp_path: Path) -> None:
    """Of a message about two children the first's document isn't sent twice when the second's failed."""
    sister = {**CHILD, "nhs_number": "9990000026", "name": "Kim Sample"}
    message = replace(MESSAGE, message={"children": [CHILD, sister]})
    hospital.answers = ["AA", "AR"]
    assert await open_adapter(hospital, tmp_path).file(message) == Later(reason="hl7-rejected")
    assert await open_adapter(hospital, tmp_path).file(message) == Filed(record=ENVELOPE)
    assert sorted(hospital.documents) == [ENVELOPE, f"{ENVELOPE}.2"]
    assert hospital.heard == 3


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"note": "of nobody"}, "hl7-no-patient"),
        ({"child": {**CHILD, "nhs_number_status": "untraced"}}, "hl7-patient-untraced"),
        ({"child": {**CHILD, "nhs_number": "9990000019"}}, "hl7-patient-untraced"),
        ({"child": {"name": "Robin Sample", "local_id": "1"}}, "hl7-patient-untraced"),
    ],
)
async def test_a_child_who_is_not_surely_known_is_for_a_person(
    hospital: Hospital, tmp_path: Path, message: dict[str, Any], code: str
) -> None:
    """Nothing goes into a record that may be another child's."""
    assert await open_adapter(hospital, tmp_path).file(replace(MESSAGE, message=message)) == NeedsPerson(code=code)
    assert hospital.heard == 0


def test_nothing_in_a_message_ends_a_segment() -> None:
    """Whatever the text holds, there are the segments that were meant, and the text comes back."""
    names = Names(parties=("a|b", "c", "d\re", "f"))
    documents = (Document(name="a|b\rPID|9.pdf", type="te^xt/p\rlain", content=b"x"),)
    evil = "a\rPID|1||evil\n\x1c\x0b&"
    made = make_questions(replace(MESSAGE, documents=documents, message={"child": CHILD, evil: evil}), names)
    assert not isinstance(made, NeedsPerson)
    parsed = hl7.parse(made[0].raw.decode())
    assert [str(one[0]) for one in parsed][:5] == ["MSH", "EVN", "PID", "PV1", "TXA"]
    assert {str(one[0]) for one in parsed[5:]} == {"OBX"}
    assert b"\x1c" not in made[0].raw
    assert parsed.unescape(escape("a|b^c~d&e\\f")) == "a|b^c~d&e\\f"


def make_certificate(folder: Path, *, days: int) -> tuple[Path, Path]:
    """Return a certificate of 127.0.0.1 and its key, which ends in *days* days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pas.northmere.test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, secret


@pytest.mark.parametrize(("days", "outcome"), [(9, Filed(record=ENVELOPE)), (-1, Later(reason="hl7-certificate"))])
async def test_a_certificate_that_expired_sends_nothing(tmp_path: Path, days: int, outcome: object) -> None:
    """Over TLS a message is filed; with a certificate that has run out nothing is sent, and it is asked again."""
    certificate, key = make_certificate(tmp_path, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    hospital = Hospital()
    await hospital.start(context)
    adapter = open_adapter(hospital, tmp_path, tls=True, ca="certificate.pem")
    assert await adapter.file(MESSAGE) == outcome
    assert len(hospital.documents) == (days > 0)
    await hospital.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "path"),
        ({"path": "a"}, "neither"),
        ({"path": "a", "to": "nowhere"}, "to"),
        ({"path": "a", "to": "h:1", "surprise": 1}, "surprise"),
        ({"path": "a", "at": "127.0.0.1:0"}, "peers"),
        ({"path": "a", "at": "127.0.0.1:0", "from": "a/b", "peers": ["127.0.0.1"], "tls": True}, "certificate"),
        ({"path": "a", "to": "h:1", "zone": "Mars/Base"}, "zone"),
        ({"path": "a", "to": "h:1", "tls": True, "ca": "missing.pem"}, "ca"),
    ],
)
def test_options_are_checked(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    """A wrong option is refused, by its name."""
    with pytest.raises(ValueError, match=named):
        Hl7Adapter.configure(options, tmp_path)
