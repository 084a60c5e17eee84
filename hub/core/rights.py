"""What each role at the console may do, as a table: what isn't in it is refused.

Nobody decides what they proposed themselves, whatever their role; that is for ``hub.acts``.

Source: DESIGN 6 (transport identity); promises 2 (administrator).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

Role = Literal["administrator", "governance", "inspector", "operator"]
Right = Literal[
    "figures",
    "obligations",
    "envelopes",
    "log",
    "export",
    "directory",
    "health",
    "holdings",
    "breaches",
    "propose",
    "decide",
    "people",
    "programs",
]
Scope = Literal["log", "figures", "act"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
_READS: Final[frozenset[Right]] = frozenset({"figures", "obligations", "envelopes", "log", "export", "directory"})

RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    "administrator": frozenset(get_args(Right)),
    # Governance looks after evidence and people's data, not after accounts or machines.
    "governance": _READS | {"holdings", "breaches", "propose", "decide"},
    # An inspector reads on one visit, and changes nothing.
    "inspector": _READS,
    # An operator keeps it running, and sees of whom or what nothing.
    "operator": frozenset({"directory", "health"}),
}
WHAT: Final[Mapping[Role, str]] = {
    "administrator": "the partnership's business manager: sees everything, proposes and decides changes, keeps accounts",
    "governance": "an information-governance officer: sees everything, holds, breaches, subject access; proposes and decides",
    "inspector": "an inspector: reads figures, the log and the journeys of envelopes; changes nothing",
    "operator": "an operator: the state of every part and of the directory; no envelopes, no figures",
}
# What a program's token may be used for, and the right that who makes it must have.
SCOPE_RIGHTS: Final[Mapping[Scope, Right]] = {"log": "log", "figures": "figures", "act": "propose"}


def rights_of(roles: Iterable[Role]) -> frozenset[Right]:
    """Return what somebody with *roles* may do."""
    return frozenset[Right]().union(*(RIGHTS[role] for role in roles))
