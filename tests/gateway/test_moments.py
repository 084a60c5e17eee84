"""Instants are read in one way, wherever they come from."""

from __future__ import annotations

import pytest

from adapters.errors import GatewayError
from adapters.gateway import commands
from adapters.gateway.moments import read_moment
from schemas.catalogue import Catalogue
from schemas.derivation import spell_moment
from tests.county import MASH
from tests.gateway.support import minutes_full
from tests.schemas import samples

MIDNIGHT = 1_776_124_800_000


def test_an_instant_is_itself_and_a_day_begins_and_ends_in_utc() -> None:
    """With any offset, to the millisecond; a day is due at its end."""
    assert read_moment("2026-04-14T09:30:00Z") == samples.NOW
    assert read_moment("2026-04-14T10:30:00.007+01:00") == samples.NOW + 7
    assert read_moment("2026-04-14") == MIDNIGHT
    assert read_moment("2026-04-14", ends=True) == MIDNIGHT + samples.DAY - 1
    assert read_moment("1969-12-31") == -samples.DAY


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-04-14T09:30:00", "2026-04", "T", "2026-04-14T24:61:00Z"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Without an offset nobody knows which instant is meant."""
    with pytest.raises(ValueError, match=r".+"):
        read_moment(text)


def test_what_is_spelt_is_read_again_and_never_later() -> None:
    """The gateway's own spelling is to the second."""
    assert read_moment(spell_moment(samples.NOW)) == samples.NOW
    assert read_moment(spell_moment(samples.NOW + 999)) == samples.NOW


def test_gateway_and_header_read_the_same() -> None:
    """What the catalogue puts into a header is what the gateway makes of the field."""
    clear = Catalogue.load().clear("minutes.full/1", minutes_full([MASH]))
    assert read_moment("2026-07-06T08:00:00Z") == clear.at


def test_a_moment_at_the_command_line_is_named_when_it_is_none() -> None:
    """The way out shows how to write it."""
    with pytest.raises(GatewayError) as caught:
        commands._moment("yesterday")
    assert (caught.value.code, caught.value.hint) == ("keys-moment", "write it as 2026-07-06T08:00:00Z")
