"""The configuration that a probation area begins with, in a process of its own, shut in: it files, answers and deletes."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

from adapters.base import Deletes, Filed, Spooled
from adapters.conformance import ENVELOPE, THREAD, collect, sample_incoming
from adapters.plugins import load_adapters
from tests.county import MASH, OFFICERS
from tests.profiles.probation.support import PAT, PEOPLE
from tests.profiles.probation.system import CaseSystem
from tests.profiles.support import write_secrets
from tests.schemas import samples


async def test_what_it_begins_with_works_shut_in(tmp_path: Path) -> None:
    """The template with the system's place put in: an enquiry is filed, one press is collected, and both go when they must."""
    write_secrets(tmp_path)
    (tmp_path / "token").rename(tmp_path / "records-token")
    (tmp_path / "ids").rename(tmp_path / "own-ids")
    system = CaseSystem(lambda: "2026-07-06T09:00:00", PEOPLE)
    await system.start()
    template = files("adapters.profiles.probation").joinpath("gateway.toml").read_text("utf-8")
    table = tomllib.loads(template)["adapters"]["probation"]
    table |= {"url": system.url, "hosts": [f"127.0.0.1:{system.port}"]}
    adapter = load_adapters({"probation": table}, tmp_path)["probation"]
    try:
        message = samples.message("check.adult.request/1")
        asked = sample_incoming(type="check.adult.request/1", mailbox=OFFICERS, sender=MASH, message=message)
        outcome = await adapter.file(asked)
        assert isinstance(outcome, Filed)
        (reference,) = system.enquiries
        assert outcome.record == f"enquiry/{reference}"
        system.press_not_known(reference, PAT)
        (drafted,) = await collect(adapter)
        assert (drafted.draft.re, drafted.draft.thread, drafted.draft.to) == (ENVELOPE, THREAD, (MASH,))
        assert drafted.draft.message["result"] == "not_known"
        answer = samples.an_id("answer")
        await drafted.done(Spooled(envelope=answer, thread=THREAD))
        assert not system.outbox
        assert isinstance(adapter, Deletes)
        assert [await adapter.delete(one, OFFICERS) for one in (ENVELOPE, answer, answer)] == [True, True, True]
        assert (system.records, system.enquiries, system.answers) == ({}, {}, {})
    finally:
        await adapter.close()  # type: ignore[attr-defined]
        await system.close()
