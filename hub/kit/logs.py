"""Logs as one JSON object a line, which can't carry payload.

An exception is written as its kind and where it was raised, never as its message: messages of libraries quote
what they were given.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TextIO

import msgspec

FIELDS: Final = "fields"
# What isn't plain data is named by its kind: its text might quote what it was given.
_ENCODER: Final = msgspec.json.Encoder(enc_hook=lambda value: type(value).__name__)
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", FIELDS}


class JsonFormatter(logging.Formatter):
    """Writes ``at``, ``level``, ``logger``, ``event`` and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as one line of JSON."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            # The template without its arguments: what is logged is decided where the call is written.
            "event": str(record.msg),
        }
        extra = getattr(record, FIELDS, None)
        if extra is None:
            extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line.update(extra)
        if record.exc_info and record.exc_info[0]:
            line["error"], line["where"] = describe_error(record.exc_info[0], record.exc_info[2])
        return _ENCODER.encode(line).decode()


def describe_error(kind: type[BaseException], raised: TracebackType | None) -> tuple[str, list[str]]:
    """Return the kind of an error and the places it went through, innermost last; not its message."""
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(raised)]
    return kind.__name__, places


def set_up_logs(level: str, stream: TextIO | None = None) -> None:
    """Send every log record at *level* and above to *stream* (standard error) as JSON."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    # Nobody reads these of a record, and finding them out costs as much as writing the line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


def log(logger: logging.Logger, level: int, event: str, **fields: Any) -> None:
    """Log *event* with *fields*; neither may hold an id of a thread, a name, a token or payload."""
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={FIELDS: fields})
