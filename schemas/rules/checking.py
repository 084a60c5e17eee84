"""What an agreement that is sound still can't do: duties never opened or never settled, and who is never asked.

``soundness`` refuses an agreement on its own words.  Here it is held against the message types, which decide what a
header can say, against a directory, which decides who there is, and against the time.

Source: domain 1 (absence is visible) and 4 (warn when a deadline falls beyond the calendar).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.agreement import Agreement, ReceiptRule, Recurring, Rule, SendRule, Terms
from schemas.envelope import MAX_RECIPIENTS
from schemas.findings import Finding, Level
from schemas.identifiers import MailboxId, Moment, agency_of, family_of
from schemas.rules import clocks
from schemas.rules.answerable import EVERYONE
from schemas.rules.compiled import Rules, is_per_item
from schemas.rules.planning import MOST_DUTIES
from schemas.rules.selectors import ITEM_OWNER, split_unnamed
from schemas.rules.timing import Timetable

if TYPE_CHECKING:
    from schemas.catalogue import Catalogue
    from schemas.directory import DirectoryIndex

YEAR: Final = 365 * clocks.DAY
# Of protocol 2.
_MAX_ITEMS: Final = 64
# ``error``: somebody would wait for nothing, or not be asked.
FINDINGS: Final[Mapping[str, Level]] = {
    "never-settled": "error",
    "never-opened": "error",
    "moment-never-named": "error",
    "beyond-calendar": "error",
    "never-asked": "error",
    "type-unknown": "error",
    "schema-lint": "error",
    "asked-as-everyone": "note",
    "several-of-one-agency": "note",
    "multiplies": "note",
    "role-unfilled": "note",
    "type-not-agreed": "note",
}


class Shape(NamedTuple):
    """What the header of a type can say: the codes of each fact, which moments, and whether it has the others."""

    facts: Mapping[str, frozenset[str]]
    moments: frozenset[str]
    urgent: bool
    parties: bool
    items: bool


def find_shapes(catalogue: Catalogue) -> dict[str, Shape]:
    """Return the shape of each family of *catalogue*, that of its newest version."""
    shapes = {}
    for name in sorted(catalogue.types(), key=lambda name: int(name.partition("/")[2])):
        clear = catalogue.schema(name)["x-clear"]
        shapes[family_of(name)] = Shape(
            facts={fact: frozenset(codes) for fact, codes in catalogue.fact_values(name).items()},
            moments=frozenset(clear["moments"]),
            urgent=bool(clear["urgent"]),
            parties=bool(clear["parties"]),
            items="items" in clear,
        )
    return shapes


def check_agreement(
    agreement: Agreement, shapes: Mapping[str, Shape], index: DirectoryIndex | None, now: Moment
) -> tuple[Finding, ...]:
    """Return everything found, errors and notes, in the agreement's order; without *index* nothing about mailboxes."""
    return tuple(_find(agreement, shapes, index, now))


def _find(
    agreement: Agreement, shapes: Mapping[str, Shape], index: DirectoryIndex | None, now: Moment
) -> Iterator[Finding]:
    rules = Rules(agreement)
    for family, terms in agreement.types.items():
        shape = shapes.get(family)
        if shape is None:
            yield _found("type-unknown", family, "no message type of this release has this name")
            continue
        for rule in _rules(terms):
            where = f"{family}: {rule.name}"
            yield from (_found("never-opened", where, text) for text in _never_opens(rule, shape))
            yield from _check_moments(rule, where, shape)
            yield from (_found("multiplies", where, text) for text in _multiplies(rule, shape, index, now))
    for where, one in _places(agreement):
        if not isinstance(one, ReceiptRule):
            yield from (_found("never-settled", where, text) for text in _never_settles(one, shapes))
            if index is not None:
                yield from _check_people(rules, one, where, index, now)
    yield from (
        _found("type-not-agreed", family, "nobody may send it") for family in sorted(shapes.keys() - agreement.types)
    )
    yield from _check_calendars(agreement, now)
    yield from _check_asked(agreement, index, now)


def _places(agreement: Agreement) -> Iterator[tuple[str, SendRule | ReceiptRule | Recurring]]:
    """Yield every rule with where it stands."""
    for family, terms in agreement.types.items():
        for rule in _rules(terms):
            yield f"{family}: {rule.name}", rule
    for recurring in agreement.recurring:
        yield f"recurring: {recurring.name}", recurring


def _rules(terms: Terms) -> tuple[SendRule | ReceiptRule, ...]:
    return (*terms.opens, *terms.receipts)


def _never_opens(rule: SendRule | ReceiptRule, shape: Shape) -> Iterator[str]:
    for fact, codes in rule.when.facts.items() if rule.when else ():
        if fact not in shape.facts:
            yield f"no message of this type says `{fact}`"
        elif shape.facts[fact].isdisjoint(codes):
            yield f"`{fact}` is never {' or '.join(codes)}"
    if rule.when and rule.when.urgent and not shape.urgent:
        yield "no message of this type is urgent"
    if isinstance(rule, SendRule):
        names = {rule.by, *rule.to}
        if is_per_item(rule) and not shape.items:
            yield "no message of this type has items"
        if not shape.parties and (_is_party(rule.by) or all(map(_is_party, rule.to))):
            yield "no message of this type names parties"
        if names in ({"sender"}, {ITEM_OWNER}):
            yield "nobody owes themselves"


def _multiplies(rule: SendRule | ReceiptRule, shape: Shape, index: DirectoryIndex | None, now: Moment) -> Iterator[str]:
    """Say so where one envelope may open too much by *rule*; without *index* a role is taken for one mailbox."""
    if not isinstance(rule, SendRule) or (rule.when and rule.when.urgent):
        return
    items = _MAX_ITEMS if is_per_item(rule) else 1
    creditors = sum(_most(selector, shape, index, now) for selector in rule.to)
    most = items * _most(rule.by, shape, index, now) * creditors
    if most > MOST_DUTIES:
        yield f"one envelope may open {most}; what would open more than {MOST_DUTIES} is refused unless it is urgent"


def _most(selector: str, shape: Shape, index: DirectoryIndex | None, now: Moment) -> int:
    word, _, name = selector.partition(":")
    if word == "recipients" or (_is_party(selector) and shape.parties):
        return MAX_RECIPIENTS
    post = split_unnamed(name)[1] if word == "unnamed" else name
    return len(index.mailboxes_with(post, now)) if index is not None and word in {"role", "unnamed"} else 1


def _is_party(selector: str) -> bool:
    return selector in {"each-party", "own-party"} or selector.startswith("party:")


def _check_moments(rule: Rule, where: str, shape: Shape) -> Iterator[Finding]:
    word, _, since = rule.since.partition(":")
    named = {rule.within.code if rule.within.kind == "moment" else None, since if word == "moment" else None} - {None}
    for code in sorted(str(name) for name in named if name not in shape.moments):
        yield _found("moment-never-named", where, f"no message of this type names the moment `{code}`")


def _never_settles(rule: SendRule | Recurring, shapes: Mapping[str, Shape]) -> Iterator[str]:
    for answer in rule.answers:
        awaited = [shapes[family] for family in answer.types if family in shapes]
        for fact, codes in answer.facts.items():
            if all(shape.facts.get(fact, frozenset()).isdisjoint(codes) for shape in awaited):
                yield f"no message that it awaits says that `{fact}` is {' or '.join(codes)}"
        if isinstance(rule, SendRule) and is_per_item(rule) and not any(shape.items for shape in awaited):
            yield "it is owed for an item, and no message that it awaits names one"


def _check_people(
    rules: Rules, rule: SendRule | Recurring, where: str, index: DirectoryIndex, now: Moment
) -> Iterator[Finding]:
    for selector, is_debtor in ((rule.by, True), *((name, False) for name in rule.to)):
        word, _, name = selector.partition(":")
        if word not in {"role", "mailbox", "unnamed"}:
            continue
        post = split_unnamed(name)[1] if word == "unnamed" else name
        boxes = (name,) if word == "mailbox" else index.mailboxes_with(post, now)
        known = [box for box in boxes if index.is_open(box, now)]
        if not known:
            yield _found("never-opened", where, f"`{selector}` means no open mailbox of the directory")
            continue
        for box in known:
            yield from (_found("never-settled", where, text) for text in _unable(rules, rule, box, is_debtor, index))
        if len({agency_of(box) for box in known}) < len(known):
            yield _found(
                "several-of-one-agency",
                where,
                f"`{selector}` means {len(known)} mailboxes, some of one agency: a duty each",
            )


def _unable(
    rules: Rules, rule: SendRule | Recurring, box: MailboxId, is_debtor: bool, index: DirectoryIndex
) -> Iterator[str]:
    """Yield what *box*, a party of *rule*, may not do of what each answer asks of it."""
    for answer in rule.answers:
        awaited = [found for family in answer.types if (found := rules.find_type(family))]
        sends = is_debtor == (answer.by == "debtor")
        if not any(one.may_send(box, index) if sends else one.may_receive(box, index) for one in awaited):
            yield f"`{box}` may never {'send' if sends else 'receive'} what it awaits"


def _check_calendars(agreement: Agreement, now: Moment) -> Iterator[Finding]:
    timetable = Timetable(agreement.calendars)
    for where, rule in _places(agreement):
        limits = (rule.period, rule.within) if isinstance(rule, Recurring) else (rule.within, rule.otherwise)
        for clock in limits:
            if clock is None or not clock.calendar:
                continue
            when = [at for at in (now, now + YEAR) if clocks.due(clock, timetable[clock.calendar], at).beyond_calendar]
            if when:
                soon = "now" if when[0] == now else "within a year"
                last = agreement.calendars[clock.calendar].last
                yield _found(
                    "beyond-calendar",
                    where,
                    f"its deadlines lie beyond calendar `{clock.calendar}` (to {last}) {soon}",
                )


def _check_asked(agreement: Agreement, index: DirectoryIndex | None, now: Moment) -> Iterator[Finding]:
    named = frozenset(
        (
            *(name for terms in agreement.types.values() for name in _addressed(terms)),
            *(name.partition(":")[2] for rule in agreement.recurring for name in (rule.by, *rule.to)),
            *(name.partition(":")[2] for pattern in agreement.patterns for name in pattern.to),
            *(role for pattern in agreement.patterns for role in pattern.at),
        )
    )
    for role in agreement.roles:
        if role not in named:
            yield _unasked(f"role {role}", EVERYONE in named)
        elif index is not None and not index.mailboxes_with(role, now):
            yield _found("role-unfilled", f"role {role}", "no open mailbox of the directory has it")
    if index is not None:
        for box in index.open_mailboxes(now):
            if named.isdisjoint({box, *index.roles_of(box)}):
                yield _unasked(f"mailbox {box}", EVERYONE in named)


def _unasked(who: str, is_everyone_asked: bool) -> Finding:
    if is_everyone_asked:
        return _found("asked-as-everyone", who, "no rule names it: it owes and is owed only what everyone is")
    return _found("never-asked", who, "no rule ever addresses it")


def _addressed(terms: Terms) -> Iterator[str]:
    """Yield every role and mailbox that a rule of the type makes owe, be owed or be told."""
    groups = {
        "sender": terms.senders,
        "recipients": terms.recipients,
        "each-party": (EVERYONE,),
        "own-party": (EVERYONE,),
        ITEM_OWNER: (EVERYONE,),
    }
    for rule in _rules(terms):
        names = (rule.by, *rule.to) if isinstance(rule, SendRule) else ("sender", "recipients")
        targets = (*rule.tell, *(target for rung in (*rule.warn, *rule.ladder) for target in rung.to))
        for name in (*names, *targets):
            word, _, rest = name.partition(":")
            means = split_unnamed(rest) if word == "unnamed" else (rest,) if rest else ()
            yield from groups.get(word, means)


def _found(code: str, where: str, message: str) -> Finding:
    return Finding(FINDINGS[code], code, where, message)
