"""Is it allowed: each rule that an envelope can break, broken once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hub.core.sharing import Before, judge_envelope, judge_superseding, judge_wraps
from hub.errors import Refusal
from schemas.directory import AgencyEntry, DirectoryIndex, Mailbox
from schemas.envelope import MAX_AHEAD, Header, Item, Wraps
from schemas.rules.compiled import Rules
from tests.county import CAIT, COUNCIL, EXPLOITATION, HEALTH, MASH, NURSES, PAEDIATRICS, POLICE, START
from tests.hub.support import facts, wraps_of

COUNTY = facts().county
SENT = COUNTY.seal("minutes.full/1", MASH, [CAIT, NURSES], facts={"variant": "full"}, parties=[CAIT, NURSES])
WRAPS = wraps_of(SENT)


def _judge(header: Header, wraps: Wraps = WRAPS, index: DirectoryIndex | None = None, **keys: Any) -> str | None:
    known = {
        kid: msgspec.structs.replace(fact, **keys) if fact.use == "seal" else fact for kid, fact in facts().keys.items()
    }
    refusal = judge_envelope(header, wraps, index or facts().directory, facts().rules, known, START)
    assert refusal is None or (refusal.message and refusal.hint)
    return refusal.code if refusal else None


def _changed(**changes: Any) -> Header:
    return msgspec.structs.replace(SENT.header, **changes)


def _index(agency: str, entry: dict[str, Any], **box: Any) -> DirectoryIndex:
    """Return the county's directory with changes to one *agency*, and to each of its mailboxes."""
    directory = facts().directory.directory

    def change(one: AgencyEntry) -> AgencyEntry:
        if one.id != agency:
            return one
        boxes: tuple[Mailbox, ...] = tuple(msgspec.structs.replace(inner, **box) for inner in one.mailboxes)
        return msgspec.structs.replace(one, mailboxes=boxes, **entry)

    return DirectoryIndex(msgspec.structs.replace(directory, agencies=tuple(map(change, directory.agencies))))


def test_what_follows_the_agreement_is_allowed() -> None:
    """The chair's minutes to those who were there, also when sent at the edge of what clocks may differ."""
    assert _judge(SENT.header) is None
    assert _judge(_changed(at=START + MAX_AHEAD, sent=START + MAX_AHEAD)) is None
    assert _judge(_changed(at=0)) is None
    assert _judge(_changed(directory=0)) is None


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("at-in-future", {"at": START + MAX_AHEAD + 1}),
        ("at-in-future", {"sent": START + MAX_AHEAD + 1}),
        ("keep-until-past", {"keep_until": START}),
        ("agreement-outdated", {"agreement": 2}),
        ("agreement-outdated", {"agreement": 0}),
        ("agreement-outdated", {"directory": 2}),
        ("type-unknown", {"type": "gossip/1"}),
        ("sender-ended", {"from_": f"{COUNCIL}/nobody"}),
        ("type-not-allowed", {"from_": NURSES}),
        ("basis-not-allowed", {"basis_class": "other"}),
        ("retention-unknown", {"retention": "source"}),
        ("recipient-unknown", {"to": (f"{POLICE}/nobody",)}),
        ("recipient-unknown", {"to": ("nowhere/nobody",)}),
        ("party-unknown", {"parties": ("nowhere/nobody",)}),
        ("party-unknown", {"items": (Item(ref="A" * 22, owner="nowhere/nobody", due=START),)}),
    ],
)
def test_each_rule_has_its_code(code: str, changes: dict[str, Any]) -> None:
    """What breaks one rule is refused by that rule's code."""
    assert _judge(_changed(**changes)) == code


def test_a_type_goes_only_where_the_agreement_lets_it() -> None:
    """An information report is for exploitation teams; nobody else may have one."""
    report = COUNTY.seal("info.report/1", NURSES, [EXPLOITATION])
    assert _judge(report.header, wraps_of(report)) is None
    stray = COUNTY.seal("info.report/1", NURSES, [CAIT])
    assert _judge(stray.header, wraps_of(stray)) == "recipient-not-allowed"


def test_an_ended_sender_or_recipient_is_refused_with_its_successor_named() -> None:
    """Who has ended neither sends nor receives; the hint says where to turn."""
    assert _judge(SENT.header, index=_index(COUNCIL, {"valid_to": START})) == "sender-ended"
    ended = _index(POLICE, {"valid_to": START, "successors": [{"agency": HEALTH}]})
    entry = facts().directory.find_agency(HEALTH)
    assert entry is not None
    index = DirectoryIndex(msgspec.convert(msgspec.to_builtins(ended.directory), type(ended.directory)))
    refusal = judge_envelope(SENT.header, WRAPS, index, facts().rules, facts().keys, START)
    assert refusal is not None
    assert (refusal.code, HEALTH in refusal.hint) == ("recipient-unknown", True)


def test_a_mailbox_gets_only_versions_that_it_reads() -> None:
    """While somebody still reads the old version, the new one is not for them."""
    assert _judge(SENT.header, index=_index(POLICE, {}, reads=("minutes.full/2",))) == "recipient-reads-other"
    assert _judge(SENT.header, index=_index(POLICE, {}, reads=("minutes.full/1",))) is None


@pytest.mark.parametrize(
    "changes",
    [{"state": "revoked"}, {"use": "sign"}, {"expires": START}, {"agency": COUNCIL}, {"mailbox": PAEDIATRICS}],
)
def test_a_wrap_names_an_active_sealing_key_of_its_recipient(changes: dict[str, Any]) -> None:
    """Anything else would be owed to somebody who can't open it, or could be opened by somebody else."""
    assert _judge(SENT.header, **changes) == "recipient-key"


def test_a_wrap_for_an_unknown_key_is_refused() -> None:
    """A key that nobody published can't be anybody's."""
    refusal = judge_wraps(WRAPS.wraps, facts().directory, {}, START)
    assert refusal is not None
    assert refusal.code == "recipient-key"
    assert judge_wraps(WRAPS.wraps, facts().directory, facts().keys, START) is None


BEFORE = Before(MASH, SENT.header.thread, "minutes.full/1", "full", superseded=False)


def _supersede(before: Before | None, index: DirectoryIndex | None = None, **changes: Any) -> Refusal | None:
    return judge_superseding(_changed(**changes), before, index or facts().directory, START)


def test_a_newer_version_replaces_its_own() -> None:
    """The same mailbox, thread, type and variant; the type's major version may have moved on."""
    assert _supersede(BEFORE) is None
    assert _supersede(BEFORE._replace(type="minutes.full/2")) is None


@pytest.mark.parametrize(
    "before",
    [
        None,
        BEFORE._replace(thread="B" * 21 + "A"),
        BEFORE._replace(type="minutes.decisions/1"),
        BEFORE._replace(variant="redacted"),
        BEFORE._replace(sender=f"{COUNCIL}/service-managers"),
        BEFORE._replace(sender=CAIT),
    ],
)
def test_nothing_else_may_be_replaced(before: Before | None) -> None:
    """Another's, another thread's, another type's or variant's, or what was never here."""
    refusal = _supersede(before)
    assert refusal is not None
    assert refusal.code == "supersedes-mismatch"


def test_a_successor_may_replace_what_the_ended_agency_sent() -> None:
    """Whoever took over corrects what was sent before."""
    index = _index(POLICE, {"valid_to": START, "successors": [{"agency": COUNCIL}]})
    index = DirectoryIndex(msgspec.convert(msgspec.to_builtins(index.directory), type(index.directory)))
    assert _supersede(BEFORE._replace(sender=CAIT), index) is None


def test_only_the_newest_version_is_replaced() -> None:
    """Two newest versions would leave nobody knowing which one counts."""
    refusal = _supersede(BEFORE._replace(superseded=True))
    assert refusal is not None
    assert refusal.code == "supersedes-older"


def test_an_agreement_that_names_one_mailbox_lets_no_other_send() -> None:
    """Senders can be single mailboxes, not only roles."""
    agreement = facts().rules.agreement
    terms = msgspec.structs.replace(agreement.types["minutes.full"], senders=(CAIT,))
    rules = Rules(msgspec.structs.replace(agreement, types={"minutes.full": terms}))
    refusal = judge_envelope(SENT.header, WRAPS, facts().directory, rules, facts().keys, START)
    assert refusal is not None
    assert refusal.code == "type-not-allowed"
