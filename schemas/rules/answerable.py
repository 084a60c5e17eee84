"""Whether the duties of an agreement can be met at all: by somebody who may send what is awaited, and once and for all.

The directory isn't at hand here.  Where a type names single mailboxes, whose roles only the directory knows, a rule
gets the benefit of the doubt.

Source: design 6; domain 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from schemas.agreement import Agreement, Answer, Clock, Recurring, SendRule, Terms
from schemas.identifiers import is_mailbox
from schemas.rules.clocks import DAY
from schemas.rules.selectors import NAMED, PLAIN, split_unnamed
from schemas.strict_json import MalformedError

EVERYONE: Final = "*"


def check_role(agreement: Agreement, where: str, role: str) -> None:
    """Return if *role* is agreed; raises MalformedError ``agreement-role``."""
    if role not in agreement.roles:
        raise MalformedError(
            "agreement-role",
            f"{where} names role `{role}`, which is not among the agreed roles",
            "add it, or correct it",
        )


def check_selector(agreement: Agreement, where: str, selector: str) -> None:
    """Return if *selector* can mean somebody; raises MalformedError ``agreement-selector`` or ``agreement-role``."""
    word, separator, name = selector.partition(":")
    plain, named = selector in PLAIN, word in NAMED and separator and name
    if not plain and (not named or (word == "mailbox" and not is_mailbox(name))):
        raise MalformedError(
            "agreement-selector", f"{where} means `{selector}`", "see the list of selectors in docs/agreement.md"
        )
    if named and word != "mailbox":
        for role in split_unnamed(name) if word == "unnamed" else (name,):
            check_role(agreement, where, role)


def check_answers(agreement: Agreement, where: str, terms: Terms, rule: SendRule) -> None:
    """Return if every answer that *rule* of *terms* awaits may be sent by the one party and received by the other.

    Raises:
        MalformedError: ``agreement-lapse``, ``agreement-selector``, ``agreement-role``, ``agreement-type`` or
            ``agreement-never``.
    """
    if rule.lapses and rule.ladder:
        raise MalformedError(
            "agreement-lapse", f"{where} lapses and yet has a ladder", "a window that lapses is never overdue: drop one"
        )
    for selector in (rule.by, *rule.to):
        check_selector(agreement, where, selector)
    _check_able(agreement, where, rule, terms)


def check_recurring_answers(agreement: Agreement, where: str, rule: Recurring) -> None:
    """Return if *rule* speaks of roles or mailboxes that may send each other what it awaits; raises as above."""
    for selector in (rule.by, *rule.to):
        check_selector(agreement, where, selector)
        if not selector.startswith(("role:", "mailbox:")):
            raise MalformedError(
                "agreement-selector",
                f"{where} means `{selector}`, and no envelope opens it",
                "say `role:` or `mailbox:`",
            )
    _check_able(agreement, where, rule, None)


def _check_able(agreement: Agreement, where: str, rule: SendRule | Recurring, terms: Terms | None) -> None:
    for answer in rule.answers:
        givers, takers = ((rule.by,), rule.to) if answer.by == "debtor" else (rule.to, (rule.by,))
        for family in answer.types:
            if family not in agreement.types:
                raise MalformedError(
                    "agreement-type", f"{where} awaits `{family}`, which is not agreed", "add the type, or correct it"
                )
            awaited = agreement.types[family]
            for selectors, may, does in ((givers, awaited.senders, "send"), (takers, awaited.recipients, "receive")):
                for selector in selectors:
                    if not _can(_names(selector, terms), may):
                        raise MalformedError(
                            "agreement-never",
                            f"{where}: `{selector}` may never {does} `{family}`",
                            f"let it {does} it, or correct it",
                        )


def _names(selector: str, terms: Terms | None) -> tuple[str, ...]:
    """The roles and mailboxes of which one at least is meant by *selector*, as far as can be known."""
    word, _, name = selector.partition(":")
    if word == "unnamed":
        name = split_unnamed(name)[1]
    own = {"sender": terms.senders, "recipients": terms.recipients} if terms else {}
    return own.get(word, (name or EVERYONE,))


def _can(names: Iterable[str], may: Iterable[str]) -> bool:
    return any(a == b or EVERYONE in (a, b) or _is_doubtful(a, b) for a in names for b in may)


def _is_doubtful(a: str, b: str) -> bool:
    return is_mailbox(a) != is_mailbox(b)


class _Place(NamedTuple):
    family: str
    rule: SendRule


def check_loops(agreement: Agreement) -> None:
    """Return if no duty is endless: met only by what opens the next one at once, round and round.

    A sender that renews its own duty after a day or more keeps a rhythm, which is no loop.

    Raises:
        MalformedError: ``agreement-loop``.
    """
    endless = [_Place(family, rule) for family, terms in agreement.types.items() for rule in terms.opens]
    while True:
        left = [place for place in endless if _is_endless(place.rule, endless)]
        if len(left) == len(endless):
            break
        endless = left
    for family, rule in endless:
        raise MalformedError(
            "agreement-loop",
            f"`{family}`: rule `{rule.name}` is met only by what opens it, or another like it, again",
            "let an answer end it: name one that opens nothing, or give the next rule a `when`",
        )


def _is_endless(rule: SendRule, endless: Sequence[_Place]) -> bool:
    each = [all(_opens_again(answer, family, endless) for family in answer.types) for answer in rule.answers]
    return any(each) if rule.every else all(each)


def _opens_again(answer: Answer, family: str, endless: Iterable[_Place]) -> bool:
    return any(
        place.family == family
        and place.rule.per != "thread"
        and _is_sure(answer, place.rule)
        and not (place.rule.by == "sender" and _is_slow(place.rule.within))
        for place in endless
    )


def _is_sure(answer: Answer, rule: SendRule) -> bool:
    """Answer whether every message that fits *answer* makes *rule* apply."""
    when = rule.when
    if when is None:
        return True
    known = all(set(answer.facts.get(fact, ("",))) <= set(codes) for fact, codes in when.facts.items())
    return known and when.urgent is None and not (when.sender or when.owed or when.not_owed or when.settles)


def _is_slow(clock: Clock) -> bool:
    if clock.kind == "moment":
        return True  # the sender names it, and it is its own
    return clock.amount >= (DAY if clock.kind == "elapsed" else 1)
