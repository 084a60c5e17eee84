"""Attachments: shown by what they are, drawn where nothing can be had, and otherwise downloaded as bytes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import zlib
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, TextStringObject

from adapters.base import Document
from adapters.errors import GatewayError
from adapters.gateway.inbox.reading.documents import (
    MAX_NAME,
    MAX_PAGES,
    MAX_SHOWN,
    Drawer,
    download_headers,
    kind_of,
    list_documents,
    safe_name,
    text_of,
)
from adapters.gateway.inbox.reading.render import MAX_PIXELS, MAX_SIDE, PHOTO_SIDE

SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"
PAGE = b"<!doctype html><title>x</title><script>alert(1)</script>"


def a_document(content: bytes, name: str = "minutes.pdf", kind: str = "application/pdf") -> Document:
    """Return one attachment."""
    return Document(name=name, type=kind, content=content)


def a_pdf(*texts: str) -> bytes:
    """Return a PDF with a page for each text."""
    pdf = FPDF()
    for text in texts:
        pdf.add_page()
        pdf.set_font("helvetica", size=20)
        pdf.multi_cell(w=0, text=text)
    return bytes(pdf.output())


def changed(content: bytes, **entries: DictionaryObject) -> bytes:
    """Return a PDF whose catalogue has *entries* too."""
    writer = PdfWriter(clone_from=PdfReader(BytesIO(content)))
    for name, value in entries.items():
        writer.root_object[NameObject(f"/{name}")] = value
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def a_picture(mode: str = "RGB", form: str = "PNG", size: tuple[int, int] = (40, 20), **options: object) -> bytes:
    """Return a picture."""
    out = BytesIO()
    Image.new(mode, size).save(out, form, **options)
    return out.getvalue()


def size_of(png: bytes) -> tuple[int, int]:
    """Return width and height of what is a PNG and nothing else."""
    image = Image.open(BytesIO(png), formats=("PNG",))
    image.load()
    return image.size


# ---- what it is


@pytest.mark.parametrize(
    ("content", "name", "stated", "kind"),
    [
        (a_pdf("One"), "anything.txt", "text/plain", "pdf"),
        (a_picture(), "minutes.pdf", "application/pdf", "image"),
        (a_picture(form="JPEG"), "x", "", "image"),
        ("Zoë said so.\n\tTwice.\r\n".encode(), "note.pdf", "application/pdf", "text"),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", "table.csv", "text/csv", "text"),
        (SCRIPT, "picture.png", "image/png", "other"),
        (b"\n  " + SCRIPT, "picture.svg", "image/svg+xml", "other"),
        (b"<?xml version='1.0'?>" + SCRIPT, "picture.jpg", "image/jpeg", "other"),
        (PAGE, "minutes.pdf", "application/pdf", "other"),
        (b"A note.\n" + PAGE, "minutes.txt", "text/plain", "other"),
        (PAGE + a_pdf("One"), "minutes.pdf", "application/pdf", "other"),
        (b"{\\rtf1 text}", "note.txt", "text/plain", "other"),
        (b"#!/bin/sh\nrm -r /\n", "note.txt", "text/plain", "other"),
        (b"PK\x03\x04" + bytes(30), "minutes.docx", "application/pdf", "other"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(30), "minutes.doc", "image/png", "other"),
        (b"GIF89a" + bytes(30), "picture.png", "image/png", "other"),
        (b"MZ\x90\x00", "picture.png", "image/png", "other"),
        ("UTF-16".encode("utf-16"), "note.txt", "text/plain", "other"),
        (b"a\x1b[31mb", "note.txt", "text/plain", "other"),
        (b"", "note.txt", "text/plain", "other"),
    ],
)  # fmt: skip
def test_the_bytes_say_what_it_is(content: bytes, name: str, stated: str, kind: str) -> None:
    """Neither the stated type nor the name has a say; what is more than a text is none."""
    assert kind_of(a_document(content, name, stated)) == kind


def test_what_is_too_large_is_downloaded() -> None:
    """A document above the limit isn't read at all."""
    assert kind_of(a_document(b"%PDF-1.7" + bytes(MAX_SHOWN))) == "other"
    assert kind_of(a_document(b"a" * 600_000)) == "other"


def test_a_text_is_given_as_it_is() -> None:
    """It is for the page to escape; what is no text isn't given as one."""
    assert text_of(a_document("Zoë & <b>\n".encode())) == "Zoë & <b>\n"
    with pytest.raises(GatewayError) as caught:
        text_of(a_document(SCRIPT))
    assert caught.value.code == "document-not-shown"


# ---- drawn


async def test_a_page_is_a_picture_with_its_text_beside_it() -> None:
    """Each page is PNG; who can't see it has its text; there is no page beyond the last."""
    drawer, document = Drawer(), a_document(a_pdf("Pat's first page", ""))
    assert await drawer.count_pages(document) == 2
    width, height = size_of(await drawer.render_page(document, 1))
    assert width > 1000
    assert 1.3 < height / width < 1.5
    assert await drawer.read_page(document, 1) == "Pat's first page"
    assert await drawer.read_page(document, 2) == ""
    for number in (3, 0, -1, MAX_PAGES + 1, 10**12):
        with pytest.raises(GatewayError) as caught:
            await drawer.render_page(document, number)
        assert caught.value.code == "document-page"


@pytest.mark.parametrize("action", ["JavaScript", "Launch", "URI", "SubmitForm", "ImportData", "GoToE"])
async def test_a_pdf_that_wants_to_run_something_is_only_drawn(action: str, tmp_path: Path) -> None:
    """Opening actions, scripts and programs to launch do nothing; the page is as it would be without."""
    touched = tmp_path / "touched"
    wanted = DictionaryObject(
        {
            NameObject("/S"): NameObject(f"/{action}"),
            NameObject("/JS"): TextStringObject("app.alert(1); while (true) {}"),
            NameObject("/F"): TextStringObject(f"/usr/bin/touch {touched}"),
            NameObject("/URI"): TextStringObject("http://127.0.0.1:9/"),
            NameObject("/Win"): DictionaryObject({NameObject("/F"): TextStringObject("cmd.exe")}),
        }
    )
    plain = a_pdf("Plain")
    names = ArrayObject([TextStringObject("go"), wanted])
    tree = DictionaryObject({NameObject("/JavaScript"): DictionaryObject({NameObject("/Names"): names})})
    hostile = changed(plain, OpenAction=wanted, AA=DictionaryObject({NameObject("/WC"): wanted}), Names=tree)
    assert action.encode() in hostile
    drawer = Drawer()
    shown = await drawer.render_page(a_document(hostile), 1)
    assert shown == await drawer.render_page(a_document(plain), 1)
    assert not touched.exists()


async def test_a_filled_form_is_not_shown_empty() -> None:
    """What was typed into a form's field is on the picture."""
    writer = PdfWriter(clone_from=PdfReader(BytesIO(a_pdf(""))))
    box = ArrayObject([FloatObject(one) for one in (50, 500, 300, 530)])
    field = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Annot"), NameObject("/Subtype"): NameObject("/Widget"),
            NameObject("/FT"): NameObject("/Tx"), NameObject("/T"): TextStringObject("name"),
            NameObject("/V"): TextStringObject("Robin Sample"), NameObject("/Rect"): box,
            NameObject("/DA"): TextStringObject("/Helv 20 Tf 0 g"),
        }
    )  # fmt: skip
    held = writer._add_object(field)
    writer.pages[0][NameObject("/Annots")] = ArrayObject([held])
    form = DictionaryObject({NameObject("/Fields"): ArrayObject([held])})
    writer.root_object[NameObject("/AcroForm")] = form
    out = BytesIO()
    writer.write(out)
    drawer = Drawer()
    filled = await drawer.render_page(a_document(out.getvalue()), 1)
    assert filled != await drawer.render_page(a_document(a_pdf("")), 1)


@pytest.mark.parametrize(
    "content",
    [
        a_pdf("One")[:400],
        b"%PDF-1.7\n",
        b"%PDF-1.7\n" + bytes(range(256)) * 50,
        a_picture()[:50],
        a_picture(form="JPEG", size=(300, 300))[:200],
        b"\xff\xd8\xff" + PAGE,
        b"\x89PNG\r\n\x1a\n" + SCRIPT,
    ],
)
async def test_what_is_broken_is_not_shown(content: bytes) -> None:
    """Cut short or never one: it can be downloaded, and the page says so."""
    document, drawer = a_document(content), Drawer()
    with pytest.raises(GatewayError) as caught:
        await drawer.render_page(document, 1)
    assert caught.value.code == "document-not-shown"
    assert caught.value.hint


@pytest.mark.parametrize(("width", "height"), [(14_400, 14_400), (3, 14_400), (14_400, 3), (1, 1)])
async def test_a_huge_page_is_drawn_small(width: int, height: int) -> None:
    """A page as large as the format allows, or absurdly long, stays within the limits of a picture."""
    writer = PdfWriter()
    writer.add_blank_page(width, height)
    out = BytesIO()
    writer.write(out)
    size = size_of(await Drawer().render_page(a_document(out.getvalue()), 1))
    assert max(size) <= MAX_SIDE + 1
    assert size[0] * size[1] <= MAX_PIXELS * 1.01


async def test_of_very_many_pages_some_are_drawn() -> None:
    """How many there are is said; those beyond the limit are in the download only."""
    writer = PdfWriter()
    for _ in range(3000):
        writer.add_blank_page(100, 100)
    out = BytesIO()
    writer.write(out)
    document, drawer = a_document(out.getvalue()), Drawer()
    assert await drawer.count_pages(document) == 3000
    assert await drawer.render_page(document, MAX_PAGES)
    with pytest.raises(GatewayError, match="too many"):
        await drawer.render_page(document, MAX_PAGES + 1)


def a_bomb(size: int) -> bytes:
    """Return a PDF of a few kilobytes whose page unpacks to *size* bytes of drawing."""
    packer = zlib.compressobj(9)
    block = b"0 0 600 800 re f\n" * 60_000
    packed = b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed),
    ]
    body = b"%PDF-1.7\n" + b"".join(b"%d 0 obj%s\nendobj\n" % (n, part) for n, part in enumerate(parts, 1))
    return body + b"trailer<</Root 1 0 R/Size 5>>\n%%EOF"


async def test_a_bomb_ends_with_its_process() -> None:
    """A page that unpacks to gigabytes takes no more than its process may have; the next document is drawn."""
    content, drawer = a_bomb(900_000_000), Drawer(seconds=3)
    assert len(content) < 10_000_000
    began = time.monotonic()
    with pytest.raises(GatewayError) as caught:
        await drawer.render_page(a_document(content), 1)
    assert caught.value.code == "document-not-shown"
    assert time.monotonic() - began < 10
    assert await drawer.count_pages(a_document(a_pdf("One"))) == 1


async def test_a_picture_is_made_anew() -> None:
    """Pixels are kept and turned upright; places, names and whatever follows the picture are not."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.ImageDescription] = "Northmere"
    shown = await Drawer().render_page(a_document(a_picture(form="JPEG", exif=exif) + PAGE), 1)
    assert size_of(shown) == (20, 40)
    assert b"Northmere" not in shown
    assert b"script" not in shown
    assert Image.open(BytesIO(shown)).info == {}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
async def test_every_kind_of_picture_is_shown(mode: str) -> None:
    """Grey, with a palette, with transparency, for print."""
    content = a_picture(mode, "JPEG" if mode == "CMYK" else "PNG")
    drawer = Drawer()
    assert size_of(await drawer.render_page(a_document(content), 1)) == (40, 20)
    assert await drawer.count_pages(a_document(content)) == 1
    assert await drawer.read_page(a_document(content), 1) == ""


async def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    """A few kilobytes that are gigabytes of pixels are refused; a large photograph is made smaller."""
    with pytest.raises(GatewayError):
        await Drawer().render_page(a_document(a_picture("1", size=(20_000, 20_000))), 1)
    assert max(size_of(await Drawer().render_page(a_document(a_picture(size=(4000, 3000))), 1))) == PHOTO_SIDE


# ---- where it is drawn


PROBE = """
import os, socket, sys
from adapters.gateway.inbox.reading import confinement
what = sys.argv[1]
confinement.confine(memory=400 << 20, seconds=1)
if what == "read":
    open(sys.argv[2], "rb")
elif what == "list":
    os.listdir(sys.argv[2])
elif what == "connect":
    socket.socket().connect(("127.0.0.1", 9))
elif what == "start":
    os.execv("/bin/sh", ["sh", "-c", "echo started"])
elif what == "memory":
    bytearray(600 << 20)
elif what == "loop":
    while True: pass
elif what == "environment" and os.environ.keys() - {"LC_CTYPE"}:
    sys.exit(9)
print("done")
"""


def probe(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run something under the limits of a process that draws."""
    command = [sys.executable, "-I", "-c", PROBE, *arguments]
    return subprocess.run(command, check=False, capture_output=True, env={}, cwd="/", timeout=30, **options)


@pytest.mark.parametrize("what", ["read", "list", "connect", "start", "memory", "loop"])
def test_a_process_that_draws_can_get_at_nothing(what: str, tmp_path: Path) -> None:
    """It can open no file, no folder and no connection, start nothing, and takes neither memory nor time without end."""
    spool = tmp_path / "spool.db"
    spool.write_bytes(b"secret")
    done = probe(what, str(tmp_path if what == "list" else spool))
    assert done.returncode != 0
    assert b"done" not in done.stdout
    assert b"started" not in done.stdout


def test_a_process_that_draws_has_no_environment() -> None:
    """No passphrase, no path: nothing of the gateway's environment is there."""
    assert probe("environment").stdout == b"done\n"


async def test_nothing_of_the_gateway_is_inherited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The real process, looked at from outside while it waits: its environment is empty, its files are three pipes."""
    monkeypatch.setenv("GATEWAY_PASSPHRASE", "secret")
    with (tmp_path / "spool.db").open("wb"):
        drawing = asyncio.ensure_future(Drawer().render_page(a_document(a_bomb(200_000_000)), 1))
        child = None
        for _ in range(300):
            await asyncio.sleep(0.02)
            child = next((one for one in map(Path, _children()) if b"reading.render" in _read(one / "cmdline")), None)
            if child is not None and b"pdf" in _read(child / "cmdline"):
                break
        assert child is not None
        assert b"secret" not in _read(child / "environ")
        links = {str(one.readlink()) for one in (child / "fd").iterdir()}
        drawing.cancel()
        assert not any("spool" in link for link in links)
    with pytest.raises(asyncio.CancelledError):
        await drawing
    assert not _read(child / "cmdline")


def _children() -> list[str]:
    own = Path("/proc/self/task")
    return [f"/proc/{pid}" for task in own.iterdir() for pid in _read(task / "children").decode().split()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def test_a_process_is_ended_when_its_time_is_over() -> None:
    """Nobody waits longer, and nothing goes on behind the answer."""
    began = time.monotonic()
    with pytest.raises(GatewayError) as caught:
        await Drawer(seconds=0.01).render_page(a_document(a_pdf("One")), 1)
    assert caught.value.code == "document-not-shown"
    assert time.monotonic() - began < 5
    assert not any(b"reading.render" in _read(Path(one) / "cmdline") for one in _children())


async def test_few_are_drawn_at_once() -> None:
    """Many requests wait for their turn, and all are answered."""
    drawer, document = Drawer(at_once=2), a_document(a_pdf("One"))
    tasks = [asyncio.ensure_future(drawer.count_pages(document)) for _ in range(6)]
    most = 0
    while not all(task.done() for task in tasks):
        most = max(most, sum(b"reading.render" in _read(Path(one) / "cmdline") for one in _children()))
        await asyncio.sleep(0.005)
    assert [await task for task in tasks] == [1] * 6
    assert 1 <= most <= 2


# ---- downloaded


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("minutes.pdf", "minutes.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/", "document"),
        ("..", "document"),
        (".hidden", "hidden"),
        ("", "document"),
        ("a\r\nSet-Cookie: x=1.pdf", "aSet-Cookie_ x=1.pdf"),
        ("a\x00b.pdf", "ab.pdf"),
        ("minutes\u202efdp.exe", "minutesfdp.exe"),
        ('a";filename="b.exe', "a__filename=_b.exe"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("a%2e%2e%2fb.pdf", "a_2e_2e_2fb.pdf"),
        ("Zo\u0308e.pdf", "Zöe.pdf"),
    ],
)
def test_a_file_name_is_no_more_than_that(name: str, safe: str) -> None:
    """No folder, no header, no other direction, no device, and no name that hides."""
    assert safe_name(name) == safe


@given(st.text(max_size=300))
def test_any_name_makes_headers_that_are_safe(name: str) -> None:
    """Whatever it is called: one line of ASCII, saved and not shown, under a name that both spellings agree about."""
    headers = download_headers(a_document(PAGE, name, "text/html"))
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    disposition = headers["Content-Disposition"]
    assert disposition.isascii()
    assert disposition.isprintable()
    assert disposition.startswith('attachment; filename="')
    assert disposition.count('"') == 2
    told = unquote(disposition.partition("filename*=UTF-8''")[2])
    assert told == safe_name(name)
    assert not set(told) & set('/\\"\r\n\x00')
    assert not told.startswith(".")
    assert 0 < len(told) <= MAX_NAME + 11


def test_each_document_is_said_with_its_number_and_kind() -> None:
    """From 1, in their order, with the name as it came."""
    rows = list_documents((a_document(b"A note.", "note.txt"), a_document(PAGE, "../plan.png")))
    assert [(one.number, one.name, one.size, one.kind) for one in rows] == [
        (1, "note.txt", 7, "text"),
        (2, "../plan.png", len(PAGE), "other"),
    ]
