"""A county that was reorganised, as a directory: everything is invented, codes and names, but for the shape.

Until 31 March 2019 there was a county council with six districts, and two towns on their own.  From 1 April one council
has five of the districts, and another one has the sixth together with both towns.  The police stayed what they were.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.directory import DirectoryIndex, parse_directory
from tests.schemas.samples import Json, agency, directory, mailbox, payload

# 1 April 2019, 00:00 in London, where the clocks had gone forward the day before.
CHANGE: Final = 1_554_073_200_000
IN_2018: Final = CHANGE - 200 * 86_400_000
TODAY: Final = 1_783_324_800_000
COUNTY, SOUTH, HARBOUR = "exampleshire-county", "marlhaven-town", "quayford-town"
NEW, MERGED = "exampleshire-council", "three-towns-council"
POLICE, PARTNERSHIP = "exampleshire-constabulary", "exampleshire-partnership"
DISTRICTS: Final = tuple(f"X98000{number:03}" for number in range(49, 54))
CHURCHMERE: Final = "X98000048"


def entries() -> dict[str, Json]:
    """Return the agencies by id, to be changed by a test."""
    ended: dict[str, Any] = {"valid_from": 0, "valid_to": CHANGE}
    begun: dict[str, Any] = {"valid_from": CHANGE}
    split = [{"agency": NEW, "split": code} for code in DISTRICTS] + [{"agency": MERGED, "split": CHURCHMERE}]

    def council(ident: str, code: str, *boxes: Json, **changes: Any) -> Json:
        made = boxes or (mailbox(f"{ident}/mash", roles=["mash"]), mailbox(f"{ident}/looked-after"))
        return agency(ident, *made, roles=("social_care",), codes={"gss": code}, **changes)

    found = [
        council(COUNTY, "X99000009", name="Exampleshire County Council", successors=split, **ended),
        council(SOUTH, "X97000028", name="Marlhaven Borough Council", successors=[{"agency": MERGED}], **ended),
        council(HARBOUR, "X97000029", name="Borough of Quayford", successors=[{"agency": MERGED}], **ended),
        council(NEW, "X97000059", name="Exampleshire Council", **begun),
        council(
            MERGED,
            "X97000058",
            mailbox(f"{MERGED}/looked-after"),
            mailbox(f"{MERGED}/front-door", roles=["mash"], title="Front door"),
            name="Marlhaven, Quayford and Churchmere Council",
            **begun,
        ),
        agency(POLICE, mailbox(f"{POLICE}/child-abuse"), roles=("police",), codes={"gss": "X96000039"}, valid_from=0),
        agency(PARTNERSHIP, mailbox(f"{PARTNERSHIP}/business-unit"), roles=("partnership",), valid_from=0),
    ]
    return {one["id"]: one for one in found}


def index_of(agencies: dict[str, Json] | None = None) -> DirectoryIndex:
    """Return the directory of *agencies*, or of the county as it is."""
    chosen = list((agencies or entries()).values())
    return DirectoryIndex(parse_directory(payload(directory(partnership=PARTNERSHIP, agencies=chosen))))
