"""What a mapping says once and uses often: tables of codes and groups of fields, put in where they are named.  Pure.

``tables``: name to a table, the system's code to ours; ``"codes": "name"`` in a `send` rule reads it so, in a `file` rule backwards.
``groups``: name to fields; ``"use": ["name"]`` in a rule puts them before the rule's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.profiles.values import spell


def expand(raw: Any) -> Any:
    """Return the mapping *raw* without tables and groups; what isn't shaped as they are is left for whoever reads it.

    Raises:
        ValueError: a table or a group that isn't there, or a table that can't be read backwards.
    """
    if not isinstance(raw, Mapping):
        return raw
    tables, groups = _named(raw, "tables"), _named(raw, "groups")
    made = {name: value for name, value in raw.items() if name not in {"tables", "groups"}}
    for way in ("send", "file"):
        rules = raw.get(way)
        if isinstance(rules, list):
            made[way] = [_rule(one, tables, groups, backwards=way == "file") for one in rules]
    return made


def _named(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name, {})
    if not isinstance(found, Mapping) or not all(isinstance(one, Mapping) for one in found.values()):
        raise ValueError(f"mapping: `{name}` holds names, each with an object")
    return found


def _rule(rule: Any, tables: Mapping[str, Any], groups: Mapping[str, Any], *, backwards: bool) -> Any:
    if not isinstance(rule, Mapping):
        return rule
    fields: dict[str, Any] = {}
    for name in rule.get("use", ()):
        if name not in groups:
            raise ValueError(f"mapping: there is no group `{name}`")
        fields |= groups[name]
    own = rule.get("fields", {})
    made = {name: value for name, value in rule.items() if name != "use"}
    if isinstance(own, Mapping):
        made["fields"] = fields | dict(own)
    return {name: _codes(value, tables, backwards=backwards) for name, value in made.items()}


def _codes(value: Any, tables: Mapping[str, Any], *, backwards: bool) -> Any:
    if isinstance(value, list):
        return [_codes(one, tables, backwards=backwards) for one in value]
    if not isinstance(value, Mapping):
        return value
    made = {name: _codes(one, tables, backwards=backwards) for name, one in value.items()}
    name = value.get("codes")
    if isinstance(name, str):
        if name not in tables:
            raise ValueError(f"mapping: there is no table `{name}`")
        made["codes"] = _turn(name, tables[name]) if backwards else dict(tables[name])
    return made


def _turn(name: str, table: Mapping[str, Any]) -> dict[str, str]:
    turned = {spell(ours): theirs for theirs, ours in table.items()}
    if len(turned) < len(table):
        raise ValueError(f"mapping: the table `{name}` has two codes for one of ours, and can't be read backwards")
    return turned
