"""Whether an agreement can do what it says: names that exist, dates in order, duties that somebody can meet.

The directory isn't at hand here.  Where a type names single mailboxes, whose roles only the directory knows, a rule
gets the benefit of the doubt.

Source: design 6; domain 3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from schemas.agreement import Agreement, Calendar, Clock, Rule, SendRule, Terms
from schemas.identifiers import is_mailbox
from schemas.rules.clocks import day_of
from schemas.rules.selectors import NAMED, PLAIN, TARGETS
from schemas.strict_json import MalformedError

EVERYONE: Final = "*"
# Ten years, so that no envelope can make the engine count days for long.
_MOST: Final = {"working_days": 2_600, "days": 3_660, "weeks": 520, "months": 120}
_BY_CALENDAR: Final = frozenset({"before_day", *_MOST})


def check_sound(agreement: Agreement) -> None:
    """Return if *agreement* is sound.

    Raises:
        MalformedError: ``agreement-date`` (a date that isn't one, or out of order), ``agreement-calendar``,
            ``agreement-clock``, ``agreement-retention``, ``agreement-role``, ``agreement-selector``,
            ``agreement-target`` (a ladder tells nobody there can be), ``agreement-type`` (a rule awaits a type that
            isn't agreed), ``agreement-never`` (a debtor may never send it, or a creditor never receive it),
            ``agreement-rule-twice``, ``agreement-rule-differs`` (one name, two duties) or ``agreement-lapse``.
    """
    for name, calendar in agreement.calendars.items():
        _check_calendar(name, calendar)
    for label, kept in agreement.retention.items():
        if kept.max_days < kept.days_after_cleared:
            raise MalformedError(
                "agreement-retention", f"retention `{label}` deletes before its days after clearing", "raise `max_days`"
            )
    for role in agreement.waived_by:
        if role not in agreement.roles:
            raise MalformedError(
                "agreement-role", f"`waived_by` names `{role}`, which is not in `roles`", "add it there"
            )
    known: dict[str, SendRule] = {}
    for family, terms in agreement.types.items():
        _check_terms(agreement, family, terms)
        for rule in terms.opens:
            first = known.setdefault(rule.name, rule)
            if (first.types, first.variants, first.per) != (rule.types, rule.variants, rule.per):
                raise MalformedError(
                    "agreement-rule-differs",
                    f"`{family}`: rule `{rule.name}` awaits something else than the rule of that name elsewhere",
                    "one name is one duty, whoever registers it: give this rule a name of its own",
                )


def _check_calendar(name: str, calendar: Calendar) -> None:
    try:
        first, last, closed = day_of(calendar.first), day_of(calendar.last), [day_of(day) for day in calendar.closed]
    except ValueError as error:
        raise MalformedError(
            "agreement-date", f"calendar `{name}` names a date that does not exist", "correct it"
        ) from error
    if not _ascends([first, *closed, last], strict=False) or not _ascends(closed):
        raise MalformedError(
            "agreement-date",
            f"the dates of calendar `{name}` are out of order",
            "list them once each, within its years",
        )
    if not _ascends([start for start, _ in calendar.offsets]):
        raise MalformedError(
            "agreement-date", f"the clock changes of calendar `{name}` are out of order", "list them in order"
        )
    if calendar.day_starts >= calendar.day_ends:
        raise MalformedError(
            "agreement-date", f"calendar `{name}` ends its day before it starts", "correct `day_starts` or `day_ends`"
        )


def _ascends(values: Sequence[int], *, strict: bool = True) -> bool:
    return all(a < b if strict else a <= b for a, b in pairwise(values))


def _check_terms(agreement: Agreement, family: str, terms: Terms) -> None:
    for name in (*terms.senders, *terms.recipients):
        if name != EVERYONE and not is_mailbox(name):
            _check_role(agreement, family, name)
    for label in terms.retention:
        if label not in agreement.retention:
            raise MalformedError(
                "agreement-retention",
                f"`{family}` names retention `{label}`, which is not agreed",
                "add it, or correct it",
            )
    rules: tuple[Rule, ...] = (*terms.opens, *terms.receipts)
    names = [rule.name for rule in rules]
    if len(set(names)) != len(names):
        raise MalformedError("agreement-rule-twice", f"`{family}` has two rules of one name", "give each its own")
    for rule in rules:
        where = f"`{family}`: rule `{rule.name}`"
        _check_rule(agreement, where, rule)
        if isinstance(rule, SendRule):
            _check_send(agreement, where, terms, rule)


def _check_role(agreement: Agreement, where: str, role: str) -> None:
    if role not in agreement.roles:
        raise MalformedError(
            "agreement-role",
            f"{where} names role `{role}`, which is not among the agreed roles",
            "add it, or correct it",
        )


def _check_rule(agreement: Agreement, where: str, rule: Rule) -> None:
    for role in rule.when.sender if rule.when else ():
        _check_role(agreement, where, role)
    word, separator, code = rule.since.partition(":")
    if word not in {"at", "accepted", "moment"} or bool(separator and code) != (word == "moment"):
        raise MalformedError(
            "agreement-clock", f"{where} counts since `{rule.since}`", "say `at`, `accepted` or `moment:<code>`"
        )
    fixed = {"moment", "item"} if isinstance(rule, SendRule) else {"moment"}
    _check_clock(agreement, where, rule.within, fixed)
    if rule.otherwise is not None:
        if rule.within.kind != "moment":
            raise MalformedError(
                "agreement-clock", f"{where} has an `otherwise` beside a limit that always holds", "leave it out"
            )
        _check_clock(agreement, where, rule.otherwise, set())
    for rung in (*rule.warn, *rule.ladder):
        if rung.span.kind not in {"elapsed", "working_days"}:
            raise MalformedError(
                "agreement-clock", f"{where} warns or climbs by `{rung.span.kind}`", "use elapsed time or working days"
            )
        _check_clock(agreement, where, rung.span, set())
    if any(not rung.span.amount for rung in rule.warn):
        raise MalformedError("agreement-clock", f"{where} warns at the due moment itself", "warn before it")
    for target in (*rule.tell, *(target for rung in (*rule.warn, *rule.ladder) for target in rung.to)):
        _check_target(agreement, where, target)


def _check_clock(agreement: Agreement, where: str, clock: Clock, fixed: set[str]) -> None:
    if clock.kind in {"moment", "item"} and clock.kind not in fixed:
        raise MalformedError(
            "agreement-clock", f"{where} has no `{clock.kind}` to go by here", "give it a limit of its own"
        )
    if (clock.kind == "moment") != (clock.code is not None):
        raise MalformedError(
            "agreement-clock", f"{where} names a moment where it can't, or none where it must", "say `moment:<code>`"
        )
    if (clock.kind in _BY_CALENDAR) != (clock.calendar is not None):
        raise MalformedError(
            "agreement-clock",
            f"{where} counts days without a calendar, or time with one",
            "name the calendar of its days",
        )
    if clock.calendar is not None and clock.calendar not in agreement.calendars:
        raise MalformedError(
            "agreement-calendar",
            f"{where} counts by calendar `{clock.calendar}`, which is absent",
            "add it, or correct it",
        )
    if clock.amount > _MOST.get(clock.kind, clock.amount):
        raise MalformedError("agreement-clock", f"{where} waits longer than ten years", "shorten it")


def _check_target(agreement: Agreement, where: str, target: str) -> None:
    word, _, name = target.partition(":")
    if target in TARGETS or (word == "mailbox" and is_mailbox(name)):
        return
    if word != "role":
        raise MalformedError(
            "agreement-target",
            f"{where} tells `{target}`, which nobody can be",
            "say a party's mailbox, post, or a role",
        )
    if name not in agreement.roles:
        raise MalformedError(
            "agreement-target",
            f"{where} tells role `{name}`, which is not among the agreed roles",
            "add it, or correct it",
        )


def _check_send(agreement: Agreement, where: str, terms: Terms, rule: SendRule) -> None:
    if rule.lapses and rule.ladder:
        raise MalformedError(
            "agreement-lapse", f"{where} lapses and yet has a ladder", "a window that lapses is never overdue: drop one"
        )
    for selector in (rule.by, *rule.to):
        word, separator, name = selector.partition(":")
        plain, named = selector in PLAIN, word in NAMED and separator and name
        if not plain and (not named or (word == "mailbox" and not is_mailbox(name))):
            raise MalformedError(
                "agreement-selector", f"{where} means `{selector}`", "see the list of selectors in docs/agreement.md"
            )
        if named and word != "mailbox":
            _check_role(agreement, where, name)
    for family in rule.types:
        if family not in agreement.types:
            raise MalformedError(
                "agreement-type", f"{where} awaits `{family}`, which is not agreed", "add the type, or correct it"
            )
        awaited = agreement.types[family]
        for selector, may, does in (
            (rule.by, awaited.senders, "send"),
            *((selector, awaited.recipients, "receive") for selector in rule.to),
        ):
            if not _can(_names(selector, terms), may):
                raise MalformedError(
                    "agreement-never",
                    f"{where}: `{selector}` may never {does} `{family}`",
                    f"let it {does} it, or correct it",
                )


def _names(selector: str, terms: Terms) -> tuple[str, ...]:
    """The roles and mailboxes of which one at least is meant by *selector*, as far as can be known."""
    word, _, name = selector.partition(":")
    return {"sender": terms.senders, "recipients": terms.recipients}.get(word, (name or EVERYONE,))


def _can(names: Iterable[str], may: Iterable[str]) -> bool:
    return any(a == b or EVERYONE in (a, b) or _is_doubtful(a, b) for a in names for b in may)


def _is_doubtful(a: str, b: str) -> bool:
    return is_mailbox(a) != is_mailbox(b)
