"""What an adapter says for the at-risk list, and whom a record names, through the process that it runs in."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.at_risk import AttendanceAnswer, Attends, ListsAtRisk
from adapters.base import Deletes, Filed
from adapters.conformance import sample_incoming
from adapters.hosting.frames import MAX_ATTENDANCES, MAX_PRACTITIONERS
from adapters.hosting.host import HostedError
from adapters.plugins import load_adapters
from tests.adapters.plugin_support import install

RISK = """
    from datetime import date
    from adapters.at_risk import AtRiskList, Attendance, Listed
    from adapters.base import DraftAuthor, Filed, Manifest

    class Plugin:
        manifest = Manifest(name="risk", title="Risk", transports=("memory",))
        waiting = [f"A-{number}" for number in range(1200)]

        @classmethod
        def configure(cls, options, home):
            return cls()

        async def collect(self):
            for one in ():
                yield one

        async def file(self, message):
            return Filed(record="R-1", practitioners=("hv-9", 7, "x" * 300, *self.waiting))

        async def at_risk(self):
            line = Listed(risk_marker="known_risk", contact_inbox="a/b", added_on=date(2026, 6, 1), name="Zoë Example", born=date(2011, 3, 9))
            return AtRiskList(version="7", author=DraftAuthor(name="Robin Sample", role="detective"), lines=(line,))

        async def attendances(self):
            for one in list(self.waiting):
                yield Attendance(attendance=one, born=date(2011, 3, 9), context="room 4")

        async def tell_attendance(self, answer):
            if answer.code:
                raise ConnectionError("Zebulon")
            self.waiting.remove(answer.attendance)
"""


async def test_the_at_risk_list_and_attendances_go_over_the_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the adapter lists, who attends (a part at a time), what is told, and whom a record names come as they were given."""
    install(tmp_path, monkeypatch, "risk", RISK)
    adapter = load_adapters({"risk": {}}, tmp_path)["risk"]
    try:
        assert isinstance(adapter, ListsAtRisk)
        assert isinstance(adapter, Attends)
        assert not isinstance(adapter, Deletes)
        found = await adapter.at_risk()
        assert found is not None
        assert (found.version, found.author.name, found.lines[0].name) == ("7", "Robin Sample", "Zoë Example")
        seen = []
        while part := [one async for one in adapter.attendances()]:
            assert len(part) <= MAX_ATTENDANCES
            for one in part:
                seen.append((one.attendance, one.context))
                await adapter.tell_attendance(AttendanceAnswer(attendance=one.attendance, state="waiting", words="-"))
        assert seen == [(f"A-{number}", "room 4") for number in range(1200)]
        with pytest.raises(HostedError, match="ConnectionError"):
            await adapter.tell_attendance(AttendanceAnswer(attendance="A-1", state="refused", words="-", code="x"))
        outcome = await adapter.file(sample_incoming())
        assert isinstance(outcome, Filed)
        assert outcome.practitioners[0] == "hv-9"
        assert len(outcome.practitioners) <= MAX_PRACTITIONERS
    finally:
        await adapter.close()
