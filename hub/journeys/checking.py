"""The proof of one envelope's journey, checked with nothing but its files and the officers' first keys.

Trusts nothing of the hub.  Each entry of the log has to lie under the signed checkpoint; each signed object has to be the
one that an entry stands for, and signed by a key that the directory, which the officers signed, vouches for.

Source: protocol 1, 4, 7 and 8; RFC 6962; C2SP signed-note, tlog-checkpoint, tlog-proof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import msgspec

from hub.core.authenticity import is_usable
from hub.core.events import MAX_LEAF, Leaf
from hub.errors import HubError
from hub.journeys.files import About, SeenProof
from hub.journeys.signers import Signers
from hub.journeys.verdict import Check, Reached, Verdict, WrongError
from hub.registry import public_key, witness_name
from keys import digests, jws, merkle, notes
from keys.errors import KeysError
from keys.note_keys import decode64
from schemas.directory import Officers
from schemas.envelope import Header, parse_header
from schemas.identifiers import MailboxId, Moment
from schemas.receipt import Receipt, parse_receipt
from schemas.statements import parse_acceptance, parse_waiver, parse_withdrawal
from schemas.strict_json import MalformedError, parse_as
from schemas.witnessing import in_words, parse_policy, witnessed_size

_IN_WORDS: Final = (HubError, KeysError, MalformedError)
_BAD: Final = (*_IN_WORDS, ValueError, LookupError, msgspec.MsgspecError)
MAX_TRUST: Final = 1024 * 1024


def check_journey(files: Mapping[str, bytes], roots: Officers) -> Verdict:
    """Check *files* from the officers' first keys *roots* on.

    Raises:
        HubError: ``export``; they name no envelope.
    """
    try:
        about = msgspec.json.decode(files["journey.json"], type=About)
    except (KeyError, ValueError) as error:
        raise HubError("export", "the proof names no envelope", "download it again, whole") from error
    return _Checker(files, about).run(roots)


def read_roots(trust: bytes) -> Officers:
    """Return the officers' first keys of ``trust.json``: ``{"officers": {"threshold", "keys"}, …}``.

    Raises:
        HubError: ``export``.
    """
    try:
        return msgspec.convert(msgspec.json.decode(trust[:MAX_TRUST])["officers"], Officers)
    except (ValueError, LookupError, TypeError) as error:
        raise HubError(
            "export", "the file of the officers' keys can't be read", "take it as it was given out"
        ) from error


@dataclass(slots=True)
class _Checker:
    """One pass over one proof."""

    files: Mapping[str, bytes]
    about: About
    checks: list[Check] = field(default_factory=list)
    signers: Signers = field(default_factory=Signers)
    leaves: dict[int, Leaf] = field(default_factory=dict)
    tree: notes.Checkpoint | None = None
    header: Header | None = None
    accepted_at: Moment | None = None
    accepted_index: int | None = None
    reached: list[Reached] = field(default_factory=list)
    receipts: dict[MailboxId, set[str]] = field(default_factory=dict)
    witnesses: list[str] = field(default_factory=list)
    witnessed: int = 0
    quorum: str = ""
    used: set[str] = field(default_factory=lambda: {"journey.json"})

    def run(self, roots: Officers) -> Verdict:
        versions = self._numbers("directory-")
        self._try(
            "directory",
            "",
            lambda: self.signers.read([self._use(f"directory-{number}.json") for number in versions], roots),
        )
        self._try("checkpoint", "", self._open_checkpoint)
        for number in self._numbers("leaf-"):
            self._try("inclusion", str(number), partial(self._include, number))
        for index, leaf in sorted(self.leaves.items()):
            self._learn(index, leaf)
        # Only now: a key may have been given up after it had signed, as in other hands before.
        for index, leaf in sorted(self.leaves.items()):
            self._take(index, leaf)
        self._check_witnesses()
        self._check_whole()
        return Verdict(
            envelope=self.about.envelope,
            size=self.tree.size if self.tree else 0,
            checks=tuple(self.checks),
            header=self.header,
            accepted_at=self.accepted_at,
            accepted_index=self.accepted_index,
            reached=tuple(self.reached),
            witnesses=tuple(self.witnesses),
            witnessed_size=self.witnessed,
            quorum=self.quorum,
        )

    def _try(self, code: str, about: str, work: Callable[[], None]) -> None:
        problem = None
        try:
            work()
        except WrongError as error:
            problem = str(error)
        except _BAD as error:
            problem = error.message if isinstance(error, _IN_WORDS) else "it can't be read"
        self.checks.append(Check(code, about, problem))

    def _use(self, name: str) -> bytes:
        if name not in self.files:
            raise WrongError(f"{name} is missing")
        self.used.add(name)
        return self.files[name]

    def _numbers(self, prefix: str) -> list[int]:
        found = (name.removeprefix(prefix).removesuffix(".json") for name in self.files if name.startswith(prefix))
        return sorted(int(text) for text in found if text.isascii() and text.isdecimal() and len(text) < 16)

    # The checkpoint, and what lies under it

    def _open_checkpoint(self) -> None:
        if not self.signers.directories:
            raise WrongError("without a directory nobody knows the hub's keys")
        hub = self.signers.directories[-1].directory.hub
        tree = notes.open_checkpoint(self._use("checkpoint.txt").decode(), hub.checkpoint, origin=hub.origin)
        if (tree.origin, tree.size) != (self.about.origin, self.about.size):
            raise WrongError("it is another checkpoint than the proof names")
        self.tree = tree

    def _include(self, number: int) -> None:
        body, proof = self._use(f"leaf-{number}.json"), self._use(f"leaf-{number}.tlog-proof").decode()
        if self.tree is None:
            raise WrongError("there is no checkpoint to hold it against")
        said = notes.parse_tlog_proof(proof)
        if (said.leaf, said.note) != (number, self.files["checkpoint.txt"].decode()):
            raise WrongError("its proof is of another entry, or against another checkpoint")
        merkle.verify_inclusion(merkle.leaf_hash(body), number, self.tree.size, said.proof, self.tree.root)
        self.leaves[number] = parse_as(body, Leaf, max_bytes=MAX_LEAF)

    # What each entry stands for

    def _learn(self, index: int, leaf: Leaf) -> None:
        if leaf.event == "key-published":
            self._try("key", leaf.kid or "", partial(self._take_key, index, leaf))
        elif leaf.event == "directory-published":
            self._try("directory", str(leaf.version), partial(self.signers.publish, index, leaf))

    def _take(self, index: int, leaf: Leaf) -> None:
        mine = leaf.envelope == self.about.envelope
        if leaf.event == "envelope-accepted" and mine:
            self._try("header", "", partial(self._take_header, index, leaf))
            self._try("acceptance", "", partial(self._take_acceptance, index, leaf))
        elif leaf.event == "receipt-accepted" and mine:
            self._try("receipt", leaf.receipt or "", partial(self._take_receipt, index, leaf))
        elif leaf.event == "withdrawal-recorded" and mine:
            self._try("withdrawal", "", partial(self._take_withdrawal, index, leaf))
        elif leaf.event == "waiver-recorded":
            self._try("waiver", leaf.obligation or "", partial(self._take_waiver, index, leaf))

    def _take_key(self, index: int, leaf: Leaf) -> None:
        name = f"key-{index}.approval.jws"
        approval = self._use(name) if name in self.files else None
        self.signers.state(index, leaf, self._use(f"key-{index}.jws"), approval)

    def _take_header(self, index: int, leaf: Leaf) -> None:
        header = parse_header(self.signers.check(self._use("header.jws"), jws.ENVELOPE, index, leaf))
        said = (header.id, header.from_, header.thread, header.type, header.sealed.sha256)
        if said != (leaf.envelope, leaf.mailbox, leaf.thread, leaf.type, leaf.sealed):
            raise WrongError("the log's entry is about another envelope than the header")
        if header.thread != self.about.thread:
            raise WrongError("the envelope is of another thread than the proof names")
        self.header, self.accepted_at, self.accepted_index = header, leaf.at, index

    def _take_acceptance(self, index: int, leaf: Leaf) -> None:
        signed = jws.parse(self._use("acceptance.jws"), jws.ACCEPTANCE)
        keys = map(public_key, self.signers.directory_at(index).directory.hub.signing)
        key = next((one for one in keys if one.kid == signed.kid), None)
        if key is None:
            raise WrongError("it is signed by a key that was not the hub's")
        jws.check(signed, key)
        said = parse_acceptance(signed.payload)
        proper = (self.about.envelope, index, leaf.at, leaf.digest, leaf.sealed)
        if (said.id, said.index, said.at, said.header_sha256, said.sealed_sha256) != proper:
            raise WrongError("the hub's word and the log's entry differ")

    def _take_receipt(self, index: int, leaf: Leaf) -> None:
        compact = self._use(f"receipt-{leaf.receipt}.jws")
        receipt = parse_receipt(self.signers.check(compact, jws.RECEIPT, index, leaf))
        said = (receipt.id, receipt.mailbox, receipt.envelope, receipt.level)
        if said != (leaf.receipt, leaf.mailbox, leaf.envelope, leaf.level):
            raise WrongError("the log's entry says something else than the receipt")
        if self.header is None or receipt.mailbox not in self.header.to:
            raise WrongError("the envelope was not addressed to the mailbox that it speaks for")
        self._match(receipt, self.header)
        self.receipts.setdefault(receipt.mailbox, set()).add(digests.sha256_b64u(compact))
        self.reached.append(Reached(receipt.mailbox, receipt.level, leaf.at, index))
        if receipt.checkpoint is not None:
            self._try("view", receipt.id, partial(self._check_view, receipt))

    def _match(self, receipt: Receipt, header: Header) -> None:
        if receipt.sealed_sha256 != header.sealed.sha256:
            raise WrongError("it is for another content than was sent")
        shown = receipt.manifest_sha256
        if shown is not None and digests.opening_of(shown) != header.opening:
            raise WrongError("its signer had not opened the content")
        if receipt.previous is not None and receipt.previous not in self.receipts.get(receipt.mailbox, set()):
            raise WrongError("the receipt that it follows is not here")

    def _check_view(self, receipt: Receipt) -> None:
        if receipt.checkpoint is not None and receipt.checkpoint.size:
            self._check_seen(receipt.checkpoint.size, digests.from_b64u(receipt.checkpoint.root))

    def _check_seen(self, size: int, root: bytes) -> None:
        if self.tree is None:
            raise WrongError("there is no checkpoint to hold it against")
        said = msgspec.json.decode(self._use(f"seen-{size}.json"), type=SeenProof)
        if said.size != size:
            raise WrongError("its proof is of another size")
        merkle.verify_consistency(size, root, self.tree.size, self.tree.root, [decode64(one) for one in said.proof])

    def _take_withdrawal(self, index: int, leaf: Leaf) -> None:
        compact = self._find("withdrawal-", leaf)
        if parse_withdrawal(self.signers.check(compact, jws.WITHDRAWAL, index, leaf)).envelope != leaf.envelope:
            raise WrongError("it takes back another envelope")

    def _take_waiver(self, index: int, leaf: Leaf) -> None:
        compact = self._find("waiver-", leaf)
        if parse_waiver(self.signers.check(compact, jws.WAIVER, index, leaf)).obligation != leaf.obligation:
            raise WrongError("it ends another duty")

    def _find(self, prefix: str, leaf: Leaf) -> bytes:
        names = (name for name in self.files if name.startswith(prefix))
        found = (name for name in names if digests.sha256_b64u(self.files[name]) == leaf.digest)
        return self._use(next(found, f"{prefix}…"))

    # Who else stands for it, and what is left

    def _check_witnesses(self) -> None:
        """Learn who cosigned which beginning of this log, and how far that makes the quorum that the directory asks for."""
        if self.tree is None:
            return
        index, at = self.signers.directories[-1], max((leaf.at for leaf in self.leaves.values()), default=0)
        counting = {
            notes.witness_verifier(witness_name(self.tree.origin, one.fact.agency), key): one.fact
            for one, key in self.signers.witness_keys()
            if one.fact.state == "active" and at < one.fact.expires and index.find_agency(one.fact.agency) is not None
            and not index.has_agency_ended(one.fact.agency, at)
        }  # fmt: skip
        # Who can't cosign yet counts as one of all the same: leaving out an officer's word shall not make a majority.
        usable = [verifier for verifier, fact in counting.items() if is_usable(fact, "witness", at)]
        policy, heads = parse_policy(index.directory.witnesses), dict[str, int]()
        verifiers = [*usable, *(one.verifier for one in policy.outsiders)]
        for name in sorted(one for one in self.files if one.startswith("witness-")):
            self._try("witness", name, partial(self._take_witness, name, verifiers, heads))
        names = [verifier.partition("+")[0] for verifier in counting]
        self.witnesses = [name for name, _ in sorted(heads.items())]
        self.quorum, self.witnessed = in_words(policy, names), witnessed_size(policy, names, heads)

    def _take_witness(self, name: str, verifiers: list[str], heads: dict[str, int]) -> None:
        note = self._use(name).decode()
        seen = notes.Checkpoint.parse(notes.split_note(note)[0])
        found = notes.cosignatures(note, verifiers)
        if not found or self.tree is None or seen.origin != self.tree.origin:
            raise WrongError("nobody whose word counts has cosigned it")
        self._check_seen(seen.size, seen.root)
        heads |= {one.name: max(seen.size, heads.get(one.name, 0)) for one in found}

    def _check_whole(self) -> None:
        # What a receipt's signer had seen belongs to the receipt, however that was judged.
        left = sorted(name for name in set(self.files) - self.used if not name.startswith("seen-"))
        if left:
            self.checks.append(Check("files", "", f"{len(left)} belong to no entry, {left[0]} the first of them"))
        if not any(check.code == "header" for check in self.checks):
            self.checks.append(Check("header", "", "the entry that the envelope was accepted is not here"))
