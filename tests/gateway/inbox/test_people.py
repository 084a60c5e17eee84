"""Accounts from their first code to their end: who keeps them opens nothing, who leaves is out at once and holds nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from keys.codes import make_code, read_code
from tests.county import COUNCIL, DAY, HEALTH, HOUR, MINUTE, NURSES, PAEDIATRICS
from tests.gateway.inbox.authenticator import Authenticator
from tests.gateway.inbox.support import PASSWORD, Browser, Office

ADMIN: dict[str, Any] = {"duties": ("administrator",), "teams": (), "role": "it_support"}
SAM = [
    ("name", "Sam Sample"), ("login", "Sam@example.org"), ("email", ""), ("role", "school_nurse"),
    ("duty", "practitioner"), ("team", NURSES),
]  # fmt: skip
NEW = "three other fictional words"


async def code_for(admin: Browser, fields: list[tuple[str, str]] = SAM) -> tuple[str, str]:
    """Add somebody by the page; return their id and their code."""
    await admin.get("/people/add")
    page = await admin.post("/people/add", fields)
    assert page.status == 200, page.words
    code = re.search(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}", page.text)
    assert code
    assert code[0] not in page.path
    return page.path.removeprefix("/people/"), code[0]


async def notices(office: Office, code: str, agency: str = HEALTH) -> list[dict[str, Any]]:
    """Return the notices with *code* that the gateway told itself, each with its mailbox."""
    rows = await office.inboxes[agency].gateway.spool.all("list_notices")
    return [json.loads(bytes(row["details"])) | {"for": row["mailbox"]} for row in rows if row["code"] == code]


async def events(office: Office, action: str, agency: str = HEALTH) -> list[tuple[str, str | None]]:
    """Return who did *action*, to whom, oldest first."""
    rows = await office.inboxes[agency].gateway.spool.all("last_events", limit=200)
    return [(row["person"], row["about"]) for row in reversed(rows) if row["action"] == action]


async def test_somebody_begins_with_a_code_that_works_once(office: Office) -> None:
    """The administrator never knows the password; the code is typed, ends with its use, and is written down nowhere."""
    admin = await office.signed_in("ada@example.org", **ADMIN)
    sam, code = await code_for(admin)
    browser = office.browser()
    await browser.get("/welcome")
    assert "not right" in (await browser.post("/welcome", {"code": "AAAA-BBBB-CCCC-DDDD"})).words
    page = await browser.post("/welcome", {"code": f"  {code.lower().replace('-', ' ')} "})
    assert (page.path, "Sam Sample" in page.words) == ("/welcome/choose", True)
    short = await browser.post("/welcome/password", {"password": "short"})
    assert (short.status, "12 characters or more" in short.words) == (422, True)
    assert (await browser.post("/welcome/password", {"password": NEW})).path == "/"
    assert (await office.browser().sign_in("sam@example.org", NEW)).path == "/"
    assert "not right" in (await office.browser().post("/welcome", {"code": code})).words
    assert await events(office, "password-set") == [(sam, None)]
    for table in ("welcome", "access_event", "sign_in_step", "person"):
        rows = await office.inboxes[HEALTH].gateway.spool.write(
            lambda tx, name=table: tx._database.execute_fetchall(f"SELECT * FROM {name}")
        )
        assert read_code(code) not in repr([tuple(row) for row in rows])
        assert "sam" not in repr([tuple(row) for row in rows]).casefold()


async def test_a_code_ends_after_three_days_and_by_the_next(office: Office) -> None:
    """An old code is as good as none, and so is one that another replaced, even half-way through."""
    admin = await office.signed_in("ada@example.org", **ADMIN)
    sam, first = await code_for(admin)
    halfway = office.browser()
    await halfway.post("/welcome", {"code": first})
    await admin.get(f"/people/{sam}")
    page = await admin.post(f"/people/{sam}/code")
    second = re.search(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}", page.text)
    assert second
    assert "Your code has ended" in (await halfway.post("/welcome/password", {"password": NEW})).words
    assert "not right" in (await office.browser().post("/welcome", {"code": first})).words
    assert (await office.browser().post("/welcome", {"code": second[0]})).path == "/welcome/choose"
    office.town.county.now += 72 * HOUR + 1
    assert "not right" in (await office.browser().post("/welcome", {"code": second[0]})).words


async def test_the_first_way_in_can_be_a_passkey(office: Office) -> None:
    """With a code somebody makes a passkey, and signs in by it."""
    admin = await office.signed_in("ada@example.org", **ADMIN)
    _, code = await code_for(admin)
    browser, key = office.browser(), Authenticator()
    await browser.post("/welcome", {"code": code})
    asked = json.loads((await browser.post("/welcome/passkey/options")).text)
    assert asked["user"]["name"] == "sam@example.org"
    page = await browser.post("/welcome/passkey", {"credential": key.create(asked), "name": "Phone"})
    assert page.path == "/"
    assert "Phone" in (await browser.get("/account")).words
    assert (await office.browser().post("/welcome/passkey/options")).status == 422
    assert (await office.browser().get("/welcome/choose")).status == 422


def test_codes_are_read_however_they_are_typed() -> None:
    """Spaces, small letters, and letters taken for digits."""
    assert read_code("o1Il-abcd efgh\u00a0jkmn") == "0111ABCDEFGHJKMN"
    assert len({make_code() for _ in range(100)}) == 100
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}", make_code())


async def test_only_administrators_keep_accounts_and_they_open_nothing(office: Office) -> None:
    """Practitioners, managers and reviewers find no such page; administrators find no other."""
    held = await office.hold_meeting()
    admin = await office.signed_in("ada@example.org", **ADMIN)
    ada = (await events(office, "sign-in"))[0][0]
    for duty in ("practitioner", "manager", "reviewer"):
        browser = await office.signed_in(f"{duty}@example.org", duties=(duty,))
        await browser.get("/account")
        for path in ("/people", "/people/add", f"/people/{ada}", f"/people/{ada}/leave"):
            assert (await browser.get(path)).status == 404
        await browser.get("/account")
        for path in (
            "/people/add",
            *(f"/people/{ada}{end}" for end in ("", "/code", "/sessions/end", "/leave", "/return")),
        ):
            assert (await browser.post(path)).status == 404
            await browser.get("/account")
    assert (await admin.get("/people")).status == 200
    assert (await admin.get("/")).path == "/people"
    for path in (
        "/write",
        "/search",
        "/receipts",
        "/team",
        "/review",
        f"/messages/{held.envelope}",
        f"/threads/{held.thread}",
    ):
        assert (await admin.get(path)).status == 404
    assert (await admin.get("/people/" + "x" * 22)).status == 404


async def test_an_accounts_forms_count_only_from_its_own_pages(office: Office) -> None:
    """From elsewhere, without the session's token, or signed out: nothing happens."""
    admin = await office.signed_in("ada@example.org", **ADMIN)
    sam, _ = await code_for(admin)
    paths = [
        "/people/add", *(f"/people/{sam}{end}" for end in ("", "/code", "/sessions/end", "/leave", "/return")),
        "/account/password", "/account/sessions/end", "/account/away", "/account/back",
    ]  # fmt: skip
    for path in paths:
        assert (await admin.post(path, {"csrf": "another"})).status == 403
        assert (await admin.post(path, {"csrf": ""})).status == 403
        await admin.get("/people")
        assert (await admin.post(path, Origin="https://evil.example.org")).status == 403
        await admin.get("/people")
        assert (await admin.post(path, **{"Sec-Fetch-Site": "same-site"})).status == 403
        assert (await office.browser().post(path)).path == "/sign-in"
    assert len(await events(office, "account-added")) == 1
    for action in ("account-left", "account-changed", "sessions-ended"):
        assert await events(office, action) == []
    assert (await office.browser().post("/welcome", {"code": "x"}, Origin="null")).status == 403


async def test_two_administrators_at_once_do_not_undo_each_other(office: Office) -> None:
    """The second is told that the account changed, and what they sent changes nothing."""
    ada, bob = [await office.signed_in(f"{name}@example.org", **ADMIN) for name in ("ada", "bob")]
    sam, _ = await code_for(ada)
    pages = [await admin.get(f"/people/{sam}") for admin in (ada, bob)]
    versions = [re.findall(r'name="version" value="(\d+)"', page.text)[0] for page in pages]
    both = [
        ("version", versions[0]),
        ("role", "school_nurse"),
        ("duty", "manager"),
        ("team", NURSES),
        ("team", PAEDIATRICS),
    ]
    assert (await ada.post(f"/people/{sam}", both)).status == 200
    other = [("version", versions[1]), ("role", "team_manager"), ("duty", "practitioner"), ("team", NURSES)]
    refused = await bob.post(f"/people/{sam}", other)
    assert refused.status == 422
    assert "Somebody else changed this account meanwhile" in refused.words
    inbox = office.inboxes[HEALTH]
    person = await inbox.gateway.spool.write(lambda tx: inbox.people.find(tx, sam))
    assert person
    assert (person.role, person.duties, person.teams) == ("school_nurse", ("manager",), {NURSES, PAEDIATRICS})
    for version in ("", "-1", "x", "9" * 400):
        assert (await bob.post(f"/people/{sam}", [("version", version), *other[1:]])).status == 422


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"login": "robin smith"}, "no login"),
        ({"login": "ada@example.org"}, "an account with that login"),
        ({"name": " "}, "no person's name"),
        ({"role": "School nurse"}, "A role is a code"),
        ({"email": "a@b\r\nBcc: c@d"}, "no e-mail address"),
        ({"duty": "emperor"}, "no duty here"),
        ({"team": "northmere-health/invented"}, "no team here"),
        ({"team": "sampleton-childrens-services/mash"}, "no team here"),
        ({"team": ""}, "no team here"),
    ],
    ids=repr,
)  # fmt: skip
async def test_an_account_that_can_not_be_is_refused_in_words(
    office: Office, changed: dict[str, str], said: str
) -> None:
    """What was typed stays in the form; nothing is added."""
    admin = await office.signed_in("ada@example.org", **ADMIN)
    await admin.get("/people/add")
    page = await admin.post("/people/add", [(name, changed.get(name, value)) for name, value in SAM])
    assert (page.status, said in page.words) == (422, True), page.words
    assert "<title>Error: " in page.text
    assert await events(office, "account-added") == []
    both = [*SAM, ("duty", "administrator")]
    await admin.get("/people/add")
    assert "opens no messages" in (await admin.post("/people/add", both)).words


async def test_a_leaver_is_out_at_once_and_what_they_held_is_nobodys(office: Office) -> None:
    """Sessions, password and passkeys end; the team sees the threads as unheld and is told; who did it is written down."""
    held = await office.hold_meeting()
    robin_id = await office.person("robin@example.org")
    robin, elsewhere, key = office.browser(), office.browser(), Authenticator()
    await robin.sign_in("robin@example.org")
    await elsewhere.sign_in("robin@example.org")
    await robin.get("/account")
    asked = json.loads((await robin.post("/account/passkeys/options")).text)
    await robin.get("/account")
    await robin.post("/account/passkeys", {"credential": key.create(asked), "name": "Phone"})
    await robin.get(f"/messages/{held.envelope}")
    await robin.post(f"/messages/{held.envelope}/open")
    colleague = await office.signed_in("sam@example.org")
    await colleague.get("/account")
    assert (await colleague.post(f"/messages/{held.envelope}/open")).status == 404
    admin = await office.signed_in("ada@example.org", **ADMIN)
    ada = (await events(office, "sign-in"))[-1][0]
    asks = await admin.get(f"/people/{robin_id}/leave")
    assert "They hold 1 thread" in asks.words
    page = await admin.post(f"/people/{robin_id}/leave")
    assert "This account has ended" in page.words
    assert (await robin.get("/")).path == "/sign-in"
    assert (await elsewhere.get(f"/messages/{held.envelope}")).path.startswith("/sign-in")
    assert "not right" in (await robin.sign_in("robin@example.org")).words
    asked = json.loads((await elsewhere.post("/sign-in/passkey/options")).text)
    assert "could not be used" in (await elsewhere.post("/sign-in/passkey", {"credential": key.get(asked)})).words
    await colleague.get(f"/messages/{held.envelope}")
    assert (await colleague.post(f"/messages/{held.envelope}/open")).status == 200
    (told,) = await notices(office, "holder-left")
    assert told == {"for": NURSES, "team": NURSES, "threads": [held.thread], "count": 1, "person": robin_id}
    assert await events(office, "account-left") == [(ada, robin_id)]
    assert (await admin.post(f"/people/{robin_id}/leave")).status == 422
    assert (await admin.post(f"/people/{robin_id}/code")).status == 422


async def test_who_comes_back_begins_anew(office: Office) -> None:
    """No session, password or pin from before works again; a new code does."""
    robin_id = await office.person("robin@example.org")
    robin = office.browser()
    await robin.sign_in("robin@example.org")
    admin = await office.signed_in("ada@example.org", **ADMIN)
    await admin.get(f"/people/{robin_id}/leave")
    await admin.post(f"/people/{robin_id}/leave")
    page = await admin.post(f"/people/{robin_id}/return")
    assert "Code to begin with" in page.words
    assert (await robin.get("/")).path == "/sign-in"
    assert "not right" in (await robin.sign_in("robin@example.org")).words
    assert (await admin.post(f"/people/{robin_id}/return")).status == 422


async def test_who_loses_a_team_holds_nothing_of_it(office: Office) -> None:
    """What they held would else be hidden from both: from them as outsiders, from the team as a colleague's."""
    held = await office.hold_meeting()
    robin_id = await office.person("robin@example.org")
    robin = office.browser()
    await robin.sign_in("robin@example.org")
    await robin.get(f"/messages/{held.envelope}")
    await robin.post(f"/messages/{held.envelope}/open")
    admin = await office.signed_in("ada@example.org", **ADMIN)
    page = await admin.get(f"/people/{robin_id}")
    version = re.findall(r'name="version" value="(\d+)"', page.text)[0]
    fields = [("version", version), ("role", "school_nurse"), ("duty", "practitioner"), ("team", PAEDIATRICS)]
    assert (await admin.post(f"/people/{robin_id}", fields)).status == 200
    assert (await robin.get(f"/messages/{held.envelope}")).status == 404
    colleague = await office.signed_in("sam@example.org")
    await colleague.get(f"/messages/{held.envelope}")
    assert (await colleague.post(f"/messages/{held.envelope}/open")).status == 200
    assert [one["for"] for one in await notices(office, "holder-left")] == [NURSES]


async def test_nobody_ends_or_promotes_themselves(office: Office) -> None:
    """So one administrator remains, and none makes themself a reader."""
    ada_id = await office.person("ada@example.org", **ADMIN)
    admin = office.browser()
    await admin.sign_in("ada@example.org")
    page = await admin.get(f"/people/{ada_id}")
    assert "Leaves the agency" not in page.words
    version = re.findall(r'name="version" value="(\d+)"', page.text)[0]
    refused = await admin.post(
        f"/people/{ada_id}", [("version", version), ("role", "x"), ("duty", "practitioner"), ("team", NURSES)]
    )
    assert "Nobody ends their own account or changes their own duties" in refused.words
    for end in ("/leave", "/code"):
        await admin.get("/people")
        assert (await admin.post(f"/people/{ada_id}{end}")).status == 422


async def test_out_of_office_opens_what_somebody_holds_to_the_team_and_tells_who_covers(office: Office) -> None:
    """From the first day to the last; before and after, it is theirs."""
    held = await office.hold_meeting()
    robin = await office.signed_in("robin@example.org")
    sam_id = await office.person("sam@example.org")
    other = await office.person("kim@example.org", teams=(PAEDIATRICS,))
    await robin.get(f"/messages/{held.envelope}")
    await robin.post(f"/messages/{held.envelope}/open")
    page = await robin.get("/account/away")
    assert "Sam" in page.words
    assert "Kim" not in page.words
    days = {
        "since-day": "7",
        "since-month": "7",
        "since-year": "2026",
        "until-day": "8",
        "until-month": "7",
        "until-year": "2026",
    }
    for wrong in (
        {"until-day": "6"},
        {"until-day": "31", "until-month": "6"},
        {"since-day": "x"},
        {"until-year": "99999"},
        {"until-year": "2030"},
        {"cover": other},
        {"cover": "nobody"},
    ):
        assert (await robin.post("/account/away", days | wrong)).status == 422
    page = await robin.post("/account/away", days | {"cover": sam_id})
    assert "From tomorrow until Wednesday 8 July 2026. Sam covers for you" in page.words
    (told,) = await notices(office, "holder-away")
    assert (told["for"], told["cover"], told["count"]) == (NURSES, sam_id, 1)

    async def opens() -> int:
        sam = office.browser()
        await sam.sign_in("sam@example.org")
        await sam.get("/account")
        return (await sam.post(f"/messages/{held.envelope}/open")).status

    assert await opens() == 404
    office.town.county.now += 15 * HOUR
    assert await opens() == 200
    await robin.sign_in("robin@example.org")
    await robin.get("/account")
    assert "Say when you are away" in (await robin.post("/account/back")).words
    office.town.county.now += DAY
    assert len(await events(office, "away-ended")) == 1


async def test_a_password_is_changed_by_who_knows_it_and_ends_every_other_session(office: Office) -> None:
    """The old one is asked for and counted; this browser goes on under a new token."""
    robin = await office.signed_in("robin@example.org")
    elsewhere = office.browser()
    await elsewhere.sign_in("robin@example.org")
    await robin.get("/account/password")
    wrong = await robin.post("/account/password", {"current": "wrong", "password": NEW})
    assert (wrong.status, "not your password now" in wrong.words) == (422, True)
    wrong = await robin.post("/account/password", {"current": PASSWORD, "password": "short"})
    assert (wrong.status, "12 characters" in wrong.words) == (422, True)
    before = robin.cookie
    assert (await robin.post("/account/password", {"current": PASSWORD, "password": NEW})).path == "/account"
    assert robin.cookie != before
    assert (await elsewhere.get("/")).path == "/sign-in"
    assert "not right" in (await office.browser().sign_in("robin@example.org")).words
    assert (await office.browser().sign_in("robin@example.org", NEW)).path == "/"


async def test_somebody_sees_where_they_are_signed_in_and_ends_it(office: Office) -> None:
    """One session, or all others; never another person's."""
    robin, elsewhere, sam = (
        await office.signed_in("robin@example.org"),
        office.browser(),
        await office.signed_in("sam@example.org"),
    )
    await elsewhere.sign_in("robin@example.org")
    office.town.county.now += MINUTE
    page = await robin.get("/account")
    (other,) = re.findall(r'name="session" value="([^"]+)"|value="([^"]+)"[^>]*name="session"', page.text)
    name = other[0] or other[1]
    await sam.get("/account")
    await sam.post("/account/sessions/end", {"session": name})
    assert (await elsewhere.get("/")).path == "/"
    await robin.get("/account")
    await robin.post("/account/sessions/end", {"session": name})
    assert (await elsewhere.get("/")).path == "/sign-in"
    await elsewhere.sign_in("robin@example.org")
    await robin.get("/account")
    await robin.post("/account/sessions/end")
    assert (await elsewhere.get("/")).path == "/sign-in"
    assert (await robin.get("/")).path == "/"
    assert (await sam.get("/")).path == "/"


async def test_every_page_of_accounts_has_a_title_without_names_and_escapes_what_was_typed(office: Office) -> None:
    """A name is text wherever it stands, and in no title of a tab."""
    evil = "<script>alert(1)</script>"
    admin = await office.signed_in("ada@example.org", agency=COUNCIL, duties=("administrator",), teams=())
    evil_id = await office.person(
        "x@example.org", agency=COUNCIL, name=evil, teams=("sampleton-childrens-services/mash",)
    )
    for path in (
        "/people",
        "/people/add",
        f"/people/{evil_id}",
        f"/people/{evil_id}/leave",
        "/account",
        "/account/password",
    ):
        page = await admin.get(path)
        assert page.status == 200
        assert evil not in page.text
        (title,) = re.findall(r"<title>(.*?)</title>", page.text)
        assert title.endswith(" - Safeguarding inbox")
        assert "alert" not in title
        assert page.text.count("<h1") == 1
        # What we mean as markup is markup, and what somebody typed never is.
        assert "&lt;a " not in page.text
        assert "&lt;span" not in page.text
        assert "&lt;strong" not in page.text
    robin = await office.signed_in("y@example.org", agency=COUNCIL, teams=("sampleton-childrens-services/mash",))
    assert evil not in (await robin.get("/account/away")).text
