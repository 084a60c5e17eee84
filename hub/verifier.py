"""An exported log, verified from the first leaf with nothing but the officers' first keys.

Trusts nothing of the hub: not its database, not its conclusions, not that it is reachable.  Each leaf is hashed into
the tree; each signed object that a leaf stands for is verified by keys that the directory, signed by the officers,
vouches for; each obligation is worked out again by the rules.

An export is a folder:

=====================  =============================================================================
``directory-N.json``   version N of the directory, as published: an array of JWS
``agreement-N.json``   version N of the agreement
``leaves.jsonl``       the log's leaves, one a line, byte for byte as hashed
``feeds.jsonl``        every number that a feed gave, with what got it (``hub.core.numbering``)
``evidence.jsonl``     one compact JWS a line, as a JSON string: every header, acceptance, receipt, waiver,
                       withdrawal, key statement that a leaf names by its digest, officer's word for one
``checkpoint.txt``     the newest signed checkpoint, cosignature lines after the hub's own
``witnesses.jsonl``    of each other witness the last checkpoint that it cosigned (``hub.cosigned``)
=====================  =============================================================================

Source: protocol 8; RFC 6962; C2SP signed-note, tlog-checkpoint, tlog-cosignature.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from hub.core.agreeing import Agreed
from hub.core.events import MAX_LEAF, Leaf
from hub.core.numbering import Entry, Numbers
from hub.core.replay import Replay
from hub.core.sharing import judge_header, judge_superseding
from hub.cosigned import Cosignatures
from hub.errors import HubError
from hub.evidence import Evidence, read_agreements, read_directories, read_documents, read_numbers
from hub.published import PublishedKeys
from hub.registry import public_key, public_members
from hub.tree import grow
from keys import digests, documents, jws
from keys.errors import KeysError
from schemas.directory import DirectoryIndex, Officers
from schemas.envelope import parse_header
from schemas.identifiers import MailboxId, Moment, ObligationId
from schemas.receipt import Seen, parse_receipt
from schemas.rules.compiled import Rules
from schemas.rules.figures import Figures, tally
from schemas.rules.periods import UTC, days_of
from schemas.statements import parse_acceptance, parse_waiver, parse_withdrawal
from schemas.strict_json import MalformedError, parse_as

MAX_PROBLEMS: Final = 100
CONCLUSIONS: Final = frozenset({"obligation-opened", "obligation-settled", "obligation-reopened"})


@dataclass(slots=True)
class Verdict:
    """What was found.  ``problems``: where (leaf index or file) and what, at most :data:`MAX_PROBLEMS`."""

    size: int = 0
    root: str = ""
    signatures: int = 0
    witnesses: tuple[str, ...] = ()
    witnessed_size: int = 0
    quorum: str = ""
    at: Moment = 0
    problems: list[str] = field(default_factory=list)

    @property
    def verified(self) -> bool:
        """Answer whether nothing at all was wrong."""
        return not self.problems

    def object(self, where: str, what: str) -> None:
        """Note one problem."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"{where}: {what}")


class Verifier:
    """One pass over one export."""

    def __init__(self, folder: Path, roots: Officers) -> None:
        self.folder = folder
        self.verdict = Verdict()
        self.replay = Replay(digests.obligation_id)
        self.directories = [
            DirectoryIndex(one)
            for one in read_directories(read_documents(folder, "directory"), roots, _signers, self.verdict.object)
        ]
        officers = [one.directory.officers for one in self.directories]
        self.agreements = list(read_agreements(folder, officers, _signers))
        self.evidence = Evidence(folder / "evidence.jsonl", self.verdict.object)
        self.cosignatures = Cosignatures(folder, self.verdict.object)
        self.given = read_numbers(folder / "feeds.jsonl")
        self.numbers = Numbers(self.given, digests.chained, self._is_delivered)
        self.tree = grow(())
        self.index = 0
        self.rules: list[Rules] = []
        self.current: DirectoryIndex | None = None
        self.keys = PublishedKeys()
        self.agreed = Agreed()

    def run(self) -> Verdict:
        """Verify everything and return what was found."""
        with closing(self.evidence), closing(self.given), (self.folder / "leaves.jsonl").open("rb") as leaves:
            self.tree = grow(leaves, self.evidence.sizes | self.cosignatures.sizes)
            leaves.seek(0)
            for self.index, line in enumerate(leaves):
                self._read(line)
            for wrong in self.numbers.finish(self.verdict.at):
                self.verdict.object("feeds.jsonl", wrong)
        self._expect_nothing()
        if self.evidence.unused:
            self.verdict.object("evidence.jsonl", f"{self.evidence.unused} signed objects that no leaf stands for")
        self.verdict.signatures = self.keys.signatures
        self.verdict.size, self.verdict.root = self.tree.size, digests.b64u(self.tree.root)
        self._check_checkpoint()
        return self.verdict

    def _read(self, line: bytes) -> None:
        body = line.removesuffix(b"\n")
        if body == line:
            self._object("it does not end its line")
        try:
            leaf = parse_as(body, Leaf, max_bytes=MAX_LEAF)
            if leaf.at < self.verdict.at:
                self._object("its moment is before the one of the leaf before it")
            self.verdict.at = leaf.at
            self._take(leaf)
            for wrong in self.replay.pass_time(leaf.at):
                self._object(wrong)
            if self._misses_period(leaf.at):
                self._object("what is owed by the calendar was not opened")
        except (MalformedError, KeysError, HubError) as error:
            self._object(f"{error.code}: {error.message}")

    def _object(self, what: str) -> None:
        self.verdict.object(f"leaf {self.index}", what)

    def _take(self, leaf: Leaf) -> None:
        if leaf.event in CONCLUSIONS:
            if leaf.event == "obligation-opened" and leaf.envelope is None and not self.replay.expected:
                self._recur(leaf.at, leaf.obligation or "")
            wrong = self.replay.conclude(leaf)
            if wrong:
                self._object(wrong)
            return
        self._expect_nothing()
        take: Callable[[Leaf], str | None] | None = {
            "directory-published": self._take_directory,
            "agreement-published": self._take_agreement,
            "key-published": self._take_key,
            "envelope-accepted": self._take_envelope,
            "receipt-accepted": self._take_receipt,
            "waiver-recorded": self._take_waiver,
            "withdrawal-recorded": self._take_withdrawal,
            "step-taken": self.replay.take_step,
            "numbers-given": self._take_numbers,
        }.get(leaf.event)
        for wrong in (take(leaf) if take else None, self.agreed.take(leaf)):
            if wrong:
                self._object(wrong)

    def _take_numbers(self, leaf: Leaf) -> None:
        for wrong in self.numbers.tell(leaf):
            self._object(wrong)

    def _is_delivered(self, entry: Entry) -> bool:
        return (entry.ref, entry.mailbox) in self.replay.states

    def _misses_period(self, at: Moment) -> bool:
        return self.current is not None and self.replay.misses_period(tuple(self.rules), self.current, at)

    def _recur(self, at: Moment, obligation: ObligationId) -> None:
        if self.current is not None:
            self.replay.recur(tuple(self.rules), self.current, at, obligation)

    def _rules_at(self, at: Moment) -> Rules:
        return next((one for one in reversed(self.rules) if one.agreement.in_force_from <= at), self.rules[0])

    def _expect_nothing(self) -> None:
        for expected in self.replay.expected:
            self._object(f"before it, {expected.event} of {expected.obligation} is missing")
        self.replay.expected.clear()

    def _take_directory(self, leaf: Leaf) -> str | None:
        now = self.current.directory.version if self.current else 0
        number = sum(index.directory.version <= now for index in self.directories)
        if number >= len(self.directories) or leaf.version != self.directories[number].directory.version:
            return "a directory that the export does not hold"
        if self.current is not None:
            self.replay.pass_over(tuple(self.rules), self.current, leaf.at)
        self.current = self.directories[number]
        document = (self.folder / f"directory-{leaf.version}.json").read_bytes()
        same = digests.sha256_b64u(documents.parse(document, jws.DIRECTORY)[0].payload) == leaf.digest
        return None if same else "another directory than the export holds"

    def _take_agreement(self, leaf: Leaf) -> str | None:
        if len(self.rules) >= len(self.agreements) or leaf.version != self.agreements[len(self.rules)].version:
            return "an agreement that the export does not hold"
        if self.current is not None:
            self.replay.pass_over(tuple(self.rules), self.current, leaf.at)
        self.rules.append(self.agreements[len(self.rules)])
        document = (self.folder / f"agreement-{leaf.version}.json").read_bytes()
        same = digests.sha256_b64u(documents.parse(document, jws.AGREEMENT)[0].payload) == leaf.digest
        return None if same else "another agreement than the export holds"

    def _signed(self, leaf: Leaf) -> bytes:
        return self.evidence.take(leaf.digest or "")

    def _check(self, leaf: Leaf, typ: str) -> bytes:
        return self.keys.check(self._signed(leaf), typ, leaf.mailbox or "", self.current, leaf.at)

    def _take_key(self, leaf: Leaf) -> str | None:
        compact = self._signed(leaf)
        return self.keys.take(leaf, compact, self.evidence.take_approval(digests.sha256_b64u(compact)), self.current)

    def _take_envelope(self, leaf: Leaf) -> str | None:
        header = parse_header(self._check(leaf, jws.ENVELOPE))
        said = (header.id, header.from_, header.thread, header.type, header.sealed.sha256)
        if said != (leaf.envelope, leaf.mailbox, leaf.thread, leaf.type, leaf.sealed):
            return "an envelope other than its header's"
        self.numbers.owe(header.to, "delivery", header.id, leaf.at)
        wrong = self._check_acceptance(leaf)
        rules = self._rules_at(leaf.at)
        if self.current is not None:
            refusal = judge_header(header, self.current, rules, leaf.at)
            if header.supersedes and not refusal:
                before = self.replay.before(header.supersedes)
                refusal = judge_superseding(header, before, self.current, leaf.at)
            excess = self.replay.envelope(header, rules, self.current, leaf.at)
            refusal = refusal or excess
            wrong = wrong or (f"{refusal.code}: {refusal.message}" if refusal else None)
        return wrong

    def _check_acceptance(self, leaf: Leaf) -> str | None:
        compact = self.evidence.take_acceptance(leaf.envelope or "")
        if compact is None or self.current is None:
            return "an envelope whose acceptance is not in the export"
        signed = jws.parse(compact, jws.ACCEPTANCE)
        key = next((k for k in map(public_key, self.current.directory.hub.signing) if k.kid == signed.kid), None)
        if key is None:
            return "an acceptance by a key that is not the hub's"
        jws.check(signed, key)
        self.keys.signatures += 1
        said = parse_acceptance(signed.payload)
        same = (said.index, said.at, said.header_sha256, said.sealed_sha256)
        return None if same == (self.index, leaf.at, leaf.digest, leaf.sealed) else "an acceptance of something else"

    def _take_receipt(self, leaf: Leaf) -> str | None:
        receipt = parse_receipt(self._check(leaf, jws.RECEIPT))
        if (receipt.id, receipt.mailbox, receipt.envelope, receipt.level) != (
            leaf.receipt,
            leaf.mailbox,
            leaf.envelope,
            leaf.level,
        ):
            return "a receipt other than its statement's"
        header = self.replay.headers.get(receipt.envelope)
        if header is not None:
            self.numbers.owe([header.from_], "receipt", receipt.id, leaf.at)
        shown = receipt.manifest_sha256
        if header is not None and shown is not None and digests.opening_of(shown) != header.opening:
            return "a receipt whose signer had not opened the body"
        if self.current is None:
            return "a receipt before there is a directory"
        # What its signer saw was there before it.
        if (seen := receipt.checkpoint) and not (seen.size <= self.index and self._has_root(seen)):
            self._object("its signer was shown another log than this one: two views")
        return self.replay.receipt(receipt, self._rules_at(leaf.at), self.current, leaf.at)

    def _has_root(self, seen: Seen) -> bool:
        return digests.b64u(self.tree.roots[seen.size]) == seen.root

    def _take_waiver(self, leaf: Leaf) -> str | None:
        said = parse_waiver(self._check(leaf, jws.WAIVER))
        if said.obligation != leaf.obligation:
            return "a waiver of another obligation"
        if (row := self.replay.rows.get(said.obligation)) is not None:
            self.numbers.owe({row.duty.debtor, row.duty.creditor}, "waiver", said.id, leaf.at)
        return self.replay.waive(said.obligation, said.state, said.id, leaf.at)

    def _take_withdrawal(self, leaf: Leaf) -> str | None:
        said = parse_withdrawal(self._check(leaf, jws.WITHDRAWAL))
        if said.envelope != leaf.envelope or said.envelope not in self.replay.headers:
            return "a withdrawal of another envelope"
        if self.current is not None:
            self.replay.withdraw(said.envelope, self._rules_at(leaf.at), self.current, leaf.at)
        return None

    def _check_checkpoint(self) -> None:
        if self.current is None:
            self.verdict.object("directory-1.json", "there is no directory")
            return
        at = self.verdict.at
        found = self.cosignatures.judge(self.current, self.keys.facts.values(), self.keys.verifying, self.tree, at)
        self.verdict.witnesses, self.verdict.witnessed_size = found.witnesses, found.size
        self.verdict.quorum = found.quorum

    def figures(self, families: frozenset[str], now: Moment | None = None) -> Figures:
        """Return the audit's figures as the replayed log has them at *now*, by default the last leaf's moment."""
        at, days = self.verdict.at if now is None else now, days_of(self.rules[-1].agreement) if self.rules else UTC
        return tally(self.replay.duties(), self.replay.taken, at, self.sector_of, families, days)

    def sector_of(self, mailbox: MailboxId) -> str:
        """Return the sector of a mailbox: its agency's first role."""
        agency = self.current.find_agency(mailbox.partition("/")[0]) if self.current else None
        return agency.roles[0] if agency and agency.roles else "other"


def _signers(officers: Officers) -> documents.Signers:
    return documents.Signers.of(officers.threshold, map(public_members, officers.keys))


def run_verifier(folder: Path, roots_path: Path) -> Verifier:
    """Return a verifier that has gone through the export in *folder*, with the officers' keys of *roots_path*.

    *roots_path* is the file that every agency is given once: ``{"officers": {"threshold", "keys"}, …}``.

    Raises:
        HubError: ``export``; a file is missing or can't be read at all.
    """
    try:
        trusted = json.loads(roots_path.read_bytes())
        verifier = Verifier(folder, msgspec.convert(trusted["officers"], Officers))
        verifier.run()
    except (OSError, ValueError, LookupError, msgspec.ValidationError) as error:
        raise HubError("export", f"couldn't read the export: {error}", "export it again, whole") from error
    return verifier


def verify_export(folder: Path, roots_path: Path) -> dict[str, Any]:
    """Verify the export in *folder* with the officers' keys of *roots_path*; return the verdict as plain values.

    Raises: as :func:`run_verifier`.
    """
    return tell_verdict(run_verifier(folder, roots_path))


def tell_verdict(verifier: Verifier) -> dict[str, Any]:
    """Return what *verifier* found, as plain values."""
    verdict = verifier.verdict
    return {
        "verified": verdict.verified,
        "size": verdict.size,
        "root": verdict.root,
        "signatures": verdict.signatures,
        "witnesses": list(verdict.witnesses),
        # Only what a quorum cosigned is evidence against the hub itself; who must, the officers signed.
        "witnessed": verdict.size == verdict.witnessed_size > 0,
        "witnessed_size": verdict.witnessed_size,
        "quorum": verdict.quorum,
        "at": verdict.at,
        "envelopes": len(verifier.replay.headers),
        "receipts": len(verifier.replay.taken),
        "obligations": len(verifier.replay.rows),
        "feeds": len(verifier.numbers.last),
        "numbers": verifier.numbers.count,
        "problems": verdict.problems,
    }
