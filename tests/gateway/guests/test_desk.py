"""The desk that reads out codes, the administrator who keeps the book, and the command line for both."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.gateway import exclusions
from adapters.gateway.cli import main
from adapters.gateway.keystore import save_keyring
from keys import otp
from tests.county import HEALTH, NURSES, PAEDIATRICS
from tests.gateway.guests.support import KIT, LEE, SENDER, WILLOW, Practice
from tests.gateway.support import PASSPHRASE

NOT_HERE = "There is no such page"


def code_in(words: str) -> str:
    """Return the code that the desk's page shows."""
    found = re.search(r"(\d{3}) (\d{3})", words)
    assert found is not None, words
    return found[1] + found[2]


async def test_the_desk_reads_out_a_code_and_who_gave_it_is_noted(practice: Practice) -> None:
    """The list says who waits, on which number, and nothing of the child; the code shown lets the guest in."""
    await practice.add()
    sent = await practice.send()
    desk = await practice.office.signed_in("robin@example.org", name="Robin Desk")
    shown = await desk.get("/guests")
    assert "Lee Sample" in shown.words
    assert "01632 960001" in shown.words
    for word in ("Zebulon", "strategy discussion", "Sampleton", sent.envelope, sent.thread):
        assert word not in shown.text
    (path,) = re.findall(r'action="(/guests/[\w-]+/code)"', shown.text)
    code = code_in((await desk.post(path)).words)
    guest = practice.office.browser()
    assert (await guest.post(practice.link(), {"code": code})).path == "/guest/item"
    events = await practice.spool.all("events_in", thread=sent.thread)
    row = await practice.spool.one("find_login", login=practice.book.people.digest("login", "robin@example.org"))
    assert [(one["action"], one["person"]) for one in events if one["action"] == "guest-code-given"] == [
        ("guest-code-given", row["id"])
    ]
    assert "guest-came" in {one["action"] for one in events}
    await practice.press(guest, "open")
    manager = await practice.office.signed_in("max@example.org", name="Max Lead", duties=("manager",), teams=(WILLOW,))
    log = (await manager.get(f"/threads/{sent.thread}")).words
    assert "Lee Sample opened a message by a link" in log
    assert "Robin Desk gave a guest a code" in log
    await desk.get("/guests")
    assert "used, or has ended" in (await desk.post(path)).words


async def test_the_desk_sends_a_new_link_by_a_button(practice: Practice) -> None:
    """Instead of one that is lost: the one before is dead."""
    await practice.add()
    await practice.send()
    desk = await practice.office.signed_in("robin@example.org")
    shown = await desk.get("/guests")
    (path,) = re.findall(r'action="(/guests/[\w-]+/send)"', shown.text)
    await desk.post(path)
    await practice.inviter.round()
    assert len(practice.post.mails) == 2
    assert "can't be used" in (await practice.office.browser().get(practice.link(0))).words
    assert "Something waits" in (await practice.office.browser().get(practice.link(1))).words


async def test_nobody_else_sees_the_desks_pages(practice: Practice) -> None:
    """Another team, an administrator, a reviewer: the page for what isn't there; and nobody gives themselves a code."""
    guest = await practice.add()
    sent = await practice.send()
    link = (await practice.link_row(guest, sent.envelope))["id"]
    others = [
        await practice.office.signed_in("pat@example.org", teams=(PAEDIATRICS,)),
        await practice.office.signed_in("ada@example.org", duties=("administrator",), teams=()),
        await practice.office.signed_in("rae@example.org", duties=("reviewer",)),
    ]
    for one in others:
        for shown in (
            await one.get("/guests"), await one.post(f"/guests/{link}/code"), await one.post(f"/guests/{link}/send")
        ):  # fmt: skip
            assert (shown.status, NOT_HERE in shown.words) == (404, True)
    themselves = await practice.office.signed_in(LEE)
    await themselves.get("/guests")
    assert (await themselves.post(f"/guests/{link}/code")).status == 422
    await practice.office.person("robin@example.org", name="Robin Desk")
    robin = practice.office.browser()
    await robin.sign_in("robin@example.org")
    await robin.get("/guests")
    assert (await robin.post("/guests/nothing/code")).status == 404


# ---- the command line


def run(home: Path, *arguments: str) -> tuple[int, Any, str]:
    """Run one action; return its exit code, what it printed as JSON, and what it complained of."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["guests", *arguments, "--home", str(home), "--json"])
    return code, json.loads(out.getvalue()) if out.getvalue() else None, err.getvalue()


def write_home(practice: Practice) -> Path:
    """Write the trust's configuration where a command beside the gateway finds it."""
    town = practice.office.town
    home = town.homes[HEALTH]
    save_keyring(town.county.keyrings[HEALTH], home, PASSPHRASE)
    (home / "clock").write_text(str(town.county.now))
    boxes = "".join(f'[[mailboxes]]\nid = "{box}"\nadapter = ""\n' for box in (NURSES, PAEDIATRICS, WILLOW))
    (home / "gateway.toml").write_text(
        f'agency = "{HEALTH}"\nhub = "{town.base}"\ntraining = true\nclock = "file:clock"\n'
        f'passphrase_file = "passphrase"\n{boxes}[inbox.notify.mail]\nhost = "127.0.0.1"\nsender = "{SENDER}"\n'
        f'[inbox.guests]\nmailboxes = ["{WILLOW}"]\ndesk = "{NURSES}"\n'
    )
    return home


ADD = ("add", LEE, "--mailbox", WILLOW, "--name", "Lee Sample", "--role", "general_practitioner", "--variant", "gp")


async def test_the_book_is_the_administrators_and_the_codes_are_the_desks(practice: Practice) -> None:
    """Each action by who may, refused to the other: it takes two people to let somebody in."""
    home = write_home(practice)
    await practice.office.person("ada@example.org", duties=("administrator",), teams=())
    await practice.office.person("robin@example.org")

    async def do(*arguments: str) -> Any:
        code, printed, complaint = await asyncio.to_thread(run, home, *arguments)
        assert code == 0, complaint
        return printed

    async def refused(*arguments: str) -> str:
        code, _, complaint = await asyncio.to_thread(run, home, *arguments)
        assert code == 1
        return complaint

    admin, desk = ("--by", "ada@example.org"), ("--by", "robin@example.org")
    assert "administrator" in await refused(*ADD, *desk)
    assert await do(*ADD, *admin) == {"email": LEE, "mailbox": WILLOW, "variant": "gp"}
    assert "there is a guest" in await refused(*ADD, *admin)
    assert "no guests' mailbox" in await refused(*[NURSES if one == WILLOW else one for one in ADD], *admin)
    sent = await practice.send()
    (listed,) = await do("list")
    assert (listed["name"], listed["state"], listed["app"], listed["links"]) == (
        "Lee Sample",
        "active",
        False,
        [sent.envelope],
    )
    assert "the desk's team" in await refused("code", LEE, *admin)
    code = (await do("code", LEE, *desk))["code"]
    assert (await practice.office.browser().post(practice.link(), {"code": code})).path == "/guest/item"
    assert "was used" in await refused("code", LEE, *desk)
    assert "the desk's team" in await refused("send", sent.envelope, *admin)
    assert [one["email"] for one in await do("send", sent.envelope, *desk)] == [LEE]
    assert "no such guest" in await refused("send", sent.envelope, KIT, *desk)
    assert "nothing there" in await refused("send", "A" * 22, LEE, *desk)
    await practice.inviter.round()
    app = (await do("enrol", LEE, *desk))["app"]
    secret = re.search(r"secret=([A-Z2-7]+)", app)
    held = await practice.spool.write(lambda tx: practice.book.get_at(tx, LEE, WILLOW))
    assert secret is not None
    assert otp.as_text(held.details.secret) == secret[1]
    assert (await do("remove", LEE, *admin))["links that are dead"] == 1
    assert "can't be used" in (await practice.office.browser().get(practice.link())).words
    assert "no such guest" in await refused("code", LEE, *desk)
    await do(*ADD, *admin)
    assert [one["state"] for one in await do("list")] == ["active"]


async def test_several_links_are_told_apart_by_their_envelope(practice: Practice) -> None:
    """A code for one of two: the command asks which."""
    home = write_home(practice)
    await practice.office.person("robin@example.org")
    await practice.add()
    first = await practice.send()
    await practice.send()
    code, _, complaint = await asyncio.to_thread(run, home, "code", LEE, "--by", "robin@example.org")
    assert (code, "several links" in complaint) == (1, True)
    code, printed, _ = await asyncio.to_thread(
        run, home, "code", LEE, "--envelope", first.envelope, "--by", "robin@example.org"
    )
    assert (code, len(printed["code"])) == (0, 6)
    gateway = practice.office.health.gateway
    await gateway.spool.run(
        "add_exclusion", thread=first.thread, person=exclusions.pseudonym(gateway, "Robin"), state="excluded",
        at=gateway.clock(), details=b"",
    )  # fmt: skip
    for arguments in (("code", LEE, "--envelope", first.envelope), ("send", first.envelope)):
        code, _, complaint = await asyncio.to_thread(run, home, *arguments, "--by", "robin@example.org")
        assert (code, "may not open" in complaint) == (1, True)
    desk = practice.office.browser()
    await desk.sign_in("robin@example.org")
    assert len(re.findall(r"/guests/[\w-]+/code", (await desk.get("/guests")).text)) == 1


@pytest.mark.parametrize("table", ["", '[inbox]\nhost = "127.0.0.1"\n'])
async def test_a_gateway_without_guests_says_so(practice: Practice, table: str) -> None:
    """The command names the page that says how to have some."""
    home = write_home(practice)
    text = (home / "gateway.toml").read_text()
    (home / "gateway.toml").write_text(text.partition("[inbox.notify")[0] + table)
    code, _, complaint = await asyncio.to_thread(run, home, "list")
    assert (code, "has no guests" in complaint) == (1, True)
