"""What contradicts what among verified facts, and whose signatures prove it: one function for each way to cheat.

*Proved* means that signatures of one party contradict each other or its log, whoever brought them.  Where the hub's
signature stands against an agency's, one of the two has lied, and the finding says so without naming which.

Source: protocol 4, 7 and 8; promises 1 (P8).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from hub.convicting.facts import Facts, Shown, Signed, identities
from keys import merkle
from keys.digests import b64u
from schemas import leaves
from schemas.directory import KeyStatement
from schemas.evidence import Said
from schemas.identifiers import AgencyId, agency_of
from schemas.receipt import Receipt
from schemas.statements import Acceptance

HUB: Final = "the hub"
OFFICERS: Final = "the officers"
CHECKPOINTS: Final = "the hub's checkpoint keys"
SIGNING: Final = "the hub's signing key"
# As far as two clocks may differ.
SKEW: Final = 5 * 60_000

Against = Literal["the hub", "the officers", ""]


class Finding(NamedTuple):
    """One contradiction: what it is, whether it is proved and against whom, in a sentence, and who signed the parts."""

    code: str
    proved: bool
    against: Against
    says: str
    signed_by: tuple[str, ...]


def find_all(facts: Facts) -> list[Finding]:
    """Return every contradiction in *facts*, what is proved first."""
    rules = (
        two_logs, two_entries, other_entry, two_acceptances, forged_acceptance, forged_entry, moments_backwards,
        two_directories, other_view, backdated, left_out, withheld_directory,
    )  # fmt: skip
    found = dict.fromkeys(finding for rule in rules for finding in rule(facts))
    told = {one.code for one in found}
    words = [_word(agency, said) for agency, said in facts.said if said.reason not in told]
    return sorted((*found, *dict.fromkeys(words)), key=lambda one: not one.proved)


def two_logs(facts: Facts) -> Iterator[Finding]:
    """Two roots over as many first entries, both committed to by checkpoints that the hub signed."""
    for size, roots in sorted(facts.roots.items()):
        if len(roots) > 1:
            shown = " and ".join(f"{b64u(root)} (checkpoint over {over})" for root, over in roots.items())
            says = f"the hub has signed two logs that differ in their first {size} entries: roots {shown}"
            yield Finding("two-logs", True, HUB, says, (CHECKPOINTS,))
            return  # where they part is enough; every later size differs too


def two_entries(facts: Facts) -> Iterator[Finding]:
    """Two leaves at one place, each under a checkpoint that the hub signed."""
    places: dict[int, dict[bytes, int]] = defaultdict(dict)
    for entry in facts.entries:
        places[entry.place].setdefault(entry.hash, entry.size)
    for index, hashes in sorted(places.items()):
        if len(hashes) > 1:
            sizes = " and ".join(map(str, hashes.values()))
            says = f"the hub has signed two logs with different entries {index}: under the checkpoints over {sizes}"
            yield Finding("two-logs", True, HUB, says, (CHECKPOINTS,))


def other_entry(facts: Facts) -> Iterator[Finding]:
    """An acceptance that the hub signed, and a log that has another entry where it says that its own is."""
    for said in facts.acceptances.values():
        known = facts.headers.get(said.header_sha256)
        if known is None:
            continue
        expected = merkle.leaf_hash(leaves.acceptance_leaf(known[1], known[0].unverified.kid, said))
        for entry in facts.entries:
            if entry.place == said.index and entry.hash != expected:
                says = (
                    f"the hub has signed that it accepted envelope {said.id} as entry {said.index}; its signed log has "
                    f"another entry there (checkpoint over {entry.size})"
                )
                yield Finding("other-entry", True, HUB, says, (SIGNING, CHECKPOINTS))


def two_acceptances(facts: Facts) -> Iterator[Finding]:
    """Two acceptances for one place of the log, or two different ones of one envelope."""
    places: dict[int, Acceptance] = {}
    envelopes: dict[str, Acceptance] = {}
    for said in facts.acceptances.values():
        other = places.setdefault(said.index, said)
        if other.id != said.id:
            says = f"the hub has signed that entry {said.index} is of envelope {other.id} and of envelope {said.id}"
            yield Finding("two-acceptances", True, HUB, says, (SIGNING,))
        other = envelopes.setdefault(said.id, said)
        if other != said:
            says = f"the hub has signed two different acceptances of envelope {said.id}"
            yield Finding("two-acceptances", True, HUB, says, (SIGNING,))


def forged_acceptance(facts: Facts) -> Iterator[Finding]:
    """An acceptance of a header that its sender has not signed."""
    for said in facts.acceptances.values():
        known = facts.headers.get(said.header_sha256)
        if known is None:
            continue
        signed, header = known
        voucher = facts.voucher(signed, agency_of(header.from_))
        if voucher is not None and not facts.is_by(signed, voucher.key):
            says = (
                f"the hub has signed that it accepted envelope {said.id} from {header.from_}; "
                "the signature on it is not by the key that it names"
            )
            yield Finding("delivery-forged", True, HUB, says, (SIGNING, _key_of(signed, agency_of(header.from_))))


def forged_entry(facts: Facts) -> Iterator[Finding]:
    """An entry of the signed log that stands for something that its author has not signed, or that says otherwise."""
    for entry in facts.entries:
        leaf = entry.leaf
        if leaf is None or leaf.digest is None:
            continue
        if leaf.event == "receipt-accepted" and leaf.digest in facts.receipts:
            yield from _judge_receipt(facts, entry, *facts.receipts[leaf.digest])
        elif leaf.event == "key-published" and leaf.digest in facts.statements:
            yield from _judge_statement(facts, entry, *facts.statements[leaf.digest])


def _judge_statement(facts: Facts, entry: Shown, signed: Signed, said: KeyStatement) -> Iterator[Finding]:
    known = identities(facts, said.agency)
    if not known or any(facts.is_by(signed, key) for key in known):
        return
    published = f"entry {entry.place} of the hub's signed log publishes a key in the name of {said.agency}; "
    if signed.unverified.kid in {key.kid for key in known}:
        says = published + "the signature on the statement is not by the identity key that it names"
        yield Finding("key-forged", True, HUB, says, (CHECKPOINTS, f"the identity key of {said.agency}"))
        return
    # Whoever accuses could have left out the directory that names the key.
    says = published + (
        f"none of the {len(facts.directories)} directories here names the identity key that signed it: "
        "`hub audit verify` of an export, which has every directory, decides"
    )
    yield Finding("key-forged", False, "", says, (CHECKPOINTS,))


def _judge_receipt(facts: Facts, entry: Shown, signed: Signed, receipt: Receipt) -> Iterator[Finding]:
    agency, leaf = agency_of(receipt.mailbox), entry.leaf
    voucher = facts.voucher(signed, agency)
    if leaf is None or voucher is None:
        return
    if not facts.is_by(signed, voucher.key):
        says = (
            f"entry {entry.place} of the hub's signed log records a receipt of {receipt.mailbox}; "
            "the signature on it is not by the key that it names"
        )
        yield Finding("receipt-forged", True, HUB, says, (CHECKPOINTS, _key_of(signed, agency)))
        return
    written = (leaf.mailbox, leaf.kid, leaf.envelope, leaf.receipt, leaf.level, leaf.outcome)
    if written != (
        receipt.mailbox, signed.unverified.kid, receipt.envelope, receipt.id, receipt.level, receipt.code
    ):  # fmt: skip
        says = f"entry {entry.place} of the hub's signed log says other than the receipt of {receipt.mailbox} that it records"
        yield Finding("receipt-altered", True, HUB, says, (CHECKPOINTS, _key_of(signed, agency)))


def moments_backwards(facts: Facts) -> Iterator[Finding]:
    """Two entries whose moments don't follow each other as the entries do."""
    moments = {(said.index, said.at, SIGNING) for said in facts.acceptances.values()}
    moments |= {(entry.place, entry.leaf.at, CHECKPOINTS) for entry in facts.entries if entry.leaf}
    latest: tuple[int, int, str] | None = None
    for one in sorted(moments):
        if latest is not None and one[0] > latest[0] and one[1] < latest[1]:
            says = (
                f"the hub has signed that entry {latest[0]} was made at {latest[1]} and entry {one[0]}, which follows it, "
                f"{latest[1] - one[1]} ms before that"
            )
            yield Finding("moments-backwards", True, HUB, says, tuple(dict.fromkeys((latest[2], one[2]))))
        if latest is None or one[1] >= latest[1]:
            latest = one


def two_directories(facts: Facts) -> Iterator[Finding]:
    """Two directories of one version, both signed by enough officers: not the hub's doing."""
    versions: dict[int, str] = {}
    for one in facts.directories:
        if versions.setdefault(one.directory.version, one.sha256) != one.sha256:
            says = f"enough officers have signed two different directories of version {one.directory.version}"
            yield Finding("two-directories", True, OFFICERS, says, (OFFICERS,))


def other_view(facts: Facts) -> Iterator[Finding]:
    """A receipt whose signer says that they were shown another log than the one that the hub signed."""
    for signed, receipt in facts.receipts.values():
        seen = receipt.checkpoint
        voucher = facts.voucher(signed, agency_of(receipt.mailbox))
        if seen is None or voucher is None or not facts.is_by(signed, voucher.key):
            continue
        roots = {b64u(root) for root in facts.roots.get(seen.size, ())}
        if roots and seen.root not in roots:
            says = (
                f"{receipt.mailbox} has signed that it was shown a log whose first {seen.size} entries have the root {seen.root}; "
                "the hub has signed another: one of the two has lied. The evidence of that agency holds the checkpoint if it was"
            )
            yield Finding("two-views", False, "", says, (CHECKPOINTS, _key_of(signed, agency_of(receipt.mailbox))))


def backdated(facts: Facts) -> Iterator[Finding]:
    """A receipt that the log has from before it was signed."""
    for entry in facts.entries:
        leaf = entry.leaf
        if leaf is None or leaf.event != "receipt-accepted" or leaf.digest not in facts.receipts:
            continue
        signed, receipt = facts.receipts[leaf.digest]
        voucher = facts.voucher(signed, agency_of(receipt.mailbox))
        if voucher is not None and facts.is_by(signed, voucher.key) and receipt.at > leaf.at + SKEW:
            says = (
                f"entry {entry.place} of the hub's signed log has a receipt of {receipt.mailbox} {receipt.at - leaf.at} ms before "
                "its signer says that it was signed: one of the two clocks is wrong, or one of the two has lied"
            )
            yield Finding(
                "receipt-backdated", False, "", says, (CHECKPOINTS, _key_of(signed, agency_of(receipt.mailbox)))
            )


def left_out(facts: Facts) -> Iterator[Finding]:
    """An envelope that the hub owes to somebody who, so an agency says, was never given it."""
    accepted = {said.id: said for said in facts.acceptances.values()}
    for agency, word in facts.said:
        said = accepted.get(word.envelope or "") if word.reason == "delivery-left-out" else None
        header = facts.headers.get(said.header_sha256) if said else None
        if said is None or header is None or word.mailbox not in header[1].to:
            continue
        says = (
            f"the hub has signed that it owes envelope {said.id} to {word.mailbox} since {said.at}, as entry {said.index}; that "
            f"{word.mailbox} answered a later one and never this one is the word of {agency}, for nobody can sign what did not come"
        )
        yield Finding("delivery-left-out", False, "", says, (SIGNING, f"the word of {agency}"))


def withheld_directory(facts: Facts) -> Iterator[Finding]:
    """An envelope made by a version of the directory that the hub, so an agency says, did not show it."""
    accepted = {said.id: said for said in facts.acceptances.values()}
    for agency, word in facts.said:
        said = accepted.get(word.envelope or "") if word.reason == "directory-withheld" else None
        header = facts.headers.get(said.header_sha256) if said else None
        if said is None or header is None or header[1].directory <= (word.version or 0):
            continue
        says = (
            f"the hub has signed that it accepted an envelope made by version {header[1].directory} of the directory; that it "
            f"then showed version {word.version} as the newest is the word of {agency}, for no hub signs what it serves"
        )
        yield Finding("directory-withheld", False, "", says, (SIGNING, f"the word of {agency}"))


def _word(agency: AgencyId, said: Said) -> Finding:
    says = f"{agency} says that it met with `{said.reason}`; nothing that is signed shows it here"
    return Finding(said.reason, False, "", says, (f"the word of {agency}",))


def _key_of(signed: Signed, agency: AgencyId) -> str:
    return f"the key {signed.unverified.kid} of {agency}"
