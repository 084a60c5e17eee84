"""What any adapter must withstand, seen from outside: only by what it hands over and answers.

``gateway adapter check`` asks these of a configured adapter in its own process, and :class:`adapters.conformance.AdapterContract`
asks them in a plugin's own tests, where the record system can be looked into as well.

Source: design 5 (conformance).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from adapters.at_risk import AttendanceAnswer, Attends, ListsAtRisk
from adapters.base import (
    Adapter,
    Deletes,
    Document,
    Filed,
    Incoming,
    Later,
    Manifest,
    Notice,
    Outcome,
    ReadsBack,
    TakesNotices,
)
from keys.digests import new_id
from schemas.identifiers import Moment

# Combining marks, right-to-left, an astral character, a line separator: what names and notes really hold.
UNICODE: Final = "Zoe\u0308 O\u2019Sample \u05d0\u05d1 \U0001f9f8 \u2028 ﬁ"
HUGE: Final = 24 * 1024 * 1024
NAMES: Final = ("../../escaped", "message.json", "a\u202efdp.exe", ".hidden", "A.TXT", "a.txt", "CON", "x" * 190)
# The first day, a leap second's eve, and a day that no calendar of 32 bits has.
MOMENTS: Final[tuple[Moment, ...]] = (1, 1_483_228_799_999, 253_402_300_799_000)
# When it is cut off, in seconds after it was asked: before, while and after it writes.
CUTS: Final = (0.0, 0.001, 0.005, 0.02)


class ContractError(AssertionError):
    """The adapter breaks the contract; the text says which sentence of it."""


class UnansweredError(ContractError):
    """The adapter's partner, who answers later, hasn't answered: neither shown nor refuted."""


@dataclass(kw_only=True)
class Patience:
    """How often a message that has to wait is asked about again: *times*, every *pause* seconds."""

    times: int = 0
    pause: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is tried: *reopen* gives the adapter as after a restart, *message* one that the system can take.

    *patience* is for an adapter whose partner answers later; once that was in vain it is as good as none, for the checks that follow.
    """

    reopen: Callable[[], Awaitable[Adapter]]
    message: Incoming
    patience: Patience = field(default_factory=Patience)

    def another(self, **changes: object) -> Incoming:
        """Return *message* under an id that nothing was filed under."""
        return replace(self.message, envelope=new_id(0), **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One check: its name, whether it held, and the sentence that holds or doesn't."""

    name: str
    good: bool
    says: str


def must(holds: object, sentence: str) -> None:
    """Object with *sentence* unless it *holds*."""
    if not holds:
        raise ContractError(sentence)


def patience_with(manifest: Manifest, *, seconds: float, pause: float) -> Patience:
    """Return what an adapter of *manifest* is given: *seconds* for a message where its partner answers later, else nothing."""
    return Patience(times=max(1, round(seconds / pause)), pause=pause) if manifest.answers_later else Patience()


async def ask(adapter: Adapter, message: Incoming, patience: Patience) -> Outcome:
    """Have *adapter* file *message*, and ask again while it says ``Later`` and there is *patience*."""
    outcome: Outcome = await adapter.file(message)
    for _ in range(patience.times):
        if not isinstance(outcome, Later):
            break
        await asyncio.sleep(patience.pause)
        outcome = await adapter.file(message)
    return outcome


async def _filed(trial: Trial, adapter: Adapter, message: Incoming) -> Filed:
    outcome = await ask(adapter, message, trial.patience)
    if isinstance(outcome, Later) and trial.patience.times:
        trial.patience.times = 1
        raise UnansweredError(outcome.reason)
    if not isinstance(outcome, Filed):
        raise ContractError(f"a message is filed (it answered {outcome})")
    return outcome


async def check_repeat(trial: Trial) -> None:
    """Filing again, also after a restart, gives the same record."""
    message, adapter = trial.another(), await trial.reopen()
    first = await _filed(trial, adapter, message)
    must(await _filed(trial, adapter, message) == first, "filing again gives the same record")
    must(
        await _filed(trial, await trial.reopen(), message) == first,
        "filing again after a restart gives the same record",
    )


async def check_crash(trial: Trial) -> None:
    """Cut off at any moment between being asked and answering, it files when it is asked again, once."""
    adapter = await trial.reopen()
    for seconds in CUTS:
        message = trial.another()
        asked = asyncio.ensure_future(adapter.file(message))
        await asyncio.sleep(seconds)
        # An adapter in a process of its own is killed by this.
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked
        adapter = await trial.reopen()
        first = await _filed(trial, adapter, message)
        must(await _filed(trial, adapter, message) == first, "what was cut off is filed once")


async def check_slow(trial: Trial) -> None:
    """Twenty messages one after another are all filed, each within its time."""
    adapter, messages = await trial.reopen(), [trial.another() for _ in range(20)]
    if trial.patience.times:
        # All are on their way before the first is waited for.
        for message in messages:
            await adapter.file(message)
    records = [(await _filed(trial, adapter, message)).record for message in messages]
    must(len(set(records)) == 20, "each message has a record of its own")


async def check_duplicate(trial: Trial) -> None:
    """One envelope for two teams is filed for each, and asked twice at once, filed once."""
    adapter = await trial.reopen()
    one = trial.another()
    other = replace(one, mailbox=f"{one.mailbox.partition('/')[0]}/second-team", seq=one.seq + 1)
    first = await _filed(trial, adapter, one)
    await _filed(trial, adapter, other)
    await _filed(trial, adapter, other)
    must(await _filed(trial, adapter, one) == first, "a second team's delivery changes nothing of the first's")
    both = trial.another()
    found = await asyncio.gather(_filed(trial, adapter, both), _filed(trial, adapter, both))
    must(found[0] == found[1], "asked twice at once it gives one record")


async def check_malformed(trial: Trial) -> None:
    """Documents whose names mean a path, a reserved file or the same file twice do no harm and stop nothing."""
    adapter = await trial.reopen()
    papers = tuple(Document(name=name, type="text/plain", content=name.encode()) for name in NAMES)
    await _filed(trial, adapter, trial.another(documents=papers))
    await _filed(trial, adapter, trial.another(documents=(Document(name="empty", type="", content=b""),)))


async def check_huge(trial: Trial) -> None:
    """A document of 24 MiB is filed."""
    paper = Document(name="scan.pdf", type="application/pdf", content=bytes(HUGE))
    await _filed(trial, await trial.reopen(), trial.another(documents=(paper,)))


async def check_unicode(trial: Trial) -> None:
    """Text of any script in names, roles and documents is taken."""
    paper = Document(name=f"{UNICODE.replace(chr(0x2028), '')}.txt", type="text/plain", content=UNICODE.encode())
    await _filed(trial, await trial.reopen(), trial.another(documents=(paper,), marks=("not_for_family",)))


async def check_clock(trial: Trial) -> None:
    """Messages of any moment, and an older one after a newer one, are filed."""
    adapter = await trial.reopen()
    for at in sorted(MOMENTS, reverse=True):
        await _filed(trial, adapter, trial.another(at=at, accepted_at=at))


async def check_collect(trial: Trial) -> None:
    """What waits to be sent has the same keys each time, also after a restart, until it is done."""
    adapter = await trial.reopen()
    first = [one.key async for one in adapter.collect()]
    must(len(first) == len(set(first)), "each draft has a key of its own")
    must([one.key async for one in adapter.collect()] == first, "a draft keeps its key")
    again = await trial.reopen()
    must([one.key async for one in again.collect()] == first, "a draft keeps its key over a restart")


async def check_notices(trial: Trial) -> None:
    """The same notice twice is taken."""
    adapter = await trial.reopen()
    if isinstance(adapter, TakesNotices):
        notice = Notice(id=new_id(0), code="overdue", at=1, mailbox=trial.message.mailbox, source="hub")
        await adapter.notify(notice)
        await adapter.notify(notice)


async def check_delete(trial: Trial) -> None:
    """What was filed is deleted, also asked again, and by an adapter that was started anew."""
    adapter = await trial.reopen()
    if isinstance(adapter, Deletes):
        message = trial.another()
        await _filed(trial, adapter, message)
        first = await adapter.delete(message.envelope, message.mailbox)
        again = await trial.reopen()
        if isinstance(again, Deletes):
            must(await again.delete(message.envelope, message.mailbox) == first, "deleting again changes nothing")


async def check_read_back(trial: Trial) -> None:
    """What was filed stands under its record, and nothing stands under a record that was never given."""
    adapter = await trial.reopen()
    if isinstance(adapter, ReadsBack):
        record = (await _filed(trial, adapter, trial.another())).record
        held = await adapter.read_back(record)
        must(held is not None and held.record == record and not held.ended, "what was filed is read back")
        must(await adapter.read_back(f"{record}-never-given") is None, "what was never filed isn't read back")


async def check_at_risk(trial: Trial) -> None:
    """The list of children at risk is the same asked twice, and an answer about somebody who isn't waited for is taken twice."""
    adapter = await trial.reopen()
    if isinstance(adapter, ListsAtRisk):
        must(await adapter.at_risk() == await adapter.at_risk(), "the list stays what it was until another is released")
    if isinstance(adapter, Attends):
        for _ in range(2):
            await adapter.tell_attendance(AttendanceAnswer(attendance=f"check-{new_id(0)}", state="waiting", words="-"))


CHECKS: Final[dict[str, Callable[[Trial], Awaitable[None]]]] = {
    "repeat": check_repeat,
    "crash between filing and answer": check_crash,
    "slow": check_slow,
    "duplicate": check_duplicate,
    "malformed": check_malformed,
    "huge": check_huge,
    "unicode": check_unicode,
    "clock": check_clock,
    "collect": check_collect,
    "notices": check_notices,
    "delete": check_delete,
    "read back": check_read_back,
    "at risk": check_at_risk,
}


async def run_checks(trial: Trial) -> AsyncIterator[Point]:
    """Yield each check with what came of it; one that fails keeps none from being made."""
    for name, check in CHECKS.items():
        says = (check.__doc__ or "").strip()
        try:
            await check(trial)
        except UnansweredError as error:
            why = f"not shown: it needs the partner to answer while this runs, and it hasn't (`{error}`)"
            yield Point(name=name, good=False, says=why)
        except Exception as error:  # noqa: BLE001 (whatever a plugin does, the other checks are made)
            reason = str(error) if isinstance(error, ContractError | ValueError) else type(error).__name__
            yield Point(name=name, good=False, says=f"doesn't hold: {reason or says}")
        else:
            yield Point(name=name, good=True, says=says)
