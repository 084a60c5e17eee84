"""Which message can be made from which: the answer to a request, the request that a meeting makes, an action of minutes.

A pair of types is one entry of ``derivations.json``; adding one needs no code.  Pointers are JSON pointers without
escapes, and ``.`` and ``./x`` mean the element where ``each`` is given:

``each``              pointer to a list of the source: one message for each element
``where``             pointer to allowed values: what has none of them makes no message
``set``               pointer of the target to a constant, which everything below may replace
``new_id``, ``now``   pointers of the target to which a fresh id, and the moment, go
``copy``              pointer of the target to one of the source; what is absent there stays absent
``codes``             pointer of the target to ``of``, a pointer of the source, and ``to``, the code for each of its codes
``next``              pointer of the target to one of the source: its number, and one more
``sender``            pointers of the target to which the mailbox that sends it goes
``recipient``         pointers of the target to which the mailbox that it is for goes
``needs``             pointers of the target that only a person, or a rule of the agreement, can fill in; not the date of
                      a negative, which the label's term gives
``by``                ``sender``: only who sent the source makes it; absent: whoever has the source
``automatic``         a gateway sends it by itself where its own envelope made it owe one

``negatives`` says of which types an answer may be a negative: deleted after the day that stands at ``date`` where
``when`` holds, and sent under the label ``retention`` where the agreement has it for the type.

Source: domain 2 (systems 1, 4 to 9, 13, 14, 17, 19, 23, 24), 3, 8; domain 11, risk 15.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, Final, Literal, Self

from schemas.envelope import Struct
from schemas.identifiers import Code, MailboxId, MessageType, Moment, family_of
from schemas.strict_json import parse_as

MAX_FILE: Final = 1024 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Pointer = str


class Coded(Struct, frozen=True, kw_only=True):
    """A code of the target by a code of the source; one that ``to`` lacks gives none."""

    of: Pointer
    to: Mapping[str, str]


class Derivation(
    Struct,
    frozen=True,
    kw_only=True,
    rename={"source": "from", "target": "to", "constants": "set", "following": "next"},
):
    """How a message of ``target`` is made from one of ``source``."""

    source: MessageType
    target: MessageType
    by: Literal["sender", "any"] = "any"
    automatic: bool = False
    each: Pointer | None = None
    where: Mapping[Pointer, tuple[bool | int | str, ...]] = {}
    constants: Mapping[Pointer, Any] = {}
    new_id: tuple[Pointer, ...] = ()
    now: tuple[Pointer, ...] = ()
    copy: Mapping[Pointer, Pointer] = {}
    codes: Mapping[Pointer, Coded] = {}
    following: Mapping[Pointer, Pointer] = {}
    sender: tuple[Pointer, ...] = ()
    recipient: tuple[Pointer, ...] = ()
    needs: tuple[Pointer, ...] = ()

    def addressed(self, *, sender: MailboxId, recipient: MailboxId) -> dict[Pointer, MailboxId]:
        """Return the values that follow from whose the message is and whom it is for."""
        return dict.fromkeys(self.sender, sender) | dict.fromkeys(self.recipient, recipient)


class Negative(Struct, frozen=True, kw_only=True):
    """When a message of ``type`` is a negative, where its last day stands, and under which label it is sent."""

    type: MessageType
    when: Mapping[Pointer, tuple[bool | int | str, ...]]
    date: Pointer
    retention: Code


class _File(Struct, frozen=True, kw_only=True):
    derivations: tuple[Derivation, ...]
    negatives: tuple[Negative, ...]


class Derivations:
    """Every pair of types of which the one is made from the other; types are named with or without their version."""

    def __init__(self, derivations: tuple[Derivation, ...], negatives: tuple[Negative, ...]) -> None:
        self._pairs = {(family_of(one.source), family_of(one.target)): one for one in derivations}
        self._negatives = {family_of(one.type): one for one in negatives}

    @classmethod
    @cache
    def load(cls) -> Self:
        """Return what the packaged file says."""
        raw = (resources.files("schemas") / "derivations.json").read_bytes()
        file = parse_as(raw, _File, max_bytes=MAX_FILE)
        return cls(file.derivations, file.negatives)

    def find(self, source_type: str, target_type: str) -> Derivation | None:
        """Return how the one is made from the other, or ``None``."""
        return self._pairs.get((family_of(source_type), family_of(target_type)))

    def pairs(self) -> tuple[Derivation, ...]:
        """Return every pair, in the file's order."""
        return tuple(self._pairs.values())

    def made_from(self, source_type: str) -> tuple[Derivation, ...]:
        """Return every pair whose source is *source_type*, in the file's order."""
        return tuple(one for (source, _), one in self._pairs.items() if source == family_of(source_type))

    def derive_all(
        self,
        source_type: str,
        target_type: str,
        message: Mapping[str, Any],
        *,
        new_ids: Callable[[], str],
        now: str,
        values: Mapping[Pointer, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return every message of *target_type* that *message* makes, each with *values* (pointer to value) laid over.

        *new_ids* gives a fresh id at each call; *now* is a moment as messages spell it.  None are made of a pair that
        is unknown, of an empty list, and of what ``where`` leaves out.  The result isn't validated.
        """
        found = self.find(source_type, target_type)
        return [] if found is None else list(_make_all(found, message, new_ids, now, values or {}))

    def derive(
        self,
        source_type: str,
        target_type: str,
        message: Mapping[str, Any],
        *,
        new_id: Callable[[], str],
        now: str,
        values: Mapping[Pointer, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Return the first of :meth:`derive_all`, or ``None`` where there is none."""
        made = self.derive_all(source_type, target_type, message, new_ids=new_id, now=now, values=values)
        return made[0] if made else None

    def find_negative(self, message_type: str, message: Mapping[str, Any]) -> Negative | None:
        """Return what is said of negatives of the type if *message* is one, else ``None``."""
        found = self._negatives.get(family_of(message_type))
        return found if found is not None and _holds(found.when, message, message) else None

    def may_be_negative(self, message_type: str) -> bool:
        """Answer whether a message of the type can be a negative at all."""
        return family_of(message_type) in self._negatives

    def find_end(self, message_type: str, message: Mapping[str, Any]) -> Moment | None:
        """Return the first moment at which *message* must be gone, or ``None``: it is no negative, or has no date.

        A negative may stay for the whole of its last day, in UTC.
        """
        found = self.find_negative(message_type, message)
        day = read(message, found.date) if found is not None else None
        return None if day is None else _moment_of(datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1))


def spell_moment(moment: Moment) -> str:
    """Return *moment* as messages spell it, to the second: ``2026-04-14T09:30:00Z``."""
    return (_EPOCH + timedelta(milliseconds=moment)).strftime("%Y-%m-%dT%H:%M:%SZ")


def spell_day(moment: Moment) -> str:
    """Return the day of *moment* in UTC as messages spell it: ``2026-04-14``."""
    return spell_moment(moment).partition("T")[0]


def read(message: Any, pointer: Pointer) -> Any:
    """Return what stands at *pointer*, or ``None``: no field of any type may be null."""
    value = message
    for name in pointer.split("/")[1:]:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def put(message: dict[str, Any], pointer: Pointer, value: Any) -> None:
    """Put *value* at *pointer*, making the groups above it."""
    *groups, last = pointer.split("/")[1:]
    place = message
    for name in groups:
        if not isinstance(place.get(name), dict):
            place[name] = {}
        place = place[name]
    place[last] = copy.deepcopy(value)


def _make_all(
    rule: Derivation, message: Mapping[str, Any], new_id: Callable[[], str], now: str, values: Mapping[Pointer, Any]
) -> Iterator[dict[str, Any]]:
    for element in [message] if rule.each is None else read(message, rule.each) or ():
        if _holds(rule.where, message, element):
            made = _make(rule, message, element, new_id, now)
            for pointer, value in values.items():
                put(made, pointer, value)
            yield made


def _make(
    rule: Derivation, message: Mapping[str, Any], element: Any, new_id: Callable[[], str], now: str
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for pointer, constant in rule.constants.items():
        put(made, pointer, constant)
    for pointer in rule.new_id:
        put(made, pointer, new_id())
    for pointer in rule.now:
        put(made, pointer, now)
    found = {pointer: _find(message, element, source) for pointer, source in rule.copy.items()}
    for pointer, coded in rule.codes.items():
        found[pointer] = coded.to.get(str(_find(message, element, coded.of)))
    for pointer, source in rule.following.items():
        found[pointer] = _find(message, element, source) + 1
    for pointer, value in found.items():
        if value is not None:
            put(made, pointer, value)
    return made


def _holds(conditions: Mapping[Pointer, tuple[bool | int | str, ...]], message: Any, element: Any) -> bool:
    return all(_find(message, element, pointer) in allowed for pointer, allowed in conditions.items())


def _find(message: Any, element: Any, pointer: Pointer) -> Any:
    return read(element, pointer) if pointer.startswith(".") else read(message, pointer)


def _moment_of(at: datetime) -> Moment:
    return (at - _EPOCH) // timedelta(milliseconds=1)
