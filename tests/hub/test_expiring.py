"""What ends soon is said 60 days ahead, and what renews itself only when it has not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.expiring import AHEAD, find_expiring
from hub.store.people_rows import ProgramRow
from keys.certificates import end_of
from schemas.envelope import DAY
from tests.county import HEALTH, Desk
from tests.hub.support import refused


def _names(desk: Desk, now: int, **more: Any) -> list[tuple[str, str]]:
    given = {"programs": (), "certificates": ()} | more
    return [(one.kind, one.name) for one in find_expiring(desk.registry.snapshot, **given, now=now)]


async def test_nothing_is_said_of_what_ends_later(quick_desk: Desk) -> None:
    """Directory, keys and calendars of a founded county have longer than 60 days."""
    assert _names(quick_desk, quick_desk.county.now) == []


async def test_the_directory_is_told_of_60_days_ahead(quick_desk: Desk) -> None:
    """Not a millisecond earlier, and also once it has ended."""
    ends = quick_desk.registry.snapshot.directory.directory.expires
    assert ("directory", "version 1") not in _names(quick_desk, ends - AHEAD - 1)
    for now in (ends - AHEAD, ends + DAY):
        assert ("directory", "version 1") in _names(quick_desk, now)


async def test_only_the_last_key_of_a_use_is_told_of(quick_desk: Desk) -> None:
    """Signing and witness keys 60 days ahead, sealing keys in their last day: what has a successor ends in peace."""
    county = quick_desk.county
    soon = [one for one in _names(quick_desk, county.now + 300 * DAY - AHEAD) if HEALTH in one[1]]
    assert soon == [("key", f"signing key of {HEALTH}"), ("key", f"witness key of {HEALTH}")]
    last = [one for one in _names(quick_desk, county.now + 299 * DAY) if HEALTH in one[1]]
    assert ("key", f"sealing key of {HEALTH}") in last
    keyring = county.keyrings[HEALTH]
    said = county.statement(HEALTH, "sign", keyring.signing.public.jwk, expires=county.now + 900 * DAY)
    await quick_desk.publish_key(said, county.approve(said))
    await quick_desk.registry.refresh(quick_desk.store)
    assert ("key", f"signing key of {HEALTH}") not in _names(quick_desk, county.now + 299 * DAY)


async def test_calendars_agencies_programs_and_certificates_are_told_of(quick_desk: Desk) -> None:
    """What an agreement's calendar, a directory's end, a token and a certificate say."""
    now = quick_desk.county.now
    quick_desk.county.ended[HEALTH] = (now + 30 * DAY, ())
    await quick_desk.next_directory()
    program = ProgramRow("A" * 22, "B" * 22, "figures for the board", ("figures",), now, now + 20 * DAY)
    over = ProgramRow("C" * 22, "B" * 22, "over", ("figures",), now, now - 1)
    found = _names(quick_desk, now, programs=[program, over], certificates=[("/etc/hub.pem", now + 10 * DAY)])
    assert found == [("certificate", "/etc/hub.pem"), ("program", "figures for the board"), ("agency", HEALTH)]
    late = int(datetime(2027, 12, 1, tzinfo=UTC).timestamp() * 1000)
    assert ("calendar", "school") in _names(quick_desk, late)


def test_a_certificates_end_is_read() -> None:
    """To the second, and nothing that is no certificate passes for one."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.x509.oid import NameOID

    key, name = Ed25519PrivateKey.generate(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.example")])
    begins = datetime(2026, 7, 6, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=90))
        .sign(key, None)
    )
    from cryptography.hazmat.primitives.serialization import Encoding

    assert end_of(made.public_bytes(Encoding.PEM)) == int((begins + timedelta(days=90)).timestamp() * 1000)
    with refused("certificate"):
        end_of(b"nothing of the kind")


@pytest.mark.parametrize("name", ["deadlines", "retention"])
def test_a_loop_is_failing_until_a_round_is_good_again(name: str) -> None:
    """The last failure counts only until the next good round."""
    from hub.rounds import Rounds

    rounds = Rounds()
    assert not rounds.is_failing(name)
    rounds.fail(name, 1, "store-full")
    assert rounds.is_failing(name)
    rounds.finish(name, 2)
    assert not rounds.is_failing(name)
