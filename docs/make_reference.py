"""Make ``adapters.md``, ``errors.md``, ``configuration.md`` and ``commands.md`` from the code; a test holds the files to it.

Run it again after changing a code, a configuration key or a command: ``uv run python docs/make_reference.py``.
"""

# ruff: noqa: SLF001  (argparse has no public way to list a parser's commands)
from __future__ import annotations

import argparse
import ast
import re
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
PACKAGES: Final = ("schemas", "keys", "hub", "adapters")
WHERE: Final = {"schemas": "wire", "keys": "cryptography", "hub": "hub", "adapters": "gateway"}
CODE: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# Beside whatever ends in `Error`: values and helpers that carry a code.
RAISERS: Final = frozenset({"Refusal", "DraftRefused", "_failing_as", "__init__"})
NOT_OURS: Final = frozenset({"AssertionError", "UnansweredError", "ValidationError"})
# Codes that a `rejected` receipt has: the check of protocol 3 that failed.
REJECTED: Final = {
    "acceptance": "The hub's acceptance isn't right, or about something else",
    "derived-members": "The header's members aren't those that the message gives",
    "document-digest": "A document isn't the one that the manifest names",
    "document-lengths": "The documents aren't as long as the manifest says",
    "header": "The header isn't right",
    "header-signature": "The header's signature isn't right",
    "layers-differ": "Header and manifest don't say the same",
    "manifest": "The manifest isn't right, or not signed by the sender",
    "message": "The message isn't of its type's schema",
    "opening-key": "The sealing key that it was sealed to is not held here",
    "sender-key": "The sender's key wasn't active when the hub took the envelope",
    "unwrap": "The content key can't be unwrapped",
    "wraps": "The wraps aren't right, or not for this mailbox",
}
# What a code means where its text is made up at run time.
COMPOSED: Final = {
    "assets": "The design system of the inbox's pages can't be fetched",
    "log-inconsistent": "The hub shows a log that isn't the one that it showed before",
    "record-code": "A field of the record has a code that no table of the mapping has",
    "record-value": "A field of the record has a value that can't be read",
    "row-value": "What stands in the cell is not of the kind of the field",
    "taken-otherwise": "This person has acknowledged it before, or declined it",
}
# What reaches an agency without being a plugin of its gateway, as a row of the table of adapters.
BUILT_IN: Final = {
    "email": (
        "[Secure e-mail](agencies/email.md) to named guests of an agency that has nothing else; part of the gateway's inbox, no plugin",
        "nothing by itself; `opened`, `acknowledged`, `declined` by the named guest",
        "smtp, https",
        "the inbox's own",
        "aiosmtpd, with and without STARTTLS, and one that refuses; Chromium",
        "one way: guests can't answer; no documents; another agency has to answer for them",
    ),
}
ASK_AGAIN: Final = "the sender is told by the receipt; it sends again, or asks its officers"
MADE: Final = "Made by `docs/make_reference.py`; don't edit.\n"


class Raised(NamedTuple):
    """One place where a code is raised: the code, what is said, the way out, and the package."""

    code: str
    message: str
    hint: str
    package: str


def scan_codes(root: Path = ROOT) -> dict[str, list[Raised]]:
    """Return every code raised in the packages under *root*, with each place, found in the syntax tree."""
    found: dict[str, list[Raised]] = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and (raised := _read_call(node, package)):
                    found.setdefault(raised.code, []).append(raised)
    return found


def _read_call(call: ast.Call, package: str) -> Raised | None:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in NOT_OURS or (not name.endswith("Error") and name not in RAISERS):
        return None
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    parts = [*call.args, None, None, None]
    code, message, hint = (named.get(key, parts[place]) for place, key in enumerate(("code", "message", "hint")))
    if not isinstance(code, ast.Constant) or not isinstance(code.value, str) or not CODE.fullmatch(code.value):
        return None
    return Raised(code.value, _text(message), _text(hint), package)


def _text(node: ast.AST | None) -> str:
    """Return a string literal with its variable parts as ``…``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return ""


def errors_page() -> str:
    """Return ``errors.md``."""
    from hub.errors import CODES

    raised = scan_codes()
    lines = [
        "# Errors",
        "",
        MADE,
        "A code is permanent: never renamed, never reused. The hub answers with problem details (RFC 9457) whose `code` it is and",
        "whose `hint` is the way out; command lines print `hub: …` or `gateway: …` and `hint: …`; a refused draft has it in",
        "`reason.json`, a `rejected` receipt as its `code`. No error repeats content, keys or names, or says that something exists",
        "to someone who isn't party to it.",
        "",
        "| code | status | means | way out | from |",
        "|---|---|---|---|---|",
    ]
    for code in sorted({*raised, *CODES}):
        places = raised.get(code, [])
        known = CODES.get(code)
        said = next((place.message for place in places if place.message), "")
        means = known.title if known else REJECTED.get(code) or COMPOSED.get(code) or said[:1].upper() + said[1:]
        hint = next((place.hint for place in places if place.hint), "" if known or code not in REJECTED else ASK_AGAIN)
        where = ", ".join(sorted({WHERE[place.package] for place in places}) or ["hub"])
        status = str(known.status) if known else ""
        lines.append(f'| <a id="{code}"></a>`{code}` | {status} | {_cell(means)} | {_cell(hint)} | {where} |')
    return "\n".join(lines) + "\n"


def configuration_page() -> str:
    """Return ``configuration.md``."""
    from adapters.gateway import config as gateway
    from adapters.hosting.grants import HostConfig
    from hub.config import CONFIG_VARIABLE, PASSPHRASE_VARIABLE, describe

    lines = [
        "# Configuration",
        "",
        MADE,
        "TOML. Unknown keys are refused, so that a misspelt one can't pass for a set one.",
        "",
        "## The hub: `hub.toml`",
        "",
        f"`hub init` writes it. Found by `--config`, else `{CONFIG_VARIABLE}`, else in the current folder. Key files are opened by",
        f"`--passphrase-file`, else `{PASSPHRASE_VARIABLE}`.",
        "",
        "| key | kind | default | meaning |",
        "|---|---|---|---|",
        *(
            f"| `{key.name}` | {_cell(key.kind)} | `{_value(key.default)}` | {_cell(key.meaning)} |"
            for key in describe()
        ),
        "",
        "## A gateway: `gateway.toml`",
        "",
        f"In the gateway's home; `gateway init` writes it. Keys are opened by `passphrase_file`, else `{gateway.PASSPHRASE_VARIABLE}`.",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
        *(f"| `{name}` | {default} | {_cell(meaning)} |" for name, default, meaning in _keys(gateway.Config, "")),
        "",
        "Every `[adapters.NAME]` also takes these, whatever the adapter; what they hold it to is in [writing adapters](writing-adapters.md#its-process).",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
        *(
            f"| `{name}` | {default} | {_cell(meaning)} |"
            for name, default, meaning in _keys(HostConfig, "adapters.NAME.")
        ),
    ]
    return "\n".join(lines) + "\n"


def _keys(kind: type[msgspec.Struct], prefix: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, default and meaning of each key of *kind*; those of inner tables after their own."""
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        hint, name = hints[field.name], prefix + field.encode_name
        meaning = next((note.description for note in getattr(hint, "__metadata__", ()) if note.description), "")
        if field.default is not msgspec.NODEFAULT:
            default = f"`{_value(field.default)}`"
        elif field.default_factory is not msgspec.NODEFAULT:
            default = f"`{_value(field.default_factory())}`"
        else:
            default = "required"
        inner = _inner(hint)
        if meaning or inner is None:
            yield name, default, meaning
        if inner is not None:
            yield from _keys(inner, f"{name}.")


def _inner(hint: Any) -> type[msgspec.Struct] | None:
    if isinstance(hint, type):
        return hint if issubclass(hint, msgspec.Struct) else None
    return next((inner for part in typing.get_args(hint) if (inner := _inner(part))), None)


def commands_page() -> str:
    """Return ``commands.md``."""
    from adapters.gateway.cli import make_parser as make_gateway
    from hub.cli import GROUPS
    from hub.cli import make_parser as make_hub

    lines = ["# Commands", "", MADE]
    for parser in (make_hub([group.name for group in GROUPS]), make_gateway()):
        lines += [f"## {parser.prog}", "", parser.description or "", ""]
        for command in _leaves(parser):
            lines += [f"### {command.prog}", "", *([command.description, ""] if command.description else [])]
            rows = [
                (", ".join(action.option_strings) or str(action.metavar or action.dest), action.help)
                for action in command._actions
                if not isinstance(action, argparse._HelpAction)
            ]
            if rows:
                lines += [
                    "| argument | |",
                    "|---|---|",
                    *(f"| `{name}` | {_cell(text or '')} |" for name, text in rows),
                    "",
                ]
    return "\n".join(lines).rstrip() + "\n"


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser
    for action in below:
        summaries = {choice.dest: choice.help for choice in action._choices_actions}
        for name, child in action.choices.items():
            if child.description is None:
                child.description = summaries.get(name)
            yield from _leaves(child)


def adapters_page() -> str:
    """Return the page of adapters, from what each says of itself; the conformance checks hold each to what is said here."""
    from adapters.plugins import describe_adapter, list_installed

    lines = [
        "# Adapters",
        "",
        MADE,
        "What connects an agency's own systems to its gateway. An adapter runs [in a process of its own](writing-adapters.md#its-process), and is enabled by its exact name",
        "in `gateway.toml`. A `filed` receipt is signed by the gateway once the adapter has written the message and read it back; **no adapter signs for a person**:",
        "`opened` and `acknowledged` are a named practitioner's, at the gateway's pages or command line.",
        "",
        "| adapter | for | it leads to | over | network | tested against | limits |",
        "|---|---|---|---|---|---|---|",
    ]
    installed = list_installed()
    for name in sorted([*installed, *BUILT_IN]):
        if name in BUILT_IN:
            lines.append(f"| {' | '.join(map(_cell, (f'`{name}`', *BUILT_IN[name])))} |")
            continue
        manifest = describe_adapter(name).manifest
        levels = ", ".join(f"`filed` {level.replace('_', ' ')}" for level in manifest.levels)
        cells = (
            f"`{manifest.name}`",
            manifest.title,
            levels + (", later" if manifest.answers_later else ""),
            ", ".join(manifest.transports),
            "where granted" if manifest.network else "none",
            manifest.tested_against,
            manifest.limits,
        )
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    lines += [
        "",
        "Beside these, a trust that already has MESH tooling reaches the hub through [its MESH front door](mesh.md), without an adapter.",
        "",
        "`gateway adapter list` shows what is installed and enabled, `gateway adapter check NAME` runs the conformance checks against one, `gateway adapter new NAME` writes",
        "a working skeleton: [writing an adapter](writing-adapters.md).",
        "",
        "## When its system is in trouble",
        "",
        "Nothing is lost, nothing is filed twice, and the receipt's level is never ahead of the truth: what isn't surely filed waits, or asks for a person. Each row names the tests",
        "that show it; `docs/troubles.toml` is where they are listed.",
        *_trouble_tables(),
    ]
    return "\n".join(lines) + "\n"


class Troubles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong, in words; and of each adapter the tests of it, or the sentence that says why it can't come."""

    troubles: dict[str, str]
    adapters: dict[str, dict[str, list[str] | str]]


def load_troubles() -> Troubles:
    """Return what ``troubles.toml`` lists."""
    return msgspec.toml.decode((HERE / "troubles.toml").read_bytes(), type=Troubles)


def _trouble_tables() -> Iterator[str]:
    listed = load_troubles()
    for adapter, rows in sorted(listed.adapters.items()):
        name = "Kinds of agencies" if adapter == "profiles" else f"`{adapter}`"
        yield from ("", f"### {name}", "", "| trouble | held by |", "|---|---|")
        for code, words in listed.troubles.items():
            held = rows.get(code, "")
            yield f"| {words} | {held if isinstance(held, str) else ', '.join(map(_link_test, held))} |"


def _link_test(place: str) -> str:
    path, _, name = place.partition("::")
    return f"[`{name}`](../{path})"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping) and value:
        return "{ " + ", ".join(f"{name} = {_value(part)}" for name, part in value.items()) + " }"
    if value == ():
        return "[]"
    if value is None:
        return "absent"
    return str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


PAGES: Final = {
    "adapters.md": adapters_page,
    "errors.md": errors_page,
    "configuration.md": configuration_page,
    "commands.md": commands_page,
}


def main() -> None:
    """Write every page."""
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
