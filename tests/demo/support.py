"""A small input for the demo: two discussions of the shipped ones, and the agencies that they concern."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[2] / "docs" / "examples"
KEPT = ("EX-2026-071", "EX-2026-072")


def small_input(folder: Path) -> Path:
    """Copy the shipped input to *folder*, less all discussions but two, and less agencies that these don't concern."""
    shutil.copytree(SHIPPED, folder)
    with (folder / "quarter.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row[0] in ("discussion", *KEPT)]
    with (folder / "quarter.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    (folder / "outages.csv").write_text("agency,from,to,why\n", encoding="utf-8")
    for report in (folder / "reports").glob("*.json"):
        report.unlink()
    text = (folder / "county.toml").read_text("utf-8")
    head, *agencies = text.split("[[agencies]]\n")
    unconcerned = ("harbour-sexual-health", "exampleshire-youth-offending")
    kept = [agency for agency in agencies if not any(f'id = "{name}"' in agency for name in unconcerned)]
    (folder / "county.toml").write_text("[[agencies]]\n".join([head, *kept]), encoding="utf-8")
    return folder
