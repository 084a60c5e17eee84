"""Whether a pattern is safe to run on a stranger's text, decided from the pattern alone.

Read here is only what every language's regular expressions share: literals, classes, groups that capture nothing,
alternatives, and repeats with a limit.  What is left is measured: in how many ways one text can be cut up among
overlapping repeats, which is what a matcher may have to try before it gives up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

# Two neighbouring repeats of forty characters that overlap, as in a name with hyphens inside, make 1,600.
MAX_WAYS: Final = 2000
MAX_PATTERN: Final = 400
_LAST: Final = 0x10FFFF
_REPEAT: Final = re.compile(r"\?|\{([0-9]{1,4})(,([0-9]{0,4}))?\}|[*+]")
_ESCAPED: Final = re.compile(r"u([0-9a-fA-F]{4})|([nrt])|([sdwSDW])|([]^$\\.*+?()[{}|/-])")
_CONTROLS: Final = {"n": "\n", "r": "\r", "t": "\t"}

# First and last code points of runs of characters.
Chars = tuple[tuple[int, int], ...]
_ANY: Final[Chars] = ((0, _LAST),)


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    options: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Repeat:
    body: _Node
    least: int
    most: int


_Node = Chars | _Sequence | _Choice | _Repeat


class _UnreadableError(Exception):
    pass


class _UnboundedError(Exception):
    pass


def find_fault(pattern: str) -> str | None:
    """Return what is wrong with *pattern*, or ``None``.

    ``pattern-unanchored``: it may match a part of the text; ``pattern-unreadable``: not of the shared subset, or long;
    ``pattern-unbounded``: a repeat without a limit; ``pattern-slow``: more than 2,000 ways to cut up one text.
    """
    if len(pattern) > MAX_PATTERN:
        return "pattern-unreadable"
    reader = _Reader(pattern)
    try:
        if not reader.take("^"):
            return "pattern-unanchored"
        node = reader.read_choice()
        if not reader.take("$") or isinstance(node, _Choice):
            return "pattern-unanchored"
        if not reader.at_end():
            return "pattern-unreadable"
    except _UnreadableError:
        return "pattern-unreadable"
    except _UnboundedError:
        return "pattern-unbounded"
    return "pattern-slow" if _ways(node, ()) > MAX_WAYS else None


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0

    def at_end(self) -> bool:
        return self.place == len(self.text)

    def peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def take(self, word: str) -> bool:
        found = self.text.startswith(word, self.place)
        self.place += len(word) if found else 0
        return found

    def next(self) -> str:
        if self.at_end():
            raise _UnreadableError
        self.place += 1
        return self.text[self.place - 1]

    def read_choice(self) -> _Node:
        options = [self.read_sequence()]
        while self.take("|"):
            options.append(self.read_sequence())
        return _Choice(tuple(options)) if len(options) > 1 else options[0]

    def read_sequence(self) -> _Node:
        parts = []
        while self.peek() not in {"", "|", ")", "$"}:
            parts.append(self.read_repeat(self.read_atom()))
        return _Sequence(tuple(parts))

    def read_repeat(self, body: _Node) -> _Node:
        found = _REPEAT.match(self.text, self.place)
        if found is None:
            return body
        self.place = found.end()
        least, comma, most = found.groups()
        if found[0] in {"*", "+"} or (comma and not most):
            raise _UnboundedError
        # A second sign would make the repeat lazy or possessive, which not every language has.
        if self.peek() in {"?", "*", "+", "{"}:
            raise _UnreadableError
        repeat = _Repeat(body, int(least or 0), int(most or least or 1))
        if repeat.least > repeat.most:
            raise _UnreadableError
        return repeat

    def read_atom(self) -> _Node:
        sign = self.next()
        if sign == "(":
            if not self.take("?:"):
                raise _UnreadableError
            node = self.read_choice()
            if not self.take(")"):
                raise _UnreadableError
            return node
        if sign == "[":
            return self.read_class()
        if sign == ".":
            return _ANY
        if sign == "\\":
            return self.read_escaped()
        if sign in "^{}?*+]":
            raise _UnreadableError
        return _one(sign)

    def read_class(self) -> Chars:
        inverted = self.take("^")
        runs: list[tuple[int, int]] = []
        while not self.take("]"):
            low = self.read_member()
            if self.peek() == "-" and self.text[self.place + 1 : self.place + 2] != "]":
                self.place += 1
                high = self.read_member()
                if _ANY in (low, high) or low > high:
                    raise _UnreadableError
                low = ((low[0][0], high[0][1]),)
            runs += low
        if not runs:
            raise _UnreadableError
        # Which characters `\s` and the like mean differs between languages: taken as any.
        return _without(runs) if inverted and _ANY[0] not in runs else tuple(runs)

    def read_member(self) -> Chars:
        sign = self.next()
        if sign == "[":
            raise _UnreadableError
        return self.read_escaped() if sign == "\\" else _one(sign)

    def read_escaped(self) -> Chars:
        found = _ESCAPED.match(self.text, self.place)
        if found is None:
            raise _UnreadableError
        self.place = found.end()
        code, control, kind, sign = found.groups()
        if code:
            return _one(chr(int(code, 16)))
        return _ANY if kind else _one(_CONTROLS[control] if control else sign)


def _one(character: str) -> Chars:
    return ((ord(character), ord(character)),)


def _without(runs: Sequence[tuple[int, int]]) -> Chars:
    edges = [(-1, -1), *sorted(runs), (_LAST + 1, _LAST + 1)]
    return tuple((before + 1, after - 1) for (_, before), (after, _) in pairwise(edges) if before + 1 <= after - 1)


def _overlap(one: Chars, other: Chars) -> bool:
    return any(low <= last and first <= high for low, high in one for first, last in other)


def _can_be_empty(node: _Node) -> bool:
    if isinstance(node, _Sequence):
        return all(map(_can_be_empty, node.parts))
    if isinstance(node, _Choice):
        return any(map(_can_be_empty, node.options))
    return isinstance(node, _Repeat) and (node.least == 0 or _can_be_empty(node.body))


def _first(node: _Node, then: Chars = ()) -> Chars:
    """Return the characters with which a text of *node* may begin, those of *then* where it can be empty."""
    if isinstance(node, _Sequence):
        for part in reversed(node.parts):
            then = _first(part, then)
        return then
    if isinstance(node, _Choice):
        return tuple(run for option in node.options for run in _first(option, then))
    if isinstance(node, _Repeat):
        return _first(node.body) + (then if _can_be_empty(node) else ())
    return node


def _ways(node: _Node, then: Chars) -> int:
    """Return at most in how many ways *node*, followed by a character of *then* or the end, can match one text."""
    if isinstance(node, _Sequence):
        total = 1
        for part in reversed(node.parts):
            total *= _ways(part, then)
            then = _first(part, then)
        return min(total, MAX_WAYS + 1)
    if isinstance(node, _Choice):
        firsts = [_first(option, then) for option in node.options]
        told_apart = not any(_overlap(one, other) for n, one in enumerate(firsts) for other in firsts[:n])
        ways = [_ways(option, then) for option in node.options]
        return max(ways) if told_apart else sum(ways)
    if isinstance(node, _Repeat):
        again = _first(node.body)
        within = _ways(node.body, again + then if node.most > 1 else then)
        if node.most > 1 and (within > 1 or _can_be_empty(node.body)):
            within = MAX_WAYS + 1 if _can_be_empty(node.body) else min(within**node.most, MAX_WAYS + 1)
        return within * (node.most - node.least + 1) if _overlap(again, then) else within
    return 1
