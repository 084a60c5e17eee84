"""Options that several commands have, and what they mean."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from hub.config import (
    CONFIG_VARIABLE,
    PASSPHRASE_VARIABLE,
    Config,
    find_config,
    load_config,
)
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.store.base import Store
    from schemas.findings import Finding


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``."""
    parser.add_argument(
        "--config", metavar="FILE", help=f"configuration (default: ${CONFIG_VARIABLE}, then ./hub.toml)"
    )


def add_passphrase(parser: argparse.ArgumentParser) -> None:
    """Add ``--passphrase-file``."""
    parser.add_argument(
        "--passphrase-file",
        metavar="FILE",
        help=f"file whose first line opens the key files (default: ${PASSPHRASE_VARIABLE})",
    )


def add_publishing(parser: argparse.ArgumentParser) -> None:
    """Add what publishing a signed document needs: where to, and whose keys sign."""
    add_config(parser)
    add_passphrase(parser)
    parser.add_argument("--url", help="publish to the running hub at this address, instead of straight to its database")
    parser.add_argument(
        "--officer",
        metavar="FILE",
        action="append",
        default=[],
        help="an officer's key file; again for each (default: those in the hub's folder)",
    )


def read_config(args: argparse.Namespace) -> Config:
    """Return the configuration that *args* name."""
    return load_config(find_config(args.config))


def open_for_reading(config: Config) -> Store:
    """Open the database beside a running hub, without a lock."""
    from hub.store.base import open_store

    return open_store(config.database, read_only=True)


def parse_moment(text: str) -> int:
    """Return the UTC milliseconds of a date (its first moment in UTC) or of an RFC 3339 moment.

    Raises:
        HubError: ``request-invalid``.
    """
    moment: datetime | None
    try:
        if len(text) == 10:
            moment = datetime.combine(date.fromisoformat(text), time(), UTC)
        else:
            moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise HubError(
            "request-invalid", f"couldn't read {text!r} as a date", "write 2026-09-30, or 2026-09-30T12:00:00Z"
        )
    return round(moment.timestamp() * 1000)


def in_words(moment: int) -> str:
    """Return *moment* as RFC 3339 to the second, UTC."""
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def print_findings(found: Sequence[Finding], *, as_json: bool) -> int:
    """Print what a check found; return the command's status: 1 where there is an error."""
    wrong = sum(one.level == "error" for one in found)
    if as_json:
        print(json.dumps({"errors": wrong, "findings": [one._asdict() for one in found]}))
    else:
        for one in found:
            print(f"{one.level}: {one.code}: {one.where}: {one.message}")
        print(f"{wrong} errors, {len(found) - wrong} notes")
    return 1 if wrong else 0
