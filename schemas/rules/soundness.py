"""Whether an agreement can do what it says: names that exist, dates in order, duties that somebody can meet.

The directory isn't at hand here.  Where a type names single mailboxes, whose roles only the directory knows, a rule
gets the benefit of the doubt.

Source: design 6; domain 3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from itertools import pairwise
from typing import Final

from schemas.agreement import Agreement, Alarm, Calendar, Clock, Rule, SendRule, Terms, When
from schemas.identifiers import is_mailbox
from schemas.rules.answerable import (
    EVERYONE,
    check_answers,
    check_loops,
    check_recurring_answers,
    check_role,
    check_selector,
)
from schemas.rules.clocks import day_of
from schemas.rules.recurring import thread_of
from schemas.rules.selectors import CREDITOR, TARGETS
from schemas.strict_json import MalformedError

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
            ``agreement-rule-twice``, ``agreement-rule-differs`` (one name, two duties), ``agreement-rule-unknown``,
            ``agreement-gate``, ``agreement-lapse`` or ``agreement-loop``.
    """
    for name, calendar in agreement.calendars.items():
        _check_calendar(name, calendar)
    for label, kept in agreement.retention.items():
        if kept.max_days < kept.days_after_cleared:
            raise MalformedError(
                "agreement-retention", f"retention `{label}` deletes before its days after clearing", "raise `max_days`"
            )
    _check_waivers(agreement, "the agreement", agreement.waived_by)
    known: dict[str, Rule] = {}
    for family, terms in agreement.types.items():
        _check_terms(agreement, family, terms)
        for rule in (*terms.opens, *terms.receipts):
            first = known.setdefault(rule.name, rule)
            if _told_of(first) != _told_of(rule):
                raise MalformedError(
                    "agreement-rule-differs",
                    f"`{family}`: rule `{rule.name}` is met or waived otherwise than the rule of that name elsewhere",
                    "one name is one duty, whoever registers it: give this rule a name of its own",
                )
    _check_recurring(agreement, known.keys())
    _check_patterns(agreement)
    _check_references(agreement)
    check_loops(agreement)


def _told_of(rule: Rule) -> tuple[object, ...]:
    met_by = (rule.answers, rule.every, rule.per) if isinstance(rule, SendRule) else ()
    return met_by, rule.waived_by, rule.waiver_reasons


def _check_waivers(agreement: Agreement, where: str, roles: Iterable[str]) -> None:
    for role in roles:
        if role not in agreement.roles:
            raise MalformedError(
                "agreement-role", f"{where}: `waived_by` names `{role}`, which is not in `roles`", "add it there"
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


def _check_type(agreement: Agreement, family: str, terms: Terms) -> None:
    for name in (*terms.senders, *terms.recipients):
        if name != EVERYONE and not is_mailbox(name):
            check_role(agreement, family, name)
    for label in terms.retention:
        if label not in agreement.retention:
            raise MalformedError(
                "agreement-retention",
                f"`{family}` names retention `{label}`, which is not agreed",
                "add it, or correct it",
            )


def _check_terms(agreement: Agreement, family: str, terms: Terms) -> None:
    _check_type(agreement, family, terms)
    rules: tuple[Rule, ...] = (*terms.opens, *terms.receipts)
    names = [rule.name for rule in rules]
    if len(set(names)) != len(names):
        raise MalformedError("agreement-rule-twice", f"`{family}` has two rules of one name", "give each its own")
    for rule in rules:
        _check_rule(agreement, f"`{family}`: rule `{rule.name}`", rule)
    for send in terms.opens:
        check_answers(agreement, f"`{family}`: rule `{send.name}`", terms, send)
    for ending in terms.ends:
        _check_when(agreement, f"`{family}`: ends", ending.when)
    for move in terms.rehomes:
        _check_when(agreement, f"`{family}`: rehomes", move.when)
        by_debt = move.giver == CREDITOR and move.when is not None and move.when.settles
        for selector in (move.taker,) if by_debt else (move.giver, move.taker):
            check_selector(agreement, f"`{family}`: rehomes", selector)


def _check_when(agreement: Agreement, where: str, when: When | None) -> None:
    for role in when.sender if when else ():
        check_role(agreement, where, role)


def _check_rule(agreement: Agreement, where: str, rule: Rule) -> None:
    _check_when(agreement, where, rule.when)
    if None not in (rule.effective_from, rule.effective_to) and rule.effective_from >= rule.effective_to:  # type: ignore[operator]
        raise MalformedError("agreement-date", f"{where} ends before it takes effect", "correct its dates")
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
    _check_alarm(agreement, where, rule)


def _check_alarm(agreement: Agreement, where: str, rule: Alarm) -> None:
    _check_waivers(agreement, where, rule.waived_by)
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


def _check_recurring(agreement: Agreement, known: Set[str]) -> None:
    names: set[str] = set()
    for rule in agreement.recurring:
        where = f"recurring `{rule.name}`"
        if rule.name in known or rule.name in names or rule.thread != thread_of(rule.name):
            raise MalformedError("agreement-rule-twice", f"{where} has the name of another rule", "give it its own")
        names.add(rule.name)
        _check_alarm(agreement, where, rule)
        if rule.period.kind not in {"days", "weeks", "months"} or not rule.period.amount:
            raise MalformedError("agreement-clock", f"{where} has no period", "say for example `1 month`")
        for clock in (rule.period, rule.within):
            if clock is not None:
                _check_clock(agreement, where, clock, set())
        if rule.calendar not in agreement.calendars:
            raise MalformedError("agreement-calendar", f"{where} has no calendar", "name one of the agreement's")
        try:
            day_of(rule.starting)
        except ValueError as error:
            raise MalformedError("agreement-date", f"{where} starts on no date", "correct it") from error
        check_recurring_answers(agreement, where, rule)


def _check_patterns(agreement: Agreement) -> None:
    names = [pattern.name for pattern in agreement.patterns]
    if len(set(names)) != len(names):
        raise MalformedError("agreement-rule-twice", "two patterns have one name", "give each its own")
    for pattern in agreement.patterns:
        where = f"pattern `{pattern.name}`"
        for role in pattern.at:
            check_role(agreement, where, role)
        _check_when(agreement, where, pattern.when)
        for family in (*pattern.on, *((pattern.send,) if pattern.send else ())):
            if family not in agreement.types:
                raise MalformedError("agreement-type", f"{where} names `{family}`, which is not agreed", "add the type")
        if (pattern.send is None) != (not pattern.to):
            raise MalformedError("agreement-target", f"{where} sends nothing, or to nobody", "give `send` and `to`")
        for target in pattern.to:
            check_selector(agreement, where, target)
        for seen in (*pattern.seen, *pattern.unless):
            if seen.within is not None:
                _check_clock(agreement, where, seen.within, set())


def _check_references(agreement: Agreement) -> None:
    """Every rule that another one speaks of is there, and no gate is held by the very duty that it guards."""
    named = [name for rule in agreement.recurring for answer in rule.answers for name in answer.unless_owed]
    named += [name for one in agreement.patterns if one.when for name in (*one.when.owed, *one.when.not_owed)]
    for terms in agreement.types.values():
        rules: tuple[Rule, ...] = (*terms.opens, *terms.receipts)
        whens = [
            *(rule.when for rule in rules),
            *(one.when for one in terms.ends),
            *(one.when for one in terms.rehomes),
        ]
        named += [name for when in whens if when for name in (*when.owed, *when.not_owed, *when.settles)]
        named += [name for one in terms.ends for name in one.rules]
        named += [name for move in terms.rehomes for name in move.rules]
        for rule in terms.opens:
            held = [name for answer in rule.answers for name in answer.unless_owed]
            named += held
            if rule.name in held:
                raise MalformedError(
                    "agreement-gate", f"rule `{rule.name}` can't be met while it is owed itself", "name other rules"
                )
    known = {
        rule.name for terms in agreement.types.values() for rules in (terms.opens, terms.receipts) for rule in rules
    }
    for name in named:
        if name not in known:
            raise MalformedError(
                "agreement-rule-unknown", f"there is no rule `{name}`, of which another one speaks", "correct the name"
            )
