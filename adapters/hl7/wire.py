"""HL7 v2 on the wire: escaping, one question and its answer over MLLP, and what the answer means.

Source: HL7 v2.5.1 chapters 2.7 (escapes), 2.9 (acknowledgment), table 0357; MLLP release 1.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import hl7
from hl7.mllp import InvalidBlockError, open_hl7_connection

from adapters.base import Later, NeedsPerson
from schemas.identifiers import Moment

# The coding system of what only we ask for, and say.
SYSTEM: Final = "SGH"
DELIMITERS: Final = "^~\\&"
MAX_ANSWER: Final = 1024 * 1024
_ESCAPES: Final = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\n": "\\.br\\"}
# Table 0357: what passes by itself, and what a person has to look at.
_PASSING: Final = frozenset({"206", "207"})
_UNSUPPORTED: Final = frozenset({"200", "201", "202", "203"})


class Hl7Error(ValueError):
    """Bytes that are no HL7 message that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An acknowledgment: MSA-1, MSA-2, and the code of the first error."""

    code: str
    control: str
    error: str = ""


def escape(text: str) -> str:
    """Return *text* so that nothing of it ends a field, a segment or the message."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(_ESCAPES.get(c) or (f"\\X{ord(c):02X}\\" if ord(c) < 32 or ord(c) == 127 else c) for c in plain)


def field(*components: str) -> str:
    """Return one field of escaped components."""
    return "^".join(escape(one) for one in components).rstrip("^")


def segment(name: str, *fields: str) -> str:
    """Return a segment; *fields* are escaped already, and begin with the first."""
    return "|".join((name, *fields)).rstrip("|")


def stamp(at: Moment) -> str:
    """Return *at* as HL7 writes a moment, in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y%m%d%H%M%S+0000")


def header(names: Sequence[str], kind: str, control: str, at: Moment, processing: str) -> str:
    """Return MSH; *names* are the sending and receiving application and facility, in their order."""
    who = [escape(name) for name in names]
    return segment(
        f"MSH|{DELIMITERS}", *who, stamp(at), "", kind, escape(control), processing, "2.5.1", *[""] * 5, "UNICODE UTF-8"
    )


def join(segments: Sequence[str]) -> bytes:
    """Return the message of *segments*."""
    return ("\r".join(segments) + "\r").encode()


def parse(raw: bytes, encoding: str = "utf-8") -> Any:
    """Return the message in *raw*, as the `hl7` library has it.

    Raises:
        Hl7Error: it isn't one.
    """
    if not raw.startswith(b"MSH") or len(raw) < 9:
        raise Hl7Error("it doesn't begin with MSH")
    try:
        message = hl7.parse(raw.decode(encoding))
        message.segment("MSH")
    except Exception as error:
        # The library answers broken text with whatever exception it comes to.
        raise Hl7Error("it can't be read") from error
    return message


def text_of(message: Any, part: Any, number: int, component: int = 1) -> str:
    """Return one component of a field's first repetition, unescaped; empty where there is none."""
    try:
        found = part(number)(1) if not isinstance(part(number), str) else part(number)
        value = found if isinstance(found, str) else str(found(component))
    except (IndexError, KeyError):
        return ""
    if isinstance(found, str) and component > 1:
        return ""
    return str(message.unescape(value))


def parse_answer(raw: bytes) -> Answer:
    """Return the acknowledgment in *raw*.

    Raises:
        Hl7Error: it is none.
    """
    message = parse(raw)
    try:
        said = message.segment("MSA")
    except KeyError as error:
        raise Hl7Error("there is no MSA") from error
    error_code = ""
    with suppress(KeyError):
        error_code = text_of(message, message.segment("ERR"), 3)
    return Answer(code=text_of(message, said, 1), control=text_of(message, said, 2), error=error_code)


def judge(answer: Answer, control: str) -> Later | NeedsPerson | None:
    """Return what *answer* to the message *control* means; ``None``: the application has it.

    ``CA`` is no more than a transport's word, and is waited through by :func:`ask`.
    """
    if answer.control != control:
        return Later(reason="hl7-answer")
    if answer.code == "AA":
        return None
    if answer.error in _PASSING:
        return Later(reason="hl7-busy")
    if answer.code in {"AE", "CE"} or answer.error in _UNSUPPORTED:
        return NeedsPerson(code="hl7-refused")
    return Later(reason="hl7-rejected" if answer.code in {"AR", "CR"} else "hl7-answer")


def make_context(
    ca: Path | None, certificate: Path | None, key: Path | None, *, server: bool = False
) -> ssl.SSLContext:
    """Return what TLS needs; as a *server* it asks for a certificate of the other side where *ca* is set.

    Raises:
        OSError: a file can't be read, or isn't what it should be.
    """
    if server:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
        context.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


async def ask(
    place: tuple[str, int], raw: bytes, control: str, *, context: ssl.SSLContext | None, seconds: float
) -> Later | NeedsPerson | None:
    """Send *raw*, and return what the other side's application makes of it; ``None``: it has it."""
    writer = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await open_hl7_connection(*place, limit=MAX_ANSWER, ssl=context)
            writer.writeblock(raw)
            await writer.drain()
            answer = parse_answer(await reader.readblock())
            while answer.code == "CA" and answer.control == control:
                answer = parse_answer(await reader.readblock())
    except TimeoutError:
        return Later(reason="hl7-slow")
    except ssl.SSLCertVerificationError:
        return Later(reason="hl7-certificate")
    except (asyncio.IncompleteReadError, OSError):
        return Later(reason="hl7-away")
    except (Hl7Error, InvalidBlockError, ValueError):
        return Later(reason="hl7-answer")
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    return judge(answer, control)
