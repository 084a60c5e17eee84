"""What was sent and what came back, on disk: recorded before each send, durable before each acknowledgement.

Source: design 6.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from adapters.base import Filed, Incoming, NeedsPerson, Outcome
from adapters.durable import make_folder, sync_folder, write_file
from adapters.marks import Marks
from keys.digests import sha256, sha256_b64u
from schemas.envelope import Struct
from schemas.identifiers import Code, EnvelopeId, MailboxId
from schemas.strict_json import MalformedError, parse

# Not collected within five days: its engine was down, and may be up again.
NOT_COLLECTED: Final = "14"
TRIES: Final = 3
MAX_ANSWER: Final = 64 * 1024
# A report's LocalID is whatever somebody says.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{43}")
Kept = Literal["full", "summary", "reference_only"]


class Answer(Struct, frozen=True, kw_only=True):
    """The body of ``…_ACK``: the record system has the package with this digest under ``record``, or refuses it."""

    envelope: EnvelopeId
    mailbox: MailboxId
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    record: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    mode: Kept = "full"
    refused: Code | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """MESH couldn't deliver ``name``, which was sent under ``local_id``."""

    name: str
    local_id: str
    code: str


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one envelope for one mailbox.

    ``sums``: the digests of the packages that may be there.  ``names``: MESH's ids, the last try's last; ``lost``: those that
    were reported.  ``waiting``: MESH has it.
    """

    envelope: EnvelopeId
    mailbox: MailboxId
    workflow: str
    local_id: str
    sums: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    waiting: bool = False
    record: str = ""
    mode: Kept = "full"
    stopped: str = ""

    @property
    def outcome(self) -> Outcome | None:
        """Return what it came to, if it did."""
        if self.record:
            return Filed(record=self.record, mode=self.mode)
        return NeedsPerson(code=self.stopped) if self.stopped else None

    def answered(self, answer: Answer) -> Sending:
        """Return this with *answer*; the first record stands."""
        if self.record:
            return self
        if answer.record is None:
            return replace(self, stopped="mesh-record-refused")
        if answer.sha256 not in self.sums:
            # It filed something else than what was sent.
            return replace(self, stopped="record-differs")
        return replace(self, record=answer.record, mode=answer.mode)

    def undelivered(self, report: Report) -> Sending:
        """Return this with *report*, counted once; one about an earlier try changes nothing."""
        last = self.names[-1] if self.names else report.name
        name = report.name or last
        if name in self.lost or name != last:
            return self
        lost = (*self.lost, name)
        again = report.code == NOT_COLLECTED and len(lost) < TRIES
        return replace(self, lost=lost, waiting=False, stopped="" if again else "mesh-undelivered")


class Sendings:
    """The folder ``sent/``, and in ``sent/settled/`` what came to something; several threads may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._settled = make_folder(folder), Marks(folder / "settled")
        self._lock = threading.Lock()

    def sweep(self) -> None:
        """Forget what came to something so long ago that neither the gateway nor the engine can come back to it."""
        self._settled.sweep()

    def find(self, envelope: str, mailbox: str) -> Sending | None:
        """Return what is known of *envelope* for *mailbox*."""
        return self._read(_name(envelope, mailbox))

    def begin(self, message: Incoming, workflow: str, package: bytes) -> Sending:
        """Record that *package* is about to be sent."""
        name = _name(message.envelope, message.mailbox)
        total = sha256(package).hex()

        def change(before: Sending | None) -> Sending:
            now = before or Sending(
                envelope=message.envelope, mailbox=message.mailbox, workflow=workflow, local_id=name
            )
            sums = now.sums if total in now.sums else (*now.sums, total)
            return replace(now, workflow=workflow, sums=sums, waiting=False)

        return self._change(name, change)

    def accepted(self, sending: Sending, name: str) -> Sending:
        """Record that MESH has it as *name*."""

        def change(before: Sending | None) -> Sending:
            now = before or sending
            return replace(now, names=(*(one for one in now.names if one != name), name), waiting=True)

        return self._change(sending.local_id, change)

    def take_answer(self, raw: bytes, workflow: str) -> bool:
        """Record the answer in *raw*; ``False``: it answers nothing that was sent on the workflow that this acknowledges.

        Raises:
            MalformedError: ``mesh-answer``, ``json-*``; it is none.
        """
        answer = parse_answer(raw)
        found = self.find(answer.envelope, answer.mailbox)
        if found is None or f"{found.workflow}_ACK" != workflow:
            return False
        self._change(found.local_id, lambda now: (now or found).answered(answer))
        return True

    def take_report(self, report: Report) -> bool:
        """Record *report*; ``False``: it is about nothing that was sent from here."""
        found = self._read(report.local_id) or next((one for one in self._all() if report.name in one.names), None)
        if found is None:
            return False
        self._change(found.local_id, lambda now: (now or found).undelivered(report))
        return True

    def _all(self) -> Iterator[Sending]:
        """Yield all, those that wait first: of a report without a LocalID, which MESH doesn't send, this is asked."""
        waiting = [path.stem for path in self._folder.glob("*.json") if not path.name.startswith(".")]
        for name in (*waiting, *self._settled.list_all()):
            found = self._read(name)
            if found is not None:
                yield found

    def _read(self, name: str) -> Sending | None:
        if not _NAME.fullmatch(name):
            return None
        try:
            raw = self._path(name).read_bytes()
        except FileNotFoundError:
            settled = self._settled.find(name)
            if settled is None:
                return None
            raw = settled
        return msgspec.json.decode(raw, type=Sending)

    def _change(self, name: str, change: Callable[[Sending | None], Sending]) -> Sending:
        with self._lock:
            before = self._read(name)
            after = change(before)
            if after != before:
                self._write(name, after)
            return after

    def _write(self, name: str, sending: Sending) -> None:
        """Put *sending* where it belongs, and only then take it away from where it was.

        Killed in between, it still waits: what brought the outcome isn't acknowledged, and comes again.
        """
        raw = msgspec.json.encode(sending)
        if sending.outcome is None:
            write_file(self._path(name), raw)
            self._settled.drop(name)
        else:
            self._settled.add(name, raw)
            self._path(name).unlink(missing_ok=True)
            sync_folder(self._folder)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def parse_answer(raw: bytes) -> Answer:
    """Return the answer in *raw*.

    Raises:
        MalformedError: ``mesh-answer``, ``json-*``.
    """
    try:
        answer = msgspec.convert(parse(raw, max_bytes=MAX_ANSWER), Answer, strict=True)
    except msgspec.ValidationError as error:
        raise MalformedError(
            "mesh-answer", f"the record system's answer: {error}", "see docs/agencies/mesh.md for its members"
        ) from error
    if (answer.record is None) == (answer.refused is None):
        raise MalformedError(
            "mesh-answer", "the record system's answer has not one of `record` and `refused`", "send one of them"
        )
    return answer


def _name(envelope: str, mailbox: str) -> str:
    """Return the LocalID of *envelope* for *mailbox*: the same each time, and it says nothing."""
    return sha256_b64u(f"{envelope} {mailbox}".encode())
