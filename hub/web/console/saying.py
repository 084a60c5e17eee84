"""The log's entries as people read them: who did what, in a sentence, without anything that the hub doesn't know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hub.core.events import Leaf
from hub.missing import AGES, RUNGS, Age, Rung
from hub.web.console.frame import Words
from schemas.identifiers import Moment, ObligationId
from schemas.rules.duty import Duty, Step
from schemas.rules.words import say_list, say_who

LEVELS: Final[Mapping[str, str]] = {
    "collected": "Collected: its gateway verified and opened it",
    "filed": "Filed in its record system",
    "opened": "Opened by a named practitioner",
    "acknowledged": "Acknowledged by a named practitioner",
    "declined": "Declined by a named practitioner",
    "rejected": "Rejected by its gateway",
}
STATES: Final[Mapping[str, str]] = {
    "open": "Open",
    "met": "Met in time",
    "met_late": "Met late",
    "met_elsewhere": "Met by other means",
    "waived": "Given up, by two people",
    "lapsed": "Lapsed: nobody objected in time",
    "superseded": "Superseded by a newer version",
}
DELIVERIES: Final[Mapping[str, str]] = {
    "owed": "Waits at the hub to be collected",
    "held": "Collected",
    "opened": "Opened",
    "filed": "Filed",
    "filed_opened": "Filed and opened",
    "acknowledged": "Acknowledged",
    "filed_acknowledged": "Filed and acknowledged",
    "declined": "Declined: returned to the sender",
    "rejected": "Rejected: returned to the sender",
    "gone": "Taken back before it was collected",
}
RUNG_WORDS: Final[Mapping[Rung, str]] = dict(
    zip(RUNGS, ("nobody was told yet", "both parties", "a manager or deputy", "the partnership"), strict=True)
)
AGE_WORDS: Final[Mapping[Age, str]] = dict(
    zip(AGES, ("up to a day", "up to a week", "up to four weeks", "longer than four weeks"), strict=True)
)
_NOTICES: Final[Mapping[str, str]] = {"due-soon": "Reminder before it is due", "overdue": "Overdue"}
# What needs no party to be understood.
_PLAIN: Final[Mapping[str, str]] = {
    "body-deleted": "The sealed content was deleted; what happened to it stays in the log",
    "hold-placed": "A legal hold was placed",
    "hold-released": "A legal hold was released",
    "log-read": "Somebody looked at this",
    "act-proposed": "Somebody proposed",
    "act-approved": "A second person approved",
    "act-refused": "A second person refused",
    "act-withdrawn": "The proposal was taken back",
    "act-lapsed": "The proposal lapsed",
    "act-done": "What was agreed on is done",
    "breach-opened": "A record of a breach was opened",
    "breach-decided": "Somebody decided about the record of a breach",
}


def say_entry(words: Words, leaf: Leaf, duties: Mapping[ObligationId, Duty] | None = None) -> str:
    """Return the entry as a sentence; of one of *duties*, which an entry names by its id alone, it says what was owed to whom."""
    duty = (duties or {}).get(leaf.obligation or "")
    if duty is not None and (tell := _OF_DUTIES.get(leaf.event)) is not None:
        return f"{say_duty(words, duty)} for {words.party(duty.creditor)}: {tell(words, leaf)}"
    if (make := _SENTENCES.get(leaf.event)) is not None:
        return make(words, leaf)
    said = _PLAIN.get(leaf.event) or words.code(leaf.event).capitalize()
    # Which act it is tells more than that there was one.
    return f"{said}: {words.code(leaf.kind)}" if leaf.event.startswith("act-") and leaf.kind else said


def _party(words: Words, leaf: Leaf) -> str:
    return words.party(leaf.mailbox) if leaf.mailbox else words.name_of(leaf.agency or "")


def _accepted(words: Words, leaf: Leaf) -> str:
    return f"{_party(words, leaf)} sent it; the hub accepted it and owes it to every recipient"


def _receipt(words: Words, leaf: Leaf) -> str:
    level = LEVELS.get(leaf.level or "", leaf.level or "")
    code = f" ({words.code(leaf.outcome)})" if leaf.outcome else ""
    return f"{_party(words, leaf)}: {level[:1].lower()}{level[1:]}{code}"


def _opened(words: Words, leaf: Leaf) -> str:
    title = words.title_of(leaf.type or "")
    to = words.party(leaf.creditor) if leaf.creditor else "the county"
    by = f", by {words.moment(leaf.due)}" if leaf.due is not None else ""
    if leaf.kind == "receipt":
        return f"{_party(words, leaf)} owes {to} its receipt of this{by}"
    return f"{_party(words, leaf)} owes {to} “{title}”{by}"


def _settled(words: Words, leaf: Leaf) -> str:
    return f"What {_party(words, leaf)} owed: {_how(words, leaf)}"


def _how(_: Words, leaf: Leaf) -> str:
    state = STATES.get(leaf.outcome or "", "ended")
    return f"{state[:1].lower()}{state[1:]}"


def _step(words: Words, leaf: Leaf) -> str:
    return f"{_NOTICES.get(leaf.outcome or '', words.code(leaf.outcome or ''))}: {_party(words, leaf)} and whom the ladder names were told"


_SENTENCES: Final[Mapping[str, Callable[[Words, Leaf], str]]] = {
    "envelope-accepted": _accepted,
    "receipt-accepted": _receipt,
    "obligation-opened": _opened,
    "obligation-settled": _settled,
    "obligation-reopened": lambda words, leaf: f"{_party(words, leaf)} owes it again",
    "step-taken": _step,
    "obligation-chased": lambda words, leaf: f"{_party(words, leaf)} was reminded by hand",
    "wraps-replaced": lambda words, leaf: f"{_party(words, leaf)} sealed it again, for the newest keys",
    "withdrawal-recorded": lambda words, leaf: f"{_party(words, leaf)} took it back: {words.code(leaf.outcome or '')}",
    "waiver-recorded": lambda words, leaf: f"{_party(words, leaf)} ended the duty: {words.code(leaf.outcome or '')}",
    "envelope-refused": lambda words, leaf: f"What {_party(words, leaf)} sent was refused: {leaf.outcome}",
    "receipt-refused": lambda words, leaf: f"A receipt of {_party(words, leaf)} was refused: {leaf.outcome}",
}


_OF_DUTIES: Final[Mapping[str, Callable[[Words, Leaf], str]]] = {
    "obligation-settled": _how,
    "obligation-reopened": lambda words, leaf: f"{_party(words, leaf)} owes it again",
    "step-taken": lambda words, leaf: _NOTICES.get(leaf.outcome or "", words.code(leaf.outcome or "")).lower(),
    "obligation-chased": lambda words, leaf: f"{_party(words, leaf)} was reminded by hand",
    "waiver-recorded": lambda words, leaf: f"ended by {_party(words, leaf)}, {words.code(leaf.outcome or '')}",
}


def say_step(words: Words, step: Step) -> str:
    """Return one step of a ladder: what is said, and to whom."""
    return f"{_NOTICES.get(step.notice, words.code(step.notice))}: {say_list(map(say_who, step.to))}"


def say_duty(words: Words, duty: Duty) -> str:
    """Return what a duty is for: to send something, or to take receipt of it."""
    titles = say_list((words.title_of(one) for one in duty.types), "or") if duty.types else ""
    return f"Receipt of {titles}" if duty.kind == "receipt" else titles


def say_span(length: Moment) -> str:
    """Return how long something is, in days and hours: ``3 days``, ``5 hours``, ``less than an hour``."""
    hours = length // 3_600_000
    amount, unit = (hours // 24, "day") if hours >= 48 else (hours, "hour")
    return "less than an hour" if amount == 0 else f"{amount} {unit}" + ("" if amount == 1 else "s")
