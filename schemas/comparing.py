"""What changes from one signed document to the next, in plain words: what officers read before they sign.

Every member is compared, so nothing can change without a line that says so; ``check`` marks what must be known by
another way than this document, because whoever controls it controls the partnership or an agency.

Source: protocol 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import unified_diff
from typing import Any, Final, NamedTuple

import msgspec

from schemas.agreement import Agreement
from schemas.directory import AgencyEntry, Directory, Jwk, Mailbox
from schemas.identifiers import Moment

_NONE: Final = "none"
_GONE: Final = "is taken out of the directory: its address will lead nowhere, for ever"
_HEAD: Final = frozenset({"v", "version", "previous", "issued"})
_MOMENTS: Final = frozenset({"valid_from", "valid_to", "expires", "in_force_from"})


class Change(NamedTuple):
    """One thing that changes: ``where`` the agency, mailbox or member, ``says`` in a phrase.

    ``check``: to be confirmed with its owner, by telephone or in person, before anyone signs.
    """

    where: str
    says: str
    check: bool = False


class Words(NamedTuple):
    """How keys and moments are written: ``key`` returns a public key's fingerprint, ``moment`` a moment in words."""

    key: Callable[[Jwk], str]
    moment: Callable[[Moment], str]


def compare_directories(before: Directory | None, after: Directory, words: Words) -> tuple[Change, ...]:
    """Return what *after* changes of *before*, or for a first directory everything that it says."""
    return tuple(_directory(before, after, words))


def _directory(before: Directory | None, after: Directory, words: Words) -> Iterator[Change]:
    for name in ("partnership", "expires"):
        yield from _value("directory", name, before, after, words, check=name == "partnership")
    yield from _officers(before, after, words)
    yield from _hub(before, after, words)
    policies = [one.witnesses.splitlines() if one else [] for one in (before, after)]
    yield from _listed("witnesses", "line", *policies, check=True)
    known = {entry.id: entry for entry in before.agencies} if before else {}
    for entry in after.agencies:
        yield from _agency(known.pop(entry.id, None), entry, words)
    for gone in known:
        yield Change(gone, _GONE, check=True)
    yield from _order("directory", before.agencies if before else (), after.agencies)


def _officers(before: Directory | None, after: Directory, words: Words) -> Iterator[Change]:
    was, now = before.officers if before else None, after.officers
    if was is None or was.threshold != now.threshold or len(was.keys) != len(now.keys):
        earlier = f", instead of {was.threshold} of {len(was.keys)}" if was else ""
        yield Change("officers", f"{now.threshold} of {len(now.keys)} must sign{earlier}", check=True)
    yield from _listed(
        "officers", "key", [words.key(key) for key in was.keys] if was else [], map(words.key, now.keys), check=True
    )


def _hub(before: Directory | None, after: Directory, words: Words) -> Iterator[Change]:
    was, now = before.hub if before else None, after.hub
    for name in ("url", "origin"):
        yield from _value("hub", name, was, now, words, check=True)
    yield from _listed(
        "hub", "key for answers", [words.key(key) for key in was.signing] if was else [], map(words.key, now.signing), check=True
    )  # fmt: skip
    yield from _listed("hub", "key for the log", was.checkpoint if was else (), now.checkpoint, check=True)


def _agency(before: AgencyEntry | None, after: AgencyEntry, words: Words) -> Iterator[Change]:
    if before is None:
        yield Change(after.id, f"is new: {after.name}, identity key {words.key(after.identity)}", check=True)
    elif before.identity != after.identity:
        says = f"has another identity key: {words.key(after.identity)}, instead of {words.key(before.identity)}"
        yield Change(after.id, says, check=True)
    for name in after.__struct_fields__:
        if name not in {"id", "identity", "mailboxes"} and not (before is None and name == "name"):
            yield from _value(after.id, name, before, after, words)
    known = {box.id: box for box in before.mailboxes} if before else {}
    for box in after.mailboxes:
        yield from _mailbox(known.pop(box.id, None), box, words)
    for gone in known:
        yield Change(gone, _GONE, check=True)
    yield from _order(after.id, before.mailboxes if before else (), after.mailboxes)


def _mailbox(before: Mailbox | None, after: Mailbox, words: Words) -> Iterator[Change]:
    if before is None:
        yield Change(after.id, f"is new: {after.title}")
    for name in after.__struct_fields__:
        if name != "id" and not (before is None and name == "title"):
            yield from _value(after.id, name, before, after, words)


def _value(where: str, name: str, before: Any, after: Any, words: Words, *, check: bool = False) -> Iterator[Change]:
    """Yield that the member *name* differs; of a thing that is new, that it has any."""
    now = getattr(after, name)
    was = getattr(before, name) if before is not None else None
    if was != now and not (before is None and not now):
        label, said = name.replace("_", " "), _say(name, now, words)
        earlier = f", instead of {_say(name, was, words)}" if before is not None else ""
        yield Change(where, f"{label}: {said}{earlier}", check)


def _say(name: str, value: Any, words: Words) -> str:
    if value is None or value in ((), {}, ""):
        return _NONE
    if name in _MOMENTS:
        return words.moment(value)
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return msgspec.json.encode(msgspec.to_builtins(value), order="sorted").decode()


def _listed(
    where: str, kind: str, before: Iterable[str], after: Iterable[str], *, check: bool = False
) -> Iterator[Change]:
    was, now = list(before), list(after)
    yield from (Change(where, f"{kind} added: {one}", check) for one in now if one not in was)
    yield from (Change(where, f"{kind} removed: {one}", check) for one in was if one not in now)
    yield from _reordered(where, was, now)


def _order(
    where: str, before: Iterable[AgencyEntry | Mailbox], after: Iterable[AgencyEntry | Mailbox]
) -> Iterator[Change]:
    # Who answers for an ended mailbox may depend on its place alone.
    yield from _reordered(where, [str(one.id) for one in before], [str(one.id) for one in after])


def _reordered(where: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    if [one for one in before if one in after] != [one for one in after if one in before]:
        yield Change(where, f"is put in another order: {', '.join(after)}")


def compare_agreements(
    before: Agreement | None, after: Agreement, words: Words, explain: Callable[[Agreement], str]
) -> tuple[Change, ...]:
    """Return what *after* changes of *before*: member by member, then what *explain* says otherwise of it."""
    return tuple(_agreement(before, after, words, explain))


def _agreement(
    before: Agreement | None, after: Agreement, words: Words, explain: Callable[[Agreement], str]
) -> Iterator[Change]:
    for name in after.__struct_fields__:
        now, was = getattr(after, name), getattr(before, name, None)
        if isinstance(now, Mapping):
            yield from _entries(name, was or {}, now)
        elif name in {"recurring", "patterns"}:
            yield from _entries(name, {one.name: one for one in was or ()}, {one.name: one for one in now})
        elif name not in _HEAD:
            yield from _value("agreement", name, before, after, words, check=name == "partnership")
    if before is not None:
        # The first lines name version and dates, which have lines of their own above.
        was, now = (explain(one).splitlines()[2:] for one in (before, after))
        for line in unified_diff(was, now, n=0, lineterm=""):
            if line[:1] in "+-" and line[:3] not in {"+++", "---"} and line[1:].strip():
                yield Change("in words", f"{'now' if line[0] == '+' else 'until now'}: {line[1:].strip()}")


def _entries(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    yield from (Change(name, f"added: {key}") for key in after if key not in before)
    yield from (Change(name, f"removed: {key}") for key in before if key not in after)
    yield from (Change(name, f"changed: {key}") for key in after if key in before and before[key] != after[key])
