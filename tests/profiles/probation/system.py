"""A probation area's case management: people on probation, enquiries with candidates, a court list, reports, referrals.

It looks for candidates and never answers by itself; one press says "not known".  People, courts and numbers are fictional.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from aiohttp import web

from tests.profiles.server import RecordsServer

GRADES = ("ADM", "PSO", "PO", "SPO", "HEAD")
Json = dict[str, Any]


@dataclass(frozen=True)
class Officer:
    """Somebody who works there."""

    staff_no: str
    name: str
    grade: str

    def signed(self) -> Json:
        """Return how a record says who made it."""
        return {"staff_no": self.staff_no, "name": self.name, "grade": self.grade}


@dataclass(frozen=True)
class Person:
    """Somebody on probation, or who was; ``pnc`` is shaped like a police reference and is none."""

    crn: str
    name: str
    dob: str
    pnc: str = ""
    other_names: tuple[str, ...] = ()
    since: str = ""
    ended: str = ""
    officer: str = ""
    rosh: str = "N"
    restrictions: str = ""
    children: str = "U"


@dataclass
class Enquiry:
    """What the system made of a question: who it might be, and the answer that a person gave; ``key`` is that in the outbox."""

    reference: str
    fields: Json
    candidates: list[str]
    key: str = ""
    state: str = "open"


@dataclass
class Report:
    """A report before a sentence: the hearing, what was asked of whom, and what came."""

    number: str
    hearing_no: str
    hearing: str
    checks: dict[str, Json] = field(default_factory=dict)


def fold(name: str) -> str:
    """Return *name* as it is compared: without accents, case, hyphens, in the order of the alphabet."""
    bare = unicodedata.normalize("NFKD", name.replace("-", " ")).encode("ascii", "ignore").decode().casefold()
    return " ".join(sorted(bare.split()))


class CaseSystem(RecordsServer):
    """The system behind the interface, and what its officers do at their screens."""

    def __init__(self, clock: Callable[[], str], people: tuple[Person, ...] = ()) -> None:
        super().__init__()
        self.clock = clock
        self.people = {one.crn: one for one in people}
        self.enquiries: dict[str, Enquiry] = {}
        self.reports: dict[str, Report] = {}
        self.referrals: dict[str, Json] = {}
        self.refused: list[tuple[str, str]] = []

    # ---- what the system does by itself

    def took(self, kind: str, reference: str, record: Json) -> None:
        """Look for candidates; put an answer to the report or referral that it belongs to."""
        fields = record["fields"]
        if kind == "enquiry":
            self.enquiries[reference] = Enquiry(reference, fields, self.find_candidates(fields))
        if kind in {"psr_answer", "refusal"} and (check := self._check_of(fields["hub"].get("re"))) is not None:
            check |= {"state": "answered", "answer": reference}
        if kind in {"referral_ack", "referral_decision"}:
            for held in self.referrals.values():
                if held.get("hub_id") == fields["referral"]:
                    held[kind] = fields

    def find_candidates(self, asked: Mapping[str, Any]) -> list[str]:
        """Return who it might be: the same day of birth, or the same words of a name where one of them has no day."""
        names = {fold(asked["name"]), *map(fold, asked.get("other_names", ()))}
        found = []
        for person in self.people.values():
            same_name = bool(names & {fold(one) for one in (person.name, *person.other_names)})
            is_close = any(set(fold(one).split()) & set(fold(person.name).split()) for one in names)
            if person.dob == asked.get("dob", person.dob) and (same_name or is_close):
                found.append(person.crn)
        return found

    def told(self, key: str, entry: Json, answer: Json) -> None:
        """Keep under which envelope and id it went, or why it didn't."""
        if not answer["sent"]:
            self.refused.append((key, answer["code"]))
        for enquiry in self.enquiries.values():
            if enquiry.key == key:
                enquiry.state = "answered" if answer["sent"] else "refused"
        if answer["sent"] and entry["kind"] == "psr_check":
            check = self.reports[entry["fields"]["report_no"]].checks[entry["fields"]["check_no"]]
            check |= {"state": "asked", "envelope": answer["envelope"]}
        if answer["sent"] and entry["kind"] == "referral":
            self.referrals[entry["fields"]["referral_no"]] |= {
                "hub_id": answer["ids"]["referral"], "envelope": answer["envelope"], "thread": answer["thread"],
            }  # fmt: skip

    def forget(self, reference: str) -> None:
        """Take out a record with all that was made of it; of a report's answer stays that there was one."""
        kind = self.records[reference]["kind"]
        super().forget(reference)
        if kind == "enquiry":
            del self.enquiries[reference]
        for report in self.reports.values():
            for check in report.checks.values():
                if check.get("answer") == reference:
                    check |= {"answer": "", "state": "answered, deleted"}

    def _check_of(self, envelope: str | None) -> Json | None:
        checks = (check for report in self.reports.values() for check in report.checks.values())
        return next((one for one in checks if envelope and one.get("envelope") == envelope), None)

    # ---- what officers do

    def press_not_known(self, reference: str, officer: Officer) -> None:
        """Answer "not known here": one press.  Pressed again it is the same answer."""
        self._reply(reference, officer, {"result": "NK"})

    def confirm(self, reference: str, crn: str, officer: Officer) -> None:
        """Answer that it is *crn*, by what the system has of them; also after it was said that nobody is known."""
        person = self.people[crn]
        said: Json = {
            "result": "KP" if person.ended else "KC",
            "known_since": person.since,
            "children": person.children,
        }
        if not person.ended:
            said |= {"officer": person.officer, "rosh": person.rosh, "restrictions": person.restrictions or "None."}
        self._reply(reference, officer, said)

    def _reply(self, reference: str, officer: Officer, said: Json) -> None:
        enquiry = self.enquiries[reference]
        key = f"{reference}-reply-{said['result']}-{len(self.refused)}"
        if enquiry.key == key:
            return
        enquiry.key, enquiry.state = key, "sending"
        hub = enquiry.fields["hub"]
        about = {
            "enquiry": enquiry.fields["enquiry"], "hub_thread": hub["thread"], "hub_envelope": hub["envelope"],
            "asked_by": hub["sender"], "answered": self.clock(), "by": officer.signed(), "urgent": hub["urgent"],
        }  # fmt: skip
        self.send("enquiry_reply", about | said, key=enquiry.key)

    def decline(self, reference: str, officer: Officer, **said: Any) -> None:
        """Refuse to tell, with the reason that there must be."""
        enquiry = self.enquiries[reference]
        hub = enquiry.fields["hub"]
        enquiry.key = f"{reference}-refusal"
        about = {
            "refusal_no": f"REF-{reference}", "hub_thread": hub["thread"], "hub_envelope": hub["envelope"],
            "asked_by": hub["sender"], "decided": self.clock(), "by": officer.signed(), "review": "2026-10-06",
        }  # fmt: skip
        self.send("enquiry_refusal", about | said, key=enquiry.key)

    def list_hearing(self, report_no: str, hearing_no: str, hearing: str) -> Report:
        """Put a hearing onto the court list, with the report that it waits for."""
        self.reports[report_no] = Report(report_no, hearing_no, hearing)
        return self.reports[report_no]

    def check_child(self, report_no: str, child: Mapping[str, str], officer: Officer) -> None:
        """Ask social care about a child, by the day of the hearing; asked again it is the same question."""
        report = self.reports[report_no]
        check_no = f"{report_no}-{child['number']}"
        if check_no in report.checks:
            return
        report.checks[check_no] = {"state": "asking"}
        fields = {
            "report_no": report_no, "check_no": check_no, "hearing_no": report.hearing_no, "hearing": report.hearing,
            "child": dict(child), "asked": self.clock(), "by": officer.signed(),
        }  # fmt: skip
        self.send("psr_check", fields, key=f"check-{check_no}")

    def refer(self, officer: Officer, **fields: Any) -> str:
        """Refer a child, as the guide asks; return the referral's number."""
        number = f"SR-{len(self.referrals) + 1}"
        self.referrals[number] = {}
        about = {"referral_no": number, "referred": self.clock(), "by": officer.signed()}
        self.send("referral", about | fields, key=f"referral-{number}")
        return number

    # ---- its screens

    def routes(self, app: web.Application) -> None:
        """Add the page that guides a referral, for whoever is signed in, of whichever grade."""
        app.router.add_get("/guide/referral", self._show_guide)

    async def _show_guide(self, request: web.Request) -> web.Response:
        if request.headers.get("X-Grade") not in GRADES:
            return web.Response(status=403)
        return web.Response(text=guide_page(guidance()), content_type="text/html")


def guidance() -> Json:
    """Return the guidance of the profile."""
    said: Json = json.loads(files("adapters.profiles.probation").joinpath("guidance.json").read_bytes())
    return said


def guide_page(said: Json) -> str:
    """Return the page that *said* is shown as: it doesn't know who looks."""
    parts = [f"<h1>{said['title']}</h1>", f"<p>{said['danger']}</p>", *(f"<p>{one}</p>" for one in said["when"])]
    for level in said["levels"]:
        examples = "".join(f"<li>{one}</li>" for one in level["looks_like"])
        parts.append(f"<h2>{level['code']} {level['title']}</h2><ul>{examples}</ul><p>{level['do']}</p>")
    for one in said["write"]:
        hints = " ".join([*one["say"], *one.get("leave_out", ())])
        parts.append(f'<label>{one["ask"]}<input name="{one["field"]}"></label><p>{hints}</p>')
    return "\n".join([*parts, *(f"<p>{one}</p>" for one in said["after"])])
