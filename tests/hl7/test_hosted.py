"""The adapter in a process of its own, with the network that it was granted and no other."""

from __future__ import annotations

import socket
from pathlib import Path

from hl7.mllp import open_hl7_connection

from adapters.at_risk import AttendanceAnswer, Attends
from adapters.base import Filed, Later
from adapters.conformance import ENVELOPE
from adapters.plugins import load_adapters
from tests.hl7.hospital import Hospital, registration
from tests.hl7.test_listening import OPTIONS, REFERRAL
from tests.hl7.test_sending import MESSAGE


async def test_it_reaches_the_system_that_was_granted_and_no_other(tmp_path: Path) -> None:
    """With the hospital's place in `hosts` a message is filed; with another's it waits."""
    hospital = Hospital()
    await hospital.start()
    table = {"path": "hl7", "to": hospital.place, "network": True, "seconds": 5}
    for hosts, outcome in ((["127.0.0.1:9"], Later(reason="hl7-away")), ([hospital.place], Filed(record=ENVELOPE))):
        adapter = load_adapters({"hl7": {**table, "hosts": hosts}}, tmp_path)["hl7"]
        assert await adapter.file(MESSAGE) == outcome
        await adapter.close()
    assert list(hospital.documents) == [ENVELOPE]
    await hospital.close()


async def test_it_is_reached_at_the_place_that_was_granted(tmp_path: Path) -> None:
    """With its place in `listen` a referral comes through to it and is handed over, though it has no network but that."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        place = f"127.0.0.1:{found.getsockname()[1]}"
    table = {**OPTIONS, "at": place, "peers": ["any"], "network": True, "listen": [place]}
    adapter = load_adapters({"hl7": table}, tmp_path)["hl7"]
    assert [one async for one in adapter.collect()] == []
    reader, writer = await open_hl7_connection("127.0.0.1", int(place.rpartition(":")[2]))
    writer.writeblock("\r".join(REFERRAL).encode())
    assert b"MSA|AA|C-1" in await reader.readblock()
    writer.close()
    await writer.wait_closed()
    (one,) = [one async for one in adapter.collect()]
    assert one.draft.type == "referral/1"
    await adapter.close()


async def test_registrations_come_in_and_the_answer_goes_to_the_screen(tmp_path: Path) -> None:
    """Both ways of one network: who came is handed over the pipe, and what is known is shown at the visit."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    hospital = Hospital()
    await hospital.start()
    table = {
        "path": "hl7", "at": f"127.0.0.1:{port}", "peers": ["any"], "network": True, "listen": [f"127.0.0.1:{port}"],
        "hosts": [hospital.place], "to": hospital.place, "attends_on": ["A04"], "shows": "known",
    }  # fmt: skip
    adapter = load_adapters({"hl7": table}, tmp_path)["hl7"]
    try:
        assert [one async for one in adapter.collect()] == []
        assert isinstance(adapter, Attends)
        assert await hospital.register(port, *registration("V-77", "9990000018", "20110309")) == "AA"
        (came,) = [one async for one in adapter.attendances()]
        assert came.attendance == "V-77"
        said = {"attendance": "V-77", "words": "known risk", "context": came.context}
        await adapter.tell_attendance(AttendanceAnswer(state="known", match="M-1", **said))
        assert hospital.see("V-77") == ["known risk"]
        assert [one async for one in adapter.attendances()] == []
    finally:
        await adapter.close()
        await hospital.close()
