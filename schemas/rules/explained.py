"""An agreement told back in plain English, so that those who sign it can see whether it says what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from schemas.agreement import (
    Agreement,
    Alarm,
    Answer,
    Calendar,
    Pattern,
    ReceiptRule,
    Recurring,
    Rule,
    Rung,
    Seen,
    SendRule,
    Terms,
    When,
)
from schemas.identifiers import Moment
from schemas.rules.words import say_clock, say_list, say_span, say_who

_EACH = {"thread": "", "envelope": ", once for each such envelope", "re": ", once for each envelope it is about"}
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def explain(agreement: Agreement) -> str:
    """Return *agreement* as text for people, one block for each type."""
    return "\n".join(_lines(agreement)) + "\n"


def _lines(agreement: Agreement) -> Iterator[str]:
    yield f"Sharing agreement of {agreement.partnership}, version {agreement.version}"
    yield f"In force from {_date(agreement.in_force_from)}; issued {_date(agreement.issued)}."
    for name, calendar in agreement.calendars.items():
        yield ""
        yield from _calendar(name, calendar)
    yield ""
    for label, kept in agreement.retention.items():
        yield (
            f"Retention `{label}`: the hub deletes a sealed body when everyone has taken receipt of it and "
            f"{kept.days_after_cleared} more days have passed, and at the latest after {kept.max_days} days."
        )
    if agreement.owner:
        yield f"Its numbers are the {agreement.owner}'s to change, unless a rule says otherwise."
    others = say_list(map(say_who, agreement.waived_by), "or") if agreement.waived_by else "nobody else"
    reasons = say_list((code.replace("_", " ") for code in agreement.waiver_reasons or ("any coded reason",)), "or")
    yield f"A duty is waived by its creditor, two people signing, or by {others}; because of {reasons}."
    for family, terms in agreement.types.items():
        yield ""
        yield from _terms(family, terms)
    for rule in agreement.recurring:
        yield ""
        yield from _recurring(rule)
    for pattern in agreement.patterns:
        yield ""
        yield from _pattern(pattern)


def _recurring(rule: Recurring) -> Iterator[str]:
    yield f"Every {say_span(rule.period)} from {rule.starting}: {rule.name}" + _because(rule.because)
    limit = f"{say_clock(rule.within)} of its beginning" if rule.within else "before the period ends"
    what = _answers(rule.answers, every=False)
    yield f"  {say_who(rule.by)} sends {what} to {say_list(map(say_who, rule.to))}, {limit}."
    yield from ("  " + line.strip() for line in _alarm(rule, lapses=False))


def _pattern(pattern: Pattern) -> Iterator[str]:
    yield f"In the register of {say_list(map(say_who, pattern.at), 'or')}: {pattern.name}" + _because(pattern.because)
    start = (
        f"When {say_list(pattern.on, 'or')} concerns a child, " if pattern.on else "Whenever a child's entries change, "
    )
    yield f"  {start}{_condition(pattern.when).lower()}look for {say_list(map(_seen, pattern.seen))}."
    if pattern.unless:
        yield f"  Not if there is {say_list(map(_seen, pattern.unless), 'or')}."
    if pattern.send:
        says = "".join(f", {pointer[1:]} {value}" for pointer, value in pattern.values.items())
        yield f"  It becomes {pattern.send} to {say_list(map(say_who, pattern.to))}{says}."
    else:
        yield "  People of the agency are told."
    if pattern.must_be_empty:
        yield "  Nobody may be on this list."


def _seen(seen: Seen) -> str:
    words = [f"{seen.least} or more entries" if seen.least > 1 else "an entry", f"of kind {seen.kind}"]
    if seen.states:
        words.append(f"that is {say_list(seen.states, 'or')}")
    words += [f"with {fact} {say_list(codes, 'or')}" for fact, codes in seen.facts.items()]
    if seen.overdue:
        words.append("past its own date")
    if seen.within:
        words.append(f"of the last {say_span(seen.within)}")
    return " ".join(words)


def _because(because: str) -> str:
    return f" ({because})" if because else ""


def _date(at: Moment) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _wall(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _calendar(name: str, calendar: Calendar) -> Iterator[str]:
    off = say_list(_WEEKDAYS[day - 1] for day in calendar.weekend) if calendar.weekend else "no weekday"
    yield f"Calendar `{name}` ({calendar.zone}), written out from {calendar.first} to {calendar.last}:"
    hours = f"{_wall(calendar.day_starts)} to {_wall(calendar.day_ends)}"
    yield f"  Closed on {off} and on {len(calendar.closed)} other dates; open {hours}."
    if calendar.after_hours == "next_day":
        yield "  What happens outside these hours counts as the next open day's."
    else:
        yield "  The day on which something happens is day 0, whatever the hour."


def _terms(family: str, terms: Terms) -> Iterator[str]:
    yield f"{family}: {terms.title}" if terms.title else family
    yield f"  From {say_list(map(say_who, terms.senders), 'or')}."
    yield f"  To {say_list(map(say_who, terms.recipients), 'or')}."
    bases = say_list((basis.replace("_", " ") for basis in terms.basis_classes), "or")
    yield f"  On the basis of {bases}; kept as {say_list(terms.retention, 'or')}."
    rules: tuple[SendRule | ReceiptRule, ...] = (*terms.opens, *terms.receipts)
    for rule in rules:
        yield f"  {rule.name}" + _because(rule.because)
        yield f"    {_condition(rule.when)}{_duty(rule)}{_since(rule)}."
        if rule.effective_from is not None:
            yield f"    For what happens from {_date(rule.effective_from)}."
        if rule.effective_to is not None:
            yield f"    For what happens before {_date(rule.effective_to)}."
        lapses = isinstance(rule, SendRule) and rule.lapses
        if lapses:
            yield "    No answer by then is recorded as a lapse, not as agreement and not as overdue."
        yield from _alarm(rule, lapses=lapses)
    for ending in terms.ends:
        about = " about what it names" if ending.about else ""
        yield f"  {_condition(ending.when)}it ends what its sender owes or is owed by {say_list(ending.rules)}{about}."
    for move in terms.rehomes:
        which = f" by {say_list(move.rules)}" if move.rules else ""
        yield (
            f"  {_condition(move.when)}what {say_who(move.giver)} owes and is owed{which} in the thread "
            f"goes over to {say_who(move.taker)}."
        )


def _alarm(rule: Alarm, *, lapses: bool) -> Iterator[str]:
    if rule.owner:
        yield f"    The {rule.owner} may change it."
    if rule.waived_by or rule.waiver_reasons:
        who = say_list(map(say_who, rule.waived_by), "or") if rule.waived_by else "those who may waive"
        codes = [code.replace("_", " ") for code in rule.waiver_reasons]
        yield f"    Waived by {who}" + (f"; because of {say_list(codes, 'or')}." if codes else ".")
    if rule.tell:
        yield f"    Told at once: {say_list(map(say_who, rule.tell))}."
    for rung in rule.warn:
        yield f"    {say_span(rung.span)} before: a warning to {say_list(map(say_who, rung.to))}."
    if not rule.ladder and not lapses:
        yield "    If late, at once: whoever owes it and whoever is owed it."
    for rung in rule.ladder:
        yield f"    If late, {_after(rung)}: {say_list(map(say_who, rung.to))}."


def _condition(when: When | None) -> str:
    if when is None:
        return ""
    parts = [f"{fact} is {say_list(codes, 'or')}" for fact, codes in when.facts.items()]
    if when.urgent is not None:
        parts.append("it is urgent" if when.urgent else "it is not urgent")
    if when.sender:
        parts.append(f"the sender is {say_list(map(say_who, when.sender), 'or')}")
    if when.owed:
        parts.append(f"something is still owed by {say_list(when.owed, 'or')}")
    if when.not_owed:
        parts.append(f"nothing is owed by {say_list(when.not_owed, 'or')}")
    if when.settles:
        parts.append(f"it meets {say_list(when.settles, 'or')}")
    return f"When {say_list(parts)}: " if parts else ""


def _duty(rule: SendRule | ReceiptRule) -> str:
    if isinstance(rule, ReceiptRule):
        return f"each recipient takes receipt ({say_list(rule.levels, 'or')}) {say_clock(rule.within)}"
    what, each = _answers(rule.answers, every=rule.every), _EACH[rule.per]
    return f"{say_who(rule.by)} sends {what} to {say_list(map(say_who, rule.to))}{each}, {say_clock(rule.within)}"


def _answers(answers: Iterable[Answer], *, every: bool) -> str:
    return say_list(map(_answer, answers), "and" if every else "or")


def _answer(answer: Answer) -> str:
    parts = [
        f"variant {say_list(codes, 'or')}" if fact == "variant" else f"{fact} {say_list(codes, 'or')}"
        for fact, codes in answer.facts.items()
    ]
    if answer.by == "creditor":
        parts.append("sent by whoever is owed it")
    if answer.unless_owed:
        parts.append(f"once nothing is owed by {say_list(answer.unless_owed, 'or')}")
    return say_list(answer.types, "or") + (f" ({', '.join(parts)})" if parts else "")


def _since(rule: Rule) -> str:
    word, _, code = rule.since.partition(":")
    after = {"at": "the event", "accepted": "the hub's acceptance"}.get(word, f"the moment `{code}`")
    if rule.within.kind == "item":
        return ""
    if rule.within.kind == "moment":
        spare = f"{say_clock(rule.otherwise)} of {after}" if rule.otherwise else "at once"
        return f", or where it names none {spare}"
    return f" of {after}"


def _after(rung: Rung) -> str:
    return f"after {say_span(rung.span)}" if rung.span.amount else "at once"
