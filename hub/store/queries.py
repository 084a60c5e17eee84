"""The statements of ``queries.sql`` and the migrations, in the words of each database.

The only differences between the two are here: five words of a table's definition, and how a parameter is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Final, NamedTuple

from keys.digests import sha256

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"^--.*$", re.MULTILINE)
_PARAMETER: Final = re.compile(r":([a-z_]\w*)")
_WORD: Final = re.compile(r"\b[A-Z]+\b")

SQLITE: Final[Mapping[str, str]] = {
    "BIGINT": "INTEGER",
    "SMALLINT": "INTEGER",
    "BYTEA": "BLOB",
    "CLUSTERED": "WITHOUT ROWID",
}
# Names are compared byte by byte on both, whatever the cluster's language.
POSTGRES: Final[Mapping[str, str]] = {"CLUSTERED": "", "TEXT": 'TEXT COLLATE "C"'}


class Migration(NamedTuple):
    """One numbered step of the database's form; ``text`` is common, ``sha256`` its digest."""

    number: int
    name: str
    text: str
    sha256: bytes


def load_queries() -> dict[str, str]:
    """Return every statement by its name, with ``:named`` parameters, in the order of the file."""
    text = resources.files("hub.store").joinpath("queries.sql").read_text("utf-8")
    parts = _NAME.split(text)
    return {name: _COMMENT.sub("", block).strip() for name, block in zip(parts[1::2], parts[2::2], strict=True)}


def load_migrations() -> list[Migration]:
    """Return the migrations in order of their numbers, which begin at 1 and leave none out."""
    folder = resources.files("hub.store").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    found = []
    for number, name in enumerate(names, start=1):
        raw = folder.joinpath(name).read_bytes()
        if int(name[:4]) != number:
            raise AssertionError(f"migrations aren't numbered without gaps: {name}")
        found.append(Migration(number, name, raw.decode(), sha256(raw)))
    return found


def statements(text: str, words: Mapping[str, str], only: str = "") -> list[str]:
    """Return the statements of a migration in the *words* of one database, with its own lines ``-- <only>: …``."""
    if only:
        text = re.sub(rf"^-- {only}: (.*)$", r"\1;", text, flags=re.MULTILINE)
    text = _COMMENT.sub("", text)
    translated = _WORD.sub(lambda match: words.get(match[0], match[0]), text)
    return [part.strip() for part in translated.split(";") if part.strip()]


def translate_parameters(query: str) -> str:
    """Return *query* with ``%(named)s`` parameters, as psycopg wants them."""
    return _PARAMETER.sub(r"%(\1)s", query.replace("%", "%%"))
