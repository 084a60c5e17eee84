"""`gateway adapter list`, `check`, `mapping` and `new`: what is installed, whether it keeps the contract, how to begin one."""

from __future__ import annotations

import re
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from adapters.base import Adapter, Incoming, Manifest
from adapters.checks import Trial, patience_with, run_checks
from adapters.conformance import sample_incoming
from adapters.durable import read_regular
from adapters.errors import GatewayError
from adapters.gateway.agent import load_messages
from adapters.gateway.config import load_config
from adapters.hosting.grants import PluginError, split_table
from adapters.hosting.host import HostedAdapter
from adapters.plugins import describe_adapter, find_own, list_installed, load_adapters
from schemas.strict_json import parse

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_MESSAGE: Final = 4 * 1024 * 1024
# Between two questions to an adapter whose partner answers later, in seconds.
_PAUSE: Final = 0.5
_TEMPLATES: Final = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "MODULE.py": "adapter.py.txt",
    "test_MODULE.py": "test_adapter.py.txt",
}


async def run_action(options: Namespace) -> list[dict[str, Any]]:
    """Do what was asked."""
    if options.action == "new":
        return _write_new(options.name)
    if options.action == "check":
        return await check(options)
    if options.action == "mapping":
        return check_mapping(options)
    return list_adapters(Path(options.home))


def list_adapters(home: Path) -> list[dict[str, Any]]:
    """Return what each installed adapter says of itself, and whether the gateway in *home* enables it."""
    try:
        enabled: Mapping[str, Any] = load_config(home).adapters
    except GatewayError:
        enabled = {}
    found = []
    for name in sorted({*list_installed(), *enabled}):
        row: dict[str, Any] = {"adapter": name, "enabled": name in enabled}
        try:
            manifest = describe_adapter(name).manifest
        except PluginError as error:
            found.append(row | {"good": name not in enabled, "says": error.message})
            continue
        found.append(row | _say(manifest))
    return found


def _say(manifest: Manifest) -> dict[str, Any]:
    return {
        "title": manifest.title,
        "transports": ", ".join(manifest.transports),
        "levels": ", ".join(manifest.levels),
        "network": manifest.network,
    }


def check_mapping(options: Namespace) -> list[dict[str, Any]]:
    """Say whether the mapping of the profile NAME fits, and what a record becomes by it; nothing is sent or filed.

    Raises:
        GatewayError: ``adapter-unknown``, ``adapter-mapping``.
    """
    from adapters.profiles.adapter import RecordsAdapter
    from adapters.profiles.trying import try_mapping

    home = Path(options.home)
    _, own = split_table(options.name, _find_table(home, options.name))
    kind = find_own(options.name)
    if kind is None or not issubclass(kind, RecordsAdapter):
        raise GatewayError(
            "adapter-mapping",
            f"the adapter `{options.name}` has no mapping",
            "name a profile: see docs/agencies/records.md",
        )
    record = Path(options.record) if options.record else None
    return list(try_mapping(kind, own, home, load_messages(home), record))


def _find_table(home: Path, name: str) -> Mapping[str, Any]:
    table = load_config(home).adapters.get(name)
    if table is None:
        raise GatewayError(
            "adapter-unknown", f"the adapter `{name}` isn't enabled here", f"add [adapters.{name}] to gateway.toml"
        )
    return table


async def check(options: Namespace) -> list[dict[str, Any]]:
    """Try the adapter NAME of this gateway: each check, and which confinements hold.

    Its folders are empty ones for the trial.  One that works over the network files the samples where it is configured to.
    One whose partner answers later is asked again for as long as `--wait` says.

    Raises:
        GatewayError: ``adapter-unknown``, ``adapter-samples``.
    """
    home = Path(options.home)
    table = _find_table(home, options.name)
    manifest = describe_adapter(options.name).manifest
    if manifest.network and not options.file_samples:
        raise GatewayError(
            "adapter-samples",
            "it would file sample messages into the system that is configured",
            "configure its test system, and say --file-samples",
        )
    with tempfile.TemporaryDirectory(prefix="adapter-check-") as scratch:
        folders = {entry.partition("/")[0] for entry in manifest.writes}
        tried = {**table, **{name: str(Path(scratch) / name) for name in folders}}
        return await _try_out(options, tried, home)


async def _try_out(options: Namespace, table: Mapping[str, Any], home: Path) -> list[dict[str, Any]]:
    opened: list[HostedAdapter] = []

    async def reopen() -> Adapter:
        if opened:
            await opened[-1].close()
        printed = _show if options.show_output else None
        opened.append(load_adapters({options.name: table}, home, printed=printed)[options.name])
        await opened[-1].start()
        return opened[-1]

    try:
        await reopen()
        holds = opened[-1].holds
        patience = patience_with(opened[-1].manifest, seconds=options.wait, pause=_PAUSE)
        trial = Trial(reopen=reopen, message=_sample(options), patience=patience)
        points = [{"point": point.name, "good": point.good, "says": point.says} async for point in run_checks(trial)]
    finally:
        for one in opened:
            await one.close()
    return [*points, {"point": "confined as to", "good": True, "says": ", ".join(holds) or "nothing"}]


def _show(chunk: bytes) -> None:
    sys.stderr.buffer.write(chunk)
    sys.stderr.flush()


def _sample(options: Namespace) -> Incoming:
    if options.message is None:
        return sample_incoming(type=options.type)
    raw = read_regular(Path(options.message), max_bytes=_MAX_MESSAGE)
    message = parse(raw, max_bytes=_MAX_MESSAGE, content=True)
    if not isinstance(message, dict):
        raise GatewayError("adapter-message", "the sample message is no JSON object", "give one of the type named")
    return sample_incoming(type=options.type, message=message)


def _write_new(name: str) -> list[dict[str, Any]]:
    """Write a package that is an adapter, into a new folder of its name.

    Raises:
        GatewayError: ``adapter-name``, ``adapter-exists``.
    """
    if not _NAME.fullmatch(name) or len(name) > 40:
        raise GatewayError("adapter-name", "an adapter's name is lower-case words with hyphens", "as in ward-board")
    folder = Path(name)
    if folder.exists():
        raise GatewayError("adapter-exists", f"there is a folder {name} already", "choose another name or place")
    folder.mkdir()
    module = name.replace("-", "_")
    words = {"NAME": name, "MODULE": module, "CLASS": "".join(part.title() for part in name.split("-"))}
    written = []
    for target, template in _TEMPLATES.items():
        text = (files("adapters") / "skeleton" / template).read_text("utf-8")
        path = folder / target.replace("MODULE", module)
        path.write_text(re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], text), "utf-8")
        written.append({"written": str(path)})
    return written
