"""Exampleshire in memory: officers, agencies with real keys, and the signed things that they send.

What gateways do with files and sockets is done here with values, so that a test of the hub needs no other process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from hub import amendments, enrolment, exchange, registry, retention
from hub.intake import InputError
from hub.store.base import Store
from hub.store.rows import FeedDelivery, ObligationRow
from keys import digests, jws, sealing
from keys.keyring import HeldKey, HubKeyring, Keyring
from keys.note_keys import NoteSigner
from schemas import strict_json
from schemas.agreement_text import compile_agreement
from schemas.catalogue import Catalogue
from schemas.directory import AgencyEntry, Directory, HubEntry, Jwk, KeyStatement, Mailbox, Officers
from schemas.envelope import DAY, Header, Sealed, Wrap, Wraps, join_envelope
from schemas.manifest import Author, Document, Manifest
from schemas.receipt import Receipt
from schemas.statements import KeyApproval, Person, Waiver, Withdrawal

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"
ORIGIN = "hub.exampleshire.example"
# Monday 6 July 2026, 09:00 in London.
START = 1_783_324_800_000
MINUTE, HOUR = 60_000, 3_600_000
COUNCIL, POLICE, HEALTH = "sampleton-childrens-services", "exampleshire-constabulary", "northmere-health"
PROBATION, PARTNERSHIP = "exampleshire-probation", "exampleshire-partnership"
MASH, MANAGERS = f"{COUNCIL}/mash", f"{COUNCIL}/service-managers"
CAIT, EXPLOITATION = f"{POLICE}/child-abuse-investigation", f"{POLICE}/exploitation"
SOURCES = f"{POLICE}/source-protection"
NURSES, PAEDIATRICS = f"{HEALTH}/safeguarding", f"{HEALTH}/paediatrics"
OFFICERS = f"{PROBATION}/safeguarding-desk"
UNIT = f"{PARTNERSHIP}/business-unit"
# Of each agency its sectors, and of each of its mailboxes its posts and its manager.
Agencies = Mapping[str, tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...], str | None], ...]]]
AGENCIES: Agencies = {
    PARTNERSHIP: (("partnership",), ((UNIT, (), None),)),
    COUNCIL: (("social_care",), ((MASH, ("mash",), MANAGERS), (MANAGERS, ("manager",), None))),
    POLICE: (
        ("police",),
        (
            (CAIT, ("police_single_point",), None),
            (EXPLOITATION, ("exploitation_team",), None),
            (SOURCES, ("source_protection",), None),
        ),
    ),
    HEALTH: (("health",), ((NURSES, ("health_single_point",), None), (PAEDIATRICS, (), None))),
    PROBATION: (("probation",), ((OFFICERS, ("probation_single_point",), None),)),
}


SECRET = b"s" * 32
RECORD_KEY = b"k" * 32


def without_rhythms(text: str) -> str:
    """Return the agreement *text* without what it asks of a county as a whole: what recurs, and who makes a quorum.

    So that a test of some duties meets those and no others.
    """
    head, *blocks = re.split(r"(?m)^(?=\[)", text)
    quorum = re.compile(r'^name = "(?:[a-z-]+-invited|(?:police|health)-told)"$', re.MULTILINE)
    return head + "".join(one for one in blocks if not one.startswith("[[recurring]]") and not quorum.search(one))


@lru_cache
def _compile(text: str, version: int, previous: str | None, issued: int) -> bytes:
    catalogue = Catalogue.load()
    schemas = {name: digests.sha256_b64u(catalogue.canonical(name)) for name in catalogue.types()}
    agreed = compile_agreement(text, version=version, previous=previous, issued=issued, schemas=schemas)
    return strict_json.dump(agreed)


def as_jwk(members: Mapping[str, Any]) -> Jwk:
    """Return a public key's members as the directory holds them."""
    return msgspec.convert(members, Jwk)


@dataclass
class Sent:
    """An envelope as sent, with what a recipient's receipts need."""

    raw: bytes
    header: Header
    manifest: bytes
    content_key: bytes

    @property
    def id(self) -> str:
        """Return the envelope's id."""
        return self.header.id


@dataclass
class County:
    """The partnership's officers and its agencies' keys; ``now`` is the time that everybody has.

    ``whole``: by all of the reference agreement, the county's rhythms and quorum included.  ``witnesses``: the policy by
    which its log counts as witnessed.
    """

    now: int = START
    officers: list[jws.SigningKey] = field(default_factory=lambda: [jws.SigningKey.generate() for _ in range(3)])
    hub: HubKeyring = field(default_factory=lambda: HubKeyring.create(START))
    keyrings: dict[str, Keyring] = field(default_factory=dict)
    statements: dict[str, list[bytes]] = field(default_factory=dict)
    agreement_version: int = 1
    directory_version: int = 1
    ended: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    agencies: Agencies = field(default_factory=lambda: AGENCIES)
    whole: bool = False
    witnesses: str = ""

    def __post_init__(self) -> None:
        for agency in self.agencies:
            self.keyrings.setdefault(agency, Keyring.create(agency, self.now))

    @property
    def roots(self) -> Officers:
        """Return the officers' keys as they are pinned: two of three."""
        return Officers(threshold=2, keys=tuple(as_jwk(key.public.jwk) for key in self.officers))

    @property
    def note_signers(self) -> Sequence[NoteSigner]:
        """Return the hub's checkpoint signers."""
        return self.hub.note_signers(ORIGIN)

    def sign_document(self, payload: bytes, typ: str, signers: Iterable[jws.SigningKey] | None = None) -> bytes:
        """Return a document as two officers (or *signers*) sign it."""
        return strict_json.dump([key.sign(payload, typ).decode() for key in signers or self.officers[:2]])

    def directory(self, *, previous: str | None = None, **changes: Any) -> bytes:
        """Return the payload of the directory as it is now."""
        entries = []
        for agency, (roles, boxes) in self.agencies.items():
            identity = self.keyrings[agency].identity
            assert identity is not None
            until, heirs = self.ended.get(agency, (None, ()))
            entries.append(
                AgencyEntry(
                    id=agency,
                    name=agency.replace("-", " ").title(),
                    roles=roles,
                    codes={},
                    valid_from=START - 1000 * DAY,
                    valid_to=until,
                    successors=tuple(msgspec.convert([{"agency": heir} for heir in heirs], tuple)),
                    identity=as_jwk(identity.public.jwk),
                    mailboxes=tuple(
                        Mailbox(id=box, title=box.partition("/")[2], roles=own, manager=manager)
                        for box, own, manager in boxes
                    ),
                )
            )
        return strict_json.dump(
            msgspec.structs.replace(
                Directory(
                    v=1,
                    partnership=PARTNERSHIP,
                    version=self.directory_version,
                    previous=previous,
                    issued=self.now,
                    expires=self.now + 400 * DAY,
                    officers=self.roots,
                    hub=HubEntry(
                        url="http://127.0.0.1",
                        origin=ORIGIN,
                        signing=(as_jwk(self.hub.signing.public.jwk),),
                        checkpoint=tuple(signer.verifier_key for signer in self.note_signers),
                    ),
                    agencies=tuple(entries),
                    witnesses=self.witnesses,
                ),
                **changes,
            )
        )

    def agreement(self, *, previous: str | None = None, text: str | None = None) -> bytes:
        """Return the payload of the reference agreement (of a ``whole`` county all of it), or of *text*."""
        reference = (EXAMPLES / "agreement.toml").read_text()
        toml = text or (reference if self.whole else without_rhythms(reference))
        return _compile(toml, self.agreement_version, previous, self.now)

    def statement(self, agency: str, use: str, members: Mapping[str, Any], **changes: Any) -> bytes:
        """Return the next key statement of *agency*, with its proof where the key can sign."""
        said = self.statements.setdefault(agency, [])
        keyring = self.keyrings[agency]
        assert keyring.identity is not None
        kid, number = jws.thumbprint(members), len(said) + 1
        signer = {keyring.signing.kid: keyring.signing, keyring.witness.kid: keyring.witness}.get(kid)
        proof = jws.prove(signer, jws.proof_statement(agency, number, kid)) if signer else None
        payload = KeyStatement(
            v=1,
            agency=agency,
            sequence=number,
            previous=digests.sha256_b64u(said[-1]) if said else None,
            use=use,  # type: ignore[arg-type]
            jwk=as_jwk(members),
            not_before=self.now - DAY,
            expires=self.now + 300 * DAY,
            state="active",
            issued=self.now,
            proof=proof,
        )
        compact = keyring.identity.sign(strict_json.dump(msgspec.structs.replace(payload, **changes)), jws.KEY)
        said.append(compact)
        return compact

    def approve(self, statement: bytes, officer: int = 0) -> bytes:
        """Return an officer's word for *statement*."""
        word = KeyApproval(v=1, statement_sha256=digests.sha256_b64u(statement), at=self.now)
        return self.officers[officer].sign(strict_json.dump(word), jws.KEY)

    async def found(self, store: Store) -> registry.Registry:
        """Publish directory, agreement and every agency's keys in *store*, and return its registry."""
        document = self.sign_document(self.directory(), jws.DIRECTORY)
        await registry.publish_directory(store, document, self.now, self.roots)
        await registry.publish_agreement(store, self.sign_document(self.agreement(), jws.AGREEMENT), self.now)
        known = await registry.Registry.load(store)
        for agency, keyring in self.keyrings.items():
            (held,) = keyring.opening_keys.values()
            for use, members in (
                ("sign", keyring.signing.public.jwk),
                ("witness", keyring.witness.public.jwk),
                ("seal", held.key.public.jwk),
            ):
                said = self.statement(agency, use, members)
                await enrolment.publish_key(store, known, said, self.approve(said), SECRET, self.now)
        return known

    def seal(
        self,
        kind: str,
        sender: str,
        to: Iterable[str],
        *,
        thread: str | None = None,
        documents: Sequence[bytes] = (b'{"fictional":true}',),
        facts: Mapping[str, str] | None = None,
        parties: Iterable[str] = (),
        **changes: Any,
    ) -> Sent:
        """Return a sealed and signed envelope; *changes* go into the header last."""
        name, boxes = changes.pop("id", None) or digests.new_id(self.now), tuple(sorted(to))
        thread = thread or digests.new_id(self.now)
        keyring = self.keyrings[sender.partition("/")[0]]
        manifest = keyring.signing.sign(
            strict_json.dump(self._manifest(kind, sender, boxes, thread, name, documents)), jws.MANIFEST
        )
        content_key = sealing.new_content_key()
        body = sealing.seal(manifest, documents, content_key, name)
        header = msgspec.structs.replace(
            Header(
                v=1,
                id=name,
                type=kind,
                from_=sender,
                to=boxes,
                thread=thread,
                at=self.now,
                moments={},
                urgent=False,
                parties=tuple(sorted(parties)),
                items=(),
                facts=dict(facts or {}),
                basis_class="safeguarding",
                retention="case",
                sealed=Sealed(format="C2SP-CE1-A256GCM", sha256=digests.sha256_b64u(body), length=len(body)),
                opening=digests.opening(manifest),
                directory=self.directory_version,
                agreement=self.agreement_version,
                sent=self.now,
                keep_until=self.now + 300 * DAY,
            ),
            **changes,
        )
        signed = keyring.signing.sign(strict_json.dump(header), jws.ENVELOPE)
        raw = join_envelope(signed, self.wraps(header, content_key), body)
        return Sent(raw, header, manifest, content_key)

    def wraps(self, header: Header, content_key: bytes) -> bytes:
        """Return signed wraps of *content_key* for the recipients of *header*, to their newest keys."""
        wraps = []
        for box in header.to:
            held = self.newest(box)
            ek, wk = sealing.wrap(content_key, held.key.public, envelope_id=header.id, sender=header.from_, mailbox=box)
            wraps.append(Wrap(mailbox=box, kid=held.key.kid, ek=ek, wk=wk))
        said = Wraps(v=1, id=header.id, sealed_sha256=header.sealed.sha256, wraps=tuple(wraps))
        return self.keyrings[header.from_.partition("/")[0]].signing.sign(strict_json.dump(said), jws.WRAPS)

    def newest(self, box: str) -> HeldKey:
        """Return the newest sealing key of *box*: its own if it has any, else its agency's."""
        held = list(self.keyrings[box.partition("/")[0]].opening_keys.values())
        own = [one for one in held if one.mailbox == box] or [one for one in held if one.mailbox is None]
        return own[-1]

    def _manifest(
        self, kind: str, sender: str, to: tuple[str, ...], thread: str, name: str, documents: Sequence[bytes]
    ) -> Manifest:
        return Manifest(
            v=1,
            id=name,
            type=kind,
            from_=sender,
            to=to,
            thread=thread,
            author=Author(ref=digests.keyed_digest(RECORD_KEY, "author"), role="chair"),
            nonce=digests.b64u(digests.random_bytes(32)),
            basis=("CA1989_S47",),
            consent="not_needed_lawful_basis",
            purpose="child_protection",
            classification="OFFICIAL-SENSITIVE",
            marks=(),
            message=0,
            documents=tuple(
                Document(
                    name=f"document-{place}",
                    type="application/json" if place == 0 else "application/pdf",
                    length=len(document),
                    sha256=digests.sha256_b64u(document),
                )
                for place, document in enumerate(documents)
            ),
            created=self.now,
        )

    def receipt(self, sent: Sent, mailbox: str, level: str, **changes: Any) -> bytes:
        """Return a signed receipt of *mailbox* for *sent*, with the members that *level* needs."""
        person = level in {"opened", "acknowledged", "declined"}
        receipt = Receipt(
            v=1,
            id=digests.new_id(self.now),
            envelope=sent.id,
            sealed_sha256=sent.header.sealed.sha256,
            manifest_sha256=None if level == "rejected" else digests.sha256_b64u(sent.manifest),
            level=level,  # type: ignore[arg-type]
            code={"declined": "not_known_here", "rejected": "wrap-open"}.get(level),
            mode="full" if level == "filed" else None,
            record=digests.keyed_digest(RECORD_KEY, "record") if level == "filed" else None,
            mailbox=mailbox,
            actor=digests.keyed_digest(RECORD_KEY, "a person") if person else None,
            role="practitioner" if person else None,
            at=self.now,
        )
        signing = self.keyrings[mailbox.partition("/")[0]].signing
        return signing.sign(strict_json.dump(msgspec.structs.replace(receipt, **changes)), jws.RECEIPT)

    def waiver(self, obligation: str, mailbox: str, **changes: Any) -> bytes:
        """Return a signed statement that *obligation* was met by other means, or whatever *changes* make of it."""
        waiver = Waiver(
            v=1,
            id=digests.new_id(self.now),
            obligation=obligation,
            state="met_elsewhere",
            reason="handed_over",
            confirmed_by=digests.keyed_digest(RECORD_KEY, "confirmer"),
            by=digests.keyed_digest(RECORD_KEY, "a person"),
            role="chair",
            at=self.now,
            mailbox=mailbox,
        )
        signing = self.keyrings[mailbox.partition("/")[0]].signing
        return signing.sign(strict_json.dump(msgspec.structs.replace(waiver, **changes)), jws.WAIVER)

    def withdrawal(self, sent: Sent, **changes: Any) -> bytes:
        """Return the sender's signed withdrawal of *sent*."""
        said = Withdrawal(
            v=1,
            id=digests.new_id(self.now),
            envelope=sent.id,
            mailbox=sent.header.from_,
            reason="misdirected",
            at=self.now,
            ask=True,
        )
        signing = self.keyrings[sent.header.from_.partition("/")[0]].signing
        return signing.sign(strict_json.dump(msgspec.structs.replace(said, **changes)), jws.WITHDRAWAL)


@dataclass
class Desk:
    """A county at work on one store: what a test says, in one line each."""

    county: County
    store: Store
    registry: registry.Registry

    async def send(self, sent: Sent) -> exchange.Accepted:
        """Have the hub accept *sent*, or raise what it refuses it with."""
        caller = sent.header.from_.partition("/")[0]
        return await exchange.accept_envelope(
            self.store, self.registry, caller, sent.raw, self.county.now, self.county.hub.signing
        )

    async def take(self, *receipts: bytes, by: str) -> list[exchange.Taken | InputError]:
        """Have the hub take *receipts* of the agency *by*."""
        return await exchange.accept_receipts(
            self.store, self.registry, by, receipts, self.county.now, self.county.hub.signing
        )

    async def receive(self, sent: Sent, mailbox: str, *levels: str) -> None:
        """Have *mailbox* take receipt of *sent* at each of *levels*, which must be accepted."""
        signed = [self.county.receipt(sent, mailbox, level) for level in levels]
        for outcome in await self.take(*signed, by=mailbox.partition("/")[0]):
            assert isinstance(outcome, exchange.Taken), outcome

    async def tick(self, by: int = 0) -> exchange.Swept:
        """Let *by* milliseconds pass, and the hub's clock do what is due."""
        self.county.now += by
        return await exchange.enforce_deadlines(
            self.store, self.registry, self.county.now, self.county.hub.signing, 1000
        )

    async def feed(self, mailbox: str) -> list[FeedDelivery]:
        """Return the whole feed of *mailbox*."""
        agency = mailbox.partition("/")[0]
        return await exchange.hand_over(self.store, self.registry, agency, mailbox, 0, 1000, self.county.now)

    async def notices(self, mailbox: str, *codes: str) -> list[dict[str, Any]]:
        """Return what the hub has told *mailbox*, only *codes* if there are any; its signatures checked."""
        key = self.county.hub.signing.public
        payloads = [row.entry.payload for row in await self.feed(mailbox) if row.entry.kind == "notice"]
        said = [msgspec.json.decode(jws.verify(bytes(payload or b""), key, jws.NOTICE)) for payload in payloads]
        return [one for one in said if not codes or one["notice"] in codes]

    async def rows(self, thread: str) -> dict[tuple[str, str, str], ObligationRow]:
        """Return each obligation of *thread* by (rule, debtor, creditor)."""
        rows = await self.store.read(lambda tx: tx.thread_obligations(thread))
        return {(row.duty.rule, row.duty.debtor, row.duty.creditor): row for row in rows}

    async def duties(self, thread: str) -> dict[tuple[str, str, str], str]:
        """Return the state of each obligation of *thread* by (rule, debtor, creditor)."""
        return {parts: row.state for parts, row in (await self.rows(thread)).items()}

    async def leaves(self, *events: str) -> list[dict[str, Any]]:
        """Return the leaves of the log, only those of *events* if there are any."""
        size = await self.store.read(lambda tx: tx.log_head().size)
        rows = await self.store.read(lambda tx: tx.leaves(0, size))
        return [msgspec.json.decode(row.body) for row in rows if not events or row.event in events]

    async def withdraw(self, sent: Sent, raw: bytes | None = None, **changes: Any) -> amendments.Withdrawn:
        """Have the sender withdraw *sent*."""
        signed = raw or self.county.withdrawal(sent, **changes)
        caller, now = sent.header.from_.partition("/")[0], self.county.now
        return await amendments.withdraw_envelope(
            self.store, self.registry, caller, sent.id, signed, now, self.county.hub.signing
        )

    async def reseal(self, sent: Sent, raw: bytes | None = None) -> amendments.Replaced:
        """Have the sender replace the wraps of *sent*, to everybody's newest keys."""
        signed = raw or self.county.wraps(sent.header, sent.content_key)
        caller, now = sent.header.from_.partition("/")[0], self.county.now
        return await amendments.replace_wraps(self.store, self.registry, caller, sent.id, signed, now)

    async def waive(self, obligation: str, mailbox: str, raw: bytes | None = None, **changes: Any) -> amendments.Waived:
        """Have *mailbox* end *obligation* by a signed statement."""
        signed = raw or self.county.waiver(obligation, mailbox, **changes)
        caller, now = mailbox.partition("/")[0], self.county.now
        return await amendments.record_waiver(self.store, self.registry, caller, obligation, signed, now)

    async def expire(self, by: int = 0) -> frozenset[str]:
        """Let *by* milliseconds pass, and the hub forget what it may, after its warnings."""
        self.county.now += by
        return await retention.expire(self.store, self.registry, self.county.now, self.county.hub.signing)

    async def publish_key(self, statement: bytes, officer: bytes | None = None) -> KeyStatement:
        """Have the hub take a key statement."""
        return await enrolment.publish_key(self.store, self.registry, statement, officer, SECRET, self.county.now)

    async def rotate(self, agency: str, mailbox: str | None = None) -> HeldKey:
        """Give *agency* a new sealing key, usable at once."""
        held = self.county.keyrings[agency].add_opening_key(mailbox, self.county.now)
        said = self.county.statement(agency, "seal", held.key.public.jwk, mailbox=mailbox)
        await self.publish_key(said, self.county.approve(said))
        return held

    async def _previous(self, kind: str) -> str | None:
        row = await self.store.read(lambda tx: tx.current_document(kind))
        return row.sha256 if row else None

    async def next_directory(self, *, refresh: bool = True, **changes: Any) -> None:
        """Publish the next version of the directory, with *changes*."""
        self.county.directory_version += 1
        payload = self.county.directory(previous=await self._previous("directory"), **changes)
        document = self.county.sign_document(payload, jws.DIRECTORY)
        await registry.publish_directory(self.store, document, self.county.now, signer=self.county.hub.signing)
        if refresh:
            await self.registry.refresh(self.store)

    async def next_agreement(self, text: str | None = None, *, refresh: bool = True) -> None:
        """Publish the next version of the agreement: *text*, or the reference one again."""
        self.county.agreement_version += 1
        payload = self.county.agreement(previous=await self._previous("agreement"), text=text)
        document = self.county.sign_document(payload, jws.AGREEMENT)
        await registry.publish_agreement(self.store, document, self.county.now, self.county.hub.signing)
        if refresh:
            await self.registry.refresh(self.store)


def second() -> Person:
    """Return the second person of a waiver."""
    return Person(by=digests.keyed_digest(RECORD_KEY, "a second person"), role="manager")
