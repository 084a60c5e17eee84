"""An agreement told back in plain English, so that those who sign it can see whether it says what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from schemas.agreement import Agreement, Calendar, ReceiptRule, Rule, Rung, SendRule, Terms
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
    others = say_list(map(say_who, agreement.waived_by), "or") if agreement.waived_by else "nobody else"
    reasons = say_list((code.replace("_", " ") for code in agreement.waiver_reasons or ("any coded reason",)), "or")
    yield f"A duty is waived by its creditor, two people signing, or by {others}; because of {reasons}."
    for family, terms in agreement.types.items():
        yield ""
        yield from _terms(family, terms)


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
        yield f"  {rule.name}" + (f" ({rule.because})" if rule.because else "")
        yield f"    {_condition(rule)}{_duty(rule)}{_since(rule)}."
        if isinstance(rule, SendRule) and rule.lapses:
            yield "    No answer by then is recorded as a lapse, not as agreement and not as overdue."
        if rule.tell:
            yield f"    Told at once: {say_list(map(say_who, rule.tell))}."
        for rung in rule.warn:
            yield f"    {say_span(rung.span)} before: a warning to {say_list(map(say_who, rung.to))}."
        yield from _ladder(rule)


def _condition(rule: Rule) -> str:
    if rule.when is None:
        return ""
    parts = [f"{fact} is {say_list(codes, 'or')}" for fact, codes in rule.when.facts.items()]
    if rule.when.urgent is not None:
        parts.append("it is urgent" if rule.when.urgent else "it is not urgent")
    if rule.when.sender:
        parts.append(f"the sender is {say_list(map(say_who, rule.when.sender), 'or')}")
    return f"When {say_list(parts)}: " if parts else ""


def _duty(rule: SendRule | ReceiptRule) -> str:
    if isinstance(rule, ReceiptRule):
        return f"each recipient takes receipt ({say_list(rule.levels, 'or')}) {say_clock(rule.within)}"
    variants = f" (variant {say_list(rule.variants, 'or')})" if rule.variants else ""
    what = f"{say_list(rule.types, 'or')}{variants}"
    each = _EACH[rule.per]
    return f"{say_who(rule.by)} sends {what} to {say_list(map(say_who, rule.to))}{each}, {say_clock(rule.within)}"


def _since(rule: Rule) -> str:
    word, _, code = rule.since.partition(":")
    after = {"at": "the event", "accepted": "the hub's acceptance"}.get(word, f"the moment `{code}`")
    if rule.within.kind == "item":
        return ""
    if rule.within.kind == "moment":
        spare = f"{say_clock(rule.otherwise)} of {after}" if rule.otherwise else "at once"
        return f", or where it names none {spare}"
    return f" of {after}"


def _ladder(rule: Rule) -> Iterator[str]:
    if not rule.ladder and not (isinstance(rule, SendRule) and rule.lapses):
        yield "    If late, at once: whoever owes it and whoever is owed it."
    for rung in rule.ladder:
        yield f"    If late, {_after(rung)}: {say_list(map(say_who, rung.to))}."


def _after(rung: Rung) -> str:
    return f"after {say_span(rung.span)}" if rung.span.amount else "at once"
