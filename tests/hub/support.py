"""What tests of the hub share: an export made from a store, the pure county, and what refusals look like."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from hub import ledger
from hub.core.authenticity import Caller, KeyFact
from hub.errors import HubError
from hub.export import open_export, write_folder
from hub.intake import InputError
from hub.store.base import Store
from hub.verifier import Verdict, Verifier
from keys.errors import KeysError
from schemas.agreement import parse_agreement
from schemas.directory import DirectoryIndex, parse_directory
from schemas.envelope import Wraps, parse_wraps, split_envelope
from schemas.rules.compiled import Rules
from schemas.strict_json import MalformedError
from tests.county import MASH, ORIGIN, County, Sent

BAD = (HubError, KeysError, MalformedError)
# For agreements of a test's own: a calendar and a retention label, and a type that anybody may send to anybody.
OFFICE: Final = """[calendars.office]
zone = "Europe/London"
years = [2026, 2028]
[retention.case]
days_after_cleared = 30
max_days = 400
"""
TYPE: Final = """
[types."{name}"]
senders = "*"
recipients = "*"
basis_classes = "safeguarding"
retention = "case"
"""


class Facts(NamedTuple):
    """What the pure rules judge by: a directory, an agreement, everybody's keys, and who made them."""

    county: County
    directory: DirectoryIndex
    rules: Rules
    keys: dict[str, KeyFact]


@lru_cache
def facts() -> Facts:
    """Return the county as the pure rules see it, made once."""
    county = County()
    keys = {}
    for agency, keyring in county.keyrings.items():
        for use, kids in (("sign", [keyring.signing.kid]), ("seal", list(keyring.opening_keys))):
            for kid in kids:
                keys[kid] = key_fact(kid, agency, use=use)
    index = DirectoryIndex(parse_directory(county.directory()))
    return Facts(county, index, Rules(parse_agreement(county.agreement())), keys)


def key_fact(kid: str, agency: str, **changes: Any) -> KeyFact:
    """Return an active signing key of *agency* around the county's now, or what *changes* make of it."""
    members = {
        "mailbox": None,
        "use": "sign",
        "state": "active",
        "not_before": 0,
        "expires": 2**50,
        "usable_from": 0,
        **changes,
    }
    return KeyFact(kid=kid, agency=agency, **members)


def wraps_of(sent: Sent) -> Wraps:
    """Return the wraps of *sent*."""
    compact = split_envelope(sent.raw).wraps
    return parse_wraps(payload(compact), sent.header)


def payload(compact: bytes) -> bytes:
    """Return the payload of a compact JWS, unchecked."""
    from keys.digests import from_b64u

    return from_b64u(compact.split(b".")[1])


def as_caller(agency: str, mailbox: str | None = None) -> Caller:
    """Return a signed-in caller of *agency*, or with the token of one mailbox's own key."""
    return Caller(agency, mailbox, "A" * 43, 2**50)


def code_of(outcome: object) -> str:
    """Return the code of an error that came back as an outcome."""
    assert isinstance(outcome, InputError), outcome
    return outcome.code


def refused(code: str) -> pytest.RaisesExc[Exception]:
    """Expect an error with this very *code*, a sentence, and a way out."""
    return pytest.RaisesExc(BAD, check=lambda error: bool(error.code == code and error.message))  # type: ignore[attr-defined]


async def verify(store: Store, county: County, folder: Path) -> Verdict:
    """Export *store* and let the offline verifier, which trusts only the officers, go through it."""
    await ledger.sign_checkpoint(store, ORIGIN, county.note_signers, county.now)
    await write_folder(await open_export(store, county.now), folder)
    return Verifier(folder, county.roots).run()


def hold(county: County, *parties: str, by: str = MASH, **changes: Any) -> Sent:
    """Return the envelope by which *by* registers a strategy discussion with *parties*."""
    facts = {"meeting": "strategy"}
    return county.seal("meeting.held/1", by, parties, facts=facts, parties=parties, **changes)


def minutes(county: County, thread: str, *to: str, by: str = MASH, **changes: Any) -> Sent:
    """Return the full minutes of the meeting *thread*, to each of *to*."""
    facts = {"variant": "full", **changes.pop("facts", {})}
    return county.seal("minutes.full/1", by, to, thread=thread, facts=facts, parties=to, **changes)


def note(county: County, thread: str, *to: str, **changes: Any) -> Sent:
    """Return the decision note of the meeting *thread*, to each of *to*."""
    return county.seal("minutes.decisions/1", MASH, to, thread=thread, parties=to, **changes)
