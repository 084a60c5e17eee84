"""Which way a record system is reached: by the option that its table of the configuration has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from adapters.profiles.http import HttpOptions, HttpRecords
from adapters.profiles.records import RecordSystem
from adapters.profiles.tables import TablesOptions, open_tables


def open_system(options: Mapping[str, Any], home: Path) -> RecordSystem:
    """Return the system that *options* lead to; files are in *home*.

    Raises:
        ValueError: an option is unknown, ill-typed or missing; the text names it.
    """
    try:
        if options.keys() & {"database", "path"}:
            return open_tables(msgspec.convert(dict(options), TablesOptions, strict=True), home)
        return HttpRecords(msgspec.convert(dict(options), HttpOptions, strict=True), home)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"`ca`, `certificate`, `key`, `token` or `password`: {type(error).__name__}") from error
