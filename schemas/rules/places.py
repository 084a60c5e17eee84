"""The agencies of a county as text, enough to try rules on: mailboxes and their roles, no keys.

Source: domain 10 (directory).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Final

import msgspec

from schemas.directory import AgencyEntry, Directory, DirectoryIndex, HubEntry, Jwk, Mailbox, Officers
from schemas.identifiers import agency_of, is_mailbox
from schemas.strict_json import MalformedError

_ALWAYS: Final = 2**53 - 1
_NO_KEY: Final = Jwk(kty="OKP", crv="Ed25519", x="A" * 43)


class _Box(msgspec.Struct, frozen=True):
    id: str
    title: str = ""
    roles: tuple[str, ...] = ()
    manager: str | None = None
    deputy: str | None = None


class _Agency(msgspec.Struct, frozen=True):
    id: str
    roles: tuple[str, ...] = ()
    mailboxes: tuple[_Box, ...] = ()


class _County(msgspec.Struct, frozen=True):
    agencies: tuple[_Agency, ...] = ()


def parse_places(toml_text: str) -> DirectoryIndex:
    """Return the directory that the ``[[agencies]]`` of *toml_text* make, as in ``docs/examples/county.toml``.

    It has no keys and no dates and can't be published; its other tables are for whoever else reads the text.

    Raises:
        MalformedError: ``places-text`` (no TOML, a key missing or ill-typed) or ``places-mailbox`` (a mailbox twice,
            under another agency, or with a post that isn't listed).
    """
    try:
        county = msgspec.convert(tomllib.loads(toml_text), _County)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise MalformedError("places-text", f"agencies: {error}", "see docs/examples/county.toml") from error
    boxes = [(agency.id, box) for agency in county.agencies for box in agency.mailboxes]
    known = {box.id for _, box in boxes}
    for agency, box in boxes:
        posts = {box.manager, box.deputy} - {None}
        if not is_mailbox(box.id) or agency_of(box.id) != agency or not posts <= known:
            raise MalformedError(
                "places-mailbox",
                f"`{box.id[:81]}` is no mailbox of its agency, or has a post that is not listed",
                "say agency/team, and list each post as a mailbox",
            )
    if len(known) != len(boxes):
        raise MalformedError("places-mailbox", "a mailbox is listed twice", "list each once")
    return DirectoryIndex(
        Directory(
            v=1,
            partnership="none",
            version=1,
            issued=0,
            expires=_ALWAYS,
            officers=Officers(threshold=1, keys=(_NO_KEY,)),
            hub=HubEntry(url="none", origin="none", signing=(_NO_KEY,), checkpoint=("none",)),
            agencies=tuple(_entries(county)),
        )
    )


def _entries(county: _County) -> Iterator[AgencyEntry]:
    for agency in county.agencies:
        yield AgencyEntry(
            id=agency.id,
            name=agency.id,
            roles=agency.roles,
            codes={},
            valid_from=0,
            identity=_NO_KEY,
            mailboxes=tuple(
                Mailbox(id=box.id, title=box.title, roles=box.roles, manager=box.manager, deputy=box.deputy)
                for box in agency.mailboxes
            ),
        )
