"""The message types that an agreement is made with: the release's, and a partnership's own.

Source: design 5 (catalogue); protocol 7.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hub.errors import HubError

if TYPE_CHECKING:
    from schemas.catalogue import Catalogue


def add_messages(parser: argparse.ArgumentParser) -> None:
    """Let the command be told of the partnership's own message types."""
    parser.add_argument("--messages", metavar="FOLDER", help="*.schema.json of message types of the partnership's own")


def load_catalogue(folder: str | None) -> Catalogue:
    """Return the release's types with those in *folder*, each held to the rules for schemas.

    Raises:
        HubError: ``config``; a file can't be read.
        MalformedError: ``schema-lint`` naming the place and the rule, ``schema-twice``, or ``json-*``.
    """
    from schemas.catalogue import Catalogue

    if folder is None:
        return Catalogue.load()
    files = sorted(Path(folder).glob("*.schema.json"))
    if not files:
        raise HubError("config", f"there is no *.schema.json in {folder}", "name the folder that holds them")
    try:
        return Catalogue.load([file.read_bytes() for file in files])
    except OSError as error:
        raise HubError("config", f"couldn't read the schemas in {folder}", "make them readable") from error


def digest_schemas(catalogue: Catalogue) -> Mapping[str, str]:
    """Return the digest of each message type's schema and of all that it refers to, for the officers to sign.

    Raises:
        HubError: ``config``; a schema of the release breaks the rules for schemas.
    """
    from hub import drafts

    return drafts.digest_schemas(catalogue)
