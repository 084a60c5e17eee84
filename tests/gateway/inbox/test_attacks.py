"""What somebody would try against the pages, tried against the running gateway."""

from __future__ import annotations

import asyncio
import io
import re
from typing import Any

import aiohttp

from adapters.gateway.inbox.app import ROUTES
from hub.kit.forms import MAX_FIELDS, MAX_UPLOAD
from tests.county import HEALTH, MASH, NURSES
from tests.gateway.inbox.support import ORIGIN, Browser, Office
from tests.gateway.support import minutes_full

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
FORMS = [route.path for route in ROUTES if route.do is not None]
NOWHERE = (
    "/messages/..%2f..%2fetc%2fpasswd", "/messages/%00", "/messages/" + "A" * 3000, "/threads/'%20OR%201=1--",
    "/assets/../spool.db", "/assets/x/..%2f..%2fspool.db", "/write/../../keys", "/messages/AZ82cPQAcQCyhU9FqvXmoA",
    "/people/{{7*7}}", "//evil.example.org/", "/static/inbox.js",
)  # fmt: skip


def fill(path: str) -> str:
    """Return *path* with something that could be an id in each place."""
    return re.sub(r"\{\w+\}", "AZ82cPQAcQCyhU9FqvXmoA", path)


async def raw(browser: Browser, method: str, path: str, **given: Any) -> tuple[int, str, dict[str, str]]:
    """Ask without following anything."""
    headers = {"Cookie": browser.cookie} | given.pop("headers", {})
    async with browser.http.request(
        method, browser.base + path, headers=headers, allow_redirects=False, **given
    ) as answer:
        return answer.status, await answer.text(errors="replace"), dict(answer.headers)


async def test_a_form_from_another_place_changes_nothing(office: Office) -> None:
    """From another origin, from none, with another session's token or with none: refused before anything is looked at."""
    nurse = await office.signed_in("robin@example.org")
    page = await nurse.get("/account")
    before = (office.health.gateway.home / "spool.db").stat().st_size
    tries: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"Origin": "https://evil.example.org"}, {"csrf": page.csrf}),
        ({"Origin": "null"}, {"csrf": page.csrf}),
        ({}, {"csrf": page.csrf}),
        ({"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}, {"csrf": page.csrf}),
        ({"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"}, {"csrf": page.csrf}),
        ({"Origin": ORIGIN}, {"csrf": "another session's"}),
        ({"Origin": ORIGIN}, {}),
    ]
    for path in FORMS:
        for headers, fields in tries:
            status, text, _ = await raw(nurse, "POST", fill(path), headers=headers, data=fields)
            assert status == 403, (path, headers, fields, text)
        assert (office.health.gateway.home / "spool.db").stat().st_size == before, path
        assert (await nurse.get("/account")).status == 200, path


async def test_a_path_that_leads_nowhere_shows_nothing(office: Office) -> None:
    """Whatever is asked for, the answer is that there is no such page, and it says nothing of the machine."""
    nurse = await office.signed_in("robin@example.org")
    for path in NOWHERE:
        status, text, headers = await raw(nurse, "GET", path)
        assert status in {400, 404}, (path, text)
        assert "root:" not in text, path
        assert "Traceback" not in text, path
        if status == 404:
            assert "default-src 'none'" in headers["Content-Security-Policy"], path


async def test_what_is_stored_never_runs(office: Office) -> None:
    """Script in every text of a message, and in a file's name, is shown as text on each page that shows it."""
    held = await office.hold_meeting()
    message = minutes_full([MASH, NURSES])
    for name, value in list(message.items()):
        if isinstance(value, str) and " " in value and len(value) > 20:
            message[name] = SCRIPT
    message["information_blocks"][0]["content"] = SCRIPT
    message["child"]["name"] = "Sam <b>Sample</b>"
    sent = await office.send("minutes.full/1", message, thread=held.thread)
    nurse = await office.signed_in("robin@example.org", name="Robin <i>Sample</i>")
    await nurse.get(f"/messages/{sent.envelope}")
    shown = [await nurse.post(f"/messages/{sent.envelope}/open")]
    assert shown[0].status == 200
    assert "alert(1)" in shown[0].words
    shown += [
        await nurse.get(path)
        for path in (
            "/",
            f"/threads/{held.thread}",
            f"/messages/{sent.envelope}/copy",
            f"/write?re={sent.envelope}",
            "/receipts",
        )
    ]
    await nurse.get("/search")
    shown.append(await nurse.post("/search", {"words": "Sample"}))
    await nurse.get(f"/messages/{sent.envelope}/copy")
    shown.append(await nurse.post(f"/messages/{sent.envelope}/copy", {"audience": "record", "form": "print"}))
    for page in shown:
        assert page.status == 200, page.words
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "<i>Sample</i>" not in page.text


async def test_no_page_has_script_or_style_of_its_own(office: Office) -> None:
    """The policy forbids it, and no page tries: no inline script, no handler, no style attribute, nothing from elsewhere."""
    held = await office.hold_meeting()
    nurse = await office.signed_in("robin@example.org", duties=("practitioner", "manager"))
    await nurse.get(f"/messages/{held.envelope}")
    pages = [await nurse.post(f"/messages/{held.envelope}/open")]
    pages += [
        await nurse.get(path)
        for path in ("/", "/write", "/search", "/receipts", "/team", "/account", f"/threads/{held.thread}", "/nowhere")
    ]
    for page in pages:
        policy = page.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in policy
        assert "script-src 'self'" in policy
        assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|javascript:", page.text), page.path
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text), page.path
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert page.headers["Cache-Control"] == "no-store"


async def test_bombs_are_refused_and_the_pages_go_on(office: Office) -> None:
    """Too long, too many fields, compressed, nested, cut short: an error in words, and the next request is served."""
    nurse = await office.signed_in("robin@example.org")
    page = await nurse.get("/write")
    begun = await nurse.post("/write", {"kind": f"info.report/1 {NURSES}"})
    draft = begun.path.split("/")[2]
    path, same = f"/write/{draft}/documents", {"Origin": ORIGIN}
    form = aiohttp.FormData()
    form.add_field("csrf", page.csrf)
    form.add_field(
        "document", io.BytesIO(b"x" * (MAX_UPLOAD + 1)), filename="a.bin", content_type="application/octet-stream"
    )
    status, text, _ = await raw(nurse, "POST", path, headers=same, data=form)
    assert status == 413, text
    fields = "&".join(f"a{number}=1" for number in range(MAX_FIELDS + 1))
    urlencoded = same | {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await raw(nurse, "POST", "/write", headers=urlencoded, data=fields))[0] == 422
    gzip = urlencoded | {"Content-Encoding": "gzip"}
    assert (await raw(nurse, "POST", "/write", headers=gzip, data=b"\x1f\x8b" + b"0" * 100))[0] in {415, 422}
    nested = same | {"Content-Type": "multipart/form-data; boundary=a"}
    body = b"--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--a--\r\n"
    assert (await raw(nurse, "POST", path, headers=nested, data=body))[0] == 422
    assert (await raw(nurse, "POST", path, headers=same | {"Content-Type": "text/xml"}, data=b"<a/>"))[0] == 422
    assert (await raw(nurse, "POST", path, headers=nested, data=b"--a\r\nrubbish"))[0] in {400, 422}
    assert await office.health.gateway.spool.all("list_saved_documents", draft=draft) == []
    assert (await nurse.get("/")).status == 200


async def test_two_people_at_once_make_one_receipt_each_and_one_holder(office: Office) -> None:
    """Both press Open in the same moment, and both press it twice: each is receipted once, one of them holds the thread."""
    held = await office.hold_meeting()
    nurses = [await office.signed_in(login) for login in ("robin@example.org", "kim@example.org")]
    for nurse in nurses:
        await nurse.get(f"/messages/{held.envelope}")
    path, same = f"/messages/{held.envelope}/open", {"Origin": ORIGIN}
    tokens = [nurse.last.csrf for nurse in nurses if nurse.last]
    answers = await asyncio.gather(
        *(
            raw(nurse, "POST", path, headers=same, data={"csrf": token})
            for nurse, token in zip(nurses, tokens, strict=True)
            for _ in range(3)
        )
    )
    assert {status for status, _, _ in answers} <= {303, 404}
    spool = office.health.gateway.spool
    holders = await spool.all("holders_here", thread=held.thread, mailbox=NURSES, now=office.town.county.now)
    assert len(holders) == 1
    rows = await spool.all("receipts_of", envelope=held.envelope, mailbox=NURSES)
    # Who came second finds that a colleague holds it: only the first has opened it.
    assert [row["level"] for row in rows].count("opened") == 1
    assert office.inboxes[HEALTH].listening.total() == 0
