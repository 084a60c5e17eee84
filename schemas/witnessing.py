"""Who must have cosigned a checkpoint before it counts: the directory's ``witnesses``, read and judged.

The text is C2SP tlog-policy.  One name is ours: the group ``agencies`` is there without being defined, and is met by
a majority of the agencies that cosign.  Everybody else is an outsider, with a ``witness`` line::

    witness notary notary.example/w1+5f2c8a11+BHk... https://notary.example
    group evidenced all agencies notary
    quorum evidenced

Nothing is verified here: callers say who has cosigned how much.

Source: c2sp.org/tlog-policy; protocol 7 (directory) and 8; design 2 (4).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.strict_json import MalformedError

AGENCIES: Final = "agencies"
NONE: Final = "none"
MAX_POLICY: Final = 128 * 1024
MAX_LINES: Final = 64

# Of the kinds of keys, only those that cosign: name, key id, and base64 that begins with type 0x04 or 0x06.
_VERIFIER: Final = re.compile(r"([^\s+]{1,255})\+[0-9a-f]{8}\+(B[A-Pg-v][A-Za-z0-9+/]+={0,2})")
_URL: Final = re.compile(r"https?://[^\s?#]{1,500}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,2}")


class Outsider(NamedTuple):
    """A witness that is no agency.

    ``name`` is the policy's own, ``key_name`` stands in its cosignature lines, ``verifier`` is its key as C2SP writes
    it; ``url`` is where it is asked, ``None`` where it sends its lines by itself.
    """

    name: str
    key_name: str
    verifier: str
    url: str | None


class Group(NamedTuple):
    """At least ``needed`` of ``members``, each a witness, a group before it, or ``agencies``."""

    needed: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The policy as parsed.  ``quorum`` is ``None`` where none is asked for: then nothing ever counts as witnessed."""

    outsiders: tuple[Outsider, ...] = ()
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str | None = None


def parse_policy(text: str) -> Policy:
    """Return the policy that *text* spells; an empty one asks for no quorum.

    Raises:
        MalformedError: ``directory-witnesses``, naming the line.
    """
    if len(text) > MAX_POLICY or any(not char.isprintable() and char not in "\t\n" for char in text):
        raise MalformedError("directory-witnesses", "the witness policy is too long or no plain text", "shorten it")
    reading = _Reading()
    for number, line in enumerate(text.split("\n"), 1):
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if words and not words[0].startswith("#"):
            reading.take(words, number)
    if reading.lines and not reading.is_closed:
        raise MalformedError(
            "directory-witnesses", "the witness policy has no quorum line", "end it with `quorum NAME`"
        )
    return Policy(outsiders=tuple(reading.outsiders.values()), groups=reading.groups, quorum=reading.quorum)


class _Reading:
    """A policy while it is read, line by line; a line only knows what stands before it."""

    def __init__(self) -> None:
        self.outsiders: dict[str, Outsider] = {}
        self.groups: dict[str, Group] = {}
        self.quorum: str | None = None
        self.is_closed = False
        self.lines = 0
        self._keys: set[str] = set()
        self._used: set[str] = set()

    def take(self, words: list[str], number: int) -> None:
        """Take one line that says something."""
        self.lines += 1
        if self.lines > MAX_LINES:
            raise _wrong(number, "there are too many lines", f"write at most {MAX_LINES}")
        known = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._quorum}
        if words[0] not in known:
            raise _wrong(number, "it begins with no word of a policy", "write log, witness, group or quorum")
        known[words[0]](words[1:], number)

    def _log(self, words: list[str], number: int) -> None:
        # Which log is meant, the directory says beside: its own hub's.
        if len(words) not in {1, 2}:
            raise _wrong(number, "a log is a key, and an address if need be", "write log VKEY [URL]")

    def _witness(self, words: list[str], number: int) -> None:
        key = _VERIFIER.fullmatch(words[1]) if len(words) in {2, 3} else None
        if key is None or (len(words) == 3 and not _URL.fullmatch(words[2])):
            raise _wrong(
                number, "a witness is a name, a cosigner's key, and an address", "write witness NAME VKEY [URL]"
            )
        self._check_new(words[0], number)
        # One key under two names would count twice; two keys under one name could not be told apart.
        if {key[1], key[2]} & self._keys:
            raise _wrong(number, "a witness's key or its name is there twice", "list each witness once")
        self._keys |= {key[1], key[2]}
        url = words[2].rstrip("/") if len(words) == 3 else None
        self.outsiders[words[0]] = Outsider(words[0], key[1], words[1], url)

    def _group(self, words: list[str], number: int) -> None:
        if len(words) < 3:
            raise _wrong(number, "a group has a name, a number and members", "write group NAME all|any|K MEMBER...")
        name, needed, *members = words
        self._check_new(name, number)
        for member in members:
            self._check_known(member, number)
            if member in self._used:
                raise _wrong(number, "a name is a member twice", "let each count in one way only")
            self._used.add(member)
        count = {"all": len(members), "any": 1}.get(needed, int(needed) if _NUMBER.fullmatch(needed) else 0)
        if not 1 <= count <= len(members):
            raise _wrong(number, "a group needs more members than it has, or none", "write all, any, or a number")
        self.groups[name] = Group(count, tuple(members))

    def _quorum(self, words: list[str], number: int) -> None:
        if self.is_closed or len(words) != 1:
            raise _wrong(number, "there is exactly one quorum, of one name", "write quorum NAME once")
        self.is_closed = True
        if words[0] != NONE:
            self._check_known(words[0], number)
            self.quorum = words[0]

    def _check_new(self, name: str, number: int) -> None:
        if name in {AGENCIES, NONE, *self.outsiders, *self.groups}:
            raise _wrong(number, "a name is given twice, or is reserved", "choose another name")

    def _check_known(self, name: str, number: int) -> None:
        if name not in {AGENCIES, *self.outsiders, *self.groups}:
            raise _wrong(number, "it names somebody whom no line before it defines", "define each name first")


def _wrong(number: int, message: str, hint: str) -> MalformedError:
    return MalformedError("directory-witnesses", f"the witness policy's line {number}: {message}", hint)


def expand(text: str, logs: Iterable[str], agencies: Mapping[str, str]) -> str:
    """Return the policy *text* for tools that know C2SP's policies and not our group ``agencies``: it is spelt out.

    *logs*: the log's own verifier keys.  *agencies*: of each that counts, the verifier key by its id.
    """
    lines = [
        *(f"log {key}" for key in logs),
        *(f"witness {agency} {key}" for agency, key in agencies.items()),
        *([f"group {AGENCIES} {majority(len(agencies))} {' '.join(agencies)}"] if agencies else []),
        text.strip("\n") or f"quorum {NONE}",
    ]
    return "\n".join(lines) + "\n"


def majority(count: int) -> int:
    """Return how many of *count* are more than half of them."""
    return count // 2 + 1


def is_met(policy: Policy, agencies: Collection[str], cosigned: Collection[str]) -> bool:
    """Answer whether *cosigned* make the quorum.

    *agencies*: the key name of each agency that counts; *cosigned*: the key name of each witness that cosigned.
    """

    def count(name: str) -> bool:
        if name == AGENCIES:
            return sum(one in cosigned for one in set(agencies)) >= majority(len(set(agencies)))
        if (group := policy.groups.get(name)) is not None:
            return sum(map(count, group.members)) >= group.needed
        return any(one.name == name and one.key_name in cosigned for one in policy.outsiders)

    return policy.quorum is not None and count(policy.quorum)


def witnessed_size(policy: Policy, agencies: Collection[str], heads: Mapping[str, int]) -> int:
    """Return the largest size up to which the log counts as witnessed; 0: nothing does.

    *heads*: the size of the largest tree that each witness, by key name, has cosigned.  Who cosigned a tree vouches
    for each beginning of it too, so a size counts once the quorum is made by those whose head reaches it.
    """
    for size in sorted(set(heads.values()), reverse=True):
        if size and is_met(policy, agencies, {name for name, head in heads.items() if head >= size}):
            return size
    return 0


def in_words(policy: Policy, agencies: Collection[str]) -> str:
    """Return the quorum as English: ``all of: a majority of the agencies (4 of 6); notary``; empty where there is none."""
    return _phrase(policy, policy.quorum, len(set(agencies))) if policy.quorum else ""


def _phrase(policy: Policy, name: str, agencies: int) -> str:
    if name == AGENCIES:
        return f"a majority of the agencies ({majority(agencies)} of {agencies})"
    group = policy.groups.get(name)
    if group is None:
        return name
    members = [_phrase(policy, member, agencies) for member in group.members]
    if len(members) == 1:
        return members[0]
    return f"{_how_many(group)} of: {'; '.join(_within(members))}"


def _how_many(group: Group) -> str:
    return {len(group.members): "all", 1: "any"}.get(group.needed, str(group.needed))


def _within(members: Iterable[str]) -> list[str]:
    return [f"({member})" if " of: " in member else member for member in members]
