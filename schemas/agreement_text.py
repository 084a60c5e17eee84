"""The sharing agreement as people write it: TOML in the procedures' words, compiled to what is signed.

Holidays and clock changes are looked up here, once, when an agreement is made; nothing looks them up afterwards.

Source: design 6 (time limits in words); domain 4.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec

from schemas.agreement import (
    Agreement,
    Answer,
    Calendar,
    Ending,
    Pattern,
    ReceiptRule,
    Recurring,
    Rehoming,
    Rung,
    Seen,
    SendRule,
    Terms,
    When,
    parse_agreement,
)
from schemas.agreement_calendars import expand, find_zone
from schemas.agreement_tables import (
    AgreementTable,
    AlarmTable,
    AnswerTable,
    AwaitedTable,
    OpensTable,
    PatternTable,
    ReceiptTable,
    RecurringTable,
    RuleTable,
    SeenTable,
    TypeTable,
    WarningTable,
    WhenTable,
    Words,
)
from schemas.identifiers import MessageType, Moment, Sha256, family_of
from schemas.rules.duty import BOTH
from schemas.rules.explained import explain
from schemas.rules.recurring import thread_of
from schemas.rules.words import parse_clock, parse_span
from schemas.strict_json import MalformedError, dump

__all__ = ["compile_agreement", "explain"]


def compile_agreement(
    toml_text: str,
    *,
    version: int,
    previous: str | None,
    issued: Moment,
    schemas: Mapping[MessageType, Sha256] | None = None,
) -> Agreement:
    """Return the agreement that *toml_text* says, ready to be signed as version *version*.

    *previous* is the digest of the version before; *issued* the moment of issue, UTC milliseconds; *schemas* the
    digest of each message type's schema, which the officers sign with it.

    Raises:
        MalformedError: ``agreement-text`` (no TOML; a key unknown, missing or ill-typed), or as ``parse_agreement``.
    """
    try:
        text = msgspec.convert(tomllib.loads(toml_text), AgreementTable, strict=True)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise MalformedError("agreement-text", f"agreement: {error}", "see docs/agreement.md") from error
    compiler = _Compiler(text, version, schemas or {})
    agreement = Agreement(
        v=1,
        partnership=text.partnership,
        version=version,
        previous=previous,
        issued=issued,
        in_force_from=compiler.moment(text.in_force_from),
        roles=text.roles,
        calendars=compiler.calendars,
        retention=text.retention,
        types={family: compiler.terms(family, terms) for family, terms in text.types.items()},
        owner=text.owner,
        suppress_below=text.suppress_below,
        waived_by=text.waived_by,
        waiver_reasons=text.waiver_reasons,
        recurring=tuple(map(compiler.recurring, text.recurring)),
        patterns=tuple(map(compiler.pattern, text.patterns)),
    )
    return parse_agreement(dump(agreement))


def _words(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else words


def _facts(facts: Mapping[str, Words]) -> dict[str, tuple[str, ...]]:
    return {name: _words(codes) for name, codes in facts.items()}


class _Compiler:
    """One text on its way: the calendars that it names are at hand for every rule."""

    def __init__(self, text: AgreementTable, version: int, schemas: Mapping[MessageType, Sha256]) -> None:
        self.text, self.schemas = text, schemas
        self.calendars: dict[str, Calendar] = {
            name: expand(name, calendar, version) for name, calendar in text.calendars.items()
        }

    def moment(self, start: Any) -> Moment:
        """The moment, or the first of the date, in the zone of the agreement's own calendar where the text names none."""
        if not isinstance(start, date):
            raise MalformedError(
                "agreement-text", "agreement: `in_force_from` is no date", "say for example 2026-07-01"
            )
        if not isinstance(start, datetime):
            start = datetime.combine(start, time())
        if start.tzinfo is None:
            name = self.text.calendar or ""
            calendar = self.text.calendars.get(name)
            start = start.replace(tzinfo=find_zone(name, calendar.zone) if calendar else UTC)
        return int(start.timestamp() * 1000)

    def terms(self, family: str, text: TypeTable) -> Terms:
        return Terms(
            title=text.title,
            senders=_words(text.senders),
            recipients=_words(text.recipients),
            basis_classes=_words(text.basis_classes),  # type: ignore[arg-type]  # judged when it is parsed again
            retention=_words(text.retention),
            opens=tuple(map(self.send_rule, text.opens)),
            receipts=tuple(map(self.receipt_rule, text.receipts)),
            ends=tuple(
                Ending(because=one.because, when=_when(one.when), rules=_words(one.rules), about=one.about)
                for one in text.ends
            ),
            rehomes=tuple(
                Rehoming(
                    because=one.because,
                    when=_when(one.when),
                    giver=one.giver,
                    taker=one.taker,
                    rules=_words(one.rules),
                )
                for one in text.rehomes
            ),
            schemas={
                name.partition("/")[2]: digest for name, digest in self.schemas.items() if family_of(name) == family
            },
        )

    def send_rule(self, text: OpensTable) -> SendRule:
        return SendRule(
            **self.shared(text),
            **self.limits(text, text.send.within, text.send.otherwise),
            answers=_answers(text.name, text.send),
            every=bool(text.send.all),
            since=text.send.since,
            by=text.send.by,
            to=_words(text.send.to),
            per=text.send.per,
            lapses=text.lapses,
        )

    def receipt_rule(self, text: ReceiptTable) -> ReceiptRule:
        return ReceiptRule(
            **self.shared(text),
            **self.limits(text, text.within, text.otherwise),
            since=text.since,
            levels=_words(text.level),  # type: ignore[arg-type]  # judged when it is parsed again
        )

    def recurring(self, text: RecurringTable) -> Recurring:
        calendar = text.calendar or self.text.calendar or ""
        within = text.send.within
        if text.send.all:
            raise MalformedError(
                "agreement-text", f"agreement: recurring `{text.name}` awaits all of several", "make a rule for each"
            )
        return Recurring(
            **self.shared(text),
            answers=_answers(text.name, text.send),
            by=text.send.by,
            to=_words(text.send.to),
            thread=thread_of(text.name),
            calendar=calendar,
            starting=text.starting.isoformat(),
            period=parse_clock(text.every, working=calendar),
            within=parse_clock(within, working=calendar) if within is not None else None,
        )

    def pattern(self, text: PatternTable) -> Pattern:
        return Pattern(
            name=text.name,
            because=text.because,
            at=_words(text.at),
            on=_words(text.on),
            when=_when(text.when),
            seen=tuple(map(self.seen, text.seen)),
            unless=tuple(map(self.seen, text.unless)),
            send=text.send,
            to=_words(text.to),
            values=text.values,
            must_be_empty=text.must_be_empty,
        )

    def seen(self, text: SeenTable) -> Seen:
        return Seen(
            kind=text.kind,
            states=_words(text.states),
            facts=_facts(text.facts),
            overdue=text.overdue,
            least=text.least,
            within=parse_clock(text.within, working=self.text.calendar) if text.within is not None else None,
        )

    def limits(self, text: RuleTable, within: str, otherwise: str | None) -> dict[str, Any]:
        working = text.calendar or self.text.calendar
        return {
            "when": _when(text.when),
            "within": parse_clock(within, working=working),
            "otherwise": parse_clock(otherwise, working=working) if otherwise is not None else None,
            "effective_from": self.moment(text.effective_from) if text.effective_from else None,
            "effective_to": self.moment(text.effective_to) if text.effective_to else None,
        }

    def shared(self, text: AlarmTable) -> dict[str, Any]:
        working = text.calendar or self.text.calendar
        return {
            "name": text.name,
            "because": text.because,
            "owner": text.owner,
            "tell": _words(text.tell),
            "warn": tuple(_warning(warning, working) for warning in text.warn),
            "ladder": tuple(
                Rung(span=parse_span(rung.after, "", working=working), to=_words(rung.to)) for rung in text.ladder
            ),
            "waived_by": _words(text.waived_by),
            "waiver_reasons": _words(text.waiver_reasons),
        }


def _answers(rule: str, text: AwaitedTable) -> tuple[Answer, ...]:
    """Return the ways to meet a duty: of ``type``, of ``any``, or of ``all``, of which one alone is given."""
    if sum(map(bool, (text.type, text.any, text.all))) != 1:
        raise MalformedError(
            "agreement-text", f"agreement: rule `{rule}` awaits nothing, or in two ways", "give `type`, `any` or `all`"
        )
    if text.type:
        return (_answer(text, "debtor"),)
    if text.variants or text.facts or text.unless_owed:
        raise MalformedError(
            "agreement-text",
            f"agreement: rule `{rule}` narrows nothing by its facts",
            "say it in each of `any` or `all`",
        )
    return tuple(_answer(one, one.by) for one in text.any or text.all)


def _answer(text: AnswerTable | AwaitedTable, by: Any) -> Answer:
    variants = {"variant": _words(text.variants)} if text.variants else {}
    return Answer(
        types=_words(text.type), facts=_facts(text.facts) | variants, by=by, unless_owed=_words(text.unless_owed)
    )


def _warning(text: str | WarningTable, working: str | None) -> Rung:
    if isinstance(text, str):
        return Rung(span=parse_span(text, "before", working=working), to=BOTH)
    return Rung(span=parse_span(text.before, "", working=working), to=_words(text.to))


def _when(text: WhenTable | None) -> When | None:
    if text is None:
        return None
    facts: dict[str, tuple[str, ...]] = {}
    for name, value in text.items():
        if isinstance(value, bool) != (name == "urgent"):
            raise MalformedError(
                "agreement-text",
                f"agreement: `when` can't compare `{name}` so",
                "`urgent` is true or false, a fact is a code",
            )
        if not isinstance(value, bool):
            facts[name] = _words(value)
    urgent = text.get("urgent")
    named = {name: facts.pop(name, ()) for name in ("sender", "owed", "not_owed", "settles")}
    return When(facts=facts, urgent=urgent if isinstance(urgent, bool) else None, **named)
