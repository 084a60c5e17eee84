"""What a check of a document finds: an agreement or a directory that is well formed, and still leads nowhere."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["error", "note"]


class Finding(NamedTuple):
    """One thing found: its code, where, and what is the matter in a sentence.

    ``error``: it can't be meant; ``note``: it may be.  Each check has a table of its codes.
    """

    level: Level
    code: str
    where: str
    message: str
