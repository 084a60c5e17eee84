"""Agencies' files and the officers' first keys in, what is proved out: without the hub, and without any network.

Source: protocol 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub.convicting.facts import read_facts
from hub.convicting.rules import find_all
from hub.errors import HubError
from hub.journeys.checking import read_roots
from schemas.evidence import Evidence, parse_evidence
from schemas.strict_json import MalformedError


def convict(files: Sequence[Path], trust: Path) -> dict[str, Any]:
    """Return what agencies' evidence *files*, laid together, prove by the officers' keys in *trust*, as plain values.

    ``proved``: whether anything is.  ``findings``: each with code, whether it is proved and against whom, a sentence, and
    whose signatures show it.  ``passed_over``: what in the files does not verify, and so counts for nothing.

    Raises:
        HubError: ``export``; a file can't be read, or is none.
    """
    facts = read_facts([_read(path) for path in files], read_roots(_bytes(trust)))
    findings = find_all(facts)
    return {
        "proved": any(one.proved for one in findings),
        "directories": len(facts.directories),
        "checkpoints": len(facts.notes),
        "findings": [one._asdict() for one in findings],
        "passed_over": facts.passed_over,
    }


def _read(path: Path) -> Evidence:
    try:
        return parse_evidence(_bytes(path))
    except MalformedError as error:
        raise HubError("export", f"{path} is no evidence: {error.message}", error.hint) from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HubError("export", f"couldn't read {path}: {error.strerror}", "name a file that exists") from error
