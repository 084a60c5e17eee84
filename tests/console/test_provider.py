"""Signing in at the console by a provider that somebody else wrote."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hub import people
from hub.store.base import Store
from tests.console.support import Seat, cookies_of, text_of
from tests.kit.issuer import CLIENT, SECRET
from tests.kit.provider import RealProvider, run_provider
from tests.web.support import URL, Answer, Site, open_site

pytestmark = pytest.mark.needs_node


async def _sign_in(site: Site, provider: RealProvider, who: str) -> tuple[Answer, Seat]:
    """Return the answer to the browser that comes back from *provider*, and the seat that it has then."""
    begun = await Seat(site, "", "").get("/console/sign-in/oidc")
    assert begun.status == 303, begun.body
    step = cookies_of(begun)["__Host-signin"]
    back = urlsplit(await provider.sign_in(begun.headers["Location"], who))
    async with site.api.session.get(
        f"{site.api.base}{back.path}?{back.query}", headers={"Cookie": f"__Host-signin={step}"}, allow_redirects=False
    ) as answer:
        got = Answer(answer.status, answer.headers.copy(), await answer.read())
    return got, Seat(site, "", cookies_of(got).get("__Host-session", ""))


async def test_somebody_with_an_account_signs_in_at_the_provider_and_is_pinned_to_it(
    sqlite_store: Store, tmp_path: Path
) -> None:
    """The first time by their address, from then on by the provider's subject; a stranger gets nothing."""
    (tmp_path / "secret").write_text(SECRET)
    async with run_provider(f"{URL}/console/sign-in/oidc/back") as provider:
        tables = f"""
[console.oidc]
issuer = "{provider.issuer}"
client_id = "{CLIENT}"
client_secret_file = "{tmp_path / "secret"}"
"""
        async with open_site(sqlite_store, tmp_path, tables=tables) as site:
            site.county.now = time.time_ns() // 1_000_000
            account = await sqlite_store.write(
                lambda tx: people.add_account(tx, None, "robin@example.org", "Robin", ["operator"], site.county.now)
            )
            for _ in range(2):
                answer, robin = await _sign_in(site, provider, "robin")
                assert (answer.status, answer.headers["Location"]) == (303, "/console"), text_of(answer)
                assert "Robin" in text_of(await robin.get("/console/account"))
            pinned = await sqlite_store.read(lambda tx: tx.find_account(account))
            assert pinned is not None
            assert pinned.subject
            answer, stranger = await _sign_in(site, provider, "stranger")
            assert (answer.status, stranger.token) == (403, "")
            await sqlite_store.write(lambda tx: people.end_account(tx, None, account, site.county.now))
            answer, _ = await _sign_in(site, provider, "robin")
            assert answer.status == 403
