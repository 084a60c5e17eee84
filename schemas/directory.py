"""The signed list of agencies, mailboxes and keys, and the statements about single keys.

Agencies and mailboxes carry dates, and the names that they had; an ended one has successors, so that an old address
never resolves to nobody.

Source: protocol 7; domain 10 (directory) and 11 (risks 11, 13, 30).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

from msgspec import Meta

from schemas.envelope import Struct
from schemas.identifiers import AgencyId, Code, MailboxId, MessageType, Moment, Sha256, agency_of
from schemas.strict_json import MalformedError, parse_as
from schemas.witnessing import parse_policy

MAX_DIRECTORY: Final = 8 * 1024 * 1024
MAX_KEY_STATEMENT: Final = 8 * 1024
Text = Annotated[str, Meta(min_length=1, max_length=200)]


class Jwk(Struct, frozen=True, kw_only=True):
    """A public key: OKP Ed25519 (``x``), or AKP with ``alg`` ``MLKEM768-X25519`` or ``ML-DSA-44`` (``pub``)."""

    kty: Literal["OKP", "AKP"]
    crv: Literal["Ed25519"] | None = None
    x: Sha256 | None = None
    alg: Literal["MLKEM768-X25519", "ML-DSA-44"] | None = None
    pub: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]+\Z", max_length=4000)] | None = None

    def __post_init__(self) -> None:
        """Refuse a key that has the members of both kinds, or lacks some of its own."""
        ed25519, pair = (self.crv, self.x), (self.alg, self.pub)
        own, other = (ed25519, pair) if self.kty == "OKP" else (pair, ed25519)
        if None in own or other != (None, None):
            raise ValueError("a key has either `crv` and `x`, or `alg` and `pub`")


class Officers(Struct, frozen=True, kw_only=True):
    """Whose signatures make a directory or agreement valid: ``threshold`` of ``keys``."""

    threshold: Annotated[int, Meta(ge=1, le=16)]
    keys: Annotated[tuple[Jwk, ...], Meta(min_length=1, max_length=16)]


class HubEntry(Struct, frozen=True, kw_only=True):
    """Where the hub is, and its keys: ``signing`` for acceptances and notices, ``checkpoint`` as C2SP verifier keys."""

    url: Text
    origin: Text
    signing: Annotated[tuple[Jwk, ...], Meta(min_length=1, max_length=8)]
    checkpoint: Annotated[tuple[Annotated[str, Meta(max_length=2000)], ...], Meta(min_length=1, max_length=8)]


class Successor(Struct, frozen=True, kw_only=True):
    """Who takes over when an agency ends; ``split`` names the part (a place, a service) where there are several."""

    agency: AgencyId
    split: Code | None = None


class FormerName(Struct, frozen=True, kw_only=True):
    """What an agency or mailbox was called until a moment; what is older than that is shown under this name."""

    name: Text
    until: Moment


FormerNames = Annotated[tuple[FormerName, ...], Meta(max_length=64)]


class OutOfHours(Struct, frozen=True, kw_only=True):
    """Where mail goes outside the hours served."""

    mailbox: MailboxId
    hours: Text


class Mailbox(Struct, frozen=True, kw_only=True):
    """A role or team address.  ``reads``: message type versions; an empty list means every version."""

    id: MailboxId
    title: Text
    roles: Annotated[tuple[Code, ...], Meta(max_length=16)]
    manager: MailboxId | None = None
    deputy: MailboxId | None = None
    out_of_hours: OutOfHours | None = None
    reads: tuple[MessageType, ...] = ()
    mesh: Code | None = None
    valid_from: Moment | None = None
    valid_to: Moment | None = None
    former_names: FormerNames = ()


class AgencyEntry(Struct, frozen=True, kw_only=True):
    """An organisation.  ``roles`` are its sectors (``health``, ``police``); ``identity`` signs its key statements."""

    id: AgencyId
    name: Text
    former_names: FormerNames = ()
    roles: Annotated[tuple[Code, ...], Meta(max_length=16)]
    codes: Mapping[Code, Text]
    valid_from: Moment
    valid_to: Moment | None = None
    successors: tuple[Successor, ...] = ()
    identity: Jwk
    mailboxes: Annotated[tuple[Mailbox, ...], Meta(max_length=256)]


class Directory(Struct, frozen=True, kw_only=True):
    """One version of the directory.  ``witnesses`` is C2SP tlog-policy text, empty where there is none yet."""

    v: Literal[1]
    partnership: AgencyId
    version: Annotated[int, Meta(ge=1)]
    previous: Sha256 | None = None
    issued: Moment
    expires: Moment
    officers: Officers
    hub: HubEntry
    agencies: tuple[AgencyEntry, ...]
    witnesses: str = ""


class KeyStatement(Struct, frozen=True, kw_only=True):
    """One statement of an agency about one of its keys, signed by its identity key.

    ``proof`` shows possession: for Ed25519 the key's own signature over the statement without ``proof``; for a
    sealing key the answer to the hub's challenge, or the officer's word at enrolment.
    """

    v: Literal[1]
    agency: AgencyId
    mailbox: MailboxId | None = None
    sequence: Annotated[int, Meta(ge=1)]
    previous: Sha256 | None = None
    use: Literal["sign", "seal", "witness"]
    jwk: Jwk
    not_before: Moment
    expires: Moment
    state: Literal["active", "retired", "revoked"]
    compromised_from: Moment | None = None
    issued: Moment
    proof: Annotated[str, Meta(max_length=2000)] | None = None


def parse_directory(payload: bytes) -> Directory:
    """Return the directory whose signed payload is *payload*.

    Raises:
        MalformedError: ``json-*``; ``directory-twice``, ``directory-agency``, ``directory-successor``,
            ``directory-threshold``: what is named twice, sits under a foreign agency, or points to nobody;
            ``directory-witnesses``: a witness policy that says nothing that can be judged.
    """
    directory = parse_as(payload, Directory, max_bytes=MAX_DIRECTORY)
    # Who must have cosigned is part of what the officers sign: text that nobody can judge by is no directory.
    parse_policy(directory.witnesses)
    agencies = {agency.id for agency in directory.agencies}
    boxes = [box.id for agency in directory.agencies for box in agency.mailboxes]
    known = set(boxes)
    if len(agencies) != len(directory.agencies) or len(known) != len(boxes):
        raise MalformedError("directory-twice", "the directory names an agency or mailbox twice", "name each once")
    if directory.officers.threshold > len(directory.officers.keys):
        raise MalformedError("directory-threshold", "more officers must sign than there are", "lower the threshold")
    for agency in directory.agencies:
        if any(agency_of(box.id) != agency.id for box in agency.mailboxes):
            raise MalformedError("directory-agency", "a mailbox stands under another agency", "list it under its own")
        if any(successor.agency not in agencies for successor in agency.successors):
            raise MalformedError("directory-successor", "a successor is not in the directory", "add it, or correct it")
        for box in agency.mailboxes:
            named = [box.manager, box.deputy, box.out_of_hours.mailbox if box.out_of_hours else None]
            if any(name is not None and name not in known for name in named):
                raise MalformedError(
                    "directory-mailbox", "a mailbox names one that is not listed", "add it, or correct it"
                )
    return directory


def parse_key_statement(payload: bytes) -> KeyStatement:
    """Return the key statement whose JWS payload is *payload*.

    Raises:
        MalformedError: ``json-*`` or ``key-statement`` (mailbox of another agency, kind of key not for its use).
    """
    statement = parse_as(payload, KeyStatement, max_bytes=MAX_KEY_STATEMENT)
    kind = "MLKEM768-X25519" if statement.use == "seal" else "Ed25519"
    if (statement.jwk.alg or statement.jwk.crv) != kind:
        raise MalformedError("key-kind", f"a key to {statement.use} must be {kind}", "make a key of that kind")
    if statement.mailbox is not None and agency_of(statement.mailbox) != statement.agency:
        raise MalformedError("key-statement", "the mailbox is not the agency's", "name one of its own")
    if statement.expires <= statement.not_before:
        raise MalformedError("key-statement", "the key expires before it begins", "correct its dates")
    return statement


class Heir(NamedTuple):
    """A mailbox that answers for an ended one; ``splits``: the codes each of which chooses it among several."""

    mailbox: MailboxId
    splits: tuple[Code, ...]


class Resolved(NamedTuple):
    """Where what is addressed to a mailbox goes: to ``mailbox``, or nowhere before somebody has decided.

    ``ambiguous``: several took over, ``candidates``, and nothing said which part is meant.  ``nobody``: nobody did.
    ``unknown``: it isn't, or isn't yet, in the directory.  In these three ``owner`` is whose it is to put right; it is
    for the partnership's mailbox to know of, never to have the content.
    """

    how: Literal["open", "heir", "ambiguous", "nobody", "unknown"]
    mailbox: MailboxId | None
    owner: MailboxId | None = None
    candidates: tuple[Heir, ...] = ()


# What MESH's own paths begin with, and what the hub calls itself there (MESH API 2.0.0).
MESH_RESERVED: Final = frozenset({"_PING", "ENDPOINTLOOKUP", "WORKFLOWSEARCH", "ADMIN", "HUB"})


class DirectoryIndex:
    """Look-ups over one :class:`Directory`, built once for each version."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._agencies = {agency.id: agency for agency in directory.agencies}
        self._boxes = {box.id: (agency, box) for agency in directory.agencies for box in agency.mailboxes}
        self._by_role: dict[str, list[MailboxId]] = {}
        for agency, box in self._boxes.values():
            for role in {*agency.roles, *box.roles}:
                self._by_role.setdefault(role, []).append(box.id)

    def find_agency(self, agency: AgencyId) -> AgencyEntry | None:
        """Return the agency whatever its dates, or ``None``."""
        return self._agencies.get(agency)

    def find_mailbox(self, mailbox: MailboxId) -> Mailbox | None:
        """Return the mailbox whatever its dates, or ``None``."""
        found = self._boxes.get(mailbox)
        return found[1] if found else None

    def mesh_address(self, mailbox: MailboxId) -> str:
        """Return how *mailbox* is called in MESH: its alias, else its own name, ``agency/team`` as ``AGENCY_TEAM``."""
        found = self.find_mailbox(mailbox)
        return (found.mesh if found and found.mesh else mailbox.replace("/", "_")).upper()

    def is_open(self, mailbox: MailboxId, at: Moment) -> bool:
        """Answer whether *mailbox* and its agency are within their dates at *at*."""
        found = self._boxes.get(mailbox)
        return found is not None and all(
            (entry.valid_from is None or entry.valid_from <= at) and (entry.valid_to is None or at < entry.valid_to)
            for entry in found
        )

    def roles_of(self, mailbox: MailboxId) -> frozenset[str]:
        """Return the roles of *mailbox* with those of its agency (its sectors)."""
        found = self._boxes.get(mailbox)
        return frozenset({*found[0].roles, *found[1].roles}) if found else frozenset()

    def mailboxes_with(self, role: str, at: Moment) -> tuple[MailboxId, ...]:
        """Return, sorted, the open mailboxes that have *role* themselves or through their agency."""
        return tuple(sorted(box for box in self._by_role.get(role, ()) if self.is_open(box, at)))

    def open_mailboxes(self, at: Moment) -> tuple[MailboxId, ...]:
        """Return, sorted, every mailbox that is open at *at*."""
        return tuple(sorted(box for box in self._boxes if self.is_open(box, at)))

    def has_ended(self, mailbox: MailboxId, at: Moment) -> bool:
        """Answer whether *mailbox* or its agency is past its last moment at *at*."""
        found = self._boxes.get(mailbox)
        return found is not None and any(entry.valid_to is not None and entry.valid_to <= at for entry in found)

    def has_agency_ended(self, agency: AgencyId, at: Moment) -> bool:
        """Answer whether *agency* is past its last moment at *at*: its gateway neither sends nor collects any more."""
        entry = self._agencies.get(agency)
        return entry is not None and entry.valid_to is not None and entry.valid_to <= at

    def name_at(self, name: AgencyId | MailboxId, at: Moment) -> str | None:
        """Return what an agency or mailbox was called at *at*, or ``None`` where it is not in the directory."""
        box, agency = self.find_mailbox(name), self.find_agency(name)
        entry = box or agency
        if entry is None:
            return None
        earlier = [former for former in entry.former_names if at < former.until]
        if earlier:
            return min(earlier, key=lambda former: former.until).name
        return entry.title if isinstance(entry, Mailbox) else entry.name

    def owner(self, at: Moment) -> MailboxId | None:
        """Return the partnership's mailbox, whose it is that an address leads to nobody; ``None``: it has none."""
        entry = self._agencies.get(self.directory.partnership)
        boxes = entry.mailboxes if entry else ()
        return next((heir for box in boxes for heir in self.open_heirs(box.id, at)), None)

    def resolve(self, mailbox: MailboxId, at: Moment, *, split: Code | None = None) -> Resolved:
        """Return where what is addressed to *mailbox* goes at *at*; *split* chooses where several took over.

        A code that chooses nobody chooses nothing: with several heirs it is then as if it had not been named.

        Source: domain 10.
        """
        if self.is_open(mailbox, at):
            return Resolved("open", mailbox)
        if not self.has_ended(mailbox, at):
            return Resolved("unknown", None, self.owner(at))
        chosen = self._chosen_heirs(mailbox, at, split)
        if len(chosen) == 1:
            return Resolved("heir", min(chosen))
        candidates = tuple(
            Heir(heir, tuple(code for code in sorted(codes) if [*self._chosen_heirs(mailbox, at, code)] == [heir]))
            for heir, codes in sorted(chosen.items())
        )
        return Resolved("ambiguous" if chosen else "nobody", None, self.owner(at), candidates)

    def open_heirs(self, mailbox: MailboxId, at: Moment) -> tuple[MailboxId, ...]:
        """Return *mailbox*, or where it ended the mailboxes that answer for it at *at*: never nobody if anyone is left.

        In the mailbox's own agency while that has one open, else at each successor: the deputy or manager, else the
        team of the same name, else a mailbox with one of its roles, else the first.
        """
        return tuple(sorted(self._chosen_heirs(mailbox, at, None)))

    def inherited_by(self, agency: AgencyId, at: Moment) -> tuple[MailboxId, ...]:
        """Return, sorted, the ended mailboxes, whosever they were, for which one of *agency* answers at *at*."""
        ended = (box for box in self._boxes if self.has_ended(box, at))
        return tuple(sorted(box for box in ended if agency in map(agency_of, self.open_heirs(box, at))))

    def _chosen_heirs(self, mailbox: MailboxId, at: Moment, split: Code | None) -> dict[MailboxId, set[Code]]:
        """Return each heir of *mailbox* that *split* leaves, with the codes of all ways that lead to it."""
        todo, seen = [(mailbox, frozenset[Code]())], set[tuple[MailboxId, frozenset[Code]]]()
        heirs: dict[MailboxId, set[Code]] = {}
        while todo:
            name, codes = way = todo.pop()
            if self.is_open(name, at):
                heirs.setdefault(name, set()).update(codes)
            elif way not in seen:
                todo += [
                    (heir, codes | more)
                    for place, more in self._places_after(name, at, split)
                    for heir in self._stand_ins(name, place, at)[:1]
                ]
            seen.add(way)
        return {heir: codes for heir, codes in heirs.items() if split in codes} or heirs

    def _places_after(self, name: MailboxId, at: Moment, split: Code | None) -> list[tuple[AgencyEntry, set[Code]]]:
        """Return the agencies where whoever answers for the closed *name* is looked for, with the codes that lead there."""
        entry = self._agencies.get(agency_of(name))
        if entry is None:
            return []
        if any(self.is_open(box.id, at) for box in entry.mailboxes):
            return [(entry, set())]
        parts: dict[AgencyId, set[Code]] = {}
        named = [successor for successor in entry.successors if split is not None and successor.split == split]
        for successor in named or entry.successors:
            codes = parts.setdefault(successor.agency, set())
            codes.update(() if successor.split is None else (successor.split,))
        return [(self._agencies[agency], codes) for agency, codes in parts.items()]

    def _stand_ins(self, name: MailboxId, agency: AgencyEntry, at: Moment) -> list[MailboxId]:
        """Return the mailboxes of *agency*, open ones if any are, the one that answers for *name* first."""
        gone = self.find_mailbox(name)
        team = f"{agency.id}/{name.partition('/')[2]}"

        def distance(box: Mailbox) -> int:
            if gone is not None and box.id in {gone.deputy, gone.manager}:
                return 0 if box.id == gone.deputy else 1
            if box.id == team:
                return 2
            return 3 if gone is not None and not set(box.roles).isdisjoint(gone.roles) else 4

        boxes = [box for box in agency.mailboxes if self.is_open(box.id, at)] or list(agency.mailboxes)
        return [box.id for box in sorted(boxes, key=distance)]

    def is_same_or_successor(self, agency: AgencyId, of: AgencyId, at: Moment) -> bool:
        """Answer whether *agency* is *of*, or took over from it, directly or through others, once that had ended."""
        todo, seen = [of], set[AgencyId]()
        while todo:
            name = todo.pop()
            if name == agency:
                return True
            seen.add(name)
            entry = self._agencies.get(name)
            if entry is not None and entry.valid_to is not None and entry.valid_to <= at:
                todo += [successor.agency for successor in entry.successors if successor.agency not in seen]
        return False


def describe_kid(jwk: Jwk) -> Mapping[str, Any]:
    """Return the members that an RFC 7638 thumbprint covers: ``crv kty x``, or ``alg kty pub``."""
    if jwk.kty == "OKP":
        return {"crv": jwk.crv, "kty": jwk.kty, "x": jwk.x}
    return {"alg": jwk.alg, "kty": jwk.kty, "pub": jwk.pub}
