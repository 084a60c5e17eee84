"""What a page of the practitioners' inbox costs with thousands of messages in one mailbox.

    python -m tests.bench.inbox

Source: issue of the inbox (pages under 100 ms of processor time); promises 4.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from adapters.base import Incoming
from adapters.gateway.inbox import indexing
from adapters.gateway.inbox.app import Server, make_inbox
from adapters.gateway.inbox.config import InboxConfig
from adapters.gateway.inbox.context import Inbox
from adapters.gateway.inbox.people import check_details
from adapters.gateway.inbox.sessions import begin_session
from adapters.gateway.spool import Transaction
from adapters.gateway.watch import Watch
from schemas.agreement import Answer
from schemas.rules.duty import Duty
from schemas.strict_json import dump
from tests.bench.figures import Cell, Figures, Goal, machine, median, run
from tests.county import DAY, HEALTH, MASH, NURSES, START, County
from tests.gateway.inbox.support import ORIGIN, Browser
from tests.gateway.support import gateway_of, minutes_full
from tests.schemas.samples import a_digest, an_id

PEOPLE: Final = 20
# Messages of one thread; of ten threads, so many are held by somebody.
EACH: Final = 4
HELD: Final = 7
WORDS: Final = 150
VOCABULARY: Final = 5000
RARE, COMMON = "zebulonsdottir", "word0"


def thread_of(number: int) -> str:
    """Return the thread of the message *number*."""
    return an_id(f"thread {number // EACH}")


async def fill(inbox: Inbox, county: County, n: int, people: list[str]) -> None:
    """Put *n* unread messages into the mailbox, and what else belongs to so many, as if it had all come by itself."""
    chance, spool, now = random.Random(4), inbox.gateway.spool, inbox.now()
    sealed = county.seal("minutes.full/1", MASH, [NURSES], facts={"variant": "full"})
    back = county.seal("info.request/1", NURSES, [MASH])
    header, sent_header = sealed.raw.split(b"\n", 1)[0], back.raw.split(b"\n", 1)[0]
    weights = [1 / (rank + 1) for rank in range(VOCABULARY)]

    async def work(tx: Transaction) -> None:
        for number in range(n):
            thread, envelope, at = thread_of(number), an_id(f"message {number}"), now - (n - number) * 60_000
            said = chance.choices(range(VOCABULARY), weights, k=WORDS)
            text = " ".join([COMMON, *(f"word{one}" for one in said), *([RARE] if number % (n // 3) == 1 else [])])
            message = minutes_full([MASH, NURSES])
            message["information_blocks"][0]["content"] = text
            incoming = Incoming(
                envelope=envelope, mailbox=NURSES, seq=number, type="minutes.full/1", sender=MASH, recipients=(NURSES,),
                thread=thread, at=at, accepted_at=at, author="x", author_role="x", purpose="child_protection", basis=(),
                consent="not_needed_lawful_basis", classification="OFFICIAL-SENSITIVE", marks=(), retention="case",
                message=message,
            )  # fmt: skip
            await tx.run(
                "add_incoming", envelope=envelope, mailbox=NURSES, seq=number, thread=thread, type="minutes.full/1",
                sender=MASH, at=at, accepted_at=at, state="waiting-person", code=None, header=header,
                content=spool.lock(msgspec.msgpack.encode(incoming), envelope), manifest_sha256=a_digest(1),
                sealed_sha256=a_digest(2),
            )  # fmt: skip
            if number % EACH == 0:
                await _fill_thread(tx, number // EACH, thread, at)

    async def _fill_thread(tx: Transaction, number: int, thread: str, at: int) -> None:
        if number % 10 < HELD:
            await tx.run(
                "add_holder", thread=thread, mailbox=NURSES, person=people[number % len(people)], at=at, by="x"
            )
        owes = number % 2 == 0
        duty = Duty(
            rule="bench", thread=thread, debtor=NURSES if owes else MASH, creditor=MASH if owes else NURSES, kind="send",
            answers=(Answer(types=("minutes.full",)),), moment=at, due=at + 5 * DAY, agreement=1,
        )  # fmt: skip
        await tx.run(
            "add_obligation", id=a_digest(f"duty {number}"), thread=thread, envelope="", duty=dump(duty), step=0,
            next_at=None, kind="send", debtor=duty.debtor, creditor=duty.creditor, due=duty.due,
        )  # fmt: skip
        envelope = an_id(f"sent {number}")
        await tx.run(
            "add_draft", envelope=envelope, adapter="bench", key=str(number), mailbox=NURSES, thread=thread,
            type="info.request/1", at=at, draft=None,
        )  # fmt: skip
        await tx.run("set_sealed", envelope=envelope, header=sent_header, wraps=b"", body=b"", content_key=b"")
        await tx.run("set_accepted", envelope=envelope, acceptance=b"")
        for level in ("collected", "filed", "opened"):
            await tx.run(
                "add_heard", id=f"{level} {number}", envelope=envelope, mailbox=MASH, level=level, code=None, at=at,
                jws=b"",
            )  # fmt: skip

    await spool.write(work)


async def measure_pages(folder: Path, n: int, rounds: int) -> tuple[list[dict[str, Cell]], float]:
    """Return a row for each page, and what indexing one message took in milliseconds."""
    county, config = County(now=START + 100 * DAY), InboxConfig(port=0, origin=ORIGIN)
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(gateway_of(folder, county, HEALTH, inbox=config))
        inbox = make_inbox(gateway, Watch(HEALTH), config)
        people = [await _add(inbox, f"person{number}@example.org") for number in range(PEOPLE)]
        manager = await _add(inbox, "manager@example.org", "manager")
        await fill(inbox, county, n, people)
        started = time.process_time()
        await indexing.look(gateway)
        indexed = (time.process_time() - started) * 1000 / n
        server = await stack.enter_async_context(Server(inbox))
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        rows: list[dict[str, Cell]] = []
        for name, who, ask in _pages(people[0], manager):
            browser = Browser(http, f"http://127.0.0.1:{server.port}")
            token = await gateway.spool.write(lambda tx, who=who: begin_session(inbox, tx, who, "bench"))
            browser.cookie = f"__Host-session={token}"
            await browser.get("/")
            rows.append({"page": name, "messages": n} | await _time(browser, ask, rounds))
    return rows, indexed


async def _add(inbox: Inbox, login: str, duty: Any = "practitioner") -> str:
    details = check_details(name=login.partition("@")[0].title(), login=login, role="school_nurse")
    return await inbox.gateway.spool.write(lambda tx: inbox.people.add(tx, details, [duty], [NURSES], inbox.now()))


def _pages(person: str, manager: str) -> list[tuple[str, str, Callable[[Browser], Awaitable[Any]]]]:
    asks: list[tuple[str, str, Callable[[Browser], Awaitable[Any]]]] = [
        ("today", person, lambda browser: browser.get("/")),
        ("a manager's today", manager, lambda browser: browser.get("/")),
        ("a thread", person, lambda browser: browser.get(f"/threads/{thread_of(0)}")),
        ("sent", person, lambda browser: browser.get("/receipts")),
        ("team", manager, lambda browser: browser.get("/team")),
        ("one of the team", manager, lambda browser: browser.get(f"/team/people/{person}")),
        ("search, a name", person, lambda browser: browser.post("/search", {"words": RARE})),
        ("search, in all", manager, lambda browser: browser.post("/search", {"words": COMMON})),
        (
            "search, in all, most held",
            person,
            lambda browser: browser.post("/search", {"words": f"{COMMON} word1 word2 word3 word4"}),
        ),
    ]
    return asks


async def _time(browser: Browser, ask: Callable[[Browser], Awaitable[Any]], rounds: int) -> dict[str, Cell]:
    spent = []
    for _ in range(rounds + 1):
        started = time.process_time()
        shown = await ask(browser)
        spent.append((time.process_time() - started) * 1000)
        assert shown.status == 200, shown.words
    # The first also compiles templates.
    return {"KiB": len(shown.text) // 1024, "CPU, ms": median(spent[1:])}


def measure(args: argparse.Namespace) -> Figures:
    """Return what each page costs; ``--n`` is how many messages are in the mailbox."""
    with tempfile.TemporaryDirectory(prefix="inbox-bench-", dir=args.folder) as folder:
        rows, indexed = asyncio.run(measure_pages(Path(folder), args.n, args.rounds))
    search = [float(row["CPU, ms"]) for row in rows if str(row["page"]).startswith("search")]
    return Figures(
        program="inbox",
        title="A page of the inbox",
        machine=machine(),
        rows=rows,
        goals=[
            Goal(name="the costliest page", limit=100, measured=max(float(row["CPU, ms"]) for row in rows), unit="ms"),
            Goal(name="the costliest search", limit=50, measured=max(search), unit="ms"),
            Goal(name="indexing one message", limit=10, measured=indexed, unit="ms"),
        ],
        notes=[
            f"All messages are unread, in threads of {EACH}; {HELD} threads in 10 are held, by {PEOPLE} people.",
            "The time is the whole process's, the browser that asks by HTTP included.",
        ],
    )


if __name__ == "__main__":
    run(__doc__.partition("\n")[0], 10_000, measure)
