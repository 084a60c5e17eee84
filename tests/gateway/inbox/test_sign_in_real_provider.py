"""Signing in at a provider that somebody else wrote: discovery, PKCE, its tokens and its userinfo as they really are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import pytest

from hub.kit.oidc_config import OidcConfig
from tests.gateway.inbox.support import ORIGIN, open_office
from tests.gateway.inbox.test_sign_in_oidc import begin
from tests.gateway.support import Town
from tests.kit.issuer import CLIENT, SECRET
from tests.kit.provider import run_provider

pytestmark = pytest.mark.needs_node


def secret_file(folder: Path) -> str:
    """Write the client's secret to a file."""
    path = folder / "oidc-secret"
    path.write_text(SECRET)
    return str(path)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_somebody_signs_in_at_a_real_provider(town: Town, algorithm: Literal["RS256", "ES256"]) -> None:
    """The provider asks who it is, tells the address when asked, and the same person is known again; others are not."""
    async with run_provider(f"{ORIGIN}/sign-in/oidc/back", algorithm) as provider:
        # The provider's clock is the system's, so the town's has to be.
        town.county.now = time.time_ns() // 1_000_000
        oidc = OidcConfig(
            issuer=provider.issuer, client_id=CLIENT, client_secret_file=secret_file(town.tmp), algorithm=algorithm
        )
        async with open_office(town, oidc=oidc) as office:
            await office.person("robin@example.org")
            for _ in range(2):
                browser = office.browser()
                back = await provider.sign_in(await begin(browser), "robin")
                town.county.now = time.time_ns() // 1_000_000
                assert (await browser.get(back)).path == "/"
            stranger = office.browser()
            back = await provider.sign_in(await begin(stranger), "stranger")
            assert "You have no account" in (await stranger.get(back)).words
            replay = office.browser()
            await begin(replay)
            assert "another sign-in" in (await replay.get(back)).words
