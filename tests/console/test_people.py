"""Who gets in, how, and what two of them have to agree on."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hub import acts, people
from keys import otp
from schemas.envelope import DAY
from tests.console.support import Seat, cookies_of, seat, text_of
from tests.county import MINUTE
from tests.web.support import Site


async def _begin(site: Site, login: str = "ada@example.org", *roles: str) -> str:
    def work(tx: Any) -> str:
        now = site.hub.clock()
        account = people.add_account(tx, None, login, "Ada", roles or ("administrator",), now)
        return people.give_code(tx, None, account, now)

    return await site.hub.store.write(work)


async def _welcome(site: Site, code: str, password: str = "three words here") -> tuple[Seat, bytes]:
    """Go through the first sign-in with *code*; return the seat and the second factor's secret."""
    nobody = Seat(site, "", "")
    answer = await nobody.post("/console/welcome", {"code": code})
    assert (answer.status, answer.headers["Location"]) == (303, "/console/welcome/choose"), text_of(answer)
    step = cookies_of(answer)["__Host-signin"]
    async with site.api.session.get(
        site.api.base + "/console/welcome/choose", headers={"Cookie": f"__Host-signin={step}"}
    ) as page:
        text = await page.text()
    key = re.search(r'console-key">([A-Z2-7 ]+)<', text)
    assert key is not None
    from base64 import b32decode

    secret = b32decode(key[1].replace(" ", ""))
    async with site.api.session.post(
        site.api.base + "/console/welcome/password",
        data={"password": password, "code": otp.code_at(secret, site.hub.clock())},
        headers={"Cookie": f"__Host-signin={step}", "Origin": site.hub.config.url}, allow_redirects=False,
    ) as done:  # fmt: skip
        assert done.status == 303, await done.text()
        return Seat(site, "", cookies_of(done)["__Host-session"]), secret


async def test_a_code_gives_a_password_and_a_second_factor_once(site: Site) -> None:
    """With a code somebody sets a password and an authenticator app, is signed in, and the code works no more."""
    code = await _begin(site)
    ada, _ = await _welcome(site, code)
    assert "administrator" in text_of(await ada.get("/console/people"))
    again = await Seat(site, "", "").post("/console/welcome", {"code": code})
    assert again.status == 422
    stored = await site.hub.store.read(lambda tx: tx.find_account_by_login("ada@example.org"))
    assert stored is not None
    assert stored.password is not None
    assert stored.password.startswith("$argon2id$")


async def test_signing_in_takes_the_password_and_a_fresh_one_time_code(site: Site) -> None:
    """Neither alone is enough, and a one-time code counts once."""
    _, secret = await _welcome(site, await _begin(site))
    nobody, form = Seat(site, "", ""), {"login": "ada@example.org", "password": "three words here"}
    site.county.now += 5 * MINUTE
    right = otp.code_at(secret, site.hub.clock())
    for wrong in (form, form | {"code": "000000"}, form | {"password": "another one here", "code": right}):
        answer = await nobody.post("/console/sign-in", wrong)
        assert (answer.status, "not right" in text_of(answer)) == (422, True)
    answer = await nobody.post("/console/sign-in", form | {"code": right})
    assert (answer.status, answer.headers["Location"]) == (303, "/console")
    assert (await nobody.post("/console/sign-in", form | {"code": right})).status == 422


async def test_wrong_tries_make_a_login_wait_and_tell_nobody_whether_it_exists(site: Site) -> None:
    """After five wrong tries even the right password waits; an unknown login is answered in the same words."""
    _, secret = await _welcome(site, await _begin(site))
    nobody = Seat(site, "", "")
    for login in ("ada@example.org", "nobody@example.org"):
        pages = [
            await nobody.post("/console/sign-in", {"login": login, "password": "wrong wrong wrong"}) for _ in range(5)
        ]
        assert {(one.status, text_of(one)) for one in pages} == {(422, text_of(pages[0]))}
    form = {"login": "ada@example.org", "password": "three words here", "code": otp.code_at(secret, site.hub.clock())}
    assert (await nobody.post("/console/sign-in", form)).status == 422
    site.county.now += 2 * MINUTE
    form["code"] = otp.code_at(secret, site.hub.clock())
    assert (await nobody.post("/console/sign-in", form)).status == 303


async def test_a_session_ends_when_idle_after_a_day_and_with_its_account(site: Site) -> None:
    """A session without a page for half an hour, or of an ended account, is over; signing out ends it at once."""
    idle, gone, out = [await seat(site, "administrator") for _ in range(3)]
    assert (await idle.get("/console/account")).status == 200
    await site.hub.store.write(lambda tx: people.end_account(tx, None, gone.account, site.hub.clock()))
    assert (await gone.get("/console/account")).headers["Location"].startswith("/console/sign-in")
    assert (await out.post("/console/sign-out")).status == 303
    assert (await out.get("/console/account")).status == 303
    site.county.now += 31 * MINUTE
    assert (await idle.get("/console/account")).status == 303


async def test_a_form_counts_only_from_a_page_of_this_session(site: Site) -> None:
    """A form from another place, or with another session's token, changes nothing."""
    ada = await seat(site, "administrator")
    form = {"name": "For tests", "scope": "log", "days": "30"}
    for changes in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await ada.post("/console/programs", form, **changes)).status == 403
    ada.csrf = "another"
    assert (await ada.post("/console/programs", form)).status == 403
    assert await site.hub.store.read(lambda tx: tx.programs(None, 10)) == []


async def test_an_account_takes_two_people(site: Site) -> None:
    """Proposed by one, decided by another, added then; each step is in the log before it."""
    ada, bea = await seat(site, "administrator"), await seat(site, "administrator")
    form = {"name": "Cai", "login": "cai@example.org", "role": ["inspector"], "reason": "inspection"}
    answer = await ada.post("/console/people/add", form)
    assert answer.status == 303, text_of(answer)
    proposal = answer.headers["Location"]
    assert "Somebody else decides it" in text_of(await ada.get(proposal))
    assert (await ada.post(f"{proposal}/decide", {"answer": "approve"})).status == 422
    assert await site.hub.store.read(lambda tx: tx.find_account_by_login("cai@example.org")) is None
    assert (await bea.post(f"{proposal}/decide", {"answer": "approve"})).status == 303
    added = await site.hub.store.read(lambda tx: tx.find_account_by_login("cai@example.org"))
    assert added is not None
    leaves = await site.desk.leaves("act-proposed", "act-approved", "account-added")
    assert [one["event"] for one in leaves[-3:]] == ["act-proposed", "act-approved", "account-added"]
    assert [one["person"] for one in leaves[-3:]] == [ada.account, bea.account, bea.account]
    assert "Cai" not in repr(leaves)


async def test_who_gave_the_code_is_no_second_person(site: Site) -> None:
    """Whoever gives somebody their code could be them, so neither decides what the other proposes."""
    ada, bea, cai = [await seat(site, "administrator") for _ in range(3)]
    answer = await ada.post(f"/console/people/{bea.account}/code")
    assert re.search(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){3}", text_of(answer))
    assert (await bea.get("/console/account")).status == 303  # every way in that they had has ended
    now = site.hub.clock()
    bea = Seat(
        site, bea.account, await site.hub.store.write(lambda tx: people.begin_session(tx, bea.account, "code", now))
    )
    form = {"name": "Dee", "login": "dee@example.org", "role": ["inspector"], "reason": "inspection"}
    for proposer, decider in ((ada, bea), (bea, ada)):
        proposal = (await proposer.post("/console/people/add", form)).headers["Location"]
        assert (await decider.post(f"{proposal}/decide", {"answer": "approve"})).status == 422
        assert (await cai.post(f"{proposal}/decide", {"answer": "refuse"})).status == 303


async def test_what_nobody_decides_lapses(site: Site) -> None:
    """After seven days a proposal can't be decided, and the worker says so in the log."""
    ada, bea = await seat(site, "administrator"), await seat(site, "administrator")
    form = {"name": "Cai", "login": "cai@example.org", "role": ["inspector"], "reason": "inspection"}
    proposal = (await ada.post("/console/people/add", form)).headers["Location"]
    site.county.now += 7 * DAY
    now = site.hub.clock()
    name = proposal.rpartition("/")[2]
    with pytest.raises(Exception, match="nobody decided it in time"):
        await site.hub.store.write(lambda tx: acts.decide(tx, bea.account, name, now, approve=True))
    assert await site.hub.store.write(lambda tx: acts.lapse(tx, now)) == 1
    assert await site.hub.store.write(lambda tx: acts.lapse(tx, now)) == 0
    assert (await site.desk.leaves("act-lapsed"))[-1]["by"] == name


async def test_a_programs_token_does_no_more_than_its_maker_may(site: Site) -> None:
    """An operator makes none; an administrator's is shown once, kept as a digest, and ends."""
    operator, ada = await seat(site, "operator"), await seat(site, "administrator")
    form = {"name": "Warehouse", "scope": ["figures"], "days": "30"}
    assert (await operator.post("/console/programs", form)).status == 404
    page = text_of(await ada.post("/console/programs", form))
    token = re.search(r"shp_[A-Za-z0-9_-]{43}", page)
    assert token is not None
    assert token[0] not in text_of(await ada.get("/console/programs"))
    (row,) = await site.hub.store.read(lambda tx: tx.programs(None, 10))
    assert (await ada.post(f"/console/programs/{row.id}/end")).status == 303
    for days in ("0", "91", "x"):
        assert (await ada.post("/console/programs", form | {"days": days})).status == 422
