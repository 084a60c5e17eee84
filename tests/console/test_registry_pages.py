"""Directory, agreement, keys, witnesses, drafts and health at the console, from a real hub."""

from __future__ import annotations

import io
import re
from pathlib import Path

import aiohttp
import msgspec
import pytest
from multidict import CIMultiDict

from hub import drafts, registry
from hub.ceremonies import parse_draft, read_draft
from hub.kit.browsers import COOKIE
from hub.wiring import make_worker
from keys import jws
from keys.digests import sha256_b64u
from schemas.envelope import DAY
from tests.console.support import Seat, seat, text_of
from tests.county import COUNCIL, HEALTH, NURSES
from tests.hub.support import hold
from tests.web.support import Answer, Site


async def upload(by: Seat, path: str, content: bytes, name: str = "draft.json") -> Answer:
    """Return the answer to a form with one file."""
    await by.get(path)
    form = aiohttp.FormData()
    form.add_field("csrf", by.csrf)
    form.add_field("draft", io.BytesIO(content), filename=name, content_type="application/octet-stream")
    headers = {"Origin": by.site.hub.config.url, "Cookie": f"{COOKIE}={by.token}"}
    session = by.site.api.session
    async with session.post(by.site.api.base + path, data=form, headers=headers, allow_redirects=False) as answer:
        return Answer(answer.status, CIMultiDict(answer.headers), await answer.read())


async def _decide(by: Seat, location: str) -> None:
    await by.get(location)
    done = await by.post(f"{location}/decide", {"answer": "approve"})
    assert done.status == 303, text_of(done)


async def test_the_directory_shows_agencies_teams_and_versions(site: Site) -> None:
    """Who is in it and on the hub, who has ended; each version with its signatures and what it changed."""
    site.county.ended[HEALTH] = (site.county.now + 30 * DAY, (COUNCIL,))
    await site.desk.next_directory()
    one = await seat(site, "inspector")
    text = text_of(await one.get("/console/directory"))
    assert "Northmere Health health 2 on the hub" in text
    assert "Version 2" in text
    assert "2 of 3 must sign" in text
    text = text_of(await one.get(f"/console/directory/agencies/{HEALTH}"))
    assert f"{NURSES} health single point" in text
    assert "Taken over by Sampleton Childrens Services" in text
    text = text_of(await one.get("/console/directory/versions/2"))
    assert f"{HEALTH} valid to: 5 August 2026" in text
    assert text.count("an officer of today") == 2
    text = text_of(await one.get("/console/directory/versions/1"))
    assert "What it said first" in text
    assert f"{COUNCIL} is new" in text


async def test_the_agreement_is_told_in_english_with_its_versions(site: Site) -> None:
    """What it says, block by block; what a version changed in words; one that isn't in force yet is announced."""
    one = await seat(site, "inspector")
    text = text_of(await one.get("/console/agreement"))
    assert "the hub deletes a sealed body when everyone has taken receipt of it" in text
    assert "In force: version 1" in text
    await site.desk.next_agreement()
    text = text_of(await one.get("/console/agreement/versions/2"))
    assert "Agreement, version 2" in text
    assert "calendars changed: office" in text


@pytest.mark.parametrize(
    "path",
    [
        "/directory/versions/9", "/directory/versions/x", "/directory/versions/٣", "/directory/agencies/nobody",
        "/directory/agencies/a%2Fb", "/agreement/versions/0", "/drafts/x", f"/drafts/{sha256_b64u(b'x')}",
        f"/drafts/{sha256_b64u(b'x')}/file",
    ],
)  # fmt: skip
async def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    """Whatever is written into the address."""
    one = await seat(site, "governance")
    assert (await one.get(f"/console{path}")).status == 404


async def test_two_people_suspend_a_key_and_its_gateway_is_shut_out(site: Site) -> None:
    """The token that it has is refused from the approval on; the page says who is suspended and why; then it is let in."""
    gateway = await site.as_agency(HEALTH)
    path = f"/v1/mailboxes/{NURSES}/feed?after=0"
    assert (await gateway.get(path)).status == 200
    one, two = await seat(site, "administrator"), await seat(site, "governance")
    kid = site.county.keyrings[HEALTH].signing.kid
    assert "Northmere Health signing" in text_of(await one.get(f"/console/keys?agency={HEALTH}"))
    done = await one.post("/console/keys", {"kid": kid, "do": "suspend", "reason": "gateway_lost"})
    assert (await gateway.get(path)).status == 200
    await _decide(two, done.headers["Location"])
    assert (await gateway.get(path)).code == "key-suspended"
    text = text_of(await one.get(f"/console/keys?agency={HEALTH}"))
    assert "suspended gateway lost" in text
    done = await two.post("/console/keys", {"kid": kid, "do": "readmit", "reason": "found_sound"})
    await _decide(one, done.headers["Location"])
    assert (await gateway.get(path)).status == 200
    got = await one.post("/console/keys", {"kid": site.county.keyrings[HEALTH].witness.kid, "reason": "key_stolen"})
    assert (got.status, "This is no signing key" in text_of(got)) == (422, True)


async def test_every_key_is_listed_by_pages(site: Site) -> None:
    """The list goes on; a strange place begins it again; an unknown agency has none."""
    for _ in range(18):
        for agency in site.county.keyrings:
            await site.desk.rotate(agency)
    one = await seat(site, "operator")
    page = await one.get("/console/keys?state=every")
    more = re.search(r'rel="next" href="([^"]+)"', page.body.decode())
    assert more
    rest = await one.get(more[1].replace("&amp;", "&"))
    assert page.body.count(b"</th>") - 6 == 50
    assert rest.status == 200
    assert (await one.get("/console/keys?after=x")).status == 200
    assert "There is none." in text_of(await one.get("/console/keys?agency=nobody-here"))


async def test_witnesses_are_named_with_how_far_they_are(site: Site) -> None:
    """Without a quorum in the directory the page says that nothing is witnessed."""
    one = await seat(site, "inspector")
    text = text_of(await one.get("/console/witnesses"))
    assert "Not witnessed: the directory doesn" in text
    assert "Northmere Health agency 0 entries never not yet" in text


async def test_a_draft_goes_from_an_upload_to_the_officers_and_is_done(site: Site) -> None:
    """What it changes is shown; it is handed out once a second person approved; published, its proposal is done."""
    one, two = await seat(site, "governance"), await seat(site, "governance")
    site.county.ended[HEALTH] = (site.county.now + 30 * DAY, (COUNCIL,))
    done = await upload(one, "/console/drafts", site.county.directory())
    assert done.status == 303, text_of(done)
    path = done.headers["Location"]
    text = text_of(await one.get(path))
    assert "Draft: directory, version 2" in text
    assert f"{HEALTH} valid to" in text
    assert "<span" not in text
    assert (await one.get(f"{path}/file")).status == 404
    done = await one.post(path, {"reason": "agency_ends"})
    proposal = done.headers["Location"]
    assert "waits for a second person" in text_of(await one.get("/console/drafts"))
    await _decide(two, proposal)
    file = await two.get(f"{path}/file")
    draft = parse_draft(file.body)
    assert read_draft(draft, site.county.roots).proposed is not None
    document = site.county.sign_document(draft.payload.encode(), jws.DIRECTORY)
    await registry.publish_directory(site.hub.store, document, site.county.now, signer=site.county.hub.signing)
    worker = make_worker(site.hub, site.hub.config.home_path, lambda: False)
    await worker.follow_registry()
    await worker.finish_proposals()
    assert "State done" in text_of(await one.get(proposal))
    assert "follow the version in force: draft it again" in text_of(await one.get(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "No file came: choose a file"),
        (b"\xff", "The file is no text"),
        (b"{}", "json"),
        (b"not = toml =", ""),
        (b"{" + b"x" * drafts.MAX_DRAFT, "larger than a directory or agreement can be"),
    ],
    ids=["nothing", "bytes", "shape", "text", "large"],
)
async def test_what_is_no_draft_is_said_on_the_page(site: Site, content: bytes, says: str) -> None:
    """A precise sentence, and nothing is kept."""
    one = await seat(site, "governance")
    got = await upload(one, "/console/drafts", content)
    assert got.status == 422
    assert "There is a problem" in text_of(got)
    if says != "json":
        assert says in text_of(got)


async def test_an_agreement_that_leads_nowhere_shows_what_a_check_finds(site: Site) -> None:
    """Each finding with how serious it is and where."""
    one = await seat(site, "administrator")
    toml = (Path(__file__).parents[2] / "docs" / "examples" / "agreement.toml").read_bytes()
    done = await upload(one, "/console/drafts", toml, "agreement.toml")
    text = text_of(await one.get(done.headers["Location"]))
    assert "Draft: agreement, version 2" in text
    assert "means no open mailbox of the directory" in text


async def test_health_says_how_every_part_is(site: Site, tmp_path: Path) -> None:
    """Loops with their rounds, a failing one with its code, clock, log, disk, and what ends soon."""
    (tmp_path / "broken.pem").write_text("nothing")
    names = (str(tmp_path / "broken.pem"),)
    site.hub.config = msgspec.structs.replace(site.hub.config, certificates=names, home=str(tmp_path))
    site.hub.rounds.finish("deadlines", site.county.now)
    site.hub.rounds.fail("retention", site.county.now, "store-full")
    site.hub.rounds.in_doubt = True
    await site.desk.send(hold(site.county, NURSES))
    one = await seat(site, "operator")
    text = text_of(await one.get("/console/health"))
    for says in (
        "Database good",
        "Clock alarm in doubt",
        "Loop: deadlines good",
        "Loop: retention alarm failed today at 9am: store-full",
        "broken.pem alarm can't be read",
        "Witnesses look the directory doesn't say who must cosign",
        "Northmere Health",
    ):
        assert says in text, text
    site.county.now += 390 * DAY
    one = await seat(site, "operator")
    assert "Directory: version 1" in text_of(await one.get("/console/health"))


@pytest.mark.parametrize(
    "page",
    [
        "directory", f"directory/agencies/{HEALTH}", "directory/versions/1", "agreement", "agreement/versions/1", "keys",
        "witnesses", "drafts", "health", "breaches", "holds", "retention", "holdings",
    ],
)  # fmt: skip
async def test_no_page_has_style_or_script_of_its_own(site: Site, page: str) -> None:
    """The policy forbids them: what would be silently dropped isn't written; nor is markup shown as text."""
    one = await seat(site, "administrator")
    got = await one.get(f"/console/{page}")
    assert got.status == 200
    assert b" style=" not in got.body
    assert b"<script>" not in got.body
    assert b"&lt;" not in got.body
