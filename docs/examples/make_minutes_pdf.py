"""Make the minutes in ``minutes/`` from the records in ``discussions/``, one PDF for each.

Needs ``fpdf2``.  Run it again after changing a record: ``uv run python docs/examples/make_minutes_pdf.py``.
The text is stored uncompressed and the date is the approval's, so the same record always gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import XPos, YPos

HERE = Path(__file__).parent
BANNER = "FICTIONAL DATA - Exampleshire does not exist"
MODES = {"phone": "by telephone", "virtual": "by video", "meeting": "in one room"}
NEXT = {"new_x": XPos.LMARGIN, "new_y": YPos.NEXT}


class Minutes(FPDF):
    """A4 pages, each with the banner above and the classification and page number below."""

    def __init__(self, reference: str, classification: str) -> None:
        super().__init__(format="A4")
        self.reference, self.classification = reference, classification
        self.set_compression(False)
        self.set_auto_page_break(True, margin=20)

    def header(self) -> None:
        """Draw the banner."""
        self.set_font("Helvetica", "B", 9)
        self.cell(0, 6, BANNER, align="C", **NEXT)
        self.ln(2)

    def footer(self) -> None:
        """Draw classification, reference and page number."""
        self.set_y(-15)
        self.set_font("Helvetica", "", 8)
        self.cell(0, 6, f"{self.classification}   {self.reference}   fictional data   page {self.page_no()}", align="C")

    def section(self, title: str, lines: Iterator[str]) -> None:
        """Draw one heading and its paragraphs."""
        self.set_font("Helvetica", "B", 11)
        self.cell(0, 7, title, **NEXT)
        self.set_font("Helvetica", "", 10)
        for line in lines:
            self.multi_cell(0, 5, line.encode("latin-1", "replace").decode("latin-1"), **NEXT)
        self.ln(2)


def words(code: str) -> str:
    """Return a code as words: ``not_invited`` as ``not invited``."""
    return code.replace("_", " ")


def sections(record: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield each heading with its paragraphs, in the order in which a reader needs them."""
    child = record["child"]
    born = f"born {child['dob']}" if "dob" in child else f"expected {child['expected_dob']}"
    number = child.get("nhs_number", "none")
    yield (
        "Child",
        [f"{child['name']}, {born}. Record {child['local_id']}. NHS number {number} ({child['nhs_number_status']})."],
    )
    kind = f"{words(record['discussion_stage']).capitalize()} discussion, {record['urgency']}"
    hours = f"from {record['started_at']} to {record['ended_at']} (UTC)"
    who = f"Chair {record['chair']}, minutes {record['minute_taker']}."
    yield "Discussion", [f"{kind}, {MODES[record['discussion_mode']]}; {hours}. {who}"]
    yield "Why it was called", [record["trigger_summary"], "Categories: " + ", ".join(record["abuse_categories"])]
    yield (
        "Who took part",
        [
            f"{person['name']} ({words(person['role'])}), {person['org']}: {words(person['attendance'])}"
            for person in record["participants"]
        ],
    )
    yield (
        "Adults",
        [
            f"{adult['name']}: {words(adult['relationship'])}, {'in' if adult['in_household'] else 'outside'} the household; "
            f"poses risk: {adult['poses_risk']}; probation check: {words(adult['check_state'])}"
            for adult in record["adults"]
        ],
    )
    yield (
        "What each agency said",
        [
            f"{block['org']} ({block['info_kind']}"
            + (f"; {', '.join(map(words, block['handling_marks']))}" if block["handling_marks"] else "")
            + f"): {block['content']}"
            for block in record["information_blocks"]
        ],
    )
    yield "History", [record["history"]]
    yield "Risk", [record["risk_factors"]]
    yield "Protection", [record["protective_factors"]]
    yield "Views", [f"Child: {record['child_views']}", f"Parents: {record['parent_views']}"]
    yield "Analysis", [record["analysis"]]
    if record["dissent"]:
        yield "Dissent", [f"{row['who']}: {row['what']}" for row in record["dissent"]]
    yield "Immediate safety", [record["immediate_safety"]]
    yield "Decision", [f"Section 47 enquiry: {record['s47_decision']}. {record['decision_rationale']}"]
    if record.get("s47_plan"):
        yield (
            "Plan of the enquiry",
            [f"{step['task']} ({step['who']}, by {step['due_at']})" for step in record["s47_plan"]],
        )
    yield "Actions", [f"{a['description']} ({a['owner_role']}, by {a['due_at']})" for a in record["actions"]]
    yield (
        "What the family is told",
        [f"{row['whom']}, by {row['who_tells']}: {row['what']}" for row in record["family_information_plan"]],
    )
    yield "If it goes wrong", [record["contingency"]]
    target = f", by {record['icpc_target_date']}" if record["icpc_needed"] else ""
    yield "Child protection conference", [("Needed" if record["icpc_needed"] else "Not needed") + target]
    yield (
        "Distribution",
        [f"{row['inbox']}: {words(row['variant'])} ({row['basis']})" for row in record["distribution"]],
    )


def make(source: Path, target: Path) -> None:
    """Write the minutes of the record in *source* to *target*."""
    document = json.loads(source.read_bytes())
    record = document["record"]
    pdf = Minutes(document["reference"], document["classification"])
    pdf.set_creation_date(datetime.fromisoformat(record["approved_at"]))
    pdf.set_title(f"Minutes of a discussion, {document['reference']} (fictional data)")
    pdf.add_page()
    pdf.set_font("Helvetica", "B", 15)
    pdf.cell(0, 10, f"Minutes of a strategy discussion: {document['reference']}", **NEXT)
    for title, lines in sections(record):
        pdf.section(title, iter(lines))
    pdf.output(str(target))


def main() -> None:
    """Make every PDF again."""
    (HERE / "minutes").mkdir(exist_ok=True)
    for source in sorted((HERE / "discussions").glob("*.json")):
        make(source, HERE / "minutes" / f"{source.stem}.pdf")


if __name__ == "__main__":
    main()
