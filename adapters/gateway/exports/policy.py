"""Which marks bar what from which copy: ``marks.json`` as values.  Policy is in that file, none of it in code.

A variant ``bars`` sections, ``refuses`` whole messages, ``leaves_out`` fields by name, and says what becomes of addresses.

Source: domain 3 (9), 9.4, 9.5; risks 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from adapters.errors import GatewayError
from schemas.envelope import Struct
from schemas.identifiers import Code, is_agency

Codes = tuple[Code, ...]


class Variant(Struct, frozen=True, kw_only=True):
    """One kind of copy.

    ``facts``: what is said of the envelope.  ``adds``: marks that every such copy bears.  ``bars_for_outsiders``: also
    barred, and refused, where the reader's agency is neither sender nor recipient.  ``only``: a type's fields beyond
    which nothing is copied.  ``references_only``: marks of which the references are left and nothing else.
    """

    title: str
    facts: Codes
    note: str = ""
    addresses: Literal["shown", "unless_restricted", "never"]
    warns: bool = False
    adds: Codes = ()
    bars: Codes = ()
    bars_for_outsiders: Codes = ()
    refuses: Codes = ()
    refuses_types: Codes = ()
    leaves_out: Codes = ()
    only: Mapping[Code, Codes] = {}
    references_only: Codes = ()
    only_references: bool = False
    breaks_embargo: bool = False


class Policy(Struct, frozen=True, kw_only=True):
    """The whole table, with its owner and the day from which it holds."""

    owner: str
    from_: Annotated[str, Meta(pattern=r"\A\d{4}-\d{2}-\d{2}\Z")] = msgspec.field(name="from")
    implied: Mapping[str, Mapping[str, Code]]
    address_kinds: Codes
    place_fields: Codes
    reference_kinds: Codes
    free_text_kinds: Codes
    warnings: Codes
    break_reasons: Codes
    variants: Mapping[Code, Variant]


@cache
def load_policy() -> Policy:
    """Return the table that ships with the gateway."""
    raw = files("adapters.gateway.exports").joinpath("marks.json").read_bytes()
    return msgspec.json.decode(raw, type=Policy)


AGENCY: Final = "agency"


def parse_audience(text: str, policy: Policy) -> tuple[Code, str]:
    """Return the variant that *text* names, and after ``agency:`` the agency that the copy is for.

    Raises:
        GatewayError: ``export-variant``.
    """
    name, colon, agency = text.partition(":")
    if name in policy.variants and (is_agency(agency) if name == AGENCY else not colon):
        return name, agency
    known = ", ".join(f"{one}:CODE" if one == AGENCY else one for one in policy.variants)
    raise GatewayError("export-variant", "there is no such kind of copy", f"use one of {known}")
