"""Exampleshire Constabulary's records, as a force has them: nominals, incidents, missing episodes, warning markers, intelligence, custody.

It has rules of its own, which the gateway neither knows nor replaces: who may grade, what may be charged, which marker is a duplicate.
What an officer does is a method; what goes to partners is put into the outbox.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from tests.profiles.server import RecordsServer

LONDON = ZoneInfo("Europe/London")
Fields = dict[str, Any]
# Who may do what there: the role of an officer's account.
MAY_GRADE, MAY_RELEASE, MAY_CHARGE = "INTEL", "EXPLOITATION", "CUSTODY"
UNGRADED_OUTCOMES = frozenset({"NFA", "MORE", "URGENT", "DUP"})


def officer(role: str, name: str = "Morgan Sample") -> Fields:
    """Return an officer's account."""
    return {"name": name, "role": role, "collar": "EX 1234"}


class ForceSystem(RecordsServer):
    """The force's records; ``now`` gives UTC milliseconds, and what it writes is wall clock."""

    def __init__(self, now: Callable[[], int]) -> None:
        super().__init__()
        self._now = now
        self.nominals: dict[str, Fields] = {}
        self.incidents: dict[str, Fields] = {}
        self.episodes: dict[str, Fields] = {}
        self.intelligence: dict[str, Fields] = {}
        self.markers: dict[str, Fields] = {}
        self.custody: dict[str, Fields] = {}
        self.custody_markers: dict[str, Fields] = {}
        self.list: Fields | None = None
        self._follows: dict[str, list[tuple[str, Fields]]] = {}

    def wall(self, later: timedelta = timedelta()) -> str:
        """Return what the clock on the wall shows."""
        at = datetime.fromtimestamp(self._now() / 1000, UTC).astimezone(LONDON) + later
        return at.replace(tzinfo=None).isoformat(sep=" ", timespec="minutes")

    def add_nominal(self, number: str, full_name: str, born: str, **more: Any) -> Fields:
        """Enter a person."""
        self.nominals[number] = {
            "number": number, "full_name": full_name, "born": born, "born_estimated": "N", "sex": "UNKNOWN",
            "nhs_checked": "Y" if more.get("nhs_number") else "N", "address_protected": "N",
            "home_authority": "X99000001", "looked_after_under": "NONE",
        } | more  # fmt: skip
        return self.nominals[number]

    def find_nominal(self, child: Fields) -> Fields | None:
        """Return who *child* is here: by NHS number, else by name and birth."""
        if number := child.get("nhs_number"):
            return next((one for one in self.nominals.values() if one.get("nhs_number") == number), None)
        day = datetime.fromisoformat(child["born"]).strftime("%d/%m/%Y") if "born" in child else None
        same = [one for one in self.nominals.values() if (one["full_name"], one["born"]) == (child["full_name"], day)]
        return same[0] if len(same) == 1 else None

    # ---- incidents

    def log_incident(self, number: str, child: str, rag: str, *, share: bool = True, **more: Any) -> None:
        """Record an incident in which *child* is involved; *share*: the partners' notice is ticked."""
        self.incidents[number] = {
            "number": number, "child": self.nominals[child], "rag": rag, "involvement": "VIC",
            "occurred": self.wall(timedelta(hours=-2)), "summary": "A disturbance at the address.",
            "officer": officer("RESPONSE"),
        } | more  # fmt: skip
        if share:
            self.send("incident", dict(self.incidents[number]), key=f"incident-{number}-1")

    def regrade(self, number: str, rag: str, by: Fields) -> None:
        """Give an incident another grade, and tell those who had the first."""
        one = self.incidents[number]
        one |= {"rag": rag, "officer": by}
        self.send("incident", dict(one), key=f"incident-{number}-2")

    def reconcile(self, first: str, last: str, reasons: Fields, by: Fields) -> Fields:
        """Count the incidents of a period about children, and say of each that no notice was sent of why."""
        unsent = [{"number": one, "reason": reasons[one]} for one in self.incidents if not self._is_shared(one)]
        fields = {
            "number": f"RET-{first}", "period_from": first, "period_to": last, "made": self.wall(),
            "occurred": len(self.incidents), "sent": len(self.incidents) - len(unsent), "unsent": unsent, "officer": by,
        }  # fmt: skip
        if unsent:
            fields["cause"] = "Found when the month was counted."
        self.send("incident_return", fields)
        return fields

    def _is_shared(self, number: str) -> bool:
        return "hub_thread" in self.incidents[number]

    # ---- missing children

    def open_missing(self, number: str, child: str, absence: str, risk: str = "MEDIUM", **more: Any) -> None:
        """Open an episode."""
        self.episodes[number] = {
            "episode": number, "child": self.nominals[child], "absence": absence, "risk": risk,
            "last_seen": self.wall(timedelta(hours=-3)), "last_seen_at": "The placement", "reported": self.wall(),
            "circumstances": "Left after supper.", "exploitation_known": "N", "officer": officer("MISSING"),
            "placement": "PL-7" if "HOME" not in absence else None,
        } | more  # fmt: skip
        self.send("missing_opened", dict(self.episodes[number]), key=f"{number}-opened")

    def update_missing(self, number: str, change: str, **more: Any) -> None:
        """Add to an episode what is newly known."""
        self.episodes[number] |= {
            name: more[name] for name in more if name in {"risk", "circumstances"}
        }  # what it is now; the change itself is only the update's
        self._follow(number, "missing_updated", {"change": change, "updated": self.wall(), **more})

    def reclassify(self, number: str, absence: str, following: str) -> None:
        """End an episode because the absence is of the other kind now, and open the one that follows it."""
        one = self.episodes[number]
        self._follow(number, "missing_updated", {"change": "CLASS", "updated": self.wall(), "next_episode": following})
        more = {"last_seen": self.wall(), "placement": one["placement"], "reported": self.wall()}
        child = one["child"]["number"]
        self.open_missing(following, child, absence, one["risk"], **more)

    def return_missing(self, number: str, **more: Any) -> None:
        """Close an episode: the child is back."""
        fields = {"returned": self.wall(), "found_by": "POL", "return_place": "The bus station", **more}
        self._follow(number, "missing_returned", fields)

    def _follow(self, number: str, kind: str, more: Fields) -> None:
        """Send what follows an episode's report; until that has gone, it waits."""
        waiting = self._follows.setdefault(number, [])
        waiting.append((kind, more))
        self._release(number)

    def _release(self, number: str) -> None:
        one = self.episodes[number]
        if "hub_thread" not in one:
            return
        for kind, more in self._follows.pop(number, []):
            self.send(kind, {**one, **more})

    # ---- intelligence

    def grade(self, reference: str, by: Fields, grade: str, handling: str, conditions: Sequence[str] = ()) -> None:
        """Grade a submission in 3x5x2; only the intelligence unit may."""
        if by["role"] != MAY_GRADE:
            raise PermissionError("only the intelligence unit grades")
        self.intelligence[reference] |= {"grade": grade, "handling": handling, "conditions": list(conditions)}

    def decide(self, reference: str, by: Fields, outcome: str, **more: Any) -> None:
        """Say what became of a submission; what becomes a log must have been graded."""
        one = self.intelligence[reference]
        if one["grade"] is None and outcome not in UNGRADED_OUTCOMES:
            raise PermissionError("it isn't graded")
        fields = {"officer": by, "hub": self._hub(reference)}
        if one["report_id"]:
            fields |= {"report_id": one["report_id"], "outcome": outcome, "decided": self.wall(), **more}
            self.send("submission_outcome", fields)
        else:
            self.send("item_stage", fields | {"item_id": one["item_id"], "stage": outcome, "at": self.wall(), **more})

    def make_digest(self, number: str, by: Fields, texts: Fields, to: Sequence[str]) -> None:
        """Send a digest of what was graded, each by a text that a person has sanitised, as its grading allows."""
        items = []
        for reference, text in texts.items():
            one = self.intelligence[reference]
            if one["grade"] is None:
                raise PermissionError("it isn't graded")
            items.append({
                "item_id": one["item_id"], "sanitised": text, "keywords": one["keywords"], "grade": one["grade"],
                "handling": one["handling"], "conditions": one["conditions"] or None,
            })  # fmt: skip
        first, last = (self.wall(timedelta(days=-7)), self.wall())
        self.send("digest", {
            "number": number, "issued": self.wall(), "period_from": first, "period_to": last, "items": items,
            "sanitised_by": "INT-4", "officer": by, "to": list(to),
        })  # fmt: skip

    # ---- warning markers

    def markers_of(self, nominal: str) -> list[str]:
        """Return what an officer who looks the person up sees."""
        return [one["marker"] for one in self.markers.values() if one["nominal"] == nominal and one["active"]]

    def review_marker(self, reference: str, by: Fields, result: str, review: str) -> None:
        """Look at a marker again."""
        more = {
            "reviewed": self.wall(),
            "reviewed_by": by["collar"].replace(" ", "-"),
            "result": result,
            "review": review,
        }
        self.send("marker_review", {**self.markers[reference], **more, "officer": by})

    def clear_marker(self, reference: str, by: Fields, why: str) -> None:
        """Take a marker down, and tell whoever asked for it."""
        self.markers[reference]["active"] = False
        self.records[reference]["ended"] = True
        more = {"cleared": self.wall(), "why": why, "officer": by}
        self.send("marker_cleared", {**self.markers[reference], **more})

    def _set_marker(self, reference: str, fields: Fields) -> None:
        nominal = self.find_nominal(fields["child"])
        one = {
            "flag_id": fields["flag_id"], "marker": fields["marker"], "source_risk": fields["source_risk"],
            "child": nominal or {**fields["child"], "number": fields["child"]["local_id"]},
            "hub": self._hub(reference), "officer": officer("DESK"), "answered": self.wall(), "active": False,
            "nominal": nominal["number"] if nominal else None,
        }  # fmt: skip
        if nominal is None:
            self.send("marker_answer", one | {"answer": "NOT SET", "why_not": "ID"})
        elif fields["marker"] in self.markers_of(nominal["number"]):
            self.send("marker_answer", one | {"answer": "NOT SET", "why_not": "DUP"})
        else:
            review = fields.get("review") or self.wall(timedelta(days=90))[:10]
            one |= {"active": True, "set": self.wall(), "review": review}
            self.markers[reference] = one
            # Looked up again as an officer would, before it is said to stand.
            assert fields["marker"] in self.markers_of(nominal["number"])
            self.send("marker_answer", one | {"answer": "SET", "seen": self.wall()})

    # ---- custody

    def book_in(self, number: str, nominal: str) -> None:
        """Open a custody record."""
        self.custody[number] = {"nominal": nominal, "seen": set(), "charged": False}

    def look_at(self, number: str, by: Fields) -> list[Fields]:
        """Return the markers on a custody record; who decides has seen them then."""
        nominal = self.custody[number]["nominal"]
        found = {name: one for name, one in self.custody_markers.items() if one["nominal"] == nominal}
        if by["role"] == MAY_CHARGE:
            self.custody[number]["seen"] |= found.keys()
        return list(found.values())

    def charge(self, number: str, by: Fields) -> None:
        """Charge; not before whoever decides has seen that the child may be exploited."""
        nominal = self.custody[number]["nominal"]
        on_it = {name for name, one in self.custody_markers.items() if one["nominal"] == nominal}
        if by["role"] != MAY_CHARGE or not on_it <= self.custody[number]["seen"]:
            raise PermissionError("a marker on the record hasn't been seen")
        self.custody[number]["charged"] = True

    def consider_nrm(self, reference: str, by: Fields, decision: str, **more: Any) -> None:
        """Record whether the child is referred as a possible victim of trafficking."""
        one = self.custody_markers[reference]
        fields = {
            "number": f"NRM-{reference}", "child": self.nominals[one["nominal"]], "considered": self.wall(),
            "considered_by": "EX-1234", "decision": decision, "hub": self._hub(reference), "officer": by,
        }  # fmt: skip
        self.send("nrm", fields | more)

    # ---- the exploitation team's list

    def release_list(self, by: Fields, version: str, nominals: Sequence[str], contact: str) -> None:
        """Release the list of children at risk; only the exploitation team may."""
        if by["role"] != MAY_RELEASE:
            raise PermissionError("only the exploitation team releases the list")
        day = self.wall()[:10]
        lines = [
            {"nhs_number": self.nominals[one]["nhs_number"], "risk_marker": "known_risk", "contact_inbox": contact, "added_on": day}
            for one in nominals
        ]  # fmt: skip
        self.list = {"version": version, "author": {"name": by["name"], "role": "exploitation_officer"}, "lines": lines}

    # ---- what the interface does

    def took(self, kind: str, reference: str, record: Fields) -> None:
        """Take up what was filed."""
        fields = record["fields"]
        if kind == "intelligence":
            self._take_intelligence(reference, fields)
        elif kind == "warning_marker":
            self._set_marker(reference, fields)
        elif kind == "custody_marker":
            nominal = self.find_nominal(fields["child"])
            self.custody_markers[reference] = {**fields, "nominal": nominal["number"] if nominal else None}

    def _take_intelligence(self, reference: str, fields: Fields) -> None:
        # Whatever came with it, nothing is graded until somebody here has graded it.
        one = {"grade": None, "handling": None, "conditions": [], "keywords": fields["keywords"]}
        self.intelligence[reference] = one | {name: fields.get(name) for name in ("report_id", "item_id")}
        if fields.get("report_id"):
            self.send("submission_received", {
                "report_id": fields["report_id"], "received": self.wall(), "officer": officer("INTEL"),
                "hub": self._hub(reference),
            })  # fmt: skip

    def told(self, key: str, entry: Fields, answer: Fields) -> None:
        """Keep under which envelope and thread something went: what follows it names them."""
        if not answer["sent"]:
            return
        ties = {"hub_thread": answer["thread"], "hub_envelope": answer["envelope"], "hub_previous": answer["envelope"]}
        if entry["kind"] == "incident":
            self.incidents[entry["fields"]["number"]] |= ties
        elif entry["kind"] == "missing_opened":
            self.episodes[entry["fields"]["episode"]] |= ties | {"ids": answer["ids"]}
            self._release(entry["fields"]["episode"])

    def routes(self, app: web.Application) -> None:
        """Give the list too."""

        async def give(_: web.Request) -> web.StreamResponse:
            return web.json_response(self.list, status=404 if self.list is None else 200)

        app.router.add_get("/hub/at-risk-list", self._guard(give))

    def _hub(self, reference: str) -> Fields:
        hub: Fields = self.records[reference]["fields"]["hub"]
        return {name: hub[name] for name in ("envelope", "thread", "mailbox", "sender")}
