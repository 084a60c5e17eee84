"""Words planted in messages are in no notice, log line, URL, metric or file name of hub and gateways (risk 1).

That nothing at all of a message lies at the hub, in whatever form, is counted by ``tests/faults/plaintext.py``; here it is what
people and machines around a gateway get to see: of each kind of notice, at least one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from adapters.errors import GatewayError
from adapters.gateway import logs as gateway_logs
from adapters.gateway.context import Gateway
from hub.kit import logs as hub_logs
from schemas.derivation import Derivations
from tests.county import COUNCIL, DAY, EXAMPLES, HEALTH, HOUR, MASH, NURSES, OFFICERS, POLICE, PROBATION
from tests.directories.endings import end_agency
from tests.faults.plaintext import Search, make_words
from tests.gateway.register_support import CHILD, open_desk
from tests.gateway.register_support import on as on_day
from tests.gateway.support import HELD_AT, Town, draft, drop, minutes_full, settle
from tests.gateway.test_register_patterns import THREE_GREENS
from tests.schemas import samples

NUMBER = "9990000018"
WORDS = make_words(Random(16), 40)


class Ear(logging.Handler):
    """What everybody around could hear: every log line as hub and gateway write it, and every URL that was asked for."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.urls: list[str] = []
        self.told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line as whoever logs it writes it."""
        ours = gateway_logs if record.name.startswith("gateway") else hub_logs
        self.lines.append(ours.JsonFormatter().format(record))

    async def listen(self, *gateways: Gateway) -> bytes:
        """Return notices, logs, URLs and file names of *gateways*; remember the codes of the notices."""
        heard = [*self.lines, *self.urls]
        for gateway in gateways:
            for row in await gateway.spool.all("list_notices"):
                self.told.add(row["code"])
                heard += [str(row["topic"]), str(row["mailbox"]), bytes(row["details"]).decode()]
            for path in gateway.home.rglob("*"):
                heard.append(path.relative_to(gateway.home).as_posix())
                if path.parent.name == "notices" or path.name == "reason.json":
                    heard.append(path.read_text())
        return "\n".join(heard).encode()

    async def hears_nothing(self, *gateways: Gateway, codes: Iterable[str], town: Town | None = None) -> None:
        """Hold that no planted word is heard, though each of *codes* was told."""
        heard = await self.listen(*gateways)
        if town is not None:
            async with aiohttp.ClientSession() as session, session.get(f"{town.base}/metrics") as answer:
                heard += await answer.read()
        assert set(codes) - self.told == set()
        assert self.lines
        assert self.urls or town is None
        assert Search([*WORDS, NUMBER]).look(heard) == set()


@pytest.fixture
def ear(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    """Give an ear that hears from the start, at the lowest level."""
    listening = Ear()
    loggers = [logging.getLogger(name) for name in ("gateway", "hub", "aiohttp")]
    for logger in loggers:
        monkeypatch.setattr(logger, "level", logging.DEBUG)
        logger.addHandler(listening)
    request = aiohttp.ClientSession._request

    async def recorded(session: aiohttp.ClientSession, method: str, url: Any, **more: Any) -> aiohttp.ClientResponse:
        listening.urls.append(str(url))
        return await request(session, method, url, **more)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", recorded)
    yield listening
    for logger in loggers:
        logger.removeHandler(listening)


def minutes(*parties: str, **changes: Any) -> dict[str, Any]:
    """Return full minutes with planted words wherever somebody writes."""
    names = iter(WORDS)
    value = minutes_full([MASH, *parties], **changes)
    value["child"] = samples.child(name=next(names), nhs_number=NUMBER, address=next(names))
    value["adults"] = [samples.adult(name=next(names))]
    for text in ("immediate_safety", "analysis", "history", "trigger_summary", "decision_rationale", "contingency"):
        value[text] = f"{next(names)} {NUMBER}"
    value["information_blocks"][0]["content"] = next(names)
    value["family_information_plan"][0] |= {"what": next(names), "must_not_disclose": next(names)}
    return value


def author(number: int) -> dict[str, str]:
    """Return an author by a planted name."""
    return {"name": WORDS[-number], "role": "team_manager"}


def test_the_search_hears_what_is_said() -> None:
    """A word that was told would be found, however it is written."""
    search = Search([*WORDS, NUMBER])
    for word in (WORDS[0], WORDS[0].lower(), WORDS[0].encode().hex(), NUMBER):
        assert search.look(f'{{"notice": "owed", "of": "x {word} y"}}'.encode())


async def test_warnings_reminders_and_refusals_say_no_word(town: Town, ear: Ear) -> None:
    """What is on no list, or doesn't fit its schema, is told by its field; what is overdue by references."""
    async with town.agent(COUNCIL) as council, town.agent(HEALTH) as health:
        wrong = {"purpose": WORDS[20], "marks": [WORDS[21]], "basis": [WORDS[22]]}
        for name, more in (
            ("urgent", {"message": minutes(NURSES, urgent=True), "consent": WORDS[23]}),
            ("refused", {"message": minutes(NURSES)}),
        ):
            drop(town.homes[COUNCIL], name, draft("minutes.full/1", MASH, author=author(1), **wrong | more))
        seeking = {"consent": "directed_not_yet_sought", "message": minutes(NURSES)}
        drop(town.homes[COUNCIL], "seeking", draft("minutes.full/1", MASH, author=author(2), **seeking))
        broken = minutes(NURSES) | {"urgency": WORDS[24], WORDS[25]: WORDS[26], "child": {"name": WORDS[27]}}
        drop(town.homes[COUNCIL], "broken", draft("minutes.full/1", MASH, message=broken))
        drop(town.homes[COUNCIL], "held", draft("meeting.held/1", MASH, message=samples.meeting_held(
            held_at=HELD_AT, participants=[samples.participant(NURSES)], distribution=[],
        )))  # fmt: skip
        await settle(council, health)
        arrived = [path.read_bytes() for path in (town.homes[HEALTH] / "in").glob("*/message.json")]
        told = [content for content in arrived if b"immediate_safety" in content]
        assert told
        assert all({word for word, _ in Search(WORDS[:3]).look(content)} == set(WORDS[:3]) for content in told)
        await town.tick(9 * DAY)
        await settle(council, health)
        assert len(list((town.homes[COUNCIL] / "refused").glob("*/reason.json"))) == 2
        codes = ("handling-warning", "consent-reminder", "overdue")
        await ear.hears_nothing(council.gateway, health.gateway, codes=codes, town=town)


async def test_addresses_that_ended_are_told_without_a_word(town: Town, ear: Ear) -> None:
    """What goes to whoever took over, or can't go because several did, is named by references and mailboxes only."""
    async with town.agent(COUNCIL) as council, town.agent(POLICE) as police:
        await settle(council, police)
        await end_agency(town.site.desk, HEALTH, f"{PROBATION}:north", f"{POLICE}:south")
        await town.tick()
        for name, more in (("moved", {"split": "south"}), ("unsplit", {})):
            drop(town.homes[COUNCIL], name, draft("minutes.full/1", MASH, message=minutes(NURSES), **more))
        await settle(council, police)
        assert list((town.homes[POLICE] / "in").glob("*/message.json"))
        codes = ("re-addressed", "send-refused", "agency-ended")
        await ear.hears_nothing(council.gateway, police.gateway, codes=codes, town=town)


async def test_what_follows_and_what_must_go_is_told_without_a_word(town: Town, ear: Ear) -> None:
    """A follow-up that may not be sent, and a negative whose day is over."""
    text = (EXAMPLES / "agreement.toml").read_text()
    mine = 'identifiers only."\nsenders = ["social_care", "exploitation_team"]'
    await town.site.desk.next_agreement(text.replace(mine, 'identifiers only."\nsenders = ["exploitation_team"]'))
    async with town.agent(COUNCIL) as council, town.agent(PROBATION) as probation:
        people = [samples.participant(NURSES, "invited")]
        called = samples.meeting_convened(convened_at=HELD_AT, starts_at="2026-07-07T09:00:00Z", participants=people)
        called |= {"adults": [{"name": WORDS[0], "dob": "1985-01-02"}]}
        drop(town.homes[COUNCIL], "called", draft("meeting.convened/1", MASH, message=called, author=author(1)))
        answer = {"check_id": samples.message("check.adult.request/1")["check_id"], "answered_at": HELD_AT}
        answer |= {"result": "not_known", "delete_after": "2026-07-08"}
        more = {"to": [MASH], "retention": "negative", "message": answer, "author": author(2)}
        drop(town.homes[PROBATION], "answer", draft("check.adult.response/1", OFFICERS, **more))
        await settle(council, probation)
        town.county.now = Derivations.load().find_end("check.adult.response", answer) or 0
        await settle(council, probation)
        codes = ("follow-up-refused", "delete-due")
        await ear.hears_nothing(council.gateway, probation.gateway, codes=codes, town=town)


async def test_the_register_tells_without_a_word(tmp_path: Path, ear: Ear) -> None:
    """A pattern that holds for a child is told by an opaque reference."""
    async with open_desk(tmp_path, THREE_GREENS) as desk:
        child = CHILD | {"name": WORDS[0], "nhs_number": NUMBER, "local_id": WORDS[1]}
        for number in range(3):
            await desk.receive(
                "incident.notice/1", child=child, incident_ref=WORDS[2 + number], occurred_at=on_day(number),
                grade="green", summary=WORDS[9],
            )  # fmt: skip
        await ear.hears_nothing(desk.gateway, codes=("register-alert",))


async def test_the_at_risk_list_tells_without_a_word(clinic_town: Town, ear: Ear) -> None:
    """Matches, waits, withdrawals, expiry, an exhausted quota: neither who is listed nor who came, nor by what reference."""
    from adapters.gateway.matching import attending
    from tests.gateway import atrisk_support as at

    who: dict[str, Any] = {"name": f"{WORDS[0]} {WORDS[1]}", "born": date(2011, 3, 9)}
    async with at.open_pair(clinic_town, issuing={"quota": 40}) as pair:
        await pair.publish(at.listed(NUMBER, **who), at.listed(at.BLAKE))
        await attending.attend(pair.asking, [at.came(WORDS[2], **who), at.came(WORDS[3], NUMBER)])
        for _ in range(6):
            await clinic_town.tick(at.SLOT)
            assert await pair.clinic.run_once() == 0
        await pair.settle()
        assert {(await pair.tell(one))["answer"].partition(",")[0] for one in WORDS[2:4]} == {"known risk"}
        await pair.publish(at.listed(at.BLAKE))
        for _ in range(12):
            await pair.pass_slot()
        await pair.pass_slot(36 * DAY)
        with pytest.raises(GatewayError):
            await attending.attend(pair.asking, [at.came(WORDS[4], NUMBER)])
        await pair.pass_slot(9 * HOUR)
        codes = {"match", "unanswered", "withdrawn", "stale", "quota", "spent"}
        told = {f"atrisk-{code}" for code in codes}
        await ear.hears_nothing(pair.police.gateway, pair.clinic.gateway, codes=told, town=clinic_town)


async def test_a_list_that_is_refused_is_told_without_a_word(clinic_town: Town, ear: Ear) -> None:
    """Police hear the code of what was wrong, and nothing of the list."""
    from adapters.gateway.matching import issuer
    from tests.gateway import atrisk_support as at

    async with at.open_pair(clinic_town, issuing={"basis": (WORDS[5],)}) as pair:
        who: dict[str, Any] = {"name": WORDS[0], "born": date(2011, 3, 9)}
        await issuer.draft_version(pair.issuing, [at.listed(NUMBER, **who)], at.OFFICER)
        await pair.settle()
        await ear.hears_nothing(pair.police.gateway, codes={"atrisk-refused"}, town=clinic_town)
