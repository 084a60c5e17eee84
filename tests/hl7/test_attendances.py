"""Who attends, by the clinic's own registrations: durable before it is acknowledged, shown where it is known, and forgotten."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import hl7
import pytest

from adapters.at_risk import Attendance, AttendanceAnswer, Finding
from adapters.conformance import collect
from adapters.hl7 import Hl7Adapter
from tests.hl7.hospital import Hospital, registration

ALEX = "9990000018"
LISTENS = {"path": "hl7", "at": "127.0.0.1:0", "peers": ["127.0.0.1"], "attends_on": ["A04", "A01"]}
FOUND = Finding(risk_marker="known_risk", contact="police/exploitation", added_on=date(2026, 6, 1), by="nhs_number")


@pytest.fixture
async def hospital() -> AsyncIterator[Hospital]:
    """Give a hospital system that answers."""
    made = Hospital()
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def adapter(tmp_path: Path, hospital: Hospital) -> AsyncIterator[Hl7Adapter]:
    """Give an adapter that hears registrations, and shows what is known."""
    made = Hl7Adapter.configure(LISTENS | {"to": hospital.place, "shows": "known"}, tmp_path)
    await collect(made)
    yield made
    await made.close()


def port(adapter: Hl7Adapter) -> int:
    """Return where *adapter* listens."""
    assert adapter.listener is not None
    return adapter.listener.port


async def waiting(adapter: Hl7Adapter) -> list[Attendance]:
    """Return who waits at *adapter*."""
    return [one async for one in adapter.attendances()]


def read_all(folder: Path) -> bytes:
    """Return everything that lies in *folder*."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def known(one: Attendance, **changes: Any) -> AttendanceAnswer:
    """Return that *one* is on the list."""
    values = {
        "state": "known",
        "words": "known risk, contact police/exploitation",
        "match": "M-1",
        "findings": (FOUND,),
    }
    return AttendanceAnswer(attendance=one.attendance, context=one.context, **(values | changes))


async def test_a_registration_waits_until_the_gateway_has_it(
    adapter: Hl7Adapter, hospital: Hospital, tmp_path: Path
) -> None:
    """With the clinic's own reference, identifiers and moment; a repeat is one; after a restart it is still there."""
    for event in ("A04", "A01"):
        assert await hospital.register(port(adapter), *registration("V-77", ALEX, "20110309", event=event)) == "AA"
    (found,) = await waiting(Hl7Adapter.configure(LISTENS, tmp_path))
    assert (found.attendance, found.nhs_number, found.name, found.born) == (
        "V-77",
        ALEX,
        "Alex Sample",
        date(2011, 3, 9),
    )
    assert found.at is not None
    assert found.at.astimezone(UTC) == datetime(2026, 7, 6, 8, tzinfo=UTC)
    await adapter.tell_attendance(
        AttendanceAnswer(attendance="V-77", state="waiting", words="-", context=found.context)
    )
    assert await waiting(adapter) == []
    assert ALEX.encode() not in read_all(tmp_path)


async def test_only_events_that_were_named_are_attendances(adapter: Hl7Adapter, hospital: Hospital) -> None:
    """The rest of the feed is acknowledged, so that it doesn't stop, and nothing of it is kept."""
    for event in ("A08", "A03", "A28"):
        assert await hospital.register(port(adapter), *registration("V-1", ALEX, "20110309", event=event)) == "AA"
    assert await waiting(adapter) == []


@pytest.mark.parametrize("born", ["", "2011", "20111399", "not-a-day"])
async def test_without_a_date_of_birth_the_sender_is_told(adapter: Hl7Adapter, hospital: Hospital, born: str) -> None:
    """Whether somebody is under 18 can't be known; the field is named, never what is in it."""
    assert await hospital.register(port(adapter), *registration("V-1", ALEX, born)) == "AE"
    assert await waiting(adapter) == []


async def test_what_is_missing_or_mistyped_is_left_out(adapter: Hl7Adapter, hospital: Hospital) -> None:
    """A wrong check digit leaves the name; no name leaves the number; no usable visit number, the message's own."""
    lines = registration("V-1", "9990000019", "20110309")
    await hospital.register(port(adapter), *lines)
    await hospital.register(port(adapter), *registration("V-2", ALEX, "20110309", name="")[:3])
    await hospital.register(port(adapter), *registration("V 3", ALEX, "20110309", name="Sample^Zoë")[:4])
    first, second, third = await waiting(adapter)
    assert (first.nhs_number, first.name) == (None, "Alex Sample")
    assert (second.nhs_number, second.name) == (ALEX, None)
    assert second.attendance.startswith("adt:")
    assert third.attendance.startswith("adt:")
    assert json.loads(third.context)["visit"] == "V 3"


async def test_a_match_is_shown_at_the_visit_and_nothing_else_is(adapter: Hl7Adapter, hospital: Hospital) -> None:
    """One observation, however often it is told; who isn't on the list gets nothing written; withdrawn is shown too."""
    await hospital.register(port(adapter), *registration("V-77", ALEX, "20110309"))
    (found,) = await waiting(adapter)
    for state in ("waiting", "clear", "unanswerable", "refused"):
        await adapter.tell_attendance(known(found, state=state, findings=(), match=""))
    assert hospital.heard == 0
    for _ in range(2):
        await adapter.tell_attendance(known(found))
    assert hospital.see("V-77") == ["known risk, contact police/exploitation"]
    await adapter.tell_attendance(known(found, state="withdrawn", words="no longer on the list since version 2"))
    assert hospital.see("V-77")[-1] == "no longer on the list since version 2"


async def test_the_observation_names_the_visit_and_the_contact_and_no_person(
    adapter: Hl7Adapter, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patient by the clinic's own number only; a mark that it isn't for the family; the marker as a code."""
    heard: list[str] = []
    keep = hospital._keep
    monkeypatch.setattr(
        hospital, "_keep", lambda message, control: (heard.append(str(message)), keep(message, control))
    )
    await hospital.register(port(adapter), *registration("V-77", ALEX, "20110309"))
    (found,) = await waiting(adapter)
    await adapter.tell_attendance(known(found))
    (text,) = heard
    message = hl7.parse(text)
    assert str(message.segment("PID")(3)) == "L-V-77^^^CLINIC^MR"
    assert "known_risk^known risk, contact police/exploitation^SGH" in text
    assert "ST|contact^contact^SGH|1|police/exploitation" in text
    assert "Not for the child's family" in text
    assert not any(word in text for word in (ALEX, "Sample", "20110309"))


async def test_a_screen_that_is_away_is_told_again(
    adapter: Hl7Adapter, hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    """Cut off or busy: it is raised, so that the gateway says it again; refused for good: said in the log, by a code."""
    await hospital.register(port(adapter), *registration("V-77", ALEX, "20110309"))
    (found,) = await waiting(adapter)
    for way in ("hang-up", "AR/207", "garbage"):
        hospital.answers = [way]
        with pytest.raises(ValueError, match="hl7-"):
            await adapter.tell_attendance(known(found))
    assert len(await waiting(adapter)) == 1
    hospital.answers = ["AE"]
    await adapter.tell_attendance(known(found))
    assert "hl7-refused" in caplog.text
    assert await waiting(adapter) == []


@pytest.mark.parametrize(
    "options",
    [
        {"path": "hl7", "to": "a:1", "attends_on": ["A04"]},
        {"path": "hl7", "at": "127.0.0.1:0", "peers": ["any"], "attends_on": ["A4"]},
        {"path": "hl7", "at": "127.0.0.1:0", "peers": ["any"], "attends_on": ["A04"], "shows": "known"},
        {"path": "hl7", "at": "127.0.0.1:0", "attends_on": ["A04"]},
    ],
)
def test_options_that_contradict_each_other_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    """Attendances need a port and who may reach it; showing needs somewhere to show it."""
    with pytest.raises(ValueError, match=r"attends_on|shows"):
        Hl7Adapter.configure(options, tmp_path)


async def test_registrations_are_refused_where_nobody_asked_for_them(tmp_path: Path, hospital: Hospital) -> None:
    """And a referral is, where only registrations are: the answer says what is taken."""
    options = {"path": "hl7", "at": "127.0.0.1:0", "peers": ["127.0.0.1"], "from": "northmere-health/safeguarding"}
    adapter = Hl7Adapter.configure(options, tmp_path)
    await collect(adapter)
    try:
        assert await hospital.register(port(adapter), *registration("V-1", ALEX, "20110309")) == "AR"
        assert await waiting(adapter) == []
    finally:
        await adapter.close()


async def test_a_registration_that_is_corrected_meanwhile_is_not_lost(adapter: Hl7Adapter, hospital: Hospital) -> None:
    """Two of one visit, each yielded with its own number; letting go of the first leaves the second."""
    await hospital.register(port(adapter), *registration("V-77", ALEX, "20110309"))
    (first,) = await waiting(adapter)
    await hospital.register(port(adapter), *registration("V-77", "9990000026", "20110309", event="A01"))
    await adapter.tell_attendance(
        AttendanceAnswer(attendance="V-77", state="waiting", words="-", context=first.context)
    )
    (second,) = await waiting(adapter)
    assert (second.attendance, second.nhs_number) == ("V-77", "9990000026")
