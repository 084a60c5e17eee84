"""A council's case-management application: what its social workers do, each in one transaction of its database.

Its tables are in ``schema.sql``; what happens in the database itself is in ``triggers.*.sql``.  Where a thing is to go to other
agencies, the application writes a row of the interface beside its own rows, or neither.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.base import Document
from tests.profiles.interface import Interface, run, write

HERE = Path(__file__).parent
WORKER = {"author": "Jordan Example", "author_role": "social_worker"}
MANAGER = {"author": "Morgan Sample", "author_role": "team_manager"}
_PERSON = (
    "SELECT p.pers_person_id, p.pers_sex, p.pers_ethnicity, p.pers_dob, p.pers_expected_dob, p.pers_common_child_id,"
    " o.name, o.address, o.address_restricted, o.nhs_number_traced, o.home_la, o.legal_status AS lega_legal_status"
    " FROM ssd_person AS p JOIN own_person AS o ON o.person_id = p.pers_person_id WHERE p.pers_person_id = ?"
)
_DISCUSSION = "SELECT * FROM own_discussion WHERE discussion_id = ?"


@dataclass
class CaseSystem:
    """The application over *interface*; ``invited`` are mailboxes with who comes for them."""

    interface: Interface
    invited: dict[str, str] = field(default_factory=dict)

    def install(self) -> None:
        """Make its tables, the interface tables and the triggers."""
        words = "postgresql" if self.interface.is_postgres else "sqlite"
        self.interface.make((HERE / "schema.sql").read_text(), (HERE / f"triggers.{words}.sql").read_text())

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return all rows of *table*."""
        return self.interface.run(f"SELECT * FROM {table}")

    def add_child(self, person: str, name: str, nhs_number: str, **columns: Any) -> None:
        """Enter a child who was born on 6 May 2011."""
        with self.interface.connect() as at:
            values = {
                "pers_person_id": person, "pers_sex": "U", "pers_ethnicity": "WBRI", "pers_dob": "2011-05-06 00:00:00",
                "pers_common_child_id": nhs_number,
            }  # fmt: skip
            _insert(at, "ssd_person", values)
            _insert(
                at,
                "own_person",
                {"person_id": person, "name": name, "nhs_number_traced": "Y", "home_la": "X99000001"} | columns,
            )

    def convene(self, discussion: str, person: str, at: str, *, adults: Sequence[dict[str, Any]] = ()) -> None:
        """Call a strategy discussion about *person* at the local time *at*, as of an hour before."""
        now = f"{at[:11]}08:00:00"
        with self.interface.connect() as db:
            meeting = {
                "discussion_id": discussion,
                "person_id": person,
                "kind": "strategy_discussion",
                "convened_at": now,
                "starts_at": at,
            }
            _insert(db, "own_discussion", meeting)
            self._send_next(db, discussion, "meeting_convened", {"adults": list(adults)}, attendance="invited")

    def hold(self, discussion: str, at: str, *, absent: Sequence[str] = ()) -> None:
        """Note that it was held."""
        with self.interface.connect() as db:
            run(db, "UPDATE own_discussion SET held_at = ? WHERE discussion_id = ?", at, discussion)
            why = [{"agency": box, "reason": "no_answer"} for box in absent]
            self._send_next(db, discussion, "meeting_held", {"quorum_absences": why}, absent=absent)

    def note_decisions(self, discussion: str, actions: Sequence[dict[str, Any]], **said: Any) -> None:
        """Write the decision note; each action is its owner's from then on."""
        decided = {
            "immediate_safety": "Stays with a grandparent.",
            "s47_started": "Y",
            "enquiry_mode": "joint",
            "icpc_needed": "N",
        }
        with self.interface.connect() as db:
            (row,) = run(db, _DISCUSSION, discussion)
            enquiry = f"S47-{discussion}"
            _insert(
                db,
                "ssd_s47_enquiry",
                {
                    "s47e_s47_enquiry_id": enquiry,
                    "s47e_person_id": row["person_id"],
                    "s47e_s47_start_date": row["held_at"][:10],
                },
            )
            run(db, "UPDATE own_discussion SET s47_enquiry_id = ? WHERE discussion_id = ?", enquiry, discussion)
            for one in actions:
                _insert(db, "own_action", {"discussion_id": discussion, "person_id": row["person_id"], **one})
            noted = [one | {"source_record": discussion} for one in actions]
            self._send_next(db, discussion, "decision_note", {"actions": noted}, about=decided | said)
            (row,) = run(db, _DISCUSSION, discussion)
            for one in actions:
                self._assign(
                    db, one | {"source_record": discussion, "assigned_at": row["held_at"]}, follows=row["last_row"]
                )

    def _assign(self, db: Any, action: dict[str, Any], *, follows: str) -> None:
        key = f"action-{action['action_id']}"
        write(db, key, {"action": action, **MANAGER}, "action", follows=follows)
        run(db, "UPDATE own_action SET last_row = ? WHERE action_id = ?", key, action["action_id"])

    def accept_impossible(self, action: str, at: str) -> None:
        """Agree, as chair, that an action can't be done any more, in answer to its owner's word."""
        with self.interface.connect() as db:
            (row,) = run(db, "SELECT * FROM own_action WHERE action_id = ?", action)
            about = row | {
                "source_record": row["discussion_id"], "found_at": at, "accepted_by_chair": "Y", "decided_by": "TM-1",
            }  # fmt: skip
            hub = {"to": row["owner"], "hub_thread": row["hub_thread"], "hub_envelope": row["hub_envelope"]}
            write(db, f"impossible-{action}", {"action": about, **hub, **MANAGER}, "action_impossible")

    def write_minutes(
        self, discussion: str, *papers: Document, distribution: Sequence[dict[str, str]], **said: Any
    ) -> None:
        """Write the full minutes, approved, with *papers*; they stand instead of the version before."""
        with self.interface.connect() as db:
            run(db, "UPDATE own_discussion SET version = version + 1 WHERE discussion_id = ?", discussion)
            actions = run(
                db,
                "SELECT action_id, description, owner, due_at, state FROM own_action WHERE discussion_id = ?",
                discussion,
            )
            filled = json.loads((HERE / "minutes.json").read_text())
            more = filled | {
                "distribution": list(distribution),
                "actions": [one | {"source_record": discussion} for one in actions],
            }
            before = run(
                db, "SELECT envelope FROM hub_outbox WHERE key LIKE ? ORDER BY place", f"minutes-{discussion}-%"
            )
            if before:
                more["hub_supersedes"] = before[-1]["envelope"]
            self._send_next(db, discussion, "minutes", more, about=filled["discussion"] | said, papers=papers)

    def correct(
        self,
        discussion: str,
        changes: Sequence[dict[str, Any]],
        *,
        distribution: Sequence[dict[str, str]],
        at: str,
        dispute: str | None = None,
    ) -> None:
        """Correct the minutes: what was wrong, and what stands instead; in answer to a *dispute*, if there is one."""
        with self.interface.connect() as db:
            run(db, "UPDATE own_discussion SET version = version + 1 WHERE discussion_id = ?", discussion)
            (row,) = run(db, _DISCUSSION, discussion)
            reason = {"reason": "dispute", "hub_dispute_id": dispute} if dispute else {"reason": "error_of_fact"}
            correction = {"corrected_at": at, "corrected_by": "SW-1", **reason}
            more = {"changes": list(changes), "distribution": list(distribution), "correction": correction}
            self._send_next(db, discussion, "minutes_correction", more, about={"replaces_version": row["version"] - 1})

    def _send_next(
        self, db: Any, discussion: str, kind: str, more: dict[str, Any], *, about: dict[str, Any] | None = None,
        attendance: str = "attended", absent: Sequence[str] = (), papers: Sequence[Document] = (),
    ) -> None:  # fmt: skip
        """Write the discussion's next row of the outbox, which follows the one before."""
        (row,) = run(db, _DISCUSSION, discussion)
        (child,) = run(db, _PERSON, row["person_id"])
        came = [
            {
                "name": name, "role": "practitioner", "mailbox": box, "contact": "01632 960001",
                "attendance": "no_response" if box in absent else attendance,
                "confidentiality_accepted": None if box in absent or attendance == "invited" else "Y",
            }
            for box, name in self.invited.items()
        ]  # fmt: skip
        fields = {
            "child": child, "participants": came,
            "meeting": {
                "meeting_id": discussion, "kind": row["kind"], "convened_at": row["convened_at"],
                "starts_at": row["starts_at"], "held_at": row["held_at"],
                "required_roles": ["social_care", "police", "health"],
            },
            **MANAGER, **more,
            "discussion": {"record_id": discussion, "version": row["version"] or 1, **(about or {})},
        }  # fmt: skip
        key = f"{kind}-{discussion}-{row['version']}"
        write(db, key, fields, kind, documents=papers, follows=row["last_row"])
        run(db, "UPDATE own_discussion SET last_row = ? WHERE discussion_id = ?", key, discussion)

    def acknowledge(self, contact: str, at: str) -> None:
        """Tell the referrer that the contact has come."""
        self._answer_contact(contact, "contact_received", {"contact": {"received_at": at, "received_by": "SW-1"}})

    def decide(
        self, contact: str, at: str, outcome: str | None = None, *, flags: Sequence[str] = (), nfa: bool = False
    ) -> None:
        """Decide on a contact: by an outcome of the list, or by the flags that this system exports."""
        decision = {"decided_at": at, "decided_by": "SW-1", "rationale": "Concerns that need more than advice."}
        if outcome is not None:
            self._answer_contact(contact, "referral_decided", {"decision": decision | {"outcome": outcome}})
            return
        episode = {
            "cine_referral_id": f"REF-{contact}", "cine_referral_outcome_json": json.dumps(dict.fromkeys(flags, "Y")),
            "cine_referral_nfa": "Y" if nfa else "N", "cine_referral_worker_id": "SW-1",
        }  # fmt: skip
        with self.interface.connect() as db:
            _insert(db, "ssd_cin_episodes", episode)
        exported = episode | {"cine_referral_outcome_json": dict.fromkeys(flags, "Y")}
        self._answer_contact(contact, "referral_decided_by_flags", {"decision": decision, "referral": exported})

    def _answer_contact(self, contact: str, kind: str, more: dict[str, Any]) -> None:
        with self.interface.connect() as db:
            (row,) = run(db, "SELECT * FROM own_contact WHERE contact_id = ?", contact)
            about = {"referral_id": row["referral_id"]} | more.pop("contact", {})
            hub = {"to": row["referrer"], "hub_thread": row["hub_thread"], "hub_envelope": row["hub_envelope"]}
            write(db, f"{kind}-{contact}", {"contact": about, **hub, **WORKER, **more}, kind)

    def intend_closure(
        self, closure: str, person: str, to: Sequence[str], *, at: str, window_ends: str, **said: Any
    ) -> None:
        """Announce that the work is to end, with all that is still open; nothing is left out because it is inconvenient."""
        columns = {name: said.pop(name) for name in ("sub_reason", "risk_band") if name in said}
        with self.interface.connect() as db:
            episode = {
                "cine_referral_id": f"REF-{closure}",
                "cine_person_id": person,
                "cine_close_reason": said.pop("reason", "RC7"),
            }
            _insert(db, "ssd_cin_episodes", episode)
            _insert(
                db,
                "own_closure",
                {
                    "closure_id": closure,
                    "person_id": person,
                    "referral_id": f"REF-{closure}",
                    "sub_reason": "needs_met",
                    "window_ends": window_ends,
                }
                | columns,
            )
            self._announce(db, closure, to, at, said)

    def approve_closure(self, closure: str, to: Sequence[str], *, at: str, approver: str, **said: Any) -> None:
        """Announce it again with a second approver."""
        with self.interface.connect() as db:
            self._announce(db, closure, to, at, said | {"second_approver": approver})

    def _announce(self, db: Any, closure: str, to: Sequence[str], at: str, said: dict[str, Any]) -> None:
        (row,) = run(db, "SELECT * FROM own_closure WHERE closure_id = ?", closure)
        person = row["person_id"]
        (child,) = run(db, _PERSON, person)
        (episode,) = run(db, "SELECT * FROM ssd_cin_episodes WHERE cine_referral_id = ?", row["referral_id"])
        open_work = {
            "open_actions": run(
                db,
                "SELECT action_id FROM own_action WHERE person_id = ? AND state NOT IN ('complete', 'cancelled')",
                person,
            ),
            "open_rhis": run(
                db,
                "SELECT miss_table_id FROM ssd_missing WHERE miss_person_id = ? AND miss_missing_episode_end_date IS NOT NULL AND miss_missing_rhi_offered IS NULL",
                person,
            ),
            "missing_minutes": run(
                db,
                "SELECT discussion_id FROM own_discussion WHERE person_id = ? AND held_at IS NOT NULL AND version = 0",
                person,
            ),
        }
        about = {
            "closure_id": closure, "announced_at": at, "sub_reason": row["sub_reason"], "risk_band": row["risk_band"],
            "window_ends": row["window_ends"], "child_last_seen": "2026-07-03",
            **{name: [next(iter(one.values())) for one in found] for name, found in open_work.items()}, **said,
        }  # fmt: skip
        number = run(db, "SELECT count(*) AS n FROM hub_outbox WHERE kind = 'closure_intended'")[0]["n"]
        key = f"closure-{closure}-{number}"
        write(
            db,
            key,
            {"child": child, "referral": episode, "closure": about, "to": list(to), **MANAGER},
            "closure_intended",
            follows=row["last_row"],
        )
        run(db, "UPDATE own_closure SET last_row = ? WHERE closure_id = ?", key, closure)

    def answer_objection(self, objection: str, answer: str, *, upheld: str = "N") -> None:
        """Answer an objection."""
        self.interface.run(
            "UPDATE own_objection SET answer = ?, upheld = ? WHERE hub_objection_id = ?", answer, upheld, objection
        )

    def decide_closure(self, closure: str, to: Sequence[str], decision: str, *, at: str, **said: Any) -> None:
        """Say what was decided, with an answer to each objection; it answers the announcement, and each decision before it."""
        with self.interface.connect() as db:
            (row,) = run(db, "SELECT * FROM own_closure WHERE closure_id = ?", closure)
            objections = run(
                db, "SELECT hub_objection_id, upheld, answer FROM own_objection WHERE hub_closure_id = ?",
                row["hub_closure_id"],
            )  # fmt: skip
            about = {"closure_id": closure, "decision": decision, "decided_by": "TM-1", "decided_at": at, **said}
            fields = {"closure": about, "objections": objections, "to": list(to), **MANAGER}
            before = run(
                db, "SELECT key FROM hub_outbox WHERE kind = 'closure_decided' AND follows = ?", row["last_row"]
            )
            for number, answered in enumerate([row["last_row"], *(one["key"] for one in before)]):
                key = f"closed-{closure}-{len(before)}-{number}"
                write(db, key, fields, "closure_decided", follows=answered)
            run(db, "UPDATE own_closure SET decision = ? WHERE closure_id = ?", decision, closure)

    def change_status(
        self, person: str, kind: str, change: str, *, at: str, categories: Sequence[str] = (), to: Sequence[str] = ()
    ) -> None:
        """Tell school nursing that a child's status begins, changes or ends."""
        with self.interface.connect() as db:
            (child,) = run(db, _PERSON, person)
            status = {
                "kind": kind, "change": change, "effective_on": at[:10], "decided_at": at, "lead_worker": "SW-1",
                "la_contact": "sampleton-childrens-services/mash", "categories": list(categories) or None,
            }  # fmt: skip
            write(
                db,
                f"status-{person}-{kind}-{change}",
                {"child": child, "status": status, "to": list(to), **WORKER},
                "status_changed",
            )


def _insert(db: Any, table: str, values: dict[str, Any]) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    run(db, f"INSERT INTO {table} ({names}) VALUES ({marks})", *values.values())
