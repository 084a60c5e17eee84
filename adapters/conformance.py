"""What any adapter must do, as tests that a plugin's author runs against it.

::

    class TestMyAdapter(AdapterContract):
        def harness(self, tmp_path):
            return MyHarness(tmp_path)

Each ``test_*`` method is found by pytest (with pytest-asyncio in auto mode) and says in one sentence what is true.

Source: design 5 (conformance).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from adapters.base import (
    Adapter,
    Deletes,
    Document,
    DraftRefused,
    Filed,
    Incoming,
    Outcome,
    Outgoing,
    Spooled,
    parse_draft,
)
from adapters.checks import CHECKS, NAMES, UNICODE, ContractError, Patience, Trial, ask, must, patience_with
from schemas.strict_json import dump

ENVELOPE: Final = "AZ82p-KAfcKGpmUXAcWmjQ"
THREAD: Final = "AZ82p-KAfFeODkYVQ3MeJg"


class Harness(Protocol):
    """The record system behind the adapter, as a test needs it."""

    def open(self) -> Adapter:
        """Return a fresh adapter over the same system, as after a restart of the gateway."""
        ...

    def put(self, name: str, draft: bytes, documents: Sequence[Document] = ()) -> None:
        """Have the system want to send *draft*, complete."""
        ...

    def count_waiting(self) -> int:
        """Return how many drafts the system still wants to send."""
        ...

    def count_records(self) -> int:
        """Return how many messages are filed in the system."""
        ...

    def read_record(self, record: str) -> Any:
        """Return the message filed under the reference *record*."""
        ...


def sample_draft(**changes: Any) -> dict[str, Any]:
    """Return a draft with content that tests an adapter; its message is no real one."""
    return {
        "type": "meeting.claimed/1",
        "from": "northmere-health/safeguarding",
        "author": {"name": UNICODE, "role": "named_nurse"},
        "message": {"note": UNICODE, "number": 1.5, "none": None, "list": [[], {}, True]},
        **changes,
    }


def sample_incoming(**changes: Any) -> Incoming:
    """Return a message as a gateway hands it over."""
    message = Incoming(
        envelope=ENVELOPE,
        mailbox="northmere-health/safeguarding",
        seq=7,
        type="minutes.full/1",
        sender="sampleton-childrens-services/mash",
        recipients=("northmere-health/safeguarding",),
        thread=THREAD,
        at=1_783_324_800_000,
        accepted_at=1_783_324_801_000,
        author="p" * 43,
        author_role="team_manager",
        purpose="child_protection",
        basis=("CA1989_S47",),
        consent="not_needed_lawful_basis",
        classification="OFFICIAL-SENSITIVE",
        marks=("not_for_family",),
        retention="case",
        message={"note": UNICODE, "list": [1, 2.5, None, {"a": "b"}]},
        documents=(Document(name="minutes.pdf", type="application/pdf", content=b"%PDF\x00\xff"),),
    )
    return replace(message, **changes)


async def collect(adapter: Adapter) -> list[Outgoing]:
    """Return everything that *adapter* wants to send now."""
    return [outgoing async for outgoing in adapter.collect()]


def _find(folder: Path, name: str) -> list[Path]:
    return list(folder.rglob(name))


class AdapterContract:
    """The contract; subclass it and give :meth:`harness`."""

    def harness(self, tmp_path: Path) -> Harness:
        """Return the record system to test against; *tmp_path* is an empty folder."""
        raise NotImplementedError

    def incoming(self, **changes: Any) -> Incoming:
        """Return a message that the system can take; give your own where it takes only certain types."""
        return sample_incoming(**changes)

    async def file(self, adapter: Adapter, message: Incoming) -> Outcome:
        """Have *adapter* file *message*; one whose partner answers later, by its manifest, is asked for some seconds."""
        return await ask(adapter, message, _patience(adapter))

    async def test_a_draft_is_yielded_until_it_is_done(self, tmp_path: Path) -> None:
        """A draft keeps its key over repeats and restarts, and is gone once `done` was called."""
        harness = self.harness(tmp_path)
        harness.put("one", dump(sample_draft()))
        adapter = harness.open()
        first, again, after = await collect(adapter), await collect(adapter), await collect(harness.open())
        must(len(first) == len(again) == len(after) == 1, "a draft is yielded until it is done")
        must(first[0].key == again[0].key == after[0].key, "a draft keeps its key")
        await after[0].done(Spooled(envelope=ENVELOPE, thread=THREAD))
        must(not await collect(adapter), "a draft that is done is not yielded again")
        must(harness.count_waiting() == 0, "a draft that is done no longer waits")
        await first[0].done(Spooled(envelope=ENVELOPE, thread=THREAD))

    async def test_two_equal_drafts_are_two(self, tmp_path: Path) -> None:
        """The same content wanted twice is two drafts with different keys."""
        harness = self.harness(tmp_path)
        harness.put("one", dump(sample_draft()))
        harness.put("two", dump(sample_draft()))
        keys = [outgoing.key for outgoing in await collect(harness.open())]
        must(len(keys) == len(set(keys)) == 2, "two drafts have two keys")

    async def test_what_is_said_is_sent(self, tmp_path: Path) -> None:
        """Text of any script, fractions, nulls and bytes of any value come through unchanged."""
        harness = self.harness(tmp_path)
        paper = Document(name="Müller minutes.pdf", type="application/pdf", content=bytes(range(256)))
        harness.put("one", dump(sample_draft(attachments=[paper.name])), [paper])
        outgoing = (await collect(harness.open()))[0]
        must(outgoing.draft == parse_draft(dump(sample_draft(attachments=[paper.name]))), "the draft is unchanged")
        must(
            [(one.name, one.content) for one in outgoing.documents] == [(paper.name, paper.content)],
            "documents are unchanged",
        )

    async def test_a_malformed_draft_stops_nothing(self, tmp_path: Path) -> None:
        """A malformed draft doesn't wait for ever, and doesn't keep the one behind it."""
        harness = self.harness(tmp_path)
        harness.put("a-bad", b'{"type": 7}')
        harness.put("b-good", dump(sample_draft()))
        adapter = harness.open()
        await collect(adapter)
        found = await collect(adapter)
        must(len(found) == 1, "a malformed draft is not yielded, and a good one is")
        must(harness.count_waiting() == 1, "a malformed draft is taken out of the way")

    async def test_a_refused_draft_no_longer_waits(self, tmp_path: Path) -> None:
        """A draft that the gateway refuses is not yielded again."""
        harness = self.harness(tmp_path)
        harness.put("one", dump(sample_draft()))
        adapter = harness.open()
        outgoing = (await collect(adapter))[0]
        await outgoing.done(DraftRefused(code="message-schema", message="no", hint=""))
        must(not await collect(adapter), "a refused draft is not yielded again")

    async def test_filing_is_read_back(self, tmp_path: Path) -> None:
        """What `Filed` names is in the record system, unchanged."""
        harness = self.harness(tmp_path)
        message = self.incoming()
        outcome = await self.file(harness.open(), message)
        must(isinstance(outcome, Filed), "a message is filed")
        if isinstance(outcome, Filed):
            must(harness.read_record(outcome.record) == message.message, "what is filed is what came")

    async def test_filing_twice_is_filing_once(self, tmp_path: Path) -> None:
        """A gateway killed between filing and its receipt asks again: same record, nothing added."""
        harness = self.harness(tmp_path)
        first = await self.file(harness.open(), self.incoming())
        again = await self.file(harness.open(), self.incoming())
        must(first == again, "filing again gives the same record")
        must(harness.count_records() == 1, "filing again adds nothing")

    async def test_two_mailboxes_of_one_agency_both_file(self, tmp_path: Path) -> None:
        """The same envelope for a second team of the agency is filed for it too."""
        adapter = self.harness(tmp_path).open()
        other = self.incoming(mailbox="northmere-health/paediatrics", seq=3)
        for message in (self.incoming(), other, self.incoming(), other):
            must(isinstance(await self.file(adapter, message), Filed), "each team's delivery is filed")

    async def test_what_is_deleted_is_gone(self, tmp_path: Path) -> None:
        """An adapter that can delete leaves nothing of the envelope, also asked again, and nothing else goes."""
        harness = self.harness(tmp_path)
        adapter, again = harness.open(), harness.open()
        if not isinstance(adapter, Deletes) or not isinstance(again, Deletes):
            return
        message, other = self.incoming(), self.incoming(envelope=THREAD)
        outcome = await self.file(adapter, other)
        for _ in range(2):
            await self.file(adapter, message)
            for one in (adapter, again):
                must(await one.delete(message.envelope, message.mailbox), "what was filed is deleted")
                must(harness.count_records() == 1, "what was deleted is no longer there, and nothing else goes")
        if isinstance(outcome, Filed):
            must(harness.read_record(outcome.record) == other.message, "other records stay as they were")

    async def test_documents_with_dangerous_names_stay_inside(self, tmp_path: Path) -> None:
        """A name that means a path, a reserved file, or the same file twice harms nothing and loses nothing."""
        harness = self.harness(tmp_path / "system")
        documents = tuple(Document(name=name, type="text/plain", content=name.encode()) for name in NAMES)
        outcome = await self.file(harness.open(), self.incoming(documents=documents))
        must(isinstance(outcome, Filed), "a message with odd names is filed")
        must(not _find(tmp_path, "escaped"), "no document leaves its place")
        if isinstance(outcome, Filed):
            must(harness.read_record(outcome.record) == self.incoming().message, "no document replaces the message")

    async def test_it_withstands(self, tmp_path: Path) -> None:
        """Each check that `gateway adapter check` makes holds, and nothing is filed twice."""
        for number, (name, check) in enumerate(CHECKS.items()):
            harness = self.harness(tmp_path / str(number))
            patience = Patience()
            reopen = partial(_reopen, harness, patience)
            trial = _Counted(reopen=reopen, message=self.incoming(), patience=patience)
            try:
                await check(trial)
            except ContractError as error:
                raise ContractError(f"{name}: {error}") from error
            must(harness.count_records() <= len(trial.given), f"{name}: nothing is filed twice")


def _patience(adapter: Adapter) -> Patience:
    manifest = getattr(adapter, "manifest", None)
    return patience_with(manifest, seconds=10.0, pause=0.02) if manifest else Patience()


async def _reopen(harness: Harness, patience: Patience) -> Adapter:
    adapter = harness.open()
    given = _patience(adapter)
    patience.times, patience.pause = given.times, given.pause
    return adapter


@dataclass(frozen=True, kw_only=True)
class _Counted(Trial):
    """A trial that remembers which envelopes it gave."""

    given: set[str] = field(default_factory=set)

    def another(self, **changes: object) -> Incoming:
        message = super().another(**changes)
        self.given.add(message.envelope)
        return message


__all__ = [
    "AdapterContract",
    "ContractError",
    "Harness",
    "collect",
    "sample_draft",
    "sample_incoming",
]
