"""Who may do what, over every route: each page by each role, each call of the API by each kind of caller."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hub import ledger, programs
from hub.core.rights import RIGHTS, ROLES, SCOPES, Role, rights_of
from hub.web.console.app import OPEN, PAGES, Page
from hub.web.routes import ROUTES, Route
from tests.console.support import Seat, seat
from tests.county import CAIT, COUNCIL, NURSES, ORIGIN, PARTNERSHIP
from tests.hub.support import hold
from tests.web.support import Api, Site

PLACES = {"level": "0", "tile": "000", "agency": "northmere-health", "team": "safeguarding", "version": "1"}
IDS = {"/v1/obligations": "A" * 43, "/v1/envelopes": "A" * 22}


def _fill(path: str) -> str:
    def place(found: re.Match[str]) -> str:
        name = found[1]
        return PLACES.get(name) or (IDS["/v1/obligations"] if "obligation" in path else "A" * 22)

    return re.sub(r"\{(\w+)(?::[^}]*)?\}", place, path)


def test_nobody_but_an_administrator_keeps_accounts() -> None:
    """An inspector changes nothing, an operator sees nobody's envelopes, and only administrators keep people and programs."""
    acting = {"propose", "decide", "people", "programs"}
    assert RIGHTS["inspector"].isdisjoint(acting)
    assert RIGHTS["operator"] == {"directory", "health"}
    assert {role for role in ROLES if RIGHTS[role] & {"people", "programs"}} == {"administrator"}


def test_what_an_inspector_may_visit_is_only_looked_at() -> None:
    """No form of the console is for an inspector, but those that keep their own account and questions."""
    forms = {page.path for page in PAGES if page.do and (page.right is None or page.right in RIGHTS["inspector"])}
    assert {path for path in forms if not path.startswith(("/account", "/sign-out", "/log"))} == set()


async def test_a_page_is_for_those_with_its_right_alone(site: Site) -> None:
    """Without a session it leads to the sign-in; without the right it isn't there, and nothing is changed by it."""
    await ledger.sign_checkpoint(site.hub.store, ORIGIN, site.county.note_signers, site.hub.clock())
    seats = {role: await seat(site, role) for role in ROLES}
    # Signing out comes last: afterwards there is no session.
    for page in sorted(PAGES, key=lambda page: page.path == "/sign-out"):
        await _check_page(site, page, seats)
    leaves = await site.desk.leaves()
    assert not [leaf for leaf in leaves if leaf["event"].startswith("act-")]


async def _check_page(site: Site, page: Page, seats: dict[Role, Seat]) -> None:
    path = f"/console{_fill(page.path)}".removesuffix("/")
    for verb in [name for name, handler in (("get", page.show), ("post", page.do)) if handler]:
        answer = await getattr(Seat(site, "", ""), verb)(path)
        assert (answer.status, answer.headers["Location"].partition("?")[0]) == (303, "/console/sign-in"), path
        for role, person in seats.items():
            answer = await getattr(person, verb)(path)
            told = (path, verb, role, answer.status)
            assert answer.status < 500, told
            if page.right is not None and page.right not in rights_of([role]):
                assert answer.status == (303 if page.path == "/" else 404), told
            elif "{" not in page.path and verb == "get":
                assert answer.status < 400, told


async def test_a_form_of_another_place_or_session_is_refused_on_every_page(site: Site) -> None:
    """Whoever may do it does it from a page of theirs."""
    person = await seat(site, *ROLES)
    await person.get("/console/account")
    right = person.csrf
    for page in (page for page in PAGES if page.do):
        path = f"/console{_fill(page.path)}"
        person.csrf = right
        assert (await person.post(path, Origin="https://elsewhere.example")).status == 403, path
        person.csrf = "B" * 22
        assert (await person.post(path)).status == 403, path


def test_what_is_open_to_all_is_signing_in() -> None:
    """Nothing else is served to whoever isn't signed in."""
    assert {page.path.split("/")[1] for page in OPEN} == {"sign-in", "welcome"}


async def _program(site: Site, scope: str) -> Api:
    administrator = await seat(site, "administrator")

    def work(tx: Any) -> str:
        return programs.add_program(tx, administrator.account, scope, [scope], 30, site.hub.clock())[1]

    return Api(site.api.session, site.api.base, site.county, await site.hub.store.write(work))


@pytest.fixture
async def callers(site: Site) -> dict[str, Api]:
    """Give one caller of each kind."""
    made = {scope: await _program(site, scope) for scope in SCOPES}
    return {
        "nobody": site.api, "stranger": Api(site.api.session, site.api.base, site.county, "shp_" + "A" * 43),
        "agency": await site.as_agency(COUNCIL), "mailbox": await site.as_agency(NURSES),
        "partnership": await site.as_agency(PARTNERSHIP), **made,
    }  # fmt: skip


async def test_every_call_of_the_api_asks_who_calls(site: Site, callers: dict[str, Api]) -> None:
    """A private call takes a gateway's token, or a program's for that very use; a public one takes nobody's."""
    for route in ROUTES:
        if route.waits and route.private:
            continue
        for kind, caller in callers.items():
            await _check(route, kind, caller)


async def _check(route: Route, kind: str, caller: Api) -> None:
    answer = await caller.call(
        route.method, _fill(route.path), b"{}" if route.method != "GET" else None, "application/json"
    )
    told = (route.name, kind, answer.status, answer.body[:200])
    assert answer.status < 500, told
    if route.public is not None:
        assert answer.status not in {401, 403} or route.name == "getToken", told
    elif kind in {"nobody", "stranger"}:
        assert answer.status == 401, told
    elif kind in SCOPES and route.scope != kind:
        assert (answer.status, answer.code) == (403, "token-scope"), told
    elif kind in SCOPES or kind == "partnership":
        assert answer.status != 401, told
        assert kind == "partnership" or answer.status != 403, told
    else:
        assert answer.status != 401, told


async def test_a_programs_token_ends_with_its_time_its_maker_and_by_hand(site: Site) -> None:
    """An ended token is refused at the next call."""
    from hub import people

    log, figures = await _program(site, "log"), await _program(site, "figures")
    asked = "/v1/audit/entries?limit=1"
    assert (await log.get(asked)).status == 200
    rows = await site.hub.store.read(lambda tx: tx.programs(None, 10))
    named = {row.name: row for row in rows}
    now = site.hub.clock()
    await site.hub.store.write(lambda tx: programs.end_program(tx, named["log"].account, named["log"].id, now))
    assert (await log.get(asked)).code == "token-expired"
    await site.hub.store.write(lambda tx: people.end_account(tx, None, named["figures"].account, now))
    assert (await figures.get("/v1/reports/receipts?from=0&to=1")).code == "token-expired"


async def test_who_looked_at_the_log_is_in_the_log_once_a_look(site: Site) -> None:
    """A look by a program or an agency leaves an entry; paging on and asking again soon is the same look."""
    log, council = await _program(site, "log"), await site.as_agency(COUNCIL)
    for _ in range(3):
        await log.get("/v1/audit/entries?limit=1&event=key-published")
        await log.get("/v1/audit/entries?limit=1&event=key-published&after=3")
        await council.get("/v1/audit/entries?limit=1")
    looks = await site.desk.leaves("log-read")
    assert [(one.get("agency"), "person" in one, "by" in one) for one in looks] == [
        (None, True, True),
        (COUNCIL, False, False),
    ]
    site.county.now += 11 * 60_000
    await log.get("/v1/audit/entries?limit=1&event=key-published")
    assert len(await site.desk.leaves("log-read")) == 3


async def test_a_program_proposes_and_a_person_decides(site: Site) -> None:
    """What a program proposes is its maker's proposal; accounts, unknown acts and odd contents are refused."""
    act = await _program(site, "act")
    sent = hold(site.county, CAIT)
    await site.desk.send(sent)
    asked = {"act": "hold-place", "about": {"thread": sent.header.thread}, "reason": "court_order"}
    answer = await act.post("/v1/acts", asked)
    assert (answer.status, answer.json["state"]) == (201, "proposed")
    assert (await act.post("/v1/acts", asked | {"act": "account-add"})).code == "act-unknown"
    assert (await act.post("/v1/acts", asked | {"about": {"thread": 1}})).code == "request-invalid"
    assert (await act.post("/v1/acts", asked | {"reason": "no_reason"})).code == "act-reason"
    assert (await (await site.as_agency(PARTNERSHIP)).post("/v1/acts", asked)).code == "token-scope"
    governor = await seat(site, "governance")
    done = await governor.post(f"/console/proposals/{answer.json['id']}/decide", {"answer": "approve"})
    assert done.status == 303
    assert len(await site.desk.leaves("hold-placed")) == 1
