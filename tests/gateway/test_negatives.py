"""Negatives go when their day is over: from the spool, and from a record system that can delete."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Filed, Incoming, Notice, Outcome, Outgoing, parse_draft
from adapters.gateway import negatives, outgoing
from adapters.gateway.agent import Agent
from adapters.gateway.inbox.config import InboxConfig
from adapters.gateway.inbox.indexing import Digests
from keys.digests import new_id
from schemas.derivation import Derivations
from schemas.strict_json import dump
from tests.county import COUNCIL, MASH, OFFICERS, PROBATION
from tests.gateway.support import HELD_AT, Town, draft, drop, read_notices, settle
from tests.schemas import samples

LAST_DAY = "2026-07-08"
END = Derivations.load().find_end("check.adult.response", {"result": "not_known", "delete_after": LAST_DAY}) or 0


class Archive:
    """A record system that files and tells nobody; *answers* are what it says when it is asked to delete."""

    def __init__(self, answers: list[bool]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []
        self.notices: list[Notice] = []

    async def collect(self) -> AsyncIterator[Outgoing]:
        """Want to send nothing."""
        return
        yield

    async def file(self, message: Incoming) -> Outcome:
        """File anything."""
        return Filed(record=message.envelope)

    async def notify(self, notice: Notice) -> None:
        """Keep a notice."""
        self.notices.append(notice)

    async def delete(self, envelope: str, mailbox: str) -> bool:
        """Give the next answer, or fail where there is none."""
        self.asked.append((envelope, mailbox))
        return self.answers.pop(0)


def not_known(**changes: Any) -> dict[str, Any]:
    """Return probation's draft that an adult isn't known there."""
    request = samples.message("check.adult.request/1")
    message = {"check_id": request["check_id"], "answered_at": HELD_AT, "result": "not_known", "delete_after": LAST_DAY}
    return draft("check.adult.response/1", OFFICERS, to=[MASH], retention="negative", message=message | changes)


async def answer(town: Town, probation: Agent, council: Agent, **changes: Any) -> str:
    """Have probation answer, and the council file it; return the envelope's id."""
    drop(town.homes[PROBATION], "answer", not_known(**changes))
    await settle(probation, council)
    envelope: str = json.loads((town.homes[PROBATION] / "sent" / "answer" / "envelope.json").read_bytes())["id"]
    assert (town.homes[COUNCIL] / "in" / envelope).exists()
    return envelope


def due(home: Path) -> list[dict[str, Any]]:
    """Return the notices `delete-due` in the folder pair at *home*."""
    return [one for one in read_notices(home) if one["notice"] == "delete-due"]


async def test_a_negative_is_gone_on_the_first_pass_after_its_day(town: Town) -> None:
    """At both sides: content, keys and files; a notice tells each mailbox once, by references."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await answer(town, probation, council)
        town.county.now = END - 1
        for agent in (council, probation):
            await agent.file_pass()
        assert (town.homes[COUNCIL] / "in" / envelope / "message.json").exists()
        town.county.now = END
        for agent, home, box in ((council, town.homes[COUNCIL], MASH), (probation, town.homes[PROBATION], OFFICERS)):
            await agent.file_pass()
            await agent.file_pass()
            assert not list(home.rglob(envelope))
            assert not (home / "sent" / "answer").exists()
            (notice,) = due(home)
            assert (notice["envelope"], notice["mailbox"], notice["type"]) == (envelope, box, "check.adult.response/1")
            assert not {"message", "result", "check_id"} & set(notice)
        row = await council.gateway.spool.one("find_incoming", envelope=envelope, mailbox=MASH)
        sent = await probation.gateway.spool.one("find_sent", envelope=envelope)
        assert row is not None
        assert sent is not None
        assert (row["content"], row["state"]) == (None, "filed")
        assert (sent["draft"], sent["body"], sent["content_key"]) == (None, None, None)


async def test_what_a_person_wrote_on_the_pages_goes_too(town: Town) -> None:
    """Its text is kept for its writer, until the answer's day is over; nor is it found by its words any more."""
    inbox = InboxConfig(port=0, origin="http://localhost")
    async with town.agent(COUNCIL) as council, town.agent(PROBATION, inbox=inbox) as probation:
        await settle(probation, council)
        written = Outgoing(key="written", draft=parse_draft(dump(not_known())))
        sent = await outgoing.take_now(probation.gateway, "inbox", written)
        await settle(probation, council)
        spool = probation.gateway.spool
        row = await spool.one("find_sent", envelope=sent.envelope)
        assert row is not None
        assert row["draft"] is not None
        digest = Digests(probation.gateway).to_find(OFFICERS, "known")[0]
        assert await spool.one("count_word", digest=digest, limit=9) == {"n": 1}
        town.county.now = END
        await probation.file_pass()
        row = await spool.one("find_sent", envelope=sent.envelope)
        assert row is not None
        assert row["draft"] is None
        assert await spool.one("count_word", digest=digest, limit=9) == {"n": 0}


async def test_a_positive_answer_stays(town: Town) -> None:
    """A date on an answer that is no negative deletes nothing."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await answer(town, probation, council, result="known_past", since="2020-01-01")
        town.county.now = END + 1
        assert await negatives.delete_due(council.gateway) == await negatives.delete_due(probation.gateway) == 0
        assert (town.homes[COUNCIL] / "in" / envelope).exists()


async def test_deleting_again_after_a_kill_is_harmless(town: Town) -> None:
    """Killed after the files went, or before, the next pass ends the same."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await answer(town, probation, council)
        town.county.now = END
        shutil.rmtree(town.homes[COUNCIL] / "in" / envelope)
        assert await negatives.delete_due(council.gateway) == 1
        await council.gateway.spool.run("add_deletion", envelope=envelope, mailbox=MASH, at=END)
        assert await negatives.delete_due(council.gateway) == 1
        await council.file_pass()
        assert len(due(town.homes[COUNCIL])) == 1


async def test_a_folder_that_was_half_deleted_goes_whole(town: Town) -> None:
    """Killed while files were removed, the rest is found again, without the note that named it."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await answer(town, probation, council)
        town.county.now = END
        sent = town.homes[PROBATION] / "sent"
        (sent / "answer" / "envelope.json").unlink()
        (sent / "answer").rename(sent / f".{envelope}.deleted")
        assert await negatives.delete_due(probation.gateway) == 1
        assert not list(sent.iterdir())


async def test_a_negative_that_was_never_filed_is_not_filed_afterwards(town: Town) -> None:
    """The record system was away until the day was over: what is gone holds up nothing behind it."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        drop(town.homes[PROBATION], "answer", not_known())
        await settle(probation)
        await council.refresh_pass()
        await council.drain(MASH)
        (waiting,) = await council.gateway.spool.all("to_file")
        sent = await probation.gateway.spool.one("find_sent", envelope=waiting["envelope"])
        assert sent is not None
        assert sent["content_key"] is not None
        town.county.now = END
        await probation.file_pass()
        sent = await probation.gateway.spool.one("find_sent", envelope=waiting["envelope"])
        assert sent is not None
        assert sent["content_key"] is None
        await council.file_pass()
        row = await council.gateway.spool.one("find_incoming", **waiting)
        assert row is not None
        assert (row["state"], row["content"]) == ("deleted", None)
        assert not list((town.homes[COUNCIL] / "in").glob("*/message.json"))
        assert len(due(town.homes[COUNCIL])) == 1


async def test_a_record_system_is_asked_until_it_answers(town: Town) -> None:
    """While it fails the content is gone here all the same; what it leaves to people, the notice has told them."""
    archive = Archive([])
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        envelope = await answer(town, probation, council)
    async with town.agent(COUNCIL) as council:
        council.gateway.adapters["folder"] = archive  # type: ignore[index]
        town.county.now = END
        assert await negatives.delete_due(council.gateway) == 0
        row = await council.gateway.spool.one("find_incoming", envelope=envelope, mailbox=MASH)
        assert row is not None
        assert row["content"] is None
    archive.answers.append(False)
    async with town.agent(COUNCIL) as council:
        council.gateway.adapters["folder"] = archive  # type: ignore[index]
        await council.file_pass()
        assert archive.asked == [(envelope, MASH)] * 2
        assert [one.code for one in archive.notices] == ["delete-due"]
        assert await negatives.delete_due(council.gateway) == 0


async def test_one_that_cannot_be_deleted_keeps_none_behind_it(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record system that fails for the oldest ones: the spool's copies of the next ones still go on their day."""
    monkeypatch.setattr(negatives, "BATCH", 2)
    async with town.agent(COUNCIL) as council:
        gateway = council.gateway
        archive = Archive([])
        gateway.adapters["folder"] = archive  # type: ignore[index]
        names = [new_id(number) for number in range(1, 6)]
        for at, name in enumerate(names):
            await gateway.spool.run("add_deletion", envelope=name, mailbox=MASH, at=at)
        for _ in names:
            assert await negatives.delete_due(gateway) == 0
        assert [envelope for envelope, _ in archive.asked] == names


async def ask(town: Town, council: Agent, probation: Agent) -> str:
    """Have the council ask about an adult, and probation file it; return the request's envelope."""
    drop(town.homes[COUNCIL], "asked", draft("check.adult.request/1", MASH, to=[OFFICERS]))
    await settle(council, probation)
    envelope: str = json.loads((town.homes[COUNCIL] / "sent" / "asked" / "envelope.json").read_bytes())["id"]
    assert (town.homes[PROBATION] / "in" / envelope).exists()
    return envelope


async def test_what_was_asked_goes_with_its_negative_answer(town: Town) -> None:
    """The request names the person too: at who was asked it is gone on the same day; who asked keeps their own."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        request = await ask(town, council, probation)
        thread = (await probation.gateway.spool.all("find_for_any", envelope=request))[0]["thread"]
        drop(town.homes[PROBATION], "answer", not_known() | {"re": request, "thread": thread})
        await settle(probation, council)
        town.county.now = END - 1
        await probation.file_pass()
        assert (town.homes[PROBATION] / "in" / request / "message.json").exists()
        town.county.now = END
        for agent in (probation, council):
            await agent.file_pass()
        assert not list(town.homes[PROBATION].rglob(request))
        assert request in {one["envelope"] for one in due(town.homes[PROBATION])}
        assert (town.homes[COUNCIL] / "sent" / "asked").exists()


async def test_who_is_found_after_all_stays(town: Town) -> None:
    """A later answer to the same request that says known takes the request's last day away; the negative still goes."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        request = await ask(town, council, probation)
        thread = (await probation.gateway.spool.all("find_for_any", envelope=request))[0]["thread"]
        about = {"re": request, "thread": thread}
        drop(town.homes[PROBATION], "answer", not_known() | about)
        await settle(probation, council)
        known = not_known(result="known_past", since="2025-11-01")
        del known["message"]["delete_after"]
        drop(town.homes[PROBATION], "found", known | about | {"retention": "case"})
        await settle(probation, council)
        town.county.now = END
        await probation.file_pass()
        assert (town.homes[PROBATION] / "in" / request / "message.json").exists()
        assert not (town.homes[PROBATION] / "sent" / "answer").exists()


async def test_a_record_system_needn_t_know_how_long_a_negative_may_stay(town: Town) -> None:
    """A draft that says not known and no day gets the agreement's longest, and goes under the label for negatives."""
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        said = not_known()
        del said["message"]["delete_after"], said["retention"]
        drop(town.homes[PROBATION], "answer", said)
        await settle(probation, council)
        envelope = json.loads((town.homes[PROBATION] / "sent" / "answer" / "envelope.json").read_bytes())["id"]
        filed = json.loads((town.homes[COUNCIL] / "in" / envelope / "message.json").read_bytes())
        about = json.loads((town.homes[COUNCIL] / "in" / envelope / "envelope.json").read_bytes())
        assert (filed["delete_after"], about["retention"]) == ("2026-09-04", "negative")
