"""Agencies' systems, each behind its own adapter, as a journey needs them: to send, to be down, to answer wrongly, to be looked into."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from adapters.base import Adapter
from adapters.durable import make_folder
from adapters.folder import FolderAdapter
from adapters.hl7 import Hl7Adapter
from adapters.mesh import MeshAdapter
from adapters.spreadsheet import SpreadsheetAdapter
from adapters.webhook import WebhookAdapter
from schemas.strict_json import dump
from tests.fhir.server import FhirServer
from tests.fhir.support import add_patient, open_adapter, put_draft, read_message
from tests.hl7.hospital import Hospital
from tests.hl7.test_listening import OPTIONS as LISTENING
from tests.hl7.test_listening import REFERRAL, say
from tests.mesh.proxy import Trouble, line_to
from tests.mesh.sandbox import Engine, Sandbox
from tests.mesh.test_trust_mailbox import options as mailbox_options
from tests.spreadsheet.test_sheets import GOOD, HEADING, as_csv
from tests.spreadsheet.test_sheets import OPTIONS as SHEETS
from tests.webhook.agency import DRAFTS_SECRET, SECRET, Agency
from tests.webhook.test_listening import OPTIONS as PORT
from tests.webhook.test_listening import post, sign

NOTICES: Final = "SAFEGUARDING_NOTICE"


class System(Protocol):
    """One agency's system."""

    name: str
    adapter: Adapter

    async def say(self, draft: Mapping[str, Any]) -> None:
        """Have its staff send *draft*; said again, the same thing is given a second time."""
        ...

    async def stop(self) -> None:
        """Go down."""
        ...

    async def start(self) -> None:
        """Come back, with everything that it had."""
        ...

    def mislead(self) -> None:
        """Answer what is no answer, once."""
        ...

    def mend(self) -> None:
        """Answer rightly again."""
        ...

    def filed(self) -> list[Any]:
        """Return the messages that it holds."""
        ...

    def told(self) -> list[str]:
        """Return the codes of the notices that its staff see."""
        ...


class Fhir:
    """A health record with a FHIR interface; its staff write drafts into it."""

    name = "fhir"

    def __init__(self, home: Path) -> None:
        self._server, self._home = FhirServer(), home
        self._drafts: dict[bytes, str] = {}

    async def start(self) -> None:
        """Listen."""
        await self._server.start()
        if not self._server.store:
            add_patient(self._server)
            self.adapter = open_adapter(self._server, self._home)

    async def stop(self) -> None:
        """Go down."""
        await self._server.close()

    async def say(self, draft: Mapping[str, Any]) -> None:
        """Put the draft there; a second time, have what was said of it forgotten, as by a backup that is restored."""
        raw = dump(draft)
        if raw in self._drafts:
            self._server.change(self._drafts[raw], status="preparation")
        else:
            self._drafts[raw] = put_draft(self._server, raw)

    def mislead(self) -> None:
        """Answer with a proxy's page."""
        self._server.answers = ["html"]

    def mend(self) -> None:
        """Find that it was asked meanwhile."""
        assert not self._server.answers

    def filed(self) -> list[Any]:
        """Return the messages of its documents."""
        return [read_message(one) for one in self._server.of("DocumentReference")]

    def told(self) -> list[str]:
        """Return what is owed and late, which is urgent there."""
        late = [one for one in self._server.of("CommunicationRequest") if one["priority"] == "asap"]
        return ["overdue" for _ in late]


class Hl7:
    """A hospital's system: documents to it, its referrals from it."""

    name = "hl7"

    def __init__(self, home: Path) -> None:
        self._hospital, self._home = Hospital(), home
        self._open = False

    async def start(self) -> None:
        """Listen, and call."""
        await self._hospital.start()
        if not self._open:
            options = {**LISTENING, "to": self._hospital.place}
            self.adapter = Hl7Adapter.configure(options, self._home)
            self._open = True

    async def stop(self) -> None:
        """Go down."""
        await self._hospital.close()

    async def say(self, draft: Mapping[str, Any]) -> None:
        """Send the referral, whose NHS number is verified; *draft* says when it was made."""
        at = draft["message"]["referred_at"].translate({ord(sign): None for sign in "-:TZ"})
        lines = [line.replace("20260414103000", f"{at}+0000") if line.startswith("RF1") else line for line in REFERRAL]
        pid = next(number for number, line in enumerate(lines) if line.startswith("PID"))
        lines[pid] += "|" * 21 + "NSTS01"
        _ = [one async for one in self.adapter.collect()]  # it listens from then on
        assert (await say(self.adapter, *lines))[0] == "AA"

    def mislead(self) -> None:
        """Answer about another message."""
        self._hospital.answers = ["other"]

    def mend(self) -> None:
        """Find that it was asked meanwhile."""
        assert not self._hospital.answers

    def filed(self) -> list[Any]:
        """Return the messages that its documents hold."""
        return [self._hospital.read(number) for number in self._hospital.documents]

    def told(self) -> list[str]:
        """Return nothing: HL7 has no place for notices, and the gateway's pages have them."""
        return []


class Posted:
    """A system of an agency's own that takes and posts signed webhooks."""

    name = "webhook"

    def __init__(self, home: Path) -> None:
        self._agency, self._home = Agency(), home
        self._drafts: dict[bytes, str] = {}
        self._open = False

    async def start(self) -> None:
        """Listen, and post."""
        await self._agency.start()
        if not self._open:
            (self._home / "secret").write_text(SECRET)
            (self._home / "drafts-secret").write_text(DRAFTS_SECRET)
            options = {**PORT, "url": self._agency.url, "secret": "secret"}
            self.adapter = WebhookAdapter.configure(options, self._home)
            self._open = True

    async def stop(self) -> None:
        """Go down."""
        await self._agency.close()

    async def say(self, draft: Mapping[str, Any]) -> None:
        """Post the draft; a second time under the same id."""
        body = json.dumps({"type": "draft", "data": {"draft": draft, "documents": []}}).encode()
        name = self._drafts.setdefault(body, f"msg_{len(self._drafts)}")
        _ = [one async for one in self.adapter.collect()]  # it listens from then on
        assert (await post(self.adapter, body, sign(body, name)))[0] == 202

    def mislead(self) -> None:
        """Answer with a proxy's page."""
        self._agency.ways = ["html"]

    def mend(self) -> None:
        """Find that it was asked meanwhile."""
        assert not self._agency.ways

    def filed(self) -> list[Any]:
        """Return the messages that it holds."""
        return [held["message"] for held in self._agency.records.values()]

    def told(self) -> list[str]:
        """Return the notices that it was posted."""
        return [one["notice"] for one in self._agency.notices.values()]


class Share:
    """An office with a network share, on which what comes is laid down."""

    def __init__(self, home: Path) -> None:
        self._home, self._root = home, home / "sheets"
        self._away = home / "unmounted"
        self._said = 0

    def _open(self) -> Adapter:
        raise NotImplementedError

    async def start(self) -> None:
        """Mount the share."""
        if self._away.exists():
            shutil.rmtree(self._root, ignore_errors=True)
            self._away.rename(self._root)
            return
        (self._root / "in").mkdir(parents=True)
        (self._root / "in" / ".share").touch()
        (self._root / "out").mkdir()
        self.adapter = self._open()

    async def stop(self) -> None:
        """Unmount it: what is under its mount point is another disk."""
        self._root.rename(self._away)
        self._root.mkdir()

    def mislead(self) -> None:
        """Have another share mounted there, which has the same folders and not the administrator's mark."""
        self._root.rename(self._away)
        for name in ("in", "out"):
            (self._root / name).mkdir(parents=True)

    def mend(self) -> None:
        """Have the right one mounted again; nothing was written into the wrong one."""
        assert not [path for path in self._root.rglob("*") if path.is_file()]
        shutil.rmtree(self._root)
        self._away.rename(self._root)

    def filed(self) -> list[Any]:
        """Return the messages that were laid down."""
        return [json.loads(path.read_bytes()) for path in (self._root / "in").glob("*/message.json")]

    def told(self) -> list[str]:
        """Return the notices that lie there."""
        return [json.loads(path.read_bytes())["notice"] for path in (self._root / "in" / "notices").glob("*.json")]


class Sheets(Share):
    """Sheets of referrals go out of the share, too."""

    name = "spreadsheet"

    def _open(self) -> Adapter:
        return SpreadsheetAdapter.configure({**SHEETS, "share": True}, self._home)

    async def say(self, draft: Mapping[str, Any]) -> None:
        """Put in a sheet that has the row twice, whole; put in again, it is another sheet with the same rows."""
        at = draft["message"]["referred_at"]
        moment = f"{at[8:10]}/{at[5:7]}/{at[:4]} {int(at[11:13]) + 1:02}:{at[14:16]}"
        row = [moment if cell == "14/04/2026 10:30" else cell for cell in GOOD]
        self._said += 1
        (self._root / "out" / f"Monday {self._said}.csv").write_bytes(as_csv([HEADING, row, row]))

    def reports(self) -> list[str]:
        """Return what became of each row, by the reports: `sent`, or the code."""
        found = []
        for path in self._root.glob("*/Monday */report.csv"):
            rows = csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline=""))
            found += [row["code"] or row["outcome"] for row in rows]
        return sorted(found)


class Folders(Share):
    """Drafts go out of the share, too, a folder each."""

    name = "folder"

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._drafts: dict[bytes, str] = {}

    def _open(self) -> Adapter:
        return FolderAdapter.configure({"path": "sheets", "share": True, "settle": 0}, self._home)

    async def say(self, draft: Mapping[str, Any]) -> None:
        """Put the draft in; a second time its folder is gone already, and what was sent isn't put in again by anybody."""
        raw = dump(draft)
        if raw not in self._drafts:
            self._drafts[raw] = f"draft {len(self._drafts)}"
            folder = make_folder(self._root / "out" / self._drafts[raw])
            (folder / "message.json").write_bytes(raw)


class Meshed:
    """A trust whose engine has a MESH mailbox and nothing else; the line to the MESH server can be cut."""

    name = "mesh"

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        self.engine, self._home = Engine(sandbox), home
        self._line, self._at = AsyncExitStack(), 0
        self._trouble = Trouble()
        self._drafts: dict[bytes, str] = {}

    async def start(self) -> None:
        """Let the gateway reach the MESH server."""
        port = int(self.engine.sandbox.url.rpartition(":")[2])
        first = not self._at
        self._at = await self._line.enter_async_context(line_to(port, self._at, self._trouble))
        if first:
            options = mailbox_options(self.engine, self._home, url=f"http://127.0.0.1:{self._at}", notices=NOTICES)
            self.adapter = MeshAdapter.configure(options, self._home)

    async def stop(self) -> None:
        """Cut the line; what the MESH server holds stays there, and the engine doesn't notice."""
        await self._line.aclose()

    async def say(self, draft: Mapping[str, Any]) -> None:
        """Have the engine send the draft; a second time under the same local id."""
        raw = dump(draft)
        name = self._drafts.setdefault(raw, f"L-{len(self._drafts)}")
        await asyncio.to_thread(self.engine.send, raw, local_id=name)

    async def work(self) -> None:
        """Have the engine file what came, and say so."""
        await asyncio.to_thread(self.engine.work)

    def mislead(self) -> None:
        """Answer whatever is sent with a proxy's page."""
        self._trouble.on = True

    def mend(self) -> None:
        """Find that it was asked meanwhile."""
        self._trouble.on = False
        assert self._trouble.hits

    def filed(self) -> list[Any]:
        """Return the messages that the record system holds."""
        return [self.engine.read(record) for record in self.engine.records]

    def told(self) -> list[str]:
        """Return the codes of the notices that the engine got."""
        return [said["notice"] for workflow, said in self.engine.told if workflow == NOTICES]


@asynccontextmanager
async def running(kind: Callable[[Path], Any], home: Path) -> AsyncIterator[Any]:
    """Give a system of *kind* that is up, and close what it opened."""
    system = kind(make_folder(home))
    await system.start()
    try:
        yield system
    finally:
        close = getattr(system.adapter, "close", None)
        if close is not None:
            await close()
        if not isinstance(system, Share):
            await system.stop()
