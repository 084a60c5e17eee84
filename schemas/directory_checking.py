"""What a directory that is well formed still can't do: addresses that lead to nobody, or that nobody can choose between.

``parse_directory`` refuses a directory on its own words.  Here it is held against the time: as of one moment, and as of
each end that it has announced after that.  And a log that nobody outside has to see is found.

Source: domain 10 (directory) and 11 (risks 11, 13).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from schemas.directory import MESH_RESERVED, AgencyEntry, Directory, DirectoryIndex, Mailbox
from schemas.findings import Finding, Level
from schemas.identifiers import AgencyId, MailboxId, Moment
from schemas.witnessing import is_met, parse_policy

# ``error``: something would reach nobody, or can't be chosen.
FINDINGS: Final[Mapping[str, Level]] = {
    "successor-missing": "error",
    "split-missing": "error",
    "split-twice": "error",
    "heir-missing": "error",
    "post-missing": "error",
    "owner-missing": "error",
    "mesh-twice": "error",
    "mesh-reserved": "error",
    "heir-by-place": "note",
    "post-ended": "note",
    "role-unfilled": "note",
    "witness-inside": "note",
}


def check_directory(index: DirectoryIndex, at: Moment) -> list[Finding]:
    """Return what of *index* leads to nobody at *at* or once an end that it announces has come; each once."""
    directory = index.directory
    ends = [end for agency, box in _boxes(index) for end in (agency.valid_to, box.valid_to)]
    later = sorted({end for end in ends if end is not None and end > at})
    found = [*_check_successors(directory), *_check_witnesses(directory)]
    for moment in (at, *later):
        found += _check_addresses(index, moment)
        found += _check_posts(index, moment)
        found += _check_roles(index, moment)
        found += _check_mesh(index, moment)
        if index.owner(moment) is None:
            found.append(
                _found(
                    "owner-missing",
                    directory.partnership,
                    "it has no open mailbox, so what leads to nobody is nobody's to put right",
                )
            )
    return list(dict.fromkeys(found))


def _check_successors(directory: Directory) -> Iterator[Finding]:
    for agency in directory.agencies:
        if agency.valid_to is not None and not agency.successors and agency.mailboxes:
            yield _found("successor-missing", agency.id, "it ends and nobody takes over: its addresses lead to nobody")
        parts: dict[str | None, set[AgencyId]] = defaultdict(set)
        for successor in agency.successors:
            parts[successor.split].add(successor.agency)
        unnamed = parts.pop(None, set())
        if unnamed and len(unnamed.union(*parts.values())) > 1:
            yield _found(
                "split-missing", agency.id, "several take over and one has no `split`: nobody can say that it is meant"
            )
        for code in sorted(str(code) for code, agencies in parts.items() if len(agencies) > 1):
            yield _found("split-twice", agency.id, f"`{code}` names several successors: it chooses none")


def _check_witnesses(directory: Directory) -> Iterator[Finding]:
    policy, agencies = parse_policy(directory.witnesses), [agency.id for agency in directory.agencies]
    if is_met(policy, agencies, agencies):
        yield _found(
            "witness-inside",
            directory.partnership,
            "agencies alone make the quorum: nobody outside the partnership has to countersign the log",
        )


def _check_addresses(index: DirectoryIndex, at: Moment) -> Iterator[Finding]:
    for agency, box in _boxes(index):
        if not index.has_ended(box.id, at):
            continue
        heirs = index.open_heirs(box.id, at)
        is_told = agency.valid_to is not None and agency.valid_to <= at and not agency.successors
        if not heirs and not is_told:
            yield _found("heir-missing", box.id, "it has ended, and so has everybody who took over from it")
        if any(not _is_like(box, index.find_mailbox(heir)) for heir in heirs):
            yield _found(
                "heir-by-place",
                box.id,
                "no post, team or role in common says who answers for it: the first of the list does",
            )


def _is_like(box: Mailbox, heir: Mailbox | None) -> bool:
    return heir is not None and (
        heir.id in {box.deputy, box.manager}
        or heir.id.partition("/")[2] == box.id.partition("/")[2]
        or not set(heir.roles).isdisjoint(box.roles)
    )


def _check_posts(index: DirectoryIndex, at: Moment) -> Iterator[Finding]:
    for _, box in _boxes(index):
        cover = box.out_of_hours.mailbox if box.out_of_hours else None
        posts = {"manager": box.manager, "deputy": box.deputy, "out-of-hours cover": cover}
        for post, name in posts.items():
            if name is None or index.is_open(name, at) or not index.is_open(box.id, at):
                continue
            if index.open_heirs(name, at):
                yield _found("post-ended", box.id, f"its {post} is not open: whoever answers for that one is told")
            else:
                yield _found("post-missing", box.id, f"its {post} is not open, and nobody answers for that one")


def _check_roles(index: DirectoryIndex, at: Moment) -> Iterator[Finding]:
    ended = {role for _, box in _boxes(index) if index.has_ended(box.id, at) for role in index.roles_of(box.id)}
    for role in sorted(ended):
        if not index.mailboxes_with(role, at):
            yield _found("role-unfilled", role, "no open mailbox has this role any more: rules that ask it ask nobody")


def _check_mesh(index: DirectoryIndex, at: Moment) -> Iterator[Finding]:
    named: dict[str, list[MailboxId]] = defaultdict(list)
    for _, box in _boxes(index):
        if index.is_open(box.id, at):
            named[index.mesh_address(box.id)].append(box.id)
    for address, boxes in named.items():
        for name in boxes:
            if address in MESH_RESERVED:
                yield _found("mesh-reserved", name, f"`{address}` is a word of MESH's own: nobody reaches it by MESH")
            elif len(boxes) > 1:
                yield _found("mesh-twice", name, f"another mailbox is `{address}` in MESH, too: nobody reaches either")


def _boxes(index: DirectoryIndex) -> Iterator[tuple[AgencyEntry, Mailbox]]:
    for agency in index.directory.agencies:
        for box in agency.mailboxes:
            yield agency, box


def _found(code: str, where: str, message: str) -> Finding:
    return Finding(FINDINGS[code], code, where, message)
