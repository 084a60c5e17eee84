"""How much one envelope may open: what two lists multiply is refused, and nothing urgent ever is."""

from __future__ import annotations

from keys.digests import new_id
from schemas.envelope import Item
from schemas.rules.planning import MOST_DUTIES
from tests.county import CAIT, MASH, PARTNERSHIP, Desk, Sent
from tests.hub.support import OFFICE, TYPE, refused

TEXT = (
    f"""
partnership = "{PARTNERSHIP}"
in_force_from = 2026-01-01
calendar = "office"
roles = ["partnership"]
{OFFICE}"""
    + "".join(TYPE.format(name=name) for name in ("action.assign", "action.accept"))
    + "".join(
        f"""
[[types."action.assign".opens]]
name = "{name}"
send = {{ type = "action.accept", by = "item-owner", to = "each-party", within = "1 working day" }}
tell = []
"""
        for name in ("action-answered", "action-done")
    )
)


def assign(desk: Desk, items: int, *parties: str, urgent: bool = False) -> Sent:
    """Return an envelope by which police owe each of *parties* an answer about each of *items*."""
    now = desk.county.now
    owed = tuple(sorted((Item(ref=new_id(now), owner=CAIT, due=now) for _ in range(items)), key=lambda item: item.ref))
    return desk.county.seal("action.assign/1", MASH, [CAIT], items=owed, parties=parties, urgent=urgent)


async def test_what_two_lists_multiply_is_refused_and_nothing_urgent_is(quick_desk: Desk) -> None:
    """One duty more than the most is one too many; the same as urgent is delivered, with every duty that it opens."""
    desk = quick_desk
    await desk.next_agreement(TEXT)
    boxes = desk.registry.snapshot.directory.open_mailboxes(desk.county.now)
    few, many = ([box for box in boxes if box != CAIT][:count] for count in (4, 5))
    with refused("too-many-duties"):
        await desk.send(assign(desk, 64, *many))
    assert [leaf["outcome"] for leaf in await desk.leaves("envelope-refused")] == ["too-many-duties"]
    assert await desk.leaves("obligation-opened") == []
    await desk.send(assign(desk, 64, *few))
    assert len(await desk.leaves("obligation-opened")) == MOST_DUTIES == 2 * 64 * len(few)
    await desk.send(assign(desk, 64, *many, urgent=True))
    assert len(await desk.leaves("obligation-opened")) == MOST_DUTIES + 2 * 64 * len(many)
