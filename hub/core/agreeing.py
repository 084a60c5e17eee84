"""What takes two people, and what may not be deleted: the log held against itself.

The offline verifier shows it every leaf.  Nothing here believes what the hub concluded: an act counts only where the log has
somebody's proposal and somebody else's approval before it.

Source: protocol 8; domain 9.6; issue of the console.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from hub.core.events import Leaf
from schemas.identifiers import EnvelopeId, ThreadId

# What is done, by the act that two people must have agreed on.
ACTS: Final[Mapping[str, str]] = {
    "hold-placed": "hold-place",
    "hold-released": "hold-release",
    "breach-decided": "breach-decide",
    "key-suspended": "key-suspend",
    "key-readmitted": "key-readmit",
}
_ENDS: Final = frozenset({"act-refused", "act-withdrawn", "act-lapsed"})


@dataclass(slots=True)
class Agreed:
    """What was proposed and approved so far, and the holds that stand.

    ``proposed``: by its id, who proposed what; ``approved``: what may be done, each once; ``holds``: on which thread, and
    which envelope if on one alone.
    """

    proposed: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    approved: dict[str, str | None] = field(default_factory=dict)
    holds: dict[str, tuple[ThreadId | None, EnvelopeId | None]] = field(default_factory=dict)

    def take(self, leaf: Leaf) -> str | None:
        """Tell that the log has *leaf*; return what is wrong with that, or ``None``."""
        name = leaf.by or ""
        if leaf.event == "act-proposed":
            self.proposed[name] = leaf.person, leaf.kind
        elif leaf.event in _ENDS:
            self.proposed.pop(name, None)
        elif leaf.event == "act-approved":
            return self._approve(leaf, name)
        elif leaf.event in ACTS:
            if self.approved.pop(name, None) != ACTS[leaf.event]:
                return "an act that no two people have agreed on"
            return self._keep(leaf, name)
        elif leaf.event == "body-deleted" and self._is_held(leaf):
            return "a body deleted under a legal hold"
        return None

    def _approve(self, leaf: Leaf, name: str) -> str | None:
        by, kind = self.proposed.pop(name, (None, None))
        if kind is None or kind != leaf.kind:
            return "an approval of what nobody has proposed"
        if leaf.person is None or leaf.person == by:
            return "an approval by who proposed it"
        self.approved[name] = kind
        return None

    def _keep(self, leaf: Leaf, name: str) -> str | None:
        if leaf.event == "hold-placed":
            self.holds[name] = leaf.thread, leaf.envelope
        elif leaf.event == "hold-released" and self.holds.pop(leaf.item or "", None) is None:
            return "the release of no hold"
        return None

    def _is_held(self, leaf: Leaf) -> bool:
        return any(
            thread == leaf.thread and envelope in (None, leaf.envelope) for thread, envelope in self.holds.values()
        )
