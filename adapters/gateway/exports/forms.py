"""A sheet as text, as an inert HTML page, or as JSON; each says every mark where it holds and again on every page.

Source: domain 3 (9), 9.8 (accessibility).
"""

from __future__ import annotations

import json
import textwrap
from binascii import b2a_base64
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any, Final, NamedTuple

from adapters.gateway.exports.shapes import labels
from adapters.gateway.exports.sheet import Field, Section, Sheet
from keys.digests import sha256

WIDTH: Final = 88
PAGE_LINES: Final = 54
MUST_NOT: Final = "MUST NOT BE DISCLOSED"


def say_marks(classification: str, marks: tuple[str, ...]) -> str:
    """Return classification and marks as one line."""
    return " | ".join([classification, *_labels(marks)])


def _labels(marks: tuple[str, ...]) -> list[str]:
    words = labels("HandlingMark")
    return [words[mark] for mark in marks]


# ---- text


class _Line(NamedTuple):
    """One line, and the marks that hold for it."""

    text: str
    marks: tuple[str, ...]


def as_text(sheet: Sheet) -> bytes:
    """Return *sheet* as plain text in pages, each headed by all the marks that hold for any line of it."""
    lines = list(_lines(sheet))
    pages = [lines[start : start + PAGE_LINES] for start in range(0, len(lines), PAGE_LINES)]
    out = []
    for number, page in enumerate(pages, 1):
        held = {mark for line in page for mark in line.marks}
        marks = tuple(mark for mark in labels("HandlingMark") if mark in held)
        head = textwrap.wrap(say_marks(sheet.classification, marks), WIDTH)
        foot = textwrap.wrap(f"{sheet.watermark}; page {number} of {len(pages)}", WIDTH)
        out.append("\n".join([*head, "", *(line.text for line in page), "", *foot]))
    return ("\n\f".join(out) + "\n").encode()


def _lines(sheet: Sheet) -> Iterator[_Line]:
    def plain(*texts: str) -> Iterator[_Line]:
        return (_Line(text, sheet.marks) for text in texts)

    yield from plain(sheet.title, "=" * len(sheet.title), sheet.subtitle)
    yield from plain(*([sheet.note] if sheet.note else []), "")
    if sheet.warnings:
        yield from plain("*" * WIDTH, MUST_NOT)
        for field in sheet.warnings:
            yield from plain(*_wrap(f"{field.title}: {field.value}", "  "))
        yield from plain("*" * WIDTH, "")
    for field in sheet.facts:
        yield from plain(*_wrap(f"{field.title}: {field.value}", ""))
    for section in sheet.sections:
        yield from _section_lines(section, sheet.classification, 1)


def _section_lines(section: Section, classification: str, depth: int) -> Iterator[_Line]:
    heading = f"{'#' * depth} {section.title}"
    for text in ("", heading, *_wrap(f"[{say_marks(classification, section.marks)}]", "")):
        yield _Line(text, section.marks)
    for item in section.items:
        if isinstance(item, Section):
            yield from _section_lines(item, classification, depth + 1)
        else:
            marked = f" [{' | '.join(_labels(item.marks))}]" if item.marks else ""
            for text in _wrap(f"{item.title}{marked}: {item.value}", "  "):
                yield _Line(text, section.marks)


def _wrap(text: str, indent: str) -> list[str]:
    lines = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ") or [""]
    return lines


# ---- HTML


_STYLE: Final = """
body { font: 1rem/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff }
table { border-collapse: collapse; width: 100% } th, td { border: 1px solid #666; padding: .3rem .5rem; text-align: left; vertical-align: top }
th { width: 30% } td { white-space: pre-wrap; overflow-wrap: anywhere } .marks, .running { font-weight: bold }
.must-not { border: .3rem solid #a00; padding: .5rem 1rem } footer { border-top: 1px solid #666; margin-top: 2rem }
@media print { .running { position: fixed; top: 0; left: 0; right: 0; background: #fff } body { margin-top: 3rem }
  section { break-inside: auto } h2, h3, h4, .marks { break-after: avoid } }
"""


def as_html(sheet: Sheet) -> bytes:
    """Return *sheet* as one page that fetches and runs nothing; its policy says so, and all content is escaped."""
    top = say_marks(sheet.classification, sheet.marks)
    # Margins of printed pages repeat marks and watermark; they are a string of CSS, of which no value may end it.
    margins = f"@page {{ margin: 2.5cm; @top-center {{ content: {_css(top)} }} @bottom-center {{ content: {_css(sheet.watermark)} }} }}"
    style = _STYLE + margins + "\n"
    digest = b2a_base64(sha256(style.encode()), newline=False).decode()
    parts = [
        f'<!doctype html>\n<html lang="{escape(sheet.language)}">\n<head>\n<meta charset="utf-8">',
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">",
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(sheet.title)}</title>\n<style>{style}</style>\n</head>\n<body>",
        f'<p class="running">{escape(top)}</p>\n<main>\n<h1>{escape(sheet.title)}</h1>\n<p>{escape(sheet.subtitle)}</p>',
    ]
    if sheet.note:
        parts.append(f"<p>{escape(sheet.note)}</p>")
    if sheet.warnings:
        parts.append(f'<section class="must-not"><h2>{MUST_NOT}</h2>{_table(sheet.warnings, top)}</section>')
    parts.append(f"<section><h2>About this message</h2>{_table(sheet.facts, top)}</section>")
    parts += [_html_section(section, sheet.classification, 2) for section in sheet.sections]
    parts.append(f'</main>\n<footer><p class="marks">{escape(top)}</p><p>{escape(sheet.watermark)}</p></footer>')
    return ("\n".join(parts) + "\n</body>\n</html>\n").encode()


def _css(text: str) -> str:
    """Return *text* as a CSS string: what could end the string, the rule or the element is written as a number."""
    return '"' + "".join(c if c.isalnum() or c in " |.,:;-()" else f"\\{ord(c):06x}" for c in text) + '"'


def _marks(said: str) -> str:
    return f'<p class="marks">Handling: {escape(said)}</p>'


def _html_section(section: Section, classification: str, level: int) -> str:
    heading = f"h{min(level, 6)}"
    parts = [f"<section><{heading}>{escape(section.title)}</{heading}>"]
    said = say_marks(classification, section.marks)
    fields = tuple(item for item in section.items if isinstance(item, Field))
    parts.append(_table(fields, said) if fields else _marks(said))
    parts += [_html_section(item, classification, level + 1) for item in section.items if isinstance(item, Section)]
    return "\n".join(parts) + "</section>"


def _table(fields: tuple[Field, ...], said: str) -> str:
    """Return *fields* as a table whose head, the marks, browsers repeat on each page that it is printed across."""
    rows = []
    for field in fields:
        marks = f"<br>{escape(' | '.join(_labels(field.marks)))}" if field.marks else ""
        rows.append(f'<tr><th scope="row">{escape(field.title)}{marks}</th><td>{escape(field.value)}</td></tr>')
    head = f'<thead><tr><th class="marks" colspan="2" scope="colgroup">Handling: {escape(said)}</th></tr></thead>'
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"


# ---- JSON


def as_json(sheet: Sheet) -> bytes:
    """Return *sheet* as JSON for another program: titles and labels, with the marks in codes beside them."""
    value = {
        "title": sheet.title,
        "copy": sheet.subtitle,
        "language": sheet.language,
        "classification": sheet.classification,
        "handling_marks": list(sheet.marks),
        "note": sheet.note,
        "must_not_be_disclosed": [_json_item(field) for field in sheet.warnings],
        "facts": [_json_item(field) for field in sheet.facts],
        "sections": [_json_item(section) for section in sheet.sections],
        "watermark": sheet.watermark,
    }
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def _json_item(item: Field | Section) -> Mapping[str, Any]:
    if isinstance(item, Section):
        return {
            "title": item.title,
            "handling_marks": list(item.marks),
            "items": [_json_item(one) for one in item.items],
        }
    return {"title": item.title, "value": item.value} | ({"handling_marks": list(item.marks)} if item.marks else {})


FORMS: Final[Mapping[str, Callable[[Sheet], bytes]]] = {"text": as_text, "html": as_html, "json": as_json}
