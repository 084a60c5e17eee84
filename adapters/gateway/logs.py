"""The gateway's log: one JSON object a line on standard error, codes and counts, never content or names."""

from __future__ import annotations

import json
import logging
import sys
import tomllib
from pathlib import Path
from typing import Final

LEVELS: Final = {"debug", "info", "warning", "error"}


class JsonFormatter(logging.Formatter):
    """One record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as JSON; no traceback, whose lines may quote content."""
        said = {"at": int(record.created * 1000), "level": record.levelname.lower(), "says": record.getMessage()}
        return json.dumps(said | {"part": record.name}, ensure_ascii=False)


def set_up_logs(home: str) -> None:
    """Log to standard error at the level that the configuration in *home* names, if there is one yet."""
    try:
        level = tomllib.loads((Path(home) / "gateway.toml").read_text("utf-8")).get("log_level", "info")
    except (OSError, ValueError):
        level = "info"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("gateway")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(level.upper() if level in LEVELS else "INFO")
