"""Builders for the tests of the rules: a small county, ids that look right, envelopes and agreements from text."""

from __future__ import annotations

import base64
import itertools
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from schemas.agreement import Agreement
from schemas.agreement_text import compile_agreement
from schemas.directory import AgencyEntry, Directory, DirectoryIndex, HubEntry, Jwk, Mailbox, Officers, Successor
from schemas.envelope import Header, Item, Sealed
from schemas.receipt import Receipt
from schemas.rules.duty import Duty

LONDON = ZoneInfo("Europe/London")
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "agreement.toml"
SHA = "A" * 43
CHAIR, AREA = "sampleton/mash", "sampleton/area-team"
POLICE, EXPLOITATION = "constabulary/public-protection", "constabulary/exploitation"
HEALTH, NURSES, GP = "northmere/safeguarding", "northmere/school-nursing", "millfield/lead"
PARTNERSHIP = "exampleshire/business-unit"
ENDED = "old-health/safeguarding"

_ids = itertools.count(1)


def new_id() -> str:
    """Return an id in the exact spelling of a UUIDv7, new in this run."""
    raw = bytearray(next(_ids).to_bytes(16, "big"))
    raw[6], raw[8] = 0x70, 0x80
    return base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()


def ms(text: str, zone: ZoneInfo = LONDON) -> int:
    """Return the UTC milliseconds of local ``2018-05-23 10:00``."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def local(at: int, zone: ZoneInfo = LONDON) -> str:
    """Return local ``2018-05-23 10:00`` of UTC milliseconds."""
    return f"{datetime.fromtimestamp(at / 1000, zone):%Y-%m-%d %H:%M}"


def _agency(
    name: str,
    roles: tuple[str, ...],
    boxes: dict[str, tuple[str, ...]],
    valid_to: int | None = None,
    successors: tuple[Successor, ...] = (),
) -> AgencyEntry:
    return AgencyEntry(
        id=name,
        name=name,
        roles=roles,
        codes={},
        valid_from=0,
        valid_to=valid_to,
        successors=successors,
        identity=Jwk(kty="OKP", crv="Ed25519", x=SHA),
        mailboxes=tuple(Mailbox(id=f"{name}/{team}", title=team, roles=own) for team, own in boxes.items()),
    )


def directory(heir: str | None = None) -> DirectoryIndex:
    """Return a county of six agencies, one of which has ended and left what it had to *heir*, or to nobody."""
    heirs = (Successor(agency=heir),) if heir else ()
    return DirectoryIndex(
        Directory(
            v=1,
            partnership="exampleshire",
            version=1,
            issued=0,
            expires=2**50,
            officers=Officers(threshold=1, keys=(Jwk(kty="OKP", crv="Ed25519", x=SHA),)),
            hub=HubEntry(url="http://127.0.0.1", origin="hub.example.org", signing=(), checkpoint=()),
            agencies=(
                _agency("sampleton", ("social_care",), {"mash": ("mash",), "area-team": ()}),
                _agency("constabulary", ("police",), {"public-protection": (), "exploitation": ("exploitation_team",)}),
                _agency("northmere", ("health",), {"safeguarding": (), "school-nursing": ("school_nursing",)}),
                _agency("millfield", ("health", "gp"), {"lead": ()}),
                _agency("exampleshire", ("partnership",), {"business-unit": ()}),
                _agency("old-health", ("health",), {"safeguarding": ()}, 1, heirs),
            ),
        )
    )


def header(**members: Any) -> Header:
    """Return a header of a meeting that the chair held with police and health, but for *members*."""
    given: dict[str, Any] = {
        "v": 1,
        "id": new_id(),
        "type": "meeting.held/1",
        "from_": CHAIR,
        "to": (POLICE,),
        "thread": new_id(),
        "at": ms("2026-07-06 10:00"),
        "moments": {},
        "urgent": False,
        "parties": (CHAIR, POLICE, HEALTH),
        "items": (),
        "facts": {"meeting": "strategy"},
        "basis_class": "safeguarding",
        "retention": "case",
        "sealed": Sealed(format="C2SP-CE1-A256GCM", sha256=SHA, length=4096),
        "opening": SHA,
        "directory": 1,
        "agreement": 1,
        "sent": ms("2026-07-06 11:00"),
        "keep_until": ms("2026-10-06 11:00"),
    }
    return Header(**(given | members))


def item(owner: str, due: int = 0) -> Item:
    """Return an item of *owner*'s."""
    return Item(ref=new_id(), owner=owner, due=due)


def receipt(duty: Duty, **members: Any) -> Receipt:
    """Return the receipt by machine that *duty* waits for, but for *members*."""
    given: dict[str, Any] = {
        "v": 1,
        "id": new_id(),
        "envelope": duty.envelope,
        "sealed_sha256": SHA,
        "manifest_sha256": SHA,
        "level": "filed",
        "mode": "full",
        "mailbox": duty.debtor,
        "at": 0,
    }
    return Receipt(**(given | members))


@lru_cache
def example() -> Agreement:
    """Return the shipped agreement of Exampleshire."""
    return compile_agreement(EXAMPLE.read_text("utf-8"), version=3, previous=None, issued=0)


FRAME = """
partnership = "exampleshire"
in_force_from = 2026-01-01
calendar = "office"
roles = ["social_care", "police", "exploitation_team", "health", "school_nursing", "gp", "partnership", "mash"]
[calendars.office]
country = "GB"
subdivision = "ENG"
zone = "Europe/London"
years = [2018, 2045]
[calendars.school]
zone = "Europe/London"
years = [2026, 2027]
day_starts = "08:30"
closed = [[2026-07-22, 2026-09-01]]
[retention.case]
days_after_cleared = 30
max_days = 400
"""
OPEN_TYPE = """
[types."{name}"]
senders = "*"
recipients = "*"
basis_classes = "safeguarding"
retention = "case"
"""


@lru_cache(maxsize=512)
def agreement(rules: str = "", frame: str = FRAME, types: tuple[str, ...] = ("a", "b")) -> Agreement:
    """Return an agreement in which everyone may send types ``a`` and ``b``, with *rules* in TOML after them."""
    text = frame + "".join(OPEN_TYPE.format(name=name) for name in types) + rules
    return compile_agreement(text, version=7, previous=None, issued=0)


def send_rule(send: str = "", extra: str = "", name: str = "answer") -> str:
    """Return a rule of type ``a``, by which the recipients owe the sender a ``b`` in 1 working day, but for *send*."""
    members = {"type": '"b"', "by": '"recipients"', "to": '"sender"', "within": '"1 working day"'}
    for pair in filter(None, (part.strip() for part in send.split(";"))):
        key, _, value = pair.partition("=")
        members[key.strip()] = value.strip()
    table = ", ".join(f"{key} = {value}" for key, value in members.items())
    return f'\n[[types.a.opens]]\nname = "{name}"\nsend = {{ {table} }}\n{extra}\n'


def days(start: date, count: int) -> range:
    """Return the day numbers of *count* days."""
    first = start.toordinal() - date(1970, 1, 1).toordinal()
    return range(first, first + count)
