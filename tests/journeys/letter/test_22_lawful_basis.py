"""System 22: nothing goes without its lawful basis, consent is recorded and is no gate, and what was directed is done.

In 2018 consent was "not routinely recorded … even when managers have directed" it.
"""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

import pytest

from adapters.gateway.register.commands import list_pattern
from tests.journeys.letter.support import AREA, COUNCIL, MASH, NURSES, PAEDIATRICS, Letter, Sent, iso, sample

LIST = "consent-not-sought"
CHILD = {"nhs_number": "9990000018", "nhs_number_status": "traced"}


async def refer(letter: Letter, **changes: Any) -> Sent:
    """Let a paediatrician refer a child to social care now."""
    given = {"referred_at": iso(letter.now), "origin": "electronic"}
    return await letter.send("referral", PAEDIATRICS, [MASH], **(given | changes))


async def record(letter: Letter, consent: str, **changes: Any) -> Sent:
    """Let social care record at contact what became of consent, for its area team."""
    sought = {"sought_at": None, "sought_from": None, "concerns": None} | changes
    child = sample("basis.record/1")["child"] | CHILD
    given = {"decided_at": iso(letter.now), "consent_value": consent, "basis_id": letter.new_id(), "child": child}
    return await letter.send("basis.record", MASH, [AREA], **given, **sought)


async def note_of(letter: Letter, mailbox: str, sent: Sent) -> dict[str, Any]:
    """Return what *mailbox* knows of how *sent* may be used."""
    await letter.receive(mailbox, sent)
    home = letter.town.homes[mailbox.partition("/")[0]]
    note: dict[str, Any] = json.loads((home / "in" / sent.id / "envelope.json").read_bytes())
    return note


async def children_without(letter: Letter) -> int:
    """Return of how many children social care's register says that consent is still to be sought."""
    await letter.work(COUNCIL)
    printed = await list_pattern((await letter.gateway(COUNCIL)).gateway, Namespace(name=LIST))
    assert isinstance(printed, dict)
    assert printed["must be empty"] is True
    return int(printed["count"])


@pytest.mark.parametrize("basis", [[], ["SOMEBODY_SAID_SO"]])
async def test_nothing_leaves_without_a_basis(letter: Letter, basis: list[str]) -> None:
    """Given a referral, when no law is named for it, then the sender's own gateway refuses it and says which there are."""
    reason = await letter.refused("referral", PAEDIATRICS, [MASH], origin="electronic", draft={"basis": basis})
    assert reason["code"] == "draft-basis"
    assert "CA1989_S17" in reason["hint"]
    await letter.work(COUNCIL)
    assert not list((letter.town.homes[COUNCIL] / "in").glob("*/message.json"))


async def test_what_is_urgent_goes_and_its_basis_follows(letter: Letter) -> None:
    """Given danger, when no basis is named, then it goes with a default, its sender is told, and records the real one."""
    referral = await refer(letter, immediate_danger=True, draft={"basis": []})
    assert (await note_of(letter, MASH, referral))["basis"] == ["CA2004_S16LA"]
    (told,) = await letter.told(PAEDIATRICS, "handling-warning", thread=referral.thread)
    assert told["reason"] == "draft-basis"
    basis = await letter.send(
        "basis.record",
        PAEDIATRICS,
        [MASH],
        thread=referral.thread,
        re=referral.id,
        decided_at=iso(letter.now),
        basis_codes=["CA2004_S11", "UKGDPR_6_1_D"],
        consent_value="not_sought_unsafe",
        reason="The parent is the danger.",
        sought_at=None,
        sought_from=None,
        concerns=[referral.id],
    )
    message = await letter.receive(MASH, basis)
    assert (message["concerns"], message["consent_value"]) == ([referral.id], "not_sought_unsafe")


async def test_refused_consent_stops_nothing(letter: Letter) -> None:
    """Given parents who refuse, when the child is referred all the same, then it arrives and says that they refused."""
    referral = await refer(letter, draft={"consent": "sought_refused"})
    assert (await note_of(letter, MASH, referral))["consent"] == "sought_refused"
    assert await letter.states(referral.thread, "referral-decided") == {(MASH, PAEDIATRICS): "open"}


async def test_whoever_was_directed_to_seek_it_is_reminded(letter: Letter) -> None:
    """Given a manager's direction, when a message goes before it was followed, then its sender is reminded, nobody else."""
    referral = await refer(letter, draft={"consent": "directed_not_yet_sought"})
    assert (await note_of(letter, MASH, referral))["consent"] == "directed_not_yet_sought"
    (reminder,) = await letter.told(PAEDIATRICS, "consent-reminder")
    assert (reminder["envelope"], reminder["type"]) == (referral.id, "referral/1")
    assert await letter.told(NURSES, "consent-reminder") == []
    assert await letter.told(MASH, "consent-reminder") == []


async def test_a_direction_that_nobody_follows_stays_on_a_list(letter: Letter) -> None:
    """Given a direction on record, when consent is not sought, then the list that must be empty isn't, until it was."""
    assert await children_without(letter) == 0
    directed = await record(letter, "directed_not_yet_sought", directed_by="TM-2")
    assert await children_without(letter) == 1
    (alert,) = [one for one in await letter.told(MASH, "register-alert") if one["pattern"] == LIST]
    assert alert["thread"] == directed.thread
    await letter.until("2026-08-03 09:00")
    assert await children_without(letter) == 1
    await record(letter, "sought_refused", sought_at=iso(letter.now), sought_from="Alex Sample")
    assert await children_without(letter) == 0


@pytest.mark.parametrize(
    ("consent", "missing"),
    [("directed_not_yet_sought", "directed_by"), ("sought_refused", "sought_at"), ("not_sought_other", "reason")],
)
async def test_a_record_of_consent_says_who_when_or_why(letter: Letter, consent: str, missing: str) -> None:
    """Given a record at contact, when it doesn't say who directed, when it was sought, or why not, then it is refused."""
    reason = await letter.refused(
        "basis.record", MASH, [AREA], consent_value=consent, sought_at=None, sought_from=None, concerns=None
    )
    assert reason["code"] == "message-schema"
    assert missing in reason["message"]
