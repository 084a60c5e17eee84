"""Whether a draft may go on as it is: its codes, what it carries from others, and who its sources are.

What carries what, which marks bind and what a handling code allows is ``handling.json``; none of it is in code.  What a draft
may not do is refused before it is sealed; an urgent one is never blocked: it goes with safe defaults, and its mailbox is told.

Source: domain 3 (1, 9), 6.9, 6.11, 9.2, 9.4, 13 (4); risks 16, 17 and 18.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from adapters.base import Draft, Incoming
from adapters.errors import GatewayError, NotYetError
from adapters.gateway import apart, filing
from adapters.gateway.context import Gateway
from adapters.gateway.exports.shapes import labels, words_for
from adapters.gateway.handling_policy import Carrier, HandlingPolicy, load_policy
from adapters.gateway.sanitising import find_named
from adapters.gateway.spool import Transaction
from keys.digests import keyed_digest, sha256_b64u
from schemas.catalogue import Clear
from schemas.directory import DirectoryIndex
from schemas.identifiers import EnvelopeId, MailboxId, MessageType, agency_of, family_of

Grading = Mapping[str, Any]


class HandlingError(GatewayError):
    """What a draft may not do; a value until it is known whether the draft is urgent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A draft that may go, with safe defaults where it needed them, and what its mailbox is to be told of it.

    ``clear``: what its message, which has passed its schema, gives the header.
    """

    draft: Draft
    clear: Clear
    warnings: tuple[HandlingError, ...]


async def admit(gateway: Gateway, draft: Draft) -> Admitted:
    """Return *draft* as it may go.

    Raises:
        MalformedError: ``message-*``.
        HandlingError: ``draft-basis``, ``draft-purpose``, ``draft-consent``, ``draft-marks``, ``handling-ceiling``,
            ``handling-forbids``, ``source-named`` or ``distribution-overlaps``; never where the message is urgent.
    """
    gateway.catalogue.validate(draft.type, draft.message)
    clear = gateway.catalogue.clear(draft.type, draft.message)
    fixed, problems = check_codes(draft, load_policy())
    problems += await check_onward(gateway, fixed, clear)
    if problems and not clear.urgent:
        raise problems[0]
    return Admitted(draft=fixed, clear=clear, warnings=tuple(problems))


async def tell(gateway: Gateway, tx: Transaction, envelope: EnvelopeId, thread: str, admitted: Admitted) -> None:
    """Tell the draft's mailbox, in the transaction that keeps or seals it, what goes although it should not, or is still to do.

    Each thing once, however often the draft is looked at.
    """
    draft = admitted.draft
    about: dict[str, object] = {"envelope": envelope, "thread": thread, "type": draft.type}
    for problem in admitted.warnings:
        details = about | {"reason": problem.code, "message": problem.message, "hint": problem.hint}
        topic = f"handling:{envelope}:{problem.code}:{sha256_b64u(problem.message.encode())}"
        await gateway.tell(tx, "handling-warning", topic, mailbox=draft.from_, details=details)
    if draft.consent in load_policy().consents_to_remind:
        await gateway.tell(tx, "consent-reminder", f"consent:{envelope}", mailbox=draft.from_, details=about)


# ---- codes


def check_codes(draft: Draft, policy: HandlingPolicy) -> tuple[Draft, list[HandlingError]]:
    """Return *draft* with safe defaults in place of codes that are on no list, and what is wrong with those it had."""
    safe, problems, changes = policy.safe, list[HandlingError](), dict[str, Any]()
    known = tuple(code for code in draft.basis if code in labels("BasisCode"))
    if not draft.basis:
        problems.append(HandlingError("draft-basis", "`basis` is missing", f"use one of {_known('BasisCode')}"))
    elif len(known) < len(draft.basis):
        problems.append(
            HandlingError("draft-basis", "`basis` has a code that is on no list", f"use one of {_known('BasisCode')}")
        )
    if problems:
        changes["basis"] = known or safe.basis
    if draft.purpose not in labels("PurposeCode"):
        problems.append(
            HandlingError(
                "draft-purpose", "`purpose` is a code that is on no list", f"use one of {_known('PurposeCode')}"
            )
        )
        changes["purpose"] = safe.purpose
    if draft.consent not in labels("Consent"):
        problems.append(
            HandlingError("draft-consent", "`consent` is a code that is on no list", f"use one of {_known('Consent')}")
        )
        changes["consent"] = safe.consent
    if any(mark not in labels("HandlingMark") for mark in draft.marks):
        problems.append(
            HandlingError(
                "draft-marks", "`marks` has a code that is on no list", f"use one of {_known('HandlingMark')}"
            )
        )
        known = tuple(mark for mark in draft.marks if mark in labels("HandlingMark"))
        changes["marks"] = tuple(sorted({*known, *safe.marks}))
    return msgspec.structs.replace(draft, **changes), problems


def _known(name: str) -> str:
    return ", ".join(labels(name))


# ---- what is carried from others


async def note_items(
    tx: Transaction, gateway: Gateway, kind: MessageType, envelope: EnvelopeId, message: Mapping[str, Any]
) -> None:
    """Note in the transaction that keeps a delivery which items it holds, so that a draft's references find it."""
    for carrier in load_policy().carriers.get(kind, ()):
        for _, element in carrier.elements(message):
            for ref in carrier.refs_in(element):
                await tx.run("add_item", ref=_item(gateway, ref), envelope=envelope)
    await apart.note_record(tx, gateway, kind, envelope, message)


def _item(gateway: Gateway, ref: str) -> str:
    # What is inside sealed content is not in clear in the spool either.
    return keyed_digest(gateway.keyring.record_key, f"item {ref}")


async def check_onward(gateway: Gateway, draft: Draft, clear: Clear) -> list[HandlingError]:
    """Return what *draft*, whose message is valid and gives *clear*, may not hand on, to whom it goes, or whom it names."""
    policy = load_policy()
    schema = gateway.catalogue.schema(draft.type)
    parties = clear.parties
    to = tuple(box for box in draft.to or parties if box != draft.from_)
    try:
        known = gateway.partnership.books.index
        index: DirectoryIndex | None = known
        # Who answers for a recipient that has ended has it instead.
        to = tuple(known.resolve(box, gateway.clock(), split=draft.split).mailbox or box for box in to)
    except NotYetError:
        index = None  # it is looked at again when it is sealed
    onward = _Onward(draft=draft, to=to, parties=parties, index=index, policy=policy)
    problems = list(onward.check_ceilings(clear.facts.get("variant", "")))
    if draft.re is not None:
        for source in await _read(gateway, draft.re):
            problems += onward.check_marks("The message that it answers", source)
    for carrier in policy.carriers.get(draft.type, ()):
        for path, element in carrier.elements(draft.message):
            sources = [one for ref in carrier.refs_in(element) for one in await _find_sources(gateway, ref)]
            problems += onward.check_element(words_for(schema, path), carrier, element, sources)
    for path in await find_named(gateway, draft, policy):
        problems.append(
            HandlingError(
                "source-named", f"{words_for(schema, path)} shows a source that is known here",
                "take out what shows where it comes from",
            )
        )  # fmt: skip
    if both := await apart.count_both(gateway, draft, to, policy):
        problems.append(
            HandlingError(
                "distribution-overlaps", f"{both} of its recipients would have the record from which it is kept apart",
                "give each of the two children's records recipients of its own",
            )
        )  # fmt: skip
    return problems


async def _find_sources(gateway: Gateway, ref: str) -> list[Incoming]:
    rows = await gateway.spool.all("envelopes_with", ref=_item(gateway, ref))
    return [one for row in rows for one in await _read(gateway, row["envelope"])]


async def _read(gateway: Gateway, envelope: EnvelopeId) -> list[Incoming]:
    """Return the message *envelope* as it came, if its content is still here; in any one of the agency's mailboxes."""
    rows = await gateway.spool.all("find_for_any", envelope=envelope)
    return [filing.read_content(gateway, row) for row in rows if row["content"] is not None][:1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Onward:
    """One draft on its way to somebody: what may not go there."""

    draft: Draft
    to: tuple[MailboxId, ...]
    parties: tuple[MailboxId, ...]
    index: DirectoryIndex | None
    policy: HandlingPolicy

    @property
    def agency(self) -> str:
        """Return who sends."""
        return agency_of(self.draft.from_)

    def check_ceilings(self, variant: str) -> Iterator[HandlingError]:
        """Hold the draft, which is *variant* of a record, to how much of it each recipient may have."""
        held = {role for box in self.to for role in self.index.roles_of(box)} if self.index else set[str]()
        for role, families in self.policy.ceilings.items():
            ceiling = families.get(family_of(self.draft.type))
            if role not in held or ceiling is None:
                continue
            if variant not in ceiling.variants or not set(ceiling.marks).issubset(self.draft.marks):
                allowed = " or ".join(ceiling.variants)
                allowed += f", marked {', '.join(ceiling.marks)}" if ceiling.marks else ""
                yield HandlingError(
                    "handling-ceiling", f"a recipient with the role `{role}` may not have this much of the record",
                    f"send it in an envelope of its own, as {allowed}",
                )  # fmt: skip

    def check_marks(self, where: str, source: Incoming) -> list[HandlingError]:
        """Hold the draft to the marks of a message that it draws on: only who had that may have this."""
        had = {source.sender, *source.recipients}
        bound = not set(self.policy.onward_marks).isdisjoint(source.marks)
        if not bound or had.issuperset(self.to):
            return []
        return [
            _forbids(where, "comes from a message that may not go on to others", "send it to those who had that one")
        ]

    def check_element(
        self, where: str, carrier: Carrier, element: Mapping[str, Any], sources: Sequence[Incoming]
    ) -> list[HandlingError]:
        """Hold one section to its own marks, to those of its sources, and to its grading and theirs."""
        problems = [problem for source in sources for problem in self.check_marks(where, source)]
        origin, marks = element.get(carrier.origin), element.get(carrier.marks, ())
        if origin is not None and agency_of(origin) != self.agency:
            outside = [box for box in self.to if box not in self.parties and agency_of(box) != agency_of(origin)]
            if outside and not set(self.policy.onward_marks).isdisjoint(marks):
                problems.append(
                    _forbids(
                        where,
                        "is another agency's, marked against copying onward",
                        "send it back to its originator only",
                    )
                )
        return problems + list(self._check_grading(where, carrier, element, sources))

    def _check_grading(
        self, where: str, carrier: Carrier, element: Mapping[str, Any], sources: Sequence[Incoming]
    ) -> Iterator[HandlingError]:
        given = carrier.grading_of(element)
        refs = set(carrier.refs_in(element))
        held = [
            (source, grading)
            for source in sources
            for one in self.policy.carriers.get(source.type, ())
            for _, part in one.elements(source.message)
            if not refs.isdisjoint(one.refs_in(part)) and (grading := one.grading_of(part)) is not None
        ]
        for _, grading in held:
            if given is not None and (wrong := _differs(given, grading)):
                yield _forbids(where, wrong, "repeat scheme, handling code and conditions as they came")
        is_grader = self.index is None or not set(self.policy.graders).isdisjoint(self.index.roles_of(self.draft.from_))
        if given is not None and not is_grader and all(_grade(given) != _grade(grading) for _, grading in held):
            yield _forbids(where, "has a grading, which only police set", "have police send it")
        binding = [(agency_of(source.sender), grading) for source, grading in held]
        if given is not None and not binding:
            binding = [(self.agency, given)]
        for originator, grading in binding:
            yield from self._check_code(where, originator, grading)

    def _check_code(self, where: str, originator: str, grading: Grading) -> Iterator[HandlingError]:
        rule = self.policy.codes.get(grading["grade_scheme"], {}).get(grading["handling_code"])
        inside = all(agency_of(box) == originator for box in self.to)
        if rule == "originating_agency" and not inside:
            yield _forbids(where, "is for its originating agency only", "send it back to its originator only")
        elif rule == "refer" and not inside and self.agency != originator:
            yield _forbids(where, "may go on only by its originator", "ask the originator to send it")
        elif rule == "conditions" and self.index is not None:
            for condition in grading.get("handling_conditions", ()):
                roles = self.policy.conditions.get(condition)
                if roles is not None and any(self.index.roles_of(box).isdisjoint(roles) for box in self.to):
                    yield _forbids(
                        where, "has a condition that a recipient is outside of", "send it without that recipient"
                    )


def _forbids(where: str, what: str, hint: str) -> HandlingError:
    return HandlingError("handling-forbids", f"{where} may not go on: it {what}", f"{hint}, or leave it out")


def _grade(grading: Grading) -> tuple[str, str | None, str]:
    return grading["grade_scheme"], grading.get("grade"), grading["handling_code"]


def _differs(given: Grading, held: Grading) -> str | None:
    """Return what of a grading was not handed on as it came."""
    if given["grade_scheme"] != held["grade_scheme"]:
        return "was graded in another scheme, and schemes are never converted"
    if given["handling_code"] != held["handling_code"]:
        return "came with another handling code"
    if not set(given.get("handling_conditions", ())).issuperset(held.get("handling_conditions", ())):
        return "came with conditions that are not repeated"
    return None
