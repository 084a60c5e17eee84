"""Referrals that a hospital system sends: durable before they are acknowledged, sent once, refused by the field's name."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7.mllp import open_hl7_connection

from adapters import desks
from adapters.base import DraftRefused, Spooled
from adapters.conformance import ENVELOPE, THREAD, collect
from adapters.hl7 import Hl7Adapter
from schemas.catalogue import Catalogue
from tests.hl7.test_sending import make_certificate

OPTIONS = {
    "path": "hl7",
    "at": "127.0.0.1:0",
    "peers": ["127.0.0.1"],
    "from": "northmere-health/safeguarding",
    "refer_to": ["sampleton-childrens-services/mash"],
    "basis": ["CA2004_S11"],
}
SAID = (
    ("ID", "/immediate_danger", "N"),
    ("ID", "/parents_aware", "N"),
    ("ST", "/parents_aware_reason", "It could put the child at more risk."),
    ("ST", "/contact_source", "3E"),
    ("ST", "/child/home_la", "X99000001"),
    ("ID", "/child/address_restricted", "N"),
    ("ST", "/abuse_categories/-", "physical"),
)
REFERRAL = (
    "MSH|^~\\&|PAS|NORTHMERE|SGH||20260414103000||REF^I12^REF_I12|C-1|P|2.5.1||||||UNICODE UTF-8",
    "RF1|||||||20260414103000",
    "PRD|RP|Sample^Jo^^^Dr",
    "PID|1||SC-1001^^^PAS^MR~9990000018^^^NHS^NH||Sample^Zoë||20110506|F|||1 Example Street^^Sampleton^^ZZ1 1AA",
    "NTE|1||Came alone at night with an injury \\F\\ that the story does not explain.",
    f"OBX|1|ED|L^letter.pdf||PAS^application^pdf^Base64^{base64.b64encode(b'%PDF').decode()}||||||F",
    *(f"OBX|{number}|{kind}|{pointer}^^SGH||{value}||||||F" for number, (kind, pointer, value) in enumerate(SAID, 2)),
)


@pytest.fixture
async def adapter(tmp_path: Path) -> AsyncIterator[Hl7Adapter]:
    """Give an adapter that listens."""
    made = Hl7Adapter.configure(OPTIONS, tmp_path)
    await collect(made)
    yield made
    await made.close()


async def say(adapter: Hl7Adapter, *lines: str, encoding: str = "utf-8") -> list[str]:
    """Send one message; return MSA-1, MSA-2, the error's code and what it says."""
    assert adapter.listener is not None
    reader, writer = await open_hl7_connection("127.0.0.1", adapter.listener.port)
    writer.writeblock("\r".join(lines).encode(encoding))
    answer = hl7.parse((await reader.readblock()).decode())
    writer.close()
    await writer.wait_closed()
    said = answer.segment("MSA")
    found = [str(said(1)), str(said(2)) if len(said) > 2 else ""]
    errors = answer.segments("ERR") if "ERR" in str(answer) else []
    return [*found, *[str(one(number)) for one in errors for number in (3, 8)]]


def without(start: str) -> list[str]:
    """Return the referral without the lines that hold *start*."""
    return [line for line in REFERRAL if start not in line]


async def test_a_referral_becomes_a_draft(adapter: Hl7Adapter) -> None:
    """What HL7 and its OBX say is a referral that passes our schema, with its documents, its author and its own time."""
    assert await say(adapter, *REFERRAL) == ["AA", "C-1"]
    (outgoing,) = await collect(adapter)
    draft = outgoing.draft
    assert (draft.type, draft.from_, draft.to) == (
        "referral/1", "northmere-health/safeguarding", ("sampleton-childrens-services/mash",),
    )  # fmt: skip
    assert draft.author.name == "Jo Sample"
    assert draft.message["referred_at"] == "2026-04-14T09:30:00Z"
    assert draft.message["concern"] == "Came alone at night with an injury | that the story does not explain."
    assert draft.message["child"] == {
        "local_id": "SC-1001", "name": "Zoë Sample", "dob": "2011-05-06", "dob_estimated": False, "sex": "F",
        "nhs_number": "9990000018", "nhs_number_status": "untraced", "home_la": "X99000001",
        "address": "1 Example Street\nSampleton\nZZ1 1AA", "address_restricted": False,
    }  # fmt: skip
    assert draft.message["abuse_categories"] == ["physical"]
    assert [(one.name, one.content) for one in outgoing.documents] == [("letter.pdf", b"%PDF")]
    Catalogue.load().validate("referral/1", draft.message)


@pytest.mark.parametrize(
    ("said", "status", "estimated"),
    [
        ("NSTS01", "traced", False),
        ("ED~NSTS01", "traced", True),
        ("NSTS02", "untraced", False),
        ("AL", "untraced", False),
    ],
)
async def test_how_sure_the_hospital_is_goes_with_the_child(
    adapter: Hl7Adapter, said: str, status: str, estimated: bool
) -> None:
    """PID-32 says whether the NHS number was verified and whether the day of birth is only an estimate."""
    lines = [f"{line}{'|' * 21}{said}" if line.startswith("PID") else line for line in REFERRAL]
    assert (await say(adapter, *lines))[0] == "AA"
    (outgoing,) = await collect(adapter)
    child = outgoing.draft.message["child"]
    assert (child["nhs_number_status"], child["dob_estimated"]) == (status, estimated)


async def test_a_day_of_birth_that_stands_for_none_is_not_taken(adapter: Hl7Adapter) -> None:
    """Where PID-32 says that the day is only a system's default, the sender is told that it is missing."""
    lines = [f"{line}{'|' * 21}UD" if line.startswith("PID") else line for line in REFERRAL]
    code, _, _, words = await say(adapter, *lines)
    assert code == "AE"
    assert "dob" in words


async def test_a_referral_that_comes_again_is_sent_once(adapter: Hl7Adapter, tmp_path: Path) -> None:
    """A repeat is acknowledged and adds nothing: before it is sent, after it was, and after a restart."""
    assert [await say(adapter, *REFERRAL) for _ in range(2)] == [["AA", "C-1"]] * 2
    (outgoing,) = await collect(adapter)
    await outgoing.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    await outgoing.done(Spooled(envelope=ENVELOPE, thread=THREAD))
    assert await say(adapter, *REFERRAL) == ["AA", "C-1"]
    assert await collect(adapter) == []
    again = Hl7Adapter.configure(OPTIONS, tmp_path)
    await collect(again)
    assert await say(again, *REFERRAL) == ["AA", "C-1"]
    assert await collect(again) == []
    await again.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "hl7").rglob("*") if path.is_file())
    assert "Zoë".encode() not in kept


async def test_another_message_under_one_control_id_is_refused(adapter: Hl7Adapter) -> None:
    """A system that uses an id twice is told: neither message is taken for the other."""
    await say(adapter, *REFERRAL)
    assert (await say(adapter, *[line.replace("Zoë", "Kim") for line in REFERRAL]))[:3] == ["AE", "C-1", "205"]
    assert len(await collect(adapter)) == 1


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (without("/parents_aware^"), "parents_aware"),
        (without("/child/home_la"), "home_la"),
        (without("PRD|"), "PRD"),
        (without("PID|"), "PID"),
        (without("NTE|"), "concern"),
        ([line.replace("|20260414103000", "|2026") for line in REFERRAL], "RF1-7"),
        ([line.replace("Base64^", "Base64^*") for line in REFERRAL], "Base64"),
        ([line.replace("Sample^Zoë", "") for line in REFERRAL], "PID-5"),
        ([line.replace("|C-1|", "||") for line in REFERRAL], "MSH-10"),
        ([*REFERRAL, "OBX|9|NM|/x^^SGH||many||||||F"], "NM"),
        ([*REFERRAL, "OBX|9|ST|/concern/x^^SGH||a||||||F"], "OBX"),
        ([*REFERRAL, "OBX|9|ST|/surprise^^SGH||a||||||F"], "referral"),
    ],
)
async def test_what_is_missing_or_wrong_is_named(adapter: Hl7Adapter, lines: list[str], says: str) -> None:
    """The sender gets AE with the field, never what is in it; nothing is kept."""
    code, _, _, words = await say(adapter, *lines)
    assert code == "AE"
    assert says in words
    assert "Zoë" not in words
    assert await collect(adapter) == []


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (["hello"], "100"),
        (["MSH|"], "100"),
        (["FHS|^~\\&|PAS", "BHS|^~\\&|PAS", *REFERRAL, "BTS|1", "FTS|1"], "100"),
        (["<REF_I12/>"], "100"),
        ([REFERRAL[0].replace("REF^I12^REF_I12", "ORU^R01^ORU_R01"), *REFERRAL[1:]], "201"),
        ([REFERRAL[0].replace("REF^I12^REF_I12", "ADT^A01"), *REFERRAL[1:]], "201"),
        ([REFERRAL[0].replace("UNICODE UTF-8", "ISO IR87"), *REFERRAL[1:]], "102"),
    ],
)
async def test_what_is_not_taken_here_is_rejected(adapter: Hl7Adapter, lines: list[str], error: str) -> None:
    """Other messages, other characters and what is no message get AR."""
    answer = await say(adapter, *lines)
    assert (answer[0], answer[2]) == ("AR", error)


async def test_western_characters_are_read_as_they_are_named(adapter: Hl7Adapter) -> None:
    """A system that sends 8859/1 and says so isn't misread; one that doesn't say so is rejected."""
    lines = [line.replace("UNICODE UTF-8", "8859/1") for line in REFERRAL]
    assert (await say(adapter, *lines, encoding="latin-1"))[0] == "AA"
    (outgoing,) = await collect(adapter)
    assert outgoing.draft.message["child"]["name"] == "Zoë Sample"
    assert (await say(adapter, *REFERRAL, encoding="latin-1"))[0] == "AR"


async def test_what_the_gateway_refuses_is_kept_with_the_reason(adapter: Hl7Adapter, tmp_path: Path) -> None:
    """A draft that can't be sent is in `refused/`, whole, and no longer waits."""
    await say(adapter, *REFERRAL)
    (outgoing,) = await collect(adapter)
    await outgoing.done(DraftRefused(code="recipient-unknown", message="m", hint="h"))
    assert await collect(adapter) == []
    (folder,) = (tmp_path / "hl7/refused").iterdir()
    assert json.loads((folder / "reason.json").read_bytes())["code"] == "recipient-unknown"
    assert (folder / "letter.pdf").read_bytes() == b"%PDF"


async def test_a_disk_that_is_full_acknowledges_nothing(adapter: Hl7Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it can't be kept the sender is told to come again, and the repeat is taken."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(desks, "write_new", fail)
        assert (await say(adapter, *REFERRAL))[:3] == ["AR", "C-1", "207"]
    assert await collect(adapter) == []
    assert (await say(adapter, *REFERRAL))[0] == "AA"


async def test_half_a_message_and_strangers_are_hung_up_on(tmp_path: Path) -> None:
    """Half a message is no message; an address that isn't a peer is never heard."""
    for peers in (["127.0.0.1"], ["192.0.2.1"]):
        adapter = Hl7Adapter.configure({**OPTIONS, "peers": peers}, tmp_path / peers[0])
        await collect(adapter)
        assert adapter.listener is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", adapter.listener.port)
        writer.write(b"no block at all\x1c\r" if peers == ["127.0.0.1"] else b"\x0b" + "\r".join(REFERRAL).encode())
        try:
            assert await reader.read() == b""
        except ConnectionResetError:
            assert peers != ["127.0.0.1"]
        writer.close()
        assert await collect(adapter) == []
        await adapter.close()


@pytest.mark.parametrize("trusted", [True, False])
async def test_over_tls_only_who_has_a_certificate_is_heard(tmp_path: Path, trusted: bool) -> None:
    """A system with a certificate of the `ca` is heard, whatever its address; one without is not."""
    certificate, key = make_certificate(tmp_path, days=9)
    options = {**OPTIONS, "tls": True, "ca": certificate.name, "certificate": certificate.name, "key": key.name}
    adapter = Hl7Adapter.configure({**options, "peers": []}, tmp_path)
    await collect(adapter)
    context = ssl.create_default_context(cafile=certificate)
    if trusted:
        context.load_cert_chain(certificate, key)
    assert adapter.listener is not None
    reader, writer = await open_hl7_connection("127.0.0.1", adapter.listener.port, ssl=context)
    writer.writeblock("\r".join(REFERRAL).encode())
    heard = b""
    with suppress(OSError, asyncio.IncompleteReadError):
        heard = await reader.readblock()
    assert (b"MSA|AA" in heard) == trusted
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    assert len(await collect(adapter)) == trusted
    await adapter.close()
