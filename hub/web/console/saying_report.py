"""The words of the quarterly report, which its page and its PDF share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hub.quarterly import Quarter, Report
from hub.web.console.frame import Words

HEADS: Final[Mapping[str, str]] = {
    "owed": "Owed",
    "sent": "Sent",
    "received": "Received",
    "received_rate": "Share",
    "missing": "Missing",
}
_MONTHS: Final = ("January to March", "April to June", "July to September", "October to December")


def say_quarter(quarter: Quarter) -> str:
    """Return a quarter in words: ``July to September 2026``."""
    return f"{_MONTHS[quarter.number % 4]} {quarter.number // 4}"


def explain(report: Report, words: Words) -> tuple[str, ...]:
    """Return what a reader of *report* must know before its tables."""
    return (
        (
            f"What fell due in {say_quarter(report.quarter)}, as it stood on {words.moment(report.at)}, counted from "
            f"{report.size:,} entries of the audit log. Anyone who may read that log can count it again."
        ),
        "In 2018 an audit found that 25% of such records had been received.",
        (
            f"Counts under {report.least} are left out, and others with them where they could be worked out from what is shown: "
            "a small count may point to a child. Nought is always shown. Totals over types are not given, for the same reason."
        ),
    )
