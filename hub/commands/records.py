"""The printed record of a ceremony: who, what, which bytes, and what changes, to be read aloud and signed by hand.

Source: protocol 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from textwrap import fill
from typing import Final

from hub.ceremonies import Reading, kid_of, kids_of, officers_number
from hub.commands.options import in_words
from hub.signing import count_missing
from keys.digests import from_b64u
from keys.safety import spell, spell_payload
from schemas.agreement import Agreement
from schemas.comparing import Change, Words, compare_agreements, compare_directories
from schemas.directory import Directory
from schemas.identifiers import KeyId, Moment
from schemas.rules.explained import explain
from schemas.strict_json import dump

_LABEL: Final = 14
_WIDTH: Final = 96
_LONG: Final = re.compile(r"\S{100,}")
_WHAT: Final = {"directory": "directory", "agreement": "sharing agreement", "keys": "keys that take effect at once"}
_BY_HAND: Final = "{:<25}  {:<25}  {:<12}  {}"


def fingerprint(kid: KeyId) -> str:
    """Return *kid* spelled in groups of four."""
    return spell(from_b64u(kid))


def write_record(reading: Reading, signed: Mapping[KeyId, Moment]) -> str:
    """Return the record of *reading* as text; *signed*: who has signed, each with the moment that they gave."""
    return "\n".join(_lines(reading, signed)) + "\n"


def spell_draft(reading: Reading) -> str:
    """Return what everybody at the ceremony reads aloud: the digest of what is signed."""
    draft = reading.draft
    return spell_payload(draft.payload.encode() if draft.payload else dump(list(draft.statements)))


def _lines(reading: Reading, signed: Mapping[KeyId, Moment]) -> Iterator[str]:
    draft, proposed, before = reading.draft, reading.proposed, reading.before
    yield "RECORD OF A KEY CEREMONY"
    yield ""
    yield _row("What", _WHAT[draft.kind])
    if proposed is not None:
        yield _row("Partnership", proposed.partnership)
        yield _row("Version", f"{proposed.version}, {f'after {before.version}' if before else 'the first'}")
        yield _row("Issued", in_words(proposed.issued))
    yield _row("Drafted", in_words(draft.made))
    digest = spell_draft(reading)
    yield _row("Digest", digest[:39])
    yield _row("", digest[40:])
    yield _row("", "read it aloud: everybody's must be the same")
    yield ""
    yield from _officers(reading, signed)
    yield ""
    yield "What changes (* ask its owner, by telephone or in person, before you sign)"
    yield from (_change(one) for one in _changes(reading))
    yield from _keys(reading)
    yield from _numbers(reading)
    yield ""
    yield "Signed by hand"
    yield _BY_HAND.format("name", "in the office of", "date", "signature")
    for _ in range(max(group.threshold for group in reading.groups)):
        yield ""
        yield _BY_HAND.format("_" * 25, "_" * 25, "_" * 12, "_" * 20)


def _row(label: str, text: str) -> str:
    return f"{label:<{_LABEL}}{text}"


def _officers(reading: Reading, signed: Mapping[KeyId, Moment]) -> Iterator[str]:
    named = ("Officers in force", "Officers that it names")
    for title, group in zip(named, reading.groups, strict=False):
        enough = (
            "1 of them must sign"
            if reading.draft.kind == "keys"
            else f"{group.threshold} of {len(group.keys)} must sign"
        )
        yield f"{title}: {enough}"
        for kid in kids_of(group):
            yield f"  {fingerprint(kid)}"
            yield f"    {f'signed, {in_words(signed[kid])} by their clock' if kid in signed else 'has not signed'}"
    missing = count_missing(reading, signed)
    yield f"{missing} more must sign" if missing else "Enough have signed"


def _changes(reading: Reading) -> tuple[Change, ...]:
    words = Words(key=lambda jwk: fingerprint(kid_of(jwk)), moment=in_words)
    if isinstance(reading.proposed, Directory):
        return compare_directories(reading.directory, reading.proposed, words)
    if isinstance(reading.proposed, Agreement):
        before = reading.before if isinstance(reading.before, Agreement) else None
        return compare_agreements(before, reading.proposed, words, explain)
    return ()


def _change(one: Change) -> str:
    # A key for the log is as long as a page: nobody reads it aloud, but its digest can be.
    says = _LONG.sub(lambda found: f"{found[0][:24]}… with the digest {spell_payload(found[0].encode())}", one.says)
    return _wrap(f"{'*' if one.check else ' '} {one.where}: {says}")


def _wrap(line: str) -> str:
    return fill(line, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _keys(reading: Reading) -> Iterator[str]:
    for one in reading.statements:
        whose = one.mailbox or one.agency
        span = f"{in_words(one.not_before)} to {in_words(one.expires)}"
        yield _wrap(f"* {whose}: key to {one.use}, {one.state}, {fingerprint(kid_of(one.jwk))}, {span}, at once")


def _numbers(reading: Reading) -> Iterator[str]:
    """Yield, for each agency whose keys it brings or changes, the number that its own gateway must show."""
    proposed, before = reading.proposed, reading.directory
    listed = proposed if isinstance(proposed, Directory) else before
    if listed is None:
        return
    known = {entry.id: entry.identity for entry in before.agencies} if before and listed is not before else {}
    spoken = {one.agency for one in reading.statements}
    for entry in listed.agencies:
        if entry.id in spoken or (listed is not before and known.get(entry.id) != entry.identity):
            yield ""
            yield f"Safety number of {entry.id}: its `gateway safety-number` shows the same"
            number = officers_number(listed.partnership, reading.groups[0], entry.id, entry.identity)
            yield from (f"  {number[start : start + 35]}" for start in (0, 36))
