"""The quarter, replayed: the clock goes from moment to moment, case systems and people act, and the log tells what came of it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hub.demo.errors import DemoError
from hub.demo.log import AuditLog
from hub.demo.quarter import Quarter
from hub.demo.script import Handle, Moment, Send
from hub.demo.stage import SWEEP_SECONDS, Stage

HOUR: Final = 3_600_000
# On the days on which minutes are due, the clock stops when both sides are warned, and just after the due moment.
WARNED: Final = 4 * HOUR
OVERDUE: Final = 60_000
FAMILY: Final = "minutes.full"
DAY: Final = 24 * HOUR
# Gateways make new sealing keys when theirs are 30 days old; these are used a day later, and the old ones end after 14.
KEY_AGE: Final = 30 * DAY
LONGEST_STEP: Final = 12 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One draft that became an envelope."""

    envelope: str
    thread: str
    type: str
    to: tuple[str, ...]
    reference: str


@dataclass(slots=True, kw_only=True)
class Replay:
    """Drives *stage* through moments; ``tell`` hears each step in words, with its moment."""

    quarter: Quarter
    stage: Stage
    log: AuditLog
    tell: Callable[[int, str], None]
    sent: dict[str, Sent] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    handled: set[tuple[str, str]] = field(default_factory=set)

    @property
    def references(self) -> dict[str, str]:
        """Return discussion or report by thread."""
        return {thread: reference for reference, thread in self.threads.items()}

    def play(self, moments: Iterable[Moment]) -> None:
        """Go through *moments* in order."""
        for moment in moments:
            self.go_to(moment.at)
            for switch in moment.switches:
                self.stage.switch(switch.agency, on=switch.on)
                self.tell(moment.at, f"{switch.agency}: gateway {'on again' if switch.on else 'off'}")
            if any(switch.on for switch in moment.switches):
                self.wait_taken()
            for wave in sorted({send.wave for send in moment.sends}):
                self.send([send for send in moment.sends if send.wave == wave])
            self.handle(moment.handles)

    def go_to(self, at: int) -> None:
        """Let the time pass until *at*, stopping where something falls due on the way, and at least twice a day."""
        while self.stage.now < at:
            step = self.stage.now + LONGEST_STEP
            stop = min([*self._stops(self.stage.now, at), step, at])
            self.stage.set_clock(stop)
            # Nobody writes of a later day before what was due until then is dealt with.
            self.stage.wait_swept()
            if stop not in (step, at):
                self.tell(stop, "something falls due")
                self.pause()
            self._wait_for_keys()

    def _wait_for_keys(self) -> None:
        """Wait until every gateway that is on has made the sealing key that it should have by now."""
        self.log.wait("gateways to rotate their keys", lambda: not self._stale_agencies())

    def _stale_agencies(self) -> list[str]:
        newest = {leaf["agency"]: leaf["at"] for leaf in self.log.find("key-published", kind="seal", outcome="active")}
        return [agency for agency, at in newest.items() if self.stage.is_on(agency) and at <= self.stage.now - KEY_AGE]

    def pause(self) -> None:
        """Give the hub time for its round over what is due; then read what it wrote."""
        time.sleep(2 * SWEEP_SECONDS)
        self.log.read()

    def _stops(self, start: int, end: int) -> Sequence[int]:
        dues = self.log.dues([FAMILY])
        return sorted({at for due in dues for at in (due - WARNED, due + OVERDUE) if start < at < end})

    def send(self, sends: Sequence[Send]) -> None:
        """Put drafts into the senders' folders, and wait until each is sent, accepted, delivered and taken."""
        for send in sends:
            self._drop(send)
        for send in sends:
            self._find_sent(send)
        self.log.wait("the hub to accept what was sent", lambda: self._are_accepted(sends))
        self.wait_taken()
        for send in sends:
            self.tell(send.at, f"{send.reference}: {send.draft['type'].partition('/')[0]} to {len(send.draft['to'])}")

    def _drop(self, send: Send) -> None:
        draft = dict(send.draft)
        if send.answers:
            draft["re"] = self.sent[send.answers].envelope
        if not send.thread_of_its_own and send.reference in self.threads:
            draft["thread"] = self.threads[send.reference]
        out = self.stage.folder(draft["from"]) / "out"
        making = out / f".{send.name}"
        making.mkdir()
        for document in send.attachments:
            shutil.copy(document, making / document.name)
        (making / "message.json").write_text(json.dumps(draft, ensure_ascii=False, indent=2), encoding="utf-8")
        making.rename(out / send.name)

    def _find_sent(self, send: Send) -> None:
        folder = self.stage.folder(send.draft["from"])
        note, reason = folder / "sent" / send.name / "envelope.json", folder / "refused" / send.name / "reason.json"
        self.stage.wait(f"the gateway to take {send.name}", lambda: note.exists() or reason.exists())
        if reason.exists():
            told = json.loads(reason.read_bytes())
            raise DemoError(f"{send.name} was refused: {told['message']} ({told['code']})", told.get("hint", ""))
        told = json.loads(note.read_bytes())
        self.sent[send.name] = Sent(
            envelope=told["id"],
            thread=told["thread"],
            type=send.draft["type"],
            to=tuple(send.draft["to"]),
            reference=send.reference,
        )
        if not send.thread_of_its_own:
            self.threads.setdefault(send.reference, told["thread"])

    def _are_accepted(self, sends: Sequence[Send]) -> bool:
        ids = {self.sent[send.name].envelope for send in sends}
        for leaf in self.log.find("envelope-refused"):
            if leaf["envelope"] in ids:
                raise DemoError(f"the hub refused an envelope: {leaf['outcome']}", "see docs/errors.md")
        return ids <= {leaf["envelope"] for leaf in self.log.find("envelope-accepted")}

    def wait_taken(self) -> None:
        """Wait until whatever was sent is filed (collected, where people file) by every gateway that is on."""
        self.log.wait("the recipients' gateways", lambda: not self._untaken())

    def _untaken(self) -> list[tuple[str, str, str]]:
        receipts = self.log.receipts()
        wanted = [
            (sent.envelope, mailbox, "filed" if self.quarter.has_record_system(mailbox) else "collected")
            for sent in self.sent.values()
            for mailbox in sent.to
            if self.stage.is_on(mailbox)
        ]
        return [one for one in wanted if one not in receipts]

    def handle(self, handles: Sequence[Handle]) -> None:
        """Let practitioners open, or open and acknowledge, the minutes in their inboxes that *handles* name."""
        for mailbox, act in sorted({(handle.mailbox, handle.act) for handle in handles}):
            mine = [handle for handle in handles if (handle.mailbox, handle.act) == (mailbox, act)]
            waiting = [envelope for handle in mine for envelope in self._find_waiting(handle)]
            self.stage.inbox(mailbox, act, waiting)
            self.handled |= {(act, envelope) for envelope in waiting}
            wanted = {(envelope, mailbox, act) for envelope in waiting}
            self.log.wait(f"{mailbox} to say {act}", lambda wanted=wanted: wanted <= self.log.receipts())  # type: ignore[misc]
            self.tell(mine[0].at, f"{', '.join(handle.reference for handle in mine)}: {act} by {mailbox}")

    def _find_waiting(self, handle: Handle) -> list[str]:
        waiting = [
            sent.envelope
            for sent in self.sent.values()
            if sent.reference == handle.reference
            and sent.type.startswith("minutes.")
            and handle.mailbox in sent.to
            and (handle.act, sent.envelope) not in self.handled
        ]
        if not waiting:
            raise DemoError(
                f"{handle.mailbox}: nothing about {handle.reference} to be {handle.act}", "correct quarter.csv"
            )
        return waiting

    def notices(self, mailbox: str, code: str) -> set[str]:
        """Return the obligations about which the case system of *mailbox* got a notice *code*."""
        folder: Path = self.stage.folder(mailbox) / "in" / "notices"
        found = (json.loads(path.read_bytes()) for path in folder.glob("*.json"))
        return {str(told["obligation"]) for told in found if told["notice"] == code and told.get("obligation")}
