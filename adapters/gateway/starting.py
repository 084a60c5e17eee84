"""What a new gateway's configuration says: of its agency as it was given, and of its record system as its profile has it.

A profile's template is ``adapters/profiles/NAME/gateway.toml``: the whole configuration of an agency of Exampleshire.  Its comments stay;
agency, mailboxes and the place of the record system are put in for the example's.

Source: docs/agencies/records.md.
"""

from __future__ import annotations

import json
import re
import tomllib
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from yarl import URL

from adapters.durable import write_file
from adapters.errors import GatewayError
from keys.digests import random_bytes

_TEMPLATE: Final = "gateway.toml"
_BYTES: Final = 32
_PORTS: Final = {"postgresql": 5432, "postgres": 5432}
# The options that say where a record system is, the first that a table has.
_PLACES: Final = ("url", "base", "database")
_GIVEN: Final = re.compile(r"(agency|name|roles|training|clock)\s*=")


def make_configuration(options: Namespace) -> str:
    """Return a configuration for the agency, the mailboxes and the profile that *options* name.

    Raises:
        GatewayError: ``init-agency``, ``init-profile``, ``init-records``.
    """
    if not options.agency or not options.mailbox:
        raise GatewayError("init-agency", "a new gateway needs its agency and a mailbox", "give --agency and --mailbox")
    template = _load_template(options.profile) if options.profile else '[adapters.folder]\npath = "."\n'
    example = tomllib.loads(template)
    top, tables = _split(template)
    lines = [f"agency = {json.dumps(options.agency)}", f"name = {json.dumps(options.name or options.agency)}"]
    lines.append(f"roles = {json.dumps(options.role or example.get('roles', []))}")
    if options.training:
        lines.append("training = true")
    if options.clock:
        lines.append(f"clock = {json.dumps(options.clock)}")
    boxes = [one.partition("=") for one in options.mailbox]
    for name, _, title in boxes:
        top += _mailbox_lines(name, title, example.get("mailboxes", ()))
    rest = "\n".join(tables).strip() + "\n"
    for known, own in _exchange(example, [name for name, _, _ in boxes], options.records):
        rest = rest.replace(json.dumps(known), json.dumps(own))
    return "\n".join([*lines, *top]) + "\n\n" + rest


def _mailbox_lines(name: str, title: str, known: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of the mailbox *name*: what the profile has for a team of that name, else how it files for the first."""
    team = name.partition("/")[2]
    like = next((box for box in known if box["id"].partition("/")[2] == team), None)
    adapter = next((box["adapter"] for box in (like, *known) if box is not None and "adapter" in box), None)
    yield from ("", "[[mailboxes]]", f"id = {json.dumps(name)}")
    yield f"title = {json.dumps(title or (like or {}).get('title') or name)}"
    if like is not None and like.get("roles"):
        yield f"roles = {json.dumps(like['roles'])}"
    if adapter is not None:
        yield f"adapter = {json.dumps(adapter)}"


def write_own_files(home: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Write what an adapter's ids are made with, where its table names a file of that kind and none is there."""
    for table in tables.values():
        name = table.get("ids")
        # New bytes over old ones would give what the agency has sent about another id.
        if isinstance(name, str) and not (home / name).exists():
            write_file(home / name, random_bytes(_BYTES))


def list_profiles() -> list[str]:
    """Return the names of the profiles that have a template."""
    return sorted(one.name for one in files("adapters.profiles").iterdir() if one.joinpath(_TEMPLATE).is_file())


def _load_template(profile: str) -> str:
    if profile not in list_profiles():
        raise GatewayError("init-profile", "there is no such profile", f"use one of {', '.join(list_profiles())}")
    return files("adapters.profiles").joinpath(profile, _TEMPLATE).read_text("utf-8")


def _split(template: str) -> tuple[list[str], list[str]]:
    """Return the top lines that are kept, and the lines of all tables but the mailboxes, with the comments above them."""
    top: list[str] = []
    tables: list[str] = []
    where, held = top, list[str]()
    for line in template.splitlines():
        if line.startswith("#") or not line.strip():
            held.append(line)
            continue
        if line.startswith("["):
            where = [] if line.startswith("[[mailboxes]]") else tables
        if not _GIVEN.match(line) or where is not top:
            where += [*(held if where is not top else ()), line]
        held = []
    return top, tables


def _exchange(example: Mapping[str, Any], boxes: list[str], records: str | None) -> Iterator[tuple[str, str]]:
    """Yield each text of the example, and what stands for it; the last mailbox stands for those that weren't given."""
    for number, box in enumerate(example.get("mailboxes", ())):
        yield box["id"], boxes[min(number, len(boxes) - 1)]
    table = next(iter(example["adapters"].values()))
    place = next((table[name] for name in _PLACES if name in table), None)
    if records is None or place is None:
        return
    yield place, records
    for host in table.get("hosts", ())[:1]:
        yield host, _host_of(records)


def _host_of(records: str) -> str:
    try:
        url = URL(records)
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        url, port = URL(), None
    if url.host is None or port is None:
        raise GatewayError("init-records", "--records is no address", "write it as https://host/path")
    return f"{url.host}:{port}"
