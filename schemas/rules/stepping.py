"""What the clock does to an open duty, and who is told: the same at the hub and in each gateway's own watch.

Source: protocol 5 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.directory import DirectoryIndex
from schemas.identifiers import MailboxId, Moment
from schemas.rules.duty import Duty
from schemas.rules.settling import next_step


def next_moment(duty: Duty, step: int) -> Moment | None:
    """Return when the clock next has to look at *duty*, its steps below *step* taken; ``None`` when never."""
    moments = [duty.steps[step].at] if step < len(duty.steps) else []
    # What comes at the due moment itself is in time, so a window has lapsed one millisecond later.
    return min([*moments, duty.due + 1]) if duty.lapses else min(moments, default=None)


def has_lapsed(duty: Duty, now: Moment) -> bool:
    """Answer whether *duty* is an objection window that is over at *now*."""
    return duty.lapses and duty.due < now


def first_step(duty: Duty, now: Moment) -> int:
    """Return the first step of *duty* that is not past at *now*, for a duty that is opened again."""
    return next_step(duty.steps, now)


def resolve_targets(duty: Duty, targets: Iterable[str], index: DirectoryIndex, now: Moment) -> tuple[MailboxId, ...]:
    """Return, sorted, the open mailboxes that *targets* mean at *now* (see :class:`schemas.rules.duty.Step`).

    A person's post that is vacant falls back to the mailbox itself, and a mailbox that ended without anybody to answer
    for it to the partnership, so that nothing is told to nobody.
    """
    boxes: set[MailboxId] = set()
    for target in targets:
        who, _, post = target.partition("/")
        if who in {"debtor", "creditor"}:
            mailbox = duty.debtor if who == "debtor" else duty.creditor
            boxes.add(_post(mailbox, post, index) if post else mailbox)
        elif target.startswith("role:"):
            boxes.update(index.mailboxes_with(target.removeprefix("role:"), now))
        else:
            boxes.add(target.removeprefix("mailbox:"))
    found = {heir for box in boxes for heir in index.open_heirs(box, now) or _owners(index, now)}
    return tuple(sorted(found))


def _owners(index: DirectoryIndex, now: Moment) -> tuple[MailboxId, ...]:
    owner = index.owner(now)
    return (owner,) if owner else ()


def _post(mailbox: MailboxId, post: str, index: DirectoryIndex) -> MailboxId:
    entry = index.find_mailbox(mailbox)
    if entry is None:
        return mailbox
    cover = entry.out_of_hours.mailbox if entry.out_of_hours else None
    return {"manager": entry.manager, "deputy": entry.deputy, "out_of_hours": cover}.get(post) or mailbox
