"""Charts as drawings on the page: no script, no style of their own, a title and a description for who can't see them.

A chart repeats what the table beside it says, so nothing is to be read from it alone.  Colours are classes of
``console.css``; each series has a mark of its own too.

Source: WCAG 2.2 (1.1.1, 1.4.1, 1.4.11).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import ceil
from typing import Final, NamedTuple

from markupsafe import Markup, escape

WIDTH: Final = 720
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 20, 44
_HEIGHT: Final = 300
_BAR, _GAP = 22, 14
_NAMES: Final = 230
# More words than this below one axis would run into each other.
_MOST_LABELS: Final = 8
_LONGEST_NAME: Final = 34


class Series(NamedTuple):
    """One line: a share from 0 to 1 at each place, ``None`` where there is none."""

    name: str
    values: Sequence[float | None]


class Bar(NamedTuple):
    """One bar: a share from 0 to 1, or ``None``, and in words what it is, such as "8 of 32 (25%)"."""

    name: str
    value: float | None
    text: str


class Mark(NamedTuple):
    """A line across the chart, to be compared with."""

    value: float
    text: str


def percent(value: float | None) -> str:
    """Return a share as people read it; what is not nothing and not all is never shown as if it were."""
    if value is None:
        return "-"
    whole = round(value * 100)
    if (whole == 0 and value > 0) or (whole == 100 and value < 1):
        return f"{value:.1%}"
    return f"{whole}%"


def draw_lines(name: str, title: str, labels: Sequence[str], series: Sequence[Series], mark: Mark | None) -> Markup:
    """Return a chart of shares over time; *name* is the drawing's own on its page, *labels* the places' names."""
    inner, right = _HEIGHT - _TOP - _BOTTOM, WIDTH - _LEFT - _RIGHT
    step = right / max(1, len(labels) - 1)

    def x(place: int) -> float:
        return _LEFT + (place * step if len(labels) > 1 else right / 2)

    def y(value: float) -> float:
        return _TOP + (1 - value) * inner

    parts: list[Markup] = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(_line(_LEFT, y(share), WIDTH - _RIGHT, y(share), "chart-grid"))
        parts.append(_text(_LEFT - 8, y(share) + 5, percent(share), "end"))
    every = ceil(len(labels) / _MOST_LABELS) or 1
    ends = {0: "start", len(labels) - 1: "end"} if len(labels) > 1 else {}
    parts += [
        _text(x(place), _HEIGHT - _BOTTOM + 22, label, ends.get(place, "middle"))
        for place, label in enumerate(labels)
        if place % every == 0
    ]
    if mark is not None:
        parts.append(_line(_LEFT, y(mark.value), WIDTH - _RIGHT, y(mark.value), "chart-mark"))
        parts.append(_text(WIDTH - _RIGHT, y(mark.value) - 6, mark.text, "end", "chart-mark-text"))
    for number, one in enumerate(series):
        parts += _draw_series(
            number % 4 + 1, [(x(place), None if value is None else y(value)) for place, value in enumerate(one.values)]
        )
    return _drawing(name, title, _say_lines(labels, series, mark), _HEIGHT, parts)


def _draw_series(kind: int, points: Sequence[tuple[float, float | None]]) -> Iterator[Markup]:
    for is_known, run in groupby(points, key=lambda point: point[1] is not None):
        if not is_known:
            continue
        places = [(at, height) for at, height in run if height is not None]
        path = " ".join(f"{at:.1f},{height:.1f}" for at, height in places)
        yield Markup('<polyline class="chart-line chart-{}" points="{}"/>').format(kind, path)
        for at, height in places:
            yield _dot(kind, at, height)


def _dot(kind: int, x: float, y: float) -> Markup:
    """Return the mark of a series: a disc, a square, a diamond or a triangle."""
    if kind == 1:
        return Markup('<circle class="chart-dot chart-1" cx="{:.1f}" cy="{:.1f}" r="5"/>').format(x, y)
    corners = {
        2: ((-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)),
        3: ((0, -6), (6, 0), (0, 6), (-6, 0)),
        4: ((0, -6), (6, 5), (-6, 5)),
    }[kind]
    path = " ".join(f"{x + right:.1f},{y + down:.1f}" for right, down in corners)
    return Markup('<polygon class="chart-dot chart-{}" points="{}"/>').format(kind, path)


def draw_bars(name: str, title: str, bars: Sequence[Bar], mark: Mark | None) -> Markup:
    """Return a chart of shares side by side, one row for each of *bars*."""
    height = _TOP + len(bars) * (_BAR + _GAP) + _BOTTOM
    inner = WIDTH - _NAMES - 130
    bottom = height - _BOTTOM
    parts = [
        part
        for share in (0, 0.5, 1)
        for part in (
            _line(_NAMES + share * inner, _TOP - 6, _NAMES + share * inner, bottom, "chart-grid"),
            _text(_NAMES + share * inner, bottom + 20, percent(share), "middle"),
        )
    ]
    for place, bar in enumerate(bars):
        top = _TOP + place * (_BAR + _GAP)
        parts.append(_text(_NAMES - 8, top + 16, _short(bar.name), "end"))
        if bar.value is not None:
            parts.append(
                Markup('<rect class="chart-bar" x="{}" y="{}" width="{:.1f}" height="{}"/>').format(
                    _NAMES, top, max(1.0, bar.value * inner), _BAR
                )
            )
        parts.append(_text(_NAMES + inner + 8, top + 16, bar.text, "start"))
    if mark is not None:
        at = _NAMES + mark.value * inner
        parts.append(_line(at, _TOP - 6, at, bottom, "chart-mark"))
        parts.append(_text(at, height - 6, mark.text, "middle", "chart-mark-text"))
    said = [f"{bar.name}: {bar.text}" for bar in bars] + ([f"The line: {mark.text}"] if mark else [])
    return _drawing(name, title, ". ".join(said), height, parts)


def _say_lines(labels: Sequence[str], series: Sequence[Series], mark: Mark | None) -> str:
    said = []
    for one in series:
        known = [(label, value) for label, value in zip(labels, one.values, strict=True) if value is not None]
        if known:
            (first, began), (last, ends) = known[0], known[-1]
            said.append(f"{one.name}: {percent(began)} in {first}, {percent(ends)} in {last}")
        else:
            said.append(f"{one.name}: nothing to show")
    return ". ".join([*said, *([f"The line: {mark.text}"] if mark else [])]) + ". The table has every figure."


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "chart-text") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(kind, x, y, anchor, text)


def _drawing(name: str, title: str, description: str, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {:.0f}" role="img" '
        'aria-labelledby="{}-title {}-desc"><title id="{}-title">{}</title><desc id="{}-desc">{}</desc>'
        '<g aria-hidden="true">{}</g></svg>'
    ).format(WIDTH, height, name, name, name, title, name, description, Markup("").join(map(escape, parts)))
