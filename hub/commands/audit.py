"""``hub audit verify``, ``verify-envelope``, ``figures``, ``convict``, ``export`` and ``show``."""

from __future__ import annotations

import argparse
import asyncio
import json
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hub.commands import journey
from hub.commands.options import add_config, in_words, open_for_reading, parse_moment, read_config
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.store.rows import LeafRow
    from hub.store.transaction import Transaction


FILTERS: Final = ("event", "agency", "mailbox", "type", "envelope", "thread", "obligation")
# How often a log that is followed is asked for more.
FOLLOW_SECONDS: Final = 0.1
SCAN: Final = 65_536


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands' arguments."""
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    verify = commands.add_parser("verify", help="check an export from the first entry, trusting nothing of the hub")
    verify.add_argument("export", metavar="EXPORT", help="folder or .tar that `hub audit export` wrote")
    verify.add_argument("--trust", metavar="FILE", required=True, help="trust.json, as the partnership handed it out")
    verify.add_argument("--json", action="store_true", help="print the result as one JSON object")
    verify.set_defaults(run=run_verify)
    journey.add_arguments(
        commands.add_parser(
            "verify-envelope", help="check the proof of one envelope's journey, trusting nothing of the hub"
        )
    )
    figures = commands.add_parser(
        "figures", help="count from an export alone what was owed and received, with the entries that prove each gap"
    )
    figures.add_argument("export", metavar="EXPORT", help="folder or .tar that `hub audit export` wrote")
    figures.add_argument("--trust", metavar="FILE", required=True, help="trust.json, as the partnership handed it out")
    figures.add_argument("--type", metavar="TYPE", action="append", default=[], help="only this type; again for each")
    figures.add_argument("--sector", metavar="SECTOR", help="only what was owed to this sector, such as health")
    figures.add_argument("--from", dest="start", metavar="DATE", default="1970-01-01", help="what falls due from here")
    figures.add_argument("--to", dest="end", metavar="DATE", default="2100-01-01", help="and before this")
    figures.add_argument("--json", action="store_true", help="print the result as one JSON object")
    figures.set_defaults(run=run_figures)
    convict = commands.add_parser("convict", help="say what agencies' evidence proves of a hub that contradicts itself")
    convict.add_argument(
        "files", metavar="FILE", nargs="+", help="what `gateway evidence export` wrote, of each agency"
    )
    convict.add_argument("--trust", metavar="FILE", required=True, help="trust.json, as the partnership handed it out")
    convict.add_argument("--json", action="store_true", help="print the result as one JSON object")
    convict.set_defaults(run=run_convict)
    export = commands.add_parser("export", help="write the whole log with its evidence, for anyone to check")
    export.add_argument("export", metavar="EXPORT", help="a new folder, or a new file that ends in .tar")
    add_config(export)
    export.set_defaults(run=run_export)
    show = commands.add_parser("show", help="print entries of the log")
    show.add_argument("--after", metavar="INDEX", type=int, default=-1, help="entries after this one")
    show.add_argument("--limit", metavar="N", type=int, default=100, help="how many at most (default: 100)")
    for name in FILTERS:
        show.add_argument(f"--{name}", metavar=name.upper(), help=f"only this {name}")
    show.add_argument("--since", metavar="DATE", help="from this moment on")
    show.add_argument("--until", metavar="DATE", help="before this moment")
    show.add_argument("--json", action="store_true", help="one JSON object a line")
    show.add_argument("--follow", action="store_true", help="go on printing what is signed from now on, until stopped")
    add_config(show)
    show.set_defaults(run=run_show)


def run_verify(args: argparse.Namespace) -> int:
    """Check an export and say what was found; 1 if anything is wrong."""
    from hub.verifier import verify_export

    with _as_folder(Path(args.export)) as folder:
        result: dict[str, Any] = verify_export(folder, Path(args.trust))
    if args.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name.replace('_', ' ')}: {value}")
    return 0 if result.get("verified") else 1


def run_convict(args: argparse.Namespace) -> int:
    """Say what agencies' evidence proves; 1 where nothing is proved."""
    from hub.convicting.judging import convict

    result = convict([Path(file) for file in args.files], Path(args.trust))
    if args.json:
        print(json.dumps(result))
        return 0 if result["proved"] else 1
    for one in result["findings"]:
        print(f"PROVED against {one['against']}" if one["proved"] else "not proved", end=f": {one['code']}\n")
        print(f"  {one['says']}\n  signed by: {'; '.join(one['signed_by'])}")
    for what in result["passed_over"]:
        print(f"passed over: {what}")
    if not result["proved"]:
        print("nothing is proved")
    return 0 if result["proved"] else 1


def run_figures(args: argparse.Namespace) -> int:
    """Count from an export alone; 1 if the export does not verify."""
    from hub.core.statistics import Period
    from hub.inspecting import Question, inspect_export

    asked = Question(Period(parse_moment(args.start), parse_moment(args.end)), frozenset(args.type), args.sector)
    with _as_folder(Path(args.export)) as folder:
        result = inspect_export(folder, Path(args.trust), asked)
    if args.json:
        print(json.dumps(result))
    else:
        _print_figures(result, args.sector or "everybody")
    return 0 if result["verdict"]["verified"] else 1


def _print_figures(result: dict[str, Any], who: str) -> None:
    verdict, total = result["verdict"], result["figures"]["total"]
    print(
        f"{who} had received {total['received']} of {total['owed']} by the deadline"
        + (f" ({total['received_rate']:.0%})" if total["owed"] else "")
        + f"; {total['received_in_the_end']} in the end"
    )
    for gap in result["gaps"]:
        where = ", ".join(map(str, gap["entries"]))
        print(f"  {gap['state']}: {gap['type']} of thread {gap['thread']} to {gap['creditor']}: entries {where}")
    print(f"counted from {verdict['size']} entries, root {verdict['root']}, {verdict['signatures']} signatures checked")
    print("witnessed by a quorum" if verdict["witnessed"] else "not witnessed by a quorum")
    for problem in verdict["problems"]:
        print(f"WRONG: {problem}")


@contextmanager
def _as_folder(export: Path) -> Iterator[Path]:
    if not export.is_file():
        yield export
        return
    with tempfile.TemporaryDirectory(prefix="hub-audit-") as folder:
        try:
            with tarfile.open(export) as archive:
                archive.extractall(folder, filter="data")
        except (OSError, tarfile.TarError) as error:
            raise HubError("export", f"couldn't read {export}", "export it again, whole") from error
        yield Path(folder)


def run_export(args: argparse.Namespace) -> int:
    """Write the log with its evidence."""
    path = Path(args.export)
    size = asyncio.run(_export(args, path))
    print(f"wrote {size} entries to {path}")
    print("check it anywhere: hub audit verify EXPORT --trust trust.json")
    return 0


async def _export(args: argparse.Namespace, path: Path) -> int:
    from hub.export import open_export, write_folder, write_tar
    from hub.wiring import make_clock

    config = read_config(args)
    store = open_for_reading(config)
    try:
        export = await open_export(store, make_clock(config)())
        await (write_tar if path.suffix == ".tar" else write_folder)(export, path)
        return export.size
    finally:
        await store.close()


def run_show(args: argparse.Namespace) -> int:
    """Print entries, oldest first."""
    if not 0 < args.limit <= 100_000:
        raise HubError("request-invalid", "`--limit` isn't from 1 to 100000", "ask for fewer at once")
    with suppress(KeyboardInterrupt):
        asyncio.run(_show(args))
    return 0


async def _show(args: argparse.Namespace) -> None:
    filters: Any = {name: getattr(args, name) for name in FILTERS}
    filters |= {name: parse_moment(text) for name in ("since", "until") if (text := getattr(args, name))}
    store = open_for_reading(read_config(args))
    after: int = args.after
    left: int = args.limit

    def look(tx: Transaction) -> tuple[list[LeafRow], int, bool]:
        # What is followed is printed once it is signed: nothing under a checkpoint can be taken back.
        signed = tx.last_checkpoint()
        past = (signed[0] if signed else 0) if args.follow else tx.log_head().size
        # However little a long log has of it, no look takes long.
        found = tx.search_leaves(after=after, limit=left, scan=SCAN, **filters)
        last = past - 1 if found.next is None else min(found.next, past - 1)
        return [row for row in found.rows if row.index < past], last, last == past - 1

    try:
        while True:
            rows, last, is_end = await store.read(look)
            for row in rows:
                _print(row.index, json.loads(row.body), as_json=args.json)
            after = max(after, last)
            if args.follow:
                await asyncio.sleep(FOLLOW_SECONDS if is_end else 0)
                continue
            left -= len(rows)
            if is_end or not left:
                return
    finally:
        await store.close()


def _print(index: int, leaf: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"index": index, "leaf": leaf}), flush=True)
    else:
        rest = " ".join(f"{name}={value}" for name, value in leaf.items() if name not in {"v", "at", "event"})
        print(f"{index} {in_words(leaf['at'])} {leaf['event']} {rest}", flush=True)
