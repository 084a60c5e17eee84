"""Trying a mapping before anything is sent or filed by it: does it fit, what would people have to file, what does a record become.

Nothing is asked of the record system.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from adapters.base import DraftRefused
from adapters.durable import read_regular
from adapters.profiles.adapter import RecordsAdapter
from adapters.profiles.checking import list_uncovered
from adapters.profiles.records import Record
from schemas.catalogue import Catalogue
from schemas.strict_json import MalformedError, parse

_MAX_RECORD: Final = 8 * 1024 * 1024
Point = dict[str, Any]


class _Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    fields: dict[str, Any]


def try_mapping(
    kind: type[RecordsAdapter], options: Mapping[str, Any], home: Path, catalogue: Catalogue, record: Path | None
) -> Iterator[Point]:
    """Yield point by point how the mapping of the profile *kind*, as *options* configure it, does; *record*: a file to draft.

    The draft that a record becomes is shown whole, so the record should be a made-up one.
    """
    try:
        adapter = kind.configure(options, home)
    except ValueError as error:
        yield {"point": "mapping", "good": False, "says": str(error)}
        return
    rules = adapter.mapping
    counted = f"{len(rules.send)} rules send, {len(rules.file)} file; of {rules.about}"
    yield {"point": "mapping", "good": True, "says": counted}
    uncovered = list_uncovered(rules, catalogue)
    says = "; ".join(uncovered) if uncovered else "every code that a partner may send has one of yours"
    # That is a choice: a person can file those.
    yield {"point": "codes that a person would have to file", "good": True, "says": says}
    if record is not None:
        yield from _try_record(adapter, record, catalogue)


def _try_record(adapter: RecordsAdapter, path: Path, catalogue: Catalogue) -> Iterator[Point]:
    point = "record"
    try:
        raw = read_regular(path, max_bytes=_MAX_RECORD)
        sample = msgspec.convert(parse(raw, max_bytes=_MAX_RECORD, content=True), _Sample, strict=True)
        drafted = adapter.draft(Record(key="trial", kind=sample.kind, fields=sample.fields))
        if isinstance(drafted, DraftRefused):
            yield {"point": point, "good": False, "says": f"{drafted.code}: {drafted.message}"}
            return
        draft = drafted.draft
        yield {"point": "draft", "good": True, "says": msgspec.to_builtins(draft)}
        catalogue.validate(draft.type, draft.message)
    except MalformedError as error:
        yield {"point": point, "good": False, "says": f"{error.code}: {error.message}"}
    except (OSError, ValueError) as error:
        yield {"point": point, "good": False, "says": f"it can't be read: {type(error).__name__}"}
    else:
        yield {"point": point, "good": True, "says": f"{draft.type}, as its type wants it"}
