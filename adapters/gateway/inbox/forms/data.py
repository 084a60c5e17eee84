"""What the schemas do not say of their forms, read from the files beside this one.

``filling.json``  what the machine fills, by family and pointer (``*`` for the entries of a list):
                  ``new`` an identifier, ``now`` the moment of sending, ``thread`` from the message that is answered,
                  ``values`` always the same, ``copies`` what another field has; ``anywhere`` for all types;
                  ``unless`` a condition under which a person is asked after all; ``defaults`` what a new entry starts with;
                  ``reserved`` shared definitions that one kind of agency alone fills in; ``machine`` types that nobody writes
                  by hand; ``carried`` and ``renamed`` what an answer takes from the message that it answers
``steps.json``    for a family the steps in order; what they leave out follows by itself
``words.json``    for a field its question (``titles``), its hint and what is said if it is missing; ``gates`` are questions that
                  end the form if they are answered the wrong way
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

import msgspec

Source = Literal["new", "now", "thread", "value", "copy", "kept"]


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question before all others.

    ``go_on`` is the answer with which the form goes on.  Any other one ends it with ``stop`` (what to do at once) and ``then``
    (what to do next); ``instead`` is the family of the message to write.
    """

    ask: str
    hint: str = ""
    go_on: Literal["yes", "no"] = "yes"
    stop: str = ""
    then: str = ""
    instead: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step: its short name, its title, the fields of the message that it asks."""

    name: str
    title: str
    fields: tuple[str, ...]


class Filling(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value that nobody is asked for comes from; ``unless`` this holds of the group, and then it is asked."""

    source: Source
    value: Any = None
    unless: Mapping[str, Any] | None = None


class _Fillings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    machine: frozenset[str]
    new: Mapping[str, tuple[str, ...]]
    now: Mapping[str, tuple[str, ...]]
    thread: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Mapping[str, Any]]
    copies: Mapping[str, Mapping[str, str]]
    anywhere: Mapping[str, Source]
    unless: Mapping[str, Mapping[str, Mapping[str, Any]]]
    defaults: Mapping[str, str]
    reserved: Mapping[str, str]
    carried: tuple[str, ...]
    renamed: Mapping[str, Mapping[str, str]]


class _Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    titles: Mapping[str, str]
    hints: Mapping[str, str]
    missing: Mapping[str, str]
    gates: Mapping[str, Gate]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """All of the files."""

    fillings: _Fillings
    words: _Words
    steps: Mapping[str, tuple[Plan, ...]]
    handling: tuple[str, ...] = ("urgent", "do_not_disclose_to", "embargo_until")

    @property
    def machine(self) -> frozenset[str]:
        """Return the families that nobody writes by hand."""
        return self.fillings.machine

    @property
    def reserved(self) -> Mapping[str, str]:
        """Return by shared definition which kind of agency alone fills it in."""
        return self.fillings.reserved

    @property
    def defaults(self) -> Mapping[str, str]:
        """Return what a new entry starts with, by family and pointer."""
        return self.fillings.defaults

    @property
    def titles(self) -> Mapping[str, str]:
        """Return questions, by family and pointer."""
        return self.words.titles

    @property
    def hints(self) -> Mapping[str, str]:
        """Return hints, by family and pointer."""
        return self.words.hints

    @property
    def gates(self) -> Mapping[str, Gate]:
        """Return the questions that may end a form, by family and pointer."""
        return self.words.gates

    def find_filling(self, family: str, path: str, schema: Mapping[str, Any]) -> Filling | None:
        """Return how the machine fills the field of *family* at *path*, or ``None`` if a person does."""
        given = self.fillings
        unless = given.unless.get(family, {}).get(path)
        if path in given.copies.get(family, {}):
            return Filling(source="copy", value=given.copies[family][path])
        if path in given.values.get(family, {}):
            return Filling(source="value", value=given.values[family][path])
        for source, paths in (("new", given.new), ("now", given.now), ("thread", given.thread)):
            if path in paths.get(family, ()):
                return msgspec.convert({"source": source, "unless": unless}, Filling)
        if path in given.anywhere:
            return Filling(source=given.anywhere[path])
        only = schema.get("enum", ())
        return Filling(source="value", value=only[0]) if len(only) == 1 else None


@cache
def _read() -> Data:
    folder = files("adapters.gateway.inbox.forms")

    def load(name: str) -> Any:
        return json.loads(folder.joinpath(name).read_text("utf-8"))

    return msgspec.convert(
        {"fillings": load("filling.json"), "words": load("words.json"), "steps": load("steps.json")}, Data
    )


DATA: Final = _read()
