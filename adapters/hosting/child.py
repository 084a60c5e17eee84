"""The process of one adapter: told what it is by the first frame, shut in, and only then is the adapter's code read.

Started by ``process``; nothing else has a use for it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import msgspec

from adapters.base import Manifest
from adapters.hosting.confining import confine
from adapters.hosting.frames import OPTIONAL, Answer, Ready, Setup, Unfit, pack, parse_question
from adapters.hosting.relaying import Visits
from adapters.hosting.serving import Places, serve


def main() -> NoReturn:
    """Be the process of one adapter until the gateway ends."""
    asking, answering = _take_pipes()
    setup = parse_question(_read_first(asking))
    if not isinstance(setup, Setup):
        raise SystemExit(2)
    sys.dont_write_bytecode = True
    sys.path[:] = setup.paths
    os.nice(5)
    places = Places(setup.grants.named)
    confined = confine(setup.grants)
    control = socket.socket(fileno=int(sys.argv[1])) if len(sys.argv) > 1 else None
    if control is not None:
        socket.send_fds(control, [b"l"], [one.fileno() for one in confined.listeners])
        for one in confined.listeners:
            one.close()
    missing = [one for one in confined.missing(setup.grants) if one not in setup.grants.without]
    if missing and setup.module.partition(".")[0] != "adapters":
        # Others' code is never read where it could do what it must not; this project's own is the gateway's as well.
        _end(answering, Unfit(code="adapter-unconfined", text=", ".join(missing)))
    try:
        kind = _load(setup)
        manifest = msgspec.convert(kind.manifest, Manifest, strict=True)
    except _UnfitError as error:
        _end(answering, Unfit(code=error.code, text=error.text))
    except (AttributeError, msgspec.ValidationError) as error:
        _end(answering, Unfit(code="adapter-manifest", text=f"its class has no proper manifest: {error}"[:400]))
    offers = tuple(name for name in OPTIONAL if hasattr(kind, name))
    ready = Ready(manifest=manifest, offers=offers, holds=tuple(confined.holds))
    if setup.describe:
        _end(answering, ready)
    asyncio.run(_work(kind, setup, ready, (asking, answering), control, places))
    raise SystemExit(0)


class _UnfitError(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text[:400]


def _load(setup: Setup) -> Any:
    """Return the class that the entry point names."""
    try:
        found: Any = import_module(setup.module)
        for name in setup.attribute.split("."):
            found = getattr(found, name)
    except Exception as error:
        raise _UnfitError("adapter-import", f"its code can't be loaded: {type(error).__name__}: {error}") from error
    return found


async def _work(
    kind: Any,
    setup: Setup,
    ready: Ready,
    pipe: tuple[BinaryIO, BinaryIO],
    control: socket.socket | None,
    places: Places,
) -> None:
    asking, answering = pipe
    try:
        adapter = kind.configure(dict(setup.options), Path(setup.home))
    except ValueError as error:
        _end(answering, Unfit(code="adapter-options", text=str(error)[:400]))
    answering.write(pack(ready))
    visits = Visits(control, setup.grants.listen) if control is not None else None
    await serve(adapter, asking, answering, places, seconds=setup.grants.limits.seconds)
    if visits is not None:
        await visits.close()


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the two ends of the pipe; what the adapter prints goes to the third, which isn't part of it."""
    asking = os.fdopen(os.dup(0), "rb", buffering=0)
    answering = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return asking, answering


def _read_first(asking: BinaryIO) -> bytes:
    length = int.from_bytes(_read(asking, 4), "big")
    return _read(asking, length)


def _read(asking: BinaryIO, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = asking.read(count - len(found))
        if not part:
            raise SystemExit(0)
        found += part
    return found


def _end(answering: BinaryIO, answer: Answer) -> NoReturn:
    answering.write(pack(answer))
    answering.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
