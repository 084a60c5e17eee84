"""`python -m adapters.gateway.inbox.reading.render KIND ASK [NUMBER]`: one document from standard input, one answer out.

``KIND`` is `pdf` or `image`; ``ASK`` is `count` (a number), `page` (PNG) or `text` (UTF-8).  Pages count from 1.  A
process lives for one question, has no environment, and has given up everything before it reads a byte: whatever a
document does to the library that draws it, there is nothing here to be had.  Nothing in a document is run: the library
has no script engine, and actions are the viewer's, of which there is none.

Exit status: 0 answered, 3 there is no such page, anything else: it can't be shown.
"""

from __future__ import annotations

import codecs
import math
import sys
from io import BytesIO
from typing import Final

import pypdfium2
from PIL import ExifTags, Image, ImageOps

from adapters.gateway.inbox.reading.confinement import confine

NO_PAGE: Final = 3
MAX_DOCUMENT: Final = 32 * 1024 * 1024
# A page is drawn this wide where it can be: A4 at 144 dots an inch, to be read on a large screen.
WIDTH: Final = 1190
MAX_SIDE: Final = 3200
MAX_PIXELS: Final = 4_000_000
# What a photograph may have before it is decoded, and the side to which it is made smaller.
MAX_PHOTO_PIXELS: Final = 50_000_000
PHOTO_SIDE: Final = 2000
MAX_TEXT: Final = 200_000


class NoPageError(Exception):
    """The document has no page of that number."""


def main() -> int:
    """Answer the one question of the command line; return the exit status."""
    kind, ask, *rest = sys.argv[1:]
    if pypdfium2.version.PDFIUM_INFO.flags:
        return 4  # built with a script engine or forms that run: not the library that is meant
    _load()
    confine()
    # One byte more than may be, to know that there was more; a reader of pipes needs no file.
    content = sys.stdin.buffer.read(MAX_DOCUMENT + 1)
    if len(content) > MAX_DOCUMENT:
        return 1
    try:
        answer = (_ask_pdf if kind == "pdf" else _ask_image)(content, ask, int(rest[0]) if rest else 1)
    except NoPageError:
        return NO_PAGE
    except Exception:  # noqa: BLE001 - whatever it is, it is the document's, and nobody may learn what was in it
        return 1
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


def _load() -> None:
    """Have the libraries load what they load late: once confined, they can't."""
    document = pypdfium2.PdfDocument.new()
    document.new_page(10, 10)
    empty = BytesIO()
    document.save(empty)
    for ask in ("page", "text"):
        _ask_pdf(empty.getvalue(), ask, 1)
    for form in ("JPEG", "PNG"):
        picture = BytesIO()
        turned = Image.Exif()
        turned[ExifTags.Base.Orientation] = 6
        Image.new("RGB", (2, 2)).save(picture, form, exif=turned)
        _ask_image(picture.getvalue(), "page", 1)
    codecs.lookup("utf-16-le")


def _ask_pdf(content: bytes, ask: str, number: int) -> bytes:
    document = pypdfium2.PdfDocument(content)
    # What was filled into a form is drawn as well; without it a filled form would look empty.
    document.init_forms()
    if ask == "count":
        return str(len(document)).encode()
    if not 1 <= number <= len(document):
        raise NoPageError
    page = document[number - 1]
    if ask == "text":
        text: str = page.get_textpage().get_text_range()
        return text[:MAX_TEXT].encode("utf-8", "replace")
    return _as_png(page.render(scale=_scale(*page.get_size())).to_pil().convert("RGB"))


def _scale(width: float, height: float) -> float:
    """Return by how much a page of *width* x *height* points is drawn larger or smaller, within the limits."""
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise ValueError("a page without a size")
    return min(WIDTH / width, MAX_SIDE / width, MAX_SIDE / height, math.sqrt(MAX_PIXELS / (width * height)))


def _ask_image(content: bytes, ask: str, number: int) -> bytes:
    if number != 1:
        raise NoPageError
    if ask == "count":
        return b"1"
    image: Image.Image = Image.open(BytesIO(content), formats=("PNG", "JPEG"))
    if image.width * image.height > MAX_PHOTO_PIXELS:
        raise ValueError("too many pixels")
    # A photograph is decoded no larger than it is shown; what a phone wrote beside it, such as the place, is dropped.
    image.draft("RGB", (PHOTO_SIDE, PHOTO_SIDE))
    image = ImageOps.exif_transpose(image)
    image.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
    has_alpha = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
    return _as_png(image.convert("RGBA" if has_alpha else "RGB"))


def _as_png(image: Image.Image) -> bytes:
    out = BytesIO()
    image.info.clear()
    image.save(out, "PNG", compress_level=4)
    return out.getvalue()


if __name__ == "__main__":
    # Not sys.exit: what the libraries would do at the end needs what was given up.
    status = main()
    sys.stdout.flush()
    sys.exit(status)
