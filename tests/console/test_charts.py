"""Charts: what they say to who can't see them, and that nothing in them can harm a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from hub.web.console.charts import Bar, Mark, Series, draw_bars, draw_lines, percent

SVG = "{http://www.w3.org/2000/svg}"
MARK = Mark(0.25, "25% received in 2018")


def _parse(drawing: str) -> ET.Element:
    return ET.fromstring(str(drawing))  # noqa: S314 our own drawing


def test_a_chart_over_time_says_its_ends_and_leaves_gaps() -> None:
    """A month in which nothing was owed has no mark, and the line doesn't cross it."""
    series = [Series("Received", [0.1, None, 0.5, 0.75])]
    drawing = _parse(draw_lines("over-time", "Received", ["Jan", "Feb", "Mar", "Apr"], series, MARK))
    assert drawing.attrib["role"] == "img"
    assert drawing.attrib["aria-labelledby"] == "over-time-title over-time-desc"
    described = drawing.find(f"{SVG}desc")
    assert described is not None
    assert described.text == (
        "Received: 10% in Jan, 75% in Apr. The line: 25% received in 2018. The table has every figure."
    )
    assert len(drawing.findall(f".//{SVG}circle")) == 3
    assert len(drawing.findall(f".//{SVG}polyline")) == 2


def test_each_series_has_a_mark_of_its_own() -> None:
    """Colour alone tells nothing to who can't tell colours apart."""
    series = [Series(str(number), [0.1, 0.2]) for number in range(4)]
    drawing = _parse(draw_lines("many", "Many", ["a", "b"], series, None))
    shapes = {len(one.attrib["points"].split()) for one in drawing.findall(f".//{SVG}polygon")}
    assert shapes == {3, 4}
    kinds = {one.attrib["class"] for one in drawing.iter() if "chart-dot" in one.attrib.get("class", "")}
    assert len(kinds) == 4


def test_nothing_to_show_is_said() -> None:
    """An empty chart is still a drawing with words."""
    assert "nothing to show" in draw_lines("none", "None", ["Jan"], [Series("Received", [None])], None)
    assert "<rect" not in draw_bars("bars", "Bars", [Bar("Health", None, "left out")], MARK)


def test_bars_say_what_they_show() -> None:
    """Name, count and share stand in the drawing and in its description."""
    drawing = draw_bars("bars", "By agency", [Bar("Northmere Health", 0.25, "8 of 32 (25%)")], MARK)
    assert drawing.count("8 of 32 (25%)") == 2
    (bar,) = _parse(drawing).findall(f".//{SVG}rect")
    assert float(bar.attrib["width"]) > 0


def test_a_name_is_never_markup() -> None:
    """What an agency is called can't end the drawing or begin a script, and no style is written in it."""
    drawing = draw_bars('b"', "<script>alert(1)</script>", [Bar("</svg><b onload=x>", 0.5, "&")], None)
    assert "<script" not in drawing
    assert "<b " not in drawing
    assert not re.search(r"\sstyle=|\son\w+=", _parse(drawing).tag + str(_parse(drawing).attrib))
    assert _parse(drawing).attrib["aria-labelledby"].startswith('b"')


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0, "0%"), (0.0004, "0.0%"), (0.25, "25%"), (0.996, "99.6%"), (1, "100%")]
)
def test_what_is_not_all_is_not_shown_as_all(value: float | None, text: str) -> None:
    """Rounding never makes the last missing record disappear."""
    assert percent(value) == text
